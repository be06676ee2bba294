"""Executed lines and branches of the encoder by one clip: coverage.py over the interpreted walk, on a tiny version of
the clip.

Compiled code cannot be watched, but it is the same source: the walk is interpreted and the python set has the very
loops that numba compiles. Results are kept in the cache until the encoder's sources or the clip change.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM
from workbench.files import cache_folder, sha256_of, write_text
from workbench.record import Record
from workbench.subject import Subject, source_digest

INSTRUMENT = "coverage"
KERNELS = "python"
NOT_ENCODING = ("kernels/cases", "kernels/check.py", "stress.py", "kernels/set_numpy/", "kernels/set_numba/")
KEPT_VERSIONS = 3
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


class Cache:
    """Results by clip, for this version of the encoder's sources."""

    def __init__(self) -> None:
        self._folder = cache_folder("coverage") / source_digest()

    def find(self, subject: Subject) -> Covered | None:
        """The kept result of a tiny clip, or None; one that cannot be read is measured again."""
        try:
            return Covered(json.loads(self._path(subject).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def keep(self, subject: Subject, covered: Covered) -> None:
        """Keep a result, and drop those of older versions of the encoder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._path(subject), json.dumps(covered.files))
        versions = sorted(self._folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for old in versions[KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)

    def _path(self, subject: Subject) -> Path:
        return self._folder / f"{sha256_of(subject.source)}-q{subject.quantizer}.json"


def measure(subject: Subject, folder: Path, timeout_s: float) -> Covered:
    """Encode a tiny clip with the python set under coverage.py."""
    result = folder / "covered.json"
    interpreted = subject.change(kernels=KERNELS)
    arguments = interpreted.arguments(folder / STREAM)
    words = (sys.executable, "-m", _COVERED, str(result), ",".join(NOT_ENCODING), *arguments)
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
