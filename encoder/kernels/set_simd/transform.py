"""Transforms and quantization as arithmetic on vectors. Contracts are in table.py."""

import numpy as np

from encoder.intmath import clip3
from encoder.kernels.butterflies import ADST, DCT, HORIZONTAL, IDENTITY, ROW_SHIFT, VERTICAL
from encoder.kernels.set_numba.transform import first_row, flat_residual, forward_at, inverse_at
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_LEVEL
from encoder.kernels.set_simd.transform_lanes import forward_lanes, inverse_columns, inverse_rows
from encoder.simd import (
    I32,
    i16,
    i16x16,
    i32,
    i32x16,
    i64,
    pointer,
    scratch,
    staged,
    u8x4,
    u8x8,
    u8x16,
    u8x32,
    u8x64,
    u32,
    u32x16,
    u64,
    where,
)
from encoder.spec import DCT_DCT, IDTX, TX_4X4, TX_8X8, TX_16X16, TX_32X32, TX_64X64
from encoder.tables import table

LANES = I32.lanes
IN_8_DIAGONALS, IN_16_DIAGONALS = 36, 136
"""Coefficients in the first diagonals of a block, and so in its first rows and columns."""
ENERGY_UP_TO_16X16, ENERGY_OF_32X32, ENERGY_OF_64X64 = 1980 * 1980, 970 * 970, 470 * 470
"""Of coefficients / 8: up to here no value of an inverse transform leaves 16 bits."""


def _scan_ranks(name):
    """For each position 1 + its place in a scan: the eob that a level there asks for."""
    scan = table(name)
    ranks = np.zeros(len(scan), np.int16)
    ranks[scan] = np.arange(1, len(scan) + 1)
    return ranks


SCAN_RANKS = np.concatenate(
    [_scan_ranks(f"{kind}_scan_{n}x{n}") for n in (4, 8, 16) for kind in ("default", "mrow", "mcol")]
    + [_scan_ranks("default_scan_32x32")]
)
"""Of all scans: of 4x4 the default one, that by rows, that by columns; of 8x8, of 16x16; the default one of 32x32."""
EXACT = 1 << 18
"""Coefficients from here on are beyond 16 bits, and their quotients perhaps beyond multiplication by a reciprocal."""
LOWER_HALF = (1 << 32) - 1
RESIDUAL_ENERGY, COLUMN_ENERGY_OF_64 = 1000 * 1000, 700 * 700
"""Squares of a residual, of all of it or of its columns: up to here no value of a forward transform leaves 16 bits.

Every value on the way is a sum of samples whose factors have a norm of sqrt(size / 2) at most for each direction; with the
shifts that makes 32 times the norm of the whole for up to 16x16, 16 and 8 times for 32x32 and 64x64, and of a column 32
times for 32x32, 45.3 times for 64x64. A block of 4x4 stays within whatever it holds.
"""


def forward_transform(residual, coefs, tx_size, tx_type):
    """Columns become rows half way, and rows columns again."""
    src, to = pointer(residual, 0), pointer(coefs, 0)
    if tx_size == TX_8X8:
        forward_8(src, to, tx_type)
    elif tx_size == TX_4X4:
        forward_4(src, to, tx_type)
    elif tx_size == TX_16X16:
        forward_16(src, to, tx_type)
    elif tx_type == IDTX:
        forward_at(src, to, TX_32X32, IDTX)
    elif tx_size == TX_32X32:
        forward_32(src, to)
    else:
        forward_64(src, to)
    return 0


def forward_4(residual, coefs, tx_type):
    """A block of 4x4."""
    half_way = scratch(i32, 16)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    at, step = first_row(vertical, 4, 4)
    if vertical == DCT:
        forward_lanes(DCT, TX_4X4, 4, residual + at, step, half_way, 4, 4, 0)
    elif vertical == IDENTITY:
        forward_lanes(IDENTITY, TX_4X4, 4, residual + at, step, half_way, 4, 4, 0)
    else:
        forward_lanes(ADST, TX_4X4, 4, residual + at, step, half_way, 4, 4, 0)
    at, step = first_row(horizontal, 4, 4)
    if horizontal == DCT:
        forward_lanes(DCT, TX_4X4, 4, half_way + at, step, coefs, 4, 0, 2)
    elif horizontal == IDENTITY:
        forward_lanes(IDENTITY, TX_4X4, 4, half_way + at, step, coefs, 4, 0, 2)
    else:
        forward_lanes(ADST, TX_4X4, 4, half_way + at, step, coefs, 4, 0, 2)


def forward_8(residual, coefs, tx_type):
    """A block of 8x8."""
    if not is_of_energy(residual, 64):
        forward_at(residual, coefs, TX_8X8, tx_type)
        return
    half_way = scratch(i32, 64)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    at, step = first_row(vertical, 8, 8)
    if vertical == DCT:
        forward_lanes(DCT, TX_8X8, 8, residual + at, step, half_way, 8, 3, 0)
    elif vertical == IDENTITY:
        forward_lanes(IDENTITY, TX_8X8, 8, residual + at, step, half_way, 8, 3, 0)
    else:
        forward_lanes(ADST, TX_8X8, 8, residual + at, step, half_way, 8, 3, 0)
    at, step = first_row(horizontal, 8, 8)
    if horizontal == DCT:
        forward_lanes(DCT, TX_8X8, 8, half_way + at, step, coefs, 8, 0, 2)
    elif horizontal == IDENTITY:
        forward_lanes(IDENTITY, TX_8X8, 8, half_way + at, step, coefs, 8, 0, 2)
    else:
        forward_lanes(ADST, TX_8X8, 8, half_way + at, step, coefs, 8, 0, 2)


def forward_16(residual, coefs, tx_type):
    """A block of 16x16."""
    if not is_of_energy(residual, 256):
        forward_at(residual, coefs, TX_16X16, tx_type)
        return
    half_way = scratch(i32, 256)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    at, step = first_row(vertical, 16, 16)
    for x in range(0, 16, LANES):
        if vertical == DCT:
            forward_lanes(DCT, TX_16X16, 16, residual + at + x, step, half_way + 16 * x, 16, 3, 1)
        elif vertical == IDENTITY:
            forward_lanes(IDENTITY, TX_16X16, 16, residual + at + x, step, half_way + 16 * x, 16, 3, 1)
        else:
            forward_lanes(ADST, TX_16X16, 16, residual + at + x, step, half_way + 16 * x, 16, 3, 1)
    at, step = first_row(horizontal, 16, 16)
    for y in range(0, 16, LANES):
        if horizontal == DCT:
            forward_lanes(DCT, TX_16X16, 16, half_way + at + y, step, coefs + 16 * y, 16, 0, 2)
        elif horizontal == IDENTITY:
            forward_lanes(IDENTITY, TX_16X16, 16, half_way + at + y, step, coefs + 16 * y, 16, 0, 2)
        else:
            forward_lanes(ADST, TX_16X16, 16, half_way + at + y, step, coefs + 16 * y, 16, 0, 2)


def forward_32(residual, coefs):
    """A DCT of 32x32."""
    if not has_columns_of_energy(residual, 32, RESIDUAL_ENERGY, 4 * RESIDUAL_ENERGY):
        forward_at(residual, coefs, TX_32X32, DCT_DCT)
        return
    half_way = scratch(i32, 1024)
    for x in range(0, 32, LANES):
        forward_lanes(DCT, TX_32X32, 32, residual + x, 32, half_way + 32 * x, 32, 3, 3)
    for y in range(0, 32, LANES):
        forward_lanes(DCT, TX_32X32, 32, half_way + y, 32, coefs + 32 * y, 32, 0, 2)


def forward_64(residual, coefs):
    """A DCT of 64x64, of which the 32 lowest frequencies of each direction are kept."""
    if not has_columns_of_energy(residual, 64, COLUMN_ENERGY_OF_64, 16 * RESIDUAL_ENERGY):
        forward_at(residual, coefs, TX_64X64, DCT_DCT)
        return
    half_way = scratch(i32, 2048)
    for x in range(0, 64, LANES):
        forward_lanes(DCT, TX_64X64, 64, residual + x, 64, half_way + 32 * x, 32, 3, 5)
    for y in range(0, 32, LANES):
        forward_lanes(DCT, TX_64X64, 64, half_way + y, 32, coefs + 32 * y, 32, 0, 2)


def is_of_energy(residual, count):
    """Whether the squares of a residual do not add up to more than RESIDUAL_ENERGY."""
    total = squares_of_64(residual)
    for at in range(64, count, 64):
        total += squares_of_64(residual + at)
    return total.sum() <= RESIDUAL_ENERGY


@staged
def squares_of_64(residual):
    """The upper halves of the lanes, 0 or -1, add 1 at most to each square."""
    a, b, c, d = (v.bits_as(i16).mul_pairs(v.bits_as(i16)) for v in i32x16.load_rows(residual, 16, 4))
    return (a + b) + (c + d)


def has_columns_of_energy(residual, side, column_limit, limit):
    """Whether neither the squares of any column of a residual nor those of all add up to more than these limits."""
    largest, total = i32x16.zero(), i32x16.zero()
    for x in range(0, side, 16):
        column = i32x16.zero()
        p = residual + x
        for _ in range(0, side, 4):
            column += squares_of_four_rows(p, side)
            p += 4 * side
        largest, total = largest.max(column), total + column
    return largest.largest() <= column_limit and total.sum() <= limit


@staged
def squares_of_four_rows(residual, stride):
    """Of 16 columns."""
    a, b, c, d = (v.bits_as(i16).mul_pairs(v.bits_as(i16)) for v in i32x16.load_rows(residual, stride, 4))
    return (a + b) + (c + d)


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    """What is flat is added at once; for the rest only the corner of the first rows and columns that eob speaks of is read."""
    src, place = pointer(coefs, 0), pointer(dst, dst_at)
    if eob == 1 and tx_type == DCT_DCT:
        add_flat_block(flat_residual(src[0], ROW_SHIFT[tx_size]), place, dst_stride, tx_size)
    elif tx_size == TX_8X8:
        inverse_8(src, place, dst_stride, tx_type)
    elif tx_size == TX_4X4:
        inverse_4(src, place, dst_stride, tx_type)
    elif tx_size == TX_16X16:
        inverse_16(src, place, dst_stride, tx_type, eob)
    elif tx_type == IDTX:
        inverse_identity_32(src, place, dst_stride)
    elif tx_size == TX_32X32:
        inverse_32(src, place, dst_stride, eob)
    else:
        inverse_64(src, place, dst_stride, eob)
    return 0


def add_flat_block(value, dst, dst_stride, tx_size):
    """Add the same to all samples of a block."""
    if tx_size == TX_8X8:
        add_flat(u8x8, value, dst, dst_stride)
    elif tx_size == TX_16X16:
        add_flat(u8x16, value, dst, dst_stride)
    elif tx_size == TX_32X32:
        add_flat(u8x32, value, dst, dst_stride)
    elif tx_size == TX_64X64:
        add_flat(u8x64, value, dst, dst_stride)
    else:
        add_flat(u8x4, value, dst, dst_stride)


def add_flat(row, value, dst, dst_stride):
    """One of the two saturated operations does nothing."""
    more, less = row.splat(clip3(0, 255, value)), row.splat(clip3(0, 255, -value))
    for _ in range(0, row.lanes, 4):
        add_to_rows(row, more, less, dst, dst_stride)
        dst += 4 * dst_stride


@staged
def add_to_rows(row, more, less, dst, dst_stride):
    """Four rows more or less."""
    for y in range(4):
        place = dst + dst_stride * y
        row.load(place).add_saturated(more).sub_saturated(less).store(place)


def is_within_16_bits(coefs, count, limit):
    """Whether the squares of the first coefficients, in units of 8, do not add up to more."""
    total = squares_of_eighths(coefs)
    for at in range(16, count, 16):
        total += squares_of_eighths(coefs + at)
    return total.min(limit + 1).sum() <= limit


@staged
def squares_of_eighths(coefs):
    """Of numbers of 16 bits: their upper halves, 0 or -1, add 1 at most."""
    eighths = (i32x16.load(coefs) >> 3).bits_as(i16)
    return eighths.mul_pairs(eighths)


def inverse_4(coefs, dst, dst_stride, tx_type):
    """A block of 4x4: rows become columns in half_way."""
    if not is_within_16_bits(coefs, 16, ENERGY_UP_TO_16X16):
        inverse_at(coefs, dst, dst_stride, TX_4X4, tx_type)
        return
    half_way = scratch(i32, 16)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    at, step = first_row(horizontal, 4, 4)
    if horizontal == DCT:
        inverse_rows(DCT, TX_4X4, 4, 0, coefs, 4, half_way + at, step)
    elif horizontal == IDENTITY:
        inverse_rows(IDENTITY, TX_4X4, 4, 0, coefs, 4, half_way + at, step)
    else:
        inverse_rows(ADST, TX_4X4, 4, 0, coefs, 4, half_way + at, step)
    at, step = first_row(vertical, 4, dst_stride)
    if vertical == DCT:
        inverse_columns(DCT, TX_4X4, 4, half_way, 4, dst + at, step)
    elif vertical == IDENTITY:
        inverse_columns(IDENTITY, TX_4X4, 4, half_way, 4, dst + at, step)
    else:
        inverse_columns(ADST, TX_4X4, 4, half_way, 4, dst + at, step)


def inverse_8(coefs, dst, dst_stride, tx_type):
    """A block of 8x8."""
    if not is_within_16_bits(coefs, 64, ENERGY_UP_TO_16X16):
        inverse_at(coefs, dst, dst_stride, TX_8X8, tx_type)
        return
    half_way = scratch(i32, 64)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    at, step = first_row(horizontal, 8, 8)
    if horizontal == DCT:
        inverse_rows(DCT, TX_8X8, 8, 1, coefs, 8, half_way + at, step)
    elif horizontal == IDENTITY:
        inverse_rows(IDENTITY, TX_8X8, 8, 1, coefs, 8, half_way + at, step)
    else:
        inverse_rows(ADST, TX_8X8, 8, 1, coefs, 8, half_way + at, step)
    at, step = first_row(vertical, 8, dst_stride)
    if vertical == DCT:
        inverse_columns(DCT, TX_8X8, 8, half_way, 8, dst + at, step)
    elif vertical == IDENTITY:
        inverse_columns(IDENTITY, TX_8X8, 8, half_way, 8, dst + at, step)
    else:
        inverse_columns(ADST, TX_8X8, 8, half_way, 8, dst + at, step)


def inverse_16(coefs, dst, dst_stride, tx_type, eob):
    """A block of 16x16."""
    half_way = scratch(i32, 256)
    vertical, horizontal = VERTICAL[tx_type], HORIZONTAL[tx_type]
    if tx_type == DCT_DCT and eob <= IN_8_DIAGONALS and is_within_16_bits(coefs, 128, ENERGY_UP_TO_16X16):
        inverse_rows(DCT, TX_16X16, 8, 2, coefs, 16, half_way, 8)
        for x in range(0, 16, LANES):
            inverse_columns(DCT, TX_16X16, 8, half_way + 8 * x, 8, dst + x, dst_stride)
        return
    if not is_within_16_bits(coefs, 256, ENERGY_UP_TO_16X16):
        inverse_at(coefs, dst, dst_stride, TX_16X16, tx_type)
        return
    at, step = first_row(horizontal, 16, 16)
    for y in range(0, 16, LANES):
        if horizontal == DCT:
            inverse_rows(DCT, TX_16X16, 16, 2, coefs + 16 * y, 16, half_way + at + y, step)
        elif horizontal == IDENTITY:
            inverse_rows(IDENTITY, TX_16X16, 16, 2, coefs + 16 * y, 16, half_way + at + y, step)
        else:
            inverse_rows(ADST, TX_16X16, 16, 2, coefs + 16 * y, 16, half_way + at + y, step)
    at, step = first_row(vertical, 16, dst_stride)
    for x in range(0, 16, LANES):
        if vertical == DCT:
            inverse_columns(DCT, TX_16X16, 16, half_way + 16 * x, 16, dst + at + x, step)
        elif vertical == IDENTITY:
            inverse_columns(IDENTITY, TX_16X16, 16, half_way + 16 * x, 16, dst + at + x, step)
        else:
            inverse_columns(ADST, TX_16X16, 16, half_way + 16 * x, 16, dst + at + x, step)


def inverse_identity_32(coefs, dst, dst_stride):
    """A block of 32x32 without transforms."""
    if not is_within_16_bits(coefs, 1024, ENERGY_OF_32X32):
        inverse_at(coefs, dst, dst_stride, TX_32X32, IDTX)
        return
    half_way = scratch(i32, 1024)
    for y in range(0, 32, LANES):
        inverse_rows(IDENTITY, TX_32X32, 32, 2, coefs + 32 * y, 32, half_way + y, 32)
    for x in range(0, 32, LANES):
        inverse_columns(IDENTITY, TX_32X32, 32, half_way + 32 * x, 32, dst + x, dst_stride)


def inverse_32(coefs, dst, dst_stride, eob):
    """A DCT of 32x32."""
    half_way = scratch(i32, 1024)
    count = 8 if eob <= IN_8_DIAGONALS else 16 if eob <= IN_16_DIAGONALS else 32
    if not is_within_16_bits(coefs, 32 * count, ENERGY_OF_32X32):
        inverse_at(coefs, dst, dst_stride, TX_32X32, DCT_DCT)
    elif count == 8:
        inverse_rows(DCT, TX_32X32, 8, 2, coefs, 32, half_way, 8)
        for x in range(0, 32, LANES):
            inverse_columns(DCT, TX_32X32, 8, half_way + 8 * x, 8, dst + x, dst_stride)
    elif count == 16:
        for y in range(0, 16, LANES):
            inverse_rows(DCT, TX_32X32, 16, 2, coefs + 32 * y, 32, half_way + y, 16)
        for x in range(0, 32, LANES):
            inverse_columns(DCT, TX_32X32, 16, half_way + 16 * x, 16, dst + x, dst_stride)
    else:
        for y in range(0, 32, LANES):
            inverse_rows(DCT, TX_32X32, 32, 2, coefs + 32 * y, 32, half_way + y, 32)
        for x in range(0, 32, LANES):
            inverse_columns(DCT, TX_32X32, 32, half_way + 32 * x, 32, dst + x, dst_stride)


def inverse_64(coefs, dst, dst_stride, eob):
    """A DCT of 64x64."""
    half_way = scratch(i32, 2048)
    count = 8 if eob <= IN_8_DIAGONALS else 16 if eob <= IN_16_DIAGONALS else 32
    if not is_within_16_bits(coefs, 32 * count, ENERGY_OF_64X64):
        inverse_at(coefs, dst, dst_stride, TX_64X64, DCT_DCT)
    elif count == 8:
        inverse_rows(DCT, TX_64X64, 8, 2, coefs, 32, half_way, 8)
        for x in range(0, 64, LANES):
            inverse_columns(DCT, TX_64X64, 8, half_way + 8 * x, 8, dst + x, dst_stride)
    elif count == 16:
        for y in range(0, 16, LANES):
            inverse_rows(DCT, TX_64X64, 16, 2, coefs + 32 * y, 32, half_way + y, 16)
        for x in range(0, 64, LANES):
            inverse_columns(DCT, TX_64X64, 16, half_way + 16 * x, 16, dst + x, dst_stride)
    else:
        for y in range(0, 32, LANES):
            inverse_rows(DCT, TX_64X64, 32, 2, coefs + 32 * y, 32, half_way + y, 32)
        for x in range(0, 64, LANES):
            inverse_columns(DCT, TX_64X64, 32, half_way + 32 * x, 32, dst + x, dst_stride)


def quantize(coefs, levels, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round):
    """Four vectors at a time; behind the first ones those without a level are common, and cheap."""
    p, out = pointer(coefs, 0), pointer(levels, 0)
    ranks = pointer(SCAN_RANKS, ranks_at(pointer(scan, scan_at), count))
    dc, dc_offset = reciprocal(dc_q), dc_q * dc_round >> 8
    ac, ac_offset = reciprocal(ac_q), ac_q * ac_round >> 8
    factors, offsets = with_first(u32x16, dc, ac), with_first(i32x16, dc_offset, ac_offset)
    last, largest = quantize_vector(p, out, ranks, factors, offsets, shift)
    if count > 16:
        factors, offsets = u32x16.splat(ac), i32x16.splat(ac_offset)
        last, largest = quantize_vectors(3, p + 16, out + 16, ranks + 16, factors, offsets, shift, last, largest)
        smallest = (ac_q - ac_offset + (1 << shift) - 1) >> shift
        for at in range(64, count, 64):
            peak = largest_of_64(p + at)
            largest = largest.max(peak)
            if (peak >= smallest).any():
                last = quantize_vectors(4, p + at, out + at, ranks + at, factors, offsets, shift, last, peak)[0]
            else:
                clear_64(out + at)
    if (largest >= EXACT).any():
        return quantize_any(p, out, ranks, count, dc_q, ac_q, shift, dc_offset, ac_offset)
    return last.largest()


def quantize_any(coefs, levels, ranks, count, dc_q, ac_q, shift, dc_offset, ac_offset):
    """For coefficients of any size, which no transform makes."""
    last = 0
    for position in range(count):
        q, offset = (ac_q, ac_offset) if position else (dc_q, dc_offset)
        coef = coefs[position]
        level = min(((abs(coef) << shift) + offset) // q, MAX_LEVEL)
        levels[position] = level if coef >= 0 else -level
        if level > 0:
            last = max(last, ranks[position])
    return last


def ranks_at(scan, count):
    """Where the ranks of a scan begin; its third entry tells it from the others of its size."""
    if count == 1024:
        return 3 * (16 + 64 + 256)
    at = count - 16 if count < 256 else 3 * (16 + 64)
    if count == 64:
        at = 48
    third = scan[2]
    if third == 2:
        return at + count
    return at + 2 * count if third * third > count else at


def reciprocal(q):
    """The upper half of a product with this is the quotient by q, exactly for what is below 2 ** 32 / q."""
    return np.int64(4294967296.0 / q) + 1


@staged
def with_first(kind, first, others):
    """A number for the first lane and one for all others."""
    return where(kind.constant(range(kind.lanes)) == 0, kind.splat(first), kind.splat(others))


@staged
def quantize_vector(coefs, levels, ranks, factors, offsets, shift):
    """The ranks of what is not quantized to nought, and the magnitudes."""
    signed = i32x16.load(coefs)
    magnitudes = abs(signed)
    shifted = (magnitudes << shift) + offsets
    quotients = upper_halves(shifted.bits_as(u64), factors.bits_as(u64)).bits_as(i32)
    where(signed < 0, -quotients, quotients).store(levels)
    return where(quotients != 0, i16x16.load(ranks).to(i32), 0), magnitudes.to(u32)


def upper_halves(numbers, factors):
    """Of products of 32-bit lanes: even and odd lanes make 64 bits each."""
    even = (numbers & LOWER_HALF) * (factors & LOWER_HALF)
    odd = (numbers >> 32) * (factors >> 32)
    return even >> 32 | odd & ~LOWER_HALF


@staged
def quantize_vectors(count, coefs, levels, ranks, factors, offsets, shift, last, largest):
    """The greatest rank and magnitude among some vectors and those given, lane by lane."""
    for at in range(0, 16 * count, 16):
        rank, magnitudes = quantize_vector(coefs + at, levels + at, ranks + at, factors, offsets, shift)
        last, largest = last.max(rank), largest.max(magnitudes)
    return last, largest


@staged
def largest_of_64(coefs):
    """The greatest magnitudes of four vectors, lane by lane."""
    a, b, c, d = (abs(vector).to(u32) for vector in i32x16.load_rows(coefs, 16, 4))
    return a.max(b).max(c.max(d))


@staged
def clear_64(values):
    """Four vectors of nought."""
    for at in range(0, 64, 16):
        i32x16.zero().store(values + at)


def dequantize(levels, coefs, count, dc_q, ac_q, shift):
    """Four vectors at a time: those of nought are common."""
    p, out = pointer(levels, 0), pointer(coefs, 0)
    dequantize_vector(p, out, with_first(i32x16, dc_q, ac_q), shift)
    if count > 16:
        steps = i32x16.splat(ac_q)
        dequantize_vectors(3, p + 16, out + 16, steps, shift)
        for at in range(64, count, 64):
            if any_of_64(p + at):
                dequantize_vectors(4, p + at, out + at, steps, shift)
            else:
                clear_64(out + at)
    return 0


@staged
def any_of_64(values):
    """Whether four vectors hold anything but nought."""
    a, b, c, d = i32x16.load_rows(values, 16, 4)
    return ((a | b | c | d) != 0).any()


@staged
def dequantize_vector(levels, coefs, steps, shift):
    """Products beyond 32 bits wrap, which the lowest 24 do not notice."""
    signed = i32x16.load(levels)
    magnitudes = (abs(signed) * steps & 0xFFFFFF) >> shift
    where(signed < 0, -magnitudes, magnitudes).clip(LOWEST, HIGHEST).store(coefs)


@staged
def dequantize_vectors(count, levels, coefs, steps, shift):
    """Some vectors without the first coefficient."""
    for at in range(0, 16 * count, 16):
        dequantize_vector(levels + at, coefs + at, steps, shift)


def coefficient_error(a, b, count):
    """Squares of 34 bits, hence sums of 64."""
    p, q = pointer(a, 0), pointer(b, 0)
    total = squares(p, q)
    if count > 16:
        total += squares(p + 16, q + 16) + squares(p + 32, q + 32) + squares(p + 48, q + 48)
        for at in range(64, count, 64):
            total += squares(p + at, q + at) + squares(p + at + 16, q + at + 16)
            total += squares(p + at + 32, q + at + 32) + squares(p + at + 48, q + at + 48)
    return total.sum()


@staged
def squares(p, q):
    """Squared differences, added in pairs: a 64-bit product of the lower halves of 64-bit lanes is one instruction."""
    pairs = (i32x16.load(p) - i32x16.load(q)).bits_as(i64)
    even, odd = pairs << 32 >> 32, pairs >> 32
    return even * even + odd * odd
