"""Wilcoxon's signed-rank statistic: its exact null distribution, a test, and the interval that it gives.

The null: values are symmetric about a centre. For log ratios of runs in coin-flip order that holds at centre 0 by the
coin alone: without an effect, exchanging the labels turns d into -d. About another centre it needs that B's time is
A's times one factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from workbench.stats import Interval

EXACT_UP_TO = 200  # values; beyond, the normal approximation is right to 4 digits at the levels used here


@lru_cache(maxsize=256)
def null_distribution(count: int) -> np.ndarray:
    """P(T = 0), P(T = 1) ... P(T = n(n+1)/2) of the sum T of the ranks of positive values, no ties (Wilcoxon 1945)."""
    return _sum_distribution(range(1, count + 1))


def _sum_distribution(ranks: Sequence[int]) -> np.ndarray:
    """Distribution of the sum of those ranks whose fair coin shows heads, by adding one rank after the other."""
    chances = np.zeros(sum(ranks) + 1)
    chances[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: len(chances) - rank]
        chances = (chances + shifted) / 2
    return chances


def p_value(values: Sequence[float]) -> float:
    """Two-sided p of symmetry about 0; exact, ties included, for up to EXACT_UP_TO values; zeros are dropped.

    Ties share their mean rank, and the distribution is that of these very ranks under fair signs, so it stays exact
    given the magnitudes (Hollander, Wolfe & Chicken 2014, section 3.1, comment 11).
    """
    samples = np.asarray(values, float)
    samples = samples[samples != 0]
    if not len(samples):
        return 1.0
    doubled = _doubled_ranks(np.abs(samples))
    positive = int(doubled[samples > 0].sum())
    lesser = min(positive, int(doubled.sum()) - positive)
    if len(samples) > EXACT_UP_TO:
        return _normal_p_value(lesser / 2, doubled / 2)
    return min(1.0, 2 * float(_sum_distribution([int(rank) for rank in doubled])[: lesser + 1].sum()))


def _doubled_ranks(magnitudes: np.ndarray) -> np.ndarray:
    """Twice the mean rank of each magnitude: a whole number with ties too."""
    ordered = np.sort(magnitudes)
    return np.searchsorted(ordered, magnitudes, "left") + np.searchsorted(ordered, magnitudes, "right") + 1


def _normal_p_value(lesser: float, ranks: np.ndarray) -> float:
    """Normal approximation with continuity correction; the variance from the ranks themselves, so ties are in it."""
    z = (abs(lesser - ranks.sum() / 2) - 0.5) / math.sqrt((ranks**2).sum() / 4)
    return min(1.0, math.erfc(z / math.sqrt(2)))


def walsh_averages(values: Sequence[float]) -> np.ndarray:
    """The means of all pairs of values, a value with itself included, in rising order (Walsh 1949)."""
    samples = np.asarray(values, float)
    first, second = np.triu_indices(len(samples))
    return np.sort((samples[first] + samples[second]) / 2)


def interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """The centres that the signed-rank test does not refuse: covers with at least `level`, ends by Walsh averages.

    Hollander, Wolfe & Chicken 2014, section 3.3. None where even all values together do not reach the level: fewer
    than 6 at 95 %, fewer than 8 at 99 %.
    """
    cut = _cut(len(values), (1 - level) / 2)
    if cut < 0:
        return None
    averages = walsh_averages(values)
    return Interval(float(averages[cut]), float(averages[-1 - cut]))


def _cut(count: int, tail: float) -> int:
    """The largest t with P(T <= t) <= tail, so many Walsh averages are cut off at either end; -1 where none is."""
    if count > EXACT_UP_TO:
        return int(
            count * (count + 1) / 4 + _normal_quantile(tail) * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        )
    # A rounding of the sum must not let in a t whose chance is the tail exactly, nor keep it out.
    return int(np.searchsorted(np.cumsum(null_distribution(count)), tail * (1 + 1e-9), "right")) - 1


def _normal_quantile(chance: float) -> float:
    """Quantile of the normal distribution by bisection of its distribution function."""
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(-middle / math.sqrt(2)) / 2 < chance else (low, middle)
    return low
