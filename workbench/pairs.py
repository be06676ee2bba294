"""Blocks: each side of a comparison run once, in an order that a fair coin decides, again and again until that is enough.

A is the base, B the candidate. Control sides go along where they are due: A' is A once more, in another process; P is A made
slower by a known factor; where both of a pair run at once, A' has an A of its own beside it, A2. What is analysed later are the
ratios inside the blocks. Where two sides do the same work, each of both orders was as likely, whatever the machine did
meanwhile: that alone makes a test of the signs and ranks exact (Abedi & Brecht 2017, doi 10.1145/3030207.3030229, measured what
other orders do).

A disturbed block is run again as a whole, as long as most blocks are quiet: steady noise would only use up the time. The rule
that says so sees the noise meters alone, never a time, and the same of every side, so it cannot favour one.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.record import Record

BASE, CANDIDATE, TWIN, PLANTED, SECOND = "A", "B", "A'", "P", "A2"
INSTRUMENT = "pairs"
METRICS = ("cpu", "wall")


@dataclass(frozen=True)
class Sample:
    """One run of one side.

    cpu_s, wall_s         what is compared: of a kernel, seconds of one call of each case; of an encode, seconds
    took_s                wall seconds of the run as a whole, start-up and all: what noise is held against; 0 where the run is
                          that of another sample, too, or at the same time as its run: that one has the noise of both
    max_rss_bytes         peak resident set of that process alone
    involuntary_switches  times it was taken off a processor
    pressure_s, steal_s, foreign_s   seconds in which a task waited for a processor; processor seconds that the hypervisor gave
                          to other guests, and that other programs took: None where the kernel does not say
    start_s               processor seconds of starting and of loading or compiling code, which are not in cpu_s
    digest, bytes         of the stream that was written
    """

    cpu_s: float
    wall_s: float
    took_s: float
    max_rss_bytes: int | None = None
    involuntary_switches: int = 0
    pressure_s: float | None = None
    steal_s: float | None = None
    foreign_s: float | None = None
    start_s: float | None = None
    digest: str | None = None
    bytes: int | None = None

    def time_s(self, metric: str) -> float:
        """The time that a metric ("cpu", "wall") looks at."""
        return self.wall_s if metric == "wall" else self.cpu_s


Run = Callable[[Sequence[str], int], Mapping[str, Sample]]
"""Runs the sides of these names in this order, as the block of this number; a control side may give several samples."""


@dataclass(frozen=True)
class Block:
    """One run of each side that was due.

    number     from 0; block 0 is there to warm up
    order      of the sides as they were run; of two that ran at once, the first one was on the first processor
    disturbed  what the noise meters said, None where they were quiet
    again      it does not count and was run again
    at_s       when it began, seconds since the first one
    """

    number: int
    order: tuple[str, ...]
    samples: Mapping[str, Sample]
    disturbed: str | None
    again: bool
    at_s: float

    @property
    def counts(self) -> bool:
        """Whether its ratios are used."""
        return self.number > 0 and not self.again

    def record(self, subject: Mapping[str, Any], command: Sequence[str] = ()) -> Record:
        """The block as a line of the notebook: values are the processor times in the order taken."""
        samples = {name: asdict(sample) for name, sample in self.samples.items()}
        data = {**asdict(self), "samples": samples}
        values = tuple(self.samples[name].cpu_s for name in self.order)
        return Record(INSTRUMENT, "block", "s", subject, values, data, command=tuple(command))


def block_of(record: Record) -> Block:
    """The block that a record holds."""
    fields = dict(record.data)
    fields["samples"] = {name: Sample(**sample) for name, sample in fields["samples"].items()}
    fields["order"] = tuple(fields["order"])
    return Block(**fields)


@dataclass(frozen=True)
class Limits:
    """When to stop at the latest.

    pairs      blocks that count
    seconds    from the first block on; none is begun that would end later
    """

    pairs: int
    seconds: float


def log_ratios(blocks: Sequence[Block], metric: str = "cpu", over: str = CANDIDATE) -> list[float]:
    """log(time of `over` / time of the A that it is paired with) of each block that counts and holds both, in order of time."""
    return [
        math.log(block.samples[over].time_s(metric) / block.samples[under].time_s(metric))
        for block in blocks
        if block.counts and over in block.samples and (under := _base_of(over, block)) in block.samples
    ]


def _base_of(side: str, block: Block) -> str:
    """The run of A that a side is paired with: where A' has one of its own, at the same time, that one."""
    return SECOND if side in (TWIN, PLANTED) and SECOND in block.samples else BASE


def blocks(
    run: Run,
    due: Callable[[int], Sequence[str]],
    limits: Limits,
    seed: int,
    is_disturbed: Callable[[Mapping[str, Sample]], str | None],
    decide: Callable[[Sequence[Block]], bool],
) -> Iterator[Block]:
    """Run blocks and give each as it ends, those that do not count, too.

    run           runs sides, numbered by tries, so that what it draws for a block is drawn anew when that is run again
    due           the sides of the block of a number
    is_disturbed  what disturbed these samples, None for nothing; it must look at noise meters alone
    decide        whether the blocks so far are enough; asked after each one that counts
    """
    chance = random.Random(seed)
    began = time.monotonic()
    taken: list[Block] = []
    number = tries = noisy = 0
    while True:
        at_s = time.monotonic() - began
        if tries and at_s * (tries + 1) / tries > limits.seconds:
            return
        order = tuple(chance.sample(list(due(number)), len(due(number))))
        samples = run(order, tries)
        disturbed = is_disturbed(samples)
        again = number > 0 and disturbed is not None and 2 * noisy < tries
        noisy += disturbed is not None
        block = Block(number, order, samples, disturbed, again, at_s)
        yield block
        tries += 1
        number += not again
        if block.counts:
            taken.append(block)
            if decide(taken) or len(taken) >= limits.pairs:
                return
