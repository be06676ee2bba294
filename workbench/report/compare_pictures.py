"""The paired ratios of a comparison in order of time: what was found, and whether it stayed so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from workbench.analysis.compared import Compared, Part
from workbench.pairs import BASE, CANDIDATE, Block
from workbench.report.compare_tables import change
from workbench.report.svg import BAD, INK, MUTED, PAPER, SERIES, canvas
from workbench.stats import median

WIDTH_PX = 860
_PANEL_PX, _AROUND_PX = 190, 50
_FAR = 6.0  # spreads of a pair from the median: one beyond stands at the edge, with its value

Point = tuple[float, float]  # seconds since the first run, per cent


def ratios_picture(result: Compared) -> str:
    """A panel a part. Dots: pairs; rings: disturbed ones; crosses: disturbed ones that were run again and do not count. The band
    is the 95 % interval, the broken lines enclose what is the SAME. White behind it, in any viewer."""
    parts = [part for part in result.parts if part.verdict.ratio is not None]
    with canvas("ratios", WIDTH_PX, _AROUND_PX + _PANEL_PX * max(len(parts), 1)) as drawn:
        from matplotlib.patches import Rectangle

        drawn.figure.add_artist(
            Rectangle((0, 0), 1, 1, transform=drawn.figure.transFigure, facecolor=PAPER, linewidth=0, zorder=-1)
        )
        panels = drawn.axes(max(len(parts), 1), 1, squeeze=False)[:, 0]
        for axes, part in zip(panels, parts, strict=False):
            _panel(axes, part, str(result.word(part)))
        if not parts:
            panels[0].set_title("No pair was measured")
        panels[-1].set_xlabel("seconds since the first run")
        shown = dict(entry for axes in panels for entry in _entries(axes))
        drawn.figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=max(len(shown), 1))
    return drawn.svg


def _entries(axes: Any) -> list[tuple[str, Any]]:
    marks, names = axes.get_legend_handles_labels()
    return list(zip(names, marks, strict=True))


def _panel(axes: Any, part: Part, word: str) -> None:
    verdict = part.verdict
    assert verdict.ratio is not None
    points = [(block, _percent(block, part.metric)) for block in part.blocks if block.number and _is_pair(block)]
    low, high = _reach(part, [percent for block, percent in points if block.counts])
    axes.set_ylim(low, high)
    if verdict.low is not None and verdict.high is not None:
        ends = 100 * (verdict.low - 1), 100 * (verdict.high - 1)
        axes.axhspan(*ends, color=SERIES[0], alpha=0.22, linewidth=0, zorder=1, label="95 % interval")
    axes.axhline(100 * (verdict.ratio - 1), color=SERIES[0], linewidth=1.4, zorder=2, label="estimate")
    axes.axhline(0, color=INK, linewidth=0.9, zorder=2)
    for edge in (part.margin, 1 / (1 + part.margin) - 1):
        axes.axhline(100 * edge, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2, label="margin")
    quiet = [(block.at_s, percent) for block, percent in points if block.counts and block.disturbed is None]
    noisy = [(block.at_s, percent) for block, percent in points if block.counts and block.disturbed is not None]
    again = [(block.at_s, percent) for block, percent in points if block.again]
    _dots(axes, quiet, "pair", {"color": SERIES[0], "alpha": 0.75, "linewidths": 0})
    _dots(axes, noisy, "disturbed", {"facecolors": "none", "edgecolors": BAD, "linewidths": 1.2})
    _dots(axes, again, "disturbed, run again", {"color": MUTED, "marker": "x", "linewidths": 1.2})
    axes.grid(axis="x", visible=False)
    axes.grid(axis="y")
    axes.set_title(f"{part.kind} {part.name}: {word}, {change(verdict.ratio)} time")
    axes.set_ylabel("time of B against A, %")


def _is_pair(block: Block) -> bool:
    return BASE in block.samples and CANDIDATE in block.samples


def _percent(block: Block, metric: str) -> float:
    """By how much B took longer than A."""
    return 100 * (block.samples[CANDIDATE].time_s(metric) / block.samples[BASE].time_s(metric) - 1)


def _reach(part: Part, percents: Sequence[float]) -> tuple[float, float]:
    """Per cent to show: no difference, both margins, the interval, and all pairs but those far from the others."""
    verdict = part.verdict
    middle, far = median(percents), 100 * _FAR * (verdict.spread or 0.0) * (verdict.ratio or 1.0)
    near = [percent for percent in percents if abs(percent - middle) <= far] or [middle]
    ends = [100 * (end - 1) for end in (verdict.low, verdict.high) if end is not None and math.isfinite(end)]
    margins = [100 * part.margin, 100 * (1 / (1 + part.margin) - 1)]
    shown = [*near, *ends, *margins]
    room = 0.12 * (max(shown) - min(shown))
    return min(shown) - room, max(shown) + room


def _dots(axes: Any, points: Sequence[Point], label: str, style: dict[str, Any]) -> None:
    """Points of a kind; one outside of the picture stands at its edge with its value."""
    low, high = axes.get_ylim()
    edge = 0.04 * (high - low)
    places = [(x, min(max(y, low + edge), high - edge)) for x, y in points]
    if places:
        axes.scatter(*zip(*places, strict=True), s=26, zorder=3, label=label, **style)
    for (_, y), (x, place) in zip(points, places, strict=True):
        if not low <= y <= high:
            axes.annotate(
                f"{y:+.1f} %", (x, place), xytext=(6, -3), textcoords="offset points", color=MUTED, fontsize=8
            )
