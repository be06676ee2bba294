"""Pictures: where samples lie, and what lies beyond the visible ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from encoder.picture import Picture

sizes = st.integers(8, 200)


@given(width=sizes, height=sizes, border=st.integers(0, 20))
def test_origin_and_stride_address_the_visible_samples(width: int, height: int, border: int) -> None:
    picture = Picture.allocate(width, height, border)
    picture.samples[:] = np.random.default_rng(0).integers(0, 256, picture.samples.size)
    for p in range(3):
        plane = picture.plane(p)
        assert plane.shape == (picture.plane_height[p], picture.plane_width[p])
        for y, x in (
            (0, 0),
            (plane.shape[0] - 1, 0),
            (0, plane.shape[1] - 1),
            (plane.shape[0] - 1, plane.shape[1] - 1),
        ):
            assert plane[y, x] == picture.samples[picture.origin[p] + y * picture.stride[p] + x]


@given(width=sizes, height=sizes, border=st.integers(0, 20))
def test_planes_do_not_overlap_and_fill_the_samples(width: int, height: int, border: int) -> None:
    picture = Picture.allocate(width, height, border)
    chroma_area = (picture.allocated_width // 2 + 2 * border) * (picture.allocated_height // 2 + 2 * border)
    luma_area = (picture.allocated_width + 2 * border) * (picture.allocated_height + 2 * border)
    assert picture.samples.size == luma_area + 2 * chroma_area
    starts = [picture.origin[p] - border * picture.stride[p] - border for p in range(3)]
    assert starts == [0, luma_area, luma_area + chroma_area]
    assert picture.allocated_width % 64 == 0 and 0 <= picture.allocated_width - width < 64


@given(width=sizes, height=sizes, border=st.integers(0, 8))
def test_extended_edges_repeat_the_last_column_and_row(width: int, height: int, border: int) -> None:
    picture = Picture.allocate(width, height, border)
    for p in range(3):
        plane = picture.plane(p)
        plane[:] = np.random.default_rng(p).integers(1, 256, plane.shape)
    picture.extend_edges()
    for p in range(3):
        right = (picture.allocated_width >> (p > 0)) - picture.plane_width[p]
        below = (picture.allocated_height >> (p > 0)) - picture.plane_height[p]
        rows, stride = picture.plane_height[p] + below, picture.stride[p]
        start = picture.origin[p] - border * stride - border
        whole = picture.samples[start : start + (rows + 2 * border) * stride].reshape(-1, stride)
        expected = np.pad(picture.plane(p), ((0, below), (0, right)), mode="edge")
        np.testing.assert_array_equal(whole, np.pad(expected, border))  # the border itself stays untouched
