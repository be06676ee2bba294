"""The live judge: the python set beside another one at every call of a real encode (--kernels check:SET)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from encoder.errors import KernelError
from encoder.kernels.cases import Case
from encoder.kernels.check import argument_names, check_case


def checked_kernel(slot: str, candidate: Callable[..., int], reference: Callable[..., int]) -> Callable[..., int]:
    """A kernel that runs the reference, then the candidate on the same arguments, and raises KernelError where they differ."""

    def kernel(*arguments: Any) -> int:
        arrays = tuple(range(len(arguments)))
        case = Case(slot, "call", tuple(a.copy() if isinstance(a, np.ndarray) else int(a) for a in arguments), arrays)
        for difference in check_case(case, candidate, reference):
            scalars = ", ".join(
                f"{name}={int(value)}"
                for name, value in zip(argument_names(slot), arguments, strict=True)
                if not isinstance(value, np.ndarray)
            )
            raise KernelError(f"kernel {slot} differs from the python set: {difference}; called with {scalars}")
        return reference(*arguments)

    return kernel
