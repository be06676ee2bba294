"""Hold a slot of one or two kernel sets, and time one of them whenever a line on standard input asks.

python kernel_worker.py CORE SLOT PATTERN KERNELS [KERNELS]; CORE is a processor to stay on, or -. It is started by its path and
imports nothing of the workbench, so that the `encoder` it measures may be that of another revision. Answers are JSON lines
on standard output:

    first      [{"origin", "interpreted", "cases": [label ...], "digest", "load_s"} of each KERNELS], or {"error"} for what
               cannot be loaded
    a request  {"which", "cases": [index ...], "loops", "seed"}: every case `loops` times
    its answer {"empty_ns", "loops_ns": [of each case ...], "cpu_s", "switches"}, or {"error"}

Times are the thread's own processor time: of a loop without a call, and of one with `loops` calls. cpu_s is that of the whole
request.

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

Times = tuple[int, int]


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
        self._table: Any = loaded.kernels
        if loaded.interpreted and not self.interpreted:
            self._table = _alone(slot, getattr(loaded.kernels, slot))
        self._call = _loop(slot, len(self.cases[0].arguments), not self.interpreted) if self.cases else None
        if self._call is not None:
            self._call(self._table, 0, *self.cases[0].fresh_arguments())  # compiles the loop; the kernel may hang
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

    def run(self, cases: Sequence[int], loops: int, seed: int) -> dict[str, Any]:
        """Answer one request."""
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        cpu = time.process_time()
        chosen = [self.cases[index] for index in cases]
        with contextlib.closing(_Arena([case.arguments for case in chosen], seed)) as arena:
            times = _on_a_stack_of(seed, lambda: [self._clocked(call, loops) for call in arena.arguments])
            arena.arguments.clear()
        return {
            **{name: [one[at] for one in times] for at, name in enumerate(("empty_ns", "loops_ns"))},
            "cpu_s": time.process_time() - cpu,
            "switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches,
        }

    def _clocked(self, arguments: list[Any], loops: int) -> Times:
        """Processor nanoseconds of an empty loop, and of `loops` calls."""
        call, table, clock = self._call, self._table, time.thread_time_ns
        assert call is not None
        call(table, _WARM_UPS, *arguments)
        at = clock()
        call(table, 0, *arguments)
        began = clock()
        call(table, loops, *arguments)
        return began - at, clock() - began


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


def _on_a_stack_of(seed: int, measure: Callable[[], list[Times]]) -> list[Times]:
    """What `measure` returns in a new thread, whose stack begins at a page, so many of the interpreter's frames down."""
    found: list[list[Times] | Exception] = []

    def deeper(depth: int) -> list[Times]:
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


def _alone(slot: str, kernel: Any) -> Any:
    """A table that is compiled throughout, with this kernel in its slot: the other ones are interpreted, and not called."""
    from encoder.kernels.load import DEFAULT_SET, load_kernels
    from encoder.kernels.table import SLOTS, Kernels

    others = load_kernels(DEFAULT_SET).kernels
    return Kernels(**{name: kernel if name == slot else getattr(others, name) for name in SLOTS})


def _loop(slot: str, arguments: int, compiled: bool) -> Callable[..., None]:
    """call(kernels, loops, *arguments): the kernel of a slot, `loops` times."""
    names = ", ".join(f"a{index}" for index in range(arguments))
    source = f"def call(kernels, loops, {names}):\n    for _ in range(loops):\n        kernels.{slot}({names})\n"
    scope: dict[str, Any] = {}
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
        return timed[request.pop("which")].run(**request)
    except Exception as error:  # a kernel may be anybody's; what it raises is what there is to say of it
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(main())
