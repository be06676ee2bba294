"""Streams of all structures, hidden frames and all, decode to what the encoder says. Tiny pictures: structure knows no size."""

from pathlib import Path
from typing import Any

import pytest

from encoder.config import EncoderConfig
from encoder.stream import Packet, encode

from .judges import assert_both_decoders_agree, decode_by_libdav1d, pictures, samples_of

SIDE = 16


STREAMS = [
    (1, {}, [0]),
    (2, {}, [0]),
    (7, {"keyint": 1000}, [0]),
    (19, {}, [0]),
    (3, {"keyint": 1}, [0, 1, 2]),
    (5, {"keyint": 2}, [0, 2, 4]),
    (7, {"forced_key_frames": (3, 3, 90)}, [0, 3]),
    (7, {"low_latency": True, "keyint": 5}, [0, 5]),
]


def encoded(frames: int, settings: dict[str, Any]) -> tuple[list[Packet], list[bytes]]:
    """The packets and the reconstructions, which last until the next packet only."""
    packets, seen = [], []
    for packet in encode(pictures("edges", SIDE, SIDE, frames), EncoderConfig(SIDE, SIDE, kernels="numpy", **settings)):
        packets.append(packet)
        seen.append(samples_of(packet.reconstruction))
    return packets, seen


@pytest.mark.parametrize("frames, settings, keys", STREAMS)
def test_a_decoder_shows_every_picture(frames: int, settings: dict[str, Any], keys: list[int]) -> None:
    packets, seen = encoded(frames, settings)
    assert [packet.pts for packet in packets] == list(range(frames))
    assert [packet.pts for packet in packets if packet.is_key] == keys
    assert decode_by_libdav1d([packet.data for packet in packets]) == seen


@pytest.mark.slow
@pytest.mark.parametrize("frames, settings, keys", STREAMS)
def test_both_decoders_agree(frames: int, settings: dict[str, Any], keys: list[int], tmp_path: Path) -> None:
    packets, seen = encoded(frames, settings)
    assert_both_decoders_agree(b"".join(packet.data for packet in packets), seen, tmp_path, str(settings))


def test_decoding_can_begin_at_every_key_frame() -> None:
    packets, seen = encoded(9, {"forced_key_frames": (4,)})
    assert decode_by_libdav1d([packet.data for packet in packets[4:]]) == seen[4:]
