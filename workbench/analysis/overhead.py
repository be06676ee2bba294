"""What recording costs, from pairs of the same packet encoded with and without it, in turns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.stats import Interval, student_t

LIMITS = {"tile": 0.01, "row": 0.03, "block": 0.03, "profile": 0.05}
"""By detail of the timeline, and for the profile build with its sampler: what it may cost, of processor time."""


@dataclass(frozen=True)
class Overhead:
    """Processor time that recording adds, as a share of that without: the mean over rounds, and its interval; None of one round.

    rounds  pairs of processes; pairs of packets; cpu_s: of the plain encodes
    """

    detail: str
    share: float
    interval: Interval | None
    rounds: int
    pairs: int
    cpu_s: float

    @property
    def limit(self) -> float:
        """What it may cost."""
        return LIMITS[self.detail]

    @property
    def is_beyond_limit(self) -> bool:
        """Whether it certainly costs more than it may."""
        return self.interval is not None and self.interval.low > self.limit


def overhead(data: Mapping[str, Any]) -> Overhead:
    """From a record of the metric `overhead` of the instruments `trace` and `stacks`.

    A round's figure is the median of its pairs' ratios, each weighted by its time without recording, so that a packet counts as
    it takes part in the encode, and one that was disturbed moves nothing. Where its two processes lie in memory makes one of
    them a per cent faster, in all pairs alike, so that the interval is Student's over rounds.
    """
    rounds = [np.array(pairs, float).reshape(-1, 2) for pairs in data["rounds"]]
    rounds = [pairs[pairs[:, 0] > 0] for pairs in rounds]
    rounds = [pairs for pairs in rounds if len(pairs)]
    if not rounds:
        raise ValueError("no packet took processor time")
    shares = np.array([_weighted_median(pairs) - 1 for pairs in rounds])
    return Overhead(
        detail=data["detail"],
        share=float(shares.mean()),
        interval=_interval(shares),
        rounds=len(rounds),
        pairs=sum(map(len, rounds)),
        cpu_s=float(sum(pairs[:, 0].sum() for pairs in rounds)),
    )


def _interval(shares: np.ndarray) -> Interval | None:
    if len(shares) < 2:
        return None
    half = student_t(len(shares) - 1) * float(shares.std(ddof=1)) / math.sqrt(len(shares))
    return Interval(float(shares.mean()) - half, float(shares.mean()) + half)


def _weighted_median(pairs: np.ndarray) -> float:
    """Of the ratios second / first, weighted by the first."""
    ratios = pairs[:, 1] / pairs[:, 0]
    order = np.argsort(ratios)
    weights = np.cumsum(pairs[order, 0])
    return float(ratios[order][np.searchsorted(weights, weights[-1] / 2)])
