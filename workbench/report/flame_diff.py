"""A differential flame graph as one interactive offline page: what changed beyond noise has a colour, the rest is grey.

A box is coloured by the time in the function itself, so that a slower kernel does not colour its callers; what its
callers' totals changed by is said where the mouse points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from workbench import units
from workbench.analysis.flame_diff import LEVEL, MARGIN, MIN_SAMPLES, Box, Difference, FlameDiff, FunctionDifference
from workbench.analysis.folded import parse_frame
from workbench.analysis.stack_tree import ROOT
from workbench.report.document import Column
from workbench.report.flame import LAYERS, PageNames, recording_facts, render_flame

SHOWN = 25
PER_WORDS = {"frame": "an encoded frame", "run": "a run", "second": "a second sampled"}
VERDICTS = {1: "slower", 0: "within noise", -1: "faster"}
_STEPS = (1.25, 1.7)  # ratios from which a colour is stronger
_DIGITS = 6


def flame_diff_page(diff: FlameDiff, title: str, facts: Sequence[str] = (), warnings: Sequence[str] = ()) -> str:
    """One HTML page of two sides compared, which needs nothing beside it; returns its text.

    facts, warnings   as in `flame_page_of_runs`; those of the diff and its runs are there by themselves
    """
    names = PageNames()
    graph = {"title": title, "kernels": "", "facts": diff_facts(diff), **_columns(diff, names)}
    data = {"functions": names.functions, "frames": names.frames, "graphs": [graph]}
    layers = [(at, layer, "muted") for at, layer in enumerate(LAYERS)]
    table = {"columns": change_columns(diff), "rows": _rows(diff), "words": diff_words(diff)}
    said = [*warnings, *diff.warnings]
    return render_flame(title, data, layers=layers, legend=[], facts=facts, warnings=said, diff=table)


def diff_facts(diff: FlameDiff) -> list[str]:
    """The sides, and the whole on both."""
    sides = [
        f"{name}: {', '.join(recording_facts(side))}" for name, side in (("before", diff.before), ("after", diff.after))
    ]
    return [*sides, whole_words(diff)]


def whole_words(diff: FlameDiff) -> str:
    """All time on both sides: "in all 48.2 → 55.1 ms an encoded frame, +14.3 % (+11.2 to +17.4 %): slower"."""
    whole = diff.whole
    relative = [end / whole.before for end in (whole.change, whole.low, whole.high) if end is not None and whole.before]
    said = [units.percent(value, signed=True) for value in relative]
    interval = f" ({said[1]} to {said[2]})" if len(said) == 3 else ""
    values = f"{_value(whole.before, diff)} → {_value(whole.after, diff)} {PER_WORDS[diff.per]}"
    return f"in all {values}, {said[0] if said else ''}{interval}: {VERDICTS[whole.verdict]}"


def diff_words(diff: FlameDiff) -> str:
    """How to read the intervals."""
    return (
        f"Time in a function itself, over all its stacks, {PER_WORDS[diff.per]}. The intervals hold for all "
        f"{diff.tested} boxes and functions at once, at {100 * LEVEL:.0f} %: of two sides that are the same, at most one "
        f"pair in a hundred should show a change. A change also has to be {100 * MARGIN:.0f} % of the function. Runs of a "
        f"side are taken to differ by {100 * diff.spread:.1f} % from one another. Of fewer than {MIN_SAMPLES} samples "
        "nothing can be told."
    )


def change_columns(diff: FlameDiff) -> list[Column]:
    """The columns of `change_cells`."""
    unit = "ms" if diff.unit == "s" else "samples"
    numbers = [Column(f"{name}, {unit}") for name in ("before", "after", "change")]
    return [
        *numbers,
        Column("interval"),
        Column("ratio"),
        Column("verdict", number=False),
        Column("function", number=False),
    ]


def change_cells(change: FunctionDifference, diff: FlameDiff) -> tuple[str, ...]:
    """One function: before, after, change, its interval, ratio, verdict and name."""
    own = change.own
    interval = "" if own.low is None or own.high is None else f"{_signed(own.low, diff)} to {_signed(own.high, diff)}"
    verdict = VERDICTS[own.verdict] if own.low is not None else "too few samples"
    values = (_number(own.before, diff), _number(own.after, diff), _signed(own.change, diff))
    ratio = units.times(own.ratio) if own.ratio else ("new" if own.after else "")
    return (*values, interval, ratio if own.after else "gone", verdict, _label(change.frame, change.moved_to)[0])


def shown_changes(diff: FlameDiff, count: int = SHOWN) -> list[FunctionDifference]:
    """All functions that changed, and the largest differences within noise up to `count` in all."""
    changed = sum(1 for each in diff.functions if each.own.verdict)
    return list(diff.functions[: max(changed, count)])


def _rows(diff: FlameDiff) -> list[dict[str, Any]]:
    tones = {1: "slower", 0: "", -1: "faster"}
    return [
        {
            "cells": change_cells(each, diff),
            "place": _label(each.frame, each.moved_to)[1],
            "verdict": tones[each.own.verdict],
        }
        for each in shown_changes(diff)
    ]


def _columns(diff: FlameDiff, names: PageNames) -> dict[str, Any]:
    """The tree's columns, widths being the mean of both sides, and the differences of each box."""
    own = [box.own for box in diff.boxes]
    total = [box.total for box in diff.boxes]
    frames = [names.root("all"), *(_frame(box, names) for box in diff.boxes[ROOT + 1 :])]
    return {
        "parents": [box.parent for box in diff.boxes],
        "frames": frames,
        "own": [_rounded((each.before + each.after) / 2) for each in own],
        "diff": {
            "unit": diff.unit,
            "before": [_rounded(each.before) for each in own],
            "after": [_rounded(each.after) for each in own],
            "low": [_rounded(each.low) for each in own],
            "high": [_rounded(each.high) for each in own],
            "total_before": [_rounded(each.before) for each in total],
            "total_after": [_rounded(each.after) for each in total],
            "total_low": [_rounded(each.low) for each in total],
            "total_high": [_rounded(each.high) for each in total],
            "verdict": [each.verdict for each in own],
            "step": [_step(each) for each in own],
        },
    }


def _frame(box: Box, names: PageNames) -> int:
    return names.renamed(box.frame, *_label(box.frame, box.moved_to))


def _label(frame: str, moved_to: str) -> tuple[str, str]:
    """Name and place of a function, both names where it moved."""
    old, new = parse_frame(frame), parse_frame(moved_to or frame)
    label = old.label if old.label == new.label else f"{old.label} → {new.label}"
    return label, old.path if old.path == new.path else f"{old.path} → {new.path}"


def _step(own: Difference) -> int:
    """How strong a colour is, 1 to 3."""
    ratio = own.ratio if own.ratio and own.after else math.inf
    return 1 + sum(max(ratio, 1 / ratio) >= step for step in _STEPS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _value(value: float, diff: FlameDiff) -> str:
    return units.seconds(value) if diff.unit == "s" else f"{_number(value, diff)} samples"


def _number(value: float, diff: FlameDiff) -> str:
    """Milliseconds with as many decimals as the whole asks for, or samples."""
    scaled = 1e3 * value if diff.unit == "s" else value
    whole = 1e3 * diff.whole.before if diff.unit == "s" else diff.whole.before
    return f"{scaled:,.{min(max(3 - math.floor(math.log10(whole or 1.0)), 0), 5)}f}"


def _signed(value: float, diff: FlameDiff) -> str:
    return ("−" if value < 0 else "+") + _number(abs(value), diff)
