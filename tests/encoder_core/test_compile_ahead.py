"""Two processes that compile: what one has made, the other finds in the cache."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encoder import compile_ahead, compiled, intmath
from encoder.kernels.table import SLOTS

WARM = """
from encoder import compile_ahead

compile_ahead.start("simd")
from encoder.stream import warm
warm("simd", print)
"""
MSB = ("encoder.intmath", "msb")
ELSEWHERE = f"""
import sys

sys.path.insert(0, {str(Path(compiled.__file__).parents[1])!r})  # before the folder that it runs in
from encoder import compiled, intmath
from encoder.byref import i64

compiled.compiled(intmath, "msb").compile((i64,))
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ENCODER_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(compile_ahead.ALONE, raising=False)
    compiled._cache_folder.cache_clear()
    yield
    compiled._cache_folder.cache_clear()
    compiled.made_elsewhere.clear()


def no_parts(_module: object) -> dict[str, Any]:
    raise AssertionError("this process compiles")


def test_what_another_process_makes_is_waited_for(
    empty_cache: None, monkeypatch: pytest.MonkeyPatch, process_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = process_environment | {"ENCODER_CACHE_DIR": str(tmp_path)}

    def other() -> None:
        subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, check=True)

    assert not compiled.is_in_cache(*MSB)
    compiled.made_elsewhere[MSB] = other
    monkeypatch.setattr(compiled, "_twin", no_parts)
    msb = compiled.compiled(intmath, "msb")
    assert msb(1000) == 9
    assert compiled.is_in_cache(*MSB) and not compiled.made_elsewhere
    assert compiled.compiled(intmath, "msb")(1000) == 9  # what is in the cache is whole


def test_what_another_process_fails_at_is_compiled_here(empty_cache: None) -> None:
    compiled.made_elsewhere[MSB] = lambda: None
    assert compiled.compiled(intmath, "msb")(1000) == 9
    assert compiled.is_in_cache(*MSB)


class Started(list[list[str]]):
    """Stands for subprocess.Popen."""

    def __call__(self, words: list[str], **_pipes: object) -> "Started":
        self.append(words)
        return self

    def wait(self) -> int:
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    processes = Started()
    monkeypatch.setattr(compile_ahead.subprocess, "Popen", processes)
    monkeypatch.setattr(compile_ahead, "_processors", lambda: 2)
    return processes


def test_it_begins_where_the_walk_is_missing(empty_cache: None, started: Started) -> None:
    compile_ahead.start("simd")
    assert len(started) == 1 and "'simd'" in started[0][-1]
    assert set(compiled.made_elsewhere) == {("encoder.tile.walk", "encode_tile"), ("encoder.tile.walk", "finish_tile")}


@pytest.mark.parametrize("kernels", ["python", "numpy", "simd,sad=python", "check:simd", "simd,sad=mine.py:sad"])
def test_other_sets_compile_alone(empty_cache: None, started: Started, kernels: str) -> None:
    compile_ahead.start(kernels)
    assert not started


def test_one_processor_compiles_alone(empty_cache: None, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_ahead, "_processors", lambda: 1)
    compile_ahead.start("simd")
    monkeypatch.setattr(compile_ahead, "_processors", lambda: 2)
    monkeypatch.setenv(compile_ahead.ALONE, "1")
    compile_ahead.start("simd")
    assert not started


@pytest.mark.slow
def test_both_processes_compile(tmp_path: Path, process_environment: dict[str, str]) -> None:
    """One does not hear of the kernels that the other one has made; then nothing is missing."""
    environment = process_environment | {"ENCODER_CACHE_DIR": str(tmp_path)}
    environment.pop(compile_ahead.ALONE, None)

    def heard() -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", WARM], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return set(done.stdout.split())

    cold = heard()
    made_by_the_other = SLOTS.keys() - cold
    assert 3 < len(made_by_the_other) < len(SLOTS)
    assert not heard()
