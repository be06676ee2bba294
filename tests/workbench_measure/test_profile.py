"""The main job from the command line to the report, with the stand-in as the encoder, and everything that can go wrong in it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import cli
from workbench.instruments import stacks
from workbench.profiling import session as sessions
from workbench.profiling import steps
from workbench.record import Run, read_run
from workbench.subject import Encoder


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    status: int
    output: str
    complaint: str


@pytest.fixture
def workbench(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    fake_encoder: Callable[..., Encoder],
) -> Callable[..., Outcome]:
    """workbench(argument, ..., fault="") -> how the command line ended, run in tmp_path with the stand-in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stacks, "SAMPLED_S", 0.5)
    monkeypatch.setattr(sessions, "TIMED_S", 0.1)

    def run(*arguments: object, fault: str = "") -> Outcome:
        monkeypatch.setattr("workbench.subject.our_encoder", lambda: fake_encoder(fault))
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Outcome(int(exit_.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer combinations, none of them compiled, for tests that are about something else."""
    monkeypatch.setattr(steps, "SETS_COMPARED", ("numpy", "python"))
    monkeypatch.setattr(steps, "TILE_COUNTS", (1, 2))


@pytest.fixture
def videos(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with one video of the user's own."""
    folder = tmp_path / "videos"
    folder.mkdir()
    make_clip(96, 80, 4, name="videos/street.y4m")
    return folder


PROFILE = ("--kernels", "numpy", "--budget", "4", "--out", "run")


def metrics(run: Run) -> set[tuple[str, str]]:
    return {(record.instrument, record.metric) for record in run.records}


def test_the_main_job(workbench: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
    """From a folder of videos to a report: every step's records, the JSON that is promised, the path at the end."""
    done = workbench("profile", videos, *PROFILE, "--json", "run.json")
    assert (done.status, done.complaint) == (0, "")
    assert done.output.splitlines()[-1] == str(Path("run/report.html"))
    run = read_run(tmp_path / "run")
    assert run.header["arguments"] == [str(videos), *PROFILE, "--json", "run.json"]
    assert run.end is not None and run.end["status"] in ("complete", "budget")
    assert metrics(run) >= {
        ("coverage", "lines_and_branches"),
        ("coverage", "never_reached"),
        ("output", "decodes"),
        ("output", "sets_agree"),
        ("output", "bytes"),
        ("output", "psnr_y"),
        ("wall", "warm"),
        ("wall", "wall"),
        ("wall", "cpu"),
        ("wall", "time_per_frame"),
        ("wall", "max_rss"),
        ("spans", "stage_s"),
        ("stacks", "samples"),
        ("memray", "allocations"),
        ("memray", "peak_bytes"),
        ("wall", "tiles_wall"),
        ("wall", "tiles_bytes"),
    }
    impossible = [r.subject["tiles"] for r in run.select(metric="tiles_wall") if r.data["possible"] is False]
    assert impossible == [8]
    figures = json.loads((tmp_path / "run.json").read_text())
    assert figures["schema"] == 1
    clip = figures["clips"][0]
    assert clip["name"] == "street" and clip["decodes"] is True and clip["frames"] >= 2
    assert clip["time_per_frame_s"] and clip["max_rss_bytes"] > 1e7 and clip["bytes"] > 0
    assert figures["top_functions"][0]["share"] > 0.3 and figures["report"] == str(Path("run/report.html"))
    assert {entry["tiles"] for entry in figures["tiles"]} >= {1, 2, 4}
    assert "2" in figures["amdahl"]["predicted"]
    assert (tmp_path / "run" / "report.md").stat().st_size > 1000
    assert not list(tmp_path.rglob("*.part-*"))


@pytest.mark.usefixtures("quick")
def test_a_stream_that_does_not_decode_is_reported_and_not_timed(
    workbench: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    done = workbench("profile", videos, *PROFILE, fault="corrupt")
    assert done.status == 4
    assert done.complaint.startswith(
        "workbench: street, kernels numpy: the stream does not decode to the reconstruction: frame"
    )
    assert done.complaint.count("\n") == 1
    run = read_run(tmp_path / "run")
    assert run.select(metric="decodes")[0].values == (0.0,)
    assert run.select(metric="time_per_frame") == [] and (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("die", "exit status 1: encoder: the walk fell over"),
        ("hang", "still running after 3.00 s, killed; does it hang?"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_an_encoder_that_fails_at_once_leaves_nothing(
    workbench: Callable[..., Outcome],
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    message: str,
) -> None:
    monkeypatch.setattr(sessions, "UNKNOWN_TIMEOUT_S", 3.0)
    done = workbench("profile", videos, *PROFILE, fault=fault)
    assert (done.status, done.output) == (5, "")
    assert done.complaint.startswith("workbench: ") and done.complaint.rstrip().endswith(message)
    assert done.complaint.count("\n") == 1 and not (tmp_path / "run").exists()


INTERRUPTED = """
import sys
from workbench import cli, subject
from workbench.subject import Encoder
ours = subject.our_encoder()
subject.our_encoder = lambda: Encoder(ours.name, ours.start, ours.options, {environment!r})
cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_leaves_a_report_of_what_is_done(
    videos: Path,
    tmp_path: Path,
    fake_encoder: Callable[..., Encoder],
    process_environment: dict[str, str],
    number: signal.Signals,
) -> None:
    code = INTERRUPTED.format(environment=dict(fake_encoder().environment))
    words = [sys.executable, "-c", code, "profile", "videos", "--kernels", "numpy", "--budget", "100", "--out", "run"]
    process = subprocess.Popen(
        words, cwd=tmp_path, env=process_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    records = tmp_path / "run" / "records.jsonl"
    deadline = time.monotonic() + 120
    while not (records.exists() and '"decodes"' in records.read_text()) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    output, complaint = process.communicate(timeout=120)
    assert process.returncode == 130, complaint
    assert complaint.strip() == b"workbench: interrupted" and output.endswith(b"run/report.html\n")
    run = read_run(tmp_path / "run")
    assert run.end is not None and run.end["status"] == "interrupted"
    assert (tmp_path / "run" / "report.html").exists()
    assert not any(b"workbench-" in words and b"stream.ivf" in words for words in command_lines())


def command_lines() -> list[bytes]:
    """The command lines of our user's processes that run in a folder of this test."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == os.getuid() and b"videos/street" in (entry / "cmdline").read_bytes():
                    found.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "empty: no corpus.toml and no video in it"),
        (["videos", "--clips", "street,streat"], "no clip 'streat' (did you mean 'street'?)"),
        (["videos", "--all", "--clips", "street"], "--all and --clips exclude each other"),
        (["videos", "--out", "videos/street.y4m"], "is a file; --out names a folder"),
        (["videos", "--json", "videos/street.y4m"], "exists already and is not overwritten"),
        (["videos", "--budget", "0"], "0.0 is not in the range x>=1"),
        (["videos", "--frames", "none"], "'none' is not a valid integer range"),
        (["videos", "--quantizer", "256"], "256 is not in the range 1<=x<=255"),
        (["videos", "--kernels", "satd=mine.py:fast"], "give SET[,SLOT=FILE.py:FUNCTION]"),
        (["deep"], "deep: its format is 420p10, only 8-bit 4:2:0 (420p8) is supported yet"),
        (["old"], "old/broken.y4m: is not a video that PyAV can read"),
        (["videos", "--out", "held"], "held: holds a run already; choose another --out or give --force"),
    ],
)
def test_bad_input_is_one_clear_line(
    workbench: Callable[..., Outcome], videos: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "broken.y4m").write_bytes(b"not a video")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "deep.y4m").write_bytes(b"YUV4MPEG2 W16 H16 F30:1 C420p10 XYSCSS=420P10\nFRAME\n" + bytes(768))
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "records.jsonl").write_text("{}")
    before = sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts)
    done = workbench("profile", *arguments)
    assert (done.status, done.output) == (2, "")
    assert done.complaint.startswith("workbench: ") and message in done.complaint and done.complaint.count("\n") == 1
    assert sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts) == before


def test_a_new_folder_is_named_by_day_and_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from workbench.commands.common import new_folder

    monkeypatch.chdir(tmp_path)
    first = new_folder("profile", None, force=False)
    first.mkdir(parents=True)
    second = new_folder("profile", None, force=False)
    assert first.parent == Path("reports") and first.name.endswith("-profile") and second.name == f"{first.name}-2"
