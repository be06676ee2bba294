"""Motion vector prediction: the stack of candidates of a block for one reference or a pair of them (spec 7.10.2), and what
the modes make of it (spec 5.11.23, 5.11.26). Plain subset.

find_mv_stack fills a row of t.mv_stack; the words of a row that begins at `at`:

    at + NUM_MV_FOUND, NEW_MV_CONTEXT, REF_MV_CONTEXT, ZERO_MV_CONTEXT
    at + DRL_CONTEXT + idx                        DrlCtxStack of idx 0..2, more are never coded
    at + STACK + idx * STACK_ENTRY + ROW_0 ..     RefStackMv: row and column for list 0, the same for list 1, and the weight

With one reference, entries 0 and 1 hold motion vectors whatever NUM_MV_FOUND says; list 1 is 0.

Global motion is the identity for all references, so GlobalMvs is 0 everywhere; force_integer_mv is 0. Blocks are square. Of
the block info, an intra block has ref_frame_0 = INTRA_FRAME and no second reference.
"""

import numpy as np
from numpy import int64

from encoder.intmath import clip3
from encoder.spec import (
    GLOBAL_GLOBALMV,
    GLOBALMV,
    INTRA_FRAME,
    INVALID_MV,
    MAX_REF_MV_STACK_SIZE,
    MV_BORDER,
    NEAR_NEARMV,
    NEAR_NEWMV,
    NEAREST_NEWMV,
    NEARESTMV,
    NEARMV,
    NEW_NEARMV,
    NEW_NEWMV,
    NEWMV,
    REF_CAT_LEVEL,
)
from encoder.tile.blocks import block_4x4s, info_at, is_decoded, is_inside

NUM_MV_FOUND, NEW_MV_CONTEXT, REF_MV_CONTEXT, ZERO_MV_CONTEXT, DRL_CONTEXT = range(5)
DRL_CONTEXTS = 3
_NEW_MV_COUNT = 7
STACK, STACK_ENTRY = 8, 5
ROW_0, COL_0, ROW_1, COL_1, WEIGHT = range(STACK_ENTRY)

# Scratch of the extra search, one part a list, over entries that are empty then: RefIdCount, RefDiffCount, RefIdMvs, RefDiffMvs.
_EXTRA, _EXTRA_LIST = STACK + 2 * STACK_ENTRY, 10
_ID_COUNT, _DIFF_COUNT, _ID_MVS, _DIFF_MVS = 0, 1, 2, 6

MV_LIMIT = 1 << 14
"""Components of a motion vector are smaller than this (is_mv_valid, spec 6.10.25)."""
MV_DIFF_LIMIT = 1 << 14
"""Magnitudes of diffMv are at most this: the end of the last mv_class."""

# get_mode (spec 5.11.30): by YMode - NEARESTMV and list.
MODE_OF_LIST = np.array(
    [
        *(NEARESTMV, NEARESTMV, NEARMV, NEARMV, GLOBALMV, GLOBALMV, NEWMV, NEWMV),
        *(NEARESTMV, NEARESTMV, NEARMV, NEARMV, NEARESTMV, NEWMV, NEWMV, NEARESTMV),
        *(NEARMV, NEWMV, NEWMV, NEARMV, GLOBALMV, GLOBALMV, NEWMV, NEWMV),
    ]
)


# The stack -----------------------------------------------------------------------------------------------------------------


def find_mv_stack(t, at, mi_row, mi_col, block_size, ref_0, ref_1):
    """Fill the row of t.mv_stack at `at` for RefFrame = ref_0, ref_1 (NONE: one reference); gives NumMvFound (spec 7.10.2)."""
    stack = t.mv_stack
    size4 = block_4x4s(block_size)
    here = info_at(t, mi_row, mi_col)
    above, left = here - t.mi_stride, here - 1
    has_above, has_left = mi_row > t.mi_row_start, mi_col > t.mi_col_start
    rows, cols = min(size4, t.mi_rows - mi_row), min(size4, t.mi_cols - mi_col)
    least = int64(4 if size4 >= 16 else 1)
    stack[at + NUM_MV_FOUND] = 0
    stack[at + _NEW_MV_COUNT] = 0
    stack[at + ZERO_MV_CONTEXT] = 0

    found_above, found_left = int64(0), int64(0)
    scans_above, scans_left = int64(1), int64(1)
    if has_above:
        scans_above = _scans_within(t, above, size4)
        found_above = _scan(t, at, above, int64(1), cols, size4, least, scans_above, ref_0, ref_1)
    if has_left:
        scans_left = _scans_within(t, left, size4)
        found_left = _scan(t, at, left, t.mi_stride, rows, size4, least, scans_left, ref_0, ref_1)
    if has_above and mi_col + size4 < t.mi_col_end and is_decoded(t, 0, (mi_row & 15) - 1, (mi_col & 15) + size4):
        found_above |= _add_candidate(t, at, above + size4, ref_0, ref_1, int64(4))
    close_matches = found_above + found_left
    num_nearest, num_new = stack[at + NUM_MV_FOUND], stack[at + _NEW_MV_COUNT]
    for idx in range(num_nearest):
        stack[_entry(at, idx) + WEIGHT] += REF_CAT_LEVEL

    if t.use_ref_frame_mvs:
        _temporal_scan(t, at, mi_row, mi_col, size4, ref_0, ref_1)
    if has_above and has_left:
        found_above |= _add_candidate(t, at, above - 1, ref_0, ref_1, int64(4))
    # Far rows and columns: 3 and 5 away, for a 4x4 block the 8x8 unit beside its own.
    least = max(least, int64(2))
    row_odd, col_odd = mi_row & 1, mi_col & 1
    for scan in range(1, 3 if size4 > 1 else 2):
        up, back = 2 * scan + 1 - row_odd, 2 * scan + 1 - col_odd
        if scan >= scans_above and mi_row - up >= t.mi_row_start:
            first = here - up * t.mi_stride + 1 - col_odd
            found_above |= _scan(t, at, first, int64(1), cols, size4, least, int64(1), ref_0, ref_1)
        if scan >= scans_left and mi_col - back >= t.mi_col_start:
            first = here - back + (1 - row_odd) * t.mi_stride
            found_left |= _scan(t, at, first, t.mi_stride, rows, size4, least, int64(1), ref_0, ref_1)

    _sort(t, at, int64(0), num_nearest)
    _sort(t, at, num_nearest, stack[at + NUM_MV_FOUND])
    if stack[at + NUM_MV_FOUND] < 2:
        _extra_search(t, at, here, has_above, has_left, min(rows, cols), ref_0, ref_1)
    _set_contexts(t, at, close_matches, found_above + found_left, num_new)
    _clamp_stack(t, at, mi_row, mi_col, size4)
    return stack[at + NUM_MV_FOUND]


def _entry(at, idx):
    return at + STACK + idx * STACK_ENTRY


def _scans_within(t, neighbour, size4):
    """How many of the three scans on its side of the block meet the neighbour and nothing else: rows 1, 3, 5 (columns alike).

    They add up weights of one candidate, which can be done at once.
    """
    size = block_4x4s(t.block_size[neighbour])
    if size4 == 1 or size < size4 or size < 4:
        return int64(1)
    return int64(2 if size == 4 else 3)


def _scan(t, at, first, along, end4, size4, least, times, ref_0, ref_1):
    """Scan row or scan col process (spec 7.10.2.2, 7.10.2.3), `times` times at once: FoundMatch.

    first, along   index of the first position in the block info, and from one position to the next
    least          in 4x4 units, how far to go at least from one candidate to the next
    """
    found = int64(0)
    i = int64(0)
    while i < end4:
        candidate = first + i * along
        length = max(least, min(size4, block_4x4s(t.block_size[candidate])))
        found |= _add_candidate(t, at, candidate, ref_0, ref_1, 2 * length * times)
        i += length
    return found


def _add_candidate(t, at, candidate, ref_0, ref_1, weight):
    """Add reference motion vector process (spec 7.10.2.7): whether the candidate has the references that are looked for."""
    frame_0, frame_1 = int64(t.ref_frame_0[candidate]), int64(t.ref_frame_1[candidate])
    if ref_1 > INTRA_FRAME:
        if frame_0 != ref_0 or frame_1 != ref_1:
            return int64(0)
        _add_pair(t, at, candidate, weight)
    elif frame_0 == ref_0:
        _add_single(t, at, candidate, int64(t.mv_row_0[candidate]), int64(t.mv_col_0[candidate]), weight)
    elif frame_1 == ref_0:
        _add_single(t, at, candidate, int64(t.mv_row_1[candidate]), int64(t.mv_col_1[candidate]), weight)
    else:
        return int64(0)
    return int64(1)


def _add_single(t, at, candidate, row, col, weight):
    """Search stack process (spec 7.10.2.8)."""
    if has_newmv(t.y_mode[candidate]):
        t.mv_stack[at + _NEW_MV_COUNT] += 1
    _push(t, at, lower_mv_precision(t, row), lower_mv_precision(t, col), int64(0), int64(0), weight)


def _add_pair(t, at, candidate, weight):
    """Compound search stack process (spec 7.10.2.9)."""
    if has_newmv(t.y_mode[candidate]):
        t.mv_stack[at + _NEW_MV_COUNT] += 1
    row_0 = lower_mv_precision(t, int64(t.mv_row_0[candidate]))
    col_0 = lower_mv_precision(t, int64(t.mv_col_0[candidate]))
    row_1 = lower_mv_precision(t, int64(t.mv_row_1[candidate]))
    col_1 = lower_mv_precision(t, int64(t.mv_col_1[candidate]))
    _push(t, at, row_0, col_0, row_1, col_1, weight)


def lower_mv_precision(t, component):
    """A component without the bit that only high precision has: towards zero (spec 7.10.2.10)."""
    if t.allow_high_precision_mv or not component & 1:
        return component
    return component - 1 if component > 0 else component + 1


def _push(t, at, row_0, col_0, row_1, col_1, weight):
    """The end of the search stack processes (spec 7.10.2.8, 7.10.2.9): more weight, or a new entry if there is room."""
    stack = t.mv_stack
    count = stack[at + NUM_MV_FOUND]
    entry = at + STACK
    for _ in range(count):
        if (
            stack[entry + ROW_0] == row_0
            and stack[entry + COL_0] == col_0
            and stack[entry + ROW_1] == row_1
            and stack[entry + COL_1] == col_1
        ):
            stack[entry + WEIGHT] += weight
            return
        entry += STACK_ENTRY
    if count < MAX_REF_MV_STACK_SIZE:
        _set_entry(t, entry, row_0, col_0, row_1, col_1, weight)
        stack[at + NUM_MV_FOUND] = count + 1


def _set_entry(t, entry, row_0, col_0, row_1, col_1, weight):
    t.mv_stack[entry + ROW_0] = row_0
    t.mv_stack[entry + COL_0] = col_0
    t.mv_stack[entry + ROW_1] = row_1
    t.mv_stack[entry + COL_1] = col_1
    t.mv_stack[entry + WEIGHT] = weight


def _sort(t, at, start, end):
    """Sorting process (spec 7.10.2.11): stable, by falling weight, entries start .. end - 1."""
    stack = t.mv_stack
    for idx in range(start + 1, end):
        entry = _entry(at, idx)
        low = _entry(at, start)
        while entry > low and stack[entry - STACK_ENTRY + WEIGHT] < stack[entry + WEIGHT]:
            for word in range(entry, entry + STACK_ENTRY):
                stack[word - STACK_ENTRY], stack[word] = stack[word], stack[word - STACK_ENTRY]
            entry -= STACK_ENTRY


# Temporal candidates -------------------------------------------------------------------------------------------------------


def _temporal_scan(t, at, mi_row, mi_col, size4, ref_0, ref_1):
    """Temporal scan process (spec 7.10.2.5)."""
    step = int64(4 if size4 >= 16 else 2)
    for row in range(max(size4 // step, 1)):
        for col in range(max(size4 // step, 1)):
            is_far = _temporal_sample(t, at, mi_row + row * step, mi_col + col * step, ref_0, ref_1)
            if row == 0 and col == 0:
                t.mv_stack[at + ZERO_MV_CONTEXT] = is_far
    if 2 <= size4 < 16:
        _temporal_sample_in_superblock(t, at, mi_row, mi_col, size4, int64(-2), ref_0, ref_1)
        _temporal_sample_in_superblock(t, at, mi_row, mi_col, size4, size4, ref_0, ref_1)
        _temporal_sample_in_superblock(t, at, mi_row, mi_col, size4 - 2, size4, ref_0, ref_1)


def _temporal_sample_in_superblock(t, at, mi_row, mi_col, delta_row, delta_col, ref_0, ref_1):
    """Temporal sample, if check_sb_border (spec 7.10.2.5) allows it."""
    row, col = (mi_row & 15) + delta_row, (mi_col & 15) + delta_col
    if row < 16 and 0 <= col < 16:
        _temporal_sample(t, at, mi_row + delta_row, mi_col + delta_col, ref_0, ref_1)


def _temporal_sample(t, at, mi_row, mi_col, ref_0, ref_1):
    """Temporal sample process (spec 7.10.2.6): 0 if it found a motion vector near the global one, else 1."""
    row, col = mi_row | 1, mi_col | 1
    if not is_inside(t, row, col):
        return int64(1)
    width8 = t.mi_cols >> 1
    cell = 2 * ((row >> 1) * width8 + (col >> 1))
    plane = 2 * width8 * (t.mi_rows >> 1)
    field = t.motion_field
    cell_0, cell_1 = ref_0 * plane + cell, ref_1 * plane + cell
    row_1, col_1 = int64(0), int64(0)
    if field[cell_0] == INVALID_MV:
        return int64(1)
    if ref_1 > INTRA_FRAME:
        if field[cell_1] == INVALID_MV:
            return int64(1)
        row_1 = lower_mv_precision(t, int64(field[cell_1]))
        col_1 = lower_mv_precision(t, int64(field[cell_1 + 1]))
    row_0 = lower_mv_precision(t, int64(field[cell_0]))
    col_0 = lower_mv_precision(t, int64(field[cell_0 + 1]))
    _push(t, at, row_0, col_0, row_1, col_1, int64(2))
    return int64(1 if max(abs(row_0), abs(col_0), abs(row_1), abs(col_1)) >= 16 else 0)


# Extra search --------------------------------------------------------------------------------------------------------------


def _extra_search(t, at, here, has_above, has_left, num4x4, ref_0, ref_1):
    """Extra search process (spec 7.10.2.12): candidates with other references, then the global ones, until there are two."""
    stack = t.mv_stack
    if ref_1 > INTRA_FRAME:
        for part in range(at + _EXTRA, at + _EXTRA + 2 * _EXTRA_LIST, _EXTRA_LIST):
            stack[part + _ID_COUNT] = 0
            stack[part + _DIFF_COUNT] = 0
    if has_above:
        _extra_scan(t, at, here - t.mi_stride, int64(1), num4x4, ref_0, ref_1)
    if has_left:
        _extra_scan(t, at, here - 1, t.mi_stride, num4x4, ref_0, ref_1)
    if ref_1 > INTRA_FRAME:
        _combine(t, at)
    else:
        for idx in range(stack[at + NUM_MV_FOUND], 2):
            _set_entry(t, _entry(at, idx), int64(0), int64(0), int64(0), int64(0), int64(0))


def _extra_scan(t, at, first, along, num4x4, ref_0, ref_1):
    """One pass of the extra search, along the row above or the column to the left."""
    i = int64(0)
    while i < num4x4 and t.mv_stack[at + NUM_MV_FOUND] < 2:
        candidate = first + i * along
        frame_0, frame_1 = int64(t.ref_frame_0[candidate]), int64(t.ref_frame_1[candidate])
        if frame_0 > INTRA_FRAME:
            row, col = int64(t.mv_row_0[candidate]), int64(t.mv_col_0[candidate])
            _add_extra(t, at, frame_0, row, col, ref_0, ref_1)
        if frame_1 > INTRA_FRAME:
            row, col = int64(t.mv_row_1[candidate]), int64(t.mv_col_1[candidate])
            _add_extra(t, at, frame_1, row, col, ref_0, ref_1)
        i += block_4x4s(t.block_size[candidate])


def _add_extra(t, at, frame, row, col, ref_0, ref_1):
    """Add extra MV candidate process (spec 7.10.2.13) for one list of the candidate."""
    if ref_1 > INTRA_FRAME:
        _note_extra(t, at + _EXTRA, frame, row, col, ref_0)
        _note_extra(t, at + _EXTRA + _EXTRA_LIST, frame, row, col, ref_1)
        return
    if t.ref_sign_bias[frame] != t.ref_sign_bias[ref_0]:
        row, col = -row, -col
    stack = t.mv_stack
    count = stack[at + NUM_MV_FOUND]
    for idx in range(count):
        entry = _entry(at, idx)
        if stack[entry + ROW_0] == row and stack[entry + COL_0] == col:
            return
    _set_entry(t, _entry(at, count), row, col, int64(0), int64(0), int64(2))
    stack[at + NUM_MV_FOUND] = count + 1


def _note_extra(t, part, frame, row, col, ref):
    """Keep a motion vector for one list of a pair: two at most of the same reference, two of others."""
    stack = t.mv_stack
    ids, diffs = stack[part + _ID_COUNT], stack[part + _DIFF_COUNT]
    if frame == ref and ids < 2:
        stack[part + _ID_MVS + 2 * ids] = row
        stack[part + _ID_MVS + 2 * ids + 1] = col
        stack[part + _ID_COUNT] = ids + 1
    elif diffs < 2:
        sign = int64(-1 if t.ref_sign_bias[frame] != t.ref_sign_bias[ref] else 1)
        stack[part + _DIFF_MVS + 2 * diffs] = sign * row
        stack[part + _DIFF_MVS + 2 * diffs + 1] = sign * col
        stack[part + _DIFF_COUNT] = diffs + 1


def _combine(t, at):
    """The end of the extra search for a pair: combinedMvs onto the stack, which then has two entries."""
    stack = t.mv_stack
    first, second = at + _EXTRA, at + _EXTRA + _EXTRA_LIST
    row_0, col_0 = _combined(t, first, int64(0))
    row_1, col_1 = _combined(t, second, int64(0))
    row_2, col_2 = _combined(t, first, int64(1))
    row_3, col_3 = _combined(t, second, int64(1))
    entry = at + STACK
    if stack[at + NUM_MV_FOUND] == 0:
        _set_entry(t, entry, row_0, col_0, row_1, col_1, int64(2))
        _set_entry(t, entry + STACK_ENTRY, row_2, col_2, row_3, col_3, int64(2))
    elif (
        stack[entry + ROW_0] == row_0
        and stack[entry + COL_0] == col_0
        and stack[entry + ROW_1] == row_1
        and stack[entry + COL_1] == col_1
    ):
        _set_entry(t, entry + STACK_ENTRY, row_2, col_2, row_3, col_3, int64(2))
    else:
        _set_entry(t, entry + STACK_ENTRY, row_0, col_0, row_1, col_1, int64(2))
    stack[at + NUM_MV_FOUND] = 2


def _combined(t, part, idx):
    """combinedMvs[idx] of a list: the motion vectors of the same reference, then of others, then the global one."""
    stack = t.mv_stack
    ids = stack[part + _ID_COUNT]
    if idx < ids:
        at = part + _ID_MVS + 2 * idx
    elif idx - ids < stack[part + _DIFF_COUNT]:
        at = part + _DIFF_MVS + 2 * (idx - ids)
    else:
        return int64(0), int64(0)
    return stack[at], stack[at + 1]


# Contexts and clamping -----------------------------------------------------------------------------------------------------


def _set_contexts(t, at, close_matches, total_matches, num_new):
    """Contexts of new_mv, ref_mv and drl_mode (context and clamping process, spec 7.10.2.14)."""
    stack = t.mv_stack
    count = stack[at + NUM_MV_FOUND]
    for idx in range(DRL_CONTEXTS):
        context = int64(0)
        if idx + 1 < count:
            if stack[_entry(at, idx) + WEIGHT] < REF_CAT_LEVEL:
                context = int64(2)
            elif stack[_entry(at, idx + 1) + WEIGHT] < REF_CAT_LEVEL:
                context = int64(1)
        stack[at + DRL_CONTEXT + idx] = context
    if close_matches == 0:
        stack[at + NEW_MV_CONTEXT] = min(total_matches, int64(1))
        stack[at + REF_MV_CONTEXT] = total_matches
    else:
        stack[at + NEW_MV_CONTEXT] = 1 + 2 * close_matches - min(num_new, int64(1))
        stack[at + REF_MV_CONTEXT] = 2 + total_matches if close_matches == 1 else int64(5)


def _clamp_stack(t, at, mi_row, mi_col, size4):
    """Keep the block that a candidate points to near the frame (context and clamping process, spec 7.10.2.14)."""
    stack = t.mv_stack
    border = MV_BORDER + 32 * size4
    top, bottom = -32 * mi_row - border, 32 * (t.mi_rows - size4 - mi_row) + border
    left, right = -32 * mi_col - border, 32 * (t.mi_cols - size4 - mi_col) + border
    for idx in range(stack[at + NUM_MV_FOUND]):
        entry = _entry(at, idx)
        stack[entry + ROW_0] = clip3(top, bottom, stack[entry + ROW_0])
        stack[entry + COL_0] = clip3(left, right, stack[entry + COL_0])
        stack[entry + ROW_1] = clip3(top, bottom, stack[entry + ROW_1])
        stack[entry + COL_1] = clip3(left, right, stack[entry + COL_1])


# What modes make of the stack ----------------------------------------------------------------------------------------------


def has_newmv(y_mode):
    """Whether a motion vector difference is coded for some list (has_newmv, spec 7.10.2.9)."""
    return y_mode == NEWMV or (y_mode >= NEAREST_NEWMV and y_mode != GLOBAL_GLOBALMV)


def has_nearmv(y_mode):
    """Whether some list takes a candidate beyond the first (has_nearmv, spec 5.11.23)."""
    return y_mode in (NEARMV, NEAR_NEARMV, NEAR_NEWMV, NEW_NEARMV)


def mode_of_list(y_mode, ref_list):
    """What an inter mode, single or compound, means for one list: NEARESTMV, NEARMV, GLOBALMV or NEWMV (get_mode)."""
    return MODE_OF_LIST[2 * (int64(y_mode) - NEARESTMV) + ref_list]


def pred_mv(t, at, y_mode, ref_mv_idx, ref_list):
    """Row and column of PredMv of a list (assign_mv, spec 5.11.26): the motion vector itself, or what NEWMV adds diffMv to."""
    mode = mode_of_list(y_mode, ref_list)
    if mode == GLOBALMV:
        return int64(0), int64(0)
    idx = int64(ref_mv_idx)
    if mode == NEARESTMV or (mode == NEWMV and t.mv_stack[at + NUM_MV_FOUND] <= 1):
        idx = int64(0)
    entry = _entry(at, idx) + 2 * ref_list
    return t.mv_stack[entry + ROW_0], t.mv_stack[entry + COL_0]


def first_ref_mv_idx(y_mode):
    """The lowest RefMvIdx of a mode, which is also the idx of its first drl_mode."""
    return int64(1 if has_nearmv(y_mode) else 0)


def last_ref_mv_idx(t, at, y_mode):
    """The highest RefMvIdx that a mode can have with this stack (spec 5.11.23)."""
    first = first_ref_mv_idx(y_mode)
    if first == 0 and y_mode != NEWMV and y_mode != NEW_NEWMV:
        return first
    return max(first, min(first + 2, t.mv_stack[at + NUM_MV_FOUND] - 1))


def drl_modes(t, at, y_mode, ref_mv_idx):
    """How many drl_mode symbols code a RefMvIdx (spec 5.11.23).

    The i-th has the idx first_ref_mv_idx + i, the context at DRL_CONTEXT + idx, and is 1 if ref_mv_idx > idx, else 0.
    """
    first = first_ref_mv_idx(y_mode)
    return min(ref_mv_idx + 1, last_ref_mv_idx(t, at, y_mode)) - first


def is_mv_valid(row, col):
    """Whether a stream may have this motion vector (is_mv_valid, spec 6.10.25)."""
    return abs(row) < MV_LIMIT and abs(col) < MV_LIMIT


def is_mv_diff_valid(t, row, col):
    """Whether read_mv (spec 5.11.31) can give this difference: not too large, and even unless high precision is allowed."""
    fits = abs(row) <= MV_DIFF_LIMIT and abs(col) <= MV_DIFF_LIMIT
    return fits and (t.allow_high_precision_mv != 0 or not (row | col) & 1)
