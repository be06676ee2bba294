"""Levels: what a decoder must be able to do for a stream (spec annex A.3)."""

from fractions import Fraction
from typing import NamedTuple

from encoder.spec import MI_SIZE
from encoder.tiling import Tiling

MAXIMUM_PARAMETERS = 31  # seq_level_idx of a stream that fits no level
_MAX_TILE_SAMPLE_RATE = 588_251_136  # luma samples of the largest tile, times frames per second
_MIN_PICTURE_LENGTH = 16
_MIN_TILE_LENGTH = 8


class Level(NamedTuple):
    """One row of the tables of annex A.3: samples are luma, a rate is per second."""

    seq_level_idx: int
    max_pic_size: int
    max_h_size: int
    max_v_size: int
    max_display_rate: int
    max_header_rate: int
    max_tiles: int
    max_tile_cols: int


# 5.3 and 6.3 differ from the level before them only in the rate of decoding: where every decoded picture is shown once,
# the rate of display is the tighter limit.
LEVELS = (
    Level(0, 147_456, 2048, 1152, 4_423_680, 150, 8, 4),  # 2.0
    Level(1, 278_784, 2816, 1584, 8_363_520, 150, 8, 4),  # 2.1
    Level(4, 665_856, 4352, 2448, 19_975_680, 150, 16, 6),  # 3.0
    Level(5, 1_065_024, 5504, 3096, 31_950_720, 150, 16, 6),  # 3.1
    Level(8, 2_359_296, 6144, 3456, 70_778_880, 300, 32, 8),  # 4.0
    Level(9, 2_359_296, 6144, 3456, 141_557_760, 300, 32, 8),  # 4.1
    Level(12, 8_912_896, 8192, 4352, 267_386_880, 300, 64, 8),  # 5.0
    Level(13, 8_912_896, 8192, 4352, 534_773_760, 300, 64, 8),  # 5.1
    Level(14, 8_912_896, 8192, 4352, 1_069_547_520, 300, 64, 8),  # 5.2
    Level(16, 35_651_584, 16384, 8704, 1_069_547_520, 300, 128, 16),  # 6.0
    Level(17, 35_651_584, 16384, 8704, 2_139_095_040, 300, 128, 16),  # 6.1
    Level(18, 35_651_584, 16384, 8704, 4_278_190_080, 300, 128, 16),  # 6.2
)


def seq_level_idx(tiling: Tiling, fps: Fraction) -> int:
    """The lowest level whose limits on picture size, frame rate and tiles hold, or 31.

    Bit rate and compression ratio do not count: the sequence header is written before the first picture is coded.
    """
    if not _fits_any_level(tiling, fps):
        return MAXIMUM_PARAMETERS
    return next((level.seq_level_idx for level in LEVELS if _fits(level, tiling, fps)), MAXIMUM_PARAMETERS)


def _fits(level: Level, tiling: Tiling, fps: Fraction) -> bool:
    samples = tiling.width * tiling.height
    return (
        samples <= level.max_pic_size
        and tiling.width <= level.max_h_size
        and tiling.height <= level.max_v_size
        and samples * fps <= level.max_display_rate
        and fps <= level.max_header_rate
        and tiling.count * fps <= level.max_tiles * 120
        and tiling.count <= level.max_tiles
        and tiling.cols <= level.max_tile_cols
    )


def _fits_any_level(tiling: Tiling, fps: Fraction) -> bool:
    """The limits that all levels share: no picture or tile too small, no tile too large for its rate."""
    # Only the last column and row are cropped, and all others are a superblock or more.
    last_tile_width = tiling.width - tiling.mi_col_starts[-2] * MI_SIZE
    last_tile_height = tiling.height - tiling.mi_row_starts[-2] * MI_SIZE
    # The first tile is as large as any.
    largest_tile = tiling.mi_col_starts[1] * tiling.mi_row_starts[1] * MI_SIZE**2
    return (
        min(tiling.width, tiling.height) >= _MIN_PICTURE_LENGTH
        and min(last_tile_width, last_tile_height) >= _MIN_TILE_LENGTH
        and largest_tile * fps <= _MAX_TILE_SAMPLE_RATE
    )
