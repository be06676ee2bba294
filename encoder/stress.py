"""Stress streams: every decision drawn at random from what is legal, to be judged by decoders (encoder --stress SEED).

The structure of the stream, the frame headers and the picture are drawn here, the blocks in tile/stress.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from encoder.config import EncoderConfig, speed_preset
from encoder.frame.choices import FrameChoices
from encoder.frame.filter_levels import CdefStrengths
from encoder.frame.frame import FrameEncoder, FrameResult
from encoder.frame.gop import FramePlan, ShowExisting
from encoder.frame.lookahead import LookaheadPicture
from encoder.frame.motion_search import LumaPyramid
from encoder.kernels.load import DEFAULT_SET, load_kernels
from encoder.picture import REF_BORDER, Picture
from encoder.spec import (
    INTER_FRAME,
    INTRA_ONLY_FRAME,
    KEY_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    REFS_PER_FRAME,
    SWITCHABLE,
)
from encoder.stream import Packet
from encoder.tiling import tile_limits

MAX_FRAMES = 7
SIZES = ((8, 72), (8, 200), (200, 400))
ALL_SLOTS = (1 << NUM_REF_FRAMES) - 1


def encode_stress(seed: int, kernels: str = DEFAULT_SET) -> tuple[EncoderConfig, Iterator[Packet]]:
    """A stream of a few frames drawn from `seed`: the same for every kernel set."""
    dice = random.Random(seed)
    low, high = dice.choice(SIZES)
    width, height = dice.randint(low, high), dice.randint(low, high)
    limits = tile_limits(width, height)
    config = EncoderConfig(
        width=width,
        height=height,
        tile_cols_log2=dice.randint(0, limits.max_cols_log2),
        tile_rows_log2=dice.randint(0, limits.max_rows_log2),
        threads=dice.randint(1, 2),
        kernels=kernels,
        stress_seed=seed,
    )
    return config, _packets(config, dice)


def _packets(config: EncoderConfig, dice: random.Random) -> Iterator[Packet]:
    kernels = load_kernels(config.kernels)
    encoder = FrameEncoder(config, kernels)
    picture = Picture.allocate(config.width, config.height, REF_BORDER)
    source = LookaheadPicture(0, picture, LumaPyramid(kernels.kernels, picture))
    try:
        for plan in draw_plans(dice):
            result = _code(encoder, source, plan, dice)
            if result.unit is not None:
                is_key = isinstance(plan, FramePlan) and plan.frame_type == KEY_FRAME
                yield Packet(result.unit, plan.display_index, is_key, encoder.reconstruction, picture, [])
    finally:
        encoder.close()


def _code(
    encoder: FrameEncoder, source: LookaheadPicture, plan: FramePlan | ShowExisting, dice: random.Random
) -> FrameResult:
    if isinstance(plan, ShowExisting):
        return encoder.show_existing(plan)
    return encoder.encode(source, plan, draw_choices(dice))


def draw_plans(dice: random.Random) -> list[FramePlan | ShowExisting]:
    """Frames of all types, shown and hidden, hidden ones shown later while a slot still holds them, in any slots."""
    plans: list[FramePlan | ShowExisting] = [_frame(dice, 0, KEY_FRAME, True, ALL_SLOTS)]
    waiting: dict[int, int] = {}  # display index of a hidden frame -> its slot
    shown = 1
    for _ in range(dice.randint(0, MAX_FRAMES - 1)):
        if shown in waiting:
            slot = waiting.pop(shown)
            plans.append(ShowExisting(slot, shown))
            hidden = next(p for p in plans if isinstance(p, FramePlan) and p.display_index == shown)
            if hidden.frame_type == KEY_FRAME:
                waiting.clear()  # shown, it takes all slots
            shown += 1
            continue
        frame_type = dice.choices((INTER_FRAME, INTRA_ONLY_FRAME, KEY_FRAME), (8, 1, 1))[0]
        show_frame = dice.random() < 0.6
        index = shown if show_frame else shown + dice.randint(0, 3)
        if index in waiting:
            continue
        flags = ALL_SLOTS if frame_type == KEY_FRAME and show_frame else dice.randint(0, ALL_SLOTS - 1)
        waiting = {at: slot for at, slot in waiting.items() if not flags >> slot & 1}
        if not show_frame and flags:
            waiting[index] = dice.choice([slot for slot in range(NUM_REF_FRAMES) if flags >> slot & 1])
        plans.append(_frame(dice, index, frame_type, show_frame, flags))
        shown += show_frame
    if not (isinstance(plans[-1], ShowExisting) or plans[-1].show_frame):
        plans.append(_frame(dice, shown, INTER_FRAME, True, 0))
    return plans


def _frame(dice: random.Random, display_index: int, frame_type: int, show_frame: bool, flags: int) -> FramePlan:
    refs = tuple(dice.randrange(NUM_REF_FRAMES) for _ in range(REFS_PER_FRAME))
    primary = dice.randint(0, PRIMARY_REF_NONE) if frame_type == INTER_FRAME else PRIMARY_REF_NONE
    return FramePlan(display_index, frame_type, 0, False, 1, show_frame, flags, refs, primary, ())


def draw_choices(dice: random.Random) -> FrameChoices:
    """A frame header's free fields."""
    level = (lambda: dice.choice((0, dice.randint(1, 63)))) if dice.random() < 0.8 else (lambda: 0)
    damping = dice.randint(3, 6)
    cdef = tuple(
        CdefStrengths(damping, dice.randint(0, 15), dice.randint(0, 3), dice.randint(0, 15), dice.randint(0, 3))
        for _ in range(1 << dice.randint(0, 3))
    )
    return FrameChoices(
        base_q_idx=dice.choice((1, 255, dice.randint(1, 255))),
        loop_filter_level=(level(), level(), level(), level()),
        loop_filter_sharpness=dice.randint(0, 7),
        cdef=cdef,
        preset=speed_preset(10),
        rd_lambda=0,
        satd_lambda=0,
        tx_mode_select=dice.random() < 0.8,
        reduced_tx_set=dice.random() < 0.3,
        disable_cdf_update=dice.random() < 0.2,
        error_resilient_mode=dice.random() < 0.15,
        allow_high_precision_mv=dice.random() < 0.5,
        interpolation_filter=dice.randint(0, SWITCHABLE),
        use_ref_frame_mvs=dice.random() < 0.5,
        reference_select=dice.random() < 0.7,
        skip_mode=dice.random() < 0.8,
    )
