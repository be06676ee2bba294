"""Call stacks: which functions run, who called them and at which line, through Python, compiled and library code.

What is watched runs in the profile build: compiled code with frame pointers and line tables, which numba makes into a cache
of its own (inside/profile_build.py). It is never the build that is timed. Three samplers can watch it:

sampler   in the process itself, on each thread's own clock; needs no rights (inside/sampler.py)
perf      where it is installed and allowed; sees no Python functions
py-spy    from outside by ptrace; it stops the program for each sample, for long where it looks at compiled code

What they saw is named afterwards, outside of the process, by its journal (workbench/symbols).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench import child, units
from workbench.child import Finished, Usage
from workbench.encode import STREAM, encode, without_folder
from workbench.errors import EnvironmentFault, SubjectError
from workbench.files import cache_folder
from workbench.instruments.inside import handler, start
from workbench.instruments.inside.attached import PERF_SUFFIX, PY_SPY_SUFFIX
from workbench.instruments.inside.watched import FAILED_SUFFIX, VARIABLE
from workbench.record import Record
from workbench.subject import Encoder, Subject, same_imports
from workbench.symbols.naming import Namer, Tally
from workbench.symbols.outside import perf_stacks, py_spy_stacks
from workbench.symbols.process import Process, read_processes

INSTRUMENT = "stacks"
SAMPLER, PERF, PY_SPY = "sampler", "perf", "py-spy"
SOURCES = (SAMPLER, PERF, PY_SPY)
RATES_HZ = {SAMPLER: 250.0, PERF: 499.0, PY_SPY: 200.0}
SAMPLED_S = 5.0
COST, PROFILE = "overhead", "profile"
_PROFILED = "workbench.instruments.inside.profiled"
_ALTERNATED = "workbench.instruments.inside.alternated"
_PAIRS = "pairs.json"
_ROUNDS = 8
_FEW_SAMPLES = 200
_NAMED_ENOUGH = 0.02
_LOST_ENOUGH = 0.02
_PYTHON = re.compile(r" \((?:.*\.py|<.*>)(?::\d+)?\)$")
_BODY = re.compile(r" \(encoder/(?!cli\.py|__main__\.py).*\.py(?::\d+)?\)$")


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    source    one of SOURCES; None for the first of them that works here
    rate_hz   samples a second of processor time; None for what suits the source
    seconds   of the steady state of an encode, at least; of a program, from its start (0: to its end)
    frames    of an encode, instead of `seconds`; 0 for these
    """

    source: str | None = None
    rate_hz: float | None = None
    seconds: float = SAMPLED_S
    frames: int = 0


def build_environment() -> dict[str, str]:
    """Where the profile build keeps its compiled functions, the encoder's and those of any other program."""
    return {
        "ENCODER_CACHE_DIR": str(cache_folder("compiled-for-profiles")),
        "NUMBA_CACHE_DIR": str(cache_folder("numba-for-profiles")),
    }


def warm(encoder: Encoder, kernels: str, folder: Path, timeout_s: float) -> Usage:
    """Compile the profile build into its cache."""
    words = (sys.executable, "-m", _PROFILED, "0", "0", "0", "--", "--warm", "--kernels", kernels, "-q")
    told = _told(folder, "", 0.0, native=False, seconds=0.0)
    return child.run(words, timeout_s, {**encoder.environment, **build_environment(), **told}).usage


def measure(
    subject: Subject,
    folder: Path,
    timeout_s: float,
    interpreted: bool,
    warm_up: int,
    sampling: Sampling | None = None,
) -> Record:
    """Sample one encode behind its first `warm_up` packets, its pictures repeated; the value is the number of samples. An
    interpreted set, whose mini-GOPs take minutes, encodes the clip once.

    data   folded: "thread;outermost;...;innermost" -> samples; source; rate_hz; seconds; frames: encoded meanwhile;
           unnamed_share: of the samples in compiled code (None: there are none); threads: their names

    Raises SubjectError where the encoder fails or no source works here.
    """
    sampling = sampling or Sampling()
    steady = (str(warm_up), "0", "0") if interpreted else (str(warm_up), str(sampling.seconds), str(sampling.frames))
    words = (sys.executable, "-m", _PROFILED, *steady, "--", *subject.arguments(folder / STREAM))
    watch = _Watch(words, {**subject.encoder.environment, **build_environment()}, timeout_s, native=not interpreted)
    seen, finished = _first_that_works(watch, folder, sampling)
    if finished.usage.exit_status != 0:
        raise SubjectError(f"the encoder failed under the sampler: {child.describe_failure(finished)}")
    seen.folded = Counter(_from_the_encoder_on(seen.folded))
    return _record(seen, subject.entry(), without_folder(words, folder))


def measure_program(
    words: Sequence[str], folder: Path, timeout_s: float, sampling: Sampling
) -> tuple[Record, Finished]:
    """Sample a program and all Python processes that it starts, from their start for `sampling.seconds` (0: to their end).

    Returns the record, as `measure` has it, and how the program ended. Raises SubjectError where none of its processes is a
    Python that can be watched, no source works here, or the program is still running at the time limit.
    """
    paths = [start.__path__[0], *same_imports().get("PYTHONPATH", os.environ.get("PYTHONPATH", "")).split(os.pathsep)]
    environment = {**build_environment(), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    watch = _Watch(tuple(words), environment, timeout_s, seconds=sampling.seconds)
    seen, finished = _first_that_works(watch, folder, sampling)
    if finished.usage.exit_status != 0:
        seen.warnings.append(f"the program did not end well: {child.describe_failure(finished)}")
    subject = {"program": list(words)}
    return _record(seen, subject, tuple(words)), finished


def measure_cost(subject: Subject, folder: Path, timeout_s: float, seconds: float) -> Record:
    """What the profile build and the sampler in it cost: the encode under them and the encode that is timed in turns, packet by
    packet in random order, for so many processor seconds.

    The values are ratios of processor time of a packet, sampled to plain; data: `rounds` of pairs [plain_s, sampled_s]. Raises
    SubjectError where the encoder fails or cannot be sampled.
    """
    place, pairs = folder / "cost", folder / _PAIRS
    place.mkdir()
    watched = {**build_environment(), **_told(place, SAMPLER, RATES_HZ[SAMPLER], native=True, seconds=0.0)}
    own = (str(pairs), str(seconds), str(_ROUNDS), json.dumps([{}, watched]), "--")
    start = (sys.executable, "-m", _ALTERNATED, *own)
    encode(subject.change(encoder=replace(subject.encoder, start=start)), folder, timeout_s + seconds)
    if failures := sorted(place.glob(f"*{FAILED_SUFFIX}")):
        raise SubjectError(f"the sampler's cost is not known: {failures[0].read_text(encoding='utf-8')}")
    rounds = json.loads(pairs.read_text(encoding="utf-8"))
    ratios = tuple(sampled_s / plain_s for each in rounds for plain_s, sampled_s in each if plain_s)
    data = {"detail": PROFILE, "rounds": rounds}
    return Record(INSTRUMENT, COST, "ratio", subject.entry(), ratios, data)


@dataclass(frozen=True)
class _Watch:
    """A command to run under a sampler. seconds: of a program, when sampling ends; native: compiled code is looked at."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    timeout_s: float
    native: bool = True
    seconds: float = 0.0


@dataclass
class _Seen:
    """What the sampling of one run gave."""

    source: str
    asked_hz: float
    processes: list[Process]
    rate_hz: float = 0.0
    folded: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    warnings: list[str] = field(default_factory=list)


def _first_that_works(watch: _Watch, folder: Path, sampling: Sampling) -> tuple[_Seen, Finished]:
    """Run under the source that is asked for, or under the first that this machine allows."""
    sources = (sampling.source,) if sampling.source is not None else SOURCES
    refused: list[str] = []
    for number, source in enumerate(sources):
        place = folder / f"{source}-{number}"
        place.mkdir()
        rate_hz = sampling.rate_hz or RATES_HZ[source]
        try:
            told = _told(place, source, rate_hz, watch.native, watch.seconds)
        except (EnvironmentFault, handler.HandlerError) as error:
            refused.append(str(error))
            continue
        finished = child.run(watch.words, watch.timeout_s, {**watch.environment, **told}, check=False)
        failures = [path.read_text(encoding="utf-8") for path in sorted(place.glob(f"*{FAILED_SUFFIX}"))]
        processes = [process for process in read_processes(place) if process.began_ns is not None]
        if processes:
            seen = _named(source, rate_hz, processes)
            seen.warnings[:0] = [f"{why}; {source} was taken" for why in refused]
            seen.warnings += [f"a process is not in the profile: {why}" for why in dict.fromkeys(failures)]
            return seen, finished
        if not failures:
            raise SubjectError(_unwatched(watch, finished))
        refused.append(failures[0])
    raise SubjectError("; ".join(refused))


def _unwatched(watch: _Watch, finished: Finished) -> str:
    if finished.usage.exit_status != 0:
        return f"{shlex.join(watch.words)}: ended before it could be sampled: {child.describe_failure(finished)}"
    return (
        f"{shlex.join(watch.words)}: none of its processes is a Python that can be watched: it is another program, or it "
        "runs with -I, -E or -S, or without the environment that it was given"
    )


def _told(folder: Path, source: str, rate_hz: float, native: bool, seconds: float) -> dict[str, str]:
    """The environment that has a process watched; see inside/watched.py. Raises EnvironmentFault where a tool is missing,
    HandlerError where the sampler cannot be had."""
    code = folder / "handler.bin"
    if source == SAMPLER:
        code.write_bytes(handler.machine_code())
    command = {PERF: _perf, PY_SPY: _py_spy}[source]() if source in (PERF, PY_SPY) else []
    settings = {
        "folder": str(folder),
        "source": source,
        "rate_hz": rate_hz,
        "handler": str(code),
        "command": command,
        "native": native,
        "seconds": seconds,
    }
    return {VARIABLE: json.dumps(settings)}


def _named(source: str, rate_hz: float, processes: list[Process]) -> _Seen:
    """Names for what the processes left behind."""
    seen = _Seen(source, rate_hz, processes)
    for number, process in enumerate(processes, 1):
        namer = Namer(process, number, seen.tally)
        seen.folded += _stacks(source, process, namer)
        seen.warnings += process.warnings
        seen.warnings += sorted({each.warning for each in process.compiled.objects if each.warning})
    seen.rate_hz = _real_rate(seen)
    seen.warnings = [*dict.fromkeys(seen.warnings), *_warnings(seen)]
    return seen


def _stacks(source: str, process: Process, namer: Namer) -> Counter[str]:
    if source == SAMPLER:
        return Counter(";".join(frames) for sample in process.samples() if (frames := namer.stack(sample)))
    if source == PERF:
        return perf_stacks(process.path.with_suffix(PERF_SUFFIX), _perf(), namer)
    raw = process.path.with_suffix(PY_SPY_SUFFIX)
    return py_spy_stacks(raw.read_text(encoding="utf-8") if raw.is_file() else "", namer)


def _real_rate(seen: _Seen) -> float:
    """Samples a second of processor time that are in the profile: as many as were asked for, or as the kernel's tick allows,
    or, of a long run, as were kept."""
    rate_hz = min(process.rate_hz for process in seen.processes)
    taken = sum(process.taken or 0 for process in seen.processes)
    return rate_hz * min(1.0, seen.tally.samples / taken) if taken > handler.SLOTS else rate_hz


def _warnings(seen: _Seen) -> list[str]:
    """What the reader of the profile has to know."""
    said, tally = [], seen.tally
    possible_hz = min(process.rate_hz for process in seen.processes)
    if possible_hz < seen.asked_hz:
        said.append(f"{seen.asked_hz:.0f} samples a second were asked for, the kernel's tick allows {possible_hz:.0f}")
    if tally.samples < _FEW_SAMPLES:
        said.append(f"a run of fewer than {_FEW_SAMPLES} samples: shares are rough; sample longer, or a longer program")
    if tally.unnamed_share is not None and tally.unnamed_share > _NAMED_ENOUGH:
        share = units.percent(tally.unnamed_share)
        said.append(
            f"{share} of the samples in compiled code have no name: code that was not loaded by llvmlite, or freed"
        )
    if tally.lost > _LOST_ENOUGH * tally.samples:
        share = units.percent(tally.lost / tally.samples)
        said.append(
            f"in {share} of the stacks a library stands between compiled functions, and callers above are missing"
        )
    if killed := [process for process in seen.processes if not process.ended]:
        what = "the program" if len(seen.processes) == 1 else f"{len(killed)} of {len(seen.processes)} processes"
        said.append(
            f"{what} ended without taking leave (a signal, or os._exit): names of its last moments may be missing"
        )
    if seen.source == PERF:
        said.append("perf sees no Python functions, and not the caller of a library function; the sampler does")
    taken = sum(process.taken or 0 for process in seen.processes)
    if taken > handler.SLOTS:
        said.append(
            f"{units.count(taken)} samples were taken, {units.count(tally.samples)} of them, drawn at random, are kept"
        )
    return said


def _record(seen: _Seen, subject: Mapping[str, Any], command: tuple[str, ...]) -> Record:
    frames = [process.frames for process in seen.processes if process.frames is not None]
    data = {
        "folded": dict(seen.folded),
        "source": seen.source,
        "rate_hz": seen.rate_hz,
        "seconds": max((process.sampled_s() for process in seen.processes), default=0.0),
        "frames": frames[0] if frames else None,
        "unnamed_share": seen.tally.unnamed_share,
        "threads": {
            Namer(process, number).thread(thread.number): thread.name
            for number, process in enumerate(seen.processes, 1)
            for thread in process.threads.values()
        },
    }
    samples = float(sum(seen.folded.values()))
    return Record(INSTRUMENT, "samples", "count", subject, (samples,), data, tuple(seen.warnings), command)


def _from_the_encoder_on(folded: Mapping[str, int]) -> dict[str, int]:
    """An encode's stacks from the encoder's own first function on; what began it is of no interest, and what no function of
    the encoder began is not the encoder at work."""
    found: dict[str, int] = {}
    for stack, count in folded.items():
        thread, *frames = stack.split(";")
        body = next((at for at, frame in enumerate(frames) if _BODY.search(frame)), None)
        if body is None and any(_PYTHON.search(frame) for frame in frames):
            continue
        shown = ";".join([thread, *frames[body or 0 :]])
        found[shown] = found.get(shown, 0) + count
    return found


def _perf() -> list[str]:
    found = shutil.which("perf")
    if found is None:
        raise EnvironmentFault(
            "perf is not installed; install your distribution's linux-perf, or take --source sampler"
        )
    return [found]


def _py_spy() -> list[str]:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    if found is None:
        raise EnvironmentFault("py-spy is not installed; run: pip install py-spy")
    return [found]
