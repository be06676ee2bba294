"""The whole report of a `workbench profile` run: its sections in the order in which one reads them."""

from __future__ import annotations

from collections.abc import Callable

from workbench import units
from workbench.analysis.findings import Findings
from workbench.report.document import Block, Document, Section
from workbench.report.sections.clips import checks_blocks, selection_blocks
from workbench.report.sections.common import counted, end_of
from workbench.report.sections.frames import frames_blocks
from workbench.report.sections.hot import flame_blocks, functions_blocks, lines_blocks
from workbench.report.sections.overview import machine_blocks, summary_blocks, unknown_blocks
from workbench.report.sections.scaling import tiles_blocks
from workbench.report.sections.space import memory_blocks
from workbench.report.sections.timeline import timeline_blocks
from workbench.report.sections.timing import stages_blocks, times_blocks

_SECTIONS: tuple[tuple[str, str, Callable[[Findings], list[Block]]], ...] = (
    ("summary", "Summary", summary_blocks),
    ("times", "Times", times_blocks),
    ("frames", "Frames", frames_blocks),
    ("stages", "Stages", stages_blocks),
    ("functions", "Hottest functions", functions_blocks),
    ("flame", "Flame graph", flame_blocks),
    ("lines", "Lines of the hottest kernel", lines_blocks),
    ("timeline", "Timeline", timeline_blocks),
    ("memory", "Memory", memory_blocks),
    ("tiles", "Tiles and threads", tiles_blocks),
    ("checks", "Checks", checks_blocks),
    ("selection", "Selection of clips", selection_blocks),
    ("machine", "Machine and commands", machine_blocks),
    ("unknown", "What is not known", unknown_blocks),
)


def profile_document(found: Findings) -> Document:
    """The findings as a page."""
    clips = counted(len({subject.clip for subject in found.encoded}), "clip")
    return Document(
        title=f"Profile of {', '.join(found.kernel_sets) or 'an encoder'} on {clips}",
        subtitle=f"`{found.run.command}`",
        sections=tuple(Section(anchor, title, tuple(blocks(found))) for anchor, title, blocks in _SECTIONS),
        facts=tuple(_facts(found)),
    )


def _facts(found: Findings) -> list[str]:
    header, wall_s = found.run.header, (found.run.end or {}).get("wall_s")
    machine = header.get("machine", {})
    facts = [f"started {header['started']}"] if header.get("started") else []
    facts += [f"took {units.seconds(wall_s)}"] if wall_s is not None else []
    facts.append(end_of(found).removeprefix("is ").removeprefix("was "))
    return facts + ([f"{machine['cores']} cores, {machine['cpu']}"] if {"cpu", "cores"} <= set(machine) else [])
