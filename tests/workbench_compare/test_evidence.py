"""The fortunes of bettors: exact properties, by enumeration of all falls of the coin."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis import evidence
from workbench.analysis.evidence import ALPHA, BETS, confidence_sequence, decisions, fortunes, highest

ALL_SIGNS = {count: np.array(list(itertools.product((-1.0, 1.0), repeat=count))) for count in (1, 2, 5, 8, 14)}

sizes = st.lists(st.integers(0, 12).map(float), min_size=8, max_size=8)  # ties and zeros among them
ratios = st.lists(st.integers(-300, 300).map(lambda value: value / 1e4), min_size=1, max_size=25)
noisy = st.builds(
    lambda seed, centre, spread, count: (centre + spread * np.random.RandomState(seed).standard_t(2, count)).tolist(),
    st.integers(0, 10**6),
    st.sampled_from([-0.05, -0.01, 0.0, 0.003, 0.01, 0.03]),
    st.sampled_from([0.001, 0.005, 0.02]),
    st.integers(1, 45),
)


def test_the_bettors_share_one_fortune_and_stake_no_more_than_they_have() -> None:
    assert sum(bet.weight for bet in BETS) == pytest.approx(1)
    assert all(0 < bet.stake <= 1 for bet in BETS)


def test_standings_are_ranks_among_the_earlier_ones() -> None:
    assert evidence.standings(np.array([3.0, 1.0, 2.0, 3.0])).tolist() == [1 / 2, 1 / 4, 3 / 6, 6 / 8]


@settings(deadline=None, max_examples=60)
@given(sizes)
def test_the_fortune_is_a_martingale_under_the_coin(magnitudes: list[float]) -> None:
    paths = fortunes(ALL_SIGNS[8] * magnitudes)
    assert paths.mean(0) == pytest.approx(np.ones(8), abs=1e-12)
    # Given any beginning, too: the mean over what may follow is what there is.
    for pairs in range(1, 8):
        following = paths[:, pairs].reshape(2**pairs, -1).mean(1)
        assert following == pytest.approx(paths[:: 2 ** (8 - pairs), pairs - 1], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_chance_of_ever_reaching_a_level_is_at_most_its_inverse(seed: int) -> None:
    magnitudes = np.random.RandomState(seed).pareto(1.5, 14)
    ever = fortunes(ALL_SIGNS[14] * magnitudes).max(1)
    for alpha in (0.1, 0.05, 0.01, 0.005):
        assert np.mean(ever >= 1 / alpha) <= alpha


@pytest.mark.parametrize("centre", [-0.5, -2.0])
def test_betting_on_the_wrong_side_loses_whatever_the_shape_of_the_noise(centre: float) -> None:
    """Also where the noise has several modes, which hide the direction from some sizes."""
    for magnitudes in ([1.0] * 14, [0.1, 5.0] * 7, list(range(14)), list(np.random.RandomState(1).pareto(0.7, 14))):
        paths = fortunes(ALL_SIGNS[14] * magnitudes + centre)
        assert (paths.mean(0) <= 1 + 1e-12).all()
        assert np.mean(paths.max(1) >= 200) <= 0.005


@settings(deadline=None)
@given(ratios, st.integers(-400, 400), st.integers(0, 200))
def test_the_fortune_falls_as_theta_rises(values: list[float], theta: int, step: int) -> None:
    low, high = theta / 1e4, (theta + step) / 1e4
    assert (fortunes(np.array(values) - high) <= fortunes(np.array(values) - low) * (1 + 1e-9)).all()


def test_ten_pairs_that_agree_are_enough_in_whatever_order_of_size() -> None:
    for magnitudes in (np.ones(10), np.arange(1, 11.0), np.arange(10, 0, -1.0)):
        assert highest(magnitudes, 0.0, above=True) >= 2 / ALPHA


def test_long_runs_neither_overflow_nor_lose_the_martingale_of_zeros() -> None:
    with np.errstate(all="raise"):
        assert np.isfinite(fortunes(np.ones(2000))).all()
        assert fortunes(np.zeros(50)).tolist() == [1.0] * 50
    assert fortunes(np.zeros((0, 5))).shape == (0, 5)


def test_splitting_rows_for_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.RandomState(2).standard_normal((2, 7, 30))
    whole = fortunes(rows)
    monkeypatch.setattr(evidence, "_CELLS", 1)
    assert np.array_equal(fortunes(rows), whole)


@settings(deadline=None)
@given(noisy)
def test_the_interval_is_all_centres_that_no_look_refused(values: list[float]) -> None:
    low, high = confidence_sequence(values)
    for theta in np.linspace(-0.1, 0.1, 41) + 1.2345e-5:
        refused = highest(values, theta, above=True) >= 2 / ALPHA, highest(values, theta, above=False) >= 2 / ALPHA
        assert refused == (theta < low, theta > high)


def test_nothing_is_known_of_no_pairs_and_of_few() -> None:
    assert confidence_sequence([]) == confidence_sequence([0.3] * 9) == (-np.inf, np.inf)


@settings(deadline=None, max_examples=40)
@given(noisy)
def test_decisions_of_many_rows_are_those_of_each_prefix(values: list[float]) -> None:
    rows = decisions(np.array([values, [-value for value in values]]), 0.01)
    edge = np.log(1.01)
    for pairs in range(1, len(values) + 1):
        seen = values[:pairs]
        assert rows.below[0, pairs - 1] == (highest(seen, 0.0, above=False) >= 200)
        assert rows.above[0, pairs - 1] == (highest(seen, 0.0, above=True) >= 200)
        inside = min(highest(seen, -edge, above=True), highest(seen, edge, above=False)) >= 200
        assert rows.same[0, pairs - 1] == inside
    assert np.array_equal(rows.below[0], rows.above[1]) and np.array_equal(rows.same[0], rows.same[1])


def test_first_decisions_name_the_pair_or_the_end() -> None:
    decided, pairs = decisions(np.array([[0.05] * 15, [0.05, -0.05, 0.0] * 5]), 0.01).first()
    assert decided.tolist() == [True, False]
    assert pairs.tolist() == [10, 15]
