"""One encode as a process: the command of a Subject, run to its end in a folder of its own."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench import child
from workbench.child import Usage
from workbench.errors import InputError, SubjectError
from workbench.subject import Encoder, Subject

STREAM = "stream.ivf"
STATS = "stats.json"
STATS_SCHEMA = 2
_LOADED = "workbench.instruments.inside.loaded"


def without_folder(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """A command line as it is recorded: files of the working folder, which is gone afterwards, by their bare names."""
    return tuple(word.removeprefix(f"{folder}/") for word in words)


def warm(encoder: Encoder, kernels: str, timeout_s: float) -> Usage:
    """Compile what a kernel set needs into the encoder's cache. Raises as `encode` does."""
    return _run((*encoder.start, "--warm", "--kernels", kernels, "-q"), encoder, timeout_s)


def loaded(encoder: Encoder) -> Encoder:
    """Our encoder, in a process that has loaded its compiled code before it begins: else the first frames pay for that,
    which may be more than they cost themselves."""
    return dataclasses.replace(encoder, start=(sys.executable, "-m", _LOADED))


def encode(subject: Subject, folder: Path, timeout_s: float, *more: str) -> Usage:
    """Encode into `folder`/stream.ivf, with `more` options. Raises SubjectError when the encoder fails or
    hangs, InputError when it does not take the input or an option."""
    return _run(subject.command(folder / STREAM, *more), subject.encoder, timeout_s)


def _run(command: Sequence[str], encoder: Encoder, timeout_s: float) -> Usage:
    """Run the encoder; what it calls bad input (exit status 2) is bad input of ours, in its own words."""
    finished = child.run(command, timeout_s, encoder.environment, check=False)
    if finished.usage.exit_status == InputError.exit_status:
        raise InputError(
            child.last_line(finished) or f"{shlex.join(command)}: exit status 2, and nothing on standard error"
        )
    if finished.usage.exit_status != 0:
        raise SubjectError(f"{shlex.join(command)}: {child.describe_failure(finished)}")
    return finished.usage


def encode_with_stats(subject: Subject, folder: Path, timeout_s: float, *more: str) -> tuple[Usage, dict[str, Any]]:
    """Encode and read what the encoder says of it (`--stats`, schema 2: see `frame_seconds`). Raises SubjectError when it
    says nothing usable."""
    usage = encode(subject, folder, timeout_s, "--stats", str(folder / STATS), *more)
    return usage, read_stats(folder / STATS, subject)


def read_stats(path: Path, subject: Subject) -> dict[str, Any]:
    """The stats file of an encode of `subject`. Raises SubjectError when it is not there, is not schema 2, or counts
    other frames than were asked for: every picture is coded once, so there are as many entries as pictures."""
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


def frame_seconds(stats: dict[str, Any]) -> tuple[float, float]:
    """Wall seconds of the first coded frame, a key frame, and the mean of those behind it (of the first, where it is the
    only one). Frames differ by a factor of five: neither the least nor the median says what a video takes."""
    walls = [float(frame["wall_s"]) for frame in stats["frames"]]
    behind = walls[1:] or walls
    return walls[0], sum(behind) / len(behind)
