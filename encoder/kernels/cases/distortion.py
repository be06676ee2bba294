"""Cases of the distortion kernels: all sizes, the extremes of both blocks, strides of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import SIZES, place

_PAIRS = (("random", "random"), ("low", "high"), ("high", "low"))
_MORE_PAIRS = (("extremes", "extremes"), ("gradient", "random"), ("random", "gradient"))
_ODD_SIZES = [(1, 1), (1, 64), (64, 1), (3, 5), (7, 9), (13, 4), (17, 31), (33, 16), (63, 63)]


def _pairs(rng: np.random.Generator, slot: str, sizes: list[tuple[int, int]]) -> Iterator[Case]:
    for n, (w, h) in enumerate(sizes):
        for kind_a, kind_b in (*_PAIRS, _MORE_PAIRS[n % len(_MORE_PAIRS)]):
            a, b = place(rng, w, h, kind_a), place(rng, w, h, kind_b)
            arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, w, h)
            yield Case(slot, f"{w}x{h}-{kind_a}-{kind_b}", arguments)


@cases_for("sad")
def _sad(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "sad", SIZES)


@cases_for("satd")
def _satd(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "satd", SIZES)


@cases_for("sse")
def _sse(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "sse", SIZES + _ODD_SIZES)


@cases_for("variance")
def _variance(rng: np.random.Generator) -> Iterator[Case]:
    for n, (w, h) in enumerate(SIZES):
        for kind in ("random", "extremes", ("low", "high", "gradient")[n % 3]):
            a = place(rng, w, h, kind)
            yield Case("variance", f"{w}x{h}-{kind}", (a.samples, a.at, a.stride, w, h))


@cases_for("residual")
def _residual(rng: np.random.Generator) -> Iterator[Case]:
    for case in _pairs(rng, "residual", SIZES):
        *blocks, w, h = case.arguments
        out = rng.integers(-1000, 1000, w * h + 40, dtype=np.int32)
        yield Case("residual", case.label, (*blocks, out, w, h), (6,))
