"""Kernels as sides of a comparison: a few processes that keep them loaded and time them in turns (inside/kernel_worker.py).

What a run measures is the sum over the slot's cases, of each the mean of the lower half of SLICES slices. In a slice, one
process times all sides case by case, so that they see the same noise; where the sides took whole slices in turn, blocks of the
same kernel twice differed by several percent on a machine whose host was busy elsewhere.

A process is faster or slower than another one that does the same, by a thousandth here and there, for as long as it lives
(its addresses, its pages). So every process holds the kernels of both sides, and each slice is that of another process, as chance
has it. Kernels of two revisions, which one process cannot hold, have several processes each, and take slices in turn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import InputError, OutputsDifferError, SubjectError
from workbench.meters import Reading
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Sample
from workbench.sides import Kernel
from workbench.standing import PADDING, Standing

RUN_S = 0.06  # processor seconds of one side in a block
SLICES = 10
PROCESSES = 4  # as many as there are sides in a block
_LONGER = 5  # times RUN_S that a run may take: of interpreted kernels, or for the planted share to be whole calls
_ALIKE = 2.0  # sides whose speeds differ by less are called as often as each other
_WORKER = Path(__file__).parent / "inside" / "kernel_worker.py"


@dataclass(frozen=True)
class Plan:
    """How one side is called in each slice: which cases, and how often."""

    cases: Sequence[int]
    loops: int


class Worker:
    """A process that holds kernels of one home; `about` is what it says of each of them."""

    def __init__(self, kernels: Sequence[Kernel], core: int | None, padding: int, timeout_s: float) -> None:
        """Start it; `wait` for it before the first request. Raises EnvironmentFault when it cannot be started."""
        self.kernels = tuple(kernels)
        self.about: list[dict[str, Any]] = []
        first = kernels[0]
        own = ("-" if core is None else str(core), first.slot, first.pattern, *(kernel.kernels for kernel in kernels))
        words = [first.home.python, str(_WORKER), *own]
        self._process = Standing(words, first.home.environment, padding, timeout_s)
        self.close = self._process.close

    def wait(self) -> None:
        """Until the kernels are loaded. Raises InputError for those that cannot be, and as `ask` does."""
        about = self._process.loaded(" and ".join(map(str, self.kernels)))
        if isinstance(about, dict):
            raise InputError(about["error"])
        self.about = about

    def ask(self, kernels: Sequence[Kernel], plans: Sequence[Plan], seed: int) -> dict[str, Any]:
        """Time one slice of kernels with the same cases. Raises SubjectError where a kernel raises or takes the process with
        it, SubjectTimeout where it hangs."""
        sides = [
            {"which": self.kernels.index(kernel), "loops": plan.loops}
            for kernel, plan in zip(kernels, plans, strict=True)
        ]
        request = {"sides": sides, "cases": list(plans[0].cases), "seed": seed}
        answer: dict[str, Any] = self._process.ask(request, " or ".join(dict.fromkeys(map(str, kernels))))
        if "error" in answer:
            raise SubjectError(f"{kernels[answer['side']]} raised {answer['error']}")
        return answer


class KernelSides:
    """The sides A, B, A' and P of one slot. Use it as a context manager; `tune`, then `run` blocks (a pairs.Run).

    planted   the slowdown of P, which makes so many calls more than A, as a share; known once tuned
    """

    def __init__(self, base: Kernel, candidate: Kernel, core: int | None, timeout_s: float, seed: int) -> None:
        self.planted = 0.0
        self._kernels = {BASE: base, CANDIDATE: candidate, TWIN: base, PLANTED: base}
        self._plans: dict[str, Plan] = {}
        self._weights: list[float] = []
        self._chance = random.Random(f"deal-{seed}")
        self._workers: list[Worker] = []
        try:
            for kernels in self._crews():
                self._workers.append(Worker(kernels, core, self._chance.randrange(PADDING), timeout_s))
            for worker in self._workers:
                worker.wait()
        except BaseException:
            self.close()
            raise

    def _crews(self) -> list[tuple[Kernel, ...]]:
        """Of each process, the kernels that it holds."""
        base, candidate = self._kernels[BASE], self._kernels[CANDIDATE]
        if base.home == candidate.home:
            both = tuple(dict.fromkeys((base, candidate)))
            return [both for _ in range(PROCESSES)]
        return [(kernel,) for kernel in (base, candidate) for _ in range(PROCESSES)]

    def __enter__(self) -> KernelSides:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.close()

    def about(self, side: str) -> dict[str, Any]:
        """What a worker says of the kernel of a side."""
        kernel = self._kernels[side]
        worker = next(worker for worker in self._workers if kernel in worker.kernels)
        return worker.about[worker.kernels.index(kernel)]

    @property
    def cases(self) -> tuple[int, int]:
        """How many cases are timed, and how many there are."""
        return len(self._plans[BASE].cases), len(self.about(BASE)["cases"])

    def tune(self, run_s: float, planted: float, weights: Sequence[float] = ()) -> None:
        """Plan the runs: the same cases for both sides, so many calls that a run takes `run_s`, and so many more for P that it
        is slower by `planted`, a share, or by one call where calls are few.

        weights   of each case in the time that is compared; one of 0 is left out. Without them all count the same

        Raises OutputsDifferError where the sides have other cases, as those of two revisions may; InputError for none.
        """
        about = {side: self.about(side) for side in (BASE, CANDIDATE)}
        kernel = self._kernels[BASE]
        if about[BASE]["digest"] != about[CANDIDATE]["digest"]:
            raise OutputsDifferError(
                f"the cases of {kernel.slot} are others in B than in A, so their times do not compare; compare whole "
                "encodes, without --kernel"
            )
        if not about[BASE]["cases"]:
            raise InputError(f"--case {kernel.pattern!r}: no case of {kernel.slot} is like that")
        every = [at for at in range(len(about[BASE]["cases"])) if not weights or weights[at] > 0]
        once = {side: self._pass_s(side, every, run_s) for side in about}
        step = min(math.ceil(max(once.values()) * SLICES / run_s / _LONGER), len(every))
        chosen = every[:: max(step, 1)]
        self._weights = [weights[at] if weights else 1.0 for at in chosen]
        for side in about:
            alike = [seconds for seconds in once.values() if 1 / _ALIKE < seconds / once[side] < _ALIKE]
            pass_s = max(alike) * len(chosen) / len(every)
            self._plans[side] = Plan(chosen, _divisible(max(1, round(run_s / SLICES / pass_s)), planted))
        loops = self._plans[BASE].loops
        extra = max(1, round(loops * planted))
        self._plans |= {TWIN: self._plans[BASE], PLANTED: Plan(chosen, loops + extra)}
        self.planted = extra / loops

    def _pass_s(self, side: str, cases: Sequence[int], run_s: float) -> float:
        """Processor seconds of one call of each case: of so many that calling them is not what is seen."""
        kernel = self._kernels[side]
        workers = [worker for worker in self._workers if kernel in worker.kernels]
        weights = [1.0] * len(cases)
        loops = 1
        while True:
            least = math.inf  # of several, or a busy moment would make the calls of a whole comparison few
            for worker in workers:
                times = _Times(loops, weights)
                answer = worker.ask([kernel], [Plan(cases, loops)], 0)
                times.add(answer["empty_ns"], answer["loops_ns"][0])
                least = min(least, times.seconds)
                if least * loops > run_s:
                    break
            if least * loops > run_s / SLICES / 2:
                return least
            loops *= 4

    def run(self, order: Sequence[str], number: int) -> Mapping[str, Sample]:
        """One block of these sides."""
        times = {name: _Times(self._plans[TWIN if name == PLANTED else name].loops, self._weights) for name in order}
        noise = {name: _Noise() for name in order}
        homes = list(dict.fromkeys(self._kernels[name].home for name in order))
        for piece in range(SLICES):
            self._chance.shuffle(homes)
            for home in homes:
                names = [name for name in order if self._kernels[name].home == home]
                kernels, plans = [self._kernels[name] for name in names], [self._plans[name] for name in names]
                worker = self._chance.choice([each for each in self._workers if each.kernels[0].home == home])
                before = Reading.now()
                answer = worker.ask(kernels, plans, number * SLICES + piece)
                for name, loops_ns in zip(names, answer["loops_ns"], strict=True):
                    times[name].add(answer["empty_ns"], loops_ns)
                    noise[name].add(before, answer)
        calls = sum(self._weights)
        return {name: noise[name].sample(times[name].seconds / calls) for name in order}


def _divisible(loops: int, share: float) -> int:
    """About so many calls, of which a share is whole calls, unless that takes _LONGER times as many."""
    exact = round(max(1, round(loops * share)) / share)
    return exact if exact <= _LONGER * loops else loops


class _Times:
    """Over slices, the times of each case; a side with more than `loops` calls is slower by those. Cases count by their
    weights."""

    def __init__(self, loops: int, weights: Sequence[float]) -> None:
        self.loops = loops
        self._weights = weights
        self._slices: list[list[int]] = []

    def add(self, empty_ns: Sequence[int], loops_ns: Sequence[int]) -> None:
        """One more slice."""
        self._slices.append([loop - empty for empty, loop in zip(empty_ns, loops_ns, strict=True)])

    @property
    def seconds(self) -> float:
        """Processor seconds of one call of each case, times its weight."""
        half = -(-len(self._slices) // 2)
        lower = (sum(sorted(case)[:half]) / half for case in zip(*self._slices, strict=True))
        return sum(weight * ns for weight, ns in zip(self._weights, lower, strict=True)) / self.loops / 1e9


class _Noise:
    """What the meters said during the slices of one side."""

    def __init__(self) -> None:
        self._parts: list[dict[str, float | None]] = []
        self._took_s = 0.0
        self._switches = 0

    def add(self, before: Reading, answer: dict[str, Any]) -> None:
        """One more slice, which began at that reading."""
        now = Reading.now()
        self._parts.append(now.since(before, answer["cpu_s"]))
        self._took_s += now.at_s - before.at_s
        self._switches += answer["switches"]

    def sample(self, call_s: float) -> Sample:
        """The run as a sample, with the time that it found."""
        return Sample(
            cpu_s=call_s,
            wall_s=call_s,
            took_s=self._took_s,
            involuntary_switches=self._switches,
            pressure_s=self._total("pressure_s"),
            steal_s=self._total("steal_s"),
            foreign_s=self._total("foreign_s"),
        )

    def _total(self, meter: str) -> float | None:
        known = [value for part in self._parts if (value := part[meter]) is not None]
        return sum(known) if known else None
