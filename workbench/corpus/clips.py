"""What a corpus is made of: frozen value objects, and the small versions that stand for clips in interpreted runs."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from workbench.errors import InputError

DEFAULT_TIER = "default"
TINY_TIER = "tiny"
OWN_TIER = "own"

TINY_SIDE = 48
TINY_FRAMES = 3  # the fewest with a key frame, a hidden frame and a leaf
START_SIDE = 8  # the smallest picture that the encoder takes
_TINY_SKIP = 30  # a video's first second is often black


@dataclass(frozen=True)
class Tiny:
    """Size and checksum of a generated clip's small version, which begins at frame `first` of the clip's story."""

    width: int
    height: int
    frames: int
    first: int
    sha256: str | None


@dataclass(frozen=True)
class Generated:
    """Made by our generator: a kind in generator.KINDS, a seed, and where it begins in a story of `timeline` frames."""

    recipe: str
    seed: int
    first: int
    timeline: int
    tiny: Tiny | None = None


@dataclass(frozen=True)
class Fetched:
    """Downloaded on first use: `size_bytes` from `url`, decided by the clip's sha256 alone."""

    url: str
    size_bytes: int


@dataclass(frozen=True)
class Stored:
    """A file that is there: the user's own, or one beside the manifest."""


@dataclass(frozen=True)
class Cropped:
    """The middle of some frames of another clip, from its frame `first`, as Y4M 8-bit 4:2:0."""

    parent: Clip
    first: int


@dataclass(frozen=True)
class Repeated:
    """The frames of another clip forwards, backwards and forwards again, as Y4M 8-bit 4:2:0: begun anew at its end, it would
    have a cut there."""

    parent: Clip


@dataclass(frozen=True)
class Clip:
    """One clip, known before it is there: `ensure(clip)` gives its file.

    name            unique in its corpus
    class_          content class, e.g. "natural-pan", "screen"; "own" for videos without a manifest
    tier            which runs use it: "default", "full", "release"; "tiny" for small versions, "own" without a manifest
    width, height   visible luma samples
    frames          how many there are; for videos without a manifest whose container does not say, at least so many
    fps             frames a second
    format          "420p8" is 8-bit 4:2:0; others as 422p10, or FFmpeg's name of the pixel format
    sha256          of the file's bytes; None when nothing says what they should be
    licence         SPDX identifier or LicenseRef-..., "" when unknown
    redistributable whether the pixels may be passed on
    tags            free words
    source          Generated, Fetched, Stored, Cropped or Repeated
    path            the file, for a stored clip; None for those that live in the cache
    manifest        the corpus.toml that names the clip, or None
    """

    name: str
    class_: str
    tier: str
    width: int
    height: int
    frames: int
    fps: Fraction
    format: str
    sha256: str | None
    licence: str
    redistributable: bool
    tags: tuple[str, ...]
    source: Generated | Fetched | Stored | Cropped | Repeated
    path: Path | None = None
    manifest: Path | None = None


@dataclass(frozen=True)
class Corpus:
    """Clips in the order of their manifest, or of their file names. `path` is what the user named."""

    path: Path
    manifest: Path | None
    clips: tuple[Clip, ...]

    def tiers(self) -> tuple[str, ...]:
        """The tiers that can be asked for, "tiny" last."""
        return (*dict.fromkeys(clip.tier for clip in self.clips), TINY_TIER)

    def in_tier(self, tier: str) -> tuple[Clip, ...]:
        """The clips of a tier; "tiny" holds small versions of `main_clips`. Raises InputError for an unknown tier."""
        if tier not in self.tiers():
            accepted = ", ".join(self.tiers())
            raise InputError(
                f"{self.path}: no clip is in tier {tier!r}{suggestion(tier, self.tiers())}; tiers: {accepted}"
            )
        if tier == TINY_TIER:
            return tuple(tiny_version(clip) for clip in self.main_clips())
        return tuple(clip for clip in self.clips if clip.tier == tier)

    def main_clips(self) -> tuple[Clip, ...]:
        """The clips that a run uses when it is not told which: the default tier, or all when there is none."""
        default = tuple(clip for clip in self.clips if clip.tier == DEFAULT_TIER)
        return default or self.clips

    def named(self, names: Iterable[str]) -> tuple[Clip, ...]:
        """The clips of these names, in this order. Raises InputError for a name that is not in the corpus."""
        by_name = {clip.name: clip for clip in self.clips}
        wanted = tuple(names)
        for name in wanted:
            if name not in by_name:
                accepted = ", ".join(by_name)
                raise InputError(f"{self.path}: no clip {name!r}{suggestion(name, by_name)}; clips: {accepted}")
        return tuple(by_name[name] for name in wanted)


def suggestion(word: str, accepted: Iterable[str]) -> str:
    """` (did you mean 'width'?)` when an accepted word is near; else nothing."""
    near = difflib.get_close_matches(word, list(accepted), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def tiny_version(clip: Clip) -> Clip:
    """The clip's small version, named CLIP_tiny: for runs that take seconds for each superblock.

    A generated clip is made anew by its recipe at the size that its manifest gives (48x48 and 3 frames from the middle
    of its story where it says nothing). Any other clip is cut: 48x48 samples from the middle of three frames, after the
    first second.
    """
    small = dataclasses.replace(clip, name=f"{clip.name}_tiny", tier=TINY_TIER, format="420p8", path=None)
    if isinstance(clip.source, Generated):
        return _tiny_generated(small, clip.source)
    first = min(_TINY_SKIP, max(0, clip.frames - TINY_FRAMES))
    return dataclasses.replace(
        small,
        width=min(clip.width, TINY_SIDE),
        height=min(clip.height, TINY_SIDE),
        frames=min(clip.frames, TINY_FRAMES),
        sha256=None,
        source=Cropped(clip, first),
    )


def start_version(clip: Clip) -> Clip:
    """8x8 samples from the middle of the first three frames, named CLIP_start: encoding them runs everything that an encode
    of the clip does once, and hardly anything else."""
    return dataclasses.replace(
        clip,
        name=f"{clip.name}_start",
        tier=TINY_TIER,
        width=min(clip.width, START_SIDE),
        height=min(clip.height, START_SIDE),
        frames=min(clip.frames, TINY_FRAMES),
        format="420p8",
        sha256=None,
        source=Cropped(clip, first=0),
        path=None,
    )


def long_version(clip: Clip, frames: int) -> Clip:
    """The clip forwards and backwards until there are so many frames, named CLIP_long: for encodes that take longer."""
    return dataclasses.replace(
        clip,
        name=f"{clip.name}_long",
        tier=OWN_TIER,
        frames=frames,
        format="420p8",
        sha256=None,
        source=Repeated(clip),
        path=None,
    )


def _tiny_generated(small: Clip, source: Generated) -> Clip:
    """`small` made by the recipe of `source`, which keeps its seed and timeline."""
    middle = max(0, source.timeline // 2 - 1)
    frames = min(small.frames, TINY_FRAMES)
    tiny = source.tiny or Tiny(min(small.width, TINY_SIDE), min(small.height, TINY_SIDE), frames, middle, None)
    return dataclasses.replace(
        small,
        width=tiny.width,
        height=tiny.height,
        frames=tiny.frames,
        sha256=tiny.sha256,
        source=dataclasses.replace(source, first=tiny.first, tiny=None),
    )
