"""From pictures to temporal units: the whole story of an encode.

pictures -> Lookahead: copies, key frames -> Gop: plans in coding order -> Preparation -> FrameEncoder -> temporal units
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np

from encoder.compiled import CompileWatch
from encoder.config import EncoderConfig
from encoder.frame.choices import choose
from encoder.frame.frame import FrameEncoder, FrameResult
from encoder.frame.gop import MINI_GOPS, FramePlan, Gop, Plan, ShowExisting
from encoder.frame.lookahead import Lookahead, LookaheadPicture
from encoder.frame.preparation import Preparation, Prepared
from encoder.intmath import clip3
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.presets import speed_preset
from encoder.spec import KEY_FRAME
from encoder.timeline import FRAME_OUT, WAIT_FOR_PREPARATION, mark, span

KEPT_AT_WORK, KEPT_SAMPLES = (2, 5), 5_000_000
"""Pictures whose packets wait, so that threads have work while the next pictures come: least and most, and as many as have so many
luma samples, for each takes memory (720p: 5, 1080p: 2)."""


@dataclass(frozen=True)
class Packet:
    """One temporal unit: any number of hidden frames and the one that is shown, or a header that shows a hidden one.

    data            low-overhead OBUs, the temporal delimiter first
    pts             the number of the picture that is shown, in display order; packets come in this order
    is_key          whether decoding can begin here
    reconstruction  the picture that a decoder shows; valid until the next packet is asked for
    source          a copy of the picture that it stands for
    frames          the entries in the --stats file of the frames that are coded in it
    """

    data: bytes
    pts: int
    is_key: bool
    reconstruction: Picture
    source: Picture
    frames: list[dict[str, Any]]


class Encoder:
    """Pictures in by `send`, packets out by `receive`; `flush` says that no picture follows. `encode` shows how to use it.

    A packet comes up to 18 pictures late, with several threads 20 to 23; with low latency one, and none without scene detection.
    Frames are coded in `receive`, with several threads more than one at a time, and on until the next call; who asks for all
    packets there are before the next picture keeps few pictures in memory.
    Raises KernelError for a kernel set that cannot be used.
    """

    def __init__(self, config: EncoderConfig) -> None:
        kernels = load_kernels(config.kernels)
        self.config = config
        self._lookahead = Lookahead(config, kernels.kernels)
        self._gop = Gop(config.low_latency)
        self._frame_encoder = FrameEncoder(config, kernels)
        self._preparation = Preparation(config, kernels, self._frame_encoder.crew)
        self._plans: deque[Plan] = deque()  # what is not started yet
        self._started: deque[_StartedFrame | _StartedShow] = deque()  # and what is, and not finished
        self._frames: list[dict[str, Any]] = []  # coded in the temporal unit that is not complete yet
        self._lookahead_s = 0.0
        # With a second thread, the next frames are prepared while others are coded.
        self._thread = ThreadPoolExecutor(1, "ahead") if self._frame_encoder.at_once > 1 else None
        self._ahead: deque[Future[Prepared]] = deque()  # of the first plans of frames
        self._flushed = False
        self._sent = self._shown = 0
        self._wait = self._waiting_pictures()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; nothing can be received any more."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._frame_encoder.close()

    def send(self, picture: Picture) -> None:
        """Take the next picture in display order; it is copied.

        Raises ValueError for a picture of another size, and after `flush`.
        """
        if self._flushed:
            raise ValueError("a picture is sent after flush")
        if (picture.width, picture.height) != (self.config.width, self.config.height):
            size = f"{self.config.width}x{self.config.height}"
            raise ValueError(f"a picture of {picture.width}x{picture.height} is sent to an encoder of {size}")
        self._sent += 1
        began = time.perf_counter()
        with span("lookahead"):
            self._plan(self._lookahead.send(picture))
        self._lookahead_s += time.perf_counter() - began

    def flush(self) -> None:
        """No picture follows: what has been sent can be received to the end."""
        if not self._flushed:
            self._plan(self._lookahead.flush())
            self._plans += self._gop.flush()
            self._flushed = True

    def receive(self) -> Packet | None:
        """The next packet; None where more pictures are needed for one, or after `flush`, where there are no more."""
        while self._start_frames():
            if not self._flushed and self._sent - self._shown <= self._wait:
                return None  # it can wait, and others are coded meanwhile
            started = self._started.popleft()
            result = self._frame_encoder.finish()
            if isinstance(started, _StartedFrame):
                self._frames.append(_frame_stats(started, result))
            if result.unit is not None:
                return self._packet(started.plan, result.unit)
        return None

    def _waiting_pictures(self) -> int:
        """Up to how many pictures are sent and not shown before a packet has to come.

        So many are there anyway when a mini-GOP begins; with some more, the one before is still being coded.
        """
        if self._thread is None or self.config.low_latency:
            return 0
        samples = self.config.width * self.config.height
        kept = clip3(*KEPT_AT_WORK, KEPT_SAMPLES // samples)
        if self.config.keyint == 1:
            return kept
        return MINI_GOPS[0] + speed_preset(self.config.speed).temporal_reach - 1 + kept

    def _start_frames(self) -> bool:
        """Start what can be started; whether anything is."""
        while self._plans and not self._frame_encoder.is_full and self._is_ready(0):
            plan = self._plans[0]
            if isinstance(plan, FramePlan):
                began = time.perf_counter()
                prepared = self._prepared()
                waited_s = time.perf_counter() - began
                self._plans.popleft()
                self._prepare_ahead()
                self._frame_encoder.start(prepared.source.picture, plan, prepared.choices, prepared.motion)
                # The frame that is coded next pays for the lookahead's work since the last one.
                self._started.append(_StartedFrame(plan, prepared, self._lookahead_s, waited_s))
                self._lookahead_s = 0.0
            else:
                self._plans.popleft()
                self._frame_encoder.show(plan)
                self._started.append(_StartedShow(plan))
        return bool(self._started)

    def _is_ready(self, place: int) -> bool:
        """Whether the pictures are here that the temporal filter wants, and for a key frame the base that comes next; with a second
        thread, those that this one wants as well, since it is prepared while the key frame is coded."""
        plan = self._plans[place]
        if not isinstance(plan, FramePlan):
            return True
        choices = choose(self.config, plan)
        if not choices.temporal_filter:
            return True
        last: Plan = plan
        if plan.frame_type == KEY_FRAME and not self._flushed:
            if len(self._plans) == place + 1:
                return False
            if self._thread is not None:
                last = self._plans[place + 1]
        return self._lookahead.has_sent(last.display_index + choices.preset.temporal_reach)

    def _prepared(self) -> Prepared:
        """What the first of the plans takes to be coded; made ahead, it cost nothing but the time that we waited for it."""
        if not self._ahead:
            return self._preparation.prepare(*self._pictures(0))
        ahead = self._ahead.popleft()
        began = time.perf_counter()
        with span(WAIT_FOR_PREPARATION):
            prepared = ahead.result()
        return replace(prepared, filter_s=time.perf_counter() - began, motion_s=0.0)

    def _prepare_ahead(self) -> None:
        """Have all frames prepared that can be, if there is a thread for it: it takes little memory, and where a frame keeps others
        waiting, there is a processor for it."""
        if self._thread is None:
            return
        places = [place for place, plan in enumerate(self._plans) if isinstance(plan, FramePlan)]
        for place in places[len(self._ahead) :]:
            if not self._is_ready(place):
                return
            self._ahead.append(self._thread.submit(self._preparation.prepare, *self._pictures(place)))

    def _pictures(
        self, place: int
    ) -> tuple[FramePlan, LookaheadPicture, list[LookaheadPicture], LookaheadPicture | None]:
        """The arguments of Preparation.prepare for a frame's plan."""
        plan = self._plans[place]
        assert isinstance(plan, FramePlan)
        reach = choose(self.config, plan).preset.temporal_reach
        next_plan = self._plans[place + 1] if place + 1 < len(self._plans) else None
        is_base = isinstance(next_plan, FramePlan) and next_plan.frame_type != KEY_FRAME
        behind = self._lookahead[next_plan.display_index] if next_plan is not None and is_base else None
        return plan, self._lookahead[plan.display_index], self._lookahead.around(plan.display_index, reach), behind

    def _plan(self, decisions: list[bool]) -> None:
        for is_key in decisions:
            self._plans += self._gop.add(is_key)

    def _packet(self, plan: Plan, unit: bytes) -> Packet:
        self._shown += 1
        mark(FRAME_OUT, plan.display_index)
        frames, self._frames = self._frames, []
        source = self._lookahead[plan.display_index].picture
        self._lookahead.release(plan.display_index)
        is_key = isinstance(plan, FramePlan) and plan.frame_type == KEY_FRAME
        return Packet(unit, plan.display_index, is_key, self._frame_encoder.reconstruction, source, frames)


def encode(pictures: Iterable[Picture], config: EncoderConfig) -> Iterator[Packet]:
    """Encode pictures in display order. A picture may be reused by its owner once the next one is asked for.

    Raises KernelError for a kernel set that cannot be used.
    """
    with Encoder(config) as encoder:
        for picture in pictures:
            encoder.send(picture)
            yield from iter(encoder.receive, None)
        encoder.flush()
        yield from iter(encoder.receive, None)


@dataclass(frozen=True)
class _StartedShow:
    """A hidden frame that is to be shown."""

    plan: ShowExisting


@dataclass(frozen=True)
class _StartedFrame:
    """A frame that is coded. waited_s: for its preparation."""

    plan: FramePlan
    prepared: Prepared
    lookahead_s: float
    waited_s: float


def _frame_stats(started: _StartedFrame, result: FrameResult) -> dict[str, Any]:
    """A coded frame's entry in the --stats file."""
    plan, prepared, stages_s = started.plan, started.prepared, dict(result.stages_s)
    stages_s["lookahead"] = started.lookahead_s + prepared.filter_s
    stages_s["motion"] += prepared.motion_s
    return {
        "display_index": plan.display_index,
        "type": "key" if plan.frame_type == KEY_FRAME else "inter",
        "layer": plan.layer,
        "mini_gop": plan.mini_gop,
        "shown": plan.show_frame,
        "quantizer": prepared.choices.base_q_idx,
        "bytes": result.frame_bytes,
        "bits": result.bits,
        "block_sizes": result.block_sizes,
        "modes": result.modes,
        "wall_s": started.lookahead_s + started.waited_s + result.wall_s,
        "stages_s": stages_s,
        "tiles": result.tiles,
    }


def warm(kernels: str, on_function: Callable[[str], None]) -> None:
    """Compile whatever encoding with a kernel set needs and keep it on disk. `on_function` hears the name of each function.

    Raises KernelError for a kernel set that cannot be used.
    """
    CompileWatch(on_function)
    for _ in encode(_warm_up_pictures(), EncoderConfig(width=64, height=64, kernels=kernels, speed=0)):
        pass


def _warm_up_pictures() -> Iterator[Picture]:
    """Moving texture with noise, so that no filter is left out: a key frame, a hidden frame and a leaf between them."""
    noise = np.random.default_rng(0)
    for number in range(3):
        picture = Picture.allocate(64, 64)
        for plane in range(3):
            height, width = picture.plane(plane).shape
            y, x = np.mgrid[:height, number : width + number]
            texture = 128 + 50 * np.sin(x / 5) + 40 * ((y // 9 + x // 7) % 2)
            picture.plane(plane)[:] = texture + noise.integers(-20, 21, (height, width))
        yield picture
