"""The reference slots as the decoder sees them, and which picture buffers they keep from being overwritten (spec 7.20, 7.21).

Pictures and motion vectors are the caller's, who keeps them by the index of a buffer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from encoder.frame.headers import ALL_FRAMES, FrameHeader
from encoder.frame.order_hints import order_hints_of, ref_frame_sign_bias
from encoder.spec import KEY_FRAME, NUM_REF_FRAMES
from encoder.tile.cdf import without_counters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What a slot keeps of a frame.

    frame_type        of the frame: motion is projected from inter frames only
    showable_frame    a header of an existing frame may show it
    order_hint        RefOrderHint
    order_hints       SavedOrderHints, by ref_frame: the order hints of its own references
    cdfs              flat uint16, as the frame has left them, counters included: filled when it is coded
    buffer            index of its picture buffer
    """

    frame_type: int
    showable_frame: bool
    order_hint: int
    order_hints: tuple[int, ...]
    cdfs: np.ndarray
    buffer: int

    @classmethod
    def of(cls, frame: FrameHeader, cdfs: np.ndarray, buffer: int) -> "Reference":
        """What there is to keep of a frame whose coding begins; nobody changes the arrays once it is coded."""
        # showable_frame is coded for hidden frames only (spec 5.9.2).
        showable = frame.frame_type != KEY_FRAME if frame.show_frame else frame.showable_frame
        return cls(
            frame_type=frame.frame_type,
            showable_frame=showable,
            order_hint=frame.order_hint,
            order_hints=frame.order_hints,
            cdfs=cdfs,
            buffer=buffer,
        )

    def load_cdfs(self) -> np.ndarray:
        """load_cdfs (spec 6.8.2): the CDFs with counters zero, the caller's own copy."""
        return without_counters(self.cdfs)


class References:
    """Eight slots over a number of picture buffers.

    A buffer is in use while a slot refers to it or somebody holds it: the coding of its frame, or a picture that waits to
    be shown. take_buffer and hold begin such a hold, release ends it.
    """

    def __init__(self, order_hint_bits: int, buffers: int) -> None:
        self._order_hint_bits = order_hint_bits
        self._slots: list[Reference | None] = [None] * NUM_REF_FRAMES
        self._holds = [0] * buffers

    def __getitem__(self, slot: int) -> Reference:
        """What a slot keeps. Raises ValueError for a slot that no frame has been put into."""
        reference = self._slots[slot]
        if reference is None:
            raise ValueError(f"reference slot {slot} is empty")
        return reference

    @property
    def ref_order_hint(self) -> tuple[int, ...]:
        """RefOrderHint of the eight slots, for the header of the next frame; 0 where a slot is empty."""
        return tuple(0 if reference is None else reference.order_hint for reference in self._slots)

    def order_hints(self, ref_frame_idx: Sequence[int]) -> tuple[int, ...]:
        """OrderHints, by ref_frame, of a frame with these references."""
        return order_hints_of(self.ref_order_hint, ref_frame_idx)

    def sign_bias(self, order_hint: int, ref_frame_idx: Sequence[int]) -> tuple[int, ...]:
        """RefFrameSignBias, by ref_frame, of a frame with this order hint and these references."""
        return ref_frame_sign_bias(self._order_hint_bits, order_hint, self.order_hints(ref_frame_idx))

    def update(self, refresh_frame_flags: int, reference: Reference) -> None:
        """The reference frame update process (spec 7.20)."""
        for slot in range(NUM_REF_FRAMES):
            if refresh_frame_flags >> slot & 1:
                self._slots[slot] = reference

    def show_existing(self, slot: int) -> Reference:
        """Show the frame in a slot; a key frame is loaded (spec 7.21): it takes all slots, and cannot be shown again.

        Raises ValueError for a frame that may not be shown.
        """
        reference = self[slot]
        if not reference.showable_frame:
            raise ValueError(f"the frame in reference slot {slot} is not showable")
        if reference.frame_type == KEY_FRAME:
            self.update(ALL_FRAMES, replace(reference, showable_frame=False))
        return reference

    def take_buffer(self) -> int:
        """A buffer that is not in use, held from now on. Raises ValueError if there is none."""
        in_slots = {reference.buffer for reference in self._slots if reference is not None}
        for buffer, holds in enumerate(self._holds):
            if not holds and buffer not in in_slots:
                self.hold(buffer)
                return buffer
        raise ValueError(f"all {len(self._holds)} picture buffers are in use")

    def hold(self, buffer: int) -> None:
        """Keep a buffer in use."""
        self._holds[buffer] += 1

    def release(self, buffer: int) -> None:
        """End a hold. Raises ValueError if there is none."""
        if not self._holds[buffer]:
            raise ValueError(f"picture buffer {buffer} is not held")
        self._holds[buffer] -= 1
