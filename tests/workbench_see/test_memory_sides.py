"""From records to what a page says: names of compiled functions, curves, places, leaks, and the wording."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.memory_sides import (
    Side,
    Sides,
    SweepRow,
    compiled_name,
    compiled_of,
    curve_of,
    loaded,
    places_of,
    steady_of,
)
from workbench.record import Record
from workbench.report.memory_pictures import live_picture, resident_picture, sweep_picture
from workbench.report.memory_wording import key_figures, sentences

FRAMES = 64
CLIP = {"clip": "pan", "width": 352, "height": 288}


def site(where: str, levels: list[tuple[int, int]] | None = None, **figures: Any) -> dict[str, Any]:
    told = {"site": where, "stack": [where], "count": 10, "bytes": 1000, "temporary": 4, "live": 0, "live_bytes": 0}
    return told | ({"levels": levels} if levels else {}) | figures


def allocations(sites: list[dict[str, Any]], frames: int | None = FRAMES, **more: Any) -> Record:
    marks = [[number * 10, number * 5, number * 500, 3, 300] for number in range(FRAMES + 1)]
    data = {
        "frames": frames, "warm_up": 17, "sites": sites, "marks": marks, "level_marks": list(range(FRAMES + 1)),
        "mark_s": [0.5 * number for number in range(FRAMES + 1)], "total_bytes": 64_000, "temporary": 100,
        "peak_count": 7, "peak_bytes": 9000, "curve": {"step": 4, "counts": [1] * 160, "bytes": [50] * 159 + [9000]},
        "python_blocks": [1000] * (FRAMES + 1), "compiled": [[100 + 3 * number, 100] for number in range(FRAMES + 1)],
    }  # fmt: skip
    return Record("memray", "allocations", "count", CLIP, (3200.0,), data | more)


def growing(each: int) -> list[tuple[int, int]]:
    return [(each * number, 100 * each * number) for number in range(FRAMES + 1)]


@pytest.mark.parametrize(
    ("functions", "name"),
    [
        (
            [["user.sad_rows", "sad (mine.py:sad_rows)"], ["encoder.tile.walk.encode_tile", ""]],
            "sad (mine.py:sad_rows)",
        ),
        ([["user.help", ""], ["user.sad_rows", "sad (mine.py:sad_rows)"]], "sad (mine.py:sad_rows): user.help"),
        (
            [["numba.np.arrayobj._call_allocator", ""], ["encoder.frame.filters.cdef_rows", ""]],
            "frame.filters.cdef_rows",
        ),
        ([["NRT_decref", ""]], "NRT_decref"),
        ([], "[unknown]"),
    ],
)
def test_an_allocation_stands_under_its_kernel(functions: list[list[str]], name: str) -> None:
    assert compiled_name(functions) == name


def test_stacks_through_one_kernel_are_one_entry_and_arrays_that_stay_are_its_leak() -> None:
    def stack(caller: str, live: list[int]) -> dict[str, Any]:
        functions = [["user.sad", "sad (mine.py:sad)"], [caller, ""]]
        return {"functions": functions, "count": 320, "bytes": 3200, "counted": 320, "live": live}

    stacks = [stack("a", [0, 1, 2, 3, 4]), stack("b", [5, 6, 7, 8, 9])]
    data = {"frames": FRAMES, "statistics": [[10, 10], [700, 690]], "counted": 640, "bytes": 6400, "stacks": stacks}
    found = compiled_of(Record("nrt", "kernel_allocations", "count", CLIP, (640.0,), data))
    (function,) = found.functions
    assert (function.where, function.count, function.live) == ("sad (mine.py:sad)", 640, (5, 7, 9, 11, 13))
    assert found.at_the_border == 50
    (leak,) = found.leaks
    assert (leak.by, leak.rise.blocks, leak.rise.size_bytes) == ("array", 8 / FRAMES, pytest.approx(80 / FRAMES))


def test_a_side_says_what_leaks_and_what_a_frame_asks_for() -> None:
    record = allocations([site("a.py:1 once", [(1, 9)] * (FRAMES + 1)), site("b.py:2 keep", growing(2))])
    side = Side("pan", CLIP, steady=steady_of(record))
    (leak,) = side.leaks
    assert (leak.where, leak.rise.blocks, leak.rise.size_bytes) == ("b.py:2 keep", 2.0, 200.0)
    assert side.superblocks == 30 and side.allocations_per_frame == 50
    text = " ".join(sentences(Sides((side,))))
    assert "**50 allocations a frame**, 1.67 a superblock, 1000 B a frame" in text
    assert "**leak at b.py:2 keep: 2 blocks and 200 B more with each frame**" in text
    figures = {figure.title: figure for figure in key_figures(side)}
    assert figures["places that leak"].value == "1" and figures["places that leak"].tone == "bad"


def test_too_few_frames_decide_nothing() -> None:
    short = allocations([site("b.py:2 keep", growing(2)[:31])], frames=30)
    data = dict(short.data) | {"marks": short.data["marks"][:31], "level_marks": list(range(31))}
    side = Side("pan", CLIP, steady=steady_of(Record("memray", "allocations", "count", CLIP, (9.0,), data)))
    assert side.leaks == ()
    assert any("not to be told from 30 frames, at least 64 are needed" in text for text in sentences(Sides((side,))))


def test_what_a_program_imports_is_no_leak_and_delays_the_verdict() -> None:
    imports = [(min(number, 20) * 50, 0) for number in range(FRAMES + 1)]
    places = places_of([site("p.py:1 <module> [import or compile]", imports, loading=True)])
    assert loaded(places, FRAMES + 1) == 21
    kept = [(max(0, number - 20), 100 * max(0, number - 20)) for number in range(FRAMES + 1)]
    record = allocations([site("p.py:1 import", imports, loading=True), site("p.py:9 keep", kept)], frames=None)
    steady = steady_of(record)
    assert steady.judged == FRAMES + 1 - 21 and [leak.where for leak in steady.leaks] == ["p.py:9 keep"]
    assert steady.objects_rise is None  # of a program it tells nothing


def test_stacks_of_one_place_are_added_up() -> None:
    first, second = (
        site("a", growing(1), live=64, bytes=10),
        site("a", growing(2), live=128, bytes=900, stack=["a", "b"]),
    )
    (place,) = places_of([first, second])
    assert (place.count, place.live, place.stack) == (20, 192, ("a", "b"))
    assert place.levels == tuple(growing(3))


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.integers(1, 7), st.booleans())
def test_a_curve_runs_along_the_marks(gaps: list[int], step: int, has_frames: bool) -> None:
    records = [sum(gaps[:number]) for number in range(len(gaps) + 1)]
    points = -(-records[-1] // step)
    data = {
        "frames": len(gaps) if has_frames else None,
        "marks": [[record, 0, 0, 0, 0] for record in records],
        "mark_s": [0.25 * number for number in range(len(records))],
        "curve": {"step": step, "counts": list(range(points)), "bytes": [0] * points},
    }
    xs = [x for x, _, _ in curve_of(data)]
    assert len(xs) == points and xs == sorted(xs)
    assert all(0 <= x <= (len(gaps) if has_frames else 0.25 * len(gaps)) for x in xs)


def test_pictures_are_drawn_of_what_there_is() -> None:
    side = Side("pan & more <1>", CLIP, steady=steady_of(allocations([])))
    picture = live_picture([side, side])
    assert picture.count("peak 8.79 KiB") == 2
    assert "pan &amp; more" in picture and picture.startswith("<svg")
    assert "Resident set" in resident_picture([])
    assert "threads" in sweep_picture([SweepRow("1 thread", 1, 9e8), SweepRow("2 threads", 2, 1e9)], "threads")


def test_the_dot_of_a_curve_is_its_peak() -> None:
    steady = steady_of(allocations([]))
    assert max(size for _, _, size in steady.curve) == steady.peak_bytes
    assert "peak 8.79 KiB" in live_picture([Side("pan", CLIP, steady=steady)])
