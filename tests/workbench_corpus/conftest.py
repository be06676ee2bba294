"""Fixtures of the corpus tests: a cache of their own, the project's manifest, and small manifests to break."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.corpus import Corpus, load_corpus

PROJECT_CORPUS = Path(__file__).parents[2] / "corpus"

SMALL_CLIP = {
    "name": '"small"',
    "class": '"natural-pan"',
    "tier": '"default"',
    "width": "48",
    "height": "32",
    "frames": "3",
    "fps": '"30/1"',
    "format": '"420p8"',
    "sha256": '"8c072243abe64e698655db06018eea9ef89f1684da2189941ecad00d2bb67c8b"',
    "licence": '"CC0-1.0"',
    "redistributable": "true",
    "tags": "[]",
    "source": '{ kind = "generated", recipe = "pan", seed = 7, generator = 1 }',
}


def clip_toml(**changes: str | None) -> str:
    """One [[clip]] as TOML: SMALL_CLIP with some values changed, or left out by None; `class_` stands for `class`."""
    entries = {**SMALL_CLIP, **{key.rstrip("_"): value for key, value in changes.items()}}
    lines = [f"{key} = {value}" for key, value in entries.items() if value is not None]
    return "\n".join(["[[clip]]", *lines, ""])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the path is that of the clips in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "workbench" / "corpus"


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[..., Path]:
    """write_manifest(text, ...) -> a new folder whose corpus.toml has schema 1 and these texts."""

    def write(*texts: str) -> Path:
        folder = tmp_path / "corpus"
        folder.mkdir(exist_ok=True)
        (folder / "corpus.toml").write_text("\n".join(["schema = 1", *texts]), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def project_corpus() -> Corpus:
    """The corpus that the project ships."""
    return load_corpus(PROJECT_CORPUS)
