"""Instruments that look inside the encoder, on the stand-in: spans, allocations, coverage, output, tiles."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from workbench.encode import frame_seconds, loaded
from workbench.instruments import coverage, memory, output, spans, tiles
from workbench.instruments.coverage import Covered, never_reached
from workbench.instruments.inside import loaded as inside_loaded
from workbench.instruments.inside.profiled import PERIOD, sampled
from workbench.kept import Kept
from workbench.repeated import back_and_forth
from workbench.repetition import Limits
from workbench.subject import Encoder, Subject, our_encoder, package_folder

TIMEOUT_S = 120.0


def test_spans_add_up_to_the_frames_time(subject: Subject, tmp_path: Path) -> None:
    record = spans.measure(subject, tmp_path, TIMEOUT_S)
    data = record.data
    inside = (
        sum(data["parallel"].values())
        + sum(data["serial"].values())
        - data["serial"]["input"]
        - data["serial"]["output"]
    )
    assert record.values == (data["wall_s"],) and inside == pytest.approx(data["wall_s"])
    assert set(data["parallel"]) == {"decision", "reconstruction", "entropy", "rest of the tile"}
    in_frames = {"lookahead", "motion", "deblocking", "cdef", "restoration", "headers", "rest of the frame"}
    assert set(data["serial"]) == in_frames | {"input", "output"}
    # Tiles run side by side in two stages of the stand-in's frames, 0.85 and 0.05 of their time; spans cover 0.85.
    assert sum(data["parallel"].values()) == pytest.approx(0.9 * data["wall_s"])
    assert data["parallel"]["rest of the tile"] == pytest.approx(0.05 * data["wall_s"])
    assert data["stages"] == data["parallel"] | data["serial"]
    assert data["interpreted"] is True


@pytest.mark.parametrize(("status", "told"), [(0, 2), (5, 1)])
def test_compiled_code_is_loaded_before_an_encode(monkeypatch: pytest.MonkeyPatch, status: int, told: int) -> None:
    """The set's own warm-up, then the command line as it is; where the set cannot be loaded, its exit status."""
    calls: list[list[str]] = []
    monkeypatch.setattr("encoder.cli.main", lambda words: calls.append(words) or status)
    words = ["a.y4m", "-o", "b.ivf", "--kernels", "numba,sad=mine.py:sad", "-y"]
    monkeypatch.setattr("sys.argv", ["loaded.py", *words])
    assert inside_loaded.main() == status
    assert calls == [["--warm", "--kernels", "numba,sad=mine.py:sad", "-q"], words][:told]


def test_an_encode_with_its_code_loaded_says_what_any_other_says(subject: Subject, tmp_path: Path) -> None:
    plain = output.check(subject, tmp_path, TIMEOUT_S)[0].data
    other = output.check(subject.change(encoder=loaded(subject.encoder)), tmp_path, TIMEOUT_S)[0].data
    assert other["sha256"] == plain["sha256"] and other["frames"] == subject.frames


def test_spans_are_kept_by_tile(subject: Subject, tmp_path: Path) -> None:
    record = spans.measure(subject.change(tile_cols_log2=1), tmp_path, TIMEOUT_S)
    assert [tile["index"] for tile in record.data["tiles"]] == [0, 1]
    by_tile = sum(tile["stages"]["entropy"] for tile in record.data["tiles"])
    assert by_tile == pytest.approx(record.data["parallel"]["entropy"])


def test_what_tiles_wait_for_each_other_is_none_of_their_stages(subject: Subject, tmp_path: Path) -> None:
    """On two threads the seconds of the frame's stages are not the tiles' work: what no span covers is not known."""
    record = spans.measure(subject.change(tile_cols_log2=1, threads=2), tmp_path, TIMEOUT_S)
    assert "rest of the tile" not in record.data["parallel"]


def test_allocations_are_those_of_the_steady_state(subject: Subject, tmp_path: Path) -> None:
    """Of a clip of four pictures, twelve of which are encoded: forwards, backwards, forwards."""
    allocations, peak = memory.measure(subject, tmp_path, TIMEOUT_S, warm_up=5, frames=12)
    site = next(site for site in allocations.data["top_sites"] if "encoder/stream.py" in site["site"])
    assert (allocations.data["frames"], allocations.data["warm_up"]) == (7, 5)
    assert site["count"] == 7  # the stand-in keeps 50,000 bytes a frame; the first five are not tracked
    assert 50_000 * 7 <= site["bytes"] < 51_000 * 7
    assert peak.values[0] >= 350_000 and allocations.values[0] >= 7


@pytest.mark.parametrize(
    ("clip", "order"),
    [("", ""), ("a", "aaaaaaaa"), ("ab", "abababab"), ("abc", "abcbabcb"), ("abcdefghijk", "abcdefgh")],
)
def test_a_clip_goes_back_and_forth_without_a_cut(clip: str, order: str) -> None:
    assert "".join(islice(back_and_forth(iter(clip)), 8)) == order


def test_pictures_that_their_owner_reuses_are_kept() -> None:
    """As readers do: one picture, filled again for every frame."""

    def reused() -> Iterator[list[int]]:
        picture = [0]
        for number in range(3):
            picture[0] = number
            yield picture

    assert [picture[0] for picture in islice(back_and_forth(reused()), 7)] == [0, 1, 2, 1, 0, 1, 2]


class Clockwork:
    """A sampler that does nothing but tell when it is on."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.frames: int | None = None

    def start(self) -> None:
        self.told.append("start")

    def stop(self, frames: int | None = None) -> None:
        self.told.append("stop")
        self.frames = frames


def sampled_packets(seconds: float, warm_up: int, pictures: str = "abc", frames: int = 0) -> list[str]:
    """What is told while pictures become packets, each after a hundredth of a second."""
    sampler = Clockwork()

    def encode(shown: Iterable[str]) -> Generator[str, None, None]:
        try:
            for picture in shown:
                time.sleep(0.01)
                yield picture
        finally:
            sampler.told.append("closed")

    for packet in sampled(encode, sampler, warm_up, seconds, frames)(pictures):  # type: ignore[arg-type]
        sampler.told.append(packet)
    between = sampler.told[sampler.told.index("start") : sampler.told.index("stop")]
    assert sampler.frames == len([word for word in between if len(word) == 1])
    return sampler.told


def test_the_sampler_is_on_behind_the_warm_up_until_its_time_is_over() -> None:
    told = sampled_packets(0.1, warm_up=2)
    assert told[:4] == ["a", "b", "start", "c"] and told[-2:] == ["stop", "closed"]
    assert len(told[3:-2]) == PERIOD  # a whole mini-GOP, and no picture is encoded behind the end


def test_the_sampler_is_on_for_as_many_frames_as_are_asked_for() -> None:
    assert sampled_packets(9.0, warm_up=1, frames=3) == ["a", "start", "b", "c", "b", "stop", "closed"]


def test_without_a_time_the_clip_is_sampled_once() -> None:
    assert sampled_packets(0, warm_up=1) == ["a", "start", "b", "c", "closed", "stop"]


def test_a_clip_without_pictures_is_not_sampled_for_ever() -> None:
    assert sampled_packets(0.1, warm_up=17, pictures="") == ["closed", "start", "stop"]


@pytest.mark.parametrize(
    ("location", "site"),
    [
        ("encode:/home/someone/venv/encoder/stream.py:37", "encoder/stream.py:37 encode"),
        ("<listcomp>:/a.py:4", "a.py:4 <listcomp>"),
        ("malloc", "malloc"),
    ],
)
def test_a_site_names_no_folder_of_the_machine(location: str, site: str) -> None:
    assert memory.readable_site(location) == site


def test_coverage_tells_what_was_run_and_what_was_not(subject: Subject, tmp_path: Path) -> None:
    covered = coverage.measure(subject.change(frames=1), tmp_path, TIMEOUT_S)
    lines = {line for name, line, *rest in covered.items if name == "stream.py" and not rest}
    source = (Path(__file__).parent / "fake/encoder/stream.py").read_text().splitlines()
    at = {text.strip(): number for number, text in enumerate(source, 1)}
    assert at["walk(ROUNDS, calls)"] in lines
    assert at['raise ValueError("never reached in the tests")'] not in lines
    missing = never_reached([covered])
    assert any(
        first <= at['raise ValueError("never reached in the tests")'] <= last
        for first, last in missing.data["files"]["stream.py"]
    )
    assert missing.values[0] == missing.data["total_items"] - missing.data["covered_items"]


def test_a_branch_counts_beside_its_lines(subject: Subject, tmp_path: Path) -> None:
    covered = coverage.measure(subject.change(frames=1), tmp_path, TIMEOUT_S)
    arcs = [item for item in covered.items if len(item) == 3]
    assert any(item[0] == "kernels/set_numba/busy.py" for item in arcs) is False  # other sets are no part of an encode
    assert any(item[0] == "stream.py" for item in arcs)


@pytest.mark.slow
def test_three_frames_of_the_encoder_reach_what_inter_frames_are_made_of(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A key frame, a hidden frame and a leaf: no part of the walk and of a frame is out of the selection's sight, of a preset that
    searches the partition and of one that plans it."""
    clip = make_clip(24, 16, 3, name="inter.y4m")
    searched, planned = (
        Subject("inter", clip, 24, 16, 3, our_encoder(), coverage.KERNELS, speed=speed) for speed in (8, 10)
    )
    covered = coverage.measure(searched, tmp_path, TIMEOUT_S)
    package = package_folder()
    plain = {str(path.relative_to(package)) for floor in ("tile", "frame") for path in (package / floor).glob("*.py")}
    assert plain - set(covered.files) == {"tile/stress.py"}  # no encode in earnest draws its decisions
    reached = {name: set(file["lines"]) & set(file["statements"]) for name, file in covered.files.items()}
    planning = coverage.measure(planned, tmp_path, TIMEOUT_S).files
    for name in ("tile/partition_plan.py", "tile/planned_search.py"):
        reached[name] = set(planning[name]["lines"]) & set(planning[name]["statements"])
    for name in (
        "tile/partition_plan.py", "tile/planned_search.py", "tile/inter_search.py", "tile/inter_predict.py",
        "tile/inter_modes.py", "tile/mv_stack.py", "tile/motion_search.py", "frame/gop.py", "frame/lookahead.py",
        "frame/references.py", "frame/motion.py", "frame/motion_field.py", "frame/temporal_filter.py", "frame/order_hints.py",
        "kernels/set_numpy/inter.py", "kernels/set_numpy/motion.py",
    ):  # fmt: skip
        assert len(reached[name]) > 0.5 * len(covered.files[name]["statements"]), name


def test_ranges_of_lines_run_over_comments_but_not_over_lines_that_were_reached() -> None:
    files = {"a.py": {"statements": [1, 2, 5, 6, 9, 10], "lines": [1, 6], "exits": 2, "arcs": [[1, 2]]}}
    record = never_reached([Covered(files)])
    assert record.data["files"] == {"a.py": [[2, 5], [9, 10]]}
    assert (record.data["total_items"], record.data["covered_items"], record.values) == (8, 3, (5.0,))


def test_a_result_is_kept_until_the_clip_or_a_setting_changes(subject: Subject) -> None:
    assert Kept("coverage").find(subject) is None
    Kept("coverage").keep(subject, {"a": 1})
    assert Kept("coverage").find(subject) == {"a": 1}
    assert Kept("digests").find(subject) is None
    assert Kept("coverage").find(subject.change(quantizer=7)) is None
    data = subject.source.read_bytes()
    subject.source.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert Kept("coverage").find(subject) is None


def test_a_result_that_was_damaged_counts_as_none(subject: Subject, own_cache: Path) -> None:
    Kept("coverage").keep(subject, {"a": 1})
    for path in own_cache.rglob("*.json"):
        path.write_text("{")
    assert Kept("coverage").find(subject) is None


def test_a_right_stream_decodes_to_its_reconstruction(subject: Subject, tmp_path: Path) -> None:
    decodes, size, quality, _ = output.check(subject, tmp_path, TIMEOUT_S)
    assert (
        decodes.values == (1.0,) and decodes.data["decoder"] == "libdav1d" and decodes.data["frames"] == subject.frames
    )
    assert size.values == ((tmp_path / "stream.ivf").stat().st_size,)
    assert quality.values == (40.0,) and quality.data["mean_psnr"] == [40.5, 41.5, 42.5]
    assert decodes.data["first_s"] > 0 and decodes.data["frame_s"] > 0


def test_frames_are_added_up_by_type_and_layer(subject: Subject, tmp_path: Path) -> None:
    """The stand-in's four frames: a key frame, a leaf that is coded behind its hidden base, a base at the end."""
    kinds = output.check(subject, tmp_path, TIMEOUT_S)[-1].data["kinds"]
    of_all = ("type", "layer", "frames", "hidden", "bytes", "quantizer", "psnr_y")
    assert [tuple(kind[name] for name in of_all) for kind in kinds] == [
        ("key", 0, 1, 0, 200, 100, 40.0),
        ("inter", 0, 2, 1, 400, 100, 40.0),
        ("inter", 1, 1, 0, 100, 110, 40.0),
    ]
    assert kinds[1]["bits"] == {"mode": 600.0, "motion": 200.0, "coefficients_y": 800.0}
    assert all(kind["block_sizes"] == {"16x16": 0.25, "64x64": 0.75} and kind["wall_s"] > 0 for kind in kinds)


def test_shares_are_means_over_the_frames_and_missing_ones_are_nothing() -> None:
    frame = {"type": "inter", "layer": 2, "shown": True, "bytes": 1, "wall_s": 1.0, "bits": {}, "quantizer": 9}
    seen = [frame | {"modes": {"NEWMV": 1.0}}, frame | {"modes": {"NEWMV": 0.5, "DC": 0.5}, "psnr": [None, 30.0, 30.0]}]
    (kind,) = output.frame_kinds(seen)
    assert kind["modes"] == {"NEWMV": 0.75, "DC": 0.25} and kind["block_sizes"] == {}
    assert kind["psnr_y"] is None  # no error was measured, or there is none at all


def test_one_wrong_sample_is_found_and_placed(
    subject: Subject, fake_encoder: Callable[..., Encoder], tmp_path: Path
) -> None:
    decodes = output.check(subject.change(encoder=fake_encoder("corrupt")), tmp_path, TIMEOUT_S)[0]
    assert decodes.values == (0.0,)
    assert decodes.data["message"].startswith("frame 3, plane Y: 1 samples differ, first at x 5, y 0: ")


def test_a_stream_that_is_no_stream_is_a_finding(subject: Subject, tmp_path: Path) -> None:
    output.check(subject, tmp_path, TIMEOUT_S)
    stream = tmp_path / "stream.ivf"
    data = bytearray(stream.read_bytes())
    data[60:200] = bytes(140)
    stream.write_bytes(data)
    assert output._decode(stream, tmp_path / output.RECONSTRUCTION, TIMEOUT_S)["message"]


@pytest.mark.parametrize(("fault", "agree"), [("", 1.0), ("sets", 0.0)])
def test_sets_that_write_other_bytes_are_found(
    subject: Subject, fake_encoder: Callable[..., Encoder], tmp_path: Path, fault: str, agree: float
) -> None:
    one = subject.change(encoder=fake_encoder(fault), frames=1)
    digests = {name: output.digest(one.change(kernels=name), tmp_path, TIMEOUT_S) for name in ("numpy", "python")}
    record = output.sets_agree(one, digests)
    assert record.values == (agree,)
    assert len(set(record.data["sets"].values())) == (1 if agree else 2)


def test_tiles_are_timed_without_start_up(subject: Subject, tmp_path: Path) -> None:
    two = subject.change(tile_cols_log2=1, frames=2)
    subjects = [subject.change(frames=2), two, two.change(threads=2)]
    records = tiles.time_tiles(subjects, tmp_path, Limits(2, 2, 0.0, TIMEOUT_S), lambda: None)
    walls = [record for record in records if record.metric == "tiles_wall"]
    coordinates = [(r.subject["tiles"], r.subject["threads"], len(r.values)) for r in walls]
    assert coordinates == [(1, 1, 2), (2, 1, 2), (2, 2, 2)]
    for record in walls:
        assert all(0 < s < wall for s, wall in zip(record.values, record.data["process_wall_s"], strict=True))
    assert [(r.subject["tiles"], len(r.values)) for r in records if r.metric == "tiles_bytes"] == [(1, 1), (2, 1)]


def test_a_videos_time_is_that_of_all_frames_with_reading_and_writing() -> None:
    total = {"wall_s": 17.9, "start_up_s": 9.0}
    frames = [{"wall_s": 5.0}, {"wall_s": 1.0}, {"wall_s": 2.0}]
    assert frame_seconds({"frames": frames}) == (5.0, 1.5) and frame_seconds({"frames": frames[:1]}) == (5.0, 5.0)
    assert tiles.video_seconds({"frames": frames, "total": total}) == pytest.approx(8.9)


@pytest.mark.parametrize(
    ("width", "height", "tile_count", "grid"),
    [
        (1280, 720, 1, (1, 1)),
        (1280, 720, 8, (4, 2)),
        (640, 360, 4, (2, 2)),
        (130, 70, 2, (1, 2)),  # 3 superblocks wide: two columns would be 2 + 1, two rows are even
        (176, 144, 8, None),
        (64, 64, 2, None),
    ],
)
def test_a_picture_is_cut_into_exactly_so_many_tiles_or_not_at_all(
    width: int, height: int, tile_count: int, grid: tuple[int, int] | None
) -> None:
    layout = tiles.layout(width, height, tile_count)
    assert (None if layout is None else (layout.cols, layout.rows)) == grid


def test_a_tile_count_that_does_not_fit_is_said_and_not_timed(subject: Subject) -> None:
    record = tiles.not_possible(subject, 8)
    assert record.values == () and record.data["possible"] is False and record.subject["tiles"] == 8
    assert "80x66 cannot be cut into 8 tiles" in record.data["why"]
