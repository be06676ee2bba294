"""What changed between two sides of sampled runs, per function in its stack, and what of it may be noise.

Both sides are brought to one measure: seconds (samples over the rate) per encoded frame where the runs say how many
they encoded, else per run, or per second sampled where that is asked for. A box is a function in its stack, threads
merged, lines dropped, inlined or not: compilers inline the same source differently. A kernel of the table is one box
with all that it does, and a function that is on either side under another place only (a kernel of another set) is the
same box.

A difference may come from two kinds of noise:

- Counts. Samples of a box are as good as independent, so a count varies as Poisson's. Under "both sides are the same
  program", counts are drawn anew (Poisson bootstrap: Hanley & MacGibbon 2006).
- Runs. The machine is faster or slower by the run. The relative spread of runs of one side beyond that of counts is
  estimated from all functions together; where a box varies more by itself, its own counts. Few runs say little of a
  spread, so the estimate leans on PRIOR_SPREAD as if PRIOR_DEGREES degrees of freedom had shown it (a scaled inverse
  chi-square prior, as Smyth 2004 does for genes), and what is unknown of it enters as in Student's t.

Many boxes are looked at, so by chance alone some would differ. Each difference over its standard error is therefore
compared with what the *largest* of all boxes reaches in LEVEL of the bootstrapped draws (Westfall & Young 1993): of two
sides that are the same, at most one pair in a hundred should show any change. Beyond that a box has to differ by
MARGIN of itself, because sides measured one after the other drift apart further than their runs show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.analysis.folded import INLINED, Recording, is_kernel, parse_frame, without_line, without_threads
from workbench.analysis.stack_tree import ROOT, StackTree, pruned
from workbench.errors import InputError
from workbench.stats import random_stream

Per = Literal["frame", "run", "second"]
PERS: tuple[Per, ...] = ("frame", "run", "second")
LEVEL = 0.99
MARGIN = 0.05
PRIOR_SPREAD = 0.05
PRIOR_DEGREES = 4
MIN_SAMPLES = 20  # on both sides together: fewer cannot show a change
MAX_BOXES = 8_000
ENOUGH_FOR_SPREAD = 50  # samples of a function in a run
RESAMPLES = 2000
_CELLS = 2_000_000  # numbers held at once while drawing


@dataclass(frozen=True)
class Difference:
    """One quantity on both sides, in the diff's unit.

    low, high  ends of the interval of after - before that holds for all boxes at once; None of too few samples
    verdict    1 more, -1 less, 0 within noise or too few samples
    """

    before: float
    after: float
    low: float | None
    high: float | None
    verdict: int

    @property
    def change(self) -> float:
        """after - before."""
        return self.after - self.before

    @property
    def ratio(self) -> float | None:
        """after / before; None where there was nothing before."""
        return self.after / self.before if self.before else None


@dataclass(frozen=True)
class Box:
    """A function in its stack. `parent`: its caller's place in the diff's boxes. `moved_to`: its name on the side after
    where that is another than `frame`, else ""."""

    parent: int
    frame: str
    moved_to: str
    own: Difference
    total: Difference


@dataclass(frozen=True)
class FunctionDifference:
    """Time in a function itself, over all its stacks."""

    frame: str
    moved_to: str
    own: Difference


@dataclass(frozen=True)
class FlameDiff:
    """Two sides compared.

    boxes      a caller before its callees, the root first
    functions  the largest change first
    per, unit  what a value is for ("frame", "run", "second") and in: "s", or "samples" where a rate is not known
    tested     boxes and functions with samples enough to be told apart from noise
    critical   standard errors beyond which a difference counts, for all of them at once
    spread     relative standard deviation between runs of one side, beyond that of counts, as it was used
    """

    boxes: tuple[Box, ...]
    functions: tuple[FunctionDifference, ...]
    before: tuple[Recording, ...]
    after: tuple[Recording, ...]
    per: Per
    unit: str
    tested: int
    critical: float
    spread: float
    warnings: tuple[str, ...]

    @property
    def whole(self) -> Difference:
        """All time."""
        return self.boxes[ROOT].total

    @property
    def coloured(self) -> list[Box]:
        """The boxes whose own time changed beyond noise."""
        return [box for box in self.boxes if box.own.verdict]


def compare_stacks(
    before: Sequence[Recording], after: Sequence[Recording], per: Per | None = None, resamples: int = RESAMPLES
) -> FlameDiff:
    """Compare two sides of one or more runs each. The same runs give the same result.

    per   what to bring both sides to; by itself "frame" where all runs say how many they encoded, else "run"

    Raises InputError when a side has no samples, or `per` asks for what the runs do not say.
    """
    sides = [run for run in before if run.samples], [run for run in after if run.samples]
    for name, side in zip(("before", "after"), sides, strict=True):
        if not side:
            raise InputError(f"the side {name} has no samples: nothing to compare; sample a longer run")
    runs = [*sides[0], *sides[1]]
    if per is None:
        per = "frame" if all(run.frames for run in runs) else "run"
    with_rate = all(run.rate_hz for run in runs)
    exposures = [np.array([_exposure(run, per, with_rate) for run in side]) for side in sides]
    tree, moved, counts = _aligned(sides)
    table = _Table(tree, counts, exposures)
    found = table.differences(resamples)
    boxes = zip(tree.parents, tree.frames, found.own, found.total, strict=True)
    functions = [
        FunctionDifference(frame, moved.get(frame, ""), own)
        for frame, own in zip(table.functions, found.functions, strict=True)
    ]
    return FlameDiff(
        boxes=tuple(Box(parent, frame, moved.get(frame, ""), own, total) for parent, frame, own, total in boxes),
        functions=tuple(
            sorted(functions, key=lambda each: (-abs(each.own.verdict), -abs(each.own.change), each.frame))
        ),
        before=tuple(sides[0]),
        after=tuple(sides[1]),
        per=per,
        unit="s" if with_rate else "samples",
        tested=found.tested,
        critical=found.critical,
        spread=table.spread,
        warnings=tuple(_warnings(sides, per, with_rate)),
    )


def _exposure(run: Recording, per: Per, with_rate: bool) -> float:
    """Samples that a run has for one unit of a value."""
    rate = (run.rate_hz if with_rate else None) or 1.0
    for wanted, value, what in (("frame", run.frames, "encoded frames"), ("second", run.seconds, "seconds")):
        if per == wanted and not value:
            raise InputError(f"--per {per}: a run ({run.title or run.source}) says no number of {what}; give --per run")
        if per == wanted:
            return rate * float(value or 0.0)
    return rate


def _warnings(sides: Sequence[Sequence[Recording]], per: Per, with_rate: bool) -> list[str]:
    runs = [run for side in sides for run in side]
    said = list(dict.fromkeys(warning for run in runs for warning in run.warnings))
    if min(map(len, sides)) == 1:
        few = "one run on a side: how far its runs differ is not known and a spread of"
        said.append(f"{few} {100 * PRIOR_SPREAD:.0f} % is assumed; give three runs or more a side")
    sources = [sorted({run.source for run in side}) for side in sides]
    if sources[0] != sources[1] or len(sources[0]) > 1:
        both = " and ".join(dict.fromkeys([*sources[0], *sources[1]]))
        said.append(f"the runs were sampled by {both}, which see different things: compare runs of one source")
    if not with_rate:
        said.append("a run says no sampling rate: values are samples, and differ where the rates do")
    if per == "run" and any(run.frames for run in runs):
        said.append("not all runs say how many frames they encoded: a value is that of a whole run")
    return said


Sides = Sequence[Sequence[Recording]]


def _aligned(sides: Sides) -> tuple[StackTree, dict[str, str], list[np.ndarray]]:
    """One tree of all stacks, the names on the side after of functions that moved, and own samples of each node by
    side, shape (runs, nodes)."""
    slots = {parse_frame(frame).bare for frame in _frames(sides) if is_kernel(frame)}
    stacks = [[_tidied(run.folded, slots) for run in side] for side in sides]
    moved = _moved(*({frame for run in side for stack in run for frame in stack} for side in stacks))
    back = {new: old for old, new in moved.items()}
    tree = StackTree()
    for run in stacks[0]:
        for stack, samples in run.items():
            tree.add(stack, samples)
    after = [{tuple(back.get(frame, frame) for frame in stack): n for stack, n in run.items()} for run in stacks[1]]
    for run in after:
        for stack, samples in run.items():
            tree.add(stack, samples)
    tree, _ = pruned(tree, MAX_BOXES)
    return tree, moved, [_own_counts(tree, side) for side in (stacks[0], after)]


def _frames(sides: Sides) -> set[str]:
    return {frame for side in sides for run in side for stack in run.folded for frame in stack.split(";")}


Stacks = dict[tuple[str, ...], float]


def _tidied(folded: Mapping[str, float], slots: set[str]) -> Stacks:
    """Stacks as boxes have them: no thread, no lines, no marks of inlining, and a kernel with nothing below it."""
    tidy: Stacks = {}
    for stack, samples in without_threads(folded).items():
        frames: list[str] = []
        for frame in stack.split(";"):
            frames.append(without_line(frame).replace(f"{INLINED} (", " (").removesuffix(INLINED))
            if parse_frame(frame).bare in slots and _is_compiled_slot(frame):
                break
        tidy[tuple(frames)] = tidy.get(tuple(frames), 0.0) + samples
    return tidy


def _is_compiled_slot(frame: str) -> bool:
    """A kernel of a set, or one of a user's file, `mine.satd (mine.py:12)`, and no method that is named like it."""
    parsed = parse_frame(frame)
    return is_kernel(frame) or (not parsed.native and parsed.label != parsed.function)


def _moved(before: set[str], after: set[str]) -> dict[str, str]:
    """Functions that are on one side only, and on the other under another place only: old -> new."""
    gone, new = _by_bare_name(before - after), _by_bare_name(after - before)
    return {gone[name][0]: new[name][0] for name in gone if len(gone[name]) == len(new.get(name, ())) == 1}


def _by_bare_name(frames: set[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for frame in frames:
        if not parse_frame(frame).native:
            named.setdefault(parse_frame(frame).bare, []).append(frame)
    return named


def _own_counts(tree: StackTree, runs: Sequence[Stacks]) -> np.ndarray:
    counts = np.zeros((len(runs), len(tree)))
    for at, run in enumerate(runs):
        for stack, samples in run.items():
            counts[at, tree.find(stack)] += samples
    return counts


class _Table:
    """Counts on both sides of every quantity, in one row each: own time of the boxes, their totals, own time of the
    functions."""

    def __init__(self, tree: StackTree, counts: Sequence[np.ndarray], exposures: Sequence[np.ndarray]) -> None:
        self._parents = tree.parents
        self.functions = list(dict.fromkeys(tree.frames[ROOT + 1 :]))
        place = {frame: at for at, frame in enumerate(self.functions)}
        self._function_of = [ROOT, *(place[frame] for frame in tree.frames[ROOT + 1 :])]
        self._boxes = len(tree)
        self._sides = [_Side(self._rows_of(own.T), each) for own, each in zip(counts, exposures, strict=True)]
        self._samples = self._sides[0].counts + self._sides[1].counts
        self._known_degrees = sum(side.runs for side in self._sides) - 2
        self.spread, self._variances = self._run_variances()

    def _rows_of(self, own: np.ndarray) -> np.ndarray:
        """All quantities of the boxes' own values, shape (boxes, n)."""
        totals = own.copy()
        functions = np.zeros((len(self.functions), own.shape[1]))
        for node in range(len(own) - 1, ROOT, -1):
            totals[self._parents[node]] += totals[node]
            functions[self._function_of[node]] += own[node]
        return np.concatenate([own, totals, functions])

    def _run_variances(self) -> tuple[float, np.ndarray]:
        """Relative variance between runs beyond that of counts: the root of the pooled one, and each quantity's."""
        prior = PRIOR_DEGREES * PRIOR_SPREAD**2
        degrees = PRIOR_DEGREES + self._known_degrees
        excess = sum((side.excess() for side in self._sides), np.zeros(len(self._samples)))
        pooled = max(self._pooled(excess), 0.0)
        each = np.maximum(excess, pooled)
        return float(np.sqrt((prior + pooled) / degrees)), (prior + each) / degrees

    def _pooled(self, excess: np.ndarray) -> float:
        """Of all functions by their samples, or of the whole where that varies more."""
        functions, samples = excess[2 * self._boxes :], self._samples[2 * self._boxes :]
        enough = samples >= ENOUGH_FOR_SPREAD * sum(side.runs for side in self._sides)
        whole = float(excess[self._boxes + ROOT])
        return max(float(np.average(functions[enough], weights=samples[enough])), whole) if enough.any() else whole

    def differences(self, resamples: int) -> _Differences:
        """The differences of all quantities, with intervals that hold for all at once."""
        tested = self._samples >= MIN_SAMPLES
        critical = self._critical(tested, resamples)
        rates = [side.counts / side.exposure for side in self._sides]
        reach = critical * self._errors([side.counts for side in self._sides], np.ones(1))
        found = [
            _difference(float(before), float(after), float(each) if known else None)
            for before, after, each, known in zip(*rates, reach, tested, strict=True)
        ]
        boxes = self._boxes
        return _Differences(found[:boxes], found[boxes : 2 * boxes], found[2 * boxes :], critical, int(tested.sum()))

    def _errors(self, counts: Sequence[np.ndarray], scale: np.ndarray) -> np.ndarray:
        """Standard errors of after - before, by counts of both sides, (quantities) or (quantities, draws). `scale`: of
        the variances between runs, (draws)."""
        variances = self._variances.reshape(-1, *[1] * (counts[0].ndim - 1)) * scale
        by_side = (
            count / side.exposure**2 + variances * (count / side.exposure) ** 2 / side.runs
            for count, side in zip(counts, self._sides, strict=True)
        )
        return np.asarray(np.sqrt(sum(by_side)))

    def _critical(self, tested: np.ndarray, resamples: int) -> float:
        """What the largest difference over its standard error reaches in LEVEL of the draws when nothing changed."""
        generator = random_stream()
        draws = max(min(resamples, _CELLS // len(tested)), 1)
        largest = [
            self._null_draws(generator, min(draws, resamples - first), tested) for first in range(0, resamples, draws)
        ]
        return float(np.quantile(np.concatenate(largest), LEVEL))

    def _null_draws(self, generator: np.random.RandomState, draws: int, tested: np.ndarray) -> np.ndarray:
        """The largest difference over its standard error, of `draws` pairs of sides that are the same program."""
        exposure = sum(side.exposure for side in self._sides)
        own = self._samples[: self._boxes, None] / exposure
        counts = [
            self._rows_of(generator.poisson(own * side.exposure, (self._boxes, draws)).astype(float))
            for side in self._sides
        ]
        degrees = PRIOR_DEGREES + self._known_degrees
        errors = self._errors(counts, generator.chisquare(degrees, draws) / degrees)
        rates = [
            count / side.exposure * (1 + self._run_noise(generator, draws) / np.sqrt(side.runs))
            for count, side in zip(counts, self._sides, strict=True)
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.nan_to_num(np.abs(rates[1] - rates[0]) / errors)[tested].max(axis=0, initial=0.0))

    def _run_noise(self, generator: np.random.RandomState, draws: int) -> np.ndarray:
        """A run's relative deviation in each quantity: half of its variance is the machine's, half the quantity's."""
        machine = generator.standard_normal(draws)
        each = generator.standard_normal((len(self._variances), draws))
        return np.asarray(np.sqrt(self._variances / 2)[:, None] * (machine + each))


class _Side:
    """One side's counts, by quantity and run."""

    def __init__(self, rows: np.ndarray, exposures: np.ndarray) -> None:
        self.runs = rows.shape[1]
        self.counts = rows.sum(axis=1)
        self.exposure = float(exposures.sum())
        self._rows, self._exposures = rows, exposures

    def excess(self) -> np.ndarray:
        """Squared relative deviations of the runs beyond what counts alone give, summed over the runs."""
        expected = np.outer(self.counts / self.exposure, self._exposures)
        with np.errstate(divide="ignore", invalid="ignore"):
            # The runs' own mean takes a part of each deviation, as large as the run's part of the side.
            by_count = (1 - self._exposures / self.exposure) / expected
            return np.asarray(np.nan_to_num((self._rows / expected - 1) ** 2 - by_count).sum(axis=1))


@dataclass(frozen=True)
class _Differences:
    own: list[Difference]
    total: list[Difference]
    functions: list[Difference]
    critical: float
    tested: int


def _difference(before: float, after: float, reach: float | None) -> Difference:
    if reach is None:
        return Difference(before, after, None, None, 0)
    change = after - before
    beyond = abs(change) - reach > MARGIN * max(before, after)
    return Difference(before, after, change - reach, change + reach, int(np.sign(change)) if beyond else 0)
