"""Decisions for one superblock: partition, modes, transform size and type by rate-distortion, left in the block info.

Of intra frames bottom up along the Z curve: 8x8 blocks, some as four 4x4; then a block is tried whole after its four quarters,
from the same neighbours that they had, and the cheaper of the two stays in t.rec and in the block info. Of inter frames
top down: a block is tried whole first, and what it leaves tells whether to try its quarters.
Costs are integers (costs.py), so that every kernel set decides alike. The coding pass (block.py) does the chosen blocks once
more and writes.
"""

import numpy as np
from numpy import int64

from encoder.probe import TRIAL
from encoder.spec import BLOCK_8X8, PARTITION_NONE, PARTITION_SPLIT
from encoder.tile.blocks import has_chroma, info_at, mark_decoded, z_col, z_row
from encoder.tile.choice import (
    ALPHA_U,
    ALPHA_V,
    HAS_COEFS,
    LUMA_EOB,
    begin_intra_choice,
    choice_row,
    keep_choice,
)
from encoder.tile.costs import NO_COST, rd_cost
from encoder.tile.inter_search import try_inter_frame_block
from encoder.tile.intra_search import try_chroma, try_luma
from encoder.tile.modes import forced_split_probability, partition_cdf, skip_cdf
from encoder.tile.spans import begin_span, end_span
from encoder.tile.state import CHOICE_WORDS

WHOLE_QUARTERS = np.array([0, 0, 2, 2, 3])
"""By level: of a block's quarters, so many must not have been split themselves for the whole to be tried."""
SPLIT_FROM_EOB = 4
"""An 8x8 block is tried as four 4x4 ones where its luma has at least so many coefficients."""
BACKUP_AT = np.array([0, 0, 96, 480, 2016])
"""Where the reconstruction of a level begins in t.backup."""


def search_superblock(k, t, sb_row, sb_col):
    """Decide the superblock at (sb_row, sb_col)."""
    if t.frame_is_intra:
        _search_bottom_up(k, t, sb_row, sb_col)
    else:
        _search_top_down(k, t, sb_row, sb_col)


def _partition_rate(t, mi_row, mi_col, block_size, partition):
    """Rate of writing `partition` here."""
    half = int64(1) << (block_size // 3 - 1)
    has_rows, has_cols = mi_row + half < t.mi_rows, mi_col + half < t.mi_cols
    if not has_rows and not has_cols:
        return int64(0)
    at = partition_cdf(t, mi_row, mi_col, block_size)
    if has_rows and has_cols:
        return int64(t.rate[at + partition])
    return int64(t.rate_of_probability[(32768 - forced_split_probability(t, at, has_rows)) >> 5])


def _copy_block(t, mi_row, mi_col, level, save):
    """Copy a block of all planes between t.rec and the level's part of t.backup."""
    at = BACKUP_AT[level]
    for plane in range(3):
        sub = 1 if plane > 0 else 0
        n = (int64(4) << level) >> sub
        stride = t.stride[plane]
        first = t.origin[plane] + ((mi_row * 4) >> sub) * stride + ((mi_col * 4) >> sub)
        for y in range(n):
            row = first + y * stride
            if save:
                for x in range(n):
                    t.backup[at + x] = t.rec[row + x]
            else:
                for x in range(n):
                    t.rec[row + x] = t.backup[at + x]
            at += n


def _cannot_be_whole(t, mi_row, mi_col, level):
    """Whether the picture's edge cuts a block, so that it has to be split."""
    half = int64(1) << (level - 1)
    return mi_row + half >= t.mi_rows or mi_col + half >= t.mi_cols


# Top down ------------------------------------------------------------------------------------------------------------------


def _search_top_down(k, t, sb_row, sb_col):
    """t.node holds for each level the cost of the block whole, and of those of its quarters that are decided."""
    z = int64(0)
    while z < 64:
        mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
        level = int64(4)
        while z & ((int64(1) << (2 * level - 2)) - 1) != 0:
            level -= 1
        while not _enter(k, t, mi_row, mi_col, level):
            level -= 1
        z = _leave(t, sb_row, sb_col, z, level)


def _enter(k, t, mi_row, mi_col, level):
    """Try a block whole; gives whether it is decided so, or lies outside. If not, its quarters are next."""
    t.node[2 * level] = 0
    t.node[2 * level + 1] = 0
    if mi_row >= t.mi_rows or mi_col >= t.mi_cols:
        return True
    if level > 1 and _cannot_be_whole(t, mi_row, mi_col, level):
        t.node[2 * level] = NO_COST
        t.node[2 * level + 1] = rd_cost(t, int64(0), _partition_rate(t, mi_row, mi_col, level * 3, PARTITION_SPLIT))
        return False
    rate = _partition_rate(t, mi_row, mi_col, level * 3, PARTITION_NONE)
    began = begin_span(t)
    cost = try_inter_frame_block(k, t, mi_row, mi_col, level * 3) + rd_cost(t, int64(0), rate)
    end_span(t, TRIAL, began, mi_row, mi_col, level * 3)
    t.node[2 * level] = cost
    _mark_block(t, mi_row, mi_col, level, 1)
    if level == 1 or not _worth_splitting(t, level, cost):
        keep_choice(t, mi_row, mi_col, level)
        return True
    _mark_block(t, mi_row, mi_col, level, 0)
    t.node[2 * level + 1] = rd_cost(t, int64(0), _partition_rate(t, mi_row, mi_col, level * 3, PARTITION_SPLIT))
    return False


def _worth_splitting(t, level, cost):
    """Whether the quarters of a block that costs so much whole are to be tried."""
    c = level * CHOICE_WORDS
    if level <= t.smallest_level:
        return False
    if t.choice[c + HAS_COEFS]:
        return level > 2 or t.choice[c + LUMA_EOB] >= t.split_eob
    # Without coefficients only better motion can pay, which takes a few bits a quarter.
    return cost > rd_cost(t, int64(0), int64(t.skip_split_rate))


def _leave(t, sb_row, sb_col, z, level):
    """A block that begins at z is decided; so may be those that it ends. Gives the z after them."""
    cost = t.node[2 * level]
    z += int64(1) << (2 * level - 2)
    while level < 4:
        level += 1
        units = int64(1) << (2 * level - 2)
        first = (z - 1) & ~(units - 1)
        t.node[2 * level + 1] += cost
        split_cost, whole_cost = t.node[2 * level + 1], t.node[2 * level]
        if z & (units - 1) != 0 and split_cost < whole_cost:
            return z
        cost = split_cost
        mi_row, mi_col = sb_row + z_row(first) * 2, sb_col + z_col(first) * 2
        if whole_cost <= split_cost:
            cost = whole_cost
            _mark_block(t, mi_row, mi_col, level, 1)
            keep_choice(t, mi_row, mi_col, level)
            z = first + units
    return z


def _mark_block(t, mi_row, mi_col, level, decoded):
    """Set BlockDecoded of a block in all planes."""
    size4 = int64(1) << level
    mark_decoded(t, 0, mi_row & 15, mi_col & 15, size4, decoded)
    for plane in range(1, 3):
        mark_decoded(t, plane, (mi_row & 15) >> 1, (mi_col & 15) >> 1, size4 >> 1, decoded)


# Bottom up -----------------------------------------------------------------------------------------------------------------


def _search_bottom_up(k, t, sb_row, sb_col):
    cost_8 = cost_16 = cost_32 = int64(0)
    flat_16 = flat_32 = False
    for z in range(64):
        mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
        if z & 15 == 0:
            flat_32 = _is_flat(k, t, mi_row, mi_col, 32)
        if z & 3 == 0:
            flat_16 = flat_32 or _is_flat(k, t, mi_row, mi_col, 16)
        if not flat_16 and mi_row < t.mi_rows and mi_col < t.mi_cols:
            cost_8 += _search_8x8(k, t, mi_row, mi_col)
        if z & 3 == 3:
            if not flat_32:
                split_cost = int64(NO_COST) if flat_16 else cost_8
                cost_16 += _merge(k, t, sb_row + z_row(z - 3) * 2, sb_col + z_col(z - 3) * 2, int64(2), split_cost)
            cost_8 = int64(0)
        if z & 15 == 15:
            split_cost = int64(NO_COST) if flat_32 else cost_16
            cost_32 += _merge(k, t, sb_row + z_row(z - 15) * 2, sb_col + z_col(z - 15) * 2, int64(3), split_cost)
            cost_16 = int64(0)
    _merge(k, t, sb_row, sb_col, int64(4), cost_32)


def _is_flat(k, t, mi_row, mi_col, n):
    """Whether a source block that lies inside the picture varies so little that splitting it cannot pay."""
    if mi_row * 4 + n > t.mi_rows * 4 or mi_col * 4 + n > t.mi_cols * 4:
        return False
    at = t.origin[0] + mi_row * 4 * t.stride[0] + mi_col * 4
    return k.variance(t.src, at, t.stride[0], n, n) * 64 * t.flat_divisor <= n * n * t.ac_q * t.ac_q


def _is_busy(k, t, mi_row, mi_col, n):
    """Whether a source block varies so much that 4x4 blocks may pay."""
    at = t.origin[0] + mi_row * 4 * t.stride[0] + mi_col * 4
    return k.variance(t.src, at, t.stride[0], n, n) * 64 > n * n * t.ac_q * t.ac_q * t.busy_factor


def _search_8x8(k, t, mi_row, mi_col):
    """The 8x8 block, then, where it leaves enough to gain, the four 4x4 blocks; gives the better cost."""
    rate = _partition_rate(t, mi_row, mi_col, int64(BLOCK_8X8), PARTITION_NONE)
    whole_cost = _try_block(k, t, mi_row, mi_col, int64(BLOCK_8X8)) + rd_cost(t, int64(0), rate)
    if t.choice[CHOICE_WORDS + LUMA_EOB] >= SPLIT_FROM_EOB and _is_busy(k, t, mi_row, mi_col, 8):
        _copy_block(t, mi_row, mi_col, int64(1), 1)
        rate = _partition_rate(t, mi_row, mi_col, int64(BLOCK_8X8), PARTITION_SPLIT)
        split_cost = rd_cost(t, int64(0), rate)
        for i in range(4):
            if split_cost < whole_cost:
                split_cost += _try_block(k, t, mi_row + (i >> 1), mi_col + (i & 1), int64(0))
                keep_choice(t, mi_row + (i >> 1), mi_col + (i & 1), int64(0))
        if split_cost < whole_cost:
            return split_cost
        _copy_block(t, mi_row, mi_col, int64(1), 0)
    keep_choice(t, mi_row, mi_col, int64(1))
    return whole_cost


def _merge(k, t, mi_row, mi_col, level, split_cost):
    """Try the block whole against its quarters, which cost split_cost and stand in t.rec; gives the better cost."""
    if mi_row >= t.mi_rows or mi_col >= t.mi_cols:
        return int64(0)
    block_size = level * 3
    if split_cost < NO_COST:
        rate = _partition_rate(t, mi_row, mi_col, block_size, PARTITION_SPLIT)
        split_cost += rd_cost(t, int64(0), rate)
    if _cannot_be_whole(t, mi_row, mi_col, level):
        return split_cost
    if split_cost < NO_COST and _whole_quarters(t, mi_row, mi_col, level) < WHOLE_QUARTERS[level]:
        return split_cost
    _copy_block(t, mi_row, mi_col, level, 1)
    rate = _partition_rate(t, mi_row, mi_col, block_size, PARTITION_NONE)
    whole_cost = _try_block(k, t, mi_row, mi_col, block_size) + rd_cost(t, int64(0), rate)
    if whole_cost <= split_cost:
        keep_choice(t, mi_row, mi_col, level)
        return whole_cost
    _copy_block(t, mi_row, mi_col, level, 0)
    return split_cost


def _whole_quarters(t, mi_row, mi_col, level):
    """How many quarters of a block were not split themselves."""
    half = int64(1) << (level - 1)
    whole = int64(0)
    for i in range(4):
        at = info_at(t, mi_row + (i >> 1) * half, mi_col + (i & 1) * half)
        whole += t.block_size[at] >= (level - 1) * 3
    return whole


def _try_block(k, t, mi_row, mi_col, block_size):
    """Find the best way to code a block whole, leave it in t.rec and in t.choice; gives its cost without the partition."""
    began = begin_span(t)
    c = choice_row(block_size)
    begin_intra_choice(t, c)
    t.choice[c + HAS_COEFS] = 0
    t.choice[c + ALPHA_U] = 0
    t.choice[c + ALPHA_V] = 0
    cost = try_luma(k, t, mi_row, mi_col, block_size)
    if has_chroma(mi_row, mi_col, block_size):
        cost += try_chroma(k, t, mi_row, mi_col, block_size)
    at = skip_cdf(t, mi_row, mi_col)
    end_span(t, TRIAL, began, mi_row, mi_col, block_size)
    return cost + rd_cost(t, int64(0), int64(t.rate[at + 1 - t.choice[c + HAS_COEFS]]))
