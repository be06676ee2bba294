"""Every statistic against figures that are known from elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import stats
from workbench.stats import Interval

samples = st.lists(st.floats(0.001, 1000), min_size=4, max_size=30)


def test_median_of_nothing_is_not_a_number():
    assert math.isnan(stats.median([]))


def test_robust_spread_estimates_the_standard_deviation_of_normal_samples():
    values = np.random.RandomState(3).normal(10, 2, 4001)
    assert stats.robust_spread(values) == pytest.approx(2, rel=0.05)


def test_one_wild_value_moves_the_robust_spread_little():
    calm = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02]
    assert stats.robust_spread([*calm, 1e6]) < 3 * stats.robust_spread(calm)


def test_hodges_lehmann_is_the_median_of_the_pairwise_means():
    assert stats.hodges_lehmann([1.0, 2.0, 9.0]) == pytest.approx(np.median([1, 1.5, 5, 2, 5.5, 9]))


@given(samples, st.floats(0.1, 100))
def test_modified_z_scores_do_not_depend_on_the_unit(values, scale):
    plain = stats.modified_z_scores(values)
    scaled = stats.modified_z_scores([value * scale for value in values])
    assert scaled == pytest.approx(plain, rel=1e-6, abs=1e-6)


def test_modified_z_score_as_iglewicz_and_hoaglin_define_it():
    values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]
    scores = stats.modified_z_scores(values)
    assert scores[8] == pytest.approx(0.6745 * (8.2 - 2.45) / 0.15, rel=1e-3)
    assert stats.outliers(values) == [8, 9]


def test_a_value_apart_from_equal_ones_is_an_outlier_though_their_deviation_is_zero():
    assert stats.outliers([5.0] * 9 + [6.0]) == [9]


def test_no_outlier_is_named_among_equal_or_few_values():
    assert stats.outliers([5.0] * 10) == []
    assert stats.outliers([1.0, 1.0, 100.0]) == []


def test_bootstrap_interval_holds_the_true_median_as_often_as_it_says():
    random = np.random.RandomState(5)
    held = sum(stats.median_interval(random.standard_normal(15).tolist()).holds(0) for _ in range(300))
    assert 0.88 <= held / 300 <= 0.99


def test_bootstrap_interval_is_the_same_each_time_and_absent_for_one_repetition():
    values = [1.0, 1.2, 0.9, 1.1]
    assert stats.median_interval(values) == stats.median_interval(values)
    assert stats.median_interval([1.0]) is None


def test_ratio_of_medians_holds_a_planted_change():
    random = np.random.RandomState(8)
    old, new = random.normal(1, 0.02, 12), random.normal(0.9, 0.02, 12)
    ratio, interval = stats.ratio_of_medians(new.tolist(), old.tolist())
    assert interval.holds(0.9)
    assert ratio == pytest.approx(0.9, abs=0.02)


def test_ratio_to_nothing_is_not_a_number():
    assert math.isnan(stats.ratio_of_medians([1.0], [0.0])[0])
    assert math.isnan(stats.ratio_of_medians([], [1.0])[0])


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (5, 2.571), (30, 2.042), (40, 2.021), (120, 1.980)])
def test_students_t_equals_the_tables(freedom, quantile):
    assert stats.student_t(freedom) == pytest.approx(quantile, abs=6e-4)


def test_students_t_refuses_no_freedom():
    with pytest.raises(ValueError, match="degree of freedom"):
        stats.student_t(0)


def test_geometric_mean_of_a_ratio_and_its_inverse_is_one():
    assert stats.geometric_mean([4.0, 0.25]) == pytest.approx(1)


def test_an_interval_is_clipped_into_its_range():
    assert Interval(-0.2, 1.3).clipped(0, 1) == Interval(0, 1)
    assert Interval(1.1, 1.3).clipped(0, 1) == Interval(1, 1)
