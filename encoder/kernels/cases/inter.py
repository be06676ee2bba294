"""Cases of inter prediction: all sizes, directions and filters; pictures that drive the filters as far as they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import SIZES, fill, place
from encoder.tables import table

BEFORE, BEHIND = 3, 4
"""Samples around the block that a filter reads."""
PREDICTION_SIZES = [(2, 2), (2, 4), (4, 2), (8, 2), (2, 16), *SIZES, (4, 64), (64, 4)]
"""w, h: what is 2 wide or high is chroma."""
LOWEST_PREP, HIGHEST_PREP = -5132, 9212
SUBPEL_FILTERS = table("subpel_filters")
_FRACS = ((0, 0), (5, 0), (0, 11), (8, 8))
"""frac_x, frac_y: no filter, one direction, the other one, both."""
_CONTENTS = ("random", "extremes", "gradient", "low", "high")


def extreme_picture(w: int, h: int, taps_x: np.ndarray, taps_y: np.ndarray, sign: int) -> np.ndarray:
    """A block and its margins, samples 0 and 255: in rows and columns that are multiples of 8 two filters give the highest
    value there is (sign 1) or the lowest one (sign -1)."""
    y, x = np.indices((h + BEFORE + BEHIND, w + BEFORE + BEHIND)) % 8
    return np.where(sign * taps_x[x] * taps_y[y] > 0, 255, 0).astype(np.uint8)


def _content(rng: np.random.Generator, kind: str, w: int, h: int, filters: tuple[int, int, int, int]) -> np.ndarray:
    """A block with all margins, uint8."""
    filter_x, filter_y, frac_x, frac_y = filters
    if kind in ("highest", "lowest"):
        taps = SUBPEL_FILTERS[filter_x, frac_x], SUBPEL_FILTERS[filter_y, frac_y]
        return extreme_picture(w, h, *taps, 1 if kind == "highest" else -1)
    wide, high = w + BEFORE + BEHIND, h + BEFORE + BEHIND
    return fill(rng, kind, wide * high).reshape(high, wide)


def _reference(
    rng: np.random.Generator, kind: str, w: int, h: int, filters: tuple[int, int, int, int]
) -> tuple[np.ndarray, int, int]:
    """A block in a picture with no more margin than it may read: samples, index, stride."""
    left, right = (BEFORE, BEHIND) if filters[2] else (0, 0)
    above, below = (BEFORE, BEHIND) if filters[3] else (0, 0)
    placed = place(rng, left + w + right, above + h + below)
    content = _content(rng, kind, w, h, filters)
    placed.block[:] = content[BEFORE - above : BEFORE + h + below, BEFORE - left : BEFORE + w + right]
    return placed.samples, placed.at + above * placed.stride + left, placed.stride


def _predictions(rng: np.random.Generator) -> Iterator[tuple[str, int, int, tuple[Any, ...]]]:
    """Label, w, h, and the arguments from `ref` on."""
    for n, (w, h) in enumerate(PREDICTION_SIZES):
        for k, (frac_x, frac_y) in enumerate(_FRACS):
            filters = ((n + k) % 6, (n + 2 * k + 1) % 6, frac_x, frac_y)
            yield _prediction(rng, _CONTENTS[(n + k) % len(_CONTENTS)], w, h, filters)
    for filter_row in range(6):
        for frac in range(1, 16):
            w, h = ((8, 8), (4, 8), (8, 4))[frac % 3]
            filters = (filter_row, (filter_row + frac) % 6, frac, (frac * 7 + filter_row) % 16)
            yield _prediction(rng, ("random", "highest", "lowest")[(frac // 3 + filter_row) % 3], w, h, filters)
    for kind in ("highest", "lowest"):
        for w, h in ((4, 4), (16, 16)):
            yield _prediction(rng, kind, w, h, (2, 2, 8, 8))


def _prediction(
    rng: np.random.Generator, kind: str, w: int, h: int, filters: tuple[int, int, int, int]
) -> tuple[str, int, int, tuple[Any, ...]]:
    label = f"{w}x{h}-filter{filters[0]}{filters[1]}-frac{filters[2]},{filters[3]}-{kind}"
    return label, w, h, (*_reference(rng, kind, w, h, filters), w, h, *filters)


@cases_for("mc_put")
def _mc_put(rng: np.random.Generator) -> Iterator[Case]:
    for label, w, h, arguments in _predictions(rng):
        dst = place(rng, w, h)
        yield Case("mc_put", label, (dst.samples, dst.at, dst.stride, *arguments), (0,))


@cases_for("mc_prep")
def _mc_prep(rng: np.random.Generator) -> Iterator[Case]:
    for label, w, h, arguments in _predictions(rng):
        out = rng.integers(-10000, 10000, w * h + 40, dtype=np.int16)
        yield Case("mc_prep", label, (out, *arguments), (0,))


@cases_for("average")
def _average(rng: np.random.Generator) -> Iterator[Case]:
    values = {
        "random": lambda count: rng.integers(LOWEST_PREP, HIGHEST_PREP + 1, count, dtype=np.int16),
        "samples": lambda count: (16 * rng.integers(0, 256, count)).astype(np.int16),
        "highest": lambda count: np.full(count, HIGHEST_PREP, np.int16),
        "lowest": lambda count: np.full(count, LOWEST_PREP, np.int16),
    }
    for n, (w, h) in enumerate(PREDICTION_SIZES):
        for kind in ("random", "samples", ("highest", "lowest")[n % 2]):
            dst = place(rng, w, h)
            a, b = values[kind](w * h), values[kind](w * h)
            yield Case("average", f"{w}x{h}-{kind}", (dst.samples, dst.at, dst.stride, a, b, w, h), (0,))


@cases_for("extend_edges")
def _extend_edges(rng: np.random.Generator) -> Iterator[Case]:
    areas = [(1, 1), (8, 8), (40, 24), (33, 17), (5, 50)]
    borders = [(1, 1, 1, 1), (80, 80, 80, 80), (0, 0, 0, 0), (7, 0, 0, 9), (0, 13, 4, 0), (16, 23, 16, 21)]
    for w, h in areas:
        for left, right, top, bottom in borders:
            whole = place(rng, left + w + right, top + h + bottom)
            at = whole.at + top * whole.stride + left
            label = f"{w}x{h}-left{left}-right{right}-top{top}-bottom{bottom}"
            arguments = (whole.samples, at, whole.stride, w, h, left, right, top, bottom)
            yield Case("extend_edges", label, arguments, (0,))
