"""`workbench report`: remake a run's pages from its records, or compare two runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from workbench.commands.common import output_options


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER | OLD NEW", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the comparison goes.  [default: the folder NEW]",
)
@output_options
def report(folders: tuple[Path, ...], out: Path | None, json_path: Path | None, quiet: bool, force: bool) -> None:
    """Remake the report of a run from its records, or compare two runs.

    With one FOLDER its pages are written again without measuring. With OLD and NEW a comparison is written: what
    changed in time, memory, bytes and quality, by clip and kernel set, and what makes the two runs less comparable.
    """
    from workbench.errors import InputError
    from workbench.files import refuse_existing

    if len(folders) > 2:
        raise InputError(f"{len(folders)} folders given; give one to remake its report, or OLD and NEW to compare")
    if len(folders) == 1 and out is not None:
        raise InputError("--out is for a comparison; the report of one run stands beside its records")
    if json_path is not None:
        refuse_existing(json_path, force)
    old, new = folders[0], folders[-1]
    figures = remake(new, quiet) if len(folders) == 1 else compare(old, new, out, quiet, force)
    if json_path is not None:
        _write_json(json_path, figures)


def remake(folder: Path, quiet: bool) -> dict[str, Any]:
    """Write a run's pages again; returns its figures."""
    from workbench.record import read_run
    from workbench.report.as_json import summary_json
    from workbench.report.terminal import print_summary
    from workbench.report.write import write_report

    run = read_run(folder)
    if run.header.get("verb") == "memory":
        from workbench.commands import memory

        return memory.remake(folder, quiet)
    if run.header.get("verb") == "trace":
        from workbench.commands import trace

        return trace.remake(folder, quiet)
    if run.header.get("verb") == "flame":
        from workbench.commands import flame

        return flame.remake(folder, quiet)
    if run.header.get("verb") == "counts":
        from workbench.commands import counts

        return counts.remake(folder, quiet)
    write_report(folder, force=True)
    if not quiet:
        print_summary(run, sys.stdout)
    return summary_json(run)


def compare(old_folder: Path, new_folder: Path, out: Path | None, quiet: bool, force: bool) -> dict[str, Any]:
    """Write the comparison of two runs; returns its figures."""
    from workbench.analysis.compare_runs import compare_runs
    from workbench.analysis.findings import findings
    from workbench.record import read_run
    from workbench.report.as_json import comparison_json
    from workbench.report.comparison_page import comparison_document
    from workbench.report.terminal import print_comparison
    from workbench.report.write import write_document

    old, new = findings(read_run(old_folder)), findings(read_run(new_folder))
    comparison = compare_runs(old, new)
    stem = f"comparison-with-{old_folder.resolve().name}"
    page = write_document(comparison_document(comparison, old, new), out or new_folder, stem, force)
    if not quiet:
        print_comparison(comparison, page, sys.stdout)
    return comparison_json(comparison, page)


def _write_json(path: Path, figures: Mapping[str, Any]) -> None:
    from workbench.files import write_text

    write_text(path, json.dumps(figures, indent=1) + "\n")
