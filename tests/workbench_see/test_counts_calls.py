"""Work counters: exact, whatever the calls; held against counting in Python, in the interpreted walk and the compiled one."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from encoder.kernels.check import argument_names
from encoder.kernels.table import SLOTS
from workbench.analysis.counts import work_of
from workbench.errors import InputError, SubjectError
from workbench.instruments import calls as instrument
from workbench.instruments.inside import calls
from workbench.instruments.inside.calls import CallTable, CountedCompiledKernel, StandIns
from workbench.subject import Subject, our_encoder

TIMEOUT_S = 300.0
SIZES = (4, 8, 16, 32, 64)


def address(function: Any, slot: str) -> int:
    """Where a function lies that is compiled for a slot."""
    function.compile(SLOTS[slot].signature)
    result = function.get_compile_result(SLOTS[slot].signature)
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def counted_sad(function: Callable[..., int]) -> tuple[Any, CallTable, StandIns]:
    """A record with the slot sad alone, whose kernel is counted; its table; what has to live as long."""
    from encoder.byref import Record

    class Table(Record):
        """One slot."""

        FIELDS = {"sad": SLOTS["sad"].signature}  # noqa: RUF012

    compiled, table = njit(function), CallTable("sad")
    stand_ins = StandIns({"sad": (SLOTS["sad"].signature, address(compiled, "sad"), table)})
    return Table(sad=CountedCompiledKernel(compiled, table, stand_ins.address("sad"))), table, stand_ins


@njit
def call_all(k, block, widths, heights):
    """Call the slot with these sizes; the sum of its answers."""
    total = 0
    for i in range(len(widths)):
        total += k.sad(block, i, 64, block, 2 * i, 64, widths[i], heights[i])
    return total


def weighed(a, a_at, a_stride, b, b_at, b_stride, w, h):
    return a[a_at] * np.int64(1000000) + b_at * np.int64(10000) + w * np.int64(100) + h


def test_compiled_calls_are_counted_and_passed_on_as_they_are() -> None:
    random = np.random.default_rng(3)
    table_of_sad, table, _alive = counted_sad(weighed)
    block = np.arange(256, dtype=np.uint8)
    widths, heights = random.choice(SIZES, 100), random.choice(SIZES, 100)
    total = call_all(table_of_sad, block, widths, heights)
    assert total == sum(
        weighed(block, i, 64, block, 2 * i, 64, w, h) for i, (w, h) in enumerate(zip(widths, heights, strict=True))
    )
    assert table.arguments == ("w", "h") and table.other == 0
    assert table.calls() == Counter(zip(widths.tolist(), heights.tolist(), strict=True))


def test_a_call_from_python_counts_like_one_from_compiled_code() -> None:
    table_of_sad, table, _alive = counted_sad(weighed)
    block = np.zeros(16, np.uint8)
    assert table_of_sad.sad(block, 0, 4, block, 0, 4, 8, 4) == 804
    call_all(table_of_sad, block, np.array([8]), np.array([4]))
    assert table.calls() == {(8, 4): 2}


def test_no_two_kinds_of_calls_are_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many kinds as the table has places, of any magnitude, negative ones and nought too."""
    monkeypatch.setattr(calls, "ENTRIES", 512)
    random = np.random.default_rng(5)
    table_of_sad, table, _alive = counted_sad(weighed)
    kinds = random.integers(-(2**62), 2**62, (510, 2))
    kinds[:4] = [[0, 0], [0, 1], [1, 0], [-1, -1]]
    order = random.integers(0, len(kinds), 5000)
    call_all(table_of_sad, np.zeros(5000, np.uint8), kinds[order, 0].copy(), kinds[order, 1].copy())
    assert table.calls() == Counter(map(tuple, kinds[order].tolist())) and table.other == 0


def test_kinds_beyond_the_tables_places_are_counted_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ENTRIES", 64)
    table_of_sad, table, _alive = counted_sad(weighed)
    widths = np.concatenate([np.arange(100), np.arange(100)])
    call_all(table_of_sad, np.zeros(200, np.uint8), widths, np.ones(200, np.int64))
    assert table.calls() == {(w, 1): 2 for w in range(64)} and table.other == 72


def test_a_kernels_error_reaches_the_caller() -> None:
    def failing(a, a_at, a_stride, b, b_at, b_stride, w, h):
        if w == 13:
            raise ValueError("thirteen")
        return w

    table_of_sad, table, _alive = counted_sad(failing)
    with pytest.raises(ValueError, match="thirteen"):
        call_all(table_of_sad, np.zeros(4, np.uint8), np.array([4, 13, 8]), np.array([4, 4, 4]))
    assert table.calls() == {(4, 4): 1, (13, 4): 1}


@pytest.mark.parametrize("slot", SLOTS)
def test_every_slot_is_split_by_its_sizes(slot: str) -> None:
    """A new slot's arguments have to be known: else its work could not be told."""
    table = CallTable(slot)
    has_none = {"sad_grid", "cdef_direction"}  # 64x64 and 8x8 alone
    assert bool(table.arguments) == (slot not in has_none)
    assert all(argument_names(slot)[at] == name for name, at in zip(table.arguments, table.positions, strict=True))


def test_the_left_edge_is_no_size() -> None:
    assert CallTable("predict_dc").arguments == ("w", "h", "have_above", "have_left")
    assert "left" in CallTable("extend_edges").arguments


# --- whole encodes ----------------------------------------------------------------------------------------------------


def subject(path: Path, width: int, height: int, frames: int, kernels: str) -> Subject:
    return Subject("clip", path, width, height, frames, our_encoder(), kernels=kernels)


def counted_in_python(monkeypatch: pytest.MonkeyPatch, path: Path, output: Path) -> dict[str, Counter[tuple[int, ...]]]:
    """The interpreted walk in this process, with a wrapper around each kernel that writes down its arguments by name."""
    from encoder import stream
    from encoder.cli import main
    from encoder.kernels.load import load_kernels
    from encoder.kernels.table import Kernels

    seen: dict[str, Counter[tuple[int, ...]]] = {slot: Counter() for slot in SLOTS}

    def watched(slot: str, function: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            given = dict(zip(argument_names(slot), arguments, strict=True))
            sizes = {name: int(given[name]) for name in CallTable(slot).arguments}
            for flag in ("frac_x", "frac_y", "plane"):
                if flag in sizes:
                    sizes[flag] = 1 if sizes[flag] else 0
            seen[slot][tuple(sizes.values())] += 1
            return function(*arguments)

        return call

    def load_watched(name: str) -> Any:
        original = load_kernels(name)
        kernels = Kernels(**{slot: watched(slot, getattr(original.kernels, slot)) for slot in SLOTS})
        return dataclasses.replace(original, kernels=kernels)

    monkeypatch.setattr(stream, "load_kernels", load_watched)
    assert main([str(path), "-o", str(output), "--kernels", "python", "-q"]) == 0
    return seen


@pytest.mark.parametrize("frames", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_compiled_calls_are_those_of_the_interpreted_set(
    make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled_kernels: None, frames: int
) -> None:
    path = make_clip(16, 16, frames)
    found = {}
    for kernels in ("numba", "python"):
        folder = tmp_path / kernels
        folder.mkdir()
        record = instrument.measure(subject(path, 16, 16, frames, kernels), folder, TIMEOUT_S)
        found[kernels] = {
            work.slot: {tuple(k.arguments.values()): k.calls for k in work.kinds} for work in work_of(record)
        }
        assert (record.data["frames"], record.data["superblocks"]) == (frames, 1)
        assert record.data["interpreted"] == (kernels == "python")
        assert record.values == (float(sum(sum(kinds.values()) for kinds in found[kernels].values())),)
    reference = {
        slot: kinds for slot, kinds in counted_in_python(monkeypatch, path, tmp_path / "a.ivf").items() if kinds
    }
    assert found["numba"] == found["python"] == reference
    assert {"satd", "forward_transform", "cdef_filter", "extend_edges"} <= set(reference)
    assert ("mc_put" in reference) == (frames > 1)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"speed": 6}, {"tile_cols_log2": 1, "quantizer": 30}])
def test_calls_are_exact_with_other_tools_and_tiles(
    make_clip: Callable[..., Path], tmp_path: Path, compiled_kernels: None, options: dict[str, Any]
) -> None:
    path = make_clip(136, 24, 3)
    found = []
    for kernels in ("numba", "python"):
        folder = tmp_path / kernels
        folder.mkdir()
        one = subject(path, 136, 24, 3, kernels).change(threads=2, **options)
        found.append(instrument.measure(one, folder, 3000.0).data["slots"])
    for slot in SLOTS:
        assert found[0][slot]["calls"] == found[1][slot]["calls"], slot


def test_a_clip_that_the_encoder_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.y4m"):
        instrument.measure(subject(tmp_path / "none.y4m", 16, 16, 3, "python"), tmp_path, TIMEOUT_S)


def test_an_encode_that_dies_by_a_signal(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    one = subject(make_clip(16, 16, 1), 16, 16, 1, "python")
    paths = f"{tmp_path}:{':'.join(sys.path)}"
    broken = dataclasses.replace(one.encoder, environment={**one.encoder.environment, "PYTHONPATH": paths})
    with pytest.raises(SubjectError, match=r"signal 11 \(SIGSEGV\)"):
        instrument.measure(one.change(encoder=broken), tmp_path, TIMEOUT_S)
