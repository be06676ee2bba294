"""Order hints: output order modulo 2**order_hint_bits, and what the decoder derives from it for a frame's references.

order_hints is OrderHints: eight of them by ref_frame, of which entry 0 (INTRA_FRAME) says nothing. get_relative_dist is
plain code, for the motion field runs it compiled.
"""

from collections.abc import Sequence

from encoder.spec import LAST_FRAME


def get_relative_dist(order_hint_bits: int, a: int, b: int) -> int:
    """How far a lies behind b in output order, negative if before it (spec 5.9.3)."""
    half = 1 << (order_hint_bits - 1)
    difference = a - b
    return (difference & (half - 1)) - (difference & half)


def order_hints_of(ref_order_hint: Sequence[int], ref_frame_idx: Sequence[int]) -> tuple[int, ...]:
    """OrderHints (spec 5.9.2): from the order hints of the eight slots, those of seven references, by ref_frame."""
    return (0, *(ref_order_hint[slot] for slot in ref_frame_idx))


def ref_frame_sign_bias(order_hint_bits: int, order_hint: int, order_hints: Sequence[int]) -> tuple[int, ...]:
    """RefFrameSignBias (spec 5.9.2) by ref_frame: 1 where the reference comes later than the frame itself, entry 0 is 0."""
    return (0, *(int(get_relative_dist(order_hint_bits, hint, order_hint) > 0) for hint in order_hints[LAST_FRAME:]))


def skip_mode_frame(order_hint_bits: int, order_hint: int, order_hints: Sequence[int]) -> tuple[int, int] | None:
    """SkipModeFrame of an inter frame with reference_select, or None where skipModeAllowed is 0 (spec 5.9.22).

    The nearest reference before the frame with the nearest after it or, if none is after it, with the nearest of those
    before that one. Of references as near as each other the first counts.
    """

    def distance(index: int, hint: int) -> int:
        return get_relative_dist(order_hint_bits, order_hints[index], hint)

    indices = range(LAST_FRAME, len(order_hints))
    before = [i for i in indices if distance(i, order_hint) < 0]
    if not before:
        return None
    nearest = max(before, key=lambda i: distance(i, order_hint))
    after = [i for i in indices if distance(i, order_hint) > 0]
    if after:
        other = min(after, key=lambda i: distance(i, order_hint))
    else:
        # Not only those before the frame itself: with hints half the range away, distances do not add up.
        second = [i for i in indices if distance(i, order_hints[nearest]) < 0]
        if not second:
            return None
        other = max(second, key=lambda i: distance(i, order_hints[nearest]))
    return min(nearest, other), max(nearest, other)
