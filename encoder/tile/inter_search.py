"""Blocks of inter frames: candidates for prediction ranked by SATD and rate, the best coded by rate-distortion, against intra.

A candidate is a row of t.choice: references, mode, motion vectors, filter. Single references come first: what the motion vector
stack offers, then a search on the picture; then pairs of the best. What is chosen stands in the block's row of t.choice, what
it looks like in t.rec.
"""

from numpy import int64

from encoder.spec import (
    BLOCK_8X8,
    DCT_DCT,
    EIGHTTAP,
    GLOBALMV,
    IDTX,
    INTRA_FRAME,
    NEAR_NEARMV,
    NEAREST_NEARESTMV,
    NEAREST_NEWMV,
    NEARESTMV,
    NEARMV,
    NEW_NEARESTMV,
    NEW_NEWMV,
    NEWMV,
    NONE,
    SWITCHABLE,
)
from encoder.tile.block import (
    add_residual,
    other_levels,
    plane_levels,
    plane_tx_size,
    quantize_coefs,
    transform_and_quantize,
)
from encoder.tile.blocks import block_4x4s, z_of
from encoder.tile.choice import (
    ALPHA_U,
    ALPHA_V,
    COST,
    FILTER,
    FIRST_CANDIDATE,
    HAS_COEFS,
    KEPT,
    LUMA_EOB,
    MAX_CANDIDATES,
    MV_COL_0,
    MV_COL_1,
    MV_ROW_0,
    MV_ROW_1,
    RATE,
    REF_0,
    REF_1,
    REF_MV_IDX,
    SKIP_MODE,
    TX_SIZE,
    TX_TYPE,
    Y_MODE,
    begin_intra_choice,
    choice_row,
    copy_choice,
)
from encoder.tile.coefs import txb_skip_cdf
from encoder.tile.costs import NO_COST, rd_cost, satd_cost
from encoder.tile.inter_modes import (
    inter_chroma_tx_type,
    inter_mode_rate,
    interp_filter_rate,
    is_codable_pair,
    is_inter_rate,
    load_ref_counts,
    mv_rate,
    needs_interp_filter,
    ref_frames_rate,
    skip_mode_rate,
    txfm_split_cdf,
)
from encoder.tile.inter_predict import prepare_prediction, put_prediction
from encoder.tile.intra_search import levels_cost, try_chroma, try_luma, visible_sse
from encoder.tile.modes import max_tx_size, skip_cdf, tx_set, tx_type_rate, tx_type_symbol
from encoder.tile.motion_search import (
    HALF,
    QUARTER,
    clamp_col,
    clamp_row,
    fit_fraction,
    fraction_satd,
    search_fractions,
    search_whole_samples,
    source_at,
    whole_sample_cost,
)
from encoder.tile.mv_stack import find_mv_stack, mode_of_list, pred_mv
from encoder.tile.partition_plan import PLAN_COL, PLAN_ROW, node_at, plan_at
from encoder.tile.state import CHOICE_WORDS, MV_STACK_WORDS

PAIR_STACK = 8 * MV_STACK_WORDS
"""The row of t.mv_stack for pairs of references; single ones have the row of their place in t.search_refs."""
TYPICAL_CHROMA_CONTEXT = 8
"""all_zero context assumed for chroma, whose neighbours the search does not track."""


def try_inter_frame_block(k, t, mi_row, mi_col, block_size):
    """Find the best way to code a block whole, leave it in t.rec and t.choice; gives its cost without the partition."""
    c = choice_row(block_size)
    load_ref_counts(t, mi_row, mi_col)
    count = _rank_candidates(k, t, mi_row, mi_col, block_size)
    best = int64(NO_COST)
    for i in range(min(count, t.coded_candidates)):
        candidate = FIRST_CANDIDATE + i * CHOICE_WORDS
        if i > 0:
            # Worth the effort only if it looked nearly as good.
            if t.choice[candidate + COST] > t.choice[FIRST_CANDIDATE + COST] + (t.choice[FIRST_CANDIDATE + COST] >> 4):
                break
            _copy_planes(t, mi_row, mi_col, block_size, 1)
            copy_choice(t, int64(KEPT), c)
        copy_choice(t, c, candidate)
        cost = _code_candidate(k, t, mi_row, mi_col, block_size, c)
        if cost < best:
            best = cost
        elif i > 0:
            copy_choice(t, c, int64(KEPT))
            _copy_planes(t, mi_row, mi_col, block_size, 0)
    return _against_intra(k, t, mi_row, mi_col, block_size, c, best)


def _against_intra(k, t, mi_row, mi_col, block_size, c, best):
    """Try intra prediction where other frames have left much."""
    n = 4 * block_4x4s(block_size)
    if not t.choice[c + HAS_COEFS] or t.choice[FIRST_CANDIDATE + COST] < satd_cost(
        t, (n * n * t.ac_q) >> t.intra_shift, int64(0)
    ):
        return best
    if block_size > 9:
        return best
    _copy_planes(t, mi_row, mi_col, block_size, 1)
    copy_choice(t, int64(KEPT), c)
    begin_intra_choice(t, c)
    t.choice[c + HAS_COEFS] = 0
    t.choice[c + ALPHA_U] = 0
    t.choice[c + ALPHA_V] = 0
    rate = is_inter_rate(t, mi_row, mi_col, 0) + skip_mode_rate(t, mi_row, mi_col, block_size, 0)
    cost = rd_cost(t, int64(0), rate) + try_luma(k, t, mi_row, mi_col, block_size)
    if cost < best:
        cost += try_chroma(k, t, mi_row, mi_col, block_size)
        cost += rd_cost(t, int64(0), int64(t.rate[skip_cdf(t, mi_row, mi_col) + 1 - t.choice[c + HAS_COEFS]]))
    if cost < best:
        return cost
    copy_choice(t, c, int64(KEPT))
    _copy_planes(t, mi_row, mi_col, block_size, 0)
    return best


def _copy_planes(t, mi_row, mi_col, block_size, save):
    """Put the reconstruction of a block aside in t.saved, or bring it back."""
    at = int64(0)
    for plane in range(3):
        sub = 1 if plane > 0 else 0
        n = (4 * block_4x4s(block_size)) >> sub
        first = t.origin[plane] + ((mi_row * 4) >> sub) * t.stride[plane] + ((mi_col * 4) >> sub)
        for y in range(n):
            row = first + y * t.stride[plane]
            if save:
                for x in range(n):
                    t.saved[at + x] = t.rec[row + x]
            else:
                for x in range(n):
                    t.rec[row + x] = t.saved[at + x]
            at += n


# Ranking -------------------------------------------------------------------------------------------------------------------


def _rank_candidates(k, t, mi_row, mi_col, block_size):
    """Fill the candidates of t.choice, best first; gives how many."""
    for i in range(MAX_CANDIDATES):
        t.choice[FIRST_CANDIDATE + i * CHOICE_WORDS + COST] = NO_COST
    base_rate = is_inter_rate(t, mi_row, mi_col, 1) + skip_mode_rate(t, mi_row, mi_col, block_size, 0)
    first_cost = second_cost = int64(NO_COST)
    first = second = int64(0)
    for i in range(len(t.search_refs)):
        cost = rank_single(k, t, mi_row, mi_col, block_size, i, base_rate, first_cost)
        if cost < first_cost:
            second_cost, second = first_cost, first
            first_cost, first = cost, int64(i)
        elif cost < second_cost:
            second_cost, second = cost, int64(i)
    if t.reference_select and block_size >= BLOCK_8X8 and second_cost < NO_COST:
        for i in range(len(t.search_refs)):
            for j in range(len(t.search_refs)):
                ref_0, ref_1 = t.search_refs[i], t.search_refs[j]
                wanted = i == first or j == first
                if t.pairs == 1:
                    wanted = (i == first and j == second) or (i == second and j == first)
                if wanted and is_codable_pair(ref_0, ref_1):
                    rank_pair(k, t, mi_row, mi_col, block_size, ref_0, ref_1, base_rate)
    if t.fitted_vectors:
        search_best_vector(k, t, mi_row, mi_col, block_size)
    rank_filters(k, t, mi_row, mi_col, block_size)
    count = int64(0)
    while count < MAX_CANDIDATES and t.choice[FIRST_CANDIDATE + count * CHOICE_WORDS + COST] < NO_COST:
        count += 1
    return count


def _offer(t, cost, rate, mode, ref_0, ref_1, row_0, col_0, row_1, col_1, ref_mv_idx, interp_filter):
    """Enter a candidate where its cost puts it."""
    place = int64(MAX_CANDIDATES)
    while place > 0 and cost < t.choice[FIRST_CANDIDATE + (place - 1) * CHOICE_WORDS + COST]:
        place -= 1
    if place == MAX_CANDIDATES:
        return
    for i in range(MAX_CANDIDATES - 1, place, -1):
        copy_choice(t, FIRST_CANDIDATE + i * CHOICE_WORDS, FIRST_CANDIDATE + (i - 1) * CHOICE_WORDS)
    c = FIRST_CANDIDATE + place * CHOICE_WORDS
    t.choice[c + COST] = cost
    t.choice[c + RATE] = rate
    t.choice[c + Y_MODE] = mode
    t.choice[c + REF_0] = ref_0
    t.choice[c + REF_1] = ref_1
    t.choice[c + MV_ROW_0] = row_0
    t.choice[c + MV_COL_0] = col_0
    t.choice[c + MV_ROW_1] = row_1
    t.choice[c + MV_COL_1] = col_1
    t.choice[c + REF_MV_IDX] = ref_mv_idx
    t.choice[c + FILTER] = interp_filter
    t.choice[c + SKIP_MODE] = 0


def _default_filter(t):
    """The filter of blocks whose filter is not searched."""
    return int64(EIGHTTAP) if t.interpolation_filter == SWITCHABLE else int64(t.interpolation_filter)


def rank_single(k, t, mi_row, mi_col, block_size, i, base_rate, first_cost):
    """Candidates with the i-th reference alone, where that of the best so far is first_cost; gives the cost of the best."""
    ref = t.search_refs[i]
    stack = i * MV_STACK_WORDS
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    found = find_mv_stack(t, stack, mi_row, mi_col, block_size, ref, int64(NONE))
    interp_filter = _default_filter(t)
    rate = base_rate + ref_frames_rate(t, mi_row, mi_col, block_size, ref, int64(NONE))
    filter_rate = interp_filter_rate(t, mi_row, mi_col, block_size, int64(NEARESTMV), ref, 0, interp_filter)
    rate += filter_rate
    tried = int64(0)
    best, best_row, best_col = int64(NO_COST), int64(0), int64(0)
    for attempt in range(2 + t.near_vectors):
        mode, ref_mv_idx = int64(NEARESTMV), int64(0)
        if attempt == 1:
            mode = int64(GLOBALMV)
        elif attempt > 1:
            mode, ref_mv_idx = int64(NEARMV), int64(attempt - 1)
            if found <= ref_mv_idx:
                break
        row, col = pred_mv(t, stack, mode, ref_mv_idx, 0)
        satd = int64(-1)
        for j in range(tried):
            if t.tried[3 * j] == row and t.tried[3 * j + 1] == col:
                satd = t.tried[3 * j + 2]
        if satd < 0:
            satd = fraction_satd(k, t, x, y, n, ref, row, col)
            t.tried[3 * tried] = row
            t.tried[3 * tried + 1] = col
            t.tried[3 * tried + 2] = satd
            tried += 1
        mode_rate = rate + inter_mode_rate(t, stack, mode, ref_mv_idx, 0)
        if mode == GLOBALMV:
            mode_rate -= filter_rate
        cost = satd_cost(t, satd, mode_rate)
        _offer(t, cost, mode_rate, mode, ref, int64(NONE), row, col, int64(0), int64(0), ref_mv_idx, interp_filter)
        if cost < best:
            best, best_row, best_col = cost, row, col
    row, col, satd_part = _search_new(
        k, t, mi_row, mi_col, block_size, i, stack, best_row, best_col, min(best, first_cost)
    )
    for j in range(tried):
        if t.tried[3 * j] == row and t.tried[3 * j + 1] == col:
            return best
    best_index, best_rate = int64(0), int64(NO_COST)
    for ref_mv_idx in range(max(min(found, int64(3)), int64(1))):
        pred_row, pred_col = pred_mv(t, stack, int64(NEWMV), int64(ref_mv_idx), 0)
        new_rate = inter_mode_rate(t, stack, int64(NEWMV), int64(ref_mv_idx), 0) + mv_rate(
            t, row - pred_row, col - pred_col
        )
        if new_rate < best_rate:
            best_index, best_rate = int64(ref_mv_idx), new_rate
    cost = satd_part + satd_cost(t, int64(0), rate + best_rate)
    _offer(
        t, cost, rate + best_rate, int64(NEWMV), ref, int64(NONE), row, col, int64(0), int64(0), best_index, interp_filter,
    )  # fmt: skip
    return min(best, cost)


def _search_new(k, t, mi_row, mi_col, block_size, i, stack, best_row, best_col, best):
    """The motion vector of a search: from the best so far, the lookahead's and the one of the block around this one; gives row,
    col and what its SATD alone costs."""
    ref = t.search_refs[i]
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    level = block_size // 3
    pred_row, pred_col = pred_mv(t, stack, int64(NEWMV), int64(0), 0)
    start_row, start_col, cost = int64(0), int64(0), int64(NO_COST)
    for attempt in range(2 if t.planned else 4):
        row, col = (best_row + 4) >> 3, (best_col + 4) >> 3
        if attempt == 1 and t.planned:
            z = z_of((mi_row & 15) >> 1, (mi_col & 15) >> 1)
            at = plan_at(int64(i), node_at(level, z))
            row, col = t.plan[at + PLAN_ROW], t.plan[at + PLAN_COL]
        elif attempt == 1:
            at = (
                (i * t.source_rows + min(y >> 4, t.source_rows - 1)) * t.source_cols + min(x >> 4, t.source_cols - 1)
            ) * 2
            row, col = (int64(t.source_mv[at]) + 4) >> 3, (int64(t.source_mv[at + 1]) + 4) >> 3
        elif attempt == 2:
            if level == 4:
                continue
            at = ((level + 1) * 8 + ref) * 2
            row, col = (t.new_mv[at] + 4) >> 3, (t.new_mv[at + 1] + 4) >> 3
        elif attempt == 3:
            if n < 32:
                continue
            half = n >> 1
            at = (
                (i * t.source_rows + min((y + half) >> 4, t.source_rows - 1)) * t.source_cols
                + min((x + half) >> 4, t.source_cols - 1)
            ) * 2
            row, col = (int64(t.source_mv[at]) + 4) >> 3, (int64(t.source_mv[at + 1]) + 4) >> 3
        row, col = clamp_row(t, y, n, row), clamp_col(t, x, n, col)
        if attempt > 0 and row == start_row and col == start_col:
            continue
        new_cost = whole_sample_cost(k, t, x, y, n, ref, row, col, pred_row, pred_col)
        if new_cost < cost:
            start_row, start_col, cost = row, col, new_cost
    if t.hopeless and cost > best + (best * t.hopeless >> 3):
        # Another reference is so much better that no search will make up for it.
        row, col = start_row * 8, start_col * 8
        t.new_mv[(level * 8 + ref) * 2] = row
        t.new_mv[(level * 8 + ref) * 2 + 1] = col
        return row, col, cost - satd_cost(t, int64(0), mv_rate(t, row - pred_row, col - pred_col))
    row, col, cost = search_whole_samples(k, t, x, y, n, ref, start_row, start_col, cost, pred_row, pred_col)
    if t.fitted_vectors:
        row, col, cost = fit_fraction(k, t, x, y, n, ref, row, col, cost, pred_row, pred_col)
    else:
        row, col = row * 8, col * 8
        satd = fraction_satd(k, t, x, y, n, ref, row, col)
        cost = satd_cost(t, satd, mv_rate(t, row - pred_row, col - pred_col))
        row, col, cost = search_fractions(k, t, x, y, n, ref, row, col, cost, pred_row, pred_col, int64(HALF))
    t.new_mv[(level * 8 + ref) * 2] = row
    t.new_mv[(level * 8 + ref) * 2 + 1] = col
    return row, col, cost - satd_cost(t, int64(0), mv_rate(t, row - pred_row, col - pred_col))


def _pair_satd(k, t, x, y, n, ref_0, ref_1, row_0, col_0, row_1, col_1, interp_filter):
    """SATD of the mean of two predictions."""
    prepare_prediction(k, t, t.compound_0, int64(0), x, y, n, n, ref_0, row_0, col_0, interp_filter)
    prepare_prediction(k, t, t.compound_1, int64(0), x, y, n, n, ref_1, row_1, col_1, interp_filter)
    k.average(t.prediction, int64(0), n, t.compound_0, t.compound_1, n, n)
    return k.satd(t.src, source_at(t, x, y), t.stride[0], t.prediction, int64(0), n, n, n)


def rank_pair(k, t, mi_row, mi_col, block_size, ref_0, ref_1, base_rate):
    """Candidates with two references: vectors of the pair's stack, and those of the searches."""
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    level = block_size // 3
    stack = int64(PAIR_STACK)
    found = find_mv_stack(t, stack, mi_row, mi_col, block_size, ref_0, ref_1)
    interp_filter = _default_filter(t)
    rate = base_rate + ref_frames_rate(t, mi_row, mi_col, block_size, ref_0, ref_1)
    rate += interp_filter_rate(t, mi_row, mi_col, block_size, int64(NEAREST_NEARESTMV), ref_0, 1, interp_filter)
    at_0, at_1 = (level * 8 + ref_0) * 2, (level * 8 + ref_1) * 2
    for attempt in range(t.pair_modes):
        mode, ref_mv_idx = int64(NEAREST_NEARESTMV), int64(0)
        if attempt == 1:
            mode = int64(NEW_NEWMV)
        elif attempt == 2:
            mode = int64(NEAREST_NEWMV)
        elif attempt == 3:
            mode = int64(NEW_NEARESTMV)
        elif attempt == 4:
            mode, ref_mv_idx = int64(NEAR_NEARMV), int64(1)
            if found < 2:
                break
        row_0, col_0 = pred_mv(t, stack, mode, ref_mv_idx, 0)
        row_1, col_1 = pred_mv(t, stack, mode, ref_mv_idx, 1)
        mode_rate = rate + inter_mode_rate(t, stack, mode, ref_mv_idx, 1)
        if mode_of_list(mode, 0) == NEWMV:
            mode_rate += mv_rate(t, t.new_mv[at_0] - row_0, t.new_mv[at_0 + 1] - col_0)
            row_0, col_0 = t.new_mv[at_0], t.new_mv[at_0 + 1]
        if mode_of_list(mode, 1) == NEWMV:
            mode_rate += mv_rate(t, t.new_mv[at_1] - row_1, t.new_mv[at_1 + 1] - col_1)
            row_1, col_1 = t.new_mv[at_1], t.new_mv[at_1 + 1]
        satd = _pair_satd(k, t, x, y, n, ref_0, ref_1, row_0, col_0, row_1, col_1, interp_filter)
        cost = satd_cost(t, satd, mode_rate)
        _offer(t, cost, mode_rate, mode, ref_0, ref_1, row_0, col_0, row_1, col_1, ref_mv_idx, interp_filter)


def search_best_vector(k, t, mi_row, mi_col, block_size):
    """Search quarters of a sample around the best candidate, where its vector is a new one."""
    c = int64(FIRST_CANDIDATE)
    if t.choice[c + Y_MODE] != NEWMV:
        return
    x, y, n, level = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size), block_size // 3
    ref, row, col = t.choice[c + REF_0], t.choice[c + MV_ROW_0], t.choice[c + MV_COL_0]
    stack = int64(0)
    for i in range(len(t.search_refs)):
        if t.search_refs[i] == ref:
            stack = int64(i) * MV_STACK_WORDS
    pred_row, pred_col = pred_mv(t, stack, int64(NEWMV), t.choice[c + REF_MV_IDX], 0)
    other_rate = t.choice[c + RATE] - mv_rate(t, row - pred_row, col - pred_col)
    other_cost = satd_cost(t, int64(0), other_rate)
    cost = t.choice[c + COST] - other_cost
    row, col, cost = search_fractions(k, t, x, y, n, ref, row, col, cost, pred_row, pred_col, int64(QUARTER))
    t.choice[c + MV_ROW_0] = row
    t.choice[c + MV_COL_0] = col
    t.choice[c + RATE] = other_rate + mv_rate(t, row - pred_row, col - pred_col)
    t.choice[c + COST] = cost + other_cost
    t.new_mv[(level * 8 + ref) * 2] = row
    t.new_mv[(level * 8 + ref) * 2 + 1] = col


def rank_filters(k, t, mi_row, mi_col, block_size):
    """Try the other filters on the best candidate."""
    c = int64(FIRST_CANDIDATE)
    mode, ref_0, ref_1 = t.choice[c + Y_MODE], t.choice[c + REF_0], t.choice[c + REF_1]
    if t.interpolation_filter != SWITCHABLE or not needs_interp_filter(mode, block_size, 0):
        return
    x, y, n = mi_col * 4, mi_row * 4, 4 * block_4x4s(block_size)
    row_0, col_0 = t.choice[c + MV_ROW_0], t.choice[c + MV_COL_0]
    row_1, col_1 = t.choice[c + MV_ROW_1], t.choice[c + MV_COL_1]
    if (row_0 | col_0 | row_1 | col_1) & 7 == 0:
        return
    is_pair = ref_1 > INTRA_FRAME
    rate = t.choice[c + RATE] - interp_filter_rate(t, mi_row, mi_col, block_size, mode, ref_0, is_pair, int64(EIGHTTAP))
    for interp_filter in range(1, 3):
        if is_pair:
            satd = _pair_satd(k, t, x, y, n, ref_0, ref_1, row_0, col_0, row_1, col_1, int64(interp_filter))
        else:
            put_prediction(
                k, t, t.prediction, int64(0), n, int64(0), x, y, n, n, ref_0, row_0, col_0, int64(interp_filter)
            )
            satd = k.satd(t.src, source_at(t, x, y), t.stride[0], t.prediction, int64(0), n, n, n)
        filter_rate = rate + interp_filter_rate(
            t, mi_row, mi_col, block_size, mode, ref_0, is_pair, int64(interp_filter)
        )
        cost = satd_cost(t, satd, filter_rate)
        if cost < t.choice[c + COST]:
            t.choice[c + COST] = cost
            t.choice[c + RATE] = filter_rate
            t.choice[c + FILTER] = interp_filter


# Coding --------------------------------------------------------------------------------------------------------------------


def _predict_plane(k, t, plane, mi_row, mi_col, block_size, c):
    """Predict a plane of the block into t.rec as the choice at c says."""
    sub = 1 if plane > 0 else 0
    x, y, n = (mi_col * 4) >> sub, (mi_row * 4) >> sub, (4 * block_4x4s(block_size)) >> sub
    at = t.origin[plane] + y * t.stride[plane] + x
    ref_0, ref_1, interp_filter = t.choice[c + REF_0], t.choice[c + REF_1], t.choice[c + FILTER]
    row, col = t.choice[c + MV_ROW_0], t.choice[c + MV_COL_0]
    if ref_1 <= INTRA_FRAME:
        put_prediction(k, t, t.rec, at, t.stride[plane], int64(plane), x, y, n, n, ref_0, row, col, interp_filter)
        return
    prepare_prediction(k, t, t.compound_0, int64(plane), x, y, n, n, ref_0, row, col, interp_filter)
    row, col = t.choice[c + MV_ROW_1], t.choice[c + MV_COL_1]
    prepare_prediction(k, t, t.compound_1, int64(plane), x, y, n, n, ref_1, row, col, interp_filter)
    k.average(t.rec, at, t.stride[plane], t.compound_0, t.compound_1, n, n)


def _code_candidate(k, t, mi_row, mi_col, block_size, c):
    """Cost of the choice at c with the best transform, or without residual; t.rec holds what comes out."""
    x, y = mi_col * 4, mi_row * 4
    largest = max_tx_size(block_size)
    n = int64(4) << largest
    for plane in range(3):
        _predict_plane(k, t, plane, mi_row, mi_col, block_size, c)
    skipped = visible_sse(k, t, 0, x, y, n)
    uv_tx_size = plane_tx_size(block_size, int64(0), 1)
    uv_n = int64(4) << uv_tx_size
    for plane in range(1, 3):
        skipped += visible_sse(k, t, plane, x >> 1, y >> 1, uv_n)
    at = skip_cdf(t, mi_row, mi_col)
    rate = t.choice[c + RATE]
    skip_rate = rate + t.rate[at + 1]
    if _is_skip_mode(t, c, block_size):
        mode_rate = skip_mode_rate(t, mi_row, mi_col, block_size, 1)
        if mode_rate < skip_rate:
            skip_rate = mode_rate
            t.choice[c + SKIP_MODE] = 1
    skip_cost = rd_cost(t, skipped, skip_rate)
    t.choice[c + TX_SIZE] = largest
    t.choice[c + TX_TYPE] = DCT_DCT
    tx_type, eob, luma_rate = _transform_luma(k, t, x, y, largest, c)
    rate += t.rate[at] + luma_rate
    if t.tx_mode_select and block_size > 0:
        rate += t.rate[txfm_split_cdf(t, block_size, mi_row, mi_col, largest)]
    t.choice[c + LUMA_EOB] = eob
    any_coefs = eob > 0
    uv_tx_type = inter_chroma_tx_type(t, tx_type, uv_tx_size)
    for plane in range(1, 3):
        uv_eob, uv_rate = _transform_plane(k, t, plane, x >> 1, y >> 1, uv_tx_size, uv_tx_type, TYPICAL_CHROMA_CONTEXT)
        rate += uv_rate
        any_coefs |= uv_eob > 0
    t.choice[c + HAS_COEFS] = 0
    if not any_coefs:
        return skip_cost
    coded = visible_sse(k, t, 0, x, y, n)
    for plane in range(1, 3):
        coded += visible_sse(k, t, plane, x >> 1, y >> 1, uv_n)
    coded_cost = rd_cost(t, coded, rate)
    if coded_cost < skip_cost:
        t.choice[c + HAS_COEFS] = 1
        t.choice[c + SKIP_MODE] = 0
        t.choice[c + TX_TYPE] = tx_type
        return coded_cost
    for plane in range(3):
        _predict_plane(k, t, plane, mi_row, mi_col, block_size, c)
    return skip_cost


def _is_skip_mode(t, c, block_size):
    """Whether skip mode would say the same as the choice at c."""
    return (
        t.skip_mode_present
        and block_size >= BLOCK_8X8
        and t.choice[c + Y_MODE] == NEAREST_NEARESTMV
        and t.choice[c + REF_0] == t.skip_mode_frame_0
        and t.choice[c + REF_1] == t.skip_mode_frame_1
        and t.choice[c + FILTER] == _default_filter(t)
    )


def _transform_plane(k, t, plane, x, y, tx_size, tx_type, zero_context):
    """Code the residual of a plane's transform block into t.rec; gives eob and rate."""
    stride = t.stride[plane]
    at = t.origin[plane] + y * stride + x
    levels = plane_levels(t, plane, int64(0), tx_size)
    eob, rate = transform_and_quantize(k, t, int64(plane), at, stride, tx_size, tx_type, levels)
    add_residual(k, t, at, stride, tx_size, tx_type, levels, eob)
    return eob, rate + t.rate[txb_skip_cdf(tx_size, int64(zero_context)) + (1 if eob == 0 else 0)]


def _transform_luma(k, t, x, y, tx_size, c):
    """Code the luma residual with the transform type that costs least; gives the type, eob and rate."""
    tx_type, mode = int64(DCT_DCT), t.choice[c + Y_MODE]
    if t.inter_tx_types > 1 and tx_size <= 2:
        tx_type, eob, rate = _best_inter_tx_type(k, t, x, y, tx_size, mode)
        at = t.origin[0] + y * t.stride[0] + x
        add_residual(k, t, at, t.stride[0], tx_size, tx_type, plane_levels(t, 0, int64(0), tx_size), eob)
        return tx_type, eob, rate + t.rate[txb_skip_cdf(tx_size, int64(0)) + (1 if eob == 0 else 0)]
    eob, rate = _transform_plane(k, t, 0, x, y, tx_size, tx_type, 0)
    if eob > 0:
        rate += tx_type_rate(t, tx_size, tx_type, mode, 1)
    return tx_type, eob, rate


def _best_inter_tx_type(k, t, x, y, tx_size, mode):
    """The transform type of least cost, by errors between coefficients; DCT_DCT if that leaves nothing.

    Gives the type, its eob and the rate of its coefficients, with its levels in place.
    """
    n = int64(4) << tx_size
    stride = t.stride[0]
    at = t.origin[0] + y * stride + x
    levels, other = plane_levels(t, 0, int64(0), tx_size), other_levels(t, tx_size)
    best, best_type, best_eob, best_rate = int64(NO_COST), int64(DCT_DCT), int64(0), int64(0)
    k.residual(t.src, at, stride, t.rec, at, stride, t.residual, n, n)
    for attempt in range(t.inter_tx_types):
        tx_type = int64(attempt)
        if attempt == 4:
            tx_type = int64(IDTX)
        elif attempt > 4:
            tx_type = int64(attempt - 1)
        if tx_type_symbol(tx_set(t, tx_size, 1), tx_type, 1) < 0:
            continue
        k.forward_transform(t.residual, t.coefs, tx_size, tx_type)
        eob, rate = quantize_coefs(k, t, int64(0), tx_size, tx_type, other)
        if eob == 0:
            if attempt == 0:
                return tx_type, eob, int64(0)
            continue
        rate += tx_type_rate(t, tx_size, tx_type, mode, 1)
        cost = levels_cost(k, t, tx_size, other, rate)
        if cost < best:
            best, best_type, best_eob, best_rate = cost, tx_type, eob, rate
            for i in range(len(levels)):
                levels[i] = other[i]
    return best_type, best_eob, best_rate
