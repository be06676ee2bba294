"""Motion search and temporal filter for the compiler (see motion_lanes.py). Contracts are in table.py.

As in distortion.py, sums are cast back to the width that they need and indices to unsigned.
"""

import numpy as np

from encoder.kernels.set_numba.motion_lanes import (
    ACCUMULATED,
    accumulate,
    add_sads_of_rows,
    address_of,
    sad_of_rows,
    sads_of_cells,
    store_four,
)

u16 = np.uint16
i32 = np.int32
u32 = np.uint32
u64 = np.uint64


def downscale(dst, dst_at, dst_stride, src, src_at, src_stride, w, h):
    for y in range(h):
        to = dst_at + y * dst_stride
        at = src_at + 2 * y * src_stride
        for x in range(w):
            p = at + 2 * x
            q = p + src_stride
            upper = u16(u16(src[u64(p)]) + u16(src[u64(p + 1)]))
            lower = u16(u16(src[u64(q)]) + u16(src[u64(q + 1)]))
            dst[u64(to + x)] = u16(u16(upper + lower) + u16(2)) >> u16(2)
    return 0


def sad_grid(a, a_at, a_stride, b, b_at, b_stride, out):
    p, q, found = address_of(a, a_at), address_of(b, b_at), address_of(out, 0)
    for row in range(8):
        sads_of_cells(p + 8 * row * a_stride, a_stride, q + 8 * row * b_stride, b_stride, found + 64 * row)
    return 0


def sad_x4(a, a_at, a_stride, b, b_at_0, b_at_1, b_at_2, b_at_3, b_stride, w, h, out):
    p, q, found = address_of(a, a_at), address_of(b, 0), address_of(out, 0)
    q0, q1, q2, q3 = q + b_at_0, q + b_at_1, q + b_at_2, q + b_at_3
    sums = (0, 0, 0, 0)
    if w == 16 and h == 16:
        store_four(found, add_sads_of_rows(16, 16, p, a_stride, q0, q1, q2, q3, b_stride, sums))
        return 0
    if w == 8 and h == 8:
        store_four(found, add_sads_of_rows(8, 8, p, a_stride, q0, q1, q2, q3, b_stride, sums))
        return 0
    for _ in range(0, h, 4):
        if w == 4:
            sums = add_sads_of_rows(4, 4, p, a_stride, q0, q1, q2, q3, b_stride, sums)
        elif w == 8:
            sums = add_sads_of_rows(8, 4, p, a_stride, q0, q1, q2, q3, b_stride, sums)
        elif w == 16:
            sums = add_sads_of_rows(16, 4, p, a_stride, q0, q1, q2, q3, b_stride, sums)
        elif w == 32:
            sums = add_sads_of_rows(32, 4, p, a_stride, q0, q1, q2, q3, b_stride, sums)
        else:
            sums = add_sads_of_rows(64, 4, p, a_stride, q0, q1, q2, q3, b_stride, sums)
        p += 4 * a_stride
        q0 += 4 * b_stride
        q1 += 4 * b_stride
        q2 += 4 * b_stride
        q3 += 4 * b_stride
    store_four(found, sums)
    return 0


def sad_window(a, a_at, a_stride, b, b_at, b_stride, side, columns, rows, step):
    """The lower half of a place is looked at only where the upper one does not rule it out."""
    p, q = address_of(a, a_at), address_of(b, b_at)
    half = side >> 1
    p_lower, lower = p + half * a_stride, half * b_stride
    best = np.int64(1) << 40
    index = 0
    for row in range(rows):
        at = q + step * row * b_stride
        for _ in range(columns):
            if side == 8:
                sad = sad_of_rows(8, 4, p, a_stride, at, b_stride)
                if sad << 16 < best:
                    sad += sad_of_rows(8, 4, p_lower, a_stride, at + lower, b_stride)
            else:
                sad = sad_of_rows(16, 8, p, a_stride, at, b_stride)
                if sad << 16 < best:
                    sad += sad_of_rows(16, 8, p_lower, a_stride, at + lower, b_stride)
            best = min(best, sad << 16 | index)
            index += 1
            at += step
    return best


def temporal_accumulate(sums, weights, sums_at, sums_stride, a, a_at, a_stride, b, b_at, b_stride, w, h, base, slope):
    total, count = address_of(sums, sums_at), address_of(weights, sums_at)
    p, q = address_of(a, a_at), address_of(b, b_at)
    for y in range(0, h, max(1, ACCUMULATED // w)):
        to = y * sums_stride
        at, from_at = p + y * a_stride, q + y * b_stride
        if w == 4:
            accumulate(4, total + 2 * to, count + to, sums_stride, at, a_stride, from_at, b_stride, base, slope)
        elif w == 8:
            accumulate(8, total + 2 * to, count + to, sums_stride, at, a_stride, from_at, b_stride, base, slope)
        else:
            for x in range(0, w, ACCUMULATED):
                to_x = to + x
                accumulate(16, total + 2 * to_x, count + to_x, 0, at + x, 0, from_at + x, 0, base, slope)
    return 0


def temporal_normalize(dst, dst_at, dst_stride, sums, weights, sums_at, sums_stride, w, h):
    """Quotients of integers below 2 ** 17 are exact enough in single precision: none but whole ones round up to a whole one."""
    for y in range(h):
        to = dst_at + y * dst_stride
        at = sums_at + y * sums_stride
        for x in range(w):
            weight = i32(weights[u64(at + x)])
            total = i32(i32(sums[u64(at + x)]) + i32(weight >> i32(1)))
            dst[u64(to + x)] = i32(np.float32(total) / np.float32(weight))
    return 0


def noise_sum(a, a_at, a_stride, w, h):
    total = 0
    count = 0
    for y in range(h):
        middle = a_at + y * a_stride
        upper = middle - a_stride
        lower = middle + a_stride
        row_total = i32(0)
        row_count = i32(0)
        for x in range(w):
            a00, a01, a02 = i32(a[u64(upper + x - 1)]), i32(a[u64(upper + x)]), i32(a[u64(upper + x + 1)])
            a10, a11, a12 = i32(a[u64(middle + x - 1)]), i32(a[u64(middle + x)]), i32(a[u64(middle + x + 1)])
            a20, a21, a22 = i32(a[u64(lower + x - 1)]), i32(a[u64(lower + x)]), i32(a[u64(lower + x + 1)])
            across = i32(i32(a02 - a00) + i32(a22 - a20)) + i32(i32(2) * i32(a12 - a10))
            down = i32(i32(a20 - a00) + i32(a22 - a02)) + i32(i32(2) * i32(a21 - a01))
            corners = i32(i32(a00 + a02) + i32(a20 + a22))
            sides = i32(i32(a01 + a10) + i32(a12 + a21))
            laplacian = abs(i32(i32(corners - i32(i32(2) * sides)) + i32(i32(4) * a11)))
            smooth = i32(abs(i32(across)) + abs(i32(down))) < 64
            row_total = i32(row_total + (laplacian if smooth else i32(0)))
            row_count = i32(row_count + (i32(1) if smooth else i32(0)))
        total += np.int64(row_total)
        count += np.int64(row_count)
    return total << 24 | count
