"""The files of a comparison, from blocks that are made up: no clock in it."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyperf
import pytest

from workbench import cli
from workbench.analysis.compared import ENCODE, KERNEL, Compared, Failure, Part, compared
from workbench.analysis.verdict import ALPHA
from workbench.commands.compare import FILES, write_outputs
from workbench.errors import EnvironmentFault
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Block, Sample
from workbench.report.compare_junit import junit_text
from workbench.report.compare_outputs import PICTURE_NAME, text_of, write_failure, write_files
from workbench.report.compare_pictures import ratios_picture
from workbench.report.compare_samples import hyperfine_text, pyperf_text
from workbench.report.compare_tables import CSV_COLUMNS, MARKER, csv_text, markdown_text
from workbench.report.compare_text import as_json

PAIRS, WALL = 20, 1.5
TITLES = ("numba", "numba,satd=mine.py:fast")


def part(effect: float = 0.0, kind: str = ENCODE, name: str = "pan", pairs: int = PAIRS, spread: float = 0.004,
         twin: float = 0.0) -> Part:  # fmt: skip
    """Blocks with log ratios that are known; the second is disturbed, the third too and is run again."""
    stream = np.random.RandomState(3)
    made = []
    for at in range(pairs + 1 + (pairs > 2)):
        noise = np.exp(spread * stream.standard_normal(3))
        times = {BASE: 1.0 + 0.01 * at, CANDIDATE: np.exp(effect) * noise[0] * (1 + 0.01 * at)}
        times |= {TWIN: np.exp(twin) * noise[1] * (1 + 0.01 * at)}
        times[PLANTED] = 1.05 * times[TWIN]
        samples = {
            side: Sample(
                float(time), WALL * float(time), 1.0, max_rss_bytes=1300 if side == CANDIDATE else 1000, digest="x", bytes=10
            )
            for side, time in times.items()
        }  # fmt: skip
        noisy = "busy" if at in (2, 3) else None
        made.append(Block(at - (at > 3), (BASE, CANDIDATE, TWIN), samples, noisy, at == 3, float(at)))
    about = {"commands": [f"encoder {name}.y4m", f"encoder -x {name}.y4m"]} if kind == ENCODE else {}
    return Part(kind, name, "cpu", 0.02, ALPHA, 0.05, about, tuple(made))


def found(*parts: Part, **fields: object) -> Compared:
    return dataclasses.replace(compared(TITLES, parts), **fields)


def kernel(effect: float, **fields: object) -> Part:
    return part(effect, KERNEL, "satd", **fields)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_markdown_has_its_mark_and_a_row_a_part() -> None:
    lines = markdown_text(found(kernel(0.1), part(-0.1), part(0.0, name="cut"))).splitlines()
    assert lines[0] == MARKER and MARKER.startswith("<!--")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    assert [row[:2] for row in rows[2:]] == [
        ["all clips", "FASTER"],
        ["kernel satd", "**SLOWER**"],
        ["encode pan", "FASTER"],
        ["encode cut", "SAME"],
    ]
    assert len({len(row) for row in rows}) == 1
    assert rows[3][4:6] == [str(PAIRS), "1, 1 run again"] and rows[3][7] == "+30.0 %" and rows[3][9] == "the same"
    assert f"A is `{TITLES[0]}`, B is `{TITLES[1]}`" in lines


def test_markdown_says_first_what_stands_against_it() -> None:
    unfit = markdown_text(found(part(0.1, twin=0.05)))
    assert "not fit to tell" in unfit.splitlines()[2] and "believe none of these" in unfit
    early = markdown_text(found(part(), interrupted=True, warnings=("the tree is dirty",)))
    assert "interrupted" in early and "the tree is dirty" in early


def test_markdown_takes_names_literally() -> None:
    text = markdown_text(found(part(name="a|b<img>")))
    assert "encode a\\|b&lt;img>" in text
    assert "UNDECIDED" in markdown_text(found())


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(found(kernel(0.1), part(-0.1))))))
    assert [(row["kind"], row["name"], row["verdict"]) for row in rows] == [
        ("kernel", "satd", "SLOWER"),
        ("encode", "pan", "FASTER"),
    ]
    assert all(tuple(row) == CSV_COLUMNS for row in rows)
    low, ratio, high = (float(rows[0][name]) for name in ("low", "ratio", "high"))
    assert low < ratio < high and ratio == pytest.approx(np.exp(0.1), rel=0.01)
    assert [rows[0][name] for name in ("pairs", "disturbed", "run_again", "aa_verdict")] == [
        str(PAIRS),
        "1",
        "1",
        "SAME",
    ]
    assert rows[0]["b"] == TITLES[1] and float(rows[0]["planted_factor"]) == 1.05


# --- junit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "allowed", "outcome"),
    [
        ({"effect": 0.1}, None, "failure"),
        ({"effect": 0.1}, 0.02, "failure"),
        ({"effect": 0.1}, 0.5, ""),
        ({"effect": 0.01, "spread": 0.001}, None, ""),  # surely slower, within the margin
        ({"effect": -0.1}, None, ""),
        ({"effect": 0.0}, None, ""),
        ({"spread": 0.08, "pairs": 12}, None, "skipped"),
        ({"spread": 0.08, "pairs": 12}, 0.02, "skipped"),
        ({"spread": 0.08, "pairs": 12}, 0.9, ""),  # undecided, and surely not that much slower
        ({"effect": 0.1, "twin": 0.05}, None, "error"),
        ({"effect": -0.1, "twin": 0.05}, 0.02, "error"),
    ],
)
def test_junit_outcomes(fields: dict[str, float], allowed: float | None, outcome: str) -> None:
    [suite] = ElementTree.fromstring(junit_text(found(kernel(**{"effect": 0.0, **fields})), allowed))
    [case] = suite
    assert (case.get("classname"), case.get("name")) == ("workbench.compare.kernel", "satd")
    assert [child.tag for child in case if child.tag != "system-out"] == ([outcome] if outcome else [])
    counts = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    assert {kind: suite.get(name) for kind, name in counts.items()} == {
        kind: "1" if kind == outcome else "0" for kind in counts
    }


def test_junit_has_a_case_a_part_and_holds_any_name() -> None:
    [suite] = ElementTree.fromstring(junit_text(found(kernel(0.1), part(0.0), part(0.0, name='<&"\x01'))))
    assert [case.get("name") for case in suite] == ["satd", "pan", '<&"?']
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    [suite] = ElementTree.fromstring(junit_text(found()))
    assert (suite.get("tests"), suite.get("skipped")) == ("1", "1")


@pytest.mark.parametrize(("status", "outcome"), [(4, "failure"), (5, "error")])
def test_what_ended_a_comparison_is_in_its_files(status: int, outcome: str, tmp_path: Path) -> None:
    result = Compared(*TITLES, (), None, failure=Failure("satd differs <here>", status))
    paths = {name: tmp_path / name for name in ("junit", "markdown", "csv")}
    write_failure(result, paths)
    [[case]] = ElementTree.parse(paths["junit"]).getroot()
    assert [(child.tag, child.get("message")) for child in case] == [(outcome, "satd differs <here>")]
    shown = paths["markdown"].read_text()
    assert shown.startswith(MARKER) and f"no verdict, exit status {status}" in shown and "satd differs" in shown
    assert not paths["csv"].exists()
    as_data = as_json(result, {})
    assert as_data["failure"] == {"message": "satd differs <here>", "status": status}
    assert as_data["outputs_identical"] is (False if status == 4 else None) and as_data["ratio"] is None


# --- samples ----------------------------------------------------------------------------------------------------------


def test_pyperf_opens_the_samples(tmp_path: Path) -> None:
    text = pyperf_text(found(kernel(0.1), part(-0.1)))
    assert text is not None
    (tmp_path / "suite.json").write_text(text)
    suite = pyperf.BenchmarkSuite.load(str(tmp_path / "suite.json"))
    assert suite.get_benchmark_names() == ["kernel satd, A", "kernel satd, B", "encode pan, A", "encode pan, B"]
    for benchmark in suite:
        assert benchmark.get_nvalue() == PAIRS and benchmark.get_unit() == "second"
    b = suite.get_benchmark("encode pan, B")
    assert b.get_values() == tuple(sample.cpu_s for sample in part(-0.1).samples(CANDIDATE))
    assert b.get_nrun() == PAIRS and suite.get_benchmark("kernel satd, B").get_nrun() == 1
    assert b.get_metadata()["command"] == "encoder -x pan.y4m" and b.get_metadata()["mem_max_rss"] == 1300


def test_hyperfine_keys() -> None:
    results = json.loads(hyperfine_text(found(part(0.1), kernel(0.1, pairs=1))))["results"]
    keys = [
        "command",
        "mean",
        "stddev",
        "median",
        "user",
        "system",
        "min",
        "max",
        "times",
        "memory_usage_byte",
        "exit_codes",
    ]
    assert [list(result) for result in results] == [keys] * 4
    first = results[0]
    assert first["command"] == "encoder pan.y4m" and results[3]["command"] == f"kernel satd of {TITLES[1]}"
    assert len(first["times"]) == PAIRS and first["exit_codes"] == [0] * PAIRS
    assert first["mean"] == pytest.approx(np.mean(first["times"])) and first["user"] == pytest.approx(
        first["mean"] / WALL
    )
    assert first["stddev"] == pytest.approx(np.std(first["times"], ddof=1)) and results[2]["stddev"] is None
    assert json.loads(hyperfine_text(found()))["results"] == []


# --- picture, files, command ------------------------------------------------------------------------------------------


def test_the_picture_marks_disturbed_pairs() -> None:
    picture = ratios_picture(found(kernel(0.1), part(pairs=1)))
    ElementTree.fromstring(picture)
    for text in ("kernel satd: SLOWER", "encode pan: UNDECIDED", "95 % interval", "disturbed, run again"):
        assert text in picture
    assert "No pair was measured" in ratios_picture(found(part(pairs=0)))


def test_files_are_written_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.report.compare_outputs.ratios_picture", lambda _: "picture")
    result, paths = found(kernel(0.1)), {name: tmp_path / name for name in FILES}
    write_outputs(result, tmp_path, paths, None)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, PICTURE_NAME}
    assert all(path.read_text() == text_of(name, result) for name, path in paths.items())
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_files(result, tmp_path, {"csv": tmp_path / "none" / "x.csv"}, None)
    write_outputs(found(part(pairs=0)), tmp_path, {"pyperf": tmp_path / "empty.json"}, None)
    assert "empty.json: not written" in capsys.readouterr().err and not (tmp_path / "empty.json").exists()


def status_of(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *words])
    return int(str(ended.value.code))


@pytest.mark.parametrize("name", FILES)
def test_existing_files_and_missing_folders_are_said_before_measuring(
    name: str, own_folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Callable[..., None]:
        raise AssertionError

    monkeypatch.setattr("workbench.commands.compare._measured", never)
    (own_folders / "there").write_text("mine")
    for path, said in (("there", "exists already"), ("none/x", "there is no folder none")):
        assert status_of("numba", "numba", "--kernel", "sad", f"--{name}", path) == 2
        seen = capsys.readouterr()
        assert said in seen.err and seen.err.count("\n") == 1 and seen.out == ""
    assert (own_folders / "there").read_text() == "mine"
