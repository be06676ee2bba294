"""One frame: tiles over the frame's memory, in parallel; the filters over the whole of it; then the tiles' bytes.

FrameEncoder owns what lives from frame to frame: a row of pictures, the reference slots, and for each frame that is coded at the
same time a workspace: block info and the tiles' memory. Tiles are views over it, and nothing of one is written by another. They
are done before the filters begin; when these are chosen, the symbols that the tiles have recorded become bytes.

Frames begin and end in coding order, in the thread that calls: a slot holds its frame from its beginning on. Between, a frame
is coded by the crew as soon as those that it refers to are done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from encoder import probe, timeline
from encoder.compiled import compiled
from encoder.config import EncoderConfig
from encoder.frame import cdef_costs, filters, motion_field, restoration
from encoder.frame.cdef_search import search_cdef
from encoder.frame.choices import FrameChoices
from encoder.frame.crew import Crew
from encoder.frame.deblock_search import search_loop_filter_levels
from encoder.frame.filter_levels import CdefStrengths, ac_q, dc_q, sec_strength
from encoder.frame.filters import FilterView
from encoder.frame.gop import FramePlan, ShowExisting
from encoder.frame.headers import FrameHeader, SequenceHeader
from encoder.frame.motion_field import MotionField, motion_cells
from encoder.frame.obu import TemporalUnits, biggest_tile, frame_unit
from encoder.frame.order_hints import skip_mode_frame
from encoder.frame.preparation import SourceMotion
from encoder.frame.references import Reference, References
from encoder.frame.restoration import RestorationView
from encoder.frame.restoration_search import header_fields, most_units, search_restoration
from encoder.kernels.load import KernelSet
from encoder.picture import REF_BORDER, Picture
from encoder.presets import speed_preset
from encoder.spec import (
    INTER_FRAME,
    LAST_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    RESTORE_NONE,
    TOTAL_REFS_PER_FRAME,
)
from encoder.tile import cdf, walk
from encoder.tile.state import FINISHING_TOKENS, Tile, block_info, restoration_info, tile_memory, token_memory
from encoder.tile.symbol import RATE_BITS, SYNTAX_CLASSES, TOKENS
from encoder.tiling import Tile as TileArea

BLOCK_NAMES = {3 * level: f"{4 << level}x{4 << level}" for level in range(5)}
MODE_NAMES = dict(enumerate((
    "DC", "V", "H", "D45", "D135", "D113", "D157", "D203", "D67", "SMOOTH", "SMOOTH_V", "SMOOTH_H", "PAETH",
    "NEARESTMV", "NEARMV", "GLOBALMV", "NEWMV", "NEAREST_NEARESTMV", "NEAR_NEARMV", "NEAREST_NEWMV", "NEW_NEARESTMV",
    "NEAR_NEWMV", "NEW_NEARMV", "GLOBAL_GLOBALMV", "NEW_NEWMV",
)))  # fmt: skip
"""YMode, intra and inter (spec 6.10.19, 6.10.22)."""
FRAMES_AT_ONCE = 4
"""More have nothing to begin with: most frames wait for others."""


class PlainCode(NamedTuple):
    """The entry points of the plain code: functions of (kernels, record)."""

    encode_tile: Callable[..., Any]
    finish_tile: Callable[..., Any]
    deblock_rows: Callable[..., Any]
    deblock_plane: Callable[..., Any]
    squared_error: Callable[..., Any]
    cdef_rows: Callable[..., Any]
    cdef_costs: Callable[..., Any]
    restoration_errors: Callable[..., Any]
    wiener_sums: Callable[..., Any]
    self_guided_sums: Callable[..., Any]
    restore_frame: Callable[..., Any]
    estimate_motion_field: Callable[..., Any]
    save_motion_vectors: Callable[..., Any]


@cache
def plain_code(interpreted: bool) -> PlainCode:
    """The walk, the frame filters and the motion field, as they stand or compiled."""
    places = (
        (walk, "encode_tile"),
        (walk, "finish_tile"),
        (filters, "deblock_rows"),
        (filters, "deblock_plane"),
        (filters, "squared_error"),
        (filters, "cdef_rows"),
        (cdef_costs, "cdef_costs"),
        (restoration, "restoration_errors"),
        (restoration, "wiener_sums"),
        (restoration, "self_guided_sums"),
        (restoration, "restore_frame"),
        (motion_field, "estimate_motion_field"),
        (motion_field, "save_motion_vectors"),
    )
    return PlainCode(*(getattr(module, name) if interpreted else compiled(module, name) for module, name in places))


@dataclass
class FrameResult:
    """A coded frame, or one shown from its slot.

    unit                the temporal unit that it ends; None for a hidden frame
    frame_bytes         of its OBU
    wall_s              seconds that it was coded for
    stages_s            seconds by stage, and by stage within each of the tiles
    bits                of the tiles, by class of syntax
    block_sizes, modes  what share of the picture has blocks of a size, a prediction mode
    """

    unit: bytes | None
    frame_bytes: int
    wall_s: float = 0.0
    stages_s: dict[str, float] = field(default_factory=dict)
    tiles: list[dict[str, Any]] = field(default_factory=list)
    bits: dict[str, float] = field(default_factory=dict)
    block_sizes: dict[str, float] = field(default_factory=dict)
    modes: dict[str, float] = field(default_factory=dict)


class FrameEncoder:
    """Encodes the frames of one stream in coding order. `reconstruction` is the decoder's picture of the last one, `crew` are its
    threads.

    `start` begins a frame, `show` has a hidden one shown, and `finish` ends the oldest of these that has not ended yet.
    """

    def __init__(self, config: EncoderConfig, kernels: KernelSet):
        self.config = config
        self._kernels: Any = kernels.kernels  # its slots are attributes that it gets when it is made
        self._code = plain_code(kernels.interpreted)
        self._tiling = config.tiling
        is_stress = config.stress_seed is not None
        preset = speed_preset(config.speed)
        self._sequence = replace(
            SequenceHeader.of(self._tiling, config.fps, config.full_range),
            enable_ref_frame_mvs=is_stress or preset.use_ref_frame_mvs,
            enable_restoration=is_stress or preset.restored_layers > 0,
        )
        self._units = TemporalUnits(self._sequence)
        self._areas = list(self._tiling.tiles())
        # An interpreter runs one thread at a time anyway; without others, Ctrl-C need not wait for a thread.
        threads = 1 if kernels.interpreted else config.threads
        at_once = min(threads, FRAMES_AT_ONCE)
        self.crew = Crew(threads, at_once)
        # One more, so that nobody has to wait until the oldest frame is fetched.
        self._most_started = at_once + 1 if at_once > 1 else 1
        # In the slots when the oldest frame began, of the frames since then, and the one that was shown last.
        buffers = NUM_REF_FRAMES + self._most_started + 1
        self._pictures = Picture.allocate_row(buffers, config.width, config.height, REF_BORDER)
        self._references = References(self._sequence.order_hint_bits, buffers)
        self._shown: int | None = None
        self._started: deque[_Job | _Showing] = deque()
        self._coding: dict[int, Future[FrameResult]] = {}  # by buffer
        self._mi_rows, self._mi_cols = self._tiling.mi_row_starts[-1], self._tiling.mi_col_starts[-1]
        self._sb_rows, self._sb_cols = -(-self._mi_rows // 16), -(-self._mi_cols // 16)
        self._mi_stride = self._sb_cols * 16
        cells = motion_cells(self._mi_rows, self._mi_cols)
        self._saved_motion = {
            "saved_ref_frame": np.zeros(buffers * cells, np.int8),
            "saved_mv": np.zeros(buffers * cells * 2, np.int16),
        }
        spans = timeline.tile_spans(at_once * len(self._areas), kernels.interpreted)
        self._spaces = [self._workspace(spans, number * len(self._areas)) for number in range(at_once)]
        self._ticks_per_s = probe.ticks_per_second(kernels.interpreted) if config.probe else 1.0

    def _workspace(self, spans: list[np.ndarray], first: int) -> _Workspace:
        """What coding a frame takes; the tiles' own spans from number `first` on."""
        cells = motion_cells(self._mi_rows, self._mi_cols)
        return _Workspace(
            info=block_info(self._sb_rows * 16, self._mi_stride),
            cdef_idx=np.zeros(self._sb_rows * self._sb_cols, np.int8),
            restoration=restoration_info(most_units(self.config.width, self.config.height)),
            deblocked=np.empty_like(self._pictures[0].samples),
            motion={
                "motion_field": np.zeros(TOTAL_REFS_PER_FRAME * cells * 2, np.int16),
                "spans": np.zeros(cells, np.uint8),
            },
            tiles=[
                tile_memory(self._mi_stride, _luma_samples(area)) | {"spans": spans[first + index]}
                for index, area in enumerate(self._areas)
            ],
            first_spans=first,
        )

    def close(self) -> None:
        """End the threads."""
        self.crew.close()

    @property
    def reconstruction(self) -> Picture:
        """The picture that was coded or shown last; valid until the next frame is finished."""
        assert self._shown is not None, "a frame has been coded"
        return self._pictures[self._shown]

    @property
    def at_once(self) -> int:
        """How many frames can be coded at the same time."""
        return len(self._spaces)

    @property
    def is_full(self) -> bool:
        """Whether one has to be finished before another one can be started."""
        return sum(isinstance(started, _Job) for started in self._started) >= self._most_started

    def start(self, source: Picture, plan: FramePlan, choices: FrameChoices, motion: SourceMotion) -> None:
        """Begin a frame; with one thread it is coded now."""
        job = self._begin(source, plan, choices, motion)
        after = [self._coding[buffer] for buffer in job.held if buffer in self._coding]
        job.coded = self._coding[job.buffer] = self.crew.start(partial(self._encode, job), after)
        self._started.append(job)

    def show(self, plan: ShowExisting) -> None:
        """Have a hidden frame shown."""
        buffer = self._references.show_existing(plan.slot).buffer
        self._references.hold(buffer)
        self._started.append(_Showing(plan.slot, buffer))

    def finish(self) -> FrameResult:
        """What came of the oldest that was started or is to be shown. Raises what its coding has raised."""
        started = self._started.popleft()
        if isinstance(started, _Showing):
            self._replace_shown(started.buffer)
            unit = self._units.add_existing(started.slot)
            return FrameResult(unit, len(unit))
        with timeline.span(timeline.WAIT_FOR_FRAME, started.plan.display_index):
            result = started.coded.result()
        del self._coding[started.buffer]
        for buffer in started.held:
            self._references.release(buffer)
        result.unit = self._units.add_frame(started.header, started.obu)
        self._replace_shown(started.buffer)
        return result

    def _replace_shown(self, buffer: int) -> None:
        """Let go of the picture that was shown last, and hold another one, which has been held for this."""
        if self._shown is not None:
            self._references.release(self._shown)
        self._shown = buffer

    def _encode(self, job: _Job) -> FrameResult:
        """Encode one frame, all that it refers to being there."""
        result = FrameResult(None, 0)
        began = time.perf_counter()
        job.space = self._spaces.pop()
        try:
            with timeline.span("frame", job.plan.display_index):
                self._encode_stages(job, result)
        finally:
            self._spaces.append(job.space)
        result.wall_s = time.perf_counter() - began
        return result

    def _encode_stages(self, job: _Job, result: FrameResult) -> None:
        with _timed(result.stages_s, "motion"):
            if job.header.use_ref_frame_mvs:
                self._code.estimate_motion_field(self._motion_view(job))
        with _timed(result.stages_s, "tiles"):
            job.load_cdfs()
            self._each_tile("tile", job, self._encode_tile)
        self._filter(job, result.stages_s)
        with _timed(result.stages_s, "entropy"):
            tiles = self._each_tile("tile entropy", job, self._finish_tile)
        with _timed(result.stages_s, "headers"):
            data = [tile for tile, _ in tiles]
            result.tiles = [figures for _, figures in tiles]
            result.bits = _bits_by_class(job.space.tiles)
            result.block_sizes, result.modes = (
                self._shares(job.space.info["block_size"], BLOCK_NAMES),
                self._shares(job.space.info["y_mode"], MODE_NAMES),
            )
            job.obu = frame_unit(self._sequence, job.header, data)
            result.frame_bytes = len(job.obu)
            if job.header.refresh_frame_flags:
                self._keep(job, job.space.tiles[biggest_tile(data)]["cdf"])

    def _shares(self, field: np.ndarray, names: dict[int, str]) -> dict[str, float]:
        """What share of the picture has each value of a field of the block info."""
        grid = field.reshape(-1, self._mi_stride)[: self._mi_rows, : self._mi_cols]
        counts = np.bincount(grid.ravel()).tolist()
        return {names[value]: round(n / grid.size, 4) for value, n in enumerate(counts) if n}

    def _begin(self, source: Picture, plan: FramePlan, choices: FrameChoices, motion: SourceMotion) -> _Job:
        """What all tiles of a frame share. Its slots hold it from now on."""
        references = self._references
        bits = self._sequence.order_hint_bits
        order_hint = plan.display_index % (1 << bits)
        is_inter = plan.frame_type == INTER_FRAME
        order_hints = references.order_hints(plan.ref_frame_idx) if is_inter else (0,) * TOTAL_REFS_PER_FRAME
        skip_mode = skip_mode_frame(bits, order_hint, order_hints) if is_inter and choices.reference_select else None
        header = FrameHeader(
            tiling=self._tiling,
            base_q_idx=choices.base_q_idx,
            frame_type=plan.frame_type,
            show_frame=plan.show_frame,
            showable_frame=not plan.show_frame,
            error_resilient_mode=choices.error_resilient_mode,
            order_hint=order_hint,
            primary_ref_frame=PRIMARY_REF_NONE if choices.error_resilient_mode else plan.primary_ref_frame,
            refresh_frame_flags=plan.refresh_frame_flags,
            ref_order_hint=references.ref_order_hint,
            ref_frame_idx=plan.ref_frame_idx,
            allow_high_precision_mv=is_inter and choices.allow_high_precision_mv,
            interpolation_filter=choices.interpolation_filter,
            use_ref_frame_mvs=is_inter and choices.use_ref_frame_mvs and not choices.error_resilient_mode,
            reference_select=is_inter and choices.reference_select,
            skip_mode_present=skip_mode is not None and choices.skip_mode,
            disable_cdf_update=choices.disable_cdf_update,
            disable_frame_end_update_cdf=choices.disable_cdf_update,
            loop_filter_level=choices.loop_filter_level,
            loop_filter_sharpness=choices.loop_filter_sharpness,
            tx_mode_select=choices.tx_mode_select,
            reduced_tx_set=choices.reduced_tx_set,
        )
        named = tuple(references[slot] for slot in plan.ref_frame_idx) if is_inter else ()
        job = _Job(
            source=source, plan=plan, choices=choices, motion=motion, header=header, references=named,
            sign_bias=references.sign_bias(order_hint, plan.ref_frame_idx) if is_inter else (0,) * TOTAL_REFS_PER_FRAME,
            skip_mode_frame=skip_mode or (0, 0), held=tuple({reference.buffer for reference in named}),
            buffer=references.take_buffer(), kept_cdfs=np.empty(cdf.SIZE, np.uint16),
        )  # fmt: skip
        for buffer in job.held:
            references.hold(buffer)
        references.update(header.refresh_frame_flags, Reference.of(header, job.kept_cdfs, job.buffer))
        return job

    def _each_tile(self, name: str, job: _Job, work: Callable[[_Job, int], Any]) -> list[Any]:
        def one(index: int) -> Any:
            with timeline.span(name, job.plan.display_index, index, job.space.first_spans + index):
                return work(job, index)

        return self.crew.share(timeline.WAIT_FOR_TILES, one, len(self._areas))

    def _share_rows(self, name: str, job: _Job, work: Callable[[int, int], Any]) -> None:
        """Do work(first, end) for all superblock rows, with all threads that have nothing else to do."""
        parts = min(self.crew.parts, self._sb_rows)

        def some(part: int) -> None:
            with timeline.span(name, job.plan.display_index):
                work(self._sb_rows * part // parts, self._sb_rows * (part + 1) // parts)

        self.crew.share(timeline.WAIT_FOR_ROWS, some, parts)

    def _encode_tile(self, job: _Job, index: int) -> None:
        """Decide and reconstruct a tile; its symbols are left in its memory."""
        began, memory = time.perf_counter(), job.space.tiles[index]
        memory["spans"][: len(probe.STAGES)] = 0
        tile = self._tile(index, job)
        self._code.encode_tile(self._kernels, tile)
        while memory["coder"][TOKENS] > memory["tokens"].size - FINISHING_TOKENS:
            # A tile may, in theory, take any number of symbols: once more with room for them.
            memory |= token_memory(int(memory["coder"][TOKENS]))
            tile = self._tile(index, job)
            self._code.encode_tile(self._kernels, tile)
        job.tiles[index] = tile
        job.tiles_s[index] = time.perf_counter() - began

    def _finish_tile(self, job: _Job, index: int) -> tuple[bytes, dict[str, Any]]:
        """The bytes of a tile, and its figures."""
        began, memory, tile = time.perf_counter(), job.space.tiles[index], job.tiles[index]
        size = self._code.finish_tile(self._kernels, tile, _log2(len(job.cdef)))
        wall_s = job.tiles_s[index] + time.perf_counter() - began
        figures: dict[str, Any] = {"index": index, "bytes": int(size), "wall_s": wall_s}
        if self.config.probe:
            ticks = memory["spans"][: len(probe.STAGES)].tolist()
            figures["stages_s"] = {stage: ticks[i] / self._ticks_per_s for i, stage in enumerate(probe.STAGES)}
        return memory["out"][:size].astype(np.uint8).tobytes(), figures

    def _tile(self, index: int, job: _Job) -> Tile:
        """The views of one tile, its state as at the start of a tile (clear_above_context and init_symbol are the walk's)."""
        area, choices, header, space = self._areas[index], job.choices, job.header, job.space
        memory = space.tiles[index]
        seed = (self.config.stress_seed or 0) * 7919 + job.plan.display_index * 271 + index
        memory["draw"][0] = seed & 0x7FFFFFFF
        memory["cdf"][:] = job.cdfs
        q = choices.base_q_idx
        picture = self._pictures[job.buffer]
        return Tile(
            mi_rows=self._mi_rows, mi_cols=self._mi_cols, mi_stride=self._mi_stride, sb_cols=self._sb_cols,
            width=self.config.width, height=self.config.height,
            mi_row_start=area.mi_row_start, mi_row_end=area.mi_row_end,
            mi_col_start=area.mi_col_start, mi_col_end=area.mi_col_end,
            tx_mode_select=choices.tx_mode_select, reduced_tx_set=choices.reduced_tx_set,
            disable_cdf_update=choices.disable_cdf_update, cdef_sets=len(choices.cdef), dc_q=dc_q(q), ac_q=ac_q(q),
            frame_is_intra=header.frame_is_intra, reference_select=header.reference_select,
            skip_mode_present=header.skip_mode_present,
            skip_mode_frame_0=job.skip_mode_frame[0], skip_mode_frame_1=job.skip_mode_frame[1],
            allow_high_precision_mv=header.allow_high_precision_mv, interpolation_filter=header.interpolation_filter,
            use_ref_frame_mvs=header.use_ref_frame_mvs, order_hint=header.order_hint,
            order_hints=np.array(header.order_hints), ref_sign_bias=np.array(job.sign_bias),
            ref_at=np.array(self._ref_at(job)), refs=self._store, motion_field=space.motion["motion_field"],
            rd_lambda=choices.rd_lambda, satd_lambda=choices.satd_lambda,
            search_refs=job.motion.search_refs, source_mv=job.motion.mv,
            source_rows=job.motion.rows, source_cols=job.motion.cols, **choices.search_words(),
            stress=self.config.stress_seed is not None, probe=self.config.probe,
            src=job.source.samples, rec=picture.samples, origin=np.array(picture.origin), stride=np.array(picture.stride),
            cdef_idx=space.cdef_idx, **space.info, **(memory | space.restoration),
        )  # fmt: skip

    @property
    def _store(self) -> np.ndarray:
        """All pictures, one behind the other."""
        store = self._pictures[0].samples.base
        assert store is not None
        return store

    def _ref_at(self, job: _Job) -> list[int]:
        """By ref_frame, where its picture begins in the store."""
        size = self._pictures[0].samples.size
        if not job.references:
            return [0] * TOTAL_REFS_PER_FRAME
        return [0, *(reference.buffer * size for reference in job.references)]

    def _motion_view(self, job: _Job) -> MotionField:
        """The frame and its references for the motion field."""
        header, cells = job.header, motion_cells(self._mi_rows, self._mi_cols)
        ref_saved_at, saved_order_hints = [-1] * TOTAL_REFS_PER_FRAME, [0] * TOTAL_REFS_PER_FRAME**2
        for ref_frame, reference in enumerate(job.references, LAST_FRAME):
            if reference.frame_type == INTER_FRAME:
                ref_saved_at[ref_frame] = reference.buffer * cells
                first = ref_frame * TOTAL_REFS_PER_FRAME
                saved_order_hints[first : first + TOTAL_REFS_PER_FRAME] = reference.order_hints
        motion_info = ("ref_frame_0", "ref_frame_1", "mv_row_0", "mv_col_0", "mv_row_1", "mv_col_1")
        return MotionField(
            mi_rows=self._mi_rows, mi_cols=self._mi_cols, mi_stride=self._mi_stride,
            order_hint_bits=self._sequence.order_hint_bits, order_hint=header.order_hint,
            order_hints=np.array(header.order_hints), **{name: job.space.info[name] for name in motion_info},
            saved_at=job.buffer * cells, ref_saved_at=np.array(ref_saved_at),
            saved_order_hints=np.array(saved_order_hints), **self._saved_motion, **job.space.motion,
        )  # fmt: skip

    def _filter(self, job: _Job, stages_s: dict[str, float]) -> None:
        """Deblocking; CDEF from a copy of its result, its strengths searched unless they are given; loop restoration."""
        picture = self._pictures[job.buffer]
        with _timed(stages_s, "deblocking"):
            if job.choices.deblock_search:
                levels = search_loop_filter_levels(
                    self._code.deblock_plane, self._code.squared_error, self._kernels, self._filter_view(job),
                    job.source.samples, job.space.deblocked,
                )  # fmt: skip
                job.header = replace(job.header, loop_filter_level=levels)
            view = self._filter_view(job)
            for number in range(2):
                self._share_rows("deblocking", job, partial(self._code.deblock_rows, self._kernels, view, number))
        with _timed(stages_s, "cdef"):
            effort = job.choices.cdef_effort
            if effort is not None:
                job.cdef = search_cdef(
                    partial(self._cdef_costs, job), self._kernels, view, job.source.samples, effort, job.choices.base_q_idx,
                    job.choices.rd_lambda,
                )  # fmt: skip
            job.header = replace(job.header, **_cdef_fields(job.cdef))
            np.copyto(job.space.deblocked, picture.samples)
            if not all(strengths.is_off for strengths in job.cdef):
                view = self._filter_view(job)
                self._share_rows("cdef", job, partial(self._code.cdef_rows, self._kernels, view, job.space.deblocked))
        with _timed(stages_s, "restoration"):
            self._restore(job)

    def _cdef_costs(self, job: _Job, *arguments: Any) -> None:
        self._share_rows("cdef", job, partial(self._code.cdef_costs, *arguments))

    def _restore(self, job: _Job) -> None:
        """Loop restoration, as far as it is searched, or drawn."""
        picture, choices, space = self._pictures[job.buffer], job.choices, job.space
        space.restoration["lr_type"][:] = RESTORE_NONE
        view: Any = RestorationView(
            samples=picture.samples, deblocked=space.deblocked, origin=np.array(picture.origin),
            stride=np.array(picture.stride), width=picture.width, height=picture.height, **space.restoration,
        )  # fmt: skip
        if choices.draw_restoration is not None:
            choices.draw_restoration(view)
        elif choices.restoration_effort is not None:
            search_restoration(
                self._code, self._kernels, view, job.source.samples, choices.restoration_effort, choices.rd_lambda
            )
        if view.lr_type.any():
            self._code.restore_frame(self._kernels, view)
            job.header = replace(job.header, **header_fields(view))

    def _filter_view(self, job: _Job) -> FilterView:
        rec, cdef, header = self._pictures[job.buffer], job.cdef, job.header
        return FilterView(
            samples=rec.samples, origin=np.array(rec.origin), stride=np.array(rec.stride), width=rec.width, height=rec.height,
            mi_rows=self._mi_rows, mi_cols=self._mi_cols, mi_stride=self._mi_stride,
            **{name: job.space.info[name] for name in ("block_size", "tx_size", "skip", "is_inter")},
            loop_filter_level=np.array(header.loop_filter_level), loop_filter_sharpness=header.loop_filter_sharpness,
            cdef_idx=job.space.cdef_idx, cdef_damping=cdef[0].damping,
            cdef_y_pri_strength=np.array([s.y_pri for s in cdef]),
            cdef_y_sec_strength=np.array([sec_strength(s.y_sec) for s in cdef]),
            cdef_uv_pri_strength=np.array([s.uv_pri for s in cdef]),
            cdef_uv_sec_strength=np.array([sec_strength(s.uv_sec) for s in cdef]),
        )  # fmt: skip

    def _keep(self, job: _Job, adapted: np.ndarray) -> None:
        """The frame as a reference for those to come (spec 7.20)."""
        header = job.header
        if header.frame_type == INTER_FRAME:
            self._code.save_motion_vectors(self._motion_view(job))
        self._extend_edges(self._pictures[job.buffer])
        job.kept_cdfs[:] = job.cdfs if header.disable_frame_end_update_cdf else adapted

    def _extend_edges(self, picture: Picture) -> None:
        """Fill the border of a reference with its visible edge."""
        for plane in range(3):
            sub = 1 if plane else 0
            w, h = picture.plane_width[plane], picture.plane_height[plane]
            right = (picture.allocated_width >> sub) - w + picture.border
            bottom = (picture.allocated_height >> sub) - h + picture.border
            self._kernels.extend_edges(
                picture.samples,
                picture.origin[plane],
                picture.stride[plane],
                w,
                h,
                picture.border,
                right,
                picture.border,
                bottom,
            )


@dataclass(frozen=True)
class _Workspace:
    """What a frame takes while it is coded.

    info, cdef_idx, restoration   see tile.state
    deblocked                     the picture before CDEF
    motion                        see motion_field.MotionField
    tiles                         of each tile, its tile_memory
    first_spans                   the number of the first tile's memory for spans (timeline.tile_spans)
    """

    info: dict[str, np.ndarray]
    cdef_idx: np.ndarray
    restoration: dict[str, np.ndarray]
    deblocked: np.ndarray
    motion: dict[str, np.ndarray]
    tiles: list[dict[str, Any]]
    first_spans: int


@dataclass(kw_only=True)
class _Job:
    """A frame on its way.

    references   by ref_frame, from LAST_FRAME on; none of an intra frame
    sign_bias    RefFrameSignBias
    held         the buffers of the references
    kept_cdfs    those that it leaves, filled when it is coded
    coded        done when the rest is there
    """

    source: Picture
    plan: FramePlan
    choices: FrameChoices
    motion: SourceMotion
    header: FrameHeader
    references: tuple[Reference, ...]
    sign_bias: tuple[int, ...]
    skip_mode_frame: tuple[int, int]
    held: tuple[int, ...]
    buffer: int
    kept_cdfs: np.ndarray
    coded: Future[FrameResult] = field(init=False)
    space: _Workspace = field(init=False)
    cdfs: np.ndarray = field(init=False)
    cdef: tuple[CdefStrengths, ...] = field(init=False)
    tiles: dict[int, Tile] = field(default_factory=dict)
    tiles_s: dict[int, float] = field(default_factory=dict)
    obu: bytes = b""

    def __post_init__(self) -> None:
        self.cdef = self.choices.cdef

    def load_cdfs(self) -> None:
        """Those that its tiles begin with (load_cdfs, spec 6.8.2, or init_coeff_cdfs and init_non_coeff_cdfs)."""
        primary = self.header.primary_ref_frame
        if primary == PRIMARY_REF_NONE:
            self.cdfs = cdf.default_cdfs(self.choices.base_q_idx)
        else:
            self.cdfs = self.references[primary].load_cdfs()


@dataclass(frozen=True)
class _Showing:
    """A hidden frame is to be shown: its slot, and its buffer, which is held."""

    slot: int
    buffer: int


def _cdef_fields(cdef: tuple[CdefStrengths, ...]) -> dict[str, Any]:
    return {
        "cdef_damping": cdef[0].damping,
        "cdef_bits": _log2(len(cdef)),
        "cdef_y_pri_strength": tuple(s.y_pri for s in cdef),
        "cdef_y_sec_strength": tuple(sec_strength(s.y_sec) for s in cdef),
        "cdef_uv_pri_strength": tuple(s.uv_pri for s in cdef),
        "cdef_uv_sec_strength": tuple(sec_strength(s.uv_sec) for s in cdef),
    }


def _bits_by_class(memory: list[dict[str, Any]]) -> dict[str, float]:
    """Bits of all tiles by class of syntax."""
    total = sum(tile["class_bits"] for tile in memory) / (1 << RATE_BITS)
    return dict(zip(SYNTAX_CLASSES, np.round(total, 1).tolist(), strict=True))


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _luma_samples(area: TileArea) -> int:
    return (area.mi_row_end - area.mi_row_start) * (area.mi_col_end - area.mi_col_start) * 16


@contextmanager
def _timed(stages_s: dict[str, float], stage: str) -> Iterator[None]:
    """Add the wall time of a stage."""
    began = time.perf_counter()
    with timeline.span(stage):
        yield
    stages_s[stage] = stages_s.get(stage, 0.0) + time.perf_counter() - began
