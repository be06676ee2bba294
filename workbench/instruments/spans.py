"""Where the time goes by stage and tile: the encoder's own spans (`--probe`), taken inside compiled code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.encode import STREAM, encode_with_stats
from workbench.record import Record
from workbench.subject import Subject

INSTRUMENT = "spans"
PARALLEL = ("tiles", "entropy")  # the frame's stages in which tiles run side by side, decided and then written
OTHER_IN_FRAME = "rest of the frame"
OTHER_IN_TILES = "rest of the tile"


def measure(subject: Subject, folder: Path, timeout_s: float) -> Record:
    """Encode once with spans on. The value is the wall seconds of all frames; the stages are in `data`.

    data   stages: all of them, seconds of work; serial and parallel: the same divided; tiles: the stages of each tile;
           wall_s: of the frames
    Work that no span covers is a stage too, so that the stages add up: of the tiles on one thread, where the seconds of
    the frame's stages are theirs.
    """
    _, stats = encode_with_stats(subject, folder, timeout_s, "--probe")
    frames, total = stats["frames"], stats["total"]
    wall_s = sum(frame["wall_s"] for frame in frames)
    serial = _sum(frame["stages_s"] for frame in frames)
    in_tiles_s = sum(serial.pop(stage, 0.0) for stage in PARALLEL)
    serial[OTHER_IN_FRAME] = max(wall_s - in_tiles_s - sum(serial.values()), 0.0)
    serial |= {"input": total["input_s"], "output": total["output_s"]}
    tiles = _by_tile(frames)
    if subject.threads == 1:
        _share_out(in_tiles_s, tiles)
    parallel = _sum(tile["stages"] for tile in tiles)
    data = {
        "stages": parallel | serial,
        "tiles": tiles,
        "serial": serial,
        "parallel": parallel,
        "wall_s": wall_s,
        "interpreted": stats["interpreted"],
    }
    command = subject.command(Path(STREAM), "--probe", "--stats", "stats.json")
    return Record(INSTRUMENT, "stage_s", "s", subject.entry(), (wall_s,), data, command=command)


def _by_tile(frames: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each tile position's stages, added up over the frames."""
    positions: dict[int, list[Mapping[str, float]]] = {}
    for frame in frames:
        for tile in frame["tiles"]:
            positions.setdefault(tile["index"], []).append(tile["stages_s"])
    return [{"index": index, "stages": _sum(seen)} for index, seen in sorted(positions.items())]


def _share_out(in_tiles_s: float, tiles: Sequence[Mapping[str, Any]]) -> None:
    """Give each tile its part of what no span covers, by what its spans hold."""
    covered_s = [sum(tile["stages"].values()) for tile in tiles]
    rest_s = max(in_tiles_s - sum(covered_s), 0.0)
    for tile, seconds in zip(tiles, covered_s, strict=True):
        tile["stages"][OTHER_IN_TILES] = rest_s * seconds / sum(covered_s) if sum(covered_s) else rest_s / len(tiles)


def _sum(stages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for mapping in stages:
        total.update(mapping)
    return dict(total)
