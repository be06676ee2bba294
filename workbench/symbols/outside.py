"""What perf and py-spy wrote, as folded stacks with the names of the watched process."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.symbols.naming import UNKNOWN, Namer, Step
from workbench.symbols.process import Thread

_THREAD = re.compile(r"thread \((0x[0-9A-Fa-f]+|\d+)\)(?:: (?P<name>.*))?$")
_ADDRESS = re.compile(r"0x([0-9a-f]+) \((?P<file>.*)\)$")
_PYTHON = re.compile(r"(?P<name>.+) \((?P<file>[^()]*\.py|<.*>):(?P<line>\d+)\)$")
_SOURCE = re.compile(r"(?P<symbol>.+) \((?P<file>[^()]+:\d+|[^()]+)\)$")
_WAITS = re.compile(r"(?:Condition\.)?wait \(threading\.py|(?:Thread\.)?join \(threading\.py")
_PERF_FRAME = re.compile(r"\s*(?P<address>[0-9a-f]+) (?P<symbol>.+?)(?:\+0x[0-9a-f]+)? \((?P<file>.+)\)$")
_PERF_MAP = re.compile(r"perf-\d+\.map$")
_HEAD = re.compile(r"\s*(?:\S.*?\s)?(?P<thread>\d+)\s+(?P<seconds>\d+)\.(?P<fraction>\d+):")


def py_spy_stacks(raw: str, namer: Namer) -> Counter[str]:
    """py-spy's raw lines, outermost frame first, with names for the addresses that it has none for.

    It does not say when a sample was taken: an address that was two functions' in the course of time stays without a name.
    A thread that waits for another is left out: py-spy takes it for running where it is told of compiled code.
    """
    folded: Counter[str] = Counter()
    numbers: dict[str, str] = {}
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        thread = "thread main"
        if head := _THREAD.match(frames[0]):
            is_main = head["name"] == "MainThread"
            thread = "thread main" if is_main else numbers.setdefault(head[1], f"thread {len(numbers) + 2}")
            frames = frames[1:]
        if any(_WAITS.match(frame) for frame in frames):
            continue
        named = _py_spy_frames(frames, namer)
        joined = namer.joined(thread, *named, samples=int(count))
        if joined:
            folded[";".join(joined)] += int(count)
    return folded


def _py_spy_frames(frames: Sequence[str], namer: Namer) -> tuple[list[str], list[Step]]:
    """Python's frames, outermost first, and the machine's behind the last of them, innermost first. Machine frames between
    Python ones are glue."""
    python: list[str] = []
    machine: list[Step] = []
    for frame in frames:
        if _PYTHON.match(frame):
            python.append(frame)
            machine = []
        else:
            machine.append(_py_spy_step(frame, namer))
    return python, machine[::-1]


def _py_spy_step(frame: str, namer: Namer) -> Step:
    address = _ADDRESS.match(frame)
    if address is None:
        found = _SOURCE.match(frame)
        return Step((f"[native] {found['symbol'] if found else frame}",), "library")
    place = int(address[1], 16)
    function = namer.process.compiled.find(place, None)
    if function is not None:
        return namer.compiled_step(function, place)
    if address["file"] != "?":
        return namer.step_in_file(address["file"], "")
    return Step((UNKNOWN,), "unknown")


def perf_stacks(path: Path, perf: Sequence[str], namer: Namer) -> Counter[str]:
    """A recording of perf: compiled functions by their frame pointers, and the library function that was running; Python's
    own functions are not in it. Where a library function runs, perf's stack lacks the function that called it."""
    # Without --no-inline, perf asks for the lines of each library by itself, for minutes.
    command = [*perf, "script", "--no-inline", "-F", "tid,time,ip,sym,dso", "-i", str(path)]
    script = subprocess.run(command, capture_output=True, text=True, errors="replace")
    folded: Counter[str] = Counter()
    numbers: dict[int, int] = {}
    for thread, at_ns, frames in _perf_samples(script.stdout):
        steps = list(_perf_steps(frames, at_ns, namer))
        if thread not in numbers:
            main = thread == namer.process.pid
            numbers[thread] = 1 if main else len(numbers) + (2 if namer.process.pid not in numbers else 1)
            namer.process.threads[numbers[thread]] = Thread(numbers[thread], "", main, False, thread)
        joined = namer.joined(namer.thread(numbers[thread]), None, steps)
        if joined:
            folded[";".join(joined)] += 1
    return folded


@dataclass(frozen=True)
class _PerfFrame:
    """An address; of a library's function, which perf counts from the file's begin, the library and the symbol."""

    address: int
    library: str
    symbol: str


def _perf_samples(script: str) -> Iterator[tuple[int, int, list[_PerfFrame]]]:
    """Thread, time in ns and frames, innermost first, of each sample."""
    for block in script.split("\n\n"):
        head, *rest = [line for line in block.splitlines() if line.strip()] or [""]
        matched = _HEAD.match(head)
        if matched is not None and rest:
            at_ns = int(matched["seconds"]) * 10**9 + int(matched["fraction"].ljust(9, "0")[:9])
            yield int(matched["thread"]), at_ns, [_perf_frame(line) for line in rest]


def _perf_frame(line: str) -> _PerfFrame:
    matched = _PERF_FRAME.match(line)
    if matched is None:
        return _PerfFrame(int(line.split()[0], 16), "", "")
    path = matched["file"]
    is_file = not path.startswith("[unknown]") and not _PERF_MAP.search(path)
    symbol = matched["symbol"] if matched["symbol"] != "[unknown]" else ""
    return _PerfFrame(int(matched["address"], 16), path if is_file else "", symbol if is_file else "")


def _perf_steps(frames: Sequence[_PerfFrame], at_ns: int, namer: Namer) -> Iterator[Step]:
    """What is sure of a stack: the function that runs, and compiled functions one behind the other."""
    innermost = frames[0]
    if innermost.library:
        yield namer.step_in_file(innermost.library, innermost.symbol)
    for at, frame in enumerate(frames):
        function = None if frame.library else namer.process.compiled.find(frame.address - bool(at), at_ns)
        if function is None:
            if at == 0 and not innermost.library:
                yield Step((UNKNOWN,), "unknown")
            if at or not innermost.library:
                return  # whatever code kept no frame pointer: what follows is chance
        else:
            yield namer.compiled_step(function, frame.address - bool(at))
