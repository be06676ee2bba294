"""The Y4M files that the corpus writes: 8-bit 4:2:0, one header line, then FRAME and the planes of each picture."""

from __future__ import annotations

from fractions import Fraction

FRAME = b"FRAME\n"


def header(width: int, height: int, fps: Fraction) -> bytes:
    """The file's first line, its newline included."""
    return f"YUV4MPEG2 W{width} H{height} F{fps.numerator}:{fps.denominator} Ip A1:1 C420jpeg\n".encode("ascii")


def size_bytes(width: int, height: int, fps: Fraction, frames: int) -> int:
    """The size of the whole file."""
    chroma_plane = ((width + 1) >> 1) * ((height + 1) >> 1)
    return len(header(width, height, fps)) + frames * (len(FRAME) + width * height + 2 * chroma_plane)
