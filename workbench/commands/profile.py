"""`workbench profile CORPUS`: the main job, from clips to a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from encoder.config import DEFAULT_KERNELS
from workbench.commands.common import (
    Display,
    command_line,
    kernel_sets,
    new_folder,
    output_options,
    terminated_as_interrupted,
    usable,
)
from workbench.errors import InputError, OutputsDifferError, WorkbenchError
from workbench.files import refuse_existing, scratch_folder, write_text

if TYPE_CHECKING:
    from workbench.corpus import Clip, Corpus
    from workbench.profiling.session import Session, Settings
    from workbench.subject import Encoder


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "--budget",
    "budget_s",
    metavar="SECONDS",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Time for everything but what is done once (compiling, making clips, their coverage).",
)
@click.option(
    "--all", "everything", is_flag=True, help="All clips of the default tier, instead of choosing by coverage."
)
@click.option("--clips", metavar="A,B", help="These clips, instead of choosing by coverage.")
@click.option(
    "--kernels",
    default=DEFAULT_KERNELS,
    show_default=True,
    metavar="SETS",
    help="Kernel sets, the main one first: simd,numpy; with overrides: simd,satd=mine.py:fast_satd.",
)
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N", help="Frames of each encode, instead of as time allows."
)
@click.option(
    "--quantizer",
    type=click.IntRange(1, 255),
    default=100,
    show_default=True,
    metavar="N",
    help="Of every encode, 1 (finest) to 255.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where results go.  [default: reports/<date>-profile]"
)
@output_options
def profile(
    corpus: Path, budget_s: float, everything: bool, clips: str | None, kernels: str, frames: int | None, quantizer: int,
    out: Path | None, json_path: Path | None, quiet: bool, force: bool,
) -> None:  # fmt: skip
    """Measure the encoder on CORPUS and write a report.

    CORPUS is a folder with corpus.toml, or any folder of videos. The clips are chosen by the code they reach; their
    streams are checked, then timed, sampled and encoded with more tiles and threads; of the largest there is a timeline.
    Ctrl-C leaves a report of what is done, `workbench report` makes it anew from the records.
    """
    from workbench.corpus import load_corpus
    from workbench.profiling.session import Settings
    from workbench.subject import our_encoder

    if everything and clips is not None:
        raise InputError("--all and --clips exclude each other; give one of them")
    if json_path is not None:
        refuse_existing(json_path, force)
    candidates = usable(chosen_by_hand(load_corpus(corpus), clips), by_name=clips is not None)
    settings = Settings(candidates, not everything and clips is None, kernel_sets(kernels), frames, quantizer, budget_s)
    folder = new_folder("profile", out, force)
    with terminated_as_interrupted():
        run(settings, our_encoder(), folder, command_line(), quiet, json_path)


def chosen_by_hand(corpus: Corpus, names: str | None) -> tuple[Clip, ...]:
    """The clips that the user names, or those of the default tier. Raises InputError for a name that is not in the
    corpus."""
    if names is None:
        return corpus.main_clips()
    return corpus.named(dict.fromkeys(name.strip() for name in names.split(",")))


def run(
    settings: Settings, encoder: Encoder, folder: Path, arguments: list[str], quiet: bool, json_path: Path | None
) -> None:
    """Measure into `folder`, then report whatever was measured; nothing is written when it could not even begin.

    Raises what stopped the run, or else the gravest thing that it found.
    """
    from workbench.budget import Budget
    from workbench.machine import fingerprint
    from workbench.profiling.session import Session
    from workbench.profiling.steps import WEIGHTS
    from workbench.record import RunWriter
    from workbench.subject import source_digest

    about = {"encoder_sources": source_digest(), "budget_s": settings.budget_s, "kernels": list(settings.kernels)}
    writer = RunWriter(folder, "profile", arguments, fingerprint(), about)
    stopped: BaseException | None = None
    with Display(quiet) as display, scratch_folder() as scratch:
        session = Session(settings, encoder, writer, display, Budget(settings.budget_s, WEIGHTS), scratch)
        try:
            measure(session)
        except (WorkbenchError, KeyboardInterrupt) as error:
            if not writer.has_begun:
                raise
            stopped = error
            if isinstance(error, WorkbenchError):
                session.fault(error)
        writer.end(_status(stopped, session.cut))
    report(folder, quiet, json_path)
    if stopped is not None:
        raise stopped
    if session.faults:
        raise max(session.faults, key=lambda fault: isinstance(fault, OutputsDifferError))


def measure(session: Session) -> None:
    """All steps in order."""
    from workbench.profiling import selection, steps

    steps.prepare(session)
    clips = selection.choose_clips(session)
    selection.make_clips(session, clips)
    right = steps.check(session, steps.pairs_of(session, clips))
    steps.compare_sets(session, clips)
    for step in steps.PAIRED_STEPS:
        step(session, right)
    if right:
        steps.measure_largest(session)
        steps.measure_tiles(session)


def report(folder: Path, quiet: bool, json_path: Path | None) -> None:
    """Write the pages, the summary and the JSON from the records alone."""
    from workbench.commands.report import remake

    figures = remake(folder, quiet)
    if json_path is not None:
        write_text(json_path, json.dumps(figures, indent=1) + "\n")


def _status(stopped: BaseException | None, cut: bool) -> str:
    if isinstance(stopped, KeyboardInterrupt):
        return "interrupted"
    if stopped is not None:
        return "failed"
    return "budget" if cut else "complete"
