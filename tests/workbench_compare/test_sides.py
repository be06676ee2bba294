"""The words for a side, and the revisions behind rev:."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workbench import revisions
from workbench.errors import EnvironmentFault, InputError
from workbench.record import RECORDS_NAME
from workbench.sides import OUTPUT, Kind, encode_of, parse_side
from workbench.subject import Subject, our_encoder


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("numba", Kind.KERNELS, "numba"),
        ("numba,satd=mine.py:fast", Kind.KERNELS, "numba,satd=mine.py:fast"),
        ("rev:main", Kind.REVISION, "main"),
        ("rev:WORKTREE", Kind.REVISION, "WORKTREE"),
        ("cmd:cp {clip} {out}", Kind.COMMAND, "cp {clip} {out}"),
    ],
)
def test_sides(text: str, kind: Kind, value: str) -> None:
    side = parse_side(text)
    assert (side.kind, side.value, side.text) == (kind, value, text)


def test_a_stored_run_is_a_folder_with_records(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match=RECORDS_NAME):
        parse_side("run")
    (tmp_path / "run" / RECORDS_NAME).write_text("")
    assert parse_side("run").kind == Kind.STORED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "no kernel set .python, numpy, numba"),
        ("rev:", "nothing stands behind rev:"),
        ("cmd: ", "nothing stands behind cmd:"),
        ("cmd:cp {clip}", "no {out}"),
        ("cmd:cp {clip} {out} {speed}", "unknown field {speed}"),
        ("cmd:cp '{clip} {out}", "quotation"),
    ],
)
def test_what_is_no_side_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_side(text)


def test_a_program_that_is_not_here_is_missing_from_the_machine() -> None:
    with pytest.raises(EnvironmentFault, match="no program 'nosuchencoder'"):
        parse_side("cmd:nosuchencoder {clip} {out}")


def test_the_command_of_a_side() -> None:
    subject = Subject("clip", Path("/clips/a.y4m"), 64, 64, 5, our_encoder(), kernels="numpy", quantizer=90, speed=8)
    other = encode_of(parse_side("cmd:cp {clip} {out} -q {quantizer}"), subject, None, "other")
    assert other.words == ("cp", "/clips/a.y4m", OUTPUT, "-q", "90")
    assert other.whole and other.home is None
    ours = encode_of(parse_side("numpy"), subject, None, "ours")
    assert not ours.whole and not ours.compiled and ours.frames == 5
    assert ours.arguments[:3] == ("/clips/a.y4m", "-o", OUTPUT)
    assert ours.arguments[-2:] == ("--speed", "8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two revisions of something like the encoder."""
    top = tmp_path / "repository"
    (top / "encoder").mkdir(parents=True)
    (top / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["numpy>=1.0"]\n')
    (top / "encoder" / "__init__.py").write_text("WHICH = 1\n")
    git(top, "init", "--quiet", "--initial-branch=main")
    commit(top)
    git(top, "tag", "one")
    (top / "encoder" / "__init__.py").write_text("WHICH = 2\n")
    commit(top)
    return top


def git(top: Path, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *words], cwd=top, check=True, capture_output=True)


def commit(top: Path) -> None:
    git(top, "add", ".")
    git(top, "commit", "--quiet", "-m", "x")


def which(revision: revisions.Revision) -> str:
    command = [revision.python, "-c", "import encoder; print(encoder.WHICH)"]
    return subprocess.run(command, env=revision.environment, capture_output=True, text=True, check=True).stdout.strip()


def test_each_revision_runs_its_own_encoder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "encoder")
    one, head, here = (revisions.prepare(name) for name in ("one", "HEAD", "WORKTREE"))
    assert [which(revision) for revision in (one, head, here)] == ["1", "2", "2"]
    assert here.key == head.key != one.key  # nothing is changed: they are one, and built once
    assert one.environment["ENCODER_CACHE_DIR"] != head.environment["ENCODER_CACHE_DIR"]
    assert revisions.prepare("one") == one


def test_the_work_tree_is_its_files_as_they_are(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert not revisions.uncommitted("HEAD")
    (repository / "encoder" / "__init__.py").write_text("from encoder.new import WHICH\n")
    (repository / "encoder" / "new.py").write_text("WHICH = 3\n")
    assert revisions.uncommitted("HEAD") and revisions.uncommitted("main")
    assert not revisions.uncommitted("one") and not revisions.uncommitted("WORKTREE")
    here = revisions.prepare("WORKTREE")
    (repository / "encoder" / "new.py").write_text("WHICH = 4\n")  # editing goes on
    assert which(here) == "3"
    assert which(revisions.prepare("HEAD")) == "2"


def test_old_revisions_are_dropped(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(revisions, "KEPT", 1)
    one = revisions.prepare("one")
    head = revisions.prepare("HEAD")
    assert head.folder.is_dir() and not one.folder.exists()


def wheel(folder: Path, version: str) -> Path:
    """A package that is nowhere else, to be installed without a network."""
    info = f"only_here-{version}.dist-info"
    path = folder / f"only_here-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("only_here.py", f"VERSION = {version!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: only-here\nVersion: {version}\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.slow
def test_a_revision_with_other_dependencies_has_an_environment_of_its_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    for version in ("1.0", "2.0"):
        wheel(tmp_path, version)
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["only-here<2"]\n')
    (repository / "encoder" / "__init__.py").write_text("from only_here import VERSION as WHICH\n")
    commit(repository)
    head, one = revisions.prepare("HEAD"), revisions.prepare("one")
    assert which(head) == "1.0" and which(one) == "1"
    assert head.python != sys.executable == one.python and head.folder in Path(head.python).parents
    made = Path(head.python).stat().st_mtime_ns
    assert revisions.prepare("HEAD") == head and Path(head.python).stat().st_mtime_ns == made  # kept
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["only-here>2"]\n')
    with pytest.raises(EnvironmentFault, match="rev:WORKTREE: the packages that it needs cannot be installed") as fault:
        revisions.prepare("WORKTREE")
    assert "\n" not in str(fault.value) and "only-here>2" in str(fault.value)
    assert len(list(head.folder.parent.glob("*/venv"))) == 1  # no half of one is left


def test_what_is_no_revision(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(repository)
    for name in ("nope", "--help", "one^{tree}"):
        with pytest.raises(InputError, match="is no revision"):
            revisions.prepare(name)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match="in none"):
        revisions.prepare("HEAD")
    git(tmp_path / "empty", "init", "--quiet")
    with pytest.raises(InputError, match="not the encoder's"):
        revisions.prepare("HEAD")


@pytest.mark.parametrize(
    ("requirement", "here"),
    [("numpy>=1.0", True), ("numpy>=1.0,<99", True), ("numpy<1.0", False), ("nosuchpackage", False), ("numpy", True),
     ("numpy>=99; python_version > '3'", False)],
)  # fmt: skip
def test_whether_a_requirement_is_met_here(requirement: str, here: bool) -> None:
    assert revisions._is_here(requirement) is here
