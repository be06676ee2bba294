"""The vector layer: every operation against numpy, on random and extreme lanes; memory at any alignment, guards untouched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.errors import TypingError

from encoder import simd
from encoder.byref import i8, i16, i32, i64, u8, u16
from encoder.simd import (
    Kind,
    Numbers,
    Variable,
    columns,
    exchange,
    in_memory,
    join,
    loop,
    pointer,
    scratch,
    staged,
    transpose,
    u32,
    u64,
    when,
    where,
)

SIGNED, UNSIGNED = (i8, i16, i32, i64), (u8, u16, u32, u64)
ELEMENTS = (*SIGNED, *UNSIGNED)
INTEGER_KINDS = [Kind(element, lanes) for element in ELEMENTS for lanes in ((4, 64) if element == u8 else (2, 16))]
QUICK_KINDS = ("uint8x64", "int16x16", "uint32x2", "int64x2")
"""Every kernel of a test takes a second to compile: the other kinds are tested among the slow ones."""
ROUNDS = 24


def dtype(element: Any) -> np.dtype:
    return np.dtype(str(element))


def lanes(kind: Kind, seed: int) -> np.ndarray:
    """ROUNDS rows of lanes: random ones, then mixtures of the extremes and what lies beside them."""
    rng = np.random.default_rng([seed, kind.lanes])
    limits = np.iinfo(dtype(kind.element))
    drawn = rng.integers(limits.min, limits.max, (ROUNDS, kind.lanes), dtype(kind.element), endpoint=True)
    extremes = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, 0, 1], dtype(kind.element))
    drawn[ROUNDS // 2 :] = rng.choice(extremes, (ROUNDS - ROUNDS // 2, kind.lanes))
    drawn[-2], drawn[-1] = limits.min, limits.max
    return drawn


@dataclass(frozen=True)
class Operation:
    """What is done with two vectors of a kind, by us and by numpy on their lanes, and the element of what comes out."""

    name: str
    ours: Callable[..., Any]
    numpy: Callable[..., Any]
    result: Any


def results(operations: Sequence[Operation], kind: Kind, rows: np.ndarray, others: np.ndarray) -> list[np.ndarray]:
    """What each operation makes of each row, one array for each operation; nothing is written beside it."""
    lengths = [np.size(operation.numpy(rows[0], others[0])) for operation in operations]

    @staged
    def whole(places: Any, a: Any, b: Any) -> None:
        p, q = kind.load(a + 1), kind.load(b + 1)
        for operation, place in zip(operations, places, strict=True):
            result = operation.ours(p, q)
            for part in result if isinstance(result, tuple) else (result,):
                place = put(part, place)

    outs = tuple(
        np.full(length + 2, 77, dtype(operation.result)) for operation, length in zip(operations, lengths, strict=True)
    )
    names = "".join(f"pointer(outs[{n}], 1), " for n in range(len(outs)))
    scope: dict[str, Any] = {"whole": whole, "pointer": pointer}
    exec(f"def run(outs, a, b):\n    whole(({names}), a, b)\n", scope)
    run = njit(scope["run"])
    found = []
    for a, b in zip(rows, others, strict=True):
        run(outs, *(np.concatenate((row[:1], row, row[:1])) for row in (a, b)))
        assert all(out[0] == out[-1] == 77 for out in outs)
        found.append([out[1:-1].copy() for out in outs])
    return [np.array(of_one) for of_one in zip(*found, strict=True)]


def put(part: Any, place: Any) -> Any:
    """Store a vector, a mask as numbers, or a number; the place behind it."""
    if not isinstance(part, simd.Vector):
        place[0] = part
        return place + 1
    vector = part.to(u8) if part.kind.element is simd.bit else part
    vector.store(place)
    return place + part.kind.lanes


def check(operations: Sequence[Operation], kind: Kind) -> None:
    """Every operation gives what numpy does."""
    rows, others = lanes(kind, 0), lanes(kind, 1)
    for operation, got in zip(operations, results(operations, kind, rows, others), strict=True):
        with np.errstate(over="ignore"):
            wanted = [np.ravel(operation.numpy(a, b)) for a, b in zip(rows, others, strict=True)]
        kept = np.array([[int(x) & (1 << operation.result.bitwidth) - 1 for x in row] for row in wanted], object)
        same = got.astype(object) & (1 << operation.result.bitwidth) - 1 == kept
        wrong = np.flatnonzero(~same.all(1))
        assert not wrong.size, f"{operation.name} of {kind}: {rows[wrong[0]]}, {others[wrong[0]]} -> {got[wrong[0]]}"


def exact(row: np.ndarray) -> np.ndarray:
    """The lanes as Python's ints, which do not overflow."""
    return row.astype(object)


def limited(values: np.ndarray, element: Any) -> np.ndarray:
    limits = np.iinfo(dtype(element))
    return np.clip(values, limits.min, limits.max)


def alike(text: str, kind: Kind, result: Any = None) -> Operation:
    """An operation that is written alike for vectors and for arrays: an expression of a and b."""
    function = eval(f"lambda a, b: {text}")
    return Operation(text, function, function, result or kind.element)


def arithmetic(kind: Kind) -> list[Operation]:
    e, last = kind.element, kind.element.bitwidth - 1
    expressions = ["a + b", "a - b", "a * b", "a & b", "a | b", "a ^ b", "(a + 3) * 5 - (7 - a)", "-a", "~a", "abs(a)"]
    expressions += [f"a {sign} {count}" for sign in ("<<", ">>") for count in (0, 1, last)]
    return [
        *(alike(text, kind) for text in expressions),
        Operation("min", lambda a, b: a.min(b), np.minimum, e),
        Operation("max", lambda a, b: a.max(b), np.maximum, e),
        Operation("clip", lambda a, b: a.clip(3, 100), lambda a, b: np.clip(a, 3, 100), e),
        Operation("abs_diff", lambda a, b: a.abs_diff(b), lambda a, b: np.maximum(a, b) - np.minimum(a, b), e),
        Operation("add_saturated", lambda a, b: a.add_saturated(b), lambda a, b: limited(exact(a) + exact(b), e), e),
        Operation("sub_saturated", lambda a, b: a.sub_saturated(b), lambda a, b: limited(exact(a) - exact(b), e), e),
        *(
            Operation(
                f"round_shift {n}",
                lambda a, b, n=n: (a >> 1).round_shift(n),  # away from the largest, whose sum would wrap
                lambda a, b, n=n: (exact(a >> 1) + (1 << n >> 1)) // 2**n,
                e,
            )
            for n in (0, 1, 3)
        ),
    ]


def comparisons(kind: Kind) -> list[Operation]:
    made = []
    for sign in ("<", "<=", ">", ">=", "==", "!="):
        test = eval(f"lambda a, b: a {sign} b")
        made += [
            alike(f"a {sign} b", kind, u8),
            alike(f"~((a {sign} b) & (a < 5)) | (b > 9)", kind, u8),
            Operation(
                f"where {sign}",
                lambda a, b, test=test: where(test(a, b), a, b),
                lambda a, b, test=test: np.where(test(a, b), a, b),
                kind.element,
            ),
        ]
    return [
        *made,
        Operation("bits", lambda a, b: (a < b).bits(), lambda a, b: sum(1 << n for n, x in enumerate(a < b) if x), u64),
        Operation("first", lambda a, b: (a < b).first(), lambda a, b: [*(a < b), True].index(True), u64),
        Operation("any", lambda a, b: where((a < b).any(), a, b), lambda a, b: a if (a < b).any() else b, kind.element),
        Operation("all", lambda a, b: where((a < b).all(), a, b), lambda a, b: a if (a < b).all() else b, kind.element),
    ]


def other_elements(kind: Kind) -> list[Operation]:
    made = []
    for e in ELEMENTS:
        made.append(Operation(f"to {e}", lambda a, b, e=e: a.to(e), lambda a, b, e=e: a.astype(dtype(e)), e))
        if kind.lanes * kind.element.bitwidth >= 2 * e.bitwidth:
            made.append(
                Operation(f"bits_as {e}", lambda a, b, e=e: a.bits_as(e), lambda a, b, e=e: a.view(dtype(e)), e)
            )
        if e.bitwidth < kind.element.bitwidth:
            made.append(Operation(f"saturate {e}", lambda a, b, e=e: a.saturate(e), lambda a, b, e=e: limited(a, e), e))
    return made


def among_lanes(kind: Kind) -> list[Operation]:
    e, n = kind.element, kind.lanes
    order = [(3 * lane + 1) % (2 * n) for lane in range(n)]
    both, zipped = (lambda a, b: np.concatenate((a, b))), (lambda a, b: np.stack((a, b), 1))
    wide = np.dtype(f"{'i' if e.signed else 'u'}{max(32, e.bitwidth) // 8}")
    return [
        Operation("shuffle of two", lambda a, b: a.shuffle(order, b), lambda a, b: both(a, b)[order], e),
        Operation("shuffle", lambda a, b: a.shuffle([n - 1, 0]), lambda a, b: a[[n - 1, 0]], e),
        Operation("low, high", lambda a, b: (a.low(), a.high()), lambda a, b: a, e),
        Operation("even, odd", lambda a, b: (a.even(), a.odd()), lambda a, b: both(a[::2], a[1::2]), e),
        Operation("reverse", lambda a, b: a.reverse(), lambda a, b: a[::-1], e),
        Operation("join", lambda a, b: a.join(b), both, e),
        Operation("join of four", lambda a, b: join((a, b, b, a)), lambda a, b: np.concatenate((a, b, b, a)), e),
        Operation("zip", lambda a, b: a.zip(b), zipped, e),
        Operation("zip_low, zip_high", lambda a, b: (a.zip_low(b), a.zip_high(b)), zipped, e),
        Operation("zip_parts", lambda a, b: a.zip_parts(b), zipped_parts, e),
        Operation("fenced", lambda a, b: (a + b).fenced(), lambda a, b: a + b, e),
        Operation(
            "exchange",
            lambda a, b: exchange(a, b, 1),
            lambda a, b: both(zipped(a[::2], b[::2]), zipped(a[1::2], b[1::2])),
            e,
        ),
        Operation(
            "exchange of halves",
            lambda a, b: exchange(a, b, n // 2),
            lambda a, b: both(np.append(a[: n // 2], b[: n // 2]), np.append(a[n // 2 :], b[n // 2 :])),
            e,
        ),
        Operation("slide", lambda a, b: a.slide(b, 1), lambda a, b: both(a, b)[1 : n + 1], e),
        Operation("repeat", lambda a, b: a.repeat(2), lambda a, b: np.tile(a, 2), e),
        Operation("add_pairs", lambda a, b: a.add_pairs(), lambda a, b: a[::2] + a[1::2], e),
        Operation("lane", lambda a, b: a.lane(1), lambda a, b: a[1], i64),
        Operation("splat", lambda a, b: kind.splat(a.lane(0)), lambda a, b: np.repeat(a[:1], n), e),
        Operation("numbers", lambda a, b: a * 0 + range(n), lambda a, b: np.arange(n), e),
        Operation("zero", lambda a, b: kind.zero(), lambda a, b: np.zeros(n), e),
        Operation("sum", lambda a, b: a.sum(), lambda a, b: a.sum(dtype=wide), i64),
        Operation("smallest", lambda a, b: a.smallest(), lambda a, b: a.min(), i64),
        Operation("largest", lambda a, b: a.largest(), lambda a, b: a.max(), i64),
    ]


def zipped_parts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a0 b0 a1 b1 ... for every 16 bytes: of all lower halves, then of all upper halves."""
    parts = np.stack((a, b), 1).reshape(-1, 2, min(len(a), 16 // a.itemsize))
    return parts.swapaxes(0, 1).ravel()


def of_some_elements(kind: Kind) -> list[Operation]:
    e = kind.element
    made = []
    if e in (i16, u16):
        made += [
            Operation("mul_high", lambda a, b: a.mul_high(b), lambda a, b: exact(a) * exact(b) >> 16, e),
            Operation("mul_high of an int", lambda a, b: a.mul_high(12345), lambda a, b: exact(a) * 12345 >> 16, e),
        ]
    if e in (u8, u16):
        made += [Operation("mean", lambda a, b: a.mean(b), lambda a, b: (exact(a) + exact(b) + 1) >> 1, e)]
    if e == i16:  # twice the square of the lowest value wraps
        made += [Operation("mul_pairs", lambda a, b: a.mul_pairs(b), pair_products, i32)]
    if e == u8:
        made += [
            Operation(
                "mul_pairs of bytes",
                lambda a, b: a.mul_pairs(b.to(i8)),
                lambda a, b: limited(pair_products(a, b.astype(np.int8)), i16),
                i16,
            ),
            Operation("distances", lambda a, b: a.distances(b), lambda a, b: abs(exact(a) - exact(b)), i32),
            Operation("sad", lambda a, b: a.sad(b), lambda a, b: abs(exact(a) - exact(b)).sum(), i64),
        ]
    return made


def pair_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    products = exact(a) * exact(b)
    return products[::2] + products[1::2]


@pytest.mark.parametrize(
    "kind",
    [kind if str(kind) in QUICK_KINDS else pytest.param(kind, marks=pytest.mark.slow) for kind in INTEGER_KINDS],
    ids=str,
)
@pytest.mark.parametrize("group", [arithmetic, comparisons, other_elements, among_lanes, of_some_elements])
def test_operations(kind: Kind, group: Callable[[Kind], list[Operation]]) -> None:
    operations = group(kind)
    if operations:
        check(operations, kind)


@pytest.mark.parametrize("element", [u8, i16, i32], ids=str)
@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_transpose(element: Any, side: int) -> None:
    samples = np.arange(side * side).astype(dtype(element))
    turned = np.zeros_like(samples)
    kind = Kind(element, side)

    @staged
    def turn(source: Any, target: Any) -> None:
        for n, column in enumerate(transpose(kind.load_rows(source, side, side))):
            column.store(target + n * side)

    njit(lambda source, target: turn(source, target))(samples, turned)
    np.testing.assert_array_equal(turned.reshape(side, side), samples.reshape(side, side).T)


# --- memory


@given(
    element=st.sampled_from(ELEMENTS),
    count=st.sampled_from([2, 3, 4, 8, 16, 64]),
    at=st.integers(0, 9),
    to=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_loads_and_stores_at_any_place(element: Any, count: int, at: int, to: int) -> None:
    source = np.arange(1, count + 10).astype(dtype(element))
    target = np.zeros(count + 10, source.dtype)
    mover(Kind(element, count))(source, at, target, to)
    expected = np.zeros_like(target)
    expected[to : to + count] = source[at : at + count]
    np.testing.assert_array_equal(target, expected)


@cache
def mover(kind: Kind) -> Callable[..., None]:
    @njit
    def move(source: Any, at: int, target: Any, to: int) -> None:
        kind.load(pointer(source, at)).store(pointer(target, to))

    return move  # type: ignore[no-any-return]


@given(element=st.sampled_from([u8, i16, i32]), count=st.sampled_from([4, 8, 16, 32]), first=st.integers(0, 32))
@settings(max_examples=40, deadline=None)
def test_partial_loads_and_stores(element: Any, count: int, first: int) -> None:
    """Nothing but the first lanes is touched; behind them the load gives 0."""
    first = min(first, count)
    source = np.arange(1, count + 3).astype(dtype(element))
    whole, part = np.full(count + 4, 99, source.dtype), np.full(count + 4, 99, source.dtype)
    partial_mover(Kind(element, count))(source, whole, part, first)
    np.testing.assert_array_equal(whole[2:-2], np.where(np.arange(count) < first, source[1:-1], 0))
    np.testing.assert_array_equal(part[2:-2], np.where(np.arange(count) < first, source[1:-1], 99))


@cache
def partial_mover(kind: Kind) -> Callable[..., None]:
    @njit
    def move(source: Any, whole: Any, part: Any, first: int) -> None:
        kind.load_first(pointer(source, 1), first).store(pointer(whole, 2))
        kind.load(pointer(source, 1)).store_first(pointer(part, 2), first)

    return move  # type: ignore[no-any-return]


@given(width=st.sampled_from([2, 4, 8, 16]), rows=st.sampled_from([1, 2, 4]), extra=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_blocks(width: int, rows: int, extra: int) -> None:
    stride = width + extra
    source = np.arange(stride * rows, dtype=np.uint8)
    target = np.full_like(source, 200)
    block_mover(width, rows)(source, target, stride)
    expected = np.full_like(source, 200)
    for row in range(rows):
        expected[row * stride :][:width] = 2 * source[row * stride :][:width]
    np.testing.assert_array_equal(target, expected)


@cache
def block_mover(width: int, rows: int) -> Callable[..., None]:
    kind = Kind(u8, width * rows)

    @njit
    def move(source: Any, target: Any, stride: int) -> None:
        (kind.load_block(pointer(source, 0), stride, width) * 2).store_block(pointer(target, 0), stride, width)

    return move  # type: ignore[no-any-return]


def test_a_load_reads_nothing_behind_its_lanes() -> None:
    """At the very end of a page whose neighbour cannot be read."""
    import ctypes
    import mmap

    size = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + size), ctypes.c_size_t(size), 0) == 0
    page = np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)
    page[:] = np.arange(size) % 251
    for count in (2, 3, 4, 8, 16, 32, 64):
        target = np.zeros(count, np.uint8)
        mover(Kind(u8, count))(page, size - count, target, 0)
        np.testing.assert_array_equal(target, page[size - count :])
    for first in range(17):
        whole, part = np.zeros(20, np.uint8), np.zeros(20, np.uint8)
        end_mover()(page, size - first, whole, part, first)
        np.testing.assert_array_equal(whole[:first], page[size - first :])


@cache
def end_mover() -> Callable[..., None]:
    @njit
    def move(source: Any, at: int, whole: Any, part: Any, first: int) -> None:
        vector = simd.u8x16.load_first(pointer(source, at), first)
        vector.store(pointer(whole, 0))
        vector.store_first(pointer(source, at), first)

    return move  # type: ignore[no-any-return]


# --- in plain code

SWAPPED = Numbers((1, 0, 3, 2))
WEIGHTS = Numbers((1, 2, 3, 4))


def weighed(kind: Any, samples: Any, out: Any, count: int) -> int:
    """Everything that plain code does: loops, branches, in-place operators, numbers, pointers, tuples of vectors."""
    p, total = pointer(samples, 1), kind.of(i32).zero()
    places = scratch(i32, 4)
    for n in range(count):
        v = kind.load(p + n).to(i32)
        if v.lane(0) > 3:
            v = v.shuffle(SWAPPED)
        total += v * WEIGHTS
        total -= n
    total.store(places)
    q = pointer(out, 0)
    for n in range(kind.lanes):
        q[n] = places[n]
    return abs(-total).sum()


weighed_part = njit(weighed)


def test_plain_code() -> None:
    kernel = njit(lambda samples, out, count: weighed_part(simd.u8x4, samples, out, count))
    samples, out = np.arange(12, dtype=np.uint8), np.zeros(4, np.int64)
    expected = np.zeros(4, np.int64)
    for n in range(6):
        v = samples[1 + n : 5 + n].astype(np.int64)
        expected += (v[list(SWAPPED)] if v[0] > 3 else v) * WEIGHTS - n
    assert kernel(samples, out, 6) == expected.sum()
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("height", "width"), [(1, 8), (4, 8), (8, 4), (16, 16), (32, 4), (2, 2)])
@pytest.mark.parametrize("element", [u8, i16])
def test_columns(element: Any, height: int, width: int) -> None:
    @staged
    def store(out: Any, a: Any) -> None:
        for n, column in enumerate(columns(Kind(element, width).load_rows(a, width, height))):
            column.store(out + n * height)

    matrix = np.random.default_rng(1).integers(0, 99, (height, width)).astype(dtype(element))
    out = np.zeros(height * width, dtype(element))
    njit(lambda out, a: store(out, a))(out, matrix.ravel())
    np.testing.assert_array_equal(out.reshape(width, height), matrix.T)


@pytest.mark.parametrize("element", [u8, i16, i32, i64])
def test_gather(element: Any) -> None:
    @staged
    def store(out: Any, a: Any, numbers: Any) -> None:
        kind = Kind(element, 8)
        kind.gather(a, simd.i32x8.load(numbers)).store(out)

    rng = np.random.default_rng(2)
    values, numbers = rng.integers(0, 99, 40).astype(dtype(element)), rng.integers(0, 40, 8).astype(np.int32)
    out = np.zeros(8, dtype(element))
    njit(lambda out, a, numbers: store(out, a, numbers))(out, values, numbers)
    np.testing.assert_array_equal(out, values[numbers])


@pytest.mark.parametrize("count", [0, 1, 7])
def test_loop(count: int) -> None:
    @staged
    def store(out: Any, a: Any, count: Any) -> None:
        with loop(count) as n:
            (simd.u8x4.load(a) + n).store(out + n * 4)

    out, start = np.zeros(32, np.uint8), np.arange(4, dtype=np.uint8)
    njit(lambda out, a, count: store(out, a, count))(out, start, count)
    np.testing.assert_array_equal(out.reshape(8, 4), [start + n if n < count else start * 0 for n in range(8)])


@pytest.mark.parametrize("count", [0, 1, 9])
def test_variables_change_from_round_to_round(count: int) -> None:
    """A vector, an int, a pointer and a tuple of them."""

    @staged
    def store(out: Any, a: Any, count: Any) -> None:
        total, number, place = Variable(simd.i32x4.zero()), Variable(0), Variable((a, simd.i32x4.constant(7)))
        with loop(count) as n:
            p, last = place.value
            total.value += simd.i32x4.load(p) * n
            number.value += n
            place.value = p + 4, last + 1
        total.value.store(out)
        out[4] = number.value
        place.value[1].store(out + 5)

    out, samples = np.zeros(9, np.int32), np.arange(40, dtype=np.int32) ** 2
    njit(lambda out, a, count: store(out, a, count))(out, samples, count)
    weighed = samples.reshape(10, 4)[:count] * np.arange(count)[:, None]
    assert out.tolist() == [*weighed.sum(0), sum(range(count)), *[7 + count] * 4]


def test_the_staged_example_of_the_documentation() -> None:
    @staged
    def sad_of_bytes(p: Any, q: Any, count: Any) -> Any:
        total = Variable(simd.i32x16.zero())
        with loop(count >> 4) as n:
            total.value += simd.u8x16.load(p + n * 16).distances(simd.u8x16.load(q + n * 16))
        return total.value.sum()

    a, b = np.random.default_rng(3).integers(0, 256, (2, 160), np.uint8)
    assert njit(lambda a, b, count: sad_of_bytes(a, b, count))(a, b, 160) == np.abs(a.astype(int) - b).sum()


@pytest.mark.parametrize("element", [u8, i16, i32, i64], ids=str)
def test_tables_in_memory(element: Any) -> None:
    """Negative and large numbers too, and two tables in one kernel."""
    limits = np.iinfo(dtype(element))
    numbers = Numbers([int(limits.min), 1, 2, int(limits.max)])
    others = Numbers(range(4))

    @staged
    def store(out: Any) -> None:
        kind = Kind(element, 4)
        kind.load(in_memory(element, numbers)).store(out)
        kind.load(in_memory(element, others)).store(out + 4)

    out = np.zeros(8, dtype(element))
    njit(lambda out: store(out))(out)
    assert out.tolist() == [*numbers, *others]


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_elements_by_pointer(element: Any) -> None:
    """One element is read as an int64 of its value and written by its lowest bits."""

    @njit
    def copy(source: Any, target: Any) -> int:
        p, q = pointer(source, 2), pointer(target, 1)
        q[0], q[2] = p[-2], p[1]
        return (p + 1 - 2)[0]

    limits = np.iinfo(dtype(element))
    source = np.array([limits.min, limits.max, 5, limits.max - 1], dtype(element))
    target = np.zeros(4, source.dtype)
    assert copy(source, target) & (2**64 - 1) == int(limits.max) & (2**64 - 1)
    assert target.tolist() == [0, limits.min, 0, limits.max - 1]


@pytest.mark.parametrize("value", [1, 5, 9])
def test_when(value: int) -> None:
    @staged
    def store(out: Any, a: Any) -> None:
        v = simd.u8x4.load(a)
        with when((v > 3).any()):
            v.store(out)
            with when((v > 7).all()):
                (v + 1).store(out)
        (v + 2).store(out + 4)

    out = np.zeros(8, np.uint8)
    njit(lambda out, a: store(out, a))(out, np.full(4, value, np.uint8))
    assert out.tolist() == [{1: 0, 5: 5, 9: 10}[value]] * 4 + [value + 2] * 4


def test_the_natural_kinds_are_one_register() -> None:
    for kind in (simd.U8, simd.U16, simd.I16, simd.I32):
        assert kind.lanes * kind.element.bitwidth == simd.VECTOR_BYTES * 8


# --- what does not fit is said when the kernel is compiled


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda v: v + simd.u8x8.zero(), "i16x8 and u8x8|int16x8 and uint8x8"),
        (lambda v: v.shuffle([8]), "takes lanes"),
        (lambda v: v.any(), "is no mask"),
        (lambda v: v * [1, 2], "2 numbers for the lanes"),
        (lambda v: v.to(u8).mul_pairs(3), "mul_pairs is for"),
        (lambda v: transpose((v, v, v)), "are no square"),
        (lambda v: v.store("there"), "no attribute"),
        (lambda v: "text", "returns no str"),
    ],
)
def test_what_does_not_fit(wrong: Callable[..., Any], said: str) -> None:
    operation = staged(wrong)

    @njit
    def kernel(samples: Any) -> None:
        operation(simd.i16x8.load(pointer(samples, 0)))

    with pytest.raises(TypingError, match=said):
        kernel(np.zeros(8, np.int16))


def test_memory_of_other_elements() -> None:
    @njit
    def kernel(samples: Any) -> None:
        simd.i16x8.load(pointer(samples, 0))

    with pytest.raises(TypingError, match="memory of uint8 holds no int16"):
        kernel(np.zeros(8, np.uint8))


def test_vectors_exist_in_compiled_code_only() -> None:
    with pytest.raises(TypeError, match="compiled code only"):
        simd.u8x8.splat(simd.Scalar(None))
