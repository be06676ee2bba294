"""What earlier comparisons on this machine came to: whether controls fired, and whether predictions came true.

JSON lines in $XDG_STATE_HOME/workbench, appended; the whole of a line or nothing. Nothing else depends on them being there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.machine import fingerprint

CONTROLS, PREDICTIONS = "controls", "predictions"
_LAST = 1000  # entries that are looked at


def state_folder() -> Path:
    """$XDG_STATE_HOME/workbench, by default ~/.local/state/workbench."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "workbench"


def remember(kind: str, entry: Mapping[str, Any]) -> None:
    """Append an entry, with the time and the machine. What cannot be written is forgotten: it is a convenience."""
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    line = json.dumps({"at": when, "machine": fingerprint()["hash"], **entry}) + "\n"
    try:
        state_folder().mkdir(parents=True, exist_ok=True)
        # Unbuffered and at the end: a line is one write, so lines of several processes do not mix.
        with (state_folder() / f"{kind}.jsonl").open("ab", buffering=0) as file:
            file.write(_start_of_line(state_folder() / f"{kind}.jsonl") + line.encode())
    except OSError:
        return


def _start_of_line(path: Path) -> bytes:
    """What ends a line that was left half-written; nothing where the file ends with a whole one."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return b"" if file.read(1) in (b"", b"\n") else b"\n"


def recall(kind: str) -> list[dict[str, Any]]:
    """The last entries of this machine, oldest first; a line that cannot be read is none."""
    machine = fingerprint()["hash"]
    found = []
    try:
        lines = (state_folder() / f"{kind}.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST:]
    except OSError:
        return []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("machine") == machine:
            found.append(entry)
    return found
