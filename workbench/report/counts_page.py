"""What `workbench counts` found, as a page and on the terminal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TextIO

from workbench import units
from workbench.analysis.counts import (
    CallKind,
    Ratio,
    Side,
    SlotWork,
    by_arguments,
    compare_calls,
    compare_functions,
    compare_instructions,
    counted_instructions,
    frames_of,
    functions_of,
    not_comparable,
    sides_of,
    slots_of,
    work_of,
)
from workbench.record import Record, Run
from workbench.report.columns import MISSING, number, percent_number
from workbench.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Details,
    Document,
    KeyFigure,
    KeyFigures,
    Note,
    Row,
    Section,
    Table,
    Text,
    Tone,
)
from workbench.report.sections.common import code, counted, words
from workbench.report.top_table import print_table

PAGE_STEM = "counts"
_TOP = 20
_SHOWN_KINDS = 3
_LISTED_KINDS = 60
_SHOWN_CHANGES = 15
_SIZES = ("w", "h", "tx_size", "side", "columns", "rows", "count", "size")
_HOW_INSTRUCTIONS = (
    "Callgrind counts every instruction of the encode's own thread from the first picture to the last packet. What numba "
    "loads meanwhile is left out, and so is all start-up. Every instruction counts 1, whatever it takes: this guards against "
    "changes and is not a timer. It counts code for the instruction set named above, where the encoder by itself may run a "
    "newer one."
)
_HOW_CALLS = (
    "Every slot of the kernel table is filled with a stand-in that counts the call under its size arguments and passes it on: "
    "the numbers are exact. What works on samples one by one is counted in samples, transforms and quantization in "
    "coefficients."
)


def counts_document(run: Run) -> Document:
    """A run of `workbench counts` as a page."""
    sides = sides_of(run)
    sections = (
        ("summary", "Summary", _summary(sides)),
        ("changes", "What changed", _changes(sides)),
        ("kernels", "Instructions by kernel slot", _each(sides, _kernels)),
        ("functions", "Instructions by function", _each(sides, _functions)),
        ("work", "Calls by slot, size and mode", _each(sides, _work)),
        ("hardware", "Hardware counters", _each(sides, _hardware)),
        ("how", "How this was counted", _how(run, sides)),
    )
    return Document(
        title=f"Counts of {' against '.join(side.title for side in sides)}",
        subtitle=f"`{run.command}`",
        sections=tuple(Section(anchor, title, tuple(blocks)) for anchor, title, blocks in sections if blocks),
        facts=(f"started {run.header['started']}",) if run.header.get("started") else (),
    )


def print_counts(run: Run, file: TextIO) -> None:
    """Write the findings and their tables as text, bold on a terminal without NO_COLOR."""
    sides = sides_of(run)
    bold = file.isatty() and not os.environ.get("NO_COLOR")
    for sentence in _sentences(sides):
        file.write(f"- {_styled(sentence, bold)}\n")
    if len(sides) == 2:
        _print(file, "what changed, a frame", _changes(sides))
        return
    for title, blocks in (("kernels", _kernels), ("functions", _functions), ("calls", _work)):
        _print(file, title, [block for side in sides for block in blocks(side)])


def _print(file: TextIO, title: str, blocks: Sequence[Block]) -> None:
    for block in blocks:
        if isinstance(block, Table):
            file.write(f"\n{block.caption or title}\n")
            print_table(block, file)
        elif isinstance(block, Note):
            file.write(f"\nwarning: {block.text}\n")


def _styled(text: str, bold: bool) -> str:
    plain = text.replace("`", "")
    for mark in ("\x1b[1m", "\x1b[0m") * plain.count("**"):
        plain = plain.replace("**", mark if bold else "", 1)
    return plain


# --- summary ----------------------------------------------------------------------------------------------------------


def _summary(sides: Sequence[Side]) -> list[Block]:
    blocks: list[Block] = [KeyFigures(tuple(_key_figures(sides[0])))] if sides else []
    blocks.append(Bullets(tuple(_sentences(sides))))
    several = len(sides) > 1
    notes = [Note(f"**{side.title}**: {text}" if several else text) for side in sides for text in side.warnings]
    return [*blocks, *notes]


def _key_figures(side: Side) -> list[KeyFigure]:
    figures = []
    each = " a frame" if side.frames else ""
    if side.instructions is not None:
        per_frame = counted_instructions(side.instructions) / frames_of(side.instructions)
        spread = side.instructions.data["spread_ppm"]
        detail = "one run" if spread is None else f"{len(side.instructions.values)} runs, {spread:.1f} ppm apart"
        what = "in compiled code" if _has_compiled(side.instructions) else "in all"
        figures.append(KeyFigure(f"instructions{each} {what}", _short(per_frame), detail))
    if side.calls is not None:
        per_frame = side.calls.values[0] / frames_of(side.calls)
        figures.append(
            KeyFigure("kernel calls a frame", _short(per_frame), f"{_short(_per_superblock(side.calls))} a superblock")
        )
    if side.hardware is not None and side.hardware.values:
        per_frame = side.hardware.values[0] / frames_of(side.hardware)
        figures.append(KeyFigure("instructions a frame, by the processor's counters", _short(per_frame)))
    return figures


def _has_compiled(record: Record) -> bool:
    return any(cost.is_compiled for cost in functions_of(record))


def _per_superblock(record: Record) -> float:
    return record.values[0] / frames_of(record) / record.data["superblocks"]


def _short(value: float) -> str:
    """A number of a few digits: `12.34 M`, `29,677`, `7.25`."""
    for step, name in ((1e9, "G"), (1e6, "M")):
        if value >= step:
            return f"{value / step:.4g} {name}"
    return _few(value)


def _sentences(sides: Sequence[Side]) -> list[str]:
    said = []
    for side in sides:
        name = f"{side.title}: " if len(sides) > 1 else ""
        told = [_instructions_said(side), _calls_said(side), _hardware_said(side)]
        said += [f"{name}{sentence}" for sentence in told if sentence]
    if len(sides) == 2 and all(side.instructions for side in sides):
        said.append(_total_said(sides))
    if len(sides) == 2 and all(side.calls for side in sides):
        said.append(_calls_changed_said(sides))
    return said


def _instructions_said(side: Side) -> str:
    record = side.instructions
    if record is None:
        return ""
    frames, data = frames_of(record), record.data
    each = " a frame" if data["frames"] else ""
    what = " in compiled code" if _has_compiled(record) else ""
    everything = sorted(data["all_instructions"])[len(data["all_instructions"]) // 2]
    text = f"**{units.count(counted_instructions(record) / frames)} instructions{each}{what}**"
    text += f" ({counted(frames, 'frame')}, " if data["frames"] else " ("
    text += f"{data['level']}, valgrind {data['valgrind']})"
    if what:
        text += f", {units.count(everything / frames)} with the interpreter and libraries"
    if data["spread_ppm"] is None:
        return f"{text}. One run: how far runs lie apart is not known."
    runs = f"{len(record.values)} runs lie {data['spread_ppm']:.1f} ppm apart"
    if what:
        single = f"{data['function_spread_ppm']:.1f}"
        runs += f", with all else {data['all_spread_ppm']:.1f}; a single compiled function at most {single}"
    return f"{text}. {runs}."


def _calls_said(side: Side) -> str:
    if side.calls is None:
        return ""
    record = side.calls
    frames, superblocks = frames_of(record), record.data["superblocks"]
    most = sorted(work_of(record), key=lambda work: -work.calls)[:3]
    named = ", ".join(f"{code(work.slot)} {_few(work.calls / frames / superblocks)}" for work in most)
    return f"**{units.count(record.values[0] / frames)} kernel calls a frame**; most often, a superblock: {named}."


def _few(value: float) -> str:
    return units.count(value) if value >= 100 else f"{value:.3g}"


def _hardware_said(side: Side) -> str:
    if side.hardware is None:
        return ""
    events, frames = side.hardware.data["events"], frames_of(side.hardware)
    if all(count is None for count in events.values()):
        return "Hardware counters: none on this machine."
    text = ", ".join(f"{event} {units.count(count / frames)}" for event, count in events.items() if count is not None)
    ratio = _ratio_of(events, "instructions", "cycles")
    return f"Hardware counters, a frame: {text}{f'; {ratio:.2f} instructions a cycle' if ratio else ''}."


def _ratio_of(events: dict[str, float | None], above: str, below: str) -> float | None:
    upper, lower = events.get(above), events.get(below)
    return upper / lower if upper is not None and lower else None


def _total_said(sides: Sequence[Side]) -> str:
    first, second = (side.instructions for side in sides)
    assert first is not None and second is not None
    total, *slots = compare_instructions(first, second)
    changed = [change for change in slots if change.differs]
    if not total.differs and not changed:
        return "**The same instructions** on both sides, to within what runs differ by."
    change = units.percent(total.ratio - 1, signed=True) if total.ratio is not None else units.UNKNOWN
    names = ", ".join(code(change.name) for change in changed[:5])
    return f"**{change} instructions in compiled code**; kernel slots that changed: {names or 'none'}."


def _calls_changed_said(sides: Sequence[Side]) -> str:
    first, second = (side.calls for side in sides)
    assert first is not None and second is not None
    changed = [change for change in compare_calls(first, second) if change.differs]
    if not changed:
        return "**The same calls** of every slot on both sides."
    return f"**Other calls** of {', '.join(code(change.name) for change in changed[:5])}."


# --- tables -----------------------------------------------------------------------------------------------------------


def _each(sides: Sequence[Side], blocks_of: object) -> list[Block]:
    """The blocks of each side, under its name where there are two."""
    assert callable(blocks_of)
    blocks: list[Block] = []
    for side in sides:
        own = blocks_of(side)
        if own and len(sides) > 1:
            blocks.append(Text(f"**{side.title}**"))
        blocks += own
    return blocks


def _kernels(side: Side) -> list[Block]:
    record = side.instructions
    if record is None or not record.data["slots"]:
        return []
    frames, total = frames_of(record), counted_instructions(record)
    samples = {work.slot: work.samples for work in work_of(side.calls)} if side.calls else {}
    slots = slots_of(record)
    largest = max((cost.whole for cost in slots), default=0) or 1
    rows: list[Row] = []
    for cost in slots:
        worked = samples.get(cost.slot)
        rows.append((
            code(cost.slot),
            code(cost.function),
            number(cost.whole / frames, 0),
            Cell(percent_number(cost.whole / total), share=cost.whole / largest),
            number(cost.calls / frames, 1),
            number(cost.per_call, 1),
            number(cost.whole / worked, 2) if worked else MISSING,
        ))  # fmt: skip
    columns = (
        words("slot"), words("function"), Column("instructions a frame"), Column("of compiled, %"), Column("calls a frame"),
        Column("a call"), Column("a sample"),
    )  # fmt: skip
    return [Table(columns, tuple(rows), "Kernels with all that they call")]


def _functions(side: Side) -> list[Block]:
    record = side.instructions
    if record is None:
        return []
    frames = frames_of(record)
    costs = functions_of(record)
    total = sum(cost.instructions for cost in costs) or 1
    rows: tuple[Row, ...] = tuple(
        (
            code(cost.name),
            cost.kind,
            number(cost.instructions / frames, 0),
            Cell(percent_number(cost.instructions / total), share=cost.instructions / (costs[0].instructions or 1)),
            number(None if cost.inclusive is None else cost.inclusive / frames, 0),
            number(None if cost.calls is None else cost.calls / frames, 1 if record.data["frames"] else 0),
        )
        for cost in costs[:_TOP]
    )
    each = " a frame" if record.data["frames"] else ""
    columns = (
        words("function"), words("kind"), Column(f"in itself{each}"), Column("of all, %"), Column(f"with callees{each}"),
        Column(f"calls{each}"),
    )  # fmt: skip
    caption = "Functions by the instructions in themselves; recursive ones have no sum with callees"
    return [Table(columns, rows, caption)]


def _work(side: Side) -> list[Block]:
    record = side.calls
    if record is None:
        return []
    frames, superblocks = frames_of(record), record.data["superblocks"]
    found = work_of(record)
    rows: tuple[Row, ...] = tuple(
        (
            code(work.slot),
            number(work.calls / frames, 1),
            number(work.calls / frames / superblocks, 2),
            number(None if work.samples is None else work.samples / frames, 0),
            _most_frequent(work),
        )
        for work in found
    )
    columns = (
        words("slot"), Column("calls a frame"), Column("a superblock"), Column("samples a frame"), words("most often"),
    )  # fmt: skip
    kinds = tuple(_all_kinds(work, frames) for work in found if len(work.kinds) > 1)
    return [Table(columns, rows, "Calls by slot"), *([Details("Every size and mode, by slot", kinds)] if kinds else [])]


def _most_frequent(work: SlotWork) -> str:
    kinds = by_arguments(work, _SIZES)
    shown = [f"{kind.label} {units.percent(kind.calls / work.calls)}" for kind in kinds[:_SHOWN_KINDS]]
    return " · ".join(shown) + (" ..." if len(kinds) > _SHOWN_KINDS else "")


def _all_kinds(work: SlotWork, frames: int) -> Block:
    kinds = work.kinds[:_LISTED_KINDS]
    rows: tuple[Row, ...] = tuple(_kind_row(kind, work, frames) for kind in kinds)
    columns = (words("size and mode"), Column("calls"), Column("calls a frame"), Column("of the slot's, %"))
    left = len(work.kinds) - len(kinds)
    blocks: tuple[Block, ...] = (Table(columns, rows),)
    if left:
        blocks += (Text(f"{counted(left, 'kind')} more, less frequent ones."),)
    return Details(f"{work.slot}: {counted(len(work.kinds), 'kind')} of calls", blocks)


def _kind_row(kind: CallKind, work: SlotWork, frames: int) -> Row:
    share = kind.calls / work.calls
    return (kind.label, number(kind.calls, 0), number(kind.calls / frames, 2), Cell(percent_number(share), share=share))


def _hardware(side: Side) -> list[Block]:
    if side.hardware is None:
        return []
    events, frames = side.hardware.data["events"], frames_of(side.hardware)
    rows: tuple[Row, ...] = tuple(
        (code(event), number(None if count is None else count / frames, 0)) for event, count in events.items()
    )
    return [Table((words("event, in user space"), Column("a frame")), rows)]


def _changes(sides: Sequence[Side]) -> list[Block]:
    if len(sides) != 2:
        return []
    a, b = sides
    blocks: list[Block] = []
    if a.instructions and b.instructions:
        blocks += [Note(text) for text in not_comparable(a.instructions, b.instructions)]
        total, *slots = compare_instructions(a.instructions, b.instructions)
        shown = [total, *slots[:_SHOWN_CHANGES]]
        blocks.append(_changes_table(shown, sides, "Instructions a frame, kernels with all that they call", 0))
        functions = [each for each in compare_functions(a.instructions, b.instructions) if each.differs]
        if functions:
            caption = "Instructions a frame in compiled functions themselves, of those that differ"
            blocks.append(_changes_table(functions[:_SHOWN_CHANGES], sides, caption, 0))
    if a.calls and b.calls:
        changed = [change for change in compare_calls(a.calls, b.calls) if change.differs]
        blocks.append(
            _changes_table(changed[:_SHOWN_CHANGES], sides, "Kernel calls a frame, of slots that differ", 2)
            if changed
            else Text("Every slot is called as often on both sides.")
        )
    return blocks


def _changes_table(changes: Sequence[Ratio], sides: Sequence[Side], caption: str, decimals: int) -> Table:
    rows: tuple[Row, ...] = tuple(
        (
            code(change.name),
            number(change.a, decimals),
            number(change.b, decimals),
            Cell(
                percent_number(None if change.ratio is None else change.ratio - 1, 3, signed=True), tone=_tone(change)
            ),
            _verdict(change),
        )
        for change in changes
    )
    columns = (words(""), *(Column(side.title) for side in sides), Column("change, %"), words(""))
    return Table(columns, rows, caption)


def _verdict(change: Ratio) -> str:
    if not change.differs:
        return "same"
    return "more" if change.b > change.a else "fewer"


def _tone(change: Ratio) -> Tone:
    if not change.differs:
        return "quiet"
    return "bad" if change.b > change.a else "good"


def _how(run: Run, sides: Sequence[Side]) -> list[Block]:
    said = []
    if any(side.instructions for side in sides):
        said.append(_HOW_INSTRUCTIONS)
    if any(side.calls for side in sides):
        said.append(_HOW_CALLS)
    commands = tuple(
        shlex.join(record.command)
        for side in sides
        for record in (side.instructions, side.calls, side.hardware)
        if record is not None and record.command
    )
    return [Bullets(tuple(said)), Text("What was run:"), Code((run.command, *commands))]
