"""Load our encoder and its compiled code once; then encode whenever a line on standard input asks, each time in a fresh process.

python encode_server.py [KERNELS ...] loads these sets by encoding a few small pictures (`encoder --warm`), compiles what is not on
disk, and prints {"start_s": processor seconds}. It is started by its path and imports nothing of the
workbench, so that the `encoder` may be that of another revision. A process forked from here has all code loaded, and nothing
of an earlier encode: starting one takes milliseconds, where a new interpreter takes twice as long as a second of a small clip.

    a request  {"arguments": [of the encoder's command line ...], "factor", "processors": if any, the two it takes turns on}
    its answer {"status", "said", "max_rss_bytes", "switches", "cpu_s", "wall_s"}, figures of the encode alone; said: the last line
               on standard error. factor above 1: the process goes on in a loop until encode and loop have taken so many times the
               encode's processor time, a slowdown that is known; then there are "planted_cpu_s" and "planted_wall_s", too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

TURN_S = 0.02  # long beside what filling the caches anew costs, short beside an encode
_PR_SET_PDEATHSIG = 1
Encode = Callable[[list[str]], int]


def in_child(encode: Encode, request: dict[str, Any], figures: IO[bytes]) -> int:
    """Encode, and write what it took into `figures`; the exit status."""
    start, began = time.process_time(), time.perf_counter()
    status = encode(request["arguments"])
    cpu, wall = time.process_time() - start, time.perf_counter() - began
    taken = {"cpu_s": cpu, "wall_s": wall}
    if request["factor"] > 1:
        while time.process_time() < start + cpu * request["factor"]:
            pass
        taken |= {"planted_cpu_s": time.process_time() - start, "planted_wall_s": time.perf_counter() - began}
    taken["switches"] = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    figures.write(json.dumps(taken).encode())
    figures.flush()
    return status


def serve(encode: Encode, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    with tempfile.TemporaryFile() as figures, tempfile.TemporaryFile() as complaint:
        pid = os.fork()
        if pid == 0:
            _end_with_parent()
            status = os.EX_SOFTWARE
            try:
                os.dup2(complaint.fileno(), sys.stderr.fileno())
                status = in_child(encode, request, figures)
            finally:
                os._exit(status)
        if processors := request.get("processors"):
            take_turns(pid, processors)
        _, ended, usage = os.wait4(pid, 0)
        figures.seek(0)
        complaint.seek(0)
        said = complaint.read().decode("utf-8", "replace").strip().splitlines()
        return {
            "status": os.waitstatus_to_exitcode(ended),
            "said": said[-1] if said else "",
            "max_rss_bytes": usage.ru_maxrss * 1024,
            **json.loads(figures.read() or b"{}"),
        }


def take_turns(pid: int, processors: Sequence[int]) -> None:
    """Until a child ends, keep it on one of two processors, then on the other, by turns of the clock that all processes see: of
    two children with these in the other order, each is always where the other one is not. Each has as much of both as the
    other has, though one processor be slower, for seconds, by what others do on its core."""
    ended = os.pidfd_open(pid)
    try:
        while True:
            turn = int(time.monotonic() / TURN_S)
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, {processors[turn % 2]})
            left_s = (turn + 1) * TURN_S - time.monotonic()
            if select.select([ended], [], [], max(left_s, 0.0))[0]:
                return
    finally:
        os.close(ended)


def _end_with_parent() -> None:
    """Ask Linux to end us when the process that started us is gone."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Load, then serve until standard input ends."""
    _end_with_parent()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from encoder.cli import main as encode

    for kernels in sys.argv[1:]:
        if status := encode(["--warm", "--kernels", kernels, "-q"]):
            return status
    print(json.dumps({"start_s": time.process_time()}), file=answers)
    gc.collect()
    gc.freeze()  # what is loaded stays out of the children's collections
    for line in sys.stdin:
        print(json.dumps(serve(encode, json.loads(line))), file=answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
