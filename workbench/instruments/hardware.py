"""What the processor's own counters say of an encode, by perf stat, where the machine has them and lets us read them.

The plain build is measured, from the first picture to the last packet: the counters are switched from inside, as for
callgrind (inside/counted.py).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from workbench import child
from workbench.encode import STREAM, without_folder
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.instruments.inside.counted import VARIABLE
from workbench.record import Record
from workbench.subject import Subject

INSTRUMENT = "hardware"
METRIC = "hardware_instructions"
EVENTS = ("instructions", "cycles", "branches", "branch-misses", "cache-references", "cache-misses")
_CLOCK = "task-clock"  # counted by the kernel: it says that perf itself works
_COUNTED = "workbench.instruments.inside.counted"
_RESULT, _OUTPUT, _CONTROL, _ANSWER = "result.json", "perf.csv", "control", "answer"


def measure(subject: Subject, folder: Path, timeout_s: float) -> Record:
    """Read the counters of an encode on one thread, user space alone; the value is the number of instructions, or none.

    data   frames: coded; events: event -> count, or None where the machine does not count it; task_clock_s: processor time

    Raises EnvironmentFault where perf is missing or may not count, InputError for what the encoder does not take, SubjectError
    where it fails.
    """
    if shutil.which("perf") is None:
        raise EnvironmentFault(
            "perf is not installed, hardware counters cannot be read; install it (Debian: apt-get install linux-perf)"
        )
    alone = subject.change(threads=1)
    for name in (_CONTROL, _ANSWER):
        os.mkfifo(folder / name)
    events = ",".join(f"{event}:u" for event in (_CLOCK, *EVENTS))
    pipes = f"{folder / _CONTROL},{folder / _ANSWER}"
    options = ("-D", "-1", f"--control=fifo:{pipes}", "-x", ",", "-o", str(folder / _OUTPUT), "-e", events)
    words = (sys.executable, "-m", _COUNTED, *alone.arguments(folder / STREAM))
    told = {VARIABLE: json.dumps({"switch": pipes, "result": str(folder / _RESULT)})}
    command = ("perf", "stat", *options, "--", *words)
    finished = child.run(command, timeout_s, {**alone.encoder.environment, **told}, check=False)
    if finished.usage.exit_status == InputError.exit_status:
        raise InputError(child.last_line(finished) or "the encoder does not take the input, and does not say why")
    if finished.usage.exit_status != 0 or not (folder / _RESULT).is_file():
        raise SubjectError(f"perf stat failed: {child.describe_failure(finished)}")
    counted = read_counters((folder / _OUTPUT).read_text(encoding="utf-8"))
    if counted.get(_CLOCK) is None:
        raise EnvironmentFault(
            "perf may not count here: let it with sysctl kernel.perf_event_paranoid=2, or run outside of the container"
        )
    frames = json.loads((folder / _RESULT).read_text())["frames"]
    found = {event: counted.get(event) for event in EVENTS}
    clock_ms = counted[_CLOCK] or 0.0
    data = {"frames": frames, "events": found, "task_clock_s": clock_ms / 1e3}
    values = () if found["instructions"] is None else (found["instructions"],)
    said = without_counters([event for event, count in found.items() if count is None])
    return Record(INSTRUMENT, METRIC, "count", alone.entry(), values, data, said, without_folder(command, folder))


def read_counters(text: str) -> dict[str, float | None]:
    """Event -> count, from the output of perf stat -x,; None for one that is not supported or was not counted."""
    found: dict[str, float | None] = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and not line.startswith("#"):
            event = fields[2].partition(":")[0]
            found[event] = float(fields[0]) if fields[0].replace(".", "", 1).isdigit() else None
    return found


def without_counters(missing: list[str]) -> tuple[str, ...]:
    """What to say of the events that the machine does not count."""
    if len(missing) == len(EVENTS):
        return (f"this machine has no hardware counters ({', '.join(missing)}): is it a virtual one?",)
    return (f"this machine does not count {', '.join(missing)}",) if missing else ()
