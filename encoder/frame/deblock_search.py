"""Choice of the deblocking levels by trial: from the quantizer's, step by step to where the least error is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from encoder.frame.filter_levels import MAX_LOOP_FILTER
from encoder.frame.filters import FilterView
from encoder.intmath import clip3

STEPS = (8, 3)
"""How far it goes at a time, coarse to fine. Five to eight levels a plane are tried."""


def search_loop_filter_levels(
    deblock_plane: Callable[..., Any],
    squared_error: Callable[..., Any],
    kernels: Any,
    f: Any,
    source: np.ndarray,
    scratch: np.ndarray,
    planes: Iterable[int] = (0, 1, 2),
) -> tuple[int, int, int, int]:
    """loop_filter_level: one level for both luma directions, U, V.

    deblock_plane,    the functions of filters, as they stand or compiled
    squared_error
    f                 a FilterView: its samples are the reconstruction, not yet filtered, its levels where to begin
    source            samples of the picture to come close to, laid out like f.samples
    scratch           as many samples, to be written over
    planes            which ones to search; the others keep their level
    """
    levels = f.loop_filter_level.tolist()
    fields = {name: getattr(f, name) for name in f.FIELDS} | {"samples": scratch}
    for plane in planes:

        def error(level: int, plane: int = plane) -> int:
            np.copyto(scratch, f.samples)
            trial = FilterView(**fields | {"loop_filter_level": np.full(4, level)})
            deblock_plane(kernels, trial, plane)
            return int(squared_error(kernels, trial, source, plane))

        found = _descend(error, levels[plane + 1 if plane else 0])
        if plane:
            levels[plane + 1] = found
        else:
            levels[:2] = found, found
    # Without luma there is no deblocking of chroma either.
    return (levels[0], levels[1], levels[2], levels[3]) if levels[0] else (0, 0, 0, 0)


def _descend(error: Callable[[int], int], start: int) -> int:
    """The level at the end of the way down from `start`; each is tried once."""
    errors = {start: error(start)}
    best = start
    for step in STEPS:
        for direction in (step, -step):
            while (level := clip3(0, MAX_LOOP_FILTER, best + direction)) != best:
                if level not in errors:
                    errors[level] = error(level)
                if errors[level] >= errors[best]:
                    break
                best = level
    return best
