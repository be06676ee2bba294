"""Intra prediction of one transform block: edges from the reconstruction, their filters, the kernel (spec 7.11.2, 7.11.5)."""

from numpy import int64

from encoder.kernels.table import EDGE_AT
from encoder.spec import (
    ANGLE_STEP,
    D67_PRED,
    DC_PRED,
    INTRA_FRAME,
    SMOOTH_H_PRED,
    SMOOTH_PRED,
    SMOOTH_V_PRED,
    V_PRED,
)
from encoder.tables import table
from encoder.tile.blocks import info_at, is_decoded, is_inside

MODE_TO_ANGLE = table("mode_to_angle")
BASE = 128


def is_directional(mode):
    """Modes with an angle (spec 5.11.44)."""
    return V_PRED <= mode <= D67_PRED


def read_edges(t, samples, plane, x, y, n, have_above, have_left):
    """Fill t.above and t.left, -1 .. 2n-1, for an n x n transform block at sample (x, y) of a plane (spec 7.11.2.1).

    samples   t.rec; t.src where nothing is reconstructed yet
    """
    sub = 1 if plane > 0 else 0
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    row, col = (y >> 2) & (15 >> sub), (x >> 2) & (15 >> sub)
    size = n >> 2
    if have_above:
        count = n
        if is_decoded(t, plane, row - 1, col + size):
            count = 2 * n
        count = min(count, ((t.mi_cols * 4) >> sub) - x)
        for i in range(count):
            t.above[EDGE_AT + i] = samples[at - stride + i]
        _fill(t.above, count, 2 * n, samples[at - stride + count - 1])
    elif have_left:
        _fill(t.above, 0, 2 * n, samples[at - 1])
    else:
        _fill(t.above, 0, 2 * n, BASE - 1)
    if have_left:
        count = n
        if is_decoded(t, plane, row + size, col - 1):
            count = 2 * n
        count = min(count, ((t.mi_rows * 4) >> sub) - y)
        for i in range(count):
            t.left[EDGE_AT + i] = samples[at + i * stride - 1]
        _fill(t.left, count, 2 * n, samples[at + (count - 1) * stride - 1])
    elif have_above:
        _fill(t.left, 0, 2 * n, samples[at - stride])
    else:
        _fill(t.left, 0, 2 * n, BASE + 1)
    corner = int64(BASE)
    if have_above and have_left:
        corner = int64(samples[at - stride - 1])
    elif have_above:
        corner = int64(samples[at - stride])
    elif have_left:
        corner = int64(samples[at - 1])
    t.above[EDGE_AT - 1] = corner
    t.left[EDGE_AT - 1] = corner


def _fill(edge, first, end, value):
    for i in range(first, end):
        edge[EDGE_AT + i] = value


def _is_smooth(t, mi_row, mi_col, plane):
    at = info_at(t, mi_row, mi_col)
    if plane > 0 and t.ref_frame_0[at] > INTRA_FRAME:
        return False  # an inter block has no chroma mode
    mode = t.y_mode[at] if plane == 0 else t.uv_mode[at]
    return SMOOTH_PRED <= mode <= SMOOTH_H_PRED


def smooth_neighbour(t, mi_row, mi_col, plane, small):
    """Whether the block above or left of the block at (mi_row, mi_col) is smooth (spec 7.11.2.8). small: a 4x4 luma block."""
    if plane == 0 or not small:
        above_row, above_col, left_row, left_col = mi_row - 1, mi_col, mi_row, mi_col - 1
        if plane > 0:
            above_col += 1
            left_row += 1
    else:
        # the 4x4 block with chroma lies at odd positions and its chroma covers the four
        above_row, above_col, left_row, left_col = mi_row - 2, mi_col, mi_row, mi_col - 2
    if is_inside(t, above_row, min(above_col, mi_col)) and _is_smooth(t, above_row, above_col, plane):
        return True
    return is_inside(t, min(left_row, mi_row), left_col) and _is_smooth(t, left_row, left_col, plane)


def edge_filter_strength(size_sum, filter_type, d):
    """Strength 0..3 for w + h, the smooth-neighbour flag and the angle's distance from the edge (spec 7.11.2.9)."""
    d = abs(d)
    if filter_type == 0:
        if size_sum <= 8:
            return 1 if d >= 56 else 0
        if size_sum <= 16:
            return 1 if d >= 40 else 0
        if size_sum <= 24:
            return 3 if d >= 32 else 2 if d >= 16 else 1 if d >= 8 else 0
        if size_sum <= 32:
            return 3 if d >= 32 else 2 if d >= 4 else 1
        return 3
    if size_sum <= 8:
        return 2 if d >= 64 else 1 if d >= 40 else 0
    if size_sum <= 16:
        return 2 if d >= 48 else 1 if d >= 20 else 0
    if size_sum <= 24:
        return 3 if d >= 4 else 0
    return 3


def use_upsample(size_sum, filter_type, d):
    """Whether an edge is upsampled (spec 7.11.2.10)."""
    d = abs(d)
    if d <= 0 or d >= 40:
        return 0
    return 1 if size_sum <= (8 if filter_type else 16) else 0


def _predict_directional(k, t, dst, dst_at, stride, plane, x, y, n, angle, have_above, have_left, filter_type):
    """Filter and upsample copies of the edges, then predict (spec 7.11.2.4)."""
    for i in range(EDGE_AT - 1, EDGE_AT + 2 * n):
        t.above_filtered[i] = t.above[i]
        t.left_filtered[i] = t.left[i]
    upsample_above = upsample_left = 0
    if angle != 90 and angle != 180:
        sub = 1 if plane > 0 else 0
        size_sum = 2 * n
        if 90 < angle < 180 and size_sum >= 24:
            corner = int64(t.left[EDGE_AT]) * 5 + int64(t.above[EDGE_AT - 1]) * 6 + int64(t.above[EDGE_AT]) * 5
            t.above_filtered[EDGE_AT - 1] = (corner + 8) >> 4
            t.left_filtered[EDGE_AT - 1] = (corner + 8) >> 4
        if have_above:
            strength = edge_filter_strength(size_sum, filter_type, angle - 90)
            count = min(n, ((t.mi_cols * 4) >> sub) - x) + (n if angle < 90 else 0) + 1
            if strength > 0:
                k.filter_edge(t.above_filtered, EDGE_AT, count, strength)
        if have_left:
            strength = edge_filter_strength(size_sum, filter_type, angle - 180)
            count = min(n, ((t.mi_rows * 4) >> sub) - y) + (n if angle > 180 else 0) + 1
            if strength > 0:
                k.filter_edge(t.left_filtered, EDGE_AT, count, strength)
        upsample_above = use_upsample(size_sum, filter_type, angle - 90)
        if upsample_above:
            k.upsample_edge(t.above_filtered, EDGE_AT, n + (n if angle < 90 else 0))
        upsample_left = use_upsample(size_sum, filter_type, angle - 180)
        if upsample_left:
            k.upsample_edge(t.left_filtered, EDGE_AT, n + (n if angle > 180 else 0))
    k.predict_directional(
        dst,
        dst_at,
        stride,
        n,
        n,
        t.above_filtered,
        EDGE_AT,
        t.left_filtered,
        EDGE_AT,
        angle,
        upsample_above,
        upsample_left,
    )


def predict(k, t, dst, dst_at, stride, plane, x, y, n, mode, angle_delta, have_above, have_left, filter_type):
    """Predict an n x n block of dst from the edges that read_edges left; mode is not UV_CFL_PRED (spec 7.11.2.1)."""
    above, left = t.above, t.left
    if is_directional(mode):
        angle = MODE_TO_ANGLE[mode] + angle_delta * ANGLE_STEP
        if angle == 90:
            k.predict_v(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
        elif angle == 180:
            k.predict_h(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
        else:
            _predict_directional(k, t, dst, dst_at, stride, plane, x, y, n, angle, have_above, have_left, filter_type)
    elif mode == DC_PRED:
        k.predict_dc(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT, int64(have_above), int64(have_left))
    elif mode == SMOOTH_PRED:
        k.predict_smooth(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
    elif mode == SMOOTH_V_PRED:
        k.predict_smooth_v(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
    elif mode == SMOOTH_H_PRED:
        k.predict_smooth_h(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
    else:
        k.predict_paeth(dst, dst_at, stride, n, n, above, EDGE_AT, left, EDGE_AT)
