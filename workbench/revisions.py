"""The encoder of another revision: its sources beside their compiled code in the workbench's cache, kept for the next time.

A revision is kept by the hash of what the encoder is made of, its package and pyproject.toml, so two commits that differ in
neither are one and the same. WORKTREE is the files as they are now, copied, so that editing goes on while it is measured.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from workbench import child
from workbench.errors import EnvironmentFault, InputError
from workbench.files import cache_folder

WORKTREE = "WORKTREE"
KEPT = 8
_MADE_OF = ("encoder", "pyproject.toml")
_BUILD_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Revision:
    """A revision that is ready to run.

    name     as the user gave it
    commit   its hash; None of WORKTREE
    key      hash of what the encoder is made of: equal for equal encoders
    folder   holds `encoder`, `compiled` and, where it needs other packages than are here, `venv`
    python   the interpreter to run it by
    """

    name: str
    commit: str | None
    key: str
    folder: Path
    python: str

    @property
    def environment(self) -> dict[str, str]:
        """In which a process imports this revision's encoder, and keeps its compiled code with it."""
        return {
            "PYTHONPATH": str(self.folder),
            "PYTHONSAFEPATH": "1",
            "ENCODER_CACHE_DIR": str(self.folder / "compiled"),
        }


def prepare(name: str) -> Revision:
    """Put a revision into the cache, where it is not there yet. Raises InputError for what is no revision of the repository
    that lies here, EnvironmentFault where it cannot be built."""
    top = _top()
    commit = None if name == WORKTREE else _commit(top, name)
    key, archive = _worktree(top) if commit is None else _archived(top, name, commit)
    folder = cache_folder("revisions") / key
    if not (folder / _MADE_OF[0]).is_dir():
        _unpack(archive, folder)
    os.utime(folder)
    _drop_old(folder.parent)
    return Revision(name, commit, key, folder, _interpreter(name, folder))


def uncommitted(name: str) -> bool:
    """Whether the encoder's files here differ from the last commit, and `name` is that commit: changes that are not measured."""
    top = _top()
    if name == WORKTREE or _commit(top, name) != _commit(top, "HEAD"):
        return False
    return bool(_git(top, "status", "--porcelain", "--", *_MADE_OF).strip())


def _top() -> Path:
    """The repository around the working directory."""
    try:
        top = _git(Path.cwd(), "rev-parse", "--show-toplevel").decode().strip()
    except InputError:
        raise InputError(
            f"rev: compares revisions of the repository that you are in, and {Path.cwd()} is in none; go there first"
        ) from None
    if not (Path(top) / _MADE_OF[0]).is_dir():
        raise InputError(f"rev: the repository {top} has no folder `{_MADE_OF[0]}`: it is not the encoder's")
    return Path(top)


def _commit(top: Path, name: str) -> str:
    try:
        return _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    except InputError:
        raise InputError(
            f"rev:{name}: is no revision of {top}; give a branch, a tag, a commit, HEAD~1 or {WORKTREE}"
        ) from None


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except OSError as error:
        raise EnvironmentFault(f"git: cannot be started, rev: needs it: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(f"git {words[0]}: {said[-1] if said else f'exit status {done.returncode}'}")
    return done.stdout


def _archived(top: Path, name: str, commit: str) -> tuple[str, bytes]:
    """Key and content of a commit's encoder, as a tar archive."""
    try:
        content = _git(top, "archive", "--format=tar", commit, "--", *_MADE_OF)
    except InputError as error:
        raise InputError(f"rev:{name}: has no {' and '.join(_MADE_OF)} of the encoder: {error}") from error
    return _key(content), content


def _worktree(top: Path) -> tuple[str, bytes]:
    listed = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_MADE_OF)
    names = sorted({name.decode() for name in listed.split(b"\0") if name})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            if (top / name).is_file():  # one that was deleted is listed, too
                tar.add(top / name, name)
    return _key(buffer.getvalue()), buffer.getvalue()


def _key(archive: bytes) -> str:
    """Hash over names and contents alone: the same of a commit and of a clean work tree."""
    digest = hashlib.sha256()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                digest.update(member.name.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]


def _unpack(archive: bytes, folder: Path) -> None:
    part = folder.with_name(f".{folder.name}.part-{os.getpid()}")
    try:
        part.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python has it from 3.11.4 on
            tar.extractall(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise EnvironmentFault(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _drop_old(folder: Path) -> None:
    kept = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _interpreter(name: str, folder: Path) -> str:
    """Ours where it has what the revision asks for; else one of its own, made once."""
    wanted = _dependencies(folder)
    if all(_is_here(requirement) for requirement in wanted):
        return sys.executable
    python = folder / "venv" / "bin" / "python"
    if not python.is_file():
        _make_environment(name, python, wanted)
    return str(python)


def _dependencies(folder: Path) -> list[str]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        return [str(text) for text in project["project"]["dependencies"]]
    except (OSError, KeyError, ValueError):
        return []


def _is_here(requirement: str) -> bool:
    """Whether an installed package fits `name>=1.2,<2`. What we cannot read counts as not here."""
    found = re.fullmatch(r"([\w.-]+)\s*((?:[<>=!~]=?\s*[\d.]+\s*,?\s*)*)", requirement.strip())
    if found is None:
        return False
    try:
        have = _version(metadata.version(found[1]))
    except metadata.PackageNotFoundError:
        return False
    return all(_fits(have, part.strip()) for part in found[2].split(",") if part.strip())


def _version(text: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", text.split("+")[0])[:4]]
    return tuple([*numbers, 0, 0, 0, 0][:4])


def _fits(have: tuple[int, ...], condition: str) -> bool:
    operator, wanted = re.match(r"[<>=!~]+", condition), _version(condition)
    compared = {
        ">=": have >= wanted,
        "<=": have <= wanted,
        ">": have > wanted,
        "<": have < wanted,
        "==": have == wanted,
        "!=": have != wanted,
    }
    return compared.get(operator[0] if operator else "", False)


def _make_environment(name: str, python: Path, wanted: list[str]) -> None:
    folder = python.parents[1]
    try:
        child.run((sys.executable, "-m", "venv", str(folder)), _BUILD_TIMEOUT_S)
        child.run((str(python), "-m", "pip", "install", "--quiet", *wanted), _BUILD_TIMEOUT_S)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, EnvironmentFault):
            raise EnvironmentFault(f"rev:{name}: the packages that it needs cannot be installed: {error}") from error
        raise
