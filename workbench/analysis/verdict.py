"""Verdicts on B against A, from log ratios d = log(time of B / time of A) of pairs in coin-flip order.

SAME             an effect of the margin or more is refused in both directions: what there is, even surely, does not matter
FASTER, SLOWER   else, "no effect" is refused in that direction
UNDECIDED        neither, yet

All are anytime-valid (analysis/evidence.py): they may be asked for after every pair, and the first that is not
UNDECIDED may end the comparison; wrong with chance at most alpha over all looks. FASTER and SLOWER rest on the coin
alone; SAME and the intervals also on the effect being one factor on the time. A comparison that goes on decides in the
end: a centre of 0 is inside the margin, and any other is not 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from workbench import units
from workbench.analysis import evidence, signed_rank
from workbench.analysis.evidence import ALPHA
from workbench.analysis.forecast import Needs, forecast, least_pairs
from workbench.errors import InputError
from workbench.stats import hodges_lehmann, robust_spread

__all__ = [
    "ALPHA",
    "ENOUGH",
    "Agreement",
    "Clips",
    "Fitness",
    "Needs",
    "Overall",
    "Verdict",
    "Word",
    "agreement",
    "decide",
    "fitness",
    "forecast",
    "holm",
    "is_decided",
    "judge",
    "least_clips",
    "least_pairs",
    "needing",
    "overall",
]

ENOUGH = 20  # pairs of a control side after which an undecided one counts as missed


class Word(StrEnum):
    """B against A."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    SAME = "SAME"
    UNDECIDED = "UNDECIDED"


_BOTH_WAYS = "B was surely faster for a time and surely slower for another: the difference itself changed meanwhile"


@dataclass(frozen=True)
class Verdict:
    """What is known of time of B / time of A, all of it as ratios: 1.02 is 2 % slower.

    ratio        Hodges-Lehmann estimate; None of no pairs
    low, high    exact 95 % interval by signed ranks, for one look at this number of pairs; None below 6 pairs
    always_low, always_high   interval at 1 - alpha that holds at all looks together, the one that decides; None: no end
    e_value      evidence against "no effect", of the better direction; p at any stopping time is 2 / e_value
    e_same       evidence against an effect of the margin or more, of the weaker direction
    spread       robust standard deviation of the log ratios: 0.01 is 1 % a pair; None of no pairs
    within_margin  the always-valid interval lies inside the margin: a difference may be sure, and too small to matter
    why          what stands against any verdict, or ""
    needs        what an undecided comparison lacks, where that was asked for (`needing`)
    """

    word: Word
    ratio: float | None
    low: float | None
    high: float | None
    always_low: float | None
    always_high: float | None
    pairs: int
    margin: float
    alpha: float
    e_value: float
    e_same: float
    spread: float | None
    within_margin: bool
    why: str = ""
    needs: Needs | None = None

    @property
    def differs(self) -> bool:
        """Surely faster or slower, be it by less than the margin."""
        return self.p_differs <= self.alpha and not self.why

    @property
    def direction(self) -> Word:
        """Of a verdict that `differs`: FASTER or SLOWER."""
        return Word.SLOWER if (self.always_low or 0.0) > 1 else Word.FASTER

    @property
    def p_differs(self) -> float:
        """p of "no effect", two-sided, valid at any stopping time."""
        return min(1.0, 2 / self.e_value)

    @property
    def p_same(self) -> float:
        """p of "an effect of the margin or more", valid at any stopping time."""
        return min(1.0, 2 / self.e_same)

    def slower_than(self, allowed: float) -> bool | None:
        """Whether B is slower by more than `allowed` (0.02 is 2 %), as the always-valid interval has it; None: not sure."""
        if self.always_low is not None and self.always_low > 1 + allowed:
            return True
        if self.always_high is not None and self.always_high <= 1 + allowed:
            return False
        return None


def decide(log_ratios: Sequence[float], margin: float, alpha: float = ALPHA) -> Word:
    """The word alone, quickly: to be asked after every pair."""
    return _word(*_evidence(_checked(log_ratios), margin), alpha)


def is_decided(log_ratios: Sequence[float], allowed: float, alpha: float = ALPHA) -> bool:
    """Whether `Verdict.slower_than(allowed)` says yes or no, quickly: to be asked after every pair."""
    values, edge = _checked(log_ratios), math.log1p(allowed)
    return any(evidence.highest(values, edge, above) >= 2 / alpha for above in (True, False))


def judge(log_ratios: Sequence[float], margin: float, alpha: float = ALPHA) -> Verdict:
    """All that the pairs so far say. `margin`: 0.01 is 1 %, either way as a ratio: 1/1.01 to 1.01.

    Raises InputError where a log ratio is no number: a run took no measurable time.
    """
    values = _checked(log_ratios)
    below, above, same = _evidence(values, margin)
    low, high = evidence.confidence_sequence(values, alpha) if len(values) else (-math.inf, math.inf)
    exact = signed_rank.interval(values)
    both = min(below, above) >= 2 / alpha
    return Verdict(
        word=_word(below, above, same, alpha),
        ratio=math.exp(hodges_lehmann(values)) if len(values) else None,
        low=math.exp(exact.low) if exact else None,
        high=math.exp(exact.high) if exact else None,
        always_low=math.exp(low) if math.isfinite(low) else None,
        always_high=math.exp(high) if math.isfinite(high) else None,
        pairs=len(values),
        margin=margin,
        alpha=alpha,
        e_value=max(below, above),
        e_same=same,
        spread=robust_spread(values) if len(values) else None,
        within_margin=same >= 2 / alpha and not both,
        why=_BOTH_WAYS if both else "",
    )


def needing(verdict: Verdict, log_ratios: Sequence[float], within: int = 40) -> Verdict:
    """The verdict with a forecast, if it is UNDECIDED: below a second, so ask once, at the end."""
    if verdict.word != Word.UNDECIDED or verdict.why:
        return verdict
    return replace(verdict, needs=forecast(log_ratios, verdict.margin, verdict.alpha, within))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: refusing those <= alpha errs anywhere with at most alpha (Holm 1979)."""
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = reached
    return adjusted


def _checked(log_ratios: Sequence[float]) -> list[float]:
    values = [float(value) for value in log_ratios]
    if not all(math.isfinite(value) for value in values):
        raise InputError("a run took no measurable time, so there is no ratio: compare something that takes longer")
    return values


def _evidence(values: Sequence[float], margin: float) -> tuple[float, float, float]:
    """Highest fortunes so far against "no effect", below and above, and the lesser of those against the margin's ends."""
    edge = math.log1p(margin)
    inside = (evidence.highest(values, -edge, above=True), evidence.highest(values, edge, above=False))
    return evidence.highest(values, 0.0, above=False), evidence.highest(values, 0.0, above=True), min(inside)


def _word(below: float, above: float, same: float, alpha: float) -> Word:
    limit = 2 / alpha
    if min(below, above) >= limit:
        return Word.UNDECIDED
    if same >= limit:
        return Word.SAME
    if max(below, above) >= limit:
        return Word.FASTER if below > above else Word.SLOWER
    return Word.UNDECIDED


def least_clips(alpha: float = ALPHA) -> int:
    """The fewest clips of which a signed-rank test over clips can reach alpha, all of them agreeing: 8 at 1 %."""
    return math.ceil(math.log2(2 / alpha))


@dataclass(frozen=True)
class Clips:
    """Clips in general, of which those measured are taken to be a fair sample: clip is the unit, its estimate the value.

    p_value    exact signed-rank test of the clips' estimates; says nothing of how sure a single one is
    low, high  exact interval of the ratio at 1 - alpha over clips
    """

    word: Word
    p_value: float
    low: float
    high: float


@dataclass(frozen=True)
class Overall:
    """Several clips together; runs are never pooled.

    verdict   on the geometric mean of the ratios of these clips, each counting the same: of rounds, a round being the
              mean log ratio of the clips' pairs of like number. Each pair has its own coin, so a round is symmetric
              about the mean effect, and all that holds for pairs holds for rounds. There are as many as the clip with
              the fewest pairs has.
    words     by clip, corrected for their number (Holm): at most alpha that any clip is called different in a direction
              that it is not (directions too where clips' coins are independent: Shaffer 1980), and at most alpha that
              any is called SAME that is not
    p_values  by clip, adjusted: (that it does not differ, that it is not the same)
    clips     clips in general; None of fewer clips than could show anything (`least_clips`)
    """

    verdict: Verdict
    words: Mapping[str, Word]
    p_values: Mapping[str, tuple[float, float]]
    clips: Clips | None

    @property
    def scope(self) -> str:
        """What the overall verdict speaks of."""
        count, least = len(self.words), least_clips(self.verdict.alpha)
        if self.clips:
            return f"these {count} clips; clips in general: {self.clips.word}"
        these = "this clip" if count == 1 else f"these {count} clips"
        return f"{these}, not clips in general: that takes {least} at the least"


def overall(log_ratios: Mapping[str, Sequence[float]], margin: float, alpha: float = ALPHA) -> Overall:
    """Judge clips together: by name the log ratios of its pairs, in the order in which they were taken."""
    if not log_ratios:
        raise InputError("no clips to judge")
    verdicts = {clip: judge(values, margin, alpha) for clip, values in log_ratios.items()}
    differs = holm([verdict.p_differs for verdict in verdicts.values()])
    same = holm([verdict.p_same for verdict in verdicts.values()])
    adjusted = dict(zip(verdicts, zip(differs, same, strict=True), strict=True))
    return Overall(
        verdict=judge(_rounds(list(log_ratios.values())), margin, alpha),
        words={clip: _corrected(verdict, *adjusted[clip]) for clip, verdict in verdicts.items()},
        p_values=adjusted,
        clips=_clips(list(verdicts.values()), margin, alpha),
    )


def _rounds(clips: Sequence[Sequence[float]]) -> list[float]:
    rounds = min(len(values) for values in clips)
    return [float(value) for value in np.mean([values[:rounds] for values in clips], axis=0)]


def _corrected(verdict: Verdict, p_differs: float, p_same: float) -> Word:
    """The clip's word where its adjusted p still holds; what falls back is UNDECIDED."""
    if p_same <= verdict.alpha and not verdict.why:
        return Word.SAME
    return verdict.direction if verdict.differs and p_differs <= verdict.alpha else Word.UNDECIDED


def _clips(verdicts: Sequence[Verdict], margin: float, alpha: float) -> Clips | None:
    logs = [math.log(verdict.ratio) for verdict in verdicts if verdict.ratio is not None]
    interval = signed_rank.interval(logs, 1 - alpha)
    if interval is None or len(logs) < len(verdicts):
        return None
    edge, word = math.log1p(margin), Word.UNDECIDED
    if not interval.holds(0.0):
        word = Word.SLOWER if interval.low > 0 else Word.FASTER
    elif -edge < interval.low and interval.high < edge:
        word = Word.SAME
    return Clips(word, signed_rank.p_value(logs), math.exp(interval.low), math.exp(interval.high))


@dataclass(frozen=True)
class Fitness:
    """Whether the controls came out as they must. `fit`: None while they have too few pairs to tell. `why`: what is wrong,
    a sentence each; what is missing, where `fit` is None."""

    fit: bool | None
    why: tuple[str, ...]


def fitness(same: Verdict, planted: Verdict | None, factor: float, enough: int = ENOUGH) -> Fitness:
    """Judge the instrument by a side that is the same as A, and one that is known to be slower.

    factor   time of the planted side over that of A, as known: 1.05
    enough   pairs after which an undecided planted slowdown counts as missed
    """
    wrong = [*_fired(same), *(_missed(planted, factor, enough) if planted else [])]
    if wrong:
        return Fitness(False, tuple(wrong))
    waiting = [
        f"the {name} control has {verdict.pairs} pairs, it takes {needed}"
        for name, verdict, needed in (("A/A", same, least_pairs(same.alpha)), ("planted", planted, enough))
        if verdict and verdict.word == Word.UNDECIDED and verdict.pairs < needed
    ]
    return Fitness(None, tuple(waiting)) if waiting else Fitness(True, ())


def _fired(same: Verdict) -> list[str]:
    if same.why:
        return [f"the A/A control is not steady: {same.why}"]
    if not same.differs:
        return []
    return [
        f"two sides that are the same were found different: {_change(same)} in {same.pairs} pairs; the sides are not "
        "treated alike, and differences of that size are the instrument's own"
    ]


def _missed(planted: Verdict, factor: float, enough: int) -> list[str]:
    known, found = units.percent(factor - 1, signed=True), _change(planted)
    if planted.why or (planted.differs and planted.direction == Word.FASTER):
        return [f"a slowdown of {known} was planted and {planted.why or f'found to be {found}'}"]
    if planted.word == Word.SAME and planted.margin < factor - 1:
        return [f"a slowdown of {known} was planted and judged to be within {units.percent(planted.margin)}: {found}"]
    if planted.differs:
        return [] if _is_about(planted, factor) else [f"a slowdown of {known} was planted and read as {found}"]
    if planted.pairs < enough:
        return []
    return [
        f"a slowdown of {known} was planted and not found in {planted.pairs} pairs, which spread by "
        f"{units.percent(planted.spread)}: too noisy to see that much"
    ]


def _is_about(planted: Verdict, factor: float) -> bool:
    """Whether the always-valid interval reaches between half the known effect and twice of it."""
    low, high = planted.always_low or 0.0, planted.always_high or math.inf
    return high >= math.sqrt(factor) and low <= factor**2


def _change(verdict: Verdict) -> str:
    """`+1.2 % (+0.9 % to +1.6 %)`, by the interval that decides."""
    if verdict.ratio is None:
        return units.UNKNOWN
    ends = [
        units.percent(end - 1, signed=True) if end is not None else "open"
        for end in (verdict.always_low, verdict.always_high)
    ]
    return f"{units.percent(verdict.ratio - 1, signed=True)} ({ends[0]} to {ends[1]})"


@dataclass(frozen=True)
class Agreement:
    """Time beside instructions. `agree`: None where time is undecided. `text`: one sentence."""

    agree: bool | None
    word: Word
    ratio: float
    text: str


def agreement(time: Verdict, instructions_a: Sequence[float], instructions_b: Sequence[float]) -> Agreement:
    """Hold a verdict on time against counted instructions of A and B, one count a repeat; neither is averaged with the other.

    Counts repeat to a few parts in 10**5, so they need no test: a change beyond the ranges of both, and beyond the
    verdict's margin, is one. The two disagree when they differ in direction, or when one is surely beyond the margin
    and the other surely within.
    """
    ratio = float(np.median(instructions_b) / np.median(instructions_a))
    word = _counted(ratio, instructions_a, instructions_b, time.margin)
    counted = f"instructions say {word} ({units.percent(ratio - 1, signed=True)})"
    if time.word == Word.UNDECIDED:
        return Agreement(None, word, ratio, f"time is undecided; {counted}")
    agree = _agree(time, word)
    text = f"time says {time.word} ({_change(time)}), and {counted}" + ("" if agree else ": they disagree")
    return Agreement(agree, word, ratio, text)


def _counted(ratio: float, a: Sequence[float], b: Sequence[float], margin: float) -> Word:
    apart = max(a) < min(b) or max(b) < min(a)
    if not apart or abs(math.log(ratio)) <= math.log1p(margin):
        return Word.SAME
    return Word.SLOWER if ratio > 1 else Word.FASTER


def _agree(time: Verdict, counted: Word) -> bool:
    if counted == Word.SAME:
        return not _is_beyond(time)
    return not time.within_margin and counted == time.word


def _is_beyond(time: Verdict) -> bool:
    """Whether the always-valid interval lies wholly outside the margin."""
    edge = 1 + time.margin
    return (time.always_low or 0.0) > edge or (time.always_high or math.inf) < 1 / edge
