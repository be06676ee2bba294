"""Video containers through PyAV (FFmpeg): any 8-bit 4:2:0 video in; mp4, mkv and webm out."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import ColorRange

from encoder.config import DEFAULT_FPS, fps_fault, size_fault
from encoder.errors import ContainerError
from encoder.picture import Picture

_FULL_RANGE_FORMAT = "yuvj420p"  # the same samples, read otherwise by a display
_PIXEL_FORMATS = {"yuv420p", _FULL_RANGE_FORMAT}


class ContainerReader:
    """Decodes the first video stream of a file, every picture into the same buffers.

    name            how messages call the file
    width, height   luma samples
    fps             frames per second, the average; 25 where the file does not say
    full_range      whether its samples use 0 to 255
    Raises ContainerError where there is no video in it, or none that we take.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        with _ffmpeg_errors(path, "FFmpeg cannot read it"):
            # "file:" keeps FFmpeg from taking a name with a colon for a protocol.
            self._container = av.open("file:" + path)
        try:
            self._open_stream()
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self) -> None:
        if not self._container.streams.video:
            raise ContainerError(f"{self.name}: has no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        codec = self._stream.codec_context
        if codec is None or codec.format is None:
            raise ContainerError(f"{self.name}: FFmpeg has no decoder for its video stream")
        self.width, self.height = codec.width, codec.height
        rate = self._stream.average_rate or self._stream.guessed_rate or DEFAULT_FPS
        self.fps = Fraction(rate.numerator, rate.denominator)
        fault = size_fault(self.width, self.height) or fps_fault(self.fps)
        if fault:
            raise ContainerError(f"{self.name}: {fault}")
        _require_420(self.name, codec.format.name)
        self.full_range = codec.format.name == _FULL_RANGE_FORMAT or codec.color_range == ColorRange.JPEG
        self._picture = Picture.allocate(self.width, self.height)

    def pictures(self, skip: int = 0, limit: int | None = None) -> Iterator[Picture]:
        """The pictures after the first `skip`, at most `limit` of them, in display order.

        It is the same Picture each time, overwritten when the next one is asked for. Raises ContainerError at a frame
        that cannot be decoded, or that has another size or format than the first.
        """
        frames = self._container.decode(self._stream)
        index = 0
        while limit is None or index < skip + limit:
            with _ffmpeg_errors(self.name, f"frame {index} cannot be decoded"):
                frame = next(frames, None)
            if frame is None:
                return
            if index >= skip:
                self._copy(frame, index)
                yield self._picture
            index += 1

    def _copy(self, frame: av.VideoFrame, index: int) -> None:
        if (frame.width, frame.height) != (self.width, self.height):
            seen = f"{frame.width}x{frame.height} after {self.width}x{self.height}"
            raise ContainerError(f"{self.name}: frame {index} is {seen}; the size must not change inside a video")
        _require_420(self.name, frame.format.name)
        for p, source in enumerate(frame.planes):
            rows = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
            target = self._picture.plane(p)
            target[:] = rows[: target.shape[0], : target.shape[1]]

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> "ContainerReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ContainerWriter:
    """Muxes temporal units into a container, written to a seekable stream.

    container_format   FFmpeg's name for it: mp4, matroska, webm
    FFmpeg takes the codec's configuration record from the sequence header in the first unit.
    """

    def __init__(self, stream: BinaryIO, container_format: str, width: int, height: int, fps: Fraction) -> None:
        self._time_base = 1 / fps
        self._name = f"{container_format} output"
        with _ffmpeg_errors(self._name, "FFmpeg cannot write it"):
            self._container = av.open(stream, "w", format=container_format)
            self._stream = self._container.add_mux_stream(
                "av1", rate=fps, width=width, height=height, time_base=self._time_base
            )

    def write(self, data: bytes, pts: int, is_key: bool) -> None:
        """Append one temporal unit, shown at `pts` frames after the start."""
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = self._time_base
        packet.pts = packet.dts = pts
        packet.duration = 1
        packet.is_keyframe = is_key
        with _ffmpeg_errors(self._name, "FFmpeg cannot write it"):
            self._container.mux(packet)

    def close(self) -> None:
        """Write what the format keeps for its end. The stream stays open: who opened it closes it."""
        with _ffmpeg_errors(self._name, "FFmpeg cannot write it"):
            self._container.close()


def _require_420(name: str, pixel_format: str) -> None:
    if pixel_format not in _PIXEL_FORMATS:
        raise ContainerError(
            f"{name}: pixel format {pixel_format} is not supported yet, only 8-bit 4:2:0 (yuv420p) is; "
            f"convert with: ffmpeg -i INPUT -pix_fmt yuv420p out.y4m"
        )


@contextmanager
def _ffmpeg_errors(name: str, verdict: str) -> Iterator[None]:
    """FFmpeg's own errors as ours, in one line."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise ContainerError(f"{name}: {verdict}: {error.strerror or error}") from error
