"""Block motion search between two source pictures, from a quarter of their size to the full one. Plain subset.

    quarter size   64x64 areas (in luma samples), then their 32x32 quarters: proposed vectors, and where all of them fail a window
    half size      16x16 blocks: the vectors of the 32x32 quarters around them, then step by step downhill
    full size      16x16 blocks: what the half size found, the neighbours' final vectors, then downhill

Every choice is by cost: sum of absolute differences plus the price of the vector's distance from its neighbours' median, so
that fields become smooth where nothing speaks against it. Vectors stay where the reference has samples, border included.
Inside, vectors count in samples of the level; `mv` holds full luma samples in units of 1/8.
"""

from typing import Any, ClassVar

import numpy as np

from encoder.byref import Record, i16s, i32s, i64, i64s, u8s

FULL, HALF, QUARTER = range(3)
LEVELS = 3
MAX_CANDIDATES = 16
WINDOW_REACH = 24
"""Of the window around the zero vector of a 64x64 area, in samples of the quarter size."""
CLOSE_REACH = 8
"""The same for 32x32, around its best vector."""
WINDOW_STEP = 2
GOOD_ENOUGH = 3
"""Mean absolute difference at a quarter of the size above which a window is searched."""
EXCELLENT = 1
"""Mean absolute difference up to which a vector is taken as it is: the zero vector before any search (apart from the price of
EXCELLENT_BITS), another one without a look at those around it."""
EXCELLENT_BITS = 4
STEPS = (4, 3, 6)
"""At most so many steps downhill, by level."""
BITS = np.array([0] + [14 + round(6.4 * float(np.log2(i))) for i in range(1, 1024)])
"""Price of one component's difference in full samples, in quarters of a bit."""


class MotionView(Record):
    """Two pictures of one layout and the vectors between them.

    current, reference      luma at full, half and quarter size, in one array each
    origin, stride          by level: index of the first sample, samples a row
    width, height, border   by level: samples of the allocated area (full size: multiples of 64), and on each side of it
    rows16, cols16          16x16 luma blocks that the vectors are wanted of
    price                   of a bit, in 1/256 of an absolute difference of one sample
    predictors              predictor_count fields of vectors like mv, one after the other: proposals
    mv                      out: row, col of each block, in raster order, in 1/8 samples (multiples of 8)
    sad, zero_sad           out: sums of absolute differences at that vector and at the zero vector
    coarse                  scratch: a row and a col for every 64x64 area, then for every 32x32 area, then for every 16x16
    candidates, found       scratch: 2 * MAX_CANDIDATES and 64 words
    """

    FIELDS: ClassVar[dict[str, Any]] = {
        "current": u8s,
        "reference": u8s,
        "origin": i64s,
        "stride": i64s,
        "width": i64s,
        "height": i64s,
        "border": i64s,
        "rows16": i64,
        "cols16": i64,
        "price": i64,
        "predictors": i16s,
        "predictor_count": i64,
        "mv": i16s,
        "sad": i32s,
        "zero_sad": i32s,
        "coarse": i64s,
        "candidates": i64s,
        "found": i64s,
    }


def search_motion(k, m):
    """Fill mv, sad and zero_sad."""
    _measure_zero(k, m)
    for side in (4, 2):
        for row in range(_areas(m.rows16, side)):
            for col in range(_areas(m.cols16, side)):
                _search_at_quarter(k, m, side, row, col)
    for row in range(m.rows16):
        for col in range(m.cols16):
            _search_at_half(k, m, row, col)
    for row in range(m.rows16):
        for col in range(m.cols16):
            _search_at_full(k, m, row, col)
    return 0


def _areas(blocks, side):
    """Areas of side x side blocks that cover a row of blocks."""
    return (blocks + side - 1) // side


def _coarse_at(m, side, row, col):
    """Where the vector of an area of side x side 16x16 blocks lies in m.coarse."""
    at = row * _areas(m.cols16, side) + col
    if side < 4:
        at += _areas(m.rows16, 4) * _areas(m.cols16, 4)
    if side < 2:
        at += _areas(m.rows16, 2) * _areas(m.cols16, 2)
    return 2 * at


def _measure_zero(k, m):
    """zero_sad of all blocks: four cells of the grid each."""
    stride = m.stride[FULL]
    for row in range(0, m.rows16, 4):
        for col in range(0, m.cols16, 4):
            at = m.origin[FULL] + 16 * (row * stride + col)
            k.sad_grid(m.current, at, stride, m.reference, at, stride, m.found)
            for y in range(min(4, m.rows16 - row)):
                for x in range(min(4, m.cols16 - col)):
                    cell = 16 * y + 2 * x
                    m.zero_sad[(row + y) * m.cols16 + col + x] = (
                        m.found[cell] + m.found[cell + 1] + m.found[cell + 8] + m.found[cell + 9]
                    )
    return 0


def _is_still(m, index):
    """Whether the zero vector of a block is so good that no search is worth while."""
    return np.int64(m.zero_sad[index]) << 8 <= (EXCELLENT << 16) + EXCELLENT_BITS * m.price


def _are_still(m, row, col, side):
    """The same of all blocks in an area of side x side blocks."""
    for y in range(row * side, min(m.rows16, (row + 1) * side)):
        for x in range(col * side, min(m.cols16, (col + 1) * side)):
            if not _is_still(m, y * m.cols16 + x):
                return False
    return True


def _search_at_quarter(k, m, side, row, col):
    """The best vector for an area of side x side 16x16 blocks, at a quarter of the size."""
    at = _coarse_at(m, side, row, col)
    m.coarse[at], m.coarse[at + 1] = 0, 0
    if _are_still(m, row, col, side):
        return 0
    w = 4 * side
    y, x = row * w, col * w
    pred_row, pred_col = _median(m, side, row, col)
    count = _add(m, 0, QUARTER, y, x, w, 0, 0)
    count = _add(m, count, QUARTER, y, x, w, pred_row, pred_col)
    count = _add_coarse(m, count, side, row, col - 1, y, x)
    count = _add_coarse(m, count, side, row - 1, col, y, x)
    count = _add_coarse(m, count, side, row - 1, col + 1, y, x)
    if side == 2:
        count = _add_coarse(m, count, 4, row >> 1, col >> 1, y, x)
    count = _add_predictors(m, count, QUARTER, y, x, w, row * side + side // 2, col * side + side // 2)
    best_row, best_col, cost = _best_candidate(k, m, QUARTER, y, x, w, count, pred_row, pred_col)
    if cost > GOOD_ENOUGH * w * w << 8 and m.predictor_count == 0:
        reach = WINDOW_REACH if side == 4 else CLOSE_REACH
        count = 0
        count = _add_window(k, m, count, y, x, w, 0, 0, reach)
        count = _add(m, count, QUARTER, y, x, w, best_row, best_col)
        if side == 2:
            count = _add_window(k, m, count, y, x, w, best_row, best_col, reach)
        best_row, best_col, cost = _best_candidate(k, m, QUARTER, y, x, w, count, pred_row, pred_col)
    best_row, best_col, cost = _downhill(k, m, QUARTER, y, x, w, best_row, best_col, cost, pred_row, pred_col)
    m.coarse[at], m.coarse[at + 1] = best_row, best_col
    return 0


def _search_at_half(k, m, row, col):
    """A 16x16 block at half the size, from the vectors of the nearest 32x32 areas."""
    at = _coarse_at(m, 1, row, col)
    m.coarse[at], m.coarse[at + 1] = 0, 0
    if _is_still(m, row * m.cols16 + col):
        return 0
    y, x = 8 * row, 8 * col
    near_row, near_col = (row >> 1) + 2 * (row & 1) - 1, (col >> 1) + 2 * (col & 1) - 1
    parent = _coarse_at(m, 2, row >> 1, col >> 1)
    pred_row, pred_col = 2 * m.coarse[parent], 2 * m.coarse[parent + 1]
    count = _add(m, 0, HALF, y, x, 8, pred_row, pred_col)
    count = _add_parent(m, count, row >> 1, near_col, y, x)
    count = _add_parent(m, count, near_row, col >> 1, y, x)
    count = _add(m, count, HALF, y, x, 8, 0, 0)
    count = _add_predictors(m, count, HALF, y, x, 8, row, col)
    best_row, best_col, cost = _best_candidate(k, m, HALF, y, x, 8, count, pred_row, pred_col)
    best_row, best_col, cost = _downhill(k, m, HALF, y, x, 8, best_row, best_col, cost, pred_row, pred_col)
    m.coarse[at], m.coarse[at + 1] = best_row, best_col
    return 0


def _search_at_full(k, m, row, col):
    """The final vector of a 16x16 block."""
    index = row * m.cols16 + col
    if _is_still(m, index):
        m.mv[2 * index], m.mv[2 * index + 1] = 0, 0
        m.sad[index] = m.zero_sad[index]
        return 0
    y, x = 16 * row, 16 * col
    at = _coarse_at(m, 1, row, col)
    pred_row, pred_col = _final_median(m, row, col)
    count = _add(m, 0, FULL, y, x, 16, 2 * m.coarse[at], 2 * m.coarse[at + 1])
    count = _add(m, count, FULL, y, x, 16, 0, 0)
    count = _add(m, count, FULL, y, x, 16, pred_row, pred_col)
    count = _add_final(m, count, row, col - 1, y, x)
    count = _add_final(m, count, row - 1, col, y, x)
    count = _add_final(m, count, row - 1, col + 1, y, x)
    # What comes next in raster order is known at half the size.
    count = _add_next(m, count, row, col + 1, y, x)
    count = _add_next(m, count, row + 1, col, y, x)
    best_row, best_col, cost = _best_candidate(k, m, FULL, y, x, 16, count, pred_row, pred_col)
    if cost > EXCELLENT << 16:
        best_row, best_col, cost = _downhill(k, m, FULL, y, x, 16, best_row, best_col, cost, pred_row, pred_col)
    m.mv[2 * index], m.mv[2 * index + 1] = 8 * best_row, 8 * best_col
    m.sad[index] = (cost - _vector_cost(m, FULL, best_row - pred_row, best_col - pred_col)) >> 8
    return 0


def _add(m, count, level, y, x, w, row, col):
    """Put a vector, brought back to where the reference has samples, on the list unless it is there; returns the count."""
    border = m.border[level]
    row = min(max(row, -border - y), m.height[level] + border - w - y)
    col = min(max(col, -border - x), m.width[level] + border - w - x)
    for i in range(count):
        if m.candidates[2 * i] == row and m.candidates[2 * i + 1] == col:
            return count
    m.candidates[2 * count] = row
    m.candidates[2 * count + 1] = col
    return count + 1


def _add_coarse(m, count, side, row, col, y, x):
    """The vector of an area already searched, if there is such an area."""
    if row < 0 or col < 0 or col >= _areas(m.cols16, side):
        return count
    at = _coarse_at(m, side, row, col)
    return _add(m, count, QUARTER, y, x, 4 * side, m.coarse[at], m.coarse[at + 1])


def _add_parent(m, count, row, col, y, x):
    """The vector of a 32x32 area, for a block at half the size."""
    if row < 0 or row >= _areas(m.rows16, 2) or col < 0 or col >= _areas(m.cols16, 2):
        return count
    at = _coarse_at(m, 2, row, col)
    return _add(m, count, HALF, y, x, 8, 2 * m.coarse[at], 2 * m.coarse[at + 1])


def _add_final(m, count, row, col, y, x):
    """The final vector of a neighbour."""
    if row < 0 or col < 0 or col >= m.cols16:
        return count
    at = 2 * (row * m.cols16 + col)
    return _add(m, count, FULL, y, x, 16, np.int64(m.mv[at]) >> 3, np.int64(m.mv[at + 1]) >> 3)


def _add_next(m, count, row, col, y, x):
    """The vector that a neighbour has at half the size."""
    if row >= m.rows16 or col >= m.cols16:
        return count
    at = _coarse_at(m, 1, row, col)
    return _add(m, count, FULL, y, x, 16, 2 * m.coarse[at], 2 * m.coarse[at + 1])


def _add_predictors(m, count, level, y, x, w, row, col):
    """The proposals for a 16x16 block, in samples of the level; the last block of a row or column stands for those beyond."""
    index = min(row, m.rows16 - 1) * m.cols16 + min(col, m.cols16 - 1)
    shift = 3 + level
    half = 1 << (shift - 1)
    for i in range(m.predictor_count):
        at = 2 * (i * m.rows16 * m.cols16 + index)
        row_mv, col_mv = np.int64(m.predictors[at]), np.int64(m.predictors[at + 1])
        count = _add(m, count, level, y, x, w, (row_mv + half) >> shift, (col_mv + half) >> shift)
    return count


def _add_window(k, m, count, y, x, w, row, col, reach):
    """The best of a grid of vectors around one, by its differences alone."""
    border, stride = m.border[QUARTER], m.stride[QUARTER]
    top = min(max(row - reach, -border - y), m.height[QUARTER] + border - w - y)
    left = min(max(col - reach, -border - x), m.width[QUARTER] + border - w - x)
    bottom = max(top, min(row + reach, m.height[QUARTER] + border - w - y))
    right = max(left, min(col + reach, m.width[QUARTER] + border - w - x))
    rows, columns = (bottom - top) // WINDOW_STEP + 1, (right - left) // WINDOW_STEP + 1
    at = m.origin[QUARTER] + y * stride + x
    first = at + top * stride + left
    found = k.sad_window(m.current, at, stride, m.reference, first, stride, w, columns, rows, WINDOW_STEP) & 0xFFFF
    return _add(
        m, count, QUARTER, y, x, w, top + WINDOW_STEP * (found // columns), left + WINDOW_STEP * (found % columns)
    )


def _best_candidate(k, m, level, y, x, w, count, pred_row, pred_col):
    """row, col and cost of the cheapest candidate, the first of equals."""
    # Four at a time: the last one is repeated.
    for i in range(count, (count + 3) & ~3):
        m.candidates[2 * i] = m.candidates[2 * count - 2]
        m.candidates[2 * i + 1] = m.candidates[2 * count - 1]
    best = np.int64(0)
    best_cost = np.int64(1) << 62
    for i in range(0, count, 4):
        _four_sads(k, m, level, y, x, w, i)
        for j in range(i, min(i + 4, count)):
            row, col = m.candidates[2 * j] - pred_row, m.candidates[2 * j + 1] - pred_col
            cost = (m.found[j - i] << 8) + _vector_cost(m, level, row, col)
            if cost < best_cost:
                best = j
                best_cost = cost
    return m.candidates[2 * best], m.candidates[2 * best + 1], best_cost


def _four_sads(k, m, level, y, x, w, i):
    """The differences at candidates i to i + 3, into m.found."""
    stride = m.stride[level]
    at = m.origin[level] + y * stride + x
    k.sad_x4(
        m.current, at, stride, m.reference,
        at + m.candidates[2 * i] * stride + m.candidates[2 * i + 1],
        at + m.candidates[2 * i + 2] * stride + m.candidates[2 * i + 3],
        at + m.candidates[2 * i + 4] * stride + m.candidates[2 * i + 5],
        at + m.candidates[2 * i + 6] * stride + m.candidates[2 * i + 7],
        stride, w, w, m.found,
    )  # fmt: skip
    return 0


def _vector_cost(m, level, row, col):
    """Price of a vector that lies (row, col) from the expected one, in 1/256 of a difference, for the samples of the level."""
    last = BITS.size - 1
    bits = BITS[min(last, abs(row) << level)] + BITS[min(last, abs(col) << level)]
    return (bits * m.price >> 2) >> (2 * level)


def _downhill(k, m, level, y, x, w, row, col, cost, pred_row, pred_col):
    """From a vector to the best of its four neighbours, and so on while that is better; at full size then to the best of the
    diagonal ones."""
    steps = STEPS[level]
    while steps > 0:
        steps -= 1
        old = cost
        row, col, cost = _best_neighbour(k, m, level, y, x, w, row, col, cost, pred_row, pred_col, 0)
        if cost == old:
            steps = 0
    if level == FULL:
        row, col, cost = _best_neighbour(k, m, level, y, x, w, row, col, cost, pred_row, pred_col, 1)
    return row, col, cost


def _best_neighbour(k, m, level, y, x, w, row, col, cost, pred_row, pred_col, diagonal):
    """row, col and cost of a vector or of the best of its four neighbours (straight or diagonal), if that is better."""
    border = m.border[level]
    up, down = max(row - 1, -border - y), min(row + 1, m.height[level] + border - w - y)
    left, right = max(col - 1, -border - x), min(col + 1, m.width[level] + border - w - x)
    c = m.candidates
    if diagonal:
        c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7] = up, left, up, right, down, left, down, right
    else:
        c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7] = up, col, row, left, row, right, down, col
    near_row, near_col, near_cost = _best_candidate(k, m, level, y, x, w, 4, pred_row, pred_col)
    if near_cost < cost:
        return near_row, near_col, near_cost
    return row, col, cost


def _median(m, side, row, col):
    """The expected vector of an area: the median of those left of it, above it and above it to the right, 0 where there is none."""
    cols = _areas(m.cols16, side)
    a_row, a_col = np.int64(0), np.int64(0)
    b_row, b_col = np.int64(0), np.int64(0)
    c_row, c_col = np.int64(0), np.int64(0)
    if col > 0:
        at = _coarse_at(m, side, row, col - 1)
        a_row, a_col = m.coarse[at], m.coarse[at + 1]
    if row > 0:
        at = _coarse_at(m, side, row - 1, col)
        b_row, b_col = m.coarse[at], m.coarse[at + 1]
        at = _coarse_at(m, side, row - 1, min(col + 1, cols - 1))
        c_row, c_col = m.coarse[at], m.coarse[at + 1]
    else:
        return a_row, a_col
    return _middle(a_row, b_row, c_row), _middle(a_col, b_col, c_col)


def _final_median(m, row, col):
    """The same of the final vectors."""
    a_row, a_col = np.int64(0), np.int64(0)
    if col > 0:
        at = 2 * (row * m.cols16 + col - 1)
        a_row, a_col = np.int64(m.mv[at]) >> 3, np.int64(m.mv[at + 1]) >> 3
    if row == 0:
        return a_row, a_col
    at = 2 * ((row - 1) * m.cols16 + col)
    b_row, b_col = np.int64(m.mv[at]) >> 3, np.int64(m.mv[at + 1]) >> 3
    at = 2 * ((row - 1) * m.cols16 + min(col + 1, m.cols16 - 1))
    c_row, c_col = np.int64(m.mv[at]) >> 3, np.int64(m.mv[at + 1]) >> 3
    return _middle(a_row, b_row, c_row), _middle(a_col, b_col, c_col)


def _middle(a, b, c):
    """The median of three."""
    return max(min(a, b), min(max(a, b), c))
