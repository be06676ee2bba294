"""Sampled stacks of a run: a profile per clip, and over the clips of each kernel set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.hotspots import Agreement, Hot, agreement, combined, hottest, self_time
from workbench.analysis.subjects import Subject, by_subject, kernel_sets
from workbench.record import Run


@dataclass(frozen=True)
class ClipStacks:
    """The samples of one clip and kernel set: folded stack -> count, and how many native frames got their names."""

    subject: Subject
    folded: Mapping[str, float]
    rate_hz: float | None
    resolved_share: float | None

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
            data = records[-1].data
            found.append(ClipStacks(subject, folded, data.get("rate_hz"), data.get("resolved_share")))
    return found


def set_profiles(sampled: list[ClipStacks]) -> list[SetProfile]:
    """One profile per kernel set, in the order first seen."""
    profiles = []
    for kernels in kernel_sets(clip.subject for clip in sampled):
        clips = tuple(clip for clip in sampled if clip.subject.kernels == kernels)
        by_clip = {clip.subject.clip: clip.profile for clip in clips}
        profiles.append(SetProfile(kernels, clips, combined(list(by_clip.values())), agreement(by_clip)))
    return profiles
