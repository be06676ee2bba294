"""Rules of comparison tried on recorded noise, whose truth is known: all runs are of one program, so A is B.

Labels are laid on a stretch of consecutive runs, and an effect may be planted by slowing what is labelled B. Our rule
takes pairs with a coin each and looks after every pair; the usual ones take a block of A and then a block of B.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from workbench.analysis.block_tests import mann_whitney_p, welch_p
from workbench.analysis.evidence import ALPHA, decisions
from workbench.errors import InputError
from workbench.stats import SEED, median, random_stream

Metric = Literal["wall", "cpu"]
EFFECTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)
RUN_S = 0.075  # what short iterations are grouped to: the middle of the 50 to 100 ms that a kernel's run takes
PAIRS = 40
BLOCK = 15  # runs a side in blocks
WINDOWS = 2000
BLOCK_ALPHAS = (0.05, 0.01)


@dataclass(frozen=True)
class Trace:
    """Recorded iterations, in order of time: seconds of wall and of processor."""

    name: str
    wall_s: np.ndarray
    cpu_s: np.ndarray


@dataclass(frozen=True)
class Rate:
    """How a rule fared over all stretches with one planted effect (0.01: B is 1 % slower; 0: A is B). Shares of 1.

    slower, faster, same, undecided   what it said; a rule of blocks knows no SAME
    wrong   faster at any effect, slower where there is none, SAME where the effect is the margin or more
    pairs   mean pairs (or runs a side) until it stopped
    """

    effect: float
    slower: float
    faster: float
    same: float
    undecided: float
    wrong: float
    pairs: float


@dataclass(frozen=True)
class Rule:
    """A rule of comparison: its name, the error that it promises, and a rate for each effect."""

    name: str
    alpha: float
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Rates:
    """All rules on one trace.

    group       iterations to a run, whose least time is the run's
    alternated  the iterations of a pair's two runs lay in turns, not one run behind the other
    runs        in the trace
    windows     stretches tried. They overlap where they are more than runs / stretch: the coins are new each time, so
                ours are as good as independent; figures of blocks are of the trace's few independent stretches
    spread      of the log ratios of pairs: 0.01 is 1 %
    """

    trace: str
    metric: Metric
    group: int
    alternated: bool
    runs: int
    windows: int
    pairs: int
    block: int
    margin: float
    spread: float
    rules: tuple[Rule, ...]


def read_trace(path: Path) -> Trace:
    """A JSON file of rows [wall seconds, processor seconds, ...], one an iteration. Raises InputError."""
    wrong = f"{path}: not a recording of noise: JSON rows of [wall seconds, processor seconds, ...] are expected"
    try:
        rows = json.loads(path.read_text())
        times = np.array([[float(row[0]), float(row[1])] for row in rows])
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        raise InputError(wrong) from None
    if not times.size or not np.isfinite(times).all() or (times <= 0).any():
        raise InputError(wrong)
    return Trace(path.stem, times[:, 0], times[:, 1])


def replay(
    trace: Trace,
    metric: Metric = "cpu",
    *,
    margin: float = 0.01,
    alpha: float = ALPHA,
    group: int | None = None,
    alternated: bool = False,
    pairs: int = PAIRS,
    block: int = BLOCK,
    windows: int = WINDOWS,
    effects: Sequence[float] = EFFECTS,
    seed: int = SEED,
) -> Rates:
    """Try all rules. `group`: iterations to a run; by itself as many as take RUN_S. Raises InputError of too short a trace."""
    group = group or max(1, round(RUN_S / median(trace.wall_s.tolist())))
    runs = _runs(trace.wall_s if metric == "wall" else trace.cpu_s, group, alternated)
    longest = 2 * max(pairs, block)
    if len(runs) < longest:
        raise InputError(f"{trace.name}: {len(runs)} runs of {group} iterations are too few; {longest} are needed")
    stream = random_stream(seed)
    ratios = _pair_ratios(_windows(runs, 2 * pairs, windows, stream), stream)
    blocks = _windows(runs, 2 * block, windows, stream)
    rules = [_ours(ratios, margin, alpha, effects)]
    for name, test in (("Welch, blocks", welch_p), ("Mann-Whitney, blocks", mann_whitney_p)):
        rules += _of_blocks(name, test, blocks, effects)
    spread = 1.4826 * float(np.median(np.abs(ratios)))
    return Rates(trace.name, metric, group, alternated, len(runs), windows, pairs, block, margin, spread, tuple(rules))


def _runs(times: np.ndarray, group: int, alternated: bool) -> np.ndarray:
    """The least time of each run; two neighbours are the runs of a pair, and share their stretch if `alternated`."""
    whole = len(times) // (2 * group)
    both = times[: whole * 2 * group].reshape(whole, 2 * group)
    if alternated:
        return both.reshape(whole, group, 2).min(1).ravel()
    return both.reshape(whole, 2, group).min(2).ravel()


def _windows(runs: np.ndarray, length: int, windows: int, stream: np.random.RandomState) -> np.ndarray:
    """Stretches of consecutive runs that begin anywhere at a pair."""
    starts = 2 * stream.randint(0, (len(runs) - length) // 2 + 1, windows)
    return runs[starts[:, None] + np.arange(length)]


def _pair_ratios(stretches: np.ndarray, stream: np.random.RandomState) -> np.ndarray:
    """Log ratios B / A of each stretch's pairs, who is B by a coin."""
    logs = np.log(stretches).reshape(len(stretches), -1, 2)
    coins = stream.choice([-1.0, 1.0], logs.shape[:2])
    return coins * (logs[..., 1] - logs[..., 0])


def _ours(ratios: np.ndarray, margin: float, alpha: float, effects: Sequence[float]) -> Rule:
    rates = []
    for effect in effects:
        decided = decisions(ratios + np.log1p(effect), margin, alpha)
        _, pairs = decided.first()
        at = np.arange(len(ratios)), pairs - 1
        slower, faster = decided.above[at], decided.below[at]
        rates.append(_rate(effect, slower, faster, decided.same[at] & ~slower & ~faster, margin, float(pairs.mean())))
    return Rule("ours: pairs, any stop", alpha, tuple(rates))


def _of_blocks(
    name: str, test: Callable[[Sequence[float], Sequence[float]], float], blocks: np.ndarray, effects: Sequence[float]
) -> list[Rule]:
    """The rule at each of BLOCK_ALPHAS; the direction is that of the medians."""
    half = blocks.shape[1] // 2
    tried = []
    for effect in effects:
        b_times = blocks[:, half:] * (1 + effect)
        p_values = np.array([test(a, b) for a, b in zip(blocks[:, :half], b_times, strict=True)])
        tried.append((effect, p_values, np.median(b_times, 1) > np.median(blocks[:, :half], 1)))
    nothing = np.zeros(len(blocks), bool)
    return [
        Rule(
            name,
            alpha,
            tuple(
                _rate(effect, (p < alpha) & above, (p < alpha) & ~above, nothing, 0.0, float(half))
                for effect, p, above in tried
            ),
        )
        for alpha in BLOCK_ALPHAS
    ]


def _rate(effect: float, slower: np.ndarray, faster: np.ndarray, same: np.ndarray, margin: float, pairs: float) -> Rate:
    wrong = faster | (slower if effect == 0 else same if effect >= margin else np.zeros_like(same))
    undecided = ~(slower | faster | same)
    return Rate(
        effect,
        slower=float(slower.mean()),
        faster=float(faster.mean()),
        same=float(same.mean()),
        undecided=float(undecided.mean()),
        wrong=float(wrong.mean()),
        pairs=pairs,
    )
