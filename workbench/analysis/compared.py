"""From the blocks of a comparison to what is said of it: verdicts by part, controls, noise, memory, bytes.

A part is one thing that was compared: a kernel by itself, or the encode of one clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from workbench.analysis.beside import Beside, beside_of
from workbench.analysis.verdict import (
    ALPHA,
    ENOUGH,
    Fitness,
    Overall,
    Verdict,
    Word,
    decide,
    fitness,
    is_decided,
    judge,
    needing,
    overall,
)
from workbench.errors import OutputsDifferError
from workbench.pairs import BASE, CANDIDATE, INSTRUMENT, PLANTED, SECOND, TWIN, Block, Sample, block_of, log_ratios
from workbench.record import Record
from workbench.stats import median

KERNEL, ENCODE = "kernel", "encode"


@dataclass(frozen=True)
class Part:
    """What was compared, how, and every block of it.

    kind      "kernel" or "encode"
    name      of the slot or the clip
    metric    "cpu" or "wall"
    margin    within which a difference is the SAME: 0.01 is 1 %
    planted   the slowdown of P over A', a share
    beside    what was predicted, and what else B costs, as far as that was looked at
    about     what else is to be said: titles and command lines of both sides, cases, seconds of compiling, the seed; of an encode
              at_once, the processors of both runs of a pair, or not_at_once, why they ran one after the other
    """

    kind: str
    name: str
    metric: str
    margin: float
    alpha: float
    planted: float
    about: Mapping[str, Any]
    blocks: tuple[Block, ...]
    beside: Beside = field(default_factory=Beside)

    def record(self) -> Record:
        """The part as a line of the notebook; its blocks are lines of their own, behind it."""
        data = {name: getattr(self, name) for name in ("metric", "margin", "alpha", "planted")} | dict(self.about)
        return Record(INSTRUMENT, "part", "", self.subject, (), data)

    @property
    def subject(self) -> dict[str, str]:
        """What its records say of their subject."""
        return {"part": self.kind, "name": self.name}

    def log_ratios(self, over: str = CANDIDATE) -> list[float]:
        """log(time / time of A) of the blocks that count."""
        return log_ratios(self.blocks, self.metric, over)

    def samples(self, side: str) -> list[Sample]:
        """Of the blocks that count."""
        return [block.samples[side] for block in self.blocks if block.counts and side in block.samples]

    @cached_property
    def verdict(self) -> Verdict:
        """B against A; an undecided one with its forecast."""
        values = self.log_ratios()
        return needing(judge(values, self.margin, self.alpha), values)

    @cached_property
    def same(self) -> Verdict | None:
        """The A/A control; None where none was run."""
        return self._control(TWIN)

    @cached_property
    def slowed(self) -> Verdict | None:
        """The planted slowdown; None where none was run."""
        return self._control(PLANTED)

    def _control(self, side: str) -> Verdict | None:
        values = self.log_ratios(side)
        return judge(values, self.margin, self.alpha) if values else None

    @cached_property
    def fitness(self) -> Fitness:
        """Whether the instrument is fit, by both controls."""
        if self.same is None:
            return Fitness(None, ("no control was run",))
        return fitness(self.same, self.slowed, 1 + self.planted)

    @property
    def disturbed(self) -> tuple[int, int, int]:
        """(blocks run again, disturbed blocks that count, blocks that count)."""
        counting = [block for block in self.blocks if block.counts]
        again = sum(block.again for block in self.blocks)
        return again, sum(block.disturbed is not None for block in counting), len(counting)

    @property
    def seconds(self) -> float:
        """Wall seconds from the first run to the last, those that do not count in it."""
        return sum(sample.took_s for block in self.blocks for sample in block.samples.values())

    def ratio_of(self, field: str) -> float | None:
        """Median of a figure of B over that of A; None where it is not known."""
        sides = [[getattr(sample, field) for sample in self.samples(side)] for side in (CANDIDATE, BASE)]
        if any(not values or None in values for values in sides) or not median(sides[1]):
            return None
        return median(sides[0]) / median(sides[1])

    def digests(self, *sides: str) -> set[str]:
        """Of all streams that these sides wrote, blocks that do not count in it."""
        found = (block.samples[side].digest for block in self.blocks for side in sides if side in block.samples)
        return {digest for digest in found if digest}

    @property
    def outputs_identical(self) -> bool | None:
        """Whether all streams of A and B are the same bytes; None of kernels alone."""
        digests = self.digests(BASE, CANDIDATE, SECOND, TWIN)
        return len(digests) == 1 if digests else None


def enough(
    blocks: Sequence[Block], metric: str, margin: float, alpha: float = ALPHA, allowed: float | None = None
) -> bool:
    """Whether B is decided by the blocks so far, and whether it is slower by more than `allowed`, where that is asked."""
    values = log_ratios(blocks, metric)
    if decide(values, margin, alpha) == Word.UNDECIDED:
        return False
    return allowed is None or is_decided(values, allowed, alpha)


def settled(blocks: Sequence[Block], metric: str, margin: float, alpha: float = ALPHA) -> bool:
    """Whether the controls have said what they can: both are decided, or have had their pairs."""
    controls = [log_ratios(blocks, metric, side) for side in (TWIN, PLANTED)]
    return all(len(values) >= ENOUGH or decide(values, margin, alpha) != Word.UNDECIDED for values in controls)


def parts_of(records: Sequence[Record]) -> list[Part]:
    """The parts of a comparison, from its records."""
    found: dict[tuple[str, str], Part] = {}
    blocks: dict[tuple[str, str], list[Block]] = {}
    others: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        key = (str(record.subject.get("part")), str(record.subject.get("name")))
        if record.instrument != INSTRUMENT:
            others.setdefault(key, []).append(record)
        elif record.metric == "block":
            blocks.setdefault(key, []).append(block_of(record))
        elif record.metric == "part":
            about = dict(record.data)
            own = {name: about.pop(name) for name in ("metric", "margin", "alpha", "planted")}
            found[key] = Part(*key, **own, about=about, blocks=())
    return [
        replace(part, blocks=tuple(blocks.get(key, ())), beside=beside_of(others.get(key, ())))
        for key, part in found.items()
    ]


@dataclass(frozen=True)
class Failure:
    """What ended a comparison: outputs that differ or do not decode (status 4), a program that died or hung (5)."""

    message: str
    status: int

    @property
    def is_of_outputs(self) -> bool:
        """Whether B does not do what A does, and nothing around them is at fault."""
        return self.status == OutputsDifferError.exit_status


@dataclass(frozen=True)
class Compared:
    """A whole comparison.

    title_a, title_b   as the user named the sides
    parts              kernels first
    overall            the clips together; None where no encode was compared
    interrupted        Ctrl-C ended it: these are the pairs so far
    warnings           what else the reader should know
    failure            why nothing was measured to its end, and the exit status of that; then there are no parts
    """

    title_a: str
    title_b: str
    parts: tuple[Part, ...]
    overall: Overall | None
    interrupted: bool = False
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def kernels(self) -> list[Part]:
        """Parts that are a kernel each."""
        return [part for part in self.parts if part.kind == KERNEL]

    @property
    def clips(self) -> list[Part]:
        """Parts that are the encode of a clip each."""
        return [part for part in self.parts if part.kind == ENCODE]

    @property
    def main(self) -> Verdict:
        """The verdict that the exit status is about: of the clips together, else of the first kernel; of no pair, undecided."""
        if self.overall is not None:
            return self.overall.verdict
        return self.parts[0].verdict if self.parts else judge((), 0.0)

    def word(self, part: Part) -> Word:
        """The part's word; of a clip the one that is corrected for their number."""
        corrected = self.overall.words if self.overall and part.kind == ENCODE else {}
        return corrected.get(part.name, part.verdict.word)

    @property
    def is_fit(self) -> bool | None:
        """Whether the controls of all parts came out as they must; None where some cannot tell yet."""
        found = [part.fitness.fit for part in self.parts]
        return False if False in found else None if None in found else True


def compared(
    titles: tuple[str, str], parts: Sequence[Part], interrupted: bool = False, warnings: Sequence[str] = ()
) -> Compared:
    """Put parts together; those without a block are left out."""
    told = [part for part in parts if part.blocks]
    clips = {part.name: part.log_ratios() for part in told if part.kind == ENCODE}
    margin = max((part.margin for part in told if part.kind == ENCODE), default=0.0)
    together = overall(clips, margin, told[0].alpha) if clips else None
    return Compared(*titles, tuple(told), together, interrupted, tuple(warnings))
