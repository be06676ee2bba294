"""What whole encodes spend their time in: stacks of a process that encodes the same clip again and again.

`stacks` looks at the steady state of a long video; what is compared is an encode with its key frame and its end.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from workbench import child
from workbench.encode import STREAM, without_folder
from workbench.errors import InputError, SubjectError
from workbench.instruments.inside import handler
from workbench.instruments.inside.watched import FAILED_SUFFIX, VARIABLE
from workbench.record import Record
from workbench.subject import Subject
from workbench.symbols.naming import Namer
from workbench.symbols.process import Sample, read_processes

INSTRUMENT = "shares"
GROUPS = 20
RATE_HZ = 250.0
_SAMPLED = "workbench.instruments.inside.sampled_encodes"


def measure(subject: Subject, folder: Path, environment: Mapping[str, str], timeout_s: float, seconds: float) -> Record:
    """Sample encodes for so many processor seconds, at least one; the values are processor seconds of each, sampler and all.

    environment   where the profile build keeps its compiled functions
    data          groups: GROUPS times "thread;outermost;...;innermost" -> samples. Samples are dealt to the groups in turns, in
                  the order in which they were taken, so each group has seen all of the encode; rate_hz

    Raises InputError for what the encoder does not take, SubjectError where it fails or cannot be sampled, SubjectTimeout.
    """
    result, code = folder / "result.json", folder / "handler.bin"
    try:
        code.write_bytes(handler.machine_code())
    except handler.HandlerError as error:
        raise SubjectError(f"the encoder cannot be sampled here: {error}") from error
    told = {"folder": str(folder), "source": "sampler", "rate_hz": RATE_HZ, "handler": str(code)}
    told |= {"command": [], "native": True, "seconds": 0.0}
    words = (sys.executable, "-m", _SAMPLED, str(result), str(seconds), "--", *subject.arguments(folder / STREAM))
    watched = {**subject.encoder.environment, **environment, VARIABLE: json.dumps(told)}
    finished = child.run(words, timeout_s, watched, check=False)
    if failed := sorted(folder.glob(f"*{FAILED_SUFFIX}")):
        raise SubjectError(f"the encoder cannot be sampled here: {failed[0].read_text(encoding='utf-8')}")
    if finished.usage.exit_status == InputError.exit_status:
        raise InputError(child.last_line(finished) or "the encoder does not take the input, and does not say why")
    if finished.usage.exit_status != 0:
        raise SubjectError(f"the encoder failed under the sampler: {child.describe_failure(finished)}")
    taken = tuple(json.loads(result.read_text())["encode_s"])
    data = {"groups": _groups(folder), "rate_hz": RATE_HZ}
    return Record(INSTRUMENT, "encode", "s", subject.entry(), taken, data, command=without_folder(words, folder))


def _groups(folder: Path) -> list[dict[str, int]]:
    """The named stacks of the encoder's process and of what it started, dealt out."""
    groups: list[Counter[str]] = [Counter() for _ in range(GROUPS)]
    for number, process in enumerate(read_processes(folder), 1):
        if process.began_ns is None:
            continue
        namer = Namer(process, number)
        in_order: list[Sample] = sorted(process.samples(), key=lambda sample: sample.at_ns)
        for at, sample in enumerate(in_order):
            groups[at % GROUPS][";".join(namer.stack(sample))] += 1
    return [dict(group) for group in groups]
