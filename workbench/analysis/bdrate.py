"""BD-rate: how many more bytes B takes than A for the same quality, over the qualities that both reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_POINTS = 3


@dataclass(frozen=True)
class RatePoint:
    """One encode: its bytes (or bits, or a rate) and its quality in dB."""

    rate: float
    quality_db: float


def bd_rate(base: Sequence[RatePoint], candidate: Sequence[RatePoint]) -> float | None:
    """Mean difference of the rate at equal quality, as a share: -0.05 says that the candidate takes 5 % fewer bytes.

    Bjontegaard (VCEG-M33, 2001): the mean distance of the curves of log rate over quality; the curves are not his cubic but
    piecewise cubics that keep monotone (PCHIP; Fritsch & Butland 1984), as in the common test conditions of AV1 and VVC
    (Herglotz et al., "The Bjontegaard Bible", 2024, on why). None where there are fewer than LEAST_POINTS, qualities do not
    rise with the rate, or the sides have no quality in common.
    """
    curves = [_curve(points) for points in (base, candidate)]
    if curves[0] is None or curves[1] is None:
        return None
    low = max(curve.x[0] for curve in curves if curve)
    high = min(curve.x[-1] for curve in curves if curve)
    if not low < high:
        return None
    areas = [curve.integral(low, high) for curve in curves if curve]
    return math.expm1((areas[1] - areas[0]) / (high - low))


def _curve(points: Sequence[RatePoint]) -> Pchip | None:
    ordered = sorted(points, key=lambda point: point.quality_db)
    rises = all(a.quality_db < b.quality_db and a.rate < b.rate for a, b in pairwise(ordered))
    if len(ordered) < LEAST_POINTS or not rises:
        return None
    return Pchip([point.quality_db for point in ordered], [math.log(point.rate) for point in ordered])


class Pchip:
    """A curve through points, cubic between them, that rises and falls only where they do (Fritsch & Butland 1984; slopes at the
    ends by three points, Moler, Numerical Computing with MATLAB, 3.6)."""

    def __init__(self, x: Sequence[float], y: Sequence[float]) -> None:
        """At least three points, x rising."""
        self.x, self._y = list(x), list(y)
        self._h = [b - a for a, b in pairwise(self.x)]
        self._secants = [(b - a) / h for a, b, h in zip(self._y, self._y[1:], self._h, strict=False)]
        self._slopes = self._all_slopes()

    def _all_slopes(self) -> list[float]:
        h, d = self._h, self._secants
        inner = [_inner_slope(h[n], h[n + 1], d[n], d[n + 1]) for n in range(len(h) - 1)]
        return [_end_slope(h[0], h[1], d[0], d[1]), *inner, _end_slope(h[-1], h[-2], d[-1], d[-2])]

    def integral(self, low: float, high: float) -> float:
        """The area under the curve from low to high, both within the points."""
        total = 0.0
        for n, start in enumerate(self.x[:-1]):
            since, until = (min(max(at - start, 0.0), self._h[n]) for at in (low, high))
            total += self._primitive(n, until) - self._primitive(n, since)
        return total

    def _primitive(self, n: int, t: float) -> float:
        """The area from point n to t behind it."""
        h, secant, slope, next_slope = self._h[n], self._secants[n], self._slopes[n], self._slopes[n + 1]
        square = (3 * secant - 2 * slope - next_slope) / h
        cube = (slope - 2 * secant + next_slope) / (h * h)
        return t * (self._y[n] + t * (slope / 2 + t * (square / 3 + t * cube / 4)))


def _inner_slope(h0: float, h1: float, d0: float, d1: float) -> float:
    """At a point between two secants: their weighted harmonic mean, 0 at a turn."""
    if d0 * d1 <= 0:
        return 0.0
    w0, w1 = 2 * h1 + h0, h1 + 2 * h0
    return (w0 + w1) / (w0 / d0 + w1 / d1)


def _end_slope(h0: float, h1: float, d0: float, d1: float) -> float:
    slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
    if slope * d0 <= 0:
        return 0.0
    return 3 * d0 if d0 * d1 <= 0 and abs(slope) > 3 * abs(d0) else slope
