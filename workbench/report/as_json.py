"""The figures of a run for scripts: schema 1. Keys are added, never renamed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.analysis.amdahl import Fit
from workbench.analysis.compare_runs import Comparison
from workbench.analysis.findings import Findings, findings
from workbench.analysis.frames import Kind
from workbench.analysis.hotspots import Hot
from workbench.analysis.memory_sides import Side
from workbench.analysis.subjects import subject_in
from workbench.analysis.tiles import TileRow
from workbench.record import Run
from workbench.report.document import REPORT_NAME
from workbench.report.flame import FLAME_NAME
from workbench.report.sections.hot import hottest_kernel
from workbench.report.timeline import CHROME_NAME, PAGE_NAME, SPEEDSCOPE_NAME
from workbench.report.timeline_text import as_json as timeline_json
from workbench.stats import Interval, median

SCHEMA = 1


def summary_json(run: Run) -> dict[str, Any]:
    """A run's figures as `--json` writes them; what was not measured is null."""
    found = findings(run)
    times = {clip.subject: clip for clip in found.times}
    memory = {clip.subject: clip for clip in found.memory}
    outputs = {clip.subject: clip for clip in found.outputs}
    frames = {clip.subject: clip.kinds for clip in found.frames}
    sides = {subject_in(side.subject): side for side in found.memory_sides}
    clips = []
    for subject in found.encoded:
        output, timed, remembered = outputs.get(subject), times.get(subject), memory.get(subject)
        clips.append(
            {
                "name": subject.clip,
                "kernels": subject.kernels,
                "frames": output.frames if output else None,
                "bytes": int(output.stream_bytes) if output and output.stream_bytes is not None else None,
                "decodes": output.decodes if output else None,
                "psnr_y_db": output.psnr_y if output else None,
                "timed_frames": timed.lengths[-1] if timed and timed.lengths else None,
                "time_per_frame_s": timed.per_frame_s if timed else None,
                "time_per_frame_interval_s": _ends(timed.interval) if timed else None,
                "frames_per_s": timed.frames_per_s if timed else None,
                "start_up_s": timed.start_up_s if timed else None,
                "max_rss_bytes": int(max(remembered.max_rss_bytes))
                if remembered and remembered.max_rss_bytes
                else None,
                "allocations_per_frame": remembered.allocations_per_frame if remembered else None,
                "alive": _alive_json(sides.get(subject)),
                "frame_kinds": [_kind_json(kind) for kind in frames.get(subject, ())],
            }
        )
    return {
        "schema": SCHEMA,
        "status": (found.run.end or {}).get("status", "killed"),
        "clips": clips,
        "top_functions": _functions_json(found),
        "hottest_kernel": _kernel_json(found),
        "flame": str(run.folder / FLAME_NAME) if found.profiles else None,
        "timeline": _timeline_json(found),
        "tiles": [_tile_json(row) for row in found.tile_rows if row.speedup is not None],
        "amdahl": _law_json(found.law),
        "report": str(run.folder / REPORT_NAME),
    }


def _kind_json(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "frames": kind.frames,
        "hidden": kind.hidden,
        "bytes": kind.stream_bytes,
        "time_s": kind.wall_s,
        "bits": dict(kind.bits),
    }


def _functions_json(found: Findings) -> list[dict[str, Any]]:
    top: Sequence[Hot] = found.profiles[0].top if found.profiles else ()
    return [{"name": hot.name, "share": hot.share} for hot in top]


def _kernel_json(found: Findings) -> dict[str, Any] | None:
    """The hottest kernel of the main set line by line; shares are of all samples."""
    kernel = hottest_kernel(found.profiles[0]) if found.profiles else None
    if kernel is None:
        return None
    lines = [
        {"line": line, "self": time.own / kernel.samples, "total": time.total / kernel.samples}
        for line, time in sorted(kernel.times.items())
    ]
    shares = {"self": kernel.own / kernel.samples, "total": kernel.total / kernel.samples}
    return {"name": kernel.text.label, "path": kernel.text.path, **shares, "lines": lines}


def _timeline_json(found: Findings) -> dict[str, Any] | None:
    if found.timeline is None:
        return None
    names = {"page": PAGE_NAME, "chrome": CHROME_NAME, "speedscope": SPEEDSCOPE_NAME}
    return timeline_json(found.timeline, {what: str(found.run.folder / name) for what, name in names.items()})


def _alive_json(side: Side | None) -> dict[str, Any] | None:
    """What is alive at most over the steady state, and what compiled code allocates; null where it was not counted."""
    if side is None or side.steady is None:
        return None
    compiled = side.compiled
    return {
        "peak_blocks": side.steady.peak_count,
        "peak_bytes": side.steady.peak_bytes,
        "temporary": side.steady.temporary,
        "allocations_in_compiled_code_per_frame": compiled.count / compiled.frames
        if compiled and compiled.frames
        else None,
    }


def _tile_json(row: TileRow) -> dict[str, Any]:
    return {
        "clip": row.subject.clip,
        "tiles": row.tiles,
        "threads": row.threads,
        "speedup": row.speedup,
        "interval": _ends(row.interval),
        "bytes_change": row.bytes_change,
    }


def _law_json(law: Fit | None) -> dict[str, Any] | None:
    if law is None:
        return None
    return {
        "p": law.p,
        "interval": _ends(law.interval),
        "predicted": {str(one.workers): one.speedup for one in law.predictions},
        "predicted_intervals": {str(one.workers): _ends(one.interval) for one in law.predictions},
        "limitations": list(law.limitations),
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval is not None else None


def comparison_json(found: Comparison, page: Path) -> dict[str, Any]:
    """A comparison as `--json` writes it; `ratio` is new over old, for PSNR the difference in dB."""
    changes = [
        {
            "clip": change.subject.clip,
            "kernels": change.subject.kernels,
            "quantity": change.quantity.name,
            "unit": change.quantity.unit,
            "old": median(change.old),
            "new": median(change.new),
            "ratio": change.ratio,
            "interval": _ends(change.interval),
            "verdict": change.word,
        }
        for change in found.changes
    ]
    overall = [
        {
            "kernels": one.kernels,
            "quantity": one.quantity.name,
            "clips": one.clips,
            "ratio": one.ratio,
            "interval": _ends(one.interval),
            "verdict": one.word,
        }
        for one in found.overall
    ]
    only = {"old": found.only_old, "new": found.only_new}
    return {
        "schema": SCHEMA,
        "changes": changes,
        "overall": overall,
        "only_in": {
            side: [{"clip": one.clip, "kernels": one.kernels} for one in subjects] for side, subjects in only.items()
        },
        "warnings": list(found.warnings),
        "report": str(page),
    }
