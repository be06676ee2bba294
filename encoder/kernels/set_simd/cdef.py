"""CDEF as arithmetic on vectors (spec 7.15.2, 7.15.3). Contracts are in table.py."""

from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.simd import i8, i16, i32, i64, join, pointer, scratch, staged, u8, u8x64, u16, u16x4, u16x8, where
from encoder.tables import table

DIRECTIONS = table("cdef_directions")
LINE_WEIGHTS = [0, *(840 // count for count in range(1, 9))]
"""By the number of samples on a line (Div_Table)."""


def cdef_direction(samples, at, stride):
    costs = _direction_costs(pointer(samples, at), stride)
    largest = costs.largest()
    direction = (costs == largest).first()
    variance = (largest - _lane(costs, direction ^ 4)) >> 10
    return variance << 3 | direction


def _lane(vector, number):
    """A lane whose number is not known before."""
    lanes = scratch(i32, 8)
    vector.store(lanes)
    return lanes[number]


@staged
def _direction_costs(p, stride):
    """The costs of the directions (spec 7.15.2).

    Vectors are in four groups of 8 lanes, for a row of the block, the row as far from the other end, a column, and the
    column as far from the other end. Rows that are moved on by one lane more each time add up to diagonal lines, pairs of
    rows to steep ones. Some lines are numbered from the other end than in the specification; their weights are the same.
    """
    lines = _lines(p, stride)
    pairs = [a + b for a, b in zip(lines[::2], lines[1::2], strict=True)]
    diagonal = _diagonal_costs([line.low() for line in lines])
    sums = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    straight = sums.mul_pairs(sums) * LINE_WEIGHTS[8]
    # Directions 7, 5, 1, 3; and 6, 0, 2, 4 for which half of the groups were free.
    odd, even = (
        _steep_costs(pairs),
        straight.shuffle([0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23], diagonal.repeat(2)),
    )
    costs = _grouped(odd, 4, [0, 2, 4, 6], even) + _grouped(odd, 4, [1, 3, 5, 7], even)
    costs += _grouped(costs, 4, [1, 0, 3, 2])
    return costs.shuffle([6, 8, 10, 12, 14, 4, 2, 0])


def _lines(p, stride):
    """Number 0 to 7 of the rows and columns, from both ends each."""
    rows = (u8x64.load_block(p, stride, 8) ^ 128).bits_as(i8)
    beside = _grouped(rows, 16, [lane // 2 + lane % 2 * 8 for lane in range(16)]).bits_as(i16)
    columns = beside.shuffle([lane // 4 + lane % 4 * 8 for lane in range(32)]).bits_as(i64)
    lines = []
    for i in range(0, 8, 2):
        order = [number for line in (i, i + 1) for number in (line, 7 - line, 8 + line, 15 - line)]
        two = rows.bits_as(i64).shuffle(order, columns).bits_as(i8)
        lines += [two.low().to(i16), two.high().to(i16)]
    return lines


def _diagonal_costs(rows):
    """A line of n samples and the other one of n have weights alike."""
    zero = rows[0].kind.zero()
    upper, lower = rows[7], rows[1]
    for i in range(6, -1, -1):
        upper = _grouped(upper, 8, [8, *range(7)], zero) + rows[i]
    for i in range(2, 8):
        lower = _grouped(lower, 8, [*range(1, 8), 8], zero) + rows[i]
    lower = _grouped(lower, 8, [7, 6, 5, 4, 3, 2, 1, 8], zero)
    few, many = (
        _grouped(upper, 8, [0, 8, 1, 9, 2, 10, 3, 11], lower),
        _grouped(upper, 8, [4, 12, 5, 13, 6, 14, 7, 15], lower),
    )
    return few.mul_pairs(few) * (LINE_WEIGHTS[1:5] * 2) + many.mul_pairs(many) * (LINE_WEIGHTS[5:] * 2)


def _steep_costs(pairs):
    """Of the 11 lines the five in the middle have 8 samples."""
    zero = pairs[0].kind.zero()
    upper, lower = pairs[3], pairs[1]
    for i in (2, 1, 0):
        upper = _grouped(upper, 8, [8, *range(7)], zero) + pairs[i]
    for i in (2, 3):
        lower = _grouped(lower, 8, [*range(1, 8), 8], zero) + pairs[i]
    lower = _grouped(lower, 8, [7, 6, 5, 8, 8, 8, 8, 8], zero)
    few = _grouped(upper, 8, [0, 8, 1, 9, 2, 10, 3, 11], lower)
    weights = [LINE_WEIGHTS[n] for n in (2, 4, 6, 8)]
    return few.mul_pairs(few) * (weights * 4) + upper.mul_pairs(upper) * ([0, 0, LINE_WEIGHTS[8], LINE_WEIGHTS[8]] * 4)


def _grouped(vector, size, chosen, other=None):
    """A shuffle of every group of `size` lanes alone; numbers from `size` on are those of the other vector's group."""
    groups, lanes = range(0, vector.kind.lanes, size), vector.kind.lanes
    return vector.shuffle(
        [n + group if n < size else n - size + group + lanes for group in groups for n in chosen], other
    )


def cdef_filter(
    dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, pri_strength, sec_strength, damping, direction
):
    p, q = pointer(dst, dst_at), pointer(padded, padded_at)
    if w == 8:
        return _filter(u16x8, p, dst_stride, q, padded_stride, pri_strength, sec_strength, damping, direction)
    return _filter(u16x4, p, dst_stride, q, padded_stride, pri_strength, sec_strength, damping, direction)


def _filter(row, p, stride, q, q_stride, pri_strength, sec_strength, damping, direction):
    """Most blocks have all samples around them and are spared what unavailable ones cost."""
    outside = _is_beside_the_end(row, q, q_stride)
    if sec_strength == 0:
        ahead, pri = (_offsets(direction, q_stride),), (_fading(pri_strength, damping),)
        if outside:
            return _filter_block(row, p, stride, q, q_stride, ahead, pri, 1)
        return _filter_block(row, p, stride, q, q_stride, ahead, pri, 0)
    left, right = _offsets((direction - 2) & 7, q_stride), _offsets((direction + 2) & 7, q_stride)
    sec = _fading(sec_strength, damping)
    if pri_strength == 0 and not outside:
        return _filter_block(row, p, stride, q, q_stride, (left, right), (sec, sec), 0)
    ahead, pri = _offsets(direction, q_stride), _fading(pri_strength, damping)
    if outside:
        return _filter_block(row, p, stride, q, q_stride, (ahead, left, right), (pri, sec, sec), 1)
    return _filter_block(row, p, stride, q, q_stride, (ahead, left, right), (pri, sec, sec), 0)


@staged
def _is_beside_the_end(row, q, stride):
    """Whether the picture ends near the block. It is a rectangle: if a sample is missing, so is the farthest on that side."""
    return (q[-3] | q[row.lanes + 2] | q[stride * -3] | q[stride * (row.lanes + 2)]) > 255


def _offsets(direction, stride):
    """Distances in the padded picture to the two taps of a direction."""
    near = DIRECTIONS[direction, 0, 0] * stride + DIRECTIONS[direction, 0, 1]
    return near, DIRECTIONS[direction, 1, 0] * stride + DIRECTIONS[direction, 1, 1]


def _fading(strength, damping):
    """A strength of 0..15, and by how many bits differences are shifted."""
    log2 = (strength > 1) + (strength > 3) + (strength > 7)
    return strength, max(0, damping - log2)


@staged
def _filter_block(row, to, to_stride, q, stride, directions, fadings, with_unavailable):
    """CDEF filter process (spec 7.15.3) of a square block.

    Lanes are bytes: a sample of the upper half of the block beside one of the lower half. What differences add and what
    they take away is summed up apart, and weighted at the end: 228 is the most that either comes to. One of the two
    filters alone does not leave the range of its samples: only both together need their limits.

    fadings           strength and shift, for each of the directions
    with_unavailable  1: unavailable samples are replaced by the sample itself
    """
    half = row.lanes // 2

    def block(place):
        return [join([row.load(place + stride * (y + part)) for y in range(half)]) for part in (0, half)]

    centre = block(q)

    def in_bytes(place):
        parts = block(place)
        if with_unavailable:
            parts = [where(part == CDEF_UNAVAILABLE, x, part) for part, x in zip(parts, centre, strict=True)]
        return (parts[0] | parts[1] << 8).bits_as(u8)

    x = in_bytes(q)
    smallest = largest = x
    up, down = [], []
    for offsets, (strength, shift) in zip(directions, fadings, strict=True):
        threshold, kept = x.kind.splat(strength), centre[0].kind.constant(255) >> shift
        kept = kept | kept << 8
        for offset in offsets:
            more = less = None
            for p in (in_bytes(q + offset), in_bytes(q - offset)):
                above, below = p.sub_saturated(x), x.sub_saturated(p)
                faded = ((above | below).bits_as(u16) >> shift & kept).bits_as(u8)
                limit = threshold.sub_saturated(faded)
                above, below = above.min(limit), below.min(limit)
                more, less = (above, below) if more is None else (more + above, less + below)
                smallest, largest = smallest.min(p), largest.max(p)
            up.append(more)
            down.append(less)
    odd = fadings[0][0] & 1
    up, down = _weighted(up, odd), _weighted(down, odd)
    result = x.add_saturated(_sixteenth(up.sub_saturated(down))).sub_saturated(_sixteenth(down.sub_saturated(up)))
    if len(directions) == 3:
        result = result.clip(smallest, largest)
    result = result.bits_as(u16)
    for part, place in ((result & 255, to), (result >> 8, to + to_stride * half)):
        part.to(u8).store_block(place, to_stride, row.lanes)
    return 0


def _weighted(parts, odd):
    """Two sums for each direction, the weights of the secondary ones being 2 and 1. No byte overflows into the next."""
    parts = [part.bits_as(u16) for part in parts]
    total = None
    if len(parts) != 4:
        total = parts[0] * (4 - odd) + parts[1] * (2 + odd)
        parts = parts[2:]
    if parts:
        secondary = ((parts[0] + parts[2]) << 1) + parts[1] + parts[3]
        total = secondary if total is None else total + secondary
    return total.bits_as(u8)


def _sixteenth(total):
    """Rounded; the sum with 8 still fits a byte."""
    return ((total + 8).bits_as(u16) >> 4).bits_as(u8) & 15
