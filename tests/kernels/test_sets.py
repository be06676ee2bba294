"""The sets agree: on its seeded cases every kernel does bit for bit what the python set does."""

import pytest

from encoder.kernels.check import check_slot
from encoder.kernels.load import load_kernels
from encoder.kernels.table import SLOTS, Kernels

PYTHON = load_kernels("python").kernels


@pytest.fixture(scope="module", params=["numpy", "numba", "simd"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return load_kernels(request.param).kernels


@pytest.mark.parametrize("slot", SLOTS)
def test_set_matches_python(kernels: Kernels, slot: str) -> None:
    """Same returned value, same samples; guards and inputs untouched."""
    differences = check_slot(slot, getattr(kernels, slot), getattr(PYTHON, slot))
    assert [str(difference) for difference in differences] == []
