"""Numbers as bits: the descriptors of headers (spec 4.10), highest bit first."""


class BitWriter:
    """Appends values to a growing string of bits; a method is named and sized as the descriptor it writes.

    Every method raises ValueError for a value that its descriptor cannot hold.
    """

    __slots__ = ("_pending", "_pending_bits", "_whole")

    def __init__(self) -> None:
        self._whole = bytearray()
        self._pending = 0  # the bits behind the last whole byte, fewer than 8
        self._pending_bits = 0

    @property
    def position_bits(self) -> int:
        """How many bits have been written: get_position() of the specification."""
        return 8 * len(self._whole) + self._pending_bits

    def getvalue(self) -> bytes:
        """What has been written. Raises ValueError inside a byte."""
        self._require_aligned("getvalue")
        return bytes(self._whole)

    def f(self, n: int, value: int) -> None:
        """Unsigned, n bits (spec 4.10.2)."""
        _require(0 <= value < 1 << n, f"f({n})", value)
        self._pending = self._pending << n | value
        self._pending_bits += n
        spare = self._pending_bits & 7
        self._whole += (self._pending >> spare).to_bytes(self._pending_bits >> 3)
        self._pending &= (1 << spare) - 1
        self._pending_bits = spare

    def su(self, n: int, value: int) -> None:
        """Signed, n bits with the sign (spec 4.10.6)."""
        half = 1 << (n - 1)
        _require(-half <= value < half, f"su({n})", value)
        self.f(n, value & (2 * half - 1))

    def ns(self, n: int, value: int) -> None:
        """Unsigned, one of n values; the lower ones take a bit less where n is no power of two (spec 4.10.7)."""
        _require(0 <= value < n, f"ns({n})", value)
        w = n.bit_length()
        short = (1 << w) - n
        if value < short:
            self.f(w - 1, value)
        else:
            self.f(w, value + short)

    def uvlc(self, value: int) -> None:
        """Unsigned below 2**32 - 1, the longer the larger (spec 4.10.3)."""
        _require(0 <= value < (1 << 32) - 1, "uvlc()", value)
        leading_zeros = (value + 1).bit_length() - 1
        self.f(2 * leading_zeros + 1, value + 1)

    def le(self, n: int, value: int) -> None:
        """Unsigned, n bytes, lowest byte first, on a byte boundary (spec 4.10.4)."""
        _require(0 <= value < 1 << 8 * n, f"le({n})", value)
        self.append(value.to_bytes(n, "little"))

    def append(self, data: bytes) -> None:
        """Bytes as they are, on a byte boundary."""
        self._require_aligned("append")
        self._whole += data

    def byte_alignment(self) -> None:
        """Zeros up to a whole byte; none if it is whole (spec 5.3.5)."""
        self.f(-self._pending_bits & 7, 0)

    def trailing_bits(self) -> None:
        """A one, then zeros up to a whole byte: the end of an OBU that is no tile data (spec 5.3.4)."""
        self.f(1, 1)
        self.byte_alignment()

    def _require_aligned(self, what: str) -> None:
        if self._pending_bits:
            raise ValueError(f"{what} inside a byte: {self._pending_bits} bits lie behind the last whole one")


def leb128(value: int) -> bytes:
    """Unsigned below 2**32 in as few bytes as it needs, seven bits a byte, lowest first (spec 4.10.5).

    Raises ValueError for a value that does not fit.
    """
    _require(0 <= value < 1 << 32, "leb128()", value)
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _require(fits: bool, descriptor: str, value: int) -> None:
    if not fits:
        raise ValueError(f"{value} does not fit in {descriptor}")
