"""The loop restoration kernels: filters that do nothing do nothing, and the sums lead to the filter that was."""

import numpy as np
import pytest

from encoder.kernels.cases import cases_of
from encoder.kernels.load import load_kernels
from encoder.kernels.table import SLOTS

PYTHON = load_kernels("python").kernels
RESTORATION_SLOTS = [name for name, slot in SLOTS.items() if slot.family == "restoration"]
BORDER = 3


@pytest.fixture(scope="module", params=["python", "numpy", "numba", "simd"])
def kernels(request):
    return load_kernels(request.param).kernels


@pytest.fixture(scope="module")
def numba():
    return load_kernels("numba").kernels


@pytest.mark.parametrize("slot", RESTORATION_SLOTS)
def test_python_writes_what_the_contract_names_and_nothing_else(slot: str) -> None:
    for case in cases_of(slot):
        _, after = case.run(getattr(PYTHON, slot))
        before = [argument.copy() for argument in case.arguments if isinstance(argument, np.ndarray)]
        (output,) = case.outputs
        index = sum(isinstance(argument, np.ndarray) for argument in case.arguments[:output])
        allowed = np.zeros(before[index].size, bool)
        if output == 0:
            at, stride, w, h = (case.arguments[i] for i in (1, 2, 6, 7))
            allowed[at : at + h * stride].reshape(h, stride)[:, :w] = True
        elif slot == "box_filter":
            allowed[: case.arguments[3] * case.arguments[4]] = True
        else:
            first = case.arguments[-1]
            allowed[first : first + (9 if slot == "wiener_statistics" else 5)] = True
        before[index][allowed] = after[index][allowed]
        for array, wanted in zip(after, before, strict=True):
            np.testing.assert_array_equal(array, wanted, str(case))


def picture(w: int, h: int, seed: int = 1) -> tuple[np.ndarray, int, int]:
    """Smooth waves with a border of 3: flat array, index of the first sample, stride."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: h + 2 * BORDER, : w + 2 * BORDER]
    waves = 128 + 60 * np.sin(x / 3) + 50 * np.sin(y / 4 + x / 9) + rng.integers(-3, 4, x.shape)
    return waves.clip(0, 255).astype(np.uint8).ravel(), BORDER * (w + 2 * BORDER + 1), w + 2 * BORDER


def inner(samples: np.ndarray, at: int, stride: int, w: int, h: int) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(samples[at:], (h, w), (stride, 1))


def test_wiener_without_coefficients_copies(kernels) -> None:
    samples, at, stride = picture(20, 10)
    out = np.zeros(200, np.uint8)
    kernels.wiener_filter(out, 0, 20, samples, at, stride, 20, 10, np.zeros(6, np.int8), 0)
    np.testing.assert_array_equal(out.reshape(10, 20), inner(samples, at, stride, 20, 10))


def test_flat_areas_stay(kernels) -> None:
    samples, out = np.full(26 * 16, 77, np.uint8), np.zeros(200, np.uint8)
    taps = np.array([5, -20, 40, -3, 7, 12], np.int8)
    kernels.wiener_filter(out, 0, 20, samples, 3 * 27, 26, 20, 10, taps, 0)
    assert (out == 77).all()
    for sgr_set in (0, 9, 12, 15):
        flt = np.zeros((2, 200), np.int16)
        for pass_number in range(2):
            kernels.box_filter(samples, 3 * 27, 26, 20, 10, sgr_set, pass_number, flt[pass_number])
        assert abs(flt - 77 * 16).max() <= 4
        kernels.self_guided_mix(out, 0, 20, samples, 3 * 27, 26, 20, 10, flt[0], flt[1], -32, 31)
        assert abs(out.astype(int) - 77).max() <= 1


def test_box_filter_takes_noise_away_and_leaves_edges(numba) -> None:
    rng = np.random.default_rng(4)
    clean = np.where(np.arange(70) < 35, 60, 190)[None, :].repeat(70, axis=0)
    noisy = (clean + rng.normal(0, 3, clean.shape)).astype(np.uint8)
    flt = np.zeros(64 * 64, np.int16)
    numba.box_filter(noisy.ravel(), 3 * 71, 70, 64, 64, 4, 0, flt)
    error = abs(flt.reshape(64, 64) / 16 - clean[3:-3, 3:-3])
    assert error.mean() < 0.6 * abs(noisy[3:-3, 3:-3].astype(int) - clean[3:-3, 3:-3]).mean()
    assert error.max() < 25


@pytest.mark.parametrize("vertical", [0, 1])
def test_wiener_sums_lead_to_the_filter_that_made_the_source(numba, vertical: int) -> None:
    w, h = 64, 64
    samples, at, stride = picture(w, h)
    taps = np.array([4, -10, 20, 3, -7, 15], np.int8)
    source = np.zeros(w * h, np.uint8)
    numba.wiener_filter(source, 0, w, samples, at, stride, w, h, taps, 0)
    sums = np.zeros(9, np.int64)
    numba.wiener_statistics(samples, at, stride, source, 0, w, w, h, taps, 0, vertical, sums, 0)
    a = sums[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3).astype(float)
    found = np.linalg.solve(a, 128.0 * sums[6:])
    np.testing.assert_allclose(found, taps[:3] if vertical else taps[3:], atol=1.5)


def test_self_guided_sums_lead_to_the_weights_that_made_the_source(numba) -> None:
    w, h, xqd = 64, 64, (31, 20)
    rng = np.random.default_rng(5)
    _, at, stride = picture(w, h)
    samples = rng.normal(128, 5, (h + 2 * BORDER) * stride).astype(np.uint8)
    flt = np.zeros((2, w * h), np.int16)
    for pass_number in range(2):
        numba.box_filter(samples, at, stride, w, h, 9, pass_number, flt[pass_number])
    source, sums = np.zeros(w * h, np.uint8), np.zeros(5, np.int64)
    numba.self_guided_mix(source, 0, w, samples, at, stride, w, h, flt[0], flt[1], *xqd)
    numba.self_guided_statistics(samples, at, stride, source, 0, w, w, h, flt[0], flt[1], sums, 0)
    a = sums[[0, 1, 1, 2]].reshape(2, 2).astype(float)
    found = np.linalg.solve(a, 128.0 * sums[3:])
    np.testing.assert_allclose(found, (xqd[0], 128 - sum(xqd)), atol=1.5)
