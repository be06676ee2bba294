"""Remake a run folder's pages from its records, without measuring."""

from __future__ import annotations

from pathlib import Path

from workbench.analysis.findings import Findings, findings
from workbench.errors import EnvironmentFault, InputError
from workbench.files import refuse_existing, write_text
from workbench.record import read_run
from workbench.report.document import REPORT_NAME, Document, pictures_of
from workbench.report.flame import FLAME_NAME, flame_page
from workbench.report.html_page import html_page
from workbench.report.markdown import PICTURE_FOLDER, markdown
from workbench.report.profile_page import profile_document
from workbench.report.svg import standalone
from workbench.report.timeline import CHROME_NAME, PAGE_NAME, SPEEDSCOPE_NAME, write_timeline_of


def write_report(folder: Path | str, force: bool = False) -> Path:
    """Write report.html, report.md, its pictures, flame.html, and the timeline's page with its files for other programs into a
    run folder; returns the path of report.html.

    The pages follow from records.jsonl alone: the same records give the same bytes. Raises InputError when the folder
    holds no records, or pages already and `force` is not given; EnvironmentFault when it cannot be written.
    """
    found = findings(read_run(folder))
    folder = found.run.folder
    for name in _names(found):
        refuse_existing(folder / name, force)
    document = profile_document(found)
    if found.profiles:
        write_text(folder / FLAME_NAME, flame_page(found.profiles, f"Flame graph: {document.title}"))
    if found.timeline is not None:
        write_timeline_of(found.timeline, folder, force)
    return write_document(document, folder, Path(REPORT_NAME).stem, force)


def _names(found: Findings) -> list[str]:
    """The files that a run's pages are, beside the pictures."""
    flame = [FLAME_NAME] if found.profiles else []
    timeline = [PAGE_NAME, CHROME_NAME, SPEEDSCOPE_NAME] if found.timeline is not None else []
    return [REPORT_NAME, Path(REPORT_NAME).with_suffix(".md").name, *flame, *timeline]


def write_document(document: Document, folder: Path, stem: str, force: bool) -> Path:
    """Write a document as HTML and as Markdown with its pictures; returns the path of the HTML page."""
    page = folder / f"{stem}.html"
    text = folder / f"{stem}.md"
    for path in (page, text):
        refuse_existing(path, force)
    pictures = pictures_of(document)
    _make_folder(folder / PICTURE_FOLDER if pictures else folder)
    for picture in pictures:
        write_text(folder / PICTURE_FOLDER / f"{picture.name}.svg", standalone(picture.svg))
    write_text(text, markdown(document))
    write_text(page, html_page(document))
    return page


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder}: cannot be made, there is a file of that name on the way; give another folder"
        ) from error
    except OSError as error:
        raise EnvironmentFault(f"{folder}: cannot be made: {error.strerror or error}") from error
