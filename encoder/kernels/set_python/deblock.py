"""Deblocking, reference version (spec 7.14.6). The contract is in table.py."""

import numpy as np

from encoder.intmath import clip3, round2


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    """Edge loop filter on `count` samples of one edge."""
    limit, blimit, thresh = filter_limits(level, sharpness)
    for i in range(count):
        _filter_sample(samples, at + i * along, across, filter_size, limit, blimit, thresh, plane)
    return 0


def filter_limits(level, sharpness):
    """limit, blimit and thresh of the adaptive filter strength process (spec 7.14.4)."""
    shift = 2 if sharpness > 4 else 1 if sharpness > 0 else 0
    limit = clip3(1, 9 - sharpness, level >> shift) if sharpness > 0 else max(1, level >> shift)
    return limit, 2 * (level + 2) + limit, level >> 4


def _filter_sample(samples, at, across, filter_size, limit, blimit, thresh, plane):
    """Sample filtering process (spec 7.14.6.1): masks, then the filter that they choose."""
    filter_length = 4 if filter_size == 4 else 6 if plane > 0 else filter_size
    if not _filter_mask(samples, at, across, filter_length, limit, blimit):
        return
    if filter_size == 4 or not _is_flat(samples, at, across, 1, 2 if plane > 0 else 3):
        _narrow_filter(samples, at, across, _high_edge_variance(samples, at, across, thresh))
    elif filter_size == 8 or not _is_flat(samples, at, across, 4, 6):
        _wide_filter(samples, at, across, plane, 3)
    else:
        _wide_filter(samples, at, across, plane, 4)


def _difference(samples, a, b):
    return abs(np.int64(samples[a]) - np.int64(samples[b]))


def _high_edge_variance(samples, at, across, thresh):
    """hevMask of spec 7.14.6.2."""
    p0, q0 = at - across, at
    return _difference(samples, p0 - across, p0) > thresh or _difference(samples, q0 + across, q0) > thresh


def _filter_mask(samples, at, across, filter_length, limit, blimit):
    """filterMask of spec 7.14.6.2: both sides are smooth and the step between them is small."""
    p0, q0 = at - across, at
    step = _difference(samples, p0, q0) * 2 + _difference(samples, p0 - across, q0 + across) // 2
    if step > blimit:
        return False
    # Neighbours are compared up to 1, 2 or 3 samples away from the edge.
    reach = 1 if filter_length == 4 else 2 if filter_length == 6 else 3
    for i in range(reach):
        if _difference(samples, p0 - (i + 1) * across, p0 - i * across) > limit:
            return False
        if _difference(samples, q0 + (i + 1) * across, q0 + i * across) > limit:
            return False
    return True


def _is_flat(samples, at, across, first, last):
    """flatMask and flatMask2 of spec 7.14.6.2: samples first..last of each side are within 1 of the one at the edge."""
    p0, q0 = at - across, at
    for i in range(first, last + 1):
        if _difference(samples, p0 - i * across, p0) > 1 or _difference(samples, q0 + i * across, q0) > 1:
            return False
    return True


def _filter4_clamp(x):
    return clip3(-128, 127, x)


def _narrow_filter(samples, at, across, high_edge_variance):
    """Narrow filter process (spec 7.14.6.3): changes one sample on each side, two where the edge is no strong one."""
    ps1 = np.int64(samples[at - 2 * across]) - 128
    ps0 = np.int64(samples[at - across]) - 128
    qs0 = np.int64(samples[at]) - 128
    qs1 = np.int64(samples[at + across]) - 128
    base = _filter4_clamp(ps1 - qs1) if high_edge_variance else 0
    base = _filter4_clamp(base + 3 * (qs0 - ps0))
    filter1 = _filter4_clamp(base + 4) >> 3
    filter2 = _filter4_clamp(base + 3) >> 3
    samples[at] = _filter4_clamp(qs0 - filter1) + 128
    samples[at - across] = _filter4_clamp(ps0 + filter2) + 128
    if not high_edge_variance:
        outer = round2(filter1, 1)
        samples[at + across] = _filter4_clamp(qs1 - outer) + 128
        samples[at - 2 * across] = _filter4_clamp(ps1 + outer) + 128


def _wide_filter(samples, at, across, plane, log2_size):
    """Wide filter process (spec 7.14.6.4): a low-pass filter over n + 1 samples of each side, of which it changes n."""
    n = 6 if log2_size == 4 else 3 if plane == 0 else 2
    n2 = 0 if log2_size == 3 and plane == 0 else 1
    filtered = np.zeros(12, np.int64)
    for i in range(-n, n):
        total = 0
        for j in range(-n, n + 1):
            p = clip3(-(n + 1), n, i + j)
            tap = 2 if abs(j) <= n2 else 1
            total += np.int64(samples[at + p * across]) * tap
        filtered[i + n] = round2(total, log2_size)
    for i in range(-n, n):
        samples[at + i * across] = filtered[i + n]
