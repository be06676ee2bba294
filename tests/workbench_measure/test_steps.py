"""The steps of a profile by themselves: what they choose, what they leave out, and what they say of it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.budget import Budget
from workbench.commands.common import Display
from workbench.corpus import Clip, load_corpus
from workbench.errors import EnvironmentFault, OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments import stacks
from workbench.profiling import selection, steps
from workbench.profiling import session as sessions
from workbench.profiling.session import Session, Settings, Speed, calibrate
from workbench.record import Record, RunWriter, read_run
from workbench.subject import Encoder

FAST, SLOW = Speed(0.5, 2e-6, 1e-6, True), Speed(0.5, 1e-2, 1e-2, True)
SAMPLES = 96 * 80


@pytest.fixture
def clips(make_clip: Callable[..., Path], tmp_path: Path) -> tuple[Clip, ...]:
    """Two videos of the same size."""
    (tmp_path / "videos").mkdir()
    for name in ("first", "second"):
        make_clip(96, 80, 4, name=f"videos/{name}.y4m")
    return load_corpus(tmp_path / "videos").main_clips()


@pytest.fixture
def session(
    clips: tuple[Clip, ...], fake_encoder: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Session:
    """A run that has just been prepared, with the stand-in."""
    monkeypatch.setattr(steps, "SETS_COMPARED", ("numpy", "python"))
    (tmp_path / "scratch").mkdir()
    settings = Settings(clips, True, ("numpy",), 2, 100, 60.0)
    writer = RunWriter(tmp_path / "run", "profile", [], {"cores": 2})
    begun = Session(settings, fake_encoder(), writer, Display(True), Budget(60.0, steps.WEIGHTS), tmp_path / "scratch")
    begun.speeds["numpy"] = FAST
    return begun


def records(session: Session, metric: str) -> list[Record]:
    return read_run(session.writer.folder).select(metric=metric)


def said(session: Session) -> list[str]:
    return [record.warnings[0] for record in records(session, "left_out")]


def test_speed_is_learnt_from_short_encodes(session: Session) -> None:
    calibrate(session, "numpy")
    speed = session.speeds["numpy"]
    assert speed.interpreted and speed.start_up_s > 0.05 and 0 < speed.key_s < 1e-3 and 0 < speed.inter_s < 1e-3


def test_frames_of_compiled_sets_are_timed_where_their_code_is_loaded(
    session: Session, clips: tuple[Clip, ...]
) -> None:
    session.speeds["numba"] = replace(FAST, interpreted=False)
    numpy, numba = (session.subject(clips[0], kernels, 2) for kernels in ("numpy", "numba"))
    assert session.without_loading(numpy) == numpy
    assert session.without_loading(numba).encoder.start[1:] == ("-m", "workbench.instruments.inside.loaded")
    assert session.without_loading(numba).encoder.environment == numba.encoder.environment


def test_a_clip_that_adds_nothing_is_not_chosen(session: Session) -> None:
    chosen = selection.choose_clips(session)
    assert [clip.name for clip in chosen] == ["first"]
    data = {record.subject["clip"]: record.data for record in records(session, "lines_and_branches")}
    assert data["first"]["chosen"] and data["first"]["order"] == 0
    assert not data["second"]["chosen"] and data["second"]["new_items"] == 0 and data["second"]["order"] is None
    never = records(session, "never_reached")[0]
    assert 0 < never.data["covered_items"] < never.data["total_items"]


def test_coverage_is_measured_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    first = selection.choose_clips(session)
    monkeypatch.setattr(selection.coverage, "measure", lambda *_: pytest.fail("measured again"))
    assert selection.choose_clips(session) == first


def test_a_budget_too_small_for_any_clip_gets_the_cheapest_and_says_so(session: Session) -> None:
    session.budget = Budget(0.01, steps.WEIGHTS)
    assert [clip.name for clip in selection.choose_clips(session)] == ["first"]
    assert session.cut and "is small for any clip; raise --budget" in said(session)[0]


def test_all_clips_are_taken_when_the_user_says_so(session: Session, clips: tuple[Clip, ...]) -> None:
    session.settings = Settings(clips, False, ("numpy",), 2, 100, 60.0)
    assert selection.choose_clips(session) == list(clips)
    assert all(record.data["chosen"] for record in records(session, "lines_and_branches"))


def test_a_set_that_is_too_slow_for_a_clip_gets_its_tiny_version(session: Session, clips: tuple[Clip, ...]) -> None:
    assert session.fitting(clips[0], "numpy") is clips[0]
    session.speeds["numpy"] = SLOW
    tiny = session.fitting(clips[0], "numpy")
    assert (tiny.name, tiny.width, tiny.height) == ("first_tiny", 48, 48)


def planned(session: Session, clip: Clip, key_s: float, frame_s: float, kernels: str = "numpy") -> int:
    """Frames that the clip gets from a set that takes so many seconds for its frames."""
    session.speeds[kernels] = Speed(0.5, key_s / SAMPLES, frame_s / SAMPLES, kernels != "numba")
    return session.frames(clip, kernels)


def test_frames_are_planned_by_time(session: Session, clips: tuple[Clip, ...]) -> None:
    """Whole clips where they are short, else whole mini-GOPs: the time of a length must not hang on the speed of the day."""
    assert session.frames(clips[0], "numpy") == 2  # the user said so
    session.settings = Settings(clips, True, ("numpy",), None, 100, 60.0)
    assert session.frames(clips[0], "numpy") == 4  # all there are
    thirty, long = replace(clips[0], frames=30), replace(clips[0], frames=400)
    assert planned(session, thirty, 0.1, 0.03) == 30  # worth a whole clip: it is not twice as long as a mini-GOP
    assert planned(session, thirty, 1.0, 0.4) == 30
    assert planned(session, thirty, 2.0, 0.7) == 17  # 30 would take more than LONGEST_S
    assert planned(session, thirty, 9.0, 1.0) == 5
    assert planned(session, thirty, 90.0, 9.0) == 3  # a key frame, a hidden frame and a leaf, whatever they take
    assert planned(session, long, 0.1, 0.03) == 65  # the last of 17, 33, 65 ... within TIMED_S
    assert planned(session, long, 0.1, 0.036) == 65
    assert planned(session, long, 0.5, 0.2) == 17  # more than TIMED_S, and yet a mini-GOP
    assert planned(session, replace(clips[0], frames=2), 90.0, 9.0) == 2


def test_a_clip_that_was_encoded_is_planned_by_its_own_time(session: Session, clips: tuple[Clip, ...]) -> None:
    session.settings = Settings(clips, True, ("numpy",), None, 100, 60.0)
    long = replace(clips[0], frames=400)
    assert planned(session, long, 0.5, 0.2) == 17
    session.learn(long, "numpy", first_s=0.1, frame_s=0.03)
    assert session.frames(long, "numpy") == 65
    assert session.frames(replace(long, name="other"), "numpy") == 17


def test_a_clip_is_timed_beside_next_to_nothing_of_it(session: Session, clips: tuple[Clip, ...]) -> None:
    part, whole = session.lengths(clips[0], "numpy")
    assert (part.clip, part.width, part.height, part.frames) == ("first", 8, 8, 3)
    head, _, pictures = part.source.read_bytes().partition(b"\n")
    assert b"W8 H8" in head and len(pictures) == 3 * (len(b"FRAME\n") + 8 * 8 * 3 // 2)
    assert (whole.clip, whole.width, whole.height, whole.frames) == ("first", 96, 80, 2)


def test_a_short_clip_that_is_encoded_fast_is_timed_forwards_and_backwards(
    session: Session, clips: tuple[Clip, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(key_s: float, frame_s: float, kernels: str = "numba") -> tuple[int, int]:
        session.speeds[kernels] = Speed(0.5, key_s / SAMPLES, frame_s / SAMPLES, kernels != "numba")
        lengths = session.timed(clips[0], kernels)
        assert lengths[0] == session.lengths(clips[0], kernels)[0]
        return lengths[-1].frames, lengths[-1].source.stat().st_size // (SAMPLES * 3 // 2)

    assert session.timed(clips[0], "numpy") == session.lengths(clips[0], "numpy")  # the user said how many
    session.settings = Settings(clips, True, ("numpy",), None, 100, 60.0)
    assert timed(0.1, 0.03) == (65, 65)
    assert timed(0.1, 0.03, "numpy") == (4, 4)  # interpreted: it takes long enough
    assert timed(0.9, 0.3) == (4, 4)  # a longer one would not be twice as long within TIMED_S
    monkeypatch.setattr(sessions, "REPEATED_BYTES", 20 * SAMPLES * 3 // 2)
    assert timed(0.1, 0.03) == (17, 17)


def test_a_clip_that_is_next_to_nothing_stands_alone(
    session: Session, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    make_clip(8, 8, 3, name="small/dot.y4m")
    (whole,) = session.lengths(load_corpus(tmp_path / "small").clips[0], "numpy")
    assert (whole.width, whole.frames) == (8, 2)


@pytest.mark.parametrize(
    ("kernels", "frames", "steady"),
    [
        ("numba", 30, (17, 33)),  # the first mini-GOP is over, another one is looked at
        ("numba", 17, (17, 33)),
        ("numba", 4, (4, 7)),
        ("numba", 1, (1, 1)),
        ("numpy", 4, (1, 4)),  # what is interpreted encodes the clip once
        ("numpy", 1, (1, 1)),
    ],
)
def test_the_steady_state_begins_behind_the_first_mini_gop(
    session: Session, clips: tuple[Clip, ...], kernels: str, frames: int, steady: tuple[int, int]
) -> None:
    session.settings = Settings(clips, True, ("numpy",), None, 100, 60.0)
    clip = replace(clips[0], frames=frames)
    assert planned(session, clip, 0.01, 0.01, kernels) == frames
    assert session.steady(clip, kernels) == steady


def test_the_first_clip_is_measured_and_the_others_are_named_when_time_is_up(
    session: Session, clips: tuple[Clip, ...]
) -> None:
    session.budget = Budget(0.01, steps.WEIGHTS)
    steps.measure_spans(session, [(clip, "numpy") for clip in clips])
    assert [record.subject["clip"] for record in records(session, "stage_s")] == ["first"]
    assert said(session) == [
        "spans: the budget of 60.0 s was used up before second (numpy); raise --budget or choose fewer clips"
    ]
    assert session.cut


def test_times_are_repeated_only_while_the_budget_lasts(session: Session, clips: tuple[Clip, ...]) -> None:
    session.budget = Budget(0.01, steps.WEIGHTS)
    steps.measure_times(session, [(clips[0], "numpy")])
    (record,) = records(session, "time_per_frame")
    assert len(record.values) == 1
    assert "only 1 repetition" in records(session, "wall")[0].warnings[0]


def test_only_what_decodes_goes_on(
    session: Session, clips: tuple[Clip, ...], fake_encoder: Callable[..., Encoder]
) -> None:
    pairs = [(clip, "numpy") for clip in clips]
    assert steps.check(session, pairs) == pairs and not session.faults
    session.encoder = fake_encoder("corrupt")
    session.budget = Budget(60.0, steps.WEIGHTS)
    assert steps.check(session, pairs[:1]) == []
    assert isinstance(session.faults[0], OutputsDifferError)
    assert str(session.faults[0]).startswith("first, kernels numpy: the stream does not decode to the reconstruction: ")


def test_what_is_faster_than_expected_is_checked_at_the_length_that_it_is_measured_at(
    session: Session, clips: tuple[Clip, ...]
) -> None:
    session.settings = Settings(clips, True, ("numpy",), None, 100, 60.0)
    session.speeds["numpy"] = SLOW
    pairs = [(clips[0], "numpy")]
    assert session.frames(*pairs[0]) == 3
    steps.check(session, pairs)
    (size,) = records(session, "bytes")
    assert size.subject["frames"] == session.frames(*pairs[0]) == 4


def test_sets_that_do_not_agree_are_a_fault(
    session: Session, clips: tuple[Clip, ...], fake_encoder: Callable[..., Encoder], own_cache: Path
) -> None:
    steps.compare_sets(session, list(clips[:1]))
    assert records(session, "sets_agree")[0].values == (1.0,) and not session.faults
    shutil.rmtree(own_cache / "workbench" / "digests")
    session.encoder = fake_encoder("sets")
    steps.compare_sets(session, list(clips[1:]))
    assert records(session, "sets_agree")[1].values == (0.0,)
    assert "second_tiny: kernel sets write different bytes: numpy " in str(session.faults[0])


def test_a_set_that_takes_too_long_costs_only_the_comparison(
    session: Session, clips: tuple[Clip, ...], fake_encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "UNKNOWN_TIMEOUT_S", 1.0)
    monkeypatch.setattr(sessions, "SHORTEST_TIMEOUT_S", 1.0)
    monkeypatch.setattr(sessions, "TIMEOUT_FACTOR", 0.0)
    session.encoder = fake_encoder("hang")
    steps.compare_sets(session, list(clips[:1]))
    assert [type(fault) for fault in session.faults] == [SubjectTimeout] and "still running after 1.00 s" in said(
        session
    )[0]


def test_a_clip_whose_coverage_takes_too_long_is_not_known(
    session: Session, fake_encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SHORTEST_TIMEOUT_S", 1.0)
    monkeypatch.setattr(sessions, "TIMEOUT_FACTOR", 0.0)
    session.encoder = fake_encoder("hang")
    assert [clip.name for clip in selection.choose_clips(session)] == ["first", "second"]
    assert said(session)[0].startswith("select: no time to learn what first, second cover")


def test_where_nothing_can_sample_only_that_step_is_missing(
    session: Session, clips: tuple[Clip, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, source: str, *more: object, **others: object) -> dict[str, str]:
        raise EnvironmentFault(f"{source} may not watch")

    monkeypatch.setattr(stacks, "_told", refuse)
    steps.measure_stacks(session, [(clip, "numpy") for clip in clips])
    expected = "sampler may not watch; perf may not watch; py-spy may not watch"
    assert [str(fault) for fault in session.faults] == said(session) == [expected]


def test_an_encoder_that_dies_ends_the_step(
    session: Session, clips: tuple[Clip, ...], fake_encoder: Callable[..., Encoder]
) -> None:
    session.encoder = fake_encoder("die")
    with pytest.raises(SubjectError, match="the walk fell over"):
        steps.measure_times(session, [(clips[0], "numpy")])
    assert list((session.folder).iterdir()) == []  # its working folder is gone


def test_a_single_frame_has_no_steady_state(session: Session, make_clip: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "short").mkdir()
    make_clip(64, 64, 1, name="short/still.y4m")
    steps.measure_memory(session, [(load_corpus(tmp_path / "short").clips[0], "numpy")])
    assert "still has one frame, its steady state begins with the second" in said(session)[0]


def test_tiles_are_measured_on_the_largest_clip(
    session: Session, make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "cores", lambda: 2)
    monkeypatch.setattr(steps, "TILE_COUNTS", (1, 2, 4))
    make_clip(136, 64, 2, name="videos/wide.y4m")
    candidates = load_corpus(tmp_path / "videos").main_clips()
    session.settings = Settings(candidates, True, ("numpy",), 2, 100, 1.0)
    session.budget = Budget(0.01, steps.WEIGHTS)
    steps.measure_tiles(session)
    measured = {
        (record.subject["clip"], record.subject["tiles"], record.subject["threads"]): record.data["possible"]
        for record in records(session, "tiles_wall")
    }
    assert measured == {("wide", 1, 1): True, ("wide", 2, 1): True, ("wide", 2, 2): True, ("wide", 4, 1): False}


def test_a_build_for_stacks_that_fails_is_a_fault_and_the_rest_goes_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SubjectError("frame pointers cannot be asked for")

    monkeypatch.setattr(stacks, "warm", fail)
    steps.prepare(session)
    assert [str(fault) for fault in session.faults] == ["frame pointers cannot be asked for"]
    by_build = {record.data["build"]: record for record in records(session, "warm")}
    assert len(by_build["plain"].values) == 1 and by_build["stacks"].values == ()
    assert session.speeds["numpy"].interpreted


def test_a_video_in_a_container_is_measured_as_y4m(session: Session, clips: tuple[Clip, ...], tmp_path: Path) -> None:
    import av

    (tmp_path / "films").mkdir()
    with av.open(str(clips[0].path)) as source, av.open(str(tmp_path / "films" / "film.mkv"), "w") as film:
        stream = film.add_stream("ffv1", rate=30, width=96, height=80, pix_fmt="yuv420p")
        for frame in source.decode(video=0):
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    film_clip = load_corpus(tmp_path / "films").clips[0]
    subject = session.subject(film_clip, "numpy", 3)
    assert (subject.clip, subject.frames, subject.source.suffix) == ("film", 3, ".y4m")
    pictures = subject.source.read_bytes().partition(b"\n")[2]
    assert clips[0].path is not None and clips[0].path.read_bytes().partition(b"\n")[2] == pictures
