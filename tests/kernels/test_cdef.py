"""The CDEF kernels: directions are found, noise goes and what is not available is not used."""

import numpy as np
import pytest

from encoder.compiled import compiled
from encoder.kernels.cases import cases_of
from encoder.kernels.load import load_kernels
from encoder.kernels.set_python import cdef as set_python
from encoder.kernels.table import CDEF_UNAVAILABLE, SLOTS
from encoder.tables import table

PYTHON = load_kernels("python").kernels
CDEF_SLOTS = [name for name, slot in SLOTS.items() if slot.family == "cdef"]
BORDER = 3


@pytest.fixture(scope="module", params=["python", "numpy", "numba", "simd"])
def kernels(request):
    return load_kernels(request.param).kernels


def test_python_writes_the_block_and_nothing_else() -> None:
    for case in cases_of("cdef_filter"):
        dst, at, stride, padded, *_ = case.arguments
        side = case.arguments[6]
        _, (after, padded_after) = case.run(PYTHON.cdef_filter)
        np.testing.assert_array_equal(padded_after, padded, str(case))
        rows = after[at : at + side * stride].reshape(side, stride)
        rows[:, :side] = dst[at : at + side * stride].reshape(side, stride)[:, :side]
        np.testing.assert_array_equal(after, dst, str(case))


@pytest.mark.parametrize("direction", range(8))
def test_direction_of_stripes_is_found(kernels, direction: int) -> None:
    """The crests run along the second offset of the direction's taps."""
    dy, dx = table("cdef_directions")[direction, 1].tolist()
    y, x = np.indices((8, 8))
    stripes = (128 + 100 * np.sin((y * dx - x * dy) * 0.55)).astype(np.uint8)
    found = kernels.cdef_direction(stripes.ravel(), 0, 8)
    assert found & 7 == direction
    assert found >> 3 > 64


def test_flat_block_has_direction_0_and_no_variance(kernels) -> None:
    for value in (0, 128, 255):
        assert kernels.cdef_direction(np.full(64, value, np.uint8), 0, 8) == 0


def filtered(kernels, content: np.ndarray, pri: int, sec: int, damping: int = 5, direction: int = 0) -> np.ndarray:
    """The middle of `content` (its border is BORDER samples wide) after the filter."""
    side = content.shape[0] - 2 * BORDER
    padded = content.astype(np.uint16).ravel()
    dst = np.zeros(side * side, np.uint8)
    at = BORDER * (content.shape[1] + 1)
    kernels.cdef_filter(dst, 0, side, padded, at, content.shape[1], side, side, pri, sec, damping, direction)
    return dst.reshape(side, side)


def middle(content: np.ndarray) -> np.ndarray:
    return content[BORDER:-BORDER, BORDER:-BORDER]


@pytest.mark.parametrize("side", [4, 8])
def test_without_strength_samples_are_copied(kernels, side: int) -> None:
    content = np.random.default_rng(side).integers(0, 256, (side + 2 * BORDER, side + 2 * BORDER))
    np.testing.assert_array_equal(filtered(kernels, content, 0, 0), middle(content))


@pytest.mark.parametrize(("pri", "sec"), [(4, 0), (0, 4), (15, 4), (1, 1)])
def test_small_noise_is_reduced_and_large_steps_stay(kernels, pri: int, sec: int) -> None:
    rng = np.random.default_rng(pri)
    noise = 100 + rng.integers(-1, 2, (8 + 2 * BORDER, 8 + 2 * BORDER))
    assert filtered(kernels, noise, pri, sec).astype(float).var() < middle(noise).var()
    steps = np.where(np.indices(noise.shape).sum(axis=0) // 3 % 2, 20, 220)
    np.testing.assert_array_equal(filtered(kernels, steps, pri, sec), middle(steps))


@pytest.mark.parametrize("direction", range(8))
@pytest.mark.parametrize(("pri", "sec"), [(15, 0), (0, 4), (15, 4)])
def test_unavailable_samples_have_no_weight(kernels, direction: int, pri: int, sec: int) -> None:
    """A flat block stays as it is whatever is missing around it."""
    flat = np.full((8 + 2 * BORDER, 8 + 2 * BORDER), 250)
    flat[:BORDER] = flat[:, -BORDER:] = CDEF_UNAVAILABLE
    assert (filtered(kernels, flat, pri, sec, 6, direction) == 250).all()


@pytest.mark.slow
@pytest.mark.parametrize("slot", CDEF_SLOTS)
def test_python_bodies_compile_as_they_are(slot: str) -> None:
    """The reference is written in the plain subset."""
    function = compiled(set_python, slot)
    function.compile(SLOTS[slot].signature)
    for case in cases_of(slot):
        returned, arrays = case.run(function)
        expected, expected_arrays = case.run(getattr(PYTHON, slot))
        assert returned == expected
        for array, wanted in zip(arrays, expected_arrays, strict=True):
            np.testing.assert_array_equal(array, wanted)
