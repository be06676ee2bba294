"""The gate: where streams begin to differ, which kernel is at fault, what differing streams are worth."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from workbench.analysis.bdrate import RatePoint, bd_rate
from workbench.analysis.culprit import Culprit, find_culprit
from workbench.analysis.first_difference import first_byte, first_difference, first_place
from workbench.comparing import gate
from workbench.errors import OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments.gate import Figures, Setting, Streams, Written
from workbench.instruments.micro import Checked
from workbench.sides import OUTPUT, Encode, Home
from workbench.subject import Encoder, Subject

Planes = list[np.ndarray]


def picture(width: int = 130, height: int = 70) -> Planes:
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return [np.zeros((height, width), np.uint8), np.zeros(chroma, np.uint8), np.zeros(chroma, np.uint8)]


def changed(*places: tuple[int, int, int]) -> Planes:
    """Other samples at (plane, x, y)."""
    planes = picture()
    for plane, x, y in places:
        planes[plane][y, x] = 1
    return planes


# --- where ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "superblock", "block", "planes"),
    [
        ([(0, 0, 0)], (0, 0), (0, 0), ("Y",)),
        ([(0, 129, 69)], (128, 64), (128, 64), ("Y",)),
        ([(1, 64, 34)], (128, 64), (128, 64), ("U",)),
        ([(2, 5, 4)], (0, 0), (8, 8), ("V",)),
        ([(0, 9, 9), (1, 4, 4), (2, 63, 0)], (0, 0), (8, 8), ("Y", "U")),
        ([(0, 70, 0), (0, 10, 60)], (0, 0), (8, 56), ("Y",)),  # the superblock before the row
        ([(0, 0, 66), (0, 120, 63)], (64, 0), (120, 56), ("Y",)),
    ],
)
def test_first_block(
    places: list[tuple[int, int, int]], superblock: tuple[int, int], block: tuple[int, int], planes: tuple[str, ...]
) -> None:
    found = first_place(picture(), changed(*places))
    assert found is not None
    assert (found.superblock, found.block, found.planes, found.samples) == (superblock, block, planes, len(places))


def test_first_frame_by_coding_and_by_display() -> None:
    ours = [picture() for _ in range(5)]
    theirs = [picture(), changed((0, 9, 0)), picture(), picture(), changed((1, 8, 8))]
    assert first_difference(ours, ours) is None
    shown = first_difference(ours, theirs)
    assert shown is not None and (shown.frame, shown.coded, shown.shown, shown.frames) == (1, None, 1, 2)
    coded = first_difference(ours, theirs, [0, 4, 2, 1, 3])
    assert coded is not None and (coded.frame, coded.coded, coded.shown) == (4, 1, 1)
    assert str(coded) == (
        "frame 4 (number 1 in the order of coding), shown first in frame 1, "
        "block 8x8 at x 16, y 16 (U) of superblock x 0, y 0"
    )
    with pytest.raises(ValueError, match="only A has a frame 4"):
        first_difference(ours, theirs[:4])
    with pytest.raises(ValueError, match="frame 0 is 130x70 in A and 64x64 in B"):
        first_difference(ours, [picture(64, 64)])


def test_first_byte() -> None:
    assert first_byte([b"ab", b"cd"], [b"ab", b"cd"]) is None
    assert first_byte([b"ab", b"cd"], [b"ab", b"ce"]) == (1, 1)
    assert first_byte([b"ab"], [b"abc"]) == (0, 2)
    assert first_byte([b"ab"], [b"ab", b"c"]) == (1, 0)


# --- which kernel -----------------------------------------------------------------------------------------------------

SLOTS = [f"s{n}" for n in range(50)]


@pytest.mark.parametrize("slot", ["s0", "s24", "s25", "s49"])
def test_one_slot_at_fault_is_found_in_few_trials(slot: str) -> None:
    found = find_culprit(SLOTS, lambda group: slot in group)
    assert (found.slot, found.others) == (slot, False)
    assert found.trials <= 13


def test_two_slots_at_fault() -> None:
    alone = find_culprit(SLOTS, lambda group: "s3" in group or "s40" in group)
    assert (alone.slot, alone.others) == ("s3", True)
    together = find_culprit(SLOTS[:8], lambda group: {"s1", "s6"} <= set(group))
    assert together.slot is None and set(together.group) == set(SLOTS[:8])
    assert find_culprit(["a", "b"], lambda group: len(group) == 2) == Culprit(None, ("a", "b"), False, 2)
    assert find_culprit(["a"], lambda group: True) == Culprit("a", ("a",), False, 0)


def test_expressions() -> None:
    assert gate.changed_slots("numba", "numba,satd=numpy") == ["satd"]
    assert gate.changed_slots("numba,sad=numpy", "numba,satd=m.py:f,sad=numpy") == ["satd"]
    assert gate.changed_slots("numba", "numba,satd=numba") == []
    assert len(gate.changed_slots("numba", "numpy")) > 40
    assert gate.exchanged("numba", "numba,sad=m.py:f,satd=m.py:g", ["satd"]) == "numba,satd=m.py:g"
    assert gate.exchanged("numba,sad=m.py:f", "numpy", ["satd"]) == "numba,sad=m.py:f,satd=numpy"
    assert gate.exchanged("numba,sad=m.py:f", "numpy", ["sad"]) == "numba,sad=numpy"
    assert gate.exchanged("numba,sad=m.py:f", "numba", ["sad"]) == "numba"


@pytest.mark.parametrize(
    "slot",
    [
        *(
            "sse",
            "downscale",
            "noise_sum",
            "extend_edges",
            "cfl_ac",
            "box_filter",
            "wiener_filter",
            "wiener_statistics",
        ),
        *("self_guided_mix", "self_guided_statistics"),
    ],
)
def test_slots_that_take_any_size_have_cases_of_odd_ones(slot: str) -> None:
    from encoder.kernels.cases import cases_of
    from encoder.kernels.check import argument_names

    names = argument_names(slot)
    w, h = (names.index(name) for name in (("visible_w", "visible_h") if slot == "cfl_ac" else ("w", "h")))
    sizes = {(case.arguments[w], case.arguments[h]) for case in cases_of(slot)}
    assert any(w % 2 for w, _ in sizes) and any(h % 2 for _, h in sizes)


# --- the gate, without an encoder -------------------------------------------------------------------------------------


class Scripted:
    """In place of Streams: `outcome(kernels, setting, run)` says what an encode gives: bytes of its stream, its picture."""

    outcome: Callable[[str, Setting, int], tuple[bytes, Planes]]
    written: list[tuple[str, Setting]]

    def __init__(self, encodes: Sequence[Encode], folder: Path, timeout_s: float) -> None:
        self._folder = folder

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def write(self, encode: Encode, setting: Setting, kernels: str | None = None) -> Written:
        kernels = kernels or encode.kernels
        number = len(type(self).written)
        type(self).written.append((kernels, setting))
        stream, planes = type(self).outcome(kernels, setting, number)
        path = self._folder / f"{number}"
        path.with_suffix(".ivf").write_bytes(
            b"DKIF" + bytes(28) + len(stream).to_bytes(4, "little") + bytes(8) + stream
        )
        shape = f"YUV4MPEG2 W{planes[0].shape[1]} H{planes[0].shape[0]} F30:1 C420jpeg\nFRAME\n".encode()
        path.with_suffix(".y4m").write_bytes(shape + b"".join(plane.tobytes() for plane in planes))
        path.with_suffix(".json").write_text(json.dumps({"frames": [{"display_index": 0}]}))
        digests = (stream.hex(), str([plane.sum() for plane in planes]))
        return Written(path.with_suffix(".ivf"), path.with_suffix(".y4m"), path.with_suffix(".json"), digests)

    def fault(self, written: Written) -> str:
        return "frame 0, plane Y" if written.digests[0] == b"broken".hex() else ""


Outcome = Callable[[str, Setting, int], tuple[bytes, Planes]]
Check = Callable[..., None]
SUBJECT = Subject("clip", Path("clip.y4m"), 130, 70, 33, Encoder("encoder", ("encoder",), ()))


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """scripted(outcome, kernels of A and of B, slots wrong on their cases): run the gate."""

    def run(outcome: Outcome, a: str = "numba", b: str = "numba,sad=m.py:f", wrong: Sequence[str] = ()) -> None:
        Scripted.written, Scripted.outcome = [], staticmethod(outcome)  # type: ignore[method-assign]

        def checked(kernels: str, slots: Sequence[str], *_: object) -> list[Checked]:
            bad = ("sad-8x8-low-high: returned value is 1, expected 0",)
            return [Checked(slot, kernels, "m.py:f", 9, bad if slot in wrong else ()) for slot in slots]

        monkeypatch.setattr(gate, "Streams", Scripted)
        monkeypatch.setattr(gate, "warm_up", lambda encode: 0.0)
        monkeypatch.setattr(gate.micro, "check", checked)
        sides = [
            Encode(name, (), Home(), arguments=("in", "--kernels", kernels, "-y"), kernels=kernels, compiled=True)
            for name, kernels in (("A", a), ("B", b))
        ]
        gate.check([(SUBJECT, *sides)], tmp_path, 60.0, lambda said: None)

    return run


def alike(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
    return b"stream", picture()


def test_equal_streams_pass_with_all_tile_counts(scripted: Check) -> None:
    scripted(alike)
    settings = list(dict.fromkeys(setting for _, setting in Scripted.written))
    assert [str(setting) for setting in settings] == [
        "17 frames",
        "17 frames, tiles 2x1",
        "17 frames, tiles 2x2",
        "33 frames",
    ]
    assert len(Scripted.written) == 9  # B twice at first
    scripted(alike, b="numba")
    assert not Scripted.written  # the same twice


def test_a_kernel_at_fault_is_named_with_frame_and_block(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"other", changed((0, 72, 3))) if "sse=" in kernels else (b"stream", picture())

    with pytest.raises(OutputsDifferError) as raised:
        scripted(outcome, b="numba,sad=m.py:f,sse=m.py:g,satd=m.py:h,variance=m.py:i")
    said = str(raised.value)
    assert said.startswith("clip, 17 frames: the reconstruction of B differs from A's, first in frame 0")
    assert "block 8x8 at x 72, y 0 (Y) of superblock x 64, y 0; the kernel at fault is sse, alone, by" in said
    assert raised.value.exit_status == 4 and "\n" not in said
    assert Scripted.written[-1][1].frames == 1


def test_only_the_bytes_differ_and_only_with_tiles(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"strEam" if "sad=" in kernels and setting.tiles else b"stream"), picture()

    with pytest.raises(OutputsDifferError) as raised:
        scripted(outcome)
    said = str(raised.value)
    assert said.startswith("clip, 17 frames, tiles 2x1: B writes other bytes for the same pictures")
    assert "in the packet of frame 0, byte 3; the kernel at fault is sad, the only one that differs" in said


def test_no_single_kernel_at_fault(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"other" if "sad=" in kernels and "sse=" in kernels else b"stream"), picture()

    with pytest.raises(OutputsDifferError, match="no single kernel is at fault: .* with sad, sse another one"):
        scripted(outcome, b="numba,sad=m.py:f,sse=m.py:g")


def test_what_differs_from_run_to_run_is_said(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"%d" % number if "sad=" in kernels else b"stream"), picture()

    with pytest.raises(OutputsDifferError, match="two runs of B, B, write different streams: it is not deterministic"):
        scripted(outcome)


def test_a_search_that_hangs_still_says_where(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        if number > 5:
            raise SubjectTimeout("B: no answer")
        return (b"other" if "sad=" in kernels else b"stream"), picture()

    with pytest.raises(
        OutputsDifferError, match="packet of frame 0, byte 0; .* cannot be found: B: no answer; no speed"
    ):
        scripted(outcome, b="numba,sad=m.py:f,sse=m.py:g")


def test_what_does_not_decode_is_said(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"broken" if "sad=" in kernels else b"stream"), picture()

    with pytest.raises(
        OutputsDifferError, match="the stream of B does not decode to its reconstruction: frame 0, plane Y; the"
    ):
        scripted(outcome)
    with pytest.raises(OutputsDifferError, match="the stream of A, and of B, does not decode"):
        scripted(lambda *_: (b"broken", picture()))


def test_wrong_on_its_cases(scripted: Check) -> None:
    with pytest.raises(
        OutputsDifferError, match="^sad of numba,sad=m.py:f differs .*expected 0; the streams .* equal all"
    ):
        scripted(alike, wrong=["sad"])

    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        if number > 1:
            raise SubjectError("B: killed")
        return alike(kernels, setting, number)

    with pytest.raises(OutputsDifferError, match="^sad of numba,sad=m.py:f differs .*expected 0; B: killed"):
        scripted(outcome, wrong=["sad"])


def test_a_fault_of_the_base_is_said(scripted: Check) -> None:
    def outcome(kernels: str, setting: Setting, number: int) -> tuple[bytes, Planes]:
        return (b"other" if "sad=m.py" in kernels else b"stream"), picture()

    with pytest.raises(OutputsDifferError, match="is sad, .*and it is A's that differs from the reference: sad-8x8"):
        scripted(outcome, a="numba,sad=m.py:f", b="numba,sad=python", wrong=["sad"])


# --- the gate with an encoder -----------------------------------------------------------------------------------------


def test_streams_of_the_stand_in(fake_encode: Callable[..., Encode], tmp_path: Path) -> None:
    encode = fake_encode()
    with Streams([encode], tmp_path, 60.0) as streams:
        written = streams.write(encode, Setting(2, (1, 0)))
        assert streams.fault(written) == ""
        assert len(written.packets()) == 2 == len(list(written.pictures()))
        assert [plane.shape for plane in next(iter(written.pictures()))] == [(66, 80), (33, 40), (33, 40)]
        assert sorted(written.coding_order()) == [0, 1]
        data = bytearray(written.reconstruction.read_bytes())
        data[-5] ^= 1
        written.reconstruction.write_bytes(data)
        fault = streams.fault(dataclasses.replace(written, digests=("", "")))
        assert "frame 1, plane V: 1 samples differ" in fault


KERNELS = """\
import numpy as np

def odd(a, a_at, a_stride, b, b_at, b_stride, w, h):  # sse, but for the last column of odd ones
    total = np.int64(0)
    for y in range(h):
        for x in range(w - (w & 1)):
            d = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
            total += d * d
    return total

def right(a, a_at, a_stride, b, b_at, b_stride, w, h):  # sad
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total

def hidden(a, a_at, a_stride, b, b_at, b_stride, w, h):  # sse, but in pictures with strides that no case has
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            d = np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x])
            total += d * d
    return total if a_stride < 110 and b_stride < 110 else total // 7
"""


def test_a_kernel_wrong_only_on_odd_sizes_is_found() -> None:
    from encoder.kernels.check import check_slot
    from encoder.kernels.set_numpy.distortion import sse

    space: dict[str, Callable[..., int]] = {}
    exec(KERNELS, space)
    wrong = {difference.case.label.split("-")[0] for difference in check_slot("sse", space["odd"], sse)}
    assert wrong and all(int(size.split("x")[0]) % 2 for size in wrong)
    assert not check_slot("sse", space["hidden"], sse)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_kernels")
def test_wrong_kernels_of_the_encoder(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    from workbench.sides import encode_of, parse_side
    from workbench.subject import our_encoder

    (tmp_path / "mine.py").write_text(KERNELS)
    subject = Subject("clip", make_clip(72, 72, 3), 72, 72, 3, our_encoder())

    def check(b: str) -> str:
        sides = [
            encode_of(parse_side(text), dataclasses.replace(subject, kernels=text), None, text) for text in ("numba", b)
        ]
        with pytest.raises(OutputsDifferError) as raised:
            gate.check([(subject, *sides)], tmp_path, 300.0, print)
        print(raised.value)
        return str(raised.value)

    said = check(f"numba,sse={tmp_path}/mine.py:odd")
    assert "mine.py:odd differs from the reference, first in sse-" in said
    said = check(f"numba,sad={tmp_path}/mine.py:right,sse={tmp_path}/mine.py:hidden")
    assert "first in frame " in said and "block 8x8 at x " in said
    assert "the kernel at fault is sse, alone, by" in said


# --- what differing streams are worth ---------------------------------------------------------------------------------


def test_bd_rate() -> None:
    base = [RatePoint(1000 * 2**n, 30 + 3 * n) for n in range(4)]
    assert bd_rate(base, base) == pytest.approx(0, abs=1e-12)
    less = [RatePoint(point.rate * 0.9, point.quality_db) for point in base]
    assert bd_rate(base, less) == pytest.approx(-0.1)
    assert bd_rate(less, list(reversed(base))) == pytest.approx(1 / 0.9 - 1)
    better = [RatePoint(point.rate, point.quality_db + 1.5) for point in base]
    assert bd_rate(base, better) == pytest.approx(2**-0.5 - 1)  # log rate is linear in quality here
    assert bd_rate(base, base[:2]) is None
    assert bd_rate(base, [RatePoint(point.rate, point.quality_db + 20) for point in base]) is None
    assert bd_rate(base, [RatePoint(point.rate, -point.quality_db) for point in base]) is None


def test_bd_rate_integrates_the_curve_it_draws() -> None:
    """By the slopes of Fritsch and Butland at three points, worked out by hand, and Simpson's rule, exact for cubics."""
    points = [RatePoint(math.e**y, x) for x, y in ((0.0, 1.0), (1.0, 2.0), (3.0, 3.0))]
    flat = [RatePoint(math.e ** (1e-9 * x), x) for x in (0.0, 1.0, 3.0)]
    inner = 9 / (5 / 1 + 4 / 0.5)
    first, last = (4 * 1 - 1 * 0.5) / 3, max((5 * 0.5 - 2 * 1) / 3, 0)
    area = (1 + 2) / 2 + (first - inner) / 12 + 2 * (2 + 3) / 2 + 4 * (inner - last) / 12
    found = bd_rate(flat, points)
    assert found is not None and math.log1p(found) == pytest.approx(area / 3, abs=1e-6)


def test_quality_beside_the_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def side(name: str, quantizer: int) -> Encode:
        return Encode(name, (name, str(quantizer)), Home())

    def figures(encode: Encode, *_: object) -> Figures:
        quantizer = int(encode.words[1])
        return Figures(round(1_000_000 / quantizer * (0.8 if encode.title == "b" else 1)), 3, 60 - quantizer / 10)

    monkeypatch.setattr(gate, "figures", figures)
    pair = (SUBJECT, side("a", 100), side("b", 100))
    found = gate.quality(pair, lambda q: (side("a", q), side("b", q)), tmp_path, 60.0, lambda said: None)
    assert found.bd_rate == pytest.approx(-0.2, abs=1e-4)
    assert (found.bytes_ratio, found.psnr_y_delta) == (0.8, 0.0)
    fixed = gate.quality(pair, lambda q: (side("a", q), side("b", 100)), tmp_path, 60.0, lambda said: None)
    assert fixed.bd_rate is None and "takes no quantizer" in fixed.why


def test_figures_of_any_program(
    fake_encode: Callable[..., Encode], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    from workbench.instruments.gate import figures

    encode = fake_encode()
    with Streams([encode], tmp_path, 60.0) as streams:
        stream = streams.write(encode, Setting(3)).stream
    copy = Encode("copy", ("cp", str(stream), OUTPUT), whole=True)
    source = make_clip(80, 66, 3)
    found = figures(copy, source, tmp_path, 60.0)
    assert (found.bytes, found.frames) == (stream.stat().st_size, 3)
    assert found.psnr_y is not None and 20 < found.psnr_y < 60
    with pytest.raises(OutputsDifferError, match="copy: its stream shows 80x66, the source 64x64"):
        figures(copy, make_clip(64, 64, 3, "other.y4m"), tmp_path, 60.0)
