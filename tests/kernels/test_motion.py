"""The motion kernels: the reference is what the contract says."""

import numpy as np
import pytest

from encoder.kernels.cases.fills import place
from encoder.kernels.load import load_kernels

PYTHON = load_kernels("python").kernels


def test_downscale_gives_means_rounded_half_up() -> None:
    source = np.array([[0, 1, 7, 7], [0, 1, 8, 8], [255, 255, 0, 0], [255, 255, 0, 1]], np.uint8)
    small = np.zeros(4, np.uint8)
    PYTHON.downscale(small, 0, 2, source.ravel(), 0, 4, 2, 2)
    assert small.tolist() == [1, 8, 255, 0]


def test_the_sums_of_all_kernels_are_the_same() -> None:
    """Grid, four at a time and window, against one difference of whole arrays."""
    rng = np.random.default_rng(5)
    a, b = place(rng, 64, 64), place(rng, 64, 64)
    distance = abs(a.block.astype(int) - b.block)
    grid, four = np.zeros(64, np.int64), np.zeros(4, np.int64)
    PYTHON.sad_grid(a.samples, a.at, a.stride, b.samples, b.at, b.stride, grid)
    np.testing.assert_array_equal(grid.reshape(8, 8), distance.reshape(8, 8, 8, 8).sum(axis=(1, 3)))
    starts = [b.at + 8 * i for i in range(4)]
    PYTHON.sad_x4(a.samples, a.at, a.stride, b.samples, *starts, b.stride, 16, 16, four)
    assert four[0] == distance[:16, :16].sum() == grid[[0, 1, 8, 9]].sum()
    # The window's places beside each other are those four.
    best = PYTHON.sad_window(a.samples, a.at, a.stride, b.samples, b.at, b.stride, 16, 4, 1, 8)
    assert (best >> 16, best & 0xFFFF) == (four.min(), four.argmin())


def test_of_equal_places_the_window_takes_the_first() -> None:
    flat = np.full(40 * 40, 9, np.uint8)
    assert PYTHON.sad_window(flat, 0, 40, flat, 41, 40, 8, 5, 5, 2) == 0


@pytest.mark.parametrize(("difference", "weight"), [(0, 31), (2, 29), (8, 7), (16, 0), (-8, 7), (200, 0)])
def test_a_sample_counts_less_the_farther_it_lies(difference: int, weight: int) -> None:
    a, b = np.full(16, 30, np.uint8), np.full(16, 30 + difference, np.uint8)
    sums, weights = np.full(16, 100, np.uint16), np.full(16, 3, np.uint8)
    PYTHON.temporal_accumulate(sums, weights, 0, 4, a, 0, 4, b, 0, 4, 4, 4, 255, 512)
    assert set((weights - 3).tolist()) == {weight} and set((sums - 100).tolist()) == {weight * int(b[0])}


def test_the_laplacian_measures_noise_but_not_edges_and_slopes() -> None:
    rng = np.random.default_rng(3)
    deviation, (h, w) = 4, (200, 200)
    y, x = np.mgrid[:h, :w]
    clean = 60 + x / 4 + y / 8 + 60 * (x > w // 2)
    noisy = np.clip(np.rint(clean + rng.normal(0, deviation, (h, w))), 0, 255).astype(np.uint8).ravel()
    found = load_kernels("numpy").kernels.noise_sum(noisy, w + 1, w, w - 2, h - 2)
    total, count = found >> 24, found & 0xFFFFFF
    assert count > 0.9 * w * h
    assert abs(np.sqrt(np.pi / 2) * total / count / 6 - deviation) < 0.2
