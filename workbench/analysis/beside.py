"""What stands beside the time of an encode: what was predicted, what its stream is worth, what else it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from workbench.analysis import prediction
from workbench.analysis.prediction import Foreseen, Scored
from workbench.record import Record
from workbench.stats import median

INSTRUMENT = "beside"


@dataclass(frozen=True)
class Score:
    """What became of a prediction: whether the measured ratio was in the interval, and how many were so far, this one in it."""

    measured: float
    is_hit: bool
    hits: int
    predictions: int


@dataclass(frozen=True)
class Worth:
    """What A and B write.

    bytes, psnr_y  of each; PSNR of luma in dB, None where nothing is lost
    bd_rate        mean difference of bytes at equal PSNR, as a share: -0.05 says that B takes 5 % less; None: `why`
    """

    bytes: tuple[int, int]
    psnr_y: tuple[float | None, float | None]
    bd_rate: float | None
    why: str = ""

    @property
    def psnr_y_delta(self) -> float | None:
        """B's less A's, in dB."""
        base, candidate = self.psnr_y
        return None if base is None or candidate is None else candidate - base


@dataclass(frozen=True)
class Allocations:
    """Of compiled code in an encode of A and one of B."""

    counts: tuple[int, int]

    @property
    def ratio(self) -> float | None:
        """Of B over A; None where A makes none."""
        return self.counts[1] / self.counts[0] if self.counts[0] else None


@dataclass(frozen=True)
class Instructions:
    """Counts of A and B, one a run; source: "callgrind" or "hardware counters"."""

    base: tuple[float, ...]
    candidate: tuple[float, ...]
    source: str

    @property
    def ratio(self) -> float:
        """Of B over A."""
        return median(self.candidate) / median(self.base)


@dataclass(frozen=True)
class Beside:
    """Of one clip, as far as it was looked at."""

    prediction: Foreseen | None = None
    score: Score | None = None
    worth: Worth | None = None
    allocations: Allocations | None = None
    instructions: Instructions | None = None


_KINDS = {"score": Score, "worth": Worth, "allocations": Allocations, "instructions": Instructions}


def record_of(found: Score | Worth | Allocations | Instructions, subject: Mapping[str, Any]) -> Record:
    """A line of the notebook."""
    metric = next(name for name, kind in _KINDS.items() if isinstance(found, kind))
    return Record(INSTRUMENT, metric, "", subject, (), asdict(found))


def beside_of(records: Sequence[Record]) -> Beside:
    """What the records of one subject hold; of several of a kind, the last one."""
    found: dict[str, Any] = {}
    for record in records:
        if record.instrument == prediction.INSTRUMENT:
            found["prediction"] = Foreseen.from_record(record)
        elif record.instrument == INSTRUMENT and record.metric in _KINDS:
            found[record.metric] = _read(_KINDS[record.metric], record.data)
    return Beside(**found)


def _read(kind: Any, data: Mapping[str, Any]) -> Any:
    values = {field.name: data[field.name] for field in fields(kind)}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def score_of(entry: Scored, history: Sequence[Scored]) -> Score:
    """A prediction that was held against a measurement, among all of this machine's, itself in it."""
    hits, predictions, _ = prediction.hit_rate(history)
    return Score(entry.measured, entry.is_hit, hits, predictions)
