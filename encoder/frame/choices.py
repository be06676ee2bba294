"""What a frame's header says beyond its place in the stream: quantizer, lambda, tools, filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from encoder.config import EncoderConfig
from encoder.frame import cdef_search, restoration_search
from encoder.frame.cascade import FULL
from encoder.frame.cdef_search import CdefEffort
from encoder.frame.filter_levels import (
    CdefStrengths,
    ac_q,
    cdef_strengths,
    loop_filter_levels,
)
from encoder.frame.gop import FramePlan
from encoder.frame.restoration_search import RestorationEffort
from encoder.intmath import clip3
from encoder.presets import SearchEffort, SpeedPreset, speed_preset
from encoder.spec import EIGHTTAP, KEY_FRAME, SWITCHABLE

RD_LAMBDA_NUMERATOR, SATD_LAMBDA_NUMERATOR = 30, 1400
"""Lambda in units of 1 / 2**14: 0.1155 * (ac_q / 8)**2 for squared errors, its root (0.34 * ac_q / 8) twice for SATD, which is
about twice the absolute error."""


@dataclass(frozen=True)
class FrameChoices:
    """By default chosen from the quantizer.

    cdef           the sets of strengths; those of a search stand here only as its damping
    cdef_effort    how to search the sets; None: as they stand in cdef
    restoration_effort  how to search loop restoration; None: there is none
    draw_restoration    fills the units of a RestorationView instead of a search (stress mode)
    search         how thoroughly its tiles are searched
    planned        the partition is planned, not searched
    temporal_filter clean the source first, along the motion
    deblock_search  search the levels, from loop_filter_level on
    rd_lambda, satd_lambda   what a bit is worth in squared error and in SATD, times 2**14
    """

    base_q_idx: int
    loop_filter_level: tuple[int, int, int, int]
    cdef: tuple[CdefStrengths, ...]
    preset: SpeedPreset
    search: SearchEffort
    rd_lambda: int
    satd_lambda: int
    planned: bool = False
    temporal_filter: bool = False
    cdef_effort: CdefEffort | None = None
    restoration_effort: RestorationEffort | None = None
    draw_restoration: Callable[[Any], None] | None = None
    deblock_search: bool = False
    loop_filter_sharpness: int = 0
    tx_mode_select: bool = True
    reduced_tx_set: bool = False
    disable_cdf_update: bool = False
    error_resilient_mode: bool = False
    allow_high_precision_mv: bool = False
    interpolation_filter: int = EIGHTTAP
    use_ref_frame_mvs: bool = False
    reference_select: bool = False
    skip_mode: bool = True

    def search_words(self) -> dict[str, int]:
        """The words for the tile that say how to search."""
        return {**asdict(self.search), "planned": int(self.planned)}


LAYER_Q = (0, 32, 52, 64, 74)
"""Quantizer index by layer, beside that of the base: 2.2 times the step in the leaves. Measured as BD-rate on two clips:
(0, 15, 25, 30, 35), which is rav1e's, costs 16 % more; (0, 22, 36, 46, 54) 4 % more, (0, 40, 64, 78, 90) 5 % more."""
KEY_Q = -40
"""Beside the base, for a key frame that others refer to."""
CDEF_EFFORTS = {
    "fastest": cdef_search.FASTEST,
    "fast": cdef_search.FAST,
    "medium": cdef_search.MEDIUM,
    "thorough": cdef_search.THOROUGH,
}
RESTORATION_EFFORTS = {
    "fast": restoration_search.FAST,
    "medium": restoration_search.MEDIUM,
    "thorough": restoration_search.THOROUGH,
}


def choose(config: EncoderConfig, plan: FramePlan, steepness: int = FULL) -> FrameChoices:
    """What goes with a planned frame; steepness: of the quantizers from layer to layer (cascade.Cascade)."""
    preset = speed_preset(config.speed)
    is_key, only_keys = plan.frame_type == KEY_FRAME, config.keyint == 1
    # A base is worth a search, and a key frame that others refer to; where every frame is one, it is worth its own bits.
    search = preset.base_search if plan.layer == 0 and not only_keys else preset.search
    q = clip3(1, 255, config.quantizer + _offset(config, plan) * steepness // FULL)
    step = ac_q(q)
    return FrameChoices(
        base_q_idx=q,
        loop_filter_level=loop_filter_levels(q),
        cdef=(cdef_strengths(q),),
        preset=preset,
        search=search,
        rd_lambda=RD_LAMBDA_NUMERATOR * step**2,
        satd_lambda=SATD_LAMBDA_NUMERATOR * step,
        planned=bool(search.planned) and (not is_key or only_keys),
        cdef_effort=CDEF_EFFORTS[preset.cdef],
        restoration_effort=RESTORATION_EFFORTS[preset.restoration] if plan.layer < preset.restored_layers else None,
        deblock_search=preset.deblock_search and plan.layer == 0,
        reference_select=not is_key,
        interpolation_filter=SWITCHABLE if preset.switchable_filter and not is_key else EIGHTTAP,
        use_ref_frame_mvs=preset.use_ref_frame_mvs,
        allow_high_precision_mv=not is_key and q < preset.high_precision_below,
        temporal_filter=preset.temporal_reach > 0 and plan.layer == 0 and not config.low_latency and not only_keys,
    )


def _offset(config: EncoderConfig, plan: FramePlan) -> int:
    if plan.frame_type != KEY_FRAME:
        return LAYER_Q[plan.layer]
    return 0 if config.keyint == 1 else KEY_Q
