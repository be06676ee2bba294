"""Time per encoded frame, the fixed start-up taken out, with its spread, its outliers and what the clock warned of."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.analysis.subjects import Subject, by_subject, subject_of
from workbench.record import Record, Run
from workbench.stats import Interval, median, median_interval, outliers, robust_spread


@dataclass(frozen=True)
class ClipTime:
    """How long one clip takes with one kernel set.

    samples     time per frame of each repetition, in the order taken, seconds: of all frames, those shown later included
    start_up_s  what an encode costs before and beside its frames; None where nothing smaller was encoded
    outliers    positions in `samples` of values that do not belong to the rest
    """

    subject: Subject
    width: int | None
    height: int | None
    samples: tuple[float, ...]
    start_up_s: float | None
    lengths: tuple[int, ...]
    outliers: tuple[int, ...]
    command: tuple[str, ...]

    @property
    def per_frame_s(self) -> float:
        """Median time per frame."""
        return median(self.samples)

    @property
    def interval(self) -> Interval | None:
        """95 % bootstrap interval of the median; None of a single repetition."""
        return median_interval(self.samples)

    @property
    def relative_spread(self) -> float | None:
        """Robust standard deviation over the median; None of a single repetition."""
        if len(self.samples) < 2 or self.per_frame_s <= 0:
            return None
        return robust_spread(self.samples) / self.per_frame_s

    @property
    def frames_per_s(self) -> float | None:
        """Frames a second; None where noise has made the difference of two lengths zero or less."""
        return 1 / self.per_frame_s if self.per_frame_s > 0 else None


def warm_up_s(run: Run) -> dict[str, float]:
    """Seconds that each kernel set took to be ready before anything was timed: compiling, where the cache was cold."""
    plain = [record for record in run.select(metric="warm") if record.data.get("build") == "plain" and record.values]
    return {str(record.subject.get("kernels", "")): record.values[0] for record in plain}


def clip_times(run: Run) -> list[ClipTime]:
    """Every clip and kernel set that was timed, in the order taken."""
    whole = by_subject(run.select(metric="wall"))
    return [
        _clip_time(record, whole.get(subject_of(record), []))
        for record in run.select(metric="time_per_frame")
        if record.values
    ]


def _clip_time(record: Record, whole: list[Record]) -> ClipTime:
    start_up = record.data.get("start_up_s")
    lengths = tuple(int(record.data[name]) for name in ("n1", "n2") if name in record.data)
    return ClipTime(
        subject=subject_of(record),
        width=record.subject.get("width"),
        height=record.subject.get("height"),
        samples=record.values,
        start_up_s=float(start_up) if start_up is not None else None,
        lengths=lengths,
        outliers=tuple(outliers(record.values)),
        command=record.command or next((source.command for source in whole), ()),
    )
