"""What stands beside the time: in the notebook, on the screen, in JSON and tables; and how it is measured."""

import csv
import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.analysis.beside import Allocations, Beside, Instructions, Score, Worth, beside_of, record_of
from workbench.analysis.compared import ENCODE, Compared, Part, compared, parts_of
from workbench.analysis.prediction import Foreseen, Kernel, Prediction
from workbench.analysis.verdict import ALPHA
from workbench.comparing import costs, gate, whole
from workbench.comparing.costs import Sides
from workbench.comparing.measure import ENCODE_LIMITS, Settings
from workbench.comparing.whole import Looks, measure_clip
from workbench.errors import EnvironmentFault, InputError, SubjectError
from workbench.instruments import allocations
from workbench.pairs import BASE, CANDIDATE, Block, Sample
from workbench.record import RunWriter, read_run
from workbench.report.compare_tables import csv_text, markdown_text
from workbench.report.compare_text import as_json, summary_lines
from workbench.sides import OUTPUT, Encode, Home
from workbench.subject import Encoder, Subject

FORESEEN = Foreseen(Prediction(0.976, 0.9718, 0.9794, 0.093), "", (Kernel("satd", 0.093, (-0.3,) * 6),), 0.1, 0.001)
EVERYTHING = Beside(
    FORESEEN,
    Score(0.9766, True, 17, 19),
    Worth((1000, 1020), (38.5, 38.38), 0.019),
    Allocations((100, 105)),
    Instructions((1000.0, 1001.0), (950.0, 951.0), "callgrind"),
)


def found(beside: Beside, faster: float = 0.9766, memory: int = 1300, clips: int = 1) -> Compared:
    """Twenty pairs without noise."""
    blocks = [
        Block(
            at,
            (BASE, CANDIDATE),
            {
                BASE: Sample(1.0, 1.0, 1.0, max_rss_bytes=1000, digest="a", bytes=1000),
                CANDIDATE: Sample(faster, faster, 1.0, max_rss_bytes=memory, digest="b", bytes=1020),
            },
            None,
            False,
            float(at),
        )
        for at in range(21)
    ]
    parts = [
        Part(ENCODE, f"clip{n}", "cpu", 0.02, ALPHA, 0.1, {"commands": ["a", "b"]}, tuple(blocks), beside)
        for n in range(clips)
    ]
    return compared(("numba", "numba,satd=mine.py:fast"), parts)


def test_what_it_costs_stands_in_the_verdicts_line() -> None:
    lines = summary_lines(found(EVERYTHING))
    line = next(line for line in lines if line.startswith("FASTER"))
    assert (
        "20 pairs, but +30.0 % memory, +2.0 % bytes, +5.0 % allocations, -0.12 dB PSNR, BD-rate +1.9 %   encode" in line
    )
    cheaper = summary_lines(found(Beside(), memory=900))
    assert any("20 pairs; -10.0 % memory, +2.0 % bytes   encode" in line for line in cheaper)
    slower = summary_lines(found(Beside(), faster=1.1))
    assert any(line.startswith("SLOWER") and "20 pairs; +30.0 % memory" in line for line in slower)


def test_predicted_and_measured_on_the_screen() -> None:
    text = "\n".join(summary_lines(found(EVERYTHING)))
    assert (
        "predicted +2.1 % to +2.9 % speed, measured +2.4 %: hit (17 of 19 so far); satd, 9.3 % of A's encode, takes 0.741x "
        "the time" in text
    )
    missed = dataclasses.replace(EVERYTHING, score=Score(1.2, False, 17, 20))
    assert "measured -16.7 %: missed (17 of 20 so far)" in "\n".join(summary_lines(found(missed)))
    nothing = Beside(Foreseen(None, "no kernel differs between A and B"))
    assert "predicted" not in "\n".join(summary_lines(found(nothing)))


def test_time_and_instructions_disagree_aloud() -> None:
    agreeing, other = (
        EVERYTHING,
        dataclasses.replace(EVERYTHING, instructions=Instructions((1.0,), (1.05,), "callgrind")),
    )
    assert "instructions say FASTER (-5.0 %)" in "\n".join(summary_lines(found(agreeing)))
    assert "disagree" not in "\n".join(summary_lines(found(agreeing)))
    assert "instructions say SLOWER (+5.0 %): they disagree" in "\n".join(summary_lines(found(other)))


def test_json() -> None:
    shown = as_json(found(EVERYTHING, clips=2), {})
    assert shown["predicted_gain"] == pytest.approx([1 / 0.9794 - 1, 1 / 0.9718 - 1])
    [clip, _] = json.loads(json.dumps(shown, allow_nan=False))["clips"]
    assert clip["prediction"]["hit"] is True and clip["prediction"]["kernels"][0]["slot"] == "satd"
    assert (clip["bytes"], clip["psnr_y_delta"], clip["bd_rate"]) == ([1000, 1020], pytest.approx(-0.12), 0.019)
    assert clip["allocations"] == [100, 105]
    assert (clip["instructions"]["verdict"], clip["instructions"]["agrees"]) == ("FASTER", True)
    nothing = as_json(found(Beside(Foreseen(None, "no kernel differs between A and B"))), {})
    assert nothing["predicted_gain"] is None and nothing["predicted_gain_why"] == "no kernel differs between A and B"
    assert as_json(found(Beside()), {})["predicted_gain_why"] == "it was not asked for"


def test_tables_have_columns_for_what_is_known() -> None:
    text = markdown_text(found(EVERYTHING))
    assert "| PSNR | BD-rate | Allocations | Instructions | Predicted speed |" in text
    assert "| -0.12 dB | +1.9 % | +5.0 % | -5.0 % | +2.1 % to +2.9 % |" in text
    assert "BD-rate" not in markdown_text(found(Beside()))
    [row] = csv.DictReader(io.StringIO(csv_text(found(EVERYTHING))))
    assert (row["bd_rate"], row["instructions_verdict"], row["predicted_hit"]) == ("0.019", "FASTER", "True")


def test_the_notebook_holds_all_of_it(tmp_path: Path) -> None:
    about = {"part": ENCODE, "name": "clip0"}
    part = found(Beside()).parts[0]
    writer = RunWriter(tmp_path / "run", "compare", (), {})
    writer.write(FORESEEN.record(about), part.record(), *(block.record(part.subject) for block in part.blocks))
    parts = (EVERYTHING.score, EVERYTHING.worth, EVERYTHING.allocations, EVERYTHING.instructions)
    writer.write(*(record_of(each, about) for each in parts if each is not None))
    [again] = parts_of(read_run(tmp_path / "run").records)
    assert again.beside == EVERYTHING
    assert beside_of([]) == Beside()


# --- how it is measured -----------------------------------------------------------------------------------------------

ALLOCATING = """
import sys
import numpy as np
from numba import njit

@njit
def frames(count):
    total = 0.0
    for _ in range(count):
        total += np.ones(50).sum()
    return total

def main(arguments):
    if "--fail" in arguments:
        print("encoder: no", file=sys.stderr)
        return 5
    return int(frames(int(arguments[0])) < 0)
"""


@pytest.fixture
def allocating(own_folders: Path) -> Callable[..., Encode]:
    """allocating(words...) -> an encode by an "encoder" whose compiled code allocates once a frame."""
    package = own_folders / "other" / "encoder"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(ALLOCATING)
    home = Home(environment={"PYTHONPATH": str(package.parent), "PYTHONSAFEPATH": "1"})
    return lambda *words: Encode("other", (), home, arguments=words, kernels="numba", compiled=True)


def test_allocations_of_compiled_code_are_counted_exactly(allocating: Callable[..., Encode], tmp_path: Path) -> None:
    few, many = (allocations.measure(allocating(frames), tmp_path, 120.0) for frames in ("10", "57"))
    assert few is not None and many is not None
    assert many - few == 47
    with pytest.raises(SubjectError, match="other: exit status 5: encoder: no"):
        allocations.measure(allocating("1", "--fail"), tmp_path, 120.0)


@pytest.fixture
def subject(make_clip: Callable[..., Path]) -> Subject:
    return Subject("clip", make_clip(16, 16, 1), 16, 16, 1, Encoder("dd", ("dd",), ()))


def copying(subject: Subject, block: int) -> Encode:
    words = ("dd", "status=none", f"bs={block}", f"if={subject.source}", f"of={OUTPUT}")
    return Encode(f"dd bs={block}", words, whole=True)


def sides(subject: Subject, base: Encode, candidate: Encode) -> Sides:
    return Sides((subject, subject), base, candidate, lambda quantizer: (base, candidate))


@pytest.mark.skipif(not costs.shutil.which("valgrind"), reason="needs valgrind")
def test_instructions_of_other_programs(subject: Subject) -> None:
    whole_blocks, bytewise = copying(subject, 4096), copying(subject, 1)
    counted = costs.count_instructions(sides(subject, whole_blocks, bytewise), 60.0, lambda said: None)
    assert counted.source == costs.CALLGRIND and counted.ratio > 1.2
    assert len(counted.base) == len(counted.candidate) == 2
    with pytest.raises(SubjectError, match="its instructions are not known"):
        broken = dataclasses.replace(bytewise, words=("dd", "if=/nowhere"))
        costs.count_instructions(sides(subject, broken, bytewise), 60.0, lambda said: None)


def test_without_a_counter_it_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs.shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentFault, match="valgrind is not installed"):
        costs.require_counter()


def test_what_streams_are_worth(
    fake_encode: Callable[..., Encode], make_clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "QUANTIZERS", (100,))
    base, candidate = fake_encode("a"), fake_encode("b")
    source = make_clip(80, 66, 3)
    subject = Subject("clip", source, 80, 66, 3, Encoder("fake", (), ()))
    words = (sys.executable, "-m", *base.words)
    both = sides(subject, *(dataclasses.replace(encode, words=words) for encode in (base, candidate)))
    found = costs.worth(both, 60.0, lambda said: None)
    assert found.bytes[0] == found.bytes[1] > 0 and found.psnr_y_delta == 0
    assert found.bd_rate is None and "no BD-rate" in found.why


def test_costs_that_cannot_be_known_are_a_warning(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = found(Beside()).parts[0]
    monkeypatch.setattr(whole, "measure_encode", lambda *arguments: part)

    def fails(*arguments: object) -> None:
        raise InputError("no such thing")

    monkeypatch.setattr(whole.costs, "count_allocations", fails)
    writer = RunWriter(tmp_path / "run", "compare", (), {})
    warnings: list[str] = []
    encode = copying(subject, 1)
    settings = Settings(ENCODE_LIMITS, 0.02, 60.0)
    measure_clip(
        sides(subject, encode, encode), Looks(), settings, writer, lambda *said: None, lambda taken: None, warnings
    )
    assert warnings == ["allocations of clip are not known: no such thing"]
    [record] = read_run(tmp_path / "run").records
    assert "more than kernels differs" in record.data["why"]
