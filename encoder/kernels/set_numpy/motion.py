"""Motion search and temporal filter as whole-array expressions. Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numpy.views import block, wide_block
from encoder.kernels.set_python.motion import MAX_DIFFERENCE, SMOOTH_GRADIENT


def downscale(dst, dst_at, dst_stride, src, src_at, src_stride, w, h):
    """Means of 2x2 samples."""
    sums = wide_block(src, src_at, src_stride, 2 * w, 2 * h).reshape(h, 2, w, 2).sum(axis=(1, 3))
    block(dst, dst_at, dst_stride, w, h)[:] = (sums + 2) >> 2
    return 0


def sad_grid(a, a_at, a_stride, b, b_at, b_stride, out):
    """All cells at once."""
    distance = abs(wide_block(a, a_at, a_stride, 64, 64) - wide_block(b, b_at, b_stride, 64, 64))
    out[:64] = distance.reshape(8, 8, 8, 8).sum(axis=(1, 3)).ravel()
    return 0


def sad_x4(a, a_at, a_stride, b, b_at_0, b_at_1, b_at_2, b_at_3, b_stride, w, h, out):
    """One after the other."""
    samples = wide_block(a, a_at, a_stride, w, h)
    out[:4] = [abs(samples - wide_block(b, at, b_stride, w, h)).sum() for at in (b_at_0, b_at_1, b_at_2, b_at_3)]
    return 0


def sad_window(a, a_at, a_stride, b, b_at, b_stride, side, columns, rows, step):
    """All places at once, as views of views."""
    samples = wide_block(a, a_at, a_stride, side, side)
    shape, strides = (rows, columns, side, side), (step * b_stride, step, b_stride, 1)
    places = np.ndarray(shape, np.uint8, b, b_at, strides)
    sads = np.array([abs(samples - row.astype(np.int32)).sum(axis=(1, 2)) for row in places]).ravel()
    best = int(sads.argmin())
    return int(sads[best]) << 16 | best


def temporal_accumulate(sums, weights, sums_at, sums_stride, a, a_at, a_stride, b, b_at, b_stride, w, h, base, slope):
    """The whole block at once."""
    samples = wide_block(b, b_at, b_stride, w, h)
    d = np.minimum(abs(wide_block(a, a_at, a_stride, w, h) - samples), MAX_DIFFERENCE)
    near = np.maximum(0, base - (d * d * slope >> 8))
    weight = near * near >> 11
    block(sums, sums_at, sums_stride, w, h)[:] += (weight * samples).astype(np.uint16)
    block(weights, sums_at, sums_stride, w, h)[:] += weight.astype(np.uint8)
    return 0


def temporal_normalize(dst, dst_at, dst_stride, sums, weights, sums_at, sums_stride, w, h):
    """Divide and round."""
    weight = wide_block(weights, sums_at, sums_stride, w, h)
    block(dst, dst_at, dst_stride, w, h)[:] = (wide_block(sums, sums_at, sums_stride, w, h) + weight // 2) // weight
    return 0


def noise_sum(a, a_at, a_stride, w, h):
    """Gradient and Laplacian of the whole block."""
    samples = wide_block(a, a_at - a_stride - 1, a_stride, w + 2, h + 2)
    columns = samples[:-2] + 2 * samples[1:-1] + samples[2:]
    rows = samples[:, :-2] + 2 * samples[:, 1:-1] + samples[:, 2:]
    gradient = abs(columns[:, 2:] - columns[:, :-2]) + abs(rows[2:] - rows[:-2])
    bends = samples[:-2] - 2 * samples[1:-1] + samples[2:]
    laplacian = abs(bends[:, :-2] - 2 * bends[:, 1:-1] + bends[:, 2:])
    smooth = gradient < SMOOTH_GRADIENT
    return int(laplacian[smooth].sum()) << 24 | int(smooth.sum())
