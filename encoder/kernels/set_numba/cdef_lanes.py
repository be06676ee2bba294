"""The two CDEF kernels as LLVM vectors: 16-bit lanes, portable instructions only (spec 7.15.2, 7.15.3).

Left to itself LLVM does not vectorise these loops, in which twelve streams of samples with unknown distances meet.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from encoder.byref import i64, u8s, u16s
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.tables import table

_I32, _I64 = ir.IntType(32), ir.IntType(64)
FILTER_LANES = 16
"""Samples that filter_lanes works on at once: two rows of 8 or four of 4."""
WRAP_UNAVAILABLE = (1 << 15) - CDEF_UNAVAILABLE
"""Added to a sample, makes the mark of an unavailable one the lowest of all 16-bit values."""
DIV_TABLE = table("div_table").tolist()
DIAGONAL_WEIGHTS = [DIV_TABLE[8 - abs(line - 7)] for line in range(15)] + [0]
"""By line: a line of n samples weighs 840 / n."""
STEEP_WEIGHTS = [DIV_TABLE[min(8, 2 + 2 * min(line, 10 - line))] for line in range(11)] + [0] * 5


class _Vector:
    """A vector of integers with the operators of Python; lanes wrap, `>>` keeps the sign."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value):
        self.builder, self.value = builder, value
        self.count, self.bits = value.type.count, value.type.element.width

    def _other(self, other: _Vector | int | list[int]) -> ir.Value:
        if isinstance(other, _Vector):
            return other.value
        return ir.Constant(self.value.type, other if isinstance(other, list) else [other] * self.count)

    def _with(self, value: ir.Value) -> _Vector:
        return _Vector(self.builder, value)

    def __add__(self, other: Any) -> _Vector:
        return self._with(self.builder.add(self.value, self._other(other)))

    def __sub__(self, other: Any) -> _Vector:
        return self._with(self.builder.sub(self.value, self._other(other)))

    def __mul__(self, other: Any) -> _Vector:
        return self._with(self.builder.mul(self.value, self._other(other)))

    def __xor__(self, other: Any) -> _Vector:
        return self._with(self.builder.xor(self.value, self._other(other)))

    def __rshift__(self, other: Any) -> _Vector:
        return self._with(self.builder.ashr(self.value, self._other(other)))

    def min(self, other: Any) -> _Vector:
        return self._call("smin", self._other(other))

    def max(self, other: Any) -> _Vector:
        return self._call("smax", self._other(other))

    def subtract_to_zero(self, other: _Vector) -> _Vector:
        """Unsigned difference, 0 where it would be negative."""
        return self._call("usub.sat", other.value)

    def abs(self) -> _Vector:
        return self._call("abs", ir.Constant(ir.IntType(1), 0))

    def _call(self, name: str, argument: ir.Value) -> _Vector:
        kind = ir.FunctionType(self.value.type, [self.value.type, argument.type])
        full_name = f"llvm.{name}.v{self.count}i{self.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, full_name)
        return self._with(self.builder.call(function, [self.value, argument]))

    def sum(self) -> ir.Value:
        """The sum of all lanes, a scalar."""
        return self._reduced("add")

    def largest(self) -> ir.Value:
        """The largest of all lanes, a scalar."""
        return self._reduced("smax")

    def _reduced(self, operation: str) -> ir.Value:
        kind = ir.FunctionType(self.value.type.element, [self.value.type])
        name = f"llvm.vector.reduce.{operation}.v{self.count}i{self.bits}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [self.value])

    def widened(self, bits: int, signed: bool = True) -> _Vector:
        extend = self.builder.sext if signed else self.builder.zext
        return self._with(extend(self.value, ir.VectorType(ir.IntType(bits), self.count)))

    def narrowed(self, bits: int) -> _Vector:
        return self._with(self.builder.trunc(self.value, ir.VectorType(ir.IntType(bits), self.count)))

    def lanes(self, chosen: list[int], other: _Vector | None = None) -> _Vector:
        """The chosen lanes; numbers from `count` on are those of the other vector."""
        second = ir.Constant(self.value.type, ir.Undefined) if other is None else other.value
        mask = ir.Constant(ir.VectorType(_I32, len(chosen)), chosen)
        return self._with(self.builder.shuffle_vector(self.value, second, mask))

    def placed(self, first: int, count: int) -> _Vector:
        """A longer vector of zeros with these lanes from lane `first` on."""
        zeros = self._with(ir.Constant(self.value.type, [0] * self.count))
        inside = range(first, first + self.count)
        return self.lanes([i - first if i in inside else self.count for i in range(count)], zeros)


def _joined(vectors: list[_Vector]) -> _Vector:
    """Vectors one after the other; their number is a power of 2."""
    while len(vectors) > 1:
        vectors = [a.lanes(list(range(2 * a.count)), b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def _splat(builder: ir.IRBuilder, scalar: ir.Value, count: int, bits: int) -> _Vector:
    """The low bits of a scalar in all lanes."""
    kind = ir.VectorType(ir.IntType(bits), count)
    low = builder.trunc(scalar, ir.IntType(bits))
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), low, _I32(0))
    return _Vector(builder, one).lanes([0] * count)


class _Samples:
    """A flat array seen from one index."""

    def __init__(self, context: Any, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, at: ir.Value):
        self.builder, self.bits = builder, kind.dtype.bitwidth
        self.first = builder.gep(make_array(kind)(context, builder, array).data, [at])

    def _pointer(self, offset: ir.Value, count: int) -> ir.Value:
        kind = ir.VectorType(ir.IntType(self.bits), count)
        return self.builder.bitcast(self.builder.gep(self.first, [offset]), kind.as_pointer())

    def load(self, offset: ir.Value, count: int) -> _Vector:
        return _Vector(self.builder, self.builder.load(self._pointer(offset, count), align=self.bits // 8))

    def store(self, offset: ir.Value, vector: _Vector) -> None:
        self.builder.store(vector.value, self._pointer(offset, vector.count), align=self.bits // 8)


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
        source = _Samples(context, b, u16s, padded, padded_at)
        target = _Samples(context, b, u8s, dst, dst_at)
        pri_strength, sec_strength, pri_shift, sec_shift = (_splat(b, x, FILTER_LANES, 16) for x in strengths)
        starts = [b.mul(padded_stride, _I64(y)) for y in range(rows)]

        def block(offset: ir.Value) -> _Vector:
            return _joined([source.load(b.add(start, offset), width) for start in starts])

        def constrained(p: _Vector, strength: _Vector, shift: _Vector) -> _Vector:
            """An unavailable sample is so far away that nothing is left of its difference."""
            diff = p - x
            sign = diff >> 15
            magnitude = diff.abs()
            return (strength.subtract_to_zero(magnitude >> shift).min(magnitude) ^ sign) - sign

        x = block(_I64(0))
        total = x - x
        smallest, largest = x, x + WRAP_UNAVAILABLE
        for number in range(2 * directions):
            offset, k = b.extract_value(offsets, number), number % 2
            for p in (block(offset), block(b.neg(offset))):
                if number < 2:
                    tap = _splat(b, b.extract_value(taps, k), FILTER_LANES, 16)
                    total += constrained(p, pri_strength, pri_shift) * tap
                else:
                    total += constrained(p, sec_strength, sec_shift) * (2 - k)
                smallest, largest = smallest.min(p), largest.max(p + WRAP_UNAVAILABLE)
        result = x + ((total + (total >> 15) + 8) >> 4)
        if directions > 1:  # one filter alone cannot leave the range of its samples
            result = result.max(smallest).min(largest - WRAP_UNAVAILABLE)
        for y in range(rows):
            row = result.lanes(list(range(y * width, (y + 1) * width)))
            target.store(b.mul(dst_stride, _I64(y)), row.narrowed(8))
        return context.get_dummy_value()

    offsets_type, taps_type = types.UniTuple(i64, 6), types.UniTuple(i64, 2)
    places = (u8s, i64, i64, u16s, i64, i64)
    return types.void(w, with_sec, *places, offsets_type, taps_type, i64, i64, i64, i64), codegen


@intrinsic
def direction_of(typing_context, samples, at, stride):
    """CDEF direction process (spec 7.15.2) of an 8x8 block -> var << 3 | direction."""

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        samples, at, stride = arguments
        source = _Samples(context, b, u8s, samples, at)
        rows = [source.load(b.mul(stride, _I64(i)), 8).widened(16, signed=False) - 128 for i in range(8)]
        costs = ir.Constant(ir.VectorType(_I64, 8), ir.Undefined)
        for direction, cost in _costs(rows).items():
            costs = b.insert_element(costs, b.sext(cost, _I64), _I32(direction))
        # Of equal costs the first direction wins.
        best = (_Vector(b, costs) * 8 + list(range(7, -1, -1))).largest()
        direction = b.xor(b.and_(best, _I64(7)), _I64(7))
        across = b.extract_element(costs, b.xor(direction, _I64(4)))
        variance = b.ashr(b.sub(b.ashr(best, _I64(3)), across), _I64(10))
        return b.or_(b.shl(variance, _I64(3)), direction)

    return i64(u8s, i64, i64), codegen


def _costs(rows: list[_Vector]) -> dict[int, ir.Value]:
    """The cost of every direction; 32 bits hold them, the largest is 64 * 128 ** 2 * 840."""
    costs = {
        0: _cost(_lines(rows, range(8)), DIAGONAL_WEIGHTS),
        4: _cost(_lines(rows, range(7, -1, -1)), DIAGONAL_WEIGHTS),
    }
    # Directions 1, 2, 3 are directions 7, 6, 5 of the transposed block. Where lines are numbered here from the other end than in
    # the specification, their weights are the same.
    for block, straight, rising, falling in ((rows, 6, 7, 5), (_transposed(rows), 2, 1, 3)):
        pairs = [block[i] + block[i + 1] for i in range(0, 8, 2)]
        costs[straight] = _cost(_sum(pairs), [DIV_TABLE[8]] * 8)
        costs[rising] = _cost(_lines(pairs, range(4)), STEEP_WEIGHTS)
        costs[falling] = _cost(_lines(pairs, range(3, -1, -1)), STEEP_WEIGHTS)
    return costs


def _lines(rows: list[_Vector], first: range) -> _Vector:
    """Sums over slanting lines, 16 lanes: row i begins at lane first[i]."""
    return _sum([row.placed(lane, 16) for row, lane in zip(rows, first, strict=True)])


def _sum(vectors: list[_Vector]) -> _Vector:
    while len(vectors) > 1:
        vectors = [a + b for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def _cost(sums: _Vector, weights: list[int]) -> ir.Value:
    wide = sums.widened(32)
    return (wide * wide * weights).sum()


def _transposed(rows: list[_Vector]) -> list[_Vector]:
    """Rows of a square become columns: halves off the diagonal change places, then halves of the halves."""
    rows, n = list(rows), len(rows)
    distance = 1
    while distance < n:
        upper = [lane if not lane & distance else n + lane - distance for lane in range(n)]
        lower = [lane + distance if not lane & distance else n + lane for lane in range(n)]
        for i in range(n):
            if not i & distance:
                a, b = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = a.lanes(upper, b), a.lanes(lower, b)
        distance *= 2
    return rows
