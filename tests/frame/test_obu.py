"""OBUs hold what was put into them, and a decoder finds every tile where it lies."""

from fractions import Fraction

import av
import numpy as np
import pytest

from encoder.bits import leb128
from encoder.frame.headers import FrameHeader, SequenceHeader
from encoder.frame.obu import (
    TemporalUnits,
    biggest_tile,
    existing_frame_unit,
    frame_unit,
    sequence_header_unit,
    temporal_unit,
    tile_size_bytes,
)
from encoder.spec import INTER_FRAME, KEY_FRAME
from encoder.tiling import Tiling

FPS = Fraction(25)


def test_temporal_unit_begins_with_its_delimiter():
    """Two bytes, type 2 and size 0, without trailing bits."""
    assert temporal_unit([b"one", b"two"]) == bytes([0x12, 0]) + b"onetwo"


def test_sequence_header_ends_with_trailing_bits(trace):
    """A one and zeros, and the size counts them."""
    unit = sequence_header_unit(SequenceHeader.of(Tiling.uniform(200, 120), FPS))
    assert (unit[0], unit[1]) == (1 << 3 | 2, len(unit) - 2)
    names = [name for name, _ in trace(unit)]
    assert names[names.index("film_grain_params_present") + 1] == "trailing_one_bit"
    assert set(names[names.index("trailing_one_bit") + 1 :]) <= {"trailing_zero_bit"}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([5], 1),
        ([1, 1], 1),
        ([256, 70_000], 1),  # the size of the last tile is not coded
        ([257, 1], 2),
        ([65_536, 1], 2),
        ([1, 65_537, 1], 3),
        ([1 << 24, 1], 3),
        ([(1 << 24) + 1, 1], 4),
    ],
)
def test_tile_sizes_take_the_fewest_bytes(sizes, expected):
    """Both sides of each width: what is coded is the size minus one."""
    assert tile_size_bytes([bytes(size) for size in sizes]) == expected


def test_biggest_tile_is_the_first_of_equals():
    """By bytes."""
    assert biggest_tile([b"a", b"bcd", b"efg", b"h"]) == 1


@pytest.mark.parametrize("sizes", [[300, 5, 70_000, 9], [5, 4, 3, 2], [1, 66_000, 1, 1]])
def test_frame_holds_its_tiles(trace, sizes):
    """Sizes little-endian minus one before all tiles but the last; a tile group header of one zero byte."""
    tiling = Tiling.uniform(128, 128, 1, 1)
    tiles = [bytes([0x10 + index]) * size for index, size in enumerate(sizes)]
    sequence = SequenceHeader.of(tiling, FPS)
    unit = frame_unit(sequence, FrameHeader(tiling=tiling, base_q_idx=100), tiles)
    found = dict(trace(temporal_unit([sequence_header_unit(sequence), unit])))
    width = found["tile_size_bytes_minus1"] + 1
    assert width == tile_size_bytes(tiles)
    assert found["context_update_tile_id"] == sizes.index(max(sizes))
    assert found["tile_start_and_end_present_flag"] == 0
    coded = [(len(tile) - 1).to_bytes(width, "little") + tile for tile in tiles[:-1]]
    group = b"\0" + b"".join(coded) + tiles[-1]
    assert unit.endswith(group)
    payload_bytes = len(unit) - 1 - len(leb128(found["obu_size"]))
    assert found["obu_size"] == payload_bytes
    assert unit[0] == 6 << 3 | 2


def test_a_single_tile_follows_the_header_directly(trace):
    """No tile group flag, no tile info beyond the spacing."""
    tiling = Tiling.uniform(64, 64)
    sequence = SequenceHeader.of(tiling, FPS)
    unit = frame_unit(sequence, FrameHeader(tiling=tiling, base_q_idx=100), [b"\x55" * 50])
    found = dict(trace(temporal_unit([sequence_header_unit(sequence), unit])))
    assert not {"context_update_tile_id", "tile_size_bytes_minus1", "tile_start_and_end_present_flag"} & found.keys()
    header_bytes = (
        8  # 64 bits: 15 up to the CDFs, 1 tiles, 12 quantizer, 2 deltas, 16 deblocking, 16 CDEF, 2 transforms
    )
    assert found["obu_size"] == header_bytes + 50
    assert unit.endswith(b"\x55" * 50)


@pytest.mark.parametrize("tiles", [[b"a"], [b"a", b"b", b"c"], [b"a", b""]])
def test_refuses_tiles_that_the_header_does_not_announce(tiles):
    """A tile too few, one too many, an empty one."""
    tiling = Tiling.uniform(128, 64, 1, 0)
    with pytest.raises(ValueError, match="for a tiling of 2"):
        frame_unit(SequenceHeader.of(tiling, FPS), FrameHeader(tiling=tiling, base_q_idx=100), tiles)


@pytest.mark.parametrize("slot", range(8))
def test_an_existing_frame_takes_one_byte(trace, slot):
    """An OBU of a frame header: a one, the slot, a trailing one."""
    assert existing_frame_unit(slot) == bytes([3 << 3 | 2, 1, 1 << 7 | slot << 4 | 1 << 3])
    with pytest.raises(ValueError, match="does not fit"):
        existing_frame_unit(8)


def hidden(tiling: Tiling, **fields) -> FrameHeader:
    """An inter frame that may be shown later, from slot 1."""
    return FrameHeader(
        **{
            "tiling": tiling,
            "base_q_idx": 100,
            "frame_type": INTER_FRAME,
            "show_frame": False,
            "showable_frame": True,
            "refresh_frame_flags": 2,
            **fields,
        }
    )


def test_hidden_frames_share_the_unit_of_the_next_shown_one():
    """A delimiter, the frames as they came; the sequence header only with a key frame, and first even if that is hidden."""
    tiling = Tiling.uniform(64, 64)
    sequence = SequenceHeader.of(tiling, FPS)
    units, head = TemporalUnits(sequence), sequence_header_unit(sequence)
    key, shown = FrameHeader(tiling=tiling, base_q_idx=100), hidden(tiling, show_frame=True, showable_frame=False)
    assert not units.is_open
    assert units.add_frame(key, b"key") == temporal_unit([head, b"key"])
    assert units.add_frame(hidden(tiling), b"far") is None
    assert units.add_frame(hidden(tiling), b"near") is None
    assert units.is_open
    assert units.add_frame(shown, b"shown") == temporal_unit([b"far", b"near", b"shown"])
    assert not units.is_open
    assert units.add_existing(1) == temporal_unit([existing_frame_unit(1)])
    assert units.add_frame(hidden(tiling), b"far") is None
    assert units.add_frame(hidden(tiling, frame_type=KEY_FRAME), b"key") is None
    assert units.add_existing(1) == temporal_unit([head, b"far", b"key", existing_frame_unit(1)])
    assert units.add_frame(shown, b"shown") == temporal_unit([b"shown"])


@pytest.mark.parametrize("size", [(64, 64), (200, 136)])
def test_dav1d_shows_hidden_frames_when_told_to(size):
    """A pyramid of dummy data ends with a hidden key frame: as many pictures as frames that were shown."""
    tiling = Tiling.uniform(*size)
    sequence = SequenceHeader.of(tiling, FPS)
    refs = {
        "ref_order_hint": (0, 4, 0, 0, 0, 0, 0, 0),
        "ref_frame_idx": (0, 0, 0, 0, 1, 1, 1),
        "reference_select": True,
    }
    frames: list[FrameHeader | int] = [
        FrameHeader(tiling=tiling, base_q_idx=100),
        hidden(tiling, order_hint=4, primary_ref_frame=0),
        hidden(tiling, order_hint=2, refresh_frame_flags=4, skip_mode_present=True, **refs),
        hidden(tiling, order_hint=1, refresh_frame_flags=0, show_frame=True, error_resilient_mode=True, **refs),
        2,
        1,
        hidden(tiling, frame_type=KEY_FRAME, order_hint=8),
        1,
        hidden(tiling, show_frame=True, order_hint=9, primary_ref_frame=6, ref_order_hint=(8,) * 8),
    ]
    units, decoder, shown = TemporalUnits(sequence), av.CodecContext.create("libdav1d", "r"), 0
    for frame in frames:
        if isinstance(frame, int):
            unit = units.add_existing(frame)
        else:
            unit = units.add_frame(frame, frame_unit(sequence, frame, [bytes(30_000)]))
        if unit is not None:
            shown += len(decoder.decode(av.Packet(unit)))
    assert shown + len(decoder.decode(None)) == 6


def decode(tiling: Tiling, tiles: list[bytes]) -> np.ndarray:
    """dav1d's luma samples for these tile data, frame filters off."""
    sequence = SequenceHeader.of(tiling, FPS)
    frame = frame_unit(sequence, FrameHeader(tiling=tiling, base_q_idx=100), tiles)
    decoder = av.CodecContext.create("libdav1d", "r")
    unit = av.Packet(temporal_unit([sequence_header_unit(sequence), frame]))
    (picture,) = [*decoder.decode(unit), *decoder.decode(None)]
    return picture.to_ndarray()[: tiling.height]


@pytest.mark.parametrize(
    "tiling",
    [
        Tiling.uniform(200, 136, 1, 0),
        Tiling.uniform(200, 136, 0, 2),
        Tiling.uniform(300, 170, 2, 1),
        Tiling.uniform(322, 66, 3, 1),
    ],
    ids=lambda tiling: f"{tiling.width}x{tiling.height}-{tiling.cols}x{tiling.rows}",
)
def test_dav1d_finds_every_tile_in_its_rectangle(tiling):
    """Other data for one tile change samples inside its rectangle, and none outside."""
    rng = np.random.default_rng(7)
    tiles = [rng.bytes(20_000 + 300 * index) for index in range(tiling.count)]
    before = decode(tiling, tiles)
    for tile in tiling.tiles():
        changed = decode(tiling, [*tiles[: tile.index], rng.bytes(20_000), *tiles[tile.index + 1 :]]) != before
        inside = changed[4 * tile.mi_row_start : 4 * tile.mi_row_end, 4 * tile.mi_col_start : 4 * tile.mi_col_end]
        assert inside.mean() > 0.5
        assert changed.sum() == inside.sum()
