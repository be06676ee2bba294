"""The machine's fingerprint: what has to be equal before two runs may be compared, and the load that may disturb
one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES_SHOWN = ("numpy", "numba", "llvmlite")
_OURS = "encoder-workbench"  # what is measured is no part of the machine
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def cores() -> int:
    """Logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
