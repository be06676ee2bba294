"""Loop restoration of a whole frame (spec 7.17), 8 bits, 4:2:0, and the figures that its search needs. Plain subset.

The frame is restored in stripes, which lie 64 luma rows apart, 8 rows above the superblocks. A stripe reads its own rows after
CDEF and what is above and below it before CDEF, so stripes are independent of each other: they may run in any order and at the
same time, in place.
"""

from typing import Any, ClassVar

import numpy as np

from encoder.byref import Record, i64, i64s, u8s
from encoder.spec import RESTORE_NONE, RESTORE_SGRPROJ, RESTORE_WIENER
from encoder.tile.state import RESTORATION_INFO

STRIPE_OFFSET = 8
"""How far above a superblock row a stripe begins, in luma rows."""
BORDER = 3
CHUNK = 64
"""The filters work on so many columns at a time, or on fewer where units are smaller."""
STRIPE_ROWS = 64 + 2 * BORDER
WIENER_SUMS, SELF_GUIDED_SUMS = 9, 5
"""What wiener_statistics and self_guided_statistics add up."""


class RestorationView(Record):
    """A frame as loop restoration sees it.

    samples            all three planes after CDEF (UpscaledCdefFrame); restore_* turns them into LrFrame
    deblocked          the same before CDEF (UpscaledCurrFrame), laid out alike
    origin, stride     per plane: index of the first sample, samples per row
    width, height      visible luma samples
    lr_...             see tile.state.RESTORATION_INFO
    """

    FIELDS: ClassVar[dict[str, Any]] = {
        "samples": u8s,
        "deblocked": u8s,
        "origin": i64s,
        "stride": i64s,
        "width": i64,
        "height": i64,
        **RESTORATION_INFO,
    }


def restore_frame(k, r):
    """Loop restoration process (spec 7.17) in place."""
    for plane in range(3):
        restore_stripes(k, r, plane, 0, stripe_count(r))
    return 0


def stripe_count(r):
    """Number of stripes of every plane."""
    return (r.height + STRIPE_OFFSET + 63) // 64


def restore_stripes(k, r, plane, first, end):
    """Loop restoration process on some stripes of a plane, in place."""
    if r.lr_type[plane] == RESTORE_NONE:
        return 0
    padded = np.empty(STRIPE_ROWS * _padded_stride(r, plane), np.uint8)
    flt0, flt1 = np.empty(CHUNK * 64, np.int16), np.empty(CHUNK * 64, np.int16)
    chunk = min(CHUNK, r.lr_unit_size[plane])
    for stripe in range(first, end):
        top, rows = _load_stripe(r, plane, stripe, padded)
        stride = r.stride[plane]
        for x in range(0, _plane_width(r, plane), chunk):
            unit = _unit_at(r, plane, stripe, x)
            if r.lr_unit_type[unit] != RESTORE_NONE:
                w = min(chunk, _plane_width(r, plane) - x)
                at = r.origin[plane] + top * stride + x
                _restore(k, r, plane, unit, padded, x, w, rows, r.samples, at, stride, flt0, flt1)
    return 0


def _plane_width(r, plane):
    """PlaneEndX + 1."""
    return (r.width + 1) >> 1 if plane > 0 else r.width


def _plane_height(r, plane):
    """PlaneEndY + 1."""
    return (r.height + 1) >> 1 if plane > 0 else r.height


def _padded_stride(r, plane):
    return _plane_width(r, plane) + 2 * BORDER


def _load_stripe(r, plane, stripe, padded):
    """Copy a stripe and its border to `padded`, as get_source_sample (spec 7.17.6) gives it; returns first row and rows."""
    sub = 1 if plane > 0 else 0
    width, height = _plane_width(r, plane), _plane_height(r, plane)
    start = (64 * stripe - STRIPE_OFFSET) >> sub
    stop = min(height, start + (64 >> sub))
    top = max(0, start)
    for row in range(top - BORDER, stop + BORDER):
        y = min(height - 1, max(0, row))
        to = (row - top + BORDER) * _padded_stride(r, plane)
        if start <= y < start + (64 >> sub):
            _load_row(r.samples, r.origin[plane] + y * r.stride[plane], width, padded, to)
        else:
            y = min(stop + 1, max(start - 2, y))
            _load_row(r.deblocked, r.origin[plane] + y * r.stride[plane], width, padded, to)
    return top, stop - top


def _load_row(samples, at, width, padded, to):
    """A row, its first and last sample repeated beyond it."""
    for x in range(width):
        padded[np.uint64(to + BORDER + x)] = samples[np.uint64(at + x)]
    for x in range(BORDER):
        padded[to + x] = samples[at]
        padded[to + BORDER + width + x] = samples[at + width - 1]
    return 0


def _unit_at(r, plane, stripe, x):
    """The restoration unit of the samples from column x on in a stripe; units are whole stripes and whole chunks."""
    size = r.lr_unit_size[plane]
    unit_row = min(r.lr_unit_rows[plane] - 1, (stripe * 64 >> (1 if plane > 0 else 0)) // size)
    unit_col = min(r.lr_unit_cols[plane] - 1, x // size)
    return r.lr_unit_at[plane] + unit_row * r.lr_unit_cols[plane] + unit_col


def _restore(k, r, plane, unit, padded, x, w, h, dst, dst_at, dst_stride, flt0, flt1):
    """Loop restore block process (spec 7.17.1) on a part of a stripe that lies in one unit; not for RESTORE_NONE."""
    stride = _padded_stride(r, plane)
    at = BORDER * stride + BORDER + x
    if r.lr_unit_type[unit] == RESTORE_WIENER:
        k.wiener_filter(dst, dst_at, dst_stride, padded, at, stride, w, h, r.lr_wiener, 6 * unit)
    elif r.lr_unit_type[unit] == RESTORE_SGRPROJ:
        sgr_set = np.int64(r.lr_sgr_set[unit])
        k.box_filter(padded, at, stride, w, h, sgr_set, 0, flt0)
        k.box_filter(padded, at, stride, w, h, sgr_set, 1, flt1)
        xqd0, xqd1 = np.int64(r.lr_sgr_xqd[2 * unit]), np.int64(r.lr_sgr_xqd[2 * unit + 1])
        k.self_guided_mix(dst, dst_at, dst_stride, padded, at, stride, w, h, flt0, flt1, xqd0, xqd1)
    return 0


def restoration_errors(k, r, source, plane, errors):
    """errors[unit] of a plane: squared error against `source`, laid out like r.samples, as the units stand. Filters nothing."""
    for i in range(len(errors)):
        errors[i] = 0
    stride = r.stride[plane]
    padded = np.empty(STRIPE_ROWS * _padded_stride(r, plane), np.uint8)
    restored = np.empty(CHUNK * 64, np.uint8)
    flt0, flt1 = np.empty(CHUNK * 64, np.int16), np.empty(CHUNK * 64, np.int16)
    chunk = min(CHUNK, r.lr_unit_size[plane])
    for stripe in range(stripe_count(r)):
        top, rows = _load_stripe(r, plane, stripe, padded)
        for x in range(0, _plane_width(r, plane), chunk):
            w = min(chunk, _plane_width(r, plane) - x)
            at = r.origin[plane] + top * stride + x
            unit = _unit_at(r, plane, stripe, x)
            if r.lr_unit_type[unit] == RESTORE_NONE:
                error = k.sse(r.samples, at, stride, source, at, stride, w, rows)
            else:
                _restore(k, r, plane, unit, padded, x, w, rows, restored, 0, CHUNK, flt0, flt1)
                error = k.sse(restored, 0, CHUNK, source, at, stride, w, rows)
            errors[unit - r.lr_unit_at[plane]] += error
    return 0


def wiener_sums(k, r, source, plane, vertical, step, sums):
    """wiener_statistics of every unit of a plane, WIENER_SUMS each, with the coefficients that stand in r.lr_wiener.

    vertical   which direction's coefficients the sums are for, 0 or 1
    step       1, or 2, 4 ..: eight rows in 8 * step are looked at
    """
    for i in range(len(sums)):
        sums[i] = 0
    padded_stride, stride = _padded_stride(r, plane), r.stride[plane]
    padded = np.empty(STRIPE_ROWS * padded_stride, np.uint8)
    chunk = min(CHUNK, r.lr_unit_size[plane])
    for stripe in range(stripe_count(r)):
        top, rows = _load_stripe(r, plane, stripe, padded)
        for x in range(0, _plane_width(r, plane), chunk):
            w = min(chunk, _plane_width(r, plane) - x)
            unit = _unit_at(r, plane, stripe, x)
            sums_at = WIENER_SUMS * (unit - r.lr_unit_at[plane])
            taps_at = 6 * unit
            band = rows if step == 1 else 8
            for y in range(0, rows, band * step):
                h = min(band, rows - y)
                at = (BORDER + y) * padded_stride + BORDER + x
                src_at = r.origin[plane] + (top + y) * stride + x
                k.wiener_statistics(
                    padded,
                    at,
                    padded_stride,
                    source,
                    src_at,
                    stride,
                    w,
                    h,
                    r.lr_wiener,
                    taps_at,
                    vertical,
                    sums,
                    sums_at,
                )
    return 0


def self_guided_sums(k, r, source, plane, sgr_set, step, sums):
    """self_guided_statistics of every unit of a plane, SELF_GUIDED_SUMS each, for one set; step as for wiener_sums."""
    for i in range(len(sums)):
        sums[i] = 0
    padded_stride, stride = _padded_stride(r, plane), r.stride[plane]
    padded = np.empty(STRIPE_ROWS * padded_stride, np.uint8)
    flt0, flt1 = np.empty(CHUNK * 64, np.int16), np.empty(CHUNK * 64, np.int16)
    chunk = min(CHUNK, r.lr_unit_size[plane])
    for stripe in range(stripe_count(r)):
        top, rows = _load_stripe(r, plane, stripe, padded)
        for x in range(0, _plane_width(r, plane), chunk):
            w = min(chunk, _plane_width(r, plane) - x)
            sums_at = SELF_GUIDED_SUMS * (_unit_at(r, plane, stripe, x) - r.lr_unit_at[plane])
            band = rows if step == 1 else 8
            for y in range(0, rows, band * step):
                h = min(band, rows - y)
                at = (BORDER + y) * padded_stride + BORDER + x
                src_at = r.origin[plane] + (top + y) * stride + x
                k.box_filter(padded, at, padded_stride, w, h, sgr_set, 0, flt0)
                k.box_filter(padded, at, padded_stride, w, h, sgr_set, 1, flt1)
                k.self_guided_statistics(
                    padded, at, padded_stride, source, src_at, stride, w, h, flt0, flt1, sums, sums_at
                )
    return 0
