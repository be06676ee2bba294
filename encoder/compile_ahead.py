"""What an encode needs, compiled by two processes at once: the one that encodes, and one that it starts.

The walk of a tile takes nearly as long to compile as all kernels together. So the other process begins with the walk and then
goes through the kernels from the last to the first, while the one that encodes goes from the first on. What one has made, the other
finds in the cache.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from encoder.compiled import compiled, is_in_cache, made_elsewhere
from encoder.kernels.load import STAND_INS, slot_body
from encoder.kernels.table import SLOTS

ALONE = "ENCODER_COMPILE_ALONE"
"""In the environment: one process compiles all, for those who change how."""
_WALK = "encoder.tile.walk"
_ENTRY_POINTS = ("encode_tile", "finish_tile")
_PR_SET_PDEATHSIG = 1


def start(kernels: str) -> None:
    """Begin, where the walk is not in the cache and `kernels` is a compiled set as it stands. It ends by itself."""
    if kernels not in STAND_INS or is_in_cache(_WALK, "encode_tile") or ALONE in os.environ or _processors() < 2:
        return
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); " + (
        f"from encoder.compile_ahead import main; main({kernels!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # what it fails at, we compile and say ourselves
    )
    for name in _ENTRY_POINTS:
        made_elsewhere[_WALK, name] = process.wait


def main(kernels: str) -> None:
    """The other process: compile for a set, and end with the one that has started us."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    from encoder.byref import i64, record_type
    from encoder.kernels.table import Kernels
    from encoder.tile import walk
    from encoder.tile.state import Tile

    records = record_type(Kernels), record_type(Tile)
    compiled(walk, "encode_tile").compile(records)
    compiled(walk, "finish_tile").compile((*records, i64))
    for slot in reversed(SLOTS.values()):
        slot_body(slot, kernels)


def _processors() -> int:
    return len(os.sched_getaffinity(0))
