"""Folded stacks: one sampled run as a value, and what a frame's text says.

A folded stack is "outermost;...;innermost" with the number of samples that saw it. Its first frame is the thread
("thread main", "thread 2"; stacks of older records have none). Then a frame is

    walk (encoder/tile/walk.py:120)                                 a Python function, or a compiled one
    set_numba.satd (encoder/kernels/set_numba/distortion.py:41)     a kernel, named as in the kernel table
    _row [inlined] (encoder/kernels/set_numba/distortion.py:12)     a function that was inlined into its caller
    [libc.so.6] memcpy                                              native code
    [unknown]                                                       code without a name

without " (path:line)" where the place is not known, and without ":line" where the line is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from workbench.record import Record

UNKNOWN = "[unknown]"
INLINED = " [inlined]"
THREAD = "thread "
_PLACED = re.compile(r"(?P<function>.+?) \((?P<path>.+?)(?::(?P<line>\d+))?\)")
_LINE = re.compile(r":\d+\)$")
_KERNEL = re.compile(r"^set_(?:python|numpy|numba)\.|\(\S*encoder/kernels/set_")
_USER_FILE = "user_kernels_"  # begins the module's name: encoder.kernels.load gives it
_DOTTED = re.compile(r"(?P<path>\w+(?:\.\w+)*)\.(?P<function>\w+)")
_NATIVE = re.compile(r"\[(?P<path>[^\]]+)\](?: (?P<function>.+))?")


@dataclass(frozen=True)
class Recording:
    """One sampled run.

    folded         stack -> samples
    source         what sampled it: "sampler" (in the process itself), "perf" or "py-spy"
    rate_hz        samples per second of a running thread; None when it is not known
    seconds        how long was sampled; None when it is not known
    frames         pictures that were encoded meanwhile; None for a program that is no encoder
    unnamed_share  share of compiled samples without a name, 0 to 1; None when it is not known
    title          what ran, in a few words: clip and kernel set, or a command line
    warnings       what the reader has to know of this run
    script         file name of the Python script that ran, as the frames have it; "" for an encode or another program
    """

    folded: Mapping[str, float]
    source: str = "sampler"
    rate_hz: float | None = None
    seconds: float | None = None
    frames: float | None = None
    unnamed_share: float | None = None
    title: str = ""
    warnings: tuple[str, ...] = ()
    script: str = ""

    @property
    def samples(self) -> float:
        """Number of samples."""
        return sum(self.folded.values())


def recording_of(record: Record, title: str = "") -> Recording:
    """The sampled run that a record of the instrument "stacks" holds."""
    data: Mapping[str, Any] = record.data
    known = {name: data.get(name) for name in ("rate_hz", "seconds", "frames", "unnamed_share")}
    words = record.subject.get("program", ())
    script = next((PurePath(word).name for word in words if word.endswith(".py")), "")
    source = data.get("source", "py-spy")
    return Recording(data["folded"], source, title=title, warnings=record.warnings, script=script, **known)


def scripts_alike(
    before: Sequence[Recording], after: Sequence[Recording]
) -> tuple[Sequence[Recording], tuple[str, str] | None]:
    """Runs of `old.py` as if it had the name of the script on the other side, so that its functions meet theirs; and both names,
    None where there is nothing to rename: no scripts, several a side, or the same name."""
    old, new = ({run.script for run in side} for side in (before, after))
    if len(old) != 1 or len(new) != 1 or not all(old | new) or old == new:
        return before, None
    names = min(old), min(new)
    frame = re.compile(rf" \({re.escape(names[0])}(?=[:)])")
    renamed = [
        replace(run, folded={frame.sub(f" ({names[1]}", stack): count for stack, count in run.folded.items()})
        for run in before
    ]
    return renamed, names


@dataclass(frozen=True)
class Frame:
    """What the text of a frame says.

    function  name without its place: "set_numba.satd", "walk", "memcpy"
    path      file of the source, or library, or the module that a dotted name begins with; "" when not known
    line      0 when not known
    inlined   the function has no code of its own here: it is part of its caller's
    native    neither Python nor compiled from it
    """

    function: str
    path: str
    line: int
    inlined: bool
    native: bool

    @property
    def label(self) -> str:
        """The name as a box shows it: without the module where that is the file, "tile.walk.split" of tile/walk.py or a
        kernel of a user's file."""
        module, _, name = self.function.rpartition(".")
        if self.path and module.startswith(_USER_FILE):
            return name
        tail = "." + module
        return (
            name if module and ("." + self.path.removesuffix(".py").replace("/", ".")).endswith(tail) else self.function
        )

    @property
    def bare(self) -> str:
        """The name as the source has it behind `def`: "satd" of set_numba.satd, "inner" of outer.<locals>.inner."""
        return self.function if self.native else self.function.rpartition(".")[2]


@lru_cache(maxsize=1 << 16)
def parse_frame(text: str) -> Frame:
    """The parts of a frame's text, as the head of this module has them."""
    if native := _NATIVE.fullmatch(text):
        return Frame(native["function"] or text, native["path"] if native["function"] else "", 0, False, True)
    placed = _PLACED.fullmatch(text)
    name, path, line = (placed["function"], placed["path"], int(placed["line"] or 0)) if placed else (text, "", 0)
    inlined = name.endswith(INLINED)
    name = name.removesuffix(INLINED)
    if not path and (dotted := _DOTTED.fullmatch(name)):
        name, path = dotted["function"], dotted["path"]
    return Frame(name, path, line, inlined, False)


def without_line(text: str) -> str:
    """The frame's text without the line that was running: "walk (tile/walk.py)"."""
    return _LINE.sub(")", text)


def by_function(folded: Mapping[str, float]) -> dict[str, float]:
    """The same samples with lines dropped: stacks that differ only in lines are one."""
    return _regrouped((";".join(map(without_line, stack.split(";"))), samples) for stack, samples in folded.items())


def without_threads(folded: Mapping[str, float]) -> dict[str, float]:
    """The same samples with threads merged; a stack of nothing but its thread is UNKNOWN code."""
    return _regrouped((_below_thread(stack), samples) for stack, samples in folded.items())


def thread_of(stack: str) -> str:
    """The stack's thread as its first frame has it, or "" where it has none."""
    first = stack.partition(";")[0]
    return first if first.startswith(THREAD) else ""


def added_up(runs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The samples of all runs together."""
    return _regrouped(item for folded in runs for item in folded.items())


@dataclass(frozen=True)
class FunctionTime:
    """Samples of a function over all stacks and threads.

    self_samples   it was running itself
    total_samples  it or something that it called was running; a stack that holds it twice counts once
    """

    function: str
    path: str
    self_samples: float
    total_samples: float

    @property
    def label(self) -> str:
        """The name as a box shows it."""
        return Frame(self.function, self.path, 0, False, False).label


def function_times(folded: Mapping[str, float]) -> list[FunctionTime]:
    """Every function, the most self time first; inlined copies count as the function. Threads are no functions."""
    own: dict[tuple[str, str], float] = {}
    total: dict[tuple[str, str], float] = {}
    for stack, samples in folded.items():
        functions = [(frame.function, frame.path) for frame in map(parse_frame, _below_thread(stack).split(";"))]
        own[functions[-1]] = own.get(functions[-1], 0.0) + samples
        for function in dict.fromkeys(functions):
            total[function] = total.get(function, 0.0) + samples
    times = [FunctionTime(*function, own.get(function, 0.0), samples) for function, samples in total.items()]
    return sorted(times, key=lambda time: (-time.self_samples, -time.total_samples, time.function, time.path))


def is_kernel(text: str) -> bool:
    """Whether a frame is a kernel of the encoder's table, compiled or interpreted."""
    return _KERNEL.search(text) is not None


def _below_thread(stack: str) -> str:
    return (stack.partition(";")[2] or UNKNOWN) if thread_of(stack) else stack


def _regrouped(items: Iterable[tuple[str, float]]) -> dict[str, float]:
    grouped: dict[str, float] = {}
    for stack, samples in items:
        grouped[stack] = grouped.get(stack, 0) + samples
    return grouped
