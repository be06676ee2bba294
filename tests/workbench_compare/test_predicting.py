"""A whole encode predicted from its kernels: real runs of a tiny clip, and what cannot be predicted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.analysis.prediction import Foreseen, Prediction
from workbench.analysis.shares import kinds_of, shares_of
from workbench.commands.target import parse_target
from workbench.comparing import predicting
from workbench.comparing.measure import ENCODE_LIMITS, Settings
from workbench.instruments import calls, kernel_side, shares, stacks
from workbench.pairs import Limits
from workbench.sides import Encode, encode_of, parse_side
from workbench.subject import Subject

SETTINGS = Settings(ENCODE_LIMITS, 0.02, 120.0, seed=1)


def pair(clip: Path, base: str, candidate: str, *options: str) -> tuple[Subject, Encode, Encode]:
    subjects = [
        parse_target(("--kernels", kernels, "--frames", "1", *options, str(clip))).encode("compare")
        for kernels in (base, candidate)
    ]
    a, b = (
        encode_of(parse_side(kernels), subject, None, kernels)
        for kernels, subject in zip((base, candidate), subjects, strict=True)
    )
    return subjects[0], a, b


@pytest.fixture
def clip(make_clip: Callable[..., Path]) -> Path:
    return make_clip(16, 16, 1)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little as shows that it works."""
    monkeypatch.setattr(predicting, "SAMPLED_S", 0.4)
    monkeypatch.setattr(predicting, "LIMITS", Limits(6, 30.0))
    monkeypatch.setattr(kernel_side, "PROCESSES", 2)
    monkeypatch.setattr(kernel_side, "RUN_S", 0.01)


def foreseen(*sides: object) -> Foreseen:
    return Foreseen.from_record(predicting.foresee(*sides, SETTINGS, lambda said: None))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_slower_kernel_makes_the_whole_slower(clip: Path, brief: None, tmp_path: Path) -> None:
    found = foreseen(*pair(clip, "numpy", "numpy,forward_transform=python"))
    assert found.prediction is not None, found.why
    [kernel] = found.kernels
    assert kernel.slot == "forward_transform" and len(kernel.log_ratios) == 6
    assert kernel.ratio > 1.5 and 0 < kernel.share < 1  # loops over samples, interpreted
    assert found.prediction.ratio == pytest.approx(1 + kernel.share * (kernel.ratio - 1))
    assert 1 < found.prediction.low < found.prediction.ratio < found.prediction.high
    assert found.measured_spread > 0


def test_shares_and_calls_of_a_real_encode(clip: Path, tmp_path: Path) -> None:
    subject = pair(clip, "numpy", "numpy")[0]
    record = shares.measure(subject, tmp_path, stacks.build_environment(), 120.0, 0.4)
    found = shares_of(record.data["groups"], {})
    assert len(found.whole) == shares.GROUPS and max(found.whole) - min(found.whole) <= 1
    assert sum(record.values) > 0.4 and sum(found.whole) > 0.5 * sum(record.values) * shares.RATE_HZ
    assert 0 < sum(map(found.share, found.slots)) < 1
    counted = calls.measure(subject, tmp_path, 120.0)
    assert set(found.slots) <= set(counted.data["slots"])
    slot = max(found.slots, key=found.share)
    assert sum(predicting._weights(counted, slot)) == pytest.approx(sum(n for _, n in kinds_of(counted, slot)[1]))


@pytest.mark.parametrize(
    ("base", "candidate", "why"),
    [
        ("numpy", "numpy", "no kernel differs"),
        ("numba", "numpy", "compiled in one of A and B, and interpreted in the other"),
    ],
)
def test_what_cannot_be_predicted_says_why(clip: Path, base: str, candidate: str, why: str) -> None:
    found = foreseen(*pair(clip, base, candidate))
    assert found.prediction is None and why in found.why


def test_other_options_are_no_kernels(clip: Path) -> None:
    subject, base, _ = pair(clip, "numpy", "numpy")
    other = pair(clip, "numpy,sse=python", "numpy,sse=python", "--quantizer", "50")[1]
    assert "more than kernels differs" in foreseen(subject, base, other).why


def test_a_failure_is_a_reason_and_no_end(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, base, candidate = pair(clip, "numpy", "numpy,satd=python")
    clip.unlink()
    found = foreseen(subject, base, candidate)
    assert found.prediction is None and "clip.y4m" in found.why


def test_the_score_goes_into_the_history() -> None:
    told = Foreseen(Prediction(1.05, 1.04, 1.06, 0.2))
    pairs = [0.048, 0.049, 0.05, 0.051, 0.047, 0.05, 0.049]
    assert predicting.score(told, "pan", pairs[:5]) is None  # too few
    assert predicting.score(Foreseen(None, "nothing"), "pan", pairs) is None
    entry = predicting.score(told, "pan", pairs)
    missed = predicting.score(told, "pan", [value + 0.03 for value in pairs])
    assert entry is not None and entry.is_hit
    assert missed is not None and not missed.is_hit
    assert predicting.scored() == [entry, missed]
