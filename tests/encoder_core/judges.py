"""The decoders that judge our streams, and pictures for them to judge."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np

from encoder.picture import Picture
from encoder.stream import Packet


def samples_of(picture: Picture) -> bytes:
    """The visible samples, plane after plane."""
    return b"".join(picture.plane(p).tobytes() for p in range(3))


def collect(packets: Iterable[Packet]) -> tuple[bytes, list[bytes]]:
    """A stream and the encoder's own reconstruction of each frame."""
    data, frames = b"", []
    for packet in packets:
        data += packet.data
        frames.append(samples_of(packet.reconstruction))
    return data, frames


def decode_by_libdav1d(temporal_units: Iterable[bytes]) -> list[bytes]:
    """Decode in this process with the dav1d of PyAV: one entry a frame."""
    codec = av.CodecContext.create("libdav1d", "r")
    frames = []
    for data in [*temporal_units, None]:
        for frame in codec.decode(av.Packet(data) if data is not None else None):
            frames.append(b"".join(_plane(frame, p) for p in range(3)))
    return frames


def _plane(frame: av.VideoFrame, p: int) -> bytes:
    shift = 1 if p else 0
    rows = np.frombuffer(memoryview(frame.planes[p]), np.uint8).reshape(-1, frame.planes[p].line_size)
    return rows[: (frame.height + shift) >> shift, : (frame.width + shift) >> shift].tobytes()


def _run(command: list[str], output: Path) -> bytes:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command[0]} failed: {done.stderr.strip()[-300:]}"
    return output.read_bytes()


def decode_by_dav1d(stream: Path) -> bytes:
    """All frames as dav1d's command line decodes them, strictly."""
    output = stream.with_suffix(".dav1d.yuv")
    return _run(["dav1d", "--quiet", "--strict", "1", "-i", str(stream), "-o", str(output)], output)


def decode_by_aomdec(stream: Path) -> bytes:
    """All frames as aomdec decodes them."""
    output = stream.with_suffix(".aomdec.yuv")
    return _run(["aomdec", "--rawvideo", "--i420", "-o", str(output), str(stream)], output)


def assert_both_decoders_agree(data: bytes, frames: list[bytes], folder: Path, label: str) -> None:
    """dav1d's and aomdec's command lines decode the stream to the frames given."""
    stream = folder / "stream.obu"
    stream.write_bytes(data)
    expected = b"".join(frames)
    for decode in (decode_by_dav1d, decode_by_aomdec):
        decoded = decode(stream)
        assert len(decoded) == len(expected), (
            f"{label}: {decode.__name__} gives {len(decoded)} bytes, not {len(expected)}"
        )
        assert decoded == expected, (
            f"{label}: {decode.__name__} differs first at byte {_first_difference(decoded, expected)}"
        )


def _first_difference(a: bytes, b: bytes) -> int:
    return int(np.flatnonzero(np.frombuffer(a, np.uint8) != np.frombuffer(b, np.uint8))[0])


def pictures(kind: str, width: int, height: int, frames: int = 1) -> Iterator[Picture]:
    """Pictures that stress different decisions: noise, edges, slopes, a flat field, checkers at full contrast."""
    random = np.random.default_rng(7)
    picture = Picture.allocate(width, height)
    for t in range(frames):
        for p in range(3):
            plane = picture.plane(p)
            y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
            if kind == "noise":
                plane[:] = random.integers(0, 256, y.shape)
            elif kind == "edges":
                plane[:] = np.where((x + 2 * y + 5 * t) % 23 < 9, 40, 210)
            elif kind == "slopes":
                plane[:] = (3 * x + 2 * y + 4 * t) % 256
            elif kind == "flat":
                plane[:] = 77 + t
            elif kind == "checkers":
                plane[:] = ((x // 3 + y // 3 + t) & 1) * 255
            else:
                raise ValueError(kind)
        yield picture
