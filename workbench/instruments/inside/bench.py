"""Time a kernel on the cases that it is checked on, by pyperf: the mean time of a call over them.

python -m workbench.instruments.inside.bench --kernels SET --slot SLOT --case PATTERN [pyperf's options] -o RESULT.json
A compiled kernel is called as the walk calls it, through the table from a compiled loop. A kernel that writes where it
reads works on what its own last call left.
"""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Callable, Sequence
from typing import Any

import pyperf


def cases_matching(slot: str, pattern: str) -> list[Any]:
    """The cases of a slot whose label fits the pattern."""
    from encoder.kernels.cases import cases_of

    return [case for case in cases_of(slot) if fnmatch.fnmatch(case.label, pattern)]


def caller(slot: str, arguments: int, compiled: bool) -> Callable[..., None]:
    """call(kernels, loops, *arguments): the kernel of a slot, `loops` times."""
    names = ", ".join(f"a{index}" for index in range(arguments))
    source = f"def call(kernels, loops, {names}):\n    for _ in range(loops):\n        kernels.{slot}({names})\n"
    scope: dict[str, Any] = {}
    exec(source, scope)  # one loop for each number of arguments: a star would cost more than a small kernel
    call: Callable[..., None] = scope["call"]
    if not compiled:
        return call
    from numba import njit

    jitted: Callable[..., None] = njit(nogil=True)(call)
    return jitted


def timer(kernels: str, cases: Sequence[Any]) -> Callable[[int], float]:
    """seconds(loops): every case of a slot `loops` times."""
    from encoder.kernels.load import load_kernels

    loaded = load_kernels(kernels)
    call = caller(cases[0].slot, len(cases[0].arguments), compiled=not loaded.interpreted)
    call(loaded.kernels, 1, *cases[0].fresh_arguments())  # compiles the loop

    def seconds(loops: int) -> float:
        total = 0.0
        for case in cases:
            arguments = case.fresh_arguments()
            began = time.perf_counter()
            call(loaded.kernels, loops, *arguments)
            total += time.perf_counter() - began
        return total

    return seconds


def pass_on(command: list[str], options: argparse.Namespace) -> None:
    """pyperf starts its workers with this command line; ours goes along."""
    command += ["--kernels", options.kernels, "--slot", options.slot, "--case", options.case]


def main() -> None:
    """Benchmark the slot of the command line; pyperf runs this again in each of its workers."""
    runner = pyperf.Runner(program_args=("-m", "workbench.instruments.inside.bench"), add_cmdline_args=pass_on)
    for name in ("--kernels", "--slot", "--case"):
        runner.argparser.add_argument(name, required=True)
    options = runner.parse_args()
    cases = cases_matching(options.slot, options.case)
    made: list[Callable[[int], float]] = []

    def seconds(loops: int) -> float:
        if not made:  # in a worker only: the process that starts the workers times nothing
            made.append(timer(options.kernels, cases))
        return made[0](loops)

    runner.bench_time_func(options.slot, seconds, inner_loops=len(cases))


if __name__ == "__main__":
    main()
