"""Time kernels size by size: sets in turns, in one process, called as the walk calls them, through the table from a compiled loop.

python -m workbench.instruments.inside.sizes SETS SLOT... SETS is a JSON list. One JSON line for each slot and size:
{"slot": "sad", "size": "16x16", "samples": 256, "cycle_ns": 0.33, "call_ns": 2.1, "ns": {"simd": 5.2, "numba": 31.0}}
ns is the time of a call, the call included; call_ns that of a call that does nothing.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from workbench.instruments.inside.bench import caller

CASES, ROUNDS = 3, 7
"""Cases of a size that are timed at most; rounds, of which the fastest counts."""
BATCH_S = 1e-3
"""So long a row of calls lasts at least: Python hands over a table in some 25 us."""
CHAIN = 100_000
_WIDE = {"inverse_transform_add": "-(any|large)-", "forward_transform": "-(random|extremes|ramp|high)$"}
"""Blocks whose values may need more than 16 bits on the way, which few of an encode's do."""


def size_of(slot: str, label: str) -> str:
    """What the time of a case depends on, as far as its label tells: sides, and of motion compensation the phases."""
    sides = re.search(r"\d+x\d+", label) or re.match(r"\d+", label)
    size = sides.group() if sides else ""
    if phases := re.search(r"frac(\d+),(\d+)", label):
        size += " " + (("h" if phases[1] != "0" else "") + ("v" if phases[2] != "0" else "") or "copy")
    if edge := re.match(r"(vertical|horizontal)-(\d+)-plane(\d)-(\d+)", label):
        size = f"{edge[4]} {edge[1]} {edge[2]} {'luma' if edge[3] == '0' else 'chroma'}"
    if slot == "inverse_transform_add" and label.endswith("-eob1"):
        size += " flat"
    elif slot in _WIDE and re.search(_WIDE[slot], label):
        size += " wide"
    return size or {"cdef_direction": "8x8", "sad_grid": "64x64"}.get(slot, "")


def samples_of(size: str) -> int:
    """Samples, or coefficients or places, of a size: the product of its numbers in front."""
    return math.prod(int(number) for number in re.findall(r"\d+", size.partition(" ")[0])) or 1


def cycle_ns() -> float:
    """A cycle of the clock that compiled code runs at now: xorshift, of which every step waits for the one before."""
    from numba import njit, uint64

    @njit
    def chain(count: int) -> int:
        x = uint64(88172645463325252)
        for _ in range(count):
            x ^= x << uint64(13)
            x ^= x >> uint64(7)
            x ^= x << uint64(17)
        return int(x)

    return 1e9 * fastest(lambda: chain(CHAIN)) / (6 * CHAIN)


def fastest(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of some rounds."""
    run()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def call_time(call: Callable[..., None], kernels: Any, arguments: list[Any]) -> float:
    """Nanoseconds of a call."""
    call(kernels, 1, *arguments)
    loops = 1
    while True:
        began = time.perf_counter()
        call(kernels, loops, *arguments)
        if time.perf_counter() - began > BATCH_S or loops > 1 << 20:
            return 1e9 * fastest(partial(call, kernels, loops, *arguments)) / loops
        loops *= 4


def replaced(tables: dict[str, Any], slot: str, function: Any) -> Any:
    """A compiled table with another function in a slot."""
    from encoder.kernels.load import load_kernels
    from encoder.kernels.table import SLOTS, Kernels

    table = next((t for t in tables.values() if not t.interpreted), None) or load_kernels("numba")
    return Kernels(**{name: getattr(table.kernels, name) for name in SLOTS} | {slot: function})


def main() -> None:
    """Time the slots of the command line."""
    sets, *slots = sys.argv[1:]
    from numba import njit

    from encoder.kernels.cases import cases_of
    from encoder.kernels.load import load_kernels
    from encoder.kernels.table import SLOTS

    tables = {name: load_kernels(name) for name in json.loads(sets)}
    cycle = cycle_ns()
    for slot in slots:
        groups: dict[str, list[Any]] = {}
        for case in cases_of(slot):
            groups.setdefault(size_of(slot, case.label), []).append(case)
        signature = SLOTS[slot].signature
        calls = {compiled: caller(slot, len(signature.args), compiled) for compiled in (False, True)}
        nothing = njit(signature)(eval(f"lambda {', '.join(f'a{n}' for n in range(len(signature.args)))}: 0"))
        for size, cases in groups.items():
            chosen = cases[:: max(1, len(cases) // CASES)][:CASES]
            nanoseconds = {}
            for name, table in tables.items():
                call = calls[not table.interpreted]
                times = [call_time(call, table.kernels, case.fresh_arguments()) for case in chosen]
                nanoseconds[name] = sum(times) / len(times)
            empty = call_time(calls[True], replaced(tables, slot, nothing), chosen[0].fresh_arguments())
            line = {"slot": slot, "size": size, "samples": samples_of(size), "cycle_ns": cycle}
            print(json.dumps({**line, "call_ns": empty, "ns": nanoseconds}), flush=True)


if __name__ == "__main__":
    main()
