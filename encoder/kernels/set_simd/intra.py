"""Intra prediction as arithmetic on vectors (spec 7.11.2 and 7.11.5). Contracts are in table.py.

Rows of narrow blocks are worked on some at a time, one behind the other in a vector.
"""

import numpy as np

from encoder.kernels.set_python import intra as reference
from encoder.simd import (
    Kind,
    columns,
    i16,
    i16x4,
    i16x16,
    i32x8,
    join,
    loop,
    pointer,
    scratch,
    staged,
    u8,
    u8x16,
    u8x64,
    u16,
    u16x32,
    when,
    where,
)

DR_INTRA_DERIVATIVE = reference.DR_INTRA_DERIVATIVE
SM_WEIGHTS = reference.SM_WEIGHTS.astype(np.uint16)
"""Those of a side begin at side - 4."""
INTRA_EDGE_KERNEL = reference.INTRA_EDGE_KERNEL
RECIPROCALS = np.array([0, *(-(-(1 << 24) // (4 * n)) for n in range(1, 33))])
"""2 ** 24 over 4 n, rounded up: exact enough for the mean of 4 n samples."""
BEFORE_EDGE = 1040
"""Entries that predictors from both edges may read before the first one, of no meaning."""


def _for_width(w, samples, body):
    """Staged: body(kind of a row, rows at a time) for every width there is; the one of the block runs.

    samples   rows are put together up to so many, but not more than the four that every block has
    """
    for lanes in (4, 8, 16, 32, 64):
        with when(w == lanes):
            body(Kind(u8, lanes), min(4, max(1, samples // lanes)))


def _groups(h, rows):
    """Staged: a loop over so many rows at a time; gives the first one."""
    return loop(h >> rows.bit_length() - 1)


def _spread(values, row):
    """One lane for each row becomes all lanes of the row."""
    return values.shuffle([lane // row.lanes for lane in range(values.kind.lanes * row.lanes)])


def predict_dc(dst, dst_at, stride, w, h, above, above_at, left, left_at, have_above, have_left):
    p, top, side = pointer(dst, dst_at), pointer(above, above_at), pointer(left, left_at)
    columns_known, rows_known = w * have_above, h * have_left
    count = columns_known + rows_known
    average = 128
    if count > 0:
        total = _sum(top, columns_known, side, rows_known)
        average = (total + (count >> 1)) * RECIPROCALS[count >> 2] >> 24
    _fill(p, stride, w, h, average)
    return 0


@staged
def _sum(above, w, left, h):
    """Of the first w and the first h samples of the edges, which can be read as far as the longest of them."""
    total = u16x32.zero()
    for edge, count in ((above, w), (left, h)):
        known = where(u8x64.constant(range(64)) < count, u8x64.load(edge), u8x64.zero()).bits_as(u16)
        total += (known & 255) + (known >> 8)
    return total.bits_as(i16).mul_pairs(1).sum()


@staged
def _fill(p, stride, w, h, value):
    def body(row, _):
        filled = row.splat(value)
        with loop(h) as y:
            filled.store(p + stride * y)

    _for_width(w, 1, body)


def predict_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    _predict_v(pointer(dst, dst_at), stride, w, h, pointer(above, above_at))
    return 0


@staged
def _predict_v(p, stride, w, h, above):
    def body(row, _):
        top = row.load(above)
        with loop(h) as y:
            top.store(p + stride * y)

    _for_width(w, 1, body)


def predict_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    _predict_h(pointer(dst, dst_at), stride, w, h, pointer(left, left_at))
    return 0


@staged
def _predict_h(p, stride, w, h, left):
    def body(row, rows):
        with _groups(h, rows) as n:
            y = n * rows
            _spread(Kind(u8, rows).load(left + y), row).store_block(p + stride * y, stride, row.lanes)

    _for_width(w, 64, body)


def predict_paeth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    _predict_paeth(pointer(dst, dst_at), stride, w, h, pointer(above, above_at), pointer(left, left_at))
    return 0


@staged
def _predict_paeth(p, stride, w, h, above, left):
    """|base - left| is |above - corner|, and so on. The third distance is the sum of these two or, where the corner lies
    between the sample above and the one on the left, their difference."""

    def body(row, rows):
        top = row.load(above).repeat(rows)
        corner = top.kind.splat(above[-1])
        p_left, is_higher = top.abs_diff(corner), top > corner
        with _groups(h, rows) as n:
            y = n * rows
            side = _spread(Kind(u8, rows).load(left + y), row)
            p_top = side.abs_diff(corner)
            p_corner = where(is_higher ^ (side > corner), p_left.abs_diff(p_top), p_left.add_saturated(p_top))
            other = where(p_top <= p_corner, top, corner)
            predicted = where((p_left <= p_top) & (p_left <= p_corner), side, other)
            predicted.store_block(p + stride * y, stride, row.lanes)

    _for_width(w, 64, body)


def predict_smooth(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    p, top, side = pointer(dst, dst_at), pointer(above, above_at), pointer(left, left_at)
    _predict_smooth(p, stride, w, h, top, side, pointer(SM_WEIGHTS, w - 4), pointer(SM_WEIGHTS, h - 4))
    return 0


@staged
def _predict_smooth(p, stride, w, h, above, left, weights_x, weights_y):
    """The mean of both directions in 16 bits. The rounding of the last shift is shared out to them."""
    bottom, right = left[h - 1], above[w - 1]

    def body(row, rows):
        top, (weight_x, constant_x) = row.load(above).to(u16), _weights(row.of(u16).load(weights_x), right, 127)
        top, weight_x, constant_x = top.repeat(rows), weight_x.repeat(rows), constant_x.repeat(rows)
        with _groups(h, rows) as n:
            y = n * rows
            side = _spread(Kind(u8, rows).load(left + y).to(u16), row)
            weight_y, constant_y = _weights(Kind(u16, rows).load(weights_y + y), bottom, 128)
            vertical = _spread(weight_y, row) * top + _spread(constant_y, row)
            predicted = vertical.mean(weight_x * side + constant_x) >> 8
            predicted.to(u8).store_block(p + stride * y, stride, row.lanes)

    _for_width(w, 32, body)


def _weights(weights, end, rounding):
    """Staged: the weights of a direction, and what its last sample adds with its own."""
    return weights, (256 - weights) * end + rounding


def predict_smooth_v(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    p, top, side = pointer(dst, dst_at), pointer(above, above_at), pointer(left, left_at)
    _predict_smooth_v(p, stride, w, h, top, side[h - 1], pointer(SM_WEIGHTS, h - 4))
    return 0


@staged
def _predict_smooth_v(p, stride, w, h, above, bottom, weights):
    def body(row, rows):
        top = row.load(above).to(u16).repeat(rows)
        with _groups(h, rows) as n:
            y = n * rows
            weight, constant = _weights(Kind(u16, rows).load(weights + y), bottom, 128)
            predicted = (_spread(weight, row) * top + _spread(constant, row)) >> 8
            predicted.to(u8).store_block(p + stride * y, stride, row.lanes)

    _for_width(w, 32, body)


def predict_smooth_h(dst, dst_at, stride, w, h, above, above_at, left, left_at):
    p, top, side = pointer(dst, dst_at), pointer(above, above_at), pointer(left, left_at)
    _predict_smooth_h(p, stride, w, h, side, top[w - 1], pointer(SM_WEIGHTS, w - 4))
    return 0


@staged
def _predict_smooth_h(p, stride, w, h, left, right, weights):
    def body(row, rows):
        weight, constant = (part.repeat(rows) for part in _weights(row.of(u16).load(weights), right, 128))
        with _groups(h, rows) as n:
            y = n * rows
            side = _spread(Kind(u8, rows).load(left + y).to(u16), row)
            predicted = (weight * side + constant) >> 8
            predicted.to(u8).store_block(p + stride * y, stride, row.lanes)

    _for_width(w, 32, body)


def predict_directional(
    dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left
):
    p, top, side = pointer(dst, dst_at), pointer(above, above_at), pointer(left, left_at)
    if angle < 90:
        edge = scratch(u8, 256)
        _copy_with_end(edge, top, (w + h - 1) << upsample_above)
        _predict_from_above(p, stride, w, h, edge, DR_INTRA_DERIVATIVE[angle], upsample_above)
    elif angle == 90:
        _predict_v(p, stride, w, h, top)
    elif angle == 180:
        _predict_h(p, stride, w, h, side)
    elif angle > 180:
        _predict_from_left(p, stride, w, h, side, DR_INTRA_DERIVATIVE[270 - angle], upsample_left, 1 << 16)
    else:
        dx, dy = DR_INTRA_DERIVATIVE[180 - angle], DR_INTRA_DERIVATIVE[angle - 90]
        _predict_from_left(p, stride, w, h, _copy_with_start(side), -dy, upsample_left, dx)
        _predict_beside_left(p, stride, w, h, _copy_with_start(top), dx, upsample_above)
    return 0


@staged
def _copy_with_end(edge, top, last):
    """Behind its last sample that sample is repeated as far as any row of predictions looks."""
    for at in (0, 64):
        u8x64.load(top + at).store(edge + at)
    end = u8x64.splat(top[last])
    for at in (0, 64):
        end.store(edge + last + at)


@staged
def _copy_with_start(edge):
    """Before its 16 entries before the first there is memory that may be read, of no meaning."""
    copy = scratch(u8, BEFORE_EDGE + 80) + BEFORE_EDGE
    for at, kind in ((-16, u8x64), (48, u8x16)):
        kind.load(edge + at).store(copy + at)
    return copy


def _interpolated(line, edge, lines, position, step, is_upsampled):
    """Samples of an edge from fractional positions on, for `lines` lines at once (spec 7.11.2.4).

    position, step   of the first line, and from one to the next, in 64ths of a sample; in a line the next sample is one on
    """
    lower, upper = [], []
    for n in range(lines):
        place = edge + (position + step * n >> (5 if is_upsampled else 6))
        if is_upsampled:
            both = Kind(u8, 2 * line.lanes).load(place)
            lower, upper = [*lower, both.even()], [*upper, both.odd()]
        else:
            lower, upper = [*lower, line.load(place)], [*upper, line.load(place + 1)]
    lower, upper = join(lower).to(u16), join(upper).to(u16)
    positions = Kind(u16, lines).constant(range(lines)) * step + position
    shift = _spread((positions if is_upsampled else positions >> 1) & 31, line)
    return (((lower << 5) + (upper - lower) * shift + 16) >> 5).to(u8)


def _for_upsampling(w, is_upsampled, body):
    """Staged: body(kind of a row, rows at a time, whether upsampled); upsampled edges belong to small blocks."""
    with when(is_upsampled == 0):
        _for_width(w, 32, lambda row, rows: body(row, rows, False))
    with when(is_upsampled != 0):
        for lanes in (4, 8):
            with when(w == lanes):
                body(Kind(u8, lanes), 4, True)


@staged
def _predict_from_above(p, stride, w, h, edge, dx, is_upsampled):
    """Up and to the right, angle < 90."""

    def body(row, rows, is_upsampled):
        with _groups(h, rows) as n:
            y = n * rows
            predicted = _interpolated(row, edge, rows, (y + 1) * dx, dx, is_upsampled)
            predicted.store_block(p + stride * y, stride, row.lanes)

    _for_upsampling(w, is_upsampled, body)


@staged
def _predict_beside_left(p, stride, w, h, edge, dx, is_upsampled):
    """Up and to the left, 90 < angle < 180: the samples that meet the row above, and not the left column."""

    def body(row, rows, is_upsampled):
        lanes = row.constant(range(row.lanes))
        with loop(h) as y:
            position = (y + 1) * dx
            first = position - 1 >> 6
            with when(first < w):
                place = p + stride * y
                predicted = _interpolated(row, edge, 1, -position, -dx, is_upsampled)
                where(lanes >= first, predicted, row.load(place)).store(place)

    _for_upsampling(w, is_upsampled, body)


@staged
def _predict_from_left(p, stride, w, h, edge, dy, is_upsampled, dx):
    """To the left, in squares that are predicted with rows and columns exchanged, where they meet the left column."""

    def body(side, is_upsampled):
        line = Kind(u8, side)
        at_once = max(1, 16 // side)
        with _groups(h, side) as n, _groups(w, side) as m:
            y, x = n * side, m * side
            with when((y + side) * dx > (x + 1) << 6):
                lines = []
                for i in range(0, side, at_once):
                    some = _interpolated(
                        line, edge + step_of(y, is_upsampled), at_once, (x + i + 1) * dy, dy, is_upsampled
                    )
                    lines += [some.shuffle(range(at, at + side)) for at in range(0, side * at_once, side)]
                for i, row in enumerate(columns(lines)):
                    row.store(p + stride * (y + i) + x)

    def step_of(y, is_upsampled):
        return y * 2 if is_upsampled else y

    with when(is_upsampled == 0):
        with when((w | h) & 4 != 0):
            body(4, False)
        with when((w | h) & 12 == 8):
            body(8, False)
        with when((w | h) & 12 == 0):
            body(16, False)
    with when(is_upsampled != 0):
        with when((w | h) & 4 != 0):
            body(4, True)
        with when((w | h) & 4 == 0):
            body(8, True)


def filter_edge(edge, edge_at, size, strength):
    outer, inner, middle = (
        INTRA_EDGE_KERNEL[strength - 1, 0], INTRA_EDGE_KERNEL[strength - 1, 1], INTRA_EDGE_KERNEL[strength - 1, 2],
    )  # fmt: skip
    _filter_edge(pointer(edge, edge_at - 1), size, outer, inner, middle)
    return 0


@staged
def _filter_edge(p, size, outer, inner, middle):
    """From a copy, in which the first and the last entry are repeated: the filters are symmetric."""
    copy = scratch(u8, 192) + 16
    parts = size + 15 >> 4
    with loop(parts) as n:
        u8x16.load(p + n * 16).store(copy + n * 16)
    first, last = p[0], p[size - 1]
    for at in (-2, -1):
        copy[at] = first
    for at in (0, 1):
        copy[size + at] = last
    with loop(parts) as n:
        at = n * 16 + 1
        e = [u8x16.load(copy + at + i).to(u16) for i in range(-2, 3)]
        filtered = ((e[0] + e[4]) * outer + (e[1] + e[3]) * inner + e[2] * middle + 8) >> 4
        filtered.to(u8).store_first(p + at, size - at)


def upsample_edge(edge, edge_at, count):
    _upsample_edge(pointer(edge, edge_at), count)
    return 0


@staged
def _upsample_edge(p, count):
    """All entries at once; the first and the last one are repeated."""
    lanes = u8x16.constant(range(16))
    before, entry = u8x16.load(p - 1), u8x16.load(p)
    outer = where(lanes == 0, before, u8x16.load(p - 2)), where(lanes == count - 1, entry, u8x16.load(p + 1))
    inner, outer = before.to(i16) + entry.to(i16), outer[0].to(i16) + outer[1].to(i16)
    between = ((inner * 9 - outer + 8) >> 4).saturate(u8)
    p[-2] = p[-1]
    between.zip(entry).store_first(p - 1, count * 2)


def cfl_ac(luma, luma_at, luma_stride, ac, w, h, visible_w, visible_h):
    p, out = pointer(luma, luma_at), pointer(ac, 0)
    rows = min(h, visible_h)
    if visible_w >= w:
        _sums_of_four(p, luma_stride, out, w, rows)
    else:
        _visible_sums_of_four(p, luma_stride, out, w, rows, visible_w)
    for at in range(w * rows, w * h, 4):
        i16x4.load(out + at - w).store(out + at)
    total = i32x8.zero()
    for at in range(0, w * h, 16):
        total += i16x16.load(out + at).mul_pairs(1)
    mean = (total.sum() + (w * h >> 1)) >> (_log2(w) + _log2(h))
    for at in range(0, w * h, 16):
        (i16x16.load(out + at) - mean).store(out + at)
    return 0


def _log2(side):
    """Of 4..32."""
    return 2 + (side > 4) + (side > 8) + (side > 16)


@staged
def _sums_of_four(p, stride, out, w, rows):
    def body(row, _):
        with loop(rows) as y:
            upper, lower = (Kind(u8, 2 * row.lanes).load(p + stride * (y * 2 + i)).bits_as(u16) for i in range(2))
            pairs = (upper & 255) + (upper >> 8) + ((lower & 255) + (lower >> 8))
            (pairs << 1).bits_as(i16).store(out + y * w)

    _for_width(w, 1, body)


def _visible_sums_of_four(p, stride, out, w, rows, visible_w):
    """What is not visible may not be read; beside it the last visible column is repeated."""
    for _ in range(rows):
        for x in range(visible_w):
            place = p + 2 * x
            out[x] = (place[0] + place[1] + place[stride] + place[stride + 1]) << 1
        for x in range(visible_w, w):
            out[x] = out[visible_w - 1]
        p += 2 * stride
        out += w


def cfl_predict(dst, dst_at, stride, w, h, ac, alpha):
    _cfl_predict(pointer(dst, dst_at), stride, w, h, pointer(ac, 0), alpha)
    return 0


@staged
def _cfl_predict(p, stride, w, h, ac, alpha):
    """Halves are rounded away from 0. The products fit 16 bits: no value of ac is above 2040."""

    def body(row, rows):
        block = Kind(u8, rows * row.lanes)
        with _groups(h, rows) as n:
            place = p + stride * (n * rows)
            scaled = block.of(i16).load(ac + n * block.lanes) * alpha
            scaled = (scaled + (scaled >> 15) + 32) >> 6
            predicted = block.load_block(place, stride, row.lanes).to(i16) + scaled
            predicted.saturate(u8).store_block(place, stride, row.lanes)

    _for_width(w, 32, body)
