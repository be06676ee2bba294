"""Rate-distortion optimized quantization: decisions against a plain transcription, costs recomputed from all the levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from encoder import compiled
from encoder.kernels.load import load_kernels
from encoder.spec import DCT_DCT, H_DCT, IDTX, TX_4X4, TX_8X8, TX_16X16, TX_32X32, TX_64X64, V_DCT
from encoder.tables import table
from encoder.tile import cdf, rdoq, symbol
from encoder.tile.block import AC_ROUND, DC_ROUND
from encoder.tile.coefs import (
    EOB_PT,
    EOB_PT_SYMBOLS,
    base_cdf,
    base_context,
    base_eob_cdf,
    coded_size,
    eob_context,
    eob_rate,
    load_magnitudes,
    range_cdf,
    range_context,
    range_rate,
    reach,
    scan_at,
    tx_class,
)
from encoder.tile.state import LEVELS_STRIDE, Tile, tile_memory

PYTHON: Any = load_kernels("python").kernels
PLANES = st.sampled_from((0, 1, 2))
SEEDS = st.integers(0, 2**32 - 1)
TRANSFORMS = [
    *((tx_size, tx_type) for tx_size in (TX_4X4, TX_8X8, TX_16X16) for tx_type in (DCT_DCT, IDTX, V_DCT, H_DCT)),
    *((TX_32X32, DCT_DCT), (TX_32X32, IDTX), (TX_64X64, DCT_DCT)),
]
SMALL = [transform for transform in TRANSFORMS if transform[0] <= TX_8X8]
SAMPLE_ERROR = (64, 64, 64, 16, 4)
"""Squared error of coefficients for one of samples, by transform size."""
NEIGHBOURS = (
    ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0)),
    ((0, 1), (1, 0), (0, 2), (0, 3), (0, 4)),
    ((1, 0), (0, 1), (2, 0), (3, 0), (4, 0)),
)
"""Sig_Ref_Diff_Offset_* by class, rows and columns; the first three are those of coeff_br."""


def new_tile(base_q_idx: int = 120, lambda_factor: float = 1.0, adapted: int | None = None) -> Any:
    """A tile that can tell rates. adapted: seed of random CDFs in place of the defaults."""
    values: dict[str, Any] = {
        name: np.zeros(1, str(kind.dtype)) if isinstance(kind, types.Array) else 0 for name, kind in Tile.FIELDS.items()
    }
    values |= tile_memory(16, 64 * 64)
    values["cdf"] = cdf.default_cdfs(base_q_idx)
    if adapted is not None:
        random = np.random.default_rng(adapted)
        for at, n in cdf.cdf_rows().reshape(-1, 2).tolist():
            shares = random.integers(1, 30, n)
            values["cdf"][at : at + n] = np.cumsum(shares) * 32768 // shares.sum()
    dc_q, ac_q = int(table("dc_qlookup")[0][base_q_idx]), int(table("ac_qlookup")[0][base_q_idx])
    values |= {"dc_q": dc_q, "ac_q": ac_q, "rd_lambda": int(30 * lambda_factor * ac_q**2)}
    t = Tile(**values)
    symbol.update_rates(t)
    return t


@dataclass
class Block:
    """A transform block and its levels."""

    plane: int
    tx_size: int
    tx_type: int
    coefs: np.ndarray
    levels: np.ndarray
    eob: int
    rate: int | None = None  # as optimize_levels gives it

    def optimized(self, t: Any, optimize: Any = rdoq.optimize_levels) -> Block:
        levels = self.levels.copy()
        plane, tx_size, tx_type, eob = map(np.int64, (self.plane, self.tx_size, self.tx_type, self.eob))
        eob, rate = optimize(t, plane, tx_size, tx_type, self.coefs, levels, eob)
        return Block(self.plane, self.tx_size, self.tx_type, self.coefs, levels, int(eob), int(rate))

    def in_scan_order(self, t: Any, values: np.ndarray) -> list[int]:
        at = int(scan_at(self.tx_size, self.tx_type))
        return values[t.scans[at : at + len(values)]].tolist()

    def cost(self, t: Any) -> float:
        """From all the levels: error by the kernels, rate by coefs_rate; in errors of samples."""
        dequantized, count = np.zeros_like(self.coefs), len(self.coefs)
        PYTHON.dequantize(self.levels, dequantized, count, t.dc_q, t.ac_q, shift_of(self.tx_size))
        error = PYTHON.coefficient_error(self.coefs, dequantized, count) / SAMPLE_ERROR[self.tx_size]
        rate = all_zero_rate(t, self.plane, self.tx_size, self.eob == 0)
        if self.eob > 0:
            rate += coefs_rate(t, self)
        return error + lambda_of(t, self.plane) * rate / 2**14 / 2**9


def coefs_rate(t: Any, block: Block) -> int:
    """Rate of what write_coefs would write, from all the levels; signs cost one bit each."""
    plane, tx_size, tx_type, eob = map(np.int64, (block.plane, block.tx_size, block.tx_type, block.eob))
    cls, size = tx_class(tx_type), coded_size(tx_size)
    load_magnitudes(t, block.levels, size, reach(size, cls, eob))
    rate = int(eob_rate(t, plane, tx_size, cls, eob))
    for c in range(block.eob):
        pos = int(t.scans[scan_at(tx_size, tx_type) + c])
        row, col = divmod(pos, int(size))
        base = int(t.base_levels[row * LEVELS_STRIDE + col])
        if c == block.eob - 1:
            rate += int(t.rate[base_eob_cdf(plane, tx_size, eob_context(size, c)) + base - 1])
        else:
            rate += int(t.rate[base_cdf(plane, tx_size, base_context(t, tx_size, cls, row, col)) + base])
        if base == 3:
            level = abs(np.int64(block.levels[pos]))
            rate += int(range_rate(t, range_cdf(plane, tx_size, range_context(t, cls, row, col)), level))
        rate += 512 if base else 0
    return rate


def shift_of(tx_size: int) -> int:
    return max(0, tx_size - 2)


def lambda_of(t: Any, plane: int) -> int:
    return t.rd_lambda * (rdoq.CHROMA_LAMBDA if plane else rdoq.LUMA_LAMBDA) >> 4


def all_zero_rate(t: Any, plane: int, tx_size: int, value: bool) -> int:
    return int(t.rate[cdf.TXB_SKIP + (tx_size * 13 + (8 if plane else 0)) * cdf.BOOL_ROW + value])


def random_block(t: Any, random: np.random.Generator, plane: int, tx_size: int, tx_type: int) -> Block:
    """Coefficients that fall off with the frequency, from hardly any to dense ones, quantized as the encoder does."""
    side = int(coded_size(tx_size))
    fall = 2 ** random.uniform(-2, 5) / side
    spectrum = np.exp(-fall * np.add.outer(np.arange(side), np.arange(side))) * random.choice((0.4, 0.8, 1.5, 4, 20))
    coefs = np.round(random.laplace(0, 1, (side, side)) * spectrum * t.ac_q / 2 ** shift_of(tx_size))
    coefs = np.clip(coefs, -(2**15), 2**15 - 1).astype(np.int32).ravel()
    levels, at = np.zeros(side * side, np.int32), scan_at(tx_size, tx_type)
    shift = shift_of(tx_size)
    eob = PYTHON.quantize(coefs, levels, t.scans, at, side * side, t.dc_q, t.ac_q, shift, DC_ROUND, AC_ROUND)
    return Block(plane, tx_size, tx_type, coefs, levels, int(eob))


def random_blocks(t: Any, seed: int, plane: int, transform: tuple[int, int], count: int) -> list[Block]:
    random = np.random.default_rng(seed)
    blocks = [random_block(t, random, plane, *transform) for _ in range(count)]
    return [block for block in blocks if block.eob > 0]


# The transcription ---------------------------------------------------------------------------------------------------------


class Reference:
    """The decisions for one block, by levels in scan order; contexts as in spec 8.3.2, all rates summed up anew every time."""

    def __init__(self, t: Any, block: Block):
        self.t, self.plane, self.tx_size = t, block.plane, block.tx_size
        self.cls, self.ptype = int(tx_class(block.tx_type)), min(block.plane, 1)
        self.side = int(coded_size(block.tx_size))
        positions = block.in_scan_order(t, np.arange(len(block.coefs)))
        self.places = [divmod(position, self.side) for position in positions]
        self.coefs = [abs(coef) for coef in block.in_scan_order(t, block.coefs)]
        self.levels = [abs(level) for level in block.in_scan_order(t, block.levels)]
        self.end = block.eob

    def symbol_rate(self, first: int, row: int, row_length: int, value: int) -> int:
        return int(self.t.rate[first + row * row_length + value])

    def neighbours(self, c: int, count: int, largest: int) -> int:
        known = {place: min(level, largest) for place, level in zip(self.places, self.levels, strict=True)}
        row, col = self.places[c]
        return sum(known.get((row + down, col + right), 0) for down, right in NEIGHBOURS[self.cls][:count])

    def base_context(self, c: int) -> int:
        row, col = self.places[c]
        magnitude = min((self.neighbours(c, 5, 3) + 1) >> 1, 4)
        if self.cls == 0:
            if row == col == 0:
                return 0
            return magnitude + int(table("coeff_base_ctx_offset")[self.tx_size][min(row, 4)][min(col, 4)])
        return magnitude + (26, 31, 36)[min(col if self.cls == 1 else row, 2)]

    def range_context(self, c: int) -> int:
        row, col = self.places[c]
        magnitude = min((self.neighbours(c, 3, 15) + 1) >> 1, 6)
        if c == 0:
            return magnitude
        near = (row < 2 and col < 2, col == 0, row == 0)[self.cls]
        return magnitude + (7 if near else 14)

    def level_rate(self, c: int) -> int:
        level, table_row = self.levels[c], self.tx_size * 2 + self.ptype
        if c == self.end - 1:
            area = self.side**2
            context = 0 if c == 0 else 1 if c <= area // 8 else 2 if c <= area // 4 else 3
            rate = self.symbol_rate(cdf.COEFF_BASE_EOB, table_row * 4 + context, 4, min(level, 3) - 1)
        else:
            rate = self.symbol_rate(cdf.COEFF_BASE, table_row * 42 + self.base_context(c), 5, min(level, 3))
        if level > 2:
            row = (min(self.tx_size, 3) * 2 + self.ptype) * 21 + self.range_context(c)
            for done in (0, 3, 6, 9):
                rate += self.symbol_rate(cdf.COEFF_BR, row, 5, min(level - 3 - done, 3))
                if level - 3 - done < 3:
                    break
        if level > 14:
            rate += (2 * (level - 14).bit_length() - 1) * 512
        return rate + (512 if level else 0)

    def eob_rate(self) -> int:
        eob_pt = 0 if self.end == 1 else (self.end - 1).bit_length()
        symbols = int(EOB_PT_SYMBOLS[self.tx_size])
        row = self.ptype if self.tx_size >= TX_32X32 else self.ptype * 2 + (self.cls > 0)
        return self.symbol_rate(int(EOB_PT[self.tx_size]), row, symbols + 1, eob_pt) + max(0, eob_pt - 1) * 512

    def error(self, c: int) -> int:
        q = self.t.dc_q if c == 0 else self.t.ac_q
        return (self.coefs[c] - min(self.levels[c] * q >> shift_of(self.tx_size), 2**15 - 1)) ** 2

    def weighed(self, error: int, rate: int) -> int:
        """In 1/512 of the encoder's unit, which rounds down."""
        return (error * 64 // SAMPLE_ERROR[self.tx_size] << 8) * 512 + lambda_of(self.t, self.plane) * rate

    def cost_from(self, c: int) -> int:
        rate = self.eob_rate() + sum(self.level_rate(i) for i in range(c, self.end))
        return self.weighed(sum(self.error(i) for i in range(c, len(self.dropped))), rate)

    def decide(self) -> tuple[list[int], int]:
        """The levels and the eob."""
        self.dropped = self.levels[: self.end]
        for c in reversed(range(self.end)):
            if self.levels[c] > 0:
                self._decide_level(c)
                self._decide_end(c)
        return self._decide_all()

    def _decide_level(self, c: int) -> None:
        level, q = self.levels[c], self.t.dc_q if c == 0 else self.t.ac_q
        is_last = c == self.end - 1
        if is_last if level == 1 else level * q >> shift_of(self.tx_size) <= self.coefs[c]:
            return
        before = self.weighed(self.error(c), self.level_rate(c))
        self.levels[c] = level - 1
        if self.weighed(self.error(c), self.level_rate(c)) >= before:
            self.levels[c] = level

    def _decide_end(self, c: int) -> None:
        if c == self.end - 1:
            return
        kept, end, before = self.levels[:], self.end, self.cost_from(c)
        self.levels[c:] = [max(self.levels[c], 1)] + [0] * (len(self.levels) - c - 1)
        self.end = c + 1
        if (self.cost_from(c) - before) // 512 > 0:
            self.levels, self.end = kept, end

    def _decide_all(self) -> tuple[list[int], int]:
        coded = self.cost_from(0) + self.weighed(0, all_zero_rate(self.t, self.plane, self.tx_size, False))
        nothing = sum(coef**2 for coef in self.coefs[: len(self.dropped)])
        if (self.weighed(nothing, all_zero_rate(self.t, self.plane, self.tx_size, True)) - coded) // 512 <= 0:
            return [0] * len(self.levels), 0
        return self.levels, self.end


@pytest.mark.parametrize("transform", SMALL)
@given(plane=PLANES, seed=SEEDS, q=st.integers(1, 255), factor=st.sampled_from((0.1, 1.0, 3.0)), adapted=st.booleans())
@settings(max_examples=12, deadline=None)
def test_decisions_are_those_of_the_transcription(
    transform: tuple[int, int], plane: int, seed: int, q: int, factor: float, adapted: bool
) -> None:
    t = new_tile(q, factor, seed if adapted else None)
    for block in random_blocks(t, seed, plane, transform, 3):
        result = block.optimized(t)
        levels, eob = Reference(t, block).decide()
        assert (result.in_scan_order(t, abs(result.levels)), result.eob) == (levels, eob)


@pytest.mark.parametrize("transform", [(TX_16X16, DCT_DCT), (TX_32X32, DCT_DCT), (TX_64X64, DCT_DCT)])
def test_decisions_of_large_blocks_are_those_of_the_transcription(transform: tuple[int, int]) -> None:
    t = new_tile()
    blocks = [block for block in random_blocks(t, 5, 0, transform, 60) if block.eob < 60]
    assert len(blocks) > 5
    for block in blocks:
        result = block.optimized(t)
        assert (result.in_scan_order(t, abs(result.levels)), result.eob) == Reference(t, block).decide()


# Properties ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", TRANSFORMS)
@given(plane=PLANES, seed=SEEDS, q=st.sampled_from((1, 40, 120, 200, 255)))
@settings(max_examples=8, deadline=None)
def test_levels_only_fall_and_the_end_of_block_is_theirs(
    transform: tuple[int, int], plane: int, seed: int, q: int
) -> None:
    t = new_tile(q)
    for block in random_blocks(t, seed, plane, transform, 2):
        result = block.optimized(t)
        before, after = abs(block.levels.astype(int)), abs(result.levels.astype(int))
        assert ((after == before) | (after == before - 1) | (after == 0)).all()
        assert (np.sign(result.levels) * np.sign(block.levels) >= 0).all()
        in_order = result.in_scan_order(t, result.levels)
        assert result.eob == max((c + 1 for c, level in enumerate(in_order) if level), default=0) <= block.eob


@pytest.mark.parametrize("transform", TRANSFORMS)
@given(plane=PLANES, seed=SEEDS, q=st.sampled_from((1, 40, 120, 200, 255)))
@settings(max_examples=8, deadline=None)
def test_the_rate_is_that_of_what_is_left(transform: tuple[int, int], plane: int, seed: int, q: int) -> None:
    t = new_tile(q, adapted=seed)
    for block in random_blocks(t, seed, plane, transform, 2):
        result = block.optimized(t)
        assert result.rate == (coefs_rate(t, result) if result.eob else 0)


@pytest.mark.parametrize("plane", [0, 1])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_blocks_cost_less(transform: tuple[int, int], plane: int) -> None:
    """All together by exact costs. Effects on contexts yet to come are left out, so that a dense block may cost a little more."""
    t = new_tile()
    blocks = random_blocks(t, 11, plane, transform, 40 if transform[0] < TX_32X32 else 15)
    costs = [(block.cost(t), block.optimized(t).cost(t)) for block in blocks]
    assert sum(after for _, after in costs) < sum(before for before, _ in costs)
    assert np.mean([after / before for before, after in costs]) < 0.995
    assert all(after < 1.08 * before for before, after in costs)
    assert sum(after > before for before, after in costs) <= 0.25 * len(costs)


@given(plane=PLANES, seed=SEEDS, transform=st.sampled_from(TRANSFORMS))
@settings(max_examples=60, deadline=None)
def test_a_single_coefficient_gets_the_cheapest_level(plane: int, seed: int, transform: tuple[int, int]) -> None:
    t = new_tile(80)
    random = np.random.default_rng(seed)
    block = random_block(t, random, plane, *transform)
    block.coefs[:], block.levels[:] = 0, 0
    block.levels[0] = random.choice((-1, 1)) * random.integers(1, 30)
    block.coefs[0] = round((block.levels[0] + random.uniform(-0.55, 0.45)) * t.dc_q) >> shift_of(block.tx_size)
    block.eob = 1
    candidates = []
    for level in {0, abs(block.levels[0]) - 1, abs(block.levels[0])}:
        levels = block.levels.copy()
        levels[0] = np.sign(levels[0]) * level
        candidate = Block(plane, *transform, block.coefs, levels, int(level > 0))
        candidates.append(candidate.cost(t))
    assert block.optimized(t).cost(t) == pytest.approx(min(candidates), rel=1e-6)


@given(plane=PLANES, seed=SEEDS, transform=st.sampled_from(TRANSFORMS))
@settings(max_examples=20, deadline=None)
def test_what_bits_are_worth_decides(plane: int, seed: int, transform: tuple[int, int]) -> None:
    """Where they are free no error is added; where they are priceless only the rate counts, and few are the cheapest."""
    free, priceless = new_tile(lambda_factor=0), new_tile(lambda_factor=1e5)
    for block in random_blocks(free, seed, plane, transform, 2):
        assert block.optimized(free).cost(free) <= block.cost(free)
        left = block.optimized(priceless)
        assert left.cost(priceless) <= block.cost(priceless)
        assert np.count_nonzero(left.levels) <= 2


def test_the_compiled_twin_decides_the_same_and_leaves_nothing_behind() -> None:
    twin = compiled.compiled(rdoq, "optimize_levels", cached=False)
    once, again = new_tile(), new_tile()
    blocks = [block for transform in TRANSFORMS for block in random_blocks(once, 17, 1, transform, 4)]
    expected = [block.optimized(once) for block in blocks]
    # In another order, by the other world: no state of the tile comes into it.
    for block, result in reversed(list(zip(blocks, expected, strict=True))):
        found = block.optimized(again, twin)
        assert (found.eob, found.rate) == (result.eob, result.rate) and np.array_equal(found.levels, result.levels)
