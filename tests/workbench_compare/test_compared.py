"""From blocks to what is said: verdicts, controls, costs, stored runs; no clock in it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from workbench.analysis.compared import ENCODE, KERNEL, Part, compared, enough, parts_of, settled
from workbench.analysis.stored import compare_stored
from workbench.analysis.verdict import ALPHA, Word
from workbench.errors import InputError
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Block, Sample
from workbench.record import Run
from workbench.report.compare_text import as_json, stored_json, stored_lines, summary_lines

PAIRS = 20


def part(effect: float = 0.0, twin: float = 0.0, planted: float = 0.05, kind: str = ENCODE, name: str = "pan", pairs: int = PAIRS,
         spread: float = 0.004, b_digest: str = "x") -> Part:  # fmt: skip
    """Blocks with log ratios that are known."""
    stream = np.random.RandomState(3)
    made = []
    for number in range(pairs + 1):
        drift = np.exp(0.1 * number)
        noise = np.exp(spread * stream.standard_normal(3))
        times = {BASE: 1.0, CANDIDATE: np.exp(effect) * noise[0], TWIN: np.exp(twin) * noise[1]}
        times[PLANTED] = times[TWIN] * (1 + planted)
        samples = {
            side: Sample(
                float(time * drift), float(time * drift), 1.0, max_rss_bytes=130 if side == CANDIDATE else 100,
                digest=b_digest if side == CANDIDATE else "x", bytes=10,
            )
            for side, time in times.items()
        }  # fmt: skip
        made.append(
            Block(number, (BASE, CANDIDATE, TWIN), samples, "busy" if number == 2 else None, False, float(number))
        )
    return Part(kind, name, "cpu", 0.02, ALPHA, 0.05, {"titles": ["a", "b"]}, tuple(made))


@pytest.mark.parametrize(("effect", "word"), [(0.1, Word.SLOWER), (-0.1, Word.FASTER), (0.0, Word.SAME)])
def test_the_words(effect: float, word: Word) -> None:
    found = compared(("a", "b"), [part(effect)])
    assert found.main.word == word and found.is_fit
    assert summary_lines(found)[3].startswith(word)
    shown = as_json(found, {})
    assert shown["verdict"] == word and shown["fit"] is True
    assert shown["ratio"] == pytest.approx(np.exp(effect), rel=0.01)
    assert shown["controls"]["aa"]["verdict"] == "SAME" and shown["controls"]["planted"]["verdict"] == "SLOWER"


def test_what_it_costs_is_in_the_line_behind() -> None:
    found = summary_lines(compared(("a", "b"), [part(-0.1)]))
    assert any("+30.0 % memory" in line for line in found)
    assert any("1 of 20 disturbed" in line for line in found)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"at_once": {"processors": [1, 0], "siblings": False}}, "1 of 20 disturbed, both at once on two processors"),
        ({"at_once": {"processors": [1, 0], "siblings": True}}, "both at once on two processors of one core"),
        ({"at_once": None, "not_at_once": "there is one processor"}, "one after the other (there is one processor)"),
    ],
)  # fmt: skip
def test_the_screen_says_how_pairs_were_run(about: dict[str, object], said: str) -> None:
    made = part()
    made = dataclasses.replace(made, about={**made.about, **about})
    assert any(line.endswith(said) for line in summary_lines(compared(("a", "b"), [made])))
    assert as_json(compared(("a", "b"), [made]), {})["clips"][0]["about"]["at_once"] == about["at_once"]


def test_what_is_allowed_has_to_be_decided_too_before_an_early_stop() -> None:
    """3 % slower, pairs that spread by 0.4 %: SLOWER is soon sure, by more than 2.9 % never."""
    blocks = part(0.03).blocks
    assert enough(blocks, "cpu", 0.02)
    assert [enough(blocks, "cpu", 0.02, allowed=allowed) for allowed in (0.01, 0.029, 0.06)] == [True, False, True]


@pytest.mark.parametrize("wrong", [{"twin": 0.03}, {"planted": 0.0}])
def test_an_instrument_that_is_not_fit_says_so(wrong: dict[str, float]) -> None:
    found = compared(("a", "b"), [part(0.1, **wrong)])
    assert found.is_fit is False
    assert "the instrument is not fit today" in "\n".join(summary_lines(found))


def test_clips_are_judged_together_and_each_by_itself() -> None:
    parts = [part(0.1, name="pan"), part(0.1, name="cut"), part(0.05, kind=KERNEL, name="sad")]
    found = compared(("a", "b"), parts)
    assert found.overall is not None and found.overall.words == {"pan": Word.SLOWER, "cut": Word.SLOWER}
    assert [one.name for one in found.clips] == ["pan", "cut"] and [one.name for one in found.kernels] == ["sad"]
    assert len([line for line in summary_lines(found) if line.startswith("SLOWER")]) == 4


def test_the_metric_says_which_time_is_compared() -> None:
    one = part(0.0)
    blocks = [
        dataclasses.replace(
            block,
            samples={
                side: dataclasses.replace(sample, wall_s=sample.wall_s * (1.1 if side == CANDIDATE else 1.0))
                for side, sample in block.samples.items()
            },
        )
        for block in one.blocks
    ]
    assert dataclasses.replace(one, blocks=tuple(blocks)).verdict.word == Word.SAME
    assert dataclasses.replace(one, blocks=tuple(blocks), metric="wall").verdict.word == Word.SLOWER


def test_a_screen_without_a_pair() -> None:
    for pairs in (0, 1):
        shown = summary_lines(compared(("a", "b"), [part(pairs=pairs)], interrupted=True))
        assert ("interrupted before the first pair ended" in shown[3]) == (pairs == 0) and len(shown) > 3
        assert not any("None" in line or "no pairs" in line for line in shown)
    assert "give more --seconds" in summary_lines(compared(("a", "b"), []))[3]


def test_streams() -> None:
    assert part().outputs_identical is True
    assert part(b_digest="y").outputs_identical is False
    assert part(b_digest="y").digests(BASE, TWIN) == {"x"}


def test_when_to_stop() -> None:
    blocks = part(0.1).blocks
    assert not enough(blocks[:5], "cpu", 0.02) and enough(blocks, "cpu", 0.02)
    assert not settled(blocks[:5], "cpu", 0.02) and settled(blocks, "cpu", 0.02)
    undecided = part(twin=0.015, spread=0.05).blocks
    assert settled(undecided, "cpu", 0.02)  # they had their pairs


def test_no_pairs_and_no_parts_are_undecided() -> None:
    for parts in ([], [part(pairs=0)]):
        found = compared(("a", "b"), parts)
        assert found.main.word == Word.UNDECIDED
        assert as_json(found, {})["pairs"] == 0
        assert "UNDECIDED" in "\n".join(summary_lines(found))


def test_records_hold_all_of_it() -> None:
    first, second = part(0.1), part(0.0, kind=KERNEL, name="sad")
    records = [
        one for each in (first, second) for one in (each.record(), *(b.record(each.subject) for b in each.blocks))
    ]
    assert parts_of(records) == [first, second]


def stored(tmp_path: Path, name: str, effect: float, machine: str = "m") -> Run:
    found = part(effect)
    records = (found.record(), *(block.record(found.subject) for block in found.blocks))
    return Run({"verb": "compare", "machine": {"hash": machine}}, records, None, tmp_path / name)


def test_stored_runs_are_weaker_evidence(tmp_path: Path) -> None:
    old = stored(tmp_path, "old", 0.0)
    found = compare_stored(old, stored(tmp_path, "new", 0.0), 0.02)
    assert found.word in (Word.SAME, Word.UNDECIDED) and found.ratio == pytest.approx(1)
    assert "weaker evidence" in stored_lines(found)[0] and stored_json(found)["schema"] == 1
    assert compare_stored(old, stored(tmp_path, "new", 5.0), 0.02).word == Word.SLOWER
    with pytest.raises(InputError, match="different machines"):
        compare_stored(old, stored(tmp_path, "new", 0.0, machine="n"), 0.02)
    other = dataclasses.replace(old, header={"verb": "memory", "machine": {"hash": "m"}})
    with pytest.raises(InputError, match="no run of"):
        compare_stored(old, other, 0.02)
