"""Where the time goes, from folded stacks: self time per function, the hottest, and how far clips agree on them.

A folded stack is "outermost;...;innermost" with the number of samples that saw it. A frame is written "function
(file.py:line)"; the line is dropped, so that one function is one entry whatever line of it was running.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from workbench.analysis.folded import INLINED, without_line

TOP = 10
PERSISTENCE = 0.9  # rank-biased overlap: the first ten ranks carry about 86 % of the weight

Profile = Mapping[str, float]  # function -> share of self time, adding up to 1


@dataclass(frozen=True)
class Hot:
    """A function and its share of the self time."""

    name: str
    share: float


@dataclass(frozen=True)
class Agreement:
    """How far two or more clips agree on where time goes; means over all pairs of clips.

    distance      Jensen-Shannon distance of the profiles: 0 the same, 1 nothing in common
    overlap       functions that both top tens hold, of 10 (of the shorter list, where it is shorter)
    rank_overlap  rank-biased overlap of the two orders: 1 the same order, 0 nothing in common
    furthest      the two clips with the largest distance, and that distance
    in_every_top  functions that are in the top ten of every clip
    """

    distance: float
    overlap: float
    rank_overlap: float
    furthest: tuple[str, str, float]
    in_every_top: tuple[str, ...]


def function_of(frame: str) -> str:
    """The frame without the line that was running, and without the mark of an inlined copy: "walk (tile/walk.py:120)" is
    "walk (tile/walk.py)"."""
    return without_line(frame).replace(INLINED, "", 1)


def self_time(folded: Mapping[str, float]) -> dict[str, float]:
    """Share of the samples whose innermost frame is each function, largest first; empty of no samples."""
    counts: dict[str, float] = {}
    for stack, samples in folded.items():
        function = function_of(stack.rsplit(";", 1)[-1])
        counts[function] = counts.get(function, 0) + samples
    total = sum(counts.values())
    return _sorted({name: count / total for name, count in counts.items()} if total else {})


def combined(profiles: Sequence[Profile], weights: Sequence[float] | None = None) -> dict[str, float]:
    """The profile of a corpus: the weighted mean of its clips' profiles, every clip counting the same unless told."""
    weights = weights if weights is not None else [1.0] * len(profiles)
    total = sum(weights)
    shares: dict[str, float] = {}
    for profile, weight in zip(profiles, weights, strict=True):
        for name, share in profile.items():
            shares[name] = shares.get(name, 0.0) + share * weight / total
    return _sorted(shares)


def hottest(profile: Profile, count: int = TOP) -> list[Hot]:
    """The `count` functions with most self time."""
    return [Hot(name, share) for name, share in list(_sorted(profile).items())[:count]]


def agreement(profiles: Mapping[str, Profile]) -> Agreement | None:
    """How far the clips (name -> profile) agree; None of fewer than two clips with samples."""
    known = {name: profile for name, profile in profiles.items() if profile}
    if len(known) < 2:
        return None
    tops = {name: [hot.name for hot in hottest(profile)] for name, profile in known.items()}
    pairs = list(combinations(known, 2))
    distances = {pair: jensen_shannon_distance(known[pair[0]], known[pair[1]]) for pair in pairs}
    furthest = max(pairs, key=lambda pair: distances[pair])
    shared = set.intersection(*(set(top) for top in tops.values()))
    return Agreement(
        distance=_mean(list(distances.values())),
        overlap=_mean([top_overlap(tops[a], tops[b]) for a, b in pairs]),
        rank_overlap=_mean([rank_biased_overlap(tops[a], tops[b]) for a, b in pairs]),
        furthest=(*furthest, distances[furthest]),
        in_every_top=tuple(name for name in combined(list(known.values())) if name in shared),
    )


def jensen_shannon_distance(a: Profile, b: Profile) -> float:
    """Square root of the Jensen-Shannon divergence, base 2 (Lin 1991; a metric: Endres & Schindelin 2003). 0 to 1."""
    divergence = 0.0
    for name in {**a, **b}:
        p, q = a.get(name, 0.0), b.get(name, 0.0)
        middle = (p + q) / 2
        divergence += sum(share * math.log2(share / middle) / 2 for share in (p, q) if share)
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def top_overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Names in both lists over the length of the shorter, times ten: "8 of 10"."""
    shorter = min(len(a), len(b))
    return TOP * len(set(a) & set(b)) / shorter if shorter else 0.0


def rank_biased_overlap(a: Sequence[str], b: Sequence[str], persistence: float = PERSISTENCE) -> float:
    """Extrapolated rank-biased overlap of two rankings, to the depth of the shorter (Webber et al. 2010, RBO_EXT)."""
    depth = min(len(a), len(b))
    if depth == 0:
        return 0.0
    agreements = [len(set(a[:d]) & set(b[:d])) / d for d in range(1, depth + 1)]
    seen = sum(share * persistence**d for d, share in enumerate(agreements, 1))
    return agreements[-1] * persistence**depth + (1 - persistence) / persistence * seen


def _sorted(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
