"""A timeline in words and figures: the summary for the terminal, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench import units
from workbench.analysis.overhead import Overhead
from workbench.analysis.timeline import TimelineFindings
from workbench.analysis.traced import Traced

SCHEMA = 1
_TOP = 8
_TOP_CAUSES = 3


def summary_lines(traced: Traced) -> list[str]:
    """What the terminal shows: wall time, threads, the critical path, latency, overhead, warnings."""
    found = traced.found
    wall_ns = found.timeline.wall_ns
    frames = len(traced.frames)
    lines = [
        f"{traced.title}: {frames} frames in {_time(wall_ns)}, on average {found.busy_threads:.2f} of {len(found.lanes)} "
        "threads busy",
        "",
        *_lanes(found),
        "",
        *_path(found),
        "",
        *latency_lines(found),
        overhead_sentence(traced.overhead),
    ]
    return lines + [f"warning: {warning}" for warning in traced.warnings]


def _time(ns: float) -> str:
    return units.seconds(ns / 1e9)


def _lanes(found: TimelineFindings) -> list[str]:
    wall_ns = found.timeline.wall_ns
    width = max(len(lane.name) for lane in found.lanes)
    lines = []
    for lane in found.lanes:
        causes = ", ".join(f"{cause} {_time(ns)}" for cause, ns in list(lane.idle_ns.items())[:_TOP_CAUSES])
        waited = f"   waited for {causes}" if causes else ""
        lines.append(f"{lane.name:{width}}  busy {units.percent(lane.busy_ns / wall_ns):>7}{waited}")
    return lines


def _path(found: TimelineFindings) -> list[str]:
    lines = ["critical path, by stage:"]
    inside = found.path_inside_ns if found.path_inside_ns.keys() != found.path_by_stage_ns.keys() else {}
    for title, table in (("", found.path_by_stage_ns), ("  of the innermost spans:", inside)):
        lines += [title] if title and table else []
        shown = list(table.items())[:_TOP]
        lines += [f"  {units.percent(ns / found.timeline.wall_ns):>7}  {_time(ns):>8}  {what}" for what, ns in shown]
    return lines


def latency_lines(found: TimelineFindings) -> list[str]:
    """One line on the way of the pictures, and one on what tiles waited in the queue."""
    lines = []
    if latency := found.latency_ns():
        lines.append(
            f"latency from frame in to packet out: median {_time(latency[0])}, largest {_time(latency[1])} "
            f"({len(found.latencies)} pictures)"
        )
    if found.queued_ns:
        queued = found.queued_ns.values()
        lines.append(f"tiles stood {_time(sum(queued))} in the queue for a worker, {_time(max(queued))} at most")
    return lines


def overhead_sentence(cost: Overhead | None) -> str:
    """What recording costs and how that was measured."""
    if cost is None:
        return "overhead of recording: not measured; `workbench trace` does so, unless it is told --overhead 0"
    interval = ""
    if cost.interval is not None:
        low, high = (units.percent(end, signed=True) for end in (cost.interval.low, cost.interval.high))
        interval = f"95 % interval {low} to {high}, "
    return (
        f"overhead of recording at detail {cost.detail}: {units.percent(cost.share, signed=True)} of processor time "
        f"({interval}may be {units.percent(cost.limit)}); measured in {cost.pairs} interleaved pairs of packets, each encoded "
        f"with and without recording in random order, {units.seconds(cost.cpu_s)} of processor time without recording; of each "
        f"of {cost.rounds} pairs of fresh processes the median of the ratios, weighted by time, of these the mean"
    )


def as_json(traced: Traced, files: Mapping[str, str]) -> dict[str, Any]:
    """The summary with all its figures, seconds throughout; `files` names what was written."""
    found, cost = traced.found, traced.overhead
    latency = found.latency_ns()
    return {
        "schema": SCHEMA,
        "subject": dict(traced.subject),
        "detail": traced.detail,
        "wall_s": found.timeline.wall_ns / 1e9,
        "busy_threads": found.busy_threads,
        "spans": len(found.timeline),
        "lost_spans": traced.lost,
        "threads": [
            {
                "name": lane.name,
                "busy_s": lane.busy_ns / 1e9,
                "utilisation": lane.busy_ns / found.timeline.wall_ns,
                "idle_s": _in_seconds(lane.idle_ns),
            }
            for lane in found.lanes
        ],
        "critical_path_s": _in_seconds(found.path_by_stage_ns),
        "critical_path_inside_s": _in_seconds(found.path_inside_ns),
        "queue_s": sum(found.queued_ns.values()) / 1e9,
        "latency": {
            "median_s": latency[0] / 1e9 if latency else None,
            "max_s": latency[1] / 1e9 if latency else None,
            "frames": [
                {
                    "frame": each.frame,
                    "in_s": each.in_ns / 1e9,
                    "coded_begin_s": each.coded_begin_ns / 1e9,
                    "coded_end_s": each.coded_end_ns / 1e9,
                    "out_s": each.out_ns / 1e9,
                }
                for each in found.latencies
            ],
        },
        "overhead": None
        if cost is None
        else {
            "share": cost.share,
            "interval": None if cost.interval is None else [cost.interval.low, cost.interval.high],
            "limit": cost.limit,
            "pairs": cost.pairs,
            "rounds": cost.rounds,
            "cpu_s": cost.cpu_s,
        },
        "warnings": list(traced.warnings),
        "command": list(traced.command),
        "files": dict(files),
    }


def _in_seconds(table: Mapping[str, int]) -> dict[str, float]:
    return {name: ns / 1e9 for name, ns in table.items()}
