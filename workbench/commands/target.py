"""What a verb looks into: an encode that the user describes in a few options, or any program behind `--`.

`target_options` gives a command its SUBJECT and the options of the encode; the command is called with one `target`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from encoder.config import DEFAULT_KERNELS
from workbench.commands.common import Command, kernel_sets, usable
from workbench.errors import InputError

if TYPE_CHECKING:
    from workbench.corpus import Clip
    from workbench.subject import Subject

DEFAULT_CORPUS = Path("corpus")
DEFAULT_FRAMES = 33  # a key frame and two of the longest mini-GOPs
DEFAULT_TIMEOUT_S = 900.0
PROGRAM_MARK = "--"


@dataclass(frozen=True)
class Target:
    """An encode or a program: one of the two.

    subject     the encode, its clip a Y4M file that is there; None for a program
    program     the words of a command line; empty for an encode
    timeout_s   when it is taken to hang
    words       the words that stand for this target on a command line of the workbench
    """

    subject: Subject | None
    program: tuple[str, ...]
    timeout_s: float
    words: tuple[str, ...]

    def encode(self, verb: str) -> Subject:
        """The encode. Raises InputError for a program, which `verb` cannot look into."""
        if self.subject is None:
            raise InputError(
                f"workbench {verb}: cannot look into a program ({shlex.join(self.program)}); "
                "give a video file or the name of a clip of the corpus"
            )
        return self.subject

    @property
    def title(self) -> str:
        """What is looked into, for headings: the clip and its kernel set, or the command line."""
        if self.subject is None:
            return shlex.join(self.program)
        size = f"{self.subject.width}x{self.subject.height}"
        return f"{self.subject.clip} {size}, kernels {self.subject.kernels}"


def target_options(command: Command) -> Command:
    """`SUBJECT` and the options of the encode; the command gets a keyword argument `target` in their place.

    Raises, when the command is called: InputError for what cannot be used, EnvironmentFault for a clip that cannot be
    made.
    """
    return _with_target(command, required=True)


def optional_target_options(command: Command) -> Command:
    """The same for a command that may do without: `target` is None where neither SUBJECT nor a program is given."""
    return _with_target(command, required=False)


def _with_target(command: Command, required: bool) -> Command:
    @wraps(command)
    def with_target(*arguments: Any, subject: tuple[str, ...], **values: Any) -> Any:
        options = {name: values.pop(name) for name in _OPTION_NAMES}
        target = _resolve(subject, options) if required or subject else None
        return command(*arguments, target=target, **values)

    decorated: Any = with_target
    for option in reversed(_options()):
        decorated = option(decorated)
    result: Command = click.argument("subject", nargs=-1, type=click.UNPROCESSED, metavar="SUBJECT | -- PROGRAM...")(
        decorated
    )
    return result


def parse_target(words: Sequence[str]) -> Target:
    """The target that these words of a command line stand for, those of `target_options` alone. Of an option that is given
    twice, the last one counts. Raises InputError for words that it does not take."""

    @click.command()
    @target_options
    def take(target: Target) -> Target:
        return target

    try:
        parsed: Target = take.main(list(words), standalone_mode=False, obj=["", *words])
    except click.ClickException as error:
        raise InputError(f"{shlex.join(words)!r}: {error.format_message()}") from error
    return parsed


_OPTION_NAMES = (
    "kernels", "speed", "quantizer", "frames", "tile_cols_log2", "tile_rows_log2", "threads", "corpus", "timeout_s",
)  # fmt: skip


def _options() -> list[Callable[[Any], Any]]:
    number = click.IntRange
    return [
        click.option(
            "--kernels", default=DEFAULT_KERNELS, show_default=True, metavar="SET", help="Kernel set, with overrides."
        ),
        click.option("--speed", type=number(0, 10), metavar="N", help="Preset of the encoder, 0 to 10.  [default: 10]"),
        click.option(
            "--quantizer", type=number(1, 255), default=100, show_default=True, metavar="N", help="1 (finest) to 255."
        ),
        click.option(
            "--frames", type=number(1), metavar="N", help=f"Of the clip.  [default: at most {DEFAULT_FRAMES}]"
        ),
        click.option("--tile-cols-log2", type=number(0, 6), default=0, metavar="N", help="At most 2**N tile columns."),
        click.option("--tile-rows-log2", type=number(0, 6), default=0, metavar="N", help="At most 2**N tile rows."),
        click.option(
            "--threads", type=number(1), default=1, show_default=True, metavar="N", help="That the encoder codes with."
        ),
        click.option(
            "--corpus",
            type=click.Path(path_type=Path),
            default=DEFAULT_CORPUS,
            show_default=True,
            metavar="PATH",
            help="Where a clip that is named is looked for.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=1),
            default=DEFAULT_TIMEOUT_S,
            show_default=True,
            metavar="SECONDS",
            help="When the encode or program is taken to hang.",
        ),
    ]


def _resolve(subject: tuple[str, ...], options: dict[str, Any]) -> Target:
    program = _program()
    named = subject[: len(subject) - len(program)]
    words = _given_words(options)
    if program:
        if named:
            raise InputError(f"{named[0]!r} and a program behind {PROGRAM_MARK}: give one of the two")
        return Target(None, program, options["timeout_s"], (*words, PROGRAM_MARK, *program))
    if len(named) != 1:
        seen = "none is given" if not named else f"{len(named)} are given: {' '.join(named)}"
        raise InputError(
            f"SUBJECT is one video file or clip of the corpus, {seen}; a program stands behind {PROGRAM_MARK}: "
            "workbench VERB -- python script.py"
        )
    return Target(_encode(named[0], options), (), options["timeout_s"], (*words, named[0]))


def _program() -> tuple[str, ...]:
    """The words behind the first `--` of the command line; click takes the mark away."""
    words: list[str] = list(click.get_current_context().find_root().obj or ())
    return tuple(words[words.index(PROGRAM_MARK) + 1 :]) if PROGRAM_MARK in words else ()


def _given_words(options: dict[str, Any]) -> tuple[str, ...]:
    """The options that the user gave, as words."""
    context = click.get_current_context()
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in options and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            words += [parameter.opts[0], str(options[name])]
    return tuple(words)


def _encode(name: str, options: dict[str, Any]) -> Subject:
    from workbench.profiling.session import usable_frames, y4m_file
    from workbench.subject import Subject, our_encoder

    sets = kernel_sets(options["kernels"])
    if len(sets) != 1:
        raise InputError(
            f"--kernels {options['kernels']!r}: one set is looked into at a time; give one of {', '.join(sets)}"
        )
    clip = _clip(name, options["corpus"])
    return Subject(
        clip=clip.name,
        source=y4m_file(clip).resolve(),
        width=clip.width,
        height=clip.height,
        frames=min(options["frames"] or DEFAULT_FRAMES, usable_frames(clip)),
        encoder=our_encoder(),
        kernels=sets[0],
        quantizer=options["quantizer"],
        tile_cols_log2=options["tile_cols_log2"],
        tile_rows_log2=options["tile_rows_log2"],
        threads=options["threads"],
        speed=options["speed"],
    )


def _clip(name: str, corpus: Path) -> Clip:
    """The video file or the clip of the corpus that `name` stands for. Raises InputError when it is neither."""
    from workbench.corpus import VIDEO_SUFFIXES, load_corpus

    path = Path(name)
    if path.is_dir():
        raise InputError(f"{name}: is a folder; SUBJECT is one video file or the name of a clip of the corpus")
    if path.exists() or path.suffix.lower() in VIDEO_SUFFIXES:
        clips = load_corpus(path).clips
    elif not corpus.exists():
        raise InputError(
            f"{name}: is no file, and there is no corpus at {corpus} to find a clip of that name in; give --corpus"
        )
    else:
        clips = load_corpus(corpus).named([name])
    return usable(clips, by_name=True)[0]
