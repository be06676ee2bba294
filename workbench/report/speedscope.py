"""Sampled runs as a speedscope file, a profile a thread, which https://www.speedscope.app and its offline page open.

The format: speedscope's published schema (src/lib/file-format-spec.ts of its sources). Folded stacks know how often a
stack was seen and not when, so a thread's stacks stand side by side in the order of their text: speedscope's "left
heavy" and "sandwich" views say what there is to say, its time axis is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.analysis.folded import UNKNOWN, Recording, parse_frame, thread_of
from workbench.errors import InputError

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_EXPORTER = "encoder-workbench"


def speedscope(runs: Sequence[Recording], title: str) -> dict[str, Any]:
    """The file's contents, for `json`: of each run each thread, the busiest thread first.

    Weights are seconds of a running thread where the run knows its rate, else samples. Raises InputError without samples.
    """
    frames: dict[str, int] = {}
    profiles = [
        _profile(_name(run, at, thread, len(runs)), stacks, run.rate_hz, frames)
        for at, run in enumerate(runs, 1)
        for thread, stacks in _by_thread(run.folded)
    ]
    if not profiles:
        raise InputError("no run has a sample: nothing for speedscope to show; sample a longer run")
    return {
        "$schema": SCHEMA,
        "name": title,
        "exporter": _EXPORTER,
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(text) for text in frames]},
        "profiles": profiles,
    }


def _by_thread(folded: Mapping[str, float]) -> Iterable[tuple[str, Mapping[str, float]]]:
    threads: dict[str, dict[str, float]] = {}
    for stack, samples in sorted(folded.items()):
        if samples:
            threads.setdefault(thread_of(stack), {})[stack] = samples
    return sorted(threads.items(), key=lambda item: (-sum(item[1].values()), item[0]))


def _name(run: Recording, number: int, thread: str, runs: int) -> str:
    return " · ".join(
        part for part in (f"run {number}" if runs > 1 else "", thread or run.title or "all threads") if part
    )


def _profile(name: str, stacks: Mapping[str, float], rate_hz: float | None, frames: dict[str, int]) -> dict[str, Any]:
    weights = [samples / rate_hz if rate_hz else samples for samples in stacks.values()]
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds" if rate_hz else "none",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [[frames.setdefault(frame, len(frames)) for frame in _frames(stack)] for stack in stacks],
        "weights": weights,
    }


def _frames(stack: str) -> list[str]:
    """A stack's frames without its thread, which is the profile."""
    return (stack.split(";")[1:] if thread_of(stack) else stack.split(";")) or [UNKNOWN]


def _frame(text: str) -> dict[str, Any]:
    frame = parse_frame(text)
    about: dict[str, Any] = {"name": frame.label + (" [inlined]" if frame.inlined else "")}
    if frame.path:
        about["file"] = frame.path
    if frame.line:
        about["line"] = frame.line
    return about
