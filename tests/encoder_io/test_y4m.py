"""Y4M in and out: what is written is read, what is not 8-bit 4:2:0 Y4M is refused in words that help."""

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.errors import Y4mError
from encoder.picture import Picture
from encoder.y4m import Y4mReader, Y4mWriter

HEADER = b"YUV4MPEG2 W16 H8 F30:1 Ip C420jpeg\n"
FRAME_BYTES = 16 * 8 * 3 // 2


def read(data: bytes, **options: int) -> list[list[np.ndarray]]:
    reader = Y4mReader(io.BytesIO(data), "clip.y4m")
    return [[picture.plane(p).copy() for p in range(3)] for picture in reader.pictures(**options)]


def clip(frames: int, header: bytes = HEADER) -> bytes:
    return header + b"".join(b"FRAME\n" + bytes([index]) * FRAME_BYTES for index in range(frames))


@given(
    width=st.integers(8, 70),
    height=st.integers(8, 70),
    frames=st.integers(0, 3),
    fps=st.fractions(Fraction(1, 1000), 1000, max_denominator=2000),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_written_is_read(width: int, height: int, frames: int, fps: Fraction, seed: int) -> None:
    random = np.random.default_rng(seed)
    written = []
    stream = io.BytesIO()
    writer = Y4mWriter(stream, width, height, fps)
    for _ in range(frames):
        picture = Picture.allocate(width, height, border=int(random.integers(0, 9)))
        picture.samples[:] = random.integers(0, 256, picture.samples.size)
        written.append([picture.plane(p).copy() for p in range(3)])
        writer.write(picture)

    stream.seek(0)
    reader = Y4mReader(stream, "clip.y4m")
    assert (reader.width, reader.height, reader.fps) == (width, height, fps)
    for expected, picture in zip(written, reader.pictures(), strict=True):
        for p in range(3):
            np.testing.assert_array_equal(picture.plane(p), expected[p])


def test_pictures_are_read_into_the_same_buffer() -> None:
    reader = Y4mReader(io.BytesIO(clip(3)), "clip.y4m")
    assert len({id(picture.samples) for picture in reader.pictures()}) == 1


@pytest.mark.parametrize(
    "skip, limit, expected", [(0, None, [0, 1, 2, 3]), (2, None, [2, 3]), (1, 2, [1, 2]), (4, 1, [])]
)
def test_skip_and_limit_choose_frames(skip: int, limit: int | None, expected: list[int]) -> None:
    assert [planes[0][0, 0] for planes in read(clip(4), skip=skip, limit=limit)] == expected


def test_no_more_is_read_than_the_limit_asks_for() -> None:
    stream = io.BytesIO(clip(4))
    assert len(list(Y4mReader(stream, "-").pictures(limit=2))) == 2
    assert stream.tell() == len(clip(2))


class Drip(io.RawIOBase):
    """A pipe that delivers a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        piece = self._data.read(min(7, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_pipe_may_deliver_in_pieces() -> None:
    reader = Y4mReader(io.BufferedReader(Drip(clip(3)), 16), "standard input")
    assert [picture.plane(2)[0, 0] for picture in reader.pictures()] == [0, 1, 2]


@pytest.mark.parametrize("chroma", ["", " C420", " C420jpeg", " C420mpeg2", " C420paldv"])
def test_every_8_bit_420_variant_is_read(chroma: str) -> None:
    header = f"YUV4MPEG2 W16 H8 F30:1 Ip A1:1{chroma} XYSCSS=420\n".encode()
    assert len(read(clip(2, header))) == 2


def test_parameters_after_frame_are_allowed() -> None:
    data = HEADER + b"FRAME Ip XSOMETHING\n" + bytes(FRAME_BYTES) + b"FRAME\n" + bytes([9]) * FRAME_BYTES
    assert [planes[0][0, 0] for planes in read(data)] == [0, 9]


@pytest.mark.parametrize(
    "rate, fps", [("", 25), (" F0:0", 25), (" F30000:1001", Fraction(30000, 1001)), (" F50:2", 25)]
)
def test_frame_rate(rate: str, fps: Fraction) -> None:
    assert Y4mReader(io.BytesIO(f"YUV4MPEG2 W16 H8{rate}\n".encode()), "clip.y4m").fps == fps


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "clip.y4m: is empty, a Y4M stream begins with YUV4MPEG2"),
        (
            b"RIFF....AVI \n",
            "clip.y4m: is not Y4M: begins with 'RIFF....AVI ' instead of YUV4MPEG2; convert with: ffmpeg",
        ),
        (b"YUV4MPEG2000 W16 H8\n", "is not Y4M: begins with 'YUV4MPEG2000'"),
        (b"\x1a\x45\xdf\xa3\x00", "is not Y4M: begins with '\\x1aE\\xdf\\xa3\\x00'"),
        (b"YUV4MPEG2 W16 H8", "bad Y4M header: no line end in the first 16 bytes"),
        (b"YUV4MPEG2 W16 H8 X" + bytes(5000), "bad Y4M header: no line end in the first 1024 bytes"),
        (b"YUV4MPEG2 H8\n", "bad Y4M header: no width (W)"),
        (b"YUV4MPEG2 W16\n", "bad Y4M header: no height (H)"),
        (b"YUV4MPEG2 Wsixteen H8\n", "bad Y4M header: width is 'sixteen', not a number"),
        (b"YUV4MPEG2 W-16 H8\n", "bad Y4M header: width is '-16', not a number"),
        (b"YUV4MPEG2 W16 H8 F30\n", "bad Y4M header: frame rate is '30', not like 30:1"),
        (b"YUV4MPEG2 W16 H8 F30:0\n", "bad Y4M header: frame rate is '30:0', its second term is zero"),
        (b"YUV4MPEG2 W16 H8 F0:1\n", "frame rate 0:1 is out of range"),
        (b"YUV4MPEG2 W16 H8 F99999999999:1\n", "frame rate 99999999999:1 is out of range"),
        (b"YUV4MPEG2 W0 H8\n", "clip.y4m: picture size 0x8 is out of range, accepted: 8x8 to 4096x2304"),
        (b"YUV4MPEG2 W16 H7\n", "picture size 16x7 is out of range"),
        (b"YUV4MPEG2 W4097 H8\n", "picture size 4097x8 is out of range"),
        (b"YUV4MPEG2 W16 H99999999999999999999\n", "picture size 16x99999999999999999999 is out of range"),
        (
            b"YUV4MPEG2 W16 H8 C422\n",
            "clip.y4m: 4:2:2 (C422) is not supported yet, only 8-bit 4:2:0 (C420) is; convert with",
        ),
        (b"YUV4MPEG2 W16 H8 C444\n", "4:4:4 (C444) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 C444alpha\n", "4:4:4 with alpha (C444alpha) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 C411\n", "4:1:1 (C411) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 Cmono\n", "monochrome (Cmono) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 Cmono10\n", "10-bit monochrome (Cmono10) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 C420p10\n", "10-bit 4:2:0 (C420p10) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 C422p12\n", "12-bit 4:2:2 (C422p12) is not supported yet"),
        (b"YUV4MPEG2 W16 H8 Cwhatever\n", "this chroma format (Cwhatever) is not supported yet"),
    ],
)
def test_bad_header_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(Y4mError) as error:
        Y4mReader(io.BytesIO(data), "clip.y4m")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "tail, message",
    [
        (
            b"FRAME\n" + bytes(100),
            "clip.y4m: frame 2 is truncated: 100 bytes of 192; --limit 2 takes the frames before it",
        ),
        (b"FRAME\n", "frame 2 is truncated: 0 bytes of 192"),
        (b"FRA", "frame 2 is truncated: ends inside its FRAME line"),
        (b"FRAME Ip", "frame 2 is truncated: ends inside its FRAME line"),
        (b"FRAMES\n", "frame 2 is damaged: it begins with 'FRAMES\\n' instead of FRAME"),
        (bytes(1000), "frame 2 is damaged: it begins with '\\x00"),
    ],
)
def test_a_frame_that_is_cut_or_damaged_is_refused(tail: bytes, message: str) -> None:
    with pytest.raises(Y4mError) as error:
        read(clip(2) + tail)
    assert message in str(error.value)


def test_a_first_frame_that_is_cut_leaves_nothing_to_take() -> None:
    with pytest.raises(Y4mError, match="frame 0 is truncated: 5 bytes of 192; no frame is whole"):
        read(HEADER + b"FRAME\n" + bytes(5))


@given(st.binary(max_size=400), st.integers(0, 60))
def test_any_damage_is_an_error_of_ours_or_harmless(noise: bytes, at: int) -> None:
    """Whatever the bytes, either pictures come out or a Y4mError: never another exception."""
    data = clip(2)
    try:
        read(data[:at] + noise + data[at + len(noise) :])
    except Y4mError as error:
        assert str(error).startswith("clip.y4m: ")
