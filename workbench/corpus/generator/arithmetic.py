"""Integer hash, noise and sine: everything random or curved in the generated clips comes from here.

No floats, no libm, no numpy.random: the bytes depend on integer arithmetic alone, not on the processor, the system or
numpy's version. Fixed-point numbers carry their fraction in the name: `_q8` counts 1/256, `_q14` counts 1/16384.
"""

from __future__ import annotations

import numpy as np

IntArray = np.ndarray
"""An array of integers; the shape and dtype stand in the docstring of what returns it."""

ONE_Q14 = 1 << 14
MASK_32 = 0xFFFFFFFF

# The multipliers of "lowbias32" (C. Wellons, Hash Prospector, 2018) and two odd constants to start from.
_MULTIPLIER_1 = 0x7FEB352D
_MULTIPLIER_2 = 0x846CA68B
_SEED_STEP = 0x9E3779B9
_SEED_START = 0x85EBCA6B

STEPS_PER_TURN = 128
_QUARTER_TURN = STEPS_PER_TURN // 4
# sin(2 pi k / 128) in Q14 for the first quarter of a turn.
_QUARTER_SINE_Q14 = (
    0, 804, 1606, 2404, 3196, 3981, 4756, 5520, 6270, 7005, 7723, 8423, 9102, 9760, 10394, 11003, 11585,
    12140, 12665, 13160, 13623, 14053, 14449, 14811, 15137, 15426, 15679, 15893, 16069, 16207, 16305, 16364, 16384,
)  # fmt: skip


def _mix(values: IntArray) -> IntArray:
    """Spread every bit of uint32 `values` over the whole word; the array is changed and returned."""
    values ^= values >> np.uint32(16)
    values *= np.uint32(_MULTIPLIER_1)
    values ^= values >> np.uint32(15)
    values *= np.uint32(_MULTIPLIER_2)
    values ^= values >> np.uint32(16)
    return values


def _coordinate_words(coordinate: IntArray) -> IntArray:
    """One hash coordinate as well-mixed uint32; negative ones wrap modulo 2**32."""
    wrapped = np.asarray(coordinate, np.int64) + _SEED_STEP & MASK_32
    return _mix(np.atleast_1d(wrapped.astype(np.uint32)))


def hash32(seed: int, *coordinates: IntArray) -> IntArray:
    """A random uint32 for each point of the broadcast integer `coordinates`: a point always has the same number."""
    state = np.full(1, seed * _SEED_STEP + _SEED_START & MASK_32, np.uint32)
    for coordinate in coordinates:
        state = _mix(state ^ _coordinate_words(coordinate))
    return state


def dice(seed: int, *coordinates: int) -> int:
    """One number of `hash32`, as a Python int of 0..2**32 - 1."""
    return int(hash32(seed, *(np.array([coordinate]) for coordinate in coordinates))[0])


def sine_q14(step: int) -> int:
    """sin(2 pi step / 128) in Q14, for any integer step."""
    step %= STEPS_PER_TURN
    sign = 1 if step < STEPS_PER_TURN // 2 else -1
    half = step % (STEPS_PER_TURN // 2)
    return sign * _QUARTER_SINE_Q14[half if half <= _QUARTER_TURN else STEPS_PER_TURN // 2 - half]


def cosine_q14(step: int) -> int:
    """cos(2 pi step / 128) in Q14, for any integer step."""
    return sine_q14(step + _QUARTER_TURN)


def _smooth_q8(position: IntArray, cell: int) -> IntArray:
    """The weight in Q8 of the next lattice point: the smoothstep 3 f**2 - 2 f**3 of the place f inside the cell."""
    fraction_q8 = position % cell * 256 // cell
    return fraction_q8 * fraction_q8 * (768 - 2 * fraction_q8) >> 16


def value_noise(width: int, height: int, seed: int, cell: int, left: int = 0, top: int = 0) -> IntArray:
    """Smooth random values 0..255, int32 (height, width): random lattice points every `cell` samples, blended between.

    `left`, `top` is the place of the first sample in the endless noise plane: moving it moves the pattern.
    """
    x = np.arange(left, left + width, dtype=np.int32)
    y = np.arange(top, top + height, dtype=np.int32)
    first_column, first_row = left // cell, top // cell
    columns, rows = x // cell - first_column, y // cell - first_row
    lattice_x = np.arange(first_column, first_column + int(columns[-1]) + 2)
    lattice_y = np.arange(first_row, first_row + int(rows[-1]) + 2)
    lattice = (hash32(seed, lattice_x[None, :], lattice_y[:, None]) >> np.uint32(24)).astype(np.int32)
    weight_x, weight_y = _smooth_q8(x, cell)[None, :], _smooth_q8(y, cell)[:, None]
    lines = lattice[:, columns] * (256 - weight_x) + lattice[:, columns + 1] * weight_x
    return lines[rows] * (256 - weight_y) + lines[rows + 1] * weight_y >> 16


def fractal_noise(width: int, height: int, seed: int, cell: int) -> IntArray:
    """Octaves of `value_noise` about 0, int32 (height, width), each of half the cell and 5/8 of the amplitude."""
    total = np.zeros((height, width), np.int32)
    amplitude_q7 = 72
    while cell >= 1 and amplitude_q7 >= 2:
        total += (value_noise(width, height, seed + cell, cell) - 128) * amplitude_q7 >> 7
        cell //= 2
        amplitude_q7 = amplitude_q7 * 5 // 8
    return total


def grain_noise(width: int, height: int, seed: int, t: int, strength_q8: int) -> IntArray:
    """White noise about 0 that is new in every frame `t`, int32 (height, width).

    The sum of four random bytes is nearly Gaussian; its standard deviation is 148 * strength_q8 / 256 sample values.
    """
    y, x = np.arange(height), np.arange(width)
    words = hash32(seed, np.array([t]), y[:, None], x[None, :])
    total = np.full((height, width), -510, np.int32)
    for byte in range(4):
        total += (words >> np.uint32(8 * byte) & np.uint32(255)).astype(np.int32)
    return total * strength_q8 >> 8
