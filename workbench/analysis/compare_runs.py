"""Two run folders side by side: what changed in time, memory, allocations, bytes and quality, by clip and kernel set.

The two were measured one after the other, possibly days apart, so a change between them holds whatever the machine
did meanwhile. The intervals hold only the repetitions' noise. Therefore a time or a memory figure counts as changed
only when its whole interval lies beyond a margin of 5 %: on identical programs measured in such blocks, smaller
differences are found by chance far too often (Abedi & Brecht 2017). Bytes and PSNR do not vary and are compared
exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class Quantity:
    """What is compared: its name, its unit, the words for less and more of it, and whether repetitions of it vary."""

    name: str
    unit: str
    less: str
    more: str
    varies: bool


TIME = Quantity("time per frame", "s", "faster", "slower", varies=True)
MAX_RSS = Quantity("maximum resident set", "bytes", "less", "more", varies=True)
ALLOCATIONS = Quantity("allocations", "count", "fewer", "more", varies=False)
BYTES = Quantity("bytes", "bytes", "smaller", "larger", varies=False)
PSNR = Quantity("PSNR of luma", "dB", "worse", "better", varies=False)
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
    """Compare two runs' findings; subjects on one side only are listed, not guessed."""
    changes: list[Change] = []
    for quantity in QUANTITIES:
        before, after = _samples(old, quantity), _samples(new, quantity)
        changes += [
            _change(quantity, subject, before[subject], after[subject]) for subject in before if subject in after
        ]
    in_old, in_new = set(old.subjects), set(new.subjects)
    return Comparison(
        changes=tuple(changes),
        overall=tuple(_overall(changes)),
        only_old=tuple(subject for subject in old.subjects if subject not in in_new),
        only_new=tuple(subject for subject in new.subjects if subject not in in_old),
        warnings=tuple(_warnings(old, new)),
    )


def _samples(found: Findings, quantity: Quantity) -> dict[Subject, tuple[float, ...]]:
    readers: dict[str, Callable[[], dict[Subject, tuple[float, ...]]]] = {
        TIME.name: lambda: {clip.subject: clip.samples for clip in found.times},
        MAX_RSS.name: lambda: {clip.subject: clip.max_rss_bytes for clip in found.memory},
        ALLOCATIONS.name: lambda: {
            clip.subject: (per_frame,) for clip in found.memory if (per_frame := clip.allocations_per_frame) is not None
        },
        BYTES.name: lambda: {
            clip.subject: (clip.stream_bytes,) for clip in found.outputs if clip.stream_bytes is not None
        },
        PSNR.name: lambda: {clip.subject: (clip.psnr_y,) for clip in found.outputs if clip.psnr_y is not None},
    }
    return {subject: samples for subject, samples in readers[quantity.name]().items() if samples}


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
    for name, found in (("old", old), ("new", new)):
        status = (found.run.end or {}).get("status", "killed")
        if status != "complete":
            said.append(f"the {name} run did not finish ({status}): what it lacks is not compared")
    return said


def _difference(key: str, before: object, after: object) -> str:
    if key == "packages_hash":
        return "the lists of installed packages differ: one that numba or numpy finds can change time and memory"
    return f"{key}: {before} before, {after} now"
