"""Transforms and quantization on whole blocks: a step of a program is done for all rows or columns at once."""

from functools import cache
from typing import NamedTuple

import numpy as np

from encoder.intmath import round2
from encoder.kernels.butterflies import (
    ADST,
    ADST4,
    COLUMN_SHIFT,
    FLIPADST,
    FORWARD_SHIFTS,
    HORIZONTAL,
    IDENTITY,
    IDENTITY_SCALE,
    KIND,
    PROGRAM_NUMBER,
    PROGRAMS,
    ROTATION,
    ROW_SHIFT,
    VERTICAL,
    A,
    B,
)
from encoder.kernels.set_numpy.views import block
from encoder.kernels.set_python.transform import HIGHEST, LOWEST, MAX_KEPT, MAX_LEVEL


class Layer(NamedTuple):
    """Neighbouring steps of one kind that share no element: rows t[a] and t[b] of all of them change together."""

    kind: int
    a: list[int]
    b: list[int]
    matrix: np.ndarray


@cache
def layers_of(number):
    """The steps of a program, gathered into layers."""
    groups = []
    for step in PROGRAMS[number].steps:
        if not groups or groups[-1][0][KIND] != step[KIND] or _share_an_element(groups[-1], step):
            groups.append([])
        groups[-1].append(step)
    return [
        Layer(
            kind=group[0][KIND],
            a=[step[A] for step in group],
            b=[step[B] for step in group],
            matrix=np.array([step[B + 1 :] for step in group]).T.reshape(2, 2, len(group), 1),
        )
        for group in groups
    ]


def _share_an_element(group, step):
    return any({other[A], other[B]} & {step[A], step[B]} for other in group)


def _rotate(t, layer, matrix):
    x, y = t[layer.a], t[layer.b]
    t[layer.a] = round2(matrix[0, 0] * x + matrix[0, 1] * y, 12)
    t[layer.b] = round2(matrix[1, 0] * x + matrix[1, 1] * y, 12)


def _inverse_butterflies(t, number):
    program = PROGRAMS[number]
    t = t[list(program.input_order)]
    for layer in layers_of(number):
        if layer.kind == ROTATION:
            _rotate(t, layer, layer.matrix)
        else:
            x, y = t[layer.a], t[layer.b]
            t[layer.a] = np.clip(x + y, LOWEST, HIGHEST)
            t[layer.b] = np.clip(x - y, LOWEST, HIGHEST)
    return t[list(program.output_order)] * np.array(program.output_sign)[:, None]


def _forward_butterflies(values, number):
    program = PROGRAMS[number]
    t = np.empty_like(values)
    t[list(program.output_order)] = values * np.array(program.output_sign)[:, None]
    for layer in reversed(layers_of(number)):
        if layer.kind == ROTATION:
            _rotate(t, layer, layer.matrix.swapaxes(0, 1))
        else:
            x, y = t[layer.a], t[layer.b]
            t[layer.a] = x + y
            t[layer.b] = x - y
    coefs = np.empty_like(t)
    coefs[list(program.input_order)] = t
    return coefs


def _inverse_1d(t, kind):
    """The inverse transform of every column of t."""
    log2_size = len(t).bit_length() - 1
    if kind == IDENTITY:
        return round2(t * IDENTITY_SCALE[log2_size - 2], 12)
    if kind == FLIPADST:
        return _inverse_1d(t, ADST)[::-1]
    if kind == ADST and log2_size == 2:
        return round2(ADST4 @ t, 12)
    return _inverse_butterflies(t, PROGRAM_NUMBER[kind, log2_size - 2])


def _forward_1d(t, kind):
    """The transpose of _inverse_1d."""
    log2_size = len(t).bit_length() - 1
    if kind == IDENTITY:
        return _inverse_1d(t, kind)
    if kind == FLIPADST:
        return _forward_1d(t[::-1], ADST)
    if kind == ADST and log2_size == 2:
        return round2(ADST4.T @ t, 12)
    return _forward_butterflies(t, PROGRAM_NUMBER[kind, log2_size - 2])


def forward_transform(residual, coefs, tx_size, tx_type):
    """Columns first, then rows, MAX_KEPT frequencies of each."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    before, between, after = FORWARD_SHIFTS[tx_size]
    t = block(residual, 0, size, size, size).astype(np.int64) << before
    t = round2(_forward_1d(t, VERTICAL[tx_type])[:kept], between)
    t = round2(_forward_1d(t.T, HORIZONTAL[tx_type])[:kept], after)
    coefs[: kept * kept] = t.T.ravel()
    return 0


def _grown(t, size):
    """t with rows of zeros below, `size` rows in all."""
    return np.concatenate([t, np.zeros((size - len(t), t.shape[1]), t.dtype)])


def inverse_transform_add(coefs, dst, dst_at, dst_stride, tx_size, tx_type, eob):
    """Rows first, then columns; what lies beyond MAX_KEPT frequencies is zero."""
    size = 4 << tx_size
    kept = min(size, MAX_KEPT)
    t = block(coefs, 0, kept, kept, kept).astype(np.int64).T
    t = round2(_inverse_1d(_grown(t, size), HORIZONTAL[tx_type]), ROW_SHIFT[tx_size])
    t = _grown(np.clip(t, LOWEST, HIGHEST).T, size)
    t = round2(_inverse_1d(t, VERTICAL[tx_type]), COLUMN_SHIFT)
    samples = block(dst, dst_at, dst_stride, size, size)
    samples[:] = np.clip(samples + t, 0, 255)
    return 0


def _steps(count, dc_q, ac_q):
    q = np.full(count, ac_q)
    q[0] = dc_q
    return q


def quantize(coefs, levels, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round):
    """All divisions at once; then the last scan position that holds a level."""
    wide = coefs[:count].astype(np.int64)
    q = _steps(count, dc_q, ac_q)
    rounding = q * _steps(count, dc_round, ac_round) >> 8
    magnitude = np.minimum(((np.abs(wide) << shift) + rounding) // q, MAX_LEVEL)
    levels[:count] = np.where(wide < 0, -magnitude, magnitude)
    coded = np.flatnonzero(levels[scan[scan_at : scan_at + count]])
    return int(coded[-1]) + 1 if len(coded) else 0


def dequantize(levels, coefs, count, dc_q, ac_q, shift):
    """The formula of spec 7.12.3 on all levels at once."""
    wide = levels[:count].astype(np.int64)
    magnitude = (np.abs(wide) * _steps(count, dc_q, ac_q) & 0xFFFFFF) >> shift
    coefs[:count] = np.clip(np.where(wide < 0, -magnitude, magnitude), LOWEST, HIGHEST)
    return 0


def coefficient_error(a, b, count):
    """Sum of squared differences."""
    difference = a[:count].astype(np.int64) - b[:count]
    return int(difference @ difference)
