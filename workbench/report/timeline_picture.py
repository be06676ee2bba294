"""A timeline as one small picture for a report: frames, lanes, critical path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from workbench import units
from workbench.analysis.timeline import CODED, HAND_OVER, NONE, Timeline, pieces
from workbench.analysis.traced import Traced
from workbench.report.svg import INK, LINE, MUTED, PAPER, SERIES, canvas
from workbench.report.timeline import PLAIN, STAGE_COLOURS

_WIDTH_PX, _ROW_PX, _AROUND_PX = 860, 30, 96
_NARROWEST = 1 / 1200  # of the width: what is narrower joins what is beside it
_LEGEND_COLUMNS = 8
_LABEL_SHARE = 0.016  # of the width that a frame needs for its number

Bar = tuple[float, float, str]
"""Begin and length in seconds, and what is done; "" for nothing."""


def timeline_picture(traced: Traced) -> str:
    """Rows from top to bottom: coded frames with their place in the order of display, a lane a thread, the critical path."""
    timeline = traced.found.timeline
    lanes = [_lane(timeline, lane) for lane in range(len(timeline.lanes))]
    path = _joined(
        [
            (step.begin_ns / 1e9, step.duration_ns / 1e9, "" if step.what == HAND_OVER else step.what)
            for step in traced.found.path
        ],
        timeline.wall_ns / 1e9,
    )
    rows = [*lanes, path]
    names = [*timeline.lanes, "critical path"]
    done = _most_first(rows)
    height = _AROUND_PX + _ROW_PX * (len(rows) + 1) + 16 * ((len(done) - 1) // _LEGEND_COLUMNS)
    with canvas("timeline", _WIDTH_PX, height) as drawn:
        axes = drawn.axes()
        _draw_frames(axes, timeline)
        for row, bars in enumerate(rows, 1):
            axes.broken_barh([(0, timeline.wall_ns / 1e9)], (row - 0.36, 0.72), facecolor=LINE, alpha=0.45)
            for what in done:
                own = [(begin, length) for begin, length, name in bars if name == what]
                if own:
                    axes.broken_barh(own, (row - 0.36, 0.72), facecolor=_colour(what), linewidth=0)
        for what in done:
            axes.barh([0], [0], color=_colour(what), label=what)
        axes.set_yticks(range(len(rows) + 1), ["frames", *names])
        axes.set_ylim(len(rows) + 0.5, -0.6)
        axes.set_xlim(0, timeline.wall_ns / 1e9 or 1)
        axes.set_xlabel("seconds")
        parts, labels = axes.get_legend_handles_labels()
        drawn.figure.legend(
            parts, labels, loc="outside lower center", ncols=min(len(labels), _LEGEND_COLUMNS) or 1,
            handlelength=0.9, handleheight=0.9, columnspacing=1.4,
        )  # fmt: skip
    return drawn.svg


def _lane(timeline: Timeline, lane: int) -> list[Bar]:
    """What a thread does, by the innermost span that no compiled code has left."""
    bars = []
    for piece in pieces(timeline)[lane]:
        span = NONE if piece.span == NONE else timeline.stage(piece.span)
        what = "" if span == NONE or timeline.is_wait(span) else timeline.label(span)
        bars.append((piece.begin_ns / 1e9, (piece.end_ns - piece.begin_ns) / 1e9, what))
    return _joined(bars, timeline.wall_ns / 1e9)


def _joined(bars: Iterable[Bar], wall_s: float) -> list[Bar]:
    """Bars end to end, of those that nobody could see each with the one before it."""
    joined: list[Bar] = []
    for begin, length, what in bars:
        if joined and (what == joined[-1][2] or length < _NARROWEST * wall_s):
            begin, before, what = joined.pop()
            length += before
        joined.append((begin, length, what))
    return joined


def _most_first(rows: Sequence[Sequence[Bar]]) -> list[str]:
    spent: dict[str, float] = {}
    for bars in rows:
        for _, length, what in bars:
            spent[what] = spent.get(what, 0.0) + length
    return [what for what, _ in sorted(spent.items(), key=lambda item: -item[1]) if what]


def _colour(what: str) -> str:
    return SERIES[STAGE_COLOURS.get(what, PLAIN) - 1]


def _draw_frames(axes: Any, timeline: Timeline) -> None:
    """The coded frames, a stroke between them, with their numbers where there is room."""
    spans = [at for at in range(len(timeline)) if timeline.label(at) == CODED]
    for at in spans:
        begin, end = timeline.begin_ns[at] / 1e9, timeline.end_ns[at] / 1e9
        axes.broken_barh(
            [(begin, end - begin)], (-0.36, 0.72), facecolor=MUTED, alpha=0.28, edgecolor=PAPER, linewidth=0.7
        )
        if (end - begin) * 1e9 > _LABEL_SHARE * timeline.wall_ns:
            axes.annotate(
                units.count(int(timeline.frame[at])),
                ((begin + end) / 2, 0),
                ha="center",
                va="center",
                color=INK,
                fontsize=7.5,
            )
