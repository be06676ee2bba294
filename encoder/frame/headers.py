"""Sequence and frame headers: one function per syntax table, under its name and in its order (spec 5.5 and 5.9).

Frames are key, inter and intra-only frames, shown or hidden, all of one size, 8-bit 4:2:0, one operating point. Tables that
code nothing for these have no function here.
"""

from dataclasses import dataclass
from fractions import Fraction

from encoder.bits import BitWriter
from encoder.frame.levels import seq_level_idx
from encoder.frame.order_hints import order_hints_of, skip_mode_frame
from encoder.spec import (
    EIGHTTAP,
    INTER_FRAME,
    INTRA_ONLY_FRAME,
    KEY_FRAME,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    REFS_PER_FRAME,
    RESTORE_NONE,
    RESTORE_SGRPROJ,
    RESTORE_SWITCHABLE,
    RESTORE_WIENER,
    SWITCHABLE,
)
from encoder.tiling import Tiling, tile_limits

ALL_FRAMES = (1 << NUM_REF_FRAMES) - 1
"""refresh_frame_flags of a frame that replaces every reference."""

_FIRST_LEVEL_WITH_TIERS = 8
_LR_TYPE = {RESTORE_NONE: 0, RESTORE_SWITCHABLE: 1, RESTORE_WIENER: 2, RESTORE_SGRPROJ: 3}  # Remap_Lr_Type, backwards
_LR_UNIT_SHIFT = {64: 0, 128: 1, 256: 2}


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
    enable_restoration: bool = False
    color_range: bool = False

    @classmethod
    def of(
        cls, tiling: Tiling, fps: Fraction, color_range: bool = False, headers_per_shown: Fraction = Fraction(1)
    ) -> "SequenceHeader":
        """The header of a stream whose frames all have this size, tiling and rate; headers_per_shown as for levels."""
        return cls(
            max_frame_width=tiling.width,
            max_frame_height=tiling.height,
            num_units_in_display_tick=fps.denominator,
            time_scale=fps.numerator,
            seq_level_idx=seq_level_idx(tiling, fps, headers_per_shown),
            color_range=color_range,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """What holds for one frame (spec 5.9); names are the specification's. By default a shown key frame.

    tiling                      of the size in the sequence header
    base_q_idx                  1 to 255; 0 would be lossless, which has another syntax
    frame_type                  KEY_FRAME, INTER_FRAME or INTRA_ONLY_FRAME
    show_frame                  output at once, else hidden
    showable_frame              of hidden frames: a header of an existing frame may show it later
    error_resilient_mode        parses without what earlier frames have left; a shown key frame is so, whatever stands here
    order_hint                  the frame's place in output order, modulo 2**order_hint_bits
    primary_ref_frame           index into ref_frame_idx: whose CDFs it starts from; PRIMARY_REF_NONE: the default ones
    refresh_frame_flags         bit i: the frame becomes the reference in slot i
    ref_order_hint              RefOrderHint: order hints of the eight slots before the frame. Inter frames need them, and
                                error resilient ones code them
    ref_frame_idx               the slots of LAST_FRAME to ALTREF_FRAME
    allow_high_precision_mv     motion vectors in 1/8 sample, else 1/4
    interpolation_filter        EIGHTTAP to BILINEAR, or SWITCHABLE: blocks code it
    use_ref_frame_mvs           temporal motion vectors
    reference_select            blocks may have two references
    skip_mode_present           blocks may be coded in skip mode
    disable_cdf_update          symbols do not adapt; includes disable_frame_end_update_cdf
    context_update_tile_id      the tile whose CDFs the frame keeps
    tile_size_bytes             TileSizeBytes, 1 to 4: the width of the tile sizes in the tile group
    loop_filter_level           0 to 63 for vertical luma edges, horizontal ones, Cb, Cr; with both luma levels 0
                                nothing is filtered and the chroma levels are not coded
    cdef_damping                CdefDamping, 3 to 6
    cdef_bits                   0 to 3: each list of CDEF strengths has 2**cdef_bits entries
    cdef_..._pri_strength       0 to 15
    cdef_..._sec_strength       0, 1, 2 or 4
    frame_restoration_type      FrameRestorationType: RESTORE_... of Y, Cb, Cr
    loop_restoration_size       LoopRestorationSize of luma, 64, 128 or 256, and of chroma, the same or half of it; counts
                                where anything is restored
    tx_mode_select              TxMode: TX_MODE_SELECT (blocks code their transform size) or TX_MODE_LARGEST

    Raises ValueError for fields that contradict each other.
    """

    tiling: Tiling
    base_q_idx: int
    frame_type: int = KEY_FRAME
    show_frame: bool = True
    showable_frame: bool = False
    error_resilient_mode: bool = False
    order_hint: int = 0
    primary_ref_frame: int = PRIMARY_REF_NONE
    refresh_frame_flags: int = ALL_FRAMES
    ref_order_hint: tuple[int, ...] = (0,) * NUM_REF_FRAMES
    ref_frame_idx: tuple[int, ...] = (0,) * REFS_PER_FRAME
    allow_high_precision_mv: bool = False
    interpolation_filter: int = EIGHTTAP
    use_ref_frame_mvs: bool = False
    reference_select: bool = False
    skip_mode_present: bool = False
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
    frame_restoration_type: tuple[int, int, int] = (RESTORE_NONE, RESTORE_NONE, RESTORE_NONE)
    loop_restoration_size: tuple[int, int] = (64, 64)
    tx_mode_select: bool = False
    reduced_tx_set: bool = False

    @property
    def frame_is_intra(self) -> bool:
        """FrameIsIntra."""
        return self.frame_type != INTER_FRAME

    @property
    def is_shown_key(self) -> bool:
        """A shown key frame: it resets the decoder."""
        return self.frame_type == KEY_FRAME and self.show_frame

    @property
    def uses_lr(self) -> bool:
        """UsesLr: a plane is restored."""
        return any(kind != RESTORE_NONE for kind in self.frame_restoration_type)

    @property
    def uses_chroma_lr(self) -> bool:
        """usesChromaLr: Cb or Cr is restored."""
        return any(kind != RESTORE_NONE for kind in self.frame_restoration_type[1:])

    @property
    def order_hints(self) -> tuple[int, ...]:
        """OrderHints by ref_frame; of an intra frame, whose references nobody asks for, zeros."""
        if self.frame_is_intra:
            return (0,) * (1 + REFS_PER_FRAME)
        return order_hints_of(self.ref_order_hint, self.ref_frame_idx)

    def __post_init__(self) -> None:
        _require(1 <= self.base_q_idx <= 255, f"base_q_idx is {self.base_q_idx}, not 1 to 255")
        _require(
            not self.disable_cdf_update or self.disable_frame_end_update_cdf,
            "disable_cdf_update includes disable_frame_end_update_cdf",
        )
        for name in ("cdef_y_pri_strength", "cdef_y_sec_strength", "cdef_uv_pri_strength", "cdef_uv_sec_strength"):
            entries = len(getattr(self, name))
            _require(entries == 1 << self.cdef_bits, f"{name} has {entries} entries, not 2**cdef_bits")
        kinds, (luma, chroma) = self.frame_restoration_type, self.loop_restoration_size
        _require(len(kinds) == 3 and set(kinds) <= _LR_TYPE.keys(), f"frame_restoration_type is {kinds}")
        _require(
            luma in _LR_UNIT_SHIFT and chroma in (luma, luma // 2), f"loop_restoration_size is {luma} and {chroma}"
        )
        _require_possible_type(self)
        _require_possible_references(self)


def _require_possible_type(frame: FrameHeader) -> None:
    """What the frame type rules out."""
    _require(
        frame.frame_type in (KEY_FRAME, INTER_FRAME, INTRA_ONLY_FRAME),
        f"frame_type is {frame.frame_type}: no such frames here",
    )
    if frame.is_shown_key:
        _require(frame.refresh_frame_flags == ALL_FRAMES, "a shown key frame refreshes all slots")
    if frame.frame_type == INTRA_ONLY_FRAME:
        _require(frame.refresh_frame_flags != ALL_FRAMES, "an intra-only frame does not refresh all slots")
    if frame.frame_is_intra:
        for name in ("allow_high_precision_mv", "use_ref_frame_mvs", "reference_select", "skip_mode_present"):
            _require(not getattr(frame, name), f"{name} in an intra frame")
    if frame.frame_is_intra or frame.error_resilient_mode:
        _require(frame.primary_ref_frame == PRIMARY_REF_NONE, "this frame has no primary_ref_frame")


def _require_possible_references(frame: FrameHeader) -> None:
    """Lengths, and what references allow."""
    _require(len(frame.ref_order_hint) == NUM_REF_FRAMES, "ref_order_hint is not of eight slots")
    _require(len(frame.ref_frame_idx) == REFS_PER_FRAME, "ref_frame_idx is not of seven references")
    _require(not frame.skip_mode_present or frame.reference_select, "skip_mode_present without reference_select")
    _require(not frame.use_ref_frame_mvs or not frame.error_resilient_mode, "use_ref_frame_mvs in error resilient mode")


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
    w.f(1, sequence.enable_restoration)
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


def show_existing_frame_header(w: BitWriter, frame_to_show_map_idx: int) -> None:
    """uncompressed_header of spec 5.9.2 that shows the frame in a slot, and codes none."""
    w.f(1, 1)  # show_existing_frame
    w.f(3, frame_to_show_map_idx)


def uncompressed_header(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """Spec 5.9.2. Raises ValueError where the frame uses what the sequence header disables, or skip mode without two
    references for it."""
    w.f(1, 0)  # show_existing_frame
    w.f(2, frame.frame_type)
    w.f(1, frame.show_frame)
    if not frame.show_frame:
        w.f(1, frame.showable_frame)
    if not frame.is_shown_key:
        w.f(1, frame.error_resilient_mode)
    w.f(1, frame.disable_cdf_update)
    w.f(1, 0)  # frame_size_override_flag
    w.f(sequence.order_hint_bits, frame.order_hint)
    if not frame.frame_is_intra and not frame.error_resilient_mode:
        w.f(3, frame.primary_ref_frame)
    _refreshed_slots(w, sequence, frame)
    if frame.frame_is_intra:
        render_size(w)
    else:
        _references(w, sequence, frame)
    if not frame.disable_cdf_update:
        w.f(1, frame.disable_frame_end_update_cdf)
    tile_info(w, frame)
    quantization_params(w, frame)
    segmentation_params(w)
    delta_q_params(w)
    loop_filter_params(w, frame)
    if sequence.enable_cdef:
        cdef_params(w, frame)
    lr_params(w, sequence, frame)
    write_tx_mode(w, frame)
    frame_reference_mode(w, frame)
    skip_mode_params(w, sequence, frame)
    if sequence.enable_warped_motion and not frame.frame_is_intra and not frame.error_resilient_mode:
        w.f(1, 0)  # allow_warped_motion
    w.f(1, frame.reduced_tx_set)
    global_motion_params(w, frame)


def _refreshed_slots(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """The part of uncompressed_header that says which slots change, and what they have held."""
    if frame.is_shown_key:
        return
    w.f(8, frame.refresh_frame_flags)
    all_new = frame.frame_is_intra and frame.refresh_frame_flags == ALL_FRAMES
    if frame.error_resilient_mode and not all_new:
        for hint in frame.ref_order_hint:
            w.f(sequence.order_hint_bits, hint)


def _references(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """The part of uncompressed_header for inter frames: references and motion vectors."""
    w.f(1, 0)  # frame_refs_short_signaling
    for slot in frame.ref_frame_idx:
        w.f(3, slot)
    render_size(w)
    w.f(1, frame.allow_high_precision_mv)
    write_interpolation_filter(w, frame)
    w.f(1, 0)  # is_motion_mode_switchable
    if sequence.enable_ref_frame_mvs and not frame.error_resilient_mode:
        w.f(1, frame.use_ref_frame_mvs)
    else:
        _require(not frame.use_ref_frame_mvs, "use_ref_frame_mvs without enable_ref_frame_mvs")


def render_size(w: BitWriter) -> None:
    """Spec 5.9.6."""
    w.f(1, 0)  # render_and_frame_size_different


def write_interpolation_filter(w: BitWriter, frame: FrameHeader) -> None:
    """read_interpolation_filter of spec 5.9.10."""
    w.f(1, frame.interpolation_filter == SWITCHABLE)  # is_filter_switchable
    if frame.interpolation_filter != SWITCHABLE:
        w.f(2, frame.interpolation_filter)


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


def lr_params(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """Spec 5.9.20."""
    if not sequence.enable_restoration:
        _require(not frame.uses_lr, "frame_restoration_type without enable_restoration")
        return
    for kind in frame.frame_restoration_type:
        w.f(2, _LR_TYPE[kind])
    if frame.uses_lr:
        luma, chroma = frame.loop_restoration_size
        _increments(w, 0, _LR_UNIT_SHIFT[luma], 2)  # lr_unit_shift, lr_unit_extra_shift
        if frame.uses_chroma_lr:
            w.f(1, chroma < luma)  # lr_uv_shift


def write_tx_mode(w: BitWriter, frame: FrameHeader) -> None:
    """read_tx_mode of spec 5.9.21."""
    w.f(1, frame.tx_mode_select)


def skip_mode_params(w: BitWriter, sequence: SequenceHeader, frame: FrameHeader) -> None:
    """Spec 5.9.22."""
    allowed = (
        frame.reference_select
        and skip_mode_frame(sequence.order_hint_bits, frame.order_hint, frame.order_hints) is not None
    )
    if allowed:
        w.f(1, frame.skip_mode_present)
    else:
        _require(not frame.skip_mode_present, "skip_mode_present where skip mode is not allowed")


def frame_reference_mode(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.23."""
    if not frame.frame_is_intra:
        w.f(1, frame.reference_select)


def global_motion_params(w: BitWriter, frame: FrameHeader) -> None:
    """Spec 5.9.24: none."""
    if not frame.frame_is_intra:
        for _ in range(REFS_PER_FRAME):
            w.f(1, 0)  # is_global


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


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ValueError(fault)
