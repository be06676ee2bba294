"""The level is the lowest that a decoder needs for the stream."""

from fractions import Fraction

import pytest

from encoder.frame.levels import MAXIMUM_PARAMETERS, seq_level_idx
from encoder.tiling import Tiling


@pytest.mark.parametrize(
    ("width", "height", "fps", "level"),
    [  # the examples of annex A.3, up to the largest picture that we take
        (426, 240, 30, 0),
        (640, 360, 30, 1),
        (854, 480, 30, 4),
        (1280, 720, 30, 5),
        (1920, 1080, 30, 8),
        (1920, 1080, 60, 9),
        (3840, 2160, 30, 12),
        (3840, 2160, 60, 13),
    ],
)
def test_example_of_the_specification(width, height, fps, level):
    """An example fits its level and none below."""
    assert seq_level_idx(Tiling.uniform(width, height), Fraction(fps)) == level


@pytest.mark.parametrize(
    ("size", "tiles_log2", "fps", "level"),
    [
        ((16, 16), (0, 0), 1, 0),
        ((15, 64), (0, 0), 30, MAXIMUM_PARAMETERS),  # a picture narrower than 16
        ((64, 15), (0, 0), 30, MAXIMUM_PARAMETERS),
        ((72, 64), (1, 0), 30, 0),
        ((71, 64), (1, 0), 30, MAXIMUM_PARAMETERS),  # a tile narrower than 8
        ((64, 71), (0, 1), 30, MAXIMUM_PARAMETERS),
        ((71, 64), (0, 0), 30, 0),
        ((2049, 64), (0, 0), 1, 1),  # wider than 2.0 allows
        ((64, 1153), (0, 0), 1, 1),
        ((384, 384), (0, 0), 30, 0),  # 147456 samples, 4423680 a second: both limits of 2.0
        ((384, 384), (0, 0), Fraction(3001, 100), 1),
        ((385, 384), (0, 0), 1, 1),
        ((64, 64), (0, 0), 150, 0),
        ((64, 64), (0, 0), 151, 8),  # frame headers a second
        ((64, 64), (0, 0), 301, MAXIMUM_PARAMETERS),
        ((256, 128), (2, 1), 120, 0),  # 8 tiles, 960 a second: both limits of 2.0
        ((256, 128), (2, 1), 121, 4),
        ((320, 64), (3, 0), 30, 4),  # 5 columns
        ((192, 192), (2, 2), 30, 4),  # 9 tiles
        ((4096, 2304), (0, 0), 62, 16),
        ((4096, 2304), (0, 0), 63, MAXIMUM_PARAMETERS),  # one tile of so many samples a second
        ((4096, 2304), (1, 0), 63, 16),
        ((4096, 2304), (3, 0), 300, 18),
    ],
)
def test_limit(size, tiles_log2, fps, level):
    """Both sides of every limit."""
    assert seq_level_idx(Tiling.uniform(*size, *tiles_log2), Fraction(fps)) == level


@pytest.mark.parametrize(
    ("size", "tiles_log2", "fps", "headers_per_shown", "level"),
    [
        ((384, 384), (0, 0), 30, Fraction(5, 4), 0),  # 5529600 decoded samples a second
        ((384, 384), (0, 0), 30, Fraction(126, 100), 1),
        ((64, 64), (0, 0), 75, 2, 0),
        ((64, 64), (0, 0), 76, 2, 8),  # frame headers a second
        ((64, 64), (0, 0), 150, 1, 0),  # all that is hidden is shown later
        ((256, 128), (2, 1), 60, 2, 0),
        ((256, 128), (2, 1), 61, 2, 4),  # tiles a second
        ((4096, 2304), (0, 0), 31, 2, 16),
        ((4096, 2304), (0, 0), 32, 2, MAXIMUM_PARAMETERS),  # samples a second of the largest tile
        ((4096, 2176), (2, 0), 120, 1, 14),
        ((4096, 2176), (2, 0), 120, Fraction(11, 10), 15),  # 5.3 is there for those that decode more than they show
        ((4096, 2176), (2, 0), 120, Fraction(111, 100), 17),
    ],
)
def test_frames_that_are_never_shown_count_where_they_are_decoded(size, tiles_log2, fps, headers_per_shown, level):
    """Both sides of the limits on decoded samples, headers and tiles."""
    assert seq_level_idx(Tiling.uniform(*size, *tiles_log2), Fraction(fps), Fraction(headers_per_shown)) == level
