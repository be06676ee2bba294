"""A run's summary on one screen of a terminal."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import TextIO

from workbench.analysis.compare_runs import Comparison
from workbench.analysis.findings import Findings, findings
from workbench.record import Run
from workbench.report import wording
from workbench.report.columns import MISSING
from workbench.report.comparison_page import comparison_sentences
from workbench.report.document import REPORT_NAME
from workbench.report.sections.common import end_of, status_of

_WIDTH = 100
_SHOWN_CLIPS = 8
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def print_summary(run: Run, file: TextIO) -> None:
    """Write a run's summary on one screen, last its command and its report's path; bold on a terminal without NO_COLOR."""
    found = findings(run)
    bold = file.isatty() and not os.environ.get("NO_COLOR")
    file.write(_styled("\n".join(_lines(found)), bold) + f"\nagain: {run.command}\n{run.folder / REPORT_NAME}\n")


def print_comparison(found: Comparison, page: Path, file: TextIO) -> None:
    """Write what changed between two runs, the warnings first, last the path of the page."""
    bold = file.isatty() and not os.environ.get("NO_COLOR")
    lines = [line for warning in found.warnings for line in _wrapped(f"warning: {warning}")]
    lines += [line for sentence in comparison_sentences(found) for line in _wrapped(sentence)]
    file.write(_styled("\n".join(lines), bold) + f"\n{page}\n")


def print_sentences(said: list[str], run: Run, page: Path, file: TextIO) -> None:
    """Write sentences as bullets, last the run's command line and the path of its page."""
    bold = file.isatty() and not os.environ.get("NO_COLOR")
    lines = [line for sentence in said for line in _wrapped(sentence)]
    file.write(_styled("\n".join(lines), bold) + f"\nagain: {run.command}\n{page}\n")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="- ", subsequent_indent="  ")


def _lines(found: Findings) -> list[str]:
    lines = []
    if status_of(found) != "complete":
        lines += [f"**The run {end_of(found)}**: the report holds what is done.", ""]
    if table := _clips_table(found):
        lines += [*table, ""]
    said = wording.sentences(found) or ["Nothing was measured."]
    for sentence in said:
        lines += _wrapped(sentence)
    return [*lines, ""]


def _clips_table(found: Findings) -> list[str]:
    """A line a clip: the time per frame and its interval, frames a second, spread."""
    shown = found.times[:_SHOWN_CLIPS]
    width = max((len(found.label(clip.subject)) for clip in shown), default=0)
    lines = []
    for clip in shown:
        ends = clip.interval
        interval = f"{1e3 * ends.low:9.2f} to {1e3 * ends.high:.2f} ms" if ends else MISSING
        lines.append(f"{found.label(clip.subject):{width}}  {1e3 * clip.per_frame_s:9.2f} ms a frame  {interval}")
    left = len(found.times) - len(shown)
    return [*lines, f"and {left} more"] if left else lines


def _styled(text: str, bold: bool) -> str:
    """The document's markup as a terminal shows it, or as plain text."""
    return re.sub(r"\*\*(.+?)\*\*", rf"{_BOLD}\1{_PLAIN}" if bold else r"\1", text, flags=re.DOTALL).replace("`", "")
