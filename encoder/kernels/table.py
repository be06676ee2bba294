"""The kernel table: one documented slot per kernel. The contract is written here once and holds for every set.

From a slot's declaration come the type of the compiled function, the column of `workbench kernels list`, the seeded cases of
the check and of the micro-benchmark (cases/), and the field of the table that the walk calls: `k.satd(...)`.

Conventions
- Samples are 8 bits, uint8. A block of samples travels as (flat array, index of its first sample, stride).
- Sizes w, h are in samples and in {4, 8, 16, 32, 64} unless a slot says otherwise. All ints are int64.
- A kernel writes exactly what its contract names: nothing beyond the block, no argument marked "in".
- A kernel does not raise and allocates nothing that outlives it; the floor above has checked the arguments.
- Bodies of the sets python and numba are written in the plain subset that numba compiles as it is.
- Edges of intra prediction: above[above_at + i] is the sample above column i, left[left_at + i] the one left of row i;
  above[above_at - 1] and left[left_at - 1] are both the corner. Both arrays are readable from index at - 16 to at + 144.
- Transform blocks: coefficients are packed row by row with width min(32, w): of a 64-point side only the 32 lowest
  frequencies exist (spec 7.13.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from encoder.byref import Record, i16s, i32s, i64, u8s, u16s

MAX_EDGE = 160
"""Length of an edge buffer: 16 entries before the first sample, 144 from it on."""
EDGE_AT = 16
"""Where the first sample of an edge lies in its buffer."""
CDEF_UNAVAILABLE = 30000
"""Marks samples outside the picture in the padded input of cdef_filter."""


@dataclass(frozen=True)
class Slot:
    """A place in the table: which family file holds its bodies, the compiled signature, the contract."""

    name: str
    family: str
    signature: Any
    contract: str


_EDGES = (u8s, i64, i64, i64, i64, u8s, i64, u8s, i64)  # dst, dst_at, stride, w, h, above, above_at, left, left_at
_PAIR = i64(u8s, i64, i64, u8s, i64, i64, i64, i64)  # a, a_at, a_stride, b, b_at, b_stride, w, h -> figure
_void = i64  # every kernel returns an int64, so that sets of all kinds agree; 0 where the contract names no result

# fmt: off
_DECLARED = [
    # --- intra prediction (spec 7.11.2): fills w x h samples of dst
    Slot("predict_dc", "intra", _void(*_EDGES, i64, i64), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at, have_above, have_left)
        DC_PRED (spec 7.11.2.5): mean of the edges that are there, mid-grey when none is. have_* are 0 or 1."""),
    Slot("predict_v", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        V_PRED without angle delta: every row is the row above (spec 7.11.2.4, angle 90)."""),
    Slot("predict_h", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        H_PRED without angle delta: every column is the left column (spec 7.11.2.4, angle 180)."""),
    Slot("predict_paeth", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        PAETH_PRED (spec 7.11.2.2)."""),
    Slot("predict_smooth", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        SMOOTH_PRED (spec 7.11.2.6)."""),
    Slot("predict_smooth_v", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        SMOOTH_V_PRED (spec 7.11.2.6)."""),
    Slot("predict_smooth_h", "intra", _void(*_EDGES), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at)
        SMOOTH_H_PRED (spec 7.11.2.6)."""),
    Slot("predict_directional", "intra", _void(*_EDGES, i64, i64, i64), """
        (dst, dst_at, stride, w, h, above, above_at, left, left_at, angle, upsample_above, upsample_left)
        Directional prediction from edges already filtered and upsampled (spec 7.11.2.4 steps 5 to 11), for every angle that
        a directional mode and its delta give, 36..212 degrees, 90 and 180 included. upsample_* are 0 or 1: with 1, which
        asks for w + h <= 16, the edge holds two entries a sample, from index at - 2 on."""),
    Slot("filter_edge", "intra", _void(u8s, i64, i64, i64), """
        (edge in/out, edge_at, size, strength)
        Intra edge filter (spec 7.11.2.12) in place over edge[edge_at - 1] .. edge[edge_at + size - 2]; the first entry is read,
        not written. strength 1..3; size up to 129."""),
    Slot("upsample_edge", "intra", _void(u8s, i64, i64), """
        (edge in/out, edge_at, count)
        Intra edge upsampling (spec 7.11.2.11) in place: reads edge[edge_at - 1 .. edge_at + count - 1], writes
        edge[edge_at - 2 .. edge_at + 2 * count - 2]. count 4..16."""),
    Slot("cfl_ac", "intra", _void(u8s, i64, i64, i16s, i64, i64, i64, i64), """
        (luma, luma_at, luma_stride, ac out, w, h, visible_w, visible_h)
        Chroma from luma, first half (spec 7.11.5) for 4:2:0: ac[y * w + x] = 2x2 luma sum << 1, minus the rounded mean of the
        block. w, h: chroma size, 4..32. Luma columns from 2 * visible_w on and rows from 2 * visible_h on are not read: the
        last visible chroma column and row are repeated (spec: MaxLumaW, MaxLumaH)."""),
    Slot("cfl_predict", "intra", _void(u8s, i64, i64, i64, i64, i16s, i64), """
        (dst in/out, dst_at, stride, w, h, ac, alpha)
        Chroma from luma, second half (spec 7.11.5): adds round2_signed(alpha * ac[y * w + x], 6) to the DC prediction that dst
        holds, clipped to 8 bits. alpha -16..16."""),
    # --- distortion: two blocks in, a figure out
    Slot("sad", "distortion", _PAIR, """
        (a, a_at, a_stride, b, b_at, b_stride, w, h) -> sum of absolute differences."""),
    Slot("satd", "distortion", _PAIR, """
        (a, a_at, a_stride, b, b_at, b_stride, w, h) -> sum of absolute Hadamard-transformed differences, by 8x8 tiles, each
        (sum + 2) >> 2; by 4x4 tiles, each (sum + 1) >> 1, where w or h is 4."""),
    Slot("sse", "distortion", _PAIR, """
        (a, a_at, a_stride, b, b_at, b_stride, w, h) -> sum of squared differences. w, h: any from 1 to 64."""),
    Slot("variance", "distortion", i64(u8s, i64, i64, i64, i64), """
        (a, a_at, a_stride, w, h) -> sum of squared deviations from the mean: sum(x * x) - sum(x) ** 2 // (w * h)."""),
    Slot("residual", "distortion", _void(u8s, i64, i64, u8s, i64, i64, i32s, i64, i64), """
        (a, a_at, a_stride, b, b_at, b_stride, out, w, h)
        out[y * w + x] = a - b."""),
    # --- transform and quantization; tx_size is TX_4X4 .. TX_64X64 (0..4, square), tx_type DCT_DCT .. H_FLIPADST of spec 6.10.19
    Slot("forward_transform", "transform", _void(i32s, i32s, i64, i64), """
        (residual, coefs out, tx_size, tx_type)
        The encoder's own transform, the transpose of the inverse: inverse_transform_add of the unquantized coefficients
        gives the residual back to within 1 (64x64: what it has of the 32 lowest frequencies, to within 2). residual is
        packed w x h, row by row, and holds -255..255. Sizes and types as inverse_transform_add. Coefficients, which fit 16
        bits, are those of the orthonormal transform times 8 up to 16x16, 4 at 32x32, 2 at 64x64, with every type."""),
    Slot("inverse_transform_add", "transform", _void(i32s, u8s, i64, i64, i64, i64, i64), """
        (coefs, dst in/out, dst_at, dst_stride, tx_size, tx_type, eob)
        2D inverse transform (spec 7.13.3) of dequantized coefficients of 16 bits, added to dst and clipped to 8 bits (spec
        7.12.3). eob > 0: coefficients of scan position eob and later are zero (a hint for speed; the result does not depend
        on it). All 16 types up to 16x16, DCT_DCT and IDTX at 32x32, DCT_DCT at 64x64. Where intermediate values leave the
        range that bitstream conformance asks for, the result is the specification's arithmetic with unlimited integers."""),
    Slot("quantize", "transform", i64(i32s, i32s, i16s, i64, i64, i64, i64, i64, i64, i64), """
        (coefs, levels out, scan, scan_at, count, dc_q, ac_q, shift, dc_round, ac_round) -> eob
        level = min(((abs(coef) << shift) + (q * round >> 8)) // q, 2 ** 19) with the sign of coef; q and round are the dc
        ones at position 0. levels[p] for all count positions; eob = 1 + the last scan index i with
        levels[scan[scan_at + i]] != 0, 0 if none. round 0..128 of 256; shift 0 up to 16x16, 1 at 32x32, 2 at 64x64."""),
    Slot("dequantize", "transform", _void(i32s, i32s, i64, i64, i64, i64), """
        (levels, coefs out, count, dc_q, ac_q, shift)
        Spec 7.12.3 without quantizer matrix, 8 bits: (abs(level) * q & 0xFFFFFF) >> shift, signed, clipped to 16 bits.
        shift is the base 2 logarithm of the spec's dqDenom: 0 up to 16x16, 1 at 32x32, 2 at 64x64."""),
    Slot("coefficient_error", "transform", i64(i32s, i32s, i64), """
        (a, b, count) -> sum of squared differences of two coefficient blocks of 16 bits. But for rounding and clipping it is
        the squared error of the samples times 64 up to 16x16, times 16 at 32x32, times 4 at 64x64, with every type."""),
    # --- frame filters
    Slot("deblock_edge", "deblock", _void(u8s, i64, i64, i64, i64, i64, i64, i64, i64), """
        (samples in/out, at, across, along, count, filter_size, level, sharpness, plane)
        Edge loop filter (spec 7.14.6, with the limits of 7.14.6.2 from level and sharpness) on count samples of one edge: `at` is
        the first sample behind the edge, `across` the step over it, `along` the step to the next sample of the edge; one of
        the two is 1. filter_size is as 7.14.3 gives it: 4, 8 or 16 for luma, 4 or 8 for chroma (plane > 0), where 8 chooses
        the six-sample filter. filter_size / 2 samples on each side are readable. count is a multiple of 4; level 1..63;
        sharpness 0..7."""),
    Slot("cdef_direction", "cdef", i64(u8s, i64, i64), """
        (samples, at, stride) -> variance << 3 | direction
        Direction and variance of an 8x8 block (spec 7.15.2); variance is the spec's `var`, already shifted right by 10."""),
    Slot("cdef_filter", "cdef", _void(u8s, i64, i64, u16s, i64, i64, i64, i64, i64, i64, i64, i64), """
        (dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, pri_strength, sec_strength, damping, direction)
        CDEF filter of one block (spec 7.15.3): w x h is 8x8 or 4x4. padded holds the deblocked picture, 3 samples around the block
        readable, CDEF_UNAVAILABLE where the specification says not available. pri_strength is already adjusted for luma variance,
        damping for the plane; sec_strength is 0, 1, 2 or 4; either strength may be 0."""),
]
# fmt: on

SLOTS: dict[str, Slot] = {slot.name: slot for slot in _DECLARED}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(slot.family for slot in _DECLARED))


class Kernels(Record):
    """The table itself: a compiled function in every slot (or a Python one, for a walk that runs interpreted)."""

    FIELDS: ClassVar = {slot.name: slot.signature for slot in _DECLARED}
