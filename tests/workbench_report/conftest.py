"""Run folders that several tests read."""

from pathlib import Path

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
