"""The user's own videos: found in a folder, asked for their size through PyAV, and cut small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.corpus import y4m
from workbench.corpus.clips import OWN_TIER, Clip, Stored
from workbench.errors import InputError
from workbench.repeated import back_and_forth

if TYPE_CHECKING:
    import av.container
    import av.video

VIDEO_SUFFIXES = (".avi", ".ivf", ".mkv", ".mov", ".mp4", ".obu", ".webm", ".y4m")

_COUNTED_AT_MOST = 600  # frames: enough for any run, and a long film is not read to its end to learn its length
_CHROMA_NAMES = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}


def find_videos(folder: Path) -> tuple[Path, ...]:
    """The folder's videos by suffix, sorted by name. Raises InputError when there is none or it cannot be read."""
    try:
        files = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    videos = tuple(entry for entry in files if entry.suffix.lower() in VIDEO_SUFFIXES)
    if not videos:
        raise InputError(f"{folder}: no corpus.toml and no video in it; accepted: {accepted_suffixes()}")
    return videos


def accepted_suffixes() -> str:
    """The suffixes as they stand in messages."""
    return " ".join(VIDEO_SUFFIXES)


def video_names(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """A name for each file: without the suffix where that is unique, else whole."""
    stems = [path.stem for path in paths]
    return tuple(path.stem if stems.count(path.stem) == 1 else path.name for path in paths)


def clip_of_video(path: Path, name: str) -> Clip:
    """A clip for a file that no manifest describes. Raises InputError when PyAV cannot open it or finds no frame."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        frames = _frame_count(container, stream)
        if min(width, height, frames) < 1:
            raise InputError(f"{path}: holds no whole frame ({frames} frames of {width}x{height}); is it truncated?")
        fps = stream.average_rate or stream.guessed_rate or Fraction(30)
        pixel_format = _format_name(stream)
    return Clip(
        name=name,
        class_=OWN_TIER,
        tier=OWN_TIER,
        width=width,
        height=height,
        frames=frames,
        fps=Fraction(fps.numerator, fps.denominator),
        format=pixel_format,
        sha256=None,
        licence="",
        redistributable=False,
        tags=(),
        source=Stored(),
        path=path,
    )


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    """A file that holds a video, open while the block lasts; whatever FFmpeg finds wrong becomes one InputError."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: holds no video stream; accepted: {accepted_suffixes()}")
            yield container
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: is not a video that PyAV can read: {reason}") from error


def _frame_count(container: av.container.InputContainer, stream: av.video.VideoStream) -> int:
    """The number of frames that the container states, that a Y4M file's length gives, or that we count."""
    if stream.frames:
        return stream.frames
    if stream.codec_context.name == "rawvideo" and stream.duration and stream.time_base and stream.average_rate:
        return int(stream.duration * stream.time_base * stream.average_rate)
    packets = (packet for packet in container.demux(stream) if packet.size)
    return sum(1 for _ in islice(packets, _COUNTED_AT_MOST))


def _format_name(stream: av.video.VideoStream) -> str:
    """`420p8`, `422p10`, ... for planar YUV; any other pixel format by FFmpeg's name."""
    pixel_format = stream.codec_context.format
    if pixel_format is None:
        return "unknown"
    name: str = pixel_format.name
    if name.startswith("gray"):
        return f"400p{pixel_format.components[0].bits}"
    if not name.startswith("yuv") or len(pixel_format.components) != 3:
        return name
    luma, chroma = pixel_format.components[0], pixel_format.components[1]
    ratio = (round(luma.width / chroma.width), round(luma.height / chroma.height))
    return f"{_CHROMA_NAMES[ratio]}p{luma.bits}" if ratio in _CHROMA_NAMES else name


def cropped_y4m(path: Path, clip: Clip, first: int) -> Iterator[bytes]:
    """The middle of a video as a Y4M file: `clip` gives size and number of frames, beginning at frame `first`.

    Raises InputError when the video has fewer frames, or cannot be decoded.
    """
    yield y4m.header(clip.width, clip.height, clip.fps)
    written = 0
    with _opened(path) as container:
        for frame in islice(container.decode(container.streams.video[0]), first, first + clip.frames):
            yield y4m.FRAME + _middle(frame, clip.width, clip.height)
            written += 1
    if written < clip.frames:
        raise InputError(f"{path}: fewer than the {first + clip.frames} frames that it announces can be decoded")


def repeated_y4m(path: Path, parent: Clip, frames: int) -> Iterator[bytes]:
    """So many frames of a video, which is `parent`, as a Y4M file: forwards, backwards and so on.

    Raises InputError as `cropped_y4m` does.
    """
    header_and_frames = cropped_y4m(path, parent, 0)
    yield next(header_and_frames)
    yield from islice(back_and_forth(header_and_frames), frames)


def _middle(frame: av.video.VideoFrame, width: int, height: int) -> bytes:
    """The samples in the middle of a frame, as planar 8-bit 4:2:0; the corner is even, so that chroma fits luma."""
    import numpy as np

    left, top = (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2
    planes = []
    for index, plane in enumerate(frame.reformat(format="yuv420p").planes):
        shift = 1 if index else 0
        samples = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows, columns = (height + shift) >> shift, (width + shift) >> shift
        planes.append(samples[top >> shift :, left >> shift :][:rows, :columns].tobytes())
    return b"".join(planes)
