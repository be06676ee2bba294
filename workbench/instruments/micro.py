"""Kernels alone: checked against the reference first, then timed by pyperf on the same cases."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import child, units
from workbench.encode import without_folder
from workbench.errors import InputError, SubjectError, SubjectTimeout
from workbench.record import Record

INSTRUMENT = "pyperf"
PROCESSES, VALUES, WARM_UPS = 3, 3, 1
UNSTABLE = 0.10  # pyperf's own limit: a standard deviation above 10 % of the mean
_CHECKED = "workbench.instruments.inside.checked"
_BENCH = "workbench.instruments.inside.bench"
_SIZES = "workbench.instruments.inside.sizes"
_PASSED_ON = "PYTHONPATH,PYTHONSAFEPATH,XDG_CACHE_HOME,ENCODER_CACHE_DIR,HOME"


@dataclass(frozen=True)
class Checked:
    """One slot of a set against the reference. `differences` is empty when it is right; `origin` is the body that
    fills it."""

    slot: str
    kernels: str
    origin: str
    cases: int
    differences: tuple[str, ...]


def check(
    kernels: str, slots: Sequence[str], seed: int, environment: Mapping[str, str], timeout_s: float
) -> list[Checked]:
    """Compare slots of a kernel set with the python set, bit for bit, in a process of its own.

    A kernel that crashes the process or hangs is a difference of its slot; those behind it are checked in another
    process. Raises InputError when the set cannot be loaded.
    """
    left = list(slots)
    checked: list[Checked] = []
    while left:
        found, failure = _checked_in_child(kernels, left, seed, environment, timeout_s)
        checked += found
        left = left[len(found) :]
        if left:
            checked.append(Checked(left.pop(0), kernels, "", 0, (failure,)))
    return checked


def _checked_in_child(
    kernels: str, slots: Sequence[str], seed: int, environment: Mapping[str, str], timeout_s: float
) -> tuple[list[Checked], str]:
    """The slots as far as the child came, and what ended it if that was not the last one."""
    words = (sys.executable, "-m", _CHECKED, kernels, str(seed), *slots)
    try:
        finished = child.run(words, timeout_s, environment, check=False)
        output, failure = finished.output, f"the process was {child.describe_failure(finished)}"
        if finished.usage.exit_status > 0:  # what a kernel raises is caught in there: this is not one's doing
            raise SubjectError(f"the kernels of {kernels} cannot be checked: {child.describe_failure(finished)}")
    except SubjectTimeout as hung:
        output, failure = hung.output, f"was still running after {units.seconds(timeout_s)}"
    lines = [json.loads(line) for line in output.splitlines()]
    if lines and "error" in lines[0]:
        raise InputError(lines[0]["error"])
    found = [
        Checked(line["slot"], kernels, line["origin"], line["cases"], tuple(line["differences"])) for line in lines
    ]
    return found, failure


def bench(
    kernels: str, slot: str, pattern: str, folder: Path, environment: Mapping[str, str], timeout_s: float
) -> Record:
    """Time a slot that was found right: the mean time of a call over the cases that fit the pattern."""
    result = folder / "bench.json"
    result.unlink(missing_ok=True)
    which = ("--kernels", kernels, "--slot", slot, "--case", pattern)
    size = ("--processes", str(PROCESSES), "--values", str(VALUES), "--warmups", str(WARM_UPS), "--quiet")
    words = (sys.executable, "-m", _BENCH, *which, *size, "--inherit-environ", _PASSED_ON, "-o", str(result))
    child.run(words, timeout_s, environment)
    import pyperf

    return _record(kernels, slot, pattern, pyperf.Benchmark.load(str(result)), without_folder(words, folder))


@dataclass(frozen=True)
class SizeTimes:
    """A slot at one size: nanoseconds of a call by set, of an empty call, and of a cycle."""

    slot: str
    size: str
    samples: int
    cycle_ns: float
    call_ns: float
    ns: dict[str, float]


def by_size(
    sets: Sequence[str], slots: Sequence[str], environment: Mapping[str, str], timeout_s: float
) -> list[SizeTimes]:
    """Time slots size by size, the sets in turns in one process."""
    words = (sys.executable, "-m", _SIZES, json.dumps(list(sets)), *slots)
    output = child.run(words, timeout_s, environment).output
    return [SizeTimes(**json.loads(line)) for line in output.splitlines()]


def _record(kernels: str, slot: str, pattern: str, benchmark: Any, command: tuple[str, ...]) -> Record:
    subject = {"slot": slot, "kernels": kernels, "case": pattern}
    data = {"processes": PROCESSES, "cases": benchmark.get_metadata()["inner_loops"]}
    spread = benchmark.stdev() / benchmark.mean()
    said = f"{slot}: its times spread by {units.percent(spread)} of their mean: the machine is not quiet; try again"
    warnings = (said,) if spread > UNSTABLE else ()
    return Record(INSTRUMENT, "kernel", "s", subject, tuple(benchmark.get_values()), data, warnings, command)
