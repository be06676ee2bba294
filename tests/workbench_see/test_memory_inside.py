"""What runs in the watched process: exact counts of compiled code, marks, captures of programs that leak, die or are short."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workbench_see import memory_programs as programs
from workbench.analysis.memory_sides import Sides
from workbench.errors import EnvironmentFault, SubjectTimeout
from workbench.instruments import memory

TIMEOUT_S = 240.0

WATCHED = """
import json, sys, threading
from workbench.instruments.inside import jit, nrt

jit.keep_frame_pointers()
watch = nrt.Watch()
import numpy as np
from numba import njit
from numba.core.runtime import rtsys

@njit(nogil=True)
def arrays(n):
    total = 0
    for step in range(n):
        total += np.ones(step + 1, np.int64).sum()
    return total

@njit(nogil=True)
def grown(n):
    values = [0]
    for step in range(n):
        values.append(step)
    return len(values)

@njit(nogil=True)
def outer(n):
    return arrays(n) + grown(n)

@njit
def given(n):
    return np.zeros(n)

outer(2), given(2)
before, stats = {{one.addresses: one for one in watch.counts()}}, rtsys.get_allocation_stats()
{work}
now = rtsys.get_allocation_stats()
names = nrt.Names()
none = nrt.StackCount((), 0, 0, 0, 0, 0, 0)
found = []
for one in watch.counts():
    was = before.get(one.addresses, none)
    if one.count != was.count:
        functions = [name.rpartition(".")[2] for name in names.of(one.addresses)]
        found.append([functions, one.count - was.count, one.counted - was.counted, one.live - was.live])
print(json.dumps({{"statistics": now.alloc - stats.alloc, "lost": watch.lost, "stacks": found}}))
"""


def watched(work: str, environment: dict[str, str]) -> dict[str, Any]:
    """What the watch saw of `work`."""
    code = WATCHED.format(work=textwrap.dedent(work))
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "NUMBA_NRT_STATS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def test_every_allocation_of_compiled_code_is_counted_under_its_function(process_environment: dict[str, str]) -> None:
    """On four threads that allocate at once, against numba's own statistics."""
    told = watched(
        """
        threads = [threading.Thread(target=lambda: [outer(20) for _ in range(50)]) for _ in range(4)]
        [thread.start() for thread in threads], [thread.join() for thread in threads]
        kept = [given(5) for _ in range(9)]
        """,
        process_environment,
    )
    assert told["lost"] == 0
    assert sum(counted for _, _, counted, _ in told["stacks"]) == told["statistics"]
    calls: dict[str, int] = {}
    for functions, count, _, _ in told["stacks"]:
        calls[functions[0]] = calls.get(functions[0], 0) + count
        assert functions[-1] in ("outer", "given")
    assert calls["arrays"] == 4 * 50 * 20 and calls["given"] == 9
    assert calls.keys() == {"arrays", "grown", "given"}
    alive = {functions[0]: live for functions, _, _, live in told["stacks"] if live}
    assert alive.get("given") == 9 and "arrays" not in alive


def test_a_numba_that_has_moved_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from workbench.instruments.inside import nrt

    monkeypatch.setattr(nrt, "_ALLOCATORS", {"MemInfo_of_tomorrow": nrt._Allocator()})
    with pytest.raises(nrt.NrtError, match="numba's runtime has no 'MemInfo_of_tomorrow'"):
        nrt._install(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))


def test_where_functions_have_no_names_numbas_own_count_is_left(tmp_path: Path) -> None:
    from workbench.analysis.memory_sides import Side, steady_of
    from workbench.report.memory_wording import sentences

    (tmp_path / "kernels.json").write_text('{"error": "numba is not as this expects"}')
    record = memory._kernels_record(tmp_path / "kernels.json", {}, {}, ())
    assert record.values == ()
    assert record.warnings == ("allocations of compiled code have no names: numba is not as this expects",)
    data = {"frames": 64, "marks": [[0] * 5] * 65, "compiled": [[100, 90]] * 64 + [[740, 700]]}
    side = Side("clip", {}, steady=steady_of(memory.Record("memray", "allocations", "count", {}, (900.0,), data)))
    text = " ".join(sentences(Sides((side,))))
    assert "numba's runtime allocates 10 times a frame" in text


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("leaking")
    path = programs.script(folder, programs.LEAKING)
    return memory.measure_program((sys.executable, str(path)), folder, TIMEOUT_S, {})


def test_a_program_is_tracked_from_start_to_end(leaking: list[Any]) -> None:
    allocations, peak = leaking
    line = programs.line_of(programs.LEAKING, "the planted leak")
    site = next(one for one in allocations.data["sites"] if f"program.py:{line} remember" in one["site"])
    assert site["count"] >= 80 and site["live"] >= 80 and site["live_bytes"] >= 80 * programs.BLOCK_BYTES
    assert peak.values[0] >= 80 * programs.BLOCK_BYTES and not allocations.warnings
    assert len(allocations.data["marks"]) >= 30 and len(allocations.data["mark_s"]) >= len(allocations.data["marks"])
    assert not any("marks.py" in one["site"] or "watched_memory" in one["site"] for one in allocations.data["sites"])


CAPTURED = """
import memray, sys
with memray.Tracker(sys.argv[1]):
    kept = [bytearray(1000 + step) for step in range(300)]
    for step in range(200):
        bytearray(5000)
        first = bytearray(700)
        second = bytearray(900)
        first = second = None
    kept[100:] = []
"""


def test_figures_are_memrays_own(tmp_path: Path) -> None:
    """Peak, what is left, and temporary allocations against memray's readers, on the same capture."""
    from memray import FileReader

    from workbench.instruments.inside.replayed import replay

    capture = tmp_path / "capture.bin"
    subprocess.run([sys.executable, "-c", CAPTURED, str(capture)], check=True, timeout=TIMEOUT_S)
    ledger, _, missing = replay(capture)
    with FileReader(str(capture)) as reader:
        peak = [record.size for record in reader.get_high_watermark_allocation_records()]
        left = [record.size for record in reader.get_leaked_allocation_records()]
        temporary = sum(record.n_allocations for record in reader.get_temporary_allocation_records())
    accounts = ledger.stacks.values()
    assert not missing and ledger.count >= 900
    assert ledger.peak_bytes == sum(peak)
    assert sum(account.live_bytes for account in accounts) == sum(left)
    assert sum(account.temporary for account in accounts) == temporary >= 600


def test_a_program_that_dies_by_a_signal_is_told_up_to_there(tmp_path: Path) -> None:
    path = programs.script(
        tmp_path, "kept = [bytearray(9000) for _ in range(100)]\nimport os\nos.kill(os.getpid(), 11)\n"
    )
    allocations, _ = memory.measure_program((sys.executable, str(path)), tmp_path, TIMEOUT_S, {})
    assert any("killed by signal 11 (SIGSEGV)" in text for text in allocations.warnings)
    assert any(site["site"].startswith(f"{tmp_path.name}/program.py:1 ") for site in allocations.data["sites"])


def test_what_is_no_python_is_said_and_not_counted(tmp_path: Path) -> None:
    (record,) = memory.measure_program(("sleep", "0.01"), tmp_path, TIMEOUT_S, {})
    assert not record.values and "no Python program" in record.warnings[0]


def test_only_the_first_process_of_a_program_is_tracked(tmp_path: Path) -> None:
    child = "x = [bytearray(70_000) for _ in range(50)]"
    text = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
    path = programs.script(tmp_path, text)
    allocations, _ = memory.measure_program((sys.executable, str(path)), tmp_path, TIMEOUT_S, {})
    assert not any("<string>" in site["site"] for site in allocations.data["sites"])


def test_kernels_of_any_program_are_named(tmp_path: Path) -> None:
    path = programs.script(tmp_path, programs.KERNELS)
    record = memory.program_kernels((sys.executable, str(path), "1000"), tmp_path, TIMEOUT_S, {}, {})
    assert record.values == (1000.0,) and not record.warnings
    (stack,) = record.data["stacks"]
    assert [name for name, _ in stack["functions"]] == ["__main__.wasteful", "__main__.walk"]
    assert (stack["count"], stack["live"]) == (1000, [0, 0])


# --- resident set -----------------------------------------------------------------------------------------------------


def resident(folder: Path, code: str, timeout_s: float = TIMEOUT_S) -> Any:
    return memory.watch_resident((sys.executable, "-I", "-c", code), {}, folder, timeout_s, {})


def test_a_timeline_shows_when_memory_is_taken_and_given_back(tmp_path: Path) -> None:
    code = "import time; time.sleep(.3); x = bytearray(200 << 20); time.sleep(.5); del x; time.sleep(.3)"
    record = resident(tmp_path, code)
    sizes = [size for _, size, _ in record.data["samples"]]
    assert record.values[0] >= 200 << 20 and max(sizes) >= 200 << 20
    assert sizes[-1] < 100 << 20 and sizes[3] < 100 << 20
    assert max(sizes) <= record.values[0] + (1 << 20)  # the kernel's own maximum: no sample is above it


def test_the_maximum_is_the_programs_own_not_ours(tmp_path: Path) -> None:
    ours = bytearray(300 << 20)
    assert resident(tmp_path, "pass").values[0] < 100 << 20 < len(ours)


def test_a_program_of_50_ms_has_a_maximum_and_says_that_it_is_short(tmp_path: Path) -> None:
    record = memory.watch_resident(("sleep", "0.05"), {}, tmp_path, TIMEOUT_S, {})
    assert record.values[0] > 0 and 1 <= len(record.data["samples"]) < memory.FEW_SAMPLES
    assert "it is short; the maximum is exact" in record.warnings[0] and not memory.is_python(record)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9 (SIGKILL), and nothing on standard error"),
        ("raise SystemExit('no more')", "exit status 1: no more"),
        ("pass", ""),
    ],
)
def test_how_a_program_ended_is_told(tmp_path: Path, code: str, said: str) -> None:
    record = resident(tmp_path, code)
    assert memory.failure(record) == said and memory.is_python(record)


def test_a_program_that_starts_others_is_told_apart(tmp_path: Path) -> None:
    record = resident(tmp_path, "import subprocess; subprocess.run(['sleep', '0.4'])")
    assert any("started other processes" in text for text in record.warnings)


def test_a_program_that_is_not_there_or_hangs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no-such-program: cannot be started: No such file"):
        memory.watch_resident(("no-such-program",), {}, tmp_path, TIMEOUT_S, {})
    with pytest.raises(SubjectTimeout):
        resident(tmp_path, "import time; time.sleep(60)", timeout_s=0.5)


# --- an encode --------------------------------------------------------------------------------------------------------


def test_python_objects_are_found_at_the_line_that_keeps_them(tmp_path: Path) -> None:
    """Also those that come from the interpreter's lists of freed objects."""
    from workbench.analysis.memory_sides import object_leaks
    from workbench.instruments.inside.kept_objects import Account, followed

    kept: list[Any] = []

    def encode(pictures: Any) -> Any:
        for number, picture in enumerate(pictures):
            scratch = [float(number + step) for step in range(20)]
            kept.append((number * 1.5, {"frame": number}))  # the planted leak
            yield picture, len(scratch)

    account = Account()
    for _ in followed(encode, account, 4, 68)(iter(["a", "b", "c"])):
        pass
    report = account.report()
    memory._put_into_words(report["sites"])
    record = memory.Record(memory.OBJECTS, "python_objects", "count", {}, (1.0,), {**report, "frames": 64})
    leaks = object_leaks(record)
    line = programs.line_of(Path(__file__).read_text(), "# the planted leak")
    assert f"workbench_see/test_memory_inside.py:{line} encode" in {leak.where for leak in leaks}
    planted = next(leak for leak in leaks if leak.line.endswith(f":{line}"))
    assert 3 <= planted.rise.blocks <= 5  # a tuple, a float, a dictionary and its keys
    assert all(leak.line == planted.line for leak in leaks if leak.rise.blocks >= 1)


def test_a_function_is_named_by_its_lines(tmp_path: Path) -> None:
    from workbench.instruments.inside.kept_objects import function_at

    path = programs.script(tmp_path, "import os\n\ndef outer():\n    def inner():\n        pass\n    return inner\n")
    names: Callable[[int], str] = lambda line: function_at(str(path), line)  # noqa: E731
    assert [names(line) for line in (1, 3, 5, 6)] == ["<module>", "outer", "inner", "outer"]
    assert function_at("no such file", 1) == "<module>"


def test_what_waits_for_the_garbage_collector_is_kept_by_nobody() -> None:
    from workbench.analysis.memory_sides import object_leaks
    from workbench.instruments.inside.kept_objects import Account, followed

    def encode(pictures: Any) -> Any:
        for picture in pictures:
            for _ in range(10):
                circle: list[Any] = []
                circle.append(circle)
            yield picture

    account = Account()
    for _ in followed(encode, account, 4, 68)(iter(["a"])):
        pass
    report = account.report()
    memory._put_into_words(report["sites"])
    record = memory.Record(memory.OBJECTS, "python_objects", "count", {}, (1.0,), {**report, "frames": 64})
    assert not [leak for leak in object_leaks(record) if "test_memory_inside" in leak.where]


def test_names_in_the_interpreters_cache_are_kept_by_nobody() -> None:
    """An attribute that is looked up by a new string each time, as compiled code does it."""
    import gc
    import tracemalloc

    from workbench.instruments.inside.kept_objects import clear_type_cache

    def look_up() -> None:
        names = [f"no_such_attribute_{number}" for number in range(500)]  # each a new string
        assert not any(hasattr(Path, name) for name in names)

    line = programs.line_of(Path(__file__).read_text(), "# each a new string")

    def alive() -> int:
        mine = tracemalloc.Filter(True, __file__, line)
        return sum(one.count for one in tracemalloc.take_snapshot().filter_traces([mine]).statistics("lineno"))

    tracemalloc.start()
    look_up()
    kept = alive()
    clear_type_cache()
    gc.collect()  # the interpreter's lists of freed objects too, as between two notes
    left = alive()
    tracemalloc.stop()
    assert left <= 2 < 100 < kept
