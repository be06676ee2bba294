"""CDEF as whole-array expressions over the block (spec 7.15.2, 7.15.3). Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numpy.views import block, wide_block
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.tables import table

DIRECTIONS = table("cdef_directions")
PRI_TAPS = table("cdef_pri_taps")
SEC_TAPS = table("cdef_sec_taps")


def _lines():
    """lines[d, k, y, x] is 1 where sample (y, x) is part of line k of direction d (`partial` of spec 7.15.2)."""
    i, j = np.indices((8, 8))
    line = (i + j, i + j // 2, i, 3 + i - j // 2, 7 + i - j, 3 - i // 2 + j, j, i // 2 + j)
    return (np.stack(line)[:, None] == np.arange(15)[None, :, None, None]).astype(np.int64)


LINES = _lines().reshape(8 * 15, 64)
LINE_WEIGHTS = table("div_table")[LINES.sum(axis=1)].reshape(8, 15)


def cdef_direction(samples, at, stride):
    """The sums over all lines of all directions by one matrix product."""
    sums = (LINES @ (wide_block(samples, at, stride, 8, 8).ravel() - 128)).reshape(8, 15)
    cost = (sums * sums * LINE_WEIGHTS).sum(axis=1)
    direction = int(cost.argmax())
    variance = int(cost[direction] - cost[(direction + 4) & 7]) >> 10
    return variance << 3 | direction


def cdef_filter(
    dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, pri_strength, sec_strength, damping, direction
):
    """Tap by tap, each on the whole block."""
    x = wide_block(padded, padded_at, padded_stride, w, h)
    total = np.zeros_like(x)
    largest, smallest = x, x
    for k in range(2):
        for turn in (0, -2, 2):
            row, column = DIRECTIONS[(direction + turn) & 7, k].tolist()
            strength, taps = (sec_strength, SEC_TAPS) if turn else (pri_strength, PRI_TAPS)
            for sign in (-1, 1):
                p = wide_block(padded, padded_at + sign * (row * padded_stride + column), padded_stride, w, h)
                p = np.where(p == CDEF_UNAVAILABLE, x, p)
                total += taps[pri_strength & 1, k] * _constrain(p - x, strength, damping)
                largest, smallest = np.maximum(largest, p), np.minimum(smallest, p)
    filtered = np.clip(x + ((8 + total - (total < 0)) >> 4), smallest, largest)
    block(dst, dst_at, dst_stride, w, h)[:] = filtered
    return 0


def _constrain(diff, threshold, damping):
    """Differences, faded out where they are larger than the noise that the filter is to remove (spec 7.15.3)."""
    if threshold == 0:
        return 0
    shift = max(0, damping - (int(threshold).bit_length() - 1))
    magnitude = abs(diff)
    return np.sign(diff) * np.clip(threshold - (magnitude >> shift), 0, magnitude)
