"""Two stored runs held against each other: weaker evidence than pairs, because the machine had time to change in between.

An interval over repetitions knows nothing of what changed from one day to the next, so the whole interval has to lie beyond the
margin before a word is said, and even that may be the machine's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.analysis.compared import parts_of
from workbench.analysis.verdict import Word
from workbench.errors import InputError
from workbench.pairs import CANDIDATE
from workbench.record import Run
from workbench.stats import Interval, geometric_mean, ratio_of_medians

LABEL = "stored runs, measured at different times: weaker evidence than pairs"


@dataclass(frozen=True)
class Change:
    """One thing that both runs measured. `interval`: 95 %, bootstrap over repetitions; None of fewer than two."""

    name: str
    ratio: float
    interval: Interval | None
    word: Word
    repetitions: tuple[int, int]


@dataclass(frozen=True)
class StoredComparison:
    """All of them, and the geometric mean of their ratios."""

    changes: tuple[Change, ...]
    ratio: float

    @property
    def word(self) -> Word:
        """The word that all changes have in common."""
        words = {change.word for change in self.changes}
        return words.pop() if len(words) == 1 else Word.UNDECIDED


def compare_stored(old: Run, new: Run, margin: float) -> StoredComparison:
    """Compare two runs of `workbench profile`, or B of two runs of `workbench compare`.

    Raises InputError where they are of two machines, or have nothing in common.
    """
    machines = [run.header.get("machine", {}).get("hash") for run in (old, new)]
    if machines[0] != machines[1]:
        raise InputError(f"{old.folder} and {new.folder} are of different machines, or of different packages on one")
    before, after = _times(old), _times(new)
    names = [name for name in before if name in after]
    if not names:
        raise InputError(f"{old.folder} and {new.folder} have measured nothing in common")
    changes = tuple(_change(name, before[name], after[name], margin) for name in names)
    return StoredComparison(changes, geometric_mean([change.ratio for change in changes]))


def _times(run: Run) -> dict[str, Sequence[float]]:
    """Seconds by what was measured."""
    if run.header.get("verb") == "compare":
        return {
            f"{part.kind} {part.name}, {part.metric} time": [sample.time_s(part.metric) for sample in samples]
            for part in parts_of(run.records)
            if (samples := part.samples(CANDIDATE))
        }
    if run.header.get("verb") != "profile":
        raise InputError(f"{run.folder}: is no run of `workbench profile` or `workbench compare`")
    return {
        f"encode {record.subject.get('clip')} by {record.subject.get('kernels')}, wall time a frame": record.values
        for record in run.select("wall", "time_per_frame")
    }


def _change(name: str, before: Sequence[float], after: Sequence[float], margin: float) -> Change:
    ratio, interval = ratio_of_medians(after, before)
    return Change(name, ratio, interval, _word(interval, margin), (len(before), len(after)))


def _word(interval: Interval | None, margin: float) -> Word:
    if interval is None:
        return Word.UNDECIDED
    if interval.high < 1 / (1 + margin):
        return Word.FASTER
    if interval.low > 1 + margin:
        return Word.SLOWER
    inside = interval.low > 1 / (1 + margin) and interval.high < 1 + margin
    return Word.SAME if inside else Word.UNDECIDED
