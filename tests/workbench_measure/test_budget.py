"""Seconds for several steps."""

import time

import pytest

from workbench.budget import Budget


def test_what_a_step_leaves_the_later_ones_have() -> None:
    budget = Budget(1000, {"a": 1, "b": 1, "c": 2})
    now = time.monotonic()
    assert budget.begin("a") - now == pytest.approx(920 / 4, abs=2)  # a part is kept back for the report
    assert budget.begin("c") - now == pytest.approx(920 * 2 / 3, abs=2)
    assert budget.begin("b") - now == pytest.approx(920, abs=2)


def test_what_is_done_once_does_not_count() -> None:
    budget = Budget(10, {"a": 1})
    before = budget.left_s
    with budget.paused():
        time.sleep(0.3)
    assert budget.left_s == pytest.approx(before, abs=0.1)


def test_no_time_is_left_when_it_is_used_up() -> None:
    budget = Budget(0.01, {"a": 1})
    time.sleep(0.05)
    assert budget.left_s == 0.0 and budget.begin("a") <= time.monotonic()
