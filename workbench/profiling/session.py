"""What the steps of a profile share, and what they plan with: how fast each kernel set is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from workbench import units
from workbench.budget import Budget
from workbench.corpus import Clip, cached_path, ensure, tiny_version
from workbench.corpus.clips import Cropped
from workbench.encode import encode_with_stats
from workbench.errors import WorkbenchError
from workbench.instruments.stacks import SAMPLED_S
from workbench.record import Record, RunWriter
from workbench.subject import Encoder, Subject

TIMED_S = 2.5  # an encode long enough to be timed: start-up and noise are small against it
LONGEST_S = 15.0  # a set that needs more for two frames of a clip gets the clip's tiny version
SHORT_FRAMES = 1  # of the shorter of two lengths: what the first frame alone costs is in both and cancels out
LEAST_FRAMES, TRIED_FRAMES = 2, 5
PLANNED_ROUNDS, MOST_ROUNDS = 3, 10
COPIED_BYTES = 64 << 20  # of a video in a container, this much is copied as Y4M
SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR = 120.0, 20.0


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
    """How long a kernel set takes, roughly: an encode lasts start_up_s + pixels * per_pixel_s."""

    start_up_s: float
    per_pixel_s: float
    interpreted: bool

    def encode_s(self, pixels: int) -> float:
        """Expected seconds of an encode of so many luma samples."""
        return self.start_up_s + self.per_pixel_s * pixels


@dataclass
class Session:
    """A run in progress.

    folder   working folder for streams and other files that are not kept
    speeds   by kernel set, as far as known
    frame_s  seconds a frame by clip and kernel set, once one has been encoded
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
    frame_s: dict[tuple[str, str], float] = field(default_factory=dict)
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

    def timeout_s(self, subject: Subject) -> float:
        """When an encode is taken to hang: long after it should have ended."""
        speed = self.speeds.get(subject.kernels)
        expected = speed.encode_s(subject.pixels) if speed else 0.0
        return max(SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR * expected)

    def fitting(self, clip: Clip, kernels: str) -> Clip:
        """The clip, or its tiny version where two frames of it take the kernel set too long."""
        two_frames = min(clip.frames, LEAST_FRAMES) * clip.width * clip.height
        return clip if self.speeds[kernels].encode_s(two_frames) <= LONGEST_S else tiny_version(clip)

    def frames(self, clip: Clip, kernels: str) -> int:
        """How many frames of a clip to encode: as the user said, or as many as make a timing worth it."""
        if self.settings.frames is not None:
            return min(self.settings.frames, usable_frames(clip))
        frame_s = self.frame_s.get((clip.name, kernels), self.speeds[kernels].per_pixel_s * clip.width * clip.height)
        return min(usable_frames(clip), max(LEAST_FRAMES, round(TIMED_S / frame_s)))

    def lengths(self, clip: Clip, kernels: str) -> list[Subject]:
        """The one or two lengths at which a clip is timed, shorter first."""
        counts = dict.fromkeys((SHORT_FRAMES, self.frames(clip, kernels)))
        return [self.subject(clip, kernels, count) for count in counts]

    def clip_cost_s(self, clip: Clip, kernels: str) -> float:
        """Expected seconds that a clip takes in all steps but the one about tiles, at the fewest repetitions."""
        fitting = self.fitting(clip, kernels)
        pixels, speed = fitting.width * fitting.height, self.speeds[kernels]
        long = speed.encode_s(pixels * self.frames(fitting, kernels))
        short = speed.encode_s(pixels * SHORT_FRAMES)
        sampled = 2 * speed.start_up_s + 1.5 * SAMPLED_S
        check_spans_and_memory = (1.5 + 1 + 1.5) * long
        return check_spans_and_memory + sampled + PLANNED_ROUNDS * (long + short) + short

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
        with TemporaryDirectory(dir=self.folder) as folder:
            yield Path(folder)

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


def calibrate(session: Session, kernels: str) -> Speed:
    """Learn how fast a kernel set is from short encodes; the first also shows that the encoder runs at all.

    A tiny clip is measured first, then, unless that is out of reach, a few frames of a clip of middling size.
    """
    by_size = sorted(session.settings.candidates, key=lambda clip: clip.width * clip.height)
    middle = by_size[(len(by_size) - 1) // 2]
    speed = _speed(session, tiny_version(middle), kernels, LEAST_FRAMES)
    if speed.encode_s(middle.width * middle.height * LEAST_FRAMES) <= LONGEST_S:
        speed = _speed(session, middle, kernels, TRIED_FRAMES)
    return speed


def _speed(session: Session, clip: Clip, kernels: str, frames: int) -> Speed:
    subject = session.subject(clip, kernels, frames)
    usage, stats = encode_with_stats(subject, session.folder, session.timeout_s(subject))
    frame_s = min(frame["wall_s"] for frame in stats["frames"])  # the first one may still load compiled code
    start_up_s = usage.wall_s - frame_s * subject.frames
    return Speed(start_up_s, frame_s / (subject.width * subject.height), stats["interpreted"])
