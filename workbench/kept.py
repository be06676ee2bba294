"""Slow results that follow from the encoder's sources and a clip alone, kept until either changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from workbench.files import cache_folder, sha256_of, write_text
from workbench.subject import Subject, source_digest

KEPT_VERSIONS = 3  # of the encoder's sources


class Kept:
    """Results of one kind, as JSON, in the workbench's cache."""

    def __init__(self, kind: str) -> None:
        self._folder = cache_folder(kind) / source_digest()

    def find(self, subject: Subject) -> Any:
        """The kept result of a subject, or None; one that cannot be read counts as none."""
        try:
            return json.loads(self._path(subject).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, subject: Subject, result: Any) -> None:
        """Keep a result, and drop those of all but the newest versions of the encoder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._path(subject), json.dumps(result))
        versions = sorted(self._folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for old in versions[KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)

    def _path(self, subject: Subject) -> Path:
        name = f"{sha256_of(subject.source)[:32]}-{subject.kernels}-q{subject.quantizer}-{subject.frames}frames.json"
        return self._folder / name
