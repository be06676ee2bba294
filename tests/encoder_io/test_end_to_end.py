"""The whole command on real pictures: every way in and out, judged by dav1d through PyAV."""

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from encoder import cli
from encoder.y4m import Y4mReader

Runner = Callable[..., subprocess.CompletedProcess[str]]
ClipMaker = Callable[..., Path]


def samples_of_y4m(path: Path) -> list[list[np.ndarray]]:
    with path.open("rb") as stream:
        pictures = Y4mReader(stream, path.name).pictures()
        return [[picture.plane(p).copy() for p in range(3)] for picture in pictures]


def samples_of_video(path: Path) -> list[list[np.ndarray]]:
    """As FFmpeg's decoder (dav1d for AV1) shows them."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.format.name == "yuv420p"
            sizes = [(frame.width, frame.height)] + 2 * [((frame.width + 1) // 2, (frame.height + 1) // 2)]
            planes = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
            frames.append([plane[:h, :w].copy() for plane, (w, h) in zip(planes, sizes, strict=True)])
    return frames


def assert_same_pictures(actual: list[list[np.ndarray]], expected: list[list[np.ndarray]]) -> None:
    assert len(actual) == len(expected) > 0
    for index, (frame, wanted) in enumerate(zip(actual, expected, strict=True)):
        for p in range(3):
            np.testing.assert_array_equal(frame[p], wanted[p], f"frame {index}, plane {p}")


@pytest.mark.parametrize("suffix", ["ivf", "obu", "mp4", "mkv", "webm"])
def test_every_output_decodes_to_the_reconstruction(
    run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path, suffix: str
) -> None:
    clip = make_clip(21, 13, 2)
    done = run_encoder(clip, "-o", f"out.{suffix}", "--reconstruction", "rec.y4m", "--kernels", "python")
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_pictures(samples_of_video(tmp_path / f"out.{suffix}"), samples_of_y4m(tmp_path / "rec.y4m"))


def test_psnr_is_that_of_the_decoded_pictures(run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip(21, 13, 4)
    options = ("--psnr", "--stats", "stats.json", "--kernels", "python", "--quantizer", 30)
    assert run_encoder(clip, "-o", "out.ivf", *options).returncode == 0
    figures = json.loads((tmp_path / "stats.json").read_text())
    in_display_order = sorted(figures["frames"], key=lambda frame: frame["display_index"])
    for frame, source, decoded in zip(
        in_display_order, samples_of_y4m(clip), samples_of_video(tmp_path / "out.ivf"), strict=True
    ):
        expected = [np.mean((a.astype(float) - b) ** 2) for a, b in zip(source, decoded, strict=True)]
        assert frame["mse"] == pytest.approx(expected)
    data = (tmp_path / "out.ivf").read_bytes()
    assert [frame["display_index"] for frame in figures["frames"]] == [0, 2, 1, 3]
    # Beside the frames a temporal unit holds its delimiter, and may hold the sequence header or show a hidden frame.
    others = figures["total"]["bytes"] - sum(frame["bytes"] for frame in figures["frames"])
    assert figures["total"]["bytes"] == sum(ivf_sizes(data)) and 0 < others < 40


def ivf_sizes(data: bytes) -> list[int]:
    sizes, at = [], 32
    while at < len(data):
        sizes.append(struct.unpack_from("<I", data, at)[0])
        at += 12 + sizes[-1]
    return sizes


def test_every_way_in_gives_the_same_bytes(run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path) -> None:
    """A file, a pipe, a container: the same pictures, so the same stream."""
    clip = make_clip(24, 16, 1)
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30, width=24, height=16, pix_fmt="yuv420p")
        with av.open(str(clip)) as source:
            for frame in source.decode(video=0):
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert run_encoder(clip, "-o", "file.ivf", "--kernels", "python").returncode == 0
    assert run_encoder("-", "-o", "pipe.ivf", "--kernels", "python", stdin=clip.read_bytes()).returncode == 0
    assert run_encoder("clip.mkv", "-o", "container.ivf", "--kernels", "python").returncode == 0
    streams = {(tmp_path / f"{name}.ivf").read_bytes() for name in ("file", "pipe", "container")}
    assert len(streams) == 1


@pytest.mark.parametrize("full", [False, True])
def test_full_range_reaches_the_display(run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path, full: bool) -> None:
    clip = make_clip(16, 16, 1)
    if full:
        clip.write_bytes(clip.read_bytes().replace(b" C420jpeg", b" C420jpeg XCOLORRANGE=FULL", 1))
    assert run_encoder(clip, "-o", "out.obu", "--kernels", "numpy").returncode == 0
    with av.open(str(tmp_path / "out.obu")) as container:
        frame = next(container.decode(video=0))
    assert frame.color_range == (ColorRange.JPEG if full else ColorRange.MPEG)


def test_a_summary_that_nobody_reads_is_no_error(
    make_clip: ClipMaker, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "encoder", make_clip(16, 16, 1), "-o", "out.ivf", "--kernels", "python"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, env=process_environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out.ivf").stat().st_size > 0


def test_a_summary_that_cannot_be_written_is_said(
    make_clip: ClipMaker, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "encoder", make_clip(16, 16, 1), "-o", "out.ivf", "--kernels", "python"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, env=process_environment)
    assert (done.returncode, done.stderr) == (5, b"encoder: No space left on device\n")


def test_what_lies_behind_the_limit_is_not_read(run_encoder: Runner, make_clip: ClipMaker) -> None:
    data = make_clip(16, 16, 1).read_bytes()
    done = run_encoder("-", "-o", "out.ivf", "--limit", 1, "--kernels", "python", stdin=data + b"FRA")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("compiled_kernels")
def test_compiled_kernels_write_the_bytes_of_the_reference(
    run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path
) -> None:
    clip = make_clip(40, 24, 1)
    assert run_encoder(clip, "-o", "python.obu", "--kernels", "python").returncode == 0
    done = run_encoder(clip, "-o", "numba.obu", "--stats", "stats.json")
    assert done.returncode == 0 and "1 frame 40x24" in done.stdout
    assert (tmp_path / "numba.obu").read_bytes() == (tmp_path / "python.obu").read_bytes()
    assert json.loads((tmp_path / "stats.json").read_text())["interpreted"] is False


@pytest.mark.usefixtures("compiled_kernels")
def test_nothing_is_compiled_once_the_cache_is_filled(
    run_encoder: Runner, make_clip: ClipMaker, tmp_path: Path
) -> None:
    assert run_encoder(make_clip(40, 24, 1), "-o", "out.obu", "--stats", "stats.json").returncode == 0
    assert json.loads((tmp_path / "stats.json").read_text())["total"]["compile_s"] == 0


@pytest.mark.usefixtures("compiled_kernels")
def test_a_stress_seed_draws_a_stream_that_decodes_to_its_reconstruction(run_encoder: Runner, tmp_path: Path) -> None:
    done = run_encoder("--stress", 7, "-o", "out.obu", "--reconstruction", "rec.y4m")
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_pictures(samples_of_video(tmp_path / "out.obu"), samples_of_y4m(tmp_path / "rec.y4m"))


LIMITS = [
    *(f"--quantizer {quantizer}" for quantizer in (1, 255)),
    *(f"--speed {speed}" for speed in range(11)),
    *(f"--threads {threads}" for threads in (1, 1024)),
    "--tile-cols-log2 1 --tile-rows-log2 1 --threads 2",
    "--tile-cols-log2 1 --tile-rows-log2 1 --threads 1 --low-latency --speed 6",
    *(f"--keyint {keyint}" for keyint in (0, 1, 2, 1000, 2**31 - 1)),
    "--keyint 1 --min-keyint 0 --low-latency",
    "--keyint 2 --min-keyint 2",
    f"--keyint 0 --min-keyint {2**31 - 1}",
    *(f"--force-key {frames}" for frames in ("0", "4", "3,1,1", "0,1,2,3,4", str(2**31 - 2))),
    "--no-scene-detection",
    *(f"--skip {frames}" for frames in (0, 4)),
    *(f"--limit {frames}" for frames in (1, 2, 5, 10**9)),
]


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("options", LIMITS)
def test_options_at_their_limits_give_a_file_that_decodes(make_clip: ClipMaker, tmp_path: Path, options: str) -> None:
    out, rec = tmp_path / "out.mkv", tmp_path / "rec.y4m"
    arguments = [str(make_clip(72, 66, 5)), "-o", str(out), "--reconstruction", str(rec), "-q"]
    assert cli.main([*arguments, *options.split()]) == 0
    assert_same_pictures(samples_of_video(out), samples_of_y4m(rec))


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_stress_seeds_at_their_limits(tmp_path: Path, seed: int) -> None:
    out, rec = tmp_path / "out.obu", tmp_path / "rec.y4m"
    assert cli.main(["--stress", str(seed), "-o", str(out), "--reconstruction", str(rec), "-q"]) == 0
    assert_same_pictures(samples_of_video(out), samples_of_y4m(rec))


@pytest.mark.parametrize("seed", ["-1", str(2**64), "x"])
def test_stress_seeds_beyond_their_limits(tmp_path: Path, seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--stress", seed, "-o", str(tmp_path / "out.obu")]) == 2
    assert re.fullmatch(r"encoder: .*stress.*\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("structure", ["", "--low-latency", "--keyint 1"])
def test_a_clip_that_is_cut_off_in_a_frame(
    make_clip: ClipMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str], structure: str
) -> None:
    """When it shows, much has been encoded and written; what is whole can be encoded all the same."""
    clip = make_clip(16, 16, 21)
    clip.write_bytes(clip.read_bytes()[:-100])
    outputs = {option: str(tmp_path / name) for option, name in (("-o", "out.mp4"), ("--reconstruction", "rec.y4m"))}
    arguments = [str(clip), *(word for pair in outputs.items() for word in pair), "--psnr", *structure.split()]
    assert cli.main(arguments) == 2
    message = f"encoder: {clip}: frame 20 is truncated: 284 bytes of 384; --limit 20 takes the frames before it\n"
    assert capsys.readouterr() == ("", message)
    assert list(tmp_path.iterdir()) == [clip]
    assert cli.main([*arguments, "--limit", "20"]) == 0
    assert ": 20 frames 16x16" in capsys.readouterr().out
    assert_same_pictures(samples_of_video(tmp_path / "out.mp4"), samples_of_y4m(tmp_path / "rec.y4m"))


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("suffix", ["ivf", "mkv", "mp4"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_container_that_is_cut_off(
    make_clip: ClipMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, share: float
) -> None:
    """What FFmpeg reads of it becomes a file that can be decoded, or one line says why not."""
    whole, cut, out = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}", tmp_path / "out.ivf"
    assert cli.main([str(make_clip(24, 16, 5)), "-o", str(whole), "-q"]) == 0
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    status = cli.main([str(cut), "-o", str(out), "-q"])
    printed = capsys.readouterr()
    assert printed.out == "" and status in (0, 2)
    if status:
        assert re.fullmatch(rf"encoder: {cut}: .+\n", printed.err) and not out.exists()
    else:
        assert printed.err == "" and 1 <= len(samples_of_video(out)) <= 5
