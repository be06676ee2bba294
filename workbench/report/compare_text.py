"""A comparison on one screen, and as JSON: verdict words first, then ratio, interval, pairs, noise."""

from __future__ import annotations

import math
from typing import Any

from workbench import units
from workbench.analysis.compared import Compared, Part
from workbench.analysis.stored import LABEL, StoredComparison
from workbench.analysis.verdict import Verdict, Word
from workbench.report.compare_beside import beside_json, beside_lines, costs_of, predicted_gain

SCHEMA = 1
NO_VERDICT = "no verdict"
NO_PAIR = "there was no time for a single pair"


def summary_lines(result: Compared, fired: tuple[int, int] = (0, 0)) -> list[str]:
    """The screen. `fired`: how many A/A controls of this machine have found a difference, of how many."""
    lines = [f"A  {result.title_a}", f"B  {result.title_b}", ""]
    if result.failure:
        return [*lines, f"{NO_VERDICT}: {result.failure.message}"]
    if not any(part.verdict.pairs for part in result.parts):
        said = "interrupted before the first pair ended" if result.interrupted else f"{NO_PAIR}: give more --seconds"
        return [*lines, f"{Word.UNDECIDED:10} {said}", *(f"warning: {warning}" for warning in result.warnings)]
    if result.interrupted:
        lines += ["interrupted: the pairs so far", ""]
    if result.overall and len(result.clips) > 1:
        lines += [f"{result.main.word:10} {_figures(result.main)}   {result.overall.scope}"]
    for part in result.parts:
        lines += _part_lines(part, result)
    for kind in _kinds(result):
        lines.append(_controls(kind, [part for part in result.parts if part.kind == kind]))
    if fired[1]:
        lines.append(f"           A against itself on this machine so far: different in {fired[0]} of {fired[1]}")
    lines += [f"warning: {warning}" for warning in result.warnings]
    if result.is_fit is False:
        lines += ["", "the instrument is not fit today, believe none of these verdicts:"]
        lines += [
            f"  {part.name}: {why}" for part in result.parts if part.fitness.fit is False for why in part.fitness.why
        ]
    return lines


def _kinds(result: Compared) -> list[str]:
    return list(dict.fromkeys(part.kind for part in result.parts))


def _part_lines(part: Part, result: Compared) -> list[str]:
    verdict = part.verdict
    lines = [
        f"{result.word(part):10} {_figures(verdict)}{costs_of(part)}   {part.kind} {part.name}, {part.metric} time; "
        f"{_noise(part)}"
    ]
    if verdict.differs and verdict.within_margin:
        lines.append(
            f"{'':10} surely {verdict.direction.lower()}, but by less than the margin of {units.percent(part.margin)}"
        )
    if verdict.why:
        lines.append(f"{'':10} {verdict.why}")
    if verdict.needs:
        lines.append(f"{'':10} {_needs(verdict)}")
    return [*lines, *(f"{'':10} {line}" for line in beside_lines(part))]


def _figures(verdict: Verdict) -> str:
    """`+1.2 % (+0.9 to +1.6 %), 23 pairs`: the exact 95 % interval."""
    if verdict.ratio is None:
        return "no pairs"
    interval = ""
    if verdict.low is not None and verdict.high is not None:
        interval = f" ({units.percent(verdict.low - 1, True)} to {units.percent(verdict.high - 1, True)})"
    return f"{_change(verdict.ratio)}{interval}, {verdict.pairs} pairs"


def _change(ratio: float) -> str:
    return f"{units.percent(ratio - 1, True)} time" if ratio < 2 else f"{units.times(ratio)} the time"


def _noise(part: Part) -> str:
    again, disturbed, counting = part.disturbed
    spread = part.verdict.spread
    said = [f"pairs spread by {units.percent(spread)}"] if spread is not None and math.isfinite(spread) else []
    if disturbed:
        said.append(f"{disturbed} of {counting} disturbed")
    if again:
        said.append(f"{again} run again")
    if how := how_run(part):
        said.append(how)
    return ", ".join(said)


def how_run(part: Part) -> str:
    """Of an encode: whether both of a pair ran at once; nothing of kernels, and of runs that do not say."""
    if two := part.about.get("at_once"):
        return "both at once on two processors" + (" of one core" if two["siblings"] else "")
    why = part.about.get("not_at_once")
    return f"one after the other ({why})" if why else ""


def _needs(verdict: Verdict) -> str:
    needs = verdict.needs
    assert needs is not None
    if needs.more_pairs is not None:
        return f"about {needs.more_pairs} more pairs would decide: --pairs {verdict.pairs + needs.more_pairs}"
    if needs.spread_needed is not None:
        return (
            f"{needs.horizon} more pairs would not decide; it takes pairs that spread by "
            f"{units.percent(needs.spread_needed)}, on a quieter machine"
        )
    return f"{needs.horizon} more pairs would not decide"


def _controls(kind: str, parts: list[Part]) -> str:
    """One line on the controls of one kind of part."""
    if all(part.same is None for part in parts):
        return f"controls   {kind}: none"
    fit = [part.fitness for part in parts]
    if any(one.fit is False for one in fit):
        return f"controls   {kind}: NOT FIT"
    same = [part.same for part in parts if part.same]
    slowed = [part.slowed for part in parts if part.slowed]
    state = (
        "fit" if all(one.fit for one in fit) else "not sure yet: " + "; ".join(why for one in fit for why in one.why)
    )
    found = ", ".join(_change(verdict.ratio) for verdict in slowed if verdict.ratio)
    twins = ", ".join(f"{verdict.word} {_change(verdict.ratio)}" for verdict in same if verdict.ratio)
    known = ", ".join(units.percent(part.planted, True) for part in parts)
    return f"controls   {kind}: {state}; A against itself {twins}; planted {known}, found {found}"


def stored_lines(found: StoredComparison) -> list[str]:
    """Two stored runs, a line each thing that both measured."""
    lines = [f"{found.word:10} {_change(found.ratio)}   {LABEL}"]
    for change in found.changes:
        interval = change.interval
        said = (
            f" ({units.percent(interval.low - 1, True)} to {units.percent(interval.high - 1, True)})"
            if interval
            else ""
        )
        counts = " and ".join(map(str, change.repetitions))
        lines.append(f"{change.word:10} {_change(change.ratio)}{said}, {counts} repetitions   {change.name}")
    return lines


def stored_json(found: StoredComparison) -> dict[str, Any]:
    """The same as JSON, schema 1."""
    return {
        "schema": SCHEMA,
        "verdict": str(found.word),
        "ratio": found.ratio,
        "evidence": LABEL,
        "changes": [
            {
                "name": change.name,
                "verdict": str(change.word),
                "ratio": change.ratio,
                "interval": [change.interval.low, change.interval.high] if change.interval else [None, None],
                "repetitions": list(change.repetitions),
            }
            for change in found.changes
        ],
    }


def as_json(result: Compared, files: dict[str, str]) -> dict[str, Any]:
    """The comparison as JSON, schema 1. ratio: time of B over time of A; seconds: of measuring."""
    main = result.main
    gain, why = predicted_gain(result)
    return {
        "schema": SCHEMA,
        "verdict": str(main.word),
        "ratio": main.ratio,
        "interval": [main.low, main.high],
        "pairs": main.pairs,
        "seconds": sum(part.seconds for part in result.parts),
        "outputs_identical": _identical(result),
        "failure": vars(result.failure) if result.failure else None,
        "fit": result.is_fit,
        "controls": _main_controls(result),
        "predicted_gain": gain,
        "predicted_gain_why": why,
        "interrupted": result.interrupted,
        "sides": {"A": result.title_a, "B": result.title_b},
        "kernels": [_part_json(part, result) for part in result.kernels],
        "clips": [_part_json(part, result) for part in result.clips],
        "warnings": list(result.warnings),
        "files": files,
    }


def _identical(result: Compared) -> bool | None:
    if result.failure and result.failure.is_of_outputs:
        return False
    found = [part.outputs_identical for part in result.clips]
    return None if not found else all(found)


def _main_controls(result: Compared) -> dict[str, Any]:
    if not result.parts:
        return {"aa": None, "planted": None}
    part = (result.clips or result.kernels)[0]
    planted = verdict_json(part.slowed)
    return {"aa": verdict_json(part.same), "planted": planted and planted | {"factor": 1 + part.planted}}


def verdict_json(verdict: Verdict | None) -> dict[str, Any] | None:
    """A verdict as JSON."""
    if verdict is None:
        return None
    return {
        "verdict": str(verdict.word),
        "ratio": verdict.ratio,
        "interval": [verdict.low, verdict.high],
        "always_valid_interval": [verdict.always_low, verdict.always_high],
        "pairs": verdict.pairs,
        "margin": verdict.margin,
        "alpha": verdict.alpha,
        "e_value": verdict.e_value,
        "spread": verdict.spread,
        "within_margin": verdict.within_margin,
    }


def _part_json(part: Part, result: Compared) -> dict[str, Any]:
    again, disturbed, _ = part.disturbed
    found = verdict_json(part.verdict)
    assert found is not None
    return {
        "name": part.name,
        "metric": part.metric,
        **found,
        "verdict": str(result.word(part)),
        "log_ratios": part.log_ratios(),
        "run_again": again,
        "disturbed": disturbed,
        "seconds": part.seconds,
        "outputs_identical": part.outputs_identical,
        "memory_ratio": part.ratio_of("max_rss_bytes"),
        "bytes_ratio": part.ratio_of("bytes"),
        "controls": {"aa": verdict_json(part.same), "planted": verdict_json(part.slowed), "factor": 1 + part.planted},
        "fit": part.fitness.fit,
        "why": list(part.fitness.why),
        **beside_json(part),
        "about": dict(part.about),
    }
