"""What disturbed a series of timings: each warning says what was seen, why it may be, and what to try."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import units
from workbench.child import Usage
from workbench.stats import median, outliers, robust_spread

FEW_REPETITIONS = 3
_OUTLIER_MARGIN = 0.05  # below 5 % of the median a far value of a very quiet series is not worth a warning
_SPREAD_LIMIT = 0.05
_FIRST_SLOWER = 0.10
_PRESSURE_LIMIT = 0.10  # share of the time in which some task waited for a processor
_STEAL_LIMIT = 0.02  # share of the time that the hypervisor gave to others


def warnings(usages: Sequence[Usage], repeat: str, expected_waiting: bool = False) -> list[str]:
    """Judge repetitions of one command.

    repeat             what to try for more or calmer repetitions, e.g. "raise --budget"
    expected_waiting   the command itself runs as many threads as there are cores: that some of them wait is no news
    """
    walls = [usage.wall_s for usage in usages]
    return [
        *_few(walls, repeat),
        *(_slow_start(walls) or _outliers(walls)),
        *_spread(walls, repeat),
        *([] if expected_waiting else _pressure(usages)),
        *_steal(usages),
    ]


def _few(walls: Sequence[float], repeat: str) -> list[str]:
    if len(walls) >= FEW_REPETITIONS:
        return []
    plural = "" if len(walls) == 1 else "s"
    return [f"only {len(walls)} repetition{plural}, too few to know the spread; {repeat}"]


def _slow_start(walls: Sequence[float]) -> list[str]:
    rest = walls[1:]
    if len(rest) < FEW_REPETITIONS or walls[0] <= max(rest) or walls[0] < median(rest) * (1 + _FIRST_SLOWER):
        return []
    return [
        f"the first repetition took {units.seconds(walls[0])}, the others {units.seconds(median(rest))}: files or "
        "compiled kernels were not in memory yet? run it again, or `encoder --warm` first"
    ]


def _outliers(walls: Sequence[float]) -> list[str]:
    middle = median(walls)
    far = [at for at in outliers(walls) if abs(walls[at] - middle) > _OUTLIER_MARGIN * middle]
    return [
        f"repetition {at + 1} of {len(walls)} took {units.seconds(walls[at])}, the median is {units.seconds(middle)}: "
        "another program was busy? close what runs beside, and look whether it comes back"
        for at in far
    ]


def _spread(walls: Sequence[float], repeat: str) -> list[str]:
    if len(walls) < FEW_REPETITIONS or (spread := robust_spread(walls) / median(walls)) <= _SPREAD_LIMIT:
        return []
    return [
        f"the repetitions spread by {units.percent(spread)} of their median: the machine is not quiet; close other "
        f"programs or {repeat}"
    ]


def _pressure(usages: Sequence[Usage]) -> list[str]:
    share = _share([usage.pressure_s for usage in usages], usages)
    if share is None or share <= _PRESSURE_LIMIT:
        return []
    return [
        f"programs waited for a processor in {units.percent(share)} of the time (/proc/pressure/cpu): other work on "
        "the machine? look with `top` and try again"
    ]


def _steal(usages: Sequence[Usage]) -> list[str]:
    share = _share([usage.steal_s for usage in usages], usages)
    if share is None or share <= _STEAL_LIMIT:
        return []
    return [
        f"the hypervisor gave {units.percent(share)} of a processor to others (steal in /proc/stat): another guest is "
        "busy; believe processor time rather than wall time, or try again later"
    ]


def _share(noise_s: Sequence[float | None], usages: Sequence[Usage]) -> float | None:
    """Noise seconds over wall seconds; None when the kernel does not say."""
    known = [value for value in noise_s if value is not None]
    wall = sum(usage.wall_s for usage in usages)
    return sum(known) / wall if known and wall else None


def meters(usages: Sequence[Usage]) -> dict[str, list[float | None]]:
    """What the kernel's noise meters said of each repetition."""
    return {
        "involuntary_switches": [usage.involuntary_switches for usage in usages],
        "pressure_s": [usage.pressure_s for usage in usages],
        "steal_s": [usage.steal_s for usage in usages],
    }
