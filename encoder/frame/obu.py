"""OBUs and temporal units in the low-overhead format: every OBU carries its size (spec 5.2 to 5.6, 5.10, 5.11.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from encoder.bits import BitWriter, leb128
from encoder.frame.headers import (
    FrameHeader,
    SequenceHeader,
    sequence_header_obu,
    show_existing_frame_header,
    uncompressed_header,
)
from encoder.spec import KEY_FRAME

OBU_SEQUENCE_HEADER, OBU_TEMPORAL_DELIMITER, OBU_FRAME_HEADER, OBU_FRAME = 1, 2, 3, 6  # spec 6.2.2


class TemporalUnits:
    """OBUs of frames in coding order become temporal units: any number of hidden frames, then the shown one (spec 7.5).

    A unit in which a key frame is coded, shown or hidden, begins with the sequence header: decoding can start there.
    """

    def __init__(self, sequence: SequenceHeader) -> None:
        self._sequence = sequence
        self._obus: list[bytes] = []
        self._has_key_frame = False

    @property
    def is_open(self) -> bool:
        """Hidden frames wait for the shown one that ends their unit; a stream cannot end so."""
        return bool(self._obus)

    def add_frame(self, frame: FrameHeader, obu: bytes) -> bytes | None:
        """Take the OBU of a coded frame (see frame_unit); gives the temporal unit if the frame is shown."""
        self._obus.append(obu)
        self._has_key_frame |= frame.frame_type == KEY_FRAME
        return self._end() if frame.show_frame else None

    def add_existing(self, slot: int) -> bytes:
        """Show the frame in a slot (see existing_frame_unit); gives the temporal unit."""
        self._obus.append(existing_frame_unit(slot))
        return self._end()

    def _end(self) -> bytes:
        head = [sequence_header_unit(self._sequence)] if self._has_key_frame else []
        unit = temporal_unit([*head, *self._obus])
        self._obus.clear()
        self._has_key_frame = False
        return unit


def temporal_unit(obus: Iterable[bytes]) -> bytes:
    """A temporal delimiter and the OBUs behind it: what one IVF frame or container packet holds."""
    return b"".join((open_bitstream_unit(OBU_TEMPORAL_DELIMITER, b""), *obus))


def sequence_header_unit(sequence: SequenceHeader) -> bytes:
    """The OBU of a sequence header; it stands in every temporal unit with a key frame, before its first frame."""
    w = BitWriter()
    sequence_header_obu(w, sequence)
    w.trailing_bits()
    return open_bitstream_unit(OBU_SEQUENCE_HEADER, w.getvalue())


def frame_unit(sequence: SequenceHeader, frame: FrameHeader, tiles: Sequence[bytes]) -> bytes:
    """The OBU of a whole frame: header and all its tiles, in coding order.

    context_update_tile_id and tile_size_bytes of the header are set from the tiles. Raises ValueError unless they are
    as many as the header's tiling has, none of them empty.
    """
    if len(tiles) != frame.tiling.count or not all(tiles):
        raise ValueError(f"tiles of {[len(tile) for tile in tiles]} bytes for a tiling of {frame.tiling.count}")
    frame = replace(frame, context_update_tile_id=biggest_tile(tiles), tile_size_bytes=tile_size_bytes(tiles))
    w = BitWriter()
    frame_obu(w, sequence, frame, tiles)
    return open_bitstream_unit(OBU_FRAME, w.getvalue())


def existing_frame_unit(slot: int) -> bytes:
    """The OBU that shows the frame in a slot, which was hidden or has been shown before."""
    w = BitWriter()
    show_existing_frame_header(w, slot)
    w.trailing_bits()
    return open_bitstream_unit(OBU_FRAME_HEADER, w.getvalue())


def biggest_tile(tiles: Sequence[bytes]) -> int:
    """The index of the longest tile, the first of equals: the one that has adapted its CDFs to the most symbols."""
    return max(range(len(tiles)), key=lambda index: len(tiles[index]))


def tile_size_bytes(tiles: Sequence[bytes]) -> int:
    """The smallest TileSizeBytes that holds tile_size_minus_1 of every tile whose size is coded: all but the last."""
    largest = max((len(tile) for tile in tiles[:-1]), default=1)
    return max((largest - 1).bit_length() + 7 >> 3, 1)


def open_bitstream_unit(obu_type: int, payload: bytes) -> bytes:
    """Header, size and payload of an OBU (spec 5.3.1); the payload ends with its trailing bits, if its type has any."""
    w = BitWriter()
    obu_header(w, obu_type)
    return w.getvalue() + leb128(len(payload)) + payload


def obu_header(w: BitWriter, obu_type: int) -> None:
    """Spec 5.3.2."""
    w.f(1, 0)  # obu_forbidden_bit
    w.f(4, obu_type)
    w.f(1, 0)  # obu_extension_flag
    w.f(1, 1)  # obu_has_size_field
    w.f(1, 0)  # obu_reserved_1bit


def frame_obu(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader, tiles: Sequence[bytes]) -> None:
    """Spec 5.10. No trailing bits: those of the last tile's symbol coder end the OBU."""
    uncompressed_header(w, sequence, frame)
    w.byte_alignment()
    tile_group_obu(w, frame, tiles)


def tile_group_obu(w: BitWriter, frame: FrameHeader, tiles: Sequence[bytes]) -> None:
    """Spec 5.11.1, one group of all tiles."""
    if len(tiles) > 1:
        w.f(1, 0)  # tile_start_and_end_present_flag
    w.byte_alignment()
    for tile in tiles[:-1]:
        w.le(frame.tile_size_bytes, len(tile) - 1)
        w.append(tile)
    w.append(tiles[-1])
