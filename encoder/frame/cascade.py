"""How far the quantizers of a mini-GOP's layers lie apart, by how much of its base can be seen again in the pictures around.

What stands still is seen in all pictures between two bases: bits spent on these pay many times. What moves fast, or changes,
is coded anew in each picture, and coarse leaves beside fine bases cost more than they save.
"""

from __future__ import annotations

from encoder.frame.motion_search import LumaPyramid, MotionSearch
from encoder.intmath import clip3
from encoder.kernels.load import KernelSet

FULL = 256
"""Steepness is in 1/256 of what choices.LAYER_Q and KEY_Q say."""
_LEAST, _AT_REST, _SLOPE = 102, 328, 28
# Of the searched vectors; a middling quantizer.
_Q_IDX = 120


class Cascade:
    """Measures pictures of one size."""

    def __init__(self, kernels: KernelSet, width: int, height: int):
        self._search = MotionSearch(kernels, width, height)

    def steepness(self, earlier: LumaPyramid, later: LumaPyramid) -> int:
        """How steep the cascade between two bases is to be, up to FULL: the less, the more differs where motion does not
        explain it.

        Fitted to four clips: with a mean absolute difference of 2.5 a sample the full cascade is best, with 7.5 less than half.
        """
        error = int(self._search.search(later, earlier, _Q_IDX).sad.mean(dtype=float))  # of 256 samples
        return clip3(_LEAST, FULL, _AT_REST - (error * _SLOPE >> 8))
