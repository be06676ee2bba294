"""Inter prediction as LLVM vectors: the columns of a block in 16-bit lanes, portable instructions only (spec 7.11.3).

All taps are even. With halves of them a sum of eight samples fits 16 bits, and s, half the sum that the specification
names, gives in one direction

    Round2(s, 2)                                       for a compound prediction
    Round2(s, 6)                                       vertically for a single one
    Round2(Round2(s, 2), 4), which is (s + 34) >> 6    horizontally for a single one

In two directions the first sum is rounded and stays four times `intermediate`: (s + 2) & -4. The second one needs 32
bits: neighbours of one column stand side by side, to be multiplied by two taps and added, one instruction on many
machines. Its taps are scaled so that the prediction is the upper half of the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from encoder.byref import i16s, i64, u8s
from encoder.kernels.set_numba.vectors import I32, I64, Vector, first_of, load, splat, store

TAPS, TAPS_BEFORE = 8, 3
MAX_ROWS = 64 + TAPS - 1
LANES = (2, 4, 8, 16, 32)
"""Columns that are worked on at once; a block of 64 columns is two strips."""
SINGLE_SCALE, COMPOUND_SCALE = 1 << 4, 1 << 8
"""What halved taps of the second direction are multiplied by."""

_I16 = ir.IntType(16)


class _Strip:
    """Where `lanes` columns of a block come from and go to; x is the first one."""

    def __init__(self, builder: ir.IRBuilder, lanes: int, places: Sequence[ir.Value], x: ir.Value):
        target, self.target_stride, source, self.source_stride, _, self.h = places
        self.builder, self.lanes, self.x = builder, lanes, x
        self.target, self.source = builder.gep(target, [x]), builder.gep(source, [x])
        self.of_samples = target.type.pointee.width == 8

    def source_row(self, y: ir.Value) -> ir.Value:
        """A pointer to the first element of a row."""
        return self.builder.gep(self.source, [self.builder.mul(y, self.source_stride)])

    def store_row(self, y: ir.Value, row: Vector) -> None:
        """Elements as the target has them."""
        store(self.builder.gep(self.target, [self.builder.mul(y, self.target_stride)]), row)

    def store_prediction(self, y: ir.Value, row: Vector) -> None:
        """16-bit values, clipped where the target is of samples, a single prediction."""
        self.store_row(y, _clipped(row) if self.of_samples else row)


def _clipped(values: Vector) -> Vector:
    """Samples of 8 bits."""
    return values.max(0).min(255).narrowed(8)


class _Filter:
    """The eight halved taps that a pointer leads to, each in all lanes."""

    def __init__(self, strip: _Strip, taps: ir.Value):
        b = self.builder = strip.builder
        self.lanes = strip.lanes
        self.taps = [splat(b, b.load(b.gep(taps, [I64(t)])), strip.lanes, 16) for t in range(TAPS)]
        outer = load(b, taps, TAPS).lanes([0, TAPS - 1])
        self.has_outer = b.icmp_unsigned("!=", b.bitcast(outer.value, I32), I32(0))

    def sum(self, pointer: ir.Value, step: ir.Value) -> Vector:
        """Taps times samples; `step` leads from a sample to the next. Most filters do without the outer two taps."""
        b = self.builder
        terms = [self._term(pointer, step, t) for t in range(1, TAPS - 1)]
        inner = terms[0] + terms[1] + (terms[2] + terms[3]) + (terms[4] + terms[5])
        before = b.block
        with b.if_then(self.has_outer):
            whole = inner + (self._term(pointer, step, 0) + self._term(pointer, step, TAPS - 1))
            inside = b.block
        result = b.phi(inner.value.type)
        result.add_incoming(inner.value, before)
        result.add_incoming(whole.value, inside)
        return Vector(b, result)

    def _term(self, pointer: ir.Value, step: ir.Value, t: int) -> Vector:
        at = self.builder.mul(step, I64(t - TAPS_BEFORE))
        samples = load(self.builder, self.builder.gep(pointer, [at]), self.lanes)
        return samples.widened(16, signed=False) * self.taps[t]


def _write_copy(strip: _Strip) -> None:
    """No filter: the samples, for a compound prediction 16 times the samples."""
    with cgutils.for_range(strip.builder, strip.h) as loop:
        samples = load(strip.builder, strip.source_row(loop.index), strip.lanes)
        strip.store_row(loop.index, samples if strip.of_samples else samples.widened(16, signed=False) * 16)


def _write_one_direction(strip: _Strip, taps: ir.Value, step: ir.Value, rounding: ir.Value) -> None:
    """Halved taps; from a sample to the next one; what is added before the shift."""
    lane_filter = _Filter(strip, taps)
    half = splat(strip.builder, rounding, strip.lanes, 16)
    with cgutils.for_range(strip.builder, strip.h) as loop:
        total = lane_filter.sum(strip.source_row(loop.index), step)
        strip.store_prediction(loop.index, (total + half) >> (6 if strip.of_samples else 2))


def _write_two_directions(strip: _Strip, taps: ir.Value, scaled_taps: ir.Value) -> None:
    """Halved taps of the rows, scaled ones of the columns."""
    with strip.builder.goto_entry_block():
        pairs = strip.builder.alloca(_I16, MAX_ROWS * 2 * strip.lanes)
    _write_rows(strip, pairs, taps)
    _write_columns(strip, pairs, scaled_taps)


def _pair_orders(n: int) -> list[list[int]]:
    """The lanes of two rows of n columns, each sample of the upper row before the one below it: as they come where they
    are few; else even and odd columns in a vector each, so that a sample stays near its place."""
    if n <= 4:
        return [[lane // 2 + lane % 2 * n for lane in range(2 * n)]]
    even = [lane // 2 * 2 + lane % 2 * n for lane in range(n)]
    return [even, [lane + 1 for lane in even]]


def _write_rows(strip: _Strip, pairs: ir.Value, taps: ir.Value) -> None:
    """Filter rows. Each one goes to `pairs` together with the one below."""
    b, n = strip.builder, strip.lanes
    lane_filter = _Filter(strip, taps)

    def row(y: ir.Value) -> Vector:
        return (lane_filter.sum(strip.source_row(b.sub(y, I64(TAPS_BEFORE))), I64(1)) + 2) & -4

    last = cgutils.alloca_once_value(b, row(I64(0)).value)
    with cgutils.for_range(b, b.add(strip.h, I64(TAPS - 2))) as loop:
        above, below = Vector(b, b.load(last)), row(b.add(loop.index, I64(1)))
        b.store(below.value, last)
        for number, order in enumerate(_pair_orders(n)):
            store(b.gep(pairs, [_pair_at(strip, loop.index, number)]), above.lanes(order, below))


def _write_columns(strip: _Strip, pairs: ir.Value, taps: ir.Value) -> None:
    """Filter columns. The prediction is the upper half of each sum."""
    b, n = strip.builder, strip.lanes
    orders = _pair_orders(n)
    length = len(orders[0])
    tap_pairs = [load(b, b.gep(taps, [I64(t)]), 2).lanes([0, 1] * (length // 2)) for t in range(0, TAPS, 2)]
    columns = [column for order in orders for column in order if column < n]
    with cgutils.for_range(b, strip.h) as loop:
        sums = []
        for number in range(len(orders)):
            total = _pair_sum(strip, pairs, loop.index, number, tap_pairs) + (1 << 15)
            sums.append(Vector(b, b.bitcast(total.value, ir.VectorType(_I16, length))))
        uppers = [2 * columns.index(column) + 1 for column in range(n)]
        strip.store_prediction(loop.index, sums[0].lanes(uppers, sums[-1]))


def _pair_at(strip: _Strip, y: ir.Value, number: int) -> ir.Value:
    """Where a vector of row y and the next one lies."""
    b, n = strip.builder, strip.lanes
    return b.add(b.mul(y, I64(2 * n)), I64(number * n))


def _pair_sum(strip: _Strip, pairs: ir.Value, y: ir.Value, number: int, tap_pairs: Sequence[Vector]) -> Vector:
    """Taps times neighbours of a column, 32 bits."""
    b = strip.builder
    terms = []
    for k, taps in enumerate(tap_pairs):
        at = _pair_at(strip, b.add(y, I64(2 * k)), number)
        products = load(b, b.gep(pairs, [at]), taps.count).widened(32) * taps.widened(32)
        upper, lower = (products.lanes(list(range(first, taps.count, 2))) for first in (0, 1))
        terms.append(upper + lower)
    return terms[0] + terms[1] + (terms[2] + terms[3])


def _write_average(strip: _Strip, other: ir.Value) -> None:
    """The mean of the source and another packed block; narrow blocks two rows at once."""
    b, n = strip.builder, strip.lanes
    rows = 2 if n < LANES[-1] else 1
    first, second = strip.source, b.gep(other, [strip.x])
    with cgutils.for_range_slice(b, I64(0), strip.h, I64(rows), I64) as (y, _):
        at = b.mul(y, strip.source_stride)
        p, q = (load(b, b.gep(block, [at]), rows * n) for block in (first, second))
        samples = _clipped((p + q + 16) >> 5)
        for row in range(rows):
            strip.store_row(b.add(y, I64(row)), samples.lanes(list(range(row * n, (row + 1) * n))))


def _call(builder: ir.IRBuilder, write: Callable[..., None], places: Sequence[ir.Value], *others: ir.Value) -> None:
    """Call what a writer writes: a function of its own for all widths, which LLVM is not to inline.

    places   target, its stride, source, its stride, w, h
    """
    kinds = ir.FunctionType(ir.VoidType(), [argument.type for argument in (*places, *others)])
    function = cgutils.get_or_insert_function(builder.module, kinds, f"inter{write.__name__}")
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("noinline")
        _fill(function, write, len(places))
    builder.call(function, [*places, *others])


def _fill(function: ir.Function, write: Callable[..., None], places_count: int) -> None:
    """The body of a writer's function: the width chooses the lanes."""
    b = ir.IRBuilder(function.append_basic_block())
    places, others = function.args[:places_count], function.args[places_count:]
    w = places[4]
    end = function.append_basic_block("end")
    switch = b.switch(w, end)
    for lanes in LANES:
        case = function.append_basic_block(f"lanes{lanes}")
        switch.add_case(I64(lanes), case)
        b.position_at_end(case)
        if lanes < LANES[-1]:
            write(_Strip(b, lanes, places, I64(0)), *others)
        else:
            switch.add_case(I64(2 * lanes), case)
            with cgutils.for_range_slice(b, I64(0), w, I64(lanes), I64) as (x, _):
                write(_Strip(b, lanes, places, x), *others)
        b.branch(end)
    b.position_at_end(end)
    b.ret_void()


@intrinsic
def predict_lanes(
    typing_context, target, target_at, target_stride, source, source_at, source_stride, w, h, frac_x, frac_y,
    taps, taps_x_at, taps_y_at, scaled_taps
):  # fmt: skip
    """Block inter prediction (spec 7.11.3.4): a single one to an array of uint8, a compound one to int16.

    taps          halved Subpel_Filters, int16
    taps_*_at     where in it the taps of a direction begin
    scaled_taps   the same times SINGLE_SCALE or COMPOUND_SCALE
    """

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, target_stride, source, source_at, source_stride, w, h, *rest = arguments
        frac_x, frac_y, taps, x_at, y_at, scaled_taps = rest
        target_kind, taps_kind, scaled_taps_kind = (signature.args[n] for n in (0, 10, 13))
        places = (
            first_of(context, b, target_kind, target, target_at), target_stride,
            first_of(context, b, u8s, source, source_at), source_stride, w, h,
        )  # fmt: skip
        taps_x, taps_y = (first_of(context, b, taps_kind, taps, at) for at in (x_at, y_at))
        scaled_taps_y = first_of(context, b, scaled_taps_kind, scaled_taps, y_at)
        across, down = (b.icmp_signed("!=", frac, I64(0)) for frac in (frac_x, frac_y))
        rounding = b.select(across, I64(34), I64(32)) if target_kind == u8s else I64(2)
        with b.if_else(b.and_(across, down)) as (two, less):
            with two:
                _call(b, _write_two_directions, places, taps_x, scaled_taps_y)
            with less, b.if_else(b.or_(across, down)) as (one, none):
                with one:
                    step = b.select(across, I64(1), source_stride)
                    _call(b, _write_one_direction, places, b.select(across, taps_x, taps_y), step, rounding)
                with none:
                    _call(b, _write_copy, places)
        return context.get_dummy_value()

    return types.void(target, i64, i64, u8s, i64, i64, i64, i64, i64, i64, taps, i64, i64, scaled_taps), codegen


@intrinsic
def average_lanes(typing_context, target, target_at, target_stride, a, b, w, h):
    """The mean of two compound predictions."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, target_stride, a, b, w, h = arguments
        target = first_of(context, builder, u8s, target, target_at)
        first, second = (first_of(context, builder, i16s, block, I64(0)) for block in (a, b))
        _call(builder, _write_average, (target, target_stride, first, w, w, h), second)
        return context.get_dummy_value()

    return types.void(u8s, i64, i64, i16s, i16s, i64, i64), codegen
