"""Which clips were measured and why, and whether what the encoder wrote of them is right."""

from __future__ import annotations

from workbench import units
from workbench.analysis.chosen import Candidate, Never
from workbench.analysis.findings import Findings
from workbench.analysis.outputs import ClipOutput
from workbench.report import pictures
from workbench.report.columns import MISSING, bytes_column, number, seconds_column
from workbench.report.document import Block, Cell, Column, Details, Note, Picture, Table, Text
from workbench.report.sections.common import code, counted, not_measured, words


def selection_blocks(found: Findings) -> list[Block]:
    """What was chosen, what each clip added, what no clip reaches."""
    if not found.candidates:
        return not_measured(found, "Coverage by clip")
    intro = Text(
        "Clips are taken in the order of newly executed lines and branches per second of encoding, until the budget is "
        "spent or nothing new comes."
    )
    chosen = [one for one in found.candidates if one.chosen]
    reachable = found.never.covered_items if found.never else sum(one.new_items or 0 for one in chosen)
    curve: list[Block] = []
    if len(chosen) > 1 and reachable:
        svg = pictures.selection_picture(chosen, reachable)
        curve.append(Picture("selection", svg, "Covered lines and branches against seconds of encoding"))
    return [intro, *curve, _candidates_table(found.candidates), *_never_blocks(found.never)]


def _candidates_table(candidates: list[Candidate]) -> Table:
    most = max(one.covered for one in candidates) or 1
    unit, costs = seconds_column([one.seconds for one in candidates])
    columns = (
        words("clip"),
        Column("chosen"),
        Column("new lines and branches"),
        Column("covers by itself"),
        Column(f"cost, {unit}"),
        Column("new per s"),
    )
    rows = tuple(
        (
            one.clip,
            str(at) if one.chosen else Cell("no", tone="quiet"),
            number(one.new_items, 0),
            Cell(units.count(one.covered), share=one.covered / most),
            cost,
            units.with_unit(one.new_items / one.seconds, "") if one.new_items and one.seconds else MISSING,
        )
        for at, (one, cost) in enumerate(zip(candidates, costs, strict=True), 1)
    )
    return Table(columns, rows)


def _never_blocks(never: Never | None) -> list[Block]:
    if never is None:
        return []
    reach = Text(
        f"All clips together reach {units.percent(never.share)} of {units.count(never.total_items)} lines and branches."
    )
    files = sorted(never.files, key=lambda file: (-never.lines(file), file))
    if not files:
        return [reach]
    rows = tuple((code(file), str(never.lines(file)), _ranges(never, file)) for file in files)
    lines = sum(never.lines(file) for file in files)
    title = f"What no clip reaches: {counted(lines, 'line')} in {counted(len(files), 'file')}"
    return [reach, Details(title, (Table((words("file"), Column("lines"), words("which")), rows),))]


def _ranges(never: Never, file: str) -> str:
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in never.files[file])


def checks_blocks(found: Findings) -> list[Block]:
    """Size and quality of every stream, whether it decodes, and whether the kernel sets agree on its bytes."""
    if not found.outputs and not found.agreements:
        return not_measured(found, "Streams")
    blocks: list[Block] = [_outputs_table(found)] if found.outputs else []
    for clip in found.outputs:
        if clip.decodes is False and clip.message:
            blocks.append(Note(f"{found.label(clip.subject)}: {clip.message}", "bad"))
    for one in found.agreements:
        if not one.agree:
            digests = ", ".join(f"{name} {digest[:12]}" for name, digest in one.digests.items())
            blocks.append(Note(f"{one.clip}: the kernel sets write different bytes; SHA-256 of {digests}", "bad"))
    small = next((one for one in found.agreements if one.width and one.height and one.frames), None)
    if small is not None:
        size = f"{small.width}x{small.height}, {counted(small.frames or 0, 'frame')}"
        blocks.append(
            Note(f"The sets were compared on {size} of each clip, as the interpreted ones are slow.", "quiet")
        )
    return blocks


def _outputs_table(found: Findings) -> Table:
    agreements = {one.clip: one for one in found.agreements}
    pixels = {clip.subject: clip.width * clip.height for clip in found.times if clip.width and clip.height}
    unit, sizes = bytes_column([clip.stream_bytes for clip in found.outputs])
    rows = []
    for clip, size in zip(found.outputs, sizes, strict=True):
        agreement = agreements.get(clip.subject.clip)
        rows.append(
            (
                found.label(clip.subject),
                str(clip.frames or MISSING),
                size,
                number(_bits_per_pixel(clip, pixels.get(clip.subject)), 3),
                number(clip.psnr_y, 2),
                _yes(clip.decodes, ", ".join(filter(None, clip.decoders))),
                _yes(agreement.agree if agreement else None, ", ".join(agreement.digests) if agreement else ""),
            )
        )
    columns = (
        words("clip"),
        Column("frames"),
        Column(f"stream, {unit}"),
        Column("bits per pixel"),
        Column("PSNR of luma, dB"),
        words("decodes"),
        words("sets agree"),
    )
    return Table(columns, tuple(rows))


def _bits_per_pixel(clip: ClipOutput, pixels: int | None) -> float | None:
    samples = (pixels or 0) * (clip.frames or 0)
    return clip.stream_bytes * 8 / samples if clip.stream_bytes is not None and samples else None


def _yes(answer: bool | None, by: str) -> Cell:
    if answer is None:
        return Cell("not checked", tone="quiet")
    return Cell(f"yes, {by}" if by else "yes", tone="good") if answer else Cell("NO", tone="bad")
