"""The programs of butterflies.py as straight vector code: a transform of up to eight rows or columns, one in each lane.

Numba would need half a minute to compile two thousand statements, and LLVM would not vectorise them. So the steps of a
program are written as LLVM instructions on vectors of 32-bit integers: one small function for each transform and
direction. Only portable instructions are used; LLVM chooses those of the machine.

What `forward_lanes` and `inverse_lanes` do with a block of `lanes` by `size` elements, lanes = min(size, LANES), of
which kept = min(size, MAX_KEPT) frequencies exist:

    forward   reads element k of all lanes, as one vector, at src[src_at + k * src_stride], k < size;
              writes lane l from dst[dst_at + l * dst_stride] on: kept frequencies
    inverse   reads lane l from src[src_at + l * src_stride] on: kept frequencies;
              writes element k of all lanes, as one vector, at dst[dst_at + k * dst_stride], k < size

So two calls in a row deal with columns and then with rows, or with rows and then with columns, and a negative stride
flips. src and dst are flat int32 arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from encoder.byref import i32s, i64, u8s
from encoder.kernels.butterflies import (
    ADST,
    ADST4,
    DCT,
    FLIPADST,
    IDENTITY,
    IDENTITY_SCALE,
    PROGRAM_NUMBER,
    PROGRAMS,
    ROTATION,
    Program,
)
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_KEPT

LANES = 8
TX_SIZES = 5
"""The number of a transform is its kind * TX_SIZES + tx_size."""
_KIND_NAMES = {DCT: "dct", ADST: "adst", FLIPADST: "adst", IDENTITY: "identity"}
_TRANSFORMS = (
    *((DCT, tx_size) for tx_size in range(5)),
    *((kind, tx_size) for kind in (ADST, FLIPADST) for tx_size in range(3)),
    *((IDENTITY, tx_size) for tx_size in range(4)),
)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_POINTER = _I32.as_pointer()
# src, src_stride, dst, dst_stride, two shifts
_FUNCTION = ir.FunctionType(ir.VoidType(), [_POINTER, _I64, _POINTER, _I64, _I32, _I32])

Vector = ir.Value


class _Lanes:
    """Appends instructions on vectors of `count` 32-bit lanes."""

    def __init__(self, builder: ir.IRBuilder, count: int):
        self.builder = builder
        self.count = count
        self.type = ir.VectorType(_I32, count)

    def constant(self, value: int) -> Vector:
        return ir.Constant(self.type, [value] * self.count)

    def splat(self, scalar: ir.Value) -> Vector:
        """A scalar in all lanes."""
        one = self.builder.insert_element(ir.Constant(self.type, ir.Undefined), scalar, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(one, one, self.constant(0))

    def load(self, pointer: ir.Value) -> Vector:
        return self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()), align=4)

    def store(self, vector: Vector, pointer: ir.Value) -> None:
        self.builder.store(vector, self.builder.bitcast(pointer, self.type.as_pointer()), align=4)

    def rows(self, pointer: ir.Value, stride: ir.Value, count: int) -> list[ir.Value]:
        """Pointers to the beginnings of the rows of a block."""
        pointers = [pointer]
        while len(pointers) < count:
            pointers.append(self.builder.gep(pointers[-1], [stride]))
        return pointers

    def shifted(self, pointer: ir.Value, elements: int) -> ir.Value:
        """A pointer to an element further on."""
        return self.builder.gep(pointer, [ir.Constant(_I64, elements)])

    def round2(self, vectors: Sequence[Vector], bits: Vector) -> list[Vector]:
        """Divided by 2**bits, halves rounded up; bits may be 0."""
        half = self.builder.lshr(self.builder.shl(self.constant(1), bits), self.constant(1))
        return [self.builder.ashr(self.builder.add(vector, half), bits) for vector in vectors]

    def clip(self, vector: Vector, low: int, high: int) -> Vector:
        """Limited to low..high."""
        return self._call("smax", self._call("smin", vector, self.constant(high)), self.constant(low))

    def _call(self, name: str, *vectors: Vector) -> Vector:
        kind = ir.FunctionType(self.type, [self.type] * len(vectors))
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{self.count}i32")
        return self.builder.call(function, vectors)

    def product(self, row: Sequence[int], t: Sequence[Vector]) -> Vector:
        """round2 of the sum of row[i] * t[i], by 12 bits."""
        b = self.builder
        if len(row) == 2 and abs(row[0]) == abs(row[1]):  # one multiplication for two
            total = b.mul(b.add(*t) if row[0] == row[1] else b.sub(*t), self.constant(row[0]))
        else:
            terms = [b.mul(x, self.constant(factor)) for factor, x in zip(row, t, strict=True)]
            total = terms[0]
            for term in terms[1:]:
                total = b.add(total, term)
        return b.ashr(b.add(total, self.constant(1 << 11)), self.constant(12))

    def transposed(self, rows: Sequence[Vector]) -> list[Vector]:
        """Row i, lane j of the result is row j, lane i: blocks off the diagonal change places, by 1, 2 and 4."""
        rows, n = list(rows), self.count
        distance = 1
        while distance < n:
            upper = [lane if not lane & distance else n + lane - distance for lane in range(n)]
            lower = [lane + distance if not lane & distance else n + lane for lane in range(n)]
            for i in range(n):
                if not i & distance:
                    pair = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = self._shuffled(*pair, upper), self._shuffled(*pair, lower)
            distance *= 2
        return rows

    def _shuffled(self, a: Vector, b: Vector, lanes: list[int]) -> Vector:
        return self.builder.shuffle_vector(a, b, ir.Constant(self.type, lanes))


def _inverse_program(lanes: _Lanes, program: Program, values: Sequence[Vector]) -> list[Vector]:
    t = [values[i] for i in program.input_order]
    for kind, a, b, m00, m01, m10, m11 in program.steps:
        pair = t[a], t[b]
        if kind == ROTATION:
            t[a], t[b] = lanes.product((m00, m01), pair), lanes.product((m10, m11), pair)
        else:
            t[a] = lanes.clip(lanes.builder.add(*pair), LOWEST, HIGHEST)
            t[b] = lanes.clip(lanes.builder.sub(*pair), LOWEST, HIGHEST)
    return [
        t[i] if sign > 0 else lanes.builder.neg(t[i])
        for i, sign in zip(program.output_order, program.output_sign, strict=True)
    ]


def _forward_program(lanes: _Lanes, program: Program, values: Sequence[Vector]) -> list[Vector]:
    t: list[Any] = [None] * program.size
    for i, sign, value in zip(program.output_order, program.output_sign, values, strict=True):
        t[i] = value if sign > 0 else lanes.builder.neg(value)
    for kind, a, b, m00, m01, m10, m11 in reversed(program.steps):
        pair = t[a], t[b]
        if kind == ROTATION:
            t[a], t[b] = lanes.product((m00, m10), pair), lanes.product((m01, m11), pair)
        else:
            t[a], t[b] = lanes.builder.add(*pair), lanes.builder.sub(*pair)
    coefs: list[Any] = [None] * program.size
    for i, value in zip(program.input_order, t, strict=True):
        coefs[i] = value
    return coefs


def _inverse_1d(lanes: _Lanes, kind: int, tx_size: int, values: Sequence[Vector]) -> list[Vector]:
    if kind == IDENTITY:
        return [lanes.product([int(IDENTITY_SCALE[tx_size])], [value]) for value in values]
    if kind != DCT and tx_size == 0:
        return [lanes.product(row, values) for row in ADST4.tolist()]
    return _inverse_program(lanes, PROGRAMS[PROGRAM_NUMBER[kind, tx_size]], values)


def _forward_1d(lanes: _Lanes, kind: int, tx_size: int, values: Sequence[Vector]) -> list[Vector]:
    if kind == IDENTITY:
        return _inverse_1d(lanes, kind, tx_size, values)
    if kind != DCT and tx_size == 0:
        return [lanes.product(row, values) for row in ADST4.T.tolist()]
    return _forward_program(lanes, PROGRAMS[PROGRAM_NUMBER[kind, tx_size]], values)


def _write_inverse(lanes: _Lanes, kind: int, tx_size: int, arguments: Sequence[ir.Value]) -> None:
    src, src_stride, dst, dst_stride, shift, _ = arguments
    size = 4 << tx_size
    rows = lanes.rows(src, src_stride, lanes.count)
    values: list[Vector] = []
    for column in range(0, min(size, MAX_KEPT), lanes.count):
        values += lanes.transposed([lanes.load(lanes.shifted(row, column)) for row in rows])
    values += [lanes.constant(0)] * (size - len(values))  # LLVM drops what is multiplied by nought
    elements = lanes.round2(_inverse_1d(lanes, kind, tx_size, values), lanes.splat(shift))
    for element, pointer in zip(elements, lanes.rows(dst, dst_stride, size), strict=True):
        lanes.store(lanes.clip(element, LOWEST, HIGHEST), pointer)


def _write_forward(lanes: _Lanes, kind: int, tx_size: int, arguments: Sequence[ir.Value]) -> None:
    src, src_stride, dst, dst_stride, before, after = arguments
    size = 4 << tx_size
    shift = lanes.splat(before)
    values = [lanes.builder.shl(lanes.load(pointer), shift) for pointer in lanes.rows(src, src_stride, size)]
    kept = _forward_1d(lanes, kind, tx_size, values)[:MAX_KEPT]
    coefs = lanes.round2(kept, lanes.splat(after))
    rows = lanes.rows(dst, dst_stride, lanes.count)
    for column in range(0, len(coefs), lanes.count):
        for values_of_lane, row in zip(lanes.transposed(coefs[column : column + lanes.count]), rows, strict=True):
            lanes.store(values_of_lane, lanes.shifted(row, column))


Writer = Callable[[_Lanes, int, int, Sequence[ir.Value]], None]


def _function(module: ir.Module, name: str, write: Writer, kind: int, tx_size: int) -> ir.Function:
    """The function of one transform, added to the module if it is not there yet."""
    name = f"{name}_{_KIND_NAMES[kind]}{4 << tx_size}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, _FUNCTION, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    write(_Lanes(builder, min(4 << tx_size, LANES)), kind, tx_size, function.args)
    builder.ret_void()
    return function


def _dispatch(builder: ir.IRBuilder, name: str, write: Writer, number: ir.Value, arguments: Sequence[ir.Value]) -> None:
    """Call the function of a transform number."""
    end = builder.append_basic_block("transformed")
    switch = builder.switch(number, end)
    for kind, tx_size in _TRANSFORMS:
        case = builder.append_basic_block(f"{name}_{kind}_{tx_size}")
        switch.add_case(ir.Constant(_I64, kind * TX_SIZES + tx_size), case)
        builder.position_at_end(case)
        builder.call(_function(builder.module, name, write, kind, tx_size), arguments)
        builder.branch(end)
    builder.position_at_end(end)


def _lanes_intrinsic(name: str, write: Writer) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, src, src_at, src_stride, dst, dst_at, dst_stride, first_shift, second_shift = arguments
        flat = make_array(signature.args[1])
        src = builder.gep(flat(context, builder, src).data, [src_at])
        dst = builder.gep(flat(context, builder, dst).data, [dst_at])
        shifts = [builder.trunc(shift, _I32) for shift in (first_shift, second_shift)]
        _dispatch(builder, name, write, number, [src, src_stride, dst, dst_stride, *shifts])
        return context.get_dummy_value()

    @intrinsic
    def run(typing_context, number, src, src_at, src_stride, dst, dst_at, dst_stride, first_shift, second_shift):
        return types.void(i64, i32s, i64, i64, i32s, i64, i64, i64, i64), codegen

    return run


inverse_lanes = _lanes_intrinsic("inverse", _write_inverse)
forward_lanes = _lanes_intrinsic("forward", _write_forward)


@intrinsic(prefer_literal=True)
def add_lanes(typing_context, residual, residual_at, samples, at, count):
    """Add a literal number of neighbours of an int32 array to as many uint8 samples, clipped to 8 bits."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        residual, residual_at, samples, at, _ = arguments
        lanes = _Lanes(builder, count.literal_value)
        added = make_array(signature.args[0])(context, builder, residual).data
        target = builder.gep(make_array(signature.args[2])(context, builder, samples).data, [at])
        eight_bits = ir.VectorType(ir.IntType(8), lanes.count)
        target = builder.bitcast(target, eight_bits.as_pointer())
        wide = builder.zext(builder.load(target, align=1), lanes.type)
        total = builder.add(wide, lanes.load(builder.gep(added, [residual_at])))
        builder.store(builder.trunc(lanes.clip(total, 0, 255), eight_bits), target, align=1)
        return context.get_dummy_value()

    return types.void(i32s, i64, u8s, i64, count), codegen
