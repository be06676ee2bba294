"""`workbench kernels`: the table listed, sets held against the reference, kernels timed only when they are right."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from encoder.kernels.table import SLOTS
from workbench import cli
from workbench.commands import kernels as verb
from workbench.commands.common import kernel_sets
from workbench.errors import InputError
from workbench.instruments import micro
from workbench.record import read_run

Run = Callable[..., tuple[int, str, str]]

MINE = '''
import numpy as np

def right(a, a_at, a_stride, b, b_at, b_stride, w, h):
    """Right, by whole arrays."""
    total = 0
    for y in range(h):
        row_a = a[a_at + y * a_stride : a_at + y * a_stride + w].astype(np.int64)
        row_b = b[b_at + y * b_stride : b_at + y * b_stride + w].astype(np.int64)
        total += np.abs(row_a - row_b).sum()
    return total

def off_by_one(a, a_at, a_stride, b, b_at, b_stride, w, h):
    return right(a, a_at, a_stride, b, b_at, b_stride, w, h) + (w == 32)

def writes(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = right(a, a_at, a_stride, b, b_at, b_stride, w, h)
    a[a_at - 1] ^= 1
    return total
'''

CRASHES = """
import ctypes
from numba import njit

abort = ctypes.CDLL(None).abort
abort.argtypes, abort.restype = (), None

@njit
def crashes(a, a_at, a_stride, b, b_at, b_stride, w, h):
    abort()
    return w

@njit
def hangs(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = 1
    while total != 0:
        total = total % 7 + 1
    return total
"""


@pytest.fixture
def workbench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """workbench(argument, ...) -> exit status, standard output, standard error; run in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.main(["kernels", *arguments])
        said = capsys.readouterr()
        return int(exit_.value.code or 0), said.out, said.err

    return run


def test_every_slot_is_listed_with_its_contract(workbench: Run, tmp_path: Path) -> None:
    status, output, _ = workbench("list", "--json", "slots.json")
    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == list(SLOTS)
    rows = {row["slot"]: row for row in json.loads((tmp_path / "slots.json").read_text())["slots"]}
    assert rows["sad"]["contract_in_short"] == "-> sum of absolute differences."
    assert rows["sad"]["signature"].count("uint8[]") == 2
    assert all({"python", "numpy"} <= set(row["sets"]) for row in rows.values())


def test_a_slot_is_shown_with_its_whole_contract(workbench: Run) -> None:
    status, output, _ = workbench("list", "--slot", "cdef_filter")
    assert status == 0 and "CDEF filter of one block (spec 7.15.3)" in output and "uint16[]" in output
    assert "either strength may be 0" in output


def test_a_right_set_is_equal(workbench: Run) -> None:
    status, output, complaint = workbench("check", "--kernels", "numpy", "--slot", "sad", "--slot", "variance")
    assert (status, complaint) == (0, "")
    *verdicts, empty, again = output.splitlines()
    assert [line.split()[:3] for line in verdicts] == [["sad", "numpy", "equal"], ["variance", "numpy", "equal"]]
    assert (empty, again) == ("", "again: workbench kernels check --kernels numpy --slot sad --slot variance")


@pytest.mark.parametrize(
    ("function", "difference"),
    [
        ("off_by_one", "sad-32x32-random-random: returned value is "),
        ("writes", "an input, not to be written"),
    ],
)
def test_a_wrong_kernel_is_found_and_placed(workbench: Run, tmp_path: Path, function: str, difference: str) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    spec = f"numpy,sad=mine.py:{function}"
    status, output, complaint = workbench("check", "--kernels", spec, "--slot", "sad", "--json", "checked.json")
    assert status == 4 and "sad" in output and "differs" in output
    assert complaint.startswith(f"workbench: 1 of 1 kernels differ from the python set, first sad of {spec}: sad-")
    assert complaint.count("\n") == 1
    differences = json.loads((tmp_path / "checked.json").read_text())["checked"][0]["differences"]
    assert any(difference in each for each in differences)


@pytest.mark.parametrize(
    ("function", "timeout_s", "difference"),
    [
        ("crashes", 60.0, "the process was killed by signal 6 (SIGABRT)"),
        pytest.param("hangs", 12.0, "was still running after 12.0 s", marks=pytest.mark.slow),
    ],
)
def test_a_kernel_that_takes_the_process_with_it_is_named(
    workbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, timeout_s: float, difference: str
) -> None:
    monkeypatch.setattr(verb, "_CHECK_TIMEOUT_S", timeout_s)
    (tmp_path / "mine.py").write_text(CRASHES)
    spec = f"numpy,sad=mine.py:{function}"
    status, output, _ = workbench("check", "--kernels", spec, "--slot", "sse", "--slot", "sad", "--slot", "variance")
    assert status == 4
    verdicts = {line.split()[0]: line for line in output.splitlines() if line[:1].strip()}
    assert "differs" in verdicts["sad"] and "equal in" in verdicts["sse"] and "equal in" in verdicts["variance"]
    assert difference in output


def test_a_kernel_is_timed_on_the_cases_it_is_checked_on(
    workbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro, "PROCESSES", 1)
    (tmp_path / "mine.py").write_text(MINE)
    sets = "numpy,sad=mine.py:off_by_one,numpy"
    where = ("--case", "8x8-random-*", "--json", "bench.json", "--out", "kept")
    status, output, complaint = workbench("bench", "--kernels", sets, "--slot", "sad", *where)
    assert status == 4 and "first sad of numpy,sad=mine.py:off_by_one" in complaint  # the wrong one is not timed
    (benchmark,) = json.loads((tmp_path / "bench.json").read_text())["benchmarks"]
    assert (benchmark["slot"], benchmark["kernels"], len(benchmark["values_s"])) == ("sad", "numpy", micro.VALUES)
    assert 1e-7 < benchmark["median_s"] < 1e-2
    (record,) = read_run(tmp_path / "kept").records
    assert record.values == tuple(benchmark["values_s"]) and record.data["cases"] >= 1
    assert output.startswith("sad ") and " ± " in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--kernels", "numpi", "--slot", "sad"], "there is no set 'numpi'; sets are: python, numpy, numba"),
        (["check", "--slot", "sda"], "there is no slot 'sda'; slots are: predict_dc"),
        (["check", "--kernels", "numpy,sad=no.py:f", "--slot", "sad"], "there is no file no.py"),
        (["bench", "--slot", "sad", "--case", "9x9*"], "no case of sad is like that; it has 4x4-random-random"),
        (["list", "--json", "there.json"], "there.json: exists already and is not overwritten"),
    ],
)
def test_bad_input_is_one_clear_line(workbench: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "there.json").write_text("{}")
    status, output, complaint = workbench(*arguments)
    assert (status, output) == (2, "")
    assert complaint.startswith("workbench: ") and message in complaint and complaint.count("\n") == 1


def test_sets_are_told_from_overrides() -> None:
    assert kernel_sets("numba,satd=mine.py:f,sad=numpy,numpy") == ("numba,satd=mine.py:f,sad=numpy", "numpy")
    assert kernel_sets("numba, numba") == ("numba",)
    for text in ("", "numba,,numpy", "satd=mine.py:f"):
        with pytest.raises(InputError, match="give SET"):
            kernel_sets(text)
