"""Compiled code allocates nothing superblock by superblock: numba's own runtime counts."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FRAMES, SUPERBLOCKS = 17, 15

# Prints the allocations of the walk and those of all compiled code.
COUNTED = """
import json, sys
from numba.core.runtime import _nrt_python, rtsys
from encoder.cli import main
from encoder.frame import frame

def count():
    return rtsys.get_allocation_stats().alloc

def counted(function):
    def call(*arguments):
        before = count()
        result = function(*arguments)
        walks.append(count() - before)
        return result
    return call

walks, plain_code = [], frame.plain_code
def plain_code_counted(interpreted):
    code = plain_code(interpreted)
    return code._replace(encode_tile=counted(code.encode_tile), finish_tile=counted(code.finish_tile))

frame.plain_code = plain_code_counted
assert main(sys.argv[1:]) == 0
assert walks and _nrt_python.memsys_stats_enabled()
print(json.dumps([sum(walks), count()]))
"""


@pytest.mark.parametrize("speed", [10, 6, *(pytest.param(speed, marks=pytest.mark.slow) for speed in (8, 4))])
def test_superblocks_allocate_nothing(
    speed: int, make_clip: Callable[..., Path], tmp_path: Path, process_environment: dict[str, str]
) -> None:
    """The walk nothing at all; the filters, whose scratch is that of a call, no more for a larger frame than for a small one."""

    def allocations(width: int, height: int) -> tuple[int, int]:
        clip = make_clip(width, height, FRAMES)
        arguments = [clip, "-o", tmp_path / "out.ivf", "-y", "-q", "--speed", speed, "--threads", 1]
        counted = subprocess.run(
            [sys.executable, "-c", COUNTED, *map(str, arguments)],
            env=process_environment | {"NUMBA_NRT_STATS": "1"}, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        walks, everything = json.loads(counted.stdout.splitlines()[-1])
        return walks, everything

    (small_walks, small), (large_walks, large) = allocations(64, 64), allocations(300, 150)
    assert small_walks == large_walks == 0
    assert small > 0
    assert abs(large - small) < FRAMES * (SUPERBLOCKS - 1) / 2
