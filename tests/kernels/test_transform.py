"""The transform kernels: each transform is what its name says, forward and inverse undo each other."""

import numpy as np
import pytest

from encoder import spec
from encoder.compiled import compiled
from encoder.kernels.butterflies import (
    ADST,
    DCT,
    FLIPADST,
    HORIZONTAL,
    KIND,
    M00,
    PROGRAM_NUMBER,
    PROGRAMS,
    ROTATION,
    VERTICAL,
)
from encoder.kernels.cases import cases_of
from encoder.kernels.cases.transform import (
    GUARD,
    RESIDUALS,
    TX_TYPES,
    kept_of,
    legal_transforms,
    residual_block,
    scan_of,
    side_of,
)
from encoder.kernels.load import load_kernels
from encoder.kernels.set_python import transform as set_python
from encoder.kernels.table import SLOTS
from encoder.tables import table

TRANSFORM_SLOTS = [name for name, slot in SLOTS.items() if slot.family == "transform"]
# Squared error of coefficients / squared error of samples, as the contract of coefficient_error says.
ERROR_GAIN = {0: 64, 1: 64, 2: 64, 3: 16, 4: 4}
PYTHON = load_kernels("python").kernels


@pytest.fixture(scope="module", params=["numpy", "numba", "simd"])
def kernels(request):
    return load_kernels(request.param).kernels


@pytest.mark.parametrize("slot", TRANSFORM_SLOTS)
def test_python_writes_only_what_the_contract_names(slot: str) -> None:
    """Inputs and the guards behind the blocks come back as they were."""
    for case in cases_of(slot):
        _, arrays = case.run(getattr(PYTHON, slot))
        given = [a for a in case.arguments if isinstance(a, np.ndarray)]
        written = [case.arguments[position] for position in case.outputs]
        for before, after in zip(given, arrays, strict=True):
            if not any(before is array for array in written):
                np.testing.assert_array_equal(after, before)
            elif before.dtype == np.int32:
                np.testing.assert_array_equal(after[-GUARD:], before[-GUARD:])


def basis(kind: int, size: int) -> np.ndarray:
    """The orthonormal matrix of a transform, basis vectors in its rows, from the textbook formula."""
    k, x = np.mgrid[:size, :size]
    if kind == DCT:
        scale = np.where(k == 0, np.sqrt(1 / size), np.sqrt(2 / size))
        return scale * np.cos(np.pi * k * (2 * x + 1) / (2 * size))
    if kind in (ADST, FLIPADST):
        if size == 4:
            rows = 2 / 3 * np.sin(np.pi * (2 * k + 1) * (x + 1) / 9)
        else:
            rows = np.sqrt(2 / size) * np.sin(np.pi * (2 * k + 1) * (2 * x + 1) / (4 * size))
        return rows[:, ::-1] if kind == FLIPADST else rows
    return np.eye(size)


@pytest.mark.parametrize(
    ("kind", "log2_size"),
    [(DCT, n) for n in range(2, 7)] + [(kind, n) for kind in (ADST, FLIPADST) for n in range(2, 5)],
)
def test_python_1d_transforms_are_those_of_the_textbook(kind: int, log2_size: int) -> None:
    """Each frequency alone, and each sample alone, makes its basis vector, to within the cosines' 12 bits."""
    size = 1 << log2_size
    exact = 8000 * np.sqrt(size / 2) * basis(kind, size)
    for i in range(size):
        frequency = 8000 * np.eye(1, size, i, dtype=int)[0]
        sample = frequency.copy()
        set_python.inverse_1d(frequency, kind, log2_size)
        assert np.abs(frequency - exact[i]).max() < 6
        set_python.forward_1d(sample, kind, log2_size)
        assert np.abs(sample - exact[:, i]).max() < 6


def separable(tx_size: int, tx_type: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrices v, h: the coefficients of residual r are v @ r @ h.T, but for scale."""
    kept = kept_of(tx_size)
    return tuple(basis(kinds[tx_type], side_of(tx_size))[:kept] for kinds in (VERTICAL, HORIZONTAL))


all_transforms = pytest.mark.parametrize(
    ("tx_size", "tx_type"),
    legal_transforms(),
    ids=[f"{side_of(tx_size)}x{side_of(tx_size)}-{TX_TYPES[tx_type]}" for tx_size, tx_type in legal_transforms()],
)


def forward(kernels, residual: np.ndarray, tx_size: int, tx_type: int) -> np.ndarray:
    coefs = np.zeros(kept_of(tx_size) ** 2, np.int32)
    kernels.forward_transform(np.ascontiguousarray(residual, np.int32).ravel(), coefs, tx_size, tx_type)
    return coefs


def inverse(kernels, coefs: np.ndarray, tx_size: int, tx_type: int) -> np.ndarray:
    """The residual of coefficients, as it shows on black (positive part) and on white (negative part)."""
    side = side_of(tx_size)
    on_black, on_white = np.zeros(side * side, np.uint8), np.full(side * side, 255, np.uint8)
    for dst in (on_black, on_white):
        kernels.inverse_transform_add(coefs, dst, 0, side, tx_size, tx_type, len(coefs))
    return (on_black.astype(int) + (on_white.astype(int) - 255)).reshape(side, side)


@all_transforms
def test_python_inverse_is_the_transform_of_its_name(tx_size: int, tx_type: int) -> None:
    """Within rounding of the orthonormal transform in floating point."""
    rng = np.random.default_rng([tx_size, tx_type])
    v, h = separable(tx_size, tx_type)
    kept = kept_of(tx_size)
    scale = np.sqrt(ERROR_GAIN[tx_size])
    spectrum = 40 * scale / (1 + np.add.outer(np.arange(kept), np.arange(kept)))
    coefs = (rng.laplace(0, 1, (kept, kept)) * spectrum).astype(np.int32)
    exact = np.clip(v.T @ (coefs / scale) @ h, -255, 255)
    assert np.abs(inverse(PYTHON, coefs.ravel(), tx_size, tx_type) - exact).max() < 1.5


@all_transforms
def test_python_forward_is_the_transform_of_its_name(tx_size: int, tx_type: int) -> None:
    """Within rounding of the orthonormal transform in floating point, scaled as the inverse wants it."""
    rng = np.random.default_rng([tx_size, tx_type])
    residual = residual_block(rng, "random", side_of(tx_size)).reshape(side_of(tx_size), -1)
    v, h = separable(tx_size, tx_type)
    exact = np.sqrt(ERROR_GAIN[tx_size]) * (v @ residual @ h.T)
    # The specification's cosines have 12 bits, so the largest coefficients are off by a few thousandths.
    assert np.abs(forward(PYTHON, residual, tx_size, tx_type).reshape(exact.shape) - exact).max() < 3


@all_transforms
@pytest.mark.parametrize("kind", RESIDUALS)
def test_inverse_of_forward_gives_the_residual_back(kernels, tx_size: int, tx_type: int, kind: str) -> None:
    """Every sample, to within 1; at 64x64, of a residual of the low frequencies that it keeps, to within 2."""
    side = side_of(tx_size)
    residual = residual_block(np.random.default_rng([tx_size, tx_type]), kind, side).reshape(side, side)
    most = 1
    if tx_size == spec.TX_64X64:
        v, h = separable(tx_size, tx_type)
        smooth = v.T @ (v @ residual @ h.T) @ h
        residual = np.round(smooth * min(1, 255 / np.abs(smooth).max())).astype(np.int32)
        most = 2  # the fractions that np.round took had high frequencies
    back = inverse(kernels, forward(kernels, residual, tx_size, tx_type), tx_size, tx_type)
    assert np.abs(back - residual).max() <= most


@all_transforms
def test_error_of_coefficients_is_a_multiple_of_the_error_of_samples(tx_size: int, tx_type: int) -> None:
    """The multiple that the contract of coefficient_error states, to within one per cent."""
    rng = np.random.default_rng([tx_size, tx_type])
    v, h = separable(tx_size, tx_type)
    smooth = v.T @ rng.normal(0, 60, (len(v), len(h))) @ h
    residual = np.clip(np.round(smooth), -255, 255).astype(np.int32)
    kernels = load_kernels("numpy").kernels
    coefs = forward(kernels, residual, tx_size, tx_type)
    gain = kernels.coefficient_error(coefs, np.zeros_like(coefs), len(coefs)) / np.sum(residual.astype(float) ** 2)
    assert gain == pytest.approx(ERROR_GAIN[tx_size], rel=0.01)


@pytest.mark.parametrize("qindex", [1, 40, 120, 255])
@pytest.mark.parametrize("tx_size", range(5))
def test_error_of_quantization_shows_in_the_samples(kernels, tx_size: int, qindex: int) -> None:
    """Squared error in coefficients, divided by the gain, is that in samples: distortion may be counted in either."""
    rng = np.random.default_rng([tx_size, qindex])
    side, count, shift = side_of(tx_size), kept_of(tx_size) ** 2, max(0, tx_size - 2)
    dc_q, ac_q = int(table("dc_qlookup")[0][qindex]), int(table("ac_qlookup")[0][qindex])
    y, x = np.mgrid[:side, :side] / side
    residual = np.round(90 * np.sin(5 * x + 3 * y) + 30 * np.cos(9 * x * y) + rng.normal(0, 3, (side, side)))
    coefs = forward(kernels, residual, tx_size, spec.DCT_DCT)
    levels, dequantized = np.zeros(count, np.int32), np.zeros(count, np.int32)
    kernels.quantize(coefs, levels, scan_of(tx_size), 0, count, dc_q, ac_q, shift, 128, 128)
    kernels.dequantize(levels, dequantized, count, dc_q, ac_q, shift)
    assert np.abs(coefs - dequantized).max() <= max(dc_q, ac_q) / 2**shift / 2 + 1
    in_coefs = kernels.coefficient_error(coefs, dequantized, count) / ERROR_GAIN[tx_size]
    in_samples = np.sum((inverse(kernels, dequantized, tx_size, spec.DCT_DCT) - residual) ** 2.0)
    # Rounding, and at 64x64 the high frequencies.
    lost = np.sum((inverse(kernels, coefs, tx_size, spec.DCT_DCT) - residual) ** 2.0)
    assert in_samples == pytest.approx(in_coefs + lost, rel=0.05, abs=side * side / 6)


def test_quantize_counts_in_scan_order(kernels) -> None:
    """eob is the place behind the last level along the scan, not along the array."""
    scan = scan_of(spec.TX_8X8)
    for last in (0, 1, 17, 63):
        coefs, levels = np.zeros(64, np.int32), np.zeros(64, np.int32)
        coefs[scan[last]] = -500
        assert kernels.quantize(coefs, levels, scan, 0, 64, 100, 100, 0, 128, 128) == last + 1
        assert levels[scan[last]] == -5


@pytest.mark.parametrize(
    ("level", "q", "shift", "coef"),
    [
        (3, 5, 1, 7),
        (-3, 5, 1, -7),  # cut towards zero
        (-3, 5, 2, -3),
        (2**14 + 1, 1024, 1, 512),  # 24 bits are left before the shift
        (-(2**14) - 1, 1024, 0, -1024),
        (70, 1024, 0, 2**15 - 1),
        (-70, 1024, 0, -(2**15)),
    ],
)
def test_dequantize_follows_the_specification(kernels, level: int, q: int, shift: int, coef: int) -> None:
    """Masked to 24 bits, cut towards zero by the shift, clipped to 16 bits (spec 7.12.3)."""
    levels, coefs = np.array([1, level, *[0] * 14], np.int32), np.zeros(16, np.int32)
    kernels.dequantize(levels, coefs, 16, 8, q, shift)
    assert coefs.tolist() == [8 >> shift, coef, *[0] * 14]


def test_programs_use_every_element() -> None:
    """The orders are permutations, and the steps leave no element out."""
    for program in PROGRAMS:
        assert sorted(program.input_order) == sorted(program.output_order) == list(range(program.size))
        touched = {i for _, a, b, *_ in program.steps for i in (a, b)}
        assert touched == set(range(program.size))


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_one_wrong_cosine_is_noticed(monkeypatch, number: int) -> None:
    """The comparison with the textbook sees a fault of two thousandths in one factor of a program."""
    steps = set_python.STEPS.copy()
    first = int(set_python.FIRST_STEP[number])
    first_rotation = first + int(np.argmax(steps[first:, KIND] == ROTATION))
    steps[first_rotation, M00] += 8
    monkeypatch.setattr(set_python, "STEPS", steps)
    kind = next(kind for kind in (DCT, ADST) if number in PROGRAM_NUMBER[kind])
    with pytest.raises(AssertionError):
        test_python_1d_transforms_are_those_of_the_textbook(kind, PROGRAMS[number].size.bit_length() - 1)


@pytest.mark.slow
@pytest.mark.parametrize("slot", TRANSFORM_SLOTS)
def test_python_bodies_compile_as_they_are(slot: str) -> None:
    """The reference is written in the plain subset, also where the numba set has bodies of its own."""
    kernel = compiled(set_python, slot)
    kernel.compile(SLOTS[slot].signature)
    for case in cases_of(slot):
        returned, arrays = case.run(kernel)
        expected, expected_arrays = case.run(getattr(PYTHON, slot))
        assert returned == expected
        for array, wanted in zip(arrays, expected_arrays, strict=True):
            np.testing.assert_array_equal(array, wanted)
