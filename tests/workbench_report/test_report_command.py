"""`workbench report` as a user runs it: pages, JSON, terminal, and one clear line for what cannot be read."""

import io
import json
import re

import pytest

from workbench.cli import main
from workbench.report.terminal import print_summary

from .synthetic import ALIVE, SATD, build_run

QUICK = ("select", "spans", "stacks", "tiles")


@pytest.fixture
def workbench(capsys):
    """workbench(argument, ...) -> exit status, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_a_report_is_remade_and_its_summary_ends_with_its_path(workbench, tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=QUICK)
    status, out, err = workbench("report", folder)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == str(folder / "report.html")
    assert out.splitlines()[-2] == "again: workbench profile corpus/ --clips pan"
    assert (folder / "report.html").is_file()
    assert workbench("report", folder, "--quiet") == (0, "", "")


def test_the_json_file_holds_the_promised_keys(workbench, tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan", "flat"))
    assert workbench("report", folder, "--json", tmp_path / "figures.json", "--quiet")[0] == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["schema"] == 1
    assert [clip["name"] for clip in figures["clips"]] == ["pan", "flat"]
    clip = figures["clips"][0]
    assert (clip["frames"], clip["decodes"]) == (8, True)
    assert isinstance(clip["bytes"], int)
    assert isinstance(clip["max_rss_bytes"], int)
    assert clip["time_per_frame_s"] == pytest.approx(0.0945, rel=0.05)
    assert clip["frames_per_s"] == pytest.approx(1 / clip["time_per_frame_s"])
    assert [(kind["kind"], kind["frames"]) for kind in clip["frame_kinds"]][:2] == [("key", 1), ("layer 0", 1)]
    assert clip["frame_kinds"][0]["bytes"] == pytest.approx(0.6 * clip["bytes"], abs=2)
    assert figures["top_functions"][0]["name"] == SATD
    kernel = figures["hottest_kernel"]
    assert (kernel["name"], kernel["self"]) == ("set_numba.satd", pytest.approx(figures["top_functions"][0]["share"]))
    assert [line["line"] for line in kernel["lines"]] == [42, 43]
    assert sum(line["self"] for line in kernel["lines"]) == pytest.approx(kernel["self"])
    assert kernel["lines"][1]["total"] > kernel["lines"][1]["self"]  # what was inlined into it
    timeline = figures["timeline"]
    assert (timeline["busy_threads"], len(timeline["threads"])) == (pytest.approx((200 + 600 + 400 + 100) / 900), 3)
    assert {name: round(spent, 6) for name, spent in timeline["critical_path_s"].items()} == {
        "tile": 8 * 600e-6,
        "motion": 8 * 200e-6,
        "cdef": 8 * 100e-6,
    }
    assert timeline["latency"]["median_s"] == pytest.approx(900e-6)
    assert clip["alive"] == {
        "peak_blocks": 91,
        "peak_bytes": ALIVE[1],
        "temporary": 30,
        "allocations_in_compiled_code_per_frame": 8.0,
    }
    assert 0 < figures["top_functions"][0]["share"] < 1
    two = next(row for row in figures["tiles"] if (row["tiles"], row["threads"]) == (2, 2))
    assert two["speedup"] == pytest.approx(1.82, abs=0.05)
    assert two["bytes_change"] == pytest.approx(0.004, abs=1e-3)
    low, high = figures["amdahl"]["interval"]
    assert low <= figures["amdahl"]["p"] <= high
    assert set(figures["amdahl"]["predicted"]) == {"2", "4", "8", "16"}
    assert figures["report"] == str(folder / "report.html")


def test_what_was_not_measured_is_null_in_the_json(workbench, tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=("check", "stacks", "tiles", "spans"), end=None)
    workbench("report", folder, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["status"] == "killed"
    assert figures["clips"][0]["decodes"] is None
    assert figures["amdahl"] is None
    assert figures["tiles"] == figures["top_functions"] == []
    assert figures["hottest_kernel"] is figures["flame"] is None and figures["timeline"]["latency"]


def test_two_folders_are_compared(workbench, tmp_path):
    old = build_run(tmp_path / "0.1", clips=("pan",), without=QUICK)
    new = build_run(tmp_path / "0.2", clips=("pan",), without=QUICK, scale=0.8, seed=2)
    status, out, err = workbench("report", old, new, "--json", tmp_path / "comparison.json")
    assert (status, err) == (0, "")
    assert "Time per frame, kernel set numba: faster, -" in out
    assert out.splitlines()[-1] == str(new / "comparison-with-0.1.html")
    assert (new / "comparison-with-0.1.md").is_file()
    figures = json.loads((tmp_path / "comparison.json").read_text())
    assert [one["verdict"] for one in figures["changes"] if one["quantity"] == "time per frame"] == ["faster"]
    status, _, err = workbench("report", old, new)
    assert (status, "not overwritten" in err) == (2, True)
    assert workbench("report", old, new, "--out", tmp_path / "elsewhere")[0] == 0
    assert (tmp_path / "elsewhere" / "comparison-with-0.1.html").is_file()
    status, _, err = workbench("report", old, new, "--out", tmp_path / "comparison.json")
    assert (status, err.count("\n"), "a file of that name" in err) == (2, 1, True)


def replace_line(folder, number, text):
    """Put `text` in the place of a line, numbered from one, of a run's records."""
    path = folder / "records.jsonl"
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("number", "text", "said"),
    [
        (4, "{half", "line 4 is not JSON"),
        (3, '{"kind": "record", "metric": "x"}', "line 3 is no schema 1 record"),
        (1, '{"kind": "run", "schema": 9}', "schema 9, only schema 1 can be read"),
        (1, '{"kind": "record"}', "the first line is no run header"),
    ],
)
def test_records_that_cannot_be_read_give_one_line_and_status_2(workbench, tmp_path, number, text, said):
    folder = build_run(tmp_path / "run", clips=("pan",), without=QUICK)
    replace_line(folder, number, text)
    status, out, err = workbench("report", folder)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["records.jsonl"]


def test_a_folder_that_is_no_run_gives_one_line_and_status_2(workbench, tmp_path):
    for folders in ((tmp_path,), (tmp_path / "none",), (tmp_path, tmp_path)):
        status, _, err = workbench("report", *folders)
        assert status == 2
        assert re.fullmatch(r"workbench: .*records.jsonl: cannot be read: .*\n", err)


def test_wrong_usage_gives_one_line_and_status_2(workbench, tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=QUICK)
    (tmp_path / "there.json").write_text("{}")
    for arguments in (
        (folder, folder, folder),
        (folder, "--out", tmp_path),
        (folder, "--json", tmp_path / "there.json"),
        (),
    ):
        status, out, err = workbench("report", *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
    assert (tmp_path / "there.json").read_text() == "{}"


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self):
        return True


def test_bold_only_on_a_terminal_without_no_color(found, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file, colourless = Terminal(), io.StringIO(), Terminal()
    print_summary(found.run, terminal)
    print_summary(found.run, file)
    monkeypatch.setenv("NO_COLOR", "1")
    print_summary(found.run, colourless)
    assert "\x1b[1m" in terminal.getvalue()
    assert file.getvalue() == colourless.getvalue() == re.sub(r"\x1b\[\dm", "", terminal.getvalue())
    assert "**" not in file.getvalue()
    assert len(file.getvalue().splitlines()) <= 24
