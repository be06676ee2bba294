"""The flame graph's tree, its layers, its data in the page, and its picture."""

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


def test_a_function_is_one_frame_whatever_line_ran():
    root = flame.tree(FOLDED)
    (main,) = root.callees.values()
    assert (root.samples, main.name, main.samples) == (100, "main (cli.py)", 100)
    assert [callee.name for callee in main.sorted_callees()] == ["tile.walk.encode_tile", "write (cli.py)"]


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
        ("[libc.so.6]", "other"),
        ("[unknown]", "other"),
    ],
)
def test_layers(frame, layer):
    assert flame.layer_of(frame) == layer


def test_the_page_holds_every_clip_with_its_self_times():
    clips = [stacks("one", FOLDED), stacks("two", {"main (cli.py:1)": 5})]
    data = data_of(flame.flame_page(set_profiles(clips), "title"))
    assert [graph["title"] for graph in data["graphs"]] == ["all clips, each counting the same", "one", "two"]
    self_samples = {}

    def walk(node):
        callees = node[2] if len(node) > 2 else []
        name, place, _ = data["names"][node[0]]
        own = node[1] - sum(callee[1] for callee in callees)
        self_samples[name, place] = self_samples.get((name, place), 0) + own
        for callee in callees:
            walk(callee)

    walk(data["graphs"][1]["root"])
    assert self_samples["satd", "set_numba"] == 100 * self_time(FOLDED)["set_numba.satd"]
    assert self_samples["encode_tile", "tile.walk"] == 30


def test_a_name_cannot_end_the_page_s_script():
    page = flame.flame_page(set_profiles([stacks("one", {"</script><b>;x": 3})]), "title")
    assert "</script><b>" not in page
    assert ["</script><b>", "", 4] in data_of(page)["names"]


def test_the_picture_begins_where_the_stacks_part_and_labels_what_fits():
    (profile,) = set_profiles([stacks("one", {f"start;{stack}": count for stack, count in FOLDED.items()})])
    root = ET.fromstring(flame.flame_picture(profile))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert labels[0] == "main"
    assert {"encode_tile", "satd", "write"} <= set(labels)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "satd (set_numba), 60.0 %" in titles


def test_a_profile_with_a_single_stack_has_a_picture():
    (profile,) = set_profiles([stacks("one", {"a;b;c": 3})])
    assert "c, 100.0 %" in flame.flame_picture(profile)
