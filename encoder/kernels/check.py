"""A kernel, or a whole set, against the reference: on seeded cases, bit for bit, guard samples included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.kernels.cases import Case, cases_of
from encoder.kernels.table import SLOTS

Kernel = Callable[..., int]


@dataclass(frozen=True)
class Difference:
    """One thing that a kernel did otherwise than the reference, in one case.

    what              "returned value", "raised", or the name of the array that differs
    index             first element that differs; None where `what` is no array
    expected, actual  the values there; of an exception: "no exception" and its text
    count             how many elements differ
    is_input          the array is one that the contract does not let the kernel write
    """

    case: Case
    what: str
    index: int | None
    expected: Any
    actual: Any
    count: int = 1
    is_input: bool = False

    def __str__(self) -> str:
        if self.what == "raised":
            return f"{self.case}: raised {self.actual}"
        if self.index is None:
            return f"{self.case}: {self.what} is {self.actual}, expected {self.expected}"
        text = f"{self.case}: {self.what}[{self.index}] is {self.actual}, expected {self.expected}"
        if self.is_input:
            text += " (an input, not to be written)"
        return text if self.count == 1 else f"{text}; {self.count} elements differ"


def check_slot(slot: str, candidate: Kernel, reference: Kernel, seed: int = 0) -> list[Difference]:
    """Every difference of a candidate from the reference on the seeded cases of a slot; an empty list if there is none.

    Compared are the returned value and every array: what the contract lets a kernel write with what the reference
    wrote, all others with what went in. Each of them makes one difference at most; so does a candidate that raises.
    """
    return _differences(cases_of(slot, seed), candidate, reference)


def check_set(
    candidate_table: Any, reference_table: Any, slots: Iterable[str] = tuple(SLOTS), seed: int = 0
) -> Iterator[tuple[str, int, list[Difference]]]:
    """Slot by slot: its name, the number of cases run, and what differed. The tables have the kernels as attributes."""
    for slot in slots:
        cases = cases_of(slot, seed)
        yield slot, len(cases), _differences(cases, getattr(candidate_table, slot), getattr(reference_table, slot))


def _differences(cases: list[Case], candidate: Kernel, reference: Kernel) -> list[Difference]:
    return [difference for case in cases for difference in check_case(case, candidate, reference)]


def check_case(case: Case, candidate: Kernel, reference: Kernel) -> list[Difference]:
    """The differences in one case."""
    expected_return, expected_arrays = case.run(reference)
    try:
        returned, arrays = case.run(candidate)
    except Exception as error:  # a candidate may be anybody's; whatever it raises is what it did otherwise
        first_line = next(iter(str(error).splitlines()), "")
        return [Difference(case, "raised", None, "no exception", f"{type(error).__name__}: {first_line}".rstrip(": "))]
    differences = []
    if returned != expected_return:
        differences.append(Difference(case, "returned value", None, expected_return, returned))
    positions = [n for n, argument in enumerate(case.arguments) if isinstance(argument, np.ndarray)]
    for position, expected, actual in zip(positions, expected_arrays, arrays, strict=True):
        is_input = position not in case.outputs
        if is_input:
            expected = case.arguments[position]
        unequal = np.flatnonzero(expected != actual)
        if unequal.size:
            at = int(unequal[0])
            name = argument_names(case.slot)[position]
            differences.append(Difference(case, name, at, int(expected[at]), int(actual[at]), unequal.size, is_input))
    return differences


def argument_names(slot: str) -> list[str]:
    """The arguments of a slot as its contract names them."""
    listed = SLOTS[slot].contract.partition("(")[2].partition(")")[0]
    return [argument.split()[0] for argument in listed.split(",")]
