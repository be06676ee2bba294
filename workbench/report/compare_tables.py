"""A comparison as a table: Markdown for a pull request, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from workbench import units
from workbench.analysis.compared import Compared, Part
from workbench.analysis.verdict import Verdict, Word
from workbench.report.compare_beside import BESIDE_COLUMNS, cell_of
from workbench.report.compare_text import NO_VERDICT, as_json, summary_lines
from workbench.report.document import Block, Cell, Code, Column, Details, Note, Row, Table, Text, Tone
from workbench.report.markdown import block_texts

MARKER = "<!-- workbench compare -->"
"""First line of the Markdown, not shown: a bot finds by it the comment that it is to update."""

UNFIT = "the instrument is not fit today, believe none of these verdicts"
_TONES: dict[Word, Tone] = {Word.FASTER: "good", Word.SLOWER: "bad"}
_COLUMNS = (
    Column("", number=False),
    Column("B is", number=False),
    Column("Time"),
    Column("95 % interval"),
    Column("Pairs"),
    Column("Disturbed"),
    Column("Spread of pairs"),
    Column("Memory"),
    Column("Bytes"),
    Column("Streams", number=False),
)
CSV_COLUMNS = (
    "kind", "name", "a", "b", "verdict", "ratio", "low", "high", "always_low", "always_high", "pairs", "disturbed", "run_again",
    "spread", "margin", "alpha", "e_value", "within_margin", "metric", "seconds", "outputs_identical", "memory_ratio",
    "bytes_ratio", "fit", "aa_verdict", "aa_ratio", "planted_verdict", "planted_ratio", "planted_factor", "psnr_y_delta", "bd_rate",
    "allocations_ratio", "instructions_ratio", "instructions_verdict", "predicted_gain_low", "predicted_gain_high", "predicted_hit",
)  # fmt: skip


def markdown_text(result: Compared) -> str:
    """A comment for a pull request: the verdict, a table of the parts, and the screen folded away."""
    blocks: list[Block] = [Text(f"A is {_code(result.title_a)}, B is {_code(result.title_b)}")]
    if result.is_fit is False:
        reasons = (
            f"{part.name}: {why}" for part in result.parts if part.fitness.fit is False for why in part.fitness.why
        )
        blocks += [Note(f"{UNFIT}: {'; '.join(reasons)}")]
    if result.failure:
        blocks += [Note(result.failure.message)]
    if result.interrupted:
        blocks += [Note("interrupted: these are the pairs so far")]
    blocks += [Note(warning) for warning in result.warnings]
    if result.parts:
        more = [column for column in BESIDE_COLUMNS if any(cell_of(column, part) for part in result.parts)]
        blocks += [Table((*_COLUMNS, *map(Column, more)), _rows(result, more))]
    blocks += [Details("All of it", (Code(tuple(summary_lines(result))),))]
    return "\n\n".join([MARKER, f"### workbench compare: {_headline(result)}", *block_texts(blocks)]) + "\n"


def _headline(result: Compared) -> str:
    if result.failure:
        return f"{NO_VERDICT}, exit status {result.failure.status}"
    if result.is_fit is False:
        return "not fit to tell"
    main = result.main
    return str(main.word) if main.ratio is None else f"{main.word}, {change(main.ratio)} time"


def _code(text: str) -> str:
    """Text as code, where it holds no sign that would end it."""
    return f"`{text}`" if "`" not in text else text


def _rows(result: Compared, more: Sequence[str]) -> tuple[Row, ...]:
    """A row a part; `more`: columns of what stands beside the time."""
    rows = [
        (
            *_row(f"{part.kind} {part.name}", result.word(part), part.verdict, part),
            *(cell_of(column, part) for column in more),
        )
        for part in result.parts
    ]
    if result.overall is not None and len(result.clips) > 1:
        rows.insert(0, (*_row("all clips", result.main.word, result.main), *("" for _ in more)))
    return tuple(rows)


def _row(name: str, word: Word, verdict: Verdict, part: Part | None = None) -> Row:
    figures = (
        name,
        Cell(str(word), tone=_TONES.get(word, "")),
        change(verdict.ratio),
        interval(verdict),
        str(verdict.pairs),
    )
    spread = units.percent(verdict.spread) if verdict.spread is not None else ""
    if part is None:
        return (*figures, "", spread, "", "", "")
    again, disturbed, _ = part.disturbed
    noisy = f"{disturbed}, {again} run again" if again else str(disturbed)
    streams = {None: "", True: "the same", False: "differ"}[part.outputs_identical]
    return (*figures, noisy, spread, change(part.ratio_of("max_rss_bytes")), change(part.ratio_of("bytes")), streams)


def change(ratio: float | None) -> str:
    """A ratio of B to A as a change: `+1.2 %`, `3.10x`; nothing where it is not known."""
    if ratio is None:
        return ""
    return units.percent(ratio - 1, signed=True) if ratio < 2 else units.times(ratio)


def interval(verdict: Verdict) -> str:
    """`+0.9 % to +1.6 %`; nothing of too few pairs."""
    if verdict.low is None or verdict.high is None:
        return ""
    return f"{change(verdict.low)} to {change(verdict.high)}"


def csv_text(result: Compared) -> str:
    """A row a part, kernels first. Ratios are of B to A, low and high the ends of the 95 % interval, seconds those of measuring."""
    shown = as_json(result, {})
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for kind, parts in (("kernel", shown["kernels"]), ("encode", shown["clips"])):
        for part in parts:
            writer.writerow({"kind": kind, "a": result.title_a, "b": result.title_b} | part | _flat(part))
    return text.getvalue()


def _flat(part: dict[str, Any]) -> dict[str, Any]:
    """What is nested in a part's JSON, by its columns."""
    low, high = part["interval"]
    always_low, always_high = part["always_valid_interval"]
    controls = {
        f"{name}_{field}": (part["controls"][name] or {}).get(field)
        for name in ("aa", "planted")
        for field in ("verdict", "ratio")
    }
    gains = part["predicted_gain"] or (None, None)
    beside = {
        "instructions_verdict": (part["instructions"] or {}).get("verdict"),
        "predicted_gain_low": gains[0],
        "predicted_gain_high": gains[1],
        "predicted_hit": (part["prediction"] or {}).get("hit"),
    }
    ends = {"low": low, "high": high, "always_low": always_low, "always_high": always_high}
    return ends | controls | beside | {"planted_factor": part["controls"]["factor"]}
