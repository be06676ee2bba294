"""The notebook: one immutable Record per measurement, kept as JSON lines, appended and flushed one by one.

A run folder holds `records.jsonl`: a header line (`"kind": "run"`), one line per Record (`"kind": "record"`), and a
last line (`"kind": "end"`). A run that was interrupted has every record taken so far; one that was killed has no end
line. Schema 1 is the first.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import EnvironmentFault, InputError

SCHEMA = 1
RECORDS_NAME = "records.jsonl"


@dataclass(frozen=True)
class Record:
    """One measured quantity of one subject by one instrument.

    values    raw samples in the order taken, in `unit` ("s", "bytes", "count", "ratio", "dB" or "")
    subject   what was measured: clip, width, height, frames, kernels, tiles, threads, quantizer: those that matter
    data      what the instrument has to say beyond the values, as JSON
    command   the command line that reproduces the sample
    """

    instrument: str
    metric: str
    unit: str
    subject: Mapping[str, Any]
    values: tuple[float, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True)
class Run:
    """A run folder that has been read: its header, its records, and its end line (None when the run was killed). A run that was
    gone on with has an end line in between, too."""

    header: Mapping[str, Any]
    records: tuple[Record, ...]
    end: Mapping[str, Any] | None
    folder: Path

    @property
    def command(self) -> str:
        """The command line that began the run, to be typed again."""
        return shlex.join(["workbench", str(self.header.get("verb", "")), *map(str, self.header.get("arguments", ()))])

    def select(self, instrument: str | None = None, metric: str | None = None, **subject: Any) -> list[Record]:
        """The records of an instrument and metric whose subject has these entries, in the order taken."""
        return [
            record
            for record in self.records
            if (instrument is None or record.instrument == instrument)
            and (metric is None or record.metric == metric)
            and all(record.subject.get(key) == value for key, value in subject.items())
        ]


class RunWriter:
    """Appends records to a new run folder's file; each line is closed in the file before the next is measured.

    The folder and its file appear with the first record, so that a run that cannot even begin leaves nothing.
    """

    def __init__(
        self,
        folder: Path,
        verb: str,
        arguments: Sequence[str],
        machine: Mapping[str, Any],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """`about` adds entries to the header line. Raises InputError when the folder holds records."""
        self.folder = folder
        self._path = folder / RECORDS_NAME
        self._began = time.monotonic()
        self._header = {
            "schema": SCHEMA,
            "kind": "run",
            "verb": verb,
            "arguments": list(arguments),
            "machine": dict(machine),
            **(about or {}),
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        self.has_begun = False
        if self._path.exists():
            raise InputError(f"{folder}: holds records already; choose another folder with --out")

    @classmethod
    def going_on(cls, run: Run) -> RunWriter:
        """Append to a run that was read. Half a last line, which a killed one may have left, goes. Raises EnvironmentFault when
        that cannot be done."""
        writer = cls.__new__(cls)
        writer.folder, writer._path, writer._header = run.folder, run.folder / RECORDS_NAME, dict(run.header)
        writer._began, writer.has_begun = time.monotonic(), True
        try:
            with writer._path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
        except OSError as error:
            raise EnvironmentFault(f"{writer._path}: cannot be written: {error.strerror or error}") from error
        return writer

    def write(self, *records: Record) -> None:
        """Append the records. Raises EnvironmentFault when they cannot be written."""
        for record in records:
            self._append({"kind": "record", **asdict(record)})

    def end(self, status: str) -> None:
        """Write the last line: `status` is "complete", "budget", "interrupted" or "failed"."""
        self._append({"kind": "end", "status": status, "wall_s": time.monotonic() - self._began})

    def _append(self, line: Mapping[str, Any]) -> None:
        lines = [line] if self.has_begun else [self._header, line]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("a" if self.has_begun else "x", encoding="utf-8") as file:
                file.writelines(json.dumps(each, allow_nan=False) + "\n" for each in lines)
        except OSError as error:
            raise EnvironmentFault(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self.has_begun = True


def read_run(folder: Path | str) -> Run:
    """Read a run folder. Raises InputError when it holds no records or a line is not what schema 1 says."""
    folder = Path(folder)
    path = folder / RECORDS_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}; give a folder that `workbench profile` wrote") from error
    entries = list(_parsed(path, lines))
    if not entries or entries[0].get("kind") != "run":
        raise InputError(f"{path}: the first line is no run header; give a folder that `workbench profile` wrote")
    if entries[0].get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {entries[0].get('schema')!r}, only schema {SCHEMA} can be read")
    records = tuple(
        _record(path, number, entry) for number, entry in enumerate(entries, 1) if entry.get("kind") == "record"
    )
    end = entries[-1] if entries[-1].get("kind") == "end" else None
    return Run(entries[0], records, end, folder)


def _parsed(path: Path, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # A killed run may leave half a last line; everything before it is good.
                return
            raise InputError(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise InputError(f"{path}: line {number} is no JSON object")
        yield entry


def _record(path: Path, number: int, entry: dict[str, Any]) -> Record:
    fields = {key: value for key, value in entry.items() if key != "kind"}
    for key in ("values", "warnings", "command"):
        fields[key] = tuple(fields.get(key, ()))
    try:
        return Record(**fields)
    except TypeError as error:
        raise InputError(f"{path}: line {number} is no schema {SCHEMA} record: {error}") from error
