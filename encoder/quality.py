"""How far a reconstruction is from its source: squared error and PSNR per plane, averaged in both usual ways."""

import math
from collections.abc import Sequence

import numpy as np

from encoder.picture import Picture

_PEAK = 255
_ROWS_AT_ONCE = 64  # bounds the temporary arrays, which would count as the encoder's memory


def mse(source: Picture, reconstruction: Picture) -> list[float]:
    """Mean squared error of the visible samples, per plane. Both pictures have the same size."""
    return [_plane_mse(source.plane(p), reconstruction.plane(p)) for p in range(3)]


def psnr(mean_squared_error: float) -> float | None:
    """Peak signal-to-noise ratio in dB; None where the planes are identical and it is infinite."""
    return 10 * math.log10(_PEAK**2 / mean_squared_error) if mean_squared_error > 0 else None


def psnr_of_mean_mse(frames: Sequence[Sequence[float]]) -> list[float | None]:
    """Per plane, the PSNR of the mean of the frames' errors, in dB: what FFmpeg calls average and AWCY apsnr.

    frames   per frame, the mean squared error of each plane
    """
    return [psnr(math.fsum(errors) / len(errors)) for errors in zip(*frames, strict=True)]


def mean_psnr(frames: Sequence[Sequence[float]]) -> list[float | None]:
    """Per plane, the mean of the frames' PSNR in dB: what VMAF and AWCY call psnr. None where a frame is identical."""
    return [_mean([psnr(error) for error in errors]) for errors in zip(*frames, strict=True)]


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return math.fsum(finite) / len(finite) if len(finite) == len(values) else None


def _plane_mse(a: np.ndarray, b: np.ndarray) -> float:
    total = 0
    for row in range(0, a.shape[0], _ROWS_AT_ONCE):
        rows = slice(row, row + _ROWS_AT_ONCE)
        difference = np.subtract(a[rows], b[rows], dtype=np.int32)
        total += int(np.einsum("ij,ij->", difference, difference, dtype=np.int64))
    return total / a.size
