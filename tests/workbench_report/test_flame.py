"""The flame graph's layers, its data in the page, and its picture."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from workbench.analysis.hotspots import self_time
from workbench.analysis.stacks import ClipStacks, set_profiles
from workbench.analysis.subjects import Subject
from workbench.report import flame

FOLDED = {
    "main (cli.py:1);tile.walk.encode_tile;set_numba.satd": 60,
    "main (cli.py:2);tile.walk.encode_tile": 30,
    "main (cli.py:2);write (cli.py:9)": 10,
}


def stacks(clip, folded):
    """The stacks of a clip."""
    return ClipStacks(Subject(clip, "numba"), folded, 200.0, 1.0)


def data_of(page):
    """The graphs that a page holds."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_every_clip_counts_the_same_in_the_graph_of_all():
    few, many = stacks("few", {"a;b": 1}), stacks("many", {"a;c": 1000})
    mixed = flame.corpus_stacks([few, many])
    assert mixed["a;b"] == mixed["a;c"] == pytest.approx(500_000)


@pytest.mark.parametrize(
    ("frame", "layer"),
    [
        ("set_numba.satd", "kernels"),
        ("satd (encoder/kernels/set_python/distortion.py)", "kernels"),
        ("tile.walk.encode_tile", "tile"),
        ("encode_tile (encoder/tile/walk.py)", "tile"),
        ("encode_frame (encoder/frame/frame.py)", "frame"),
        ("frame.filters.cdef_frame", "frame"),
        ("encode (encoder/stream.py)", "encoder"),
        ("intmath.msb", "encoder"),
        ("reduce (numpy/_core/fromnumeric.py)", "other"),
        ("[libc.so.6]", "native"),
        ("[libc.so.6] memcpy", "native"),
        ("_row [inlined] (encoder/kernels/set_numba/distortion.py)", "kernels"),
        ("thread main", "other"),
        ("[unknown]", "other"),
    ],
)
def test_layers(frame, layer):
    assert flame.layer_of(frame) == layer


@pytest.mark.parametrize(
    ("frame", "layer"),
    [
        ("script.kernel (script.py)", "program"),
        ("main (/home/me/threading_of_mine.py)", "program"),
        ("run (threading.py)", "other"),
        ("reduce (numpy/_core/fromnumeric.py)", "other"),
        ("f (/x/lib/site-packages/thing/a.py)", "other"),
        ("<module> (<frozen runpy>)", "other"),
        ("[libc.so.6] memcpy", "native"),
        ("[unknown]", "other"),
        ("thread main", "other"),
    ],
)
def test_layers_of_a_program(frame, layer):
    assert flame.layer_of(frame, flame.PROGRAM_LAYERS) == layer


def test_the_page_holds_every_clip_with_its_self_times():
    clips = [stacks("one", FOLDED), stacks("two", {"main (cli.py:1)": 5})]
    data = data_of(flame.flame_page(set_profiles(clips), "title"))
    assert [graph["title"] for graph in data["graphs"]] == ["all clips, each counting the same", "one", "two"]
    graph = data["graphs"][1]
    self_samples = {}
    for frame, own in zip(graph["frames"], graph["own"], strict=True):
        name, place, *_ = data["functions"][data["frames"][frame][0]]
        self_samples[name, place] = self_samples.get((name, place), 0) + own
    assert self_samples["satd", "set_numba"] == 100 * self_time(FOLDED)["set_numba.satd"]
    assert self_samples["encode_tile", "tile.walk"] == 30


def test_a_name_cannot_end_the_page_s_script():
    page = flame.flame_page(set_profiles([stacks("one", {"</script><b>;x": 3})]), "title")
    assert "</script><b>" not in page
    assert "</script><b>" in [function[0] for function in data_of(page)["functions"]]


def test_the_picture_begins_where_the_stacks_part_and_labels_what_fits():
    (profile,) = set_profiles([stacks("one", {f"start;{stack}": count for stack, count in FOLDED.items()})])
    root = ET.fromstring(flame.flame_picture(profile))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert labels[0] == "main"
    assert {"encode_tile", "satd", "write"} <= set(labels)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "satd (set_numba), 60.0 %" in titles
    assert "encode_tile (tile.walk), 90.0 %" in titles  # one box, whatever line called it


def test_a_profile_with_a_single_stack_has_a_picture():
    (profile,) = set_profiles([stacks("one", {"a;b;c": 3})])
    assert "c, 100.0 %" in flame.flame_picture(profile)
