"""Run one program and watch its resident set from outside: `python -I -S resident.py REPORT RATE_HZ COMMAND...`

REPORT is a JSON file: {"exit_status", "wall_s", "max_rss_bytes", "own_peak_bytes", "children", "executable", "interval_s",
"samples"}, or {"error"} where the program cannot be started. A sample is [seconds since the start, resident bytes, of those
bytes of files]. The program inherits the peak of the process that starts it, so this file imports next to nothing, as launch.py.
However long the program runs, there are at most MOST_SAMPLES: then two become one, the larger stays, and the rate halves.
"""

import json
import os
import select
import signal
import sys
import time

MOST_SAMPLES = 4000
_STATUS_FIRST, _STATUS_EVERY = (
    16,
    8,
)  # samples with a look at what costs more to ask for: the first ones, then every so many
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Sample = tuple[float, int, int]


class Timeline:
    """Samples of one process, never more than MOST_SAMPLES.

    interval_s   between two samples, now
    own_peak_bytes   the high-water mark of the process's own memory as it was last seen; 0 where the kernel does not say
    children     whether it has been seen to have any
    executable   the file that it was last seen to run
    """

    def __init__(self, pid: int, rate_hz: float) -> None:
        self.samples: list[Sample] = []
        self.interval_s = 1.0 / rate_hz
        self.own_peak_bytes = 0
        self.children = False
        self.executable = ""
        self._pid = pid
        self._began = time.perf_counter()
        self._taken = 0

    def take(self) -> None:
        """Add a sample. A process that has just ended gives none."""
        try:
            with open(f"/proc/{self._pid}/statm") as file:
                _, resident, of_files = (int(word) for word in file.read().split()[:3])
        except (OSError, ValueError):
            return
        if resident:
            self.add((time.perf_counter() - self._began, resident * _PAGE_BYTES, of_files * _PAGE_BYTES))
        if self._taken < _STATUS_FIRST or self._taken % _STATUS_EVERY == 0:
            self._look_closer()
        self._taken += 1

    def add(self, sample: Sample) -> None:
        """Keep a sample; thin all of them out where they have become too many."""
        self.samples.append(sample)
        if len(self.samples) > MOST_SAMPLES:
            self.samples = thinned(self.samples)
            self.interval_s *= 2

    def _look_closer(self) -> None:
        try:
            with open(f"/proc/{self._pid}/status") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        self.own_peak_bytes = max(self.own_peak_bytes, int(line.split()[1]) * 1024)
            self.executable = os.readlink(f"/proc/{self._pid}/exe")
            with open(f"/proc/{self._pid}/task/{self._pid}/children") as file:
                self.children = self.children or bool(file.read().strip())
        except (OSError, ValueError):
            return


def thinned(samples: list[Sample]) -> list[Sample]:
    """Of each two samples that follow one another, the one with more resident bytes."""
    return [max(samples[at : at + 2], key=lambda sample: sample[1]) for at in range(0, len(samples), 2)]


def watch(command: list[str], rate_hz: float) -> dict[str, object]:
    """Run `command` to its end and return the report. Raises OSError when it cannot be started."""
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    timeline = Timeline(pid, rate_hz)
    # A signal ends the wait between two samples, so that the end of the program is not noticed an interval late.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    due = time.perf_counter()
    while True:
        timeline.take()
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        due = max(due + timeline.interval_s, time.perf_counter())
        _wait(read_end, max(0.0, due - time.perf_counter()))
    return {
        "exit_status": os.waitstatus_to_exitcode(status),
        "wall_s": time.perf_counter() - began,
        "max_rss_bytes": usage.ru_maxrss * 1024,
        "own_peak_bytes": timeline.own_peak_bytes,
        "children": timeline.children,
        "executable": timeline.executable,
        "interval_s": timeline.interval_s,
        "samples": timeline.samples,
    }


def _wait(read_end: int, seconds: float) -> None:
    ready, _, _ = select.select([read_end], [], [], seconds)
    if ready:
        os.read(read_end, 1)


if __name__ == "__main__":
    path, rate, *words = sys.argv[1:]
    report: dict[str, object]
    try:
        report = watch(words, float(rate))
    except OSError as error:
        report = {"error": error.strerror or str(error)}
    with open(path, "w") as output:
        json.dump(report, output)
