"""Whole encodes timed: random order, two lengths, and limits that hold."""

import time
from collections import Counter
from pathlib import Path

import pytest

from workbench.child import Usage
from workbench.instruments import wall
from workbench.record import Record
from workbench.repetition import Limits, in_random_order
from workbench.subject import Encoder, Subject

SLEEPER = Encoder.parse(
    'sh -c \'cp "$0" "$1"; n=$2; sleep 0.2; while [ $n -gt 0 ]; do sleep 0.1; n=$((n-1)); done\' {input} {output} {frames}'
)


def by_metric(records: list[Record]) -> dict[tuple[str, int], Record]:
    return {(record.metric, record.subject["frames"]): record for record in records}


def test_start_up_and_time_per_frame_are_told_apart(subject: Subject, tmp_path: Path) -> None:
    """The sleeper takes a tenth of a second for each frame, however small it is: its part is one of the same size."""
    lengths = [subject.change(encoder=SLEEPER, frames=frames) for frames in (1, 6)]
    ticks: list[int] = []
    limits = Limits(3, 3, 0.0, 60)
    found = by_metric(wall.time_lengths(lengths, tmp_path, limits, lambda: ticks.append(1)))
    assert set(found) == {("time_per_frame", 6), ("max_rss", 6)} | {(m, n) for m in ("wall", "cpu") for n in (1, 6)}
    assert all(len(record.values) == 3 for record in found.values())
    per_frame = found["time_per_frame", 6]
    # A start-up that other work draws out bends the slope; but nobody sleeps for less than they said.
    assert min(found["wall", 1].values) >= 0.3 and min(found["wall", 6].values) >= 0.8
    assert 0.05 <= sorted(per_frame.values)[1] <= 0.3
    assert 0 <= per_frame.data["start_up_s"] <= 0.6
    assert (per_frame.data["n1"], per_frame.data["n2"]) == (1, 6)
    assert len(ticks) == 7  # the warm-up and three rounds of two


def usages(seconds: float) -> list[Usage]:
    """Three repetitions without noise."""
    return [Usage(0, seconds, 0.8 * seconds, 0.0, 1, 0, None, None)] * 3


def test_the_line_through_both_encodes_is_exact_without_noise(subject: Subject) -> None:
    """Of a whole video: a key frame of 2 s and 9 frames of 0.25 s behind it; 2 s of start-up go before."""
    whole = subject.change(frames=10)
    part = subject.change(width=8, height=8, frames=3)
    a_sample_s = (2.0 + 9 * 0.25) / whole.pixels
    record = wall._time_per_frame([part, whole], [usages(2.0 + part.pixels * a_sample_s), usages(2.0 + 4.25)])
    assert record.values == pytest.approx((0.425, 0.425, 0.425))
    assert record.data["start_up_s"] == pytest.approx(2.0)
    assert record.data["cpu_per_frame_s"] == pytest.approx([0.34, 0.34, 0.34])
    assert record.subject["frames"] == 10 and record.subject["width"] == whole.width


def test_two_lengths_of_one_clip_give_the_frames_between_them(subject: Subject) -> None:
    lengths = [subject.change(frames=2), subject.change(frames=10)]
    record = wall._time_per_frame(lengths, [usages(2.5), usages(4.5)])
    assert record.values == pytest.approx((0.25, 0.25, 0.25)) and record.data["start_up_s"] == pytest.approx(2.0)


def test_noise_larger_than_the_clip_is_said(subject: Subject) -> None:
    short, long = Usage(0, 3.0, 1, 0, 1, 0, None, None), Usage(0, 2.0, 1, 0, 1, 0, None, None)
    record = wall._time_per_frame([subject.change(frames=1), subject.change(frames=2)], [[short], [long]])
    assert "in 1 of 1 rounds the larger encode took less time" in record.warnings[0]


def test_a_clip_that_stands_alone_has_no_start_up_of_its_own(subject: Subject, tmp_path: Path) -> None:
    lengths = [subject.change(encoder=SLEEPER, frames=1)]
    record = wall.time_lengths(lengths, tmp_path, Limits(1, 1, 0.0, 60), lambda: None)[-1]
    assert record.metric == "time_per_frame" and "start_up_s" not in record.data
    assert "start-up is part of the time per frame" in record.warnings[0]


def test_an_encode_that_pauses_now_and_then_is_warned_of(subject: Subject) -> None:
    walls = [1.0, 1.01, 1.0, 0.99, 1.0, 1.6]
    taken = [Usage(0, value, value, 0.0, 1, 0, 0.0, 0.0) for value in walls]
    record = wall._whole_encodes(subject, taken)[0]
    assert record.values == tuple(walls) and "repetition 6 of 6 took 1.60 s" in record.warnings[0]


def test_every_round_measures_every_subject_once_in_an_order_of_its_own() -> None:
    order: list[str] = []
    taken = in_random_order("abc", lambda s: order.append(s) or s, Limits(40, 40, 0.0, 1), lambda: None)  # type: ignore[func-returns-value]
    rounds = ["".join(order[at : at + 3]) for at in range(0, 120, 3)]
    assert taken == [["a"] * 40, ["b"] * 40, ["c"] * 40]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(Counter(rounds)) == 6  # all orders come up


def test_the_order_follows_from_the_seed() -> None:
    def order_of(seed: int) -> list[str]:
        order: list[str] = []
        in_random_order("abcd", order.append, Limits(5, 5, 0.0, 1, seed), lambda: None)
        return order

    assert order_of(1) == order_of(1) != order_of(2)


def test_no_round_is_begun_that_would_end_after_the_deadline() -> None:
    limits = Limits(2, 1000, time.monotonic() + 0.5, 1)
    taken = in_random_order("a", lambda _: time.sleep(0.1), limits, lambda: None)
    assert 2 <= len(taken[0]) <= 5
    assert len(in_random_order("a", lambda _: None, Limits(3, 9, 0.0, 1), lambda: None)[0]) == 3
