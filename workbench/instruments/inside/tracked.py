"""The encoder's command line with memray around its steady state: the first packets warm caches up, the rest is tracked.

python -m workbench.instruments.inside.tracked CAPTURE MARKS WARM_UP FRAMES ENCODER_ARGUMENT... The clip's
first pictures, MOST_KEPT at most, are encoded forwards and backwards until there are FRAMES of them. MARKS gets a line where
the steady state begins and behind each packet, see marks.py.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.instruments.inside.marks import Marks, has_room
from workbench.repeated import kept_back_and_forth

MOST_KEPT = 17
"""Pictures that are read: a key frame and a mini-GOP. Reading more of a long clip would be none of the encoder's work."""
# numpy/_core/src/multiarray/alloc.cpp: NBUCKETS, NBUCKETS_DIM, NCACHE
_NUMPY_CACHED_BYTES, _NUMPY_CACHED_DIMENSIONS, _NUMPY_CACHED_BLOCKS = 1024, 16, 7


def track_after(
    encode: Callable[..., Iterator[Any]],
    warm_up: int,
    frames: int,
    capture: Path,
    marks: Path,
) -> Callable[..., Iterator[Any]]:
    """`encode` of `frames` pictures with a memray capture that begins behind its first `warm_up` packets and ends with the
    last one, or with the packet that makes the capture too large."""
    import memray

    def encode_tracked(pictures: Iterable[Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        shown = islice(kept_back_and_forth(islice(pictures, min(frames, MOST_KEPT))), frames)
        packets = encode(shown, *arguments, **options)
        yield from islice(packets, warm_up)
        fill_caches_of_numpy()
        gc.collect()  # what loading compiled code left behind is no part of the steady state
        marked = Marks(marks)
        with memray.Tracker(capture):
            marked.mark()
            for packet in packets:
                yield packet
                marked.mark()
                if not has_room(capture):
                    break
        yield from packets

    return encode_tracked


def fill_caches_of_numpy() -> None:
    """Let numpy keep as many freed blocks as it will: some of each size up to 1024 bytes. It would go on filling these caches
    for hundreds of frames, as sizes happen to occur, and look like a leak."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        for size in range(1, _NUMPY_CACHED_BYTES + 1):
            _ = [numpy.empty(size, numpy.uint8) for _ in range(_NUMPY_CACHED_BLOCKS)]
        for dimensions in range(1, _NUMPY_CACHED_DIMENSIONS + 1):
            _ = [numpy.empty((1,) * dimensions, numpy.uint8) for _ in range(_NUMPY_CACHED_BLOCKS)]


def main() -> int:
    """Encode and return the encoder's exit status."""
    capture, marks, warm_up, frames, *arguments = sys.argv[1:]
    from encoder import stream

    stream.encode = track_after(stream.encode, int(warm_up), int(frames), Path(capture), Path(marks))
    from encoder.cli import main as encode

    return encode(arguments)


if __name__ == "__main__":
    sys.exit(main())
