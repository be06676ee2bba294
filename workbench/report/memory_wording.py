"""What a run of `workbench memory` says in sentences and big numbers: one wording for the page and the terminal."""

from __future__ import annotations

from workbench import units
from workbench.analysis.memory_growth import LEAST_PART_FRAMES, LEAST_PART_SLICES, PARTS
from workbench.analysis.memory_sides import Leak, Side, Sides, Steady
from workbench.report.document import KeyFigure
from workbench.report.sections.common import code

_NAMED = 3


def sentences(found: Sides) -> list[str]:
    """The findings, those of the first side first, then what the second one changes."""
    first, *others = found.sides
    said = [_resident(first), _allocations(first), _peak(first), _compiled(first), *leak_sentences(first)]
    said += [_against(first, other) for other in others]
    return [sentence for sentence in (*said, _swept(found)) if sentence]


def key_figures(side: Side) -> tuple[KeyFigure, ...]:
    """The big numbers at the top of the page."""
    figures = []
    if side.resident is not None:
        detail = f"of {units.seconds(side.resident.wall_s)}, by wait4"
        figures.append(KeyFigure("maximum resident set", units.byte_size(side.resident.max_bytes), detail))
    if side.steady is not None:
        figures.append(_allocations_figure(side, side.steady))
        peak = units.byte_size(side.steady.peak_bytes)
        figures.append(KeyFigure("peak alive", peak, f"{units.count(side.steady.peak_count)} blocks at most"))
    if side.compiled is not None:
        per_frame = side.compiled.count / side.compiled.frames if side.compiled.frames else side.compiled.count
        what = "a frame inside compiled code" if side.compiled.frames else "inside compiled code"
        figures.append(KeyFigure(f"allocations {what}", number(per_frame), _first_function(side)))
    if side.steady is not None:
        figures.append(_leaks_figure(side, side.steady))
    return tuple(figures)


def number(value: float) -> str:
    """A mean count: whole from a hundred on, three digits below."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def leak_sentences(side: Side) -> list[str]:
    """What leaks, or that nothing does, or why that cannot be told; nothing where allocations were not tracked."""
    if side.steady is None:
        return []
    if not side.steady.is_decided:
        least = PARTS * (LEAST_PART_FRAMES if side.frames is not None else LEAST_PART_SLICES)
        what = "frames" if side.frames is not None else "slices of time behind the last import"
        return [f"Leaks: not to be told from {side.steady.judged} {what}, at least {least} are needed."]
    said = [f"**{leak_text(leak, side.frames is not None)}**" for leak in side.leaks[:_NAMED]]
    if len(side.leaks) > _NAMED:
        total = units.byte_size(sum(leak.rise.size_bytes for leak in side.leaks))
        each = "a frame" if side.frames is not None else "a slice of time"
        said.append(f"{len(side.leaks) - _NAMED} more places grow; all together by {total} {each}.")
    if side.unnamed_objects_rise is not None:
        each = "a frame" if side.frames is not None else "a slice of time"
        said.append(
            f"**Python objects grow in number, {number(side.unnamed_objects_rise)} {each}**; who keeps them is unknown."
        )
    said = said or ["Nothing leaks: no place's memory grows from part to part of the run."]
    if side.garbage_rise is not None:
        said.append(
            f"Python's garbage collector leaves {number(side.garbage_rise)} objects more with each frame for later."
        )
    return said


def leak_text(leak: Leak, has_frames: bool) -> str:
    """`leaks at encoder/stream.py:38 encode: 1 block and 48.9 KiB more with each frame`."""
    each = "with each frame" if has_frames else "with each slice of time"
    if leak.rise.blocks <= 0:
        return f"leak at {leak.where}: a {leak.by} that grows by {units.byte_size(leak.rise.size_bytes)} {each}"
    count = number(leak.rise.blocks)
    what = leak.by if count == "1" else f"{leak.by}s"
    return f"leak at {leak.where}: {count} {what} and {units.byte_size(leak.rise.size_bytes)} more {each}"


def _resident(side: Side) -> str:
    if side.resident is None:
        return ""
    rate = f"{side.resident.rate_hz:g} times a second"
    return f"**Maximum resident set {units.byte_size(side.resident.max_bytes)}** (sampled {rate} from outside)."


def _allocations(side: Side) -> str:
    steady = side.steady
    if steady is None:
        return ""
    temporary = units.percent(steady.temporary / steady.count) if steady.count else "none"
    freed = f"{temporary} of them temporary (freed almost at once)"
    if side.allocations_per_frame is None or side.frames is None:
        total = f"{units.count(steady.count)} allocations, {units.byte_size(steady.total_bytes)} in all"
        return f"**{total}** from start to end, {freed}."
    superblock = ""
    if side.superblocks:
        superblock = f", {number(side.allocations_per_frame / side.superblocks)} a superblock"
    size = units.byte_size(steady.total_bytes / side.frames)
    return f"**{number(side.allocations_per_frame)} allocations a frame**{superblock}, {size} a frame; {freed}."


def _peak(side: Side) -> str:
    if side.steady is None:
        return ""
    count, size = units.count(side.steady.peak_count), units.byte_size(side.steady.peak_bytes)
    of = "of what the steady state allocates" if side.frames is not None else "of what it allocates"
    return f"At most {count} blocks and {size} {of} are alive at once."


def _compiled(side: Side) -> str:
    found = side.compiled
    if found is None:
        return _counted_by_numba(side)
    frames = found.frames or 1
    each = " a frame" if found.frames else ""
    border = f"{number(found.at_the_border / frames)}{each} more for arrays that enter it"
    if not found.count:
        return f"Compiled code allocates nothing itself; numba allocates {border}."
    first = ", ".join(f"{code(one.where)} {number(one.count / frames)}" for one in found.functions[:_NAMED])
    text = f"Compiled code allocates {number(found.count / frames)} times{each} itself: {first}"
    if side.superblocks and found.frames:
        text += f"; that is {number(found.count / frames / side.superblocks)} a superblock"
    return f"{text}. numba allocates {border}."


def _counted_by_numba(side: Side) -> str:
    """What is known where the functions could not be named."""
    if side.steady is None or not side.steady.compiled:
        return ""
    count, each = side.steady.compiled / (side.frames or 1), " a frame" if side.frames else ""
    return f"numba's runtime allocates {number(count)} times{each}, inside compiled code and on the way into it."


def _against(first: Side, other: Side) -> str:
    changes = []
    if first.resident and other.resident:
        changes.append(
            f"maximum resident set {_change(first.resident.max_bytes, other.resident.max_bytes, units.byte_size)}"
        )
    if first.allocations_per_frame is not None and other.allocations_per_frame is not None:
        changes.append(
            f"allocations a frame {_change(first.allocations_per_frame, other.allocations_per_frame, number)}"
        )
    if first.steady and other.steady:
        changes.append(f"peak alive {_change(first.steady.peak_bytes, other.steady.peak_bytes, units.byte_size)}")
    return f"Against {other.title}: {'; '.join(changes)}." if changes else ""


def _change(new: float, old: float, printed: object) -> str:
    assert callable(printed)
    share = units.percent(new / old - 1, signed=True) if old else "new"
    return f"{printed(new)} where it is {printed(old)} there ({share})"


def _swept(found: Sides) -> str:
    rows = found.sweep
    if len(rows) < 2:
        return ""
    first, last = rows[0], rows[-1]
    text = f"From {first.label} to {last.label} the maximum resident set goes from {units.byte_size(first.max_bytes)}"
    return f"{text} to {units.byte_size(last.max_bytes)}."


def _allocations_figure(side: Side, steady: Steady) -> KeyFigure:
    if side.allocations_per_frame is None:
        detail = f"{units.byte_size(steady.total_bytes)} in all"
        return KeyFigure("allocations", units.count(steady.count), detail)
    detail = f"over {side.frames} frames behind the first {steady.warm_up}"
    return KeyFigure("allocations a frame", number(side.allocations_per_frame), detail)


def _leaks_figure(side: Side, steady: Steady) -> KeyFigure:
    if not steady.is_decided:
        return KeyFigure("leaks", "undecided", "the run is too short")
    count = len(side.leaks) + (side.unnamed_objects_rise is not None)
    detail = side.leaks[0].where if side.leaks else "nothing grows" if not count else "Python objects"
    return KeyFigure("places that leak", str(count), detail, "bad" if count else "good")


def _first_function(side: Side) -> str:
    functions = side.compiled.functions if side.compiled else ()
    if not functions:
        return "none"
    first = functions[0].where
    return f"first {first}" if "(" in first else f"first {first.rpartition('.')[2]}"
