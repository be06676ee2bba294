"""The timeline for other programs, checked against their formats, and our own page in a real browser: mouse, keys, print."""

import json
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis.traced import traced
from workbench.errors import InputError
from workbench.record import Record, RunWriter
from workbench.report.timeline import CHROME_NAME, PAGE_NAME, SPEEDSCOPE_NAME, timeline_page, write_timeline
from workbench.report.timeline_exports import _microseconds, chrome_trace, place_text, speedscope_timeline
from workbench.report.timeline_text import as_json, summary_lines

from .browser import CHROMIUM, MISSING, Browser
from .scheduled import encode
from .speedscope_rules import judge

in_browser = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
MILLISECOND = 1_000_000
# Frame 1 has one slow tile; its number is in no other frame the slowest.
DATA = encode(
    [[n * MILLISECOND for n in tiles] for tiles in ([30, 25, 28, 31], [10, 11, 95, 9], [12, 14, 11, 13])],
    motion=3 * MILLISECOND,
    cdef=8 * MILLISECOND,
    wake=100_000,
    rows=3,
)
SUBJECT = {"clip": "<made> up", "width": 64, "height": 64, "kernels": "numba"}
RECORDS = [
    Record("trace", "timeline", "s", SUBJECT, (1.0,), DATA, ("a <planted> warning",), ("encoder", "clip.y4m")),
    Record("trace", "overhead", "ratio", SUBJECT, (1.0,), {"detail": "row", "rounds": [[[1.0, 1.004]] * 5] * 3}),
]


@pytest.fixture(scope="module")
def read():
    """The made-up encode."""
    return traced(RECORDS)


# Other programs -----------------------------------------------------------------------------------------------------------


def opened(trace, nanoseconds):
    """What Perfetto makes of a trace by the rules of its JSON importer, or an assertion where it would drop or misplace
    something: threads (name -> slices: name, begin, end, depth), arrows (name of the slice at either end), pictures."""
    events = [event for event in trace["traceEvents"] if event["ph"] != "M"]
    names = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    stacks, slices, arrows, pictures = defaultdict(list), defaultdict(list), defaultdict(dict), defaultdict(dict)
    for event in sorted(events, key=lambda e: nanoseconds(e["ts"])):  # those of one moment stay as they stand
        begin, around = nanoseconds(event["ts"]), stacks[event["tid"]]
        if event["ph"] == "X":
            end = begin + nanoseconds(event["dur"])
            while around and around[-1][2] <= begin:
                around.pop()
            assert begin >= 0 and end >= begin and event["tid"] in names
            assert not around or end <= around[-1][2], event  # else it is dropped
            around.append((event["name"], begin, end, len(around)))
            slices[names[event["tid"]]].append(around[-1])
        elif event["ph"] in "sf":
            inside = [name for name, first, last, _ in around if first <= begin <= last]
            assert inside  # else it is dropped
            assert event["ph"] == "s" or event["bp"] == "e"
            arrows[event["cat"], event["id"]][event["ph"]] = inside[-1]
        else:
            assert event["ph"] in "be"
            pictures[event["cat"], event["id"], event["name"]][event["ph"]] = begin
    assert all(arrow.keys() == {"s", "f"} for arrow in arrows.values())
    assert all(way.keys() == {"b", "e"} and way["b"] <= way["e"] for way in pictures.values())
    return slices, list(arrows.values()), pictures


@pytest.mark.parametrize("nanoseconds", [lambda us: int(us * 1000.0), lambda us: round(us * 1000.0)])  # older, newer
def test_perfetto_keeps_all_of_the_chrome_trace_where_it_was(read, nanoseconds):
    trace = json.loads(json.dumps(chrome_trace(read.found, "title"), allow_nan=False))
    for event in trace["traceEvents"]:
        assert isinstance(event["name"], str) and event["pid"] == 1
    about = [e for e in trace["traceEvents"] if e["ph"] == "M"]
    assert {e["args"]["sort_index"]: e["tid"] for e in about if e["name"] == "thread_sort_index"} == {0: 1, 1: 2, 2: 3}
    assert [e["args"]["name"] for e in about if e["name"] == "process_name"] == ["title"]
    slices, arrows, pictures = opened(trace, nanoseconds)
    timeline = read.found.timeline
    assert tuple(slices) == timeline.lanes
    for lane, name in enumerate(timeline.lanes):
        spans = [slice for slice in slices[name] if not slice[0].startswith("idle: ")]
        of_lane = (timeline.lane == lane).nonzero()[0]
        columns = (timeline.begin_ns, timeline.end_ns, timeline.depth)
        own = zip(map(timeline.label, of_lane), *(column[of_lane].tolist() for column in columns), strict=True)
        assert spans == list(own)
        idle = [slice for slice in slices[name] if slice[0].startswith("idle: ")]
        assert all(depth == 0 for *_, depth in idle)
    assert {name for lane in slices.values() for name, *_ in lane} >= {"idle: cdef", "idle: tile"}
    assert {"s": "motion", "f": "idle: hand-over"} in arrows and {"s": "trial", "f": "wait for tiles"} in arrows
    assert len(pictures) == 3
    slow = next(e for e in trace["traceEvents"] if e.get("args") == {"frame": 1, "tile": 2})
    assert slow["name"] == "tile" and slow["dur"] == 95_000  # microseconds


@given(st.integers(0, 1 << 43))
def test_times_in_microseconds_are_whole_nanoseconds_again(ns):
    us = json.loads(json.dumps(_microseconds(ns)))
    assert int(us * 1000.0) == round(us * 1000.0) == ns


def test_the_speedscope_file_keeps_the_rules_and_opens_and_closes_in_order(read):
    file = json.loads(json.dumps(speedscope_timeline(read.found, "title"), allow_nan=False))
    judge(file)
    frames = [frame["name"] for frame in file["shared"]["frames"]]
    assert [profile["name"] for profile in file["profiles"]] == list(read.found.timeline.lanes)
    seen = 0
    for profile in file["profiles"]:
        around, now = [], profile["startValue"]
        for event in profile["events"]:
            assert event["at"] >= now
            now = event["at"]
            if event["type"] == "O":
                around.append(event["frame"])
                seen += frames[event["frame"]] == "trial"
            else:
                assert around.pop() == event["frame"]
        assert not around and now <= profile["endValue"]
    assert seen == 3 * 12


def test_places_are_told_in_luma_samples():
    assert place_text(6 | 5 << 16 | 7 << 32) == "16x16 at 28,20"
    assert place_text(-1) == ""


def test_the_summary_says_what_matters(read):
    text = "\n".join(summary_lines(read))
    assert re.search(r"tile worker 2 +busy +\d+\.\d % +waited for", text)
    assert "critical path, by stage:" in text and "of the innermost spans:" in text
    assert "latency from frame in to packet out: median" in text
    assert "tiles stood" in text
    assert "overhead of recording at detail row: +0.4 % of processor time" in text
    assert "15 interleaved pairs" in text
    assert "warning: a <planted> warning" in text
    figures = json.loads(json.dumps(as_json(read, {"page": "x"}), allow_nan=False))
    assert figures["schema"] == 1
    assert sum(figures["critical_path_s"].values()) == pytest.approx(figures["wall_s"])
    for thread in figures["threads"]:
        assert thread["busy_s"] + sum(thread["idle_s"].values()) == pytest.approx(figures["wall_s"])


def test_pages_are_made_from_records_alone_and_overwrite_nothing(tmp_path):
    writer = RunWriter(tmp_path, "trace", ["clip"], {})
    writer.write(*RECORDS)
    _, files = write_timeline(tmp_path)
    assert {path.name for path in files.values()} == {PAGE_NAME, CHROME_NAME, SPEEDSCOPE_NAME}
    before = files["page"].read_bytes()
    with pytest.raises(InputError, match="exists already"):
        write_timeline(tmp_path)
    write_timeline(tmp_path, force=True)
    assert files["page"].read_bytes() == before


# The page -----------------------------------------------------------------------------------------------------------------


class Pointer(Browser):
    """A browser whose mouse goes to any point of the canvas, in its own pixels."""

    def at(self, x, y, *kinds, count=1):
        """Do these things with the mouse there."""
        left, top = self.value("(r => [r.left, r.top])(document.getElementById('lanes').getBoundingClientRect())")
        for kind in kinds:
            button = {"button": "left", "clickCount": count, "buttons": 1}
            self._ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=left + x, y=top + y, **button)

    def click_at(self, x, y):
        """A click."""
        self.at(x, y, "Moved", "Pressed", "Released")

    def wheel(self, x, y, by):
        """Turn the wheel with Ctrl held."""
        left, top = self.value("(r => [r.left, r.top])(document.getElementById('lanes').getBoundingClientRect())")
        turn = {"deltaX": 0, "deltaY": by, "modifiers": 2}
        self._ask("Input.dispatchMouseEvent", type="mouseWheel", x=left + x, y=top + y, **turn)


@pytest.fixture(scope="module")
def page(tmp_path_factory, read):
    """The page of the made-up encode."""
    path = tmp_path_factory.mktemp("page") / PAGE_NAME
    path.write_text(timeline_page(read, f"Timeline: {read.title}"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """One browser for all tests of this file."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with Pointer(tmp_path_factory.mktemp("profile")) as browser:
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
    assert {request.split("#")[0] for request in started.requests} <= {"about:blank", page.as_uri()}


def about(browser):
    """What the page says of the chosen or touched span."""
    return browser.value("document.getElementById('about').textContent")


def view(browser):
    """First and last nanosecond that is shown."""
    return browser.value("[state.from, state.to]")


def point_of(browser, script):
    """Where the middle of the first span for which an expression of `i` holds is drawn."""
    find = f"spans.lane.findIndex((_, i) => {script})"
    return browser.value(
        f"(i => [((spans.begin[i] + spans.end[i]) / 2 - state.from) / (state.to - state.from) * canvas.clientWidth,"
        f" shape[spans.lane[i]].rows + spans.depth[i] * ROW + ROW / 2])({find})"
    )


def settle(browser):
    """Let the page react to what has changed around it: that is told before a frame is drawn."""
    browser.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


SLOW_TILE = "data.names[spans.name[i]] === 'tile' && spans.frame[i] === 1 && spans.tile[i] === 2"


@in_browser
def test_hovering_and_clicking_name_a_span(browser):
    x, y = point_of(browser, SLOW_TILE)
    browser.at(x, y, "Moved")
    assert about(browser).startswith("tile frame 1 · tile 2 on tile worker")
    assert "95.0 ms" in about(browser) and "in the queue before" in about(browser)
    browser.click_at(x, y)
    assert "span=" in browser.value("location.hash")
    browser.at(3, 3, "Moved")  # the axis: what was chosen stays named
    assert about(browser).startswith("tile frame 1")


@in_browser
def test_idle_time_is_named(browser):
    """While the slow tile runs, the other worker waits for it, and so does the main thread."""
    wait = "data.names[spans.name[i]] === 'wait for tiles' && spans.frame[i] === 1"
    x, y = point_of(browser, wait)
    browser.click_at(x, y)
    assert about(browser).startswith("waits for tile · tile 2 · frame 1 on tile worker")
    lane = browser.value("data.lanes.indexOf('tile worker 1') + data.lanes.indexOf('tile worker 2')") - browser.value(
        f"spans.lane[spans.lane.findIndex((_, i) => {SLOW_TILE})]"
    )
    row = browser.value(f"shape[{lane}].rows + ROW / 2")
    browser.click_at(x + 30, row)
    assert about(browser).startswith(
        f"waits for tile · tile 2 · frame 1 on tile worker {3 - lane} on tile worker {lane}"
    )


@in_browser
def test_double_click_zoom_keys_and_wheel(browser):
    whole = view(browser)
    x, y = point_of(browser, SLOW_TILE)
    browser.click_at(x, y)
    browser.at(x, y, "Pressed", "Released", count=2)
    begin, end = view(browser)
    assert end - begin == pytest.approx(95 * MILLISECOND * 1.16, rel=1e-6)
    browser.key("+")
    assert view(browser)[1] - view(browser)[0] == pytest.approx((end - begin) / 2)
    before = view(browser)
    browser.key("ArrowRight")
    assert view(browser)[0] == pytest.approx(before[0] + (before[1] - before[0]) / 4)
    browser.key("Escape")
    assert view(browser) == whole
    browser.wheel(400, 60, -300)
    settle(browser)
    assert view(browser)[1] - view(browser)[0] < whole[1]
    browser.click("document.getElementById('whole')")
    assert view(browser) == whole
    browser.click("document.getElementById('nearer')")
    assert view(browser)[1] - view(browser)[0] == pytest.approx(whole[1] / 2)
    browser.click("document.getElementById('right')")
    assert view(browser)[0] == pytest.approx(whole[1] / 4 + whole[1] / 8)


@in_browser
def test_dragging_pans_and_the_overview_chooses(browser):
    browser.value("show({ from: 20e6, to: 120e6 })")
    browser.at(600, 200, "Moved", "Pressed")
    browser.at(500, 200, "Moved")
    browser.at(500, 200, "Released")
    width = browser.value("canvas.clientWidth")
    assert view(browser)[0] == pytest.approx(20e6 + 100 / width * 100e6)
    box = browser.value("(r => [r.left, r.top, r.width])(overview.getBoundingClientRect())")
    for kind, share in (("Pressed", 0.25), ("Moved", 0.5), ("Released", 0.5)):
        x = box[0] + share * box[2]
        browser._ask(
            "Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=box[1] + 9, button="left", clickCount=1, buttons=1
        )
    wall = browser.value("data.wall")
    assert view(browser) == pytest.approx([wall / 4, wall / 2], rel=0.01)


@in_browser
def test_the_critical_path_is_walked_and_hidden(browser):
    browser.value("show({ from: 0, to: 1e6 })")
    seen = []
    for _ in range(8):
        browser.key("]")
        seen.append(about(browser).split(" on ")[0])
    assert [text.split(" frame")[0] for text in seen] == [
        "motion",
        "tile",
        "tile",
        "cdef",
        "read",
        "motion",
        "tile",
        "tile",
    ]
    browser.key("[")
    assert about(browser).split(" on ")[0] == seen[-2]
    assert browser.value("document.getElementById('path').checked") is True
    red = "(() => { const p = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; let n = 0; "
    red += "for (let i = 0; i < p.length; i += 4) n += p[i] > 180 && p[i + 1] < 90 && p[i + 2] < 90; return n; })()"
    assert browser.value(red) > 100
    browser.key("c")
    assert browser.value(red) < 100 and "path=off" in browser.value("location.hash")
    browser.click("document.getElementById('path')")
    assert browser.value(red) > 100


@in_browser
def test_frames_are_chosen_by_list_key_and_table(browser):
    browser.choose("frame", "1")
    begin, end = view(browser)
    frame = DATA["spans"]
    (at,) = (i for i, name in enumerate(frame["name"]) if DATA["names"][name] == "frame" and frame["frame"][i] == 1)
    assert begin < frame["begin_ns"][at] < frame["end_ns"][at] < end
    browser.value("document.activeElement.blur()")
    browser.key("n")
    assert browser.value("document.getElementById('frame').value") == "2"
    browser.key("p")
    assert view(browser) == [begin, end]
    browser.click("document.querySelector('button[data-frame=\"0\"]')")
    assert browser.value("document.getElementById('frame').value") == "0"


@in_browser
def test_an_address_keeps_the_view(browser, page):
    browser.open(page, "#from=1000000&to=9000000&path=off&span=3")
    assert view(browser) == [1_000_000, 9_000_000]
    assert browser.value("state.span") == 3 and browser.value("state.path") is False
    browser.open(page, "#from=junk&to=-5&span=9999")
    assert browser.value("state.span") == -1
    begin, end = view(browser)
    assert 0 <= begin < end


@in_browser
def test_the_page_says_what_was_measured(browser):
    text = browser.value("document.body.innerText")
    assert "a <planted> warning" in text and "<made> up" in text
    assert "15 interleaved pairs" in text
    assert browser.value("document.querySelectorAll('#latency tbody tr').length") == 3
    heights = browser.value(
        "[...document.querySelectorAll('.histogram span')].map(s => s.getBoundingClientRect().height)"
    )
    assert sum(height > 1 for height in heights) == 3
    stages = browser.value("[...document.querySelectorAll('#stages tbody tr')].map(r => r.cells[0].textContent)")
    assert stages[0] == "tile"


@in_browser
def test_dark_narrow_and_printed(browser):
    dark = "(p => p.slice(0, 3))([...canvas.getContext('2d').getImageData(2, canvas.height - 2, 1, 1).data])"
    assert min(browser.value(dark)) > 200
    browser.media(scheme="dark")
    settle(browser)
    assert max(browser.value(dark)) < 60
    browser.size(500, 900)
    settle(browser)
    assert browser.value("document.documentElement.scrollWidth") <= 500
    assert browser.print_to_pdf().startswith(b"%PDF")
