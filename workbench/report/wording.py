"""What a run says in a few sentences and big numbers: one wording for the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench import units
from workbench.analysis.amdahl import Fit
from workbench.analysis.findings import Findings
from workbench.analysis.folded import parse_frame
from workbench.analysis.frames import added_up
from workbench.analysis.hotspots import Agreement
from workbench.analysis.tiles import TileRow
from workbench.analysis.times import ClipTime
from workbench.report.document import KeyFigure
from workbench.stats import Interval, median

TOO_WIDE = 0.4  # an interval of p that is wider leaves open whether more workers help
NOISY = 0.05  # robust spread over the median above which a time is called noisy


def sentences(found: Findings) -> list[str]:
    """The findings as sentences, the most important first; a part that was not measured says nothing here."""
    parts = (
        _judged(found),
        _timed(found),
        _framed(found),
        _hot(found),
        _threaded(found),
        _scaled(found),
        _remembered(found),
        _selected(found),
        _noisy(found),
    )
    return [sentence for sentence in parts if sentence]


def key_figures(found: Findings) -> tuple[KeyFigure, ...]:
    """The big numbers at the top of the page."""
    figures = (_decodes_figure(found), _speed_figure(found), _memory_figure(found), _law_figure(found))
    return tuple(figure for figure in figures if figure is not None)


def _main_times(found: Findings) -> list[ClipTime]:
    """The times of the run's main kernel set; those that noise has made zero or less are left out."""
    main = found.times[0].subject.kernels if found.times else ""
    return [clip for clip in found.times if clip.subject.kernels == main and clip.per_frame_s > 0]


def _rate(per_second: float) -> str:
    return units.with_unit(per_second, "")


def interval_text(interval: Interval | None, decimals: int = 2) -> str:
    """`0.86 to 0.93`, or that there is none."""
    return f"{interval.low:.{decimals}f} to {interval.high:.{decimals}f}" if interval is not None else "no interval"


def _range(values: Sequence[float], printed: Any) -> str:
    low, high = printed(min(values)), printed(max(values))
    return low if low == high else f"{low} to {high}"


def _judged(found: Findings) -> str:
    judged = [clip for clip in found.outputs if clip.decodes is not None]
    if not judged:
        return ""
    failed = [found.label(clip.subject) for clip in judged if not clip.decodes]
    decoders = ", ".join(dict.fromkeys(decoder for clip in judged for decoder in clip.decoders if decoder))
    by = f" with {decoders}" if decoders else ""
    if failed:
        bad = f"{len(failed)} of {len(judged)} streams do not decode{by} to the encoder's reconstruction"
        text = f"**{bad}**: {', '.join(failed)}."
    else:
        which = {1: "The stream decodes", 2: "Both streams decode"}.get(
            len(judged), f"All {len(judged)} streams decode"
        )
        text = f"{which}{by} to exactly the encoder's reconstruction."
    return f"{text} {_agreed(found)}".strip()


def _agreed(found: Findings) -> str:
    if not found.agreements:
        return ""
    differ = [one.clip for one in found.agreements if not one.agree]
    sets = list(dict.fromkeys(name for one in found.agreements for name in one.digests))
    if differ:
        return f"**The kernel sets {', '.join(sets)} write different bytes** for {', '.join(differ)}."
    return f"The kernel sets {', '.join(sets)} write the same bytes."


def _timed(found: Findings) -> str:
    timed = _main_times(found)
    if not timed:
        return ""
    rates = _range([1 / clip.per_frame_s for clip in timed], _rate)
    slowest = max(timed, key=lambda clip: clip.per_frame_s)
    starts = [clip.start_up_s for clip in timed if clip.start_up_s is not None]
    start = f"; start-up costs {_range(starts, units.seconds)} more, once" if starts else ""
    which = f", slowest {slowest.subject.clip}" if len(timed) > 1 else ""
    kernels = f" with kernel set {slowest.subject.kernels}" if slowest.subject.kernels else ""
    per_frame = _range([clip.per_frame_s for clip in timed], units.seconds)
    return f"**{rates} frames a second** over whole videos{kernels} ({per_frame} a frame{which}){start}."


def _framed(found: Findings) -> str:
    kinds = added_up(found.frames)
    total_bytes, total_s = sum(kind.stream_bytes for kind in kinds), sum(kind.wall_s for kind in kinds)
    if len(kinds) < 2 or not total_bytes or not total_s:
        return ""
    shares = [
        f"{'key frames' if kind.name == 'key' else kind.name} {units.percent(kind.stream_bytes / total_bytes)} of the bytes "
        f"and {units.percent(kind.wall_s / total_s)} of the time"
        for kind in kinds
    ]
    return f"By kind of frame: {'; '.join(shares)}."


def _hot(found: Findings) -> str:
    if not found.profiles:
        return ""
    profile = found.profiles[0]
    top = profile.top[:3]
    named = ", ".join(f"`{parse_frame(hot.name).label}` {units.percent(hot.share)}" for hot in top)
    text = f"Hottest: {named}; the ten hottest functions take {units.percent(sum(hot.share for hot in profile.top))}."
    if profile.agreement is not None:
        text += f" {agreement_words(profile.agreement)}"
    return text


def agreement_words(agreement: Agreement) -> str:
    """How far the clips agree, as one reads it."""
    distance = agreement.distance
    strength = "agree closely" if distance < 0.15 else "agree broadly" if distance < 0.3 else "differ"
    shared = f"{agreement.overlap:.1f}".removesuffix(".0")
    return f"The clips {strength}: any two share {shared} of their ten hottest functions on average."


def _threaded(found: Findings) -> str:
    traced = found.timeline
    if traced is None or not traced.found.timeline.wall_ns:
        return ""
    lanes, entry = traced.found, traced.subject
    path = ", ".join(
        f"{stage} {units.percent(ns / lanes.timeline.wall_ns)}"
        for stage, ns in list(lanes.path_by_stage_ns.items())[:3]
    )
    latency = lanes.latency_ns()
    way = f"; a picture takes {units.seconds(latency[0] / 1e9)} from in to out (median)" if latency else ""
    tiles, threads = int(entry["tiles"]), int(entry["threads"])
    layout = f"{tiles} tile{'s' if tiles > 1 else ''} on {threads} thread{'s' if threads > 1 else ''}"
    return f"Timeline of {entry['clip']}, {layout}: {lanes.busy_threads:.2f} at work on average; critical path: {path}{way}."


def _scaled(found: Findings) -> str:
    best = best_row(found)
    if best is None or best.speedup is None:
        return ""
    bytes_cost = f" for {units.percent(best.bytes_change, signed=True)} bytes" if best.bytes_change is not None else ""
    layout = f"{best.tiles} tiles on {best.threads} threads"
    if best.speedup >= 1:
        text = f"**{best.speedup:.2f}x faster** with {layout} ({best.subject.clip}, the best){bytes_cost}."
    else:
        text = f"**Tiles made nothing faster**: {best.speedup:.2f}x at best, with {layout} ({best.subject.clip}){bytes_cost}."
    return f"{text} {_law(found.law)}" if found.law is not None else text


def _law(law: Fit) -> str:
    share = f"Amdahl's law: parallel share p = {law.p:.3f} ({interval_text(law.interval, 3)})"
    if is_wide(law):
        return f"{share}: too uncertain to expect anything of more workers."
    return f"{share}, so {_predicted(law)}."


def is_wide(law: Fit) -> bool:
    """Whether the interval of p leaves open what more workers would bring."""
    return law.interval is not None and law.interval.high - law.interval.low > TOO_WIDE


def best_row(found: Findings) -> TileRow | None:
    """The combination of tiles and threads with the largest speed-up."""
    faster = [row for row in found.tile_rows if row.speedup is not None and row.threads > 1]
    return max(faster, key=lambda row: row.speedup or 0.0, default=None)


def _predicted(law: Fit) -> str:
    shown = [one for one in law.predictions if not one.measured][:2] or list(law.predictions[:2])
    return " and ".join(f"{one.speedup:.1f}x on {one.workers}" for one in shown) + " workers would be expected"


def _remembered(found: Findings) -> str:
    peaks = _resident_peaks(found)
    text = f"Maximum resident set {_range(list(peaks.values()), units.byte_size)}" if peaks else ""
    per_frame = [clip.allocations_per_frame for clip in found.memory if clip.allocations_per_frame is not None]
    if per_frame:
        counted = f"{_range(per_frame, lambda value: f'{value:,.0f}')} allocations a frame once warm"
        text = f"{text}; {counted}" if text else counted[0].upper() + counted[1:]
    return f"{text}." if text else ""


def _resident_peaks(found: Findings) -> dict[str, float]:
    """The largest resident set of every clip in bytes, the one whose timeline was taken included."""
    peaks = {found.label(clip.subject): max(clip.max_rss_bytes) for clip in found.memory if clip.max_rss_bytes}
    for side in found.memory_sides:
        if side.resident is not None:
            peaks[side.title] = max(side.resident.max_bytes, peaks.get(side.title, 0.0))
    return peaks


def _selected(found: Findings) -> str:
    chosen = [one for one in found.candidates if one.chosen]
    if not chosen:
        return ""
    seconds = sum(one.seconds or 0.0 for one in chosen)
    text = f"{len(chosen)} of {len(found.candidates)} clips were chosen ({units.seconds(seconds)} of encoding)"
    if found.never is not None:
        left = found.never.total_items - found.never.covered_items
        total = units.count(found.never.total_items)
        return f"{text}; {units.count(left)} of {total} lines and branches are reached by no clip."
    return f"{text}."


def is_noisy(clip: ClipTime) -> bool:
    """Whether the repetitions of a clip spread widely."""
    return clip.relative_spread is not None and clip.relative_spread > NOISY


def _noisy(found: Findings) -> str:
    noisy = [found.label(clip.subject) for clip in found.times if is_noisy(clip)]
    odd = sum(len(clip.outliers) for clip in found.times)
    said = []
    if noisy:
        said.append(f"times of {', '.join(noisy)} spread more than {units.percent(NOISY)}")
    if odd:
        said.append(
            f"{odd} timed repetition{'s' if odd > 1 else ''} lie{'' if odd > 1 else 's'} far outside the others"
        )
    return f"Noise: {'; '.join(said)}." if said else ""


def _decodes_figure(found: Findings) -> KeyFigure | None:
    judged = [clip for clip in found.outputs if clip.decodes is not None]
    if not judged:
        return None
    good = sum(bool(clip.decodes) for clip in judged)
    agree = all(one.agree for one in found.agreements)
    detail = "" if not found.agreements else "kernel sets agree on the bytes" if agree else "**kernel sets differ**"
    return KeyFigure(
        "streams that decode", f"{good} of {len(judged)}", detail, "good" if good == len(judged) and agree else "bad"
    )


def _speed_figure(found: Findings) -> KeyFigure | None:
    timed = _main_times(found)
    if not timed:
        return None
    rates = [1 / clip.per_frame_s for clip in timed]
    detail = f"median clip; {_range(rates, _rate)}" if len(rates) > 1 else timed[0].subject.clip
    return KeyFigure(f"frames a second, {timed[0].subject.kernels}".rstrip(", "), _rate(median(rates)), detail)


def _memory_figure(found: Findings) -> KeyFigure | None:
    peaks = _resident_peaks(found)
    if not peaks:
        return None
    largest = max(peaks, key=lambda clip: peaks[clip])
    return KeyFigure("maximum resident set", units.byte_size(peaks[largest]), f"largest: {largest}")


def _law_figure(found: Findings) -> KeyFigure | None:
    law = found.law
    if law is None:
        return None
    if is_wide(law):
        return KeyFigure("parallel share p", "uncertain", f"95 %: {interval_text(law.interval, 3)}", "warn")
    detail = f"95 %: {interval_text(law.interval, 3)}" if law.interval else "one point: no interval"
    return KeyFigure("parallel share p", f"{law.p:.3f}", detail)
