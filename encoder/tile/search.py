"""Decisions for one superblock: partition, modes, transform size and type by rate-distortion, left in the block info.

Bottom up along the Z curve: 8x8 blocks, some as four 4x4; then a block is tried whole after its four quarters, from the same
neighbours that they had, and the cheaper of the two stays in t.rec and in the block info.
A trial ranks all prediction modes by SATD and rate, then takes the
best through transform, quantization and reconstruction. Costs are distortion << COST_BITS plus lambda times rate; everything
is integer, so that every kernel set decides alike. The coding pass (block.py) does the chosen blocks once more and writes.
"""

import numpy as np
from numpy import int64

from encoder.spec import (
    BLOCK_8X8,
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
    PARTITION_NONE,
    PARTITION_SPLIT,
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
    plane_levels,
    plane_tx_size,
    predict_in_place,
    quantize_coefs,
    quantizer_shift,
    transform_and_quantize,
)
from encoder.tile.blocks import block_4x4s, has_chroma, info_at, is_inside, mark_decoded, z_col, z_row
from encoder.tile.coefs import coded_size, coefs_rate, txb_skip_cdf
from encoder.tile.modes import (
    angle_delta_cdf,
    cfl_allowed,
    cfl_rate,
    forced_split_probability,
    has_angle_delta,
    implied_tx_type,
    max_tx_size,
    partition_cdf,
    skip_cdf,
    tx_depth_cdf,
    tx_set,
    tx_type_rate,
    uv_mode_cdf,
    y_mode_cdf,
)
from encoder.tile.predict import predict, read_edges, smooth_neighbour
from encoder.tile.state import CHOICE_WORDS
from encoder.tile.symbol import RATE_BITS

COST_BITS = 14
NO_COST = 1 << 62

# Words of a choice: one row of t.choice per block level (8x8 is 1, ..., 64x64 is 4; 4x4 is 0).
Y_MODE, ANGLE_Y, UV_MODE, ANGLE_UV, ALPHA_U, ALPHA_V, TX_SIZE, TX_TYPE, HAS_COEFS, LUMA_EOB = range(10)
MODE_ORDER = np.array(
    [DC_PRED, V_PRED, H_PRED, SMOOTH_PRED, PAETH_PRED, D45_PRED, D135_PRED, D113_PRED, D157_PRED, D203_PRED, D67_PRED,
     SMOOTH_V_PRED, SMOOTH_H_PRED]
)  # fmt: skip
COMMON_MODES = 5
"""The first of MODE_ORDER are always tried, the others unless one of these leaves little (config.SpeedPreset.good_shift)."""
TYPICAL_ALL_ZERO_CONTEXT = 4
"""all_zero context assumed for transform blocks smaller than their block, whose neighbours the search does not track."""
IDTX_LARGEST = 8
"""Widest transform block for which the identity transform is tried, and that only where others leave a dense spectrum."""
HALF_FROM_EOB = 4
"""The half transform size is tried where the whole one leaves at least so many coefficients."""
COEFFICIENT_ERROR_SHIFT = 6
"""Up to 16x16, squared errors of coefficients are 64 times those of samples."""
WHOLE_QUARTERS = np.array([0, 0, 2, 2, 3])
"""By level: of a block's quarters, so many must not have been split themselves for the whole to be tried."""
SPLIT_FROM_EOB = 4
"""An 8x8 block is tried as four 4x4 ones where its luma has at least so many coefficients."""


def rd_cost(t, distortion, rate):
    """Cost of a squared error and a rate in 1/512 bit."""
    return (distortion << COST_BITS) + ((t.rd_lambda * rate) >> RATE_BITS)


def satd_cost(t, satd, rate):
    """Cost of a SATD (or of twice a SAD, which is about as large) and a rate, for ranking predictions."""
    return (satd << COST_BITS) + ((t.satd_lambda * rate) >> RATE_BITS)


def search_superblock(k, t, sb_row, sb_col):
    """Decide the superblock at (sb_row, sb_col)."""
    cost_8 = cost_16 = cost_32 = int64(0)
    flat_16 = flat_32 = False
    for z in range(64):
        mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
        if z & 15 == 0:
            flat_32 = _is_flat(k, t, mi_row, mi_col, 32)
        if z & 3 == 0:
            flat_16 = flat_32 or _is_flat(k, t, mi_row, mi_col, 16)
        if not flat_16 and mi_row < t.mi_rows and mi_col < t.mi_cols:
            cost_8 += _search_8x8(k, t, mi_row, mi_col)
        if z & 3 == 3:
            if not flat_32:
                split_cost = int64(NO_COST) if flat_16 else cost_8
                cost_16 += _merge(k, t, sb_row + z_row(z - 3) * 2, sb_col + z_col(z - 3) * 2, int64(2), split_cost)
            cost_8 = int64(0)
        if z & 15 == 15:
            split_cost = int64(NO_COST) if flat_32 else cost_16
            cost_32 += _merge(k, t, sb_row + z_row(z - 15) * 2, sb_col + z_col(z - 15) * 2, int64(3), split_cost)
            cost_16 = int64(0)
    _merge(k, t, sb_row, sb_col, int64(4), cost_32)


def _is_flat(k, t, mi_row, mi_col, n):
    """Whether a source block that lies inside the picture varies so little that splitting it cannot pay."""
    if mi_row * 4 + n > t.mi_rows * 4 or mi_col * 4 + n > t.mi_cols * 4:
        return False
    at = t.origin[0] + mi_row * 4 * t.stride[0] + mi_col * 4
    return k.variance(t.src, at, t.stride[0], n, n) * 64 * t.flat_divisor <= n * n * t.ac_q * t.ac_q


def _is_busy(k, t, mi_row, mi_col, n):
    """Whether a source block varies so much that 4x4 blocks may pay."""
    at = t.origin[0] + mi_row * 4 * t.stride[0] + mi_col * 4
    return k.variance(t.src, at, t.stride[0], n, n) * 64 > n * n * t.ac_q * t.ac_q * t.busy_factor


def _partition_rate(t, mi_row, mi_col, block_size, partition):
    """Rate of writing `partition` here."""
    half = int64(1) << (block_size // 3 - 1)
    has_rows, has_cols = mi_row + half < t.mi_rows, mi_col + half < t.mi_cols
    if not has_rows and not has_cols:
        return int64(0)
    at = partition_cdf(t, mi_row, mi_col, block_size)
    if has_rows and has_cols:
        return int64(t.rate[at + partition])
    return int64(t.rate_of_probability[(32768 - forced_split_probability(t, at, has_rows)) >> 5])


def _search_8x8(k, t, mi_row, mi_col):
    """The 8x8 block, then, where it leaves enough to gain, the four 4x4 blocks; gives the better cost."""
    rate = _partition_rate(t, mi_row, mi_col, int64(BLOCK_8X8), PARTITION_NONE)
    whole_cost = _try_block(k, t, mi_row, mi_col, int64(BLOCK_8X8)) + rd_cost(t, int64(0), rate)
    if t.choice[CHOICE_WORDS + LUMA_EOB] >= SPLIT_FROM_EOB and _is_busy(k, t, mi_row, mi_col, 8):
        _copy_block(t, mi_row, mi_col, int64(1), 1)
        rate = _partition_rate(t, mi_row, mi_col, int64(BLOCK_8X8), PARTITION_SPLIT)
        split_cost = rd_cost(t, int64(0), rate)
        for i in range(4):
            if split_cost < whole_cost:
                split_cost += _try_block(k, t, mi_row + (i >> 1), mi_col + (i & 1), int64(0))
                _keep_choice(t, mi_row + (i >> 1), mi_col + (i & 1), int64(0))
        if split_cost < whole_cost:
            return split_cost
        _copy_block(t, mi_row, mi_col, int64(1), 0)
    _keep_choice(t, mi_row, mi_col, int64(1))
    return whole_cost


def _merge(k, t, mi_row, mi_col, level, split_cost):
    """Try the block whole against its quarters, which cost split_cost and stand in t.rec; gives the better cost."""
    if mi_row >= t.mi_rows or mi_col >= t.mi_cols:
        return int64(0)
    block_size = level * 3
    half = int64(1) << (level - 1)
    if split_cost < NO_COST:
        rate = _partition_rate(t, mi_row, mi_col, block_size, PARTITION_SPLIT)
        split_cost += rd_cost(t, int64(0), rate)
    if mi_row + half >= t.mi_rows or mi_col + half >= t.mi_cols:
        return split_cost
    if split_cost < NO_COST and _whole_quarters(t, mi_row, mi_col, level) < WHOLE_QUARTERS[level]:
        return split_cost
    _copy_block(t, mi_row, mi_col, level, 1)
    rate = _partition_rate(t, mi_row, mi_col, block_size, PARTITION_NONE)
    whole_cost = _try_block(k, t, mi_row, mi_col, block_size) + rd_cost(t, int64(0), rate)
    if whole_cost <= split_cost:
        _keep_choice(t, mi_row, mi_col, level)
        return whole_cost
    _copy_block(t, mi_row, mi_col, level, 0)
    return split_cost


def _whole_quarters(t, mi_row, mi_col, level):
    """How many quarters of a block were not split themselves."""
    half = int64(1) << (level - 1)
    whole = int64(0)
    for i in range(4):
        at = info_at(t, mi_row + (i >> 1) * half, mi_col + (i & 1) * half)
        whole += t.block_size[at] >= (level - 1) * 3
    return whole


def _copy_block(t, mi_row, mi_col, level, save):
    """Copy a block of all planes between t.rec and t.backup."""
    at = int64(0)
    for plane in range(3):
        sub = 1 if plane > 0 else 0
        n = (int64(4) << level) >> sub
        stride = t.stride[plane]
        first = t.origin[plane] + ((mi_row * 4) >> sub) * stride + ((mi_col * 4) >> sub)
        for y in range(n):
            row = first + y * stride
            if save:
                for x in range(n):
                    t.backup[at + x] = t.rec[row + x]
            else:
                for x in range(n):
                    t.rec[row + x] = t.backup[at + x]
            at += n


def _keep_choice(t, mi_row, mi_col, level):
    """Write the choice of a level into the block info."""
    c = level * CHOICE_WORDS
    size4 = int64(1) << level
    for row in range(size4):
        at = info_at(t, mi_row + row, mi_col)
        for i in range(at, at + size4):
            t.block_size[i] = level * 3
            t.y_mode[i] = t.choice[c + Y_MODE]
            t.angle_y[i] = t.choice[c + ANGLE_Y]
            t.uv_mode[i] = t.choice[c + UV_MODE]
            t.angle_uv[i] = t.choice[c + ANGLE_UV]
            t.cfl_alpha_u[i] = t.choice[c + ALPHA_U]
            t.cfl_alpha_v[i] = t.choice[c + ALPHA_V]
            t.tx_size[i] = t.choice[c + TX_SIZE]
            t.tx_type[i] = t.choice[c + TX_TYPE]
            t.skip[i] = 1 - t.choice[c + HAS_COEFS]


def _try_block(k, t, mi_row, mi_col, block_size):
    """Find the best way to code a block whole, leave it in t.rec and in t.choice; gives its cost without the partition."""
    c = (block_size // 3) * CHOICE_WORDS
    t.choice[c + HAS_COEFS] = 0
    t.choice[c + ALPHA_U] = 0
    t.choice[c + ALPHA_V] = 0
    cost = _try_luma(k, t, mi_row, mi_col, block_size)
    if has_chroma(mi_row, mi_col, block_size):
        cost += _try_chroma(k, t, mi_row, mi_col, block_size)
    at = skip_cdf(t, mi_row, mi_col)
    return cost + rd_cost(t, int64(0), int64(t.rate[at + 1 - t.choice[c + HAS_COEFS]]))


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


def _try_luma(k, t, mi_row, mi_col, block_size):
    level = block_size // 3
    x, y, n = mi_col * 4, mi_row * 4, int64(4) << level
    have_above, have_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    filter_type = smooth_neighbour(t, mi_row, mi_col, 0, level == 0)
    mode_cdf = y_mode_cdf(t, mi_row, mi_col)
    read_edges(t, 0, x, y, n, have_above, have_left)
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
    return _try_transforms(k, t, mi_row, mi_col, block_size, first, first_delta, second, filter_type, mode_cdf)


def _try_transforms(k, t, mi_row, mi_col, block_size, first, first_delta, second, filter_type, mode_cdf):
    """Code the best prediction, also with half the transform size, and the second best (-1: none); gives the best cost."""
    c = (block_size // 3) * CHOICE_WORDS
    whole = max_tx_size(block_size)
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
            if step == size4 and tx_set(t, tx_size) != TX_SET_DCTONLY:
                tx_type, eob, coefs = _best_tx_type(k, t, at, stride, n, tx_size, mode, levels)
            else:
                eob = transform_and_quantize(k, t, at, stride, n, tx_size, tx_type, levels)
                coefs = int64(0)
                if eob > 0:
                    coefs = coefs_rate(t, 0, tx_size, tx_type, levels, eob) + tx_type_rate(t, tx_size, tx_type, mode)
            add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
            rate += coefs + t.rate[zero_cdf + (1 if eob == 0 else 0)]
            eobs += eob
            distortion += _visible_sse(k, t, 0, x, y, n)
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
    count = coded_size(tx_size) ** 2
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
        eob = quantize_coefs(k, t, tx_size, tx_type, levels)
        if eob == 0:
            return tx_type, eob, int64(0)
        k.dequantize(levels, t.dequantized, count, t.dc_q, t.ac_q, quantizer_shift(tx_size))
        error = k.coefficient_error(t.coefs, t.dequantized, count) >> COEFFICIENT_ERROR_SHIFT
        rate = coefs_rate(t, 0, tx_size, tx_type, levels, eob) + tx_type_rate(t, tx_size, tx_type, mode)
        cost = rd_cost(t, error, rate)
        if cost < best:
            best, best_type, best_eob, best_rate = cost, tx_type, eob, rate
        if eob == 1:
            break
    if tx_type != best_type:
        k.forward_transform(t.residual, t.coefs, tx_size, best_type)
        quantize_coefs(k, t, tx_size, best_type, levels)
    return best_type, best_eob, best_rate


def _visible_sse(k, t, plane, x, y, n):
    """Squared error of a block inside the picture's 8x8 grid."""
    sub = 1 if plane > 0 else 0
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    w, h = min(n, ((t.mi_cols * 4) >> sub) - x), min(n, ((t.mi_rows * 4) >> sub) - y)
    return k.sse(t.src, at, stride, t.rec, at, stride, w, h)


# Chroma --------------------------------------------------------------------------------------------------------------------


def _try_chroma(k, t, mi_row, mi_col, block_size):
    """Rank the chroma modes that are likely, code the best; gives its cost."""
    level = block_size // 3
    c = level * CHOICE_WORDS
    small = level == 0
    tx_size = plane_tx_size(block_size, int64(0), 1)
    n = int64(4) << tx_size
    x, y = (mi_col >> 1) * 4, (mi_row >> 1) * 4
    reach = 2 if small else 1
    have_above, have_left = is_inside(t, mi_row - reach, mi_col), is_inside(t, mi_row, mi_col - reach)
    filter_type = smooth_neighbour(t, mi_row, mi_col, 1, small)
    y_mode, y_delta = t.choice[c + Y_MODE], t.choice[c + ANGLE_Y]
    mode_cdf = uv_mode_cdf(y_mode, block_size)
    sad_dc = sad_luma = sad_smooth = sad_cfl = int64(0)
    alpha_u = alpha_v = int64(0)
    with_cfl = cfl_allowed(block_size)
    if with_cfl:
        _load_block_cfl_ac(k, t, mi_row, mi_col, block_size, x, y, n)
    for plane in range(1, 3):
        read_edges(t, plane, x, y, n, have_above, have_left)
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
    return _code_chroma(k, t, block_size, x, y, n, tx_size, mode_cdf, have_above, have_left, filter_type)


def _chroma_sad(k, t, plane, x, y, n, mode, delta, have_above, have_left, filter_type):
    """SAD of a prediction of one plane, left in t.prediction, from the edges that are loaded."""
    predict(k, t, t.prediction, int64(0), n, plane, x, y, n, mode, delta, have_above, have_left, filter_type)
    at = t.origin[plane] + y * t.stride[plane] + x
    return k.sad(t.src, at, t.stride[plane], t.prediction, int64(0), n, n, n)


def _load_block_cfl_ac(k, t, mi_row, mi_col, block_size, x, y, n):
    luma_4x4, tx_4x4 = block_4x4s(block_size), int64(1) << t.choice[(block_size // 3) * CHOICE_WORDS + TX_SIZE]
    first_row, first_col = mi_row, mi_col
    if block_size == 0:
        first_row, first_col, luma_4x4, tx_4x4 = mi_row - 1, mi_col - 1, int64(2), int64(1)
    end_x = luma_end(first_col, luma_4x4, tx_4x4, t.mi_cols)
    end_y = luma_end(first_row, luma_4x4, tx_4x4, t.mi_rows)
    load_cfl_ac(k, t, x, y, n, end_x, end_y)


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


def _code_chroma(k, t, block_size, x, y, n, tx_size, mode_cdf, have_above, have_left, filter_type):
    """Reconstruct both chroma planes with the choice; gives the cost."""
    c = (block_size // 3) * CHOICE_WORDS
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
        eob = transform_and_quantize(k, t, at, stride, n, tx_size, tx_type, levels)
        if eob > 0:
            add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
            rate += int64(t.rate[zero_cdf]) + coefs_rate(t, plane, tx_size, tx_type, levels, eob)
            t.choice[c + HAS_COEFS] = 1
        else:
            rate += t.rate[zero_cdf + 1]
        distortion += _visible_sse(k, t, plane, x, y, n)
        mark_decoded(t, plane, (y >> 2) & 7, (x >> 2) & 7, n >> 2, 1)
    return rd_cost(t, distortion, rate)
