"""The bit writer against bits worked out by hand, and against a reader transcribed from spec 4.10."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.bits import BitWriter, leb128


class BitReader:
    """The descriptors of spec 4.10 as they are parsed."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    def f(self, n: int) -> int:
        x = 0
        for _ in range(n):
            x = 2 * x + (self.data[self.position >> 3] >> (7 - (self.position & 7)) & 1)
            self.position += 1
        return x

    def su(self, n: int) -> int:
        value = self.f(n)
        sign_mask = 1 << (n - 1)
        return value - 2 * sign_mask if value & sign_mask else value

    def ns(self, n: int) -> int:
        w = 0
        while n >> w:
            w += 1
        m = (1 << w) - n
        v = self.f(w - 1)
        return v if v < m else (v << 1) - m + self.f(1)

    def uvlc(self) -> int:
        leading_zeros = 0
        while not self.f(1):
            leading_zeros += 1
        return self.f(leading_zeros) + (1 << leading_zeros) - 1

    def le(self, n: int) -> int:
        return sum(self.f(8) << 8 * i for i in range(n))

    def leb128(self) -> int:
        value = 0
        for i in range(8):
            byte = self.f(8)
            value |= (byte & 0x7F) << 7 * i
            if not byte & 0x80:
                return value
        raise AssertionError("more than eight bytes")


def bits(*writes: tuple) -> str:
    """The bits of (descriptor, arguments...) one after the other."""
    w = BitWriter()
    for name, *arguments in writes:
        getattr(w, name)(*arguments)
    length = w.position_bits
    w.byte_alignment()
    return "".join(f"{byte:08b}" for byte in w.getvalue())[:length]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (("f", 0, 0), ""),
        (("f", 1, True), "1"),
        (("f", 5, 6), "00110"),
        (("f", 12, 0xABC), "101010111100"),
        (("f", 32, 2**32 - 2), "1" * 31 + "0"),
        (("su", 7, 0), "0000000"),
        (("su", 7, 63), "0111111"),
        (("su", 7, -1), "1111111"),
        (("su", 7, -64), "1000000"),
        (("ns", 5, 0), "00"),  # the table of spec 4.10.7
        (("ns", 5, 1), "01"),
        (("ns", 5, 2), "10"),
        (("ns", 5, 3), "110"),
        (("ns", 5, 4), "111"),
        (("ns", 1, 0), ""),
        (("ns", 4, 3), "11"),
        (("uvlc", 0), "1"),
        (("uvlc", 1), "010"),
        (("uvlc", 2), "011"),
        (("uvlc", 3), "00100"),
        (("uvlc", 2**32 - 2), "0" * 31 + "1" * 32),
        (("le", 1, 7), "00000111"),
        (("le", 3, 0x010203), "000000110000001000000001"),
        (("append", b"\x80\x01"), "1000000000000001"),
        (("byte_alignment",), ""),
        (("trailing_bits",), "10000000"),
    ],
)
def test_writes_the_bits_of_the_descriptor(write, expected):
    """Values on both ends of every descriptor."""
    assert bits(write) == expected


def test_alignment_and_trailing_bits_fill_the_byte():
    """Zeros after five bits; a one and zeros after five bits; a whole byte of trailing bits after eight."""
    assert bits(("f", 5, 31), ("byte_alignment",)) == "11111000"
    assert bits(("f", 5, 31), ("trailing_bits",)) == "11111100"
    assert bits(("f", 8, 255), ("trailing_bits",)) == "1111111110000000"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (2**14 - 1, "ff7f"),
        (2**14, "808001"),
        (2**32 - 1, "ffffffff0f"),
    ],
)
def test_leb128_is_minimal_and_little_endian(value, expected):
    """Both sides of each length."""
    assert leb128(value).hex() == expected


SIZED = st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 256**n - 1)))
WRITES = st.one_of(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just("f"), st.just(n), st.integers(0, 2**n - 1))),
    st.integers(0, 20).flatmap(lambda n: st.tuples(st.just("su"), st.just(n + 1), st.integers(-(2**n), 2**n - 1))),
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.just("ns"), st.just(n), st.integers(0, n - 1))),
    st.tuples(st.just("uvlc"), st.integers(0, 2**32 - 2)),
)


@given(st.lists(WRITES, max_size=30))
def test_reader_gets_back_what_was_written(writes):
    """Any sequence of descriptors, at any bit offset, and not a bit more or less."""
    w = BitWriter()
    for name, *arguments in writes:
        getattr(w, name)(*arguments)
    length = w.position_bits
    w.trailing_bits()
    reader = BitReader(w.getvalue())
    for name, *sizes, value in writes:
        assert getattr(reader, name)(*sizes) == value
    assert reader.position == length


@given(SIZED, st.integers(0, 2**32 - 1))
def test_reader_gets_back_bytes(sized, value):
    """le(n) and leb128()."""
    n, number = sized
    w = BitWriter()
    w.le(n, number)
    w.append(leb128(value))
    reader = BitReader(w.getvalue())
    assert (reader.le(n), reader.leb128()) == (number, value)
    assert reader.position == w.position_bits


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("f", (3, 8)),
        ("f", (3, -1)),
        ("f", (0, 1)),
        ("su", (7, 64)),
        ("su", (7, -65)),
        ("ns", (5, 5)),
        ("ns", (5, -1)),
        ("uvlc", (2**32 - 1,)),
        ("le", (1, 256)),
    ],
)
def test_refuses_a_value_that_does_not_fit(name, arguments):
    """And writes nothing of it."""
    w = BitWriter()
    with pytest.raises(ValueError, match="does not fit"):
        getattr(w, name)(*arguments)
    assert w.position_bits == 0


def test_refuses_bytes_inside_a_byte():
    """append, le and getvalue need a byte boundary."""
    w = BitWriter()
    w.f(3, 5)
    for call in (lambda: w.append(b"x"), lambda: w.le(1, 0), w.getvalue):
        with pytest.raises(ValueError, match="inside a byte"):
            call()


@pytest.mark.parametrize("value", [-1, 2**32])
def test_leb128_refuses_a_value_that_does_not_fit(value):
    """The specification allows 32 bits."""
    with pytest.raises(ValueError, match="does not fit"):
        leb128(value)
