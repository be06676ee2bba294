"""The choice of CDEF strengths: its errors are those that the filter leaves, and its sets the ones that pay."""

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from encoder.compiled import compiled
from encoder.frame import cdef_costs, filters
from encoder.frame.cdef_search import (
    ALL_STRENGTHS,
    FAST,
    LAMBDA_BITS,
    MEDIUM,
    SET_BITS,
    THOROUGH,
    CdefEffort,
    _pick_sets,
    search_cdef,
)
from encoder.frame.filter_levels import CdefStrengths, sec_strength
from encoder.frame.filters import FilterView, superblock_rows
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.spec import BLOCK_8X8, TX_8X8
from tests.frame.whole import cdef_frame

NUMBA = load_kernels("numba").kernels
SIZES = [(130, 75), (64, 64), (17, 9), (200, 130)]
DAMPING = 4


@pytest.fixture(scope="module")
def costs() -> Callable[..., int]:
    measure = compiled(cdef_costs, "cdef_costs")
    return lambda kernels, f, *arguments: measure(kernels, f, *arguments, 0, superblock_rows(f))


@pytest.fixture(scope="module")
def compiled_filters() -> SimpleNamespace:
    return SimpleNamespace(cdef_rows=compiled(filters, "cdef_rows"))


def pictures(width: int, height: int, seed: int = 1) -> tuple[Picture, Picture]:
    """A source of slanting waves, and the same with noise that is strong in some places and weak in others."""
    rng = np.random.default_rng(seed)
    source, noisy = Picture.allocate(width, height), Picture.allocate(width, height)
    for p in range(3):
        plane = source.plane(p)
        y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
        plane[:] = 128 + 70 * np.sin((x + 2 * y) / 6 + p)
    source.extend_edges()
    for p in range(3):
        y, x = np.mgrid[: source.plane(p).shape[0], : source.plane(p).shape[1]]
        noise = rng.normal(0, 1 + 3 * ((x // 40 + y // 30) % 3))
        noisy.plane(p)[:] = np.clip(source.plane(p) + noise, 0, 255)
    noisy.extend_edges()
    return source, noisy


def view(picture: Picture, strengths: tuple[CdefStrengths, ...], cdef_idx: np.ndarray, skip: np.ndarray) -> FilterView:
    stride, rows = picture.allocated_width // 4, picture.allocated_height // 4
    return FilterView(
        samples=picture.samples,
        origin=np.array(picture.origin),
        stride=np.array(picture.stride),
        width=picture.width,
        height=picture.height,
        mi_rows=2 * ((picture.height + 7) // 8),
        mi_cols=2 * ((picture.width + 7) // 8),
        mi_stride=stride,
        block_size=np.full(rows * stride, BLOCK_8X8, np.uint8),
        tx_size=np.full(rows * stride, TX_8X8, np.uint8),
        skip=skip,
        is_inter=np.zeros(rows * stride, np.uint8),
        loop_filter_level=np.zeros(4, np.int64),
        loop_filter_sharpness=0,
        cdef_idx=cdef_idx,
        cdef_damping=DAMPING,
        cdef_y_pri_strength=np.array([s.y_pri for s in strengths]),
        cdef_y_sec_strength=np.array([sec_strength(s.y_sec) for s in strengths]),
        cdef_uv_pri_strength=np.array([s.uv_pri for s in strengths]),
        cdef_uv_sec_strength=np.array([sec_strength(s.uv_sec) for s in strengths]),
    )


def skips(picture: Picture, share: float, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Skip flags by 8x8 block, and a cdef_idx of 0 or, where a whole 64x64 area is skipped, -1."""
    rows, cols = picture.allocated_height // 8, picture.allocated_width // 8
    skip = (np.random.default_rng(seed).random((rows, cols)) < share).astype(np.uint8)
    if cols > 8:
        skip[:8, 8:16] = 1
    all_skipped = skip.reshape(rows // 8, 8, cols // 8, 8).all(axis=(1, 3))
    return np.where(all_skipped, -1, 0).astype(np.int8).ravel(), skip.repeat(2, axis=0).repeat(2, axis=1).ravel()


def errors(a: Picture, b: Picture) -> list[int]:
    return [int(((a.plane(p).astype(int) - b.plane(p)) ** 2).sum()) for p in range(3)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("strength", [(3, 1), (0, 2), (15, 0), (9, 3)])
def test_costs_are_the_errors_that_the_filter_leaves(
    costs, compiled_filters, width: int, height: int, strength: tuple[int, int]
) -> None:
    """The difference to the unfiltered picture, which is what skipped blocks keep."""
    source, noisy = pictures(width, height)
    cdef_idx, skip = skips(noisy, 0.3)
    pri, sec = strength
    strengths = (CdefStrengths(DAMPING, pri, sec, pri, sec),)
    f = view(noisy, strengths, cdef_idx, skip)
    pairs = np.array([(0, 0), (pri, sec_strength(sec))] * 2).ravel()
    table = np.full((cdef_idx.size, 4), -1)
    costs(NUMBA, f, source.samples, pairs, 2, 1, table.ravel())
    assert (table[cdef_idx < 0] == 0).all()
    before = errors(noisy, source)
    cdef_frame(compiled_filters, NUMBA, f, noisy.samples.copy())
    after = errors(noisy, source)
    assert before != after
    total = table.sum(axis=0)
    assert [total[1] - total[0], total[3] - total[2]] == [after[0] - before[0], sum(after[1:]) - sum(before[1:])]


def test_interpreted_and_compiled_costs_are_the_same(costs) -> None:
    source, noisy = pictures(72, 40)
    cdef_idx, skip = skips(noisy, 0.2)
    f = view(noisy, (CdefStrengths(DAMPING, 0, 0, 0, 0),), cdef_idx, skip)
    pairs = np.array([(0, 0), (5, 1), (2, 4), (7, 0)]).ravel()
    for step in (1, 2, 4):
        tables = np.zeros((2, cdef_idx.size * 4), np.int64)
        costs(NUMBA, f, source.samples, pairs, 2, step, tables[0])
        cdef_costs.cdef_costs(load_kernels("numpy").kernels, f, source.samples, pairs, 2, step, tables[1], 0, 1)
        np.testing.assert_array_equal(*tables)


def test_an_estimate_counts_one_block_in_so_many(costs) -> None:
    source, noisy = pictures(128, 128)
    noisy.samples[:] = source.samples ^ 1
    f = view(noisy, (CdefStrengths(DAMPING, 0, 0, 0, 0),), np.zeros(4, np.int8), np.zeros(32 * 32, np.uint8))
    for step in (1, 2, 4):
        table = np.zeros(4 * 2, np.int64)
        costs(NUMBA, f, source.samples, np.zeros(4, np.int64), 1, step, table)
        assert table.reshape(4, 2).tolist() == [[64 * 64 // step, 2 * 32 * 32 // step]] * 4


@pytest.mark.parametrize("effort", [FAST, MEDIUM, THOROUGH])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_choice_improves_the_picture(costs, compiled_filters, effort: CdefEffort, width: int, height: int) -> None:
    source, noisy = pictures(width, height)
    cdef_idx, skip = skips(noisy, 0.1)
    all_skipped = cdef_idx < 0
    f = view(noisy, (CdefStrengths(DAMPING, 0, 0, 0, 0),), cdef_idx, skip)
    strengths = search_cdef(costs, NUMBA, f, source.samples, effort, base_q_idx=120, rd_lambda=100)
    assert len(strengths) in (1, 2, 4, 8) and len(strengths) <= effort.max_sets
    assert {s.damping for s in strengths} == {DAMPING}
    np.testing.assert_array_equal(cdef_idx < 0, all_skipped)
    assert cdef_idx.max() < len(strengths)
    before = sum(errors(noisy, source))
    cdef_frame(compiled_filters, NUMBA, view(noisy, strengths, cdef_idx, skip), noisy.samples.copy())
    assert sum(errors(noisy, source)) < 0.95 * before


def test_a_picture_as_its_source_is_not_filtered(costs) -> None:
    source, _ = pictures(130, 75)
    cdef_idx, skip = skips(source, 0.1)
    f = view(source, (CdefStrengths(DAMPING, 0, 0, 0, 0),), cdef_idx, skip)
    (strengths,) = search_cdef(costs, NUMBA, f, source.samples, FAST, base_q_idx=200, rd_lambda=1000)
    assert strengths.is_off and cdef_idx.max() == 0


def test_nothing_to_choose_where_all_is_skipped(costs) -> None:
    source, noisy = pictures(64, 64)
    f = view(noisy, (CdefStrengths(DAMPING, 0, 0, 0, 0),), np.full(1, -1, np.int8), np.ones(256, np.uint8))
    assert search_cdef(costs, NUMBA, f, source.samples, FAST, 100, 100) == (CdefStrengths(DAMPING, 0, 0, 0, 0),)
    assert f.cdef_idx.tolist() == [-1]


def test_all_strengths_tried_are_what_the_syntax_has() -> None:
    assert len(set(ALL_STRENGTHS)) == 64


def cost_of(sets: list[tuple[int, int]], y: np.ndarray, uv: np.ndarray, rd_lambda: int) -> int:
    error = np.min([y[:, a] + uv[:, b] for a, b in sets], axis=0).sum()
    bits = (len(sets) - 1).bit_length() * len(y) + len(sets) * SET_BITS
    return (int(error) << LAMBDA_BITS) + rd_lambda * bits


@pytest.mark.parametrize("seed", range(5))
def test_sets_are_hardly_worse_than_the_best_of_all(seed: int) -> None:
    """Against every single set and every pair of sets."""
    rng = np.random.default_rng(seed)
    y, uv = rng.integers(100, 1000, (12, 3)), rng.integers(50, 300, (12, 2))
    for rd_lambda in (0, 1 << 17, 1 << 20):
        picked = _pick_sets(y, uv, 2, rd_lambda)
        pairs = list(itertools.product(range(3), range(2)))
        least = min(cost_of(list(sets), y, uv, rd_lambda) for n in (1, 2) for sets in itertools.combinations(pairs, n))
        assert least <= cost_of(picked, y, uv, rd_lambda) <= 1.1 * least


def test_bits_have_a_price() -> None:
    """Areas that want different strengths get them unless lambda forbids it."""
    y, uv = np.array([[0, 100], [100, 0], [0, 100], [100, 0]]), np.zeros((4, 1), np.int64)
    assert len(_pick_sets(y, uv, 8, 0)) == 2
    assert len(_pick_sets(y, uv, 8, 100 << LAMBDA_BITS)) == 1
