"""Numbers as text."""

import pytest

from workbench import units


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (4.123, "4.12 s"), (0.04123, "41.2 ms"), (1.5e-6, "1.50 µs"), (4.12e-8, "41.2 ns"), (4123, "4123 s")],
)
def test_seconds(value: float, text: str) -> None:
    assert units.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(812, "812 B"), (1.2 * 2**20, "1.20 MiB"), (3 * 2**30, "3.00 GiB")])
def test_byte_size(value: float, text: str) -> None:
    assert units.byte_size(value) == text


def test_a_hundred_per_cent_is_printed_only_for_all() -> None:
    assert units.percent(1) == "100.0 %" and units.percent(0.99999) == "99.9 %"
    assert units.percent(0.0123, signed=True) == "+1.2 %" and units.percent(-0.05, signed=True) == "-5.0 %"


def test_identical_planes_have_infinite_psnr() -> None:
    assert units.decibels(None) == "inf dB" and units.decibels(38.214) == "38.21 dB"


def test_a_value_prints_by_its_records_unit() -> None:
    printed = [units.with_unit(1234.5, unit) for unit in ("s", "bytes", "count", "ratio", "dB", "")]
    assert printed == ["1234 s", "1.21 KiB", "1,234", "1234x", "1234.50 dB", "1234"]


@pytest.mark.parametrize("printer", [units.seconds, units.byte_size, units.count, units.percent, units.times])
def test_what_was_not_measured_is_unknown(printer: object) -> None:
    assert printer(None) == printer(float("nan")) == "unknown"  # type: ignore[operator]
