"""Which functions take the time, how far the clips agree on it, the flame graph, and the lines of the hottest kernel."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.folded import is_kernel, parse_frame
from workbench.analysis.hotspots import Hot, hottest
from workbench.analysis.stacks import SetProfile
from workbench.report import wording
from workbench.report.columns import percent_number
from workbench.report.document import (
    LISTED_SHARE,
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Note,
    Picture,
    Row,
    Table,
    Text,
)
from workbench.report.flame import FLAME_NAME, SAMPLERS, corpus_stacks, flame_picture
from workbench.report.sections.common import code, not_measured, warnings_of, words
from workbench.report.source_view import SourceView, kept_sources, source_blocks, source_views

_SHOWN_CLIPS = 7
_MORE_SOURCES = 5  # beside the hottest kernel's


def functions_blocks(found: Findings) -> list[Block]:
    """The ten hottest functions of each kernel set, over its clips and clip by clip."""
    if not found.profiles:
        return not_measured(found, "Hottest functions")
    blocks: list[Block] = []
    for profile in found.profiles:
        if len(found.profiles) > 1:
            blocks.append(Text(f"**Kernel set {profile.kernels}**"))
        blocks += _set_blocks(profile)
    return [*blocks, *warnings_of(found, "samples")]


def _set_blocks(profile: SetProfile) -> list[Block]:
    sources = " and ".join(dict.fromkeys(SAMPLERS.get(clip.source, clip.source) for clip in profile.clips))
    said = (
        f"{units.count(sum(clip.samples for clip in profile.clips))} samples by {sources}; every clip counts the same."
    )
    seconds = [clip.seconds for clip in profile.clips if clip.seconds is not None]
    if seconds:
        said += f" Each clip was sampled for {units.seconds(min(seconds))} or longer, in the profile build, which is never timed."
    unnamed = [clip.unnamed_share for clip in profile.clips if clip.unnamed_share is not None]
    if unnamed:
        said += f" Of compiled samples at most {units.percent(max(unnamed))} of a clip's have no name."
    own = [_own_tops(profile)] if len(profile.clips) > 1 else []
    return [Text(said), _top_table(profile), *_agreement_blocks(profile), *own]


def _top_table(profile: SetProfile) -> Table:
    clips = profile.clips[:_SHOWN_CLIPS] if len(profile.clips) > 1 else []
    shares = [clip.profile for clip in clips]
    rows: tuple[Row, ...] = tuple(
        (
            str(at),
            _named(hot),
            Cell(percent_number(hot.share), share=hot.share / profile.top[0].share),
            *(percent_number(share.get(hot.name, 0.0)) for share in shares),
        )
        for at, hot in enumerate(profile.top, 1)
    )
    by_clip = tuple(Column(f"{clip.subject.clip}, %") for clip in clips)
    whole = "all clips" if clips else profile.clips[0].subject.clip
    return Table((Column(""), words("function, by time in itself"), Column(f"{whole}, %"), *by_clip), rows)


def _named(hot: Hot) -> str:
    frame = parse_frame(hot.name)
    return f"{code(frame.label)} {frame.path}".rstrip()


def _agreement_blocks(profile: SetProfile) -> list[Block]:
    agreement = profile.agreement
    if agreement is None:
        return [Note("One clip only: how far clips agree cannot be said.", "quiet")]
    first, second, distance = agreement.furthest
    return [
        Bullets(
            (
                f"{wording.agreement_words(agreement)} {len(agreement.in_every_top)} are in the top ten of every clip.",
                f"Jensen-Shannon distance of two clips' profiles: {agreement.distance:.2f} on average, "
                f"{distance:.2f} between {first} and {second} (0 is the same split of time, 1 nothing in common).",
                f"Rank-biased overlap of two clips' orders: {agreement.rank_overlap:.2f} on average "
                "(1 is the same order, 0 nothing in common; the first ranks count most).",
            )
        )
    ]


def _own_tops(profile: SetProfile) -> Details:
    """The ten hottest functions of each clip by itself, longest list first row by row."""
    tops = [hottest(clip.profile) for clip in profile.clips]
    entries = [[f"{code(parse_frame(hot.name).label)} {percent_number(hot.share)}" for hot in top] for top in tops]
    depth = max(len(top) for top in tops)
    rows = tuple((str(rank + 1), *(top[rank] if rank < len(top) else "" for top in entries)) for rank in range(depth))
    columns = (Column(""), *(words(clip.subject.clip) for clip in profile.clips))
    return Details("The ten hottest of each clip", (Table(columns, rows, "Share of the clip's samples, %"),))


def flame_blocks(found: Findings) -> list[Block]:
    """A picture of each kernel set's flame graph, and the way to the interactive page."""
    if not found.profiles:
        return not_measured(found, "Flame graph")
    pictures = (
        Picture(
            f"flame-{profile.kernels}" if profile.kernels else "flame",
            flame_picture(profile),
            "Flame graph of all clips",
            f"Kernel set {profile.kernels}, all clips, each counting the same. Width is time; callees stand below. Threads are "
            "taken together.",
            link=FLAME_NAME,
        )
        for profile in found.profiles
    )
    link = (
        f"[Open the interactive flame graph]({FLAME_NAME}): every clip, Python, compiled and native functions with those that "
        "were inlined, by function or by line, the source beside it; it works offline."
    )
    return [Text(link), *pictures]


def lines_blocks(found: Findings) -> list[Block]:
    """The hottest kernel of each set line by line, over all clips, each counting the same; then the next functions."""
    if not found.profiles:
        return not_measured(found, "Lines of the hottest kernel")
    blocks: list[Block] = []
    for profile in found.profiles:
        if len(found.profiles) > 1:
            blocks.append(Text(f"**Kernel set {profile.kernels}**"))
        blocks += _lines_of(profile)
    intro = Text(
        "A line's own time, and with what it called, in per cent of all samples. Inlined functions are called from the line that "
        "they were inlined into; their own lines are their own."
    )
    return [intro, *blocks]


def hottest_kernel(profile: SetProfile) -> SourceView | None:
    """The kernel with most self time over the clips, with its lines; None where no line of a kernel is known."""
    views = _views(profile, 1, kernels_only=True)
    return views[0] if views else None


def _lines_of(profile: SetProfile) -> list[Block]:
    kernel = hottest_kernel(profile)
    others = [
        view
        for view in _views(profile, _MORE_SOURCES + 1)
        if view.own >= LISTED_SHARE * view.samples
        and (kernel is None or (view.text.function, view.text.path) != (kernel.text.function, kernel.text.path))
    ][:_MORE_SOURCES]
    if kernel is None and not others:
        return [Note("No line of any function is known: the samples have none.", "quiet")]
    unknown: list[Block] = [Note("No line of a kernel is known.", "quiet")]
    blocks = source_blocks([kernel]) if kernel is not None else unknown
    more = Details(f"The {len(others)} other functions with most time in themselves", tuple(source_blocks(others)))
    return [*blocks, more] if others else blocks


def _views(profile: SetProfile, count: int, kernels_only: bool = False) -> list[SourceView]:
    kept = kept_sources(entry for clip in profile.clips for entry in clip.sources)
    chosen = is_kernel if kernels_only else lambda frame: True
    return source_views(corpus_stacks(profile.clips), count, kept=kept, chosen=chosen)
