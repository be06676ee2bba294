"""Deblocking by vectors of lines (see deblock_lanes.py; spec 7.14.6). The contract is in table.py."""

from encoder.kernels.set_numba.deblock_lanes import VARIANTS, filter_lines
from encoder.kernels.set_python.deblock import filter_limits

EIGHT_LINES = len(VARIANTS) // 2
"""The first of the variants for eight lines."""


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    limit, blimit, thresh = filter_limits(level, sharpness)
    variant = 0
    if filter_size == 16:
        variant = 6
    elif filter_size == 8:
        variant = 2 if plane > 0 else 4
    stride = across
    if across == 1:
        variant += 1
        stride = along
    done = 0
    while count - done >= 8:
        filter_lines(EIGHT_LINES + variant, samples, at + done * along, stride, limit, blimit, thresh)
        done += 8
    if done < count:
        filter_lines(variant, samples, at + done * along, stride, limit, blimit, thresh)
    return 0
