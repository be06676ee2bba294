"""Transforms and quantization, reference versions (spec 7.12.3 and 7.13). Contracts are in table.py."""

import numpy as np

from encoder.intmath import clip1, clip3, round2
from encoder.kernels.butterflies import (
    ADST4,
    COLUMN_SHIFT,
    DCT,
    FIRST_STEP,
    FLIPADST,
    FORWARD_SHIFTS,
    HORIZONTAL,
    IDENTITY,
    IDENTITY_SCALE,
    INPUT_ORDER,
    KIND,
    M00,
    M01,
    M10,
    M11,
    OUTPUT_ORDER,
    OUTPUT_SIGN,
    PROGRAM_NUMBER,
    ROTATION,
    ROW_SHIFT,
    STEPS,
    VERTICAL,
    A,
    B,
)

MAX_KEPT = 32
"""Only the 32 lowest frequencies of a side exist (spec 7.13.3)."""
LOWEST = -(1 << 15)
HIGHEST = (1 << 15) - 1
"""Limits of coefficients and of intermediate values of 8-bit video: BitDepth + 8 bits (spec 7.12.3, 7.13.3)."""
MAX_LEVEL = 1 << 19


def inverse_butterflies(t, program):
    """Run a program forwards on t, in place."""
    size = len(t)
    copy = t.copy()
    for i in range(size):
        t[i] = copy[INPUT_ORDER[program, i]]
    for step in range(FIRST_STEP[program], FIRST_STEP[program + 1]):
        a = STEPS[step, A]
        b = STEPS[step, B]
        x = t[a]
        y = t[b]
        if STEPS[step, KIND] == ROTATION:
            t[a] = round2(STEPS[step, M00] * x + STEPS[step, M01] * y, 12)
            t[b] = round2(STEPS[step, M10] * x + STEPS[step, M11] * y, 12)
        else:
            t[a] = clip3(LOWEST, HIGHEST, x + y)
            t[b] = clip3(LOWEST, HIGHEST, x - y)
    copy[:] = t
    for i in range(size):
        t[i] = OUTPUT_SIGN[program, i] * copy[OUTPUT_ORDER[program, i]]


def forward_butterflies(t, program):
    """Run the transpose of a program on t, in place."""
    size = len(t)
    copy = t.copy()
    for i in range(size):
        t[OUTPUT_ORDER[program, i]] = OUTPUT_SIGN[program, i] * copy[i]
    for step in range(FIRST_STEP[program + 1] - 1, FIRST_STEP[program] - 1, -1):
        a = STEPS[step, A]
        b = STEPS[step, B]
        x = t[a]
        y = t[b]
        if STEPS[step, KIND] == ROTATION:
            t[a] = round2(STEPS[step, M00] * x + STEPS[step, M10] * y, 12)
            t[b] = round2(STEPS[step, M01] * x + STEPS[step, M11] * y, 12)
        else:
            t[a] = x + y
            t[b] = x - y
    copy[:] = t
    for i in range(size):
        t[INPUT_ORDER[program, i]] = copy[i]


def multiply(matrix, t):
    """t = round2(matrix @ t, 12), in place, for the ADST of 4 elements."""
    copy = t.copy()
    for i in range(4):
        total = 0
        for j in range(4):
            total += matrix[i, j] * copy[j]
        t[i] = round2(total, 12)


def scale(t, log2_size):
    """The inverse identity transform process (spec 7.13.2.15), in place; it is its own transpose."""
    for i in range(len(t)):
        t[i] = round2(t[i] * IDENTITY_SCALE[log2_size - 2], 12)


def reverse(t):
    """Flip t, in place."""
    copy = t.copy()
    for i in range(len(t)):
        t[i] = copy[len(t) - 1 - i]


def inverse_1d(t, kind, log2_size):
    """The inverse transform of 2**log2_size elements (spec 7.13.2), in place."""
    if kind == IDENTITY:
        scale(t, log2_size)
    elif kind != DCT and log2_size == 2:
        multiply(ADST4, t)
    else:
        inverse_butterflies(t, PROGRAM_NUMBER[kind, log2_size - 2])
    if kind == FLIPADST:
        reverse(t)


def forward_1d(t, kind, log2_size):
    """The transpose of inverse_1d, in place."""
    if kind == FLIPADST:
        reverse(t)
    if kind == IDENTITY:
        scale(t, log2_size)
    elif kind != DCT and log2_size == 2:
        multiply(ADST4.T, t)
    else:
        forward_butterflies(t, PROGRAM_NUMBER[kind, log2_size - 2])


def forward_transform(residual, coefs, tx_size, tx_type):
    """Columns first, then rows: the inverse from its end to its beginning."""
    log2_size = tx_size + 2
    size = 1 << log2_size
    kept = min(size, MAX_KEPT)
    t = np.zeros(size, np.int64)
    half_way = np.zeros((kept, size), np.int64)
    for x in range(size):
        for y in range(size):
            t[y] = np.int64(residual[y * size + x]) << FORWARD_SHIFTS[tx_size, 0]
        forward_1d(t, VERTICAL[tx_type], log2_size)
        for y in range(kept):
            half_way[y, x] = round2(t[y], FORWARD_SHIFTS[tx_size, 1])
    for y in range(kept):
        t[:] = half_way[y]
        forward_1d(t, HORIZONTAL[tx_type], log2_size)
        for x in range(kept):
            coefs[y * kept + x] = round2(t[x], FORWARD_SHIFTS[tx_size, 2])
    return 0


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    """2D inverse transform process (spec 7.13.3) and step 3 of the reconstruct process (spec 7.12.3)."""
    log2_size = tx_size + 2
    size = 1 << log2_size
    kept = min(size, MAX_KEPT)
    t = np.zeros(size, np.int64)
    half_way = np.zeros((size, size), np.int64)
    for y in range(kept):  # a row of zeros is transformed to zeros
        t[:] = 0
        for x in range(kept):
            t[x] = coefs[y * kept + x]
        inverse_1d(t, HORIZONTAL[tx_type], log2_size)
        for x in range(size):
            half_way[y, x] = clip3(LOWEST, HIGHEST, round2(t[x], ROW_SHIFT[tx_size]))
    for x in range(size):
        t[:] = half_way[:, x]
        inverse_1d(t, VERTICAL[tx_type], log2_size)
        for y in range(size):
            at = dst_at + y * dst_stride + x
            dst[at] = clip1(np.int64(dst[at]) + round2(t[y], COLUMN_SHIFT))
    return 0


def quantize(coefs, levels, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round):
    """Divide by the step, the fraction rounded up from 1 - round / 256 on."""
    for position in range(count):
        q = dc_q if position == 0 else ac_q
        rounding = (q * (dc_round if position == 0 else ac_round)) >> 8
        coef = np.int64(coefs[position])
        level = min(((abs(coef) << shift) + rounding) // q, MAX_LEVEL)
        levels[position] = level if coef >= 0 else -level
    for i in range(count - 1, -1, -1):
        if levels[scan[scan_at + i]] != 0:
            return i + 1
    return 0


def dequantize(levels, coefs, count, dc_q, ac_q, shift):
    """Dequantization, step 1 of the reconstruct process (spec 7.12.3)."""
    for position in range(count):
        q = dc_q if position == 0 else ac_q
        level = np.int64(levels[position])
        magnitude = (abs(level) * q & 0xFFFFFF) >> shift
        coefs[position] = clip3(LOWEST, HIGHEST, magnitude if level >= 0 else -magnitude)
    return 0


def coefficient_error(a, b, count):
    """Sum of squared differences."""
    total = np.int64(0)
    for position in range(count):
        difference = np.int64(a[position]) - np.int64(b[position])
        total += difference * difference
    return total
