"""What stands beside the time of an encode, each by a run or two of its own: bytes and quality, allocations, instructions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench import child
from workbench.analysis.beside import Allocations, Instructions, Worth
from workbench.comparing import gate
from workbench.encode import STREAM
from workbench.errors import EnvironmentFault, SubjectError
from workbench.instruments import allocations, counts, hardware
from workbench.sides import OUTPUT, Encode, home_of
from workbench.standing import COMPILING_S
from workbench.subject import Subject

Tell = Callable[[str], None]
"""Is told what is done next."""
CALLGRIND, COUNTERS = "callgrind", "hardware counters"
# Our encoder of another place: what counts brings an import path of its own.
_FROM = "import sys; sys.path.insert(0, {!r}); from encoder.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Sides:
    """A and B of one clip: what they encode and by which command lines; at(quantizer) gives these with another quantizer."""

    subjects: tuple[Subject, Subject]
    base: Encode
    candidate: Encode
    at: Callable[[int], tuple[Encode, Encode]]

    @property
    def encodes(self) -> tuple[Encode, Encode]:
        """Both."""
        return self.base, self.candidate


def worth(sides: Sides, timeout_s: float, tell: Tell) -> Worth:
    """What both write. Raises as `gate.quality`."""
    with TemporaryDirectory(prefix="workbench-") as scratch:
        pair = (sides.subjects[0], *sides.encodes)
        found = gate.quality(pair, sides.at, Path(scratch), timeout_s, tell)
    figures = (found.base, found.candidate)
    return Worth((figures[0].bytes, figures[1].bytes), (figures[0].psnr_y, figures[1].psnr_y), found.bd_rate, found.why)


def count_allocations(sides: Sides, timeout_s: float, tell: Tell) -> Allocations | None:
    """Allocations of compiled code; None where a side has none, or they are not counted. Raises SubjectError, SubjectTimeout."""
    if not all(encode.compiled for encode in sides.encodes):
        return None
    tell(f"allocations of {sides.subjects[0].clip}")
    with TemporaryDirectory(prefix="workbench-") as scratch:
        base, candidate = (allocations.measure(encode, Path(scratch), timeout_s) for encode in sides.encodes)
    return None if base is None or candidate is None else Allocations((base, candidate))


def require_counter() -> str:
    """What instructions can be counted by. Raises EnvironmentFault where that is nothing."""
    try:
        counts.require_valgrind()
    except EnvironmentFault:
        if shutil.which("perf") is None:
            raise
        return COUNTERS
    return CALLGRIND


def count_instructions(sides: Sides, timeout_s: float, tell: Tell) -> Instructions:
    """Instructions of both, by callgrind, else by hardware counters. Of kernel sets and options of the encoder that is imported
    here those from its first picture to its last packet; of anything else, and of what is compared with it, those of a process.

    Raises EnvironmentFault where nothing counts here, SubjectError and SubjectTimeout where an encode fails.
    """
    source = require_counter()
    limit_s = max(timeout_s, COMPILING_S)
    is_ours = all(encode.home == home_of(None) and not encode.whole for encode in sides.encodes)
    if source == COUNTERS and not is_ours:
        raise EnvironmentFault(
            "hardware counters are read of the encoder that is imported here alone; install valgrind"
        )
    found = []
    for side, subject, encode in zip("AB", sides.subjects, sides.encodes, strict=True):
        tell(f"instructions of {side}, {subject.clip}: some fifty times as long as the encode")
        with TemporaryDirectory(prefix="workbench-") as scratch:
            if not is_ours:
                found.append(_of_process(encode, Path(scratch), limit_s))
            elif source == CALLGRIND:
                found.append(counts.measure(subject, Path(scratch), limit_s).values)
            else:
                found.append(_of_counters(subject, Path(scratch), limit_s))
    return Instructions(found[0], found[1], source)


def _of_counters(subject: Subject, folder: Path, limit_s: float) -> tuple[float, ...]:
    values = hardware.measure(subject, folder, limit_s).values
    if not values:
        raise EnvironmentFault("this machine has no hardware counters; install valgrind to count instructions")
    return values


def _of_process(encode: Encode, folder: Path, limit_s: float) -> tuple[float, ...]:
    """Of a whole process, but for what numba compiles and loads; our encoder has compiled its code before."""
    words = [word.replace(OUTPUT, str(folder / STREAM)) for word in encode.words]
    if encode.home is not None:
        words = [encode.home.python, "-c", _FROM.format(encode.home.environment["PYTHONPATH"]), *words[3:]]
        child.run(words, limit_s, {**encode.home.environment, **counts.build_environment()})
    record, finished = counts.measure_program(words, folder, limit_s)
    if finished.usage.exit_status:
        raise SubjectError(f"{encode.title}: its instructions are not known: {child.describe_failure(finished)}")
    return tuple(map(float, record.data["all_instructions"]))
