"""The kernel's noise meters, and the rule that calls a run disturbed: it looks at them and never at the times measured.

pressure   seconds in which some task that could run had to wait for a processor (/proc/pressure/cpu)
steal      processor seconds that the hypervisor gave to other guests (/proc/stat)
foreign    processor seconds that others than the measured process, or both of a pair, took (/proc/stat)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import machine, units
from workbench.launch import difference, pressure_s, steal_s
from workbench.pairs import Sample

PRESSURE_LIMIT = 0.20  # share of the wall time
STEAL_LIMIT = 0.05
FOREIGN_LIMIT = 0.50  # of one processor
_TICKS_S = 3 / os.sysconf("SC_CLK_TCK")  # /proc/stat counts ticks: one or two more may be chance


@dataclass(frozen=True)
class Reading:
    """The meters at one time, each None where the kernel does not have it."""

    at_s: float
    pressure_s: float | None
    steal_s: float | None
    busy_s: float | None

    @classmethod
    def now(cls) -> Reading:
        """Read them; about 0.1 ms."""
        return cls(time.monotonic(), pressure_s(), steal_s(), _busy_s())

    def since(self, before: Reading, own_cpu_s: float) -> dict[str, float | None]:
        """What happened since an earlier reading, as fields of a Sample; `own_cpu_s` is what we took ourselves."""
        busy = difference(before.busy_s, self.busy_s)
        return {
            "pressure_s": difference(before.pressure_s, self.pressure_s),
            "steal_s": difference(before.steal_s, self.steal_s),
            "foreign_s": None if busy is None else busy - own_cpu_s,
        }


def _busy_s() -> float | None:
    """Processor seconds since boot in which any program ran: user, nice, system, interrupts."""
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
        return (sum(ticks[:3]) + sum(ticks[5:7])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def machine_now(seconds: float = 1.0) -> dict[str, Any]:
    """The machine's fingerprint and what it does now: mhz of each processor; shares of the wall time, over `seconds`, of pressure,
    and of one processor, of steal and of work (busy). None, or nothing, where the kernel does not say."""
    before = Reading.now()
    time.sleep(seconds)
    now = Reading.now()
    seen = now.since(before, 0.0)
    took = now.at_s - before.at_s
    names = {"pressure": "pressure_s", "steal": "steal_s", "busy": "foreign_s"}
    shares = {name: None if (value := seen[field]) is None else value / took for name, field in names.items()}
    return {**machine.fingerprint(), "mhz": _mhz(), **shares}


def _mhz() -> list[float]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]


def disturbance(waits_for_itself: bool = False) -> Callable[[Mapping[str, Sample]], str | None]:
    """The rule for one kind of run.

    waits_for_itself   it has as many threads as there are processors, or more: that tasks wait is no news
    """

    def judge(samples: Mapping[str, Sample]) -> str | None:
        runs = samples.values()
        wall = sum(sample.took_s for sample in runs)
        pressure, steal = (_total(s.pressure_s for s in runs), _total(s.steal_s for s in runs))
        foreign = _total(s.foreign_s for s in runs)
        if not waits_for_itself and pressure > PRESSURE_LIMIT * wall:
            return f"tasks waited for a processor {units.percent(pressure / wall)} of the time"
        if steal > max(STEAL_LIMIT * wall, _TICKS_S):
            return f"the hypervisor took {units.percent(steal / wall)} of a processor"
        if foreign > max(FOREIGN_LIMIT * wall, _TICKS_S):
            return f"other programs took {units.percent(foreign / wall)} of a processor"
        return None

    return judge


def _total(values: Iterable[float | None]) -> float:
    return sum(value for value in values if value is not None)
