"""Squared error and PSNR against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder import quality
from encoder.picture import Picture


@given(width=st.integers(8, 150), height=st.integers(8, 150), seed=st.integers(0, 1000))
def test_mse_is_the_mean_of_squared_differences_of_visible_samples(width: int, height: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = Picture.allocate(width, height), Picture.allocate(width, height, border=3)
    for picture in (a, b):
        picture.samples[:] = random.integers(0, 256, picture.samples.size)
    expected = [np.mean((a.plane(p).astype(float) - b.plane(p)) ** 2) for p in range(3)]
    assert quality.mse(a, b) == pytest.approx(expected, rel=1e-12)


def test_the_largest_error_does_not_overflow() -> None:
    a, b = Picture.allocate(4096, 2304), Picture.allocate(4096, 2304)
    b.samples[:] = 255
    assert quality.mse(a, b) == [255.0**2] * 3
    assert quality.psnr(255.0**2) == 0


def test_identical_planes_have_no_finite_psnr() -> None:
    assert quality.psnr(0.0) is None
    assert quality.mean_psnr([[1.0, 0.0, 1.0], [1.0, 2.0, 1.0]])[1] is None
    assert quality.psnr_of_mean_mse([[1.0, 0.0, 1.0], [1.0, 2.0, 1.0]])[1] == quality.psnr(1.0)


def test_the_two_means_differ_as_they_should() -> None:
    frames = [[1.0, 4.0, 1.0], [100.0, 4.0, 1.0]]
    one, hundred = 20 * math.log10(255), 20 * math.log10(25.5)
    assert quality.mean_psnr(frames) == pytest.approx([(one + hundred) / 2, 10 * math.log10(255**2 / 4), one])
    assert quality.psnr_of_mean_mse(frames)[0] == pytest.approx(10 * math.log10(255**2 / 50.5))
