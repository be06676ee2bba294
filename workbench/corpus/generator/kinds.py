"""The fourteen kinds of generated clip, one function each: what a camera, a screen or a broken signal shows at frame t.

Every function takes the scene and the frame's number and returns a picture (see pictures.py), int32 (3, height, width).
Frames are independent of each other: any one can be made alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.corpus.generator.arithmetic import (
    ONE_Q14,
    IntArray,
    cosine_q14,
    dice,
    grain_noise,
    sine_q14,
    value_noise,
)
from workbench.corpus.generator.pictures import (
    BLACK,
    GREY,
    LINE_HEIGHT,
    WHITE,
    brush_at,
    camera,
    constant,
    dead_leaves,
    inside_ellipse,
    picture_of,
    text_page,
    turned_camera,
)


@dataclass(frozen=True)
class Scene:
    """What a kind may know: the picture's size in samples, how many frames the story lasts, the seed of all chance."""

    width: int
    height: int
    timeline: int
    seed: int

    @property
    def small_side(self) -> int:
        """The lesser of width and height, in samples: the measure of things in the scene."""
        return min(self.width, self.height)

    def world(self, other: int = 0) -> IntArray:
        """A dead-leaves picture twice as wide and high as the frame, to move over; `other` gives another one."""
        return dead_leaves(2 * self.width, 2 * self.height, self.seed + other)

    def window(self, shift_x_q14: int = 0, shift_y_q14: int = 0, other: int = 0) -> IntArray:
        """The frame's view of that world, moved by so many samples in Q14."""
        return camera(self.world(other), self.width, self.height, shift_x_q14, shift_y_q14)


Kind = Callable[[Scene, int], IntArray]
KINDS: dict[str, Kind] = {}
"""Each kind's function by its name, in the order of this file: the recipes that a manifest may name."""


def kind(function: Kind) -> Kind:
    """Enter a function into KINDS under its own name."""
    KINDS[function.__name__] = function
    return function


@kind
def pan(scene: Scene, t: int) -> IntArray:
    """A steady camera pan, 2 3/8 samples right and 5/8 down a frame: sub-sample translation of the whole picture."""
    return scene.window(t * ONE_Q14 * 19 // 8, t * ONE_Q14 * 5 // 8)


@kind
def zoomrot(scene: Scene, t: int) -> IntArray:
    """A camera that zooms in by 1/160 and turns by 1/256 turn a frame: global motion that no translation describes."""
    zoom_q14 = max(ONE_Q14 // 4, ONE_Q14 - t * ONE_Q14 // 160)
    cosine, sine = zoom_q14 * cosine_q14(t // 2) >> 14, zoom_q14 * sine_q14(t // 2) >> 14
    return turned_camera(scene.world(), scene.width, scene.height, cosine, sine)


@kind
def occlude(scene: Scene, t: int) -> IntArray:
    """Five textured discs at different speeds before a slow background: parallax, covered and uncovered ground."""
    picture = scene.window(t * ONE_Q14 // 2)
    world = scene.world()
    for disc in range(5):
        radius = scene.small_side // (5 + disc)
        speed = (3 + 2 * disc) * (1 if disc % 2 else -1)
        way = scene.width + 2 * radius
        centre_x = (dice(scene.seed + 31, disc, 0) + t * speed) % way - radius
        centre_y = dice(scene.seed + 31, disc, 1) % scene.height
        brush = brush_at(picture, centre_x, centre_y, radius, radius)
        own_texture = world[:, brush.dy + radius, brush.dx + radius].astype(np.int32) * 3 // 4 + 40
        brush.paint(picture, inside_ellipse(brush, radius, radius), own_texture)
    return picture


@kind
def cut(scene: Scene, t: int) -> IntArray:
    """Two shots of slow pans, cut in the middle of the timeline: a scene change."""
    return scene.window(t * ONE_Q14, other=0 if t < scene.timeline // 2 else 1000)


@kind
def fade(scene: Scene, t: int) -> IntArray:
    """A slow pan that fades from black up to full light in the middle, and down again."""
    picture = scene.window(t * ONE_Q14 // 4)
    from_end = min(t, scene.timeline - 1 - t)
    light_q8 = min(256, 8 + from_end * 512 // scene.timeline)
    black = constant(BLACK, GREY, GREY)
    return black + ((picture - black) * light_q8 >> 8)


@kind
def flash(scene: Scene, t: int) -> IntArray:
    """A slow pan with a photographer's flash in every seventh frame: light changes that last one frame."""
    picture = scene.window(t * ONE_Q14 // 2)
    if t % 7 == 3:
        picture[0] = np.minimum(picture[0] + 110, WHITE)
    return picture


@kind
def grain(scene: Scene, t: int) -> IntArray:
    """A nearly still camera with film grain: noise of standard deviation 8 that is new in every frame."""
    picture = scene.window(t * ONE_Q14 // 8)
    picture[0] = np.clip(picture[0] + grain_noise(scene.width, scene.height, scene.seed, t, 14), BLACK, WHITE)
    return picture


@kind
def sports(scene: Scene, t: int) -> IntArray:
    """A fast pan after twelve striped players, each on a path of its own: large and many motions."""
    picture = scene.window(t * ONE_Q14 * 11, t * ONE_Q14 * 3)
    reach = scene.small_side // 9
    for player in range(12):
        x, y, speed_x, speed_y, level, colour = (dice(scene.seed + 77, player, roll) for roll in range(6))
        sway = sine_q14(t * 9 + player * 13) * reach >> 15
        centre_x = (x + t * (speed_x % 29 - 14)) % scene.width
        centre_y = (y + t * (speed_y % 17 - 8) + sway) % scene.height
        brush = brush_at(picture, centre_x, centre_y, reach // 2, reach)
        stripes = brush.dx * 3 % 23 - 11 + 0 * brush.dy
        shirt = picture_of(60 + level % 150 + stripes, 48 + colour % 160, 48 + (colour >> 8) % 160)
        brush.paint(picture, np.ones((1, 1), bool), shirt)
    return picture


@kind
def head(scene: Scene, t: int) -> IntArray:
    """A talking head before a still room: a face that sways, eyes that blink, a mouth that opens; the rest rests."""
    picture = scene.window()
    centre_x = scene.width // 2 + (sine_q14(t * 5) * scene.width // 40 >> 14)
    centre_y = scene.height // 2 + (sine_q14(t * 3) * scene.height // 60 >> 14)
    unit = scene.small_side
    _paint_face(scene, picture, centre_x, centre_y, unit)
    eye_height = 1 if t % 12 < 2 else max(1, unit // 30)
    for side in (-1, 1):
        _paint_ellipse(
            picture, centre_x + side * unit // 7, centre_y - unit // 10, unit // 20, eye_height, (30, 128, 128)
        )
    mouth_height = 1 + unit * (t * 3 % 7) // 100
    _paint_ellipse(picture, centre_x, centre_y + unit // 5, unit // 9, mouth_height, (50, 110, 160))
    return picture


def _paint_face(scene: Scene, picture: IntArray, centre_x: int, centre_y: int, unit: int) -> None:
    """An ellipse of skin whose faint texture moves with it."""
    reach_x, reach_y = unit * 3 // 10, unit * 2 // 5
    brush = brush_at(picture, centre_x, centre_y, reach_x, reach_y)
    skin = constant(120, 85, 118) + scene.world()[:, brush.dy + reach_y, brush.dx + reach_x].astype(np.int32) // 4
    brush.paint(picture, inside_ellipse(brush, reach_x, reach_y), skin)


def _paint_ellipse(picture: IntArray, x: int, y: int, reach_x: int, reach_y: int, colour: tuple[int, int, int]) -> None:
    brush = brush_at(picture, x, y, reach_x, reach_y)
    brush.paint(picture, inside_ellipse(brush, reach_x, reach_y), constant(*colour))


@kind
def text(scene: Scene, t: int) -> IntArray:
    """A page that scrolls a line every six frames, with a moving selection and a blinking cursor: screen content."""
    page = text_page(scene.width, 3 * scene.height, scene.seed)
    last_scroll = scene.timeline * 2 // 3
    top = min(t, last_scroll) // 6 * LINE_HEIGHT % scene.height
    ink = page[top : top + scene.height].astype(bool)
    lines_shown = max(1, scene.height // LINE_HEIGHT)
    line = np.arange(scene.height)[:, None] // LINE_HEIGHT
    selected = np.broadcast_to(line == t // 4 % lines_shown, ink.shape)
    luma = np.where(ink, 24, np.where(selected, 180, 224))
    if t // 5 % 2:
        luma[scene.height // 3 :, scene.width // 3 :][:LINE_HEIGHT, :2] = 24
    return picture_of(luma, np.where(selected, 160, GREY), np.where(selected, 110, GREY))


@kind
def gradient(scene: Scene, t: int) -> IntArray:
    """An evening sky that drifts slowly: smooth slopes of a few values, where banding shows."""
    y, x = _places(scene)
    clouds = value_noise(scene.width, scene.height, scene.seed, max(8, scene.width // 3), left=t) >> 4
    luma = 32 + y * 120 // scene.height + (x + t) * 40 // scene.width + clouds
    return picture_of(np.clip(luma, BLACK, WHITE), 150 - y * 30 // scene.height, 110 + x * 20 // scene.width)


@kind
def water(scene: Scene, t: int) -> IntArray:
    """Waves at several speeds and a flicker that is new in every second frame: texture that motion does not predict."""
    size = scene.width, scene.height
    waves = (
        value_noise(*size, scene.seed, 8, left=3 * t, top=t)
        + value_noise(*size, scene.seed + 1, 8, left=-2 * t, top=2 * t)
        + value_noise(*size, scene.seed + 1000 + t // 2, 4, left=t)
        + value_noise(*size, scene.seed + 3, 32, left=t)
    ) >> 2
    return picture_of(np.clip(110 + (waves - 128) * 2, BLACK, WHITE), 140 - (waves >> 4), 110 + (waves >> 4))


@kind
def gratings(scene: Scene, t: int) -> IntArray:
    """Twelve fields of stripes, each at another angle and pitch, rolling by: directional detail."""
    y, x = _places(scene)
    field = x * 4 // scene.width + 4 * (y * 3 // scene.height)
    luma = np.zeros(field.shape, np.int32)
    for index in range(12):
        across = x * sine_q14(index * 11) + y * cosine_q14(index * 11)
        phase = (across * (2 + index % 5) >> 14) + t
        np.copyto(luma, 128 + (phase % 16 - 8) * 11, where=field == index)
    return picture_of(luma)


@kind
def flat(scene: Scene, t: int) -> IntArray:
    """Black, and nothing else: the degenerate case."""
    return picture_of(np.full((scene.height, scene.width), BLACK, np.int32))


def _places(scene: Scene) -> tuple[IntArray, IntArray]:
    """Row and column of every sample, int32 (height, 1) and (1, width)."""
    return np.arange(scene.height, dtype=np.int32)[:, None], np.arange(scene.width, dtype=np.int32)[None, :]
