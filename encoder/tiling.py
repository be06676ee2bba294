"""Where the tiles of a picture lie: uniform spacing of whole superblocks of 64x64 (spec 5.9.15)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from encoder.intmath import tile_log2
from encoder.spec import MAX_TILE_AREA, MAX_TILE_COLS, MAX_TILE_ROWS, MAX_TILE_WIDTH, MI_SIZE, SB_SIZE

_MI_PER_SB = SB_SIZE // MI_SIZE


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: number in coding order, place in the grid, rectangle in units of 4x4 luma samples (ends excluded)."""

    index: int
    row: int
    col: int
    mi_row_start: int
    mi_row_end: int
    mi_col_start: int
    mi_col_end: int


class TileLimits(NamedTuple):
    """The range of TileColsLog2 and TileRowsLog2 for one picture size (the variables of spec 5.9.15)."""

    min_cols_log2: int
    max_cols_log2: int
    max_rows_log2: int
    min_tiles_log2: int

    def min_rows_log2(self, cols_log2: int) -> int:
        """The smallest TileRowsLog2 beside this TileColsLog2: fewer rows would make tiles larger than MAX_TILE_AREA."""
        return max(self.min_tiles_log2 - cols_log2, 0)


def tile_limits(width: int, height: int) -> TileLimits:
    """The limits for a picture of this many luma samples."""
    sb_cols, sb_rows = _superblocks(width), _superblocks(height)
    min_cols_log2 = tile_log2(MAX_TILE_WIDTH // SB_SIZE, sb_cols)
    return TileLimits(
        min_cols_log2=min_cols_log2,
        max_cols_log2=tile_log2(1, min(sb_cols, MAX_TILE_COLS)),
        max_rows_log2=tile_log2(1, min(sb_rows, MAX_TILE_ROWS)),
        min_tiles_log2=max(min_cols_log2, tile_log2(MAX_TILE_AREA // SB_SIZE**2, sb_rows * sb_cols)),
    )


@dataclass(frozen=True, slots=True)
class Tiling:
    """The grid of tiles of one picture; `Tiling.uniform` makes it.

    width, height    luma samples of the picture
    cols_log2        TileColsLog2 and TileRowsLog2 as they are coded. There can be fewer tiles than these say: 5
    rows_log2        superblocks in 4 columns are 2 + 2 + 1
    mi_col_starts    where the columns and rows begin in units of 4x4 luma samples, and behind the last its end:
    mi_row_starts    MiCols and MiRows
    """

    width: int
    height: int
    cols_log2: int
    rows_log2: int
    mi_col_starts: tuple[int, ...]
    mi_row_starts: tuple[int, ...]

    @classmethod
    def uniform(cls, width: int, height: int, cols_log2: int = 0, rows_log2: int = 0) -> "Tiling":
        """About 2**cols_log2 x 2**rows_log2 tiles of equal size, within the limits of the specification."""
        limits = tile_limits(width, height)
        cols_log2 = min(max(cols_log2, limits.min_cols_log2), limits.max_cols_log2)
        rows_log2 = min(max(rows_log2, limits.min_rows_log2(cols_log2)), limits.max_rows_log2)
        # Rounded up to whole superblocks, the fewest rows can still be too large: in 4225x8577, four tiles of 34x68 superblocks.
        while _tile_sb(width, cols_log2) * _tile_sb(height, rows_log2) > MAX_TILE_AREA // SB_SIZE**2:
            rows_log2 += 1
        return cls(width, height, cols_log2, rows_log2, _mi_starts(width, cols_log2), _mi_starts(height, rows_log2))

    @property
    def cols(self) -> int:
        """TileCols: the columns that there are."""
        return len(self.mi_col_starts) - 1

    @property
    def rows(self) -> int:
        """TileRows: the rows that there are."""
        return len(self.mi_row_starts) - 1

    @property
    def count(self) -> int:
        """NumTiles."""
        return self.cols * self.rows

    def tiles(self) -> Iterator[Tile]:
        """The tiles in coding order: row by row."""
        for row in range(self.rows):
            for col in range(self.cols):
                yield Tile(
                    row * self.cols + col,
                    row,
                    col,
                    self.mi_row_starts[row],
                    self.mi_row_starts[row + 1],
                    self.mi_col_starts[col],
                    self.mi_col_starts[col + 1],
                )


def mi_units(length: int) -> int:
    """MiCols of a width or MiRows of a height in luma samples: units of 4, always an even number (spec 5.9.9)."""
    return 2 * ((length + 7) >> 3)


def _superblocks(length: int) -> int:
    return (length + SB_SIZE - 1) // SB_SIZE


def _tile_sb(length: int, tiles_log2: int) -> int:
    """Superblocks of a tile, in one direction."""
    return (_superblocks(length) + (1 << tiles_log2) - 1) >> tiles_log2


def _mi_starts(length: int, tiles_log2: int) -> tuple[int, ...]:
    tile_mi = _tile_sb(length, tiles_log2) * _MI_PER_SB
    return (*range(0, _superblocks(length) * _MI_PER_SB, tile_mi), mi_units(length))
