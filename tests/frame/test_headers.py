"""Headers say what was meant: FFmpeg's parser reads back every syntax element."""

from dataclasses import replace

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encoder.bits import BitWriter
from encoder.frame.headers import FrameHeader, SequenceHeader, uncompressed_header
from encoder.frame.obu import TemporalUnits, frame_unit, sequence_header_unit, temporal_unit
from encoder.spec import (
    INTER_FRAME,
    INTRA_ONLY_FRAME,
    KEY_FRAME,
    RESTORE_NONE,
    RESTORE_SGRPROJ,
    RESTORE_SWITCHABLE,
    RESTORE_WIENER,
    SWITCHABLE,
)
from encoder.tiling import Tiling

from .elements import FPS, Elements, dummy_tiles, expected_elements, frames_of, key_frames, section, streams

PLAIN = Tiling.uniform(200, 120)
INTER = {"frame_type": INTER_FRAME}


def stream(sequence: SequenceHeader, frame: FrameHeader) -> bytes:
    """A temporal unit of one key frame whose tiles are dummies."""
    return temporal_unit([sequence_header_unit(sequence), frame_unit(sequence, frame, dummy_tiles(frame))])


def second_frame(trace, sequence: SequenceHeader, **fields) -> Elements:
    """The elements of a frame that follows a key frame."""
    units = TemporalUnits(sequence)
    frames = [FrameHeader(tiling=PLAIN, base_q_idx=100), FrameHeader(tiling=PLAIN, base_q_idx=100, **fields)]
    if not frames[1].show_frame:
        frames.append(frames[0])
    written = [units.add_frame(frame, frame_unit(sequence, frame, dummy_tiles(frame))) for frame in frames]
    return frames_of(trace(*filter(None, written)))[1]


def sequence_elements(elements: Elements) -> Elements:
    return section(elements, "seq_profile", "film_grain_params_present")


def frame_elements(elements: Elements) -> Elements:
    return section(elements, "show_existing_frame", "reduced_tx_set")


def test_every_element_of_a_sequence_header(trace):
    """In order, with the defaults of a 200x120 stream."""
    elements = trace(stream(SequenceHeader.of(PLAIN, FPS), FrameHeader(tiling=PLAIN, base_q_idx=100)))
    assert sequence_elements(elements) == [
        ("seq_profile", 0),
        ("still_picture", 0),
        ("reduced_still_picture_header", 0),
        ("timing_info_present_flag", 1),
        ("num_units_in_display_tick", 1001),
        ("time_scale", 30000),
        ("equal_picture_interval", 1),
        ("num_ticks_per_picture_minus_1", 0),
        ("decoder_model_info_present_flag", 0),
        ("initial_display_delay_present_flag", 0),
        ("operating_points_cnt_minus_1", 0),
        ("operating_point_idc[0]", 0),
        ("seq_level_idx[0]", 0),
        ("frame_width_bits_minus_1", 7),
        ("frame_height_bits_minus_1", 6),
        ("max_frame_width_minus_1", 199),
        ("max_frame_height_minus_1", 119),
        ("frame_id_numbers_present_flag", 0),
        ("use_128x128_superblock", 0),
        ("enable_filter_intra", 0),
        ("enable_intra_edge_filter", 1),
        ("enable_interintra_compound", 0),
        ("enable_masked_compound", 0),
        ("enable_warped_motion", 0),
        ("enable_dual_filter", 0),
        ("enable_order_hint", 1),
        ("enable_jnt_comp", 0),
        ("enable_ref_frame_mvs", 0),
        ("seq_choose_screen_content_tools", 0),
        ("seq_force_screen_content_tools", 0),
        ("order_hint_bits_minus_1", 6),
        ("enable_superres", 0),
        ("enable_cdef", 1),
        ("enable_restoration", 0),
        ("high_bitdepth", 0),
        ("mono_chrome", 0),
        ("color_description_present_flag", 0),
        ("color_range", 0),
        ("chroma_sample_position", 0),
        ("separate_uv_delta_q", 0),
        ("film_grain_params_present", 0),
    ]


@pytest.mark.parametrize(("width", "height", "bits"), [(8, 8, (3, 3)), (256, 257, (8, 9)), (4096, 2304, (12, 12))])
def test_sizes_take_the_fewest_bits(trace, width, height, bits):
    """frame_width_bits_minus_1 and frame_height_bits_minus_1."""
    tiling = Tiling.uniform(width, height)
    found = dict(trace(stream(SequenceHeader.of(tiling, FPS), FrameHeader(tiling=tiling, base_q_idx=1))))
    assert (found["frame_width_bits_minus_1"] + 1, found["frame_height_bits_minus_1"] + 1) == bits
    assert (found["max_frame_width_minus_1"] + 1, found["max_frame_height_minus_1"] + 1) == (width, height)


@pytest.mark.parametrize(("level", "has_tier"), [(5, False), (8, True), (31, True)])
def test_tier_is_coded_from_level_4_0(trace, level, has_tier):
    """And everything behind it keeps its place."""
    sequence = replace(SequenceHeader.of(PLAIN, FPS), seq_level_idx=level)
    found = dict(trace(stream(sequence, FrameHeader(tiling=PLAIN, base_q_idx=100))))
    assert found["seq_level_idx[0]"] == level
    assert ("seq_tier[0]" in found) == has_tier
    assert found["max_frame_width_minus_1"] == 199


@pytest.mark.parametrize(
    "name",
    [
        "enable_filter_intra",
        "enable_intra_edge_filter",
        "enable_interintra_compound",
        "enable_masked_compound",
        "enable_warped_motion",
        "enable_dual_filter",
        "enable_jnt_comp",
        "enable_ref_frame_mvs",
        "enable_cdef",
        "enable_restoration",
        "color_range",
    ],
)
def test_a_flag_changes_its_own_element_only(trace, name):
    """Turned over, one flag of the sequence header."""
    sequence = SequenceHeader.of(PLAIN, FPS)
    frame = FrameHeader(tiling=PLAIN, base_q_idx=100)
    before = sequence_elements(trace(stream(sequence, frame)))
    after = sequence_elements(trace(stream(replace(sequence, **{name: not getattr(sequence, name)}), frame)))
    assert [(old[0], new[1] - old[1]) for old, new in zip(before, after, strict=True) if old != new] == [
        (name, -1 if getattr(sequence, name) else 1)
    ]


def test_every_element_of_a_frame_header(trace):
    """In order, with every field away from its default: 5 x 3 superblocks in 3 x 2 tiles, two CDEF strengths."""
    tiling = Tiling.uniform(300, 170, 2, 1)
    frame = FrameHeader(
        tiling=tiling,
        base_q_idx=173,
        order_hint=77,
        disable_frame_end_update_cdf=True,
        loop_filter_level=(0, 63, 21, 22),
        loop_filter_sharpness=5,
        cdef_damping=6,
        cdef_bits=1,
        cdef_y_pri_strength=(15, 1),
        cdef_y_sec_strength=(4, 1),
        cdef_uv_pri_strength=(7, 8),
        cdef_uv_sec_strength=(2, 0),
        tx_mode_select=True,
        reduced_tx_set=True,
    )
    assert frame_elements(trace(stream(SequenceHeader.of(tiling, FPS), frame))) == [
        ("show_existing_frame", 0),
        ("frame_type", 0),
        ("show_frame", 1),
        ("disable_cdf_update", 0),
        ("frame_size_override_flag", 0),
        ("order_hint", 77),
        ("render_and_frame_size_different", 0),
        ("disable_frame_end_update_cdf", 1),
        ("uniform_tile_spacing_flag", 1),
        ("tile_cols_log2", 2),
        ("tile_rows_log2", 1),
        ("context_update_tile_id", 5),
        ("tile_size_bytes_minus1", 0),
        ("base_q_idx", 173),
        ("delta_q_y_dc.delta_coded", 0),
        ("delta_q_u_dc.delta_coded", 0),
        ("delta_q_u_ac.delta_coded", 0),
        ("using_qmatrix", 0),
        ("segmentation_enabled", 0),
        ("delta_q_present", 0),
        ("loop_filter_level[0]", 0),
        ("loop_filter_level[1]", 63),
        ("loop_filter_level[2]", 21),
        ("loop_filter_level[3]", 22),
        ("loop_filter_sharpness", 5),
        ("loop_filter_delta_enabled", 0),
        ("cdef_damping_minus_3", 3),
        ("cdef_bits", 1),
        ("cdef_y_pri_strength[0]", 15),
        ("cdef_y_sec_strength[0]", 3),
        ("cdef_uv_pri_strength[0]", 7),
        ("cdef_uv_sec_strength[0]", 2),
        ("cdef_y_pri_strength[1]", 1),
        ("cdef_y_sec_strength[1]", 1),
        ("cdef_uv_pri_strength[1]", 8),
        ("cdef_uv_sec_strength[1]", 0),
        ("tx_mode", 2),
        ("reduced_tx_set", 1),
    ]


def test_every_element_of_an_inter_frame_header(trace):
    """In order, every field that inter frames add away from its default, over references before and after the frame."""
    sequence = replace(
        SequenceHeader.of(PLAIN, FPS), enable_ref_frame_mvs=True, enable_warped_motion=True, enable_restoration=True
    )
    units = TemporalUnits(sequence)
    future = FrameHeader(
        tiling=PLAIN,
        base_q_idx=90,
        frame_type=INTER_FRAME,
        show_frame=False,
        order_hint=16,
        refresh_frame_flags=0b100000,
    )
    between = FrameHeader(
        tiling=PLAIN,
        base_q_idx=100,
        frame_type=INTER_FRAME,
        show_frame=False,
        showable_frame=True,
        order_hint=8,
        primary_ref_frame=4,
        refresh_frame_flags=0b1000,
        ref_order_hint=(0, 0, 0, 0, 0, 16, 0, 0),
        ref_frame_idx=(0, 1, 2, 3, 5, 6, 7),
        allow_high_precision_mv=True,
        interpolation_filter=SWITCHABLE,
        use_ref_frame_mvs=True,
        reference_select=True,
        skip_mode_present=True,
        frame_restoration_type=(RESTORE_WIENER, RESTORE_NONE, RESTORE_SWITCHABLE),
        loop_restoration_size=(128, 64),
        tx_mode_select=True,
    )
    frames = [FrameHeader(tiling=PLAIN, base_q_idx=100), future, between]
    written = [units.add_frame(frame, frame_unit(sequence, frame, dummy_tiles(frame))) for frame in frames]
    found = frames_of(trace(written[0], units.add_existing(3)))
    assert found[3] == [("show_existing_frame", 1), ("frame_to_show_map_idx", 3)]
    assert found[2] == [
        ("show_existing_frame", 0),
        ("frame_type", 1),
        ("show_frame", 0),
        ("showable_frame", 1),
        ("error_resilient_mode", 0),
        ("disable_cdf_update", 0),
        ("frame_size_override_flag", 0),
        ("order_hint", 8),
        ("primary_ref_frame", 4),
        ("refresh_frame_flags", 8),
        ("frame_refs_short_signaling", 0),
        ("ref_frame_idx[0]", 0),
        ("ref_frame_idx[1]", 1),
        ("ref_frame_idx[2]", 2),
        ("ref_frame_idx[3]", 3),
        ("ref_frame_idx[4]", 5),
        ("ref_frame_idx[5]", 6),
        ("ref_frame_idx[6]", 7),
        ("render_and_frame_size_different", 0),
        ("allow_high_precision_mv", 1),
        ("is_filter_switchable", 1),
        ("is_motion_mode_switchable", 0),
        ("use_ref_frame_mvs", 1),
        ("disable_frame_end_update_cdf", 0),
        ("uniform_tile_spacing_flag", 1),
        ("tile_cols_log2", 0),
        ("tile_rows_log2", 0),
        ("base_q_idx", 100),
        ("delta_q_y_dc.delta_coded", 0),
        ("delta_q_u_dc.delta_coded", 0),
        ("delta_q_u_ac.delta_coded", 0),
        ("using_qmatrix", 0),
        ("segmentation_enabled", 0),
        ("delta_q_present", 0),
        ("loop_filter_level[0]", 0),
        ("loop_filter_level[1]", 0),
        ("loop_filter_sharpness", 0),
        ("loop_filter_delta_enabled", 0),
        ("cdef_damping_minus_3", 0),
        ("cdef_bits", 0),
        ("cdef_y_pri_strength[0]", 0),
        ("cdef_y_sec_strength[0]", 0),
        ("cdef_uv_pri_strength[0]", 0),
        ("cdef_uv_sec_strength[0]", 0),
        ("lr_type[0]", 2),
        ("lr_type[1]", 0),
        ("lr_type[2]", 1),
        ("lr_unit_shift", 1),
        ("lr_uv_shift", 1),
        ("tx_mode", 2),
        ("reference_select", 1),
        ("skip_mode_present", 1),
        ("allow_warped_motion", 0),
        ("reduced_tx_set", 0),
        *((f"is_global[{i}]", 0) for i in range(1, 8)),
    ]


def test_error_resilient_frames_repeat_the_order_hints_of_all_slots(trace):
    """And code neither primary_ref_frame nor use_ref_frame_mvs."""
    sequence = replace(SequenceHeader.of(PLAIN, FPS), enable_ref_frame_mvs=True)
    found = second_frame(trace, sequence, frame_type=INTER_FRAME, error_resilient_mode=True, ref_order_hint=(0,) * 8)
    names = [name for name, _ in found]
    assert names[names.index("refresh_frame_flags") + 1 :][:9] == [
        *(f"ref_order_hint[{i}]" for i in range(8)),
        "frame_refs_short_signaling",
    ]
    assert not {"primary_ref_frame", "use_ref_frame_mvs"} & set(names)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"frame_type": KEY_FRAME}, ["disable_cdf_update"]),
        (
            {"frame_type": KEY_FRAME, "show_frame": False},
            ["showable_frame", "error_resilient_mode", "disable_cdf_update"],
        ),
        (
            {"frame_type": INTRA_ONLY_FRAME, "refresh_frame_flags": 1},
            ["error_resilient_mode", "disable_cdf_update"],
        ),
    ],
)
def test_intra_frames_that_are_shown_or_hidden(trace, fields, names):
    """What follows show_frame; none has references, and a key frame that is shown has no refresh_frame_flags."""
    found = [name for name, _ in second_frame(trace, SequenceHeader.of(PLAIN, FPS), **fields)]
    after = found.index("show_frame") + 1
    assert found[after : after + len(names)] == names
    assert ("refresh_frame_flags" in found) == (len(names) > 1)
    assert not {"primary_ref_frame", "ref_frame_idx[0]", "reference_select", "is_global[1]"} & set(found)


@pytest.mark.parametrize(
    ("kinds", "sizes", "expected"),
    [
        ((RESTORE_NONE, RESTORE_NONE, RESTORE_NONE), (256, 128), [0, 0, 0]),
        ((RESTORE_WIENER, RESTORE_NONE, RESTORE_NONE), (64, 32), [2, 0, 0, 0]),
        ((RESTORE_SGRPROJ, RESTORE_NONE, RESTORE_NONE), (128, 128), [3, 0, 0, 1]),
        ((RESTORE_NONE, RESTORE_SWITCHABLE, RESTORE_NONE), (256, 256), [0, 1, 0, 2, 0]),
        ((RESTORE_NONE, RESTORE_NONE, RESTORE_WIENER), (64, 32), [0, 0, 2, 0, 1]),
    ],
)
def test_restoration(trace, kinds, sizes, expected):
    """lr_type of each plane, then the size of units as far as any plane has them (both bits of lr_unit_shift as one)."""
    sequence = replace(SequenceHeader.of(PLAIN, FPS), enable_restoration=True)
    frame = FrameHeader(tiling=PLAIN, base_q_idx=1, frame_restoration_type=kinds, loop_restoration_size=sizes)
    assert [value for name, value in trace(stream(sequence, frame)) if name.startswith("lr_")] == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=key_frames(), enable_cdef=st.booleans())
def test_parser_reads_back_any_key_frame(trace, frame, enable_cdef):
    """Every field, whatever its neighbours are, of pictures and tilings of any size."""
    sequence = replace(SequenceHeader.of(frame.tiling, FPS), enable_cdef=enable_cdef, enable_restoration=True)
    (elements,) = frames_of(trace(stream(sequence, frame)))
    assert dict(elements) == expected_elements(sequence, frame, slots=[])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(drawn=streams())
def test_parser_reads_back_any_stream(trace, drawn):
    """Key, inter and intra-only frames, shown, hidden and shown later, in any order, over any references.

    FFmpeg keeps its own slots: it reads skip_mode_present where it finds skip mode allowed.
    """
    sequence, frames, expected = drawn
    units, rest = TemporalUnits(sequence), FrameHeader(tiling=PLAIN, base_q_idx=1)
    written = [
        units.add_existing(frame)
        if isinstance(frame, int)
        else units.add_frame(frame, frame_unit(sequence, frame, dummy_tiles(frame)))
        for frame in frames
    ]
    if units.is_open:
        rest = replace(rest, tiling=frames[0].tiling)
        written.append(units.add_frame(rest, frame_unit(sequence, rest, dummy_tiles(rest))))
    found = frames_of(trace(*filter(None, written)))
    assert list(map(dict, found[: len(frames)])) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_q_idx": 0}, "base_q_idx is 0"),
        ({"base_q_idx": 256}, "base_q_idx is 256"),
        ({"disable_cdf_update": True}, "disable_frame_end_update_cdf"),
        ({"cdef_bits": 1}, "cdef_y_pri_strength has 1 entries"),
        ({"cdef_uv_sec_strength": (0, 0)}, "cdef_uv_sec_strength has 2 entries"),
        ({"frame_restoration_type": (0, 0, 4)}, "frame_restoration_type is"),
        ({"loop_restoration_size": (64, 128)}, "loop_restoration_size is 64 and 128"),
        ({"loop_restoration_size": (32, 32)}, "loop_restoration_size is 32 and 32"),
        ({"frame_type": 3}, "frame_type is 3"),
        ({"refresh_frame_flags": 1}, "a shown key frame refreshes all"),
        ({"frame_type": INTRA_ONLY_FRAME}, "an intra-only frame does not refresh all"),
        ({"primary_ref_frame": 0}, "no primary_ref_frame"),
        ({"reference_select": True}, "reference_select in an intra frame"),
        (INTER | {"error_resilient_mode": True, "primary_ref_frame": 0}, "no primary_ref_frame"),
        (INTER | {"error_resilient_mode": True, "use_ref_frame_mvs": True}, "error resilient"),
        (INTER | {"skip_mode_present": True}, "without reference_select"),
        (INTER | {"ref_frame_idx": (0,) * 8}, "seven references"),
        (INTER | {"ref_order_hint": (0,) * 7}, "eight slots"),
    ],
)
def test_refuses_fields_that_contradict(fields, message):
    """A header that no decoder would read as it is meant."""
    with pytest.raises(ValueError, match=message):
        FrameHeader(**{"tiling": PLAIN, "base_q_idx": 100, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frame_restoration_type": (1, 0, 0)}, "without enable_restoration"),
        (INTER | {"use_ref_frame_mvs": True}, "without enable_ref_frame_mvs"),
        (INTER | {"reference_select": True, "skip_mode_present": True}, "where skip mode is not allowed"),
        (INTER | {"interpolation_filter": 5}, "does not fit"),
        (INTER | {"primary_ref_frame": 8}, "does not fit"),
        ({"order_hint": 128}, "does not fit"),
    ],
)
def test_refuses_what_the_sequence_or_the_syntax_has_no_room_for(fields, message):
    """When it is written."""
    frame = FrameHeader(tiling=PLAIN, base_q_idx=100, **fields)
    with pytest.raises(ValueError, match=message):
        uncompressed_header(BitWriter(), SequenceHeader.of(PLAIN, FPS), frame)


@pytest.mark.parametrize("size", [(8, 8), (333, 65), (640, 360)])
def test_dav1d_takes_size_and_rate_from_the_headers(size):
    """A frame of dummy tile data, long enough for any symbols that it may be read as."""
    tiling = Tiling.uniform(*size)
    sequence = SequenceHeader.of(tiling, FPS)
    frame = frame_unit(sequence, FrameHeader(tiling=tiling, base_q_idx=100), [bytes(30_000)])
    decoder = av.CodecContext.create("libdav1d", "r")
    unit = av.Packet(temporal_unit([sequence_header_unit(sequence), frame]))
    (picture,) = [*decoder.decode(unit), *decoder.decode(None)]
    assert (picture.width, picture.height, picture.format.name) == (*size, "yuv420p")
    assert decoder.framerate == FPS
