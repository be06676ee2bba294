"""Constrained directional enhancement filter, reference versions (spec 7.15.2, 7.15.3). Contracts are in table.py."""

import numpy as np

from encoder.intmath import clip3, msb
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.tables import table

DIRECTIONS = table("cdef_directions")
PRI_TAPS = table("cdef_pri_taps")
SEC_TAPS = table("cdef_sec_taps")
DIV_TABLE = table("div_table")


def cdef_direction(samples, at, stride):
    """Direction of an 8x8 block, and how much more variance it explains than the direction across it (spec 7.15.2)."""
    cost = np.zeros(8, np.int64)
    partial = np.zeros((8, 15), np.int64)
    for i in range(8):
        for j in range(8):
            x = np.int64(samples[at + i * stride + j]) - 128
            partial[0, i + j] += x
            partial[1, i + j // 2] += x
            partial[2, i] += x
            partial[3, 3 + i - j // 2] += x
            partial[4, 7 + i - j] += x
            partial[5, 3 - i // 2 + j] += x
            partial[6, j] += x
            partial[7, i // 2 + j] += x
    for i in range(8):
        cost[2] += partial[2, i] * partial[2, i]
        cost[6] += partial[6, i] * partial[6, i]
    cost[2] *= DIV_TABLE[8]
    cost[6] *= DIV_TABLE[8]
    for i in range(7):
        cost[0] += (partial[0, i] * partial[0, i] + partial[0, 14 - i] * partial[0, 14 - i]) * DIV_TABLE[i + 1]
        cost[4] += (partial[4, i] * partial[4, i] + partial[4, 14 - i] * partial[4, 14 - i]) * DIV_TABLE[i + 1]
    cost[0] += partial[0, 7] * partial[0, 7] * DIV_TABLE[8]
    cost[4] += partial[4, 7] * partial[4, 7] * DIV_TABLE[8]
    for i in range(1, 8, 2):
        for j in range(5):
            cost[i] += partial[i, 3 + j] * partial[i, 3 + j]
        cost[i] *= DIV_TABLE[8]
        for j in range(3):
            squares = partial[i, j] * partial[i, j] + partial[i, 10 - j] * partial[i, 10 - j]
            cost[i] += squares * DIV_TABLE[2 * j + 2]
    best_cost = 0
    direction = 0
    for i in range(8):
        if cost[i] > best_cost:
            best_cost = cost[i]
            direction = i
    variance = (best_cost - cost[(direction + 4) & 7]) >> 10
    return variance << 3 | direction


def cdef_filter(
    dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, pri_strength, sec_strength, damping, direction
):
    """CDEF filter process of one block (spec 7.15.3)."""
    for i in range(h):
        for j in range(w):
            at = padded_at + i * padded_stride + j
            x = np.int64(padded[at])
            total = 0
            largest = x
            smallest = x
            for k in range(2):
                for turn in (0, -2, 2):
                    offset = _offset((direction + turn) & 7, k, padded_stride)
                    strength = pri_strength if turn == 0 else sec_strength
                    tap = PRI_TAPS[pri_strength & 1, k] if turn == 0 else SEC_TAPS[pri_strength & 1, k]
                    for sign in (-1, 1):
                        p = np.int64(padded[at + sign * offset])
                        if p != CDEF_UNAVAILABLE:
                            total += tap * _constrain(p - x, strength, damping)
                            largest = max(p, largest)
                            smallest = min(p, smallest)
            dst[dst_at + i * dst_stride + j] = clip3(smallest, largest, x + ((8 + total - (total < 0)) >> 4))
    return 0


def _offset(direction, k, stride):
    """Distance in the padded picture to tap k of a direction."""
    return DIRECTIONS[direction, k, 0] * stride + DIRECTIONS[direction, k, 1]


def _constrain(diff, threshold, damping):
    """A difference, faded out where it is larger than the noise that the filter is to remove (spec 7.15.3)."""
    if threshold == 0:
        return 0
    shift = max(0, damping - msb(threshold))
    magnitude = clip3(0, abs(diff), threshold - (abs(diff) >> shift))
    return -magnitude if diff < 0 else magnitude
