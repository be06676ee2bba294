"""Encodes with several tiles and threads: speed-up, cost in bytes, and the points that Amdahl's law is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.analysis import amdahl
from workbench.analysis.stages import ClipStages, imbalance_of
from workbench.analysis.subjects import Subject, subject_of
from workbench.record import Record, Run
from workbench.stats import Interval, median, ratio_of_medians


@dataclass(frozen=True)
class TileRow:
    """One clip at one number of tiles and threads.

    samples       wall seconds of each repetition
    speedup       over the same clip with one tile and one thread, by medians; None where that was not measured
    bytes_change  of the stream against one tile, as a share: 0.012 is 1.2 % more
    possible      False where the picture is too small for the number of tiles asked for: nothing was encoded
    imbalance     time of the slowest tile over the mean tile; None where tiles were not timed one by one
    """

    subject: Subject
    requested: int
    tiles: int
    threads: int
    samples: tuple[float, ...]
    speedup: float | None
    interval: Interval | None
    stream_bytes: float | None
    bytes_change: float | None
    possible: bool
    imbalance: float | None


def tile_rows(run: Run) -> list[TileRow]:
    """Every measured or impossible combination, by clip, tiles and threads."""
    records = run.select(metric="tiles_wall")
    whole = {_place(record): record.values for record in records if record.values}
    sizes = {_place(record)[:2]: record.values[0] for record in run.select(metric="tiles_bytes") if record.values}
    rows = [_tile_row(record, whole, sizes) for record in records]
    return sorted(rows, key=lambda row: (row.subject, row.requested, row.threads))


def _place(record: Record) -> tuple[Subject, int, int]:
    return subject_of(record), int(record.subject.get("tiles") or 1), int(record.subject.get("threads") or 1)


def _tile_row(
    record: Record, whole: dict[tuple[Subject, int, int], tuple[float, ...]], sizes: dict[tuple[Subject, int], float]
) -> TileRow:
    subject, tiles, threads = _place(record)
    base = whole.get((subject, 1, 1), ())
    speedup, interval = ratio_of_medians(base, record.values) if base and record.values else (None, None)
    if (tiles, threads) == (1, 1):
        interval = None  # The base itself: it is one time as fast by definition.
    size, size_of_one = sizes.get((subject, tiles)), sizes.get((subject, 1))
    return TileRow(
        subject=subject,
        requested=int(record.data.get("requested_tiles", tiles)),
        tiles=tiles,
        threads=threads,
        samples=record.values,
        speedup=speedup,
        interval=interval,
        stream_bytes=size,
        bytes_change=size / size_of_one - 1 if size and size_of_one else None,
        possible=bool(record.data.get("possible", True)),
        imbalance=imbalance_of(record.data.get("tile_wall_s", ())),
    )


def point_label(row: TileRow) -> str:
    """The name of a row among the points of the law."""
    return f"{row.subject.clip}, {row.tiles} tiles on {row.threads} threads"


def law_points(rows: Sequence[TileRow], traced: Sequence[ClipStages] = ()) -> list[amdahl.Point]:
    """Points for the law: each combination against the same tiles on one thread (one tile where that is missing)."""
    measured = [row for row in rows if row.samples and row.possible]
    bases = {(row.subject, row.tiles): row.samples for row in measured if row.threads == 1}
    imbalances = {(clip.subject, clip.tile_count): clip.imbalance for clip in traced}
    imbalances |= {(row.subject, row.tiles): row.imbalance for row in measured if row.imbalance is not None}
    points = []
    for row in measured:
        workers = min(row.tiles, row.threads)
        base = bases.get((row.subject, row.tiles)) or bases.get((row.subject, 1))
        if workers > 1 and base is not None:
            points.append(
                amdahl.Point(point_label(row), workers, base, row.samples, imbalances.get((row.subject, row.tiles)))
            )
    return points


def cost_by_tiles(rows: Sequence[TileRow]) -> list[tuple[int, float, float, int]]:
    """For each number of tiles: median and largest change in bytes against one tile, and over how many clips."""
    changes: dict[int, dict[Subject, float]] = {}
    for row in rows:
        if row.bytes_change is not None and row.tiles > 1:
            changes.setdefault(row.tiles, {})[row.subject] = row.bytes_change
    return [
        (tiles, median(list(by_clip.values())), max(by_clip.values()), len(by_clip))
        for tiles, by_clip in sorted(changes.items())
    ]
