"""Mode info of a block, the intra part: syntax, contexts and rates (spec 5.11.4, 5.11.7 to 5.11.11, 5.11.15, 5.11.22, 5.11.42
to 5.11.47); what only inter blocks have stands in inter_modes.
"""

import numpy as np
from numpy import int64

from encoder.spec import (
    CFL_SIGN_NEG,
    CFL_SIGN_POS,
    CFL_SIGN_ZERO,
    DC_PRED,
    DCT_DCT,
    MAX_ANGLE_DELTA,
    PARTITION_HORZ,
    PARTITION_HORZ_4,
    PARTITION_HORZ_A,
    PARTITION_HORZ_B,
    PARTITION_SPLIT,
    PARTITION_VERT,
    PARTITION_VERT_4,
    PARTITION_VERT_A,
    PARTITION_VERT_B,
    TX_16X16,
    TX_32X32,
    TX_SET_DCTONLY,
    TX_SET_INTER_1,
    TX_SET_INTER_2,
    TX_SET_INTER_3,
    TX_SET_INTRA_1,
    TX_SET_INTRA_2,
    UV_CFL_PRED,
    V_PRED,
)
from encoder.tables import table
from encoder.tile import cdf
from encoder.tile.blocks import info_at, is_inside
from encoder.tile.predict import is_directional
from encoder.tile.symbol import MARKER_CDEF, record_marker, write_symbol, write_unadapted_bool

INTRA_MODE_CONTEXT = table("intra_mode_context")
MODE_TO_TXFM = table("mode_to_txfm")
# Symbol of each transform type, 16 a set, first the sets of intra blocks, then those of inter blocks (the inverse of
# Tx_Type_Intra_Inv_Set1 .. Tx_Type_Inter_Inv_Set3, spec 5.11.47); -1: not in the set.
TX_TYPE_SYMBOL = np.array(
    [
        *(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
        *(1, 5, 6, 4, -1, -1, -1, -1, -1, 0, 2, 3, -1, -1, -1, -1),
        *(1, 3, 4, 2, -1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1, -1),
        *(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
        *(7, 8, 9, 12, 10, 11, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6),
        *(3, 4, 5, 8, 6, 7, 9, 10, 11, 0, 1, 2, -1, -1, -1, -1),
        *(1, -1, -1, -1, -1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1, -1),
    ]
)
TX_SETS_INTRA = 3
TX_SET_SYMBOLS = np.array([1, 7, 5, 1, 16, 12, 2])
# Partitions whose probability goes to split_or_horz and split_or_vert = 1 (spec 8.3.2).
SPLIT_OR_HORZ = np.array(
    [PARTITION_VERT, PARTITION_SPLIT, PARTITION_HORZ_A, PARTITION_VERT_A, PARTITION_VERT_B, PARTITION_VERT_4]
)
SPLIT_OR_VERT = np.array(
    [PARTITION_HORZ, PARTITION_SPLIT, PARTITION_HORZ_A, PARTITION_HORZ_B, PARTITION_VERT_A, PARTITION_HORZ_4]
)


# Partition -----------------------------------------------------------------------------------------------------------------


def partition_cdf(t, mi_row, mi_col, block_size):
    """CDF of partition, by the sizes of the blocks above and left. block_size BLOCK_8X8 or larger."""
    above = is_inside(t, mi_row - 1, mi_col) and t.block_size[info_at(t, mi_row - 1, mi_col)] < block_size
    left = is_inside(t, mi_row, mi_col - 1) and t.block_size[info_at(t, mi_row, mi_col - 1)] < block_size
    context = (2 if left else 0) + (1 if above else 0)
    level = block_size // 3
    if level == 1:
        return cdf.PARTITION_W8 + context * cdf.PARTITION_W8_ROW
    return cdf.PARTITION_W16 + ((level - 2) * cdf.PARTITION_CONTEXTS + context) * cdf.PARTITION_ROW


def _probability(t, at, symbol):
    below = int64(t.cdf[at + symbol - 1]) if symbol > 0 else int64(0)
    return int64(t.cdf[at + symbol]) - below


def forced_split_probability(t, at, has_rows):
    """Probability (15 bits) that split_or_horz (no rows below) or split_or_vert is 0."""
    total = int64(0)
    for symbol in SPLIT_OR_VERT if has_rows else SPLIT_OR_HORZ:
        total += _probability(t, at, symbol)
    return 32768 - total


def write_partition(t, mi_row, mi_col, block_size, partition):
    """partition, split_or_horz or split_or_vert, or nothing where only a split is possible (spec 5.11.4)."""
    half = int64(1) << (block_size // 3 - 1)
    has_rows, has_cols = mi_row + half < t.mi_rows, mi_col + half < t.mi_cols
    if not has_rows and not has_cols:
        return
    at = partition_cdf(t, mi_row, mi_col, block_size)
    if has_rows and has_cols:
        write_symbol(t, at, 4 if block_size == 3 else 10, partition)
    else:
        write_unadapted_bool(t, forced_split_probability(t, at, has_rows), 1)


# Skip, CDEF ----------------------------------------------------------------------------------------------------------------


def skip_cdf(t, mi_row, mi_col):
    """CDF of skip: how many of the neighbours above and left skip."""
    context = int64(0)
    if is_inside(t, mi_row - 1, mi_col):
        context += int64(t.skip[info_at(t, mi_row - 1, mi_col)])
    if is_inside(t, mi_row, mi_col - 1):
        context += int64(t.skip[info_at(t, mi_row, mi_col - 1)])
    return cdf.SKIP + context * cdf.BOOL_ROW


def write_cdef(t, mi_row, mi_col, skip, cdef_choice):
    """cdef_idx, at the first block of a 64x64 that is not skipped (spec 5.11.56)."""
    at = (mi_row >> 4) * t.sb_cols + (mi_col >> 4)
    if not skip and t.cdef_idx[at] == -1:
        t.cdef_idx[at] = cdef_choice
        record_marker(t, MARKER_CDEF, at)


# Modes ---------------------------------------------------------------------------------------------------------------------


def y_mode_cdf(t, mi_row, mi_col, block_size):
    """CDF of intra_frame_y_mode, by the modes above and left; in inter frames of y_mode, by the block's size (Size_Group)."""
    if not t.frame_is_intra:
        return cdf.INTER_Y_MODE + min(int64(block_size) // 3, int64(3)) * cdf.Y_MODE_ROW
    above = left = int64(DC_PRED)
    if is_inside(t, mi_row - 1, mi_col):
        above = int64(t.y_mode[info_at(t, mi_row - 1, mi_col)])
    if is_inside(t, mi_row, mi_col - 1):
        left = int64(t.y_mode[info_at(t, mi_row, mi_col - 1)])
    return cdf.Y_MODE + (INTRA_MODE_CONTEXT[above] * 5 + INTRA_MODE_CONTEXT[left]) * cdf.Y_MODE_ROW


def cfl_allowed(block_size):
    """Chroma from luma is for blocks up to 32x32 (spec 8.3.2, uv_mode)."""
    return block_size <= 9


def uv_mode_cdf(y_mode, block_size):
    """CDF of uv_mode."""
    if cfl_allowed(block_size):
        return cdf.UV_MODE_CFL_ALLOWED + y_mode * cdf.UV_CFL_ALLOWED_ROW
    return cdf.UV_MODE_CFL_NOT_ALLOWED + y_mode * cdf.UV_CFL_NOT_ALLOWED_ROW


def angle_delta_cdf(mode):
    """CDF of angle_delta_y and angle_delta_uv."""
    return cdf.ANGLE_DELTA + (mode - V_PRED) * cdf.ANGLE_DELTA_ROW


def has_angle_delta(mode, block_size):
    """Angle deltas are coded from 8x8 on."""
    return block_size >= 3 and is_directional(mode)


def cfl_sign(alpha):
    """CFL_SIGN_* of an alpha."""
    if alpha == 0:
        return CFL_SIGN_ZERO
    return CFL_SIGN_POS if alpha > 0 else CFL_SIGN_NEG


def cfl_alpha_cdf(sign, other_sign):
    """CDF of cfl_alpha_u (sign U, sign V) and of cfl_alpha_v (sign V, sign U); sign is not zero."""
    return cdf.CFL_ALPHA + ((sign - 1) * 3 + other_sign) * cdf.CFL_ALPHA_ROW


def write_cfl_alphas(t, alpha_u, alpha_v):
    """cfl_alpha_signs, cfl_alpha_u, cfl_alpha_v (spec 5.11.45); not both alphas are zero."""
    sign_u, sign_v = cfl_sign(alpha_u), cfl_sign(alpha_v)
    write_symbol(t, cdf.CFL_SIGN, 8, sign_u * 3 + sign_v - 1)
    if alpha_u != 0:
        write_symbol(t, cfl_alpha_cdf(sign_u, sign_v), 16, abs(alpha_u) - 1)
    if alpha_v != 0:
        write_symbol(t, cfl_alpha_cdf(sign_v, sign_u), 16, abs(alpha_v) - 1)


def cfl_rate(t, alpha_u, alpha_v):
    """Rate of what write_cfl_alphas writes."""
    sign_u, sign_v = cfl_sign(alpha_u), cfl_sign(alpha_v)
    rate = int64(t.rate[cdf.CFL_SIGN + sign_u * 3 + sign_v - 1])
    if alpha_u != 0:
        rate += t.rate[cfl_alpha_cdf(sign_u, sign_v) + abs(alpha_u) - 1]
    if alpha_v != 0:
        rate += t.rate[cfl_alpha_cdf(sign_v, sign_u) + abs(alpha_v) - 1]
    return rate


def write_intra_modes(t, mi_row, mi_col, block_size, with_chroma):
    """intra_frame_y_mode or y_mode to the chroma angle, as they stand in the block info (spec 5.11.7, 5.11.22)."""
    at = info_at(t, mi_row, mi_col)
    y_mode, uv_mode = int64(t.y_mode[at]), int64(t.uv_mode[at])
    write_symbol(t, y_mode_cdf(t, mi_row, mi_col, block_size), 13, y_mode)
    if has_angle_delta(y_mode, block_size):
        write_symbol(t, angle_delta_cdf(y_mode), 7, int64(t.angle_y[at]) + MAX_ANGLE_DELTA)
    if not with_chroma:
        return
    write_symbol(t, uv_mode_cdf(y_mode, block_size), 14 if cfl_allowed(block_size) else 13, uv_mode)
    if uv_mode == UV_CFL_PRED:
        write_cfl_alphas(t, int64(t.cfl_alpha_u[at]), int64(t.cfl_alpha_v[at]))
    if has_angle_delta(uv_mode, block_size):
        write_symbol(t, angle_delta_cdf(uv_mode), 7, int64(t.angle_uv[at]) + MAX_ANGLE_DELTA)


# Transform size and type ---------------------------------------------------------------------------------------------------


def max_tx_size(block_size):
    """The square transform as large as the block: BLOCK_4X4 .. BLOCK_64X64 give TX_4X4 .. TX_64X64."""
    return block_size // 3


def _log2_of_neighbour(t, mi_row, mi_col):
    """log2 of a neighbour's size in 4x4 units as tx_depth sees it: of its block if that is inter, else of its transform."""
    if not is_inside(t, mi_row, mi_col):
        return int64(-1)
    at = info_at(t, mi_row, mi_col)
    return max_tx_size(int64(t.block_size[at])) if t.is_inter[at] else int64(t.tx_size[at])


def tx_depth_cdf(t, mi_row, mi_col, block_size):
    """CDF of tx_depth: which neighbours, above and left, are at least as large as the largest transform here."""
    largest = max_tx_size(block_size)
    context = int64(0)
    if _log2_of_neighbour(t, mi_row - 1, mi_col) >= largest:
        context += 1
    if _log2_of_neighbour(t, mi_row, mi_col - 1) >= largest:
        context += 1
    if largest == 1:
        return cdf.TX_8X8_DEPTH + context * cdf.TX_8X8_ROW
    return cdf.TX_16X16_DEPTH + ((largest - 2) * cdf.TX_SIZE_CONTEXTS + context) * cdf.TX_DEPTH_ROW


def write_tx_size(t, mi_row, mi_col, block_size):
    """tx_depth (spec 5.11.15)."""
    if not t.tx_mode_select or block_size == 0:
        return
    depth = max_tx_size(block_size) - int64(t.tx_size[info_at(t, mi_row, mi_col)])
    write_symbol(t, tx_depth_cdf(t, mi_row, mi_col, block_size), 2 if block_size == 3 else 3, depth)


def tx_set(t, tx_size, is_inter):
    """Which transform types a block may use: TX_SET_INTER_* or TX_SET_INTRA_* (get_tx_set, spec 5.11.48)."""
    if tx_size > TX_32X32:
        return int64(TX_SET_DCTONLY)
    if is_inter:
        if t.reduced_tx_set or tx_size == TX_32X32:
            return int64(TX_SET_INTER_3)
        return int64(TX_SET_INTER_2 if tx_size == TX_16X16 else TX_SET_INTER_1)
    if tx_size == TX_32X32:
        return int64(TX_SET_DCTONLY)
    return int64(TX_SET_INTRA_2 if t.reduced_tx_set or tx_size == TX_16X16 else TX_SET_INTRA_1)


def _set_number(chosen_set, is_inter):
    return chosen_set + TX_SETS_INTRA if is_inter else chosen_set


def tx_type_symbol(chosen_set, tx_type, is_inter):
    """Symbol of a transform type in a set, -1 if the set has it not."""
    return TX_TYPE_SYMBOL[_set_number(chosen_set, is_inter) * 16 + tx_type]


def tx_type_cdf(chosen_set, tx_size, y_mode, is_inter):
    """CDF of intra_tx_type or inter_tx_type; the set is not TX_SET_DCTONLY."""
    if is_inter:
        if chosen_set == TX_SET_INTER_1:
            return cdf.INTER_TX_TYPE_SET1 + tx_size * cdf.INTER_TX_SET1_ROW
        if chosen_set == TX_SET_INTER_2:
            return int64(cdf.INTER_TX_TYPE_SET2)
        return cdf.INTER_TX_TYPE_SET3 + tx_size * cdf.INTER_TX_SET3_ROW
    if chosen_set == TX_SET_INTRA_1:
        return cdf.INTRA_TX_TYPE_SET1 + (tx_size * 13 + y_mode) * cdf.TX_SET1_ROW
    return cdf.INTRA_TX_TYPE_SET2 + (tx_size * 13 + y_mode) * cdf.TX_SET2_ROW


def implied_tx_type(t, mode, tx_size):
    """The type that goes with an intra mode, or DCT_DCT if not in the set: chroma's rule (compute_tx_type, spec 5.11.40)."""
    tx_type = MODE_TO_TXFM[mode]
    return tx_type if tx_type_symbol(tx_set(t, tx_size, 0), tx_type, 0) >= 0 else int64(DCT_DCT)


def write_tx_type(t, tx_size, tx_type, y_mode, is_inter):
    """intra_tx_type or inter_tx_type, before the coefficients of a luma block that has any (spec 5.11.47)."""
    chosen_set = tx_set(t, tx_size, is_inter)
    if chosen_set != TX_SET_DCTONLY:
        symbols = TX_SET_SYMBOLS[_set_number(chosen_set, is_inter)]
        at = tx_type_cdf(chosen_set, tx_size, y_mode, is_inter)
        write_symbol(t, at, symbols, tx_type_symbol(chosen_set, tx_type, is_inter))


def tx_type_rate(t, tx_size, tx_type, y_mode, is_inter):
    """Rate of intra_tx_type or inter_tx_type."""
    chosen_set = tx_set(t, tx_size, is_inter)
    if chosen_set == TX_SET_DCTONLY:
        return int64(0)
    at = tx_type_cdf(chosen_set, tx_size, y_mode, is_inter)
    return int64(t.rate[at + tx_type_symbol(chosen_set, tx_type, is_inter)])
