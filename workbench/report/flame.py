"""Flame graphs: where the time goes as nested stacks, as one interactive offline page and as a picture for the report.

Every clip has its own graph, and each kernel set one over its clips in which every clip counts the same. Lines are
dropped: a function is one frame whatever line of it was running.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from workbench.analysis.hotspots import function_of, name_and_place
from workbench.analysis.stacks import ClipStacks, SetProfile
from workbench.report.svg import INK, SERIES, SVG_ROOT, coloured

# Layer of the house -> what a frame's file or name looks like there; the first that fits counts.
LAYERS = {
    "kernels": re.compile(
        r"^set_\w+\.|\(\S*encoder/kernels/set_"
    ),  # set_numba.satd; satd (encoder/kernels/set_python/...)
    "tile": re.compile(r"^tile\.|\(\S*encoder/tile/"),
    "frame": re.compile(r"^frame\.|\(\S*encoder/frame/"),
    "encoder": re.compile(r"^[\w.]+$|\(\S*encoder/"),  # any other compiled function is the encoder's
    "other": re.compile(""),
}
_LAYER_COLOURS = dict(zip(LAYERS, (SERIES[0], SERIES[1], SERIES[2], SERIES[4], SERIES[7]), strict=True))
FLAME_NAME = "flame.html"
_WHOLE = 1_000_000  # the corpus graph's unit: millionths of the time

ROW_PX, PICTURE_WIDTH_PX, PICTURE_ROWS = 19, 860, 18
_CHARACTER_PX = 6.3


@dataclass
class Frame:
    """A function in its stack: its own and its callees' samples."""

    name: str
    samples: float = 0.0
    callees: dict[str, Frame] = field(default_factory=dict)

    def sorted_callees(self) -> list[Frame]:
        """The largest first, so that what matters stands at the left."""
        return sorted(self.callees.values(), key=lambda callee: (-callee.samples, callee.name))


def tree(folded: Mapping[str, float], title: str = "all") -> Frame:
    """The nested form of folded stacks under one root."""
    root = Frame(title)
    for stack, samples in folded.items():
        root.samples += samples
        at = root
        for frame in stack.split(";"):
            name = function_of(frame)
            at = at.callees.setdefault(name, Frame(name))
            at.samples += samples
    return root


def corpus_stacks(clips: Sequence[ClipStacks]) -> dict[str, float]:
    """Folded stacks over clips, in millionths of the time, every clip counting the same."""
    mixed: dict[str, float] = {}
    for clip in clips:
        for stack, samples in clip.folded.items():
            mixed[stack] = mixed.get(stack, 0.0) + samples / clip.samples / len(clips) * _WHOLE
    return mixed


def layer_of(frame: str) -> str:
    """The layer of the house that a frame belongs to."""
    return next(layer for layer, pattern in LAYERS.items() if pattern.search(frame))


def flame_page(profiles: Sequence[SetProfile], title: str) -> str:
    """One HTML page that needs nothing beside it: choose a clip, zoom, search, hover, keyboard."""
    from workbench.report.html_page import render_template

    names: dict[str, int] = {}
    graphs = []
    for profile in profiles:
        corpus = tree(corpus_stacks(profile.clips), "all clips")
        graphs.append(_graph("all clips, each counting the same", profile.kernels, None, corpus, names))
        graphs += [
            _graph(clip.subject.clip, profile.kernels, clip.samples, tree(clip.folded, clip.subject.clip), names)
            for clip in profile.clips
        ]
    table = [[*name_and_place(name), list(LAYERS).index(layer_of(name))] for name in names]
    data = json.dumps({"names": table, "graphs": graphs, "layers": list(LAYERS)}, separators=(",", ":"))
    layers = [(layer, f"series-{SERIES.index(colour) + 1}") for layer, colour in _LAYER_COLOURS.items()]
    return render_template("flame.html", title=title, data=data.replace("<", "\\u003c"), layers=layers)


def _graph(title: str, kernels: str, samples: float | None, root: Frame, names: dict[str, int]) -> dict[str, Any]:
    return {"title": title, "kernels": kernels, "samples": samples, "root": _packed(root, names)}


def _packed(frame: Frame, names: dict[str, int]) -> list[Any]:
    at = names.setdefault(frame.name, len(names))
    callees = [_packed(callee, names) for callee in frame.sorted_callees()]
    return [at, round(frame.samples, 1), callees] if callees else [at, round(frame.samples, 1)]


def flame_picture(profile: SetProfile) -> str:
    """A picture of the kernel set's graph over all clips, from the first function that calls more than one other."""
    root = tree(corpus_stacks(profile.clips), "all clips")
    while len(root.callees) == 1:
        root = next(iter(root.callees.values()))
    boxes: list[str] = []
    depth = _draw(root, root.samples, 0.0, 0, boxes)
    height = (depth + 1) * ROW_PX + 2
    size = f'width="{PICTURE_WIDTH_PX}" height="{height}" viewBox="0 0 {PICTURE_WIDTH_PX} {height}"'
    return f"{SVG_ROOT} {size}>{coloured(''.join(boxes))}</svg>\n"


def _draw(frame: Frame, whole: float, x: float, row: int, boxes: list[str]) -> int:
    """Append the frame's box and its callees'; returns the lowest row used."""
    width = frame.samples / whole * PICTURE_WIDTH_PX
    if width < 1 or row >= PICTURE_ROWS:
        return row - 1
    boxes.append(_box(frame, frame.samples / whole, x, row, width))
    lowest = row
    for callee in frame.sorted_callees():
        lowest = max(lowest, _draw(callee, whole, x, row + 1, boxes))
        x += callee.samples / whole * PICTURE_WIDTH_PX
    return lowest


def _box(frame: Frame, share: float, x: float, row: int, width: float) -> str:
    name, place = name_and_place(frame.name)
    y = row * ROW_PX + 1
    title = escape(f"{name} ({place})" if place else name)
    fill = f"fill: {_LAYER_COLOURS[layer_of(frame.name)]}; fill-opacity: 0.42"
    size = f'width="{max(width - 1, 0.5):.1f}" height="{ROW_PX - 1}" rx="2"'
    fits = int((width - 8) / _CHARACTER_PX)
    label = name if len(name) <= fits else f"{name[: fits - 1]}…" if fits > 3 else ""
    text = (
        f'<text x="{x + 4:.1f}" y="{y + 13}" style="font-size: 11px; fill: {INK}">{escape(label)}</text>'
        if label
        else ""
    )
    box = f'<rect x="{x:.1f}" y="{y}" {size} style="{fill}"/>'
    return f"<g><title>{title}, {100 * share:.1f} %</title>{box}{text}</g>"
