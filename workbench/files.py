"""Files that are whole or not there: written beside their final name, renamed when complete."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.errors import EnvironmentFault, InputError

_REMOVALS, _REMOVAL_S = 50, 0.1


def refuse_existing(path: Path, force: bool) -> None:
    """Raise InputError when `path` exists and may not be overwritten."""
    if path.exists() and not force:
        raise InputError(f"{path}: exists already and is not overwritten; choose another name or give --force")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give the name of a part file to write; it becomes `path` when the block ends well, and vanishes when not.

    Raises EnvironmentFault when the folder cannot be written or the disk is full.
    """
    # Two threads may write one file: of clips with the same content, say.
    part = path.with_name(f".{path.name}.part-{os.getpid()}-{threading.get_ident()}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # where nothing can be written, nothing can be taken away
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def scratch_folder(within: Path | None = None) -> Iterator[Path]:
    """A folder for a while, in `within` or where the system keeps such."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-", dir=within))
    try:
        yield folder
    finally:
        for _ in range(_REMOVALS):
            # A process that was killed may still end its last write into a folder that was just emptied.
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(_REMOVAL_S)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder(name: str) -> Path:
    """$XDG_CACHE_HOME/workbench/NAME: what lies there can be made again. A value that is no absolute path does not
    count."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "workbench" / name
