"""What the threads of one encode do: utilisation, the critical path, how long a picture takes from in to out."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.traced import Traced
from workbench.report.document import Block, Cell, Column, KeyFigure, KeyFigures, Note, Picture, Table, Text
from workbench.report.sections.common import counted, not_measured, words
from workbench.report.timeline import CHROME_NAME, PAGE_NAME
from workbench.report.timeline_picture import timeline_picture
from workbench.report.timeline_text import latency_lines, overhead_sentence

_CAUSES = 3
_LISTED_SHARE = 0.005  # of the wall time


def timeline_blocks(found: Findings) -> list[Block]:
    """A picture of the lanes, the figures, the critical path by stage, and what each thread waited for."""
    traced = found.timeline
    if traced is None:
        return not_measured(found, "Timeline")
    entry, overhead = traced.subject, overhead_sentence(traced.overhead)
    layout = f"{counted(int(entry['tiles']), 'tile')} on {counted(int(entry['threads']), 'thread')}"
    return [
        Text(
            f"One encode of {entry['clip']}, {entry['width']}x{entry['height']}, {counted(len(traced.frames), 'frame')}, {layout}, "
            f"as the encoder itself records it. [Open the timeline]({PAGE_NAME}): lanes to zoom in, the critical path, every "
            f"picture's latency; it works offline. Perfetto opens [{CHROME_NAME}]({CHROME_NAME})."
        ),
        KeyFigures(_figures(traced)),
        Picture(
            "timeline",
            timeline_picture(traced),
            "What each thread does over the encode, and the critical path",
            "A lane a thread, grey where it waits; at the top the frames in the order of coding, at the bottom the critical "
            "path: what the end of the encode waited for.",
            link=PAGE_NAME,
        ),
        _path_table(traced),
        _lanes_table(traced),
        *(Text(f"{line[0].upper()}{line[1:]}.") for line in latency_lines(traced.found)),
        *(Note(warning) for warning in traced.warnings),
        Note(f"{overhead[0].upper()}{overhead[1:]}.", "quiet"),
    ]


def _figures(traced: Traced) -> tuple[KeyFigure, ...]:
    found = traced.found
    latency = found.latency_ns()
    stage, spent_ns = next(iter(found.path_by_stage_ns.items()), ("nothing", 0))
    wall_ns = found.timeline.wall_ns or 1
    figures = [
        KeyFigure("wall time", units.seconds(wall_ns / 1e9), counted(len(traced.frames), "frame")),
        KeyFigure("threads at work, on average", f"{found.busy_threads:.2f}", f"of {len(found.lanes)}"),
        KeyFigure("most of the critical path", units.percent(spent_ns / wall_ns), stage),
    ]
    if latency is not None:
        largest = f"median; largest {units.seconds(latency[1] / 1e9)}"
        figures.append(KeyFigure("frame in to packet out", units.seconds(latency[0] / 1e9), largest))
    return tuple(figures)


def _path_table(traced: Traced) -> Table:
    wall_ns = traced.found.timeline.wall_ns or 1
    stages = traced.found.path_by_stage_ns
    shown = {stage: ns for stage, ns in stages.items() if ns >= _LISTED_SHARE * wall_ns}
    rest = len(stages) - len(shown)
    if rest:
        shown[counted(rest, "more stage")] = sum(stages.values()) - sum(shown.values())
    rows = tuple(
        (stage, units.seconds(ns / 1e9), Cell(f"{100 * ns / wall_ns:.1f}", share=ns / wall_ns))
        for stage, ns in shown.items()
    )
    return Table((words("critical path, by stage"), Column("time"), Column("of the wall time, %")), rows)


def _lanes_table(traced: Traced) -> Table:
    wall_ns = traced.found.timeline.wall_ns or 1
    rows = tuple(
        (
            lane.name,
            Cell(f"{100 * lane.busy_ns / wall_ns:.1f}", share=lane.busy_ns / wall_ns),
            ", ".join(f"{cause} {units.seconds(ns / 1e9)}" for cause, ns in list(lane.idle_ns.items())[:_CAUSES]),
        )
        for lane in traced.found.lanes
    )
    return Table((words("thread"), Column("at work, %"), words("waited for")), rows)
