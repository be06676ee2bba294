"""`workbench doctor --prove`: the tries, one after the other, into a notebook that is gone on with; and the tables."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.commands.common import Display, again, command_line, new_folder, terminated_as_interrupted
from workbench.errors import InputError
from workbench.files import write_text
from workbench.machine import fingerprint, two_processors
from workbench.record import RECORDS_NAME, Run, RunWriter, read_run

if TYPE_CHECKING:
    from workbench.analysis.proof import Try
    from workbench.sides import Encode
    from workbench.subject import Subject

TABLE_NAME, JSON_NAME = "proof.md", "proof.json"
VERB = "doctor"
_UNFIT_STATUS, _UNDECIDED_STATUS = 5, 3
_TIMEOUT_S = 600.0
_SECOND = 30  # frames


@dataclass(frozen=True)
class Campaign:
    """What is tried. `kinds`: those of analysis/proof.py; `tries`: of each, None as many as its goals take."""

    kinds: tuple[str, ...]
    tries: int | None
    slot: str
    kernels: str
    clip: str | None
    corpus: Path
    core: int | None
    at_once: bool

    @property
    def settings(self) -> dict[str, Any]:
        """What all tries of a notebook have in common."""
        return {
            "kernel": self.slot,
            "kernels": self.kernels,
            "clip": self.clip,
            "core": self.core,
            "at_once": self.at_once,
        }


def prove(campaign: Campaign, out: Path | None, json_path: Path | None, quiet: bool, force: bool) -> None:
    """Make the tries that are missing in `out`, write the tables there, print them, and end with the status they have.

    Raises InputError for a folder that holds something else, or tries with other settings or of another machine.
    """
    writer, seed = _notebook(campaign, out, force)
    met: bool | None = None
    try:
        with terminated_as_interrupted(), Display(quiet) as display:
            _make(campaign, writer, seed, display)
    finally:
        if writer.has_begun:
            met = _publish(campaign, writer.folder, json_path, quiet)
    if met is not True:
        raise click.exceptions.Exit(_UNDECIDED_STATUS if met is None else _UNFIT_STATUS)


def _publish(campaign: Campaign, folder: Path, json_path: Path | None, quiet: bool) -> bool | None:
    """Write and print the tables; whether all goals are reached."""
    from workbench.analysis.proof import proof, tries_of
    from workbench.report.proof_text import proof_json, proof_lines, proof_markdown

    run = read_run(folder)
    tries = tries_of(run.records)
    done = not _missing(campaign, tries)
    found = proof(tries)
    content = json.dumps(proof_json(found, run.header, done), indent=1, allow_nan=False) + "\n"
    write_text(folder / TABLE_NAME, proof_markdown(found, run.header, done))
    for path in (folder / JSON_NAME, json_path):
        if path is not None:
            write_text(path, content)
    if not quiet:
        for line in [*proof_lines(found), "", again(), str(folder / TABLE_NAME)]:
            click.echo(line)
    return found.met


def _notebook(campaign: Campaign, out: Path | None, force: bool) -> tuple[RunWriter, int]:
    """What tries are written to, and the seed of all of them."""
    if out is None or force or not (out / RECORDS_NAME).exists():
        seed = secrets.randbelow(2**31)
        about = {"settings": campaign.settings, "seed": seed}
        return RunWriter(new_folder(VERB, out, force), VERB, command_line(), fingerprint(), about), seed
    run = read_run(out)
    if run.header.get("settings") is None:
        raise InputError(f"{out}: holds another run; choose another --out, or give --force to replace it")
    _require_the_same(campaign, run)
    return RunWriter.going_on(run), run.header["seed"]


def _require_the_same(campaign: Campaign, run: Run) -> None:
    for name, now in campaign.settings.items():
        if (before := run.header["settings"].get(name)) != now:
            raise InputError(f"{run.folder}: was begun with {name} {before}, not {now}; choose another --out")
    if run.header["machine"]["hash"] != fingerprint()["hash"]:
        raise InputError(f"{run.folder}: was begun on another machine, or with other packages; choose another --out")


def _missing(campaign: Campaign, tries: Sequence[Try]) -> dict[str, range]:
    """By kind the numbers of the tries that are still to be made."""
    from workbench.analysis.proof import KINDS

    made = Counter(one.kind for one in tries)
    wanted = {kind: campaign.tries or KINDS[kind][1] for kind in campaign.kinds}
    return {kind: range(made[kind], count) for kind, count in wanted.items() if made[kind] < count}


def _make(campaign: Campaign, writer: RunWriter, seed: int, display: Display) -> None:
    from workbench.analysis.proof import tries_of

    missing = _missing(campaign, tries_of(read_run(writer.folder).records) if writer.has_begun else ())
    status = "failed"
    try:
        for kind, numbers in missing.items():
            display.step(kind, len(numbers))
            for one in _tries(kind, numbers, campaign, seed, display):
                writer.write(one.record())
                display.now(" ".join(str(outcome.word) for outcome in one.outcomes.values()))
                display.tick()
        status = "complete"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if writer.has_begun and missing:
            writer.end(status)


def _tries(kind: str, numbers: Sequence[int], campaign: Campaign, seed: int, display: Display) -> Iterator[Try]:
    from workbench.analysis.proof import COPY, KERNEL, LOADED, PREDICTION
    from workbench.comparing.proving import copy_tries, encode_tries, kernel_tries, prediction_tries
    from workbench.sides import Kernel, home_of

    if kind in (KERNEL, COPY):
        kernel = Kernel(campaign.kernels, campaign.slot, home=home_of(None))
        make = kernel_tries if kind == KERNEL else copy_tries
        return make(kernel, numbers, seed, campaign.core, _TIMEOUT_S)
    subject = _second_of(campaign)
    two = two_processors() if campaign.at_once else None
    if kind == PREDICTION:
        return prediction_tries(subject, numbers, seed, campaign.core, two, _TIMEOUT_S, display.now)
    return encode_tries(_compiled(subject, display), numbers, seed, two, _TIMEOUT_S, kind == LOADED)


def _second_of(campaign: Campaign) -> Subject:
    """The encode of a second of the clip."""
    from workbench.commands.compare import first_clip
    from workbench.commands.target import parse_target

    name = campaign.clip if campaign.clip is not None else first_clip(campaign.corpus)
    words = ("--corpus", str(campaign.corpus), "--kernels", campaign.kernels, "--frames", str(_SECOND), name)
    return parse_target(words).encode(VERB)


def _compiled(subject: Subject, display: Display) -> Encode:
    """The encode as a side of a comparison; what it needs is compiled."""
    from workbench.instruments.encode_side import warm_up
    from workbench.sides import encode_of, parse_side

    encode = encode_of(parse_side(subject.kernels), subject, None, subject.kernels)
    display.step("compiled code; the first time, it is made")
    warm_up(encode)
    return encode
