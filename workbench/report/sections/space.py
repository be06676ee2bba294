"""How much memory encodes take, over time and at most, and who allocates it, inside compiled code too."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.memory import ClipMemory, top_sites
from workbench.analysis.memory_sides import Compiled, Side
from workbench.report.columns import bytes_column
from workbench.report.columns import number as fixed
from workbench.report.document import Block, Cell, Code, Column, Details, Picture, Table, Text
from workbench.report.memory_pictures import live_picture, resident_picture
from workbench.report.memory_wording import number
from workbench.report.sections.common import code, not_measured, warnings_of, words

_SHOWN_STACKS = 8


def memory_blocks(found: Findings) -> list[Block]:
    """Maximum resident set, allocations, what is alive over time, and the sites that allocate most."""
    if not found.memory:
        return not_measured(found, "Memory")
    intro = Text(
        "Maximum resident set by wait4 of each encode's own process; allocations by memray around the steady state, behind the "
        "first mini-GOP, start-up and compiling left out. Leaks are told by `workbench memory`, from more frames than these."
    )
    return [
        intro,
        _memory_table(found),
        *_live_blocks(found.memory_sides),
        *_resident_blocks(found.memory_sides),
        *_sites_blocks(found.memory),
        *_compiled_blocks(found.memory_sides),
        *warnings_of(found, "max_rss", "allocations", "peak_bytes", "kernel_allocations"),
    ]


def _live_blocks(sides: list[Side]) -> list[Block]:
    """What is alive over the steady state of the clip that has most alive at once."""
    drawn = [side for side in sides if side.steady is not None and side.steady.curve]
    if not drawn:
        return []
    largest = max(drawn, key=lambda side: side.steady.peak_bytes if side.steady else 0)
    others = f", the clip with most of all {len(drawn)}" if len(drawn) > 1 else ""
    caption = (
        f"{largest.title}{others}: the most that was alive in each step; a dot is the exact peak. What was allocated before the "
        "steady state began is not in it."
    )
    return [Picture("memory-live", live_picture([largest]), "Blocks and bytes alive over the steady state", caption)]


def _resident_blocks(sides: list[Side]) -> list[Block]:
    """The resident set over one encode."""
    drawn = [side for side in sides if side.resident is not None and side.resident.samples]
    if not drawn:
        return []
    caption = (
        f"{drawn[0].title}, one encode from its start to its end, sampled from outside; the dashed line is the kernel's own "
        "maximum, which no sample can miss."
    )
    return [Picture("memory-resident", resident_picture(drawn[:1]), "Resident set over time", caption)]


def _compiled_blocks(sides: list[Side]) -> list[Block]:
    """What compiled code itself allocates, of the clips in which that was counted."""
    return [
        block
        for side in sides
        if side.compiled is not None
        for block in (Text(f"**Inside compiled code, {side.title}**"), *compiled_blocks(side))
    ]


def compiled_blocks(side: Side) -> list[Block]:
    """The functions of compiled code that allocate, under the kernel that they work for; none where that was not counted."""
    found = side.compiled
    if found is None:
        return []
    frames = found.frames or 1
    each = " a frame" if found.frames else ""
    border = units.count(found.at_the_border)
    way_in = "on the way in, one for each array that Python hands to compiled code"
    if not found.functions:
        return [Text(f"No function of compiled code allocates. {border} allocations are made {way_in}.")]
    intro = Text(
        f"Every call of compiled code into numba's runtime, with its stack: {units.count(found.count)} in all. "
        f"{border} more are made {way_in}."
    )
    unit, sizes = bytes_column([one.total_bytes / frames for one in found.functions])
    most = max(one.count for one in found.functions) or 1

    def row(one: Compiled, size: str) -> tuple[Cell | str, ...]:
        superblock = fixed(one.count / frames / side.superblocks, 2) if side.superblocks else ""
        alive = units.count(one.live[-1] - one.live[0]) if one.live else "not followed"
        return (
            code(one.where), Cell(number(one.count / frames), share=one.count / most), superblock, size, alive,
        )  # fmt: skip

    columns = (
        words("function, under its kernel"),
        Column(f"allocations{each}"),
        Column("a superblock" if side.superblocks else ""),
        Column(f"bytes{each}, {unit}"),
        Column("more alive at the end"),
    )
    rows = tuple(row(one, size) for one, size in zip(found.functions, sizes, strict=True))
    stacks = tuple(stack_details(one.where, one.stack) for one in found.functions[:_SHOWN_STACKS] if len(one.stack) > 1)
    table: list[Block] = [intro, Table(columns, rows)]
    return [*table, Details("Who calls them", stacks)] if stacks else table


def stack_details(where: str, stack: tuple[str, ...]) -> Block:
    """A place with the stack above it, folded away."""
    return Details(where, (Code(stack),))


def _memory_table(found: Findings) -> Table:
    measured = found.memory
    most = [max(clip.max_rss_bytes) if clip.max_rss_bytes else None for clip in measured]
    least = [min(clip.max_rss_bytes) if clip.max_rss_bytes else None for clip in measured]
    unit, printed = bytes_column([*most, *least])
    heap_unit, heaps = bytes_column([clip.peak_bytes for clip in measured])
    largest = max((size for size in most if size is not None), default=1.0)
    columns = (
        words("clip"),
        Column(f"max resident set, {unit}"),
        Column(f"least, {unit}"),
        Column("n"),
        Column("allocations per frame"),
        Column(f"their peak, {heap_unit}"),
    )
    rows = tuple(
        (
            found.label(clip.subject),
            Cell(printed[at], share=size / largest if size is not None else None),
            printed[len(measured) + at],
            str(len(clip.max_rss_bytes)),
            fixed(clip.allocations_per_frame, 1),
            heaps[at],
        )
        for at, (clip, size) in enumerate(zip(measured, most, strict=True))
    )
    return Table(columns, rows)


def _sites_blocks(measured: list[ClipMemory]) -> list[Block]:
    sites = top_sites(measured)
    if not sites:
        return []
    unit, sizes = bytes_column([site.total_bytes for site in sites])
    most = max(site.total_bytes for site in sites) or 1
    rows = tuple(
        (code(site.where), units.count(site.count), Cell(size, share=site.total_bytes / most))
        for site, size in zip(sites, sizes, strict=True)
    )
    columns = (words("sites that allocate most, over all clips"), Column("allocations"), Column(f"bytes, {unit}"))
    return [Table(columns, rows)]
