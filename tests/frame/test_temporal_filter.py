"""Temporal filter: noise goes, what moves and what appears stays as it is, all sets filter alike."""

from dataclasses import dataclass

import numpy as np
import pytest

from encoder.frame.crew import Crew
from encoder.frame.motion_search import LumaPyramid
from encoder.frame.temporal_blocks import OWN_WEIGHT
from encoder.frame.temporal_filter import MAX_NEIGHBOURS, MAX_NOISE, TemporalFilter
from encoder.kernels.load import KernelSet, load_kernels
from encoder.picture import REF_BORDER, Picture

NUMBA = load_kernels("numba")
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Source:
    """A picture of the lookahead."""

    display_index: int
    picture: Picture
    pyramid: LumaPyramid


def source(kernels: KernelSet, index: int, planes: Planes) -> Source:
    height, width = planes[0].shape
    picture = Picture.allocate(width, height, REF_BORDER)
    for p, plane in enumerate(planes):
        picture.plane(p)[:] = plane
        subsampling = 1 if p else 0
        right = (picture.allocated_width >> subsampling) - plane.shape[1] + REF_BORDER
        bottom = (picture.allocated_height >> subsampling) - plane.shape[0] + REF_BORDER
        kernels.kernels.extend_edges(
            picture.samples,
            picture.origin[p],
            picture.stride[p],
            *plane.shape[::-1],
            REF_BORDER,
            right,
            REF_BORDER,
            bottom,
        )
    return Source(index, picture, LumaPyramid(kernels.kernels, picture))


def scene(height: int, width: int, shift: float = 0) -> Planes:
    """Waves and stripes, fine ones too, moved to the left by `shift` luma samples."""
    planes = []
    for p in range(3):
        y, x = np.mgrid[: height >> (p > 0), : width >> (p > 0)] << (p > 0)
        x = x + shift
        planes.append(120 + 50 * np.sin(x / 17 + y / 23) + 30 * np.sin(x / 3.1) * np.sin(y / 40) + 10 * p)
    return planes[0], planes[1], planes[2]


def noisy(planes: Planes, deviation: float, seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    a, b, c = (np.clip(np.rint(p + rng.normal(0, deviation, p.shape)), 0, 255).astype(np.uint8) for p in planes)
    return a, b, c


def apply(kernels: KernelSet, pictures: dict[int, Planes], base_q_idx: int = 100) -> Picture:
    """Filter picture 0 by all others."""
    height, width = pictures[0][0].shape
    sources = {index: source(kernels, index, planes) for index, planes in pictures.items()}
    return TemporalFilter(kernels, width, height, Crew(1, 1)).apply(sources.pop(0), list(sources.values()), base_q_idx)


def squared_error(picture: Picture, planes: Planes, p: int) -> float:
    return float(((picture.plane(p).astype(float) - planes[p]) ** 2).mean())


@pytest.mark.parametrize("deviation", [2, 5])
def test_noise_over_a_still_scene_is_averaged_away(deviation: float) -> None:
    clean = scene(144, 176)
    pictures = {i: noisy(clean, deviation, 10 + i) for i in range(-3, 4)}
    filtered = apply(NUMBA, pictures)
    for p in range(3):
        before = float(((pictures[0][p].astype(float) - clean[p]) ** 2).mean())
        # Seven pictures of equal weight would leave a seventh.
        assert squared_error(filtered, clean, p) < before / 3, p


def test_noise_over_a_pan_is_averaged_away_along_the_motion() -> None:
    clean = {i: scene(144, 176, 2.5 * i) for i in range(-3, 4)}
    filtered = apply(NUMBA, {i: noisy(planes, 4, 20 + i) for i, planes in clean.items()})
    assert squared_error(filtered, clean[0], 0) < 4**2 / 2


@pytest.mark.parametrize("base_q_idx", [40, 120])
def test_moving_detail_is_not_blurred(base_q_idx: int) -> None:
    """A pan by odd fractions, without noise: nothing to gain, nothing may be lost."""
    clean = {i: noisy(scene(144, 176, 5.3 * i), 0, 0) for i in range(-3, 4)}
    filtered = apply(NUMBA, clean, base_q_idx)
    for p in range(3):
        assert squared_error(filtered, clean[0], p) < 2, p


def test_other_scenes_and_flashes_leave_the_picture_alone() -> None:
    rng = np.random.default_rng(8)
    own = noisy(scene(64, 96), 1, 1)
    other: Planes = tuple(rng.integers(0, 256, plane.shape).astype(np.uint8) for plane in own)  # type: ignore[assignment]
    flash: Planes = tuple(np.full(plane.shape, 250, np.uint8) for plane in own)  # type: ignore[assignment]
    filtered = apply(NUMBA, {-1: other, 0: own, 1: flash})
    for p in range(3):
        np.testing.assert_array_equal(filtered.plane(p), own[p])


def test_what_appears_in_one_picture_alone_stays() -> None:
    clean = scene(96, 128)
    pictures = {i: noisy(clean, 2, 30 + i) for i in range(-3, 4)}
    pictures[0][0][40:56, 60:76] = 250
    filtered = apply(NUMBA, pictures)
    assert (abs(filtered.plane(0)[40:56, 60:76].astype(int) - 250) <= 2).all()


def test_without_neighbours_a_copy_with_edges_comes_back() -> None:
    own = noisy(scene(50, 70), 3, 4)
    filtered = apply(NUMBA, {0: own})
    original = source(NUMBA, 0, own).picture
    for p in range(3):
        np.testing.assert_array_equal(filtered.plane(p), own[p])
    assert filtered.samples.size == original.samples.size and filtered.border == REF_BORDER
    assert filtered.samples[filtered.origin[0] + 127] == own[0][0, -1]


def test_the_strongest_neighbours_do_not_overflow_the_sums() -> None:
    white: Planes = tuple(np.full((64 >> s, 64 >> s), 255, np.uint8) for s in (0, 1, 1))  # type: ignore[assignment]
    filtered = apply(NUMBA, {i: white for i in (-3, -2, -1, 0, 1, 2, 3)})
    assert all((filtered.plane(p) == 255).all() for p in range(3))
    assert (OWN_WEIGHT + 31 * MAX_NEIGHBOURS) * 255 < 1 << 16


def test_all_sets_filter_alike() -> None:
    planes = {i: noisy(scene(40, 54, 1.7 * i), 3, 50 + i) for i in (-1, 0, 2)}
    results = [apply(load_kernels(name), planes, 140) for name in ("python", "numpy", "numba")]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].samples, other.samples)
    assert (results[0].plane(0) != planes[0][0]).any()


def test_threads_that_share_a_picture_filter_alike() -> None:
    planes = {i: noisy(scene(90, 120, 1.7 * i), 3, 50 + i) for i in (-2, -1, 0, 1)}
    sources = {i: source(NUMBA, i, each) for i, each in planes.items()}
    neighbours, filtered = [sources[i] for i in (-2, -1, 1)], []
    for threads in (1, 3):
        crew = Crew(threads, threads)
        filtered.append(TemporalFilter(NUMBA, 120, 90, crew).apply(sources[0], neighbours, 140).samples)
        crew.close()
    np.testing.assert_array_equal(*filtered)


def test_noise_is_measured_where_the_picture_is_smooth() -> None:
    filter_ = TemporalFilter(NUMBA, 176, 144, Crew(1, 1))
    for deviation in (0, 2, 6):
        flat: Planes = tuple(np.full((144 >> s, 176 >> s), 120.0) for s in (0, 1, 1))  # type: ignore[assignment]
        found = filter_.noise_variance(source(NUMBA, 0, noisy(flat, deviation, 9)).picture, 0) / 256
        assert abs(found - deviation**2) <= 0.15 * deviation**2
    y, x = np.mgrid[:144, :176]
    step: Planes = tuple((x // 2 % 2 * 200).astype(np.uint8)[:: 1 + s, :: 1 + s] for s in (0, 1, 1))  # type: ignore[assignment]
    assert filter_.noise_variance(source(NUMBA, 0, step).picture, 0) == 0
    dither: Planes = tuple(((x + y) % 2 * 200).astype(np.uint8)[:: 1 + s, :: 1 + s] for s in (0, 1, 1))  # type: ignore[assignment]
    assert filter_.noise_variance(source(NUMBA, 0, dither).picture, 0) == MAX_NOISE
