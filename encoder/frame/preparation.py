"""What a frame needs before it is coded, made of source pictures alone: so it can be made while the frame before is coded.

how steep the quantizers lie -> the frame's choices -> the temporal filter -> motion to the sources of the references
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from encoder.config import EncoderConfig
from encoder.frame.cascade import FULL, Cascade
from encoder.frame.choices import FrameChoices, choose
from encoder.frame.crew import Crew
from encoder.frame.gop import FramePlan
from encoder.frame.lookahead import LookaheadPicture
from encoder.frame.motion_search import LumaPyramid, Motion, MotionSearch
from encoder.frame.temporal_filter import TemporalFilter
from encoder.kernels.load import KernelSet
from encoder.spec import KEY_FRAME, LAST_FRAME, NUM_REF_FRAMES
from encoder.timeline import span


@dataclass(frozen=True)
class SourceMotion:
    """Where the 16x16 blocks of a frame lie in the sources of its references.

    search_refs  int64: the ref_frames worth searching
    mv           int16, flat: [place in search_refs][row][column][row, col] in 1/8 samples
    rows, cols   of blocks
    """

    search_refs: np.ndarray
    mv: np.ndarray
    rows: int
    cols: int


NO_MOTION = SourceMotion(np.zeros(0, np.int64), np.zeros(0, np.int16), 0, 0)
"""Where nothing is searched."""


@dataclass(frozen=True)
class Prepared:
    """A frame that can be coded. source: its picture, cleaned where `choices` say so; the times: of the making, in seconds."""

    source: LookaheadPicture
    choices: FrameChoices
    motion: SourceMotion
    filter_s: float
    motion_s: float


@dataclass(frozen=True)
class _Seen:
    """What stays of a picture."""

    display_index: int
    pyramid: LumaPyramid


class Preparation:
    """Prepares the frames of one stream, in coding order."""

    def __init__(self, config: EncoderConfig, kernels: KernelSet, crew: Crew):
        self._config = config
        self._temporal_filter = TemporalFilter(kernels, config.width, config.height, crew)
        self._cascade = Cascade(kernels, config.width, config.height)
        self._search = MotionSearch(kernels, config.width, config.height)
        self._slots: list[_Seen | None] = [None] * NUM_REF_FRAMES
        self._base: _Seen | None = None  # the last one
        self._steepness = FULL

    def prepare(
        self,
        plan: FramePlan,
        source: LookaheadPicture,
        near: Sequence[LookaheadPicture],
        behind: LookaheadPicture | None,
    ) -> Prepared:
        """What coding `plan` takes.

        near    the pictures within the reach of the temporal filter, as far as they are here
        behind  of a key frame, the base that follows, where there is one
        """
        began = time.perf_counter()
        past, seen = self._base, _Seen(source.display_index, source.pyramid)
        if plan.layer == 0 and not self._config.low_latency:
            self._measure(plan, seen, behind)
        choices = choose(self._config, plan, self._steepness)
        if choices.temporal_filter:
            source = self._cleaned(plan, source, near, past, choices.base_q_idx)
        filtered = time.perf_counter()
        with span("motion", plan.display_index):
            motion = self._motion(plan, source, choices)
        for slot in range(NUM_REF_FRAMES):
            if plan.refresh_frame_flags >> slot & 1:
                self._slots[slot] = seen
        return Prepared(source, choices, motion, filtered - began, time.perf_counter() - filtered)

    def _measure(self, plan: FramePlan, base: _Seen, behind: LookaheadPicture | None) -> None:
        """How steep the cascade is between a base and the one before; of a key frame, between it and the base behind it."""
        before, self._base = self._base, base
        if plan.frame_type != KEY_FRAME:
            assert before is not None, "a key frame has come first"
            self._steepness = self._cascade.steepness(before.pyramid, base.pyramid)
        elif behind is not None:
            self._steepness = self._cascade.steepness(base.pyramid, behind.pyramid)

    def _cleaned(
        self,
        plan: FramePlan,
        source: LookaheadPicture,
        near: Sequence[LookaheadPicture],
        past: _Seen | None,
        base_q_idx: int,
    ) -> LookaheadPicture:
        """The picture after the temporal filter, which sees what is behind the last base, or behind a key frame: its past is
        another scene."""
        first = source.display_index if plan.frame_type == KEY_FRAME or past is None else past.display_index
        neighbours = [other for other in near if other.display_index > first]
        with span("temporal filter"):
            picture = self._temporal_filter.apply(source, neighbours, base_q_idx)
        return replace(source, picture=picture)

    def _motion(self, plan: FramePlan, source: LookaheadPicture, choices: FrameChoices) -> SourceMotion:
        refs, search = plan.search_refs[: choices.preset.references], self._search
        vectors = np.zeros((max(len(refs), 1), search.rows * search.cols * 2), np.int16)
        pictures = [self._slots[plan.ref_frame_idx[ref - LAST_FRAME]] for ref in refs]
        near: tuple[int, Motion] | None = None
        distances = [picture.display_index - source.display_index if picture else 0 for picture in pictures]
        # The nearest first: what has moved there helps to find it farther away.
        for place in sorted(range(len(refs)), key=lambda i: abs(distances[i])):
            picture, distance = pictures[place], distances[place]
            assert picture is not None, "a frame that is referred to has been prepared"
            predictors = (near[1].scaled(distance, near[0]),) if near else ()
            motion = search.search(source.pyramid, picture.pyramid, choices.base_q_idx, predictors)
            vectors[place] = motion.mv
            near = near or (distance, motion)
        return SourceMotion(np.array(refs, np.int64), vectors.ravel(), search.rows, search.cols)
