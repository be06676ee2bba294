"""The symbol coder against a decoder transcribed from the specification (8.2)."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.tile import symbol
from encoder.tile.cdf import cdf_rows, default_cdfs


class Decoder:
    """init_symbol, read_symbol, read_bool and exit_symbol of spec 8.2, bit by bit."""

    def __init__(self, data: bytes):
        self._bits = [byte >> (7 - i) & 1 for byte in data for i in range(8)]
        self._at = 0
        count = min(len(self._bits), 15)
        self._value = ((1 << 15) - 1) ^ (self._read(count) << (15 - count))
        self._range = 1 << 15
        self._max_bits = len(self._bits) - 15

    def _read(self, count: int) -> int:
        value = 0
        for bit in self._bits[self._at : self._at + count]:
            value = value << 1 | bit
        self._at += count
        return value

    def symbol(self, cdf: list[int], adapt: bool = True) -> int:
        n = len(cdf) - 1
        cur, index = self._range, -1
        while True:
            index += 1
            previous = cur
            inverse = (1 << 15) - cdf[index]
            cur = (((self._range >> 8) * (inverse >> 6)) >> 1) + 4 * (n - index - 1)
            if self._value >= cur:
                break
        self._range = previous - cur
        self._value -= cur
        bits = 15 - (self._range.bit_length() - 1)
        self._range <<= bits
        count = min(bits, max(0, self._max_bits))
        self._value = (self._read(count) << (bits - count)) ^ (((self._value + 1) << bits) - 1)
        self._max_bits -= bits
        if adapt:
            rate = 3 + (cdf[n] > 15) + (cdf[n] > 31) + min(n.bit_length() - 1, 2)
            for i in range(n - 1):
                target = 1 << 15 if i >= index else 0
                step = abs(target - cdf[i]) >> rate
                cdf[i] += step if target > cdf[i] else -step
            cdf[n] += cdf[n] < 32
        return index

    def literal(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.symbol([1 << 14, 1 << 15, 0], adapt=False)
        return value

    def exit(self) -> None:
        """The conformance rules of exit_symbol: a one, then zeros up to the end of the last byte."""
        assert self._max_bits >= -14
        trailing = self._at - min(15, self._max_bits + 15)
        assert self._bits[trailing] == 1
        assert not any(self._bits[trailing + 1 :])


def coder(cdfs: np.ndarray, room: int = 1 << 16) -> SimpleNamespace:
    """The part of a tile that the symbol coder uses."""
    t = SimpleNamespace(
        coder=np.zeros(symbol.CODER_WORDS, np.int64), out=np.zeros(room, np.uint16), cdf=cdfs, disable_cdf_update=0,
        tokens=np.zeros(room, np.int64), class_bits=np.zeros(len(symbol.SYNTAX_CLASSES), np.int64),
        rate_of_probability=symbol.rate_of_probability(),
    )  # fmt: skip
    symbol.start_symbols(t)
    return t


def written(t: SimpleNamespace) -> bytes:
    symbol.code_tokens(t, 0, int(t.coder[symbol.TOKENS]))
    size = symbol.finish_symbols(t)
    return t.out[:size].astype(np.uint8).tobytes()


CDFS = default_cdfs(100)
ROWS = cdf_rows().reshape(-1, 2).tolist()
CALLS = st.lists(st.tuples(st.integers(0, len(ROWS) - 1), st.integers(0, 15)) | st.integers(0, 255), max_size=300)


@given(CALLS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_what_the_specification_reads(calls: list, fixed: bool) -> None:
    t = coder(CDFS.copy())
    t.disable_cdf_update = int(fixed)
    for call in calls:
        if isinstance(call, int):
            symbol.write_literal(t, call, 8)
        else:
            at, n = ROWS[call[0]]
            symbol.write_symbol(t, at, n, min(call[1], n - 1))
    decoder = Decoder(written(t))
    adapted = CDFS.astype(int).tolist()
    for call in calls:
        if isinstance(call, int):
            assert decoder.literal(8) == call
        else:
            at, n = ROWS[call[0]]
            row = adapted[at : at + n + 1]
            assert decoder.symbol(row, adapt=not fixed) == min(call[1], n - 1)
            adapted[at : at + n + 1] = row
    decoder.exit()
    assert t.cdf.tolist() == adapted


@given(st.integers(1, (1 << 20) - 1))
@settings(deadline=None)
def test_golomb_codes_are_read_back(value: int) -> None:
    t = coder(CDFS.copy())
    symbol.write_golomb(t, value)
    decoder = Decoder(written(t))
    length = 1
    while not decoder.literal(1):
        length += 1
    assert 1 << (length - 1) | decoder.literal(length - 1) == value


def test_tokens_beyond_the_room_are_counted_and_not_written() -> None:
    t = coder(CDFS.copy(), room=8)
    for _ in range(1000):
        symbol.write_literal(t, 0xA5, 8)
    assert t.coder[symbol.TOKENS] == 8000
    assert t.tokens.size == 8


def test_an_impossible_symbol_is_no_marker() -> None:
    t = coder(CDFS.copy())
    symbol.write_unadapted_bool(t, 32768, 1)  # what forced splits come to where all partitions but one have died out
    assert not symbol.is_marker(int(t.tokens[0]))
    assert Decoder(written(t)).symbol([32768, 32768, 0], adapt=False) == 1


def test_a_token_takes_15_bits_at_most() -> None:
    t = coder(CDFS.copy(), room=4096)
    for _ in range(1000):
        symbol.write_unadapted_bool(t, 32768 - 4, 1)
    assert len(written(t)) <= 2 * 1000


def test_rates_are_minus_log2_of_the_probability() -> None:
    rates = symbol.rate_of_probability()
    assert rates[1024] == 0 and rates[512] == 512 and rates[1] == 5120
    exact = -512 * np.log2(np.arange(1, 1025) / 1024)
    assert np.abs(rates[1:] - exact).max() <= 1
