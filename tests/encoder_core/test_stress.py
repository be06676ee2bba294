"""Every decision at random: whatever the syntax allows us to write, decoders show as we reconstruct it."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from encoder.config import EncoderConfig
from encoder.errors import KernelError
from encoder.frame.choices import FrameChoices
from encoder.frame.frame import FrameEncoder
from encoder.frame.gop import Plan
from encoder.kernels.load import load_kernels
from encoder.stream import encode
from encoder.stress import encode_stress
from encoder.tile import stress
from encoder.tile.state import _SCANS

from .census import Census
from .judges import Court, Stream, assert_decoders_agree_on_all, decode_by_libdav1d, pictures, samples_of

pytestmark = pytest.mark.usefixtures("compiled_kernels")
BATCH = 25
"""Streams that a decoder gets in one file."""
SEEDS, SEEDS_A_TEST = 2000, 200


def draw(seed: int, kernels: str = "numba", census: Census | None = None) -> Stream:
    """The stream of a seed, hidden frames' reconstructions too."""
    stream = Stream(f"seed {seed}")

    def note(encoder: FrameEncoder, plan: Plan, choices: FrameChoices | None) -> None:
        stream.coded.append(samples_of(encoder.reconstruction))
        if census:
            census.frame(encoder, plan, choices)

    config, packets = encode_stress(seed, kernels, note)
    if census:
        census.stream(config)
    for packet in packets:
        stream.units.append(packet.data)
        stream.shown.append(samples_of(packet.reconstruction))
    return stream


def assert_judges_agree(seeds: Iterable[int], folder: Path, census: Census | None = None) -> None:
    """dav1d and aomdec decode the streams of these seeds as we reconstruct them, hidden frames included."""
    court, batch = Court(folder), []
    try:
        for seed in seeds:
            batch.append(draw(seed, census=census))
            if len(batch) == BATCH:
                court.judge(batch)
                batch = []
        if batch:
            court.judge(batch)
    finally:
        court.close()


def test_random_streams_decode_to_the_reconstruction_and_miss_nothing(tmp_path: Path) -> None:
    census = Census()
    assert_judges_agree(range(60), tmp_path, census)
    assert census.missing() == {}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_both_decoders_agree_on_random_streams(first: int, tmp_path: Path) -> None:
    assert_judges_agree(range(first, first + SEEDS_A_TEST), tmp_path)


@pytest.mark.parametrize("seed", range(2000, 2010))
def test_a_decoder_that_lives_on_shows_the_same(seed: int) -> None:
    """Unit after unit in one process, as a player does it."""
    stream = draw(seed)
    assert decode_by_libdav1d(stream.units) == stream.shown


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in (25, 50, 75))])
def test_frames_coded_at_the_same_time_are_the_same(first: int) -> None:
    """Whatever they refer to. Whoever looks at each frame has them coded one by one."""
    threads = set()
    for seed in range(first, first + 25):
        one_by_one = draw(seed)
        config, packets = encode_stress(seed, "numba")
        threads.add(config.threads)
        at_once = [(packet.data, samples_of(packet.reconstruction)) for packet in packets]
        assert at_once == list(zip(one_by_one.units, one_by_one.shown, strict=True)), seed
    assert threads == {1, 2}


@pytest.mark.parametrize("seed", [0, 5, 11, 22, 39])
def test_the_sets_draw_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoder.stress.SIZES", ((8, 24),))
    assert draw(seed, "numba") == draw(seed, "numpy") == draw(seed, "python")


def test_a_reconstruction_that_is_wrong_would_be_noticed(tmp_path: Path) -> None:
    """The judges are awake: a sample in the last frame of the second stream, hidden or shown, and a frame that is missing."""
    streams = [
        next(stream for seed in range(99) if len((stream := draw(seed)).coded) > len(stream.shown)) for _ in "ab"
    ]
    streams[1].label = "the second"
    assert_decoders_agree_on_all(streams, tmp_path)
    for kind in ("coded", "shown"):
        frames = getattr(streams[1], kind)
        right = frames[-1]
        frames[-1] = bytes([right[0] ^ 1]) + right[1:]
        with pytest.raises(AssertionError, match=rf"the second: .*; frame {len(frames) - 1} of .* first at byte 0 of"):
            assert_decoders_agree_on_all(streams, tmp_path)
        frames[-1] = right
    streams[1].units.pop()
    with pytest.raises(AssertionError, match=r"the second: dav1d"):
        assert_decoders_agree_on_all(streams, tmp_path)


def test_levels_reach_golomb_codes() -> None:
    """Beyond what the range of coeff_br can say."""
    t = SimpleNamespace(dc_q=4, ac_q=4, draw=np.array([99, 0]), scans=_SCANS)
    largest = 0
    for i in range(300):
        levels = [0] * 1024
        stress.draw_levels(t, levels, i % 5, 0, 0)
        largest = max(largest, *map(abs, map(int, levels)))
    assert largest > 200


def test_checked_kernels_stop_at_the_first_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def zero(a, a_at, a_stride, b, b_at, b_stride, w, h):\n    return 0\n")
    config = EncoderConfig(width=16, height=16, kernels="check:numpy,satd=mine.py:zero")
    with pytest.raises(KernelError, match=r"kernel satd differs from the python set: .* called with a_at="):
        list(encode(pictures("edges", 16, 16), config))
    assert load_kernels("check:numpy").interpreted
