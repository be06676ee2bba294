"""`workbench flame`: the command line, on programs and on a stand-in encoder, and the example of the README."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workbench_see.watched_programs import BUSY, share, watch
from workbench.cli import main
from workbench.commands.flame import side_of
from workbench.commands.report import remake as report
from workbench.commands.target import parse_target
from workbench.errors import InputError
from workbench.report.folded_text import read_folded

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]

TWO_KERNELS = """
import time
import numpy as np
from numba import njit
@njit
def light(a):
    total = 0.0
    for i in range(a.size): total += a[i] * 1.5
    return total
@njit
def heavy(a):
    total = 0.0
    for i in range(a.size): total += (a[i] * a[i] + 1.0) / (a[i] + 2.0)
    return total
def work(seconds):
    a = np.arange(50_000.0)
    light(a), heavy(a)
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        for _ in range(20): light(a)
        heavy(a)
work(SECONDS)
"""


@pytest.fixture
def flame(tmp_path: Path, process_environment: dict[str, str]) -> Run:
    """flame(argument, ...) -> the finished `workbench flame`, run in a folder of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workbench", "flame", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=process_environment, capture_output=True, text=True, timeout=500
        )

    return run


@pytest.fixture
def in_process(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """in_process(argument, ...) -> exit status, standard output and standard error of `workbench flame`."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            main.main(["flame", *arguments])
        said = capsys.readouterr()
        return int(done.value.code or 0), said.out, said.err

    return run


@pytest.mark.slow
def test_the_readmes_example_shows_inlined_functions_and_lines(
    flame: Run, in_process: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """A kernel that is no part of this project."""
    script = next(re.finditer(r"```python\n(# julia\.py\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))[1]
    (tmp_path / "julia.py").write_text(script)
    done = flame("--out", "out", "--json", "out.json", "--", sys.executable, "julia.py")
    assert done.returncode == 0, done.stderr
    folded = read_folded((tmp_path / "out/folded.txt").read_text())
    inner = {
        stack for stack in folded if re.search(r";julia \(julia\.py:\d+\);steps \[inlined\] \(julia\.py:\d+\)$", stack)
    }
    assert len(inner) >= 2 and all(stack.startswith("thread main;<module> (julia.py:") for stack in inner)
    assert "julia.py" in done.stdout and "again: workbench flame --out out" in done.stdout
    figures = json.loads((tmp_path / "out.json").read_text())
    (run,) = figures["runs"]
    assert figures["schema"] == 1 and run["source"] == "sampler" and run["unnamed_share"] <= 0.02
    page, drawn = (tmp_path / "out/flame.html").read_text(), json.loads((tmp_path / "out/speedscope.json").read_text())
    assert (
        "steps" in page
        and "http" not in page.split("</style>")[0]
        and drawn["$schema"].startswith("https://www.speedscope")
    )
    status, _, complaint = in_process("--out", str(tmp_path / "out"), "--", sys.executable, "julia.py")
    assert status == 2 and "holds a run already" in complaint and complaint.count("\n") == 1
    status, said, _ = in_process("--out", str(tmp_path / "diff"), "--diff", *[str(tmp_path / "out")] * 2)
    assert status == 0 and "within noise" in said
    (tmp_path / "out/flame.html").unlink()
    remade = report(tmp_path / "out", quiet=True)
    assert remade["runs"] == figures["runs"] and (tmp_path / "out/flame.html").read_text() == page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "SUBJECT is missing"),
        (("one.y4m", "two.y4m"), "2 are given"),
        (("nothing.y4m",), "nothing.y4m: no such file"),
        (("--source", "gprof", "--", "true"), "'gprof' is not one of"),
        (("--diff", "numba", "numba"), "options need a video or clip"),
        (("--diff", ".", "numba", "x.y4m"), "x.y4m: no such file"),
        (("--seconds", "0", "--", "true"), "0.0 is not in the range"),
        (("--json", "none/a.json", "--", "true"), "there is no folder none"),
    ],
)
def test_bad_input_is_one_line(
    in_process: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    status, out, err = in_process(*arguments)
    assert status == 2 and said in err and err.count("\n") == 1 and not out and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (("true",), "none of its processes is a Python"),
        (("/nonexistent/program",), "cannot be started"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "not one sample"),
    ],
)
def test_programs_that_cannot_be_watched_are_one_line(flame: Run, program: tuple[str, ...], said: str) -> None:
    done = flame("--quiet", "--", *program)
    assert done.returncode == 5 and said in done.stderr and not done.stdout


def test_a_side_is_a_folder_a_kernel_set_options_or_a_program(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    base = parse_target(["--quantizer", "80", str(make_clip(64, 64, 2))])
    assert base.subject is not None and base.subject.quantizer == 80
    for text, field, value in (("numpy", "kernels", "numpy"), ("--speed 6 --threads 2", "speed", 6)):
        side = side_of(text, base)
        assert side.target is not None and side.target.subject is not None
        assert getattr(side.target.subject, field) == value and side.target.subject.quantizer == 80
    side = side_of("-- python 'a b.py' --fast", None)
    assert side.target is not None and side.target.program == ("python", "a b.py", "--fast")
    for text, said in ((str(tmp_path), "a folder without"), ("'", "No closing quotation"), ("", "an empty side")):
        with pytest.raises(InputError, match=said):
            side_of(text, base)


@pytest.mark.slow
def test_a_program_that_is_slower_is_the_coloured_one(flame: Run, tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(TWO_KERNELS.replace("SECONDS", "1.0"))
    twice = TWO_KERNELS.replace("        heavy(a)\n", "        heavy(a)\n        heavy(a)\n").replace("SECONDS", "1.0")
    (tmp_path / "new.py").write_text(twice)
    sides = [f"-- {sys.executable} {name}.py" for name in ("old", "new")]
    done = flame("--out", "out", "--json", "out.json", "--runs", "2", "--diff", *sides)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert {change["frame"].split(" (")[0] for change in figures["functions"] if change["verdict"] > 0} <= {"heavy"}
    assert len(json.loads((tmp_path / "out.json").read_text())["sides"]) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("perf")
def test_the_sampler_and_perf_agree_within_the_sampling_error(tmp_path: Path) -> None:
    """The same work through two samplers that have nothing in common but the names: the kernels' shares of compiled time
    differ by less than four standard errors."""
    shares, counts = [], []
    for source in ("sampler", "perf"):
        folder = tmp_path / source
        folder.mkdir()
        record = watch(folder, TWO_KERNELS.replace("SECONDS", "3.0"), source)
        light, heavy = share(record, "light"), share(record, "heavy")
        shares.append(heavy / (light + heavy))
        counts.append((light + heavy) * sum(record.values))
    p = sum(share * count for share, count in zip(shares, counts, strict=True)) / sum(counts)
    error = (p * (1 - p) * (1 / counts[0] + 1 / counts[1])) ** 0.5
    assert min(counts) > 100 and abs(shares[0] - shares[1]) < 4 * error + 0.01, (shares, counts)


@pytest.mark.slow
def test_py_spy_sees_the_same_functions(tmp_path: Path) -> None:
    record = watch(tmp_path, TWO_KERNELS.replace("SECONDS", "1.0"), "py-spy")
    assert record.data["source"] == "py-spy"
    assert share(record, "thread main", "<module>", "work", "heavy") > 0 and share(record, "work", "light") > 0


PTRACE, PERF_EVENT_OPEN, PROCESS_VM_READV = 101, 298, 310
# Becomes a program for which the kernel refuses these system calls, as a container may have it: a filter of seccomp(2).
REFUSING = """
import ctypes, os, struct, sys
refused, words = map(int, sys.argv[1].split(",")), sys.argv[2:]
load, equal, give = 0x20, 0x15, 0x06
steps = [(load, 0, 0, 0)]
for number in refused:
    steps += [(equal, 0, 1, number), (give, 0, 0, 0x00050001)]  # EPERM
code = b"".join(struct.pack("<HBBI", *step) for step in [*steps, (give, 0, 0, 0x7FFF0000)])
filter = ctypes.create_string_buffer(code, len(code))
program = struct.pack("<HxxxxxxQ", len(steps) + 1, ctypes.addressof(filter))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(words[0], words)
"""


@pytest.mark.parametrize(
    ("refused", "status", "said"),
    [
        ((PTRACE, PERF_EVENT_OPEN), 0, "by the sampler in the process, 250 Hz"),
        (
            (PTRACE, PERF_EVENT_OPEN, PROCESS_VM_READV),
            5,
            "does not let a process read its own stack (process_vm_readv: Operation not permitted); perf ",
        ),
    ],
)
def test_a_machine_that_forbids_tracing(
    refused: tuple[int, ...], status: int, said: str, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    """The sampler does it alone; where that too may not, one line says what each source lacks."""
    (tmp_path / "busy.py").write_text(BUSY + "busy(0.2)\n")
    flame = ["-m", "workbench", "flame", "--rate", "1000", "--out", "out", "--", sys.executable, "busy.py"]
    command = [sys.executable, "-c", REFUSING, ",".join(map(str, refused)), sys.executable, *flame]
    done = subprocess.run(command, cwd=tmp_path, env=process_environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    if status:
        assert done.stderr.count("\n") == 1 and said in done.stderr and "py-spy cannot watch" in done.stderr
        assert not (tmp_path / "out").exists()
    else:
        assert said in done.stdout and "1000 samples a second were asked for" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_profile_build_and_the_sampler_cost_little(flame: Run, tmp_path: Path) -> None:
    """Of the processor time of an encode, packets in random order; the page and the terminal say so."""
    corpus = ROOT / "corpus"
    words = ("--corpus", corpus, "--seconds", "1", "--overhead", "40", "--out", "out", "--json", "out.json", "pan")
    done = flame(*words)
    assert done.returncode == 0, done.stderr
    cost = json.loads((tmp_path / "out.json").read_text())["overhead"]
    print(cost)
    # The aim is 5 %, and with simd it is missed: 5.6 % (4.2 to 7.0, 1,339 pairs, nothing beside).
    assert cost["pairs"] > 20 and cost["interval"][0] <= 0.065 and cost["limit"] == 0.05
    said = "the profile build and the sampler cost"
    assert said in done.stdout and said in (tmp_path / "out/flame.html").read_text()
