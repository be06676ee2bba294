"""Warnings: what was seen, why it may be, what to try; and silence about a quiet series."""

import pytest

from workbench import noise
from workbench.child import Usage

QUIET = [1.0, 1.01, 0.99, 1.0, 1.005, 0.995]


def usages(walls: list[float], pressure_s: float | None = 0.0, steal_s: float | None = 0.0) -> list[Usage]:
    return [Usage(0, wall, wall, 0.0, 1, 0, pressure_s, steal_s) for wall in walls]


def test_a_quiet_series_has_no_warning() -> None:
    assert noise.warnings(usages(QUIET), "raise --budget") == []


def test_a_kernel_without_meters_has_no_warning() -> None:
    assert noise.warnings(usages(QUIET, None, None), "raise --budget") == []


@pytest.mark.parametrize(
    ("walls", "pressure_s", "steal_s", "parts"),
    [
        ([1.0, 1.0], 0, 0, ["only 2 repetitions", "raise --budget"]),
        ([1.0], 0, 0, ["only 1 repetition,", "raise --budget"]),
        ([1.9, *QUIET], 0, 0, ["the first repetition took 1.90 s, the others 1.00 s", "encoder --warm"]),
        ([*QUIET, 1.9], 0, 0, ["repetition 7 of 7 took 1.90 s, the median is 1.00 s", "close what runs beside"]),
        ([1.0, 1.3, 0.8, 1.2, 0.7, 1.0], 0, 0, ["the repetitions spread by", "close other programs or raise --budget"]),
        (QUIET, 0.3, 0, ["waited for a processor in 30.0 % of the time", "look with `top`"]),
        (QUIET, 0, 0.05, ["the hypervisor gave 5.0 % of a processor to others", "believe processor time"]),
    ],
)
def test_noise_is_named_with_a_remedy(walls: list[float], pressure_s: float, steal_s: float, parts: list[str]) -> None:
    said = noise.warnings(usages(walls, pressure_s, steal_s), "raise --budget")
    assert len(said) == 1
    assert all(part in said[0] for part in parts)


def test_waiting_is_no_news_where_threads_fill_the_machine() -> None:
    assert noise.warnings(usages(QUIET, 0.9), "raise --budget", expected_waiting=True) == []


def test_meters_are_kept_by_repetition() -> None:
    assert noise.meters(usages([1.0, 2.0], 0.5, None)) == {
        "involuntary_switches": [0, 0],
        "pressure_s": [0.5, 0.5],
        "steal_s": [None, None],
    }
