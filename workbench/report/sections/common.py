"""What the sections share: how a run ended, counted nouns, names as code, the note in place of what is missing."""

from __future__ import annotations

from workbench.analysis.findings import Findings
from workbench.analysis.subjects import subject_of
from workbench.report.document import Block, Column, Details, Note

ENDS = {
    "complete": "is complete",
    "budget": "was ended by its time budget",
    "interrupted": "was interrupted",
    "failed": "was ended by an error",
    "killed": "was killed before it could finish",
}
_SHOWN_WARNINGS = 4


def status_of(found: Findings) -> str:
    """How the run ended; a run without a last line was killed."""
    return str((found.run.end or {}).get("status", "killed"))


def end_of(found: Findings) -> str:
    """What became of the run: "is complete", "was interrupted" ..."""
    return ENDS.get(status_of(found), f"has ended as {status_of(found)!r}")


def not_measured(found: Findings, what: str) -> list[Block]:
    """The note of a section without records."""
    return [Note(f"{what}: not measured. The run {end_of(found)}.", "quiet")]


def warnings_of(found: Findings, *metrics: str) -> list[Block]:
    """What the instruments warned of when they took these metrics; many warnings are folded away."""
    records = [record for record in found.run.records if record.metric in metrics]
    said = {f"**{found.label(subject_of(record))}**: {text}": None for record in records for text in record.warnings}
    notes = tuple(Note(text) for text in said)
    return list(notes) if len(notes) <= _SHOWN_WARNINGS else [Details(f"{len(notes)} warnings", notes)]


def counted(count: int, what: str) -> str:
    """`1 clip`, `6 clips`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def code(text: str) -> str:
    """A name from the program, set as code."""
    return f"`{text.replace('`', chr(39))}`"


def words(title: str) -> Column:
    """A column of words."""
    return Column(title, number=False)
