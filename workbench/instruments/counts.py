"""Instructions executed, by callgrind: for machines too noisy to time. The same work costs the same number every time.

A processor without vector registers of its own, valgrind's, runs the program and counts. What could make two runs differ is
held fast: the instruction set that numba compiles for, with a cache of its own; compiled code that lies in that cache before
the first counted run, so that all of it is loaded in the same order; hashes, addresses, threads. Counted is from the first
picture to the last packet, less what numba loads on the way (inside/counted.py).

It is not a timer: every instruction counts 1, and it counts AVX2 code where the encoder alone may run AVX-512.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from workbench import child, machine, units
from workbench.callgrind import UNKNOWN, FormatError, Function, Symbol, SymbolMap, read_costs
from workbench.child import Finished
from workbench.encode import STREAM, without_folder
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.files import cache_folder
from workbench.instruments.inside import start_counts, valgrind
from workbench.instruments.inside.counted import VARIABLE
from workbench.record import Record
from workbench.subject import Subject, same_imports
from workbench.symbols.naming import short_name

INSTRUMENT = "counts"
METRIC = "instructions"
RUNS = 2
PPM = 1e6
COMPILED = ("kernel", "compiled", "wrapper")
"""Kinds of functions that numba has compiled."""
_COUNTED = "workbench.instruments.inside.counted"
_RESULT, _PID, _LOG, _COSTS = "result.json", "pid", "valgrind.log", "callgrind.out"
_SHOWN_LIBRARY_FUNCTIONS = 40
_REST = "[all other library functions]"
_NAMELESS_ENOUGH = 0.005
_WRAPPER = " (wrapper)"
_COPY = " (copy)"
# What numba compiles for: the newest level that the processor and valgrind have. (x86-64 psABI, "micro-architecture levels")
_LEVELS = {
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v2": {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
}
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class _Counted:
    """One run: costs by function, the function of each slot, frames coded (None: no encode), and what is missing."""

    functions: Mapping[str, Function]
    slots: Mapping[str, str]
    frames: int | None
    missing: tuple[str, ...]


def require_valgrind() -> str:
    """The version of valgrind. Raises EnvironmentFault where it is not there or cannot count here."""
    if shutil.which("valgrind") is None:
        raise EnvironmentFault(
            "valgrind is not installed, instructions cannot be counted; install it (Debian: apt-get install valgrind), or "
            "count calls alone: --only calls"
        )
    _level()
    return child.run(("valgrind", "--version"), 60.0).output.strip().removeprefix("valgrind-")


def _level() -> str:
    flags = machine.cpu_flags()
    for name, wanted in _LEVELS.items():
        if wanted <= flags:
            return name
    raise EnvironmentFault(
        f"instructions are counted on x86-64 from level 2 on (SSE 4.2), this is {platform.machine()} without that; count calls "
        "alone: --only calls"
    )


def build_environment() -> dict[str, str]:
    """What makes two runs execute the same instructions: where the counted build keeps its compiled functions, what they are
    compiled for, and what else would differ."""
    level = _level()
    return {
        "ENCODER_CACHE_DIR": str(cache_folder(f"compiled-for-counts-{level}")),
        "NUMBA_CACHE_DIR": str(cache_folder(f"numba-for-counts-{level}")),
        "NUMBA_CPU_NAME": level,
        "NUMBA_CPU_FEATURES": "",  # those of the name, not this processor's
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(_ONE_THREAD, "1"),
    }


def measure(
    subject: Subject, folder: Path, timeout_s: float, runs: int = RUNS, now: Callable[[str], None] = lambda _: None
) -> Record:
    """Count the instructions of an encode on one thread, `runs` times; the values are the runs' sums over compiled functions
    (over everything, where the walk is interpreted).

    `now` hears what is being done. Raises EnvironmentFault without valgrind, InputError for what the encoder does not take,
    SubjectError where it fails.

    data   frames: coded; level: instruction set; valgrind: its version; functions: [{name, kind ("kernel", "compiled",
           "wrapper", "library" or "unknown"), instructions: in itself, by run, inclusive: with all that it calls, or None,
           calls}, ...]; slots: slot -> name of the function that fills it; all_instructions: of everything, by run;
           spread_ppm: of the values, see `spread_ppm`; all_spread_ppm: of everything; function_spread_ppm: the greatest of
           a compiled function
    """
    version = require_valgrind()
    alone = subject.change(threads=1)
    environment = {**subject.encoder.environment, **build_environment()}
    words = (sys.executable, "-m", _COUNTED, *alone.arguments(folder / STREAM))
    now("compiling what is not compiled yet")
    _check_encode(child.run(words, timeout_s, {**environment, **_told(folder)}, check=False))
    now(f"{runs} runs under callgrind")
    counted = _side_by_side([partial(_encode, alone, folder / f"run-{n}", timeout_s, environment) for n in range(runs)])
    about = {"level": _level(), "valgrind": version}
    return _record(counted, alone.entry(), without_folder(words, folder), about)


def measure_program(words: Sequence[str], folder: Path, timeout_s: float, runs: int = RUNS) -> tuple[Record, Finished]:
    """Count the instructions of a program, `runs` times, without the processes that it starts: of a Python program from its
    first line on, less what numba compiles and loads; of any other one all.

    Returns the record, as `measure` has it, and how the last run ended. Raises as `measure` does, and SubjectError where
    nothing was counted.
    """
    version = require_valgrind()
    paths = [
        start_counts.__path__[0],
        *same_imports().get("PYTHONPATH", os.environ.get("PYTHONPATH", "")).split(os.pathsep),
    ]
    environment = {**build_environment(), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    ended: list[Finished] = []
    counted = _side_by_side(
        [partial(_program, words, folder / f"run-{n}", timeout_s, environment, ended) for n in range(runs)]
    )
    about = {"level": _level(), "valgrind": version}
    record = _record(counted, {"program": list(words)}, tuple(words), about)
    return record, ended[-1]


def spread_ppm(values: Sequence[float]) -> float | None:
    """How far the runs lie apart, in millionths of their median; None for fewer than two."""
    middle = statistics.median(values) if values else 0
    return (max(values) - min(values)) / middle * PPM if len(values) > 1 and middle else None


# --- running ----------------------------------------------------------------------------------------------------------


def _side_by_side(jobs: Sequence[Callable[[], _Counted]]) -> list[_Counted]:
    """Runs do not disturb each other's counts."""
    return child.together(jobs, min(len(jobs), machine.cores()))


def _told(folder: Path) -> dict[str, str]:
    return {VARIABLE: json.dumps({"switch": "callgrind", "result": str(folder / _RESULT)})}


def _encode(subject: Subject, folder: Path, timeout_s: float, environment: Mapping[str, str]) -> _Counted:
    words = (sys.executable, "-m", _COUNTED, *subject.arguments(folder / STREAM))
    finished = _run(words, folder, timeout_s, environment, starts_counting=False)
    _check_encode(finished)
    return _read(folder, finished)


def _program(
    words: Sequence[str], folder: Path, timeout_s: float, environment: Mapping[str, str], ended: list[Finished]
) -> _Counted:
    finished = _run(words, folder, timeout_s, environment, starts_counting=True)
    ended.append(finished)
    return _read(folder, finished)


def _run(
    words: Sequence[str], folder: Path, timeout_s: float, environment: Mapping[str, str], starts_counting: bool
) -> Finished:
    folder.mkdir()
    launcher = (sys.executable, "-I", "-S", valgrind.__file__, str(folder / _PID))
    options = (
        "--tool=callgrind",
        "--dump-instr=yes",  # a cost for each address: compiled functions are named by theirs
        f"--instr-atstart={'yes' if starts_counting else 'no'}",
        f"--callgrind-out-file={folder / _COSTS}.%p",
        f"--log-file={folder / _LOG}.%p",
        "--vgdb=no",
    )
    command = (*launcher, "valgrind", *options, *words)
    return child.run(command, timeout_s, {**environment, **_told(folder)}, check=False)


def _check_encode(finished: Finished) -> None:
    """Raise for an encode that has failed; what the encoder calls bad input is bad input of ours, in its own words."""
    status = finished.usage.exit_status
    if status == InputError.exit_status:
        raise InputError(child.last_line(finished) or "the encoder does not take the input, and does not say why")
    if status != 0:
        raise SubjectError(
            f"the encoder failed while its instructions were counted: {child.describe_failure(finished)}"
        )


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(folder: Path, finished: Finished) -> _Counted:
    """What one run counted. Raises SubjectError where that is nothing."""
    pid = (folder / _PID).read_text() if (folder / _PID).is_file() else ""
    costs = folder / f"{_COSTS}.{pid}"
    told, missing = _result(folder / _RESULT)
    if finished.usage.exit_status:
        missing.append(f"the program did not end well: {child.describe_failure(finished)}")
    forks = sum(1 for other in folder.glob(f"{_COSTS}.*") if other != costs)
    if forks:
        what = "1 process that it forked is" if forks == 1 else f"{forks} processes that it forked are"
        missing.append(f"{what} not counted")
    symbols, slots = _symbols(told)
    try:
        with costs.open(encoding="utf-8", errors="replace") as lines:
            functions = read_costs(lines, SymbolMap(symbols))
    except (OSError, FormatError) as error:
        raise SubjectError(f"callgrind counted nothing: {child.describe_failure(finished)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # tens of megabytes
    if not sum(function.instructions for function in functions.values()):
        raise SubjectError(f"callgrind counted nothing: {child.describe_failure(finished)}")
    return _Counted(functions, slots, told["frames"], tuple(missing))


def _result(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What the program said at its end, and what is missing."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        nothing: dict[str, Any] = {"frames": None, "slots": {}, "symbols": []}
        return nothing, ["the program is no Python, or ended all at once: compiled functions have no names"]
    return told, list(told["missing"])


def _symbols(told: Mapping[str, Any]) -> tuple[list[Symbol], dict[str, str]]:
    """The compiled functions, and the names of those that fill slots: theirs alone, whatever else has the same name."""
    slot_at = {address: slot for slot, address in told["slots"].items()}
    names = {address: short_name(name) for address, _, name, wrapper in told["symbols"] if not wrapper}
    in_slots = [names[address] for address in slot_at if address in names]
    symbols, slots = [], {}
    for address, size, long_name, wrapper in told["symbols"]:
        name = short_name(long_name) + (_WRAPPER if wrapper else "")
        if address in slot_at:
            name += f" ({slot_at[address]})" if in_slots.count(name) > 1 else ""
            slots[slot_at[address]] = name
        elif name in in_slots:
            name += _COPY
        symbols.append(Symbol(address, size, name))
    return symbols, slots


# --- the record -------------------------------------------------------------------------------------------------------


def _record(
    counted: Sequence[_Counted], subject: Mapping[str, Any], command: tuple[str, ...], about: Mapping[str, Any]
) -> Record:
    first = counted[0]
    kernels = set(first.slots.values())
    functions = [_entry(name, counted, kernels) for name in {name for run in counted for name in run.functions}]
    functions.sort(key=lambda entry: (-statistics.median(entry["instructions"]), entry["name"]))
    compiled = [entry for entry in functions if entry["kind"] in COMPILED]
    everything, of_compiled = _sums(functions), _sums(compiled)
    values = of_compiled if any(of_compiled) else everything
    data = {
        "frames": first.frames,
        **about,
        "functions": _shortened(functions),
        "slots": dict(first.slots),
        "all_instructions": everything,
        "spread_ppm": spread_ppm(values),
        "all_spread_ppm": spread_ppm(everything),
        "function_spread_ppm": max(
            (spread for entry in compiled if (spread := spread_ppm(entry["instructions"])) is not None), default=None
        ),
    }
    said = dict.fromkeys(text for run in counted for text in run.missing)
    warnings = (*said, *_warnings(functions, everything, of_compiled))
    return Record(INSTRUMENT, METRIC, "count", subject, tuple(map(float, values)), data, warnings, command)


def _sums(functions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Instructions of these functions, by run."""
    return [sum(run) for run in zip(*(entry["instructions"] for entry in functions), strict=True)]


def _entry(name: str, counted: Sequence[_Counted], kernels: set[str]) -> dict[str, Any]:
    runs = [run.functions.get(name, Function()) for run in counted]
    return {
        "name": name,
        "kind": _kind(name, kernels),
        "instructions": [run.instructions for run in runs],
        "inclusive": runs[0].inclusive,
        "calls": runs[0].calls,
    }


def _kind(name: str, kernels: set[str]) -> str:
    if name in kernels:
        return "kernel"
    if name == UNKNOWN:
        return "unknown"
    if name.startswith("["):
        return "library"
    return "wrapper" if name.endswith(_WRAPPER) else "compiled"


def _shortened(functions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All compiled functions, the costliest library functions, and the rest of these in one."""
    rest = [entry for entry in functions if entry["kind"] == "library"][_SHOWN_LIBRARY_FUNCTIONS:]
    left_out = {entry["name"] for entry in rest}
    shown = [entry for entry in functions if entry["name"] not in left_out]
    if rest:
        unsaid = {"inclusive": None, "calls": None}
        shown.append({"name": _REST, "kind": "library", "instructions": _sums(rest), **unsaid})
    return shown


def _warnings(
    functions: Sequence[Mapping[str, Any]], everything: Sequence[int], of_compiled: Sequence[int]
) -> list[str]:
    said = []
    unknown = sum(entry["instructions"][0] for entry in functions if entry["kind"] == "unknown")
    if unknown > _NAMELESS_ENOUGH * everything[0]:
        said.append(f"{units.percent(unknown / everything[0])} of the instructions are in code that has no name")
    if not any(of_compiled):
        said.append("no compiled function was counted: the figures are those of everything, the interpreter included")
    if len(everything) < 2:
        said.append("one run only: how far runs lie apart is not known; raise --runs")
    return said
