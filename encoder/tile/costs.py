"""What a decision costs: distortion << COST_BITS plus lambda times rate, in integers, so that every kernel set decides alike."""

from encoder.tile.symbol import RATE_BITS

COST_BITS = 14
NO_COST = 1 << 62
"""More than anything costs."""


def rd_cost(t, distortion, rate):
    """Cost of a squared error and a rate in 1/512 bit."""
    return (distortion << COST_BITS) + ((t.rd_lambda * rate) >> RATE_BITS)


def satd_cost(t, satd, rate):
    """Cost of a SATD (or of twice a SAD, which is about as large) and a rate, for ranking predictions."""
    return (satd << COST_BITS) + ((t.satd_lambda * rate) >> RATE_BITS)
