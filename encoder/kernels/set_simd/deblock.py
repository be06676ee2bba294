"""Deblocking as arithmetic on vectors: many lines across an edge at once, one in each lane (spec 7.14.6).

Every filter that a line may need is computed for all lines, and masks choose; the longer ones only if any line needs
them. At a horizontal edge the vectors lie in memory as they are; at a vertical one they are transposed in and out.
The contract is in table.py.
"""

from encoder.kernels.set_python.deblock import filter_limits
from encoder.simd import Numbers, columns, i8, pointer, staged, u8, u8x4, u8x8, u8x16, u16, when, where

HORIZONTAL_4, HORIZONTAL_6, HORIZONTAL_8, HORIZONTAL_14 = (Numbers((length, 0)) for length in (4, 6, 8, 14))
VERTICAL_4, VERTICAL_6, VERTICAL_8, VERTICAL_14 = (Numbers((length, 1)) for length in (4, 6, 8, 14))
"""Samples that the longest filter looks at, and whether the edge is vertical."""
WIDE_FILTERS = {6: (2, 1, 3), 8: (3, 0, 3), 14: (6, 1, 4)}
"""n, n2 and log2Size of the wide filter process (spec 7.14.6.4)."""


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    limits = filter_limits(level, sharpness)
    p = pointer(samples, at)
    if across == 1:
        if filter_size == 4:
            return _filter_edge(VERTICAL_4, p, along, along, count, limits)
        if plane > 0:
            return _filter_edge(VERTICAL_6, p, along, along, count, limits)
        if filter_size == 8:
            return _filter_edge(VERTICAL_8, p, along, along, count, limits)
        return _filter_edge(VERTICAL_14, p, along, along, count, limits)
    if filter_size == 4:
        return _filter_edge(HORIZONTAL_4, p, across, along, count, limits)
    if plane > 0:
        return _filter_edge(HORIZONTAL_6, p, across, along, count, limits)
    if filter_size == 8:
        return _filter_edge(HORIZONTAL_8, p, across, along, count, limits)
    return _filter_edge(HORIZONTAL_14, p, across, along, count, limits)


def _filter_edge(edge, p, stride, along, count, limits):
    while count >= 16:
        _filter_lines(u8x16, edge, p, stride, limits)
        p += 16 * along
        count -= 16
    if count >= 8:
        _filter_lines(u8x8, edge, p, stride, limits)
        p += 8 * along
        count -= 8
    if count > 0:
        _filter_lines(u8x4, edge, p, stride, limits)
    return 0


@staged
def _filter_lines(lines, edge, p, stride, limits):
    """Sample filtering process (spec 7.14.6.1)."""
    x = _read(lines, edge, p, stride)
    length, _ = edge
    filtered = _filter_mask(length, x, limits)
    with when(filtered.any()):
        narrow = _narrow_filter(x, filtered, limits)
        if length == 4:
            return _write(edge, p, stride, x, narrow)
        flat = filtered & (_largest_distance(x, 1, 2 if length == 6 else 3, 0) <= 1)
        with when((~flat).all()):
            _write(edge, p, stride, x, narrow)
        with when(flat.any()):
            wide = _wide_filter(min(length, 8), x, flat, narrow)
            if length < 14:
                return _write(edge, p, stride, x, wide)
            flat_14 = flat & (_largest_distance(x, 4, 6, 0) <= 1)
            with when((~flat_14).all()):
                _write(edge, p, stride, x, wide)
            with when(flat_14.any()):
                _write(edge, p, stride, x, _wide_filter(14, x, flat_14, wide))


def _read(lines, edge, p, stride):
    """As many samples before the edge as behind it."""
    length, is_vertical = edge
    if not is_vertical:
        return lines.load_rows(p - stride * (length // 2), stride, length)
    # Blocks are at least as wide as the power of two that can be transposed.
    width = {4: u8x4, 6: u8x8, 8: u8x8, 14: u8x16}[length]
    return columns(width.load_rows(p - width.lanes // 2, stride, lines.lanes))


def _write(edge, p, stride, x, changed):
    """Some samples around the edge, as many before as behind it; at a vertical edge, so many that they can be transposed."""
    before = len(changed) // 2
    if not edge[1]:
        for i, row in enumerate(changed):
            row.store(p + stride * (i - before))
        return
    reach = {2: 2, 3: 4, 6: 8}[before]
    samples = [_at(changed if -before <= i < before else x, i) for i in range(-reach, reach)]
    for i, line in enumerate(columns(samples)):
        line.store(p + stride * i - reach)


def _at(x, i):
    """The i-th sample behind the edge, i < 0 before it."""
    return x[len(x) // 2 + i]


def _largest_distance(x, first, last, of=None):
    """How far samples first .. last of each side differ from the one nearer to the edge, or from number `of`."""
    largest = None
    for i in range(first, last + 1):
        other = i - 1 if of is None else of
        for distance in (_at(x, i).abs_diff(_at(x, other)), _at(x, -1 - i).abs_diff(_at(x, -1 - other))):
            largest = distance if largest is None else largest.max(distance)
    return largest


def _filter_mask(length, x, limits):
    """filterMask of spec 7.14.6.2. Where sums exceed a byte they exceed the limit."""
    limit, blimit, _ = limits
    near, far = _at(x, 0).abs_diff(_at(x, -1)), _at(x, 1).abs_diff(_at(x, -2))
    step = near.add_saturated(near).add_saturated(far >> 1)
    return (_largest_distance(x, 1, {4: 1, 6: 2, 8: 3, 14: 3}[length]) <= limit) & (step <= blimit)


def _narrow_filter(x, filtered, limits):
    """Narrow filter process (spec 7.14.6.3), of the four samples at the edge. A base of 0 changes nothing."""
    is_strong = _largest_distance(x, 1, 1) > limits[2]
    p1, p0, q0, q1 = ((_at(x, i) ^ 128).bits_as(i8) for i in range(-2, 2))
    zero = p0.kind.zero()
    step = q0.sub_saturated(p0)
    base = where(is_strong, p1.sub_saturated(q1), zero)
    base = where(filtered, base.add_saturated(step).add_saturated(step).add_saturated(step), zero)
    filter1, filter2 = base.add_saturated(4) >> 3, base.add_saturated(3) >> 3
    outer = where(is_strong, zero, (filter1 + 1) >> 1)
    changed = p1.add_saturated(outer), p0.add_saturated(filter2), q0.sub_saturated(filter1), q1.sub_saturated(outer)
    return tuple(sample.bits_as(u8) ^ 128 for sample in changed)


def _wide_filter(length, x, chosen, others):
    """Wide filter process (spec 7.14.6.4) where chosen, else what another filter made: the sum over a moving window."""
    n, n2, log2_size = WIDE_FILTERS[length]
    wide = {i: _at(x, i).to(u16) for i in range(-n - 1, n + 1)}

    def at(i):
        return wide[max(-n - 1, min(n, i))]

    total = at(-n - n) + (1 << (log2_size - 1))
    for j in [*range(-n + 1, n + 1), *range(-n2, n2 + 1)]:
        total += at(-n + j)
    changed = []
    for i in range(-n, n):
        other = _at(others if -len(others) // 2 <= i < len(others) // 2 else x, i)
        changed.append(where(chosen, (total >> log2_size).to(u8), other))
        total = total + (at(i + n + 1) + at(i + 1 + n2)) - (at(i - n) + at(i - n2))
    return tuple(changed)
