"""Encodes in fresh processes: what they took, what they wrote, what goes wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import EnvironmentFault, InputError, OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments.encode_side import EncodeSides
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN
from workbench.sides import OUTPUT, Encode

Make = Callable[..., Encode]


def sides(base: Encode, candidate: Encode, folder: Path, timeout_s: float = 60.0, planted: float = 0.5) -> EncodeSides:
    return EncodeSides(base, candidate, folder, timeout_s, planted, seed=1)


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
    with sides(other, other, tmp_path, timeout_s=1.0) as both, pytest.raises(error, match=said):
        both.run((BASE,), 0)


def no_children() -> bool:
    """Whether no encoder of this test is left."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "encode_server"], capture_output=True)
    return not found.stdout
