"""Pictures of memory: what is alive over time, the resident set over time, and what size or threads do to it. Two versions
share their axes, each in a colour of its own with its peak named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workbench import units
from workbench.analysis.memory_sides import Side, SweepRow
from workbench.report.svg import LINE, MUTED, PAPER, SERIES, Canvas, canvas

WIDTH_PX = 860
SIDE_COLOURS = (SERIES[0], SERIES[1])
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))

Points = list[tuple[float, float]]


def byte_scale(largest: float) -> tuple[float, str]:
    """The unit that suits values up to `largest`."""
    return next(((step, name) for step, name in _BYTES if largest >= 2 * step), _BYTES[-1])


def live_picture(sides: Sequence[Side]) -> str:
    """Above: blocks alive over the steady state. Below: their bytes. Of each side its peak as a dot with the figure."""
    shown = [(side, side.steady) for side in sides if side.steady is not None and side.steady.curve]
    scale, unit = byte_scale(max((steady.peak_bytes for _, steady in shown), default=0))
    has_frames = all(steady.frames is not None for _, steady in shown)
    with canvas("memory-live", WIDTH_PX, 420) as drawn:
        upper, lower = drawn.axes(2, 1, sharex=True)
        for number, (side, steady) in enumerate(shown):
            counts = [(x, float(count)) for x, count, _ in steady.curve]
            sizes = [(x, size / scale) for x, _, size in steady.curve]
            _line(upper, counts, number, side.title, lambda value: f"{value:,.0f}")
            _line(lower, sizes, number, side.title, lambda value: units.byte_size(value * scale))
        upper.set_title("Blocks alive")
        lower.set_title(f"Their bytes, {unit}")
        lower.set_xlabel("encoded frames of the steady state" if has_frames else "seconds since the start")
        _finish(drawn, (upper, lower), len(shown))
    return drawn.svg


def resident_picture(sides: Sequence[Side]) -> str:
    """The resident set of each side over time, of one side alone also the part that belongs to files; the peak as wait4 says
    it is a dashed line."""
    shown = [(side, side.resident) for side in sides if side.resident is not None and side.resident.samples]
    scale, unit = byte_scale(max((resident.max_bytes for _, resident in shown), default=0))
    with canvas("memory-resident", WIDTH_PX, 260) as drawn:
        axes = drawn.axes()
        for number, (side, resident) in enumerate(shown):
            colour = SIDE_COLOURS[number % len(SIDE_COLOURS)]
            times = [sample[0] for sample in resident.samples]
            axes.plot(times, [sample[1] / scale for sample in resident.samples], color=colour, label=side.title)
            axes.axhline(resident.max_bytes / scale, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
            _name(axes, (0.0, resident.max_bytes / scale), f"max {units.byte_size(resident.max_bytes)}", colour, number)
            if len(shown) == 1:
                of_files = [sample[2] / scale for sample in resident.samples]
                axes.fill_between(times, of_files, color=MUTED, alpha=0.25, linewidth=0, label="of files")
        axes.set_title(f"Resident set, {unit}")
        axes.set_xlabel("seconds since the start of the process")
        axes.set_ylim(0, 1.18 * max((resident.max_bytes for _, resident in shown), default=scale) / scale)
        axes.set_xlim(left=0)
        axes.grid(axis="y")
        _legend(drawn, axes)
    return drawn.svg


def sweep_picture(rows: Sequence[SweepRow], by: str) -> str:
    """Maximum resident set against the size of the picture or the number of threads."""
    scale, unit = byte_scale(max((row.max_bytes for row in rows), default=0))
    with canvas("memory-sweep", WIDTH_PX, 250) as drawn:
        axes = drawn.axes()
        xs, ys = [row.x for row in rows], [row.max_bytes / scale for row in rows]
        axes.plot(xs, ys, color=SERIES[0], linewidth=1.6, marker="o", markersize=5)
        for row, x, y in zip(rows, xs, ys, strict=True):
            axes.annotate(row.label, (x, y), xytext=(0, 8), textcoords="offset points", ha="center", color=MUTED)
        axes.set_ylim(0, 1.2 * max(ys, default=1.0))
        axes.set_xlim(0, 1.08 * max(xs, default=1.0))
        axes.grid(axis="y")
        axes.set_title(f"Maximum resident set, {unit}")
        axes.set_xlabel("threads" if by == "threads" else "luma samples of a picture, millions")
    return drawn.svg


def _line(axes: Any, points: Points, number: int, title: str, printed: Callable[[float], str]) -> None:
    """What lived along one run, and its peak."""
    colour = SIDE_COLOURS[number % len(SIDE_COLOURS)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.plot(xs, ys, color=colour, linewidth=1.1, drawstyle="steps-post", label=title, alpha=0.9)
    x, y = max(points, key=lambda point: point[1])
    axes.scatter([x], [y], s=26, color=colour, zorder=4)
    _name(axes, (x, y), f"peak {printed(y)}", colour, number)


def _name(axes: Any, at: tuple[float, float], text: str, colour: str, number: int) -> None:
    """A figure beside its point; the second side's a line higher, where the two may lie on each other."""
    left = at[0] < 0.6 * axes.get_xlim()[1]
    axes.annotate(
        text,
        at,
        xytext=(7 if left else -7, 5 + 11 * number),
        textcoords="offset points",
        ha="left" if left else "right",
        color=colour,
        fontsize=8.5,
        fontweight="bold",
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )


def _finish(drawn: Canvas, panels: Sequence[Any], sides: int) -> None:
    for axes in panels:
        axes.set_ylim(bottom=0, top=1.22 * axes.get_ylim()[1])
        axes.grid(axis="y")
        axes.axhline(0, color=LINE, linewidth=0.8)
    panels[-1].set_xlim(left=0)
    if sides > 1:
        _legend(drawn, panels[0])


def _legend(drawn: Canvas, axes: Any) -> None:
    """What the lines are, under the picture, where it hides no peak."""
    lines, names = axes.get_legend_handles_labels()
    drawn.figure.legend(lines, names, loc="outside lower center", ncols=len(names))
