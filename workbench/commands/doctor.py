"""`workbench doctor`: is this machine fit to measure on, now; and what can be seen on it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
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
from workbench.commands.compare import UNFIT_STATUS, Told
from workbench.commands.proving import Campaign, prove
from workbench.errors import InputError
from workbench.files import write_text
from workbench.pairs import BASE, CANDIDATE
from workbench.record import RunWriter, read_run

if TYPE_CHECKING:
    from workbench.analysis.compared import Part
    from workbench.comparing.measure import Settings

SCHEMA = 1
_SLOT = "satd"
_PROVED = (
    "kernel",
    "copy",
    "encode",
    "loaded",
    "prediction",
)  # the kinds of analysis/proof.py, which --help need not load
_FEWEST = 10  # pairs: less can decide nothing (analysis/forecast.py: least_pairs)
_WITHIN = 40  # pairs
_EFFECT_OF_40_PAIRS = 0.75
_TIMEOUT_S = 600.0


@click.command()
@click.option("--kernel", "slot", default=_SLOT, show_default=True, metavar="SLOT", help="To try kernels with.")
@click.option("--clip", metavar="CLIP", help="To try encodes with.  [default: the first of the corpus]")
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=Path("corpus"),
    show_default=True,
    metavar="PATH",
    help="Where a clip that is named is looked for.",
)
@click.option(
    "--only",
    type=click.Choice(("machine", "kernel", "encode")),
    multiple=True,
    help="Look at this alone; may be repeated.  [default: all]",
)
@click.option(
    "--pairs", type=click.IntRange(_FEWEST, 1000), default=20, show_default=True, metavar="N", help="Of each."
)
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=40.0, show_default=True, metavar="S", help="At most, for each."
)
@click.option("--core", type=click.IntRange(0, 4095), metavar="N", help="Keep kernels on this processor.")
@click.option("--one-at-a-time", is_flag=True, help="Encodes one after the other, not both of a pair at once.")
@click.option(
    "--replay",
    "replayed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Try the verdicts on recorded noise instead: a JSON list of [wall, cpu, ...] seconds.",
)
@click.option(
    "--prove",
    "proved",
    type=click.Choice((*_PROVED, "all")),
    multiple=True,
    help="Make many comparisons whose truth is known, and count; may be repeated. An --out that has tries is gone on with.",
)
@click.option(
    "--tries", type=click.IntRange(1, 100_000), metavar="N", help="Of each --prove.  [default: as its goals take]"
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Results.  [default: reports/<date>-doctor]"
)
@output_options
def doctor(
    slot: str, clip: str | None, corpus: Path, only: tuple[str, ...], pairs: int, seconds: float, core: int | None,
    one_at_a_time: bool, replayed: Path | None, proved: tuple[str, ...], tries: int | None, out: Path | None,
    json_path: Path | None, quiet: bool, force: bool,
) -> None:  # fmt: skip
    """Is this machine fit to measure on, now, and how small an effect can be seen on it, in how long?

    Reports the machine (governor, frequency, load, pressure, steal), then compares A with itself and with a planted slowdown, of a
    kernel and of an encode. --replay tries the verdicts, and those that are usual, on recorded noise: whatever labels
    are laid on it, the truth is no difference.

    --prove repeats what is promised: of kernels (kernel: a slowdown of 1 % found within 10 s, false verdicts at most 5 of 200), of
    their copies (copy), of encodes (encode; loaded: beside busy processes), of predictions (prediction: 17 of 20 come true).

    \b
    Exit status: 0 fit, 2 usage or bad input, 3 too few pairs or tries to tell, 5 not fit or the encoder died; 130 interrupted.
    """
    require_json_place(json_path, force)
    if replayed is not None:
        _replay(replayed, json_path, quiet)
        return
    if proved:
        _refuse_given("only", "pairs", "seconds")
        _require_slot(slot)
        kinds = _PROVED if "all" in proved else tuple(dict.fromkeys(proved))
        campaign = Campaign(kinds, tries, slot, DEFAULT_KERNELS, clip, corpus, core, not one_at_a_time)
        prove(campaign, out, json_path, quiet, force)
        return
    if tries is not None:
        raise InputError("--tries: is for --prove")
    from workbench.analysis.compared import parts_of

    looked = only or ("machine", "kernel", "encode")
    state = _machine()
    parts: list[Part] = []
    if set(looked) != {"machine"}:
        _require_slot(slot)
        folder = new_folder("doctor", out, force)
        settings = _settings(pairs, seconds, core, not one_at_a_time)
        with terminated_as_interrupted(), Display(quiet) as display:
            _try(folder, slot if "kernel" in looked else None, clip, corpus, "encode" in looked, settings, display)
        parts = parts_of(read_run(folder).records)
    content = {"schema": SCHEMA, "machine": state, "parts": [_as_json(part) for part in parts]}
    if json_path is not None:
        write_text(json_path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    if not quiet:
        for line in [*(_machine_lines(state) if "machine" in looked else []), *(_line(part) for part in parts)]:
            click.echo(line)
        click.echo(f"\n{again()}")
    _exit(parts)


def _refuse_given(*names: str) -> None:
    """Raise InputError for options that --prove, whose goals are fixed, would leave aside."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise InputError(f"--{name}: --prove has limits of its own, which its goals name; give --tries")


def _require_slot(slot: str) -> None:
    from encoder.kernels.table import SLOTS

    if slot not in SLOTS:
        raise InputError(f"--kernel {slot}: there is no such slot; slots are: {', '.join(SLOTS)}")


def _settings(pairs: int, seconds: float, core: int | None, at_once: bool) -> Settings:
    from workbench.comparing.measure import KERNEL_MARGIN, Settings
    from workbench.pairs import Limits

    limits = Limits(pairs, seconds)
    return Settings(limits, KERNEL_MARGIN, _TIMEOUT_S, stop_early=False, core=core, at_once=at_once)


def _try(
    folder: Path, slot: str | None, clip: str | None, corpus: Path, encode: bool, settings: Settings, display: Display
) -> None:
    """A against itself and against a planted slowdown, as `workbench compare A A` would, into records."""
    from workbench.comparing import measure
    from workbench.machine import fingerprint
    from workbench.sides import Kernel, home_of

    writer = RunWriter(folder, "doctor", command_line(), fingerprint())
    status = "failed"
    try:
        if slot is not None:
            kernel = Kernel(DEFAULT_KERNELS, slot, home=home_of(None))
            display.step(f"kernel {slot}", settings.limits.pairs)
            measure.measure_kernel(kernel, kernel, settings, writer, Told(display))
        if encode:
            _try_encode(clip, corpus, dataclasses.replace(settings, margin=measure.ENCODE_MARGIN), writer, display)
        status = "complete"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if writer.has_begun:
            writer.end(status)


def _try_encode(clip: str | None, corpus: Path, settings: Settings, writer: RunWriter, display: Display) -> None:
    from workbench.commands.compare import first_clip
    from workbench.commands.target import parse_target
    from workbench.comparing.measure import measure_encode
    from workbench.instruments.encode_side import warm_up
    from workbench.sides import encode_of, parse_side

    name = clip if clip is not None else first_clip(corpus)
    subject = parse_target(("--corpus", str(corpus), "--kernels", DEFAULT_KERNELS, name)).encode("doctor")
    encode = encode_of(parse_side(DEFAULT_KERNELS), subject, None, DEFAULT_KERNELS)
    display.step("compiled code; the first time, it is made")
    warm_up(encode)
    display.step(f"encode {subject.clip}", settings.limits.pairs)
    with TemporaryDirectory(prefix="workbench-") as scratch:
        measure_encode(subject.clip, encode, encode, Path(scratch), settings, writer, Told(display), may_differ=False)


# --- results ----------------------------------------------------------------------------------------------------------


def smallest_effect(spread: float) -> float:
    """The effect, as a share, that 40 pairs find in four of five comparisons, where log ratios spread so much and normally: 0.75
    of the spread, by simulation of the rule (analysis/evidence.py)."""
    return math.expm1(_EFFECT_OF_40_PAIRS * spread)


def pair_s(part: Part) -> float:
    """Wall seconds of a run of A and one of B, on the mean."""
    pairs = [block.samples[BASE].took_s + block.samples[CANDIDATE].took_s for block in part.blocks]
    return sum(pairs) / max(len(pairs), 1)


def _machine() -> dict[str, Any]:
    from workbench.meters import machine_now

    return machine_now()


def _machine_lines(state: dict[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' '):12} {value}" for name, value in _worded(state)]


def _worded(state: dict[str, Any]) -> list[tuple[str, str]]:
    hypervisor = ", a virtual machine" if state["hypervisor"] else ""
    known = {
        "cpu": f"{state['cpu']}, {state['cores']} for us{hypervisor}",
        "governor": state["governor"] or "not said",
        "frequency": " ".join(f"{mhz:.0f}" for mhz in state["mhz"]) + " MHz" if state["mhz"] else "not said",
        "load": " ".join(f"{load:.2f}" for load in state["load_average"]) + " (1, 5, 15 minutes)",
        "pressure": _share(state["pressure"], "of the time some task waited for a processor"),
        "steal": _share(state["steal"], "of a processor went to other guests"),
        "busy": _share(state["busy"], "of a processor was taken, before we began"),
    }
    return list(known.items())


def _share(share: float | None, what: str) -> str:
    return "the kernel does not say" if share is None else f"{units.percent(share)} {what}"


def _line(part: Part) -> str:
    from workbench.report.compare_text import how_run

    verdict = part.same
    if verdict is None or verdict.spread is None:
        return f"{part.kind:12} no pair was measured"
    seconds = pair_s(part)
    effect = smallest_effect(verdict.spread)
    how = f", {said}" if (said := how_run(part)) else ""
    state = {True: "fit", False: "NOT FIT", None: "not sure yet"}[part.fitness.fit]
    why = f" ({'; '.join(part.fitness.why)})" if part.fitness.why else ""
    return (
        f"{part.kind:12} {part.name}: {state}{why}; pairs spread by {units.percent(verdict.spread)}{how}: {_WITHIN} of them, "
        f"{units.seconds(seconds * _WITHIN)}, show an effect of {_fine(effect)}; planted {units.percent(part.planted, True)} "
        f"was found as {units.percent(part.slowed.ratio - 1, True) if part.slowed and part.slowed.ratio else units.UNKNOWN}"
    )


def _fine(share: float) -> str:
    return f"{share * 100:.2g} %"


def _as_json(part: Part) -> dict[str, Any]:
    from workbench.report.compare_text import verdict_json

    same = part.same
    spread = same.spread if same else None
    return {
        "kind": part.kind,
        "name": part.name,
        "fit": part.fitness.fit,
        "why": list(part.fitness.why),
        "controls": {"aa": verdict_json(same), "planted": verdict_json(part.slowed), "factor": 1 + part.planted},
        "spread": spread,
        "at_once": part.about.get("at_once"),
        "pairs": _WITHIN,
        "smallest_effect": None if spread is None else smallest_effect(spread),
        "seconds": pair_s(part) * _WITHIN,
        "disturbed": sum(block.disturbed is not None for block in part.blocks),
        "blocks": len(part.blocks),
    }


def _exit(parts: Sequence[Part]) -> None:
    found = {part.fitness.fit for part in parts}
    if False in found:
        raise click.exceptions.Exit(UNFIT_STATUS)
    if None in found:
        raise click.exceptions.Exit(3)


def _replay(path: Path, json_path: Path | None, quiet: bool) -> None:
    from workbench.analysis.replay import read_trace, replay
    from workbench.report.replay_text import replay_json, replay_lines

    rates = replay(read_trace(path))
    if json_path is not None:
        write_text(json_path, json.dumps(replay_json(rates), indent=1) + "\n")
    if not quiet:
        for line in [*replay_lines(rates), "", again()]:
            click.echo(line)
