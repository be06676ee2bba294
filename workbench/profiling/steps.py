"""The steps behind the selection: check, time, spans, stacks, memory, the largest clip, tiles. Each ends with its clips or with its
share of the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from workbench import child
from workbench.corpus import Clip, tiny_version
from workbench.encode import warm
from workbench.errors import EnvironmentFault, OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments import memory, output, spans, stacks, tiles, trace, wall
from workbench.kept import Kept
from workbench.machine import cores
from workbench.profiling.session import LENGTHS, MOST_ROUNDS, Session, calibrate, y4m_file
from workbench.record import Record
from workbench.repetition import Limits
from workbench.report.source_view import with_sources
from workbench.subject import Subject, package_folder

WEIGHTS = {"check": 9, "time": 32, "spans": 6, "stacks": 17, "memory": 8, "largest": 6, "tiles": 22}
INTERPRETED_SETS = ("numpy", "python")
SETS_COMPARED = ("simd", "numba", *INTERPRETED_SETS)
SETS_SHARE = 0.2  # of the budget, for what is not in the cache yet
COMPARED_FRAMES = 3
TILE_COUNTS = (1, 2, 4, 8)
LEAST_TILE_FRAMES = 5
PLANNED_TILE_ROUNDS, MOST_TILE_ROUNDS = 3, 7
TIMELINE_DETAIL, MOST_SPANS = "tile", 100_000
_WARM_TIMEOUT_S = 900.0

Pair = tuple[Clip, str]  # a clip and the kernel set that encodes it


def prepare(session: Session) -> None:
    """Compile what is not in the caches, both builds side by side, and learn how fast each kernel set is."""
    kernels = session.settings.kernels
    session.display.step("compile kernels (kept in the cache)", 2 * len(kernels))
    jobs = [partial(_warm, session, name, build) for name in kernels for build in ("plain", "stacks")]
    with session.budget.paused():
        warmed = child.together(jobs, cores())
    session.display.step("try the encoder", len(kernels))
    for name in kernels:
        calibrate(session, name)
        session.display.tick()
    session.writer.write(*warmed)


def _warm(session: Session, kernels: str, build: str) -> Record:
    """Compile the build that is timed, or the one with frame pointers whose stacks can be walked.

    That the second one fails costs only the step about stacks.
    """
    subject = {"kernels": kernels}
    try:
        if build == "stacks":
            usage = stacks.warm(session.encoder, kernels, session.folder, _WARM_TIMEOUT_S)
        else:
            usage = warm(session.encoder, kernels, _WARM_TIMEOUT_S)
    except SubjectError as error:
        if build == "plain":
            raise
        session.faults.append(error)
        return Record("wall", "warm", "s", subject, (), {"build": build}, (str(error),))
    session.display.tick()
    return Record("wall", "warm", "s", subject, (usage.wall_s,), {"build": build, "cpu_s": usage.cpu_s})


def pairs_of(session: Session, clips: list[Clip]) -> list[Pair]:
    """Every clip with every kernel set; a set that is too slow for a clip gets the clip's tiny version."""
    return [(session.fitting(clip, kernels), kernels) for kernels in session.settings.kernels for clip in clips]


def check(session: Session, pairs: list[Pair]) -> list[Pair]:
    """Decode every stream and compare it with the reconstruction; returns the pairs whose streams are right."""
    right = []
    for (clip, kernels), _ in _within(session, "check", "check: streams decode", pairs):
        subject, records = _checked(session, clip, kernels)
        if session.frames(clip, kernels) > subject.frames:  # it is faster than was expected, and will be measured so
            subject, records = _checked(session, clip, kernels)
        session.writer.write(*records)
        if records[0].values == (1.0,):
            right.append((clip, kernels))
        else:
            message = records[0].data["message"] or f"{records[0].data['frames']} frames instead of {subject.frames}"
            said = f"{clip.name}, kernels {kernels}: the stream does not decode to the reconstruction: {message}"
            session.fault(OutputsDifferError(said))
    return right


def _checked(session: Session, clip: Clip, kernels: str) -> tuple[Subject, list[Record]]:
    """Check as many frames of a clip as it gets, and learn how fast they are."""
    subject = session.without_loading(session.lengths(clip, kernels)[-1])
    with session.scratch() as folder:
        records = output.check(subject, folder, session.timeout_s(subject))
    session.learn(clip, kernels, records[0].data["first_s"], records[0].data["frame_s"])
    return subject, records


def compare_sets(session: Session, clips: list[Clip]) -> None:
    """Encode tiny versions of the clips with every kernel set: the bytes must be the same.

    What the sets without compiled code write is kept in the cache, so all this is on the account of what is done once. One
    that takes too long costs its clip's comparison only: a busy machine is no reason to measure nothing.
    """
    sets = tuple(dict.fromkeys((*SETS_COMPARED, *session.settings.kernels)))
    session.display.step("check: kernel sets agree", len(clips) * len(sets))
    deadline = time.monotonic() + SETS_SHARE * session.settings.budget_s
    kept = Kept("digests")

    def digest(subject: Subject) -> str:
        found = kept.find(subject) if subject.kernels in INTERPRETED_SETS else None
        if found is None:
            with session.scratch() as folder:
                found = output.digest(subject, folder, session.timeout_s(subject))
            if subject.kernels in INTERPRETED_SETS:
                kept.keep(subject, found)
        session.display.tick()
        return str(found)

    def compare(clip: Clip) -> Record | SubjectTimeout | None:
        if time.monotonic() > deadline:
            return None
        subject = session.subject(tiny_version(clip), sets[0], COMPARED_FRAMES)
        try:
            return output.sets_agree(subject, {name: digest(subject.change(kernels=name)) for name in sets})
        except SubjectTimeout as late:
            return late

    with session.budget.paused():
        compared = child.together([partial(compare, clip) for clip in clips], cores())
    for record in compared:
        if isinstance(record, SubjectTimeout):
            session.fault(record)
        elif record is not None:
            session.writer.write(record)
            if record.values != (1.0,):
                digests = ", ".join(f"{name} {sha[:12]}" for name, sha in record.data["sets"].items())
                said = f"{record.subject['clip']}: kernel sets write different bytes: {digests}"
                session.fault(OutputsDifferError(said))
    session.left_out("check", [clip.name for clip, record in zip(clips, compared, strict=True) if record is None])


def measure_times(session: Session, pairs: list[Pair]) -> None:
    """Whole encodes of clips and of next to nothing, repeated in random order as often as the budget allows."""
    for (clip, kernels), deadline in _within(session, "time", "time: whole encodes", pairs):
        lengths = session.timed(clip, kernels)
        limits = Limits(1, MOST_ROUNDS, deadline, session.timeout_s(lengths[-1]))
        with session.scratch() as folder:
            session.writer.write(*wall.time_lengths(lengths, folder, limits, lambda: None))


def measure_spans(session: Session, pairs: list[Pair]) -> None:
    """Time per stage and tile, from inside."""
    for (clip, kernels), _ in _within(session, "spans", "spans: time per stage", pairs):
        subject = session.without_loading(session.lengths(clip, kernels)[-1])
        with session.scratch() as folder:
            session.writer.write(spans.measure(subject, folder, session.timeout_s(subject)))


def measure_stacks(session: Session, pairs: list[Pair]) -> None:
    """Call stacks, with the source of the hottest functions; where nothing can sample, everything else goes on."""
    for (clip, kernels), _ in _within(session, "stacks", "stacks: hottest functions", pairs):
        subject, interpreted = session.lengths(clip, kernels)[-1], session.speeds[kernels].interpreted
        warm_up, _ = session.steady(clip, kernels)
        with session.scratch() as folder:
            try:
                record = stacks.measure(subject, folder, session.timeout_s(subject), interpreted, warm_up)
            except (EnvironmentFault, SubjectError) as fault:
                session.fault(fault)
                return
        session.writer.write(with_sources(record, [package_folder().parent]))


def measure_memory(session: Session, pairs: list[Pair]) -> None:
    """Allocations of the steady state: those of a mini-GOP tell, all are alike."""
    for (clip, kernels), _ in _within(session, "memory", "memory: allocations", pairs):
        subject = session.lengths(clip, kernels)[-1]
        warm_up, frames = session.steady(clip, kernels)
        if frames <= warm_up:
            said = f"memory: {clip.name} has one frame, its steady state begins with the second; give more --frames"
            session.note("memory", said, {"clips": [clip.name]})
            continue
        with session.scratch() as folder:
            try:
                session.writer.write(*memory.measure(subject, folder, session.timeout_s(subject), warm_up, frames))
            except EnvironmentFault as fault:
                session.fault(fault)
                return


def measure_largest(session: Session) -> None:
    """What one clip tells for all, of the largest: the timeline of its threads, its resident set over time, and what compiled
    code allocates. One of these that fails costs nothing else."""
    clip, kernels = _largest(session)
    session.display.step(f"inside {clip.name}: timeline, memory", 3)
    deadline = session.budget.begin("largest")
    encode = session.subject(clip, kernels, session.frames(clip, kernels))
    timeout_s = session.timeout_s(encode)
    warm_up, frames = session.steady(clip, kernels)
    jobs: list[Callable[[Path], Record]] = [
        lambda folder: trace.measure(_on_all_cores(encode), TIMELINE_DETAIL, MOST_SPANS, folder, timeout_s),
        lambda folder: memory.watch_encode(encode, folder, timeout_s),
    ]
    if frames > warm_up and not session.speeds[kernels].interpreted:
        build = stacks.build_environment()
        steady = encode.change(frames=frames)
        jobs.append(lambda folder: memory.measure_kernels(steady, folder, timeout_s, warm_up, frames, build))
    for at, (what, job) in enumerate(
        zip(("timeline", "resident set", "allocations of compiled code"), jobs, strict=False)
    ):
        if at and time.monotonic() >= deadline:
            session.left_out("largest", [f"the {what} of {clip.name}"])
            continue
        session.display.now(what)
        with session.scratch() as folder:
            try:
                session.writer.write(job(folder))
            except (EnvironmentFault, SubjectError) as fault:
                session.fault(fault)
        session.display.tick()


def _largest(session: Session) -> Pair:
    """The largest clip, or its tiny version where that is what the main kernel set gets, and that set."""
    kernels = session.settings.kernels[0]
    largest = max(session.settings.candidates, key=lambda clip: clip.width * clip.height)
    with session.budget.paused():
        y4m_file(largest)
    return session.fitting(largest, kernels), kernels


def _on_all_cores(subject: Subject) -> Subject:
    """The encode with as many tiles as there are cores to work on them, or as many as the picture can be cut into."""
    for count in reversed(TILE_COUNTS):
        layout = tiles.layout(subject.width, subject.height, count)
        if count <= cores() and layout is not None:
            grid = {"tile_cols_log2": layout.cols_log2, "tile_rows_log2": layout.rows_log2}
            return subject.change(**grid, threads=count)
    return subject


def measure_tiles(session: Session) -> None:
    """The largest clip with several tiles and threads: what they save, what they cost."""
    clip, kernels = _largest(session)
    deadline = session.budget.begin("tiles")
    one = _tiles_subject(session, clip, kernels, deadline - time.monotonic())
    layouts = {count: tiles.layout(clip.width, clip.height, count) for count in TILE_COUNTS}
    session.writer.write(*(tiles.not_possible(one, count) for count, layout in layouts.items() if layout is None))
    subjects = [
        one.change(tile_cols_log2=layout.cols_log2, tile_rows_log2=layout.rows_log2, threads=threads)
        for count, layout in layouts.items()
        if layout is not None
        for threads in range(1, min(count, cores()) + 1)
    ]
    session.display.step(f"tiles: {clip.name}, {len(subjects)} combinations")
    limits = Limits(1, MOST_TILE_ROUNDS, deadline, session.timeout_s(one))
    with session.scratch() as folder:
        session.writer.write(*tiles.time_tiles(subjects, folder, limits, session.display.tick))


def _tiles_subject(session: Session, clip: Clip, kernels: str, seconds: float) -> Subject:
    """The clip on one tile and thread, with as many frames as let all combinations be repeated a few times."""
    combinations = sum(min(count, cores()) for count in TILE_COUNTS)
    speed, planned = session.speed(clip, kernels), session.frames(clip, kernels)
    each_s = seconds / PLANNED_TILE_ROUNDS / combinations
    affordable = [frames for frames in LENGTHS if frames <= planned and speed.encode_s(clip, frames) <= each_s]
    least = min(LEAST_TILE_FRAMES, planned)
    frames = planned if session.settings.frames else max([least, *affordable])
    return session.without_loading(session.subject(clip, kernels, frames))


def _within(session: Session, step: str, title: str, pairs: list[Pair]) -> Iterator[tuple[Pair, float]]:
    """The pairs of a step with the time at which each should be done, as long as the step's share of the budget lasts.

    The first is always given: a step that was never done says nothing.
    """
    session.display.step(title, len(pairs))
    deadline = session.budget.begin(step)
    for at, (clip, kernels) in enumerate(pairs):
        now = time.monotonic()
        if at and now >= deadline:
            session.left_out(step, [f"{clip.name} ({kernels})" for clip, kernels in pairs[at:]])
            return
        session.display.now(f"{clip.name} {clip.width}x{clip.height}, {kernels}")
        yield (clip, kernels), now + max(deadline - now, 0.0) / (len(pairs) - at)
        session.display.tick()


Step = Callable[[Session, list[Pair]], None]
PAIRED_STEPS: tuple[Step, ...] = (measure_times, measure_spans, measure_stacks, measure_memory)
