"""Numbers of one table column in one unit, so that the eye can compare them; the unit stands in the column's title."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "–"
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))


def seconds_column(values: Sequence[float | None]) -> tuple[str, list[str]]:
    """The unit that suits the median (s, ms, µs, ns) and every value in it."""
    return _column(values, _SECONDS)


def bytes_column(values: Sequence[float | None]) -> tuple[str, list[str]]:
    """The unit that suits the median (GiB, MiB, KiB, B) and every value in it."""
    return _column(values, _BYTES)


def scale_of(unit: str) -> float:
    """Seconds in a unit of `seconds_column`."""
    return next(step for step, name in _SECONDS if name == unit)


def _column(values: Sequence[float | None], steps: Sequence[tuple[float, str]]) -> tuple[str, list[str]]:
    known = sorted(abs(value) for value in values if value is not None and math.isfinite(value) and value)
    smallest, middle = (known[0], known[len(known) // 2]) if known else (steps[0][0],) * 2
    step, unit = next(((step, unit) for step, unit in steps if middle >= step), steps[-1])
    decimals = 0 if unit == "B" else min(max(2 - math.floor(math.log10(smallest / step)), 0), 3)
    return unit, [number(value / step if value is not None else None, decimals) for value in values]


def number(value: float | None, decimals: int) -> str:
    """A number with thousands apart and a fixed number of decimals; a dash for what was not measured."""
    return f"{value:,.{decimals}f}" if value is not None and math.isfinite(value) else MISSING


def percent_number(share: float | None, decimals: int = 1, signed: bool = False) -> str:
    """A share in per cent without the sign of it, which stands in the title."""
    return (
        f"{share * 100:{'+' if signed else ''}.{decimals}f}" if share is not None and math.isfinite(share) else MISSING
    )
