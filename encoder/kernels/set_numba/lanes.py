"""The programs of butterflies.py as straight vector code: up to eight rows or columns are transformed at once, one in each lane.

Numba would need seconds to compile two thousand statements, and LLVM would not vectorise them. So the steps of a program are
written as LLVM instructions on vectors of 32-bit integers: one small function for each transform and direction, compiled in
milliseconds. Only portable instructions are used; LLVM chooses those of the machine.

What `forward_lanes` and `inverse_lanes` do with a block of `lanes` by `size` elements, lanes = min(size, LANES):

    forward   reads element k of all lanes at src[src_at + k * src_stride], as one vector; writes lane l, all its elements, from
              dst[dst_at + l * dst_stride] on: min(size, MAX_KEPT) frequencies
    inverse   reads lane l from src[src_at + l * src_stride] on, min(size, MAX_KEPT) frequencies; writes element k of all lanes
              at dst[dst_at + k * dst_stride], as one vector

So two calls make rows of columns and columns of rows again, and a negative stride flips. src and dst are flat int32 arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from encoder.kernels.butterflies import (
    ADST,
    ADST4,
    DCT,
    FLIPADST,
    IDENTITY,
    IDENTITY_SCALE,
    PROGRAMS,
    ROTATION,
    Program,
    program_number,
)

LANES = 8
MAX_KEPT = 32
TX_SIZES = 5
_KIND_NAMES = {DCT: "dct", ADST: "adst", FLIPADST: "adst", IDENTITY: "identity"}
_TRANSFORMS = (
    *((DCT, tx_size) for tx_size in range(5)),
    *((kind, tx_size) for kind in (ADST, FLIPADST) for tx_size in range(3)),
    *((IDENTITY, tx_size) for tx_size in range(4)),
)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_POINTER = _I32.as_pointer()
_FUNCTION = ir.FunctionType(ir.VoidType(), [_POINTER, _I64, _POINTER, _I64, _I32, _I32])  # src, its stride, dst, its stride, shifts

Vector = ir.Value


class _Lanes:
    """Appends instructions on vectors of `count` lanes."""

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

    def element(self, pointer: ir.Value, row: int, stride: ir.Value, column: int = 0) -> ir.Value:
        """The address of an element of a block."""
        at = self.builder.add(self.builder.mul(stride, ir.Constant(_I64, row)), ir.Constant(_I64, column))
        return self.builder.gep(pointer, [at])

    def round2(self, vector: Vector, bits: Vector) -> Vector:
        half = self.builder.lshr(self.builder.shl(self.constant(1), bits), self.constant(1))
        return self.builder.ashr(self.builder.add(vector, half), bits)

    def clip16(self, vector: Vector) -> Vector:
        """Limited to signed 16 bits: the intermediate range of 8-bit video."""
        return self._call("smax", self._call("smin", vector, self.constant(2**15 - 1)), self.constant(-(2**15)))

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
        return self.round2(total, self.constant(12))

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
            t[a], t[b] = lanes.clip16(lanes.builder.add(*pair)), lanes.clip16(lanes.builder.sub(*pair))
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
    return _inverse_program(lanes, PROGRAMS[program_number(kind, tx_size + 2)], values)


def _forward_1d(lanes: _Lanes, kind: int, tx_size: int, values: Sequence[Vector]) -> list[Vector]:
    if kind == IDENTITY:
        return _inverse_1d(lanes, kind, tx_size, values)
    if kind != DCT and tx_size == 0:
        return [lanes.product(row, values) for row in ADST4.T.tolist()]
    return _forward_program(lanes, PROGRAMS[program_number(kind, tx_size + 2)], values)


def _write_inverse(lanes: _Lanes, kind: int, tx_size: int, arguments: Sequence[ir.Value]) -> None:
    src, src_stride, dst, dst_stride, shift, _ = arguments
    size = 4 << tx_size
    values: list[Vector] = []
    for column in range(0, min(size, MAX_KEPT), lanes.count):
        rows = [lanes.load(lanes.element(src, lane, src_stride, column)) for lane in range(lanes.count)]
        values += lanes.transposed(rows)
    values += [lanes.constant(0)] * (size - len(values))  # LLVM drops what is multiplied by nought
    for k, value in enumerate(_inverse_1d(lanes, kind, tx_size, values)):
        lanes.store(lanes.clip16(lanes.round2(value, lanes.splat(shift))), lanes.element(dst, k, dst_stride))


def _write_forward(lanes: _Lanes, kind: int, tx_size: int, arguments: Sequence[ir.Value]) -> None:
    src, src_stride, dst, dst_stride, before, after = arguments
    size = 4 << tx_size
    values = [
        lanes.builder.shl(lanes.load(lanes.element(src, k, src_stride)), lanes.splat(before)) for k in range(size)
    ]
    coefs = [lanes.round2(coef, lanes.splat(after)) for coef in _forward_1d(lanes, kind, tx_size, values)]
    for column in range(0, min(size, MAX_KEPT), lanes.count):
        for lane, row in enumerate(lanes.transposed(coefs[column : column + lanes.count])):
            lanes.store(row, lanes.element(dst, lane, dst_stride, column))


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
    """Call the function that belongs to a transform number; none for a number without one."""
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
        array = make_array(signature.args[1])
        src, dst = (builder.gep(array(context, builder, flat).data, [at]) for flat, at in ((src, src_at), (dst, dst_at)))
        shifts = [builder.trunc(shift, _I32) for shift in (first_shift, second_shift)]
        _dispatch(builder, name, write, number, [src, src_stride, dst, dst_stride, *shifts])
        return context.get_dummy_value()

    @intrinsic
    def run(typing_context, number, src, src_at, src_stride, dst, dst_at, dst_stride, first_shift, second_shift):
        flat, i64 = types.Array(types.int32, 1, "C"), types.int64
        return types.void(i64, flat, i64, i64, flat, i64, i64, i64, i64), codegen

    return run


inverse_lanes = _lanes_intrinsic("inverse", _write_inverse)
forward_lanes = _lanes_intrinsic("forward", _write_forward)


@intrinsic(prefer_literal=True)
def stack_array(typing_context, length):
    """A flat int32 array of a literal length on the stack, not filled: a block's scratch for the price of a subtraction."""
    flat = types.Array(types.int32, 1, "C")
    count = length.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        with builder.goto_entry_block():
            data = builder.alloca(_I32, count)
        array = make_array(flat)(context, builder)
        word = context.get_constant(types.intp, 4)
        shape = [context.get_constant(types.intp, count)]
        populate_array(array, data=data, shape=shape, strides=[word], itemsize=word, meminfo=None)
        return array._getvalue()

    return flat(length), codegen
