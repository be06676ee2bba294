"""What one tile works on: views of the frame's memory, its own contexts and coder, and scratch; handed around as `t`.

The frame owns pictures and block info; a tile writes only inside its own bounds. Positions are frame-absolute: mi_row and
mi_col count 4x4 luma units, block info is at [mi_row * mi_stride + mi_col].
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from encoder.byref import Record, i8s, i16s, i32s, i64, i64s, u8s, u16s
from encoder.kernels.table import MAX_EDGE
from encoder.probe import SPANS_AT
from encoder.spec import REFS_PER_FRAME
from encoder.tables import table
from encoder.tile import cdf
from encoder.tile.symbol import CODER_WORDS, SYNTAX_CLASSES, rate_of_probability

BLOCK_INFO = {
    "block_size": u8s,  # MiSizes: BLOCK_*
    "y_mode": u8s,  # YModes
    "uv_mode": u8s,  # UVModes
    "angle_y": i8s,  # AngleDeltaY
    "angle_uv": i8s,  # AngleDeltaUV
    "cfl_alpha_u": i8s,  # CflAlphaU
    "cfl_alpha_v": i8s,
    "tx_size": u8s,  # TxSizes, luma
    "tx_type": u8s,  # TxTypes, luma
    "skip": u8s,  # Skips
    "is_inter": u8s,  # IsInters
    "skip_mode": u8s,  # SkipModes
    "ref_frame_0": i8s,  # RefFrames[][][0]: INTRA_FRAME (0) or LAST_FRAME .. ALTREF_FRAME
    "ref_frame_1": i8s,  # RefFrames[][][1]: NONE (-1) without a second reference
    "mv_row_0": i16s,  # Mvs[][][0][0], in 1/8 luma samples
    "mv_col_0": i16s,
    "mv_row_1": i16s,
    "mv_col_1": i16s,
    "ref_mv_idx": u8s,  # RefMvIdx
    "interp_filter": u8s,  # InterpFilters, the same in both directions
}
"""Per 4x4 luma unit, owned by the frame: decided by the search, read by the coding pass, the contexts and the frame filters."""

RESTORATION_INFO = {
    "lr_type": i64s,  # FrameRestorationType of each plane: RESTORE_*
    "lr_unit_size": i64s,  # LoopRestorationSize of each plane
    "lr_unit_rows": i64s,  # unitRows and unitCols of each plane
    "lr_unit_cols": i64s,
    "lr_unit_at": i64s,  # where the units of each plane begin in the arrays that follow; there they stand row by row
    "lr_unit_type": u8s,  # LrType: RESTORE_NONE, RESTORE_WIENER or RESTORE_SGRPROJ
    "lr_wiener": i8s,  # LrWiener, 6 a unit: three vertical coefficients, three horizontal ones
    "lr_sgr_set": u8s,  # LrSgrSet
    "lr_sgr_xqd": i8s,  # LrSgrXqd, 2 a unit
}
"""Loop restoration, owned by the frame: decided when all tiles are reconstructed, read by the filter and the symbol coding."""

BLOCK_DECODED_STRIDE = 18
"""BlockDecoded (spec 5.11.3) covers -1..16 both ways in each plane."""

PLAN_NODES, PLAN_WORDS, PLAN_VECTORS = 85, 3, 17
"""A planned partition, tile/partition_plan.py: blocks of all sizes in a superblock, words of each for a reference, and how many
vectors of a reference are laid over it: those of its 16 blocks of 16x16, and none."""
CHOICE_WORDS, CHOICE_ROWS = 24, 10
MV_STACK_WORDS, MV_STACK_ROWS = 64, 12
"""Room for a motion vector stack and what comes with it (tile/mv_stack.py names the words), for so many pairs of references."""
TRIED_WORDS = 3 * 16
"""Room for 16 motion vectors that were tried: row, column, SATD."""
MV_WHOLES = 1 << 11
"""How many numbers of whole samples a component of a motion vector difference can have."""
LEVELS_STRIDE = 36
"""Row length of the padded magnitudes of a transform block: 32 coefficients and 4 zeros, for the contexts' neighbours."""


class Tile(Record):
    """See the module's docstring; the names are the specification's."""

    FIELDS: ClassVar = {
        # frame and tile geometry, in 4x4 units
        **dict.fromkeys(
            ("mi_rows", "mi_cols", "mi_stride", "mi_row_start", "mi_row_end", "mi_col_start", "mi_col_end", "sb_cols"), i64
        ),
        **dict.fromkeys(("width", "height"), i64),  # visible luma samples
        # frame header
        **dict.fromkeys(("tx_mode_select", "reduced_tx_set", "disable_cdf_update", "cdef_sets", "dc_q", "ac_q"), i64),
        **dict.fromkeys(("frame_is_intra", "reference_select", "skip_mode_present", "skip_mode_frame_0", "skip_mode_frame_1"), i64),
        **dict.fromkeys(("allow_high_precision_mv", "interpolation_filter", "use_ref_frame_mvs", "order_hint"), i64),
        # references, by ref_frame (0 unused): order hint and sign bias, and where the picture lies in `refs`
        "order_hints": i64s, "ref_sign_bias": i64s, "ref_at": i64s, "refs": u8s,
        # MotionFieldMvs [ref_frame][mi_row >> 1][mi_col >> 1][row, col]; INVALID_MV in the row where there is none
        "motion_field": i16s,
        "search_refs": i64s,  # the ref_frames worth searching
        # for each of them the motion of 16x16 blocks between source pictures: [place in search_refs][row][column][row, col]
        "source_mv": i16s, "source_rows": i64, "source_cols": i64,
        # how to decide
        **dict.fromkeys(("rd_lambda", "satd_lambda", "flat_divisor", "busy_factor", "good_shift", "close_shift"), i64),
        **dict.fromkeys(("smallest_level", "coded_candidates", "near_vectors", "pairs", "pair_modes"), i64),
        **dict.fromkeys(("inter_tx_types", "intra_shift", "fitted_vectors", "split_eob", "skip_split_rate"), i64),
        **dict.fromkeys(("planned", "plan_rate", "hopeless", "enough_shift", "rates_interval"), i64),
        **dict.fromkeys(("stress", "probe"), i64),
        # pictures: one layout for both
        "src": u8s, "rec": u8s, "origin": i64s, "stride": i64s,
        **BLOCK_INFO,
        "cdef_idx": i8s,  # per 64x64; -1 until the first block that is not skipped
        **RESTORATION_INFO,
        # RefLrWiener [plane][pass][coefficient] and RefSgrXqd [plane][weight]
        "ref_lr_wiener": i64s, "ref_sgr_xqd": i64s,
        # contexts of this tile, per plane: above by frame column in the plane's 4x4 units, left within the superblock
        "above_level": u8s, "above_dc": u8s, "left_level": u8s, "left_dc": u8s, "context_stride": i64,
        "block_decoded": u8s,
        # symbol coder
        "cdf": u16s, "coder": i64s, "tokens": i64s, "class_bits": i64s, "out": u16s,
        "cdf_rows": i32s, "rate": i32s, "rate_of_probability": i32s,
        # scratch
        "above": u8s, "left": u8s, "above_filtered": u8s, "left_filtered": u8s,
        "prediction": u8s, "residual": i32s, "coefs": i32s, "dequantized": i32s, "levels": i32s, "magnitudes": u8s,
        "base_levels": u8s,
        "eobs": i64s, "cfl_ac": i16s, "backup": u8s, "saved": u8s,
        "choice": i64s, "node": i64s, "new_mv": i64s, "tried": i64s, "around": i64s, "draw": i64s,
        # what a superblock is to be split into, tile/partition_plan.py
        "plan": i64s, "plan_cost": i64s, "plan_vectors": i64s, "plan_cells": i64s,
        # motion vector stacks of the block at hand (spec 7.10.2), see tile/mv_stack.py; references of its neighbours
        "mv_stack": i64s, "ref_counts": i64s,
        # rates of the whole samples of a motion vector difference, row and column (inter_modes.fill_mv_rates)
        "mv_rate_table": i32s,
        # scratch of inter prediction
        "compound_0": i16s, "compound_1": i16s,
        # constant tables
        "scans": i16s,
        "base_offsets": u8s,  # Coeff_Base_Ctx_Offset by tx_size and place in the padded magnitudes
        # what the code says of itself: timeline.tile_spans
        "spans": i64s,
    }  # fmt: skip


def _scans() -> tuple[np.ndarray, dict[tuple[int, int], int]]:
    """All scans in one array; where the scan of (tx_size, class) begins (get_scan, spec 5.11.41)."""
    parts, offsets, at = [], {}, 0
    for tx_size, n in enumerate((4, 8, 16, 32)):
        for tx_class, prefix in enumerate(("default", "mcol", "mrow")):
            if n == 32 and tx_class:
                continue
            parts.append(table(f"{prefix}_scan_{n}x{n}", np.int16))
            offsets[tx_size, tx_class] = at
            at += parts[-1].size
    return np.concatenate(parts), offsets


_SCANS, _SCAN_OFFSETS = _scans()
SCAN_AT = np.array([_SCAN_OFFSETS.get((min(s, 3), c), 0) for s in range(5) for c in range(3)], np.int64)
"""SCAN_AT[tx_size * 3 + tx_class]: class 1 (horizontal transforms) scans by columns, class 2 by rows."""


def _base_offsets() -> np.ndarray:
    near = np.minimum(np.arange(LEVELS_STRIDE), 4)
    return table("coeff_base_ctx_offset", np.uint8)[:5][:, near[:, None], near[None, :]].ravel()


_BASE_OFFSETS = _base_offsets()


def block_info(mi_rows: int, mi_stride: int) -> dict[str, np.ndarray]:
    """Fresh block info for a frame, one entry a 4x4 unit of whole superblocks."""
    return {name: np.zeros(mi_rows * mi_stride, str(kind.dtype)) for name, kind in BLOCK_INFO.items()}


def restoration_info(units: int = 0) -> dict[str, np.ndarray]:
    """Loop restoration of a frame that has none; room for so many units of all planes."""
    per_unit = {"lr_unit_type": 1, "lr_wiener": 6, "lr_sgr_set": 1, "lr_sgr_xqd": 2}
    return {
        name: np.zeros(units * per_unit[name] if name in per_unit else 3, str(kind.dtype))
        for name, kind in RESTORATION_INFO.items()
    }


FINISHING_TOKENS = 1024
"""Room in t.tokens for what walk.finish_tile records behind the tile's own tokens."""


def token_memory(count: int) -> dict[str, Any]:
    """Room for `count` tokens of the walk, and for the bytes of so many: a token takes 15 bits at most."""
    room = count + FINISHING_TOKENS
    return {"tokens": np.zeros(room, np.int64), "out": np.zeros(2 * room, np.uint16)}


def tile_memory(context_columns: int, luma_samples: int) -> dict[str, Any]:
    """Everything that a tile owns itself, to be given to Tile(**...) with the frame's fields.

    Without loop restoration, until the frame's own restoration_info takes the place of what is here.

    context_columns  4x4 columns of the frame, whole superblocks
    luma_samples     of the tile: the output buffer's size follows from it
    """
    u8, i32, i64_ = np.uint8, np.int32, np.int64
    return {
        "above_level": np.zeros(3 * context_columns, u8),
        "above_dc": np.zeros(3 * context_columns, u8),
        "left_level": np.zeros(3 * 16, u8),
        "left_dc": np.zeros(3 * 16, u8),
        "context_stride": context_columns,
        "block_decoded": np.zeros(3 * BLOCK_DECODED_STRIDE**2, u8),
        "coder": np.zeros(CODER_WORDS, i64_),
        **token_memory(luma_samples // 4),
        "class_bits": np.zeros(len(SYNTAX_CLASSES), i64_),
        "cdf": np.zeros(cdf.SIZE, np.uint16),
        "rate": np.zeros(cdf.SIZE, i32),
        "cdf_rows": cdf.cdf_rows(),
        "rate_of_probability": rate_of_probability(),
        "above": np.zeros(MAX_EDGE, u8),
        "left": np.zeros(MAX_EDGE, u8),
        "above_filtered": np.zeros(MAX_EDGE, u8),
        "left_filtered": np.zeros(MAX_EDGE, u8),
        "prediction": np.zeros(64 * 64, u8),
        "residual": np.zeros(64 * 64, i32),
        "coefs": np.zeros(32 * 32, i32),
        "dequantized": np.zeros(32 * 32, i32),
        "levels": np.zeros(64 * 64 * 3 // 2, i32),
        "magnitudes": np.zeros(LEVELS_STRIDE**2, u8),
        "base_levels": np.zeros(LEVELS_STRIDE**2, u8),
        "eobs": np.zeros(3 * 256, i64_),
        "cfl_ac": np.zeros(32 * 32, np.int16),
        "backup": np.zeros(2016 + 64 * 64 * 3 // 2, u8),
        "saved": np.zeros(64 * 64 * 3 // 2, u8),
        "node": np.zeros(10, i64_),
        "new_mv": np.zeros(5 * 8 * 2, i64_),
        "tried": np.zeros(TRIED_WORDS, i64_),
        "around": np.zeros(4, i64_),
        "choice": np.zeros(CHOICE_ROWS * CHOICE_WORDS, i64_),
        "draw": np.zeros(2, i64_),
        "plan": np.zeros(REFS_PER_FRAME * PLAN_NODES * PLAN_WORDS, i64_),
        "plan_cost": np.zeros(PLAN_NODES, i64_),
        "plan_vectors": np.zeros(2 * PLAN_VECTORS, i64_),
        "plan_cells": np.zeros(64, i64_),
        "mv_stack": np.zeros(MV_STACK_ROWS * MV_STACK_WORDS, i64_),
        "ref_counts": np.zeros(8, i64_),
        "mv_rate_table": np.zeros(2 * MV_WHOLES, i32),
        "compound_0": np.zeros(64 * 64, np.int16),
        "compound_1": np.zeros(64 * 64, np.int16),
        **restoration_info(),
        "ref_lr_wiener": np.zeros(3 * 6, i64_),
        "ref_sgr_xqd": np.zeros(3 * 2, i64_),
        "scans": _SCANS,
        "base_offsets": _BASE_OFFSETS,
        "spans": np.zeros(SPANS_AT, i64_),
    }
