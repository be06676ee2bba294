"""Motion search and temporal filter, reference versions. Contracts are in table.py."""

import numpy as np

from encoder.intmath import round2

MAX_DIFFERENCE = 63
"""From here on all differences of two samples are alike to the temporal filter."""
SMOOTH_GRADIENT = 64
"""Gradients of an edge or a texture begin here."""


def downscale(dst, dst_at, dst_stride, src, src_at, src_stride, w, h):
    """Means of 2x2 samples."""
    for y in range(h):
        for x in range(w):
            at = src_at + 2 * y * src_stride + 2 * x
            upper = np.int64(src[at]) + np.int64(src[at + 1])
            lower = np.int64(src[at + src_stride]) + np.int64(src[at + src_stride + 1])
            dst[dst_at + y * dst_stride + x] = round2(upper + lower, 2)
    return 0


def sad_grid(a, a_at, a_stride, b, b_at, b_stride, out):
    """Cell by cell."""
    for row in range(8):
        for column in range(8):
            p = a_at + 8 * (row * a_stride + column)
            q = b_at + 8 * (row * b_stride + column)
            out[8 * row + column] = _sad(a, p, a_stride, b, q, b_stride, 8, 8)
    return 0


def sad_x4(a, a_at, a_stride, b, b_at_0, b_at_1, b_at_2, b_at_3, b_stride, w, h, out):
    """One after the other."""
    out[0] = _sad(a, a_at, a_stride, b, b_at_0, b_stride, w, h)
    out[1] = _sad(a, a_at, a_stride, b, b_at_1, b_stride, w, h)
    out[2] = _sad(a, a_at, a_stride, b, b_at_2, b_stride, w, h)
    out[3] = _sad(a, a_at, a_stride, b, b_at_3, b_stride, w, h)
    return 0


def sad_window(a, a_at, a_stride, b, b_at, b_stride, side, columns, rows, step):
    """Row by row from the top left."""
    best = _sad(a, a_at, a_stride, b, b_at, b_stride, side, side) << 16
    for row in range(rows):
        for column in range(columns):
            at = b_at + step * (row * b_stride + column)
            found = _sad(a, a_at, a_stride, b, at, b_stride, side, side) << 16 | row * columns + column
            best = min(best, found)
    return best


def _sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = 0
    for y in range(h):
        for x in range(w):
            total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total


def temporal_accumulate(sums, weights, sums_at, sums_stride, a, a_at, a_stride, b, b_at, b_stride, w, h, base, slope):
    """Sample by sample."""
    for y in range(h):
        for x in range(w):
            sample = np.int64(b[b_at + y * b_stride + x])
            d = min(abs(np.int64(a[a_at + y * a_stride + x]) - sample), MAX_DIFFERENCE)
            near = max(0, base - (d * d * slope >> 8))
            weight = near * near >> 11
            at = sums_at + y * sums_stride + x
            sums[at] = np.int64(sums[at]) + weight * sample
            weights[at] = np.int64(weights[at]) + weight
    return 0


def temporal_normalize(dst, dst_at, dst_stride, sums, weights, sums_at, sums_stride, w, h):
    """Divide and round."""
    for y in range(h):
        for x in range(w):
            at = sums_at + y * sums_stride + x
            weight = np.int64(weights[at])
            dst[dst_at + y * dst_stride + x] = (np.int64(sums[at]) + weight // 2) // weight
    return 0


def noise_sum(a, a_at, a_stride, w, h):
    """Gradient and Laplacian from sums over the columns and rows of the 3x3 neighbourhood."""
    total = 0
    count = 0
    for y in range(h):
        for x in range(w):
            at = a_at + y * a_stride + x
            a00, a01, a02 = _three(a, at - a_stride)
            a10, a11, a12 = _three(a, at)
            a20, a21, a22 = _three(a, at + a_stride)
            across = a02 + 2 * a12 + a22 - a00 - 2 * a10 - a20
            down = a20 + 2 * a21 + a22 - a00 - 2 * a01 - a02
            if abs(across) + abs(down) < SMOOTH_GRADIENT:
                total += abs(a00 + a02 + a20 + a22 - 2 * (a01 + a10 + a12 + a21) + 4 * a11)
                count += 1
    return total << 24 | count


def _three(a, at):
    """A sample between its neighbours of the row."""
    return np.int64(a[at - 1]), np.int64(a[at]), np.int64(a[at + 1])
