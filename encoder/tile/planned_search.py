"""Blocks whose partition is planned: decided by SATD and rate alone, one pass, just before they are coded.

In inter frames the vectors of the plan take the place of a search far around; references and pairs that the plan sees far behind
the best one are left out, and a prediction that leaves nothing to code ends the search.
"""

from numpy import int64

from encoder.spec import BLOCK_32X32, DCT_DCT
from encoder.tile.blocks import block_4x4s, z_of
from encoder.tile.choice import (
    ALPHA_U,
    ALPHA_V,
    ANGLE_UV,
    ANGLE_Y,
    COST,
    FIRST_CANDIDATE,
    HAS_COEFS,
    MAX_CANDIDATES,
    SKIP_MODE,
    TX_SIZE,
    TX_TYPE,
    UV_MODE,
    Y_MODE,
    begin_intra_choice,
    choice_row,
    copy_choice,
    keep_choice,
)
from encoder.tile.costs import NO_COST, satd_cost
from encoder.tile.inter_modes import is_codable_pair, is_inter_rate, load_ref_counts, skip_mode_rate
from encoder.tile.inter_search import rank_filters, rank_pair, rank_single, search_best_vector
from encoder.tile.intra_search import rank_chroma, rank_common_modes, rank_modes
from encoder.tile.modes import implied_tx_type, max_tx_size
from encoder.tile.partition_plan import PLAN_COST, node_at, plan_at
from encoder.tile.state import CHOICE_WORDS


def decide_planned_block(k, t, mi_row, mi_col, block_size):
    """Decide a block of the plan, whose neighbours are coded, and leave it in the block info."""
    c = choice_row(block_size)
    if t.frame_is_intra:
        _decide_intra(k, t, mi_row, mi_col, block_size, c)
    else:
        _decide_inter(k, t, mi_row, mi_col, block_size, c)
    keep_choice(t, mi_row, mi_col, block_size // 3)


def _decide_intra(k, t, mi_row, mi_col, block_size, c):
    """Leave the block of an intra frame in row c of t.choice; its luma is not there yet, so chroma is tried on the source's."""
    mode, delta, _ = rank_modes(k, t, mi_row, mi_col, block_size)
    _take_intra(t, c, mode, delta, max_tx_size(block_size))
    rank_chroma(k, t, t.src, mi_row, mi_col, block_size)


def _decide_inter(k, t, mi_row, mi_col, block_size, c):
    """Leave the block of an inter frame in row c of t.choice."""
    load_ref_counts(t, mi_row, mi_col)
    for i in range(MAX_CANDIDATES):
        t.choice[FIRST_CANDIDATE + i * CHOICE_WORDS + COST] = NO_COST
    _rank_planned(k, t, mi_row, mi_col, block_size)
    copy_choice(t, c, int64(FIRST_CANDIDATE))
    t.choice[c + TX_SIZE] = max_tx_size(block_size)
    t.choice[c + TX_TYPE] = DCT_DCT
    t.choice[c + HAS_COEFS] = 1
    t.choice[c + SKIP_MODE] = 0
    n = 4 * block_4x4s(block_size)
    if block_size <= BLOCK_32X32 and t.choice[c + COST] >= satd_cost(t, (n * n * t.ac_q) >> t.intra_shift, int64(0)):
        _against_intra(k, t, mi_row, mi_col, block_size, c)


def _rank_planned(k, t, mi_row, mi_col, block_size):
    base_rate = is_inter_rate(t, mi_row, mi_col, 1) + skip_mode_rate(t, mi_row, mi_col, block_size, 0)
    node = node_at(block_size // 3, z_of((mi_row & 15) >> 1, (mi_col & 15) >> 1))
    n = 4 * block_4x4s(block_size)
    first = int64(0)
    for i in range(1, len(t.search_refs)):
        if t.plan[plan_at(int64(i), node) + PLAN_COST] < t.plan[plan_at(first, node) + PLAN_COST]:
            first = int64(i)
    first_cost = rank_single(k, t, mi_row, mi_col, block_size, first, base_rate, int64(NO_COST))
    nothing_left = satd_cost(t, (n * n * t.ac_q) >> t.enough_shift, int64(0))
    if first_cost < nothing_left:
        return
    best = t.plan[plan_at(first, node) + PLAN_COST]
    for i in range(len(t.search_refs)):
        if i == first or t.plan[plan_at(int64(i), node) + PLAN_COST] > best + (best * t.hopeless >> 3):
            continue
        rank_single(k, t, mi_row, mi_col, block_size, int64(i), base_rate, first_cost)
        if t.reference_select:
            ref_0, ref_1 = t.search_refs[min(first, int64(i))], t.search_refs[max(first, int64(i))]
            if not is_codable_pair(ref_0, ref_1):
                ref_0, ref_1 = ref_1, ref_0
            if is_codable_pair(ref_0, ref_1):
                rank_pair(k, t, mi_row, mi_col, block_size, ref_0, ref_1, base_rate)
    if t.fitted_vectors:
        search_best_vector(k, t, mi_row, mi_col, block_size)
    rank_filters(k, t, mi_row, mi_col, block_size)


def _against_intra(k, t, mi_row, mi_col, block_size, c):
    """Take intra prediction where it is better."""
    rate = is_inter_rate(t, mi_row, mi_col, 0) + skip_mode_rate(t, mi_row, mi_col, block_size, 0)
    mode, cost = rank_common_modes(k, t, mi_row, mi_col, block_size)
    if cost + satd_cost(t, int64(0), rate) >= t.choice[c + COST]:
        return
    _take_intra(t, c, mode, int64(0), t.choice[c + TX_SIZE])


def _take_intra(t, c, mode, delta, tx_size):
    """An intra mode for luma and chroma into row c of t.choice."""
    begin_intra_choice(t, c)
    t.choice[c + Y_MODE] = mode
    t.choice[c + ANGLE_Y] = delta
    t.choice[c + UV_MODE] = mode
    t.choice[c + ANGLE_UV] = delta
    t.choice[c + ALPHA_U] = 0
    t.choice[c + ALPHA_V] = 0
    t.choice[c + TX_SIZE] = tx_size
    t.choice[c + TX_TYPE] = implied_tx_type(t, mode, tx_size)
    t.choice[c + HAS_COEFS] = 1
