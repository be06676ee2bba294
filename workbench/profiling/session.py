"""What the steps of a profile share, and what they plan with: how fast each kernel set is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from workbench import units
from workbench.budget import Budget
from workbench.corpus import Clip, cached_path, ensure, long_version, start_version, tiny_version
from workbench.corpus.clips import Cropped
from workbench.encode import encode_with_stats, frame_seconds, loaded
from workbench.errors import WorkbenchError
from workbench.files import scratch_folder
from workbench.instruments.stacks import SAMPLED_S
from workbench.record import Record, RunWriter
from workbench.subject import Encoder, Subject

TIMED_S = 2.5  # an encode long enough to be timed: start-up and noise are small against it
LONGEST_S = 15.0  # a set that needs more for the fewest frames of a clip gets the clip's tiny version
MINI_GOP = 16  # pictures of the encoder's longest; of it and a key frame a video is made
# Of these lengths the whole pyramid of the last mini-GOP is coded; they lie far apart, so that a machine that is a little
# slower today does not encode another length.
LENGTHS = (3, 5, 9, *(MINI_GOP << doubled | 1 for doubled in range(16)))
LEAST_FRAMES = LENGTHS[0]  # a key frame, a hidden frame and a leaf
TRIED_FRAMES = 5
WARM_UP = MINI_GOP + 1  # once the first mini-GOP is shown, all code is loaded and all buffers are filled
PLANNED_ROUNDS, MOST_ROUNDS = 3, 10
COPIED_BYTES = 64 << 20  # of a video in a container, this much is copied as Y4M
REPEATED_BYTES = 128 << 20  # and a clip that is too short to be timed is no longer than this
SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR = 120.0, 20.0
UNKNOWN_TIMEOUT_S = 300.0  # of a set whose speed is not known: interpreted, on a machine that others use


class Display(Protocol):
    """Whom to tell how far the work is."""

    def step(self, title: str, total: int | None = None) -> None:
        """A step of `total` ticks begins."""

    def now(self, what: str) -> None:
        """What the step is doing."""

    def tick(self) -> None:
        """One more piece is done."""

    def say(self, text: str) -> None:
        """A line that stays."""


@dataclass(frozen=True)
class Settings:
    """What the user asked for.

    candidates   clips to choose from, or to take all of
    choose       choose by coverage; else take them all
    kernels      kernel sets, the main one first
    frames       of each encode; None plans them by time
    """

    candidates: tuple[Clip, ...]
    choose: bool
    kernels: tuple[str, ...]
    frames: int | None
    quantizer: int
    budget_s: float


@dataclass(frozen=True)
class Speed:
    """How long a kernel set takes, roughly.

    start_up_s   of each encode, with the loading of compiled code
    key_s        a luma sample of the first frame, which is a key frame
    inter_s      a luma sample of the frames behind it, the mean over the pyramid
    """

    start_up_s: float
    key_s: float
    inter_s: float
    interpreted: bool

    def frames_s(self, clip: Clip, frames: int) -> float:
        """Expected seconds of the first `frames` frames of a clip."""
        return clip.width * clip.height * (self.key_s + self.inter_s * (frames - 1))

    def encode_s(self, clip: Clip, frames: int) -> float:
        """Expected seconds of an encode of the first `frames` frames of a clip."""
        return self.start_up_s + self.frames_s(clip, frames)


@dataclass
class Session:
    """A run in progress.

    folder   working folder for streams and other files that are not kept
    speeds   by kernel set, as far as known
    own      by clip and kernel set, once the clip has been encoded
    faults   what went wrong in steps that the others do not need
    cut      whether the budget left something out
    """

    settings: Settings
    encoder: Encoder
    writer: RunWriter
    display: Display
    budget: Budget
    folder: Path
    speeds: dict[str, Speed] = field(default_factory=dict)
    own: dict[tuple[str, str], Speed] = field(default_factory=dict)
    faults: list[WorkbenchError] = field(default_factory=list)
    cut: bool = False

    def subject(self, clip: Clip, kernels: str, frames: int) -> Subject:
        """A clip whose file is there, as a kernel set encodes its first frames."""
        return Subject(
            clip=clip.name,
            source=y4m_file(clip).resolve(),
            width=clip.width,
            height=clip.height,
            frames=min(frames, usable_frames(clip)),
            encoder=self.encoder,
            kernels=kernels,
            quantizer=self.settings.quantizer,
        )

    def speed(self, clip: Clip, kernels: str) -> Speed:
        """How fast a kernel set is, on this clip where that is known."""
        return self.own.get((clip.name, kernels), self.speeds[kernels])

    def learn(self, clip: Clip, kernels: str, first_s: float, frame_s: float) -> None:
        """A clip has been encoded: seconds of its first frame, and of the mean one behind it."""
        samples, known = clip.width * clip.height, self.speeds[kernels]
        own = dataclasses.replace(known, key_s=first_s / samples, inter_s=frame_s / samples)
        self.own[clip.name, kernels] = own

    def without_loading(self, subject: Subject) -> Subject:
        """The same where the frames' own times matter: compiled code is loaded before the first."""
        if self.speeds[subject.kernels].interpreted:
            return subject
        return subject.change(encoder=loaded(subject.encoder))

    def timeout_s(self, subject: Subject) -> float:
        """When an encode is taken to hang: long after it should have ended."""
        speed = self.speeds.get(subject.kernels)
        if speed is None:
            return UNKNOWN_TIMEOUT_S
        expected_s = speed.start_up_s + max(speed.key_s, speed.inter_s) * subject.pixels
        return max(SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR * expected_s)

    def fitting(self, clip: Clip, kernels: str) -> Clip:
        """The clip, or its tiny version where the fewest frames of it take the kernel set too long."""
        fewest = min(clip.frames, LEAST_FRAMES)
        return clip if self.speeds[kernels].frames_s(clip, fewest) <= LONGEST_S else tiny_version(clip)

    def frames(self, clip: Clip, kernels: str) -> int:
        """How many frames of a clip to encode: as the user said, or the whole clip, unless a part is worth the timing.

        The part is a mini-GOP behind its key frame or several of them; less only where that takes too long.
        """
        usable = usable_frames(clip)
        if self.settings.frames is not None:
            return min(self.settings.frames, usable)
        part = max(self._longest(clip, kernels, TIMED_S), self._longest(clip, kernels, LONGEST_S, MINI_GOP + 1))
        is_short = usable <= 2 * part and self.speed(clip, kernels).frames_s(clip, usable) <= LONGEST_S
        return usable if is_short else min(part, usable)

    def _longest(self, clip: Clip, kernels: str, seconds: float, most: int = LENGTHS[-1]) -> int:
        """The longest of LENGTHS up to `most` whose frames take no more than `seconds`, or the shortest one."""
        speed = self.speed(clip, kernels)
        return max(
            (frames for frames in LENGTHS if frames <= most and speed.frames_s(clip, frames) <= seconds),
            default=LEAST_FRAMES,
        )

    def timed_frames(self, clip: Clip, kernels: str) -> int:
        """How many frames to time: those that are encoded; of a whole clip that takes much less than TIMED_S, as many as it
        has when it goes forwards and backwards for so long."""
        frames = self.frames(clip, kernels)
        if self.settings.frames is not None or self.speeds[kernels].interpreted or frames < clip.frames:
            return frames
        most = REPEATED_BYTES // (clip.width * clip.height * 3 // 2)
        longer = self._longest(clip, kernels, TIMED_S, most)
        return longer if longer >= 2 * frames else frames

    def timed(self, clip: Clip, kernels: str) -> list[Subject]:
        """`lengths` with the frames that are timed."""
        *part, whole = self.lengths(clip, kernels)
        frames = self.timed_frames(clip, kernels)
        if frames > whole.frames:
            whole = whole.change(source=y4m_file(long_version(clip, frames)).resolve(), frames=frames)
        return [*part, whole]

    def lengths(self, clip: Clip, kernels: str) -> list[Subject]:
        """What a clip is encoded as: a few samples of it, which cost what every encode costs, and as many frames as it gets.

        A clip that is no larger than those samples stands alone.
        """
        whole = self.subject(clip, kernels, self.frames(clip, kernels))
        start = start_version(clip)
        size = {"width": start.width, "height": start.height, "frames": start.frames}
        part = whole.change(source=y4m_file(start).resolve(), **size)
        return [part, whole] if part.pixels < whole.pixels else [whole]

    def clip_cost_s(self, clip: Clip, kernels: str) -> float:
        """Expected seconds that a clip takes in all steps but the one about tiles, at the fewest repetitions."""
        fitting, speed = self.fitting(clip, kernels), self.speeds[kernels]
        long = speed.encode_s(fitting, self.frames(fitting, kernels))
        warm_up, frames = self.steady(fitting, kernels)
        sampled = speed.encode_s(fitting, warm_up) + speed.start_up_s + 1.5 * SAMPLED_S
        tracked = 1.5 * speed.encode_s(fitting, frames)
        check_and_spans = (1.5 + 1) * long
        timed = speed.encode_s(fitting, self.timed_frames(fitting, kernels))
        return check_and_spans + tracked + sampled + PLANNED_ROUNDS * (timed + speed.start_up_s) + speed.start_up_s

    def steady(self, clip: Clip, kernels: str) -> tuple[int, int]:
        """Packets of a clip before its steady state, and pictures for an encode that shows as many more.

        A compiled set gets the clip again and again; an interpreted one is too slow, and has no code to load.
        """
        frames = self.frames(clip, kernels)
        if self.speeds[kernels].interpreted:
            return 1, frames
        warm_up = min(WARM_UP, frames)
        return warm_up, warm_up + min(MINI_GOP, frames - 1)

    def left_out(self, step: str, names: Sequence[str]) -> None:
        """Say that the budget was used up before a step came to these clips."""
        if not names:
            return
        self.cut = True
        budget = units.seconds(self.settings.budget_s)
        seen = f"{step}: the budget of {budget} was used up before {', '.join(names)}"
        said = f"{seen}; raise --budget or choose fewer clips"
        self.note(step, said, {"clips": list(names)})

    def fault(self, error: WorkbenchError) -> None:
        """Something is wrong that does not keep the rest from being measured; the run's exit status will tell."""
        self.faults.append(error)
        self.note("fault", str(error), {})

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for one measurement, gone afterwards."""
        with scratch_folder(self.folder) as folder:
            yield folder

    def note(self, step: str, said: str, data: dict[str, object]) -> None:
        """Record something that was not measured, and say it."""
        self.writer.write(Record("profile", "left_out", "", {}, (), {"step": step, **data}, (said,)))
        self.display.say(said)


def y4m_file(clip: Clip) -> Path:
    """The clip's file, made first where it is not there; of a video in a container, its first frames as Y4M.

    Decoding such a video is no part of encoding, and FFmpeg's libraries in the process would slow a sampler down.
    """
    path = ensure(clip)
    if path.suffix.lower() == ".y4m":
        return path
    source = Cropped(clip, first=0)
    return ensure(
        dataclasses.replace(
            clip, name=f"{clip.name}_y4m", frames=usable_frames(clip), sha256=None, source=source, path=None
        )
    )


def usable_frames(clip: Clip) -> int:
    """Frames of a clip that are measured at most: all, or as many as the Y4M copy of a video in a container may hold."""
    if cached_path(clip).suffix.lower() == ".y4m":
        return clip.frames
    frame_bytes = clip.width * clip.height * 3 // 2
    return min(clip.frames, max(COPIED_BYTES // frame_bytes, LEAST_FRAMES))


def calibrate(session: Session, kernels: str) -> None:
    """Learn how fast a kernel set is from short encodes; the first also shows that the encoder runs at all.

    Next to nothing tells what an encode costs once. Then a few frames of a clip of middling size are measured; an
    interpreted set begins with a tiny one, which may be all that is in its reach.
    """
    by_size = sorted(session.settings.candidates, key=lambda clip: clip.width * clip.height)
    middle = by_size[(len(by_size) - 1) // 2]
    subject = session.subject(start_version(middle), kernels, LEAST_FRAMES)
    usage, stats = encode_with_stats(subject, session.folder, session.timeout_s(subject))
    session.speeds[kernels] = Speed(usage.wall_s, 0.0, 0.0, stats["interpreted"])
    if stats["interpreted"]:
        _measure_frames(session, tiny_version(middle), kernels, LEAST_FRAMES)
    if session.speeds[kernels].frames_s(middle, TRIED_FRAMES) <= LONGEST_S:
        _measure_frames(session, middle, kernels, TRIED_FRAMES)


def _measure_frames(session: Session, clip: Clip, kernels: str, frames: int) -> None:
    subject = session.without_loading(session.subject(clip, kernels, frames))
    _, stats = encode_with_stats(subject, session.folder, session.timeout_s(subject))
    first_s, frame_s = frame_seconds(stats)
    samples = subject.width * subject.height
    known = session.speeds[kernels]
    session.speeds[kernels] = dataclasses.replace(known, key_s=first_s / samples, inter_s=frame_s / samples)
