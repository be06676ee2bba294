"""Motion vectors of coded frames: how they are kept (spec 7.19) and projected onto the frame at hand (spec 7.9). Plain subset.

Both work on cells of 8x8 luma samples, index (mi_row >> 1) * (mi_cols >> 1) + (mi_col >> 1). A cell stands for its odd row and
column; what lies elsewhere never matters. For an inter frame:

    estimate_motion_field(f)   before its tiles, if use_ref_frame_mvs: fills f.motion_field, which the tiles read
    save_motion_vectors(f)     after its tiles, if it becomes a reference: fills its own grid of f.saved_ref_frame and f.saved_mv

The frame floor keeps for each reference slot: where the grid of its frame begins, or that it has none (key frames and
intra-only frames), and that frame's OrderHints. A grid stays as it is while some slot has it. All frames have one size.
"""

from typing import Any, ClassVar

import numpy as np
from numpy import int64

from encoder.byref import Record, i8s, i16s, i64, i64s, u8s
from encoder.frame.order_hints import get_relative_dist
from encoder.intmath import clip3
from encoder.spec import (
    ALTREF2_FRAME,
    ALTREF_FRAME,
    BWDREF_FRAME,
    GOLDEN_FRAME,
    INTRA_FRAME,
    INVALID_MV,
    LAST2_FRAME,
    LAST_FRAME,
    MAX_FRAME_DISTANCE,
    MAX_OFFSET_HEIGHT,
    MAX_OFFSET_WIDTH,
    MFMV_STACK_SIZE,
    NONE,
    REFMVS_LIMIT,
    TOTAL_REFS_PER_FRAME,
)

DIV_MULT = np.array([0] + [(1 << 14) // i for i in range(1, MAX_FRAME_DISTANCE + 1)])
"""Div_Mult of spec 7.9.3."""
PROJECTED_LIMIT = (1 << 14) - 1


class MotionField(Record):
    """A frame and the motion of its references.

    mi_rows, mi_cols, mi_stride      as in the tiles
    order_hint_bits, order_hint      of the sequence; of the frame
    order_hints                      OrderHints: of its references, by ref_frame (0 unused)
    ref_frame_0 .. mv_col_1          block info of the frame; only save_motion_vectors reads it
    saved_ref_frame, saved_mv        a pool of grids: a reference (NONE: no motion vector) and [row, column] for each cell
    saved_at                         first cell of the frame's own grid in the pool
    ref_saved_at                     by ref_frame: first cell of the reference's grid, -1 if it has none
    saved_order_hints                [ref_frame][8]: SavedOrderHints of the reference, its own OrderHints
    motion_field                     MotionFieldMvs [ref_frame][cell][row, column]; INVALID_MV where there is none. The plane
                                     of INTRA_FRAME holds the motion vectors before projection
    spans                            scratch for each cell: how many frames that motion vector covers, 0 where there is none
    """

    FIELDS: ClassVar[dict[str, Any]] = {
        "mi_rows": i64,
        "mi_cols": i64,
        "mi_stride": i64,
        "order_hint_bits": i64,
        "order_hint": i64,
        "order_hints": i64s,
        "ref_frame_0": i8s,
        "ref_frame_1": i8s,
        "mv_row_0": i16s,
        "mv_col_0": i16s,
        "mv_row_1": i16s,
        "mv_col_1": i16s,
        "saved_ref_frame": i8s,
        "saved_mv": i16s,
        "saved_at": i64,
        "ref_saved_at": i64s,
        "saved_order_hints": i64s,
        "motion_field": i16s,
        "spans": u8s,
    }


def motion_cells(mi_rows, mi_cols):
    """Cells of a frame: the length of spans and of one grid of saved_ref_frame; motion_field has 16 words for each."""
    return (mi_rows >> 1) * (mi_cols >> 1)


# Keeping motion vectors ----------------------------------------------------------------------------------------------------


def save_motion_vectors(f):
    """Motion field motion vector storage process (spec 7.19): of each cell one motion vector that leads into the past."""
    width8 = f.mi_cols >> 1
    for y8 in range(f.mi_rows >> 1):
        for x8 in range(width8):
            mi = (2 * y8 + 1) * f.mi_stride + 2 * x8 + 1
            cell = f.saved_at + y8 * width8 + x8
            f.saved_ref_frame[cell] = NONE
            _save(f, cell, int64(f.ref_frame_0[mi]), int64(f.mv_row_0[mi]), int64(f.mv_col_0[mi]))
            _save(f, cell, int64(f.ref_frame_1[mi]), int64(f.mv_row_1[mi]), int64(f.mv_col_1[mi]))
    return 0


def _save(f, cell, ref_frame, row, col):
    """Keep the motion vector of one list if it may be; the second list's takes the place of the first one's."""
    if ref_frame <= INTRA_FRAME or abs(row) > REFMVS_LIMIT or abs(col) > REFMVS_LIMIT:
        return
    if get_relative_dist(f.order_hint_bits, f.order_hints[ref_frame], f.order_hint) < 0:
        f.saved_ref_frame[cell] = ref_frame
        f.saved_mv[2 * cell] = row
        f.saved_mv[2 * cell + 1] = col


# Projecting them -----------------------------------------------------------------------------------------------------------


def estimate_motion_field(f):
    """Motion field estimation process (spec 7.9.1).

    First what moves into which cell, the last one counts; then for each reference how far it has moved there.
    """
    for cell in range(motion_cells(f.mi_rows, f.mi_cols)):
        f.spans[cell] = 0
    if f.saved_order_hints[LAST_FRAME * TOTAL_REFS_PER_FRAME + ALTREF_FRAME] != f.order_hints[GOLDEN_FRAME]:
        _project(f, LAST_FRAME, -1)
    ref_stamp = MFMV_STACK_SIZE - 2
    # The first two of them are never too many.
    for src in (BWDREF_FRAME, ALTREF2_FRAME, ALTREF_FRAME):
        if ref_stamp >= 0 and get_relative_dist(f.order_hint_bits, f.order_hints[src], f.order_hint) > 0:
            ref_stamp -= _project(f, src, 1)
    if ref_stamp >= 0:
        _project(f, LAST2_FRAME, -1)
    for dst in range(LAST_FRAME, ALTREF_FRAME + 1):
        _fill(f, dst)
    return 0


def _project(f, src, dst_sign):
    """Projection process (spec 7.9.2) of one reference: motion vectors and spans into their cells; 0 if it has none, else 1."""
    if f.ref_saved_at[src] < 0:
        return int64(0)
    ref_to_cur = get_relative_dist(f.order_hint_bits, f.order_hints[src], f.order_hint)
    if abs(ref_to_cur) > MAX_FRAME_DISTANCE:
        return int64(1)
    height8, width8 = f.mi_rows >> 1, f.mi_cols >> 1
    for y8 in range(height8):
        for x8 in range(width8):
            saved = f.ref_saved_at[src] + y8 * width8 + x8
            src_ref = int64(f.saved_ref_frame[saved])
            if src_ref <= INTRA_FRAME:
                continue
            saved_hint = f.saved_order_hints[src * TOTAL_REFS_PER_FRAME + src_ref]
            ref_offset = get_relative_dist(f.order_hint_bits, f.order_hints[src], saved_hint)
            if ref_offset <= 0 or ref_offset > MAX_FRAME_DISTANCE:
                continue
            row, col = int64(f.saved_mv[2 * saved]), int64(f.saved_mv[2 * saved + 1])
            factor = ref_to_cur * dst_sign * DIV_MULT[ref_offset]
            pos_y8 = y8 + dst_sign * _cells_moved(_scaled(row, factor))
            pos_x8 = x8 + dst_sign * _cells_moved(_scaled(col, factor))
            if _is_near(pos_y8, y8, height8, MAX_OFFSET_HEIGHT) and _is_near(pos_x8, x8, width8, MAX_OFFSET_WIDTH):
                cell = pos_y8 * width8 + pos_x8
                f.motion_field[2 * cell] = row
                f.motion_field[2 * cell + 1] = col
                f.spans[cell] = ref_offset
    return int64(1)


def _scaled(component, factor):
    """A component of get_mv_projection (spec 7.9.3); factor is the clipped numerator times Div_Mult of the denominator."""
    product = component * factor
    # Round2Signed( product, 14 ) without a branch on the sign.
    return max(-PROJECTED_LIMIT, min(PROJECTED_LIMIT, (product + 8192 + (product >> 63)) >> 14))


def _cells_moved(component):
    """Whole cells in a component, towards zero (project, spec 7.9.4)."""
    return component >> 6 if component >= 0 else -(-component >> 6)


def _is_near(pos8, from8, max8, max_offset8):
    """Whether a cell lies in the frame and not too far from the superblock that it is projected from (project, spec 7.9.4)."""
    base8 = from8 & ~7
    return 0 <= pos8 < max8 and base8 - max_offset8 <= pos8 < base8 + 8 + max_offset8


def _fill(f, dst):
    """The plane of one reference: all motion vectors projected onto the way from the frame to it."""
    cells = motion_cells(f.mi_rows, f.mi_cols)
    ref_to_dst = get_relative_dist(f.order_hint_bits, f.order_hint, f.order_hints[dst])
    numerator = clip3(-MAX_FRAME_DISTANCE, MAX_FRAME_DISTANCE, ref_to_dst)
    for cell in range(cells):
        at = 2 * (dst * cells + cell)
        span = f.spans[cell]
        # Div_Mult of 0 is 0.
        factor = numerator * DIV_MULT[span]
        row = _scaled(int64(f.motion_field[2 * cell]), factor)
        col = _scaled(int64(f.motion_field[2 * cell + 1]), factor)
        f.motion_field[at] = row if span > 0 else INVALID_MV
        f.motion_field[at + 1] = col if span > 0 else INVALID_MV
