"""Distortion figures and the residual, reference versions. Contracts are in table.py."""

import numpy as np

from encoder.intmath import round2


def sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of absolute differences."""
    total = 0
    for y in range(h):
        for x in range(w):
            total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total


def satd(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of absolute Hadamard-transformed differences."""
    side = 8
    if w == 4 or h == 4:
        side = 4
    scratch = np.empty(64, np.int64)
    total = 0
    for y in range(0, h, side):
        for x in range(0, w, side):
            tile = _hadamard_sum(
                a, a_at + y * a_stride + x, a_stride, b, b_at + y * b_stride + x, b_stride, side, scratch
            )
            total += round2(tile, side >> 2)
    return total


def _hadamard_sum(a, a_at, a_stride, b, b_at, b_stride, side, scratch):
    """Sum of the magnitudes of a tile's Hadamard coefficients, neither ordered nor scaled.

    The two-dimensional transform of a square is the one-dimensional one of its samples row by row (H8 x H8 = H64).
    """
    for y in range(side):
        for x in range(side):
            scratch[y * side + x] = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
    count = side * side
    step = 1
    while step < count:
        for i in range(count):
            if i & step == 0:
                p = scratch[i]
                q = scratch[i + step]
                scratch[i] = p + q
                scratch[i + step] = p - q
        step *= 2
    total = 0
    for i in range(count):
        total += abs(scratch[i])
    return total


def sse(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of squared differences."""
    total = 0
    for y in range(h):
        for x in range(w):
            d = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
            total += d * d
    return total


def variance(a, a_at, a_stride, w, h):
    """Sum of squared deviations from the mean."""
    total = 0
    squares = 0
    for y in range(h):
        for x in range(w):
            value = np.int64(a[a_at + y * a_stride + x])
            total += value
            squares += value * value
    return squares - total * total // (w * h)


def residual(a, a_at, a_stride, b, b_at, b_stride, out, w, h):
    """Differences of two blocks."""
    for y in range(h):
        for x in range(w):
            out[y * w + x] = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
    return 0
