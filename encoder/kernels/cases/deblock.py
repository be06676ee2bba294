"""Cases of the deblocking kernel: edges in both directions, of all filter sizes, from flat to rough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import place

REACH = 8
"""Samples on each side of the edge; the longest filter reads 7."""
FILTERS = ((4, 0), (8, 0), (16, 0), (4, 1), (8, 1))
"""filter_size, plane."""
NOISE = {"flat": (0, 1), "soft": (1, 4), "rough": (8, 120), "mixed": (0, 1, 1, 3, 6, 30)}
"""How far the samples of one side may lie apart; each line across the edge draws one of these."""
STEPS = {"flat": 12, "soft": 24, "rough": 60, "mixed": 40}
"""The largest difference between the two sides."""


def _across_edge(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """`count` lines across an edge, each of REACH samples before and behind it, uint8."""
    noise = rng.choice(NOISE[kind], (count, 1))
    level = rng.choice([0, 3, 60, 128, 200, 252, 255], (count, 1))
    step = rng.integers(-STEPS[kind], STEPS[kind] + 1, (count, 1)) * (np.arange(2 * REACH) >= REACH)
    return (level + step + rng.integers(0, noise + 1, (count, 2 * REACH))).clip(0, 255).astype(np.uint8)


@cases_for("deblock_edge")
def _deblock_edge(rng: np.random.Generator) -> Iterator[Case]:
    for filter_size, plane in FILTERS:
        for n, (count, kind) in enumerate((count, kind) for count in (4, 16, 64) for kind in NOISE):
            level, sharpness = (32, 6, 63, 1, 20)[n % 5], (0, 0, 3, 7)[(n + n // 4) % 4]
            lines = _across_edge(rng, kind, count)
            label = f"{filter_size}-plane{plane}-{count}-{kind}-level{level}-sharpness{sharpness}"
            vertical = place(rng, 2 * REACH, count)
            vertical.block[:] = lines
            settings = (count, filter_size, level, sharpness, plane)
            arguments = (vertical.samples, vertical.at + REACH, 1, vertical.stride, *settings)
            yield Case("deblock_edge", f"vertical-{label}", arguments, (0,))
            horizontal = place(rng, count, 2 * REACH)
            horizontal.block[:] = lines.T
            arguments = (horizontal.samples, horizontal.at + REACH * horizontal.stride, horizontal.stride, 1, *settings)
            yield Case("deblock_edge", f"horizontal-{label}", arguments, (0,))
