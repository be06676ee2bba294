"""From pictures to temporal units: the whole story of an encode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from encoder.compiled import CompileWatch
from encoder.config import EncoderConfig
from encoder.frame.frame import FrameChoices, FrameEncoder, FrameResult
from encoder.kernels.load import load_kernels
from encoder.picture import Picture


@dataclass(frozen=True)
class Packet:
    """One temporal unit.

    data            low-overhead OBUs, the temporal delimiter first
    pts             the picture's number in display order
    is_key          whether decoding can begin here
    reconstruction  the decoder's picture; valid until the next packet is asked for
    stats           the frame's entry in the --stats file
    """

    data: bytes
    pts: int
    is_key: bool
    reconstruction: Picture
    stats: dict[str, Any]


def encode(pictures: Iterable[Picture], config: EncoderConfig) -> Iterator[Packet]:
    """Encode pictures in display order, each a key frame. A picture may be reused by its owner once its packet is out.

    Raises KernelError for a kernel set that cannot be used.
    """
    encoder = FrameEncoder(config, load_kernels(config.kernels))
    try:
        for index, picture in enumerate(pictures):
            began = time.perf_counter()
            picture.extend_edges()
            result = encoder.encode(picture, index, FrameChoices.of_quantizer(config.quantizer))
            stats = frame_stats(index, config.quantizer, result, time.perf_counter() - began)
            yield Packet(result.data, index, True, encoder.reconstruction, stats)
    finally:
        encoder.close()


def frame_stats(index: int, quantizer: int, result: FrameResult, wall_s: float) -> dict[str, Any]:
    """A frame's entry in the --stats file."""
    return {
        "index": index,
        "type": "key",
        "bytes": len(result.data),
        "quantizer": quantizer,
        "wall_s": wall_s,
        "stages_s": result.stages_s,
        "tiles": result.tiles,
    }


def warm(kernels: str, on_function: Callable[[str], None]) -> None:
    """Compile whatever encoding with a kernel set needs and keep it on disk. `on_function` hears the name of each function.

    Raises KernelError for a kernel set that cannot be used.
    """
    CompileWatch(on_function)
    for _ in encode([Picture.allocate(64, 64)], EncoderConfig(width=64, height=64, kernels=kernels)):
        pass
