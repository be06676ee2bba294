"""Inter prediction as arithmetic on vectors (spec 7.11.3). Contracts are in table.py.

All taps are even. With halves of them a sum of eight samples fits 16 bits, and s, half the sum that the specification
names, gives in one direction

    Round2(s, 2)                                       for a compound prediction
    Round2(s, 6)                                       vertically for a single one
    Round2(Round2(s, 2), 4), which is (s + 34) >> 6    horizontally for a single one

In two directions the first sum is rounded and stays four times `intermediate`: (s + 2) & -4. The second one needs 32 bits;
its taps are scaled so that the prediction is the upper half of the sum.

Two neighbours are multiplied by two taps and added in one instruction, so taps go in pairs: four pairs, or three where the
first and the last tap are 0, as they mostly are. Rows are filtered as they lie in memory: from even columns on that instruction
gives the even columns' sums, from odd ones on the odd ones'; these stay apart until they are stored. Two rows are worked on at
once.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from encoder.byref import i8, i16
from encoder.simd import (
    U8,
    Kind,
    Numbers,
    Variable,
    i16x2,
    in_memory,
    loop,
    pointer,
    staged,
    u8,
    u8x2,
    u8x4,
    u8x8,
    u8x16,
    u8x32,
    u8x64,
    u16,
    u32,
    when,
)
from encoder.tables import table

TAPS, TAPS_BEFORE = 8, 3
STRIPS = ((u8x32, u8x64), (u8x16, u8x32), (u8x8, u8x16), (u8x4, u8x8), (u8x2, u8x4))
"""A row and two rows."""
_TAPS = (table("subpel_filters") // 2).reshape(-1, TAPS)
HALVED_TAPS, SINGLE_TAPS, COMPOUND_TAPS = (Numbers((_TAPS * scale).ravel().tolist()) for scale in (1, 1 << 4, 1 << 8))
"""Of every filter, those of a direction alone, and of a second direction."""
LONGEST = 64
REPEATED_PAIRS = Numbers(np.tile(np.stack((_TAPS[:, :-1], _TAPS[:, 1:]), axis=-1), LONGEST // 2).ravel().tolist())
"""Halved taps n and n + 1 of every filter, as often as the longest vector has room for them."""
FOUR_PAIRS, THREE_PAIRS = (0, 2, 4, 6), (1, 3, 5)
"""The first taps of the pairs."""
SECOND_SOURCE = 4
"""Where the second part of _source begins."""
COPY, ACROSS, DOWN, BOTH = (Numbers((n,)) for n in range(4))
"""The directions of filters."""


def mc_put(dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    to, p = pointer(dst, dst_at), pointer(ref, ref_at)
    return _predict(to, dst_stride, p, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)


def mc_prep(out, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    to, p = pointer(out, 0), pointer(ref, ref_at)
    return _predict(to, w, p, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)


def _predict(to, to_stride, p, stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """A single prediction where samples are wanted, else a compound one. across, down: numbers of filters."""
    across, down = filter_x * 16 + frac_x, filter_y * 16 + frac_y
    if frac_x == 0 and frac_y == 0:
        return _copy_block(to, to_stride, p, stride, w, h)
    if frac_y == 0:
        return _filter_across(to, to_stride, p, stride, w, h, across)
    if frac_x == 0:
        return _filter_down(to, to_stride, p, stride, w, h, down)
    return _filter_both(to, to_stride, p, stride, w, h, across, down)


def _copy_block(to, to_stride, p, stride, w, h):
    _write_strips(COPY, to, to_stride, p, stride, w, h, 0, 0)
    return 0


def _filter_across(to, to_stride, p, stride, w, h, across):
    _write_strips(ACROSS, to, to_stride, p, stride, w, h, across, across)
    return 0


def _filter_down(to, to_stride, p, stride, w, h, down):
    _write_strips(DOWN, to, to_stride, p, stride, w, h, down, down)
    return 0


def _filter_both(to, to_stride, p, stride, w, h, across, down):
    _write_strips(BOTH, to, to_stride, p, stride, w, h, across, down)
    return 0


@staged
def _write_strips(directions, to, to_stride, p, stride, w, h, across, down):
    """A block of 64 columns is two strips."""
    for row, block in STRIPS:
        with (
            when(w >= row.lanes if row is STRIPS[0][0] else w == row.lanes),
            loop(w >> row.lanes.bit_length() - 1) as n,
        ):
            strip = _Strip(row, block, to + n * row.lanes, to_stride, p + n * row.lanes, stride, h)
            if directions == COPY:
                _in_pairs_of_rows(strip, _copy_rows)
            else:
                outer = _has_outer_taps(across) | _has_outer_taps(down)
                write = {ACROSS: _write_across, DOWN: _write_down, BOTH: _write_both}[directions]
                with when(outer != 0):
                    write(strip, FOUR_PAIRS, across, down)
                with when(outer == 0):
                    write(strip, THREE_PAIRS, across, down)


def _has_outer_taps(number):
    """Not 0 if the first or the last tap of a filter is not."""
    taps = in_memory(i8, HALVED_TAPS) + number * TAPS
    return taps[0] | taps[TAPS - 1]


def _in_pairs_of_rows(strip, write):
    """Write all rows of a strip, four in a round: what is kept from pair to pair changes registers half as often then."""
    with loop(strip.h >> 2) as n:
        write(strip.down(n * 4))
        write(strip.down(n * 4 + 2))
    with when((strip.h & 2) != 0):
        write(strip.down(strip.h - 2))


@dataclass
class _Strip:
    """Columns that are worked on at once: where they come from and go to. block: two rows."""

    row: Kind
    block: Kind
    to: Any
    to_stride: Any
    p: Any
    stride: Any
    h: Any

    def down(self, rows):
        """This one further down, by the same rows in what is written and what is read."""
        return replace(self, to=self.to + self.to_stride * rows, p=self.p + self.stride * rows)

    def reading(self, rows, columns=0, stride=None):
        """This one reading elsewhere."""
        return replace(self, p=self.p + self.stride * rows + columns, stride=self.stride if stride is None else stride)

    def samples(self):
        """Two rows, one behind the other."""
        return self.block.load_block(self.p, self.stride, self.row.lanes)

    @property
    def is_single(self):
        """Whether the prediction is samples."""
        return self.to.element == u8


def _copy_rows(strip):
    """Samples, for a compound prediction 16 times the samples."""
    samples = strip.samples()
    values = samples if strip.is_single else samples.to(i16) << 4
    values.store_block(strip.to, strip.to_stride, strip.row.lanes)


def _write_across(strip, pairs, across, _):
    """Rows only."""
    shift, half = (6, 34) if strip.is_single else (2, 2)

    def write(here):
        sums = _sums_across(here, pairs, across)
        _store(here, [(total + half) >> shift for total in sums], _places_across(here))

    _in_pairs_of_rows(strip, write)


def _sums_across(strip, pairs, number):
    """s of the samples of two rows, 16 bits: in two vectors or one, where _places_across says."""
    taps = in_memory(i8, REPEATED_PAIRS) + number * ((TAPS - 1) * LONGEST)
    if strip.row.lanes >= 16:
        return [
            _sum(
                [
                    strip.reading(0, n + odd - TAPS_BEFORE).samples().mul_pairs(_taps(strip.block, taps, n))
                    for n in pairs
                ]
            )
            for odd in (0, 1)
        ]
    source = _source(strip).join(_source(strip.reading(1))).fenced()
    total = _sum([_neighbours(source, n).mul_pairs(_taps(source.kind, taps, n)) for n in pairs])
    return [total.shuffle([half * 8 + column for half in (0, 1) for column in range(strip.row.lanes)])]


def _places_across(strip):
    """Sample by sample: the number of a vector, and a lane of it. Even and odd columns apart, in short rows all in one."""
    if strip.row.lanes >= 16:
        return [(column % 2, column // 2) for column in range(strip.block.lanes)]
    return [(0, column) for column in range(strip.block.lanes)]


def _taps(kind, taps, n):
    """Taps n and n + 1 again and again."""
    return kind.of(i8).load(taps + n * LONGEST)


def _source(strip):
    """All that the filter sees of a short row, in 16 lanes: eight samples from three before it on, then those from its fifth on."""
    w = strip.row.lanes
    rest = strip.row.load(strip.p + SECOND_SOURCE).shuffle([lane % w for lane in range(8)])
    return u8x8.load(strip.p - TAPS_BEFORE).join(rest)


def _neighbours(source, n):
    """For eight columns of each source the samples that taps n and n + 1 see."""
    columns = [column + n + k - TAPS_BEFORE for column in range(8) for k in (0, 1)]
    lanes = [column + TAPS_BEFORE if column < 8 - TAPS_BEFORE else column - SECOND_SOURCE + 8 for column in columns]
    return source.shuffle([start + lane for start in range(0, source.kind.lanes, 16) for lane in lanes])


def _sum(vectors):
    """Added in pairs, so that no sum waits for all others."""
    while len(vectors) > 1:
        vectors = [sum(vectors[i + 1 : i + 2], vectors[i]) for i in range(0, len(vectors), 2)]
    return vectors[0]


def _store(strip, vectors, places):
    """Predictions of two rows, clipped where samples are wanted."""
    count, first = len(vectors), vectors[0]
    if not strip.is_single:
        values = first.shuffle([first.kind.lanes * vector + lane for vector, lane in places], vectors[-1])
    elif count == 1:
        values = first.saturate(u8).shuffle([lane for _, lane in places])
    else:
        lower, upper = (vector.max(0).min(255).to(u16) for vector in vectors)
        values = (lower | upper << 8).bits_as(u8).shuffle([2 * lane + vector for vector, lane in places])
    values.store_block(strip.to, strip.to_stride, strip.row.lanes)


def _write_down(strip, pairs, _, down):
    """Columns only."""
    (_write_down_in_bytes if strip.row.lanes >= 8 else _write_down_in_words)(strip, pairs, down)


def _write_down_in_words(strip, pairs, down):
    """Vectors too short for products of pairs of bytes."""
    kind, taps = strip.block.of(i16), in_memory(i8, HALVED_TAPS) + down * TAPS
    numbers = [n + k for n in pairs for k in (0, 1)]
    taps = [kind.splat(taps[n]) for n in numbers]
    shift, half = (6, 32) if strip.is_single else (2, 2)

    def write(here):
        rows = [here.reading(n - TAPS_BEFORE).samples().to(i16) for n in numbers]
        total = _sum([row * tap for row, tap in zip(rows, taps, strict=True)])
        _store(here, [(total + half) >> shift], [(0, lane) for lane in range(kind.lanes)])

    _in_pairs_of_rows(strip, write)


def _write_down_in_bytes(strip, pairs, down):
    """Kept is what all pairs of taps but the last see of two rows; that one takes two rows more."""
    taps = in_memory(i8, REPEATED_PAIRS) + down * ((TAPS - 1) * LONGEST)
    first = pairs[0] - TAPS_BEFORE
    kept = Variable([_samples_over_samples(strip.reading(first + 2 * n)) for n in range(len(pairs) - 1)])
    shift, half = (6, 32) if strip.is_single else (2, 2)

    def write(here):
        turned = [*kept.value, _samples_over_samples(here.reading(first + 2 * len(pairs) - 2))]
        sums = [
            _sum([part.mul_pairs(_taps(part.kind, taps, n)) for part, n in zip(parts, pairs, strict=True)])
            for parts in zip(*turned, strict=True)
        ]
        _store(here, [(total + half) >> shift for total in sums], _places_down(here))
        kept.value = turned[1:]

    _in_pairs_of_rows(strip, write)


def _samples_over_samples(strip):
    """Two rows, each sample beside the one below it."""
    return [part.fenced() for part in strip.samples().zip_parts(strip.reading(1).samples())]


def _places_down(strip):
    """Sample by sample: the number of a vector, and a lane of it."""
    part = min(strip.block.lanes, 16) // 2
    return [(lane // part % 2, lane // (2 * part) * part + lane % part) for lane in range(strip.block.lanes)]


def _write_both(strip, pairs, across, down):
    """Rows, then columns, each sample of a filtered row beside the one below it.

    Kept are the last two rows, and what all pairs of taps but the last see of two rows.
    """
    first = pairs[0] - TAPS_BEFORE
    rows, turned = _filtered(strip.reading(first, stride=0), pairs, across), []
    for n in range(len(pairs) - 1):
        above, rows = rows, _filtered(strip.reading(first + 1 + 2 * n), pairs, across)
        turned.append(_rows_over_rows(above, rows))
    kept = Variable((rows, turned))
    taps = in_memory(i16, SINGLE_TAPS if strip.is_single else COMPOUND_TAPS) + down * TAPS
    taps = [i16x2.load(taps + n).repeat(rows[0].kind.lanes // 2) for n in pairs]

    def write(here):
        above, turned = kept.value
        rows = _filtered(here.reading(first + 2 * len(pairs) - 1), pairs, across)
        turned = [*turned, _rows_over_rows(above, rows)]
        _store(here, _sums_down(turned, taps), _places_both(here, rows[0].kind.lanes))
        kept.value = rows, turned[1:]

    _in_pairs_of_rows(strip, write)


def _filtered(strip, pairs, number):
    """Two rows, four times `intermediate`. What is added rounds the second sum, whose taps add up to 1 << 10 or 1 << 14."""
    half = 32 if strip.is_single else 2
    return [((total + 2) & -4) + half for total in _sums_across(strip, pairs, number)]


def _rows_over_rows(above, below):
    """For each vector of two rows two of values beside those of the row above, the last one of `above` before the first."""
    turned = []
    for last, rows in zip(above, below, strict=True):
        turned += (part.fenced() for part in last.slide(rows, rows.kind.lanes // 2).fenced().zip_parts(rows))
    return turned


def _sums_down(turned, taps):
    """The prediction is the upper half of each sum. Two vectors of sums make one of predictions, lane by lane in turn."""
    sums = [
        _sum([part.mul_pairs(tap) for part, tap in zip(parts, taps, strict=True)]).bits_as(u32)
        for parts in zip(*turned, strict=True)
    ]
    return [(low >> 16 | high & 0xFFFF0000).bits_as(i16) for low, high in zip(sums[::2], sums[1::2], strict=True)]


def _places_both(strip, lanes):
    """Where _sums_down has put what _places_across says."""
    half = min(lanes, 8) // 2
    return [
        (vector, lane // (2 * half) * 2 * half + lane % half * 2 + lane // half % 2)
        for vector, lane in _places_across(strip)
    ]


def average(dst, dst_at, dst_stride, a, b, w, h):
    _average(pointer(dst, dst_at), dst_stride, pointer(a, 0), pointer(b, 0), w, h)
    return 0


@staged
def _average(to, to_stride, a, b, w, h):
    """Two rows at a time, of 64 columns one: as they lie in the two predictions."""
    for row, block in ((u8x64, u8x64), *STRIPS):
        rows, kind = block.lanes // row.lanes, block.of(i16)
        with when(w == row.lanes), loop(h >> rows - 1) as n:
            values = kind.load(a + n * block.lanes) + kind.load(b + n * block.lanes)
            samples = ((values + 16) >> 5).saturate(u8)
            samples.store_block(to + to_stride * rows * n, to_stride, row.lanes)


def extend_edges(samples, at, stride, w, h, left, right, top, bottom):
    p = pointer(samples, at)
    for _ in range(h):
        _fill(p - left, left, p[0])
        _fill(p + w, right, p[w - 1])
        p += stride
    length = left + w + right
    first = pointer(samples, at) - left
    for y in range(top):
        _copy_row(first, first - (y + 1) * stride, length)
    last = first + (h - 1) * stride
    for y in range(bottom):
        _copy_row(last, last + (y + 1) * stride, length)
    return 0


def _fill(to, count, value):
    """The last vector overlaps the one before."""
    if count >= 16:
        samples = u8x16.splat(value)
        for x in range(0, count, 16):
            samples.store(to + min(x, count - 16))
    else:
        for x in range(count):
            to[x] = value


def _copy_row(p, to, count):
    """As _fill."""
    if count >= U8.lanes:
        for x in range(0, count, U8.lanes):
            at = min(x, count - U8.lanes)
            U8.load(p + at).store(to + at)
    else:
        for x in range(count):
            to[x] = p[x]
