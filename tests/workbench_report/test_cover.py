"""The greedy choice against the best one, found by trying all."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis.cover import select

names = st.sampled_from("abcdef")
covers = st.dictionaries(names, st.frozensets(st.integers(0, 9)), max_size=6)
costs = st.fixed_dictionaries({name: st.floats(0.25, 8) for name in "abcdef"})
budgets = st.floats(0.25, 20)


def best_possible(items, cost_s, budget_s):
    """Items that the best affordable choice covers."""
    choices = (choice for size in range(len(items) + 1) for choice in combinations(items, size))
    affordable = (choice for choice in choices if sum(cost_s[name] for name in choice) <= budget_s)
    return max(len(frozenset().union(*(items[name] for name in choice))) for choice in affordable)


@given(covers, costs, budgets)
def test_covers_what_khuller_moss_and_naor_promise(items, cost_s, budget_s):
    selection = select(items, cost_s, budget_s)
    assert len(selection.covered) >= (1 - 1 / math.e) / 2 * best_possible(items, cost_s, budget_s) - 1e-9


@given(covers, costs, budgets)
def test_the_choice_fits_the_budget_and_adds_up(items, cost_s, budget_s):
    selection = select(items, cost_s, budget_s)
    assert selection.seconds <= budget_s * (1 + 1e-9)
    assert sum(choice.new_items for choice in selection.chosen) == len(selection.covered)
    assert selection.covered == frozenset().union(*(items[name] for name in selection.names))
    assert all(choice.new_items > 0 for choice in selection.chosen)
    assert [choice.order for choice in selection.chosen] == list(range(len(selection.chosen)))


@given(covers, costs)
def test_without_a_budget_everything_reachable_is_covered(items, cost_s):
    selection = select(items, cost_s)
    assert selection.covered == selection.reachable == frozenset().union(*items.values())


def test_the_order_is_by_new_items_per_second():
    items = {"slow": range(100), "fast": range(60), "rest": range(90, 110)}
    selection = select(items, {"slow": 10.0, "fast": 1.0, "rest": 1.0})
    assert selection.names == ("fast", "rest", "slow")
    assert [choice.new_items for choice in selection.chosen] == [60, 20, 30]
    assert selection.chosen[0].new_per_s == 60


def test_one_large_input_wins_over_a_greedy_trifle():
    """The greedy rule takes the cheap one first, and then the large one does not fit any more."""
    items = {"trifle": {1}, "large": set(range(100))}
    assert select(items, {"trifle": 0.01, "large": 10.0}, budget_s=10.0).names == ("large",)


def test_an_input_that_costs_nothing_comes_first_and_one_that_adds_nothing_never():
    selection = select({"free": {1}, "same": {1}, "other": {2}}, {"free": 0.0, "same": 0.0, "other": 1.0})
    assert selection.names == ("free", "other")


def test_equal_inputs_are_taken_by_name():
    assert select({"b": {1}, "a": {2}}, {"a": 1.0, "b": 1.0}, budget_s=1.0).names == ("a",)


def test_nothing_fits_or_nothing_is_there():
    assert select({"a": {1}}, {"a": 5.0}, budget_s=1.0).chosen == ()
    assert select({}, {}).chosen == ()


def test_a_negative_cost_is_refused():
    with pytest.raises(ValueError, match="a: costs -1"):
        select({"a": {1}}, {"a": -1.0})
