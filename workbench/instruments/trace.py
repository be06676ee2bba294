"""A timeline of one encode: the encoder's own spans, thread by thread, and what recording them costs."""

from __future__ import annotations

import dataclasses
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench import units
from workbench.encode import STATS, STREAM, encode, encode_with_stats, without_folder
from workbench.errors import SubjectError
from workbench.machine import cores
from workbench.record import Record
from workbench.subject import Encoder, Subject

INSTRUMENT = "trace"
DETAILS = ("tile", "row", "block")
ROUNDS = 8
COLUMNS = ("lane", "name", "begin_ns", "end_ns", "frame", "tile", "place")
NONE = -1
MARKS = ("in", "out")  # of a frame: handed to the encoder, its packet ready
WAITS = ("wait for tiles", "wait for rows", "wait for preparation", "wait for a frame")
CLOCK_LIMIT_NS = 100_000
_SPANS, _PAIRS = "spans.npz", "pairs.json"
_TRACE, _TRACE_SPANS = "ENCODER_TRACE", "ENCODER_TRACE_SPANS"
_INSIDE = "workbench.instruments.inside"
_MAIN = "MainThread"
_LABELS = {"entropy": "symbols"}  # of a block; the frame has a stage of that name
_FRAME_FIELDS = ("display_index", "type", "layer", "bytes", "shown", "wall_s")


def measure(subject: Subject, detail: str, most_spans: int, folder: Path, timeout_s: float) -> Record:
    """Encode once with spans recorded. The value is the wall seconds from the first span to the end of the last.

    detail       "tile", "row" (of superblocks) or "block"
    most_spans   room for what compiled code leaves, all tiles together; what finds none is counted as lost
    data         lanes: threads; names: of spans; waits: those of them that are no work; spans: a list a COLUMN, sorted by lane,
                 begin and, of those that begin together, the outer first; frame, tile and place are -1 where they do not
                 apply or a span around says; place is block size (12 is 64x64) | mi_row << 16 | mi_col << 32;
                 marks: name, frame, at_ns; frames: of the encoder's figures; lost: spans; threads: asked for; cores: there
    Times are nanoseconds from the first span. Raises SubjectError when the encoder dies or leaves no spans.
    """
    (folder / _SPANS).unlink(missing_ok=True)
    own = f"{_INSIDE}.traced", str(folder / _SPANS)
    traced = subject.change(encoder=_inside(subject.encoder, own, {_TRACE: detail, _TRACE_SPANS: str(most_spans)}))
    _, stats = encode_with_stats(traced, folder, timeout_s)
    command = without_folder(traced.command(folder / STREAM, "--stats", str(folder / STATS)), folder)
    about, arrays = _read(folder / _SPANS, command)
    timeline, warnings = _timeline(about, arrays)
    data = {
        **timeline,
        "detail": detail,
        "frames": [{name: frame[name] for name in _FRAME_FIELDS} for frame in stats["frames"]],
        "interpreted": stats["interpreted"],
        "threads": stats["threads"],
        "cores": cores(),
        "tiles": stats["tiles"]["count"],
    }
    wall_s = (max(timeline["spans"]["end_ns"]) - min(timeline["spans"]["begin_ns"])) / 1e9
    return Record(INSTRUMENT, "timeline", "s", subject.entry(), (wall_s,), data, tuple(warnings), command)


def measure_overhead(subject: Subject, detail: str, folder: Path, timeout_s: float, seconds: float) -> Record:
    """What recording costs: the encode by the build that records and by the normal one in turns, packet by packet, for so many
    processor seconds.

    The values are ratios of processor time of a packet, recorded to plain; data: `rounds` of pairs [plain_s, recorded_s].
    """
    builds = json.dumps([{_TRACE: None}, {_TRACE: detail}])
    own = f"{_INSIDE}.alternated", str(folder / _PAIRS), str(seconds), str(ROUNDS), builds, "--"
    alternated = subject.change(encoder=_inside(subject.encoder, own, {}))
    encode(alternated, folder, timeout_s + seconds)
    rounds = json.loads((folder / _PAIRS).read_text(encoding="utf-8"))
    ratios = tuple(recorded_s / plain_s for pairs in rounds for plain_s, recorded_s in pairs if plain_s)
    command = without_folder(alternated.command(folder / STREAM), folder)
    data = {"detail": detail, "rounds": rounds}
    return Record(INSTRUMENT, "overhead", "ratio", subject.entry(), ratios, data, command=command)


def _inside(encoder: Encoder, words: Sequence[str], environment: dict[str, str]) -> Encoder:
    """Our encoder started by one of the programs of instruments/inside."""
    start = (sys.executable, "-m", *words)
    return dataclasses.replace(encoder, start=start, environment={**encoder.environment, **environment})


def _read(path: Path, command: Sequence[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("about")))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SubjectError(f"{' '.join(command)}: left no usable spans: {error}") from error
    return about, arrays


def _timeline(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    """Lanes, names, spans and marks as `measure` has them, and what is wrong with them."""
    names: dict[str, int] = {}
    lanes = _in_order(about["lanes"])
    parts, marks, off_ns = [], [], 0
    for place, at in enumerate(lanes):
        rows = arrays[f"lane {at}"].copy()
        own = np.array([names.setdefault(name, len(names)) for name in about["lanes"][at]["names"]], np.int64)
        rows[:, 0] = own[rows[:, 0]]
        of_lane, is_mark = np.full(len(rows), place), np.isin(rows[:, 0], [names[m] for m in MARKS if m in names])
        marks += rows[is_mark].tolist()
        of_tiles, worst = _tile_spans(about, arrays, rows[~is_mark], names)
        off_ns = max(off_ns, worst)
        # A lane's rows stand in the order of their ends, so that of spans alike the outer one is the later row.
        order = np.arange(len(rows), 0, -1)
        plain = np.column_stack([of_lane, rows[:, :5], np.full(len(rows), NONE), order])[~is_mark]
        parts += [plain, np.column_stack([np.full(len(of_tiles), place), of_tiles])]
    table = np.concatenate(parts)
    if not len(table):
        raise SubjectError("the encoder recorded no spans")
    lane, _, begin, end, *_, order = table.T
    table = table[np.lexsort((order, -end, begin, lane))]
    first = int(begin.min())
    table[:, 2:4] -= first
    timeline = {
        "lanes": [_lane_name(about["lanes"][at]["thread"]) for at in lanes],
        "names": list(names),
        "waits": list(WAITS),
        "spans": dict(zip(COLUMNS, table.T.tolist(), strict=False)),
        "marks": [{"name": list(names)[row[0]], "frame": row[3], "at_ns": row[1] - first} for row in marks],
        "lost": sum(each["lost"] for each in (*about["lanes"], *about["tiles"])),
        "clock_off_ns": off_ns,
    }
    return timeline, _warnings(timeline)


def _in_order(lanes: Sequence[dict[str, Any]]) -> list[int]:
    """The main thread first, then the workers by number."""

    def rank(at: int) -> tuple[bool, int, str]:
        name = lanes[at]["thread"]
        number = name.rpartition("_")[2]
        return name != _MAIN, int(number) if number.isdecimal() else 0, name

    return sorted(range(len(lanes)), key=rank)


def _lane_name(thread: str) -> str:
    """`main`; `coding worker 1` for the executor's `coding_0`."""
    pool, _, number = thread.rpartition("_")
    if thread == _MAIN:
        return "main"
    return f"{pool} worker {int(number) + 1}" if number.isdecimal() else thread


def _tile_spans(
    about: dict[str, Any], arrays: dict[str, np.ndarray], rows: np.ndarray, names: dict[str, int]
) -> tuple[np.ndarray, int]:
    """What compiled code left within a lane's spans of tiles, (n, columns behind the lane and the order), and by how many
    nanoseconds its clock ran out of them; they are cut to fit."""
    parts = [np.empty((0, len(COLUMNS)), np.int64)]
    off_ns = 0
    labels = [_LABELS.get(name, name) for name in about["tile_spans"]]
    own = np.array([names.setdefault(label, len(names)) for label in labels], np.int64)
    for _, begin, end, frame, tile, memory, first, last in rows[rows[:, 7] > rows[:, 6]].tolist():
        words, *ticks = arrays[f"memory {memory}"][first:last].T
        times = [_monotonic_ns(column, about["clocks"]) for column in ticks]
        off_ns = max(off_ns, int(begin - times[0].min()), int(times[1].max() - end))
        inside = [np.clip(column, begin, end) for column in times]
        alike = [np.full(len(words), value) for value in (frame, tile)]
        order = np.arange(len(words), 0, -1) + (1 << 32)
        parts.append(np.column_stack([own[words & 0xFFFF], *inside, *alike, words >> 16, order]))
    return np.concatenate(parts), off_ns


def _monotonic_ns(ticks: np.ndarray, clocks: Sequence[Sequence[int]]) -> np.ndarray:
    """Ticks as nanoseconds of the monotonic clock, by the line through two moments at which both were read."""
    (tick_0, ns_0), (tick_1, ns_1) = clocks
    rate = (ns_1 - ns_0) / (tick_1 - tick_0) if tick_1 > tick_0 else 1.0
    return ns_0 + np.rint((ticks - tick_0) * rate).astype(np.int64)


def _warnings(timeline: dict[str, Any]) -> list[str]:
    said = []
    if lost := timeline["lost"]:
        kept = len(timeline["spans"]["lane"])
        said.append(
            f"{lost} spans found no room and are missing, {kept} are kept: the latest frames show less than happened; "
            "raise --max-spans, or give fewer --frames or a coarser --detail"
        )
    if timeline["clock_off_ns"] > CLOCK_LIMIT_NS:
        off = units.seconds(timeline["clock_off_ns"] / 1e9)
        said.append(
            f"the clocks of compiled code and of Python disagree by up to {off}: spans inside tiles are cut to fit"
        )
    return said
