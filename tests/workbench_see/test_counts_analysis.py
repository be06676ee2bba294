"""Counted work as numbers and as a page: sums, samples, comparisons with what is known of the spread."""

import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.kernels.table import SLOTS
from workbench.analysis.counts import (
    by_arguments,
    compare_calls,
    compare_functions,
    compare_instructions,
    not_comparable,
    samples_of_call,
    sides_of,
    slots_of,
    work_of,
)
from workbench.instruments.counts import spread_ppm
from workbench.instruments.inside.calls import CallTable
from workbench.report.counts_page import counts_document, print_counts
from workbench.report.html_page import html_page
from workbench.report.markdown import markdown

from .counted_records import calls, hardware, instructions, run


@pytest.mark.parametrize(
    ("slot", "arguments", "samples"),
    [
        ("sad", {"w": 16, "h": 8}, 128),
        ("sad_x4", {"w": 16, "h": 8}, 512),
        ("sad_grid", {}, 4096),
        ("cdef_direction", {}, 64),
        ("sad_window", {"side": 8, "columns": 9, "rows": 5}, 64 * 45),
        ("forward_transform", {"tx_size": 4, "tx_type": 0}, 4096),
        ("quantize", {"count": 256}, 256),
        ("filter_edge", {"size": 17, "strength": 2}, 17),
        ("extend_edges", {"w": 10, "h": 4, "left": 2, "right": 3, "top": 1, "bottom": 5}, 15 * 10 - 40),
        ("unheard_of", {"level": 3}, None),
    ],
)
def test_samples_of_a_call(slot: str, arguments: dict[str, int], samples: int | None) -> None:
    assert samples_of_call(slot, arguments) == samples


@pytest.mark.parametrize("slot", SLOTS)
def test_the_samples_of_every_slot_are_known(slot: str) -> None:
    arguments = dict.fromkeys(CallTable(slot).arguments, 1)
    samples = samples_of_call(slot, arguments)
    assert samples is not None and samples > 0


def test_work_adds_up() -> None:
    work = {each.slot: each for each in work_of(calls())}
    assert list(work) == [
        "sad",
        "mc_put",
        "forward_transform",
        "sad_grid",
        "noise_sum",
    ]  # a slot without calls is left out
    assert (work["sad"].calls, work["sad"].samples) == (40, 30 * 64 + 10 * 256)
    assert (work["noise_sum"].calls, work["noise_sum"].samples) == (10, None)  # nine are of no known size
    assert work["mc_put"].kinds[0].label == "8x8, filter_x 0, filter_y 0, frac_x 0, frac_y 0"
    assert [(kind.label, kind.calls) for kind in by_arguments(work["mc_put"], ("w", "h"))] == [("8x8", 8), ("16x8", 2)]
    assert [kind.label for kind in work["forward_transform"].kinds] == ["4x4, tx_type 0", "16x16, tx_type 0"]


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.integers(1, 64), st.integers(1, 64)), st.integers(1, 10**6), min_size=1))
def test_kinds_added_up_are_all_calls(sad: dict[tuple[int, int], int]) -> None:
    work = work_of(calls(sad))[0]
    for names in ((), ("w",), ("h",), ("w", "h")):
        kinds = by_arguments(work, names)
        assert sum(kind.calls for kind in kinds) == work.calls == sum(sad.values())
        assert sum(kind.samples or 0 for kind in kinds) == work.samples
        assert [kind.calls for kind in kinds] == sorted((kind.calls for kind in kinds), reverse=True)


def test_a_slot_costs_what_it_calls_too() -> None:
    sad, satd = slots_of(instructions())
    assert (sad.slot, sad.whole, sad.per_call) == ("sad", 4000, 100)
    assert (satd.slot, satd.whole, satd.per_call) == ("satd", 3000, 150)


def test_spread_is_that_of_the_runs() -> None:
    assert spread_ppm([1_000_000, 1_000_050, 1_000_010]) == pytest.approx(50, rel=1e-3)
    assert spread_ppm([7, 7]) == 0 and spread_ppm([7]) is None and spread_ppm([0, 0]) is None


def test_equal_work_is_the_same() -> None:
    assert not any(change.differs for change in compare_instructions(instructions(), instructions()))
    assert not any(change.differs for change in compare_calls(calls(), calls()))


def test_a_kernel_made_twice_as_slow_is_the_one_that_differs() -> None:
    total, *slots = compare_instructions(instructions(), instructions(sad=(8000, 8000)))
    assert total.differs and total.ratio == pytest.approx(21 / 17)
    assert [(change.name, change.ratio) for change in slots if change.differs] == [("sad", 2.0)]
    functions = compare_functions(instructions(), instructions(sad=(8000, 8000)))
    assert [change.name for change in functions if change.differs] == ["set_numba.sad"]


def test_within_fifty_millionths_or_what_runs_differ_by_nothing_differs() -> None:
    def differs(a: tuple[int, ...], b: tuple[int, ...], walk: int) -> bool:
        return compare_instructions(instructions(a, walk), instructions(b, walk))[0].differs

    assert not differs((4000, 4000), (4040, 4040), 10**6)  # 40 ppm
    assert differs((4000, 4000), (4100, 4100), 10**6)
    assert not differs((4000, 4200), (4100, 4100), 10**6)  # the first side's own runs are as far apart


def test_a_slot_that_one_side_alone_calls() -> None:
    before, after = calls({(8, 8): 5}), calls({})
    (change,) = [change for change in compare_calls(before, after) if change.differs]
    assert (change.name, change.a, change.b, change.ratio) == ("sad", 0.5, 0.0, 0.0)
    (back,) = [change for change in compare_calls(after, before) if change.differs]
    assert back.ratio is None


def test_sides_counted_unlike_each_other_are_said_to_be() -> None:
    assert not_comparable(instructions(), instructions()) == []
    said = not_comparable(instructions(), instructions(valgrind="3.22.0", frames=5))
    assert len(said) == 2 and "3.19.0 and 3.22.0" in said[0]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    found = run(tmp_path, [instructions(), calls(), hardware(None)])
    page, text = html_page(counts_document(found)), markdown(counts_document(found))
    for told in (page, text):
        plain = re.sub(r"<[^>]+>|&nbsp;|`|\*", lambda m: " " if m[0] == "&nbsp;" else "", told)
        assert "1,700 instructions a frame in compiled code" in plain
        assert "2 runs lie 0.0 ppm apart" in plain
        assert "Hardware counters: none on this machine" in plain and "is it a virtual one?" in plain
        assert "7.2 kernel calls a frame" in plain or "7 kernel calls a frame" in plain
    assert "<script src" not in page and "http" not in page.replace("http://www.w3.org", "")


def test_the_terminal_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    print_counts(run(tmp_path, [instructions(), calls(), hardware(5e6)]), out)
    said = out.getvalue()
    assert "- 1,700 instructions a frame in compiled code (10 frames, x86-64-v3, valgrind 3.19.0)" in said
    assert re.search(r"^sad +set_numba\.sad +400 +23\.5 +4\.0 +100\.0 +0\.89$", said, re.MULTILINE)
    assert "500,000" in said and "2.00 instructions a cycle" in said
    assert "**" not in said and "`" not in said and "\x1b" not in said


def test_a_comparison_names_what_changed(tmp_path: Path) -> None:
    slower = [instructions(sad=(8000, 8000)), calls({(8, 8): 60, (16, 16): 10})]
    found = run(tmp_path, [instructions(), calls()], slower)
    out = io.StringIO()
    print_counts(found, out)
    said = out.getvalue()
    assert "+23.5 % instructions in compiled code; kernel slots that changed: sad" in said
    assert re.search(r"^sad +400 +800 +\+100\.000 +more$", said, re.MULTILINE)
    assert re.search(r"^satd +300 +300 +\+0\.000 +same$", said, re.MULTILINE)
    assert "Other calls of sad" in said
    assert "What changed" in html_page(counts_document(found))


def test_runs_that_lie_far_apart_are_warned_of(tmp_path: Path) -> None:
    (side,) = sides_of(run(tmp_path, [instructions(sad=(4000, 4010))]))
    assert any("ppm apart, more than 50" in text for text in side.warnings)


def test_a_run_that_did_not_get_far_still_makes_a_page(tmp_path: Path) -> None:
    for at, records in enumerate(([calls()], [hardware(None)], [instructions(sad=(4000,))])):
        found = run(tmp_path / str(at), records)
        assert "Summary" in html_page(counts_document(found))
        print_counts(found, io.StringIO())


def test_a_program_has_no_frames(tmp_path: Path) -> None:
    program = instructions(frames=None, slots={})
    out = io.StringIO()
    print_counts(run(tmp_path, [program]), out)
    assert "- 17,000 instructions in compiled code (x86-64-v3" in out.getvalue() and "frame" not in out.getvalue()
