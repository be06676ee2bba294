"""Coefficients of one transform block: contexts, syntax and rate (spec 5.11.39 and the contexts of 8.3.2).

Magnitudes of the block, limited to 15, lie in t.magnitudes, and limited to 3 in t.base_levels, with LEVELS_STRIDE entries a row
and four zeros behind each row and below the last, so that no context has to ask where the block ends.
"""

import numpy as np
from numpy import int64

from encoder.intmath import msb
from encoder.spec import (
    COEFF_BASE_RANGE,
    NUM_BASE_LEVELS,
    TX_32X32,
    TX_CLASS_2D,
    TX_CLASS_HORIZ,
    TX_CLASS_VERT,
    V_DCT,
)
from encoder.tables import table
from encoder.tile import cdf
from encoder.tile.state import LEVELS_STRIDE, SCAN_AT
from encoder.tile.symbol import RATE_BITS, write_bool, write_golomb, write_literal, write_symbol

GOLOMB_FROM = NUM_BASE_LEVELS + COEFF_BASE_RANGE + 1
COEFF_BASE_POS_CTX_OFFSET = table("coeff_base_pos_ctx_offset")

EOB_PT = np.array([cdf.EOB_PT_16, cdf.EOB_PT_64, cdf.EOB_PT_256, cdf.EOB_PT_1024, cdf.EOB_PT_1024])
EOB_PT_SYMBOLS = np.array([5, 7, 9, 11, 11])


def tx_class(tx_type):
    """2D, horizontal or vertical (get_tx_class, spec 8.3.2)."""
    if tx_type < V_DCT:
        return TX_CLASS_2D
    # From V_DCT on vertical and horizontal types take turns.
    return TX_CLASS_HORIZ if (tx_type - V_DCT) & 1 else TX_CLASS_VERT


def scan_at(tx_size, tx_type):
    """Where the block's scan begins in t.scans."""
    return SCAN_AT[tx_size * 3 + tx_class(tx_type)]


def coded_size(tx_size):
    """Width of the coefficients that exist: 64-point transforms keep 32."""
    return int64(4) << min(tx_size, int64(TX_32X32))


def reach(size, cls, eob):
    """Rows and columns that the first eob coefficients of a scan can lie in: diagonals for the 2D class."""
    if cls != TX_CLASS_2D:
        return size
    diagonals = int64(1)
    while diagonals < size and diagonals * (diagonals + 1) < 2 * eob:
        diagonals += 1
    return diagonals


def load_magnitudes(t, levels, size, used):
    """Fill t.magnitudes and t.base_levels from the upper left used x used of size x size levels; all others are zero."""
    for row in range(used):
        at = row * LEVELS_STRIDE
        for col in range(used):
            magnitude = abs(levels[row * size + col])
            t.magnitudes[at + col] = min(magnitude, GOLOMB_FROM)
            t.base_levels[at + col] = min(magnitude, NUM_BASE_LEVELS + 1)
        for i in range(at + used, at + used + 4):
            t.magnitudes[i] = 0
            t.base_levels[i] = 0
    for row in range(used, used + 4):
        at = row * LEVELS_STRIDE
        for i in range(at, at + used + 4):
            t.magnitudes[i] = 0
            t.base_levels[i] = 0


def base_context(t, tx_size, cls, row, col):
    """Context of coeff_base, from five neighbours that come later in the scan."""
    b = t.base_levels
    at = row * LEVELS_STRIDE + col
    total = int64(b[at + 1]) + int64(b[at + LEVELS_STRIDE])
    if cls == TX_CLASS_2D:
        if at == 0:
            return int64(0)
        total += int64(b[at + LEVELS_STRIDE + 1]) + int64(b[at + 2]) + int64(b[at + 2 * LEVELS_STRIDE])
        return min((total + 1) >> 1, int64(4)) + int64(t.base_offsets[tx_size * LEVELS_STRIDE**2 + at])
    if cls == TX_CLASS_HORIZ:
        total += int64(b[at + 2]) + int64(b[at + 3]) + int64(b[at + 4])
        return min((total + 1) >> 1, int64(4)) + COEFF_BASE_POS_CTX_OFFSET[min(col, int64(2))]
    total += int64(b[at + 2 * LEVELS_STRIDE]) + int64(b[at + 3 * LEVELS_STRIDE]) + int64(b[at + 4 * LEVELS_STRIDE])
    return min((total + 1) >> 1, int64(4)) + COEFF_BASE_POS_CTX_OFFSET[min(row, int64(2))]


def range_context(t, cls, row, col):
    """Context of coeff_br, from three neighbours."""
    at = row * LEVELS_STRIDE + col
    total = int64(t.magnitudes[at + 1]) + int64(t.magnitudes[at + LEVELS_STRIDE])
    if cls == TX_CLASS_2D:
        total += int64(t.magnitudes[at + LEVELS_STRIDE + 1])
    elif cls == TX_CLASS_HORIZ:
        total += int64(t.magnitudes[at + 2])
    else:
        total += int64(t.magnitudes[at + 2 * LEVELS_STRIDE])
    return min((total + 1) >> 1, int64(6)) + lone_range_context(cls, row, col)


def lone_range_context(cls, row, col):
    """Context of coeff_br where the neighbours are zero: what the place says."""
    if row == 0 and col == 0:
        return int64(0)
    if cls == TX_CLASS_2D:
        near = row < 2 and col < 2
    elif cls == TX_CLASS_HORIZ:
        near = col == 0
    else:
        near = row == 0
    return int64(7 if near else 14)


def eob_context(size, c):
    """Context of coeff_base_eob: how deep in the scan the last coefficient lies."""
    if c == 0:
        return 0
    if c <= size * size // 8:
        return 1
    if c <= size * size // 4:
        return 2
    return 3


def _ptype(plane):
    return 1 if plane > 0 else 0


def txb_skip_cdf(tx_size, context):
    """CDF of all_zero."""
    return cdf.TXB_SKIP + (tx_size * cdf.TXB_SKIP_CONTEXTS + context) * cdf.BOOL_ROW


def _eob_pt_cdf(plane, tx_size, cls):
    symbols = EOB_PT_SYMBOLS[tx_size]
    if tx_size >= TX_32X32:
        return cdf.EOB_PT_1024 + _ptype(plane) * (symbols + 1)
    return EOB_PT[tx_size] + (_ptype(plane) * 2 + (0 if cls == TX_CLASS_2D else 1)) * (symbols + 1)


def _eob_extra_cdf(plane, tx_size, eob_pt):
    return cdf.EOB_EXTRA + ((tx_size * 2 + _ptype(plane)) * 9 + eob_pt - 3) * cdf.BOOL_ROW


def base_cdf(plane, tx_size, context):
    """CDF of coeff_base."""
    return cdf.COEFF_BASE + ((tx_size * 2 + _ptype(plane)) * cdf.COEFF_BASE_CONTEXTS + context) * cdf.COEFF_BASE_ROW


def base_eob_cdf(plane, tx_size, context):
    """CDF of coeff_base_eob, whose symbols begin with level 1."""
    row = (tx_size * 2 + _ptype(plane)) * cdf.COEFF_BASE_EOB_CONTEXTS + context
    return cdf.COEFF_BASE_EOB + row * cdf.COEFF_BASE_EOB_ROW


def range_cdf(plane, tx_size, context):
    """CDF of coeff_br."""
    row = (min(tx_size, int64(TX_32X32)) * 2 + _ptype(plane)) * cdf.COEFF_BR_CONTEXTS + context
    return cdf.COEFF_BR + row * cdf.COEFF_BR_ROW


def _dc_sign_cdf(plane, context):
    return cdf.DC_SIGN + (_ptype(plane) * 3 + context) * cdf.BOOL_ROW


def _eob_pt(eob):
    """Which power-of-two class an end of block lies in: 1, 2, 3-4, 5-8, ... give 1, 2, 3, 4, ..."""
    return eob if eob < 3 else msb(eob - 1) + 2


def write_eob(t, plane, tx_size, cls, eob):
    """eob_pt_*, eob_extra and eob_extra_bit."""
    eob_pt = _eob_pt(eob)
    write_symbol(t, _eob_pt_cdf(plane, tx_size, cls), EOB_PT_SYMBOLS[tx_size], eob_pt - 1)
    if eob_pt >= 3:
        shift = eob_pt - 3
        offset = eob - (int64(1) << (eob_pt - 2)) - 1
        write_bool(t, _eob_extra_cdf(plane, tx_size, eob_pt), (offset >> shift) & 1)
        write_literal(t, offset & ((int64(1) << shift) - 1), shift)


def write_coefs(t, plane, tx_size, tx_type, levels, eob, dc_sign_context):
    """Everything behind all_zero and the transform type of a block with eob > 0."""
    cls = tx_class(tx_type)
    size = coded_size(tx_size)
    size_log2 = msb(size)
    scan = scan_at(tx_size, tx_type)
    load_magnitudes(t, levels, size, reach(size, cls, eob))
    write_eob(t, plane, tx_size, cls, eob)
    for c in range(eob - 1, -1, -1):
        pos = int64(t.scans[scan + c])
        row, col = pos >> size_log2, pos & (size - 1)
        level = int64(t.magnitudes[row * LEVELS_STRIDE + col])
        if c == eob - 1:
            write_symbol(t, base_eob_cdf(plane, tx_size, eob_context(size, c)), 3, min(level, int64(3)) - 1)
        else:
            write_symbol(t, base_cdf(plane, tx_size, base_context(t, tx_size, cls, row, col)), 4, min(level, int64(3)))
        if level > NUM_BASE_LEVELS:
            at = range_cdf(plane, tx_size, range_context(t, cls, row, col))
            rest = level - NUM_BASE_LEVELS - 1
            for _ in range(4):
                write_symbol(t, at, 4, min(rest, int64(3)))
                if rest < 3:
                    break
                rest -= 3
    for c in range(eob):
        value = int64(levels[int64(t.scans[scan + c])])
        if value == 0:
            continue
        if c == 0:
            write_bool(t, _dc_sign_cdf(plane, dc_sign_context), 1 if value < 0 else 0)
        else:
            write_literal(t, int64(1 if value < 0 else 0), 1)
        if abs(value) >= GOLOMB_FROM:
            write_golomb(t, abs(value) - GOLOMB_FROM + 1)


def eob_rate(t, plane, tx_size, cls, eob):
    """Rate of what write_eob would write, from t.rate, in 1/512 bit; each bit behind eob_pt counts as one."""
    eob_pt = _eob_pt(eob)
    return int64(t.rate[_eob_pt_cdf(plane, tx_size, cls) + eob_pt - 1]) + (max(int64(0), eob_pt - 2) << RATE_BITS)


def range_rate(t, at, level):
    """Rate of what follows a base level of 3, from t.rate, in 1/512 bit: coeff_br by the CDF at `at`, and golomb."""
    rate, rest = int64(0), min(level, int64(GOLOMB_FROM)) - NUM_BASE_LEVELS - 1
    for _ in range(4):
        rate += t.rate[at + min(rest, int64(3))]
        if rest < 3:
            break
        rest -= 3
    if level >= GOLOMB_FROM:
        rate += (2 * msb(level - GOLOMB_FROM + 1) + 1) << RATE_BITS
    return rate


# Contexts between blocks ---------------------------------------------------------------------------------------------------


def _visible_units(t, plane, x4, y4, size4):
    """How many of a transform block's 4x4 columns and rows lie inside the frame."""
    sub = _ptype(plane)
    return min(size4, (t.mi_cols >> sub) - x4), min(size4, (t.mi_rows >> sub) - y4)


def _context_at(t, plane, x4, y4):
    return plane * t.context_stride + x4, plane * 16 + (y4 & (15 >> _ptype(plane)))


def all_zero_context(t, plane, x4, y4, size4, block_size4):
    """Context of all_zero for a transform block of size4 units in a (plane) block of block_size4 units."""
    columns, rows = _visible_units(t, plane, x4, y4, size4)
    above_at, left_at = _context_at(t, plane, x4, y4)
    top = left = int64(0)
    if plane == 0:
        if size4 == block_size4:
            return int64(0)
        for i in range(columns):
            top = max(top, int64(t.above_level[above_at + i]))
        for i in range(rows):
            left = max(left, int64(t.left_level[left_at + i]))
        low, high = min(top, left), max(top, left)
        if high == 0:
            return int64(1)
        if low == 0:
            return int64(3 if high > 3 else 2)
        if high <= 3:
            return int64(4)
        return int64(5 if low <= 3 else 6)
    for i in range(columns):
        top |= int64(t.above_level[above_at + i]) | int64(t.above_dc[above_at + i])
    for i in range(rows):
        left |= int64(t.left_level[left_at + i]) | int64(t.left_dc[left_at + i])
    return int64(7) + (top != 0) + (left != 0) + (3 if block_size4 > size4 else 0)


def dc_sign_context(t, plane, x4, y4, size4):
    """Context of dc_sign: what the neighbours' DC signs add up to."""
    columns, rows = _visible_units(t, plane, x4, y4, size4)
    above_at, left_at = _context_at(t, plane, x4, y4)
    balance = int64(0)
    for i in range(columns):
        balance += DC_CATEGORY_SIGN[t.above_dc[above_at + i]]
    for i in range(rows):
        balance += DC_CATEGORY_SIGN[t.left_dc[left_at + i]]
    if balance < 0:
        return 1
    return 2 if balance > 0 else 0


DC_CATEGORY_SIGN = np.array([0, -1, 1])


def set_coef_contexts(t, plane, x4, y4, size4, levels, count):
    """Leave culLevel and dcCategory for the neighbours to come; count 0 for a block without coefficients."""
    total, category = int64(0), int64(0)
    for i in range(count):
        total += abs(int64(levels[i]))
    if count > 0 and levels[0] != 0:
        category = int64(1 if levels[0] < 0 else 2)
    above_at, left_at = _context_at(t, plane, x4, y4)
    for i in range(size4):
        t.above_level[above_at + i] = min(total, int64(63))
        t.above_dc[above_at + i] = category
        t.left_level[left_at + i] = min(total, int64(63))
        t.left_dc[left_at + i] = category
