"""One traced encode: its timeline and what recording it cost, out of the records of `workbench trace`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import units
from workbench.analysis.overhead import Overhead, overhead
from workbench.analysis.timeline import TimelineFindings, timeline_findings
from workbench.errors import InputError
from workbench.record import Record


@dataclass(frozen=True)
class Traced:
    """What there is to report.

    subject    as a record has it
    detail     tile, row or block
    frames     of the encoder's figures, in coding order
    lost       spans that found no room
    overhead   None where it was not measured
    """

    subject: Mapping[str, Any]
    detail: str
    frames: Sequence[Mapping[str, Any]]
    lost: int
    command: Sequence[str]
    found: TimelineFindings
    overhead: Overhead | None
    warnings: Sequence[str]

    @property
    def title(self) -> str:
        """The clip, its size, the encoder's kernels."""
        entry = self.subject
        return f"{entry['clip']} {entry['width']}x{entry['height']}, kernels {entry['kernels']}"


def traced(records: Sequence[Record]) -> Traced:
    """From the records of a run. Raises InputError where it has no timeline."""
    timelines = [record for record in records if record.instrument == "trace" and record.metric == "timeline"]
    if not timelines:
        raise InputError("the records hold no timeline; take one with `workbench trace SUBJECT`")
    record = timelines[-1]
    costs = [record for record in records if record.instrument == "trace" and record.metric == "overhead"]
    cost = overhead(costs[-1].data) if costs else None
    found = timeline_findings(record.data)
    return Traced(
        subject=record.subject,
        detail=record.data["detail"],
        frames=record.data["frames"],
        lost=record.data["lost"],
        command=record.command,
        found=found,
        overhead=cost,
        warnings=[*record.warnings, *_warnings(record.data, found, cost)],
    )


def _warnings(data: Mapping[str, Any], found: TimelineFindings, cost: Overhead | None) -> list[str]:
    said = []
    if cost is not None and cost.is_beyond_limit:
        said.append(
            f"recording costs {units.percent(cost.share)} of processor time, more than the {units.percent(cost.limit)} "
            "that it may: the spans are longer than they would be; give a coarser --detail"
        )
    missing = len(data["frames"]) - len(found.latencies)
    if missing:
        said.append(f"of {missing} pictures the way from frame in to packet out is not recorded; see what was lost")
    workers = len(found.lanes) - 1
    if data["threads"] > 1 and 0 < workers < data["threads"]:
        said.append(f"{data['threads']} threads were asked for and only {workers} ever had work")
    cores = data.get("cores", workers)  # runs of before do not say
    if cores < min(data["threads"], workers):
        said.append(
            f"{workers} threads shared {cores} processors: their spans go on while they wait for one; "
            "give at most as many --threads"
        )
    if found.timeline.crossed:
        said.append(f"{found.timeline.crossed} spans reached out of those around them and were cut to fit")
    if data["interpreted"]:
        said.append("the kernels ran interpreted: the times are those of Python, not of the encoder's compiled code")
    return said
