"""Memory of an encode or a program: resident set, every allocation of the steady state, and who allocates in compiled code.

Four ways to look, each with a run of its own, because each disturbs the others' figures:

- `watch_resident` samples the resident set from outside; the maximum is wait4's, of that process alone.
- `measure` has memray around the steady state of an encode. The first frames are left out: they fill caches, slots and
  buffers that later frames reuse. The clip's first pictures are encoded forwards and backwards, so that a short clip has a
  steady state too. Marks in the capture tell the frames apart, and replaying it gives exact peaks (inside/ledger.py).
- `measure_objects` follows Python objects that stay alive, which come from the interpreter's own arenas.
- `measure_kernels` counts in numba's runtime itself: memray does not see into compiled code and charges what a kernel
  allocates to the Python line that entered compiled code.

Programs that are no encoder have no frames: `measure_program` looks at them from start to end, in slices of time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM, without_folder
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.record import Record
from workbench.subject import Subject, same_imports

INSTRUMENT = "memray"
RESIDENT = "resident"
KERNELS = "nrt"
OBJECTS = "tracemalloc"
TOP_SITES = 20
RATE_HZ = 100.0
FEW_SAMPLES = 10
LOADING = "[import or compile]"
"""Behind a place where a module is being imported or a function compiled."""
_KERNELS_NAME = "kernels.json"
_INSIDE = "workbench.instruments.inside"
_REPLAY_TIMEOUT_S = 600.0
_STATISTICS = {"NUMBA_NRT_STATS": "1"}


def is_installed() -> bool:
    """Whether memray is there."""
    return importlib.util.find_spec("memray") is not None


# --- resident set -----------------------------------------------------------------------------------------------------


def watch_resident(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    timeout_s: float,
    subject: Mapping[str, Any],
    rate_hz: float = RATE_HZ,
) -> Record:
    """Run a command line and sample its resident set `rate_hz` times a second; the value is the maximum.

    data   samples: [seconds, resident bytes, of those bytes of files]; interval_s; wall_s; exit_status
    Raises EnvironmentFault when it cannot be started, SubjectTimeout when it hangs.
    """
    report_path = folder / "resident.json"
    report_path.unlink(missing_ok=True)
    program = Path(__file__).parent / "inside" / "resident.py"
    watcher = (sys.executable, "-I", "-S", str(program), str(report_path), str(rate_hz))
    finished = child.run((*watcher, *words), timeout_s, environment, check=False)
    if not report_path.is_file():
        raise SubjectError(f"{shlex.join(words)}: could not be watched: {child.describe_failure(finished)}")
    report = json.loads(report_path.read_text())
    if "error" in report:
        raise EnvironmentFault(f"{words[0]}: cannot be started: {report['error']}")
    said = child.last_line(finished)
    peak = float(report["max_rss_bytes"])
    kept = ("samples", "interval_s", "wall_s", "exit_status", "children", "own_peak_bytes", "executable")
    data = {key: report[key] for key in kept} | {"rate_hz": rate_hz, "said": said}
    warnings = tuple(_resident_warnings(report, rate_hz))
    return Record(RESIDENT, "max_rss", "bytes", subject, (peak,), data, warnings, without_folder(words, folder))


def _resident_warnings(report: Mapping[str, Any], rate_hz: float) -> list[str]:
    said = []
    samples = len(report["samples"])
    if report["children"]:
        said.append(
            "it started other processes: the maximum is the largest of them all, the timeline that of the first alone"
        )
    if samples < FEW_SAMPLES:
        said.append(f"only {samples} samples of its resident set at {rate_hz:g} Hz: it is short; the maximum is exact")
    return said


def is_python(record: Record) -> bool:
    """Whether the process of a resident set record was a Python interpreter."""
    return Path(str(record.data["executable"])).name.startswith(("python", "pypy"))


def failure(record: Record) -> str:
    """How the process of a resident set record failed, in its own last words; empty where it did not."""
    status = int(record.data["exit_status"])
    if not status:
        return ""
    ended = child.describe_status(status)
    said = record.data.get("said", "")
    return f"{ended}: {said}" if said else f"{ended}, and nothing on standard error"


def watch_encode(subject: Subject, folder: Path, timeout_s: float) -> Record:
    """The resident set of an encode as a user would run it. Raises InputError for input that the encoder does not take,
    SubjectError when it fails, and as `watch_resident`."""
    words = subject.command(folder / STREAM)
    record = watch_resident(words, subject.encoder.environment, folder, timeout_s, subject.entry())
    if int(record.data["exit_status"]) == InputError.exit_status and record.data["said"]:
        raise InputError(str(record.data["said"]))
    if why := failure(record):
        raise SubjectError(f"{shlex.join(record.command)}: {why}")
    return record


# --- allocations of an encode -----------------------------------------------------------------------------------------


def measure(subject: Subject, folder: Path, timeout_s: float, warm_up: int, frames: int) -> list[Record]:
    """Track one encode of `frames` pictures behind its first `warm_up` packets: `allocations` and `peak_bytes`.

    The data of `allocations` is the replay (inside/replayed.py) with sites as text, `frames`, `warm_up` and `top_sites`.
    Raises SubjectError when the encoder fails or nothing was captured, EnvironmentFault without memray.
    """
    _require_memray()
    capture, marks = folder / "allocations.bin", folder / "marks.txt"
    for path in (capture, marks):
        path.unlink(missing_ok=True)
    options = (str(capture), str(marks), str(warm_up), str(frames))
    words = (sys.executable, "-m", f"{_INSIDE}.tracked", *options, *subject.arguments(folder / STREAM))
    child.run(words, timeout_s, {**subject.encoder.environment, **_STATISTICS})
    if not capture.is_file():
        raise SubjectError(f"{subject.clip}: memray wrote no capture; were there frames behind the first {warm_up}?")
    replay = _replay(capture, marks, folder)
    asked = frames - warm_up
    done = len(replay["marks"]) - 1
    if done < asked:
        replay["missing"].append(f"{done} of {asked} frames are tracked: the capture was full, or the clip at its end")
    about = {"frames": max(done, 0), "warm_up": warm_up}
    return _records(replay, about, subject.entry(), without_folder(words, folder))


def _require_memray() -> None:
    if not is_installed():
        raise EnvironmentFault("memray is not installed, so allocations cannot be counted; run: pip install memray")


def _replay(capture: Path, marks: Path, folder: Path) -> dict[str, Any]:
    """What a capture holds, with the times and counts of the marks."""
    output = folder / "replay.json"
    child.run(
        (sys.executable, "-m", f"{_INSIDE}.replayed", str(capture), str(output)), _REPLAY_TIMEOUT_S, same_imports()
    )
    replay: dict[str, Any] = json.loads(output.read_text())
    lines = [line.split() for line in marks.read_text().splitlines()] if marks.is_file() else []
    replay["mark_s"] = [float(line[0]) for line in lines]
    replay["python_blocks"] = [int(line[1]) for line in lines]
    replay["compiled"] = [[int(line[2]), int(line[3])] for line in lines]
    _put_into_words(replay["sites"])
    return replay


def _put_into_words(sites: Sequence[dict[str, Any]]) -> None:
    """Give each site its place and its stack as text."""
    for site in sites:
        frames, own = site.pop("frames"), site.pop("own")
        site["site"] = _site_text(own or (frames[0] if frames else None), site["loading"])
        site["stack"] = [_frame_text(frame) for frame in frames]


def _records(
    replay: Mapping[str, Any], about: Mapping[str, Any], subject: Mapping[str, Any], command: tuple[str, ...]
) -> list[Record]:
    count, peak = float(replay["count"]), float(replay["peak_bytes"])
    missing = tuple(replay["missing"])
    data = {**about, **{key: value for key, value in replay.items() if key != "missing"}}
    data["top_sites"] = top_sites(replay["sites"])

    def record(metric: str, unit: str, value: float, data: Mapping[str, Any], said: tuple[str, ...] = ()) -> Record:
        return Record(INSTRUMENT, metric, unit, subject, (value,), data, said, command)

    return [
        record("allocations", "count", count, data, missing),
        record("peak_bytes", "bytes", peak, about),
    ]


def top_sites(sites: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The TOP_SITES places that allocate most bytes, their stacks added up."""
    merged: dict[str, dict[str, Any]] = {}
    for site in sites:
        entry = merged.setdefault(site["site"], {"site": site["site"], "count": 0, "bytes": 0})
        entry["count"] += site["count"]
        entry["bytes"] += site["bytes"]
    return sorted(merged.values(), key=lambda entry: -int(entry["bytes"]))[:TOP_SITES]


def _site_text(frame: Sequence[Any] | None, loading: bool) -> str:
    """The place that an allocation is booked to: a frame of the program's own, else the innermost one."""
    where = _frame_text(frame) if frame else "[no Python frame]"
    return f"{where} {LOADING}" if loading else where


def _frame_text(frame: Sequence[Any]) -> str:
    function, path, line = frame
    return readable_site(f"{function}:{path}:{line}") if str(path).startswith("/") else f"{path}:{line} {function}"


def readable_site(location: str) -> str:
    """memray's "function:/a/long/path/encoder/tile/walk.py:12" as "tile/walk.py:12 function": the last folder and the
    file."""
    function, _, rest = location.partition(":/")
    path, _, line = rest.rpartition(":")
    return f"{'/'.join(path.split('/')[-2:])}:{line} {function}" if path else location


def measure_objects(subject: Subject, folder: Path, timeout_s: float, warm_up: int, frames: int) -> Record:
    """Follow the Python objects of an encode of `frames` pictures that stay alive behind its first `warm_up` packets; the
    value is their number at the end. It tells which lines keep them, where `measure` has found that they become more.

    data   the report of inside/kept_objects.py with sites as text, `frames` and `warm_up`
    Raises SubjectError when the encoder fails.
    """
    output = folder / "objects.json"
    output.unlink(missing_ok=True)
    options = (str(output), str(warm_up), str(frames))
    words = (sys.executable, "-m", f"{_INSIDE}.kept_objects", *options, *subject.arguments(folder / STREAM))
    child.run(words, timeout_s, subject.encoder.environment)
    report = json.loads(output.read_text())
    _put_into_words(report["sites"])
    data = {"frames": frames - warm_up, "warm_up": warm_up, **report}
    value, command = (float(report["objects"]),), without_folder(words, folder)
    return Record(OBJECTS, "python_objects", "count", subject.entry(), value, data, command=command)


# --- allocations in compiled code -------------------------------------------------------------------------------------


def measure_kernels(
    subject: Subject, folder: Path, timeout_s: float, warm_up: int, frames: int, environment: Mapping[str, str]
) -> Record:
    """Count the allocations that compiled code makes behind the first `warm_up` packets, by the functions that make them; the
    value is their number. No values, but a warning, where numba's runtime cannot be watched.

    environment   where the build with frame pointers keeps its compiled code
    data          the report of inside/allocating.py, `frames` and `warm_up`
    Raises SubjectError when the encoder fails.
    """
    output = folder / _KERNELS_NAME
    output.unlink(missing_ok=True)
    options = (str(output), str(warm_up), str(frames))
    words = (sys.executable, "-m", f"{_INSIDE}.allocating", *options, *subject.arguments(folder / STREAM))
    child.run(words, timeout_s, {**subject.encoder.environment, **_STATISTICS, **environment})
    about = {"frames": frames - warm_up, "warm_up": warm_up}
    return _kernels_record(output, about, subject.entry(), without_folder(words, folder))


def _kernels_record(
    output: Path, about: Mapping[str, Any], subject: Mapping[str, Any], command: tuple[str, ...]
) -> Record:
    report = json.loads(output.read_text()) if output.is_file() else {"error": "it ended before it could say anything"}
    if "error" in report:
        said = (f"allocations of compiled code have no names: {report['error']}",)
        return Record(KERNELS, "kernel_allocations", "count", subject, (), about, said, command)
    missing = tuple(report.pop("missing"))
    return Record(
        KERNELS,
        "kernel_allocations",
        "count",
        subject,
        (float(report["count"]),),
        {**about, **report},
        missing,
        command,
    )


# --- programs ---------------------------------------------------------------------------------------------------------


def measure_program(words: Sequence[str], folder: Path, timeout_s: float, subject: Mapping[str, Any]) -> list[Record]:
    """Track a Python program from its start to its end: as `measure`, without frames. No records where the program is no
    Python program, or one of another Python that cannot be watched: one record without values, whose warning says so."""
    _require_memray()
    finished = _watched(words, folder, timeout_s, "allocations")
    capture = folder / "allocations.bin"
    if not capture.is_file():
        said = (f"no allocations are counted: {_why_not(folder)}",)
        return [Record(INSTRUMENT, "allocations", "count", subject, (), {}, said, tuple(words))]
    replay = _replay(capture, folder / "marks.txt", folder)
    if finished.usage.exit_status:
        replay["missing"].append(f"the program ended: {child.describe_failure(finished)}; the figures end there")
    about = {"frames": None, "warm_up": 0}
    return _records(replay, about, subject, tuple(words))


def program_kernels(
    words: Sequence[str], folder: Path, timeout_s: float, subject: Mapping[str, Any], environment: Mapping[str, str]
) -> Record:
    """Count the allocations that a program's compiled functions make, by the functions that make them. `environment` says
    where the build with frame pointers keeps its compiled code."""
    _watched(words, folder, timeout_s, "kernels", environment)
    return _kernels_record(folder / _KERNELS_NAME, {"frames": None, "warm_up": 0}, subject, tuple(words))


def _watched(
    words: Sequence[str],
    folder: Path,
    timeout_s: float,
    what: str,
    environment: Mapping[str, str] | None = None,
) -> child.Finished:
    for name in ("taken", "failed", "allocations.bin", "marks.txt", _KERNELS_NAME):
        (folder / name).unlink(missing_ok=True)
    start = str(Path(__file__).parent / "inside" / "start_memory")
    root = str(Path(__file__).parents[2])
    told = {"folder": str(folder), "what": what}
    path = os.pathsep.join(filter(None, (start, os.environ.get("PYTHONPATH"), root)))
    told_by = {"PYTHONPATH": path, "WORKBENCH_MEMORY": json.dumps(told), **_STATISTICS, **(environment or {})}
    return child.run(words, timeout_s, told_by, check=False)


def _why_not(folder: Path) -> str:
    failed = folder / "failed"
    if failed.is_file():
        return failed.read_text(encoding="utf-8")
    return "it is no Python program, or one that looks at no PYTHONPATH (python -I, -E)"
