"""Numbers as text: the one place that prints seconds, bytes, ratios and decibels."""

from __future__ import annotations

import math

_SECOND_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTE_STEPS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
UNKNOWN = "unknown"


def _digits(value: float) -> str:
    """Three significant digits, never an exponent: 4.12, 41.2, 412, 4120."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{min(max(2 - magnitude, 0), 6)}f}"


def seconds(value: float | None) -> str:
    """A duration: `4.12 s`, `412 ms`, `4.12 µs`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for step, name in _SECOND_STEPS:
        if abs(value) >= step:
            return f"{_digits(value / step)} {name}"
    return f"{_digits(value / 1e-9)} ns" if value else "0 s"


def byte_size(value: float | None) -> str:
    """A size in memory or on disk: `812 B`, `1.20 MiB`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for step, name in _BYTE_STEPS:
        if abs(value) >= step:
            return f"{_digits(value / step)} {name}"
    return f"{value:.0f} B"


def count(value: float | None) -> str:
    """A count with thousands apart: `12,345`."""
    return f"{value:,.0f}" if value is not None and math.isfinite(value) else UNKNOWN


def percent(share: float | None, signed: bool = False) -> str:
    """A share as per cent: 0.123 is `12.3 %`; signed for changes: `+1.5 %`. 100 is printed only for all of it."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    value = share * 100
    if not signed and 99.95 <= value < 100:
        return "99.9 %"
    return f"{value:{'+' if signed else ''}.1f} %"


def times(ratio: float | None) -> str:
    """A ratio of two like things: `1.81x`."""
    return f"{_digits(ratio)}x" if ratio is not None and math.isfinite(ratio) else UNKNOWN


def decibels(value: float | None) -> str:
    """A PSNR: `38.21 dB`; nothing to measure (identical planes) is `inf dB`."""
    if value is None or math.isinf(value):
        return "inf dB"
    return f"{value:.2f} dB"


def per_second(value: float | None, what: str) -> str:
    """A rate: `2.31 frames/s`."""
    return f"{_digits(value)} {what}/s" if value is not None and math.isfinite(value) else UNKNOWN


def with_unit(value: float | None, unit: str) -> str:
    """A record's value by the record's unit: s, bytes, count, ratio, dB or none."""
    if unit == "dB":
        return decibels(value)
    printers = {"s": seconds, "bytes": byte_size, "count": count, "ratio": times}
    if unit in printers:
        return printers[unit](value)
    return _digits(value) if value is not None and math.isfinite(value) else UNKNOWN
