"""The distortion kernels: the reference is what the textbook says."""

from typing import Any

import numpy as np
import pytest

from encoder.kernels.cases.fills import SIZES, Place, place
from encoder.kernels.check import check_slot
from encoder.kernels.load import load_kernels

PYTHON = load_kernels("python").kernels


@pytest.mark.parametrize(("w", "h"), [(8, 16), (16, 8), (16, 16), (32, 32)])
def test_tiles_that_are_rounded_together_are_found(w: int, h: int) -> None:
    """A satd that rounds the sum of two neighbouring 8x8 tiles once is right in 15 of 16 pairs."""

    def rounded_in_pairs(*arguments: Any) -> int:
        a, a_at, a_stride, b, b_at, b_stride, *size = arguments
        if size != [w, h]:
            return int(PYTHON.satd(*arguments))
        blocks = [lines(a, a_at, a_stride, w, h), lines(b, b_at, b_stride, w, h)]
        difference = blocks[0].astype(int) - blocks[1]
        tiles = difference.reshape(h // 8, 8, w // 8, 8).swapaxes(1, 2).reshape(-1, 2, 8, 8)
        pairs = np.abs(hadamard(8) @ tiles @ hadamard(8)).sum((1, 2, 3))
        return int(((pairs + 2) >> 2).sum())

    differences = check_slot("satd", rounded_in_pairs, PYTHON.satd)
    assert differences and all(difference.case.label.startswith(f"{w}x{h}-") for difference in differences)


def lines(samples: np.ndarray, at: int, stride: int, w: int, h: int) -> np.ndarray:
    """A block, h x w."""
    return np.lib.stride_tricks.as_strided(samples[at:], (h, w), (stride, 1))


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
