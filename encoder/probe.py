"""Spans that compiled code writes: a tile adds the ticks of each stage to its own row of counters, free when off.

`clock()` is the machine's time stamp counter in compiled code and the monotonic clock in the interpreter; `ticks_per_second`
converts either. Spans are wall time: a preempted thread's span grows.
"""

from __future__ import annotations

import time
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

DECISION, RECONSTRUCTION, ENTROPY = range(3)
STAGES = ("decision", "reconstruction", "entropy")


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
