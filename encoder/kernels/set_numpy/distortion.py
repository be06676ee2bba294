"""Distortion figures and the residual as whole-array expressions. Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numpy.views import wide_block

_H2 = np.array([[1, 1], [1, -1]], np.int32)
HADAMARD = {4: np.kron(_H2, _H2), 8: np.kron(_H2, np.kron(_H2, _H2))}
"""Hadamard matrices in natural order; the order does not matter to a sum of magnitudes."""


def sad(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of absolute differences."""
    return int(abs(_difference(a, a_at, a_stride, b, b_at, b_stride, w, h)).sum())


def satd(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of absolute Hadamard-transformed differences, all tiles at once."""
    side = 4 if 4 in (w, h) else 8
    difference = _difference(a, a_at, a_stride, b, b_at, b_stride, w, h)
    tiles = difference.reshape(h // side, side, w // side, side).swapaxes(1, 2)
    magnitudes = abs(HADAMARD[side] @ tiles @ HADAMARD[side]).sum(axis=(2, 3))
    shift = side // 4
    return int(((magnitudes + (1 << shift >> 1)) >> shift).sum())


def sse(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Sum of squared differences."""
    return int((_difference(a, a_at, a_stride, b, b_at, b_stride, w, h) ** 2).sum())


def variance(a, a_at, a_stride, w, h):
    """Sum of squared deviations from the mean."""
    samples = wide_block(a, a_at, a_stride, w, h)
    return int((samples * samples).sum()) - int(samples.sum()) ** 2 // (w * h)


def residual(a, a_at, a_stride, b, b_at, b_stride, out, w, h):
    """Differences of two blocks."""
    out[: w * h] = _difference(a, a_at, a_stride, b, b_at, b_stride, w, h).ravel()
    return 0


def _difference(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """a - b, h x w, of type int32."""
    return wide_block(a, a_at, a_stride, w, h) - wide_block(b, b_at, b_stride, w, h)
