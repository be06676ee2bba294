"""`workbench compare A B`: is B faster than A, and can that be believed."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from encoder.config import DEFAULT_KERNELS
from workbench import units
from workbench.commands.common import (
    Display,
    again,
    command_line,
    new_folder,
    output_options,
    require_json_place,
    terminated_as_interrupted,
)
from workbench.errors import EnvironmentFault, InputError, OutputsDifferError, WorkbenchError
from workbench.files import refuse_existing, write_text
from workbench.record import RunWriter, read_run

if TYPE_CHECKING:
    from workbench.analysis.compared import Compared
    from workbench.comparing.costs import Sides
    from workbench.comparing.measure import Settings
    from workbench.pairs import Block
    from workbench.revisions import Revision
    from workbench.sides import Encode, Kernel, Named
    from workbench.subject import Subject

DEFAULT_TIMEOUT_S = 900.0
COUNTED = "instructions"
SLOWER_STATUS, UNDECIDED_STATUS, UNFIT_STATUS = 1, 3, 5
FILES = {
    "markdown": "A table for a pull request; its first line is a hidden mark for a bot that updates it.",
    "csv": "A row for each kernel and clip.",
    "junit": "A test for each; it fails beyond --fail-if-slower, without that when surely SLOWER.",
    "pyperf": "The samples, for pyperf's own viewer.",
    "hyperfine": "The samples, as hyperfine exports them.",
}


class Share(click.ParamType):
    """`2%` or `0.02`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number."""
        if isinstance(value, float):
            return value
        try:
            share = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            self.fail(f"{value!r} is no share; write 2% or 0.02")
        if not 0 <= share < 1:
            self.fail(f"{value!r} is not between 0 and 100 %")
        return share


@dataclass(frozen=True)
class Options:
    """The options of the command line that are not about output."""

    clips: tuple[str, ...]
    slots: tuple[str, ...]
    pattern: str
    a_options: str
    b_options: str
    encode_words: tuple[str, ...]
    corpus: Path
    pairs: int | None
    seconds: float | None
    margin: float | None
    metric: str
    instructions: bool
    predict: bool
    allow_different: bool
    fail_if_slower: float | None
    controls: bool
    core: int | None
    one_at_a_time: bool
    seed: int | None
    timeout_s: float


def _file_options(command: Any) -> Any:
    for name, what in reversed(FILES.items()):
        option = click.option(f"--{name}", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=what)
        command = option(command)
    return command


def _number(name: str, low: int, high: int, what: str) -> Any:
    return click.option(name, type=click.IntRange(low, high), metavar="N", help=what)


@click.command()
@click.argument("sides", nargs=-1, metavar="A B")
@click.option("--a", "a_options", default="", metavar="OPTIONS", help="Options of A's encodes: '--speed 8'.")
@click.option("--b", "b_options", default="", metavar="OPTIONS", help="Options of B's encodes.")
@click.option("--kernel", "slots", multiple=True, metavar="SLOT", help="Only this slot, no encode; may be repeated.")
@click.option("--case", "pattern", default="*", show_default=True, metavar="PATTERN", help="Of --kernel: '16x16*'.")
@click.option(
    "--clip", "clips", multiple=True, metavar="CLIP", help="File or clip of the corpus.  [default: its first]"
)
@_number("--frames", 1, 100_000, "Of each clip.  [default: at most 33]")
@_number("--speed", 0, 10, "Preset of the encoder.  [default: 10]")
@_number("--quantizer", 1, 255, "1 (finest) to 255.  [default: 100]")
@_number("--tile-cols-log2", 0, 6, "At most 2**N tile columns.  [default: 0]")
@_number("--tile-rows-log2", 0, 6, "At most 2**N tile rows.  [default: 0]")
@_number("--threads", 1, 64, "That the encoder codes with.  [default: 1]")
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=Path("corpus"),
    show_default=True,
    metavar="PATH",
    help="Where a clip that is named is looked for.",
)
@click.option(
    "--pairs", type=click.IntRange(1, 10_000), metavar="N", help="At most.  [default: kernels 40, encodes 60]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    metavar="S",
    help="At most, of each kernel and clip.  [default: 30, 60]",
)
@click.option("--margin", type=Share(), metavar="SHARE", help="Less is the SAME.  [default: kernels 1%, encodes 2%]")
@click.option(
    "--metric",
    type=click.Choice(("cpu", "wall", COUNTED)),
    help="Time of encodes; instructions: counted as well, a second opinion.  [default: cpu; of threads, wall]",
)
@click.option(
    "--predict/--no-predict", default=True, help="Say from the kernels that differ what the encode will gain."
)
@click.option("--allow-different", is_flag=True, help="Measure although B writes another stream than A.")
@click.option("--fail-if-slower", type=Share(), metavar="SHARE", help="Exit status 1 when B is slower by more.")
@click.option("--controls/--no-controls", default=True, help="A against itself, and a slowdown that is planted.")
@click.option("--core", type=click.IntRange(0, 4095), metavar="N", help="Keep kernels on this processor.")
@click.option(
    "--one-at-a-time", is_flag=True, help="Each encode with the machine for itself, not both of a pair at once."
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Of the order of runs.  [default: drawn, recorded]")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="When a run is taken to hang.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Results.  [default: reports/<date>-compare]"
)
@_file_options
@output_options
def compare(
    sides: tuple[str, ...], metric: str | None, threads: int | None, out: Path | None, json_path: Path | None, quiet: bool,
    force: bool, **rest: Any,
) -> None:  # fmt: skip
    """Is B faster than A? Runs in pairs, in random order, until that is sure; the instrument is tested meanwhile.

    \b
    A and B:
      numba  numba,satd=mine.py:satd_fast      kernel sets; --kernel satd: that slot alone
      rev:main  rev:WORKTREE                   revisions, each built once and kept
      cmd:'rav1e {clip} -o {out}'              any encoder's command line
      reports/2026-01-02-compare               stored runs of one machine: weaker evidence
    or options of the same: --a '--speed 8' --b '--speed 6'

    \b
    Exit status: 0 fine or not slower, 1 slower than --fail-if-slower, 2 usage or bad input, 3 undecided, 4 outputs differ or
    do not decode, 5 environment: the encoder died or hung, or the instrument is not fit; 130 interrupted.
    """
    from workbench.sides import Kind

    words = _encode_words(rest, threads)
    names = {field.name for field in dataclasses.fields(Options)}
    own = {name: value for name, value in rest.items() if name in names}
    time = metric if metric in ("cpu", "wall") else "wall" if (threads or 1) > 1 else "cpu"
    options = Options(encode_words=words, metric=time, instructions=metric == COUNTED, **own)
    base, candidate = _named(sides, options)
    _refuse_too_few(options)
    _require_counter(base, options)
    files = {name: rest[name] for name in FILES if rest[name] is not None}
    require_json_place(json_path, force)
    if base.kind == Kind.STORED:
        if files:
            raise InputError(f"--{next(iter(files))}: is for what is measured now; of stored runs there is --json")
        _compare_stored(base, candidate, options, json_path, quiet)
        return
    folder = _new_folder(out, files, force)
    try:
        with terminated_as_interrupted(), Display(quiet) as display:
            result, stopped = _measured(base, candidate, options, folder, display)
    except (OutputsDifferError, EnvironmentFault) as error:
        _write_failure(error, _titles(base, candidate, options), files, json_path)
        raise
    write_outputs(result, folder, files, options.fail_if_slower)
    _report(result, folder, json_path, quiet)
    if stopped is not None:
        raise stopped
    _exit(result, options)


def _new_folder(out: Path | None, files: Mapping[str, Path], force: bool) -> Path:
    """The folder for the results; what would fail when they are written fails now. Raises as `new_folder`, and InputError for
    files that are there, or have no place."""
    from workbench.report.compare_outputs import PICTURE_NAME

    for name, path in files.items():
        refuse_existing(path, force)
        if not path.absolute().parent.is_dir():
            raise InputError(f"--{name} {path}: there is no folder {path.parent}")
    folder = new_folder("compare", out, force)
    refuse_existing(folder / PICTURE_NAME, force)
    return folder


def _encode_words(rest: dict[str, Any], threads: int | None) -> tuple[str, ...]:
    """The options that both sides' encodes have, as words of `workbench.commands.target`."""
    words: list[str] = []
    for name in ("frames", "speed", "quantizer", "tile_cols_log2", "tile_rows_log2"):
        if (value := rest.pop(name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return (*words, *(() if threads is None else ("--threads", str(threads))))


def _named(sides: Sequence[str], options: Options) -> tuple[Named, Named]:
    """Both sides. Raises InputError where they are not two, or cannot be compared with each other."""
    from workbench.sides import Kind, parse_side

    by_options = bool(options.a_options or options.b_options)
    texts = list(sides) or ([DEFAULT_KERNELS] if by_options else [])
    if len(texts) == 1 and by_options:
        texts *= 2
    if len(texts) != 2:
        seen = " ".join(sides) or "none"
        raise InputError(f"compare: takes two sides, A and B, given: {seen}; or options of one: --a '--speed 8' --b ''")
    base, candidate = (parse_side(text) for text in texts)
    kinds = {base.kind, candidate.kind}
    if Kind.STORED in kinds and len(kinds) > 1:
        raise InputError(f"{base.text} and {candidate.text}: a stored run compares with another stored run only")
    if options.slots and not kinds <= {Kind.KERNELS, Kind.REVISION}:
        raise InputError("--kernel: is for kernel sets and revisions; what cmd: runs has no kernels that we know")
    return base, candidate


def _refuse_too_few(options: Options) -> None:
    from workbench.analysis.verdict import least_pairs

    if options.pairs is not None and options.pairs < (least := least_pairs()):
        raise InputError(
            f"--pairs {options.pairs}: too few for any verdict, whatever they show: at 1 % it takes {least} at the least"
        )


def _require_counter(base: Named, options: Options) -> None:
    """Raise, before anything is measured, what keeps instructions from being counted: InputError, EnvironmentFault."""
    from workbench.comparing.costs import require_counter
    from workbench.sides import Kind

    if options.instructions and (options.slots or base.kind == Kind.STORED):
        raise InputError("--metric instructions: counts those of encodes; leave out --kernel, and name no stored run")
    if options.instructions:
        require_counter()


# --- measuring --------------------------------------------------------------------------------------------------------


def _measured(
    base: Named, candidate: Named, options: Options, folder: Path, display: Display
) -> tuple[Compared, BaseException | None]:
    """All parts, and what ended them early: an interruption, whose pairs count, or a fault. A fault before the first pair is
    raised."""
    from workbench.analysis.compared import compared, parts_of
    from workbench.machine import fingerprint

    about = {"sides": [base.text, candidate.text]}
    writer = RunWriter(folder, "compare", command_line(), fingerprint(), about)
    stopped: BaseException | None = None
    warnings: list[str] = []
    try:
        _measure(base, candidate, options, writer, display, warnings)
    except (KeyboardInterrupt, WorkbenchError) as error:
        if not writer.has_begun or isinstance(error, WorkbenchError):
            if writer.has_begun:
                writer.end("failed")
            raise
        stopped = error
    writer.end("interrupted" if stopped else "complete")
    titles = _titles(base, candidate, options)
    if titles[0] == titles[1]:
        warnings.append("A and B are the same")
    return compared(titles, parts_of(read_run(folder).records), stopped is not None, warnings), stopped


def _titles(base: Named, candidate: Named, options: Options) -> tuple[str, str]:
    return _title(base, options.a_options), _title(candidate, options.b_options)


def _title(side: Named, options: str) -> str:
    return f"{side.text} {options}".strip()


def _measure(
    base: Named, candidate: Named, options: Options, writer: RunWriter, display: Display, warnings: list[str]
) -> None:
    revisions = [_revision(side, display, warnings) for side in (base, candidate)]
    keys = {revision.key for revision in revisions if revision is not None}
    if len(keys) == 1 and None not in revisions and not (options.a_options or options.b_options):
        warnings.append(f"{base.text} and {candidate.text} are the same encoder, to the byte")
    if options.slots:
        _measure_kernels(base, candidate, revisions, options, writer, display)
    else:
        _measure_encodes(base, candidate, revisions, options, writer, display, warnings)


def _revision(side: Named, display: Display, warnings: list[str]) -> Revision | None:
    from workbench.revisions import prepare, uncommitted
    from workbench.sides import Kind

    if side.kind != Kind.REVISION:
        return None
    display.step(f"sources of {side.text}")
    revision = prepare(side.value)
    if uncommitted(side.value):
        warnings.append(f"the work tree has changes that {side.text} does not: rev:WORKTREE measures them")
        click.echo(f"workbench: {warnings[-1]}", err=True)
    return revision


def _settings(options: Options, of_kernels: bool) -> Settings:
    from workbench.comparing import measure

    limits = measure.KERNEL_LIMITS if of_kernels else measure.ENCODE_LIMITS
    margin = measure.KERNEL_MARGIN if of_kernels else measure.ENCODE_MARGIN
    return measure.Settings(
        limits=dataclasses.replace(
            limits, pairs=options.pairs or limits.pairs, seconds=options.seconds or limits.seconds
        ),
        margin=margin if options.margin is None else options.margin,
        timeout_s=options.timeout_s,
        metric="cpu" if of_kernels else options.metric,
        controls=options.controls,
        allowed=options.fail_if_slower,
        core=options.core,
        at_once=not options.one_at_a_time,
        seed=options.seed,
    )


def _measure_kernels(
    base: Named, candidate: Named, revisions: Sequence[Revision | None], options: Options, writer: RunWriter,
    display: Display,
) -> None:  # fmt: skip
    from workbench.comparing.measure import measure_kernel

    settings = _settings(options, of_kernels=True)
    for slot in options.slots:
        pair = [_kernel(*side, slot, options) for side in zip((base, candidate), revisions, strict=True)]
        _check_kernels(pair, options, display)
        display.step(f"kernel {slot}", settings.limits.pairs)
        measure_kernel(pair[0], pair[1], settings, writer, Told(display))


def _kernel(side: Named, revision: Revision | None, slot: str, options: Options) -> Kernel:
    from encoder.kernels.table import SLOTS
    from workbench.sides import Kernel, Kind, home_of

    if slot not in SLOTS:
        raise InputError(f"--kernel {slot}: there is no such slot; slots are: {', '.join(SLOTS)}")
    expression = side.value if side.kind == Kind.KERNELS else DEFAULT_KERNELS
    return Kernel(expression, slot, options.pattern, home_of(revision))


def _check_kernels(pair: Sequence[Kernel], options: Options, display: Display) -> None:
    """The gate of a kernel: both sides hold against the reference, case by case."""
    from workbench.instruments import micro

    for kernel in dict.fromkeys(pair):
        if kernel.home.python != sys.executable:  # it has other packages than the check needs
            continue
        display.step(f"check {kernel}")
        [checked] = micro.check(kernel.kernels, [kernel.slot], 0, dict(kernel.home.environment), options.timeout_s)
        if checked.differences and not options.allow_different:
            raise OutputsDifferError(
                f"{kernel} differs from the reference, so no speed is given: {checked.differences[0]}"
            )


def _measure_encodes(
    base: Named, candidate: Named, revisions: Sequence[Revision | None], options: Options, writer: RunWriter,
    display: Display, warnings: list[str],
) -> None:  # fmt: skip
    from workbench.comparing.whole import Looks, measure_clip

    settings = _settings(options, of_kernels=False)
    looks = Looks(options.predict, options.allow_different, instructions=options.instructions)
    every = [_encodes(clip, (base, candidate), revisions, options) for clip in _clips(options)]
    check_outputs([(sides.subjects[0], *sides.encodes) for sides in every], options, display)
    for sides in every:
        measure_clip(sides, looks, settings, writer, display.step, Told(display), warnings)


def _clips(options: Options) -> tuple[str, ...]:
    return tuple(dict.fromkeys(options.clips)) or (first_clip(options.corpus),)


def first_clip(corpus: Path) -> str:
    """The clip to take where none is named. Raises InputError where there is no corpus."""
    from workbench.corpus import load_corpus

    if not corpus.exists():
        raise InputError(f"there is no corpus at {corpus} to take a clip from; give --clip FILE or --corpus")
    return load_corpus(corpus).clips[0].name


def _encodes(clip: str, named: tuple[Named, Named], revisions: Sequence[Revision | None], options: Options) -> Sides:
    """What A and B encode of a clip, and how."""
    from workbench.comparing.costs import Sides

    def at(quantizer: int) -> tuple[Encode, Encode]:
        words = (*options.encode_words, "--quantizer", str(quantizer))
        return _encodes(clip, named, revisions, dataclasses.replace(options, encode_words=words)).encodes

    both = tuple(zip(named, revisions, (options.a_options, options.b_options), strict=True))
    subjects = [_subject(clip, side, own, options) for side, _, own in both]
    base, candidate = (_encode(subject, named, *side) for subject, side in zip(subjects, both, strict=True))
    return Sides((subjects[0], subjects[1]), base, candidate, at)


def _encode(subject: Subject, named: Sequence[Named], side: Named, revision: Revision | None, own: str) -> Encode:
    from workbench.sides import Kind, encode_of

    return encode_of(side, subject, revision, _title(side, own), any(each.kind == Kind.COMMAND for each in named))


def _subject(clip: str, side: Named, own: str, options: Options) -> Subject:
    from workbench.commands.target import parse_target
    from workbench.sides import Kind

    try:
        own_words = shlex.split(own)
    except ValueError as error:
        raise InputError(f"{own!r}: {error}") from error
    kernels = ("--kernels", side.value) if side.kind == Kind.KERNELS else ()
    words = (*options.encode_words, "--corpus", str(options.corpus), *kernels, *own_words, clip)
    return parse_target(words).encode("compare")


def check_outputs(pairs: Sequence[tuple[Subject, Encode, Encode]], options: Options, display: Display) -> None:
    """The gate, before any timing; compiled code is made there, so that the first run does not pay for it."""
    from workbench.comparing import gate

    with TemporaryDirectory(prefix="workbench-") as scratch:
        gate.check(pairs, Path(scratch), options.timeout_s, display.step, options.allow_different)


class Told:
    """Progress, from the blocks so far."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def __call__(self, taken: Sequence[Block]) -> None:
        """One more block has ended."""
        last = taken[-1]
        self._display.now(last.disturbed or "")
        if last.counts:
            self._display.tick()


# --- results ----------------------------------------------------------------------------------------------------------


def write_outputs(result: Compared, folder: Path, files: Mapping[str, Path], allowed: float | None) -> None:
    """The picture of the pairs, in `folder`, and the files that were asked for."""
    from workbench.report.compare_outputs import write_files

    for missing in write_files(result, folder, files, allowed):
        click.echo(f"workbench: {missing}", err=True)


def _write_failure(
    error: WorkbenchError, titles: tuple[str, str], files: Mapping[str, Path], json_path: Path | None
) -> None:
    """What ended the comparison, for those who read its files and not its screen."""
    from workbench.analysis.compared import Compared, Failure
    from workbench.report.compare_outputs import write_failure
    from workbench.report.compare_text import as_json

    result = Compared(*titles, (), None, failure=Failure(str(error), error.exit_status))
    write_failure(result, files)
    if json_path is not None:
        write_text(json_path, json.dumps(as_json(result, {}), indent=1, allow_nan=False) + "\n")


def _report(result: Compared, folder: Path, json_path: Path | None, quiet: bool) -> None:
    from workbench.record import RECORDS_NAME
    from workbench.report.compare_outputs import PICTURE_NAME
    from workbench.report.compare_text import as_json, summary_lines

    files = {"records": str(folder / RECORDS_NAME), "picture": str(folder / PICTURE_NAME)}
    if json_path is not None:
        write_text(json_path, json.dumps(as_json(result, files), indent=1, allow_nan=False) + "\n")
    fired = _remember(result)
    if quiet:
        return
    for line in summary_lines(result, fired):
        click.echo(line)
    click.echo(f"\n{again()}")
    click.echo(files["records"])


def _remember(result: Compared) -> tuple[int, int]:
    """Add the A/A controls to this machine's record: (different, all) of those that had pairs enough to say."""
    from workbench.analysis.verdict import least_pairs
    from workbench.past import CONTROLS, recall, remember

    for part in result.parts:
        if part.same is not None and part.same.pairs >= least_pairs(part.alpha):
            remember(
                CONTROLS,
                {"kind": part.kind, "name": part.name, "differs": part.same.differs, "pairs": part.same.pairs},
            )
    differed = [entry.get("differs") is True for entry in recall(CONTROLS)]
    return sum(differed), len(differed)


def _compare_stored(base: Named, candidate: Named, options: Options, json_path: Path | None, quiet: bool) -> None:
    from workbench.analysis.stored import compare_stored
    from workbench.comparing.measure import ENCODE_MARGIN
    from workbench.report.compare_text import stored_json, stored_lines

    margin = ENCODE_MARGIN if options.margin is None else options.margin
    found = compare_stored(read_run(base.value), read_run(candidate.value), margin)
    if json_path is not None:
        write_text(json_path, json.dumps(stored_json(found), indent=1, allow_nan=False) + "\n")
    if not quiet:
        for line in stored_lines(found):
            click.echo(line)
        click.echo(f"\n{again()}")
    if found.word == "UNDECIDED":
        raise click.exceptions.Exit(UNDECIDED_STATUS)
    if options.fail_if_slower is not None and found.ratio > 1 + options.fail_if_slower:
        raise click.exceptions.Exit(SLOWER_STATUS)


def _exit(result: Compared, options: Options) -> None:
    """End with the status that the result has: not fit comes before slower, slower before undecided."""
    if result.is_fit is False:
        raise click.exceptions.Exit(UNFIT_STATUS)
    allowed = options.fail_if_slower
    if allowed is not None and (slower := result.main.slower_than(allowed)) is not False:
        said = "B is slower by" if slower else "it is not sure whether B is slower by"
        click.echo(f"workbench: {said} more than {units.percent(allowed)}", err=True)
        raise click.exceptions.Exit(SLOWER_STATUS if slower else UNDECIDED_STATUS)
    if allowed is None and result.main.word == "UNDECIDED":
        raise click.exceptions.Exit(UNDECIDED_STATUS)
