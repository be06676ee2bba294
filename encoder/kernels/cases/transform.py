"""Cases of the transform kernels: every size with every type it has, residuals and coefficients of all tempers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder import spec
from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import place
from encoder.tables import table

TX_TYPES = [
    *("dct_dct", "adst_dct", "dct_adst", "adst_adst", "flipadst_dct", "dct_flipadst"),
    *("flipadst_flipadst", "adst_flipadst", "flipadst_adst"),
    *("idtx", "v_dct", "h_dct", "v_adst", "h_adst", "v_flipadst", "h_flipadst"),
]
"""Names of the transform types, in the order of their numbers."""
GUARD = 16
"""Entries behind a block of coefficients that a kernel must leave alone."""
RESIDUALS = ("small", "random", "extremes", "ramp", "high", "middle", "wave")
COEFFICIENTS = ("small", "sparse", "single", "large")


def legal_transforms() -> list[tuple[int, int]]:
    """(tx_size, tx_type): all that the contract of the inverse names."""
    upto_16 = [(tx_size, tx_type) for tx_size in range(3) for tx_type in range(16)]
    return [*upto_16, (spec.TX_32X32, spec.DCT_DCT), (spec.TX_32X32, spec.IDTX), (spec.TX_64X64, spec.DCT_DCT)]


def side_of(tx_size: int) -> int:
    """Samples of a side of a transform block."""
    return 4 << tx_size


def kept_of(tx_size: int) -> int:
    """Coefficients of a side of a transform block."""
    return min(32, side_of(tx_size))


def scan_of(tx_size: int) -> np.ndarray:
    """The default scan of a size (spec 5.11.41)."""
    return table(f"default_scan_{kept_of(tx_size)}x{kept_of(tx_size)}", np.int16)


def _label(tx_size: int, tx_type: int, kind: str) -> str:
    return f"{side_of(tx_size)}x{side_of(tx_size)}-{TX_TYPES[tx_type]}-{kind}"


def residual_block(rng: np.random.Generator, kind: str, side: int) -> np.ndarray:
    """A residual, flat int32: values within 8 (small), any (random), -255 or 255 (extremes), a plane from -255 in one
    corner to 255 in the opposite one (ramp), 255 everywhere (high); about as much energy as 16 bits hold on the way, with
    random signs (middle) or all of it in one frequency (wave)."""
    count = side * side
    if kind == "small":
        values = rng.integers(-8, 9, count)
    elif kind == "random":
        values = rng.integers(-255, 256, count)
    elif kind == "extremes":
        values = rng.choice([-255, 255], count)
    elif kind == "ramp":
        y, x = np.mgrid[:side, :side]
        values = ((x + y) * 510 // (2 * side - 2) - 255).ravel()
    elif kind == "middle":
        values = min(255, 1000 // side) * rng.choice([-1, 1], count)
    elif kind == "wave":
        (y, x), (row, column) = np.mgrid[:side, :side], rng.integers(0, min(side, 8), 2)
        angles = (2 * y + 1) * row, (2 * x + 1) * column
        wave = np.multiply(*(np.cos(angle * np.pi / (2 * side)) for angle in angles))
        values = np.clip(wave / np.linalg.norm(wave) * rng.uniform(0.9, 1.1) * 1000, -255, 255).ravel()
    else:
        values = np.full(count, 255)
    return values.astype(np.int32)


def _behind_guard(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """The values as int32 with random ones behind them."""
    return np.concatenate([values, rng.integers(-(2**31), 2**31, GUARD)]).astype(np.int32)


def _noise(rng: np.random.Generator, count: int) -> np.ndarray:
    """An array that a kernel has to fill."""
    return rng.integers(-(2**31), 2**31, count + GUARD).astype(np.int32)


def coefficient_block(rng: np.random.Generator, kind: str, tx_size: int) -> tuple[np.ndarray, int]:
    """Coefficients, flat, and their eob in the default scan: all within 60 (small), a few along a falling spectrum
    (sparse), one (single), few of which 28000 is the sum of magnitudes: 16 bits hold what comes of them (large)."""
    scan = scan_of(tx_size)
    count = len(scan)
    values = np.zeros(count, np.int64)
    if kind == "small":
        values[:] = rng.integers(-60, 61, count)
    elif kind == "sparse":
        eob = int(rng.integers(2, 2 + count // 4))
        values[scan[:eob]] = rng.laplace(0, 800 / (1 + np.arange(eob)), eob).astype(int)
        values[scan[eob - 1]] = 7
    elif kind == "single":
        values[rng.integers(count)] = int(rng.integers(-2000, 2001)) | 1
    else:
        places = rng.integers(0, count, 4)
        values[places] += (rng.dirichlet(np.ones(4)) * 28000).astype(int) * rng.choice([-1, 1], 4)
    coded = np.flatnonzero(values[scan])
    return values, int(coded[-1]) + 1 if len(coded) else 1


@cases_for("forward_transform")
def _forward_transform(rng: np.random.Generator) -> Iterator[Case]:
    def case(tx_size: int, tx_type: int, kind: str) -> Case:
        residual = residual_block(rng, kind, side_of(tx_size))
        coefs = _noise(rng, kept_of(tx_size) ** 2)
        return Case("forward_transform", _label(tx_size, tx_type, kind), (residual, coefs, tx_size, tx_type), (1,))

    for n, (tx_size, tx_type) in enumerate(legal_transforms()):
        if tx_type != spec.DCT_DCT:
            yield case(tx_size, tx_type, RESIDUALS[n % len(RESIDUALS)])
    for tx_size in range(5):
        for kind in RESIDUALS:
            yield case(tx_size, spec.DCT_DCT, kind)


@cases_for("inverse_transform_add")
def _inverse_transform_add(rng: np.random.Generator) -> Iterator[Case]:
    def case(tx_size: int, tx_type: int, kind: str, values: np.ndarray, eob: int) -> Case:
        dst = place(rng, side_of(tx_size), side_of(tx_size))
        arguments = (_behind_guard(rng, values), dst.samples, dst.at, dst.stride, tx_size, tx_type, eob)
        return Case("inverse_transform_add", f"{_label(tx_size, tx_type, kind)}-eob{eob}", arguments, (1,))

    for n, (tx_size, tx_type) in enumerate(legal_transforms()):
        if tx_type != spec.DCT_DCT:
            kind = COEFFICIENTS[n % len(COEFFICIENTS)]
            yield case(tx_size, tx_type, kind, *coefficient_block(rng, kind, tx_size))
    for tx_size in range(5):
        count = kept_of(tx_size) ** 2
        for kind in ("small", "sparse", "large"):
            yield case(tx_size, spec.DCT_DCT, kind, *coefficient_block(rng, kind, tx_size))
        only_dc = np.zeros(count, np.int64)
        only_dc[0] = rng.integers(-(2**15), 2**15)
        yield case(tx_size, spec.DCT_DCT, "dc", only_dc, 1)
        # No encoder may send these, but what comes out is defined for them too: every step of the specification is.
        yield case(tx_size, spec.DCT_DCT, "any", rng.integers(-(2**15), 2**15, count), count)
    for tx_type in (spec.ADST_ADST, spec.IDTX, spec.H_FLIPADST):
        only_first = np.zeros(64, np.int64)
        only_first[0] = rng.integers(-(2**15), 2**15)
        yield case(spec.TX_8X8, tx_type, "dc", only_first, 1)


@cases_for("quantize")
def _quantize(rng: np.random.Generator) -> Iterator[Case]:
    dc_qlookup, ac_qlookup = table("dc_qlookup")[0], table("ac_qlookup")[0]
    for tx_size in range(5):
        scan = scan_of(tx_size)
        count = len(scan)
        tempers = {
            "zero": np.zeros(count),
            "first": np.eye(1, count) * 30000,
            "last": np.eye(1, count, scan[-1]) * -30000,
            "sparse": coefficient_block(rng, "sparse", tx_size)[0],
            "dense": rng.normal(0, 2000, count),
            "any": rng.integers(-(2**31), 2**31, count),
        }
        for n, (kind, values) in enumerate(tempers.items()):
            qindex = (1, 60, 255)[(n + tx_size) % 3]
            dc_round, ac_round = ((0, 0), (128, 128), (96, 80))[n % 3]
            scan_at = 5 * (n & 1)
            shift = max(0, tx_size - 2)
            coefs = _behind_guard(rng, values.ravel())
            # Multiples of the step, and their neighbours, sit on the edge of two levels.
            if kind == "dense":
                multiples = rng.integers(1, 100, count) * ac_qlookup[qindex] + rng.integers(-1, 2, count)
                coefs[:count:2] = multiples[::2] >> shift
            arguments = (
                coefs, _noise(rng, count), np.concatenate([np.zeros(scan_at, np.int16), scan]), scan_at, count,
                int(dc_qlookup[qindex]), int(ac_qlookup[qindex]), shift, dc_round, ac_round,
            )  # fmt: skip
            label = f"{count}-{kind}-q{qindex}-round{dc_round}-{ac_round}"
            yield Case("quantize", label, arguments, (1,))


@cases_for("dequantize")
def _dequantize(rng: np.random.Generator) -> Iterator[Case]:
    dc_qlookup, ac_qlookup = table("dc_qlookup")[0], table("ac_qlookup")[0]
    for tx_size in range(5):
        count = kept_of(tx_size) ** 2
        tempers = (("small", 3, 120), ("clipped", 2000, 255), ("masked", 2**19, 255), ("large", 2**19, 1))
        for kind, largest, qindex in tempers:
            levels = _behind_guard(rng, rng.integers(-largest, largest + 1, count))
            q = int(dc_qlookup[qindex]), int(ac_qlookup[qindex])
            arguments = (levels, _noise(rng, count), count, *q, max(0, tx_size - 2))
            yield Case("dequantize", f"{count}-{kind}-q{qindex}-shift{max(0, tx_size - 2)}", arguments, (1,))


@cases_for("coefficient_error")
def _coefficient_error(rng: np.random.Generator) -> Iterator[Case]:
    for tx_size in range(4):
        count = kept_of(tx_size) ** 2
        for kind, largest in (("equal", 0), ("small", 9), ("large", 2**15)):
            a = rng.integers(-(2**15), 2**15, count)
            b = a + rng.integers(-largest, largest + 1, count)
            arguments = (_behind_guard(rng, a), _behind_guard(rng, b), count)
            yield Case("coefficient_error", f"{count}-{kind}", arguments)
