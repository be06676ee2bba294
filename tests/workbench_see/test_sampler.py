"""The sampler in the process, on programs that do what samplers trip over."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workbench_see.watched_programs import BUSY, share, threads, watch
from workbench.commands.flame import stored_runs
from workbench.errors import SubjectError
from workbench.instruments import stacks
from workbench.instruments.inside import handler, python_frames
from workbench.instruments.stacks import Sampling, measure_program
from workbench.record import Record

COMPILED = """
import math
import numpy as np
from numba import njit

@njit
def inner(x):
    return 1.0 / (1.0 + 1.0 / (1.0 + 1.0 / (1.0 + 1.0 / (1.0 + x))))  # the inlined line

@njit
def middle(a):
    total = 0.0
    for i in range(a.size):
        total += inner(a[i]) % 3.0  # the hot line
    return total

@njit
def wave(a):
    total = 0.0
    for i in range(a.size):
        total += math.exp(-a[i])
    return total

@njit
def outer(a, rounds):
    total = 0.0
    for _ in range(rounds):
        total += middle(a)
    return total + wave(a)
"""
HOT_LINE, INLINED_LINE = (
    next(at for at, line in enumerate(COMPILED.splitlines(), 1) if mark in line)
    for mark in ("the hot line", "the inlined line")
)
RUN = """
import time
a = np.arange(100_000.0)
outer(a, 1)
def work(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        outer(a, 1)
work(1.0)
"""
LATE = """
@njit
def late(n):
    total = 0
    for i in range(n):
        total ^= i * i + (total >> 3)
    return total
def last():
    ends = time.thread_time() + 0.6
    while time.thread_time() < ends:
        late(100_000)
late(1)
last()
"""
SMALL = """
import time
from numba import njit
@njit(cache=True)
def small(n):
    total = 0
    for i in range(n):
        total ^= i * i + (total >> 3)
    return total
def work():
    ends = time.thread_time() + 0.2
    while time.thread_time() < ends:
        small(100_000)
small(1)
work()
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A program that compiles after its begin, runs, and compiles again."""
    return watch(tmp_path_factory.mktemp("compiled"), COMPILED + RUN + LATE)


def test_compiled_stacks_are_whole_through_python_inlined_and_library_code(compiled: Record) -> None:
    assert share(compiled, "thread main", "<module>", "work", "outer") > 0.1
    stacks_of_work = [stack for stack in compiled.data["folded"] if ";work (program.py" in stack and "outer" in stack]
    assert any(f"inner [inlined] (program.py:{INLINED_LINE})" in stack for stack in stacks_of_work)
    assert any(re.search(rf"middle( \[inlined\])? \(program\.py:{HOT_LINE}\)", stack) for stack in stacks_of_work)
    assert any(re.search(r"wave( \[inlined\])? \(program\.py:\d+\);\[libm", stack) for stack in stacks_of_work)


def test_at_most_2_percent_of_compiled_time_have_no_name(compiled: Record) -> None:
    assert compiled.data["unnamed_share"] <= 0.02


def test_code_that_is_compiled_late_has_its_name(compiled: Record) -> None:
    assert share(compiled, "last", "late") > 0.05 and share(compiled, "work", "late") == 0


@pytest.mark.slow
def test_a_deep_stack_is_whole(tmp_path: Path) -> None:
    """Sixty Python functions, each its own, above compiled ones that call themselves thirty deep."""
    python = "".join(f"def p{n}():\n    p{n + 1}()\n" for n in range(60))
    program = f"""
import time
from numba import njit, types
@njit(types.int64(types.int64))
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
{python}
def p60():
    ends = time.thread_time() + 0.5
    while time.thread_time() < ends:
        fib(30)
p0()
"""
    record = watch(tmp_path, program)
    deepest = max(record.data["folded"], key=lambda stack: stack.count("fib"))
    names = [frame.split(" (")[0].removesuffix(" [inlined]") for frame in deepest.split(";")]
    assert names[:2] == ["thread main", "<module>"] and names[2:63] == [f"p{n}" for n in range(61)]
    assert set(names[63:]) == {"fib"} and 20 < len(names[63:]) <= 30


def test_deeper_stacks_than_a_sample_holds_say_so(tmp_path: Path) -> None:
    record = watch(tmp_path, BUSY + "def f(n):\n    f(n - 1) if n else busy(0.2)\nf(300)\n")
    assert share(record, "thread main", "[callers cut off]", "f", "f", "busy") > 0.5


def test_threads_are_kept_apart(tmp_path: Path) -> None:
    program = (
        BUSY
        + """
import threading
def one(): busy(0.2)
def two(): busy(0.1)
threads = [threading.Thread(target=f) for f in (one, two)]
for t in threads: t.start()
for t in threads: t.join()
"""
    )
    record = watch(tmp_path, program)
    assert share(record, "thread 2", "one") > share(record, "thread 3", "two") > 0.1
    assert (
        share(record, "thread 2", "two")
        == share(record, "thread 3", "one")
        == share(record, "thread main", "busy")
        == 0
    )


def test_sixty_four_threads(tmp_path: Path) -> None:
    program = (
        BUSY
        + """
import threading
threads = [threading.Thread(target=busy, args=(0.02,)) for _ in range(64)]
for t in threads: t.start()
for t in threads: t.join()
"""
    )
    record = watch(tmp_path, program)
    assert len(threads(record)) > 55 and share(record, "busy") > 0.8


@pytest.mark.slow
def test_a_thread_that_threading_does_not_know_has_its_compiled_stack(tmp_path: Path) -> None:
    program = (
        COMPILED
        + """
import time
from numba import prange
@njit(parallel=True)
def side(a, rounds):
    total = 0.0
    for _ in prange(rounds):
        total += middle(a)
    return total
a = np.arange(200_000.0)
side(a, 2)
ends = time.process_time() + 1.0
while time.process_time() < ends: side(a, 64)
"""
    )
    record = watch(tmp_path, program)
    native = [stack for stack in record.data["folded"] if not stack.startswith("thread main") and "middle" in stack]
    assert native and all("program.py" in stack for stack in native)


def test_a_program_of_50_ms_is_watched_from_its_first_line(tmp_path: Path) -> None:
    record = watch(tmp_path, BUSY + "busy(0.05)\n")
    assert 2 <= sum(record.values) <= 40
    assert share(record, "thread main", "<module>", "busy") > 0.5, record.data["folded"]
    assert any("fewer than 200 samples" in warning for warning in record.warnings)


def test_a_program_that_ends_at_once_has_no_samples(tmp_path: Path) -> None:
    assert sum(watch(tmp_path, "pass\n").values) < 5


def test_a_program_that_dies_by_a_signal_keeps_its_samples(tmp_path: Path) -> None:
    program = BUSY + "import os, signal\ndef last(): busy(0.3)\nlast()\nos.kill(os.getpid(), signal.SIGKILL)\n"
    record = watch(tmp_path, program, ends_well=False)
    assert share(record, "last", "busy") > 0.5
    assert any("killed by signal 9" in warning for warning in record.warnings)
    assert any("without taking leave" in warning for warning in record.warnings)


def test_a_program_that_forks_is_watched_in_both_processes(tmp_path: Path) -> None:
    program = (
        BUSY
        + """
import os
def parent(): busy(0.4)
def child(): busy(0.8)
pid = os.fork()
if pid:
    parent()
    os.waitpid(pid, 0)
else:
    child()
    os._exit(0)
"""
    )
    record = watch(tmp_path, program)
    assert share(record, "thread main", "parent") > 0.2
    both = [stack for stack in record.data["folded"] if "child (program.py" in stack]
    assert both and all(stack.startswith("thread main (process 2);") for stack in both)


def test_processes_that_it_starts_are_watched_too(tmp_path: Path) -> None:
    program = (
        BUSY
        + """
import subprocess, sys
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "again"], check=True)
else:
    busy(0.2)
"""
    )
    record = watch(tmp_path, program)
    assert any(stack.startswith("thread main (process 2);") and "busy" in stack for stack in record.data["folded"])


FREED = """
import ctypes, time
import llvmlite.binding as llvm
llvm.initialize_native_target(); llvm.initialize_native_asmprinter()
TEXT = '''
define i64 @"NAME"(i64 %n) {
entry: br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %x = phi i64 [1, %entry], [%y, %loop]
  %y = mul i64 %x, FACTOR
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %end
end: ret i64 %y
}'''
def run(name, factor):
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(TEXT.replace("NAME", name).replace("FACTOR", factor)), machine)
    engine.finalize_object()
    address = engine.get_function_address(name)
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)
    ends = time.thread_time() + 0.2
    while time.thread_time() < ends:
        function(100_000)
    engine.close()
    return address
def first(): return run("first_code", "3")
def second(): return run("second_code", "5")
import numba  # follows what llvmlite loads
print("SAME" if first() == second() else "APART")
"""


def test_code_that_takes_the_place_of_freed_code_is_not_mistaken_for_it(tmp_path: Path) -> None:
    record = watch(tmp_path, FREED)
    assert share(record, "first", "run", "first_code") > 0.1 and share(record, "second", "run", "second_code") > 0.1
    assert share(record, "first", "second_code") == share(record, "second", "first_code") == 0


def test_python_functions_that_come_and_go_are_not_mistaken(tmp_path: Path) -> None:
    """A thousand functions of the same size, one after the other in the same memory: a name, if any, is the right one."""
    program = """
import time
def spin(n):
    ends = time.thread_time() + 0.002
    while time.thread_time() < ends: pass
for n in range(150):
    names = {"spin": spin}
    exec(f"def made_{n:04}(n):\\n    spin({n})", names)
    names.pop(f"made_{n:04}")(n)
"""
    record = watch(tmp_path, program)
    assert share(record, "<module>", "spin") > 0.5
    seen = {name for stack in record.data["folded"] for name in re.findall(r"made_\d+|\[unknown\]", stack)}
    assert seen  # named where one was seen alive, else nameless


def test_functions_that_were_frozen_have_their_names(tmp_path: Path) -> None:
    """Two hundred functions of 2 ms each: the sampler sees few of them running."""
    program = """
import gc, time
own = {"time": time}
for n in range(200):
    exec(f"def made_{n:04}():\\n    ends = time.thread_time() + 0.002\\n    while time.thread_time() < ends: pass", own)
gc.freeze()
for n in range(200):
    own[f"made_{n:04}"]()
"""
    record = watch(tmp_path, program)
    seen = {name for stack in record.data["folded"] for name in re.findall(r"made_\d+", stack)}
    assert len(seen) > 50
    assert not share(record, "[unknown]"), record.data["folded"]


def test_what_c_and_classes_call_stands_under_its_caller(tmp_path: Path) -> None:
    """From Python 3.12 on, the interpreter has frames of its own there."""
    program = """
import time
def work(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends: pass
class Made:
    def __init__(self):
        work(0.002)
def main():
    for n in range(100):
        Made()
    sorted([0.2], key=work)
main()
"""
    record = watch(tmp_path, program)
    chains = {tuple(re.findall(r";([^;]+) \(program\.py", stack)) for stack in record.data["folded"]}
    assert {("<module>", "main", "Made.__init__", "work"), ("<module>", "main", "work")} <= chains
    assert not share(record, "[unknown]"), record.data["folded"]


def test_memory_is_bounded_and_all_of_a_long_run_counts_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reservoir of 128 records stands for a run of ten minutes."""
    monkeypatch.setattr(handler, "SLOTS", 128)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import workbench.instruments.inside.handler as h\nh.SLOTS = 128\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    program = BUSY + "def early(): busy(0.8)\ndef late(): busy(0.8)\nearly()\nlate()\n"
    record = watch(tmp_path, program)
    assert 115 <= sum(record.values) <= 128
    assert share(record, "early") == pytest.approx(0.5, abs=0.2)
    assert any("drawn at random" in warning for warning in record.warnings)
    assert record.data["rate_hz"] < 250


def test_a_read_only_working_folder(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    script = folder / "program.py"
    script.write_text(SMALL)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    folder.chmod(0o555)
    try:
        record, _ = measure_program([sys.executable, str(script)], scratch, 240.0, Sampling("sampler", seconds=0.0))
    finally:
        folder.chmod(0o755)
    assert share(record, "work", "small") > 0.05
    assert sorted(path.name for path in folder.iterdir()) == ["program.py"]  # the profile build is not left beside it


def test_a_program_that_is_no_python_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="none of its processes is a Python that can be watched"):
        measure_program(["true"], tmp_path, 60.0, Sampling("sampler"))


def test_a_python_that_ignores_its_environment_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="runs with -I, -E or -S"):
        measure_program([sys.executable, "-I", "-c", "pass"], tmp_path, 60.0, Sampling("sampler"))


def test_the_users_own_sitecustomize_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 42\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    watch(tmp_path, BUSY + "assert mine == 42\nbusy(0.05)\n")


def test_a_program_that_profiles_its_own_threads_goes_on_doing_so(tmp_path: Path) -> None:
    program = """
import sys, threading
seen = []
threading.setprofile(lambda frame, event, argument: seen.append(event))
t = threading.Thread(target=lambda: [abs(n) for n in range(3)])
t.start(); t.join()
assert seen, "the program's own profile function was not called"
"""
    watch(tmp_path, program)


# --- the parts by themselves


def test_the_handler_is_code_that_stands_alone() -> None:
    code = handler.machine_code()
    assert 500 < len(code) < 4096 and b"\x0f\x05" in code  # it calls the kernel and nothing else


def test_the_interpreters_frames_are_found_and_lead_to_the_callers() -> None:
    found = python_frames.find_layout()
    assert found.steps in (1, 2) and found.code != found.previous != found.instruction
    assert len(found.hidden) <= handler.MOST_HIDDEN


def test_frames_that_lead_nowhere_are_an_error_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that cannot be read, where another version's structures would lead."""
    monkeypatch.setattr(python_frames._Search, "_words", lambda *_: ())
    with pytest.raises(python_frames.PythonFramesError, match="are not found"):
        python_frames.find_layout()


def test_where_the_interpreters_frames_are_not_found_the_profile_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import workbench.instruments.inside.python_frames as p\n"
        "def fail(): raise p.PythonFramesError('planted')\n"
        "p.find_layout = fail\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    record = watch(tmp_path, SMALL)
    assert any("no Python functions in the stacks: planted" in warning for warning in record.warnings)
    assert share(record, "thread main", "small") > 0.05 and share(record, "work") == 0


PRIVATE_NAMES = {
    ("numba.core.codegen", "CPUCodeLibrary", "add_ir_module"): "without their callers",
    ("numba.core.debuginfo", "DIBuilder", "_di_compile_unit"): "have no lines",
    ("numba.core.lowering", "BaseLower", "_compute_def_location"): "have no lines",
    ("numba.core.codegen", "JITCPUCodegen", "magic_tuple"): "cache of another build",
    ("llvmlite.binding", "ExecutionEngine", "finalize_object"): "code that is freed",
}


def test_private_names_that_have_moved_cost_what_hangs_on_them_and_no_more(process_environment: dict[str, str]) -> None:
    """The self-test's other half: what is said when a name that this leans on is gone."""
    program = f"""
import importlib, json, numba
from workbench.instruments.inside import profile_build
told = []
for module, holder, name in {list(PRIVATE_NAMES)!r}:
    holder = getattr(importlib.import_module(module), holder)
    gone = [(each, each.__dict__[name]) for each in holder.__mro__ if name in each.__dict__]
    for each, _ in gone:
        delattr(each, name)
    said = []
    profile_build.enable(lambda gone: None, said.append)
    told.append(said)
    for each, value in gone:
        setattr(each, name, value)
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=process_environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for name, wanted, said in zip(PRIVATE_NAMES, PRIVATE_NAMES.values(), json.loads(done.stdout), strict=True):
        assert len(said) == 1 and wanted in said[0], (name, said)


def test_kept_runs_are_read_back(tmp_path: Path) -> None:
    line = {
        "kind": "record",
        "instrument": "stacks",
        "metric": "samples",
        "unit": "count",
        "subject": {"program": ["a"]},
    }
    data = {
        "folded": {"thread main;f (a.py:3)": 4},
        "source": "sampler",
        "rate_hz": 250.0,
        "seconds": 1.0,
        "frames": None,
    }
    rows = [
        {"kind": "run", "schema": 1},
        {**line, "values": [4.0], "data": data, "warnings": [], "command": [], "schema": 1},
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run,) = stored_runs(tmp_path)
    assert run.folded == {"thread main;f (a.py:3)": 4} and run.rate_hz == 250.0 and run.frames is None


def test_the_source_that_is_asked_for_and_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks.shutil, "which", lambda name: None)
    with pytest.raises(SubjectError, match="perf is not installed"):
        measure_program([sys.executable, "-c", "pass"], tmp_path, 60.0, Sampling("perf"))
