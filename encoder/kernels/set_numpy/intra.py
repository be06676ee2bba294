"""Intra prediction as whole-array expressions (spec 7.11.2 and 7.11.5). Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numpy.views import block, wide, wide_block
from encoder.tables import table

DR_INTRA_DERIVATIVE = table("dr_intra_derivative").tolist()
SM_WEIGHTS = {side: table(f"sm_weights_tx_{side}x{side}", np.int32) for side in (4, 8, 16, 32, 64)}
INTRA_EDGE_KERNEL = np.array([[0, 4, 8, 4, 0], [0, 5, 6, 5, 0], [2, 4, 4, 4, 2]])


def predict_dc(dst, dst_at, stride, w, h, above, above_at, left, left_at, have_above, have_left):
    """Mean of the known edges."""
    known = np.concatenate((above[above_at : above_at + w * have_above], left[left_at : left_at + h * have_left]))
    average = (int(known.sum()) + known.size // 2) // known.size if known.size else 128
    block(dst, dst_at, stride, w, h)[:] = average
    return 0


def predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """The row above, h times."""
    block(dst, dst_at, stride, w, h)[:] = above[above_at : above_at + w]
    return 0


def predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """The left column, w times."""
    block(dst, dst_at, stride, w, h)[:] = left[left_at : left_at + h, None]
    return 0


def predict_paeth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """The neighbour nearest to top + side - corner."""
    top, side = wide(above, above_at, w), wide(left, left_at, h)[:, None]
    corner = int(above[above_at - 1])
    p_left, p_top, p_top_left = abs(top - corner), abs(side - corner), abs(top + side - 2 * corner)
    of_top_or_corner = np.where(p_top <= p_top_left, top, corner)
    block(dst, dst_at, stride, w, h)[:] = np.where((p_left <= p_top) & (p_left <= p_top_left), side, of_top_or_corner)
    return 0


def predict_smooth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Mean of the vertical and the horizontal interpolation."""
    total = _smooth_v(w, h, above, above_at, left, left_at) + _smooth_h(w, h, above, above_at, left, left_at)
    block(dst, dst_at, stride, w, h)[:] = (total + 256) >> 9
    return 0


def predict_smooth_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Interpolation between the row above and the last sample of the left column."""
    block(dst, dst_at, stride, w, h)[:] = (_smooth_v(w, h, above, above_at, left, left_at) + 128) >> 8
    return 0


def predict_smooth_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Interpolation between the left column and the last sample of the row above."""
    block(dst, dst_at, stride, w, h)[:] = (_smooth_h(w, h, above, above_at, left, left_at) + 128) >> 8
    return 0


def _smooth_v(w, h, above, above_at, left, left_at):
    """256 times the vertical interpolation, h x w."""
    weights = SM_WEIGHTS[h][:, None]
    return weights * wide(above, above_at, w) + (256 - weights) * int(left[left_at + h - 1])


def _smooth_h(w, h, above, above_at, left, left_at):
    """256 times the horizontal interpolation, h x w."""
    weights = SM_WEIGHTS[w]
    return weights * wide(left, left_at, h)[:, None] + (256 - weights) * int(above[above_at + w - 1])


def predict_directional(
    dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left
):
    """Interpolation at the places where the direction meets an edge, in 64ths of a sample from the edge's first one."""
    i, j = np.arange(h)[:, None], np.arange(w)
    if angle < 90:
        met = (j << 6) + (i + 1) * DR_INTRA_DERIVATIVE[angle]
        pred = _interpolate(above, above_at, np.minimum(met, (w + h - 1) << 6), upsample_above)
    elif angle == 90:
        pred = above[above_at : above_at + w]
    elif angle < 180:
        met = (j << 6) - (i + 1) * DR_INTRA_DERIVATIVE[180 - angle]
        from_above = _interpolate(above, above_at, np.maximum(met, -64), upsample_above)
        met_left = (i << 6) - (j + 1) * DR_INTRA_DERIVATIVE[angle - 90]
        from_left = _interpolate(left, left_at, np.maximum(met_left, -64), upsample_left)
        pred = np.where(met >= -64, from_above, from_left)
    elif angle == 180:
        pred = left[left_at : left_at + h, None]
    else:
        pred = _interpolate(left, left_at, (i << 6) + (j + 1) * DR_INTRA_DERIVATIVE[270 - angle], upsample_left)
    block(dst, dst_at, stride, w, h)[:] = pred
    return 0


def _interpolate(edge, edge_at, places, upsample):
    """The edge at places in 64ths of a sample, to the 32nd of an entry below each."""
    base = edge_at + (places >> (6 - upsample))
    shift = (places << upsample >> 1) & 31
    lower, upper = edge[base].astype(np.int32), edge[base + 1].astype(np.int32)
    return (lower * (32 - shift) + upper * shift + 16) >> 5


def filter_edge(edge, edge_at, size, strength):
    """Five taps around every entry but the first, entries repeated beyond both ends."""
    around = np.clip(np.arange(1, size)[:, None] + np.arange(-2, 3), 0, size - 1)
    filtered = (edge[edge_at - 1 + around] * INTRA_EDGE_KERNEL[strength - 1]).sum(axis=1)
    edge[edge_at : edge_at + size - 1] = (filtered + 8) >> 4
    return 0


def upsample_edge(edge, edge_at, count):
    """Four taps between every two entries, ends repeated."""
    dup = wide(edge, edge_at - 1, count + 1)
    dup = np.concatenate((dup[:1], dup, dup[-1:]))
    between = (9 * (dup[1:-2] + dup[2:-1]) - dup[:-3] - dup[3:] + 8) >> 4
    edge[edge_at - 2 : edge_at + 2 * count - 1 : 2] = dup[1:-1]
    edge[edge_at - 1 : edge_at + 2 * count - 1 : 2] = between.clip(0, 255)
    return 0


def cfl_ac(luma, luma_at, luma_stride, ac, w, h, visible_w, visible_h):
    """Sums of 2x2 luma samples, repeated beyond the visible ones, without their mean."""
    visible_w, visible_h = min(visible_w, w), min(visible_h, h)
    visible = wide_block(luma, luma_at, luma_stride, 2 * visible_w, 2 * visible_h)
    sums = visible.reshape(visible_h, 2, visible_w, 2).sum(axis=(1, 3)) << 1
    sums = sums[np.minimum(np.arange(h), visible_h - 1)[:, None], np.minimum(np.arange(w), visible_w - 1)]
    ac[: w * h] = (sums - ((int(sums.sum()) + w * h // 2) // (w * h))).ravel()
    return 0


def cfl_predict(dst, dst_at, stride, w, h, ac, alpha):
    """Adds alpha 64ths of the luma part, rounded away from zero."""
    scaled = alpha * ac[: w * h].reshape(h, w).astype(np.int32)
    scaled = np.sign(scaled) * ((abs(scaled) + 32) >> 6)
    out = block(dst, dst_at, stride, w, h)
    out[:] = (out + scaled).clip(0, 255)
    return 0
