"""`workbench doctor --prove`: counting, the notebook that is gone on with, and real tries of a small kernel."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from workbench import cli
from workbench.analysis.proof import KERNEL, KINDS, LOADED, PLANTED, PREDICTION, SAME, Outcome, Try, proof, tries_of
from workbench.analysis.verdict import Word, least_pairs
from workbench.commands import doctor
from workbench.comparing import proving
from workbench.comparing.planting import Planted
from workbench.machine import two_processors
from workbench.pairs import Limits
from workbench.record import read_run
from workbench.report.proof_text import proof_lines
from workbench.sides import Encode, Kernel, home_of


def tried(
    number: int, same: Word = Word.SAME, planted: Word = Word.SLOWER, kind: str = KERNEL, disturbed: int = 10
) -> Try:
    outcomes = {SAME: Outcome(same, 12, 2.5, 1.0), PLANTED: Outcome(planted, 20, 4.0, 1.01)}
    return Try(kind, number, 1, outcomes, 0.01, disturbed, 10, 0.5)


@pytest.mark.parametrize(
    ("false", "missed", "met"), [(5, 20, [True, True]), (6, 20, [False, True]), (0, 21, [True, False])]
)
def test_goals_of_kernels(false: int, missed: int, met: list[bool]) -> None:
    tries = [
        tried(at, Word.FASTER if at < false else Word.SAME, Word.UNDECIDED if at < missed else Word.SLOWER)
        for at in range(200)
    ]
    found = proof(tries)
    assert [row.met for row in found.rows[:2]] == met
    assert found.rows[2].met is None and found.rows[2].of == 200  # it takes 500
    assert found.figures[0].words == {"FASTER": false, "SLOWER": 0, "SAME": 200 - false, "UNDECIDED": 0}


def test_few_tries_tell_nothing_unless_the_goal_is_lost_already() -> None:
    assert [row.met for row in proof([tried(0)]).rows] == [None, None, None]
    lost = proof([tried(at, Word.SLOWER, Word.FASTER) for at in range(11)])
    assert [row.met for row in lost.rows] == [False, False, False] and lost.met is False
    assert all("MISSED" in line for line in proof_lines(lost)[:3])


def test_goals_beside_busy_processes() -> None:
    found = proof([tried(at, kind=LOADED, disturbed=9) for at in range(50)])
    assert [(row.hits, row.of, row.met) for row in found.rows] == [(0, 50, True), (450, 500, True), (0, 50, None)]
    assert proof([tried(at, kind=LOADED, disturbed=8) for at in range(50)]).rows[1].met is False


def test_what_the_command_line_says_is_what_the_analysis_has() -> None:
    assert tuple(KINDS) == doctor._PROVED and least_pairs() == doctor._FEWEST


def test_a_try_is_what_its_record_says() -> None:
    one = tried(3, Word.UNDECIDED)
    assert tries_of([one.record()]) == [one]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def prove(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """prove(words...) -> exit status, standard output, standard error of `workbench doctor --prove kernel`."""

    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--prove", "kernel", *map(str, words)])
        seen = capsys.readouterr()
        return int(str(ended.value.code)), seen.out, seen.err

    return run


Prove = Callable[..., tuple[int, str, str]]


def scripted(monkeypatch: pytest.MonkeyPatch, stops_at: int | None = None, **fields: Word) -> list[int]:
    """Let tries come to these words; gives the numbers that were asked for."""
    asked: list[int] = []

    def tries(kernel: Kernel, numbers: Sequence[int], *_: object) -> Iterator[Try]:
        for number in numbers:
            if number == stops_at:
                raise KeyboardInterrupt
            asked.append(number)
            yield tried(number, **fields)

    monkeypatch.setattr(proving, "kernel_tries", tries)
    return asked


def test_tries_are_gone_on_with_after_an_interruption(
    prove: Prove, monkeypatch: pytest.MonkeyPatch, own_folders: Path
) -> None:
    scripted(monkeypatch, stops_at=3)
    status, out, _ = prove("--tries", 5, "--out", "here")
    assert status == 130 and "0 of 3" in out
    assert json.loads((own_folders / "here/proof.json").read_text())["complete"] is False
    with (own_folders / "here/records.jsonl").open("a") as file:
        file.write('{"kind": "reco')  # as a killed run leaves it
    asked = scripted(monkeypatch)
    assert prove("--tries", 5, "--out", "here", "--json", "found.json")[0] == 3
    assert asked == [3, 4]
    run = read_run(own_folders / "here")
    assert [one.number for one in tries_of(run.records)] == [0, 1, 2, 3, 4] and (run.end or {})["status"] == "complete"
    found = json.loads((own_folders / "found.json").read_text())
    assert found["complete"] is True and found["goals"][1]["hits"] == 5 and found["met"] is None
    page = (own_folders / "here/proof.md").read_text()
    assert "5 of 5" in page and "workbench doctor --prove kernel --tries 5 --out here" in page
    assert prove("--tries", 5, "--out", "here")[0] == 3 and asked == [3, 4]  # nothing is missing


@pytest.mark.parametrize(("word", "status"), [(Word.SAME, 0), (Word.SLOWER, 5)])
def test_the_status_says_whether_the_goals_are_reached(
    prove: Prove, monkeypatch: pytest.MonkeyPatch, word: Word, status: int
) -> None:
    scripted(monkeypatch, same=word)
    assert prove("--tries", 500, "--out", "here")[0] == status


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kernel", "nope"), "no such slot"),
        (("--pairs", 30), "--pairs: --prove has limits of its own"),
        (("--out", "here", "--kernel", "sse"), "was begun with kernel satd, not sse"),
        (("--out", "other"), "holds another run"),
    ],
)
def test_bad_input(
    prove: Prove, monkeypatch: pytest.MonkeyPatch, own_folders: Path, words: tuple[str, ...], said: str
) -> None:
    scripted(monkeypatch)
    prove("--tries", 2, "--out", "here")
    (own_folders / "other").mkdir()
    (own_folders / "other/records.jsonl").write_text('{"kind": "run", "schema": 1, "verb": "profile"}\n')
    status, out, err = prove("--tries", 2, *words)
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1


def test_notes_of_another_machine_are_not_gone_on_with(prove: Prove, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    prove("--tries", 2, "--out", "here")
    monkeypatch.setattr("workbench.commands.proving.fingerprint", lambda: {"hash": "other"})
    status, _, err = prove("--tries", 3, "--out", "here")
    assert status == 2 and "another machine" in err


# --- real tries -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_kernel_and_its_slowdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine does now: never FASTER for what is slower, and each side is looked at until it is decided."""
    monkeypatch.setattr(proving, "KERNEL_LIMITS", Limits(12, 6.0))
    found = list(proving.kernel_tries(Kernel("numpy", "sse", "4x4-*", home_of(None)), (0, 1), 5, None, 60))
    assert [one.number for one in found] == [0, 1] and found[0].seed != found[1].seed
    for one in found:
        assert one.planted == pytest.approx(0.01, rel=0.2)
        assert one.outcomes[PLANTED].word != Word.FASTER
        assert all(0 <= outcome.pairs <= 12 for outcome in one.outcomes.values()) and one.blocks >= 1


@pytest.mark.slow
def test_encodes_beside_busy_processes_are_flagged(
    fake_encode: Callable[..., Encode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "ENCODE_LIMITS", Limits(3, 20.0))
    [one] = proving.encode_tries(fake_encode(), [0], 5, two_processors(), 60, loaded=True)
    assert one.kind == LOADED and set(one.outcomes) == {SAME, PLANTED}
    assert one.disturbed >= one.blocks - 1


def test_busy_processes_end_with_their_block() -> None:
    with proving.busy_processes(1) as [number]:
        time.sleep(0.3)
        assert Path(f"/proc/{number}/stat").read_text().split()[2] == "R"
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


# --- predictions ------------------------------------------------------------------------------------------------------


def test_a_prediction_is_held_against_what_was_measured() -> None:
    outcomes = {PLANTED: Outcome(Word.SLOWER, 20, 9.0, 1.04)}
    tries = [
        Try(PREDICTION, at, 1, outcomes, 0.0, 0, 21, 0.5, predicted=(1.03, 1.05) if at < 17 else (1.05, 1.06))
        for at in range(20)
    ]
    [row] = proof([*tries, Try(PREDICTION, 20, 1, outcomes, 0.0, 0, 21, 0.5, about="no sample")]).rows
    assert (row.hits, row.of, row.met) == (17, 20, True)
    assert tries_of([tries[0].record()]) == [tries[0]]


@pytest.mark.parametrize("by_size", [True, False])
def test_a_planted_kernel_does_what_the_kernel_does(tmp_path: Path, by_size: bool) -> None:
    from encoder.kernels.check import check_slot
    from encoder.kernels.load import load_kernels

    expression = Planted("variance", 20, by_size).write(tmp_path, "numba")
    loaded = load_kernels(expression)
    assert not loaded.interpreted and loaded.origins["variance"].endswith(":slower")
    assert not check_slot("variance", loaded.kernels.variance, load_kernels("numba").kernels.variance)
    text = (tmp_path / f"variance_20{'_by_size' if by_size else ''}.py").read_text()
    assert ("w * h * 20" in text) == by_size


def test_every_slot_that_is_slowed_can_be(tmp_path: Path) -> None:
    for slot in proving.PLANTED_SLOTS:
        compile(
            Path(Planted(slot, 10, True).write(tmp_path, "numba").partition("=")[2].rpartition(":")[0]).read_text(),
            slot,
            "exec",
        )
