"""Intra prediction of a block by rate-distortion: modes ranked by SATD and rate, the best coded with their transforms.

What is chosen stands in the block's row of t.choice, what it looks like in t.rec.
"""

import numpy as np
from numpy import int64

from encoder.spec import (
    D45_PRED,
    D67_PRED,
    D113_PRED,
    D135_PRED,
    D157_PRED,
    D203_PRED,
    DC_PRED,
    DCT_DCT,
    H_PRED,
    IDTX,
    INTRA_MODES,
    MAX_ANGLE_DELTA,
    PAETH_PRED,
    SMOOTH_H_PRED,
    SMOOTH_PRED,
    SMOOTH_V_PRED,
    TX_SET_DCTONLY,
    UV_CFL_PRED,
    V_PRED,
)
from encoder.tile.block import (
    add_residual,
    load_cfl_ac,
    luma_end,
    other_levels,
    plane_levels,
    plane_tx_size,
    predict_in_place,
    quantize_coefs,
    quantizer_shift,
    transform_and_quantize,
)
from encoder.tile.blocks import block_4x4s, is_inside, mark_decoded
from encoder.tile.choice import (
    ALPHA_U,
    ALPHA_V,
    ANGLE_UV,
    ANGLE_Y,
    HAS_COEFS,
    LUMA_EOB,
    TX_SIZE,
    TX_TYPE,
    UV_MODE,
    Y_MODE,
)
from encoder.tile.coefs import coded_size, txb_skip_cdf
from encoder.tile.costs import COST_BITS, NO_COST, rd_cost, satd_cost
from encoder.tile.modes import (
    angle_delta_cdf,
    cfl_allowed,
    cfl_rate,
    has_angle_delta,
    implied_tx_type,
    max_tx_size,
    tx_depth_cdf,
    tx_set,
    tx_type_rate,
    uv_mode_cdf,
    y_mode_cdf,
)
from encoder.tile.predict import predict, read_edges, smooth_neighbour
from encoder.tile.state import CHOICE_WORDS

MODE_ORDER = np.array(
    [DC_PRED, V_PRED, H_PRED, SMOOTH_PRED, PAETH_PRED, D45_PRED, D135_PRED, D113_PRED, D157_PRED, D203_PRED, D67_PRED,
     SMOOTH_V_PRED, SMOOTH_H_PRED]
)  # fmt: skip
COMMON_MODES = 5
"""The first of MODE_ORDER are always tried, the others unless one of these leaves little (presets.SearchEffort.good_shift)."""
TYPICAL_ALL_ZERO_CONTEXT = 4
"""all_zero context assumed for transform blocks smaller than their block, whose neighbours the search does not track."""
IDTX_LARGEST = 8
"""Widest transform block for which the identity transform is tried, and that only where others leave a dense spectrum."""
HALF_FROM_EOB = 4
"""The half transform size is tried where the whole one leaves at least so many coefficients."""
COEFFICIENT_ERROR_SHIFT = 6
"""Up to 16x16, squared errors of coefficients are 64 times those of samples."""


# Luma ----------------------------------------------------------------------------------------------------------------------


def _luma_satd_cost(k, t, x, y, n, mode, delta, rate, have_above, have_left, filter_type):
    """Cost of a prediction of the whole luma block, made in scratch from the edges that are loaded."""
    predict(k, t, t.prediction, int64(0), n, int64(0), x, y, n, mode, delta, have_above, have_left, filter_type)
    at = t.origin[0] + y * t.stride[0] + x
    return satd_cost(t, k.satd(t.src, at, t.stride[0], t.prediction, int64(0), n, n, n), rate)


def _mode_rate(t, mode_cdf, block_size, mode, delta):
    rate = int64(t.rate[mode_cdf + mode])
    if has_angle_delta(mode, block_size):
        rate += t.rate[angle_delta_cdf(mode) + delta + MAX_ANGLE_DELTA]
    return rate


def try_luma(k, t, mi_row, mi_col, block_size):
    """Rank the intra modes of a block by SATD and rate, code the best; gives the cost of luma."""
    first, first_delta, second = rank_modes(k, t, mi_row, mi_col, block_size)
    return _try_transforms(k, t, mi_row, mi_col, block_size, first, first_delta, second)


def rank_modes(k, t, mi_row, mi_col, block_size):
    """The intra mode of a block that is best by SATD and rate, its angle delta, and the second best mode; -1: far behind."""
    level = block_size // 3
    x, y, n = mi_col * 4, mi_row * 4, int64(4) << level
    have_above, have_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    filter_type = smooth_neighbour(t, mi_row, mi_col, 0, level == 0)
    mode_cdf = y_mode_cdf(t, mi_row, mi_col, block_size)
    read_edges(t, t.rec, 0, x, y, n, have_above, have_left)
    first_cost = second_cost = int64(NO_COST)
    first = second = int64(DC_PRED)
    first_delta = int64(0)
    good_enough = (n * n * t.ac_q) << (COST_BITS - t.good_shift)
    for i in range(INTRA_MODES):
        if i == COMMON_MODES and first_cost < good_enough:
            break
        mode = MODE_ORDER[i]
        rate = _mode_rate(t, mode_cdf, block_size, mode, int64(0))
        cost = _luma_satd_cost(k, t, x, y, n, mode, int64(0), rate, have_above, have_left, filter_type)
        if cost < first_cost:
            second_cost, second = first_cost, first
            first_cost, first = cost, mode
        elif cost < second_cost:
            second_cost, second = cost, mode
    if has_angle_delta(first, block_size):
        for step in range(2):
            around = first_delta
            reach = 2 - step
            for side in range(2):
                delta = around + (reach if side else -reach)
                rate = _mode_rate(t, mode_cdf, block_size, first, delta)
                cost = _luma_satd_cost(k, t, x, y, n, first, delta, rate, have_above, have_left, filter_type)
                if cost < first_cost:
                    first_cost, first_delta = cost, delta
    if second_cost > first_cost + (first_cost >> t.close_shift):
        second = int64(-1)
    return first, first_delta, second


def plan_satd_cost(k, t, mi_row, mi_col, block_size):
    """What the common modes leave of a block at best, by SATD, predicted from the source around it; without rates."""
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    have_above, have_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    read_edges(t, t.src, 0, x, y, n, have_above, have_left)
    best = int64(NO_COST)
    for i in range(COMMON_MODES):
        cost = _luma_satd_cost(k, t, x, y, n, MODE_ORDER[i], int64(0), int64(0), have_above, have_left, False)
        best = min(best, cost)
    return best


def rank_common_modes(k, t, mi_row, mi_col, block_size):
    """The common intra mode that is best by SATD and rate, and its cost."""
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    have_above, have_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    filter_type = smooth_neighbour(t, mi_row, mi_col, 0, block_size == 0)
    mode_cdf = y_mode_cdf(t, mi_row, mi_col, block_size)
    read_edges(t, t.rec, 0, x, y, n, have_above, have_left)
    best, best_mode = int64(NO_COST), int64(DC_PRED)
    for i in range(COMMON_MODES):
        mode = MODE_ORDER[i]
        rate = _mode_rate(t, mode_cdf, block_size, mode, int64(0))
        cost = _luma_satd_cost(k, t, x, y, n, mode, int64(0), rate, have_above, have_left, filter_type)
        if cost < best:
            best, best_mode = cost, mode
    return best_mode, best


def _try_transforms(k, t, mi_row, mi_col, block_size, first, first_delta, second):
    """Code the best prediction, also with half the transform size, and the second best (-1: none); gives the best cost."""
    c = (block_size // 3) * CHOICE_WORDS
    whole = max_tx_size(block_size)
    filter_type = smooth_neighbour(t, mi_row, mi_col, 0, block_size == 0)
    mode_cdf = y_mode_cdf(t, mi_row, mi_col, block_size)
    rate = _mode_rate(t, mode_cdf, block_size, first, first_delta)
    best = _code_luma(k, t, mi_row, mi_col, block_size, first, first_delta, whole, filter_type, rate, int64(NO_COST))
    if not t.choice[c + HAS_COEFS]:
        return best
    x, y, n = mi_col * 4, mi_row * 4, int64(4) << whole
    last = best
    if t.tx_mode_select and whole > 1 and t.choice[c + LUMA_EOB] >= HALF_FROM_EOB:
        _copy_luma(t, x, y, n, 1)
        last = _code_luma(k, t, mi_row, mi_col, block_size, first, first_delta, whole - 1, filter_type, rate, best)
        best = min(best, last)
    if second >= 0:
        if last == best:
            _copy_luma(t, x, y, n, 1)
        rate = _mode_rate(t, mode_cdf, block_size, second, int64(0))
        last = _code_luma(k, t, mi_row, mi_col, block_size, second, int64(0), whole, filter_type, rate, best)
        best = min(best, last)
    if last > best:
        _copy_luma(t, x, y, n, 0)
    return best


def _copy_luma(t, x, y, n, save):
    """Keep the reconstruction of a luma block in t.saved, or bring it back."""
    for i in range(n):
        row = t.origin[0] + (y + i) * t.stride[0] + x
        if save:
            for j in range(n):
                t.saved[i * n + j] = t.rec[row + j]
        else:
            for j in range(n):
                t.rec[row + j] = t.saved[i * n + j]


def _code_luma(k, t, mi_row, mi_col, block_size, mode, delta, tx_size, filter_type, mode_rate, best):
    """Cost of the luma block with these choices, reconstructed in t.rec; they are kept in t.choice if it is below best."""
    level = block_size // 3
    c = level * CHOICE_WORDS
    size4, step = int64(1) << level, int64(1) << tx_size
    n = int64(4) << tx_size
    stride = t.stride[0]
    have_above, have_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    rate, distortion, eobs = mode_rate, int64(0), int64(0)
    if t.tx_mode_select and block_size > 0:
        rate += t.rate[tx_depth_cdf(t, mi_row, mi_col, block_size) + level - tx_size]
    mark_decoded(t, 0, mi_row & 15, mi_col & 15, size4, 0)
    zero_context = int64(0) if step == size4 else int64(TYPICAL_ALL_ZERO_CONTEXT)
    zero_cdf = txb_skip_cdf(tx_size, zero_context)
    tx_type = implied_tx_type(t, mode, tx_size)
    for y4 in range(0, size4, step):
        for x4 in range(0, size4, step):
            x, y = (mi_col + x4) * 4, (mi_row + y4) * 4
            if mi_col + x4 >= t.mi_cols or mi_row + y4 >= t.mi_rows:
                continue
            above, left = have_above or y4 > 0, have_left or x4 > 0
            predict_in_place(k, t, 0, x, y, n, mode, delta, above, left, filter_type)
            at = t.origin[0] + y * stride + x
            levels = plane_levels(t, 0, 0, tx_size)
            if step == size4 and tx_set(t, tx_size, 0) != TX_SET_DCTONLY:
                tx_type, eob, coefs = _best_tx_type(k, t, at, stride, n, tx_size, mode, levels)
            else:
                eob, coefs = transform_and_quantize(k, t, int64(0), at, stride, tx_size, tx_type, levels)
                if eob > 0:
                    coefs += tx_type_rate(t, tx_size, tx_type, mode, 0)
            add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
            rate += coefs + t.rate[zero_cdf + (1 if eob == 0 else 0)]
            eobs += eob
            distortion += visible_sse(k, t, 0, x, y, n)
            mark_decoded(t, 0, (mi_row + y4) & 15, (mi_col + x4) & 15, step, 1)
    cost = rd_cost(t, distortion, rate)
    if cost < best:
        t.choice[c + Y_MODE] = mode
        t.choice[c + ANGLE_Y] = delta
        t.choice[c + TX_SIZE] = tx_size
        t.choice[c + TX_TYPE] = tx_type
        t.choice[c + HAS_COEFS] = 1 if eobs > 0 else 0
        t.choice[c + LUMA_EOB] = eobs
    return cost


def _best_tx_type(k, t, at, stride, n, tx_size, mode, levels):
    """The transform type of least cost for the prediction in t.rec: the mode's own, DCT_DCT, for small blocks IDTX.

    Gives the type, its eob and the rate of its coefficients, with its levels in place. Errors are taken between
    coefficients, which costs no inverse transform.
    """
    implied = implied_tx_type(t, mode, tx_size)
    best, best_type, best_eob, best_rate = int64(NO_COST), implied, int64(0), int64(0)
    count, other = coded_size(tx_size) ** 2, other_levels(t, tx_size)
    eob, tx_type = int64(0), implied
    k.residual(t.src, at, stride, t.rec, at, stride, t.residual, n, n)
    for attempt in range(3):
        if attempt == 1 and implied == DCT_DCT:
            continue
        if attempt == 2 and (n > IDTX_LARGEST or eob * 2 < count):
            continue
        if attempt > 0:
            tx_type = int64(DCT_DCT if attempt == 1 else IDTX)
        k.forward_transform(t.residual, t.coefs, tx_size, tx_type)
        eob, rate = quantize_coefs(k, t, int64(0), tx_size, tx_type, other)
        if eob == 0:
            return tx_type, eob, int64(0)
        rate += tx_type_rate(t, tx_size, tx_type, mode, 0)
        cost = levels_cost(k, t, tx_size, other, rate)
        if cost < best:
            best, best_type, best_eob, best_rate = cost, tx_type, eob, rate
            for i in range(count):
                levels[i] = other[i]
        if eob == 1:
            break
    return best_type, best_eob, best_rate


def levels_cost(k, t, tx_size, levels, rate):
    """Cost of a transform block up to 16x16 by the error of its levels beside t.coefs, which takes no inverse transform."""
    count = coded_size(tx_size) ** 2
    k.dequantize(levels, t.dequantized, count, t.dc_q, t.ac_q, quantizer_shift(tx_size))
    return rd_cost(t, k.coefficient_error(t.coefs, t.dequantized, count) >> COEFFICIENT_ERROR_SHIFT, rate)


def visible_sse(k, t, plane, x, y, n):
    """Squared error of a block inside the picture's 8x8 grid."""
    sub = 1 if plane > 0 else 0
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    w, h = min(n, ((t.mi_cols * 4) >> sub) - x), min(n, ((t.mi_rows * 4) >> sub) - y)
    return k.sse(t.src, at, stride, t.rec, at, stride, w, h)


# Chroma --------------------------------------------------------------------------------------------------------------------


def try_chroma(k, t, mi_row, mi_col, block_size):
    """Rank the chroma modes that are likely, code the best; gives its cost."""
    rank_chroma(k, t, t.rec, mi_row, mi_col, block_size)
    return _code_chroma(k, t, mi_row, mi_col, block_size)


def rank_chroma(k, t, luma, mi_row, mi_col, block_size):
    """Leave the best of the likely chroma modes in t.choice. luma: what chroma is predicted from, t.rec or, before it is coded,
    t.src."""
    level = block_size // 3
    c = level * CHOICE_WORDS
    n = int64(4) << plane_tx_size(block_size, int64(0), 1)
    x, y, have_above, have_left, filter_type = _chroma_place(t, mi_row, mi_col, level == 0)
    y_mode, y_delta = t.choice[c + Y_MODE], t.choice[c + ANGLE_Y]
    mode_cdf = uv_mode_cdf(y_mode, block_size)
    sad_dc = sad_luma = sad_smooth = sad_cfl = int64(0)
    alpha_u = alpha_v = int64(0)
    with_cfl = cfl_allowed(block_size)
    if with_cfl:
        _load_block_cfl_ac(k, t, luma, mi_row, mi_col, block_size, x, y, n)
    for plane in range(1, 3):
        read_edges(t, t.rec, plane, x, y, n, have_above, have_left)
        sad_luma += _chroma_sad(k, t, plane, x, y, n, y_mode, y_delta, have_above, have_left, filter_type)
        sad_smooth += _chroma_sad(k, t, plane, x, y, n, SMOOTH_PRED, int64(0), have_above, have_left, filter_type)
        sad = _chroma_sad(k, t, plane, x, y, n, DC_PRED, int64(0), have_above, have_left, filter_type)
        sad_dc += sad
        if with_cfl:
            alpha = _best_alpha(k, t, plane, x, y, n)
            if plane == 1:
                alpha_u = alpha
            else:
                alpha_v = alpha
            if alpha != 0:
                k.cfl_predict(t.prediction, int64(0), n, n, n, t.cfl_ac, alpha)
                at = t.origin[plane] + y * t.stride[plane] + x
                sad = k.sad(t.src, at, t.stride[plane], t.prediction, int64(0), n, n, n)
            sad_cfl += sad
    t.choice[c + UV_MODE] = DC_PRED
    t.choice[c + ANGLE_UV] = 0
    best = satd_cost(t, 2 * sad_dc, _mode_rate(t, mode_cdf, block_size, DC_PRED, int64(0)))
    cost = satd_cost(t, 2 * sad_luma, _mode_rate(t, mode_cdf, block_size, y_mode, y_delta))
    if cost < best:
        best = cost
        t.choice[c + UV_MODE] = y_mode
        t.choice[c + ANGLE_UV] = y_delta
    cost = satd_cost(t, 2 * sad_smooth, _mode_rate(t, mode_cdf, block_size, SMOOTH_PRED, int64(0)))
    if cost < best:
        best = cost
        t.choice[c + UV_MODE] = SMOOTH_PRED
        t.choice[c + ANGLE_UV] = 0
    if alpha_u != 0 or alpha_v != 0:
        rate = int64(t.rate[mode_cdf + UV_CFL_PRED]) + cfl_rate(t, alpha_u, alpha_v)
        if satd_cost(t, 2 * sad_cfl, rate) < best:
            t.choice[c + UV_MODE] = UV_CFL_PRED
            t.choice[c + ANGLE_UV] = 0
            t.choice[c + ALPHA_U] = alpha_u
            t.choice[c + ALPHA_V] = alpha_v


def _chroma_place(t, mi_row, mi_col, small):
    """Where a block's chroma lies, whether there is something above and to the left, and the filter type of its edges."""
    reach = 2 if small else 1
    have_above, have_left = is_inside(t, mi_row - reach, mi_col), is_inside(t, mi_row, mi_col - reach)
    return (mi_col >> 1) * 4, (mi_row >> 1) * 4, have_above, have_left, smooth_neighbour(t, mi_row, mi_col, 1, small)


def _chroma_sad(k, t, plane, x, y, n, mode, delta, have_above, have_left, filter_type):
    """SAD of a prediction of one plane, left in t.prediction, from the edges that are loaded."""
    predict(k, t, t.prediction, int64(0), n, plane, x, y, n, mode, delta, have_above, have_left, filter_type)
    at = t.origin[plane] + y * t.stride[plane] + x
    return k.sad(t.src, at, t.stride[plane], t.prediction, int64(0), n, n, n)


def _load_block_cfl_ac(k, t, samples, mi_row, mi_col, block_size, x, y, n):
    luma_4x4, tx_4x4 = block_4x4s(block_size), int64(1) << t.choice[(block_size // 3) * CHOICE_WORDS + TX_SIZE]
    first_row, first_col = mi_row, mi_col
    if block_size == 0:
        first_row, first_col, luma_4x4, tx_4x4 = mi_row - 1, mi_col - 1, int64(2), int64(1)
    end_x = luma_end(first_col, luma_4x4, tx_4x4, t.mi_cols)
    end_y = luma_end(first_row, luma_4x4, tx_4x4, t.mi_rows)
    load_cfl_ac(k, t, samples, x, y, n, end_x, end_y)


def _best_alpha(k, t, plane, x, y, n):
    """Least squares of (source - DC prediction, in t.prediction) on luma's variation, in the eighths that alpha counts."""
    at = t.origin[plane] + y * t.stride[plane] + x
    k.residual(t.src, at, t.stride[plane], t.prediction, int64(0), n, t.residual, n, n)
    product = square = int64(0)
    for i in range(n * n):
        ac = int64(t.cfl_ac[i])
        product += ac * int64(t.residual[i])
        square += ac * ac
    if square == 0:
        return int64(0)
    # prediction = alpha * ac / 64
    magnitude = min((abs(product) * 64 + (square >> 1)) // square, int64(16))
    return magnitude if product >= 0 else -magnitude


def _code_chroma(k, t, mi_row, mi_col, block_size):
    """Reconstruct both chroma planes with the choice; gives the cost."""
    level = block_size // 3
    c = level * CHOICE_WORDS
    tx_size = plane_tx_size(block_size, int64(0), 1)
    n = int64(4) << tx_size
    x, y, have_above, have_left, filter_type = _chroma_place(t, mi_row, mi_col, level == 0)
    mode_cdf = uv_mode_cdf(t.choice[c + Y_MODE], block_size)
    mode, delta = t.choice[c + UV_MODE], t.choice[c + ANGLE_UV]
    rate, distortion = _mode_rate(t, mode_cdf, block_size, mode, delta), int64(0)
    if mode == UV_CFL_PRED:
        rate += cfl_rate(t, t.choice[c + ALPHA_U], t.choice[c + ALPHA_V])
    tx_type = implied_tx_type(t, mode, tx_size)
    zero_cdf = txb_skip_cdf(tx_size, int64(8))
    for plane in range(1, 3):
        stride = t.stride[plane]
        at = t.origin[plane] + y * stride + x
        if mode == UV_CFL_PRED:
            predict_in_place(k, t, plane, x, y, n, DC_PRED, int64(0), have_above, have_left, False)
            k.cfl_predict(t.rec, at, stride, n, n, t.cfl_ac, t.choice[c + (ALPHA_U if plane == 1 else ALPHA_V)])
        else:
            predict_in_place(k, t, plane, x, y, n, mode, delta, have_above, have_left, filter_type)
        levels = plane_levels(t, plane, 0, tx_size)
        eob, coefs = transform_and_quantize(k, t, int64(plane), at, stride, tx_size, tx_type, levels)
        if eob > 0:
            add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
            rate += int64(t.rate[zero_cdf]) + coefs
            t.choice[c + HAS_COEFS] = 1
        else:
            rate += t.rate[zero_cdf + 1]
        distortion += visible_sse(k, t, plane, x, y, n)
        mark_decoded(t, plane, (y >> 2) & 7, (x >> 2) & 7, n >> 2, 1)
    return rd_cost(t, distortion, rate)
