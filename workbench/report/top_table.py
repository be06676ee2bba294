"""The functions that take the time, for the terminal and for Markdown: self and total share, threads merged."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TextIO

from workbench.analysis.flame_diff import FlameDiff
from workbench.analysis.folded import function_times
from workbench.report.columns import percent_number
from workbench.report.document import Cell, Column, Row, Table, cell
from workbench.report.flame_diff import change_cells, change_columns, shown_changes

TOP = 15
_WIDTH = 120  # columns where the output is no terminal
_GAP = "  "
_LEAST = 12  # characters of words that a shortened column keeps


def top_table(folded: Mapping[str, float], count: int = TOP) -> Table:
    """The `count` functions with most self time; inlined copies count as the function, a stack once in each total."""
    samples = sum(folded.values())
    times = function_times(folded)[:count]
    largest = times[0].self_samples if times and times[0].self_samples else 1.0
    rows: tuple[Row, ...] = tuple(
        (
            Cell(percent_number(time.self_samples / samples), share=time.self_samples / largest),
            percent_number(time.total_samples / samples),
            f"`{time.label}`",
            time.path,
        )
        for time in times
    )
    columns = (Column("self, %"), Column("total, %"), Column("function", number=False), Column("file", number=False))
    return Table(columns, rows)


def changes_table(diff: FlameDiff, count: int = TOP) -> Table:
    """The functions that changed, and the largest differences within noise, up to `count` rows where no more changed."""
    rows = []
    for change in shown_changes(diff, count):
        *cells, name = change_cells(change, diff)
        rows.append((*cells, f"`{name}`"))
    return Table(tuple(change_columns(diff)), tuple(rows))


def print_table(table: Table, file: TextIO) -> None:
    """Write a table as text that reads the same in a log. Where a line is too long for the terminal its words are
    shortened, never its numbers."""
    rows = [[_plain(cell(value).text) for value in row] for row in table.rows]
    widths = [max(map(len, texts)) for texts in zip([column.title for column in table.columns], *rows, strict=True)]
    spare = _line_width(file) - sum(widths) - len(_GAP) * (len(widths) - 1)
    words = [at for at, column in enumerate(table.columns) if not column.number]
    while spare < 0 and max((widths[at] for at in words), default=0) > _LEAST:
        widest = max(words, key=lambda at: widths[at])
        widths[widest] -= 1
        spare += 1
    for texts in ([column.title for column in table.columns], *rows):
        entries = zip(texts, widths, table.columns, strict=True)
        file.write(_GAP.join(_entry(text, width, column.number) for text, width, column in entries).rstrip() + "\n")


def _line_width(file: TextIO) -> int:
    return shutil.get_terminal_size((_WIDTH, 1)).columns if file.isatty() else _WIDTH


def _entry(text: str, width: int, number: bool) -> str:
    fitting = text if len(text) <= width else f"{text[: width - 1]}…"
    return fitting.rjust(width) if number else fitting.ljust(width)


def _plain(text: str) -> str:
    return text.strip("`")
