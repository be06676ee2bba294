"""Source pictures with borders and smaller sizes, and which of them become key frames."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.config import EncoderConfig
from encoder.frame.lookahead import Lookahead
from encoder.frame.scene_cut import MOST_SAMPLES, SceneCuts, is_explained, small_luma
from encoder.kernels.set_numpy import inter as numpy_inter
from encoder.kernels.set_numpy import motion as numpy_motion
from encoder.kernels.set_python import inter as python_inter
from encoder.kernels.set_python import motion as python_motion
from encoder.picture import REF_BORDER, Picture
from workbench.corpus.generator import Recipe, render

Luma = np.ndarray

NUMPY: Any = SimpleNamespace(downscale=numpy_motion.downscale, extend_edges=numpy_inter.extend_edges)
PYTHON: Any = SimpleNamespace(downscale=python_motion.downscale, extend_edges=python_inter.extend_edges)

# Kind, seed, size: the recipes of corpus/corpus.toml.
RECIPES = {
    "pan": (1, 352, 288),
    "zoomrot": (2, 416, 240),
    "occlude": (3, 352, 288),
    "cut": (4, 416, 240),
    "fade": (5, 352, 288),
    "flash": (6, 416, 240),
    "grain": (7, 352, 288),
    "sports": (8, 416, 240),
    "head": (9, 240, 416),
    "text": (10, 177, 145),
    "water": (12, 353, 241),
    "gratings": (13, 226, 182),
}
FRAMES = 30


def clip(kind: str, first: int = 0, frames: int = FRAMES) -> list[Luma]:
    """Luma of a clip of the corpus, or of some frames of it."""
    return [_luma(kind, t) for t in range(first, min(first + frames, FRAMES))]


@cache
def _luma(kind: str, t: int) -> Luma:
    seed, width, height = RECIPES[kind]
    ((luma, _, _),) = render(Recipe(kind, width, height, 1, Fraction(30), seed, t, FRAMES))
    return luma


def scenes(pictures: Iterable[Luma]) -> list[int]:
    """The pictures at which a scene begins, the first one apart, as the lookahead asks for them."""
    cuts, found, index = SceneCuts(), [], -1
    for index, luma in enumerate(pictures):
        cuts.add(luma)
        if index > 1 and cuts.begins_at(index - 1):
            found.append(index - 1)
    return [*found, index] if index > 0 and cuts.begins_at(index) else found


@pytest.mark.parametrize("kind", [kind for kind in RECIPES if kind != "cut"])
def test_motion_noise_and_light_are_no_scene_cuts(kind: str) -> None:
    assert scenes(clip(kind)) == []


def test_the_cut_of_the_corpus_is_found() -> None:
    assert scenes(clip("cut")) == [FRAMES // 2]


@pytest.fixture(scope="module")
def shots() -> dict[str, list[Luma]]:
    """Eight pictures each of several scenes, all of one size."""
    return {
        kind: [luma[:144, :176] for luma in clip(kind, 8, 8)] for kind in ("pan", "sports", "water", "head", "text")
    }


def test_cuts_between_all_kinds_of_scenes(shots: dict[str, list[Luma]]) -> None:
    for one in shots:
        for other in shots:
            if one != other:
                assert scenes([*shots[one], *shots[other]]) == [8], f"{one}, {other}"


def test_a_cut_in_the_dark(shots: dict[str, list[Luma]]) -> None:
    assert scenes([luma // 4 for luma in [*shots["pan"], *shots["sports"]]]) == [8]


def test_a_cut_is_found_in_the_last_picture_and_in_the_second(shots: dict[str, list[Luma]]) -> None:
    pan, head = shots["pan"], shots["head"]
    assert scenes([*pan, head[0]]) == [8]
    assert scenes([pan[0], *head]) == [1]
    assert scenes([pan[0], head[0]]) == [1]


@pytest.mark.parametrize("light", [0, 40, 200, 255])
def test_a_flash_is_no_scene(shots: dict[str, list[Luma]], light: int) -> None:
    """Neither where the picture is all white or black for a moment, nor behind it."""
    pan = shots["pan"]
    flash = np.full_like(pan[4], light)
    assert scenes([*pan[:4], flash, *pan[5:]]) == []


def test_a_foreign_picture_is_no_scene_but_two_cuts_are(shots: dict[str, list[Luma]]) -> None:
    pan, head, sports = shots["pan"], shots["head"], shots["sports"]
    assert scenes([*pan[:4], head[0], *pan[5:]]) == []
    assert scenes([*pan[:4], *head[:3], *pan[5:]]) == [4, 7]
    assert scenes([*pan[:4], *head[:3], *sports]) == [4, 7]


def test_a_dissolve_is_no_cut(shots: dict[str, list[Luma]]) -> None:
    pan, head = shots["pan"], shots["head"]
    still_pan, still_head = pan[-1].astype(int), head[0].astype(int)
    between = [((8 - t) * still_pan + t * still_head) // 8 for t in range(1, 8)]
    assert scenes([*pan, *(luma.astype(np.uint8) for luma in between), *head]) == []


def test_a_fade_from_black_is_no_cut(shots: dict[str, list[Luma]]) -> None:
    black = np.full_like(shots["pan"][0], 16)
    lit = [(16 + (luma.astype(int) - 16) * (t + 1) // 9).astype(np.uint8) for t, luma in enumerate(shots["pan"])]
    assert scenes([black, black, black, *lit, *shots["pan"]]) == []


def test_what_moves_fast_or_changes_its_light_is_explained() -> None:
    still = small_luma(clip("sports", 0, 1)[0])
    assert is_explained(still, np.roll(still, (3, -7), axis=(0, 1)))
    assert is_explained(still, still // 3 + 100)
    assert not is_explained(still, np.rot90(still, 2).copy())


def test_small_pictures_are_compared_whole() -> None:
    dark, light = np.zeros((2, 3), np.uint8), np.full((2, 3), 200, np.uint8)
    assert scenes([dark] * 6 + [light] * 6) == []  # another light
    texture = np.array([[0, 200, 0], [200, 0, 200]], np.uint8)
    assert scenes([dark] * 6 + [texture] * 6) == [6]
    assert small_luma(np.zeros((576, 1024), np.uint8)).size <= MOST_SAMPLES


def config(width: int = 64, height: int = 48, **settings: Any) -> EncoderConfig:
    return EncoderConfig(width, height, **settings)


def keys(pictures: Iterable[Picture], lookahead: Lookahead) -> list[bool]:
    return [key for picture in pictures for key in lookahead.send(picture)] + lookahead.flush()


def blank(count: int) -> Iterator[Picture]:
    return (Picture.allocate(8, 8) for _ in range(count))


@given(
    length=st.integers(1, 60),
    keyint=st.sampled_from([0, 1, 2, 7, 12, 30, 1000]),
    forced=st.lists(st.integers(0, 70), max_size=5).map(tuple),
)
def test_intervals_and_forced_frames(length: int, keyint: int, forced: tuple[int, ...]) -> None:
    settings = {"keyint": keyint, "forced_key_frames": forced}
    for scene_detection in (False, True):
        lookahead = Lookahead(config(8, 8, scene_detection=scene_detection, **settings), NUMPY)
        expected, last = [], 0
        for index in range(length):
            expected.append(index == 0 or index in forced or (bool(keyint) and index - last == keyint))
            last = index if expected[-1] else last
        assert keys(blank(length), lookahead) == expected


def test_only_a_scene_cut_makes_a_picture_wait() -> None:
    """For the next one, and only from min_keyint on."""
    lookahead = Lookahead(config(8, 8, min_keyint=3, keyint=5), NUMPY)
    assert [lookahead.send(picture) for picture in blank(8)] == [
        [True], [False], [False], [], [False], [False, True], [False], [False],
    ]  # fmt: skip
    assert lookahead.flush() == []
    lookahead = Lookahead(config(8, 8, scene_detection=False), NUMPY)
    assert [lookahead.send(picture) for picture in blank(2)] == [[True], [False]]


def pictures_of(lumas: Iterable[Luma]) -> Iterator[Picture]:
    """All in one buffer, as a reader of files gives them."""
    picture: Picture | None = None
    for luma in lumas:
        picture = picture or Picture.allocate(luma.shape[1], luma.shape[0])
        picture.plane(0)[:] = luma
        yield picture


def key_indices(lumas: list[Luma], **settings: Any) -> list[int]:
    lookahead = Lookahead(config(lumas[0].shape[1], lumas[0].shape[0], **settings), NUMPY)
    return [index for index, key in enumerate(keys(pictures_of(lumas), lookahead)) if key]


def test_a_scene_begins_with_a_key_frame_unless_the_last_one_is_too_near() -> None:
    cut = clip("cut", 5, 25)
    assert key_indices(cut, min_keyint=0) == [0, 10]
    assert key_indices(cut, min_keyint=10) == [0, 10]
    assert key_indices(cut) == [0]  # 12
    assert key_indices(cut, min_keyint=0, scene_detection=False) == [0]
    assert key_indices(cut, keyint=9) == [0, 9, 18]  # the cut is too near behind the one at 9
    assert key_indices(cut, min_keyint=0, forced_key_frames=(3,), keyint=8) == [0, 3, 10, 18]


@pytest.mark.parametrize("kind, expected", [("cut", [0, 15]), ("flash", [0]), ("fade", [0]), ("pan", [0])])
def test_key_frames_of_the_corpus(kind: str, expected: list[int]) -> None:
    assert key_indices(clip(kind)) == expected


def moving(width: int, height: int, frames: int) -> Iterator[Picture]:
    """One buffer, another picture each time."""
    random, picture = np.random.default_rng(1), Picture.allocate(width, height)
    for _ in range(frames):
        for p in range(3):
            plane = picture.plane(p)
            plane[:] = random.integers(0, 256, plane.shape)
        yield picture


@pytest.mark.parametrize("width, height", [(64, 48), (130, 67), (9, 8)])
def test_what_is_kept_of_a_picture(width: int, height: int) -> None:
    lookahead = Lookahead(config(width, height), NUMPY)
    originals = []
    for picture in moving(width, height, 3):
        lookahead.send(picture)
        originals.append([picture.plane(p).copy() for p in range(3)])
    for index, planes in enumerate(originals):
        kept = lookahead[index]
        assert kept.display_index == index
        for p in range(3):
            # The whole allocated area of the plane with its border, from the visible samples.
            plane, picture = planes[p], kept.picture
            rows = picture.allocated_height // (2 if p else 1) - plane.shape[0] + REF_BORDER
            columns = picture.stride[p] - plane.shape[1] - REF_BORDER
            expected = np.pad(plane, ((REF_BORDER, rows), (REF_BORDER, columns)), mode="edge")
            first = picture.origin[p] - REF_BORDER * (picture.stride[p] + 1)
            assert (picture.samples[first : first + expected.size].reshape(expected.shape) == expected).all()
        luma = np.pad(planes[0], ((0, -height % 64), (0, -width % 64)), mode="edge").astype(int)
        for level in range(3):
            assert (kept.pyramid.plane(level) == luma).all()
            rows, columns = luma.shape
            luma = luma.reshape(rows // 2, 2, columns // 2, 2).sum(axis=(1, 3)) + 2 >> 2


def test_released_pictures_are_gone() -> None:
    lookahead = Lookahead(config(), NUMPY)
    for picture in moving(64, 48, 3):
        lookahead.send(picture)
    lookahead.release(1)
    with pytest.raises(KeyError):
        lookahead[1]
    assert lookahead[2].display_index == 2


def test_the_interpreted_sets_keep_the_same() -> None:
    kept = []
    for kernels in (NUMPY, PYTHON):
        lookahead = Lookahead(config(), kernels)
        for picture in moving(64, 48, 1):
            lookahead.send(picture)
        kept.append(lookahead[0])
    assert (kept[0].picture.samples == kept[1].picture.samples).all()
    assert (kept[0].pyramid.samples == kept[1].pyramid.samples).all()
