"""Containers through PyAV: what goes in comes out, and what is not 8-bit 4:2:0 video is refused."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from encoder.containers import ContainerReader, ContainerWriter
from encoder.errors import ContainerError, DiskFullError
from encoder.ivf import IvfWriter, ObuWriter

SUFFIXES = {"mp4": "mp4", "matroska": "mkv", "webm": "webm"}


def frame(width: int, height: int, pixel_format: str, index: int) -> av.VideoFrame:
    picture = av.VideoFrame(width, height, pixel_format)
    picture.pts = index
    for plane in picture.planes:
        y, x = np.mgrid[: plane.height, : plane.line_size]
        plane.update(np.uint8(128 + 90 * np.sin((x + 3 * index) / 9) * np.cos(y / 7)).tobytes())
    return picture


def write_video(path: Path, codec: str, pixel_format: str = "yuv420p", width: int = 96, height: int = 66) -> Path:
    """Three frames by one of FFmpeg's encoders."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=Fraction(30000, 1001), width=width, height=height, pix_fmt=pixel_format
        )
        for index in range(3):
            container.mux(stream.encode(frame(width, height, pixel_format, index)))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def temporal_units() -> list[bytes]:
    """AV1 of an encoder that is not ours: three key frames of 97x65."""
    encoder = av.CodecContext.create("libsvtav1", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 97, 65, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.options = {"preset": "12", "svtav1-params": "keyint=1"}
    packets = [packet for index in range(3) for packet in encoder.encode(frame(97, 65, "yuv420p", index))]
    return [bytes(packet) for packet in packets + encoder.encode(None)]


def decoded(path: Path) -> list[bytes]:
    with ContainerReader(str(path)) as reader:
        return [b"".join(picture.plane(p).tobytes() for p in range(3)) for picture in reader.pictures()]


@pytest.mark.parametrize("container_format", SUFFIXES)
def test_muxed_units_decode_to_the_same_pictures_at_the_same_times(
    tmp_path: Path, temporal_units: list[bytes], container_format: str
) -> None:
    reference = tmp_path / "reference.ivf"
    path = tmp_path / f"clip.{SUFFIXES[container_format]}"
    fps = Fraction(24000, 1001)
    with reference.open("wb") as ivf, path.open("wb") as stream:
        writers = [IvfWriter(ivf, 97, 65, fps), ContainerWriter(stream, container_format, 97, 65, fps)]
        for writer in writers:
            for pts, unit in enumerate(temporal_units):
                writer.write(unit, pts, True)
            writer.close()
    assert len(decoded(path)) == 3
    assert decoded(path) == decoded(reference)
    with av.open(str(path)) as container:
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size]
    assert [round(time * fps) for time in times] == [0, 1, 2]


def test_ivf_and_obu_streams_are_read_by_ffmpeg(tmp_path: Path, temporal_units: list[bytes]) -> None:
    paths = {IvfWriter: tmp_path / "clip.ivf", ObuWriter: tmp_path / "clip.obu"}
    for kind, path in paths.items():
        with path.open("wb") as stream:
            writer = kind(stream, 97, 65, Fraction(30))
            for pts, unit in enumerate(temporal_units):
                writer.write(unit, pts, True)
            writer.close()
    assert decoded(paths[IvfWriter]) == decoded(paths[ObuWriter])
    with av.open(str(paths[IvfWriter])) as container:
        assert container.streams.video[0].frames == 3
    with ContainerReader(str(paths[IvfWriter])) as reader:
        assert reader.fps == 30


@pytest.mark.parametrize(
    "name, codec", [("clip.mp4", "libx264"), ("clip.mkv", "ffv1"), ("clip.avi", "mpeg4"), ("clip.webm", "libvpx-vp9")]
)
def test_video_of_any_container_is_read_as_ffmpeg_decodes_it(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, codec)
    with av.open(str(path)) as container:
        expected = [picture.to_ndarray(format="yuv420p").tobytes() for picture in container.decode(video=0)]
    assert decoded(path) == expected
    with ContainerReader(str(path)) as reader:
        assert (reader.width, reader.height, reader.fps) == (96, 66, Fraction(30000, 1001))


def test_odd_sizes_are_read_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.mkv", "ffv1", width=51, height=39)
    with ContainerReader(str(path)) as reader:
        first = next(reader.pictures())
        assert first.plane_width == (51, 26, 26)
        for p, plane in enumerate(frame(51, 39, "yuv420p", 0).planes):
            whole = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            np.testing.assert_array_equal(first.plane(p), whole[:, : first.plane_width[p]])


def test_skip_and_limit_choose_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", "ffv1")
    with ContainerReader(str(path)) as reader:
        chosen = [picture.plane(0).copy() for picture in reader.pictures(skip=1, limit=1)]
    assert [plane.tobytes() for plane in chosen] == [decoded(path)[1][: 96 * 66]]


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le", "gray"])
def test_other_sampling_and_depth_are_not_converted_silently(tmp_path: Path, pixel_format: str) -> None:
    path = write_video(tmp_path / "clip.mkv", "ffv1", pixel_format)
    with pytest.raises(ContainerError) as error:
        ContainerReader(str(path))
    assert f"pixel format {pixel_format} is not supported yet, only 8-bit 4:2:0" in str(error.value)
    assert "convert with: ffmpeg -i INPUT -pix_fmt yuv420p" in str(error.value)


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video\n" * 100)
    with pytest.raises(ContainerError, match="notes.mp4: FFmpeg cannot read it: Invalid data"):
        ContainerReader(str(path))


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(ContainerError, match="sound.mkv: has no video stream"):
        ContainerReader(str(path))


def test_a_picture_size_out_of_range_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "small.mkv", "ffv1", width=6, height=6)
    with pytest.raises(ContainerError, match="picture size 6x6 is out of range, accepted: 8x8 to 4096x2304"):
        ContainerReader(str(path))


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", "libx264")
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : at + 400] = b"\xff" * 400
    path.write_bytes(data)
    with pytest.raises(ContainerError, match="frame 0 cannot be decoded"):
        decoded(path)


@pytest.mark.parametrize("container_format", SUFFIXES)
def test_a_full_disk_reaches_the_caller_through_ffmpeg(temporal_units: list[bytes], container_format: str) -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: object) -> int:
            raise DiskFullError("clip: no room")

    with pytest.raises(DiskFullError):
        writer = ContainerWriter(FullDisk(), container_format, 97, 65, Fraction(30))
        for pts, unit in enumerate(temporal_units * 100):
            writer.write(unit, pts, True)
        writer.close()
