"""The check itself: it finds every planted fault, names it in one line, and finds nothing where nothing is."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from encoder.kernels.cases import cases_of
from encoder.kernels.check import Difference, argument_names, check_set, check_slot
from encoder.kernels.load import load_kernels
from encoder.kernels.table import SLOTS

PYTHON = load_kernels("python").kernels


def only(differences: list[Difference]) -> Difference:
    """The one difference of a list of one."""
    (difference,) = differences
    assert "\n" not in str(difference)
    return difference


def after(kernel: Callable[..., int], fault: Callable[[tuple[Any, ...]], None]) -> Callable[..., int]:
    """A kernel that does its work and then something else to its arguments."""

    def faulty(*arguments: Any) -> int:
        returned = kernel(*arguments)
        fault(arguments)
        return returned

    return faulty


@pytest.mark.slow
@pytest.mark.parametrize("slot", SLOTS)
def test_the_reference_differs_in_nothing(slot: str) -> None:
    assert check_slot(slot, getattr(PYTHON, slot), getattr(PYTHON, slot), seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("set_name", ["numpy", "numba", "simd"])
def test_a_whole_set_is_checked_slot_by_slot(set_name: str) -> None:
    """On other random samples than those of test_sets.py."""
    results = list(check_set(load_kernels(set_name).kernels, PYTHON, seed=1))
    assert [slot for slot, _, _ in results] == list(SLOTS)
    for slot, count, differences in results:
        assert count == len(cases_of(slot, 1)) > 0
        assert differences == []


@pytest.mark.parametrize(
    ("place", "offset"),
    [
        ("left of the block", lambda stride, w, h: -1),
        ("right of the block", lambda stride, w, h: w),
        ("above the block", lambda stride, w, h: -stride),
        ("below the block", lambda stride, w, h: h * stride),
    ],
)
@pytest.mark.parametrize("slot", ["predict_dc", "predict_directional"])
def test_a_write_one_sample_outside_the_block_is_found(slot: str, place: str, offset: Callable[..., int]) -> None:
    def write_outside(arguments: tuple[Any, ...]) -> None:
        dst, dst_at, stride, w, h = arguments[:5]
        dst[dst_at + offset(stride, w, h)] ^= 1

    differences = check_slot(slot, after(getattr(PYTHON, slot), write_outside), getattr(PYTHON, slot))
    assert len(differences) == len(cases_of(slot))
    for difference in differences:
        _, at, stride, w, h = difference.case.arguments[:5]
        assert (difference.what, difference.index, difference.count) == ("dst", at + offset(stride, w, h), 1)


def test_a_wrong_rounding_in_one_case_is_found() -> None:
    chosen = next(case for case in cases_of("predict_smooth") if case.label == "16x8-random")

    def round_down_one(arguments: tuple[Any, ...]) -> None:
        dst, dst_at, stride, w, h, above = arguments[:6]
        if (w, h) == (16, 8) and np.array_equal(above, chosen.arguments[5]):
            dst[dst_at + 3 * stride + 5] -= 1

    difference = only(check_slot("predict_smooth", after(PYTHON.predict_smooth, round_down_one), PYTHON.predict_smooth))
    _, at, stride = chosen.arguments[:3]
    assert str(difference.case) == "predict_smooth-16x8-random"
    assert (difference.index, difference.actual) == (at + 3 * stride + 5, difference.expected - 1)
    assert str(difference) == (
        f"predict_smooth-16x8-random: dst[{difference.index}] is {difference.actual}, expected {difference.expected}"
    )


def test_a_modified_input_is_found() -> None:
    def touch_the_edge(arguments: tuple[Any, ...]) -> None:
        arguments[5][0] ^= 255

    differences = check_slot("predict_v", after(PYTHON.predict_v, touch_the_edge), PYTHON.predict_v)
    assert {(d.what, d.index, d.is_input) for d in differences} == {("above", 0, True)}
    assert str(differences[0]).endswith("(an input, not to be written)")


def test_a_reference_that_modifies_an_input_excuses_nobody() -> None:
    def touch_the_edge(arguments: tuple[Any, ...]) -> None:
        arguments[5][0] ^= 255

    faulty = after(PYTHON.predict_v, touch_the_edge)
    assert len(check_slot("predict_v", faulty, faulty)) == len(cases_of("predict_v"))


def test_a_wrong_return_is_found() -> None:
    def satd_off_by_one(*arguments: Any) -> int:
        w, h = arguments[-2:]
        return PYTHON.satd(*arguments) + ((w, h) == (4, 8))

    differences = check_slot("satd", satd_off_by_one, PYTHON.satd)
    assert len(differences) == sum(case.label.startswith("4x8-") for case in cases_of("satd"))
    for difference in differences:
        assert (difference.what, difference.index) == ("returned value", None)
        assert difference.actual == difference.expected + 1
        assert str(difference) == (
            f"{difference.case}: returned value is {difference.actual}, expected {difference.expected}"
        )


@pytest.mark.parametrize("returned", [None, 1.5, "12"])
def test_a_return_that_is_no_integer_is_found(returned: Any) -> None:
    differences = check_slot("sad", lambda *_: returned, PYTHON.sad)
    assert len(differences) == len(cases_of("sad"))
    assert "TypeError" in str(differences[0])


def test_an_exception_is_a_difference_with_its_message() -> None:
    def refuse_64(*arguments: Any) -> int:
        if arguments[6:8] == (64, 64):
            raise ValueError("no blocks of 64x64\nsecond line")
        return PYTHON.sad(*arguments)

    differences = check_slot("sad", refuse_64, PYTHON.sad)
    assert {case.label for case in cases_of("sad") if case.label.startswith("64x64-")} == {
        difference.case.label for difference in differences
    }
    assert str(differences[0]) == f"{differences[0].case}: raised ValueError: no blocks of 64x64"


def test_two_faults_in_one_case_are_two_differences() -> None:
    def clear_everything(*arguments: Any) -> int:
        arguments[0][:] = 0
        return 1

    case, *_ = cases_of("upsample_edge")
    differences = [
        d for d in check_slot("upsample_edge", clear_everything, PYTHON.upsample_edge) if d.case.label != "4-low"
    ]
    assert case.label == "4-low"
    assert {d.what for d in differences} == {"returned value", "edge"}
    assert any("elements differ" in str(d) for d in differences)


def test_the_slots_to_check_can_be_chosen() -> None:
    table = SimpleNamespace(sad=PYTHON.sad, sse=PYTHON.sse)
    assert [slot for slot, _, _ in check_set(table, PYTHON, ["sse", "sad"])] == ["sse", "sad"]


@pytest.mark.parametrize("slot", SLOTS)
def test_argument_names_are_those_of_the_reference(slot: str) -> None:
    reference = getattr(PYTHON, slot)
    assert argument_names(slot) == list(reference.__code__.co_varnames[: reference.__code__.co_argcount])
    assert len(argument_names(slot)) == len(SLOTS[slot].signature.args)


@pytest.mark.parametrize("slot", SLOTS)
def test_cases_are_the_same_for_one_seed_and_others_for_another(slot: str) -> None:
    first, again, other = cases_of(slot, 7), cases_of(slot, 7), cases_of(slot, 8)
    assert [case.label for case in first] == [case.label for case in again]
    for a, b in zip(first, again, strict=True):
        for x, y in zip(a.arguments, b.arguments, strict=True):
            np.testing.assert_array_equal(x, y)
    assert any(
        not np.array_equal(x, y)
        for a, b in zip(first, other, strict=False)
        for x, y in zip(a.arguments, b.arguments, strict=True)
    )


@pytest.mark.parametrize("slot", SLOTS)
def test_labels_tell_the_cases_of_a_slot_apart(slot: str) -> None:
    labels = [case.label for case in cases_of(slot)]
    assert [label for label in labels if labels.count(label) > 1] == []
