"""`workbench memory`: gates, comparisons, pages, and what it says of programs that it cannot look into."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.workbench_see import memory_programs as programs
from workbench.cli import main
from workbench.commands.memory import Size
from workbench.subject import is_compiled

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(word, ...) -> the finished command `workbench memory`, run in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: object) -> Result:
        return CliRunner().invoke(main, ["memory", *map(str, words)])

    return invoke


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the program that leaks."""
    folder = tmp_path_factory.mktemp("stored")
    path = programs.script(folder, programs.LEAKING, "leaking.py")
    words = ["memory", "--out", str(folder / "run"), "--json", str(folder / "run.json")]
    result = CliRunner().invoke(main, [*words, "--", sys.executable, str(path)])
    assert result.exit_code == 0, result.stderr
    return folder


def test_a_planted_leak_is_named_with_its_line(stored: Path) -> None:
    told = json.loads((stored / "run.json").read_text())
    side = told["sides"][0]
    leaks = {leak["place"]: leak for leak in side["leaks"]}
    line = programs.line_of(programs.LEAKING, "the planted leak")
    planted = next(leak for place, leak in leaks.items() if place.endswith(f"leaking.py:{line} remember"))
    assert planted["by"] == "block" and planted["stack"][0].endswith(f"leaking.py:{line} remember")
    assert planted["bytes_per_frame"] / planted["blocks_per_frame"] == pytest.approx(programs.BLOCK_BYTES, rel=0.01)
    assert len([leak for leak in leaks.values() if leak["blocks_per_frame"] > 0]) == 1
    assert told["schema"] == 1 and side["steady"]["frames"] is None and side["max_rss_bytes"] > 5 << 20


def test_a_page_loads_nothing_and_shows_the_curves(stored: Path) -> None:
    page = (stored / "run" / "memory.html").read_text()
    assert not re.search(r"(?:src|href)=\"(?!#)|@import|url\((?!#)", page)
    assert page.count("<svg") == 2 and "Blocks alive" in page and "Resident set" in page
    assert "remember" in (stored / "run" / "memory.md").read_text()
    assert (stored / "run" / "pictures" / "memory-live.svg").is_file()


def test_pages_are_remade_from_the_records(stored: Path) -> None:
    page = stored / "run" / "memory.html"
    before = page.read_text()
    page.write_text("lost")
    result = CliRunner().invoke(main, ["report", str(stored / "run")])
    assert result.exit_code == 0 and "Maximum resident set" in result.stdout
    assert page.read_text() == before


def test_two_versions_stand_on_one_plot(run: Run, stored: Path, tmp_path: Path) -> None:
    """A stored run and another program."""
    steady = programs.script(tmp_path, programs.STEADY, "steady.py")
    result = run("--against", stored / "run", "--json", "two.json", "--out", "two", "--", sys.executable, steady)
    assert result.exit_code == 0, result.stderr
    mine, other = json.loads(Path("two.json").read_text())["sides"]
    assert "leaking.py" in other["title"] and other["leaks"] and "steady.py" in mine["title"] and not mine["leaks"]
    picture = Path("two/pictures/memory-live.svg").read_text()
    assert picture.count("peak ") >= 4 and "steady.py" in picture and "leaking.py" in picture
    assert "Against " in result.stdout


def test_gates_set_the_exit_status_and_say_one_line_each(run: Run, stored: Path) -> None:
    words = ("--max-rss", "1MiB", "--no-leaks", "--out", "gated")
    result = run(*words, "--", sys.executable, stored / "leaking.py")
    assert result.exit_code == 1
    rss, leak = result.stderr.splitlines()
    assert re.fullmatch(r"workbench: --max-rss: the maximum resident set is \S+ MiB, 1.00 MiB are allowed", rss)
    assert re.match(r"workbench: --no-leaks: leak at .*leaking.py:6 remember: \S+ blocks? and \S+ KiB more", leak)


def test_gates_that_hold_say_nothing(run: Run, tmp_path: Path) -> None:
    path = programs.script(tmp_path, programs.STEADY)
    result = run("--max-rss", "2GiB", "--no-leaks", "-q", "--out", "held", "--", sys.executable, path)
    assert (result.exit_code, result.stderr, result.stdout) == (0, "", "")


def test_what_cannot_be_judged_is_no_pass(run: Run) -> None:
    result = run("--no-leaks", "--out", "short", "--", sys.executable, "-c", "pass")
    assert result.exit_code == 5 and "--no-leaks: Leaks: not to be told from" in result.stderr
    result = run("--max-allocations-per-frame", "9", "--", sys.executable, "-c", "pass")
    assert result.exit_code == 2 and "cannot look into a program" in result.stderr


def test_a_program_that_is_no_python_has_a_resident_set_alone(run: Run) -> None:
    result = run("--json", "sleep.json", "--out", "slept", "--", "sleep", "0.05")
    assert result.exit_code == 0
    side = json.loads(Path("sleep.json").read_text())["sides"][0]
    assert side["max_rss_bytes"] > 0 and side["steady"] is None
    assert any("allocations are counted of Python programs only; this one is /" in text for text in side["warnings"])
    assert "Python programs only" in Path("slept/memory.html").read_text()


def test_a_program_that_dies_by_a_signal_keeps_its_figures(run: Run) -> None:
    result = run("--out", "dead", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 11)")
    assert result.exit_code == 0 and "Maximum resident set" in result.stdout
    assert "the program ended: killed by signal 11 (SIGSEGV)" in " ".join(result.stdout.split())


def test_without_memray_the_rest_is_measured_and_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.instruments.memory.is_installed", lambda: False)
    path = programs.script(tmp_path, "pass")
    result = run("--out", "without", "--", sys.executable, path)
    assert result.exit_code == 0 and "memray is not installed" in result.stdout and "Maximum resident" in result.stdout
    result = run("--no-leaks", "--", sys.executable, path)
    assert result.exit_code == 5 and "pip install memray" in result.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--max-rss", "much"), 2, "'much' is no size; write bytes, or a number with KiB, MiB or GiB"),
        (("--sweep", "threads"), 2, "cannot look into a program"),
        (("--against", "--threads 2"), 2, "the subject is a program"),
        (("--against", ""), 2, "give options in quotes"),
        (("--against", "'"), 2, "No closing quotation"),
        (("--out", "file"), 2, "is a file; --out names a folder"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    (tmp_path / "file").touch()
    result = run(*words, "--", sys.executable, "-c", "pass")
    assert result.exit_code == status and said in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "reports").exists()


def test_nothing_is_measured_for_a_folder_that_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    result = run("--out", tmp_path / "no" / "where", "--", sys.executable, "-c", "pass")
    assert result.exit_code == 5 and "cannot be written: no right to write" in result.stderr
    assert not (tmp_path / "no").exists()


def test_results_are_not_overwritten_without_force(run: Run) -> None:
    words = ("--out", "kept", "--json", "kept.json", "--", sys.executable, "-c", "pass")
    assert run(*words).exit_code == 0
    first = run(*words)
    assert first.exit_code == 2 and "exists already" in first.stderr
    assert run("--force", *words).exit_code == 0


def test_a_run_of_another_verb_is_nothing_to_compare_with(run: Run, tmp_path: Path) -> None:
    from workbench.record import Record, RunWriter

    writer = RunWriter(tmp_path / "other", "profile", [], {})
    writer.write(Record("wall", "wall", "s", {}, (1.0,)))
    result = run("--against", tmp_path / "other", "--", sys.executable, "-c", "pass")
    assert result.exit_code == 2 and "is a run of `workbench profile`" in result.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("123456", 123456), ("300MiB", 300 << 20), ("1.5G", 3 << 29), ("2 KiB", 2048), ("2kb", 2000), ("1GB", 10**9), ("7B", 7),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e9", "3 XiB", "many"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no size"):
        Size().convert(text, None, None)


@pytest.mark.parametrize(
    ("kernels", "compiled"),
    [
        ("numba", True), ("simd,sad=numba", True),
        ("numba,sad=mine.py:sad", True), ("numba,sad=numpy", False), ("numpy", False), ("check:numba", False),
    ],
)  # fmt: skip
def test_compiled_sets_are_known_by_their_names(kernels: str, compiled: bool) -> None:
    assert is_compiled(kernels) is compiled


# --- our encoder ------------------------------------------------------------------------------------------------------

PLANTED = """
import numpy as np
from numba import types
from numba.extending import intrinsic


def sad_allocating(a, a_at, a_stride, b, b_at, b_stride, w, h):
    row = np.empty(w, np.int64)
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            row[x] = abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
        for x in range(w):
            total += row[x]
    return total


@intrinsic
def keep_for_ever(context, array):
    def generate(context, builder, signature, arguments):
        context.nrt.incref(builder, signature.args[0], arguments[0])
        return context.get_dummy_value()

    return types.void(array), generate


def sse_leaking(a, a_at, a_stride, b, b_at, b_stride, w, h):
    forgotten = np.empty(3, np.int64)
    keep_for_ever(forgotten)
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            difference = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
            total += difference * difference
    return total
"""


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_planted_allocations_and_leaks_in_kernels_are_named_exactly(
    run: Run, make_clip: Callable[..., Path], tmp_path: Path, compiled_kernels: None
) -> None:
    clip = make_clip(64, 64, 17)
    (tmp_path / "planted.py").write_text(PLANTED)
    kernels = "numba,sad=planted.py:sad_allocating,sse=planted.py:sse_leaking"
    gates = ("--no-leaks", "--max-allocations-per-frame", "1", "--max-rss", "10MiB")
    words = ("--kernels", kernels, "--json", "planted.json", "--out", "planted", *gates, "--against", "--kernels numba")
    result = run(clip, *words)
    assert result.exit_code == 1, result.stderr
    assert len(result.stderr.splitlines()) == 3
    planted, plain = json.loads(Path("planted.json").read_text())["sides"]
    by_name: dict[str, Any] = {one["name"]: one for one in planted["compiled"]["functions"]}
    sad, sse = by_name["sad (planted.py:sad_allocating)"], by_name["sse (planted.py:sse_leaking)"]
    assert sad["count"] > 0 and sse["count"] > 0
    assert not {one["name"] for one in plain["compiled"]["functions"]} & {"sad (planted.py:sad_allocating)"}
    inside = [leak for leak in planted["leaks"] if leak["by"] == "array"]
    assert [leak["place"] for leak in inside] == ["sse (planted.py:sse_leaking)"]
    assert inside[0]["blocks_per_frame"] == pytest.approx(sse["count"] / 64)
    assert not [leak for leak in plain["leaks"] if leak["by"] == "array"]
    # memray counts the same allocations from outside: what one version has more is what was planted.
    more = planted["steady"]["count"] - plain["steady"]["count"]
    assert more == pytest.approx(sad["count"] + sse["count"], rel=0.01)
