"""Instruments that look inside the encoder, on the stand-in: spans, allocations, coverage, output, tiles."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.instruments import coverage, memory, output, spans, tiles
from workbench.instruments.coverage import Covered, never_reached
from workbench.kept import Kept
from workbench.repetition import Limits
from workbench.subject import Encoder, Subject

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
    assert data["stages"] == data["parallel"] | data["serial"]
    assert data["interpreted"] is True


def test_spans_are_kept_by_tile(subject: Subject, tmp_path: Path) -> None:
    record = spans.measure(subject.change(tile_cols_log2=1), tmp_path, TIMEOUT_S)
    assert [tile["index"] for tile in record.data["tiles"]] == [0, 1]
    by_tile = sum(tile["stages"]["entropy"] for tile in record.data["tiles"])
    assert by_tile == pytest.approx(record.data["parallel"]["entropy"])


def test_allocations_are_those_of_the_steady_state(subject: Subject, tmp_path: Path) -> None:
    allocations, peak = memory.measure(subject, tmp_path, TIMEOUT_S)
    site = next(site for site in allocations.data["top_sites"] if "encoder/stream.py" in site["site"])
    assert allocations.data["frames"] == subject.frames - 1
    assert site["count"] == subject.frames - 1  # the stand-in keeps 50,000 bytes a frame; the first one is not tracked
    assert 50_000 * 3 <= site["bytes"] < 51_000 * 3
    assert peak.values[0] >= 150_000 and allocations.values[0] >= 3


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
    decodes, size, quality = output.check(subject, tmp_path, TIMEOUT_S)
    assert (
        decodes.values == (1.0,) and decodes.data["decoder"] == "libdav1d" and decodes.data["frames"] == subject.frames
    )
    assert size.values == ((tmp_path / "stream.ivf").stat().st_size,)
    assert quality.values == (40.0,) and quality.data["mean_psnr"] == [40.5, 41.5, 42.5]


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


def test_tiles_are_timed_in_their_steady_state(subject: Subject, tmp_path: Path) -> None:
    two = subject.change(tile_cols_log2=1, frames=2)
    subjects = [subject.change(frames=2), two, two.change(threads=2)]
    records = tiles.time_tiles(subjects, tmp_path, Limits(2, 2, 0.0, TIMEOUT_S), lambda: None)
    walls = [record for record in records if record.metric == "tiles_wall"]
    coordinates = [(r.subject["tiles"], r.subject["threads"], len(r.values)) for r in walls]
    assert coordinates == [(1, 1, 2), (2, 1, 2), (2, 2, 2)]
    for record in walls:
        assert all(0 < s < wall for s, wall in zip(record.values, record.data["process_wall_s"], strict=True))
    assert [(r.subject["tiles"], len(r.values)) for r in records if r.metric == "tiles_bytes"] == [(1, 1), (2, 1)]


def test_the_steady_state_leaves_the_first_frame_and_its_part_of_reading_and_writing_out() -> None:
    total = {"input_s": 0.3, "output_s": 0.6, "start_up_s": 9.0}
    frames = [{"wall_s": 5.0}, {"wall_s": 1.0}, {"wall_s": 2.0}]
    assert tiles.steady_seconds({"frames": frames, "total": total}) == pytest.approx(3.0 + 0.6)
    assert tiles.steady_seconds({"frames": frames[:1], "total": total}) == pytest.approx(5.0 + 0.9)


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
