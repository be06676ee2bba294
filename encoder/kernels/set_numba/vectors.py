"""LLVM vectors of integers with the operators of Python, for intrinsics that write a kernel as straight vector code.

Portable instructions only: LLVM chooses those of the machine.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import make_array

I32, I64 = ir.IntType(32), ir.IntType(64)


class Vector:
    """A vector of integers with the operators of Python; lanes wrap, `>>` keeps the sign."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value):
        self.builder, self.value = builder, value
        self.count, self.bits = value.type.count, value.type.element.width

    def _other(self, other: Vector | int | list[int]) -> ir.Value:
        if isinstance(other, Vector):
            return other.value
        return ir.Constant(self.value.type, other if isinstance(other, list) else [other] * self.count)

    def _with(self, value: ir.Value) -> Vector:
        return Vector(self.builder, value)

    def __add__(self, other: Any) -> Vector:
        return self._with(self.builder.add(self.value, self._other(other)))

    def __sub__(self, other: Any) -> Vector:
        return self._with(self.builder.sub(self.value, self._other(other)))

    def __mul__(self, other: Any) -> Vector:
        return self._with(self.builder.mul(self.value, self._other(other)))

    def __xor__(self, other: Any) -> Vector:
        return self._with(self.builder.xor(self.value, self._other(other)))

    def __rshift__(self, other: Any) -> Vector:
        return self._with(self.builder.ashr(self.value, self._other(other)))

    def __and__(self, other: Any) -> Vector:
        return self._with(self.builder.and_(self.value, self._other(other)))

    def less(self, other: Any) -> Vector:
        """Where these lanes are less than the other ones: a mask, one bit a lane."""
        return self._with(self.builder.icmp_signed("<", self.value, self._other(other)))

    def min(self, other: Any) -> Vector:
        return self._call("smin", self._other(other))

    def max(self, other: Any) -> Vector:
        return self._call("smax", self._other(other))

    def shifted_right(self, count: int) -> Vector:
        """Zeros come in at the upper end."""
        return self._with(self.builder.lshr(self.value, self._other(count)))

    def unsigned_min(self, other: Vector) -> Vector:
        return self._call("umin", other.value)

    def unsigned_max(self, other: Vector) -> Vector:
        return self._call("umax", other.value)

    def subtract_to_zero(self, other: Vector) -> Vector:
        """Unsigned difference, 0 where it would be negative."""
        return self._call("usub.sat", other.value)

    def abs(self) -> Vector:
        return self._call("abs", ir.Constant(ir.IntType(1), 0))

    def _call(self, name: str, argument: ir.Value) -> Vector:
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

    def widened(self, bits: int, signed: bool = True) -> Vector:
        extend = self.builder.sext if signed else self.builder.zext
        return self._with(extend(self.value, ir.VectorType(ir.IntType(bits), self.count)))

    def narrowed(self, bits: int) -> Vector:
        return self._with(self.builder.trunc(self.value, ir.VectorType(ir.IntType(bits), self.count)))

    def lanes(self, chosen: list[int], other: Vector | None = None) -> Vector:
        """The chosen lanes; numbers from `count` on are those of the other vector."""
        second = ir.Constant(self.value.type, ir.Undefined) if other is None else other.value
        mask = ir.Constant(ir.VectorType(I32, len(chosen)), chosen)
        return self._with(self.builder.shuffle_vector(self.value, second, mask))

    def placed(self, first: int, count: int) -> Vector:
        """A longer vector of zeros with these lanes from lane `first` on."""
        zeros = self._with(ir.Constant(self.value.type, [0] * self.count))
        inside = range(first, first + self.count)
        return self.lanes([i - first if i in inside else self.count for i in range(count)], zeros)


def joined(vectors: list[Vector]) -> Vector:
    """Vectors one after the other; their number is a power of 2."""
    while len(vectors) > 1:
        vectors = [a.lanes(list(range(2 * a.count)), b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def splat(builder: ir.IRBuilder, scalar: ir.Value, count: int, bits: int) -> Vector:
    """The low bits of a scalar in all lanes."""
    kind = ir.VectorType(ir.IntType(bits), count)
    low = builder.trunc(scalar, ir.IntType(bits))
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), low, I32(0))
    return Vector(builder, one).lanes([0] * count)


def select(mask: Vector, a: Vector, b: Vector) -> Vector:
    """a where the mask is set, else b."""
    return Vector(a.builder, a.builder.select(mask.value, a.value, b.value))


def any_lane(mask: Vector) -> ir.Value:
    """Whether a mask is set anywhere: one bit."""
    builder, kind = mask.builder, ir.IntType(mask.count)
    return builder.icmp_unsigned("!=", builder.bitcast(mask.value, kind), kind(0))


def first_of(context: Any, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, at: ir.Value) -> ir.Value:
    """A pointer to element `at` of a flat array."""
    return builder.gep(make_array(kind)(context, builder, array).data, [at])


def load(builder: ir.IRBuilder, pointer: ir.Value, count: int) -> Vector:
    """`count` neighbours, at any alignment."""
    kind = ir.VectorType(pointer.type.pointee, count)
    return Vector(builder, builder.load(builder.bitcast(pointer, kind.as_pointer()), align=1))


def store(pointer: ir.Value, vector: Vector) -> None:
    """All lanes to neighbours, at any alignment."""
    builder = vector.builder
    builder.store(vector.value, builder.bitcast(pointer, vector.value.type.as_pointer()), align=1)


def transposed(rows: list[Vector]) -> list[Vector]:
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
