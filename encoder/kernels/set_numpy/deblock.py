"""Deblocking as whole-array expressions: all samples of an edge at once (spec 7.14.6). The contract is in table.py."""

import numpy as np

from encoder.kernels.set_python.deblock import filter_limits


def _wide_filter_taps(n, n2):
    """Row i holds the weights of output i - n on the inputs -(n + 1) .. n (spec 7.14.6.4)."""
    taps = np.zeros((2 * n, 2 * n + 2), np.int32)
    for i in range(-n, n):
        for j in range(-n, n + 1):
            taps[i + n, np.clip(i + j, -(n + 1), n) + n + 1] += 2 if abs(j) <= n2 else 1
    return taps


CHROMA_TAPS = _wide_filter_taps(2, 1)
LUMA_8_TAPS = _wide_filter_taps(3, 0)
LUMA_16_TAPS = _wide_filter_taps(6, 1)


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    """Every filter on every sample of the edge; masks choose."""
    limit, blimit, thresh = filter_limits(level, sharpness)
    filter_length = 6 if filter_size == 8 and plane > 0 else filter_size
    reach = {4: 2, 6: 3, 8: 4, 16: 7}[filter_length]
    edge = np.ndarray((count, 2 * reach), samples.dtype, samples, at - reach * across, (along, across))
    before = edge.astype(np.int32)
    p, q = before[:, reach - 1 :: -1], before[:, reach:]
    compared = min(reach, 4)
    neighbours = np.maximum(abs(np.diff(p[:, :compared])), abs(np.diff(q[:, :compared])))
    step = 2 * abs(p[:, 0] - q[:, 0]) + abs(p[:, 1] - q[:, 1]) // 2
    filtered = (neighbours <= limit).all(axis=1) & (step <= blimit)
    after = before.copy()
    _narrow_filter(after[:, reach - 2 : reach + 2], neighbours[:, 0] > thresh)
    if filter_length > 4:
        from_edge = np.maximum(abs(p - p[:, :1]), abs(q - q[:, :1]))
        flat = (from_edge[:, :compared] <= 1).all(axis=1)
        _wide_filter(after, before, flat, CHROMA_TAPS if filter_length == 6 else LUMA_8_TAPS, 3)
        if filter_length == 16:
            _wide_filter(after, before, flat & (from_edge <= 1).all(axis=1), LUMA_16_TAPS, 4)
    edge[filtered] = after[filtered]
    return 0


def _narrow_filter(inner, high_edge_variance):
    """Narrow filter process (spec 7.14.6.3) in place on the columns p1, p0, q0, q1."""
    ps1, ps0, qs0, qs1 = (inner - 128).T
    base = np.where(high_edge_variance, _filter4_clamp(ps1 - qs1), 0)
    base = _filter4_clamp(base + 3 * (qs0 - ps0))
    filter1 = _filter4_clamp(base + 4) >> 3
    filter2 = _filter4_clamp(base + 3) >> 3
    outer = np.where(high_edge_variance, 0, (filter1 + 1) >> 1)
    inner[:] = _filter4_clamp(np.stack((ps1 + outer, ps0 + filter2, qs0 - filter1, qs1 - outer), axis=1)) + 128


def _filter4_clamp(x):
    return np.clip(x, -128, 127)


def _wide_filter(after, before, chosen, taps, log2_size):
    """Wide filter process (spec 7.14.6.4) on the chosen rows."""
    outputs, inputs = taps.shape
    margin = (before.shape[1] - inputs) // 2
    total = before[chosen, margin : margin + inputs] @ taps.T
    after[chosen, margin + 1 : margin + 1 + outputs] = (total + (1 << (log2_size - 1))) >> log2_size
