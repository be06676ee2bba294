"""Flame graphs: where the time goes as nested stacks, as one interactive offline page and as a picture for the report.

The page holds stacks with their lines; its script draws them by function or by line, threads apart or merged, and
beside them the source of the hottest functions. In a profile's page every clip has its own graph, and each kernel set
one over its clips in which every clip counts the same.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from workbench import units
from workbench.analysis.folded import (
    Recording,
    added_up,
    by_function,
    is_kernel,
    parse_frame,
    without_line,
    without_threads,
)
from workbench.analysis.overhead import Overhead
from workbench.analysis.stack_tree import ROOT, StackTree, pruned, stack_tree
from workbench.analysis.stacks import ClipStacks, SetProfile
from workbench.errors import InputError
from workbench.report.source_view import KEPT, SourceText, hottest_sources, kept_sources
from workbench.report.svg import INK, SERIES, SVG_ROOT, coloured

_LIBRARIES = re.compile(
    rf"\((?:\S*/(?:site|dist)-packages/|<|(?:{'|'.join([*sys.stdlib_module_names, 'numpy', 'numba', 'llvmlite'])})[/.])"
)
_native = re.compile(r"^\[(?!unknown\])").search
Layers = Mapping[str, Callable[[str], object]]
# Layer of the house -> whether a frame's text (without its line) belongs to it; the first that fits counts.
LAYERS: Layers = {
    "kernels": is_kernel,
    "tile": re.compile(r"^tile\.|\(\S*encoder/tile/").search,
    "frame": re.compile(r"^frame\.|\(\S*encoder/frame/").search,
    "encoder": re.compile(r"^[\w.]+$|\(\S*encoder/").search,  # any other compiled function is the encoder's
    "native": _native,
    "other": lambda frame: True,
}
# The same of a program that is not the encoder.
PROGRAM_LAYERS: Layers = {
    "program": lambda frame: parse_frame(frame).path and not _native(frame) and not _LIBRARIES.search(frame),
    "native": _native,
    "other": lambda frame: True,
}
_COLOURS = {"kernels": 1, "tile": 2, "frame": 3, "encoder": 5, "native": 6, "other": 8, "program": 5}  # of the series
FLAME_NAME = "flame.html"
VIEWS = ("function", "line")
MAX_BOXES = 60_000  # of one graph: about 2 MB of page
_WHOLE = 1_000_000  # the corpus graph's unit: millionths of the time
SAMPLERS = {"sampler": "the sampler in the process", "perf": "perf", "py-spy": "py-spy"}

ROW_PX, PICTURE_WIDTH_PX = 19, 860
PICTURE_ROWS = 30  # the walk alone is twenty deep, its kernels lie below
_LEGEND_PX = 96  # of an entry
_CHARACTER_PX = 6.3


def corpus_stacks(clips: Sequence[ClipStacks]) -> dict[str, float]:
    """Folded stacks over clips, in millionths of the time, every clip counting the same."""
    mixed: dict[str, float] = {}
    for clip in clips:
        for stack, samples in clip.folded.items():
            mixed[stack] = mixed.get(stack, 0.0) + samples / clip.samples / len(clips) * _WHOLE
    return mixed


def layer_of(frame: str, layers: Layers = LAYERS) -> str:
    """The layer that a frame, without its line, belongs to."""
    return next(layer for layer, fits in layers.items() if fits(frame))


@dataclass
class PageNames:
    """The functions and frames of a page, each with an index.

    layers     names of the layers and what belongs to them
    functions  [label, place, layer, 1 where it is inlined]
    frames     [function, line], line 0 where it is not known
    """

    layers: Layers = field(default_factory=lambda: LAYERS)
    functions: list[tuple[str, str, int, int]] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)
    _functions: dict[str, int] = field(default_factory=dict)
    _frames: dict[str, int] = field(default_factory=dict)

    def root(self, title: str) -> int:
        """The index of a graph's root, which is no function."""
        self.functions.append((title, "", len(self.layers) - 1, 0))
        self.frames.append((len(self.functions) - 1, 0))
        return len(self.frames) - 1

    def frame(self, text: str) -> int:
        """The index of a frame."""
        if text not in self._frames:
            self._frames[text] = len(self.frames)
            self.frames.append((self.function(text), parse_frame(text).line))
        return self._frames[text]

    def renamed(self, text: str, label: str, place: str) -> int:
        """The index of a frame that is shown under another name."""
        at = self.frame(text)
        function = self.frames[at][0]
        self.functions[function] = (label, place, *self.functions[function][2:])
        return at

    def function(self, text: str) -> int:
        """The index of a frame's function."""
        name = without_line(text)
        if name not in self._functions:
            self._functions[name] = len(self.functions)
            frame = parse_frame(text)
            layer = list(self.layers).index(layer_of(name, self.layers))
            self.functions.append((frame.label, frame.path, layer, int(frame.inlined)))
        return self._functions[name]


def packed(stacks: StackTree, names: PageNames) -> dict[str, Any]:
    """A tree's columns as the page's script reads them: `parents`, `frames` (indices) and `own` (samples)."""
    own = [round(samples, 1) if samples % 1 else int(samples) for samples in stacks.own]
    frames = [names.root(stacks.frames[ROOT]), *map(names.frame, stacks.frames[ROOT + 1 :])]
    return {"parents": stacks.parents, "frames": frames, "own": own}


def flame_page(profiles: Sequence[SetProfile], title: str) -> str:
    """One HTML page of a profile that needs nothing beside it: choose a clip, zoom, search, hover, keyboard."""
    names = PageNames()
    graphs: list[dict[str, Any]] = []
    sources: dict[tuple[str, str], SourceText] = {}
    said: list[str] = []
    for profile in profiles:
        corpus, runs = corpus_stacks(profile.clips), [_recording(clip) for clip in profile.clips]
        facts = recording_facts(runs, "clips")
        tree_of_all = _limited("all clips", corpus, said)
        graphs.append(_graph("all clips, each counting the same", facts, tree_of_all, names, profile.kernels))
        for clip, run in zip(profile.clips, runs, strict=True):
            graphs.append(_run_graph(clip.subject.clip, clip.folded, [run], names, said, profile.kernels))
        texts = hottest_sources(
            corpus, KEPT, kept=kept_sources(entry for clip in profile.clips for entry in clip.sources)
        )
        sources |= {(text.function, text.path): text for text in texts}
        said += [f"{run.title}: {text}" for run in runs for text in run.warnings]
    more = {"by": VIEWS[0], "sources": [_packed_source(text) for text in sources.values()]}
    return _page(title, names, graphs, more, warnings=list(dict.fromkeys(said)))


def _recording(clip: ClipStacks) -> Recording:
    known = (clip.rate_hz, clip.seconds, clip.frames, clip.unnamed_share)
    return Recording(clip.folded, clip.source, *known, clip.subject.clip, clip.warnings)


def flame_page_of_runs(
    runs: Sequence[Recording],
    title: str,
    *,
    by: str = "function",
    source_roots: Sequence[Path] = (),
    facts: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """One HTML page of sampled runs that needs nothing beside it; returns its text.

    runs          one or more; of several, the first graph adds them up and the others show them one by one
    title         the page's heading
    by            the view shown first: "function" or "line"; the page switches between both
    source_roots  folders that relative paths in the frames start from, beside the installed packages and the current
                  folder: where the source beside the lines is read. A file that is not there is said on the page
    facts         short remarks for the line under the heading, such as the command line; samples, duration, source,
                  rate and unnamed share are there by themselves
    warnings      shown above the graph, before those of the runs

    Raises InputError when no run has a sample, or `by` is neither.
    """
    if by not in VIEWS:
        raise InputError(f"--by {by!r}: give one of {', '.join(VIEWS)}")
    runs = [run for run in runs if run.samples]
    if not runs:
        raise InputError("no run has a sample: nothing to draw; sample a longer run")
    together = added_up(run.folded for run in runs)
    said = [*warnings, *dict.fromkeys(warning for run in runs for warning in run.warnings)]
    is_encode = any(is_kernel(frame) or "(encoder/" in frame for stack in together for frame in stack.split(";"))
    names = PageNames(LAYERS if is_encode else PROGRAM_LAYERS)
    graphs = [_run_graph("all runs", together, runs, names, said)] if len(runs) > 1 else []
    graphs += [_run_graph(_run_title(run, at), run.folded, [run], names, said) for at, run in enumerate(runs, 1)]
    sources = hottest_sources(together, KEPT, source_roots)
    return _page(title, names, graphs, {"by": by, "sources": [_packed_source(text) for text in sources]}, facts, said)


def recording_facts(runs: Sequence[Recording], several: str = "runs") -> list[str]:
    """How many samples, for how long, by what and how fast, and what share has no name, of runs taken together; `several` is
    what they are called."""
    samples = sum(run.samples for run in runs)
    facts = [f"{len(runs)} {several}"] if len(runs) > 1 else []
    facts.append(f"{units.count(samples)} samples")
    if all(run.seconds is not None for run in runs):
        facts.append(f"in {units.seconds(sum(run.seconds or 0.0 for run in runs))}")
    rates = sorted({run.rate_hz for run in runs if run.rate_hz})
    by = " and ".join(dict.fromkeys(SAMPLERS.get(run.source, run.source) for run in runs))
    facts.append(f"by {by}" + (f", {' and '.join(f'{rate:.0f}' for rate in rates)} Hz" if rates else ""))
    if all(run.frames for run in runs):
        facts.append(f"{units.count(sum(run.frames or 0.0 for run in runs))} encoded frames")
    unnamed = [run.unnamed_share for run in runs if run.unnamed_share is not None]
    facts.append(f"{units.percent(max(unnamed))} of compiled samples without a name" if unnamed else "")
    return [fact for fact in facts if fact]


def cost_sentence(cost: Overhead) -> str:
    """What the profile build and the sampler cost, and how that was measured."""
    interval = ""
    if cost.interval is not None:
        low, high = (units.percent(end, signed=True) for end in (cost.interval.low, cost.interval.high))
        interval = f"95 % interval {low} to {high}, "
    return (
        f"the profile build and the sampler cost {units.percent(cost.share, signed=True)} of processor time ({interval}may be "
        f"{units.percent(cost.limit)}), measured in {cost.pairs} pairs of packets, each encoded with and without them in random "
        "order"
    )


def cost_warnings(cost: Overhead | None) -> list[str]:
    """What to say of sampling that certainly costs more than it may."""
    return [f"sampling costs too much: {cost_sentence(cost)}"] if cost is not None and cost.is_beyond_limit else []


def _limited(title: str, folded: Mapping[str, float], warnings: list[str]) -> StackTree:
    """The tree of these stacks, as much of it as a page can draw."""
    stacks, limit = pruned(stack_tree(folded), MAX_BOXES)
    if limit:
        less = f"boxes of {units.percent(limit / sum(folded.values()))} of the time or less are drawn as their callers' own"
        warnings.append(f"{title}: more than {units.count(MAX_BOXES)} boxes; {less}")
    return stacks


def _run_graph(
    title: str,
    folded: Mapping[str, float],
    runs: Sequence[Recording],
    names: PageNames,
    warnings: list[str],
    kernels: str = "",
) -> dict[str, Any]:
    stacks = _limited(title, folded, warnings)
    about: dict[str, Any] = {"samples": sum(run.samples for run in runs)}
    if all(run.frames and run.rate_hz == runs[0].rate_hz for run in runs) and runs[0].rate_hz:
        about["frame_s"] = 1 / (runs[0].rate_hz * sum(run.frames or 0.0 for run in runs))
    return _graph(title, recording_facts(runs), stacks, names, kernels, about)


def _run_title(run: Recording, number: int) -> str:
    return f"run {number}" + (f": {run.title}" if run.title else "")


def _graph(
    title: str,
    facts: Sequence[str],
    stacks: StackTree,
    names: PageNames,
    kernels: str = "",
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A graph as the script reads it. `about`: samples, and frame_s, the seconds of an encoded frame that one is."""
    return {"title": title, "kernels": kernels, "facts": facts, **(about or {}), **packed(stacks, names)}


def _packed_source(text: SourceText) -> dict[str, Any]:
    return {
        "function": text.label,
        "place": text.path,
        "first": text.first,
        "lines": list(text.lines),
        "missing": text.missing,
    }


def _page(
    title: str,
    names: PageNames,
    graphs: Sequence[Mapping[str, Any]],
    more: Mapping[str, Any],
    facts: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    used = sorted({function[2] for function in names.functions})
    layers = [(at, layer, f"series-{_COLOURS[layer]}") for at, layer in enumerate(names.layers)]
    legend = [entry for entry in layers if entry[0] in used]
    data = {"functions": names.functions, "frames": names.frames, "graphs": graphs, **more}
    return render_flame(title, data, layers=layers, legend=legend, facts=facts, warnings=warnings, diff=None)


def render_flame(title: str, data: Mapping[str, Any], **values: Any) -> str:
    """The template with its data."""
    from workbench.report.html_page import render_template

    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return render_template("flame.html", title=title, data=text, **values)


def flame_picture(profile: SetProfile) -> str:
    """A picture of the kernel set's graph over all clips, from the first function that calls more than one other."""
    picture = _Picture(stack_tree(by_function(without_threads(corpus_stacks(profile.clips)))))
    start = ROOT
    while len(callees := picture.callees[start]) == 1:
        start = callees[0]
    depth = picture.draw(start, start, 0.0, 0)
    picture.draw_legend(depth + 1)
    height = (depth + 2) * ROW_PX + 10
    size = f'width="{PICTURE_WIDTH_PX}" height="{height}" viewBox="0 0 {PICTURE_WIDTH_PX} {height}"'
    return f"{SVG_ROOT} {size}>{coloured(''.join(picture.boxes))}</svg>\n"


class _Picture:
    """The boxes of a tree, as far as they are drawn."""

    def __init__(self, stacks: StackTree) -> None:
        self._stacks, self._totals = stacks, stacks.totals()
        self.callees: list[list[int]] = [[] for _ in range(len(stacks))]
        for node in range(ROOT + 1, len(stacks)):
            self.callees[stacks.parents[node]].append(node)
        self.boxes: list[str] = []
        self._layers: set[str] = set()

    def draw(self, node: int, start: int, x: float, row: int) -> int:
        """Append a node's box and those below it, the largest at the left; returns the lowest row used."""
        share = self._totals[node] / self._totals[start]
        width = share * PICTURE_WIDTH_PX
        if width < 1 or row >= PICTURE_ROWS:
            return row - 1
        frame = self._stacks.frames[node]
        self._layers.add(layer_of(frame))
        self.boxes.append(_box(frame, share, x, row, width))
        lowest = row
        for callee in sorted(self.callees[node], key=lambda one: (-self._totals[one], self._stacks.frames[one])):
            lowest = max(lowest, self.draw(callee, start, x, row + 1))
            x += self._totals[callee] / self._totals[start] * PICTURE_WIDTH_PX
        return lowest

    def draw_legend(self, row: int) -> None:
        """Append what the colours mean, of those that are there."""
        y = row * ROW_PX + 10
        for at, layer in enumerate(layer for layer in LAYERS if layer in self._layers):
            x = at * _LEGEND_PX
            self.boxes.append(f'<rect x="{x}" y="{y}" width="12" height="12" rx="2" style="{_fill(layer)}"/>')
            self.boxes.append(f'<text x="{x + 17}" y="{y + 10}" style="font-size: 11px; fill: {INK}">{layer}</text>')


def _fill(layer: str) -> str:
    return f"fill: {SERIES[_COLOURS[layer] - 1]}; fill-opacity: 0.42"


def _box(frame: str, share: float, x: float, row: int, width: float) -> str:
    parsed = parse_frame(frame)
    name, place = parsed.label, parsed.path
    y = row * ROW_PX + 1
    title = escape(f"{name} ({place})" if place else name)
    fill = _fill(layer_of(frame))
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
