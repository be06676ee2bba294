"""Source pictures that wait to be coded: copies with borders and at smaller sizes, and which of them become key frames."""

from __future__ import annotations

from dataclasses import dataclass

from encoder.config import EncoderConfig
from encoder.frame.motion import QUARTER
from encoder.frame.motion_search import LumaPyramid
from encoder.frame.scene_cut import SceneCuts
from encoder.kernels.table import Kernels
from encoder.picture import Picture
from encoder.timeline import FRAME_IN, mark


@dataclass(frozen=True, slots=True, eq=False)
class LookaheadPicture:
    """A picture to be coded.

    display_index   its place in the order of display
    picture         a copy of our own, with a border of REF_BORDER, edges and border extended; or that, cleaned
    pyramid         the copy and its luma at half and at a quarter of the size
    """

    display_index: int
    picture: Picture
    pyramid: LumaPyramid


class Lookahead:
    """Takes pictures in the order of display and decides which become key frames.

    Key frames are the first picture, those of config.forced_key_frames, the one keyint behind the last key frame, and from
    min_keyint on the first picture of a scene. A scene that lasts for one picture is a flash, none: where scenes are looked
    for, a picture is decided about when the next one is there.
    """

    def __init__(self, config: EncoderConfig, kernels: Kernels) -> None:
        self._kernels = kernels
        self._forced = frozenset(config.forced_key_frames)
        self._keyint = config.keyint
        self._min_keyint = config.least_keyint
        self._cuts = SceneCuts() if config.scene_detection and config.keyint != 1 else None
        self._waiting: dict[int, LookaheadPicture] = {}
        self._sent = 0
        self._decided = 0
        self._last_key = 0
        self._ended = False

    def __getitem__(self, display_index: int) -> LookaheadPicture:
        """A picture that has been sent and not been released. Raises KeyError for others."""
        return self._waiting[display_index]

    def has_sent(self, display_index: int) -> bool:
        """Whether a picture is here or has been; also where it will never come, because the pictures have ended."""
        return display_index < self._sent or self._ended

    def around(self, display_index: int, reach: int) -> list[LookaheadPicture]:
        """The pictures up to `reach` before and after one, as far as they are here."""
        near = range(display_index - reach, display_index + reach + 1)
        return [self._waiting[index] for index in near if index != display_index and index in self._waiting]

    def send(self, picture: Picture) -> list[bool]:
        """Copy the next picture; returns for the next pictures that are decided now whether they are key frames."""
        mark(FRAME_IN, self._sent)
        pyramid = LumaPyramid(self._kernels, picture)
        source = LookaheadPicture(self._sent, pyramid.picture, pyramid)
        self._waiting[self._sent] = source
        if self._cuts:
            visible = source.pyramid.plane(QUARTER)[: picture.height >> QUARTER, : picture.width >> QUARTER]
            self._cuts.add(visible)
        self._sent += 1
        return self._decide()

    def flush(self) -> list[bool]:
        """No picture follows; decides about those that are left, as send does."""
        self._ended = True
        return self._decide()

    def release(self, display_index: int) -> None:
        """Let go of a picture. Raises KeyError where it is not there."""
        del self._waiting[display_index]

    def _decide(self) -> list[bool]:
        decisions = []
        while self._decided < self._sent:
            is_key = self._is_key(self._decided)
            if is_key is None:
                break
            if is_key:
                self._last_key = self._decided
            self._decided += 1
            decisions.append(is_key)
        return decisions

    def _is_key(self, index: int) -> bool | None:
        """Whether a picture becomes a key frame; None as long as that depends on the next one."""
        distance = index - self._last_key
        if index == 0 or index in self._forced or (self._keyint and distance >= self._keyint):
            return True
        if distance < self._min_keyint or self._cuts is None:
            return False
        if index + 1 == self._sent and not self._ended:
            return None
        return self._cuts.begins_at(index)
