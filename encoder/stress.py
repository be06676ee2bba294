"""Stress streams: every decision drawn at random from what is legal, to be judged by decoders (encoder --stress SEED).

The structure of the stream, the frame headers and the picture are drawn here, the blocks in tile/stress.py.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from encoder.config import DEFAULT_KERNELS, EncoderConfig
from encoder.frame.choices import FrameChoices
from encoder.frame.filter_levels import CdefStrengths
from encoder.frame.frame import FrameEncoder
from encoder.frame.gop import FramePlan, Plan, ShowExisting
from encoder.frame.preparation import NO_MOTION
from encoder.frame.restoration_search import set_units
from encoder.intmath import clip3
from encoder.kernels.load import load_kernels
from encoder.picture import REF_BORDER, Picture
from encoder.presets import FAST
from encoder.spec import (
    INTER_FRAME,
    INTRA_ONLY_FRAME,
    KEY_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    REFS_PER_FRAME,
    RESTORE_NONE,
    RESTORE_SGRPROJ,
    RESTORE_SWITCHABLE,
    RESTORE_WIENER,
    SWITCHABLE,
)
from encoder.stream import Packet
from encoder.tables import table
from encoder.tiling import tile_limits

TAPS_MIN, TAPS_MAX = (table(f"wiener_taps_{end}").tolist() for end in ("min", "max"))
XQD_MIN, XQD_MAX = (table(f"sgrproj_xqd_{end}").tolist() for end in ("min", "max"))
SGR_PARAMS = table("sgr_params").tolist()
MAX_FRAMES = 7
SIZES = ((8, 72), (8, 72), (8, 200), (200, 400))
ALL_SLOTS = (1 << NUM_REF_FRAMES) - 1

OnFrame = Callable[[FrameEncoder, Plan, FrameChoices | None], None]


def encode_stress(
    seed: int, kernels: str = DEFAULT_KERNELS, on_frame: OnFrame | None = None
) -> tuple[EncoderConfig, Iterator[Packet]]:
    """A stream of a few frames drawn from `seed`: the same for every kernel set.

    on_frame  called after each frame in coding order, hidden ones too, with the encoder, which has its reconstruction, the
              plan and the choices; these are None where a hidden frame is shown
    """
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
    return config, _packets(config, dice, on_frame)


def _packets(config: EncoderConfig, dice: random.Random, on_frame: OnFrame | None) -> Iterator[Packet]:
    encoder = FrameEncoder(config, load_kernels(config.kernels))
    picture = Picture.allocate(config.width, config.height, REF_BORDER)
    started: deque[tuple[Plan, FrameChoices | None]] = deque()

    def finish() -> Iterator[Packet]:
        plan, choices = started.popleft()
        result = encoder.finish()
        if on_frame is not None:
            on_frame(encoder, plan, choices)
        if result.unit is not None:
            is_key = isinstance(plan, FramePlan) and plan.frame_type == KEY_FRAME
            yield Packet(result.unit, plan.display_index, is_key, encoder.reconstruction, picture, [])

    try:
        for plan in draw_plans(dice):
            choices = None
            if isinstance(plan, FramePlan):
                choices = draw_choices(dice)
                encoder.start(picture, plan, choices, NO_MOTION)
            else:
                encoder.show(plan)
            started.append((plan, choices))
            # Whoever looks at each frame sees it before the next one begins.
            while started and (on_frame is not None or encoder.is_full):
                yield from finish()
        while started:
            yield from finish()
    finally:
        encoder.close()


def draw_plans(dice: random.Random) -> list[Plan]:
    """Frames of all types, shown and hidden, hidden ones shown later while a slot still holds them, in any slots."""
    plans: list[Plan] = [_frame(dice, 0, KEY_FRAME, True, ALL_SLOTS)]
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
        preset=FAST,
        search=FAST.search,
        rd_lambda=0,
        satd_lambda=0,
        tx_mode_select=dice.random() < 0.8,
        reduced_tx_set=dice.random() < 0.3,
        disable_cdf_update=dice.random() < 0.2,
        draw_restoration=partial(draw_restoration, random.Random(dice.random())) if dice.random() < 0.5 else None,
        error_resilient_mode=dice.random() < 0.15,
        allow_high_precision_mv=dice.random() < 0.5,
        interpolation_filter=dice.randint(0, SWITCHABLE),
        use_ref_frame_mvs=dice.random() < 0.5,
        reference_select=dice.random() < 0.7,
        skip_mode=dice.random() < 0.8,
    )


def draw_restoration(dice: random.Random, r: Any) -> None:
    """Fill the units of a RestorationView with anything that can be coded."""
    luma_size = dice.choice((64, 128, 256))
    set_units(r, luma_size, dice.choice((luma_size, luma_size // 2)))
    for plane in range(3):
        kind = dice.choice((RESTORE_NONE, RESTORE_WIENER, RESTORE_SGRPROJ, RESTORE_SWITCHABLE))
        r.lr_type[plane] = kind
        kinds = (RESTORE_NONE, RESTORE_WIENER, RESTORE_SGRPROJ) if kind == RESTORE_SWITCHABLE else (RESTORE_NONE, kind)
        first = int(r.lr_unit_at[plane])
        for unit in range(first, first + int(r.lr_unit_rows[plane] * r.lr_unit_cols[plane])):
            r.lr_unit_type[unit] = dice.choice(kinds)
            taps = [dice.randint(low, high) for low, high in zip(TAPS_MIN * 2, TAPS_MAX * 2, strict=True)]
            if plane:
                taps[0] = taps[3] = 0  # chroma has filters of 5 taps
            r.lr_wiener[6 * unit : 6 * unit + 6] = taps
            sgr_set = dice.randrange(len(SGR_PARAMS))
            xqd = [dice.randint(low, high) for low, high in zip(XQD_MIN, XQD_MAX, strict=True)]
            if SGR_PARAMS[sgr_set][0] == 0:
                xqd[0] = 0
            if SGR_PARAMS[sgr_set][2] == 0:
                xqd[1] = clip3(XQD_MIN[1], XQD_MAX[1], 128 - xqd[0])  # what is not coded (spec 5.11.58)
            r.lr_sgr_set[unit] = sgr_set
            r.lr_sgr_xqd[2 * unit : 2 * unit + 2] = xqd
