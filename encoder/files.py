"""Output files that are there whole, or not at all."""

import errno
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from encoder.errors import DiskFullError, OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BUFFER_BYTES = 1 << 18


class Outputs:
    """The files that one run writes: at the end of the block all of them appear, after an exception none does.

    Each is written beside its final name, as .NAME.part-PID, and renamed when everything is written.
        with Outputs(overwrite=False) as outputs:
            outputs.open("clip.ivf").write(data)
    Raises OutputError for a file that exists (unless `overwrite`) or cannot be created, DiskFullError when there is no
    room.
    """

    def __init__(self, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._parts: dict[Path, Path] = {}
        self._streams: list[io.BufferedWriter[_PartFile]] = []

    def open(self, name: str) -> BinaryIO:
        """A seekable binary stream that becomes the file `name`; it is closed by the end of the block."""
        # A link is followed, so that renaming replaces the file it names and not the link.
        final = Path(os.path.realpath(name))
        self._require_free(name, final)
        part = final.with_name(f".{final.name}.part-{os.getpid()}")
        self._parts[final] = part
        try:
            stream = io.BufferedWriter(_PartFile(part, name), _BUFFER_BYTES)
        except OSError as error:
            raise _as_output_error(name, error) from error
        self._streams.append(stream)
        return stream

    def _require_free(self, name: str, final: Path) -> None:
        if final in self._parts:
            raise OutputError(f"{name}: is given for two outputs")
        if os.path.isdir(final):
            raise OutputError(f"{name}: is a folder, not a file")
        if os.path.exists(final) and not os.path.isfile(final):
            raise OutputError(f"{name}: is a device or a pipe, outputs are regular files")
        if os.path.exists(final) and not self._overwrite:
            raise OutputError(f"{name}: exists, not overwritten without -y")
        if not os.path.isdir(final.parent):
            raise OutputError(f"{name}: there is no folder {final.parent}")

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            self._discard()

    def _commit(self) -> None:
        for stream in self._streams:
            stream.close()
        for final, part in list(self._parts.items()):
            try:
                part.replace(final)
            except OSError as error:
                raise _as_output_error(str(final), error) from error
            del self._parts[final]

    def _discard(self) -> None:
        for stream in self._streams:
            stream.raw.close()  # without a flush: the disk may be full
        for part in self._parts.values():
            with suppress(OSError):  # the error that led here says more than one about a file that could not be made
                part.unlink()


class _PartFile(io.FileIO):
    """A file whose errors name the output that it will be."""

    def __init__(self, part: Path, name: str) -> None:
        super().__init__(part, "wb")
        self._output = name

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise _as_output_error(self._output, error) from error


def _as_output_error(name: str, error: OSError) -> OutputError | DiskFullError:
    if error.errno in _FULL:
        return DiskFullError(f"{name}: no room ({error.strerror}), nothing is written; free some space and try again")
    return OutputError(f"{name}: cannot be written: {error.strerror}")
