"""A timeline for other programs: the Trace Event Format, which Perfetto and chrome://tracing open, and speedscope's format.

Trace Event Format: the document of that name by the authors of Chrome's trace viewer; complete events (`X`) for spans, async
events (`b`, `e`) for pictures from frame in to packet out, flow events (`s`, `f`) for hand-overs on the critical path. Perfetto
drops a span that is not wholly inside another one of its thread, be it by a nanosecond, and takes the first of two that begin
together for the outer one. `displayTimeUnit` is left out: versions before 2022 took it for the unit of all times.
speedscope: evented profiles of its published schema (src/lib/file-format-spec.ts of its sources), one a thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workbench.analysis.timeline import HAND_OVER, NONE, Gap, Timeline, TimelineFindings, cause_name

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_PROCESS = 1
_BLOCK_SIDES = {3 * level: 4 << level for level in range(5)}


def place_text(place: int) -> str:
    """`16x16 at 64,32` (column, row in luma samples) of a place that compiled code left; empty for NONE."""
    if place == NONE:
        return ""
    side = _BLOCK_SIDES[place & 0xFFFF]
    return f"{side}x{side} at {4 * (place >> 32 & 0xFFFF)},{4 * (place >> 16 & 0xFFFF)}"


def chrome_trace(found: TimelineFindings, title: str) -> dict[str, Any]:
    """The file's contents, for `json`: threads, spans, what idle threads wait for, pictures on their way, the critical path."""
    timeline = found.timeline
    events = [
        {"ph": "M", "pid": _PROCESS, "name": "process_name", "args": {"name": title}},
        *_threads(timeline),
        *_spans(timeline),
        *(_idle(found, gap) for gap in found.gaps if gap.span == NONE),  # else that span stands there
        *_pictures(found),
        *_hand_overs(found),
    ]
    return {"otherData": {"title": title}, "traceEvents": events}


def _threads(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for lane, name in enumerate(timeline.lanes):
        about = {"ph": "M", "pid": _PROCESS, "tid": lane + 1}
        yield about | {"name": "thread_name", "args": {"name": name}}
        yield about | {"name": "thread_sort_index", "args": {"sort_index": lane}}


def _microseconds(ns: int) -> float:
    """The unit of the format, such that a reader that cuts off digits below the nanosecond has `ns` again, as one that rounds."""
    value = ns / 1e3
    return value if int(value * 1e3) == ns else math.nextafter(value, math.inf)


def _event(name: str, category: str, lane: int, begin_ns: int, end_ns: int) -> dict[str, Any]:
    """A complete event."""
    times = {"ts": _microseconds(begin_ns), "dur": _microseconds(end_ns - begin_ns)}
    return {"ph": "X", "name": name, "cat": category, "pid": _PROCESS, "tid": lane + 1, **times}


def _spans(timeline: Timeline) -> Iterator[dict[str, Any]]:
    columns = (timeline.lane, timeline.begin_ns, timeline.end_ns, timeline.frame, timeline.tile, timeline.place)
    rows = zip(timeline.name.tolist(), *(column.tolist() for column in columns), strict=True)
    for name, lane, begin_ns, end_ns, frame, tile, place in rows:
        label = timeline.names[name]
        about = {"frame": frame, "tile": tile, "place": place_text(place) if place != NONE else NONE}
        arguments = {key: value for key, value in about.items() if value != NONE}
        event = _event(label, "wait" if label in timeline.waits else "work", lane, begin_ns, end_ns)
        yield event | ({"args": arguments} if arguments else {})


def _idle(found: TimelineFindings, gap: Gap) -> dict[str, Any]:
    cause = cause_name(found.path, gap)
    return _event(f"idle: {cause}", "idle", gap.lane, gap.begin_ns, gap.end_ns)


def _pictures(found: TimelineFindings) -> Iterator[dict[str, Any]]:
    for latency in found.latencies:
        about = {"cat": "latency", "name": f"picture {latency.frame}", "id": latency.frame, "pid": _PROCESS, "tid": 1}
        yield about | {"ph": "b", "ts": _microseconds(latency.in_ns)}
        yield about | {"ph": "e", "ts": _microseconds(latency.out_ns)}


def _hand_overs(found: TimelineFindings) -> Iterator[dict[str, Any]]:
    """An arrow from lane to lane wherever the critical path changes; it begins inside of what ends there."""
    for number, (before, behind) in enumerate(zip(found.path, found.path[1:], strict=False)):
        if before.lane == behind.lane:
            continue
        about = {"cat": "critical path", "name": HAND_OVER, "id": number, "pid": _PROCESS}
        yield about | {"ph": "s", "tid": before.lane + 1, "ts": _microseconds(before.end_ns - 1)}
        yield about | {"ph": "f", "bp": "e", "tid": behind.lane + 1, "ts": _microseconds(behind.begin_ns)}


def speedscope_timeline(found: TimelineFindings, title: str) -> dict[str, Any]:
    """The file's contents, for `json`: a profile a thread, its spans opened and closed in order."""
    timeline = found.timeline
    return {
        "$schema": SPEEDSCOPE_SCHEMA,
        "name": title,
        "exporter": "encoder-workbench",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in timeline.names]},
        "profiles": [
            {
                "type": "evented",
                "name": name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": timeline.wall_ns,
                "events": list(_opened_and_closed(timeline, lane)),
            }
            for lane, name in enumerate(timeline.lanes)
        ],
    }


def _opened_and_closed(timeline: Timeline, lane: int) -> Iterator[dict[str, Any]]:
    spans = (timeline.lane == lane).nonzero()[0]
    columns = (timeline.name, timeline.begin_ns, timeline.end_ns, timeline.depth)
    around: list[tuple[int, int]] = []
    for name, begin_ns, end_ns, depth in zip(*(column[spans].tolist() for column in columns), strict=True):
        while len(around) > depth:
            yield _closed(*around.pop())
        yield {"type": "O", "frame": name, "at": begin_ns}
        around.append((name, end_ns))
    while around:
        yield _closed(*around.pop())


def _closed(name: int, end_ns: int) -> dict[str, Any]:
    return {"type": "C", "frame": name, "at": end_ns}
