"""The two CDEF kernels as LLVM vectors: 16-bit lanes, portable instructions only (spec 7.15.2, 7.15.3).

Left to itself LLVM does not vectorise these loops, in which twelve streams of samples with unknown distances meet.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from encoder.byref import i64, u8s, u16s
from encoder.kernels.set_numba.vectors import I32, I64, Vector, first_of, joined, load, splat, store, transposed
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.tables import table

FILTER_LANES = 16
"""Samples that filter_lanes works on at once: two rows of 8 or four of 4."""
WRAP_UNAVAILABLE = (1 << 15) - CDEF_UNAVAILABLE
"""Added to a sample, makes the mark of an unavailable one the lowest of all 16-bit values."""
DIV_TABLE = table("div_table").tolist()
DIAGONAL_WEIGHTS = [DIV_TABLE[8 - abs(line - 7)] for line in range(15)] + [0]
"""By line: a line of n samples weighs 840 / n."""
STEEP_WEIGHTS = [DIV_TABLE[min(8, 2 + 2 * min(line, 10 - line))] for line in range(11)] + [0] * 5


@intrinsic(prefer_literal=True)
def filter_lanes(
    typing_context, w, with_sec, dst, dst_at, dst_stride, padded, padded_at, padded_stride,
    offsets, taps, pri_strength, sec_strength, pri_shift, sec_shift
):  # fmt: skip
    """CDEF filter process (spec 7.15.3) on FILTER_LANES samples, which are FILTER_LANES / w rows.

    w, with_sec   literals: the width, and whether there is a secondary strength
    offsets       six distances in the padded picture: primary, first and second secondary direction, for k 0 and 1 each
    taps          the two primary taps
    *_shift       how far constrain shifts a difference
    """
    width, rows = w.literal_value, FILTER_LANES // w.literal_value
    directions = 3 if with_sec.literal_value else 1

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, _, dst, dst_at, dst_stride, padded, padded_at, padded_stride, offsets, taps, *strengths = arguments
        source = first_of(context, b, u16s, padded, padded_at)
        target = first_of(context, b, u8s, dst, dst_at)
        pri_strength, sec_strength, pri_shift, sec_shift = (splat(b, x, FILTER_LANES, 16) for x in strengths)
        starts = [b.mul(padded_stride, I64(y)) for y in range(rows)]

        def block(offset: ir.Value) -> Vector:
            return joined([load(b, b.gep(source, [b.add(start, offset)]), width) for start in starts])

        def constrained(p: Vector, strength: Vector, shift: Vector) -> Vector:
            """An unavailable sample is so far away that nothing is left of its difference."""
            diff = p - x
            sign = diff >> 15
            magnitude = diff.abs()
            return (strength.subtract_to_zero(magnitude >> shift).min(magnitude) ^ sign) - sign

        x = block(I64(0))
        total = x - x
        smallest, largest = x, x + WRAP_UNAVAILABLE
        for number in range(2 * directions):
            offset, k = b.extract_value(offsets, number), number % 2
            for p in (block(offset), block(b.neg(offset))):
                if number < 2:
                    tap = splat(b, b.extract_value(taps, k), FILTER_LANES, 16)
                    total += constrained(p, pri_strength, pri_shift) * tap
                else:
                    total += constrained(p, sec_strength, sec_shift) * (2 - k)
                smallest, largest = smallest.min(p), largest.max(p + WRAP_UNAVAILABLE)
        result = x + ((total + (total >> 15) + 8) >> 4)
        if directions > 1:  # one filter alone cannot leave the range of its samples
            result = result.max(smallest).min(largest - WRAP_UNAVAILABLE)
        for y in range(rows):
            row = result.lanes(list(range(y * width, (y + 1) * width)))
            store(b.gep(target, [b.mul(dst_stride, I64(y))]), row.narrowed(8))
        return context.get_dummy_value()

    offsets_type, taps_type = types.UniTuple(i64, 6), types.UniTuple(i64, 2)
    places = (u8s, i64, i64, u16s, i64, i64)
    return types.void(w, with_sec, *places, offsets_type, taps_type, i64, i64, i64, i64), codegen


@intrinsic
def direction_of(typing_context, samples, at, stride):
    """CDEF direction process (spec 7.15.2) of an 8x8 block -> var << 3 | direction."""

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        samples, at, stride = arguments
        block = first_of(context, b, u8s, samples, at)
        rows = [load(b, b.gep(block, [b.mul(stride, I64(i))]), 8).widened(16, signed=False) - 128 for i in range(8)]
        costs = ir.Constant(ir.VectorType(I64, 8), ir.Undefined)
        for direction, cost in _costs(rows).items():
            costs = b.insert_element(costs, b.sext(cost, I64), I32(direction))
        # Of equal costs the first direction wins.
        best = (Vector(b, costs) * 8 + list(range(7, -1, -1))).largest()
        direction = b.xor(b.and_(best, I64(7)), I64(7))
        across = b.extract_element(costs, b.xor(direction, I64(4)))
        variance = b.ashr(b.sub(b.ashr(best, I64(3)), across), I64(10))
        return b.or_(b.shl(variance, I64(3)), direction)

    return i64(u8s, i64, i64), codegen


def _costs(rows: list[Vector]) -> dict[int, ir.Value]:
    """The cost of every direction; 32 bits hold them, the largest is 64 * 128 ** 2 * 840."""
    costs = {
        0: _cost(_lines(rows, range(8)), DIAGONAL_WEIGHTS),
        4: _cost(_lines(rows, range(7, -1, -1)), DIAGONAL_WEIGHTS),
    }
    # Directions 1, 2, 3 are directions 7, 6, 5 of the transposed block. Some lines are numbered here from the other end
    # than in the specification; their weights are the same.
    for block, straight, rising, falling in ((rows, 6, 7, 5), (transposed(rows), 2, 1, 3)):
        pairs = [block[i] + block[i + 1] for i in range(0, 8, 2)]
        costs[straight] = _cost(_sum(pairs), [DIV_TABLE[8]] * 8)
        costs[rising] = _cost(_lines(pairs, range(4)), STEEP_WEIGHTS)
        costs[falling] = _cost(_lines(pairs, range(3, -1, -1)), STEEP_WEIGHTS)
    return costs


def _lines(rows: list[Vector], first: range) -> Vector:
    """Sums over slanting lines, 16 lanes: row i begins at lane first[i]."""
    return _sum([row.placed(lane, 16) for row, lane in zip(rows, first, strict=True)])


def _sum(vectors: list[Vector]) -> Vector:
    while len(vectors) > 1:
        vectors = [a + b for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def _cost(sums: Vector, weights: list[int]) -> ir.Value:
    wide = sums.widened(32)
    return (wide * wide * weights).sum()
