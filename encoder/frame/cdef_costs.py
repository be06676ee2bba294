"""What each of some CDEF strengths would cost: the error it leaves in every 64x64 area. Plain subset.

Blocks, samples around them, directions and strengths are those of filters.cdef_rows, so the error is the one it will leave.
"""

import numpy as np
from numpy import int64

from encoder.frame.filters import (
    CDEF_BORDER,
    PADDED_SIZE,
    PADDED_STRIDE,
    SB_MI,
    adjusted_strength,
    find_directions,
    pad_area,
)


def cdef_costs(k, f, source, candidates, y_count, step, costs, sb_row_start, sb_row_end):
    """Squared errors against `source`, a picture laid out like f.samples, which holds the deblocked reconstruction, in some
    superblock rows. Rows may be measured in any order and at the same time.

    candidates   pairs (primary, secondary strength): y_count for luma, the others for both chroma planes. f's own
                 strengths are not looked at
    step         1: all 8x8 blocks count; 2, 4: one block in so many, for an estimate
    costs        out: for each 64x64 area in the order of f.cdef_idx one figure a candidate; zeros where cdef_idx is -1
    """
    sb_cols = (f.mi_cols + SB_MI - 1) // SB_MI
    count = len(candidates) // 2
    padded = np.empty(PADDED_SIZE, np.uint16)
    found = np.empty(64, np.int64)
    unfiltered = np.empty(64, np.int64)
    filtered = np.empty(64, np.uint8)
    for sb in range(sb_row_start * sb_cols, sb_row_end * sb_cols):
        first = sb * count
        for i in range(first, first + count):
            costs[i] = 0
        if f.cdef_idx[sb] < 0:
            continue
        mi_row, mi_col = sb // sb_cols * SB_MI, sb % sb_cols * SB_MI
        find_directions(k, f, f.samples, mi_row, mi_col, 1, found)
        _thin_out(found, step)
        for plane in range(3):
            pad_area(f, f.samples, plane, mi_row, mi_col, padded)
            _unfiltered_errors(k, f, source, plane, mi_row, mi_col, found, unfiltered)
            start, end = (y_count, count) if plane > 0 else (0, y_count)
            for c in range(start, end):
                pri_strength, sec_strength = candidates[2 * c], candidates[2 * c + 1]
                costs[first + c] += _error(
                    k, f, source, plane, mi_row, mi_col, pri_strength, sec_strength, padded, found, unfiltered, filtered
                )
    return 0


def _thin_out(found, step):
    """Drop all but one in `step` of the blocks, evenly."""
    for i in range(64):
        if ((i >> 3) + (i & 7) * (step >> 1)) & (step - 1) != 0:
            found[i] = -1
    return 0


def _unfiltered_errors(k, f, source, plane, mi_row, mi_col, found, errors):
    """The error of each of the found blocks as it is."""
    for i in range(64):
        if found[i] >= 0:
            at, w, h = _block_at(f, plane, mi_row, mi_col, i)
            errors[i] = k.sse(f.samples, at, f.stride[plane], source, at, f.stride[plane], w, h)
    return 0


def _block_at(f, plane, mi_row, mi_col, i):
    """Where the i-th 8x8 block of a 64x64 area begins in a plane, and its visible width and height there."""
    sub = 1 if plane > 0 else 0
    side = 8 >> sub
    y = ((4 * mi_row) >> sub) + (i >> 3) * side
    x = ((4 * mi_col) >> sub) + (i & 7) * side
    w = min(side, ((f.width + sub) >> sub) - x)
    h = min(side, ((f.height + sub) >> sub) - y)
    return f.origin[plane] + y * f.stride[plane] + x, w, h


def _error(k, f, source, plane, mi_row, mi_col, pri_strength, sec_strength, padded, found, unfiltered, filtered):
    """The error that a strength leaves in one plane of a 64x64 area: the loop of filters._cdef_plane."""
    side = 4 if plane > 0 else 8
    stride = f.stride[plane]
    damping = f.cdef_damping - 1 if plane > 0 else f.cdef_damping
    total = int64(0)
    for i in range(64):
        if found[i] < 0:
            continue
        strength = pri_strength if plane > 0 else adjusted_strength(pri_strength, found[i] >> 3)
        if strength + sec_strength == 0:
            total += unfiltered[i]
            continue
        direction = found[i] & 7 if pri_strength > 0 else 0
        padded_at = ((i >> 3) * side + CDEF_BORDER) * PADDED_STRIDE + (i & 7) * side + CDEF_BORDER
        k.cdef_filter(
            filtered, 0, side, padded, padded_at, PADDED_STRIDE, side, side, strength, sec_strength, damping, direction
        )
        at, w, h = _block_at(f, plane, mi_row, mi_col, i)
        total += k.sse(filtered, 0, side, source, at, stride, w, h)
    return total
