"""Folded stacks: what a frame says, and that no grouping loses a sample; speedscope and text bring them back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis import folded as f
from workbench.analysis.folded import Recording, scripts_alike
from workbench.analysis.stack_tree import pruned, stack_tree
from workbench.errors import InputError
from workbench.report.folded_text import folded_text, read_folded
from workbench.report.speedscope import speedscope
from workbench.report.top_table import print_table, top_table

from .sampled import run
from .speedscope_rules import Invalid, judge
from .stacks_drawn import stacks


@pytest.mark.parametrize(
    ("text", "function", "path", "line", "label", "bare"),
    [
        ("walk (encoder/tile/walk.py:120)", "walk", "encoder/tile/walk.py", 120, "walk", "walk"),
        ("tile.walk.split (encoder/tile/walk.py:3)", "tile.walk.split", "encoder/tile/walk.py", 3, "split", "split"),
        ("set_numba.satd (a/set_numba/d.py:4)", "set_numba.satd", "a/set_numba/d.py", 4, "set_numba.satd", "satd"),
        ("set_numba.satd", "satd", "set_numba", 0, "satd", "satd"),
        ("user_kernels_a_py.f (a.py:1)", "user_kernels_a_py.f", "a.py", 1, "f", "f"),
        ("_row [inlined] (a/b (c)/x.py:12)", "_row", "a/b (c)/x.py", 12, "_row", "_row"),
        ("outer.<locals>.inner (x.py:2)", "outer.<locals>.inner", "x.py", 2, "outer.<locals>.inner", "inner"),
        ("<module> (<frozen os>:2)", "<module>", "<frozen os>", 2, "<module>", "<module>"),
        ("[libc.so.6] memcpy", "memcpy", "libc.so.6", 0, "memcpy", "memcpy"),
        ("[libx.so] a::b(int) (.cold)", "a::b(int) (.cold)", "libx.so", 0, "a::b(int) (.cold)", "a::b(int) (.cold)"),
        ("[unknown]", "[unknown]", "", 0, "[unknown]", "[unknown]"),
        ("thread main", "thread main", "", 0, "thread main", "thread main"),
        ("walk (a.py)", "walk", "a.py", 0, "walk", "walk"),
    ],
)
def test_what_a_frame_says(text, function, path, line, label, bare):
    frame = f.parse_frame(text)
    assert (frame.function, frame.path, frame.line, frame.label, frame.bare) == (function, path, line, label, bare)
    assert frame.inlined == ("[inlined]" in text)
    assert frame.native == text.startswith("[")


@given(stacks())
def test_no_grouping_loses_a_sample(folded):
    samples = sum(folded.values())
    assert sum(f.by_function(folded).values()) == samples
    assert sum(f.without_threads(folded).values()) == samples
    assert sum(f.added_up([folded, folded]).values()) == 2 * samples
    assert sum(time.self_samples for time in f.function_times(folded)) == samples


@given(stacks())
def test_the_view_by_line_collapses_to_the_view_by_function(folded):
    """Every box by function holds what the boxes by line of that function in that stack hold together."""

    def boxes(tree):
        found, paths = {}, [()]
        for node in range(1, len(tree)):
            paths.append((*paths[tree.parents[node]], f.without_line(tree.frames[node])))
        for path, own, total in zip(paths, tree.own, tree.totals(), strict=True):
            before = found.get(path, (0, 0))
            found[path] = (before[0] + own, before[1] + total)
        return found

    assert boxes(stack_tree(folded)) == boxes(stack_tree(f.by_function(folded)))


@given(stacks())
def test_totals_count_a_stack_once_and_hold_the_self_time(folded):
    samples = sum(folded.values())
    for time in f.function_times(folded):
        holding = [
            count
            for stack, count in folded.items()
            if (time.function, time.path) in {(p.function, p.path) for p in map(f.parse_frame, stack.split(";"))}
        ]
        assert time.total_samples == sum(holding)
        assert time.self_samples <= time.total_samples <= samples


@given(stacks(), st.integers(1, 8))
def test_a_pruned_tree_keeps_its_sum_and_its_largest_boxes(folded, most):
    whole = stack_tree(folded)
    small, limit = pruned(whole, most)
    assert sum(small.own) == sum(whole.own)
    assert len(small) <= max(most, 1)
    assert (limit == 0) == (len(whole) <= most)
    totals = dict(zip(_paths(whole), whole.totals(), strict=True))
    for path, total in zip(_paths(small), small.totals(), strict=True):
        assert total == totals[path]


def _paths(tree):
    paths = [()]
    for node in range(1, len(tree)):
        paths.append((*paths[tree.parents[node]], tree.frames[node]))
    return paths


@given(stacks())
def test_folded_text_comes_back(folded):
    assert read_folded(folded_text(folded)) == folded


def test_a_line_that_is_no_stack_is_named():
    with pytest.raises(InputError, match=r"old.txt: line 2 is 'no number'"):
        read_folded("a;b 3\nno number\n", "old.txt")


def test_a_deep_recursion_is_no_trouble():
    deep = ";".join(["thread main", *["again (x.py:3)"] * 5000])
    assert stack_tree({deep: 7}).totals()[0] == 7
    (again,) = f.function_times({deep: 7})
    assert (again.self_samples, again.total_samples) == (7, 7)


@given(stacks(), st.sampled_from([None, 997.0]))
def test_speedscope_files_keep_the_rules_and_bring_the_stacks_back(folded, rate_hz):
    file = json.loads(json.dumps(speedscope([Recording(folded, rate_hz=rate_hz)], "title"), allow_nan=False))
    judge(file)
    back = {}
    for profile in file["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] == pytest.approx(sum(profile["weights"]))
        assert profile["unit"] == ("seconds" if rate_hz else "none")
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True):
            frames = [file["shared"]["frames"][at] for at in stack]
            key = (profile["name"], *((each["name"], each.get("file"), each.get("line")) for each in frames))
            back[key] = back.get(key, 0) + weight * (rate_hz or 1)
    wanted = {}
    for stack, samples in folded.items():
        thread = f.thread_of(stack)
        frames = map(f.parse_frame, stack.split(";")[1 if thread else 0 :])
        named = ((p.label + " [inlined]" * p.inlined, p.path or None, p.line or None) for p in frames)
        key = (thread or "all threads", *named)
        wanted[key] = wanted.get(key, 0) + samples
    assert back == pytest.approx(wanted)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.pop("shared"),
        lambda file: file["profiles"][0].pop("weights"),
        lambda file: file["profiles"][0].update(unit="hours"),
        lambda file: file["profiles"][0].update(type="drawn"),
        lambda file: file["profiles"][0]["samples"].append("a;b"),
        lambda file: file["shared"]["frames"].append({"file": "a.py"}),
        lambda file: file["shared"]["frames"].append({"name": "a", "line": "3"}),
    ],
)
def test_speedscope_s_judge_sees_a_spoilt_file(spoil):
    file = speedscope([run(1)], "title")
    judge(file)
    spoil(file)
    with pytest.raises(Invalid):
        judge(file)


def test_speedscope_keeps_threads_and_runs_apart():
    names = [profile["name"] for profile in speedscope([run(1), run(2)], "title")["profiles"]]
    assert names == ["run 1 · thread main", "run 1 · thread 2", "run 2 · thread main", "run 2 · thread 2"]
    with pytest.raises(InputError, match="no run has a sample"):
        speedscope([Recording({})], "title")


def test_the_top_table_says_shares_and_shortens_only_words(capsys):
    import sys

    folded = {"thread main;main (m.py:1);f (long/path/of/a/file.py:2)": 60, "thread 2;main (m.py:1)": 40}
    table = top_table(folded)
    assert [[getattr(value, "text", value) for value in row] for row in table.rows] == [
        ["60.0", "60.0", "`f`", "long/path/of/a/file.py"],
        ["40.0", "100.0", "`main`", "m.py"],
    ]
    print_table(top_table({f"[{'x' * 200}.so] {'y' * 200}": 1}), sys.stdout)
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert head.startswith("self, %  total, %  function") and len(row) <= 120
    assert row.startswith("  100.0     100.0  yyy") and row.count("…") == 2


def test_two_scripts_are_compared_as_one_file():
    """The frames of both have the same names, so that what they share is one box and not one that went and one that came."""
    old = Recording({"thread main;<module> (old.py:9);f (old.py:2);g (cold.py:2)": 5}, script="old.py")
    new = Recording({"thread main;<module> (new.py:9);f (new.py:3)": 4}, script="new.py")
    (renamed,), names = scripts_alike([old], [new])
    assert list(renamed.folded) == ["thread main;<module> (new.py:9);f (new.py:2);g (cold.py:2)"]
    assert names == ("old.py", "new.py")
    for other in (old, replace(new, script="")):  # the same script, an encode
        assert scripts_alike([old], [other]) == ([old], None)
    assert scripts_alike([old, new], [new])[1] is None
