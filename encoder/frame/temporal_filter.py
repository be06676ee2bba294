"""Temporal filter of base frames, the driver: a picture cleaned by its neighbours, to be coded in the place of the source.

What is new in every picture, noise above all, costs bits in a base frame and again in all frames that refer to it. The filter
replaces samples by weighted means along the motion, the weights falling with the error of the block and of the sample
(temporal_blocks). Errors count against a tolerance: the noise that smooth parts of the picture show, and what the quantizer
will destroy anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from encoder.compiled import compiled
from encoder.frame import temporal_blocks
from encoder.frame.crew import Crew
from encoder.frame.filter_levels import ac_q
from encoder.frame.motion_search import LumaPyramid, Motion, MotionSearch
from encoder.frame.temporal_blocks import OWN_WEIGHT, PREDICTION_SIZE, TemporalView
from encoder.kernels.load import KernelSet
from encoder.picture import Picture
from encoder.timeline import WAIT_FOR_ROWS

MAX_NEIGHBOURS = 6
"""On both sides together: weights are of 8 bits, sums of 16."""
NOISE_TOLERANCE = 16
"""Tolerance of the variance of the noise; two pictures of the same thing differ by 2."""
QUANTIZER_TOLERANCE = 4, 256
"""Tolerance of the squared quantizer step, a quotient."""
MAX_NOISE = 100 * 256
"""Of an estimate: beyond it lies no noise but a texture of single samples."""
LEAST_SMOOTH = 64
"""One sample of so many has to lie in smooth surroundings, else nothing is said about noise."""


class Source(Protocol):
    """A picture of the lookahead: `picture` has its edges and its border extended."""

    @property
    def display_index(self) -> int:
        """Its place in the order of display."""

    @property
    def picture(self) -> Picture:
        """All three planes."""

    @property
    def pyramid(self) -> LumaPyramid:
        """The luma in three sizes."""


class _PlainCode(NamedTuple):
    add_neighbour: Callable[..., Any]
    normalize: Callable[..., Any]


@cache
def _plain_code(interpreted: bool) -> _PlainCode:
    names = _PlainCode._fields
    return _PlainCode(*(getattr(temporal_blocks, n) if interpreted else compiled(temporal_blocks, n) for n in names))


class TemporalFilter:
    """Filters pictures of one size; its memory is used again from one to the next."""

    def __init__(self, kernels: KernelSet, width: int, height: int, crew: Crew):
        self._kernels: Any = kernels.kernels
        self._crew = crew
        self._code = _plain_code(kernels.interpreted)
        self._search = MotionSearch(kernels, width, height)
        self._motion: Motion | None = None
        self._layout = Picture.allocate(width, height)  # its samples are the weights: no border takes part
        self._sums = np.empty(self._layout.samples.size, np.uint16)

    def apply(self, centre: Source, neighbours: Sequence[Source], base_q_idx: int) -> Picture:
        """A new picture of the same layout: `centre`, cleaned, its edges extended into the allocated area.

        neighbours   at most MAX_NEIGHBOURS, in any order; the nearest three before and behind are a good choice
        base_q_idx   1..255, which the frame will be coded with
        """
        assert len(neighbours) <= MAX_NEIGHBOURS, "sums and weights would overflow"
        picture = centre.picture
        self._layout.samples.fill(OWN_WEIGHT)
        for plane in range(3):
            np.multiply(
                picture.allocated(plane), OWN_WEIGHT, out=self._layout.allocated(plane, self._sums), dtype=np.uint16
            )
        tolerance = np.array([self._tolerance(picture, plane, base_q_idx) for plane in range(3)])
        before = [s for s in neighbours if s.display_index < centre.display_index]
        behind = [s for s in neighbours if s.display_index > centre.display_index]
        for side in (before, behind):
            self._add_side(centre, side, base_q_idx, tolerance)
        filtered = Picture.allocate(picture.width, picture.height, picture.border)
        self._code.normalize(self._kernels, self._view(picture, picture, tolerance), filtered.samples)
        filtered.extend_edges()
        return filtered

    def noise_variance(self, picture: Picture, plane: int) -> int:
        """Variance of the noise of a plane in 1/256, estimated where it is smooth; 0 if that is nowhere.

        Of white noise with deviation s the mean magnitude of the Laplacian is 6 * s * sqrt(2 / pi) (Immerkaer, 1996).
        """
        width, height = picture.plane_width[plane] - 2, picture.plane_height[plane] - 2
        if width < 1 or height < 1:
            return 0
        stride = picture.stride[plane]
        found = self._kernels.noise_sum(picture.samples, picture.origin[plane] + stride + 1, stride, width, height)
        total, count = found >> 24, found & 0xFFFFFF
        if count * LEAST_SMOOTH < width * height:
            return 0
        mean_q4 = 16 * total // count
        return min(MAX_NOISE, mean_q4 * mean_q4 * 1117 // 25600)

    def _tolerance(self, picture: Picture, plane: int, base_q_idx: int) -> int:
        numerator, denominator = QUANTIZER_TOLERANCE
        step_squared = 4 * ac_q(base_q_idx) ** 2  # in 1/256: the step is ac_q / 8
        noise = NOISE_TOLERANCE * self.noise_variance(picture, plane)
        return max(1, noise + step_squared * numerator // denominator)

    def _add_side(self, centre: Source, side: list[Source], base_q_idx: int, tolerance: np.ndarray) -> None:
        """Add the neighbours on one side, the nearest first: its motion tells where to look in the next."""
        reached = 0
        for source in sorted(side, key=lambda s: abs(s.display_index - centre.display_index)):
            distance = abs(source.display_index - centre.display_index)
            predictors = [self._motion.scaled(distance, reached)] if self._motion and reached else []
            found = self._search.search(centre.pyramid, source.pyramid, base_q_idx, predictors, self._motion)
            self._motion, reached = found, distance
            self._add(centre.picture, source.picture, tolerance)

    def _add(self, picture: Picture, neighbour: Picture, tolerance: np.ndarray) -> None:
        """Add one neighbour, with all threads that have nothing else to do."""
        rows = self._search.rows
        parts = min(self._crew.parts, rows)

        def some(part: int) -> None:
            view = self._view(picture, neighbour, tolerance)  # its scratch is of this part alone
            self._code.add_neighbour(self._kernels, view, rows * part // parts, rows * (part + 1) // parts)

        self._crew.share(WAIT_FOR_ROWS, some, parts)

    def _view(self, picture: Picture, neighbour: Picture, tolerance: np.ndarray) -> TemporalView:
        mv = self._motion.mv if self._motion else np.empty(0, np.int16)
        return TemporalView(
            samples=picture.samples, neighbour=neighbour.samples,
            origin=np.array(picture.origin), stride=np.array(picture.stride),
            width=picture.allocated_width, height=picture.allocated_height, border=picture.border,
            rows16=self._search.rows, cols16=self._search.cols, mv=mv, tolerance=tolerance,
            sums=self._sums, weights=self._layout.samples, sums_origin=np.array(self._layout.origin),
            sums_stride=np.array(self._layout.stride),
            prediction=np.empty(PREDICTION_SIZE, np.uint8), errors=np.empty(4, np.int64),
        )  # fmt: skip
