"""Encodes with more tiles and more threads: the time they save and the bytes they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.tiling import Tiling
from workbench import noise
from workbench.child import Usage
from workbench.encode import STREAM, encode_with_stats
from workbench.errors import SubjectError
from workbench.record import Record
from workbench.repetition import Limits, in_random_order
from workbench.subject import Subject

INSTRUMENT = "wall"
MORE = "raise --budget"


def layout(width: int, height: int, tiles: int) -> Tiling | None:
    """The uniform spacing that cuts a picture into exactly `tiles` (a power of two), its largest tile as small as
    possible.

    None when there is none: a tile holds at least one superblock of 64x64, and rounding up to whole superblocks may
    leave fewer tiles than asked for. Of equals the one with more columns is taken.
    """
    log2 = tiles.bit_length() - 1
    grids = [Tiling.uniform(width, height, log2 - rows_log2, rows_log2) for rows_log2 in range(log2 + 1)]
    return min((grid for grid in grids if grid.count == tiles), key=_largest_tile_mi, default=None)


def _largest_tile_mi(grid: Tiling) -> int:
    return max((tile.mi_row_end - tile.mi_row_start) * (tile.mi_col_end - tile.mi_col_start) for tile in grid.tiles())


def time_tiles(subjects: Sequence[Subject], folder: Path, limits: Limits, tick: Callable[[], None]) -> list[Record]:
    """Time the same clip with several tiles and threads, in rounds of random order; bytes once for each number of tiles.

    The time is that of all frames, reading and writing included, by the encoder's own clock. Start-up is the same for all
    and would hide in a short clip what tiles do.
    """
    encode_with_stats(subjects[0], folder, limits.timeout_s)
    tick()
    taken = in_random_order(subjects, lambda subject: _encode(subject, folder, limits.timeout_s), limits, tick)
    walls = [_tiles_wall(subject, runs) for subject, runs in zip(subjects, taken, strict=True)]
    by_tiles = {subject.tiles: (subject, runs) for subject, runs in zip(subjects, taken, strict=True)}
    return [*walls, *(_tiles_bytes(subject, runs) for _, (subject, runs) in sorted(by_tiles.items()))]


@dataclass(frozen=True)
class _Run:
    usage: Usage
    video_s: float
    stream_bytes: int


def _encode(subject: Subject, folder: Path, timeout_s: float) -> _Run:
    usage, stats = encode_with_stats(subject, folder, timeout_s)
    if stats["tiles"]["count"] != subject.tiles:
        made = stats["tiles"]["count"]
        raise SubjectError(f"{subject.clip}: {subject.tiles} tiles were asked for, the encoder made {made}")
    return _Run(usage, video_seconds(stats), (folder / STREAM).stat().st_size)


def video_seconds(stats: Mapping[str, Any]) -> float:
    """Wall seconds of all frames, reading and writing included, without start-up. Frames are coded side by side: their own times
    may add up to more."""
    total = stats["total"]
    return float(total["wall_s"] - total["start_up_s"])


def _tiles_wall(subject: Subject, runs: Sequence[_Run]) -> Record:
    usages = [run.usage for run in runs]
    data = {
        "requested_tiles": subject.tiles,
        "possible": True,
        "process_wall_s": [usage.wall_s for usage in usages],
        **noise.meters(usages),
    }
    return Record(
        INSTRUMENT,
        "tiles_wall",
        "s",
        subject=subject.entry(),
        values=tuple(run.video_s for run in runs),
        data=data,
        warnings=tuple(noise.warnings(usages, MORE, expected_waiting=subject.threads > 1)),
        command=subject.command(Path(STREAM)),
    )


def _tiles_bytes(subject: Subject, runs: Sequence[_Run]) -> Record:
    data = {"requested_tiles": subject.tiles, "possible": True}
    size, command = float(runs[0].stream_bytes), subject.command(Path(STREAM))
    return Record(INSTRUMENT, "tiles_bytes", "bytes", subject.entry(), (size,), data, command=command)


def not_possible(subject: Subject, tiles: int) -> Record:
    """A number of tiles that the picture is too small for: said, not measured."""
    size = f"{subject.width}x{subject.height}"
    why = f"{subject.clip}: {size} cannot be cut into {tiles} tiles of at least one 64x64 superblock each"
    entry = subject.entry() | {"tiles": tiles}
    del entry["tile_cols_log2"], entry["tile_rows_log2"]
    return Record(INSTRUMENT, "tiles_wall", "s", entry, (), {"requested_tiles": tiles, "possible": False, "why": why})
