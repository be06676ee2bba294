"""The symbol coder's encoding side (derived from the decoder of spec 8.2: each function here undoes one there), and rates.

A tile is coded in two steps. The walk adapts CDFs and records each symbol as a token: the slice of the range that it keeps. When
the frame's filters have been chosen, walk.finish_tile narrows the range token by token; where a marker stands it codes what
only now is known: the CDEF index of a 64x64 area, the loop restoration of a superblock.

A token holds, from the lowest bit: `above` and `below` (16 bits each; both may be 0, for a symbol that adaptation has made
impossible and the coder has not), the symbols left (8), the syntax class (8). A marker has bit 48 set, its position in the place
of `below` and its kind in that of the symbols left.

State in t.coder: LOW (bits not yet out), RANGE, COUNT (bits in LOW beyond the next byte, minus 16), OFFSET (bytes out),
TOKENS (recorded, and counted beyond the room in t.tokens), CLASS (of the next tokens). Bytes wait in t.out as 16-bit values
whose upper half is a carry into the byte before.
"""

import numpy as np
from numpy import int64

from encoder.intmath import msb

LOW, RANGE, COUNT, OFFSET, TOKENS, CLASS = range(6)
CODER_WORDS = 6
EC_PROB_SHIFT, EC_MIN_PROB = 6, 4

SYNTAX_CLASSES = (
    "partition",
    "mode",
    "intra",
    "reference",
    "motion",
    "transform",
    "coefficients_y",
    "coefficients_uv",
    "filter",
)
"""What bits are spent on, for the figures of a frame."""
CLASS_PARTITION, CLASS_MODE, CLASS_INTRA, CLASS_REFERENCE, CLASS_MOTION = range(5)
CLASS_TRANSFORM, CLASS_COEFFICIENTS_Y, CLASS_COEFFICIENTS_UV, CLASS_FILTER = range(5, 9)

MARKER = 1 << 48
MARKER_CDEF, MARKER_RESTORATION = range(2)
"""What walk.finish_tile puts in: the cdef_idx of a 64x64 area; the restoration units that begin in a superblock."""

RATE_BITS = 9
"""Rates are in 1/512 bit."""


def start_symbols(t):
    """Begin a tile (spec 8.2.2)."""
    t.coder[LOW] = 0
    t.coder[RANGE] = 1 << 15
    t.coder[COUNT] = -9
    t.coder[OFFSET] = 0
    t.coder[TOKENS] = 0
    t.coder[CLASS] = 0
    for i in range(len(t.class_bits)):
        t.class_bits[i] = 0


def syntax_class(t, number):
    """Account the following symbols to a class."""
    t.coder[CLASS] = number


def _record(t, above, below, symbols_left):
    """Append a token: _narrow's arguments and the class."""
    _append(t, above | (below << 16) | (symbols_left << 32) | (t.coder[CLASS] << 40))


def _append(t, token):
    at = t.coder[TOKENS]
    if at < len(t.tokens):
        t.tokens[at] = token
    t.coder[TOKENS] = at + 1


def record_marker(t, kind, position):
    """Append a marker: here walk.finish_tile puts in what the frame's filters have decided."""
    _append(t, MARKER | (position << 16) | (int64(kind) << 32))


def _narrow(t, above, below, symbols_left):
    """Keep the part of the range between two inverse cumulative probabilities (above >= below, 15 bits), then renormalise.

    symbols_left is N - 1 - symbol; the top of the first symbol is the whole range (above = 32768).
    """
    low, rng, count = t.coder[LOW], t.coder[RANGE], t.coder[COUNT]
    v = (((rng >> 8) * (below >> EC_PROB_SHIFT)) >> (7 - EC_PROB_SHIFT)) + EC_MIN_PROB * symbols_left
    if above < 32768:
        u = (((rng >> 8) * (above >> EC_PROB_SHIFT)) >> (7 - EC_PROB_SHIFT)) + EC_MIN_PROB * (symbols_left + 1)
        low += rng - u
        rng = u - v
    else:
        rng -= v
    shift = 15 - msb(rng)
    filled = count + shift
    if filled >= 0:
        low, filled = _put_bytes(t, low, count, shift)
    t.coder[LOW] = low << shift
    t.coder[RANGE] = rng << shift
    t.coder[COUNT] = filled


def _put_bytes(t, low, count, shift):
    """Move the one or two finished bytes of LOW to the output; gives the remaining low and count."""
    at = t.coder[OFFSET]
    bits = count + 16
    filled = count + shift
    if filled >= 8:
        t.out[at] = low >> bits
        at += 1
        low &= (1 << bits) - 1
        bits -= 8
        filled -= 8
    t.out[at] = low >> bits
    t.coder[OFFSET] = at + 1
    return low & ((1 << bits) - 1), filled - 8


def write_symbol(t, at, n, symbol):
    """Code one of n symbols with the CDF at t.cdf[at] and adapt it (spec 8.2.6)."""
    above = int64(32768)
    if symbol > 0:
        above = 32768 - int64(t.cdf[at + symbol - 1])
    below = 32768 - int64(t.cdf[at + symbol])
    _record(t, above, below, n - 1 - symbol)
    if not t.disable_cdf_update:
        _adapt(t, at, n, symbol)


def _adapt(t, at, n, symbol):
    counter = int64(t.cdf[at + n])
    rate = 3 + (counter > 15) + (counter > 31) + min(msb(n), 2)
    for i in range(n - 1):
        value = int64(t.cdf[at + i])
        if i < symbol:
            t.cdf[at + i] = value - (value >> rate)
        else:
            t.cdf[at + i] = value + ((32768 - value) >> rate)
    if counter < 32:
        t.cdf[at + n] = counter + 1


def write_bool(t, at, bit):
    """A two-valued symbol."""
    write_symbol(t, at, 2, bit)


def write_unadapted_bool(t, first, bit):
    """A bit with cumulative probability `first` (15 bits) of being 0, from a CDF made for the occasion."""
    if bit:
        _record(t, 32768 - first, int64(0), int64(0))
    else:
        _record(t, int64(32768), 32768 - first, int64(1))


def write_literal(t, value, bits):
    """L(n): bits of equal probability, the highest first (spec 8.2.5)."""
    for i in range(bits - 1, -1, -1):
        write_unadapted_bool(t, int64(16384), (value >> i) & 1)


def write_golomb(t, x):
    """x >= 1 as length bits and the digits below its highest one (golomb_length_bit, golomb_data_bit of spec 5.11.39)."""
    length = msb(x)
    for _ in range(length):
        write_literal(t, 0, 1)
    write_literal(t, x, length + 1)


def code_tokens(t, first, end):
    """Narrow the range by tokens first .. end - 1, none of them a marker, and account their bits (in 1/512)."""
    for i in range(first, end):
        token = t.tokens[i]
        above, below = token & 0xFFFF, (token >> 16) & 0xFFFF
        _narrow(t, above, below, (token >> 32) & 0xFF)
        t.class_bits[token >> 40] += t.rate_of_probability[(above - below) >> RATE_STEP_LOG2]


def is_marker(token):
    """Whether a token is a marker."""
    return token & MARKER != 0


def marker_kind(token):
    """What a marker stands for."""
    return (token >> 32) & 0xFF


def marker_position(token):
    """Where in the frame."""
    return (token >> 16) & 0xFFFF


def finish_symbols(t):
    """End the tile as exit_symbol asks (spec 8.2.4): a one bit, zeros up to the byte. Gives the number of bytes in t.out."""
    low, count, at = t.coder[LOW], t.coder[COUNT], t.coder[OFFSET]
    mask = int64(0x3FFF)
    end = ((low + mask) & ~mask) | (mask + 1)
    remaining = count + 10
    bits = count + 16
    while remaining > 0:
        t.out[at] = end >> bits
        at += 1
        end &= (1 << bits) - 1
        remaining -= 8
        bits -= 8
    carry = int64(0)
    for i in range(at - 1, -1, -1):
        value = int64(t.out[i]) + carry
        t.out[i] = value & 255
        carry = value >> 8
    return at


def update_rates(t):
    """Turn every CDF into the rates of its symbols: t.rate[at + s] in 1/512 bit."""
    for i in range(0, len(t.cdf_rows), 2):
        at, n = int64(t.cdf_rows[i]), int64(t.cdf_rows[i + 1])
        previous = int64(0)
        for s in range(n):
            value = int64(t.cdf[at + s])
            t.rate[at + s] = t.rate_of_probability[(value - previous) >> RATE_STEP_LOG2]
            previous = value


RATE_STEP_LOG2 = 5


def rate_of_probability():
    """-log2 of a probability in steps of 1/1024, in 1/512 bit, by integer arithmetic alone: int32[1025]."""
    rates = np.zeros((32768 >> RATE_STEP_LOG2) + 1, np.int32)
    for p in range(1, len(rates)):
        rates[p] = ((len(rates) - 1).bit_length() - 1 << RATE_BITS) - _log2_fixed(p)
    rates[0] = rates[1] + (1 << RATE_BITS)
    return rates


def _log2_fixed(x: int) -> int:
    """floor(512 * log2(x)) by repeated squaring of x as a fraction of 40 bits."""
    whole = x.bit_length() - 1
    mantissa = x << 40 >> whole
    result = whole
    for _ in range(RATE_BITS):
        mantissa = mantissa * mantissa >> 40
        bit = mantissa >> 41
        mantissa >>= bit
        result = result << 1 | bit
    return result
