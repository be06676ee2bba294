"""The frame filters on whole frames."""

from typing import Any

import numpy as np

from encoder.frame.filters import FilterView, superblock_rows


def deblock_frame(functions: Any, kernels: Any, f: FilterView) -> None:
    """Both passes of `functions`: the module filters, or its compiled functions."""
    for number in range(2):
        functions.deblock_rows(kernels, f, number, 0, superblock_rows(f))


def cdef_frame(functions: Any, kernels: Any, f: FilterView, source: np.ndarray) -> None:
    """CDEF; `source` is a copy of the deblocked samples."""
    functions.cdef_rows(kernels, f, source, 0, superblock_rows(f))
