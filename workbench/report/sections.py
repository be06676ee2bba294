"""The sections of a profile's report, from its findings. A part that was not measured says so and why, as far as the records know."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from workbench import units
from workbench.analysis import amdahl
from workbench.analysis.findings import Findings
from workbench.analysis.hotspots import hottest
from workbench.analysis.memory import top_sites
from workbench.analysis.stacks import SetProfile
from workbench.analysis.stages import ClipStages, serial_stages
from workbench.analysis.tiles import cost_by_tiles
from workbench.report import pictures, summary
from workbench.report.columns import MISSING, bytes_column, number, percent_number, seconds_column
from workbench.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Details,
    Document,
    KeyFigures,
    Note,
    Picture,
    Section,
    Table,
    Text,
)
from workbench.report.flame import flame_picture

FLAME_NAME = "flame.html"
ENDS = {
    "complete": "complete",
    "budget": "ended by its time budget",
    "interrupted": "interrupted",
    "failed": "ended by an error",
    "killed": "killed before it could finish",
}
_SHOWN_STACK_CLIPS = 12


def profile_document(found: Findings) -> Document:
    """The whole report of a `workbench profile` run."""
    header = found.run.header
    machine = header.get("machine", {})
    wall_s = (found.run.end or {}).get("wall_s")
    facts = [f"started {header['started']}" if header.get("started") else "", f"took {units.seconds(wall_s)}" if wall_s else ""]
    facts += [f"{ENDS.get(status_of(found), status_of(found))}", f"{machine['cores']} cores, {machine['cpu']}" if "cpu" in machine else ""]
    return Document(
        title=f"Profile of {', '.join(found.kernel_sets) or 'an encoder'} on {_counted(len({s.clip for s in found.subjects}), 'clip')}",
        subtitle="`" + shlex.join(["workbench", str(header.get("verb", "")), *map(str, header.get("arguments", ()))]) + "`",
        sections=tuple(_section(anchor, title, blocks(found)) for anchor, title, blocks in _SECTIONS),
        facts=tuple(fact for fact in facts if fact),
    )


def status_of(found: Findings) -> str:
    """How the run ended; a run without a last line was killed."""
    return str((found.run.end or {}).get("status", "killed"))


def _section(anchor: str, title: str, blocks: Sequence[Block]) -> Section:
    return Section(anchor, title, tuple(blocks))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _not_measured(found: Findings, what: str) -> list[Block]:
    return [Note(f"{what}: not measured. The run is {ENDS.get(status_of(found), status_of(found))}.", "quiet")]


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"


def _summary(found: Findings) -> list[Block]:
    figures, said = summary.key_figures(found), summary.sentences(found)
    if not said:
        return [Note("The records hold no measurement yet: there is nothing to report.")]
    blocks: list[Block] = [KeyFigures(figures)] if figures else []
    if status_of(found) != "complete":
        blocks.append(Note(f"This run is {ENDS.get(status_of(found), status_of(found))}: [what is missing](#unknown) stands at the end."))
    return [*blocks, Bullets(tuple(said))]


def _machine(found: Findings) -> list[Block]:
    machine = dict(found.run.header.get("machine", {}))
    if not machine:
        return _not_measured(found, "The machine's fingerprint")
    machine["memory_bytes"] = units.byte_size(machine["memory_bytes"]) if machine.get("memory_bytes") else None
    shown = {key.removesuffix("_bytes").replace("_", " "): value for key, value in machine.items() if value is not None}
    rows = tuple((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for name, value in shown.items())
    commands = dict.fromkeys(shlex.join(record.command) for record in found.run.records if record.command)
    return [
        Table((Column("property", number=False), Column("value", number=False)), rows),
        Details(f"The exact commands ({len(commands)})", (Code(tuple(commands)),)),
        Note("Compare figures only between equal machines and equal package lists; `hash` stands for all of the above.", "quiet"),
    ]


def _selection(found: Findings) -> list[Block]:
    if not found.candidates:
        return _not_measured(found, "Coverage by clip")
    chosen = [one for one in found.candidates if one.chosen]
    most = max(one.covered for one in found.candidates) or 1
    unit, costs = seconds_column([one.seconds for one in found.candidates])
    columns = ("clip", False), ("chosen", True), ("new lines and branches", True), ("covers", True), (f"cost, {unit}", True), ("new per s", True)
    rows = [
        (
            one.clip,
            str(at + 1) if one.chosen else Cell("no", tone="quiet"),
            units.count(one.new_items) if one.new_items is not None else MISSING,
            Cell(units.count(one.covered), share=one.covered / most),
            cost,
            number(one.new_items / one.seconds, 0) if one.chosen and one.new_items is not None and one.seconds else MISSING,
        )
        for at, (one, cost) in enumerate(zip(found.candidates, costs, strict=True))
    ]
    reachable = sum(one.new_items or 0 for one in chosen)
    blocks: list[Block] = [
        Text("Clips are taken in the order of new executed lines and branches per second of encoding, until the budget is spent or nothing new comes."),
        Table(tuple(Column(title, is_number) for title, is_number in columns), tuple(rows)),
    ]
    if len(chosen) > 1 and reachable:
        svg = pictures.selection_picture(chosen, found.never.covered_items if found.never else reachable)
        blocks.insert(1, Picture("selection", svg, "Covered lines and branches against seconds of encoding"))
    return [*blocks, *_never(found)]


def _never(found: Findings) -> list[Block]:
    never = found.never
    if never is None:
        return []
    text = f"All clips together reach {units.percent(never.share)} of {units.count(never.total_items)} lines and branches."
    if not never.files:
        return [Text(text)]
    files = sorted(never.files, key=lambda file: (-never.lines(file), file))
    rows = tuple(
        (_code(file), str(never.lines(file)), ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in never.files[file])) for file in files
    )
    table = Table((Column("file", False), Column("lines"), Column("which", False)), rows)
    lines = sum(never.lines(file) for file in files)
    return [Text(text), Details(f"What no clip reaches: {_counted(lines, 'line')} in {_counted(len(files), 'file')}", (table,))]


def _checks(found: Findings) -> list[Block]:
    if not found.outputs and not found.agreements:
        return _not_measured(found, "Streams")
    agreements = {one.clip: one for one in found.agreements}
    unit, sizes = bytes_column([clip.stream_bytes for clip in found.outputs])
    columns = ("clip", False), ("frames", True), (f"stream, {unit}", True), ("bits per pixel", True), ("PSNR of luma, dB", True), ("decodes", False), ("sets agree", False)
    pixels = {clip.subject: clip.width * clip.height for clip in found.times if clip.width and clip.height}
    rows = []
    for clip, size in zip(found.outputs, sizes, strict=True):
        samples = (pixels.get(clip.subject) or 0) * (clip.frames or 0)
        bits = clip.stream_bytes * 8 / samples if clip.stream_bytes is not None and samples else None
        agree = agreements.get(clip.subject.clip)
        rows.append(
            (
                found.label(clip.subject),
                str(clip.frames or MISSING),
                size,
                number(bits, 3),
                number(clip.psnr_y, 2),
                _yes(clip.decodes, ", ".join(filter(None, clip.decoders))),
                _yes(agree.agree if agree else None, ", ".join(agree.digests) if agree else ""),
            )
        )
    blocks: list[Block] = [Table(tuple(Column(title, is_number) for title, is_number in columns), tuple(rows))] if rows else []
    blocks += [Note(f"{found.label(clip.subject)}: {clip.message}", "bad") for clip in found.outputs if clip.decodes is False and clip.message]
    small = next((one for one in found.agreements if one.width and one.height), None)
    if small is not None:
        blocks.append(Note(f"The sets were compared on {small.width}x{small.height}, {_counted(small.frames or 0, 'frame')} of each clip, as the interpreted ones are slow.", "quiet"))
    return blocks


def _yes(answer: bool | None, by: str) -> Cell:
    if answer is None:
        return Cell("not checked", tone="quiet")
    return Cell(f"yes, {by}" if by else "yes", tone="good") if answer else Cell("NO", tone="bad")


def _times(found: Findings) -> list[Block]:
    if not found.times:
        return _not_measured(found, "Times")
    timed = found.times
    labels = [found.label(clip.subject) for clip in timed]
    unit, medians = seconds_column([clip.per_frame_s for clip in timed])
    start_unit, starts = seconds_column([clip.start_up_s for clip in timed])
    longest = max(clip.per_frame_s for clip in timed)
    step = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    columns = ("clip", False), ("size", False), (f"time per frame, {unit}", True), ("95 % interval", True), ("spread, %", True), ("frames/s", True), (f"start-up, {start_unit}", True), ("n", True)
    rows = []
    for clip, label, middle, start in zip(timed, labels, medians, starts, strict=True):
        decimals = len(middle.partition(".")[2])
        ends = clip.interval
        spread = clip.relative_spread
        rows.append(
            (
                label,
                f"{clip.width}x{clip.height}" if clip.width else MISSING,
                Cell(middle, share=max(clip.per_frame_s, 0) / longest if longest > 0 else None),
                f"{number(ends.low / step, decimals)} to {number(ends.high / step, decimals)}" if ends else MISSING,
                Cell(percent_number(spread), tone="warn" if spread > summary.NOISY else ""),
                f"{clip.frames_per_s:.3g}" if clip.frames_per_s else MISSING,
                start,
                str(len(clip.samples)),
            )
        )
    picture = Picture(
        "times",
        pictures.times_picture(timed, labels),
        "Time per frame of every repetition, by clip",
        "Every repetition is a dot, the stroke is the median, the band its 95 % bootstrap interval, a red ring an outlier (modified z-score above 3.5).",
    )
    warned = [f"**{found.label(clip.subject)}**: {warning}" for clip in timed for warning in clip.warnings]
    blocks: list[Block] = [
        Text("Whole encodes, each a process of its own, at two lengths in random order: the difference is the time of the frames, what is left is start-up."),
        picture,
        Table(tuple(Column(title, is_number) for title, is_number in columns), tuple(rows)),
        Note("Spread is the robust standard deviation (1.4826 MAD) over the median; n is the number of repetitions. Of 5 or fewer the interval is their range.", "quiet"),
    ]
    if warned:
        blocks.append(Details(f"{_counted(len(warned), 'warning')} from the clock", (Bullets(tuple(warned)),)) if len(warned) > 4 else Bullets(tuple(warned)))
    return [*blocks, *_whole_encodes(found)]


def _whole_encodes(found: Findings) -> list[Block]:
    """The raw samples: whole processes at each length."""
    records = found.run.select(metric="wall")
    cpu = {_length(record): record for record in found.run.select(metric="cpu")}
    rows = []
    for record in records:
        processor = cpu.get(_length(record))
        samples = "  ".join(f"{value:.3f}" for value in record.values)
        busy = f"{sum(processor.values) / sum(record.values):.2f}" if processor and record.values and processor.values else MISSING
        rows.append((f"{record.subject.get('clip', '')} ({record.subject.get('kernels', '')})", str(record.subject.get("frames", MISSING)), busy, samples))
    if not rows:
        return []
    columns = (Column("clip", False), Column("frames"), Column("CPU / wall"), Column("wall seconds, in the order taken", False))
    return [Details("Raw samples: every whole encode", (Table(columns, tuple(rows)),))]


def _length(record: object) -> tuple[object, ...]:
    subject = record.subject  # type: ignore[attr-defined]
    return tuple(subject.get(key) for key in ("clip", "kernels", "frames", "tiles", "threads"))


def _stages(found: Findings) -> list[Block]:
    if not found.stages:
        return _not_measured(found, "Stages")
    single = [clip for clip in found.stages if clip.tile_count == 1] or found.stages
    labels = [found.label(clip.subject) for clip in single]
    names = [name for name in pictures.STAGE_COLOURS if any(name in clip.stages for clip in single)]
    names += sorted({name for clip in single for name in clip.stages} - set(names))
    rows = []
    for clip, label in zip(single, labels, strict=True):
        total = sum(clip.stages.values())
        shares = [clip.stages.get(name, 0.0) / total if total else None for name in names]
        rows.append((label, *(percent_number(share) for share in shares), percent_number(clip.parallel_share)))
    columns = (Column("clip", False), *(Column(f"{name}, %") for name in names), Column("in tiles, %"))
    blocks: list[Block] = [
        Text("From spans inside the compiled code, one encode of each clip on its own."),
        Picture("stages", pictures.stages_picture(single, labels), "Share of each stage by clip"),
        Table(columns, tuple(rows)),
    ]
    return [*blocks, *_tile_stages(found)]


def _tile_stages(found: Findings) -> list[Block]:
    """Tiles of the encodes with most tiles; the picture is of the most uneven one."""
    several = [clip for clip in found.stages if len(clip.tiles) > 1]
    if not several:
        return []
    worst = max(several, key=lambda clip: clip.imbalance or 0.0)
    rows = tuple(
        (found.label(clip.subject), str(len(clip.tiles)), f"{clip.imbalance:.2f}" if clip.imbalance else MISSING, _bound(clip)) for clip in several
    )
    columns = (Column("clip", False), Column("tiles"), Column("slowest tile / mean tile"), Column("speed-up of the tiles is at most"))
    caption = f"{found.label(worst.subject)}, {len(worst.tiles)} tiles: the most uneven of the encodes below; the broken line is the mean tile."
    return [
        Picture("tile-stages", pictures.tile_stages_picture(worst, "tile-stages"), "Time of each tile by stage", caption),
        Table(columns, rows),
    ]


def _bound(clip: ClipStages) -> str:
    return f"{len(clip.tiles) / clip.imbalance:.2f}x" if clip.imbalance else MISSING


def _functions(found: Findings) -> list[Block]:
    if not found.profiles:
        return _not_measured(found, "Hottest functions")
    blocks: list[Block] = []
    for profile in found.profiles:
        if len(found.profiles) > 1:
            blocks.append(Text(f"**Kernel set {profile.kernels}**"))
        blocks += _set_functions(found, profile)
    return blocks


def _set_functions(found: Findings, profile: SetProfile) -> list[Block]:
    top = profile.top
    clips = profile.clips[:_SHOWN_STACK_CLIPS]
    shares = [clip.profile for clip in clips]
    rows = tuple(
        (
            str(at),
            _code(summary.function_name(hot.name)),
            Cell(percent_number(hot.share), share=hot.share / top[0].share),
            *(percent_number(share.get(hot.name, 0.0)) for share in shares),
        )
        for at, hot in enumerate(top, 1)
    )
    columns = (Column(""), Column("function, by time in itself", False), Column("all clips, %"), *(Column(f"{clip.subject.clip}, %") for clip in clips))
    samples = sum(clip.samples for clip in profile.clips)
    resolved = [clip.resolved_share for clip in profile.clips if clip.resolved_share is not None]
    said = f"{units.count(samples)} samples of py-spy; every clip counts the same in the first column."
    if resolved:
        said += f" {units.percent(min(resolved))} of the samples or more have a name."
    places = Bullets(tuple(f"{_code(summary.function_name(hot.name))} {hot.name.partition(' (')[2].rstrip(')')}" for hot in top))
    return [Text(said), Table(columns, rows), *_agreement(profile), _own_tops(profile), Details("Where these functions are", (places,))]


def _agreement(profile: SetProfile) -> list[Block]:
    agreement = profile.agreement
    if agreement is None:
        return [Note("One clip only: how far clips agree cannot be said.", "quiet")]
    first, second, distance = agreement.furthest
    return [
        Bullets(
            (
                f"{summary.agreement_words(agreement.overlap, agreement.distance)} {len(agreement.in_every_top)} are among the ten hottest of every clip.",
                f"Jensen-Shannon distance of two clips' profiles: {agreement.distance:.2f} on average, {distance:.2f} between {first} and {second}"
                " (0 is the same split of time, 1 nothing in common).",
                f"Rank-biased overlap of two clips' orders: {agreement.rank_overlap:.2f} on average"
                " (1 is the same order, 0 nothing in common; the top ranks count most).",
            )
        )
    ]


def _own_tops(profile: SetProfile) -> Details:
    """The ten hottest functions of each clip by itself."""
    tops = [hottest(clip.profile) for clip in profile.clips]
    depth = max(len(top) for top in tops)
    rows = tuple(
        (str(rank + 1), *(f"{_code(summary.function_name(top[rank].name))} {percent_number(top[rank].share)}" if rank < len(top) else "" for top in tops))
        for rank in range(depth)
    )
    columns = (Column(""), *(Column(clip.subject.clip, False) for clip in profile.clips))
    return Details("The ten hottest of each clip", (Table(columns, rows, "Share of the clip's samples, %"),))


def _flame(found: Findings) -> list[Block]:
    if not found.profiles:
        return _not_measured(found, "Flame graph")
    blocks: list[Block] = [
        Text(f"[Open the interactive flame graph]({FLAME_NAME}): every clip, zoom, search, keyboard; one page that works offline."),
    ]
    for profile in found.profiles:
        name = f"flame-{profile.kernels}" if profile.kernels else "flame"
        caption = f"All clips, each counting the same; kernel set {profile.kernels}. Width is time, a function stands below its caller."
        blocks.append(Picture(name, flame_picture(profile), "Flame graph of all clips", caption, FLAME_NAME))
    return blocks


def _memory(found: Findings) -> list[Block]:
    if not found.memory:
        return _not_measured(found, "Memory")
    measured = found.memory
    unit, peaks = bytes_column([max(clip.max_rss_bytes) if clip.max_rss_bytes else None for clip in measured])
    _, least = bytes_column([min(clip.max_rss_bytes) if clip.max_rss_bytes else None for clip in measured])
    heap_unit, heaps = bytes_column([clip.peak_bytes for clip in measured])
    largest = max((max(clip.max_rss_bytes) for clip in measured if clip.max_rss_bytes), default=0)
    columns = ("clip", False), (f"max resident set, {unit}", True), (f"least, {unit}", True), ("n", True), ("allocations per frame", True), (f"peak of them, {heap_unit}", True)
    rows = tuple(
        (
            found.label(clip.subject),
            Cell(peak, share=max(clip.max_rss_bytes) / largest if clip.max_rss_bytes else None),
            low,
            str(len(clip.max_rss_bytes)),
            number(clip.allocations_per_frame, 1),
            heap,
        )
        for clip, peak, low, heap in zip(measured, peaks, least, heaps, strict=True)
    )
    blocks: list[Block] = [
        Text("Maximum resident set of each encode by wait4 of that child; allocations by memray around the steady state, start-up and compiling left out."),
        Table(tuple(Column(title, is_number) for title, is_number in columns), rows),
    ]
    sites = top_sites(measured)
    if sites:
        site_unit, sizes = bytes_column([site.total_bytes for site in sites])
        most = max(site.total_bytes for site in sites) or 1
        site_rows = tuple(
            (_code(site.where), units.count(site.count), Cell(size, share=site.total_bytes / most)) for site, size in zip(sites, sizes, strict=True)
        )
        site_columns = (Column("sites that allocate most, over all clips", False), Column("allocations"), Column(f"bytes, {site_unit}"))
        blocks.append(Table(site_columns, site_rows))
    return blocks


def _tiles(found: Findings) -> list[Block]:
    if not found.tile_rows:
        return _not_measured(found, "Tiles and threads")
    law = found.law
    blocks: list[Block] = []
    if law is None:
        blocks.append(Note("No encode ran with two or more workers on as many cores: Amdahl's law cannot be fitted."))
    else:
        blocks += _law(found, law)
    return [*blocks, *_measured_tiles(found)]


def _law(found: Findings, law: amdahl.Fit) -> list[Block]:
    ceiling = "no bound" if law.p >= 1 else f"{law.ceiling:.1f}x"
    interval = f"95 % interval {summary.interval_text(law.interval, 3)}" if law.interval else "no interval"
    text = f"Amdahl's law fitted to {_counted(len(law.points), 'measured point')}: **parallel share p = {law.p:.3f}**, {interval}; with endless workers {ceiling}."
    rows = tuple(
        (
            str(one.workers),
            f"{one.speedup:.2f}x",
            f"{one.interval.low:.2f}x to {one.interval.high:.2f}x" if one.interval else MISSING,
            "measured" if one.measured else Cell("extrapolated", tone="quiet"),
        )
        for one in law.predictions
    )
    columns = (Column("workers"), Column("speed-up of the law"), Column("95 % interval"), Column("", False))
    blocks: list[Block] = [
        Text(text),
        Picture("speed-up", pictures.speedup_picture(law, found.cores), "Measured speed-ups against Amdahl's law"),
        Table(columns, rows),
    ]
    if law.limitations:
        blocks.append(Bullets(tuple(f"Limit: {said}." for said in law.limitations)))
    if law.off_law:
        off = tuple(
            (one.point.label, f"{one.point.speedup:.2f}x", f"{one.expected:.2f}x", one.why) for one in law.off_law
        )
        off_columns = (Column("point off the law", False), Column("measured"), Column("law of the others"), Column("perhaps because", False))
        blocks.append(Table(off_columns, off))
    return [*blocks, *_serial(found)]


def _serial(found: Findings) -> list[Block]:
    serial = serial_stages(found.stages)
    by_clip = [(clip, fitted.p) for clip, fitted in found.law_by_clip.items()]
    said = []
    if serial:
        named = ", ".join(f"{stage} {units.percent(share)}" for stage, share in serial if share >= 0.0005)
        together = sum(share for _, share in serial)
        said.append(f"Serial stages, as the spans see them, in shares of the work: {named}; {units.percent(together)} together.")
    if len(by_clip) > 1:
        said.append("p of each clip alone: " + ", ".join(f"{clip} {p:.3f}" for clip, p in by_clip) + ".")
    return [Bullets(tuple(said))] if said else []


def _measured_tiles(found: Findings) -> list[Block]:
    rows = []
    off = {one.point.label for one in found.law.off_law} if found.law else set()
    for row in found.tile_rows:
        label = found.label(row.subject)
        if not row.possible:
            rows.append((label, str(row.requested), *([MISSING] * 4), Cell("picture too small", tone="quiet")))
            continue
        flagged = f"{row.subject.clip}, {row.tiles} tiles on {row.threads} threads" in off
        rows.append(
            (
                label,
                str(row.tiles),
                str(row.threads),
                f"{row.speedup:.2f}x" if row.speedup else MISSING,
                f"{summary.interval_text(row.interval)}" if row.interval else MISSING,
                percent_number(row.bytes_change, 2, signed=True) if row.tiles > 1 else MISSING,
                Cell("off the law", tone="warn") if flagged else "",
            )
        )
    columns = (Column("clip", False), Column("tiles"), Column("threads"), Column("speed-up"), Column("95 % interval"), Column("bytes, %"), Column("", False))
    table = Table(columns, tuple(rows), "Against the same clip with one tile on one thread")
    costs = [
        f"{tiles} tiles cost {units.percent(middle, signed=True)} bytes (median of {_counted(clips, 'clip')}; at most {units.percent(most, signed=True)})"
        for tiles, middle, most, clips in cost_by_tiles(found.tile_rows)
    ]
    blocks: list[Block] = [Text("; ".join(costs) + ".")] if costs else []
    return [*blocks, Details(f"All {len(rows)} measured combinations", (table,)) if len(rows) > 16 else table]


def _unknown(found: Findings) -> list[Block]:
    """What a reader might take for granted and must not."""
    said = [f"The run is {ENDS[status_of(found)]}: what follows is what it got to."] if status_of(found) in ENDS and status_of(found) != "complete" else []
    missing = [what for what, measured in _steps(found).items() if not measured]
    if missing:
        said.append(f"Not measured at all: {', '.join(missing)}.")
    said += _partly(found)
    warnings = dict.fromkeys(w for record in found.run.records if record.metric not in ("wall", "time_per_frame") for w in record.warnings)
    said += [f"Warned: {warning}" for warning in warnings]
    said.append("Intervals hold the repetitions' noise of this run only, not what another day or machine would add.")
    if found.kernel_sets:
        said.append("Figures are of the clips named here; other material may spend its time elsewhere.")
    return [Bullets(tuple(said))]


def _steps(found: Findings) -> dict[str, bool]:
    return {
        "coverage and selection": bool(found.candidates),
        "whether streams decode": any(clip.decodes is not None for clip in found.outputs),
        "whether the kernel sets agree": bool(found.agreements),
        "times": bool(found.times),
        "stages": bool(found.stages),
        "stacks": bool(found.profiles),
        "memory": bool(found.memory),
        "tiles and threads": bool(found.tile_rows),
    }


def _partly(found: Findings) -> list[str]:
    """Steps that were taken for some clips of the main kernel set but not for all."""
    main = [subject for subject in found.subjects if subject.kernels == found.kernel_sets[0]] if found.kernel_sets else []
    steps = {
        "check": {clip.subject for clip in found.outputs},
        "time": {clip.subject for clip in found.times},
        "stages": {clip.subject for clip in found.stages},
        "stacks": {clip.subject for profile in found.profiles for clip in profile.clips},
        "memory": {clip.subject for clip in found.memory if clip.allocations is not None},
        "tiles": {row.subject for row in found.tile_rows},
    }
    said = []
    for step, done in steps.items():
        left = [subject.clip for subject in main if subject not in done]
        if done and left:
            said.append(f"No {step} for {', '.join(left)}.")
    return said


_SECTIONS: tuple[tuple[str, str, Callable[[Findings], list[Block]]], ...] = (
    ("summary", "Summary", _summary),
    ("times", "Times", _times),
    ("stages", "Stages", _stages),
    ("functions", "Hottest functions", _functions),
    ("flame", "Flame graph", _flame),
    ("memory", "Memory", _memory),
    ("tiles", "Tiles and threads", _tiles),
    ("checks", "Checks", _checks),
    ("selection", "Selection of clips", _selection),
    ("machine", "Machine and commands", _machine),
    ("unknown", "What is not known", _unknown),
)
