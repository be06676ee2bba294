"""Files that are whole or not there."""

import threading
from pathlib import Path

import pytest

from workbench.errors import EnvironmentFault
from workbench.files import write_text, written_whole


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path, together, failures = tmp_path / "same.json", threading.Barrier(2), []

    def write() -> None:
        try:
            with written_whole(path) as part:
                part.write_text("whole")
                together.wait()  # both parts are there before either is renamed
        except EnvironmentFault as fault:
            failures.append(fault)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [entry.name for entry in tmp_path.iterdir()] == ["same.json"] and path.read_text() == "whole"


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.txt"] and path.read_text() == "old"


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_text(tmp_path / "nowhere" / "file.txt", "text")
