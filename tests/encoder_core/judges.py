"""The decoders that judge our streams, and pictures for them to judge."""

import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np

from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import Packet, encode
from workbench.corpus.generator import Recipe, render


@dataclass
class Stream:
    """What has been encoded, and what decoders should make of it.

    shown   the pictures in the order of display
    coded   in coding order: hidden frames when they are coded and once more when they are shown
    keys    the pictures where decoding can begin
    """

    label: str
    units: list[bytes] = field(default_factory=list)
    shown: list[bytes] = field(default_factory=list)
    coded: list[bytes] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """The whole of it as an OBU file."""
        return b"".join(self.units)


def samples_of(picture: Picture) -> bytes:
    """The visible samples, plane after plane."""
    return b"".join(picture.plane(p).tobytes() for p in range(3))


def stream_of(packets: Iterable[Packet], label: str = "") -> Stream:
    """A stream and the encoder's own reconstruction of each picture that is shown."""
    stream = Stream(label)
    for packet in packets:
        if packet.is_key:
            stream.keys.append(packet.pts)
        stream.units.append(packet.data)
        stream.shown.append(samples_of(packet.reconstruction))
    return stream


def collect(packets: Iterable[Packet]) -> tuple[bytes, list[bytes]]:
    """A stream and the encoder's own reconstruction of each picture that is shown."""
    stream = stream_of(packets)
    return stream.data, stream.shown


def encoded(source: Iterable[Picture], **settings: object) -> Stream:
    """The stream of some pictures."""
    config = EncoderConfig(**settings)  # type: ignore[arg-type]
    return stream_of(encode(source, config), str(settings))


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
    """What a decoder writes; a warning is a failure too."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = done.stderr.strip()
    assert done.returncode == 0 and not said, f"{command[0]} failed: {said[-300:]}"
    decoded = output.read_bytes()
    output.unlink()
    return decoded


# The AVX-512 code of dav1d 1.0.0 (Debian 12) faults on blocks that its AVX2 code and its plain C decode alike.
_WITHOUT_AVX512 = ["--cpumask", "avx2"] if platform.machine() == "x86_64" else []


def decode_by_dav1d(stream: Path, hidden: bool = False) -> bytes:
    """All frames as dav1d's command line decodes them, strictly; with `hidden` in coding order, hidden ones too."""
    output = stream.with_suffix(f".dav1d{hidden:d}.yuv")
    in_coding_order = ["--outputinvisible", "1", "--threads", "1"] if hidden else []
    options = ["--quiet", "--strict", "1", *_WITHOUT_AVX512, *in_coding_order]
    return _run(["dav1d", *options, "-i", str(stream), "-o", str(output)], output)


def decode_by_aomdec(stream: Path) -> bytes:
    """All frames as aomdec decodes them."""
    output = stream.with_suffix(".aomdec.yuv")
    return _run(["aomdec", "--rawvideo", "--i420", "-o", str(output), str(stream)], output)


def assert_both_decoders_agree(data: bytes, frames: list[bytes], folder: Path, label: str) -> None:
    """dav1d's and aomdec's command lines decode the stream to the frames given."""
    path = folder / "stream.obu"
    path.write_bytes(data)
    for decode in (decode_by_dav1d, decode_by_aomdec):
        _assert_same(decode(path), frames, [label] * len(frames), decode.__name__)


def assert_decoders_agree_on_all(streams: Sequence[Stream], folder: Path, name: str = "streams") -> None:
    """dav1d and aomdec decode streams, one behind the other; dav1d hidden frames too, where all streams know theirs."""
    path = folder / f"{name}.obu"
    path.write_bytes(b"".join(stream.data for stream in streams))
    shown, coded = ([getattr(stream, kind) for stream in streams] for kind in ("shown", "coded"))
    hidden = all(coded)
    for decoder, decoded, expected in (
        ("dav1d", decode_by_dav1d(path, hidden), coded if hidden else shown),
        ("aomdec", decode_by_aomdec(path), shown),
    ):
        labels = [stream.label for stream, frames in zip(streams, expected, strict=True) for _ in frames]
        _assert_same(decoded, [frame for frames in expected for frame in frames], labels, decoder)
    path.unlink()


class Court:
    """Judges batches of streams beside their encoding; `close` raises what they have found."""

    def __init__(self, folder: Path, judges: int = 2) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(judges)
        self._verdicts: list = []

    def judge(self, streams: Sequence[Stream]) -> None:
        """Have a batch judged, later."""
        name = f"batch{len(self._verdicts)}"
        self._verdicts.append(self._pool.submit(assert_decoders_agree_on_all, streams, self._folder, name))

    def close(self) -> None:
        """Wait for all verdicts. Raises AssertionError with all that are bad."""
        self._pool.shutdown()
        faults = [str(fault) for verdict in self._verdicts if (fault := verdict.exception())]
        assert not faults, "\n".join(faults)


def _assert_same(decoded: bytes, frames: Sequence[bytes], labels: Sequence[str], decoder: str) -> None:
    expected = b"".join(frames)
    if decoded == expected:
        return
    ends = list(accumulate(map(len, frames)))
    first = _first_difference(decoded, expected)
    index = next((i for i, end in enumerate(ends) if first < end), None)
    if index is None:
        raise AssertionError(f"{decoder} gives {len(decoded)} bytes, not {len(expected)}")
    at = first - (ends[index] - len(frames[index]))
    number = index - list(labels).index(labels[index])
    raise AssertionError(
        f"{labels[index]}: {decoder} gives {len(decoded)} bytes of {len(expected)}; "
        f"frame {number} of {list(labels).count(labels[index])} differs first at byte {at} of {len(frames[index])}"
    )


def _first_difference(a: bytes, b: bytes) -> int:
    shorter = min(len(a), len(b))
    differences = np.flatnonzero(np.frombuffer(a, np.uint8, shorter) != np.frombuffer(b, np.uint8, shorter))
    return int(differences[0]) if differences.size else shorter


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


def corpus_pictures(kind: str, width: int, height: int, frames: int, first: int = 0) -> Iterator[Picture]:
    """A clip of the corpus's generator, of any size, all in one buffer."""
    picture = Picture.allocate(width, height)
    for planes in render(Recipe(kind, width, height, frames, Fraction(30), 1, first, 30)):
        for p, samples in enumerate(planes):
            picture.plane(p)[:] = samples
        yield picture
