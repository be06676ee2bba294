"""Distortion figures and the residual, written for LLVM's loop vectoriser. Contracts are in table.py.

Numba widens every sum of small integers to 64 bits and tests every signed index for a negative one. So sums are cast
back to the width they need, which becomes the width of the vector's lanes, and indices are cast to unsigned.
"""

import numpy as np

from encoder.kernels.scratch import scratch_int16

i16 = np.int16
i32 = np.int32
u64 = np.uint64


def _difference(p, q):
    """p - q of two samples in 32 bits."""
    return i32(i32(p) - i32(q))


def _difference16(p, q):
    """p - q of two samples in 16 bits."""
    return i16(i16(p) - i16(q))


def sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Four rows at a time: short loops over x cost more than what is in them."""
    total = i32(0)
    for y in range(0, h, 4):
        a_row = a_at + y * a_stride
        b_row = b_at + y * b_stride
        for x in range(w):
            p = a_row + x
            q = b_row + x
            d0 = abs(_difference(a[u64(p)], b[u64(q)]))
            d1 = abs(_difference(a[u64(p + a_stride)], b[u64(q + b_stride)]))
            d2 = abs(_difference(a[u64(p + 2 * a_stride)], b[u64(q + 2 * b_stride)]))
            d3 = abs(_difference(a[u64(p + 3 * a_stride)], b[u64(q + 3 * b_stride)]))
            total = i32(total + i32(i32(d0 + d1) + i32(d2 + d3)))
    return np.int64(total)


def satd(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """By 8x8 tiles: columns in registers, rows by _row_stages. Coefficients are at most 64 * 255 and fit 16 bits."""
    if w == 4 or h == 4:
        return _satd_4x4(a, a_at, a_stride, b, b_at, b_stride, w, h)
    s = scratch_int16(64)
    t = scratch_int16(64)
    # Always 8, but not to LLVM's knowledge: it would unroll the loops before it vectorises them.
    side = w >> ((w >= 16) + (w >= 32) + (w >= 64))
    total = 0
    for y in range(0, h, 8):
        for x_tile in range(0, w, 8):
            p = a_at + y * a_stride + x_tile
            q = b_at + y * b_stride + x_tile
            for x in range(side):
                d0 = _difference16(a[u64(p + x)], b[u64(q + x)])
                d1 = _difference16(a[u64(p + x + a_stride)], b[u64(q + x + b_stride)])
                d2 = _difference16(a[u64(p + x + 2 * a_stride)], b[u64(q + x + 2 * b_stride)])
                d3 = _difference16(a[u64(p + x + 3 * a_stride)], b[u64(q + x + 3 * b_stride)])
                d4 = _difference16(a[u64(p + x + 4 * a_stride)], b[u64(q + x + 4 * b_stride)])
                d5 = _difference16(a[u64(p + x + 5 * a_stride)], b[u64(q + x + 5 * b_stride)])
                d6 = _difference16(a[u64(p + x + 6 * a_stride)], b[u64(q + x + 6 * b_stride)])
                d7 = _difference16(a[u64(p + x + 7 * a_stride)], b[u64(q + x + 7 * b_stride)])
                d0, d1, d2, d3 = _hadamard_4(d0, d1, d2, d3)
                d4, d5, d6, d7 = _hadamard_4(d4, d5, d6, d7)
                s[u64(x)] = d0 + d4
                s[u64(x + 8)] = d1 + d5
                s[u64(x + 16)] = d2 + d6
                s[u64(x + 24)] = d3 + d7
                s[u64(x + 32)] = d0 - d4
                s[u64(x + 40)] = d1 - d5
                s[u64(x + 48)] = d2 - d6
                s[u64(x + 56)] = d3 - d7
            # A stage of the rows: even plus and minus odd entries, stored so that the next bit of x comes lowest.
            half = 4 * side
            for k in range(half):
                t[u64(k)] = s[u64(2 * k)] + s[u64(2 * k + 1)]
                t[u64(k + 32)] = s[u64(2 * k)] - s[u64(2 * k + 1)]
            for k in range(half):
                s[u64(k)] = t[u64(2 * k)] + t[u64(2 * k + 1)]
                s[u64(k + 32)] = t[u64(2 * k)] - t[u64(2 * k + 1)]
            total += (_last_stage(s, half) + 1) >> 1
    return total


def _hadamard_4(d0, d1, d2, d3):
    """Four-point Hadamard transform in 16 bits."""
    e0 = i16(d0 + d1)
    e1 = i16(d0 - d1)
    e2 = i16(d2 + d3)
    e3 = i16(d2 - d3)
    return i16(e0 + e2), i16(e1 + e3), i16(e0 - e2), i16(e1 - e3)


def _last_stage(s, half):
    """Half the sum of magnitudes after one more stage: |p + q| + |p - q| = 2 max(|p|, |q|)."""
    total = i32(0)
    for k in range(half):
        p = i32(abs(s[u64(2 * k)]))
        q = i32(abs(s[u64(2 * k + 1)]))
        total = i32(total + (p if p > q else q))
    return np.int64(total)


def _satd_4x4(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """By 4x4 tiles, as satd by 8x8 ones."""
    s = scratch_int16(16)
    t = scratch_int16(16)
    side = w >> ((w >= 8) + (w >= 16))
    total = 0
    for y in range(0, h, 4):
        for x_tile in range(0, w, 4):
            p = a_at + y * a_stride + x_tile
            q = b_at + y * b_stride + x_tile
            for x in range(side):
                d0 = _difference16(a[u64(p + x)], b[u64(q + x)])
                d1 = _difference16(a[u64(p + x + a_stride)], b[u64(q + x + b_stride)])
                d2 = _difference16(a[u64(p + x + 2 * a_stride)], b[u64(q + x + 2 * b_stride)])
                d3 = _difference16(a[u64(p + x + 3 * a_stride)], b[u64(q + x + 3 * b_stride)])
                d0, d1, d2, d3 = _hadamard_4(d0, d1, d2, d3)
                s[u64(x)] = d0
                s[u64(x + 4)] = d1
                s[u64(x + 8)] = d2
                s[u64(x + 12)] = d3
            for k in range(2 * side):
                t[u64(k)] = s[u64(2 * k)] + s[u64(2 * k + 1)]
                t[u64(k + 8)] = s[u64(2 * k)] - s[u64(2 * k + 1)]
            # The halved sum is what (sum + 1) >> 1 of an even sum gives.
            total += _last_stage(t, 2 * side)
    return total


def sse(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Row by row in 32 bits: 64 * 64 * 255 ** 2 fits."""
    total = i32(0)
    for y in range(h):
        p = a_at + y * a_stride
        q = b_at + y * b_stride
        for x in range(w):
            d = _difference(a[u64(p + x)], b[u64(q + x)])
            total = i32(total + i32(d * d))
    return np.int64(total)


def variance(a, a_at, a_stride, w, h):
    """Both sums in 32 bits."""
    total = i32(0)
    squares = i32(0)
    for y in range(h):
        p = a_at + y * a_stride
        for x in range(w):
            value = i32(a[u64(p + x)])
            total = i32(total + value)
            squares = i32(squares + i32(value * value))
    return np.int64(squares) - np.int64(total) * np.int64(total) // (w * h)


def residual(a, a_at, a_stride, b, b_at, b_stride, out, w, h):
    """Row by row."""
    for y in range(h):
        p = a_at + y * a_stride
        q = b_at + y * b_stride
        o = y * w
        for x in range(w):
            out[u64(o + x)] = _difference(a[u64(p + x)], b[u64(q + x)])
    return 0
