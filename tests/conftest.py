"""Fixtures that the tests of all floors share."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import encoder.errors
from encoder.picture import Picture
from encoder.y4m import Y4mWriter

# The folder that this process imports the packages from, for the processes that it starts: they run elsewhere.
PACKAGES = Path(encoder.errors.__file__).parents[1]

# On a machine that others use too, an example may take any time.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

# A shell that starts us in the background has us ignore it, and with us the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def moving_pictures(width: int, height: int, frames: int, seed: int = 1) -> Iterator[Picture]:
    """Waves that move, with a little noise: something to predict in every direction, and something that is left."""
    random = np.random.default_rng(seed)
    picture = Picture.allocate(width, height)
    for t in range(frames):
        for p in range(3):
            plane = picture.plane(p)
            y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
            waves = 60 * np.sin((x + 3 * t) / 7 + p) + 50 * np.sin((x + 2 * y - t) / 11)
            plane[:] = np.clip(128 + waves + random.integers(-4, 5, plane.shape), 0, 255)
        yield picture


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """make_clip(width, height, frames, name="clip.y4m") -> the path of a Y4M file with moving pictures."""

    def make(width: int, height: int, frames: int, name: str = "clip.y4m") -> Path:
        path = tmp_path / name
        with path.open("wb") as stream:
            writer = Y4mWriter(stream, width, height, Fraction(30))
            for picture in moving_pictures(width, height, frames):
                writer.write(picture)
        return path

    return make


@pytest.fixture(scope="session")
def process_environment() -> dict[str, str]:
    """The environment for processes that import what this one imports. They keep Python's byte code, as those of users do: where
    they leave it is a thing to test."""
    paths = [str(PACKAGES), os.environ.get("PYTHONPATH", "")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture(scope="session")
def compiled_kernels(process_environment: dict[str, str]) -> None:
    """Fills the cache of compiled code, where it is empty: a minute or two that no single test should pay for.

    One worker does it while the others wait, for each would take both processors.
    """
    from encoder.compiled import cache_root  # and with it numba, which many tests do without

    cache_root().mkdir(parents=True, exist_ok=True)
    with open(cache_root() / "tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for kernels in ("simd", "numba"):
            words = [sys.executable, "-m", "encoder", "--warm", "--quiet", "--kernels", kernels]
            subprocess.run(words, env=process_environment, check=True)


@pytest.fixture
def run_encoder(tmp_path: Path, process_environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """run_encoder(argument, ..., stdin=bytes or None) -> the finished process, run in tmp_path."""

    def run(*arguments: object, stdin: bytes | None = None, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "encoder", *map(str, arguments)]
        done = subprocess.run(
            command,
            input=stdin or b"",
            capture_output=True,
            cwd=tmp_path,
            env=process_environment,
            timeout=300,
            **options,
        )
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def perf() -> None:
    """perf, where the kernel lets it count; a container may forbid that, and nothing here can change it."""
    if shutil.which("perf") is None:
        pytest.skip("no perf; apt-get install linux-perf")
    if subprocess.run(["perf", "stat", "-e", "task-clock:u", "--", "true"], capture_output=True).returncode:
        pytest.skip("the kernel lets nobody use perf here")
