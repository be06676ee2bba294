"""What a run of `workbench memory` found: one side, or two to compare, each with what was measured of it.

Records of a side carry its number in `data["side"]`, 0 for the subject and 1 for what it is compared with.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from workbench.analysis.memory_growth import PARTS, Rise, blocks_rise, is_long_enough, rise
from workbench.analysis.subjects import by_subject
from workbench.record import Record, Run

SUPERBLOCK = 64
SIDE = "side"
SWEEP = "sweep_max_rss"
BLOCK, PYTHON_OBJECT, ARRAY = "block", "Python object", "array"
_METRICS = ("max_rss", "allocations", "kernel_allocations", "python_objects")
_WALL = "wall"  # whole encodes: their resident sets have no timeline
_LEAST_OBJECTS = 1 / 8  # small objects a frame: figures of the program itself come and go
_NUMBAS_OWN = ("numba.", "NRT_")


@dataclass(frozen=True)
class Resident:
    """The resident set of one process: its maximum by wait4, and samples (seconds, bytes, of those bytes of files)."""

    max_bytes: float
    samples: tuple[tuple[float, float, float], ...]
    rate_hz: float
    wall_s: float
    ended: int


@dataclass(frozen=True)
class Place:
    """A place in the source that allocates, all stacks that end there added up.

    stack      the one that asks for most bytes, innermost first
    live       blocks that were not freed at the end, live_bytes theirs; peak_bytes what lived when most did
    levels     blocks and bytes alive at each level mark; empty where never any were
    loading    a module is being imported there, or a function compiled: it grows while a program starts, and is no leak
    """

    where: str
    stack: tuple[str, ...]
    count: int
    total_bytes: int
    temporary: int
    live: int
    live_bytes: int
    peak_bytes: int
    levels: tuple[tuple[int, int], ...] = ()
    loading: bool = False


@dataclass(frozen=True)
class Leak:
    """A place whose memory grows; `by` is BLOCK, PYTHON_OBJECT, or in compiled code ARRAY."""

    where: str
    stack: tuple[str, ...]
    rise: Rise
    by: str

    @property
    def line(self) -> str:
        """File and line alone."""
        return self.where.partition(" ")[0]


@dataclass(frozen=True)
class Steady:
    """The steady state of an encode, or a program from its start to its end.

    frames        None for a program
    curve         (frames or seconds since the beginning, blocks, bytes) alive, the most in each step
    objects_rise  small Python objects more after each mark; None where their number does not rise
    compiled      allocations of compiled code by numba's own count; None where it was not counting
    judged        marks by which leaks are told: all frames, of a program the slices of time behind its last import
    """

    frames: int | None
    marks: int
    warm_up: int
    count: int
    total_bytes: int
    temporary: int
    peak_count: int
    peak_bytes: int
    places: tuple[Place, ...]
    curve: tuple[tuple[float, int, int], ...]
    seconds: float
    objects_rise: float | None
    compiled: int | None
    leaks: tuple[Leak, ...]
    judged: int
    is_decided: bool


@dataclass(frozen=True)
class Compiled:
    """A compiled function that allocates, under the kernel's slot where it works for one.

    stack   compiled functions, innermost first, of the stack that allocates most
    live    blocks alive at the notes of the run, None where they cannot be followed to their end
    """

    where: str
    stack: tuple[str, ...]
    count: int
    total_bytes: int
    live: tuple[int, ...] | None


@dataclass(frozen=True)
class CompiledCode:
    """Allocations of compiled code: `count` of its own, `at_the_border` made for arrays that enter it."""

    frames: int | None
    count: int
    total_bytes: int
    at_the_border: int
    functions: tuple[Compiled, ...]
    leaks: tuple[Leak, ...]


@dataclass(frozen=True)
class SweepRow:
    """One size or number of threads, and the maximum resident set with it."""

    label: str
    x: float
    max_bytes: float


@dataclass(frozen=True)
class Side:
    """One version: what was measured of it; None where it was not."""

    title: str
    subject: Mapping[str, Any]
    resident: Resident | None = None
    steady: Steady | None = None
    object_leaks: tuple[Leak, ...] | None = None
    compiled: CompiledCode | None = None
    warnings: tuple[str, ...] = ()

    @property
    def frames(self) -> int | None:
        """Frames of the steady state; None for a program."""
        return self.steady.frames if self.steady else None

    @property
    def superblocks(self) -> int | None:
        """Of a frame, 64x64 samples each; None for a program."""
        width, height = self.subject.get("width"), self.subject.get("height")
        return -(-width // SUPERBLOCK) * -(-height // SUPERBLOCK) if width and height else None

    @property
    def allocations_per_frame(self) -> float | None:
        """Blocks asked for by a frame of the steady state."""
        return self.steady.count / self.frames if self.steady and self.frames else None

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """All that grows: blocks, small Python objects where they were tracked, arrays of compiled code."""
        found = self.steady.leaks if self.steady else ()
        # Large Python objects are blocks as well: each line is named once.
        known = {leak.line for leak in found}
        inside = self.compiled.leaks if self.compiled else ()
        return (*found, *(leak for leak in self.object_leaks or () if leak.line not in known), *inside)

    @property
    def unnamed_objects_rise(self) -> float | None:
        """Python objects more with each frame, where nobody has looked for the places that keep them; None where they do not
        grow in number, or were looked for."""
        return self.steady.objects_rise if self.steady and self.object_leaks is None else None

    @property
    def garbage_rise(self) -> float | None:
        """Python objects more with each frame that no place keeps: they wait for the garbage collector."""
        return self.steady.objects_rise if self.steady and self.object_leaks == () else None


@dataclass(frozen=True)
class Sides:
    """The whole run: one side or two, and a sweep where one was asked for (`by` is "resolution" or "threads")."""

    sides: tuple[Side, ...]
    by: str = ""
    sweep: tuple[SweepRow, ...] = ()
    notes: tuple[str, ...] = ()
    gates: tuple[str, ...] = field(default=())


def memory_sides(run: Run) -> Sides:
    """What the records of a run say."""
    numbers = sorted({int(record.data.get(SIDE, 0)) for record in run.records if record.metric != SWEEP})
    titles = run.header.get("titles") or ["the subject"]
    sides = [
        _side(
            [record for record in run.records if record.data.get(SIDE, 0) == number and record.metric != SWEEP], title
        )
        for number, title in zip(numbers, titles, strict=False)
    ]
    swept = run.select(metric=SWEEP)
    rows = tuple(SweepRow(str(one.data["label"]), float(one.data["x"]), one.values[0]) for one in swept if one.values)
    notes = tuple(dict.fromkeys(text for one in swept for text in one.warnings))
    by = str(swept[0].data["by"]) if swept else ""
    return Sides(tuple(sides), by, rows, notes)


def sides_by_subject(run: Run) -> list[Side]:
    """The same of a profile: a side for each clip and kernel set, in the order taken, its title the clip."""
    taken = [record for record in run.records if record.metric in _METRICS and record.instrument != _WALL]
    return [_side(records, subject.clip) for subject, records in by_subject(taken).items()]


def _side(records: Sequence[Record], title: str) -> Side:
    by_metric = {record.metric: record for record in records}
    resident, steady, compiled = (by_metric.get(name) for name in ("max_rss", "allocations", "kernel_allocations"))
    objects = by_metric.get("python_objects")
    warnings = tuple(dict.fromkeys(text for record in records for text in record.warnings))
    return Side(
        title=title,
        subject=records[0].subject if records else {},
        resident=_resident(resident) if resident and resident.values else None,
        steady=steady_of(steady) if steady and steady.values else None,
        object_leaks=object_leaks(objects) if objects and objects.values else None,
        compiled=compiled_of(compiled) if compiled and compiled.values else None,
        warnings=warnings,
    )


def _resident(record: Record) -> Resident:
    data = record.data
    samples = tuple((float(t), float(size), float(of_files)) for t, size, of_files in data.get("samples", ()))
    wall_s = float(data.get("wall_s", samples[-1][0] if samples else 0.0))
    return Resident(record.values[0], samples, float(data.get("rate_hz", 0.0)), wall_s, int(data.get("exit_status", 0)))


# --- the steady state -------------------------------------------------------------------------------------------------


def steady_of(record: Record) -> Steady:
    """What a record of allocations holds."""
    data = record.data
    frames, marks = data.get("frames"), data.get("marks", [])
    places = places_of(data.get("sites", ()))
    level_marks = data.get("level_marks", [])
    first = 1 if frames is not None else loaded(places, len(level_marks))
    step = float(level_marks[1] - level_marks[0]) if len(level_marks) > 1 else 1.0
    judged = int((len(level_marks) - first) * step)
    decided = is_long_enough(judged, frames is not None)
    compiled = [allocated for allocated, _ in data.get("compiled", ())]
    seconds = data.get("mark_s", [])
    return Steady(
        frames=frames,
        marks=max(0, len(marks) - 1),
        warm_up=int(data.get("warm_up", 0)),
        count=int(record.values[0]),
        total_bytes=int(data.get("total_bytes", 0)),
        temporary=int(data.get("temporary", 0)),
        peak_count=int(data.get("peak_count", 0)),
        peak_bytes=int(data.get("peak_bytes", 0)),
        places=places,
        curve=curve_of(data),
        seconds=seconds[-1] - seconds[0] if seconds else 0.0,
        # A program's number of objects rises while it imports: that tells nothing.
        objects_rise=blocks_rise(data.get("python_blocks", ())[1:]) if decided and frames is not None else None,
        compiled=_difference(compiled),
        leaks=_leaks(places, first, step, BLOCK) if decided else (),
        judged=judged,
        is_decided=decided,
    )


def object_leaks(record: Record) -> tuple[Leak, ...]:
    """Places whose Python objects grow in number or size; none where the run is too short."""
    marks = record.data.get("level_marks", [])
    if not is_long_enough(len(marks) - 1, True):
        return ()
    found = _leaks(places_of(record.data.get("sites", ())), 1, 1.0, PYTHON_OBJECT)
    return tuple(leak for leak in found if leak.rise.blocks <= 0 or leak.rise.blocks >= _LEAST_OBJECTS)


def _difference(counts: Sequence[int]) -> int | None:
    """How far numba's count has risen; it is -1 while numba is not loaded. None where it never was."""
    return counts[-1] - max(0, counts[0]) if counts and counts[-1] >= 0 else None


def places_of(sites: Sequence[Mapping[str, Any]]) -> tuple[Place, ...]:
    """Stacks that end at the same place added up, the largest first."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for site in sites:
        grouped.setdefault(str(site["site"]), []).append(site)
    places = [_place(where, stacks) for where, stacks in grouped.items()]
    return tuple(sorted(places, key=lambda place: (-place.total_bytes, place.where)))


def _place(where: str, sites: Sequence[Mapping[str, Any]]) -> Place:
    def total(key: str) -> int:
        return sum(int(site.get(key, 0)) for site in sites)

    with_levels = [site["levels"] for site in sites if "levels" in site]
    levels = tuple(
        (sum(int(at[0]) for at in level), sum(int(at[1]) for at in level)) for level in zip(*with_levels, strict=True)
    )
    largest = max(sites, key=lambda site: int(site.get("bytes", site["live_bytes"])))
    return Place(
        where=where,
        stack=tuple(largest.get("stack", ())),
        count=total("count"),
        total_bytes=total("bytes"),
        temporary=total("temporary"),
        live=total("live"),
        live_bytes=total("live_bytes"),
        peak_bytes=total("peak_bytes"),
        levels=levels,
        loading=any(site.get("loading") for site in sites),
    )


def loaded(places: Sequence[Place], levels: int) -> int:
    """The first level behind which a program imports and compiles no more. Its end is left out: it may import to say goodbye."""
    loading = [place.levels for place in places if place.loading and place.levels]
    first = 1
    for level in range(1, levels - 1):
        if any(own[level][0] > own[level - 1][0] for own in loading):
            first = level + 1
    return first


def _leaks(places: Sequence[Place], first: int, step: float, by: str) -> tuple[Leak, ...]:
    """What grows from level `first` on, `step` marks from one level to the next."""
    found = [
        Leak(place.where, place.stack, grown, by)
        for place in places
        if place.levels and not place.loading and (grown := rise(place.levels[first:], step)) is not None
    ]
    return tuple(sorted(found, key=lambda leak: -leak.rise.size_bytes))


def curve_of(data: Mapping[str, Any]) -> tuple[tuple[float, int, int], ...]:
    """The curve of a replay over frames, or over seconds where there are none: between two marks, records are taken to come
    evenly."""
    curve, marks = data.get("curve"), data.get("marks", [])
    if not curve or len(marks) < 2:
        return ()
    records = [int(mark[0]) for mark in marks]
    has_frames = data.get("frames") is not None
    seconds = data.get("mark_s", [])
    xs = [float(at) for at in range(len(marks))] if has_frames or len(seconds) < len(marks) else list(seconds)
    return tuple(
        (_between(at * curve["step"], records, xs), int(count), int(size))
        for at, (count, size) in enumerate(zip(curve["counts"], curve["bytes"], strict=True))
    )


def _between(record: int, records: Sequence[int], xs: Sequence[float]) -> float:
    after = bisect_right(records, record)
    if after == 0 or after == len(records):
        return xs[min(after, len(records) - 1)]
    low, high = records[after - 1], records[after]
    return xs[after - 1] + (xs[after] - xs[after - 1]) * (record - low) / (high - low)


# --- compiled code ----------------------------------------------------------------------------------------------------


def compiled_of(record: Record) -> CompiledCode:
    """What a record of allocations in compiled code holds."""
    data = record.data
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for stack in data.get("stacks", ()):
        grouped.setdefault(compiled_name(stack["functions"]), []).append(stack)
    functions = [_compiled(where, stacks) for where, stacks in grouped.items()]
    statistics = data.get("statistics", [])
    counted = _difference([allocated for allocated, _ in statistics])
    frames = data.get("frames")
    return CompiledCode(
        frames=frames,
        count=int(record.values[0]),
        total_bytes=int(data.get("bytes", 0)),
        at_the_border=max(0, counted - int(data.get("counted", 0))) if counted is not None else 0,
        functions=tuple(sorted(functions, key=lambda one: (-one.count, one.where))),
        leaks=tuple(leak for one in functions if (leak := _compiled_leak(one, frames)) is not None),
    )


def compiled_name(functions: Sequence[Sequence[str]]) -> str:
    """What a stack of compiled functions ([name, slot], innermost first) is called: the kernel that it works for, with the
    innermost function where that is another one, or the innermost function that is not numba's own."""
    own = [(name, slot) for name, slot in functions if not name.startswith(_NUMBAS_OWN)]
    if not own:
        return functions[0][0] if functions else "[unknown]"
    kernel = next((slot for _, slot in own if slot), "")
    innermost, its_slot = own[0]
    if not kernel:
        return innermost.removeprefix("encoder.")
    return kernel if its_slot else f"{kernel}: {innermost.removeprefix('encoder.')}"


def _compiled(where: str, stacks: Sequence[Mapping[str, Any]]) -> Compiled:
    largest = max(stacks, key=lambda stack: int(stack["count"]))
    live: tuple[int, ...] | None = None
    if all(stack["live"] is not None for stack in stacks):
        live = tuple(sum(at) for at in zip(*(stack["live"] for stack in stacks), strict=True))
    return Compiled(
        where=where,
        stack=tuple(name.removeprefix("encoder.") for name, _ in largest["functions"]),
        count=sum(int(stack["count"]) for stack in stacks),
        total_bytes=sum(int(stack["bytes"]) for stack in stacks),
        live=live,
    )


def _compiled_leak(function: Compiled, frames: int | None) -> Leak | None:
    """A function whose arrays are more at each note than at the one before."""
    if function.live is None or len(function.live) <= PARTS or not frames or not is_long_enough(frames, True):
        return None
    steps = [after - before for before, after in pairwise(function.live)]
    if min(steps) <= 0:
        return None
    blocks = (function.live[-1] - function.live[0]) / frames
    return Leak(function.where, function.stack, Rise(blocks, blocks * function.total_bytes / function.count), ARRAY)
