"""Maximum resident set, allocations and the sites that make them, in the clips of a profile; `memory_growth.py` says what
leaks, `memory_sides.py` what one run of `workbench memory` found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from workbench.analysis.subjects import Subject, subject_of
from workbench.record import Record, Run


@dataclass(frozen=True)
class Site:
    """A place in the source that allocates."""

    where: str
    count: int
    total_bytes: int


@dataclass(frozen=True)
class ClipMemory:
    """Memory of one clip with one kernel set; None where it was not measured.

    max_rss_bytes  one value per encode, as wait4 reports it for that child alone
    allocations    in the steady state, `frames` frames long
    """

    subject: Subject
    max_rss_bytes: tuple[float, ...]
    allocations: float | None
    peak_bytes: float | None
    frames: int | None
    sites: tuple[Site, ...]

    @property
    def allocations_per_frame(self) -> float | None:
        """Allocations for each frame of the steady state."""
        return self.allocations / self.frames if self.allocations is not None and self.frames else None


def clip_memory(run: Run) -> list[ClipMemory]:
    """Every clip and kernel set whose memory was measured, in the order taken."""
    rss: dict[Subject, tuple[float, ...]] = {}
    for record in run.select(instrument="wall", metric="max_rss"):
        rss[subject_of(record)] = rss.get(subject_of(record), ()) + record.values
    allocations = {subject_of(record): record for record in run.select(metric="allocations")}
    peaks = {subject_of(record): record for record in run.select(metric="peak_bytes")}
    subjects = dict.fromkeys([*rss, *allocations, *peaks])
    return [
        _clip_memory(subject, rss.get(subject, ()), allocations.get(subject), peaks.get(subject))
        for subject in subjects
    ]


def _clip_memory(subject: Subject, rss: tuple[float, ...], allocated: Record | None, peak: Record | None) -> ClipMemory:
    data = {**(peak.data if peak else {}), **(allocated.data if allocated else {})}
    sites = tuple(
        Site(str(site["site"]), int(site["count"]), int(site["bytes"]))
        for site in data.get("top_sites", ())
        if "site" in site
    )
    return ClipMemory(
        subject=subject,
        max_rss_bytes=rss,
        allocations=allocated.values[0] if allocated and allocated.values else None,
        peak_bytes=peak.values[0] if peak and peak.values else None,
        frames=data.get("frames"),
        sites=sites,
    )


def top_sites(measured: list[ClipMemory], count: int = 10) -> list[Site]:
    """The sites that allocate most bytes, added up over the clips."""
    counts: Counter[str] = Counter()
    total_bytes: Counter[str] = Counter()
    for clip in measured:
        for site in clip.sites:
            counts[site.where] += site.count
            total_bytes[site.where] += site.total_bytes
    order = sorted(counts, key=lambda where: (-total_bytes[where], -counts[where], where))
    return [Site(where, counts[where], total_bytes[where]) for where in order[:count]]
