"""A planned partition follows the motion between pictures or what a key frame shows, and what is decided by it decodes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import encode

from .judges import assert_decoders_agree_on_all, corpus_pictures, encoded

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


def striped(boundary: int) -> Picture:
    """Stripes of random grays, upright ones left of a column and level ones on its right: no mode predicts across it."""
    random = np.random.default_rng(4)
    picture = Picture.allocate(WIDTH, HEIGHT)
    picture.samples[:] = 128
    luma = picture.plane(0)
    luma[:, :boundary] = random.integers(0, 256, boundary)
    luma[:, boundary:] = random.integers(0, 256, (HEIGHT, 1))
    return picture


def key_frame_blocks(boundary: int, keyint: int) -> dict[str, float]:
    """What share of a key frame has blocks of a size."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, speed=10, quantizer=100, keyint=keyint)
    [packet] = encode([striped(boundary)], config)
    return packet.frames[0]["block_sizes"]


def test_key_frames_are_split_where_what_is_seen_changes() -> None:
    """Of 4 by 3 superblocks; where stripes come from, there is nothing yet to predict them from."""
    level, both = key_frame_blocks(0, 1), key_frame_blocks(72, 1)
    assert level["64x64"] == pytest.approx(9 / 12, abs=1e-3)  # all but the first column
    assert both["64x64"] == pytest.approx(8 / 12, abs=1e-3)  # not where upright ones begin, and not where they end
    assert min(level["8x8"], both["8x8"]) > 0.03


def test_key_frames_that_others_refer_to_are_searched() -> None:
    assert key_frame_blocks(72, 1) != key_frame_blocks(72, 2) == key_frame_blocks(72, 0)


def test_planned_streams_decode(tmp_path: Path) -> None:
    stream = encoded(moving(88), width=WIDTH, height=HEIGHT, speed=10, scene_detection=False)
    assert_decoders_agree_on_all([stream], tmp_path)


def test_planned_key_frames_decode(tmp_path: Path) -> None:
    streams = [
        encoded(
            corpus_pictures(kind, width, height, 2, first=5),
            width=width, height=height, quantizer=quantizer, speed=10, keyint=1, tile_cols_log2=cols,
        )
        for kind, width, height, quantizer, cols in (
            ("sports", 200, 150, 60, 0), ("text", 131, 77, 20, 1), ("grain", 66, 258, 120, 0), ("pan", 17, 9, 200, 0),
        )
    ]  # fmt: skip
    assert_decoders_agree_on_all(streams, tmp_path)


@pytest.mark.parametrize("kernels", ["numpy", "simd"])
def test_the_sets_write_identical_key_frames(kernels: str) -> None:
    """An edge cuts blocks of all sizes but 8x8."""
    one, other = (
        encoded(corpus_pictures("sports", 74, 70, 1), width=74, height=70, quantizer=80, speed=10, keyint=1, kernels=k)
        for k in ("numba", kernels)
    )
    assert one.units == other.units and one.shown == other.shown
