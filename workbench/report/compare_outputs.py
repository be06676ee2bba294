"""The files of a comparison beside its screen: by format a text, and the picture of its pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workbench.analysis.compared import Compared
from workbench.files import write_text
from workbench.report.compare_junit import junit_text
from workbench.report.compare_pictures import ratios_picture
from workbench.report.compare_samples import hyperfine_text, pyperf_text
from workbench.report.compare_tables import csv_text, markdown_text

PICTURE_NAME = "ratios.svg"


def write_files(result: Compared, folder: Path, paths: Mapping[str, Path], allowed: float | None) -> list[str]:
    """Write the picture into `folder`, and each format of `paths` to its file; gives a line for each that has nothing to hold.

    Formats are those of `text_of`, `allowed` is as of `junit_text`. Raises EnvironmentFault where a file cannot be written.
    """
    missing = []
    write_text(folder / PICTURE_NAME, ratios_picture(result))
    for name, path in paths.items():
        text = text_of(name, result, allowed)
        if text is None:
            missing.append(f"{path}: not written, there is no pair to put there")
        else:
            write_text(path, text)
    return missing


def write_failure(result: Compared, paths: Mapping[str, Path]) -> None:
    """Write what ended a comparison into those of its files that a reader waits for: JUnit, and the comment of a pull request.
    Raises EnvironmentFault where a file cannot be written."""
    for name in ("markdown", "junit"):
        if name in paths:
            write_text(paths[name], text_of(name, result) or "")


def text_of(name: str, result: Compared, allowed: float | None = None) -> str | None:
    """The comparison as markdown, csv, junit, pyperf or hyperfine; None where it has nothing that such a file can hold."""
    if name == "junit":
        return junit_text(result, allowed)
    texts = {"markdown": markdown_text, "csv": csv_text, "pyperf": pyperf_text, "hyperfine": hyperfine_text}
    return texts[name](result)
