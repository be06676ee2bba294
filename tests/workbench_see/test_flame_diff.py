"""Differential flame graphs: sides that are the same have no colour, a kernel made twice as slow is the one that has."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.analysis.flame_diff import PRIOR_SPREAD, compare_stacks
from workbench.analysis.folded import Recording
from workbench.errors import InputError
from workbench.report.flame_diff import flame_diff_page, shown_changes, whole_words
from workbench.report.top_table import changes_table

from .browser import CHROMIUM, MISSING, Browser
from .sampled import KERNELS, WORK, run

SATD = "set_numba.satd"


def side(seed, runs=3, common=0.0, **options):
    """Runs of one side. common: relative standard deviation of a whole run's speed."""
    random = np.random.RandomState(50_000 + seed)
    speeds = np.maximum(1 + common * random.standard_normal(runs), 0.3)
    return [run(1000 * seed + at, speed=speed, **options) for at, speed in enumerate(speeds)]


def has_colour(diff):
    """Whether a page of it would show any change."""
    return bool(diff.coloured) or any(function.own.verdict for function in diff.functions)


def coloured_pages(pairs, runs, **options):
    """Of pairs of sides that are the same program, how many show a change."""
    pages = (
        compare_stacks(side(2 * at, runs, **options), side(2 * at + 1, runs, **options), resamples=400)
        for at in range(pairs)
    )
    return sum(map(has_colour, pages))


@pytest.mark.parametrize("noise", [{}, {"common": 0.05, "spread": 0.03}])
def test_two_sides_that_are_the_same_have_no_colour(noise):
    assert coloured_pages(40, 3, **noise) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "noise"),
    [
        *((runs, noise) for runs in (1, 2, 3, 5) for noise in ({}, {"common": 0.03, "spread": 0.03})),
        *((runs, {"common": 0.08, "spread": 0.05}) for runs in (2, 3, 5)),
    ],
)
def test_nearly_no_page_of_many_pairs_shows_colour(runs, noise):
    """At most one in a hundred is promised; with a single run a side the noise between runs has to be as assumed, for it says
    nothing of a wider spread."""
    assert runs > 1 or noise.get("common", 0.0) <= PRIOR_SPREAD
    coloured = coloured_pages(300, runs, frames=200, **noise)
    print(f"{runs} runs a side, {noise}: {coloured} of 300 pages show colour")
    assert coloured <= 6


@pytest.mark.parametrize("runs", [1, 3])
def test_a_kernel_made_twice_as_slow_is_the_one_coloured_box(runs):
    """Its callers' totals grow too, and stay grey: the colour is that of a function's own time."""
    for seed in range(10):
        before = side(2 * seed, runs, common=0.02)
        after = side(2 * seed + 1, runs, common=0.02, changed={SATD: 2.0})
        diff = compare_stacks(before, after, resamples=400)
        assert {box.frame for box in diff.coloured} == {f"{SATD} ({KERNELS}/distortion.py)"}
        assert all(box.own.verdict == 1 for box in diff.coloured)
        changed = [function for function in diff.functions if function.own.verdict]
        assert [function.frame for function in changed] == [f"{SATD} ({KERNELS}/distortion.py)"]
        assert changed[0].own.ratio == pytest.approx(2, rel=0.2)
        assert changed[0].own.low < changed[0].own.before < changed[0].own.high  # the change is once the time before


def test_a_kernel_made_faster_is_blue_and_one_that_goes_is_gone():
    diff = compare_stacks(side(0), side(1, changed={SATD: 0.5, "deblock_edge": 0.0}))
    verdicts = {box.frame.partition(" ")[0]: box.own.verdict for box in diff.coloured}
    assert verdicts == {SATD: -1, "set_numba.deblock_edge": -1}
    rows = [[getattr(value, "text", value) for value in row] for row in changes_table(diff, 2).rows]
    assert {(row[4], row[-1]) for row in rows if row[4] == "gone"} == {("gone", "`set_numba.deblock_edge`")}
    new = compare_stacks(side(1, changed={"deblock_edge": 0.0}), side(0))
    assert [row[4] for row in changes_table(new, 1).rows] == ["new"]


def test_intervals_hold_the_true_difference():
    """All at once, in nearly every pair; means are those that the counts are drawn from."""
    satd = sum(mean for stack, mean in WORK.items() if SATD in stack)
    held = 0
    for seed in range(40):
        diff = compare_stacks(side(2 * seed), side(2 * seed + 1, changed={SATD: 1.5}), resamples=300)
        own = {function.frame.partition(" ")[0]: function.own for function in diff.functions}
        true = {SATD: 0.5 * satd / 997, "set_numba.cdef_filter": 0.0}
        held += all(own[name].low <= change <= own[name].high for name, change in true.items())
    assert held >= 39


def test_a_kernel_from_a_users_file_is_the_same_box():
    """Another set, another file: named the same in the source, and on one side only."""

    def renamed(each):
        theirs, inner = "user_kernels_slow_py.satd (slow.py:3)", "helper [inlined] (slow.py:9)"
        stacks = {}
        for stack, count in each.folded.items():
            frames = [theirs if frame.startswith(SATD) else frame for frame in stack.split(";")]
            if theirs in frames:
                frames = [*frames[: frames.index(theirs) + 1], inner]
            stacks[";".join(frames)] = stacks.get(";".join(frames), 0) + count
        return replace(each, folded=stacks)

    same = compare_stacks(side(0), [renamed(each) for each in side(1)])
    assert not has_colour(same)
    slower = compare_stacks(side(0), [renamed(each) for each in side(1, changed={SATD: 2.0})])
    assert {box.frame.partition(" ")[0] for box in slower.coloured} == {SATD}
    assert {box.moved_to for box in slower.coloured} == {"user_kernels_slow_py.satd (slow.py)"}
    assert f"{SATD} → satd" in flame_diff_page(slower, "t")


def test_a_method_that_is_named_like_a_kernel_is_none():
    """What it calls stays below it."""
    folded = {"thread main;Filters.cdef_filter (encoder/frame/filters.py:20);set_numba.cdef_filter (a.py:9)": 100.0}
    diff = compare_stacks([Recording(folded)], [Recording(folded)])
    assert [box.frame.partition(" ")[0] for box in diff.boxes[1:]] == ["Filters.cdef_filter", "set_numba.cdef_filter"]


def test_lines_threads_and_inlining_are_no_difference():
    def other(each):
        folded = {}
        for stack, count in each.folded.items():
            moved = stack.replace("thread 2;", "thread 7;").replace(" [inlined]", "").replace(".py:", ".py:1")
            folded[moved] = folded.get(moved, 0) + count
        return replace(each, folded=folded)

    runs = side(0)
    diff = compare_stacks(runs, [other(each) for each in runs])
    assert all(box.own.change == 0 for box in diff.boxes)
    assert sum(box.own.before for box in diff.boxes) == pytest.approx(diff.whole.before)


def test_sides_are_brought_to_one_frame_one_second_or_one_run():
    short, long = side(0, frames=40), side(1, frames=400)
    assert not has_colour(compare_stacks(short, long))
    per_run = compare_stacks(short, long, per="run")
    assert per_run.whole.ratio == pytest.approx(10, rel=0.1) and per_run.whole.verdict == 1
    assert not has_colour(compare_stacks(short, long, per="second"))
    assert compare_stacks(short, long, per="second").whole.before == pytest.approx(1)  # all that ran in a second
    programs = [[replace(each, frames=None) for each in runs] for runs in (short, side(1, frames=40))]
    assert compare_stacks(*programs).per == "run"
    rates = [[replace(each, rate_hz=None) for each in runs] for runs in (short, long)]
    diff = compare_stacks(*rates)
    assert diff.unit == "samples" and any("no sampling rate" in warning for warning in diff.warnings)
    assert whole_words(diff).startswith("in all 4") and "samples" in whole_words(diff)


def test_the_same_runs_give_the_same_result():
    assert compare_stacks(side(0), side(1)) == compare_stacks(side(0), side(1))


def test_what_cannot_be_told_is_said():
    few = compare_stacks(side(0, runs=1), side(1, runs=3))
    assert any(warning.startswith("one run on a side") for warning in few.warnings)
    mixed = compare_stacks(side(0), [replace(each, source="perf") for each in side(1)])
    assert any("sampled by sampler and perf" in warning for warning in mixed.warnings)
    rare = compare_stacks(
        [Recording({"a;b": 5, "a": 500}, rate_hz=100.0)] * 3, [Recording({"a": 500}, rate_hz=100.0)] * 3
    )
    (gone,) = (box for box in rare.boxes if box.frame == "b")
    assert gone.own.low is None and gone.own.verdict == 0  # 15 samples
    with pytest.raises(InputError, match="the side after has no samples"):
        compare_stacks(side(0), [Recording({})])
    with pytest.raises(InputError, match=r"--per frame: a run \(sampler\) says no number of encoded frames"):
        compare_stacks([Recording({"a": 1})], [Recording({"a": 1})], per="frame")


def test_the_table_shows_all_that_changed_and_some_that_did_not():
    changed = compare_stacks(side(0), side(1, changed={SATD: 2.0, "quantize": 0.5, "cdef_filter": 2.0}))
    assert len(shown_changes(changed, 2)) == 3
    assert len(shown_changes(compare_stacks(side(0), side(1)), 4)) == 4


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests of this file."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started
        assert not started.errors


def hues(browser):
    """Label of each drawn box -> whether its colour on the screen is red, blue or grey."""
    return browser.value(
        """Array.from(document.querySelectorAll('.frame'), frame => {
          const canvas = document.createElement('canvas').getContext('2d');
          canvas.fillStyle = getComputedStyle(frame).backgroundColor;
          canvas.fillRect(0, 0, 1, 1);
          const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
          const hue = Math.max(red, green, blue) - Math.min(red, green, blue) < 25 ? 'grey' : red > blue ? 'red' : 'blue';
          return [frame.textContent, hue];
        })"""
    )


def opened(browser, diff, path, scheme="light"):
    """The diff's page in the browser."""
    path.write_text(flame_diff_page(diff, "Before and after", warnings=["a warning"]), encoding="utf-8")
    browser.media(scheme=scheme)
    browser.open(path)
    return hues(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_the_change_in_colour_and_noise_in_grey(browser, tmp_path, scheme):
    diff = compare_stacks(side(0), side(1, changed={SATD: 2.0, "quantize": 0.4}))
    seen = opened(browser, diff, tmp_path / "diff.html", scheme)
    assert {(label, hue) for label, hue in seen if hue != "grey"} == {(SATD, "red"), ("set_numba.quantize", "blue")}
    same = opened(browser, compare_stacks(side(2), side(3)), tmp_path / "same.html", scheme)
    assert len(same) > 20 and {hue for _, hue in same} == {"grey"}


def test_the_page_says_what_changed_and_draws_each_sides_widths(browser, tmp_path):
    diff = compare_stacks(side(0), side(1, changed={SATD: 2.0}))
    opened(browser, diff, tmp_path / "diff.html")
    about = browser.value("document.querySelector('.about').innerText")
    assert "before: 3 runs" in about and "after: 3 runs" in about and whole_words(diff) in about
    assert browser.value("document.querySelector('.note').textContent") == "a warning"
    box = f"Array.from(document.querySelectorAll('.frame')).find(f => f.textContent === '{SATD}')"
    browser.hover(box)
    said = browser.value("document.getElementById('shares').textContent")
    assert said.startswith("itself ") and said.endswith(": slower") and " ms, +" in said and " to +" in said
    widths = {}
    for chosen in ("before", "both", "after"):
        browser.choose("width", chosen)
        widths[chosen] = browser.value(f"parseFloat({box}.style.width)")
    assert widths["before"] < widths["both"] < widths["after"]
    browser.click("Array.from(document.querySelectorAll('.frame')).find(f => f.textContent === 'inter_search')")
    said = browser.value("document.getElementById('shares').textContent")
    assert said.startswith("with callees ") and "within noise" in said
    first = browser.value(
        "Array.from(document.querySelector('table.changes tbody tr').cells, cell => cell.textContent)"
    )
    assert first[5] == "slower" and first[6].startswith(SATD)
    browser.key("/")
    browser.write("satd")
    assert browser.value("document.querySelectorAll('.frame.match').length") >= 1
