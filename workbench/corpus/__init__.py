"""The corpus: which clips there are, and their files when they are needed.

    load_corpus(path) -> Corpus        a folder with corpus.toml, a folder of videos, or one video file
    ensure(clip, progress) -> Path     the clip's file, made or downloaded on first use, checked by sha256
    tiny_version(clip) -> Clip         its small version, for interpreted runs
    start_version(clip) -> Clip        8x8 samples of it, for what an encode costs once
    long_version(clip, frames) -> Clip it forwards and backwards, for encodes that take longer

    clips.py       Clip, Corpus, the kinds of source
    manifest.py    corpus.toml
    generator/     clips made by integer arithmetic
    videos.py      the user's own videos
    cache.py       where made and downloaded clips live
    fetch.py       resumable, checked downloads

Every error is a WorkbenchError of one line: InputError (exit status 2) for what the user named or wrote,
EnvironmentFault (5) for missing, damaged or unwritable files and failed downloads.
"""

from __future__ import annotations

from pathlib import Path

from workbench.corpus.cache import cache_folder, cached_path, ensure, verify
from workbench.corpus.clips import Clip, Corpus, long_version, start_version, tiny_version
from workbench.corpus.manifest import MANIFEST_NAME, load_manifest
from workbench.corpus.videos import VIDEO_SUFFIXES, accepted_suffixes, clip_of_video, find_videos, video_names
from workbench.errors import InputError

__all__ = [
    "VIDEO_SUFFIXES", "Clip", "Corpus", "cache_folder", "cached_path", "ensure", "load_corpus", "long_version",
    "start_version", "tiny_version", "verify",
]  # fmt: skip


def load_corpus(path: Path) -> Corpus:
    """The clips that `path` stands for; none of them needs to be there yet.

    path   a folder with corpus.toml, that file itself, any folder of videos (sorted by name), or one video

    Raises InputError for a path that is none of these, a manifest with an error, or a video that PyAV cannot read.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; name a folder with {MANIFEST_NAME}, a folder of videos or a video"
        )
    if path.is_dir():
        manifest = path / MANIFEST_NAME
        return (
            Corpus(path, manifest, load_manifest(manifest)) if manifest.exists() else _videos(path, find_videos(path))
        )
    if path.suffix == ".toml":
        return Corpus(path, path, load_manifest(path))
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(f"{path}: is no corpus and no video by its name; accepted: .toml {accepted_suffixes()}")
    return _videos(path, (path,))


def _videos(path: Path, videos: tuple[Path, ...]) -> Corpus:
    """A corpus of videos that no manifest describes."""
    named = zip(videos, video_names(videos), strict=True)
    return Corpus(path, None, tuple(clip_of_video(video, name) for video, name in named))
