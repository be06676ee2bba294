"""Loop restoration as whole-array expressions over the block (spec 7.17). Contracts are in table.py."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from encoder.kernels.set_numpy.views import block
from encoder.tables import table

SGR_PARAMS = table("sgr_params").tolist()


def wiener_filter(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, taps, taps_at):
    area = _with_border(padded, padded_at, padded_stride, w, h, 3)
    rows = (_filtered(area, taps, taps_at + 3, axis=1) + 4) >> 3
    rows = rows.clip(-2048, 8191 - 2048)
    block(dst, dst_at, dst_stride, w, h)[:] = ((_filtered(rows, taps, taps_at, axis=0) + 1024) >> 11).clip(0, 255)
    return 0


def _with_border(padded, at, stride, w, h, border):
    return _wide(padded, at - border * (stride + 1), stride, w + 2 * border, h + 2 * border)


def _wide(samples, at, stride, w, h):
    """Sums of products need 64 bits."""
    return block(samples, at, stride, w, h).astype(np.int64)


def _filtered(area, taps, taps_at, axis):
    """Filtered along one axis, which becomes six shorter; the seven coefficients follow from three (spec 7.17.5)."""
    half = [int(tap) for tap in taps[taps_at : taps_at + 3]]
    coefficients = np.array([*half, 128 - 2 * sum(half), *half[::-1]])
    return sliding_window_view(area, 7, axis) @ coefficients


def wiener_statistics(
    padded, padded_at, padded_stride, src, src_at, src_stride, w, h, taps, taps_at, vertical, sums, sums_at
):
    area = _with_border(padded, padded_at, padded_stride, w, h, 3)
    fixed = taps_at + 3 if vertical else taps_at
    y = (_filtered(area, taps, fixed, axis=1 if vertical else 0) + 4) >> 3
    windows = sliding_window_view(y, 7, 0 if vertical else 1)
    centre = windows[..., 3]
    f = [(windows[..., j] + windows[..., 6 - j] - 2 * centre).ravel() for j in range(3)]
    t = (16 * _wide(src, src_at, src_stride, w, h) - centre).ravel()
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    sums[sums_at : sums_at + 9] += [*(f[i] @ f[j] for i, j in pairs), *(f[i] @ t for i in range(3))]
    return 0


def box_filter(padded, padded_at, padded_stride, w, h, sgr_set, pass_number, out):
    radius, eps = SGR_PARAMS[sgr_set][2 * pass_number : 2 * pass_number + 2]
    samples = _wide(padded, padded_at, padded_stride, w, h)
    if radius == 0:
        out[: w * h] = (samples << 4).ravel()
        return 0
    area = _with_border(padded, padded_at, padded_stride, w, h, radius + 1)
    n = (2 * radius + 1) ** 2
    total, squares = _box_sums(area, 2 * radius + 1), _box_sums(area * area, 2 * radius + 1)
    scale = ((1 << 20) + n * n * eps // 2) // (n * n * eps)
    z = (np.maximum(0, squares * n - total * total) * scale + (1 << 19)) >> 20
    a = np.where(z >= 255, 256, np.where(z == 0, 1, ((z << 8) + z // 2) // (z + 1)))
    b = ((256 - a) * total * ((4096 + n // 2) // n) + 2048) >> 12
    shift = np.full((h, 1), 9)
    if pass_number == 0:
        shift[1::2] = 8
    out[: w * h] = (
        (_weighted(a, pass_number) * samples + _weighted(b, pass_number) + (1 << (shift - 1))) >> shift
    ).ravel()
    return 0


def _box_sums(area, side):
    return sliding_window_view(area, (side, side)).sum(axis=(2, 3))


def _weighted(values, pass_number):
    """3x3 weighted sums; of the rows, which begin with row -1, pass 0 uses the odd ones."""
    across = values[:, :-2] + values[:, 2:]
    if pass_number:
        straight = across + values[:, 1:-1]
        return 3 * (straight[:-2] + straight[1:-1] + straight[2:]) + (
            values[:-2, 1:-1] + values[2:, 1:-1] + straight[1:-1]
        )
    line = 5 * across + 6 * values[:, 1:-1]
    line[1::2] = 0
    return line[:-2] + line[1:-1] + line[2:]


def self_guided_mix(dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, flt0, flt1, xqd0, xqd1):
    u = _wide(padded, padded_at, padded_stride, w, h) << 4
    first, second = (_plane(flt, w, h) for flt in (flt0, flt1))
    mixed = xqd1 * u + xqd0 * first + (128 - xqd0 - xqd1) * second
    block(dst, dst_at, dst_stride, w, h)[:] = ((mixed + 1024) >> 11).clip(0, 255)
    return 0


def _plane(flt, w, h):
    return flt[: w * h].reshape(h, w).astype(np.int64)


def self_guided_statistics(padded, padded_at, padded_stride, src, src_at, src_stride, w, h, flt0, flt1, sums, sums_at):
    u = _wide(padded, padded_at, padded_stride, w, h) << 4
    d0, d1 = ((_plane(flt, w, h) - u).ravel() for flt in (flt0, flt1))
    t = ((_wide(src, src_at, src_stride, w, h) << 4) - u).ravel()
    sums[sums_at : sums_at + 5] += [d0 @ d0, d0 @ d1, d1 @ d1, d0 @ t, d1 @ t]
    return 0
