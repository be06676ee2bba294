"""The programs of butterflies.py as straight vector code: a transform of up to eight rows or columns, one in each lane.

Numba would need half a minute to compile two thousand statements, and LLVM would not vectorise them. So the steps of a
program are taken when a kernel is compiled; what is left of it is its arithmetic.

What `forward_lanes` and `inverse_lanes` do with a block of `lanes` by `size` elements, lanes = min(size, LANES), of
which kept = min(size, MAX_KEPT) frequencies exist:

    forward   reads element k of all lanes, as one vector, at src + k * src_stride, k < size;
              writes lane l from dst + l * dst_stride on: kept frequencies
    inverse   reads lane l from src + l * src_stride on: kept frequencies;
              writes element k of all lanes, as one vector, at dst + k * dst_stride, k < size

So two calls in a row deal with columns and then with rows, or with rows and then with columns, and a negative stride
flips. src and dst hold int32.
"""

from encoder.kernels.butterflies import (
    ADST,
    ADST4,
    DCT,
    IDENTITY,
    IDENTITY_SCALE,
    PROGRAM_NUMBER,
    PROGRAMS,
    ROTATION,
)
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_KEPT
from encoder.simd import i32, i32x4, i32x8, staged, transpose, u8

LANES = 8


def program_of(kind, tx_size):
    """The program of a transform that has one."""
    return PROGRAMS[PROGRAM_NUMBER[kind, tx_size]]


def run_inverse(program, values, rotation, sums):
    """The steps of a program. rotation(x, y, row, row) and sums(x, y) give the two new values of a step."""
    t = [values[i] for i in program.input_order]
    for kind, a, b, m00, m01, m10, m11 in program.steps:
        t[a], t[b] = rotation(t[a], t[b], (m00, m01), (m10, m11)) if kind == ROTATION else sums(t[a], t[b])
    return [t[i] if sign > 0 else -t[i] for i, sign in zip(program.output_order, program.output_sign, strict=True)]


def run_forward(program, values, rotation, sums):
    """The transposed steps, from the last to the first."""
    t = [None] * program.size
    for i, sign, value in zip(program.output_order, program.output_sign, values, strict=True):
        t[i] = value if sign > 0 else -value
    for kind, a, b, m00, m01, m10, m11 in reversed(program.steps):
        t[a], t[b] = rotation(t[a], t[b], (m00, m10), (m01, m11)) if kind == ROTATION else sums(t[a], t[b])
    coefs = [None] * program.size
    for i, value in zip(program.input_order, t, strict=True):
        coefs[i] = value
    return coefs


def product(factors, values):
    """round2 of the sum of factors[i] * values[i], by 12 bits."""
    if len(factors) == 2 and abs(factors[0]) == abs(factors[1]):  # one multiplication for two
        x, y = values
        return ((x + y if factors[0] == factors[1] else x - y) * factors[0]).round_shift(12)
    return sum(x * factor for factor, x in zip(factors, values, strict=True)).round_shift(12)


def rotated(x, y, *rows):
    """Both results of a rotation."""
    return tuple(product(row, (x, y)) for row in rows)


def clipped_sums(x, y):
    """Sum and difference, limited to the inverse transform's range."""
    return (x + y).clip(LOWEST, HIGHEST), (x - y).clip(LOWEST, HIGHEST)


def sums(x, y):
    """Sum and difference."""
    return x + y, x - y


def inverse_1d(kind, tx_size, values):
    """Elements of the inverse transform from frequencies."""
    if kind == IDENTITY:
        return [product([int(IDENTITY_SCALE[tx_size])], [value]) for value in values]
    if kind != DCT and tx_size == 0:
        return [product(row, values) for row in ADST4.tolist()]
    return run_inverse(program_of(kind, tx_size), values, rotated, clipped_sums)


def forward_1d(kind, tx_size, values):
    """Frequencies from elements."""
    if kind == IDENTITY:
        return inverse_1d(kind, tx_size, values)
    if kind != DCT and tx_size == 0:
        return [product(row, values) for row in ADST4.T.tolist()]
    return run_forward(program_of(kind, tx_size), values, rotated, sums)


def lanes_of(tx_size):
    """The vectors that a size is transformed in."""
    return i32x4 if tx_size == 0 else i32x8


@staged
def inverse_vectors(kind, tx_size, src, src_stride, dst, dst_stride, shift):
    """`inverse_lanes` of one transform."""
    size, row = 4 << tx_size, lanes_of(tx_size)
    values = []
    for column in range(0, min(size, MAX_KEPT), row.lanes):
        values += transpose(row.load_rows(src + column, src_stride, row.lanes))
    values += [row.zero()] * (size - len(values))  # LLVM drops what is multiplied by nought
    for k, element in enumerate(inverse_1d(kind, tx_size, values)):
        element.round_shift(shift).clip(LOWEST, HIGHEST).store(dst + dst_stride * k)


@staged
def forward_vectors(kind, tx_size, src, src_stride, dst, dst_stride, before, after):
    """`forward_lanes` of one transform."""
    size, row = 4 << tx_size, lanes_of(tx_size)
    values = [element << before for element in row.load_rows(src, src_stride, size)]
    coefs = [coef.round_shift(after) for coef in forward_1d(kind, tx_size, values)[:MAX_KEPT]]
    for column in range(0, len(coefs), row.lanes):
        for lane, values in enumerate(transpose(coefs[column : column + row.lanes])):
            values.store(dst + dst_stride * lane + column)


def inverse_lanes(kind, tx_size, src, src_stride, dst, dst_stride, shift):
    """Inverse transforms of one batch of rows or columns; `shift` follows them."""
    if kind == DCT:
        if tx_size == 0:
            inverse_vectors(DCT, 0, src, src_stride, dst, dst_stride, shift)
        elif tx_size == 1:
            inverse_vectors(DCT, 1, src, src_stride, dst, dst_stride, shift)
        elif tx_size == 2:
            inverse_vectors(DCT, 2, src, src_stride, dst, dst_stride, shift)
        elif tx_size == 3:
            inverse_vectors(DCT, 3, src, src_stride, dst, dst_stride, shift)
        else:
            inverse_vectors(DCT, 4, src, src_stride, dst, dst_stride, shift)
    elif kind == IDENTITY:
        if tx_size == 0:
            inverse_vectors(IDENTITY, 0, src, src_stride, dst, dst_stride, shift)
        elif tx_size == 1:
            inverse_vectors(IDENTITY, 1, src, src_stride, dst, dst_stride, shift)
        elif tx_size == 2:
            inverse_vectors(IDENTITY, 2, src, src_stride, dst, dst_stride, shift)
        else:
            inverse_vectors(IDENTITY, 3, src, src_stride, dst, dst_stride, shift)
    elif tx_size == 0:
        inverse_vectors(ADST, 0, src, src_stride, dst, dst_stride, shift)
    elif tx_size == 1:
        inverse_vectors(ADST, 1, src, src_stride, dst, dst_stride, shift)
    else:
        inverse_vectors(ADST, 2, src, src_stride, dst, dst_stride, shift)


def forward_lanes(kind, tx_size, src, src_stride, dst, dst_stride, before, after):
    """Forward transforms of one batch of columns or rows: a shift to the left before them and one to the right after them."""
    if kind == DCT:
        if tx_size == 0:
            forward_vectors(DCT, 0, src, src_stride, dst, dst_stride, before, after)
        elif tx_size == 1:
            forward_vectors(DCT, 1, src, src_stride, dst, dst_stride, before, after)
        elif tx_size == 2:
            forward_vectors(DCT, 2, src, src_stride, dst, dst_stride, before, after)
        elif tx_size == 3:
            forward_vectors(DCT, 3, src, src_stride, dst, dst_stride, before, after)
        else:
            forward_vectors(DCT, 4, src, src_stride, dst, dst_stride, before, after)
    elif kind == IDENTITY:
        if tx_size == 0:
            forward_vectors(IDENTITY, 0, src, src_stride, dst, dst_stride, before, after)
        elif tx_size == 1:
            forward_vectors(IDENTITY, 1, src, src_stride, dst, dst_stride, before, after)
        elif tx_size == 2:
            forward_vectors(IDENTITY, 2, src, src_stride, dst, dst_stride, before, after)
        else:
            forward_vectors(IDENTITY, 3, src, src_stride, dst, dst_stride, before, after)
    elif tx_size == 0:
        forward_vectors(ADST, 0, src, src_stride, dst, dst_stride, before, after)
    elif tx_size == 1:
        forward_vectors(ADST, 1, src, src_stride, dst, dst_stride, before, after)
    else:
        forward_vectors(ADST, 2, src, src_stride, dst, dst_stride, before, after)


@staged
def add_vectors(row, residual, residual_stride, dst, dst_stride, rows):
    """Add rows of a residual to samples, clipped to 8 bits."""
    for y in range(rows):
        place = dst + dst_stride * y
        total = row.of(u8).load(place).to(i32) + row.load(residual + residual_stride * y)
        total.clip(0, 255).to(u8).store(place)
