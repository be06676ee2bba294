"""The samples of a comparison in the files of other tools: pyperf's and hyperfine's JSON. Blocks that count, in order of time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from statistics import fmean, stdev
from typing import Any

from workbench.analysis.compared import KERNEL, Compared, Part
from workbench.pairs import BASE, CANDIDATE, Sample
from workbench.stats import median

SIDES = (BASE, CANDIDATE)


def pyperf_text(result: Compared) -> str | None:
    """A suite of pyperf: benchmarks "KIND NAME, A" and "..., B" with the times that were compared, in seconds. None of no
    pairs: pyperf has no empty benchmarks."""
    import pyperf

    benchmarks = [
        pyperf.Benchmark(_pyperf_runs(part, side, result))
        for part in result.parts
        for side in SIDES
        if part.samples(side)
    ]
    if not benchmarks:
        return None
    text = StringIO()
    pyperf.BenchmarkSuite(benchmarks).dump(text)
    return text.getvalue()


def _pyperf_runs(part: Part, side: str, result: Compared) -> list[Any]:
    """A run is a process to pyperf: of an encode each sample is one, of a kernel, whose processes live on, all together are."""
    import pyperf

    samples = part.samples(side)
    groups = [samples] if part.kind == KERNEL else [[sample] for sample in samples]
    about = {"name": f"{part.kind} {part.name}, {side}", "unit": "second", "metric": f"{part.metric} time"}
    about |= {"side": title_of(side, result), "command": command_of(part, side, result)}
    return [
        pyperf.Run(
            [sample.time_s(part.metric) for sample in group], metadata=about | _memory(group), collect_metadata=False
        )
        for group in groups
    ]


def _memory(samples: Sequence[Sample]) -> dict[str, int]:
    known = [sample.max_rss_bytes for sample in samples if sample.max_rss_bytes]
    return {"mem_max_rss": max(known)} if known else {}


def title_of(side: str, result: Compared) -> str:
    """The side as the user named it."""
    return result.title_a if side == BASE else result.title_b


def command_of(part: Part, side: str, result: Compared) -> str:
    """The command line of the side's encodes; of a kernel its name and set."""
    commands = part.about.get("commands")
    if commands:
        return str(commands[SIDES.index(side)])
    return f"{part.kind} {part.name} of {title_of(side, result)}"


def hyperfine_text(result: Compared) -> str:
    """As of hyperfine's --export-json: A and B of each part, wall seconds.

    The split of processor time into user and system is not recorded: `user` holds the mean of both, `system` is 0. A run that
    fails ends a comparison, so all exit codes are 0.
    """
    results = [
        _hyperfine(part.samples(side), command_of(part, side, result))
        for part in result.parts
        for side in SIDES
        if part.samples(side)
    ]
    return json.dumps({"results": results}, indent=2, allow_nan=False) + "\n"


def _hyperfine(samples: Sequence[Sample], command: str) -> dict[str, Any]:
    times = [sample.wall_s for sample in samples]
    memory = [sample.max_rss_bytes for sample in samples]
    return {
        "command": command,
        "mean": fmean(times),
        "stddev": stdev(times) if len(times) > 1 else None,
        "median": median(times),
        "user": fmean(sample.cpu_s for sample in samples),
        "system": 0.0,
        "min": min(times),
        "max": max(times),
        "times": times,
        **({} if None in memory else {"memory_usage_byte": memory}),
        "exit_codes": [0] * len(times),
    }
