"""What stands beside the time of a part in the outputs of a comparison: prediction, memory, bytes, quality, allocations,
instructions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from workbench import units
from workbench.analysis.beside import Worth
from workbench.analysis.compared import Compared, Part
from workbench.analysis.prediction import Foreseen
from workbench.analysis.verdict import Agreement, Word, agreement

_SHOWN = 0.001  # of a ratio
_DEARER = 0.05  # so much more is worth a "but" behind a gain
_SHOWN_DB = 0.005
_SHOWN_KERNELS = 3


def costs_of(part: Part) -> str:
    """What B costs beside time, for the line of its verdict: `; +1.2 % bytes, -0.11 dB PSNR`; `, but +30 % memory` where it is
    faster and takes more of something. Empty where it costs the same."""
    ratios = _cost_ratios(part)
    said = [
        f"{_change(ratio)} {name}" for name, ratio in ratios.items() if ratio is not None and abs(ratio - 1) >= _SHOWN
    ]
    worth = part.beside.worth
    if worth is not None and worth.psnr_y_delta is not None and abs(worth.psnr_y_delta) >= _SHOWN_DB:
        said.append(f"{decibel(worth.psnr_y_delta)} PSNR")
    if worth is not None and worth.bd_rate is not None:
        said.append(f"BD-rate {units.percent(worth.bd_rate, True)}")
    if not said:
        return ""
    is_dearer = any(ratio is not None and ratio - 1 >= _DEARER for ratio in ratios.values())
    return (", but " if part.verdict.word == Word.FASTER and is_dearer else "; ") + ", ".join(said)


def _cost_ratios(part: Part) -> dict[str, float | None]:
    counted = part.beside.allocations
    return {
        "memory": part.ratio_of("max_rss_bytes"),
        "bytes": part.ratio_of("bytes"),
        "allocations": counted.ratio if counted else None,
    }


def _change(ratio: float) -> str:
    return units.percent(ratio - 1, True) if ratio < 2 else units.times(ratio)


def decibel(delta: float | None) -> str:
    """`-0.11 dB`; nothing where it is not known."""
    return "" if delta is None else f"{delta:+.2f} dB"


def beside_lines(part: Part) -> list[str]:
    """For the screen, below a part's verdict."""
    lines = []
    if (foreseen := part.beside.prediction) is not None and foreseen.prediction is not None:
        lines.append(_prediction_line(part, foreseen))
    if (worth := part.beside.worth) is not None:
        lines.append(_worth_line(worth))
    if (opinion := second_opinion(part)) is not None:
        lines.append(opinion.text)
    return lines


def _prediction_line(part: Part, foreseen: Foreseen) -> str:
    assert foreseen.prediction is not None
    low, high = foreseen.prediction.gain
    said = f"predicted {units.percent(low, True)} to {units.percent(high, True)} speed"
    if (score := part.beside.score) is not None:
        came = "hit" if score.is_hit else "missed"
        said += f", measured {units.percent(1 / score.measured - 1, True)}: {came} ({score.hits} of {score.predictions} so far)"
    return f"{said}; {_kernels(foreseen)}"


def _kernels(foreseen: Foreseen) -> str:
    """`satd, 9.3 % of A's encode, takes 1.52x the time`, and how many more."""
    told = [
        f"{kernel.slot}, {units.percent(kernel.share)} of A's encode, takes {units.times(kernel.ratio)} the time"
        for kernel in foreseen.kernels[:_SHOWN_KERNELS]
    ]
    more = len(foreseen.kernels) - _SHOWN_KERNELS
    return "; ".join(told) + (f"; {more} more" if more > 0 else "")


def _worth_line(worth: Worth) -> str:
    sides = [
        f"{name} {units.byte_size(size)}" + (f", {psnr:.2f} dB" if psnr is not None else "")
        for name, size, psnr in zip("AB", worth.bytes, worth.psnr_y, strict=True)
    ]
    return "; ".join([*sides, *([worth.why] if worth.why else [])])


def second_opinion(part: Part) -> Agreement | None:
    """The verdict on time beside the counts of instructions; None where these were not counted."""
    counted = part.beside.instructions
    return None if counted is None else agreement(part.verdict, counted.base, counted.candidate)


def predicted_gain(result: Compared) -> tuple[list[float] | None, str]:
    """The interval of the predicted gain in speed, of several clips the means of their ends on the log scale; where there is none,
    why."""
    found = [part.beside.prediction for part in result.clips]
    if not found:
        return None, "no whole encode was compared"
    told = [foreseen.prediction for foreseen in found if foreseen is not None and foreseen.prediction is not None]
    if len(told) < len(found):
        lacking = next(foreseen for foreseen in found if foreseen is None or foreseen.prediction is None)
        return None, "it was not asked for" if lacking is None else lacking.why
    return [_together([each.gain[end] for each in told]) for end in (0, 1)], ""


def _together(gains: Sequence[float]) -> float:
    return math.expm1(fmean(map(math.log1p, gains)))


def beside_json(part: Part) -> dict[str, Any]:
    """As JSON, for a part."""
    beside, opinion = part.beside, second_opinion(part)
    foreseen, worth, counted = beside.prediction, beside.worth, beside.instructions
    told = foreseen.prediction if foreseen else None
    return {
        "predicted_gain": list(told.gain) if told else None,
        "prediction": foreseen and _prediction_json(part, foreseen),
        "bytes": list(worth.bytes) if worth else None,
        "psnr_y": list(worth.psnr_y) if worth else None,
        "psnr_y_delta": worth.psnr_y_delta if worth else None,
        "bd_rate": worth.bd_rate if worth else None,
        "allocations": list(beside.allocations.counts) if beside.allocations else None,
        "allocations_ratio": beside.allocations.ratio if beside.allocations else None,
        "instructions_ratio": counted.ratio if counted else None,
        "instructions": opinion
        and counted
        and {
            "verdict": str(opinion.word),
            "agrees": opinion.agree,
            "source": counted.source,
            "A": list(counted.base),
            "B": list(counted.candidate),
        },
    }


BESIDE_COLUMNS = ("PSNR", "BD-rate", "Allocations", "Instructions", "Predicted speed")
"""Of a table, where any part has something to say there."""


def cell_of(column: str, part: Part) -> str:
    """The cell of one of BESIDE_COLUMNS; empty where nothing is known."""
    beside = part.beside
    foreseen = beside.prediction.prediction if beside.prediction else None
    if column == "PSNR":
        return decibel(beside.worth.psnr_y_delta if beside.worth else None)
    if column == "BD-rate":
        known = beside.worth is not None and beside.worth.bd_rate is not None
        return units.percent(beside.worth.bd_rate, True) if known and beside.worth else ""
    if column == "Allocations":
        ratio = beside.allocations.ratio if beside.allocations else None
        return "" if ratio is None else _change(ratio)
    if column == "Instructions":
        return _change(beside.instructions.ratio) if beside.instructions else ""
    return " to ".join(units.percent(end, True) for end in foreseen.gain) if foreseen else ""


def _prediction_json(part: Part, foreseen: Foreseen) -> dict[str, Any]:
    told, score = foreseen.prediction, part.beside.score
    return {
        "why": foreseen.why,
        "ratio": told.ratio if told else None,
        "interval": [told.low, told.high] if told else None,
        "hit": score.is_hit if score else None,
        "hits": score.hits if score else None,
        "predictions": score.predictions if score else None,
        "kernels": [
            {"slot": kernel.slot, "share": kernel.share, "ratio": kernel.ratio, "log_ratios": list(kernel.log_ratios)}
            for kernel in foreseen.kernels
        ],
    }
