"""Levels: what a decoder must be able to do for a stream (spec annex A.3)."""

from fractions import Fraction
from typing import NamedTuple

from encoder.spec import MI_SIZE
from encoder.tiling import Tiling

MAXIMUM_PARAMETERS = 31  # seq_level_idx of a stream that fits no level
_MAX_TILE_SAMPLE_RATE = 588_251_136  # luma samples of the largest tile, times frame headers per second
_MIN_PICTURE_LENGTH = 16
_MIN_TILE_LENGTH = 8


class Level(NamedTuple):
    """One row of the tables of annex A.3: samples are luma, a rate is per second."""

    seq_level_idx: int
    max_pic_size: int
    max_h_size: int
    max_v_size: int
    max_display_rate: int
    max_decode_rate: int
    max_header_rate: int
    max_tiles: int
    max_tile_cols: int


LEVELS = (
    Level(0, 147_456, 2048, 1152, 4_423_680, 5_529_600, 150, 8, 4),  # 2.0
    Level(1, 278_784, 2816, 1584, 8_363_520, 10_454_400, 150, 8, 4),  # 2.1
    Level(4, 665_856, 4352, 2448, 19_975_680, 24_969_600, 150, 16, 6),  # 3.0
    Level(5, 1_065_024, 5504, 3096, 31_950_720, 39_938_400, 150, 16, 6),  # 3.1
    Level(8, 2_359_296, 6144, 3456, 70_778_880, 77_856_768, 300, 32, 8),  # 4.0
    Level(9, 2_359_296, 6144, 3456, 141_557_760, 155_713_536, 300, 32, 8),  # 4.1
    Level(12, 8_912_896, 8192, 4352, 267_386_880, 273_715_200, 300, 64, 8),  # 5.0
    Level(13, 8_912_896, 8192, 4352, 534_773_760, 547_430_400, 300, 64, 8),  # 5.1
    Level(14, 8_912_896, 8192, 4352, 1_069_547_520, 1_094_860_800, 300, 64, 8),  # 5.2
    Level(15, 8_912_896, 8192, 4352, 1_069_547_520, 1_176_502_272, 300, 64, 8),  # 5.3
    Level(16, 35_651_584, 16384, 8704, 1_069_547_520, 1_176_502_272, 300, 128, 16),  # 6.0
    Level(17, 35_651_584, 16384, 8704, 2_139_095_040, 2_189_721_600, 300, 128, 16),  # 6.1
    Level(18, 35_651_584, 16384, 8704, 4_278_190_080, 4_379_443_200, 300, 128, 16),  # 6.2
    Level(19, 35_651_584, 16384, 8704, 4_278_190_080, 4_706_009_088, 300, 128, 16),  # 6.3
)


def seq_level_idx(tiling: Tiling, fps: Fraction, headers_per_shown: Fraction = Fraction(1)) -> int:
    """The lowest level whose limits on picture size, rates and tiles hold, or 31.

    fps is the rate of shown frames. headers_per_shown is how many frames are decoded for each: 1 without hidden frames,
    and also where every hidden frame is shown later, because headers that show an existing frame do not count; more
    where frames are never shown. Bit rate and compression ratio do not count: the sequence header is written before the
    first picture is coded.
    """
    header_rate = fps * headers_per_shown
    if not _fits_any_level(tiling, header_rate):
        return MAXIMUM_PARAMETERS
    fitting = (level.seq_level_idx for level in LEVELS if _fits(level, tiling, fps, header_rate))
    return next(fitting, MAXIMUM_PARAMETERS)


def _fits(level: Level, tiling: Tiling, fps: Fraction, header_rate: Fraction) -> bool:
    samples = tiling.width * tiling.height
    return (
        samples <= level.max_pic_size
        and tiling.width <= level.max_h_size
        and tiling.height <= level.max_v_size
        and samples * fps <= level.max_display_rate
        and samples * header_rate <= level.max_decode_rate
        and header_rate <= level.max_header_rate
        and tiling.count * header_rate <= level.max_tiles * 120
        and tiling.count <= level.max_tiles
        and tiling.cols <= level.max_tile_cols
    )


def _fits_any_level(tiling: Tiling, header_rate: Fraction) -> bool:
    """The limits that all levels share: no picture or tile too small, no tile too large for its rate."""
    # Only the last column and row are cropped, and all others are a superblock or more.
    last_tile_width = tiling.width - tiling.mi_col_starts[-2] * MI_SIZE
    last_tile_height = tiling.height - tiling.mi_row_starts[-2] * MI_SIZE
    # The first tile is as large as any.
    largest_tile = tiling.mi_col_starts[1] * tiling.mi_row_starts[1] * MI_SIZE**2
    return (
        min(tiling.width, tiling.height) >= _MIN_PICTURE_LENGTH
        and min(last_tile_width, last_tile_height) >= _MIN_TILE_LENGTH
        and largest_tile * header_rate <= _MAX_TILE_SAMPLE_RATE
    )
