"""The notebook: what is written can be read again, however the run ended."""

import json
from pathlib import Path

import pytest

from workbench.errors import EnvironmentFault, InputError
from workbench.record import RECORDS_NAME, Record, RunWriter, read_run

RECORD = Record("wall", "cpu", "s", {"clip": "pan", "tiles": 2}, (1.5, 0.25), {"n1": 1}, ("noisy",), ("encoder", "a b"))


def written(folder: Path, *records: Record) -> RunWriter:
    writer = RunWriter(folder, "profile", ["corpus/"], {"cores": 2}, {"encoder_sources": "abc"})
    writer.write(*records)
    return writer


def test_a_run_reads_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path / "new" / "run", RECORD, RECORD).end("complete")
    run = read_run(tmp_path / "new" / "run")
    assert run.records == (RECORD, RECORD)
    assert run.header["verb"] == "profile" and run.header["machine"] == {"cores": 2}
    assert run.header["encoder_sources"] == "abc"
    assert run.end is not None and run.end["status"] == "complete" and run.end["wall_s"] >= 0


def test_records_are_on_disk_before_the_end(tmp_path: Path) -> None:
    written(tmp_path, RECORD)
    run = read_run(tmp_path)
    assert run.records == (RECORD,) and run.end is None


def test_half_a_last_line_costs_only_that_line(tmp_path: Path) -> None:
    written(tmp_path, RECORD, RECORD)
    path = tmp_path / RECORDS_NAME
    path.write_text(path.read_text()[:-20])
    assert read_run(tmp_path).records == (RECORD,)


def test_select_picks_by_instrument_metric_and_subject(tmp_path: Path) -> None:
    other = Record("memray", "allocations", "count", {"clip": "cut"}, (3.0,))
    written(tmp_path, RECORD, other)
    run = read_run(tmp_path)
    assert run.select("wall") == [RECORD] and run.select(metric="allocations") == [other]
    assert run.select(clip="cut") == [other] and run.select(clip="cut", tiles=2) == []


def test_a_folder_with_records_is_not_written_to(tmp_path: Path) -> None:
    written(tmp_path, RECORD)
    with pytest.raises(InputError, match="holds records already"):
        written(tmp_path, RECORD)


def test_a_run_that_never_begins_leaves_nothing(tmp_path: Path) -> None:
    assert not written(tmp_path / "run").has_begun
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        written(tmp_path / "file" / "run", RECORD)


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    writer = written(tmp_path, RECORD)
    (tmp_path / RECORDS_NAME).unlink()
    (tmp_path / RECORDS_NAME).symlink_to("/dev/full")
    with pytest.raises(EnvironmentFault, match="records.jsonl: cannot be written: No space left on device"):
        writer.write(RECORD)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line is no run header"),
        (['{"kind": "record"}'], "the first line is no run header"),
        (['{"kind": "run", "schema": 9}'], "schema 9, only schema 1"),
        (['{"kind": "run", "schema": 1}', "{", "{}"], "line 2 is not JSON"),
        (['{"kind": "run", "schema": 1}', "[]"], "line 2 is no JSON object"),
        (['{"kind": "run", "schema": 1}', '{"kind": "record", "odd": 1}'], "line 2 is no schema 1 record"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, lines: list[str], message: str) -> None:
    (tmp_path / RECORDS_NAME).write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        read_run(tmp_path)


def test_a_folder_without_records_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_run(tmp_path)


def test_every_line_is_json_that_others_can_read(tmp_path: Path) -> None:
    written(tmp_path, RECORD).end("budget")
    kinds = [json.loads(line)["kind"] for line in (tmp_path / RECORDS_NAME).read_text().splitlines()]
    assert kinds == ["run", "record", "end"]
