"""Deblocking for the compiler (spec 7.14.6): samples stay in registers. The contract is in table.py."""

import numpy as np

from encoder.kernels.set_python.deblock import filter_limits


def deblock_edge(samples, at, across, along, count, filter_size, level, sharpness, plane):
    """Line by line across the edge: masks from the samples nearest to the edge outwards, then the filter that they choose."""
    limit, blimit, thresh = filter_limits(level, sharpness)
    length = 6 if filter_size == 8 and plane > 0 else filter_size
    # A signed index costs a test for negative values.
    step, next_line, q0_at = np.uint64(across), np.uint64(along), np.uint64(at) - np.uint64(along)
    for _ in range(count):
        q0_at += next_line
        p0_at, q1_at = q0_at - step, q0_at + step
        p1_at = p0_at - step
        p1, p0 = np.int64(samples[p1_at]), np.int64(samples[p0_at])
        q0, q1 = np.int64(samples[q0_at]), np.int64(samples[q1_at])
        variance = max(abs(p1 - p0), abs(q1 - q0))
        if max(variance - limit, abs(p0 - q0) * 2 + (abs(p1 - q1) >> 1) - blimit) > 0:
            continue
        if length > 4:
            p2, q2 = np.int64(samples[p1_at - step]), np.int64(samples[q1_at + step])
            if max(abs(p2 - p1), abs(q2 - q1)) > limit:
                continue
            from_edge = max(variance, abs(p2 - p0), abs(q2 - q0))
            if length == 6:
                if from_edge <= 1:
                    _wide_6(samples, p1_at, step, p2, p1, p0, q0, q1, q2)
                    continue
            else:
                p3_at, q3_at = p1_at - step - step, q1_at + step + step
                p3, q3 = np.int64(samples[p3_at]), np.int64(samples[q3_at])
                if max(abs(p3 - p2), abs(q3 - q2)) > limit:
                    continue
                if max(from_edge, abs(p3 - p0), abs(q3 - q0)) <= 1:
                    if length == 8 or not _filter_14(samples, p3_at, q3_at, step, p3, p2, p1, p0, q0, q1, q2, q3):
                        _wide_8(samples, p3_at + step, step, p3, p2, p1, p0, q0, q1, q2, q3)
                    continue
        _narrow(samples, p1_at, p0_at, q0_at, q1_at, p1, p0, q0, q1, variance > thresh)
    return 0


def _narrow(samples, p1_at, p0_at, q0_at, q1_at, p1, p0, q0, q1, high_edge_variance):
    """Narrow filter process (spec 7.14.6.3). Adding 128 after its last clip is clipping to 8 bits."""
    base = min(max(p1 - q1, -128), 127) if high_edge_variance else 0
    base = min(max(base + 3 * (q0 - p0), -128), 127)
    filter1 = min(base + 4, 127) >> 3
    filter2 = min(base + 3, 127) >> 3
    samples[p0_at] = min(max(p0 + filter2, 0), 255)
    samples[q0_at] = min(max(q0 - filter1, 0), 255)
    if not high_edge_variance:
        outer = (filter1 + 1) >> 1
        samples[p1_at] = min(max(p1 + outer, 0), 255)
        samples[q1_at] = min(max(q1 - outer, 0), 255)


# Wide filter process (spec 7.14.6.4): a sum over the first window, then what each step of the window adds and takes away.


def _wide_6(samples, at, step, p2, p1, p0, q0, q1, q2):
    """Chroma, log2Size 3: p1 .. q1, from index `at` on."""
    total = 3 * p2 + 2 * p1 + 2 * p0 + q0 + 4
    samples[at] = total >> 3
    at += step
    total += q0 + q1 - p2 - p2
    samples[at] = total >> 3
    at += step
    total += q1 + q2 - p2 - p1
    samples[at] = total >> 3
    at += step
    total += q2 + q2 - p1 - p0
    samples[at] = total >> 3


def _wide_8(samples, at, step, p3, p2, p1, p0, q0, q1, q2, q3):
    """Luma, log2Size 3: p2 .. q2, from index `at` on."""
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


def _filter_14(samples, p3_at, q3_at, step, p3, p2, p1, p0, q0, q1, q2, q3):
    """Luma, log2Size 4: p5 .. q5, where flatMask2 holds. Returns whether it does."""
    p4_at, q4_at = p3_at - step, q3_at + step
    p5_at, q5_at = p4_at - step, q4_at + step
    p6, p5, p4 = np.int64(samples[p5_at - step]), np.int64(samples[p5_at]), np.int64(samples[p4_at])
    q4, q5, q6 = np.int64(samples[q4_at]), np.int64(samples[q5_at]), np.int64(samples[q5_at + step])
    p_range = max(abs(p4 - p0), abs(p5 - p0), abs(p6 - p0))
    if max(p_range, abs(q4 - q0), abs(q5 - q0), abs(q6 - q0)) > 1:
        return False
    at = p5_at
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
    return True
