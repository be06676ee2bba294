"""How rules of comparison fared on recorded noise, as a table for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workbench import units
from workbench.analysis.rates import rate_interval
from workbench.analysis.replay import Rate, Rates, Rule

SCHEMA = 1


def replay_lines(rates: Rates) -> list[str]:
    """False verdicts where there is no difference, then how often a planted slowdown was found, a line a rule."""
    width = max(len(_title(rule)) for rule in rates.rules)
    effects = [rate.effect for rate in rates.rules[0].rates]
    head = f"{'':{width}}  {'false':>7}" + "".join(f"{'+' + units.percent(effect):>9}" for effect in effects if effect)
    lines = [_subject(rates), "", head]
    lines += [f"{_title(rule):{width}}{_cells(rule)}" for rule in rates.rules]
    return [*lines, "", *_remarks(rates)]


def _subject(rates: Rates) -> str:
    run = f"the least {rates.metric} time of {rates.group} iterations" if rates.group > 1 else f"{rates.metric} time"
    turns = ", the iterations of a pair in turns" if rates.alternated else ""
    return (
        f"{rates.trace}: {units.count(rates.runs)} runs ({run}{turns}), {units.count(rates.windows)} stretches of up to "
        f"{rates.pairs} pairs that spread by {units.percent(rates.spread)}; of {rates.block} runs a side for blocks"
    )


def _title(rule: Rule) -> str:
    return f"{rule.name}, alpha {rule.alpha * 100:g} %"


def _cells(rule: Rule) -> str:
    none = next((rate for rate in rule.rates if rate.effect == 0), None)
    false = f"  {units.percent(none.wrong if none else None):>7}"
    return false + "".join(f"{units.percent(rate.slower):>9}" for rate in rule.rates if rate.effect)


def _remarks(rates: Rates) -> list[str]:
    ours = rates.rules[0]
    pairs = ", ".join(f"{rate.pairs:.0f} at {_effect(rate)}" for rate in ours.rates)
    misled = max((rate.wrong for rate in ours.rates if rate.effect), default=0.0)
    lines = [f"ours stopped after {pairs} pairs on average"]
    none = next((rate for rate in ours.rates if rate.effect == 0), None)
    if none:
        high = rate_interval(round(none.wrong * rates.windows), rates.windows).high
        lines += [
            f"where there is none: SAME within {units.percent(rates.margin)} in {units.percent(none.same)}, undecided in "
            f"{units.percent(none.undecided)}; false at most {units.percent(high)} (95 %)"
        ]
    return [*lines, f"with a slowdown planted, FASTER or wrongly SAME: at most {units.percent(misled)}"]


def _effect(rate: Rate) -> str:
    return f"+{units.percent(rate.effect)}" if rate.effect else "none"


def replay_json(rates: Rates) -> dict[str, Any]:
    """The same as JSON: `asdict` of the rates, with a schema."""
    return {"schema": SCHEMA, **asdict(rates)}
