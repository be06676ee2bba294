"""Clips made by integer arithmetic alone: the same bytes on every machine, from a recipe of a few numbers.

    arithmetic.py   integer hash, noise, sine
    font.py         the letters of the screen clips
    pictures.py     still pictures, and the camera and brush that move them
    kinds.py        the fourteen kinds, one function each

`y4m_chunks` gives a clip's file piece by piece. The bytes belong to GENERATOR_VERSION: whoever changes them raises it,
and writes the new sha256 into corpus/corpus.toml (`workbench corpus make` prints what it found when they differ).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from workbench.corpus import y4m
from workbench.corpus.generator.arithmetic import IntArray
from workbench.corpus.generator.kinds import KINDS, Kind, Scene

__all__ = ["GENERATOR_VERSION", "KINDS", "Kind", "Recipe", "Scene", "render", "y4m_chunks"]

GENERATOR_VERSION = 1
FORMAT = "420p8"


@dataclass(frozen=True)
class Recipe:
    """All that decides a generated clip's bytes.

    kind           a name in KINDS
    width, height  luma samples
    frames         how many are written, from the frame `first` of a story that lasts `timeline` frames
    """

    kind: str
    width: int
    height: int
    frames: int
    fps: Fraction
    seed: int
    first: int
    timeline: int


def render(recipe: Recipe) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """The recipe's frames in order: Y (height, width), Cb and Cr (half of it, rounded up), all uint8."""
    scene = Scene(recipe.width, recipe.height, recipe.timeline, recipe.seed)
    draw = KINDS[recipe.kind]
    for t in range(recipe.first, recipe.first + recipe.frames):
        luma, cb, cr = draw(scene, t)
        yield luma.astype(np.uint8), _halved(cb), _halved(cr)


def _halved(plane: IntArray) -> IntArray:
    """The mean of each 2x2 samples, uint8, rounded; an odd last row or column counts twice."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.int32)
    return (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2] + 2 >> 2).astype(np.uint8)


def y4m_chunks(recipe: Recipe) -> Iterator[bytes]:
    """The clip as a Y4M file of 8-bit 4:2:0: its header, then one chunk a frame."""
    yield y4m.header(recipe.width, recipe.height, recipe.fps)
    for planes in render(recipe):
        yield y4m.FRAME + b"".join(plane.tobytes() for plane in planes)
