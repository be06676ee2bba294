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
  frequencies exist (spec 7.13.3). So the count of a block's coefficients is 16, 64, 256 or 1024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from encoder.byref import Record, i8s, i16s, i32s, i64, i64s, u8s, u16s

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
_FILTERED = (u8s, *(i64,) * 8)  # ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y

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
    # --- inter prediction (spec 7.11.3): w, h in {2, 4, 8, 16, 32, 64}; ref is a picture with the same w x h block at ref_at
    Slot("mc_put", "inter", _void(*_FILTERED[:3], *_FILTERED), """
        (dst, dst_at, dst_stride, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)
        Prediction from one picture (spec 7.11.3.4 with isCompound 0, then Clip1). filter_*: row 0..5 of Subpel_Filters, taken as
        it is (the caller has mapped what the specification maps where w or h is at most 4); frac_*: 0..15 sixteenths. In a
        direction whose frac is not 0, ref is readable 3 samples before the block and 4 behind it."""),
    Slot("mc_prep", "inter", _void(i16s, *_FILTERED), """
        (out, ref, ref_at, ref_stride, w, h, filter_x, filter_y, frac_x, frac_y)
        One of the two predictions of a compound (spec 7.11.3.4 with isCompound 1), not clipped: out[y * w + x]. All else as
        mc_put. With any samples and filters the values lie in -5132..9212, so that two of them can be added in 16 bits."""),
    Slot("average", "inter", _void(u8s, i64, i64, i16s, i16s, i64, i64), """
        (dst, dst_at, dst_stride, a, b, w, h)
        The mean of two predictions of mc_prep, packed: clip1(round2(a[y * w + x] + b[y * w + x], 5)) (spec 7.11.3.1,
        COMPOUND_AVERAGE)."""),
    Slot("extend_edges", "inter", _void(u8s, i64, i64, i64, i64, i64, i64, i64, i64), """
        (samples in/out, at, stride, w, h, left, right, top, bottom)
        Around a w x h area, any from 1 on, fill so many columns and rows, any from 0 on, with its nearest sample; corners
        too. What the area holds stays. left + w + right is at most stride."""),
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
    # --- motion: search on source pictures, and the temporal filter
    Slot("downscale", "motion", _void(u8s, i64, i64, u8s, i64, i64, i64, i64), """
        (dst, dst_at, dst_stride, src, src_at, src_stride, w, h)
        Half the size: each of the w x h samples of dst is (sum of its 2x2 samples of src + 2) >> 2. w, h: any from 1 on."""),
    Slot("sad_grid", "motion", _void(u8s, i64, i64, u8s, i64, i64, i64s), """
        (a, a_at, a_stride, b, b_at, b_stride, out)
        out[8 * row + column]: sum of absolute differences of that 8x8 cell of two 64x64 blocks."""),
    Slot("sad_x4", "motion", _void(u8s, i64, i64, u8s, i64, i64, i64, i64, i64, i64, i64, i64s), """
        (a, a_at, a_stride, b, b_at_0, b_at_1, b_at_2, b_at_3, b_stride, w, h, out)
        out[i]: sum of absolute differences of the block a and the block of b at b_at_i."""),
    Slot("sad_window", "motion", i64(u8s, i64, i64, u8s, i64, i64, i64, i64, i64, i64), """
        (a, a_at, a_stride, b, b_at, b_stride, side, columns, rows, step) -> sad << 16 | row * columns + column
        The place with the smallest sum of absolute differences, of equal ones the first, among columns * rows places of a
        block of side x side: those at b_at + step * (row * b_stride + column). side 8 or 16; columns * rows 1..65536."""),
    Slot("temporal_accumulate", "motion",
        _void(u16s, u8s, i64, i64, u8s, i64, i64, u8s, i64, i64, i64, i64, i64, i64), """
        (sums in/out, weights in/out, sums_at, sums_stride, a, a_at, a_stride, b, b_at, b_stride, w, h, base, slope)
        Temporal filter: adds to the weighted sum of a block the samples of another picture's block b, weighed by how far each
        lies from the sample of a. With d their difference and near = max(0, base - (min(abs(d), 63) ** 2 * slope >> 8)) the
        weight is near * near >> 11, at most 31: weights += weight, sums += weight * b. w, h 4..64; base 0..255, slope 0..4095."""),
    Slot("temporal_normalize", "motion", _void(u8s, i64, i64, u16s, u8s, i64, i64, i64, i64), """
        (dst, dst_at, dst_stride, sums, weights, sums_at, sums_stride, w, h)
        dst = (sums + weights // 2) // weights: the weighted mean. weights 1..255, sums at most 255 * weights. w, h 4..64."""),
    Slot("noise_sum", "motion", i64(u8s, i64, i64, i64, i64), """
        (a, a_at, a_stride, w, h) -> total << 24 | count
        Where the picture is smooth, what is left is noise: over the w x h samples whose Sobel gradient (sum of the two
        magnitudes) is below 64, the sum of the magnitudes of the Laplacian [1 -2 1; -2 4 -2; 1 -2 1], and their number. The
        samples around the block are read. w * h below 2 ** 24."""),
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
    # --- loop restoration (spec 7.17); padded holds a block and 3 samples on each side of it, as get_source_sample gives them;
    # w, h: any from 1 to 64
    Slot("wiener_filter", "restoration", _void(u8s, i64, i64, u8s, i64, i64, i64, i64, i8s, i64), """
        (dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, taps, taps_at)
        Wiener filter (spec 7.17.4). taps[taps_at ..] are LrWiener: three vertical coefficients, then three horizontal ones."""),
    Slot("wiener_statistics", "restoration",
        _void(u8s, i64, i64, u8s, i64, i64, i64, i64, i8s, i64, i64, i64s, i64), """
        (padded, padded_at, padded_stride, src, src_at, src_stride, w, h, taps, taps_at, vertical, sums in/out, sums_at)
        What a least squares fit of one direction's coefficients needs: vertical 0 or 1 names that direction. Y is padded,
        filtered in the other direction with its coefficients in `taps` (laid out as above) and rounded to 1/16 of a
        sample. With y(n) the sample of Y n steps along the direction, f[j] = y(j - 3) + y(3 - j) - 2 * y(0) and
        t = 16 * src - y(0), the sums over all samples of f0 f0, f0 f1, f0 f2, f1 f1, f1 f2, f2 f2, f0 t, f1 t, f2 t are added to
        sums[sums_at ..]: the error of coefficients c is that of 128 * t - c[j] * f[j]."""),
    Slot("box_filter", "restoration", _void(u8s, i64, i64, i64, i64, i64, i64, i16s), """
        (padded, padded_at, padded_stride, w, h, sgr_set, pass_number, out)
        Box filter (spec 7.17.3): out[i * w + j] = F[i][j], in 1/16 of a sample. The block's first row is an even one of the
        stripe. sgr_set 0..15, pass_number 0 or 1. A pass without radius gives the samples themselves."""),
    Slot("self_guided_mix", "restoration",
        _void(u8s, i64, i64, u8s, i64, i64, i64, i64, i16s, i16s, i64, i64), """
        (dst, dst_at, dst_stride, padded, padded_at, padded_stride, w, h, flt0, flt1, xqd0, xqd1)
        Last step of the self guided filter (spec 7.17.2) with LrSgrXqd xqd0 and xqd1; flt0 and flt1 are from box_filter."""),
    Slot("self_guided_statistics", "restoration",
        _void(u8s, i64, i64, u8s, i64, i64, i64, i64, i16s, i16s, i64s, i64), """
        (padded, padded_at, padded_stride, src, src_at, src_stride, w, h, flt0, flt1, sums in/out, sums_at)
        What a least squares fit of the weights needs: with d[p] = flt[p] - 16 * padded and t = 16 * (src - padded), the sums of
        d0 d0, d0 d1, d1 d1, d0 t, d1 t are added to sums[sums_at ..]."""),
]
# fmt: on

SLOTS: dict[str, Slot] = {slot.name: slot for slot in _DECLARED}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(slot.family for slot in _DECLARED))


class Kernels(Record):
    """The table itself: a compiled function in every slot (or a Python one, for a walk that runs interpreted)."""

    FIELDS: ClassVar = {slot.name: slot.signature for slot in _DECLARED}
