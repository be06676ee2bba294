"""Frames in, packets out."""

import time
from functools import partial

from encoder import timeline
from encoder.kernels.set_numba import busy
from encoder.tile import walk as walks

ROUNDS, CALLS = 20_000, 5
KEPT = []  # what each frame allocates, for memray


def compiled_walk():
    """The walk as numba compiles it, with a typed pointer to the compiled kernel: an inlined kernel has no symbol."""
    from numba import njit, types

    signature = types.int64(types.int64)
    kernel = njit(signature, nogil=True)(busy.churn)
    walk = njit(types.int64(types.FunctionType(signature), types.int64, types.int64), nogil=True)(walks.walk)
    return partial(walk, kernel)


def encode(pictures, config):
    """One packet for each picture: its index, after a frame's worth of work."""
    compiled = config.kernels == "numba"
    walk = compiled_walk() if compiled else partial(walks.walk, busy.churn)
    walk(1, 1)
    calls = CALLS * (100 if compiled else 1) // config.threads
    for index, _ in enumerate(pictures):
        began, began_ns = time.perf_counter(), time.monotonic_ns()
        timeline.add("in", began_ns, began_ns, index)
        walk(ROUNDS, calls)
        if config.threads > 64:
            raise ValueError("never reached in the tests")
        KEPT.append(bytearray(50_000))
        now_ns = time.monotonic_ns()
        for name in ("tile", "frame"):
            timeline.add(name, began_ns, now_ns, index)
        timeline.add("out", now_ns, now_ns, index)
        yield index, time.perf_counter() - began
