"""What a timeline says: nesting, self time, the critical path, what idle threads waited for, latency, utilisation.

A timeline has lanes, one a thread, with spans that nest. Spans whose names are among `waits` are no work: their thread waits
for others. All functions are pure; times are nanoseconds from the beginning of the timeline.

The critical path is the chain of work and hand-overs that the end of the timeline waited for, walked from its end to its
beginning. Within a lane it follows the innermost span. Where that is a wait, it goes on where the last span of another lane
ended by then. Where a thread that had nothing to do begins to work, it goes on in the lane that works on the same frame then, and
has called for help; else in the lane that waits meanwhile, where this wait began, or where something was finished since, by that
thread or another one. Its steps lie end to end and are as long as the timeline.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from workbench.stats import median

NONE = -1
HAND_OVER, BETWEEN = "hand-over", "between spans"
"""Steps of the critical path that are no span: a thread wakes another one; what the thread does is not recorded."""
OWN = "unrecorded work of its own"
"""What a thread without spans does while all others wait for it."""
IN, OUT, CODED = "in", "out", "frame"


@dataclass(frozen=True)
class Timeline:
    """Spans as arrays, one entry a span, sorted by lane, begin and, of those that begin together, the outer first.

    parent       the span around each, NONE for none; depth counts them
    frame, tile  of the span or of those around it, else NONE
    place        block size | mi_row << 16 | mi_col << 32 of what compiled code did, else NONE
    marks        (name, frame, at_ns)
    crossed      spans that reached out of the one that they begin in, and were cut
    """

    lanes: tuple[str, ...]
    names: tuple[str, ...]
    waits: frozenset[str]
    lane: np.ndarray
    name: np.ndarray
    begin_ns: np.ndarray
    end_ns: np.ndarray
    frame: np.ndarray
    tile: np.ndarray
    place: np.ndarray
    parent: np.ndarray
    depth: np.ndarray
    marks: tuple[tuple[str, int, int], ...] = ()
    crossed: int = 0

    def __len__(self) -> int:
        return len(self.lane)

    @cached_property
    def wall_ns(self) -> int:
        """From the first span's begin, which is 0, to the last one's end."""
        return int(self.end_ns.max()) if len(self) else 0

    def label(self, span: int) -> str:
        """The name of a span."""
        return self.names[self.name[span]]

    def is_wait(self, span: int) -> bool:
        """Whether its thread waits."""
        return self.label(span) in self.waits

    def outermost(self, span: int) -> int:
        """The span itself, or the one around all those around it."""
        while self.parent[span] != NONE:
            span = int(self.parent[span])
        return span

    def stage(self, span: int) -> int:
        """The span itself, or the one around it that was not left by compiled code."""
        while self.place[span] != NONE and self.parent[span] != NONE:
            span = int(self.parent[span])
        return span


def timeline_of(data: Mapping[str, Any]) -> Timeline:
    """The timeline in a record of the instrument `trace`; see there for the columns. Begins at 0 whatever its spans say."""
    columns = {name: np.array(values, np.int64) for name, values in data["spans"].items()}
    order = np.lexsort(
        (-columns["end_ns"], columns["begin_ns"], columns["lane"])
    )  # stable: what stood first stays first
    columns = {name: column[order] for name, column in columns.items()}
    first = int(np.min(columns["begin_ns"])) if len(order) else 0
    columns["begin_ns"] -= first
    columns["end_ns"] -= first
    parent, depth, crossed = _nest(columns)
    return Timeline(
        lanes=tuple(data["lanes"]),
        names=tuple(data["names"]),
        waits=frozenset(data["waits"]),
        parent=parent,
        depth=depth,
        marks=tuple((mark["name"], mark["frame"], mark["at_ns"] - first) for mark in data.get("marks", ())),
        crossed=crossed,
        **columns,
    )


def _nest(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Parents and depths; cuts spans that cross others and hands frame and tile down, in place."""
    lane, begin, end = (columns[name].tolist() for name in ("lane", "begin_ns", "end_ns"))
    frame, tile = columns["frame"].tolist(), columns["tile"].tolist()
    parent, depth = [NONE] * len(lane), [0] * len(lane)
    crossed = 0
    around: list[int] = []
    for i in range(len(lane)):
        while around and (lane[around[-1]] != lane[i] or end[around[-1]] <= begin[i]):
            around.pop()
        if around:
            outer = parent[i] = around[-1]
            depth[i] = len(around)
            crossed += end[i] > end[outer]
            end[i] = min(end[i], end[outer])
            frame[i] = frame[outer] if frame[i] == NONE else frame[i]
            tile[i] = tile[outer] if tile[i] == NONE else tile[i]
        around.append(i)
    columns["end_ns"], columns["frame"], columns["tile"] = (np.array(each, np.int64) for each in (end, frame, tile))
    return np.array(parent, np.int64), np.array(depth, np.int64), crossed


def self_time_ns(timeline: Timeline) -> np.ndarray:
    """Of each span, its time without that of the spans directly inside."""
    spans_ns = timeline.end_ns - timeline.begin_ns
    own = spans_ns.copy()
    inner = timeline.parent != NONE
    np.subtract.at(own, timeline.parent[inner], spans_ns[inner])
    return own


@dataclass(frozen=True)
class Piece:
    """A stretch of a lane in which one span is the innermost; `span` is NONE where there is none."""

    begin_ns: int
    end_ns: int
    span: int


def pieces(timeline: Timeline) -> list[list[Piece]]:
    """Each lane as pieces end to end from 0 to the end of the timeline."""
    by_lane: list[list[Piece]] = [[] for _ in timeline.lanes]
    edges = np.searchsorted(timeline.lane, np.arange(len(timeline.lanes) + 1)).tolist()
    begin, end = timeline.begin_ns.tolist(), timeline.end_ns.tolist()
    for lane, taken in enumerate(by_lane):
        around: list[int] = []
        for i in range(edges[lane], edges[lane + 1]):
            while around and end[around[-1]] <= begin[i]:
                _reach(taken, end[around[-1]], around.pop())
            _reach(taken, begin[i], around[-1] if around else NONE)
            around.append(i)
        while around:
            _reach(taken, end[around[-1]], around.pop())
        _reach(taken, timeline.wall_ns, NONE)
    return by_lane


def _reach(taken: list[Piece], end_ns: int, span: int) -> None:
    """Let `span` be the innermost from where the pieces end so far to `end_ns`."""
    begin_ns = taken[-1].end_ns if taken else 0
    if end_ns > begin_ns:
        taken.append(Piece(begin_ns, end_ns, span))


# The critical path ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A step of the critical path: a lane does something that the rest waits for.

    span   NONE where it is no span
    what   the span's name, HAND_OVER or BETWEEN
    """

    lane: int
    begin_ns: int
    end_ns: int
    span: int
    what: str

    @property
    def duration_ns(self) -> int:
        """From begin to end."""
        return self.end_ns - self.begin_ns


def critical_path(timeline: Timeline, by_lane: Sequence[Sequence[Piece]]) -> list[Step]:
    """From the beginning to the end of the timeline, without gaps; `by_lane` are its pieces. See the module's docstring."""
    return _Walk(timeline, by_lane).steps() if len(timeline) else []


class _Walk:
    """A walk against the time: at `_at_ns` in `_lane`."""

    def __init__(self, timeline: Timeline, by_lane: Sequence[Sequence[Piece]]) -> None:
        self._timeline, self._by_lane = timeline, by_lane
        self._begins = [[piece.begin_ns for piece in lane] for lane in by_lane]
        is_wait = np.isin(timeline.name, [at for at, name in enumerate(timeline.names) if name in timeline.waits])
        outermost = (timeline.parent == NONE) & ~is_wait & (timeline.end_ns > timeline.begin_ns)
        lanes = range(len(by_lane))
        self._ends = [np.sort(timeline.end_ns[outermost & (timeline.lane == lane)]).tolist() for lane in lanes]
        waits = [np.flatnonzero(is_wait & (timeline.lane == lane)) for lane in lanes]
        self._waits = [
            list(zip(timeline.begin_ns[w].tolist(), timeline.end_ns[w].tolist(), strict=True)) for w in waits
        ]
        self._at_ns = timeline.wall_ns
        self._lane = int(timeline.lane[np.argmax(timeline.end_ns)])
        self._steps: list[Step] = []

    def steps(self) -> list[Step]:
        """The whole way, in the order of time. Who has gone to another lane at the same moment does not go on from there at once:
        two lanes may wait for each other."""
        has_moved = True
        while self._at_ns > 0:
            piece = self._piece()
            goes_to = self._origin(piece) if has_moved else None
            before = self._at_ns
            if goes_to is None:
                what = BETWEEN if piece.span == NONE else self._timeline.label(piece.span)
                self._step(piece.begin_ns, piece.span, what)
            else:
                self._step(goes_to[1], NONE, HAND_OVER)
                self._lane = goes_to[0]
            has_moved = self._at_ns < before
        return self._steps[::-1]

    def _step(self, begin_ns: int, span: int, what: str) -> None:
        if begin_ns < self._at_ns:
            self._steps.append(Step(self._lane, begin_ns, self._at_ns, span, what))
        self._at_ns = begin_ns

    def _piece(self) -> Piece:
        """What the lane did just before now."""
        return self._by_lane[self._lane][bisect_left(self._begins[self._lane], self._at_ns) - 1]

    def _origin(self, piece: Piece) -> tuple[int, int] | None:
        """Lane and time of what the lane waited for in a piece without work; None where it worked, or that cannot be told."""
        if piece.span == NONE:
            return self._same_frame() or self._waiting_lane(piece)
        if self._timeline.is_wait(piece.span):
            return self._last_end(int(self._timeline.begin_ns[piece.span]))
        return None

    def _same_frame(self) -> tuple[int, int] | None:
        """The lane that is at work, just now, within the frame that this one begins to work on a part of."""
        timeline, at = self._timeline, bisect_left(self._begins[self._lane], self._at_ns)
        begun = self._by_lane[self._lane][at].span if at < len(self._by_lane[self._lane]) else NONE
        if begun == NONE or timeline.frame[begun] == NONE:
            return None
        for lane, begins in enumerate(self._begins):
            span = self._by_lane[lane][bisect_left(begins, self._at_ns) - 1].span
            if lane == self._lane or span == NONE or timeline.is_wait(span):
                continue
            outermost = timeline.outermost(span)
            if outermost != span and timeline.tile[outermost] == NONE and timeline.frame[span] == timeline.frame[begun]:
                return lane, self._at_ns
        return None

    def _last_end(self, since_ns: int) -> tuple[int, int] | None:
        """Where a span of another lane ended last, behind `since_ns` and not behind now."""
        found: tuple[int, int] | None = None
        for lane, ends in enumerate(self._ends):
            at = bisect_right(ends, self._at_ns) - 1
            if lane != self._lane and at >= 0 and ends[at] > max(since_ns, found[1] if found else 0):
                found = lane, ends[at]
        return found

    def _waiting_lane(self, piece: Piece) -> tuple[int, int] | None:
        """Where another lane began to wait, and still does now; this lane itself where it worked until after that."""
        found: tuple[int, int] | None = None
        for lane, waits in enumerate(self._waits):
            at = bisect_right(waits, (self._at_ns, self._timeline.wall_ns)) - 1
            if lane != self._lane and at >= 0 and waits[at][1] >= self._at_ns and waits[at][0] > (found or (0, -1))[1]:
                found = lane, waits[at][0]
        if found is None:
            return None
        ended = self._last_end(found[1]) or found
        return (self._lane, piece.begin_ns) if piece.begin_ns > found[1] and piece.begin_ns >= ended[1] else ended


def path_of_stages(timeline: Timeline, path: Sequence[Step]) -> list[Step]:
    """The same path, what compiled code did within one span of a thread as one step."""
    merged: list[Step] = []
    for step in path:
        span = NONE if step.span == NONE else timeline.stage(step.span)
        what = step.what if span == NONE else timeline.label(span)
        begin_ns = step.begin_ns
        if merged and (merged[-1].lane, merged[-1].span, merged[-1].what) == (step.lane, span, what):
            begin_ns = merged.pop().begin_ns
        merged.append(Step(step.lane, begin_ns, step.end_ns, span, what))
    return merged


def time_by_name_ns(path: Sequence[Step]) -> dict[str, int]:
    """Time on a critical path by what is done, the longest first."""
    total: Counter[str] = Counter()
    for step in path:
        total[step.what] += step.duration_ns
    return dict(total.most_common())


# Idle threads ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """A thread has nothing to do, in a span that says so or in none, and what for: the step of the critical path meanwhile, by
    its number; NONE where that is in its own lane."""

    lane: int
    begin_ns: int
    end_ns: int
    span: int
    cause: int


def idle_gaps(timeline: Timeline, by_lane: Sequence[Sequence[Piece]], path: Sequence[Step]) -> Iterator[Gap]:
    """All idle time of all lanes, cut where the critical path goes on to something else."""
    begins = [step.begin_ns for step in path]
    for lane, lane_pieces in enumerate(by_lane):
        for piece in lane_pieces:
            if piece.span != NONE and not timeline.is_wait(piece.span):
                continue
            at = bisect_right(begins, piece.begin_ns) - 1
            while at < len(path) and path[at].begin_ns < piece.end_ns:
                step = path[at]
                ends = max(piece.begin_ns, step.begin_ns), min(piece.end_ns, step.end_ns)
                is_own = step.lane == lane and step.what != HAND_OVER
                yield Gap(lane, *ends, piece.span, NONE if is_own else at)
                at += 1


def cause_name(path: Sequence[Step], gap: Gap) -> str:
    """What an idle thread waited for: a stage, HAND_OVER, or OWN."""
    return OWN if gap.cause == NONE else path[gap.cause].what


def idle_by_cause_ns(timeline: Timeline, path: Sequence[Step], gaps: Sequence[Gap]) -> list[dict[str, int]]:
    """Idle time of each lane by cause, the longest first."""
    totals: list[Counter[str]] = [Counter() for _ in timeline.lanes]
    for gap in gaps:
        totals[gap.lane][cause_name(path, gap)] += gap.end_ns - gap.begin_ns
    return [dict(total.most_common()) for total in totals]


def busy_ns(timeline: Timeline, by_lane: Sequence[Sequence[Piece]]) -> list[int]:
    """Of each lane, the time in which it works."""
    return [
        sum(p.end_ns - p.begin_ns for p in lane if p.span != NONE and not timeline.is_wait(p.span)) for lane in by_lane
    ]


def queue_ns(timeline: Timeline) -> dict[int, int]:
    """Of each tile that begins a lane's work, how long it stood in the queue: since the stage began, in another lane, that it is
    part of."""
    found = {}
    outermost, tiles = timeline.parent == NONE, timeline.tile != NONE
    for span in np.flatnonzero(outermost & tiles).tolist():
        begin = timeline.begin_ns[span]
        around = (timeline.frame == timeline.frame[span]) & ~tiles & (timeline.lane != timeline.lane[span])
        around &= (timeline.begin_ns <= begin) & (timeline.end_ns >= begin) & (timeline.depth > 0)
        stages = [at for at in np.flatnonzero(around).tolist() if not timeline.is_wait(at)]
        if stages:
            found[span] = int(begin - timeline.begin_ns[stages].max())
    return found


# Latency --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Latency:
    """A picture on its way from frame in to packet out, `frame` its place in the order of display.

    waits for others before it is coded; is coded; waits again to be shown in its turn.
    """

    frame: int
    in_ns: int
    coded_begin_ns: int
    coded_end_ns: int
    out_ns: int

    @property
    def total_ns(self) -> int:
        """From in to out."""
        return self.out_ns - self.in_ns


def latencies(timeline: Timeline) -> list[Latency]:
    """Of all pictures of which every moment is recorded, in the order of display."""
    moments: dict[str, dict[int, int]] = {IN: {}, OUT: {}}
    for name, frame, at_ns in timeline.marks:
        moments.setdefault(name, {})[frame] = at_ns
    coded = {}
    if CODED in timeline.names:
        for span in np.flatnonzero(timeline.name == timeline.names.index(CODED)).tolist():
            coded[int(timeline.frame[span])] = int(timeline.begin_ns[span]), int(timeline.end_ns[span])
    whole = sorted(moments[IN].keys() & moments[OUT].keys() & coded.keys())
    return [Latency(frame, moments[IN][frame], *coded[frame], moments[OUT][frame]) for frame in whole]


# All of it ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LaneUse:
    """A thread: its name, the time it worked, its idle time by cause."""

    name: str
    busy_ns: int
    idle_ns: Mapping[str, int]


@dataclass(frozen=True)
class TimelineFindings:
    """What is worth saying of a timeline; see the functions above."""

    timeline: Timeline
    path: tuple[Step, ...]  # of stages
    path_by_stage_ns: Mapping[str, int]
    path_inside_ns: Mapping[str, int]
    gaps: tuple[Gap, ...]
    lanes: tuple[LaneUse, ...]
    latencies: tuple[Latency, ...]
    queued_ns: Mapping[int, int]

    @property
    def busy_threads(self) -> float:
        """How many threads work at a time, on average."""
        return sum(lane.busy_ns for lane in self.lanes) / self.timeline.wall_ns if self.timeline.wall_ns else 0.0

    def latency_ns(self) -> tuple[float, int] | None:
        """Median and largest latency; None where there is none."""
        totals = [latency.total_ns for latency in self.latencies]
        return (median(totals), max(totals)) if totals else None


def timeline_findings(data: Mapping[str, Any]) -> TimelineFindings:
    """Everything that the data of a record of the instrument `trace` says."""
    timeline = timeline_of(data)
    by_lane = pieces(timeline)
    whole_path = critical_path(timeline, by_lane)
    path = path_of_stages(timeline, whole_path)
    gaps = tuple(idle_gaps(timeline, by_lane, path))
    busy, idle = busy_ns(timeline, by_lane), idle_by_cause_ns(timeline, path, gaps)
    return TimelineFindings(
        timeline=timeline,
        path=tuple(path),
        path_by_stage_ns=time_by_name_ns(path),
        path_inside_ns=time_by_name_ns(whole_path),
        gaps=gaps,
        lanes=tuple(LaneUse(*lane) for lane in zip(timeline.lanes, busy, idle, strict=True)),
        latencies=tuple(latencies(timeline)),
        queued_ns=queue_ns(timeline),
    )
