"""One block: reconstruct it as decided, then write it (spec 5.11.5, 5.11.34, 5.11.35).

The decisions stand in the block info. Reconstruction comes first, because `skip` is coded before the coefficients.
"""

from numpy import int64

from encoder.probe import ENTROPY, RECONSTRUCTION
from encoder.spec import DC_PRED, DCT_DCT, INTRA_FRAME, NEWMV, TX_32X32, UV_CFL_PRED
from encoder.tile.blocks import (
    block_4x4s,
    fill_block,
    has_chroma,
    info_at,
    is_inside,
    mark_decoded,
    z_unit_col,
    z_unit_row,
)
from encoder.tile.coefs import (
    all_zero_context,
    coded_size,
    dc_sign_context,
    scan_at,
    set_coef_contexts,
    txb_skip_cdf,
    write_coefs,
)
from encoder.tile.inter_modes import (
    inter_chroma_tx_type,
    load_ref_counts,
    write_block_tx_size,
    write_inter_mode,
    write_interp_filter,
    write_is_inter,
    write_mv,
    write_ref_frames,
    write_skip_mode,
)
from encoder.tile.inter_predict import predict_inter_block
from encoder.tile.modes import (
    implied_tx_type,
    max_tx_size,
    skip_cdf,
    write_cdef,
    write_intra_modes,
    write_tx_type,
)
from encoder.tile.mv_stack import find_mv_stack, last_ref_mv_idx, mode_of_list, pred_mv
from encoder.tile.predict import predict, read_edges, smooth_neighbour
from encoder.tile.rdoq import optimize_levels
from encoder.tile.spans import begin_span, end_span
from encoder.tile.stress import draw_levels
from encoder.tile.symbol import (
    CLASS_COEFFICIENTS_UV,
    CLASS_COEFFICIENTS_Y,
    CLASS_INTRA,
    CLASS_MODE,
    CLASS_MOTION,
    CLASS_REFERENCE,
    CLASS_TRANSFORM,
    syntax_class,
    write_bool,
)

DC_ROUND, AC_ROUND = 98, 110
"""Dead zone, in 1/256 of a quantizer step."""
PLANE_LEVELS = 4096
"""Where in t.levels and t.eobs the chroma planes begin: luma has 4096 samples, each chroma plane 1024."""
OTHER_UNIT = 64
"""Where other_levels begins, in 4x4 units: behind the largest transform block that a search codes."""


def quantizer_shift(tx_size):
    """log2 of dqDenom (spec 7.12.3): large transforms have coefficients of smaller scale."""
    return max(int64(0), tx_size - TX_32X32 + 1)


def plane_tx_size(block_size, tx_size, plane):
    """Transform size in a plane: luma's own, chroma's as large as the block up to 32x32 (get_tx_size, spec 5.11.37)."""
    if plane == 0:
        return tx_size
    return min(max(max_tx_size(block_size) - 1, int64(0)), int64(TX_32X32))


def other_levels(t, tx_size):
    """Room for the levels of a luma transform block up to 32x32 beside those that are best so far: a part of t.levels that only
    the coding of whole blocks uses."""
    return plane_levels(t, 0, int64(OTHER_UNIT), tx_size)


def plane_levels(t, plane, unit, tx_size):
    """The part of t.levels for the transform block of a plane that begins after `unit` 4x4 units in coding order."""
    at = unit * 16
    if plane > 0:
        at += PLANE_LEVELS + (plane - 1) * 1024
    return t.levels[at : at + coded_size(tx_size) ** 2]


def transform_and_quantize(k, t, plane, at, stride, tx_size, tx_type, levels):
    """Residual of source and prediction (in t.rec) to levels; gives eob and rate as quantize_coefs."""
    n = int64(4) << tx_size
    k.residual(t.src, at, stride, t.rec, at, stride, t.residual, n, n)
    k.forward_transform(t.residual, t.coefs, tx_size, tx_type)
    return quantize_coefs(k, t, plane, tx_size, tx_type, levels)


def quantize_coefs(k, t, plane, tx_size, tx_type, levels):
    """t.coefs to levels; gives eob and the rate of the levels (rdoq.optimize_levels)."""
    count, shift = coded_size(tx_size) ** 2, quantizer_shift(tx_size)
    scan = scan_at(tx_size, tx_type)
    eob = k.quantize(t.coefs, levels, t.scans, scan, count, t.dc_q, t.ac_q, shift, DC_ROUND, AC_ROUND)
    if eob == 0:
        return eob, int64(0)
    return optimize_levels(t, plane, tx_size, tx_type, t.coefs, levels, eob)


def add_residual(k, t, at, stride, tx_size, tx_type, levels, eob):
    """Dequantize, transform back, add to the prediction in t.rec (spec 7.12.3)."""
    if eob > 0:
        k.dequantize(levels, t.dequantized, coded_size(tx_size) ** 2, t.dc_q, t.ac_q, quantizer_shift(tx_size))
        k.inverse_transform_add(t.dequantized, t.rec, at, stride, tx_size, tx_type, eob)


def predict_in_place(k, t, plane, x, y, n, mode, angle_delta, have_above, have_left, filter_type):
    """Predict a transform block straight into t.rec."""
    read_edges(t, t.rec, plane, x, y, n, have_above, have_left)
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    predict(k, t, t.rec, at, stride, plane, x, y, n, mode, angle_delta, have_above, have_left, filter_type)


def add_cfl(k, t, plane, x, y, n, luma_end_x, luma_end_y, alpha):
    """Add luma's variation to the DC prediction of a chroma block (spec 7.11.5). luma_end_*: MaxLumaW, MaxLumaH."""
    load_cfl_ac(k, t, t.rec, x, y, n, luma_end_x, luma_end_y)
    stride = t.stride[plane]
    k.cfl_predict(t.rec, t.origin[plane] + y * stride + x, stride, n, n, t.cfl_ac, alpha)


def load_cfl_ac(k, t, samples, x, y, n, luma_end_x, luma_end_y):
    """t.cfl_ac from the luma of `samples`, t.rec or t.src, under the n x n chroma block at chroma sample (x, y)."""
    luma_at = t.origin[0] + 2 * y * t.stride[0] + 2 * x
    visible_w, visible_h = (luma_end_x >> 1) - x, (luma_end_y >> 1) - y
    k.cfl_ac(samples, luma_at, t.stride[0], t.cfl_ac, n, n, visible_w, visible_h)


def luma_end(first_mi, block_4x4, tx_4x4, mi_end):
    """MaxLumaW or MaxLumaH: where the last transform block that starts inside the frame ends, in samples."""
    last = min(first_mi + block_4x4, mi_end) - 1
    return (first_mi + (last - first_mi) // tx_4x4 * tx_4x4 + tx_4x4) * 4


def reconstruct_block(k, t, mi_row, mi_col, block_size, quantize):
    """Predict, transform and reconstruct all planes; levels and eobs stay in t. Gives whether any coefficient is left.

    quantize  0: no residual (skip drawn), 1: from the source, 2: levels drawn at random
    """
    any_coefs = False
    is_inter = t.is_inter[info_at(t, mi_row, mi_col)]
    planes = 3 if has_chroma(mi_row, mi_col, block_size) else 1
    if is_inter:
        predict_inter_block(k, t, mi_row, mi_col, block_size)
    for plane in range(planes):
        if is_inter:
            any_coefs |= _reconstruct_inter_plane(k, t, plane, mi_row, mi_col, block_size, quantize)
        else:
            any_coefs |= _reconstruct_intra_plane(k, t, plane, mi_row, mi_col, block_size, quantize)
    return any_coefs


def _code_transform_block(k, t, plane, unit, x, y, tx_size, tx_type, quantize):
    """Residual of one transform block whose prediction stands in t.rec; gives its eob, kept in t.eobs."""
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    eob = int64(0)
    if quantize > 0:
        levels = plane_levels(t, plane, unit, tx_size)
        if quantize == 1:
            eob, _ = transform_and_quantize(k, t, plane, at, stride, tx_size, tx_type, levels)
        else:
            eob = draw_levels(t, levels, tx_size, tx_type, quantizer_shift(tx_size))
        add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
    t.eobs[plane * 256 + unit] = eob
    sub = 1 if plane > 0 else 0
    mark_decoded(t, plane, (y >> 2) & (15 >> sub), (x >> 2) & (15 >> sub), int64(1) << tx_size, 1)
    return eob


def _reconstruct_inter_plane(k, t, plane, mi_row, mi_col, block_size, quantize):
    """The residual of one plane of an inter block: luma transform blocks along the Z curve, as their tree is coded."""
    if plane > 0:
        info = info_at(t, mi_row, mi_col)
        tx_size = plane_tx_size(block_size, int64(0), plane)
        tx_type = inter_chroma_tx_type(t, int64(t.tx_type[info]), tx_size)
        x, y = (mi_col >> 1) * 4, (mi_row >> 1) * 4
        return _code_transform_block(k, t, plane, int64(0), x, y, tx_size, tx_type, quantize) > 0
    any_coefs = False
    unit, units = int64(0), block_4x4s(block_size) ** 2
    while unit < units:
        row, col = mi_row + z_unit_row(unit), mi_col + z_unit_col(unit)
        info = info_at(t, row, col)
        tx_size = int64(t.tx_size[info])
        if row < t.mi_rows and col < t.mi_cols:
            tx_type = int64(t.tx_type[info])
            eob = _code_transform_block(k, t, plane, unit, col * 4, row * 4, tx_size, tx_type, quantize)
            if eob == 0:
                t.tx_type[info] = DCT_DCT  # what chroma goes by (spec 5.11.39)
            any_coefs |= eob > 0
        unit += int64(1) << (2 * tx_size)
    return any_coefs


def _reconstruct_intra_plane(k, t, plane, mi_row, mi_col, block_size, quantize):
    sub = 1 if plane > 0 else 0
    small = block_size == 0
    info = info_at(t, mi_row, mi_col)
    tx_size = plane_tx_size(block_size, int64(t.tx_size[info]), plane)
    n = int64(4) << tx_size
    step = n >> 2
    size4 = max(block_4x4s(block_size) >> sub, int64(1))
    x0, y0 = (mi_col >> sub) * 4, (mi_row >> sub) * 4
    reach = 2 if small and plane > 0 else 1
    block_above, block_left = is_inside(t, mi_row - reach, mi_col), is_inside(t, mi_row, mi_col - reach)
    mode, angle_delta = int64(t.y_mode[info]), int64(t.angle_y[info])
    if plane > 0:
        mode, angle_delta = int64(t.uv_mode[info]), int64(t.angle_uv[info])
    prediction_mode = DC_PRED if mode == UV_CFL_PRED else mode
    filter_type = smooth_neighbour(t, mi_row, mi_col, plane, small)
    any_coefs = False
    unit = int64(0)
    for y4 in range(0, size4, step):
        for x4 in range(0, size4, step):
            x, y = x0 + x4 * 4, y0 + y4 * 4
            if x >= (t.mi_cols * 4) >> sub or y >= (t.mi_rows * 4) >> sub:
                continue
            have_above, have_left = block_above or y4 > 0, block_left or x4 > 0
            predict_in_place(k, t, plane, x, y, n, prediction_mode, angle_delta, have_above, have_left, filter_type)
            if mode == UV_CFL_PRED:
                _add_block_cfl(k, t, plane, mi_row, mi_col, block_size, x, y, n)
            tx_type = implied_tx_type(t, mode, tx_size)
            if plane == 0:
                tx_type = int64(t.tx_type[info_at(t, y >> 2, x >> 2)])
            any_coefs |= _code_transform_block(k, t, plane, unit, x, y, tx_size, tx_type, quantize) > 0
            unit += step * step
    return any_coefs


def _add_block_cfl(k, t, plane, mi_row, mi_col, block_size, x, y, n):
    """Chroma from luma as the block info says; for 4x4 blocks from the luma of all four."""
    info = info_at(t, mi_row, mi_col)
    first_row, first_col, luma_4x4, tx_4x4 = mi_row, mi_col, block_4x4s(block_size), int64(1) << int64(t.tx_size[info])
    if block_size == 0:
        first_row, first_col, luma_4x4, tx_4x4 = mi_row - 1, mi_col - 1, int64(2), int64(1)
    end_x = luma_end(first_col, luma_4x4, tx_4x4, t.mi_cols)
    end_y = luma_end(first_row, luma_4x4, tx_4x4, t.mi_rows)
    alpha = int64(t.cfl_alpha_u[info]) if plane == 1 else int64(t.cfl_alpha_v[info])
    add_cfl(k, t, plane, x, y, n, end_x, end_y, alpha)


def write_block(t, mi_row, mi_col, block_size, skip, cdef_choice):
    """Mode info, transform size and coefficients of a reconstructed block."""
    with_chroma = has_chroma(mi_row, mi_col, block_size)
    if t.frame_is_intra:
        _write_intra_frame_mode_info(t, mi_row, mi_col, block_size, skip, with_chroma, cdef_choice)
    else:
        _write_inter_frame_mode_info(t, mi_row, mi_col, block_size, skip, with_chroma, cdef_choice)
    syntax_class(t, CLASS_TRANSFORM)
    write_block_tx_size(t, mi_row, mi_col, block_size, skip)
    for plane in range(3 if with_chroma else 1):
        _write_plane(t, plane, mi_row, mi_col, block_size, skip)
    fill_block(t, t.skip, info_at(t, mi_row, mi_col), block_size, skip)


def _write_intra_frame_mode_info(t, mi_row, mi_col, block_size, skip, with_chroma, cdef_choice):
    """Spec 5.11.7."""
    syntax_class(t, CLASS_MODE)
    write_bool(t, skip_cdf(t, mi_row, mi_col), skip)
    write_cdef(t, mi_row, mi_col, skip, cdef_choice)
    syntax_class(t, CLASS_INTRA)
    write_intra_modes(t, mi_row, mi_col, block_size, with_chroma)


def _write_inter_frame_mode_info(t, mi_row, mi_col, block_size, skip, with_chroma, cdef_choice):
    """Spec 5.11.18."""
    info = info_at(t, mi_row, mi_col)
    skip_mode, is_inter = int64(t.skip_mode[info]), int64(t.is_inter[info])
    load_ref_counts(t, mi_row, mi_col)
    syntax_class(t, CLASS_MODE)
    write_skip_mode(t, mi_row, mi_col, block_size, skip_mode)
    if not skip_mode:
        write_bool(t, skip_cdf(t, mi_row, mi_col), skip)
    write_cdef(t, mi_row, mi_col, skip, cdef_choice)
    if not skip_mode:
        write_is_inter(t, mi_row, mi_col, is_inter)
    if is_inter:
        _write_inter_block_mode_info(t, mi_row, mi_col, block_size, skip_mode)
    else:
        syntax_class(t, CLASS_INTRA)
        write_intra_modes(t, mi_row, mi_col, block_size, with_chroma)


def _write_inter_block_mode_info(t, mi_row, mi_col, block_size, skip_mode):
    """Spec 5.11.23; the motion vector stack of the block's references lies in row 0 of t.mv_stack."""
    if skip_mode:
        return
    info = info_at(t, mi_row, mi_col)
    ref_0, ref_1 = int64(t.ref_frame_0[info]), int64(t.ref_frame_1[info])
    mode, ref_mv_idx = int64(t.y_mode[info]), int64(t.ref_mv_idx[info])
    syntax_class(t, CLASS_REFERENCE)
    write_ref_frames(t, mi_row, mi_col, block_size, ref_0, ref_1)
    syntax_class(t, CLASS_MODE)
    write_inter_mode(t, int64(0), mode, ref_mv_idx, ref_1 > INTRA_FRAME)
    syntax_class(t, CLASS_MOTION)
    if mode_of_list(mode, 0) == NEWMV:
        row, col = pred_mv(t, int64(0), mode, ref_mv_idx, 0)
        write_mv(t, int64(t.mv_row_0[info]) - row, int64(t.mv_col_0[info]) - col)
    if ref_1 > INTRA_FRAME and mode_of_list(mode, 1) == NEWMV:
        row, col = pred_mv(t, int64(0), mode, ref_mv_idx, 1)
        write_mv(t, int64(t.mv_row_1[info]) - row, int64(t.mv_col_1[info]) - col)
    syntax_class(t, CLASS_MODE)
    write_interp_filter(t, mi_row, mi_col, block_size)


def _write_plane(t, plane, mi_row, mi_col, block_size, skip):
    sub = 1 if plane > 0 else 0
    info = info_at(t, mi_row, mi_col)
    size4 = max(block_4x4s(block_size) >> sub, int64(1))
    x0, y0 = mi_col >> sub, mi_row >> sub
    if skip:
        set_coef_contexts(t, plane, x0, y0, size4, t.levels, 0)
        return
    along_z = plane == 0 and t.is_inter[info]
    tx_size = plane_tx_size(block_size, int64(t.tx_size[info]), plane)
    columns = size4 >> tx_size
    unit, units = int64(0), size4 * size4
    index = int64(0)
    while index < units:
        if along_z:
            x4, y4 = x0 + z_unit_col(index), y0 + z_unit_row(index)
            tx_size = int64(t.tx_size[info_at(t, y4, x4)])
            unit = index
        else:
            number = index >> (2 * tx_size)
            x4, y4 = x0 + (number % columns << tx_size), y0 + (number // columns << tx_size)
        index += int64(1) << (2 * tx_size)
        if x4 >= t.mi_cols >> sub or y4 >= t.mi_rows >> sub:
            continue
        _write_transform_block(t, plane, unit, x4, y4, info, tx_size, size4)
        unit += int64(1) << (2 * tx_size)


def _write_transform_block(t, plane, unit, x4, y4, info, tx_size, block_size4):
    """all_zero, the transform type and the coefficients of one transform block; `info`: where its block begins."""
    step = int64(1) << tx_size
    eob = t.eobs[plane * 256 + unit]
    levels = plane_levels(t, plane, unit, tx_size)
    syntax_class(t, CLASS_COEFFICIENTS_UV if plane > 0 else CLASS_COEFFICIENTS_Y)
    write_bool(t, txb_skip_cdf(tx_size, all_zero_context(t, plane, x4, y4, step, block_size4)), 1 if eob == 0 else 0)
    if eob == 0:
        set_coef_contexts(t, plane, x4, y4, step, levels, 0)
        return
    is_inter = int64(t.is_inter[info])
    if plane == 0:
        tx_type = int64(t.tx_type[info_at(t, y4, x4)])
        syntax_class(t, CLASS_TRANSFORM)
        write_tx_type(t, tx_size, tx_type, int64(t.y_mode[info]), is_inter)
        syntax_class(t, CLASS_COEFFICIENTS_Y)
    elif is_inter:
        tx_type = inter_chroma_tx_type(t, int64(t.tx_type[info]), tx_size)
    else:
        tx_type = implied_tx_type(t, int64(t.uv_mode[info]), tx_size)
    write_coefs(t, plane, tx_size, tx_type, levels, eob, dc_sign_context(t, plane, x4, y4, step))
    set_coef_contexts(t, plane, x4, y4, step, levels, len(levels))


def code_block(k, t, mi_row, mi_col, block_size, quantize, cdef_choice):
    """Reconstruct and write one block; a block without coefficients becomes a skipped one."""
    began = begin_span(t)
    info = info_at(t, mi_row, mi_col)
    if t.is_inter[info]:
        ref_0, ref_1 = int64(t.ref_frame_0[info]), int64(t.ref_frame_1[info])
        find_mv_stack(t, int64(0), mi_row, mi_col, block_size, ref_0, ref_1)
        _assign_mv(t, mi_row, mi_col, block_size)
    any_coefs = False
    if t.skip_mode[info]:
        reconstruct_block(k, t, mi_row, mi_col, block_size, int64(0))
    else:
        any_coefs = reconstruct_block(k, t, mi_row, mi_col, block_size, quantize)
    if t.is_inter[info] and not any_coefs:
        set_tx_size(t, mi_row, mi_col, block_size, max_tx_size(block_size))
    reconstructed = end_span(t, RECONSTRUCTION, began, mi_row, mi_col, block_size)
    write_block(t, mi_row, mi_col, block_size, 0 if any_coefs else 1, cdef_choice)
    end_span(t, ENTROPY, reconstructed, mi_row, mi_col, block_size)


def _assign_mv(t, mi_row, mi_col, block_size):
    """Motion vectors that are not new ones come from the stack (assign_mv, spec 5.11.26), whatever the search saw there."""
    info = info_at(t, mi_row, mi_col)
    mode = int64(t.y_mode[info])
    ref_mv_idx = min(int64(t.ref_mv_idx[info]), last_ref_mv_idx(t, int64(0), mode))
    row_0, col_0 = int64(t.mv_row_0[info]), int64(t.mv_col_0[info])
    row_1, col_1 = int64(t.mv_row_1[info]), int64(t.mv_col_1[info])
    if mode_of_list(mode, 0) != NEWMV:
        row_0, col_0 = pred_mv(t, int64(0), mode, ref_mv_idx, 0)
    if t.ref_frame_1[info] > INTRA_FRAME and mode_of_list(mode, 1) != NEWMV:
        row_1, col_1 = pred_mv(t, int64(0), mode, ref_mv_idx, 1)
    fill_block(t, t.ref_mv_idx, info, block_size, ref_mv_idx)
    fill_block(t, t.mv_row_0, info, block_size, row_0)
    fill_block(t, t.mv_col_0, info, block_size, col_0)
    fill_block(t, t.mv_row_1, info, block_size, row_1)
    fill_block(t, t.mv_col_1, info, block_size, col_1)


def set_tx_size(t, mi_row, mi_col, block_size, tx_size):
    """One transform size for the whole block: a skipped inter block has the largest (spec 5.11.5)."""
    fill_block(t, t.tx_size, info_at(t, mi_row, mi_col), block_size, tx_size)
