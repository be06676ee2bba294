"""`workbench compare` from the command line: bad input in one line, partial results kept, statuses."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import cli
from workbench.analysis.compared import parts_of
from workbench.instruments import kernel_side
from workbench.record import read_run
from workbench.subject import Encoder

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """run(words...) -> exit status, standard output, standard error of `workbench compare`."""

    def compare(*words: object, verb: str = "compare") -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, *map(str, words)])
        seen = capsys.readouterr()
        return int(str(ended.value.code)), seen.out, seen.err

    return compare


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "takes two sides"),
        (("numba",), 2, "takes two sides"),
        (("numba", "numpy", "python"), 2, "takes two sides"),
        (("fast", "numba"), 2, "no kernel set"),
        (("numba", "numba", "--kernel", "nope"), 2, "no such slot"),
        (("numba", "numba", "--pairs", "5"), 2, "too few for any verdict"),
        (("numba", "numba", "--margin", "x"), 2, "write 2% or 0.02"),
        (("numba", "numba", "--fail-if-slower", "200%"), 2, "not between 0 and 100 %"),
        (("numba", "cmd:cp {clip} {out}", "--kernel", "sad"), 2, "no kernels that we know"),
        (("numba", "cmd:nosuchencoder {clip} {out}"), 5, "no program 'nosuchencoder'"),
        (("numba", "rev:nope"), 2, "rev:"),
        (("numba", "."), 2, "no stored run"),
        (("numba", "numba"), 2, "no corpus at corpus"),
        (("numba", "numba", "--clip", "nothere.y4m"), 2, "nothere.y4m"),
        (("--a", "--speed 99", "--b", "", "--clip", "nothere.y4m"), 2, "99"),
        (("--a", "'", "--b", ""), 2, "no corpus"),
        (("numba", "numba", "--json", "nofolder/found.json"), 2, "there is no folder nofolder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    run: Run, words: tuple[str, ...], status: int, said: str, own_folders: Path
) -> None:
    found, out, err = run(*words)
    assert (found, out) == (status, "")
    assert said in err and err.count("\n") == 1
    assert not (own_folders / "reports").exists()


def test_a_kernel_against_itself(run: Run, own_folders: Path) -> None:
    words = ("numpy", "numpy", "--kernel", "sse", "--case", "4x4-*", "--seconds", 6, "--seed", 5)
    status, out, _ = run(*words, "--json", "found.json", "--out", "here")
    found = json.loads((own_folders / "found.json").read_text())
    assert {"schema", "verdict", "ratio", "interval", "pairs", "seconds", "outputs_identical", "predicted_gain"} <= set(
        found
    )
    assert found["schema"] == 1
    assert found["verdict"] in ("SAME", "UNDECIDED")
    assert status in (0, 3, 5)
    assert out.startswith("A  numpy\nB  numpy\n")
    assert set(found["controls"]) == {"aa", "planted"}
    [part] = parts_of(read_run(own_folders / "here").records)
    assert part.verdict.ratio == pytest.approx(found["ratio"])
    assert part.about["seed"] == 5
    assert found["kernels"][0]["log_ratios"] == pytest.approx(part.log_ratios())
    assert run(*words, "--out", "here")[0] == 2  # holds a run already


def test_a_kernel_that_differs_is_not_timed(run: Run, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folders / "mine.py").write_text("def wrong(a, a_at, a_stride, b, b_at, b_stride, w, h):\n    return w\n")
    monkeypatch.setattr(kernel_side, "PROCESSES", 0)
    status, out, err = run(
        "numpy", "numpy,sse=mine.py:wrong", "--kernel", "sse", "--json", "found.json", "--junit", "found.xml"
    )
    assert (status, out) == (4, "")
    found = json.loads((own_folders / "found.json").read_text())
    assert found["failure"]["status"] == 4 and found["outputs_identical"] is False
    assert '<failure message="sse of numpy' in (own_folders / "found.xml").read_text()
    assert not (own_folders / "reports").exists()
    assert "sse of numpy,sse=mine.py:wrong differs from the reference, so no speed is given" in err


@pytest.fixture
def clip(make_clip: Callable[..., Path], fake_encoder: Encoder) -> Path:
    """A small clip, and a stand-in that encodes it."""
    return make_clip(80, 66, 3)


def test_encodes_with_too_little_time_are_undecided_and_of_threads_wall_time_is_compared(
    run: Run, clip: Path, own_folders: Path
) -> None:
    words = ("numba", "numba", "--clip", clip, "--threads", 2, "--seconds", 2, "--out", "here", "--json", "found.json")
    status, out, err = run(*words)
    assert status == 3, err
    found = json.loads((own_folders / "found.json").read_text())
    assert found["outputs_identical"] is True
    assert found["clips"][0]["name"] == "clip"
    said = "more pairs would" if found["pairs"] else "there was no time for a single pair: give more --seconds"
    assert "UNDECIDED" in out and said in out
    [part] = parts_of(read_run(own_folders / "here").records)
    assert found["clips"][0]["metric"] == part.metric == "wall" and part.about["threads"] == 2
    assert part.about["at_once"] is None and part.about["not_at_once"] == "the time on the clock is compared"
    assert all("--threads 2" in command for command in part.about["commands"])
    pairs = [(block.samples["A"], block.samples["B"]) for block in part.blocks if block.counts]
    assert found["clips"][0]["log_ratios"] == pytest.approx([math.log(b.wall_s / a.wall_s) for a, b in pairs])
    assert not any("waited" in (block.disturbed or "") for block in part.blocks)  # for each other


def test_one_at_a_time_is_recorded(run: Run, clip: Path, own_folders: Path) -> None:
    words = ("numpy", "numpy", "--clip", clip, "--one-at-a-time", "--no-predict", "--seconds", 2, "--out", "here")
    status, out, err = run(*words)
    assert status == 3, err
    [part] = parts_of(read_run(own_folders / "here").records)
    assert part.about["at_once"] is None and part.about["not_at_once"] == "as asked"
    assert "one after the other (as asked)" in out or "no time for a single pair" in out


def test_other_streams_are_refused_unless_allowed(run: Run, clip: Path) -> None:
    other = f'cmd:{sys.executable} -c \'import shutil; shutil.copy("{clip}.ivf", "{{out}}")\' {{clip}}'
    make = [sys.executable, "-m", "encoder", str(clip), "-o", f"{clip}.ivf", "--limit", "2", "-q", "-y"]
    from workbench import sides

    subprocess.run(make, check=True, env=os.environ | dict(sides.our_encoder().environment))
    status, out, err = run("numpy", other, "--clip", clip, "--seconds", 2)
    assert (status, out) == (4, "")
    assert "A shows 3 frames of 80x66, B 2 of 80x66" in err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interruption_keeps_the_pairs_so_far(
    own_folders: Path, process_environment: dict[str, str], number: int
) -> None:
    words = (
        "numpy",
        "numpy",
        "--kernel",
        "sse",
        "--case",
        "4x4-*",
        "--pairs",
        "1000",
        "--seconds",
        "300",
        "--margin",
        "0.0001%",
    )
    command = [sys.executable, "-m", "workbench", "compare", *words, "--out", "here"]
    environment = process_environment | {"PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(
        command, cwd=own_folders, env=environment, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    records = own_folders / "here" / "records.jsonl"
    until = time.monotonic() + 100
    while time.monotonic() < until and (not records.exists() or records.read_text().count('"block"') < 4):
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: the pairs so far" in out
    run = read_run(own_folders / "here")
    assert (run.end or {})["status"] == "interrupted"
    assert len(parts_of(run.records)[0].log_ratios()) >= 2
    left = subprocess.run(["ps", "-o", "pid,ppid,args", "-e"], capture_output=True, text=True).stdout
    assert str(own_folders) not in left
    assert not [line for line in left.splitlines() if "kernel_worker" in line and f" {process.pid} " in line]


def test_doctor_says_what_the_machine_does(run: Run, own_folders: Path) -> None:
    status, out, _ = run("--only", "machine", "--json", "doctor.json", verb="doctor")
    assert status == 0
    state = json.loads((own_folders / "doctor.json").read_text())["machine"]
    assert {"governor", "mhz", "load_average", "pressure", "steal", "busy"} <= set(state)
    for word in ("governor", "frequency", "load", "pressure", "steal"):
        assert word in out
    assert not (own_folders / "reports").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kernel", "nope"), "no such slot"),
        (("--pairs", 9), "not in the range"),
        (("--tries", 3), "--tries: is for --prove"),
        (("--only", "encode"), "no corpus at corpus"),
        (("--only", "encode", "--clip", "nothere.y4m"), "nothere.y4m"),
        (("--json", "nofolder/doctor.json"), "there is no folder nofolder"),
        (("--replay", "nothere.json"), "nothere.json"),
    ],
)
def test_doctor_refuses_bad_input_in_one_line(
    run: Run, words: tuple[object, ...], said: str, own_folders: Path
) -> None:
    status, out, err = run(*words, verb="doctor")
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1
    assert not (own_folders / "reports").exists()


def test_doctor_replays_recorded_noise(run: Run, own_folders: Path) -> None:
    import numpy as np

    times = 0.07 * np.exp(0.01 * np.random.RandomState(1).standard_normal(250))
    (own_folders / "noise.json").write_text(json.dumps([[wall * 1.1, wall] for wall in times]))
    status, out, _ = run("--replay", "noise.json", verb="doctor")
    assert status == 0
    assert "ours" in out and "Welch" in out and "Mann-Whitney" in out
