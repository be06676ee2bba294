"""Cases of the motion kernels: sizes and strides of their own, extremes, equal places, every weight of the temporal filter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.distortion import near
from encoder.kernels.cases.fills import SIZES, Place, place

_PAIRS = (("random", "random"), ("low", "high"), ("high", "low"), ("extremes", "gradient"))
_MEAN_SIZES = [(1, 1), (3, 2), (17, 5), (64, 3), (100, 7), (33, 33)]
_WINDOWS = [(1, 1, 1), (3, 3, 1), (9, 9, 2), (25, 25, 2), (5, 2, 3), (49, 1, 1)]
"""columns, rows, step"""
_TERMS = [(255, 0), (255, 4095), (255, 20), (200, 300), (0, 50), (37, 7)]
"""base, slope"""


@cases_for("downscale")
def _downscale(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in _MEAN_SIZES:
        for kind in ("random", "high", "extremes"):
            dst, src = place(rng, w, h), place(rng, 2 * w, 2 * h, kind)
            arguments = (dst.samples, dst.at, dst.stride, src.samples, src.at, src.stride, w, h)
            yield Case("downscale", f"{w}x{h}-{kind}", arguments, (0,))


@cases_for("sad_grid")
def _sad_grid(rng: np.random.Generator) -> Iterator[Case]:
    for kind_a, kind_b in _PAIRS:
        a, b = place(rng, 64, 64, kind_a), place(rng, 64, 64, kind_b)
        out = rng.integers(-9, 9, 70)
        arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, out)
        yield Case("sad_grid", f"{kind_a}-{kind_b}", arguments, (6,))
    for distance in (1, 4, 20):
        a = place(rng, 64, 64)
        b, out = near(rng, a, distance), rng.integers(-9, 9, 70)
        arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, out)
        yield Case("sad_grid", f"within{distance}", arguments, (6,))


@cases_for("sad_x4")
def _sad_x4(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in SIZES:
        for kind_a, kind_b in _PAIRS:
            a, b = place(rng, w, h, kind_a), place(rng, w + 9, h + 9, kind_b)
            starts = [b.at + int(y) * b.stride + int(x) for y, x in rng.integers(0, 10, (4, 2))]
            out = rng.integers(-9, 9, 6)
            arguments = (a.samples, a.at, a.stride, b.samples, *starts, b.stride, w, h, out)
            yield Case("sad_x4", f"{w}x{h}-{kind_a}-{kind_b}", arguments, (11,))


@cases_for("sad_window")
def _sad_window(rng: np.random.Generator) -> Iterator[Case]:
    for side in (8, 16):
        for columns, rows, step in _WINDOWS:
            w, h = side + step * (columns - 1), side + step * (rows - 1)
            for kind_a, kind_b in _PAIRS:
                a, b = place(rng, side, side, kind_a), place(rng, w, h, kind_b)
                size = (side, columns, rows, step)
                arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, *size)
                yield Case("sad_window", f"{side}-{columns}x{rows}-step{step}-{kind_a}-{kind_b}", arguments)
            b = place(rng, w, h)
            a = Place(b.samples, b.at + step * (rows // 2 * b.stride + columns // 2), b.stride, side, side)
            arguments = (a.samples.copy(), a.at, a.stride, b.samples, b.at, b.stride, side, columns, rows, step)
            yield Case("sad_window", f"{side}-{columns}x{rows}-step{step}-found", arguments)


@cases_for("temporal_accumulate")
def _temporal_accumulate(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in SIZES:
        for n, (base, slope) in enumerate(_TERMS):
            a, b = place(rng, w, h), place(rng, w, h)
            if n % 2:
                b.block[:] = np.clip(a.block + rng.integers(-20, 21, (h, w)), 0, 255)
            stride = w + int(rng.integers(9))
            sums, weights = rng.integers(0, 32 * 255, h * stride + 9), rng.integers(0, 193, h * stride + 9)
            arguments = (
                sums.astype(np.uint16), weights.astype(np.uint8), int(rng.integers(9)), stride,
                a.samples, a.at, a.stride, b.samples, b.at, b.stride, w, h, base, slope,
            )  # fmt: skip
            yield Case("temporal_accumulate", f"{w}x{h}-base{base}-slope{slope}", arguments, (0, 1))


@cases_for("temporal_normalize")
def _temporal_normalize(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in SIZES:
        dst, stride = place(rng, w, h), w + int(rng.integers(9))
        weights = rng.integers(1, 256, h * stride + 9)
        fills = {"random": rng.integers(0, 255 * weights + 1), "low": 0 * weights, "high": 255 * weights}
        for kind, sums in fills.items():
            arguments = (
                dst.samples, dst.at, dst.stride, sums.astype(np.uint16), weights.astype(np.uint8),
                int(rng.integers(9)), stride, w, h,
            )  # fmt: skip
            yield Case("temporal_normalize", f"{w}x{h}-{kind}", arguments, (0,))


@cases_for("noise_sum")
def _noise_sum(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in (*_MEAN_SIZES, (64, 64)):
        for kind in ("random", "low", "extremes"):
            a = place(rng, w, h, kind, 2)
            yield Case("noise_sum", f"{w}x{h}-{kind}", (a.samples, a.at, a.stride, w, h))
        smooth = place(rng, w, h, "high", 2)
        smooth.samples[:] = 100 + rng.integers(-9, 10, smooth.samples.size)
        yield Case("noise_sum", f"{w}x{h}-smooth", (smooth.samples, smooth.at, smooth.stride, w, h))
