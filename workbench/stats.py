"""Robust statistics of a few repetitions, each formula with its source.

Timings of a shared machine have a long right tail, so everything here rests on medians and ranks. Intervals are
percentile bootstrap intervals over repetitions with a fixed seed: the same samples give the same report. With few
repetitions such an interval is too narrow: of 3 or 5 it is their whole range, which holds the true median 75 % or 94
% of the time, not 95 %. So every report prints the number of repetitions beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MAD_TO_SIGMA = 1.4826  # 1 / the 0.75 quantile of the normal distribution: MAD * this estimates its standard deviation
OUTLIER_Z = 3.5  # Iglewicz & Hoaglin's recommended limit
LEVEL = 0.95
RESAMPLES = 2000
SEED = 20261121

# Two-sided 95 % quantiles of Student's t for 1, 2, 3 ... 30 degrees of freedom (Student 1908, as in any table).
# fmt: off
_STUDENT_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % interval, in the unit of the statistic."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside, ends included."""
        return self.low <= value <= self.high

    def clipped(self, low: float, high: float) -> Interval:
        """The part of the interval inside [low, high]."""
        return Interval(min(max(self.low, low), high), max(min(self.high, high), low))


def median(values: Sequence[float]) -> float:
    """The middle value; NaN of nothing."""
    return float(np.median(np.asarray(values, float))) if len(values) else math.nan


def robust_spread(values: Sequence[float]) -> float:
    """Standard deviation by the median absolute deviation (Hampel 1974): one wild value does not move it."""
    samples = np.asarray(values, float)
    return MAD_TO_SIGMA * float(np.median(np.abs(samples - np.median(samples)))) if len(samples) else math.nan


def hodges_lehmann(values: Sequence[float]) -> float:
    """Centre of symmetry: the median of all pairwise means, a value with itself included (Hodges & Lehmann 1963)."""
    samples = np.asarray(values, float)
    if not len(samples):
        return math.nan
    first, second = np.triu_indices(len(samples))
    return median(((samples[first] + samples[second]) / 2).tolist())


def modified_z_scores(values: Sequence[float]) -> list[float]:
    """0.6745 (x - median) / MAD of each value (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers").

    Where more than half of the values are equal the MAD is 0; the mean absolute deviation takes its place, as IBM
    SPSS does (divisor 1.2533). All values equal: all scores 0.
    """
    samples = np.asarray(values, float)
    if not len(samples):
        return []
    deviations = samples - np.median(samples)
    scale = MAD_TO_SIGMA * np.median(np.abs(deviations)) or 1.2533 * np.mean(np.abs(deviations))
    return [float(z) for z in deviations / scale] if scale else [0.0] * len(samples)


def outliers(values: Sequence[float], limit: float = OUTLIER_Z) -> list[int]:
    """Positions of values whose modified z-score is beyond `limit`; none are named among fewer than 4 values."""
    if len(values) < 4:
        return []
    return [at for at, z in enumerate(modified_z_scores(values)) if abs(z) > limit]


def resampled(values: Sequence[float], generator: np.random.RandomState, resamples: int = RESAMPLES) -> np.ndarray:
    """Draws with replacement, shape (resamples, len(values))."""
    samples = np.asarray(values, float)
    return samples[generator.randint(0, len(samples), (resamples, len(samples)))]


def random_stream(seed: int = SEED) -> np.random.RandomState:
    """A generator whose stream numpy promises never to change (NEP 19), so that a report can be remade."""
    return np.random.RandomState(seed)


def percentile_interval(statistics: np.ndarray) -> Interval:
    """The middle 95 % of bootstrapped statistics (Efron 1979; Efron & Tibshirani 1993, chapter 13)."""
    low, high = np.percentile(statistics, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(low), float(high))


def bootstrap_interval(
    statistic: Callable[..., np.ndarray], *samples: Sequence[float], resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """Percentile bootstrap interval of statistic(draws, ...): each group of repetitions is resampled on its own.

    statistic   takes one array of shape (resamples, n) per group and returns `resamples` values
    None when a group has fewer than two values: one repetition says nothing of its spread.
    """
    if any(len(values) < 2 for values in samples):
        return None
    generator = random_stream(seed)
    return percentile_interval(statistic(*(resampled(values, generator, resamples) for values in samples)))


def median_interval(values: Sequence[float]) -> Interval | None:
    """Bootstrap interval of the median; None of fewer than two values."""
    return bootstrap_interval(lambda draws: np.median(draws, axis=1), values)


def ratio_of_medians(new: Sequence[float], old: Sequence[float]) -> tuple[float, Interval | None]:
    """median(new) / median(old) and its bootstrap interval, each group resampled apart; NaN when old's median is 0."""
    if not len(new) or not len(old) or median(old) == 0:
        return math.nan, None
    interval = bootstrap_interval(lambda n, o: np.median(n, axis=1) / np.median(o, axis=1), new, old)
    return median(new) / median(old), interval


def student_t(degrees_of_freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t; above 30 degrees by expansion (Abramowitz & Stegun 26.7.5)."""
    if degrees_of_freedom < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    if degrees_of_freedom <= len(_STUDENT_T_95):
        return _STUDENT_T_95[degrees_of_freedom - 1]
    z = 1.959964
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + (z**3 + z) / (4 * degrees_of_freedom) + second / degrees_of_freedom**2


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean for ratios (Fleming & Wallace 1986); NaN of nothing."""
    return float(np.exp(np.mean(np.log(np.asarray(ratios, float))))) if len(ratios) else math.nan
