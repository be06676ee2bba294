"""Cases of the intra kernels: all sizes, fills, angles, strengths; guard samples around every block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import FILLS, SIZES, fill, place
from encoder.kernels.table import EDGE_AT, MAX_EDGE

EDGE_FILLS = {"low": (0, 0), "high": (255, 255), "above": (255, 0), "left": (0, 255)}
"""Extreme edges: the value of the row above and of the left column."""
ANGLES = [mode + delta for mode in (45, 67, 90, 113, 135, 157, 180, 203) for delta in range(-9, 10, 3)]
"""Mode_To_Angle + angle delta * ANGLE_STEP, all that there are."""


def _edges(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """An above row and a left column with one corner; entries beyond what a block reads are as good as guards."""
    if kind in EDGE_FILLS:
        above, left = (np.full(MAX_EDGE, value, np.uint8) for value in EDGE_FILLS[kind])
    else:
        above, left = fill(rng, kind, MAX_EDGE), fill(rng, kind, MAX_EDGE)
    left[EDGE_AT - 1] = above[EDGE_AT - 1]
    return above, left


def _arguments(rng: np.random.Generator, w: int, h: int, kind: str) -> tuple[Any, ...]:
    """The nine arguments that all predictors share: a destination with guards, a size, edges."""
    dst = place(rng, w, h)
    above, left = _edges(rng, kind)
    return dst.samples, dst.at, dst.stride, w, h, above, EDGE_AT, left, EDGE_AT


def _register_predictor(slot: str) -> None:
    """Register the cases of a predictor without parameters: every size, with four kinds of edges."""

    @cases_for(slot)
    def make(rng: np.random.Generator) -> Iterator[Case]:
        kinds = (*EDGE_FILLS, "gradient")
        for n, (w, h) in enumerate(SIZES):
            for kind in ("random", "extremes", kinds[n % len(kinds)], kinds[(n + 2) % len(kinds)]):
                yield Case(slot, f"{w}x{h}-{kind}", _arguments(rng, w, h, kind), (0,))


for _slot in ("predict_v", "predict_h", "predict_paeth", "predict_smooth", "predict_smooth_v", "predict_smooth_h"):
    _register_predictor(_slot)


@cases_for("predict_dc")
def _predict_dc(rng: np.random.Generator) -> Iterator[Case]:
    for n, (w, h) in enumerate(SIZES):
        for known in range(4):
            kind = ("random", "high", "above", "left", "low")[(n + known) % 5]
            arguments = _arguments(rng, w, h, kind)
            have_above, have_left = known & 1, known >> 1
            label = f"{w}x{h}-above{have_above}-left{have_left}-{kind}"
            yield Case("predict_dc", label, (*arguments, have_above, have_left), (0,))


def can_upsample(w: int, h: int, delta: int) -> bool:
    """Whether some block of this size has its edge upsampled (spec 7.11.2.10, filterType 0)."""
    return 0 < abs(delta) < 40 and w + h <= 16


@cases_for("predict_directional")
def _predict_directional(rng: np.random.Generator) -> Iterator[Case]:
    kinds = ("random", "extremes", "gradient", "random", "above", "random", "left", "high")
    small = [size for size in SIZES if sum(size) <= 16]
    for n, angle in enumerate(ANGLES):
        w, h = SIZES[n * 5 % len(SIZES)]
        yield _directional(rng, w, h, angle, 0, 0, kinds[n % len(kinds)])
        w, h = small[n % len(small)]
        upsample_above, upsample_left = can_upsample(w, h, angle - 90), can_upsample(w, h, angle - 180)
        if upsample_above or upsample_left:
            yield _directional(rng, w, h, angle, int(upsample_above), int(upsample_left), kinds[n // 2 % len(kinds)])


def _directional(
    rng: np.random.Generator, w: int, h: int, angle: int, upsample_above: int, upsample_left: int, kind: str
) -> Case:
    arguments = _arguments(rng, w, h, kind)
    above, left = arguments[5], arguments[7]
    # Upsampling moves the corner one entry down.
    above[EDGE_AT - 1 - upsample_above] = left[EDGE_AT - 1 - upsample_left]
    label = f"{w}x{h}-{angle}-up{upsample_above}{upsample_left}-{kind}"
    return Case("predict_directional", label, (*arguments, angle, upsample_above, upsample_left), (0,))


@cases_for("filter_edge")
def _filter_edge(rng: np.random.Generator) -> Iterator[Case]:
    for n, size in enumerate((5, 6, 9, 12, 13, 17, 24, 33, 49, 64, 65, 97, 128, 129)):
        for strength in (1, 2, 3):
            kind = FILLS[(n + strength) % len(FILLS)]
            arguments = (fill(rng, kind, MAX_EDGE), EDGE_AT, size, strength)
            yield Case("filter_edge", f"{size}-strength{strength}-{kind}", arguments, (0,))


@cases_for("upsample_edge")
def _upsample_edge(rng: np.random.Generator) -> Iterator[Case]:
    for count in (4, 8, 12, 16):
        for kind in FILLS:
            yield Case("upsample_edge", f"{count}-{kind}", (fill(rng, kind, MAX_EDGE), EDGE_AT, count), (0,))


_CFL_SIZES = [size for size in SIZES if max(size) <= 32]


@cases_for("cfl_ac")
def _cfl_ac(rng: np.random.Generator) -> Iterator[Case]:
    for w, h in _CFL_SIZES:
        fewer_columns, fewer_rows = int(rng.integers(2, w)), int(rng.integers(2, h))
        for visible_w, visible_h, kind in (
            (w, h, "random"),
            (w, h, "high"),
            (w, fewer_rows, "extremes"),
            (fewer_columns, h, "random"),
            (fewer_columns, fewer_rows, "gradient"),
            (1, 1, "random"),
        ):
            luma = place(rng, 2 * w, 2 * h, kind)
            # Not visible, so not to be read: what lies there must not change the result.
            luma.block[2 * visible_h :] = rng.integers(0, 256, dtype=np.uint8)
            luma.block[:, 2 * visible_w :] = rng.integers(0, 256, dtype=np.uint8)
            ac = rng.integers(-2048, 2048, w * h + 40, dtype=np.int16)
            arguments = (luma.samples, luma.at, luma.stride, ac, w, h, visible_w, visible_h)
            yield Case("cfl_ac", f"{w}x{h}-visible{visible_w}x{visible_h}-{kind}", arguments, (3,))


@cases_for("cfl_predict")
def _cfl_predict(rng: np.random.Generator) -> Iterator[Case]:
    for n, (w, h) in enumerate(_CFL_SIZES):
        for alpha, kind in (
            (-16, "high"),
            (16, "low"),
            (1 + n, "gradient"),
            (-1 - n, "random"),
            (0, "extremes"),
        ):
            dst = place(rng, w, h, kind)
            ac = rng.integers(-2040, 2041, w * h + 40).astype(np.int16)
            arguments = (dst.samples, dst.at, dst.stride, w, h, ac, alpha)
            yield Case("cfl_predict", f"{w}x{h}-alpha{alpha}-{kind}", arguments, (0,))
