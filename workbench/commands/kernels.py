"""`workbench kernels list | check | bench`: the kernel table, held against its reference and timed."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import textwrap
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from encoder.config import DEFAULT_KERNELS
from workbench import units
from workbench.commands.common import (
    Command,
    Display,
    again,
    command_line,
    kernel_sets,
    new_folder,
    output_options,
    terminated_as_interrupted,
)
from workbench.errors import InputError, OutputsDifferError
from workbench.files import refuse_existing, scratch_folder, write_text

if TYPE_CHECKING:
    from encoder.kernels.table import Slot
    from workbench.instruments.micro import Checked, SizeTimes
    from workbench.record import Record

SCHEMA = 1
_CHECK_TIMEOUT_S = 600.0
_BENCH_TIMEOUT_S = 3600.0
_SHOWN_DIFFERENCES = 5


@click.group()
def kernels() -> None:
    """The kernel table: list its slots, check a set against the reference, time kernels alone."""


def _slot_options(command: Command) -> Command:
    for option in (
        click.option("--slot", "slots", multiple=True, metavar="NAME", help="Only this slot; may be repeated."),
        click.option(
            "--kernels",
            "--set",
            "spec",
            default=DEFAULT_KERNELS,
            show_default=True,
            metavar="SETS",
            help="Kernel sets: numpy,simd; with overrides: simd,satd=mine.py:fast_satd.",
        ),
    ):
        command = option(command)
    return command


@kernels.command("list")
@click.option("--slot", "slots", multiple=True, metavar="NAME", help="Only this slot, with its whole contract.")
@output_options
def list_slots(slots: tuple[str, ...], json_path: Path | None, quiet: bool, force: bool) -> None:
    """Every slot: which sets have a body of their own for it, its contract and its signature.

    "simd=numba" says that simd has none and takes that of numba.
    """
    chosen = _chosen(slots)
    rows = [_row(slot) for slot in chosen]
    _write_json(json_path, force, {"schema": SCHEMA, "slots": rows})
    if quiet:
        return
    room = max(shutil.get_terminal_size((120, 24)).columns - 55, 40)
    for row in rows:
        short = textwrap.shorten(row["contract_in_short"], room, placeholder=" ...")
        stand_in = f" simd={row['stand_in']}" if row["stand_in"] else ""
        click.echo(f"{row['slot']:23} {' '.join(row['sets']) + stand_in:30} {short}")
        if slots:
            click.echo(f"\n{row['signature']}\n{row['contract']}\n")


def _row(slot: Slot) -> dict[str, Any]:
    contract = "\n".join(line.strip() for line in slot.contract.strip().splitlines())
    return {
        "slot": slot.name,
        "family": slot.family,
        "sets": _sets_with(slot),
        "stand_in": _stand_in(slot),
        "contract": contract,
        "contract_in_short": in_short(contract),
        "signature": signature_text(slot.signature),
    }


def in_short(contract: str) -> str:
    """The first sentence behind the list of arguments."""
    text = " ".join(contract.split()).partition(")")[2].strip()
    sentence = re.match(r".*?(?<![.])[.](?=\s|$)", text)
    return sentence.group() if sentence else text


def signature_text(signature: Any) -> str:
    """`int64(uint8[], int64, ...)`: a flat, contiguous array has brackets."""
    return re.sub(r"Array\((\w+), 1, 'C'[^)]*\)|array\((\w+), 1d, C\)", lambda m: f"{m[1] or m[2]}[]", str(signature))


def _sets_with(slot: Slot) -> list[str]:
    """The sets that have a body of their own for a slot; simd takes that of numba where it has none, numba compiles the
    python one."""
    from encoder.kernels.load import SETS, set_with_body

    return [name for name in SETS if set_with_body(slot, name) == name]


def _stand_in(slot: Slot) -> str:
    """The set whose body simd takes for a slot that it has none for; empty if it has one."""
    from encoder.kernels.load import set_with_body

    name = set_with_body(slot, "simd")
    return "" if name == "simd" else name


@kernels.command("check")
@_slot_options
@click.option("--seed", type=int, default=0, show_default=True, help="Of the cases.")
@output_options
def check_kernels(
    spec: str, slots: tuple[str, ...], seed: int, json_path: Path | None, quiet: bool, force: bool
) -> None:
    """Hold sets against the python set: every case, bit for bit, guard samples around the blocks included.

    Exit status 4 when a kernel differs.
    """
    names = [slot.name for slot in _chosen(slots)]
    with terminated_as_interrupted():
        checked = _check(kernel_sets(spec), names, seed, quiet)
    _write_json(json_path, force, {"schema": SCHEMA, "seed": seed, "checked": [dataclasses.asdict(c) for c in checked]})
    if not quiet:
        for item in checked:
            _print_checked(item)
        click.echo(f"\n{again()}")
    _raise_if_different(checked)


def _check(sets: Sequence[str], slots: Sequence[str], seed: int, quiet: bool) -> list[Checked]:
    from workbench.instruments import micro
    from workbench.subject import same_imports

    environment = same_imports()
    checked = []
    with Display(quiet) as display:
        for name in sets:
            display.step(f"check {name}", len(slots))
            checked += micro.check(name, slots, seed, environment, _CHECK_TIMEOUT_S)
    return checked


def _print_checked(item: Checked) -> None:
    verdict = "differs" if item.differences else f"equal in {item.cases} cases"
    click.echo(f"{item.slot:22} {item.kernels:12} {verdict}   {item.origin}")
    for difference in item.differences[:_SHOWN_DIFFERENCES]:
        click.echo(f"    {difference}")
    if len(item.differences) > _SHOWN_DIFFERENCES:
        click.echo(f"    and {len(item.differences) - _SHOWN_DIFFERENCES} more")


def _raise_if_different(checked: Sequence[Checked]) -> None:
    wrong = [item for item in checked if item.differences]
    if wrong:
        first = wrong[0]
        raise OutputsDifferError(
            f"{len(wrong)} of {len(checked)} kernels differ from the python set, first {first.slot} of {first.kernels}: "
            f"{first.differences[0]}"
        )


@kernels.command("bench")
@_slot_options
@click.option("--case", "pattern", default="*", show_default=True, metavar="PATTERN", help="Cases like '16x16*'.")
@click.option("--sizes", is_flag=True, help="Size by size, the sets in turns in one process, instead of by pyperf.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the records in this folder.")
@output_options
def bench_kernels(
    spec: str,
    slots: tuple[str, ...],
    pattern: str,
    sizes: bool,
    out: Path | None,
    json_path: Path | None,
    quiet: bool,
    force: bool,
) -> None:
    """Time kernels alone by pyperf, on the cases they are checked on; one that differs is not timed.

    The figure is the mean time of a call over the slot's cases. With --sizes a line for each slot and size: the fastest
    of some rounds, cycles a sample, how many times slower the other sets are, and means by what kernels do. Exit status
    4 when a kernel differs.
    """
    sets, names = kernel_sets(spec), [slot.name for slot in _chosen(slots)]
    if sizes:
        if pattern != "*" or out is not None:
            raise InputError("--sizes takes all cases and keeps no records: leave out --case and --out, or --sizes")
        _bench_sizes(sets, names, json_path, quiet, force)
        return
    _require_cases(names, pattern)
    with terminated_as_interrupted():
        checked = _check(sets, names, 0, quiet)
        right = {name: [c.slot for c in checked if c.kernels == name and not c.differences] for name in sets}
        records = _bench(right, pattern, quiet)
    _keep(records, out, force)
    _write_json(json_path, force, {"schema": SCHEMA, "benchmarks": [_benchmark(record) for record in records]})
    if not quiet:
        _print_times(records, sets)
        click.echo(f"\n{again()}")
    _raise_if_different(checked)


def _bench_sizes(sets: Sequence[str], slots: Sequence[str], json_path: Path | None, quiet: bool, force: bool) -> None:
    from workbench.instruments import micro
    from workbench.subject import same_imports

    with terminated_as_interrupted():
        checked = _check(sets, slots, 0, quiet)
        wrong = {item.slot for item in checked if item.differences}
        times = micro.by_size(sets, [slot for slot in slots if slot not in wrong], same_imports(), _BENCH_TIMEOUT_S)
    _write_json(json_path, force, {"schema": SCHEMA, "sizes": [dataclasses.asdict(item) for item in times]})
    if not quiet:
        _print_sizes(times, sets)
        _print_means(times, sets)
        click.echo(f"\n{again()}")
    _raise_if_different(checked)


def _print_sizes(times: Sequence[SizeTimes], sets: Sequence[str]) -> None:
    """One line a slot and size: the first set's time and cycles a sample, without the call itself, and the others'
    times over it, with the call."""
    main, *others = sets
    click.echo(" ".join([f"{'slot':22} {'size':24} {main + ' ns':>9} {'call ns':>8} {'cycles/sample':>14}", *others]))
    for item in times:
        cycles = max(0.0, item.ns[main] - item.call_ns) / item.cycle_ns / item.samples
        ratios = [f"{item.ns[name] / item.ns[main]:{max(len(name), 7)}.2f}" for name in others]
        figures = f"{item.ns[main]:9.1f} {item.call_ns:8.1f} {cycles:14.3f}"
        click.echo(" ".join([f"{item.slot:22} {item.size:24} {figures}", *ratios]))


def _print_means(times: Sequence[SizeTimes], sets: Sequence[str]) -> None:
    """Geometric means over sizes: the first set against each other one, and against dav1d's own figures."""
    from workbench.analysis.kernel_speed import against_dav1d, group_ratios
    from workbench.stats import geometric_mean

    main, *others = sets
    for other in others:
        means = group_ratios([item.ns for item in times], [item.slot for item in times], main, other)
        said = ", ".join(f"{group} {ratio:.2f}" for group, ratio in means.items())
        if said:
            click.echo(f"\n{main} is so many times faster than {other} (geometric means over sizes): {said}")
    compared = against_dav1d({(item.slot, item.size): item.ns[main] - item.call_ns for item in times})
    if compared:
        said = ", ".join(f"{slot} {size} {ratio:.2f}" for (slot, size), ratio in compared.items())
        mean = geometric_mean(list(compared.values()))
        beside = "dav1d 1.5.1 with AVX2 on another machine"
        click.echo(f"\n{main} takes so many times as long as {beside}: {said}; geometric mean {mean:.2f}")


def _require_cases(slots: Sequence[str], pattern: str) -> None:
    from encoder.kernels.cases import cases_of

    for slot in slots:
        labels = [case.label for case in cases_of(slot)]
        if not any(fnmatch(label, pattern) for label in labels):
            raise InputError(f"--case {pattern!r}: no case of {slot} is like that; it has {', '.join(labels[:4])} ...")


def _bench(right: dict[str, list[str]], pattern: str, quiet: bool) -> list[Record]:
    from workbench.instruments import micro
    from workbench.subject import same_imports

    environment = same_imports()
    records = []
    with Display(quiet) as display, scratch_folder() as folder:
        for name, slots in right.items():
            display.step(f"bench {name}", len(slots))
            for slot in slots:
                display.now(slot)
                records.append(micro.bench(name, slot, pattern, folder, environment, _BENCH_TIMEOUT_S))
                display.tick()
    return records


def _keep(records: Sequence[Record], out: Path | None, force: bool) -> None:
    from workbench.machine import fingerprint
    from workbench.record import RunWriter

    if out is None:
        return
    writer = RunWriter(new_folder("kernels", out, force), "kernels", command_line(), fingerprint())
    writer.write(*records)
    writer.end("complete")


def _benchmark(record: Record) -> dict[str, Any]:
    from workbench.stats import median

    return {**record.subject, "median_s": median(record.values), "values_s": list(record.values)}


def _print_times(records: Sequence[Record], sets: Sequence[str]) -> None:
    """One line a slot and set: the time of a call, its spread, and against the first set of the command line."""
    from workbench.stats import median, robust_spread

    main = {record.subject["slot"]: median(record.values) for record in records if record.subject["kernels"] == sets[0]}
    for record in records:
        slot, kernel_set = record.subject["slot"], record.subject["kernels"]
        time_s = median(record.values)
        spread = units.percent(robust_spread(record.values) / time_s)
        speed = units.times(main[slot] / time_s) if slot in main and kernel_set != sets[0] else ""
        against = f"{speed} the speed of {sets[0]}" if speed else ""
        click.echo(f"{slot:22} {kernel_set:12} {units.seconds(time_s):>9} ± {spread:7} {against}".rstrip())
        for warning in record.warnings:
            click.echo(f"    warning: {warning}")


def _chosen(names: Sequence[str]) -> list[Slot]:
    """The slots of these names, or all. Raises InputError for a name that is none."""
    from encoder.kernels.table import SLOTS

    for name in names:
        if name not in SLOTS:
            raise InputError(f"there is no slot {name!r}; slots are: {', '.join(SLOTS)}")
    return [SLOTS[name] for name in names or SLOTS]


def _write_json(path: Path | None, force: bool, content: dict[str, Any]) -> None:
    if path is not None:
        refuse_existing(path, force)
        write_text(path, json.dumps(content, indent=1) + "\n")
