"""The one-dimensional transforms of the specification (7.13.2) as programs: data that each kernel set runs its own way.

An inverse DCT, ADST8 or ADST16 is a row of steps on an array T, each on two of its elements:

    ROTATION  T[a], T[b] = round2(m00 * T[a] + m01 * T[b], 12), round2(m10 * T[a] + m11 * T[b], 12)
              function B of the specification
    SUM       T[a], T[b] = T[a] + T[b], T[a] - T[b]
              function H of the specification; the inverse clips both to its intermediate range

But for rounding the whole is linear, so the forward transform needs no second design. It is the transpose: the same
steps from the last to the first, each transposed.

    inverse   T[i] = in[input_order[i]]; the steps; out[i] = output_sign[i] * T[output_order[i]]
    forward   T[output_order[i]] = output_sign[i] * in[i]; the transposed steps; out[input_order[i]] = T[i]

ADST4 and the identities are not made of such steps; their numbers stand at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from encoder.tables import table

DCT, ADST, FLIPADST, IDENTITY = range(4)
"""Kinds of one-dimensional transform."""
VERTICAL = np.array([0, 1, 0, 1, 2, 0, 2, 1, 2, 3, 0, 3, 1, 3, 2, 3])
"""Kind of the column transforms, for each transform type (spec 7.13.3; section 3 names the types)."""
HORIZONTAL = np.array([0, 0, 1, 1, 0, 2, 2, 2, 1, 3, 3, 0, 3, 1, 3, 2])
"""Kind of the row transforms, for each transform type."""

ROTATION, SUM = range(2)
KIND, A, B, M00, M01, M10, M11 = range(7)
"""Columns of a step."""
Step = tuple[int, int, int, int, int, int, int]


class Program(NamedTuple):
    """An inverse transform of `size` elements (see the module's text)."""

    size: int
    input_order: tuple[int, ...]
    steps: tuple[Step, ...]
    output_order: tuple[int, ...]
    output_sign: tuple[int, ...]


def _brev(bits: int, x: int) -> int:
    """The bit-reversal of the specification (7.13.2.1)."""
    return sum((x >> i & 1) << (bits - 1 - i) for i in range(bits))


_COS128_LOOKUP = [int(cosine) for cosine in table("cos128_lookup")]


def _cos128(angle: int) -> int:
    """4096 * cos(angle * pi / 128), rounded (spec 7.13.2.1)."""
    angle &= 255
    if angle > 128:
        angle = 256 - angle
    return _COS128_LOOKUP[angle] if angle <= 64 else -_COS128_LOOKUP[128 - angle]


def _b(a: int, b: int, angle: int, flip: int) -> Step:
    """Function B of the specification: a rotation, its results exchanged where `flip` is 1."""
    cos, sin = _cos128(angle), _cos128(angle - 64)
    return (ROTATION, a, b, sin, cos, cos, -sin) if flip else (ROTATION, a, b, cos, -sin, sin, cos)


def _h(a: int, b: int, flip: int) -> Step:
    """Function H of the specification: sum and difference, the difference at `a` where `flip` is 1."""
    return (SUM, b, a, 1, 1, 1, -1) if flip else (SUM, a, b, 1, 1, 1, -1)


_DCT_STEPS: tuple[tuple[int, list[Step]], ...] = (  # (smallest n, steps): steps 2 to 31 of spec 7.13.2.3, in its order
    (6, [_b(32 + i, 63 - i, 63 - 4 * _brev(4, i), 0) for i in range(16)]),
    (5, [_b(16 + i, 31 - i, 6 + (_brev(3, 7 - i) << 3), 0) for i in range(8)]),
    (6, [_h(32 + 2 * i, 33 + 2 * i, i & 1) for i in range(16)]),
    (4, [_b(8 + i, 15 - i, 12 + (_brev(2, 3 - i) << 4), 0) for i in range(4)]),
    (5, [_h(16 + 2 * i, 17 + 2 * i, i & 1) for i in range(8)]),
    (6, [_b(62 - 4 * i - j, 33 + 4 * i + j, 60 - 16 * _brev(2, i) + 64 * j, 1) for i in range(4) for j in range(2)]),
    (3, [_b(4 + i, 7 - i, 56 - 32 * i, 0) for i in range(2)]),
    (4, [_h(8 + 2 * i, 9 + 2 * i, i & 1) for i in range(4)]),
    (5, [_b(30 - 4 * i - j, 17 + 4 * i + j, 24 + (j << 6) + ((1 - i) << 5), 1) for i in range(2) for j in range(2)]),
    (6, [_h(32 + 4 * i + j, 35 + 4 * i - j, i & 1) for i in range(8) for j in range(2)]),
    (2, [_b(2 * i, 2 * i + 1, 32 + 16 * i, 1 - i) for i in range(2)]),
    (3, [_h(4 + 2 * i, 5 + 2 * i, i) for i in range(2)]),
    (4, [_b(14 - i, 9 + i, 48 + 64 * i, 1) for i in range(2)]),
    (5, [_h(16 + 4 * i + j, 19 + 4 * i - j, i & 1) for i in range(4) for j in range(2)]),
    (6, [_b(61 - 8 * i - j, 34 + 8 * i + j, 56 - 32 * i + (j >> 1) * 64, 1) for i in range(2) for j in range(4)]),
    (2, [_h(i, 3 - i, 0) for i in range(2)]),
    (3, [_b(6, 5, 32, 1)]),
    (4, [_h(8 + 4 * i + j, 11 + 4 * i - j, i) for i in range(2) for j in range(2)]),
    (5, [_b(29 - i, 18 + i, 48 + (i >> 1) * 64, 1) for i in range(4)]),
    (6, [_h(32 + 8 * i + j, 39 + 8 * i - j, i & 1) for i in range(4) for j in range(4)]),
    (3, [_h(i, 7 - i, 0) for i in range(4)]),
    (4, [_b(13 - i, 10 + i, 32, 1) for i in range(2)]),
    (5, [_h(16 + 8 * i + j, 23 + 8 * i - j, i) for i in range(2) for j in range(4)]),
    (6, [_b(59 - i, 36 + i, 48 if i < 4 else 112, 1) for i in range(8)]),
    (4, [_h(i, 15 - i, 0) for i in range(8)]),
    (5, [_b(27 - i, 20 + i, 32, 1) for i in range(4)]),
    (6, [_h(32 + i, 47 - i, 0) for i in range(8)] + [_h(48 + i, 63 - i, 1) for i in range(8)]),
    (5, [_h(i, 31 - i, 0) for i in range(16)]),
    (6, [_b(55 - i, 40 + i, 32, 1) for i in range(8)]),
    (6, [_h(i, 63 - i, 0) for i in range(32)]),
)

_ADST_STEPS: dict[int, list[Step]] = {
    3: [  # steps 2 to 6 of spec 7.13.2.7
        *(_b(2 * i, 2 * i + 1, 60 - 16 * i, 1) for i in range(4)),
        *(_h(i, 4 + i, 0) for i in range(4)),
        *(_b(4 + 3 * i, 5 + i, 48 - 32 * i, 1) for i in range(2)),
        *(_h(4 * j + i, 2 + 4 * j + i, 0) for i in range(2) for j in range(2)),
        *(_b(2 + 4 * i, 3 + 4 * i, 32, 1) for i in range(2)),
    ],
    4: [  # steps 2 to 8 of spec 7.13.2.8
        *(_b(2 * i, 2 * i + 1, 62 - 8 * i, 1) for i in range(8)),
        *(_h(i, 8 + i, 0) for i in range(8)),
        *(_b(8 + 2 * i, 9 + 2 * i, 56 - 32 * i, 1) for i in range(2)),
        *(_b(13 + 2 * i, 12 + 2 * i, 8 + 32 * i, 1) for i in range(2)),
        *(_h(8 * j + i, 4 + 8 * j + i, 0) for i in range(4) for j in range(2)),
        *(_b(4 + 8 * j + 3 * i, 5 + 8 * j + i, 48 - 32 * i, 1) for i in range(2) for j in range(2)),
        *(_h(4 * j + i, 2 + 4 * j + i, 0) for i in range(2) for j in range(4)),
        *(_b(2 + 4 * i, 3 + 4 * i, 32, 1) for i in range(4)),
    ],
}


def _dct(n: int) -> Program:
    """The inverse DCT of 2**n elements (spec 7.13.2.2 and 7.13.2.3)."""
    size = 1 << n
    steps = tuple(step for smallest_n, group in _DCT_STEPS if n >= smallest_n for step in group)
    return Program(size, tuple(_brev(n, i) for i in range(size)), steps, tuple(range(size)), (1,) * size)


def _adst(n: int) -> Program:
    """The inverse ADST of 2**n elements, n 3 or 4 (spec 7.13.2.4, 7.13.2.5, 7.13.2.7 and 7.13.2.8)."""
    size = 1 << n
    input_order = tuple(i - 1 if i & 1 else size - i - 1 for i in range(size))
    # The bits a, b, c, d of 7.13.2.5 are those of the Gray code of i, the lowest first.
    output_order = tuple(_brev(4, i ^ i >> 1) >> (4 - n) for i in range(size))
    return Program(size, input_order, tuple(_ADST_STEPS[n]), output_order, (1, -1) * (size // 2))


PROGRAMS: tuple[Program, ...] = (*(_dct(n) for n in range(2, 7)), _adst(3), _adst(4))
"""DCT4 to DCT64, then ADST8 and ADST16."""
PROGRAM_NUMBER = np.array([[0, 1, 2, 3, 4], [-1, 5, 6, -1, -1], [-1, 5, 6, -1, -1], [-1] * 5])
"""Place among PROGRAMS for each kind and size (4 to 64), -1 where no program is. A flipped ADST is an ADST with its
samples in reverse order."""


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The rows as one array, filled up to 64 columns with zeros."""
    return np.array([[*row, *(0,) * (64 - len(row))] for row in rows])


# The programs as arrays, for the plain subset: program p has the steps from FIRST_STEP[p] up to FIRST_STEP[p + 1].
STEPS = np.array([step for program in PROGRAMS for step in program.steps])
FIRST_STEP = np.array(list(accumulate((len(program.steps) for program in PROGRAMS), initial=0)))
INPUT_ORDER = _padded([program.input_order for program in PROGRAMS])
OUTPUT_ORDER = _padded([program.output_order for program in PROGRAMS])
OUTPUT_SIGN = _padded([program.output_sign for program in PROGRAMS])

_SINPI_1_9, _SINPI_2_9, _SINPI_3_9, _SINPI_4_9 = 1321, 2482, 3344, 3803
ADST4 = np.array(
    [
        [_SINPI_1_9, _SINPI_3_9, _SINPI_4_9, _SINPI_2_9],
        [_SINPI_2_9, _SINPI_3_9, -_SINPI_1_9, -_SINPI_4_9],
        [_SINPI_3_9, 0, -_SINPI_3_9, _SINPI_3_9],
        [_SINPI_4_9, -_SINPI_3_9, _SINPI_2_9, -_SINPI_1_9],
    ]
)
"""Inverse ADST of 4 elements: out = round2(ADST4 @ in, 12). That is spec 7.13.2.6 multiplied out, with
SINPI_1_9 + SINPI_2_9 = SINPI_4_9."""
IDENTITY_SCALE = np.array([5793, 2 * 4096, 11586, 4 * 4096])
"""Identity of 4, 8, 16 and 32 elements: out = round2(in * scale, 12) (spec 7.13.2.11 to 7.13.2.14)."""

ROW_SHIFT = table("transform_row_shift")[:5]
"""Right shift behind the row transforms of the inverse, for each square transform size (spec 7.13.3)."""
COLUMN_SHIFT = 4
"""Right shift behind the column transforms of the inverse."""
FORWARD_SHIFTS = np.array([[4, 0, 2], [3, 0, 2], [3, 1, 2], [3, 3, 2], [3, 5, 2]])
"""Of the forward transform, for each square size: shift to the left in front of the column transforms, to the right
between columns and rows, and to the right at the end. They make up for the gain of the inverse. Until the last shift
all values carry two bits of fraction or more; for residuals of -255..255 products with 12-bit factors fit 32 bits."""
