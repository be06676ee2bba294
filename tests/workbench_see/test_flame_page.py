"""The flame page in a real browser: mouse, keys, choosers, print; what it says follows from the samples."""

import json
import re

import pytest

from workbench.analysis.folded import Recording, added_up, function_times
from workbench.errors import InputError
from workbench.report.flame import MAX_BOXES, flame_page_of_runs
from workbench.report.source_view import KEPT, source_views

from .browser import CHROMIUM, MISSING, Browser
from .sampled import run, write_sources

in_browser = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
RUNS = [run(1), run(2)]
FOLDED = added_up(each.folded for each in RUNS)
SAMPLES = sum(FOLDED.values())


def samples_of(text, folded=FOLDED):
    """Samples of stacks that hold this text."""
    return sum(count for stack, count in folded.items() if text in stack)


def percent(part, whole=SAMPLES):
    """A share as the page writes it."""
    return f"{100 * part / whole:.{1 if part / whole >= 0.0995 else 2}f} %"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of two runs, and its sources."""
    folder = tmp_path_factory.mktemp("page")
    root = write_sources(folder / "sources")
    path = folder / "flame.html"
    warnings = ["a <planted> warning"]
    text = flame_page_of_runs(RUNS, "Flames & <tags>", source_roots=[root], facts=["made by hand"], warnings=warnings)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """One browser for all tests of this file."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(started, page):
    """The browser with the page as it opens; its scripts must not raise, nor load anything."""
    started.media()
    started.size(1280, 900)
    started.errors.clear()
    started.requests.clear()
    started.open(page)
    yield started
    assert not started.errors
    assert {address.partition("#")[0] for address in started.requests} <= {page.as_uri(), "about:blank"}


def frame(label):
    """The drawn box of a label, the leftmost of several, as an expression."""
    boxes = f"Array.from(document.querySelectorAll('.frame')).filter(f => f.textContent === {json.dumps(label)})"
    return f"{boxes}.sort((a, b) => a.offsetLeft - b.offsetLeft)[0]"


def labels(browser, chosen=".frame"):
    """The labels of drawn boxes."""
    return browser.value(f"Array.from(document.querySelectorAll('{chosen}'), f => f.textContent)")


def said(browser, name):
    """The text of an element."""
    return browser.value(f"document.getElementById('{name}').textContent")


def hottest(browser):
    """The table of hottest functions: label -> self and total in per cent."""
    rows = browser.value(
        "Array.from(document.querySelectorAll('#hottest tr'), row => Array.from(row.cells, cell => "
        "(cell.firstElementChild || cell).textContent))"
    )
    return {name: (own, total) for own, total, name in rows}


@in_browser
def test_the_page_says_what_was_sampled(browser):
    facts = browser.value("document.querySelector('.about').innerText")
    for fact in ("2 runs", f"{SAMPLES:,.0f} samples", "by the sampler in the process, 997 Hz", "96 encoded frames"):
        assert fact in facts
    seconds = sum(each.seconds for each in RUNS)
    assert f"in {seconds:.2f} s" in facts and "of compiled samples without a name" in facts and "made by hand" in facts
    assert said(browser, "shares").endswith(f"{1e3 * SAMPLES / 997 / 96:.1f} ms a frame")
    assert browser.value("document.querySelector('.note').textContent") == "a <planted> warning"
    assert browser.value("document.querySelector('h1').textContent") == "Flames & <tags>"
    assert browser.value("document.title") == "Flames & <tags>"


@in_browser
def test_a_click_zooms_and_keys_walk(browser):
    width = browser.value("document.getElementById('flame').clientWidth")
    assert browser.value(f"{frame('split')}.getBoundingClientRect().width") < 0.9 * width
    browser.click(frame("split"))
    assert browser.value(f"{frame('split')}.getBoundingClientRect().width") == pytest.approx(width, abs=1)
    assert labels(browser, ".frame.above") == ["all", "thread main", "main", "encode", "encode_frame", "encode_tile"]
    assert browser.value("document.activeElement.textContent") == "split"
    assert browser.value("location.hash").endswith("zoom=0.0.0.0.0.0")
    assert "100.0 % of the view" in said(browser, "shares")
    for key, at in (("ArrowDown", "inter_search"), ("ArrowRight", "rd_cost"), ("ArrowLeft", "inter_search")):
        browser.key(key)
        assert browser.value("document.activeElement.textContent") == at
    browser.key("Enter")
    assert browser.value("location.hash").endswith("zoom=0.0.0.0.0.0.0")
    browser.key("Backspace")
    assert browser.value("location.hash").endswith("zoom=0.0.0.0.0.0")
    browser.key("ArrowUp")
    assert browser.value("document.activeElement.textContent") == "encode_tile"
    browser.key("Escape")
    assert browser.value("location.hash") == ""
    assert not labels(browser, ".frame.above")


@in_browser
def test_hover_says_the_shares(browser):
    browser.hover(frame("set_numba.satd"))
    main = {stack: count for stack, count in FOLDED.items() if stack.startswith("thread main")}
    in_search = samples_of("inter_search [inlined] (encoder/tile/inter_search.py:210);set_numba.satd", main)
    assert said(browser, "name") == "set_numba.satd encoder/kernels/set_numba/distortion.py"
    shares = said(browser, "shares")
    assert shares.startswith(f"{percent(in_search)} of all") and f"{in_search:.0f} samples" in shares
    browser.hover(frame("inter_search"))
    assert said(browser, "name") == "inter_search encoder/tile/inter_search.py (inlined)"


@in_browser
def test_search_says_the_share_and_reset_takes_all_back(browser):
    browser.key("/")
    browser.write("set_numba.sa[t]?d$")
    # Above, the box of the whole is of another function; two threads hold each kernel.
    assert set(labels(browser, ".frame.match")) == {"set_numba.satd", "set_numba.sad"}
    share = percent(samples_of("set_numba.satd") + samples_of("set_numba.sad"))
    assert said(browser, "found") == f"found in {share} of the time"
    assert "search=set_numba" in browser.value("location.hash")
    browser.click(frame("rd_cost"))
    assert said(browser, "found").startswith(f"found in {share} of the time, ")
    browser.click("document.getElementById('reset')")
    assert browser.value("location.hash") == "" and said(browser, "found") == ""
    assert browser.value("document.getElementById('search').value") == ""
    browser.key("/")
    browser.write("(satd")  # half-typed
    assert not labels(browser, ".frame.match")
    browser.key("Escape")
    assert browser.value("location.hash") == ""


@in_browser
def test_threads_are_chosen_by_name_merged_or_apart(browser):
    options = browser.value("Array.from(document.getElementById('thread').options, o => [o.textContent, o.value])")
    assert [text for text, _ in options] == ["all threads, apart", "all threads, merged", "thread main", "thread 2"]
    assert labels(browser)[1:3] == ["thread main", "thread 2"]
    browser.choose("thread", options[3][1])
    assert "thread 2" not in labels(browser) and labels(browser)[:2] == ["all", "Thread.run"]
    second = {stack: count for stack, count in FOLDED.items() if stack.startswith("thread 2")}
    assert f"{sum(second.values())} samples" in said(browser, "shares").replace(",", "")
    browser.choose("thread", "merged")
    assert labels(browser)[:3] == ["all", "main", "Thread.run"]
    assert f"{SAMPLES:.0f} samples" in said(browser, "shares").replace(",", "")
    assert hottest(browser) == hottest_of(FOLDED)
    browser.click("document.getElementById('flame')")
    for wanted in options[2][1], options[3][1], "apart":
        browser.key("t")
        assert browser.value("document.getElementById('thread').value") == wanted


def hottest_of(folded):
    """What the table of hottest functions should say."""
    samples = sum(folded.values())
    text = {0: ""}
    shares = {
        time.label: tuple(
            text.get(part, f"{100 * part / samples:.1f}") for part in (time.self_samples, time.total_samples)
        )
        for time in function_times(folded)[:15]
    }
    return shares


@in_browser
def test_lines_and_functions_switch_and_keep_the_place(browser):
    browser.click(frame("encode_tile"))
    assert "encode_tile:61" not in labels(browser)
    browser.key("l")
    assert browser.value("document.getElementById('by').value") == "line"
    assert labels(browser, ".frame.above") == ["all", "thread main", "main:20", "encode:40", "encode_frame:77"]
    assert labels(browser, ".frame:not(.above)")[0] == "encode_tile:61"  # the larger of its two lines
    browser.choose("by", "function")
    assert labels(browser, ".frame:not(.above)")[0] == "encode_tile"
    browser.key("Escape")
    browser.choose("by", "line")
    assert {"encode_tile:61", "encode_tile:66", "set_numba.satd:49", "set_numba.satd:57"} <= set(labels(browser))
    browser.hover(frame("_difference16:23"))
    assert said(browser, "name") == "_difference16 encoder/kernels/set_numba/distortion.py:23 (inlined)"


@in_browser
def test_source_stands_beside_its_lines(browser, page):
    views = {view.text.function: view for view in source_views(FOLDED, KEPT, [page.parent / "sources"])}
    assert said(browser, "source-name") == "set_numba.satd encoder/kernels/set_numba/distortion.py"
    assert source_lines(browser) == expected_lines(views["set_numba.satd"])
    browser.click(
        "Array.from(document.querySelectorAll('#hottest button')).find(b => b.textContent === '_difference16')"
    )
    assert said(browser, "source-name").startswith("_difference16")
    assert source_lines(browser) == expected_lines(views["_difference16"])
    browser.click(frame("rd_cost"))
    assert said(browser, "source-name").startswith("rd_cost")
    at_30, *_ = [line for line in source_lines(browser) if line[2] == "30"]
    assert at_30[4].startswith("set_numba.forward_transform")


def source_lines(browser):
    """The panel's rows."""
    return browser.value(
        "Array.from(document.querySelectorAll('#lines tr'), r => Array.from(r.cells, c => c.textContent))"
    )


def expected_lines(view):
    """What the panel should show of a view."""

    def share(part):
        return f"{100 * part / view.samples:.1f}" if part else ""

    rows = []
    for number, text in enumerate(view.text.lines, view.text.first):
        time = view.times.get(number)
        callees = sorted(time.callees.items(), key=lambda item: -item[1]) if time else []
        named = [f"{name}{' (inlined)' * inlined} {percent(part, view.samples)}" for (name, inlined), part in callees]
        shares = [share(time.own), share(time.total)] if time else ["", ""]
        rows.append([*shares, str(number), text, ", ".join(named)])
    return rows


@in_browser
def test_a_missing_source_is_said(browser):
    browser.click(frame("Thread.run"))
    note = said(browser, "source-note")
    assert re.match(r"No source to show: threading\.py is not the version that ran", note)
    assert browser.value("document.getElementById('source-box').hidden")


@in_browser
def test_runs_are_chosen_one_by_one(browser):
    titles = browser.value("Array.from(document.getElementById('graph').options, o => o.textContent)")
    assert titles[0] == "all runs" and titles[1].startswith("run 1: clip")
    browser.choose("graph", "2")
    assert f"{RUNS[1].samples:.0f} samples" in said(browser, "shares").replace(",", "")
    assert browser.value("location.hash") == "#graph=2"


@in_browser
def test_an_address_shows_a_view_again(browser, page):
    browser.open(page, "#thread=merged&by=line&search=satd&zoom=0.0")
    assert browser.value("document.getElementById('thread').value") == "merged"
    assert labels(browser, ".frame.above") == ["all", "main:20"]
    assert "set_numba.satd:49" in labels(browser, ".frame.match")
    browser.open(page, "#graph=77&thread=99&by=word&zoom=0.50.3&source=1000")
    assert labels(browser, ".frame.above") == ["all"]
    assert browser.value("location.hash") == "#zoom=0"


@in_browser
def test_print_shows_the_graph_without_its_tools_and_all_of_the_source(browser):
    browser.media("print")
    visible = "(name => document.getElementById(name).getClientRects().length > 0)"
    assert not browser.value(f"{visible}('search')") and not browser.value(f"{visible}('about')")
    assert browser.value(f"{visible}('flame')") and browser.value(f"{visible}('hottest')")
    assert browser.value("getComputedStyle(document.getElementById('bar')).position") == "static"
    assert browser.value("(b => b.scrollHeight <= b.clientHeight + 1)(document.getElementById('source-box'))")
    assert browser.value(f"getComputedStyle({frame('set_numba.satd')}).printColorAdjust") == "exact"
    pdf = browser.print_to_pdf()
    assert pdf.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3


@in_browser
def test_colours_follow_the_reader_s_theme_and_show_the_layers(browser):
    colour = f"getComputedStyle({frame('set_numba.satd')}).backgroundColor"
    light, paper = browser.value(colour), browser.value("getComputedStyle(document.body).backgroundColor")
    assert light != browser.value(f"getComputedStyle({frame('split')}).backgroundColor")
    browser.media(scheme="dark")
    assert browser.value(colour) != light
    assert browser.value("getComputedStyle(document.body).backgroundColor") != paper


@in_browser
def test_a_phone_shows_it_without_scrolling_sideways(browser):
    browser.size(390, 800)
    assert browser.value("document.documentElement.scrollWidth") <= 390


@in_browser
def test_a_program_without_frames_lines_and_threads(started, tmp_path):
    program = Recording({"main;work;[unknown]": 3, "main": 1}, "py-spy", title="python script.py", warnings=("few",))
    path = tmp_path / "program.html"
    path.write_text(flame_page_of_runs([program], "A program"), encoding="utf-8")
    started.open(path)
    assert labels(started) == ["all", "main", "work", "[unknown]"]
    hidden = "['graph', 'thread', 'source'].map(name => document.getElementById(name).hidden)"
    assert started.value(hidden) == [True, True, True]
    assert started.value("document.getElementById('by').disabled")
    assert "ms a frame" not in said(started, "shares")
    assert started.value("document.querySelector('.note').textContent") == "few"
    assert started.value("document.querySelector('.about').innerText") == "4 samples · by py-spy"


@in_browser
def test_deep_and_wide_profiles_are_drawn(started, tmp_path):
    deep = ";".join(["thread main", *["again (x.py:3)"] * 3000])
    wide = {f"thread main;f{at} (w.py:{at % 9})": 1 for at in range(MAX_BOXES + 500)}
    path = tmp_path / "large.html"
    path.write_text(flame_page_of_runs([Recording({deep: 90_000} | wide)], "Large"), encoding="utf-8")
    assert path.stat().st_size < 5e6
    started.errors.clear()
    started.open(path)
    assert len(labels(started)) > 3000 and not started.errors
    assert "more than 60,000 boxes" in started.value("document.querySelector('.note').textContent")
    assert f"{90_000 + MAX_BOXES + 500} samples" in said(started, "shares").replace(",", "")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="no run has a sample"):
        flame_page_of_runs([Recording({})], "t")
    with pytest.raises(InputError, match=r"--by 'word': give one of function, line"):
        flame_page_of_runs(RUNS, "t", by="word")
