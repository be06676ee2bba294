"""Inter prediction from one picture and from two, reference versions (spec 7.11.3). Contracts are in table.py."""

import numpy as np

from encoder.intmath import clip1, round2
from encoder.tables import table

SUBPEL_FILTERS = table("subpel_filters")
TAPS = 8
TAPS_BEFORE = 3
"""Taps that lie before the sample; the filter's tap of that number is all there is of a filter of fraction 0."""
INTER_ROUND_0 = 3
INTER_ROUND_1_SINGLE = 11
INTER_ROUND_1_COMPOUND = 7
INTER_POST_ROUND = 4


def mc_put(dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """Block inter prediction process (spec 7.11.3.4) with isCompound 0, clipped to samples."""
    intermediate = _filtered_rows(ref, ref_at, ref_stride, w, h, filter_x, frac_x, frac_y)
    for r in range(h):
        for c in range(w):
            s = _filtered_column(intermediate, r * w + c, w, filter_y, frac_y)
            dst[dst_at + r * dst_stride + c] = clip1(round2(s, INTER_ROUND_1_SINGLE))
    return 0


def mc_prep(out, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """Block inter prediction process (spec 7.11.3.4) with isCompound 1."""
    intermediate = _filtered_rows(ref, ref_at, ref_stride, w, h, filter_x, frac_x, frac_y)
    for r in range(h):
        for c in range(w):
            s = _filtered_column(intermediate, r * w + c, w, filter_y, frac_y)
            out[r * w + c] = round2(s, INTER_ROUND_1_COMPOUND)
    return 0


def _filtered_rows(ref, ref_at, ref_stride, w, h, filter_x, frac_x, frac_y):
    """The array `intermediate`, packed. Of a fraction 0 only the tap that is not 0 looks at the picture."""
    intermediate = np.zeros((h + TAPS - 1) * w, np.int64)
    rows = (0, h + TAPS - 1) if frac_y != 0 else (TAPS_BEFORE, TAPS_BEFORE + h)
    taps = (0, TAPS) if frac_x != 0 else (TAPS_BEFORE, TAPS_BEFORE + 1)
    for r in range(rows[0], rows[1]):
        at = ref_at + (r - TAPS_BEFORE) * ref_stride - TAPS_BEFORE
        for c in range(w):
            s = 0
            for t in range(taps[0], taps[1]):
                s += SUBPEL_FILTERS[filter_x, frac_x, t] * np.int64(ref[at + c + t])
            intermediate[r * w + c] = round2(s, INTER_ROUND_0)
    return intermediate


def _filtered_column(intermediate, at, w, filter_y, frac_y):
    """The sum over the rows of `intermediate` from the one of index `at` on."""
    s = 0
    for t in range(TAPS):
        s += SUBPEL_FILTERS[filter_y, frac_y, t] * intermediate[at + t * w]
    return s


def average(dst, dst_at, dst_stride, a, b, w, h):
    """The mean of two predictions (spec 7.11.3.1: compound_type COMPOUND_AVERAGE)."""
    for r in range(h):
        for c in range(w):
            total = np.int64(a[r * w + c]) + np.int64(b[r * w + c])
            dst[dst_at + r * dst_stride + c] = clip1(round2(total, 1 + INTER_POST_ROUND))
    return 0


def extend_edges(samples, at, stride, w, h, left, right, top, bottom):
    """Each row to the left and to the right, then the first and the last row upwards and downwards."""
    for y in range(h):
        row = at + y * stride
        for x in range(left):
            samples[row - left + x] = samples[row]
        for x in range(right):
            samples[row + w + x] = samples[row + w - 1]
    first = at - left
    last = first + (h - 1) * stride
    for x in range(left + w + right):
        for y in range(top):
            samples[first + x - (top - y) * stride] = samples[first + x]
        for y in range(bottom):
            samples[last + x + (y + 1) * stride] = samples[last + x]
    return 0
