"""The deblocking kernel: it smooths what looks like a block edge and nothing else."""

import numpy as np
import pytest

from encoder.compiled import compiled
from encoder.kernels.cases import cases_of
from encoder.kernels.cases.deblock import FILTERS
from encoder.kernels.load import load_kernels
from encoder.kernels.set_python import deblock as set_python
from encoder.kernels.table import SLOTS

PYTHON = load_kernels("python").kernels
SIDE = 8
CHANGED = {(4, 0): 2, (8, 0): 3, (16, 0): 6, (4, 1): 2, (8, 1): 2}
"""filter_size, plane -> samples on each side that the longest filter changes."""

all_filters = pytest.mark.parametrize(("filter_size", "plane"), FILTERS)


@pytest.fixture(scope="module", params=["python", "numpy", "numba", "simd"])
def kernels(request):
    return load_kernels(request.param).kernels


def test_cases_reach_every_filter() -> None:
    """Lines that stay as they are, and lines with as many changed samples as each filter can change."""
    for filter_size, plane in FILTERS:
        changed = set()
        for case in cases_of("deblock_edge"):
            samples, at, across, along, count, size, _, _, of_plane = case.arguments
            if (size, of_plane) == (filter_size, plane):
                _, (after,) = case.run(PYTHON.deblock_edge)
                differs = after != samples
                for i in range(count):
                    changed.add(sum(bool(differs[at + i * along + j * across]) for j in range(-SIDE, SIDE)))
        assert 0 in changed
        assert max(changed) == 2 * CHANGED[filter_size, plane]


def edge(before: np.ndarray | int, behind: np.ndarray | int, count: int = 4) -> np.ndarray:
    """`count` equal lines across an edge between columns SIDE - 1 and SIDE."""
    lines = np.empty((count, 2 * SIDE), np.uint8)
    lines[:, :SIDE], lines[:, SIDE:] = before, behind
    return lines


def filtered(kernels, lines: np.ndarray, filter_size: int, plane: int, level: int, sharpness: int = 0) -> np.ndarray:
    samples = lines.ravel().copy()
    kernels.deblock_edge(samples, SIDE, 1, 2 * SIDE, len(lines), filter_size, level, sharpness, plane)
    return samples.reshape(lines.shape)


@all_filters
def test_flat_samples_stay(kernels, filter_size: int, plane: int) -> None:
    for value in (0, 77, 255):
        lines = edge(value, value)
        np.testing.assert_array_equal(filtered(kernels, lines, filter_size, plane, 63), lines)


@all_filters
def test_small_step_between_flat_sides_becomes_a_ramp(kernels, filter_size: int, plane: int) -> None:
    """Rising all the way, as far as the longest filter reaches and no further, and mirrored with the picture."""
    lines = edge(100, 116)
    after = filtered(kernels, lines, filter_size, plane, 32)
    assert (np.diff(after[0].astype(int)) >= 0).all()
    assert np.flatnonzero(after[0] != lines[0]).tolist() == list(
        range(SIDE - CHANGED[filter_size, plane], SIDE + CHANGED[filter_size, plane])
    )
    if filter_size > 4:  # the narrow filter rounds its two sides differently
        mirrored = filtered(kernels, edge(116, 100), filter_size, plane, 32)
        assert np.abs(mirrored[0, ::-1].astype(int) - after[0]).max() <= 1


@all_filters
def test_large_step_stays(kernels, filter_size: int, plane: int) -> None:
    """A step beyond blimit is part of the picture."""
    blimit = 2 * (20 + 2) + 20
    lines = edge(100, 100 + blimit // 2)
    np.testing.assert_array_equal(filtered(kernels, lines, filter_size, plane, 20), lines)
    lines = edge(100, 100 + blimit * 2 // 5)
    assert (filtered(kernels, lines, filter_size, plane, 20) != lines).any()


def test_sharpness_lowers_the_limit(kernels) -> None:
    """Texture that is filtered at sharpness 0 is left alone at 7, where limit is 2."""
    texture = np.array([100, 103, 100, 103, 100, 103, 100, 103])
    lines = edge(texture, texture[::-1] + 5)
    assert (filtered(kernels, lines, 8, 0, 32, 0) != lines).any()
    np.testing.assert_array_equal(filtered(kernels, lines, 8, 0, 32, 7), lines)


def test_strong_edge_variance_changes_one_sample_of_each_side(kernels) -> None:
    lines = edge(np.array([90, 90, 90, 90, 90, 90, 90, 100]), np.array([104, 90, 90, 90, 90, 90, 90, 90]))
    after = filtered(kernels, lines, 4, 0, 32)
    assert np.flatnonzero(after[0] != lines[0]).tolist() == [SIDE - 1, SIDE]


@pytest.mark.slow
def test_python_body_compiles_as_it_is() -> None:
    """The reference is written in the plain subset."""
    function = compiled(set_python, "deblock_edge")
    function.compile(SLOTS["deblock_edge"].signature)
    for case in cases_of("deblock_edge"):
        _, (samples,) = case.run(function)
        _, (wanted,) = case.run(PYTHON.deblock_edge)
        np.testing.assert_array_equal(samples, wanted)
