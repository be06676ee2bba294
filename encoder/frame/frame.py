"""One frame: tiles over the frame's memory, in parallel; then the filters over the whole of it; then its bytes.

FrameEncoder owns everything that lives from frame to frame: two pictures, the block info, the tiles' memory. Tiles are views
over it, and nothing of one is written by another. They are done before the filters begin.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from encoder import probe
from encoder.compiled import compiled
from encoder.config import EncoderConfig, speed_preset
from encoder.frame import filters
from encoder.frame.filter_levels import CdefStrengths, ac_q, cdef_strengths, dc_q, loop_filter_levels, sec_strength
from encoder.frame.filters import FilterView
from encoder.frame.headers import FrameHeader, SequenceHeader
from encoder.frame.obu import frame_unit, sequence_header_unit, temporal_unit
from encoder.kernels.load import KernelSet
from encoder.picture import Picture
from encoder.tile import cdf, walk
from encoder.tile.state import Tile, block_info, tile_memory
from encoder.tile.symbol import OVERFLOW
from encoder.tiling import Tile as TileArea

RD_LAMBDA_NUMERATOR, SATD_LAMBDA_NUMERATOR = 30, 1400
"""Lambda in units of 1 / 2**14: 0.1155 * (ac_q / 8)**2 for squared errors, its root (0.34 * ac_q / 8) twice for SATD, which is
about twice the absolute error."""


@dataclass(frozen=True)
class FrameChoices:
    """What a frame's header says beyond its size; by default chosen from the quantizer."""

    base_q_idx: int
    loop_filter_level: tuple[int, int, int, int]
    cdef: tuple[CdefStrengths, ...]
    loop_filter_sharpness: int = 0
    tx_mode_select: bool = True
    reduced_tx_set: bool = False
    disable_cdf_update: bool = False

    @classmethod
    def of_quantizer(cls, base_q_idx: int) -> FrameChoices:
        """Filters as strong as the quantizer asks for, one CDEF strength for the frame."""
        return cls(base_q_idx, loop_filter_levels(base_q_idx), (cdef_strengths(base_q_idx),))


class PlainCode(NamedTuple):
    """The entry points of the plain code: functions of (kernels, record)."""

    encode_tile: Callable[..., Any]
    deblock_frame: Callable[..., Any]
    cdef_frame: Callable[..., Any]


@cache
def plain_code(interpreted: bool) -> PlainCode:
    """The walk and the frame filters, as they stand or compiled."""
    if interpreted:
        return PlainCode(walk.encode_tile, filters.deblock_frame, filters.cdef_frame)
    return PlainCode(compiled(walk, "encode_tile"), compiled(filters, "deblock_frame"), compiled(filters, "cdef_frame"))


@dataclass
class FrameResult:
    """A coded frame: its temporal unit, and what it took."""

    data: bytes
    stages_s: dict[str, float] = field(default_factory=dict)
    tiles: list[dict[str, Any]] = field(default_factory=list)


class FrameEncoder:
    """Encodes key frames of one size, one after the other. `reconstruction` is the decoder's picture of the last one."""

    def __init__(self, config: EncoderConfig, kernels: KernelSet):
        self.config = config
        self._kernels = kernels.kernels
        self._code = plain_code(kernels.interpreted)
        self._tiling = config.tiling
        self._sequence = SequenceHeader.of(self._tiling, config.fps, config.full_range)
        self._areas = list(self._tiling.tiles())
        self.reconstruction = Picture.allocate(config.width, config.height)
        self._deblocked = np.empty_like(self.reconstruction.samples)
        self._mi_rows, self._mi_cols = self._tiling.mi_row_starts[-1], self._tiling.mi_col_starts[-1]
        self._sb_rows, self._sb_cols = -(-self._mi_rows // 16), -(-self._mi_cols // 16)
        self._mi_stride = self._sb_cols * 16
        self._info = block_info(self._sb_rows * 16, self._mi_stride)
        self._cdef_idx = np.zeros(self._sb_rows * self._sb_cols, np.int8)
        self._memory = [tile_memory(self._mi_stride, _luma_samples(area)) for area in self._areas]
        self._ticks_per_s = probe.ticks_per_second(kernels.interpreted) if config.probe else 1.0
        workers = min(config.threads, len(self._areas))
        # One worker, or an interpreter that runs one thread at a time anyway: then Ctrl-C need not wait for a thread.
        self._threads = ThreadPoolExecutor(workers, "tile") if workers > 1 and not kernels.interpreted else None

    def close(self) -> None:
        """End the tile threads."""
        if self._threads is not None:
            self._threads.shutdown()

    def encode(self, source: Picture, order_hint: int, choices: FrameChoices) -> FrameResult:
        """Encode one frame; `source` has its edges extended."""
        result = FrameResult(b"")
        with _timed(result.stages_s, "tiles"):
            encode_tile = partial(self._encode_tile, source=source, choices=choices)
            run = self._threads.map if self._threads is not None else map
            tiles = list(run(encode_tile, range(len(self._areas))))
        result.tiles = [figures for _, figures in tiles]
        self._filter(choices, result.stages_s)
        with _timed(result.stages_s, "headers"):
            header = self._frame_header(choices, order_hint)
            frame = frame_unit(self._sequence, header, [data for data, _ in tiles])
            result.data = temporal_unit([sequence_header_unit(self._sequence), frame])
        return result

    def _encode_tile(self, index: int, source: Picture, choices: FrameChoices) -> tuple[bytes, dict[str, Any]]:
        began, memory = time.perf_counter(), self._memory[index]
        size = self._code.encode_tile(self._kernels, self._tile(index, source, choices))
        while memory["coder"][OVERFLOW]:
            # A tile may, in theory, take any number of bytes: once more with twice the room.
            memory["out"] = np.zeros(2 * memory["out"].size, np.uint16)
            size = self._code.encode_tile(self._kernels, self._tile(index, source, choices))
        figures: dict[str, Any] = {"index": index, "bytes": int(size), "wall_s": time.perf_counter() - began}
        if self.config.probe:
            ticks = memory["spans"].tolist()
            figures["stages_s"] = {stage: ticks[i] / self._ticks_per_s for i, stage in enumerate(probe.STAGES)}
        return memory["out"][:size].astype(np.uint8).tobytes(), figures

    def _tile(self, index: int, source: Picture, choices: FrameChoices) -> Tile:
        """The views of one tile, its state as at the start of a tile (clear_above_context and init_symbol are the walk's)."""
        area, q = self._areas[index], choices.base_q_idx
        memory = self._memory[index]
        memory["spans"][:] = 0
        memory["draw"][0] = (self.config.stress_seed or 0) * 7919 + index & 0x7FFFFFFF
        cdfs = cdf.default_cdfs(q)
        return Tile(
            mi_rows=self._mi_rows, mi_cols=self._mi_cols, mi_stride=self._mi_stride, sb_cols=self._sb_cols,
            mi_row_start=area.mi_row_start, mi_row_end=area.mi_row_end,
            mi_col_start=area.mi_col_start, mi_col_end=area.mi_col_end,
            tx_mode_select=choices.tx_mode_select, reduced_tx_set=choices.reduced_tx_set,
            disable_cdf_update=choices.disable_cdf_update, cdef_bits=_log2(len(choices.cdef)), dc_q=dc_q(q), ac_q=ac_q(q),
            rd_lambda=RD_LAMBDA_NUMERATOR * ac_q(q) ** 2, satd_lambda=SATD_LAMBDA_NUMERATOR * ac_q(q),
            **asdict(speed_preset(self.config.speed)), stress=self.config.stress_seed is not None, probe=self.config.probe,
            src=source.samples, rec=self.reconstruction.samples,
            origin=np.array(source.origin), stride=np.array(source.stride),
            cdef_idx=self._cdef_idx, cdf=cdfs, rate=np.zeros(cdfs.size, np.int32),
            **self._info, **memory,
        )  # fmt: skip

    def _filter(self, choices: FrameChoices, stages_s: dict[str, float]) -> None:
        """Deblocking, then CDEF from a copy of its result."""
        view = self._filter_view(choices)
        with _timed(stages_s, "deblocking"):
            self._code.deblock_frame(self._kernels, view)
        with _timed(stages_s, "cdef"):
            if not all(strengths.is_off for strengths in choices.cdef):
                np.copyto(self._deblocked, self.reconstruction.samples)
                self._code.cdef_frame(self._kernels, view, self._deblocked)

    def _filter_view(self, choices: FrameChoices) -> FilterView:
        rec, cdef = self.reconstruction, choices.cdef
        return FilterView(
            samples=rec.samples, origin=np.array(rec.origin), stride=np.array(rec.stride), width=rec.width, height=rec.height,
            mi_rows=self._mi_rows, mi_cols=self._mi_cols, mi_stride=self._mi_stride,
            **{name: self._info[name] for name in ("block_size", "tx_size", "skip", "is_inter")},
            loop_filter_level=np.array(choices.loop_filter_level), loop_filter_sharpness=choices.loop_filter_sharpness,
            cdef_idx=self._cdef_idx, cdef_damping=cdef[0].damping,
            cdef_y_pri_strength=np.array([s.y_pri for s in cdef]),
            cdef_y_sec_strength=np.array([sec_strength(s.y_sec) for s in cdef]),
            cdef_uv_pri_strength=np.array([s.uv_pri for s in cdef]),
            cdef_uv_sec_strength=np.array([sec_strength(s.uv_sec) for s in cdef]),
        )  # fmt: skip

    def _frame_header(self, choices: FrameChoices, order_hint: int) -> FrameHeader:
        cdef = choices.cdef
        return FrameHeader(
            tiling=self._tiling,
            base_q_idx=choices.base_q_idx,
            order_hint=order_hint % (1 << self._sequence.order_hint_bits),
            disable_cdf_update=choices.disable_cdf_update,
            disable_frame_end_update_cdf=choices.disable_cdf_update,
            loop_filter_level=choices.loop_filter_level,
            loop_filter_sharpness=choices.loop_filter_sharpness,
            cdef_damping=cdef[0].damping,
            cdef_bits=_log2(len(cdef)),
            cdef_y_pri_strength=tuple(s.y_pri for s in cdef),
            cdef_y_sec_strength=tuple(sec_strength(s.y_sec) for s in cdef),
            cdef_uv_pri_strength=tuple(s.uv_pri for s in cdef),
            cdef_uv_sec_strength=tuple(sec_strength(s.uv_sec) for s in cdef),
            tx_mode_select=choices.tx_mode_select,
            reduced_tx_set=choices.reduced_tx_set,
        )


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _luma_samples(area: TileArea) -> int:
    return (area.mi_row_end - area.mi_row_start) * (area.mi_col_end - area.mi_col_start) * 16


@contextmanager
def _timed(stages_s: dict[str, float], stage: str) -> Iterator[None]:
    """Add the wall time of a stage."""
    began = time.perf_counter()
    yield
    stages_s[stage] = stages_s.get(stage, 0.0) + time.perf_counter() - began
