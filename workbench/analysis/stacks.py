"""Sampled stacks of a run: a profile per clip, and over the clips of each kernel set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.analysis.folded import recording_of
from workbench.analysis.hotspots import Agreement, Hot, agreement, combined, hottest, self_time
from workbench.analysis.subjects import Subject, by_subject, kernel_sets
from workbench.record import Run


@dataclass(frozen=True)
class ClipStacks:
    """The samples of one clip and kernel set.

    folded         stack -> count; see folded.py
    source         what took them
    unnamed_share  of those in compiled code, the share without a name; None: not known
    seconds        how long was sampled; frames: encoded meanwhile
    sources        of the hottest functions, as the records keep them
    warnings       what the reader has to know
    """

    subject: Subject
    folded: Mapping[str, float]
    rate_hz: float | None = None
    unnamed_share: float | None = None
    source: str = "sampler"
    seconds: float | None = None
    frames: float | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def samples(self) -> float:
        """Number of samples."""
        return sum(self.folded.values())

    @property
    def profile(self) -> dict[str, float]:
        """Self time: function -> share."""
        return self_time(self.folded)


@dataclass(frozen=True)
class SetProfile:
    """The profile of a kernel set over its clips, each counting the same."""

    kernels: str
    clips: tuple[ClipStacks, ...]
    corpus: Mapping[str, float]
    agreement: Agreement | None

    @property
    def top(self) -> list[Hot]:
        """The ten functions with most self time over the corpus."""
        return hottest(self.corpus)


def clip_stacks(run: Run) -> list[ClipStacks]:
    """Every clip and kernel set that gave samples, in the order taken; several recordings of one are added up."""
    found = []
    for subject, records in by_subject(run.select(instrument="stacks", metric="samples")).items():
        folded: dict[str, float] = {}
        for record in records:
            for stack, samples in record.data.get("folded", {}).items():
                folded[stack] = folded.get(stack, 0) + samples
        if folded:
            last = recording_of(records[-1])
            found.append(
                ClipStacks(
                    subject,
                    folded,
                    last.rate_hz,
                    last.unnamed_share,
                    last.source,
                    _sum(record.data.get("seconds") for record in records),
                    _sum(record.data.get("frames") for record in records),
                    tuple(source for record in records for source in record.data.get("sources", ())),
                    tuple(dict.fromkeys(text for record in records for text in record.warnings)),
                )
            )
    return found


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def set_profiles(sampled: list[ClipStacks]) -> list[SetProfile]:
    """One profile per kernel set, in the order first seen."""
    profiles = []
    for kernels in kernel_sets(clip.subject for clip in sampled):
        clips = tuple(clip for clip in sampled if clip.subject.kernels == kernels)
        by_clip = {clip.subject.clip: clip.profile for clip in clips}
        profiles.append(SetProfile(kernels, clips, combined(list(by_clip.values())), agreement(by_clip)))
    return profiles
