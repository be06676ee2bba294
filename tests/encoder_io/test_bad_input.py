"""What a user can get wrong, against the real command: one line, the right status, nothing written, no hang."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Runner = Callable[..., subprocess.CompletedProcess[str]]
HEADER = b"YUV4MPEG2 W16 H16 F30:1 Ip C420jpeg\n"
FRAME = b"FRAME\n" + bytes(16 * 16 * 3 // 2)


@pytest.fixture
def assert_refused(run_encoder: Runner, tmp_path: Path) -> Callable[..., None]:
    """assert_refused(status, message, argument, ...) runs the encoder and compares all that it leaves behind."""

    def check(status: int, message: str, *arguments: object, **options: Any) -> None:
        before = contents(tmp_path)
        done = run_encoder(*arguments, **options)
        assert done.stderr.startswith("encoder: "), done.stderr
        assert message in done.stderr
        assert done.stderr.count("\n") == 1, "one line"
        assert done.stdout == ""
        assert done.returncode == status
        assert contents(tmp_path) == before, "nothing is written"

    return check


def contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.y4m"
    path.write_bytes(HEADER + 3 * FRAME)
    return path


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("absent.y4m", None, "absent.y4m: cannot be read: No such file or directory"),
        ("absent.mp4", None, "absent.mp4: cannot be read: No such file or directory"),
        ("empty.y4m", b"", "empty.y4m: is empty"),
        ("photo.y4m", b"\xff\xd8\xff\xe0JFIF", "photo.y4m: is not Y4M"),
        ("notes.mkv", b"notes\n" * 99, "notes.mkv: FFmpeg cannot read it"),
        ("cut.y4m", HEADER + FRAME + FRAME[:100], "cut.y4m: frame 1 is truncated: 94 bytes of 384; --limit 1 takes"),
        ("none.y4m", HEADER, "none.y4m: has no frames"),
        ("zero.y4m", b"YUV4MPEG2 W0 H0 F30:1\n", "picture size 0x0 is out of range, accepted: 8x8 to 4096x2304"),
        ("huge.y4m", b"YUV4MPEG2 W99999 H99999 F30:1\n", "picture size 99999x99999 is out of range"),
        ("422.y4m", b"YUV4MPEG2 W16 H16 F30:1 C422\n", "4:2:2 (C422) is not supported yet, only 8-bit 4:2:0"),
        ("10.y4m", b"YUV4MPEG2 W16 H16 F30:1 C420p10\n", "10-bit 4:2:0 (C420p10) is not supported yet"),
        ("bad.y4m", b"YUV4MPEG2 Wx H16\n", "bad Y4M header: width is 'x', not a number"),
    ],
)
def test_input(
    assert_refused: Callable[..., None], tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert_refused(2, message, name, "-o", "out.ivf", "--kernels", "python")


def test_input_folder(assert_refused: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "folder.y4m").mkdir()
    assert_refused(2, "folder.y4m: is a folder, not a video", "folder.y4m", "-o", "out.ivf")


def test_input_on_a_pipe(assert_refused: Callable[..., None]) -> None:
    assert_refused(2, "standard input: is empty", "-", "-o", "out.ivf")
    assert_refused(2, "standard input: is not Y4M", "-", "-o", "out.ivf", stdin=b"hello")
    cut = HEADER + FRAME[:-1]
    assert_refused(2, "standard input: frame 0 is truncated", "-", "-o", "out.ivf", "--kernels", "python", stdin=cut)


def test_skipping_every_frame(assert_refused: Callable[..., None], clip: Path) -> None:
    assert_refused(
        2, "clip.y4m: has no frames after the first 3", clip, "-o", "out.ivf", "--skip", 3, "--kernels", "python"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ("-o out", "out: has no suffix, accepted: .ivf .obu .mp4 .mkv .webm"),
        ("-o out.avi", "out.avi: unknown suffix '.avi', accepted: .ivf .obu .mp4 .mkv .webm"),
        ("-o old.ivf", "old.ivf: exists, not overwritten without -y"),
        ("-o out.ivf --reconstruction old.ivf", "old.ivf: exists, not overwritten without -y"),
        ("-o out.ivf --stats old.ivf", "old.ivf: exists, not overwritten without -y"),
        ("-o out.ivf --stats out.ivf", "out.ivf: is given for two outputs"),
        ("-o out.ivf --reconstruction clip.y4m -y", "clip.y4m: is the input, an output needs another name"),
        ("-o absent/out.ivf", "absent/out.ivf: there is no folder"),
        ("-o /proc/out.ivf", "/proc/out.ivf: cannot be written"),
        (
            "-o out.ivf --quantizer 0",
            "quantizer (base_q_idx) is 0, accepted: 1 to 255: 0 is lossless, not supported yet",
        ),
        ("-o out.ivf --quantizer 256", "quantizer (base_q_idx) is 256, accepted: 1 to 255"),
        ("-o out.ivf --speed 11", "speed is 11, accepted: 0 to 10"),
        ("-o out.ivf --threads 0", "threads is 0, accepted: 1 to 1024"),
        ("-o out.ivf --tile-cols-log2 1", "tile-cols-log2 is 1, accepted: only 0: the picture is 16 samples wide"),
        ("-o out.ivf --tile-rows-log2 -1", "tile-rows-log2 is -1, accepted: only 0"),
        ("-o out.ivf --kernels turbo", "there is no set 'turbo'; sets are: python, numpy, numba"),
        ("-o out.ivf --kernels python,turbo=numpy", "there is no slot 'turbo'; slots are: "),
        ("-o out.ivf --kernels python,satd=absent.py:satd", "there is no file absent.py"),
        ("-o out.ivf --kernels python,satd=mine.py:absent", "mine.py has no function 'absent'"),
        ("-o out.ivf --kernels python,satd=mine.py:narrow", "mine.py:narrow takes (a, b), the slot gives 8 arguments"),
        ("-o out.ivf --kernels python,satd=mine.py:ratio", "mine.py:ratio returns float64, the slot wants int64"),
        ("-o out.ivf --kernels python,satd=mine.py:uncompilable", "mine.py:uncompilable does not compile"),
        ("-o out.ivf --kernels python,satd=broken.py:satd", "importing broken.py raised SyntaxError"),
    ],
)
def test_option(assert_refused: Callable[..., None], clip: Path, options: str, message: str) -> None:
    clip.with_name("old.ivf").write_bytes(b"old")
    clip.with_name("broken.py").write_text("def satd(:\n")
    clip.with_name("mine.py").write_text(USER_KERNELS)
    assert_refused(2, message, clip.name, *options.split())


PARAMETERS = "a, a_at, a_stride, b, b_at, b_stride, w, h"
USER_KERNELS = f"""
def narrow(a, b):
    return 0

def ratio({PARAMETERS}):
    return 0.5

def uncompilable({PARAMETERS}):
    return open("x").read()

def raises({PARAMETERS}):
    if w > 0:
        raise ValueError("too wide")
    return 0
"""


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("kernel_set", ["python", "numba"])
def test_a_user_kernel_that_raises(assert_refused: Callable[..., None], clip: Path, kernel_set: str) -> None:
    clip.with_name("mine.py").write_text(USER_KERNELS)
    assert_refused(2, "ValueError: too wide", clip, "-o", "out.ivf", "--kernels", f"{kernel_set},satd=mine.py:raises")


@pytest.mark.parametrize("suffix", ["ivf", "mp4", "webm"])
def test_a_full_disk(assert_refused: Callable[..., None], clip: Path, suffix: str) -> None:
    """The system lets no file of the process grow beyond 300 bytes; one reconstructed frame is more."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    options = ("--reconstruction", "rec.y4m", "--kernels", "python")
    assert_refused(
        5,
        ": no room (File too large), nothing is written; free some space",
        clip,
        "-o",
        f"out.{suffix}",
        *options,
        preexec_fn=no_room,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run(tmp_path: Path, process_environment: dict[str, str], number: signal.Signals) -> None:
    command = [sys.executable, "-m", "encoder", "-", "-o", "out.mkv", "--kernels", "python"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=process_environment,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # under nohup it would be ignored, as nohup wants it
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(HEADER + FRAME)  # and then no more, so that it waits for the second frame
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".out.mkv.part-*")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, number)
        assert process.wait(60) == 130
        assert process.stderr.read() == b"encoder: interrupted, nothing is written\n"
        assert process.stdout.read() == b""
    assert list(tmp_path.iterdir()) == []
