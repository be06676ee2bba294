"""Spans that compiled code writes: ticks added up by stage (`--probe`), or one by one for a timeline ($ENCODER_TRACE).

A timeline is recorded by a build of its own. $ENCODER_TRACE says how fine it is: `tile` (frames, their stages, tiles: see
timeline.py), `row` (superblock rows too), `block` (superblocks, blocks tried and coded too). From `row` on compiled code writes
spans; it is compiled once more for that (`TRACED` is a constant to numba), into folders of its own, and the normal build carries
none of it. tile/spans.py writes, each tile into its own memory, as one thread at a time works on a tile.

`clock()` is the machine's time stamp counter in compiled code and the monotonic clock in the interpreter; `ticks_per_second`
converts either. Spans are wall time: a preempted thread's span grows.
"""

from __future__ import annotations

import os
import time
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from encoder.errors import ConfigError

DECISION, RECONSTRUCTION, ENTROPY, SUPERBLOCK_ROW, TRIAL = range(5)
STAGES = ("decision", "reconstruction", "entropy")
"""What --probe adds up."""
TILE_SPANS = (*STAGES, "superblock row", "trial")
"""What compiled code leaves in a timeline; a trial is a block that the decision codes to see what it costs."""

DETAILS = ("tile", "row", "block")
TRACE = "ENCODER_TRACE"
DETAIL = os.environ.get(TRACE, "")
if DETAIL and DETAIL not in DETAILS:
    raise ConfigError(f"${TRACE} is {DETAIL!r}, accepted: {', '.join(DETAILS)}, or nothing for no timeline")
TRACED = DETAIL in ("row", "block")
"""Whether compiled code records spans; the interpreter then does, too."""
ROW_DETAIL, BLOCK_DETAIL = DETAILS.index("row"), DETAILS.index("block")

# A tile's memory of spans: ticks by span, then of a timeline its detail, how many it has and how many were lost; then the
# spans, three words each: what and where (see tile/spans.py), first tick, last tick.
DETAIL_AT, COUNT_AT, LOST_AT, SPANS_AT, SPAN_WORDS = 8, 9, 10, 16, 3


def clock():
    """Ticks now (interpreted: nanoseconds)."""
    return time.perf_counter_ns()


@intrinsic
def _read_cycle_counter(_context: Any) -> Any:
    def lower(_target: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", fnty=ir.FunctionType(ir.IntType(64), []))
        return builder.call(counter, [])

    return types.int64(), lower


@overload(clock)
def _compiled_clock() -> Any:
    return lambda: _read_cycle_counter()


def ticks_per_second(interpreted: bool, seconds: float = 0.05) -> float:
    """How fast `clock` runs, measured over `seconds` against the monotonic clock."""
    if interpreted:
        return 1e9
    read = njit(lambda: clock())
    read()
    ticks, began = read(), time.perf_counter()
    time.sleep(seconds)
    return (read() - ticks) / (time.perf_counter() - began)
