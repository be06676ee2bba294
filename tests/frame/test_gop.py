"""Plans of streams, judged by a decoder that has slots and nothing else."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.frame.gop import LAYERS, LOW_LATENCY_LAYERS, FramePlan, Gop, Plan, ShowExisting
from encoder.frame.order_hints import get_relative_dist, skip_mode_frame
from encoder.spec import (
    ALTREF_FRAME,
    BWDREF_FRAME,
    INTER_FRAME,
    KEY_FRAME,
    LAST_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    REFS_PER_FRAME,
)

ORDER_HINT_BITS = 7


def planned(keys: Iterable[bool], low_latency: bool = False) -> list[Plan]:
    """The whole stream of pictures that are key frames or not."""
    gop = Gop(low_latency)
    plans = [plan for is_key in keys for plan in gop.add(is_key)]
    return plans + gop.flush()


def coded(plans: Iterable[Plan]) -> list[FramePlan]:
    return [plan for plan in plans if isinstance(plan, FramePlan)]


def shown(plans: Iterable[Plan]) -> list[int]:
    """Display indices in the order in which a decoder outputs them."""
    return [plan.display_index for plan in plans if isinstance(plan, ShowExisting) or plan.show_frame]


def notation(plans: Iterable[Plan]) -> str:
    """As in the module's docstring: coded pictures, (hidden) ones, [shown from their slot]."""
    texts = []
    for plan in plans:
        form = "[{}]" if isinstance(plan, ShowExisting) else "{}" if plan.show_frame else "({})"
        texts.append(form.format(plan.display_index))
    return " ".join(texts)


def decode(plans: Sequence[Plan]) -> dict[int, list[int]]:
    """Follow the slots; returns the pictures that LAST_FRAME to ALTREF_FRAME meant, by the display index of the frame.

    Asserts what a decoder and the specification ask for.
    """
    slots: list[FramePlan | None] = [None] * NUM_REF_FRAMES
    hidden: set[int] = set()
    meant: dict[int, list[int]] = {}
    last_key = -1
    for plan in plans:
        if isinstance(plan, ShowExisting):
            held = slots[plan.slot]
            assert held and held.display_index == plan.display_index and held.frame_type == INTER_FRAME
            hidden.remove(plan.display_index)
            continue
        if plan.frame_type == KEY_FRAME:
            assert plan.show_frame and plan.refresh_frame_flags == 0xFF and plan.primary_ref_frame == PRIMARY_REF_NONE
            assert not hidden, "what is hidden has to be shown before the next key frame"
            last_key = plan.display_index
        else:
            references = [slots[slot] for slot in plan.ref_frame_idx]
            assert len(references) == REFS_PER_FRAME
            pictures = [held.display_index for held in references if held]
            assert len(pictures) == REFS_PER_FRAME and plan.display_index not in pictures
            assert min(pictures) >= last_key, "a reference across a key frame"
            assert 0 <= plan.primary_ref_frame < REFS_PER_FRAME
            meant[plan.display_index] = pictures
        if not plan.show_frame:
            hidden.add(plan.display_index)
        for slot in range(NUM_REF_FRAMES):
            if plan.refresh_frame_flags >> slot & 1:
                replaced = slots[slot]
                assert replaced is None or replaced.display_index not in hidden, "hidden, and never shown"
                slots[slot] = plan
    assert not hidden
    return meant


def check_references(plans: Sequence[Plan], meant: dict[int, list[int]]) -> None:
    """What the names of the references promise."""
    by_index = {plan.display_index: plan for plan in coded(plans)}
    for index, pictures in meant.items():
        plan = by_index[index]
        searched = searched_by(plan, meant)
        assert plan.search_refs[0] == LAST_FRAME and len(set(searched)) == len(searched) <= 4
        assert not any(by_index[picture].is_leaf for picture in searched)
        past = [picture for picture in pictures if picture < index]
        future = [picture for picture in pictures if picture > index]
        assert pictures[0] == max(past)
        assert not future or (
            plan.search_refs[1] == BWDREF_FRAME and pictures[BWDREF_FRAME - LAST_FRAME] == min(future)
        )
        # Hints are told apart modulo 128, and skip mode takes the two that are searched first.
        for picture in pictures:
            assert get_relative_dist(ORDER_HINT_BITS, index % 128, picture % 128) == index - picture
        if future:
            hints = (0, *(picture % 128 for picture in pictures))
            assert skip_mode_frame(ORDER_HINT_BITS, index % 128, hints) == (LAST_FRAME, BWDREF_FRAME)


def pairs(plans: Sequence[Plan]) -> dict[int, int]:
    """By the second of two frames side by side, the first: of a layer above the second, one coded right after the other."""
    frames = coded(plans)
    return {
        second.display_index: first.display_index
        for first, second in pairwise(frames)
        if first.layer == second.layer >= 2 and 0 < second.display_index - first.display_index < second.mini_gop
    }


def check_donors(plans: Sequence[Plan], meant: dict[int, list[int]], beside: dict[int, int]) -> None:
    """CDFs come from the last frame of the same layer since the key frame that is not beside; a leaf's from one it refers to."""
    last: dict[int, list[int]] = {}
    for plan in coded(plans):
        if plan.frame_type == KEY_FRAME:
            last = {}
        elif plan.is_leaf:
            assert meant[plan.display_index][plan.primary_ref_frame] in searched_by(plan, meant)
        else:
            donor = meant[plan.display_index][plan.primary_ref_frame]
            known = [index for index in last.get(plan.layer, []) if index != beside.get(plan.display_index)]
            assert not known or donor == known[-1]
        last.setdefault(plan.layer, []).append(plan.display_index)


def searched_by(plan: FramePlan, meant: dict[int, list[int]]) -> list[int]:
    """The pictures that a frame searches."""
    return [meant[plan.display_index][name - LAST_FRAME] for name in plan.search_refs]


KEYS = st.one_of(
    st.lists(st.booleans(), min_size=1, max_size=80),
    st.integers(1, 150).map(lambda length: [False] * length),
    st.sampled_from([1, 2, 3, 5, 7, 11, 13, 17, 29, 31, 37, 97, 131]).map(lambda length: [False] * length),
    st.builds(
        lambda length, keyint: [index % keyint == 0 for index in range(length)],
        st.integers(1, 150),
        st.sampled_from([1, 2, 3, 16, 17, 18, 30, 1000]),
    ),
)


@given(keys=KEYS, low_latency=st.booleans())
def test_every_plan_can_be_decoded(keys: list[bool], low_latency: bool) -> None:
    plans = planned(keys, low_latency)
    frames = coded(plans)
    assert shown(plans) == list(range(len(keys)))
    assert sorted(frame.display_index for frame in frames) == list(range(len(keys)))
    types = {frame.display_index: frame.frame_type for frame in frames}
    assert [types[index] == KEY_FRAME for index in range(len(keys))] == [True, *keys[1:]]
    assert all(0 <= frame.layer < LAYERS for frame in frames)
    meant = decode(plans)
    check_references(plans, meant)
    beside = {} if low_latency else pairs(plans)
    check_donors(plans, meant, beside)
    assert not any(first in meant[second] for second, first in beside.items())


@given(keys=st.lists(st.booleans(), min_size=1, max_size=80), low_latency=st.booleans())
def test_plans_come_as_soon_as_they_can(keys: list[bool], low_latency: bool) -> None:
    gop = Gop(low_latency)
    waiting = 0
    for index, is_key in enumerate(keys):
        is_key = is_key or index == 0
        pictures = len(coded(gop.add(is_key)))
        # A key frame brings those that waited and itself; other pictures wait for a whole mini-GOP.
        expected = waiting + 1 if is_key or low_latency else (waiting + 1) // 16 * 16
        assert pictures == expected
        waiting = waiting + 1 - pictures
    assert len(coded(gop.flush())) == waiting
    assert gop.flush() == []


@pytest.mark.parametrize(
    "length, expected",
    [
        (1, "0"),
        (2, "0 1"),
        (3, "0 (2) 1 [2]"),
        (4, "0 (2) 1 [2] 3"),
        (5, "0 (4) (2) 1 [2] 3 [4]"),
        (9, "0 (8) (4) (2) (6) 1 [2] 3 [4] 5 [6] 7 [8]"),
        (12, "0 (8) (4) (2) (6) 1 [2] 3 [4] 5 [6] 7 [8] (10) 9 [10] 11"),
        (
            17,
            "0 (16) (8) (4) (12) (2) (6) 1 [2] 3 [4] 5 [6] 7 [8] (10) (14) 9 [10] 11 [12] 13 [14] 15 [16]",
        ),
    ],
)
def test_coding_order(length: int, expected: str) -> None:
    assert notation(planned([False] * length)) == expected


def test_what_can_be_coded_at_the_same_time() -> None:
    """Of the 16 frames of a mini-GOP, but for its base and the middle, each has another one beside it."""
    assert pairs(planned([False] * 17)) == {12: 4, 6: 2, 14: 10, 3: 1, 7: 5, 11: 9, 15: 13, 5: 3, 13: 11}


def test_a_scene_cut_ends_a_mini_gop() -> None:
    keys = [index == 6 for index in range(9)]
    plans = planned(keys)
    assert notation(plans) == "0 (4) (2) 1 [2] 3 [4] 5 6 (8) 7 [8]"
    assert [plan.mini_gop for plan in coded(plans)] == [1, 4, 4, 4, 4, 1, 1, 2, 2]


def test_layers_of_a_mini_gop() -> None:
    layers = {plan.display_index: plan.layer for plan in coded(planned([False] * 17))}
    assert [layers[index] for index in range(17)] == [0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4, 0]
    leaves = [plan.display_index for plan in coded(planned([False] * 17)) if plan.is_leaf]
    assert leaves == list(range(1, 17, 2))


def searched(plans: Sequence[Plan], index: int) -> list[int]:
    """The pictures that a frame searches, the best first."""
    plan = next(plan for plan in coded(plans) if plan.display_index == index)
    return [decode(plans)[index][name - LAST_FRAME] for name in plan.search_refs]


@pytest.mark.parametrize(
    "index, pictures",
    [
        (16, [0]),
        (8, [0, 16]),
        (1, [0, 2, 4]),
        (32, [16, 0]),
        (48, [32, 16, 0]),
        (64, [48, 32]),
        (96, [80, 64, 48]),
        (40, [32, 48, 24]),
        (36, [32, 40, 28, 48]),
        (44, [40, 48, 32]),
        (37, [36, 38, 34, 40]),
        (39, [38, 40, 36, 44]),
        (43, [42, 44, 40, 46]),
        (47, [46, 48, 44]),
    ],
)
def test_references_worth_searching(index: int, pictures: list[int]) -> None:
    """Nearest before, nearest after, farther before, farther after; bases: earlier bases and the golden one."""
    assert searched(planned([False] * 100), index) == pictures


def test_low_latency_is_in_order_and_has_better_pictures_to_refer_to() -> None:
    plans = planned([index == 10 for index in range(70)], low_latency=True)
    assert notation(plans) == " ".join(map(str, range(70)))
    layers = [plan.layer for plan in coded(plans)]
    assert layers[:10] == [0, 2, 1, 2, 0, 2, 1, 2, 0, 2]
    assert layers[10:] == [LOW_LATENCY_LAYERS[index % 4] for index in range(60)]
    # Nearest, last base, golden, second nearest.
    assert searched(plans, 33) == [32, 30, 10, 31]
    assert searched(plans, 34) == [33, 30, 10, 32]
    assert searched(plans, 35) == [34, 30, 10, 33]
    # A new golden picture before the old one is too far away for order hints.
    assert searched(plans, 58) == [57, 54, 10, 56]
    assert searched(plans, 65) == [64, 62, 58, 63]


def test_compound_prediction_has_one_of_each_group() -> None:
    """Where there are two pictures, one is named LAST_FRAME to GOLDEN_FRAME, the other BWDREF_FRAME to ALTREF_FRAME."""
    for low_latency in (False, True):
        for plan in coded(planned([False] * 100, low_latency)):
            backward = [name for name in plan.search_refs if BWDREF_FRAME <= name <= ALTREF_FRAME]
            assert bool(backward) == (len(plan.search_refs) > 1)


def test_most_leaves_have_four_pictures_to_choose_from() -> None:
    counts = Counter(len(plan.search_refs) for plan in coded(planned([False] * 161)) if plan.is_leaf)
    assert counts[2] == 0 and counts[4] > counts[3]
