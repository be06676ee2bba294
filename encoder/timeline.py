"""The timeline of an encode: the spans of every thread, recorded where $ENCODER_TRACE asks for it (see probe.py), else nothing.

Nothing is locked: a thread writes into its own lane, a tile's code into the tile's own memory. Room is made before it is
needed, and bounded ($ENCODER_TRACE_SPANS for the tiles): what finds none is counted, not kept.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from encoder.errors import ConfigError
from encoder.probe import COUNT_AT, DETAIL, DETAIL_AT, DETAILS, LOST_AT, SPAN_WORDS, SPANS_AT, TRACED, clock

TRACE_SPANS = "ENCODER_TRACE_SPANS"
"""The variable that says how many spans compiled code may leave, all tiles together."""
MOST_TILE_SPANS = 1_000_000
MOST_LANE_SPANS = 1 << 17
"""Of one thread: a frame has about 15."""
NONE = -1
LANE_FIELDS = ("name", "begin_ns", "end_ns", "frame", "tile", "memory", "first", "last")
"""Columns of a lane; `first` and `last` say which of the spans in a tile's memory, numbered `memory`, were recorded meanwhile."""
WAIT_FOR_TILES = "wait for tiles"
WAIT_FOR_ROWS = "wait for rows"
WAIT_FOR_FRAME = "wait for a frame"
WAIT_FOR_PREPARATION = "wait for preparation"
FRAME_IN, FRAME_OUT = "in", "out"
"""Marks: a picture was sent, a packet that shows it is ready."""


def _room(words: int) -> np.ndarray:
    """Zeroed integers, in memory of their own.

    Large blocks that go back to glibc's allocator change what it does with later ones (M_MMAP_THRESHOLD follows the largest): an
    encode behind another traced one would be 1.5 % faster than any without a timeline.
    """
    return np.frombuffer(mmap.mmap(-1, words * 8), np.int64)


class Lane:
    """The spans of one thread, in the order of their ends: `rows` has `count` rows of LANE_FIELDS."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.names: dict[str, int] = {}
        self.rows = _room(MOST_LANE_SPANS * len(LANE_FIELDS)).reshape(-1, len(LANE_FIELDS))
        self.count = self.lost = 0

    def add(self, name: str, *fields: int) -> None:
        """Record a span, or count it as lost where there is no room."""
        if self.count == len(self.rows):
            self.lost += 1
            return
        self.rows[self.count] = (self.names.setdefault(name, len(self.names)), *fields)
        self.count += 1


@dataclass
class _Recording:
    """The timeline of this process so far.

    spare   memory of tiles that nobody uses any more; clocks: ticks and monotonic nanoseconds of the same moments
    """

    lanes: list[Lane] = field(default_factory=list)
    tiles: list[np.ndarray] = field(default_factory=list)
    spare: list[np.ndarray] = field(default_factory=list)
    clocks: list[tuple[int, int]] = field(default_factory=list)
    read: Callable[[], int] | None = None


_recording = _Recording()
_own = threading.local()


def _lane() -> Lane:
    """The lane of this thread in the recording that runs."""
    if getattr(_own, "recording", None) is not _recording:
        _own.recording, _own.lane = _recording, Lane(threading.current_thread().name)
        _recording.lanes.append(_own.lane)
    lane: Lane = _own.lane
    return lane


@contextmanager
def span(name: str, frame: int = NONE, tile: int = NONE, memory: int = NONE) -> Iterator[None]:
    """The block is a span of this thread's lane, where a timeline is recorded.

    frame    display index; left out where a span around it says so
    memory   the number of the tile's (tile_spans), whose own spans belong to this one
    """
    if not DETAIL:
        yield
        return
    first = _count(memory)
    began = time.perf_counter_ns()
    try:
        yield
    finally:
        _lane().add(name, began, time.perf_counter_ns(), frame, tile, memory, first, _count(memory))


def _count(memory: int) -> int:
    return 0 if memory == NONE or not TRACED else int(_recording.tiles[memory][COUNT_AT])


def mark(name: str, frame: int) -> None:
    """Something happened to a frame now, where a timeline is recorded."""
    if DETAIL:
        now = time.perf_counter_ns()
        _lane().add(name, now, now, frame, NONE, NONE, 0, 0)


def tile_spans(tiles: int, interpreted: bool) -> list[np.ndarray]:
    """Memory for what the code of so many tiles at a time says of itself: t.spans. Raises ConfigError for a bad
    $ENCODER_TRACE_SPANS."""
    if not TRACED:
        return [np.zeros(SPANS_AT, np.int64) for _ in range(tiles)]
    words = SPANS_AT + max(1, _most_tile_spans() // tiles) * SPAN_WORDS
    memory, _recording.spare = _recording.spare, []
    if [len(each) for each in memory] != [words] * tiles:
        memory = [_room(words) for _ in range(tiles)]
        for each in memory:
            each.fill(0)  # the pages are there before they are measured
    for each in memory:
        each[:SPANS_AT] = 0
        each[DETAIL_AT] = DETAILS.index(DETAIL)
    _recording.tiles = memory
    _recording.read = time.perf_counter_ns if interpreted else _compiled_clock()
    _recording.clocks = [_both_clocks(_recording.read)]
    return memory


@cache
def _compiled_clock() -> Callable[[], int]:
    read: Callable[[], int] = njit(lambda: clock())
    return read


def _most_tile_spans() -> int:
    text = os.environ.get(TRACE_SPANS, "") or str(MOST_TILE_SPANS)
    if not text.isdecimal() or not 1 <= int(text) <= 100_000_000:
        raise ConfigError(f"${TRACE_SPANS} is {text!r}, accepted: 1 to 100000000 spans")
    return int(text)


def _both_clocks(read: Callable[[], int]) -> tuple[int, int]:
    """Ticks, and the monotonic nanoseconds of that moment as near as can be told."""
    read()  # compiles it
    tries = [(time.perf_counter_ns(), read(), time.perf_counter_ns()) for _ in range(20)]
    before, ticks, behind = min(tries, key=lambda each: each[2] - each[0])
    return ticks, (before + behind) // 2


def restart() -> None:
    """Forget what was recorded. The encoders of before must be done: the next one takes over their tiles' memory, since to make
    room anew takes longer than a small frame."""
    global _recording
    _recording = _Recording(spare=_recording.tiles)


def recorded() -> dict[str, Any]:
    """The timeline so far.

    lanes    of each thread: its name, the names that the first column of `rows` counts, rows (n, LANE_FIELDS), spans lost
    tiles    of each memory of the encoder that was made last: rows (n, 3): what and where, first tick, last tick; spans lost
    clocks   ticks and monotonic nanoseconds at two moments; none where compiled code has recorded nothing
    """
    if _recording.read is not None:
        _recording.clocks = [_recording.clocks[0], _both_clocks(_recording.read)]
    return {
        "detail": DETAIL,
        "lanes": [
            {"thread": each.thread, "names": list(each.names), "rows": each.rows[: each.count], "lost": each.lost}
            for each in _recording.lanes
        ],
        "tiles": [
            {
                "rows": each[SPANS_AT : SPANS_AT + int(each[COUNT_AT]) * SPAN_WORDS].reshape(-1, SPAN_WORDS),
                "lost": int(each[LOST_AT]),
            }
            for each in _recording.tiles
        ],
        "clocks": _recording.clocks,
    }
