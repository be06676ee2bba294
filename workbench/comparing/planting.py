"""Kernels that do what a kernel of a set does, and are slower by work that is planted: a file as a user would write one.

The work is a chain of multiplications, as many as the block is large or a fixed number, whose end the compiler cannot foresee and
has to hold against a number that it does not come to. A chain costs the same whatever stands in the caches, as a kernel does
not: whether that carries from the bench to the encode is what a prediction has to get right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FUNCTION = "slower"
_SIDES = ("w", "h")
_TEMPLATE = '''\
"""{slot} of the set {kernels}, and work beside it."""

import numpy as np
from numba import njit

from encoder.kernels.load import load_kernels

_kernel = load_kernels({kernels!r}).kernels.{slot}


@njit(nogil=True, error_model="numpy")
def {function}({names}):
    chain = np.uint64({seed})
    for _ in range({turns}):
        chain = chain * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return _kernel({names}) + np.int64(chain == np.uint64(0x5EED))
'''


@dataclass(frozen=True)
class Planted:
    """What is planted into a slot that takes a place in an array: `turns` of the chain in every call, or, where it has a width
    and a height and `by_size` says so, for every sixteen samples."""

    slot: str
    turns: int
    by_size: bool

    def write(self, folder: Path, kernels: str) -> str:
        """The file; gives the kernel expression that has it in the slot."""
        from encoder.kernels.check import argument_names

        names = argument_names(self.slot)
        sized = self.by_size and set(_SIDES) <= set(names)
        path = folder / f"{self.slot}_{self.turns}{'_by_size' if sized else ''}.py"
        number = next(name for name in names if name.endswith("_at"))
        text = _TEMPLATE.format(
            slot=self.slot,
            kernels=kernels,
            function=FUNCTION,
            names=", ".join(names),
            seed=f"{number} | 1",
            turns=f"(w * h * {self.turns}) >> 4" if sized else str(self.turns),
        )
        path.write_text(text, encoding="utf-8")
        return f"{kernels},{self.slot}={path}:{FUNCTION}"
