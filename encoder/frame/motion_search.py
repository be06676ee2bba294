"""Motion search between source pictures, the driver: pictures become pyramids, pairs of them fields of vectors.

A picture of the lookahead has one LumaPyramid; MotionSearch.search finds the Motion from one to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from encoder.compiled import compiled
from encoder.frame import motion
from encoder.frame.filter_levels import ac_q
from encoder.frame.motion import LEVELS, MAX_CANDIDATES, MotionView
from encoder.kernels.load import KernelSet
from encoder.kernels.table import Kernels
from encoder.picture import REF_BORDER, Picture

PRICE_NUMERATOR = 11
"""Price of a bit in 1/256 of an absolute difference, times ac_q: 0.34 * ac_q / 8."""
MAX_PREDICTORS = 4


class LumaPyramid:
    """A copy of a picture, edges and border extended, and behind it in the same flat array its luma at half and quarter size.

    picture   the copy, with a border of REF_BORDER
    samples   all of it
    origin, stride, width, height, border   int64 by level, as motion.MotionView has them: the luma of `picture`, then the rest
    """

    def __init__(self, kernels: Kernels, picture: Picture):
        self._kernels: Any = kernels  # its slots are attributes that it gets when it is made
        levels = np.arange(LEVELS)
        layout = Picture.allocate(picture.width, picture.height, REF_BORDER)
        self.width, self.height = layout.allocated_width >> levels, layout.allocated_height >> levels
        self.border = REF_BORDER >> levels
        self.stride = self.width + 2 * self.border
        sizes = self.stride * (self.height + 2 * self.border)
        sizes[0] = layout.samples.size
        self.origin = np.cumsum(sizes) - sizes + self.border * (self.stride + 1)
        self.samples = np.empty(int(sizes.sum()), np.uint8)
        self.picture = replace(layout, samples=self.samples[: sizes[0]])
        self._take(picture)

    def plane(self, level: int) -> np.ndarray:
        """A view of a level without its border, height x width."""
        origin, stride = int(self.origin[level]), int(self.stride[level])
        return np.ndarray(
            (int(self.height[level]), int(self.width[level])), np.uint8, self.samples.data, origin, (stride, 1)
        )

    def _take(self, picture: Picture) -> None:
        own = self.picture
        for plane in range(3):
            own.plane(plane)[:] = picture.plane(plane)
            chroma = 1 if plane else 0
            size = own.plane_width[plane], own.plane_height[plane]
            allocated = own.allocated_width >> chroma, own.allocated_height >> chroma
            self._extend(own.origin[plane], own.stride[plane], size, allocated, own.border)
        for level in range(1, LEVELS):
            above = level - 1
            size = int(self.width[level]), int(self.height[level])
            self._kernels.downscale(
                self.samples, self.origin[level], self.stride[level],
                self.samples, self.origin[above], self.stride[above], *size,
            )  # fmt: skip
            self._extend(int(self.origin[level]), int(self.stride[level]), size, size, int(self.border[level]))

    def _extend(self, origin: int, stride: int, size: tuple[int, int], allocated: tuple[int, int], border: int) -> None:
        """Repeat the edge of what is there, width x height, in the rest of the allocated area and in the border."""
        (width, height), (right, bottom) = size, (a - b + border for a, b in zip(allocated, size, strict=True))
        self._kernels.extend_edges(self.samples, origin, stride, width, height, border, right, border, bottom)


@dataclass(frozen=True)
class Motion:
    """Where the 16x16 luma blocks of a picture lie in another one; rows and cols of blocks cover the visible picture.

    mv         int16, rows * cols * 2: row and col in 1/8 luma samples, multiples of 8, block by block in raster order
    sad        int32, rows * cols: sum of absolute differences of the block at its vector
    zero_sad   int32, rows * cols: the same at the zero vector
    """

    rows: int
    cols: int
    mv: np.ndarray
    sad: np.ndarray
    zero_sad: np.ndarray

    def scaled(self, numerator: int, denominator: int) -> np.ndarray:
        """The vectors for another distance, as predictors of another search: mv * numerator / denominator, in whole samples."""
        product = self.mv.astype(np.int64) * numerator
        return np.clip((product + 4 * denominator) // (8 * denominator) * 8, -(1 << 14), 1 << 14).astype(np.int16)


@cache
def _entry(interpreted: bool) -> Callable[[Any, Any], Any]:
    return motion.search_motion if interpreted else compiled(motion, "search_motion")


class MotionSearch:
    """Searches pairs of pictures of one size. One search at a time: the scratch memory is its own."""

    def __init__(self, kernels: KernelSet, width: int, height: int):
        self._kernels = kernels.kernels
        self._search = _entry(kernels.interpreted)
        self.rows, self.cols = -(-height // 16), -(-width // 16)
        blocks = self.rows * self.cols
        areas = blocks + sum(-(-self.rows // side) * -(-self.cols // side) for side in (2, 4))
        self._scratch = {
            "coarse": np.zeros(2 * areas, np.int64),
            "candidates": np.zeros(2 * MAX_CANDIDATES, np.int64),
            "found": np.zeros(64, np.int64),
        }
        self._predictors = np.zeros(MAX_PREDICTORS * 2 * blocks, np.int16)

    def search(
        self,
        current: LumaPyramid,
        reference: LumaPyramid,
        base_q_idx: int,
        predictors: Sequence[np.ndarray] = (),
        into: Motion | None = None,
    ) -> Motion:
        """The motion from `current` to `reference`.

        base_q_idx   1..255: the coarser the quantizer, the smoother the field
        predictors   up to MAX_PREDICTORS fields like Motion.mv that may be near the truth: of another reference, scaled
        into         a result of this search, to be overwritten
        """
        found = into or self._new()
        for i, field in enumerate(predictors):
            self._predictors[i * field.size : (i + 1) * field.size] = field
        view = MotionView(
            current=current.samples, reference=reference.samples,
            origin=current.origin, stride=current.stride,
            width=current.width, height=current.height, border=current.border,
            rows16=self.rows, cols16=self.cols, price=PRICE_NUMERATOR * ac_q(base_q_idx),
            predictors=self._predictors, predictor_count=len(predictors),
            mv=found.mv, sad=found.sad, zero_sad=found.zero_sad, **self._scratch,
        )  # fmt: skip
        self._search(self._kernels, view)
        return found

    def _new(self) -> Motion:
        blocks = self.rows * self.cols
        arrays = (np.zeros(2 * blocks, np.int16), np.zeros(blocks, np.int32), np.zeros(blocks, np.int32))
        return Motion(self.rows, self.cols, *arrays)
