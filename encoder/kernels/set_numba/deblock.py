"""Deblocking for the compiler (spec 7.14.6): one loop per filter length, samples in registers. The contract is in table.py."""

import numpy as np

from encoder.kernels.set_python.deblock import filter_limits


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    """Choose the loop. Indices are unsigned from here on: a signed index costs a test for negative values."""
    limit, blimit, thresh = filter_limits(level, sharpness)
    first, step, next_line = np.uint64(at), np.uint64(across), np.uint64(along)
    if filter_size == 4:
        _filter_4(samples, first, step, next_line, count, limit, blimit, thresh)
    elif plane > 0:
        _filter_6(samples, first, step, next_line, count, limit, blimit, thresh)
    elif filter_size == 8:
        _filter_8(samples, first, step, next_line, count, limit, blimit, thresh)
    else:
        _filter_14(samples, first, step, next_line, count, limit, blimit, thresh)
    return 0


def _filter_4(samples, q0_at, step, next_line, count, limit, blimit, thresh):
    for _ in range(count):
        p1_at, p0_at, q1_at = q0_at - step - step, q0_at - step, q0_at + step
        p1, p0 = np.int64(samples[p1_at]), np.int64(samples[p0_at])
        q0, q1 = np.int64(samples[q0_at]), np.int64(samples[q1_at])
        variance = max(abs(p1 - p0), abs(q1 - q0))
        if variance <= limit and abs(p0 - q0) * 2 + (abs(p1 - q1) >> 1) <= blimit:
            p1, p0, q0, q1 = _narrow(p1, p0, q0, q1, variance > thresh)
            samples[p1_at], samples[p0_at], samples[q0_at], samples[q1_at] = p1, p0, q0, q1
        q0_at += next_line


def _filter_6(samples, q0_at, step, next_line, count, limit, blimit, thresh):
    for _ in range(count):
        p0_at, q1_at = q0_at - step, q0_at + step
        p1_at, q2_at = p0_at - step, q1_at + step
        p2_at = p1_at - step
        p2, p1, p0 = np.int64(samples[p2_at]), np.int64(samples[p1_at]), np.int64(samples[p0_at])
        q0, q1, q2 = np.int64(samples[q0_at]), np.int64(samples[q1_at]), np.int64(samples[q2_at])
        variance = max(abs(p1 - p0), abs(q1 - q0))
        if (
            max(variance, abs(p2 - p1), abs(q2 - q1)) <= limit
            and abs(p0 - q0) * 2 + (abs(p1 - q1) >> 1) <= blimit
        ):
            if max(variance, abs(p2 - p0), abs(q2 - q0)) <= 1:
                total = p2 * 3 + p1 * 2 + p0 * 2 + q0 + 4
                samples[p1_at] = total >> 3
                total += q0 + q1 - p2 - p2
                samples[p0_at] = total >> 3
                total += q1 + q2 - p2 - p1
                samples[q0_at] = total >> 3
                total += q2 + q2 - p1 - p0
                samples[q1_at] = total >> 3
            else:
                p1, p0, q0, q1 = _narrow(p1, p0, q0, q1, variance > thresh)
                samples[p1_at], samples[p0_at], samples[q0_at], samples[q1_at] = p1, p0, q0, q1
        q0_at += next_line


def _filter_8(samples, q0_at, step, next_line, count, limit, blimit, thresh):
    for _ in range(count):
        p0_at, q1_at = q0_at - step, q0_at + step
        p1_at, q2_at = p0_at - step, q1_at + step
        p2_at, q3_at = p1_at - step, q2_at + step
        p1, p0 = np.int64(samples[p1_at]), np.int64(samples[p0_at])
        q0, q1 = np.int64(samples[q0_at]), np.int64(samples[q1_at])
        p3, p2 = np.int64(samples[p2_at - step]), np.int64(samples[p2_at])
        q2, q3 = np.int64(samples[q2_at]), np.int64(samples[q3_at])
        variance = max(abs(p1 - p0), abs(q1 - q0))
        if (
            max(variance, abs(p2 - p1), abs(q2 - q1), abs(p3 - p2), abs(q3 - q2)) <= limit
            and abs(p0 - q0) * 2 + (abs(p1 - q1) >> 1) <= blimit
        ):
            if max(variance, abs(p2 - p0), abs(q2 - q0), abs(p3 - p0), abs(q3 - q0)) <= 1:
                _wide_8(samples, q0_at, step, p3, p2, p1, p0, q0, q1, q2, q3)
            else:
                p1, p0, q0, q1 = _narrow(p1, p0, q0, q1, variance > thresh)
                samples[p1_at], samples[p0_at], samples[q0_at], samples[q1_at] = p1, p0, q0, q1
        q0_at += next_line


def _filter_14(samples, q0_at, step, next_line, count, limit, blimit, thresh):
    for _ in range(count):
        p0_at, q1_at = q0_at - step, q0_at + step
        p1_at, q2_at = p0_at - step, q1_at + step
        p2_at, q3_at = p1_at - step, q2_at + step
        p3_at = p2_at - step
        p1, p0 = np.int64(samples[p1_at]), np.int64(samples[p0_at])
        q0, q1 = np.int64(samples[q0_at]), np.int64(samples[q1_at])
        p3, p2 = np.int64(samples[p3_at]), np.int64(samples[p2_at])
        q2, q3 = np.int64(samples[q2_at]), np.int64(samples[q3_at])
        variance = max(abs(p1 - p0), abs(q1 - q0))
        if (
            max(variance, abs(p2 - p1), abs(q2 - q1), abs(p3 - p2), abs(q3 - q2)) <= limit
            and abs(p0 - q0) * 2 + (abs(p1 - q1) >> 1) <= blimit
        ):
            if max(variance, abs(p2 - p0), abs(q2 - q0), abs(p3 - p0), abs(q3 - q0)) <= 1:
                p4_at, q4_at = p3_at - step, q3_at + step
                p5_at, q5_at = p4_at - step, q4_at + step
                p6, p5, p4 = np.int64(samples[p5_at - step]), np.int64(samples[p5_at]), np.int64(samples[p4_at])
                q4, q5, q6 = np.int64(samples[q4_at]), np.int64(samples[q5_at]), np.int64(samples[q5_at + step])
                p_range = max(abs(p4 - p0), abs(p5 - p0), abs(p6 - p0))
                if max(p_range, abs(q4 - q0), abs(q5 - q0), abs(q6 - q0)) <= 1:
                    _wide_14(samples, q0_at, step, p6, p5, p4, p3, p2, p1, p0, q0, q1, q2, q3, q4, q5, q6)
                else:
                    _wide_8(samples, q0_at, step, p3, p2, p1, p0, q0, q1, q2, q3)
            else:
                p1, p0, q0, q1 = _narrow(p1, p0, q0, q1, variance > thresh)
                samples[p1_at], samples[p0_at], samples[q0_at], samples[q1_at] = p1, p0, q0, q1
        q0_at += next_line


def _clamp(x):
    return min(max(x, -128), 127)


def _narrow(p1, p0, q0, q1, high_edge_variance):
    """Narrow filter process (spec 7.14.6.3): the four samples around the edge. Only the clipped values need the offset of 128."""
    base = _clamp(p1 - q1) if high_edge_variance else 0
    base = _clamp(base + 3 * (q0 - p0))
    filter1 = min(base + 4, 127) >> 3
    filter2 = min(base + 3, 127) >> 3
    outer = 0 if high_edge_variance else (filter1 + 1) >> 1
    return _clip(p1 + outer), _clip(p0 + filter2), _clip(q0 - filter1), _clip(q1 - outer)


def _clip(x):
    return min(max(x, 0), 255)


def _wide_8(samples, q0_at, step, p3, p2, p1, p0, q0, q1, q2, q3):
    """Wide filter process (spec 7.14.6.4) with log2Size 3; each sum follows from the one before."""
    at = q0_at - step - step - step
    total = 3 * p3 + 2 * p2 + p1 + p0 + q0 + 4
    samples[at] = total >> 3
    at += step
    total += p1 + q1 - p3 - p2
    samples[at] = total >> 3
    at += step
    total += p0 + q2 - p3 - p1
    samples[at] = total >> 3
    at += step
    total += q0 + q3 - p3 - p0
    samples[at] = total >> 3
    at += step
    total += q1 + q3 - p2 - q0
    samples[at] = total >> 3
    at += step
    total += q2 + q3 - p1 - q1
    samples[at] = total >> 3


def _wide_14(samples, q0_at, step, p6, p5, p4, p3, p2, p1, p0, q0, q1, q2, q3, q4, q5, q6):
    """Wide filter process (spec 7.14.6.4) with log2Size 4."""
    at = q0_at - step - step - step
    at = at - step - step - step
    total = 7 * p6 + 2 * p5 + 2 * p4 + p3 + p2 + p1 + p0 + q0 + 8
    samples[at] = total >> 4
    at += step
    total += p3 + q1 - p6 - p6
    samples[at] = total >> 4
    at += step
    total += p2 + q2 - p6 - p5
    samples[at] = total >> 4
    at += step
    total += p1 + q3 - p6 - p4
    samples[at] = total >> 4
    at += step
    total += p0 + q4 - p6 - p3
    samples[at] = total >> 4
    at += step
    total += q0 + q5 - p6 - p2
    samples[at] = total >> 4
    at += step
    total += q1 + q6 - p6 - p1
    samples[at] = total >> 4
    at += step
    total += q2 + q6 - p5 - p0
    samples[at] = total >> 4
    at += step
    total += q3 + q6 - p4 - q0
    samples[at] = total >> 4
    at += step
    total += q4 + q6 - p3 - q1
    samples[at] = total >> 4
    at += step
    total += q5 + q6 - p2 - q2
    samples[at] = total >> 4
    at += step
    total += q6 + q6 - p1 - q3
    samples[at] = total >> 4
