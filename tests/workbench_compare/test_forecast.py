"""How many more pairs, what quiet, what the noise lets one see."""

import numpy as np
import pytest

from workbench.analysis.evidence import decisions
from workbench.analysis.forecast import WITHIN, forecast, smallest_effect
from workbench.analysis.verdict import Word, judge, needing


def noise(centre: float, spread: float, count: int, seed: int = 1) -> np.ndarray:
    return centre + spread * np.random.RandomState(seed).standard_normal(count)


def test_a_forecast_is_about_what_happens_then() -> None:
    """Of runs that are undecided after 20 pairs: the pairs that they took, beside the forecast's median."""
    rows = np.array([noise(0.006, 0.012, 200, seed) for seed in range(60)])
    decided, pairs = decisions(rows, 0.01).first()
    open_rows = [at for at in range(60) if pairs[at] > 20 and decided[at]][:9]
    told = [forecast(rows[at, :20].tolist(), 0.01).more_pairs or 80 for at in open_rows]
    taken = [pairs[at] - 20 for at in open_rows]
    assert 0.4 < np.median(taken) / np.median(told) < 2.5


def test_the_same_pairs_give_the_same_forecast() -> None:
    values = noise(0.004, 0.02, 15).tolist()
    assert forecast(values, 0.01) == forecast(values, 0.01)


def test_where_no_end_is_in_sight_it_says_what_quiet_would_do() -> None:
    values = noise(0.0, 0.1, 12, seed=4).tolist()
    needs = forecast(values, 0.01)
    assert needs.more_pairs is None and needs.horizon == 2 * WITHIN
    assert 0.001 < needs.spread_needed < 0.01 < needs.spread
    for centre in (0.0, 0.005, 0.01, 0.03, -0.005):
        quiet = noise(centre, needs.spread_needed, 300 * WITHIN).reshape(300, WITHIN)
        assert decisions(quiet, 0.01).first()[0].mean() > 0.7


def test_too_few_pairs_need_the_fewest_that_can_decide() -> None:
    needs = forecast([0.1, 0.2], 0.01)
    assert (needs.more_pairs, needs.spread, needs.spread_needed) == (8, None, None)


def test_equal_ratios_are_no_trouble() -> None:
    assert forecast([0.02] * 6, 0.01).more_pairs == 4
    assert forecast([0.0] * 6, 0.01).more_pairs == 4


def test_only_an_undecided_verdict_needs_anything() -> None:
    sure, unsure = noise(0.05, 0.01, 20).tolist(), noise(0.005, 0.02, 20).tolist()
    assert needing(judge(sure, 0.01), sure).needs is None
    found = needing(judge(unsure, 0.01), unsure)
    assert found.word == Word.UNDECIDED and found.needs.spread == pytest.approx(found.spread)


def test_the_smallest_effect_grows_with_the_noise_and_falls_with_the_pairs() -> None:
    calm, loud = noise(0, 0.003, 25).tolist(), noise(0, 0.03, 25).tolist()
    assert 0.001 < smallest_effect(calm) < 0.003 < 0.01 < smallest_effect(loud) < 0.05
    assert smallest_effect(loud, pairs=80) < smallest_effect(loud, pairs=20)
    assert smallest_effect(loud, pairs=9) is None
    assert smallest_effect([0.1] * 3) is None


def test_the_smallest_effect_is_found_as_often_as_said() -> None:
    effect = smallest_effect(noise(0, 0.01, 200).tolist())
    rows = noise(np.log1p(effect), 0.01, 400 * 40, seed=3).reshape(400, 40)
    assert 0.65 < decisions(rows, 0.01).above[:, -1].mean() < 0.92
