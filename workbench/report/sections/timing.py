"""How long encodes take, sample by sample, and which stage of the encoder takes it."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.stages import ClipStages
from workbench.analysis.times import ClipTime, warm_up_s
from workbench.record import Record
from workbench.report import pictures, wording
from workbench.report.columns import MISSING, number, percent_number, scale_of, seconds_column
from workbench.report.document import Block, Cell, Column, Details, Note, Picture, Table, Text
from workbench.report.sections.common import not_measured, warnings_of, words


def times_blocks(found: Findings) -> list[Block]:
    """Time per frame by clip: every sample, the figures, the warnings."""
    if not found.times:
        return not_measured(found, "Times")
    labels = [found.label(clip.subject) for clip in found.times]
    caption = (
        "Every repetition is a dot, the stroke is the median, the band its 95 % bootstrap interval, a red ring an "
        "outlier (modified z-score above 3.5)."
    )
    svg = pictures.times_picture(found.times, labels)
    return [
        Text(
            "Whole encodes, each a process of its own: the clip, and 8x8 samples of it, in random order. The difference is the "
            "time of a whole video, key frames and all, by its frames; what is left is start-up. A clip that is too short for "
            "this goes forwards and backwards until it is long enough."
        ),
        Picture("times", svg, "Time per frame of every repetition, by clip", caption),
        _times_table(found.times, labels),
        Note(
            "Spread is the robust standard deviation (1.4826 MAD) over the median; n is the number of repetitions, "
            "of 5 or fewer the interval is their range.",
            "quiet",
        ),
        *_warm_up(found),
        *warnings_of(found, "wall", "time_per_frame"),
        *_whole_encodes(found),
    ]


def _times_table(timed: list[ClipTime], labels: list[str]) -> Table:
    unit, medians = seconds_column([clip.per_frame_s for clip in timed])
    start_unit, starts = seconds_column([clip.start_up_s for clip in timed])
    longest = max(clip.per_frame_s for clip in timed)
    columns = (
        words("clip"),
        words("size"),
        Column("frames"),
        Column(f"time per frame, {unit}"),
        Column("95 % interval"),
        Column("spread, %"),
        Column("frames/s"),
        Column(f"start-up, {start_unit}"),
        Column("n"),
    )
    rows = tuple(
        (
            label,
            f"{clip.width}x{clip.height}" if clip.width else MISSING,
            str(clip.lengths[-1]) if clip.lengths else MISSING,
            Cell(middle, share=clip.per_frame_s / longest if clip.per_frame_s > 0 else None),
            _interval(clip, scale_of(unit), len(middle.partition(".")[2])),
            Cell(percent_number(clip.relative_spread), tone="warn" if wording.is_noisy(clip) else ""),
            units.with_unit(clip.frames_per_s, "") if clip.frames_per_s else MISSING,
            start,
            str(len(clip.samples)),
        )
        for clip, label, middle, start in zip(timed, labels, medians, starts, strict=True)
    )
    return Table(columns, rows)


def _interval(clip: ClipTime, scale: float, decimals: int) -> str:
    ends = clip.interval
    return f"{number(ends.low / scale, decimals)} to {number(ends.high / scale, decimals)}" if ends else MISSING


def _warm_up(found: Findings) -> list[Block]:
    """What went before and is in no figure."""
    spent = [f"{kernels} {units.seconds(seconds)}" for kernels, seconds in warm_up_s(found.run).items()]
    text = f"Compiling, or loading what is compiled, went before and is in no figure here: {', '.join(spent)}."
    return [Note(text, "quiet")] if spent else []


def _whole_encodes(found: Findings) -> list[Block]:
    """The raw samples: whole processes, of clips and of next to nothing."""
    processor = {_place(record): record.values for record in found.run.select(metric="cpu")}
    rows = tuple(
        (
            str(record.subject.get("clip", "")),
            str(record.subject.get("kernels", "")),
            f"{record.subject.get('width', MISSING)}x{record.subject.get('height', MISSING)}",
            str(record.subject.get("frames", MISSING)),
            number(_busy(record, processor.get(_place(record), ())), 2),
            "  ".join(f"{value:.3f}" for value in record.values),
        )
        for record in found.run.select(metric="wall")
    )
    if not rows:
        return []
    columns = (
        words("clip"),
        words("set"),
        words("size"),
        Column("frames"),
        Column("CPU / wall"),
        words("wall seconds, as taken"),
    )
    return [Details("Raw samples: every whole encode", (Table(columns, rows),))]


def _place(record: Record) -> tuple[object, ...]:
    return tuple(record.subject.get(key) for key in ("clip", "kernels", "width", "frames", "tiles", "threads"))


def _busy(wall: Record, cpu: tuple[float, ...]) -> float | None:
    return sum(cpu) / sum(wall.values) if sum(wall.values) and cpu else None


def stages_blocks(found: Findings) -> list[Block]:
    """Share of each stage by clip, and time of each tile."""
    if not found.stages:
        return not_measured(found, "Stages")
    single = [clip for clip in found.stages if clip.tile_count == 1] or found.stages
    labels = [found.label(clip.subject) for clip in single]
    return [
        Text("From spans inside the compiled code, in an encode of its own for each clip."),
        Picture("stages", pictures.stages_picture(single, labels), "Share of each stage by clip"),
        _stages_table(single, labels),
        *warnings_of(found, "stage_s"),
        *_tile_blocks(found),
    ]


def _stages_table(traced: list[ClipStages], labels: list[str]) -> Table:
    names = pictures.stage_order(name for clip in traced for name in clip.stages)
    columns = (words("clip"), *(Column(name) for name in names), Column("all in tiles"))
    rows = tuple(
        (
            label,
            *(percent_number(clip.share(name)) for name in names),
            percent_number(clip.parallel_share),
        )
        for clip, label in zip(traced, labels, strict=True)
    )
    return Table(columns, rows, "Share of the time, %")


def _tile_blocks(found: Findings) -> list[Block]:
    several = [clip for clip in found.stages if len(clip.tiles) > 1]
    if not several:
        return []
    worst = max(several, key=lambda clip: clip.imbalance or 0.0)
    rows = tuple(
        (found.label(clip.subject), str(len(clip.tiles)), number(clip.imbalance, 2), _at_most(clip)) for clip in several
    )
    columns = (
        words("clip"),
        Column("tiles"),
        Column("slowest tile / mean tile"),
        Column("tiles can be faster by at most"),
    )
    name = f"{found.label(worst.subject)}, {len(worst.tiles)} tiles"
    caption = f"{name}: the most uneven of the encodes below; the broken line is the mean tile."
    return [
        Picture("tile-stages", pictures.tile_stages_picture(worst), "Time of each tile by stage", caption),
        Table(columns, rows),
    ]


def _at_most(clip: ClipStages) -> str:
    return f"{len(clip.tiles) / clip.imbalance:.2f}x" if clip.imbalance else MISSING
