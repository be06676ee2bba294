"""The signed-rank statistic against enumeration of all signs, and against figures from a textbook."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workbench.analysis import signed_rank
from workbench.stats import hodges_lehmann

# Depression scores of nine patients, second visit less first: Hollander, Wolfe & Chicken 2014, example 3.1.
PATIENTS = [-0.952, 0.147, -1.022, -0.430, -0.620, -0.590, -0.490, 0.080, -0.010]

few = st.lists(st.integers(-40, 40).map(lambda tenth: tenth / 8), min_size=1, max_size=9)
several = st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=6, max_size=14)


def mean_ranks(magnitudes: np.ndarray) -> np.ndarray:
    return np.array([(np.sum(magnitudes < m) + np.sum(magnitudes <= m) + 1) / 2 for m in magnitudes])


@pytest.mark.parametrize("count", range(1, 13))
def test_null_distribution_is_that_of_all_signs(count: int) -> None:
    sums = [sum(itertools.compress(range(1, count + 1), signs)) for signs in itertools.product((0, 1), repeat=count)]
    expected = np.bincount(sums, minlength=count * (count + 1) // 2 + 1) / 2**count
    assert np.array_equal(signed_rank.null_distribution(count), expected)


@settings(max_examples=50, deadline=None)
@given(few)
def test_p_value_is_exact_with_ties_and_zeros(values: list[float]) -> None:
    kept = np.array([value for value in values if value])
    assume(len(kept))
    ranks = mean_ranks(np.abs(kept))
    middle = ranks.sum() / 2
    sums = np.array(list(itertools.product((0, 1), repeat=len(kept)))) @ ranks
    as_far = np.mean(np.abs(sums - middle) >= abs(ranks[kept > 0].sum() - middle))
    assert signed_rank.p_value(values) == pytest.approx(as_far)


def test_known_p_value_estimate_and_interval() -> None:
    assert signed_rank.p_value(PATIENTS) == pytest.approx(0.0390625)
    assert hodges_lehmann(PATIENTS) == pytest.approx(-0.46)
    interval = signed_rank.interval(PATIENTS, 0.96)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((-0.786, -0.010))


def test_nothing_to_rank_is_no_evidence() -> None:
    assert signed_rank.p_value([]) == signed_rank.p_value([0.0, 0.0]) == 1.0


def test_many_values_are_approximated_as_well_as_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.RandomState(3).standard_normal(150) + 0.15
    exact = signed_rank.p_value(values), signed_rank.interval(values)
    monkeypatch.setattr(signed_rank, "EXACT_UP_TO", 100)
    assert signed_rank.p_value(values) == pytest.approx(exact[0], rel=0.02)
    assert signed_rank.interval(values).low == pytest.approx(exact[1].low, abs=2e-3)


@pytest.mark.parametrize(("level", "fewest"), [(0.90, 5), (0.95, 6), (0.99, 8)])
def test_there_is_no_interval_where_too_few_values_reach_its_level(level: float, fewest: int) -> None:
    assert signed_rank.interval([1.0] * (fewest - 1), level) is None
    assert signed_rank.interval([1.0] * fewest, level) is not None


@given(several, st.floats(-5, 5), st.floats(0.1, 10))
def test_interval_moves_scales_and_turns_with_the_values(values: list[float], shift: float, scale: float) -> None:
    plain = signed_rank.interval(values)
    moved = signed_rank.interval([scale * value + shift for value in values])
    turned = signed_rank.interval([-value for value in values])
    assert (moved.low, moved.high) == pytest.approx((scale * plain.low + shift, scale * plain.high + shift), abs=1e-9)
    assert (turned.low, turned.high) == (-plain.high, -plain.low)
    assert plain.holds(hodges_lehmann(values))


@settings(max_examples=30, deadline=None)
@given(several)
def test_interval_is_what_the_test_does_not_refuse(values: list[float]) -> None:
    interval = signed_rank.interval(values)
    averages = signed_rank.walsh_averages(values)
    steps = np.diff(averages)
    assume((steps[steps > 0] > 1e-6).all() and len(set(averages)) == len(averages))
    for theta, inside in ((interval.low - 1e-8, False), (interval.low + 1e-8, True), (interval.high + 1e-8, False)):
        assert (signed_rank.p_value([value - theta for value in values]) > 0.05) == inside


@pytest.mark.parametrize("count", [6, 9, 11])
def test_interval_covers_for_all_signs_as_often_as_it_says(count: int) -> None:
    magnitudes = np.random.RandomState(count).pareto(1.1, count) + 0.01
    covered = [
        signed_rank.interval((magnitudes * signs).tolist()).holds(0.0)
        for signs in itertools.product((-1, 1), repeat=count)
    ]
    assert np.mean(covered) >= 0.95
