"""The encoder's command line with py-spy on its steady state, and a map of the compiled functions.

python -m workbench.instruments.inside.profiled SYMBOLS.json SECONDS SAMPLER... -- ENCODER_ARGUMENT... SAMPLER is a
command line that samples the process whose id is put at its end until it is interrupted; none with --warm. The first
frame warms up; then the clip's pictures are encoded again and again until SECONDS have gone by, so that a short clip
gives as many samples as a long one. SYMBOLS.json is a list of [address, size, name, wrapper].
"""

from __future__ import annotations

import copy
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
from pathlib import Path
from typing import Any

from workbench.instruments.inside import jit

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


def repeated(pictures: Iterable[Any], seconds: float) -> Iterator[Any]:
    """All pictures once, then from the first again until `seconds` have gone by since the second was asked for."""
    kept: list[Any] = []
    ends = 0.0
    for picture in pictures:
        if len(kept) == 1:
            ends = time.monotonic() + seconds
        kept.append(copy.deepcopy(picture))  # its owner reuses it
        yield picture
    while kept and time.monotonic() < ends:
        yield kept[0]
        kept.append(kept.pop(0))


def sampled(encode: Callable[..., Iterator[Any]], sampler: Sampler, seconds: float) -> Callable[..., Iterator[Any]]:
    """`encode` with the sampler on from behind the first packet to the last one."""

    def encode_sampled(pictures: Iterable[Any], *arguments: Any) -> Iterator[Any]:
        packets = encode(repeated(pictures, seconds), *arguments)
        yield next(packets)
        gc.collect()  # what loading compiled code left behind is no part of the steady state
        sampler.start()
        yield from packets
        sampler.stop()

    return encode_sampled


def main() -> int:
    """Encode, write the map, return the encoder's exit status."""
    words = sys.argv[1:]
    cut = words.index("--")
    symbols, seconds, *sampler = words[:cut]
    jit.keep_frame_pointers()
    from encoder import stream  # behind the frame pointers: the encoder compiles as it loads

    if sampler:
        stream.encode = sampled(stream.encode, Sampler(sampler), float(seconds))
    from encoder.cli import main as encode

    status = encode(words[cut + 1 :])
    if "llvmlite" in sys.modules:
        Path(symbols).write_text(json.dumps([dataclasses.astuple(symbol) for symbol in jit.symbols()]))
    return status


if __name__ == "__main__":
    sys.exit(main())
