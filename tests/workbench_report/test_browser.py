"""The pages in a real browser without a network: they render; the flame graph zooms, searches and listens to keys."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from .synthetic import SATD

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install it with: apt-get install chromium")


def browse(address, profile, *options):
    """Run the browser to its end with every name resolving to nothing; returns what it prints."""
    words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
    words += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=4000", *options, address]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


class Frames(HTMLParser):
    """The drawn frames of a flame graph and what its page says, by element id."""

    def __init__(self):
        super().__init__()
        self.frames, self.said, self._open = [], {}, []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if "frame" in (named.get("class") or "").split():
            self.frames.append(named | {"label": ""})
        self._open.append((tag, named))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        for tag, named in self._open:
            if named.get("id"):
                self.said[named["id"]] = self.said.get(named["id"], "") + text
            if tag == "button" and "frame" in (named.get("class") or "").split():
                self.frames[-1]["label"] += text

    def labelled(self, label):
        """The frames of a function."""
        return [frame for frame in self.frames if frame["label"] == label]


def dumped(address, profile):
    """A flame page after its script has run."""
    parser = Frames()
    parser.feed(browse(address, profile, "--dump-dom"))
    return parser


def width_percent(frame):
    """The width of a frame as the browser has it."""
    return float(re.search(r"width: ([\d.]+)%", frame["style"])[1])


def test_the_report_renders_without_a_network(pages, tmp_path):
    import matplotlib.image

    shot = tmp_path / "report.png"
    browse(f"file://{pages}/report.html", tmp_path / "profile", f"--screenshot={shot}", "--window-size=1280,3000")
    pixels = matplotlib.image.imread(shot)[:, :, :3]
    paper = pixels[2, 2]
    used = np.abs(pixels - paper).max(axis=2) > 0.1
    assert pixels.shape[:2] == (3000, 1280)
    assert used[:1500].mean() > 0.02  # text and pictures, not a blank page
    coloured = np.ptp(pixels, axis=2) > 0.25
    assert coloured[600:].sum() > 5000  # the stacked bars


def test_the_report_is_not_wider_than_a_phone(pages, tmp_path):
    page = (pages / "report.html").read_text()
    probe = "<script>document.title = String(document.documentElement.scrollWidth)</script></body>"
    (tmp_path / "phone.html").write_text(page.replace("</body>", probe))
    text = browse(f"file://{tmp_path}/phone.html", tmp_path / "profile", "--dump-dom", "--window-size=500,900")
    assert int(re.search(r"<title>(\d+)</title>", text)[1]) <= 500


def test_the_flame_graph_shows_shares_and_finds_functions(pages, found, tmp_path):
    whole = dumped(f"file://{pages}/flame.html", tmp_path / "profile")
    (satd,) = whole.labelled("set_numba.satd")
    profile = found.profiles[0].corpus
    share = profile[SATD] + profile["_row (encoder/kernels/set_numba/distortion.py)"]  # that is inlined into it
    assert width_percent(satd) == pytest.approx(100 * share, abs=0.1)
    assert not [frame for frame in whole.frames if "match" in frame["class"].split()]

    searched = dumped(f"file://{pages}/flame.html#search=satd", tmp_path / "profile")
    assert [frame["label"] for frame in searched.frames if "match" in frame["class"].split()] == ["set_numba.satd"]
    assert searched.said["found"] == f"found in {100 * share:.1f} % of the time"


def test_the_flame_graph_zooms_by_its_address(pages, tmp_path):
    page = f"file://{pages}/flame.html"
    whole = dumped(page, tmp_path / "profile")
    zoomed = dumped(f"{page}#zoom=0.0.0.0.0", tmp_path / "profile")
    (before,), (after,) = whole.labelled("search_partition"), zoomed.labelled("search_partition")
    assert width_percent(before) < 90
    assert width_percent(after) == 100
    assert [frame["label"] for frame in zoomed.frames if "above" in frame["class"].split()] == [
        "all",
        "thread main",
        "encode",
        "encode_frame",
        "encode_tile",
    ]
    assert "of the view" in zoomed.said["shares"]
    lost = dumped(f"{page}#zoom=0.0.0.77.3&graph=99", tmp_path / "profile")
    assert "encode_frame" in lost.said["name"]


def test_the_flame_graph_listens_to_mouse_and_keys(pages, tmp_path):
    """A script in a copy of the page acts as a user would and writes down what it sees."""
    script = """
    const seen = {};
    const named = (label) => Array.from(document.querySelectorAll(".frame")).find((f) => f.textContent === label);
    const key = (name) => (document.activeElement || document.body).dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
    const about = () => document.getElementById("name").textContent;
    named("set_numba.satd").dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    seen.hover = [about(), document.getElementById("shares").textContent];
    named("encode_tile").click();
    seen.clicked = [location.hash, named("encode_tile").style.width, document.activeElement.textContent];
    key("ArrowDown"); seen.down = document.activeElement.textContent;
    key("ArrowRight"); seen.right = document.activeElement.textContent;
    key("ArrowLeft"); key("ArrowUp"); seen.up = document.activeElement.textContent;
    key("Escape"); seen.escape = [location.hash, named("encode_tile").style.width];
    key("/"); seen.slash = document.activeElement.id;
    const search = document.getElementById("search");
    search.value = "intra_(smooth|directional)"; search.dispatchEvent(new Event("input"));
    seen.found = [document.querySelectorAll(".match").length, location.hash];
    search.value = "satd("; search.dispatchEvent(new Event("input"));
    seen.halfTyped = document.querySelectorAll(".match").length;
    document.getElementById("reset").click();
    seen.reset = [location.hash, search.value];
    const graph = document.getElementById("graph");
    graph.value = "1"; graph.dispatchEvent(new Event("change"));
    seen.graph = [location.hash, graph.selectedOptions[0].textContent, document.getElementById("shares").textContent];
    document.body.innerHTML = ""; document.body.dataset.seen = JSON.stringify(seen);
    """
    page = (pages / "flame.html").read_text().replace("</body>", f"<script>{script}</script></body>")
    (tmp_path / "driven.html").write_text(page)
    dom = browse(f"file://{tmp_path}/driven.html", tmp_path / "profile", "--dump-dom")
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))

    assert seen["hover"][0] == "set_numba.satd encoder/kernels/set_numba/distortion.py"
    assert "% of all" in seen["hover"][1]
    assert seen["clicked"] == ["#zoom=0.0.0.0", "100%", "encode_tile"]
    assert seen["down"] == "search_partition"
    assert seen["right"] == "write_block"
    assert seen["up"] == "encode_tile"
    assert seen["escape"][0] == ""
    assert seen["escape"][1] != "100%"
    assert seen["slash"] == "search"
    assert seen["found"][0] == 2
    assert "search=intra_" in seen["found"][1]
    assert seen["halfTyped"] == 0
    assert seen["reset"] == ["", ""]
    assert seen["graph"][0] == "#graph=1" and "pan" in seen["graph"][1]
    assert "samples" in seen["graph"][2]
