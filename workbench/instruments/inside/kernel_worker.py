"""Hold a slot of one or two kernel sets, and time them in turns whenever a line on standard input asks.

python kernel_worker.py CORE SLOT PATTERN KERNELS [KERNELS]; CORE is a processor to stay on, or -. It is started by its path and
imports nothing of the workbench, so that the `encoder` it measures may be that of another revision. Answers are JSON lines
on standard output:

    first      [{"origin", "interpreted", "cases": [label ...], "digest", "load_s"} of each KERNELS], or {"error"} for what
               cannot be loaded
    a request  {"sides": [{"which", "loops"} ...], "cases": [index ...], "seed"}: each side's kernel calls every case `loops` times
    its answer {"empty_ns": [of each case ...], "loops_ns": [of each side [of each case ...] ...], "cpu_s", "switches"}, or
               {"error", "side"} for a kernel that raised

Times are the thread's own processor time: of a loop without a call, and of one with `loops` calls. cpu_s is that of the whole
request. All sides take a case before any takes the next one, within a fraction of a millisecond and in an order that is drawn: what
disturbs a machine lasts longer than that, and so meets all sides alike.

Where things lie in memory is part of the time: of a kernel that keeps vectors on its stack, one place in 16 costs 20 %, and a
process would stay at its place for life. So all arrays of a request lie at places drawn from its seed, in memory that is mapped
for it and given back, and its stack is that of a new thread, at a depth that is drawn, too. Two workers with one seed work at the
same addresses modulo a page, and over many seeds nobody has the luck of a better place.
"""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import gc
import hashlib
import json
import mmap
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

_PAGE = mmap.PAGESIZE
_GRAIN = 16  # bytes; what malloc promises, so also what kernels meet in an encode
_WARM_UPS = 2
_DEPTHS = 32
_PR_SET_PDEATHSIG = 1


class Timed:
    """A slot of a kernel set, ready to be called from a loop as the walk calls it."""

    def __init__(self, kernels: str, slot: str, pattern: str) -> None:
        from encoder.kernels.cases import cases_of
        from encoder.kernels.load import load_kernels

        began = time.perf_counter()
        loaded = load_kernels(kernels)
        self.cases = [case for case in cases_of(slot) if fnmatch.fnmatch(case.label, pattern)]
        self.origin = loaded.origins[slot]
        self.interpreted = not hasattr(getattr(loaded.kernels, slot), "get_compile_result")
        kernel = getattr(loaded.kernels, slot)
        self.call = _loop(kernel, len(self.cases[0].arguments) if self.cases else 0, not self.interpreted)
        if self.cases:
            self.call(0, *self.cases[0].fresh_arguments())  # compiles the loop; the kernel may hang
        self.load_s = time.perf_counter() - began

    def describe(self) -> dict[str, Any]:
        """The first line."""
        digest = hashlib.sha256()
        for case in self.cases:
            digest.update(repr([_content(argument) for argument in case.arguments]).encode())
        return {
            "origin": self.origin,
            "interpreted": self.interpreted,
            "cases": [case.label for case in self.cases],
            "digest": digest.hexdigest()[:16],
            "load_s": self.load_s,
        }


class _RaisedError(Exception):
    """Of the kernel of a side."""

    def __init__(self, side: int, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.side = side


def _slice(timed: Sequence[Timed], sides: Sequence[dict[str, int]], cases: Sequence[int], seed: int) -> dict[str, Any]:
    """Answer one request. Raises _RaisedError."""
    switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    cpu = time.process_time()
    calls = [(timed[side["which"]].call, side["loops"]) for side in sides]
    chosen = [timed[sides[0]["which"]].cases[index].arguments for index in cases]
    chance = random.Random(seed)
    with contextlib.closing(_Arena(chosen, seed)) as arena:
        times = _on_a_stack_of(seed, lambda: [_clocked(calls, arguments, chance) for arguments in arena.arguments])
        arena.arguments.clear()
    empty, *loops = map(list, zip(*times, strict=True))
    return {
        "empty_ns": empty,
        "loops_ns": loops,
        "cpu_s": time.process_time() - cpu,
        "switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches,
    }


def _clocked(
    calls: Sequence[tuple[Callable[..., None], int]], arguments: list[Any], chance: random.Random
) -> list[int]:
    """Processor nanoseconds of an empty loop, and of each side's."""
    clock = time.thread_time_ns
    times = [0] * (1 + len(calls))
    turn = list(range(len(calls)))
    chance.shuffle(turn)
    for side in turn:
        call, loops = calls[side]
        try:
            call(_WARM_UPS, *arguments)
            if not times[0]:
                at = clock()
                call(0, *arguments)
                times[0] = clock() - at
            at = clock()
            call(loops, *arguments)
            times[1 + side] = clock() - at
        except Exception as error:  # a kernel may be anybody's; what it raises is what there is to say of it
            raise _RaisedError(side, error) from error
    return times


class _Arena:
    """The arrays of some calls, copied to places in fresh memory that follow from a seed.

    arguments   one list a call; to be emptied before the memory is given back
    """

    def __init__(self, calls: Sequence[Sequence[Any]], seed: int) -> None:
        import numpy as np

        chance = random.Random(seed)
        places: list[int] = []
        end = 0
        for argument in (argument for call in calls for argument in call if isinstance(argument, np.ndarray)):
            end += chance.randrange(0, _PAGE, _GRAIN)
            places.append(end)
            end += -(-argument.nbytes // _GRAIN) * _GRAIN
        self._memory = mmap.mmap(-1, max(end, _PAGE))
        place = iter(places)
        self.arguments = [
            [self._copied(argument, next(place)) if isinstance(argument, np.ndarray) else argument for argument in call]
            for call in calls
        ]

    def _copied(self, array: Any, at: int) -> Any:
        import numpy as np

        copy = np.frombuffer(self._memory, array.dtype, array.size, at)
        copy[:] = array
        return copy

    def close(self) -> None:
        """Give the memory back, but for an array that a kernel has kept."""
        with contextlib.suppress(BufferError):
            self._memory.close()


def _on_a_stack_of(seed: int, measure: Callable[[], list[list[int]]]) -> list[list[int]]:
    """What `measure` returns in a new thread, whose stack begins at a page, so many of the interpreter's frames down."""
    found: list[list[list[int]] | Exception] = []

    def deeper(depth: int) -> list[list[int]]:
        # Python calls Python without its C stack; through `map`, which is C, it has to use that.
        return next(map(deeper, (depth - 1,))) if depth else measure()

    def start() -> None:
        try:
            found.append(deeper(random.Random(seed).randrange(_DEPTHS)))
        except Exception as error:  # of the kernel; for the thread that waits
            found.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _loop(kernel: Callable[..., Any], arguments: int, compiled: bool) -> Callable[..., None]:
    """call(loops, *arguments): a kernel, `loops` times."""
    names = ", ".join(f"a{index}" for index in range(arguments))
    source = f"def call(loops, {names}):\n    for _ in range(loops):\n        kernel({names})\n"
    scope: dict[str, Any] = {"kernel": kernel}
    exec(source, scope)  # one loop for each number of arguments: a star would cost more than a small kernel
    call: Callable[..., None] = scope["call"]
    if not compiled:
        return call
    from numba import njit

    jitted: Callable[..., None] = njit(nogil=True)(call)
    return jitted


def _content(argument: Any) -> Any:
    return hashlib.sha256(argument).hexdigest() if hasattr(argument, "dtype") else argument


def _end_with_parent() -> None:
    """Ask Linux to end us when the process that started us is gone, in the middle of a kernel that hangs, too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Load what the command line names, then answer until standard input ends."""
    _end_with_parent()
    core, slot, pattern, *expressions = sys.argv[1:]
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a user's file prints is no answer
    if core != "-":
        os.sched_setaffinity(0, {int(core)})
    from encoder.errors import EncoderError

    try:
        timed = [Timed(kernels, slot, pattern) for kernels in expressions]
    except EncoderError as error:
        print(json.dumps({"error": str(error)}), file=answers)
        return 2
    print(json.dumps([each.describe() for each in timed]), file=answers)
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        print(json.dumps(_answer(timed, json.loads(line))), file=answers)
    return 0


def _answer(timed: Sequence[Timed], request: dict[str, Any]) -> dict[str, Any]:
    try:
        return _slice(timed, **request)
    except _RaisedError as error:
        return {"error": str(error), "side": error.side}


if __name__ == "__main__":
    sys.exit(main())
