"""What tiles and threads bring, what they cost in bytes, and what Amdahl's law expects of more workers."""

from __future__ import annotations

from workbench import units
from workbench.analysis.amdahl import Fit
from workbench.analysis.findings import Findings
from workbench.analysis.stages import serial_stages
from workbench.analysis.tiles import cost_by_tiles, point_label
from workbench.report import pictures, wording
from workbench.report.columns import MISSING, number, percent_number
from workbench.report.document import Block, Bullets, Cell, Column, Details, Note, Picture, Row, Table, Text
from workbench.report.sections.common import counted, not_measured, warnings_of, words

_SHOWN_ROWS = 16


def tiles_blocks(found: Findings) -> list[Block]:
    """The law, its predictions and limits, the serial stages, and every measured combination."""
    if not found.tile_rows:
        return not_measured(found, "Tiles and threads")
    no_law = Note("No encode ran with two or more workers on as many cores: Amdahl's law cannot be fitted.")
    law: list[Block] = _law_blocks(found, found.law) if found.law is not None else [no_law]
    return [*law, *_serial_blocks(found), *_measured_blocks(found), *warnings_of(found, "tiles_wall")]


def _law_blocks(found: Findings, law: Fit) -> list[Block]:
    ceiling = f"endless workers would be {law.ceiling:.1f}x faster" if law.p < 1 else "no bound is seen"
    if wording.is_wide(law):
        ceiling = "too uncertain to expect anything of more workers"
    interval = f"95 % interval {wording.interval_text(law.interval, 3)}" if law.interval else "no interval"
    points = counted(len(law.points), "measured point")
    blocks: list[Block] = [
        Text(f"Amdahl's law over {points}: **parallel share p = {law.p:.3f}**, {interval}; {ceiling}."),
        Picture("speed-up", pictures.speedup_picture(law, found.cores), "Measured speed-ups against Amdahl's law"),
        _predictions_table(law),
    ]
    if law.limitations:
        blocks.append(Bullets(tuple(f"Limit: {said}." for said in law.limitations)))
    return [*blocks, _off_law_table(law)] if law.off_law else blocks


def _predictions_table(law: Fit) -> Table:
    columns = (Column("workers"), Column("speed-up of the law"), Column("95 % interval"), words(""))
    rows = tuple(
        (
            str(one.workers),
            f"{one.speedup:.2f}x",
            f"{one.interval.low:.2f}x to {one.interval.high:.2f}x" if one.interval else MISSING,
            "measured" if one.measured else Cell("extrapolated", tone="quiet"),
        )
        for one in law.predictions
    )
    return Table(columns, rows)


def _off_law_table(law: Fit) -> Table:
    columns = (words("point off the law"), Column("measured"), Column("law of the others"), words("perhaps because"))
    rows = tuple((one.point.label, f"{one.point.speedup:.2f}x", f"{one.expected:.2f}x", one.why) for one in law.off_law)
    return Table(columns, rows)


def _serial_blocks(found: Findings) -> list[Block]:
    said = []
    serial = serial_stages(found.stages)
    if serial:
        named = ", ".join(f"{stage} {units.percent(share)}" for stage, share in serial if share >= 0.0005)
        together = units.percent(sum(share for _, share in serial))
        said.append(f"Stages outside the tiles by the spans, as shares of the work: {named}; {together} together.")
    if len(found.law_by_clip) > 1:
        said.append(
            "p of each clip alone: " + ", ".join(f"{clip} {law.p:.3f}" for clip, law in found.law_by_clip.items()) + "."
        )
    return [Bullets(tuple(said))] if said else []


def _measured_blocks(found: Findings) -> list[Block]:
    costs = [_cost(*cost) for cost in cost_by_tiles(found.tile_rows)]
    said = [Text(f"What tiles cost in bytes: {'; '.join(costs)}.")] if costs else []
    table = _measured_table(found)
    folded = Details(f"All {len(table.rows)} combinations of tiles and threads", (table,))
    return [*said, folded if len(table.rows) > _SHOWN_ROWS else table]


def _cost(tiles: int, middle: float, most: float, clips: int) -> str:
    text = f"{tiles} tiles {units.percent(middle, signed=True)}"
    return f"{text} (at most {units.percent(most, signed=True)} of {clips} clips)" if clips > 1 else text


def _measured_table(found: Findings) -> Table:
    off = {one.point.label for one in found.law.off_law} if found.law else set()
    rows: list[Row] = []
    for row in found.tile_rows:
        label = found.label(row.subject)
        if not row.possible:
            rows.append((label, str(row.requested), *[MISSING] * 5, Cell("picture too small", tone="quiet")))
            continue
        rows.append(
            (
                label,
                str(row.tiles),
                str(row.threads),
                f"{row.speedup:.2f}x" if row.speedup else MISSING,
                wording.interval_text(row.interval) if row.interval else MISSING,
                percent_number(row.bytes_change, 2, signed=True) if row.tiles > 1 else MISSING,
                number(row.imbalance, 2),
                Cell("off the law", tone="warn") if point_label(row) in off else "",
            )
        )
    columns = (
        words("clip"),
        Column("tiles"),
        Column("threads"),
        Column("speed-up"),
        Column("95 % interval"),
        Column("bytes, %"),
        Column("slowest / mean tile"),
        words(""),
    )
    return Table(columns, tuple(rows), "Against the same clip with one tile on one thread")
