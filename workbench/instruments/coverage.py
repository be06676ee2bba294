"""Executed lines and branches of the encoder by one clip: coverage.py over the interpreted walk, on a tiny version of
the clip.

Compiled code cannot be watched, but it has the same source: every decision of the walk is seen here as it is compiled.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM
from workbench.record import Record
from workbench.subject import Subject

INSTRUMENT = "coverage"
KERNELS = "numpy"  # the python set reaches the kernels' own branches too, but takes four times as long
NOT_ENCODING = (
    "kernels/cases/", "kernels/check.py", "kernels/set_python/", "kernels/set_numba/", "stress.py", "tile/stress.py",
)  # fmt: skip
_COVERED = "workbench.instruments.inside.covered"

Item = tuple[str, int] | tuple[str, int, int]  # (file, line) or (file, from line, to line)
Files = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Covered:
    """What one clip runs: `items` are lines and branch exits; `files` is what inside/covered.py wrote."""

    files: Files

    @property
    def items(self) -> frozenset[Item]:
        """The lines and branch exits that were run."""
        lines = {(name, line) for name, file in self.files.items() for line in file["lines"]}
        arcs = {(name, start, end) for name, file in self.files.items() for start, end in file["arcs"]}
        return frozenset(lines | arcs)


def measure(subject: Subject, folder: Path, timeout_s: float) -> Covered:
    """Encode a tiny clip, whose kernel set is an interpreted one, under coverage.py."""
    result = folder / "covered.json"
    words = (sys.executable, "-m", _COVERED, str(result), ",".join(NOT_ENCODING), *subject.arguments(folder / STREAM))
    child.run(words, timeout_s, subject.encoder.environment)
    return Covered(json.loads(result.read_text(encoding="utf-8")))


def never_reached(covered: Iterable[Covered]) -> Record:
    """What no clip runs, as ranges of lines per file; the count is of lines and branch exits, as in the selection."""
    by_clip = list(covered)
    reached = frozenset[Item]().union(*(clip.items for clip in by_clip))
    files: dict[str, list[list[int]]] = {}
    total = 0
    for name, file in by_clip[0].files.items() if by_clip else ():
        total += len(file["statements"]) + file["exits"]
        missing = [line for line in file["statements"] if (name, line) not in reached]
        if missing:
            files[name] = _ranges(missing, file["statements"])
    data = {"files": files, "total_items": total, "covered_items": len(reached)}
    return Record(INSTRUMENT, "never_reached", "count", {"kernels": KERNELS}, (float(total - len(reached)),), data)


def _ranges(missing: list[int], statements: list[int]) -> list[list[int]]:
    """[first, last] of runs of missing statements, whatever blank and comment lines lie between two of them."""
    ranges: list[list[int]] = []
    gone = set(missing)
    before_was_missing = False
    for line in sorted(statements):
        if line in gone and before_was_missing:
            ranges[-1][1] = line
        elif line in gone:
            ranges.append([line, line])
        before_was_missing = line in gone
    return ranges
