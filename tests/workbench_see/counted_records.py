"""Records as the counting instruments write them, made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.record import Record, Run, RunWriter, read_run

SUBJECT = {"clip": "pan", "width": 128, "height": 72, "kernels": "numba"}


def function(
    name: str, kind: str, instructions: Sequence[int], inclusive: int | None = None, calls: int = 10
) -> dict[str, Any]:
    """A function's entry; what is not said of its callees: it has none."""
    whole = instructions[0] if inclusive is None else inclusive
    return {"name": name, "kind": kind, "instructions": list(instructions), "inclusive": whole, "calls": calls}


def instructions(sad: Sequence[int] = (4000, 4000), walk: int = 10_000, **changes: Any) -> Record:
    """A counts record of ten frames: the walk, the kernels sad and satd, the interpreter."""
    functions = [
        function("tile.walk.encode_tile", "compiled", [walk] * len(sad), walk + sad[0] + 3000),
        function("set_numba.sad", "kernel", sad, calls=40),
        function("set_numba.satd", "kernel", [2000] * len(sad), 3000, calls=20),
        function("set_numba.satd_4x4", "compiled", [1000] * len(sad), calls=5),
        function("[libpython3.11.so.1.0] _PyEval_EvalFrameDefault", "library", [50_000] * len(sad)),
    ]
    functions[-1]["inclusive"] = None
    totals = [walk + each + 3000 for each in sad]
    spread = (max(totals) - min(totals)) / totals[0] * 1e6 if len(totals) > 1 else None
    data = {
        "frames": 10,
        "level": "x86-64-v3",
        "valgrind": "3.19.0",
        "functions": functions,
        "slots": {"sad": "set_numba.sad", "satd": "set_numba.satd"},
        "all_instructions": [total + 50_000 for total in totals],
        "spread_ppm": spread,
        "all_spread_ppm": spread,
        "function_spread_ppm": spread,
    }
    values = tuple(map(float, totals))
    return Record(
        "counts", "instructions", "count", SUBJECT, values, data | changes, command=("python", "-m", "encoder")
    )


def calls(sad: Mapping[tuple[int, int], int] | None = None) -> Record:
    """A calls record of ten frames of four superblocks: sad by size, transforms, and one slot that is not split."""
    sad = {(8, 8): 30, (16, 16): 10} if sad is None else sad
    slots = {
        "sad": {"arguments": ["w", "h"], "calls": [[w, h, n] for (w, h), n in sad.items()], "other": 0},
        "mc_put": {
            "arguments": ["w", "h", "filter_x", "filter_y", "frac_x", "frac_y"],
            "calls": [[8, 8, 0, 0, 0, 0, 5], [8, 8, 0, 0, 1, 0, 3], [16, 8, 0, 0, 1, 1, 2]],
            "other": 0,
        },
        "forward_transform": {"arguments": ["tx_size", "tx_type"], "calls": [[0, 0, 4], [2, 0, 1]], "other": 0},
        "sad_grid": {"arguments": [], "calls": [[6]], "other": 0},
        "noise_sum": {"arguments": ["w", "h"], "calls": [[62, 34, 1]], "other": 9},
        "average": {"arguments": ["w", "h"], "calls": [], "other": 0},
    }
    for slot in slots.values():
        slot["origin"] = "numba"
    total = sum(sum(row[-1] for row in slot["calls"]) + slot["other"] for slot in slots.values())
    data = {"frames": 10, "superblocks": 4, "interpreted": False, "slots": slots}
    return Record("calls", "kernel_calls", "count", SUBJECT, (float(total),), data)


def hardware(count: float | None) -> Record:
    """A hardware record; None: the machine counts nothing."""
    events = {"instructions": count, "cycles": None if count is None else count / 2}
    values = () if count is None else (count,)
    warnings = () if count is not None else ("this machine has no hardware counters: is it a virtual one?",)
    data = {"frames": 10, "events": events, "task_clock_s": 1.0}
    return Record("hardware", "hardware_instructions", "count", SUBJECT, values, data, warnings)


def run(folder: Path, *sides: Sequence[Record]) -> Run:
    """A run folder with these records."""
    import dataclasses

    titles = ["before", "after"][: len(sides)]
    writer = RunWriter(folder, "counts", ["pan"], {"cores": 2}, {"titles": titles})
    for at, records in enumerate(sides):
        writer.write(*(dataclasses.replace(record, data={**record.data, "side": at}) for record in records))
    writer.end("complete")
    return read_run(folder)
