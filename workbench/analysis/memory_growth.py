"""What leaks: memory that grows from frame to frame, told from what is allocated once and from what is on its way.

At the end of the steady state something is always alive: caches that were filled once, buffers that frames reuse, and the
pictures of frames that are not done. None of these grows with the number of frames. So the run is cut into PARTS of equal
length, and for each site the least that lived at the end of any frame of a part is its low-water mark: pictures on their
way come and go within a mini-GOP, and a part is at least one long. The first part is for settling. A site leaks when its
low-water mark rises from each part to the next, and no step is less than a quarter of another: a cache that fills up slows
down, a leak does not. A block that is not freed but made larger, as the room of a list, counts when its bytes rise like
that and never fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PARTS = 4
LEAST_PART_FRAMES = 16  # the longest mini-GOP: what frames need is alike from one to the next, not within
LEAST_PART_SLICES = 8  # of a program without frames
_STEADY = 4.0  # largest step of a leak over its smallest
_LEAST_RATE = 1 / 32  # blocks a frame: two in three parts of the shortest run are chance


@dataclass(frozen=True)
class Rise:
    """How much more lives after each mark: blocks and bytes."""

    blocks: float
    size_bytes: float


def is_long_enough(marks: int, has_frames: bool) -> bool:
    """Whether a run of so many frames (or slices of time) is long enough to tell a leak from anything else."""
    return marks // PARTS >= (LEAST_PART_FRAMES if has_frames else LEAST_PART_SLICES)


def low_waters(values: Sequence[float]) -> list[float]:
    """The least value of each of PARTS equal parts; what is left over at the beginning belongs to no part."""
    length = len(values) // PARTS
    first = len(values) - PARTS * length
    return [min(values[first + part * length : first + (part + 1) * length]) for part in range(PARTS)] if length else []


def rises(values: Sequence[float]) -> bool:
    """Whether the low-water marks of all parts but the first rise, by steps that are alike."""
    steps = [after - before for before, after in pairwise(low_waters(values)[1:])]
    return bool(steps) and min(steps) > 0 and max(steps) <= _STEADY * min(steps)


def rate(values: Sequence[float]) -> float:
    """Mean rise of the low-water mark a value, without the first part."""
    lows = low_waters(values)
    return (lows[-1] - lows[1]) / ((PARTS - 2) * (len(values) // PARTS)) if lows else 0.0


def rise(levels: Sequence[tuple[int, int]], marks_a_level: float = 1.0) -> Rise | None:
    """How a site grows that has (blocks, bytes) alive at each level; None where it does not.

    marks_a_level   marks from one level to the next
    """
    blocks, sizes = [level[0] for level in levels], [level[1] for level in levels]
    by_blocks = rises(blocks) and rate(blocks) > _LEAST_RATE
    settled = sizes[len(sizes) // PARTS :]
    by_bytes = rises(sizes) and all(before <= after for before, after in pairwise(settled))
    if not by_blocks and not by_bytes:
        return None
    return Rise(rate(blocks) / marks_a_level, rate(sizes) / marks_a_level)


def blocks_rise(blocks: Sequence[int]) -> float | None:
    """How many more small blocks Python has given out after each mark; None where their number does not rise."""
    return rate(blocks) if rises(blocks) and rate(blocks) > _LEAST_RATE else None
