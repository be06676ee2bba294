"""What earlier comparisons came to: a file that several append to, and that may end in the middle of a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.analysis.prediction import Prediction, Scored, model_spread
from workbench.comparing.predicting import scored
from workbench.past import PREDICTIONS, recall, remember, state_folder


def test_entries_come_back_in_order(own_folders: Path) -> None:
    assert recall("things") == []
    for number in range(3):
        remember("things", {"number": number})
    assert [entry["number"] for entry in recall("things")] == [0, 1, 2]
    assert state_folder().is_relative_to(own_folders)


def test_a_broken_last_line_costs_nothing_but_itself() -> None:
    remember("things", {"number": 0})
    path = state_folder() / "things.jsonl"
    path.write_bytes(path.read_bytes() + b'{"number": 1, "machine\xff')
    remember("things", {"number": 2})
    assert [entry["number"] for entry in recall("things")] == [0, 2]


def test_another_machines_entries_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.past.fingerprint", lambda: {"hash": "other"})
    remember("things", {"number": 0})
    monkeypatch.setattr("workbench.past.fingerprint", lambda: {"hash": "ours"})
    remember("things", {"number": 1})
    assert [entry["number"] for entry in recall("things")] == [1]


def test_processes_that_write_at_once_do_not_mix(process_environment: dict[str, str]) -> None:
    code = (
        "import sys; from workbench import past; past.fingerprint = lambda found=past.fingerprint(): found\n"
        "for n in range(200): past.remember('things', {'who': sys.argv[1], 'n': n, 'x': 'x' * 500})"
    )
    environment = {**process_environment, "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}
    writers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    for name in "ab":
        assert [entry["n"] for entry in recall("things") if entry["who"] == name] == list(range(200))


def test_predictions_teach_the_next_one() -> None:
    told = Prediction(1.05, 1.04, 1.06, 0.2)
    for part in (0.6, 0.8, 1.0, 1.2, 1.4, 0.7, 1.3, 1.0):
        remember(PREDICTIONS, {"clip": "pan", **Scored(told, 1 + 0.05 * part, 0.002).entry()})
    remember(PREDICTIONS, {"clip": "pan", "prediction": None})
    history = scored()
    assert len(history) == 8 and history[0] == Scored(told, 1 + 0.05 * 0.6, 0.002)
    assert sum(entry.is_hit for entry in history) == 4
    noise = 0.002 / 0.05
    quiet = [Scored(told, entry.measured, 0.0) for entry in history]
    assert model_spread(history) == pytest.approx((model_spread(quiet) ** 2 - noise**2) ** 0.5)
