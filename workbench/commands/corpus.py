"""`workbench corpus list | make | verify`: which clips there are, and whether their files are there and right."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.commands.common import Display, output_options, terminated_as_interrupted
from workbench.errors import EnvironmentFault
from workbench.files import refuse_existing, write_text
from workbench.units import byte_size

if TYPE_CHECKING:
    from workbench.corpus import Clip, Corpus
    from workbench.corpus.cache import State

JSON_SCHEMA = 1

_corpus_argument = click.argument("corpus_path", metavar="[CORPUS]", type=click.Path(path_type=Path), default="corpus")


@click.group()
def corpus() -> None:
    """The clips that are measured: list them, make them, verify their files.

    CORPUS is a folder with corpus.toml, any folder of videos, or one video; ./corpus where it is not given. Clips that
    are generated or downloaded live in $XDG_CACHE_HOME/workbench/corpus (~/.cache without it).
    """


@corpus.command("list", short_help="Show the clips and whether they are there.")
@_corpus_argument
@click.option("--tier", metavar="TIER", help="Only the clips of this tier; `tiny` shows the small versions.")
@output_options
def list_clips(corpus_path: Path, tier: str | None, json_path: Path | None, quiet: bool, force: bool) -> None:
    """Show the clips of CORPUS: class, size, licence, and whether the file is there."""
    from workbench.corpus import load_corpus
    from workbench.corpus.cache import state

    _refuse_existing_json(json_path, force)
    clips = load_corpus(corpus_path)
    shown = clips.clips if tier is None else clips.in_tier(tier)
    states = {clip: state(clip) for clip in shown}
    if not quiet:
        header = ("name", "class", "tier", "size", "frames", "fps", "licence", "file")
        _print_table([header, *(_list_row(clip, states[clip]) for clip in shown)])
    _write_json(json_path, corpus_path, [_entry(clip, states[clip]) for clip in shown])


@corpus.command("make", short_help="Generate or download clips.")
@_corpus_argument
@click.option("--tier", metavar="TIER", help="The clips of this tier; the default tier where neither is given.")
@click.option("--clips", "names", metavar="A,B,...", help="The clips of these names.")
@output_options
def make_clips(
    corpus_path: Path, tier: str | None, names: str | None, json_path: Path | None, quiet: bool, force: bool
) -> None:
    """Generate or download the clips of CORPUS that are not there yet; with --force also those that are."""
    from workbench.corpus import cached_path, ensure, load_corpus
    from workbench.corpus.cache import State, state

    _refuse_existing_json(json_path, force)
    wanted = _chosen(load_corpus(corpus_path), tier, names)
    made = {clip: force or state(clip) is not State.INTACT for clip in wanted}
    with terminated_as_interrupted(), Display(quiet) as display:
        display.step("making clips", total=len(wanted))
        for clip in wanted:
            ensure(clip, _progress_on(display), force=force)
            display.tick()
    if not quiet:
        _print_table([_made_row(clip, cached_path(clip), made[clip]) for clip in wanted])
    _write_json(json_path, corpus_path, [_entry(clip, state(clip)) for clip in wanted])


@corpus.command("verify", short_help="Hash the files, repair damaged ones.")
@_corpus_argument
@click.option("--repair", is_flag=True, help="Make damaged clips anew.")
@output_options
def verify_clips(corpus_path: Path, repair: bool, json_path: Path | None, quiet: bool, force: bool) -> None:
    """Hash the files of CORPUS, the small versions too, and compare them with the manifest.

    Clips that are not made yet are fine: they are checked when they are made. Exit status 5 when a file is damaged or
    missing, and not repaired.
    """
    from workbench.corpus import load_corpus
    from workbench.corpus.cache import verify

    _refuse_existing_json(json_path, force)
    clips = load_corpus(corpus_path)
    every_clip = (*clips.clips, *clips.in_tier("tiny"))
    with terminated_as_interrupted(), Display(quiet) as display:
        display.step("hashing", total=len(every_clip))
        states = {}
        for clip in every_clip:
            display.now(clip.name)
            states[clip] = verify(clip)
            if repair and _is_repairable(clip, states[clip]):
                states[clip] = _repaired(clip, display)
            display.tick()
    if not quiet:
        _print_table([("name", "file"), *((clip.name, _state_text(clip, found)) for clip, found in states.items())])
    _write_json(json_path, corpus_path, [_entry(clip, found) for clip, found in states.items()])
    _complain(corpus_path, states)


# --- choosing and judging ---------------------------------------------------------------------------------------------


def _chosen(clips: Corpus, tier: str | None, names: str | None) -> tuple[Clip, ...]:
    """The clips that `make` is asked for."""
    if names is not None and tier is not None:
        raise click.UsageError("--tier and --clips exclude each other: give one of them")
    if names is not None:
        return clips.named(name.strip() for name in names.split(","))
    return clips.main_clips() if tier is None else clips.in_tier(tier)


def _is_stored(clip: Clip) -> bool:
    """Whether the file is the user's own, which nothing here can make anew."""
    from workbench.corpus.clips import Stored

    return isinstance(clip.source, Stored)


def _is_repairable(clip: Clip, found: State) -> bool:
    from workbench.corpus.cache import State

    return found is State.DAMAGED and not _is_stored(clip)


def _repaired(clip: Clip, display: Display) -> State:
    from workbench.corpus import ensure, verify

    ensure(clip, _progress_on(display), force=True)
    return verify(clip)


def _complain(corpus_path: Path, states: dict[Clip, State]) -> None:
    """Raise EnvironmentFault when a file is damaged, or one that only the user has is missing."""
    from workbench.corpus.cache import State

    damaged = [clip.name for clip, found in states.items() if found is State.DAMAGED]
    missing = [clip.name for clip, found in states.items() if found is State.ABSENT and _is_stored(clip)]
    if missing:
        raise EnvironmentFault(f"{corpus_path}: missing files of clips {', '.join(missing)}; restore them")
    if any(_is_repairable(clip, found) for clip, found in states.items()):
        remedy = f"run: workbench corpus verify {corpus_path} --repair"
        raise EnvironmentFault(f"{corpus_path}: damaged clips: {', '.join(damaged)}; {remedy}")
    if damaged:
        raise EnvironmentFault(f"{corpus_path}: damaged clips: {', '.join(damaged)}; restore the files")


# --- showing ----------------------------------------------------------------------------------------------------------


def _progress_on(display: Display) -> Callable[[Clip, int, int], None]:
    """A Progress that shows how much of which clip is there."""

    def show(clip: Clip, done_bytes: int, total_bytes: int) -> None:
        display.now(f"{clip.name} {100 * done_bytes // total_bytes} %")

    return show


def _state_text(clip: Clip, found: State) -> str:
    """What a user wants to know of the file, in two words."""
    from workbench.corpus.cache import State
    from workbench.corpus.clips import Fetched

    if found is State.ABSENT:
        if _is_stored(clip):
            return "MISSING"
        return "not downloaded yet" if isinstance(clip.source, Fetched) else "not made yet"
    return {State.INTACT: "there, checked", State.DAMAGED: "DAMAGED", State.UNCHECKED: "there"}[found]


def _list_row(clip: Clip, found: State) -> tuple[str, ...]:
    size = f"{clip.width}x{clip.height}"
    licence = clip.licence or "unknown"
    state_text = _state_text(clip, found)
    return (clip.name, clip.class_, clip.tier, size, str(clip.frames), str(clip.fps), licence, state_text)


def _made_row(clip: Clip, path: Path, made: bool) -> tuple[str, ...]:
    did = "own file" if _is_stored(clip) else "made" if made else "was there"
    return (clip.name, did, byte_size(path.stat().st_size), str(path))


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their widest entry, two blanks apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _refuse_existing_json(json_path: Path | None, force: bool) -> None:
    if json_path is not None:
        refuse_existing(json_path, force)


def _write_json(json_path: Path | None, corpus_path: Path, entries: list[dict[str, Any]]) -> None:
    if json_path is not None:
        content = {"schema": JSON_SCHEMA, "corpus": str(corpus_path), "clips": entries}
        write_text(json_path, json.dumps(content, indent=1) + "\n")


def _entry(clip: Clip, found: State) -> dict[str, Any]:
    """A clip as JSON; `path` is where its file is, or will be."""
    from workbench.corpus import cached_path

    return {
        "name": clip.name,
        "class": clip.class_,
        "tier": clip.tier,
        "width": clip.width,
        "height": clip.height,
        "frames": clip.frames,
        "fps": f"{clip.fps.numerator}/{clip.fps.denominator}",
        "format": clip.format,
        "licence": clip.licence,
        "redistributable": clip.redistributable,
        "tags": list(clip.tags),
        "sha256": clip.sha256,
        "state": str(found),
        "path": str(cached_path(clip)),
    }
