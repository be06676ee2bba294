"""Motion search: known motion is found, fields are smooth and near the best there is, all sets find the same."""

import numpy as np
import pytest

from encoder.frame.motion_search import LumaPyramid, Motion, MotionSearch
from encoder.kernels.load import load_kernels
from encoder.picture import REF_BORDER, Picture

NUMBA = load_kernels("numba")
Q = 100


def texture(height: int, width: int, seed: int = 1) -> np.ndarray:
    """Something with structure at all scales, int16."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width))
    for scale in (4, 8, 16, 32, 64):
        coarse = rng.normal(0, scale, (height // scale + 2, width // scale + 2))
        y, x = np.arange(height) / scale, np.arange(width) / scale
        y0, x0 = y.astype(int), x.astype(int)
        fy, fx = (y - y0)[:, None], (x - x0)[None]
        upper = coarse[y0][:, x0] * (1 - fx) + coarse[y0][:, x0 + 1] * fx
        lower = coarse[y0 + 1][:, x0] * (1 - fx) + coarse[y0 + 1][:, x0 + 1] * fx
        total += upper * (1 - fy) + lower * fy
    return np.clip(128 + total, 0, 255).astype(np.int16)


def picture_of(luma: np.ndarray) -> Picture:
    picture = Picture.allocate(luma.shape[1], luma.shape[0], REF_BORDER)
    picture.plane(0)[:] = luma
    return picture


def search(kernels, current: np.ndarray, reference: np.ndarray, predictors: tuple[np.ndarray, ...] = ()) -> Motion:
    height, width = current.shape
    pyramids = [LumaPyramid(kernels.kernels, picture_of(luma)) for luma in (current, reference)]
    return MotionSearch(kernels, width, height).search(*pyramids, Q, predictors)


def vectors(found: Motion) -> np.ndarray:
    """rows x cols x 2, in whole samples."""
    return found.mv.reshape(found.rows, found.cols, 2) // 8


@pytest.mark.parametrize(("row", "col"), [(0, 0), (3, -5), (-17, 40), (64, 1), (-90, 0), (12, 90)])
def test_a_pan_is_found(row: int, col: int) -> None:
    scene = texture(500, 600)
    top, left = 100, 100
    current = scene[top : top + 250, left : left + 350]
    reference = scene[top - row : top - row + 250, left - col : left - col + 350]
    found = search(NUMBA, current, reference)
    # Of blocks that both pictures show in full.
    y, x = 16 * np.mgrid[: found.rows, : found.cols]
    shown = (
        (y + row >= 0)
        & (y + 16 + row <= 250)
        & (x + col >= 0)
        & (x + 16 + col <= 350)
        & (y + 16 <= 250)
        & (x + 16 <= 350)
    )
    assert shown.sum() > 60
    right = (vectors(found)[shown] == (row, col)).all(axis=1)
    assert right.mean() > 0.98
    assert (found.sad.reshape(shown.shape)[shown][right] == 0).all()


def test_motion_beyond_the_window_is_found_through_a_predictor() -> None:
    scene = texture(300, 900)
    current, reference = scene[20:276, 300:700], scene[20:276, 428:828]
    nearer = search(NUMBA, current, scene[20:276, 364:764])
    found = search(NUMBA, current, reference, (nearer.scaled(2, 1),))
    inside = vectors(found)[:, 9:]
    assert ((inside == (0, -128)).all(axis=2)).mean() > 0.95


def test_a_small_object_on_a_background_that_moves_otherwise() -> None:
    scene, thing = texture(300, 400), texture(40, 40, seed=9)
    current, reference = scene[20:276, 20:340].copy(), scene[26:282, 12:332].copy()
    current[96:128, 160:192] = thing[:32, :32]
    reference[106:138, 140:172] = thing[:32, :32]
    field = vectors(search(NUMBA, current, reference))
    assert (field[6:8, 10:12] == (10, -20)).all()
    assert ((field == (-6, 8)).all(axis=2)).mean() > 0.85


def test_stillness_with_noise_stays_still() -> None:
    rng = np.random.default_rng(2)
    scene = texture(128, 192)
    a, b = (np.clip(scene + rng.normal(0, 2, scene.shape), 0, 255).astype(np.int16) for _ in range(2))
    found = search(NUMBA, a, b)
    assert (found.mv == 0).all()
    np.testing.assert_array_equal(found.sad, found.zero_sad)
    assert found.sad[0] == abs(a[:16, :16] - b[:16, :16]).sum()


def test_nearly_as_good_as_looking_everywhere() -> None:
    """A zoom with noise: no vector fits exactly."""
    rng = np.random.default_rng(4)
    scene = texture(300, 400)
    y, x = np.mgrid[:192, :256]
    zoomed = scene[(20 + y * 1.06).astype(int), (20 + x * 1.06).astype(int)]
    current = np.clip(scene[20:212, 20:276] + rng.integers(-3, 4, (192, 256)), 0, 255).astype(np.int16)
    found = search(NUMBA, current, zoomed)
    places = np.lib.stride_tricks.sliding_window_view(np.pad(zoomed, 24, mode="edge"), (16, 16))
    best = 0
    for row in range(0, 192, 16):
        for col in range(0, 256, 16):
            window = places[row : row + 49, col : col + 49]
            best += int(abs(window - current[row : row + 16, col : col + 16]).sum(axis=(2, 3)).min())
    assert int(found.sad.sum()) < 1.06 * best


def test_vectors_stay_where_the_reference_has_samples() -> None:
    rng = np.random.default_rng(6)
    current, reference = (rng.integers(0, 256, (100, 130)).astype(np.int16) for _ in range(2))
    far = np.full(2 * 7 * 9, 16000, np.int16)
    found = search(NUMBA, current, reference, (far, -far))
    y, x = 16 * np.mgrid[: found.rows, : found.cols]
    row, col = vectors(found)[..., 0] + y, vectors(found)[..., 1] + x
    assert (found.rows, found.cols) == (7, 9)
    assert (row >= -REF_BORDER).all() and (row + 16 <= 128 + REF_BORDER).all()
    assert (col >= -REF_BORDER).all() and (col + 16 <= 192 + REF_BORDER).all()


def test_all_sets_find_the_same_motion() -> None:
    rng = np.random.default_rng(7)
    scene = texture(100, 140)
    current = scene[10:60, 20:90]
    reference = np.clip(scene[6:56, 31:101] + rng.integers(-9, 10, (50, 70)), 0, 255).astype(np.int16)
    reference[:, 40:] = rng.integers(0, 256, (50, 30))
    predictor = rng.integers(-90, 90, 2 * 4 * 5).astype(np.int16)
    fields = [search(load_kernels(name), current, reference, (predictor,)) for name in ("python", "numpy", "numba")]
    for name in ("mv", "sad", "zero_sad"):
        for other in fields[1:]:
            np.testing.assert_array_equal(getattr(fields[0], name), getattr(other, name))
    assert fields[0].mv.any()


def test_a_pyramid_has_means_and_extended_edges() -> None:
    luma = texture(50, 70)
    pyramid = LumaPyramid(NUMBA.kernels, picture_of(luma))
    assert pyramid.plane(0).shape == (64, 128) and pyramid.plane(2).shape == (16, 32)
    np.testing.assert_array_equal(pyramid.plane(0)[:50, :70], luma)
    assert (pyramid.plane(0)[50:, :70] == luma[-1]).all() and (pyramid.plane(0)[:50, 70:] == luma[:, -1:]).all()
    half = (luma.reshape(25, 2, 35, 2).sum(axis=(1, 3)) + 2) >> 2
    np.testing.assert_array_equal(pyramid.plane(1)[:25, :35], half)
    first = int(pyramid.origin[1])
    assert (
        pyramid.samples[first - 40] == half[0, 0] and pyramid.samples[first - 40 * int(pyramid.stride[1])] == half[0, 0]
    )


def test_vectors_scale_with_the_distance() -> None:
    found = Motion(1, 2, np.array([8, -8, 24, 800], np.int16), np.zeros(2, np.int32), np.zeros(2, np.int32))
    assert found.scaled(2, 1).tolist() == [16, -16, 48, 1600]
    assert found.scaled(-1, 2).tolist() == [0, 8, -8, -400]
