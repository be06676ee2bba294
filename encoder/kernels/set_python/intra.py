"""Intra prediction, reference versions (spec 7.11.2 and 7.11.5). Contracts are in table.py."""

import numpy as np

from encoder.intmath import clip1, msb, round2, round2_signed
from encoder.tables import table

DR_INTRA_DERIVATIVE = table("dr_intra_derivative")
SM_WEIGHTS = np.concatenate([table(f"sm_weights_tx_{side}x{side}") for side in (4, 8, 16, 32, 64)])
"""Sm_Weights_Tx_* one after the other: those of a side begin at side - 4."""
INTRA_EDGE_KERNEL = np.array([[0, 4, 8, 4, 0], [0, 5, 6, 5, 0], [2, 4, 4, 4, 2]])
"""The filters of spec 7.11.2.12, of strength 1, 2 and 3."""


def predict_dc(dst, dst_at, stride, w, h, above, above_at, left, left_at, have_above, have_left):
    """DC intra prediction process (spec 7.11.2.5)."""
    total = 0
    count = 0
    if have_left:
        count += h
        for k in range(h):
            total += np.int64(left[left_at + k])
    if have_above:
        count += w
        for k in range(w):
            total += np.int64(above[above_at + k])
    average = 128
    if count > 0:
        average = (total + (count >> 1)) // count
    for i in range(h):
        for j in range(w):
            dst[dst_at + i * stride + j] = average
    return 0


def predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Directional intra prediction process, step 10 (spec 7.11.2.4)."""
    for i in range(h):
        for j in range(w):
            dst[dst_at + i * stride + j] = above[above_at + j]
    return 0


def predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Directional intra prediction process, step 11 (spec 7.11.2.4)."""
    for i in range(h):
        for j in range(w):
            dst[dst_at + i * stride + j] = left[left_at + i]
    return 0


def predict_paeth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Basic intra prediction process (spec 7.11.2.2)."""
    corner = np.int64(above[above_at - 1])
    for i in range(h):
        side = np.int64(left[left_at + i])
        for j in range(w):
            top = np.int64(above[above_at + j])
            base = top + side - corner
            p_left = abs(base - side)
            p_top = abs(base - top)
            p_top_left = abs(base - corner)
            if p_left <= p_top and p_left <= p_top_left:
                pred = side
            elif p_top <= p_top_left:
                pred = top
            else:
                pred = corner
            dst[dst_at + i * stride + j] = pred
    return 0


def predict_smooth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Smooth intra prediction process, SMOOTH_PRED (spec 7.11.2.6)."""
    bottom = np.int64(left[left_at + h - 1])
    right = np.int64(above[above_at + w - 1])
    for i in range(h):
        weight_y = SM_WEIGHTS[h - 4 + i]
        side = np.int64(left[left_at + i])
        for j in range(w):
            weight_x = SM_WEIGHTS[w - 4 + j]
            smooth_pred = (
                weight_y * np.int64(above[above_at + j])
                + (256 - weight_y) * bottom
                + weight_x * side
                + (256 - weight_x) * right
            )
            dst[dst_at + i * stride + j] = round2(smooth_pred, 9)
    return 0


def predict_smooth_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Smooth intra prediction process, SMOOTH_V_PRED (spec 7.11.2.6)."""
    bottom = np.int64(left[left_at + h - 1])
    for i in range(h):
        weight = SM_WEIGHTS[h - 4 + i]
        for j in range(w):
            smooth_pred = weight * np.int64(above[above_at + j]) + (256 - weight) * bottom
            dst[dst_at + i * stride + j] = round2(smooth_pred, 8)
    return 0


def predict_smooth_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Smooth intra prediction process, SMOOTH_H_PRED (spec 7.11.2.6)."""
    right = np.int64(above[above_at + w - 1])
    for i in range(h):
        side = np.int64(left[left_at + i])
        for j in range(w):
            weight = SM_WEIGHTS[w - 4 + j]
            smooth_pred = weight * side + (256 - weight) * right
            dst[dst_at + i * stride + j] = round2(smooth_pred, 8)
    return 0


def predict_directional(
    dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left
):
    """Directional intra prediction process, steps 5 to 11 (spec 7.11.2.4)."""
    if angle < 90:
        _predict_from_above(dst, dst_at, stride, w, h, above, above_at, angle, upsample_above)
    elif angle == 90:
        predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at)
    elif angle < 180:
        _predict_from_both(
            dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left
        )
    elif angle == 180:
        predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at)
    else:
        _predict_from_left(dst, dst_at, stride, w, h, left, left_at, angle, upsample_left)
    return 0


def _predict_from_above(dst, dst_at, stride, w, h, above, above_at, angle, upsample_above):
    """Step 7: up and to the right, angle < 90."""
    dx = DR_INTRA_DERIVATIVE[angle]
    max_base_x = (w + h - 1) << upsample_above
    for i in range(h):
        idx = (i + 1) * dx
        shift = ((idx << upsample_above) >> 1) & 0x1F
        for j in range(w):
            base = (idx >> (6 - upsample_above)) + (j << upsample_above)
            if base < max_base_x:
                pred = _interpolate(above, above_at + base, shift)
            else:
                pred = np.int64(above[above_at + max_base_x])
            dst[dst_at + i * stride + j] = pred


def _predict_from_both(dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left):
    """Step 8: up and to the left, 90 < angle < 180; what does not meet the row above meets the left column."""
    dx = DR_INTRA_DERIVATIVE[180 - angle]
    dy = DR_INTRA_DERIVATIVE[angle - 90]
    for i in range(h):
        for j in range(w):
            idx = (j << 6) - (i + 1) * dx
            base = idx >> (6 - upsample_above)
            if base >= -(1 << upsample_above):
                shift = ((idx << upsample_above) >> 1) & 0x1F
                pred = _interpolate(above, above_at + base, shift)
            else:
                idx = (i << 6) - (j + 1) * dy
                base = idx >> (6 - upsample_left)
                shift = ((idx << upsample_left) >> 1) & 0x1F
                pred = _interpolate(left, left_at + base, shift)
            dst[dst_at + i * stride + j] = pred


def _predict_from_left(dst, dst_at, stride, w, h, left, left_at, angle, upsample_left):
    """Step 9: down and to the left, angle > 180."""
    dy = DR_INTRA_DERIVATIVE[270 - angle]
    for j in range(w):
        idx = (j + 1) * dy
        shift = ((idx << upsample_left) >> 1) & 0x1F
        for i in range(h):
            base = (idx >> (6 - upsample_left)) + (i << upsample_left)
            dst[dst_at + i * stride + j] = _interpolate(left, left_at + base, shift)


def _interpolate(edge, at, shift):
    """What lies `shift` 32nds of the way from edge[at] to edge[at + 1]."""
    return round2(np.int64(edge[at]) * (32 - shift) + np.int64(edge[at + 1]) * shift, 5)


def filter_edge(edge, edge_at, size, strength):
    """Intra edge filter process (spec 7.11.2.12).

    The taps reach two entries back, where the result already stands: the old values of both are carried along.
    """
    before_last = np.int64(edge[edge_at - 1])
    last = before_last
    for i in range(1, size):
        s = INTRA_EDGE_KERNEL[strength - 1, 0] * before_last + INTRA_EDGE_KERNEL[strength - 1, 1] * last
        for j in range(2, 5):
            k = min(i - 2 + j, size - 1)
            s += INTRA_EDGE_KERNEL[strength - 1, j] * np.int64(edge[edge_at - 1 + k])
        before_last = last
        last = np.int64(edge[edge_at - 1 + i])
        edge[edge_at - 1 + i] = (s + 8) >> 4
    return 0


def upsample_edge(edge, edge_at, count):
    """Intra edge upsampling process (spec 7.11.2.11).

    Backwards, so that only entries already read are overwritten; dup_0 .. dup_3 are the dup[i] .. dup[i + 3] there.
    """
    first = edge[edge_at - 1]
    dup_3 = np.int64(edge[edge_at + count - 1])
    dup_2 = dup_3
    dup_1 = np.int64(edge[edge_at + count - 2])
    for i in range(count - 1, -1, -1):
        dup_0 = np.int64(edge[edge_at + max(i - 2, -1)])
        edge[edge_at + 2 * i - 1] = clip1(round2(9 * dup_1 + 9 * dup_2 - dup_0 - dup_3, 4))
        edge[edge_at + 2 * i] = dup_2
        dup_3 = dup_2
        dup_2 = dup_1
        dup_1 = dup_0
    edge[edge_at - 2] = first
    return 0


def cfl_ac(luma, luma_at, luma_stride, ac, w, h, visible_w, visible_h):
    """Predict chroma from luma process, the luma part L - lumaAvg (spec 7.11.5)."""
    luma_total = 0
    for i in range(h):
        row_at = luma_at + 2 * min(i, visible_h - 1) * luma_stride
        for j in range(w):
            at = row_at + 2 * min(j, visible_w - 1)
            t = np.int64(luma[at]) + np.int64(luma[at + 1])
            t += np.int64(luma[at + luma_stride]) + np.int64(luma[at + luma_stride + 1])
            ac[i * w + j] = t << 1
            luma_total += t << 1
    luma_average = round2(luma_total, msb(w) + msb(h))
    for k in range(w * h):
        ac[k] = np.int64(ac[k]) - luma_average
    return 0


def cfl_predict(dst, dst_at, stride, w, h, ac, alpha):
    """Predict chroma from luma process, the chroma part (spec 7.11.5)."""
    for i in range(h):
        for j in range(w):
            at = dst_at + i * stride + j
            scaled_luma = round2_signed(alpha * np.int64(ac[i * w + j]), 6)
            dst[at] = clip1(np.int64(dst[at]) + scaled_luma)
    return 0
