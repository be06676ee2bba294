"""How often something happened, with an exact interval: false alarms of the controls, hits of predictions."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.stats import LEVEL, Interval


def rate_interval(hits: int, tries: int, level: float = LEVEL) -> Interval:
    """Of a chance, from `hits` in `tries`: exact, so covers with at least `level` (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _solve(lambda chance: 1 - _at_most(hits - 1, tries, chance) < tail)
    high = 1.0 if hits == tries else _solve(lambda chance: _at_most(hits, tries, chance) > tail)
    return Interval(low, high)


def _at_most(hits: int, tries: int, chance: float) -> float:
    """P(X <= hits) of a binomial X, 0 < chance < 1."""
    logs = (
        math.lgamma(tries + 1)
        - math.lgamma(k + 1)
        - math.lgamma(tries - k + 1)
        + k * math.log(chance)
        + (tries - k) * math.log1p(-chance)
        for k in range(hits + 1)
    )
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def _solve(is_low: Callable[[float], bool]) -> float:
    """Where a condition that holds below some chance ceases to."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_low(middle) else (low, middle)
    return (low + high) / 2
