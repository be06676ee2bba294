"""One clip of a comparison from its prediction to its costs, every step written to the notebook as it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from workbench.analysis.beside import Allocations, Instructions, Score, Worth, record_of, score_of
from workbench.analysis.compared import ENCODE, Part
from workbench.analysis.prediction import Foreseen
from workbench.comparing import costs, predicting
from workbench.comparing.costs import Sides
from workbench.comparing.measure import Settings, Tell, measure_encode
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.record import RunWriter


class Step(Protocol):
    """Is told what is done next, and how many ticks it has at most."""

    def __call__(self, title: str, total: int | None = None, /) -> None:
        """A step begins."""


@dataclass(frozen=True)
class Looks:
    """What is looked at beside the time: whether the whole is predicted from its kernels, streams may differ (then what they are
    worth is measured), allocations are counted, and instructions."""

    predicted: bool = True
    may_differ: bool = False
    allocations: bool = True
    instructions: bool = False


def measure_clip(
    sides: Sides, looks: Looks, settings: Settings, writer: RunWriter, step: Step, tell: Tell, warnings: list[str]
) -> None:
    """Predict, measure, score, look at the costs. Raises as `measure_encode`; what cannot be known of the costs is a warning."""
    subject = sides.subjects[0]
    about = {"part": ENCODE, "name": subject.clip}
    foreseen = None
    if looks.predicted:
        record = predicting.foresee(subject, *sides.encodes, settings, step)
        writer.write(record)
        foreseen = Foreseen.from_record(record)
    step(f"encode {subject.clip}", settings.limits.pairs)
    with TemporaryDirectory(prefix="workbench-") as scratch:
        part = measure_encode(
            subject.clip, *sides.encodes, Path(scratch), settings, writer, tell, looks.may_differ, subject.threads
        )
    _write(writer, about, _scored(foreseen, part) if foreseen else None)
    wanted = {
        "bytes and quality": costs.worth if looks.may_differ else None,
        "allocations": costs.count_allocations if looks.allocations else None,
        "instructions": costs.count_instructions if looks.instructions else None,
    }
    for what, look in wanted.items():
        if look is None:
            continue
        try:
            _write(writer, about, look(sides, settings.timeout_s, step))
        except (SubjectError, EnvironmentFault, InputError) as error:
            warnings.append(f"{what} of {subject.clip} are not known: {error}")


def _write(
    writer: RunWriter, about: Mapping[str, str], found: Score | Worth | Allocations | Instructions | None
) -> None:
    if found is not None:
        writer.write(record_of(found, about))


def _scored(foreseen: Foreseen, part: Part) -> Score | None:
    """What became of the prediction, which goes into the history; None where there is none, or the pairs are too few."""
    entry = predicting.score(foreseen, part.name, part.log_ratios())
    return None if entry is None else score_of(entry, predicting.scored())
