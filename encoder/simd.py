"""Vectors of integers as values of compiled code: a SIMD kernel is written as arithmetic, in Python.

A `Vector` is a number of lanes held in registers, all of one element type. Operators work lane by lane and wrap as
machine integers do; the element type says what `>>`, `<`, `min` and widening mean. What comes out are LLVM's portable
vectors: LLVM chooses the instructions of the machine, SSE to AVX-512 or NEON, and splits vectors that are too long for it.

    from encoder.simd import i16, pointer, u8x8, u8x16

    def sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
        p, q = pointer(a, a_at), pointer(b, b_at)
        if w == 8:
            return _sad(u8x8, p, a_stride, q, b_stride, h)
        return _sad(u8x16, p, a_stride, q, b_stride, h)

    def _sad(kind, p, a_stride, q, b_stride, h):
        total = 0
        for y in range(h):
            total += kind.load(p).sad(kind.load(q))
            p += a_stride
            q += b_stride
        return total

Two ways to write, one set of names
- *Plain code*, as above, is compiled by numba. Loops and branches run when the kernel runs.
- A *staged* function (decorator `staged`) runs once, when the kernel is compiled, and what it does with vectors becomes
  straight code where it was called. Its Python is all there: loops unroll, lists and dictionaries of vectors, closures,
  comprehensions. What the running kernel decides takes other forms here: `with when(condition):` does what is inside
  only where the condition holds, `with loop(count) as n:` does it again and again, and a `Variable` keeps vectors from round to
  round. Long code belongs here: numba takes milliseconds for every statement of plain code, microseconds for an operation
  here. Plain code calls staged functions, not the other way round.

The same in staged code, where the loop and what it adds up are written out:

    @staged
    def sad_of_bytes(p, q, count):
        total = Variable(i32x16.zero())
        with loop(count >> 4) as n:
            total.value += u8x16.load(p + n * 16).distances(u8x16.load(q + n * 16))
        return total.value.sum()

What is known when the kernel is compiled
- `Kind`, element and number of lanes: `u8x16`, `i32x4`, or the host's natural ones `U8`, `U16`, `I16`, `I32`. A function that takes
  a kind is compiled once for each that it is given, and inlined: that is how a kernel gets a version for every width of block.
  `kind.lanes` is its number of lanes, `kind.of(i16)` the kind with as many lanes of another element.
- `Numbers`: a tuple of ints, for shuffles and for constants that differ from lane to lane, e.g. EVEN = Numbers(range(0, 8, 2)).
  Plain code takes them from the module's constants; a staged function may write lists and tuples instead.
- An int that is written in place, as in `u8x8.load_rows(p, stride, 4)`, counts as known too. As an argument of a plain
  function it does not arrive as one: give a kind, or stage the function.

In and out of registers
    pointer(array, at)                  a Pointer to an element. Take it first thing: numba counts the references of an array for
                                        as long as a function with branches uses it, which costs as much as a small block
    p + n, p - n, p[n], p[n] = x        further on by n elements; one element, as an int64
    kind.load(p), v.store(p)            at any alignment; exactly so many elements as there are lanes
    kind.load_first(p, n)               the first n lanes, the others are 0, nothing else is read; slow without AVX-512
    v.store_first(p, n)                 the first n lanes, nothing else is written
    kind.gather(p, numbers)             the elements p[n] of the numbers in another vector; of 32 bits, or it is slow
    kind.load_rows(p, stride, rows)     a tuple of vectors
    kind.load_block(p, stride, width)   rows of `width` elements, one behind the other in one vector
    v.store_block(p, stride, width)     and back
    kind.splat(x), kind.constant(NUMBERS), kind.zero()
    in_memory(element, NUMBERS)         a Pointer to a table of numbers, e.g. for the second factor of mul_pairs of bytes, which
                                        LLVM knows only where it sees it loaded beside the product
    scratch(element, count)             a Pointer to memory on the stack, as it happens to be; dead when the function returns

Lane by lane: + - * & | ^ ~ and unary -, with a vector of the same kind, an int (the same in all lanes), or Numbers
    << >>                               >> keeps the sign of signed lanes and brings in zeros to unsigned ones
    < <= > >= == !=                     a mask: a vector of bits, for `where`, `any`, `all`, `bits`, & | ^ ~
    where(mask, a, b)                   a where set, else b
    abs(v)  min  max  clip(low, high)   of the element's sign
    abs_diff                            |a - b|; unsigned lanes do not wrap
    add_saturated  sub_saturated        limited to the element's range
    mean                                (a + b + 1) >> 1 without overflow, unsigned lanes
    mul_high                            upper half of the product
    round_shift(n)                      (v + (1 << n >> 1)) >> n; n may be 0

Other elements
    to(element)                         the same values; what does not fit wraps
    saturate(element)                   limited to the range of a narrower element
    bits_as(element)                    the same bits, as lanes of another width or sign
    fenced()                            the same vector, but LLVM does not look behind it: where it would make of two orders of
                                        lanes one that costs more; not for less than 8 bytes

Among lanes
    shuffle(NUMBERS), shuffle(NUMBERS, other)   the chosen lanes; from v.kind.lanes on they are those of the other vector
    low() high() even() odd() reverse()         half of the lanes, or all backwards
    join(other)                         one behind the other; join(tuple) for more of them
    zip(other), zip_low(other), zip_high(other)   a0 b0 a1 b1 ... : all, from the lower, from the upper halves
    zip_parts(other)                    the two halves of zip for every 16 bytes: where the order of lanes is all the same
    slide(other, n)                     lanes n .. of v, then the first n of other
    repeat(times)                       v, v, v ...
    lane(n)                             one lane, as an int64
    exchange(a, b, distance)            a0 b0 a2 b2 ... and a1 b1 a3 b3 ..., where each of these is `distance` lanes
    columns(rows)                       a tuple with as many vectors as the rows have lanes; all sides are powers of 2
    transpose(rows)                     a tuple of n vectors with n lanes, rows to columns; with more lanes, square by square
    mul_pairs(other)                    a0 * b0 + a1 * b1, a2 * b2 + a3 * b3 ... in one instruction: of i16 lanes in i32 lanes; of
                                        u8 lanes and i8 ones in i16 lanes, saturated (do not store these at once: compute on)
    add_pairs()                         a0 + a1, a2 + a3, ... in the same element
    distances(other)                    |a - b| of u8 lanes in i32 lanes: a sum() of these, added up in a loop or not, becomes one
                                        instruction for 8 lanes and more
    sad(other)                          distances(other).sum()
    sum()  smallest()  largest()        over all lanes, an int64
    any()  all()  bits()  first()       of a mask; bits: lane 0 is the lowest bit of the int64; first: the first lane that is set

What to mind
- Two vectors meet in one kind, or the compiler refuses: convert with `to`. Python's min and max do not know vectors.
- Plain code calls with positional arguments only; numba indexes a tuple of vectors by a written number, not by a variable.
- In staged code what the kernel computes is a `Scalar`: no `if`, `range` or `int` of it, but `where`, `when` and `loop`.
- A reduction (sum, largest, any) costs as much as six operations: one a kernel, not one a row.
- A kind that is longer than the host's vector is several of them, and all are in use at once: 32 registers with AVX-512 or NEON,
  16 before. A gather costs a load for each lane and more, where the processor guards against spying through it.
- LLVM finds pmaddwd (mul_pairs), psadbw (distances), packuswb (saturate), pavgb (mean), pmulhw (mul_high) in what is written here;
  what it does not find is written with these.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import default_manager, models, register_default
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    Signature,
    infer_getattr,
    infer_global,
)
from numba.extending import lower_builtin, typeof_impl

from encoder.byref import i8, i16, i32, i64, u8, u16

u32, u64 = types.uint32, types.uint64
bit = types.boolean
"""The element of masks."""

_WORD = ir.IntType(64)
_INDEX = ir.IntType(32)


# --- what is known when a kernel is compiled


@dataclass(frozen=True)
class Kind:
    """The type of a vector: its element (u8 .. i64, or bit) and the number of lanes."""

    element: Any
    lanes: int

    def __str__(self) -> str:
        return f"{self.element}x{self.lanes}"

    @cached_property
    def _type(self) -> ir.VectorType:
        return ir.VectorType(ir.IntType(1 if self.element is bit else self.element.bitwidth), self.lanes)

    def of(self, element: Any) -> Kind:
        """As many lanes of another element."""
        return Kind(element, self.lanes)

    def zero(self) -> Vector:
        """All lanes 0."""
        return self.constant(0)

    def constant(self, numbers: int | Iterable[int]) -> Vector:
        """A number for each lane, or one for all."""
        lanes = (numbers,) * self.lanes if isinstance(numbers, int) else tuple(numbers)
        if len(lanes) != self.lanes:
            raise TypeError(f"{len(lanes)} numbers for the lanes of {self}")
        return Vector(_constant(self._type, lanes), self)

    def splat(self, value: Number) -> Vector:
        """The low bits of an int in all lanes."""
        if isinstance(value, int):
            return self.constant(value)
        b = _builder()
        low = value.value if self._type.element == _WORD else b.trunc(value.value, self._type.element)
        one = b.insert_element(ir.Constant(self._type, ir.Undefined), low, _INDEX(0))
        return Vector(one, self).shuffle([0] * self.lanes)

    def load(self, place: Pointer) -> Vector:
        """Neighbours in memory, at any alignment."""
        place.require(self.element)
        b = _builder()
        return Vector(b.load(b.bitcast(place.value, self._type.as_pointer()), align=1), self)

    def load_first(self, place: Pointer, count: Number) -> Vector:
        """The first `count` lanes from memory, 0 in the others; nothing else is read."""
        place.require(self.element)
        mask = _first_lanes(self, count)
        pointer_type = self._type.as_pointer()
        arguments = [_builder().bitcast(place.value, pointer_type), mask.value, self.zero().value]
        name = f"llvm.masked.load.{_suffix(self)}.p0"
        return Vector(_call(name, self._type, arguments), self)

    def gather(self, place: Pointer, numbers: Vector) -> Vector:
        """The elements of these numbers."""
        place.require(self.element)
        b = _builder()
        first = Scalar(b.ptrtoint(place.value, _WORD))
        places = b.inttoptr(
            (numbers.to(i64) * (self.element.bitwidth // 8) + first).value,
            ir.VectorType(place.value.type, self.lanes),
        )
        name = f"llvm.masked.gather.{_suffix(self)}.v{self.lanes}p0"
        return Vector(_call(name, self._type, [places, self.of(bit).constant(1).value, self.zero().value]), self)

    def load_rows(self, place: Pointer, stride: Number, rows: int) -> tuple[Vector, ...]:
        """Vectors that begin `stride` elements from each other."""
        return tuple(self.load(place + stride * row) for row in range(rows))

    def load_block(self, place: Pointer, stride: Number, width: int) -> Vector:
        """Rows of `width` elements, `stride` from each other, one behind the other."""
        return join(Kind(self.element, width).load_rows(place, stride, self.lanes // width))


class Numbers(tuple[int, ...]):
    """Ints that are known when a kernel is compiled: the lanes that a shuffle takes, or a constant for each lane."""

    __slots__ = ()


def _kinds(element: Any) -> tuple[Kind, ...]:
    return tuple(Kind(element, lanes) for lanes in (2, 4, 8, 16, 32, 64))


u8x2, u8x4, u8x8, u8x16, u8x32, u8x64 = _kinds(u8)
i8x2, i8x4, i8x8, i8x16, i8x32, i8x64 = _kinds(i8)
u16x2, u16x4, u16x8, u16x16, u16x32, u16x64 = _kinds(u16)
i16x2, i16x4, i16x8, i16x16, i16x32, i16x64 = _kinds(i16)
u32x2, u32x4, u32x8, u32x16, u32x32, u32x64 = _kinds(u32)
i32x2, i32x4, i32x8, i32x16, i32x32, i32x64 = _kinds(i32)
u64x2, u64x4, u64x8, u64x16, u64x32, u64x64 = _kinds(u64)
i64x2, i64x4, i64x8, i64x16, i64x32, i64x64 = _kinds(i64)


def _host_vector_bytes() -> int:
    """The length of the vectors that the machine code will be made for."""
    chosen = numba.config.CPU_FEATURES
    if chosen is None:
        features = llvmlite.binding.get_host_cpu_features()
    else:
        features = {word[1:]: word[0] == "+" for word in chosen.split(",") if word}
    if features.get("avx512bw"):
        return 64
    return 32 if features.get("avx2") else 16


VECTOR_BYTES = _host_vector_bytes()
"""Length of the host's natural vector."""
U8, U16, I16, I32 = (Kind(element, VECTOR_BYTES * 8 // element.bitwidth) for element in (u8, u16, i16, i32))


@cache
def _constant(vector: ir.VectorType, lanes: tuple[int, ...]) -> ir.Constant:
    """Kept, because making one and writing it down takes longer than the instruction that uses it."""
    return ir.Constant(vector, list(lanes))


# --- the emitter: what plain code and staged functions do with vectors becomes LLVM's instructions

_builders: list[ir.IRBuilder] = []


@contextmanager
def _emitting(builder: ir.IRBuilder) -> Iterator[None]:
    _builders.append(builder)
    try:
        yield
    finally:
        _builders.pop()


def _builder() -> ir.IRBuilder:
    """Where instructions go."""
    if not _builders:
        raise TypeError("vectors exist in compiled code only")
    return _builders[-1]


def _call(name: str, result: ir.Type, arguments: Sequence[ir.Value]) -> ir.Value:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return _builder().call(cgutils.get_or_insert_function(_builder().module, kind, name), arguments)


def _suffix(kind: Kind) -> str:
    """How LLVM's functions name a type."""
    return f"v{kind.lanes}i{kind._type.element.width}"


def _is_signed(element: Any) -> bool:
    return element is not bit and bool(element.signed)


def _limits(element: Any) -> tuple[int, int]:
    """The smallest and the largest value of an element."""
    values = 1 << element.bitwidth
    return (-values // 2, values // 2 - 1) if element.signed else (0, values - 1)


class Scalar:
    """An int64 of the running kernel in a staged function, or, from a comparison, one bit."""

    def __init__(self, value: ir.Value):
        self.value = value

    def _with(self, operation: str, other: Number, swapped: bool = False) -> Scalar:
        pair = self.value, _scalar(other).value
        return Scalar(getattr(_builder(), operation)(*(reversed(pair) if swapped else pair)))

    def __add__(self, other: Number) -> Scalar:
        return self._with("add", other)

    def __sub__(self, other: Number) -> Scalar:
        return self._with("sub", other)

    def __rsub__(self, other: Number) -> Scalar:
        return self._with("sub", other, swapped=True)

    def __mul__(self, other: Number) -> Scalar:
        return self._with("mul", other)

    def __and__(self, other: Number) -> Scalar:
        return self._with("and_", other)

    def __or__(self, other: Number) -> Scalar:
        return self._with("or_", other)

    def __xor__(self, other: Number) -> Scalar:
        return self._with("xor", other)

    def __lshift__(self, other: Number) -> Scalar:
        return self._with("shl", other)

    def __rlshift__(self, other: Number) -> Scalar:
        return self._with("shl", other, swapped=True)

    def __rshift__(self, other: Number) -> Scalar:
        return self._with("ashr", other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Scalar:
        return 0 - self

    def _compared(self, operation: str, other: Number) -> Scalar:
        return Scalar(_builder().icmp_signed(operation, self.value, _scalar(other).value))

    def __lt__(self, other: Number) -> Scalar:
        return self._compared("<", other)

    def __le__(self, other: Number) -> Scalar:
        return self._compared("<=", other)

    def __gt__(self, other: Number) -> Scalar:
        return self._compared(">", other)

    def __ge__(self, other: Number) -> Scalar:
        return self._compared(">=", other)

    def __eq__(self, other: Number) -> Scalar:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: Number) -> Scalar:  # type: ignore[override]
        return self._compared("!=", other)

    __hash__ = None  # type: ignore[assignment]


Number = int | Scalar


def _scalar(number: Number) -> Scalar:
    return number if isinstance(number, Scalar) else Scalar(_WORD(number))


class Pointer:
    """The place of an element in memory."""

    def __init__(self, value: ir.Value, element: Any):
        self.value, self.element = value, element

    def require(self, element: Any) -> None:
        """Raises TypeError where the memory holds other elements."""
        if self.element != element:
            raise TypeError(f"memory of {self.element} holds no {element}")

    def __add__(self, count: Number) -> Pointer:
        return Pointer(_builder().gep(self.value, [_scalar(count).value]), self.element)

    def __sub__(self, count: Number) -> Pointer:
        return self + (0 - _scalar(count))

    def __getitem__(self, at: Number) -> Scalar:
        loaded = _builder().load((self + at).value)
        return _widened(loaded, self.element)

    def __setitem__(self, at: Number, value: Number) -> None:
        place = (self + at).value
        low = _scalar(value).value
        _builder().store(low if self.element.bitwidth == 64 else _builder().trunc(low, place.type.pointee), place)


def _widened(value: ir.Value, element: Any) -> Scalar:
    """An element as an int64."""
    if value.type == _WORD:
        return Scalar(value)
    extend = _builder().sext if _is_signed(element) else _builder().zext
    return Scalar(extend(value, _WORD))


class Vector:
    """Lanes in registers. The module's docstring lists what can be done with them."""

    def __init__(self, value: ir.Value, kind: Kind):
        self.value, self.kind = value, kind

    # arithmetic

    def _other(self, other: Operand) -> ir.Value:
        """The other operand of the same kind."""
        if isinstance(other, Vector):
            if other.kind != self.kind:
                raise TypeError(f"{self.kind} and {other.kind} do not go together")
            return other.value
        return (self.kind.splat(other) if isinstance(other, Scalar) else self.kind.constant(other)).value

    def _with(self, value: ir.Value) -> Vector:
        return Vector(value, self.kind)

    def _binary(self, operation: str, other: Operand) -> Vector:
        return self._with(getattr(_builder(), operation)(self.value, self._other(other)))

    def __add__(self, other: Operand) -> Vector:
        return self._binary("add", other)

    def __sub__(self, other: Operand) -> Vector:
        return self._binary("sub", other)

    def __rsub__(self, other: Operand) -> Vector:
        return self._with(_builder().sub(self._other(other), self.value))

    def __mul__(self, other: Operand) -> Vector:
        return self._binary("mul", other)

    def __and__(self, other: Operand) -> Vector:
        return self._binary("and_", other)

    def __or__(self, other: Operand) -> Vector:
        return self._binary("or_", other)

    def __xor__(self, other: Operand) -> Vector:
        return self._binary("xor", other)

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def __lshift__(self, other: Operand) -> Vector:
        return self._binary("shl", other)

    def __rshift__(self, other: Operand) -> Vector:
        return self._binary("ashr" if _is_signed(self.kind.element) else "lshr", other)

    def __neg__(self) -> Vector:
        return 0 - self

    def __invert__(self) -> Vector:
        return self ^ -1

    def __abs__(self) -> Vector:
        return self._intrinsic("abs", ir.IntType(1)(0)) if _is_signed(self.kind.element) else self

    def _intrinsic(self, name: str, *others: ir.Value) -> Vector:
        return self._with(_call(f"llvm.{name}.{_suffix(self.kind)}", self.kind._type, [self.value, *others]))

    def _signed(self, name: str, other: Operand) -> Vector:
        """LLVM's function of that name for the element's sign."""
        sign = "s" if _is_signed(self.kind.element) else "u"
        return self._intrinsic(sign + name, self._other(other))

    def min(self, other: Operand) -> Vector:
        """The smaller one."""
        return self._signed("min", other)

    def max(self, other: Operand) -> Vector:
        """The larger one."""
        return self._signed("max", other)

    def clip(self, low: Operand, high: Operand) -> Vector:
        """Limited to low..high."""
        return self.max(low).min(high)

    def abs_diff(self, other: Operand) -> Vector:
        """|a - b|."""
        return self.max(other) - self.min(other)

    def add_saturated(self, other: Operand) -> Vector:
        """The sum, limited to the element's range."""
        return self._signed("add.sat", other)

    def sub_saturated(self, other: Operand) -> Vector:
        """The difference, limited to the element's range."""
        return self._signed("sub.sat", other)

    def mean(self, other: Vector) -> Vector:
        """(a + b + 1) >> 1 of unsigned lanes, in one instruction for 8 and 16 bits."""
        return (self | other) - ((self ^ other) >> 1)

    def mul_high(self, other: Operand) -> Vector:
        """The upper half of the product of 16-bit lanes, in one instruction."""
        wide = _twice(self.kind.element)
        product = self.to(wide) * self._with(self._other(other)).to(wide)
        return (product >> self.kind.element.bitwidth).to(self.kind.element)

    def round_shift(self, count: Number) -> Vector:
        """Divided by 2 ** count, halves rounded up."""
        return (self + (1 << count >> 1)) >> count

    # masks

    def _compared(self, operation: str, other: Operand) -> Vector:
        b = _builder()
        compare = b.icmp_signed if _is_signed(self.kind.element) else b.icmp_unsigned
        return Vector(compare(operation, self.value, self._other(other)), self.kind.of(bit))

    def __lt__(self, other: Operand) -> Vector:
        return self._compared("<", other)

    def __le__(self, other: Operand) -> Vector:
        return self._compared("<=", other)

    def __gt__(self, other: Operand) -> Vector:
        return self._compared(">", other)

    def __ge__(self, other: Operand) -> Vector:
        return self._compared(">=", other)

    def __eq__(self, other: Operand) -> Vector:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: Operand) -> Vector:  # type: ignore[override]
        return self._compared("!=", other)

    __hash__ = None  # type: ignore[assignment]

    def bits(self) -> Scalar:
        """A mask of up to 64 lanes as an int, lane 0 the lowest bit."""
        whole = _builder().bitcast(self._mask(), ir.IntType(self.kind.lanes))
        return _widened(whole, bit)

    def first(self) -> Scalar:
        """The number of the first lane that a mask is set in; the number of lanes where it is set in none."""
        whole = _builder().bitcast(self._mask(), ir.IntType(self.kind.lanes))
        return _widened(_call(f"llvm.cttz.{whole.type}", whole.type, [whole, ir.IntType(1)(0)]), bit)

    def any(self) -> Scalar:
        """Whether a mask is set somewhere."""
        whole = _builder().bitcast(self._mask(), ir.IntType(self.kind.lanes))
        return Scalar(_builder().icmp_unsigned("!=", whole, whole.type(0)))

    def all(self) -> Scalar:
        """Whether a mask is set everywhere."""
        whole = _builder().bitcast(self._mask(), ir.IntType(self.kind.lanes))
        return Scalar(_builder().icmp_unsigned("==", whole, whole.type(-1)))

    def _mask(self) -> ir.Value:
        if self.kind.element is not bit:
            raise TypeError(f"{self.kind} is no mask; compare it")
        return self.value

    # other elements

    def to(self, element: Any) -> Vector:
        """The same values as lanes of another element; what does not fit wraps. A mask's set lanes are 1."""
        kind, b = self.kind.of(element), _builder()
        before, after = self.kind._type.element.width, kind._type.element.width
        if after == before:
            return Vector(self.value, kind)
        if after < before:
            return Vector(b.trunc(self.value, kind._type), kind)
        extend = b.sext if _is_signed(self.kind.element) else b.zext
        return Vector(extend(self.value, kind._type), kind)

    def saturate(self, element: Any) -> Vector:
        """Lanes of a narrower element, limited to its range."""
        (low, high), (lowest, highest) = _limits(element), _limits(self.kind.element)
        return self.clip(max(low, lowest), min(high, highest)).to(element)

    def bits_as(self, element: Any) -> Vector:
        """The same bits as lanes of another width or sign."""
        kind = Kind(element, self.kind.lanes * self.kind._type.element.width // element.bitwidth)
        return Vector(_builder().bitcast(self.value, kind._type), kind)

    def fenced(self) -> Vector:
        """The same, but LLVM does not look behind it to make one operation of several. Of less than 8 bytes it does."""
        words = self.kind.lanes * self.kind._type.element.width // 64
        if not words:
            return self
        kind, b = ir.VectorType(ir.DoubleType(), words), _builder()
        value = _call(f"llvm.arithmetic.fence.v{words}f64", kind, [b.bitcast(self.value, kind)])
        return self._with(b.bitcast(value, self.kind._type))

    # among lanes

    def shuffle(self, numbers: Sequence[int], other: Vector | None = None) -> Vector:
        """The chosen lanes; numbers from `lanes` on are those of the other vector."""
        if any(not 0 <= number < self.kind.lanes * (1 if other is None else 2) for number in numbers):
            raise TypeError(f"a shuffle of {self.kind} takes lanes {list(numbers)}")
        second = ir.Constant(self.kind._type, ir.Undefined) if other is None else self._other(other)
        mask = _constant(ir.VectorType(_INDEX, len(numbers)), tuple(numbers))
        shuffled = _builder().shuffle_vector(self.value, second, mask)
        return Vector(shuffled, Kind(self.kind.element, len(numbers)))

    def low(self) -> Vector:
        """The first half of the lanes."""
        return self.shuffle(range(self.kind.lanes // 2))

    def high(self) -> Vector:
        """The second half of the lanes."""
        return self.shuffle(range(self.kind.lanes // 2, self.kind.lanes))

    def even(self) -> Vector:
        """Lanes 0, 2, 4 ..."""
        return self.shuffle(range(0, self.kind.lanes, 2))

    def odd(self) -> Vector:
        """Lanes 1, 3, 5 ..."""
        return self.shuffle(range(1, self.kind.lanes, 2))

    def reverse(self) -> Vector:
        """The last lane first."""
        return self.shuffle(range(self.kind.lanes - 1, -1, -1))

    def join(self, other: Vector) -> Vector:
        """Both, one behind the other."""
        return self.shuffle(range(2 * self.kind.lanes), other)

    def zip(self, other: Vector) -> Vector:
        """a0 b0 a1 b1 ..."""
        n = self.kind.lanes
        return self.shuffle([lane // 2 + lane % 2 * n for lane in range(2 * n)], other)

    def zip_low(self, other: Vector) -> Vector:
        """The first half of `zip`."""
        n = self.kind.lanes
        return self.shuffle([lane // 2 + lane % 2 * n for lane in range(n)], other)

    def zip_high(self, other: Vector) -> Vector:
        """The second half of `zip`."""
        n = self.kind.lanes
        return self.shuffle([lane // 2 + lane % 2 * n for lane in range(n, 2 * n)], other)

    def zip_parts(self, other: Vector) -> tuple[Vector, Vector]:
        """The first half and the second half of `zip` for every 16 bytes: a cheap order on machines with longer vectors."""
        n = self.kind.lanes
        half = min(n, 128 // self.kind.element.bitwidth) // 2
        low = [lane // 2 + start + lane % 2 * n for start in range(0, n, 2 * half) for lane in range(2 * half)]
        return self.shuffle(low, other), self.shuffle([lane + half for lane in low], other)

    def slide(self, other: Vector, count: int) -> Vector:
        """Lanes `count` .. of this one, then the first `count` of the other."""
        return self.shuffle(range(count, count + self.kind.lanes), other)

    def repeat(self, times: int) -> Vector:
        """This one so many times, one behind the other."""
        return self.shuffle(list(range(self.kind.lanes)) * times)

    def lane(self, number: int) -> Scalar:
        """One lane."""
        return _widened(_builder().extract_element(self.value, _INDEX(number)), self.kind.element)

    def mul_pairs(self, other: Operand) -> Vector:
        """a0 * b0 + a1 * b1, a2 * b2 + a3 * b3 ... of i16 lanes, in i32 lanes; of u8 and i8 lanes, saturated to i16."""
        second = other if isinstance(other, Vector) else self._with(self._other(other))
        elements = self.kind.element, second.kind.element
        if self.kind.lanes != second.kind.lanes or elements not in ((i16, i16), (u8, i8)):
            raise TypeError(f"mul_pairs is for lanes of int16, or of uint8 and int8: not {self.kind} and {second.kind}")
        if self.kind.element == i16:  # LLVM recognizes the instruction for either element in one form only
            products = self.to(i32) * second.to(i32)
            return products.even() + products.odd()
        first = self.fenced()
        even, odd = (a.to(i32) * b.to(i32) for a, b in ((first.even(), second.even()), (first.odd(), second.odd())))
        return (even + odd).saturate(i16)

    def add_pairs(self) -> Vector:
        """a0 + a1, a2 + a3 ... in the same element."""
        return self.even() + self.odd()

    def distances(self, other: Vector) -> Vector:
        """|a - b| of u8 lanes in i32 lanes, to be summed up."""
        return abs(self.to(i32) - other.to(i32))

    def sad(self, other: Vector) -> Scalar:
        """Sum of absolute differences of u8 lanes."""
        return self.distances(other).sum()

    def sum(self) -> Scalar:
        """The sum of all lanes; lanes of 8 and 16 bits are widened first, others wrap."""
        if self.kind._type.element.width >= 32:
            return self._reduced("add")
        return self.to(i32 if _is_signed(self.kind.element) else u32)._reduced("add")

    def smallest(self) -> Scalar:
        """The smallest of all lanes."""
        return self._reduced("smin" if _is_signed(self.kind.element) else "umin")

    def largest(self) -> Scalar:
        """The largest of all lanes."""
        return self._reduced("smax" if _is_signed(self.kind.element) else "umax")

    def _reduced(self, operation: str) -> Scalar:
        name = f"llvm.vector.reduce.{operation}.{_suffix(self.kind)}"
        return _widened(_call(name, self.kind._type.element, [self.value]), self.kind.element)

    # out of registers

    def store(self, place: Pointer) -> None:
        """All lanes to neighbours in memory, at any alignment."""
        place.require(self.kind.element)
        b = _builder()
        b.store(self.value, b.bitcast(place.value, self.kind._type.as_pointer()), align=1)

    def store_first(self, place: Pointer, count: Number) -> None:
        """The first `count` lanes; nothing else is written."""
        place.require(self.kind.element)
        mask = _first_lanes(self.kind, count)
        arguments = [self.value, _builder().bitcast(place.value, self.kind._type.as_pointer()), mask.value]
        _call(f"llvm.masked.store.{_suffix(self.kind)}.p0", ir.VoidType(), arguments)

    def store_block(self, place: Pointer, stride: Number, width: int) -> None:
        """Every `width` lanes to a row; rows begin `stride` elements from each other."""
        for row in range(self.kind.lanes // width):
            self.shuffle(range(row * width, (row + 1) * width)).store(place + stride * row)


Operand = Vector | Scalar | int | Sequence[int]


def _twice(element: Any) -> Any:
    """The element of twice the width."""
    return {u8: u16, u16: u32, i8: i16, i16: i32}[element]


def _first_lanes(kind: Kind, count: Number) -> Vector:
    """A mask of the first lanes."""
    numbers = Kind(i16, kind.lanes).constant(range(kind.lanes))
    return numbers < count


# --- the same values in numba's eyes


class KindType(types.Opaque):
    """Numba's type of a Kind, a value that says nothing at run time."""

    def __init__(self, kind: Kind):
        self.kind = kind
        super().__init__(name=f"kind.{kind}")


class _NumbersType(types.Opaque):
    def __init__(self, numbers: Numbers):
        self.numbers = numbers
        super().__init__(name=f"numbers{tuple(numbers)}")


class _VectorType(types.Type):
    def __init__(self, kind: Kind):
        self.kind = kind
        super().__init__(name=f"vector.{kind}")


class _PointerType(types.Type):
    def __init__(self, element: Any):
        self.element = element
        super().__init__(name=f"pointer.{element}")


register_default(KindType)(models.OpaqueModel)
register_default(_NumbersType)(models.OpaqueModel)


@register_default(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _VectorType):
        super().__init__(dmm, fe_type, fe_type.kind._type)


@register_default(_PointerType)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _PointerType):
        super().__init__(dmm, fe_type, ir.IntType(fe_type.element.bitwidth).as_pointer())


@typeof_impl.register(Kind)
def _typeof_kind(value: Kind, _context: Any) -> KindType:
    return KindType(value)


@typeof_impl.register(Numbers)
def _typeof_numbers(value: Numbers, _context: Any) -> _NumbersType:
    return _NumbersType(value)


@lower_constant(KindType)
@lower_constant(_NumbersType)
def _lower_nothing(context: Any, _builder: Any, _type: Any, _value: Any) -> ir.Value:
    return context.get_dummy_value()


def _enter(kind: Any, value: ir.Value) -> Any:
    """What a staged function sees of a value of numba's."""
    if isinstance(kind, types.IntegerLiteral | types.BooleanLiteral):
        return int(kind.literal_value)
    if isinstance(kind, types.Integer):
        return _widened(value, kind)
    if isinstance(kind, types.Boolean):
        return Scalar(value)
    if isinstance(kind, types.NumberClass):
        return kind.dtype
    if isinstance(kind, KindType):
        return kind.kind
    if isinstance(kind, _NumbersType):
        return kind.numbers
    if isinstance(kind, _VectorType):
        return Vector(value, kind.kind)
    if isinstance(kind, _PointerType):
        return Pointer(value, kind.element)
    if isinstance(kind, types.Array) and kind.ndim == 1 and kind.layout == "C":
        data = default_manager[kind].get_field_position("data")
        return Pointer(_builder().extract_value(value, data), kind.dtype)
    if isinstance(kind, types.BaseTuple):
        return tuple(_enter(each, _builder().extract_value(value, n)) for n, each in enumerate(kind))
    raise TypeError(f"a staged function takes no {kind}")


def _leave(result: Any) -> tuple[Any, ir.Value]:
    """A staged function's result as numba's type and value."""
    if result is None:
        return types.none, ir.Constant(default_manager[types.none].get_value_type(), None)
    if isinstance(result, int):
        return types.literal(result), _WORD(result)
    if isinstance(result, Scalar):
        return (types.int64 if result.value.type == _WORD else types.boolean), result.value
    if isinstance(result, Vector):
        return _VectorType(result.kind), result.value
    if isinstance(result, Pointer):
        return _PointerType(result.element), result.value
    if isinstance(result, Kind):
        kind = KindType(result)
        return kind, ir.Constant(default_manager[kind].get_value_type(), None)
    if isinstance(result, tuple | list):
        kinds, values = zip(*[_leave(each) for each in result], strict=True)
        whole = types.Tuple(kinds)
        built = ir.Constant(default_manager[whole].get_value_type(), ir.Undefined)
        for n, value in enumerate(values):
            built = _builder().insert_value(built, value, n)
        return whole, built
    raise TypeError(f"a staged function returns no {type(result).__name__}")


@cache
def _result_type(function: Callable[..., Any], kinds: tuple[Any, ...]) -> Any:
    """What a staged function returns for arguments of numba's types: it runs into a module that is thrown away."""
    trial = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "trial")
    with _emitting(ir.IRBuilder(trial.append_basic_block())):
        undefined = [ir.Constant(default_manager[kind].get_value_type(), ir.Undefined) for kind in kinds]
        return _leave(function(*map(_enter, kinds, undefined)))[0]


def _lowering(function: Callable[..., Any]) -> Callable[..., ir.Value]:
    """How numba lowers a call."""

    def lower(_context: Any, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]) -> ir.Value:
        with _emitting(builder):
            return _leave(function(*map(_enter, signature.args, arguments)))[1]

    return lower


def _template(function: Callable[..., Any], typing_key: Any) -> type[AbstractTemplate]:
    """How numba types a call; `this` is the receiver of a method."""

    class Template(AbstractTemplate):
        """The result is what the function makes of the arguments; it says itself what it does not take."""

        key = typing_key
        prefer_literal = True
        this: Any = None

        def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Signature:
            """The signature of a call."""
            if kws:
                raise TypingError("functions of vectors take positional arguments")
            receiver = () if self.this is None else (self.this,)
            try:
                result = _result_type(function, (*receiver, *args))
            except (TypeError, ValueError, AttributeError, KeyError) as error:
                raise TypingError(str(error)) from error
            return Signature(result, args, recvr=self.this)

    return Template


def _register_members(numba_type: type, emitter: type) -> None:
    """Give a type of numba's the public methods and attributes of the emitter's class."""
    methods = {name: member for name, member in vars(emitter).items() if not name.startswith("_") and callable(member)}
    templates = {}
    for name, member in methods.items():
        key = f"{emitter.__name__}.{name}"
        templates[name] = _template(member, key)
        lower_builtin(key, types.VarArg(types.Any))(_lowering(member))

    @infer_getattr
    class Attributes(AttributeTemplate):
        key = numba_type

        def generic_resolve(self, typ: Any, attr: str) -> Any:
            """A method, or what an attribute of the emitter's object is."""
            if attr in templates:
                return types.BoundFunction(templates[attr], typ)
            if attr in _ATTRIBUTES[emitter]:
                return _result_type(operator.attrgetter(attr), (typ,))
            return None

    @lower_getattr_generic(numba_type)
    def lower_attribute(_context: Any, builder: Any, typ: Any, value: Any, attr: str) -> Any:
        if attr in templates:
            return value  # the receiver of a bound function
        with _emitting(builder):
            return _leave(getattr(_enter(typ, value), attr))[1]


_ATTRIBUTES: dict[type, tuple[str, ...]] = {Kind: ("lanes",), Vector: ("kind",), Pointer: ()}
_BINARY = (
    operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
)  # fmt: skip
_INPLACE = (
    operator.iadd, operator.isub, operator.imul, operator.iand, operator.ior, operator.ixor, operator.ilshift,
    operator.irshift,
)  # fmt: skip


_OPERANDS = (
    (_VectorType, _VectorType), (_VectorType, types.Any), (types.Any, _VectorType), (_PointerType, types.Any),
)  # fmt: skip


def _register_operator(function: Callable[..., Any], *signatures: tuple[Any, ...]) -> None:
    """Let numba do with vectors and pointers what the emitter's classes do."""
    template = _template(function, function)

    class Template(template):  # type: ignore[misc, valid-type]
        """Only for our values: numba asks all templates of an operator."""

        def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Signature | None:
            """The signature of a call."""
            if not any(isinstance(kind, _VectorType | _PointerType) for kind in args):
                return None
            return super().generic(args, kws)

    infer_global(function)(Template)
    for signature in signatures:
        lower_builtin(function, *signature)(_lowering(function))


for _kind, _emitter in ((KindType, Kind), (_VectorType, Vector), (_PointerType, Pointer)):
    _register_members(_kind, _emitter)
for _function in (*_BINARY, *_INPLACE):
    _register_operator(_function, *_OPERANDS)
for _unary in (operator.neg, operator.invert, abs):
    _register_operator(_unary, (_VectorType,))
_register_operator(operator.getitem, (_PointerType, types.Any))
_register_operator(operator.setitem, (_PointerType, types.Any, types.Any))


# --- functions of plain code that run when a kernel is compiled


class Staged:
    """A function that emits instructions where compiled code calls it: see `staged`."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        lower_builtin(self, types.VarArg(types.Any))(_lowering(function))

    @cached_property
    def numba_type(self) -> types.Function:
        """What numba takes it for; made only where something is compiled, for it takes as long as loading a kernel."""
        return types.Function(_template(self.function, self))

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


@typeof_impl.register(Staged)
def _typeof_staged(function: Staged, _context: Any) -> types.Function:
    return function.numba_type


def staged(function: Callable[..., Any]) -> Staged:
    """Make a function one that runs when a kernel is compiled.

    It is given what the call in plain code names: vectors, pointers (also for arrays), kinds, Numbers, elements, tuples of
    these; an int that is written in place as an int, any other one as a Scalar. It returns one of these, a tuple, or nothing.
    """
    return Staged(function)


@staged
def pointer(array: Pointer, at: Number) -> Pointer:
    """The place of an element of a flat array."""
    return array + at


@staged
def where(mask: Vector | Scalar, a: Vector, b: Operand) -> Vector:
    """a where the mask is set, else b."""
    condition = mask._mask() if isinstance(mask, Vector) else mask.value
    return a._with(_builder().select(condition, a.value, a._other(b)))


@contextmanager
def when(condition: Scalar) -> Iterator[None]:
    """In staged code: what the block does is done only where the condition holds when the kernel runs.

    Vectors that are made in the block exist only there; what it does is in what it stores.
    """
    with _builder().if_then(condition.value):
        yield


@contextmanager
def loop(count: Number) -> Iterator[Scalar]:
    """In staged code: what the block does is done `count` times when the kernel runs; gives the number of the round.

    Vectors that are made in the block exist only there; what it does is in what it stores.
    """
    with cgutils.for_range(_builder(), _scalar(count).value) as rounds:
        yield Scalar(rounds.index)


class Variable:
    """In staged code: vectors, pointers, numbers or tuples of them that a `loop` changes from round to round."""

    def __init__(self, value: Any):
        self._places = _placed(value)
        self.value = value

    @property
    def value(self) -> Any:
        """What was last set, where the kernel runs."""
        return _loaded(self._places)

    @value.setter
    def value(self, value: Any) -> None:
        """Set it for the rounds to come and for what is behind the loop."""
        _set(self._places, value)


def _placed(value: Any) -> Any:
    """Memory for each of nested values, and how to make one of what it holds; LLVM keeps it in registers."""
    if isinstance(value, tuple | list):
        return [_placed(each) for each in value]
    b = _builder()
    with b.goto_entry_block():
        place = b.alloca(_scalar(value).value.type if isinstance(value, int) else value.value.type)
    if isinstance(value, Vector):
        return place, lambda loaded: Vector(loaded, value.kind)
    return place, (lambda loaded: Pointer(loaded, value.element)) if isinstance(value, Pointer) else Scalar


def _loaded(places: Any) -> Any:
    if isinstance(places, list):
        return tuple(_loaded(each) for each in places)
    place, made = places
    return made(_builder().load(place))


def _set(places: Any, value: Any) -> None:
    if isinstance(places, list):
        for each, part in zip(places, value, strict=True):
            _set(each, part)
    else:
        _builder().store(_scalar(value).value if isinstance(value, int) else value.value, places[0])


@staged
def join(vectors: Sequence[Vector]) -> Vector:
    """Vectors one behind the other; their number is a power of 2."""
    vectors = list(vectors)
    while len(vectors) > 1:
        vectors = [a.join(b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


@staged
def exchange(a: Vector, b: Vector, distance: int) -> tuple[Vector, Vector]:
    """a0 b0 a2 b2 ... and a1 b1 a3 b3 ..., where each of these is `distance` lanes: off the diagonal they change places."""
    n, element = a.kind.lanes, a.kind.element
    shift = distance * element.bitwidth
    if shift < 64:  # machines have more units for these than for shuffles
        wide = {8: u16, 16: u32, 32: u64}[shift]
        p, q, lower = a.bits_as(wide), b.bits_as(wide), (1 << shift) - 1
        return (p & lower | q << shift).bits_as(element), (p >> shift | q & ~lower).bits_as(element)
    first = [lane if not lane & distance else n + lane - distance for lane in range(n)]
    return a.shuffle(first, b), a.shuffle([lane + distance for lane in first], b)


@staged
def transpose(rows: Sequence[Vector]) -> tuple[Vector, ...]:
    """Rows of a square become columns, or those of several squares that lie beside each other in the vectors."""
    rows, n = list(rows), len(rows)
    if any(row.kind.lanes % n for row in rows):
        raise TypeError(f"{n} rows of {rows[0].kind} are no squares")
    distance = 1
    while distance < n:
        for i in range(n):
            if not i & distance:
                rows[i], rows[i + distance] = exchange(rows[i], rows[i + distance], distance)
        distance *= 2
    return tuple(rows)


@staged
def columns(rows: Sequence[Vector]) -> tuple[Vector, ...]:
    """The columns of a matrix of any sides. Rows are woven into those from halfway on, again and again, in registers of
    16 bytes, which suits short rows."""
    lanes, height = rows[0].kind.lanes, len(rows)
    woven = [[row] for row in rows]
    while len(woven) > 1:
        pairs = list(zip(woven[: len(woven) // 2], woven[len(woven) // 2 :], strict=True))
        woven = [[part for a, b in zip(*pair, strict=True) for part in _woven(a, b)] for pair in pairs]
    each = woven[0][0].kind.lanes
    if height > each:
        return tuple(join(woven[0][at : at + height // each]) for at in range(0, len(woven[0]), height // each))
    places = (divmod(column * height, each) for column in range(lanes))
    return tuple(woven[0][part].shuffle(range(at, at + height)) for part, at in places)


def _woven(a: Vector, b: Vector) -> tuple[Vector, ...]:
    """a0 b0 a1 b1 ..., in vectors of up to 16 bytes."""
    is_short = a.kind.lanes * a.kind.element.bitwidth < 128
    return (a.zip(b),) if is_short else (a.zip_low(b), a.zip_high(b))


@staged
def in_memory(element: Any, numbers: Numbers) -> Pointer:
    """A table, which LLVM must take for one that changes: what is computed from it stays in the loop where it is used."""
    name, initializer = _table(element, numbers)
    module = _builder().module
    table = module.globals.get(name)
    if table is None:
        table = ir.GlobalVariable(module, initializer.type, name)
        table.linkage, table.align, table.initializer = "linkonce_odr", 64, initializer
    return Pointer(_builder().bitcast(table, ir.IntType(element.bitwidth).as_pointer()), element)


@cache
def _table(element: Any, numbers: Numbers) -> tuple[str, ir.Constant]:
    """The name of a table and its bytes: written as such, LLVM reads them a hundred times faster than numbers."""
    content = np.array(numbers).astype(str(element)).tobytes()
    kind = ir.ArrayType(ir.IntType(8), len(content))
    return f"table.{hashlib.sha256(content).hexdigest()[:16]}", ir.Constant(kind, bytearray(content))


@staged
def scratch(element: Any, count: int) -> Pointer:
    """Memory on the stack for `count` elements, with whatever lies there; dead when the calling function returns."""
    b = _builder()
    with b.goto_entry_block():
        storage = b.alloca(ir.ArrayType(ir.IntType(element.bitwidth), count))
        storage.align = 64
    return Pointer(b.bitcast(storage, ir.IntType(element.bitwidth).as_pointer()), element)
