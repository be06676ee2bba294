"""Strengths of the in-loop filters, chosen from the quantizer alone, in integers: where a search of them begins, or in its place.

The models were fitted to searched strengths by the authors of libaom: av1_pick_filter_level with LPF_PICK_FROM_Q
(encoder/picklpf.c) and av1_pick_cdef_from_qp (encoder/pickcdef.c). Chroma is deblocked at half the level (SVT-AV1).
"""

from __future__ import annotations

from dataclasses import dataclass

from encoder.intmath import clip3, round2
from encoder.tables import table

MAX_LOOP_FILTER = 63
_DC_QLOOKUP: list[int] = table("dc_qlookup")[0].tolist()
_AC_QLOOKUP: list[int] = table("ac_qlookup")[0].tolist()
CDEF_SCALE = 10**13
"""What the coefficients below are multiplied with: as many decimals as the models have."""
CDEF_MODELS = {
    "y_pri": (33731974, 80705940000, 187634000000, 15),
    "y_sec": (29167343, 27798624000, 79405000000, 3),
    "uv_pri": (-130790995, 128924050000, -74838800000, 15),
    "uv_sec": (32651783, 3552018300, 22809200000, 3),
}
"""a, b, c and the largest strength: strength = a * q * q + b * q + c, q the AC quantizer step."""


def dc_q(q_idx: int) -> int:
    """Quantizer step of the DC coefficient, 8 bits (spec 7.12.2). q_idx is 0..255."""
    return _DC_QLOOKUP[q_idx]


def ac_q(q_idx: int) -> int:
    """Quantizer step of the AC coefficients, 8 bits (spec 7.12.2). q_idx is 0..255."""
    return _AC_QLOOKUP[q_idx]


def loop_filter_levels(base_q_idx: int) -> tuple[int, int, int, int]:
    """loop_filter_level of a frame: luma vertical edges, luma horizontal edges, U, V; 0 is off."""
    luma = clip3(0, MAX_LOOP_FILTER, round2(ac_q(base_q_idx) * 17563 - 421574, 18))
    return luma, luma, luma // 2, luma // 2


@dataclass(frozen=True)
class CdefStrengths:
    """One set of CDEF strengths as the frame header codes them: y_sec and uv_sec 3 stand for strength 4."""

    damping: int
    y_pri: int
    y_sec: int
    uv_pri: int
    uv_sec: int

    @property
    def is_off(self) -> bool:
        """Whether no sample would change."""
        return self.y_pri + self.y_sec + self.uv_pri + self.uv_sec == 0


def cdef_strengths(base_q_idx: int) -> CdefStrengths:
    """CDEF strengths of a key frame."""
    q = ac_q(base_q_idx)
    strengths = {name: _polynomial(q, *model) for name, model in CDEF_MODELS.items()}
    return CdefStrengths(damping=3 + (base_q_idx >> 6), **strengths)


def _polynomial(q: int, a: int, b: int, c: int, largest: int) -> int:
    """The model's value at q, rounded."""
    return clip3(0, largest, (2 * (a * q * q + b * q + c) + CDEF_SCALE) // (2 * CDEF_SCALE))


def sec_strength(coded: int) -> int:
    """The strength that a coded secondary strength means (spec 5.9.19)."""
    return 4 if coded == 3 else coded
