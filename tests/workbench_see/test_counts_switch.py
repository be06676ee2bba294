"""Counters that are switched from inside: client requests, perf's pipes, what is left out, what is said afterwards."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.instruments.inside import counted, jit, valgrind
from workbench.instruments.inside.counted import CountedEncode, OffWhileCompiling, PerfPipes
from workbench.instruments.inside.valgrind import Requests, ValgrindError


class Meter:
    """A counter that counts the ticks between start and stop."""

    def __init__(self) -> None:
        self.is_on, self.counted, self.told = False, 0, list[str]()

    def forget(self) -> None:
        self.counted = 0
        self.told.append("forget")

    def start(self) -> None:
        self.is_on = True
        self.told.append("start")

    def stop(self) -> None:
        self.is_on = False
        self.told.append("stop")

    def tick(self) -> None:
        self.counted += self.is_on


def test_requests_do_nothing_where_nobody_listens() -> None:
    requests = Requests()
    assert not requests.is_running_on_valgrind()
    for request in (requests.forget, requests.start, requests.stop):
        request()


def test_other_processors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valgrind.platform, "machine", lambda: "aarch64")
    with pytest.raises(ValgrindError, match="aarch64"):
        Requests()


def test_a_kernel_that_allows_no_code_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(valgrind.mmap, "mmap", refuse)
    with pytest.raises(ValgrindError, match="Permission denied"):
        Requests()


def test_the_launcher_leaves_its_id_and_keeps_addresses(tmp_path: Path) -> None:
    """Without it, the address of an object is another one in almost every run."""
    words = [sys.executable, "-I", "-S", valgrind.__file__, str(tmp_path / "pid"), sys.executable, "-c"]
    words += ["import os; print(os.getpid(), id(object()))"]
    told = [subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() for _ in range(4)]
    assert (tmp_path / "pid").read_text() == told[-1][0]
    assert len({address for _, address in told}) == 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(("start", "stop", "pause", "resume", "tick"))))
def test_nothing_is_counted_in_a_pause_or_before_the_start(words: list[str]) -> None:
    meter = Meter()
    switch = OffWhileCompiling(meter)
    wanted, depth, expected = False, 0, 0
    for word in words:
        if word == "tick":
            meter.tick()
            expected += wanted and not depth
        elif word != "resume" or depth:
            getattr(switch, word)()
            wanted = {"start": True, "stop": False}.get(word, wanted)
            depth += {"pause": 1, "resume": -1}.get(word, 0)
            expected = 0 if word == "start" else expected
        assert meter.counted == expected


def test_compilation_is_a_pause() -> None:
    """The self-test of numba's events: its lock is taken for compiling, and for whatever that compiles."""
    from numba import njit
    from numba.core import event

    meter = Meter()
    switch = OffWhileCompiling(meter)
    before = list(event._registered["numba:compiler_lock"])
    switch.listen()
    (listener,) = (each for each in event._registered["numba:compiler_lock"] if each not in before)
    try:
        switch.start()
        inner = njit(lambda x: x + 1)
        assert njit(lambda x: inner(x) * 2)(3) == 8
        switch.stop()
    finally:
        event.unregister("numba:compiler_lock", listener)
    assert meter.told[:3] == ["forget", "start", "stop"] and meter.told[-2:] == ["start", "stop"]
    assert meter.told[1:].count("start") == meter.told.count("stop")


def test_the_import_of_numba_is_not_counted(tmp_path: Path) -> None:
    """A package of that name, in a process of its own; imported once, whoever else asks for it."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("import told; told.meter.told.append('numba')")
    (tmp_path / "told.py").write_text(
        "import sys\nfrom workbench.instruments.inside.counted import OffWhileCompiling, WhenNumbaIsImported\n"
        "class Meter:\n    told = []\n"
        "    def __getattr__(self, name):\n        return lambda: self.told.append(name)\n"
        "meter = Meter()\noff = OffWhileCompiling(meter)\noff.listen = lambda: meter.told.append('listen')\n"
        "sys.meta_path.insert(0, WhenNumbaIsImported(off))\n"
    )
    script = "import told; told.off.start(); import json, numba, numba; print(' '.join(told.meter.told))"
    said = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert said.stdout.split() == ["forget", "start", "stop", "numba", "listen", "start"]


def environment(*folders: Path) -> dict[str, str]:
    """An environment that imports from these folders, and what we import."""
    root = Path(counted.__file__).parents[3]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*folders, root]))}


def test_an_encode_is_counted_from_its_first_picture_to_its_last_packet() -> None:
    meter = Meter()

    def encode(pictures: Iterator[str], _config: str) -> Iterator[SimpleNamespace]:
        meter.tick()  # start-up
        held = ""
        for picture in pictures:
            meter.tick()
            held += picture
            if len(held) == 2:
                yield SimpleNamespace(frames=list(held))
                held = ""
        meter.tick()
        yield SimpleNamespace(frames=list(held))

    counted_encode = CountedEncode(encode, meter)
    assert len(list(counted_encode(iter("abc"), "config"))) == 2
    assert (counted_encode.frames, meter.counted, meter.is_on) == (3, 4, False)


def test_perfs_pipes_are_told_and_waited_for(tmp_path: Path) -> None:
    control, answer = tmp_path / "control", tmp_path / "answer"
    os.mkfifo(control)
    os.mkfifo(answer)
    heard: list[bytes] = []

    def perf() -> None:
        with control.open("rb", buffering=0) as listening, answer.open("wb", buffering=0) as answering:
            for _ in range(2):
                heard.append(listening.read(64))
                answering.write(b"ack\n")

    thread = threading.Thread(target=perf)
    thread.start()
    pipes = PerfPipes(str(control), str(answer))
    pipes.forget()
    pipes.start()
    pipes.stop()
    thread.join(10)
    assert heard == [b"enable\n", b"disable\n"]


def test_a_process_that_nobody_counts_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a counted program starts."""
    result = tmp_path / "result.json"
    monkeypatch.setenv(counted.VARIABLE, json.dumps({"switch": "callgrind", "result": str(result)}))
    before = list(sys.meta_path)
    counted.watch_program()
    assert sys.meta_path == before and not result.exists()


def test_names_that_cannot_be_had_are_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback of the map: a result without names."""
    import llvmlite  # noqa: F401

    def refuse() -> list[jit.Symbol]:
        raise jit.JitError("libllvmlite.so has no symbol")

    monkeypatch.setattr(jit, "symbols", refuse)
    counted.write_result(str(tmp_path / "result.json"), frames=3)
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["frames"] == 3 and told["symbols"] == []
    assert told["missing"] == ["compiled functions have no names: libllvmlite.so has no symbol"]


def test_every_slots_function_is_in_the_map(compiled_kernels: None) -> None:
    """The self-test of names: what the table calls lies where the map says, under the kernel's name."""
    found = counted.slots("numba")
    names = {symbol.address: symbol.name for symbol in jit.symbols()}
    from encoder.kernels.table import SLOTS

    assert set(found) == set(SLOTS)
    for slot, address in found.items():
        assert names[address].endswith(f".{slot}"), slot


def test_interpreted_slots_have_no_machine_code() -> None:
    assert counted.slots("python") == {}
