"""Step 0: which clips to run, by the lines and branches of the encoder that each one reaches."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from workbench import child, units
from workbench.analysis.cover import Selection, select
from workbench.corpus import Clip, start_version, tiny_version
from workbench.errors import SubjectTimeout
from workbench.instruments import coverage
from workbench.instruments.coverage import Covered
from workbench.kept import Kept
from workbench.machine import cores
from workbench.profiling.session import Session, y4m_file
from workbench.record import Record

COVERAGE_SHARE = 0.35  # of the budget, for clips that are not in the cache yet
COVERED_FRAMES = 3  # a key frame, a hidden frame and a leaf: the tiny versions have no more
LARGEST_SHARE = 0.28  # of the budget is for what needs one clip alone: its timeline, tiles


def choose_clips(session: Session) -> list[Clip]:
    """Choose greedily the most new lines and branches per second of encoding, and record every candidate's part."""
    settings = session.settings
    session.display.step("select: coverage of each clip", len(settings.candidates))
    covered = _covered(session)
    chosen = list(settings.candidates)
    if covered:
        selection = _selection(session, covered)
        _record(session, covered, selection)
        if settings.choose and selection.names:
            by_name = {clip.name: clip for clip in chosen}
            chosen = [by_name[name] for name in selection.names]
            added = ", ".join(f"{choice.name} (+{units.count(choice.new_items)})" for choice in selection.chosen)
            session.display.say(f"chosen, with the lines and branches that each adds: {added}")
    return chosen


def _covered(session: Session) -> dict[str, Covered]:
    """What each candidate reaches: from the cache, and measured as far as the time for it goes."""
    kept = Kept("coverage")
    subjects = {
        clip.name: session.subject(tiny_version(clip), coverage.KERNELS, COVERED_FRAMES)
        for clip in session.settings.candidates
    }
    found = {name: Covered(files) for name, subject in subjects.items() if (files := kept.find(subject)) is not None}
    deadline = time.monotonic() + COVERAGE_SHARE * session.settings.budget_s

    def measure(name: str) -> None:
        if time.monotonic() < deadline:
            with session.scratch() as folder, suppress(SubjectTimeout):
                found[name] = coverage.measure(subjects[name], folder, session.timeout_s(subjects[name]))
                kept.keep(subjects[name], found[name].files)
        session.display.tick()

    with session.budget.paused():
        missing = [name for name in subjects if name not in found]
        child.together([partial(measure, name) for name in missing], workers=cores())
    if unknown := [name for name in subjects if name not in found]:
        session.cut = True
        said = (
            f"select: no time to learn what {', '.join(unknown)} cover; run again, what is known is kept in the cache"
        )
        session.note("select", said, {"clips": unknown})
    return {name: found[name] for name in subjects if name in found}


def _selection(session: Session, covered: Mapping[str, Covered]) -> Selection:
    settings = session.settings
    clips = {clip.name: clip for clip in settings.candidates}
    costs = {name: sum(session.clip_cost_s(clips[name], kernels) for kernels in settings.kernels) for name in covered}
    items = {name: clip.items for name, clip in covered.items()}
    selection = select(items, costs, session.budget.left_s * (1 - LARGEST_SHARE))
    if not selection.names:  # Not even one fits: the cheapest is better than nothing.
        cheapest = min(covered, key=lambda name: costs[name])
        selection = select({cheapest: items[cheapest]}, costs)
        budget = units.seconds(settings.budget_s)
        session.cut = True
        session.note("select", f"select: the budget of {budget} is small for any clip; raise --budget", {"clips": []})
    return selection


def _record(session: Session, covered: Mapping[str, Covered], selection: Selection) -> None:
    """One record for each candidate, and one for what no clip reaches."""
    chosen = {choice.name: choice for choice in selection.chosen}
    reached = selection.covered
    for clip in session.settings.candidates:
        if clip.name not in covered:
            continue
        items = covered[clip.name].items
        choice = chosen.get(clip.name)
        seconds = sum(session.clip_cost_s(clip, kernels) for kernels in session.settings.kernels)
        data = {
            "seconds": seconds,
            "new_items": choice.new_items if choice else len(items - reached),
            "new_per_s": choice.new_per_s if choice else len(items - reached) / seconds,
            "chosen": choice is not None if session.settings.choose else True,
            "order": choice.order if choice else None,
        }
        subject = {"clip": clip.name, "width": clip.width, "height": clip.height, "kernels": coverage.KERNELS}
        value = (float(len(items)),)
        session.writer.write(Record(coverage.INSTRUMENT, "lines_and_branches", "count", subject, value, data))
    session.writer.write(coverage.never_reached(covered.values()))


def make_clips(session: Session, clips: list[Clip]) -> None:
    """Make or fetch the files of these clips and of their start versions, which is done once."""
    session.display.step("make clips", len(clips))
    with session.budget.paused():
        for clip in clips:
            session.display.now(clip.name)
            y4m_file(clip)
            y4m_file(start_version(clip))
            session.display.tick()
