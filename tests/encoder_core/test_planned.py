"""A planned partition follows the motion between pictures, and what is decided by it decodes."""

from collections.abc import Iterator

import numpy as np
import pytest

from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import encode

from .judges import assert_decoders_agree_on_all, encoded

pytestmark = pytest.mark.usefixtures("compiled_kernels")

WIDTH, HEIGHT, FRAMES = 256, 192, 9


def moving(boundary: int) -> Iterator[Picture]:
    """Fine texture; what is left of a column moves down a sample a picture, the rest is still."""
    random = np.random.default_rng(3)
    texture = random.integers(0, 256, (HEIGHT + FRAMES, WIDTH))
    for t in range(FRAMES):
        picture = Picture.allocate(WIDTH, HEIGHT)
        picture.samples[:] = 128
        luma = picture.plane(0)
        luma[:] = texture[:HEIGHT]
        luma[:, :boundary] = texture[FRAMES - t : FRAMES - t + HEIGHT, :boundary]
        yield picture


def largest_blocks(boundary: int) -> float:
    """The least share of 64x64 blocks in a leaf."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, speed=10, quantizer=160, scene_detection=False)
    frames = [frame for packet in encode(moving(boundary), config) for frame in packet.frames]
    return min(frame["block_sizes"].get("64x64", 0.0) for frame in frames if frame["layer"] >= 3)


def test_blocks_are_as_large_as_what_moves_alike() -> None:
    still, along_superblocks, across_superblocks = largest_blocks(0), largest_blocks(128), largest_blocks(88)
    assert still == 1.0
    assert along_superblocks > 0.7  # the rows at the bottom come from outside the picture
    assert across_superblocks < along_superblocks - 0.2  # a column of superblocks, of four, is split


def test_planned_streams_decode(tmp_path) -> None:
    stream = encoded(moving(88), width=WIDTH, height=HEIGHT, speed=10, scene_detection=False)
    assert_decoders_agree_on_all([stream], tmp_path)
