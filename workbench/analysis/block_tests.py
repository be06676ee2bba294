"""The tests of the usual tools, on a block of runs of A and then a block of B: Welch's t and Mann-Whitney's U.

They are here to be held beside the paired verdicts on the same noise, and decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_EXACT_UP_TO = 25  # runs a side


def welch_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of equal means, variances apart (Welch 1947; Satterthwaite 1946 for the degrees of freedom)."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    errors = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if not sum(errors):
        return float(x.mean() == y.mean())
    t = (x.mean() - y.mean()) / math.sqrt(sum(errors))
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / (len(x) - 1) + errors[1] ** 2 / (len(y) - 1))
    return _student_p(float(t), float(freedom))


def _student_p(t: float, freedom: float) -> float:
    """P(|T| >= |t|): the incomplete beta function (Abramowitz & Stegun 26.7.1 and 26.5.27)."""
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised, by its continued fraction (Abramowitz & Stegun 26.5.8), on the side where it converges quickly."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    return front / _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), from its far end, which lies where terms no longer count for any sample here."""
    value = 1.0
    for term in range(200, 0, -1):
        m = term // 2
        if term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + term - 1) * (a + term))
        else:
            numerator = m * (b - m) * x / ((a + term - 1) * (a + term))
        value = 1 + numerator / value
    return value


def mann_whitney_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of equal distributions by ranks: exact without ties up to 25 a side (Mann & Whitney 1947), else the
    normal approximation with continuity correction and the variance for ties (Hollander, Wolfe & Chicken 2014, 4.1)."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    everything = np.sort(np.concatenate([x, y]))
    ranks = (np.searchsorted(everything, x, "left") + np.searchsorted(everything, x, "right") + 1) / 2
    u = float(ranks.sum()) - len(x) * (len(x) + 1) / 2
    lesser = min(u, len(x) * len(y) - u)
    ties = np.unique(everything, return_counts=True)[1]
    if (ties == 1).all() and max(len(x), len(y)) <= _EXACT_UP_TO:
        return min(1.0, 2 * float(_u_distribution(len(x), len(y))[: int(lesser) + 1].sum()))
    total = len(everything)
    variance = len(x) * len(y) / 12 * (total + 1 - float((ties**3 - ties).sum()) / (total * (total - 1)))
    if not variance:
        return 1.0
    z = (abs(lesser - len(x) * len(y) / 2) - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(z / math.sqrt(2)))


@lru_cache(maxsize=16)
def _u_distribution(m: int, n: int) -> np.ndarray:
    """P(U = 0), P(U = 1) ... P(U = mn): the Gaussian binomial coefficients, factor by factor."""
    counts = np.zeros(m * n + 1)
    counts[0] = 1.0
    for factor in range(1, m + 1):
        for at in range(m * n, n + factor - 1, -1):
            counts[at] -= counts[at - n - factor]
        for at in range(factor, m * n + 1):
            counts[at] += counts[at - factor]
    return counts / counts.sum()
