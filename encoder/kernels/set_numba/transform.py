"""Transforms on vectors of rows and columns (transform_lanes.py), quantization by reciprocals."""

import numpy as np

from encoder.intmath import clip3, round2
from encoder.kernels.butterflies import COLUMN_SHIFT, FLIPADST, FORWARD_SHIFTS, HORIZONTAL, ROW_SHIFT, VERTICAL
from encoder.kernels.scratch import scratch_int32
from encoder.kernels.set_numba.transform_lanes import LANES, TX_SIZES, add_lanes, forward_lanes, inverse_lanes
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_KEPT, MAX_LEVEL
from encoder.spec import DCT_DCT

COS_QUARTER = 2896
"""4096 * cos(pi / 4), rounded: cos128( 32 ) of the specification."""


def forward_transform(residual, coefs, tx_size, tx_type):
    """Columns first: the residual's column x becomes half_way[x * kept : (x + 1) * kept]."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    before = FORWARD_SHIFTS[tx_size, 0]
    between = FORWARD_SHIFTS[tx_size, 1]
    after = FORWARD_SHIFTS[tx_size, 2]
    half_way = scratch_int32(64 * 32)
    number = vertical * TX_SIZES + tx_size
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        forward_lanes(number, residual, at + x, step, half_way, x * kept, kept, before, between)
    number = horizontal * TX_SIZES + tx_size
    at, step = first_row(horizontal, size, kept)
    for y in range(0, kept, lanes):
        forward_lanes(number, half_way, at + y, step, coefs, y * kept, kept, 0, after)
    return 0


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    """Rows first: they make the columns half_way[x * kept : (x + 1) * kept], without the rows of zeros at the end."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    residual = scratch_int32(64 * 64)
    if eob == 1 and tx_type == DCT_DCT:
        flat = flat_residual(coefs[0], ROW_SHIFT[tx_size])
        for x in range(np.uint64(size)):
            residual[x] = flat
        add_residual(residual, 0, dst, dst_at, dst_stride, size)
        return 0
    half_way = scratch_int32(64 * 32)
    rows = kept
    while rows > lanes and all_zero(coefs, (rows - lanes) * kept, rows * kept):
        rows -= lanes
    if rows < kept:
        clear(half_way, size * kept)
    number = horizontal * TX_SIZES + tx_size
    at, step = first_row(horizontal, size, kept)
    for y in range(0, rows, lanes):
        inverse_lanes(number, coefs, y * kept, kept, half_way, at + y, step, ROW_SHIFT[tx_size], 0)
    number = vertical * TX_SIZES + tx_size
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        inverse_lanes(number, half_way, x * kept, kept, residual, at + x, step, COLUMN_SHIFT, 0)
    add_residual(residual, size, dst, dst_at, dst_stride, size)
    return 0


def first_row(kind, rows, stride):
    """Where the rows of a block begin, and the step to the next: from the last upwards for a flipped transform."""
    if kind == FLIPADST:
        return (rows - 1) * stride, -stride
    return 0, stride


def all_zero(coefs, begin, end):
    """Whether coefs[begin:end] holds nothing but zeros."""
    bits = np.int32(0)
    for i in range(np.uint64(begin), np.uint64(end)):
        bits |= coefs[i]
    return bits == 0


def clear(values, count):
    """Set values[:count] to nought."""
    for i in range(np.uint64(count)):
        values[i] = 0


def flat_residual(dc, row_shift):
    """The one value of the residual where only the first coefficient of a DCT is not zero: it is scaled and copied."""
    once = clip3(LOWEST, HIGHEST, round2(round2(dc * COS_QUARTER, 12), row_shift))
    return round2(round2(once * COS_QUARTER, 12), COLUMN_SHIFT)


def add_residual(residual, residual_stride, dst, dst_at, dst_stride, size):
    """Add a square block to the samples, clipped to 8 bits; with residual_stride 0 the same row to each of theirs."""
    if size == 4:
        for y in range(size):
            add_lanes(residual, y * residual_stride, dst, dst_at + y * dst_stride, 4)
        return
    for y in range(size):
        for x in range(0, size, 8):
            add_lanes(residual, y * residual_stride + x, dst, dst_at + y * dst_stride + x, 8)


def quantize(coefs, levels, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round):
    """Multiplications by the reciprocal in place of divisions."""
    scale = float(1 << shift)
    offset = (ac_q * ac_round >> 8) + 0.5
    reciprocal = 1.0 / ac_q
    for i in range(np.uint64(count)):
        levels[i] = level_of(coefs[i], scale, offset, reciprocal)
    levels[0] = level_of(coefs[0], scale, (dc_q * dc_round >> 8) + 0.5, 1.0 / dc_q)
    if all_zero(levels, 0, count):
        return 0
    last = np.uint64(scan_at + count - 1)
    while levels[np.uint64(scan[last])] == 0:
        last -= np.uint64(1)
    return np.int64(last) - scan_at + 1


def level_of(coef, scale, offset, reciprocal):
    """The level of one coefficient, exactly that of the contract.

    The half in `offset` keeps the quotient half a 1/q away from all integers: much more than two doubles lose here.
    """
    level = np.int32(min((abs(np.float64(coef)) * scale + offset) * reciprocal, float(MAX_LEVEL)))
    sign = coef >> np.int32(31)
    return (level ^ sign) - sign
