"""How many more pairs a decision will take, or how quiet the machine must be, by resampling the log ratios so far.

Rough by nature: a few pairs say little of the tails that later ones have. The seed is fixed: the same pairs give the
same forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis import signed_rank
from workbench.analysis.evidence import ALPHA, BETS, decisions, fortunes
from workbench.stats import hodges_lehmann, random_stream, robust_spread

FEWEST = 4  # pairs that a forecast is made of
WITHIN = 40  # pairs that a comparison should take
SHARE = 0.8  # of the imagined runs that must decide
_IMAGINED = 200
_CELLS = 12_000_000  # comparisons of a forecast, which hold it below a second
_LONGEST = 600  # pairs looked ahead


@dataclass(frozen=True)
class Needs:
    """What an undecided comparison lacks.

    more_pairs     median over imagined continuations; None: most of them do not decide within `horizon` further pairs
    horizon        further pairs looked ahead
    spread         robust standard deviation of the log ratios, 0.01 is 1 % a pair; None of too few
    spread_needed  with which `within` pairs decide in SHARE of imagined runs, whichever effect it is of those that the
                   exact interval leaves; None: it is as quiet already
    """

    more_pairs: int | None
    horizon: int
    spread: float | None
    spread_needed: float | None
    within: int = WITHIN


def least_pairs(alpha: float = ALPHA) -> int:
    """The fewest pairs that can decide anything: all agree, and each stake is in full."""
    count = 1
    while float(fortunes(np.ones(count), BETS)[-1]) < 2 / alpha:
        count += 1
    return count


def forecast(
    log_ratios: Sequence[float], margin: float, alpha: float = ALPHA, within: int = WITHIN, seed: int = 1
) -> Needs:
    """What it takes to decide, given pairs that have not decided yet. Fewer than FEWEST: what it takes at the least."""
    count = len(log_ratios)
    if count < FEWEST:
        return Needs(least_pairs(alpha) - count, 0, None, None, within)
    horizon = min(max(3 * count, 2 * within), _LONGEST)
    spread = robust_spread(log_ratios)
    return Needs(
        _more_pairs(np.asarray(log_ratios, float), horizon, margin, alpha, seed),
        horizon,
        spread,
        _spread_needed(np.asarray(log_ratios, float), spread, within, margin, alpha, seed),
        within,
    )


def _imagined(pairs: int) -> int:
    return max(20, min(_IMAGINED, _CELLS // (4 * pairs * pairs)))


def _more_pairs(values: np.ndarray, horizon: int, margin: float, alpha: float, seed: int) -> int | None:
    runs = _imagined(len(values) + horizon)
    drawn = random_stream(seed).choice(values, (runs, horizon))
    continued = np.hstack([np.tile(values, (runs, 1)), drawn])
    decided, pairs = decisions(continued, margin, alpha).first()
    if decided.mean() <= 0.5:
        return None
    middle = np.sort(np.where(decided, pairs, np.inf))[(runs - 1) // 2]
    return max(1, int(middle) - len(values))


def _spread_needed(
    values: np.ndarray, spread: float, within: int, margin: float, alpha: float, seed: int
) -> float | None:
    deviations = values - hodges_lehmann(values.tolist())
    hardest = _hardest(values, margin)
    drawn = random_stream(seed).choice(deviations, (_imagined(within), within))

    def enough(part: float) -> bool:
        return decisions(hardest + part * drawn, margin, alpha).first()[0].mean() >= SHARE

    if enough(1.0) or not enough(0.0) or not spread:
        return None
    return spread * _last(enough)


def _hardest(values: np.ndarray, margin: float) -> float:
    """The centre in the 95 % interval that is nearest to half the margin, either way: as far from 0 as from the margin."""
    interval = signed_rank.interval(values.tolist())
    half = float(np.log1p(margin)) / 2
    if interval is None:
        return half
    nearest = [(abs(min(max(end, interval.low), interval.high) - end), end) for end in (half, -half)]
    return min(max(min(nearest)[1], interval.low), interval.high)


def smallest_effect(
    same_side: Sequence[float], pairs: int = WITHIN, alpha: float = ALPHA, share: float = SHARE, seed: int = 1
) -> float | None:
    """The smallest slowdown, 0.01 is 1 %, that `pairs` pairs of this noise find in `share` of imagined runs.

    same_side   log ratios of two sides that are the same; their signs are drawn anew, as the coin might have fallen
    None where not even 100 % is found, or of fewer than FEWEST log ratios.
    """
    if len(same_side) < FEWEST:
        return None
    stream = random_stream(seed)
    shape = (_imagined(pairs), pairs)
    drawn = stream.choice(np.abs(np.asarray(same_side, float)), shape) * stream.choice([-1.0, 1.0], shape)

    def missed(effect: float) -> bool:
        return decisions(drawn + np.log1p(effect), effect, alpha).above[:, -1].mean() < share

    return None if missed(1.0) else _last(missed)


def _last(holds: Callable[[float], bool]) -> float:
    """The end, in 0 to 1, of what holds at small values; to 1/1000 of itself."""
    low, high = np.log(1e-5), 0.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(float(np.exp(middle))) else (low, middle)
    return float(np.exp(high))
