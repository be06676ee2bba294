"""One encode as a process: the command of a Subject, run to its end in a folder of its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench import child
from workbench.child import Usage
from workbench.errors import SubjectError
from workbench.subject import Subject

STREAM = "stream.ivf"
STATS = "stats.json"
STATS_SCHEMA = 1


def without_folder(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """A command line as it is recorded: files of the working folder, which is gone afterwards, by their bare names."""
    return tuple(word.removeprefix(f"{folder}/") for word in words)


def encode(subject: Subject, folder: Path, timeout_s: float, *more: str) -> Usage:
    """Encode into `folder`/stream.ivf, with `more` options. Raises SubjectError when the encoder fails or hangs."""
    return child.run(subject.command(folder / STREAM, *more), timeout_s, subject.encoder.environment).usage


def encode_with_stats(subject: Subject, folder: Path, timeout_s: float, *more: str) -> tuple[Usage, dict[str, Any]]:
    """Encode and read what the encoder says of it (`--stats`, schema 1). Raises SubjectError when it says nothing
    usable."""
    usage = encode(subject, folder, timeout_s, "--stats", str(folder / STATS), *more)
    return usage, read_stats(folder / STATS, subject)


def read_stats(path: Path, subject: Subject) -> dict[str, Any]:
    """The stats file of an encode of `subject`. Raises SubjectError when it is not there or not schema 1."""
    command = shlex.join(subject.command(Path(STREAM)))
    try:
        stats = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SubjectError(f"{command}: wrote no usable --stats file: {error}") from error
    if not isinstance(stats, dict) or stats.get("schema") != STATS_SCHEMA:
        raise SubjectError(f"{command}: its --stats file is not schema {STATS_SCHEMA}")
    if len(stats.get("frames", ())) != subject.frames:
        seen = len(stats.get("frames", ()))
        wanted = subject.frames
        raise SubjectError(f"{command}: encoded {seen} frames where {wanted} were asked for; is the clip shorter?")
    return stats
