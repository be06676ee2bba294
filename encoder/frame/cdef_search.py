"""Choice of a frame's CDEF strengths by trial: a few sets, and for every 64x64 area the one that serves it best.

cdef_costs filters with every candidate and measures; from the table of errors the sets are picked greedily, the pair of a luma
and a chroma strength first that lowers the sum over all areas most when each area takes the better set. Sets and their
indices cost bits, weighed with lambda. Integers throughout, so all kernel sets choose alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.frame.filter_levels import CdefStrengths, cdef_strengths, sec_strength
from encoder.intmath import clip3

LAMBDA_BITS = 14
"""rd_lambda is the squared error that a bit is worth, times 2**14."""
SET_BITS = 12
"""What one more set takes in the frame header."""
Strength = tuple[int, int]
"""Primary 0..15 and secondary strength as it is coded, 0..3."""
OFF: Strength = (0, 0)
ALL_STRENGTHS: tuple[Strength, ...] = tuple((pri, sec) for pri in range(16) for sec in range(4))


Near = tuple[int, int, int]
"""A candidate beside the suggestion: eighths of its primary strength, added to that, and added to its secondary strength."""


@dataclass(frozen=True)
class CdefEffort:
    """How hard to look.

    luma, chroma   strengths around those that the quantizer suggests; off is always among the candidates
    step           1, 2 or 4: one 8x8 block in so many is filtered and measured
    estimate_step  if not 0, all 64 strengths are first tried on one block in so many, and the best of them are candidates too
    max_sets       1, 2, 4 or 8
    """

    luma: tuple[Near, ...]
    chroma: tuple[Near, ...]
    step: int = 1
    estimate_step: int = 0
    max_sets: int = 4


_LUMA: tuple[Near, ...] = ((8, 0, 0), (12, 1, 1), (0, 0, 2), (16, 2, 0))
_CHROMA: tuple[Near, ...] = ((8, 0, 0), (0, 14, 0), (0, 8, 1), (0, 1, 3))
FASTEST = CdefEffort(((8, 0, 0), (0, 0, 2)), ((8, 0, 0), (0, 8, 1)), step=4, max_sets=2)
FAST = CdefEffort(_LUMA, _CHROMA, step=2)
MEDIUM = CdefEffort((*_LUMA, (8, 0, 1), (8, 3, 1), (0, 0, 1), (8, 1, 3)), (*_CHROMA, (0, 15, 1), (0, 5, 0)))
THOROUGH = CdefEffort(_LUMA, _CHROMA, estimate_step=4, max_sets=8)
"""At 1280x720, on one core: some 15, 60 and 300 ms."""


def search_cdef(
    cdef_costs: Callable[..., Any],
    kernels: Any,
    f: Any,
    source: np.ndarray,
    effort: CdefEffort,
    base_q_idx: int,
    rd_lambda: int,
) -> tuple[CdefStrengths, ...]:
    """The sets, 1, 2, 4 or 8 of them; writes the index of each 64x64 area to f.cdef_idx where that is not -1.

    cdef_costs   the function of that name for all rows, as it stands or compiled
    f            a FilterView: its samples are the deblocked reconstruction, its damping the one to use
    source       samples of the picture to come close to, laid out like f.samples
    """
    coded = np.flatnonzero(f.cdef_idx >= 0)
    if coded.size == 0:
        return (CdefStrengths(f.cdef_damping, 0, 0, 0, 0),)

    def measured(luma: tuple[Strength, ...], chroma: tuple[Strength, ...], step: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = [(pri, sec_strength(sec)) for pri, sec in luma + chroma]
        costs = np.empty((f.cdef_idx.size, len(pairs)), np.int64)
        cdef_costs(kernels, f, source, np.array(pairs, np.int64).ravel(), len(luma), step, costs.ravel())
        scaled = costs[coded] * step
        return scaled[:, : len(luma)], scaled[:, len(luma) :]

    suggested = cdef_strengths(base_q_idx)
    luma = _candidates(effort.luma, suggested.y_pri, suggested.y_sec)
    chroma = _candidates(effort.chroma, suggested.uv_pri, suggested.uv_sec)
    if effort.estimate_step:
        estimates = measured(ALL_STRENGTHS, ALL_STRENGTHS, effort.estimate_step)
        estimated = _pick_sets(*estimates, effort.max_sets, rd_lambda)
        luma = _united(luma, [ALL_STRENGTHS[y] for y, _ in estimated])
        chroma = _united(chroma, [ALL_STRENGTHS[uv] for _, uv in estimated])
    y_costs, uv_costs = measured(luma, chroma, effort.step)
    picked = _pick_sets(y_costs, uv_costs, effort.max_sets, rd_lambda)
    by_set = np.stack([y_costs[:, y] + uv_costs[:, uv] for y, uv in picked], axis=1)
    f.cdef_idx[coded] = by_set.argmin(axis=1)
    return tuple(CdefStrengths(f.cdef_damping, *luma[y], *chroma[uv]) for y, uv in picked)


def _candidates(nears: tuple[Near, ...], pri: int, sec: int) -> tuple[Strength, ...]:
    """Off first, then the strengths near the suggested one."""
    near = [
        (clip3(0, 15, (pri * eighths + 4) // 8 + more), clip3(0, 3, sec + more_sec))
        for eighths, more, more_sec in nears
    ]
    return _united((OFF,), near)


def _united(first: tuple[Strength, ...], more: list[Strength]) -> tuple[Strength, ...]:
    return tuple(dict.fromkeys([*first, *more]))


def _pick_sets(y_costs: np.ndarray, uv_costs: np.ndarray, max_sets: int, rd_lambda: int) -> list[tuple[int, int]]:
    """The sets as (luma, chroma) candidates: as many as pay for their bits. Costs are int64 [area, candidate]."""
    areas = len(y_costs)
    picked: list[tuple[int, int]] = []
    best = np.full(areas, np.iinfo(np.int64).max)
    chosen, lowest = picked, None
    for bits in range(max_sets.bit_length()):
        while len(picked) < 1 << bits:
            pair = _best_addition(y_costs, uv_costs, best)
            best = np.minimum(best, y_costs[:, pair[0]] + uv_costs[:, pair[1]])
            picked = [*picked, pair]
        cost = (int(best.sum()) << LAMBDA_BITS) + rd_lambda * (bits * areas + len(picked) * SET_BITS)
        if lowest is None or cost < lowest:
            chosen, lowest = picked, cost
    return chosen


def _best_addition(y_costs: np.ndarray, uv_costs: np.ndarray, best: np.ndarray) -> tuple[int, int]:
    """The pair that lowers the sum of each area's least cost most; the first of equal ones."""
    totals = [np.minimum(best[:, None], y[:, None] + uv_costs).sum(axis=0) for y in y_costs.T]
    at = int(np.argmin(totals))
    return at // uv_costs.shape[1], at % uv_costs.shape[1]
