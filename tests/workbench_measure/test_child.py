"""Child processes: what they used, how they failed, and that nothing of them is left."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from workbench import child
from workbench.errors import EnvironmentFault, SubjectError, SubjectTimeout

MEBIBYTE = 1 << 20


def python(code: str, *arguments: str) -> Sequence[str]:
    return (sys.executable, "-S", "-c", code, *arguments)


def ends(pid: int) -> bool:
    """Whether a process is gone within a few seconds: a kill takes effect when the process is next scheduled."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_peak_memory_is_the_childs_own_not_ours() -> None:
    ours = bytearray(300 * MEBIBYTE)  # touched, so that our peak is above it
    small = child.run(("true",), 30).usage.max_rss_bytes
    large = child.run(python("bytearray(120 << 20)"), 30).usage.max_rss_bytes
    assert len(ours) == 300 * MEBIBYTE
    assert small < 40 * MEBIBYTE
    assert 120 * MEBIBYTE < large < 180 * MEBIBYTE


def test_processor_time_and_wall_time_are_told_apart() -> None:
    busy = child.run(python("import time\nwhile time.process_time() < 0.3: pass"), 60).usage
    idle = child.run(("sleep", "0.3"), 60).usage
    assert busy.cpu_s >= 0.3
    assert idle.wall_s >= 0.3 and idle.cpu_s < 0.1


def test_noise_meters_are_read_where_linux_has_them() -> None:
    usage = child.run(("sleep", "0.05"), 60).usage
    assert (usage.pressure_s is not None) == Path("/proc/pressure/cpu").exists()
    assert usage.steal_s is not None and usage.steal_s >= 0


def test_output_and_complaint_are_kept_apart() -> None:
    finished = child.run(python("import sys\nprint('said')\nprint('complained', file=sys.stderr)"), 60)
    assert (finished.output, finished.complaint) == ("said\n", "complained\n")


def test_a_failure_tells_the_last_words() -> None:
    with pytest.raises(SubjectError, match="exit status 3: out of paper$"):
        child.run(python("import sys\nprint('out of paper', file=sys.stderr)\nsys.exit(3)"), 60)


def test_a_crash_tells_the_signal() -> None:
    with pytest.raises(SubjectError, match=r"killed by signal 6 \(SIGABRT\)"):
        child.run(python("import os\nos.abort()"), 60)


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(EnvironmentFault, match="no-such-program: cannot be started: No such file"):
        child.run(("no-such-program",), 60)


def test_a_hang_ends_at_the_time_limit_with_all_that_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = "import subprocess, sys, time\np = subprocess.Popen(['sleep', '300'])\n"
    code += "open(sys.argv[1], 'w').write(str(p.pid))\nprint('so far', flush=True)\ntime.sleep(300)"
    began = time.monotonic()
    with pytest.raises(SubjectTimeout, match="still running after 3.00 s, killed") as caught:
        child.run(python(code, str(pid_file)), 3)
    assert time.monotonic() - began < 60
    assert caught.value.output == "so far\n"
    assert ends(int(pid_file.read_text()))


def test_environment_is_added_to_ours() -> None:
    finished = child.run(python("import os\nprint(os.environ['ADDED'], 'PATH' in os.environ)"), 60, {"ADDED": "yes"})
    assert finished.output == "yes True\n"


def test_jobs_side_by_side_keep_their_order() -> None:
    jobs = [partial(child.run, python(f"print({n})"), 60) for n in range(5)]
    assert [finished.output for finished in child.together(jobs, 2)] == ["0\n", "1\n", "2\n", "3\n", "4\n"]


def test_one_failing_job_ends_the_others() -> None:
    began = time.monotonic()
    with pytest.raises(SubjectError, match="exit status 7"):
        child.together(
            [partial(child.run, python("raise SystemExit(7)"), 60), partial(child.run, ("sleep", "300"), 400)], 2
        )
    assert time.monotonic() - began < 60


def test_an_interrupt_ends_the_child(tmp_path: Path, process_environment: dict[str, str]) -> None:
    pid_file = tmp_path / "pid"
    inner = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    outer = f"import sys; from workbench import child; child.run((sys.executable, '-S', '-c', {inner!r}), 400)"
    process = subprocess.Popen([sys.executable, "-c", outer], env=process_environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in complaint
    assert ends(int(pid_file.read_text()))
