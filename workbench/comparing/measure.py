"""Measure one part of a comparison, kernel or encode, block by block, each written to the notebook as it ends."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import machine
from workbench.analysis.compared import ENCODE, KERNEL, Part, enough, settled
from workbench.analysis.verdict import ALPHA
from workbench.encode import STREAM
from workbench.errors import OutputsDifferError
from workbench.instruments.encode_side import EncodeSides
from workbench.instruments.kernel_side import RUN_S, KernelSides
from workbench.machine import Two, two_processors
from workbench.meters import disturbance
from workbench.pairs import BASE, CANDIDATE, PLANTED, SECOND, TWIN, Block, Limits, Run, blocks
from workbench.record import RunWriter
from workbench.sides import Encode, Kernel, describe

KERNEL_MARGIN, ENCODE_MARGIN = 0.01, 0.02
KERNEL_PLANTED, ENCODE_PLANTED = 0.03, 0.10
KERNEL_LIMITS, ENCODE_LIMITS = Limits(40, 30.0), Limits(60, 60.0)


@dataclass(frozen=True)
class Settings:
    """How a part is measured.

    limits      when to stop at the latest
    margin      within which a difference is the SAME
    controls    whether A' and P go along
    stop_early  as soon as B and the controls are decided; the controls themselves as soon as they are
    allowed     slower by so much is allowed, 0.02 is 2 %: to be decided as well before an early stop; None: not asked
    core        processor that kernels are kept on; None leaves it to the system
    at_once     both encodes of a pair at the same time, where that can be
    seed        of orders and deals; None draws one
    """

    limits: Limits
    margin: float
    timeout_s: float
    metric: str = "cpu"
    alpha: float = ALPHA
    controls: bool = True
    stop_early: bool = True
    allowed: float | None = None
    core: int | None = None
    at_once: bool = True
    seed: int | None = None


Tell = Callable[[Sequence[Block]], None]
"""Is told the blocks so far, behind each one."""


def measure_kernel(base: Kernel, candidate: Kernel, settings: Settings, writer: RunWriter, tell: Tell) -> Part:
    """Compare one slot of two sets. Raises as KernelSides does."""
    seed = _seed(settings)
    with KernelSides(base, candidate, settings.core, settings.timeout_s, seed) as sides:
        sides.tune(RUN_S, KERNEL_PLANTED)
        about = {
            "titles": [base.kernels, candidate.kernels],
            "origins": [sides.about(side)["origin"] for side in (BASE, CANDIDATE)],
            "load_s": [sides.about(side)["load_s"] for side in (BASE, CANDIDATE)],
            "cases": list(sides.cases),
            "seed": seed,
        }
        part = Part(KERNEL, base.slot, "cpu", settings.margin, settings.alpha, sides.planted, about, ())
        return _measure(part, sides.run, (TWIN, PLANTED), settings, writer, tell)


def measure_encode(
    clip: str, base: Encode, candidate: Encode, folder: Path, settings: Settings, writer: RunWriter, tell: Tell,
    may_differ: bool, threads: int = 1,
) -> Part:  # fmt: skip
    """Compare the encodes of one clip; streams are left in `folder`.

    Raises as EncodeSides does, and OutputsDifferError where the streams of A and B differ and may not, or those of one side do
    from run to run.
    """
    seed = _seed(settings)
    two, why_not = places(settings, base, candidate)
    about = {
        "titles": [base.title, candidate.title],
        "commands": [describe(encode, STREAM) for encode in (base, candidate)],
        "threads": threads,
        "seed": seed,
        "at_once": None if two is None else dataclasses.asdict(two),
        "not_at_once": why_not,
    }
    part = Part(ENCODE, clip, settings.metric, settings.margin, settings.alpha, ENCODE_PLANTED, about, ())
    with EncodeSides(base, candidate, folder, settings.timeout_s, ENCODE_PLANTED, seed, two) as sides:

        def told(taken: Sequence[Block]) -> None:
            _require_steady(part, taken, sides, may_differ)
            tell(taken)

        return _measure(part, sides.run, (TWIN,), settings, writer, told, threads >= machine.cores())


def places(settings: Settings, base: Encode, candidate: Encode) -> tuple[Two | None, str | None]:
    """The processors of the two encodes of a pair; or None, and why they have to run one after the other."""
    if not settings.at_once:
        return None, "as asked"
    if settings.metric != "cpu":
        return None, "the time on the clock is compared"
    if base.whole or candidate.whole:
        return None, "other programs may have threads"
    if max(base.threads, candidate.threads) > 1:
        return None, "an encode has more threads"
    two = two_processors()
    return two, None if two else "there is one processor"


def _seed(settings: Settings) -> int:
    return secrets.randbelow(2**31) if settings.seed is None else settings.seed


def _measure(
    part: Part, run: Run, controls: Sequence[str], settings: Settings, writer: RunWriter, tell: Tell,
    waits_for_itself: bool = False,
) -> Part:  # fmt: skip
    counting: list[Block] = []
    taken: list[Block] = []

    def is_settled() -> bool:
        return not settings.controls or (
            settings.stop_early and settled(counting, part.metric, part.margin, part.alpha)
        )

    def due(number: int) -> Sequence[str]:
        return (BASE, CANDIDATE) if is_settled() else (BASE, CANDIDATE, *controls)

    def decided(so_far: Sequence[Block]) -> bool:
        known = enough(so_far, part.metric, part.margin, part.alpha, settings.allowed)
        return settings.stop_early and known and is_settled()

    seed = part.about["seed"]
    for block in blocks(run, due, settings.limits, seed, disturbance(waits_for_itself), decided):
        writer.write(*([] if taken else [part.record()]), block.record(part.subject))
        taken.append(block)
        if block.counts:
            counting.append(block)
        tell(taken)
    return dataclasses.replace(part, blocks=tuple(taken))


def _require_steady(part: Part, taken: Sequence[Block], sides: EncodeSides, may_differ: bool) -> None:
    """Streams as they must be. Raises OutputsDifferError."""
    so_far = dataclasses.replace(part, blocks=tuple(taken))
    for side, name in ((BASE, (BASE, SECOND, TWIN)), (CANDIDATE, (CANDIDATE,))):
        if (different := len(so_far.digests(*name))) > 1:
            raise OutputsDifferError(
                f"{part.name}: {side} wrote {different} different streams in {len(taken)} runs of the same command: what it "
                "writes depends on more than its input"
            )
    base, candidate = (sides.shown[digest] for side in (BASE, CANDIDATE) for digest in so_far.digests(side))
    if base.frames != candidate.frames or base.size != candidate.size:
        raise OutputsDifferError(
            f"{part.name}: A shows {base.frames} frames of {base.size[0]}x{base.size[1]}, B {candidate.frames} of "
            f"{candidate.size[0]}x{candidate.size[1]}: they did not do the same work"
        )
    if not may_differ and so_far.digests(BASE) != so_far.digests(CANDIDATE):
        raise OutputsDifferError(
            f"{part.name}: B writes another stream than A, so no speed is given; where that is meant, --allow-different"
        )
