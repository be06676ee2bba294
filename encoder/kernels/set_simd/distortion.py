"""Distortion figures as arithmetic on vectors. Contracts are in table.py."""

from encoder.simd import U8, exchange, i16, i32, pointer, staged, u8x4, u8x8, u8x16, u8x32, u8x64, u16, u32, where

PART_OF_32 = U8 if U8.lanes <= 32 else u8x32
"""As much of 32 samples as one of the host's vectors holds."""


def sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
    p, q = pointer(a, a_at), pointer(b, b_at)
    if w == 16:
        return sad_of_height(u8x16, p, a_stride, q, b_stride, h)
    if w == 8:
        return sad_of_height(u8x8, p, a_stride, q, b_stride, h)
    if w == 32:
        return sad_of_height(u8x32, p, a_stride, q, b_stride, h)
    if w == 64:
        return sad_of_height(u8x64, p, a_stride, q, b_stride, h)
    return sad_of_height(u8x4, p, a_stride, q, b_stride, h)


def sad_of_height(row, p, a_stride, q, b_stride, h):
    """Sixteen rows at a time, if there are so many."""
    if h == 8:
        return sad_of_rows(row, 8, p, a_stride, q, b_stride)
    if h == 4:
        return sad_of_rows(row, 4, p, a_stride, q, b_stride)
    total = 0
    while h > 0:
        total += sad_of_rows(row, 16, p, a_stride, q, b_stride)
        p += 16 * a_stride
        q += 16 * b_stride
        h -= 16
    return total


@staged
def sad_of_rows(row, rows, p, a_stride, q, b_stride):
    """Narrow rows are joined in vectors of 16 samples."""
    block = row if row.lanes >= 16 else u8x16
    blocks = zip(_blocks(row, block, p, a_stride, rows), _blocks(row, block, q, b_stride, rows), strict=True)
    return _sum([upper.distances(lower) for upper, lower in blocks]).sum()


def satd(a, a_at, a_stride, b, b_at, b_stride, w, h):
    p, q = pointer(a, a_at), pointer(b, b_at)
    if w == 8 and h == 8:
        return _satd_of_few(u8x8, u8x8, p, a_stride, q, b_stride)
    if w == 16 and h == 16:
        return _satd(u8x16, u8x32, p, a_stride, q, b_stride, w, h)
    if w == 4 or h == 4:
        return _satd_4x4(p, a_stride, q, b_stride, w, h)
    if w == 8 or h == 8:
        return _satd_8(p, a_stride, q, b_stride, w, h)
    if w == 16:
        return _satd(u8x16, U8, p, a_stride, q, b_stride, w, h)
    if w == 32:
        return _satd(PART_OF_32, U8, p, a_stride, q, b_stride, w, h)
    return _satd(U8, U8, p, a_stride, q, b_stride, w, h)


def _satd(row, block, p, a_stride, q, b_stride, w, h):
    """As many 8x8 tiles at a time as a block has room for: some beside each other, and those below them."""
    rows = 8 * (block.lanes // row.lanes)
    total = block.of(u32).zero().even().even()
    for y in range(0, h, rows):
        for x in range(0, w, row.lanes):
            total += _tiles(row, block, p + (y * a_stride + x), a_stride, q + (y * b_stride + x), b_stride)
    return total.sum() >> 1


@staged
def _tiles(row, block, p, a_stride, q, b_stride):
    """What every 8x8 tile of a block adds, in two u32 lanes each.

    Samples of even columns and those of odd ones are a vector each: the first step over the columns costs no shuffle. So a tile
    has four lanes of 16 bits in each of sixteen vectors. Before the last step values are at most 32 * 255.
    """
    halves = [], []
    for y in range(8):
        upper = block.load_block(p + a_stride * y, 8 * a_stride, row.lanes).bits_as(u16)
        lower = block.load_block(q + b_stride * y, 8 * b_stride, row.lanes).bits_as(u16)
        even, odd = (upper & 255) - (lower & 255), (upper >> 8) - (lower >> 8)
        halves[0].append((even + odd).to(i16))
        halves[1].append((even - odd).to(i16))
    sums = []
    for rows in halves:
        rows = _across_lanes(_butterflies(_butterflies(rows, 1), 2), 1, _two_columns)
        rows = _across_lanes(rows, 2, lambda a, b: exchange(a, b, 1))
        sums.append(_last_step(rows))
    # In every four lanes of 32 bits lie two tiles by turns.
    lanes = _pair_sums(sums[0] + sums[1])
    return (lanes + lanes.shuffle([lane ^ 2 for lane in range(lanes.kind.lanes)]) + 1) >> 1


def _butterflies(rows, distance):
    """One step of a Hadamard transform from vector to vector."""
    rows = list(rows)
    for i in range(len(rows)):
        if not i & distance:
            a, b = rows[i], rows[i + distance]
            rows[i], rows[i + distance] = a + b, a - b
    return rows


def _across_lanes(rows, distance, separate):
    """One step inside the vectors: `separate` makes of two vectors one of the lanes to add and one of those to subtract.

    The two must have been through the step between them: where each of their lanes goes is all the same then.
    """
    rows = list(rows)
    for i in range(len(rows)):
        if not i & distance:
            rows[i], rows[i + distance] = separate(rows[i], rows[i + distance])
    return _butterflies(rows, distance)


def _two_columns(a, b):
    """Of every four lanes of two vectors the first two, and the last two."""
    a, b, n = a.bits_as(u32), b.bits_as(u32), a.kind.lanes // 2
    first = [lane + half * n for start in range(0, n, 4) for half in (0, 1) for lane in (start, start + 2)]
    return a.shuffle(first, b).bits_as(i16), a.shuffle([lane + 1 for lane in first], b).bits_as(i16)


def _last_step(rows):
    """Half the sum of the magnitudes after the step from a vector to the fourth behind it: |a + b| + |a - b| = 2 max(|a|, |b|)."""
    largest = [abs(a).max(abs(b)) for a, b in zip(rows[:4], rows[4:], strict=True)]
    return (largest[0] + largest[1]) + (largest[2] + largest[3])


def _pair_sums(lanes):
    """Sums of two neighbouring lanes of 16 bits, in u32 lanes."""
    pairs = lanes.bits_as(u32)
    return (pairs & 0xFFFF) + (pairs >> 16)


def _satd_8(p, a_stride, q, b_stride, w, h):
    """Two 8x8 tiles at a time, one above the other or beside it."""
    total = 0
    if w == 8:
        for y in range(0, h, 16):
            total += _satd_of_few(u8x8, u8x16, p + y * a_stride, a_stride, q + y * b_stride, b_stride)
        return total
    for x in range(0, w, 16):
        total += _satd_of_few(u8x16, u8x16, p + x, a_stride, q + x, b_stride)
    return total


@staged
def _satd_of_few(row, block, p, a_stride, q, b_stride):
    """One 8x8 tile, or two beside each other, or one above the other.

    What a block holds and the same four rows further down are one vector, so that the last step joins its halves.
    """
    rows = []
    for y in range(4):
        upper, lower = (
            block.load_block(place + stride * y, 8 * stride, row.lanes).join(
                block.load_block(place + stride * (y + 4), 8 * stride, row.lanes)
            )
            for place, stride in ((p, a_stride), (q, b_stride))
        )
        rows.append(upper.to(i16) - lower.to(i16))
    rows = _butterflies(_butterflies(rows, 1), 2)
    rows = _across_lanes(rows, 1, _four_columns)
    rows = _across_lanes(rows, 2, _two_columns)
    rows = [abs(row) for row in _across_lanes(rows, 1, lambda a, b: exchange(a, b, 1))]
    sums = [a.low().join(b.low()).max(a.high().join(b.high())) for a, b in zip(rows[:2], rows[2:], strict=True)]
    lanes = _pair_sums(sums[0] + sums[1])
    lanes = lanes.low() + lanes.high()
    tiles = [lanes] if lanes.kind.lanes == 4 else [lanes.low(), lanes.high()]
    return sum(((tile.sum() + 1) >> 1 for tile in tiles[1:]), (tiles[0].sum() + 1) >> 1)


def _four_columns(a, b):
    """Of every eight lanes of two vectors the first four, and the last four."""
    n = a.kind.lanes
    first = [lane + half * n for start in range(0, n, 8) for half in (0, 1) for lane in range(start, start + 4)]
    return a.shuffle(first, b), a.shuffle([lane + 4 for lane in first], b)


def _satd_4x4(p, a_stride, q, b_stride, w, h):
    """Two 4x4 tiles at a time, one above the other or beside it; halves of sums of magnitudes are whole."""
    total = 0
    if w == 4 and h == 4:
        return _sum_4x4(u8x4, u8x4, p, a_stride, q, b_stride)
    if w == 4:
        for y in range(0, h, 8):
            total += _sum_4x4(u8x4, u8x8, p + y * a_stride, a_stride, q + y * b_stride, b_stride)
        return total
    for x in range(0, w, 8):
        total += _sum_4x4(u8x8, u8x8, p + x, a_stride, q + x, b_stride)
    return total


@staged
def _sum_4x4(row, block, p, a_stride, q, b_stride):
    """Half the sum of magnitudes of one or two tiles."""
    rows = [
        block.load_block(p + a_stride * y, 4 * a_stride, row.lanes).to(i16)
        - block.load_block(q + b_stride * y, 4 * b_stride, row.lanes).to(i16)
        for y in range(4)
    ]
    rows = _across_lanes(_butterflies(rows, 1), 1, lambda a, b: exchange(a, b, 2))
    rows = _across_lanes(rows, 1, lambda a, b: exchange(a, b, 1))
    return _pair_sums(abs(rows[0]).max(abs(rows[2])) + abs(rows[1]).max(abs(rows[3]))).sum()


def sse(a, a_at, a_stride, b, b_at, b_stride, w, h):
    p, q = pointer(a, a_at), pointer(b, b_at)
    if h & 3 == 0:
        if w == 16:
            return _sse(u8x16, u8x16, p, a_stride, q, b_stride, h)
        if w == 8:
            return _sse(u8x8, u8x16, p, a_stride, q, b_stride, h)
        if w == 32:
            return _sse(u8x32, u8x32, p, a_stride, q, b_stride, h)
        if w == 64:
            return _sse(u8x64, u8x64, p, a_stride, q, b_stride, h)
        if w == 4:
            return _sse(u8x4, u8x16, p, a_stride, q, b_stride, h)
    return _sse_of_any(p, a_stride, q, b_stride, w, h)


def _sse(row, block, p, a_stride, q, b_stride, h):
    """Four rows at a time."""
    total = _squares(block.zero())
    for _ in range(0, h, 4):
        total += _squares_of_rows(row, block, p, a_stride, q, b_stride)
        p += 4 * a_stride
        q += 4 * b_stride
    return total.sum()


@staged
def _squares_of_rows(row, block, p, a_stride, q, b_stride):
    """Squared differences of four rows."""
    return _sum(
        [
            _squares(upper.abs_diff(lower))
            for upper, lower in zip(
                _blocks(row, block, p, a_stride, 4), _blocks(row, block, q, b_stride, 4), strict=True
            )
        ]
    )


def _blocks(row, block, p, stride, rows):
    """Some rows in as few vectors as blocks are."""
    step = block.lanes // row.lanes
    return [block.load_block(p + stride * y, stride, row.lanes) for y in range(0, rows, step)]


def _sum(vectors):
    """Added in pairs, so that no sum waits for all others."""
    while len(vectors) > 1:
        vectors = [sum(vectors[i + 1 : i + 2], vectors[i]) for i in range(0, len(vectors), 2)]
    return vectors[0]


@staged
def _squares(samples):
    """Squares of neighbours, added up in i32 lanes."""
    if samples.kind.lanes <= 32:
        lanes = samples.to(i16)
        return lanes.mul_pairs(lanes)
    pairs = samples.bits_as(u16)  # even and odd ones apart: no shuffle
    even, odd = (pairs & 255).to(i16), (pairs >> 8).to(i16)
    return even.mul_pairs(even) + odd.mul_pairs(odd)


def _sse_of_any(p, a_stride, q, b_stride, w, h):
    """Any size."""
    if w >= 32:
        return _sse_by_strips(u8x32, p, a_stride, q, b_stride, w, h)
    if w >= 16:
        return _sse_by_strips(u8x16, p, a_stride, q, b_stride, w, h)
    if w >= 8:
        return _sse_by_strips(u8x8, p, a_stride, q, b_stride, w, h)
    if w >= 4:
        return _sse_by_strips(u8x4, p, a_stride, q, b_stride, w, h)
    total = 0
    for y in range(h):
        for x in range(w):
            difference = p[y * a_stride + x] - q[y * b_stride + x]
            total += difference * difference
    return total


def _sse_by_strips(strip, p, a_stride, q, b_stride, w, h):
    """The last strip overlaps the one before; what has been counted is blotted out."""
    total, other = _squares(strip.zero()), _squares(strip.zero())
    for x in range(0, w, strip.lanes):
        at = min(x, w - strip.lanes)
        counted = _first_lanes(strip, x - at)
        for y in range(0, h - 1, 2):
            p_row, q_row = p + (y * a_stride + at), q + (y * b_stride + at)
            total += _squares(strip.load(p_row).abs_diff(strip.load(q_row)) & counted)
            other += _squares(strip.load(p_row + a_stride).abs_diff(strip.load(q_row + b_stride)) & counted)
        if h & 1:
            y = h - 1
            total += _squares(
                strip.load(p + (y * a_stride + at)).abs_diff(strip.load(q + (y * b_stride + at))) & counted
            )
    return (total + other).sum()


@staged
def _first_lanes(strip, count):
    """0 in the first lanes, 255 in the others."""
    return where(strip.constant(range(strip.lanes)) < count, strip.zero(), 255)


def variance(a, a_at, a_stride, w, h):
    p = pointer(a, a_at)
    if w == 16:
        return _variance(u8x16, u8x16, p, a_stride, w, h)
    if w == 8:
        return _variance(u8x8, u8x16, p, a_stride, w, h)
    if w == 32:
        return _variance(u8x32, u8x32, p, a_stride, w, h)
    if w == 64:
        return _variance(u8x64, u8x64, p, a_stride, w, h)
    return _variance(u8x4, u8x16, p, a_stride, w, h)


def _variance(row, block, p, stride, w, h):
    """Four rows at a time."""
    total, squares = block.of(i32).zero(), _squares(block.zero())
    for _ in range(0, h, 4):
        rows = _four_rows(row, block, p, stride)
        total += rows[0]
        squares += rows[1]
        p += 4 * stride
    sum_of_samples = total.sum()
    return squares.sum() - sum_of_samples * sum_of_samples // (w * h)


@staged
def _four_rows(row, block, p, stride):
    """The samples and their squares, added up."""
    blocks = _blocks(row, block, p, stride, 4)
    return _sum([samples.distances(block.zero()) for samples in blocks]), _sum(
        [_squares(samples) for samples in blocks]
    )


def residual(a, a_at, a_stride, b, b_at, b_stride, out, w, h):
    p, q, to = pointer(a, a_at), pointer(b, b_at), pointer(out, 0)
    if w == 8:
        return _residual(u8x8, p, a_stride, q, b_stride, to, h)
    if w == 16:
        return _residual(u8x16, p, a_stride, q, b_stride, to, h)
    if w == 32:
        return _residual(u8x32, p, a_stride, q, b_stride, to, h)
    if w == 64:
        return _residual(u8x64, p, a_stride, q, b_stride, to, h)
    return _residual(u8x4, p, a_stride, q, b_stride, to, h)


def _residual(row, p, a_stride, q, b_stride, to, h):
    """Four rows at a time."""
    for _ in range(0, h, 4):
        _store_differences(row, p, a_stride, q, b_stride, to)
        p += 4 * a_stride
        q += 4 * b_stride
        to += 4 * row.lanes
    return 0


@staged
def _store_differences(row, p, a_stride, q, b_stride, to):
    """Four rows, one behind the other."""
    for y in range(4):
        difference = row.load(p + a_stride * y).to(i16) - row.load(q + b_stride * y).to(i16)
        difference.to(i32).store_block(to + y * row.lanes, 8, min(8, row.lanes))
