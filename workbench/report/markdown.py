"""A document as Markdown, its pictures as SVG files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workbench.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Details,
    Document,
    KeyFigures,
    Listing,
    Note,
    Picture,
    Table,
    Text,
    cell,
    shown_lines,
)

PICTURE_FOLDER = "pictures"
_CODE = re.compile(r"(`[^`]*`)")


def markdown(document: Document) -> str:
    """The whole page."""
    parts = [f"# {_literal(document.title)}", _literal(document.subtitle)]
    parts.append(_literal(" · ".join(document.facts)))
    for section in document.sections:
        parts += [f"## {section.title}", *block_texts(section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def block_texts(blocks: Iterable[Block]) -> list[str]:
    """Each block by itself, for a page that is not a whole document."""
    return [_block(block) for block in blocks]


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return _literal(text)
        case Note(text, tone):
            return f"> {'**Warning:** ' if tone == 'warn' else ''}{_literal(text)}"
        case Bullets(items):
            return "\n".join(f"- {_literal(item)}" for item in items)
        case Table():
            return _table(block)
        case Picture():
            image = f"![{_literal(block.alt)}]({PICTURE_FOLDER}/{block.name}.svg)"
            return "\n\n".join(
                part for part in (image, f"*{_literal(block.caption)}*" if block.caption else "") if part
            )
        case Code(lines):
            return "```\n" + "\n".join(lines) + "\n```"
        case Listing():
            return _listing(block)
        case KeyFigures(figures):
            return "\n".join(
                f"- **{f.value}** {f.title}{f' ({_literal(f.detail)})' if f.detail else ''}" for f in figures
            )
        case Details(summary, inner):
            return "\n\n".join([f"<details><summary>{_literal(summary)}</summary>", *block_texts(inner), "</details>"])


def _listing(listing: Listing) -> str:
    lines = ["self %  all %  line"]
    for line in shown_lines(listing):
        if line is None:
            lines.append("                 ⋮")
            continue
        shares = "".join(f"{100 * share:6.1f} " if share else "     . " for share in (line.own, line.total))
        lines.append(f"{shares} {line.number:4}  {line.text}".rstrip())
    parts = [_literal(listing.title), "```\n" + "\n".join(lines) + "\n```", _literal(listing.note)]
    return "\n\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    heads = [_entry(Cell(column.title)) for column in table.columns]
    rules = ["---:" if column.number else "---" for column in table.columns]
    rows = [[_entry(cell(value)) for value in row] for row in table.rows]
    lines = ["| " + " | ".join(entries) + " |" for entries in (heads, rules, *rows)]
    return (f"{_literal(table.caption)}\n\n" if table.caption else "") + "\n".join(lines)


def _entry(value: Cell) -> str:
    text = _literal(value.text).replace("|", "\\|").replace("\n", " ")
    return f"**{text}**" if value.tone == "bad" and text else text


def _literal(text: str) -> str:
    """Text whose only markup is ours: outside of code, what Markdown would take for HTML is kept from it."""
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in _CODE.split(text))
