"""The choice of deblocking levels."""

from collections.abc import Callable

import numpy as np
import pytest

from encoder.compiled import compiled
from encoder.frame import deblock_search, filters
from encoder.frame.deblock_search import _descend, search_loop_filter_levels
from encoder.frame.filters import FilterView
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.spec import BLOCK_8X8, TX_8X8
from tests.frame.whole import deblock_frame

NUMBA = load_kernels("numba").kernels


@pytest.fixture(scope="module")
def functions() -> tuple[Callable[..., int], Callable[..., int]]:
    return compiled(filters, "deblock_plane"), compiled(filters, "squared_error")


def view(picture: Picture, levels: tuple[int, int, int, int]) -> FilterView:
    stride, units = picture.allocated_width // 4, picture.allocated_width * picture.allocated_height // 16
    strengths = {
        f"cdef_{plane}_{kind}_strength": np.zeros(1, np.int64) for plane in ("y", "uv") for kind in ("pri", "sec")
    }
    return FilterView(
        samples=picture.samples,
        origin=np.array(picture.origin),
        stride=np.array(picture.stride),
        width=picture.width,
        height=picture.height,
        mi_rows=2 * ((picture.height + 7) // 8),
        mi_cols=2 * ((picture.width + 7) // 8),
        mi_stride=stride,
        block_size=np.full(units, BLOCK_8X8, np.uint8),
        tx_size=np.full(units, TX_8X8, np.uint8),
        skip=np.zeros(units, np.uint8),
        is_inter=np.zeros(units, np.uint8),
        loop_filter_level=np.array(levels),
        loop_filter_sharpness=0,
        cdef_idx=np.zeros(1, np.int8),
        cdef_damping=3,
        **strengths,
    )


def blocky(width: int, height: int) -> tuple[Picture, Picture]:
    """A slope, and the same with a small step at every edge of the 8x8 grid."""
    rng = np.random.default_rng(3)
    source, coded = Picture.allocate(width, height), Picture.allocate(width, height)
    for p in range(3):
        plane = source.plane(p)
        y, x = np.indices(plane.shape)
        plane[:] = 90 + (x + y) // 4
        side = 4 if p else 8
        steps = rng.integers(-4, 5, (plane.shape[0] // side + 1, plane.shape[1] // side + 1))
        coded.plane(p)[:] = plane + steps.repeat(side, axis=0).repeat(side, axis=1)[: plane.shape[0], : plane.shape[1]]
    source.extend_edges()
    coded.extend_edges()
    return source, coded


def test_the_level_found_is_better_than_the_one_suggested(functions) -> None:
    source, coded = blocky(150, 90)
    before = coded.samples.copy()
    suggested = (3, 3, 1, 1)
    f = view(coded, suggested)
    found = search_loop_filter_levels(*functions, NUMBA, f, source.samples, np.empty_like(coded.samples))
    np.testing.assert_array_equal(coded.samples, before)
    assert found[0] == found[1] > 3
    errors = []
    for levels in (suggested, found):
        coded.samples[:] = before
        deblock_frame(filters, NUMBA, view(coded, levels))
        errors.append([int(((coded.plane(p).astype(int) - source.plane(p)) ** 2).sum()) for p in range(3)])
        assert errors[-1] == [int(functions[1](NUMBA, f, source.samples, p)) for p in range(3)]
    assert all(a > b for a, b in zip(*errors, strict=True))


def test_planes_not_asked_for_keep_their_level(functions) -> None:
    source, coded = blocky(64, 64)
    f = view(coded, (9, 9, 4, 5))
    found = search_loop_filter_levels(*functions, NUMBA, f, source.samples, np.empty_like(coded.samples), planes=(0,))
    assert found[2:] == (4, 5)


def test_a_picture_as_its_source_is_not_deblocked(functions) -> None:
    source, _ = blocky(64, 64)
    source.samples[:] = np.random.default_rng(1).integers(0, 256, source.samples.size)
    f = view(source, (30, 30, 15, 15))
    found = search_loop_filter_levels(*functions, NUMBA, f, source.samples, np.empty_like(source.samples))
    # From some level on nothing is filtered, because these edges are too sharp: any such level leaves no error.
    deblock_frame(filters, NUMBA, view(source, found))
    assert functions[1](NUMBA, f, source.samples.copy(), 0) == 0


@pytest.mark.parametrize("start", [0, 1, 30, 62, 63])
@pytest.mark.parametrize("best", [0, 2, 29, 40, 63])
def test_the_way_down_ends_near_the_lowest_point_and_tries_no_level_twice(start: int, best: int) -> None:
    tried = []

    def error(level: int) -> int:
        tried.append(level)
        return (level - best) ** 2

    assert abs(_descend(error, start) - best) <= deblock_search.STEPS[-1] // 2 + 1
    assert len(tried) == len(set(tried))
    assert all(0 <= level <= 63 for level in tried)
