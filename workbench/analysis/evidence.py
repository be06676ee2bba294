"""Evidence that may be looked at after every pair: a bettor's fortune against "symmetric about theta".

Each pair of runs gives d = log(time of B / time of A), and the order inside the pair is a coin flip. A bettor starts
with 1 and stakes, pair after pair, a part of the fortune on d > theta; the payout is even. If theta is right, the sign
of d - theta is a fair coin whatever came before and however large |d - theta| is, so the fortune is a martingale, and
the chance that it *ever* reaches 1/a is at most a (Ville 1939): looking after each pair and stopping when content costs
nothing. At theta = 0 (B is A) the fairness is that of our own coin, exactly, whatever drifts, bursts and tails the
noise has. Elsewhere it needs symmetry about theta: B's time is A's times exp(theta), slot for slot. The signs are
robust there (a burst of additive noise is as likely in B's slot), the sizes to first order in theta.

The stake may depend on the size of d - theta, not on its sign. How large it is among the earlier ones (Reynolds 1975,
sequential signed ranks) tells much: a sign that comes with a tiny difference says little. Bettors of fixed stakes (BETS)
each get a part of the first fortune; their sum, a martingale too, is what is used. They were chosen on recorded noise
for effects that take 10 to 60 pairs. Of slowdowns that are hard to see within 40 pairs they find 0.87 and 0.44 of two
kinds where signs alone (Beta(1,1) mixture) find 0.76 and 0.32, ranks alone 0.81 and 0.32, and stakes learnt from the
past (aGRAPA, Waudby-Smith & Ramdas 2024) 0.72 and 0.28: in so few pairs learning costs more than it gains. Such tests
of symmetry: Vovk & Wang 2024, "Nonparametric e-tests of symmetry".

All stakes grow with the size of d - theta. Lower theta, and each factor of the fortune grows: a positive difference
grows beyond more of the earlier ones, a negative one shrinks below more of them, and a sign can only turn positive.
So the fortune falls as theta rises, whatever the data. Hence (1) a bet on "above theta" holds against all centres
below theta as well, so that a wrong direction is as improbable as a false alarm; (2) the centres that are not refused
form an interval, found by bisection, and verdicts read off the fortune and off the interval agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.analysis.signed_rank import walsh_averages

ALPHA = 0.01
_CELLS = 4_000_000  # comparisons held at once


class Bet(NamedTuple):
    """A bettor. `weight`: part of the first fortune. `stake`: part of the fortune set on each pair, 0 to 1. `by_rank`:
    less on differences that are small beside the earlier ones."""

    weight: float
    stake: float
    by_rank: bool


BETS = (
    Bet(
        0.25, 1.0, False
    ),  # all on each pair: doubled by every one while all signs agree, lost with the first that does not
    Bet(0.20, 0.6, False),
    Bet(0.45, 0.65, True),
    Bet(0.10, 0.25, True),  # for small effects and many pairs
)


def standings(sizes: np.ndarray) -> np.ndarray:
    """Rank of each size (last axis) among the earlier ones and itself, over their number: above 0, below 1; ties half."""
    count = sizes.shape[-1]
    below = sizes[..., None, :] < sizes[..., :, None]
    level = sizes[..., None, :] == sizes[..., :, None]
    earlier = np.tri(count, k=-1, dtype=bool)
    twice = np.sum(below & earlier, -1, dtype=np.int64) * 2 + np.sum(level & earlier, -1, dtype=np.int64)
    return (twice + 1) / (2 * np.arange(1, count + 1))


def fortunes(deviations: np.ndarray, bets: Sequence[Bet] = BETS) -> np.ndarray:
    """The bettors' fortune after each pair (last axis), betting that deviations are positive.

    A deviation of exactly 0 is neither won nor lost. Stakes by rank are full from the middle of the earlier sizes on:
    min(1, 2 x standing).
    """
    deviations = np.asarray(deviations, float)
    shape, count = deviations.shape, deviations.shape[-1]
    rows = deviations.reshape(-1, count)
    step = max(1, _CELLS // max(1, count * count))
    parts = [_fortunes(rows[at : at + step], bets) for at in range(0, len(rows), step)]
    return np.concatenate(parts).reshape(shape) if parts else np.ones(shape)


def _fortunes(rows: np.ndarray, bets: Sequence[Bet]) -> np.ndarray:
    signs = np.sign(rows)
    by_rank = np.minimum(1.0, 2 * standings(np.abs(rows)))
    total = np.zeros_like(rows)
    with np.errstate(divide="ignore"):  # log(0): everything was staked and lost
        for bet in bets:
            logs = np.cumsum(np.log1p(bet.stake * signs * (by_rank if bet.by_rank else 1.0)), axis=-1)
            total += bet.weight * np.exp(np.minimum(logs, 700.0))
    return total


def highest(log_ratios: Sequence[float] | np.ndarray, theta: float, above: bool) -> float:
    """The highest fortune so far, betting that log ratios lie above (or below) theta; 1 of none. 1 / it is a p-value
    that holds at any stopping time, one-sided."""
    deviations = (1 if above else -1) * (np.asarray(log_ratios, float) - theta)
    return max(1.0, float(fortunes(deviations).max())) if len(deviations) else 1.0


def confidence_sequence(log_ratios: Sequence[float], alpha: float = ALPHA) -> tuple[float, float]:
    """The centres that no look so far has refused, each side at alpha/2; infinite ends where nothing is refused.

    Holds at all looks together with chance 1 - alpha. Lower above upper: no one centre fits all pairs, the effect
    changed meanwhile (chance at most alpha if it did not).
    """
    centres = np.unique(walsh_averages(log_ratios))
    return _lower(log_ratios, centres, alpha), -_lower([-d for d in log_ratios], -centres[::-1], alpha)


def _lower(log_ratios: Sequence[float], centres: np.ndarray, alpha: float) -> float:
    """The largest Walsh average below which every theta is refused: between two of them no sign and no rank changes."""

    def refused_below(at: int) -> bool:
        theta = (centres[at - 1] + centres[at]) / 2 if at else centres[0] - 1.0
        return highest(log_ratios, theta, above=True) >= 2 / alpha

    if not len(centres) or not refused_below(0):
        return -np.inf
    low, high = 0, len(centres)  # refused below centres[low]; not below centres[high], were there one
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refused_below(middle) else (low, middle)
    return float(centres[low])


class Decisions(NamedTuple):
    """What was decided, for each row of log ratios, after each pair (last axis); once true, it stays so."""

    below: np.ndarray
    above: np.ndarray
    same: np.ndarray

    def first(self) -> tuple[np.ndarray, np.ndarray]:
        """(decided at all, pairs at the first decision or all of them), for each row."""
        any_of = self.below | self.above | self.same
        decided = any_of[..., -1]
        return decided, np.where(decided, any_of.argmax(-1) + 1, any_of.shape[-1])


def decisions(log_ratios: np.ndarray, margin: float, alpha: float = ALPHA) -> Decisions:
    """Decide after every pair of every row: the centre is below 0, above 0, within +-log(1 + margin).

    Each one-sided refusal is at alpha/2. A centre of 0 is called below or above with at most alpha; one beyond the
    margin is called the other direction, or the same, with at most alpha.
    """
    rows = np.asarray(log_ratios, float)
    edge, limit = np.log1p(margin), 2 / alpha

    def ever(deviations: np.ndarray) -> np.ndarray:
        return np.maximum.accumulate(fortunes(deviations) >= limit, axis=-1)

    return Decisions(ever(-rows), ever(rows), ever(rows + edge) & ever(edge - rows))
