"""Kernels of one set against those of others, size by size: what has been asked of the simd set, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.stats import geometric_mean

GROUPS = {
    "SAD": ("sad", "sad_x4", "sad_grid", "sad_window"),
    "SATD": ("satd",),
    "transforms": ("forward_transform", "inverse_transform_add"),
    "prediction": (
        *("predict_dc", "predict_v", "predict_h", "predict_paeth", "predict_smooth", "predict_smooth_v"),
        *("predict_smooth_h", "predict_directional", "filter_edge", "upsample_edge", "cfl_ac", "cfl_predict"),
    ),
    "motion compensation": ("mc_put", "mc_prep", "average"),
    "CDEF": ("cdef_direction", "cdef_filter"),
}
"""The kernels that lead a profile, by what they do."""
DAV1D_AVX2_NS = {
    ("mc_put", "64x64 hv"): 620.0,
    ("mc_put", "64x64 h"): 141.0,
    ("average", "64x64"): 56.0,
    ("inverse_transform_add", "8x8"): 16.0,
    ("inverse_transform_add", "16x16"): 49.0,
    ("inverse_transform_add", "32x32"): 231.0,
    ("inverse_transform_add", "64x64"): 682.0,
    ("predict_paeth", "32x32"): 33.0,
    ("predict_smooth", "32x32"): 27.0,
    ("cdef_direction", "8x8"): 11.0,
    ("cdef_filter", "8x8"): 45.0,
}
"""Hand-written AVX2 of dav1d 1.5.1 on a server's processor, for orientation: another machine's figures. Its test draws the heights
of blocks, so those of motion compensation and prediction are of this size or of a flatter one."""


def group_ratios(times: Sequence[Mapping[str, float]], slots: Sequence[str], main: str, other: str) -> dict[str, float]:
    """How many times faster `main` is than `other`: the geometric mean over all sizes of each group that was timed, and
    of all groups together. times[i] are the nanoseconds by set of one size of slots[i]."""
    ratios = {
        group: [by_set[other] / by_set[main] for slot, by_set in zip(slots, times, strict=True) if slot in members]
        for group, members in GROUPS.items()
    }
    means = {group: geometric_mean(each) for group, each in ratios.items() if each}
    return {**means, "all of these": geometric_mean(list(means.values()))} if means else {}


def against_dav1d(measured: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Time over dav1d's, for each (slot, size) that both have."""
    return {place: measured[place] / ns for place, ns in DAV1D_AVX2_NS.items() if place in measured}
