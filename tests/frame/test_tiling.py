"""Tiles partition the picture within the limits of the specification."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from encoder.tiling import Tile, Tiling, mi_units, tile_limits


@pytest.mark.parametrize(
    ("width", "height", "limits"),
    [  # minimum and maximum of columns, maximum of rows, minimum of both together, all log2; worked out by hand
        (8, 8, (0, 0, 0, 0)),
        (64, 64, (0, 0, 0, 0)),
        (65, 64, (0, 1, 0, 0)),
        (640, 360, (0, 4, 3, 0)),  # 10 x 6 superblocks
        (1280, 720, (0, 5, 4, 0)),  # 20 x 12
        (1920, 1080, (0, 5, 5, 0)),  # 30 x 17
        (4096, 2304, (0, 6, 6, 0)),  # 64 x 36: as large as one tile can be
        (4097, 8, (1, 6, 0, 1)),  # wider than MAX_TILE_WIDTH
        (4096, 2305, (0, 6, 6, 1)),  # larger than MAX_TILE_AREA
        (8192, 4352, (1, 6, 6, 2)),  # 128 x 68: more than MAX_TILE_COLS and MAX_TILE_ROWS
    ],
)
def test_limits(width, height, limits):
    """tile_limits against the arithmetic of 5.9.15 done by hand."""
    assert tile_limits(width, height) == limits


def test_more_columns_need_fewer_rows():
    """8192x4352 has to be cut into four tiles or more."""
    limits = tile_limits(8192, 4352)
    assert [limits.min_rows_log2(cols_log2) for cols_log2 in (1, 2, 3)] == [1, 0, 0]


def test_uneven_tiling_by_hand():
    """5 x 3 superblocks in 4 x 2: the last column and the last row are smaller, and there are only three columns."""
    tiling = Tiling.uniform(300, 170, 2, 1)
    assert (tiling.cols_log2, tiling.rows_log2, tiling.cols, tiling.rows, tiling.count) == (2, 1, 3, 2, 6)
    assert tiling.mi_col_starts == (0, 32, 64, 76)  # MiCols = 2 * ((300 + 7) >> 3)
    assert tiling.mi_row_starts == (0, 32, 44)
    assert list(tiling.tiles())[4] == Tile(4, 1, 1, 32, 44, 32, 64)


@given(st.integers(1, 16384), st.integers(1, 8704), st.integers(0, 8), st.integers(0, 8))
def test_tiles_partition_the_picture(width, height, cols_log2, rows_log2):
    """Every tile begins where the one before it ends, on a superblock, and the last ends with the picture."""
    tiling = Tiling.uniform(width, height, cols_log2, rows_log2)
    tiles = list(tiling.tiles())
    assert [tile.index for tile in tiles] == list(range(tiling.count))
    grid = [tiles[row * tiling.cols : (row + 1) * tiling.cols] for row in range(tiling.rows)]
    for row, line in enumerate(grid):
        for col, tile in enumerate(line):
            assert (tile.row, tile.col) == (row, col)
            assert tile.mi_col_start == (line[col - 1].mi_col_end if col else 0)
            assert tile.mi_row_start == (grid[row - 1][col].mi_row_end if row else 0)
            assert tile.mi_col_start % 16 == tile.mi_row_start % 16 == 0
            assert tile.mi_col_start < tile.mi_col_end
            assert tile.mi_row_start < tile.mi_row_end
    assert tiles[-1].mi_col_end == mi_units(width)
    assert tiles[-1].mi_row_end == mi_units(height)
    assert width <= 4 * mi_units(width) < width + 8
    assert mi_units(width) % 2 == 0


@given(st.integers(1, 16384), st.integers(1, 8704), st.integers(0, 8), st.integers(0, 8))
@example(4225, 8577, 0, 0)
def test_tiling_keeps_the_limits(width, height, cols_log2, rows_log2):
    """No tile too large, not too many of them, whatever was asked for; and what was asked for where it is allowed."""
    tiling = Tiling.uniform(width, height, cols_log2, rows_log2)
    assert tiling.cols <= min(64, 1 << tiling.cols_log2)
    assert tiling.rows <= min(64, 1 << tiling.rows_log2)
    for tile in tiling.tiles():
        tile_width, tile_height = 4 * (tile.mi_col_end - tile.mi_col_start), 4 * (tile.mi_row_end - tile.mi_row_start)
        assert tile_width <= 4096
        assert tile_width * tile_height <= 4096 * 2304
    limits = tile_limits(width, height)
    if limits.min_cols_log2 <= cols_log2 <= limits.max_cols_log2:
        assert tiling.cols_log2 == cols_log2
    if limits.min_rows_log2(tiling.cols_log2) <= rows_log2 <= limits.max_rows_log2:
        tile_superblocks = -(-width // 64 >> tiling.cols_log2) * -(-height // 64 >> rows_log2)
        assert tiling.rows_log2 == rows_log2 or tile_superblocks > 4096 * 2304 // 64**2


def test_the_largest_choice_is_a_superblock_a_tile():
    """Up to 64 columns and rows."""
    tiling = Tiling.uniform(1280, 720, 6, 6)
    assert (tiling.cols, tiling.rows) == (20, 12)
