"""Run any program, then go on for a known part of the processor time that it took: `python -I -S timed_command.py REPORT FACTOR
COMMAND...`

REPORT is a JSON file: {"cpu_s", "wall_s", "planted_cpu_s", "planted_wall_s"}, the program's alone by wait4, and with the loop
behind it. The exit status is the program's; it inherits the peak memory of this file, which imports next to nothing.
"""

import json
import os
import sys
import time


def main() -> int:
    """Run, spin, report."""
    report, factor, *command = sys.argv[1:]
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    own = time.process_time()
    while time.process_time() - own < cpu * (float(factor) - 1):
        pass
    planted = {"planted_cpu_s": cpu + time.process_time() - own, "planted_wall_s": time.perf_counter() - began}
    with open(report, "w") as file:
        json.dump({"cpu_s": cpu, "wall_s": wall, **planted}, file)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
