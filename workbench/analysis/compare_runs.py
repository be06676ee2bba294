"""Two run folders side by side: what changed in time, memory, allocations, bytes and quality, by clip and kernel set.

The two were measured one after the other, possibly days apart, so a change between them holds whatever the machine
did meanwhile. The intervals hold only the repetitions' noise. Therefore a time or a memory figure counts as changed
only when its whole interval lies beyond a margin of 5 %: on identical programs measured in such blocks, smaller
differences are found by chance far too often (Abedi & Brecht 2017). Bytes and PSNR do not vary and are compared
exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis.findings import Findings
from workbench.analysis.subjects import Subject
from workbench.stats import (
    Interval,
    geometric_mean,
    median,
    percentile_interval,
    random_stream,
    ratio_of_medians,
    resampled,
)

MARGIN = 0.05
UNCLEAR = "unclear"


Samples = Mapping[Subject, tuple[float, ...]]


@dataclass(frozen=True)
class Quantity:
    """What is compared: its name, unit and metric, the words for less and more of it, and where its samples are.

    varies   repetitions differ: compared by interval and margin, not exactly
    same     entries of a record's subject that have to be equal in both runs
    """

    name: str
    unit: str
    metric: str
    less: str
    more: str
    varies: bool
    same: tuple[str, ...]
    samples: Callable[[Findings], Samples]


def _times(found: Findings) -> Samples:
    return {clip.subject: clip.samples for clip in found.times}


def _max_rss(found: Findings) -> Samples:
    return {clip.subject: clip.max_rss_bytes for clip in found.memory if clip.max_rss_bytes}


def _allocations(found: Findings) -> Samples:
    per_frame = {clip.subject: clip.allocations_per_frame for clip in found.memory}
    return {subject: (value,) for subject, value in per_frame.items() if value is not None}


def _bytes(found: Findings) -> Samples:
    return {clip.subject: (clip.stream_bytes,) for clip in found.outputs if clip.stream_bytes is not None}


def _psnr(found: Findings) -> Samples:
    return {clip.subject: (clip.psnr_y,) for clip in found.outputs if clip.psnr_y is not None}


_PICTURE = ("width", "height", "quantizer", "tiles", "threads")
_STREAM = (*_PICTURE, "frames")
# Key frames take longer than others, and the more frames there are the less they count: only equal lengths compare.
TIME = Quantity("time per frame", "s", "time_per_frame", "faster", "slower", True, _STREAM, _times)
MAX_RSS = Quantity("maximum resident set", "bytes", "max_rss", "less", "more", True, _PICTURE, _max_rss)
ALLOCATIONS = Quantity("allocations", "count", "allocations", "fewer", "more", False, _PICTURE, _allocations)
BYTES = Quantity("bytes", "bytes", "bytes", "smaller", "larger", False, _STREAM, _bytes)
PSNR = Quantity("PSNR of luma", "dB", "psnr_y", "worse", "better", False, _STREAM, _psnr)
QUANTITIES = (TIME, MAX_RSS, ALLOCATIONS, BYTES, PSNR)


@dataclass(frozen=True)
class Change:
    """One quantity of one subject, before and after.

    ratio     new / old by medians; for PSNR, whose unit is logarithmic already, the difference in dB
    interval  of the ratio, over repetitions; None where it does not vary or was taken once
    word      the verdict: the quantity's words for less and more, "same" or "unclear"
    """

    quantity: Quantity
    subject: Subject
    old: tuple[float, ...]
    new: tuple[float, ...]
    ratio: float
    interval: Interval | None
    word: str


@dataclass(frozen=True)
class Overall:
    """Geometric mean of a quantity's ratios over the clips of a kernel set; every clip counts the same."""

    quantity: Quantity
    kernels: str
    clips: int
    ratio: float
    interval: Interval | None
    word: str


@dataclass(frozen=True)
class Comparison:
    """What changed, and what makes the two runs less comparable than one would like."""

    changes: tuple[Change, ...]
    overall: tuple[Overall, ...]
    only_old: tuple[Subject, ...]
    only_new: tuple[Subject, ...]
    warnings: tuple[str, ...]

    def of(self, quantity: Quantity) -> list[Change]:
        """The changes of one quantity."""
        return [change for change in self.changes if change.quantity is quantity]


def compare_runs(old: Findings, new: Findings) -> Comparison:
    """Compare two runs' findings; subjects on one side only, or encoded in another way, are listed and not compared."""
    changes: list[Change] = []
    apart: dict[str, list[str]] = {}
    for quantity in QUANTITIES:
        before, after = quantity.samples(old), quantity.samples(new)
        for subject in before:
            if subject not in after:
                continue
            if differs := _conditions_differ(quantity, subject, old, new):
                apart.setdefault(f"{new.label(subject)}: {differs}", []).append(quantity.name)
            else:
                changes.append(_change(quantity, subject, before[subject], after[subject]))
    in_old, in_new = set(old.encoded), set(new.encoded)
    return Comparison(
        changes=tuple(changes),
        overall=tuple(_overall(changes)),
        only_old=tuple(subject for subject in old.encoded if subject not in in_new),
        only_new=tuple(subject for subject in new.encoded if subject not in in_old),
        warnings=(*_warnings(old, new), *(f"{why}; not compared: {', '.join(names)}" for why, names in apart.items())),
    )


def _conditions_differ(quantity: Quantity, subject: Subject, old: Findings, new: Findings) -> str:
    """In what two records of a quantity were taken differently; empty where they can be compared."""
    sides = []
    for found in (old, new):
        about = {"clip": subject.clip} | ({"kernels": subject.kernels} if subject.kernels else {})
        sides.append(found.run.select(metric=quantity.metric, **about)[-1].subject)
    before, after = sides
    differing = [key for key in quantity.same if before.get(key) != after.get(key)]
    return ", ".join(f"{key} {before.get(key)} before, {after.get(key)} now" for key in differing)


def _change(quantity: Quantity, subject: Subject, old: tuple[float, ...], new: tuple[float, ...]) -> Change:
    if quantity is PSNR:
        difference = median(new) - median(old)
        word = "same" if difference == 0 else quantity.more if difference > 0 else quantity.less
        return Change(quantity, subject, old, new, difference, None, word)
    ratio, interval = ratio_of_medians(new, old)
    return Change(
        quantity, subject, old, new, ratio, interval if quantity.varies else None, _word(quantity, ratio, interval)
    )


def _word(quantity: Quantity, ratio: float, interval: Interval | None) -> str:
    """The verdict: exact for what does not vary, by the interval and the margin for what does."""
    if math.isnan(ratio):
        return UNCLEAR
    if not quantity.varies:
        return "same" if ratio == 1 else quantity.more if ratio > 1 else quantity.less
    if interval is None:
        return UNCLEAR
    if interval.high < 1 - MARGIN:
        return quantity.less
    if interval.low > 1 + MARGIN:
        return quantity.more
    return "same" if interval.low >= 1 - MARGIN and interval.high <= 1 + MARGIN else UNCLEAR


def _overall(changes: Sequence[Change]) -> list[Overall]:
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        if change.quantity is not PSNR and change.ratio > 0:
            groups.setdefault((change.quantity.name, change.subject.kernels), []).append(change)
    summed = []
    for (_, kernels), group in groups.items():
        quantity, ratio = group[0].quantity, geometric_mean([change.ratio for change in group])
        interval = _overall_interval(group) if quantity.varies else None
        summed.append(Overall(quantity, kernels, len(group), ratio, interval, _word(quantity, ratio, interval)))
    return summed


def _overall_interval(group: Sequence[Change]) -> Interval | None:
    """Bootstrap over each clip's repetitions; the clips themselves are the corpus, not a sample of one."""
    if any(len(samples) < 2 for change in group for samples in (change.old, change.new)):
        return None
    generator = random_stream()
    logs = [
        np.log(
            np.median(resampled(change.new, generator), axis=1) / np.median(resampled(change.old, generator), axis=1)
        )
        for change in group
    ]
    return percentile_interval(np.exp(np.mean(logs, axis=0)))


# No properties of the machine: the load changes by the minute, the hash repeats the other entries.
_NO_PROPERTY = frozenset({"load_average", "hash"})


def _warnings(old: Findings, new: Findings) -> list[str]:
    before, after = old.run.header.get("machine", {}), new.run.header.get("machine", {})
    said = []
    for key in dict.fromkeys([*before, *after]):
        if key not in _NO_PROPERTY and before.get(key) != after.get(key):
            said.append(_difference(key, before.get(key), after.get(key)))
    if said:
        said.insert(
            0,
            "the machines differ, so a change in time or memory may be theirs, not the program's: measure both on one",
        )
    sources = [found.run.header.get("encoder_sources") for found in (old, new)]
    if sources[0] is not None and sources[0] == sources[1]:
        said.append("both runs are of the same encoder sources: what differs between them is not the program's doing")
    for name, found in (("old", old), ("new", new)):
        status = (found.run.end or {}).get("status", "killed")
        if status != "complete":
            said.append(f"the {name} run did not finish ({status}): what it lacks is not compared")
    return said


def _difference(key: str, before: object, after: object) -> str:
    if key == "packages_hash":
        return "the lists of installed packages differ: one that numba or numpy finds can change time and memory"
    return f"{key}: {before} before, {after} now"
