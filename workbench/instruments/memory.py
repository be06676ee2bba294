"""Allocations of the steady state by memray: how many, how much at once, and which places in the source ask for most.

The first frames are left out: they fill caches, slots and buffers that later frames reuse. The clip is encoded forwards and
backwards, so that a short one has a steady state too. memray does not see into compiled code, so what a kernel allocates
is charged to the Python line that entered compiled code. The peak resident set is another matter, see wall.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM, without_folder
from workbench.errors import SubjectError
from workbench.record import Record
from workbench.subject import Subject

INSTRUMENT = "memray"
TOP_SITES = 20
_ALL_SITES = 100_000  # memray ranks by bytes and by count apart: only whole lists can be put side by side
_TRACKED = "workbench.instruments.inside.tracked"


def measure(subject: Subject, folder: Path, timeout_s: float, warm_up: int, frames: int) -> list[Record]:
    """Track one encode of `frames` pictures: `allocations` and `peak_bytes` behind the first `warm_up` packets."""
    capture = folder / "allocations.bin"
    capture.unlink(missing_ok=True)
    options = (str(capture), str(warm_up), str(frames))
    words = (sys.executable, "-m", _TRACKED, *options, *subject.arguments(folder / STREAM))
    child.run(words, timeout_s, subject.encoder.environment)
    if not capture.is_file():
        raise SubjectError(f"{subject.clip}: memray wrote no capture; were there frames behind the first {warm_up}?")
    stats = _statistics(capture, folder / "allocations.json", timeout_s)
    sites = _top_sites(stats)
    steady = {"frames": frames - warm_up, "warm_up": warm_up}
    data = {**steady, "top_sites": sites, "total_bytes": stats["total_bytes_allocated"]}
    count, peak = float(stats["total_num_allocations"]), float(stats["metadata"]["peak_memory"])
    about: dict[str, Any] = {"subject": subject.entry(), "command": without_folder(words, folder)}
    return [
        Record(INSTRUMENT, "allocations", "count", values=(count,), data=data, **about),
        Record(INSTRUMENT, "peak_bytes", "bytes", values=(peak,), data=steady, **about),
    ]


def _statistics(capture: Path, output: Path, timeout_s: float) -> dict[str, Any]:
    """memray's own statistics of a capture, through its command line."""
    options = ("--json", "--force", "-n", str(_ALL_SITES), "-o", str(output))
    child.run((sys.executable, "-m", "memray", "stats", *options, str(capture)), timeout_s)
    stats: dict[str, Any] = json.loads(output.read_text())
    return stats


def _top_sites(stats: dict[str, Any]) -> list[dict[str, Any]]:
    """The places that allocate most bytes, with their numbers of allocations."""
    counts = {site["location"]: site["count"] for site in stats["top_allocations_by_count"]}
    return [
        {"site": readable_site(site["location"]), "count": counts.get(site["location"], 0), "bytes": site["size"]}
        for site in stats["top_allocations_by_size"][:TOP_SITES]
    ]


def readable_site(location: str) -> str:
    """memray's "function:/a/long/path/encoder/tile/walk.py:12" as "tile/walk.py:12 function": the last folder and the
    file."""
    function, _, rest = location.partition(":/")
    path, _, line = rest.rpartition(":")
    return f"{'/'.join(path.split('/')[-2:])}:{line} {function}" if path else location
