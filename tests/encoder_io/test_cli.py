"""The command around the encoder: options, outputs, figures, messages.

A stand-in takes the place of the encoder itself: it gives every plane back 0, 1 or 2 steps brighter, so that all
figures are known. The real one is in test_end_to_end.py.
"""

import copy
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import encoder.compiled
import encoder.kernels.load
import encoder.stream
from encoder import cli
from encoder.config import EncoderConfig
from encoder.picture import Picture
from encoder.stream import Packet
from encoder.y4m import Y4mReader


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[EncoderConfig]:
    """Replaces the encoder by the stand-in; holds the configurations that it was called with."""
    seen = []

    def encode(pictures: Iterable[Picture], config: EncoderConfig) -> Iterator[Packet]:
        seen.append(config)
        for index, source in enumerate(pictures):
            brighter = Picture.allocate(source.width, source.height)
            for p in range(3):
                brighter.plane(p)[:] = source.plane(p) + np.uint8(p)
            data = b"\x12\x00" + bytes([index]) * 20
            yield Packet(data, index, True, brighter, source, [{"display_index": index, "type": "key", "bytes": 20}])

    monkeypatch.setattr(encoder.stream, "encode", encode)
    kernels = SimpleNamespace(name="stand-in", interpreted=False, origins={}, overrides="")
    monkeypatch.setattr(encoder.kernels.load, "load_kernels", lambda name: kernels)
    return seen


@pytest.fixture
def gray_clip(tmp_path: Path) -> Path:
    """Four frames of 200x100 in one shade each: a brighter one never overflows."""
    path = tmp_path / "gray.y4m"
    frames = [b"FRAME\n" + bytes([100 + index]) * (200 * 100 * 3 // 2) for index in range(4)]
    path.write_bytes(b"YUV4MPEG2 W200 H100 F30000:1001 C420\n" + b"".join(frames))
    return path


def test_figures_of_a_run(configs: list[EncoderConfig], gray_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, rec, stats = (gray_clip.with_name(name) for name in ("out.ivf", "rec.y4m", "stats.json"))
    arguments = [gray_clip, "-o", out, "--reconstruction", rec, "--stats", stats, "--psnr", "--tile-cols-log2", 1]
    assert cli.main([str(argument) for argument in arguments]) == 0

    figures = json.loads(stats.read_text())
    total = figures.pop("total")
    frames = figures.pop("frames")
    assert figures == {
        "schema": 2,
        "input": str(gray_clip),
        "output": str(out),
        "width": 200,
        "height": 100,
        "fps": "30000/1001",
        "kernels": "stand-in",
        "interpreted": False,
        "quantizer": 100,
        "speed": 10,
        "keyint": 240,
        "low_latency": False,
        "tiles": {"cols": 2, "rows": 1, "count": 2},
        "threads": len(os.sched_getaffinity(0)),
    }
    psnr = [None, pytest.approx(48.1308, abs=1e-4), pytest.approx(48.1308 - 6.0206, abs=1e-4)]
    for index, frame in enumerate(frames):
        assert frame == {"display_index": index, "type": "key", "bytes": 20, "mse": [0, 1, 4], "psnr": psnr}
    assert (total["frames"], total["bytes"]) == (4, 88)
    assert total["psnr_of_mean_mse"] == total["mean_psnr"] == psnr
    assert total["wall_s"] >= total["start_up_s"] + total["input_s"] + total["output_s"] > 0
    assert total["compile_s"] == 0

    with rec.open("rb") as stream:
        reconstruction = Y4mReader(stream, "rec.y4m")
        assert [[int(picture.plane(p)[0, 0]) for p in range(3)] for picture in reconstruction.pictures()] == [
            [100 + index, 101 + index, 102 + index] for index in range(4)
        ]
    assert struct.unpack_from("<I", out.read_bytes(), 24) == (4,)
    printed = capsys.readouterr()
    assert printed.err == ""
    number = r"\d+\.\d\d"
    assert re.fullmatch(
        rf"\S+out.ivf: 4 frames 200x100, 88 bytes, {number} s, {number} frames/s; "
        r"PSNR Y Cb Cr inf 48.13 42.11 dB, mean of frames inf 48.13 42.11 dB\n",
        printed.out,
    )


def test_without_psnr_there_are_no_figures_of_it(configs: list[EncoderConfig], gray_clip: Path) -> None:
    stats = gray_clip.with_name("stats.json")
    assert cli.main([str(gray_clip), "-o", str(gray_clip.with_name("out.obu")), "--stats", str(stats)]) == 0
    figures = json.loads(stats.read_text())
    assert not {"mse", "psnr", "mean_psnr", "psnr_of_mean_mse"} & {*figures["total"], *figures["frames"][0]}


def test_options_reach_the_encoder(configs: list[EncoderConfig], gray_clip: Path) -> None:
    options = (
        "--quantizer 7 --speed 3 --tile-cols-log2 2 --tile-rows-log2 1 --threads 5 --kernels python --probe --psnr "
        "--keyint 90 --min-keyint 20 --no-scene-detection --force-key 7,3 --low-latency"
    )
    assert cli.main([str(gray_clip), "-o", str(gray_clip.with_name("out.ivf")), *options.split()]) == 0
    assert configs == [
        EncoderConfig(
            200, 100, configs[0].fps, 7, 3, 2, 1, 5, kernels="python", probe=True, psnr=True, stress_seed=None,
            keyint=90, min_keyint=20, scene_detection=False, forced_key_frames=(7, 3), low_latency=True,
        )
    ]  # fmt: skip


def test_a_hidden_picture_is_measured_when_it_is_shown(
    gray_clip: Path, configs: list[EncoderConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against its own source, not the one that was read last; its entry stands where it was coded."""

    def encode(pictures: Iterable[Picture], config: EncoderConfig) -> Iterator[Packet]:
        sources = [copy.deepcopy(picture) for picture in pictures]  # the reader's buffer is overwritten
        entries = [{"display_index": index, "bytes": 5} for index in range(4)]
        in_unit = [[0], [3, 1], [2], []]
        for index, source in enumerate(sources):
            data, frames = bytes(7), [entries[coded] for coded in in_unit[index]]
            yield Packet(data, index, index == 0, sources[max(index - 1, 0)], source, frames)

    monkeypatch.setattr(encoder.stream, "encode", encode)
    stats = gray_clip.with_name("stats.json")
    assert cli.main([str(gray_clip), "-o", str(gray_clip.with_name("out.ivf")), "--stats", str(stats), "--psnr"]) == 0
    figures = json.loads(stats.read_text())
    assert [(frame["display_index"], frame["mse"]) for frame in figures["frames"]] == [
        (0, [0, 0, 0]), (3, [1, 1, 1]), (1, [1, 1, 1]), (2, [1, 1, 1]),
    ]  # fmt: skip
    assert (figures["total"]["frames"], figures["total"]["bytes"]) == (4, 28)


@pytest.mark.parametrize(
    "options, message",
    [
        ("--keyint -1", "keyint is -1, accepted: 0 to 2147483647"),
        ("--keyint 30 --min-keyint 31", "min-keyint is 31, accepted: 0 to 30: it cannot exceed keyint, 30"),
        ("--min-keyint -2", "min-keyint is -2, accepted: 0 to 240: it cannot exceed keyint, 240"),
        ("--force-key 3,-1", "a forced key frame is -1, accepted: 0 to 2147483646: frames count from 0"),
        ("--force-key -1", "a forced key frame is -1, accepted: 0 to 2147483646: frames count from 0"),
    ],
)
def test_structure_that_cannot_be_is_refused(
    gray_clip: Path, capsys: pytest.CaptureFixture[str], options: str, message: str
) -> None:
    out = gray_clip.with_name("out.ivf")
    assert cli.main([str(gray_clip), "-o", str(out), *options.split()]) == 2
    assert capsys.readouterr() == ("", f"encoder: {message}\n")
    assert not out.exists()


LIMITS = {
    "--quantizer": (1, 255),
    "--speed": (0, 10),
    "--threads": (1, 1024),
    "--tile-cols-log2": (0, 2),  # 200x100 has 4x2 superblocks
    "--tile-rows-log2": (0, 1),
    "--keyint": (0, 2**31 - 1),
    "--min-keyint": (0, 240),
    "--force-key": (0, 2**31 - 2),
    "--skip": (0, None),
    "--limit": (1, None),
}


@pytest.mark.parametrize("option", LIMITS)
def test_an_option_ends_at_its_limits(
    configs: list[EncoderConfig], gray_clip: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    low, high = LIMITS[option]
    out = gray_clip.with_name("out.ivf")
    for value in (low, low + 1, *((high,) if high is not None else ())):
        assert cli.main([str(gray_clip), "-o", str(out), "-q", "-y", option, str(value)]) == 0, value
    out.unlink()
    for value in (low - 1, *((high + 1, 10**30) if high is not None else ()), "", "1.5", "x", "0x10"):
        capsys.readouterr()
        assert cli.main([str(gray_clip), "-o", str(out), f"{option}={value}"]) == 2, value
        printed = capsys.readouterr()
        assert printed.out == "" and re.fullmatch(r"encoder: .+\n", printed.err), printed.err
        assert option[2:].replace("force-key", "force").split("-")[0] in printed.err
        assert not out.exists()


def test_a_limit_beyond_the_end_is_the_end(configs: list[EncoderConfig], gray_clip: Path) -> None:
    out = gray_clip.with_name("out.obu")
    assert cli.main([str(gray_clip), "-o", str(out), "--limit", str(10**30)]) == 0
    assert len(out.read_bytes()) == 88


def test_min_keyint_ends_at_keyint(
    configs: list[EncoderConfig], gray_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for keyint, most in ((1, 1), (2, 2), (1000, 1000), (0, 2**31 - 1)):
        arguments = [str(gray_clip), "-o", str(gray_clip.with_name("out.ivf")), "-y", "--keyint", str(keyint)]
        assert cli.main([*arguments, "--min-keyint", str(most)]) == 0
        assert cli.main([*arguments, "--min-keyint", str(most + 1)]) == 2
        assert f"min-keyint is {most + 1}, accepted: 0 to {most}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, frames", [((), 4), (("--limit", "3"), 3), (("--skip", "3"), 1), (("--skip", "1", "--limit", "2"), 2)]
)
def test_skip_and_limit(
    configs: list[EncoderConfig], gray_clip: Path, capsys: pytest.CaptureFixture[str], options: tuple[str], frames: int
) -> None:
    assert cli.main([str(gray_clip), "-o", str(gray_clip.with_name("out.ivf")), *options]) == 0
    assert f": {frames} frame{'s' * (frames > 1)} 200x100" in capsys.readouterr().out


def test_quiet_prints_nothing(
    configs: list[EncoderConfig], gray_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(gray_clip), "-o", str(gray_clip.with_name("out.ivf")), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_y_replaces_an_output(configs: list[EncoderConfig], gray_clip: Path) -> None:
    out = gray_clip.with_name("out.obu")
    out.write_bytes(b"old")
    assert cli.main([str(gray_clip), "-o", str(out)]) == 2
    assert out.read_bytes() == b"old"
    assert cli.main([str(gray_clip), "-o", str(out), "-y"]) == 0
    assert len(out.read_bytes()) == 88


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, OSError(5, "Input/output error")])
def test_an_error_in_the_middle_leaves_nothing(
    configs: list[EncoderConfig],
    gray_clip: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    stand_in = encoder.stream.encode

    def encode(pictures: Iterable[Picture], config: EncoderConfig) -> Iterator[Packet]:
        yield next(stand_in(pictures, config))
        raise error

    monkeypatch.setattr(encoder.stream, "encode", encode)
    out, rec = gray_clip.with_name("out.mp4"), gray_clip.with_name("rec.y4m")
    status = cli.main([str(gray_clip), "-o", str(out), "--reconstruction", str(rec)])
    assert status == (130 if error is KeyboardInterrupt else 5)
    message = capsys.readouterr().err
    assert message.startswith("encoder: ") and message.count("\n") == 1
    assert list(gray_clip.parent.iterdir()) == [gray_clip]


def test_warm_compiles_the_named_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    monkeypatch.setattr(encoder.stream, "warm", lambda kernels, progress: asked.append(kernels))
    assert cli.main(["--warm", "--kernels", "numba,sad=python"]) == 0
    assert asked == ["numba,sad=python"]
    assert capsys.readouterr().out.startswith("kernels numba,sad=python are ready after ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("", "no INPUT is given"),
        ("clip.y4m", "no output is given: add -o OUTPUT"),
        ("-o out.ivf", "no INPUT is given"),
        ("clip.y4m -o out.ivf --limit 0", "--limit is 0, accepted: 1 or more frames"),
        ("clip.y4m -o out.ivf --skip -1", "--skip is -1, accepted: 0 or more frames"),
        ("clip.y4m -o out.ivf --quantizer high", "argument --quantizer: invalid int value: 'high'"),
        ("clip.y4m -o out.ivf --keyint all", "argument --keyint: invalid int value: 'all'"),
        (
            "clip.y4m -o out.ivf --force-key 1,,2",
            "argument --force-key: '1,,2' is not a list of frame numbers like 0,30,75",
        ),
        ("clip.y4m -o out.ivf --force-key=", "argument --force-key: '' is not a list of frame numbers like 0,30,75"),
        ("clip.y4m -o out.ivf --quant 5", "unrecognized arguments: --quant"),
        ("clip.y4m other.y4m -o out.ivf", "unrecognized arguments: other.y4m"),
        ("clip.y4m --warm", "--warm takes no INPUT and no OUTPUT"),
        (
            "clip.y4m -o out.ivf --stress 1",
            "--stress draws its own pictures: leave out INPUT, --skip, --limit and --psnr",
        ),
    ],
)
def test_usage_errors_are_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"encoder: {message}")
    assert printed.err.endswith("; see: encoder --help\n") and printed.err.count("\n") == 1


def test_help_names_every_option_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    contract = (
        "--kernels --speed --quantizer --tile-cols-log2 --tile-rows-log2 --threads --limit --skip --reconstruction "
        "--keyint --min-keyint --no-scene-detection --force-key --low-latency "
        "--psnr --stats --probe --warm --stress -q -y .ivf .obu .mp4 .mkv .webm"
    )
    for word in [*contract.split(), "exit status: 0 fine, 2 usage"]:
        assert word in text


def test_help_imports_nothing_heavy(process_environment: dict[str, str]) -> None:
    """Fast because of what it leaves out: a clock would measure this machine."""
    code = (
        "import sys; from encoder.cli import main; main(['--help']); "
        "print([m for m in ('numpy', 'numba', 'av', 'json') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=process_environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "[]\n"


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As under nohup; the others unwind like Ctrl-C, and all of it only for the time of a run."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cli._terminate_as_interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def on_a_terminal(act: Callable[[cli.Progress], Any], monkeypatch: pytest.MonkeyPatch, quiet: bool = False) -> str:
    """What a Progress writes when standard error is a terminal of 40 columns."""
    master, slave = pty.openpty()
    try:
        import fcntl
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        with os.fdopen(slave, "w", closefd=False) as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            act(cli.Progress(quiet))
            stream.write("end")
            stream.flush()
        seen = b""
        while not seen.endswith(b"end"):  # a terminal hands its text on in pieces
            seen += os.read(master, 4096)
        return seen.decode()
    finally:
        os.close(slave)
        os.close(master)


def test_progress_is_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(progress: cli.Progress) -> None:
        progress.compiling("satd")
        progress.frames(3, 12, 1.5)
        progress.frames(4, None, 2.0)
        progress.clear()

    lines = on_a_terminal(act, monkeypatch).split("\r\x1b[K")[1:]
    assert lines == ["compiling, once: function 1, satd", "frame 3/12, 2.00 frames/s", "frame 4, 2.00 frames/s", "end"]


def test_progress_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_a_terminal(lambda progress: progress.compiling("a" * 100), monkeypatch).split("\r\x1b[K")
    assert len(lines[1].removesuffix("end")) == 39


def test_quiet_progress_is_silent_even_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_a_terminal(lambda progress: progress.frames(1, 2, 3.0), monkeypatch, quiet=True) == "end"
