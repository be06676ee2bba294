"""Streams of all structures, hidden frames and all, decode to what the encoder says, and --stats tells what they are."""

import copy
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from encoder import cli
from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import Encoder, Packet
from workbench.corpus import ensure, load_corpus

from .judges import (
    Stream,
    assert_decoders_agree_on_all,
    corpus_pictures,
    decode_by_libdav1d,
    encoded,
    pictures,
    stream_of,
)

pytestmark = pytest.mark.usefixtures("compiled_kernels")

SIDE = 16  # structure knows no size
CORPUS = Path(__file__).parents[2] / "corpus"

STREAMS = [
    *((frames, {}, [0]) for frames in (1, 2, 3, 5, 7, 11, 13, 16, 17, 19, 23, 31, 33, 37)),
    *((frames, {"low_latency": True}, [0]) for frames in (1, 2, 5, 17)),
    *((frames, {"keyint": 1}, list(range(frames))) for frames in (1, 2, 3, 17)),
    *((frames, {"keyint": 2}, list(range(0, frames, 2))) for frames in (1, 2, 5, 8)),
    *((frames, {"keyint": 1000}, [0]) for frames in (1, 7, 29)),
    *((frames, {"keyint": 0}, [0]) for frames in (1, 2, 41)),
    (41, {"keyint": 17}, [0, 17, 34]),
    (40, {"keyint": 17, "min_keyint": 17, "low_latency": True}, [0, 17, 34]),
    (9, {"keyint": 4, "min_keyint": 0}, [0, 4, 8]),
    (7, {"forced_key_frames": (0,)}, [0]),
    (7, {"forced_key_frames": (6,)}, [0, 6]),
    (7, {"forced_key_frames": (3, 3, 90)}, [0, 3]),
    (7, {"forced_key_frames": (2, 1, 5), "keyint": 3}, [0, 1, 2, 5]),
    (21, {"forced_key_frames": (17, 18), "keyint": 0}, [0, 17, 18]),
    (9, {"forced_key_frames": tuple(range(9))}, list(range(9))),
    (7, {"forced_key_frames": (4,), "low_latency": True, "keyint": 5}, [0, 4]),
    (7, {"low_latency": True, "keyint": 5}, [0, 5]),
    (18, {"low_latency": True, "keyint": 1}, list(range(18))),
    (19, {"scene_detection": False}, [0]),
]


def stream_of_edges(frames: int, settings: dict[str, Any]) -> Stream:
    return encoded(pictures("edges", SIDE, SIDE, frames), width=SIDE, height=SIDE, **settings)


@pytest.mark.parametrize("frames, settings, keys", STREAMS)
def test_a_decoder_shows_every_picture(frames: int, settings: dict[str, Any], keys: list[int]) -> None:
    stream = stream_of_edges(frames, settings)
    assert len(stream.units) == frames
    assert stream.keys == keys
    assert decode_by_libdav1d(stream.units) == stream.shown


def test_both_decoders_agree(tmp_path: Path) -> None:
    assert_decoders_agree_on_all([stream_of_edges(frames, settings) for frames, settings, _ in STREAMS], tmp_path)


def test_decoding_can_begin_at_every_key_frame() -> None:
    stream = stream_of_edges(31, {"forced_key_frames": (4, 20)})
    for key in (4, 20):
        assert decode_by_libdav1d(stream.units[key:]) == stream.shown[key:]


@pytest.mark.slow
@pytest.mark.parametrize("low_latency", [False, True])
def test_every_length_of_a_stream(low_latency: bool, tmp_path: Path) -> None:
    """All ends that mini-GOPs can have, before a key frame and before the end."""
    settings = {"low_latency": low_latency, "speed": 8}
    streams = [stream_of_edges(frames, settings) for frames in range(1, 51)]
    streams += [stream_of_edges(21, {"keyint": keyint, **settings}) for keyint in range(1, 21)]
    assert_decoders_agree_on_all(streams, tmp_path)


@pytest.mark.parametrize("settings", [{}, {"low_latency": True}, {"speed": 6, "forced_key_frames": (9, 11)}], ids=str)
def test_when_pictures_are_sent_does_not_matter(settings: dict[str, Any]) -> None:
    """All at once, each as late as possible, several at a time: the same packets, also after the encoder said None."""
    config = EncoderConfig(SIDE, SIDE, **settings)
    sent = [copy.deepcopy(picture) for picture in corpus_pictures("pan", SIDE, SIDE, 21)]
    streams = []
    for step in (21, 1, 5):
        with Encoder(config) as encoder:
            assert encoder.receive() is None
            packets: list[Packet] = []
            for first in range(0, 21, step):
                for picture in sent[first : first + step]:
                    encoder.send(picture)
                packets += iter(encoder.receive, None)
                assert encoder.receive() is None
            encoder.flush()
            packets += iter(encoder.receive, None)
            assert encoder.receive() is None
        streams.append([(packet.data, packet.pts, packet.is_key) for packet in packets])
    assert streams[0] == streams[1] == streams[2]
    assert [pts for _, pts, _ in streams[0]] == list(range(21))


def test_wrong_calls_leave_the_stream_whole() -> None:
    with Encoder(EncoderConfig(SIDE, SIDE)) as encoder:
        for index, picture in enumerate(pictures("edges", SIDE, SIDE, 5)):
            encoder.send(picture)
            with pytest.raises(ValueError, match="a picture of 16x24 is sent"):
                encoder.send(Picture.allocate(SIDE, 24))
            assert index or encoder.receive() is None
        encoder.flush()
        encoder.flush()
        with pytest.raises(ValueError, match="sent after flush"):
            encoder.send(Picture.allocate(SIDE, SIDE))
        stream = stream_of(iter(encoder.receive, None))
    assert stream.units == stream_of_edges(5, {}).units


def test_nothing_sent_gives_nothing() -> None:
    with Encoder(EncoderConfig(SIDE, SIDE)) as encoder:
        encoder.flush()
        assert encoder.receive() is None


# What --stats says of clips of the corpus.


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """figures(name of a clip, option, ...) -> the content of --stats; each is encoded once."""
    folder = tmp_path_factory.mktemp("stats")
    clips = {clip.name: clip for clip in load_corpus(CORPUS).in_tier("default")}
    known: dict[tuple[str, ...], dict[str, Any]] = {}

    def of(name: str, *options: str) -> dict[str, Any]:
        if (name, *options) not in known:
            stats = folder / "stats.json"
            arguments = [str(ensure(clips[name])), "-o", str(folder / "out.ivf"), "-y", "-q", "--stats", str(stats)]
            assert cli.main([*arguments, "--quantizer", "120", *options]) == 0
            known[name, *options] = json.loads(stats.read_text())
        return known[name, *options]

    return of


CUTS = {"cut": [0, 15], "flash": [0], "fade": [0], "pan": [0]}
PICTURES = 30


@pytest.mark.parametrize("name", CUTS)
def test_key_frames_are_at_cuts_and_nowhere_else(figures: Callable[..., dict[str, Any]], name: str) -> None:
    frames = figures(name)["frames"]
    assert [frame["display_index"] for frame in frames if frame["type"] == "key"] == CUTS[name]
    assert {frame["type"] for frame in frames} == {"key", "inter"}


def test_options_move_key_frames(figures: Callable[..., dict[str, Any]]) -> None:
    for options, keys in (
        ("--no-scene-detection", [0]),
        ("--keyint 10 --min-keyint 10", [0, 10, 20]),
        ("--min-keyint 15", [0, 15]),
        ("--min-keyint 16", [0]),
        ("--force-key 3,29 --low-latency", [0, 3, 15, 29]),
    ):
        frames = figures("cut", *options.split())["frames"]
        assert [frame["display_index"] for frame in frames if frame["type"] == "key"] == keys, options


def in_coding_order(before: int, after: int) -> Iterator[int]:
    """Of the pictures between two, behind the one in the middle: those in the middles of both halves, then what is left of each."""
    halves = (before, (before + after) // 2), ((before + after) // 2, after)
    if after - before > 2:
        yield from (sum(half) // 2 for half in halves)
        for half in halves:
            yield from in_coding_order(*half)


def planned(pictures: int, keys: list[int]) -> list[tuple[int, int, int, bool]]:
    """(display index, layer, mini-GOP, shown at once) in coding order."""
    plan: list[tuple[int, int, int, bool]] = []

    def code(index: int, layer: int, length: int) -> None:
        plan.append((index, layer, length, len([1 for earlier, *_ in plan if earlier < index]) == index))

    for key, following in zip(keys, [*keys[1:], pictures], strict=True):
        code(key, 0, 1)
        done = key
        while done < following - 1:
            length = max(size for size in (1, 2, 4, 8, 16) if done + size < following)
            middle = [done + length // 2] if length > 1 else []
            for index in (done + length, *middle, *in_coding_order(done, done + length)):
                place = index - done
                code(index, (length // (place & -place)).bit_length() - 1, length)
            done += length
    return plan


@pytest.mark.parametrize("name", CUTS)
def test_layers_are_those_of_the_mini_gops(figures: Callable[..., dict[str, Any]], name: str) -> None:
    frames = figures(name)["frames"]
    seen = [(frame["display_index"], frame["layer"], frame["mini_gop"], frame["shown"]) for frame in frames]
    assert seen == planned(PICTURES, CUTS[name])


def test_layers_with_low_latency(figures: Callable[..., dict[str, Any]]) -> None:
    frames = figures("pan", "--low-latency")["frames"]
    assert [frame["display_index"] for frame in frames] == list(range(PICTURES))
    assert all(frame["shown"] for frame in frames)
    assert [frame["layer"] for frame in frames] == [(0, 2, 1, 2)[index % 4] for index in range(PICTURES)]


@pytest.mark.parametrize("name", CUTS)
def test_quantizers_follow_the_layers(figures: Callable[..., dict[str, Any]], name: str) -> None:
    """Key frames are finer than bases, bases alike, and within a mini-GOP frames are the coarser the higher their layer."""
    quantizers: list[dict[int, set[int]]] = []
    for frame in figures(name)["frames"]:
        if frame["type"] == "key":
            assert frame["quantizer"] < 120
            continue
        if frame["layer"] == 0:
            assert frame["quantizer"] == 120
            quantizers.append(defaultdict(set))
        quantizers[-1][frame["layer"]].add(frame["quantizer"])
    for of_layer in quantizers:
        assert all(len(same) == 1 for same in of_layer.values())
        in_order = [of_layer[layer].pop() for layer in sorted(of_layer)]
        assert in_order == sorted(set(in_order))
    assert any(len(of_layer) > 3 for of_layer in quantizers)


@pytest.mark.parametrize("name", CUTS)
def test_bits_and_shares_add_up(figures: Callable[..., dict[str, Any]], name: str) -> None:
    for frame in figures(name)["frames"]:
        tiles = sum(tile["bytes"] for tile in frame["tiles"])
        assert 8 <= frame["bytes"] - tiles <= 60, "headers"
        # The coder's ranges are rounded, and each tile ends with at most two bytes more than the bits in it.
        assert abs(tiles - sum(frame["bits"].values()) / 8) <= 3 + tiles / 100
        for shares in (frame["block_sizes"], frame["modes"]):
            assert sum(shares.values()) == pytest.approx(1, abs=0.01) and min(shares.values()) > 0
        assert set(frame["block_sizes"]) <= {"4x4", "8x8", "16x16", "32x32", "64x64"}
        vectors = sum(share for mode, share in frame["modes"].items() if mode.endswith("MV"))
        assert frame["type"] == "inter" or vectors == 0
        if frame["type"] == "inter":
            assert vectors > 0.5 or name in ("flash", "fade")


def test_what_moves_alike_is_predicted(figures: Callable[..., dict[str, Any]]) -> None:
    """The pan costs next to nothing behind its key frame; the flash is paid for once, in the picture that has it."""
    key, *inter = figures("pan")["frames"]
    assert sum(frame["bytes"] for frame in inter) < key["bytes"]
    frames = figures("flash")["frames"]
    dear = [frame["display_index"] for frame in frames if frame["type"] == "inter" and frame["bytes"] > 1000]
    assert 1 <= len(dear) <= 5, dear


# Memory.

_GROWTH = """
import resource
import sys
from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import encode
import numpy as np

def resident_kb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 1024

def pictures():
    picture, random = Picture.allocate(48, 32), np.random.default_rng(1)
    for t in range(1000):
        for p in range(3):
            plane = picture.plane(p)
            plane[:] = random.integers(0, 9, plane.shape) + t % 200
        yield picture

for packet in encode(pictures(), EncoderConfig(48, 32, keyint=120, **eval(sys.argv[1]))):
    if packet.pts in (99, 999):
        print(resident_kb())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
@pytest.mark.parametrize("settings", [{}, {"low_latency": True}, {"speed": 6}], ids=str)
def test_memory_does_not_grow_with_the_clip(settings: dict[str, Any], process_environment: dict[str, str]) -> None:
    """A picture that was kept would be 180 KB, 900 of them 160 MB."""
    command = [sys.executable, "-c", _GROWTH, repr(settings)]
    done = subprocess.run(command, env=process_environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    assert late - early < 4096, f"{early} KB after 100 frames, {late} KB after 1000"
