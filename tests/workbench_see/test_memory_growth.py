"""What leaks and what does not: shapes of memory over frames."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.memory_growth import PARTS, blocks_rise, is_long_enough, low_waters, rate, rise, rises

FRAMES = 64
MINI_GOP = 16


def in_flight(frame: int) -> int:
    """Pictures on their way: they come and go with each mini-GOP."""
    return 2 + (frame * 7) % MINI_GOP


def levels(blocks: list[int], size: int = 100) -> list[tuple[int, int]]:
    return [(count, size * count) for count in blocks]


@pytest.mark.parametrize(
    "blocks",
    [
        [5] * FRAMES,  # allocated once
        [in_flight(frame) for frame in range(FRAMES)],
        [min(frame, 20) for frame in range(FRAMES)],  # buffers that are all there after a while
        [int(40 * (1 - 0.9**frame)) for frame in range(FRAMES)],  # a cache that fills up
        [0] * 40 + [1] * 24,  # one block, late
        [frame // 32 for frame in range(FRAMES)],
        [FRAMES - frame for frame in range(FRAMES)],
    ],
)
def test_what_does_not_grow_with_the_frames_is_no_leak(blocks: list[int]) -> None:
    assert rise(levels(blocks)) is None


@pytest.mark.parametrize("every", [1, 2, 8])
def test_a_leak_is_found_beneath_what_comes_and_goes(every: int) -> None:
    found = rise(levels([in_flight(frame) + frame // every for frame in range(FRAMES)], size=1000))
    assert found is not None
    assert found.blocks == pytest.approx(1 / every, rel=0.2) and found.size_bytes == pytest.approx(
        1000 / every, rel=0.2
    )


def test_one_block_that_is_made_larger_leaks_too() -> None:
    """The room of a list: always one block, never smaller."""
    found = rise([(1, 8 * (frame + (frame >> 3) + 6)) for frame in range(FRAMES)])
    assert found is not None and found.blocks == 0 and found.size_bytes == pytest.approx(9, rel=0.1)
    assert (
        rise([(1, 500 + (frame * 37) % 101 + frame // 4) for frame in range(FRAMES)]) is None
    )  # its size depends on the data


def test_levels_that_are_several_frames_apart_give_the_same_rate() -> None:
    found = rise(levels([4 * step for step in range(FRAMES)]), marks_a_level=4)
    assert found is not None and found.blocks == pytest.approx(1.0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=MINI_GOP, max_size=MINI_GOP), st.integers(1, 5))
def test_any_pattern_that_repeats_is_no_leak_and_grows_by_what_is_added(pattern: list[int], each: int) -> None:
    repeated = pattern * PARTS
    assert not rises(repeated)
    leaking = [value + each * (frame // MINI_GOP) for frame, value in enumerate(repeated)]
    assert rises(leaking) and rate(leaking) == pytest.approx(each / MINI_GOP)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=100))
def test_low_waters_are_the_least_of_equal_parts(values: list[int]) -> None:
    lows = low_waters(values)
    assert len(lows) == (PARTS if len(values) >= PARTS else 0)
    if lows:
        assert min(lows) == min(values[len(values) % PARTS :])


def test_runs_that_are_too_short_decide_nothing() -> None:
    assert is_long_enough(FRAMES, has_frames=True) and not is_long_enough(FRAMES - 1, has_frames=True)
    assert is_long_enough(32, has_frames=False) and not is_long_enough(31, has_frames=False)
    assert rise([]) is None and rate([]) == 0 and blocks_rise([]) is None


def test_few_objects_now_and_then_are_chance() -> None:
    blocks = [1000 + frame // MINI_GOP for frame in range(8 * FRAMES)]
    assert blocks_rise(blocks) == pytest.approx(1 / MINI_GOP)
    assert blocks_rise([1000 + frame // 64 for frame in range(8 * FRAMES)]) is None
    assert blocks_rise([1000 + 44 * frame for frame in range(FRAMES)]) == pytest.approx(44)
