"""Distances in output order, and what follows from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.frame.order_hints import get_relative_dist, order_hints_of, ref_frame_sign_bias, skip_mode_frame

from .elements import spec_relative_dist, spec_skip_mode_frame


@pytest.mark.parametrize("bits", range(1, 9))
def test_distance_is_the_shortest_way_around(bits):
    """From minus half the range to half the range less one, for all pairs."""
    for a in range(1 << bits):
        for b in range(1 << bits):
            distance = get_relative_dist(bits, a, b)
            assert (distance - (a - b)) % (1 << bits) == 0
            assert -(1 << bits) <= 2 * distance < 1 << bits
            assert distance == spec_relative_dist(bits, a, b)


def test_order_hints_and_sign_bias_go_by_ref_frame():
    """Entry 0 is no reference; a reference at the frame's own place counts as before it."""
    hints = order_hints_of((60, 61, 62, 63, 64, 65, 66, 3), (0, 1, 2, 4, 5, 6, 7))
    assert hints == (0, 60, 61, 62, 64, 65, 66, 3)
    assert ref_frame_sign_bias(7, 62, hints) == (0, 0, 0, 0, 1, 1, 1, 0)
    assert ref_frame_sign_bias(6, 62, [hint % 64 for hint in hints]) == (0, 0, 0, 0, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("ref_hints", "expected"),
    [
        ((4, 2, 0, 0, 8, 12, 16), (1, 5)),
        ((0, 2, 4, 0, 16, 12, 8), (3, 7)),
        ((16, 12, 8, 0, 2, 4, 4), (3, 6)),  # of equals the first
        ((4, 4, 2, 0, 4, 4, 4), (1, 3)),  # two before it
        ((4, 4, 4, 4, 4, 4, 4), None),  # one place only
        ((5, 5, 5, 5, 5, 5, 5), None),  # the frame's own
        ((6, 7, 8, 9, 10, 11, 12), None),  # all after it
        ((5, 5, 4, 5, 5, 5, 6), (3, 7)),
        ((124, 127, 100, 124, 124, 124, 124), (1, 2)),  # around the end of the range
    ],
)
def test_skip_mode_takes_the_nearest_references(ref_hints, expected):
    """Of a frame at 5."""
    assert skip_mode_frame(7, 5, (0, *ref_hints)) == expected


@given(st.data())
def test_skip_mode_is_that_of_the_specification(data):
    """Against its loops, for any hints, near each other or anywhere."""
    bits = data.draw(st.integers(1, 8))
    hints = st.integers(0, min(data.draw(st.integers(0, 255)), (1 << bits) - 1))
    order_hint, ref_hints = data.draw(hints), data.draw(st.tuples(*[hints] * 7))
    assert skip_mode_frame(bits, order_hint, (0, *ref_hints)) == spec_skip_mode_frame(bits, order_hint, ref_hints)
