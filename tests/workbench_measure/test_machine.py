"""The machine's fingerprint."""

import os
from importlib import metadata

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
