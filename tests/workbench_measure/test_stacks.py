"""Call stacks with the names of compiled functions: the parts by themselves, then py-spy on the stand-in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import SubjectError
from workbench.instruments import stacks
from workbench.instruments.inside import jit
from workbench.subject import Subject
from workbench.symbols.naming import short_name


@pytest.mark.parametrize(
    ("mangled", "name", "wrapper"),
    [
        ("_ZN7encoder7kernels9set_numba10distortion4satdB2v3B40c8tJExx", "encoder.kernels.set_numba.distortion.satd", False),
        ("_ZN7cpython7encoder4tile4walk4walkB2v1Ex", "encoder.tile.walk.walk", True),
        ("cfunc._ZN7encoder4tile4walk4walkB2v1Ex", "encoder.tile.walk.walk", True),
        ("_ZN5numba2np8arrayobj11ol_np_empty12_3clocals_3e4implB2v2Ex", "numba.np.arrayobj.ol_np_empty.<locals>.impl", False),
        ("NRT_incref", "NRT_incref", False),
        ("__gufunc__._ZN8__main__4bodyB2v1Ex", "__main__.body", True),
        ("_ZN13_3cdynamic_3e36__numba_parfor_gufunc_0x7fb73d8471d0B3v13Ex", "<dynamic>.__numba_parfor_gufunc", False),
    ],
)  # fmt: skip
def test_numbas_names_are_read(mangled: str, name: str, wrapper: bool) -> None:
    assert jit.demangle(mangled) == (name, wrapper)


def test_names_are_short_in_reports() -> None:
    assert short_name("encoder.kernels.set_numba.distortion.satd") == "set_numba.satd"
    assert short_name("encoder.tile.walk.encode_tile") == "tile.walk.encode_tile"
    assert short_name("NRT_incref") == "NRT_incref"
    assert short_name("__main__.steps") == "steps"


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (
            "main;main (encoder/cli.py:3);run (encoder/job.py:4);set_numba.satd",
            "main;run (encoder/job.py:4);set_numba.satd",
        ),
        ("2;run (threading.py:9);one (encoder/frame/frame.py:7)", "2;one (encoder/frame/frame.py:7)"),
        ("3;[libgomp.so.1];set_numba.satd (encoder/kernels/x.py:7)", "3;set_numba.satd (encoder/kernels/x.py:7)"),
        ("3;[libc.so.6] clone", "3;[libc.so.6] clone"),
        ("main;<module> (encoder/__main__.py:3)", None),
    ],
)
def test_an_encodes_stacks_begin_with_the_encoders_own_functions(stack: str, expected: str | None) -> None:
    kept = stacks._from_the_encoder_on({f"thread {stack}": 3})
    assert kept == ({} if expected is None else {f"thread {expected}": 3})


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
    sampling = stacks.Sampling(seconds=1.0)
    record = stacks.measure(
        subject.change(kernels="numba"), tmp_path, 240, interpreted=False, warm_up=6, sampling=sampling
    )
    frames = max(record.data["folded"], key=record.data["folded"].get).split(";")
    assert frames[0] == "thread main" and frames[1].startswith("encode (encoder/stream.py:")
    assert frames[-2].startswith("tile.walk.walk (encoder/tile/walk.py:")
    assert frames[-1].startswith("set_numba.churn (encoder/kernels/set_numba/busy.py:")
    assert record.data["unnamed_share"] == 0 and record.values[0] > 20 and record.data["frames"] % 16 == 0
    assert record.data["source"] == "sampler" and record.data["seconds"] >= 1.0


def test_interpreted_stacks_are_python_alone(subject: Subject, tmp_path: Path) -> None:
    record = stacks.measure(subject, tmp_path, 240, interpreted=True, warm_up=1)
    hottest = max(record.data["folded"], key=record.data["folded"].get)
    assert hottest.split(";")[-1].startswith("churn (encoder/kernels/set_numba/busy.py:")
    assert record.data["frames"] == subject.frames - 1


def test_an_encoder_that_dies_under_the_sampler_is_one_clear_error(
    subject: Subject, fake_encoder: Callable[..., object], tmp_path: Path
) -> None:
    with pytest.raises(SubjectError, match="ended before it could be sampled: killed by signal 6"):
        stacks.measure(subject.change(encoder=fake_encoder("abort")), tmp_path, 240, interpreted=True, warm_up=1)
