"""Small programs to be watched by the samplers, and what is asked of the stacks that come back."""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.instruments.stacks import Sampling, measure_program
from workbench.record import Record

BUSY = """
import time
def busy(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass
"""


def watch(folder: Path, program: str, source: str = "sampler", ends_well: bool = True) -> Record:
    """Run a program under a sampler, from its first line to its end."""
    script = folder / "program.py"
    script.write_text(program, encoding="utf-8")
    scratch = folder / "scratch"
    scratch.mkdir()
    words = [sys.executable, str(script)]
    record, finished = measure_program(words, scratch, 240.0, Sampling(source, seconds=0.0))
    assert (finished.usage.exit_status == 0) == ends_well, finished.complaint
    return record


def share(record: Record, *frames: str) -> float:
    """Of all samples, those whose stack has these frames in this order, whatever stands between and whatever the line."""
    return sum(count for stack, count in record.data["folded"].items() if holds(stack, frames)) / sum(record.values)


def holds(stack: str, frames: tuple[str, ...]) -> bool:
    """Whether a stack has functions of these names in this order."""
    names = iter(frame.split(" (")[0] for frame in stack.split(";"))
    return all(frame in names for frame in frames)


def threads(record: Record) -> set[str]:
    """The threads that have samples."""
    return {stack.split(";")[0] for stack in record.data["folded"]}
