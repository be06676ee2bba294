"""A report as data: sections of blocks, which the Markdown and the HTML page both print.

Text may hold `code`, **bold** and [links](to a file beside the page); everything else is taken literally.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

REPORT_NAME = "report.html"
LISTED_SHARE = 0.002  # of all samples: a line that is shown for itself
LISTED_AROUND = 3  # lines before and after it

Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Note:
    """A remark that must not be overlooked; tone "warn", or "quiet" for how to read something."""

    text: str
    tone: Tone = "warn"


@dataclass(frozen=True)
class Bullets:
    """A list of short paragraphs."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A table cell; `share` (0 to 1) draws a bar behind the text."""

    text: str
    share: float | None = None
    tone: Tone = ""


Row = tuple[Cell | str, ...]  # a plain string is a cell without bar or tone


@dataclass(frozen=True)
class Column:
    """A table column; numbers are set to the right, in figures of equal width."""

    title: str
    number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows under titled columns."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """An SVG picture; `name` is its file beside the Markdown page, `link` the file that a click on it opens."""

    name: str
    svg: str
    alt: str
    caption: str = ""
    link: str = ""


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class ListingLine:
    """A line of source: its share of the samples in itself and with what it called (0 to 1), and what that was."""

    number: int
    text: str
    own: float
    total: float
    note: str = ""


@dataclass(frozen=True)
class Listing:
    """Source with samples beside each line; lines far from any that took time are left out."""

    title: str
    lines: tuple[ListingLine, ...]
    note: str = ""


@dataclass(frozen=True)
class KeyFigure:
    """One big number: what it is, the number, and the small print under it."""

    title: str
    value: str
    detail: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class KeyFigures:
    """A row of big numbers."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until asked for."""

    summary: str
    blocks: tuple[Block, ...]


Block = Text | Note | Bullets | Table | Picture | Code | Listing | KeyFigures | Details


@dataclass(frozen=True)
class Section:
    """A titled part of the page; `anchor` is its name in links."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole page."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    facts: tuple[str, ...] = field(default=())


def pictures_of(document: Document) -> list[Picture]:
    """All pictures of a document, folded ones included, in the order shown."""
    found: list[Picture] = []
    waiting: list[Block] = [block for section in document.sections for block in section.blocks]
    while waiting:
        block = waiting.pop(0)
        if isinstance(block, Picture):
            found.append(block)
        elif isinstance(block, Details):
            waiting[:0] = block.blocks
    return found


def shown_lines(listing: Listing) -> list[ListingLine | None]:
    """The lines that took LISTED_SHARE or more, those around them, and the first; None stands for two or more left out."""
    lines = listing.lines
    taken = [at for at, line in enumerate(lines) if max(line.own, line.total) >= LISTED_SHARE]
    near = {at + by for at in taken for by in range(-LISTED_AROUND, LISTED_AROUND + 1)} | {0}
    near |= {at for at in range(len(lines)) if {at - 1, at + 1} <= near}
    shown: list[ListingLine | None] = []
    for at, line in enumerate(lines):
        if at in near:
            shown.append(line)
        elif not shown or shown[-1] is not None:
            shown.append(None)
    return shown


def cell(value: Cell | str) -> Cell:
    """A cell of either form."""
    return value if isinstance(value, Cell) else Cell(value)
