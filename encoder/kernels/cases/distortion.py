"""Cases of the distortion kernels: all sizes, the extremes of both blocks, strides of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import SIZES, Place, place

_PAIRS = (("random", "random"), ("low", "high"), ("high", "low"))
_MORE_PAIRS = (("extremes", "extremes"), ("gradient", "random"), ("random", "gradient"))
_DISTANCES = (1, 4, 20)
"""Blocks that differ by no more than this, as those that an encoder compares do."""
_ODD_SIZES = [(1, 1), (1, 64), (64, 1), (3, 5), (7, 9), (13, 4), (17, 31), (33, 16), (63, 63)]


def _pairs(rng: np.random.Generator, slot: str, sizes: list[tuple[int, int]]) -> Iterator[Case]:
    for n, (w, h) in enumerate(sizes):
        for kind_a, kind_b in (*_PAIRS, _MORE_PAIRS[n % len(_MORE_PAIRS)]):
            a, b = place(rng, w, h, kind_a), place(rng, w, h, kind_b)
            arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, w, h)
            yield Case(slot, f"{w}x{h}-{kind_a}-{kind_b}", arguments)


def near(rng: np.random.Generator, other: Place, distance: int) -> Place:
    """Another block of that size, whose samples are within a distance of this one's."""
    placed = place(rng, other.w, other.h)
    placed.block[:] = np.clip(other.block + rng.integers(-distance, distance + 1, (other.h, other.w)), 0, 255)
    return placed


def _near_pairs(rng: np.random.Generator, slot: str, times: dict[int, int] | None = None) -> Iterator[Case]:
    """One case of each size and distance, or as many as `times` says for a number of samples."""
    for w, h in SIZES:
        for distance in _DISTANCES:
            for n in range((times or {}).get(w * h, 1)):
                a = place(rng, w, h)
                b = near(rng, a, distance)
                arguments = (a.samples, a.at, a.stride, b.samples, b.at, b.stride, w, h)
                yield Case(slot, f"{w}x{h}-within{distance}-{n}", arguments)


@cases_for("sad")
def _sad(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "sad", SIZES)
    yield from _near_pairs(rng, "sad")


@cases_for("satd")
def _satd(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "satd", SIZES)
    # One pair of tiles in 16 shows that its tiles are rounded together: sums modulo 4 are 2 in a quarter of all tiles.
    yield from _near_pairs(rng, "satd", {64: 3, 128: 24, 256: 12, 512: 6})


@cases_for("sse")
def _sse(rng: np.random.Generator) -> Iterator[Case]:
    yield from _pairs(rng, "sse", SIZES + _ODD_SIZES)
    yield from _near_pairs(rng, "sse")


@cases_for("variance")
def _variance(rng: np.random.Generator) -> Iterator[Case]:
    for n, (w, h) in enumerate(SIZES):
        for kind in ("random", "extremes", ("low", "high", "gradient")[n % 3]):
            a = place(rng, w, h, kind)
            yield Case("variance", f"{w}x{h}-{kind}", (a.samples, a.at, a.stride, w, h))
        flat = place(rng, w, h, "low")
        for distance in _DISTANCES:
            a = near(rng, flat, distance)
            yield Case("variance", f"{w}x{h}-within{distance}", (a.samples, a.at, a.stride, w, h))


@cases_for("residual")
def _residual(rng: np.random.Generator) -> Iterator[Case]:
    for case in _pairs(rng, "residual", SIZES):
        *blocks, w, h = case.arguments
        out = rng.integers(-1000, 1000, w * h + 40, dtype=np.int32)
        yield Case("residual", case.label, (*blocks, out, w, h), (6,))
