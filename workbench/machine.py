"""The machine's fingerprint: what has to be equal before two runs may be compared, and the load that may disturb
one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES_SHOWN = ("numpy", "numba", "llvmlite")
_OURS = "encoder-workbench"  # what is measured is no part of the machine
_PROCESSORS = Path("/sys/devices/system/cpu")
_GOVERNOR = _PROCESSORS / "cpu0/cpufreq/scaling_governor"


@dataclass(frozen=True)
class Two:
    """Two logical processors, by their numbers. siblings: whether they are of one core; None: the system does not say."""

    processors: tuple[int, int]
    siblings: bool | None


def cores() -> int:
    """Logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def two_processors() -> Two | None:
    """Two that this process may use, of two cores where there are such; None where it may use but one. The highest numbers:
    processor 0 serves most interrupts."""
    ours = sorted(os.sched_getaffinity(0), reverse=True) if hasattr(os, "sched_getaffinity") else []
    if len(ours) < 2:
        return None
    first, *others = ours
    siblings = _siblings(first)
    if siblings is None:
        return Two((first, others[0]), None)
    apart = [other for other in others if other not in siblings]
    return Two((first, (apart or others)[0]), not apart)


def _siblings(processor: int) -> set[int] | None:
    """The logical processors of its core, itself in it; None where the system does not say."""
    try:
        text = (_PROCESSORS / f"cpu{processor}" / "topology/thread_siblings_list").read_text()
        ranges = [[int(end) for end in part.split("-")] for part in text.split(",")]
    except (OSError, ValueError):
        return None
    return {number for ends in ranges for number in range(ends[0], ends[-1] + 1)}


def cpu_flags() -> frozenset[str]:
    """What the processor can do, as Linux names it: `avx2`, `sse4_2`. Empty where it does not say."""
    return frozenset(_cpuinfo().get("flags", "").split())


def fingerprint() -> dict[str, Any]:
    """Describe the machine and the installed packages, with a hash over all of it that does not change between runs.

    `load_average` (1, 5, 15 minutes) is what it was at the call and is not part of the hash.
    """
    stable = _hardware() | _software()
    text = json.dumps(stable, sort_keys=True).encode()
    return stable | {"hash": hashlib.sha256(text).hexdigest()[:16], "load_average": list(os.getloadavg())}


def _hardware() -> dict[str, Any]:
    cpu = _cpuinfo()
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "hypervisor": "hypervisor" in cpu.get("flags", "").split(),
        "governor": _GOVERNOR.read_text().strip() if _GOVERNOR.is_file() else None,
    }


def _software() -> dict[str, Any]:
    versions = {item.name: item.version for item in metadata.distributions() if item.name not in (None, _OURS)}
    installed = sorted(f"{name}=={version}" for name, version in versions.items())
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: versions.get(name) for name in _PACKAGES_SHOWN},
        # A package that appears later can change the figures (numba imports scipy when it is there), so all of them
        # count.
        "packages_hash": hashlib.sha256("\n".join(installed).encode()).hexdigest()[:16],
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty where there is no such file."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
