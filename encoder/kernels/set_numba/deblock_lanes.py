"""Deblocking as LLVM vectors: four or eight lines across an edge at once, one in each 16-bit lane (spec 7.14.6).

Every filter that a line may need is computed for all lines, and masks choose; the longer ones only if any line needs
them. At a horizontal edge the vectors lie in memory as they are; at a vertical one they are transposed in and out.

There is one function for each combination of lines, filter and direction of the edge (`VARIANTS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from encoder.byref import i64, u8s
from encoder.kernels.set_numba.vectors import (
    I64,
    Vector,
    any_lane,
    first_of,
    joined,
    load,
    select,
    splat,
    store,
    transposed,
)

VARIANTS = list(product((4, 8), (4, 6, 8, 14), (False, True)))
"""Lines at once, samples that the filter looks at, whether the edge is vertical."""
CHANGED = {4: 2, 6: 2, 8: 3, 14: 6}
"""Samples that a filter changes on each side of the edge, by what it looks at."""
WIDE_FILTERS = {6: (2, 1, 3), 8: (3, 0, 3), 14: (6, 1, 4)}
"""n, n2 and log2Size of the wide filter process (spec 7.14.6.4)."""

_POINTER = ir.IntType(8).as_pointer()
_FUNCTION = ir.FunctionType(ir.VoidType(), [_POINTER, *[I64] * 4])  # behind the edge, stride, limit, blimit, thresh


class _Edge:
    """Lines across an edge: reads and writes sample i of all of them, i < 0 before the edge."""

    def __init__(self, builder: ir.IRBuilder, first: ir.Value, stride: ir.Value, lines: int, vertical: bool):
        self.builder, self.first, self.stride, self.lines, self.vertical = builder, first, stride, lines, vertical

    def _at(self, row: int, column: int) -> ir.Value:
        return self.builder.gep(self.first, [self.builder.add(self.builder.mul(self.stride, I64(row)), I64(column))])

    def read(self, reach: int) -> dict[int, Vector]:
        """Samples -reach .. reach - 1."""
        if self.vertical:
            rows = [load(self.builder, self._at(line, -reach), 2 * reach) for line in range(self.lines)]
            columns = _columns(rows)
        else:
            columns = [load(self.builder, self._at(i, 0), self.lines) for i in range(-reach, reach)]
        return {i: column.widened(16, signed=False) for i, column in zip(range(-reach, reach), columns, strict=True)}

    def write(self, samples: dict[int, Vector]) -> None:
        """Some samples around the edge; for a vertical edge, as many before it as behind, a power of two."""
        narrow = [samples[i].narrowed(8) for i in sorted(samples)]
        if self.vertical:
            for line, row in enumerate(_columns(narrow)):
                store(self._at(line, min(samples)), row)
        else:
            for i, row in zip(sorted(samples), narrow, strict=True):
                store(self._at(i, 0), row)


def _columns(rows: Sequence[Vector]) -> list[Vector]:
    """The columns of a matrix whose sides are powers of two, square by square."""
    height, width = len(rows), rows[0].count
    side = min(height, width)
    columns = []
    for x in range(0, width, side):
        strips = [row.lanes(list(range(x, x + side))) for row in rows]
        squares = [transposed(strips[y : y + side]) for y in range(0, height, side)]
        columns += [joined(list(parts)) for parts in zip(*squares, strict=True)]
    return columns


def _write_function(function: ir.Function, lines: int, length: int, vertical: bool) -> None:
    """Sample filtering process (spec 7.14.6.1)."""
    builder = ir.IRBuilder(function.append_basic_block())
    first, stride, *limits = function.args
    limit, blimit, thresh = (splat(builder, x, lines, 16) for x in limits)
    edge = _Edge(builder, first, stride, lines, vertical)
    # Vertical edges are read in powers of two; the blocks on both sides are wide enough.
    reach = {4: 2, 6: 4 if vertical else 3, 8: 4, 14: 8 if vertical else 7}[length]
    x = edge.read(reach)
    variance = (x[-2] - x[-1]).abs().max((x[1] - x[0]).abs())
    step = (x[-1] - x[0]).abs() * 2 + ((x[-2] - x[1]).abs() >> 1)
    roughness = variance
    for i in range(1, {4: 1, 6: 2, 8: 3, 14: 3}[length]):
        roughness = roughness.max((x[-i - 2] - x[-i - 1]).abs()).max((x[i + 1] - x[i]).abs())
    filtered = (roughness - limit).max(step - blimit).less(1)
    with builder.if_then(any_lane(filtered)):
        result = x | _narrow_filter(x, filtered, (thresh - variance).less(0))
        if length == 4:
            edge.write({i: result[i] for i in range(-2, 2)})
        else:
            flat = filtered & _range(x, 1, 2 if length == 6 else 3).max(variance).less(2)
            _write_wide(edge, x, result, flat, length)
    builder.ret_void()


def _write_wide(edge: _Edge, x: dict[int, Vector], result: dict[int, Vector], flat: Vector, length: int) -> None:
    """The wide filters where the lines are flat, and what remains of the narrow one."""
    builder = edge.builder
    with builder.if_else(any_lane(flat)) as (some, none):
        with none:
            edge.write({i: result[i] for i in range(-2, 2)})
        with some:
            shorter = min(length, 8)
            result = result | _wide_filter(x, result, flat, shorter)
            if length == 14:
                flat2 = flat & _range(x, 4, 6).less(2)
                with builder.if_else(any_lane(flat2)) as (some2, none2):
                    with none2:
                        _write_changed(edge, result, 8)
                    with some2:
                        _write_changed(edge, result | _wide_filter(x, result, flat2, 14), 14)
            else:
                _write_changed(edge, result, shorter)


def _write_changed(edge: _Edge, result: dict[int, Vector], length: int) -> None:
    reach = {2: 2, 3: 4, 6: 8}[CHANGED[length]] if edge.vertical else CHANGED[length]
    edge.write({i: result[i] for i in range(-reach, reach)})


def _range(x: dict[int, Vector], first: int, last: int) -> Vector:
    """How far samples first .. last of each side differ from the one at the edge."""
    largest = (x[-1 - first] - x[-1]).abs().max((x[first] - x[0]).abs())
    for i in range(first + 1, last + 1):
        largest = largest.max((x[-1 - i] - x[-1]).abs()).max((x[i] - x[0]).abs())
    return largest


def _narrow_filter(x: dict[int, Vector], filtered: Vector, high_edge_variance: Vector) -> dict[int, Vector]:
    """Narrow filter process (spec 7.14.6.3). Adding 128 after its last clip is clipping to 8 bits."""
    p1, p0, q0, q1 = (x[i] for i in range(-2, 2))
    nothing = p1 - p1
    base = select(high_edge_variance, (p1 - q1).max(-128).min(127), nothing)
    base = (base + (q0 - p0) * 3).max(-128).min(127)
    filter1 = (base + 4).min(127) >> 3
    filter2 = (base + 3).min(127) >> 3
    outer = select(high_edge_variance, nothing, (filter1 + 1) >> 1)
    result = {-2: p1 + outer, -1: p0 + filter2, 0: q0 - filter1, 1: q1 - outer}
    return {i: select(filtered, value.max(0).min(255), x[i]) for i, value in result.items()}


def _wide_filter(x: dict[int, Vector], result: dict[int, Vector], chosen: Vector, length: int) -> dict[int, Vector]:
    """Wide filter process (spec 7.14.6.4) where chosen: the sum over a window that moves along the line."""
    n, n2, log2_size = WIDE_FILTERS[length]

    def at(i: int) -> Vector:
        return x[max(-(n + 1), min(n, i))]

    total = at(-n - n) + (1 << (log2_size - 1))
    for j in range(-n + 1, n + 1):
        total += at(-n + j)
    for j in range(-n2, n2 + 1):
        total += at(-n + j)
    changed = {}
    for i in range(-n, n):
        changed[i] = select(chosen, total >> log2_size, result[i])
        total = total + (at(i + n + 1) + at(i + 1 + n2)) - (at(i - n) + at(i - n2))
    return changed


def _function(module: ir.Module, variant: tuple[int, int, bool]) -> ir.Function:
    """The function of a variant, added to the module if it is not there yet."""
    lines, length, vertical = variant
    name = f"deblock_{length}_{'vertical' if vertical else 'horizontal'}_{lines}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, _FUNCTION, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    _write_function(function, lines, length, vertical)
    return function


@intrinsic
def filter_lines(typing_context, variant, samples, at, stride, limit, blimit, thresh):
    """Filter as many lines as VARIANTS[variant] says; `at` is the first sample behind the edge, in the first line."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        variant, samples, at, *others = arguments
        first = first_of(context, builder, u8s, samples, at)
        end = builder.append_basic_block("filtered")
        switch = builder.switch(variant, end)
        for number, chosen in enumerate(VARIANTS):
            case = builder.append_basic_block(f"variant{number}")
            switch.add_case(I64(number), case)
            builder.position_at_end(case)
            builder.call(_function(builder.module, chosen), [first, *others])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(i64, u8s, i64, i64, i64, i64, i64), codegen
