"""Which stage of the encoder takes the time, per clip and per tile, from spans inside the compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.subjects import Subject, subject_of
from workbench.record import Record, Run


@dataclass(frozen=True)
class ClipStages:
    """Seconds of one encode by stage.

    stages    all stages, seconds
    tiles     one mapping of stage to seconds per tile
    serial    stages that run while no tile does
    parallel  stages inside the tiles
    """

    subject: Subject
    tile_count: int
    stages: Mapping[str, float]
    tiles: tuple[Mapping[str, float], ...]
    serial: Mapping[str, float]
    parallel: Mapping[str, float]
    wall_s: float | None

    def share(self, stage: str) -> float | None:
        """Share of a stage in all of them; None where nothing took time."""
        total = sum(self.stages.values())
        return self.stages.get(stage, 0.0) / total if total else None

    @property
    def parallel_share(self) -> float | None:
        """Share of the work that tiles can divide, as the spans see it; None without both kinds."""
        total = sum(self.serial.values()) + sum(self.parallel.values())
        return sum(self.parallel.values()) / total if total and self.serial and self.parallel else None

    @property
    def imbalance(self) -> float | None:
        """Time of the slowest tile over the mean tile; None of fewer than two tiles."""
        return imbalance_of([sum(tile.values()) for tile in self.tiles])


def imbalance_of(tiles_s: Sequence[float]) -> float | None:
    """The slowest tile's seconds over the mean tile's; None of fewer than two tiles."""
    together = sum(tiles_s)
    return max(tiles_s) * len(tiles_s) / together if len(tiles_s) > 1 and together else None


def clip_stages(run: Run) -> list[ClipStages]:
    """Every encode that was traced, in the order taken."""
    return [_clip_stages(record) for record in run.select(metric="stage_s")]


def _clip_stages(record: Record) -> ClipStages:
    data = record.data
    tiles = sorted(data.get("tiles", ()), key=lambda tile: tile.get("index", 0))
    return ClipStages(
        subject=subject_of(record),
        tile_count=int(record.subject.get("tiles") or len(tiles) or 1),
        stages=dict(data.get("stages", {})),
        tiles=tuple(dict(tile.get("stages", {})) for tile in tiles),
        serial=dict(data.get("serial", {})),
        parallel=dict(data.get("parallel", {})),
        wall_s=data.get("wall_s"),
    )


def serial_stages(traced: list[ClipStages]) -> list[tuple[str, float]]:
    """Each serial stage with its mean share of the work over the clips, largest first."""
    shares: dict[str, float] = {}
    counted = [clip for clip in traced if clip.parallel_share is not None]
    for clip in counted:
        total = sum(clip.serial.values()) + sum(clip.parallel.values())
        for stage, spent in clip.serial.items():
            shares[stage] = shares.get(stage, 0.0) + spent / total / len(counted)
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))
