"""Which share of an encode a kernel slot takes, from sampled stacks; and what its cases weigh, from the calls of an encode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workbench.analysis.folded import INLINED, is_kernel, parse_frame
from workbench.record import Record
from workbench.stats import robust_spread

MOST_SLOTS = 8
COVERED = 0.95  # of the time in the slots that differ
_SIZES = {"w", "h", "side", "columns", "rows", "size", "count", "left", "right", "top", "bottom", "tx_size"}
_FAR = 8.0  # a size that is off by a factor of two, beside a mode that is another


@dataclass(frozen=True)
class Shares:
    """Samples by slot in each group of a sampled run; `whole` are all samples of the groups."""

    slots: Mapping[str, tuple[int, ...]]
    whole: tuple[int, ...]

    def share(self, slot: str) -> float:
        """Of the whole, 0 to 1."""
        return sum(self.slots.get(slot, ())) / max(sum(self.whole), 1)


def shares_of(groups: Sequence[Mapping[str, int]], own: Mapping[str, str]) -> Shares:
    """The samples of each slot, with all that it calls.

    groups   folded stacks, as the instrument "shares" has them
    own      slot -> FILE.py:FUNCTION, of the slots that a user's functions fill; those of one function are one to a sampler,
             and count for the first of them
    """
    of_users = {source.rpartition(":")[2]: slot for slot, source in reversed(list(own.items()))}
    slots: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        for stack, samples in group.items():
            slot = _slot_of(stack, own, of_users)
            if slot is not None:
                slots.setdefault(slot, [0] * len(groups))[at] += samples
    return Shares(
        {slot: tuple(counts) for slot, counts in slots.items()}, tuple(sum(group.values()) for group in groups)
    )


def _slot_of(stack: str, own: Mapping[str, str], of_users: Mapping[str, str]) -> str | None:
    """The slot that a stack is in: that of its outermost kernel, which the walk has called through the table. A copy that is
    inlined, or that another kernel calls, is not exchanged with its slot."""
    for text in stack.split(";"):
        frame = parse_frame(text)
        if frame.native or text.partition(" (")[0].endswith(INLINED):
            continue
        if is_kernel(text) and frame.bare not in own:
            return frame.bare
        if (slot := of_users.get(frame.bare)) is not None and _is_of(frame.function, frame.path, own[slot]):
            return slot
    return None


def _is_of(function: str, path: str, source: str) -> bool:
    """Whether a frame's function is of the user's file: compiled from it, under the module's name, or interpreted."""
    file = source.rpartition(":")[0]
    stem = "".join(letter if letter.isalnum() else "_" for letter in file)
    return f"user_kernels_{stem}" in f"{path} {function}" or path.endswith(file)


def chosen(shares: Shares, changed: Sequence[str]) -> list[str]:
    """Of the slots that differ those that are worth measuring, the largest first: as many as make up COVERED of their time,
    MOST_SLOTS at most; none where no sample was in any of them."""
    ordered = sorted((slot for slot in changed if shares.share(slot) > 0), key=shares.share, reverse=True)
    wanted = COVERED * sum(map(shares.share, ordered))
    taken: list[str] = []
    while ordered and len(taken) < MOST_SLOTS and sum(map(shares.share, taken)) < wanted:
        taken.append(ordered.pop(0))
    return taken


def pair_spread(encode_s: Sequence[float]) -> float | None:
    """Standard deviation that the log ratio of two encodes, one behind the other, has on this machine now, from the times of
    encodes that are the same; None of too few of them to say."""
    steps = [math.log(b / a) for a, b in pairwise(encode_s) if a > 0 and b > 0]
    return robust_spread(steps) if len(steps) >= 4 else None


def case_weights(
    names: Sequence[str], kinds: Sequence[tuple[tuple[int, ...], int]], cases: Sequence[tuple[int, ...]]
) -> list[float]:
    """How many calls of an encode each case stands for: the calls of a kind are those of the case most like it, or shared by
    several that are equally so.

    names   of the arguments that say sizes and modes; kinds: their values, and how many calls had them; cases: the values of each
            case
    """
    weights = [0.0] * len(cases)
    for values, calls in kinds:
        far = [sum(map(_distance, names, values, case)) for case in cases]
        nearest = [at for at, distance in enumerate(far) if distance <= min(far) + 1e-9]
        for at in nearest:
            weights[at] += calls / len(nearest)
    return weights


def _distance(name: str, a: int, b: int) -> float:
    if a == b:
        return 0.0
    if name not in _SIZES:
        return 1.0
    apart = abs(a - b) if name == "tx_size" else abs(math.log2((abs(a) + 1) / (abs(b) + 1)))
    return 1.0 + _FAR * apart


def kinds_of(record: Record, slot: str) -> tuple[list[str], list[tuple[tuple[int, ...], int]]]:
    """From the record of an encode's calls: names of the arguments that were counted, and each kind with its calls."""
    counted = record.data["slots"].get(slot, {"arguments": [], "calls": []})
    return list(counted["arguments"]), [(tuple(values), calls) for *values, calls in counted["calls"]]
