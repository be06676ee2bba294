"""Folders of the user's own videos, without a manifest."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from workbench.corpus import cached_path, ensure, load_corpus, long_version, start_version, tiny_version
from workbench.corpus.cache import State, state
from workbench.corpus.clips import Stored
from workbench.errors import InputError

RANDOM = np.random.default_rng(1)


def write_y4m(
    path: Path, width: int, height: int, frames: int, chroma: str = "420jpeg", fps: str = "25:1"
) -> np.ndarray:
    """A Y4M file of noise; returns its frames as uint8 (frames, bytes of a frame)."""
    shift_x, shift_y = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}[chroma[:3]]
    depth_bytes = 2 if "p10" in chroma else 1
    chroma_plane = ((width + shift_x) >> shift_x) * ((height + shift_y) >> shift_y)
    content = RANDOM.integers(0, 3, (frames, (width * height + 2 * chroma_plane) * depth_bytes), np.uint8)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps} Ip A1:1 C{chroma}\n".encode())
        for frame in content:
            file.write(b"FRAME\n" + frame.tobytes())
    return content


def write_video(path: Path, width: int, height: int, frames: int, codec: str = "mpeg4") -> None:
    """A video of grey frames that grow lighter, by PyAV."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(frames):
            picture = np.full((height * 3 // 2, width), 16 + 2 * t, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for videos."""
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


def test_folder_gives_its_videos_sorted_by_name(folder):
    write_y4m(folder / "b.y4m", 16, 8, 2)
    write_video(folder / "a.mp4", 32, 16, 5)
    write_video(folder / "C.MKV", 48, 32, 4)
    (folder / "notes.txt").write_text("no video")
    (folder / ".hidden.mp4").write_bytes(b"no video")
    (folder / "folder.mp4").mkdir()
    corpus = load_corpus(folder)
    assert corpus.manifest is None
    found = [(clip.name, clip.width, clip.height, clip.frames) for clip in corpus.clips]
    assert found == [("C", 48, 32, 4), ("a", 32, 16, 5), ("b", 16, 8, 2)]
    assert {(clip.tier, clip.sha256, clip.source, clip.format) for clip in corpus.clips} == {
        ("own", None, Stored(), "420p8")
    }
    assert corpus.main_clips() == corpus.in_tier("own") == corpus.clips


def test_one_video_is_a_corpus(folder):
    write_y4m(folder / "b.y4m", 16, 8, 2, fps="30000:1001")
    (clip,) = load_corpus(folder / "b.y4m").clips
    assert (clip.name, clip.fps) == ("b", Fraction(30000, 1001))
    assert ensure(clip) == clip.path == folder / "b.y4m"
    assert state(clip) is State.UNCHECKED


def test_names_are_unique(folder):
    for name in ("a.y4m", "b.y4m"):
        write_y4m(folder / name, 16, 8, 1)
    write_video(folder / "a.mp4", 16, 16, 1)
    assert [clip.name for clip in load_corpus(folder).clips] == ["a.mp4", "a.y4m", "b"]


@pytest.mark.parametrize(
    ("chroma", "expected"),
    [("420mpeg2", "420p8"), ("422", "422p8"), ("444", "444p8"), ("420p10", "420p10"), ("422p10", "422p10")],
)
def test_format_is_told(folder, chroma, expected):
    """What the encoder will not take is named before it is tried."""
    write_y4m(folder / "a.y4m", 16, 8, 2, chroma=chroma)
    (clip,) = load_corpus(folder).clips
    assert (clip.format, clip.frames) == (expected, 2)


def test_frames_are_counted_where_the_container_does_not_say(folder):
    write_video(folder / "a.mkv", 32, 16, 7)
    assert load_corpus(folder).clips[0].frames == 7


# --- small versions ---------------------------------------------------------------------------------------------------


def test_tiny_version_is_the_middle_of_three_later_frames(folder):
    """Of 102x80 samples the 48x48 from column 26 (27 would tear luma and chroma apart), row 16; frames 30 to 32."""
    content = write_y4m(folder / "a.y4m", 102, 80, 40)
    (clip,) = load_corpus(folder).clips
    small = tiny_version(clip)
    assert (small.name, small.tier, small.width, small.height, small.frames) == ("a_tiny", "tiny", 48, 48, 3)
    expected = b"YUV4MPEG2 W48 H48 F25:1 Ip A1:1 C420jpeg\n"
    for frame in content[30:33]:
        luma, cb, cr = frame[:8160].reshape(80, 102), frame[8160:10200].reshape(40, 51), frame[10200:].reshape(40, 51)
        planes = (luma[16:64, 26:74], cb[8:32, 13:37], cr[8:32, 13:37])
        expected += b"FRAME\n" + b"".join(plane.tobytes() for plane in planes)
    assert ensure(small).read_bytes() == expected


@pytest.mark.parametrize(("width", "height", "frames"), [(13, 9, 1), (66, 63, 2), (65, 65, 31)])
def test_tiny_version_of_a_small_or_short_video(folder, width, height, frames):
    write_y4m(folder / "a.y4m", width, height, frames)
    small = tiny_version(load_corpus(folder).clips[0])
    assert (small.width, small.height, small.frames) == (min(width, 48), min(height, 48), min(frames, 3))
    (again,) = load_corpus(ensure(small)).clips
    assert (again.width, again.height, again.frames, again.format) == (small.width, small.height, small.frames, "420p8")


def test_start_version_is_the_middle_of_the_first_frames(folder):
    content = write_y4m(folder / "a.y4m", 102, 80, 4)
    start = start_version(load_corpus(folder).clips[0])
    assert (start.name, start.width, start.height, start.frames) == ("a_start", 8, 8, 3)
    luma = content[0][:8160].reshape(80, 102)[36:44, 46:54]
    header, _, frames = ensure(start).read_bytes().partition(b"\n")
    assert header.startswith(b"YUV4MPEG2 W8 H8 ") and frames.startswith(b"FRAME\n" + luma.tobytes())
    assert len(frames) == 3 * (len(b"FRAME\n") + 96)


@pytest.mark.parametrize(("frames", "order"), [(3, [0, 1, 2, 1, 0, 1, 2, 1]), (2, [0, 1] * 4), (1, [0] * 8)])
def test_long_version_goes_forwards_and_backwards(folder, frames, order):
    content = write_y4m(folder / "a.y4m", 18, 10, frames)
    clip = load_corpus(folder).clips[0]
    longer = long_version(clip, len(order))
    assert (longer.name, longer.width, longer.height, longer.frames) == ("a_long", 18, 10, 8)
    header, _, written = ensure(longer).read_bytes().partition(b"\n")
    assert header.startswith(b"YUV4MPEG2 W18 H10 ")
    assert written == b"".join(b"FRAME\n" + content[number].tobytes() for number in order)
    assert cached_path(longer) != cached_path(long_version(clip, 9))


def test_tiny_version_is_cut_from_compressed_video_too(folder):
    write_video(folder / "a.mp4", 128, 96, 40)
    small = tiny_version(load_corpus(folder).clips[0])
    luma = np.frombuffer(ensure(small).read_bytes()[-48 * 48 * 3 // 2 :], np.uint8)[: 48 * 48]
    assert abs(int(luma.mean()) - (16 + 2 * 32)) <= 3


def test_changed_video_has_another_tiny_version(folder):
    write_y4m(folder / "a.y4m", 32, 32, 2)
    before = cached_path(tiny_version(load_corpus(folder).clips[0]))
    write_y4m(folder / "a.y4m", 32, 32, 3)
    assert cached_path(tiny_version(load_corpus(folder).clips[0])) != before


# --- bad input --------------------------------------------------------------------------------------------------------


def assert_refused(path: Path, *expected: str) -> None:
    """load_corpus raises an InputError of one line that begins with the path and says all that is expected."""
    with pytest.raises(InputError) as caught:
        load_corpus(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_empty_folder_names_the_accepted_suffixes(folder):
    assert_refused(folder, str(folder), "no corpus.toml and no video", ".avi .ivf .mkv .mov .mp4 .obu .webm .y4m")


def test_missing_path_is_refused(folder):
    assert_refused(folder / "gone", f"{folder / 'gone'}: no such file or folder", "corpus.toml")


def test_file_of_another_kind_is_refused(folder):
    (folder / "a.txt").write_text("")
    assert_refused(folder / "a.txt", "a.txt: is no corpus and no video", ".toml", ".y4m")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp4", b"no video" * 100),
        ("a.y4m", b""),
        ("a.y4m", b"YUV4MPEG2 W0 H0 F25:1 C420\nFRAME\n"),
        ("a.mkv", bytes(5000)),
        ("a.ivf", b"DKIF"),
    ],
    ids=["text", "empty", "no size", "zeros", "cut off"],
)
def test_file_that_is_no_video_is_refused(folder, name, content):
    (folder / name).write_bytes(content)
    assert_refused(folder, f"{folder / name}: is not a video that PyAV can read")


def test_video_without_a_whole_frame_is_refused(folder):
    (folder / "a.y4m").write_bytes(b"YUV4MPEG2 W48 H48 F25:1 C420jpeg\nFRAME\n" + bytes(100))
    assert_refused(folder, "a.y4m: holds no whole frame", "truncated")


def test_sound_without_pictures_is_refused(folder):
    import av

    with av.open(str(folder / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    assert_refused(folder, "a.mkv: holds no video stream")


def test_video_cut_off_after_it_was_announced_is_one_line(folder, make_broken):
    """The container promises more frames than can be decoded: the small version is refused, nothing is left."""
    clip = make_broken(folder / "a.mp4")
    with pytest.raises(InputError, match=r"a\.mp4: ") as caught:
        ensure(tiny_version(clip))
    assert "\n" not in str(caught.value)
    assert not cached_path(tiny_version(clip)).exists()


@pytest.fixture
def make_broken() -> Callable[[Path], object]:
    """make_broken(path) -> the clip of an mp4 whose index was read before its pictures were overwritten."""

    def make(path: Path) -> object:
        write_video(path, 64, 64, 40)
        (clip,) = load_corpus(path).clips
        content = bytearray(path.read_bytes())
        start = content.index(b"mdat") + 4
        content[start : start + len(content) // 2] = bytes(len(content) // 2)
        path.write_bytes(content)
        return clip

    return make
