"""Run folders that several tests read."""

from pathlib import Path
from typing import TextIO

import pytest

from workbench.analysis.findings import Findings, findings
from workbench.record import read_run
from workbench.report.write import write_report

from .synthetic import build_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of two clips; tests must not change it."""
    return build_run(tmp_path_factory.mktemp("runs") / "complete", clips=("pan", "water"))


@pytest.fixture(scope="session")
def pages(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its records and its pages; tests must not change it."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "records.jsonl").write_bytes((run_folder / "records.jsonl").read_bytes())
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def found(run_folder: Path) -> Findings:
    """Its findings."""
    return findings(read_run(run_folder))


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are blank, for tests of the text beside them: laying pictures out takes most of a page's time."""

    def save_blank(_: object, file: TextIO, **options: object) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save_blank)
