"""The report's pictures: every raw sample as a dot, stages as stacked bars, speed-up against Amdahl's law."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.analysis.amdahl import Fit, Point, predicted_speedup
from workbench.analysis.chosen import Candidate
from workbench.analysis.compare_runs import Change
from workbench.analysis.frames import ClipFrames
from workbench.analysis.stages import ClipStages
from workbench.analysis.times import ClipTime
from workbench.report.columns import scale_of, seconds_column
from workbench.report.svg import BAD, INK, LINE, MUTED, PAPER, SERIES, Canvas, canvas, rows_on
from workbench.stats import median

WIDTH_PX = 860
_ROW_PX = 26
_LEGEND_COLUMNS = 7
CURVE_WORKERS = 16
# Stages in the order of the flow, with the colour they have in every picture; one not listed comes last, in grey.
STAGE_COLOURS = {
    "input": SERIES[6],
    "lookahead": SERIES[9],
    "motion": SERIES[10],
    "decision": SERIES[0],
    "reconstruction": SERIES[1],
    "entropy": SERIES[2],
    "rest of the tile": SERIES[7],
    "deblocking": SERIES[3],
    "cdef": SERIES[4],
    "restoration": SERIES[11],
    "headers": SERIES[5],
    "output": SERIES[8],
}
KIND_COLOURS = {
    "key": SERIES[1],
    "layer 0": SERIES[0],
    "layer 1": SERIES[6],
    "layer 2": SERIES[2],
    "layer 3": SERIES[5],
    "layer 4": SERIES[7],
}


def stage_order(stages: Iterable[str]) -> list[str]:
    """Stages in the order of the flow, each once; those that we do not know come last."""
    present = set(stages)
    return [stage for stage in STAGE_COLOURS if stage in present] + sorted(present - set(STAGE_COLOURS))


def times_picture(timed: Sequence[ClipTime], labels: Sequence[str]) -> str:
    """Left: time per frame of each repetition. Right: its deviation from the clip's median, where spread shows."""
    unit, _ = seconds_column([clip.per_frame_s for clip in timed])
    scale = scale_of(unit)
    reach = _reach(timed)
    with canvas("times", WIDTH_PX, 62 + _ROW_PX * len(timed)) as drawn:
        left, right = drawn.axes(1, 2, sharey=True, gridspec_kw={"width_ratios": (1, 1)})
        for row, clip in enumerate(timed):
            _dots(left, row, [sample / scale for sample in clip.samples], clip.outliers)
            _deviations(right, row, clip, reach)
            if clip.interval is not None:
                ends = [100 * (end / clip.per_frame_s - 1) for end in (clip.interval.low, clip.interval.high)]
                right.barh(row, ends[1] - ends[0], left=ends[0], height=0.62, color=LINE, zorder=1)
        rows_on(left, labels)
        left.set_xlim(left=0)
        left.set_title(f"Time per frame, {unit}")
        right.set_title("Deviation from the clip's median, %")
        right.axvline(0, color=MUTED, linewidth=0.8, zorder=2)
        right.set_xlim(-reach, reach)
    return drawn.svg


def _dots(axes: Any, row: int, values: Sequence[float], odd: Sequence[int]) -> None:
    """One row of samples; those that do not belong are rings."""
    usual = [value for at, value in enumerate(values) if at not in odd]
    axes.scatter(usual, [row] * len(usual), s=26, color=SERIES[0], alpha=0.55, linewidths=0, zorder=3)
    unusual = [values[at] for at in odd]
    axes.scatter(unusual, [row] * len(unusual), s=26, facecolors="none", edgecolors=BAD, linewidths=1.2, zorder=3)
    axes.plot([median(values)] * 2, [row - 0.31, row + 0.31], color=INK, linewidth=1.4, zorder=4)


def _reach(timed: Sequence[ClipTime]) -> float:
    """Per cent to show on each side: all samples but outliers, and enough that a tiny spread does not look large."""
    usual = [abs(percent) for clip in timed for at, percent in enumerate(_percents(clip)) if at not in clip.outliers]
    return 1.25 * max([2.4, *usual])


def _percents(clip: ClipTime) -> list[float]:
    return [100 * (sample / clip.per_frame_s - 1) for sample in clip.samples] if clip.per_frame_s else []


def _deviations(axes: Any, row: int, clip: ClipTime, reach: float) -> None:
    """The row's samples around their median; an outlier outside of the picture stands at its edge with its value."""
    percents = _percents(clip)
    edge = 0.97 * reach
    _dots(axes, row, [min(max(percent, -edge), edge) for percent in percents], clip.outliers)
    for at in clip.outliers:
        if abs(percents[at]) > reach:
            side = 1 if percents[at] > 0 else -1
            place, align = (side * edge, row), "right" if side > 0 else "left"
            text = f"{percents[at]:+.0f} %"
            axes.annotate(
                text, place, xytext=(-side * 7, -3), textcoords="offset points", ha=align, color=BAD, fontsize=8
            )


def stages_picture(traced: Sequence[ClipStages], labels: Sequence[str]) -> str:
    """Share of each stage in a clip's time."""
    rows = [{stage: 100 * (clip.share(stage) or 0.0) for stage in clip.stages} for clip in traced]
    return _stacked("stages", rows, labels, "Share of the time by stage, %", 100)


def tile_stages_picture(clip: ClipStages) -> str:
    """Time of each tile of one encode by stage, with the mean tile as a line."""
    unit, _ = seconds_column([sum(tile.values()) for tile in clip.tiles])
    rows = [{stage: spent / scale_of(unit) for stage, spent in tile.items()} for tile in clip.tiles]
    mean = sum(sum(row.values()) for row in rows) / len(rows)
    labels = [f"tile {at}" for at in range(len(rows))]
    return _stacked("tile-stages", rows, labels, f"Time of each tile by stage, {unit}", None, mean)


def frames_picture(clips: Sequence[ClipFrames], labels: Sequence[str]) -> str:
    """Left: share of a clip's bytes by kind of frame. Right: share of its time."""
    size = [{kind.name: 100 * kind.stream_bytes / (clip.stream_bytes or 1) for kind in clip.kinds} for clip in clips]
    time = [{kind.name: 100 * kind.wall_s / (clip.wall_s or 1) for kind in clip.kinds} for clip in clips]
    present = {name for row in size for name in row}
    with canvas("frames", WIDTH_PX, 84 + _ROW_PX * len(clips)) as drawn:
        left, right = drawn.axes(1, 2, sharey=True)
        for axes, rows, what in ((left, size, "bytes"), (right, time, "time")):
            _bars(axes, rows, [name for name in KIND_COLOURS if name in present], KIND_COLOURS)
            axes.set_xlim(0, 100)
            axes.set_title(f"Share of the {what} by kind of frame, %")
        rows_on(left, labels)
        _legend_below(drawn, left)
    return drawn.svg


def _stacked(
    name: str,
    rows: Sequence[Mapping[str, float]],
    labels: Sequence[str],
    title: str,
    end: float | None,
    mean: float = 0,
) -> str:
    order = stage_order(stage for row in rows for stage, value in row.items() if value)
    with canvas(name, WIDTH_PX, (84 if len(order) <= _LEGEND_COLUMNS else 102) + _ROW_PX * len(rows)) as drawn:
        axes = drawn.axes()
        _bars(axes, rows, order, STAGE_COLOURS)
        rows_on(axes, labels)
        if mean:
            axes.axvline(mean, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(0, end or max(sum(row.values()) for row in rows) * 1.02)
        axes.set_title(title)
        _legend_below(drawn, axes)
    return drawn.svg


def _bars(axes: Any, rows: Sequence[Mapping[str, float]], order: Sequence[str], colours: Mapping[str, str]) -> None:
    """A bar for each row, its parts side by side in this order; one without a colour is grey."""
    lefts = [0.0] * len(rows)
    for part in order:
        widths = [row.get(part, 0.0) for row in rows]
        colour = colours.get(part, MUTED)
        places = range(len(rows))
        axes.barh(places, widths, left=lefts, height=0.66, color=colour, label=part, edgecolor=PAPER, linewidth=0.6)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]


def _legend_below(drawn: Canvas, axes: Any) -> None:
    """What the parts of the bars are, under the picture."""
    parts, names = axes.get_legend_handles_labels()
    columns = {"handlelength": 0.9, "handleheight": 0.9, "columnspacing": 1.4}
    drawn.figure.legend(parts, names, loc="outside lower center", ncols=min(len(names), _LEGEND_COLUMNS), **columns)


def selection_picture(chosen: Sequence[Candidate], reachable: int) -> str:
    """What the choice covers as the seconds are spent."""
    seconds, covered = [0.0], [0.0]
    for clip in chosen:
        seconds.append(seconds[-1] + (clip.seconds or 0.0))
        covered.append(covered[-1] + 100 * (clip.new_items or 0) / reachable)
    with canvas("selection", WIDTH_PX, 240) as drawn:
        axes = drawn.axes()
        axes.grid(axis="y")
        axes.plot(seconds, covered, color=SERIES[0], linewidth=1.6, marker="o", markersize=5)
        for clip, x, y in zip(chosen, seconds[1:], covered[1:], strict=True):
            axes.annotate(
                clip.clip, (x, y), xytext=(0, -13), textcoords="offset points", ha="center", color=MUTED, fontsize=8
            )
        axes.set_ylim(0, 108)
        axes.set_xlim(0, seconds[-1] * 1.06 or 1)
        axes.set_title("Covered lines and branches, % of what the clips can reach")
        axes.set_xlabel("seconds of encoding")
    return drawn.svg


def speedup_picture(law: Fit, cores: int | None) -> str:
    """Measured speed-ups, the law with its interval, and the ideal line."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    last = max([CURVE_WORKERS, *(point.workers for point in law.points)])
    workers = [1 + step * (last - 1) / 120 for step in range(121)]
    off = {found.point.label for found in law.off_law}
    with canvas("speed-up", WIDTH_PX, 360) as drawn:
        axes = drawn.axes()
        axes.grid(axis="y")
        axes.plot(workers, workers, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), label="ideal: no serial part")
        if law.interval is not None:
            low, high = ([predicted_speedup(end, n) for n in workers] for end in (law.interval.low, law.interval.high))
            axes.fill_between(
                workers, low, high, color=SERIES[0], alpha=0.16, linewidth=0, label="95 % interval of the law"
            )
        axes.plot(
            workers,
            [predicted_speedup(law.p, n) for n in workers],
            color=SERIES[0],
            linewidth=1.8,
            label=f"Amdahl's law, p = {law.p:.3f}",
        )
        _law_points(axes, [point for point in law.points if point.label not in off], SERIES[1], "measured", filled=True)
        _law_points(
            axes, [point for point in law.points if point.label in off], BAD, "measured, off the law", filled=False
        )
        if cores is not None and cores < last:
            axes.axvline(cores, color=LINE, linewidth=1.2)
            axes.annotate(
                f"{cores} cores here",
                (cores, 0.98),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                va="top",
                color=MUTED,
                fontsize=8,
            )
        axes.set_xscale("log", base=2)
        ticks = [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n <= last]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(n) for n in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0.5, max(1.25 * predicted_speedup(law.interval.high if law.interval else law.p, last), 2.5))
        axes.set_title("Speed-up over one worker, times")
        axes.set_xlabel("workers (tiles encoded at the same time)")
        axes.legend(loc="upper left")
    return drawn.svg


def _law_points(axes: Any, points: Sequence[Point], colour: str, label: str, filled: bool) -> None:
    """Points as measured; those with the same number of workers stand side by side around it."""
    if points:
        groups = {
            n: [point for point in points if point.workers == n] for n in sorted({point.workers for point in points})
        }
        axes.scatter(
            [n * 2 ** (0.035 * (at - (len(group) - 1) / 2)) for n, group in groups.items() for at in range(len(group))],
            [point.speedup for group in groups.values() for point in group],
            s=30,
            facecolors=colour if filled else "none",
            edgecolors=colour,
            linewidths=1.3,
            alpha=0.8,
            label=label,
            zorder=4,
        )


def ratios_picture(changes: Sequence[Change], labels: Sequence[str], margin: float) -> str:
    """Change of each clip in per cent with its interval, around a band in which a change counts as none."""
    with canvas("comparison-time", WIDTH_PX, 62 + _ROW_PX * len(changes)) as drawn:
        axes = drawn.axes()
        axes.axvspan(-100 * margin, 100 * margin, color=LINE, alpha=0.5, linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for row, change in enumerate(changes):
            if change.interval is not None:
                ends = [100 * (end - 1) for end in (change.interval.low, change.interval.high)]
                axes.plot(ends, [row, row], color=SERIES[0], linewidth=2.4, solid_capstyle="round")
            axes.scatter([100 * (change.ratio - 1)], [row], s=34, color=SERIES[0], zorder=3)
        rows_on(axes, labels)
        reach = max(100 * margin * 1.6, *(abs(end) for end in axes.get_xlim()))
        axes.set_xlim(-reach, reach)
        axes.set_title("Change of the time per frame, % (to the left: faster)")
    return drawn.svg
