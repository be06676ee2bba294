"""The hottest functions' source with the samples beside each line, for the flame page and for reports.

A line's own samples are those in which it was running itself; its total adds what it called. Code that was inlined
into a line counts in that line's total and is named beside it; as own samples it counts in its own function's source.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench import units
from workbench.analysis.folded import Frame, function_times, parse_frame, without_threads
from workbench.record import Record
from workbench.report.document import Block, Listing, ListingLine, Note

SHOWN = 8
KEPT = 24  # functions whose source a record keeps, and a page has
_AROUND = 2  # lines shown around those that ran, where the function's ends are not known
_CALLEES = 3  # named beside a line

Function = tuple[str, str]  # as the frames have it, and its path


@dataclass(frozen=True)
class SourceText:
    """The text of a function.

    function, path  as the frames have them; label: as a box shows it
    first, lines    number of the first line, and the lines; none where `missing` says why
    """

    function: str
    path: str
    label: str
    first: int
    lines: tuple[str, ...]
    missing: str = ""


@dataclass
class LineTime:
    """The samples of one line. `callees`: [label, inlined] -> samples in what the line called."""

    own: float = 0.0
    total: float = 0.0
    callees: dict[tuple[str, bool], float] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceView:
    """A function's source and its samples.

    times    line -> its samples; line 0 holds those of no known line
    own      samples in the function itself; total: with what it called, each stack once
    samples  of the whole profile
    """

    text: SourceText
    times: Mapping[int, LineTime]
    own: float
    total: float
    samples: float


def hottest_sources(
    folded: Mapping[str, float],
    count: int = SHOWN,
    roots: Sequence[Path] = (),
    kept: Mapping[Function, SourceText] | None = None,
) -> list[SourceText]:
    """The source of the `count` functions with most self time whose lines are known; see `source_views`."""
    return [view.text for view in source_views(folded, count, roots, kept)]


def with_sources(record: Record, roots: Sequence[Path]) -> Record:
    """The record of a sampled run with the source of its KEPT hottest functions in its data, so that a page that is made
    later shows what ran."""
    texts = hottest_sources(record.data["folded"], KEPT, roots)
    return replace(record, data={**record.data, "sources": [asdict(text) for text in texts]})


def kept_sources(entries: Iterable[Mapping[str, Any]]) -> dict[Function, SourceText]:
    """The sources that `with_sources` has left in records; of one that several keep, the longest text."""
    found: dict[Function, SourceText] = {}
    for entry in entries:
        text = SourceText(**{**entry, "lines": tuple(entry["lines"])})
        known = found.get((text.function, text.path))
        if known is None or len(text.lines) > len(known.lines):
            found[text.function, text.path] = text
    return found


def source_views(
    folded: Mapping[str, float],
    count: int = SHOWN,
    roots: Sequence[Path] = (),
    kept: Mapping[Function, SourceText] | None = None,
    chosen: Callable[[str], object] = lambda frame: True,
) -> list[SourceView]:
    """The `count` functions with most self time whose lines are known, threads merged, inlined copies included.

    roots   folders that relative paths start from, tried before the current folder and the installed packages
    kept    sources that were kept when the program ran: no file is read then
    chosen  whether a function, as the text of a frame without its line, is looked at
    """
    stacks = [
        ([parse_frame(frame) for frame in stack.split(";")], samples)
        for stack, samples in without_threads(folded).items()
    ]
    with_lines = {(frame.function, frame.path) for frames, _ in stacks for frame in frames if frame.line}
    times = [
        time
        for time in function_times(folded)
        if (time.function, time.path) in with_lines and chosen(f"{time.function} ({time.path})")
    ][:count]
    lines = _line_times(stacks, {(time.function, time.path) for time in times})
    whole = sum(folded.values())
    views = []
    for time in times:
        found = lines[time.function, time.path]
        function = (time.function, time.path)
        text = _source_text(function, found, tuple(roots)) if kept is None else _kept_text(function, found, kept)
        views.append(SourceView(text, found, time.self_samples, time.total_samples, whole))
    return views


def _line_times(
    stacks: Sequence[tuple[Sequence[Frame], float]], wanted: set[Function]
) -> dict[Function, dict[int, LineTime]]:
    found: dict[Function, dict[int, LineTime]] = {function: {} for function in wanted}
    for frames, samples in stacks:
        seen: set[tuple[Function, int]] = set()
        called: set[tuple[Function, int, str, bool]] = set()
        for at, frame in enumerate(frames):
            function = (frame.function, frame.path)
            if function not in wanted:
                continue
            time = found[function].setdefault(frame.line, LineTime())
            if (function, frame.line) not in seen:
                seen.add((function, frame.line))
                time.total += samples
            if at == len(frames) - 1:
                time.own += samples
                continue
            callee = (frames[at + 1].label, frames[at + 1].inlined)
            if (function, frame.line, *callee) not in called:
                called.add((function, frame.line, *callee))
                time.callees[callee] = time.callees.get(callee, 0.0) + samples
    return found


def _source_text(function: Function, times: Mapping[int, LineTime], roots: tuple[Path, ...]) -> SourceText:
    name, path = function
    frame = Frame(name, path, 0, False, False)
    ran = sorted(line for line in times if line)
    source, missing = _read(path, roots)
    missing = missing or _other_version(path, source, ran)
    if missing:
        return SourceText(name, path, frame.label, ran[0], (), missing)
    first, last = _extent(source, frame.bare, times)
    return SourceText(name, path, frame.label, first, source[first - 1 : last])


def _kept_text(function: Function, times: Mapping[int, LineTime], kept: Mapping[Function, SourceText]) -> SourceText:
    if function in kept:
        return kept[function]
    label = Frame(*function, 0, False, False).label
    missing = "it was not kept with the samples"
    return SourceText(*function, label, min(line for line in times if line), (), missing)


@lru_cache(maxsize=256)
def _read(path: str, roots: tuple[Path, ...]) -> tuple[tuple[str, ...], str]:
    """The lines of a file as frames name it, or why there are none."""
    if path.startswith("<"):
        return (), f"{path} is no file"
    places = (
        [Path(path)]
        if Path(path).is_absolute()
        else [folder / path for folder in (*roots, Path.cwd(), *map(Path, sys.path))]
    )
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return (), f"there is no file {path} here or among the installed packages"
    try:
        return tuple(file.read_text(encoding="utf-8").split("\n")), ""
    except (OSError, UnicodeDecodeError) as error:
        return (), f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"


def _other_version(path: str, source: Sequence[str], ran: Sequence[int]) -> str:
    """What shows that the file is not the one that ran; "" where nothing does."""
    if ran[-1] > len(source):
        return f"{path} is not the version that ran: line {ran[-1]} ran, it has {len(source)}"
    idle = next((line for line in ran if not source[line - 1].split("#")[0].strip()), None)
    return f"{path} is not the version that ran: line {idle} ran, and holds no code" if idle else ""


def _extent(source: Sequence[str], name: str, times: Mapping[int, LineTime]) -> tuple[int, int]:
    """First and last line of the function that ran; where no `def` of its name holds a line that ran, those around."""
    ran = [line for line in times if line]
    around = max(min(ran) - _AROUND, 1), min(max(ran) + _AROUND, len(source))
    try:
        tree = ast.parse("\n".join(source))
    except (SyntaxError, ValueError):
        return around
    extents = [
        (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]

    def samples_in(extent: tuple[int, int]) -> float:
        return sum(time.total for line, time in times.items() if extent[0] <= line <= extent[1])

    # Of two functions of one name, one may lie in the other: the smaller one that holds the samples.
    best = max(extents, key=lambda extent: (samples_in(extent), extent[0] - extent[1]), default=None)
    return best if best is not None and samples_in(best) else around


def source_blocks(views: Sequence[SourceView]) -> list[Block]:
    """The sources for a report, each with the lines that took time and those around them."""
    blocks: list[Block] = []
    for view in views:
        shares = (
            f"{units.percent(view.own / view.samples)} in itself, {units.percent(view.total / view.samples)} in all"
        )
        heading = f"`{view.text.label}` {view.text.path}: {shares}"
        if view.text.missing:
            blocks += [Note(f"{heading}. No source to show: {view.text.missing}.")]
            continue
        unplaced = view.times[0].own if 0 in view.times else 0.0
        note = f"{units.percent(unplaced / view.samples)} more are of no known line." if unplaced else ""
        blocks.append(Listing(heading, tuple(_listing_lines(view)), note))
    return blocks


def _listing_lines(view: SourceView) -> list[ListingLine]:
    return [
        ListingLine(number, line, time.own / view.samples, time.total / view.samples, callees_text(time, view.samples))
        for number, line in enumerate(view.text.lines, view.text.first)
        for time in (view.times.get(number, LineTime()),)
    ]


def callees_text(time: LineTime, samples: float) -> str:
    """The largest of what a line called, with its share of all `samples`: "satd 12.1 %, _row (inlined) 3.0 %"."""
    largest = sorted(time.callees.items(), key=lambda item: (-item[1], item[0]))[:_CALLEES]
    return ", ".join(
        f"{label}{' (inlined)' if inlined else ''} {units.percent(spent / samples)}"
        for (label, inlined), spent in largest
    )
