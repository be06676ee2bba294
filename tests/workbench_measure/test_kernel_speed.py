"""Kernels size by size: what a label says of a size, and what is made of the times."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from encoder.kernels.cases import cases_of
from encoder.kernels.table import SLOTS
from workbench import cli
from workbench.analysis.kernel_speed import DAV1D_AVX2_NS, GROUPS, against_dav1d, group_ratios
from workbench.instruments.inside.sizes import cycle_ns, samples_of, size_of


@pytest.mark.parametrize(
    ("slot", "label", "size", "samples"),
    [
        ("sad", "16x8-random-low", "16x8", 128),
        ("mc_put", "8x4-filter13-frac2,15-highest", "8x4 hv", 32),
        ("mc_put", "8x4-filter13-frac2,0-highest", "8x4 h", 32),
        ("mc_prep", "64x64-filter01-frac0,0-low", "64x64 copy", 4096),
        ("deblock_edge", "vertical-8-plane1-64-mixed-level6-sharpness0", "64 vertical 8 chroma", 64),
        ("inverse_transform_add", "8x8-dct_dct-dc-eob1", "8x8 flat", 64),
        ("inverse_transform_add", "8x8-dct_dct-small-eob12", "8x8", 64),
        ("inverse_transform_add", "8x8-dct_dct-any-eob64", "8x8 wide", 64),
        ("forward_transform", "16x16-adst_dct-ramp", "16x16 wide", 256),
        ("forward_transform", "16x16-adst_dct-wave", "16x16", 256),
        ("quantize", "256-zero-q255-round0-0", "256", 256),
        ("cdef_direction", "stripes3", "8x8", 64),
        ("sad_grid", "within4", "64x64", 4096),
    ],
)
def test_sizes(slot: str, label: str, size: str, samples: int) -> None:
    assert size_of(slot, label) == size and samples_of(size) == samples


@pytest.mark.parametrize("slot", SLOTS)
def test_every_case_has_a_size(slot: str) -> None:
    assert all(size_of(slot, case.label) for case in cases_of(slot))


def test_what_is_compared_exists() -> None:
    assert {slot for members in GROUPS.values() for slot in members} <= set(SLOTS)
    for slot, size in DAV1D_AVX2_NS:
        assert size in {size_of(slot, case.label) for case in cases_of(slot)}


def test_ratios_are_geometric_means_of_groups() -> None:
    """Two sizes of one group at 2 and 8 times the time, one of another at 9: 4 and 9, and 6 of both."""
    times = [{"a": 1.0, "b": 2.0}, {"a": 2.0, "b": 16.0}, {"a": 1.0, "b": 9.0}, {"a": 1.0, "b": 100.0}]
    found = group_ratios(times, ["sad", "sad_x4", "satd", "downscale"], "a", "b")
    assert found == pytest.approx({"SAD": 4.0, "SATD": 9.0, "all of these": 6.0})
    assert group_ratios(times[3:], ["downscale"], "a", "b") == {}


def test_only_what_dav1d_has_is_held_against_it() -> None:
    assert against_dav1d({("average", "64x64"): 84.0, ("sad", "8x8"): 1.0}) == {("average", "64x64"): 1.5}


def test_a_cycle_is_that_of_a_processor() -> None:
    assert 0.1 < cycle_ns() < 3.0


def test_a_line_for_each_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench: Callable[..., object] = cli.main
    with pytest.raises(SystemExit) as exit_:
        bench(["kernels", "bench", "--sizes", "--kernels", "numba,numpy", "--slot", "sad_grid", "--json", "times.json"])
    assert not exit_.value.code
    (item,) = json.loads((tmp_path / "times.json").read_text())["sizes"]
    assert (item["slot"], item["size"], item["samples"]) == ("sad_grid", "64x64", 4096)
    assert 0 < item["call_ns"] < item["ns"]["numba"] < item["ns"]["numpy"]
    head, line, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["slot", "size", "numba", "ns", "call", "ns", "cycles/sample", "numpy"]
    assert line.split()[:2] == ["sad_grid", "64x64"] and float(line.split()[-1]) > 1
    assert any(text.startswith("numba is so many times faster than numpy") for text in rest)
