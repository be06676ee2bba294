"""Where bits and time go by kind of frame: key frames, and the layers of the pyramid between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.frames import ClipFrames, Kind, added_up
from workbench.report import pictures
from workbench.report.columns import number, percent_number, seconds_column
from workbench.report.document import Block, Cell, Column, Details, Picture, Row, Table, Text
from workbench.report.sections.common import not_measured, words

_LEAST_SHARE = 0.005  # a prediction mode that no kind of frame uses more is left out


def frames_blocks(found: Findings) -> list[Block]:
    """Bits and time by type and layer, what the bits say, and what the blocks are; then clip by clip."""
    measured = [clip for clip in found.frames if clip.kinds]
    if not measured:
        return not_measured(found, "Kinds of frame")
    labels = [found.label(clip.subject) for clip in measured]
    kinds = added_up(measured)
    intro = Text(
        "Frames by type and by layer of the pyramid: layer 0 are the bases, on which all others depend, the highest layer the "
        "leaves, on which none does. A hidden frame is coded before it is its turn to be shown."
    )
    return [
        intro,
        Picture("frames", pictures.frames_picture(measured, labels), "Bytes and time by kind of frame, by clip"),
        _kinds_table(kinds),
        _shares_table("Bits by class of syntax, %", kinds, lambda kind: kind.bits),
        *_blocks_details(kinds),
        Details("Kinds of frame of each clip", (_clips_table(measured, labels),)),
    ]


def _kinds_table(kinds: Sequence[Kind]) -> Table:
    unit, times = seconds_column([kind.seconds_per_sample for kind in kinds])
    total_bytes, total_s = sum(kind.stream_bytes for kind in kinds), sum(kind.wall_s for kind in kinds)
    columns = (
        words("kind of frame"),
        Column("frames"),
        Column("hidden"),
        Column("bits per pixel"),
        Column("bytes, %"),
        Column(f"time per pixel, {unit}"),
        Column("time, %"),
        Column("quantizer"),
        Column("PSNR of luma, dB"),
    )
    rows = tuple(
        (
            kind.name,
            units.count(kind.frames),
            units.count(kind.hidden),
            number(kind.bits_per_sample, 3),
            _bar(kind.stream_bytes, total_bytes),
            spent,
            _bar(kind.wall_s, total_s),
            number(kind.quantizer, 0),
            number(kind.psnr_y, 2),
        )
        for kind, spent in zip(kinds, times, strict=True)
    )
    return Table(columns, rows, "All clips together")


def _bar(part: float, whole: float) -> Cell:
    share = part / whole if whole else 0.0
    return Cell(percent_number(share), share=share)


def _shares_table(
    caption: str, kinds: Sequence[Kind], amounts: Callable[[Kind], Mapping[str, float]], least: float = 0.0
) -> Table:
    """A row for each kind, a column for each name among its amounts, their shares in all of them."""
    whole = {kind.name: sum(amounts(kind).values()) or 1.0 for kind in kinds}
    largest: dict[str, float] = {}
    for kind in kinds:
        for name, amount in amounts(kind).items():
            largest[name] = max(largest.get(name, 0.0), amount / whole[kind.name])
    names = [name for name, share in largest.items() if share > least]
    rows: tuple[Row, ...] = tuple(
        (kind.name, *(_bar(amounts(kind).get(name, 0.0), whole[kind.name]) for name in names)) for kind in kinds
    )
    return Table((words("kind of frame"), *(Column(name.replace("_", " ")) for name in names)), rows, caption)


def _blocks_details(kinds: Sequence[Kind]) -> list[Block]:
    """Block sizes and prediction modes, where the encoder tells them."""
    tables = []
    if any(kind.block_sizes for kind in kinds):
        tables.append(_shares_table("Block sizes, % of the picture", kinds, lambda kind: kind.block_sizes))
    if any(kind.modes for kind in kinds):
        caption = "Prediction modes, % of the picture; rare ones are left out"
        tables.append(_shares_table(caption, kinds, lambda kind: kind.modes, _LEAST_SHARE))
    return [Details("Block sizes and prediction modes", tuple(tables))] if tables else []


def _clips_table(measured: Sequence[ClipFrames], labels: Sequence[str]) -> Table:
    every = [kind for clip in measured for kind in clip.kinds]
    unit, times = seconds_column([kind.wall_s / kind.frames for kind in every])
    columns = (
        words("clip"),
        words("kind of frame"),
        Column("frames"),
        Column("bytes per frame"),
        Column("bytes, %"),
        Column(f"time per frame, {unit}"),
        Column("time, %"),
        Column("PSNR of luma, dB"),
    )
    printed = iter(times)
    rows = tuple(
        (
            label,
            kind.name,
            units.count(kind.frames),
            number(kind.stream_bytes / kind.frames, 0),
            _bar(kind.stream_bytes, clip.stream_bytes),
            next(printed),
            _bar(kind.wall_s, clip.wall_s),
            number(kind.psnr_y, 2),
        )
        for clip, label in zip(measured, labels, strict=True)
        for kind in clip.kinds
    )
    return Table(columns, rows)
