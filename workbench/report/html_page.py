"""A document as one HTML page that loads nothing from anywhere."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from workbench.report.document import Document, cell, shown_lines
from workbench.report.svg import DARK, PALETTE

_TEMPLATES = (
    "head.html",
    "page.html",
    "page.css",
    "flame.html",
    "flame.css",
    "flame_tree.js",
    "flame.js",
    "flame_panel.js",
    "flame_diff.html",
    "timeline.html",
    "timeline.css",
    "timeline.js",
)
_UNBROKEN = re.compile(r"(?<=\d) (?=%|[mµn]?s\b|[KMG]iB\b|dB\b)")  # between a number and its unit
_MARKUP = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|\[(?P<text>[^\]]+)\]\((?P<file>[\w./ -]+)\)")


def html_page(document: Document) -> str:
    """The whole page."""
    return render_template("page.html", title=document.title, document=document)


def render_template(name: str, **values: Any) -> str:
    """One of the templates beside this file, with the style sheets and the palette at hand."""
    return (
        _environment().get_template(name).render(light=_variables(light=True), dark=_variables(light=False), **values)
    )


@cache
def _environment() -> Any:
    from jinja2 import DictLoader, Environment, StrictUndefined

    beside = files("workbench.report")
    sources = {name: beside.joinpath(name).read_text(encoding="utf-8") for name in _TEMPLATES}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "inline": inline,
        "cell": cell,
        "kind": lambda block: type(block).__name__,
        "shown_lines": shown_lines,
    }
    return environment


def _variables(light: bool) -> str:
    colours = {name: colour for colour, name in PALETTE.items()} if light else DARK
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def inline(text: str) -> Any:
    """A document's text as HTML: its three kinds of markup, everything else escaped."""
    from markupsafe import Markup

    return Markup(_MARKUP.sub(_tag, _UNBROKEN.sub("&nbsp;", escape(text))))


def _tag(match: re.Match[str]) -> str:
    if match["code"]:
        return f"<code>{match['code']}</code>"
    if match["bold"]:
        return f"<strong>{match['bold']}</strong>"
    return f'<a href="{match["file"]}">{match["text"]}</a>'
