"""Programs whose memory is known."""

from __future__ import annotations

from pathlib import Path

BLOCK_BYTES = 30_000

STEADY = """
import time
for step in range(80):
    block = bytearray(30_000)
    time.sleep(0.02)
"""

LEAKING = """
import time
kept = []

def remember(step):
    kept.append(bytearray(30_000))  # the planted leak

for step in range(80):
    remember(step)
    block = bytearray(50_000)
    time.sleep(0.02)
"""

# A table of kernels behind function pointers, as the encoder's; one of them allocates at every call.
KERNELS = """
import sys
import numpy as np
from numba import njit, types

signature = types.int64(types.int64)

@njit(signature, nogil=True)
def frugal(n):
    return n + 1

@njit(signature, nogil=True)
def wasteful(n):
    scratch = np.empty(16, np.int64)
    scratch[:] = n
    return scratch.sum()

@njit(types.int64(types.FunctionType(signature), types.FunctionType(signature), types.int64), nogil=True)
def walk(first, second, calls):
    total = 0
    for call in range(calls):
        total += first(call) + second(call)
    return total

walk(frugal, wasteful, int(sys.argv[1]))
"""


def script(folder: Path, text: str, name: str = "program.py") -> Path:
    """A program as a file."""
    path = folder / name
    path.write_text(text)
    return path


def line_of(text: str, part: str) -> int:
    """The number of the line that holds `part`."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)
