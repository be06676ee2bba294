"""CDEF by vectors of samples (see cdef_lanes.py; spec 7.15.2, 7.15.3). Contracts are in table.py."""

from encoder.intmath import msb
from encoder.kernels.set_numba.cdef_lanes import FILTER_LANES, direction_of, filter_lanes
from encoder.tables import table

DIRECTIONS = table("cdef_directions")
PRI_TAPS = table("cdef_pri_taps")


def cdef_direction(samples, at, stride):
    return direction_of(samples, at, stride)


def cdef_filter(
    dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, pri_strength, sec_strength, damping, direction
):
    left, right = (direction - 2) & 7, (direction + 2) & 7
    offsets = (
        _offset(direction, 0, padded_stride), _offset(direction, 1, padded_stride),
        _offset(left, 0, padded_stride), _offset(left, 1, padded_stride),
        _offset(right, 0, padded_stride), _offset(right, 1, padded_stride),
    )  # fmt: skip
    odd = pri_strength & 1
    taps = (PRI_TAPS[odd, 0], PRI_TAPS[odd, 1])
    pri_shift = max(0, damping - msb(pri_strength))
    sec_shift = max(0, damping - msb(sec_strength))
    for y in range(0, h, FILTER_LANES // w):
        at = dst_at + y * dst_stride
        from_at = padded_at + y * padded_stride
        if w == 8 and sec_strength == 0:
            filter_lanes(
                8, 0, dst, at, dst_stride, padded, from_at, padded_stride,
                offsets, taps, pri_strength, sec_strength, pri_shift, sec_shift,
            )  # fmt: skip
        elif w == 8:
            filter_lanes(
                8, 1, dst, at, dst_stride, padded, from_at, padded_stride,
                offsets, taps, pri_strength, sec_strength, pri_shift, sec_shift,
            )  # fmt: skip
        elif sec_strength == 0:
            filter_lanes(
                4, 0, dst, at, dst_stride, padded, from_at, padded_stride,
                offsets, taps, pri_strength, sec_strength, pri_shift, sec_shift,
            )  # fmt: skip
        else:
            filter_lanes(
                4, 1, dst, at, dst_stride, padded, from_at, padded_stride,
                offsets, taps, pri_strength, sec_strength, pri_shift, sec_shift,
            )  # fmt: skip
    return 0


def _offset(direction, k, stride):
    """Distance in the padded picture to tap k of a direction."""
    return DIRECTIONS[direction, k, 0] * stride + DIRECTIONS[direction, k, 1]
