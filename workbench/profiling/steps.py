"""Steps 1 to 5: check, time, spans, stacks, memory, tiles. Each begins with its share of the budget and ends with its clips or its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench import child
from workbench.corpus import Clip, ensure, tiny_version
from workbench.encode import warm
from workbench.errors import EnvironmentFault
from workbench.instruments import memory, output, spans, stacks, tiles, wall
from workbench.machine import cores
from workbench.profiling.session import LEAST_ROUNDS, MOST_ROUNDS, Session, calibrate, shared_deadline
from workbench.record import Record
from workbench.repetition import Limits
from workbench.subject import Subject

WEIGHTS = {"check": 10, "time": 33, "spans": 7, "stacks": 17, "memory": 9, "tiles": 24}
SETS_COMPARED = ("numba", "numpy", "python")
TILE_COUNTS = (1, 2, 4, 8)
MEMORY_FRAMES = 5
_WARM_TIMEOUT_S = 900.0

Pairs = list[tuple[Clip, str]]  # a clip and the kernel set that encodes it


def prepare(session: Session) -> None:
    """Compile what is not in the caches, both builds side by side, and learn how fast each set is."""
    kernels = session.settings.kernels
    session.display.step("compile kernels, once", 2 * len(kernels))
    with session.budget.paused():
        jobs = [partial(_warm, session, name, build) for name in kernels for build in ({}, stacks.build_environment())]
        session.writer.write(*child.together(jobs, cores()))
    session.display.step("try the encoder", len(kernels))
    for name in kernels:
        session.speeds[name] = calibrate(session, name)
        session.display.tick()


def _warm(session: Session, kernels: str, build: dict[str, str]) -> Record:
    frame_pointers = bool(build)
    seconds = stacks.warm(session.encoder, kernels, session.folder, _WARM_TIMEOUT_S) if frame_pointers else warm(session.encoder, kernels, _WARM_TIMEOUT_S)
    session.display.tick()
    data = {"build": "with frame pointers, for stacks" if frame_pointers else "as it is timed"}
    return Record("wall", "warm", "s", {"kernels": kernels}, (seconds,), data)
