"""Stress streams: every decision drawn at random from what is legal, to be judged by decoders (encoder --stress SEED).

The frame header and the picture are drawn here, the blocks in tile/stress.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from encoder.config import EncoderConfig
from encoder.frame.filter_levels import CdefStrengths
from encoder.frame.frame import FrameChoices, FrameEncoder
from encoder.kernels.load import DEFAULT_SET, load_kernels
from encoder.picture import Picture
from encoder.stream import Packet, frame_stats
from encoder.tiling import tile_limits

MAX_FRAMES = 3
SIZES = ((8, 72), (8, 200), (200, 400))


def encode_stress(seed: int, kernels: str = DEFAULT_SET) -> tuple[EncoderConfig, Iterator[Packet]]:
    """A stream of one to three key frames drawn from `seed`: the same for every kernel set."""
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
    encoder = FrameEncoder(config, load_kernels(config.kernels))
    source = Picture.allocate(config.width, config.height)
    try:
        for index in range(dice.randint(1, MAX_FRAMES)):
            choices = draw_choices(dice)
            result = encoder.encode(source, index, choices)
            yield Packet(
                result.data, index, True, encoder.reconstruction, frame_stats(index, choices.base_q_idx, result, 0.0)
            )
    finally:
        encoder.close()


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
        tx_mode_select=dice.random() < 0.8,
        reduced_tx_set=dice.random() < 0.3,
        disable_cdf_update=dice.random() < 0.2,
    )
