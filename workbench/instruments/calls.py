"""Work counters: how often an encode calls each kernel slot, by block size and mode. Exact, on any machine, with any set."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from workbench import child
from workbench.encode import STREAM, without_folder
from workbench.errors import InputError, SubjectError
from workbench.record import Record
from workbench.subject import Subject

INSTRUMENT = "calls"
METRIC = "kernel_calls"
_CALLS = "workbench.instruments.inside.calls"
_SUPERBLOCK = 64


def measure(subject: Subject, folder: Path, timeout_s: float) -> Record:
    """Count the calls of an encode on one thread; the value is their number over all slots.

    data   frames: coded; superblocks: of 64x64, in one frame; interpreted: how the walk ran; slots: slot -> {arguments: names
           of the size arguments, calls: [[their values ..., number of calls], ...], other: calls that are not split, origin}

    Raises InputError for what the encoder does not take, SubjectError where it fails.
    """
    alone = subject.change(threads=1)
    result = folder / "calls.json"
    words = (sys.executable, "-m", _CALLS, str(result), *alone.arguments(folder / STREAM))
    finished = child.run(words, timeout_s, alone.encoder.environment, check=False)
    if finished.usage.exit_status == InputError.exit_status:
        raise InputError(child.last_line(finished) or "the encoder does not take the input, and does not say why")
    if finished.usage.exit_status != 0 or not result.is_file():
        raise SubjectError(f"the encoder failed while its calls were counted: {child.describe_failure(finished)}")
    told = json.loads(result.read_text())
    columns, rows = -(-subject.width // _SUPERBLOCK), -(-subject.height // _SUPERBLOCK)
    calls = sum(sum(row[-1] for row in slot["calls"]) + slot["other"] for slot in told["slots"].values())
    unsplit = [name for name, slot in told["slots"].items() if slot["other"]]
    said = [f"some calls are not split by size, there are too many sizes: {', '.join(unsplit)}"] if unsplit else []
    data = {**told, "superblocks": columns * rows}
    command = without_folder(words, folder)
    return Record(INSTRUMENT, METRIC, "count", alone.entry(), (float(calls),), data, tuple(said), command)
