"""The structure of a stream: which picture is coded when, as what, and from which references.

Between two key frames lie mini-GOPs of 16 pictures, and of 8, 4, 2, 1 where fewer are left before the next key frame or the
end. The last picture of a mini-GOP (layer 0, its base) is coded first, then the one in the middle (layer 1), then the middles
of both halves (layer 2), and so on; what is coded before its time is hidden, and shown later by a header that names its slot:

    shown    1  2  3  4  5  6  7  8        coded    8  4  2  6  1 [2] 3 [4] 5 [6] 7 [8]
    layer    3  2  3  1  3  2  3  0                            [shown from its slot]

The middles of the two halves know nothing of each other, neither do leaves of each other: they can be coded at the same time.

With low latency pictures are coded in the order of display and shown at once; every fourth is a base, layers go 2 1 2 0.

The eight slots for references, all of them filled by a key frame, which is why nothing ever refers across one:

    0, 1   the last two bases            4, 6   the last two of layer 2
    2      golden: a base of long ago    5, 7   the last two of layer 3
    3      the last of layer 1
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
_LAYER_SLOTS = {1: (3,), 2: (4, 6), 3: (5, 7)}
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
    """

    def __init__(self, low_latency: bool = False) -> None:
        self._low_latency = low_latency
        self._next = 0  # display index of the next picture that we are told of
        self._planned = 0  # and of the first one that is not planned yet
        self._since_key = 0
        self._slots: list[_Picture] = []
        self._last_of: dict[int, _Picture] = {}  # the last one coded, by layer

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
        elif self._next - self._planned == MINI_GOPS[0]:
            plans += self._mini_gop(MINI_GOPS[0])
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
            yield from self._side_by_side([picture], len(LOW_LATENCY_LAYERS), True)
            self._planned += 1

    def _mini_gop(self, length: int) -> Iterator[Plan]:
        """The next `length` pictures."""
        before, after = self._planned - 1, self._planned + length - 1
        base = _Picture(after, 0, False)
        yield from self._side_by_side([base], length, length == 1)
        if length > 1:
            middle = _middle(before, after, 1)
            yield from self._side_by_side([middle], length, middle.is_leaf)
            yield from self._around(before, middle, after, length)
            yield self._show(base)
        self._planned += length

    def _around(self, before: int, middle: _Picture, after: int, length: int) -> Iterator[Plan]:
        """What lies between a picture that is coded and those before and after that are coded too, and it itself is shown."""
        if middle.is_leaf:
            return
        at, layer = middle.display_index, middle.layer + 1
        first, second = _middle(before, at, layer), _middle(at, after, layer)
        if first.is_leaf:
            yield from self._side_by_side([first], length, True)
            yield self._show(middle)
            yield from self._side_by_side([second], length, True)
        else:
            yield from self._side_by_side([first, second], length, False)
            yield from self._around(before, first, at, length)
            yield self._show(middle)
            yield from self._around(at, second, after, length)

    def _show(self, picture: _Picture) -> ShowExisting:
        return ShowExisting(self._slots.index(picture), picture.display_index)

    def _side_by_side(self, pictures: list[_Picture], mini_gop: int, show_frame: bool) -> Iterator[FramePlan]:
        """Plan pictures of one layer from what the slots hold now, without each other, and put them where they belong."""
        held, last_of = set(self._slots), dict(self._last_of)
        for picture in pictures:
            # With too many frames between, order hints would no longer tell before from behind.
            near = {other for other in self._slots if picture.display_index - other.display_index <= _FARTHEST}
            reach = held & near
            names = self._names(picture, reach)
            donor = _donor(picture, names, reach, last_of)
            yield self._inter_frame(picture, names, donor, mini_gop, show_frame)

    def _inter_frame(
        self, picture: _Picture, names: dict[int, _Picture], donor: _Picture, mini_gop: int, show_frame: bool
    ) -> FramePlan:
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
        self._last_of[picture.layer] = picture
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

    def _names(self, picture: _Picture, reach: set[_Picture]) -> dict[int, _Picture]:
        """The pictures worth searching by the name they get, the best first: at most four of `reach`, all different.

        Worth it are pictures of the same layer and of those below, which are better; with low latency all of them.
        """
        held = [other for other in reach if self._low_latency or other.layer <= picture.layer]
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

    def _refreshed_slots(self, picture: _Picture) -> list[int]:
        """Where a picture is kept."""
        if picture.is_leaf:
            return []
        slots = _LAYER_SLOTS[picture.layer] if picture.layer else _BASE_SLOTS
        refreshed = [min(slots, key=lambda slot: self._slots[slot].display_index)]
        golden_age = picture.display_index - self._slots[_GOLDEN_SLOT].display_index
        if picture.layer == 0 and golden_age >= _GOLDEN_AGE:
            refreshed.append(_GOLDEN_SLOT)
        return refreshed


def _index(picture: _Picture) -> int:
    return picture.display_index


def _middle(before: int, after: int, layer: int) -> _Picture:
    return _Picture((before + after) // 2, layer, after - before == 2)


def _donor(
    picture: _Picture, names: dict[int, _Picture], reach: set[_Picture], last_of: dict[int, _Picture]
) -> _Picture:
    """Whose CDFs a picture starts from: the last one of its layer, else of the nearest layer below; a leaf's nearest neighbour."""
    if picture.is_leaf:
        return max(names.values(), key=lambda other: (other.layer, -abs(other.display_index - picture.display_index)))
    return next(last_of[layer] for layer in range(picture.layer, -1, -1) if last_of.get(layer) in reach)
