"""Transforms in 16-bit arithmetic: for blocks whose values stay within 16 bits all the way, which is nearly all of them.

Lanes have 32 bits, so that coefficients need no unpacking, but multiplications are those of 16-bit pairs: a pair of values
in one lane and one instruction gives a result of a rotation before rounding. What comes out of memory is put into pairs
while it is transposed (`paired`), for every program begins with rotations. Nothing is clipped, for nothing can leave
the range; what is known to be nought (frequencies that are not coded) is None.
"""

from typing import NamedTuple

from encoder.kernels.butterflies import ADST4, COLUMN_SHIFT, DCT, IDENTITY, IDENTITY_SCALE, ROTATION
from encoder.kernels.set_numba.transform_lanes import program_of, run_forward, run_inverse, sums
from encoder.kernels.set_python.transform import MAX_KEPT
from encoder.simd import I32, Kind, Vector, i16, i32, staged, transpose, u8, u32

LOW = 0xFFFF


class Half(NamedTuple):
    """The values in the lower or in the upper halves of 32-bit lanes."""

    lanes: Vector
    upper: bool


def pair(x, y):
    """Two values in the halves of one vector, and whether they changed places."""
    if isinstance(x, Half) and x.upper and not (isinstance(y, Half) and y.upper):
        return pair(y, x)[0], True
    upper = y.lanes & ~LOW if isinstance(y, Half) and y.upper else _lanes(y) << 16
    if isinstance(x, Half) and isinstance(y, Half) and x.lanes is y.lanes:
        return x.lanes, False
    if isinstance(x, Half) and x.upper:
        return (x.lanes.bits_as(u32) >> 16).bits_as(i32) | upper, False
    return _lanes(x) & LOW | upper, False


def _lanes(x):
    return x.lanes if isinstance(x, Half) else x


def multiply(lanes, lower, upper):
    """lower * (lower halves) + upper * (upper halves)."""
    halves = lanes.bits_as(i16)
    return halves.mul_pairs(halves.kind.constant((lower, upper) * lanes.kind.lanes))


def scaled(x, factor):
    """One value times a factor, not rounded."""
    upper = isinstance(x, Half) and x.upper
    return multiply(_lanes(x), 0 if upper else factor, factor if upper else 0)


def rotated(x, y, *rows):
    """The results of a rotation; None stands for nought."""
    if x is None and y is None:
        return None, None
    if x is None or y is None:
        used = 0 if y is None else 1
        return tuple(scaled(y if x is None else x, row[used]).round_shift(12) for row in rows)
    both, swapped = pair(x, y)
    return tuple(multiply(both, *(reversed(row) if swapped else row)).round_shift(12) for row in rows)


def known_sums(x, y):
    """Sum and difference where None stands for nought."""
    if y is None:
        return x, x
    return (y, -y) if x is None else sums(x, y)


def inverse_1d(kind, tx_size, values):
    """Elements of the inverse transform from frequencies."""
    if kind == IDENTITY:
        return [scaled(value, int(IDENTITY_SCALE[tx_size])).round_shift(12) for value in values]
    if kind != DCT and tx_size == 0:
        return adst4(ADST4, values)
    return run_inverse(program_of(kind, tx_size), values, rotated, known_sums)


def forward_1d(kind, tx_size, values):
    """Frequencies from elements."""
    if kind == IDENTITY:
        return inverse_1d(kind, tx_size, values)
    if kind != DCT and tx_size == 0:
        return adst4(ADST4.T, values)
    return run_forward(program_of(kind, tx_size), values, rotated, sums)


def adst4(matrix, values):
    """Products with the rows of a matrix."""
    first, second = (pair(*values[at : at + 2])[0] for at in (0, 2))
    return [(multiply(first, a, b) + multiply(second, c, d)).round_shift(12) for a, b, c, d in matrix.tolist()]


def partners(kind, tx_size):
    """The frequencies that the inverse transform rotates with each other first."""
    if kind == IDENTITY or (kind != DCT and tx_size == 0):
        return {i: i ^ 1 for i in range(4 << tx_size)}
    program = program_of(kind, tx_size)
    found = {}
    for step, a, b, *_ in program.steps:
        first, second = program.input_order[a], program.input_order[b]
        if step == ROTATION and not {first, second} & found.keys():
            found |= {first: second, second: first}
    return found


def pairs_of_tiles(partner, count, width):
    """Which of the first `count` frequencies share a vector, for each `width` of them.

    Partners do if they can. Where they are in two tiles, they take opposite halves: then they need but a blend.
    """
    tiles, halves = [], {}
    for begin in range(0, count, width):
        members = range(begin, begin + width)
        pairs = [(x, partner[x]) for x in members if x < partner[x] and partner[x] in members]
        inside = {x for both in pairs for x in both}
        rest = [x for x in members if x not in inside]
        lower = [x for x in rest if halves.get(partner[x]) == 1]
        upper = [x for x in rest if halves.get(partner[x]) == 0]
        free = [x for x in rest if partner[x] not in halves]
        while free:
            (lower if len(lower) <= len(upper) else upper).append(free.pop(0))
        while len(lower) < len(upper):
            lower.append(upper.pop())
        while len(upper) < len(lower):
            upper.append(lower.pop())
        pairs += zip(lower, upper, strict=True)
        halves |= {x: half for both in pairs for half, x in enumerate(both)}
        tiles.append(pairs)
    return tiles


def paired(rows, pairs):
    """Columns of some rows, two of them in the halves of each vector; lane l is from row l. Values have 16 bits.

    The rows go two by two into the halves of their lanes; then vectors with the same columns are merged, each merger
    leaving half of the columns, until every vector has one pair. Last the halves change places.
    """
    count, width = len(rows), rows[0].kind.lanes
    vectors = [pair(a, b)[0] for a, b in zip(rows[::2], rows[1::2], strict=True)]
    contents = [[(twin, x) for x in range(width)] for twin in range(count // 2)]
    while vectors[0].kind.lanes < count:
        vectors = [a.join(b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        contents = [a + b for a, b in zip(contents[::2], contents[1::2], strict=True)]
    order = [at for four in range(0, 2 * count, 8) for at in (four + i for i in (0, 4, 1, 5, 2, 6, 3, 7))]
    return [vector.bits_as(i16).shuffle(order).bits_as(i32) for vector in _merged(vectors, contents, pairs)]


def _merged(vectors, contents, pairs):
    """One vector for each pair; the two rows of two lanes of one column stand in front of those of the other."""
    if len(vectors) == 1:
        return vectors
    found = []
    for chosen in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]):
        columns = [x for both in chosen for x in both]
        merged, merged_contents = [], []
        for at in range(0, len(vectors), 2):
            both = contents[at] + contents[at + 1]
            wanted = sorted(
                ((twin // 2, columns.index(x), twin % 2), lane) for lane, (twin, x) in enumerate(both) if x in columns
            )
            lanes = [lane for _, lane in wanted]
            merged.append(vectors[at].shuffle(lanes, vectors[at + 1]))
            merged_contents.append([both[lane] for lane in lanes])
        found += _merged(merged, merged_contents, chosen)
    return found


def lanes_of(count):
    """Vectors for so many rows or columns, or for a part of them."""
    return Kind(i32, min(count, I32.lanes))


def frequencies(kind, tx_size, count, row, src, stride):
    """The inputs of an inverse transform in each lane: `count` of them, behind each other in memory, the others None."""
    values = [None] * (4 << tx_size)
    width = min(count, row.lanes)
    for tile, pairs in enumerate(pairs_of_tiles(partners(kind, tx_size), count, width)):
        at = tile * width
        rows = Kind(i32, width).load_rows(src + at, stride, row.lanes)
        inner = [(a - at, b - at) for a, b in pairs]
        for (a, b), lanes in zip(pairs, paired(rows, inner), strict=True):
            values[a], values[b] = Half(lanes, False), Half(lanes, True)
    return values


@staged
def inverse_rows(kind, tx_size, count, shift, src, src_stride, dst, dst_stride):
    """Rows of `count` frequencies, each in a lane; element k of all of them goes to dst + k * dst_stride."""
    row = lanes_of(count)
    values = frequencies(kind, tx_size, count, row, src, src_stride)
    for k, element in enumerate(inverse_1d(kind, tx_size, values)):
        element.round_shift(shift).store(dst + dst_stride * k)


@staged
def inverse_columns(kind, tx_size, count, src, src_stride, dst, dst_stride):
    """Columns of `count` frequencies, each in a lane; element k is added to samples at dst + k * dst_stride."""
    row = lanes_of(4 << tx_size)
    values = frequencies(kind, tx_size, count, row, src, src_stride)
    for k, element in enumerate(inverse_1d(kind, tx_size, values)):
        place = dst + dst_stride * k
        total = element.round_shift(COLUMN_SHIFT) + row.of(u8).load(place).to(i32)
        total.clip(0, 255).to(u8).store(place)


@staged
def forward_lanes(kind, tx_size, rows, src, src_stride, dst, dst_stride, before, after):
    """Forward transforms side by side: element k of all of them lies at src + k * src_stride; the frequencies of each one
    go behind each other, to dst + its lane * dst_stride. `rows` is how many there are to transform, at least."""
    row, size = lanes_of(rows), 4 << tx_size
    values = [element << before for element in row.load_rows(src, src_stride, size)]
    coefs = [coef.round_shift(after) for coef in forward_1d(kind, tx_size, values)[:MAX_KEPT]]
    for at in range(0, len(coefs), row.lanes):
        for lane, frequencies_of_lane in enumerate(transpose(coefs[at : at + row.lanes])):
            frequencies_of_lane.store(dst + dst_stride * lane + at)
