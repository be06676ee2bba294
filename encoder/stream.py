"""From pictures to temporal units: the whole story of an encode.

pictures -> Lookahead: copies, key frames -> Gop: plans in coding order -> FrameEncoder -> temporal units
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np

from encoder.compiled import CompileWatch
from encoder.config import EncoderConfig
from encoder.frame.cascade import FULL, Cascade
from encoder.frame.choices import FrameChoices, choose
from encoder.frame.frame import FrameEncoder, FrameResult
from encoder.frame.gop import FramePlan, Gop, Plan
from encoder.frame.lookahead import Lookahead, LookaheadPicture
from encoder.frame.temporal_filter import TemporalFilter
from encoder.kernels.load import load_kernels
from encoder.picture import Picture
from encoder.spec import KEY_FRAME
from encoder.timeline import FRAME_OUT, mark, span

TEMPORAL_REACH = 3
"""Pictures on each side that the temporal filter looks at."""


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

    A packet comes up to 18 pictures late, with low latency one, and none without scene detection. Frames are coded in
    `receive`; who asks for all packets there are before the next picture keeps few pictures in memory.
    Raises KernelError for a kernel set that cannot be used.
    """

    def __init__(self, config: EncoderConfig) -> None:
        kernels = load_kernels(config.kernels)
        self.config = config
        self._lookahead = Lookahead(config, kernels.kernels)
        self._temporal_filter = TemporalFilter(kernels, config.width, config.height)
        self._cascade = Cascade(kernels, config.width, config.height)
        self._gop = Gop(config.low_latency)
        self._frame_encoder = FrameEncoder(config, kernels)
        self._plans: deque[Plan] = deque()
        self._frames: list[dict[str, Any]] = []  # coded in the temporal unit that is not complete yet
        self._base: LookaheadPicture | None = None  # the last one that was coded
        self._steepness = FULL
        self._lookahead_s = 0.0
        self._flushed = False

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; nothing can be received any more."""
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
        while self._plans and self._is_ready(self._plans[0]):
            plan = self._plans.popleft()
            with span("frame" if isinstance(plan, FramePlan) else "show", plan.display_index):
                if isinstance(plan, FramePlan):
                    unit = self._encode(plan)
                else:
                    unit = self._frame_encoder.show_existing(plan).unit
            if unit is not None:
                return self._packet(plan, unit)
        return None

    def _is_ready(self, plan: Plan) -> bool:
        """Whether the pictures are here that the temporal filter wants, and for a key frame the base that comes next."""
        if not isinstance(plan, FramePlan) or not choose(self.config, plan).temporal_filter:
            return True
        if plan.frame_type == KEY_FRAME and len(self._plans) == 1 and not self._flushed:
            return False
        return self._lookahead.has_sent(plan.display_index + TEMPORAL_REACH)

    def _plan(self, decisions: list[bool]) -> None:
        for is_key in decisions:
            self._plans += self._gop.add(is_key)

    def _encode(self, plan: FramePlan) -> bytes | None:
        began = time.perf_counter()
        source = self._lookahead[plan.display_index]
        if plan.layer == 0 and not self.config.low_latency:
            self._measure(plan, source)
        choices = choose(self.config, plan, self._steepness)
        if choices.temporal_filter:
            source = self._cleaned(source, plan, choices.base_q_idx)
        self._lookahead_s += time.perf_counter() - began
        began = time.perf_counter()
        result = self._frame_encoder.encode(source, plan, choices)
        # The frame that is coded next pays for the lookahead's work since the last one.
        result.stages_s["lookahead"] = self._lookahead_s
        wall_s = time.perf_counter() - began + self._lookahead_s
        self._lookahead_s = 0.0
        self._frames.append(_frame_stats(plan, choices, result, wall_s))
        return result.unit

    def _measure(self, plan: FramePlan, base: LookaheadPicture) -> None:
        """How steep the cascade is between a base and the one before; of a key frame, between it and the base behind it."""
        before, self._base = self._base, base
        if plan.frame_type != KEY_FRAME:
            assert before is not None, "a key frame has come first"
            self._steepness = self._cascade.steepness(before.pyramid, base.pyramid)
            return
        behind = self._plans[0] if self._plans else None
        if isinstance(behind, FramePlan) and behind.frame_type != KEY_FRAME:
            self._steepness = self._cascade.steepness(base.pyramid, self._lookahead[behind.display_index].pyramid)

    def _cleaned(self, source: LookaheadPicture, plan: FramePlan, base_q_idx: int) -> LookaheadPicture:
        """The picture after the temporal filter; of a key frame, whose past is another scene, only with what follows."""
        neighbours = self._lookahead.around(source.display_index, TEMPORAL_REACH)
        if plan.frame_type == KEY_FRAME:
            neighbours = [other for other in neighbours if other.display_index > source.display_index]
        with span("temporal filter"):
            picture = self._temporal_filter.apply(source, neighbours, base_q_idx)
        return replace(source, picture=picture)

    def _packet(self, plan: Plan, unit: bytes) -> Packet:
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


def _frame_stats(plan: FramePlan, choices: FrameChoices, result: FrameResult, wall_s: float) -> dict[str, Any]:
    """A coded frame's entry in the --stats file."""
    return {
        "display_index": plan.display_index,
        "type": "key" if plan.frame_type == KEY_FRAME else "inter",
        "layer": plan.layer,
        "mini_gop": plan.mini_gop,
        "shown": plan.show_frame,
        "quantizer": choices.base_q_idx,
        "bytes": result.frame_bytes,
        "bits": result.bits,
        "block_sizes": result.block_sizes,
        "modes": result.modes,
        "wall_s": wall_s,
        "stages_s": result.stages_s,
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
