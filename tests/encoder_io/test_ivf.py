"""IVF and OBU streams, byte by byte and as FFmpeg sees them."""

import io
import struct
from fractions import Fraction

from encoder.ivf import IvfWriter, ObuWriter


def test_ivf_bytes() -> None:
    stream = io.BytesIO()
    writer = IvfWriter(stream, 97, 65, Fraction(30000, 1001))
    writer.write(b"first", 0, True)
    writer.write(b"second one", 2**33, False)
    writer.close()
    data = stream.getvalue()
    assert data[:32] == struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"AV01", 97, 65, 30000, 1001, 2, 0)
    assert data[32:49] == struct.pack("<IQ", 5, 0) + b"first"
    assert data[49:] == struct.pack("<IQ", 10, 2**33) + b"second one"


def test_obu_stream_is_the_units_and_nothing_else() -> None:
    stream = io.BytesIO()
    writer = ObuWriter(stream, 97, 65, Fraction(30))
    writer.write(b"\x12\x00first", 0, True)
    writer.write(b"\x12\x00second", 1, True)
    writer.close()
    assert stream.getvalue() == b"\x12\x00first\x12\x00second"
