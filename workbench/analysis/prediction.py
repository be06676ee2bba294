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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.analysis import signed_rank
from workbench.analysis.rates import rate_interval
from workbench.errors import InputError
from workbench.record import Record
from workbench.stats import SEED, Interval, hodges_lehmann, median, random_stream, robust_spread

INSTRUMENT, METRIC = "prediction", "whole"

LEVEL = 0.90
MODEL_SPREAD = 0.1  # standard deviation of (measured change / predicted change), as long as nothing is known
FEWEST_SCORED = 8  # predictions before their own spread is believed
_TO_SIGMA = 2 * 1.959964  # width of a normal 95 % interval
_DRAWS = 4000
_LEAST_CHANGE = 0.002  # a smaller one says nothing of the model: all of it is noise
_CLEAR = 3.0  # nor one of fewer standard errors of the measured ratio


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
    """A prediction and the ratio that was measured afterwards, with the standard error of its logarithm."""

    prediction: Prediction
    measured: float
    standard_error: float = 0.0

    @property
    def is_hit(self) -> bool:
        """Whether what was measured lies in the interval."""
        return self.prediction.hit(self.measured)

    def entry(self) -> dict[str, Any]:
        """For the history."""
        return asdict(self)

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Scored:
        """Out of the history. Raises KeyError, TypeError or ValueError for what is no such entry."""
        foretold = Prediction(**{name: float(value) for name, value in dict(entry["prediction"]).items()})
        return cls(foretold, float(entry["measured"]), float(entry["standard_error"]))


@dataclass(frozen=True)
class Kernel:
    """A kernel that was timed alone: its share of A's encode, and its pairs."""

    slot: str
    share: float
    log_ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Time in B over time in A."""
        return math.exp(hodges_lehmann(self.log_ratios))


@dataclass(frozen=True)
class Foreseen:
    """What was said of a whole encode before it was measured.

    prediction               None where nothing could be said: `why`
    kernels                  those that differ and were timed, the largest share first
    spread, measured_spread  as they went into `predict`
    """

    prediction: Prediction | None
    why: str = ""
    kernels: tuple[Kernel, ...] = ()
    spread: float = MODEL_SPREAD
    measured_spread: float = 0.0

    def record(self, subject: Mapping[str, Any]) -> Record:
        """As a line of the notebook: values are the low end, the estimate and the high end of the ratio."""
        told = self.prediction
        values = (told.low, told.ratio, told.high) if told else ()
        return Record(INSTRUMENT, METRIC, "ratio", subject, values, asdict(self))

    @classmethod
    def from_record(cls, record: Record) -> Foreseen:
        """Out of the notebook."""
        data = dict(record.data)
        told = data.pop("prediction")
        kernels = tuple(Kernel(each["slot"], each["share"], tuple(each["log_ratios"])) for each in data.pop("kernels"))
        return cls(Prediction(**told) if told else None, kernels=kernels, **data)


def scored(told: Prediction, log_ratios: Sequence[float]) -> Scored:
    """A prediction against the pairs of the whole encode. Raises InputError of too few of them for an interval."""
    error = standard_error(log_ratios)
    if math.isnan(error):
        raise InputError(f"{len(log_ratios)} pairs are too few to hold a prediction against; at least 6 are needed")
    return Scored(told, math.exp(hodges_lehmann(log_ratios)), error)


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
    """Standard deviation of measured over predicted change in the history, less what the noise of the measured figures has of
    it, at least a fifth of MODEL_SPREAD; MODEL_SPREAD where fewer than FEWEST_SCORED predictions of a change that stands out
    were scored."""
    telling = [(entry, entry.prediction.ratio - 1) for entry in history if _is_telling(entry)]
    if len(telling) < FEWEST_SCORED:
        return MODEL_SPREAD
    whole = robust_spread([(entry.measured - 1) / change for entry, change in telling])
    noise = median([entry.standard_error / abs(change) for entry, change in telling])
    return max(math.sqrt(max(whole**2 - noise**2, 0.0)), MODEL_SPREAD / 5)


def _is_telling(entry: Scored) -> bool:
    return abs(entry.prediction.ratio - 1) >= max(_LEAST_CHANGE, _CLEAR * entry.standard_error)


def hit_rate(history: Sequence[Scored]) -> tuple[int, int, Interval | None]:
    """(hits, predictions, exact 95 % interval of the chance of a hit); no interval of no predictions."""
    hits = sum(entry.is_hit for entry in history)
    return hits, len(history), rate_interval(hits, len(history)) if history else None
