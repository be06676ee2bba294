"""A stand-in encoder (tests/workbench_measure/fake) behind `workbench compare`, and caches of their own."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import encoder.errors
from workbench.sides import OUTPUT, Encode, Home
from workbench.subject import Encoder, our_encoder

FAKE = Path(__file__).parents[1] / "workbench_measure" / "fake"
PACKAGES = Path(encoder.errors.__file__).parents[1]
WIDTH, HEIGHT, FRAMES = 80, 66, 3


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches and state that begin empty, and a working directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fake_home() -> Callable[..., Home]:
    """fake_home(fault) -> where the stand-in is imported from, told to go wrong in one way."""

    def make(fault: str = "") -> Home:
        environment = {"PYTHONPATH": f"{FAKE}{os.pathsep}{PACKAGES}", "PYTHONSAFEPATH": "1", "FAULT": fault}
        return Home(environment=environment)

    return make


@pytest.fixture
def fake_encode(make_clip: Callable[..., Path], fake_home: Callable[..., Home]) -> Callable[..., Encode]:
    """fake_encode(title, fault, kernels, fields...) -> an encode of three small pictures by the stand-in; interpreted, because
    it compiles anew in every process."""
    clip = make_clip(WIDTH, HEIGHT, FRAMES)

    def make(title: str = "fake", fault: str = "", kernels: str = "numpy", **fields: object) -> Encode:
        arguments = (str(clip), "-o", OUTPUT, "--kernels", kernels, "--limit", str(FRAMES), "-q", "-y")
        encode = Encode(
            title,
            ("encoder", *arguments),
            fake_home(fault),
            arguments=arguments,
            kernels=kernels,
            compiled=kernels == "numba",
            frames=FRAMES,
        )
        return dataclasses.replace(encode, **fields)

    return make


@pytest.fixture
def fake_encoder(monkeypatch: pytest.MonkeyPatch, fake_home: Callable[..., Home]) -> Encoder:
    """What `workbench compare` takes for our encoder."""
    fake = dataclasses.replace(our_encoder(), environment=fake_home().environment)
    monkeypatch.setattr("workbench.sides.our_encoder", lambda: fake)
    return fake
