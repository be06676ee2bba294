"""Which of many exchanges makes a difference, in few trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Differs = Callable[[Sequence[str]], bool]
"""Whether the output is another one than that of A when these of A's slots are exchanged for B's, and no other."""


@dataclass(frozen=True)
class Culprit:
    """What was found.

    slot     makes a difference alone; None: no single one does
    group    of the slots that were left when that was found, all together do
    others   the slots without it make a difference, too
    trials   how often something was exchanged
    """

    slot: str | None
    group: tuple[str, ...]
    others: bool
    trials: int


def find_culprit(slots: Sequence[str], differs: Differs) -> Culprit:
    """A slot that makes a difference alone. All together are known to make one.

    Halves are tried first, so that one wrong kernel among n is found in about 2 log2 n trials; where neither half makes a
    difference, so that several act together, each slot of what is left is tried by itself.
    """
    trials = 0

    def tried(group: Sequence[str]) -> bool:
        nonlocal trials
        trials += 1
        return differs(group)

    left = tuple(slots)
    while len(left) > 1:
        half = len(left) // 2
        found = next((part for part in (left[:half], left[half:]) if tried(part)), None)
        if found is None:
            break
        left = found
    alone = left[0] if len(left) == 1 else _alone(left, tried)
    rest = tuple(slot for slot in slots if slot != alone)
    others = alone is not None and bool(rest) and tried(rest)
    return Culprit(alone, left, others, trials)


def _alone(slots: Sequence[str], tried: Differs) -> str | None:
    if len(slots) == 2:  # its halves have been tried
        return None
    return next((slot for slot in slots if tried((slot,))), None)
