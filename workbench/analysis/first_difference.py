"""Where two encodes begin to differ: the first frame and block of their pictures, or the first byte where those are equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

SUPERBLOCK, BLOCK = 64, 8  # luma samples a side
PLANES = ("Y", "U", "V")
Planes = Sequence[np.ndarray]
"""The samples of a picture, rows by columns; chroma may have half of either."""


@dataclass(frozen=True)
class Place:
    """The first block of a picture that differs; positions in luma samples, (x, y).

    superblock   the first of 64x64, in the order in which they are coded in one tile
    block        in it, the first of 8x8, row by row
    planes       those that differ in the block
    samples      how many differ in the whole picture, all planes
    """

    superblock: tuple[int, int]
    block: tuple[int, int]
    planes: tuple[str, ...]
    samples: int

    def __str__(self) -> str:
        (x, y), (left, top) = self.block, self.superblock
        return f"block {BLOCK}x{BLOCK} at x {x}, y {y} ({'+'.join(self.planes)}) of superblock x {left}, y {top}"


@dataclass(frozen=True)
class Difference:
    """How the pictures of B differ from those of A.

    frame       display number of the first one that differs in the order of coding: where the difference arose
    coded       its number in that order; None where the order is not known, and `frame` is the first one shown
    shown       display number of the first one that differs as they are shown
    place       where in `frame`
    frames      how many differ
    """

    frame: int
    coded: int | None
    shown: int
    place: Place
    frames: int

    def __str__(self) -> str:
        text = f"frame {self.frame}"
        if self.coded not in (None, self.frame):
            text += f" (number {self.coded} in the order of coding)"
        if self.shown != self.frame:
            text += f", shown first in frame {self.shown}"
        return f"{text}, {self.place}"


def first_place(ours: Planes, theirs: Planes) -> Place | None:
    """The first block that differs between two pictures of one size, or None."""
    unequal = [a != b for a, b in zip(ours, theirs, strict=True)]
    if not any(plane.any() for plane in unequal):
        return None
    height, width = ours[0].shape
    blocks = [_by_block(plane, width, height) for plane in unequal]
    rows, columns = np.any(blocks, axis=0).nonzero()
    step = SUPERBLOCK // BLOCK
    y, x = min(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda at: (at[0] // step, at[1] // step, *at))
    return Place(
        superblock=(x // step * SUPERBLOCK, y // step * SUPERBLOCK),
        block=(x * BLOCK, y * BLOCK),
        planes=tuple(name for name, plane in zip(PLANES, blocks, strict=False) if plane[y, x]),
        samples=int(sum(plane.sum() for plane in unequal)),
    )


def _by_block(unequal: np.ndarray, width: int, height: int) -> np.ndarray:
    """Whether anything differs in each 8x8 block of luma, for a plane of a picture of width x height."""
    columns, rows = -(-width // BLOCK), -(-height // BLOCK)
    found = np.zeros((rows, columns), bool)
    y, x = unequal.nonzero()
    across, down = (
        BLOCK >> int(plane < whole) for plane, whole in zip(unequal.shape[::-1], (width, height), strict=True)
    )
    found[y // down, x // across] = True
    return found


def first_difference(
    ours: Iterable[Planes], theirs: Iterable[Planes], coding_order: Sequence[int] | None = None
) -> Difference | None:
    """Compare pictures in the order in which they are shown; None where all are equal. `coding_order`: their display numbers in the
    order of coding. A picture that only one side has, or that has another size, raises ValueError that says so."""
    places: dict[int, Place] = {}
    for number, (a, b) in enumerate(zip_longest(ours, theirs)):
        if a is None or b is None:
            raise ValueError(f"only {'B' if a is None else 'A'} has a frame {number}")
        if a[0].shape != b[0].shape:
            sizes = [f"{w}x{h}" for h, w in (a[0].shape, b[0].shape)]
            raise ValueError(f"frame {number} is {sizes[0]} in A and {sizes[1]} in B")
        if (place := first_place(a, b)) is not None:
            places[number] = place
    if not places:
        return None
    shown = min(places)
    coded = next((n for n, number in enumerate(coding_order or ()) if number in places), None)
    frame = shown if coded is None or coding_order is None else coding_order[coded]
    return Difference(frame, coded, shown, places[frame], len(places))


def first_byte(ours: Sequence[bytes], theirs: Sequence[bytes]) -> tuple[int, int] | None:
    """The first packet that differs and the first byte in it that does; None where all are equal."""
    for number, (a, b) in enumerate(zip_longest(ours, theirs, fillvalue=b"")):
        if a != b:
            return number, next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return None
