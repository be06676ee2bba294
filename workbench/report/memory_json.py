"""The figures of `workbench memory` for scripts: schema 1. Keys are added, never renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.analysis.memory_sides import Leak, Side, Sides, Steady

SCHEMA = 1


def memory_json(found: Sides, gates: dict[str, Any], page: Path | None) -> dict[str, Any]:
    """What was found of each side, the sweep, and the gates; what was not measured is null."""
    return {
        "schema": SCHEMA,
        "sides": [_side(side) for side in found.sides],
        "sweep": {
            "by": found.by or None,
            "rows": [{"label": row.label, "x": row.x, "max_rss_bytes": row.max_bytes} for row in found.sweep],
        },
        "gates": gates,
        "report": str(page) if page else None,
    }


def _side(side: Side) -> dict[str, Any]:
    resident, compiled = side.resident, side.compiled
    return {
        "title": side.title,
        "subject": dict(side.subject),
        "max_rss_bytes": int(resident.max_bytes) if resident else None,
        "resident_samples": [list(sample) for sample in resident.samples] if resident else None,
        "superblocks_per_frame": side.superblocks,
        "allocations_per_frame": side.allocations_per_frame,
        "steady": _steady(side.steady) if side.steady else None,
        "compiled": {
            "frames": compiled.frames,
            "count": compiled.count,
            "bytes": compiled.total_bytes,
            "at_the_border": compiled.at_the_border,
            "functions": [
                {"name": one.where, "count": one.count, "bytes": one.total_bytes, "stack": list(one.stack)}
                for one in compiled.functions
            ],
        }
        if compiled
        else None,
        "leaks": [_leak(leak) for leak in side.leaks] if side.steady and side.steady.is_decided else None,
        "python_objects_rise_per_frame": side.steady.objects_rise if side.steady else None,
        "warnings": list(side.warnings),
    }


def _steady(steady: Steady) -> dict[str, Any]:
    return {
        "frames": steady.frames,
        "warm_up": steady.warm_up,
        "count": steady.count,
        "bytes": steady.total_bytes,
        "temporary": steady.temporary,
        "peak_count": steady.peak_count,
        "peak_bytes": steady.peak_bytes,
        "places": [
            {
                "place": place.where,
                "count": place.count,
                "bytes": place.total_bytes,
                "temporary": place.temporary,
                "live": place.live,
                "live_bytes": place.live_bytes,
                "peak_bytes": place.peak_bytes,
                "stack": list(place.stack),
            }
            for place in steady.places
        ],
        "curve": [list(point) for point in steady.curve],
    }


def _leak(leak: Leak) -> dict[str, Any]:
    rise = leak.rise
    return {
        "place": leak.where,
        "by": leak.by,
        "blocks_per_frame": rise.blocks,
        "bytes_per_frame": rise.size_bytes,
        "stack": list(leak.stack),
    }
