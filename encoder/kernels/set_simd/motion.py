"""Motion search and temporal filter as arithmetic on vectors. Contracts are in table.py."""

from encoder.byref import i16, i32, i64, u8, u16
from encoder.kernels.set_python.motion import MAX_DIFFERENCE, SMOOTH_GRADIENT
from encoder.kernels.set_python.motion import noise_sum as noise_sum_of_any
from encoder.kernels.set_simd.distortion import sad_of_height, sad_of_rows
from encoder.simd import pointer, staged, u8x4, u8x8, u8x16, u8x32, u8x64, u32, u64, where


def downscale(dst, dst_at, dst_stride, src, src_at, src_stride, w, h):
    to, p = pointer(dst, dst_at), pointer(src, src_at)
    if w >= 32:
        return _downscale(u8x64, to, dst_stride, p, src_stride, w, h)
    if w >= 16:
        return _downscale(u8x32, to, dst_stride, p, src_stride, w, h)
    if w >= 8:
        return _downscale(u8x16, to, dst_stride, p, src_stride, w, h)
    for _ in range(h):
        for x in range(w):
            at = 2 * x
            to[x] = (p[at] + p[at + 1] + p[at + src_stride] + p[at + src_stride + 1] + 2) >> 2
        to += dst_stride
        p += 2 * src_stride
    return 0


def _downscale(row, to, to_stride, p, stride, w, h):
    """The last part of a row overlaps the one before."""
    step = row.lanes // 2
    for _ in range(h):
        for x in range(0, w, step):
            at = min(x, w - step)
            _mean(row, p + 2 * at, stride).store(to + at)
        to += to_stride
        p += 2 * stride
    return 0


@staged
def _mean(row, p, stride):
    """Means of 2x2 samples."""
    upper, lower = row.load(p).bits_as(u16), row.load(p + stride).bits_as(u16)
    return (((upper & 255) + (upper >> 8) + (lower & 255) + (lower >> 8) + 2) >> 2).to(u8)


def sad_grid(a, a_at, a_stride, b, b_at, b_stride, out):
    p, q, to = pointer(a, a_at), pointer(b, b_at), pointer(out, 0)
    for _ in range(8):
        _sads_of_cells(p, a_stride, q, b_stride).store(to)
        p += 8 * a_stride
        q += 8 * b_stride
        to += 8
    return 0


@staged
def _sads_of_cells(p, a_stride, q, b_stride):
    """Eight cells beside each other: differences of even and of odd columns in lanes of 16 bits, then sums of four lanes."""
    sums = u8x64.zero().bits_as(u16)
    for y in range(8):
        pairs = u8x64.load(p + a_stride * y).abs_diff(u8x64.load(q + b_stride * y)).bits_as(u16)
        sums = sums + (pairs & 255) + (pairs >> 8)
    sums = sums.bits_as(u32)
    sums = ((sums & 0xFFFF) + (sums >> 16)).bits_as(u64)
    return ((sums & 0xFFFFFFFF) + (sums >> 32)).to(i64)


def sad_x4(a, a_at, a_stride, b, b_at_0, b_at_1, b_at_2, b_at_3, b_stride, w, h, out):
    p, to = pointer(a, a_at), pointer(out, 0)
    places = pointer(b, b_at_0), pointer(b, b_at_1), pointer(b, b_at_2), pointer(b, b_at_3)
    if w == 16:
        return _sad_x4(u8x16, p, a_stride, places, b_stride, h, to)
    if w == 8:
        return _sad_x4(u8x8, p, a_stride, places, b_stride, h, to)
    if w == 32:
        return _sad_x4(u8x32, p, a_stride, places, b_stride, h, to)
    if w == 64:
        return _sad_x4(u8x64, p, a_stride, places, b_stride, h, to)
    return _sad_x4(u8x4, p, a_stride, places, b_stride, h, to)


def _sad_x4(row, p, a_stride, places, b_stride, h, to):
    """One after the other: the rows of a stay near."""
    to[0] = sad_of_height(row, p, a_stride, places[0], b_stride, h)
    to[1] = sad_of_height(row, p, a_stride, places[1], b_stride, h)
    to[2] = sad_of_height(row, p, a_stride, places[2], b_stride, h)
    to[3] = sad_of_height(row, p, a_stride, places[3], b_stride, h)
    return 0


def sad_window(a, a_at, a_stride, b, b_at, b_stride, side, columns, rows, step):
    p, q = pointer(a, a_at), pointer(b, b_at)
    best = 1 << 40
    index = 0
    for _ in range(rows):
        at = q
        for _ in range(columns):
            if side == 8:
                sad = sad_of_rows(u8x8, 8, p, a_stride, at, b_stride)
            else:
                sad = sad_of_rows(u8x16, 8, p, a_stride, at, b_stride)
                if sad << 16 < best:  # else the upper half rules the place out
                    sad += sad_of_rows(u8x16, 8, p + 8 * a_stride, a_stride, at + 8 * b_stride, b_stride)
            best = min(best, sad << 16 | index)
            index += 1
            at += step
        q += step * b_stride
    return best


def temporal_accumulate(sums, weights, sums_at, sums_stride, a, a_at, a_stride, b, b_at, b_stride, w, h, base, slope):
    to, weight_to, p, q = pointer(sums, sums_at), pointer(weights, sums_at), pointer(a, a_at), pointer(b, b_at)
    if w == 4:
        return _accumulate(u8x4, u8x16, to, weight_to, sums_stride, p, a_stride, q, b_stride, w, h, base, slope)
    if w == 8:
        return _accumulate(u8x8, u8x32, to, weight_to, sums_stride, p, a_stride, q, b_stride, w, h, base, slope)
    return _accumulate(u8x16, u8x16, to, weight_to, sums_stride, p, a_stride, q, b_stride, w, h, base, slope)


def _accumulate(row, block, to, weight_to, to_stride, p, a_stride, q, b_stride, w, h, base, slope):
    """As many rows at a time as a block holds, or a part of a row."""
    rows = block.lanes // row.lanes
    for _ in range(0, h, rows):
        for x in range(0, w, row.lanes):
            _add_weighted(row, block, to + x, weight_to + x, to_stride, p + x, a_stride, q + x, b_stride, base, slope)
        to += rows * to_stride
        weight_to += rows * to_stride
        p += rows * a_stride
        q += rows * b_stride
    return 0


@staged
def _add_weighted(row, block, to, weight_to, to_stride, p, a_stride, q, b_stride, base, slope):
    """The square times 16 and the slope times 16 fit 16 bits; the upper half of their product is shifted by 8."""
    width, words = row.lanes, block.of(u16)
    samples = block.load_block(q, b_stride, width)
    d = samples.abs_diff(block.load_block(p, a_stride, width)).min(MAX_DIFFERENCE).to(u16)
    near = words.splat(base).sub_saturated((d * d << 4).mul_high(slope << 4))
    weight = near * near >> 11
    (words.load_block(to, to_stride, width) + weight * samples.to(u16)).store_block(to, to_stride, width)
    (block.load_block(weight_to, to_stride, width) + weight.to(u8)).store_block(weight_to, to_stride, width)


def noise_sum(a, a_at, a_stride, w, h):
    p = pointer(a, a_at)
    if w < 16:
        return noise_sum_of_any(a, a_at, a_stride, w, h)
    total, count = _nothing(u8x16)
    for x in range(0, w, 16):
        at = min(x, w - 16)
        place = p + at
        for _ in range(h):
            total, count = _add_noise(u8x16, place, a_stride, x - at, total, count)
            place += a_stride
    return total.sum() << 24 | count.sum()


@staged
def _nothing(row):
    """Sums for pairs of lanes."""
    return row.of(i32).zero().low(), row.of(i32).zero().low()


@staged
def _add_noise(row, p, stride, counted, total, count):
    """A part of a row, whose first lanes may have been counted already."""
    rows = [[row.load(p + stride * y + x).to(i16) for x in (-1, 0, 1)] for y in (-1, 0, 1)]
    (a00, a01, a02), (a10, a11, a12), (a20, a21, a22) = rows
    across = (a02 - a00) + (a22 - a20) + ((a12 - a10) << 1)
    down = (a20 - a00) + (a22 - a02) + ((a21 - a01) << 1)
    laplacian = abs((a00 + a02) + (a20 + a22) - ((a01 + a10 + a12 + a21) << 1) + (a11 << 2))
    smooth = (abs(across) + abs(down) < SMOOTH_GRADIENT) & (row.of(i16).constant(range(row.lanes)) >= counted)
    one = where(smooth, row.of(i16).constant(1), 0)
    return total + laplacian.mul_pairs(one), count + one.mul_pairs(one)
