"""corpus.toml, read strictly: whatever is missing, misspelt or out of range is one line that names file and clip.

    schema = 1

    [[clip]]
    name = "pan"                    # unique; a-z, 0-9, _ and -
    class = "natural-pan"           # content class, a free word
    tier = "default"                # default, full or release; the tiny versions need no entry
    width = 352                     # luma samples
    height = 288
    frames = 30
    fps = "30/1"                    # or "30"
    format = "420p8"                # 8-bit 4:2:0
    sha256 = "..."                  # of the file's bytes, 64 hexadecimal digits
    licence = "CC0-1.0"             # SPDX identifier or LicenseRef-...
    redistributable = true
    tags = ["global-motion"]
    source = { kind = "generated", recipe = "pan", seed = 1, generator = 1 }
    tiny = { width = 48, height = 48, frames = 3, first = 14, sha256 = "..." }

The other kinds of source are `{ kind = "file", path = "mine.y4m" }`, relative to the manifest, and
`{ kind = "fetch", url = "https://...", bytes = 2851688 }`. `tiny` describes the small version of a generated
clip, and may be left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from workbench.corpus.clips import Clip, Fetched, Generated, Stored, Tiny, suggestion
from workbench.corpus.generator import FORMAT, GENERATOR_VERSION, KINDS
from workbench.corpus.videos import VIDEO_SUFFIXES, accepted_suffixes
from workbench.errors import InputError

MANIFEST_NAME = "corpus.toml"
SCHEMA = 1
TIERS = ("default", "full", "release")

_CLIP_KEYS = (
    "name", "class", "tier", "width", "height", "frames", "fps", "format",
    "sha256", "licence", "redistributable", "tags", "source", "tiny",
)  # fmt: skip
_SOURCE_KEYS = {
    "generated": ("kind", "recipe", "seed", "generator"),
    "file": ("kind", "path"),
    "fetch": ("kind", "url", "bytes"),
}
_TINY_KEYS = ("width", "height", "frames", "first", "sha256")

_LARGEST_SIDE = 4096
_MOST_FRAMES = 1_000_000
_LARGEST_SEED = 0xFFFFFFFF
_LARGEST_FETCH_BYTES = 1 << 40

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FORMAT = re.compile(r"4(00|20|22|44)p(8|10|12)")
_VIDEO_SUFFIX = "(" + "|".join(re.escape(suffix) for suffix in VIDEO_SUFFIXES) + ")"
_URL = re.compile(rf"https?://[^\s?#]+{_VIDEO_SUFFIX}")
_FILE = re.compile(rf".+{_VIDEO_SUFFIX}")
_ANY_TEXT = re.compile(r".+")


def load_manifest(path: Path) -> tuple[Clip, ...]:
    """The clips of a manifest, in its order. Raises InputError with one line for whatever is wrong in it."""
    table = _Table(_parsed(path), str(path), ("schema", "clip"))
    table.value("schema", f"schema {SCHEMA}, which this workbench reads", lambda schema: schema == SCHEMA)
    entries = table.value("clip", "one or more [[clip]] tables", _is_list_of_tables)
    clips: dict[str, Clip] = {}
    for number, entry in enumerate(entries, 1):
        clip = _clip(entry, path, number)
        if clip.name in clips:
            raise InputError(f"{path}: two clips are named {clip.name!r}; names must be unique: rename one")
        clips[clip.name] = clip
    return tuple(clips.values())


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); a corpus manifest is TOML") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not valid TOML: {error}") from error


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


@dataclass(frozen=True)
class _Table:
    """A table of the manifest under reading; `where` begins every complaint about it."""

    entries: dict[str, Any]
    where: str
    accepted: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in self.entries:
            if key not in self.accepted:
                near = suggestion(key, self.accepted)
                raise InputError(f"{self.where}: unknown key {key!r}{near}; accepted: {', '.join(self.accepted)}")

    def value(self, key: str, needed: str, accepts: Callable[[Any], bool]) -> Any:
        """The entry under `key`, which must be there and accepted; `needed` says in words what is."""
        if key not in self.entries:
            raise InputError(f"{self.where}: key {key!r} is missing; it needs {needed}")
        found = self.entries[key]
        if not accepts(found):
            raise InputError(f"{self.where}: {key} is {found!r}; it needs {needed}")
        return found

    def integer(self, key: str, lowest: int, highest: int) -> int:
        """A whole number of lowest..highest."""
        return int(
            self.value(
                key,
                f"a whole number, {lowest} to {highest}",
                lambda found: type(found) is int and lowest <= found <= highest,
            )
        )

    def text(self, key: str, pattern: re.Pattern[str], needed: str) -> str:
        """A text that the pattern matches as a whole."""
        return str(self.value(key, needed, lambda found: isinstance(found, str) and bool(pattern.fullmatch(found))))

    def one_of(self, key: str, accepted: tuple[str, ...]) -> str:
        """One of these words; the complaint suggests a near one."""
        found = self.entries.get(key)
        near = suggestion(found, accepted) if isinstance(found, str) else ""
        return str(self.value(key, f"one of {', '.join(accepted)}{near}", lambda word: word in accepted))


def _clip(entry: dict[str, Any], path: Path, number: int) -> Clip:
    """One [[clip]]; before its name is known, complaints call it by its number."""
    name = entry.get("name")
    where = f"{path}: clip {name!r}" if isinstance(name, str) else f"{path}: clip number {number}"
    table = _Table(entry, where, _CLIP_KEYS)
    frames = table.integer("frames", 1, _MOST_FRAMES)
    source, stored = _source(table, path, frames)
    return Clip(
        name=table.text("name", _NAME, "a name of a-z, 0-9, _ and -"),
        class_=table.text("class", _ANY_TEXT, "a content class, such as 'natural-pan' or 'screen'"),
        tier=table.one_of("tier", TIERS),
        width=table.integer("width", 1, _LARGEST_SIDE),
        height=table.integer("height", 1, _LARGEST_SIDE),
        frames=frames,
        fps=_fps(table),
        format=_format(table, source),
        sha256=table.text("sha256", _SHA256, "64 hexadecimal digits (lower case)"),
        licence=table.text("licence", _ANY_TEXT, "an SPDX identifier or LicenseRef-..."),
        redistributable=bool(table.value("redistributable", "true or false", lambda found: isinstance(found, bool))),
        tags=tuple(table.value("tags", "a list of words (it may be empty)", _is_list_of_words)),
        source=source,
        path=stored,
        manifest=path,
    )


def _is_list_of_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _fps(table: _Table) -> Fraction:
    text = table.text("fps", re.compile(r"[1-9]\d{0,8}(/[1-9]\d{0,8})?"), "frames a second as a text, '30/1' or '30'")
    return Fraction(text)


def _format(table: _Table, source: Generated | Fetched | Stored) -> str:
    if isinstance(source, Generated):
        return table.one_of("format", (FORMAT,))
    return table.text("format", _FORMAT, "a format such as '420p8' or '422p10'")


def _source(table: _Table, path: Path, frames: int) -> tuple[Generated | Fetched | Stored, Path | None]:
    """The clip's source, and its file when that is stored."""
    entry = table.value("source", "a table [clip.source]", lambda found: isinstance(found, dict))
    where = f"{table.where}: source"
    every_key = tuple(dict.fromkeys(key for keys in _SOURCE_KEYS.values() for key in keys))
    kind = _Table(entry, where, every_key).one_of("kind", tuple(_SOURCE_KEYS))
    source = _Table(entry, where, _SOURCE_KEYS[kind])
    if kind == "generated":
        return _generated(source, _tiny(table, frames), frames), None
    if "tiny" in table.entries:
        raise InputError(f"{table.where}: [clip.tiny] is for generated clips only; others are cut: remove it")
    if kind == "fetch":
        url = source.text("url", _URL, f"an http(s) address of a file whose name ends in {accepted_suffixes()}")
        return Fetched(url, source.integer("bytes", 1, _LARGEST_FETCH_BYTES)), None
    needed = f"a file, relative to the manifest, whose name ends in {accepted_suffixes()}"
    return Stored(), path.parent / source.text("path", _FILE, needed)


def _generated(source: _Table, tiny: Tiny | None, frames: int) -> Generated:
    source.value(
        "generator",
        f"{GENERATOR_VERSION}, the version that this workbench has; install the one that fits the manifest",
        lambda found: type(found) is int and found == GENERATOR_VERSION,
    )
    recipe = source.one_of("recipe", tuple(KINDS))
    return Generated(recipe, source.integer("seed", 0, _LARGEST_SEED), first=0, timeline=frames, tiny=tiny)


def _tiny(clip: _Table, timeline: int) -> Tiny | None:
    """The clip's [clip.tiny], whose frames must lie in its timeline."""
    if "tiny" not in clip.entries:
        return None
    entry = clip.value("tiny", "a table [clip.tiny]", lambda found: isinstance(found, dict))
    table = _Table(entry, f"{clip.where}: tiny", _TINY_KEYS)
    frames = table.integer("frames", 1, timeline)
    return Tiny(
        width=table.integer("width", 1, _LARGEST_SIDE),
        height=table.integer("height", 1, _LARGEST_SIDE),
        frames=frames,
        first=table.integer("first", 0, timeline - frames),
        sha256=table.text("sha256", _SHA256, "64 hexadecimal digits (lower case)"),
    )
