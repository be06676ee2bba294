"""The reference slots: what they give to the next frame, and the picture buffers that they keep in use."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encoder.frame.headers import FrameHeader
from encoder.frame.references import Reference, References
from encoder.spec import INTER_FRAME, INTRA_ONLY_FRAME, KEY_FRAME
from encoder.tile.cdf import cdf_rows, default_cdfs
from encoder.tiling import Tiling

from .elements import spec_relative_dist, streams

NO_CDFS = np.zeros(0, np.uint16)


def frame(frame_type: int = INTER_FRAME, show_frame: bool = False, **fields) -> FrameHeader:
    return FrameHeader(
        tiling=Tiling.uniform(64, 64),
        base_q_idx=100,
        frame_type=frame_type,
        show_frame=show_frame,
        **{"refresh_frame_flags": 1, **fields},
    )


def reference(buffer: int = 0, cdfs: np.ndarray = NO_CDFS, **fields) -> Reference:
    return Reference.of(frame(**fields), cdfs, buffer)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=streams())
def test_references_hold_what_the_decoder_holds(drawn):
    """Along any stream: the order hints that a header gets from the slots, what may be shown, how many buffers it takes."""
    sequence, frames, _ = drawn
    references, bits = References(sequence.order_hint_bits, buffers=9), sequence.order_hint_bits
    for index, frame in enumerate(frames):
        if isinstance(frame, int):
            references.show_existing(frame)
            continue
        if index and not frame.is_shown_key:
            assert references.ref_order_hint == frame.ref_order_hint
        if frame.frame_type == INTER_FRAME:
            hints = references.order_hints(frame.ref_frame_idx)
            assert hints == frame.order_hints == (0, *(frame.ref_order_hint[slot] for slot in frame.ref_frame_idx))
            bias = [spec_relative_dist(bits, hint, frame.order_hint) > 0 for hint in hints[1:]]
            assert references.sign_bias(frame.order_hint, frame.ref_frame_idx) == (0, *bias)
        buffer = references.take_buffer()
        references.update(frame.refresh_frame_flags, Reference.of(frame, np.zeros(0, np.uint16), buffer))
        references.release(buffer)


@pytest.mark.parametrize(
    ("fields", "showable"),
    [
        ({"frame_type": KEY_FRAME, "show_frame": True, "refresh_frame_flags": 255}, False),
        ({"frame_type": KEY_FRAME, "showable_frame": True}, True),
        ({"frame_type": INTER_FRAME, "show_frame": True}, True),
        ({"frame_type": INTRA_ONLY_FRAME, "show_frame": True}, True),
        ({"frame_type": INTER_FRAME, "showable_frame": True}, True),
        ({"frame_type": INTER_FRAME}, False),
    ],
)
def test_what_may_be_shown_again(fields, showable):
    """Any shown frame but a key frame, and hidden frames that say so."""
    references = References(7, 1)
    references.update(1, reference(**fields))
    assert references[0].showable_frame == showable
    if showable:
        assert references.show_existing(0).buffer == 0
    else:
        with pytest.raises(ValueError, match="slot 0 is not showable"):
            references.show_existing(0)


def test_showing_a_hidden_key_frame_resets_the_slots():
    """All hold it from then on, and it cannot be shown again; showing an inter frame changes nothing."""
    references = References(7, 10)
    references.update(0xFF, reference(buffer=1, order_hint=1))
    references.update(0b100, reference(buffer=2, order_hint=2, showable_frame=True))
    references.update(0b1000, reference(buffer=3, frame_type=KEY_FRAME, order_hint=3, showable_frame=True))
    references.show_existing(2)
    assert references.ref_order_hint == (1, 1, 2, 3, 1, 1, 1, 1)
    assert references.show_existing(3).order_hint == 3
    assert references.ref_order_hint == (3,) * 8
    assert {references[slot].buffer for slot in range(8)} == {3}
    with pytest.raises(ValueError, match="not showable"):
        references.show_existing(3)


def test_a_slot_keeps_type_and_hints_of_its_frame():
    """Of an intra frame no order hints of references: it has none."""
    inter = frame(order_hint=9, ref_order_hint=tuple(range(20, 28)), ref_frame_idx=(0, 2, 4, 6, 7, 5, 3))
    kept = Reference.of(inter, NO_CDFS, 4)
    assert (kept.frame_type, kept.order_hint, kept.buffer) == (INTER_FRAME, 9, 4)
    assert kept.order_hints == (0, 20, 22, 24, 26, 27, 25, 23)
    assert reference(frame_type=INTRA_ONLY_FRAME, ref_order_hint=tuple(range(8))).order_hints == (0,) * 8


def test_loading_cdfs_clears_the_counters_of_a_copy():
    """Values stay; what is kept in the slot stays too."""
    cdfs = default_cdfs(100)
    counters = [start + symbols for start, symbols in cdf_rows().reshape(-1, 2).tolist()]
    assert not cdfs[counters].any()
    adapted = cdfs.copy()
    adapted[counters] = 7
    references = References(7, 1)
    references.update(1 << 5, reference(cdfs=adapted))
    loaded = references[5].load_cdfs()
    assert np.array_equal(loaded, cdfs)
    assert (adapted[counters] == 7).all()
    loaded[:] = 0
    assert np.array_equal(references[5].load_cdfs(), cdfs)


def test_an_empty_slot_has_nothing_to_give():
    """Its order hint is 0; everything else is refused."""
    references = References(7, 1)
    assert references.ref_order_hint == (0,) * 8
    for use in (references.__getitem__, references.show_existing):
        with pytest.raises(ValueError, match="slot 6 is empty"):
            use(6)


def test_a_buffer_is_free_when_no_slot_and_no_holder_is_left():
    """Taken for coding, kept by two slots, held for display."""
    references = References(7, 2)
    first = references.take_buffer()
    references.update(0b11, reference(buffer=first))
    references.hold(first)  # waits to be shown
    references.release(first)  # is coded
    second = references.take_buffer()
    assert {first, second} == {0, 1}
    references.update(0b11, reference(buffer=second))
    with pytest.raises(ValueError, match="all 2 picture buffers are in use"):
        references.take_buffer()
    references.release(first)
    assert references.take_buffer() == first
    references.release(second)
    with pytest.raises(ValueError, match=f"buffer {second} is not held"):
        references.release(second)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3))))
def test_no_buffer_is_handed_out_while_in_use(frames):
    """Any refreshes and waits: 8 slots, 1 frame being coded and 3 waiting never need more than 12 buffers."""
    references = References(7, 12)
    waiting: list[int] = []
    slots: list[int | None] = [None] * 8
    for refresh_frame_flags, wait in frames:
        while len(waiting) > wait:
            references.release(waiting.pop(0))
        buffer = references.take_buffer()
        assert buffer not in {*slots, *waiting}
        references.update(refresh_frame_flags, reference(buffer=buffer))
        slots = [buffer if refresh_frame_flags >> slot & 1 else slots[slot] for slot in range(8)]
        if wait:
            waiting.append(buffer)
        else:
            references.release(buffer)
