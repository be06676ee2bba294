"""Decisions drawn at random from what is legal: the walk of the stress mode (encoder --stress SEED).

Nothing here looks at the source; the reconstruction must still be what every decoder makes of the stream. The generator is a
64-bit linear congruential one in t.draw[0], of which the upper bits are used, so that all kernel sets draw alike.
"""

from numpy import int64

from encoder.intmath import msb
from encoder.spec import (
    BLOCK_8X8,
    DCT_DCT,
    EIGHTTAP,
    IDTX,
    INTRA_FRAME,
    INTRA_MODES,
    LAST_FRAME,
    MAX_ANGLE_DELTA,
    NEAREST_NEARESTMV,
    NEARESTMV,
    NEWMV,
    NONE,
    REFS_PER_FRAME,
    SWITCHABLE,
    TX_64X64,
    TX_SET_DCTONLY,
    UV_CFL_PRED,
)
from encoder.tile.blocks import block_4x4s, info_at, z_unit_col, z_unit_row
from encoder.tile.coefs import coded_size, scan_at
from encoder.tile.inter_modes import is_codable_pair, needs_interp_filter
from encoder.tile.modes import cfl_allowed, has_angle_delta, max_tx_size, tx_set, tx_type_symbol
from encoder.tile.mv_stack import find_mv_stack, first_ref_mv_idx, last_ref_mv_idx, mode_of_list, pred_mv

MV_BITS, MAX_MV = 14, (1 << 14) - 2
"""Motion vectors are less than 2**14 in 1/8 samples (spec 6.10.25), and even where the frame has no high precision."""
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
    """Everything about one block that its mode info, transform sizes and types say, into the block info."""
    if t.frame_is_intra or draw(t, 4) == 0:
        _draw_intra_block(t, mi_row, mi_col, block_size)
    else:
        _draw_inter_block(t, mi_row, mi_col, block_size)


def _draw_intra_block(t, mi_row, mi_col, block_size):
    """Modes, angles, CfL."""
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
        at = info_at(t, mi_row + row, mi_col)
        for i in range(at, at + size4):
            t.block_size[i] = block_size
            t.is_inter[i] = 0
            t.skip_mode[i] = 0
            t.ref_frame_0[i] = INTRA_FRAME
            t.ref_frame_1[i] = NONE
            t.y_mode[i] = y_mode
            t.uv_mode[i] = uv_mode
            t.angle_y[i] = angle_y
            t.angle_uv[i] = angle_uv
            t.cfl_alpha_u[i] = alpha_u
            t.cfl_alpha_v[i] = alpha_v
            t.tx_size[i] = tx_size
            t.tx_type[i] = _draw_tx_type(t, tx_size, 0)


def _draw_inter_block(t, mi_row, mi_col, block_size):
    """References, mode, motion vectors, filter."""
    skip_mode = int64(1 if t.skip_mode_present and block_size >= BLOCK_8X8 and draw(t, 5) == 0 else 0)
    ref_0, ref_1 = LAST_FRAME + draw(t, REFS_PER_FRAME), int64(NONE)
    mode, ref_mv_idx = int64(NEAREST_NEARESTMV), int64(0)
    if skip_mode:
        ref_0, ref_1 = int64(t.skip_mode_frame_0), int64(t.skip_mode_frame_1)
    elif t.reference_select and block_size >= BLOCK_8X8 and draw(t, 2):
        ref_1 = LAST_FRAME + draw(t, REFS_PER_FRAME)
        while not is_codable_pair(ref_0, ref_1):
            ref_0, ref_1 = LAST_FRAME + draw(t, REFS_PER_FRAME), LAST_FRAME + draw(t, REFS_PER_FRAME)
    find_mv_stack(t, int64(0), mi_row, mi_col, block_size, ref_0, ref_1)
    if not skip_mode:
        mode = NEAREST_NEARESTMV + draw(t, 8) if ref_1 > INTRA_FRAME else NEARESTMV + draw(t, 4)
        first = first_ref_mv_idx(mode)
        ref_mv_idx = first + draw(t, last_ref_mv_idx(t, int64(0), mode) - first + 1)
    interp_filter = int64(t.interpolation_filter)
    if interp_filter == SWITCHABLE:
        interp_filter = draw(t, 3) if needs_interp_filter(mode, block_size, skip_mode) else int64(EIGHTTAP)
    row_0, col_0 = _draw_mv(t, mode, ref_mv_idx, 0)
    row_1 = col_1 = int64(0)
    if ref_1 > INTRA_FRAME:
        row_1, col_1 = _draw_mv(t, mode, ref_mv_idx, 1)
    size4 = block_4x4s(block_size)
    for row in range(size4):
        at = info_at(t, mi_row + row, mi_col)
        for i in range(at, at + size4):
            t.block_size[i] = block_size
            t.is_inter[i] = 1
            t.skip_mode[i] = skip_mode
            t.ref_frame_0[i] = ref_0
            t.ref_frame_1[i] = ref_1
            t.y_mode[i] = mode
            t.ref_mv_idx[i] = ref_mv_idx
            t.interp_filter[i] = interp_filter
            t.mv_row_0[i] = row_0
            t.mv_col_0[i] = col_0
            t.mv_row_1[i] = row_1
            t.mv_col_1[i] = col_1
    _draw_tx_tree(t, mi_row, mi_col, block_size)


def _draw_mv(t, mode, ref_mv_idx, ref_list):
    """The vector that the mode gives; for a new one anything valid, from a little beside the prediction to far outside."""
    row, col = pred_mv(t, int64(0), mode, ref_mv_idx, ref_list)
    if mode_of_list(mode, ref_list) == NEWMV:
        reach = int64(1) << draw(t, MV_BITS + 1)
        row, col = _draw_near(t, row, reach), _draw_near(t, col, reach)
    return row, col


def _draw_near(t, value, reach):
    """A component at most `reach` away, of the frame's precision."""
    difference = draw(t, 2 * reach) - reach
    if not t.allow_high_precision_mv:
        difference &= ~int64(1)
    return max(min(value + difference, MAX_MV), -MAX_MV)


def _draw_tx_tree(t, mi_row, mi_col, block_size):
    """Transform sizes of an inter block: the largest, its quarters, some of these split again (spec 5.11.17)."""
    largest = max_tx_size(block_size)
    size4 = block_4x4s(block_size)
    is_split = t.tx_mode_select and largest > 0 and draw(t, 2)
    unit, units = int64(0), size4 * size4
    tx_size = largest
    while unit < units:
        if is_split and unit & (max(units >> 2, int64(1)) - 1) == 0:
            tx_size = max(largest - 1 - draw(t, 2), int64(0))
        tx_type = _draw_tx_type(t, tx_size, 1)
        side = int64(1) << tx_size
        for row in range(side):
            at = info_at(t, mi_row + z_unit_row(unit) + row, mi_col + z_unit_col(unit))
            for i in range(at, at + side):
                t.tx_size[i] = tx_size
                t.tx_type[i] = tx_type
        unit += side * side


def _draw_alpha(t):
    return draw(t, 33) - 16 if draw(t, 3) else int64(0)


def _draw_tx_type(t, tx_size, is_inter):
    chosen_set = tx_set(t, tx_size, is_inter)
    if chosen_set == TX_SET_DCTONLY:
        return int64(DCT_DCT)
    tx_type = draw(t, 16)
    while tx_type_symbol(chosen_set, tx_type, is_inter) < 0:
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
