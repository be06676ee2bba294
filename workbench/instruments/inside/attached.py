"""Samplers that watch this process from outside, py-spy and perf, on between two moments of it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from workbench.instruments.inside import jit
from workbench.instruments.inside.journal import Journal, import_paths

PERF_SUFFIX, PY_SPY_SUFFIX = ".perf", ".raw"
_PR_SET_PTRACER = 0x59616D61
_ANY_PROCESS = ctypes.c_ulong(-1)
_READY = b"Sampling process"
_ENABLED_S = 10.0


class AttachedError(Exception):
    """The sampler does not watch; the message has its own words."""


class Attached:
    """A sampler of this process in a process of its own; `start` and `stop` once each.

    tool   "py-spy" or "perf"; command: what runs it; native: whether py-spy looks at compiled code
    """

    def __init__(self, folder: Path, tool: str, command: Sequence[str], rate_hz: float, native: bool = True) -> None:
        self._tool, self._command, self._rate_hz, self._native = tool, command, rate_hz, native
        self._process: subprocess.Popen[bytes] | None = None
        self._tells: int | None = None
        self.journal = Journal(folder)
        self.journal.write(
            "start",
            pid=os.getpid(),
            argv=sys.argv,
            paths=import_paths(),
            folder=os.getcwd(),
            executable=os.path.realpath(sys.executable),
            rate_hz=rate_hz,
            base=None,
        )

    def install(self) -> None:
        """Nothing has to be made ready."""

    def start(self) -> None:
        """Start it and wait until it says that it samples. Raises AttachedError when it ends instead, because it may not."""
        # Where a process may trace none but its descendants (Yama's ptrace_scope 1), it needs our leave.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY_PROCESS, 0, 0, 0)
        (self._start_py_spy if self._tool == "py-spy" else self._start_perf)()
        self._began_s = time.monotonic()
        self.journal.write("begin")

    def stop(self, frames: int | None = None) -> None:
        """Have it write what it saw, and write down what that is named by."""
        if self._process is None:
            return
        seconds = time.monotonic() - self._began_s
        self._process.send_signal(signal.SIGINT)
        self._process.communicate()
        self._process = None
        if "llvmlite" in sys.modules:
            self.note_loaded(True)
        self.journal.note_maps()
        self.journal.write("end", taken=None, seconds=seconds, frames=frames, paths=import_paths())

    def note_loaded(self, may_be_gone: bool = False) -> None:
        """Compiled objects came or went; see jit.on_load."""
        with suppress(jit.JitError):
            self.journal.note_objects(may_be_gone)

    def _start_py_spy(self) -> None:
        output = self.journal.samples.with_suffix(PY_SPY_SUFFIX)
        native = ["--native"] if self._native else []
        words = ["record", "--format", "raw", "--threads", "--rate", f"{self._rate_hz:.0f}", "--output", str(output)]
        command = [*self._command, *words, *native, "--pid", str(os.getpid())]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            if _READY in line:
                return
            said.append(line.decode(errors="replace").strip())
        self._fail(said)

    def _start_perf(self) -> None:
        """perf begins switched off and is switched on by a word that it answers: nothing of its own start is sampled."""
        output = self.journal.samples.with_suffix(PERF_SUFFIX)
        tell_read, self._tells = os.pipe()
        answer_read, answer_write = os.pipe()
        words = ["record", "-e", "cpu-clock:u", "-F", f"{self._rate_hz:.0f}", "-g", "-k", "CLOCK_MONOTONIC", "--quiet"]
        words += ["--delay=-1", f"--control=fd:{tell_read},{answer_write}", "-o", str(output), "-p", str(os.getpid())]
        self._process = subprocess.Popen(
            [*self._command, *words],
            pass_fds=(tell_read, answer_write),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.close(tell_read)
        os.close(answer_write)
        os.write(self._tells, b"enable\n")
        with open(answer_read, "rb") as answers:
            if not answers.readline().startswith(b"ack"):
                output_text = self._process.communicate()[0].decode(errors="replace")
                self._fail(output_text.splitlines())

    def _fail(self, said: list[str]) -> None:
        assert self._process is not None
        self._process.wait()
        self._process = None
        told = next((line for line in said if "rror" in line or "ermission" in line), " ".join(said[-1:]))
        raise AttachedError(f"{self._tool} cannot watch this process: {told or 'it ended and said nothing'}")
