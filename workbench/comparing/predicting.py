"""What the whole encode will gain by kernels that differ: said before it is measured, scored afterwards.

The slots that differ are timed alone, on cases that count as often as the encode calls the like of them; their shares of A's
encode are sampled while it runs again and again. Both go into analysis/prediction.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench.analysis import prediction
from workbench.analysis.compared import ENCODE
from workbench.analysis.prediction import Foreseen, Kernel, Part, Scored
from workbench.analysis.shares import Shares, case_weights, chosen, kinds_of, pair_spread, shares_of
from workbench.comparing.gate import are_variants, changed_slots, sources
from workbench.comparing.measure import KERNEL_PLANTED, Settings
from workbench.errors import InputError, WorkbenchError
from workbench.instruments import calls, shares, stacks
from workbench.instruments.inside.calls import FLAGS
from workbench.instruments.kernel_side import RUN_S, KernelSides
from workbench.meters import disturbance
from workbench.pairs import BASE, CANDIDATE, Limits, blocks, log_ratios
from workbench.past import PREDICTIONS, recall, remember
from workbench.record import Record
from workbench.sides import Encode
from workbench.sides import Kernel as KernelSide
from workbench.standing import COMPILING_S
from workbench.subject import Subject

LIMITS = Limits(16, 8.0)
SAMPLED_S = 12.0
USUAL_PAIRS = 20  # of an encode, when it and the controls are settled
USUAL_ERROR = 0.01  # of a measured ratio, where nothing is known of the machine
_TO_ESTIMATE = 1.05  # standard error of the Hodges-Lehmann estimate over that of a mean, of normal noise

Tell = Callable[[str], None]
"""Is told what is done next."""


@dataclass(frozen=True)
class _Plan:
    subject: Subject
    base: Encode
    candidate: Encode
    settings: Settings
    tell: Tell


def foresee(subject: Subject, base: Encode, candidate: Encode, settings: Settings, tell: Tell) -> Record:
    """Predict the time of B's encode over that of A's, as a record; one that says why, where that cannot be done. `subject` is
    what A encodes, `settings` how the whole is going to be measured.

    Nothing is raised but an interruption: what is at fault with a kernel, the gate and the encodes themselves say.
    """
    plan = _Plan(subject, base, candidate, settings, tell)
    try:
        found = Foreseen(None, why) if (why := _unpredictable(plan)) else _foreseen(plan)
    except WorkbenchError as error:
        found = Foreseen(None, str(error))
    return found.record({"part": ENCODE, "name": subject.clip})


def _unpredictable(plan: _Plan) -> str:
    """Why there is nothing to predict; empty where there is."""
    base, candidate = plan.base, plan.candidate
    if base.whole or base.home is None or not are_variants(base, candidate):
        return "more than kernels differs between A and B"
    if base.compiled != candidate.compiled:
        return "the walk itself is compiled in one of A and B, and interpreted in the other"
    if not changed_slots(base.kernels, candidate.kernels):
        return "no kernel differs between A and B"
    if plan.settings.metric != "cpu":
        return "shares are of processor time, and what is compared is wall time"
    return ""


def _foreseen(plan: _Plan) -> Foreseen:
    taken, encode_s = _shares(plan)
    slots = chosen(taken, changed_slots(plan.base.kernels, plan.candidate.kernels))
    if not slots:
        return Foreseen(None, f"of {sum(taken.whole)} samples of A's encode none was in a kernel that differs")
    counted = _calls(plan)
    kernels = []
    for slot in slots:
        plan.tell(f"kernel {slot}, alone")
        ratios = _log_ratios(plan, slot, _weights(counted, slot))
        kernels.append(Kernel(slot, taken.share(slot), tuple(ratios)))
    spread = prediction.model_spread(scored())
    error = _expected_error(encode_s, plan.settings.limits)
    parts = [Part(kernel.slot, kernel.log_ratios, taken.slots[kernel.slot]) for kernel in kernels]
    told = prediction.predict(parts, taken.whole, error, spread)
    return Foreseen(told, "", tuple(kernels), spread, error)


def _shares(plan: _Plan) -> tuple[Shares, Sequence[float]]:
    """Samples of A's encode by slot, and processor seconds of its encodes."""
    plan.tell("shares of the kernels in A's encode; the first time, code is made for that")
    with TemporaryDirectory(prefix="workbench-") as folder:
        limit_s = max(plan.settings.timeout_s, COMPILING_S)
        record = shares.measure(plan.subject, Path(folder), stacks.build_environment(), limit_s, SAMPLED_S)
    _, own = sources(plan.base.kernels)
    users = {slot: source for slot, source in own.items() if ".py" in source}
    return shares_of(record.data["groups"], users), record.values


def _calls(plan: _Plan) -> Record:
    plan.tell("calls of the kernels in A's encode")
    with TemporaryDirectory(prefix="workbench-") as folder:
        return calls.measure(plan.subject, Path(folder), plan.settings.timeout_s)


def _weights(counted: Record, slot: str) -> list[float]:
    """How often the encode calls the like of each case of a slot."""
    from encoder.kernels.cases import cases_of
    from encoder.kernels.check import argument_names

    names, kinds = kinds_of(counted, slot)
    places = [argument_names(slot).index(name) for name in names]
    cases = [
        tuple(
            int(case.arguments[at] != 0) if name in FLAGS else int(case.arguments[at])
            for name, at in zip(names, places, strict=True)
        )
        for case in cases_of(slot)
    ]
    return case_weights(names, kinds, cases) if kinds else []


def _log_ratios(plan: _Plan, slot: str, weights: Sequence[float]) -> list[float]:
    """A few pairs of one slot. Raises as KernelSides does, InputError of no pairs."""
    base, candidate = (
        KernelSide(encode.kernels, slot, home=encode.home)
        for encode in (plan.base, plan.candidate)
        if encode.home is not None
    )
    settings, seed = plan.settings, plan.settings.seed or 0
    with KernelSides(base, candidate, settings.core, settings.timeout_s, seed) as sides:
        sides.tune(RUN_S, KERNEL_PLANTED, weights)
        taken = list(
            blocks(
                sides.run,
                lambda _: (BASE, CANDIDATE),
                LIMITS,
                seed,
                disturbance(waits_for_itself=False),
                lambda _: False,
            )
        )
    return log_ratios(taken)


def _expected_error(encode_s: Sequence[float], limits: Limits) -> float:
    """Standard error that the log of the measured ratio is likely to have: by how much A's encodes differed from one to the next
    and how many pairs there will be, else what it was in earlier comparisons."""
    spread = pair_spread(encode_s)
    if spread is not None:
        block_s = 3 * max(sum(encode_s) / len(encode_s), 1e-3)
        pairs = max(min(limits.pairs, USUAL_PAIRS, limits.seconds / block_s), 1)
        return _TO_ESTIMATE * spread / math.sqrt(pairs)
    earlier = sorted(entry.standard_error for entry in scored() if math.isfinite(entry.standard_error))
    return earlier[len(earlier) // 2] if earlier else USUAL_ERROR


# --- history ----------------------------------------------------------------------------------------------------------


def scored() -> list[Scored]:
    """The predictions of this machine that were held against a measurement, oldest first."""
    found = []
    for entry in recall(PREDICTIONS):
        try:
            found.append(Scored.from_entry(entry))
        except (KeyError, TypeError, ValueError):
            continue  # of another version
    return found


def score(found: Foreseen, clip: str, log_ratios: Sequence[float]) -> Scored | None:
    """Write down what became of a prediction, and return it; None where there was none, or the whole has too few pairs."""
    if found.prediction is None:
        return None
    try:
        entry = prediction.scored(found.prediction, log_ratios)
    except InputError:
        return None
    remember(PREDICTIONS, {"clip": clip, **entry.entry()})
    return entry
