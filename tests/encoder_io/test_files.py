"""Output files are there whole, or not at all."""

import os
import resource
import signal
from pathlib import Path

import pytest

from encoder.errors import DiskFullError, OutputError
from encoder.files import Outputs, _PartFile


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_appear_together_at_the_end(tmp_path: Path) -> None:
    with Outputs(overwrite=False) as outputs:
        outputs.open(str(tmp_path / "a.ivf")).write(b"a")
        outputs.open(str(tmp_path / "b.y4m")).write(b"b")
        parts = [f".a.ivf.part-{os.getpid()}", f".b.y4m.part-{os.getpid()}"]
        assert listing(tmp_path) == parts
    assert listing(tmp_path) == ["a.ivf", "b.y4m"]
    assert (tmp_path / "a.ivf").read_bytes() == b"a"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_any_exception(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.ivf").write_bytes(b"old")
    with pytest.raises(error), Outputs(overwrite=True) as outputs:
        outputs.open(str(tmp_path / "a.ivf")).write(b"new")
        outputs.open(str(tmp_path / "b.y4m")).write(b"b")
        raise error
    assert listing(tmp_path) == ["a.ivf"]
    assert (tmp_path / "a.ivf").read_bytes() == b"old"


def test_an_existing_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.ivf"
    path.write_bytes(b"old")
    with (
        pytest.raises(OutputError, match="a.ivf: exists, not overwritten without -y"),
        Outputs(overwrite=False) as outputs,
    ):
        outputs.open(str(path))
    assert path.read_bytes() == b"old"


def test_overwriting_through_a_link_replaces_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "real.ivf").write_bytes(b"old")
    (tmp_path / "link.ivf").symlink_to("real.ivf")
    with Outputs(overwrite=True) as outputs:
        outputs.open(str(tmp_path / "link.ivf")).write(b"new")
    assert (tmp_path / "link.ivf").is_symlink()
    assert (tmp_path / "real.ivf").read_bytes() == b"new"


def test_one_name_for_two_outputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="is given for two outputs"), Outputs(overwrite=True) as outputs:
        outputs.open(str(tmp_path / "a.ivf"))
        outputs.open(str(tmp_path / "here" / "a.ivf"))
    assert listing(tmp_path) == ["here"]


def test_places_that_cannot_hold_a_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ivf")
    (tmp_path / "file").write_bytes(b"")
    cases = {
        str(tmp_path): "is a folder, not a file",
        str(tmp_path / "nowhere" / "a.ivf"): f"there is no folder {tmp_path / 'nowhere'}",
        str(tmp_path / "file" / "a.ivf"): f"there is no folder {tmp_path / 'file'}",
        str(tmp_path / "pipe.ivf"): "is a device or a pipe, outputs are regular files",
        "/proc/a.ivf": "cannot be written: ",
        str(tmp_path / ("a" * 300)): "cannot be written: File name too long",
    }
    for name, message in cases.items():
        with pytest.raises(OutputError) as error, Outputs(overwrite=True) as outputs:
            outputs.open(name)
        assert str(error.value).startswith(f"{name}: {message}")
    assert listing(tmp_path) == ["file", "pipe.ivf"]


def test_a_full_device_is_a_full_disk() -> None:
    with pytest.raises(DiskFullError, match="out.ivf: no room"), _PartFile(Path("/dev/full"), "out.ivf") as file:
        file.write(b"x")


@pytest.mark.parametrize("size", [10_000, 2_000_000], ids=["while closing", "while writing"])
def test_no_room_is_said_of_the_file_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """The system lets no file grow beyond a limit: as on a full disk, whichever write it is that does not fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DiskFullError, match="b.y4m: no room") as error, Outputs(overwrite=False) as outputs:
            outputs.open(str(tmp_path / "a.ivf")).write(b"a")
            outputs.open(str(tmp_path / "b.y4m")).write(bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.exit_status == 5
    assert listing(tmp_path) == []
