"""The machine's fingerprint."""

import os
from importlib import metadata
from pathlib import Path

import pytest

from workbench import machine


def test_the_hash_is_the_same_from_run_to_run_whatever_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    first = machine.fingerprint()
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0))
    second = machine.fingerprint()
    assert first["hash"] == second["hash"] and second["load_average"] == [9.0, 9.0, 9.0]
    assert first["cores"] >= 1 and first["memory_bytes"] > 1 << 28 and first["numba"] == metadata.version("numba")


@pytest.mark.parametrize(("name", "changes"), [("scipy-of-tomorrow", True), ("encoder-workbench", False)])
def test_another_package_is_another_machine_but_ours_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, changes: bool
) -> None:
    class Installed:
        version = "99.0"

    Installed.name = name  # type: ignore[attr-defined]
    before = machine.fingerprint()["hash"]
    present = list(metadata.distributions())
    monkeypatch.setattr(metadata, "distributions", lambda: [*present, Installed])
    assert (machine.fingerprint()["hash"] != before) == changes


@pytest.mark.parametrize(
    ("siblings", "ours", "two"),
    [
        (["0,2", "1,3", "0,2", "1,3"], {0, 1, 2, 3}, machine.Two((3, 2), False)),
        (["0-1", "0-1", "2-3", "2-3"], {0, 1, 2, 3}, machine.Two((3, 1), False)),
        (["0-1", "0-1", "2-3", "2-3"], {2, 3}, machine.Two((3, 2), True)),
        (["0", "1"], {0, 1}, machine.Two((1, 0), False)),
        ([], {0, 1}, machine.Two((1, 0), None)),
        (["0", "1"], {1}, None),
    ],
)
def test_two_processors_are_of_two_cores_where_there_are_two(
    siblings: list[str], ours: set[int], two: machine.Two | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, text in enumerate(siblings):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    monkeypatch.setattr(machine, "_PROCESSORS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: ours)
    assert machine.two_processors() == two
