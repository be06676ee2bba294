"""All CDFs of a tile in one flat array, in the specification's form: rising cumulative values, 32768, adaptation counter.

The constants say where each table begins and how long its rows are: the row of context c of a table is at TABLE + c * ROW.
Only the tables of the syntax that we write are here (spec 8.3.2 says which element uses which).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from encoder.tables import table

# name of the default table -> whether its first axis is the quantizer context of init_coeff_cdfs (spec 6.8.2)
_TABLES = {
    "default_intra_frame_y_mode_cdf": False,
    "default_uv_mode_cfl_not_allowed_cdf": False,
    "default_uv_mode_cfl_allowed_cdf": False,
    "default_angle_delta_cdf": False,
    "default_partition_w8_cdf": False,
    "default_partition_w16_cdf": False,
    "default_partition_w32_cdf": False,
    "default_partition_w64_cdf": False,
    "default_tx_8x8_cdf": False,
    "default_tx_16x16_cdf": False,
    "default_tx_32x32_cdf": False,
    "default_tx_64x64_cdf": False,
    "default_skip_cdf": False,
    "default_intra_tx_type_set1_cdf": False,
    "default_intra_tx_type_set2_cdf": False,
    "default_cfl_sign_cdf": False,
    "default_cfl_alpha_cdf": False,
    "default_y_mode_cdf": False,
    "default_txfm_split_cdf": False,
    "default_inter_tx_type_set1_cdf": False,
    "default_inter_tx_type_set2_cdf": False,
    "default_inter_tx_type_set3_cdf": False,
    "default_skip_mode_cdf": False,
    "default_is_inter_cdf": False,
    "default_comp_mode_cdf": False,
    "default_comp_ref_type_cdf": False,
    "default_uni_comp_ref_cdf": False,
    "default_comp_ref_cdf": False,
    "default_comp_bwd_ref_cdf": False,
    "default_single_ref_cdf": False,
    "default_compound_mode_cdf": False,
    "default_new_mv_cdf": False,
    "default_zero_mv_cdf": False,
    "default_ref_mv_cdf": False,
    "default_drl_mode_cdf": False,
    "default_interp_filter_cdf": False,
    "default_mv_joint_cdf": False,
    "default_mv_class_cdf": False,
    "default_mv_class0_fr_cdf": False,
    "default_mv_fr_cdf": False,
    "default_mv_sign_cdf": False,
    "default_mv_class0_bit_cdf": False,
    "default_mv_class0_hp_cdf": False,
    "default_mv_bit_cdf": False,
    "default_mv_hp_cdf": False,
    "default_use_wiener_cdf": False,
    "default_use_sgrproj_cdf": False,
    "default_restoration_type_cdf": False,
    "default_txb_skip_cdf": True,
    "default_eob_pt_16_cdf": True,
    "default_eob_pt_32_cdf": True,
    "default_eob_pt_64_cdf": True,
    "default_eob_pt_128_cdf": True,
    "default_eob_pt_256_cdf": True,
    "default_eob_pt_512_cdf": True,
    "default_eob_pt_1024_cdf": True,
    "default_eob_extra_cdf": True,
    "default_dc_sign_cdf": True,
    "default_coeff_base_eob_cdf": True,
    "default_coeff_base_cdf": True,
    "default_coeff_br_cdf": True,
}


_PER_COMPONENT = {f"default_mv_{name}_cdf" for name in ("sign", "class0_bit", "class0_hp", "bit", "hp")}
"""One default, kept and adapted apart for the row and the column component of motion vectors (spec 7.20)."""


def _default(name: str, q_context: int) -> np.ndarray:
    values = table(name, np.uint16)
    if name in _PER_COMPONENT:
        return np.stack([values, values])
    return values[q_context] if _TABLES[name] else values


def _offsets() -> dict[str, int]:
    offsets, at = {}, 0
    for name in _TABLES:
        offsets[name] = at
        at += _default(name, 0).size
    offsets["end"] = at
    return offsets


_AT = _offsets()
SIZE = _AT["end"]
"""Words of all CDFs."""

Y_MODE = _AT["default_intra_frame_y_mode_cdf"]
UV_MODE_CFL_NOT_ALLOWED = _AT["default_uv_mode_cfl_not_allowed_cdf"]
UV_MODE_CFL_ALLOWED = _AT["default_uv_mode_cfl_allowed_cdf"]
ANGLE_DELTA = _AT["default_angle_delta_cdf"]
PARTITION_W8 = _AT["default_partition_w8_cdf"]
PARTITION_W16 = _AT["default_partition_w16_cdf"]
TX_8X8_DEPTH = _AT["default_tx_8x8_cdf"]
TX_16X16_DEPTH = _AT["default_tx_16x16_cdf"]
SKIP = _AT["default_skip_cdf"]
INTRA_TX_TYPE_SET1 = _AT["default_intra_tx_type_set1_cdf"]
INTRA_TX_TYPE_SET2 = _AT["default_intra_tx_type_set2_cdf"]
CFL_SIGN = _AT["default_cfl_sign_cdf"]
CFL_ALPHA = _AT["default_cfl_alpha_cdf"]
INTER_Y_MODE = _AT["default_y_mode_cdf"]  # [size group 4]: y_mode of intra blocks in inter frames
TXFM_SPLIT = _AT["default_txfm_split_cdf"]  # [21]
INTER_TX_TYPE_SET1 = _AT["default_inter_tx_type_set1_cdf"]  # [tx_size 4x4 or 8x8]
INTER_TX_TYPE_SET2 = _AT["default_inter_tx_type_set2_cdf"]
INTER_TX_TYPE_SET3 = _AT["default_inter_tx_type_set3_cdf"]  # [4]
SKIP_MODE = _AT["default_skip_mode_cdf"]  # [3]
IS_INTER = _AT["default_is_inter_cdf"]  # [4]
COMP_MODE = _AT["default_comp_mode_cdf"]  # [5]
COMP_REF_TYPE = _AT["default_comp_ref_type_cdf"]  # [5]
UNI_COMP_REF = _AT["default_uni_comp_ref_cdf"]  # [3][3]
COMP_REF = _AT["default_comp_ref_cdf"]  # [3][3]
COMP_BWD_REF = _AT["default_comp_bwd_ref_cdf"]  # [3][2]
SINGLE_REF = _AT["default_single_ref_cdf"]  # [3][6]
COMPOUND_MODE = _AT["default_compound_mode_cdf"]  # [8]
NEW_MV = _AT["default_new_mv_cdf"]  # [6]
ZERO_MV = _AT["default_zero_mv_cdf"]  # [2]
REF_MV = _AT["default_ref_mv_cdf"]  # [6]
DRL_MODE = _AT["default_drl_mode_cdf"]  # [3]
INTERP_FILTER = _AT["default_interp_filter_cdf"]  # [16]
MV_JOINT = _AT["default_mv_joint_cdf"]
MV_CLASS = _AT["default_mv_class_cdf"]  # [comp]
MV_CLASS0_FR = _AT["default_mv_class0_fr_cdf"]  # [comp][mv_class0_bit]
MV_FR = _AT["default_mv_fr_cdf"]  # [comp]
MV_SIGN = _AT["default_mv_sign_cdf"]  # [comp]
MV_CLASS0_BIT = _AT["default_mv_class0_bit_cdf"]  # [comp]
MV_CLASS0_HP = _AT["default_mv_class0_hp_cdf"]  # [comp]
MV_BIT = _AT["default_mv_bit_cdf"]  # [comp][10]
MV_HP = _AT["default_mv_hp_cdf"]  # [comp]
USE_WIENER = _AT["default_use_wiener_cdf"]
USE_SGRPROJ = _AT["default_use_sgrproj_cdf"]
RESTORATION_TYPE = _AT["default_restoration_type_cdf"]
TXB_SKIP = _AT["default_txb_skip_cdf"]
EOB_PT_16 = _AT["default_eob_pt_16_cdf"]
EOB_PT_64 = _AT["default_eob_pt_64_cdf"]
EOB_PT_256 = _AT["default_eob_pt_256_cdf"]
EOB_PT_1024 = _AT["default_eob_pt_1024_cdf"]
EOB_EXTRA = _AT["default_eob_extra_cdf"]
DC_SIGN = _AT["default_dc_sign_cdf"]
COEFF_BASE_EOB = _AT["default_coeff_base_eob_cdf"]
COEFF_BASE = _AT["default_coeff_base_cdf"]
COEFF_BR = _AT["default_coeff_br_cdf"]

# Row lengths, counter included, where they are needed by name.
Y_MODE_ROW = 14
UV_CFL_NOT_ALLOWED_ROW, UV_CFL_ALLOWED_ROW = 14, 15
PARTITION_W8_ROW, PARTITION_ROW = 5, 11
PARTITION_CONTEXTS = 4
TX_8X8_ROW, TX_DEPTH_ROW, TX_SIZE_CONTEXTS = 3, 4, 3
ANGLE_DELTA_ROW = 8
CFL_ALPHA_ROW = 17
TX_SET1_ROW, TX_SET2_ROW = 8, 6
INTER_TX_SET1_ROW, INTER_TX_SET2_ROW, INTER_TX_SET3_ROW = 17, 13, 3
COMPOUND_MODE_ROW = 9
INTERP_FILTER_ROW = 4
MV_JOINT_ROW, MV_CLASS_ROW, MV_FR_ROW, MV_BITS = 5, 12, 5, 10
BOOL_ROW = 3
TXB_SKIP_CONTEXTS = 13
COEFF_BASE_CONTEXTS, COEFF_BASE_ROW = 42, 5
COEFF_BASE_EOB_CONTEXTS, COEFF_BASE_EOB_ROW = 4, 4
COEFF_BR_CONTEXTS, COEFF_BR_ROW = 21, 5


def quantizer_context(base_q_idx: int) -> int:
    """Which set of default coefficient CDFs a frame starts from (init_coeff_cdfs, spec 6.8.2)."""
    return sum(base_q_idx > limit for limit in (20, 60, 120))


def default_cdfs(base_q_idx: int) -> np.ndarray:
    """The CDFs that a frame without primary_ref_frame starts from, counters zero: flat uint16, the caller's own."""
    return _default_cdfs(quantizer_context(base_q_idx)).copy()


@cache
def _default_cdfs(q_context: int) -> np.ndarray:
    return np.concatenate([_default(name, q_context).ravel() for name in _TABLES])


def without_counters(cdfs: np.ndarray) -> np.ndarray:
    """A copy of CDFs with every adaptation counter zero, as a later frame loads them (load_previous, spec 7.20 and 7.21)."""
    cleared = cdfs.copy()
    cleared[_counters()] = 0
    return cleared


@cache
def _counters() -> np.ndarray:
    """Where the adaptation counters stand."""
    return cdf_rows().reshape(-1, 2).sum(axis=1)


def cdf_rows() -> np.ndarray:
    """Where each CDF begins and its number of symbols, as int32 pairs (2 * rows): the walk turns them into rates."""
    pairs = []
    for name in _TABLES:
        values = _default(name, 0)
        row = values.shape[-1]
        pairs += [(_AT[name] + k * row, row - 1) for k in range(values.size // row)]
    return np.array(pairs, dtype=np.int32).ravel()
