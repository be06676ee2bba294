"""Rate-distortion optimized quantization: lower levels, and fewer of them, where the bits that saves are worth the error.

The scan is walked backwards, as it is coded, so that the contexts of a level are known when it is decided. What a level does to
the contexts of those still to come is left out of its cost: to look there would cost more time than it gains.
"""

from numpy import int64

from encoder.intmath import msb
from encoder.spec import NUM_BASE_LEVELS, TX_32X32, TX_CLASS_2D, TX_CLASS_HORIZ
from encoder.tile.cdf import COEFF_BASE_EOB_ROW, COEFF_BASE_ROW, COEFF_BR_ROW
from encoder.tile.coefs import (
    COEFF_BASE_POS_CTX_OFFSET,
    GOLOMB_FROM,
    base_cdf,
    base_eob_cdf,
    coded_size,
    eob_context,
    eob_rate,
    load_magnitudes,
    lone_range_context,
    range_cdf,
    range_rate,
    reach,
    scan_at,
    tx_class,
    txb_skip_cdf,
)
from encoder.tile.costs import COST_BITS
from encoder.tile.state import LEVELS_STRIDE
from encoder.tile.symbol import RATE_BITS

ZERO_CONTEXT, CHROMA_ZERO_CONTEXT = 0, 8
"""all_zero contexts assumed for luma and chroma, as in the search."""
LUMA_LAMBDA, CHROMA_LAMBDA = 12, 8
"""What a bit is worth here, in 1/16 of what it is worth elsewhere: errors of references go on into other frames."""
ERROR_SHIFT = COST_BITS - 6
"""log2 of what a squared error of a coefficient costs up to 16x16, where 64 of them are one of a sample."""
SIGN_RATE = 1 << RATE_BITS


def optimize_levels(t, plane, tx_size, tx_type, coefs, levels, eob):
    """Lower levels of a transform block where that costs less; gives the new eob, 0 where none is worth its bits, and the rate of
    what write_coefs then writes, from t.rate, in 1/512 bit; signs cost one bit each.

    levels, with eob > 0, were quantized from coefs.
    """
    size = coded_size(tx_size)
    cls, size_log2, scan = tx_class(tx_type), msb(size), scan_at(tx_size, tx_type)
    load_magnitudes(t, levels, size, reach(size, cls, eob))
    rates, scans, base_levels, magnitudes = t.rate, t.scans, t.base_levels, t.magnitudes
    base_table, range_table = base_cdf(plane, tx_size, int64(0)), range_cdf(plane, tx_size, int64(0))
    end_table = base_eob_cdf(plane, tx_size, int64(0)) - 1  # it has no symbol for zero
    near, far, farther = _context_neighbours(cls)
    shift = max(int64(0), tx_size - TX_32X32 + 1)
    error_shift = ERROR_SHIFT + 2 * shift
    rd_lambda = t.rd_lambda * (CHROMA_LAMBDA if plane > 0 else LUMA_LAMBDA) >> 4
    end, q = eob, t.ac_q
    # Of the coefficients from here to the end: error and rate as decided, error without any of them.
    error, rate, dropped = int64(0), eob_rate(t, plane, tx_size, cls, eob), int64(0)
    for c in range(eob - 1, -1, -1):
        pos = int64(scans[scan + c])
        row, col = pos >> size_log2, pos & (size - 1)
        at = row * LEVELS_STRIDE + col
        coef, level = abs(int64(coefs[pos])), abs(int64(levels[pos]))
        if c == end - 1:
            base_at = end_table + eob_context(size, c) * COEFF_BASE_EOB_ROW
        else:
            total = int64(base_levels[at + 1]) + int64(base_levels[at + LEVELS_STRIDE]) + int64(base_levels[at + near])
            total += int64(base_levels[at + far]) + int64(base_levels[at + farther])
            base_at = base_table + _base_context(t, tx_size, cls, row, col, total) * COEFF_BASE_ROW
        if level == 0:
            rate += rates[base_at]
            error += coef * coef
            dropped += coef * coef
            continue
        if c == 0:
            q = t.dc_q
        last_at = range_at = int64(0)
        if level > NUM_BASE_LEVELS:
            last_at = range_table + lone_range_context(cls, row, col) * COEFF_BR_ROW
            total = int64(magnitudes[at + 1]) + int64(magnitudes[at + LEVELS_STRIDE]) + int64(magnitudes[at + near])
            range_at = last_at + min((total + 1) >> 1, int64(6)) * COEFF_BR_ROW
        best = level
        best_error, best_rate = _error(coef, level, q, shift), _level_rate(t, base_at, range_at, level)
        if (level == 1 and c < end - 1) or (level > 1 and (level * q) >> shift > coef):
            lower_error, lower_rate = _error(coef, level - 1, q, shift), _level_rate(t, base_at, range_at, level - 1)
            if _cost(lower_error - best_error, lower_rate - best_rate, error_shift, rd_lambda) < 0:
                best, best_error, best_rate = level - 1, lower_error, lower_rate
        error += best_error
        rate += best_rate
        if c < end - 1 and _cost(dropped - error, -rate, error_shift, rd_lambda) < 0:
            # The block may end here.
            last = max(best, int64(1))
            last_error = dropped + _error(coef, last, q, shift)
            base_at = end_table + eob_context(size, c) * COEFF_BASE_EOB_ROW
            last_rate = eob_rate(t, plane, tx_size, cls, int64(c + 1)) + _level_rate(t, base_at, last_at, last)
            if _cost(last_error - error, last_rate - rate, error_shift, rd_lambda) <= 0:
                best, error, rate = last, last_error, last_rate
                for i in range(c + 1, end):
                    _set_level(t, levels, size_log2, int64(scans[scan + i]), int64(0))
                end = int64(c + 1)
        dropped += coef * coef
        if best != level:
            _set_level(t, levels, size_log2, pos, best)
    zero_at = txb_skip_cdf(tx_size, int64(CHROMA_ZERO_CONTEXT if plane > 0 else ZERO_CONTEXT))
    coded_rate = rate + rates[zero_at] - rates[zero_at + 1]
    if _cost(dropped - error, -coded_rate, error_shift, rd_lambda) > 0:
        return end, rate
    for c in range(end):
        levels[int64(scans[scan + c])] = 0
    return int64(0), int64(0)


def _context_neighbours(cls):
    """Where the contexts' neighbours lie besides the next to the right and the next below; the first is coeff_br's too."""
    if cls == TX_CLASS_2D:
        return int64(LEVELS_STRIDE + 1), int64(2), int64(2 * LEVELS_STRIDE)
    if cls == TX_CLASS_HORIZ:
        return int64(2), int64(3), int64(4)
    return int64(2 * LEVELS_STRIDE), int64(3 * LEVELS_STRIDE), int64(4 * LEVELS_STRIDE)


def _base_context(t, tx_size, cls, row, col, total):
    """Context of coeff_base where the neighbours add up to total."""
    if cls == TX_CLASS_2D:
        if row + col == 0:
            return int64(0)
        place = tx_size * LEVELS_STRIDE**2 + row * LEVELS_STRIDE + col
        return min((total + 1) >> 1, int64(4)) + int64(t.base_offsets[place])
    along = col if cls == TX_CLASS_HORIZ else row
    return min((total + 1) >> 1, int64(4)) + COEFF_BASE_POS_CTX_OFFSET[min(along, int64(2))]


def _cost(error, rate, error_shift, rd_lambda):
    """Cost of a squared error of coefficients and a rate, or of differences of them."""
    return (error << error_shift) + ((rd_lambda * rate) >> RATE_BITS)


def _error(coef, level, q, shift):
    """Squared error of the magnitude of a coefficient that is coded as `level`."""
    difference = coef - min((level * q & 0xFFFFFF) >> shift, int64(32767))
    return difference * difference


def _level_rate(t, base_at, range_at, level):
    """Rate of a level with its sign, by the rates of coeff_base and coeff_br that begin there."""
    rate = int64(t.rate[base_at + min(level, int64(NUM_BASE_LEVELS + 1))])
    if level > 0:
        rate += SIGN_RATE
    if level > NUM_BASE_LEVELS:
        rate += range_rate(t, range_at, level)
    return rate


def _set_level(t, levels, size_log2, pos, magnitude):
    """Change a level, and what the contexts see of it."""
    levels[pos] = magnitude if levels[pos] > 0 else -magnitude
    at = (pos >> size_log2) * LEVELS_STRIDE + (pos & ((int64(1) << size_log2) - 1))
    t.magnitudes[at] = min(magnitude, int64(GOLOMB_FROM))
    t.base_levels[at] = min(magnitude, int64(NUM_BASE_LEVELS + 1))
