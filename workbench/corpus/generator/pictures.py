"""Still pictures that the clips move, and the means to move them: dead leaves, a page of text, a camera, a brush.

A picture is int32 or uint8 (3, height, width): Y, Cb and Cr at full resolution, 8-bit studio range.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from workbench.corpus.generator.arithmetic import ONE_Q14, IntArray, fractal_noise, hash32, value_noise
from workbench.corpus.generator.font import GLYPH_HEIGHT, GLYPH_WIDTH, GLYPHS

BLACK, WHITE, GREY = 16, 235, 128

_LEAVES = 400
_ROLLS_PER_LEAF = 9
_LEAF_SEED = 99
_TEXTURE_SEED = 7
_BASE_PICTURES_KEPT = 3  # of up to 11 MB each (1280x720): enough for one clip, small beside the interpreter

LINE_HEIGHT = GLYPH_HEIGHT + 3
COLUMN_WIDTH = GLYPH_WIDTH + 1


def constant(level: int, cb: int, cr: int) -> IntArray:
    """One colour as int32 (3, 1, 1), to be broadcast over a picture."""
    return np.array([level, cb, cr], np.int32)[:, None, None]


def picture_of(luma: IntArray, cb: IntArray | int = GREY, cr: IntArray | int = GREY) -> IntArray:
    """A picture from its planes, each (height, width) or one value for all."""
    planes = np.empty((3, *luma.shape), np.int32)
    planes[0], planes[1], planes[2] = luma, cb, cr
    return planes


class Brush(NamedTuple):
    """The part of a picture that a shape may touch: two slices, and each sample's distance from the shape's centre."""

    rows: slice
    columns: slice
    dy: IntArray  # (rows, 1)
    dx: IntArray  # (1, columns)

    def paint(self, picture: IntArray, mask: IntArray, colours: IntArray) -> None:
        """Replace the samples under `mask` (rows, columns) by `colours`, broadcast to (3, rows, columns)."""
        under = picture[:, self.rows, self.columns]
        np.copyto(under, colours, where=mask, casting="unsafe")


def brush_at(picture: IntArray, centre_x: int, centre_y: int, reach_x: int, reach_y: int) -> Brush:
    """The brush for a shape that reaches so far from its centre, cut to the picture; empty when it lies outside."""
    height, width = picture.shape[1:]
    left, right = _clipped(centre_x - reach_x, width), _clipped(centre_x + reach_x + 1, width)
    top, bottom = _clipped(centre_y - reach_y, height), _clipped(centre_y + reach_y + 1, height)
    dy = np.arange(top, bottom, dtype=np.int32)[:, None] - centre_y
    dx = np.arange(left, right, dtype=np.int32)[None, :] - centre_x
    return Brush(slice(top, bottom), slice(left, right), dy, dx)


def _clipped(position: int, size: int) -> int:
    return min(max(position, 0), size)


def inside_ellipse(brush: Brush, reach_x: int, reach_y: int) -> IntArray:
    """Which samples of the brush lie in the ellipse of these half axes: bool (rows, columns)."""
    reach_x, reach_y = max(1, reach_x), max(1, reach_y)
    scaled = (brush.dx * reach_y).astype(np.int64) ** 2 + (brush.dy * reach_x).astype(np.int64) ** 2
    return scaled <= (reach_x * reach_y) ** 2


@lru_cache(maxsize=_BASE_PICTURES_KEPT)
def dead_leaves(width: int, height: int, seed: int) -> IntArray:
    """Opaque shapes of power-law size on a cloudy ground, uint8 (3, height, width), read-only.

    Occlusion and the 1/r**3 law of sizes give edges the statistics of photographs (Lee, Mumford, Huang 2001, "Occlusion
    models for natural images"); a last blur stands for the lens. Kept for the clips of the same size and seed.
    """
    luma = GREY + fractal_noise(width, height, seed, 128)
    chroma = [96 + value_noise(width, height, seed + plane, 96) // 4 for plane in (1, 2)]
    picture = picture_of(np.clip(luma, BLACK, WHITE), *chroma).astype(np.int16)
    texture = fractal_noise(width, height, seed + _TEXTURE_SEED, 16)
    rolls = hash32(seed + _LEAF_SEED, np.arange(_LEAVES)[:, None], np.arange(_ROLLS_PER_LEAF)[None, :])
    for leaf_rolls in rolls.tolist():
        _drop_leaf(picture, texture, leaf_rolls)
    softened = _blurred(picture)
    softened.flags.writeable = False
    return softened


def _drop_leaf(picture: IntArray, texture: IntArray, rolls: list[int]) -> None:
    """Paint one leaf; its nine `rolls` decide on size, place, shape, light, slope, texture and the two colours."""
    size, x, y, shape, level, slope, gain, cb, cr = rolls
    height, width = picture.shape[1:]
    smallest, largest = max(2, min(width, height) // 72), max(4, min(width, height) // 4)
    radius = _leaf_radius(size, smallest, largest)
    reach_y = radius * (2 + shape % 3) // 4 + 1
    brush = brush_at(picture, x % width, y % height, radius, reach_y)
    is_box = shape // 3 % 4 == 0
    mask = np.ones((1, 1), bool) if is_box else inside_ellipse(brush, radius, reach_y)
    shade = 30 + level % 180 + brush.dx * (slope % 81 - 40) // radius
    luma = shade + texture[brush.rows, brush.columns] * (gain % 4) // 3
    brush.paint(picture, mask, picture_of(np.clip(luma, BLACK, WHITE), 96 + cb % 64, 96 + cr % 64))


def _leaf_radius(roll: int, smallest: int, largest: int) -> int:
    """A radius with P(radius > r) = (smallest / r)**2, by the inverse of that law from 16 bits; `largest` caps it."""
    return min(largest, math.isqrt((smallest * smallest << 16) // (1 + roll % 65536)))


def _blurred(picture: IntArray) -> IntArray:
    """The picture through a binomial lens, [1 2 1] / 4 both ways, as uint8; the border repeats its edge."""
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)), mode="edge")
    lines = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return (lines[:, :, :-2] + 2 * lines[:, :, 1:-1] + lines[:, :, 2:] + 8 >> 4).astype(np.uint8)


def camera(picture: IntArray, width: int, height: int, shift_x_q14: int = 0, shift_y_q14: int = 0) -> IntArray:
    """A window of the picture, int32 (3, height, width), whose centre lies `shift` Q14 samples from the picture's.

    Between samples it is bilinear; beyond the border the picture goes on as its mirror image.
    """
    rows, weight_y = _line_places(picture.shape[1], height, shift_y_q14)
    columns, weight_x = _line_places(picture.shape[2], width, shift_x_q14)
    lines = picture[:, rows].astype(np.int32)
    lines = lines[:, :-1] * (256 - weight_y) + lines[:, 1:] * weight_y
    window = lines[:, :, columns]
    return window[:, :, :-1] * (256 - weight_x) + window[:, :, 1:] * weight_x + (1 << 15) >> 16


def _line_places(size: int, window: int, shift_q14: int) -> tuple[IntArray, int]:
    """The window + 1 positions on an axis of `size` samples that a window blends, and the later ones' Q8 weight."""
    first = (size >> 1) - (window >> 1) + (shift_q14 >> 14)
    return _mirrored(np.arange(first, first + window + 1), size), shift_q14 >> 6 & 255


def _mirrored(position: IntArray, size: int) -> IntArray:
    """Positions folded into 0..size - 1, as between two mirrors."""
    position = position % (2 * size)
    return np.where(position < size, position, 2 * size - 1 - position)


def turned_camera(picture: IntArray, width: int, height: int, cosine_q14: int, sine_q14: int) -> IntArray:
    """A window around the picture's centre, turned and zoomed by the matrix [cosine -sine; sine cosine] in Q14.

    A length below 1 zooms in. It rounds, blends and mirrors as `camera` does: cosine 1, sine 0 give the same samples.
    """
    y = np.arange(height, dtype=np.int64)[:, None] - (height >> 1)
    x = np.arange(width, dtype=np.int64)[None, :] - (width >> 1)
    source_height, source_width = picture.shape[1:]
    place_x = cosine_q14 * x - sine_q14 * y + (source_width >> 1) * ONE_Q14
    place_y = sine_q14 * x + cosine_q14 * y + (source_height >> 1) * ONE_Q14
    columns, rows = (
        _mirrored(place >> 14, size) for place, size in ((place_x, source_width), (place_y, source_height))
    )
    next_columns = _mirrored((place_x >> 14) + 1, source_width)
    next_rows = _mirrored((place_y >> 14) + 1, source_height)
    weight_x, weight_y = (place_x >> 6 & 255).astype(np.int32), (place_y >> 6 & 255).astype(np.int32)
    upper = picture[:, rows, columns] * (256 - weight_y) + picture[:, next_rows, columns] * weight_y
    later = picture[:, rows, next_columns] * (256 - weight_y) + picture[:, next_rows, next_columns] * weight_y
    return upper * (256 - weight_x) + later * weight_x + (1 << 15) >> 16


@lru_cache(maxsize=_BASE_PICTURES_KEPT)
def text_page(width: int, height: int, seed: int) -> IntArray:
    """Lines of random words as ink (1) and paper (0), uint8 (height, width), read-only."""
    rows, columns = height // LINE_HEIGHT + 1, width // COLUMN_WIDTH + 1
    letters = hash32(seed, np.arange(rows)[:, None], np.arange(columns)[None, :])
    lengths = hash32(seed + 5, np.arange(rows)) % np.uint32(columns) + np.uint32(4)
    is_space = (letters >> np.uint32(16)) % np.uint32(6) == 0
    is_beyond = np.arange(columns)[None, :] >= lengths[:, None]
    glyphs = GLYPHS[(letters % np.uint32(len(GLYPHS))).astype(np.intp)]
    glyphs[is_space | is_beyond] = 0
    cells = np.zeros((rows, LINE_HEIGHT, columns, COLUMN_WIDTH), np.uint8)
    cells[:, 1 : 1 + GLYPH_HEIGHT, :, :GLYPH_WIDTH] = glyphs.transpose(0, 2, 1, 3)
    page = cells.reshape(rows * LINE_HEIGHT, columns * COLUMN_WIDTH)[:height, :width].copy()
    page.flags.writeable = False
    return page
