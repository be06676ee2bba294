"""What a frame's header says beyond its place in the stream: quantizer, lambda, tools, filters."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from encoder.config import EncoderConfig, SpeedPreset, speed_preset
from encoder.frame.cdef_search import FAST, CdefEffort
from encoder.frame.filter_levels import CdefStrengths, ac_q, cdef_strengths, loop_filter_levels
from encoder.frame.gop import FramePlan
from encoder.intmath import clip3
from encoder.spec import EIGHTTAP, KEY_FRAME

RD_LAMBDA_NUMERATOR, SATD_LAMBDA_NUMERATOR = 30, 1400
"""Lambda in units of 1 / 2**14: 0.1155 * (ac_q / 8)**2 for squared errors, its root (0.34 * ac_q / 8) twice for SATD, which is
about twice the absolute error."""


@dataclass(frozen=True)
class FrameChoices:
    """By default chosen from the quantizer.

    cdef           the sets of strengths; those of a search stand here only as its damping
    cdef_effort    how to search the sets; None: as they stand in cdef
    rd_lambda, satd_lambda   what a bit is worth in squared error and in SATD, times 2**14
    """

    base_q_idx: int
    loop_filter_level: tuple[int, int, int, int]
    cdef: tuple[CdefStrengths, ...]
    preset: SpeedPreset
    rd_lambda: int
    satd_lambda: int
    cdef_effort: CdefEffort | None = None
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
        """The preset's words for the tile."""
        return asdict(self.preset)


# quantizer index by layer, beside that of the base
LAYER_Q = (0, 15, 25, 30, 35)
KEY_Q = -15


def choose(config: EncoderConfig, plan: FramePlan) -> FrameChoices:
    """What goes with a planned frame."""
    is_key = plan.frame_type == KEY_FRAME
    offset = KEY_Q if is_key and config.keyint != 1 else LAYER_Q[plan.layer]
    q = clip3(1, 255, config.quantizer + offset)
    step = ac_q(q)
    return FrameChoices(
        base_q_idx=q,
        loop_filter_level=loop_filter_levels(q),
        cdef=(cdef_strengths(q),),
        preset=speed_preset(config.speed),
        rd_lambda=RD_LAMBDA_NUMERATOR * step**2,
        satd_lambda=SATD_LAMBDA_NUMERATOR * step,
        cdef_effort=FAST,
        reference_select=not is_key,
    )
