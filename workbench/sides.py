"""What can be compared, from the words of a command line to what is run.

numba,satd=mine.py:satd_fast      a kernel expression
rev:main, rev:WORKTREE            a revision of the encoder
cmd:'rav1e {clip} -o {out}'       any command line; {frames}, {quantizer}, {threads} and the like are filled in where they stand
reports/2026-01-02-compare        a stored run
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from workbench.errors import EnvironmentFault, InputError
from workbench.record import RECORDS_NAME
from workbench.revisions import Revision
from workbench.subject import Encoder, Subject, is_compiled, our_encoder

OUTPUT = "\0output"
"""Stands for the stream's file in the words of a command line."""
_FIELDS = {"{clip}": "{input}", "{out}": "{output}"}


class Kind(StrEnum):
    """What a side is."""

    KERNELS = "kernels"
    REVISION = "rev"
    COMMAND = "cmd"
    STORED = "stored run"


@dataclass(frozen=True)
class Home:
    """Where a kernel set is loaded: the interpreter, and what it finds `encoder` and its compiled code by."""

    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Kernel:
    """One slot of a kernel expression, on the cases whose labels fit the pattern."""

    kernels: str
    slot: str
    pattern: str = "*"
    home: Home = Home()

    def __str__(self) -> str:
        return f"{self.slot} of {self.kernels}"


@dataclass(frozen=True)
class Encode:
    """A command line that encodes one clip.

    title       how it is called in messages
    words       the command line; OUTPUT stands for the stream's file
    home        of our encoder: where it is imported from; None of any other program
    whole       the whole process is timed, as that of any other program; of our encoder else the encode alone
    arguments   of our encoder: the words behind its name
    kernels     of our encoder: the set; compiled: whether it has code to load before the clock starts
    frames      how many the stream must show; None: not known
    threads     that it was told to use
    """

    title: str
    words: tuple[str, ...]
    home: Home | None = None
    whole: bool = False
    arguments: tuple[str, ...] = ()
    kernels: str = ""
    compiled: bool = False
    frames: int | None = None
    threads: int = 1


@dataclass(frozen=True)
class Named:
    """A side as the user named it: `value` is the kernel expression, the revision's name, the command line or the folder."""

    text: str
    kind: Kind
    value: str


def parse_side(text: str) -> Named:
    """What the words for one side stand for. Raises InputError for those that stand for nothing, EnvironmentFault for a program
    that is not here."""
    prefix, colon, rest = text.partition(":")
    if colon and prefix in (Kind.REVISION, Kind.COMMAND) and not rest.strip():
        raise InputError(f"{text}: nothing stands behind {prefix}:")
    if colon and prefix == Kind.REVISION:
        return Named(text, Kind.REVISION, rest)
    if colon and prefix == Kind.COMMAND:
        program = _other_encoder(rest).start[0]
        if shutil.which(program) is None:
            raise EnvironmentFault(f"{text}: there is no program {program!r} here; install it or give its path")
        return Named(text, Kind.COMMAND, rest)
    if Path(text).is_dir():
        if not (Path(text) / RECORDS_NAME).is_file():
            raise InputError(f"{text}: is a folder without {RECORDS_NAME}, so no stored run")
        return Named(text, Kind.STORED, text)
    _require_set(text)
    return Named(text, Kind.KERNELS, text)


def _require_set(text: str) -> None:
    from encoder.kernels.load import SETS

    if text.split(",")[0].strip() not in SETS:
        raise InputError(
            f"{text!r}: is no kernel set ({', '.join(SETS)}, each with overrides like numba,satd=mine.py:satd_fast), no "
            "rev:NAME, no cmd:'PROGRAM {clip} {out}' and no folder of a stored run"
        )


def _other_encoder(template: str) -> Encoder:
    for ours, theirs in _FIELDS.items():
        template = template.replace(ours, theirs)
    try:
        return Encoder.parse(template)
    except InputError as error:
        said = str(error)
        for ours, theirs in _FIELDS.items():
            said = said.replace(theirs, ours)
        raise InputError(said) from error


def home_of(revision: Revision | None) -> Home:
    """Where the encoder that is installed, or a revision's, is imported from."""
    if revision is None:
        return Home(environment=our_encoder().environment)
    return Home(revision.python, revision.environment)


def encode_of(side: Named, subject: Subject, revision: Revision | None, title: str, whole: bool = False) -> Encode:
    """A side's encode of a subject, whose options are the side's own. `whole`: time whole processes; beside another program,
    which can be timed in no other way, our own encoder has to be."""
    if side.kind == Kind.COMMAND:
        other = replace(subject, encoder=_other_encoder(side.value), speed=None)
        return Encode(title, other.command(Path(OUTPUT)), whole=True, threads=subject.threads)
    home = home_of(revision)
    ours = Encoder("encoder", (home.python, "-m", "encoder"), our_encoder().options, home.environment)
    subject = replace(subject, encoder=ours)
    return Encode(
        title=title,
        words=subject.command(Path(OUTPUT)),
        home=home,
        whole=whole,
        arguments=subject.arguments(Path(OUTPUT)),
        kernels=subject.kernels,
        compiled=is_compiled(subject.kernels),
        frames=subject.frames,
        threads=subject.threads,
    )


def describe(encode: Encode, stream: str) -> str:
    """The command line, to be typed again."""
    return shlex.join(word.replace(OUTPUT, stream) for word in encode.words)
