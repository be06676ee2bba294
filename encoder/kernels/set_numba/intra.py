"""Intra prediction, written for LLVM's loop vectoriser (spec 7.11.2 and 7.11.5). Contracts are in table.py.

Sums are cast back to the width they need and indices to unsigned, as distortion.py explains. Inner loops run along a
row, and no function called inside a loop takes an array: numba counts references around such a call.
"""

import numpy as np

from encoder.kernels.set_python import intra as reference

i32 = np.int32
u16 = np.uint16
u64 = np.uint64

DR_INTRA_DERIVATIVE = reference.DR_INTRA_DERIVATIVE
SM_WEIGHTS = reference.SM_WEIGHTS.astype(np.int32)
INTRA_EDGE_KERNEL = reference.INTRA_EDGE_KERNEL.astype(np.int32)


def predict_dc(dst, dst_at, stride, w, h, above, above_at, left, left_at, have_above, have_left):
    """Sums and the quotient in 32 bits: a division of 64 bits takes longer than all the rest of a small block."""
    total = i32(0)
    count = 0
    if have_left:
        count += h
        for k in range(h):
            total = i32(total + i32(left[u64(left_at + k)]))
    if have_above:
        count += w
        for k in range(w):
            total = i32(total + i32(above[u64(above_at + k)]))
    average = np.uint8(128)
    if count > 0:
        average = np.uint8(np.uint32(total + (count >> 1)) // np.uint32(count))
    for i in range(h):
        at = dst_at + i * stride
        for j in range(w):
            dst[u64(at + j)] = average
    return 0


def predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Row by row."""
    for i in range(h):
        at = dst_at + i * stride
        for j in range(w):
            dst[u64(at + j)] = above[u64(above_at + j)]
    return 0


def predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Row by row."""
    for i in range(h):
        at = dst_at + i * stride
        side = left[u64(left_at + i)]
        for j in range(w):
            dst[u64(at + j)] = side
    return 0


def predict_paeth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """Without branches; |base - left| is |above - corner|, and so on."""
    corner = i32(above[u64(above_at - 1)])
    for i in range(h):
        at = dst_at + i * stride
        side = i32(left[u64(left_at + i)])
        p_top = abs(i32(side - corner))
        for j in range(w):
            top = i32(above[u64(above_at + j)])
            p_left = abs(i32(top - corner))
            p_top_left = abs(i32(i32(top + side) - i32(2 * corner)))
            pred = top if p_top <= p_top_left else corner
            dst[u64(at + j)] = side if (p_left <= p_top) & (p_left <= p_top_left) else pred
    return 0


def predict_smooth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """One product a sample with the row above, one with the weights; the others do not change along a row."""
    bottom = i32(left[u64(left_at + h - 1)])
    right = i32(above[u64(above_at + w - 1)])
    for i in range(h):
        at = dst_at + i * stride
        weight_y = SM_WEIGHTS[u64(h - 4 + i)]
        rise = i32(i32(left[u64(left_at + i)]) - right)
        constant = i32((256 - weight_y) * bottom + 256 * right + 256)
        for j in range(w):
            vertical = i32(weight_y * i32(above[u64(above_at + j)]))
            horizontal = i32(SM_WEIGHTS[u64(w - 4 + j)] * rise)
            dst[u64(at + j)] = i32(i32(vertical + horizontal) + constant) >> 9
    return 0


def predict_smooth_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """In 16 bits: 256 * 255 + 128 fits."""
    bottom = left[u64(left_at + h - 1)]
    for i in range(h):
        at = dst_at + i * stride
        weight = SM_WEIGHTS[u64(h - 4 + i)]
        constant = u16((256 - weight) * bottom + 128)
        weight = u16(weight)
        for j in range(w):
            dst[u64(at + j)] = u16(u16(weight * u16(above[u64(above_at + j)])) + constant) >> 8
    return 0


def predict_smooth_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    """One product a sample: weight * left + (256 - weight) * right = weight * (left - right) + 256 * right."""
    right = i32(above[u64(above_at + w - 1)])
    constant = i32(256 * right + 128)
    for i in range(h):
        at = dst_at + i * stride
        rise = i32(i32(left[u64(left_at + i)]) - right)
        for j in range(w):
            dst[u64(at + j)] = i32(i32(SM_WEIGHTS[u64(w - 4 + j)] * rise) + constant) >> 8
    return 0


def predict_directional(
    dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left
):
    """Rows of what meets the row above, columns of what meets the left one: so one shift holds for a whole run."""
    if angle < 90:
        dx = DR_INTRA_DERIVATIVE[u64(angle)]
        _predict_from_above(dst, dst_at, stride, w, h, above, above_at, dx, upsample_above)
    elif angle == 90:
        predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at)
    elif angle < 180:
        dx = DR_INTRA_DERIVATIVE[u64(180 - angle)]
        dy = DR_INTRA_DERIVATIVE[u64(angle - 90)]
        _predict_from_above(dst, dst_at, stride, w, h, above, above_at, -dx, upsample_above)
        _predict_from_left(dst, dst_at, stride, w, h, left, left_at, -dy, upsample_left, dx)
    elif angle == 180:
        predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at)
    else:
        dy = DR_INTRA_DERIVATIVE[u64(270 - angle)]
        _predict_from_left(dst, dst_at, stride, w, h, left, left_at, dy, upsample_left, 64 * w + 1)
    return 0


def _predict_from_above(dst, dst_at, stride, w, h, above, above_at, dx, upsample):
    """Samples that meet the row above. dx > 0: all, moving to the right; dx < 0: those not left of the corner."""
    max_base = (w + h - 1) << upsample
    last = above[u64(above_at + max_base)]
    for i in range(h):
        at = dst_at + i * stride
        idx = (i + 1) * dx
        base = idx >> (6 - upsample)
        shift = i32(((idx << upsample) >> 1) & 31)
        first = min(max((-idx - 1) >> 6, 0), w)
        end = min(max((max_base - base + upsample) >> upsample, 0), w)
        edge_at = above_at + base
        if upsample:
            for j in range(first, end):
                dst[u64(at + j)] = _blend(above[u64(edge_at + 2 * j)], above[u64(edge_at + 2 * j + 1)], shift)
        else:
            for j in range(first, end):
                dst[u64(at + j)] = _blend(above[u64(edge_at + j)], above[u64(edge_at + j + 1)], shift)
        for j in range(end, w):
            dst[u64(at + j)] = last
    return 0


def _predict_from_left(dst, dst_at, stride, w, h, left, left_at, dy, upsample, dx):
    """Samples that meet the left column: in column j those of rows i with (i + 1) * dx > (j + 1) * 64."""
    first = 0
    for j in range(w):
        while first < h and (first + 1) * dx <= (j + 1) << 6:
            first += 1
        idx = (j + 1) * dy
        shift = i32(((idx << upsample) >> 1) & 31)
        edge_at = left_at + (idx >> (6 - upsample))
        at = dst_at + j
        for i in range(first, h):
            place = edge_at + (i << upsample)
            dst[u64(at + i * stride)] = _blend(left[u64(place)], left[u64(place + 1)], shift)
    return 0


def _blend(lower, upper, shift):
    """What lies `shift` 32nds of the way from lower to upper."""
    return i32(i32(i32(lower) * i32(32 - shift)) + i32(i32(upper) * shift) + 16) >> 5


def filter_edge(edge, edge_at, size, strength):
    """A window of five old entries slides along; all three filters are symmetric."""
    outer = INTRA_EDGE_KERNEL[u64(strength - 1), 0]
    inner = INTRA_EDGE_KERNEL[u64(strength - 1), 1]
    middle = INTRA_EDGE_KERNEL[u64(strength - 1), 2]
    start = edge_at - 1
    last = size - 1
    e0 = i32(edge[u64(start)])
    e1 = e0
    e2 = i32(edge[u64(start + min(1, last))])
    e3 = i32(edge[u64(start + min(2, last))])
    for i in range(1, size):
        e4 = i32(edge[u64(start + min(i + 2, last))])
        total = i32(i32(outer * i32(e0 + e4)) + i32(inner * i32(e1 + e3)))
        edge[u64(start + i)] = i32(i32(total + i32(middle * e2)) + 8) >> 4
        e0 = e1
        e1 = e2
        e2 = e3
        e3 = e4
    return 0


def cfl_ac(luma, luma_at, luma_stride, ac, w, h, visible_w, visible_h):
    """The visible part row by row, then what repeats it, then the mean."""
    columns = min(visible_w, w)
    for i in range(h):
        at = i * w
        upper = luma_at + 2 * min(i, visible_h - 1) * luma_stride
        lower = upper + luma_stride
        for j in range(columns):
            t = i32(i32(luma[u64(upper + 2 * j)]) + i32(luma[u64(upper + 2 * j + 1)]))
            t = i32(t + i32(i32(luma[u64(lower + 2 * j)]) + i32(luma[u64(lower + 2 * j + 1)])))
            ac[u64(at + j)] = t << 1
        last = ac[u64(at + columns - 1)]
        for j in range(columns, w):
            ac[u64(at + j)] = last
    total = i32(0)
    count = w * h
    for k in range(count):
        total = i32(total + i32(ac[u64(k)]))
    mean = np.int16(np.uint32(total + (count >> 1)) // np.uint32(count))
    for k in range(count):
        ac[u64(k)] = np.int16(ac[u64(k)] - mean)
    return 0


def cfl_predict(dst, dst_at, stride, w, h, ac, alpha):
    """Row by row, without branches."""
    factor = i32(alpha)
    for i in range(h):
        at = dst_at + i * stride
        ac_at = i * w
        for j in range(w):
            product = i32(factor * i32(ac[u64(ac_at + j)]))
            magnitude = i32(abs(product) + 32) >> 6
            value = i32(i32(dst[u64(at + j)]) + (magnitude if product >= 0 else -magnitude))
            dst[u64(at + j)] = min(max(value, 0), 255)
    return 0
