"""Counted work: instructions by function and kernel slot, calls and samples by block size and mode, and two of them compared."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.record import Record, Run

REPEATABLE_PPM = 50.0
"""What the counts of the same work are to differ by at most, in millionths."""
_TX_SIDE = 4  # of the smallest transform block
_FIXED_SAMPLES = {"sad_grid": 64 * 64, "cdef_direction": 8 * 8}
_BLOCKS = {"sad_x4": 4}  # blocks that one call looks at
_WIDEST_PPM = 1e6


@dataclass(frozen=True)
class FunctionCost:
    """A function: instructions in itself, with all that it calls (None: not known), and its calls (None: not known)."""

    name: str
    kind: str
    instructions: float
    inclusive: float | None
    calls: int | None

    @property
    def is_compiled(self) -> bool:
        """Whether numba compiled it."""
        return self.kind not in ("library", "unknown")


@dataclass(frozen=True)
class SlotCost:
    """A kernel slot: the function that fills it, its instructions with all that it calls (None: not known), its calls."""

    slot: str
    function: str
    instructions: float
    inclusive: float | None
    calls: int

    @property
    def whole(self) -> float:
        """With all that it calls, where that is known."""
        return self.instructions if self.inclusive is None else self.inclusive

    @property
    def per_call(self) -> float | None:
        """Instructions of a call."""
        return self.whole / self.calls if self.calls else None


@dataclass(frozen=True)
class CallKind:
    """The calls of a slot with the same sizes and modes; samples of all of them together (None: the slot has none)."""

    arguments: Mapping[str, int]
    calls: int
    samples: int | None

    @property
    def label(self) -> str:
        """`16x16, filter_x 0, filter_y 0`."""
        rest = dict(self.arguments)
        parts = [f"{rest.pop('w')}x{rest.pop('h')}"] if {"w", "h"} <= rest.keys() else []
        if "tx_size" in rest:
            side = _TX_SIDE << rest.pop("tx_size")
            parts.append(f"{side}x{side}")
        return ", ".join([*parts, *(f"{name} {value}" for name, value in rest.items())]) or "all"


@dataclass(frozen=True)
class SlotWork:
    """The calls of a slot: all, those of each kind, most frequent first, and the samples of all (None: not known)."""

    slot: str
    calls: int
    kinds: tuple[CallKind, ...]
    samples: int | None
    origin: str


@dataclass(frozen=True)
class Ratio:
    """One quantity of two encodes, per frame; `ratio` is b / a, None where a is nothing.

    differs   by more than runs of the same work do
    """

    name: str
    a: float
    b: float
    differs: bool

    @property
    def ratio(self) -> float | None:
        """b / a."""
        return self.b / self.a if self.a else None


def functions_of(record: Record) -> list[FunctionCost]:
    """The functions of a counts record, the costliest first; instructions are the median of the runs."""
    return [
        FunctionCost(
            entry["name"], entry["kind"], statistics.median(entry["instructions"]), entry["inclusive"], entry["calls"]
        )
        for entry in record.data["functions"]
    ]


def slots_of(record: Record) -> list[SlotCost]:
    """The kernel slots of a counts record that were called, the costliest first."""
    by_name = {cost.name: cost for cost in functions_of(record)}
    found = [
        SlotCost(slot, name, by_name[name].instructions, by_name[name].inclusive, by_name[name].calls or 0)
        for slot, name in record.data["slots"].items()
        if name in by_name
    ]
    return sorted(found, key=lambda cost: -cost.whole)


def counted_instructions(record: Record) -> float:
    """The median of the runs."""
    return statistics.median(record.values)


def frames_of(record: Record) -> int:
    """Frames that the figures are divided by: those coded, 1 for a program."""
    return record.data["frames"] or 1


def samples_of_call(slot: str, arguments: Mapping[str, int]) -> int | None:
    """How many samples (or coefficients) a call works on, from its size arguments; None where they do not say."""
    if slot in _FIXED_SAMPLES:
        return _FIXED_SAMPLES[slot]
    if {"left", "right", "top", "bottom"} <= arguments.keys():  # what is filled around the area
        wide = arguments["left"] + arguments["w"] + arguments["right"]
        high = arguments["top"] + arguments["h"] + arguments["bottom"]
        return wide * high - arguments["w"] * arguments["h"]
    if {"side", "columns", "rows"} <= arguments.keys():
        return arguments["side"] ** 2 * arguments["columns"] * arguments["rows"]
    if {"w", "h"} <= arguments.keys():
        return arguments["w"] * arguments["h"] * _BLOCKS.get(slot, 1)
    if "tx_size" in arguments:
        return (_TX_SIDE << arguments["tx_size"]) ** 2
    return arguments.get("count", arguments.get("size"))


def work_of(record: Record) -> list[SlotWork]:
    """The slots of a calls record that were called, in the order of the table."""
    found = []
    for slot, told in record.data["slots"].items():
        kinds = [
            _kind(slot, dict(zip(told["arguments"], values, strict=True)), calls) for *values, calls in told["calls"]
        ]
        kinds.sort(key=lambda kind: (-kind.calls, tuple(kind.arguments.values())))
        calls = sum(kind.calls for kind in kinds) + told["other"]
        if calls:
            samples = [kind.samples for kind in kinds]
            known = None if told["other"] or None in samples else sum(each for each in samples if each is not None)
            found.append(SlotWork(slot, calls, tuple(kinds), known, told["origin"]))
    return found


def _kind(slot: str, arguments: dict[str, int], calls: int) -> CallKind:
    each = samples_of_call(slot, arguments)
    return CallKind(arguments, calls, None if each is None else each * calls)


def by_arguments(work: SlotWork, names: Sequence[str]) -> list[CallKind]:
    """The kinds of a slot's calls, those added up that differ in other arguments than `names`; most frequent first."""
    groups: dict[tuple[tuple[str, int], ...], list[CallKind]] = {}
    for kind in work.kinds:
        key = tuple((name, kind.arguments[name]) for name in names if name in kind.arguments)
        groups.setdefault(key, []).append(kind)
    added = [
        CallKind(
            dict(key),
            sum(kind.calls for kind in kinds),
            None if any(kind.samples is None for kind in kinds) else sum(kind.samples or 0 for kind in kinds),
        )
        for key, kinds in groups.items()
    ]
    return sorted(added, key=lambda kind: (-kind.calls, tuple(kind.arguments.values())))


def compare_instructions(a: Record, b: Record) -> list[Ratio]:
    """Instructions per frame of two counts records: of all that the records count first, then of each slot that either
    called, those with the greatest change first. A difference counts beyond what runs of either side lie apart, and 50 ppm."""
    total = _ratio("all compiled code", _per_frame(a), _per_frame(b), _spread(a, b, "spread_ppm"))
    before, after = ({cost.slot: cost.whole / frames_of(record) for cost in slots_of(record)} for record in (a, b))
    return [total, *_by_slot(before, after, _spread(a, b, "function_spread_ppm"))]


def compare_calls(a: Record, b: Record) -> list[Ratio]:
    """Calls per frame of two calls records, slot by slot; exact, so that any difference counts."""
    before, after = ({work.slot: work.calls / frames_of(record) for work in work_of(record)} for record in (a, b))
    return _by_slot(before, after, 0.0)


def compare_functions(a: Record, b: Record) -> list[Ratio]:
    """Instructions per frame in each compiled function itself, those with the greatest change first."""
    before, after = (
        {cost.name: cost.instructions / frames_of(record) for cost in functions_of(record) if cost.is_compiled}
        for record in (a, b)
    )
    return _by_slot(before, after, _spread(a, b, "function_spread_ppm"))


def not_comparable(a: Record, b: Record) -> list[str]:
    """What two counts records differ in beside what was to be compared: each alone changes the counts."""
    said = []
    for key, what in (
        ("level", "instruction sets"),
        ("valgrind", "versions of valgrind"),
        ("frames", "numbers of frames"),
    ):
        if a.data[key] != b.data[key]:
            said.append(f"the sides were counted with different {what}: {a.data[key]} and {b.data[key]}")
    return said


def _by_slot(before: Mapping[str, float], after: Mapping[str, float], limit_ppm: float) -> list[Ratio]:
    names = before.keys() | after.keys()
    ratios = [_ratio(name, before.get(name, 0.0), after.get(name, 0.0), limit_ppm) for name in names]
    return sorted(ratios, key=lambda each: (-abs(each.b - each.a), each.name))


def _per_frame(record: Record) -> float:
    return counted_instructions(record) / frames_of(record)


def _spread(a: Record, b: Record, key: str) -> float:
    """How far equal work may lie apart: what was seen on either side, at least REPEATABLE_PPM."""
    return max(REPEATABLE_PPM, *(record.data[key] or 0.0 for record in (a, b)))


def _ratio(name: str, a: float, b: float, limit_ppm: float) -> Ratio:
    return Ratio(name, a, b, abs(b - a) * _WIDEST_PPM > limit_ppm * max(a, b))


SIDE = "side"
"""Key in a record's data: 0 for what was asked for, 1 for what it is compared with."""


@dataclass(frozen=True)
class Side:
    """What was counted of one encode or program; None for what was not."""

    title: str
    instructions: Record | None
    calls: Record | None
    hardware: Record | None

    @property
    def frames(self) -> int | None:
        """Frames coded; None for a program."""
        found = [record.data.get("frames") for record in (self.instructions, self.calls, self.hardware) if record]
        return next((frames for frames in found if frames), None)

    @property
    def warnings(self) -> list[str]:
        """What the instruments warned of, and runs that lie too far apart."""
        records = [record for record in (self.instructions, self.calls, self.hardware) if record is not None]
        said = dict.fromkeys(text for record in records for text in record.warnings)
        spread = self.instructions.data["spread_ppm"] if self.instructions else None
        if spread is not None and spread > REPEATABLE_PPM:
            said[
                f"the runs lie {spread:.0f} ppm apart, more than {REPEATABLE_PPM:.0f}: does the program depend on time, "
                "threads or random numbers?"
            ] = None
        return list(said)


def sides_of(run: Run) -> list[Side]:
    """The sides of a run of `workbench counts`, as far as it got."""
    titles = list(run.header.get("titles") or ["unknown"])
    return [
        Side(title, *(_last(run, metric, at) for metric in ("instructions", "kernel_calls", "hardware_instructions")))
        for at, title in enumerate(titles)
        if any(record.data.get(SIDE) == at for record in run.records)
    ]


def _last(run: Run, metric: str, side: int) -> Record | None:
    found = [
        record for record in run.select(metric=metric) if record.data.get(SIDE) == side and "frames" in record.data
    ]
    return found[-1] if found else None
