"""Start one program, wait for it, report what it used: `python -I -S launch.py FD COMMAND...`, run by child.py.

A child inherits the peak resident set of the process that starts it (Linux carries it over exec), so the program has
to be started by a process that is smaller than it. This file imports next to nothing for that reason, and nothing of
ours.
"""

import json
import os
import sys
import time


def pressure_s() -> float | None:
    """Seconds since boot in which some task waited for a processor (/proc/pressure/cpu); None where the kernel does
    not say."""
    try:
        with open("/proc/pressure/cpu") as file:
            return int(file.readline().rsplit("total=", 1)[1]) / 1e6
    except (OSError, IndexError, ValueError):
        return None


def steal_s() -> float | None:
    """Seconds since boot, over all processors, that the hypervisor gave to others; None where the kernel does not
    say."""
    try:
        with open("/proc/stat") as file:
            return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def difference(before: float | None, after: float | None) -> float | None:
    """`after` less `before`, where both are known."""
    return None if before is None or after is None else after - before


def run(command: list[str], report_fd: int) -> dict[str, int | float | None]:
    """Run `command` to its end and return what wait4 and the kernel's noise meters say of it."""
    pressure, steal = pressure_s(), steal_s()
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, report_fd)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    return {
        "exit_status": os.waitstatus_to_exitcode(status),
        "wall_s": wall,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "max_rss_bytes": usage.ru_maxrss * 1024,
        "involuntary_switches": usage.ru_nivcsw,
        "pressure_s": difference(pressure, pressure_s()),
        "steal_s": difference(steal, steal_s()),
    }


if __name__ == "__main__":
    report_to = int(sys.argv[1])
    report: dict[str, object]
    try:
        report = {**run(sys.argv[2:], report_to)}
    except OSError as error:
        report = {"error": error.strerror or str(error)}
    with open(report_to, "w") as pipe:
        json.dump(report, pipe)
