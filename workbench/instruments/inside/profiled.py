"""The encoder's command line with py-spy on its steady state, and a map of the compiled functions.

python -m workbench.instruments.inside.profiled SYMBOLS.json SECONDS WARM_UP SAMPLER... -- ENCODER_ARGUMENT... SAMPLER is a
command line that samples the process whose id is put at its end until it is interrupted; none with --warm. It begins
behind the first WARM_UP packets; the clip's pictures are encoded forwards and backwards until SECONDS have gone by from
there, so that a short clip gives as many samples as a long one. With 0 SECONDS the clip is encoded once. SYMBOLS.json is a
list of [address, size, name, wrapper].
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.instruments.inside import jit
from workbench.instruments.inside.repeated import back_and_forth

_PR_SET_PTRACER = 0x59616D61
_ANY_PROCESS = ctypes.c_ulong(-1)
_READY = b"Sampling process"


class Sampler:
    """A sampler of this process, on from `start` to `stop`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says that it samples, or until it ends because it may not."""
        # Where a process may trace none but its descendants (Yama's ptrace_scope 1), it needs our leave.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY_PROCESS, 0, 0, 0)
        command = [*self._command, str(os.getpid())]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if _READY in line:
                return
            sys.stderr.buffer.write(line)

    def stop(self) -> None:
        """Have it write what it saw, and wait for that."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate()


def sampled(
    encode: Callable[..., Iterator[Any]], sampler: Sampler, seconds: float, warm_up: int
) -> Callable[..., Iterator[Any]]:
    """`encode` with the sampler on behind the first `warm_up` packets, for `seconds`, which end the encode; with 0 of them,
    to the last packet of the clip."""

    def encode_sampled(pictures: Iterable[Any], *arguments: Any) -> Iterator[Any]:
        packets = encode(back_and_forth(pictures) if seconds else pictures, *arguments)
        yield from islice(packets, warm_up)
        gc.collect()  # what loading compiled code left behind is no part of the steady state
        sampler.start()
        ends = time.monotonic() + seconds
        for packet in packets:
            yield packet
            if seconds and time.monotonic() >= ends:
                break  # the frames that are planned already are not waited for
        sampler.stop()

    return encode_sampled


def main() -> int:
    """Encode, write the map, return the encoder's exit status."""
    words = sys.argv[1:]
    cut = words.index("--")
    symbols, seconds, warm_up, *sampler = words[:cut]
    jit.keep_frame_pointers()
    from encoder import stream  # behind the frame pointers: the encoder compiles as it loads

    if sampler:
        stream.encode = sampled(stream.encode, Sampler(sampler), float(seconds), int(warm_up))
    from encoder.cli import main as encode

    status = encode(words[cut + 1 :])
    if "llvmlite" in sys.modules:
        Path(symbols).write_text(json.dumps([dataclasses.astuple(symbol) for symbol in jit.symbols()]))
    return status


if __name__ == "__main__":
    sys.exit(main())
