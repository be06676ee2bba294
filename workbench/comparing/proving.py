"""Comparisons whose truth is known, again and again: what analysis/proof.py counts.

Processes are kept over CREW tries: a try deals its sides out to them anew, block by block, so what a process adds for life is
as likely A's as the other side's, and a word about A against itself is as improbable as with processes of its own. New ones
come after that, for the sake of what all processes of a crew have in common.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench import machine
from workbench.analysis import proof
from workbench.analysis.prediction import Foreseen
from workbench.analysis.proof import Outcome, Try
from workbench.analysis.verdict import Word, decide
from workbench.comparing.measure import ENCODE_MARGIN, KERNEL_MARGIN, Settings
from workbench.comparing.planting import Planted
from workbench.comparing.predicting import Tell, foresee
from workbench.errors import InputError
from workbench.instruments.encode_side import EncodeSides, warm_up
from workbench.instruments.kernel_side import RUN_S, KernelSides
from workbench.machine import Two
from workbench.meters import disturbance
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Block, Limits, Run, blocks, log_ratios
from workbench.sides import Encode, Kernel, encode_of, parse_side
from workbench.stats import hodges_lehmann
from workbench.subject import Subject

KERNEL_SLOWER, ENCODE_SLOWER = 0.01, 0.05
KERNEL_LIMITS, ENCODE_LIMITS = Limits(40, 10.0), Limits(60, 60.0)
PREDICTED_LIMITS = Limits(20, 60.0)
PLANTED_SLOTS = ("satd", "sad_x4", "sse", "mc_put", "inverse_transform_add", "residual", "cdef_filter", "mc_prep")
TURNS = (10, 20, 40, 80)
CREW = 10
_BUSY = Path(__file__).parents[1] / "instruments" / "inside" / "busy.py"
_AS_PLANNED = 0.2  # share of the slowdown by which what can be planted may miss it


def kernel_tries(
    kernel: Kernel, numbers: Sequence[int], seed: int, core: int | None, timeout_s: float
) -> Iterator[Try]:
    """A kernel against itself and against KERNEL_SLOWER more calls. Raises InputError for one whose calls are too long for
    that, and as KernelSides does."""
    for crew in _crews(numbers):
        with KernelSides(kernel, kernel, core, timeout_s, _seed(seed, crew[0])) as sides:
            sides.tune(RUN_S, KERNEL_SLOWER)
            if abs(sides.planted / KERNEL_SLOWER - 1) > _AS_PLANNED:
                raise InputError(
                    f"--kernel {kernel.slot}: its calls are too long for one in a hundred more; try another"
                )
            for number in crew:
                known = {CANDIDATE: proof.SAME, PLANTED: proof.PLANTED}
                yield _Tried(proof.KERNEL, known, KERNEL_MARGIN, sides.planted).run(
                    sides.run, (BASE, CANDIDATE, PLANTED), KERNEL_LIMITS, number, _seed(seed, number)
                )


def copy_tries(kernel: Kernel, numbers: Sequence[int], seed: int, core: int | None, timeout_s: float) -> Iterator[Try]:
    """A kernel's reference body, compiled from two files of the same text. Raises as KernelSides does."""
    with TemporaryDirectory(prefix="workbench-") as folder:
        for crew in _crews(numbers):
            both = _copies(kernel, Path(folder), crew[0])
            with KernelSides(*both, core, timeout_s, _seed(seed, crew[0])) as sides:
                sides.tune(RUN_S, KERNEL_SLOWER)
                for number in crew:
                    yield _Tried(proof.COPY, {CANDIDATE: proof.SAME}, KERNEL_MARGIN, 0.0).run(
                        sides.run, (BASE, CANDIDATE), KERNEL_LIMITS, number, _seed(seed, number)
                    )


def _copies(kernel: Kernel, folder: Path, number: int) -> tuple[Kernel, Kernel]:
    from encoder.kernels.load import REFERENCE_SET
    from encoder.kernels.table import SLOTS

    source = import_module(f"encoder.kernels.set_{REFERENCE_SET}.{SLOTS[kernel.slot].family}").__file__
    assert source is not None
    made = []
    for name in "ab":
        path = folder / f"{name}{number}.py"
        shutil.copyfile(source, path)
        made.append(replace(kernel, kernels=f"{kernel.kernels},{kernel.slot}={path}:{kernel.slot}"))
    return made[0], made[1]


def encode_tries(
    encode: Encode, numbers: Sequence[int], seed: int, two: Two | None, timeout_s: float, loaded: bool
) -> Iterator[Try]:
    """An encode against itself, and against one that then keeps its processor busy for ENCODE_SLOWER of its time. `two`: where
    both run at once; `loaded`: beside one busy process for each processor. Raises as EncodeSides does."""
    kind = proof.LOADED if loaded else proof.ENCODE
    for crew in _crews(numbers):
        with (
            TemporaryDirectory(prefix="workbench-") as folder,
            EncodeSides(encode, encode, Path(folder), timeout_s, ENCODE_SLOWER, _seed(seed, crew[0]), two) as sides,
            busy_processes(machine.cores() if loaded else 0),
        ):
            for number in crew:
                known = {TWIN: proof.SAME, PLANTED: proof.PLANTED}
                yield _Tried(kind, known, ENCODE_MARGIN, ENCODE_SLOWER).run(
                    sides.run, (BASE, TWIN), ENCODE_LIMITS, number, _seed(seed, number)
                )


def prediction_tries(
    subject: Subject, numbers: Sequence[int], seed: int, core: int | None, two: Two | None, timeout_s: float, tell: Tell
) -> Iterator[Try]:
    """The whole encode predicted, then measured, with work planted in one slot after the other. Raises as EncodeSides does."""
    with TemporaryDirectory(prefix="workbench-") as folder:
        for number in numbers:
            chance = random.Random(_seed(seed, number))
            planted = Planted(PLANTED_SLOTS[number % len(PLANTED_SLOTS)], chance.choice(TURNS), chance.random() < 0.5)
            kernels = planted.write(Path(folder), subject.kernels)
            about = (
                f"{planted.turns} turns{' for 16 samples' if planted.by_size else ''} in each call of {planted.slot}"
            )
            tell(about)
            yield _predicted(subject, kernels, number, chance.randrange(2**31), core, two, timeout_s, tell, about)


def _predicted(
    subject: Subject, kernels: str, number: int, seed: int, core: int | None, two: Two | None, timeout_s: float, tell: Tell,
    about: str,
) -> Try:  # fmt: skip
    base, candidate = (
        encode_of(parse_side(text), replace(subject, kernels=text), None, text) for text in (subject.kernels, kernels)
    )
    settings = Settings(PREDICTED_LIMITS, ENCODE_MARGIN, timeout_s, stop_early=False, core=core, seed=seed)
    for encode in (base, candidate):
        warm_up(encode)
    foreseen = Foreseen.from_record(foresee(subject, base, candidate, settings, tell))
    told = foreseen.prediction
    tell(f"the whole encode, {about}")
    with (
        TemporaryDirectory(prefix="workbench-") as folder,
        EncodeSides(base, candidate, Path(folder), timeout_s, ENCODE_SLOWER, seed, two) as sides,
    ):
        tried = _Tried(proof.PREDICTION, {CANDIDATE: proof.PLANTED}, ENCODE_MARGIN, 0.0, stops=False)
        found = tried.run(sides.run, (BASE, CANDIDATE), PREDICTED_LIMITS, number, seed)
    return replace(found, predicted=(told.low, told.high) if told else None, about=about if told else foreseen.why)


def _crews(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(numbers), CREW):
        yield numbers[at : at + CREW]


def _seed(seed: int, number: int) -> int:
    return random.Random(f"{seed}-{number}").randrange(2**31)


@contextmanager
def busy_processes(count: int) -> Iterator[list[int]]:
    """So many processes that do nothing but take time, until the block ends; gives their ids."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            started.append(subprocess.Popen([sys.executable, "-I", "-S", str(_BUSY)], start_new_session=True))
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


class _Tried:
    """A try under way: against each known side, what is said at the first block at which `workbench compare` may stop."""

    def __init__(self, kind: str, known: dict[str, str], margin: float, planted: float, stops: bool = True) -> None:
        """`known`: sides that are compared with A, and what they are called in the try; `stops`: when all are decided."""
        self._kind, self._known, self._margin, self._planted, self._stops = kind, known, margin, planted, stops
        self._said: dict[str, Outcome] = {}
        self._began = time.monotonic()

    def run(self, run: Run, due: Sequence[str], limits: Limits, number: int, seed: int) -> Try:
        """Compare, until all sides are decided."""
        taken = list(blocks(run, lambda _: due, limits, seed, disturbance(), self._is_decided))
        counting = [block for block in taken if block.counts]
        for side, name in self._known.items():
            self._said.setdefault(name, self._outcome(counting, side))
        return Try(
            kind=self._kind,
            number=number,
            seed=seed,
            outcomes=self._said,
            planted=self._planted,
            disturbed=sum(block.disturbed is not None for block in taken),
            blocks=len(taken),
            load_average=os.getloadavg()[0],
        )

    def _is_decided(self, so_far: Sequence[Block]) -> bool:
        if not self._stops:
            return False
        for side, name in self._known.items():
            if name not in self._said and (said := self._outcome(so_far, side)).word != Word.UNDECIDED:
                self._said[name] = said
        return len(self._said) == len(self._known)

    def _outcome(self, so_far: Sequence[Block], side: str) -> Outcome:
        values = log_ratios(so_far, "cpu", side)
        ratio = math.exp(hodges_lehmann(values)) if values else None
        return Outcome(decide(values, self._margin), len(values), time.monotonic() - self._began, ratio)
