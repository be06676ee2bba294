"""What the instrument promises, held against many comparisons whose truth is known.

A try is one comparison: of A with itself, and in the same blocks with A made slower by a known share. What it says is what
`workbench compare` would have said at the first block at which it may stop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.analysis.rates import rate_interval
from workbench.analysis.verdict import Word
from workbench.record import Record
from workbench.stats import Interval, median

INSTRUMENT, METRIC = "proof", "try"
KERNEL, COPY, ENCODE, LOADED, PREDICTION = "kernel", "copy", "encode", "loaded", "prediction"
KINDS: Mapping[str, tuple[str, int]] = {
    KERNEL: ("a kernel against itself and a planted slowdown", 200),
    COPY: ("a kernel against its copy, which is compiled to another place in memory", 200),
    ENCODE: ("an encode of a second against itself and a planted slowdown", 50),
    LOADED: ("the same, with a busy process beside it for each processor", 50),
    PREDICTION: ("an encode with work planted in one of its kernels, predicted before it is measured", 20),
}
"""What each kind of try is, and how many there are by default."""
SAME, PLANTED = "same", "planted"


@dataclass(frozen=True)
class Outcome:
    """What a comparison said: of `pairs` pairs, `seconds` after its first run began."""

    word: Word
    pairs: int
    seconds: float
    ratio: float | None


@dataclass(frozen=True)
class Try:
    """One comparison with a known truth.

    outcomes   SAME: of A and what is the same; PLANTED: of A and what is slower by `planted`, a share; not of copies
    disturbed  blocks that were, of `blocks`
    predicted  of a prediction, the interval of the ratio, None where none could be made: `about` says why, or what was planted
    """

    kind: str
    number: int
    seed: int
    outcomes: Mapping[str, Outcome]
    planted: float
    disturbed: int
    blocks: int
    load_average: float
    predicted: tuple[float, float] | None = None
    about: str = ""

    def record(self) -> Record:
        """The try as a line of the notebook; the values are the ratios that it found."""
        ratios = tuple(outcome.ratio for outcome in self.outcomes.values() if outcome.ratio is not None)
        return Record(INSTRUMENT, METRIC, "ratio", {"kind": self.kind}, ratios, asdict(self))


def tries_of(records: Sequence[Record]) -> list[Try]:
    """The tries that are in a notebook."""
    found = []
    for record in records:
        if (record.instrument, record.metric) != (INSTRUMENT, METRIC):
            continue
        fields = dict(record.data)
        fields["predicted"] = tuple(fields["predicted"]) if fields["predicted"] else None
        outcomes = {name: Outcome(**one) for name, one in fields.pop("outcomes").items()}
        found.append(Try(**fields, outcomes={name: _typed(one) for name, one in outcomes.items()}))
    return found


def _typed(outcome: Outcome) -> Outcome:
    return Outcome(Word(outcome.word), outcome.pairs, outcome.seconds, outcome.ratio)


@dataclass(frozen=True)
class Goal:
    """What is promised of a kind of try.

    share      of the tries: at least so much, or at most, by `at_least`
    tries      that it takes to say so
    count      of a try: (how often it happened, of how many)
    """

    kinds: tuple[str, ...]
    text: str
    share: float
    at_least: bool
    tries: int
    count: Callable[[Try], tuple[int, int]]


def _said(name: str, *words: Word) -> Callable[[Try], tuple[int, int]]:
    return lambda one: (int(one.outcomes[name].word in words), 1) if name in one.outcomes else (0, 0)


def _foretold(one: Try) -> tuple[int, int]:
    """Whether what was measured lies in what was predicted."""
    ratio = one.outcomes[PLANTED].ratio if PLANTED in one.outcomes else None
    if one.predicted is None or ratio is None:
        return 0, 0
    return int(one.predicted[0] <= ratio <= one.predicted[1]), 1


_ANY = (Word.FASTER, Word.SLOWER)
GOALS = (
    Goal((KERNEL,), "a kernel against itself: FASTER or SLOWER, which is false", 5 / 200, False, 200, _said(SAME, *_ANY)),
    Goal((KERNEL,), "1 % planted in a kernel: found within 40 pairs and 10 s", 0.9, True, 100, _said(PLANTED, Word.SLOWER)),
    Goal((COPY,), "a kernel against its copy: FASTER or SLOWER, which is false", 5 / 200, False, 200, _said(SAME, *_ANY)),
    Goal((ENCODE,), "5 % planted in an encode of a second: found within 60 s", 0.8, True, 50, _said(PLANTED, Word.SLOWER)),
    Goal((ENCODE,), "an encode against itself: FASTER or SLOWER, which is false", 5 / 200, False, 50, _said(SAME, *_ANY)),
    Goal((LOADED,), "beside busy processes, an encode against itself: FASTER or SLOWER", 0.0, False, 50, _said(SAME, *_ANY)),
    Goal((LOADED,), "beside busy processes: runs that are flagged", 0.9, True, 50, lambda one: (one.disturbed, one.blocks)),
    Goal((PREDICTION,), "a slower kernel: the whole encode lies in the predicted 90 % interval", 17 / 20, True, 20, _foretold),
    Goal((KERNEL, ENCODE, LOADED), "what is planted, called FASTER", 0.0, False, 500, _said(PLANTED, Word.FASTER)),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A goal and what came of it. `met`: None where the tries are too few to say, unless they have failed already."""

    goal: Goal
    hits: int
    of: int

    @property
    def interval(self) -> Interval:
        """Of the chance of a hit, exact, 95 %."""
        return rate_interval(self.hits, self.of)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached."""
        if self.of >= self.goal.tries:
            wanted = self.goal.share * self.of
            return self.hits >= wanted - 1e-9 if self.goal.at_least else self.hits <= wanted + 1e-9
        most = self.hits + self.goal.tries - self.of if self.goal.at_least else self.hits
        wanted = self.goal.share * self.goal.tries
        lost = most < wanted - 1e-9 if self.goal.at_least else most > wanted + 1e-9
        return False if lost else None


@dataclass(frozen=True)
class Figures:
    """Of all tries of a kind against one side: the words; medians of pairs, seconds, ratio and the machine's load, and the
    largest of seconds; the share of blocks that were disturbed."""

    kind: str
    side: str
    words: Mapping[str, int]
    pairs: float
    seconds: float
    most_seconds: float
    ratio: float | None
    disturbed: float
    load_average: float


@dataclass(frozen=True)
class Proof:
    """All goals of the kinds that were tried, and the figures behind them."""

    rows: tuple[Row, ...]
    figures: tuple[Figures, ...]

    @property
    def met(self) -> bool | None:
        """Whether all goals are reached; None where some cannot tell yet."""
        found = {row.met for row in self.rows}
        return False if False in found else None if None in found else True


def proof(tries: Sequence[Try]) -> Proof:
    """Count. A goal over several kinds is asked of those that were tried."""
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in tries)]
    rows = []
    for goal in GOALS:
        counts = [goal.count(one) for one in tries if one.kind in goal.kinds]
        if counts:
            rows.append(Row(goal, sum(hits for hits, _ in counts), sum(of for _, of in counts)))
    figures = [_figures(kind, side, tries) for kind in kinds for side in (SAME, PLANTED)]
    return Proof(tuple(rows), tuple(each for each in figures if each is not None))


def _figures(kind: str, side: str, tries: Sequence[Try]) -> Figures | None:
    own = [one for one in tries if one.kind == kind and side in one.outcomes]
    outcomes = [one.outcomes[side] for one in own]
    if not outcomes:
        return None
    ratios = [outcome.ratio for outcome in outcomes if outcome.ratio is not None]
    return Figures(
        kind=kind,
        side=side,
        words={str(word): sum(outcome.word == word for outcome in outcomes) for word in Word},
        pairs=median([float(outcome.pairs) for outcome in outcomes]),
        seconds=median([outcome.seconds for outcome in outcomes]),
        most_seconds=max(outcome.seconds for outcome in outcomes),
        ratio=median(ratios) if ratios else None,
        disturbed=sum(one.disturbed for one in own) / max(sum(one.blocks for one in own), 1),
        load_average=median([one.load_average for one in own]),
    )


def as_json(found: Proof) -> dict[str, Any]:
    """Goals and figures as JSON."""
    return {
        "met": found.met,
        "goals": [
            {
                "goal": row.goal.text,
                "kinds": row.goal.kinds,
                "hits": row.hits,
                "of": row.of,
                "interval": [row.interval.low, row.interval.high],
                "share": row.goal.share,
                "at_least": row.goal.at_least,
                "tries": row.goal.tries,
                "met": row.met,
            }
            for row in found.rows
        ],
        "figures": [asdict(each) for each in found.figures],
    }
