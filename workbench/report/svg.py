"""Pictures as SVG text: drawn by matplotlib in the page's own colours, with text kept as text.

Every colour is one of PALETTE. In the SVG it becomes a CSS variable with that colour as fallback, so that a picture
inside the page follows the page's light or dark theme, and the same picture in a file of its own still has its
colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER, BAD = "#1c2128", "#59636e", "#d8dee4", "#fefefe", "#c93c37"
SERIES = (
    "#2f6fb7", "#e0862c", "#3c9a68", "#b2569a", "#7b6fd0", "#bd9b1f", "#46a2b4", "#8d98a3", "#94785f",
    "#6f8a3c", "#a8552d", "#4d55a8",
)  # fmt: skip
PALETTE = {INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper", BAD: "bad"} | {
    colour: f"series-{at}" for at, colour in enumerate(SERIES, 1)
}
DARK = {
    "ink": "#e6edf3", "muted": "#9aa5b1", "line": "#30363d", "paper": "#0f1318", "bad": "#f47067",
    "series-1": "#5b9be6", "series-2": "#f0a050", "series-3": "#57b884", "series-4": "#d07ab8",
    "series-5": "#9a8ff0", "series-6": "#d9b93f", "series-7": "#64c0d2", "series-8": "#8b949e", "series-9": "#b89a80",
    "series-10": "#9dba66", "series-11": "#d98c62", "series-12": "#8a91e0",
}  # fmt: skip
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the layout does not depend on the machine's fonts
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
SVG_ROOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
    'style="stroke-linejoin: round; '
    "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\""
)


class Canvas:
    """A figure that becomes `svg` when the block that draws on it ends."""

    figure: Figure
    svg: str = ""

    def axes(self, *arguments: Any, **options: Any) -> Any:
        """Axes of the figure, as `Figure.subplots` makes them."""
        return self.figure.subplots(*arguments, **options)


@contextmanager
def canvas(name: str, width_px: float, height_px: float) -> Iterator[Canvas]:
    """A figure of this many CSS pixels in the report's style; `name` keeps its inner references apart from others'."""
    import matplotlib

    style: Any = _STYLE | {"svg.hashsalt": name}
    with matplotlib.rc_context(style):
        from matplotlib.figure import Figure

        drawn = Canvas()
        drawn.figure = Figure(figsize=(width_px / 96, height_px / 96), layout="constrained")
        yield drawn
        text = io.StringIO()
        drawn.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawn.svg = _polished(text.getvalue(), width_px, height_px)


def _polished(svg: str, width_px: float, height_px: float) -> str:
    """The picture alone: no prologue, metadata or fonts of its own, our colours, a size that a page can scale."""
    body = re.sub(
        r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL
    )
    body = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf"{SVG_ROOT} \1>", body, count=1)
    body = body.replace("<svg ", f'<svg width="{width_px:.0f}" height="{height_px:.0f}" ', 1)
    body = re.sub(r' id="(?:\w+_\d+|matplotlib[^"]*)"', "", body)
    body = re.sub(r"font-family: [^;\"]*; |<defs>\s*</defs>", "", body)
    body = re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", re.sub(r"<g>\s*</g>|<g/>", "", body)))
    return coloured(body.strip()) + "\n"


def coloured(svg: str) -> str:
    """Our colours as CSS variables, each with itself as fallback."""
    for colour, name in PALETTE.items():
        svg = svg.replace(f": {colour}", f": var(--{name}, {colour})")
    return svg


def standalone(svg: str) -> str:
    """The same picture for a file of its own, which follows the reader's theme by itself."""
    dark = " ".join(f"--{name}: {colour};" for name, colour in DARK.items())
    style = f"<style>@media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}</style>"
    end = svg.index(">") + 1
    return svg[:end] + style + svg[end:]


def rows_on(axes: Axes, labels: Sequence[str]) -> None:
    """Rows from top to bottom with these labels."""
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_ylim(len(labels) - 0.5, -0.5)
