"""Which functions take the time, how far the clips agree on it, and the flame graph."""

from __future__ import annotations

from workbench import units
from workbench.analysis.findings import Findings
from workbench.analysis.hotspots import Hot, hottest, name_and_place
from workbench.analysis.stacks import SetProfile
from workbench.report import wording
from workbench.report.columns import percent_number
from workbench.report.document import Block, Bullets, Cell, Column, Details, Note, Picture, Row, Table, Text
from workbench.report.flame import FLAME_NAME, flame_picture
from workbench.report.sections.common import code, not_measured, warnings_of, words

_SHOWN_CLIPS = 7


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
    said = f"{units.count(sum(clip.samples for clip in profile.clips))} samples by py-spy; every clip counts the same."
    named = [clip.resolved_share for clip in profile.clips if clip.resolved_share is not None]
    if named and min(named) < 1:
        said += f" Of each clip's samples at least {units.percent(min(named))} have a name."
    return [Text(said), _top_table(profile), *_agreement_blocks(profile), _own_tops(profile)]


def _top_table(profile: SetProfile) -> Table:
    clips = profile.clips[:_SHOWN_CLIPS]
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
    return Table((Column(""), words("function, by time in itself"), Column("all clips, %"), *by_clip), rows)


def _named(hot: Hot) -> str:
    name, place = name_and_place(hot.name)
    return f"{code(name)} {place}".rstrip()


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
    entries = [[f"{code(name_and_place(hot.name)[0])} {percent_number(hot.share)}" for hot in top] for top in tops]
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
            f"Kernel set {profile.kernels}, all clips, each counting the same. Width is time; callees stand below.",
            link=FLAME_NAME,
        )
        for profile in found.profiles
    )
    link = f"[Open the interactive flame graph]({FLAME_NAME}): every clip, zoom, search, keyboard; it works offline."
    return [Text(link), *pictures]
