"""Shares of an encode by slot, and the weights of a slot's cases, from stacks and calls that are made up."""

import math

import numpy as np
import pytest

from workbench.analysis.shares import Shares, case_weights, chosen, kinds_of, pair_spread, shares_of
from workbench.record import Record

WALK = "thread main;encode (encoder/stream.py:10);tile.walk.encode_tile (encoder/tile/walk.py:3)"
SATD = "set_numba.satd (encoder/kernels/set_numba/distortion.py:40)"
SAD = "set_python.sad (encoder/kernels/set_python/distortion.py:9)"


def test_a_slot_has_all_below_its_outermost_kernel() -> None:
    group = {
        f"{WALK}": 50,
        f"{WALK};{SATD}": 10,
        f"{WALK};{SATD};_row [inlined] (encoder/kernels/set_numba/distortion.py:2)": 5,
        f"{WALK};{SATD};{SAD}": 3,
        f"{WALK};{SAD}": 2,
        f"{WALK};[libc.so.6] memcpy": 20,
        "": 10,
    }
    found = shares_of([group, {f"{WALK};{SAD}": 1}], {})
    assert found.slots == {"satd": (18, 0), "sad": (2, 1)}
    assert found.whole == (100, 1)
    assert found.share("satd") == pytest.approx(18 / 101) and found.share("sse") == 0


def test_a_copy_that_is_inlined_is_not_the_slot() -> None:
    inlined = SATD.replace(" (", " [inlined] (")
    assert shares_of([{f"{WALK};{inlined}": 7}], {}).slots == {}


@pytest.mark.parametrize(
    "frame", ["user_kernels_lib_mine_py.fast (lib/mine.py:4)", "fast (/here/lib/mine.py:4)", "user_kernels_lib_mine_py.fast"]
)  # fmt: skip
def test_users_kernels_are_known_by_their_file(frame: str) -> None:
    own = {"satd": "lib/mine.py:fast", "sad": "lib/mine.py:other"}
    found = shares_of([{f"{WALK};{frame}": 4, f"{WALK};fast (encoder/tile/walk.py:1)": 5, f"{WALK};{SATD}": 6}], own)
    assert found.slots == {"satd": (4,)}  # what the set has in its place is not called through the table


def test_only_slots_that_matter_are_measured() -> None:
    found = Shares({"satd": (50,), "sad": (30,), "sse": (18,), "residual": (2,), "quantize": (400,)}, (1000,))
    assert chosen(found, ["sad", "satd", "sse", "residual", "average"]) == ["satd", "sad", "sse"]
    assert chosen(found, ["average"]) == []
    many = Shares({f"slot{n}": (10,) for n in range(30)}, (1000,))
    assert len(chosen(many, [f"slot{n}" for n in range(30)])) == 8


def test_cases_stand_for_the_calls_most_like_them() -> None:
    names = ["w", "h", "have_left"]
    cases = [(4, 4, 0), (4, 4, 1), (16, 16, 1), (16, 16, 1), (64, 64, 0)]
    kinds = [((4, 4, 1), 100), ((16, 16, 1), 10), ((8, 8, 0), 6), ((64, 64, 1), 3)]
    assert case_weights(names, kinds, cases) == pytest.approx([6, 100, 5, 5, 3])
    assert sum(case_weights(["tx_size"], [((3,), 9)], [(0,), (2,), (4,)])) == 9


def test_the_spread_of_a_pair_is_that_of_neighbours() -> None:
    noise = 0.01 * np.random.RandomState(1).standard_normal(300)
    drift = np.exp(0.02 * np.arange(300) + noise)
    assert pair_spread(drift.tolist()) == pytest.approx(0.01 * math.sqrt(2), rel=0.15)
    assert pair_spread([1.0, 1.1, 1.0, 1.2]) is None


def test_kinds_of_a_slot_that_is_never_called() -> None:
    record = Record("calls", "kernel_calls", "count", {}, (), {"slots": {}})
    assert kinds_of(record, "satd") == ([], [])
