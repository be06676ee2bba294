"""Decode a stream and compare every frame and plane with a reconstruction; prints one JSON object.

python -m workbench.instruments.inside.decoded STREAM RECONSTRUCTION.y4m
{"decoder": "libdav1d", "frames": 10, "message": ""}: the message is empty when all is equal, else it says what is not.
A process of its own: a decoder that crashes on a broken stream must not take the run with it.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import av
    import numpy as np

DECODER = "libdav1d"
PLANES = ("Y", "U", "V")


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """The visible samples of each plane, as rows by columns."""
    import numpy as np

    found = []
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        shift = 1 if index else 0
        found.append(rows[: (frame.height + shift) >> shift, : (frame.width + shift) >> shift])
    return found


def decoded(path: str) -> Iterator[av.VideoFrame]:
    """The frames of an AV1 stream as dav1d decodes it."""
    import av

    codec = cast(av.VideoCodecContext, av.CodecContext.create(DECODER, "r"))
    with av.open(path) as container:
        for packet in container.demux(video=0):
            yield from codec.decode(packet)


def stored(path: str) -> Iterator[av.VideoFrame]:
    """The frames of a Y4M file."""
    import av

    with av.open(path) as container:
        yield from container.decode(video=0)


def compare(stream: str, reconstruction: str) -> tuple[int, str]:
    """Frames that were compared, and what differs first; nothing when all is equal."""
    from av.error import FFmpegError

    equal = 0
    try:
        for ours, theirs in itertools.zip_longest(stored(reconstruction), decoded(stream)):
            if (difference := _difference(equal, ours, theirs)) is not None:
                return equal, difference
            equal += 1
    except FFmpegError as error:
        return equal, f"{DECODER} fails behind {equal} good frames: {error.strerror or error}"
    return equal, "" if equal else "neither the stream nor the reconstruction has a frame"


def _difference(index: int, ours: av.VideoFrame | None, theirs: av.VideoFrame | None) -> str | None:
    """What is not equal in frame `index`, or None."""
    if theirs is None:
        return f"{DECODER} shows only {index} frames, the reconstruction has more"
    if ours is None:
        return f"{DECODER} shows more than the {index} frames of the reconstruction"
    if (ours.width, ours.height, ours.format.name) != (theirs.width, theirs.height, theirs.format.name):
        return f"frame {index}: {DECODER} shows {_shape(theirs)}, the reconstruction has {_shape(ours)}"
    for name, our, their in zip(PLANES, planes(ours), planes(theirs), strict=True):
        if (our != their).any():
            y, x = (int(place[0]) for place in (our != their).nonzero())
            where = f"frame {index}, plane {name}: {(our != their).sum()} samples differ, first at x {x}, y {y}"
            return f"{where}: {our[y, x]} encoded, {their[y, x]} decoded"
    return None


def _shape(frame: av.VideoFrame) -> str:
    return f"{frame.width}x{frame.height} {frame.format.name}"


def main() -> None:
    """Compare the two files of the command line and print the verdict."""
    frames, message = compare(*sys.argv[1:])
    print(json.dumps({"decoder": DECODER, "frames": frames, "message": message}))


if __name__ == "__main__":
    main()
