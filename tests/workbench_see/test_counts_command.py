"""`workbench counts` as a command: its files, its JSON, and one line for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.cli import main
from workbench.commands import counts as command
from workbench.errors import EnvironmentFault
from workbench.instruments import calls as calls_instrument
from workbench.instruments import counts as counts_instrument
from workbench.instruments import hardware as hardware_instrument
from workbench.subject import Subject

from .counted_records import calls, hardware, instructions, run


def workbench(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error of a command line."""
    with pytest.raises(SystemExit) as ended:
        main.main([str(word) for word in words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def clip(make_clip: Callable[..., Path]) -> Path:
    return make_clip(64, 48, 20)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Subject]]:
    """The instruments, replaced; what they were asked for. A kernel set with an override costs more."""
    asked: list[tuple[str, Subject]] = []

    def count(subject: Subject, *_: object) -> object:
        asked.append(("instructions", subject))
        return instructions(sad=(8000, 8000) if "=" in subject.kernels else (4000, 4000))

    def count_calls(subject: Subject, *_: object) -> object:
        asked.append(("calls", subject))
        return calls()

    def count_hardware(subject: Subject, *_: object) -> object:
        asked.append(("hardware", subject))
        return hardware(None)

    monkeypatch.setattr(counts_instrument, "measure", count)
    monkeypatch.setattr(counts_instrument, "require_valgrind", lambda: "3.19.0")
    monkeypatch.setattr(calls_instrument, "measure", count_calls)
    monkeypatch.setattr(hardware_instrument, "measure", count_hardware)
    return asked


def test_everything_is_counted_and_kept(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    status, said, _ = workbench(capsys, "counts", clip, "--out", out, "--json", figures)
    assert status == 0 and "1,700 instructions a frame in compiled code" in said
    assert f"again: workbench counts {clip} --out {out} --json {figures}" in said
    assert [kind for kind, _ in measured] == ["instructions", "calls", "hardware"]
    assert all(subject.frames == command.DEFAULT_FRAMES for _, subject in measured)
    assert {path.name for path in out.iterdir()} == {"records.jsonl", "counts.html", "counts.md"}
    told = json.loads(figures.read_text())
    assert told["schema"] == command.SCHEMA and told["sides"][0]["frames"] == 10
    assert told["sides"][0]["instructions"]["values"] == [17000.0, 17000.0]
    assert told["sides"][0]["calls"]["slots"]["sad"]["calls"] == [[8, 8, 30], [16, 16, 10]]
    assert told["sides"][0]["hardware"]["events"]["cycles"] is None


def test_two_sides_are_compared(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    words = ("counts", clip, "--frames", 3, "--only", "instructions", "--out", tmp_path / "out", "--json", figures)
    status, said, _ = workbench(capsys, *words, "--against", "simd,sad=mine.py:sad")
    assert status == 0 and "kernel slots that changed: sad" in said
    assert [(subject.kernels, subject.frames) for _, subject in measured] == [
        ("simd", 3),
        ("simd,sad=mine.py:sad", 3),
    ]
    compared = json.loads(figures.read_text())["comparison"]["instructions_per_frame"]
    assert [(each["name"], each["ratio"]) for each in compared if each["differs"]] == [
        ("all compiled code", pytest.approx(21 / 17)),
        ("sad", 2.0),
    ]


@pytest.mark.parametrize(
    ("other", "kernels", "speed"),
    [("numpy", "numpy", None), ("--speed 6", "simd", 6), ("OTHER --kernels numpy", "numpy", None)],
)
def test_what_stands_for_the_other_side(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str],
    other: str, kernels: str, speed: int | None,
) -> None:  # fmt: skip
    words = (
        "counts",
        clip,
        "--only",
        "calls",
        "--out",
        tmp_path / "out",
        "--against",
        other.replace("OTHER", str(clip)),
    )
    assert workbench(capsys, *words)[0] == 0
    assert (measured[1][1].kernels, measured[1][1].speed) == (kernels, speed)


def test_a_stored_run_is_the_other_side(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "stored", [instructions(sad=(2000, 2000)), calls()])
    words = ("counts", clip, "--out", tmp_path / "out", "--against", tmp_path / "stored")
    status, said, _ = workbench(capsys, *words)
    assert status == 0 and len(measured) == 3 and "stored" in said and "-11.8 % instructions" in said


def test_of_an_interpreted_set_calls_alone_are_counted(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, complaint = workbench(capsys, "counts", clip, "--kernels", "python", "--out", tmp_path / "out")
    assert status == 0 and [(kind, subject.frames) for kind, subject in measured] == [("calls", 3)]
    assert "interpreted" in complaint and "--only instructions" in complaint


def test_hardware_that_cannot_be_asked_is_a_smaller_result(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def refuse(*_: object) -> None:
        raise EnvironmentFault("perf is not installed, hardware counters cannot be read")

    monkeypatch.setattr(hardware_instrument, "measure", refuse)
    status, said, complaint = workbench(capsys, "counts", clip, "--out", tmp_path / "one")
    assert status == 0 and "instructions a frame" in said and "perf is not installed" in complaint
    words = ("counts", clip, "--only", "hardware", "--out", tmp_path / "two")
    assert workbench(capsys, *words)[::2] == (5, "workbench: perf is not installed, hardware counters cannot be read\n")


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--only", "calls", "--", "true"], 2, "cannot look into a program (true)"),
        (["CLIP", "--against", "-- true"], 2, "a program and an encode have no functions in common"),
        (["--against", "--speed 6", "--", "true"], 2, "the subject is a program"),
        (["CLIP", "--against", "'"], 2, "No closing quotation"),
        (["CLIP", "--against", ""], 2, "--against ''"),
        (["CLIP", "--against", "FOLDER"], 2, "is a folder without records.jsonl"),
        (["none.y4m"], 2, "none.y4m"),
        (["CLIP", "--only", "times"], 2, "times"),
        (["CLIP", "--runs", "0"], 2, "--runs"),
    ],
)
def test_bad_input_is_one_line(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str],
    words: list[str], status: int, line: str,
) -> None:  # fmt: skip
    (tmp_path / "folder").mkdir()
    given = [word.replace("CLIP", str(clip)).replace("FOLDER", str(tmp_path / "folder")) for word in words]
    found, said, complaint = workbench(capsys, "counts", "--out", tmp_path / "out", *given)
    assert (found, said) == (status, "") and line in complaint and complaint.count("\n") == 1, complaint
    assert not (tmp_path / "out").exists()


def test_without_valgrind_it_says_so_and_writes_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counts_instrument.shutil, "which", lambda _: None)
    status, said, complaint = workbench(capsys, "counts", clip, "--out", tmp_path / "out")
    assert status == 5 and complaint.startswith("workbench: valgrind is not installed") and not said
    assert not (tmp_path / "out").exists()


def test_results_are_not_overwritten(
    clip: Path, tmp_path: Path, measured: list[tuple[str, Subject]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("counts", clip, "--only", "calls", "--out", tmp_path / "out", "--json", tmp_path / "a.json", "--quiet")
    assert workbench(capsys, *words) == (0, "", "")
    status, _, complaint = workbench(capsys, *words)
    assert status == 2 and "a.json: exists already" in complaint
    assert workbench(capsys, *words, "--force")[0] == 0
