"""`workbench trace SUBJECT`: a timeline of one encode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from workbench.commands.common import (
    Display,
    again,
    command_line,
    new_folder,
    output_options,
    require_json_place,
    terminated_as_interrupted,
)
from workbench.commands.target import Target, target_options
from workbench.errors import WorkbenchError
from workbench.files import refuse_existing, scratch_folder, write_text
from workbench.record import RECORDS_NAME, RunWriter

DETAILS = ("tile", "row", "block")
DEFAULT_MAX_SPANS = 500_000
DEFAULT_OVERHEAD_S = 20.0


@click.command()
@target_options
@click.option(
    "--detail",
    type=click.Choice(DETAILS),
    default="tile",
    show_default=True,
    help="How fine: frames, stages and tiles; rows of superblocks too; blocks that are tried and coded too.",
)
@click.option(
    "--max-spans",
    type=click.IntRange(1, 10_000_000),
    default=DEFAULT_MAX_SPANS,
    show_default=True,
    metavar="N",
    help="Room for spans inside tiles; what finds none is counted.",
)
@click.option(
    "--overhead",
    "overhead_s",
    type=click.FloatRange(0, 3600),
    default=DEFAULT_OVERHEAD_S,
    show_default=True,
    metavar="SECONDS",
    help="Processor time to spend on measuring what recording costs; 0 leaves it out.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the results.")
@output_options
def trace(
    target: Target,
    detail: str,
    max_spans: int,
    overhead_s: float,
    out: Path | None,
    json_path: Path | None,
    quiet: bool,
    force: bool,
) -> None:
    """A timeline of one encode: what every thread does, the critical path, what idle threads wait for, latency.

    SUBJECT is a video file or the name of a clip of the corpus. Writes into DIR (reports/<date>-trace): timeline.html, an offline
    page; trace.chrome.json for Perfetto; trace.speedscope.json; records.jsonl, all figures. With --threads and tiles
    (--tile-cols-log2) there is something to wait for.

    \b
    Exit status: 0 fine, 2 usage or bad input, 5 the encoder died or hung, 130 interrupted; the timeline is kept once it is there.
    """
    target.encode("trace")  # a program is refused before anything is made
    require_json_place(json_path, force)
    folder = _new_folder(out, force)
    with terminated_as_interrupted(), Display(quiet) as display:
        stopped = _record(target, detail, max_spans, overhead_s, folder, display)
    figures = _report(folder, force, None if quiet else again())
    if json_path is not None:
        write_text(json_path, json.dumps(figures, indent=1, allow_nan=False) + "\n")
    if stopped is not None:
        raise stopped


def remake(folder: Path, quiet: bool) -> dict[str, Any]:
    """Write the pages of a run again from its records; returns its figures."""
    return _report(folder, True, None if quiet else "")


def _report(folder: Path, force: bool, below: str | None) -> dict[str, Any]:
    """Write the pages and print the summary with a line `below` it, nothing where that is None; returns the figures."""
    from workbench.report.timeline import write_timeline
    from workbench.report.timeline_text import as_json, summary_lines

    read, files = write_timeline(folder, force)
    names = {"records": str(folder / RECORDS_NAME)} | {name: str(path) for name, path in files.items()}
    if below is not None:
        for line in (*summary_lines(read), "", *([below] if below else []), str(files["page"])):
            click.echo(line)
    return as_json(read, names)


def _new_folder(out: Path | None, force: bool) -> Path:
    """The folder for the results; what would fail at the end fails now. Raises as `new_folder`, and InputError for files that
    are there."""
    from workbench.report.timeline import CHROME_NAME, PAGE_NAME, SPEEDSCOPE_NAME

    folder = new_folder("trace", out, force)
    for name in (PAGE_NAME, CHROME_NAME, SPEEDSCOPE_NAME):
        refuse_existing(folder / name, force)
    return folder


def _record(
    target: Target, detail: str, max_spans: int, overhead_s: float, folder: Path, display: Display
) -> BaseException | None:
    """Take the timeline, then its cost, and keep each as soon as it is there; what stopped us before the cost was known."""
    from workbench.instruments import trace as instrument
    from workbench.machine import fingerprint

    subject = target.encode("trace")
    writer = RunWriter(folder, "trace", command_line(), fingerprint())
    with scratch_folder() as scratch:
        display.step("timeline; the first time, the build that records is compiled")
        writer.write(instrument.measure(subject, detail, max_spans, scratch, target.timeout_s))
        try:
            if overhead_s:
                display.step("what recording costs")
                writer.write(instrument.measure_overhead(subject, detail, scratch, target.timeout_s, overhead_s))
        except (KeyboardInterrupt, WorkbenchError) as error:
            writer.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            return error
    writer.end("complete")
    return None
