"""The whole at a glance, the machine it ran on, and what a reader must not take for granted."""

from __future__ import annotations

import shlex

from workbench import units
from workbench.analysis.findings import Findings
from workbench.report import wording
from workbench.report.document import Block, Bullets, Code, Details, KeyFigures, Note, Table
from workbench.report.sections.common import end_of, not_measured, status_of, words


def summary_blocks(found: Findings) -> list[Block]:
    """Big numbers and a few sentences."""
    figures, said = wording.key_figures(found), wording.sentences(found)
    if not said:
        return [Note("The records hold no measurement yet: there is nothing to report.")]
    blocks: list[Block] = [KeyFigures(figures)] if figures else []
    if status_of(found) != "complete":
        blocks.append(Note(f"This run {end_of(found)}. What is missing stands at the end of the page."))
    return [*blocks, Bullets(tuple(said))]


def machine_blocks(found: Findings) -> list[Block]:
    """The fingerprint and every command that was run."""
    machine = dict(found.run.header.get("machine", {}))
    if not machine:
        return not_measured(found, "The machine's fingerprint")
    machine["memory_bytes"] = units.byte_size(machine["memory_bytes"]) if machine.get("memory_bytes") else None
    rows = [(_named(key), _plain(value)) for key, value in machine.items() if value is not None]
    commands = dict.fromkeys(shlex.join(record.command) for record in found.run.records if record.command)
    return [
        Table((words("property"), words("value")), tuple(rows)),
        Details(f"The exact commands ({len(commands)})", (Code(tuple(commands)),)),
        Note("Compare times and memory only where `hash` is the same: it stands for all of the above.", "quiet"),
    ]


def _named(key: str) -> str:
    return key.removesuffix("_bytes").replace("_", " ")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def unknown_blocks(found: Findings) -> list[Block]:
    """What was not measured, what is missing for some clips, what was left out and why, what no figure says."""
    said = [] if status_of(found) == "complete" else [f"The run {end_of(found)}: the records hold what it got to."]
    missing = [what for what, measured in _steps(found).items() if not measured]
    if missing:
        said.append(f"Not measured at all: {', '.join(missing)}.")
    said += _partly(found)
    left_out = dict.fromkeys(text for texts in found.left_out.values() for text in texts)
    said += [f"{text[0].upper()}{text[1:]}." for text in left_out]
    said.append("Intervals hold the noise of this run's repetitions, not what another day or machine would add.")
    said.append("The figures are of the clips named here; other material may spend its time elsewhere.")
    return [Bullets(tuple(said))]


def _steps(found: Findings) -> dict[str, bool]:
    return {
        "coverage and selection": bool(found.candidates),
        "whether streams decode": any(clip.decodes is not None for clip in found.outputs),
        "whether the kernel sets agree": bool(found.agreements),
        "times": bool(found.times),
        "stages": bool(found.stages),
        "stacks": bool(found.profiles),
        "a timeline": found.timeline is not None,
        "memory": bool(found.memory),
        "tiles and threads": bool(found.tile_rows),
    }


def _partly(found: Findings) -> list[str]:
    """Steps that were taken for some clips but not for all, where the run does not say so itself."""
    steps = {
        "check": {clip.subject for clip in found.outputs},
        "time": {clip.subject for clip in found.times},
        "spans": {clip.subject for clip in found.stages},
        "stacks": {clip.subject for profile in found.profiles for clip in profile.clips},
        "memory": {clip.subject for clip in found.memory if clip.allocations is not None},
    }
    said = []
    for step, done in steps.items():
        missing = [found.label(subject) for subject in found.encoded if subject not in done]
        if done and missing and step not in found.left_out:
            said.append(f"The step {step!r} was not taken for {', '.join(missing)}.")
    return said
