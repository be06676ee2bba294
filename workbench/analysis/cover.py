"""Which inputs to run when time is short: greedy budgeted maximum coverage (Khuller, Moss & Naor 1999).

Each input covers a set of items (executed lines and branches) and costs seconds. Greedily take the input with the
most new items per second that still fits; where the best single input that fits covers more than all that, take it
instead. The better of the two covers at least (1 - 1/e) / 2 of what the best possible choice covers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """An input in the order taken: what it added to those before it, and at what price."""

    name: str
    order: int
    new_items: int
    seconds: float

    @property
    def new_per_s(self) -> float:
        """New items for each second of it."""
        if self.new_items == 0:
            return 0.0
        return self.new_items / self.seconds if self.seconds else math.inf


@dataclass(frozen=True)
class Selection:
    """The choice, what it covers together, what all inputs would cover, and its price."""

    chosen: tuple[Choice, ...]
    covered: frozenset[Hashable]
    reachable: frozenset[Hashable]
    seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        """The chosen inputs, in the order taken."""
        return tuple(choice.name for choice in self.chosen)


def select(
    items: Mapping[str, Collection[Hashable]], cost_s: Mapping[str, float], budget_s: float = math.inf
) -> Selection:
    """Choose inputs within `budget_s` seconds until nothing new comes or nothing more fits.

    items    what each input covers
    cost_s   what each input costs, not negative; an input without a cost raises KeyError
    Ties go to the cheaper input, then to the name, so that the same input gives the same choice.
    """
    covers = {name: frozenset(covered) for name, covered in items.items()}
    costs = {name: float(cost_s[name]) for name in covers}
    for name, cost in costs.items():
        if not cost >= 0:
            raise ValueError(f"{name}: costs {cost} s; a cost is not negative")
    greedy = _greedy(covers, costs, budget_s)
    single = _best_single(covers, costs, budget_s)
    best = max(greedy, single, key=lambda choices: sum(choice.new_items for choice in choices))
    covered: frozenset[Hashable] = frozenset().union(*(covers[choice.name] for choice in best))
    reachable: frozenset[Hashable] = frozenset().union(*covers.values())
    return Selection(tuple(best), covered, reachable, sum(choice.seconds for choice in best))


def _greedy(covers: Mapping[str, frozenset[Hashable]], costs: Mapping[str, float], budget_s: float) -> list[Choice]:
    chosen: list[Choice] = []
    covered: frozenset[Hashable] = frozenset()
    left_s, waiting = budget_s, set(covers)
    while candidates := [
        Choice(name, len(chosen), len(covers[name] - covered), costs[name]) for name in waiting if costs[name] <= left_s
    ]:
        best = min(candidates, key=lambda choice: (-choice.new_per_s, choice.seconds, choice.name))
        if best.new_items == 0:
            break
        chosen.append(best)
        covered |= covers[best.name]
        left_s -= best.seconds
        waiting.remove(best.name)
    return chosen


def _best_single(
    covers: Mapping[str, frozenset[Hashable]], costs: Mapping[str, float], budget_s: float
) -> list[Choice]:
    fits = [Choice(name, 0, len(covered), costs[name]) for name, covered in covers.items() if costs[name] <= budget_s]
    best = min(fits, key=lambda choice: (-choice.new_items, choice.seconds, choice.name), default=None)
    return [best] if best is not None and best.new_items else []
