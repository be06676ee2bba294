"""Streams for the gate of a comparison: short encodes by our encoder of any home, kernels and tiles, decoded and hashed.

A process a home, which has the encoder loaded (inside/encode_server.py), encodes; every stream that was not seen yet is decoded and
compared with the encoder's own reconstruction (inside/decoded.py). What any program wrote is held against the source by
inside/against_source.py.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from workbench import child
from workbench.encode import STREAM
from workbench.errors import InputError, OutputsDifferError, SubjectError
from workbench.files import sha256_of
from workbench.sides import OUTPUT, Encode, Home
from workbench.standing import Standing
from workbench.subject import same_imports

_SERVER = str(Path(__file__).parent / "inside" / "encode_server.py")
_DECODED = "workbench.instruments.inside.decoded"
_AGAINST_SOURCE = "workbench.instruments.inside.against_source"
_IVF_HEADER = struct.Struct("<4sHH4sHHIIII")
_IVF_FRAME = struct.Struct("<IQ")


@dataclass(frozen=True)
class Setting:
    """What is encoded: the first frames of the clip; tiles: the logarithms of columns and rows, None: as the side has them."""

    frames: int
    tiles: tuple[int, int] | None = None

    def __str__(self) -> str:
        frames = f"{self.frames} frame{'s' if self.frames != 1 else ''}"
        return frames if self.tiles is None else f"{frames}, tiles {1 << self.tiles[0]}x{1 << self.tiles[1]}"

    def words(self) -> tuple[str, ...]:
        """For the end of the encoder's command line, where they overrule those before them."""
        words = ("--limit", str(self.frames))
        if self.tiles is None:
            return words
        return *words, "--tile-cols-log2", str(self.tiles[0]), "--tile-rows-log2", str(self.tiles[1])


@dataclass(frozen=True)
class Written:
    """One encode: its files and the digests of stream and reconstruction, which together say what was done."""

    stream: Path
    reconstruction: Path
    stats: Path
    digests: tuple[str, str]

    def packets(self) -> list[bytes]:
        """The temporal units of the stream; each shows one frame."""
        data = self.stream.read_bytes()
        at, found = _IVF_HEADER.size, []
        while at < len(data):
            size, _ = _IVF_FRAME.unpack_from(data, at)
            at += _IVF_FRAME.size + size
            found.append(data[at - size : at])
        return found

    def pictures(self) -> Iterator[list[np.ndarray]]:
        """The reconstruction, which what a decoder shows has been compared with: Y, U, V of each frame."""
        with self.reconstruction.open("rb") as file:
            fields = {field[:1]: field[1:] for field in file.readline().split()[1:]}
            width, height = int(fields[b"W"]), int(fields[b"H"])
            while file.readline():
                yield [_plane(file, (width + half) >> half, (height + half) >> half) for half in (0, 1, 1)]

    def coding_order(self) -> list[int]:
        """Display numbers of the frames, in the order in which they were coded."""
        return [frame["display_index"] for frame in json.loads(self.stats.read_text(encoding="utf-8"))["frames"]]


def _plane(file: IO[bytes], width: int, height: int) -> np.ndarray:
    return np.frombuffer(file.read(width * height), np.uint8).reshape(height, width)


class Streams:
    """Encodes on demand. Use it as a context manager."""

    def __init__(self, encodes: Sequence[Encode], folder: Path, timeout_s: float) -> None:
        """Start a process for each home. Raises SubjectError, SubjectTimeout where the encoder dies or hangs as it loads."""
        self._folder = folder
        self._timeout_s = timeout_s
        self._good: set[tuple[str, str]] = set()
        self._servers: dict[Home, Standing] = {}
        try:
            for home in dict.fromkeys(encode.home for encode in encodes if encode.home is not None):
                sets = dict.fromkeys(encode.kernels for encode in encodes if encode.compiled and encode.home == home)
                self._servers[home] = Standing([home.python, _SERVER, *sets], home.environment, 0, timeout_s)
                self._servers[home].loaded(encodes[0].title)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for server in self._servers.values():
            server.close()

    def write(self, encode: Encode, setting: Setting, kernels: str | None = None) -> Written:
        """Encode, with other kernels where they are given. Raises InputError for what the encoder does not take, SubjectError and
        SubjectTimeout where it dies or hangs, OutputsDifferError where it writes nothing."""
        assert encode.home is not None
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        stream, reconstruction, stats = folder / STREAM, folder / "reconstruction.y4m", folder / "stats.json"
        words = [word.replace(OUTPUT, str(stream)) for word in encode.arguments]
        more = ("--reconstruction", str(reconstruction), "--stats", str(stats))
        chosen = () if kernels is None else ("--kernels", kernels)
        title = encode.title if kernels is None else f"{encode.title} with kernels {kernels}"
        request = {"arguments": [*words, *setting.words(), *more, *chosen], "factor": 1.0}
        answer = self._servers[encode.home].ask(request, title)
        if answer["status"] == InputError.exit_status:
            raise InputError(f"{title}: {answer['said']}")
        if answer["status"] != 0:
            raise SubjectError(f"{title}: {child.describe_status(answer['status'])}: {answer['said']}")
        if not stream.is_file() or not stream.stat().st_size:
            raise OutputsDifferError(f"{title}: ended well, and wrote no stream")
        return Written(stream, reconstruction, stats, (sha256_of(stream), sha256_of(reconstruction)))

    def fault(self, written: Written) -> str:
        """Why a stream does not decode to its reconstruction; empty where it does."""
        if written.digests in self._good:
            return ""
        words = (sys.executable, "-m", _DECODED, str(written.stream), str(written.reconstruction))
        finished = child.run(words, self._timeout_s, same_imports(), check=False)
        if finished.usage.exit_status != 0:
            return f"the decoder failed: {child.describe_failure(finished)}"
        message: str = json.loads(finished.output)["message"]
        if not message:
            self._good.add(written.digests)
        return message


@dataclass(frozen=True)
class Figures:
    """What an encode is worth. psnr_y: of the mean squared error of luma over all frames, in dB; None where that is 0."""

    bytes: int
    frames: int
    psnr_y: float | None


def figures(encode: Encode, source: Path, folder: Path, timeout_s: float) -> Figures:
    """Encode the whole clip as the command line of a side says, decode, hold it against the source. Raises SubjectError,
    SubjectTimeout, and OutputsDifferError for a stream that does not decode or shows another size."""
    stream = folder / STREAM
    stream.unlink(missing_ok=True)
    words = [word.replace(OUTPUT, str(stream)) for word in encode.words]
    finished = child.run(words, timeout_s, encode.home.environment if encode.home else None, check=False)
    if finished.usage.exit_status == InputError.exit_status and encode.home is not None:
        raise InputError(f"{encode.title}: {child.last_line(finished)}")
    if finished.usage.exit_status != 0:
        raise SubjectError(f"{encode.title}: {child.describe_failure(finished)}")
    if not stream.is_file() or not stream.stat().st_size:
        raise OutputsDifferError(f"{encode.title}: ended well, and wrote no stream")
    seen = child.run(
        (sys.executable, "-m", _AGAINST_SOURCE, str(stream), str(source)), timeout_s, same_imports(), check=False
    )
    said: dict[str, Any] = (
        json.loads(seen.output) if seen.usage.exit_status == 0 else {"message": child.describe_failure(seen)}
    )
    if said["message"]:
        raise OutputsDifferError(f"{encode.title}: {said['message']}")
    return Figures(stream.stat().st_size, said["frames"], said["psnr_y"])
