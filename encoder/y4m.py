"""Y4M (YUV4MPEG2): uncompressed pictures in a file or a pipe, 8-bit 4:2:0.

A stream is a header line, then for every frame a line that begins with FRAME and the planes Y, Cb, Cr without padding:
    YUV4MPEG2 W176 H144 F30:1 Ip A1:1 C420jpeg
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from encoder.config import DEFAULT_FPS, fps_fault, size_fault
from encoder.errors import Y4mError
from encoder.picture import Picture

MAGIC = b"YUV4MPEG2"
_FULL_RANGE = b"XCOLORRANGE=FULL"
_FRAME = b"FRAME"
_MAX_LINE_BYTES = 1024  # a header is some 60 bytes; without a limit, a file without line ends would be read whole
_CHROMA_420 = {"420", "420jpeg", "420mpeg2", "420paldv"}  # they differ in the place of the chroma samples only
_CONVERT = "convert with: ffmpeg -i INPUT -pix_fmt yuv420p out.y4m"


class Y4mReader:
    """Reads pictures from a binary stream, all of them into the same buffers.

    name            how messages call the stream
    width, height   luma samples
    fps             frames per second; 25 where the header does not say
    full_range      whether the header says that samples use 0 to 255 (XCOLORRANGE=FULL)
    Raises Y4mError where the header is not one that we take.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._stream = stream
        self.width, self.height, self.fps, self.full_range = _read_header(stream, name)
        self._picture = Picture.allocate(self.width, self.height)
        planes = [self._picture.plane(p) for p in range(3)]
        self._frame = bytearray(sum(plane.size for plane in planes))
        self._planes = []
        at = 0
        for plane in planes:
            self._planes.append((plane, np.frombuffer(self._frame, np.uint8, plane.size, at).reshape(plane.shape)))
            at += plane.size

    def pictures(self, skip: int = 0, limit: int | None = None) -> Iterator[Picture]:
        """The pictures after the first `skip`, at most `limit` of them.

        It is the same Picture each time, overwritten when the next one is asked for. Raises Y4mError at a frame that is
        cut short.
        """
        index = 0
        while limit is None or index < skip + limit:
            if not self._read_frame(index):
                return
            if index >= skip:
                for plane, source in self._planes:
                    plane[:] = source
                yield self._picture
            index += 1

    def _read_frame(self, index: int) -> bool:
        line = self._stream.readline(_MAX_LINE_BYTES)
        if not line:
            return False
        if not line.endswith(b"\n") and (_FRAME.startswith(line) or line.startswith(_FRAME + b" ")):
            raise self._truncated(index, "ends inside its FRAME line")
        if not line.startswith((_FRAME + b"\n", _FRAME + b" ")):
            raise Y4mError(f"{self.name}: frame {index} is damaged: it begins with {_show(line)} instead of FRAME")
        seen, wanted = _read_into(self._stream, self._frame), len(self._frame)
        if seen < wanted:
            raise self._truncated(index, f"{seen} bytes of {wanted}")
        return True

    def _truncated(self, index: int, seen: str) -> Y4mError:
        remedy = f"--limit {index} takes the frames before it" if index else "no frame is whole"
        return Y4mError(f"{self.name}: frame {index} is truncated: {seen}; {remedy}")


class Y4mWriter:
    """Writes pictures as Y4M, 8-bit 4:2:0, to a binary stream."""

    def __init__(self, stream: BinaryIO, width: int, height: int, fps: Fraction) -> None:
        self._stream = stream
        rate = f"{fps.numerator}:{fps.denominator}"
        stream.write(b"%s W%d H%d F%s Ip A1:1 C420jpeg\n" % (MAGIC, width, height, rate.encode()))

    def write(self, picture: Picture) -> None:
        """Append the visible samples of a picture."""
        self._stream.write(_FRAME + b"\n")
        for p in range(3):
            self._stream.write(np.ascontiguousarray(picture.plane(p)).data)


def _read_header(stream: BinaryIO, name: str) -> tuple[int, int, Fraction, bool]:
    line = stream.readline(_MAX_LINE_BYTES)
    if not line:
        raise Y4mError(f"{name}: is empty, a Y4M stream begins with {MAGIC.decode()}")
    words = line[:-1].split(b" ")
    if words[0] != MAGIC:
        raise Y4mError(f"{name}: is not Y4M: begins with {_show(line)} instead of {MAGIC.decode()}; {_CONVERT}")
    if not line.endswith(b"\n"):
        raise Y4mError(f"{name}: bad Y4M header: no line end in the first {len(line)} bytes")
    fields = {word[:1]: word[1:].decode("latin-1") for word in words[1:] if word}
    _require_420(name, fields.get(b"C", "420"))
    width, height = _number(name, fields, b"W", "width"), _number(name, fields, b"H", "height")
    fps = _frame_rate(name, fields.get(b"F"))
    fault = size_fault(width, height) or fps_fault(fps)
    if fault:
        raise Y4mError(f"{name}: {fault}")
    return width, height, fps, _FULL_RANGE in words


def _require_420(name: str, chroma: str) -> None:
    if chroma in _CHROMA_420:
        return
    raise Y4mError(
        f"{name}: {_describe_chroma(chroma)} (C{chroma}) is not supported yet, only 8-bit 4:2:0 (C420) is; {_CONVERT}"
    )


def _describe_chroma(chroma: str) -> str:
    sampling, _, depth = chroma.partition("p")
    names = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4", "411": "4:1:1", "440": "4:4:0", "mono": "monochrome"}
    if chroma == "444alpha":
        return "4:4:4 with alpha"
    if chroma.startswith("mono") and chroma[4:].isdigit():
        return f"{chroma[4:]}-bit monochrome"
    if sampling in names and depth.isdigit():
        return f"{depth}-bit {names[sampling]}"
    return names.get(chroma, "this chroma format")


def _number(name: str, fields: dict[bytes, str], key: bytes, meaning: str) -> int:
    text = fields.get(key)
    if text is None:
        raise Y4mError(f"{name}: bad Y4M header: no {meaning} ({key.decode()})")
    if not (text.isascii() and text.isdigit()):
        raise Y4mError(f"{name}: bad Y4M header: {meaning} is {text!r}, not a number")
    return int(text)


def _frame_rate(name: str, text: str | None) -> Fraction:
    if text is None or text == "0:0":  # 0:0 is the format's own way to say "unknown"
        return DEFAULT_FPS
    numerator, colon, denominator = text.partition(":")
    if not (colon and numerator.isascii() and numerator.isdigit() and denominator.isascii() and denominator.isdigit()):
        raise Y4mError(f"{name}: bad Y4M header: frame rate is {text!r}, not like 30:1")
    if int(denominator) == 0:
        raise Y4mError(f"{name}: bad Y4M header: frame rate is {text!r}, its second term is zero")
    return Fraction(int(numerator), int(denominator))


def _read_into(stream: BinaryIO, buffer: bytearray) -> int:
    """Fill `buffer`; a pipe delivers it in pieces. Returns the bytes read, fewer only at the end of the stream."""
    view, seen = memoryview(buffer), 0
    while seen < len(view):
        count = stream.readinto(view[seen:])  # type: ignore[attr-defined]  # BinaryIO does not declare it
        if not count:
            break
        seen += count
    return seen


def _show(data: bytes) -> str:
    """The first bytes as a message can print them."""
    return repr(data[:12])[1:]
