"""From a kernel's ratio to the whole encode, before the whole is measured; and how often that came true.

A kernel that takes the share s of A's time, and r times as long in B, makes the whole 1 + s (r - 1) times as long
(Amdahl 1967, for a part that changes); several kernels add up. The interval covers, by drawing each anew:

- r: a normal on the log scale, as wide as the exact interval of its pairs;
- s: the frames or blocks of the trace, resampled (Efron 1979), all kernels on the same draw;
- the step from bench to encode: other sizes, other neighbours in the cache. Nothing measured here says how much that
  is, so it is a part of the predicted change, MODEL_SPREAD until the history of scored predictions tells (`model_spread`);
- the noise of the measured whole, where it is known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis import signed_rank
from workbench.analysis.rates import rate_interval
from workbench.errors import InputError
from workbench.stats import SEED, Interval, hodges_lehmann, random_stream, robust_spread

LEVEL = 0.90
MODEL_SPREAD = 0.1  # standard deviation of (measured change / predicted change), as long as nothing is known
FEWEST_SCORED = 8  # predictions before their own spread is believed
_TO_SIGMA = 2 * 1.959964  # width of a normal 95 % interval
_DRAWS = 4000
_LEAST_CHANGE = 0.002  # a smaller one says nothing of the model: all of it is noise


@dataclass(frozen=True)
class Part:
    """A kernel that differs.

    log_ratios  of its pairs, log(time of B / time of A)
    exclusive_s its own seconds in each frame (or block) of a trace of A
    """

    name: str
    log_ratios: Sequence[float]
    exclusive_s: Sequence[float]


@dataclass(frozen=True)
class Prediction:
    """Time of B over time of A for the whole encode: estimate and LEVEL interval. `share`: of all parts in A's time."""

    ratio: float
    low: float
    high: float
    share: float

    @property
    def gain(self) -> tuple[float, float]:
        """The interval as gain in speed, smallest first: 0.02 is 2 % more frames a second."""
        return 1 / self.high - 1, 1 / self.low - 1

    def hit(self, measured: float) -> bool:
        """Whether the measured ratio lies in the interval."""
        return self.low <= measured <= self.high


@dataclass(frozen=True)
class Scored:
    """A prediction and the ratio that was measured afterwards."""

    prediction: Prediction
    measured: float


def predict(
    parts: Sequence[Part],
    whole_s: Sequence[float],
    measured_spread: float = 0.0,
    spread: float = MODEL_SPREAD,
    seed: int = SEED,
) -> Prediction:
    """The whole's ratio, from the parts that differ. The same input gives the same interval.

    whole_s          seconds of each frame (or block) of the trace, in the order of the parts' exclusive_s
    measured_spread  standard error that log(measured ratio) will have: with it the interval is one for the measured
                     figure, without it for the true one
    spread           of measured over predicted change (`model_spread`)

    Raises InputError where a part has too few pairs for an interval, or the trace no time.
    """
    frames = np.asarray(whole_s, float)
    own = np.array([part.exclusive_s for part in parts], float).reshape(len(parts), len(frames))
    if not len(parts) or frames.sum() <= 0:
        raise InputError("nothing to predict from: no kernel differs, or the trace of the encode is empty")
    stream = random_stream(seed)
    shares = own.sum(1) / frames.sum()
    change = float(shares @ [math.expm1(hodges_lehmann(part.log_ratios)) for part in parts])
    drawn = stream.randint(0, len(frames), (_DRAWS, len(frames)))
    ratios = np.array([_drawn_ratios(part, stream) for part in parts])
    changes = np.sum(own[:, drawn].sum(2) / frames[drawn].sum(1) * (ratios - 1), axis=0)
    changes = changes * (1 + spread * stream.standard_normal(_DRAWS))
    wholes = (1 + changes) * np.exp(measured_spread * stream.standard_normal(_DRAWS))
    low, high = np.percentile(wholes, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Prediction(1 + change, float(low), float(high), float(shares.sum()))


def _drawn_ratios(part: Part, stream: np.random.RandomState) -> np.ndarray:
    interval = signed_rank.interval(part.log_ratios)
    if interval is None:
        raise InputError(
            f"{part.name}: {len(part.log_ratios)} pairs are too few for an interval; at least 6 are needed"
        )
    return np.exp(hodges_lehmann(part.log_ratios) + _sigma(interval) * stream.standard_normal(_DRAWS))


def _sigma(interval: Interval) -> float:
    return (interval.high - interval.low) / _TO_SIGMA


def standard_error(log_ratios: Sequence[float]) -> float:
    """Of the Hodges-Lehmann estimate, from its exact 95 % interval; NaN of fewer than 6 pairs."""
    interval = signed_rank.interval(log_ratios)
    return _sigma(interval) if interval else math.nan


def model_spread(history: Sequence[Scored]) -> float:
    """Standard deviation of measured over predicted change in the history, at least a fifth of MODEL_SPREAD;
    MODEL_SPREAD where fewer than FEWEST_SCORED predictions of a change worth the name were scored."""
    parts = [
        (entry.measured - 1) / (entry.prediction.ratio - 1)
        for entry in history
        if abs(entry.prediction.ratio - 1) >= _LEAST_CHANGE
    ]
    return max(robust_spread(parts), MODEL_SPREAD / 5) if len(parts) >= FEWEST_SCORED else MODEL_SPREAD


def hit_rate(history: Sequence[Scored]) -> tuple[int, int, Interval | None]:
    """(hits, predictions, exact 95 % interval of the chance of a hit); no interval of no predictions."""
    hits = sum(entry.prediction.hit(entry.measured) for entry in history)
    return hits, len(history), rate_interval(hits, len(history)) if history else None
