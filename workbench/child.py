"""Child processes: run one to its end, with a time limit, and learn what it used."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from workbench import units
from workbench.errors import EnvironmentFault, SubjectError, SubjectTimeout

_LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
_running: set[int] = set()  # process groups of children, by the launcher's id

Result = TypeVar("Result")


@dataclass(frozen=True)
class Usage:
    """What one process used, by os.wait4 of that child alone, and how disturbed the machine was meanwhile.

    max_rss_bytes         its own peak resident set, not its launcher's (see launch.py)
    involuntary_switches  times it was taken off a processor
    pressure_s            seconds in which some task of the machine waited for a processor
    steal_s               processor seconds that the hypervisor gave to others; both None where the kernel does not say
    """

    exit_status: int
    wall_s: float
    user_s: float
    system_s: float
    max_rss_bytes: int
    involuntary_switches: int
    pressure_s: float | None
    steal_s: float | None

    @property
    def cpu_s(self) -> float:
        """Processor seconds, user and system."""
        return self.user_s + self.system_s


@dataclass(frozen=True)
class Finished:
    """A process that ended: what it used and what it said."""

    usage: Usage
    output: str
    complaint: str


def run(
    command: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None, check: bool = True
) -> Finished:
    """Run `command` and wait for it; it and all it started are killed at the time limit and when we are interrupted.

    environment   entries added to ours
    check         raise SubjectError when it ends with another status than 0
    Raises SubjectTimeout when it hangs, SubjectError when it fails, EnvironmentFault when it cannot be started.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        report = _launch(command, timeout_s, dict(os.environ) | dict(environment or {}), output, complaint)
        if report is None:
            seen = f"still running after {units.seconds(timeout_s)}, killed; does it hang?"
            raise SubjectTimeout(f"{shlex.join(command)}: {seen}", _text(output))
        finished = Finished(_usage(command, report), _text(output), _text(complaint))
    if check and finished.usage.exit_status != 0:
        raise SubjectError(f"{shlex.join(command)}: {describe_failure(finished)}")
    return finished


def describe_failure(finished: Finished) -> str:
    """Why a process failed, in its own last words: `exit status 2: encoder: clip.y4m: no such file`."""
    reason, said = describe_status(finished.usage.exit_status), last_line(finished)
    return f"{reason}: {said}" if said else f"{reason}, and nothing on standard error"


def describe_status(status: int) -> str:
    """How a process ended: `exit status 2`, or `killed by signal 11 (SIGSEGV)` for -11."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else "unknown"
    return f"killed by signal {-status} ({name})"


def last_line(finished: Finished) -> str:
    """The last line that a process wrote to standard error; of a traceback, the exception."""
    return next(reversed(finished.complaint.strip().splitlines()), "")


def together(jobs: Sequence[Callable[[], Result]], workers: int) -> list[Result]:
    """Run jobs that wait for children side by side, at most `workers` at once, and return their results in order.

    When one fails, or we are interrupted, the others' children are killed.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in ended:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for group in tuple(_running):
                _kill_group(group)
            raise


def _launch(
    command: Sequence[str], timeout_s: float, environment: Mapping[str, str], output: IO[bytes], complaint: IO[bytes]
) -> str | None:
    """Run `command` under launch.py in a process group of its own: launch.py's report, or None at the time limit."""
    read_end, write_end = os.pipe()
    with open(read_end, encoding="utf-8") as pipe:
        try:
            launcher = subprocess.Popen(
                [*_LAUNCHER, str(write_end), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaint,
                env=environment,
                pass_fds=(write_end,),
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFault(f"{shlex.join(command)}: cannot be started: {error.strerror or error}") from error
        finally:
            os.close(write_end)
        _running.add(launcher.pid)
        try:
            launcher.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _running.discard(launcher.pid)
            _kill_group(launcher.pid)
            launcher.wait()
        return pipe.read()


def _kill_group(group: int) -> None:
    """End whatever is left of a launcher's process group, which holds all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _usage(command: Sequence[str], report: str) -> Usage:
    try:
        fields = json.loads(report)
    except ValueError as error:
        raise EnvironmentFault(f"{shlex.join(command)}: its launcher was killed before it could report") from error
    if "error" in fields:
        raise EnvironmentFault(f"{command[0]}: cannot be started: {fields['error']}")
    return Usage(**fields)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
