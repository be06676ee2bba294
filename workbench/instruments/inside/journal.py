"""What a watched process writes down while it runs, so that its samples can be named afterwards, whatever ends it.

PROCESS.jsonl holds a line an event, each with "kind" and "at_ns" of the monotonic clock, written at once:

start    pid, argv, import paths, working folder, executable, rate_hz, layout of Python's frames (null: not known)
begin    sampling is on
thread   number from 1 in the order seen, its name, whether it is the main one, whether its Python frames are known
code     a Python code object: address, key, name, file, first line, lines as [first offset, offset behind, line]
object   a compiled object that was loaded: place and size in PROCESS.objects, which holds them one behind the other
gone     a compiled object that was unloaded: number of its "object" line, from 0
maps     what files are mapped executable: [begin, end, offset in the file, path]
warning  something that the reader of the profile has to know
end      sampling is off: samples taken (null: not known), seconds, encoded frames (null: no encode), import paths as they
         are now
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from workbench.instruments.inside import jit

SAMPLES_SUFFIX, OBJECTS_SUFFIX, LOG_SUFFIX = ".samples", ".objects", ".jsonl"


class Journal:
    """The files of this process in `folder`, named by its id and by how often one of that id has begun."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._stem = next(
            stem for number in range(1 << 16) if not (stem := folder / f"{os.getpid()}-{number}{LOG_SUFFIX}").exists()
        )
        self._log = self._stem.open("x", encoding="utf-8", buffering=1)
        self._objects = self._stem.with_suffix(OBJECTS_SUFFIX).open("wb", buffering=0)
        self._loaded: dict[tuple[int, int, int], int] = {}  # a compiled object in the list -> number of its line
        self._written = 0
        self._numbers = 0
        self._maps: list[Any] = []

    @property
    def samples(self) -> Path:
        """Where the samples of this process go."""
        return self._stem.with_suffix(SAMPLES_SUFFIX)

    def write(self, kind: str, **entries: Any) -> None:
        """A line of the log; a copy of this process, after a fork, does not write into it."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._log.write(json.dumps({"kind": kind, "at_ns": time.monotonic_ns(), **entries}) + "\n")

    def note_objects(self, may_be_gone: bool = True) -> None:
        """Write down compiled objects that came, and those that went. Raises JitError when they cannot be listed."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            came, listed = [], set()
            for entry in jit.entries():  # the newest stands first
                if entry.key in self._loaded and not may_be_gone:
                    break
                listed.add(entry.key)
                came += [entry] if entry.key not in self._loaded else []
            for key in [key for key in self._loaded if may_be_gone and key not in listed]:
                self.write("gone", number=self._loaded.pop(key))
            for entry in reversed(came):
                self._add_object(entry)

    def _add_object(self, entry: jit.Entry) -> None:
        blob = entry.content()
        self._objects.write(blob)
        self.write("object", place=self._written, size=len(blob))
        self._loaded[entry.key] = self._numbers
        self._written += len(blob)
        self._numbers += 1

    def note_maps(self) -> None:
        """Write down which files are mapped executable, where that has changed."""
        found = []
        for line in Path("/proc/self/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            if "x" in fields[1] and len(fields) == 6:
                begin, _, end = fields[0].partition("-")
                found.append([int(begin, 16), int(end, 16), int(fields[2], 16), fields[5]])
        if found != self._maps:
            self._maps = found
            self.write("maps", maps=found)

    def close(self) -> None:
        """Nothing follows."""
        self._log.close()
        self._objects.close()


def import_paths() -> list[str]:
    """The folders that modules are imported from."""
    return [path for path in sys.path if path]
