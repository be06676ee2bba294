"""Source with samples beside its lines: which text, which lines, what was inlined, and what is said where it is missing."""

import pytest
from hypothesis import given

from workbench.analysis.folded import function_times, parse_frame, without_threads
from workbench.report.document import Document, Listing, Note, Section
from workbench.report.html_page import html_page
from workbench.report.markdown import markdown
from workbench.report.source_view import source_blocks, source_views

from .sampled import run, write_sources
from .stacks_drawn import stacks

SOURCE = '''"""A module."""
import functools


def helper(x):
    return x + 1


class Walk:
    @functools.cache
    def step(self):
        y = helper(1)
        return y


def step():
    z = 3

    return helper(z)
'''
FOLDED = {
    "thread main;main (m.py:1);step (work.py:12);helper [inlined] (work.py:6)": 30,
    "thread 2;step (work.py:12)": 10,
    "thread 2;step (work.py:13)": 5,
    "thread 2;step (work.py:13);step (work.py:13)": 5,
    "thread 2;helper (work.py:6)": 7,
    "thread 2;helper (work.py)": 3,
}


@pytest.fixture
def folder(tmp_path):
    """A folder with work.py."""
    (tmp_path / "work.py").write_text(SOURCE)
    return tmp_path


def views_of(folded, *roots):
    """The views by function."""
    return {view.text.function: view for view in source_views(folded, 8, roots)}


def test_the_function_that_ran_is_found_with_its_decorator_and_its_lines(folder):
    step = views_of(FOLDED, folder)["step"]
    assert step.text.first == 10
    assert step.text.lines == (
        "    @functools.cache",
        "    def step(self):",
        "        y = helper(1)",
        "        return y",
    )
    assert {line: (time.own, time.total) for line, time in step.times.items()} == {12: (10, 40), 13: (10, 10)}
    assert (step.own, step.total, step.samples) == (20, 50, 60)


def test_inlined_code_is_named_beside_its_call_and_counts_in_its_own_source(folder):
    views = views_of(FOLDED, folder)
    assert views["step"].times[12].callees == {("helper", True): 30}
    helper = views["helper"]
    assert (helper.times[6].own, helper.times[0].own) == (37, 3)
    assert helper.text.lines == ("def helper(x):", "    return x + 1")
    listing = [block for block in source_blocks([helper]) if isinstance(block, Listing)]
    assert listing[0].note == "5.0 % more are of no known line."


def test_missing_and_changed_sources_are_said(folder):
    assert "no file m.py here" in views_of(FOLDED | {"main (m.py:1)": 1}, folder)["main"].text.missing
    beyond = views_of({"helper (work.py:99)": 1}, folder)["helper"].text
    assert beyond.missing == "work.py is not the version that ran: line 99 ran, it has 20"
    empty = views_of({"helper (work.py:6)": 9, "helper (work.py:7)": 1}, folder)["helper"].text
    assert empty.missing == "work.py is not the version that ran: line 7 ran, and holds no code"
    frozen = views_of({"find (<frozen importlib._bootstrap>:3)": 1}, folder)["find"].text
    assert frozen.missing == "<frozen importlib._bootstrap> is no file" and not frozen.lines
    (folder / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in views_of({"f (binary.py:1)": 1}, folder)["f"].text.missing
    (note,) = source_blocks(source_views({"f (binary.py:1)": 1}, 8, [folder]))
    assert isinstance(note, Note) and "No source to show" in note.text


def test_a_name_without_a_def_shows_the_lines_around(folder):
    text = views_of({"<module> (work.py:2)": 1}, folder)["<module>"].text
    assert (text.first, len(text.lines)) == (1, 4)
    (folder / "broken.py").write_text("def f(:\n  1\n  2\n")
    assert views_of({"f (broken.py:2)": 1}, folder)["f"].text.lines == ("def f(:", "  1", "  2", "")


def test_installed_packages_are_found_without_a_root():
    import json

    line = json.dumps.__code__.co_firstlineno
    text = views_of({f"dumps (json/__init__.py:{line + 40})": 1})["dumps"].text
    assert text.lines[0].startswith("def dumps(")


@given(stacks())
def test_lines_hold_the_functions_samples(folded):
    whole = {(time.function, time.path): time for time in function_times(folded)}
    for view in source_views(folded, 50):
        time = whole[view.text.function, view.text.path]
        assert sum(line.own for line in view.times.values()) == view.own == time.self_samples
        assert max(line.total for line in view.times.values()) <= view.total == time.total_samples
        assert sum(line.total for line in view.times.values()) >= view.total
        assert all(line.own <= line.total for line in view.times.values())


def test_every_hot_function_of_a_run_has_its_lines(tmp_path):
    folded = run(1).folded
    views = source_views(folded, 50, [write_sources(tmp_path)])
    assert len(views) > 10
    for view in views:
        if not view.text.path.startswith("encoder/"):
            continue
        assert not view.text.missing, view.text
        for line in view.times:
            name = parse_frame(f"{view.text.function} ({view.text.path})").bare
            assert view.text.lines[line - view.text.first].endswith(f"# <{name}>")
    assert views[0].own == max(time.self_samples for time in function_times(without_threads(folded)))


def test_the_section_of_a_report_shows_the_hot_lines_as_html_and_markdown(tmp_path):
    body = "\n".join(f"    a_{at} = {at} < {at + 1}" for at in range(2, 60))
    (tmp_path / "long.py").write_text(f"def f():\n{body}\n")
    blocks = source_blocks(source_views({"f (long.py:30)": 90, "f (long.py:31);g (long.py:1)": 10}, 1, [tmp_path]))
    document = Document("t", "s", (Section("a", "A", tuple(blocks)),))
    page, text = html_page(document), markdown(document)
    assert "<code>    a_30 = 30 &lt; 31</code>" in page and 'style="--share: 100.0%"' in page
    assert "  90.0   90.0    30      a_30 = 30 < 31" in text
    assert "     .   10.0    31      a_31 = 31 < 32" in text
    for shown in (page, text):
        assert shown.count("a_27") == 1 and "a_26" not in shown and "a_35" not in shown and "⋮" in shown
    assert "g 10.0 %" in page
