"""Plain code in two worlds: records by pointer, parts and entry points, the cache's key."""

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from numba import njit

from encoder import compiled
from encoder.byref import Record, i64, i64s, u8s

SIGNATURE = i64(u8s, i64)


class Table(Record):
    FIELDS: ClassVar = {"element": SIGNATURE}


class State(Record):
    FIELDS: ClassVar = {"data": u8s, "n": i64, "sums": i64s}


@njit(SIGNATURE, error_model="numpy")
def element(data, index):
    return data[index]


@njit(SIGNATURE)
def broken(data, index):
    if index >= 0:
        raise ValueError("no such element")
    return 0


@njit(nogil=True)
def total(k, t):
    """Runs interpreted as total.py_func."""
    result = 0
    for i in range(t.n):
        result += k.element(t.data, i)
    t.sums[0] = result
    return result


def state() -> State:
    return State(data=np.arange(9, dtype=np.uint8), n=9, sums=np.zeros(2, np.int64))


def test_a_record_reads_alike_interpreted_and_compiled() -> None:
    t, u = state(), state()
    assert total(Table(element=element), t) == total.py_func(Table(element=element), u) == 36
    assert t.sums[0] == u.sums[0] == 36


def test_an_error_in_a_kernel_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="no such element"):
        total(Table(element=broken), state())


@pytest.mark.parametrize(
    "fields",
    [
        {"data": np.arange(9, dtype=np.int16), "n": 1, "sums": np.zeros(2, np.int64)},
        {"data": np.zeros((3, 3), np.uint8), "n": 1, "sums": np.zeros(2, np.int64)},
        {"data": np.zeros(9, np.uint8)[::2], "n": 1, "sums": np.zeros(2, np.int64)},
        {"n": 1, "sums": np.zeros(2, np.int64)},
    ],
    ids=["dtype", "not flat", "not contiguous", "missing"],
)
def test_a_field_that_does_not_fit_is_refused(fields: dict) -> None:
    with pytest.raises(TypeError, match="State"):
        State(**fields)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_an_entry_point_runs_as_the_plain_module_does(tmp_path: Path) -> None:
    path = tmp_path / "plain_example.py"
    path.write_text("def double(x):\n    return 2 * x\n\ndef six(x):\n    return double(x) + double(double(x))\n")
    module = load(path)
    entry = compiled.compiled(module, "six", cached=False)
    assert entry(np.int64(7)) == module.six(7) == 42


def test_a_part_is_compiled_once_for_all_constants(tmp_path: Path) -> None:
    path = tmp_path / "plain_constants.py"
    path.write_text("def add(x, y):\n    return x + y\n\ndef many(x):\n    return add(x, 1) + add(x, 2) + add(x, x)\n")
    heard: list[str] = []
    watch = compiled.CompileWatch(heard.append)
    assert compiled.compiled(load(path), "many", cached=False)(np.int64(1)) == 7
    assert heard.count("add") == 1 and watch.seconds > 0


def test_the_only_call_of_a_part_is_inlined_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain_once.py"
    body = "".join(f"    a[{i}] = (a[{i + 1}] ^ x) * 7 + (a[{i + 2}] >> 1)\n" for i in range(60))
    path.write_text(
        f"def lengthy(a, x):\n{body}    return 0\n\ndef every(a):\n    for x in a:\n        lengthy(a, x)\n"
    )
    entry = compiled.compiled(load(path), "every", cached=False)
    entry(np.zeros(62, np.int64))
    (overload,) = entry.overloads.values()
    defined = [each.name for each in overload.library._final_module.functions if not each.is_declaration]
    assert any("every" in name for name in defined) and not any("lengthy" in name for name in defined)


def test_the_cache_keeps_no_names_but_those_of_the_entry_point(tmp_path: Path) -> None:
    path = tmp_path / "plain_names.py"
    path.write_text(
        "def part(n):\n    return n * 3 + 1\n\n"
        "def whole(n):\n    total = 0\n    for i in range(n):\n        total += part(i) ^ part(n)\n    return total\n"
    )
    entry = compiled.compiled(load(path), "whole", cached=False)
    assert entry(3) == load(path).whole(3)
    (overload,) = entry.overloads.values()
    kept = [each.name for each in compiled._names_alone(overload.library._final_module).global_variables]
    assert len(kept) == 3, kept  # itself, what Python calls, its environment
    assert all("whole" in name for name in kept)


ELEMENT = """
import sys, types
import numpy as np
from encoder import compiled

module = sys.modules[sys.argv[1]] = types.ModuleType(sys.argv[1])
exec("def element(a, i): return a[i]", module.__dict__)
try:
    print(compiled.compiled(module, "element", cached=False)(np.arange(4), int(sys.argv[2])))
except IndexError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "index", "said"),
    [
        ("encoder.tile.planted", -1, "index is out of bounds"),
        ("encoder.tile.planted", 4, "index is out of bounds"),
        ("encoder.tile.planted", 3, "3"),
        ("of_a_user", -1, "3"),
    ],
)
def test_only_code_of_users_counts_from_the_end(
    module: str, index: int, said: str, process_environment: dict[str, str]
) -> None:
    words = [sys.executable, "-c", ELEMENT, module, str(index)]
    environment = process_environment | {"NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_index_leaves_its_array(
    make_clip: Callable[..., Path], tmp_path: Path, process_environment: dict[str, str]
) -> None:
    """A build of its own, in which numba checks every access: an index below 0 would read somewhere else."""
    checked = {"NUMBA_BOUNDSCHECK": "1", "ENCODER_CACHE_DIR": str(tmp_path / "checked")}
    clip, output = str(make_clip(300, 150, 18)), str(tmp_path / "out.ivf")
    runs = [["--stress", str(seed), "--kernels", "numba"] for seed in range(20)]
    for kernels, speed, quantizer in itertools.product(("simd", "numba"), (10, 8, 6, 4, 0), (10, 100, 240)):
        options = {"kernels": kernels, "speed": speed, "quantizer": quantizer, "tile-cols-log2": quantizer % 3}
        runs.append([clip, *(word for name, value in options.items() for word in (f"--{name}", str(value)))])
    for run in runs:
        words = [sys.executable, "-m", "encoder", *run, "-o", output, "-y"]
        done = subprocess.run(words, env=process_environment | checked, capture_output=True, text=True)
        assert done.returncode == 0, (run, done.stderr)
    walks = list((tmp_path / "checked").glob("tile.walk*/*/*encode_tile*.nbc"))
    assert walks and all(b"index is out of bounds" in path.read_bytes() for path in walks)


def test_the_key_of_the_cache_follows_every_source_that_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.source_digest("encoder.tile.walk")
    read = Path.read_bytes

    def edited(path: Path) -> bytes:
        return read(path) + (b"\n# edited" if path.name == "intmath.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    compiled.source_digest.cache_clear()
    try:
        assert compiled.source_digest("encoder.tile.walk") != before
        assert compiled.source_digest("encoder.kernels.set_python.intra")
    finally:
        compiled.source_digest.cache_clear()


def test_walk_and_kernels_have_keys_of_their_own() -> None:
    walk = {path.name for path in compiled._sources("encoder.tile.walk", set())}
    intra = {path.name for path in compiled._sources("encoder.kernels.set_numba.intra", set())}
    assert {"walk.py", "search.py", "symbol.py", "table.py"} <= walk and "intra.py" not in walk
    assert {"intra.py"} <= intra and "walk.py" not in intra


def test_only_the_last_versions_of_a_module_stay_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODER_CACHE_DIR", str(tmp_path))
    for i in range(9):
        (tmp_path / f"tile.walk-{i}").mkdir()
    compiled._cache_folder.cache_clear()
    try:
        kept = compiled._cache_folder("encoder.tile.walk")
        assert kept.is_dir() and len(list(tmp_path.iterdir())) == compiled.KEPT_VERSIONS
    finally:
        compiled._cache_folder.cache_clear()
