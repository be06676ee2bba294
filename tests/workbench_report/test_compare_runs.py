"""Two runs: planted changes are found, none is found where none is, and what cannot be compared is said."""

import re

import pytest

from workbench.analysis.compare_runs import ALLOCATIONS, BYTES, MAX_RSS, PSNR, TIME, compare_runs
from workbench.analysis.findings import findings
from workbench.record import read_run
from workbench.report.comparison_page import comparison_document, comparison_sentences
from workbench.report.html_page import html_page
from workbench.report.markdown import markdown

from .synthetic import build_run


@pytest.fixture
def run(tmp_path):
    """run(name, ...) -> the findings of a built run without its slow steps."""

    def build(name, **options):
        options = {"clips": ("pan", "text"), "without": ("select", "spans", "stacks", "tiles")} | options
        return findings(read_run(build_run(tmp_path / name, **options)))

    return build


@pytest.mark.parametrize(
    ("scale", "word"),
    [(0.8, "faster"), (0.9, "faster"), (1.0, "same"), (1.02, "same"), (1.15, "slower"), (1.4, "slower")],
)
def test_a_planted_change_of_time_gets_its_word(run, scale, word):
    comparison = compare_runs(run("old"), run("new", seed=2, scale=scale))
    assert {change.word for change in comparison.of(TIME)} == {word}
    overall = next(one for one in comparison.overall if one.quantity is TIME)
    assert overall.word == word
    assert overall.ratio == pytest.approx(scale, abs=0.02)
    assert overall.interval.low < overall.ratio < overall.interval.high


def test_equal_programs_are_never_called_faster_or_slower(run):
    words = [
        change.word
        for seed in range(2, 22)
        for change in compare_runs(run(f"a{seed}", seed=seed), run(f"b{seed}", seed=99 - seed)).of(TIME)
    ]
    assert set(words) == {"same"}


def test_noise_around_the_margin_is_unclear(run):
    comparison = compare_runs(run("old"), run("new", seed=2, scale=1.05))
    for change in comparison.of(TIME):
        assert change.interval.low < 1.05 < change.interval.high
        assert change.word == "unclear"


def test_a_single_repetition_is_unclear(run):
    comparison = compare_runs(run("old", repetitions=1), run("new", repetitions=1, scale=0.5))
    assert {change.word for change in comparison.of(TIME)} == {"unclear"}
    assert all(change.interval is None for change in comparison.of(TIME))


def test_bytes_quality_and_allocations_are_compared_exactly(run):
    comparison = compare_runs(run("old"), run("new", bytes_scale=1.01))
    assert {change.word for change in comparison.of(BYTES)} == {"larger"}
    assert {change.word for change in comparison.of(PSNR)} == {"same"}
    assert {change.word for change in comparison.of(ALLOCATIONS)} == {"same"}
    assert {change.word for change in comparison.of(MAX_RSS)} == {"same"}


def test_other_machine_or_packages_are_warned_of(run):
    comparison = compare_runs(
        run("old"), run("new", machine={"cpu": "Other", "packages_hash": "x", "load_average": [9, 9, 9]})
    )
    said = "\n".join(comparison.warnings)
    assert "machines differ" in said
    assert "cpu: Example Processor 9000 @ 2.60GHz before, Other now" in said
    assert "lists of installed packages differ" in said
    assert "load" not in said


def test_equal_machines_are_not_warned_of_but_equal_sources_are(run):
    assert compare_runs(run("old"), run("new", sources="another")).warnings == ()
    assert "same encoder sources" in compare_runs(run("same"), run("sources")).warnings[0]


def test_streams_of_other_lengths_and_other_quantizers_are_not_compared(run, tmp_path):
    old = run("old", clips=("pan",))
    folder = build_run(
        tmp_path / "new", clips=("pan",), sources="another", without=("select", "spans", "stacks", "tiles")
    )
    path = folder / "records.jsonl"
    whole = path.read_text()
    path.write_text(re.sub(r'("metric": "(?:bytes|psnr_y|decodes)".*?"frames": )8', r"\g<1>6", whole))
    comparison = compare_runs(old, findings(read_run(folder)))
    assert {change.quantity for change in comparison.changes} == {TIME, MAX_RSS, ALLOCATIONS}
    assert comparison.warnings == ("pan: frames 8 before, 6 now; not compared: bytes, PSNR of luma",)
    # Of fewer frames the key frame is a larger part, so that their mean time is another one.
    path.write_text(re.sub(r'("metric": "time_per_frame".*?"frames": )8', r"\g<1>6", whole))
    comparison = compare_runs(old, findings(read_run(folder)))
    assert comparison.warnings == ("pan: frames 8 before, 6 now; not compared: time per frame",)
    path.write_text(whole.replace('"quantizer": 100', '"quantizer": 90'))
    comparison = compare_runs(old, findings(read_run(folder)))
    assert comparison.changes == ()
    assert "pan: quantizer 100 before, 90 now; not compared: time per frame" in comparison.warnings[0]


def test_clips_on_one_side_and_unfinished_runs_are_said(run):
    old, new = run("old", clips=("pan", "water")), run("new", clips=("pan", "text"), end="interrupted")
    comparison = compare_runs(old, new)
    assert [one.clip for one in comparison.only_old] == ["water"]
    assert [one.clip for one in comparison.only_new] == ["text"]
    assert {change.subject.clip for change in comparison.changes} == {"pan"}
    text = markdown(comparison_document(comparison, old, new))
    assert "Only in the old run, not compared: water (numba)." in text
    assert "the new run did not finish (interrupted)" in text.lower()


def test_kernel_sets_are_compared_with_themselves(run):
    old = run("old", clips=("pan",), kernels=("numba", "numpy"))
    comparison = compare_runs(old, run("new", clips=("pan",), kernels=("numba", "numpy"), seed=3))
    assert [(one.kernels, one.word) for one in comparison.overall if one.quantity is TIME] == [
        ("numba", "same"),
        ("numpy", "same"),
    ]


def test_nothing_in_common_is_said_and_not_an_error(run):
    old, new = run("old", clips=("pan",)), run("new", clips=("text",))
    comparison = compare_runs(old, new)
    assert comparison_sentences(comparison) == [
        "The two runs have no clip and kernel set in common: there is nothing to compare."
    ]
    assert "nothing to compare" in markdown(comparison_document(comparison, old, new))


def test_the_page_shows_each_change_with_its_interval(run):
    old, new = run("old"), run("new", scale=0.8, bytes_scale=1.01)
    comparison = compare_runs(old, new)
    page = html_page(comparison_document(comparison, old, new))
    assert page.count('class=" good">faster<') == 2
    assert page.count('class=" bad">larger<') == 2
    assert "What this comparison cannot tell" in page
