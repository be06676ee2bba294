"""The distortion kernels: the sets agree, and the reference is what the textbook says."""

from typing import Any

import numpy as np
import pytest

from encoder.kernels.cases import Case, cases_of
from encoder.kernels.cases.fills import SIZES, Place, place
from encoder.kernels.check import check_case
from encoder.kernels.load import load_kernels
from encoder.kernels.table import SLOTS, Kernels

DISTORTION_SLOTS = [name for name, slot in SLOTS.items() if slot.family == "distortion"]
PYTHON = load_kernels("python").kernels


@pytest.fixture(scope="module", params=["numpy", "numba"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return load_kernels(request.param).kernels


@pytest.mark.parametrize("case", [case for slot in DISTORTION_SLOTS for case in cases_of(slot)], ids=str)
def test_set_matches_python(kernels: Kernels, case: Case) -> None:
    """Same figure or samples as the python set; guards and inputs untouched."""
    assert not check_case(case, getattr(kernels, case.slot), getattr(PYTHON, case.slot))


def two_blocks(w: int, h: int) -> tuple[Place, Place, np.ndarray]:
    """Two random blocks and their difference, h x w."""
    rng = np.random.default_rng(w * 100 + h)
    a, b = place(rng, w, h), place(rng, w, h)
    return a, b, a.block.astype(np.int64) - b.block


def figure(slot: str, a: Place, b: Place) -> Any:
    """What the reference says of two blocks."""
    return getattr(PYTHON, slot)(a.samples, a.at, a.stride, b.samples, b.at, b.stride, a.w, a.h)


def hadamard(side: int) -> np.ndarray:
    """The Hadamard matrix by its definition: -1 to the power of the common bits of row and column."""
    return np.array([[(-1) ** (row & column).bit_count() for column in range(side)] for row in range(side)])


@pytest.mark.parametrize(("w", "h"), SIZES)
def test_sad_and_sse_are_sums_over_the_difference(w: int, h: int) -> None:
    a, b, difference = two_blocks(w, h)
    assert figure("sad", a, b) == np.abs(difference).sum()
    assert figure("sse", a, b) == (difference**2).sum()


@pytest.mark.parametrize(("w", "h"), SIZES)
def test_satd_is_the_hadamard_transform_tile_by_tile(w: int, h: int) -> None:
    a, b, difference = two_blocks(w, h)
    side, shift = (4, 1) if 4 in (w, h) else (8, 2)
    matrix = hadamard(side)
    expected = 0
    for y in range(0, h, side):
        for x in range(0, w, side):
            coefficients = matrix @ difference[y : y + side, x : x + side] @ matrix
            expected += int(np.abs(coefficients).sum() + (1 << shift >> 1)) >> shift
    assert figure("satd", a, b) == expected


def test_satd_counts_a_constant_difference_once_a_tile() -> None:
    """Of a flat difference only the lowest coefficient is not nought: 64 times the difference, over 4."""
    flat, other = np.full(64, 7, np.uint8), np.full(64, 10, np.uint8)
    assert PYTHON.satd(flat, 0, 8, other, 0, 8, 8, 8) == 64 * 3 // 4
    assert PYTHON.satd(flat, 0, 4, other, 0, 4, 4, 4) == 16 * 3 // 2


@pytest.mark.parametrize(("w", "h"), SIZES)
def test_variance_is_the_scaled_variance_rounded_up(w: int, h: int) -> None:
    a, _, _ = two_blocks(w, h)
    exact = w * h * a.block.astype(float).var()
    assert PYTHON.variance(a.samples, a.at, a.stride, w, h) == np.ceil(round(exact, 3))


def test_residual_is_packed_row_by_row() -> None:
    a, b, difference = two_blocks(16, 8)
    out = np.zeros(16 * 8, np.int32)
    PYTHON.residual(a.samples, a.at, a.stride, b.samples, b.at, b.stride, out, 16, 8)
    np.testing.assert_array_equal(out.reshape(8, 16), difference)
