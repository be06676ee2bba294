"""Cases of the loop restoration kernels: all sets and extreme coefficients, blocks of even and odd sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import FILLS, Place, place
from encoder.tables import table

SIZES = [(64, 64), (16, 12), (33, 7), (1, 1), (2, 5), (9, 28)]
BORDER = 3
TAPS_MIN, TAPS_MAX = table("wiener_taps_min"), table("wiener_taps_max")
XQD_MIN, XQD_MAX = table("sgrproj_xqd_min"), table("sgrproj_xqd_max")


def _padded(rng: np.random.Generator, w: int, h: int, kind: str) -> tuple[np.ndarray, int, int]:
    """A block with its border: array, index of the block's first sample, stride."""
    area = place(rng, w + 2 * BORDER, h + 2 * BORDER, kind)
    return area.samples, area.at + BORDER * (area.stride + 1), area.stride


def _source(rng: np.random.Generator, padded: tuple[np.ndarray, int, int], w: int, h: int, kind: str) -> Place:
    """The block with noise, or anything where the block is an extreme one."""
    source = place(rng, w, h, kind)
    if kind not in ("low", "high", "extremes"):
        samples, at, stride = padded
        block = np.lib.stride_tricks.as_strided(samples[at:], (h, w), (stride, 1))
        source.block[:] = (block + rng.integers(-6, 7, (h, w))).clip(0, 255)
    return source


def _taps(rng: np.random.Generator, number: int) -> tuple[np.ndarray, int]:
    """Coefficients for both directions: the lowest, the highest, none, or any; and where they begin."""
    at = int(rng.integers(8))
    taps = rng.integers(-20, 20, at + 10).astype(np.int8)
    taps[at : at + 6] = rng.integers(np.tile(TAPS_MIN, 2), np.tile(TAPS_MAX, 2) + 1)
    if number % 4 < 3:
        taps[at : at + 6] = (np.tile(TAPS_MIN, 2), np.tile(TAPS_MAX, 2), np.zeros(6))[number % 4]
    return taps, at


def _kinds() -> Iterator[tuple[int, int, str]]:
    """Every fill at one size; at the largest one a single fill, for the reference takes its time."""
    for w, h in SIZES:
        for kind in ("random",) if w == 64 else FILLS if w == 16 else ("random", "extremes"):
            yield w, h, kind


@cases_for("wiener_filter")
def _wiener_filter(rng: np.random.Generator) -> Iterator[Case]:
    for w, h, kind in _kinds():
        for number in (3,) if w == 64 else range(4):
            dst = place(rng, w, h)
            padded, taps = _padded(rng, w, h, kind), _taps(rng, number)
            arguments = (dst.samples, dst.at, dst.stride, *padded, w, h, *taps)
            yield Case("wiener_filter", f"{w}x{h}-{kind}-taps{number}", arguments, (0,))


@cases_for("wiener_statistics")
def _wiener_statistics(rng: np.random.Generator) -> Iterator[Case]:
    for w, h, kind in _kinds():
        for number in (3,) if w == 64 else range(4):
            padded, taps = _padded(rng, w, h, kind), _taps(rng, number)
            source = _source(rng, padded, w, h, kind)
            for vertical in range(2):
                sums, sums_at = rng.integers(0, 1 << 40, 15), int(rng.integers(6))
                arguments = (*padded, source.samples, source.at, source.stride, w, h, *taps, vertical, sums, sums_at)
                label = f"{w}x{h}-{kind}-taps{number}-{'vertical' if vertical else 'horizontal'}"
                yield Case("wiener_statistics", label, arguments, (11,))


def _guard(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 4081, count + 5).astype(np.int16)


@cases_for("box_filter")
def _box_filter(rng: np.random.Generator) -> Iterator[Case]:
    for n, (w, h, kind) in enumerate(_kinds()):
        for sgr_set in (4,) if w == 64 else range(16) if n == 1 else (n % 10, 12, 14):
            for pass_number in range(2):
                padded = _padded(rng, w, h, kind)
                label = f"{w}x{h}-{kind}-set{sgr_set}-pass{pass_number}"
                yield Case("box_filter", label, (*padded, w, h, sgr_set, pass_number, _guard(rng, w * h)), (7,))


@cases_for("self_guided_mix")
def _self_guided_mix(rng: np.random.Generator) -> Iterator[Case]:
    weights = [tuple(XQD_MIN.tolist()), tuple(XQD_MAX.tolist()), (0, 95), (-32, 31)]
    for w, h, kind in _kinds():
        for xqd in weights:
            dst, padded = place(rng, w, h), _padded(rng, w, h, kind)
            arguments = (dst.samples, dst.at, dst.stride, *padded, w, h, _guard(rng, w * h), _guard(rng, w * h), *xqd)
            yield Case("self_guided_mix", f"{w}x{h}-{kind}-xqd{xqd[0]},{xqd[1]}", arguments, (0,))


@cases_for("self_guided_statistics")
def _self_guided_statistics(rng: np.random.Generator) -> Iterator[Case]:
    for w, h, kind in _kinds():
        padded = _padded(rng, w, h, kind)
        source = _source(rng, padded, w, h, kind)
        sums, sums_at = rng.integers(0, 1 << 40, 9), int(rng.integers(4))
        blocks = (*padded, source.samples, source.at, source.stride)
        arguments = (*blocks, w, h, _guard(rng, w * h), _guard(rng, w * h), sums, sums_at)
        yield Case("self_guided_statistics", f"{w}x{h}-{kind}", arguments, (10,))
