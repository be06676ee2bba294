"""How much memory encodes take, and who allocates it."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.memory import ClipMemory, top_sites
from workbench.report.columns import bytes_column, number
from workbench.report.document import Block, Cell, Column, Table, Text
from workbench.report.sections.common import code, not_measured, warnings_of, words


def memory_blocks(found: Findings) -> list[Block]:
    """Maximum resident set, allocations, and the sites that allocate most."""
    if not found.memory:
        return not_measured(found, "Memory")
    intro = Text(
        "Maximum resident set by wait4 of each encode's own process; allocations by memray around the steady state, "
        "start-up and compiling left out."
    )
    warned = warnings_of(found, "max_rss", "allocations", "peak_bytes")
    return [intro, _memory_table(found), *_sites_blocks(found.memory), *warned]


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
            number(clip.allocations_per_frame, 1),
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
