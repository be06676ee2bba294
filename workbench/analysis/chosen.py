"""Which clips were chosen to be measured, what each added, and what no clip reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.record import Run


@dataclass(frozen=True)
class Candidate:
    """A clip that could have been chosen: what it covers, what it added at its turn, what it costs."""

    clip: str
    covered: int
    new_items: int | None
    seconds: float | None
    chosen: bool
    order: int | None


@dataclass(frozen=True)
class Never:
    """Lines that no clip executes: file -> [first, last] ranges; and how many items there are and are covered."""

    files: Mapping[str, Sequence[tuple[int, int]]]
    total_items: int
    covered_items: int

    @property
    def share(self) -> float:
        """Share of the items that some clip covers."""
        return self.covered_items / self.total_items if self.total_items else 0.0

    def lines(self, file: str) -> int:
        """Lines of a file that no clip reaches."""
        return sum(last - first + 1 for first, last in self.files[file])


def candidates(run: Run) -> list[Candidate]:
    """The chosen clips in the order taken, then the others by name."""
    found = [
        Candidate(
            clip=str(record.subject.get("clip", "")),
            covered=int(record.values[0]) if record.values else 0,
            new_items=record.data.get("new_items"),
            seconds=record.data.get("seconds"),
            chosen=bool(record.data.get("chosen")),
            order=record.data.get("order"),
        )
        for record in run.select(metric="lines_and_branches")
    ]
    return sorted(found, key=lambda one: (not one.chosen, one.order if one.order is not None else len(found), one.clip))


def never_reached(run: Run) -> Never | None:
    """What no clip reaches; None when coverage was not taken."""
    record = next(iter(run.select(metric="never_reached")), None)
    if record is None:
        return None
    files = {
        str(file): [(int(first), int(last)) for first, last in ranges]
        for file, ranges in record.data.get("files", {}).items()
    }
    return Never(files, int(record.data.get("total_items", 0)), int(record.data.get("covered_items", 0)))
