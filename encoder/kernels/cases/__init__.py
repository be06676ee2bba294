"""Seeded inputs for every slot: the check compares on them, the micro-benchmark times on them.

Each family has a module here with the same name as its kernels; it registers one maker per slot with `@cases_for`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from operator import index
from typing import Any

import numpy as np

from encoder.kernels.table import FAMILIES, SLOTS


@dataclass(frozen=True)
class Case:
    """One call: what goes in, and which arguments the kernel may write.

    arguments   arrays and ints, in the slot's order; arrays carry guard samples around the blocks
    outputs     positions of the arrays that the contract lets the kernel write; all other arrays must come back unchanged
    """

    slot: str
    label: str
    arguments: tuple[Any, ...]
    outputs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.slot}-{self.label}"

    def fresh_arguments(self) -> list[Any]:
        """The arguments, arrays copied, so that a case can be run again and again."""
        return [a.copy() if isinstance(a, np.ndarray) else a for a in self.arguments]

    def run(self, kernel: Callable[..., int]) -> tuple[int, list[np.ndarray]]:
        """What the kernel returns and every array as it left it, guards included."""
        arguments = self.fresh_arguments()
        returned = kernel(*arguments)
        return index(returned), [a for a in arguments if isinstance(a, np.ndarray)]


Maker = Callable[[np.random.Generator], Iterable[Case]]
_makers: dict[str, Maker] = {}


def cases_for(slot: str) -> Callable[[Maker], Maker]:
    """Register the maker of a slot's cases. A maker draws everything from the generator that it is given."""

    def register(maker: Maker) -> Maker:
        if slot not in SLOTS:
            raise KeyError(f"no slot {slot}")
        _makers[slot] = maker
        return maker

    return register


def cases_of(slot: str, seed: int = 0) -> list[Case]:
    """The cases of a slot, the same on every machine for one seed: small and large sizes, low, high and random fills."""
    for family in FAMILIES:
        import_module(f"{__name__}.{family}")
    return list(_makers[slot](np.random.Generator(np.random.PCG64([seed, *slot.encode()]))))
