"""Folded stacks as text: a line a stack, `outermost;...;innermost samples`, as flame graph tools read it."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.errors import InputError


def folded_text(folded: Mapping[str, float]) -> str:
    """The stacks in the order of their text, so that equal profiles are equal files; samples are rounded to whole ones
    and a stack of none is left out. A frame's own line ends become blanks."""
    lines = [
        f"{' '.join(stack.splitlines())} {round(samples)}\n"
        for stack, samples in sorted(folded.items())
        if round(samples)
    ]
    return "".join(lines)


def read_folded(text: str, name: str = "folded stacks") -> dict[str, float]:
    """The stacks of a text. Raises InputError, which begins with `name`, at a line that is not one."""
    folded: dict[str, float] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        stack, _, samples = line.rstrip().rpartition(" ")
        if not stack or not samples.isascii() or not samples.isdigit():
            raise InputError(f"{name}: line {number} is {line[:60]!r}, not `frame;frame;frame SAMPLES`")
        folded[stack] = folded.get(stack, 0) + int(samples)
    return folded
