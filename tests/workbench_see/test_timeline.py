"""What a timeline says: properties that hold for any spans, and a made-up encode whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.overhead import overhead
from workbench.analysis.timeline import (
    HAND_OVER,
    NONE,
    OWN,
    busy_ns,
    critical_path,
    idle_by_cause_ns,
    idle_gaps,
    latencies,
    pieces,
    queue_ns,
    self_time_ns,
    timeline_findings,
    timeline_of,
)
from workbench.analysis.traced import traced
from workbench.errors import InputError
from workbench.record import Record
from workbench.report.timeline_text import overhead_sentence

from .scheduled import COLUMNS, encode

LANES, WALL = 3, 60
SPAN = st.tuples(
    st.integers(0, LANES - 1),
    st.integers(0, 3),
    st.integers(0, WALL),
    st.integers(0, 25),
    st.integers(-1, 2),
    st.integers(-1, 1),
)
ENCODES = st.builds(
    encode,
    st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=6), min_size=1, max_size=5),
    workers=st.integers(1, 4),
    motion=st.integers(1, 90),
    cdef=st.integers(1, 90),
)


@st.composite
def timelines(draw):
    """Any spans whatever: they may cross each other, be empty, and wait anywhere."""
    rows = [
        (lane, name, begin, begin + length, frame, tile, NONE)
        for lane, name, begin, length, frame, tile in draw(st.lists(SPAN, max_size=25))
    ]
    columns = dict(zip(COLUMNS, ([*column] for column in zip(*rows, strict=True)) if rows else [[]] * 7, strict=True))
    names = ["a", "b", "c", "wait"]
    return timeline_of({"lanes": ["x", "y", "z"], "names": names, "waits": ["wait"], "spans": columns, "marks": []})


@given(timelines())
def test_spans_nest(timeline):
    for i, parent in enumerate(timeline.parent.tolist()):
        if parent == NONE:
            assert timeline.depth[i] == 0
            continue
        assert parent < i and timeline.lane[parent] == timeline.lane[i]
        assert timeline.depth[i] == timeline.depth[parent] + 1
        assert timeline.begin_ns[parent] <= timeline.begin_ns[i] <= timeline.end_ns[i] <= timeline.end_ns[parent]
        assert timeline.frame[i] != NONE or timeline.frame[parent] == NONE
    for lane in range(LANES):
        for parent in {NONE, *range(len(timeline))}:
            inside = np.flatnonzero((timeline.parent == parent) & (timeline.lane == lane))
            assert (timeline.end_ns[inside][:-1] <= timeline.begin_ns[inside][1:]).all()


@given(timelines())
def test_self_times_and_pieces_cover_what_spans_cover(timeline):
    own, by_lane = self_time_ns(timeline), pieces(timeline)
    assert (own >= 0).all()
    for lane, lane_pieces in enumerate(by_lane):
        edges = [0, *(piece.end_ns for piece in lane_pieces)]
        assert [piece.begin_ns for piece in lane_pieces] == edges[:-1]
        assert edges[-1] == timeline.wall_ns
        assert all(piece.end_ns > piece.begin_ns for piece in lane_pieces)
        inside = {}
        for piece in lane_pieces:
            inside[piece.span] = inside.get(piece.span, 0) + piece.end_ns - piece.begin_ns
        for span in np.flatnonzero(timeline.lane == lane).tolist():
            assert inside.get(span, 0) == own[span]


@given(timelines())
def test_the_critical_path_is_as_long_as_the_timeline(timeline):
    by_lane = pieces(timeline)
    path = critical_path(timeline, by_lane)
    edges = [0, *(step.end_ns for step in path)]
    assert [step.begin_ns for step in path] == edges[:-1]
    assert edges[-1] == timeline.wall_ns
    for step in path:
        if step.span == NONE:
            continue
        (piece,) = (p for p in by_lane[step.lane] if p.begin_ns < step.end_ns <= p.end_ns)
        assert piece.span == step.span and piece.begin_ns <= step.begin_ns


@given(timelines())
def test_every_lane_is_busy_or_idle_for_a_cause(timeline):
    by_lane = pieces(timeline)
    path = critical_path(timeline, by_lane)
    gaps = list(idle_gaps(timeline, by_lane, path))
    idle = idle_by_cause_ns(timeline, path, gaps)
    for lane, busy in enumerate(busy_ns(timeline, by_lane)):
        assert busy + sum(idle[lane].values()) == timeline.wall_ns
    for gap in gaps:
        assert gap.begin_ns < gap.end_ns
        if gap.cause != NONE:
            step = path[gap.cause]
            assert step.begin_ns <= gap.begin_ns and gap.end_ns <= step.end_ns


@given(ENCODES)
def test_of_an_encode_the_path_is_all_work(data):
    """Without delays at the hand-overs, every nanosecond of the wall time is somebody's work."""
    found = timeline_findings(data)
    work = {"read", "motion", "tile", "cdef"}
    assert found.path_by_stage_ns.keys() <= work
    assert sum(found.path_by_stage_ns.values()) == found.timeline.wall_ns
    for frame, name in enumerate(data["frames"]):
        assert name["display_index"] == frame
        tiles = [step for step in found.path if step.what == "tile" and found.timeline.frame[step.span] == frame]
        at = found.timeline.names.index("tiles")
        (stage,) = np.flatnonzero((found.timeline.name == at) & (found.timeline.frame == frame))
        assert sum(step.duration_ns for step in tiles) == found.timeline.end_ns[stage] - found.timeline.begin_ns[stage]
    assert all(cause in work for lane in found.lanes for cause in lane.idle_ns)


@given(ENCODES)
@settings(max_examples=25)
def test_latency_reaches_from_in_to_out(data):
    for way in latencies(timeline_of(data)):
        assert way.in_ns <= way.coded_begin_ns < way.coded_end_ns <= way.out_ns
        assert way.total_ns == way.out_ns - way.in_ns


def test_a_slow_tile_is_the_critical_path_and_what_others_wait_for():
    found = timeline_findings(encode([[100, 900, 120]], motion=30, cdef=50))
    timeline = found.timeline
    slow = [step for step in found.path if step.what == "tile"]
    assert [int(timeline.tile[step.span]) for step in slow] == [1]
    assert dict(found.path_by_stage_ns) == {"tile": 900, "cdef": 50, "motion": 30, "read": 5}
    main, first, second = found.lanes
    assert (main.busy_ns, main.idle_ns) == (85, {"tile": 900})
    assert (first.busy_ns, first.idle_ns) == (220, {"tile": 680, "cdef": 50, "motion": 30, "read": 5})
    assert (second.busy_ns, second.idle_ns) == (900, {"cdef": 50, "motion": 30, "read": 5})
    third = next(i for i in range(len(timeline)) if timeline.label(i) == "tile" and timeline.tile[i] == 2)
    assert queue_ns(timeline)[third] == 100
    assert found.latency_ns() == (980, 980)
    assert found.busy_threads == pytest.approx((85 + 220 + 900) / 985)


def test_the_path_follows_a_worker_from_tile_to_tile_and_names_hand_overs():
    found = timeline_findings(encode([[100, 400, 350]], wake=7))
    chain = [(step.lane, step.what, step.duration_ns) for step in found.path]
    assert chain == [
        (0, "read", 5),
        (0, "motion", 30),
        (1, HAND_OVER, 7),
        (1, "tile", 100),
        (1, HAND_OVER, 7),
        (1, "tile", 350),
        (0, HAND_OVER, 7),
        (0, "cdef", 50),
    ]


def test_rows_and_trials_count_as_their_tile_and_for_themselves():
    found = timeline_findings(encode([[100, 400]], rows=4))
    assert found.path_by_stage_ns["tile"] == 400
    assert found.path_inside_ns["trial"] == 400 - 4 * 2
    assert found.path_inside_ns["superblock row"] == 4 * 2


def test_what_a_thread_does_between_its_spans_is_its_own():
    columns = {"lane": [0, 0], "name": [0, 0], "begin_ns": [0, 70], "end_ns": [50, 100]}
    columns |= {name: [NONE, NONE] for name in ("frame", "tile", "place")}
    found = timeline_findings({"lanes": ["main"], "names": ["a"], "waits": [], "spans": columns, "marks": []})
    assert found.lanes[0].idle_ns == {OWN: 20}


def record(data, metric="timeline", **fields):
    """A record of the instrument."""
    subject = {"clip": "made up", "width": 64, "height": 64, "kernels": "numba"}
    return Record("trace", metric, "s", subject, (1.0,), data, **fields)


def test_what_was_lost_and_what_did_not_happen_is_said():
    data = encode([[10, 20]], workers=3) | {"threads": 3}
    data["marks"].pop()
    read = traced([record(data, warnings=("7 spans found no room",))])
    said = " ".join(read.warnings)
    assert "7 spans found no room" in said
    assert "not measured" in overhead_sentence(read.overhead)
    assert "of 1 pictures the way" in said
    with pytest.raises(InputError, match="no timeline"):
        traced([])


def test_threads_that_share_processors_are_a_warning():
    (said,) = traced([record(encode([[10, 20, 30]], workers=3) | {"cores": 2})]).warnings
    assert "3 threads shared 2 processors" in said
    assert not traced([record(encode([[10, 20, 30]], workers=3))]).warnings


# Overhead -----------------------------------------------------------------------------------------------------------------


def rounds(share, noise=0.02, between=0.004, count=8, pairs=60, seed=1):
    """Pairs of packets of very different lengths; one in ten is disturbed, on either side, and each round has a luck of its own."""
    random = np.random.RandomState(seed)
    made = []
    for _ in range(count):
        plain = random.choice([0.4, 0.02, 0.05, 0.1], pairs)
        luck = noise * random.standard_normal(pairs) + between * random.standard_normal()
        recorded = plain * (1 + share) * np.exp(luck)
        recorded[::10] *= random.choice([0.6, 1.9], len(recorded[::10]))
        made.append(np.column_stack([plain, recorded]).tolist())
    return made


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_overhead_is_found_between_disturbed_pairs(share):
    cost = overhead({"detail": "block", "rounds": rounds(share)})
    assert cost.share == pytest.approx(share, abs=0.007)
    assert cost.interval.holds(share)
    assert cost.is_beyond_limit == (share > 0.03)
    assert (cost.rounds, cost.pairs) == (8, 480)


def test_the_interval_of_overhead_holds_it_as_often_as_it_says():
    """However many pairs a round has, all of them share its luck."""
    found = [overhead({"detail": "tile", "rounds": rounds(0.0, between=0.01, seed=seed)}) for seed in range(200)]
    assert 0.9 <= sum(cost.interval.holds(0.0) for cost in found) / len(found) <= 0.99


def test_one_round_has_no_interval():
    cost = overhead({"detail": "tile", "rounds": rounds(0.08, count=1)})
    assert cost.interval is None and not cost.is_beyond_limit
    assert "interval" not in overhead_sentence(cost)


def test_overhead_beyond_its_limit_is_a_warning():
    cost = record({"detail": "tile", "rounds": rounds(0.08)}, "overhead")
    assert "more than the 1.0 % that it may" in " ".join(traced([record(encode([[10]])), cost]).warnings)
