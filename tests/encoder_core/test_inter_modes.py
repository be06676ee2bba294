"""Mode info of inter frames, written by the encoder, read as the specification reads it (5.11.18 to 5.11.32, 8.3.2).

The reader below is a transcription: its own arrays by row and column, its contexts, its recursion. It starts from nothing but
the bytes, the block sizes and what the motion vector stack says, so that a wrong context anywhere makes it read nonsense.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import types

from encoder import compiled
from encoder.spec import (
    ALTREF2_FRAME,
    ALTREF_FRAME,
    BLOCK_4X4,
    BLOCK_8X8,
    BLOCK_64X64,
    BWDREF_FRAME,
    DC_PRED,
    GLOBAL_GLOBALMV,
    GLOBALMV,
    GOLDEN_FRAME,
    INTRA_FRAME,
    LAST2_FRAME,
    LAST3_FRAME,
    LAST_FRAME,
    MV_JOINT_HNZVNZ,
    MV_JOINT_HNZVZ,
    MV_JOINT_HZVNZ,
    NEAR_NEARMV,
    NEAR_NEWMV,
    NEAREST_NEARESTMV,
    NEARESTMV,
    NEARMV,
    NEW_NEARMV,
    NEW_NEWMV,
    NEWMV,
    NONE,
    SMOOTH_H_PRED,
    SMOOTH_PRED,
    SWITCHABLE,
    TX_4X4,
    TX_16X16,
    TX_32X32,
    TX_64X64,
    UV_CFL_PRED,
)
from encoder.tile import cdf, inter_modes, modes, predict, symbol
from encoder.tile.mv_stack import DRL_CONTEXT, NEW_MV_CONTEXT, NUM_MV_FOUND, REF_MV_CONTEXT, ZERO_MV_CONTEXT
from encoder.tile.state import Tile, block_info, tile_memory

from .test_symbol import Decoder

Block = dict[str, Any]

FIRST_ROW, FIRST_COL, MI_ROWS, MI_COLS, MI_STRIDE = 16, 16, 46, 58, 64
"""A tile with others above and to the left of it, cut off by the frame's lower and right edge."""
TX_TYPES = 16
DCT_DCT, ADST_DCT, DCT_ADST, ADST_ADST, FLIPADST_DCT, DCT_FLIPADST, FLIPADST_FLIPADST = range(7)
ADST_FLIPADST, FLIPADST_ADST, IDTX, V_DCT, H_DCT, V_ADST, H_ADST, V_FLIPADST, H_FLIPADST = range(7, 16)
# By is_inter and set.
TX_TYPE_INV = {
    (0, 1): [IDTX, DCT_DCT, V_DCT, H_DCT, ADST_ADST, ADST_DCT, DCT_ADST],
    (0, 2): [IDTX, DCT_DCT, ADST_ADST, ADST_DCT, DCT_ADST],
    (1, 1): [
        *(IDTX, V_DCT, H_DCT, V_ADST, H_ADST, V_FLIPADST, H_FLIPADST, DCT_DCT, ADST_DCT, DCT_ADST, FLIPADST_DCT),
        *(DCT_FLIPADST, ADST_ADST, FLIPADST_FLIPADST, ADST_FLIPADST, FLIPADST_ADST),
    ],
    (1, 2): [
        *(IDTX, V_DCT, H_DCT, DCT_DCT, ADST_DCT, DCT_ADST, FLIPADST_DCT, DCT_FLIPADST, ADST_ADST),
        *(FLIPADST_FLIPADST, ADST_FLIPADST, FLIPADST_ADST),
    ],
    (1, 3): [IDTX, DCT_DCT],
}
COMPOUND_MODE_CTX_MAP = [[0, 1, 1, 1, 1], [1, 2, 3, 4, 4], [4, 4, 5, 6, 7]]
UNIDIRECTIONAL_PAIRS = [
    (LAST_FRAME, LAST2_FRAME),
    (LAST_FRAME, LAST3_FRAME),
    (LAST_FRAME, GOLDEN_FRAME),
    (BWDREF_FRAME, ALTREF_FRAME),
]
PAIRS = UNIDIRECTIONAL_PAIRS + [(a, b) for a in range(LAST_FRAME, 5) for b in range(BWDREF_FRAME, 8)]


def num_4x4(block_size: int) -> int:
    """Num_4x4_Blocks_Wide of a square block."""
    return {0: 1, 3: 2, 6: 4, 9: 8, 12: 16}[block_size]


def has_chroma(row: int, col: int, block_size: int) -> bool:
    return block_size != BLOCK_4X4 or bool(row & 1 and col & 1)


# The reader ----------------------------------------------------------------------------------------------------------------


def tables_of(cdfs: np.ndarray) -> dict[str, Any]:
    """The CDFs as nested lists, by the specification's names in lower case."""
    found = {}
    for name in cdf._TABLES:
        shape = cdf._default(name, 0).shape
        at = cdf._AT[name]
        found[name.removeprefix("default_").removesuffix("_cdf")] = (
            cdfs[at : at + int(np.prod(shape))].astype(int).reshape(shape).tolist()
        )
    return found


def unknown() -> np.ndarray:
    """An array by row and column that makes no sense yet."""
    return np.full((MI_ROWS + 16, MI_COLS + 16), 99)


class Reader:
    """inter_frame_mode_info, read_block_tx_size and transform_type of spec 5.11, with the contexts of 8.3.2."""

    def __init__(self, data: bytes, cdfs: np.ndarray, t: Any):
        self.decoder = Decoder(data)
        self.cdf = tables_of(cdfs)
        self.t = t
        self.SkipModes, self.Skips, self.IsInters, self.MiSizes = unknown(), unknown(), unknown(), unknown()
        self.RefFrames0, self.RefFrames1, self.InterpFilters, self.InterTxSizes = (
            unknown(),
            unknown(),
            unknown(),
            unknown(),
        )

    def S(self, table: list) -> int:
        return self.decoder.symbol(table, adapt=not self.t.disable_cdf_update)

    def is_inside(self, row: int, col: int) -> bool:
        t = self.t
        return t.mi_col_start <= col < t.mi_col_end and t.mi_row_start <= row < t.mi_row_end

    def read_block(self, row: int, col: int, block_size: int, stack: dict[str, Any]) -> Block:
        self.MiRow, self.MiCol, self.MiSize, self.stack = row, col, block_size, stack
        self.AvailU, self.AvailL = self.is_inside(row - 1, col), self.is_inside(row, col - 1)
        self.HasChroma = has_chroma(row, col, block_size)
        self.out: Block = {}
        self.inter_frame_mode_info()
        self.read_block_tx_size()
        area = np.s_[row : row + num_4x4(block_size), col : col + num_4x4(block_size)]
        self.RefFrames0[area], self.RefFrames1[area] = self.RefFrame
        if self.is_inter:
            self.InterpFilters[area] = self.interp_filter
        if not self.skip:
            self.out["tx_types"] = list(self.transform_types())
        self.IsInters[area], self.SkipModes[area], self.Skips[area] = self.is_inter, self.skip_mode, self.skip
        self.MiSizes[area] = block_size
        w = num_4x4(block_size)
        tx_sizes = self.InterTxSizes[row : min(row + w, MI_ROWS), col : min(col + w, MI_COLS)].tolist()
        return {
            **self.out,
            "skip_mode": self.skip_mode,
            "skip": self.skip,
            "is_inter": self.is_inter,
            "ref": self.RefFrame,
            "y_mode": self.YMode,
            "tx_sizes": tx_sizes,
        }

    def inter_frame_mode_info(self) -> None:
        r, c = self.MiRow, self.MiCol
        self.LeftRefFrame = [
            self.RefFrames0[r, c - 1] if self.AvailL else INTRA_FRAME,
            self.RefFrames1[r, c - 1] if self.AvailL else NONE,
        ]
        self.AboveRefFrame = [
            self.RefFrames0[r - 1, c] if self.AvailU else INTRA_FRAME,
            self.RefFrames1[r - 1, c] if self.AvailU else NONE,
        ]
        self.LeftIntra = self.LeftRefFrame[0] <= INTRA_FRAME
        self.AboveIntra = self.AboveRefFrame[0] <= INTRA_FRAME
        self.LeftSingle = self.LeftRefFrame[1] <= INTRA_FRAME
        self.AboveSingle = self.AboveRefFrame[1] <= INTRA_FRAME
        if not self.t.skip_mode_present or num_4x4(self.MiSize) * 4 < 8:
            self.skip_mode = 0
        else:
            self.skip_mode = self.S(self.cdf["skip_mode"][self.count(self.SkipModes)])
        self.skip = 1 if self.skip_mode else self.S(self.cdf["skip"][self.count(self.Skips)])
        self.is_inter = 1 if self.skip_mode else self.S(self.cdf["is_inter"][self.is_inter_ctx()])
        if self.is_inter:
            self.inter_block_mode_info()
        else:
            self.intra_block_mode_info()

    def count(self, flags: np.ndarray) -> int:
        ctx = 0
        if self.AvailU:
            ctx += flags[self.MiRow - 1, self.MiCol]
        if self.AvailL:
            ctx += flags[self.MiRow, self.MiCol - 1]
        return ctx

    def is_inter_ctx(self) -> int:
        if self.AvailU and self.AvailL:
            return 3 if self.LeftIntra and self.AboveIntra else int(self.LeftIntra or self.AboveIntra)
        if self.AvailU or self.AvailL:
            return 2 * int(self.AboveIntra if self.AvailU else self.LeftIntra)
        return 0

    def intra_block_mode_info(self) -> None:
        self.RefFrame = (INTRA_FRAME, NONE)
        size_group = {0: 0, 3: 1, 6: 2, 9: 3, 12: 3}[self.MiSize]
        self.YMode = self.S(self.cdf["y_mode"][size_group])
        self.out["angle_y"] = self.angle_delta(self.YMode)
        if self.HasChroma:
            allowed = num_4x4(self.MiSize) * 4 <= 32
            uv_mode = self.S(self.cdf["uv_mode_cfl_allowed" if allowed else "uv_mode_cfl_not_allowed"][self.YMode])
            self.out["uv_mode"] = uv_mode
            if uv_mode == UV_CFL_PRED:
                self.out["cfl_alphas"] = self.cfl_alphas()
            self.out["angle_uv"] = self.angle_delta(uv_mode)

    def angle_delta(self, mode: int) -> int:
        if self.MiSize >= BLOCK_8X8 and 1 <= mode <= 8:
            return self.S(self.cdf["angle_delta"][mode - 1]) - 3
        return 0

    def cfl_alphas(self) -> tuple[int, int]:
        signs = self.S(self.cdf["cfl_sign"])
        sign_u, sign_v = (signs + 1) // 3, (signs + 1) % 3
        alpha = [0, 0]
        for i, (sign, other) in enumerate(((sign_u, sign_v), (sign_v, sign_u))):
            if sign:
                magnitude = 1 + self.S(self.cdf["cfl_alpha"][(sign - 1) * 3 + other])
                alpha[i] = -magnitude if sign == 1 else magnitude
        return alpha[0], alpha[1]

    def inter_block_mode_info(self) -> None:
        self.read_ref_frames()
        is_compound = self.RefFrame[1] > INTRA_FRAME
        stack = self.stack
        if self.skip_mode:
            self.YMode = NEAREST_NEARESTMV
        elif is_compound:
            ctx = COMPOUND_MODE_CTX_MAP[stack["RefMvContext"] >> 1][min(stack["NewMvContext"], 4)]
            self.YMode = NEAREST_NEARESTMV + self.S(self.cdf["compound_mode"][ctx])
        elif self.S(self.cdf["new_mv"][stack["NewMvContext"]]) == 0:
            self.YMode = NEWMV
        elif self.S(self.cdf["zero_mv"][stack["ZeroMvContext"]]) == 0:
            self.YMode = GLOBALMV
        else:
            self.YMode = NEARESTMV if self.S(self.cdf["ref_mv"][stack["RefMvContext"]]) == 0 else NEARMV
        self.out["ref_mv_idx"] = read_ref_mv_idx(
            self.YMode, stack["NumMvFound"], lambda idx: self.S(self.cdf["drl_mode"][stack["DrlCtxStack"][idx]])
        )
        self.out["diff_mvs"] = [self.read_mv() for i in range(1 + is_compound) if get_mode(self.YMode, i) == NEWMV]
        self.interp_filter = self.read_interp_filter(is_compound)
        self.out["interp_filter"] = self.interp_filter

    def read_ref_frames(self) -> None:
        if self.skip_mode:
            self.RefFrame = (self.t.skip_mode_frame_0, self.t.skip_mode_frame_1)
            return
        comp_mode = 0
        if self.t.reference_select and num_4x4(self.MiSize) >= 2:
            comp_mode = self.S(self.cdf["comp_mode"][self.comp_mode_ctx()])
        if comp_mode:
            comp_ref_type = self.S(self.cdf["comp_ref_type"][self.comp_ref_type_ctx()])
            if comp_ref_type == 0:
                if self.S(self.cdf["uni_comp_ref"][self.single_ref_p1_ctx()][0]):
                    self.RefFrame = (BWDREF_FRAME, ALTREF_FRAME)
                elif self.S(self.cdf["uni_comp_ref"][self.uni_comp_ref_p1_ctx()][1]):
                    last = self.S(self.cdf["uni_comp_ref"][self.comp_ref_p2_ctx()][2])
                    self.RefFrame = (LAST_FRAME, GOLDEN_FRAME if last else LAST3_FRAME)
                else:
                    self.RefFrame = (LAST_FRAME, LAST2_FRAME)
            else:
                if self.S(self.cdf["comp_ref"][self.comp_ref_ctx()][0]) == 0:
                    first = LAST2_FRAME if self.S(self.cdf["comp_ref"][self.comp_ref_p1_ctx()][1]) else LAST_FRAME
                else:
                    first = GOLDEN_FRAME if self.S(self.cdf["comp_ref"][self.comp_ref_p2_ctx()][2]) else LAST3_FRAME
                if self.S(self.cdf["comp_bwd_ref"][self.comp_bwdref_ctx()][0]) == 0:
                    p1 = self.S(self.cdf["comp_bwd_ref"][self.comp_bwdref_p1_ctx()][1])
                    second = ALTREF2_FRAME if p1 else BWDREF_FRAME
                else:
                    second = ALTREF_FRAME
                self.RefFrame = (first, second)
        else:
            if self.S(self.cdf["single_ref"][self.single_ref_p1_ctx()][0]):
                if self.S(self.cdf["single_ref"][self.comp_bwdref_ctx()][1]) == 0:
                    p6 = self.S(self.cdf["single_ref"][self.comp_bwdref_p1_ctx()][5])
                    first = ALTREF2_FRAME if p6 else BWDREF_FRAME
                else:
                    first = ALTREF_FRAME
            elif self.S(self.cdf["single_ref"][self.comp_ref_ctx()][2]):
                first = GOLDEN_FRAME if self.S(self.cdf["single_ref"][self.comp_ref_p2_ctx()][4]) else LAST3_FRAME
            else:
                first = LAST2_FRAME if self.S(self.cdf["single_ref"][self.comp_ref_p1_ctx()][3]) else LAST_FRAME
            self.RefFrame = (first, NONE)

    def comp_mode_ctx(self) -> int:
        above0, left0 = self.AboveRefFrame[0], self.LeftRefFrame[0]
        if self.AvailU and self.AvailL:
            if self.AboveSingle and self.LeftSingle:
                return check_backward(above0) ^ check_backward(left0)
            if self.AboveSingle:
                return 2 + int(check_backward(above0) or self.AboveIntra)
            if self.LeftSingle:
                return 2 + int(check_backward(left0) or self.LeftIntra)
            return 4
        if self.AvailU:
            return check_backward(above0) if self.AboveSingle else 3
        if self.AvailL:
            return check_backward(left0) if self.LeftSingle else 3
        return 1

    def comp_ref_type_ctx(self) -> int:
        above0, above1 = self.AboveRefFrame
        left0, left1 = self.LeftRefFrame
        above_comp_inter = self.AvailU and not self.AboveIntra and not self.AboveSingle
        left_comp_inter = self.AvailL and not self.LeftIntra and not self.LeftSingle
        above_uni_comp = above_comp_inter and is_samedir_ref_pair(above0, above1)
        left_uni_comp = left_comp_inter and is_samedir_ref_pair(left0, left1)
        if self.AvailU and not self.AboveIntra and self.AvailL and not self.LeftIntra:
            samedir = is_samedir_ref_pair(above0, left0)
            if not above_comp_inter and not left_comp_inter:
                return 1 + 2 * samedir
            if not above_comp_inter:
                return 1 if not left_uni_comp else 3 + samedir
            if not left_comp_inter:
                return 1 if not above_uni_comp else 3 + samedir
            if not above_uni_comp and not left_uni_comp:
                return 0
            if not above_uni_comp or not left_uni_comp:
                return 2
            return 3 + ((above0 == BWDREF_FRAME) == (left0 == BWDREF_FRAME))
        if self.AvailU and self.AvailL:
            if above_comp_inter:
                return 1 + 2 * above_uni_comp
            if left_comp_inter:
                return 1 + 2 * left_uni_comp
            return 2
        if above_comp_inter:
            return 4 * above_uni_comp
        if left_comp_inter:
            return 4 * left_uni_comp
        return 2

    def count_refs(self, frame_type: int) -> int:
        c = 0
        if self.AvailU:
            c += (self.AboveRefFrame[0] == frame_type) + (self.AboveRefFrame[1] == frame_type)
        if self.AvailL:
            c += (self.LeftRefFrame[0] == frame_type) + (self.LeftRefFrame[1] == frame_type)
        return int(c)

    def ref_count_ctx(self, frames0: tuple[int, ...], frames1: tuple[int, ...]) -> int:
        counts0, counts1 = sum(map(self.count_refs, frames0)), sum(map(self.count_refs, frames1))
        return 0 if counts0 < counts1 else 1 if counts0 == counts1 else 2

    def comp_ref_ctx(self) -> int:
        return self.ref_count_ctx((LAST_FRAME, LAST2_FRAME), (LAST3_FRAME, GOLDEN_FRAME))

    def comp_ref_p1_ctx(self) -> int:
        return self.ref_count_ctx((LAST_FRAME,), (LAST2_FRAME,))

    def comp_ref_p2_ctx(self) -> int:
        return self.ref_count_ctx((LAST3_FRAME,), (GOLDEN_FRAME,))

    def comp_bwdref_ctx(self) -> int:
        return self.ref_count_ctx((BWDREF_FRAME, ALTREF2_FRAME), (ALTREF_FRAME,))

    def comp_bwdref_p1_ctx(self) -> int:
        return self.ref_count_ctx((BWDREF_FRAME,), (ALTREF2_FRAME,))

    def single_ref_p1_ctx(self) -> int:
        forward = (LAST_FRAME, LAST2_FRAME, LAST3_FRAME, GOLDEN_FRAME)
        return self.ref_count_ctx(forward, (BWDREF_FRAME, ALTREF2_FRAME, ALTREF_FRAME))

    def uni_comp_ref_p1_ctx(self) -> int:
        return self.ref_count_ctx((LAST2_FRAME,), (LAST3_FRAME, GOLDEN_FRAME))

    def read_mv(self) -> tuple[int, int]:
        diff = [0, 0]
        mv_joint = self.S(self.cdf["mv_joint"])
        if mv_joint in (MV_JOINT_HZVNZ, MV_JOINT_HNZVNZ):
            diff[0] = self.read_mv_component(0)
        if mv_joint in (MV_JOINT_HNZVZ, MV_JOINT_HNZVNZ):
            diff[1] = self.read_mv_component(1)
        return diff[0], diff[1]

    def read_mv_component(self, comp: int) -> int:
        high = self.t.allow_high_precision_mv
        mv_sign = self.S(self.cdf["mv_sign"][comp])
        mv_class = self.S(self.cdf["mv_class"][comp])
        if mv_class == 0:
            bit = self.S(self.cdf["mv_class0_bit"][comp])
            fr = self.S(self.cdf["mv_class0_fr"][comp][bit])
            hp = self.S(self.cdf["mv_class0_hp"][comp]) if high else 1
            mag = ((bit << 3) | (fr << 1) | hp) + 1
        else:
            d = 0
            for i in range(mv_class):
                d |= self.S(self.cdf["mv_bit"][comp][i]) << i
            mag = 2 << (mv_class + 2)
            fr = self.S(self.cdf["mv_fr"][comp])
            hp = self.S(self.cdf["mv_hp"][comp]) if high else 1
            mag += ((d << 3) | (fr << 1) | hp) + 1
        return -mag if mv_sign else mag

    def read_interp_filter(self, is_compound: bool) -> int:
        if self.t.interpolation_filter != SWITCHABLE:
            return self.t.interpolation_filter
        large = num_4x4(self.MiSize) * 4 >= 8
        if self.skip_mode or (large and self.YMode in (GLOBALMV, GLOBAL_GLOBALMV)):
            return 0
        ctx = is_compound * 4
        r, c, ref = self.MiRow, self.MiCol, self.RefFrame[0]
        left_type = above_type = 3
        if self.AvailL and ref in (self.RefFrames0[r, c - 1], self.RefFrames1[r, c - 1]):
            left_type = self.InterpFilters[r, c - 1]
        if self.AvailU and ref in (self.RefFrames0[r - 1, c], self.RefFrames1[r - 1, c]):
            above_type = self.InterpFilters[r - 1, c]
        if left_type == above_type:
            ctx += left_type
        elif left_type == 3:
            ctx += above_type
        elif above_type == 3:
            ctx += left_type
        else:
            ctx += 3
        return self.S(self.cdf["interp_filter"][ctx])

    def read_block_tx_size(self) -> None:
        r, c, w4 = self.MiRow, self.MiCol, num_4x4(self.MiSize)
        if self.t.tx_mode_select and self.MiSize > BLOCK_4X4 and self.is_inter and not self.skip:
            self.read_var_tx_size(r, c, self.MiSize // 3, 0)
            return
        tx_size = self.MiSize // 3
        if self.MiSize > BLOCK_4X4 and (not self.skip or not self.is_inter) and self.t.tx_mode_select:
            tx_size -= self.S(self.cdf[f"tx_{4 << tx_size}x{4 << tx_size}"][self.tx_depth_ctx()])
        self.InterTxSizes[r : r + w4, c : c + w4] = tx_size

    def tx_depth_ctx(self) -> int:
        r, c = self.MiRow, self.MiCol
        above_w = left_h = 0
        if self.AvailU and self.IsInters[r - 1, c]:
            above_w = num_4x4(self.MiSizes[r - 1, c]) * 4
        elif self.AvailU:
            above_w = self.get_above_tx_width(r, c)
        if self.AvailL and self.IsInters[r, c - 1]:
            left_h = num_4x4(self.MiSizes[r, c - 1]) * 4
        elif self.AvailL:
            left_h = self.get_left_tx_height(r, c)
        largest = num_4x4(self.MiSize) * 4
        return int(above_w >= largest) + int(left_h >= largest)

    def get_above_tx_width(self, row: int, col: int) -> int:
        if row == self.MiRow:
            if not self.AvailU:
                return 64
            if self.Skips[row - 1, col] and self.IsInters[row - 1, col]:
                return num_4x4(self.MiSizes[row - 1, col]) * 4
        return 4 << self.InterTxSizes[row - 1, col]

    def get_left_tx_height(self, row: int, col: int) -> int:
        if col == self.MiCol:
            if not self.AvailL:
                return 64
            if self.Skips[row, col - 1] and self.IsInters[row, col - 1]:
                return num_4x4(self.MiSizes[row, col - 1]) * 4
        return 4 << self.InterTxSizes[row, col - 1]

    def read_var_tx_size(self, row: int, col: int, tx_size: int, depth: int) -> None:
        if row >= MI_ROWS or col >= MI_COLS:
            return
        txfm_split = 0
        if tx_size != TX_4X4 and depth != 2:
            above = self.get_above_tx_width(row, col) < 4 << tx_size
            left = self.get_left_tx_height(row, col) < 4 << tx_size
            largest = self.MiSize // 3
            txfm_split = self.S(self.cdf["txfm_split"][(tx_size != largest) * 3 + (4 - largest) * 6 + above + left])
        w4 = 1 << tx_size
        if txfm_split:
            for i in range(0, w4, w4 // 2):
                for j in range(0, w4, w4 // 2):
                    self.read_var_tx_size(row + i, col + j, tx_size - 1, depth + 1)
        else:
            self.InterTxSizes[row : row + w4, col : col + w4] = tx_size

    def transform_types(self) -> Iterator[int]:
        for row, col in transform_blocks(self.InterTxSizes, self.MiRow, self.MiCol, self.MiSize // 3):
            tx_size = int(self.InterTxSizes[row, col])
            tx_set = get_tx_set(tx_size, self.is_inter, self.t.reduced_tx_set)
            if tx_set == 0:
                yield DCT_DCT
                continue
            if self.is_inter:
                table = self.cdf[f"inter_tx_type_set{tx_set}"]
                row_of_size = table if tx_set == 2 else table[tx_size]
            else:
                row_of_size = self.cdf[f"intra_tx_type_set{tx_set}"][tx_size][self.YMode]
            yield TX_TYPE_INV[self.is_inter, tx_set][self.S(row_of_size)]


def transform_blocks(tx_sizes: np.ndarray, row: int, col: int, size: int) -> Iterator[tuple[int, int]]:
    """transform_tree: where the luma transform blocks of a block lie, in the order of an inter block."""
    if row >= MI_ROWS or col >= MI_COLS:
        return
    if size <= tx_sizes[row, col]:
        yield row, col
        return
    half = 1 << (size - 1)
    for i in range(4):
        yield from transform_blocks(tx_sizes, row + (i >> 1) * half, col + (i & 1) * half, size - 1)


def get_tx_set(tx_size: int, is_inter: int, reduced_tx_set: int) -> int:
    if tx_size > TX_32X32:
        return 0
    if is_inter:
        if reduced_tx_set or tx_size == TX_32X32:
            return 3
        return 2 if tx_size == TX_16X16 else 1
    if tx_size == TX_32X32:
        return 0
    if reduced_tx_set:
        return 2
    return 2 if tx_size == TX_16X16 else 1


def check_backward(ref: int) -> int:
    return int(BWDREF_FRAME <= ref <= ALTREF_FRAME)


def is_samedir_ref_pair(ref0: int, ref1: int) -> bool:
    return bool((ref0 >= BWDREF_FRAME) == (ref1 >= BWDREF_FRAME))


def read_ref_mv_idx(y_mode: int, num_mv_found: int, drl_mode: Any) -> int:
    """RefMvIdx; drl_mode(idx) gives the next bit."""
    if y_mode in (NEWMV, NEW_NEWMV):
        first = 0
    elif y_mode in (NEARMV, NEAR_NEARMV, NEAR_NEWMV, NEW_NEARMV):
        first = 1
    else:
        return 0
    ref_mv_idx = first
    for idx in range(first, first + 2):
        if num_mv_found > idx + 1:
            if drl_mode(idx) == 0:
                ref_mv_idx = idx
                break
            ref_mv_idx = idx + 1
    return ref_mv_idx


def get_mode(y_mode: int, ref_list: int) -> int:
    """Only whether it is NEWMV matters here: NEWMV; NEAREST_NEWMV, NEW_NEARESTMV, NEAR_NEWMV, NEW_NEARMV, NEW_NEWMV."""
    new = ({NEWMV, 20, 22, 24} if ref_list == 0 else {19, 21, 24}) if y_mode != NEWMV else {NEWMV}
    return NEWMV if y_mode in new else NEARESTMV


# The writer ----------------------------------------------------------------------------------------------------------------


def random_cdfs(random: np.random.Generator) -> np.ndarray:
    """Valid CDFs, no two alike, so that a wrong row shows."""
    cdfs = np.zeros_like(cdf.default_cdfs(0))
    for at, n in cdf.cdf_rows().reshape(-1, 2).tolist():
        shares = random.integers(1, 20, n)
        cdfs[at : at + n] = np.cumsum(shares) * 32768 // shares.sum()
    return cdfs


def new_tile(random: np.random.Generator, **header: int) -> Any:
    """A tile with random CDFs, and nonsense in the block info of what is outside of it."""
    values: dict[str, Any] = {
        name: np.zeros(1, str(kind.dtype)) if isinstance(kind, types.Array) else 0 for name, kind in Tile.FIELDS.items()
    }
    values |= tile_memory(MI_STRIDE, 64 * 64 * 16)
    for name, array in block_info(MI_ROWS + 16, MI_STRIDE).items():
        values[name] = random.integers(0, 8 if "ref_frame" in name else 2, array.size).astype(array.dtype)
    values["cdf"] = random_cdfs(random)
    values["rate"] = np.zeros(values["cdf"].size, np.int32)
    values |= {"mi_rows": MI_ROWS, "mi_cols": MI_COLS, "mi_stride": MI_STRIDE}
    values |= {"mi_row_start": FIRST_ROW, "mi_row_end": MI_ROWS, "mi_col_start": FIRST_COL, "mi_col_end": MI_COLS}
    t = Tile(**{**values, **header})
    symbol.start_symbols(t)
    symbol.update_rates(t)
    inter_modes.fill_mv_rates(t)
    return t


def draw_blocks(
    random: np.random.Generator, large: float, row: int, col: int, block_size: int
) -> Iterator[tuple[int, int, int]]:
    """Position and size of blocks, in coding order; what the frame's edge cuts in half is split. large: how often none is."""
    if row >= MI_ROWS or col >= MI_COLS:
        return
    half = num_4x4(block_size) // 2
    whole = block_size == BLOCK_4X4 or (row + half < MI_ROWS and col + half < MI_COLS and random.random() < large)
    if whole:
        yield row, col, block_size
        return
    for i in range(4):
        yield from draw_blocks(random, large, row + (i >> 1) * half, col + (i & 1) * half, block_size - 3)


def draw_stack(random: np.random.Generator) -> dict[str, Any]:
    return {
        "NumMvFound": int(random.integers(9)),
        "NewMvContext": int(random.integers(6)),
        "RefMvContext": int(random.integers(6)),
        "ZeroMvContext": int(random.integers(2)),
        "DrlCtxStack": random.integers(0, 3, 3).tolist(),
    }


def draw_tx_sizes(random: np.random.Generator, t: Any, block_size: int, is_inter: int, skip: int) -> np.ndarray:
    """One size for the block, or the tree of an inter block, one entry a 4x4 unit."""
    largest, w4 = block_size // 3, num_4x4(block_size)
    sizes = np.full((w4, w4), largest)
    if not t.tx_mode_select or (is_inter and skip):
        return sizes
    if not is_inter:
        return np.maximum(sizes - random.integers(3), 0)
    half = max(w4 // 2, 1)
    if largest > 0 and random.random() < 0.6:
        for i in range(4):
            part = np.s_[(i >> 1) * half : (i >> 1) * half + half, (i & 1) * half : (i & 1) * half + half]
            sizes[part] = max(largest - 1 - int(random.integers(2)), 0)
    return sizes


def draw_component(random: np.random.Generator, t: Any) -> int:
    magnitude = int(random.integers(0, 1 << int(random.integers(1, 15)))) + int(random.integers(2))
    if not t.allow_high_precision_mv:
        magnitude = (magnitude + 1) & ~1
    return -magnitude if random.random() < 0.5 else magnitude


def draw_block(
    random: np.random.Generator, t: Any, row: int, col: int, block_size: int, stack: dict[str, Any]
) -> Block:
    """What a block may be, as the reader will give it."""
    block: Block = {"skip_mode": 0, "is_inter": int(random.random() < 0.8), "skip": int(random.integers(2))}
    if t.skip_mode_present and block_size >= BLOCK_8X8 and random.random() < 0.3:
        block |= {"skip_mode": 1, "is_inter": 1, "skip": 1}
    if not block["is_inter"]:
        block |= {"ref": (INTRA_FRAME, NONE), "y_mode": int(random.integers(13))}
        block["angle_y"] = draw_angle(random, block["y_mode"], block_size)
        if has_chroma(row, col, block_size):
            uv_mode = int(random.integers(14 if block_size <= 9 else 13))
            block |= {"uv_mode": uv_mode, "angle_uv": draw_angle(random, uv_mode, block_size)}
            if uv_mode == UV_CFL_PRED:
                alpha = int(random.integers(1, 17)) * (-1 if random.random() < 0.5 else 1)
                block["cfl_alphas"] = (alpha, int(random.integers(-16, 17))) if random.random() < 0.8 else (0, alpha)
    else:
        draw_inter_info(random, t, block, block_size, stack)
    sizes = draw_tx_sizes(random, t, block_size, block["is_inter"], block["skip"])
    block["tx_sizes"] = sizes[: MI_ROWS - row, : MI_COLS - col].tolist()
    if not block["skip"]:
        padded = np.zeros((MI_ROWS + 16, MI_COLS + 16), int)
        padded[row : row + len(sizes), col : col + len(sizes)] = sizes
        block["tx_types"] = [
            draw_tx_type(random, t, int(padded[at]), block["is_inter"])
            for at in transform_blocks(padded, row, col, block_size // 3)
        ]
    return block


def draw_angle(random: np.random.Generator, mode: int, block_size: int) -> int:
    return int(random.integers(-3, 4)) if block_size >= BLOCK_8X8 and 1 <= mode <= 8 else 0


def draw_inter_info(random: np.random.Generator, t: Any, block: Block, block_size: int, stack: dict[str, Any]) -> None:
    ref: tuple[int, int] = (int(random.integers(1, 8)), NONE)
    if t.reference_select and block_size >= BLOCK_8X8 and random.random() < 0.5:
        pairs = PAIRS if random.random() < 0.5 else UNIDIRECTIONAL_PAIRS
        ref = pairs[random.integers(len(pairs))]
    mode = int(
        random.integers(NEARESTMV, NEAREST_NEARESTMV) if ref[1] == NONE else random.integers(NEAREST_NEARESTMV, 25)
    )
    if block["skip_mode"]:
        ref, mode = (t.skip_mode_frame_0, t.skip_mode_frame_1), NEAREST_NEARESTMV
    interp_filter = t.interpolation_filter
    if interp_filter == SWITCHABLE:
        is_still = block["skip_mode"] or (block_size >= BLOCK_8X8 and mode in (GLOBALMV, GLOBAL_GLOBALMV))
        interp_filter = 0 if is_still else int(random.integers(3))
    new = sum(get_mode(mode, i) == NEWMV for i in range(1 + (ref[1] > 0)))
    block |= {
        "ref": ref,
        "y_mode": mode,
        "ref_mv_idx": read_ref_mv_idx(mode, stack["NumMvFound"], lambda _: random.integers(2)),
        "diff_mvs": [(draw_component(random, t), draw_component(random, t)) for _ in range(new)],
        "interp_filter": interp_filter,
    }


def draw_tx_type(random: np.random.Generator, t: Any, tx_size: int, is_inter: int) -> int:
    tx_set = get_tx_set(tx_size, is_inter, t.reduced_tx_set)
    return int(random.choice(TX_TYPE_INV[is_inter, tx_set])) if tx_set else DCT_DCT


def put(t: Any, row: int, col: int, block_size: int, block: Block, stack: dict[str, Any]) -> None:
    """The block's decisions into the block info, its stack's contexts into t.mv_stack."""
    info = {name: block[name] for name in ("skip_mode", "is_inter", "y_mode")}
    info |= {name: block.get(name, 0) for name in ("angle_y", "uv_mode", "angle_uv", "ref_mv_idx", "interp_filter")}
    info |= {"block_size": block_size, "ref_frame_0": block["ref"][0], "ref_frame_1": block["ref"][1]}
    info["cfl_alpha_u"], info["cfl_alpha_v"] = block.get("cfl_alphas", (0, 0))
    w4 = num_4x4(block_size)
    for name, value in info.items():
        getattr(t, name).reshape(-1, MI_STRIDE)[row : row + w4, col : col + w4] = value
    sizes = np.array(block["tx_sizes"])
    t.tx_size.reshape(-1, MI_STRIDE)[row : row + sizes.shape[0], col : col + sizes.shape[1]] = sizes
    for name, word in (
        ("NumMvFound", NUM_MV_FOUND),
        ("NewMvContext", NEW_MV_CONTEXT),
        ("RefMvContext", REF_MV_CONTEXT),
        ("ZeroMvContext", ZERO_MV_CONTEXT),
    ):
        t.mv_stack[STACK_AT + word] = stack[name]
    t.mv_stack[STACK_AT + DRL_CONTEXT : STACK_AT + DRL_CONTEXT + 3] = stack["DrlCtxStack"]


STACK_AT = 64


class Writer:
    """Writes blocks; while CDFs stand still, each group's rate is held against the probabilities that the writer used."""

    def __init__(self, t: Any):
        self.t = t

    def group(self, write: Any, rate: Any, *arguments: Any) -> None:
        t = self.t
        told = rate(t, *arguments)
        first = int(t.coder[symbol.TOKENS])
        write(t, *arguments)
        if t.disable_cdf_update:
            tokens = t.tokens[first : t.coder[symbol.TOKENS]]
            probabilities = (tokens & 0xFFFF) - (tokens >> 16 & 0xFFFF)
            assert told == t.rate_of_probability[probabilities >> symbol.RATE_STEP_LOG2].sum(), write.__name__

    def write(self, row: int, col: int, block_size: int, block: Block) -> None:
        t = self.t
        inter_modes.load_ref_counts(t, row, col)
        at = (row, col)
        self.group(inter_modes.write_skip_mode, inter_modes.skip_mode_rate, *at, block_size, block["skip_mode"])
        if not block["skip_mode"]:
            symbol.write_bool(t, modes.skip_cdf(t, *at), block["skip"])
            self.group(inter_modes.write_is_inter, inter_modes.is_inter_rate, *at, block["is_inter"])
        if not block["is_inter"]:
            modes.write_intra_modes(t, *at, block_size, has_chroma(*at, block_size))
        elif not block["skip_mode"]:
            self.write_inter(row, col, block_size, block)
        if block["is_inter"] and not block["skip"]:
            self.group(write_var_tx_size, inter_modes.var_tx_size_rate, *at, block_size)
        else:
            inter_modes.write_block_tx_size(t, row, col, block_size, block["skip"])
        sizes = t.tx_size.reshape(-1, MI_STRIDE)
        if not block["skip"]:
            for place, tx_type in zip(transform_blocks(sizes, *at, block_size // 3), block["tx_types"], strict=True):
                arguments = int(sizes[place]), tx_type, block["y_mode"], block["is_inter"]
                self.group(modes.write_tx_type, modes.tx_type_rate, *arguments)
        w4 = num_4x4(block_size)
        t.skip.reshape(-1, MI_STRIDE)[row : row + w4, col : col + w4] = block["skip"]

    def write_inter(self, row: int, col: int, block_size: int, block: Block) -> None:
        (ref_0, ref_1), mode = block["ref"], block["y_mode"]
        self.group(inter_modes.write_ref_frames, inter_modes.ref_frames_rate, row, col, block_size, ref_0, ref_1)
        arguments = STACK_AT, mode, block["ref_mv_idx"], ref_1 > INTRA_FRAME
        self.group(inter_modes.write_inter_mode, inter_modes.inter_mode_rate, *arguments)
        for difference in block["diff_mvs"]:
            self.group(inter_modes.write_mv, inter_modes.mv_rate, *difference)
        choice = mode, ref_0, ref_1 > INTRA_FRAME, block["interp_filter"]
        self.group(write_interp_filter, inter_modes.interp_filter_rate, row, col, block_size, *choice)


def write_var_tx_size(t: Any, row: int, col: int, block_size: int) -> None:
    inter_modes.write_block_tx_size(t, row, col, block_size, 0)


def write_interp_filter(t: Any, row: int, col: int, block_size: int, *_choice: int) -> None:
    """The choice stands in the block info."""
    inter_modes.write_interp_filter(t, row, col, block_size)


def bytes_of(t: Any) -> bytes:
    symbol.code_tokens(t, 0, int(t.coder[symbol.TOKENS]))
    size = symbol.finish_symbols(t)
    return t.out[:size].astype(np.uint8).tobytes()


def round_trip(seed: int, **header: int) -> tuple[Any, np.ndarray]:
    """Write a tile of random blocks and read it back; gives the tile and its CDFs before."""
    random = np.random.default_rng(seed)
    t = new_tile(random, **header)
    before = t.cdf.copy()
    writer = Writer(t)
    coded = []
    large = (0.3, 0.5, 0.9)[seed % 3]
    for sb_row in range(FIRST_ROW, MI_ROWS, 16):
        for sb_col in range(FIRST_COL, MI_COLS, 16):
            for place in draw_blocks(random, large, sb_row, sb_col, BLOCK_64X64):
                stack = draw_stack(random)
                block = draw_block(random, t, *place, stack)
                put(t, *place, block, stack)
                writer.write(*place, block)
                coded.append((place, stack, block))
    reader = Reader(bytes_of(t), before, t)
    for place, stack, block in coded:
        assert reader.read_block(*place, stack) == block, place
    reader.decoder.exit()
    assert tables_of(t.cdf) == reader.cdf
    return t, before


FULL = {
    "reference_select": 1,
    "skip_mode_present": 1,
    "skip_mode_frame_0": LAST_FRAME,
    "skip_mode_frame_1": ALTREF2_FRAME,
    "allow_high_precision_mv": 1,
    "interpolation_filter": SWITCHABLE,
    "tx_mode_select": 1,
}


@pytest.mark.parametrize(
    "header",
    [
        FULL,
        {**FULL, "disable_cdf_update": 1},
        {**FULL, "disable_cdf_update": 1, "allow_high_precision_mv": 0, "reduced_tx_set": 1},
        {**FULL, "reference_select": 0, "skip_mode_present": 0, "allow_high_precision_mv": 0},
        {**FULL, "interpolation_filter": 2, "tx_mode_select": 0, "disable_cdf_update": 1},
    ],
    ids=["adaptive", "fixed", "reduced", "single references", "frame filter"],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_is_what_the_specification_reads(header: dict[str, int], seed: int) -> None:
    round_trip(seed, **header)


OTHER_DIRECTION = range(8, 16)
"""Contexts of the second interpolation filter, which follows the first."""


def test_the_tiles_of_these_tests_use_every_context() -> None:
    used = np.zeros(cdf.default_cdfs(0).size, bool)
    for seed in range(18):
        t, before = round_trip(100 + seed, **FULL, reduced_tx_set=seed & 1)
        used |= t.cdf != before
    for name, at in cdf._AT.items():
        if cdf.INTER_Y_MODE <= at < cdf.USE_WIENER or cdf.TX_8X8_DEPTH <= at < cdf.SKIP:
            *rows, length = cdf._default(name, 0).shape
            is_used = used[at : at + int(np.prod(rows)) * length].reshape(-1, length).any(axis=1)
            unused = set(np.flatnonzero(~is_used).tolist())
            assert unused == (set(OTHER_DIRECTION) if at == cdf.INTERP_FILTER else set()), name


def test_codable_pairs_are_those_that_the_syntax_can_express() -> None:
    pairs = {(a, b) for a in range(1, 8) for b in range(-1, 8) if inter_modes.is_codable_pair(a, b)}
    assert pairs == set(PAIRS)


@pytest.mark.parametrize("reduced_tx_set", [0, 1])
def test_chroma_takes_the_type_of_luma_if_its_set_has_it(reduced_tx_set: int) -> None:
    t = new_tile(np.random.default_rng(1), reduced_tx_set=reduced_tx_set)
    for tx_size in range(TX_64X64):
        allowed = TX_TYPE_INV[1, get_tx_set(tx_size, 1, reduced_tx_set)]
        for tx_type in range(TX_TYPES):
            expected = tx_type if tx_type in allowed else DCT_DCT
            assert inter_modes.inter_chroma_tx_type(t, tx_type, tx_size) == expected


def test_inter_neighbours_are_not_smooth_in_chroma() -> None:
    """get_filter_type of spec 7.11.2.8, on random modes; blocks are 8x8 or 4x4."""
    random = np.random.default_rng(1)
    t = new_tile(random)
    y_modes, uv_modes, refs = (a.reshape(-1, MI_STRIDE) for a in (t.y_mode, t.uv_mode, t.ref_frame_0))
    y_modes[:], uv_modes[:] = random.integers(DC_PRED, NEWMV, y_modes.shape), random.integers(8, 13, uv_modes.shape)
    refs[:] = random.integers(0, 2, refs.shape)

    def is_smooth(row: int, col: int, plane: int) -> bool:
        if plane > 0 and refs[row, col] > INTRA_FRAME:
            return False
        return bool(SMOOTH_PRED <= (uv_modes if plane else y_modes)[row, col] <= SMOOTH_H_PRED)

    def is_inside(row: int, col: int) -> bool:
        return FIRST_ROW <= row < MI_ROWS and FIRST_COL <= col < MI_COLS

    for row in range(FIRST_ROW, MI_ROWS):
        for col in range(FIRST_COL, MI_COLS):
            for small, plane in ((True, 0), (True, 1), (False, 0), (False, 1)):
                if (not small and (row | col) & 1) or (small and plane and not (row & col & 1)):
                    continue
                reach = 2 if small and plane else 1
                above, left = (row - 1, col), (row, col - 1)
                if plane:
                    above = (above[0] - (row & 1), col + (not col & 1))
                    left = (row + (not row & 1), left[1] - (col & 1))
                expected = (is_inside(row - reach, col) and is_smooth(*above, plane)) or (
                    is_inside(row, col - reach) and is_smooth(*left, plane)
                )
                assert predict.smooth_neighbour(t, row, col, plane, small) == expected


EVERYTHING = """
from encoder.tile.inter_modes import {names}
from encoder.tile.modes import tx_type_rate, write_intra_modes, write_tx_type


def everything(t, row, col, size, stack_at):
    load_ref_counts(t, row, col)
    fill_mv_rates(t)
    rate = skip_mode_rate(t, row, col, size, 1) + is_inter_rate(t, row, col, 1) + tx_type_rate(t, 1, 3, 13, 1)
    write_skip_mode(t, row, col, size, 0)
    write_is_inter(t, row, col, 1)
    write_intra_modes(t, row, col, size, True)
    for ref_1 in range(-1, 8):
        if ref_1 < 0 or is_codable_pair(1, ref_1):
            rate += ref_frames_rate(t, row, col, size, 1, ref_1)
            write_ref_frames(t, row, col, size, 1, ref_1)
    for mode in range(13, 25):
        rate += inter_mode_rate(t, stack_at, mode, 1, mode > 16)
        rate += interp_filter_rate(t, row, col, size, mode, 1, mode > 16, 2)
        write_inter_mode(t, stack_at, mode, 1, mode > 16)
    for diff in range(-300, 300, 50):
        rate += mv_rate(t, diff, 2 * diff)
        write_mv(t, diff, 2 * diff)
    write_interp_filter(t, row, col, size)
    rate += var_tx_size_rate(t, row, col, size)
    write_block_tx_size(t, row, col, size, 0)
    write_tx_type(t, 1, 3, 13, 1)
    return rate + inter_chroma_tx_type(t, 5, 3)
"""
USED = (
    "fill_mv_rates, inter_chroma_tx_type, inter_mode_rate, interp_filter_rate, is_codable_pair, is_inter_rate, "
    "load_ref_counts, mv_rate, ref_frames_rate, skip_mode_rate, var_tx_size_rate, write_block_tx_size, "
    "write_inter_mode, write_interp_filter, write_is_inter, write_mv, write_ref_frames, write_skip_mode"
)


@pytest.mark.slow
def test_the_compiled_twin_writes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "plain_everything.py"
    path.write_text(EVERYTHING.format(names=USED))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tiles, results = [], []
    for function in (module.everything, compiled.compiled(module, "everything", cached=False)):
        t = new_tile(np.random.default_rng(5), **FULL)
        t.mv_stack[STACK_AT + NUM_MV_FOUND] = 4
        t.is_inter[:], t.y_mode[:], t.tx_size[:] = 1, 12, 1
        results.append(function(t, np.int64(20), np.int64(24), np.int64(6), np.int64(STACK_AT)))
        tiles.append(t)
    assert results[0] == results[1]
    assert np.array_equal(tiles[0].cdf, tiles[1].cdf) and np.array_equal(tiles[0].tokens, tiles[1].tokens)
