"""Transforms by vectors of rows and columns (see lanes.py), and quantization in loops that LLVM vectorises."""

import numpy as np

from encoder.kernels.butterflies import COLUMN_SHIFT, DCT, FLIPADST, FORWARD_SHIFTS, HORIZONTAL, ROW_SHIFT, VERTICAL
from encoder.kernels.set_numba.lanes import LANES, MAX_KEPT, TX_SIZES, forward_lanes, inverse_lanes, stack_array
from encoder.kernels.set_python.transform import MAX_LEVEL


def forward_transform(residual, coefs, tx_size, tx_type):
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    half_way = stack_array(64 * 32)  # column x is half_way[x * kept : (x + 1) * kept]
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        forward_lanes(
            vertical * TX_SIZES + tx_size, residual, at + x, step, half_way, x * kept, kept,
            FORWARD_SHIFTS[tx_size, 0], FORWARD_SHIFTS[tx_size, 1],
        )
    at, step = first_row(horizontal, size, kept)
    for y in range(0, kept, lanes):
        forward_lanes(
            horizontal * TX_SIZES + tx_size, half_way, at + y, step, coefs, y * kept, kept, 0, FORWARD_SHIFTS[tx_size, 2]
        )
    return 0


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    lanes = min(size, LANES)
    vertical = VERTICAL[tx_type]
    horizontal = HORIZONTAL[tx_type]
    half_way = stack_array(64 * 32)
    residual = stack_array(64 * 64)
    at, step = first_row(horizontal, size, kept)
    for y in range(0, kept, lanes):
        inverse_lanes(
            horizontal * TX_SIZES + tx_size, coefs, y * kept, kept, half_way, at + y, step, ROW_SHIFT[tx_size], 0
        )
    at, step = first_row(vertical, size, size)
    for x in range(0, size, lanes):
        inverse_lanes(vertical * TX_SIZES + tx_size, half_way, x * kept, kept, residual, at + x, step, COLUMN_SHIFT, 0)
    add_residual(residual, size, dst, dst_at, dst_stride, size)
    return 0


def first_row(kind, rows, stride):
    """Where the rows of a block begin and the step from each to the next; from the last upwards for a flipped transform."""
    if kind == FLIPADST:
        return (rows - 1) * stride, -stride
    return 0, stride


def add_residual(residual, residual_stride, dst, dst_at, dst_stride, size):
    """Add a square block to the samples, clipped to 8 bits."""
    for y in range(size):
        for x in range(size):
            at = np.uint64(dst_at + y * dst_stride + x)
            dst[at] = min(max(np.int32(dst[at]) + residual[np.uint64(y * residual_stride + x)], 0), 255)
