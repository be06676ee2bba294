"""Loop restoration as arithmetic on vectors (spec 7.17). Contracts are in table.py."""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from encoder.kernels.set_numba.restoration import A2
from encoder.simd import (
    Kind,
    Variable,
    i16,
    i16x16,
    i16x32,
    i32,
    i32x16,
    i64,
    i64x8,
    loop,
    pointer,
    scratch,
    staged,
    u8,
    u8x16,
    u8x32,
    u16,
    u32,
    when,
    where,
)
from encoder.tables import table

SGR_PARAMS = table("sgr_params")
MISSING_A2 = (256 - A2).astype(np.int32)
"""256 - a2 of spec 7.17.3 by z, for z up to 255."""
BORDER = 3
COPY_STRIDE = 96
"""Row length of the copy of a block, which vectors may read beyond its end."""
ROW = 64
"""Row length of what the first of two filters leaves."""
ENTRY_STRIDE = 80
"""Row length of A and B of the box filter: 64, one more on each side, and what fills up a vector."""
FILTERED = 70 * ROW
COPIED = 70 * COPY_STRIDE
ENTRIES = 66 * ENTRY_STRIDE


def wiener_filter(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, taps, taps_at):
    to, p, c = pointer(dst, dst_at), pointer(padded, padded_at), pointer(taps, taps_at)
    if w & 31:
        p, padded_stride = _copied(p, padded_stride, w, h), COPY_STRIDE
    rows = scratch(i16, FILTERED)
    _filter_across(rows, p, padded_stride, w, h, c + 3)
    _filter_down(to, dst_stride, rows, w, h, c)
    return 0


@dataclass
class _Chunk:
    """Staged: some columns of a block: where they begin, and how many there are if it is not a whole vector of them."""

    at: Any
    count: Any

    def load(self, kind, place):
        """Nothing is read behind the block."""
        return kind.load(place) if self.count is None else kind.load_first(place, self.count)

    def store(self, vector, place):
        """Nothing is written behind the block."""
        if self.count is None:
            vector.store(place)
        else:
            vector.store_first(place, self.count)

    def known(self, vector):
        """With zeros behind the block."""
        lanes = vector.kind.constant(range(vector.kind.lanes))
        return vector if self.count is None else where(lanes < self.count, vector, vector.kind.zero())


def _in_chunks(w, lanes, body):
    """Staged: body(chunk) for all columns."""
    whole, left = w >> lanes.bit_length() - 1, w & lanes - 1
    with loop(whole) as n:
        body(_Chunk(n * lanes, None))
    with when(left != 0):
        body(_Chunk(whole * lanes, left))


@staged
def _copied(p, stride, w, h):
    """A block and its border where vectors may read on behind its rows: its first sample."""
    copy = scratch(u8, 71 * COPY_STRIDE) + BORDER * (COPY_STRIDE + 1)

    def body(chunk):
        with loop(h + 2 * BORDER) as y:
            part = chunk.load(u8x16, p + stride * (y - BORDER) + chunk.at - BORDER)
            part.store(copy + (y - BORDER) * COPY_STRIDE + chunk.at - BORDER)

    _in_chunks(w + 2 * BORDER, 16, body)
    return copy


def _filtered(load, taps):
    """A sum of seven samples, in eighths and rounded; all but 128 times the one in the middle fits 16 bits.

    load(n)   the samples n steps on
    """
    x = [load(n).to(i16) for n in range(-3, 4)]
    c0, c1, c2 = (taps[n] for n in range(3))
    total = (x[0] + x[6]) * c0 + (x[1] + x[5]) * c1 + (x[2] + x[4]) * c2 - x[3] * ((c0 + c1 + c2) * 2)
    return (x[3] << 4) + ((total + 4) >> 3)


@staged
def _filter_across(rows, p, stride, w, h, taps):
    with loop(w + 31 >> 5) as n, loop(h + 6) as y:
        place = p + stride * (y - BORDER) + n * 32
        filtered = _filtered(lambda i: u8x32.load(place + i), taps)
        filtered.clip(-2048, 6143).store(rows + y * ROW + n * 32)


@staged
def _filter_down(to, to_stride, rows, w, h, taps):
    c = [taps[n] for n in range(3)]
    outer, inner = _pair(i16x32, c[0], c[1]), _pair(i16x32, c[2], 128 - (c[0] + c[1] + c[2]) * 2)

    def body(chunk):
        with loop(h) as y:
            row = [i16x32.load(rows + (y + i) * ROW + chunk.at) for i in range(7)]
            pairs = zip((row[0] + row[6]).zip_parts(row[1] + row[5]), (row[2] + row[4]).zip_parts(row[3]), strict=True)
            halves = [(a.mul_pairs(outer) + b.mul_pairs(inner) + 1024) >> 11 for a, b in pairs]
            chunk.store(_samples(halves), to + to_stride * y + chunk.at)

    _in_chunks(w, 32, body)


def _pair(kind, first, second):
    """Two numbers in turn, for mul_pairs."""
    return Kind(i32, kind.lanes // 2).splat(first & 0xFFFF | second << 16).bits_as(i16)


def _samples(halves):
    """What came of the halves of zip_parts, clipped and in order."""
    low, high = (half.clip(0, 255) for half in halves)
    mixed = (low | high << 16).bits_as(u16).to(u8)
    places = [lane & ~7 | (lane & 3) << 1 | lane >> 2 & 1 for lane in range(mixed.kind.lanes)]
    return mixed.shuffle(places)


def wiener_statistics(
    padded, padded_at, padded_stride, src, src_at, src_stride, w, h, taps, taps_at, vertical, sums, sums_at
):
    p, source, c, out = pointer(padded, padded_at), pointer(src, src_at), pointer(taps, taps_at), pointer(sums, sums_at)
    if w & 31:
        p, padded_stride = _copied(p, padded_stride, w, h), COPY_STRIDE
    y = scratch(i16, COPIED)
    first = y + BORDER
    step = 1
    if vertical:
        _filter_into(y, p - 3 * padded_stride, padded_stride, w, h + 6, 1, c + 3)
        first = y + 3 * COPY_STRIDE
        step = COPY_STRIDE
    else:
        _filter_into(y, p - 3, padded_stride, w + 6, h, padded_stride, c)
    _add_products(first, step, source, src_stride, w, h, out)
    return 0


@staged
def _filter_into(y, p, stride, w, h, across, taps):
    """Filter w x h samples in one direction."""

    def body(chunk):
        with loop(h) as row:
            place = p + stride * row + chunk.at
            filtered = _filtered(lambda i: chunk.load(u8x32, place + across * i), taps)
            filtered.store(y + row * COPY_STRIDE + chunk.at)

    _in_chunks(w, 32, body)


@staged
def _add_products(y, step, source, stride, w, h, out):
    """Of the four figures of every sample, but for the square of the last one. 32 bits hold a product of two pairs."""
    totals = Variable([i64x8.zero()] * 9)

    def body(chunk):
        with loop(h) as row:
            place = y + row * COPY_STRIDE + chunk.at
            centre = i16x32.load(place)
            outer = (i16x32.load(place - step * n) + i16x32.load(place + step * n) for n in (3, 2, 1))
            f = [chunk.known(both - (centre << 1)) for both in outer]
            t = (chunk.load(u8x32, source + stride * row + chunk.at).to(i16) << 4) - centre
            products = [a.mul_pairs(b) for a, b in (*combinations_with_replacement(f, 2), *((each, t) for each in f))]
            totals.value = [
                total + product.even().to(i64) + product.odd().to(i64)
                for total, product in zip(totals.value, products, strict=True)
            ]

    _in_chunks(w, 32, body)
    for n, total in enumerate(totals.value):
        out[n] = out[n] + total.sum()


def box_filter(padded, padded_at, padded_stride, w, h, sgr_set, pass_number, out):
    p, to = pointer(padded, padded_at), pointer(out, 0)
    radius, eps = SGR_PARAMS[sgr_set, 2 * pass_number], SGR_PARAMS[sgr_set, 2 * pass_number + 1]
    if radius == 0:
        _scale(p, padded_stride, w, h, to)
        return 0
    n = (2 * radius + 1) * (2 * radius + 1)
    scale = ((1 << 20) + n * n * eps // 2) // (n * n * eps)
    entries_a, entries_b = scratch(i16, ENTRIES), scratch(i32, ENTRIES)
    missing_a2 = pointer(MISSING_A2, 0)
    copy = _copied(p, padded_stride, w, h)
    if pass_number == 0:
        _fill_entries(2, copy, w, h, scale, missing_a2, entries_a, entries_b)
        _filter_pairs_of_rows(p, padded_stride, w, h, entries_a, entries_b, to)
    else:
        _fill_entries(1, copy, w, h, scale, missing_a2, entries_a, entries_b)
        _filter_rows(p, padded_stride, w, h, entries_a, entries_b, to)
    return 0


@staged
def _scale(p, stride, w, h, to):
    """The samples themselves."""

    def body(chunk):
        with loop(h) as y:
            samples = chunk.load(u8x32, p + stride * y + chunk.at)
            chunk.store(samples.to(i16) << 4, to + w * y + chunk.at)

    _in_chunks(w, 32, body)


@staged
def _fill_entries(radius, p, w, h, scale, missing_a2, entries_a, entries_b):
    """A and B, of every row from the one above the block on; with a radius of 2, of every second one.

    In strips from above to below. Sums along rows that the next box needs too are kept.
    """
    step, size = radius, 2 * radius + 1
    count, one_over_count = size * size, (4096 + size * size // 2) // (size * size)

    def sums_along(y, x):
        """Of the samples of a row, and of their squares."""
        samples = [u8x16.load(p + y * COPY_STRIDE + (x + i)).to(i32) for i in range(-1 - radius, radius)]
        beside = [left | right << 16 for left, right in zip(samples[::2], samples[1::2], strict=False)]
        beside = [pair.bits_as(i16) for pair in (*beside, samples[-1])]
        return _sum(samples), _sum([pair.mul_pairs(pair) for pair in beside])

    with loop(w + 17 >> 4) as strip:
        x = strip * 16
        kept = Variable([sums_along(y - 1 - radius, x) for y in range(size - step)])
        with loop((h + 1 + step) >> step - 1) as n:
            y = n * step
            rows = [*kept.value, *(sums_along(y + i, x) for i in range(step))]
            kept.value = rows[step:]
            total, squares = (_sum(each) for each in zip(*rows, strict=True))
            pairs = total.bits_as(i16)
            variance = (squares * count - pairs.mul_pairs(pairs)).bits_as(u32)
            z = (variance * scale + (1 << 19) >> 20).min(255)
            missing = i32x16.gather(missing_a2, z.bits_as(i32))
            at = y * ENTRY_STRIDE + x
            (256 - missing).to(i16).store(entries_a + at)
            (missing * total * one_over_count + 2048 >> 12).store(entries_b + at)


def _sum(vectors):
    return sum(vectors[1:], vectors[0])


def _three(place, kind, y, x):
    """Staged: three neighbours of a row of A or B, from column x on, and the one in the middle."""
    left, middle, right = (kind.load(place + y * ENTRY_STRIDE + (x + i)) for i in range(3))
    return left + middle + right, middle


@staged
def _filter_rows(p, stride, w, h, entries_a, entries_b, to):
    """Pass 1: weights 4 in the cross, 3 in the corners."""

    def body(chunk):
        def row(y):
            return _three(entries_a, i16x16, y, chunk.at), _three(entries_b, i32x16, y, chunk.at)

        kept = Variable([row(0), row(1)])
        with loop(h) as y:
            rows = [*kept.value, row(y + 2)]
            kept.value = rows[1:]
            a, b = (
                (upper + middle + lower) * 3 + upper_centre + middle + lower_centre
                for (upper, upper_centre), (middle, _), (lower, lower_centre) in zip(*rows, strict=True)
            )
            _store_filtered(chunk, p + stride * y, to + w * y, a, b, 9)

    _in_chunks(w, 16, body)


@staged
def _filter_pairs_of_rows(p, stride, w, h, entries_a, entries_b, to):
    """Pass 0: weights 5, 6, 5 in the rows above and below even rows, in odd rows themselves."""

    def body(chunk):
        def row(y):
            threes = _three(entries_a, i16x16, y, chunk.at), _three(entries_b, i32x16, y, chunk.at)
            return [three * 5 + middle for three, middle in threes]

        kept = Variable(row(0))
        with loop(h + 1 >> 1) as n:
            y = n * 2
            (a_above, b_above), (a, b) = kept.value, row(y + 2)
            kept.value = a, b
            _store_filtered(chunk, p + stride * y, to + w * y, a_above + a, b_above + b, 9)
            with when(y + 1 < h):
                _store_filtered(chunk, p + stride * (y + 1), to + w * (y + 1), a, b, 8)

    _in_chunks(w, 16, body)


def _store_filtered(chunk, p, to, a, b, shift):
    """Staged: what the weighted sums of A and B make of some samples of a row."""
    samples = chunk.load(u8x16, p + chunk.at).to(i32)
    chunk.store((a.to(i32) * samples + b).round_shift(shift).to(i16), to + chunk.at)


def self_guided_mix(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, flt0, flt1, xqd0, xqd1):
    to, p, first, second = pointer(dst, dst_at), pointer(padded, padded_at), pointer(flt0, 0), pointer(flt1, 0)
    _mix(to, dst_stride, p, padded_stride, w, h, first, second, xqd0, xqd1)
    return 0


@staged
def _mix(to, to_stride, p, stride, w, h, first, second, weight_first, weight_samples):
    """Both filters in one product of pairs, the samples and the rounding in the other."""
    filters = _pair(i16x32, weight_first, 128 - weight_first - weight_samples)
    rest = _pair(i16x32, weight_samples * 16, 1024)
    one = i16x32.constant(1)

    def body(chunk):
        with loop(h) as y:
            samples = chunk.load(u8x32, p + stride * y + chunk.at).to(i16)
            filtered = (chunk.load(i16x32, place + w * y + chunk.at) for place in (first, second))
            pairs = zip(_zipped(*filtered), samples.zip_parts(one), strict=True)
            halves = [(a.mul_pairs(filters) + b.mul_pairs(rest)) >> 11 for a, b in pairs]
            chunk.store(_samples(halves), to + to_stride * y + chunk.at)

    _in_chunks(w, 32, body)


def _zipped(a, b):
    return a.zip_parts(b)


def self_guided_statistics(padded, padded_at, padded_stride, src, src_at, src_stride, w, h, flt0, flt1, sums, sums_at):
    p, source, out = pointer(padded, padded_at), pointer(src, src_at), pointer(sums, sums_at)
    _add_differences(p, padded_stride, source, src_stride, w, h, pointer(flt0, 0), pointer(flt1, 0), out)
    return 0


@staged
def _add_differences(p, stride, source, source_stride, w, h, first, second, out):
    """Filtered samples are below 4096, so 32 bits hold the products of 64 rows, two in a lane. What is missing at the end of
    a row is 0, and so are its differences."""

    def body(chunk):
        totals = Variable([i32x16.zero()] * 5)
        with loop(h) as y:
            samples = chunk.load(u8x32, p + stride * y + chunk.at).to(i16) << 4
            d0, d1 = (chunk.load(i16x32, place + w * y + chunk.at) - samples for place in (first, second))
            t = (chunk.load(u8x32, source + source_stride * y + chunk.at).to(i16) << 4) - samples
            products = (a.mul_pairs(b) for a, b in ((d0, d0), (d0, d1), (d1, d1), (d0, t), (d1, t)))
            totals.value = [total + product for total, product in zip(totals.value, products, strict=True)]
        for n, total in enumerate(totals.value):
            out[n] = out[n] + total.to(i64).sum()

    _in_chunks(w, 32, body)
