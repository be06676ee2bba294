"""Block geometry and neighbours: chroma, availability, which blocks are decoded (spec 5.11.3, 5.11.5)."""

from numpy import int64

from encoder.spec import BLOCK_8X8, BLOCK_16X16, BLOCK_32X32, BLOCK_64X64
from encoder.tile.state import BLOCK_DECODED_STRIDE


def block_4x4s(block_size):
    """Width of a square block in 4x4 units: BLOCK_4X4 (0), 8X8 (3), 16X16 (6), ... give 1, 2, 4, 8, 16."""
    return int64(1) << (int64(block_size) // 3)


def is_inside(t, mi_row, mi_col):
    """Whether a position lies in this tile (spec 5.11.51)."""
    return t.mi_col_start <= mi_col < t.mi_col_end and t.mi_row_start <= mi_row < t.mi_row_end


def has_chroma(mi_row, mi_col, block_size):
    """4:2:0: of four 4x4 luma blocks only the last carries chroma (spec 5.11.5)."""
    return block_size > 0 or (mi_row & 1 and mi_col & 1)


def clear_block_decoded_flags(t, mi_row, mi_col):
    """At the start of a superblock: known are the row above and the column left, inside the tile (spec 5.11.3)."""
    for plane in range(3):
        sub = 1 if plane > 0 else 0
        width = (t.mi_col_end - mi_col) >> sub
        height = (t.mi_row_end - mi_row) >> sub
        size = 16 >> sub
        for y in range(-1, size + 1):
            for x in range(-1, size + 1):
                known = (y < 0 and x < width) or (x < 0 and y < height)
                t.block_decoded[_flag(plane, y, x)] = known
        t.block_decoded[_flag(plane, size, -1)] = 0


def _flag(plane, y, x):
    return (plane * BLOCK_DECODED_STRIDE + y + 1) * BLOCK_DECODED_STRIDE + x + 1


def is_decoded(t, plane, y, x):
    """BlockDecoded[plane][y][x]: y, x in the plane's 4x4 units from the superblock's corner, -1 allowed."""
    return t.block_decoded[_flag(plane, y, x)] != 0


def mark_decoded(t, plane, y, x, size, decoded):
    """Set the flags of size x size 4x4 units."""
    for i in range(size):
        at = _flag(plane, y + i, x)
        for j in range(size):
            t.block_decoded[at + j] = decoded


def info_at(t, mi_row, mi_col):
    """Index of a position in the block info."""
    return mi_row * t.mi_stride + mi_col


def fill_block(t, field, at, block_size, value):
    """Give a field of the block info one value in all of a square block, which begins at `at`. One field after the other, for a row
    whose length the compiler knows is one store then."""
    if block_size == BLOCK_64X64:
        _fill_rows(t, field, at, 16, value)
    elif block_size == BLOCK_32X32:
        _fill_rows(t, field, at, 8, value)
    elif block_size == BLOCK_16X16:
        _fill_rows(t, field, at, 4, value)
    elif block_size == BLOCK_8X8:
        _fill_rows(t, field, at, 2, value)
    else:
        field[at] = value


def _fill_rows(t, field, at, size4, value):
    for row in range(size4):
        first = at + row * t.mi_stride
        for i in range(first, first + size4):
            field[i] = value


def z_row(z):
    """Row of an 8x8 unit on the Z curve of a superblock."""
    return ((z >> 1) & 1) | ((z >> 2) & 2) | ((z >> 3) & 4)


def z_col(z):
    """Column of an 8x8 unit on the Z curve of a superblock."""
    return (z & 1) | ((z >> 1) & 2) | ((z >> 2) & 4)


def z_of(row, col):
    """Where an 8x8 unit of a superblock lies on the Z curve."""
    return (col & 1) | ((row & 1) << 1) | ((col & 2) << 1) | ((row & 2) << 2) | ((col & 4) << 2) | ((row & 4) << 3)


def z_unit_row(unit):
    """Row of a 4x4 unit on the Z curve of a block up to 64x64."""
    return z_row(unit >> 2) * 2 + ((unit >> 1) & 1)


def z_unit_col(unit):
    """Column of a 4x4 unit on the Z curve of a block up to 64x64."""
    return z_col(unit >> 2) * 2 + (unit & 1)
