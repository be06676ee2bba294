"""`workbench flame SUBJECT`: where the time goes, through Python, compiled and native code."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.commands.common import (
    Display,
    command_line,
    new_folder,
    output_options,
    require_json_place,
    terminated_as_interrupted,
)
from workbench.commands.target import PROGRAM_MARK, Target, optional_target_options, parse_target
from workbench.errors import InputError, SubjectError, WorkbenchError
from workbench.files import refuse_existing, scratch_folder, write_text
from workbench.record import RECORDS_NAME, Record, RunWriter, read_run

if TYPE_CHECKING:
    from workbench.analysis.flame_diff import FlameDiff
    from workbench.analysis.folded import Recording
    from workbench.analysis.overhead import Overhead
    from workbench.instruments.stacks import Sampling
    from workbench.subject import Subject

SCHEMA = 1
PAGE_NAME, FOLDED_NAME, SPEEDSCOPE_NAME = "flame.html", "folded.txt", "speedscope.json"
DIFF_RUNS = 3
DEFAULT_OVERHEAD_S = 20.0
WARM_UP = 17  # a key frame and the longest mini-GOP: all code is loaded, all buffers are filled
_INTERPRETED = ("python", "numpy", "check")
_INTERPRETED_FRAMES = 3
_SIDES = ("before", "after")


@dataclass(frozen=True)
class Side:
    """One side of a comparison, or the only one: something to run, or runs that are kept in a folder."""

    title: str
    target: Target | None
    stored: tuple[Recording, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """What was sampled, and how it is to be shown: the runs of each side, the sides' titles, the view that the page opens with,
    where the source of what ran is looked for, what sampling costs (None: not measured), the command line."""

    runs: Sequence[Sequence[Recording]]
    titles: Sequence[str]
    by: str
    roots: Sequence[Path]
    cost: Overhead | None
    again: str


@click.command()
@optional_target_options
@click.option(
    "--source",
    type=click.Choice(("auto", "sampler", "perf", "py-spy")),
    default="auto",
    show_default=True,
    help="What samples: our sampler in the process, perf, py-spy; auto takes the first that works here.",
)
@click.option(
    "--by",
    type=click.Choice(("function", "line")),
    default="function",
    show_default=True,
    help="The view that the page opens with; it has both.",
)
@click.option(
    "--rate", "rate_hz", type=click.FloatRange(1, 10_000), metavar="HZ", help="Samples a second.  [default: by source]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    metavar="S",
    help="How long to sample: an encode at least 5, a program to its end.",
)
@click.option(
    "--runs", type=click.IntRange(1, 50), metavar="N", help="Runs, of each side.  [default: 1, with --diff 3]"
)
@click.option(
    "--diff",
    nargs=2,
    metavar="A B",
    help="Two sides: a folder of an earlier run, a kernel set, options ('--speed 6'), or a program ('-- python a.py').",
)
@click.option(
    "--overhead",
    "overhead_s",
    type=click.FloatRange(0, 3600),
    default=DEFAULT_OVERHEAD_S,
    show_default=True,
    metavar="SECONDS",
    help="Processor time to spend on measuring what sampling an encode costs; 0 leaves it out.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the results.")
@output_options
def flame(
    target: Target | None, source: str, by: str, rate_hz: float | None, seconds: float | None, runs: int | None,
    diff: tuple[str, str] | None, overhead_s: float, out: Path | None, json_path: Path | None, quiet: bool, force: bool,
) -> None:  # fmt: skip
    """A flame graph through Python, compiled and native code, by function and by line; or what changed between two.

    SUBJECT is a video file or the name of a clip of the corpus; any other program stands behind --, as in
    `workbench flame -- python script.py`. With --diff a SUBJECT is needed only where a side is to be run. Writes into
    DIR (reports/<date>-flame): flame.html, an offline page; folded.txt and speedscope.json for other tools;
    records.jsonl, all figures.

    \b
    A B of --diff, laid over the options of the command line:
      reports/2026-01-02-flame       runs that were kept
      numba,satd=mine.py:satd        kernel sets
      '--speed 6 --threads 2'        options of the encode
      '-- python old.py'             programs

    \b
    Exit status: 0 fine, 2 usage or bad input, 5 the program died or cannot be watched, 130 interrupted.
    """
    from workbench.instruments.stacks import SAMPLED_S, Sampling
    from workbench.machine import fingerprint

    require_json_place(json_path, force)
    sides = sides_of(target, diff)
    folder = new_folder("flame", out, force)
    for name in (PAGE_NAME, FOLDED_NAME, SPEEDSCOPE_NAME):
        refuse_existing(folder / name, force)
    is_encode = any(side.target is not None and side.target.subject is not None for side in sides)
    chosen = None if source == "auto" else source
    sampling = Sampling(chosen, rate_hz, seconds if seconds is not None else SAMPLED_S if is_encode else 0.0)
    about = {"sides": [side.title for side in sides], "by": by, "roots": [str(root) for root in _source_roots(sides)]}
    writer = RunWriter(folder, "flame", command_line(), fingerprint(), about)
    with terminated_as_interrupted(), Display(quiet) as display, ended(writer):
        recorded = record(sides, sampling, runs or (DIFF_RUNS if diff else 1), writer, display, quiet)
        costs = measure_cost(sides, sampling, overhead_s, display) if overhead_s else None
        if costs is not None:
            writer.write(costs)
    figures = write_results(_recorded(recorded, about, costs, command_line()), folder, quiet)
    if json_path is not None:
        write_text(json_path, json.dumps(figures, indent=1, allow_nan=False) + "\n")


def sides_of(target: Target | None, diff: tuple[str, str] | None) -> list[Side]:
    """What is to be run or compared. Raises InputError where nothing is given."""
    if diff is not None:
        return [side_of(text, target) for text in diff]
    if target is None:
        raise InputError(
            "SUBJECT is missing: give a video file or a clip of the corpus; a program stands behind --: "
            "workbench flame -- python script.py"
        )
    return [Side(target.title, target)]


def side_of(text: str, base: Target | None) -> Side:
    """A side as `--diff` names it, laid over `base`. Raises InputError where it is none."""
    if not text.strip():
        raise InputError("--diff: an empty side; give a folder, a kernel set, options or a program")
    if (Path(text) / RECORDS_NAME).is_file():
        return Side(text, None, stored_runs(Path(text)))
    if Path(text).is_dir():
        raise InputError(f"--diff {text}: is a folder without {RECORDS_NAME}; give one that `workbench flame` wrote")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--diff {text!r}: {error}") from error
    if words[0] == PROGRAM_MARK:
        return Side(shlex.join(words[1:]), parse_target(words))
    if base is None or base.subject is None:
        raise InputError(f"--diff {text!r}: is no folder of an earlier run, and options need a video or clip to encode")
    more = words if words[0].startswith("-") else ["--kernels", *words]
    return Side(text, parse_target([*base.words[:-1], *more, base.words[-1]]))


def stored_runs(folder: Path) -> tuple[Recording, ...]:
    """The sampled runs that a folder keeps. Raises InputError where there are none, or of more than one subject."""
    from workbench.analysis.folded import recording_of

    records = read_run(folder).select(instrument="stacks", metric="samples")
    subjects = {json.dumps(dict(record.subject), sort_keys=True) for record in records}
    if len(subjects) != 1:
        seen = "no sampled run" if not subjects else f"sampled runs of {len(subjects)} clips or kernel sets"
        raise InputError(f"{folder}: holds {seen}; give a folder that `workbench flame` wrote")
    return tuple(recording_of(record, str(folder)) for record in records)


@contextmanager
def ended(writer: RunWriter) -> Iterator[None]:
    """Close the records of a run with how the block ended."""
    status = "failed"
    try:
        yield
        status = "complete"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if writer.has_begun:
            writer.end(status)


def record(
    sides: Sequence[Side], sampling: Sampling, runs: int, writer: RunWriter, display: Display, quiet: bool
) -> list[list[Recording]]:
    """Run what has to be run, sides in turn, and keep each run as soon as it is there; returns the runs of each side."""
    from workbench.analysis.folded import recording_of

    recorded = [list(side.stored) for side in sides]
    to_run = [at for at, side in enumerate(sides) if side.target is not None]
    display.step("sample; the first time, the profile build is compiled", len(to_run) * runs)
    for number in range(runs):
        # A B, then B A: what drifts on the machine weighs on both alike.
        for at in to_run if number % 2 == 0 else reversed(to_run):
            display.now(f"{sides[at].title}, run {number + 1} of {runs}")
            run = sample(sides[at], sampling, quiet)
            sampling = with_same_frames(sampling, run)
            writer.write(in_side(run, at, len(sides)))
            recorded[at].append(recording_of(run, sides[at].title))
            display.tick()
    return recorded


def measure_cost(sides: Sequence[Side], sampling: Sampling, seconds: float, display: Display) -> Record | None:
    """What sampling costs, of a single compiled encode by the sampler in the process; None for anything else. That it cannot be
    measured costs no profile."""
    from workbench.instruments import stacks

    target = sides[0].target
    subject = target.subject if target is not None and len(sides) == 1 else None
    if target is None or subject is None or _is_interpreted(subject) or sampling.source not in (None, stacks.SAMPLER):
        return None
    display.step("what sampling costs")
    try:
        with scratch_folder() as scratch:
            return stacks.measure_cost(subject, scratch, target.timeout_s, seconds)
    except WorkbenchError as error:
        click.echo(f"workbench: what sampling costs is not known: {error}", err=True)
        return None


def _is_interpreted(subject: Subject) -> bool:
    return subject.kernels.split(":")[0].split(",")[0] in _INTERPRETED


def _recorded(
    runs: Sequence[Sequence[Recording]], about: Mapping[str, Any], costs: Record | None, words: Sequence[str]
) -> Recorded:
    from workbench.analysis.overhead import overhead

    again = shlex.join(["workbench", "flame", *words])
    cost = overhead(costs.data) if costs is not None else None
    return Recorded(runs, about["sides"], about["by"], [Path(root) for root in about["roots"]], cost, again)


def remake(folder: Path, quiet: bool) -> dict[str, Any]:
    """Write the pages of a run again from its records; returns its figures. Raises InputError where the runs of a side are kept
    elsewhere."""
    from workbench.analysis.folded import recording_of

    run = read_run(folder)
    titles = run.header["sides"]
    records = run.select(instrument="stacks", metric="samples")
    names = _SIDES if len(titles) == 2 else (None,)
    runs = [
        [recording_of(each, title) for each in records if each.subject.get("side") == name]
        for name, title in zip(names, titles, strict=True)
    ]
    if not all(runs):
        where = ", ".join(title for title, side in zip(titles, runs, strict=True) if not side)
        raise InputError(f"{folder}: does not hold the runs of {where}; repeat workbench flame --diff instead")
    costs = run.select(instrument="stacks", metric="overhead")
    return write_results(
        _recorded(runs, run.header, costs[-1] if costs else None, run.header["arguments"]), folder, quiet
    )


def sample(side: Side, sampling: Sampling, quiet: bool) -> Record:
    """One run. What a program says is passed on to standard error."""
    from workbench.instruments import stacks

    assert side.target is not None, "a stored side is not run"
    target = side.target
    with scratch_folder() as scratch:
        if target.subject is None:
            run, finished = stacks.measure_program(target.program, scratch, target.timeout_s, sampling)
            if not quiet:
                click.echo(finished.output + finished.complaint, nl=False, err=True)
        else:
            subject, interpreted = target.subject, _is_interpreted(target.subject)
            if interpreted and "--frames" not in target.words:
                subject = subject.change(frames=min(subject.frames, _INTERPRETED_FRAMES))
            warm_up = 1 if interpreted else min(WARM_UP, subject.frames)
            run = stacks.measure(subject, scratch, target.timeout_s, interpreted, warm_up, sampling)
    if not sum(run.values):
        raise SubjectError(
            f"{target.title}: not one sample: it ended within a tick of its processor; give it more to do"
        )
    return run


def with_same_frames(sampling: Sampling, run: Record) -> Sampling:
    """After a first encode, all others sample as many frames: frames are not alike, and a comparison is of the same ones."""
    from dataclasses import replace

    frames = run.data.get("frames")
    return replace(sampling, frames=frames) if frames and not sampling.frames else sampling


def in_side(run: Record, at: int, sides: int) -> Record:
    """The record with its side, where there are two."""
    from dataclasses import replace

    return run if sides == 1 else replace(run, subject={**run.subject, "side": _SIDES[at]})


def write_results(recorded: Recorded, folder: Path, quiet: bool) -> dict[str, Any]:
    """Write the page and the files for other tools, print the table; returns what --json says."""
    from workbench.analysis.flame_diff import compare_stacks
    from workbench.analysis.folded import added_up, scripts_alike
    from workbench.report.flame import cost_sentence, cost_warnings, flame_page_of_runs, recording_facts
    from workbench.report.flame_diff import diff_facts, flame_diff_page
    from workbench.report.folded_text import folded_text
    from workbench.report.speedscope import speedscope
    from workbench.report.top_table import changes_table, print_table, top_table

    runs = [run for side in recorded.runs for run in side]
    title = " against ".join(recorded.titles)
    costs = cost_warnings(recorded.cost)
    warnings = [*costs, *dict.fromkeys(warning for run in runs for warning in run.warnings)]
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"schema": SCHEMA, "verb": "flame", "command": recorded.again, "warnings": warnings}
    if len(recorded.runs) == 2:
        before, scripts = scripts_alike(recorded.runs[0], recorded.runs[1])
        diff = compare_stacks(before, recorded.runs[1])
        alike = [f"{' and '.join(scripts)} are taken for one file"] if scripts else []
        page, table = flame_diff_page(diff, f"What changed: {title}", [*alike, recorded.again]), changes_table(diff)
        facts = [*diff_facts(diff), *alike]
        figures |= _diff_figures(diff, recorded.titles)
    else:
        cost = [cost_sentence(recorded.cost)] if recorded.cost is not None else []
        more = [*cost, recorded.again]
        page = flame_page_of_runs(
            runs, f"Flame graph: {title}", by=recorded.by, source_roots=recorded.roots, facts=more, warnings=costs
        )
        table = top_table(added_up(run.folded for run in runs))
        facts = [*recording_facts(runs), *cost]
        figures |= {
            "facts": facts,
            "overhead": _cost_figures(recorded.cost),
            "runs": [_run_figures(run) for run in runs],
        }
    write_text(folder / FOLDED_NAME, folded_text(added_up(run.folded for run in runs)))
    write_text(folder / SPEEDSCOPE_NAME, json.dumps(speedscope(runs, title), allow_nan=False))
    write_text(folder / PAGE_NAME, page)
    figures["files"] = {name: str(folder / name) for name in (PAGE_NAME, FOLDED_NAME, SPEEDSCOPE_NAME, RECORDS_NAME)}
    for warning in warnings:
        click.echo(f"workbench: {warning}", err=True)
    if not quiet:
        click.echo(f"{title}: {', '.join(facts)}\n")
        print_table(table, sys.stdout)
        click.echo(f"\nagain: {recorded.again}\n{folder / PAGE_NAME}")
    return figures


def _cost_figures(cost: Overhead | None) -> dict[str, Any] | None:
    """What sampling costs, as shares of processor time."""
    if cost is None:
        return None
    interval = None if cost.interval is None else [cost.interval.low, cost.interval.high]
    return {"share": cost.share, "interval": interval, "limit": cost.limit, "pairs": cost.pairs}


def _run_figures(run: Recording) -> dict[str, Any]:
    return {
        "title": run.title,
        "source": run.source,
        "samples": run.samples,
        "rate_hz": run.rate_hz,
        "seconds": run.seconds,
        "frames": run.frames,
        "unnamed_share": run.unnamed_share,
        "folded": dict(run.folded),
    }


def _diff_figures(diff: FlameDiff, titles: Sequence[str]) -> dict[str, Any]:
    return {
        "sides": {name: title for name, title in zip(_SIDES, titles, strict=True)},
        "per": diff.per,
        "unit": diff.unit,
        "functions": [
            {
                "frame": change.frame,
                "moved_to": change.moved_to,
                "before": change.own.before,
                "after": change.own.after,
                "low": change.own.low,
                "high": change.own.high,
                "verdict": change.own.verdict,
            }
            for change in diff.functions
        ],
    }


def _source_roots(sides: Sequence[Side]) -> list[Path]:
    """Where the source of what ran is looked for: the encoder's package, the folders of a program's scripts."""
    from workbench.subject import package_folder

    roots = []
    for side in sides:
        if side.target is not None and side.target.program:
            roots += [Path(word).resolve().parent for word in side.target.program if Path(word).is_file()]
        else:
            roots.append(package_folder().parent)
    return list(dict.fromkeys(roots))
