"""The first judge of all: what we say the decoder will show is what it shows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import encode
from workbench.corpus import ensure, load_corpus

from .judges import (
    Stream,
    assert_both_decoders_agree,
    assert_decoders_agree_on_all,
    collect,
    corpus_pictures,
    decode_by_libdav1d,
    encoded,
    pictures,
    samples_of,
)

CORPUS = Path(__file__).parents[2] / "corpus"
KINDS = ["noise", "edges", "slopes", "flat", "checkers"]
ODD_SIZES = [(8, 8), (9, 8), (8, 9), (15, 33), (63, 65), (64, 64), (66, 130), (177, 145)]
TILINGS = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1)]
MOVING = ["pan", "zoomrot", "occlude", "cut", "fade", "flash", "grain", "sports", "head", "text", "water", "gratings"]
FRAMES = 9
"""A key frame and a mini-GOP of 8."""

pytestmark = pytest.mark.usefixtures("compiled_kernels")


def assert_shown_as_reconstructed(kind: str, frames: int, **settings: object) -> None:
    """Encode with the numba set and compare every frame with libdav1d."""
    stream = encoded(pictures(kind, settings["width"], settings["height"], frames), **settings)  # type: ignore[arg-type]
    assert len(stream.shown) == frames
    assert decode_by_libdav1d(stream.units) == stream.shown


@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_size_decodes_to_the_reconstruction(kind: str, size: tuple[int, int]) -> None:
    assert_shown_as_reconstructed(kind, 3, width=size[0], height=size[1], quantizer=60)


@pytest.mark.parametrize("quantizer", [1, 2, 20, 21, 60, 61, 120, 121, 200, 255])
@pytest.mark.parametrize("kind", KINDS)
def test_every_quantizer_decodes_to_the_reconstruction(kind: str, quantizer: int) -> None:
    assert_shown_as_reconstructed(kind, 2, width=72, height=80, quantizer=quantizer)


def moving(kind: str, number: int, frames: int = FRAMES) -> Stream:
    """A clip of the corpus's generator; the number turns through sizes, quantizers, speeds and tilings."""
    width, height = ((98, 66), (64, 64), (130, 34), (71, 99))[number % 4]
    cols, rows = (number % 2, number // 2 % 2)
    return encoded(
        corpus_pictures(kind, width, height, frames, first=11),
        width=width,
        height=height,
        quantizer=(30, 60, 100, 150, 220)[number % 5],
        speed=(10, 8, 6)[number % 3] if number % 11 else 0,
        tile_cols_log2=cols if width > 64 else 0,
        tile_rows_log2=rows if height > 64 else 0,
        low_latency=number % 7 == 3,
    )


def test_both_decoders_agree_on_clips_that_move(tmp_path: Path) -> None:
    assert_decoders_agree_on_all([moving(kind, number) for number, kind in enumerate(MOVING)], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOVING)
def test_both_decoders_agree_on_longer_clips(kind: str, tmp_path: Path) -> None:
    assert_decoders_agree_on_all([moving(kind, number, 19) for number in range(60)], tmp_path)


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_every_tiling_decodes_to_the_reconstruction(tiling: tuple[int, int], threads: int) -> None:
    cols, rows = tiling
    settings = {"tile_cols_log2": cols, "tile_rows_log2": rows, "threads": threads}
    assert_shown_as_reconstructed("edges", 2, width=259, height=133, quantizer=90, **settings)


@pytest.mark.parametrize("speed", [10, 8, 6])
def test_the_bytes_do_not_depend_on_the_number_of_threads(speed: int) -> None:
    settings = {"width": 200, "height": 150, "tile_cols_log2": 2, "tile_rows_log2": 1, "speed": speed}
    one, two, four = (
        encoded(corpus_pictures("sports", 200, 150, 20), threads=threads, **settings) for threads in (1, 2, 4)
    )
    assert one.units == two.units == four.units
    assert one.shown == two.shown == four.shown


def test_the_bytes_do_not_depend_on_spans() -> None:
    streams = [
        collect(encode(pictures("edges", 96, 80), EncoderConfig(width=96, height=80, probe=probe)))
        for probe in (False, True)
    ]
    assert streams[0] == streams[1]


def assert_sets_write_identical_bytes(
    sets: list[str], draw: Callable[[], Iterator[Picture]], **settings: object
) -> None:
    expected = encoded(draw(), kernels="numba", **settings)
    for kernels in sets:
        stream = encoded(draw(), kernels=kernels, **settings)
        assert stream.units == expected.units, kernels
        assert stream.shown == expected.shown, kernels


@pytest.mark.parametrize("kind, quantizer", [("edges", 1), ("noise", 100), ("edges", 255)])
def test_the_sets_write_identical_bytes(kind: str, quantizer: int) -> None:
    sets = ["numpy", "python"]
    assert_sets_write_identical_bytes(sets, lambda: pictures(kind, 26, 18), width=26, height=18, quantizer=quantizer)


@pytest.mark.parametrize(
    "kernels, speed, frames", [("numpy", 10, 5), ("numpy", 8, 5), ("numpy", 6, 5), ("python", 10, 3)]
)
def test_the_sets_write_identical_bytes_of_inter_frames(kernels: str, speed: int, frames: int) -> None:
    settings = {"width": 18, "height": 16, "quantizer": 80, "speed": speed}
    assert_sets_write_identical_bytes([kernels], lambda: corpus_pictures("sports", 18, 16, frames), **settings)


@pytest.mark.slow
@pytest.mark.parametrize("speed", [10, 8, 6])
@pytest.mark.parametrize("kind", ["pan", "text"])
def test_the_sets_write_identical_bytes_of_inter_frames_in_tiles(kind: str, speed: int) -> None:
    settings = {"width": 66, "height": 22, "tile_cols_log2": 1, "quantizer": 40, "speed": speed}
    assert_sets_write_identical_bytes(["numpy", "python"], lambda: corpus_pictures(kind, 66, 22, 6), **settings)


def test_each_preset_finds_something_else() -> None:
    streams = [
        encoded(corpus_pictures("sports", 96, 80, 5), width=96, height=80, quantizer=60, speed=speed)
        for speed in (10, 8, 6, 0)
    ]
    assert len({stream.data for stream in streams}) == 4


def test_warming_up_reaches_all_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves out would be compiled in the middle of somebody's encode."""
    from encoder import stream
    from encoder.frame import frame

    called = set()

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            called.add(name)
            return function(*arguments)

        return call

    code = frame.plain_code(False)
    monkeypatch.setattr(frame, "plain_code", lambda _: frame.PlainCode(*map(watched, frame.PlainCode._fields, code)))
    stream.warm("numba", lambda _: None)
    assert called == set(frame.PlainCode._fields)


def test_a_sample_that_is_wrong_would_be_noticed() -> None:
    """The judge is awake: one sample off in one frame fails the comparison."""
    config = EncoderConfig(width=64, height=64)
    units, expected = [], []
    for packet in encode(pictures("edges", 64, 64), config):
        units.append(packet.data)
        packet.reconstruction.plane(2)[31, 31] ^= 1
        expected.append(samples_of(packet.reconstruction))
    assert decode_by_libdav1d(units) != expected


def test_a_tile_that_needs_more_room_than_foreseen_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from encoder.frame import frame
    from encoder.tile.state import tile_memory

    monkeypatch.setattr(frame, "tile_memory", lambda columns, samples: tile_memory(columns, -2040))
    config = EncoderConfig(width=64, height=64, quantizer=1)
    units, expected = [], []
    for packet in encode(pictures("noise", 64, 64), config):
        units.append(packet.data)
        expected.append(samples_of(packet.reconstruction))
    assert len(units[0]) > 16, "the buffer that the test leaves has 16 entries"
    assert decode_by_libdav1d(units) == expected


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", [1, 40, 100, 180, 255])
@pytest.mark.parametrize("tiling", [(0, 0), (1, 1)], ids=str)
def test_both_decoders_agree_on_every_clip_kind(quantizer: int, tiling: tuple[int, int], tmp_path) -> None:
    from encoder.y4m import Y4mReader

    corpus = load_corpus(CORPUS)
    for clip in corpus.in_tier("tiny"):
        with ensure(clip).open("rb") as file:
            reader = Y4mReader(file, clip.name)
            cols, rows = (
                min(log2, (length - 1) // 64) for log2, length in zip(tiling, (clip.width, clip.height), strict=True)
            )
            config = EncoderConfig(
                width=clip.width, height=clip.height, quantizer=quantizer, tile_cols_log2=cols, tile_rows_log2=rows
            )
            data, frames = collect(encode(reader.pictures(), config))
        assert_both_decoders_agree(data, frames, tmp_path, f"{clip.name} at quantizer {quantizer}")


@pytest.mark.slow
def test_both_decoders_agree_on_every_quantizer(tmp_path) -> None:
    for quantizer in range(1, 256):
        config = EncoderConfig(width=72, height=56, quantizer=quantizer)
        data, frames = collect(encode(pictures(KINDS[quantizer % len(KINDS)], 72, 56), config))
        assert_both_decoders_agree(data, frames, tmp_path, f"quantizer {quantizer}")


@pytest.mark.slow
def test_both_decoders_agree_on_the_largest_picture(tmp_path) -> None:
    config = EncoderConfig(width=4096, height=2304, quantizer=200, tile_cols_log2=2, tile_rows_log2=1, threads=2)
    data, frames = collect(encode(pictures("slopes", 4096, 2304), config))
    assert_both_decoders_agree(data, frames, tmp_path, "4096x2304")
