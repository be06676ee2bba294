"""Loop restoration units in a tile's symbols (spec 5.11.57, 5.11.58), and what their coefficients take in bits. Plain subset.

Coefficients are coded relative to those of the unit before in the tile: t.ref_lr_wiener and t.ref_sgr_xqd.
"""

from numpy import int64

from encoder.intmath import clip3, msb
from encoder.spec import RESTORE_NONE, RESTORE_SGRPROJ, RESTORE_WIENER
from encoder.tables import table
from encoder.tile.cdf import RESTORATION_TYPE, USE_SGRPROJ, USE_WIENER
from encoder.tile.symbol import write_bool, write_literal, write_symbol

WIENER_TAPS_MIN, WIENER_TAPS_MAX = table("wiener_taps_min"), table("wiener_taps_max")
WIENER_TAPS_K, WIENER_TAPS_MID = table("wiener_taps_k"), table("wiener_taps_mid")
SGRPROJ_XQD_MIN, SGRPROJ_XQD_MAX = table("sgrproj_xqd_min"), table("sgrproj_xqd_max")
SGRPROJ_XQD_MID = table("sgrproj_xqd_mid")
SGR_PARAMS = table("sgr_params")
SGRPROJ_PARAMS_BITS, SGRPROJ_PRJ_SUBEXP_K, SGRPROJ_PRJ_BITS = 4, 4, 7


def clear_restoration_references(t):
    """What the first units of a tile refer to (decode_tile of spec 5.11.2)."""
    for plane in range(3):
        for direction in range(2):
            t.ref_sgr_xqd[2 * plane + direction] = SGRPROJ_XQD_MID[direction]
            for i in range(3):
                t.ref_lr_wiener[6 * plane + 3 * direction + i] = WIENER_TAPS_MID[i]


def write_restoration(t, mi_row, mi_col):
    """read_lr of spec 5.11.57: the units that begin in the superblock at mi_row, mi_col."""
    for plane in range(3):
        if t.lr_type[plane] == RESTORE_NONE:
            continue
        mi_size = 2 if plane > 0 else 4
        size, cols = t.lr_unit_size[plane], t.lr_unit_cols[plane]
        row_start, row_end = _begun(mi_row * mi_size, size), _begun((mi_row + 16) * mi_size, size)
        col_start, col_end = _begun(mi_col * mi_size, size), _begun((mi_col + 16) * mi_size, size)
        for unit_row in range(row_start, min(t.lr_unit_rows[plane], row_end)):
            for unit_col in range(col_start, min(cols, col_end)):
                _write_unit(t, plane, t.lr_unit_at[plane] + unit_row * cols + unit_col)


def _begun(position, size):
    """How many units begin before a position."""
    return (position + size - 1) // size


def _write_unit(t, plane, unit):
    """read_lr_unit of spec 5.11.58."""
    kind = int64(t.lr_unit_type[unit])
    if t.lr_type[plane] == RESTORE_WIENER:
        write_bool(t, USE_WIENER, int64(kind == RESTORE_WIENER))
    elif t.lr_type[plane] == RESTORE_SGRPROJ:
        write_bool(t, USE_SGRPROJ, int64(kind == RESTORE_SGRPROJ))
    else:
        write_symbol(t, RESTORATION_TYPE, 3, kind)
    if kind == RESTORE_WIENER:
        _write_wiener(t, plane, 6 * unit)
    elif kind == RESTORE_SGRPROJ:
        _write_self_guided(t, plane, unit)


def _write_wiener(t, plane, taps_at):
    for i in range(6):
        ref_at = 6 * plane + i
        value = int64(t.lr_wiener[taps_at + i])
        if i % 3 > 0 or plane == 0:
            code, length = wiener_code(i % 3, value, t.ref_lr_wiener[ref_at])
            write_literal(t, code, length)
            t.ref_lr_wiener[ref_at] = value


def _write_self_guided(t, plane, unit):
    sgr_set = int64(t.lr_sgr_set[unit])
    write_literal(t, sgr_set, SGRPROJ_PARAMS_BITS)
    for i in range(2):
        value = int64(t.lr_sgr_xqd[2 * unit + i])
        if SGR_PARAMS[sgr_set, 2 * i] > 0:
            code, length = self_guided_code(i, value, t.ref_sgr_xqd[2 * plane + i])
            write_literal(t, code, length)
        t.ref_sgr_xqd[2 * plane + i] = value


def second_weight_without_radius(first):
    """LrSgrXqd[1] of a set whose second filter has no radius: not coded."""
    return clip3(SGRPROJ_XQD_MIN[1], SGRPROJ_XQD_MAX[1], (1 << SGRPROJ_PRJ_BITS) - first)


def wiener_code(i, value, ref):
    """The i-th coefficient of a direction as a literal: (code, length)."""
    return _signed_subexp_code(value, WIENER_TAPS_MIN[i], WIENER_TAPS_MAX[i] + 1, WIENER_TAPS_K[i], ref)


def self_guided_code(i, value, ref):
    """The i-th weight as a literal: (code, length)."""
    return _signed_subexp_code(value, SGRPROJ_XQD_MIN[i], SGRPROJ_XQD_MAX[i] + 1, int64(SGRPROJ_PRJ_SUBEXP_K), ref)


def _signed_subexp_code(value, low, high, k, ref):
    """decode_signed_subexp_with_ref_bool of spec 5.11.58, backwards."""
    largest = high - low - 1
    x, r = value - low, ref - low
    if 2 * r <= largest + 1:
        return _subexp_code(_recentered(r, x), largest + 1, k)
    return _subexp_code(_recentered(largest - r, largest - x), largest + 1, k)


def _recentered(r, x):
    """inverse_recenter of spec 5.9.29, backwards: values near r become small."""
    if x > 2 * r:
        return x
    if x >= r:
        return 2 * (x - r)
    return 2 * (r - x) - 1


def _subexp_code(value, count, k):
    """decode_subexp_bool of spec 5.11.58, backwards; its bits are all of equal probability, so they make one literal."""
    code, length = int64(0), int64(0)
    begin, bits = int64(0), k
    while count > begin + (3 << bits):
        if value < begin + (1 << bits):
            return (code << (1 + bits)) | (value - begin), length + 1 + bits
        code = (code << 1) | 1
        begin += 1 << bits
        # The second class is as large as the first, every later one twice the one before.
        if length > 0:
            bits += 1
        length += 1
    return _uniform_code(value - begin, count - begin, code, length)


def _uniform_code(value, count, code, length):
    """NS(count) of spec 4.10.10, backwards, behind `length` bits of code."""
    bits = msb(count) + 1
    short = (1 << bits) - count
    if value < short:
        return (code << (bits - 1)) | value, length + bits - 1
    return (code << bits) | (value + short), length + bits
