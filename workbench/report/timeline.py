"""The page of a timeline: lanes per thread to zoom and pan in, the critical path, what idle threads waited for, latency."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench import units
from workbench.analysis.timeline import BETWEEN, NONE, LaneUse, Latency, self_time_ns
from workbench.analysis.traced import Traced, traced
from workbench.files import refuse_existing, write_text
from workbench.record import read_run
from workbench.report.html_page import render_template
from workbench.report.svg import PALETTE
from workbench.report.timeline_exports import chrome_trace, speedscope_timeline
from workbench.report.timeline_text import overhead_sentence

PAGE_NAME, CHROME_NAME, SPEEDSCOPE_NAME = "timeline.html", "trace.chrome.json", "trace.speedscope.json"
_HAND_OVER_SPAN, _BETWEEN_SPAN = -1, -2
_BINS = 24
_LISTED_SHARE = 0.005  # of the wall time
STAGE_COLOURS = {
    "tile": 1, "tile entropy": 2, "motion": 3, "lookahead": 4, "temporal filter": 5, "deblocking": 6, "cdef": 7, "restoration": 9,
    "read": 10, "write": 11, "headers": 12, "decision": 4, "trial": 6, "reconstruction": 3, "symbols": 2,
}  # fmt: skip
"""Of the palette's series, by name of span; what only holds others has PLAIN."""
PLAIN = 8


def write_timeline(folder: Path, force: bool = False) -> tuple[Traced, dict[str, Path]]:
    """Write the page and the files for other programs into a run folder, from its records; what was written by name.

    Raises InputError when the folder holds no timeline, or such files already and `force` is not given.
    """
    read = traced(read_run(folder).records)
    return read, write_timeline_of(read, folder, force)


def write_timeline_of(read: Traced, folder: Path, force: bool = False) -> dict[str, Path]:
    """The same of a timeline that has been read; returns what was written by name."""
    title = f"Timeline: {read.title}"
    files = {"page": folder / PAGE_NAME, "chrome": folder / CHROME_NAME, "speedscope": folder / SPEEDSCOPE_NAME}
    for path in files.values():
        refuse_existing(path, force)
    write_text(files["chrome"], _compact(chrome_trace(read.found, title)))
    write_text(files["speedscope"], _compact(speedscope_timeline(read.found, title)))
    write_text(files["page"], timeline_page(read, title))
    return files


def _compact(contents: Mapping[str, Any]) -> str:
    return json.dumps(contents, separators=(",", ":"), allow_nan=False)


def timeline_page(read: Traced, title: str) -> str:
    """One HTML page that needs nothing beside it."""
    found = read.found
    data = json.dumps(_page_data(read), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return render_template(
        "timeline.html",
        title=title,
        data=data,
        figures=_figures(read),
        command=" ".join(read.command),
        warnings=read.warnings,
        overhead=overhead_sentence(read.overhead),
        stages=_shares(found.path_by_stage_ns, found.timeline.wall_ns),
        inside=_shares(found.path_inside_ns, found.timeline.wall_ns),
        lanes=[_lane_row(lane, found.timeline.wall_ns) for lane in found.lanes],
        latencies=_latency_rows(read),
        bins=_histogram([latency.total_ns for latency in found.latencies]),
    )


def _time(ns: float) -> str:
    return units.seconds(ns / 1e9)


def _figures(read: Traced) -> list[tuple[str, str, str]]:
    """The big numbers: what, how much, small print."""
    found = read.found
    latency = found.latency_ns()
    first = next(iter(found.path_by_stage_ns.items()), ("nothing", 0))
    wall_ns = found.timeline.wall_ns
    return [
        ("Wall time", _time(wall_ns), f"{len(read.frames)} frames, {len(found.timeline)} spans, detail {read.detail}"),
        ("Busy threads, on average", f"{found.busy_threads:.2f}", f"of {len(found.lanes)}"),
        ("Most of the critical path", first[0], f"{units.percent(first[1] / wall_ns)}, {_time(first[1])}"),
        (
            "Latency, median",
            _time(latency[0]) if latency else units.UNKNOWN,
            f"largest {_time(latency[1])}, frame in to packet out" if latency else "not recorded",
        ),
        (
            "Overhead of recording",
            units.percent(read.overhead.share, signed=True) if read.overhead else "not measured",
            f"of processor time, may be {units.percent(read.overhead.limit)}" if read.overhead else "",
        ),
    ]


def _shares(table: Mapping[str, int], wall_ns: int) -> list[tuple[str, str, str, float]]:
    """Rows of name, time, share as text and in per cent; all that is hardly anything in one."""
    listed = {name: ns for name, ns in table.items() if ns >= _LISTED_SHARE * wall_ns}
    if (rest := len(table) - len(listed)) > 1:
        listed[f"{rest} others"] = sum(table.values()) - sum(listed.values())
    else:
        listed = dict(table)
    return [(name, _time(ns), units.percent(ns / wall_ns), 100 * ns / wall_ns) for name, ns in listed.items()]


def _lane_row(lane: LaneUse, wall_ns: int) -> dict[str, Any]:
    return {
        "name": lane.name,
        "busy": units.percent(lane.busy_ns / wall_ns),
        "share": 100 * lane.busy_ns / wall_ns,
        "causes": _shares(lane.idle_ns, wall_ns),
    }


def _latency_rows(read: Traced) -> list[dict[str, Any]]:
    """Of each picture the three parts of its way, as text and as shares of the longest way."""
    about = {frame["display_index"]: frame for frame in read.frames}
    longest = max((latency.total_ns for latency in read.found.latencies), default=1) or 1
    return [_latency_row(latency, about.get(latency.frame, {}), longest) for latency in read.found.latencies]


def _latency_row(latency: Latency, frame: Mapping[str, Any], longest_ns: int) -> dict[str, Any]:
    parts = (
        latency.coded_begin_ns - latency.in_ns,
        latency.coded_end_ns - latency.coded_begin_ns,
        latency.out_ns - latency.coded_end_ns,
    )
    return {
        "frame": latency.frame,
        "type": frame.get("type", ""),
        "layer": frame.get("layer", ""),
        "parts": [_time(part) for part in parts],
        "total": _time(latency.total_ns),
        "shares": [round(100 * part / longest_ns, 2) for part in parts],
    }


def _histogram(values_ns: Sequence[int]) -> list[dict[str, Any]]:
    """Bars of equal width from 0 to the largest value: how many, from, to, height in per cent of the highest bar."""
    if not values_ns:
        return []
    counts, edges = np.histogram(values_ns, _BINS, (0, max(values_ns) or 1))
    return [
        {"count": int(n), "from": _time(low), "to": _time(high), "height": 100 * int(n) / int(np.max(counts))}
        for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def _page_data(read: Traced) -> dict[str, Any]:
    """What the script draws; columns of numbers are base64 of little-endian arrays, named with their types."""
    found = read.found
    timeline, path = found.timeline, found.path
    spans = {
        "lane": (timeline.lane, "u2"), "depth": (timeline.depth, "u2"), "name": (timeline.name, "u2"),
        "begin": (timeline.begin_ns, "f8"), "end": (timeline.end_ns, "f8"), "self": (self_time_ns(timeline), "f8"),
        "frame": (timeline.frame, "i4"), "tile": (timeline.tile, "i4"), "place": (timeline.place, "f8"),
        "parent": (timeline.parent, "i4"),
    }  # fmt: skip
    steps = {
        "lane": ([step.lane for step in path], "u2"),
        "begin": ([step.begin_ns for step in path], "f8"),
        "end": ([step.end_ns for step in path], "f8"),
        "span": ([_step_code(step.span, step.what) for step in path], "i4"),
    }
    gaps = {
        "lane": ([gap.lane for gap in found.gaps], "u2"),
        "begin": ([gap.begin_ns for gap in found.gaps], "f8"),
        "end": ([gap.end_ns for gap in found.gaps], "f8"),
        "span": ([gap.span for gap in found.gaps], "i4"),
        "cause": ([gap.cause for gap in found.gaps], "i4"),
    }
    return {
        "lanes": list(timeline.lanes),
        "names": list(timeline.names),
        "colours": [f"series-{STAGE_COLOURS.get(name, PLAIN)}" for name in timeline.names],
        "waits": sorted(timeline.waits),
        "wall": timeline.wall_ns,
        "queued": {str(span): ns for span, ns in found.queued_ns.items()},
        "frames": [
            [each.frame, each.in_ns, each.coded_begin_ns, each.coded_end_ns, each.out_ns] for each in found.latencies
        ],
        "light": {name: colour for colour, name in PALETTE.items()},
        "spans": _columns(spans),
        "path": _columns(steps),
        "gaps": _columns(gaps),
    }


def _step_code(span: int, what: str) -> int:
    if span != NONE:
        return span
    return _BETWEEN_SPAN if what == BETWEEN else _HAND_OVER_SPAN


def _columns(columns: Mapping[str, tuple[Any, str]]) -> dict[str, list[str]]:
    return {
        name: [kind, base64.b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode()]
        for name, (values, kind) in columns.items()
    }
