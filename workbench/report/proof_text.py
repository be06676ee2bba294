"""What the instrument promises and what came of it: for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from workbench import units
from workbench.analysis.proof import Figures, Proof, Row, as_json
from workbench.report.document import Cell, Code, Column, Document, Section, Table, Text, Tone
from workbench.report.markdown import markdown

SCHEMA = 1
_MET: Mapping[bool | None, str] = {True: "reached", False: "MISSED", None: "too few tries"}
_TONES: Mapping[bool | None, Tone] = {True: "good", False: "bad", None: "quiet"}
_GOALS = (
    Column("", number=False),
    Column("Promised"),
    Column("Seen"),
    Column("95 % interval"),
    Column("", number=False),
)
_FIGURES = (
    Column("", number=False),
    Column("FASTER"),
    Column("SLOWER"),
    Column("SAME"),
    Column("UNDECIDED"),
    Column("Time, median"),
    Column("Pairs, median"),
    Column("Seconds, median"),
    Column("Seconds, most"),
    Column("Disturbed"),
    Column("Load, median"),
)


def proof_lines(found: Proof) -> list[str]:
    """A line a goal, then a line a kind of try and side."""
    width = max((len(row.goal.text) for row in found.rows), default=0)
    lines = [
        f"{_MET[row.met]:13} {row.goal.text:{width}}  {_seen(row):>10}  promised {_promised(row)}; {_interval(row)}"
        for row in found.rows
    ]
    return [*lines, "", *(_figures_line(each) for each in found.figures)]


def proof_markdown(found: Proof, run: Mapping[str, Any], done: bool) -> str:
    """The page. `run`: the header of the notebook; `done`: all tries that were asked for are in it."""
    goals = tuple(
        (row.goal.text, _promised(row), _seen(row), _interval(row), Cell(_MET[row.met], tone=_TONES[row.met]))
        for row in found.rows
    )
    figures = tuple(_figures_row(each) for each in found.figures)
    machine, about = run["machine"], run["settings"]
    state = [] if done else [Text("Not all tries have been made yet: the same command goes on.")]
    document = Document(
        title="What the instrument promises, and what came of it",
        subtitle="Comparisons whose truth is known, by the rules of `workbench compare`.",
        facts=(
            f"{machine['cpu']}, {machine['cores']} processors",
            f"kernel {about['kernel']}, encode {about['clip'] or 'the first clip of the corpus'}",
            str(run["started"]),
        ),
        sections=(
            Section("goals", "Goals", (*state, Table(_GOALS, goals))),
            Section("figures", "Figures", (Table(_FIGURES, figures), Text(_HOW))),
            Section("again", "Again", (Code((shlex.join(["workbench", "doctor", *run["arguments"]]),)),)),
        ),
    )
    return markdown(document)


_HOW = (
    "A try ends when all its sides are decided, or at the limits. Pairs and seconds are those at which a side was decided. "
    "Seconds include the other sides that go along; they leave out the starting of processes, which are kept over ten tries."
)


def proof_json(found: Proof, run: Mapping[str, Any], done: bool) -> dict[str, Any]:
    """The same as JSON, with the header of the notebook."""
    own = {name: run[name] for name in ("machine", "settings", "arguments", "started")}
    return {"schema": SCHEMA, "complete": done, **as_json(found), **own}


def _seen(row: Row) -> str:
    return f"{row.hits} of {row.of}"


def _promised(row: Row) -> str:
    if row.goal.share == 0:
        return f"none of {row.goal.tries}"
    return f"at {'least' if row.goal.at_least else 'most'} {units.percent(row.goal.share)}"


def _interval(row: Row) -> str:
    return f"{units.percent(row.interval.low)} to {units.percent(row.interval.high)}"


def _figures_row(each: Figures) -> tuple[str, ...]:
    change = units.percent(each.ratio - 1, True) if each.ratio else units.UNKNOWN
    words = [str(count) for count in each.words.values()]
    seconds = [units.seconds(each.seconds), units.seconds(each.most_seconds)]
    return (
        f"{each.kind}, {each.side}",
        *words,
        change,
        f"{each.pairs:g}",
        *seconds,
        units.percent(each.disturbed),
        f"{each.load_average:.1f}",
    )


def _figures_line(each: Figures) -> str:
    name, *words, change, pairs, seconds, most, disturbed, load = _figures_row(each)
    said = ", ".join(f"{count} {word}" for count, word in zip(words, each.words, strict=True) if count != "0")
    return f"{name:16} {said}; time {change}, {pairs} pairs, {seconds} (at most {most}), {disturbed} of runs disturbed, load {load}"
