"""What the seeded cases of all families are made of: sizes, fills, blocks with guard samples around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SIDES = (4, 8, 16, 32, 64)
SIZES = [(w, h) for w in _SIDES for h in _SIDES if w in (h, h // 2, 2 * h)]
"""w, h: the squares and the 2:1 rectangles."""
FILLS = ("low", "high", "random", "gradient", "extremes")


def fill(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """`count` samples, uint8: all 0 (low), all 255 (high), any (random), from one value evenly
    to another (gradient), 0 or 255 (extremes)."""
    if kind == "low":
        return np.zeros(count, np.uint8)
    if kind == "high":
        return np.full(count, 255, np.uint8)
    if kind == "random":
        return rng.integers(0, 256, count, dtype=np.uint8)
    if kind == "gradient":
        first, last = rng.integers(0, 256, 2)
        return (first + (last - first) * np.arange(count) // count).astype(np.uint8)
    if kind == "extremes":
        return rng.choice(np.array([0, 255], np.uint8), count)
    raise ValueError(f"no fill {kind!r}; fills are: {', '.join(FILLS)}")


@dataclass(frozen=True)
class Place:
    """A block in a flat array of random guard samples."""

    samples: np.ndarray
    at: int
    stride: int
    w: int
    h: int

    @property
    def block(self) -> np.ndarray:
        """The block as a writable h x w view."""
        return self.samples[self.at : self.at + self.stride * self.h].reshape(self.h, self.stride)[:, : self.w]


def place(rng: np.random.Generator, w: int, h: int, kind: str = "random", least_guard: int = 1) -> Place:
    """A w x h block of a kind, its stride, its place and its guards drawn at random.

    least_guard   samples around the block on each side, at least
    """
    stride = w + 2 * least_guard + int(rng.integers(40))
    before = least_guard * (stride + 1) + int(rng.integers(64))
    samples = rng.integers(0, 256, before + (h + least_guard) * stride + int(rng.integers(64)), dtype=np.uint8)
    placed = Place(samples, before, stride, w, h)
    placed.block[:] = fill(rng, kind, w * h).reshape(h, w)
    return placed
