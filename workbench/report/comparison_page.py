"""The comparison of two runs as a page: a release against the one before."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import units
from workbench.analysis.compare_runs import (
    BYTES,
    MARGIN,
    PSNR,
    QUANTITIES,
    TIME,
    UNCLEAR,
    Change,
    Comparison,
    Overall,
    Quantity,
)
from workbench.analysis.findings import Findings
from workbench.report import pictures
from workbench.report.columns import MISSING, bytes_column, number, percent_number, seconds_column
from workbench.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    KeyFigure,
    KeyFigures,
    Note,
    Picture,
    Section,
    Table,
    Text,
    Tone,
)
from workbench.report.sections.common import counted, words
from workbench.stats import median

_BETTER = {"faster", "less", "fewer", "smaller", "better"}


def comparison_document(found: Comparison, old: Findings, new: Findings) -> Document:
    """A comparison and the two runs that it is of, as a page."""
    sections = [Section("summary", "Summary", tuple(_summary(found)))]
    sections += [
        Section(
            f"{quantity.name.split()[0].lower()}", _capitalised(quantity.name), tuple(_quantity(found, quantity, new))
        )
        for quantity in QUANTITIES
        if found.of(quantity)
    ]
    sections.append(Section("unknown", "What is not known", tuple(_unknown(found))))
    return Document(
        title=f"{new.run.folder.name} against {old.run.folder.name}",
        subtitle=f"`{_described(old)}` before, `{_described(new)}` now",
        sections=tuple(sections),
    )


def _described(found: Findings) -> str:
    return f"{found.run.folder.name}, {found.run.header.get('started', 'unknown date')}"


def _summary(found: Comparison) -> list[Block]:
    blocks: list[Block] = [Note(_capitalised(warning)) for warning in found.warnings]
    if not found.changes:
        return [*blocks, Note("The two runs have no clip and kernel set in common: there is nothing to compare.")]
    several = len({overall.kernels for overall in found.overall}) > 1
    figures = tuple(_figure(overall, several) for overall in found.overall)
    return [*blocks, KeyFigures(figures), Bullets(tuple(comparison_sentences(found)))]


def comparison_sentences(found: Comparison) -> list[str]:
    """What changed, one quantity a sentence."""
    said = [_overall_sentence(overall, found) for overall in found.overall]
    quality = found.of(PSNR)
    if quality:
        said.append(_quality_sentence(quality))
    return said or ["The two runs have no clip and kernel set in common: there is nothing to compare."]


def _overall_sentence(overall: Overall, found: Comparison) -> str:
    group = [one for one in found.of(overall.quantity) if one.subject.kernels == overall.kernels]
    counts = {word: sum(one.word == word for one in group) for word in dict.fromkeys(one.word for one in group)}
    by_clip = ", ".join(f"{count} {word}" for word, count in counts.items())
    kernels = f", kernel set {overall.kernels}" if overall.kernels else ""
    change = units.percent(overall.ratio - 1, signed=True) if overall.ratio != 1 else "unchanged"
    interval = f" ({_interval_text(overall)})" if overall.interval else ""
    name, clips = _capitalised(overall.quantity.name), counted(overall.clips, "clip")
    return f"**{name}{kernels}: {overall.word}**, {change}{interval} over {clips}: {by_clip}."


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _quality_sentence(changes: Sequence[Change]) -> str:
    differences, streams = [change.ratio for change in changes], counted(len(changes), "stream")
    if not any(differences):
        return f"**PSNR of luma: same** over {streams}."
    return f"**PSNR of luma: {min(differences):+.2f} to {max(differences):+.2f} dB** over {streams}."


def _figure(overall: Overall, several: bool) -> KeyFigure:
    detail = f"{overall.word}; {_interval_text(overall)}" if overall.interval else overall.word
    title = f"{overall.quantity.name}, {overall.kernels}" if several else overall.quantity.name
    return KeyFigure(title, units.percent(overall.ratio - 1, signed=True), detail, _tone(overall.word))


def _tone(word: str) -> Tone:
    if word in (UNCLEAR, "same"):
        return "quiet"
    return "good" if word in _BETTER else "bad"


def _interval_text(change: Change | Overall) -> str:
    if change.interval is None:
        return MISSING
    ends = (percent_number(end - 1, signed=True) for end in (change.interval.low, change.interval.high))
    return " to ".join(ends) + " %"


def _quantity(found: Comparison, quantity: Quantity, new: Findings) -> list[Block]:
    changes = found.of(quantity)
    labels = [new.label(change.subject) for change in changes]
    blocks: list[Block] = []
    if quantity is TIME and any(change.interval for change in changes):
        svg = pictures.ratios_picture(changes, labels, MARGIN)
        band = units.percent(MARGIN)
        caption = f"New against old time with its 95 % interval; within the band of {band} a change counts as none."
        blocks.append(Picture("comparison-time", svg, "Change of the time per frame by clip", caption))
    return [*blocks, _changes_table(quantity, changes, labels)]


def _changes_table(quantity: Quantity, changes: Sequence[Change], labels: Sequence[str]) -> Table:
    unit, before, after = _printed(quantity, changes)
    in_unit = f", {unit}" if unit else ""
    columns = [words("clip"), Column(f"old{in_unit}"), Column(f"new{in_unit}")]
    columns += [Column("difference, dB")] if quantity is PSNR else [Column("change, %")]
    columns += [Column("95 % interval"), Column("n old, new")] if quantity.varies else []
    rows = []
    for change, label, old, new in zip(changes, labels, before, after, strict=True):
        amount = f"{change.ratio:+.2f}" if quantity is PSNR else percent_number(change.ratio - 1, signed=True)
        spread = (_interval_text(change), f"{len(change.old)}, {len(change.new)}") if quantity.varies else ()
        rows.append((label, old, new, amount, *spread, Cell(change.word, tone=_tone(change.word))))
    return Table((*columns, words("")), tuple(rows))


def _printed(quantity: Quantity, changes: Sequence[Change]) -> tuple[str, list[str], list[str]]:
    values = [median(change.old) for change in changes] + [median(change.new) for change in changes]
    if quantity.unit == "s":
        unit, printed = seconds_column(values)
    elif quantity.unit == "bytes":
        unit, printed = bytes_column(values)
    else:
        unit = quantity.unit if quantity.unit != "count" else "per frame"
        printed = [number(value, 2 if quantity is PSNR else 1) for value in values]
    return unit, printed[: len(changes)], printed[len(changes) :]


def _unknown(found: Comparison) -> list[Block]:
    said = []
    for side, subjects in (("old", found.only_old), ("new", found.only_new)):
        if subjects:
            names = ", ".join(f"{one.clip} ({one.kernels})" if one.kernels else one.clip for one in subjects)
            said.append(f"Only in the {side} run, not compared: {names}.")
    said.append(
        "The runs were measured one after the other. Their intervals hold the noise of the repetitions, not the drift "
        f"of the machine between the runs: time or memory counts as changed only beyond {units.percent(MARGIN)}."
    )
    if found.of(BYTES) and not found.of(PSNR):
        said.append("Bytes were compared without quality: fewer bytes may be a worse picture.")
    return [Text("What this comparison cannot tell:"), Bullets(tuple(said))]
