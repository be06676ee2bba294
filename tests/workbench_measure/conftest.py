"""A stand-in encoder (folder fake/) as a subject, and a cache of their own, for the tests of the measuring floor."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import encoder.errors
from workbench.subject import Encoder, Subject, our_encoder

FAKE = Path(__file__).with_name("fake")
PACKAGES = Path(encoder.errors.__file__).parents[1]
WIDTH, HEIGHT, FRAMES = 80, 66, 4


@pytest.fixture
def fake_encoder() -> Callable[..., Encoder]:
    """fake_encoder(fault) -> the stand-in, told to go wrong in one way."""

    def make(fault: str = "") -> Encoder:
        environment = {"PYTHONPATH": f"{FAKE}{os.pathsep}{PACKAGES}", "PYTHONSAFEPATH": "1", "FAULT": fault}
        return dataclasses.replace(our_encoder(), environment=environment)

    return make


@pytest.fixture
def subject(make_clip: Callable[..., Path], fake_encoder: Callable[..., Encoder]) -> Subject:
    """A small clip that the stand-in encodes with its numpy set."""
    path = make_clip(WIDTH, HEIGHT, FRAMES)
    return Subject("clip", path, WIDTH, HEIGHT, FRAMES, fake_encoder(), kernels="numpy")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that begins empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
