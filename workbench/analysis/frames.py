"""What the frames of a video are, by type and layer of the pyramid: their share of the bits and of the time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.analysis.subjects import Subject, subject_of
from workbench.record import Record, Run


@dataclass(frozen=True)
class Kind:
    """Frames of one type and layer: of one clip, or added up over several.

    name         "key" or "layer 0" (the bases, on which all depends) and so on up to the leaves
    frames       how many; hidden: so many of them are coded before it is their turn to be shown
    samples      luma samples of all of them
    bits         of their tiles by class of syntax
    quantizer, psnr_y   means over the frames; psnr_y None or NaN where nothing was measured
    block_sizes, modes   mean shares of the picture
    """

    name: str
    frames: int
    hidden: int
    samples: int
    stream_bytes: int
    wall_s: float
    bits: Mapping[str, float]
    quantizer: float
    psnr_y: float | None
    block_sizes: Mapping[str, float]
    modes: Mapping[str, float]

    @property
    def bits_per_sample(self) -> float:
        """Bits of the frames for each of their luma samples."""
        return 8 * self.stream_bytes / self.samples

    @property
    def seconds_per_sample(self) -> float:
        """Seconds of the frames for each of their luma samples."""
        return self.wall_s / self.samples


@dataclass(frozen=True)
class ClipFrames:
    """The kinds of frame of one encode, key frames first."""

    subject: Subject
    kinds: tuple[Kind, ...]

    @property
    def stream_bytes(self) -> int:
        """Of all frames."""
        return sum(kind.stream_bytes for kind in self.kinds)

    @property
    def wall_s(self) -> float:
        """Of all frames."""
        return sum(kind.wall_s for kind in self.kinds)


def clip_frames(run: Run) -> list[ClipFrames]:
    """Every encode whose frames were looked at, in the order taken."""
    return [
        ClipFrames(subject_of(record), tuple(_kind(entry, record) for entry in record.data.get("kinds", ())))
        for record in run.select(metric="frame_kinds")
    ]


def _kind(entry: Mapping[str, Any], record: Record) -> Kind:
    return Kind(
        name="key" if entry["type"] == "key" else f"layer {entry['layer']}",
        frames=int(entry["frames"]),
        hidden=int(entry["hidden"]),
        samples=int(entry["frames"]) * int(record.subject["width"]) * int(record.subject["height"]),
        stream_bytes=int(entry["bytes"]),
        wall_s=float(entry["wall_s"]),
        bits=dict(entry["bits"]),
        quantizer=float(entry["quantizer"]),
        psnr_y=entry["psnr_y"],
        block_sizes=dict(entry["block_sizes"]),
        modes=dict(entry["modes"]),
    )


def added_up(clips: Iterable[ClipFrames]) -> list[Kind]:
    """The kinds over several clips, key frames first; large clips and long ones count for more."""
    alike: dict[str, list[Kind]] = {}
    for clip in clips:
        for kind in clip.kinds:
            alike.setdefault(kind.name, []).append(kind)
    return [_sum(alike[name]) for name in sorted(alike, key=lambda name: (name != "key", name))]


def _sum(kinds: Sequence[Kind]) -> Kind:
    return Kind(
        name=kinds[0].name,
        frames=sum(kind.frames for kind in kinds),
        hidden=sum(kind.hidden for kind in kinds),
        samples=sum(kind.samples for kind in kinds),
        stream_bytes=sum(kind.stream_bytes for kind in kinds),
        wall_s=sum(kind.wall_s for kind in kinds),
        bits=_sums([(kind.bits, 1.0) for kind in kinds]),
        quantizer=_mean([(kind.quantizer, kind.frames) for kind in kinds]),
        psnr_y=_mean([(kind.psnr_y, kind.frames) for kind in kinds if kind.psnr_y is not None]),
        block_sizes=_means([(kind.block_sizes, kind.samples) for kind in kinds]),
        modes=_means([(kind.modes, kind.samples) for kind in kinds]),
    )


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    """NaN of nothing."""
    whole = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / whole if whole else math.nan


def _sums(weighted: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for values, weight in weighted:
        for name, value in values.items():
            total[name] = total.get(name, 0.0) + value * weight
    return total


def _means(weighted: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    """What one of them does not name is 0 there."""
    whole = sum(weight for _, weight in weighted)
    return {name: total / whole for name, total in _sums(weighted).items()}
