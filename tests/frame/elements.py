"""Headers drawn at random, alone and in streams, and the syntax elements that a parser must find in them."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

from encoder.frame.headers import FrameHeader, SequenceHeader
from encoder.tiling import Tiling

FPS = Fraction(30000, 1001)
SEC_STRENGTHS = (0, 1, 2, 4)
KEY, INTER, INTRA_ONLY = 0, 1, 2
LR_TYPES = {0: 0, 3: 1, 1: 2, 2: 3}  # lr_type of FrameRestorationType

Elements = list[tuple[str, int]]


def section(elements: Elements, first: str, last: str) -> Elements:
    """The elements from one name to another, both included."""
    names = [name for name, _ in elements]
    return elements[names.index(first) : names.index(last) + 1]


def frames_of(elements: Elements) -> list[Elements]:
    """The elements of each frame header, without those of the OBUs and tile groups around them."""
    frames: list[Elements] = []
    inside = False
    for name, value in elements:
        if name == "show_existing_frame":
            inside = True
            frames.append([])
        inside &= not name.startswith(("obu_", "zero_bit", "trailing_", "tile_start_and_end"))
        if inside:
            frames[-1].append((name, value))
    return frames


def dummy_tiles(frame: FrameHeader) -> list[bytes]:
    """Data for all tiles of a frame, the last one the biggest."""
    return [bytes(40)] * (frame.tiling.count - 1) + [bytes(41)]


@st.composite
def key_frames(draw: st.DrawFn) -> FrameHeader:
    """Any shown key frame of a picture up to 1500x900."""
    tiling = Tiling.uniform(*(draw(st.integers(low, high)) for low, high in ((8, 1500), (8, 900), (0, 5), (0, 5))))
    return FrameHeader(tiling=tiling, order_hint=draw(st.integers(0, 127)), **draw(common_fields()))


@st.composite
def common_fields(draw: st.DrawFn) -> dict:
    """What every frame has, whatever its type."""
    cdef_bits = draw(st.integers(0, 3))
    pri = st.lists(st.integers(0, 15), min_size=1 << cdef_bits, max_size=1 << cdef_bits).map(tuple)
    sec = st.lists(st.sampled_from(SEC_STRENGTHS), min_size=1 << cdef_bits, max_size=1 << cdef_bits).map(tuple)
    disable_cdf_update = draw(st.booleans())
    size = draw(st.sampled_from((64, 128, 256)))
    return {
        "base_q_idx": draw(st.integers(1, 255)),
        "disable_cdf_update": disable_cdf_update,
        "disable_frame_end_update_cdf": disable_cdf_update or draw(st.booleans()),
        "loop_filter_level": draw(st.tuples(*[st.just(0) | st.integers(0, 63)] * 4)),
        "loop_filter_sharpness": draw(st.integers(0, 7)),
        "cdef_damping": draw(st.integers(3, 6)),
        "cdef_bits": cdef_bits,
        "cdef_y_pri_strength": draw(pri),
        "cdef_y_sec_strength": draw(sec),
        "cdef_uv_pri_strength": draw(pri),
        "cdef_uv_sec_strength": draw(sec),
        "frame_restoration_type": draw(st.tuples(*[st.integers(0, 3)] * 3)),
        "loop_restoration_size": (size, draw(st.sampled_from((size, size // 2)))),
        "tx_mode_select": draw(st.booleans()),
        "reduced_tx_set": draw(st.booleans()),
    }


@dataclass
class Slot:
    """What the model of a stream knows of a reference slot."""

    order_hint: int
    frame_type: int
    showable: bool


@st.composite
def sequences(draw: st.DrawFn, tiling: Tiling) -> SequenceHeader:
    """Any sequence header for frames of this tiling; restoration is on, for any frame may ask for it."""
    bits = draw(st.integers(1, 8))
    switches = ("enable_cdef", "enable_warped_motion", "enable_ref_frame_mvs")
    return SequenceHeader(
        max_frame_width=tiling.width,
        max_frame_height=tiling.height,
        num_units_in_display_tick=1,
        time_scale=25,
        seq_level_idx=0,
        order_hint_bits=bits,
        enable_restoration=True,
        **{name: draw(st.booleans()) for name in switches},
    )


Stream = tuple[SequenceHeader, list[FrameHeader | int], list[dict[str, int]]]


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A sequence header, frames in coding order (an int is a slot to show), and the elements of each frame's header."""
    tiling = Tiling.uniform(200, 136, draw(st.integers(0, 1)), 0)
    sequence = draw(sequences(tiling))
    slots = [Slot(0, KEY, False)] * 8
    frames: list[FrameHeader | int] = []
    expected = []
    for index in range(draw(st.integers(2, 14))):
        showable = [i for i in range(8) if slots[i].showable]
        if showable and draw(st.integers(0, 3)) == 0:
            shown = draw(st.sampled_from(showable))
            frames.append(shown)
            expected.append({"show_existing_frame": 1, "frame_to_show_map_idx": shown})
            if slots[shown].frame_type == KEY:
                slots = [Slot(slots[shown].order_hint, KEY, False)] * 8
            continue
        frame = draw(frame_after(tiling, sequence, slots, first=index == 0))
        frames.append(frame)
        expected.append(expected_elements(sequence, frame, slots))
        can_be_shown = frame.frame_type != KEY if frame.show_frame else frame.showable_frame
        new = Slot(frame.order_hint, frame.frame_type, can_be_shown)
        slots = [new if frame.refresh_frame_flags >> i & 1 else slots[i] for i in range(8)]
    return sequence, frames, expected


@st.composite
def frame_after(
    draw: st.DrawFn, tiling: Tiling, sequence: SequenceHeader, slots: list[Slot], first: bool
) -> FrameHeader:
    """Any frame that may follow what is in the slots; inter frames are the likeliest."""
    order_hint = draw(st.integers(0, (1 << sequence.order_hint_bits) - 1))
    frame_type = KEY if first else draw(st.sampled_from((INTER, INTER, INTER, INTER, INTRA_ONLY, KEY)))
    show_frame = first or draw(st.booleans())
    fields = draw(common_fields()) | {
        "tiling": tiling,
        "frame_type": frame_type,
        "show_frame": show_frame,
        "order_hint": order_hint,
        "ref_order_hint": tuple(slot.order_hint for slot in slots),
    }
    if frame_type == KEY and show_frame:
        return FrameHeader(**fields)
    fields |= {
        "showable_frame": not show_frame and draw(st.booleans()),
        "error_resilient_mode": draw(st.booleans()),
        "refresh_frame_flags": draw(st.integers(0, 254 if frame_type == INTRA_ONLY else 255)),
    }
    if frame_type != INTER:
        return FrameHeader(**fields)
    ref_frame_idx = draw(st.tuples(*[st.integers(0, 7)] * 7))
    reference_select = draw(st.booleans())
    hints = [slots[i].order_hint for i in ref_frame_idx]
    allowed = reference_select and spec_skip_mode_frame(sequence.order_hint_bits, order_hint, hints) is not None
    resilient = fields["error_resilient_mode"]
    return FrameHeader(
        **fields,
        primary_ref_frame=7 if resilient else draw(st.integers(0, 7)),
        ref_frame_idx=ref_frame_idx,
        allow_high_precision_mv=draw(st.booleans()),
        interpolation_filter=draw(st.integers(0, 4)),
        use_ref_frame_mvs=sequence.enable_ref_frame_mvs and not resilient and draw(st.booleans()),
        reference_select=reference_select,
        skip_mode_present=allowed and draw(st.booleans()),
    )


def expected_elements(sequence: SequenceHeader, frame: FrameHeader, slots: list[Slot]) -> dict[str, int]:
    """What FFmpeg should find, without the elements that the values of others leave out."""
    shown_key = frame.frame_type == KEY and frame.show_frame
    expected = {
        "show_existing_frame": 0,
        "frame_type": frame.frame_type,
        "show_frame": frame.show_frame,
        "disable_cdf_update": frame.disable_cdf_update,
        "frame_size_override_flag": 0,
        "order_hint": frame.order_hint,
        "render_and_frame_size_different": 0,
        "uniform_tile_spacing_flag": 1,
        "tile_cols_log2": frame.tiling.cols_log2,
        "tile_rows_log2": frame.tiling.rows_log2,
        "base_q_idx": frame.base_q_idx,
        "delta_q_y_dc.delta_coded": 0,
        "delta_q_u_dc.delta_coded": 0,
        "delta_q_u_ac.delta_coded": 0,
        "using_qmatrix": 0,
        "segmentation_enabled": 0,
        "delta_q_present": 0,
        "loop_filter_sharpness": frame.loop_filter_sharpness,
        "loop_filter_delta_enabled": 0,
        "tx_mode": 2 if frame.tx_mode_select else 1,
        "reduced_tx_set": frame.reduced_tx_set,
    }
    if not frame.show_frame:
        expected["showable_frame"] = frame.showable_frame
    if not shown_key:
        expected["error_resilient_mode"] = frame.error_resilient_mode
        expected["refresh_frame_flags"] = frame.refresh_frame_flags
        if frame.error_resilient_mode and (frame.frame_type == INTER or frame.refresh_frame_flags != 255):
            expected |= {f"ref_order_hint[{i}]": slots[i].order_hint for i in range(8)}
    if not frame.disable_cdf_update:
        expected["disable_frame_end_update_cdf"] = frame.disable_frame_end_update_cdf
    if frame.tiling.count > 1:
        expected |= {"context_update_tile_id": frame.tiling.count - 1, "tile_size_bytes_minus1": 0}
    expected |= expected_of_filters(sequence, frame)
    if frame.frame_type == INTER:
        expected |= expected_of_inter(sequence, frame, slots)
    return expected


def expected_of_filters(sequence: SequenceHeader, frame: FrameHeader) -> dict[str, int]:
    """Deblocking levels, CDEF, restoration."""
    levels = 4 if any(frame.loop_filter_level[:2]) else 2
    expected = {f"loop_filter_level[{i}]": frame.loop_filter_level[i] for i in range(levels)}
    if sequence.enable_cdef:
        expected |= {"cdef_damping_minus_3": frame.cdef_damping - 3, "cdef_bits": frame.cdef_bits}
        for i in range(1 << frame.cdef_bits):
            expected |= {
                f"cdef_y_pri_strength[{i}]": frame.cdef_y_pri_strength[i],
                f"cdef_y_sec_strength[{i}]": SEC_STRENGTHS.index(frame.cdef_y_sec_strength[i]),
                f"cdef_uv_pri_strength[{i}]": frame.cdef_uv_pri_strength[i],
                f"cdef_uv_sec_strength[{i}]": SEC_STRENGTHS.index(frame.cdef_uv_sec_strength[i]),
            }
    if sequence.enable_restoration:
        kinds, (luma, chroma) = frame.frame_restoration_type, frame.loop_restoration_size
        expected |= {f"lr_type[{i}]": LR_TYPES[kinds[i]] for i in range(3)}
        if any(kinds):
            expected["lr_unit_shift"] = (64, 128, 256).index(luma)  # FFmpeg's, with lr_unit_extra_shift in it
        if any(kinds[1:]):
            expected["lr_uv_shift"] = chroma < luma
    return expected


def expected_of_inter(sequence: SequenceHeader, frame: FrameHeader, slots: list[Slot]) -> dict[str, int]:
    """What only inter frames have."""
    expected = {
        "frame_refs_short_signaling": 0,
        **{f"ref_frame_idx[{i}]": frame.ref_frame_idx[i] for i in range(7)},
        "allow_high_precision_mv": frame.allow_high_precision_mv,
        "is_filter_switchable": frame.interpolation_filter == 4,
        "is_motion_mode_switchable": 0,
        "reference_select": frame.reference_select,
        **{f"is_global[{i}]": 0 for i in range(1, 8)},
    }
    if frame.interpolation_filter < 4:
        expected["interpolation_filter"] = frame.interpolation_filter
    if not frame.error_resilient_mode:
        expected["primary_ref_frame"] = frame.primary_ref_frame
        if sequence.enable_ref_frame_mvs:
            expected["use_ref_frame_mvs"] = frame.use_ref_frame_mvs
        if sequence.enable_warped_motion:
            expected["allow_warped_motion"] = 0
    hints = [slots[i].order_hint for i in frame.ref_frame_idx]
    if frame.reference_select and spec_skip_mode_frame(sequence.order_hint_bits, frame.order_hint, hints):
        expected["skip_mode_present"] = frame.skip_mode_present
    return expected


def spec_relative_dist(bits: int, a: int, b: int) -> int:
    """The specification's get_relative_dist, in words: the difference, sign extended from so many bits."""
    difference = (a - b) % (1 << bits)
    return difference - (1 << bits) if difference >> (bits - 1) else difference


def spec_skip_mode_frame(bits: int, order_hint: int, ref_hints: list[int]) -> tuple[int, int] | None:
    """The loops of skip_mode_params (spec 5.9.22) for the hints of seven references; None if skipModeAllowed is 0."""
    forward_idx = backward_idx = second_idx = -1
    forward_hint = backward_hint = second_hint = 0
    for i, ref_hint in enumerate(ref_hints):
        if spec_relative_dist(bits, ref_hint, order_hint) < 0:
            if forward_idx < 0 or spec_relative_dist(bits, ref_hint, forward_hint) > 0:
                forward_idx, forward_hint = i, ref_hint
        elif spec_relative_dist(bits, ref_hint, order_hint) > 0 and (
            backward_idx < 0 or spec_relative_dist(bits, ref_hint, backward_hint) < 0
        ):
            backward_idx, backward_hint = i, ref_hint
    if forward_idx < 0:
        return None
    if backward_idx >= 0:
        return 1 + min(forward_idx, backward_idx), 1 + max(forward_idx, backward_idx)
    for i, ref_hint in enumerate(ref_hints):
        if spec_relative_dist(bits, ref_hint, forward_hint) < 0 and (
            second_idx < 0 or spec_relative_dist(bits, ref_hint, second_hint) > 0
        ):
            second_idx, second_hint = i, ref_hint
    if second_idx < 0:
        return None
    return 1 + min(forward_idx, second_idx), 1 + max(forward_idx, second_idx)
