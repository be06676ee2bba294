"""In-loop filters of a whole frame: deblocking (spec 7.14) and CDEF (spec 7.15), 8 bits, 4:2:0. Plain subset.

Both work on ranges of superblock rows, so that threads can share a frame. Rows of one pass may run in any order and at
the same time; each pass starts when the pass before it is done everywhere:

    deblock_rows pass 0  ->  deblock_rows pass 1  ->  copy the samples  ->  cdef_rows from the copy into the frame

Left out because the encoder does not use it: segmentation, delta_lf, loop_filter_delta_enabled, lossless. So one level
holds for all edges of a plane and direction.
"""

from typing import Any, ClassVar

import numpy as np
from numpy import int64

from encoder.byref import Record, i8s, i64, i64s, u8s
from encoder.intmath import msb
from encoder.kernels.table import CDEF_UNAVAILABLE

# Sizes by the specification's BLOCK_* and TX_*, as log2 of the number of 4-sample units.
BLOCK_WIDTH_LOG2 = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 0, 2, 1, 3, 2, 4])
BLOCK_HEIGHT_LOG2 = np.array([0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 2, 0, 3, 1, 4, 2])
TX_WIDTH_LOG2 = np.array([0, 1, 2, 3, 4, 0, 1, 1, 2, 2, 3, 3, 4, 0, 2, 1, 3, 2, 4])
TX_HEIGHT_LOG2 = np.array([0, 1, 2, 3, 4, 1, 0, 2, 1, 3, 2, 4, 3, 2, 0, 3, 1, 4, 2])

SB_MI = 16
"""Side of a superblock, and of the 64x64 area that shares a cdef_idx, in mi units."""
CDEF_BORDER = 3
PADDED_STRIDE = 64 + 2 * CDEF_BORDER
PADDED_SIZE = PADDED_STRIDE * PADDED_STRIDE


class FilterView(Record):
    """A frame as the filters see it.

    samples                     the reconstruction, all three planes, decoded as far as mi_rows and mi_cols go
    origin, stride              per plane: index of the first sample, samples per row
    width, height               visible luma samples (FrameWidth, FrameHeight)
    mi_rows, mi_cols            the frame in mi units (even numbers)
    block_size, tx_size,        per mi, index mi_row * mi_stride + mi_col: BLOCK_* of the specification, luma TX_*, and
    skip, is_inter              two flags, 0 or 1. A skipped inter block has the largest transform of its size
    loop_filter_level           4 levels 0..63: luma vertical edges, luma horizontal edges, U, V
    loop_filter_sharpness       0..7
    cdef_idx                    per 64x64 area, index sb_row * ceil(mi_cols / 16) + sb_col: 0..7, or -1: not filtered
    cdef_y_pri_strength, ...    by cdef_idx; primary 0..15, secondary 0, 1, 2 or 4 (a coded 3 means 4)
    cdef_damping                3..6 (CdefDamping)
    """

    FIELDS: ClassVar[dict[str, Any]] = {
        "samples": u8s,
        "origin": i64s,
        "stride": i64s,
        "width": i64,
        "height": i64,
        "mi_rows": i64,
        "mi_cols": i64,
        "mi_stride": i64,
        "block_size": u8s,
        "tx_size": u8s,
        "skip": u8s,
        "is_inter": u8s,
        "loop_filter_level": i64s,
        "loop_filter_sharpness": i64,
        "cdef_idx": i8s,
        "cdef_y_pri_strength": i64s,
        "cdef_y_sec_strength": i64s,
        "cdef_uv_pri_strength": i64s,
        "cdef_uv_sec_strength": i64s,
        "cdef_damping": i64,
    }


def squared_error(k, f, source, plane):
    """Sum of squared differences of the visible samples of a plane to `source`, a picture laid out like f.samples."""
    sub = 1 if plane > 0 else 0
    width, height = (f.width + sub) >> sub, (f.height + sub) >> sub
    total = int64(0)
    for y in range(0, height, 64):
        for x in range(0, width, 64):
            at = f.origin[plane] + y * f.stride[plane] + x
            w, h = min(64, width - x), min(64, height - y)
            total += k.sse(f.samples, at, f.stride[plane], source, at, f.stride[plane], w, h)
    return total


def superblock_rows(f):
    """Number of superblock rows of the frame."""
    return (f.mi_rows + SB_MI - 1) // SB_MI


def deblock_rows(k, f, pass_number, sb_row_start, sb_row_end):
    """One pass of the loop filter process (spec 7.14.1) on some superblock rows: 0 vertical edges, 1 horizontal edges.

    Pass 1 also changes the last samples of the superblock row above the first.
    """
    if f.loop_filter_level[0] == 0 and f.loop_filter_level[1] == 0:
        return 0
    for plane in range(3):
        _deblock_plane_rows(k, f, plane, pass_number, sb_row_start, sb_row_end)
    return 0


def deblock_plane(k, f, plane):
    """Loop filter process (spec 7.14.1) of one plane, whatever the levels of the others: to try a level."""
    for pass_number in range(2):
        _deblock_plane_rows(k, f, plane, pass_number, 0, superblock_rows(f))
    return 0


def _deblock_plane_rows(k, f, plane, pass_number, sb_row_start, sb_row_end):
    # Spec 7.14.5 without segments and deltas.
    level = f.loop_filter_level[plane + 1 if plane > 0 else pass_number]
    if level == 0:
        return 0
    sub = 1 if plane > 0 else 0
    # What is on screen, in units of 4x4 samples of the plane.
    rows = (((f.height + 3) >> 2) + sub) >> sub
    cols = (((f.width + 3) >> 2) + sub) >> sub
    for sb_row in range(sb_row_start, sb_row_end):
        top = (sb_row * SB_MI) >> sub
        bottom = min(rows, top + (SB_MI >> sub))
        # Lines run along the edges. The picture's own border is none.
        vertical = pass_number == 0
        lines = (1, cols) if vertical else (max(1, top), bottom)
        first, end = (top, bottom) if vertical else (0, cols)
        for line in range(lines[0], lines[1]):
            _deblock_line(k, f, plane, vertical, level, line, first, end)
    return 0


def _deblock_line(k, f, plane, vertical, level, line, first, end):
    """Edge loop filter process (spec 7.14.2) along one line of the 4x4 grid, from unit `first` to `end`.

    The line is followed transform block by transform block, so that the kernel gets edges as long as both sides allow.
    """
    sub = 1 if plane > 0 else 0
    stride = f.stride[plane]
    across, along = (1, stride) if vertical else (stride, 1)
    mi_across, mi_along = (1 << sub, f.mi_stride << sub) if vertical else (f.mi_stride << sub, 1 << sub)
    # Chroma uses the mode info at the odd row and column of its 4x4 unit.
    mi_line = sub * (f.mi_stride + 1) + line * mi_across
    line_at = f.origin[plane] + 4 * line * across
    unit = first
    while unit < end:
        mi = mi_line + unit * mi_along
        size_across = _tx_size_log2(f, mi, plane, vertical)
        size_along = _tx_size_log2(f, mi, plane, not vertical)
        stop = min(end, _next_multiple(unit, size_along))
        if _is_multiple(line, size_across) and _has_edge(f, mi, plane, vertical, line):
            while unit < stop:
                prev_mi = mi_line + unit * mi_along - mi_across
                size = min(size_across, _tx_size_log2(f, prev_mi, plane, vertical), 1 if plane > 0 else 2)
                prev_stop = min(stop, _next_multiple(unit, _tx_size_log2(f, prev_mi, plane, not vertical)))
                count = 4 * (prev_stop - unit)
                at = line_at + 4 * unit * along
                k.deblock_edge(f.samples, at, across, along, count, 4 << size, level, f.loop_filter_sharpness, plane)
                unit = prev_stop
        unit = stop
    return 0


def _has_edge(f, mi, plane, vertical, line):
    """applyFilter of spec 7.14.2 for a transform edge: inside a skipped inter block nothing is filtered."""
    return f.skip[mi] == 0 or f.is_inter[mi] == 0 or _is_multiple(line, _block_size_log2(f, mi, plane, vertical))


def _tx_size_log2(f, mi, plane, of_width):
    """log2 of a transform's width or height in units of 4 samples (LoopfilterTxSizes; get_tx_size of spec 5.11.37)."""
    if plane > 0:
        return min(3, _block_size_log2(f, mi, plane, of_width))
    tx_size = f.tx_size[mi]
    return TX_WIDTH_LOG2[tx_size] if of_width else TX_HEIGHT_LOG2[tx_size]


def _block_size_log2(f, mi, plane, of_width):
    """log2 of a block's width or height in units of 4 samples (get_plane_residual_size of spec 5.11.38)."""
    block_size = f.block_size[mi]
    size = BLOCK_WIDTH_LOG2[block_size] if of_width else BLOCK_HEIGHT_LOG2[block_size]
    return max(0, size - 1) if plane > 0 else size


def _is_multiple(unit, size_log2):
    return unit & ((1 << size_log2) - 1) == 0


def _next_multiple(unit, size_log2):
    return ((unit >> size_log2) + 1) << size_log2


def cdef_rows(k, f, source, sb_row_start, sb_row_end):
    """CDEF process (spec 7.15) on some superblock rows: reads source, writes f.samples."""
    sb_cols = (f.mi_cols + SB_MI - 1) // SB_MI
    padded = np.empty(PADDED_SIZE, np.uint16)
    found = np.empty(64, np.int64)
    for sb_row in range(sb_row_start, sb_row_end):
        for sb_col in range(sb_cols):
            idx = f.cdef_idx[sb_row * sb_cols + sb_col]
            if idx >= 0:
                _cdef_superblock(k, f, source, sb_row * SB_MI, sb_col * SB_MI, idx, padded, found)
    return 0


def _cdef_superblock(k, f, source, mi_row, mi_col, idx, padded, found):
    """CDEF block process (spec 7.15.1) on the 8x8 blocks of a 64x64 area.

    found[i] is what cdef_direction says of the i-th 8x8 block, or -1 where the block is skipped or outside the frame.
    """
    y_pri, y_sec = f.cdef_y_pri_strength[idx], f.cdef_y_sec_strength[idx]
    uv_pri, uv_sec = f.cdef_uv_pri_strength[idx], f.cdef_uv_sec_strength[idx]
    # Without strength CDEF changes nothing.
    if y_pri + y_sec + uv_pri + uv_sec == 0:
        return 0
    if find_directions(k, f, source, mi_row, mi_col, y_pri + uv_pri, found) == 0:
        return 0
    for plane in range(3):
        pri_strength, sec_strength = (uv_pri, uv_sec) if plane > 0 else (y_pri, y_sec)
        if pri_strength + sec_strength > 0:
            _cdef_plane(k, f, source, plane, mi_row, mi_col, pri_strength, sec_strength, padded, found)
    return 0


def find_directions(k, f, source, mi_row, mi_col, any_pri_strength, found):
    """Fill `found`; returns the number of blocks to be filtered. Directions matter to the primary filter alone."""
    count = 0
    for i in range(64):
        row = mi_row + 2 * (i >> 3)
        col = mi_col + 2 * (i & 7)
        found[i] = -1
        if row < f.mi_rows and col < f.mi_cols and not _is_skipped(f, row * f.mi_stride + col):
            count += 1
            found[i] = 0
            if any_pri_strength > 0:
                found[i] = k.cdef_direction(source, f.origin[0] + 4 * row * f.stride[0] + 4 * col, f.stride[0])
    return count


def _is_skipped(f, mi):
    """Whether all four mi of an 8x8 block are skipped."""
    below = mi + f.mi_stride
    return f.skip[mi] != 0 and f.skip[mi + 1] != 0 and f.skip[below] != 0 and f.skip[below + 1] != 0


def _cdef_plane(k, f, source, plane, mi_row, mi_col, pri_strength, sec_strength, padded, found):
    """CDEF filter process (spec 7.15.3) on the found blocks in one plane of a 64x64 area."""
    pad_area(f, source, plane, mi_row, mi_col, padded)
    stride = f.stride[plane]
    side = 4 if plane > 0 else 8
    damping = f.cdef_damping - 1 if plane > 0 else f.cdef_damping
    at = f.origin[plane] + (mi_row // 2) * side * stride + (mi_col // 2) * side
    for i in range(64):
        if found[i] < 0:
            continue
        strength = pri_strength if plane > 0 else adjusted_strength(pri_strength, found[i] >> 3)
        if strength + sec_strength == 0:
            continue
        # For 4:2:0 chroma Cdef_Uv_Dir is the identity.
        direction = found[i] & 7 if pri_strength > 0 else 0
        y, x = (i >> 3) * side, (i & 7) * side
        padded_at = (y + CDEF_BORDER) * PADDED_STRIDE + x + CDEF_BORDER
        dst_at = at + y * stride + x
        k.cdef_filter(
            f.samples,
            dst_at,
            stride,
            padded,
            padded_at,
            PADDED_STRIDE,
            side,
            side,
            strength,
            sec_strength,
            damping,
            direction,
        )
    return 0


def adjusted_strength(pri_strength, variance):
    """Steps 4 and 5 of spec 7.15.1: luma blocks with a clear direction are filtered more."""
    if variance == 0:
        return 0
    variance_strength = min(msb(variance >> 6), 12) if variance >= 64 else 0
    return (pri_strength * (4 + variance_strength) + 8) >> 4


def pad_area(f, source, plane, mi_row, mi_col, padded):
    """Copy a 64x64 area of a plane and its border to `padded`; what is outside the frame's mi area is not available."""
    sub = 1 if plane > 0 else 0
    rows, cols = (4 * f.mi_rows) >> sub, (4 * f.mi_cols) >> sub
    y0, x0 = (4 * mi_row) >> sub, (4 * mi_col) >> sub
    side = 64 >> sub
    left = max(0, x0 - CDEF_BORDER)
    count = min(cols, x0 + side + CDEF_BORDER) - left
    for i in range(PADDED_SIZE):
        padded[np.uint64(i)] = CDEF_UNAVAILABLE
    # Plain loops over unsigned indices: LLVM vectorises them, and slices would take numba seconds longer to compile.
    for y in range(max(0, y0 - CDEF_BORDER), min(rows, y0 + side + CDEF_BORDER)):
        to = (y - y0 + CDEF_BORDER) * PADDED_STRIDE + left - x0 + CDEF_BORDER
        at = f.origin[plane] + y * f.stride[plane] + left
        for x in range(count):
            padded[np.uint64(to + x)] = source[np.uint64(at + x)]
    return 0
