"""Loop restoration: the frame against the specification's own steps; units as a decoder reads them; choices that pay."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.compiled import compiled
from encoder.frame import restoration
from encoder.frame.headers import FrameHeader
from encoder.frame.restoration import RestorationView
from encoder.frame.restoration_search import (
    FAST,
    MEDIUM,
    THOROUGH,
    RestorationEffort,
    header_fields,
    most_units,
    search_restoration,
    self_guided_weights,
    set_units,
    wiener_taps,
)
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.spec import RESTORE_NONE, RESTORE_SGRPROJ, RESTORE_SWITCHABLE, RESTORE_WIENER
from encoder.tables import table
from encoder.tile import restoration as tile_restoration
from encoder.tile.cdf import RESTORATION_TYPE, USE_SGRPROJ, USE_WIENER
from encoder.tile.state import restoration_info
from encoder.tiling import Tiling

NUMBA, NUMPY = (load_kernels(name).kernels for name in ("numba", "numpy"))
SIZES = [(70, 60), (33, 57), (9, 130), (129, 1), (135, 71)]
ENTRY_POINTS = ("restore_frame", "restore_stripes", "restoration_errors", "wiener_sums", "self_guided_sums")
TAPS_MIN, TAPS_MAX, TAPS_K, TAPS_MID = (table(f"wiener_taps_{name}").tolist() for name in ("min", "max", "k", "mid"))
XQD_MIN, XQD_MAX, XQD_MID = (table(f"sgrproj_xqd_{name}").tolist() for name in ("min", "max", "mid"))
SGR_PARAMS = table("sgr_params").tolist()


@pytest.fixture(scope="module")
def code() -> SimpleNamespace:
    return SimpleNamespace(**{name: compiled(restoration, name) for name in ENTRY_POINTS})


def picture(width: int, height: int, seed: int, noise: int) -> Picture:
    """Waves with noise in all allocated samples."""
    made = Picture.allocate(width, height)
    rng = np.random.default_rng(seed)
    for p in range(3):
        h, w = (side >> (p > 0) for side in (made.allocated_height, made.allocated_width))
        y, x = np.mgrid[:h, :w]
        waves = 128 + 60 * np.sin((x + p) / 5) + 40 * np.sin((x + 2 * y) / 9) + rng.integers(-noise, noise + 1, (h, w))
        made.samples[made.origin[p] :][: h * w] = waves.clip(0, 255).astype(np.uint8).ravel()
    return made


def view(samples: Picture, deblocked: Picture, sizes: tuple[int, int] = (64, 64)) -> RestorationView:
    r = RestorationView(
        samples=samples.samples,
        deblocked=deblocked.samples,
        origin=np.array(samples.origin),
        stride=np.array(samples.stride),
        width=samples.width,
        height=samples.height,
        **restoration_info(most_units(samples.width, samples.height)),
    )
    set_units(r, *sizes)
    return r


def draw_units(r: RestorationView, seed: int) -> None:
    """Any units that the frame types of the planes, drawn first, allow."""
    rng = np.random.default_rng(seed)
    r.lr_type[:] = rng.permutation([RESTORE_SWITCHABLE, RESTORE_WIENER, RESTORE_SGRPROJ])
    for plane in range(3):
        for unit in units_of(r, plane):
            kinds = [RESTORE_NONE, RESTORE_WIENER, RESTORE_SGRPROJ]
            if r.lr_type[plane] != RESTORE_SWITCHABLE:
                kinds = [RESTORE_NONE, int(r.lr_type[plane])]
            r.lr_unit_type[unit] = rng.choice(kinds)
            taps = rng.integers(TAPS_MIN * 2, np.array(TAPS_MAX * 2) + 1)
            if plane:
                taps[[0, 3]] = 0
            r.lr_wiener[6 * unit : 6 * unit + 6] = taps
            sgr_set = int(rng.integers(16))
            xqd = rng.integers(XQD_MIN, np.array(XQD_MAX) + 1)
            if SGR_PARAMS[sgr_set][0] == 0:
                xqd[0] = 0
            if SGR_PARAMS[sgr_set][2] == 0:
                xqd[1] = np.clip(128 - xqd[0], XQD_MIN[1], XQD_MAX[1])
            r.lr_sgr_set[unit] = sgr_set
            r.lr_sgr_xqd[2 * unit : 2 * unit + 2] = xqd


def units_of(r: RestorationView, plane: int) -> range:
    first = int(r.lr_unit_at[plane])
    return range(first, first + int(r.lr_unit_rows[plane] * r.lr_unit_cols[plane]))


class Specification:
    """Spec 7.17, step by step, in blocks of 4x4 luma samples; arrays are indexed [y][x] as there."""

    def __init__(self, r: RestorationView):
        self.r = r
        self.cdef, self.curr = ([self.plane(samples, p) for p in range(3)] for samples in (r.samples, r.deblocked))
        self.lr = [plane.copy() for plane in self.cdef]

    def plane(self, samples: np.ndarray, p: int) -> np.ndarray:
        w, h = ((side + (p > 0)) >> (p > 0) for side in (self.r.width, self.r.height))
        view = np.lib.stride_tricks.as_strided(samples[self.r.origin[p] :], (h, w), (int(self.r.stride[p]), 1))
        return view.astype(int)

    def run(self) -> list[np.ndarray]:
        for y in range(0, self.r.height, 4):
            for x in range(0, self.r.width, 4):
                for plane in range(3):
                    if self.r.lr_type[plane] != RESTORE_NONE:
                        self.loop_restore_block(plane, y >> 2, x >> 2)
        return self.lr

    def loop_restore_block(self, plane: int, row: int, col: int) -> None:
        r, sub = self.r, int(plane > 0)
        stripe = (row * 4 + 8) // 64
        self.start = (-8 + stripe * 64) >> sub
        self.stop = self.start + (64 >> sub) - 1
        size = int(r.lr_unit_size[plane])
        rows, cols = (max((((side + sub) >> sub) + (size >> 1)) // size, 1) for side in (r.height, r.width))
        unit_row = min(rows - 1, ((row * 4 + 8) >> sub) // size)
        unit_col = min(cols - 1, ((col * 4) >> sub) // size)
        self.end_x, self.end_y = ((r.width + sub) >> sub) - 1, ((r.height + sub) >> sub) - 1
        x, y = col * 4 >> sub, row * 4 >> sub
        w, h = min(4 >> sub, self.end_x - x + 1), min(4 >> sub, self.end_y - y + 1)
        unit = int(r.lr_unit_at[plane]) + unit_row * cols + unit_col
        if r.lr_unit_type[unit] == RESTORE_WIENER:
            self.wiener(plane, unit, x, y, w, h)
        elif r.lr_unit_type[unit] == RESTORE_SGRPROJ:
            self.self_guided(plane, unit, x, y, w, h)

    def source(self, plane: int, x: int, y: int) -> int:
        x, y = max(0, min(self.end_x, x)), max(0, min(self.end_y, y))
        if y < self.start:
            return int(self.curr[plane][max(self.start - 2, y)][x])
        if y > self.stop:
            return int(self.curr[plane][min(self.stop + 2, y)][x])
        return int(self.cdef[plane][y][x])

    def wiener(self, plane: int, unit: int, x: int, y: int, w: int, h: int) -> None:
        taps = self.r.lr_wiener[6 * unit : 6 * unit + 6].tolist()
        vfilter, hfilter = (self.seven(taps[i : i + 3]) for i in (0, 3))
        rows = []
        for i in range(h + 6):
            row = [
                sum(hfilter[t] * self.source(plane, x + c + t - 3, y + i - 3) for t in range(7)) + 4 >> 3
                for c in range(w)
            ]
            rows.append([min(max(v, -2048), 8191 - 2048) for v in row])
        for i in range(h):
            for c in range(w):
                v = sum(vfilter[t] * rows[i + t][c] for t in range(7)) + 1024 >> 11
                self.lr[plane][y + i][x + c] = min(max(v, 0), 255)

    @staticmethod
    def seven(half: list[int]) -> list[int]:
        return [*half, 128 - 2 * sum(half), *half[::-1]]

    def self_guided(self, plane: int, unit: int, x: int, y: int, w: int, h: int) -> None:
        sgr_set = int(self.r.lr_sgr_set[unit])
        flt = [self.box(plane, x, y, w, h, sgr_set, pass_number) for pass_number in range(2)]
        w0, w1 = self.r.lr_sgr_xqd[2 * unit : 2 * unit + 2].tolist()
        w2 = (1 << 7) - w0 - w1
        for i in range(h):
            for j in range(w):
                u = int(self.cdef[plane][y + i][x + j]) << 4
                v = w1 * u
                v += w0 * (flt[0][i][j] if SGR_PARAMS[sgr_set][0] else u)
                v += w2 * (flt[1][i][j] if SGR_PARAMS[sgr_set][2] else u)
                self.lr[plane][y + i][x + j] = min(max(v + 1024 >> 11, 0), 255)

    def box(self, plane: int, x: int, y: int, w: int, h: int, sgr_set: int, pass_number: int) -> list[list[int]]:
        radius, eps = SGR_PARAMS[sgr_set][2 * pass_number : 2 * pass_number + 2]
        if radius == 0:
            return []
        a_of, b_of = {}, {}
        n = (2 * radius + 1) ** 2
        s = ((1 << 20) + n * n * eps // 2) // (n * n * eps)
        for i in range(-1, h + 1):
            for j in range(-1, w + 1):
                window = range(-radius, radius + 1)
                c = [self.source(plane, x + j + dx, y + i + dy) for dy in window for dx in window]
                a, b = sum(v * v for v in c), sum(c)
                z = max(0, a * n - b * b) * s + (1 << 19) >> 20
                a2 = 256 if z >= 255 else 1 if z == 0 else ((z << 8) + z // 2) // (z + 1)
                a_of[i, j] = a2
                b_of[i, j] = (256 - a2) * b * (((1 << 12) + n // 2) // n) + 2048 >> 12
        return [[self.box_sample(plane, x, y, i, j, pass_number, a_of, b_of) for j in range(w)] for i in range(h)]

    def box_sample(self, plane: int, x: int, y: int, i: int, j: int, pass_number: int, a_of: dict, b_of: dict) -> int:
        shift = 4 if pass_number == 0 and i & 1 else 5
        a = b = 0
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if pass_number == 0:
                    weight = (6 if dx == 0 else 5) if (i + dy) & 1 else 0
                else:
                    weight = 4 if dx == 0 or dy == 0 else 3
                a += weight * a_of[i + dy, j + dx]
                b += weight * b_of[i + dy, j + dx]
        v = a * int(self.cdef[plane][y + i][x + j]) + b
        return v + (1 << 8 + shift - 4 - 1) >> 8 + shift - 4


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("sizes", [(64, 64), (64, 32), (128, 64)])
def test_the_frame_is_that_of_the_specification(code, width: int, height: int, sizes: tuple[int, int]) -> None:
    after_cdef, deblocked = picture(width, height, 1, 6), picture(width, height, 2, 9)
    r = view(after_cdef, deblocked, sizes)
    draw_units(r, width + sizes[1])
    specification = Specification(r)
    before = after_cdef.samples.copy()
    wanted = specification.run()
    code.restore_frame(NUMBA, r)
    for plane in range(3):
        np.testing.assert_array_equal(specification.plane(r.samples, plane), wanted[plane])
    # Nothing beyond the visible samples is written.
    for plane in range(3):
        after_cdef.plane(plane)[:] = 0
    visible = after_cdef.samples.copy()
    after_cdef.samples[:] = before
    for plane in range(3):
        after_cdef.plane(plane)[:] = 0
    np.testing.assert_array_equal(visible, after_cdef.samples)


def test_interpreted_and_compiled_frames_are_the_same(code) -> None:
    results = []
    for functions, kernels in ((code, NUMBA), (restoration, NUMPY)):
        after_cdef, deblocked = picture(150, 75, 1, 6), picture(150, 75, 2, 9)
        r = view(after_cdef, deblocked)
        draw_units(r, 4)
        errors = np.zeros(len(units_of(r, 0)), np.int64)
        functions.restoration_errors(kernels, r, deblocked.samples, 0, errors)
        sums = np.zeros(9 * len(errors), np.int64), np.zeros(5 * len(errors), np.int64)
        functions.wiener_sums(kernels, r, deblocked.samples, 0, 1, 2, sums[0])
        functions.self_guided_sums(kernels, r, deblocked.samples, 0, 3, 1, sums[1])
        functions.restore_frame(kernels, r)
        results.append((after_cdef.samples, errors, *sums))
    for found, wanted in zip(*results, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_stripes_may_run_in_any_order(code) -> None:
    samples = []
    for backwards in (False, True):
        after_cdef, deblocked = picture(100, 300, 1, 6), picture(100, 300, 2, 9)
        r = view(after_cdef, deblocked)
        draw_units(r, 7)
        stripes = range(restoration.stripe_count(r))
        for plane in range(3):
            for stripe in reversed(stripes) if backwards else stripes:
                code.restore_stripes(NUMBA, r, plane, stripe, stripe + 1)
        samples.append(after_cdef.samples)
    np.testing.assert_array_equal(*samples)


def test_errors_are_those_that_the_filter_leaves(code) -> None:
    after_cdef, deblocked, source = (picture(150, 131, seed, 6) for seed in (1, 2, 3))
    r = view(after_cdef, deblocked)
    draw_units(r, 3)
    found = []
    for plane in range(3):
        errors = np.full(len(units_of(r, plane)), -1)
        code.restoration_errors(NUMBA, r, source.samples, plane, errors)
        found.append(errors.sum())
    code.restore_frame(NUMBA, r)
    assert found == [((after_cdef.plane(p).astype(int) - source.plane(p)) ** 2).sum() for p in range(3)]


# --- the syntax


class Reader:
    """read_lr and read_lr_unit (spec 5.11.57, 5.11.58) on what the writer wrote: (CDF or None, value, bits) in order."""

    def __init__(self, r: RestorationView, written: Iterator[tuple[int | None, int, int]]):
        self.r, self.written = r, written
        self.units: dict[tuple[int, int], tuple] = {}
        self.ref_wiener = [[TAPS_MID[:], TAPS_MID[:]] for _ in range(3)]
        self.ref_xqd = [XQD_MID[:] for _ in range(3)]
        self.bits: list[int] = []

    def symbol(self, cdf: int) -> int:
        assert not self.bits
        at, value, _ = next(self.written)
        assert at == cdf
        return value

    def literal(self, count: int) -> int:
        value = 0
        for _ in range(count):
            if not self.bits:
                at, literal, length = next(self.written)
                assert at is None and 0 <= literal < 1 << length
                self.bits = [literal >> i & 1 for i in reversed(range(length))]
            value = value << 1 | self.bits.pop(0)
        return value

    def read_lr(self, row: int, col: int) -> None:
        r = self.r
        for plane in range(3):
            if r.lr_type[plane] == RESTORE_NONE:
                continue
            sub, size = int(plane > 0), int(r.lr_unit_size[plane])
            rows, cols = (max((((side + sub) >> sub) + (size >> 1)) // size, 1) for side in (r.height, r.width))
            row_start = (row * (4 >> sub) + size - 1) // size
            row_end = min(rows, ((row + 16) * (4 >> sub) + size - 1) // size)
            col_start = (col * (4 >> sub) + size - 1) // size
            col_end = min(cols, ((col + 16) * (4 >> sub) + size - 1) // size)
            for unit_row in range(row_start, row_end):
                for unit_col in range(col_start, col_end):
                    key = plane, int(r.lr_unit_at[plane]) + unit_row * cols + unit_col
                    assert key not in self.units
                    self.units[key] = self.read_lr_unit(plane)

    def read_lr_unit(self, plane: int) -> tuple:
        frame_type = self.r.lr_type[plane]
        if frame_type == RESTORE_WIENER:
            kind = RESTORE_WIENER if self.symbol(USE_WIENER) else RESTORE_NONE
        elif frame_type == RESTORE_SGRPROJ:
            kind = RESTORE_SGRPROJ if self.symbol(USE_SGRPROJ) else RESTORE_NONE
        else:
            kind = self.symbol(RESTORATION_TYPE)
        if kind == RESTORE_WIENER:
            taps = []
            for direction in range(2):
                refs = self.ref_wiener[plane][direction]
                for j in range(3):
                    if plane and j == 0:
                        taps.append(0)
                        continue
                    refs[j] = self.signed_subexp(TAPS_MIN[j], TAPS_MAX[j] + 1, TAPS_K[j], refs[j])
                    taps.append(refs[j])
            return kind, taps
        if kind == RESTORE_SGRPROJ:
            sgr_set, refs = self.literal(4), self.ref_xqd[plane]
            for i in range(2):
                if SGR_PARAMS[sgr_set][2 * i]:
                    refs[i] = self.signed_subexp(XQD_MIN[i], XQD_MAX[i] + 1, 4, refs[i])
                else:
                    refs[i] = int(np.clip(128 - refs[0], XQD_MIN[1], XQD_MAX[1])) if i else 0
            return kind, sgr_set, refs[:]
        return (kind,)

    def signed_subexp(self, low: int, high: int, k: int, r: int) -> int:
        return self.unsigned_subexp(high - low, k, r - low) + low

    def unsigned_subexp(self, mx: int, k: int, r: int) -> int:
        v = self.subexp(mx, k)
        return self.inverse_recenter(r, v) if r << 1 <= mx else mx - 1 - self.inverse_recenter(mx - 1 - r, v)

    @staticmethod
    def inverse_recenter(r: int, v: int) -> int:
        if v > 2 * r:
            return v
        return r - ((v + 1) >> 1) if v & 1 else r + (v >> 1)

    def subexp(self, count: int, k: int) -> int:
        i = mk = 0
        while True:
            b2 = k + i - 1 if i else k
            a = 1 << b2
            if count <= mk + 3 * a:
                return self.uniform(count - mk) + mk
            if not self.literal(1):
                return self.literal(b2) + mk
            i, mk = i + 1, mk + a

    def uniform(self, n: int) -> int:
        w = n.bit_length()
        m = (1 << w) - n
        v = self.literal(w - 1)
        return v if v < m else (v << 1) - m + self.literal(1)


@pytest.fixture
def written(monkeypatch) -> list[tuple[int | None, int, int]]:
    """What tile.restoration writes, instead of writing it."""
    log: list[tuple[int | None, int, int]] = []
    monkeypatch.setattr(tile_restoration, "write_symbol", lambda t, at, n, value: log.append((at, int(value), n)))
    monkeypatch.setattr(tile_restoration, "write_bool", lambda t, at, value: log.append((at, int(value), 2)))
    monkeypatch.setattr(
        tile_restoration, "write_literal", lambda t, value, bits: log.append((None, int(value), int(bits)))
    )
    return log


def as_tile(r: RestorationView) -> SimpleNamespace:
    fields = {name: getattr(r, name) for name in restoration_info()}
    return SimpleNamespace(**fields, ref_lr_wiener=np.zeros(18, np.int64), ref_sgr_xqd=np.zeros(6, np.int64))


@pytest.mark.parametrize(("width", "height"), [(200, 140), (64, 64), (330, 100), (9, 130), (420, 401)])
@pytest.mark.parametrize("sizes", [(64, 64), (64, 32), (128, 64), (256, 256)])
def test_a_decoder_reads_the_units_that_were_written(written, width: int, height: int, sizes: tuple[int, int]) -> None:
    r = view(picture(width, height, 1, 5), picture(width, height, 1, 5), sizes)
    draw_units(r, width)
    t = as_tile(r)
    positions = [(row, col) for row in range(0, (height + 3) // 4, 16) for col in range(0, (width + 3) // 4, 16)]
    tile_restoration.clear_restoration_references(t)
    for position in positions:
        tile_restoration.write_restoration(t, *position)
    reader = Reader(r, iter(written))
    for position in positions:
        reader.read_lr(*position)
    assert not list(reader.written) and not reader.bits
    assert sorted(reader.units) == [(plane, unit) for plane in range(3) for unit in units_of(r, plane)]
    for (_, unit), read in reader.units.items():
        assert read[0] == r.lr_unit_type[unit]
        if read[0] == RESTORE_WIENER:
            assert read[1] == r.lr_wiener[6 * unit : 6 * unit + 6].tolist()
        elif read[0] == RESTORE_SGRPROJ:
            assert read[1:] == (r.lr_sgr_set[unit], r.lr_sgr_xqd[2 * unit : 2 * unit + 2].tolist())


def test_every_coefficient_is_read_as_it_was_coded() -> None:
    """Each value after each other one; near ones take fewer bits."""
    for i in range(3):
        values = range(TAPS_MIN[i], TAPS_MAX[i] + 1)
        lengths = {}
        for ref in values:
            for value in values:
                code, length = tile_restoration.wiener_code(i, value, ref)
                reader = Reader(None, iter([(None, code, length)]))
                assert reader.signed_subexp(TAPS_MIN[i], TAPS_MAX[i] + 1, TAPS_K[i], ref) == value
                lengths[ref, value] = length
        assert all(lengths[ref, ref] == min(lengths[ref, value] for value in values) for ref in values)


@given(st.integers(0, 1), st.data())
def test_every_weight_is_read_as_it_was_coded(i: int, data: st.DataObject) -> None:
    value, ref = (data.draw(st.integers(XQD_MIN[i], XQD_MAX[i])) for _ in range(2))
    code, length = tile_restoration.self_guided_code(i, value, ref)
    reader = Reader(None, iter([(None, code, length)]))
    assert reader.signed_subexp(XQD_MIN[i], XQD_MAX[i] + 1, 4, ref) == value
    assert not reader.bits


# --- the search


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=50)
def test_fitted_coefficients_leave_the_least_error(seed: int, chroma: bool) -> None:
    """Against lstsq of the samples themselves, where the limits of the syntax are not met."""
    rng = np.random.default_rng(seed)
    f = rng.integers(-200, 200, (300, 3))
    truth = np.array([0 if chroma else 4, -9, 25])
    t = (f @ truth) // 128 + rng.integers(-3, 4, 300)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    sums = np.array([[*((f[:, i] * f[:, j]).sum() for i, j in pairs), *(f * t[:, None]).sum(axis=0)]])
    used = f[:, 1:] if chroma else f
    wanted = np.linalg.lstsq(used, 128.0 * t, rcond=None)[0]
    found = wiener_taps(sums, chroma)[0]
    np.testing.assert_array_equal(found[1:] if chroma else found, np.rint(wanted))
    assert not chroma or found[0] == 0


def test_nothing_to_fit_gives_no_filter() -> None:
    assert (wiener_taps(np.zeros((2, 9), np.int64), False) == 0).all()
    for sgr_set in range(16):
        xqd, promised = self_guided_weights(np.zeros((1, 5), np.int64), sgr_set)
        assert promised == 0 and (xqd >= XQD_MIN).all() and (xqd <= XQD_MAX).all()


@pytest.mark.parametrize("sgr_set", [2, 11, 14])
def test_weights_are_those_of_the_least_error(sgr_set: int) -> None:
    """No neighbour within the syntax is better by more than what rounding costs."""
    rng = np.random.default_rng(sgr_set)
    d = rng.integers(-60, 61, (500, 2))
    for p in range(2):
        if SGR_PARAMS[sgr_set][2 * p] == 0:
            d[:, p] = 0
    t = (d @ (20, 50)) // 128 + rng.integers(-5, 6, 500)
    sums = np.array([[*(d[:, i] @ d[:, j] for i, j in ((0, 0), (0, 1), (1, 1))), *(d.T @ t)]])
    (xqd,), promised = self_guided_weights(sums, sgr_set)

    def error(w0: int, w1: int) -> int:
        return int(((128 * t - d @ (w0, 128 - w0 - w1)) ** 2).sum())

    assert promised[0] == error(*xqd) - error(0, 128)
    assert promised[0] < 0
    if SGR_PARAMS[sgr_set][0]:
        assert error(*xqd) <= min(error(xqd[0] + step, xqd[1] - step * (sgr_set < 10)) for step in (-3, 3))
    if SGR_PARAMS[sgr_set][2]:
        assert error(*xqd) <= min(error(xqd[0], xqd[1] + step) for step in (-1, 1))


def blurred(width: int, height: int) -> tuple[Picture, Picture]:
    """Fine waves, and the same softened and with some noise."""
    source, coded = Picture.allocate(width, height), Picture.allocate(width, height)
    rng = np.random.default_rng(6)
    for p in range(3):
        plane = source.plane(p)
        y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
        waves = 128 + 40 * np.sin(x / 1.4 + y / 9) + 40 * np.sin(y / 1.8 - x / 11)
        plane[:] = waves
        soft = 128 + 0.9 * (waves - 128)
        coded.plane(p)[:] = (soft + rng.normal(0, 1, plane.shape)).clip(0, 255)
    return source, coded


def errors(a: Picture, b: Picture) -> list[int]:
    return [int(((a.plane(p).astype(int) - b.plane(p)) ** 2).sum()) for p in range(3)]


@pytest.mark.parametrize("effort", [FAST, MEDIUM, THOROUGH], ids=["fast", "medium", "thorough"])
def test_the_choice_improves_the_picture(code, effort: RestorationEffort) -> None:
    source, coded = blurred(200, 150)
    r = view(coded, coded)
    before, samples = errors(coded, source), coded.samples.copy()
    assert search_restoration(code, NUMBA, r, source.samples, effort, rd_lambda=1000)
    np.testing.assert_array_equal(coded.samples, samples)
    FrameHeader(tiling=Tiling.uniform(200, 150, 0, 0), base_q_idx=100, **header_fields(r))
    r = RestorationView(**{name: getattr(r, name) for name in r.FIELDS} | {"deblocked": samples})
    code.restore_frame(NUMBA, r)
    for plane, (was, now) in enumerate(zip(before, errors(coded, source), strict=True)):
        assert now < (0.8 if effort.wiener_rounds > 1 else 0.95) * was if plane in effort.planes else now == was


def test_kernel_sets_choose_alike(code) -> None:
    effort = RestorationEffort(unit_sizes=(64,), wiener_rounds=2, sgr_sets=(3, 12))
    chosen = []
    for functions, kernels in ((code, NUMBA), (restoration, NUMPY)):
        source, coded = blurred(90, 70)
        r = view(coded, coded)
        search_restoration(functions, kernels, r, source.samples, effort, 1000)
        chosen.append([getattr(r, name).tolist() for name in restoration_info()])
    assert chosen[0] == chosen[1]


def test_each_unit_takes_the_filter_that_suits_it(code) -> None:
    """Softened on the left, noisy between sharp edges on the right, so the plane is switchable."""
    source, coded = blurred(256, 128)
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:128, 128:256]
    source.plane(0)[:, 128:] = np.where((x // 23 + y // 19) % 2, 60, 190)
    coded.plane(0)[:, 128:] = (source.plane(0)[:, 128:] + rng.normal(0, 4, x.shape)).clip(0, 255)
    r = view(coded, coded)
    effort = RestorationEffort(unit_sizes=(64,), planes=(0,), sgr_sets=(2, 6, 9))
    search_restoration(code, NUMBA, r, source.samples, effort, 1000)
    assert r.lr_type.tolist() == [RESTORE_SWITCHABLE, RESTORE_NONE, RESTORE_NONE]
    assert r.lr_unit_type[:8].reshape(2, 4).tolist() == [[RESTORE_WIENER] * 2 + [RESTORE_SGRPROJ] * 2] * 2


def test_coefficients_at_the_limits_are_the_best_within_them() -> None:
    """Against all neighbours, for sums whose solution lies far outside."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        f = rng.integers(-300, 300, (200, 3)) + rng.integers(-300, 300, (200, 1))
        t = (f @ rng.integers(-60, 60, 3)) // 128
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        sums = np.array([[*((f[:, i] * f[:, j]).sum() for i, j in pairs), *(f * t[:, None]).sum(axis=0)]])
        (found,) = wiener_taps(sums, False)
        assert (found >= TAPS_MIN).all() and (found <= TAPS_MAX).all()
        error = ((128 * t - f @ found) ** 2).sum()
        for steps in np.array(np.meshgrid(*[[-2, 0, 2]] * 3)).reshape(3, -1).T:
            other = np.clip(found + steps, TAPS_MIN, TAPS_MAX)
            assert error <= ((128 * t - f @ other) ** 2).sum() + (f**2).sum()


def test_a_picture_as_its_source_is_not_restored(code) -> None:
    source, _ = blurred(130, 70)
    r = view(source, source)
    assert not search_restoration(code, NUMBA, r, source.samples, MEDIUM, 1000)
    assert not r.lr_type.any() and not r.lr_unit_type.any()


def test_bits_have_a_price(code) -> None:
    source, coded = blurred(130, 70)
    r = view(coded, coded)
    assert not search_restoration(code, NUMBA, r, source.samples, MEDIUM, 1 << 40)
