"""Motion vectors of a block by search on the reference picture: whole samples by SAD, then fractions by SATD.

Vectors are in 1/8 luma samples. Costs are those of costs.satd_cost: distortion and the rate of the vector's difference from its
prediction.
"""

from numpy import int64

from encoder.spec import EIGHTTAP
from encoder.tile.costs import satd_cost
from encoder.tile.inter_modes import mv_rate
from encoder.tile.inter_predict import put_prediction

OUTSIDE = 8
"""So many samples a searched block may lie beyond the picture."""
LARGEST_BLOCK_STEP = 4
"""Of the search on whole samples, around its start, in 64x64 blocks; smaller ones begin where larger ones have been."""
HALF, QUARTER = 4, 2
"""Of a sample, in 1/8."""
MOVES = 2
"""How often a search may go on in one step size."""


def source_at(t, x, y):
    """Index of a luma sample in t.src."""
    return t.origin[0] + y * t.stride[0] + x


def whole_sample_cost(k, t, x, y, n, ref, row, col, pred_row, pred_col):
    """Cost of a vector of whole samples (row, col in samples), by SAD."""
    stride = t.stride[0]
    at = t.ref_at[ref] + t.origin[0] + (y + row) * stride + x + col
    sad = k.sad(t.src, source_at(t, x, y), stride, t.refs, at, stride, n, n)
    return satd_cost(t, 2 * sad, mv_rate(t, row * 8 - pred_row, col * 8 - pred_col))


def clamp_row(t, y, n, row):
    """The nearest row offset, in whole samples, at which a block at y stays within reach of the picture."""
    return max(-(n + OUTSIDE) - y, min(row, t.height + OUTSIDE - y))


def clamp_col(t, x, n, col):
    """The nearest column offset likewise."""
    return max(-(n + OUTSIDE) - x, min(col, t.width + OUTSIDE - x))


def search_whole_samples(k, t, x, y, n, ref, row, col, cost, pred_row, pred_col):
    """Descend from (row, col), in samples, in ever smaller diamonds; gives row, col, cost.

    t.around holds the costs around the end: below, above, right, left.
    """
    step = int64(LARGEST_BLOCK_STEP if n == 64 else 1)
    while step > 0:
        for _ in range(MOVES):
            best_row, best_col = row, col
            _costs_around(k, t, x, y, n, ref, row, col, step, cost, pred_row, pred_col)
            for side in range(4):
                if t.around[side] < cost:
                    cost = t.around[side]
                    best_row, best_col = _beside(row, col, side, step)
            if best_row == row and best_col == col:
                break
            row, col = best_row, best_col
        step >>= 1
    return row, col, cost


def _beside(row, col, side, step):
    """The vector below, above, right or left of another one."""
    if side < 2:
        return row + (step if side == 0 else -step), col
    return row, col + (step if side == 2 else -step)


def _costs_around(k, t, x, y, n, ref, row, col, step, cost, pred_row, pred_col):
    """t.around: costs of the four vectors beside (row, col), in samples; `cost`, its own, for those out of reach."""
    stride = t.stride[0]
    at = t.ref_at[ref] + t.origin[0] + (y + row) * stride + x + col
    k.sad_x4(
        t.src, source_at(t, x, y), stride,
        t.refs, at + step * stride, at - step * stride, at + step, at - step, stride, n, n, t.around,
    )  # fmt: skip
    for side in range(4):
        new_row, new_col = _beside(row, col, int64(side), step)
        if new_row != clamp_row(t, y, n, new_row) or new_col != clamp_col(t, x, n, new_col):
            t.around[side] = cost
        else:
            t.around[side] = satd_cost(
                t, 2 * t.around[side], mv_rate(t, new_row * 8 - pred_row, new_col * 8 - pred_col)
            )


def fraction_satd(k, t, x, y, n, ref, row, col):
    """SATD of the prediction with a vector in 1/8 samples."""
    put_prediction(k, t, t.prediction, int64(0), n, int64(0), x, y, n, n, ref, row, col, int64(EIGHTTAP))
    return k.satd(t.src, source_at(t, x, y), t.stride[0], t.prediction, int64(0), n, n, n)


def search_fractions(k, t, x, y, n, ref, row, col, cost, pred_row, pred_col, step):
    """From `step`, HALF or QUARTER, to quarters or, where the frame has them, eighths of a sample around (row, col); gives row,
    col and cost by SATD.

    In each step the four neighbours, then the diagonal between the better ones.
    """
    finest = int64(1 if t.allow_high_precision_mv else 2)
    while step >= finest:
        up = _fraction_cost(k, t, x, y, n, ref, row - step, col, pred_row, pred_col)
        down = _fraction_cost(k, t, x, y, n, ref, row + step, col, pred_row, pred_col)
        left = _fraction_cost(k, t, x, y, n, ref, row, col - step, pred_row, pred_col)
        right = _fraction_cost(k, t, x, y, n, ref, row, col + step, pred_row, pred_col)
        new_row = row - step if up < down else row + step
        new_col = col - step if left < right else col + step
        diagonal = _fraction_cost(k, t, x, y, n, ref, new_row, new_col, pred_row, pred_col)
        vertical, horizontal = min(up, down), min(left, right)
        best = min(min(vertical, horizontal), diagonal)
        if best < cost:
            cost = best
            if best == diagonal:
                row, col = new_row, new_col
            elif best == vertical:
                row = new_row
            else:
                col = new_col
        step >>= 1
    return row, col, cost


def fit_fraction(k, t, x, y, n, ref, row, col, whole_cost, pred_row, pred_col):
    """The better, by SATD, of (row, col) in samples and the quarter where parabolas through t.around have their least; gives row,
    col in 1/8 samples and cost."""
    best_row, best_col = row * 8, col * 8
    cost = _fraction_cost(k, t, x, y, n, ref, best_row, best_col, pred_row, pred_col)
    new_row = best_row + QUARTER * _least_quarter(t.around[1], whole_cost, t.around[0])
    new_col = best_col + QUARTER * _least_quarter(t.around[3], whole_cost, t.around[2])
    if new_row != best_row or new_col != best_col:
        new_cost = _fraction_cost(k, t, x, y, n, ref, new_row, new_col, pred_row, pred_col)
        if new_cost < cost:
            return new_row, new_col, new_cost
    return best_row, best_col, cost


def _least_quarter(before, at, behind):
    """Where a parabola through three neighbours' costs has its least: -2..2 quarters from the middle one."""
    curve = before + behind - 2 * at
    if curve <= 0:
        return int64(0)
    return max(int64(-2), min(int64(2), ((before - behind) * 4 + curve) // (2 * curve)))


def _fraction_cost(k, t, x, y, n, ref, row, col, pred_row, pred_col):
    satd = fraction_satd(k, t, x, y, n, ref, row, col)
    return satd_cost(t, satd, mv_rate(t, row - pred_row, col - pred_col))
