"""Call stacks with the names of compiled functions: the parts by themselves, then py-spy on the stand-in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import SubjectError
from workbench.instruments import stacks
from workbench.instruments.inside import jit
from workbench.instruments.stacks import UNKNOWN, SymbolMap, fold, resolved_share, short_name, tidy
from workbench.subject import Subject

NAMES = SymbolMap(
    [
        (0x1000, 0x100, "encoder.kernels.set_numba.distortion.satd", False),
        (0x2000, 0x100, "encoder.tile.walk.encode_tile", False),
        (0x3000, 0x100, "encoder.tile.walk.encode_tile", True),
    ]
)
BODY = "encode (encoder/stream.py:40)"


@pytest.mark.parametrize(
    ("mangled", "name", "wrapper"),
    [
        ("_ZN7encoder7kernels9set_numba10distortion4satdB2v3B40c8tJExx", "encoder.kernels.set_numba.distortion.satd", False),
        ("_ZN7cpython7encoder4tile4walk4walkB2v1Ex", "encoder.tile.walk.walk", True),
        ("cfunc._ZN7encoder4tile4walk4walkB2v1Ex", "encoder.tile.walk.walk", True),
        ("_ZN5numba2np8arrayobj11ol_np_empty12_3clocals_3e4implB2v2Ex", "numba.np.arrayobj.ol_np_empty.<locals>.impl", False),
        ("NRT_incref", "NRT_incref", False),
    ],
)  # fmt: skip
def test_numbas_names_are_read(mangled: str, name: str, wrapper: bool) -> None:
    assert jit.demangle(mangled) == (name, wrapper)


def test_names_are_short_in_reports() -> None:
    assert short_name("encoder.kernels.set_numba.distortion.satd") == "set_numba.satd"
    assert short_name("encoder.tile.walk.encode_tile") == "tile.walk.encode_tile"
    assert short_name("NRT_incref") == "NRT_incref"


def test_an_address_belongs_to_the_function_it_lies_in() -> None:
    found = [NAMES.find(address) for address in (0xFFF, 0x1000, 0x10FF, 0x1100, 0x2050)]
    assert [symbol.name if symbol else None for symbol in found] == [
        None,
        "encoder.kernels.set_numba.distortion.satd",
        "encoder.kernels.set_numba.distortion.satd",
        None,
        "encoder.tile.walk.encode_tile",
    ]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # Between Python and compiled code: numba's dispatcher, its wrapper, and an address that the unwinder made up.
        (
            ["<module> (x.py:1)", BODY, "0x7f01 (?)", "call (_dispatcher.cpp:1)", "0x3010 (?)", "0x2010 (?)", "0x1010 (?)"],
            [BODY, "tile.walk.encode_tile", "set_numba.satd"],
        ),
        (["run (threading.py:9)", BODY, "0x2010 (?)"], [BODY, "tile.walk.encode_tile"]),
        ([BODY, "0x2010 (?)", "0x7f01 (?)"], [BODY, "tile.walk.encode_tile", UNKNOWN]),
        ([BODY, "file_write (fileio.c:3)", "0x7f01 (libc.so.6)"], [BODY, "file_write (fileio.c:3)", "[libc.so.6]"]),
        ([BODY, "encode_frame (encoder/frame/frame.py:7)"], [BODY, "encode_frame (encoder/frame/frame.py:7)"]),
        ([BODY, "shutdown (concurrent/futures/thread.py:9)", "Thread.join (threading.py:4)", "lock (libpython3.so)"], []),
        ([BODY, "Condition.wait (threading.py:4)"], []),
        (["run (encoder/job.py:4)", "repeated (workbench/inside/profiled.py:4)", BODY], ["run (encoder/job.py:4)", BODY]),
        (["<module> (encoder/tables/__init__.py:3)"], []),
        (["main (encoder/cli.py:3)", "_parse (encoder/cli.py:9)"], []),
        (["0x7f01 (?)"], []),
        ([BODY, "0x7f01 (libc.so.6)", "0x7f02 (libc.so.6)"], [BODY, "[libc.so.6]"]),
    ],
)  # fmt: skip
def test_a_stack_is_shown_as_a_reader_wants_it(frames: list[str], expected: list[str]) -> None:
    assert tidy(frames, NAMES) == expected


def test_samples_of_the_same_stack_are_added_up() -> None:
    raw = f"{BODY};0x1010 (?) 5\n{BODY};0x1020 (?) 3\n{BODY};0x7f01 (?) 2\n<module> (x.py:1) 4\n"
    folded = fold(raw, NAMES)
    assert folded == {f"{BODY};set_numba.satd": 8, f"{BODY};{UNKNOWN}": 2}
    assert resolved_share(folded) == pytest.approx(0.8)


def test_samples_without_names_are_warned_of() -> None:
    assert stacks._warnings(1000, 0.99) == []
    assert "20.0 % of the samples have no function name" in stacks._warnings(1000, 0.8)[0]
    assert "only 20 samples" in stacks._warnings(20, 1.0)[0]


COMPILE = """
from workbench.instruments.inside import jit
jit.keep_frame_pointers()
from numba import njit, types
def inner(n):
    return n * 3
def outer(kernel, n):
    return kernel(n) + 1
signature = types.int64(types.int64)
njit(signature)(inner)
njit(types.int64(types.FunctionType(signature), types.int64))(outer)
for symbol in jit.symbols():
    print(symbol.address, symbol.size, symbol.name, symbol.wrapper)
"""


def test_every_compiled_function_is_on_the_map(process_environment: dict[str, str]) -> None:
    """numba's and llvmlite's private names still mean what inside/jit.py takes them for."""
    done = subprocess.run([sys.executable, "-c", COMPILE], env=process_environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    plain = {name: int(size) for _, size, name, wrapper in lines if wrapper == "False"}
    assert plain["__main__.inner"] > 0 and plain["__main__.outer"] > 0
    assert any(name == "__main__.outer" and wrapper == "True" for _, _, name, wrapper in lines)
    addresses = [int(line[0]) for line in lines]
    assert addresses == sorted(set(addresses))


def test_compiled_stacks_are_whole_and_named(subject: Subject, tmp_path: Path) -> None:
    record = stacks.measure(subject.change(kernels="numba"), tmp_path, 240, interpreted=False, warm_up=6)
    hottest = max(record.data["folded"], key=record.data["folded"].get)
    frames = hottest.split(";")
    assert frames[0].startswith("encode (encoder/stream.py:")
    assert frames[-2:] == ["tile.walk.walk", "set_numba.churn"]
    assert record.data["resolved_share"] > 0.9 and record.values[0] > 20


def test_interpreted_stacks_are_python_alone(subject: Subject, tmp_path: Path) -> None:
    record = stacks.measure(subject, tmp_path, 240, interpreted=True, warm_up=1)
    hottest = max(record.data["folded"], key=record.data["folded"].get)
    assert hottest.split(";")[-1].startswith("churn (encoder/kernels/set_numba/busy.py:")


def test_an_encoder_that_dies_under_the_sampler_is_one_clear_error(
    subject: Subject, fake_encoder: Callable[..., object], tmp_path: Path
) -> None:
    with pytest.raises(SubjectError, match="py-spy could not watch the encoder"):
        stacks.measure(subject.change(encoder=fake_encoder("abort")), tmp_path, 240, interpreted=True, warm_up=1)
