"""Rules replayed on noise: ours keeps its promise where tests of blocks do not."""

import json
from pathlib import Path

import numpy as np
import pytest

from workbench.analysis.block_tests import mann_whitney_p, welch_p
from workbench.analysis.rates import rate_interval
from workbench.analysis.replay import Rates, Trace, read_trace, replay
from workbench.errors import InputError
from workbench.report.replay_text import replay_json, replay_lines


def drifting(runs: int = 400) -> Trace:
    """Ramps, steps and bursts, as other programs make them."""
    stream = np.random.RandomState(9)
    level = 1 + 0.3 * np.repeat(stream.uniform(0, 1, runs // 10), 10) + 0.1 * np.sin(np.arange(runs) / 20)
    times = 0.1 * level * (1 + 0.004 * stream.standard_normal(runs)) + 0.02 * (stream.uniform(0, 1, runs) < 0.05)
    return Trace("drifting", times * 1.3, times)


@pytest.fixture(scope="module")
def rates() -> Rates:
    return replay(drifting(), windows=200, effects=(0.0, 0.02, 0.05))


def test_drift_misleads_blocks_and_not_pairs(rates: Rates) -> None:
    ours, welch, _, mann_whitney, _ = rates.rules
    assert ours.rates[0].wrong <= 0.03
    assert welch.rates[0].wrong > 0.2 and mann_whitney.rates[0].wrong > 0.2


def test_planted_effects_are_found_in_the_right_direction(rates: Rates) -> None:
    ours = rates.rules[0]
    assert ours.rates[2].slower > 0.9 and ours.rates[2].wrong <= 0.01
    assert ours.rates[2].pairs < 20
    for rule in rates.rules:
        for rate in rule.rates:
            assert rate.slower + rate.faster + rate.same + rate.undecided == pytest.approx(1)


def test_iterations_are_grouped_to_runs_in_two_ways() -> None:
    times = np.tile([0.008, 0.009, 0.010, 0.011], 1000)
    trace = Trace("steps", times, times)
    behind = replay(trace, group=2, windows=5, effects=(0.0,))
    turns = replay(trace, group=2, alternated=True, windows=5, effects=(0.0,))
    assert behind.spread == pytest.approx(1.4826 * np.log(10 / 8))
    assert turns.spread == pytest.approx(1.4826 * np.log(9 / 8))
    assert replay(trace, windows=5, effects=(0.0,)).group == 8


def test_too_short_a_recording_is_refused() -> None:
    with pytest.raises(InputError, match="20 runs of 1 iterations are too few; 80 are needed"):
        replay(drifting(20), windows=5)


def test_the_table_names_every_rule_and_what_ours_took(rates: Rates) -> None:
    text = "\n".join(replay_lines(rates))
    assert "Welch, blocks, alpha 5 %" in text and "Mann-Whitney, blocks, alpha 1 %" in text
    assert "ours stopped after" in text and "+5.0 %" in text
    assert max(len(line) for line in replay_lines(rates)) < 200
    assert json.loads(json.dumps(replay_json(rates)))["schema"] == 1


def test_a_table_of_planted_effects_alone() -> None:
    assert replay_lines(replay(drifting(), windows=5, effects=(0.05,)))


@pytest.mark.parametrize("content", ["", "{}", "[]", "[[1]]", '[["a", 1]]', "[[1, 0], [2, 1]]", "[[NaN, 1]]", "[1, 2]"])
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "noise.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a recording of noise"):
        read_trace(path)
    with pytest.raises(InputError, match="No such file"):
        read_trace(tmp_path / "none.json")


def test_a_recording_is_read(tmp_path: Path) -> None:
    (tmp_path / "noise.json").write_text("[[0.2, 0.1, 5], [0.3, 0.2, 6]]")
    trace = read_trace(tmp_path / "noise.json")
    assert (trace.name, trace.wall_s.tolist(), trace.cpu_s.tolist()) == ("noise", [0.2, 0.3], [0.1, 0.2])


A = [10.1, 10.4, 9.8, 10.9, 10.2, 11.5]
B = [10.8, 11.2, 12.9, 10.7, 11.9, 11.1, 12.0]
TIED_A, TIED_B = [1, 2, 2, 3, 4, 4, 4, 5], [2, 3, 4, 4, 5, 5, 6, 7]


def test_block_tests_against_figures_of_scipy() -> None:
    assert welch_p(A, B) == pytest.approx(0.02322501091192904)
    assert mann_whitney_p(A, B) == pytest.approx(0.03496503496503496)
    assert welch_p(TIED_A, TIED_B) == pytest.approx(0.08584539961805455)
    assert mann_whitney_p(TIED_A, TIED_B) == pytest.approx(0.10739338860434619)


def test_block_tests_of_equal_values() -> None:
    assert welch_p([1, 1], [1, 1]) == mann_whitney_p([1, 1], [1, 1]) == 1.0
    assert welch_p([1, 1], [2, 2]) == 0.0


def test_block_tests_err_as_often_as_they_say_on_independent_runs() -> None:
    stream = np.random.RandomState(2)
    samples = stream.standard_normal((800, 30))
    for test in (welch_p, mann_whitney_p):
        assert 0.03 < np.mean([test(row[:15], row[15:]) < 0.05 for row in samples]) < 0.075


def test_rates_have_exact_intervals() -> None:
    assert rate_interval(0, 100).high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert (rate_interval(10, 10).high, rate_interval(0, 10).low) == (1.0, 0.0)
    found = rate_interval(5, 200)  # as scipy.stats.binomtest gives it
    assert (found.low, found.high) == pytest.approx((0.00817, 0.05739), abs=1e-4)
