"""Sequence and frame headers: one function per syntax table, under its name and in its order (spec 5.5 and 5.9).

Frames are shown key frames, 8-bit 4:2:0, one operating point. Tables that code nothing for these have no function here.
"""

from dataclasses import dataclass
from fractions import Fraction

from encoder.bits import BitWriter
from encoder.frame.levels import seq_level_idx
from encoder.spec import KEY_FRAME
from encoder.tiling import Tiling, tile_limits

_FIRST_LEVEL_WITH_TIERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceHeader:
    """What holds for all frames of a stream (spec 5.5); names are the specification's.

    max_frame_width, max_frame_height    luma samples of every frame
    num_units_in_display_tick,           denominator and numerator of the frame rate: a frame is shown for one tick of
    time_scale                           num_units_in_display_tick / time_scale seconds
    seq_level_idx                        spec annex A.3; 31 fits no level
    order_hint_bits                      width of order_hint, 1 to 8
    color_range                          samples use 0 to 255, not 16 to 235 (luma) and 16 to 240 (chroma)
    enable_...                           tools: one that is off takes its syntax elements out of every frame and block
    """

    max_frame_width: int
    max_frame_height: int
    num_units_in_display_tick: int
    time_scale: int
    seq_level_idx: int
    order_hint_bits: int = 7
    enable_filter_intra: bool = False
    enable_intra_edge_filter: bool = True
    enable_interintra_compound: bool = False
    enable_masked_compound: bool = False
    enable_warped_motion: bool = False
    enable_dual_filter: bool = False
    enable_jnt_comp: bool = False
    enable_ref_frame_mvs: bool = False
    enable_cdef: bool = True
    color_range: bool = False

    @classmethod
    def of(cls, tiling: Tiling, fps: Fraction, color_range: bool = False) -> "SequenceHeader":
        """The header of a stream whose frames all have this size, tiling and rate."""
        return cls(
            max_frame_width=tiling.width,
            max_frame_height=tiling.height,
            num_units_in_display_tick=fps.denominator,
            time_scale=fps.numerator,
            seq_level_idx=seq_level_idx(tiling, fps),
            color_range=color_range,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """What holds for one frame (spec 5.9); names are the specification's.

    tiling                      of the size in the sequence header
    base_q_idx                  1 to 255; 0 would be lossless, which has another syntax
    order_hint                  the frame's place in output order, modulo 2**order_hint_bits
    disable_cdf_update          symbols do not adapt; includes disable_frame_end_update_cdf
    context_update_tile_id      the tile whose CDFs the frame keeps
    tile_size_bytes             TileSizeBytes, 1 to 4: the width of the tile sizes in the tile group
    loop_filter_level           0 to 63 for vertical luma edges, horizontal ones, Cb, Cr; with both luma levels 0
                                nothing is filtered and the chroma levels are not coded
    cdef_damping                CdefDamping, 3 to 6
    cdef_bits                   0 to 3: each list of CDEF strengths has 2**cdef_bits entries
    cdef_..._pri_strength       0 to 15
    cdef_..._sec_strength       0, 1, 2 or 4
    tx_mode_select              TxMode: TX_MODE_SELECT (blocks code their transform size) or TX_MODE_LARGEST

    Raises ValueError for fields that contradict each other.
    """

    tiling: Tiling
    base_q_idx: int
    order_hint: int = 0
    disable_cdf_update: bool = False
    disable_frame_end_update_cdf: bool = False
    context_update_tile_id: int = 0
    tile_size_bytes: int = 1
    loop_filter_level: tuple[int, int, int, int] = (0, 0, 0, 0)
    loop_filter_sharpness: int = 0
    cdef_damping: int = 3
    cdef_bits: int = 0
    cdef_y_pri_strength: tuple[int, ...] = (0,)
    cdef_y_sec_strength: tuple[int, ...] = (0,)
    cdef_uv_pri_strength: tuple[int, ...] = (0,)
    cdef_uv_sec_strength: tuple[int, ...] = (0,)
    tx_mode_select: bool = False
    reduced_tx_set: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.base_q_idx <= 255:
            raise ValueError(f"base_q_idx is {self.base_q_idx}, not 1 to 255")
        if self.disable_cdf_update and not self.disable_frame_end_update_cdf:
            raise ValueError("disable_cdf_update includes disable_frame_end_update_cdf")
        for name in ("cdef_y_pri_strength", "cdef_y_sec_strength", "cdef_uv_pri_strength", "cdef_uv_sec_strength"):
            if len(getattr(self, name)) != 1 << self.cdef_bits:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, not 2**cdef_bits")


def sequence_header_obu(w: BitWriter, sequence: SequenceHeader) -> None:
    """Spec 5.5.1."""
    w.f(3, 0)  # seq_profile: Main
    w.f(1, 0)  # still_picture
    w.f(1, 0)  # reduced_still_picture_header
    w.f(1, 1)  # timing_info_present_flag
    timing_info(w, sequence)
    w.f(1, 0)  # decoder_model_info_present_flag
    w.f(1, 0)  # initial_display_delay_present_flag
    w.f(5, 0)  # operating_points_cnt_minus_1
    w.f(12, 0)  # operating_point_idc
    w.f(5, sequence.seq_level_idx)
    if sequence.seq_level_idx >= _FIRST_LEVEL_WITH_TIERS:
        w.f(1, 0)  # seq_tier: Main
    width_bits = _bits_for(sequence.max_frame_width - 1)
    height_bits = _bits_for(sequence.max_frame_height - 1)
    w.f(4, width_bits - 1)
    w.f(4, height_bits - 1)
    w.f(width_bits, sequence.max_frame_width - 1)
    w.f(height_bits, sequence.max_frame_height - 1)
    w.f(1, 0)  # frame_id_numbers_present_flag
    w.f(1, 0)  # use_128x128_superblock
    w.f(1, sequence.enable_filter_intra)
    w.f(1, sequence.enable_intra_edge_filter)
    w.f(1, sequence.enable_interintra_compound)
    w.f(1, sequence.enable_masked_compound)
    w.f(1, sequence.enable_warped_motion)
    w.f(1, sequence.enable_dual_filter)
    w.f(1, 1)  # enable_order_hint
    w.f(1, sequence.enable_jnt_comp)
    w.f(1, sequence.enable_ref_frame_mvs)
    w.f(1, 0)  # seq_choose_screen_content_tools
    w.f(1, 0)  # seq_force_screen_content_tools: neither these nor the choice of integer_mv in any frame
    w.f(3, sequence.order_hint_bits - 1)
    w.f(1, 0)  # enable_superres
    w.f(1, sequence.enable_cdef)
    w.f(1, 0)  # enable_restoration
    color_config(w, sequence)
    w.f(1, 0)  # film_grain_params_present


def color_config(w: BitWriter, sequence: SequenceHeader) -> None:
    """Spec 5.5.2."""
    w.f(1, 0)  # high_bitdepth
    w.f(1, 0)  # mono_chrome
    w.f(1, 0)  # color_description_present_flag
    w.f(1, sequence.color_range)
    w.f(2, 0)  # chroma_sample_position: CSP_UNKNOWN
    w.f(1, 0)  # separate_uv_delta_q


def timing_info(w: BitWriter, sequence: SequenceHeader) -> None:
    """Spec 5.5.3."""
    w.f(32, sequence.num_units_in_display_tick)
    w.f(32, sequence.time_scale)
    w.f(1, 1)  # equal_picture_interval
    w.uvlc(0)  # num_ticks_per_picture_minus_1


def uncompressed_header(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """Spec 5.9.2."""
    w.f(1, 0)  # show_existing_frame
    w.f(2, KEY_FRAME)  # frame_type
    w.f(1, 1)  # show_frame
    w.f(1, frame.disable_cdf_update)
    w.f(1, 0)  # frame_size_override_flag
    w.f(sequence.order_hint_bits, frame.order_hint)
    render_size(w)
    if not frame.disable_cdf_update:
        w.f(1, frame.disable_frame_end_update_cdf)
    tile_info(w, frame)
    quantization_params(w, frame)
    segmentation_params(w)
    delta_q_params(w)
    loop_filter_params(w, frame)
    if sequence.enable_cdef:
        cdef_params(w, frame)
    write_tx_mode(w, frame)
    w.f(1, frame.reduced_tx_set)


def render_size(w: BitWriter) -> None:
    """Spec 5.9.6."""
    w.f(1, 0)  # render_and_frame_size_different


def loop_filter_params(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.11."""
    luma_levels, chroma_levels = frame.loop_filter_level[:2], frame.loop_filter_level[2:]
    for level in luma_levels:
        w.f(6, level)
    if any(luma_levels):
        for level in chroma_levels:
            w.f(6, level)
    w.f(3, frame.loop_filter_sharpness)
    w.f(1, 0)  # loop_filter_delta_enabled


def quantization_params(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.12."""
    w.f(8, frame.base_q_idx)
    for _ in ("DeltaQYDc", "DeltaQUDc", "DeltaQUAc"):
        w.f(1, 0)  # delta_coded
    w.f(1, 0)  # using_qmatrix


def segmentation_params(w: BitWriter) -> None:
    """Spec 5.9.14."""
    w.f(1, 0)  # segmentation_enabled


def tile_info(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.15."""
    tiling = frame.tiling
    limits = tile_limits(tiling.width, tiling.height)
    w.f(1, 1)  # uniform_tile_spacing_flag
    _increments(w, limits.min_cols_log2, tiling.cols_log2, limits.max_cols_log2)
    _increments(w, limits.min_rows_log2(tiling.cols_log2), tiling.rows_log2, limits.max_rows_log2)
    if tiling.cols_log2 or tiling.rows_log2:
        w.f(tiling.rows_log2 + tiling.cols_log2, frame.context_update_tile_id)
        w.f(2, frame.tile_size_bytes - 1)


def delta_q_params(w: BitWriter) -> None:
    """Spec 5.9.17."""
    w.f(1, 0)  # delta_q_present


def cdef_params(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.19."""
    w.f(2, frame.cdef_damping - 3)
    w.f(2, frame.cdef_bits)
    for i in range(1 << frame.cdef_bits):
        w.f(4, frame.cdef_y_pri_strength[i])
        w.f(2, _coded_sec_strength(frame.cdef_y_sec_strength[i]))
        w.f(4, frame.cdef_uv_pri_strength[i])
        w.f(2, _coded_sec_strength(frame.cdef_uv_sec_strength[i]))


def write_tx_mode(w: BitWriter, frame: FrameHeader) -> None:
    """read_tx_mode of spec 5.9.21."""
    w.f(1, frame.tx_mode_select)


def _bits_for(value: int) -> int:
    """How many bits hold 0..value, at least one."""
    return max(value.bit_length(), 1)


def _increments(w: BitWriter, low: int, value: int, high: int) -> None:
    """A one for every step from low to value, then a zero unless value is the highest."""
    for _ in range(low, value):
        w.f(1, 1)
    if value < high:
        w.f(1, 0)


def _coded_sec_strength(strength: int) -> int:
    """A secondary strength of 4 is coded as 3, and 3 does not exist."""
    return {0: 0, 1: 1, 2: 2, 4: 3}[strength]
