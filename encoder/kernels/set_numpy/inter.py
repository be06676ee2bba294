"""Inter prediction as whole-array expressions, a filter as a sum of rows (spec 7.11.3). Contracts are in table.py."""

import numpy as np

from encoder.kernels.set_numpy.views import block, wide_block
from encoder.tables import table

SUBPEL_FILTERS = table("subpel_filters", np.int32)
TAPS_BEFORE, TAPS_BEHIND = 3, 4


def mc_put(dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """With InterRound1 of a single prediction."""
    sums = _filtered(ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)
    block(dst, dst_at, dst_stride, w, h)[:] = np.clip((sums + (1 << 10)) >> 11, 0, 255)
    return 0


def mc_prep(out, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """With InterRound1 of a compound prediction."""
    sums = _filtered(ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)
    out[: w * h] = ((sums + (1 << 6)) >> 7).ravel()
    return 0


def _filtered(ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y):
    """The sums after the second filter, before InterRound1, h x w. A filter of fraction 0 is its one tap of 128."""
    left, right = (TAPS_BEFORE, TAPS_BEHIND) if frac_x else (0, 0)
    above, below = (TAPS_BEFORE, TAPS_BEHIND) if frac_y else (0, 0)
    first = ref_at - above * ref_stride - left
    samples = wide_block(ref, first, ref_stride, left + w + right, above + h + below)
    intermediate = (_correlated(samples.T, filter_x, frac_x, w).T + 4) >> 3
    return _correlated(intermediate, filter_y, frac_y, h)


def _correlated(rows, filter_row, frac, count):
    """`count` rows, each the sum of eight rows from its own on times the taps."""
    if frac == 0:
        return rows * 128
    taps = SUBPEL_FILTERS[filter_row, frac].tolist()
    return sum(tap * rows[t : t + count] for t, tap in enumerate(taps) if tap)


def average(dst, dst_at, dst_stride, a, b, w, h):
    """The mean of two predictions in one expression."""
    total = a[: w * h].astype(np.int32) + b[: w * h]
    block(dst, dst_at, dst_stride, w, h)[:] = np.clip((total + 16) >> 5, 0, 255).reshape(h, w)
    return 0


def extend_edges(samples, at, stride, w, h, left, right, top, bottom):
    """Columns first, then whole rows with the columns that are there by then."""
    whole = block(samples, at - top * stride - left, stride, left + w + right, top + h + bottom)
    rows = whole[top : top + h]
    rows[:, :left] = rows[:, left : left + 1]
    rows[:, left + w :] = rows[:, left + w - 1 : left + w]
    whole[:top] = rows[0]
    whole[top + h :] = rows[-1]
    return 0
