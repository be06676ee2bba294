"""Choice of a frame's loop restoration: for every unit a Wiener filter, a self guided one or none.

Coefficients come from least squares: those of a Wiener filter direction by direction, because the two together are no linear
problem; the weights of a self guided filter for each set that is tried. The sums are integers; what is solved from them is
elementwise float64 arithmetic, the same for all kernel sets. Then each unit is filtered and measured, and takes the
cheapest way, errors and bits weighed with lambda. Coefficients cost by their distance from the unit's before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from encoder.frame.restoration import SELF_GUIDED_SUMS, WIENER_SUMS
from encoder.spec import RESTORE_NONE, RESTORE_SGRPROJ, RESTORE_SWITCHABLE, RESTORE_WIENER
from encoder.tables import table
from encoder.tile.restoration import (
    SGR_PARAMS,
    SGRPROJ_PARAMS_BITS,
    SGRPROJ_PRJ_BITS,
    SGRPROJ_XQD_MAX,
    SGRPROJ_XQD_MID,
    SGRPROJ_XQD_MIN,
    WIENER_TAPS_MAX,
    WIENER_TAPS_MID,
    WIENER_TAPS_MIN,
    second_weight_without_radius,
    self_guided_code,
    wiener_code,
)
from encoder.tile.state import RESTORATION_INFO
from encoder.tile.symbol import RATE_BITS, RATE_STEP_LOG2, rate_of_probability

LAMBDA_BITS = 14
"""rd_lambda is the squared error that a bit is worth, times 2**14."""
SMALLEST_UNIT = 64
_UNITY = 1 << SGRPROJ_PRJ_BITS
"""Coefficients and weights are in so many parts of one."""
SLIDES = 16
"""How often all coefficients that met a limit are improved in turn."""
_PER_UNIT = {"lr_unit_type": 1, "lr_wiener": 6, "lr_sgr_set": 1, "lr_sgr_xqd": 2}


@dataclass(frozen=True)
class RestorationEffort:
    """How hard to look.

    unit_sizes     sides of the luma units to try: 64, 128, 256; chroma units have the same
    planes         which planes may be restored
    wiener_rounds  how often both directions are fitted in turn; 0: no Wiener filters
    sgr_sets       sets of the self guided filter to try, of 0..15
    step           1, 2, 4 ..: fits look at eight rows in 8 * step
    """

    unit_sizes: tuple[int, ...] = (128,)
    planes: tuple[int, ...] = (0, 1, 2)
    wiener_rounds: int = 2
    sgr_sets: tuple[int, ...] = ()
    step: int = 1


FAST = RestorationEffort(planes=(0,), wiener_rounds=1, step=2)
MEDIUM = RestorationEffort(unit_sizes=(128, 256))
THOROUGH = RestorationEffort(unit_sizes=(64, 128, 256), wiener_rounds=3, sgr_sets=(1, 4, 8, 11, 13, 15))
"""At 1280x720, on one core: some 10, 60 and 500 ms."""


def units_in_frame(unit_size: int, plane_size: int) -> int:
    """count_units_in_frame of spec 5.11.57: along one side of a plane."""
    return max((plane_size + (unit_size >> 1)) // unit_size, 1)


def most_units(width: int, height: int) -> int:
    """The room that units of all planes need at their smallest, for tile.state.restoration_info; luma samples."""
    luma = units_in_frame(SMALLEST_UNIT, width) * units_in_frame(SMALLEST_UNIT, height)
    size = SMALLEST_UNIT // 2
    return luma + 2 * units_in_frame(size, (width + 1) >> 1) * units_in_frame(size, (height + 1) >> 1)


def set_units(r: Any, luma_size: int, chroma_size: int) -> None:
    """Divide the planes of a RestorationView into units of these sizes, samples of the plane, without restoration."""
    at = 0
    for plane in range(3):
        sub, size = int(plane > 0), chroma_size if plane else luma_size
        rows, cols = (units_in_frame(size, (side + sub) >> sub) for side in (r.height, r.width))
        r.lr_type[plane], r.lr_unit_size[plane] = RESTORE_NONE, size
        r.lr_unit_rows[plane], r.lr_unit_cols[plane], r.lr_unit_at[plane] = rows, cols, at
        at += rows * cols
    r.lr_unit_type[:at] = RESTORE_NONE


def header_fields(r: Any) -> dict[str, Any]:
    """What FrameHeader says of the restoration of a RestorationView."""
    return {
        "frame_restoration_type": tuple(r.lr_type.tolist()),
        "loop_restoration_size": tuple(r.lr_unit_size[:2].tolist()),
    }


def search_restoration(
    code: Any, kernels: Any, r: Any, source: np.ndarray, effort: RestorationEffort, rd_lambda: int
) -> bool:
    """Decide on every unit: fills the lr_... arrays of `r`; says whether anything is restored.

    code     has the functions restoration_errors, wiener_sums and self_guided_sums of frame.restoration as attributes, as
             they stand or compiled
    r        a RestorationView with room for most_units; its samples are not changed
    source   samples of the picture to come close to, laid out like r.samples
    """
    cheapest, kept = None, {}
    for size in effort.unit_sizes:
        set_units(r, size, size)
        cost = sum(_Plane(code, kernels, r, source, plane, effort, rd_lambda).decide() for plane in effort.planes)
        if cheapest is None or cost < cheapest:
            cheapest, kept = cost, {name: getattr(r, name).copy() for name in RESTORATION_INFO}
    for name, values in kept.items():
        getattr(r, name)[:] = values
    return bool(r.lr_type.any())


class _Plane:
    """The search in one plane, whose units are at `first` to `first + count` of the arrays."""

    def __init__(
        self, code: Any, kernels: Any, r: Any, source: np.ndarray, plane: int, effort: RestorationEffort, rd_lambda: int
    ) -> None:
        self._code, self._kernels, self._r, self._source = code, kernels, r, source
        self._plane, self._effort, self._lambda = plane, effort, rd_lambda
        self._first = int(r.lr_unit_at[plane])
        self._count = int(r.lr_unit_rows[plane] * r.lr_unit_cols[plane])

    def decide(self) -> int:
        """Write the plane's cheapest restoration; gives its cost."""
        errors = {RESTORE_NONE: self._errors(RESTORE_NONE)}
        if self._effort.wiener_rounds:
            self._fit_wiener()
            errors[RESTORE_WIENER] = self._errors(RESTORE_WIENER)
        if self._effort.sgr_sets:
            self._fit_self_guided()
            errors[RESTORE_SGRPROJ] = self._errors(RESTORE_SGRPROJ)
        frame_types = [kind for kind in errors if kind != RESTORE_NONE]
        if len(frame_types) == 2:
            frame_types.append(RESTORE_SWITCHABLE)
        best_type, best_cost = RESTORE_NONE, sum(errors[RESTORE_NONE]) << LAMBDA_BITS
        best_kinds = [RESTORE_NONE] * self._count
        for frame_type in frame_types:
            cost, kinds = self._cheapest_kinds(frame_type, errors)
            if cost < best_cost:
                best_type, best_cost, best_kinds = frame_type, cost, kinds
        self._r.lr_type[self._plane] = best_type
        self._units("lr_unit_type")[:] = best_kinds
        return best_cost

    def _units(self, name: str) -> np.ndarray:
        """The plane's part of an array that has one or more entries a unit."""
        width = _PER_UNIT[name]
        part = getattr(self._r, name)[self._first * width : (self._first + self._count) * width]
        return part.reshape(self._count, width) if width > 1 else part

    def _errors(self, kind: int) -> list[int]:
        """What every unit leaves if all are of a kind."""
        self._units("lr_unit_type")[:] = kind
        errors = np.empty(self._count, np.int64)
        self._code.restoration_errors(self._kernels, self._r, self._source, self._plane, errors)
        return errors.tolist()

    def _fit_wiener(self) -> None:
        taps = self._units("lr_wiener")
        taps[:] = 0
        sums = np.empty(self._count * WIENER_SUMS, np.int64)
        for _ in range(self._effort.wiener_rounds):
            for vertical in (0, 1):
                self._code.wiener_sums(
                    self._kernels, self._r, self._source, self._plane, vertical, self._effort.step, sums
                )
                fitted = wiener_taps(sums.reshape(self._count, WIENER_SUMS), self._plane > 0)
                taps[:, 0 if vertical else 3 :][:, :3] = fitted

    def _fit_self_guided(self) -> None:
        """For every unit the set and weights that promise the least error."""
        sets, xqd = self._units("lr_sgr_set"), self._units("lr_sgr_xqd")
        sums = np.empty(self._count * SELF_GUIDED_SUMS, np.int64)
        least = np.full(self._count, np.inf)
        for sgr_set in self._effort.sgr_sets:
            self._code.self_guided_sums(
                self._kernels, self._r, self._source, self._plane, sgr_set, self._effort.step, sums
            )
            weights, promised = self_guided_weights(sums.reshape(self._count, SELF_GUIDED_SUMS), sgr_set)
            better = promised < least
            least[better], sets[better], xqd[better] = promised[better], sgr_set, weights[better]

    def _cheapest_kinds(self, frame_type: int, errors: dict[int, list[int]]) -> tuple[int, list[int]]:
        """Unit by unit in the order of coding, each referring to the coefficients before."""
        flags = _flag_rates(frame_type)
        taps, sets, xqd = (self._units(name).tolist() for name in ("lr_wiener", "lr_sgr_set", "lr_sgr_xqd"))
        ref_taps, ref_xqd = [*WIENER_TAPS_MID.tolist()] * 2, SGRPROJ_XQD_MID.tolist()
        total, kinds = 0, []
        for unit in range(self._count):
            rates = dict(flags)
            if RESTORE_WIENER in rates:
                bits = sum(_wiener_bits(i % 3, taps[unit][i], ref_taps[i]) for i in _coded_taps(self._plane))
                rates[RESTORE_WIENER] += bits << RATE_BITS
            if RESTORE_SGRPROJ in rates:
                rates[RESTORE_SGRPROJ] += _self_guided_bits(sets[unit], xqd[unit], ref_xqd) << RATE_BITS
            costs = {
                kind: (errors[kind][unit] << LAMBDA_BITS) + (self._lambda * rate >> RATE_BITS)
                for kind, rate in rates.items()
            }
            kind = min(costs, key=costs.__getitem__)
            if kind == RESTORE_WIENER:
                ref_taps = taps[unit]
            elif kind == RESTORE_SGRPROJ:
                ref_xqd = xqd[unit]
            total += costs[kind]
            kinds.append(kind)
        return total, kinds


def wiener_taps(sums: np.ndarray, chroma: bool) -> np.ndarray:
    """Coefficients of one direction, int64 [unit, 3], from the sums of wiener_statistics, int64 [unit, 9].

    Least squares within the limits of the syntax, rounded; the first coefficient of chroma is 0. What no equation
    determines is 0.
    """
    s = sums.astype(np.float64)
    target = s[:, 6:] * _UNITY
    if chroma:
        found = np.zeros((len(s), 3))
        found[:, 1], found[:, 2] = _solve_2x2(s[:, 3], s[:, 4], s[:, 5], target[:, 1], target[:, 2])
    else:
        found = _solve_3x3(s, target)
    taps = np.clip(found, WIENER_TAPS_MIN, WIENER_TAPS_MAX)
    outside = (taps != found).any(axis=1)
    taps[outside] = _slide(s[outside], target[outside], taps[outside], 1 if chroma else 0)
    return np.rint(taps).astype(np.int64)


def _slide(s: np.ndarray, target: np.ndarray, taps: np.ndarray, first: int) -> np.ndarray:
    """Towards the least error along the limits: each coefficient in turn takes the best value beside the others."""
    matrix = s[:, [[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
    for _ in range(SLIDES):
        for i in range(first, 3):
            others = sum(matrix[:, i, j] * taps[:, j] for j in range(first, 3) if j != i)
            taps[:, i] = np.clip(
                _quotient(target[:, i] - others, matrix[:, i, i]), WIENER_TAPS_MIN[i], WIENER_TAPS_MAX[i]
            )
    return taps


def self_guided_weights(sums: np.ndarray, sgr_set: int) -> tuple[np.ndarray, np.ndarray]:
    """LrSgrXqd, int64 [unit, 2], from the sums of self_guided_statistics, int64 [unit, 5]; and the change of the squared
    error that they promise, in an unspecified unit, below 0 where it becomes less."""
    a00, a01, a11, b0, b1 = sums.astype(np.float64).T
    b0, b1 = b0 * _UNITY, b1 * _UNITY
    first, second = (SGR_PARAMS[sgr_set, 2 * i] > 0 for i in range(2))
    (low0, low1), (high0, high1) = SGRPROJ_XQD_MIN, SGRPROJ_XQD_MAX
    if first and second:
        w0, _ = _solve_2x2(a00, a01, a11, b0, b1)
    else:
        w0 = _quotient(b0, a00) if first else np.zeros(len(sums))
    w0 = np.clip(np.rint(w0), low0, high0)
    if second:
        # The weight of the second filter follows from the first one's, which may have met its limits.
        w1 = np.clip(_UNITY - w0 - np.rint(_quotient(b1 - w0 * a01, a11)), low1, high1)
    else:
        w1 = np.array([second_weight_without_radius(w) for w in w0])
    w2 = _UNITY - w0 - w1 if second else np.zeros(len(sums))
    promised = w0 * w0 * a00 + 2 * w0 * w2 * a01 + w2 * w2 * a11 - 2 * (w0 * b0 + w2 * b1)
    return np.stack([w0, w1], axis=1).astype(np.int64), promised


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _solve_2x2(
    a: np.ndarray, b: np.ndarray, d: np.ndarray, right0: np.ndarray, right1: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cramer's rule for the symmetric systems [[a, b], [b, d]]; zeros where there is no one solution."""
    determinant = a * d - b * b
    return _quotient(right0 * d - right1 * b, determinant), _quotient(right1 * a - right0 * b, determinant)


def _solve_3x3(s: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The same for three unknowns: the upper triangle row by row in s[:, :6], the right sides [unit, 3]."""
    a, b, c, d, e, f = s[:, :6].T
    # The adjugate, which is symmetric too.
    m00, m01, m02 = d * f - e * e, c * e - b * f, b * e - c * d
    m11, m12, m22 = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * m00 + b * m01 + c * m02
    x, y, z = right.T
    rows = (m00 * x + m01 * y + m02 * z, m01 * x + m11 * y + m12 * z, m02 * x + m12 * y + m22 * z)
    return np.stack([_quotient(row, determinant) for row in rows], axis=1)


def _coded_taps(plane: int) -> Iterator[int]:
    """Which of the six coefficients are coded: chroma has no outermost ones."""
    return (i for i in range(6) if plane == 0 or i % 3)


@cache
def _wiener_bits(i: int, value: int, ref: int) -> int:
    return int(wiener_code(i, value, ref)[1])


def _self_guided_bits(sgr_set: int, xqd: list[int], ref: list[int]) -> int:
    coded = (i for i in range(2) if SGR_PARAMS[sgr_set, 2 * i] > 0)
    return SGRPROJ_PARAMS_BITS + sum(_weight_bits(i, xqd[i], ref[i]) for i in coded)


@cache
def _weight_bits(i: int, value: int, ref: int) -> int:
    return int(self_guided_code(i, value, ref)[1])


@cache
def _flag_rates(frame_type: int) -> dict[int, int]:
    """The kinds of units that a frame's type allows and what saying so takes, in 1/512 bit, with the default CDFs."""
    name, kinds = {
        RESTORE_WIENER: ("default_use_wiener_cdf", (RESTORE_NONE, RESTORE_WIENER)),
        RESTORE_SGRPROJ: ("default_use_sgrproj_cdf", (RESTORE_NONE, RESTORE_SGRPROJ)),
        RESTORE_SWITCHABLE: ("default_restoration_type_cdf", (RESTORE_NONE, RESTORE_WIENER, RESTORE_SGRPROJ)),
    }[frame_type]
    cumulative = [0, *table(name).ravel().tolist()]
    rates = rate_of_probability().tolist()
    return {kind: rates[(cumulative[i + 1] - cumulative[i]) >> RATE_STEP_LOG2] for i, kind in enumerate(kinds)}
