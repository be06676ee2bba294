"""Loop restoration, reference versions (spec 7.17), and the sums that its search needs. Contracts are in table.py."""

import numpy as np
from numpy import int64

from encoder.intmath import clip1, clip3, round2
from encoder.tables import table

SGR_PARAMS = table("sgr_params")
INTER_ROUND_0, INTER_ROUND_1 = 3, 11
SGRPROJ_RST_BITS, SGRPROJ_PRJ_BITS, SGRPROJ_MTABLE_BITS, SGRPROJ_RECIP_BITS, SGRPROJ_SGR_BITS = 4, 7, 20, 12, 8
LARGEST_BLOCK = 66 * 66
"""Samples of a block of 64x64 with one more on each side."""


def wiener_filter(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, taps, taps_at):
    """Wiener filter process (spec 7.17.4)."""
    offset = 1 << (8 + 7 - INTER_ROUND_0 - 1)
    limit = (1 << (8 + 1 + 7 - INTER_ROUND_0)) - 1
    intermediate = np.empty(70 * 64, np.int64)
    for r in range(h + 6):
        for c in range(w):
            at = padded_at + (r - 3) * padded_stride + c
            v = round2(_filtered(padded, at, 1, taps, taps_at + 3), INTER_ROUND_0)
            intermediate[r * w + c] = clip3(-offset, limit - offset, v)
    for r in range(h):
        for c in range(w):
            s = _filtered(intermediate, (r + 3) * w + c, w, taps, taps_at)
            dst[dst_at + r * dst_stride + c] = clip1(round2(s, INTER_ROUND_1))
    return 0


def _filtered(samples, at, step, taps, taps_at):
    """Seven samples around `at` by the filter that the Wiener coefficient process (spec 7.17.5) makes of three."""
    s = 128 * int64(samples[at])
    for i in range(3):
        outer = int64(samples[at - (3 - i) * step]) + int64(samples[at + (3 - i) * step])
        s += int64(taps[taps_at + i]) * (outer - 2 * int64(samples[at]))
    return s


def wiener_statistics(
    padded, padded_at, padded_stride, src, src_at, src_stride, w, h, taps, taps_at, vertical, sums, sums_at
):
    f = np.empty(3, np.int64)
    y = np.empty(70 * 64, np.int64)
    # Y holds three samples more on either side in the direction of the fit.
    before, across = (padded_stride, 1) if vertical else (1, padded_stride)
    y_w, y_h = (w, h + 6) if vertical else (w + 6, h)
    fixed = taps_at + 3 if vertical else taps_at
    for r in range(y_h):
        for c in range(y_w):
            at = padded_at - 3 * before + r * padded_stride + c
            y[r * y_w + c] = round2(_filtered(padded, at, across, taps, fixed), INTER_ROUND_0)
    step = y_w if vertical else 1
    for r in range(h):
        for c in range(w):
            at = r * y_w + c + 3 * step
            for j in range(3):
                f[j] = y[at - (3 - j) * step] + y[at + (3 - j) * step] - 2 * y[at]
            t = 16 * int64(src[src_at + r * src_stride + c]) - y[at]
            sums[sums_at] += f[0] * f[0]
            sums[sums_at + 1] += f[0] * f[1]
            sums[sums_at + 2] += f[0] * f[2]
            sums[sums_at + 3] += f[1] * f[1]
            sums[sums_at + 4] += f[1] * f[2]
            sums[sums_at + 5] += f[2] * f[2]
            sums[sums_at + 6] += f[0] * t
            sums[sums_at + 7] += f[1] * t
            sums[sums_at + 8] += f[2] * t
    return 0


def box_filter(padded, padded_at, padded_stride, w, h, sgr_set, pass_number, out):
    """Box filter process (spec 7.17.3) at 8 bits."""
    radius, eps = SGR_PARAMS[sgr_set, 2 * pass_number], SGR_PARAMS[sgr_set, 2 * pass_number + 1]
    if radius == 0:
        for i in range(h):
            for j in range(w):
                out[i * w + j] = int64(padded[padded_at + i * padded_stride + j]) << SGRPROJ_RST_BITS
        return 0
    a_of, b_of = np.empty(LARGEST_BLOCK, np.int64), np.empty(LARGEST_BLOCK, np.int64)
    n = (2 * radius + 1) * (2 * radius + 1)
    n2e = n * n * eps
    s = ((1 << SGRPROJ_MTABLE_BITS) + n2e // 2) // n2e
    one_over_n = ((1 << SGRPROJ_RECIP_BITS) + n // 2) // n
    for i in range(-1, h + 1):
        for j in range(-1, w + 1):
            a = int64(0)
            b = int64(0)
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    c = int64(padded[padded_at + (i + dy) * padded_stride + j + dx])
                    a += c * c
                    b += c
            a2 = _a2(round2(max(0, a * n - b * b) * s, SGRPROJ_MTABLE_BITS))
            at = (i + 1) * (w + 2) + j + 1
            a_of[at] = a2
            b_of[at] = round2(((1 << SGRPROJ_SGR_BITS) - a2) * b * one_over_n, SGRPROJ_RECIP_BITS)
    for i in range(h):
        shift = 4 if pass_number == 0 and i & 1 else 5
        for j in range(w):
            at = (i + 1) * (w + 2) + j + 1
            a = _weighted(a_of, at, w + 2, pass_number, i & 1)
            b = _weighted(b_of, at, w + 2, pass_number, i & 1)
            v = a * int64(padded[padded_at + i * padded_stride + j]) + b
            out[i * w + j] = round2(v, SGRPROJ_SGR_BITS + shift - SGRPROJ_RST_BITS)
    return 0


def _a2(z):
    if z >= 255:
        return 256
    if z == 0:
        return 1
    return ((z << SGRPROJ_SGR_BITS) + z // 2) // (z + 1)


def _weighted(of, at, stride, pass_number, odd):
    """The weighted sum of the 3x3 entries around `at`; pass 0 knows odd rows only."""
    total = int64(0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if pass_number == 0:
                weight = 0 if (odd + dy) & 1 == 0 else (6 if dx == 0 else 5)
            else:
                weight = 4 if dx == 0 or dy == 0 else 3
            total += weight * of[at + dy * stride + dx]
    return total


def self_guided_mix(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, flt0, flt1, xqd0, xqd1):
    """The end of the self guided filter process (spec 7.17.2)."""
    w2 = (1 << SGRPROJ_PRJ_BITS) - xqd0 - xqd1
    for i in range(h):
        for j in range(w):
            u = int64(padded[padded_at + i * padded_stride + j]) << SGRPROJ_RST_BITS
            v = xqd1 * u + xqd0 * int64(flt0[i * w + j]) + w2 * int64(flt1[i * w + j])
            dst[dst_at + i * dst_stride + j] = clip1(round2(v, SGRPROJ_RST_BITS + SGRPROJ_PRJ_BITS))
    return 0


def self_guided_statistics(padded, padded_at, padded_stride, src, src_at, src_stride, w, h, flt0, flt1, sums, sums_at):
    for i in range(h):
        for j in range(w):
            u = int64(padded[padded_at + i * padded_stride + j]) << SGRPROJ_RST_BITS
            d0 = int64(flt0[i * w + j]) - u
            d1 = int64(flt1[i * w + j]) - u
            t = (int64(src[src_at + i * src_stride + j]) << SGRPROJ_RST_BITS) - u
            sums[sums_at] += d0 * d0
            sums[sums_at + 1] += d0 * d1
            sums[sums_at + 2] += d1 * d1
            sums[sums_at + 3] += d0 * t
            sums[sums_at + 4] += d1 * t
    return 0
