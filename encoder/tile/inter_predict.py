"""Inter prediction of blocks from reference pictures (spec 5.11.33, 7.11.3): no scaling, no warp, average compound."""

from numpy import int64

from encoder.picture import REF_BORDER
from encoder.spec import BILINEAR, EIGHTTAP_SMOOTH, INTRA_FRAME
from encoder.tile.blocks import block_4x4s, has_chroma, info_at

TAPS_BEHIND = 4
"""Samples that a filter reads behind the block; it reads one less before it."""


def filter_row(interp_filter, size):
    """Row of Subpel_Filters for a block of this width (or height): short ones have filters of 4 taps (spec 7.11.3.4)."""
    if size > 4 or interp_filter == BILINEAR:
        return int64(interp_filter)
    return int64(5 if interp_filter == EIGHTTAP_SMOOTH else 4)


def _reach(start, size, plane_size):
    """Clamp where a block begins in the reference: beyond, it would read the same repeated edge, and leave the border."""
    return max(min(start, plane_size - 1 + TAPS_BEHIND), -(size + TAPS_BEHIND + 1))


def _position(t, plane, x, y, w, h, ref, mv_row, mv_col):
    """Index in t.refs of the whole-sample position that a motion vector points to (spec 7.11.3.3)."""
    sub = 1 if plane > 0 else 0
    column = _reach(x + (mv_col >> (3 + sub)), w, (t.width + sub) >> sub)
    row = _reach(y + (mv_row >> (3 + sub)), h, (t.height + sub) >> sub)
    return t.ref_at[ref] + t.origin[plane] + row * t.stride[plane] + column


def _fraction(plane, mv_component):
    """Sixteenths of a sample of the plane."""
    return mv_component & 15 if plane > 0 else (mv_component * 2) & 15


def put_prediction(k, t, dst, dst_at, dst_stride, plane, x, y, w, h, ref, mv_row, mv_col, interp_filter):
    """Predict the w x h samples at (x, y) of a plane from one reference into dst."""
    at = _position(t, plane, x, y, w, h, ref, mv_row, mv_col)
    k.mc_put(
        dst, dst_at, dst_stride, t.refs, at, t.stride[plane], w, h,
        filter_row(interp_filter, w), filter_row(interp_filter, h), _fraction(plane, mv_col), _fraction(plane, mv_row),
    )  # fmt: skip


def prepare_prediction(k, t, out, plane, x, y, w, h, ref, mv_row, mv_col, interp_filter):
    """The same for one half of a compound prediction: unclipped, with 4 more bits, packed into out."""
    at = _position(t, plane, x, y, w, h, ref, mv_row, mv_col)
    k.mc_prep(
        out, t.refs, at, t.stride[plane], w, h,
        filter_row(interp_filter, w), filter_row(interp_filter, h), _fraction(plane, mv_col), _fraction(plane, mv_row),
    )  # fmt: skip


def predict_inter(k, t, dst, dst_at, dst_stride, plane, x, y, w, h, info):
    """Predict w x h samples at (x, y) of a plane into dst with the motion that stands at `info` in the block info."""
    ref_0, ref_1 = int64(t.ref_frame_0[info]), int64(t.ref_frame_1[info])
    row, col, interp_filter = int64(t.mv_row_0[info]), int64(t.mv_col_0[info]), int64(t.interp_filter[info])
    if ref_1 <= INTRA_FRAME:
        put_prediction(k, t, dst, dst_at, dst_stride, plane, x, y, w, h, ref_0, row, col, interp_filter)
        return
    prepare_prediction(k, t, t.compound_0, plane, x, y, w, h, ref_0, row, col, interp_filter)
    row, col = int64(t.mv_row_1[info]), int64(t.mv_col_1[info])
    prepare_prediction(k, t, t.compound_1, plane, x, y, w, h, ref_1, row, col, interp_filter)
    k.average(dst, dst_at, dst_stride, t.compound_0, t.compound_1, w, h)


def predict_inter_block(k, t, mi_row, mi_col, block_size):
    """Predict all planes of a block into t.rec (compute_prediction of spec 5.11.33)."""
    info = info_at(t, mi_row, mi_col)
    size = 4 * block_4x4s(block_size)
    at = t.origin[0] + mi_row * 4 * t.stride[0] + mi_col * 4
    predict_inter(k, t, t.rec, at, t.stride[0], int64(0), mi_col * 4, mi_row * 4, size, size, info)
    if has_chroma(mi_row, mi_col, block_size):
        for plane in range(1, 3):
            predict_inter_chroma(k, t, t.rec, plane, mi_row, mi_col, block_size)


def predict_inter_chroma(k, t, dst, plane, mi_row, mi_col, block_size):
    """Predict one chroma plane of a block into dst, laid out as t.rec.

    The chroma of four 4x4 blocks is predicted in four parts, each with its own block's motion, unless one of them is intra.
    """
    x, y = (mi_col >> 1) * 4, (mi_row >> 1) * 4
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    if block_size > 0:
        size = 2 * block_4x4s(block_size)
        predict_inter(k, t, dst, at, stride, plane, x, y, size, size, info_at(t, mi_row, mi_col))
        return
    first = info_at(t, mi_row - 1, mi_col - 1)
    some_intra = False
    for i in range(4):
        some_intra |= t.ref_frame_0[first + (i >> 1) * t.mi_stride + (i & 1)] == INTRA_FRAME
    if some_intra:
        predict_inter(k, t, dst, at, stride, plane, x, y, int64(4), int64(4), info_at(t, mi_row, mi_col))
        return
    for i in range(4):
        row, col = i >> 1, i & 1
        info = first + row * t.mi_stride + col
        part_at = at + 2 * row * stride + 2 * col
        predict_inter(k, t, dst, part_at, stride, plane, x + 2 * col, y + 2 * row, int64(2), int64(2), info)


assert TAPS_BEHIND + 64 + TAPS_BEHIND <= REF_BORDER
