"""`workbench memory`: how much memory an encode or a program takes, who asks for it, and what is never given back."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench import units
from workbench.commands.common import Display, command_line, new_folder, output_options, terminated_as_interrupted
from workbench.commands.target import PROGRAM_MARK, Target, parse_target, target_options
from workbench.errors import EnvironmentFault, InputError, WorkbenchError
from workbench.files import refuse_existing, scratch_folder, write_text
from workbench.record import RECORDS_NAME
from workbench.subject import Subject, is_compiled

if TYPE_CHECKING:
    from workbench.analysis.memory_sides import Side, Sides
    from workbench.record import Record, Run, RunWriter

EXCEEDED_STATUS = 1
WARM_UP = 17  # packets: a key frame and the first mini-GOP
STEADY_FRAMES = 64  # four mini-GOPs: one to settle, three to tell a leak
INTERPRETED_FRAMES = 3  # of a set that takes seconds for a superblock
SWEEP_PARTS = ((1, 4), (1, 2), (3, 4), (1, 1))  # of width and height
SWEEP_THREADS = (1, 2, 4, 8)
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?P<kind>i?B)?", re.IGNORECASE)
_NO_MEMRAY = "memray is not installed: allocations are not counted; run: pip install memray"
_PAGE = "memory.html"


class Size(click.ParamType):
    """A number of bytes: 300MiB, 1.5G, 123456. K, M, G and KiB ... are powers of 1024, KB, MB, GB of 1000."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises a usage error for what is no size."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if not match:
            self.fail(f"{value!r} is no size; write bytes, or a number with KiB, MiB or GiB: 300MiB", param, ctx)
        power = " KMGT".index(match["unit"].upper() or " ")
        base = 1000 if (match["kind"] or "").upper() == "B" and power else 1024
        return int(float(match["number"]) * base**power)


@dataclass(frozen=True)
class Gates:
    """What must not be exceeded; None and False where it may."""

    max_rss_bytes: int | None
    max_allocations_per_frame: float | None
    no_leaks: bool


@click.command()
@target_options
@click.option(
    "--against",
    metavar="OTHER",
    help="Another version on the same plots: options in quotes ('--threads 2'), another clip, or the folder of a stored run.",
)
@click.option("--sweep", type=click.Choice(["resolution", "threads"]), help="Maximum resident set against this, too.")
@click.option("--max-rss", "max_rss_bytes", type=Size(), metavar="SIZE", help="Exit status 1 above this, e.g. 300MiB.")
@click.option(
    "--max-allocations-per-frame",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Exit status 1 when a frame of the steady state asks for more blocks.",
)
@click.option("--no-leaks", is_flag=True, help="Exit status 1 when memory grows from frame to frame.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Results.  [default: reports/<date>-memory]"
)
@output_options
def memory(
    target: Target, against: str | None, sweep: str | None, max_rss_bytes: int | None,
    max_allocations_per_frame: float | None, no_leaks: bool, out: Path | None, json_path: Path | None, quiet: bool,
    force: bool,
) -> int:  # fmt: skip
    """Memory of an encode, or of any program behind `--`.

    The resident set over time; every allocation of the steady state, by place: how many, how large, alive at once,
    temporary, never freed; allocations inside compiled code, under the kernel that makes them. A program is watched
    from start to end, its allocations where it is a Python program. Exit status 1 when a gate is exceeded.
    """
    gates = Gates(max_rss_bytes, max_allocations_per_frame, no_leaks)
    if json_path is not None:
        refuse_existing(json_path, force)
    _check_gates(gates, target)
    if sweep is not None:
        target.encode(f"memory --sweep {sweep}")
    other = _other(target, against) if against is not None else None
    folder = new_folder("memory", out, force)
    with terminated_as_interrupted():
        found = _measure(target, other, sweep, folder, quiet, force)
    exceeded = _exceeded(gates, found.sides[0])
    page = folder / _PAGE
    if json_path is not None:
        from workbench.report.memory_json import memory_json

        told = {**dataclasses.asdict(gates), "exceeded": exceeded}
        write_text(json_path, json.dumps(memory_json(found, told, page), indent=1) + "\n")
    if not quiet:
        _print(found, folder)
    for line in exceeded:
        click.echo(f"workbench: {line}", err=True)
    return EXCEEDED_STATUS if exceeded else 0


def _check_gates(gates: Gates, target: Target) -> None:
    from workbench.instruments.memory import is_installed

    if gates.max_allocations_per_frame is not None:
        target.encode("memory --max-allocations-per-frame")
    if (gates.max_allocations_per_frame is not None or gates.no_leaks) and not is_installed():
        raise EnvironmentFault(
            "memray is not installed, so --no-leaks and --max-allocations-per-frame cannot be judged; "
            "run: pip install memray"
        )


# --- the other version ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Other:
    """What the target is compared with: another target, or a stored run."""

    title: str
    target: Target | None = None
    run: Run | None = None


def _other(target: Target, text: str) -> Other:
    """What OTHER stands for. Raises InputError where that is nothing."""
    if (Path(text) / RECORDS_NAME).is_file():
        return _stored(Path(text))
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--against {text!r}: {error}") from error
    if not words:
        raise InputError("--against '': give options in quotes, another clip, or the folder of a stored run")
    if words[0] == PROGRAM_MARK:
        found = parse_target(words)
    elif target.subject is None:
        raise InputError(
            f"--against {text!r}: the subject is a program; give another one as '{PROGRAM_MARK} python script.py', or the "
            "folder of a stored run"
        )
    elif words[0].startswith("-"):
        found = parse_target([*words_before(target), *words, target.words[-1]])
    else:
        found = parse_target([*words_before(target), *words])
    title = found.title if found.title != target.title else f"{found.title} {text}"
    return Other(title, target=found)


def words_before(target: Target) -> list[str]:
    """The options of an encode, without the clip."""
    return list(target.words[:-1])


def _stored(folder: Path) -> Other:
    from workbench.record import read_run

    run = read_run(folder)
    if run.header.get("verb") != "memory":
        raise InputError(
            f"--against {folder}: is a run of `workbench {run.header.get('verb')}`, not of `workbench memory`"
        )
    titles = run.header.get("titles") or [folder.name]
    return Other(f"{titles[0]} ({folder.name})", run=run)


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """A run in progress: where records go, and whom to tell how far it is."""

    writer: RunWriter
    display: Display
    scratch: Path
    records: list[Record] = field(default_factory=list)

    def write(self, side: int, *records: Record) -> None:
        """Keep records of a side."""
        from workbench.analysis.memory_sides import SIDE

        kept = [dataclasses.replace(record, data={**record.data, SIDE: side}) for record in records]
        self.writer.write(*kept)
        self.records += kept

    def step(self, what: str, measure: Callable[[Path], Record | list[Record]]) -> list[Record]:
        """One measurement in a folder of its own."""
        self.display.step(what, 1)
        with scratch_folder(self.scratch) as folder:
            taken = measure(folder)
        self.display.tick()
        return taken if isinstance(taken, list) else [taken]


def _measure(target: Target, other: Other | None, sweep: str | None, folder: Path, quiet: bool, force: bool) -> Sides:
    """Measure both sides and the sweep, write the page, and return what was found. What was measured until an error or an
    interruption is kept."""
    from workbench.machine import fingerprint
    from workbench.record import RunWriter

    titles = [target.title, *([other.title] if other else [])]
    writer = RunWriter(folder, "memory", command_line(), fingerprint(), {"titles": titles})
    stopped: BaseException | None = None
    with Display(quiet) as display, scratch_folder() as scratch:
        bench = Bench(writer, display, scratch)
        try:
            _measure_all(bench, target, other, sweep)
        except (WorkbenchError, KeyboardInterrupt) as error:
            if not writer.has_begun:
                raise
            stopped = error
        writer.end(_status(stopped))
    found = _report(folder, force)
    if stopped is not None:
        raise stopped
    return found


def _measure_all(bench: Bench, target: Target, other: Other | None, sweep: str | None) -> None:
    _measure_target(bench, 0, target)
    if other is not None and other.target is not None:
        _measure_target(bench, 1, other.target)
    elif other is not None and other.run is not None:
        from workbench.analysis.memory_sides import SIDE, SWEEP

        own = [record for record in other.run.records if record.metric != SWEEP and not record.data.get(SIDE)]
        bench.write(1, *own)
    if sweep is not None:
        _sweep(bench, target.encode("memory"), sweep, target.timeout_s)


def _measure_target(bench: Bench, side: int, target: Target) -> None:
    if target.subject is None:
        _measure_program(bench, side, target)
    else:
        _measure_encode(bench, side, target, target.subject)


def _measure_encode(bench: Bench, side: int, target: Target, subject: Subject) -> None:
    from workbench.encode import warm
    from workbench.instruments import memory as instrument
    from workbench.instruments.stacks import build_environment

    compiled, timeout_s = is_compiled(subject.kernels), target.timeout_s
    warm_up, frames = _steady_frames(target, subject, compiled)
    bench.display.step(f"compile kernels {subject.kernels} (kept in the cache)", 1)
    warm(subject.encoder, subject.kernels, timeout_s)
    bench.write(side, *bench.step("resident set", lambda folder: instrument.watch_encode(subject, folder, timeout_s)))
    if frames <= warm_up:
        said = f"a steady state begins behind the first {warm_up} frames: allocations need more --frames than {frames}"
        bench.write(side, _uncounted(subject.entry(), said))
        return
    long = subject.change(frames=frames)
    length: dict[str, Any] = {"timeout_s": timeout_s, "warm_up": warm_up, "frames": frames}
    if instrument.is_installed():
        taken = bench.step(f"allocations of {frames - warm_up} frames", partial(instrument.measure, long, **length))
        bench.write(side, *taken)
        if _objects_rise(taken[0]):
            kept = partial(instrument.measure_objects, long, **length)
            bench.write(side, *bench.step("Python objects, which grow in number", kept))
    else:
        bench.write(side, _uncounted(subject.entry(), _NO_MEMRAY))
    if compiled:
        inside = partial(instrument.measure_kernels, long, environment=build_environment(), **length)
        bench.write(side, *bench.step("allocations of compiled code", inside))


def _steady_frames(target: Target, subject: Subject, compiled: bool) -> tuple[int, int]:
    """Packets before the steady state, and pictures to encode in all."""
    given = "--frames" in words_before(target)
    if not compiled:
        return 1, subject.frames if given else min(INTERPRETED_FRAMES, subject.frames)
    frames = int(words_before(target)[words_before(target).index("--frames") + 1]) if given else WARM_UP + STEADY_FRAMES
    return min(WARM_UP, max(1, frames // 2)), frames


def _objects_rise(record: Record) -> bool:
    from workbench.analysis.memory_sides import steady_of

    return bool(record.values) and steady_of(record).objects_rise is not None


def _uncounted(subject: Mapping[str, Any], why: str) -> Record:
    """A record without a value, which says why."""
    from workbench.instruments.memory import INSTRUMENT
    from workbench.record import Record

    return Record(INSTRUMENT, "allocations", "count", subject, (), {}, (why,))


def _measure_program(bench: Bench, side: int, target: Target) -> None:
    from workbench.analysis.memory_sides import steady_of
    from workbench.instruments import memory as instrument
    from workbench.instruments.stacks import build_environment

    words, timeout_s = target.program, target.timeout_s
    about = {"program": list(words)}
    resident = bench.step(
        "resident set", lambda folder: instrument.watch_resident(words, {}, folder, timeout_s, about)
    )[0]
    if why := instrument.failure(resident):
        ended = (*resident.warnings, f"the program ended: {why}")
        resident = dataclasses.replace(resident, warnings=ended)
    bench.write(side, resident)
    if not instrument.is_installed():
        bench.write(side, _uncounted(about, _NO_MEMRAY))
        return
    if not instrument.is_python(resident):
        executable = resident.data["executable"] or "gone"
        said = f"allocations are counted of Python programs only; this one is {executable}"
        bench.write(side, _uncounted(about, said))
        return

    taken = bench.step("allocations", lambda folder: instrument.measure_program(words, folder, timeout_s, about))
    bench.write(side, *taken)
    if taken[0].values and steady_of(taken[0]).compiled:
        kernels = bench.step(
            "allocations of compiled code",
            lambda folder: instrument.program_kernels(words, folder, timeout_s, about, build_environment()),
        )
        bench.write(side, *kernels)


# --- sweeps -----------------------------------------------------------------------------------------------------------


def _sweep(bench: Bench, subject: Subject, by: str, timeout_s: float) -> None:
    from workbench.analysis.memory_sides import SWEEP
    from workbench.instruments import memory as instrument

    variants, notes = _sizes(subject) if by == "resolution" else _threads(subject)
    for label, x, variant in variants:
        watch = partial(instrument.watch_encode, variant, timeout_s=timeout_s)
        taken = bench.step(f"resident set, {label}", watch)[0]
        data = {"by": by, "label": label, "x": x}
        record = dataclasses.replace(taken, metric=SWEEP, data=data, warnings=(*taken.warnings, *notes))
        bench.writer.write(record)


def _sizes(subject: Subject) -> tuple[list[tuple[str, float, Subject]], tuple[str, ...]]:
    """The middle of the clip's pictures in several sizes."""
    from workbench.corpus import load_corpus
    from workbench.corpus.clips import Cropped
    from workbench.profiling.session import y4m_file

    clip = load_corpus(subject.source).clips[0]
    variants = []
    for part, whole in SWEEP_PARTS:
        width, height = (max(16, side * part // whole // 8 * 8) for side in (subject.width, subject.height))
        if part == whole:
            variant = subject
        else:
            cut = dataclasses.replace(
                clip, name=f"{subject.clip}_{width}x{height}", width=width, height=height, frames=subject.frames,
                sha256=None, source=Cropped(clip, 0), path=None,
            )  # fmt: skip
            variant = subject.change(source=y4m_file(cut).resolve(), width=width, height=height)
        label = f"{variant.width}x{variant.height}"
        variants.append((label, variant.width * variant.height / 1e6, variant))
    return variants, (
        f"Sizes are cut from the middle of {subject.clip}; each is an encode of {subject.frames} frames.",
    )


def _threads(subject: Subject) -> tuple[list[tuple[str, float, Subject]], tuple[str, ...]]:
    """One to eight threads on as many tiles as the picture can be cut into."""
    from workbench.instruments.tiles import layout

    grids = [grid for count in SWEEP_THREADS if (grid := layout(subject.width, subject.height, count)) is not None]
    grid = grids[-1]
    if grid.count == 1:
        size = f"{subject.width}x{subject.height}"
        raise InputError(f"--sweep threads: {subject.clip} is {size}, too small for two tiles; threads work on tiles")
    tiled = subject.change(tile_cols_log2=grid.cols_log2, tile_rows_log2=grid.rows_log2)
    variants = [
        (f"{count} thread{'s' if count > 1 else ''}", float(count), tiled.change(threads=count))
        for count in SWEEP_THREADS
        if count <= grid.count
    ]
    return variants, (f"All with the same {grid.count} tiles, on {subject.frames} frames.",)


# --- afterwards -------------------------------------------------------------------------------------------------------


def _status(stopped: BaseException | None) -> str:
    if isinstance(stopped, KeyboardInterrupt):
        return "interrupted"
    return "failed" if stopped is not None else "complete"


def _report(folder: Path, force: bool) -> Sides:
    from workbench.analysis.memory_sides import memory_sides
    from workbench.record import read_run
    from workbench.report.memory_page import PAGE_STEM, memory_document
    from workbench.report.write import write_document

    run = read_run(folder)
    write_document(memory_document(run), folder, PAGE_STEM, force)
    return memory_sides(run)


def remake(folder: Path, quiet: bool) -> dict[str, Any]:
    """Write the pages of a run again from its records; returns its figures."""
    from workbench.report.memory_json import memory_json

    found = _report(folder, force=True)
    if not quiet:
        _print(found, folder)
    return memory_json(found, {}, folder / _PAGE)


def _print(found: Sides, folder: Path) -> None:
    from workbench.record import read_run
    from workbench.report.memory_wording import sentences
    from workbench.report.terminal import print_sentences

    warnings = [f"warning: {text}" for side in found.sides for text in side.warnings]
    print_sentences([*warnings, *sentences(found)], read_run(folder), folder / _PAGE, sys.stdout)


def _exceeded(gates: Gates, side: Side) -> list[str]:
    """A line for each gate that is exceeded. Raises EnvironmentFault for one that could not be judged."""
    from workbench.report.memory_wording import leak_text, number

    lines = []
    if gates.max_rss_bytes is not None:
        if side.resident is None:
            raise EnvironmentFault("--max-rss: the resident set was not measured")
        if side.resident.max_bytes > gates.max_rss_bytes:
            seen, allowed = units.byte_size(side.resident.max_bytes), units.byte_size(gates.max_rss_bytes)
            lines.append(f"--max-rss: the maximum resident set is {seen}, {allowed} are allowed")
    if gates.max_allocations_per_frame is not None:
        if side.allocations_per_frame is None:
            raise EnvironmentFault("--max-allocations-per-frame: no frames were tracked; give more --frames")
        if side.allocations_per_frame > gates.max_allocations_per_frame:
            seen, allowed = number(side.allocations_per_frame), number(gates.max_allocations_per_frame)
            lines.append(f"--max-allocations-per-frame: a frame makes {seen}, {allowed} are allowed")
    if gates.no_leaks:
        lines += _leaking(side, leak_text)
    return lines


def _leaking(side: Side, leak_text: Callable[[Any, bool], str]) -> list[str]:
    from workbench.report.memory_wording import leak_sentences

    if side.steady is None or not side.steady.is_decided:
        raise EnvironmentFault(f"--no-leaks: {' '.join(leak_sentences(side)) or 'allocations were not tracked'}")
    if not side.leaks and side.unnamed_objects_rise is None:
        return []
    has_frames = side.frames is not None
    first = leak_text(side.leaks[0], has_frames) if side.leaks else "Python objects grow in number"
    more = f"; {len(side.leaks) - 1} more places grow" if len(side.leaks) > 1 else ""
    return [f"--no-leaks: {first}{more}"]
