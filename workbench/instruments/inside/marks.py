"""Marks in a capture of allocations, and figures beside them: where one frame ends and the next begins.

memray's records have no time of their own. A mark is therefore an allocation, of a size that nothing else asks for, made by
a function that the reader of the capture looks for; it is freed at once. Beside the capture a file gets a line for each
mark: seconds, blocks that Python's own allocator has given out, and numba's counts of allocations and frees by compiled
code (-1 where numba is not loaded or does not count).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

MARK_BYTES = 61_681
"""What `mark` asks for, as the capture shows it."""
MOST_CAPTURE_BYTES = 64 << 20
"""A capture that has grown so large is closed: reading it would take minutes."""


class Marks:
    """Writes marks into the capture that is being made, and their figures into a file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._began = time.perf_counter()

    def mark(self) -> None:
        """Set a mark: what is allocated from here on comes after it."""
        line = f"{time.perf_counter() - self._began:.6f} {sys.getallocatedblocks()} {compiled_counts()}\n"
        os.write(self._file, line.encode())
        bytearray(MARK_BYTES - 1)  # one byte more is asked for, for a zero behind the last


def compiled_counts() -> str:
    """What numba's runtime has allocated and freed so far, `allocations frees`."""
    system: Any = getattr(
        sys.modules.get("numba.core.runtime"), "rtsys", None
    )  # None also while numba is being imported
    library: Any = sys.modules.get("numba.core.runtime._nrt_python")
    if system is None or library is None or not library.memsys_stats_enabled():
        return "-1 -1"
    stats = system.get_allocation_stats()
    return f"{stats.alloc} {stats.free}"


def has_room(capture: Path) -> bool:
    """Whether a capture may grow further."""
    return capture.stat().st_size < MOST_CAPTURE_BYTES
