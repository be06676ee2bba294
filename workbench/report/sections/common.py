"""What the sections share: how a run ended, counted nouns, names as code, the note in place of what is missing."""

from __future__ import annotations

from workbench.analysis.findings import Findings
from workbench.report.document import Block, Column, Note

ENDS = {
    "complete": "complete",
    "budget": "ended by its time budget",
    "interrupted": "interrupted",
    "failed": "ended by an error",
    "killed": "killed before it could finish",
}


def status_of(found: Findings) -> str:
    """How the run ended; a run without a last line was killed."""
    return str((found.run.end or {}).get("status", "killed"))


def end_of(found: Findings) -> str:
    """The same in words."""
    return ENDS.get(status_of(found), status_of(found))


def not_measured(found: Findings, what: str) -> list[Block]:
    """The note of a section without records."""
    return [Note(f"{what}: not measured. The run is {end_of(found)}.", "quiet")]


def counted(count: int, what: str) -> str:
    """`1 clip`, `6 clips`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def code(text: str) -> str:
    """A name from the program, set as code."""
    return f"`{text.replace('`', chr(39))}`"


def words(title: str) -> Column:
    """A column of words."""
    return Column(title, number=False)
