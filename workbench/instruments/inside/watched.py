"""Begin to watch this process as the environment says: what WORKBENCH_WATCH names is set up by instruments/stacks.py.

folder    where the journal and the samples go
source    "sampler", "perf", "py-spy", or "" to have the profile build compiled and nothing watched
rate_hz   samples a second of processor time (py-spy: of time)
handler   file with the machine code of the signal handler
command   words that run perf or py-spy
native    whether py-spy looks at compiled code
seconds   of a program: when to stop; 0 for its end
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from pathlib import Path
from typing import Any, Protocol

from workbench.instruments.inside import profile_build
from workbench.instruments.inside.attached import Attached, AttachedError
from workbench.instruments.inside.journal import Journal
from workbench.instruments.inside.sampler import Sampler, SamplerError

VARIABLE = "WORKBENCH_WATCH"
FAILED_SUFFIX = ".failed"


class Watcher(Protocol):
    """What samples this process."""

    journal: Journal

    def start(self) -> None:
        """Sample from now on."""

    def stop(self, frames: int | None = None) -> None:
        """No more; `frames` were encoded meanwhile."""


def settings() -> dict[str, Any]:
    """What the environment says."""
    found: dict[str, Any] = json.loads(os.environ[VARIABLE])
    return found


def install(told: dict[str, Any]) -> Watcher | None:
    """Set up the profile build and the watcher; None where nothing is to be watched, or cannot be (`failed` says why)."""
    if not told["source"]:
        profile_build.enable(lambda _: None, lambda _: None)
        return None
    folder = Path(told["folder"])
    try:
        watcher = _watcher(told, folder)
        watcher.install()
    except (SamplerError, OSError) as error:
        failed(folder, str(error))
        return None
    profile_build.enable(watcher.note_loaded, lambda text: watcher.journal.write("warning", text=text))
    return watcher


def _watcher(told: dict[str, Any], folder: Path) -> Sampler | Attached:
    if told["source"] == "sampler":
        return Sampler(folder, told["rate_hz"], Path(told["handler"]).read_bytes())
    return Attached(folder, told["source"], told["command"], told["rate_hz"], told["native"])


def failed(folder: Path, why: str) -> None:
    """Leave word that this process is not watched."""
    (folder / f"{os.getpid()}{FAILED_SUFFIX}").write_text(why, encoding="utf-8")


def watch_program() -> None:
    """Watch this process from now to its end, or for as long as is said."""
    told = settings()
    watcher = install(told)
    if watcher is None:
        return
    try:
        watcher.start()
    except AttachedError as error:
        failed(Path(told["folder"]), str(error))
        return
    atexit.register(watcher.stop)
    if told["seconds"]:
        timer = threading.Timer(told["seconds"], watcher.stop)
        timer.daemon = True
        timer.start()
