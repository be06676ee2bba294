"""The structure of a stream: which picture is coded when, as what, and from which references.

Between two key frames lie mini-GOPs of 16 pictures, and of 8, 4, 2, 1 where fewer are left before the next key frame or the
end. The last picture of a mini-GOP (layer 0, its base) is coded first, then the one in the middle (layer 1), then the middles
of both halves, and so on; what is coded before its time is hidden, and shown later by a header that names its slot:

    shown    1  2  3  4  5  6  7  8        coded    8  4  2  1 [2] 3 [4] 6  5 [6] 7 [8]
    layer    3  2  3  1  3  2  3  0                            [shown from its slot]

With low latency pictures are coded in the order of display and shown at once; every fourth is a base, layers go 2 1 2 0.

The eight slots for references, all of them filled by a key frame, which is why nothing ever refers across one:

    0, 1   the last two bases            4      the last of layer 2
    2      golden: a base of long ago    5, 7   the last two of layer 3
    3      the last of layer 1           6      the last leaf: no reference for prediction, its CDFs go on to the next leaf
"""

from collections.abc import Iterator
from dataclasses import dataclass

from encoder.spec import (
    ALTREF2_FRAME,
    ALTREF_FRAME,
    BWDREF_FRAME,
    GOLDEN_FRAME,
    INTER_FRAME,
    KEY_FRAME,
    LAST2_FRAME,
    LAST3_FRAME,
    LAST_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    REFS_PER_FRAME,
)

MINI_GOPS = (16, 8, 4, 2, 1)
"""Pictures of a mini-GOP, the longest one that fits is taken."""
LOW_LATENCY_LAYERS = (0, 2, 1, 2)
"""The layer by the number of pictures since the key frame, modulo 4."""
LAYERS = 5
"""Layers are 0 to 4."""

# With order hints of 7 bits, a picture of longer ago would count as still to come.
_FARTHEST = 63
# The first base at this distance from the golden one replaces it: mini-GOPs end at most 15 pictures later.
_GOLDEN_AGE = 48

_BASE_SLOTS = (0, 1)
_GOLDEN_SLOT = 2
_LAYER_SLOTS = {1: (3,), 2: (4,), 3: (5, 7)}
_LEAF_SLOT = 6
_LEAVES = LAYERS
_ALL_SLOTS = (1 << NUM_REF_FRAMES) - 1


@dataclass(frozen=True, slots=True)
class FramePlan:
    """A picture to be coded.

    display_index        its place in the order of display, from 0
    frame_type           KEY_FRAME or INTER_FRAME
    layer                0 for key frames and bases, up to 4: the higher, the fewer pictures depend on it
    is_leaf              no other picture is predicted from it
    mini_gop             pictures in its mini-GOP (in the cycle of layers, with low latency); 1 for a key frame
    show_frame           whether it is shown at once; else a ShowExisting follows
    refresh_frame_flags  bit i: it becomes the reference in slot i
    ref_frame_idx        the slots of LAST_FRAME to ALTREF_FRAME: LAST_FRAME is the nearest picture before, BWDREF_FRAME the
                         nearest one after; where none comes after, BWDREF_FRAME is a second one before
    primary_ref_frame    index into ref_frame_idx: whose CDFs it starts from; PRIMARY_REF_NONE for key frames
    search_refs          references worth searching, LAST_FRAME to ALTREF_FRAME, the best first, all of them different pictures
    """

    display_index: int
    frame_type: int
    layer: int
    is_leaf: bool
    mini_gop: int
    show_frame: bool
    refresh_frame_flags: int
    ref_frame_idx: tuple[int, ...]
    primary_ref_frame: int
    search_refs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShowExisting:
    """It is time to show the hidden picture in a slot."""

    slot: int
    display_index: int


Plan = FramePlan | ShowExisting


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a slot holds."""

    display_index: int
    layer: int
    is_leaf: bool


class Gop:
    """Plans a stream, picture by picture in the order of display.

    low_latency  code in the order of display
    longest      pictures of the longest mini-GOP, 1 to 16
    """

    def __init__(self, low_latency: bool = False, longest: int = MINI_GOPS[0]) -> None:
        self._low_latency = low_latency
        self._longest = longest
        self._next = 0  # display index of the next picture that we are told of
        self._planned = 0  # and of the first one that is not planned yet
        self._since_key = 0
        self._slots: list[_Picture] = []
        self._last_of: dict[int, _Picture] = {}  # the last one coded, by layer; leaves have one of their own

    def add(self, is_key: bool) -> list[Plan]:
        """The next picture is there, to be a key frame or not; returns what can be coded now, in this order.

        The first picture is a key frame in any case.
        """
        index = self._next
        plans: list[Plan] = []
        if is_key or index == 0:
            plans += self.flush()
            plans.append(self._key_frame(index))
            self._planned = index + 1
        self._next = index + 1
        if self._low_latency:
            plans += self._in_order()
        elif self._next - self._planned == self._longest:
            plans += self._mini_gop(self._longest)
        return plans

    def flush(self) -> list[Plan]:
        """No picture follows, or a key frame does: returns the plans for those that wait."""
        plans: list[Plan] = []
        while waiting := self._next - self._planned:
            plans += self._mini_gop(next(length for length in MINI_GOPS if length <= waiting))
        return plans

    def _key_frame(self, index: int) -> FramePlan:
        key = _Picture(index, 0, False)
        self._slots = [key] * NUM_REF_FRAMES
        self._last_of = {0: key}
        self._since_key = 0
        no_references = (0,) * REFS_PER_FRAME
        return FramePlan(index, KEY_FRAME, 0, False, 1, True, _ALL_SLOTS, no_references, PRIMARY_REF_NONE, ())

    def _in_order(self) -> Iterator[Plan]:
        """Low latency: the pictures that wait, one after the other."""
        while self._planned < self._next:
            self._since_key += 1
            layer = LOW_LATENCY_LAYERS[self._since_key % len(LOW_LATENCY_LAYERS)]
            picture = _Picture(self._planned, layer, False)
            yield self._inter_frame(picture, len(LOW_LATENCY_LAYERS), True)
            self._planned += 1

    def _mini_gop(self, length: int) -> Iterator[Plan]:
        """The next `length` pictures."""
        base = _Picture(self._planned + length - 1, 0, False)
        yield self._inter_frame(base, length, length == 1)
        yield from self._between(self._planned - 1, base.display_index, 1, length)
        if length > 1:
            yield self._show(base)
        self._planned += length

    def _between(self, before: int, after: int, layer: int, length: int) -> Iterator[Plan]:
        """The pictures between two that are coded already."""
        if after - before < 2:
            return
        middle = _Picture((before + after) // 2, layer, after - before == 2)
        is_next = middle.display_index == before + 1
        yield self._inter_frame(middle, length, is_next)
        yield from self._between(before, middle.display_index, layer + 1, length)
        if not is_next:
            yield self._show(middle)
        yield from self._between(middle.display_index, after, layer + 1, length)

    def _show(self, picture: _Picture) -> ShowExisting:
        return ShowExisting(self._slots.index(picture), picture.display_index)

    def _inter_frame(self, picture: _Picture, mini_gop: int, show_frame: bool) -> FramePlan:
        """Plan a picture from what the slots hold, and put it where it belongs."""
        donor = self._donor(picture)
        names = self._names(picture)
        named = list(names.values())
        search_refs = tuple(names)
        # Whoever gives only its CDFs must have a name too. The names that are left repeat one on the same side.
        if donor not in named:
            names[LAST3_FRAME] = donor
        primary_ref_frame = next(name for name, held in names.items() if held == donor) - LAST_FRAME
        for name in range(LAST_FRAME, ALTREF_FRAME + 1):
            stand_in = BWDREF_FRAME if name > BWDREF_FRAME and BWDREF_FRAME in names else LAST_FRAME
            names.setdefault(name, names[stand_in])
        slots = tuple(self._slots.index(names[name]) for name in range(LAST_FRAME, ALTREF_FRAME + 1))
        refreshed = self._refreshed_slots(picture)
        for slot in refreshed:
            self._slots[slot] = picture
        self._last_of[_LEAVES if picture.is_leaf else picture.layer] = picture
        return FramePlan(
            display_index=picture.display_index,
            frame_type=INTER_FRAME,
            layer=picture.layer,
            is_leaf=picture.is_leaf,
            mini_gop=mini_gop,
            show_frame=show_frame,
            refresh_frame_flags=sum(1 << slot for slot in refreshed),
            ref_frame_idx=slots,
            primary_ref_frame=primary_ref_frame,
            search_refs=search_refs,
        )

    def _names(self, picture: _Picture) -> dict[int, _Picture]:
        """The pictures worth searching by the name they get, the best first: at most four, all different.

        Worth it are pictures of the same layer and of those below, which are better; with low latency all of them.
        """
        held = [other for other in self._in_reach(picture) if not other.is_leaf]
        if not self._low_latency:
            held = [other for other in held if other.layer <= picture.layer]
        past = sorted(
            (other for other in held if other.display_index < picture.display_index), key=_index, reverse=True
        )
        future = sorted((other for other in held if other.display_index > picture.display_index), key=_index)
        names = {LAST_FRAME: past[0]}
        golden = self._slots[_GOLDEN_SLOT]
        others = past[1:]
        if future:
            names[BWDREF_FRAME] = future[0]
            if others:
                names[GOLDEN_FRAME if others[0] == golden else LAST2_FRAME] = others[0]
            if future[1:]:
                names[ALTREF2_FRAME if future[2:] else ALTREF_FRAME] = future[1]
            return names
        if others:
            # Compound prediction takes one of LAST_FRAME to GOLDEN_FRAME and one of BWDREF_FRAME to ALTREF_FRAME.
            names[BWDREF_FRAME] = second = min(others, key=lambda other: (other.layer, -other.display_index))
            others.remove(second)
        if golden in others:
            names[GOLDEN_FRAME] = golden
            others.remove(golden)
        if others:
            names[ALTREF_FRAME] = others[0]
        return names

    def _donor(self, picture: _Picture) -> _Picture:
        """Whose CDFs a picture starts from: the last one of its layer, else of the nearest layer below."""
        below = range(picture.layer, -1, -1)
        kinds = [_LEAVES, *below] if picture.is_leaf else below
        reach = self._in_reach(picture)
        return next(self._last_of[kind] for kind in kinds if self._last_of.get(kind) in reach)

    def _in_reach(self, picture: _Picture) -> set[_Picture]:
        """What the slots hold, without what is too long ago."""
        return {other for other in self._slots if picture.display_index - other.display_index <= _FARTHEST}

    def _refreshed_slots(self, picture: _Picture) -> list[int]:
        """Where a picture is kept."""
        if picture.is_leaf:
            return [_LEAF_SLOT]
        slots = _LAYER_SLOTS[picture.layer] if picture.layer else _BASE_SLOTS
        refreshed = [min(slots, key=lambda slot: self._slots[slot].display_index)]
        golden_age = picture.display_index - self._slots[_GOLDEN_SLOT].display_index
        if picture.layer == 0 and golden_age >= _GOLDEN_AGE:
            refreshed.append(_GOLDEN_SLOT)
        return refreshed


def _index(picture: _Picture) -> int:
    return picture.display_index
