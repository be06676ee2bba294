"""Programs and encodes under callgrind itself, and under perf stat: what they count, and what goes wrong."""

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import encoder.errors
from workbench.analysis.counts import compare_instructions, functions_of, slots_of, work_of
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.instruments import calls, counts, hardware
from workbench.record import Record
from workbench.subject import Subject, our_encoder

TIMEOUT_S = 900.0
STAND_IN = Path(__file__).parents[1] / "workbench_measure" / "fake"
PACKAGES = Path(encoder.errors.__file__).parents[1]
LOOP = "def spin(n):\n    total = 0\n    for i in range(n):\n        total = (total + 3) & 255\n    return total\nspin({})\n"
LONG_BODY = "\n".join(f"        total = (total ^ (i + {n})) * {2 * n + 3}" for n in range(60))  # too long to be inlined
KERNELS = f"""
import sys
from numba import njit

@njit
def inner(n):
    total = 0
    for i in range(n):
{LONG_BODY}
    return total

@njit
def outer(n):
    total = 0
    for i in range(7):
        total += inner(n + i)
    return total

print(outer(int(sys.argv[1])))
"""
ONCE_AND_EIGHT_TIMES = """
import numpy as np

def sad_once(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total

def sad_eight_times(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = np.int64(0)
    for again in range(8):
        for y in range(h):
            for x in range(w):
                total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total // 8
"""

needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind; apt-get install valgrind")


def count(folder: Path, *words: str, runs: int = 1) -> Record:
    folder.mkdir(exist_ok=True)
    return counts.measure_program(words, folder, TIMEOUT_S, runs)[0]


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


# --- programs ---------------------------------------------------------------------------------------------------------


@needs_valgrind
def test_any_program_is_counted_by_its_libraries_functions(tmp_path: Path) -> None:
    record = count(tmp_path, "true", runs=2)
    assert record.values[0] > 10_000 and record.data["spread_ppm"] <= 50
    assert {entry["kind"] for entry in record.data["functions"]} <= {"library", "unknown"}
    assert any(entry["name"].startswith("[ld-linux") for entry in record.data["functions"])
    assert any("no compiled function" in text for text in record.warnings)
    assert sum(entry["instructions"][0] for entry in record.data["functions"]) == record.values[0]


@needs_valgrind
@pytest.mark.slow
def test_python_is_counted_from_its_first_line(tmp_path: Path) -> None:
    """Twice the rounds of a loop cost as much again, to the instruction or nearly: start-up is no part of it."""
    once, twice, thrice = (count(tmp_path / str(n), *python(LOOP.format(20_000 * n))).values[0] for n in (1, 2, 3))
    assert (thrice - twice) / (twice - once) == pytest.approx(1, abs=1e-3)
    assert once < 4 * (twice - once)


@needs_valgrind
@pytest.mark.parametrize(
    "words",
    [
        ("sh", "-c", "kill -SEGV $$"),
        pytest.param(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), marks=pytest.mark.slow),
    ],
)
def test_a_program_that_dies_by_a_signal_is_counted_until_then(tmp_path: Path, words: tuple[str, ...]) -> None:
    record = count(tmp_path, *words)
    assert any("killed by signal 11 (SIGSEGV)" in text for text in record.warnings)
    assert any("compiled functions have no names" in text for text in record.warnings)


@needs_valgrind
@pytest.mark.slow
def test_a_program_that_forks_is_counted_without_its_children(tmp_path: Path) -> None:
    forks = "import os\nif not os.fork():\n    sum(range(10**6))\n    os._exit(0)\nos.wait()"
    record = count(tmp_path, *python(forks))
    assert any("1 process that it forked is not counted" in text for text in record.warnings)
    assert record.values[0] < 10**7  # the child alone takes more


@needs_valgrind
def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="no-such-program"):
        count(tmp_path, "no-such-program")


@needs_valgrind
def test_a_program_that_hangs(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="still running after"):
        counts.measure_program(("sleep", "60"), tmp_path, 2.0, 1)


@needs_valgrind
@pytest.mark.slow
def test_any_programs_compiled_functions_are_counted_to_the_instruction(tmp_path: Path) -> None:
    """Of a script that knows nothing of us, compiled as it runs: the compilation is not counted."""
    script = tmp_path / "script.py"
    script.write_text(KERNELS)
    found = []
    for n in (1000, 2000):
        record = count(tmp_path / str(n), sys.executable, str(script), str(n), runs=2)
        assert record.data["spread_ppm"] == 0 and record.warnings == ()
        found.append({cost.name: cost for cost in functions_of(record) if cost.is_compiled})
    inner, outer = ([each[name] for each in found] for name in ("inner", "outer"))
    assert [cost.calls for cost in inner] == [7, 7]
    assert inner[1].instructions > 1.9 * inner[0].instructions
    assert outer[0].inclusive == outer[0].instructions + inner[0].instructions
    assert not any("llvm" in entry["name"].lower() for entry in record.data["functions"][:20])


# --- encodes ----------------------------------------------------------------------------------------------------------


def encode(path: Path, kernels: str = "numba") -> Subject:
    return Subject("clip", path, 64, 48, 3, our_encoder(), kernels=kernels)


@needs_valgrind
@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_an_encode_is_counted_exactly(
    make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three runs agree to 50 ppm, compiled functions to the instruction; callgrind's calls of each slot are those that the
    counting table counts; a kernel made eight times as slow is the one that changes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.py").write_text(ONCE_AND_EIGHT_TIMES)
    path = make_clip(64, 48, 3)
    records = []
    for name in ("once", "eight_times"):
        folder = tmp_path / name
        folder.mkdir()
        one = encode(path, f"numba,sad={tmp_path / 'mine.py'}:sad_{name}")
        records.append(counts.measure(one, folder, 2500.0, runs=3))
    once, eight_times = records
    assert once.data["frames"] == 3 and len(once.values) == 3 and once.warnings == ()
    assert once.data["spread_ppm"] == 0 and once.data["function_spread_ppm"] == 0
    assert once.data["all_spread_ppm"] <= 50

    counted = {cost.slot: cost.calls for cost in slots_of(once)}
    folder = tmp_path / "calls"
    folder.mkdir()
    exact = {work.slot: work.calls for work in work_of(calls.measure(encode(path), folder, TIMEOUT_S))}
    assert {slot: calls for slot, calls in counted.items() if calls} == exact

    total, *slots = compare_instructions(once, eight_times)
    sad = next(change for change in slots if change.name == "sad")
    assert slots[0] is sad and sad.ratio is not None and 6.4 < sad.ratio < 8.4
    # The other kernel moves the arrays, and loops that test for overlap take 54,000 instructions less where they lie otherwise.
    assert total.b - total.a == pytest.approx(sad.b - sad.a, rel=0.02)
    assert not any(abs(change.b - change.a) > 0.02 * (sad.b - sad.a) for change in slots[1:])


@needs_valgrind
def test_what_the_encoder_does_not_take_is_said_in_its_words(tmp_path: Path) -> None:
    """A stand-in for the encoder: ours would compile all its code for callgrind's processor first."""
    paths = f"{STAND_IN}{os.pathsep}{PACKAGES}"
    stand_in = dataclasses.replace(our_encoder(), environment={"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"})
    with pytest.raises(InputError, match=r"none\.y4m"):
        counts.measure(encode(tmp_path / "none.y4m").change(encoder=stand_in), tmp_path, TIMEOUT_S)


# --- the machine ------------------------------------------------------------------------------------------------------


def test_without_valgrind_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"valgrind is not installed.*apt-get install valgrind.*--only calls"):
        counts.measure_program(("true",), tmp_path, TIMEOUT_S)


@pytest.mark.parametrize(
    ("flags", "level"), [("sse4_2 popcnt ssse3 sse4_1 cx16 lahf_lm avx", "x86-64-v2"), ("", None), ("neon", None)]
)
def test_the_instruction_set_is_the_best_that_all_runs_have(
    monkeypatch: pytest.MonkeyPatch, flags: str, level: str | None
) -> None:
    monkeypatch.setattr(counts.machine, "cpu_flags", lambda: frozenset(flags.split()))
    if level is None:
        with pytest.raises(EnvironmentFault, match="x86-64"):
            counts.build_environment()
    else:
        environment = counts.build_environment()
        assert environment["NUMBA_CPU_NAME"] == level and level in environment["ENCODER_CACHE_DIR"]


def test_perfs_output_is_read() -> None:
    text = (
        "# started on Fri Nov 20\n\n12.5,msec,task-clock:u,12500000,100.00,0.9,CPUs utilized\n"
        "<not supported>,,instructions:u,0,100.00,,\n<not counted>,,cycles:u,0,0.00,,\n777,,branches:u,12500000,100.00,,\n"
    )
    assert hardware.read_counters(text) == {"task-clock": 12.5, "instructions": None, "cycles": None, "branches": 777.0}


def test_what_the_machine_does_not_count_is_said() -> None:
    assert hardware.without_counters([]) == ()
    assert "does not count cycles" in hardware.without_counters(["cycles"])[0]
    assert "no hardware counters" in hardware.without_counters(list(hardware.EVENTS))[0]


def test_without_perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"perf is not installed.*linux-perf"):
        hardware.measure(encode(tmp_path / "clip.y4m"), tmp_path, TIMEOUT_S)


@pytest.mark.usefixtures("perf")
def test_perf_counts_an_encode_behind_its_start_up(
    make_clip: Callable[..., Path], tmp_path: Path, compiled_kernels: None
) -> None:
    """Whatever the machine counts: the clock at least, and that is less than loading alone takes."""
    record = hardware.measure(encode(make_clip(64, 48, 3)), tmp_path, TIMEOUT_S)
    assert record.data["frames"] == 3 and 0 < record.data["task_clock_s"] < 2
    counted = record.data["events"]["instructions"]
    assert record.values == (() if counted is None else (counted,))
    assert bool(record.warnings) == (None in record.data["events"].values())
