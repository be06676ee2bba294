"""Motion vector prediction and motion fields against the specification, written down word for word."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from numba.core.types import Array

from encoder.compiled import compiled
from encoder.frame import motion_field
from encoder.frame.motion_field import MotionField, motion_cells
from encoder.spec import (
    ALTREF2_FRAME,
    ALTREF_FRAME,
    BLOCK_4X4,
    BLOCK_8X8,
    BLOCK_64X64,
    BWDREF_FRAME,
    GLOBAL_GLOBALMV,
    GLOBALMV,
    GOLDEN_FRAME,
    INTRA_FRAME,
    LAST2_FRAME,
    LAST3_FRAME,
    LAST_FRAME,
    NEAR_NEARMV,
    NEAR_NEWMV,
    NEAREST_NEARESTMV,
    NEAREST_NEWMV,
    NEARESTMV,
    NEARMV,
    NEW_NEARESTMV,
    NEW_NEARMV,
    NEW_NEWMV,
    NEWMV,
    NONE,
)
from encoder.tile import mv_stack
from encoder.tile.blocks import clear_block_decoded_flags, mark_decoded
from encoder.tile.state import MV_STACK_ROWS, MV_STACK_WORDS, Tile, block_info, tile_memory

SINGLE = [(ref, NONE) for ref in range(LAST_FRAME, ALTREF_FRAME + 1)]
COMPOUND = [(f, b) for f in range(LAST_FRAME, GOLDEN_FRAME + 1) for b in range(BWDREF_FRAME, ALTREF_FRAME + 1)] + [
    (LAST_FRAME, LAST2_FRAME),
    (LAST_FRAME, LAST3_FRAME),
    (LAST_FRAME, GOLDEN_FRAME),
    (BWDREF_FRAME, ALTREF_FRAME),
]
Mv = list[int]


def new_mv_modes(mode: int) -> bool:
    return mode in (NEWMV, NEW_NEWMV, NEAR_NEWMV, NEW_NEARMV, NEAREST_NEWMV, NEW_NEARESTMV)


def size4_of(block_size: int) -> int:
    return {0: 1, 3: 2, 6: 4, 9: 8, 12: 16}[block_size]


@dataclass
class Oracle:
    """Section 7.10.2 of the specification, one method a process; arrays are [row][col]."""

    MiRows: int
    MiCols: int
    tile: tuple[int, int, int, int]  # MiRowStart, MiRowEnd, MiColStart, MiColEnd
    MiSizes: np.ndarray
    YModes: np.ndarray
    IsInters: np.ndarray
    RefFrames: np.ndarray
    Mvs: np.ndarray
    written: np.ndarray
    sign_bias: list[int]
    high_precision: bool
    MotionFieldMvs: np.ndarray | None
    MiRow: int = 0
    MiCol: int = 0
    bw4: int = 0
    bh4: int = 0
    RefFrame: tuple[int, int] = (0, 0)
    Stack: list[list[Mv]] = field(default_factory=list)
    Weight: list[int] = field(default_factory=list)

    def is_inside(self, row: int, col: int) -> bool:
        row_start, row_end, col_start, col_end = self.tile
        return col_start <= col < col_end and row_start <= row < row_end

    def find(self, mi_row: int, mi_col: int, block_size: int, refs: tuple[int, int]) -> dict[str, Any]:
        self.MiRow, self.MiCol, self.RefFrame = mi_row, mi_col, refs
        self.bw4 = self.bh4 = size4_of(block_size)
        comp = refs[1] > INTRA_FRAME
        self.NumMvFound = self.NewMvCount = 0
        self.Stack = [[[7777, 7777], [7777, 7777]] for _ in range(10)]
        self.Weight = [0] * 10
        self.GlobalMvs = [[0, 0], [0, 0]]
        self.FoundMatch = 0
        self.scan_row(-1, comp)
        above, self.FoundMatch = self.FoundMatch, 0
        self.scan_col(-1, comp)
        left, self.FoundMatch = self.FoundMatch, 0
        if max(self.bw4, self.bh4) <= 16:
            self.scan_point(-1, self.bw4, comp)
        if self.FoundMatch == 1:
            above = 1
        close = above + left
        num_nearest, num_new = self.NumMvFound, self.NewMvCount
        if num_nearest > 0:
            for idx in range(num_nearest):
                self.Weight[idx] += 640
        self.ZeroMvContext = 0
        if self.MotionFieldMvs is not None:
            self.temporal_scan(comp)
        self.scan_point(-1, -1, comp)
        if self.FoundMatch == 1:
            above = 1
        self.FoundMatch = 0
        self.scan_row(-3, comp)
        if self.FoundMatch == 1:
            above = 1
        self.FoundMatch = 0
        self.scan_col(-3, comp)
        if self.FoundMatch == 1:
            left = 1
        self.FoundMatch = 0
        if self.bh4 > 1:
            self.scan_row(-5, comp)
        if self.FoundMatch == 1:
            above = 1
        self.FoundMatch = 0
        if self.bw4 > 1:
            self.scan_col(-5, comp)
        if self.FoundMatch == 1:
            left = 1
        total = above + left
        self.sort(0, num_nearest)
        self.sort(num_nearest, self.NumMvFound)
        if self.NumMvFound < 2:
            self.extra_search(comp)
        return self.finish(comp, num_new, close, total)

    def scan_row(self, delta_row: int, comp: bool) -> None:
        end4 = min(min(self.bw4, self.MiCols - self.MiCol), 16)
        delta_col = 0
        use_step16 = self.bw4 >= 16
        if abs(delta_row) > 1:
            delta_row += self.MiRow & 1
            delta_col = 1 - (self.MiCol & 1)
        i = 0
        while i < end4:
            mv_row, mv_col = self.MiRow + delta_row, self.MiCol + delta_col + i
            if not self.is_inside(mv_row, mv_col):
                break
            length = min(self.bw4, size4_of(self.MiSizes[mv_row][mv_col]))
            if abs(delta_row) > 1:
                length = max(2, length)
            if use_step16:
                length = max(4, length)
            self.add_ref_mv_candidate(mv_row, mv_col, comp, length * 2)
            i += length

    def scan_col(self, delta_col: int, comp: bool) -> None:
        end4 = min(min(self.bh4, self.MiRows - self.MiRow), 16)
        delta_row = 0
        use_step16 = self.bh4 >= 16
        if abs(delta_col) > 1:
            delta_row = 1 - (self.MiRow & 1)
            delta_col += self.MiCol & 1
        i = 0
        while i < end4:
            mv_row, mv_col = self.MiRow + delta_row + i, self.MiCol + delta_col
            if not self.is_inside(mv_row, mv_col):
                break
            length = min(self.bh4, size4_of(self.MiSizes[mv_row][mv_col]))
            if abs(delta_col) > 1:
                length = max(2, length)
            if use_step16:
                length = max(4, length)
            self.add_ref_mv_candidate(mv_row, mv_col, comp, length * 2)
            i += length

    def scan_point(self, delta_row: int, delta_col: int, comp: bool) -> None:
        mv_row, mv_col = self.MiRow + delta_row, self.MiCol + delta_col
        if self.is_inside(mv_row, mv_col) and self.written[mv_row][mv_col]:
            self.add_ref_mv_candidate(mv_row, mv_col, comp, 4)

    def temporal_scan(self, comp: bool) -> None:
        bw4, bh4 = self.bw4, self.bh4
        step_w4 = 4 if bw4 >= 16 else 2
        step_h4 = 4 if bh4 >= 16 else 2
        for delta_row in range(0, min(bh4, 16), step_h4):
            for delta_col in range(0, min(bw4, 16), step_w4):
                self.add_tpl_ref_mv(delta_row, delta_col, comp)
        if bh4 >= 2 and bh4 < 16 and bw4 >= 2 and bw4 < 16:
            for delta_row, delta_col in ((bh4, -2), (bh4, bw4), (bh4 - 2, bw4)):
                row, col = (self.MiRow & 15) + delta_row, (self.MiCol & 15) + delta_col
                if row >= 0 and row < 16 and col >= 0 and col < 16:
                    self.add_tpl_ref_mv(delta_row, delta_col, comp)

    def add_tpl_ref_mv(self, delta_row: int, delta_col: int, comp: bool) -> None:
        mv_row, mv_col = (self.MiRow + delta_row) | 1, (self.MiCol + delta_col) | 1
        if not self.is_inside(mv_row, mv_col):
            return
        assert self.MotionFieldMvs is not None
        x8, y8 = mv_col >> 1, mv_row >> 1
        if delta_row == 0 and delta_col == 0:
            self.ZeroMvContext = 1
        mvs = [self.MotionFieldMvs[self.RefFrame[i]][y8][x8].tolist() for i in range(1 + comp)]
        if any(mv[0] == -1 << 15 for mv in mvs):
            return
        for mv in mvs:
            self.lower_mv_precision(mv)
        if delta_row == 0 and delta_col == 0:
            far = any(abs(mvs[i][c] - self.GlobalMvs[i][c]) >= 16 for i in range(1 + comp) for c in range(2))
            self.ZeroMvContext = 1 if far else 0
        self.add_or_weigh(mvs, 2)

    def add_or_weigh(self, mvs: list[Mv], weight: int) -> None:
        for idx in range(self.NumMvFound):
            if self.Stack[idx][: len(mvs)] == mvs:
                self.Weight[idx] += weight
                return
        if self.NumMvFound < 8:
            self.Stack[self.NumMvFound][: len(mvs)] = [list(mv) for mv in mvs]
            self.Weight[self.NumMvFound] = weight
            self.NumMvFound += 1

    def add_ref_mv_candidate(self, mv_row: int, mv_col: int, comp: bool, weight: int) -> None:
        assert self.written[mv_row][mv_col], "the specification reads only what is decoded"
        if self.IsInters[mv_row][mv_col] == 0:
            return
        frames = self.RefFrames[mv_row][mv_col].tolist()
        if not comp:
            for cand_list in range(2):
                if frames[cand_list] == self.RefFrame[0]:
                    self.search_stack(mv_row, mv_col, [cand_list], weight)
        elif frames[0] == self.RefFrame[0] and frames[1] == self.RefFrame[1]:
            self.search_stack(mv_row, mv_col, [0, 1], weight)

    def search_stack(self, mv_row: int, mv_col: int, lists: list[int], weight: int) -> None:
        mvs = [self.Mvs[mv_row][mv_col][cand_list].tolist() for cand_list in lists]
        for mv in mvs:
            self.lower_mv_precision(mv)
        if new_mv_modes(self.YModes[mv_row][mv_col]):
            self.NewMvCount += 1
        self.FoundMatch = 1
        self.add_or_weigh(mvs, weight)

    def lower_mv_precision(self, mv: Mv) -> None:
        if self.high_precision:
            return
        for i in range(2):
            if mv[i] & 1:
                if mv[i] > 0:
                    mv[i] -= 1
                else:
                    mv[i] += 1

    def sort(self, start: int, end: int) -> None:
        while end > start:
            new_end = start
            for idx in range(start + 1, end):
                if self.Weight[idx - 1] < self.Weight[idx]:
                    for array in (self.Weight, self.Stack):
                        array[idx - 1], array[idx] = array[idx], array[idx - 1]  # type: ignore[index]
                    new_end = idx
            end = new_end

    def extra_search(self, comp: bool) -> None:
        self.RefIdMvs: list[list[Mv]] = [[], []]
        self.RefDiffMvs: list[list[Mv]] = [[], []]
        w4 = min(min(16, self.bw4), self.MiCols - self.MiCol)
        h4 = min(min(16, self.bh4), self.MiRows - self.MiRow)
        num4x4 = min(w4, h4)
        for pass_number in range(2):
            idx = 0
            while idx < num4x4 and self.NumMvFound < 2:
                if pass_number == 0:
                    mv_row, mv_col = self.MiRow - 1, self.MiCol + idx
                else:
                    mv_row, mv_col = self.MiRow + idx, self.MiCol - 1
                if not self.is_inside(mv_row, mv_col):
                    break
                self.add_extra_mv_candidate(mv_row, mv_col, comp)
                idx += size4_of(self.MiSizes[mv_row][mv_col])
        if not comp:
            for idx in range(self.NumMvFound, 2):
                self.Stack[idx][0] = list(self.GlobalMvs[0])
            return
        combined: list[list[Mv]] = [[[], []], [[], []]]
        for i in range(2):
            count = 0
            for mv in self.RefIdMvs[i]:
                combined[count][i] = mv
                count += 1
            for mv in self.RefDiffMvs[i]:
                if count < 2:
                    combined[count][i] = mv
                    count += 1
            while count < 2:
                combined[count][i] = self.GlobalMvs[i]
                count += 1
        if self.NumMvFound == 1:
            same = combined[0][0] == self.Stack[0][0] and combined[0][1] == self.Stack[0][1]
            self.Stack[1] = [list(mv) for mv in combined[1 if same else 0]]
            self.Weight[1] = 2
        else:
            for idx in range(2):
                self.Stack[idx] = [list(mv) for mv in combined[idx]]
                self.Weight[idx] = 2
        self.NumMvFound = 2

    def add_extra_mv_candidate(self, mv_row: int, mv_col: int, comp: bool) -> None:
        for cand_list in range(2):
            cand_ref = self.RefFrames[mv_row][mv_col][cand_list]
            if cand_ref <= INTRA_FRAME:
                continue
            if comp:
                for i in range(2):
                    mv = self.Mvs[mv_row][mv_col][cand_list].tolist()
                    if cand_ref == self.RefFrame[i] and len(self.RefIdMvs[i]) < 2:
                        self.RefIdMvs[i].append(mv)
                    elif len(self.RefDiffMvs[i]) < 2:
                        if self.sign_bias[cand_ref] != self.sign_bias[self.RefFrame[i]]:
                            mv = [-mv[0], -mv[1]]
                        self.RefDiffMvs[i].append(mv)
            else:
                mv = self.Mvs[mv_row][mv_col][cand_list].tolist()
                if self.sign_bias[cand_ref] != self.sign_bias[self.RefFrame[0]]:
                    mv = [-mv[0], -mv[1]]
                if all(mv != self.Stack[idx][0] for idx in range(self.NumMvFound)):
                    self.Stack[self.NumMvFound][0] = mv
                    self.Weight[self.NumMvFound] = 2
                    self.NumMvFound += 1

    def finish(self, comp: bool, num_new: int, close: int, total: int) -> dict[str, Any]:
        drl = []
        for idx in range(self.NumMvFound):
            z = 0
            if idx + 1 < self.NumMvFound:
                w0, w1 = self.Weight[idx], self.Weight[idx + 1]
                if w0 >= 640:
                    if w1 < 640:
                        z = 1
                else:
                    z = 2
            drl.append(z)
        bw = bh = 4 * self.bw4
        for i in range(1 + comp):
            for idx in range(self.NumMvFound):
                mv = self.Stack[idx][i]
                mv[0] = self.clamp_mv_row(mv[0], 128 + bh * 8)
                mv[1] = self.clamp_mv_col(mv[1], 128 + bw * 8)
        if close == 0:
            new_context, ref_context = min(total, 1), total
        elif close == 1:
            new_context, ref_context = 3 - min(num_new, 1), 2 + total
        else:
            new_context, ref_context = 5 - min(num_new, 1), 5
        found = max(self.NumMvFound, 2)
        return {
            "NumMvFound": self.NumMvFound,
            "contexts": (new_context, ref_context, self.ZeroMvContext),
            "drl": [*drl, 0, 0, 0][:3],
            "stack": [entry[: 1 + comp] for entry in self.Stack[:found]],
            "weight": self.Weight[: self.NumMvFound],
        }

    def clamp_mv_row(self, value: int, border: int) -> int:
        top, bottom = -((self.MiRow * 4) * 8), ((self.MiRows - self.bh4 - self.MiRow) * 4) * 8
        return max(top - border, min(bottom + border, value))

    def clamp_mv_col(self, value: int, border: int) -> int:
        left, right = -((self.MiCol * 4) * 8), ((self.MiCols - self.bw4 - self.MiCol) * 4) * 8
        return max(left - border, min(right + border, value))


class Scene:
    """A frame of random blocks, coded tile by tile; `blocks` are (mi_row, mi_col, block_size) in coding order.

    variety   how many motion vectors and pairs of references there are to choose from: few make many matches
    """

    def __init__(self, seed: int, mi_rows: int, mi_cols: int, variety: int, temporal: bool, smallest: float):
        self.rng = rng = np.random.default_rng(seed)
        self.mi_rows, self.mi_cols, self.smallest = mi_rows, mi_cols, smallest
        self.stride = -(-mi_cols // 16) * 16
        self.high_precision = bool(rng.integers(2))
        self.sign_bias = [0, *rng.integers(0, 2, 7).tolist()]
        self.info = block_info(-(-mi_rows // 16) * 16, self.stride)
        # Near the bound of ZeroMvContext, across the frame, and as far as it goes.
        limit = int(rng.choice([17, 300, 16383]))
        # Odd ones too where the precision is low, so that lowering it has something to do.
        self.mvs = rng.integers(-limit, limit + 1, (variety, 2, 2))
        pairs = [*SINGLE, *COMPOUND]
        self.pairs = [pairs[i] for i in rng.choice(len(pairs), min(variety, len(pairs)), replace=False)]
        self.intra = rng.choice([0.05, 0.3, 0.8])
        self.motion_field = np.full((8, mi_rows >> 1, mi_cols >> 1, 2), -(1 << 15), np.int16)
        self.temporal = temporal
        if temporal:
            choice = rng.integers(0, variety, self.motion_field.shape[:3])
            some = rng.random(self.motion_field.shape[:3]) < rng.choice([0.3, 0.95])
            self.motion_field[some] = self.mvs[choice, 0][some]

    def draw(self, mi_row: int, mi_col: int, block_size: int) -> list[tuple[int, int, int]]:
        """Split a square at random; a block that the frame's edge cuts is split."""
        size4 = size4_of(block_size)
        if mi_row >= self.mi_rows or mi_col >= self.mi_cols:
            return []
        cut = mi_row + size4 > self.mi_rows or mi_col + size4 > self.mi_cols
        if block_size > BLOCK_4X4 and (cut or self.rng.random() < self.smallest):
            half = size4 // 2
            corners = [(0, 0), (0, half), (half, 0), (half, half)]
            return [b for y, x in corners for b in self.draw(mi_row + y, mi_col + x, block_size - 3)]
        self.decide(mi_row, mi_col, block_size)
        return [(mi_row, mi_col, block_size)]

    def decide(self, mi_row: int, mi_col: int, block_size: int) -> None:
        rng, size4 = self.rng, size4_of(block_size)
        values = {"block_size": block_size, "ref_frame_0": INTRA_FRAME, "ref_frame_1": NONE, "is_inter": 0}
        values["y_mode"] = int(rng.integers(0, 13))
        # What an intra block has for motion vectors must not matter.
        mv = self.mvs[rng.integers(len(self.mvs))].ravel().tolist()
        values |= dict(zip(("mv_row_0", "mv_col_0", "mv_row_1", "mv_col_1"), mv, strict=True))
        if rng.random() > self.intra:
            refs = self.pairs[rng.integers(len(self.pairs))]
            if block_size < BLOCK_8X8:
                refs = (refs[0], NONE)
            modes = (NEARESTMV, NEWMV) if refs[1] == NONE else (NEAREST_NEARESTMV, NEW_NEWMV)
            values |= {"ref_frame_0": refs[0], "ref_frame_1": refs[1], "is_inter": 1}
            values["y_mode"] = int(rng.integers(modes[0], modes[1] + 1))
        for name, value in values.items():
            self.info[name].reshape(-1, self.stride)[mi_row : mi_row + size4, mi_col : mi_col + size4] = value

    def tile(self, bounds: tuple[int, int, int, int]) -> Tile:
        fields: dict[str, Any] = {
            name: np.zeros(1, str(kind.dtype)) if isinstance(kind, Array) else 0 for name, kind in Tile.FIELDS.items()
        }
        fields |= tile_memory(self.stride, 64 * 64) | self.info
        fields |= dict(
            zip(("mi_row_start", "mi_row_end", "mi_col_start", "mi_col_end"), bounds, strict=True),
            mi_rows=self.mi_rows, mi_cols=self.mi_cols, mi_stride=self.stride,
            allow_high_precision_mv=self.high_precision, use_ref_frame_mvs=self.temporal,
            ref_sign_bias=np.array(self.sign_bias), motion_field=self.motion_field.ravel(),
        )  # fmt: skip
        return Tile(**fields)

    def superblocks(self) -> Iterator[tuple[tuple[int, int, int, int], int, int, Tile, np.ndarray]]:
        """In coding order: bounds of the tile, position, the tile with its flags cleared, what has been written so far."""
        written = np.zeros((-(-self.mi_rows // 16) * 16, self.stride), bool)
        cuts = [16 * int(self.rng.integers(1, max(2, -(-n // 16)))) for n in (self.mi_rows, self.mi_cols)]
        for rows in ((0, min(cuts[0], self.mi_rows)), (cuts[0], self.mi_rows)):
            for cols in ((0, min(cuts[1], self.mi_cols)), (cuts[1], self.mi_cols)):
                t = self.tile((*rows, *cols))
                for sb_row in range(*rows, 16):
                    for sb_col in range(*cols, 16):
                        clear_block_decoded_flags(t, sb_row, sb_col)
                        yield (*rows, *cols), sb_row, sb_col, t, written

    def oracle(self, bounds: tuple[int, int, int, int], written: np.ndarray) -> Oracle:
        grid = {name: values.reshape(-1, self.stride) for name, values in self.info.items()}
        mvs = [[grid["mv_row_0"], grid["mv_col_0"]], [grid["mv_row_1"], grid["mv_col_1"]]]
        return Oracle(
            self.mi_rows, self.mi_cols, bounds, grid["block_size"], grid["y_mode"], grid["is_inter"],
            np.stack([grid["ref_frame_0"], grid["ref_frame_1"]], -1),
            np.stack([np.stack(pair, -1) for pair in mvs], -2),
            written, self.sign_bias, self.high_precision, self.motion_field if self.temporal else None,
        )  # fmt: skip


def read_stack(t: Tile, at: int, refs: tuple[int, int]) -> dict[str, Any]:
    words = t.mv_stack[at : at + MV_STACK_WORDS].tolist()
    found = words[mv_stack.NUM_MV_FOUND]
    entries = [words[mv_stack.STACK + i * mv_stack.STACK_ENTRY :][: mv_stack.STACK_ENTRY] for i in range(max(found, 2))]
    lists = 2 if refs[1] > INTRA_FRAME else 1
    return {
        "NumMvFound": found,
        "contexts": tuple(
            words[i] for i in (mv_stack.NEW_MV_CONTEXT, mv_stack.REF_MV_CONTEXT, mv_stack.ZERO_MV_CONTEXT)
        ),
        "drl": words[mv_stack.DRL_CONTEXT :][: mv_stack.DRL_CONTEXTS],
        "stack": [[entry[0:2], entry[2:4]][:lists] for entry in entries],
        "weight": [entry[mv_stack.WEIGHT] for entry in entries[:found]],
    }


@cache
def compiled_find() -> Any:
    return compiled(mv_stack, "find_mv_stack")


def compare(scene: Scene, share: float, finders: tuple[Any, ...]) -> dict[str, int]:
    """Code the frame in up to four tiles, compare stacks of a share of its blocks; gives how often some things were met."""
    rng = scene.rng
    met = dict.fromkeys(("calls", "full", "empty", "pairs", "sizes"), 0)
    sizes = set()
    for bounds, sb_row, sb_col, t, written in scene.superblocks():
        blocks = scene.draw(sb_row, sb_col, BLOCK_64X64)
        oracle = scene.oracle(bounds, written)
        for mi_row, mi_col, block_size in blocks:
            if rng.random() < share:
                sizes.add(block_size)
                for refs in draw_refs(scene, block_size):
                    expected = oracle.find(mi_row, mi_col, block_size, refs)
                    at = int(rng.integers(MV_STACK_ROWS)) * MV_STACK_WORDS
                    for find in finders:
                        # What the row holds from the stack before must not matter.
                        t.mv_stack[at : at + MV_STACK_WORDS] = rng.integers(0, 3)
                        assert find(t, at, mi_row, mi_col, block_size, *refs) == expected["NumMvFound"]
                        assert read_stack(t, at, refs) == expected
                    check_modes(t, at, block_size, refs, expected)
                    met["calls"] += 1
                    met["full"] += expected["NumMvFound"] == 8
                    met["empty"] += expected["NumMvFound"] == 0
                    met["pairs"] += refs[1] != NONE
            size4 = size4_of(block_size)
            written[mi_row : mi_row + size4, mi_col : mi_col + size4] = True
            mark_decoded(t, 0, mi_row & 15, mi_col & 15, size4, 1)
    met["sizes"] = len(sizes)
    return met


def draw_refs(scene: Scene, block_size: int) -> list[tuple[int, int]]:
    """A few of the references that a block may have, mostly of those that its neighbours have."""
    pool = scene.pairs if scene.rng.random() < 0.7 else [*SINGLE, *COMPOUND]
    drawn = [pool[scene.rng.integers(len(pool))] for _ in range(2)]
    return [(refs[0], NONE) if block_size < BLOCK_8X8 else refs for refs in drawn]


MODE_PAIRS = {
    NEARESTMV: (NEARESTMV,),
    NEARMV: (NEARMV,),
    GLOBALMV: (GLOBALMV,),
    NEWMV: (NEWMV,),
    NEAREST_NEARESTMV: (NEARESTMV, NEARESTMV),
    NEAR_NEARMV: (NEARMV, NEARMV),
    NEAREST_NEWMV: (NEARESTMV, NEWMV),
    NEW_NEARESTMV: (NEWMV, NEARESTMV),
    NEAR_NEWMV: (NEARMV, NEWMV),
    NEW_NEARMV: (NEWMV, NEARMV),
    GLOBAL_GLOBALMV: (GLOBALMV, GLOBALMV),
    NEW_NEWMV: (NEWMV, NEWMV),
}
"""What the name of a mode says about its lists."""


def coded_ref_mv_idx(y_mode: int, found: int, wanted: int) -> tuple[int, list[tuple[int, int]]]:
    """RefMvIdx that a decoder comes to, and the drl_mode symbols (idx, value) of an encoder that wants a certain one."""
    symbols = []
    ref_mv_idx, first = 0, 0
    if NEARMV in MODE_PAIRS[y_mode]:
        ref_mv_idx, first = 1, 1
    elif y_mode not in (NEWMV, NEW_NEWMV):
        return 0, []
    for idx in range(first, first + 2):
        if found > idx + 1:
            drl_mode = int(wanted > idx)
            symbols.append((idx, drl_mode))
            if drl_mode == 0:
                ref_mv_idx = idx
                break
            ref_mv_idx = idx + 1
    return ref_mv_idx, symbols


def check_modes(t: Tile, at: int, block_size: int, refs: tuple[int, int], expected: dict[str, Any]) -> None:
    """Every mode with every RefMvIdx it can have on this stack."""
    found = expected["NumMvFound"]
    for y_mode, lists in MODE_PAIRS.items():
        if len(lists) != (2 if refs[1] > INTRA_FRAME else 1):
            continue
        reachable = {coded_ref_mv_idx(y_mode, found, wanted)[0] for wanted in range(4)}
        first, last = mv_stack.first_ref_mv_idx(y_mode), mv_stack.last_ref_mv_idx(t, at, y_mode)
        assert reachable == set(range(first, last + 1))
        for ref_mv_idx in reachable:
            _, symbols = coded_ref_mv_idx(y_mode, found, ref_mv_idx)
            ours = [first + i for i in range(mv_stack.drl_modes(t, at, y_mode, ref_mv_idx))]
            assert [(idx, int(ref_mv_idx > idx)) for idx in ours] == symbols
            for i, mode in enumerate(lists):
                assert mv_stack.mode_of_list(y_mode, i) == mode
                mv = mv_stack.pred_mv(t, at, y_mode, ref_mv_idx, i)
                if mode == GLOBALMV:
                    assert mv == (0, 0)
                else:
                    pos = 0 if mode == NEARESTMV or (mode == NEWMV and found <= 1) else ref_mv_idx
                    assert list(mv) == expected["stack"][pos][i]


def interpreted_and_compiled() -> tuple[Any, ...]:
    return mv_stack.find_mv_stack, compiled_find()


@pytest.mark.parametrize("temporal", [False, True], ids=["spatial", "temporal"])
@pytest.mark.parametrize("variety", [1, 3, 12, 40])
def test_stacks_are_the_specifications(variety: int, temporal: bool) -> None:
    scene = Scene(variety, 42, 38, variety, temporal, 0.6)
    met = compare(scene, 0.4, interpreted_and_compiled())
    assert met["calls"] > 50 and met["sizes"] >= 4


def test_large_blocks_between_small_ones() -> None:
    """Mostly 64x64 and 32x32 blocks, whose sides meet many others; some stacks are full."""
    scenes = [Scene(seed, 96, 64, 40, seed % 2 == 0, 0.35) for seed in range(4)]
    met = [compare(scene, 0.5, interpreted_and_compiled()) for scene in scenes]
    assert sum(m["full"] for m in met) > 3 and sum(m["pairs"] for m in met) > 10


def test_a_frame_of_one_block_and_one_of_one_column() -> None:
    for mi_rows, mi_cols in ((2, 2), (2, 40), (40, 2)):
        compare(Scene(mi_rows, mi_rows, mi_cols, 3, True, 0.8), 1, interpreted_and_compiled())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_many_more_stacks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mi_rows, mi_cols = (2 * int(rng.integers(1, 40)) for _ in range(2))
    scene = Scene(seed, mi_rows, mi_cols, int(rng.integers(1, 40)), bool(rng.integers(2)), float(rng.uniform(0.3, 0.9)))
    compare(scene, 0.5, (compiled_find(),))


def test_validity_of_motion_vectors() -> None:
    limit = 1 << 14
    assert mv_stack.is_mv_valid(limit - 1, 1 - limit)
    assert not mv_stack.is_mv_valid(limit, 0) and not mv_stack.is_mv_valid(0, -limit)
    coarse, fine = (Scene(1, 4, 4, 1, False, 0.5) for _ in range(2))
    coarse.high_precision, fine.high_precision = False, True
    for t, odd in ((coarse.tile((0, 4, 0, 4)), False), (fine.tile((0, 4, 0, 4)), True)):
        # The largest magnitude: mv_class 10 with all its bits set.
        assert mv_stack.is_mv_diff_valid(t, (2 << 12) + ((1023 << 3) | 7) + 1, 0)
        assert mv_stack.is_mv_diff_valid(t, 6, -2) and not mv_stack.is_mv_diff_valid(t, 0, limit + 2)
        assert mv_stack.is_mv_diff_valid(t, 0, -3) == odd


# Motion fields -------------------------------------------------------------------------------------------------------------

DIV_MULT = [
    *(0, 16384, 8192, 5461, 4096, 3276, 2730, 2340, 2048, 1820, 1638),
    *(1489, 1365, 1260, 1170, 1092, 1024, 963, 910, 862, 819, 780),
    *(744, 712, 682, 655, 630, 606, 585, 564, 546, 528),
]


def relative_dist(a: int, b: int) -> int:
    """get_relative_dist with OrderHintBits = 7."""
    diff = a - b
    return (diff & 63) - (diff & 64)


def round2_signed(x: int, n: int) -> int:
    return (x + (1 << (n - 1))) >> n if x >= 0 else -((-x + (1 << (n - 1))) >> n)


def mv_projection(mv: Mv, numerator: int, denominator: int) -> Mv:
    """Spec 7.9.3."""
    denominator, numerator = min(31, denominator), max(-31, min(31, numerator))
    scaled = [round2_signed(mv[i] * numerator * DIV_MULT[denominator], 14) for i in range(2)]
    return [max(-(1 << 14) + 1, min((1 << 14) - 1, s)) for s in scaled]


@dataclass
class Reference:
    """What a decoder has of a reference frame; SavedRefFrames and SavedMvs are None for a key frame."""

    SavedOrderHints: list[int]
    SavedRefFrames: np.ndarray | None = None
    SavedMvs: np.ndarray | None = None


def stored_motion(
    MiRows: int, MiCols: int, RefFrames: np.ndarray, Mvs: np.ndarray, OrderHint: int, OrderHints: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """MfRefFrames and MfMvs (spec 7.19)."""
    frames = np.full((MiRows, MiCols), NONE)
    mvs = np.zeros((MiRows, MiCols, 2), int)
    for row in range(MiRows):
        for col in range(MiCols):
            for i in range(2):
                r = RefFrames[row][col][i]
                if r > INTRA_FRAME:
                    dist = relative_dist(OrderHints[r], OrderHint)
                    if dist < 0:
                        mv_row, mv_col = Mvs[row][col][i].tolist()
                        if abs(mv_row) <= (1 << 12) - 1 and abs(mv_col) <= (1 << 12) - 1:
                            frames[row][col] = r
                            mvs[row][col] = mv_row, mv_col
    return frames, mvs


def estimated_motion(
    MiRows: int, MiCols: int, OrderHint: int, OrderHints: list[int], references: list[Reference]
) -> np.ndarray:
    """MotionFieldMvs (spec 7.9); references by ref_frame."""
    w8, h8 = MiCols >> 1, MiRows >> 1
    result = np.full((8, h8, w8, 2), -1 << 15)

    def project(v8: int, delta: int, dst_sign: int, max8: int, max_off8: int) -> tuple[int, bool]:
        base8 = (v8 >> 3) << 3
        offset8 = delta >> 6 if delta >= 0 else -((-delta) >> 6)
        v8 += dst_sign * offset8
        return v8, not (v8 < 0 or v8 >= max8 or v8 < base8 - max_off8 or v8 >= base8 + 8 + max_off8)

    def projection(src: int, dst_sign: int) -> int:
        reference = references[src]
        if reference.SavedRefFrames is None or reference.SavedMvs is None:
            return 0
        for y8 in range(h8):
            for x8 in range(w8):
                row, col = 2 * y8 + 1, 2 * x8 + 1
                src_ref = reference.SavedRefFrames[row][col]
                if src_ref <= INTRA_FRAME:
                    continue
                ref_to_cur = relative_dist(OrderHints[src], OrderHint)
                ref_offset = relative_dist(OrderHints[src], reference.SavedOrderHints[src_ref])
                if abs(ref_to_cur) <= 31 and abs(ref_offset) <= 31 and ref_offset > 0:
                    mv = reference.SavedMvs[row][col].tolist()
                    proj_mv = mv_projection(mv, ref_to_cur * dst_sign, ref_offset)
                    pos_y8, valid_y = project(y8, proj_mv[0], dst_sign, MiRows >> 1, 0)
                    pos_x8, valid_x = project(x8, proj_mv[1], dst_sign, MiCols >> 1, 8)
                    if valid_y and valid_x:
                        for dst in range(LAST_FRAME, ALTREF_FRAME + 1):
                            ref_to_dst = relative_dist(OrderHint, OrderHints[dst])
                            result[dst][pos_y8][pos_x8] = mv_projection(mv, ref_to_dst, ref_offset)
        return 1

    if references[LAST_FRAME].SavedOrderHints[ALTREF_FRAME] != OrderHints[GOLDEN_FRAME]:
        projection(LAST_FRAME, -1)
    ref_stamp = 3 - 2
    if relative_dist(OrderHints[BWDREF_FRAME], OrderHint) > 0 and projection(BWDREF_FRAME, 1) == 1:
        ref_stamp -= 1
    if relative_dist(OrderHints[ALTREF2_FRAME], OrderHint) > 0 and projection(ALTREF2_FRAME, 1) == 1:
        ref_stamp -= 1
    use_alt = relative_dist(OrderHints[ALTREF_FRAME], OrderHint) > 0
    if use_alt and ref_stamp >= 0 and projection(ALTREF_FRAME, 1) == 1:
        ref_stamp -= 1
    if ref_stamp >= 0:
        projection(LAST2_FRAME, -1)
    return result


@cache
def compiled_motion(name: str) -> Any:
    return compiled(motion_field, name)


class Motion:
    """A frame of random order hints whose references, but for key frames, were random frames: both worlds side by side.

    spread   order hints lie so far from the frame's own
    """

    def __init__(self, seed: int, spread: int, is_compiled: bool):
        self.rng = rng = np.random.default_rng(seed)
        self.is_compiled = is_compiled
        self.mi_rows, self.mi_cols, self.stride = 2 * int(rng.integers(1, 24)), 2 * int(rng.integers(1, 24)), 48
        self.cells = motion_cells(self.mi_rows, self.mi_cols)
        self.order_hint = int(rng.integers(128))
        self.order_hints = self.hints_near(self.order_hint, spread)
        self.saved_ref_frame = np.full(8 * self.cells, 99, np.int8)
        self.saved_mv = np.full(16 * self.cells, 99, np.int16)
        self.references, self.ref_saved_at = [Reference([0] * 8)], np.full(8, -1)
        for ref_frame in range(LAST_FRAME, ALTREF_FRAME + 1):
            self.add_reference(ref_frame, spread)

    def hints_near(self, hint: int, spread: int) -> list[int]:
        return [0, *((hint + self.rng.integers(-spread, spread + 1, 7)) % 128).tolist()]

    def view(self, **values: Any) -> MotionField:
        """The record, with the references that are there already."""
        fields: dict[str, Any] = {
            name: np.zeros(1, str(kind.dtype)) if isinstance(kind, Array) else 0
            for name, kind in MotionField.FIELDS.items()
        }
        fields |= dict(
            mi_rows=self.mi_rows, mi_cols=self.mi_cols, mi_stride=self.stride, order_hint_bits=7,
            saved_ref_frame=self.saved_ref_frame, saved_mv=self.saved_mv,
        )  # fmt: skip
        return MotionField(**(fields | values))

    def call(self, name: str, f: MotionField) -> None:
        (compiled_motion(name) if self.is_compiled else getattr(motion_field, name))(f)

    def add_reference(self, ref_frame: int, spread: int) -> None:
        """Save the motion of a random frame and compare; some are key frames."""
        rng, hint = self.rng, self.order_hints[ref_frame]
        hints = self.hints_near(hint, spread)
        self.references.append(Reference(hints))
        if rng.random() < 0.2:
            return
        frames = rng.choice([-1, 0, *range(1, 8)], (2, self.mi_rows, self.stride))
        limit = int(rng.choice([100, 1000, 5000]))
        mvs = rng.integers(-limit, limit + 1, (2, 2, self.mi_rows, self.stride))
        self.ref_saved_at[ref_frame] = saved_at = ref_frame * self.cells
        f = self.view(
            order_hint=hint, order_hints=np.array(hints), saved_at=saved_at,
            **{f"ref_frame_{i}": frames[i].ravel().astype(np.int8) for i in range(2)},
            **{f"mv_row_{i}": mvs[i, 0].ravel().astype(np.int16) for i in range(2)},
            **{f"mv_col_{i}": mvs[i, 1].ravel().astype(np.int16) for i in range(2)},
        )  # fmt: skip
        self.call("save_motion_vectors", f)
        frames_2d, mvs_2d = np.moveaxis(frames, 0, -1), np.moveaxis(mvs, (0, 1), (-2, -1))
        expected = stored_motion(self.mi_rows, self.mi_cols, frames_2d, mvs_2d, hint, hints)
        saved = slice(saved_at, saved_at + self.cells)
        has_motion = self.saved_ref_frame[saved] > 0
        assert (self.saved_ref_frame[saved] == expected[0][1::2, 1::2].ravel()).all()
        assert (
            self.saved_mv.reshape(-1, 2)[saved][has_motion] == expected[1][1::2, 1::2].reshape(-1, 2)[has_motion]
        ).all()
        self.references[-1] = Reference(hints, *expected)

    def compare(self) -> int:
        """Estimate the motion field and compare; gives the number of motion vectors in it."""
        field_of = np.full(16 * self.cells, 7, np.int16)
        f = self.view(
            order_hint=self.order_hint, order_hints=np.array(self.order_hints), ref_saved_at=self.ref_saved_at,
            saved_order_hints=np.array([r.SavedOrderHints for r in self.references]).ravel(),
            motion_field=field_of, spans=np.full(self.cells, 9, np.uint8),
        )  # fmt: skip
        self.call("estimate_motion_field", f)
        expected = estimated_motion(self.mi_rows, self.mi_cols, self.order_hint, self.order_hints, self.references)
        assert (field_of.reshape(8, -1)[1:] == expected.reshape(8, -1)[1:]).all()
        return int((expected[1:, ..., 0] != -1 << 15).sum())


@pytest.mark.parametrize("is_compiled", [False, True], ids=["interpreted", "compiled"])
@pytest.mark.parametrize("spread", [3, 12, 60])
def test_motion_fields_are_the_specifications(spread: int, is_compiled: bool) -> None:
    assert sum(Motion(seed, spread, is_compiled).compare() for seed in range(6)) > 1000


def test_a_motion_field_without_references_that_moved_is_empty() -> None:
    motion = Motion(1, 5, False)
    motion.ref_saved_at[:] = -1
    motion.references = [Reference(r.SavedOrderHints) for r in motion.references]
    assert motion.compare() == 0
