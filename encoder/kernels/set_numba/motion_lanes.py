"""Sums of absolute differences and weighted sums as LLVM vectors: portable instructions, folded to those of the machine.

Absolute differences are where the distances of bytes are bytes, made of the larger and the smaller of two, and are widened
only to be summed.

Blocks come as addresses: numba counts the references of an array for as long as a function with branches uses it, which costs
as much as a small block.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from encoder.byref import i64
from encoder.kernels.set_numba.vectors import I64, Vector, first_of, joined, load, splat, store
from encoder.kernels.set_python.motion import MAX_DIFFERENCE

_FOUR = types.UniTuple(i64, 4)
_SAMPLES, _U16 = ir.IntType(8).as_pointer(), ir.IntType(16).as_pointer()
ACCUMULATED = 16
"""Samples that `accumulate` works on at once."""


@intrinsic
def address_of(typing_context, array, at):
    """The address of element `at` of a flat array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(first_of(context, builder, array, *arguments), I64)

    return i64(array, i64), codegen


@intrinsic(prefer_literal=True)
def sad_of_rows(typing_context, w, rows, a, a_stride, b, b_stride):
    """Sum of absolute differences of two blocks of w x rows samples, both literals and powers of 2."""
    width, height = w.literal_value, rows.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, a, a_stride, b, b_stride = arguments
        distance = _distance(_block(builder, a, a_stride, width, height), _block(builder, b, b_stride, width, height))
        return _sum(distance)

    return i64(w, rows, i64, i64, i64, i64), codegen


@intrinsic(prefer_literal=True)
def add_sads_of_rows(typing_context, w, rows, a, a_stride, b_0, b_1, b_2, b_3, b_stride, sums):
    """Four times sad_of_rows with the same a, added to a tuple of four sums."""
    width, height = w.literal_value, rows.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, a, a_stride, *blocks, b_stride, sums = arguments
        block = _block(builder, a, a_stride, width, height)
        for i, b in enumerate(blocks):
            sad = _sum(_distance(block, _block(builder, b, b_stride, width, height)))
            sums = builder.insert_value(sums, builder.add(builder.extract_value(sums, i), sad), i)
        return sums

    return _FOUR(w, rows, i64, i64, i64, i64, i64, i64, i64, _FOUR), codegen


@intrinsic
def store_four(typing_context, address, words):
    """A tuple of four to the words at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, words = arguments
        first = builder.inttoptr(address, I64.as_pointer())
        for i in range(4):
            builder.store(builder.extract_value(words, i), builder.gep(first, [I64(i)]))
        return context.get_dummy_value()

    return types.void(i64, _FOUR), codegen


@intrinsic
def sads_of_cells(typing_context, a, a_stride, b, b_stride, out):
    """Sums of absolute differences of eight 8x8 cells beside each other, to eight words at the address out.

    Rows are summed in lanes of 16 bits, then neighbouring lanes.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride, out = arguments
        rows = zip(_rows(builder, a, a_stride, 64, 8), _rows(builder, b, b_stride, 64, 8), strict=True)
        first, *others = (_distance(p, q).widened(16, signed=False) for p, q in rows)
        sums = sum(others, first)
        while sums.count > 8:
            sums = sums.lanes(list(range(0, sums.count, 2))) + sums.lanes(list(range(1, sums.count, 2)))
        store(builder.inttoptr(out, I64.as_pointer()), sums.widened(64, signed=False))
        return context.get_dummy_value()

    return types.void(i64, i64, i64, i64, i64), codegen


@intrinsic(prefer_literal=True)
def accumulate(typing_context, w, sums, weights, sums_stride, a, a_stride, b, b_stride, base, slope):
    """temporal_accumulate of ACCUMULATED samples: rows of w, a literal 4, 8 or 16."""
    width, height = w.literal_value, ACCUMULATED // w.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, sums, weights, sums_stride, a, a_stride, b, b_stride, base, slope = arguments
        sample = _block(builder, b, b_stride, width, height).widened(16, signed=False)
        other = _block(builder, a, a_stride, width, height).widened(16, signed=False)
        d = (sample - other).abs().min(MAX_DIFFERENCE)
        # The upper halves of products of 16 bits: both factors times 16 make them products shifted by 8.
        base, steep = splat(builder, base, ACCUMULATED, 16), splat(builder, slope, ACCUMULATED, 32) * 16
        far = ((d * d * 16).widened(32, signed=False) * steep).shifted_right(16).narrowed(16)
        near = base.subtract_to_zero(far)
        weight = (near * near).shifted_right(11)
        for first, added in (
            (builder.inttoptr(sums, _U16), weight * sample),
            (builder.inttoptr(weights, _SAMPLES), weight.narrowed(8)),
        ):
            for y in range(height):
                row = builder.gep(first, [builder.mul(sums_stride, I64(y))])
                store(row, load(builder, row, width) + added.lanes(list(range(y * width, (y + 1) * width))))
        return context.get_dummy_value()

    return types.void(w, i64, i64, i64, i64, i64, i64, i64, i64, i64), codegen


def _rows(builder: ir.IRBuilder, address: ir.Value, stride: ir.Value, width: int, height: int) -> list[Vector]:
    first = builder.inttoptr(address, _SAMPLES)
    return [load(builder, builder.gep(first, [builder.mul(stride, I64(y))]), width) for y in range(height)]


def _block(builder: ir.IRBuilder, address: ir.Value, stride: ir.Value, width: int, height: int) -> Vector:
    return joined(_rows(builder, address, stride, width, height))


def _distance(a: Vector, b: Vector) -> Vector:
    """Absolute differences of unsigned lanes."""
    return a.unsigned_max(b) - a.unsigned_min(b)


def _sum(lanes: Vector) -> ir.Value:
    return lanes.builder.zext(lanes.widened(32, signed=False).sum(), I64)
