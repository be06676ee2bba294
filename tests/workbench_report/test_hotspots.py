"""Self time, and three measures of how far two profiles agree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis import hotspots

profiles = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 1), min_size=1).map(
    lambda shares: {name: share / sum(shares.values()) for name, share in shares.items()}
)


def test_self_time_counts_the_innermost_function_whatever_line_ran():
    folded = {"main (cli.py:1);walk (walk.py:10)": 3, "main (cli.py:2);walk (walk.py:99)": 5, "main (cli.py:2)": 2}
    assert hotspots.self_time(folded) == {"walk (walk.py)": 0.8, "main (cli.py)": 0.2}


def test_no_samples_give_an_empty_profile():
    assert hotspots.self_time({}) == {}


def test_every_clip_counts_the_same_unless_told():
    a, b = {"x": 1.0}, {"y": 1.0}
    assert hotspots.combined([a, b]) == {"x": 0.5, "y": 0.5}
    assert hotspots.combined([a, b], weights=[3, 1]) == {"x": 0.75, "y": 0.25}


def test_an_inlined_copy_is_the_function_itself():
    folded = {"a (x.py:1);satd [inlined] (k.py:9)": 1, "satd (k.py:3)": 1}
    assert hotspots.self_time(folded) == {"satd (k.py)": 1.0}


@given(profiles, profiles)
def test_jensen_shannon_distance_is_symmetric_and_within_zero_and_one(a, b):
    distance = hotspots.jensen_shannon_distance(a, b)
    assert 0 <= distance <= 1
    assert distance == pytest.approx(hotspots.jensen_shannon_distance(b, a))


@given(profiles, profiles, profiles)
def test_jensen_shannon_distance_obeys_the_triangle(a, b, c):
    distance = hotspots.jensen_shannon_distance
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6


def test_jensen_shannon_distance_of_known_pairs():
    assert hotspots.jensen_shannon_distance({"x": 1.0}, {"x": 1.0}) == 0
    assert hotspots.jensen_shannon_distance({"x": 1.0}, {"y": 1.0}) == 1
    expected = math.sqrt(0.5 * (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5))
    assert hotspots.jensen_shannon_distance({"x": 1.0}, {"x": 0.5, "y": 0.5}) == pytest.approx(expected)


def test_rank_biased_overlap_of_known_pairs():
    assert hotspots.rank_biased_overlap("abcd", "abcd") == pytest.approx(1)
    assert hotspots.rank_biased_overlap("abcd", "wxyz") == 0
    # Two ranks swapped: agreement 0 at depth 1 and 1 at depth 2, so 1 * p^2 + (1 - p) / p * p^2.
    assert hotspots.rank_biased_overlap("ab", "ba", persistence=0.9) == pytest.approx(0.81 + 0.1 * 0.9)


def test_a_change_at_the_top_costs_more_than_one_at_the_end():
    order = "abcdefghij"
    assert hotspots.rank_biased_overlap(order, "bacdefghij") < hotspots.rank_biased_overlap(order, "abcdefghji")


def test_agreement_names_the_two_clips_that_differ_most():
    same = {"x": 0.6, "y": 0.4}
    agreement = hotspots.agreement({"a": same, "b": same, "c": {"x": 0.1, "z": 0.9}})
    assert set(agreement.furthest[:2]) in ({"a", "c"}, {"b", "c"})
    assert agreement.in_every_top == ("x",)
    assert agreement.overlap == pytest.approx((10 + 5 + 5) / 3)


def test_one_clip_cannot_agree():
    assert hotspots.agreement({"a": {"x": 1.0}, "b": {}}) is None
