"""Temporal filter of a picture, block by block of 16x16 luma samples. Plain subset.

A neighbour's block, moved to where it fits best (to a quarter of a sample), is added to weighted sums. The weight of a sample
falls with the squared error of the 8x8 cell that it lies in, mixed with that of the whole block, and with its own difference:
noise is averaged away, what moves otherwise than found, is uncovered or changes its light keeps the picture's own samples.
The unit of these errors is the tolerance (of a plane): what noise and the quantizer will make of a sample anyway.
"""

from typing import Any, ClassVar

import numpy as np

from encoder.byref import Record, i16s, i64, i64s, u8s, u16s
from encoder.spec import EIGHTTAP_SHARP

SIDE = 16
CELL = 8
OWN_WEIGHT = 32
"""Of a sample of the picture itself; one of a neighbour has at most 31."""
FULL_BASE = 255
"""temporal_accumulate's base for a block without error; at 0 the block counts nothing."""
ERROR_SLOPE = 14
"""What an error of one tolerance takes from the base."""
SAMPLE_SLOPE = 6
"""What a squared difference of one tolerance takes from it, sample by sample."""
STEADY = 1
"""Length of a vector (row and col together, 1/8 samples) at which the tolerance is half of that of what stands still: a pan by
one sample has a ninth. Only where nothing moves does the neighbour show the very same samples."""
MAX_SLOPE = 4095
HOPELESS = 24
"""Errors of a block at a vector of whole samples, in tolerances, at which no fraction of a sample is tried."""
TAPS_BEFORE, TAPS_BEHIND = 3, 4
PREDICTION_SIZE = SIDE * SIDE
SHIFT = 8
"""Tolerances and mean errors count in 1/256 of a squared difference."""


class TemporalView(Record):
    """A picture, one neighbour of the same layout, and what is summed up.

    samples, neighbour          all three planes, origin and stride by plane
    width, height               luma samples of the allocated area, multiples of 64
    border                      samples around it that the neighbour has too, in every plane
    rows16, cols16              blocks that cover the visible picture
    mv                          in: row and col of each block in 1/8 samples, whole ones; out: refined to multiples of 2
    tolerance                   by plane, in 1/256 of a squared difference, at least 1
    sums, weights               in/out, of the allocated area
    sums_origin, sums_stride    of both, by plane
    prediction                  scratch of PREDICTION_SIZE
    errors                      scratch of 4
    """

    FIELDS: ClassVar[dict[str, Any]] = {
        "samples": u8s,
        "neighbour": u8s,
        "origin": i64s,
        "stride": i64s,
        "width": i64,
        "height": i64,
        "border": i64,
        "rows16": i64,
        "cols16": i64,
        "mv": i16s,
        "tolerance": i64s,
        "sums": u16s,
        "weights": u8s,
        "sums_origin": i64s,
        "sums_stride": i64s,
        "prediction": u8s,
        "errors": i64s,
    }


def add_neighbour(k, v, first, end):
    """Add a neighbour's blocks to sums and weights, in some rows of blocks: each touches its own place alone."""
    for row in range(first, end):
        for col in range(v.cols16):
            index = 2 * (row * v.cols16 + col)
            mv_row, mv_col, error = _refine(k, v, row, col, np.int64(v.mv[index]), np.int64(v.mv[index + 1]))
            v.mv[index], v.mv[index + 1] = mv_row, mv_col
            if error < HOPELESS * v.tolerance[0]:
                _add_block(k, v, row, col, mv_row, mv_col)
    return 0


def normalize(k, v, dst):
    """The filtered picture from sums and weights: dst has the layout of the samples."""
    for plane in range(3):
        sub = 1 if plane > 0 else 0
        side = 64 >> sub
        for y in range(0, v.height >> sub, side):
            for x in range(0, v.width >> sub, side):
                at = v.origin[plane] + y * v.stride[plane] + x
                sums_at = v.sums_origin[plane] + y * v.sums_stride[plane] + x
                stride, sums_stride = v.stride[plane], v.sums_stride[plane]
                k.temporal_normalize(dst, at, stride, v.sums, v.weights, sums_at, sums_stride, side, side)
    return 0


def _refine(k, v, row, col, mv_row, mv_col):
    """A better vector near one of whole samples, and its mean squared error."""
    best_row, best_col = mv_row, mv_col
    best = _error_at(k, v, row, col, mv_row, mv_col)
    if best <= v.tolerance[0] >> 2 or best >= HOPELESS * v.tolerance[0]:
        return best_row, best_col, best
    step = 4
    while step >= 2:
        centre_row, centre_col = best_row, best_col
        for sign in (-1, 1):
            error = _error_at(k, v, row, col, centre_row + sign * step, centre_col)
            if error < best:
                best_row, best_col, best = centre_row + sign * step, centre_col, error
        for sign in (-1, 1):
            error = _error_at(k, v, row, col, best_row, centre_col + sign * step)
            if error < best:
                best_col, best = centre_col + sign * step, error
        step >>= 1
    return best_row, best_col, best


def _error_at(k, v, row, col, mv_row, mv_col):
    """Mean squared error of a luma block at a vector; the prediction stays in scratch."""
    _predict(k, v, 0, row, col, mv_row, mv_col)
    at = _block_at(v.origin, v.stride, 0, row, col)
    return k.sse(v.samples, at, v.stride[0], v.prediction, 0, SIDE, SIDE, SIDE)


def _block_at(origin, stride, plane, row, col):
    side = SIDE >> 1 if plane > 0 else SIDE
    return origin[plane] + side * (row * stride[plane] + col)


def _predict(k, v, plane, row, col, mv_row, mv_col):
    """The neighbour's block at a vector, kept within its samples."""
    sub = 1 if plane > 0 else 0
    side = SIDE >> sub
    # Sixteenths of a sample of the plane.
    y, frac_y = _place(side * row, mv_row << (1 - sub), side, v.height >> sub, v.border)
    x, frac_x = _place(side * col, mv_col << (1 - sub), side, v.width >> sub, v.border)
    stride = v.stride[plane]
    at = v.origin[plane] + y * stride + x
    k.mc_put(v.prediction, 0, side, v.neighbour, at, stride, side, side, EIGHTTAP_SHARP, EIGHTTAP_SHARP, frac_x, frac_y)
    return 0


def _place(start, offset, side, size, border):
    """Where a block lies that is moved by sixteenths of a sample: sample and fraction; no filter reads beyond the border."""
    first, last = -border, size + border - side
    place = start + (offset >> 4)
    if place < first + TAPS_BEFORE or place > last - TAPS_BEHIND:
        return min(max(place, first), last), 0
    return place, offset & 15


def _add_block(k, v, row, col, mv_row, mv_col):
    """All three planes of a block."""
    _predict(k, v, 0, row, col, mv_row, mv_col)
    stride, sums_stride = v.stride[0], v.sums_stride[0]
    at = _block_at(v.origin, v.stride, 0, row, col)
    sums_at = _block_at(v.sums_origin, v.sums_stride, 0, row, col)
    total = np.int64(0)
    for i in range(4):
        y, x = CELL * (i >> 1), CELL * (i & 1)
        v.errors[i] = k.sse(v.samples, at + y * stride + x, stride, v.prediction, y * SIDE + x, SIDE, CELL, CELL)
        total += v.errors[i]
    tolerance = _tolerance(v, 0, mv_row, mv_col)
    slope = _slope(tolerance)
    base_sum = np.int64(0)
    for i in range(4):
        y, x = CELL * (i >> 1), CELL * (i & 1)
        # Half of the cell's own mean, half of the block's, in 1/256.
        base = _base(2 * v.errors[i] + (total >> 1), tolerance)
        base_sum += base
        if base > 0:
            cell_at = at + y * stride + x
            k.temporal_accumulate(
                v.sums, v.weights, sums_at + y * sums_stride + x, sums_stride, v.samples, cell_at, stride,
                v.prediction, y * SIDE + x, SIDE, CELL, CELL, base, slope,
            )  # fmt: skip
    if base_sum > 0:
        for plane in (1, 2):
            _add_chroma(k, v, plane, row, col, mv_row, mv_col, base_sum >> 2)
    return 0


def _add_chroma(k, v, plane, row, col, mv_row, mv_col, luma_base):
    """A chroma block: it counts no more than the luma does."""
    _predict(k, v, plane, row, col, mv_row, mv_col)
    stride = v.stride[plane]
    at = _block_at(v.origin, v.stride, plane, row, col)
    error = k.sse(v.samples, at, stride, v.prediction, 0, CELL, CELL, CELL)
    tolerance = _tolerance(v, plane, mv_row, mv_col)
    base = min(luma_base, _base(4 * error, tolerance))
    if base > 0:
        sums_at = _block_at(v.sums_origin, v.sums_stride, plane, row, col)
        k.temporal_accumulate(
            v.sums, v.weights, sums_at, v.sums_stride[plane], v.samples, at, stride,
            v.prediction, 0, CELL, CELL, CELL, base, _slope(tolerance),
        )  # fmt: skip
    return 0


def _tolerance(v, plane, mv_row, mv_col):
    """What moves is tolerated less: it is blurred otherwise than in the neighbour, and lies at other fractions of a sample."""
    return max(1, v.tolerance[plane] * STEADY // (STEADY + abs(mv_row) + abs(mv_col)))


def _base(error, tolerance):
    return max(0, FULL_BASE - error * ERROR_SLOPE // tolerance)


def _slope(tolerance):
    """Per squared difference, in 1/256 (as tolerances are in 1/256: twice)."""
    return min(MAX_SLOPE, (SAMPLE_SLOPE << (2 * SHIFT)) // tolerance)
