"""The intra kernels: the reference does what an independent description of each predictor says."""

from typing import Any

import numpy as np
import pytest

from encoder.kernels.cases.fills import SIZES
from encoder.kernels.cases.intra import ANGLES, can_upsample
from encoder.kernels.load import load_kernels
from encoder.kernels.table import EDGE_AT, MAX_EDGE, SLOTS, Kernels

INTRA_SLOTS = [name for name, slot in SLOTS.items() if slot.family == "intra"]
PREDICTORS = [name for name in INTRA_SLOTS if name.startswith("predict_") and name != "predict_directional"]
PYTHON = load_kernels("python").kernels


@pytest.fixture(scope="module", params=["numpy", "numba", "simd"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return load_kernels(request.param).kernels


@pytest.fixture(scope="module", params=["python", "numpy", "numba", "simd"])
def any_kernels(request: pytest.FixtureRequest) -> Kernels:
    return load_kernels(request.param).kernels


def some_edges(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A random above row and left column with one corner."""
    above, left = np.random.default_rng(seed).integers(0, 256, (2, MAX_EDGE), dtype=np.uint8)
    left[EDGE_AT - 1] = above[EDGE_AT - 1]
    return above, left


def predict(table: Any, slot: str, w: int, h: int, above: np.ndarray, left: np.ndarray, *more: int) -> np.ndarray:
    """The predicted block, h x w; the edges begin at EDGE_AT."""
    dst = np.zeros(w * h, np.uint8)
    getattr(table, slot)(dst, 0, w, w, h, above, EDGE_AT, left, EDGE_AT, *more)
    return dst.reshape(h, w).astype(np.int64)


def more_arguments(slot: str) -> tuple[int, ...]:
    """What predict_dc takes besides the edges."""
    return (1, 1) if slot == "predict_dc" else ()


@pytest.mark.parametrize("angle", ANGLES)
def test_set_matches_python_at_every_size(kernels: Kernels, angle: int) -> None:
    above, left = some_edges(angle)
    for w, h in SIZES:
        for up_above in range(1 + can_upsample(w, h, angle - 90)):
            for up_left in range(1 + can_upsample(w, h, angle - 180)):
                arguments = ("predict_directional", w, h, above, left, angle, up_above, up_left)
                np.testing.assert_array_equal(predict(kernels, *arguments), predict(PYTHON, *arguments), f"{w}x{h}")


@pytest.mark.parametrize("angle", ANGLES)
def test_directional_reads_only_its_edges(any_kernels: Kernels, angle: int) -> None:
    """What lies in front of the corner and behind w + h entries changes nothing."""
    for w, h in SIZES:
        up_above, up_left = int(can_upsample(w, h, angle - 90)), int(can_upsample(w, h, angle - 180))
        blocks = []
        for guard in (0, 255):
            above, left = some_edges()
            for edge, up in ((above, up_above), (left, up_left)):
                edge[: EDGE_AT - 1 - up] = guard
                edge[EDGE_AT + ((w + h - 1) << up) + 1 :] = guard
            blocks.append(predict(any_kernels, "predict_directional", w, h, above, left, angle, up_above, up_left))
        np.testing.assert_array_equal(*blocks, f"{w}x{h}")


@pytest.mark.parametrize("slot", PREDICTORS)
def test_other_predictors_read_only_their_edges(any_kernels: Kernels, slot: str) -> None:
    for w, h in SIZES:
        blocks = []
        for guard in (0, 255):
            above, left = some_edges()
            for edge, count in ((above, w), (left, h)):
                edge[: EDGE_AT - 1] = guard
                edge[EDGE_AT + count :] = guard
            blocks.append(predict(any_kernels, slot, w, h, above, left, *more_arguments(slot)))
        np.testing.assert_array_equal(*blocks, f"{w}x{h}")


# --- the reference against independent descriptions


@pytest.mark.parametrize(("have_above", "have_left"), [(0, 1), (1, 0), (1, 1)])
def test_dc_is_the_rounded_mean_of_known_edges(have_above: int, have_left: int) -> None:
    above, left = some_edges()
    for w, h in SIZES:
        known = [*above[EDGE_AT : EDGE_AT + w * have_above].tolist(), *left[EDGE_AT : EDGE_AT + h * have_left].tolist()]
        expected = np.floor(np.mean(known) + 0.5)
        assert (predict(PYTHON, "predict_dc", w, h, above, left, have_above, have_left) == expected).all()


def test_dc_without_edges_is_mid_grey() -> None:
    assert (predict(PYTHON, "predict_dc", 8, 4, *some_edges(), 0, 0) == 128).all()


def test_paeth_takes_the_nearest_of_left_top_and_corner() -> None:
    above, left = some_edges()
    block = predict(PYTHON, "predict_paeth", 16, 8, above, left)
    corner = int(above[EDGE_AT - 1])
    for (y, x), value in np.ndenumerate(block):
        side, top = int(left[EDGE_AT + y]), int(above[EDGE_AT + x])
        # min takes the first of equals: left before top before corner.
        assert value == min((side, top, corner), key=lambda p: abs(p - (top + side - corner)))


@pytest.mark.parametrize("side", [4, 8, 16, 32, 64])
def test_smooth_weights_fall_from_the_near_edge_to_the_far_sample(side: int) -> None:
    """From an edge of 255 to a far sample of 0, the prediction is the weight itself, scaled: 255 of 256 at first."""
    above, left = np.full(MAX_EDGE, 255, np.uint8), np.zeros(MAX_EDGE, np.uint8)
    column = predict(PYTHON, "predict_smooth_v", side, side, above, left)[:, 0]
    assert column[0] == 254
    assert (np.diff(column) <= 0).all()
    # The published weights end near 1 / side of the way, with a floor for large blocks.
    assert column[-1] == {4: 64, 8: 32, 16: 16, 32: 8, 64: 4}[side]


@pytest.mark.parametrize(("w", "h"), SIZES)
def test_smooth_is_the_mean_of_smooth_v_and_smooth_h(w: int, h: int) -> None:
    above, left = some_edges()
    smooth, vertical, horizontal = (
        predict(PYTHON, slot, w, h, above, left) for slot in ("predict_smooth", "predict_smooth_v", "predict_smooth_h")
    )
    # The two are rounded to integers, their mean is not: half a step each way.
    assert np.abs(smooth - (vertical + horizontal) / 2).max() <= 1


@pytest.mark.parametrize(("w", "h"), SIZES)
@pytest.mark.parametrize(
    ("slot", "transposed"),
    [
        ("predict_v", "predict_h"),
        ("predict_smooth_v", "predict_smooth_h"),
        ("predict_smooth", "predict_smooth"),
    ],
)
def test_exchanged_edges_give_the_transposed_block(slot: str, transposed: str, w: int, h: int) -> None:
    above, left = some_edges()
    block = predict(PYTHON, slot, w, h, above, left)
    np.testing.assert_array_equal(predict(PYTHON, transposed, h, w, left, above), block.T)


@pytest.mark.parametrize("angle", ANGLES)
def test_directional_continues_a_plane_wave(angle: int) -> None:
    """Edges cut out of a picture that is constant along the direction bring back that picture, upsampled or not.

    The slope, 3 a sample, shows an edge read one entry off; what remains is rounding and the table's angles.
    """
    radians = np.deg2rad(angle)

    def picture(x: np.ndarray | int, y: np.ndarray | int) -> np.ndarray:
        return 128 + 3 * (np.asarray(x) * np.sin(radians) + np.asarray(y) * np.cos(radians))

    along = np.arange(MAX_EDGE) - EDGE_AT
    for w, h in ((4, 4), (8, 8), (4, 8), (8, 4), (16, 16), (8, 16)):
        for upsample in (False, True):
            above, left = (
                edge.round().clip(0, 255).astype(np.uint8) for edge in (picture(along, -1), picture(-1, along))
            )
            up_above = int(upsample and can_upsample(w, h, angle - 90))
            up_left = int(upsample and can_upsample(w, h, angle - 180))
            if up_above:
                PYTHON.upsample_edge(above, EDGE_AT, w + (h if angle < 90 else 0))
            if up_left:
                PYTHON.upsample_edge(left, EDGE_AT, h + (w if angle > 180 else 0))
            block = predict(PYTHON, "predict_directional", w, h, above, left, angle, up_above, up_left)
            x, y = np.arange(w), np.arange(h)[:, None]
            # Flat directions leave the row above behind its last entry, which is then repeated.
            inside = x + (y + 1) / np.tan(radians) < w + h - 1 if angle < 90 else np.full((h, w), True)
            assert np.abs(block - picture(x, y))[inside].max() <= 1.75, f"{w}x{h}"


def test_directional_at_45_degrees_is_a_shift_until_the_last_entry() -> None:
    above, left = some_edges()
    block = predict(PYTHON, "predict_directional", 8, 16, above, left, 45, 0, 0)
    for (y, x), value in np.ndenumerate(block):
        assert value == above[EDGE_AT + min(x + y + 1, 8 + 16 - 1)]


def test_directional_at_135_degrees_is_a_shift_along_the_diagonal() -> None:
    above, left = some_edges()
    block = predict(PYTHON, "predict_directional", 16, 8, above, left, 135, 0, 0)
    for (y, x), value in np.ndenumerate(block):
        assert value == (above[EDGE_AT + x - y - 1] if x >= y else left[EDGE_AT + y - x - 1])


@pytest.mark.parametrize(("angle", "slot"), [(90, "predict_v"), (180, "predict_h")])
def test_directional_is_v_and_h_at_right_angles(any_kernels: Kernels, angle: int, slot: str) -> None:
    above, left = some_edges()
    block = predict(any_kernels, "predict_directional", 8, 16, above, left, angle, 0, 0)
    np.testing.assert_array_equal(block, predict(any_kernels, slot, 8, 16, above, left))


@pytest.mark.parametrize("strength", [1, 2, 3])
@pytest.mark.parametrize("size", [5, 9, 33, 129])
def test_filter_edge_is_a_convolution_that_keeps_the_corner(strength: int, size: int) -> None:
    edge, _ = some_edges()
    taps = {1: [4, 8, 4], 2: [5, 6, 5], 3: [2, 4, 4, 4, 2]}[strength]
    padded = np.pad(edge[EDGE_AT - 1 : EDGE_AT - 1 + size].astype(np.int64), len(taps) // 2, mode="edge")
    filtered = (np.convolve(padded, taps, "valid") + 8) // 16
    expected = edge.copy()
    expected[EDGE_AT : EDGE_AT - 1 + size] = filtered[1:]
    PYTHON.filter_edge(edge, EDGE_AT, size, strength)
    np.testing.assert_array_equal(edge, expected)


@pytest.mark.parametrize("count", [4, 8, 12, 16])
def test_upsample_edge_puts_interpolated_entries_between_the_old_ones(count: int) -> None:
    edge, _ = some_edges()
    old = edge[EDGE_AT - 1 : EDGE_AT + count].astype(np.int64)
    between = np.convolve(np.pad(old, 1, mode="edge"), [-1, 9, 9, -1], "valid")
    expected = edge.copy()
    expected[EDGE_AT - 2 : EDGE_AT + 2 * count - 1 : 2] = old
    expected[EDGE_AT - 1 : EDGE_AT + 2 * count - 2 : 2] = ((between + 8) // 16).clip(0, 255)
    PYTHON.upsample_edge(edge, EDGE_AT, count)
    np.testing.assert_array_equal(edge, expected)


def test_cfl_ac_is_eight_times_the_luma_mean_without_its_own_mean() -> None:
    luma = np.random.default_rng(0).integers(0, 256, (32, 16), dtype=np.uint8)
    ac = np.zeros(8 * 16, np.int16)
    PYTHON.cfl_ac(luma.ravel(), 0, 16, ac, 8, 16, 8, 16)
    expected = 8 * luma.reshape(16, 2, 8, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(ac.reshape(16, 8), expected - np.floor(expected.mean() + 0.5))


def test_cfl_ac_repeats_the_last_visible_column_and_row(any_kernels: Kernels) -> None:
    luma = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    ac = np.zeros((2, 16 * 16), np.int16)
    any_kernels.cfl_ac(luma.ravel(), 0, 32, ac[0], 16, 16, 10, 6)
    luma[:, 20:] = np.tile(luma[:, 18:20], 6)
    luma[12:] = np.tile(luma[10:12], (10, 1))
    any_kernels.cfl_ac(luma.ravel(), 0, 32, ac[1], 16, 16, 16, 16)
    np.testing.assert_array_equal(ac[0], ac[1])


@pytest.mark.parametrize("alpha", [-16, -3, 0, 1, 8, 16])
def test_cfl_predict_adds_alpha_64ths_rounded_away_from_zero(alpha: int) -> None:
    ac = np.arange(-32, 32, dtype=np.int16) * 31
    dst = np.full(64, 100, np.uint8)
    PYTHON.cfl_predict(dst, 0, 8, 8, 8, ac, alpha)
    scaled = alpha * ac.astype(float) / 64
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    np.testing.assert_array_equal(dst, (100 + rounded).clip(0, 255))
