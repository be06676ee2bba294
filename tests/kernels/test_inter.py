"""The inter prediction kernels: they give what the specification's formulas give, at the edges too."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.kernels.cases.fills import place
from encoder.kernels.cases.inter import BEFORE, BEHIND, HIGHEST_PREP, LOWEST_PREP, extreme_picture
from encoder.kernels.load import load_kernels
from encoder.kernels.table import SLOTS, Kernels
from encoder.tables import table

SETS = ("python", "numpy", "numba", "simd")
PYTHON = load_kernels("python").kernels
SUBPEL_FILTERS = table("subpel_filters")
BORDER = 24
"""Samples around the pictures of these tests."""


@pytest.fixture(scope="module", params=SETS)
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return load_kernels(request.param).kernels


def specified_prediction(
    ref: np.ndarray, x: int, y: int, w: int, h: int, filter_x: int, filter_y: int, is_compound: int
) -> np.ndarray:
    """`pred` of the block inter prediction process, line by line (spec 7.11.3.4, rounding variables of 7.11.3.2).

    ref: a picture, height x width; x, y in units of 1/1024 of a sample; no scaling.
    """

    def clip3(low: int, high: int, value: int) -> int:
        return low if value < low else high if value > high else value

    def round2(value: int, n: int) -> int:
        return (value + 2 ** (n - 1)) // 2**n

    inter_round0, inter_round1 = 3, 7 if is_compound else 11
    last_y, last_x = ref.shape[0] - 1, ref.shape[1] - 1
    x_step = y_step = 1024
    intermediate_height = (((h - 1) * y_step + (1 << 10) - 1) >> 10) + 8
    samples, filters = ref.tolist(), SUBPEL_FILTERS.tolist()
    intermediate = [[0] * w for _ in range(intermediate_height)]
    for r in range(intermediate_height):
        for c in range(w):
            s = 0
            p = x + x_step * c
            for t in range(8):
                row = samples[clip3(0, last_y, (y >> 10) + r - 3)]
                s += filters[filter_x][(p >> 6) & 15][t] * row[clip3(0, last_x, (p >> 10) + t - 3)]
            intermediate[r][c] = round2(s, inter_round0)
    pred = np.zeros((h, w), np.int64)
    for r in range(h):
        for c in range(w):
            s = 0
            p = (y & 1023) + y_step * r
            for t in range(8):
                s += filters[filter_y][(p >> 6) & 15][t] * intermediate[(p >> 10) + t][c]
            pred[r, c] = round2(s, inter_round1)
    return pred


def extended(kernels: Kernels, picture: np.ndarray) -> tuple[np.ndarray, int, int]:
    """A picture with BORDER samples of its edge on every side: samples, index of its first one, stride."""
    h, w = picture.shape
    stride = w + 2 * BORDER + 5
    samples = np.random.default_rng(0).integers(0, 256, (h + 2 * BORDER) * stride, dtype=np.uint8)
    at = BORDER * stride + BORDER
    samples[at : at + h * stride].reshape(h, stride)[:, :w] = picture
    kernels.extend_edges(samples, at, stride, w, h, BORDER, BORDER, BORDER, BORDER)
    return samples, at, stride


def assert_predicted(
    kernels: Kernels, picture: np.ndarray, x: int, y: int, w: int, h: int, rows: tuple[int, int]
) -> None:
    """Both kinds of prediction, at a place in sixteenths of a sample, are the specified ones; nothing else is written."""
    samples, at, stride = extended(kernels, picture)
    arguments = (samples, at + (y >> 4) * stride + (x >> 4), stride, w, h, *rows, x & 15, y & 15)

    dst = place(np.random.default_rng(1), w, h)
    wanted = dst.samples.copy()
    pred = specified_prediction(picture, x << 6, y << 6, w, h, *rows, 0).clip(0, 255)
    wanted[dst.at : dst.at + h * dst.stride].reshape(h, dst.stride)[:, :w] = pred
    kernels.mc_put(dst.samples, dst.at, dst.stride, *arguments)
    np.testing.assert_array_equal(dst.samples, wanted)

    out = np.full(w * h + 8, -30000, np.int16)
    pred = specified_prediction(picture, x << 6, y << 6, w, h, *rows, 1)
    kernels.mc_prep(out, *arguments)
    np.testing.assert_array_equal(out[: w * h].reshape(h, w), pred)
    assert (out[w * h :] == -30000).all()


SIDES = st.sampled_from([2, 4, 8, 16])
FRACS = st.sampled_from([0, *range(16)])


@pytest.mark.parametrize("set_name", SETS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), w=SIDES, h=SIDES, rows=st.tuples(*[st.integers(0, 5)] * 2))
def test_predictions_are_the_specified_ones(
    set_name: str, data: st.DataObject, w: int, h: int, rows: tuple[int, int]
) -> None:
    """Anywhere in the picture and around it, as far as the border reaches."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    picture_h, picture_w = shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)), "height, width")
    picture = rng.integers(0, 256, shape, dtype=np.uint8)
    if data.draw(st.booleans(), "extreme"):
        picture = np.where(picture < 128, 0, 255).astype(np.uint8)
    x = data.draw(st.integers(BEFORE - BORDER, picture_w + BORDER - BEHIND - w), "x")
    y = data.draw(st.integers(BEFORE - BORDER, picture_h + BORDER - BEHIND - h), "y")
    frac_x, frac_y = data.draw(st.tuples(FRACS, FRACS), "fractions")
    assert_predicted(load_kernels(set_name).kernels, picture, 16 * x + frac_x, 16 * y + frac_y, w, h, rows)


@pytest.mark.parametrize(("frac_x", "frac_y"), [(0, 0), (3, 0), (0, 14), (7, 9)])
@pytest.mark.parametrize(("w", "h"), [(32, 32), (64, 16), (16, 64), (64, 64)])
def test_large_predictions_are_the_specified_ones(kernels: Kernels, w: int, h: int, frac_x: int, frac_y: int) -> None:
    picture = np.random.default_rng(w + h).choice(np.array([0, 255, 255, 99], np.uint8), (h, w))
    assert_predicted(kernels, picture, 16 * 5 + frac_x, 16 * -7 + frac_y, w, h, (2, 0))


@pytest.mark.parametrize("filter_row", range(6))
def test_every_filter_at_every_fraction(kernels: Kernels, filter_row: int) -> None:
    """On the picture that drives it as far as it goes."""
    for frac in range(16):
        taps = SUBPEL_FILTERS[filter_row, frac]
        for sign in (1, -1):
            picture = extreme_picture(4, 4, taps, taps, sign)
            at = 16 * BEFORE + frac
            assert_predicted(kernels, picture, at, at, 4, 4, (filter_row, filter_row))


def test_what_the_contract_says_of_compound_predictions_is_their_range(kernels: Kernels) -> None:
    """The extremes of all filters in both directions, reached by the sharp one half a sample away."""
    values = []
    for (row_x, row_y), sign in itertools.product(itertools.product(range(6), repeat=2), (1, -1)):
        for frac_x, frac_y in ((8, 8), (8, 7), (1, 8)):
            picture = extreme_picture(8, 2, SUBPEL_FILTERS[row_x, frac_x], SUBPEL_FILTERS[row_y, frac_y], sign)
            out, stride = np.zeros(16, np.int16), picture.shape[1]
            at = BEFORE * stride + BEFORE
            kernels.mc_prep(out, picture.ravel(), at, stride, 8, 2, row_x, row_y, frac_x, frac_y)
            values += [out.min(), out.max()]
    assert (min(values), max(values)) == (LOWEST_PREP, HIGHEST_PREP)
    assert f"{LOWEST_PREP}..{HIGHEST_PREP}" in SLOTS["mc_prep"].contract


def test_the_range_of_compound_predictions_is_what_the_taps_allow() -> None:
    """By the sums of positive and of negative taps, with the rounding that never leaves it."""
    positive = SUBPEL_FILTERS.clip(min=0).sum(axis=2).max()
    negative = -SUBPEL_FILTERS.clip(max=0).sum(axis=2).min()
    high, low = (positive * 255 + 4) >> 3, (-negative * 255 + 4) >> 3
    assert (positive * high - negative * low + 64) >> 7 == HIGHEST_PREP
    assert (positive * low - negative * high + 64) >> 7 == LOWEST_PREP


def test_what_fast_bodies_rely_on_holds_for_all_taps() -> None:
    """Even, eight of them make 128, and halves of them times samples make 16 bits at most."""
    assert (SUBPEL_FILTERS % 2 == 0).all()
    assert (SUBPEL_FILTERS.sum(axis=2) == 128).all()
    assert abs(SUBPEL_FILTERS // 2).sum(axis=2).max() * 255 + 34 < 2**15
    np.testing.assert_array_equal(SUBPEL_FILTERS[:, 0], np.tile([0, 0, 0, 128, 0, 0, 0, 0], (6, 1)))


@pytest.mark.parametrize("size", [2, 4, 8, 16, 32, 64])
def test_fraction_0_is_a_copy_that_reads_the_block_alone(kernels: Kernels, size: int) -> None:
    """The block is all of the array: whatever lies outside raises in the interpreted sets."""
    block = np.random.default_rng(size).integers(0, 256, size * size, dtype=np.uint8)
    dst, out = np.zeros_like(block), np.zeros(size * size, np.int16)
    kernels.mc_put(dst, 0, size, block, 0, size, size, size, 2, 5, 0, 0)
    kernels.mc_prep(out, block, 0, size, size, size, 2, 5, 0, 0)
    np.testing.assert_array_equal(dst, block)
    np.testing.assert_array_equal(out, block.astype(np.int16) * 16)


@pytest.mark.parametrize(("frac_x", "frac_y"), [(8, 0), (0, 8), (8, 8)])
def test_a_filter_reads_3_samples_before_and_4_behind(kernels: Kernels, frac_x: int, frac_y: int) -> None:
    """The readable margin is all of the array, and the sharp filter feels its first and its last sample."""
    left, right = (BEFORE, BEHIND) if frac_x else (0, 0)
    above, below = (BEFORE, BEHIND) if frac_y else (0, 0)
    stride = left + 8 + right
    count = (above + 8 + below) * stride
    for bright, corner in ((0, 0), (count - 1, 63)):
        samples, out = np.zeros(count, np.uint8), np.zeros(64, np.int16)
        samples[bright] = 255
        kernels.mc_prep(out, samples, above * stride + left, stride, 8, 8, 2, 2, frac_x, frac_y)
        assert np.flatnonzero(out).tolist() == [corner]


@pytest.mark.parametrize("value", [0, 129, 255])
def test_flat_stays_flat(kernels: Kernels, value: int) -> None:
    flat = np.full(24 * 24, value, np.uint8)
    for filter_row, frac_x, frac_y in itertools.product(range(6), (0, 1, 8, 15), (0, 1, 8, 15)):
        dst, out = np.zeros(64, np.uint8), np.zeros(64, np.int16)
        arguments = (flat, 8 * 24 + 8, 24, 8, 8, filter_row, filter_row, frac_x, frac_y)
        kernels.mc_put(dst, 0, 8, *arguments)
        kernels.mc_prep(out, *arguments)
        assert (dst == value).all() and (out == 16 * value).all()


@pytest.mark.parametrize(("w", "h"), [(2, 2), (4, 8), (16, 4), (64, 64)])
def test_average_is_the_rounded_mean_clipped(kernels: Kernels, w: int, h: int) -> None:
    rng = np.random.default_rng(w)
    a, b = rng.integers(LOWEST_PREP, HIGHEST_PREP + 1, (2, w * h), dtype=np.int16)
    a[:2] = b[:2] = (LOWEST_PREP, HIGHEST_PREP)
    dst = place(rng, w, h)
    kernels.average(dst.samples, dst.at, dst.stride, a, b, w, h)
    exact = np.floor((a.astype(float) + b) / 32 + 0.5).clip(0, 255)
    np.testing.assert_array_equal(dst.block, exact.reshape(h, w))


def test_the_average_of_a_prediction_and_itself_is_the_single_prediction(kernels: Kernels) -> None:
    """But for rounding twice."""
    picture = np.random.default_rng(2).integers(0, 256, 40 * 40, dtype=np.uint8)
    for frac_x, frac_y in itertools.product((0, 5, 12), repeat=2):
        arguments = (picture, 10 * 40 + 10, 40, 16, 16, 0, 2, frac_x, frac_y)
        prep, single, mean = np.zeros(256, np.int16), np.zeros(256, np.uint8), np.zeros(256, np.uint8)
        kernels.mc_put(single, 0, 16, *arguments)
        kernels.mc_prep(prep, *arguments)
        kernels.average(mean, 0, 16, prep, prep, 16, 16)
        assert abs(single.astype(int) - mean).max() <= 1


@pytest.mark.parametrize("set_name", SETS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    w=st.integers(1, 70),
    h=st.integers(1, 20),
    borders=st.tuples(*[st.integers(0, 30)] * 4),
    gap=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_edges_are_extended(
    set_name: str, w: int, h: int, borders: tuple[int, int, int, int], gap: int, seed: int
) -> None:
    """As numpy's pad does it; what lies between the rows, before and behind stays."""
    left, right, top, bottom = borders
    stride, rows = left + w + right + gap, top + h + bottom
    samples = np.random.default_rng(seed).integers(0, 256, 7 + rows * stride + 7, dtype=np.uint8)
    wanted = samples.copy()
    whole = wanted[7:-7].reshape(rows, stride)[:, : left + w + right]
    whole[:] = np.pad(whole[top : top + h, left : left + w], ((top, bottom), (left, right)), mode="edge")
    load_kernels(set_name).kernels.extend_edges(
        samples, 7 + top * stride + left, stride, w, h, left, right, top, bottom
    )
    np.testing.assert_array_equal(samples, wanted)
