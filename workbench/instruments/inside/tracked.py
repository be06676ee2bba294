"""The encoder's command line with memray around its steady state: the first packets warm caches up, the rest is tracked.

python -m workbench.instruments.inside.tracked CAPTURE WARM_UP FRAMES ENCODER_ARGUMENT... The clip's pictures are encoded
forwards and backwards until there are FRAMES of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from workbench.instruments.inside.repeated import back_and_forth


def track_after(
    encode: Callable[..., Iterator[Any]], warm_up: int, frames: int, capture: str
) -> Callable[..., Iterator[Any]]:
    """`encode` of `frames` pictures with a memray capture that begins behind its first `warm_up` packets and ends with the
    last one."""
    import memray

    def encode_tracked(pictures: Iterable[Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        packets = encode(islice(back_and_forth(pictures), frames), *arguments, **options)
        yield from islice(packets, warm_up)
        with memray.Tracker(capture):
            yield from packets

    return encode_tracked


def main() -> int:
    """Encode and return the encoder's exit status."""
    capture, warm_up, frames, *arguments = sys.argv[1:]
    from encoder import stream

    stream.encode = track_after(stream.encode, int(warm_up), int(frames), capture)
    from encoder.cli import main as encode

    return encode(arguments)


if __name__ == "__main__":
    sys.exit(main())
