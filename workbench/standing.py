"""Processes that stay: they answer requests over pipes, a JSON line each, until they are ended."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeVar

from workbench import units
from workbench.child import describe_status
from workbench.errors import EnvironmentFault, SubjectError, SubjectTimeout

PADDING = 4096  # bytes; how long the environment is shifts what is on the stack (Mytkowicz et al. 2009)
LOADING_S = 600.0
COMPILING_S = 1800.0  # of everything, once

Where = TypeVar("Where")


class Standing:
    """One process, in a session of its own, so that Ctrl-C is ours alone. `close` ends it and what it started."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], padding: int, timeout_s: float) -> None:
        """Start it. Raises EnvironmentFault when that cannot be done."""
        self._timeout_s = timeout_s
        self._complaint: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        try:
            self._process = subprocess.Popen(
                list(words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaint,
                env=os.environ | dict(environment) | {"WORKBENCH_PADDING": "x" * padding},
                start_new_session=True,
            )
        except OSError as error:
            self._complaint.close()
            raise EnvironmentFault(f"{words[0]}: cannot be started: {error.strerror or error}") from error

    def ask(self, request: Mapping[str, Any], title: str) -> Any:
        """Send a request and wait for its answer. Raises as `answer`."""
        self.tell(request, title)
        return self.answer(title)

    def tell(self, request: Mapping[str, Any], title: str) -> None:
        """Send a request, whose `answer` is to be asked for. Raises SubjectError where the process died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died(title) from None

    def loaded(self, title: str) -> Any:
        """Its first words, when it has loaded and compiled what it needs, which may take longer than any request. Raises as
        `answer`."""
        return self.answer(title, max(self._timeout_s, LOADING_S))

    def answer(self, title: str, timeout_s: float | None = None) -> Any:
        """What it says next. Raises SubjectTimeout where it hangs, SubjectError where it died; `title` is whose fault that is."""
        pipe = self._process.stdout
        assert pipe is not None
        limit = self._timeout_s if timeout_s is None else timeout_s
        ready, _, _ = select.select([pipe], [], [], limit)
        if not ready:
            seen = f"no answer for {units.seconds(limit)}, killed; does it hang?"
            raise SubjectTimeout(f"{title}: {seen}")
        line = pipe.readline()
        if not line:
            raise self._died(title)
        return json.loads(line)

    def _died(self, title: str) -> SubjectError:
        status = self._process.wait()
        self._complaint.seek(0)
        said = self._complaint.read().decode("utf-8", "replace").strip().splitlines()
        return SubjectError(f"{title}: its process ended: {': '.join([describe_status(status), *said[-1:]])}")

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._complaint.close()


def deal(
    names: Sequence[str], places: Sequence[Where], fits: Callable[[str, Where], bool], chance: random.Random
) -> dict[str, Where]:
    """A place of its own for each name, as chance has it: a process that is slower by its place in memory so is A's as
    often as B's."""
    free = chance.sample(list(places), len(places))
    dealt = {}
    for name in chance.sample(list(names), len(names)):
        dealt[name] = next(place for place in free if fits(name, place))
        free.remove(dealt[name])
    return dealt
