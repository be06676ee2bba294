"""Loop restoration, written for LLVM's loop vectoriser (see distortion.py; spec 7.17). Contracts are in table.py."""

import numpy as np

from encoder.kernels.scratch import scratch_int16, scratch_int32
from encoder.tables import table

i16 = np.int16
i32 = np.int32
u32 = np.uint32
u64 = np.uint64

SGR_PARAMS = table("sgr_params")
STRIDE = 66
"""Row length of the scratch arrays of box_filter: 64 samples and one on each side."""
A2 = np.array([1, *(((z << 8) + z // 2) // (z + 1) for z in range(1, 255)), 256], np.int32)
"""a2 of spec 7.17.3 by z, for z up to 255."""


def wiener_filter(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, taps, taps_at):
    rows = scratch_int16(4480)  # 70 rows of 64
    c0, c1, c2 = i32(taps[taps_at + 3]), i32(taps[taps_at + 4]), i32(taps[taps_at + 5])
    c3 = i32(128 - 2 * (c0 + c1 + c2))
    for r in range(h + 6):
        p = padded_at + (r - 3) * padded_stride
        q = r * 64
        for x in range(w):
            s = _taps(
                c0, c1, c2, c3,
                padded[u64(p + x - 3)], padded[u64(p + x - 2)], padded[u64(p + x - 1)], padded[u64(p + x)],
                padded[u64(p + x + 1)], padded[u64(p + x + 2)], padded[u64(p + x + 3)],
            )  # fmt: skip
            rows[u64(q + x)] = min(i32(6143), max(i32(-2048), i32(s + 4) >> 3))
    c0, c1, c2 = i32(taps[taps_at]), i32(taps[taps_at + 1]), i32(taps[taps_at + 2])
    c3 = i32(128 - 2 * (c0 + c1 + c2))
    for r in range(h):
        p = (r + 3) * 64
        q = dst_at + r * dst_stride
        for x in range(w):
            s = _taps(
                c0, c1, c2, c3,
                rows[u64(p + x - 192)], rows[u64(p + x - 128)], rows[u64(p + x - 64)], rows[u64(p + x)],
                rows[u64(p + x + 64)], rows[u64(p + x + 128)], rows[u64(p + x + 192)],
            )  # fmt: skip
            dst[u64(q + x)] = min(i32(255), max(i32(0), i32(s + 1024) >> 11))
    return 0


def _taps(c0, c1, c2, c3, x0, x1, x2, x3, x4, x5, x6):
    """The symmetric filter of seven taps, in 32 bits."""
    outer = i32(i32(c0 * i32(i32(x0) + i32(x6))) + i32(c1 * i32(i32(x1) + i32(x5))))
    return i32(outer + i32(i32(c2 * i32(i32(x2) + i32(x4))) + i32(c3 * i32(x3))))


def wiener_statistics(
    padded, padded_at, padded_stride, src, src_at, src_stride, w, h, taps, taps_at, vertical, sums, sums_at
):
    y = scratch_int16(4900)  # 70 rows of 70
    if vertical:
        _filter_into(y, padded, padded_at - 3 * padded_stride, padded_stride, w, h + 6, 1, taps, taps_at + 3)
        step, first = 70, 210
    else:
        _filter_into(y, padded, padded_at - 3, padded_stride, w + 6, h, padded_stride, taps, taps_at)
        step, first = 1, 3
    s00, s01, s02, s11, s12, s22, s0t, s1t, s2t = 0, 0, 0, 0, 0, 0, 0, 0, 0
    for r in range(h):
        p = first + r * 70
        q = src_at + r * src_stride
        for x in range(w):
            at = p + x
            centre = i32(y[u64(at)])
            twice = i32(centre + centre)
            f0 = i32(i32(i32(y[u64(at - 3 * step)]) + i32(y[u64(at + 3 * step)])) - twice)
            f1 = i32(i32(i32(y[u64(at - 2 * step)]) + i32(y[u64(at + 2 * step)])) - twice)
            f2 = i32(i32(i32(y[u64(at - step)]) + i32(y[u64(at + step)])) - twice)
            t = i32(i32(src[u64(q + x)]) * i32(16) - centre)
            s00 += i32(f0 * f0)
            s01 += i32(f0 * f1)
            s02 += i32(f0 * f2)
            s11 += i32(f1 * f1)
            s12 += i32(f1 * f2)
            s22 += i32(f2 * f2)
            s0t += i32(f0 * t)
            s1t += i32(f1 * t)
            s2t += i32(f2 * t)
    sums[sums_at] += s00
    sums[sums_at + 1] += s01
    sums[sums_at + 2] += s02
    sums[sums_at + 3] += s11
    sums[sums_at + 4] += s12
    sums[sums_at + 5] += s22
    sums[sums_at + 6] += s0t
    sums[sums_at + 7] += s1t
    sums[sums_at + 8] += s2t
    return 0


def _filter_into(y, padded, at, stride, w, h, across, taps, taps_at):
    """w x h samples, filtered in one direction and rounded to 1/16, to rows of 70."""
    c0, c1, c2 = i32(taps[taps_at]), i32(taps[taps_at + 1]), i32(taps[taps_at + 2])
    c3 = i32(128 - 2 * (c0 + c1 + c2))
    for r in range(h):
        p = at + r * stride
        q = r * 70
        for x in range(w):
            s = _taps(
                c0, c1, c2, c3,
                padded[u64(p + x - 3 * across)], padded[u64(p + x - 2 * across)], padded[u64(p + x - across)],
                padded[u64(p + x)],
                padded[u64(p + x + across)], padded[u64(p + x + 2 * across)], padded[u64(p + x + 3 * across)],
            )  # fmt: skip
            y[u64(q + x)] = i32(s + 4) >> 3
    return 0


def box_filter(padded, padded_at, padded_stride, w, h, sgr_set, pass_number, out):
    radius, eps = SGR_PARAMS[sgr_set, 2 * pass_number], SGR_PARAMS[sgr_set, 2 * pass_number + 1]
    if radius == 0:
        for i in range(h):
            p = padded_at + i * padded_stride
            for j in range(w):
                out[u64(i * w + j)] = i16(i16(padded[u64(p + j)]) << 4)
        return 0
    a_of = scratch_int32(4356)  # 66 rows of 66
    b_of = scratch_int32(4356)
    step = 2 if pass_number == 0 else 1
    for i in range(0, h + 2, step):
        corner = padded_at + (i - 1 - radius) * padded_stride - 1 - radius
        _box_row(padded, corner, padded_stride, w + 2, radius, eps, a_of, b_of, i * STRIDE)
    for i in range(h):
        row = (i + 1) * STRIDE
        p = padded_at + i * padded_stride
        if pass_number == 1:
            _full_row(a_of, b_of, row, padded, p, w, out, i * w)
        elif i & 1:
            _line_row(a_of, b_of, row, padded, p, w, out, i * w)
        else:
            _two_lines_row(a_of, b_of, row, padded, p, w, out, i * w)
    return 0


def _box_row(padded, corner, stride, count, radius, eps, a_of, b_of, at):
    """One row of A and B: sums over columns first, then along the row."""
    squares = scratch_int32(72)
    sums = scratch_int32(72)
    for x in range(count + 2 * radius):
        q = corner + x
        s0 = i32(padded[u64(q)])
        s1 = i32(padded[u64(q + stride)])
        s2 = i32(padded[u64(q + 2 * stride)])
        sums[u64(x)] = i32(s0 + s1) + s2
        squares[u64(x)] = i32(i32(s0 * s0) + i32(s1 * s1)) + i32(s2 * s2)
    if radius == 2:
        for x in range(count + 4):
            q = corner + x + 3 * stride
            s3 = i32(padded[u64(q)])
            s4 = i32(padded[u64(q + stride)])
            sums[u64(x)] += i32(s3 + s4)
            squares[u64(x)] += i32(i32(s3 * s3) + i32(s4 * s4))
    n = (2 * radius + 1) * (2 * radius + 1)
    n2e = n * n * eps
    scale = u32(((1 << 20) + n2e // 2) // n2e)
    count_32 = u32(n)
    for j in range(count):
        a = i32(i32(squares[u64(j)] + squares[u64(j + 1)]) + squares[u64(j + 2)])
        b = i32(i32(sums[u64(j)] + sums[u64(j + 1)]) + sums[u64(j + 2)])
        if radius == 2:
            a = i32(a + i32(squares[u64(j + 3)] + squares[u64(j + 4)]))
            b = i32(b + i32(sums[u64(j + 3)] + sums[u64(j + 4)]))
        # The variance is never negative, and times the scale fits 32 bits without a sign.
        p = u32(u32(u32(a) * count_32) - u32(u32(b) * u32(b)))
        a_of[u64(at + j)] = u32(u32(p * scale) + u32(1 << 19)) >> 20
        b_of[u64(at + j)] = b
    one_over_n = i32((4096 + n // 2) // n)
    for j in range(count):
        a2 = A2[u64(min(i32(255), a_of[u64(at + j)]))]
        a_of[u64(at + j)] = a2
        b = i32(i32(i32(256) - a2) * b_of[u64(at + j)])
        b_of[u64(at + j)] = i32(i32(b * one_over_n) + i32(2048)) >> 12
    return 0


def _full_row(a_of, b_of, row, padded, p, w, out, at):
    """Pass 1: weights 4 in the cross, 3 in the corners."""
    for j in range(w):
        q = row + j
        a = _nine(a_of, q)
        b = _nine(b_of, q)
        out[u64(at + j)] = i32(i32(i32(a * i32(padded[u64(p + j)])) + b) + i32(256)) >> 9
    return 0


def _nine(of, q):
    above = i32(of[u64(q - 66)] + of[u64(q - 64)])
    below = i32(of[u64(q + 66)] + of[u64(q + 68)])
    cross = i32(i32(of[u64(q - 65)] + of[u64(q)]) + i32(i32(of[u64(q + 1)] + of[u64(q + 2)]) + of[u64(q + 67)]))
    return i32(i32(cross * i32(4)) + i32(i32(above + below) * i32(3)))


def _line_row(a_of, b_of, row, padded, p, w, out, at):
    """Pass 0, odd rows: the row itself."""
    for j in range(w):
        q = row + j
        a = _three(a_of, q)
        b = _three(b_of, q)
        out[u64(at + j)] = i32(i32(i32(a * i32(padded[u64(p + j)])) + b) + i32(128)) >> 8
    return 0


def _two_lines_row(a_of, b_of, row, padded, p, w, out, at):
    """Pass 0, even rows: the rows above and below."""
    for j in range(w):
        q = row + j
        a = i32(_three(a_of, q - 66) + _three(a_of, q + 66))
        b = i32(_three(b_of, q - 66) + _three(b_of, q + 66))
        out[u64(at + j)] = i32(i32(i32(a * i32(padded[u64(p + j)])) + b) + i32(256)) >> 9
    return 0


def _three(of, q):
    sides = i32(of[u64(q)] + of[u64(q + 2)])
    return i32(i32(sides * i32(5)) + i32(of[u64(q + 1)] * i32(6)))


def self_guided_mix(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, flt0, flt1, xqd0, xqd1):
    w0, w1, w2 = i32(xqd0), i32(xqd1), i32(128 - xqd0 - xqd1)
    for i in range(h):
        p = padded_at + i * padded_stride
        q = dst_at + i * dst_stride
        for j in range(w):
            u = i32(i32(padded[u64(p + j)]) * i32(16))
            v = i32(i32(w1 * u) + i32(w0 * i32(flt0[u64(i * w + j)])))
            v = i32(v + i32(w2 * i32(flt1[u64(i * w + j)])))
            dst[u64(q + j)] = min(i32(255), max(i32(0), i32(v + i32(1024)) >> 11))
    return 0


def self_guided_statistics(padded, padded_at, padded_stride, src, src_at, src_stride, w, h, flt0, flt1, sums, sums_at):
    s00, s01, s11, s0t, s1t = 0, 0, 0, 0, 0
    for i in range(h):
        p = padded_at + i * padded_stride
        q = src_at + i * src_stride
        for j in range(w):
            u = i32(i32(padded[u64(p + j)]) * i32(16))
            d0 = i32(i32(flt0[u64(i * w + j)]) - u)
            d1 = i32(i32(flt1[u64(i * w + j)]) - u)
            t = i32(i32(i32(src[u64(q + j)]) * i32(16)) - u)
            s00 += i32(d0 * d0)
            s01 += i32(d0 * d1)
            s11 += i32(d1 * d1)
            s0t += i32(d0 * t)
            s1t += i32(d1 * t)
    sums[sums_at] += s00
    sums[sums_at + 1] += s01
    sums[sums_at + 2] += s11
    sums[sums_at + 3] += s0t
    sums[sums_at + 4] += s1t
    return 0
