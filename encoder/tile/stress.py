"""Decisions drawn at random from what is legal: the walk of the stress mode (encoder --stress SEED).

Nothing here looks at the source; the reconstruction must still be what every decoder makes of the stream. The generator is a
64-bit linear congruential one in t.draw[0], of which the upper bits are used, so that all kernel sets draw alike.
"""

from numpy import int64

from encoder.intmath import msb
from encoder.spec import (
    DCT_DCT,
    IDTX,
    INTRA_MODES,
    MAX_ANGLE_DELTA,
    TX_64X64,
    TX_SET_DCTONLY,
    UV_CFL_PRED,
)
from encoder.tile.blocks import block_4x4s, info_at
from encoder.tile.coefs import coded_size, scan_at
from encoder.tile.modes import cfl_allowed, has_angle_delta, max_tx_size, tx_set, tx_type_symbol

LARGEST_SUM = 1 << 14
"""Bound on the sum of dequantized magnitudes of a block: no transform stage can then leave 16 bits (spec 7.13.3)."""
LCG_MULTIPLIER, LCG_MASK = 1103515245, (1 << 31) - 1


def draw(t, n):
    """A number 0 .. n - 1, n at most 65536."""
    t.draw[0] = (t.draw[0] * LCG_MULTIPLIER + 12345) & LCG_MASK
    return ((t.draw[0] >> 15) * n) >> 16


def draw_block_size(t, block_size):
    """Whether a block of 8x8 or larger stays whole: more often the smaller it is."""
    return block_size if draw(t, 8) < 5 - block_size // 3 else block_size - 3


def draw_block(t, mi_row, mi_col, block_size):
    """Modes, angles, CfL, transform size and types of one block into the block info."""
    at = info_at(t, mi_row, mi_col)
    y_mode = draw(t, INTRA_MODES)
    uv_mode = draw(t, INTRA_MODES + (1 if cfl_allowed(block_size) else 0))
    angle_y = draw(t, 7) - MAX_ANGLE_DELTA if has_angle_delta(y_mode, block_size) else int64(0)
    angle_uv = draw(t, 7) - MAX_ANGLE_DELTA if has_angle_delta(uv_mode, block_size) else int64(0)
    alpha_u = alpha_v = int64(0)
    if uv_mode == UV_CFL_PRED:
        while alpha_u == 0 and alpha_v == 0:
            alpha_u, alpha_v = _draw_alpha(t), _draw_alpha(t)
    tx_size = max_tx_size(block_size)
    if t.tx_mode_select:
        tx_size = max(tx_size - draw(t, 3), int64(0))
    size4 = block_4x4s(block_size)
    for row in range(size4):
        for col in range(size4):
            i = at + row * t.mi_stride + col
            t.block_size[i] = block_size
            t.y_mode[i] = y_mode
            t.uv_mode[i] = uv_mode
            t.angle_y[i] = angle_y
            t.angle_uv[i] = angle_uv
            t.cfl_alpha_u[i] = alpha_u
            t.cfl_alpha_v[i] = alpha_v
            t.tx_size[i] = tx_size
            t.tx_type[i] = _draw_tx_type(t, tx_size)


def _draw_alpha(t):
    return draw(t, 33) - 16 if draw(t, 3) else int64(0)


def _draw_tx_type(t, tx_size):
    chosen_set = tx_set(t, tx_size)
    if chosen_set == TX_SET_DCTONLY:
        return int64(DCT_DCT)
    tx_type = draw(t, 16)
    while tx_type_symbol(chosen_set, tx_type) < 0:
        tx_type = draw(t, 16)
    return tx_type


def draw_levels(t, levels, tx_size, tx_type, shift):
    """Random levels of a transform block, some of them large enough for Golomb codes; gives eob."""
    count = coded_size(tx_size) ** 2
    for i in range(count):
        levels[i] = 0
    if draw(t, 4) == 0:
        return int64(0)
    eob = 1 + draw(t, 1 << draw(t, msb(count) + 1))
    budget = LARGEST_SUM if tx_type != IDTX else LARGEST_SUM >> 2
    magnitude_log2 = draw(t, 4) * draw(t, 5)
    last = int64(0)
    scan = scan_at(tx_size, tx_type)
    for c in range(eob):
        if draw(t, 3) == 0 and c < eob - 1:
            continue
        pos = int64(t.scans[scan + c])
        level = 1 + draw(t, int64(1) << draw(t, magnitude_log2 + 1))
        q = t.dc_q if pos == 0 else t.ac_q
        if tx_size == TX_64X64:
            level = min(level, int64(2000))
        size = (level * q) >> shift
        if size > budget:
            level = (budget << shift) // q
            size = (level * q) >> shift
        if level == 0:
            continue
        budget -= size
        levels[pos] = -level if draw(t, 2) else level
        last = c + 1
    return last
