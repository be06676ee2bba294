"""The frame filters: edges and blocks against the specification's own loops; the same frames from all sets."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from encoder.compiled import compiled
from encoder.frame import filters
from encoder.frame.filter_levels import cdef_strengths, loop_filter_levels
from encoder.frame.filters import FilterView
from encoder.kernels.load import load_kernels
from encoder.kernels.table import CDEF_UNAVAILABLE
from encoder.picture import Picture
from encoder.spec import BLOCK_64X64, TX_64X64
from tests.frame.whole import cdef_frame, deblock_frame

PYTHON = load_kernels("python").kernels
BLOCK_SIDES = list(zip(1 << filters.BLOCK_WIDTH_LOG2, 1 << filters.BLOCK_HEIGHT_LOG2, strict=True))
TX_SIDES = list(zip(1 << filters.TX_WIDTH_LOG2, 1 << filters.TX_HEIGHT_LOG2, strict=True))
"""Width and height in mi by the specification's number."""
CDEF_SETS = [
    (0, 0, 0, 0),
    (4, 2, 3, 1),
    (9, 0, 0, 4),
    (0, 1, 15, 0),
    (15, 4, 8, 2),
    (1, 0, 1, 0),
    (0, 4, 0, 2),
    (3, 1, 0, 0),
]
"""Luma primary, luma secondary, chroma primary, chroma secondary."""
SIZES = [(64, 64), (72, 40), (65, 67), (130, 50), (16, 200), (8, 8), (33, 1)]


def frame(picture: Picture, rng: np.random.Generator | None = None, **changes: object) -> FilterView:
    """A picture with blocks drawn at random; without a generator one block of 64x64 after the other."""
    mi_rows, mi_cols = (2 * ((side + 7) // 8) for side in (picture.height, picture.width))
    stride, rows = picture.allocated_width // 4, picture.allocated_height // 4
    info = {name: np.zeros((rows, stride), np.uint8) for name in ("block_size", "tx_size", "skip", "is_inter")}
    info["block_size"][:] = BLOCK_64X64
    info["tx_size"][:] = TX_64X64
    sb_count = (rows // 16) * (stride // 16)
    fields = {
        "loop_filter_level": np.array([20, 30, 12, 9]),
        "cdef_idx": np.zeros(sb_count, np.int8),
        "cdef_sets": CDEF_SETS[1:2],
    }
    if rng is not None:
        for row in range(0, rows, 16):
            for col in range(0, stride, 16):
                draw_blocks(rng, info, row, col, 16, 16)
        fields["cdef_idx"] = rng.integers(-1, 8, sb_count).astype(np.int8)
        fields["cdef_sets"] = CDEF_SETS
    fields |= changes
    sets = np.array(fields.pop("cdef_sets"), np.int64).T.copy()
    names = ("cdef_y_pri_strength", "cdef_y_sec_strength", "cdef_uv_pri_strength", "cdef_uv_sec_strength")
    return FilterView(
        samples=picture.samples,
        origin=np.array(picture.origin),
        stride=np.array(picture.stride),
        width=picture.width,
        height=picture.height,
        mi_rows=mi_rows,
        mi_cols=mi_cols,
        mi_stride=stride,
        loop_filter_sharpness=0,
        cdef_damping=5,
        **dict(zip(names, sets, strict=True)),
        **{name: values.ravel() for name, values in info.items()},
        **fields,
    )


def draw_blocks(rng: np.random.Generator, info: dict[str, np.ndarray], row: int, col: int, w: int, h: int) -> None:
    """Split w x h mi in four, in two or not at all; a block has the largest transforms, or smaller ones."""
    kind = rng.choice(["split", "wide", "tall", "none"], p=(0.6, 0.1, 0.1, 0.2)) if w == h > 1 else "none"
    if kind != "none":
        part_w, part_h = (w if kind == "wide" else w // 2), (h if kind == "tall" else h // 2)
        for y in range(0, h, part_h):
            for x in range(0, w, part_w):
                draw_blocks(rng, info, row + y, col + x, part_w, part_h)
        return
    depth = rng.integers(2) if min(w, h) > 1 else 0
    area = np.s_[row : row + h, col : col + w]
    info["block_size"][area] = BLOCK_SIDES.index((w, h))
    info["tx_size"][area] = TX_SIDES.index((w >> depth, h >> depth))
    info["skip"][area] = rng.integers(2)
    info["is_inter"][area] = rng.integers(2)


def picture_of(width: int, height: int, seed: int = 1) -> Picture:
    """Blocks of 4x4 with small steps between them and some noise, beyond the visible samples too, as in a decoder."""
    rng = np.random.default_rng(seed)
    picture = Picture.allocate(width, height)
    for p in range(3):
        h, w = (side >> (p > 0) for side in (picture.allocated_height, picture.allocated_width))
        steps = rng.integers(-12, 13, (h // 4, w // 4)).repeat(4, axis=0).repeat(4, axis=1)
        slope = np.add.outer(np.arange(h), np.arange(w)) // 3
        noise = rng.integers(-1, 2, (h, w)) * rng.integers(0, 4, (h // 4, w // 4)).repeat(4, axis=0).repeat(4, axis=1)
        plane = (90 + steps + slope + noise).clip(0, 255).astype(np.uint8)
        picture.samples[picture.origin[p] :][: h * w] = plane.ravel()
    return picture


def edges_by_specification(f: FilterView) -> set[tuple[int, ...]]:
    """The loops of spec 7.14.1 and 7.14.2, literally: (plane, pass, x, y, filter_size) of four samples of an edge."""
    edges = set()
    for plane in range(3):
        sub = int(plane > 0)
        for pass_number in range(2):
            for row in range(0, f.mi_rows, 1 << sub):
                for col in range(0, f.mi_cols, 1 << sub):
                    x, y, dx, dy = 4 * col, 4 * row, 1 - pass_number, pass_number
                    if x >= f.width or y >= f.height or (x, y)[pass_number] == 0:
                        continue
                    mi = (row | sub) * f.mi_stride + (col | sub)
                    prev_mi = mi - (dy << sub) * f.mi_stride - (dx << sub)
                    along = (x, y)[pass_number] >> sub
                    block, tx = block_side(f, mi, plane, pass_number), tx_side(f, mi, plane, pass_number)
                    if along % tx or not (along % block == 0 or f.skip[mi] == 0 or f.is_inter[mi] == 0):
                        continue
                    size = min(tx, tx_side(f, prev_mi, plane, pass_number), 8 if plane else 16)
                    edges.add((plane, pass_number, x >> sub, y >> sub, size))
    return edges


def block_side(f: FilterView, mi: int, plane: int, pass_number: int) -> int:
    """Block_Width or Block_Height of the plane's residual block."""
    return max(4, 4 * int(BLOCK_SIDES[f.block_size[mi]][pass_number]) >> (plane > 0))


def tx_side(f: FilterView, mi: int, plane: int, pass_number: int) -> int:
    """Tx_Width or Tx_Height of LoopfilterTxSizes."""
    if plane:
        return min(32, block_side(f, mi, plane, pass_number))
    return 4 * int(TX_SIDES[f.tx_size[mi]][pass_number])


class EdgeRecorder:
    """Stands in for the kernels and notes what is filtered."""

    def __init__(self, f: FilterView):
        self.f = f
        self.edges: list[tuple[int, ...]] = []
        self.levels: set[tuple[int, int, int]] = set()

    def deblock_edge(self, samples, at, across, along, count, filter_size, level, sharpness, plane) -> int:
        pass_number = int(along == 1)
        y, x = divmod(at - self.f.origin[plane], self.f.stride[plane])
        for i in range(0, count, 4):
            place = (x + i, y) if pass_number else (x, y + i)
            self.edges.append((plane, pass_number, *map(int, place), int(filter_size)))
        self.levels.add((plane, pass_number, int(level)))
        return 0


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_deblocked_edges_are_those_of_the_specification(width: int, height: int) -> None:
    """Each once, with its filter size, for random blocks of all shapes, skipped and inter ones among them."""
    for seed in range(3):
        f = frame(picture_of(width, height), np.random.default_rng(seed))
        recorder = EdgeRecorder(f)
        deblock_frame(filters, recorder, f)
        assert len(recorder.edges) == len(set(recorder.edges))
        assert set(recorder.edges) == edges_by_specification(f)


def test_each_plane_and_direction_has_its_level() -> None:
    f = frame(picture_of(64, 64), np.random.default_rng(1))
    recorder = EdgeRecorder(f)
    deblock_frame(filters, recorder, f)
    assert recorder.levels == {(0, 0, 20), (0, 1, 30), (1, 0, 12), (1, 1, 12), (2, 0, 9), (2, 1, 9)}


@pytest.mark.parametrize(
    ("levels", "filtered"),
    [((0, 0, 30, 30), set()), ((0, 9, 0, 0), {(0, 1)}), ((9, 0, 0, 5), {(0, 0), (2, 0), (2, 1)})],
)
def test_level_0_is_off(levels: tuple[int, ...], filtered: set[tuple[int, int]]) -> None:
    """For a luma direction or a chroma plane alone; without luma there is no deblocking at all (spec 7.4)."""
    f = frame(picture_of(64, 64), np.random.default_rng(1), loop_filter_level=np.array(levels))
    recorder = EdgeRecorder(f)
    deblock_frame(filters, recorder, f)
    assert {edge[:2] for edge in recorder.edges} == filtered


def cdef_by_specification(f: FilterView, picture: Picture) -> np.ndarray:
    """Spec 7.15 and 7.15.1 block by block, on planes that are padded as a whole; returns the samples."""
    before, result = picture.samples.copy(), picture.samples.copy()
    planes = []
    for p in range(3):
        rows, cols = 4 * f.mi_rows >> (p > 0), 4 * f.mi_cols >> (p > 0)
        padded = np.full((rows + 6, cols + 6), CDEF_UNAVAILABLE, np.uint16)
        grid = before[picture.origin[p] :][: rows * picture.stride[p]].reshape(rows, picture.stride[p])
        padded[3:-3, 3:-3] = grid[:, :cols]
        planes.append(padded)
    sb_cols = -(-f.mi_cols // 16)
    skip = f.skip.reshape(-1, f.mi_stride)
    for r in range(0, f.mi_rows, 2):
        for c in range(0, f.mi_cols, 2):
            idx = f.cdef_idx[r // 16 * sb_cols + c // 16]
            if idx == -1 or skip[r : r + 2, c : c + 2].all():
                continue
            at = picture.origin[0] + 4 * r * picture.stride[0] + 4 * c
            found = int(PYTHON.cdef_direction(before, at, picture.stride[0]))
            variance, y_dir = found >> 3, found & 7
            for p in range(3):
                pri = int((f.cdef_uv_pri_strength if p else f.cdef_y_pri_strength)[idx])
                sec = int((f.cdef_uv_sec_strength if p else f.cdef_y_sec_strength)[idx])
                direction = y_dir if pri else 0
                if p == 0:
                    strength = min((variance >> 6).bit_length() - 1, 12) if variance >> 6 else 0
                    pri = (pri * (4 + strength) + 8) >> 4 if variance else 0
                side, stride, padded_stride = 8 >> (p > 0), picture.stride[p], planes[p].shape[1]
                y, x = 4 * r >> (p > 0), 4 * c >> (p > 0)
                dst = (result, picture.origin[p] + y * stride + x, stride)
                padded = (planes[p].ravel(), (y + 3) * padded_stride + x + 3, padded_stride)
                PYTHON.cdef_filter(*dst, *padded, side, side, pri, sec, f.cdef_damping - (p > 0), direction)
    return result


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_cdef_is_that_of_the_specification(width: int, height: int) -> None:
    picture = picture_of(width, height)
    f = frame(picture, np.random.default_rng(width))
    wanted = cdef_by_specification(f, picture)
    cdef_frame(filters, PYTHON, f, picture.samples.copy())
    np.testing.assert_array_equal(picture.samples, wanted)


@pytest.fixture(scope="module")
def compiled_filters() -> SimpleNamespace:
    names = ("deblock_rows", "cdef_rows")
    return SimpleNamespace(**{name: compiled(filters, name) for name in names})


def filtered(run: Callable[[FilterView], None], width: int, height: int) -> np.ndarray:
    picture = picture_of(width, height)
    run(frame(picture, np.random.default_rng(height)))
    return picture.samples


def filter_frame(functions: object, kernels: object, f: FilterView) -> None:
    deblock_frame(functions, kernels, f)
    cdef_frame(functions, kernels, f, f.samples.copy())


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_all_sets_give_the_same_picture(compiled_filters, width: int, height: int) -> None:
    """Interpreted with the python and numpy sets, compiled with the numba set."""
    wanted = filtered(lambda f: filter_frame(filters, PYTHON, f), width, height)
    assert (wanted != picture_of(width, height).samples).any()
    for functions, name in ((filters, "numpy"), (compiled_filters, "numba")):
        kernels = load_kernels(name).kernels
        samples = filtered(lambda f: filter_frame(functions, kernels, f), width, height)  # noqa: B023
        np.testing.assert_array_equal(samples, wanted, err_msg=name)


def test_superblock_rows_may_run_in_any_order(compiled_filters) -> None:
    """Pass by pass, as threads would."""
    kernels = load_kernels("numba").kernels

    def by_rows(f: FilterView) -> None:
        rows = [2, 0, 3, 1]
        for pass_number in range(2):
            for row in rows:
                compiled_filters.deblock_rows(kernels, f, pass_number, row, row + 1)
        source = f.samples.copy()
        for row in rows:
            compiled_filters.cdef_rows(kernels, f, source, row, row + 1)

    wanted = filtered(lambda f: filter_frame(compiled_filters, kernels, f), 150, 250)
    np.testing.assert_array_equal(filtered(by_rows, 150, 250), wanted)


def test_flat_picture_stays(compiled_filters) -> None:
    picture = Picture.allocate(70, 90)
    picture.samples[:] = 99
    filter_frame(compiled_filters, load_kernels("numba").kernels, frame(picture, np.random.default_rng(5)))
    assert (picture.samples == 99).all()


def test_skipped_blocks_and_index_minus_1_are_not_filtered_by_cdef() -> None:
    picture = picture_of(128, 64)
    before = picture.samples.copy()
    f = frame(picture, cdef_idx=np.array([-1, 0], np.int8))
    f.skip.reshape(-1, f.mi_stride)[:, 16:30] = 1
    cdef_frame(filters, PYTHON, f, before)
    changed = np.flatnonzero((picture.plane(0) != before[: 128 * 64].reshape(64, 128)).any(axis=0))
    assert changed.min() >= 120


def test_levels_rise_with_the_quantizer() -> None:
    """From off to the limits of the syntax and never falling, but for the primary chroma strength of CDEF."""
    levels = [loop_filter_levels(q) for q in range(256)]
    assert levels[0] == (0, 0, 0, 0)
    assert levels[255] == (63, 63, 31, 31)
    assert all(of_plane == tuple(sorted(of_plane)) for of_plane in zip(*levels, strict=True))
    strengths = [cdef_strengths(q) for q in range(256)]
    assert strengths[0].is_off
    for name in ("damping", "y_pri", "y_sec", "uv_sec"):
        values = [getattr(s, name) for s in strengths]
        assert values == sorted(values)
    assert max(s.y_pri for s in strengths) == 15
    assert {s.damping for s in strengths} == {3, 4, 5, 6}
    assert max(s.uv_sec for s in strengths) == max(s.y_sec for s in strengths) == 3
