"""What is measured: a clip as one encoder encodes it with one set of options, and the command line that does so."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import shlex
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoder.config import DEFAULT_KERNELS
from workbench.errors import EnvironmentFault, InputError

_OPTIONS_OF_OURS = (
    "{input} -o {output} --kernels {kernels} --quantizer {quantizer} --tile-cols-log2 {tile_cols_log2} "
    "--tile-rows-log2 {tile_rows_log2} --threads {threads} --limit {frames} -q -y"
)
_FIELDS = ("input", "output", "kernels", "quantizer", "tile_cols_log2", "tile_rows_log2", "threads", "frames")


@dataclass(frozen=True)
class Encoder:
    """An encoder's command line: the words that start it, and the words of its options as templates.

    start         e.g. (python, -m, encoder); instruments that look inside put their own launcher in its place
    options       words with fields in braces: {input} {output} {kernels} {quantizer} {tile_cols_log2} {tile_rows_log2}
                  {threads} {frames}; a field that is not named is not passed on
    environment   entries added to the environment of its processes
    """

    name: str
    start: tuple[str, ...]
    options: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, template: str) -> Encoder:
        """Any encoder from one line: `rav1e {input} -o {output} --quantizer {quantizer}`.

        Raises InputError when the line names no input and output, or a field that we do not know.
        """
        where = f"encoder command {template!r}"
        try:
            words = tuple(shlex.split(template))
            fields = {name for word in words for _, name, _, _ in string.Formatter().parse(word) if name is not None}
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
        if unknown := sorted(fields.difference(_FIELDS)):
            accepted = " ".join(f"{{{name}}}" for name in _FIELDS)
            raise InputError(f"{where}: unknown field {{{unknown[0]}}}; fields are {accepted}")
        if missing := sorted({"input", "output"} - fields):
            raise InputError(f"{where}: has no {{{missing[0]}}}; it must name {{input}} and {{output}}")
        return cls(name=Path(words[0]).name, start=words[:1], options=words[1:])


def our_encoder() -> Encoder:
    """The encoder that this Python imports, run as a user would run it. Raises EnvironmentFault when there is none."""
    start = (sys.executable, "-m", "encoder")
    return Encoder("encoder", start, tuple(_OPTIONS_OF_OURS.split()), same_imports())


def source_digest() -> str:
    """Hash over the encoder's sources and tables: what a result was measured of."""
    digest = hashlib.sha256()
    folder = package_folder()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.json")]):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def package_folder() -> Path:
    """Where the package `encoder` lies that this Python imports. Raises EnvironmentFault when there is none."""
    spec = importlib.util.find_spec("encoder")
    if spec is None or spec.origin is None:
        raise EnvironmentFault("the package `encoder` is not installed beside `workbench`; run: pip install .")
    return Path(spec.origin).resolve().parent


def same_imports() -> dict[str, str]:
    """Environment in which a child imports the packages that we do, whatever lies in its working directory."""
    safe = {"PYTHONSAFEPATH": "1"}
    root = package_folder().parent
    if root.name in ("site-packages", "dist-packages"):
        return safe
    return safe | {"PYTHONPATH": os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))}


@dataclass(frozen=True)
class Subject:
    """One clip, one encoder, one set of options.

    clip      its name; source the file that is read
    width, height   visible luma samples
    frames    how many are encoded, from the first
    speed     preset of our encoder; None leaves it to the encoder
    """

    clip: str
    source: Path
    width: int
    height: int
    frames: int
    encoder: Encoder
    kernels: str = DEFAULT_KERNELS
    quantizer: int = 100
    tile_cols_log2: int = 0
    tile_rows_log2: int = 0
    threads: int = 1
    speed: int | None = None

    @property
    def tiles(self) -> int:
        """Tiles asked for."""
        return 1 << (self.tile_cols_log2 + self.tile_rows_log2)

    @property
    def pixels(self) -> int:
        """Luma samples of all frames."""
        return self.width * self.height * self.frames

    def arguments(self, output: Path) -> tuple[str, ...]:
        """The words after the encoder's start."""
        values = {
            "input": str(self.source),
            "output": str(output),
            "kernels": self.kernels,
            "quantizer": self.quantizer,
            "tile_cols_log2": self.tile_cols_log2,
            "tile_rows_log2": self.tile_rows_log2,
            "threads": self.threads,
            "frames": self.frames,
        }
        words = tuple(word.format_map(values) for word in self.encoder.options)
        return words if self.speed is None else (*words, "--speed", str(self.speed))

    def command(self, output: Path, *more: str) -> tuple[str, ...]:
        """The whole command line, `more` at its end."""
        return (*self.encoder.start, *self.arguments(output), *more)

    def entry(self) -> dict[str, Any]:
        """What a record says of its subject."""
        return {
            "clip": self.clip,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "encoder": self.encoder.name,
            "kernels": self.kernels,
            "tiles": self.tiles,
            "tile_cols_log2": self.tile_cols_log2,
            "tile_rows_log2": self.tile_rows_log2,
            "threads": self.threads,
            "quantizer": self.quantizer,
            **({} if self.speed is None else {"speed": self.speed}),
        }

    def change(self, **fields: Any) -> Subject:
        """The same with other fields."""
        return dataclasses.replace(self, **fields)


def is_compiled(kernels: str) -> bool:
    """Whether the walk of a kernel set is compiled: all of the set is, overrides included."""
    from encoder.kernels.load import STAND_INS

    base, *overrides = kernels.split(",")
    sources = [base, *(override.partition("=")[2] for override in overrides)]
    return all(source in STAND_INS or ".py" in source for source in sources)
