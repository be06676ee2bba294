"""Inter prediction by vectors of columns (see inter_lanes.py; spec 7.11.3). Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numba.inter_lanes import COMPOUND_SCALE, SINGLE_SCALE, average_lanes, predict_lanes
from encoder.tables import table

HALVED_TAPS = table("subpel_filters", np.int16).ravel() // 2
SINGLE_TAPS = HALVED_TAPS * np.int16(SINGLE_SCALE)
COMPOUND_TAPS = HALVED_TAPS * np.int16(COMPOUND_SCALE)

u64 = np.uint64


def mc_put(dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    predict_lanes(
        dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, frac_x, frac_y,
        HALVED_TAPS, _taps_at(filter_x, frac_x), _taps_at(filter_y, frac_y), SINGLE_TAPS,
    )  # fmt: skip
    return 0


def mc_prep(out, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    predict_lanes(
        out, 0, w, ref, ref_at, ref_stride, w, h, frac_x, frac_y,
        HALVED_TAPS, _taps_at(filter_x, frac_x), _taps_at(filter_y, frac_y), COMPOUND_TAPS,
    )  # fmt: skip
    return 0


def _taps_at(filter_row, frac):
    """Where the eight taps of a filter begin."""
    return (filter_row * 16 + frac) * 8


def average(dst, dst_at, dst_stride, a, b, w, h):
    average_lanes(dst, dst_at, dst_stride, a, b, w, h)
    return 0


def extend_edges(samples, at, stride, w, h, left, right, top, bottom):
    """Loops that LLVM turns into fills and copies: unsigned indices, values read before the loop."""
    for y in range(h):
        row = at + y * stride
        first = samples[u64(row)]
        last = samples[u64(row + w - 1)]
        for x in range(left):
            samples[u64(row - left + x)] = first
        for x in range(right):
            samples[u64(row + w + x)] = last
    length = left + w + right
    for y in range(top):
        _copy(samples, at - left, at - left - (y + 1) * stride, length)
    edge = at - left + (h - 1) * stride
    for y in range(bottom):
        _copy(samples, edge, edge + (y + 1) * stride, length)
    return 0


def _copy(samples, source, target, count):
    for x in range(count):
        samples[u64(target + x)] = samples[u64(source + x)]
