"""The cache of made and downloaded clips: each file is there whole and checked, or not at all.

Files live in $XDG_CACHE_HOME/workbench/corpus (~/.cache without it), named CLIP-KEY.SUFFIX, where KEY begins the
clip's sha256: clips of two manifests never meet. A lock per clip keeps two processes from making the same one. A stamp
(size, time of change, sha256) written when a file was hashed spares hashing it again until it changes; `verify` hashes
always.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from workbench import files
from workbench.corpus import y4m
from workbench.corpus.clips import Clip, Cropped, Fetched, Generated, Repeated, Stored
from workbench.corpus.fetch import download
from workbench.corpus.generator import GENERATOR_VERSION, Recipe, y4m_chunks
from workbench.corpus.videos import cropped_y4m, repeated_y4m
from workbench.errors import EnvironmentFault
from workbench.files import write_text, written_whole
from workbench.units import byte_size

Progress = Callable[[Clip, int, int], None]
"""Called as progress(clip, done_bytes, total_bytes) while a file is made or downloaded."""

LOCK_PATIENCE_S = 600.0
_LOCK_POLL_S = 0.05
_KEY_DIGITS = 16
_LONGEST_NAME = 80


class State(StrEnum):
    """What is known of a clip's file."""

    INTACT = "intact"  # its sha256 is right
    DAMAGED = "damaged"  # its sha256 is wrong
    ABSENT = "absent"  # not made yet, or a stored file that is not there
    UNCHECKED = "unchecked"  # there, and nothing says what it should hold


@dataclass(frozen=True)
class _Stamp:
    """A file as it was when its sha256 was taken."""

    size: int
    mtime_ns: int
    sha256: str


def cache_folder() -> Path:
    """Where clips are kept."""
    return files.cache_folder("corpus")


def cached_path(clip: Clip) -> Path:
    """Where the clip's file is, or will be when `ensure` has made it."""
    if isinstance(clip.source, Stored):
        assert clip.path is not None, "a stored clip has a path"
        return clip.path
    name = re.sub(r"[^A-Za-z0-9_-]", "_", clip.name)[:_LONGEST_NAME]
    return cache_folder() / f"{name}-{_key(clip)[:_KEY_DIGITS]}{_suffix(clip)}"


def _key(clip: Clip) -> str:
    """The clip's sha256, or a digest of all that decides its bytes where that is not known beforehand."""
    if clip.sha256 is not None:
        return clip.sha256
    decides: list[object] = [clip.width, clip.height, clip.frames, str(clip.fps), GENERATOR_VERSION]
    if isinstance(clip.source, Generated):
        decides += [clip.source.recipe, clip.source.seed, clip.source.first, clip.source.timeline]
    if isinstance(clip.source, Cropped):
        decides += [clip.source.first, *_identity(clip.source.parent)]
    if isinstance(clip.source, Repeated):
        decides += ["repeated", clip.source.parent.frames, *_identity(clip.source.parent)]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _identity(clip: Clip) -> tuple[object, ...]:
    """What changes when a clip's file is another one: its checksum, or the file's place, size and time of change."""
    if clip.sha256 is not None:
        return (clip.sha256,)
    path = cached_path(clip)
    status = _status(path, clip)
    return (str(path.resolve()), status.st_size, status.st_mtime_ns)


def _status(path: Path, clip: Clip) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise EnvironmentFault(f"{path}: clip {clip.name!r} cannot be read: {error.strerror}") from error


def _suffix(clip: Clip) -> str:
    return PurePosixPath(urlsplit(clip.source.url).path).suffix if isinstance(clip.source, Fetched) else ".y4m"


def ensure(clip: Clip, progress: Progress | None = None, *, force: bool = False) -> Path:
    """The clip's file, made or downloaded first when it is not there, and checked: now, or when it last changed.

    force   make it anew even if it is there; stored clips are never touched

    Raises EnvironmentFault (exit status 5) when the file is damaged, missing, cannot be written or downloaded, or when
    what was made has another sha256 than the manifest says; InputError when the video to cut a small version from is
    unreadable.
    """
    path = cached_path(clip)
    if isinstance(clip.source, Stored):
        _require_usable(clip, path)
        return path
    if force or state(clip) is not State.INTACT:
        with _locked(path):
            # Another process may have made it while we waited for the lock.
            found = State.ABSENT if force else state(clip)
            if found is State.ABSENT:
                _make(clip, path, progress)
            elif found is State.DAMAGED:
                raise _damaged(clip, path)
    return path


def _require_usable(clip: Clip, path: Path) -> None:
    """Raise EnvironmentFault when a stored clip's file is missing, unreadable or not the one that was meant."""
    found = state(clip)
    if found is State.ABSENT:
        raise EnvironmentFault(f"{path}: the file of clip {clip.name!r} is not there{_named_by(clip)}")
    if found is State.DAMAGED:
        raise _damaged(clip, path)


def state(clip: Clip, *, thorough: bool = False) -> State:
    """What is known of the clip's file; `thorough` hashes it even if nothing has changed since it was hashed last."""
    path = cached_path(clip)
    if not path.is_file():
        return State.ABSENT
    stamp = _read_stamp(path)
    if clip.sha256 is None and isinstance(clip.source, Stored):
        return State.UNCHECKED
    wanted = clip.sha256 or (stamp.sha256 if stamp else None)
    if wanted is None:
        return State.ABSENT  # made without a known checksum, and the stamp is lost: it has to be made anew
    status = _status(path, clip)
    if not thorough and stamp == _Stamp(status.st_size, status.st_mtime_ns, wanted):
        return State.INTACT
    if _sha256_of(path) != wanted:
        return State.DAMAGED
    with suppress(EnvironmentFault):  # a stamp only saves time; without one the next use hashes again
        _write_stamp(path, wanted)
    return State.INTACT


def verify(clip: Clip) -> State:
    """Hash the clip's file, whatever its stamp says."""
    return state(clip, thorough=True)


def _damaged(clip: Clip, path: Path) -> EnvironmentFault:
    where = "" if clip.manifest is None else f" {clip.manifest.parent}"
    if isinstance(clip.source, Stored):
        remedy = f"restore the file, or correct sha256 in {clip.manifest} if it was changed on purpose"
    else:
        remedy = f"run: workbench corpus verify{where} --repair"
    return EnvironmentFault(
        f"{path}: clip {clip.name!r} is damaged: its sha256 begins {_sha256_of(path)[:12]}, "
        f"{(clip.sha256 or 'that of its making')[:12]} is right; {remedy}"
    )


def _named_by(clip: Clip) -> str:
    return "" if clip.manifest is None else f"; {clip.manifest} names it: restore the file or correct the path"


# --- making -----------------------------------------------------------------------------------------------------------


def _make(clip: Clip, path: Path, progress: Progress | None) -> None:
    """Put the clip's file where it belongs, whole; the lock is held."""
    _remove_leftovers(path)
    report = None if progress is None else lambda done, total: progress(clip, done, total)
    if isinstance(clip.source, Fetched):
        assert clip.sha256 is not None, "the manifest demands a checksum of what is downloaded"
        download(clip.source.url, path, clip.sha256, clip.source.size_bytes, report)
        _write_stamp(path, clip.sha256)
    else:
        total_bytes = y4m.size_bytes(clip.width, clip.height, clip.fps, clip.frames)
        try:
            digest = _write_checked(clip, path, total_bytes, report)
        except EnvironmentFault as error:
            if not isinstance(error.__cause__, OSError):
                raise
            raise EnvironmentFault(
                f"{error}; clip {clip.name!r} needs {byte_size(total_bytes)}: make room, "
                "or set XDG_CACHE_HOME to a folder elsewhere"
            ) from error
        _write_stamp(path, digest)


def _write_checked(clip: Clip, path: Path, total_bytes: int, report: Callable[[int, int], None] | None) -> str:
    """Write the clip beside its final name and rename it when its sha256, which is returned, is right."""
    hasher = hashlib.sha256()
    with written_whole(path) as part:
        with part.open("wb") as file:
            for chunk in _chunks(clip):
                file.write(chunk)
                hasher.update(chunk)
                if report is not None:
                    report(file.tell(), total_bytes)
            file.flush()
            os.fsync(file.fileno())
        digest = hasher.hexdigest()
        if clip.sha256 not in (None, digest):
            raise EnvironmentFault(
                f"{clip.manifest}: clip {clip.name!r} was made with sha256 {digest}, the manifest says {clip.sha256}; "
                "if its recipe was changed on purpose, write the new one into the manifest"
            )
    return digest


def _chunks(clip: Clip) -> Iterable[bytes]:
    """The clip's file, piece by piece."""
    source = clip.source
    if isinstance(source, Generated):
        size = (clip.width, clip.height, clip.frames, clip.fps)
        return y4m_chunks(Recipe(source.recipe, *size, source.seed, source.first, source.timeline))
    if isinstance(source, Repeated):
        return repeated_y4m(ensure(source.parent), source.parent, clip.frames)
    assert isinstance(source, Cropped), "stored and fetched clips are not made here"
    return cropped_y4m(ensure(source.parent), clip, source.first)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left beside `path`: while we hold the lock, nobody else writes it."""
    for leftover in path.parent.glob(f".{path.name}.part-*"):
        leftover.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of one clip. Raises EnvironmentFault when the cache is unwritable or the lock stays taken."""
    lock_path = cache_folder() / "locks" / f"{path.name}.lock"
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        file = lock_path.open("a")
    except OSError as error:
        raise EnvironmentFault(
            f"{lock_path.parent}: cannot be written: {error.strerror}; set XDG_CACHE_HOME to a folder that can"
        ) from error
    with file:
        _wait_for_lock(file.fileno(), lock_path)
        yield  # closing the file releases the lock, also when the process dies


def _wait_for_lock(descriptor: int, lock_path: Path) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EnvironmentFault(
                    f"{lock_path}: another process has kept this lock for {LOCK_PATIENCE_S:.0f} s; end it and try again"
                ) from None
            time.sleep(_LOCK_POLL_S)


# --- checksums and stamps ---------------------------------------------------------------------------------------------


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be read: {error.strerror}") from error


def _stamp_path(path: Path) -> Path:
    return cache_folder() / "stamps" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"


def _read_stamp(path: Path) -> _Stamp | None:
    """The file's stamp, or None when there is none that can be read."""
    try:
        return _Stamp(**json.loads(_stamp_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_stamp(path: Path, sha256: str) -> None:
    """Note that the file, as it is now, has this checksum. Raises EnvironmentFault when the cache cannot be written."""
    stamp_path = _stamp_path(path)
    try:
        stamp_path.parent.mkdir(parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise EnvironmentFault(f"{stamp_path}: cannot be written: {error.strerror}") from error
    write_text(stamp_path, json.dumps(asdict(_Stamp(status.st_size, status.st_mtime_ns, sha256))))
