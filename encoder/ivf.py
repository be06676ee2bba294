"""AV1 without a container: IVF, and the low-overhead OBU stream (specification section 5.2)."""

import struct
from fractions import Fraction
from typing import BinaryIO

_FRAME_COUNT_AT = 24


class IvfWriter:
    """Writes temporal units as IVF: a file header of 32 bytes, then 12 bytes before each unit.

    The stream must be seekable: the number of frames is written into the header by `close`.
    """

    def __init__(self, stream: BinaryIO, width: int, height: int, fps: Fraction) -> None:
        self._stream = stream
        self._frames = 0
        header_bytes, version, unused = 32, 0, 0
        # The time base is 1/fps, so time stamps count frames; the header holds its denominator first.
        rate, scale = fps.numerator, fps.denominator
        stream.write(
            struct.pack("<4sHH4sHHIIII", b"DKIF", version, header_bytes, b"AV01", width, height, rate, scale, 0, unused)
        )

    def write(self, data: bytes, pts: int, is_key: bool) -> None:
        """Append one temporal unit, shown at `pts` frames after the start."""
        self._stream.write(struct.pack("<IQ", len(data), pts))
        self._stream.write(data)
        self._frames += 1

    def close(self) -> None:
        """Write the number of frames into the header. The stream stays open: who opened it closes it."""
        self._stream.seek(_FRAME_COUNT_AT)
        self._stream.write(struct.pack("<I", self._frames))


class ObuWriter:
    """Writes temporal units one after the other; each begins with its temporal delimiter."""

    def __init__(self, stream: BinaryIO, width: int, height: int, fps: Fraction) -> None:
        self._stream = stream

    def write(self, data: bytes, pts: int, is_key: bool) -> None:
        """Append one temporal unit. The format has no place for time stamps."""
        self._stream.write(data)

    def close(self) -> None:
        """Nothing is left to do: the format has no header."""
