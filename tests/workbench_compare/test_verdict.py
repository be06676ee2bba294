"""Words, intervals, several clips, controls and the second opinion."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis import verdict
from workbench.analysis.verdict import Word, agreement, decide, fitness, holm, judge, least_clips, least_pairs, overall
from workbench.errors import InputError

MIRROR = {Word.FASTER: Word.SLOWER, Word.SLOWER: Word.FASTER, Word.SAME: Word.SAME, Word.UNDECIDED: Word.UNDECIDED}

noisy = st.builds(
    lambda seed, centre, spread, count: (centre + spread * np.random.RandomState(seed).standard_t(3, count)).tolist(),
    st.integers(0, 10**6),
    st.sampled_from([-0.05, 0.0, 0.004, 0.02]),
    st.sampled_from([0.001, 0.005, 0.02]),
    st.integers(0, 40),
)


def pairs(centre: float, spread: float, count: int = 40, seed: int = 1) -> list[float]:
    """Log ratios of a known median and normal noise."""
    return (math.log1p(centre) + spread * np.random.RandomState(seed).standard_normal(count)).tolist()


def test_a_slower_side_is_called_so_with_its_ratio() -> None:
    found = judge(pairs(0.03, 0.01), 0.01)
    assert found.word == Word.SLOWER and found.differs and not found.within_margin
    assert found.ratio == pytest.approx(1.03, abs=0.005)
    assert found.always_low < found.low < found.ratio < found.high < found.always_high
    assert found.always_low > 1 and found.p_differs <= 0.01
    assert found.spread == pytest.approx(0.01, rel=0.4)


def test_equal_sides_are_the_same_within_the_margin() -> None:
    found = judge(pairs(0.0, 0.003), 0.01)
    assert found.word == Word.SAME and found.within_margin and found.p_same <= 0.01
    assert 1 / 1.01 < found.always_low < 1 < found.always_high < 1.01


def test_a_sure_difference_below_the_margin_is_said_to_be_that() -> None:
    found = judge(pairs(0.004, 0.002), 0.01)
    assert found.word == Word.SAME and found.within_margin
    assert found.differs and found.direction == Word.SLOWER and found.always_low > 1
    words = overall({"clip": pairs(-0.004, 0.002), "other": pairs(0.0, 0.002)}, 0.01).words
    assert words == {"clip": Word.SAME, "other": Word.SAME}


def test_too_few_or_too_noisy_pairs_leave_it_undecided() -> None:
    for values in ([], pairs(0.5, 0.01, 9), pairs(0.01, 0.2)):
        assert judge(values, 0.01).word == Word.UNDECIDED
    assert judge([], 0.01).ratio is judge([], 0.01).low is judge([], 0.01).always_high is None
    assert judge([0.1] * 5, 0.01).low is None


def test_an_effect_that_turns_round_is_no_verdict() -> None:
    found = judge([0.05] * 12 + [-0.05] * 60, 0.01)
    assert found.word == Word.UNDECIDED and "changed" in found.why and not found.within_margin
    assert verdict.needing(found, [0.0]).needs is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_run_without_time_is_refused_in_one_line(value: float) -> None:
    with pytest.raises(InputError, match="no measurable time"):
        decide([0.1, value], 0.01)


@settings(deadline=None, max_examples=60)
@given(noisy)
def test_exchanging_the_sides_turns_the_verdict_round(values: list[float]) -> None:
    found, turned = judge(values, 0.01), judge([-value for value in values], 0.01)
    assert turned.word == MIRROR[found.word] == MIRROR[decide(values, 0.01)]
    assert (turned.e_value, turned.e_same) == (found.e_value, found.e_same)
    for end, other in (("ratio", "ratio"), ("low", "high"), ("always_low", "always_high")):
        one, two = getattr(found, end), getattr(turned, other)
        assert (one is None) == (two is None) and (one is None or one * two == pytest.approx(1))


@settings(deadline=None, max_examples=60)
@given(noisy)
def test_word_and_always_valid_interval_agree(values: list[float]) -> None:
    found = judge(values, 0.01)
    low, high = found.always_low or 0.0, found.always_high or math.inf
    if not found.why:
        assert (found.word == Word.SAME) == found.within_margin == (low > 1 / 1.01 and high < 1.01)
        assert found.differs == (low > 1 or high < 1)
        assert not found.differs or (found.direction == Word.SLOWER) == (low > 1)
        assert found.word in (Word.SAME, found.direction if found.differs else Word.UNDECIDED)


def test_slower_than_what_is_allowed() -> None:
    found = judge(pairs(0.03, 0.005), 0.01)
    assert [found.slower_than(allowed) for allowed in (0.01, 0.03, 0.06)] == [True, None, False]
    assert judge([], 0.01).slower_than(0.5) is None


@settings(deadline=None, max_examples=40)
@given(noisy, st.sampled_from([0.0, 0.004, 0.02, 0.05]))
def test_the_quick_question_about_what_is_allowed_agrees_with_the_verdict(values: list[float], allowed: float) -> None:
    found = judge(values, 0.01)
    if not found.why:
        assert verdict.is_decided(values, allowed) == (found.slower_than(allowed) is not None)


def test_same_sides_are_seldom_told_apart_however_often_one_looks() -> None:
    """Noise that drifts and bursts: the coin alone makes the test exact."""
    stream = np.random.RandomState(11)
    drift = np.abs(np.cumsum(stream.standard_normal((600, 30)), 1)) * 0.01 + stream.pareto(1.2, (600, 30)) * 0.02
    coins = stream.choice([-1.0, 1.0], drift.shape)
    words = [decide(row, 0.01) for row in drift * coins]
    assert sum(word in (Word.FASTER, Word.SLOWER) for word in words) <= 12  # 1 % of 600, and chance above it 1 %


def test_least_pairs_are_the_fewest_that_decide() -> None:
    least = least_pairs()
    assert decide([0.2] * least, 0.01) == Word.SLOWER
    assert decide([0.2] * (least - 1), 0.01) == Word.UNDECIDED
    assert least == 10 and least_pairs(0.05) < least < least_pairs(0.0001)


def test_holm_as_in_his_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([]) == []


def test_one_clip_alone_is_its_own_overall_verdict() -> None:
    values = pairs(0.02, 0.01)
    found = overall({"clip": values}, 0.01)
    assert found.verdict == judge(values, 0.01) and found.words == {"clip": Word.SLOWER} and found.clips is None
    assert found.scope == "this clip, not clips in general: that takes 8 at the least"


def test_few_clips_are_judged_together_and_speak_for_themselves_only() -> None:
    """Three clips of a small gain, none sure alone: rounds of all three are."""
    clips = {name: pairs(-0.008, 0.015, 40, seed) for seed, name in enumerate("abc")}
    found = overall(clips, 0.01)
    assert found.verdict.word == Word.FASTER and found.verdict.pairs == 40
    assert found.words["a"] == Word.UNDECIDED
    assert found.verdict.ratio == pytest.approx(0.992, abs=0.004)
    assert "these 3 clips, not clips in general" in found.scope


def test_rounds_are_as_many_as_the_clip_with_fewest_pairs_has() -> None:
    found = overall({"long": pairs(0.1, 0.001, 30), "short": pairs(0.2, 0.001, 12)}, 0.01)
    assert found.verdict.pairs == 12
    assert found.verdict.ratio == pytest.approx(math.sqrt(1.1 * 1.2), abs=0.002)


def test_opposite_clips_are_each_sure_and_even_out_together() -> None:
    found = overall({"up": pairs(0.05, 0.002), "down": pairs(-0.0476, 0.002, seed=2)}, 0.01)
    assert list(found.words.values()) == [Word.SLOWER, Word.FASTER]
    assert found.verdict.word == Word.SAME


def test_the_number_of_clips_is_paid_for() -> None:
    barely = [0.05] * 10  # p of 0.008
    quiet = pairs(0.0, 0.02)
    assert judge(barely, 0.01).word == Word.SLOWER
    found = overall(
        {"barely": barely, **{str(seed): pairs(0.0, 0.02, 40, seed) for seed in range(4)}, "q": quiet}, 0.01
    )
    assert found.words["barely"] == Word.UNDECIDED
    assert found.p_values["barely"][0] == pytest.approx(min(1, 6 * judge(barely, 0.01).p_differs))


def test_clips_in_general_from_eight_on() -> None:
    assert least_clips() == 8 and least_clips(0.05) == 6
    clips = {str(seed): pairs(0.01 + 0.004 * seed, 0.003, 12, seed) for seed in range(8)}
    found = overall(clips, 0.01)
    assert found.clips.word == Word.SLOWER and found.clips.p_value == pytest.approx(2 / 2**8)
    assert "clips in general: SLOWER" in found.scope
    spread = overall({name: [v * (-1) ** int(name) for v in values] for name, values in clips.items()}, 0.01)
    assert spread.clips.word == Word.UNDECIDED
    same = overall({str(seed): pairs(0.0, 0.001, 12, seed) for seed in range(8)}, 0.01)
    assert same.clips.word == Word.SAME


def test_no_clips_are_refused() -> None:
    with pytest.raises(InputError):
        overall({}, 0.01)


QUIET = judge(pairs(0.0, 0.003), 0.01)
FOUND = judge(pairs(0.05, 0.003), 0.01)


def test_controls_as_they_should_be() -> None:
    assert fitness(QUIET, FOUND, 1.05).fit is True
    assert fitness(QUIET, None, 1.05) == fitness(QUIET, FOUND, 1.05)


def test_an_order_that_is_no_coins_is_found_out_by_the_control() -> None:
    """B always second, and the second slot costs 1 %."""
    found = fitness(judge(pairs(0.01, 0.003), 0.01), FOUND, 1.05)
    assert found.fit is False
    assert len(found.why) == 1 and "two sides that are the same were found different: +1.0 %" in found.why[0]


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        (pairs(0.05, 0.5), "too noisy"),
        (pairs(0.0, 0.003), "judged to be within 1.0 %"),
        (pairs(0.015, 0.002), r"read as \+1.5 %"),
        (pairs(0.2, 0.002), r"read as \+20"),
        (pairs(-0.05, 0.003), "found to be -5.0 %"),
        ([0.05] * 12 + [-0.05] * 60, "changed meanwhile"),
    ],
)
def test_a_planted_slowdown_that_is_not_found_as_it_was_planted(planted: list[float], why: str) -> None:
    found = fitness(QUIET, judge(planted, 0.01), 1.05)
    assert found.fit is False
    assert len(found.why) == 1
    assert re.search(why, found.why[0])


def test_controls_with_few_pairs_say_nothing_yet() -> None:
    found = fitness(judge(pairs(0.0, 0.003, 5), 0.01), judge(pairs(0.05, 0.5, 15), 0.01), 1.05)
    assert found.fit is None and len(found.why) == 2
    assert found.why[0] == "the A/A control has 5 pairs, it takes 10"


@pytest.mark.parametrize(
    ("centre", "counted", "agree", "word"),
    [
        (0.03, 1.03, True, Word.SLOWER),
        (0.03, 1.0, False, Word.SAME),
        (0.03, 0.97, False, Word.FASTER),
        (0.0, 1.003, True, Word.SAME),
        (0.0, 1.03, False, Word.SLOWER),
        (-0.03, 0.96, True, Word.FASTER),
        (0.004, 1.004, True, Word.SAME),
    ],
)
def test_instructions_as_a_second_opinion(centre: float, counted: float, agree: bool, word: Word) -> None:
    found = agreement(judge(pairs(centre, 0.002), 0.01), [1e9, 1e9 + 9000], [1e9 * counted, 1e9 * counted + 9000])
    assert (found.agree, found.word) == (agree, word)
    assert ("disagree" in found.text) != agree and found.ratio == pytest.approx(counted)


def test_instructions_have_no_part_in_an_undecided_verdict() -> None:
    found = agreement(judge(pairs(0.01, 0.2), 0.01), [1e9], [1.1e9])
    assert found.agree is None and found.text == "time is undecided; instructions say SLOWER (+10.0 %)"
