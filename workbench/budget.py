"""Seconds for a run of several steps: each has its share of what is left, so what one leaves the later ones have."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_RESERVE = 0.08  # for starting up, for writing the report, and for steps that end a little late


class Budget:
    """`seconds` for the steps named in `weights`, in any order; monotonic time throughout."""

    def __init__(self, seconds: float, weights: Mapping[str, float]) -> None:
        self._ends = time.monotonic() + seconds * (1 - _RESERVE)
        self._weights = dict(weights)

    @property
    def left_s(self) -> float:
        """Seconds left for all steps; not below 0."""
        return max(self._ends - time.monotonic(), 0.0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done once and kept in a cache does not count: the block's time is given back."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._ends += time.monotonic() - began

    def begin(self, step: str) -> float:
        """The monotonic time at which a step that begins now should end; its weight no longer counts for the others."""
        share = self._weights[step] / sum(self._weights.values())
        del self._weights[step]
        return time.monotonic() + self.left_s * share
