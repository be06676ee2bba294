"""Amdahl's law against points that follow it, points that do not, and too few of them."""

import numpy as np
import pytest

from workbench.analysis.amdahl import Point, fit, predicted_speedup


def exact(workers: int, speedup: float, imbalance: float | None = None) -> Point:
    """A point whose speed-up is known without repetitions."""
    return Point(f"{workers} tiles", workers, (speedup,), (1.0,), imbalance)


def repeated(workers: int, p: float, seed: int, noise: float = 0.01, repetitions: int = 7) -> Point:
    """A point of noisy repetitions that follows the law."""
    random = np.random.RandomState(seed)
    base = 2.0 * (1 + noise * random.standard_normal(repetitions))
    faster = 2.0 / predicted_speedup(p, workers) * (1 + noise * random.standard_normal(repetitions))
    return Point(f"{workers} workers", workers, tuple(base), tuple(faster))


def test_figures_of_rav1es_tile_article():
    """2 and 4 tiles, 1.81x and 3.05x, give p = 0.895 and 0.896; 8 tiles on 4 cores, 3.59x, are off that law."""
    law = fit([exact(2, 1.81), exact(4, 3.05), exact(8, 3.59)], cores=4)
    assert law.p == pytest.approx(0.896, abs=1e-3)
    assert law.interval.holds(0.895)
    assert [one.point.workers for one in law.off_law] == [8]
    assert "8 workers share 4 cores" in law.off_law[0].why
    assert law.off_law[0].expected == pytest.approx(4.63, abs=0.01)


@pytest.mark.parametrize(("speedup", "workers", "p"), [(1.81, 2, 0.895), (3.05, 4, 0.896)])
def test_a_single_point_gives_p_but_no_interval(speedup, workers, p):
    law = fit([exact(workers, speedup)], cores=4)
    assert law.p == pytest.approx(p, abs=5e-4)
    assert law.interval is None
    assert all(prediction.interval is None for prediction in law.predictions)
    assert "no interval" in law.limitations[0]


@pytest.mark.parametrize("p", [0.0, 0.5, 0.9, 0.99])
def test_points_on_the_law_give_its_p(p):
    law = fit([exact(n, predicted_speedup(p, n)) for n in (2, 3, 4, 8)])
    assert law.p == pytest.approx(p, abs=1e-9)
    assert not law.off_law
    for prediction in law.predictions:
        assert prediction.speedup == pytest.approx(predicted_speedup(p, prediction.workers))


def test_the_interval_holds_the_planted_share_as_often_as_it_says():
    held = sum(fit([repeated(n, 0.9, 100 * n + seed) for n in (2, 3, 4)]).interval.holds(0.9) for seed in range(60))
    assert held >= 54


def test_the_interval_widens_when_points_are_few():
    points = [repeated(n, 0.9, seed, noise=0.02) for seed, n in enumerate((2, 4, 2, 4, 2, 4, 2, 4))]
    widths = [law.interval.high - law.interval.low for law in (fit(points[:2]), fit(points[:4]), fit(points))]
    assert widths[0] > 2 * widths[2]
    assert widths[1] > widths[2]


def test_two_cores_say_that_the_rest_is_extrapolated():
    law = fit([repeated(2, 0.9, seed) for seed in range(3)], cores=2)
    assert [prediction.measured for prediction in law.predictions] == [True, False, False, False]
    assert any("only 2 workers" in said for said in law.limitations)
    assert any("4, 8 and 16 workers are extrapolated" in said for said in law.limitations)


def test_the_interval_of_a_prediction_widens_with_the_workers():
    law = fit([repeated(2, 0.9, seed) for seed in range(4)], cores=2)
    widths = [prediction.interval.high - prediction.interval.low for prediction in law.predictions]
    assert widths == sorted(widths)
    assert all(prediction.interval.holds(prediction.speedup) for prediction in law.predictions)


def test_a_point_off_the_law_is_flagged_and_does_not_hide_itself():
    points = [repeated(n, 0.9, n) for n in (2, 3, 4, 5)] + [exact(4, 1.5)]
    law = fit(points)
    assert [one.point for one in law.off_law] == [points[-1]]
    assert "slower than the law" in law.off_law[0].why


def test_an_uneven_tile_is_named_when_it_explains_the_point():
    slow = predicted_speedup(0.9, 4, imbalance=2.0)
    law = fit([*(repeated(n, 0.9, n) for n in (2, 3, 4, 5)), exact(4, slow, imbalance=2.0)])
    assert "slowest tile takes 2.00 times the mean tile" in law.off_law[0].why


def test_a_point_faster_than_its_workers_is_flagged_and_p_stays_a_share():
    law = fit([exact(2, 2.4), exact(2, 2.4)])
    assert law.p == 1
    assert any("outside 0 to 1" in said for said in law.limitations)
    assert law.ceiling == float("inf")


def test_without_two_workers_there_is_no_law():
    assert fit([]) is None
    assert fit([exact(1, 1.0)]) is None
    assert fit([exact(4, 2.0)], cores=1) is None
