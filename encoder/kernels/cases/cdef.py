"""Cases of the CDEF kernels: all directions and strengths, blocks in the middle and at each side of the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder.kernels.cases import Case, cases_for
from encoder.kernels.cases.fills import FILLS, place
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.tables import table

DIRECTIONS = table("cdef_directions")
BORDER = 3
"""Samples around the block that cdef_filter may read."""
OUTSIDE = {
    "none": (),
    "top": ("top",),
    "left": ("left",),
    "corner": ("bottom", "right"),
    "all": ("top", "bottom", "left", "right"),
}
"""Which sides of the block lie outside the picture."""


def _stripes(rng: np.random.Generator, direction: int, side: int) -> np.ndarray:
    """A noisy triangle wave whose crests run along a direction of the specification, side x side, uint8."""
    dy, dx = DIRECTIONS[direction, 1]
    y, x = np.indices((side, side))
    period = int(rng.integers(9, 24))
    wave = abs((y * dx - x * dy + int(rng.integers(period))) % period * 2 - period)
    noise = rng.integers(-12, 13, (side, side))
    return (int(rng.integers(160)) + wave * int(rng.integers(1, 12)) + noise).clip(0, 255).astype(np.uint8)


@cases_for("cdef_direction")
def _cdef_direction(rng: np.random.Generator) -> Iterator[Case]:
    for kind in FILLS:
        block = place(rng, 8, 8, kind)
        yield Case("cdef_direction", kind, (block.samples, block.at, block.stride))
    for direction in range(8):
        block = place(rng, 8, 8)
        block.block[:] = _stripes(rng, direction, 8)
        yield Case("cdef_direction", f"stripes{direction}", (block.samples, block.at, block.stride))


def _padded(rng: np.random.Generator, content: np.ndarray, outside: tuple[str, ...]) -> tuple[np.ndarray, int, int]:
    """The block with its border in a guarded array of uint16, marked where outside: array, index, stride."""
    side = content.shape[0]
    frame = place(rng, side, side)
    padded = frame.samples.astype(np.uint16)
    framed = padded[frame.at :][: side * frame.stride].reshape(side, frame.stride)[:, :side]
    framed[:] = content
    for name, rows in (("top", slice(0, BORDER)), ("bottom", slice(-BORDER, None))):
        if name in outside:
            framed[rows] = CDEF_UNAVAILABLE
    for name, columns in (("left", slice(0, BORDER)), ("right", slice(-BORDER, None))):
        if name in outside:
            framed[:, columns] = CDEF_UNAVAILABLE
    return padded, frame.at + BORDER * (frame.stride + 1), frame.stride


@cases_for("cdef_filter")
def _cdef_filter(rng: np.random.Generator) -> Iterator[Case]:
    strengths = [(5, 2), (0, 1), (15, 4), (1, 0), (2, 4), (12, 2), (0, 0), (8, 1)]
    sides = list(OUTSIDE)
    for size in (8, 4):
        for direction in range(8):
            for n, (pri_strength, sec_strength) in enumerate(strengths):
                damping = 2 + (direction + n) % 5
                outside = sides[(direction + n) % len(sides)]
                content = _stripes(rng, direction, size + 2 * BORDER)
                if n % 4 == 3:
                    content = rng.choice(np.array([0, 255, 128, 130], np.uint8), content.shape)
                padded, padded_at, padded_stride = _padded(rng, content, OUTSIDE[outside])
                dst = place(rng, size, size)
                arguments = (dst.samples, dst.at, dst.stride, padded, padded_at, padded_stride, size, size)
                strength = f"pri{pri_strength}-sec{sec_strength}-damping{damping}"
                label = f"{size}x{size}-{strength}-direction{direction}-outside-{outside}"
                yield Case("cdef_filter", label, (*arguments, pri_strength, sec_strength, damping, direction), (0,))
