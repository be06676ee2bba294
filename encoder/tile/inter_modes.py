"""Mode info of a block, the inter part: syntax, contexts and rates (spec 5.11.6, 5.11.16 to 5.11.18, 5.11.20, 5.11.23, 5.11.25,
5.11.31, 5.11.32, the contexts in 8.3.2).

Most elements come several together, and which are there follows from the ones before. Such a group is stated once, in a
function _code_*: told to write, it writes; else it gives the rate. Rates are in 1/512 bit, from t.rate.
"""

import numpy as np
from numpy import int64

from encoder.intmath import msb
from encoder.spec import (
    ALTREF2_FRAME,
    ALTREF_FRAME,
    BLOCK_8X8,
    BWDREF_FRAME,
    DCT_DCT,
    GLOBAL_GLOBALMV,
    GLOBALMV,
    GOLDEN_FRAME,
    INTRA_FRAME,
    LAST2_FRAME,
    LAST3_FRAME,
    LAST_FRAME,
    NEAREST_NEARESTMV,
    NEARESTMV,
    NEWMV,
    NONE,
    SWITCHABLE,
    TX_4X4,
    TX_64X64,
)
from encoder.tile import cdf
from encoder.tile.blocks import block_4x4s, info_at, is_inside
from encoder.tile.modes import max_tx_size, tx_set, tx_type_symbol, write_tx_size
from encoder.tile.mv_stack import (
    DRL_CONTEXT,
    NEW_MV_CONTEXT,
    REF_MV_CONTEXT,
    ZERO_MV_CONTEXT,
    drl_modes,
    first_ref_mv_idx,
)
from encoder.tile.state import MV_WHOLES
from encoder.tile.symbol import write_symbol

COMPOUND_MODES = 8
COMPOUND_MODE_CONTEXT = np.array([0, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7])
"""Compound_Mode_Ctx_Map, rows of COMP_NEWMV_CTXS."""
COMP_NEWMV_CTXS = 5
UNIDIR_COMP_REFERENCE, BIDIR_COMP_REFERENCE = range(2)
INTERP_FILTERS = 3
MV_JOINTS, MV_CLASSES, MV_FRACTIONS = 4, 11, 4
ANY_BACKWARD, ALTREF, LAST3_OR_GOLDEN, LAST2, GOLDEN, ALTREF2, NOT_LAST2 = range(1, 8)
"""What the elements about references ask, numbered as single_ref_p1 to p6 are; and last what uni_comp_ref_p1 asks."""


def _code(t, writing, at, n, symbol):
    """Write one of n symbols with the CDF at `at`, giving 0; or give its rate."""
    if writing:
        write_symbol(t, at, n, symbol)
        return int64(0)
    return int64(t.rate[at + symbol])


def _code_bool(t, writing, at, bit):
    return _code(t, writing, at, int64(2), int64(1 if bit else 0))


# Skip mode, is_inter -------------------------------------------------------------------------------------------------------


def skip_mode_cdf(t, mi_row, mi_col):
    """CDF of skip_mode: how many of the neighbours above and left have it."""
    context = int64(0)
    if is_inside(t, mi_row - 1, mi_col):
        context += int64(t.skip_mode[info_at(t, mi_row - 1, mi_col)])
    if is_inside(t, mi_row, mi_col - 1):
        context += int64(t.skip_mode[info_at(t, mi_row, mi_col - 1)])
    return cdf.SKIP_MODE + context * cdf.BOOL_ROW


def _code_skip_mode(t, writing, mi_row, mi_col, block_size, skip_mode):
    if not t.skip_mode_present or block_size < BLOCK_8X8:
        return int64(0)
    return _code_bool(t, writing, skip_mode_cdf(t, mi_row, mi_col), skip_mode)


def write_skip_mode(t, mi_row, mi_col, block_size, skip_mode):
    """skip_mode, where a block may have it (spec 5.11.10)."""
    _code_skip_mode(t, 1, mi_row, mi_col, block_size, skip_mode)


def skip_mode_rate(t, mi_row, mi_col, block_size, skip_mode):
    """Rate of what write_skip_mode writes."""
    return _code_skip_mode(t, 0, mi_row, mi_col, block_size, skip_mode)


def _ref_frame_0(t, mi_row, mi_col):
    """First reference of a neighbour, INTRA_FRAME outside the tile (AboveRefFrame and LeftRefFrame, spec 5.11.18)."""
    return int64(t.ref_frame_0[info_at(t, mi_row, mi_col)]) if is_inside(t, mi_row, mi_col) else int64(INTRA_FRAME)


def _ref_frame_1(t, mi_row, mi_col):
    """Second reference of a neighbour, NONE outside the tile."""
    return int64(t.ref_frame_1[info_at(t, mi_row, mi_col)]) if is_inside(t, mi_row, mi_col) else int64(NONE)


def is_inter_cdf(t, mi_row, mi_col):
    """CDF of is_inter: which of the neighbours above and left are intra."""
    has_above, has_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    above_intra = _ref_frame_0(t, mi_row - 1, mi_col) <= INTRA_FRAME
    left_intra = _ref_frame_0(t, mi_row, mi_col - 1) <= INTRA_FRAME
    context = int64(0)
    if has_above and has_left:
        context = int64(3 if above_intra and left_intra else 1 if above_intra or left_intra else 0)
    elif has_above or has_left:
        context = int64(2 if above_intra and left_intra else 0)  # what is outside counts as intra
    return cdf.IS_INTER + context * cdf.BOOL_ROW


def write_is_inter(t, mi_row, mi_col, is_inter):
    """is_inter, of a block without skip_mode (spec 5.11.20)."""
    _code_bool(t, 1, is_inter_cdf(t, mi_row, mi_col), is_inter)


def is_inter_rate(t, mi_row, mi_col, is_inter):
    """Rate of is_inter."""
    return _code_bool(t, 0, is_inter_cdf(t, mi_row, mi_col), is_inter)


# Reference frames ----------------------------------------------------------------------------------------------------------


def load_ref_counts(t, mi_row, mi_col):
    """How often the neighbours above and left use each reference, into t.ref_counts: once a block (count_refs, spec 8.3.2)."""
    for i in range(len(t.ref_counts)):
        t.ref_counts[i] = 0
    for i in range(2):
        row, col = mi_row - 1 + i, mi_col - i
        t.ref_counts[_ref_frame_0(t, row, col)] += 1
        t.ref_counts[max(_ref_frame_1(t, row, col), int64(INTRA_FRAME))] += 1


def _compare(count_0, count_1):
    """ref_count_ctx."""
    return int64(0 if count_0 < count_1 else 1 if count_0 == count_1 else 2)


def ref_context(t, question):
    """Context of a question about references, from t.ref_counts: which answer the neighbours would give more often."""
    counts = t.ref_counts
    last_12 = counts[LAST_FRAME] + counts[LAST2_FRAME]
    last_3_golden = counts[LAST3_FRAME] + counts[GOLDEN_FRAME]
    backward_12 = counts[BWDREF_FRAME] + counts[ALTREF2_FRAME]
    if question == ANY_BACKWARD:
        return _compare(last_12 + last_3_golden, backward_12 + counts[ALTREF_FRAME])
    if question == ALTREF:
        return _compare(backward_12, counts[ALTREF_FRAME])
    if question == LAST3_OR_GOLDEN:
        return _compare(last_12, last_3_golden)
    if question == LAST2:
        return _compare(counts[LAST_FRAME], counts[LAST2_FRAME])
    if question == GOLDEN:
        return _compare(counts[LAST3_FRAME], counts[GOLDEN_FRAME])
    if question == ALTREF2:
        return _compare(counts[BWDREF_FRAME], counts[ALTREF2_FRAME])
    return _compare(counts[LAST2_FRAME], last_3_golden)


def single_ref_cdf(t, question):
    """CDF of single_ref_p1 to single_ref_p6."""
    return cdf.SINGLE_REF + (ref_context(t, question) * 6 + question - 1) * cdf.BOOL_ROW


def comp_ref_cdf(t, question):
    """CDF of comp_ref (LAST3_OR_GOLDEN), comp_ref_p1 (LAST2), comp_ref_p2 (GOLDEN)."""
    return cdf.COMP_REF + (ref_context(t, question) * 3 + question - LAST3_OR_GOLDEN) * cdf.BOOL_ROW


def comp_bwdref_cdf(t, question):
    """CDF of comp_bwdref (ALTREF) and comp_bwdref_p1 (ALTREF2)."""
    return cdf.COMP_BWD_REF + (ref_context(t, question) * 2 + (question == ALTREF2)) * cdf.BOOL_ROW


def uni_comp_ref_cdf(t, question):
    """CDF of uni_comp_ref (ANY_BACKWARD), uni_comp_ref_p1 (NOT_LAST2), uni_comp_ref_p2 (GOLDEN)."""
    element = int64(0 if question == ANY_BACKWARD else 1 if question == NOT_LAST2 else 2)
    return cdf.UNI_COMP_REF + (ref_context(t, question) * 3 + element) * cdf.BOOL_ROW


def _is_backward(ref):
    """check_backward."""
    return ref >= BWDREF_FRAME


def comp_mode_cdf(t, mi_row, mi_col):
    """CDF of comp_mode: whether the neighbours above and left have two references, or one backwards."""
    has_above, has_left = is_inside(t, mi_row - 1, mi_col), is_inside(t, mi_row, mi_col - 1)
    above, left = _ref_frame_0(t, mi_row - 1, mi_col), _ref_frame_0(t, mi_row, mi_col - 1)
    above_single = _ref_frame_1(t, mi_row - 1, mi_col) <= INTRA_FRAME
    left_single = _ref_frame_1(t, mi_row, mi_col - 1) <= INTRA_FRAME
    context = int64(1)
    if has_above and has_left:
        if above_single and left_single:
            context = int64(1 if _is_backward(above) != _is_backward(left) else 0)
        elif above_single:
            context = int64(3 if _is_backward(above) or above <= INTRA_FRAME else 2)
        elif left_single:
            context = int64(3 if _is_backward(left) or left <= INTRA_FRAME else 2)
        else:
            context = int64(4)
    elif has_above:
        context = int64(3 if not above_single else 1 if _is_backward(above) else 0)
    elif has_left:
        context = int64(3 if not left_single else 1 if _is_backward(left) else 0)
    return cdf.COMP_MODE + context * cdf.BOOL_ROW


def _is_same_direction(ref_0, ref_1):
    """is_samedir_ref_pair."""
    return _is_backward(ref_0) == _is_backward(ref_1)


def comp_ref_type_cdf(t, mi_row, mi_col):
    """CDF of comp_ref_type: whether the neighbours' references point the same way."""
    above_0, above_1 = _ref_frame_0(t, mi_row - 1, mi_col), _ref_frame_1(t, mi_row - 1, mi_col)
    left_0, left_1 = _ref_frame_0(t, mi_row, mi_col - 1), _ref_frame_1(t, mi_row, mi_col - 1)
    above_compound, left_compound = above_1 > INTRA_FRAME, left_1 > INTRA_FRAME
    above_same = above_compound and _is_same_direction(above_0, above_1)
    left_same = left_compound and _is_same_direction(left_0, left_1)
    context = int64(2)
    if above_0 > INTRA_FRAME and left_0 > INTRA_FRAME:
        context = _comp_ref_type_context(above_0, left_0, above_compound, left_compound, above_same, left_same)
    elif is_inside(t, mi_row - 1, mi_col) and is_inside(t, mi_row, mi_col - 1):
        if above_compound or left_compound:
            context = int64(3 if above_same or left_same else 1)
    elif above_compound or left_compound:
        context = int64(4 if above_same or left_same else 0)
    return cdf.COMP_REF_TYPE + context * cdf.BOOL_ROW


def _comp_ref_type_context(above_0, left_0, above_compound, left_compound, above_same, left_same):
    """Both neighbours are inter."""
    same = int64(1 if _is_same_direction(above_0, left_0) else 0)
    if not above_compound and not left_compound:
        return 1 + 2 * same
    if above_compound and left_compound:
        if above_same and left_same:
            return int64(4 if (above_0 == BWDREF_FRAME) == (left_0 == BWDREF_FRAME) else 3)
        return int64(2 if above_same or left_same else 0)
    return 3 + same if above_same or left_same else int64(1)


def is_codable_pair(ref_0, ref_1):
    """Whether two references, in this order, can be those of a compound block (spec 5.11.25)."""
    if LAST_FRAME <= ref_0 <= GOLDEN_FRAME and BWDREF_FRAME <= ref_1 <= ALTREF_FRAME:
        return True
    if ref_0 == LAST_FRAME:
        return LAST2_FRAME <= ref_1 <= GOLDEN_FRAME
    return ref_0 == BWDREF_FRAME and ref_1 == ALTREF_FRAME


def _code_single_ref(t, writing, ref):
    rate = _code_bool(t, writing, single_ref_cdf(t, ANY_BACKWARD), _is_backward(ref))
    if _is_backward(ref):
        rate += _code_bool(t, writing, single_ref_cdf(t, ALTREF), ref == ALTREF_FRAME)
        if ref != ALTREF_FRAME:
            rate += _code_bool(t, writing, single_ref_cdf(t, ALTREF2), ref == ALTREF2_FRAME)
        return rate
    rate += _code_bool(t, writing, single_ref_cdf(t, LAST3_OR_GOLDEN), ref >= LAST3_FRAME)
    if ref >= LAST3_FRAME:
        return rate + _code_bool(t, writing, single_ref_cdf(t, GOLDEN), ref == GOLDEN_FRAME)
    return rate + _code_bool(t, writing, single_ref_cdf(t, LAST2), ref == LAST2_FRAME)


def _code_unidirectional_pair(t, writing, ref_0, ref_1):
    rate = _code_bool(t, writing, uni_comp_ref_cdf(t, ANY_BACKWARD), ref_0 == BWDREF_FRAME)
    if ref_0 != BWDREF_FRAME:
        rate += _code_bool(t, writing, uni_comp_ref_cdf(t, NOT_LAST2), ref_1 != LAST2_FRAME)
        if ref_1 != LAST2_FRAME:
            rate += _code_bool(t, writing, uni_comp_ref_cdf(t, GOLDEN), ref_1 == GOLDEN_FRAME)
    return rate


def _code_bidirectional_pair(t, writing, ref_0, ref_1):
    rate = _code_bool(t, writing, comp_ref_cdf(t, LAST3_OR_GOLDEN), ref_0 >= LAST3_FRAME)
    if ref_0 >= LAST3_FRAME:
        rate += _code_bool(t, writing, comp_ref_cdf(t, GOLDEN), ref_0 == GOLDEN_FRAME)
    else:
        rate += _code_bool(t, writing, comp_ref_cdf(t, LAST2), ref_0 == LAST2_FRAME)
    rate += _code_bool(t, writing, comp_bwdref_cdf(t, ALTREF), ref_1 == ALTREF_FRAME)
    if ref_1 != ALTREF_FRAME:
        rate += _code_bool(t, writing, comp_bwdref_cdf(t, ALTREF2), ref_1 == ALTREF2_FRAME)
    return rate


def _code_ref_frames(t, writing, mi_row, mi_col, block_size, ref_0, ref_1):
    is_compound = ref_1 > INTRA_FRAME
    rate = int64(0)
    if t.reference_select and block_size >= BLOCK_8X8:
        rate = _code_bool(t, writing, comp_mode_cdf(t, mi_row, mi_col), is_compound)
    if not is_compound:
        return rate + _code_single_ref(t, writing, ref_0)
    is_unidirectional = _is_same_direction(ref_0, ref_1)
    kind = UNIDIR_COMP_REFERENCE if is_unidirectional else BIDIR_COMP_REFERENCE
    rate += _code_bool(t, writing, comp_ref_type_cdf(t, mi_row, mi_col), kind)
    if is_unidirectional:
        return rate + _code_unidirectional_pair(t, writing, ref_0, ref_1)
    return rate + _code_bidirectional_pair(t, writing, ref_0, ref_1)


def write_ref_frames(t, mi_row, mi_col, block_size, ref_0, ref_1):
    """read_ref_frames of a block without skip_mode (spec 5.11.25), after load_ref_counts; ref_1 NONE: one reference."""
    _code_ref_frames(t, 1, mi_row, mi_col, block_size, ref_0, ref_1)


def ref_frames_rate(t, mi_row, mi_col, block_size, ref_0, ref_1):
    """Rate of what write_ref_frames writes."""
    return _code_ref_frames(t, 0, mi_row, mi_col, block_size, ref_0, ref_1)


# Mode and its place in the motion vector stack -----------------------------------------------------------------------------


def compound_mode_cdf(t, stack_at):
    """CDF of compound_mode, by the contexts that come with the stack at t.mv_stack[stack_at]."""
    new_mv = min(t.mv_stack[stack_at + NEW_MV_CONTEXT], int64(COMP_NEWMV_CTXS - 1))
    context = COMPOUND_MODE_CONTEXT[(t.mv_stack[stack_at + REF_MV_CONTEXT] >> 1) * COMP_NEWMV_CTXS + new_mv]
    return cdf.COMPOUND_MODE + context * cdf.COMPOUND_MODE_ROW


def new_mv_cdf(t, stack_at):
    """CDF of new_mv."""
    return cdf.NEW_MV + t.mv_stack[stack_at + NEW_MV_CONTEXT] * cdf.BOOL_ROW


def zero_mv_cdf(t, stack_at):
    """CDF of zero_mv."""
    return cdf.ZERO_MV + t.mv_stack[stack_at + ZERO_MV_CONTEXT] * cdf.BOOL_ROW


def ref_mv_cdf(t, stack_at):
    """CDF of ref_mv."""
    return cdf.REF_MV + t.mv_stack[stack_at + REF_MV_CONTEXT] * cdf.BOOL_ROW


def drl_mode_cdf(t, stack_at, idx):
    """CDF of drl_mode: whether the vector is further down the stack than entry idx."""
    return cdf.DRL_MODE + t.mv_stack[stack_at + DRL_CONTEXT + idx] * cdf.BOOL_ROW


def _code_single_mode(t, writing, stack_at, mode):
    rate = _code_bool(t, writing, new_mv_cdf(t, stack_at), mode != NEWMV)
    if mode != NEWMV:
        rate += _code_bool(t, writing, zero_mv_cdf(t, stack_at), mode != GLOBALMV)
        if mode != GLOBALMV:
            rate += _code_bool(t, writing, ref_mv_cdf(t, stack_at), mode != NEARESTMV)
    return rate


def _code_ref_mv_idx(t, writing, stack_at, mode, ref_mv_idx):
    rate = int64(0)
    first = first_ref_mv_idx(mode)
    for idx in range(first, first + drl_modes(t, stack_at, mode, ref_mv_idx)):
        rate += _code_bool(t, writing, drl_mode_cdf(t, stack_at, idx), ref_mv_idx > idx)
    return rate


def _code_inter_mode(t, writing, stack_at, mode, ref_mv_idx, is_compound):
    if is_compound:
        at = compound_mode_cdf(t, stack_at)
        rate = _code(t, writing, at, int64(COMPOUND_MODES), mode - NEAREST_NEARESTMV)
    else:
        rate = _code_single_mode(t, writing, stack_at, mode)
    return rate + _code_ref_mv_idx(t, writing, stack_at, mode, ref_mv_idx)


def write_inter_mode(t, stack_at, mode, ref_mv_idx, is_compound):
    """compound_mode, or new_mv, zero_mv and ref_mv; then drl_mode (spec 5.11.23). The block's stack is at t.mv_stack[stack_at]."""
    _code_inter_mode(t, 1, stack_at, mode, ref_mv_idx, is_compound)


def inter_mode_rate(t, stack_at, mode, ref_mv_idx, is_compound):
    """Rate of what write_inter_mode writes."""
    return _code_inter_mode(t, 0, stack_at, mode, ref_mv_idx, is_compound)


# Motion vectors ------------------------------------------------------------------------------------------------------------
#
# The magnitude of a component, less one, has three parts: whole samples, quarters (2 bits) and, with high precision, eighths
# (1 bit). mv_class is the length of the whole part.


def _mv_joint(diff_row, diff_col):
    """MV_JOINT_*: which components are not zero."""
    return int64((2 if diff_row != 0 else 0) + (1 if diff_col != 0 else 0))


def _mv_class(whole):
    """mv_class of a number of whole samples."""
    return int64(msb(whole)) if whole > 1 else int64(0)


def _mv_class_cdf(component):
    return cdf.MV_CLASS + component * cdf.MV_CLASS_ROW


def _mv_class0_bit_cdf(component):
    return cdf.MV_CLASS0_BIT + component * cdf.BOOL_ROW


def _mv_bit_cdf(component, i):
    return cdf.MV_BIT + (component * cdf.MV_BITS + i) * cdf.BOOL_ROW


def _mv_fr_cdf(component, whole):
    """CDF of mv_class0_fr or mv_fr."""
    if whole <= 1:
        return cdf.MV_CLASS0_FR + (component * 2 + whole) * cdf.MV_FR_ROW
    return cdf.MV_FR + component * cdf.MV_FR_ROW


def _mv_hp_cdf(component, whole):
    """CDF of mv_class0_hp or mv_hp."""
    return (cdf.MV_CLASS0_HP if whole <= 1 else cdf.MV_HP) + component * cdf.BOOL_ROW


def _write_mv_component(t, component, diff):
    """read_mv_component (spec 5.11.32)."""
    _code_bool(t, 1, cdf.MV_SIGN + component * cdf.BOOL_ROW, diff < 0)
    offset = abs(diff) - 1
    whole = offset >> 3
    mv_class = _mv_class(whole)
    write_symbol(t, _mv_class_cdf(component), int64(MV_CLASSES), mv_class)
    if mv_class == 0:
        _code_bool(t, 1, _mv_class0_bit_cdf(component), whole)
    for i in range(mv_class):
        _code_bool(t, 1, _mv_bit_cdf(component, i), (whole >> i) & 1)
    write_symbol(t, _mv_fr_cdf(component, whole), int64(MV_FRACTIONS), (offset >> 1) & 3)
    if t.allow_high_precision_mv:
        _code_bool(t, 1, _mv_hp_cdf(component, whole), offset & 1)


def write_mv(t, diff_row, diff_col):
    """A motion vector's difference from its prediction, in 1/8 samples (spec 5.11.31); even without high precision."""
    write_symbol(t, int64(cdf.MV_JOINT), int64(MV_JOINTS), _mv_joint(diff_row, diff_col))
    if diff_row != 0:
        _write_mv_component(t, int64(0), diff_row)
    if diff_col != 0:
        _write_mv_component(t, int64(1), diff_col)


def fill_mv_rates(t):
    """The rates of mv_class, mv_class0_bit and mv_bit into t.mv_rate_table[component * MV_WHOLES + whole], for mv_rate."""
    for component in range(2):
        at = component * MV_WHOLES
        class_cdf, bit_cdf = _mv_class_cdf(component), _mv_class0_bit_cdf(component)
        for whole in range(2):
            t.mv_rate_table[at + whole] = t.rate[class_cdf] + t.rate[bit_cdf + whole]
        for mv_class in range(1, MV_CLASSES):
            first = at + (int64(1) << mv_class)
            t.mv_rate_table[first] = t.rate[class_cdf + mv_class]
            for i in range(mv_class):
                bit_cdf = _mv_bit_cdf(component, i)
                length = int64(1) << i
                for j in range(first, first + length):
                    t.mv_rate_table[j + length] = t.mv_rate_table[j] + t.rate[bit_cdf + 1]
                    t.mv_rate_table[j] += t.rate[bit_cdf]


def _mv_component_rate(t, component, diff):
    if diff == 0:
        return int64(0)
    offset = abs(diff) - 1
    whole = offset >> 3
    rate = int64(t.rate[cdf.MV_SIGN + component * cdf.BOOL_ROW + (1 if diff < 0 else 0)])
    rate += t.mv_rate_table[component * MV_WHOLES + whole] + t.rate[_mv_fr_cdf(component, whole) + ((offset >> 1) & 3)]
    if t.allow_high_precision_mv:
        rate += t.rate[_mv_hp_cdf(component, whole) + (offset & 1)]
    return rate


def mv_rate(t, diff_row, diff_col):
    """Rate of what write_mv writes, after fill_mv_rates."""
    rate = int64(t.rate[cdf.MV_JOINT + _mv_joint(diff_row, diff_col)])
    return rate + _mv_component_rate(t, int64(0), diff_row) + _mv_component_rate(t, int64(1), diff_col)


# Interpolation filter ------------------------------------------------------------------------------------------------------


def needs_interp_filter(mode, block_size, skip_mode):
    """Whether a block chooses its filter: not where nothing moves, with global motion being none (spec 5.11.23)."""
    if skip_mode:
        return False
    return block_size < BLOCK_8X8 or (mode != GLOBALMV and mode != GLOBAL_GLOBALMV)


def _interp_filter_of_neighbour(t, mi_row, mi_col, ref_0):
    """A neighbour's filter if it uses the same reference, else INTERP_FILTERS."""
    if is_inside(t, mi_row, mi_col):
        at = info_at(t, mi_row, mi_col)
        if t.ref_frame_0[at] == ref_0 or t.ref_frame_1[at] == ref_0:
            return int64(t.interp_filter[at])
    return int64(INTERP_FILTERS)


def interp_filter_cdf(t, mi_row, mi_col, ref_0, is_compound):
    """CDF of interp_filter[ 0 ]: the filters of those neighbours that use the block's first reference."""
    above = _interp_filter_of_neighbour(t, mi_row - 1, mi_col, ref_0)
    left = _interp_filter_of_neighbour(t, mi_row, mi_col - 1, ref_0)
    context = int64(4 if is_compound else 0)
    if left == above or above == INTERP_FILTERS:
        context += left
    elif left == INTERP_FILTERS:
        context += above
    else:
        context += INTERP_FILTERS
    return cdf.INTERP_FILTER + context * cdf.INTERP_FILTER_ROW


def write_interp_filter(t, mi_row, mi_col, block_size):
    """interp_filter[ 0 ] as it stands in the block info, if the frame leaves it to the blocks and the block needs one."""
    at = info_at(t, mi_row, mi_col)
    is_needed = needs_interp_filter(int64(t.y_mode[at]), block_size, int64(t.skip_mode[at]))
    if t.interpolation_filter == SWITCHABLE and is_needed:
        filter_cdf = interp_filter_cdf(t, mi_row, mi_col, int64(t.ref_frame_0[at]), t.ref_frame_1[at] > INTRA_FRAME)
        write_symbol(t, filter_cdf, int64(INTERP_FILTERS), int64(t.interp_filter[at]))


def interp_filter_rate(t, mi_row, mi_col, block_size, mode, ref_0, is_compound, interp_filter):
    """Rate of interp_filter[ 0 ] for a block without skip_mode."""
    if t.interpolation_filter != SWITCHABLE or not needs_interp_filter(mode, block_size, 0):
        return int64(0)
    return int64(t.rate[interp_filter_cdf(t, mi_row, mi_col, ref_0, is_compound) + interp_filter])


# Transform size and type ---------------------------------------------------------------------------------------------------


def _tx_size_of_neighbour(t, mi_row, mi_col):
    """InterTxSizes at a position, TX_64X64 outside the tile; a skipped inter block counts by its own size, which it has there."""
    return int64(t.tx_size[info_at(t, mi_row, mi_col)]) if is_inside(t, mi_row, mi_col) else int64(TX_64X64)


def txfm_split_cdf(t, block_size, row, col, tx_size):
    """CDF of txfm_split for the transform block at 4x4 unit (row, col): are the transforms above and left smaller?"""
    largest = max_tx_size(block_size)
    context = (TX_64X64 - largest) * 6 + (3 if tx_size != largest else 0)
    if _tx_size_of_neighbour(t, row - 1, col) < tx_size:
        context += 1
    if _tx_size_of_neighbour(t, row, col - 1) < tx_size:
        context += 1
    return cdf.TXFM_SPLIT + context * cdf.BOOL_ROW


def _code_txfm_split(t, writing, block_size, row, col, tx_size):
    is_split = t.tx_size[info_at(t, row, col)] < tx_size
    return _code_bool(t, writing, txfm_split_cdf(t, block_size, row, col, tx_size), is_split)


def _code_var_tx_size(t, writing, mi_row, mi_col, block_size):
    """The whole block and, if it is split, its quarters: MAX_VARTX_DEPTH is 2. All quarters of a block begin in the frame."""
    largest = max_tx_size(block_size)
    if not t.tx_mode_select or largest == TX_4X4:
        return int64(0)
    rate = _code_txfm_split(t, writing, block_size, mi_row, mi_col, largest)
    if t.tx_size[info_at(t, mi_row, mi_col)] == largest or largest - 1 == TX_4X4:
        return rate
    half = block_4x4s(block_size) >> 1
    for i in range(4):
        row, col = mi_row + (i >> 1) * half, mi_col + (i & 1) * half
        rate += _code_txfm_split(t, writing, block_size, row, col, largest - 1)
    return rate


def write_block_tx_size(t, mi_row, mi_col, block_size, skip):
    """The transform sizes that stand in t.tx_size (spec 5.11.16, 5.11.17); a skipped inter block has the largest there."""
    if not t.is_inter[info_at(t, mi_row, mi_col)]:
        write_tx_size(t, mi_row, mi_col, block_size)
    elif not skip:
        _code_var_tx_size(t, 1, mi_row, mi_col, block_size)


def var_tx_size_rate(t, mi_row, mi_col, block_size):
    """Rate of the transform sizes that stand in t.tx_size for an inter block that is not skipped."""
    return _code_var_tx_size(t, 0, mi_row, mi_col, block_size)


def inter_chroma_tx_type(t, luma_tx_type, tx_size):
    """An inter block's type in chroma: that of the first luma transform, if it is in the set (compute_tx_type, spec 5.11.40)."""
    return luma_tx_type if tx_type_symbol(tx_set(t, tx_size, 1), luma_tx_type, 1) >= 0 else int64(DCT_DCT)
