"""Encoder: pictures in, packets out. A stand-in takes the place of the frames' own encoder; it follows slots alone."""

import copy
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import encoder.frame.preparation
import encoder.stream
from encoder.config import EncoderConfig
from encoder.frame.crew import Crew
from encoder.frame.gop import FramePlan, ShowExisting
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.stream import Encoder, Packet, encode


class SlotsOnly:
    """Codes a picture as its number, when it is finished; the reconstruction is a copy of the source."""

    def __init__(self, config: EncoderConfig, kernels: Any) -> None:
        self.at_once, self.crew = config.threads, Crew(1, 1)
        self._started: deque[Callable[[], SimpleNamespace]] = deque()
        self._slots: list[Picture | None] = [None] * 8
        self._unit = b""
        self.closed = False
        self.reconstruction: Picture | None = None

    def close(self) -> None:
        self.closed = True

    @property
    def is_full(self) -> bool:
        return len(self._started) > self.at_once

    def start(self, source: Any, plan: FramePlan, *_: Any) -> None:
        assert not self.is_full
        self._started.append(partial(self._encode, source, plan))

    def show(self, plan: ShowExisting) -> None:
        self._started.append(partial(self._show, plan))

    def finish(self) -> SimpleNamespace:
        return self._started.popleft()()

    def _encode(self, source: Any, plan: FramePlan) -> SimpleNamespace:
        picture = copy.deepcopy(getattr(source, "picture", source))
        for slot in range(8):
            if plan.refresh_frame_flags >> slot & 1:
                self._slots[slot] = picture
        self.reconstruction = picture
        self._unit += bytes([plan.display_index])
        unit, self._unit = (self._unit, b"") if plan.show_frame else (None, self._unit)
        return SimpleNamespace(
            unit=unit, frame_bytes=1, wall_s=0.0, stages_s={"motion": 0.0}, tiles=[], bits={}, block_sizes={}, modes={}
        )

    def _show(self, plan: ShowExisting) -> SimpleNamespace:
        self.reconstruction = self._slots[plan.slot]
        unit, self._unit = self._unit + b"\xff", b""
        return SimpleNamespace(unit=unit)


class Untouched:
    """A temporal filter that changes nothing: pictures stay recognizable."""

    def __init__(self, *_: Any) -> None:
        pass

    def apply(self, centre: Any, *_: Any) -> Picture:
        return centre.picture


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder.stream, "FrameEncoder", SlotsOnly)
    monkeypatch.setattr(encoder.frame.preparation, "TemporalFilter", Untouched)
    numpy_set = load_kernels("numpy")
    monkeypatch.setattr(encoder.stream, "load_kernels", lambda name: numpy_set)


def numbered(count: int) -> Iterator[Picture]:
    """Pictures that show their number, all in one buffer."""
    picture = Picture.allocate(16, 8)
    for index in range(count):
        picture.plane(0)[:] = index
        yield picture


def number(picture: Picture) -> int:
    samples = np.unique(picture.plane(0))
    assert samples.size == 1
    return int(samples[0])


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("low_latency", [False, True])
@pytest.mark.parametrize("keyint", [0, 1, 2, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 18, 37, 101])
def test_every_picture_comes_out_once_and_in_order(count: int, keyint: int, low_latency: bool, threads: int) -> None:
    config = EncoderConfig(16, 8, keyint=keyint, low_latency=low_latency, threads=threads)
    coded = []
    for index, packet in enumerate(encode(numbered(count), config)):
        assert packet.pts == index
        assert number(packet.source) == number(packet.reconstruction) == index
        assert packet.is_key == (index == 0 or (keyint > 0 and index % keyint == 0))
        in_unit = [frame["display_index"] for frame in packet.frames]
        assert packet.data.removesuffix(b"\xff") == bytes(in_unit)
        assert [frame["shown"] for frame in packet.frames] == [at == index for at in in_unit]
        coded += in_unit
    assert index == count - 1 and sorted(coded) == list(range(count))
    assert coded == sorted(coded) or not low_latency


def test_no_pictures_give_no_packets() -> None:
    assert list(encode(iter(()), EncoderConfig(16, 8))) == []


@pytest.mark.parametrize(
    "settings, late",
    [
        ({}, 17),
        ({"speed": 6}, 18),
        ({"speed": 6, "scene_detection": False}, 18),
        ({"low_latency": True}, 1),
        ({"low_latency": True, "scene_detection": False}, 0),
        ({"keyint": 1}, 0),
        ({"threads": 2}, 22),
        ({"threads": 2, "speed": 6}, 23),
        ({"threads": 2, "low_latency": True}, 1),
        ({"threads": 2, "keyint": 1}, 5),
    ],
)
def test_packets_are_at_most_so_late(settings: dict[str, Any], late: int) -> None:
    with Encoder(EncoderConfig(16, 8, min_keyint=0, **settings)) as pushed:
        sent = seen = worst = 0
        for picture in numbered(70):
            pushed.send(picture)
            sent += 1
            while pushed.receive():
                seen += 1
            worst = max(worst, sent - seen)
            assert len(pushed._lookahead._waiting) == sent - seen  # nothing is kept that is not needed
        assert worst == late
        pushed.flush()
        pushed.flush()
        assert len(list(iter(pushed.receive, None))) == sent - seen
        assert pushed.receive() is None


def test_pictures_may_all_be_sent_first() -> None:
    with Encoder(EncoderConfig(16, 8)) as pushed:
        for picture in numbered(40):
            pushed.send(picture)
        pushed.flush()
        packets: list[Packet] = list(iter(pushed.receive, None))
    assert [number(packet.source) for packet in packets] == list(range(40))
    assert pushed._frame_encoder.closed


def test_what_cannot_be_sent() -> None:
    with Encoder(EncoderConfig(16, 8)) as pushed:
        with pytest.raises(ValueError, match="a picture of 16x16 is sent to an encoder of 16x8"):
            pushed.send(Picture.allocate(16, 16))
        pushed.flush()
        with pytest.raises(ValueError, match="sent after flush"):
            pushed.send(Picture.allocate(16, 8))
