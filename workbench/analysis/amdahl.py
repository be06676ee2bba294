"""Amdahl's law fitted to measured speed-ups (Amdahl 1967): 1 / S = (1 - p) + p / n, n workers, parallel share p.

With x = 1 - 1/n and y = 1 - 1/S the law is y = p x, a line through the origin, so least squares on 1/S has the closed
form p = sum(x y) / sum(x x). The interval is the wider, at each end, of two honest ones: the bootstrap over
repetitions (noise of the clock) and Student's t on the scatter of the points about the law (how well the law fits).
The second is what widens when points are few. A single point determines p by arithmetic and leaves nothing to judge
it by: no interval is given, and the fit says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.stats import Interval, median, percentile_interval, random_stream, resampled, student_t

PREDICTED_WORKERS = (2, 4, 8, 16)
OFF_LAW_MARGIN = 0.05  # a point is off the law when it lies outside the prediction's interval by this share of it


@dataclass(frozen=True)
class Point:
    """One measured configuration against the same work by one worker.

    workers    threads that had work at the same time
    base_s     seconds of each repetition with one worker
    with_s     seconds of each repetition with `workers`
    imbalance  time of the slowest tile over the mean tile, where it was measured
    """

    label: str
    workers: int
    base_s: tuple[float, ...]
    with_s: tuple[float, ...]
    imbalance: float | None = None

    @property
    def speedup(self) -> float:
        """How many times faster, by medians."""
        return median(self.base_s) / median(self.with_s)


@dataclass(frozen=True)
class Prediction:
    """The law's speed-up for a number of workers; `measured` where a point with that many supports it."""

    workers: int
    speedup: float
    interval: Interval | None
    measured: bool


@dataclass(frozen=True)
class OffLaw:
    """A point that the law of the other points does not explain."""

    point: Point
    expected: float
    interval: Interval | None
    why: str


@dataclass(frozen=True)
class Fit:
    """The parallel share with everything one should know before believing it."""

    p: float
    interval: Interval | None
    predictions: tuple[Prediction, ...]
    off_law: tuple[OffLaw, ...]
    limitations: tuple[str, ...]
    points: tuple[Point, ...]

    @property
    def ceiling(self) -> float:
        """Speed-up with endless workers, 1 / (1 - p)."""
        return 1 / (1 - self.p) if self.p < 1 else math.inf


def predicted_speedup(p: float, workers: float, imbalance: float = 1.0) -> float:
    """Speed-up of the law; the parallel part lasts `imbalance` times longer when the slowest tile holds it up."""
    return 1 / ((1 - p) + p * imbalance / workers)


def fit(points: Sequence[Point], cores: int | None = None, predict: Sequence[int] = PREDICTED_WORKERS) -> Fit | None:
    """Fit p to `points`; None when no point has two or more workers that each had a core.

    Points with more workers than `cores` cannot follow the law and are not fitted, but they are held against it.
    """
    parallel = _on_line([point for point in points if point.workers > 1])
    fitted = [place for place in parallel if cores is None or place.point.workers <= cores]
    if not fitted:
        return None
    raw, interval = _share(fitted), _interval(fitted)
    p = min(max(raw, 0.0), 1.0)
    measured = {place.point.workers for place in fitted}
    return Fit(
        p=p,
        interval=interval,
        predictions=tuple(_predict(p, interval, workers, workers in measured) for workers in predict),
        off_law=tuple(found for place in parallel if (found := _off_law(place, fitted, cores)) is not None),
        limitations=tuple(_limitations([place.point for place in fitted], raw, cores, predict)),
        points=tuple(place.point for place in parallel),
    )


class _Place(NamedTuple):
    """Where a point lies on the line y = p x, and where resampled repetitions put it (None of single repetitions)."""

    point: Point
    x: float
    y: float
    resampled_y: np.ndarray | None


def _on_line(points: Sequence[Point]) -> list[_Place]:
    """Points measured against the same base share its resampled repetitions, as they share its noise."""
    generator = random_stream()
    bases = {base: np.median(resampled(base, generator), axis=1) for base in dict.fromkeys(p.base_s for p in points)}
    places = []
    for point in points:
        draws = None
        if min(len(point.base_s), len(point.with_s)) > 1:
            draws = 1 - np.median(resampled(point.with_s, generator), axis=1) / bases[point.base_s]
        places.append(_Place(point, 1 - 1 / point.workers, 1 - 1 / point.speedup, draws))
    return places


def _share(places: Sequence[_Place]) -> float:
    """Least squares through the origin."""
    return sum(place.x * place.y for place in places) / sum(place.x**2 for place in places)


def _interval(places: Sequence[_Place]) -> Interval | None:
    if len(places) < 2:
        return None
    low, high = _scatter_interval(places)
    if (noise := _noise_interval(places)) is not None:
        low, high = min(low, noise.low), max(high, noise.high)
    return Interval(low, high).clipped(0.0, 1.0)


def _scatter_interval(places: Sequence[_Place]) -> tuple[float, float]:
    """Student's t interval of a slope through the origin, len(places) - 1 degrees of freedom."""
    p, freedom = _share(places), len(places) - 1
    residual = sum((place.y - p * place.x) ** 2 for place in places)
    half = student_t(freedom) * math.sqrt(residual / freedom / sum(place.x**2 for place in places))
    return p - half, p + half


def _noise_interval(places: Sequence[_Place]) -> Interval | None:
    """Bootstrap over repetitions."""
    draws = [place.x * place.resampled_y for place in places if place.resampled_y is not None]
    if len(draws) < len(places):
        return None
    return percentile_interval(np.sum(draws, axis=0) / sum(place.x**2 for place in places))


def _predict(p: float, interval: Interval | None, workers: int, measured: bool) -> Prediction:
    ends = None
    if interval is not None:
        ends = Interval(predicted_speedup(interval.low, workers), predicted_speedup(interval.high, workers))
    return Prediction(workers, predicted_speedup(p, workers), ends, measured)


def _off_law(place: _Place, fitted: Sequence[_Place], cores: int | None) -> OffLaw | None:
    """Hold a point against the law of the others, so that a bad point cannot bend the law towards itself."""
    point, others = place.point, [other for other in fitted if other is not place]
    if not others:
        return None
    p = min(max(_share(others), 0.0), 1.0)
    expected = _predict(p, _interval(others), point.workers, measured=False)
    ends = expected.interval or Interval(expected.speedup, expected.speedup)
    if ends.low * (1 - OFF_LAW_MARGIN) <= point.speedup <= ends.high * (1 + OFF_LAW_MARGIN):
        return None
    return OffLaw(point, expected.speedup, expected.interval, _why_off(point, p, expected.speedup, cores))


def _why_off(point: Point, p: float, expected: float, cores: int | None) -> str:
    if cores is not None and point.workers > cores:
        return f"{point.workers} workers share {cores} cores, the law gives each a core of its own"
    if point.speedup > expected:
        return "faster than the law: its base may have been disturbed, or smaller tiles fit the caches better"
    if point.imbalance is not None:
        with_imbalance = predicted_speedup(p, point.workers, point.imbalance)
        if with_imbalance <= point.speedup * (1 + OFF_LAW_MARGIN):
            return (
                f"the slowest tile takes {point.imbalance:.2f} times the mean tile; that allows {with_imbalance:.2f}x"
            )
    return "slower than the law: unequal tiles, memory bandwidth, or other work on the machine"


def _limitations(fitted: Sequence[Point], raw: float, cores: int | None, predict: Sequence[int]) -> list[str]:
    said = []
    counts = sorted({point.workers for point in fitted})
    if len(fitted) == 1:
        said.append(
            "one point: p follows from it by arithmetic and nothing is left to judge it by, so there is no interval"
        )
    elif any(len(samples) < 2 for point in fitted for samples in (point.base_s, point.with_s)):
        said.append("some points have a single repetition: the interval holds the scatter of the points only")
    if len(counts) == 1:
        said.append(f"only {counts[0]} workers were measured: that the law holds for more is assumed, not seen")
    beyond = [workers for workers in predict if workers > counts[-1]]
    if beyond:
        machine = f", this machine has {cores} cores" if cores is not None else ""
        said.append(f"{_listed(beyond)} workers are extrapolated: at most {counts[-1]} were measured{machine}")
    if not 0 <= raw <= 1:
        said.append(f"least squares gives p = {raw:.3f}, outside 0 to 1: {min(max(raw, 0), 1):.0f} is used")
    return said


def _listed(numbers: Sequence[int]) -> str:
    words = [str(number) for number in numbers]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
