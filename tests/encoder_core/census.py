"""What stress streams have drawn: counted from plans, choices and the block info that the encoder leaves behind."""

from collections import Counter
from typing import Any

import numpy as np

from encoder.config import EncoderConfig
from encoder.frame.choices import FrameChoices
from encoder.frame.frame import FrameEncoder
from encoder.frame.gop import FramePlan, Plan, ShowExisting
from encoder.picture import REF_BORDER
from encoder.spec import (
    ALTREF_FRAME,
    BWDREF_FRAME,
    GOLDEN_FRAME,
    INTER_FRAME,
    INTRA_ONLY_FRAME,
    INVALID_MV,
    KEY_FRAME,
    LAST2_FRAME,
    LAST_FRAME,
    MAX_ANGLE_DELTA,
    NEAR_NEARMV,
    NEAR_NEWMV,
    NEARMV,
    NEW_NEARMV,
    NEW_NEWMV,
    NEWMV,
    NUM_REF_FRAMES,
    PRIMARY_REF_NONE,
    RESTORE_NONE,
    RESTORE_SGRPROJ,
    RESTORE_SWITCHABLE,
    SWITCHABLE,
    UV_CFL_PRED,
)

FRAME_TYPES = (KEY_FRAME, INTER_FRAME, INTRA_ONLY_FRAME)
UNIDIRECTIONAL = [
    *((LAST_FRAME, other) for other in range(LAST2_FRAME, GOLDEN_FRAME + 1)),
    (BWDREF_FRAME, ALTREF_FRAME),
]
BIDIRECTIONAL = [(one, two) for one in range(1, BWDREF_FRAME) for two in range(BWDREF_FRAME, ALTREF_FRAME + 1)]
NEW_MODES, NEAR_MODES = (NEWMV, NEW_NEWMV), (NEARMV, NEAR_NEARMV, NEAR_NEWMV, NEW_NEARMV)

EXPECTED: dict[str, set[Any]] = {
    # of the stream
    "odd size": {(False, False), (False, True), (True, False), (True, True)},
    "tiles": {1, 2, 4},
    # of frames
    "coded": {(kind, shown) for kind in FRAME_TYPES for shown in (False, True)},
    "shown existing": set(FRAME_TYPES),
    "refresh": {*range(NUM_REF_FRAMES), "none", "all"},
    "primary": set(range(PRIMARY_REF_NONE + 1)),
    "slot of a reference": set(range(NUM_REF_FRAMES)),
    "resilient": {(kind, on) for kind in FRAME_TYPES for on in (False, True)},
    "reduced_tx_set": {(kind, on) for kind in FRAME_TYPES for on in (False, True)},
    "disable_cdf_update": {(kind, on) for kind in FRAME_TYPES for on in (False, True)},
    "tx_mode_select": {(kind, on) for kind in FRAME_TYPES for on in (False, True)},
    "temporal vectors": {"off", "on", "projected"},
    "high precision": {False, True},
    "reference_select": {False, True},
    "header filter": set(range(SWITCHABLE + 1)),
    "restoration": {(plane, kind) for plane in range(3) for kind in range(RESTORE_SWITCHABLE + 1)},
    "restoration unit": set(range(RESTORE_SGRPROJ + 1)),
    "self-guided set": set(range(16)),
    "order": {"past", "same", "future"},
    # of blocks
    "inter size": {0, 3, 6, 9, 12},
    "intra size in an inter frame": {0, 3, 6, 9, 12},
    "reference": set(range(LAST_FRAME, ALTREF_FRAME + 1)),
    "pair": {*UNIDIRECTIONAL, *BIDIRECTIONAL},
    "mode": set(range(NEW_NEWMV + 1)),
    "uv_mode": set(range(UV_CFL_PRED + 1)),
    "angle": set(range(-MAX_ANGLE_DELTA, MAX_ANGLE_DELTA + 1)),
    "alpha": set(range(-16, 17)),
    "index of a vector": {*(("new", i) for i in range(3)), *(("near", i) for i in (1, 2, 3))},
    "filter": set(range(SWITCHABLE)),
    "skip mode": {0, 1},
    "skip": {(0, 0), (0, 1), (1, 0), (1, 1)},
    "tx_size": {(inter, size) for inter in (0, 1) for size in range(5)},
    "tx_type": {(1, kind) for kind in range(16)} | {(0, kind) for kind in (0, 1, 2, 3, 9, 10, 11)},
    "fraction": set(range(8)),
    "where": {"inside", "across the edge", "outside", "beyond the border", "in another tile"},
}
"""What there is to draw, by topic."""


def space_of(encoder: FrameEncoder) -> Any:
    """The workspace of the frame that was coded last, where no other one has begun since."""
    return encoder._spaces[-1]


class Census:
    """Counts what has been drawn; to be given to encode_stress as on_frame."""

    def __init__(self) -> None:
        self.seen: dict[str, Counter[Any]] = {topic: Counter() for topic in EXPECTED}
        self._slots: list[FramePlan] = []

    def stream(self, config: EncoderConfig) -> None:
        """A stream begins."""
        self._slots = []
        self._see("odd size", (config.width % 2 == 1, config.height % 2 == 1))
        self._see("tiles", config.tiling.count)

    def frame(self, encoder: FrameEncoder, plan: Plan, choices: FrameChoices | None) -> None:
        """A frame has been coded or shown."""
        if isinstance(plan, ShowExisting):
            held = self._slots[plan.slot]
            self._see("shown existing", held.frame_type)
            if held.frame_type == KEY_FRAME:
                self._slots = [held] * NUM_REF_FRAMES
            return
        assert choices is not None
        self._header(encoder, plan, choices)
        self._restoration(encoder)
        self._blocks(encoder, plan)
        slots = self._slots or [plan] * NUM_REF_FRAMES  # the first frame is a key frame
        self._slots = [plan if plan.refresh_frame_flags >> slot & 1 else held for slot, held in enumerate(slots)]

    def missing(self) -> dict[str, set[Any]]:
        """What has not been drawn, by topic."""
        unseen = {topic: wanted - set(self.seen[topic]) for topic, wanted in EXPECTED.items()}
        return {topic: values for topic, values in unseen.items() if values}

    def _see(self, topic: str, value: Any) -> None:
        self.seen[topic][value] += 1

    def _header(self, encoder: FrameEncoder, plan: FramePlan, choices: FrameChoices) -> None:
        kind, flags = plan.frame_type, plan.refresh_frame_flags
        self._see("coded", (kind, plan.show_frame))
        for slot in range(NUM_REF_FRAMES):
            if flags >> slot & 1 and flags != 0xFF:
                self._see("refresh", slot)
        if flags in (0, 0xFF):
            self._see("refresh", "all" if flags else "none")
        resilient = choices.error_resilient_mode
        self._see("resilient", (kind, resilient))
        for name in ("reduced_tx_set", "disable_cdf_update", "tx_mode_select"):
            self._see(name, (kind, getattr(choices, name)))
        if kind != INTER_FRAME:
            return
        self._see("primary", PRIMARY_REF_NONE if resilient else plan.primary_ref_frame)
        self._see("high precision", choices.allow_high_precision_mv)
        self._see("reference_select", choices.reference_select)
        self._see("header filter", choices.interpolation_filter)
        temporal = choices.use_ref_frame_mvs and not resilient
        self._see("temporal vectors", "on" if temporal else "off")
        if temporal and (space_of(encoder).motion["motion_field"].reshape(-1, 2)[:, 0] != INVALID_MV).any():
            self._see("temporal vectors", "projected")
        for slot in plan.ref_frame_idx:
            self._see("slot of a reference", slot)
            distance = self._slots[slot].display_index - plan.display_index
            self._see("order", "past" if distance < 0 else "future" if distance else "same")

    def _blocks(self, encoder: FrameEncoder, plan: FramePlan) -> None:
        info = {
            name: field.reshape(-1, encoder._mi_stride)[: encoder._mi_rows, : encoder._mi_cols].astype(np.int64)
            for name, field in space_of(encoder).info.items()
        }
        inter = info["is_inter"] == 1
        count = self._count
        count("mode", info["y_mode"])
        for topic, name in (("uv_mode", "uv_mode"), ("angle", "angle_y"), ("alpha", "cfl_alpha_u")):
            count(topic, info[name][~inter])
        count("tx_size", info["is_inter"], info["tx_size"])
        # Without coefficients nothing says what the type is.
        count("tx_type", *(info[name][info["skip"] == 0] for name in ("is_inter", "tx_type")))
        if plan.frame_type != INTER_FRAME:
            return
        count("intra size in an inter frame", info["block_size"][~inter])
        of_inter = {name: field[inter] for name, field in info.items()}
        single = of_inter["ref_frame_1"] <= 0
        count("inter size", of_inter["block_size"])
        count("reference", of_inter["ref_frame_0"][single])
        count("pair", of_inter["ref_frame_0"][~single], of_inter["ref_frame_1"][~single])
        for name, modes in (("new", NEW_MODES), ("near", NEAR_MODES)):
            for index in np.unique(of_inter["ref_mv_idx"][np.isin(of_inter["y_mode"], modes)]).tolist():
                self._see("index of a vector", (name, index))
        count("filter", of_inter["interp_filter"])
        count("skip mode", of_inter["skip_mode"])
        count("skip", info["is_inter"], info["skip"])
        count("fraction", of_inter["mv_row_0"] & 7)
        self._places(encoder, of_inter, np.argwhere(inter))

    def _restoration(self, encoder: FrameEncoder) -> None:
        units = space_of(encoder).restoration
        for plane in range(3):
            kind, first = int(units["lr_type"][plane]), int(units["lr_unit_at"][plane])
            self._see("restoration", (plane, kind))
            count = int(units["lr_unit_rows"][plane] * units["lr_unit_cols"][plane]) if kind != RESTORE_NONE else 0
            for unit in range(first, first + count):
                self._see("restoration unit", int(units["lr_unit_type"][unit]))
                if units["lr_unit_type"][unit] == RESTORE_SGRPROJ:
                    self._see("self-guided set", int(units["lr_sgr_set"][unit]))

    def _count(self, topic: str, *columns: np.ndarray) -> None:
        rows, counts = np.unique(np.stack([column.ravel() for column in columns]), axis=1, return_counts=True)
        for values, n in zip(rows.T.tolist(), counts.tolist(), strict=True):
            self.seen[topic][tuple(values) if len(values) > 1 else values[0]] += n

    def _places(self, encoder: FrameEncoder, of_inter: dict[str, np.ndarray], units: np.ndarray) -> None:
        """Where in the reference the 4x4 units of blocks come from; vectors outside of the frame, and of the tile."""
        height, width = encoder.config.height, encoder.config.width
        y = units[:, 0] * 4 + (of_inter["mv_row_0"] >> 3)
        x = units[:, 1] * 4 + (of_inter["mv_col_0"] >> 3)
        inside = (y >= 0) & (x >= 0) & (y + 4 <= height) & (x + 4 <= width)
        outside = (y + 4 <= 0) | (x + 4 <= 0) | (y >= height) | (x >= width)
        beyond = np.maximum(np.maximum(-y - 4, y - height), np.maximum(-x - 4, x - width)) > REF_BORDER + 64
        places = {
            "inside": inside,
            "across the edge": ~inside & ~outside,
            "outside": outside & ~beyond,
            "beyond the border": beyond,
        }
        for area in encoder.config.tiling.tiles():
            top, bottom, left, right = (
                4 * edge for edge in (area.mi_row_start, area.mi_row_end, area.mi_col_start, area.mi_col_end)
            )
            row, col = 4 * units.T
            own = (row >= top) & (row < bottom) & (col >= left) & (col < right)
            there = (y >= top) & (y < bottom) & (x >= left) & (x < right)
            places["in another tile"] = places.get("in another tile", False) | (own & inside & ~there)
        for name, chosen in places.items():
            if chosen.any():
                self.seen["where"][name] += int(chosen.sum())
