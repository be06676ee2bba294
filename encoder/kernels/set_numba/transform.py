"""Transforms on vectors of rows and columns (transform_lanes.py), quantization by reciprocals."""

import numpy as np

from encoder.intmath import clip3, round2
from encoder.kernels.butterflies import COLUMN_SHIFT, FLIPADST, FORWARD_SHIFTS, HORIZONTAL, ROW_SHIFT, VERTICAL
from encoder.kernels.set_numba.transform_lanes import LANES, add_vectors, forward_lanes, inverse_lanes
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_KEPT, MAX_LEVEL
from encoder.simd import i32, i32x4, i32x8, pointer, scratch
from encoder.spec import DCT_DCT

COS_QUARTER = 2896
"""4096 * cos(pi / 4), rounded: cos128( 32 ) of the specification."""


def forward_transform(residual, coefs, tx_size, tx_type):
    """By way of vectors of rows and columns."""
    forward_at(pointer(residual, 0), pointer(coefs, 0), tx_size, tx_type)
    return 0


def forward_at(residual, coefs, tx_size, tx_type):
    """Columns first: the residual's column x becomes half_way + x * kept and what follows."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    half_way = scratch(i32, 64 * 32)
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        before, between = FORWARD_SHIFTS[tx_size, 0], FORWARD_SHIFTS[tx_size, 1]
        forward_lanes(vertical, tx_size, residual + at + x, step, half_way + x * kept, kept, before, between)
    at, step = first_row(horizontal, size, kept)
    for y in range(0, kept, lanes):
        after = FORWARD_SHIFTS[tx_size, 2]
        forward_lanes(horizontal, tx_size, half_way + at + y, step, coefs + y * kept, kept, 0, after)


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    """The flat residual of the first coefficient alone, or vectors of rows and columns."""
    first, place = pointer(coefs, 0), pointer(dst, dst_at)
    if eob == 1 and tx_type == DCT_DCT:
        add_flat(first[0], place, dst_stride, tx_size)
    else:
        inverse_at(first, place, dst_stride, tx_size, tx_type)
    return 0


def add_flat(dc, dst, dst_stride, tx_size):
    """Where only the first coefficient of a DCT is not zero, the residual has one value."""
    size = 4 << tx_size
    residual = scratch(i32, 64)
    flat = flat_residual(dc, ROW_SHIFT[tx_size])
    for x in range(size):
        residual[x] = flat
    add_residual(residual, 0, dst, dst_stride, size)


def inverse_at(coefs, dst, dst_stride, tx_size, tx_type):
    """Rows first: they make the columns half_way + x * kept, without the rows of zeros at the end."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    half_way = scratch(i32, 64 * 32)
    rows = kept
    while rows > lanes and all_zero(coefs + (rows - lanes) * kept, lanes * kept):
        rows -= lanes
    if rows < kept:
        clear(half_way, size * kept)
    at, step = first_row(horizontal, size, kept)
    for y in range(0, rows, lanes):
        inverse_lanes(horizontal, tx_size, coefs + y * kept, kept, half_way + at + y, step, ROW_SHIFT[tx_size])
    residual = scratch(i32, 64 * 64)
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        inverse_lanes(vertical, tx_size, half_way + x * kept, kept, residual + at + x, step, COLUMN_SHIFT)
    add_residual(residual, size, dst, dst_stride, size)


def first_row(kind, rows, stride):
    """Where the rows of a block begin, and the step to the next: from the last upwards for a flipped transform."""
    if kind == FLIPADST:
        return (rows - 1) * stride, -stride
    return 0, stride


def all_zero(values, count):
    """Whether the first values are nothing but zeros."""
    bits = 0
    for i in range(count):
        bits |= values[i]
    return bits == 0


def clear(values, count):
    """Set the first values to nought."""
    for i in range(count):
        values[i] = 0


def flat_residual(dc, row_shift):
    """The one value of the residual where only the first coefficient of a DCT is not zero: it is scaled and copied."""
    once = clip3(LOWEST, HIGHEST, round2(round2(dc * COS_QUARTER, 12), row_shift))
    return round2(round2(once * COS_QUARTER, 12), COLUMN_SHIFT)


def add_residual(residual, residual_stride, dst, dst_stride, size):
    """Add a square block to the samples, clipped to 8 bits; with residual_stride 0 the same row to each of theirs."""
    if size == 4:
        add_vectors(i32x4, residual, residual_stride, dst, dst_stride, 4)
        return
    for y in range(0, size, 8):
        for x in range(0, size, 8):
            at = y * residual_stride + x
            add_vectors(i32x8, residual + at, residual_stride, dst + y * dst_stride + x, dst_stride, 8)


def quantize(coefs, levels, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round):
    """Multiplications by the reciprocal in place of divisions."""
    scale = float(1 << shift)
    offset = (ac_q * ac_round >> 8) + 0.5
    reciprocal = 1.0 / ac_q
    for i in range(np.uint64(count)):
        levels[i] = level_of(coefs[i], scale, offset, reciprocal)
    levels[0] = level_of(coefs[0], scale, (dc_q * dc_round >> 8) + 0.5, 1.0 / dc_q)
    if all_zero(pointer(levels, 0), count):
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
