"""How steep the cascade of quantizers is: what stands still or moves as a whole deserves all of it, what changes less."""

import numpy as np

from encoder.frame.cascade import FULL, Cascade
from encoder.frame.motion_search import LumaPyramid
from encoder.kernels.load import load_kernels
from encoder.picture import REF_BORDER, Picture

NUMBA = load_kernels("numba")
HEIGHT, WIDTH = 96, 128


def steepness(earlier: np.ndarray, later: np.ndarray) -> int:
    pyramids = []
    for luma in (earlier, later):
        picture = Picture.allocate(WIDTH, HEIGHT, REF_BORDER)
        picture.plane(0)[:] = luma
        pyramids.append(LumaPyramid(NUMBA.kernels, picture))
    return Cascade(NUMBA, WIDTH, HEIGHT).steepness(*pyramids)


def noisy(amplitude: int, seed: int) -> np.ndarray:
    """The same smooth picture with different noise."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(seed).integers(-amplitude, amplitude + 1, (HEIGHT, WIDTH))
    return np.clip(128 + 60 * np.sin(x / 20) + 40 * np.cos(y / 15) + noise, 0, 255)


def test_what_stays_has_the_full_cascade() -> None:
    assert steepness(noisy(0, 1), noisy(0, 2)) == FULL
    wide = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH + 8))
    wide = (wide + np.roll(wide, 1, 1) + np.roll(wide, 2, 1)) // 3
    assert steepness(wide[:, :WIDTH], wide[:, 4 : WIDTH + 4]) > FULL // 2, "it has moved"


def test_the_more_changes_the_flatter_down_to_a_limit() -> None:
    steep = [steepness(noisy(amplitude, 1), noisy(amplitude, 2)) for amplitude in (0, 3, 6, 9, 12, 60)]
    assert steep == sorted(steep, reverse=True)
    assert len(set(steep)) > 3 and 0 < steep[-1] < FULL // 2
