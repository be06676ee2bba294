"""Headers say what was meant: FFmpeg's parser reads back every syntax element."""

from dataclasses import replace
from fractions import Fraction

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encoder.frame.headers import FrameHeader, SequenceHeader
from encoder.frame.obu import frame_unit, sequence_header_unit, temporal_unit
from encoder.tiling import Tiling

FPS = Fraction(30000, 1001)
PLAIN = Tiling.uniform(200, 120)
SEC_STRENGTHS = (0, 1, 2, 4)


def stream(sequence: SequenceHeader, frame: FrameHeader) -> bytes:
    """A temporal unit whose tiles are dummies, the last one the biggest."""
    tiles = [bytes(40)] * (frame.tiling.count - 1) + [bytes(41)]
    return temporal_unit([sequence_header_unit(sequence), frame_unit(sequence, frame, tiles)])


def section(elements: list[tuple[str, int]], first: str, last: str) -> list[tuple[str, int]]:
    """The elements from one name to another, both included."""
    names = [name for name, _ in elements]
    return elements[names.index(first) : names.index(last) + 1]


def sequence_elements(elements: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return section(elements, "seq_profile", "film_grain_params_present")


def frame_elements(elements: list[tuple[str, int]]) -> list[tuple[str, int]]:
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


@st.composite
def frame_headers(draw: st.DrawFn) -> FrameHeader:
    """Any frame header of a picture up to 1500x900."""
    tiling = Tiling.uniform(*(draw(st.integers(low, high)) for low, high in ((8, 1500), (8, 900), (0, 5), (0, 5))))
    cdef_bits = draw(st.integers(0, 3))
    pri = st.lists(st.integers(0, 15), min_size=1 << cdef_bits, max_size=1 << cdef_bits).map(tuple)
    sec = st.lists(st.sampled_from(SEC_STRENGTHS), min_size=1 << cdef_bits, max_size=1 << cdef_bits).map(tuple)
    disable_cdf_update = draw(st.booleans())
    return FrameHeader(
        tiling=tiling,
        base_q_idx=draw(st.integers(1, 255)),
        order_hint=draw(st.integers(0, 127)),
        disable_cdf_update=disable_cdf_update,
        disable_frame_end_update_cdf=disable_cdf_update or draw(st.booleans()),
        loop_filter_level=draw(st.tuples(*[st.just(0) | st.integers(0, 63)] * 4)),
        loop_filter_sharpness=draw(st.integers(0, 7)),
        cdef_damping=draw(st.integers(3, 6)),
        cdef_bits=cdef_bits,
        cdef_y_pri_strength=draw(pri),
        cdef_y_sec_strength=draw(sec),
        cdef_uv_pri_strength=draw(pri),
        cdef_uv_sec_strength=draw(sec),
        tx_mode_select=draw(st.booleans()),
        reduced_tx_set=draw(st.booleans()),
    )


ALWAYS = {
    "show_existing_frame": 0,
    "frame_type": 0,
    "show_frame": 1,
    "frame_size_override_flag": 0,
    "render_and_frame_size_different": 0,
    "uniform_tile_spacing_flag": 1,
    "delta_q_y_dc.delta_coded": 0,
    "delta_q_u_dc.delta_coded": 0,
    "delta_q_u_ac.delta_coded": 0,
    "using_qmatrix": 0,
    "segmentation_enabled": 0,
    "delta_q_present": 0,
    "loop_filter_delta_enabled": 0,
}


def expected_elements(frame: FrameHeader, enable_cdef: bool) -> dict[str, int]:
    """What FFmpeg should find, without the elements that the values of others leave out."""
    expected = ALWAYS | {
        "order_hint": frame.order_hint,
        "disable_cdf_update": frame.disable_cdf_update,
        "tile_cols_log2": frame.tiling.cols_log2,
        "tile_rows_log2": frame.tiling.rows_log2,
        "base_q_idx": frame.base_q_idx,
        "loop_filter_sharpness": frame.loop_filter_sharpness,
        "tx_mode": 2 if frame.tx_mode_select else 1,
        "reduced_tx_set": frame.reduced_tx_set,
    }
    if not frame.disable_cdf_update:
        expected["disable_frame_end_update_cdf"] = frame.disable_frame_end_update_cdf
    if frame.tiling.count > 1:
        expected |= {"context_update_tile_id": frame.tiling.count - 1, "tile_size_bytes_minus1": 0}
    levels = 4 if any(frame.loop_filter_level[:2]) else 2
    expected |= {f"loop_filter_level[{i}]": frame.loop_filter_level[i] for i in range(levels)}
    if enable_cdef:
        expected |= {"cdef_damping_minus_3": frame.cdef_damping - 3, "cdef_bits": frame.cdef_bits}
        for i in range(1 << frame.cdef_bits):
            expected |= {
                f"cdef_y_pri_strength[{i}]": frame.cdef_y_pri_strength[i],
                f"cdef_y_sec_strength[{i}]": SEC_STRENGTHS.index(frame.cdef_y_sec_strength[i]),
                f"cdef_uv_pri_strength[{i}]": frame.cdef_uv_pri_strength[i],
                f"cdef_uv_sec_strength[{i}]": SEC_STRENGTHS.index(frame.cdef_uv_sec_strength[i]),
            }
    return expected


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=frame_headers(), enable_cdef=st.booleans())
def test_parser_reads_back_any_frame_header(trace, frame, enable_cdef):
    """Every field of the dataclass, whatever its neighbours are."""
    sequence = replace(SequenceHeader.of(frame.tiling, FPS), enable_cdef=enable_cdef)
    elements = frame_elements(trace(stream(sequence, frame)))
    assert dict(elements) == expected_elements(frame, enable_cdef)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_q_idx": 0}, "base_q_idx is 0"),
        ({"base_q_idx": 256}, "base_q_idx is 256"),
        ({"disable_cdf_update": True}, "disable_frame_end_update_cdf"),
        ({"cdef_bits": 1}, "cdef_y_pri_strength has 1 entries"),
        ({"cdef_uv_sec_strength": (0, 0)}, "cdef_uv_sec_strength has 2 entries"),
    ],
)
def test_refuses_fields_that_contradict(fields, message):
    """A header that no decoder would read as it is meant."""
    with pytest.raises(ValueError, match=message):
        FrameHeader(**{"tiling": PLAIN, "base_q_idx": 100, **fields})


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
