"""The encoder's command line with memray around its steady state: the first frames warm caches up, the rest is tracked.

python -m workbench.instruments.inside.tracked CAPTURE WARM_UP_FRAMES ENCODER_ARGUMENT...
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any


def track_after(encode: Callable[..., Iterator[Any]], warm_up: int, capture: str) -> Callable[..., Iterator[Any]]:
    """`encode` with a memray capture that begins behind its first `warm_up` packets and ends with the last one."""
    import memray

    def encode_tracked(*arguments: Any, **options: Any) -> Iterator[Any]:
        packets = encode(*arguments, **options)
        for _ in range(warm_up):
            yield next(packets)
        with memray.Tracker(capture):
            yield from packets

    return encode_tracked


def main() -> int:
    """Encode and return the encoder's exit status."""
    capture, warm_up, *arguments = sys.argv[1:]
    from encoder import stream

    stream.encode = track_after(stream.encode, int(warm_up), capture)
    from encoder.cli import main as encode

    return encode(arguments)


if __name__ == "__main__":
    sys.exit(main())
