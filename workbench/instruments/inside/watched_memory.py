"""Watch the memory of this Python program from its start to its end, as the variable WORKBENCH_MEMORY says:

folder    where the results go: allocations.bin and marks.txt, or kernels.json; `failed` where nothing can be watched
what      "allocations": memray around the whole program; "kernels": who allocates in functions that numba compiles

Only the first process is watched; what it starts runs as ever.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from workbench.instruments.inside.marks import Marks, has_room

VARIABLE = "WORKBENCH_MEMORY"
CAPTURE, MARKS, KERNELS, FAILED = "allocations.bin", "marks.txt", "kernels.json", "failed"
_SHORTEST_S = 0.02  # between two marks
_MARKS_PER_AGE = 500  # the older the program, the farther apart: their number grows with the logarithm


def watch_program() -> None:
    """Begin, unless another process of the program has."""
    told = json.loads(os.environ.pop(VARIABLE))
    folder = Path(told["folder"])
    try:
        os.close(os.open(folder / "taken", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return
    try:
        if told["what"] == "allocations":
            Tracked(folder).start()
        else:
            _account(folder)
    except (ImportError, RuntimeError, OSError) as error:
        (folder / FAILED).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")


class Tracked:
    """memray around this process, with marks in time."""

    def __init__(self, folder: Path) -> None:
        from memray import Tracker

        self._capture = folder / CAPTURE
        self._tracker: Any = Tracker(self._capture)
        self._marks = Marks(folder / MARKS)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._is_on = False

    def start(self) -> None:
        """Track until the program ends or the capture is full."""
        self._tracker.__enter__()
        self._is_on = True
        self._marks.mark()
        atexit.register(self.stop)
        threading.Thread(target=self._mark_on, name="workbench marks", daemon=True).start()

    def stop(self) -> None:
        """Close the capture."""
        self._ended.set()
        with self._lock:
            if self._is_on:
                self._is_on = False
                self._marks.mark()
                self._tracker.__exit__(None, None, None)

    def _mark_on(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(max(_SHORTEST_S, (time.monotonic() - began) / _MARKS_PER_AGE)):
            with self._lock:
                if self._is_on:
                    self._marks.mark()
            if not has_room(self._capture):
                self.stop()


def _account(folder: Path) -> None:
    """Enter every allocation of compiled code from here to the program's end."""
    from workbench.instruments.inside import jit, profile_build
    from workbench.instruments.inside.allocating import Account
    from workbench.instruments.inside.nrt import NrtError, Watch

    missing: list[str] = []
    profile_build.enable(lambda _: None, missing.append)
    import numba  # noqa: F401 now, so that the watch is there before anything is compiled

    try:
        account = Account(Watch())
    except (NrtError, jit.JitError) as error:
        (folder / KERNELS).write_text(json.dumps({"error": str(error)}))
        return
    account.note()

    def finish() -> None:
        account.note()
        report = account.report({})
        report["missing"] = missing + report["missing"]
        (folder / KERNELS).write_text(json.dumps(report))

    atexit.register(finish)
