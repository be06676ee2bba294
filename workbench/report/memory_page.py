"""The page of `workbench memory`."""

from __future__ import annotations

import shlex

from workbench import units
from workbench.analysis.memory_growth import LEAST_PART_FRAMES, PARTS
from workbench.analysis.memory_sides import Leak, Place, Side, Sides, memory_sides
from workbench.record import Run
from workbench.report.columns import bytes_column
from workbench.report.columns import number as fixed
from workbench.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Details,
    Document,
    KeyFigures,
    Note,
    Picture,
    Section,
    Table,
    Text,
)
from workbench.report.memory_pictures import live_picture, resident_picture, sweep_picture
from workbench.report.memory_wording import key_figures, leak_sentences, number, sentences
from workbench.report.sections.common import code, words
from workbench.report.sections.space import compiled_blocks, stack_details

PAGE_STEM = "memory"
_SHOWN_PLACES = 20
_SHOWN_STACKS = 8
_LEAK_RULE = (
    "place, the least that lives at the end of any {unit} of a part is its low-water mark: what is on its way comes and goes "
    "within a part. A place leaks when this mark rises from part to part by steps that are alike. What is allocated once, as a "
    "cache, does not rise; a cache that fills up slows down."
)
_FRAMES_RULE = (
    f"The run is cut into {PARTS} equal parts of at least {LEAST_PART_FRAMES} frames, the first one for settling. For each "
    f"{_LEAK_RULE.format(unit='frame')} numpy's own caches of small blocks are filled beforehand."
)
_SLICES_RULE = (
    f"What a program does behind its last import and compilation is cut into {PARTS} equal parts, the first one for settling. "
    f"For each {_LEAK_RULE.format(unit='slice of time')} A program that collects its results leaks by this measure."
)


def memory_document(run: Run) -> Document:
    """A run of `workbench memory` as a page."""
    found = memory_sides(run)
    sections = (
        ("summary", "Summary", _summary(found)),
        ("live", "Alive over time", _live(found)),
        ("resident", "Resident set", _resident(found)),
        ("places", "Who allocates", _all(found, _places)),
        ("compiled", "Inside compiled code", _all(found, compiled_blocks)),
        ("leaks", "Leaks", _all(found, _leaks)),
        ("sweep", _sweep_title(found), _sweep(found)),
        ("how", "How this was measured", _how(run, found)),
    )
    return Document(
        title=f"Memory of {' against '.join(side.title for side in found.sides)}",
        subtitle=f"`{run.command}`",
        sections=tuple(Section(anchor, title, tuple(blocks)) for anchor, title, blocks in sections if blocks),
        facts=_facts(run),
    )


def _facts(run: Run) -> tuple[str, ...]:
    machine = run.header.get("machine", {})
    facts = [f"started {run.header['started']}"] if run.header.get("started") else []
    facts += [f"took {units.seconds((run.end or {}).get('wall_s'))}"] if run.end else ["was killed"]
    return tuple(facts + ([f"{machine['cores']} cores, {machine['cpu']}"] if {"cpu", "cores"} <= set(machine) else []))


def _summary(found: Sides) -> list[Block]:
    blocks: list[Block] = [KeyFigures(key_figures(side)) for side in found.sides[:1]]
    blocks.append(Bullets(tuple(sentences(found))))
    warned = [Note(_of(found, side, text)) for side in found.sides for text in side.warnings]
    return [*blocks, *warned]


def _of(found: Sides, side: Side, text: str) -> str:
    return f"**{side.title}**: {text}" if len(found.sides) > 1 else text


def _live(found: Sides) -> list[Block]:
    if not any(side.steady and side.steady.curve for side in found.sides):
        return []
    caption = (
        "The most that was alive in each step of the run; a dot is the exact peak. What was allocated before the steady state "
        "began is not in it."
    )
    if all(side.frames is None for side in found.sides):
        caption = "The most that was alive in each step of the run; a dot is the exact peak."
    return [Picture("memory-live", live_picture(found.sides), "Blocks and bytes alive over time", caption)]


def _resident(found: Sides) -> list[Block]:
    if not any(side.resident and side.resident.samples for side in found.sides):
        return []
    caption = (
        "Sampled from outside; the dashed line is the kernel's own maximum, which no sample can miss. It is a run of its own, as "
        "a user would start it: nothing is tracked in it."
    )
    return [Picture("memory-resident", resident_picture(found.sides), "Resident set over time", caption)]


def _all(found: Sides, blocks_of: object) -> list[Block]:
    """The blocks of each side, under its name where there are two."""
    assert callable(blocks_of)
    blocks: list[Block] = []
    for side in found.sides:
        own = blocks_of(side)
        if own and len(found.sides) > 1:
            blocks.append(Text(f"**{side.title}**"))
        blocks += own
    return blocks


def _places(side: Side) -> list[Block]:
    if side.steady is None or not side.steady.places:
        return []
    shown = side.steady.places[:_SHOWN_PLACES]
    unit, sizes = bytes_column([place.total_bytes for place in shown])
    peak_unit, peaks = bytes_column([place.peak_bytes for place in shown])
    live_unit, lives = bytes_column([place.live_bytes for place in shown])
    most = max(place.total_bytes for place in shown) or 1
    frames = side.frames or 1
    each = " a frame" if side.frames else ""
    columns = (
        words("place"),
        Column(f"bytes, {unit}"),
        Column(f"allocations{each}"),
        Column("temporary, %"),
        Column(f"at the peak, {peak_unit}"),
        Column(f"alive at the end, {live_unit}"),
        Column("blocks"),
    )
    rows = tuple(
        (
            code(place.where),
            Cell(sizes[at], share=place.total_bytes / most),
            number(place.count / frames),
            fixed(100 * place.temporary / place.count if place.count else None, 1),
            peaks[at],
            lives[at],
            units.count(place.live),
        )
        for at, place in enumerate(shown)
    )
    left = len(side.steady.places) - len(shown)
    caption = f"The {len(shown)} places that ask for most bytes; {left} ask for less." if left else ""
    stacks = tuple(stack_details(place.where, place.stack) for place in shown[:_SHOWN_STACKS] if len(place.stack) > 1)
    table = Table(columns, rows, caption)
    return [table, Details("Who calls them", stacks)] if stacks else [table]


def _leaks(side: Side) -> list[Block]:
    said: list[Block] = [Text(text) for text in leak_sentences(side)]
    if not said:
        return []
    if side.leaks:
        said.append(_leaks_table(side))
        said.append(
            Details("Who calls them", tuple(stack_details(leak.where, leak.stack) for leak in side.leaks if leak.stack))
        )
    if side.steady is not None and (once := [place for place in side.steady.places if _is_once(place, side.leaks)]):
        said.append(_once_table(once))
    return [*said, Note(_FRAMES_RULE if side.frames is not None else _SLICES_RULE, "quiet")]


def _leaks_table(side: Side) -> Table:
    each = "a frame" if side.frames is not None else "a slice of time"
    columns = (words("place"), words("what"), Column(f"more {each}"), Column(f"bytes {each}"))
    rows = tuple(
        (code(leak.where), f"{leak.by}s", number(leak.rise.blocks), units.byte_size(leak.rise.size_bytes))
        for leak in side.leaks
    )
    return Table(columns, rows)


def _is_once(place: Place, leaks: tuple[Leak, ...]) -> bool:
    return place.live > 0 and place.where not in {leak.where for leak in leaks}


def _once_table(places: list[Place]) -> Block:
    shown = sorted(places, key=lambda place: -place.live_bytes)[:_SHOWN_PLACES]
    rows = tuple((code(place.where), units.count(place.live), units.byte_size(place.live_bytes)) for place in shown)
    table = Table((words("place"), Column("blocks"), Column("bytes")), rows)
    size = units.byte_size(sum(place.live_bytes for place in places))
    return Details(f"Alive at the end and not growing: {size} at {len(places)} places", (table,))


def _sweep_title(found: Sides) -> str:
    return f"Memory against {found.by}" if found.by else ""


def _sweep(found: Sides) -> list[Block]:
    if not found.sweep:
        return []
    unit, sizes = bytes_column([row.max_bytes for row in found.sweep])
    most = max(row.max_bytes for row in found.sweep)
    rows = tuple(
        (row.label, Cell(size, share=row.max_bytes / most)) for row, size in zip(found.sweep, sizes, strict=True)
    )
    table = Table((words(found.by), Column(f"maximum resident set, {unit}")), rows)
    picture = Picture("memory-sweep", sweep_picture(found.sweep, found.by), f"Memory against {found.by}")
    return [table, picture, *(Note(text, "quiet") for text in found.notes)]


def _how(run: Run, found: Sides) -> list[Block]:
    said = [
        "Resident set: `/proc/PID/statm` of the process, from outside, in a run of its own; the maximum is that of wait4.",
    ]
    if any(side.steady for side in found.sides):
        said.append(
            "Allocations: memray sees what goes through the C library. Small Python objects (up to 512 bytes) come from "
            "Python's own arenas and count only where it says so; their number is known all the same, and where it grows the "
            "run is made once more with them."
        )
    if any(side.frames is not None for side in found.sides):
        said.append(
            "The steady state begins behind the first frames; the clip's first pictures go forwards and backwards, so that "
            "there are enough. Reading the input is no part of it."
        )
    if any(side.compiled for side in found.sides):
        said.append(
            "Compiled code: the functions of numba's runtime are replaced by ones that walk up the stack and count, in the "
            "build with frame pointers. Nothing is sampled."
        )
    commands = dict.fromkeys(shlex.join(record.command) for record in run.records if record.command)
    return [Bullets(tuple(said)), Details("Commands", (Code(tuple(commands)),))]
