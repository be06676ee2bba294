"""What several verbs share: options, the live display, and where results go."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.errors import EnvironmentFault, InputError
from workbench.files import refuse_existing
from workbench.record import RECORDS_NAME

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from workbench.corpus import Clip

Command = TypeVar("Command", bound=Callable[..., Any])
SUPPORTED_FORMAT = "420p8"


def output_options(command: Command) -> Command:
    """`--json FILE`, `--quiet` and `--force`, as every verb has them."""
    for option in (
        click.option("--force", is_flag=True, help="Overwrite results that exist."),
        click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors."),
        click.option("--json", "json_path", metavar="FILE", type=click.Path(path_type=Path), help="Write JSON too."),
    ):
        command = option(command)
    return command


def command_line() -> list[str]:
    """The words behind the verb, as the user gave them."""
    words: list[str] = click.get_current_context().find_root().obj
    return words[1:]


def again() -> str:
    """The line to print below results: the command that brings them about once more."""
    words: list[str] = click.get_current_context().find_root().obj
    return f"again: {shlex.join(['workbench', *words])}"


def kernel_sets(text: str) -> tuple[str, ...]:
    """`numba,satd=mine.py:fast,numpy` names two sets: an override belongs to the set before it. Raises InputError."""
    sets: list[str] = []
    for part in text.split(","):
        word = part.strip()
        if not word or ("=" in word and not sets):
            raise InputError(f"--kernels {text!r}: give SET[,SLOT=FILE.py:FUNCTION][,SET], for example numba,numpy")
        if "=" in word:
            sets[-1] += f",{word}"
        else:
            sets.append(word)
    return tuple(dict.fromkeys(sets))


def usable(clips: tuple[Clip, ...], by_name: bool) -> tuple[Clip, ...]:
    """The clips that the encoder takes. Raises InputError for a named one that it does not, or when none is left."""
    refused = [clip for clip in clips if clip.format != SUPPORTED_FORMAT]
    if refused and (by_name or len(refused) == len(clips)):
        first = refused[0]
        raise InputError(
            f"{first.name}: its format is {first.format}, only 8-bit 4:2:0 ({SUPPORTED_FORMAT}) is supported yet; "
            f"convert it with: ffmpeg -i INPUT -pix_fmt yuv420p {first.name}.y4m"
        )
    for clip in refused:
        click.echo(f"workbench: {clip.name} is left out: its format is {clip.format}, not 8-bit 4:2:0", err=True)
    return tuple(clip for clip in clips if clip not in refused)


def new_folder(verb: str, out: Path | None, force: bool) -> Path:
    """The folder for a verb's results: `out`, or reports/<date>-<verb>, with -2, -3 ... where that exists.

    What would fail when the results are written fails now. Raises InputError when there is a file in the way, or `out`
    holds a run already and `force` is not given (with it, the old records go); EnvironmentFault where nothing can be written.
    """
    _require_place(out if out is not None else Path("reports"))
    if out is None:
        first = Path("reports") / f"{date.today().isoformat()}-{verb}"
        names = (first.with_name(f"{first.name}-{number}") if number > 1 else first for number in range(1, 10_000))
        return next(folder for folder in names if not folder.exists())
    records = out / RECORDS_NAME
    if records.exists() and not force:
        raise InputError(f"{out}: holds a run already; choose another --out or give --force to replace it")
    records.unlink(missing_ok=True)
    return out


def _require_place(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; --out names a folder")
    try:
        nearest = next(path for path in folder.absolute().parents if path.exists()) if not folder.exists() else folder
    except OSError as error:
        raise InputError(f"{folder}: no folder can have that name: {error.strerror}; give another --out") from error
    if not nearest.is_dir():
        raise InputError(f"{folder}: cannot be made, {nearest} is a file; give another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"{folder}: cannot be written: no right to write {nearest}; give another --out")


def require_json_place(path: Path | None, force: bool) -> None:
    """What would fail when `--json FILE` is written at the end fails now. Raises InputError when there is something in its way
    or no folder for it, EnvironmentFault where that cannot be written."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: is a folder; --json names a file")
    refuse_existing(path, force)
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it or give another --json")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"{path}: cannot be written: no right to write {path.parent}; give another --json")


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C would: with partial results kept and children gone."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Display:
    """Live progress on standard error: a line per step, with what is being done now; silent where that is no
    terminal."""

    def __init__(self, quiet: bool) -> None:
        self._progress: Progress | None = None
        self._step: TaskID | None = None
        self._title = ""
        if not quiet and sys.stderr.isatty():
            self._progress = _rich_progress()

    def __enter__(self) -> Display:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._finish_step()
        if self._progress is not None:
            self._progress.stop()

    def step(self, title: str, total: int | None = None) -> None:
        """Begin a step of `total` ticks; the one before is done."""
        self._finish_step()
        self._title = title
        if self._progress is not None:
            self._step = self._progress.add_task(title, total=total, now="")

    def now(self, what: str) -> None:
        """Say what the step is doing."""
        if self._progress is not None and self._step is not None:
            self._progress.update(self._step, now=what)

    def tick(self) -> None:
        """One more piece of the step is done."""
        if self._progress is not None and self._step is not None:
            self._progress.advance(self._step)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False)

    def _finish_step(self) -> None:
        if self._progress is not None and self._step is not None:
            done = self._progress.tasks[self._step].completed
            self._progress.update(self._step, total=max(done, 1), completed=max(done, 1), now="")
            self._progress.stop_task(self._step)


def _rich_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", style="dim"),
        console=Console(stderr=True),
    )
