"""The encoder's command line with a sampler on its steady state.

python -m workbench.instruments.inside.profiled WARM_UP SECONDS FRAMES -- ENCODER_ARGUMENT... What samples, and where to,
the environment says (watched.py). Sampling begins behind the first WARM_UP packets; the clip's pictures are encoded
forwards and backwards until SECONDS have gone by from there and the packets since then are a multiple of PERIOD, or until
there have been FRAMES of them where that is not 0, so that a short clip gives as many samples as a long one. With 0 of both
the clip is encoded once.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.instruments.inside import watched
from workbench.instruments.inside.attached import AttachedError
from workbench.instruments.inside.watched import Watcher
from workbench.repeated import back_and_forth

PERIOD = 16  # frames of a mini-GOP are not alike: parts of one would weigh some kinds more than a video does


def sampled(
    encode: Callable[..., Iterator[Any]], watcher: Watcher, warm_up: int, seconds: float, frames: int
) -> Callable[..., Iterator[Any]]:
    """`encode` with the watcher on behind the first `warm_up` packets, for `frames` or at least `seconds`, which end the
    encode; with 0 of both, to the last packet of the clip."""

    def encode_sampled(pictures: Iterable[Any], *arguments: Any) -> Iterator[Any]:
        endless = bool(seconds or frames)
        packets = encode(back_and_forth(pictures) if endless else pictures, *arguments)
        yield from islice(packets, warm_up)
        gc.collect()  # what loading compiled code left behind is no part of the steady state
        watcher.start()
        ends, seen = time.monotonic() + seconds, 0
        for packet in packets:
            seen += 1
            yield packet
            if frames and seen >= frames:
                break
            if seconds and not frames and seen % PERIOD == 0 and time.monotonic() >= ends:
                break  # the frames that are planned already are not waited for
        watcher.stop(seen)

    return encode_sampled


def main() -> int:
    """Encode and return the encoder's exit status."""
    words = sys.argv[1:]
    cut = words.index("--")
    warm_up, seconds, frames = int(words[0]), float(words[1]), int(words[2])
    told = watched.settings()
    watcher = watched.install(told)  # before the encoder, which compiles as it loads
    if told["source"] and watcher is None:
        return 1
    from encoder import stream

    if watcher is not None:
        stream.encode = sampled(stream.encode, watcher, warm_up, seconds, frames)
    from encoder.cli import main as encode

    try:
        return encode(words[cut + 1 :])
    except AttachedError as error:
        watched.failed(Path(told["folder"]), str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
