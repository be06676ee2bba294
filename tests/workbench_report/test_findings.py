"""What the records of a run are found to say, against what the builder put into them."""

import dataclasses
import json
import math

import pytest

from workbench.analysis.amdahl import predicted_speedup
from workbench.analysis.findings import findings
from workbench.analysis.frames import added_up
from workbench.analysis.stages import serial_stages
from workbench.analysis.tiles import cost_by_tiles
from workbench.errors import InputError
from workbench.record import read_run

from .synthetic import FRAMES, PARALLEL_SHARE, START_UP_S, STEPS, build_run, per_frame_s, stream_bytes


def test_time_per_frame_and_start_up(found):
    pan = next(clip for clip in found.times if clip.subject.clip == "pan")
    assert pan.per_frame_s == pytest.approx(per_frame_s("pan"), rel=0.03)
    assert pan.interval.holds(pan.per_frame_s)
    assert pan.start_up_s == START_UP_S
    assert pan.lengths == (3, 8)
    assert pan.outliers == ()


def test_the_disturbed_repetition_is_found(found):
    water = next(clip for clip in found.times if clip.subject.clip == "water")
    assert water.outliers == (3,)


def test_streams_and_agreement_of_the_sets_on_the_tiny_clips(found):
    assert [(clip.subject.clip, clip.decodes, clip.frames) for clip in found.outputs] == [
        ("pan", True, 8),
        ("water", True, 8),
    ]
    assert found.outputs[0].stream_bytes == stream_bytes("pan")
    assert [(one.clip, one.agree) for one in found.agreements] == [("pan", True), ("water", True)]


def test_the_planted_parallel_share_is_recovered(found):
    assert found.law.interval.holds(PARALLEL_SHARE)
    assert found.law.p == pytest.approx(PARALLEL_SHARE, abs=0.02)


def test_tile_rows_hold_speed_up_bytes_and_their_base(found):
    rows = {(row.tiles, row.threads): row for row in found.tile_rows}
    assert rows[1, 1].speedup == 1
    assert rows[1, 1].interval is None
    assert rows[4, 2].speedup == pytest.approx(predicted_speedup(PARALLEL_SHARE, 2), rel=0.02)
    assert rows[4, 2].imbalance == pytest.approx(1.1 / 1.025)
    assert rows[4, 2].bytes_change == pytest.approx(0.012, abs=1e-3)
    assert [(tiles, clips) for tiles, _, _, clips in cost_by_tiles(found.tile_rows)] == [(2, 1), (4, 1), (8, 1)]


def test_a_tile_count_that_the_picture_is_too_small_for_is_not_pretended(tmp_path):
    run = read_run(build_run(tmp_path / "run", clips=("flat",), tile_clips=("flat",)))
    impossible = [row.requested for row in findings(run).tile_rows if not row.possible]
    assert impossible == [4, 8]


def test_serial_stages_by_name_and_tile_imbalance(found):
    names = [name for name, _ in serial_stages(found.stages)]
    assert names[:2] == ["cdef", "deblocking"]
    four = next(clip for clip in found.stages if clip.tile_count == 4)
    totals = [sum(tile.values()) for tile in four.tiles]
    assert four.imbalance == pytest.approx(max(totals) / (sum(totals) / 4))
    assert 0.8 < four.parallel_share < 0.9


def test_frames_by_type_and_layer(found):
    """Two clips of other sizes: the sums are over both, and samples make their bits and times comparable."""
    pan, water = found.frames
    assert [kind.name for kind in pan.kinds] == ["key", "layer 0", "layer 1", "layer 2"]
    assert pan.stream_bytes == pytest.approx(stream_bytes("pan"), abs=4)
    key, base, _, leaves = added_up(found.frames)
    assert (key.frames, base.hidden, leaves.frames, leaves.hidden) == (2, 2, 8, 0)
    assert key.samples == 2 * 640 * 360
    both = stream_bytes("pan") + stream_bytes("water")
    assert key.stream_bytes == pytest.approx(0.6 * both, abs=2)
    assert key.bits_per_sample == pytest.approx(8 * key.stream_bytes / key.samples)
    assert leaves.wall_s == pytest.approx(0.3 * (pan.wall_s + water.wall_s))
    assert base.bits["motion"] == pytest.approx(0.2 * 8 * base.stream_bytes, rel=0.01) and "motion" not in key.bits
    assert (leaves.quantizer, leaves.psnr_y) == (140, 38)
    assert leaves.modes == pytest.approx({"NEWMV": 0.998, "DC": 0.002})


def test_kinds_without_an_error_have_no_mean_of_it(found):
    kind = dataclasses.replace(found.frames[0].kinds[0], psnr_y=None)
    clip = dataclasses.replace(found.frames[0], kinds=(kind,))
    assert math.isnan(added_up([clip])[0].psnr_y)
    assert added_up([clip, found.frames[1]])[0].psnr_y == 40  # the mean of those that have one
    assert added_up([]) == []


def test_memory_per_frame(found):
    assert found.memory[0].allocations_per_frame == 80 / 4
    assert len(found.memory[0].max_rss_bytes) == 10


def test_choice_and_what_no_clip_reaches(found):
    assert [one.clip for one in found.candidates] == ["pan", "water"]
    assert found.never.lines("tile/residual.py") == 15
    assert found.never.share == pytest.approx(found.never.covered_items / 2680)


def test_two_kernel_sets_are_kept_apart(tmp_path):
    run = read_run(build_run(tmp_path / "run", clips=("pan",), kernels=("numba", "numpy")))
    times = {clip.subject.kernels: clip.per_frame_s for clip in findings(run).times}
    assert times["numpy"] / times["numba"] == pytest.approx(40, rel=0.05)
    assert findings(run).label(run_subject(run, "numpy")) == "pan (numpy)"


def run_subject(run, kernels):
    """The subject of a kernel set."""
    return next(clip.subject for clip in findings(run).times if clip.subject.kernels == kernels)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_was_never_taken_leaves_the_others(tmp_path, step):
    found = findings(read_run(build_run(tmp_path / "run", clips=("pan",), without=(step,))))
    sections = {
        "select": found.candidates,
        "check": found.outputs,
        "time": found.times,
        "spans": found.stages,
        "stacks": found.profiles,
        "memory": [clip for clip in found.memory if clip.allocations is not None],
        "largest": [found.timeline] if found.timeline else [],
        "tiles": found.tile_rows,
    }
    assert [name for name, section in sections.items() if not section] == [step]


def test_frames_are_those_of_the_checked_stream(found):
    assert all(clip.frames == FRAMES for clip in found.outputs)


@pytest.mark.parametrize(
    ("entry", "said"),
    [({"values": ["fast"]}, "line 3: values of decodes"), ({"data": [1]}, "line 3: subject and data of decodes")],
)
def test_a_record_with_words_for_numbers_is_refused_by_line(tmp_path, entry, said):
    folder = build_run(tmp_path / "run", clips=("pan",), without=("select",))
    lines = (folder / "records.jsonl").read_text().splitlines()
    lines.insert(2, json.dumps(json.loads(lines[1]) | entry))
    (folder / "records.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=said):
        findings(read_run(folder))
