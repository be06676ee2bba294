"""What one tile works on: views of the frame's memory, its own contexts and coder, and scratch; handed around as `t`.

The frame owns pictures and block info; a tile writes only inside its own bounds. Positions are frame-absolute: mi_row and
mi_col count 4x4 luma units, block info is at [mi_row * mi_stride + mi_col].
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from encoder.byref import Record, i8s, i16s, i32s, i64, i64s, u8s, u16s
from encoder.kernels.table import MAX_EDGE
from encoder.tables import table
from encoder.tile import cdf
from encoder.tile.symbol import CODER_WORDS, rate_of_probability

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
}
"""Per 4x4 luma unit, owned by the frame: decided by the search, read by the coding pass, the contexts and the frame filters."""

BLOCK_DECODED_STRIDE = 18
"""BlockDecoded (spec 5.11.3) covers -1..16 both ways in each plane."""

CHOICE_WORDS = 16
LEVELS_STRIDE = 36
"""Row length of the padded magnitudes of a transform block: 32 coefficients and 4 zeros, for the contexts' neighbours."""


class Tile(Record):
    """See the module's docstring; the names are the specification's."""

    FIELDS: ClassVar = {
        # frame and tile geometry, in 4x4 units
        **dict.fromkeys(
            ("mi_rows", "mi_cols", "mi_stride", "mi_row_start", "mi_row_end", "mi_col_start", "mi_col_end", "sb_cols"), i64
        ),
        # frame header
        **dict.fromkeys(("tx_mode_select", "reduced_tx_set", "disable_cdf_update", "cdef_bits", "dc_q", "ac_q"), i64),
        # how to decide
        **dict.fromkeys(("rd_lambda", "satd_lambda", "flat_divisor", "busy_factor", "good_shift", "close_shift"), i64),
        **dict.fromkeys(("stress", "probe"), i64),
        # pictures: one layout for both
        "src": u8s, "rec": u8s, "origin": i64s, "stride": i64s,
        **BLOCK_INFO,
        "cdef_idx": i8s,  # per 64x64; -1 until the first block that is not skipped
        # contexts of this tile, per plane: above by frame column in the plane's 4x4 units, left within the superblock
        "above_level": u8s, "above_dc": u8s, "left_level": u8s, "left_dc": u8s, "context_stride": i64,
        "block_decoded": u8s,
        # symbol coder
        "cdf": u16s, "coder": i64s, "out": u16s, "cdf_rows": i32s, "rate": i32s, "rate_of_probability": i32s,
        # scratch
        "above": u8s, "left": u8s, "above_filtered": u8s, "left_filtered": u8s,
        "prediction": u8s, "residual": i32s, "coefs": i32s, "dequantized": i32s, "levels": i32s, "magnitudes": u8s,
        "base_levels": u8s,
        "eobs": i64s, "cfl_ac": i16s, "backup": u8s, "saved": u8s, "choice": i64s, "draw": i64s,
        # constant tables
        "scans": i16s,
        "base_offsets": u8s,  # Coeff_Base_Ctx_Offset by tx_size and place in the padded magnitudes
        # spans: ticks by stage (probe.STAGES)
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


def tile_memory(context_columns: int, luma_samples: int) -> dict[str, Any]:
    """Everything that a tile owns itself, to be given to Tile(**...) with the frame's fields.

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
        "out": np.zeros(2 * luma_samples + 4096, np.uint16),
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
        "backup": np.zeros(64 * 64 * 3 // 2, u8),
        "saved": np.zeros(64 * 64, u8),
        "choice": np.zeros(5 * CHOICE_WORDS, i64_),
        "draw": np.zeros(2, i64_),
        "scans": _SCANS,
        "base_offsets": _BASE_OFFSETS,
        "spans": np.zeros(8, i64_),
    }
