"""The generated clips: the same bytes everywhere, integers all the way, and each kind with its own character."""

import ast
import hashlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import workbench.corpus.generator as generator
from workbench.corpus import y4m
from workbench.corpus.generator import KINDS, Recipe, Scene, arithmetic, pictures, render, y4m_chunks
from workbench.corpus.generator.font import GLYPHS

HASH_VALUES = [1488843648, 2536059893, 2400909362]
SOURCES = sorted(Path(generator.__file__).parent.glob("*.py"))
KINDS_OF_THE_ISSUE = (
    "pan", "zoomrot", "occlude", "cut", "fade", "flash", "grain", "sports",
    "head", "text", "gradient", "water", "gratings", "flat",
)  # fmt: skip
FORBIDDEN_NAMES = {
    "float", "double", "float16", "float32", "float64", "longdouble", "complex", "true_divide", "divide", "random",
    "mean", "average", "std", "var", "sqrt", "power", "exp", "log", "log2", "sin", "cos", "tan", "arctan2", "hypot",
    "linspace", "interp", "convolve", "rint", "floor", "ceil",
}  # fmt: skip


def small_recipe(
    kind: str, width: int = 64, height: int = 48, frames: int = 6, timeline: int = 12, first: int = 0
) -> Recipe:
    return Recipe(kind, width, height, frames, Fraction(30), 5, first, timeline)


def luma_of(kind: str, **changes: int) -> list[np.ndarray]:
    """The luma planes of a kind's small clip, wide enough to subtract."""
    return [luma.astype(int) for luma, _, _ in render(small_recipe(kind, **changes))]


def mean_change(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(after - before).mean())


# --- the same bytes everywhere ----------------------------------------------------------------------------------------


def test_every_kind_of_the_issue_is_there():
    assert tuple(KINDS) == KINDS_OF_THE_ISSUE


@pytest.mark.parametrize("name", ["text", "gratings", "water", "occlude"])
def test_whole_clip_has_the_sha256_of_the_manifest(project_corpus, name):
    """Some of the default tier at full size; the tiny versions of all are made in test_cache.py."""
    (clip,) = project_corpus.named([name])
    source = clip.source
    recipe = Recipe(source.recipe, clip.width, clip.height, clip.frames, clip.fps, source.seed, 0, clip.frames)
    hasher = hashlib.sha256()
    for chunk in y4m_chunks(recipe):
        hasher.update(chunk)
    assert hasher.hexdigest() == clip.sha256


def test_hash_has_its_known_values():
    """The foundation of all clips, pinned: were it to change, every sha256 would, and this says why."""
    found = arithmetic.hash32(1, np.array([0, 1, -1]), np.array([7]))
    assert found.dtype == np.uint32
    assert found.tolist() == HASH_VALUES
    assert [arithmetic.dice(1, x, 7) for x in (0, 1, -1)] == HASH_VALUES


def test_hash_bits_are_balanced():
    words = arithmetic.hash32(3, np.arange(4096)[:, None], np.arange(4)[None, :])
    share_of_ones = [int((words >> np.uint32(bit) & np.uint32(1)).sum()) / words.size for bit in range(32)]
    assert all(abs(share - 0.5) < 0.02 for share in share_of_ones)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_source_names_no_floating_point(path):
    """No float literal, no true division, no function of numpy or math that yields floats."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        place = f"{path.name}:{getattr(node, 'lineno', '?')}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)), f"{place} a float"
        assert not isinstance(node, ast.BinOp | ast.AugAssign) or not isinstance(node.op, ast.Div), (
            f"{place} a division"
        )
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        assert name not in FORBIDDEN_NAMES, f"{place} {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_intermediates_are_integers(kind, monkeypatch):
    """Every array that a step of the generator hands on is of an integer type."""
    steps = (
        "value_noise",
        "fractal_noise",
        "grain_noise",
        "hash32",
        "camera",
        "turned_camera",
        "picture_of",
        "constant",
    )
    seen = []
    for module in (arithmetic, pictures, generator.kinds):
        for step in steps:
            if hasattr(module, step):
                monkeypatch.setattr(module, step, recording(getattr(module, step), seen))
    pictures.dead_leaves.cache_clear()
    picture = KINDS[kind](Scene(40, 30, 12, 3), 3)
    assert np.issubdtype(picture.dtype, np.integer)
    assert seen, "the kind used none of the steps"
    assert {dtype for dtype in seen if not np.issubdtype(dtype, np.integer)} == set()


def recording(step, seen):
    def recorded(*arguments, **options):
        result = step(*arguments, **options)
        seen.append(result.dtype)
        return result

    return recorded


@pytest.mark.parametrize("kind", KINDS)
def test_frame_does_not_depend_on_the_frames_before(kind):
    """Any part of a story can be made alone: the tiny versions rely on it."""
    whole = list(render(small_recipe(kind, frames=6)))
    part = list(render(small_recipe(kind, frames=2, first=4)))
    for expected, found in zip(whole[4:], part, strict=True):
        assert all(np.array_equal(e, f) for e, f in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (8, 8), (17, 9), (9, 70), (131, 67)], ids=lambda size: f"{size[0]}x{size[1]}"
)
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_can_be_made(kind, size):
    """Odd sizes have chroma rounded up, the samples stay in range, the file has the size that its header promises."""
    width, height = size
    recipe = small_recipe(kind, width=width, height=height, frames=2, first=7)
    for luma, cb, cr in render(recipe):
        assert luma.shape == (height, width)
        assert cb.shape == cr.shape == ((height + 1) // 2, (width + 1) // 2)
        assert {plane.dtype for plane in (luma, cb, cr)} == {np.dtype(np.uint8)}
        assert luma.min() >= 16
    assert sum(map(len, y4m_chunks(recipe))) == y4m.size_bytes(width, height, Fraction(30), 2)


def test_picture_values_never_wrap():
    """The conversion to 8 bits finds nothing to cut: a wrapped sample would be a white dot in the dark."""
    for kind, draw in KINDS.items():
        for t in (0, 3, 6, 11, 999):
            picture = draw(Scene(96, 64, 1000 if t > 11 else 12, 11), t)
            assert picture.min() >= 0 and picture.max() <= 255, f"{kind} at frame {t}"


def test_y4m_has_header_and_frames():
    recipe = small_recipe("flat", width=5, height=3, frames=2)
    content = b"".join(y4m_chunks(recipe))
    header, rest = content.split(b"\n", 1)
    assert header == b"YUV4MPEG2 W5 H3 F30:1 Ip A1:1 C420jpeg"
    assert rest == 2 * (b"FRAME\n" + bytes([16] * 15) + bytes([128] * 12))


# --- the character of each kind ---------------------------------------------------------------------------------------


def test_pan_moves_the_whole_picture():
    """Eight frames on, the picture is the first one, moved by 19 and 5 samples."""
    frames = luma_of("pan", width=128, height=96, frames=9)
    assert mean_change(frames[8][:-5, :-19], frames[0][5:, 19:]) == 0
    assert mean_change(frames[8], frames[0]) > 5


def test_zoomrot_turns_about_the_middle():
    """The middle stays, the corners move."""
    frames = luma_of("zoomrot", width=128, height=96, frames=9)
    change = np.abs(frames[8] - frames[0])
    assert change[44:52, 60:68].mean() < change[:16, :16].mean()


def test_turned_camera_without_a_turn_is_the_camera():
    picture = pictures.dead_leaves(90, 70, 1)
    still = pictures.turned_camera(picture, 41, 32, arithmetic.ONE_Q14, 0)
    assert np.array_equal(still, pictures.camera(picture, 41, 32))


def test_camera_goes_on_as_a_mirror():
    picture = np.arange(12, dtype=np.uint8).reshape(1, 1, 12)
    window = pictures.camera(picture, 6, 1, shift_x_q14=6 * arithmetic.ONE_Q14)
    assert window[0, 0].tolist() == [9, 10, 11, 11, 10, 9]


def test_camera_blends_between_samples():
    picture = np.array([0, 100, 200, 40], np.uint8).reshape(1, 1, 4)
    window = pictures.camera(picture, 2, 1, shift_x_q14=arithmetic.ONE_Q14 // 4)
    assert window[0, 0].tolist() == [125, 160]


def test_occlude_moves_discs_and_background_differently():
    """No one shift explains the change: some of the picture moves by the background's half sample, some far more."""
    frames = luma_of("occlude", width=128, height=96, frames=3)
    by_background = np.abs(frames[2][:, :-1] - frames[0][:, 1:])
    assert (by_background == 0).mean() > 0.4
    assert (by_background > 20).mean() > 0.02


def test_cut_changes_the_scene_in_the_middle_only():
    frames = luma_of("cut", frames=12)
    changes = [mean_change(*pair) for pair in pairwise(frames)]
    assert int(np.argmax(changes)) == 5
    assert changes[5] > 3 * max(changes[:5] + changes[6:])


def test_fade_rises_from_black_and_falls_again():
    means = [frame.mean() for frame in luma_of("fade", frames=12)]
    assert means[0] < 24 and means[-1] < 24 and max(means) > 60
    assert means[:6] == sorted(means[:6]) and means[6:] == sorted(means[6:], reverse=True)


def test_flash_lasts_one_frame():
    means = [frame.mean() for frame in luma_of("flash", frames=6)]
    assert means[3] > 40 + max(means[:3] + means[4:])


def test_grain_is_noise_and_new_in_every_frame():
    frames = luma_of("grain", width=128, height=96, frames=2)
    noise = (frames[1] - frames[0])[frames[0] > 40]
    assert 8 < noise.std() < 16
    assert abs(noise.mean()) < 1


def test_sports_changes_most_of_the_picture():
    frames = luma_of("sports", width=128, height=96, frames=2)
    assert (frames[1] != frames[0]).mean() > 0.9


def test_head_moves_and_the_room_does_not():
    frames = luma_of("head", width=128, height=96, frames=6)
    change = np.abs(frames[5] - frames[0])
    assert change[:, :16].max() == 0 and change[:8].max() == 0
    assert change[30:70, 40:88].max() > 20


def test_text_has_few_values_and_hard_edges():
    frames = luma_of("text", frames=12)
    assert set(np.unique(frames[0])) <= {24, 180, 224}
    assert np.array_equal(frames[6][: -pictures.LINE_HEIGHT, :20][20:], frames[0][pictures.LINE_HEIGHT :, :20][20:])


def test_gradient_has_no_edge():
    luma = luma_of("gradient", width=128, height=96)[0]
    assert np.abs(np.diff(luma, axis=0)).max() <= 4 and np.abs(np.diff(luma, axis=1)).max() <= 4
    assert luma.max() - luma.min() > 80


def test_water_is_predicted_by_no_shift():
    before, after = luma_of("water", width=128, height=96, frames=5)[::4]
    best = min(
        mean_change(before[8:-8, 8:-8], np.roll(after, (dy, dx), (0, 1))[8:-8, 8:-8])
        for dy in range(-8, 9)
        for dx in range(-8, 9)
    )
    assert best > 10


def test_gratings_have_twelve_directions():
    """Each field's strongest frequency is another one."""
    luma = luma_of("gratings", width=256, height=192)[0]
    peaks = set()
    for row in range(3):
        for column in range(4):
            field = luma[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
            spectrum = np.abs(np.fft.rfft2(field - field.mean()))
            peaks.add(np.unravel_index(spectrum.argmax(), spectrum.shape))
    assert len(peaks) == 12


def test_flat_is_black():
    assert all((frame == 16).all() for frame in luma_of("flat"))


# --- the pieces -------------------------------------------------------------------------------------------------------


def test_sine_agrees_with_the_real_one():
    steps = np.arange(-300, 300)
    real = np.sin(2 * np.pi * steps / arithmetic.STEPS_PER_TURN) * arithmetic.ONE_Q14
    assert np.abs([arithmetic.sine_q14(int(step)) for step in steps] - real).max() <= 1


def test_noise_plane_is_endless():
    """A window of the plane does not depend on where it was cut, left of zero as right of it."""
    whole = arithmetic.value_noise(80, 60, 4, 8, left=-40, top=-30)
    part = arithmetic.value_noise(20, 10, 4, 8, left=-13, top=5)
    assert np.array_equal(part, whole[35:45, 27:47])
    assert whole.min() >= 0 and whole.max() <= 255


def test_leaves_follow_the_power_law():
    """Twice the radius is a quarter as frequent, up to the largest leaf."""
    rolls = arithmetic.hash32(1, np.arange(20_000)).tolist()
    radii = np.array([pictures._leaf_radius(roll, 10, 160) for roll in rolls])
    assert radii.min() == 10 and radii.max() == 160
    for factor in (2, 4, 8):
        assert abs((radii > 10 * factor).mean() * factor**2 - 1) < 0.25


def test_glyphs_differ_from_each_other():
    assert len(GLYPHS) == 36 and GLYPHS[0].shape == (7, 5)
    assert len({glyph.tobytes() for glyph in GLYPHS}) == 36
