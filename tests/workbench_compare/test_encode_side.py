"""Encodes in fresh processes: what they took, what they wrote, what goes wrong."""

import dataclasses
import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from workbench.comparing import proving
from workbench.comparing.measure import ENCODE_LIMITS, ENCODE_MARGIN, Settings, places
from workbench.errors import EnvironmentFault, InputError, OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments.encode_side import EncodeSides, pairs_at_once
from workbench.machine import Two, two_processors
from workbench.pairs import BASE, CANDIDATE, PLANTED, SECOND, TWIN, Sample
from workbench.sides import OUTPUT, Encode, encode_of, parse_side
from workbench.subject import Subject, our_encoder

Make = Callable[..., Encode]


def sides(
    base: Encode, candidate: Encode, folder: Path, timeout_s: float = 60.0, planted: float = 0.5, two: Two | None = None
) -> EncodeSides:
    return EncodeSides(base, candidate, folder, timeout_s, planted, 1, two)


@pytest.fixture
def two() -> Two:
    """Processors for both of a pair; where there is one, that twice."""
    ours = sorted(os.sched_getaffinity(0))
    return two_processors() or Two((ours[0], ours[0]), None)


def test_a_block_of_our_encoder(fake_encode: Make, tmp_path: Path) -> None:
    encode = fake_encode(kernels="numba")
    with sides(encode, encode, tmp_path) as both:
        assert len(both._servers) == 3
        samples = both.run((CANDIDATE, TWIN, BASE), 0)
        assert list(samples) == [CANDIDATE, TWIN, PLANTED, BASE]
        planted = samples[PLANTED].cpu_s / samples[TWIN].cpu_s
        runs = [samples[name] for name in (BASE, CANDIDATE, TWIN)]  # P is within the run of A'
        assert len({sample.digest for sample in runs}) == 1 == len(both.shown)
        shown = both.shown[samples[BASE].digest or ""]
        assert (shown.frames, shown.size) == (3, (80, 66))
        assert both.stream(samples[BASE].digest or "").stat().st_size == samples[BASE].bytes
        assert planted == pytest.approx(1.5, rel=0.05)  # exact to the clock's grain
        for sample in runs:
            assert sample.cpu_s > 0 and sample.wall_s <= sample.took_s
            assert sample.max_rss_bytes and sample.max_rss_bytes > 2**20
    assert no_children()


def test_a_block_of_other_programs(fake_encode: Make, tmp_path: Path) -> None:
    with sides(fake_encode(), fake_encode(), tmp_path) as both:
        stream = both.stream(both.run((BASE,), 0)[BASE].digest or "")
    copy = Encode("copy", ("cp", str(stream), OUTPUT), whole=True)
    script = f"import shutil; x = bytearray(150 << 20); shutil.copy({str(stream)!r}, '{OUTPUT}')"
    busy = Encode("busy", (sys.executable, "-c", script), whole=True)
    with sides(busy, copy, tmp_path) as both:
        assert not both._servers
        samples = both.run((BASE, CANDIDATE, TWIN), 0)
        assert samples[CANDIDATE].digest == samples[BASE].digest
        assert samples[PLANTED].cpu_s / samples[TWIN].cpu_s == pytest.approx(1.5, rel=0.05)
        assert samples[CANDIDATE].cpu_s < samples[BASE].cpu_s
    assert (samples[BASE].max_rss_bytes or 0) > 150 << 20
    assert (samples[CANDIDATE].max_rss_bytes or 1 << 40) < 50 << 20  # not what ran before


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("die", SubjectError, "mine: exit status 1: encoder: the walk fell over"),
        ("abort", SubjectError, "mine: killed by signal 6 .SIGABRT."),
        ("short", OutputsDifferError, "mine: its stream shows 2 frames, 3 were asked for"),
    ],
)
def test_faults(fake_encode: Make, tmp_path: Path, fault: str, error: type[Exception], said: str) -> None:
    with sides(fake_encode(), fake_encode("mine", fault), tmp_path) as both:
        with pytest.raises(error, match=said):
            both.run((CANDIDATE,), 0)
        if fault == "die":  # which the other side does not mind
            assert both.run((BASE,), 0)[BASE].digest
    assert no_children()


def test_an_encode_that_hangs(fake_encode: Make, tmp_path: Path) -> None:
    with (
        pytest.raises(SubjectTimeout, match="mine: no answer for 1"),
        sides(fake_encode("mine", "hang"), fake_encode("mine", "hang"), tmp_path, timeout_s=1.0) as both,
    ):
        both.run((BASE,), 0)
    assert no_children()


def test_what_the_encoder_does_not_take(fake_encode: Make, tmp_path: Path) -> None:
    wrong = fake_encode("mine", arguments=("nothere.y4m", "-o", OUTPUT))
    with sides(wrong, wrong, tmp_path) as both, pytest.raises(InputError, match="mine: encoder: nothere.y4m"):
        both.run((BASE,), 0)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("true",), OutputsDifferError, "ended well, and wrote no stream"),
        (("touch", OUTPUT), OutputsDifferError, "ended well, and wrote no stream"),
        (("false",), SubjectError, "exit status 1, and nothing on standard error"),
        (("cp", "/proc/cpuinfo", OUTPUT), OutputsDifferError, "does not decode"),
        (("nosuchprogram",), EnvironmentFault, "cannot be started"),
        (("sleep", "60"), SubjectTimeout, "still running"),
    ],
)
def test_faults_of_other_programs(tmp_path: Path, words: tuple[str, ...], error: type[Exception], said: str) -> None:
    other = Encode("other", words, whole=True)
    timeout_s = 1.0 if error is SubjectTimeout else 60.0
    with sides(other, other, tmp_path, timeout_s=timeout_s) as both, pytest.raises(error, match=said):
        both.run((BASE,), 0)


def no_children() -> bool:
    """Whether no encoder of this test is left."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "encode_server"], capture_output=True)
    return not found.stdout


# --- both of a pair at once --------------------------------------------------------------------------------------------


def test_either_side_of_each_pair_is_as_often_on_the_first_processor() -> None:
    firsts: Counter[str] = Counter()
    for order in itertools.permutations((BASE, CANDIDATE, TWIN)):
        pairs = pairs_at_once(order)
        assert {frozenset(pair) for pair in pairs} == {frozenset((BASE, CANDIDATE)), frozenset((SECOND, TWIN))}
        firsts.update(pair[0] for pair in pairs)
    assert firsts == {BASE: 3, CANDIDATE: 3, SECOND: 3, TWIN: 3}
    for order in ((BASE, CANDIDATE), (CANDIDATE, BASE), (TWIN, BASE), (BASE,)):
        assert pairs_at_once(order) == [order]


def require_pairs(samples: Mapping[str, Sample]) -> None:
    """The noise of each pair is told once, and P is so much slower than A' was."""
    slower = samples[PLANTED].cpu_s / samples[TWIN].cpu_s
    assert 1.49 < slower < 1.8  # a busy machine may stop the loop before it looks at the clock
    told = [sample for sample in samples.values() if sample.took_s]
    assert len(told) == 2
    assert all(sample.foreign_s is None for sample in samples.values() if sample not in told)
    assert sum(sample.took_s for sample in told) >= sum(samples[name].wall_s for name in (BASE, TWIN))
    assert samples[SECOND].cpu_s < samples[PLANTED].cpu_s  # what A2 goes on for is not in its time


def test_our_encoder_at_once_and_nothing_is_left_pinned(fake_encode: Make, tmp_path: Path, two: Two) -> None:
    before = os.sched_getaffinity(0)
    with sides(fake_encode(), fake_encode(), tmp_path, two=two) as both:
        samples = both.run((CANDIDATE, TWIN, BASE), 0)
        kept = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "encode_server"], capture_output=True, text=True)
        assert [os.sched_getaffinity(int(pid)) for pid in kept.stdout.split()] == [before] * 3
    assert set(samples) == {BASE, CANDIDATE, SECOND, TWIN, PLANTED}
    require_pairs(samples)
    assert os.sched_getaffinity(0) == before and no_children()


def test_a_forked_encode_takes_turns_on_both_processors(two: Two, tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "workbench" / "instruments" / "inside"
    code = f"""
import os, sys, time
sys.path.insert(0, {str(folder)!r})
from encode_server import serve
def encode(words):
    seen, end = [], time.monotonic() + 0.3
    time.sleep(0.02)
    while time.monotonic() < end: seen += os.sched_getaffinity(0)
    print(sorted(set(seen)), flush=True)
    return 0
before = os.sched_getaffinity(0)
assert serve(encode, dict(arguments=[], factor=1.0, processors={list(two.processors)}))["cpu_s"] > 0
assert os.sched_getaffinity(0) == before
serve(encode, dict(arguments=[], factor=1.0))
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert seen == [str(sorted(set(two.processors))), str(sorted(os.sched_getaffinity(0)))]


@pytest.mark.parametrize(
    ("fault", "error"), [("die", SubjectError), pytest.param("hang", SubjectTimeout, marks=pytest.mark.slow)]
)
def test_a_fault_beside_a_run_that_goes_well(
    fake_encode: Make, tmp_path: Path, two: Two, fault: str, error: type[Exception]
) -> None:
    began = time.monotonic()
    with (
        pytest.raises(error, match="mine: "),
        sides(fake_encode(), fake_encode("mine", fault), tmp_path, timeout_s=15.0, two=two) as both,
    ):
        both.run((BASE, CANDIDATE), 0)
    assert no_children() and time.monotonic() - began < 60


def settings(**fields: object) -> Settings:
    return dataclasses.replace(Settings(ENCODE_LIMITS, ENCODE_MARGIN, 60.0), **fields)


def test_when_it_is_one_after_the_other(fake_encode: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, threaded = fake_encode(), fake_encode(threads=2)
    other = Encode("other", ("true",), whole=True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    found, why = places(settings(), encode, encode)
    assert found and found.processors == (5, 3) and why is None
    assert places(settings(at_once=False), encode, encode) == (None, "as asked")
    assert places(settings(metric="wall"), encode, encode) == (None, "the time on the clock is compared")
    assert places(settings(), encode, threaded) == (None, "an encode has more threads")
    assert places(settings(), other, other) == (None, "other programs may have threads")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert places(settings(), encode, encode) == (None, "there is one processor")


@pytest.mark.slow
def test_five_percent_is_found_and_nothing_where_there_is_nothing(make_clip: Callable[..., Path], two: Two) -> None:
    clip = make_clip(176, 144, 17)
    subject = Subject("clip", clip, 176, 144, 17, our_encoder(), kernels="numba", speed=10)
    encode = encode_of(parse_side("numba"), subject, None, "numba")
    tries = list(proving.encode_tries(encode, range(3), 1, two, 60.0, loaded=False))
    assert all(one.outcomes["same"].word in ("SAME", "UNDECIDED") for one in tries)
    assert all(one.outcomes["planted"].word in ("SLOWER", "UNDECIDED") for one in tries)
    assert sum(one.outcomes["planted"].word == "SLOWER" for one in tries) >= 2
