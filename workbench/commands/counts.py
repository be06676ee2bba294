"""`workbench counts SUBJECT`: instructions, kernel calls and hardware counters, where times would be noise."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from workbench.commands.common import (
    Display,
    command_line,
    new_folder,
    output_options,
    require_json_place,
    terminated_as_interrupted,
)
from workbench.commands.target import PROGRAM_MARK, Target, parse_target, target_options
from workbench.errors import EnvironmentFault, InputError
from workbench.files import scratch_folder, write_text
from workbench.record import RECORDS_NAME, Record, Run, RunWriter, read_run
from workbench.subject import Subject, is_compiled

SCHEMA = 1
INSTRUCTIONS, CALLS, HARDWARE = KINDS = ("instructions", "calls", "hardware")
DEFAULT_FRAMES = 17  # a key frame and the longest mini-GOP; under callgrind a frame takes fifty times as long
DEFAULT_RUNS = 2
_INTERPRETED_FRAMES = 3


@dataclass(frozen=True)
class Other:
    """What the target is compared with: another target, or a stored run."""

    title: str
    target: Target | None = None
    run: Run | None = None


@click.command()
@target_options
@click.option(
    "--against",
    metavar="OTHER",
    help="A kernel set, options in quotes ('--speed 6'), another clip or program, or the folder of a stored run.",
)
@click.option(
    "--only",
    "only",
    type=click.Choice(KINDS),
    multiple=True,
    help="Count this alone; may be repeated.  [default: all; of a program, instructions]",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 50),
    default=DEFAULT_RUNS,
    show_default=True,
    metavar="N",
    help="Runs under callgrind: a program is run so often.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Results.  [default: reports/<date>-counts]"
)
@output_options
def counts(
    target: Target, against: str | None, only: tuple[str, ...], runs: int, out: Path | None, json_path: Path | None,
    quiet: bool, force: bool,
) -> None:  # fmt: skip
    """Exact counts for machines too noisy to time: instructions, kernel calls, hardware counters.

    Instructions of compiled code, by function and kernel slot, under callgrind (valgrind); calls of every kernel slot by
    block size and mode, and the samples they work on; what the processor's own counters say, where it has them. Start-up
    and compilation are left out. An encode runs on one thread, 17 frames unless --frames says otherwise.

    \b
    OTHER, laid over the options of the command line:
      numba,satd=mine.py:satd            a kernel set
      '--speed 6'                        options of the encode
      other.y4m, '-- python new.py'      another clip, another program
      reports/2026-01-02-counts          a stored run
    """
    require_json_place(json_path, force)
    target = _with_frames(target)
    kinds = _kinds(target, only)
    if target.subject is not None and not only and kinds != KINDS:
        click.echo(
            f"workbench: the kernel set {target.subject.kernels} is interpreted: its calls alone are counted, its walk under "
            "callgrind takes hours; if you want that, --only instructions",
            err=True,
        )
    other = _other(target, against) if against is not None else None
    if INSTRUCTIONS in kinds:
        from workbench.instruments.counts import require_valgrind

        require_valgrind()
    folder = new_folder("counts", out, force)
    with terminated_as_interrupted():
        run = _measure(target, other, kinds, runs, only, folder, quiet)
    figures = _report(run, quiet, force)
    if json_path is not None:
        write_text(json_path, json.dumps(figures, indent=1, allow_nan=False) + "\n")


def remake(folder: Path, quiet: bool) -> dict[str, Any]:
    """Write the pages of a run again from its records; returns its figures."""
    return _report(read_run(folder), quiet, force=True)


def _kinds(target: Target, only: Sequence[str]) -> tuple[str, ...]:
    """What is to be counted. Raises InputError for what cannot be counted of a program."""
    if target.subject is not None:
        if not only and not is_compiled(target.subject.kernels):
            return (CALLS,)  # an interpreted walk under callgrind takes hours, and has no compiled functions
        return tuple(only) or KINDS
    if unusual := [kind for kind in only if kind != INSTRUCTIONS]:
        target.encode(f"counts --only {unusual[0]}")
    return (INSTRUCTIONS,)


def _with_frames(target: Target) -> Target:
    """The target with as many frames as this verb takes where the user has not said how many."""
    if target.subject is None or "--frames" in target.words:
        return target
    most = DEFAULT_FRAMES if is_compiled(target.subject.kernels) else _INTERPRETED_FRAMES
    return dataclasses.replace(target, subject=target.subject.change(frames=min(target.subject.frames, most)))


# --- the other side ---------------------------------------------------------------------------------------------------


def _other(target: Target, text: str) -> Other:
    """What OTHER stands for. Raises InputError where that is nothing."""
    if text.strip() and (Path(text) / RECORDS_NAME).is_file():
        return _stored(Path(text))
    if text.strip() and Path(text).is_dir():
        raise InputError(
            f"--against {text}: is a folder without {RECORDS_NAME}; give one that `workbench counts` wrote"
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--against {text!r}: {error}") from error
    if not words:
        raise InputError(
            "--against '': give a kernel set, options in quotes, another clip or the folder of a stored run"
        )
    if words[0] == PROGRAM_MARK:
        found = parse_target(words)
    elif target.subject is None:
        raise InputError(
            f"--against {text!r}: the subject is a program; give another one as '{PROGRAM_MARK} python script.py', or the "
            "folder of a stored run"
        )
    else:
        found = _with_frames(parse_target(_words_of(target, words)))
    if (found.subject is None) != (target.subject is None):
        raise InputError(f"--against {text!r}: a program and an encode have no functions in common; give two of a kind")
    title = found.title if found.title != target.title else f"{found.title}, {text}"
    return Other(title, target=found)


def _words_of(target: Target, words: Sequence[str]) -> list[str]:
    """The words of the target with others laid over: options, a kernel set, or another clip."""
    from encoder.kernels.load import SETS

    *options, clip = target.words
    if words[0].startswith("-"):
        return [*options, *words, clip]
    if len(words) == 1 and words[0].partition(",")[0].removeprefix("check:") in SETS:
        return [*options, "--kernels", words[0], clip]
    return [*options, *words]


def _stored(folder: Path) -> Other:
    run = read_run(folder)
    if run.header.get("verb") != "counts":
        raise InputError(
            f"--against {folder}: is a run of `workbench {run.header.get('verb')}`, not of `workbench counts`"
        )
    titles = run.header.get("titles") or [folder.name]
    return Other(f"{titles[0]} ({folder.name})", run=run)


# --- counting ---------------------------------------------------------------------------------------------------------


def _measure(
    target: Target,
    other: Other | None,
    kinds: Sequence[str],
    runs: int,
    asked: Sequence[str],
    folder: Path,
    quiet: bool,
) -> Run:
    """Count both sides; what was counted until an error or an interruption is kept."""
    from workbench.machine import fingerprint

    titles = [target.title, *([other.title] if other else [])]
    writer = RunWriter(folder, "counts", command_line(), fingerprint(), {"titles": titles})
    status = "failed"
    try:
        with Display(quiet) as display:
            for side, each in enumerate([target] if other is None or other.target is None else [target, other.target]):
                for kind in kinds:
                    display.step(f"{kind}: {each.title}")
                    record = _count(each, kind, runs, kind in asked, display)
                    writer.write(_in_side(record, side))
            if other is not None and other.run is not None:
                stored = [record for record in other.run.records if not record.data.get("side")]
                writer.write(*(_in_side(record, 1) for record in stored))
        status = "complete"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if writer.has_begun:
            writer.end(status)
    return read_run(folder)


def _in_side(record: Record, side: int) -> Record:
    from workbench.analysis.counts import SIDE

    return dataclasses.replace(record, data={**record.data, SIDE: side})


def _count(target: Target, kind: str, runs: int, is_asked_for: bool, display: Display) -> Record:
    """One record. Hardware counters that nobody has asked for by name may be missing: the record says why."""
    with scratch_folder() as folder:
        if target.subject is None:
            return _count_program(target, folder, runs)
        if kind == INSTRUCTIONS:
            from workbench.instruments import counts as instrument

            return instrument.measure(target.subject, folder, target.timeout_s, runs, display.now)
        if kind == CALLS:
            from workbench.instruments import calls

            return calls.measure(target.subject, folder, target.timeout_s)
        return _count_hardware(target.subject, folder, target.timeout_s, is_asked_for)


def _count_hardware(subject: Subject, folder: Path, timeout_s: float, is_asked_for: bool) -> Record:
    from workbench.instruments import hardware

    try:
        return hardware.measure(subject, folder, timeout_s)
    except EnvironmentFault as error:
        if is_asked_for:
            raise
        events = dict.fromkeys(hardware.EVENTS)
        data: dict[str, Any] = {"frames": None, "events": events, "task_clock_s": None}
        return Record(hardware.INSTRUMENT, hardware.METRIC, "count", subject.entry(), (), data, (str(error),))


def _count_program(target: Target, folder: Path, runs: int) -> Record:
    from workbench.instruments import counts as instrument

    record, finished = instrument.measure_program(target.program, folder, target.timeout_s, runs)
    if finished.output or finished.complaint:
        click.echo(finished.output + finished.complaint, nl=False, err=True)
    return record


# --- telling ----------------------------------------------------------------------------------------------------------


def _report(run: Run, quiet: bool, force: bool) -> dict[str, Any]:
    """Write the pages into the run's folder and print the summary; returns the figures."""
    from workbench.analysis.counts import sides_of
    from workbench.report.counts_page import PAGE_STEM, counts_document, print_counts
    from workbench.report.write import write_document

    for side in sides_of(run):
        for warning in side.warnings:
            click.echo(f"workbench: {side.title}: {warning}", err=True)
    page = write_document(counts_document(run), run.folder, PAGE_STEM, force)
    again = shlex.join(["workbench", "counts", *run.header["arguments"]])
    if not quiet:
        print_counts(run, sys.stdout)
        click.echo(f"\nagain: {again}\n{page}")
    return _figures(run, again, page)


def _figures(run: Run, again: str, page: Path) -> dict[str, Any]:
    """Everything that was counted, as JSON."""
    from workbench.analysis.counts import compare_calls, compare_functions, compare_instructions, sides_of

    sides = sides_of(run)
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "verb": "counts",
        "command": again,
        "page": str(page),
        "sides": [
            {
                "title": side.title,
                "frames": side.frames,
                "warnings": side.warnings,
                **{
                    kind: None if record is None else {"values": list(record.values), **record.data}
                    for kind, record in zip(KINDS, (side.instructions, side.calls, side.hardware), strict=True)
                },
            }
            for side in sides
        ],
    }
    if len(sides) == 2:
        (a, b), compared = sides, {}
        if a.instructions and b.instructions:
            compared["instructions_per_frame"] = compare_instructions(a.instructions, b.instructions)
            compared["function_instructions_per_frame"] = compare_functions(a.instructions, b.instructions)
        if a.calls and b.calls:
            compared["calls_per_frame"] = compare_calls(a.calls, b.calls)
        told["comparison"] = {
            name: [{**dataclasses.asdict(change), "ratio": change.ratio} for change in changes]
            for name, changes in compared.items()
        }
    return told
