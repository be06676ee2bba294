"""Repeating measurements: rounds in random order, until there are enough or time is up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Subject = TypeVar("Subject")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """When to stop repeating.

    least, most   rounds
    deadline      monotonic seconds; no round that would end after it is begun, once there are `least`
    timeout_s     of a single encode
    seed          of the random order
    """

    least: int
    most: int
    deadline: float
    timeout_s: float
    seed: int = 1


def in_random_order(
    subjects: Sequence[Subject], measure: Callable[[Subject], Result], limits: Limits, tick: Callable[[], None]
) -> list[list[Result]]:
    """Rounds of one measurement of each subject, each round in an order of its own; the results of each subject.

    A slow drift of the machine so touches all subjects alike, and no subject always comes after the same other one.
    `tick` is called after each measurement.
    """
    order = random.Random(limits.seed)
    taken: list[list[Result]] = [[] for _ in subjects]
    began = time.monotonic()
    for done in range(limits.most):
        if done >= limits.least and time.monotonic() + (time.monotonic() - began) / max(done, 1) > limits.deadline:
            break
        for at in order.sample(range(len(subjects)), len(subjects)):
            taken[at].append(measure(subjects[at]))
            tick()
    return taken
