"""Allocations replayed one by one: how many lived at once, who asked for them, how long they lived, frame by frame.

A Ledger takes the records of a capture in their order and keeps account. It knows nothing of memray; replayed.py feeds it.
Every allocation belongs to a stack, a number. Marks cut the run into frames (or slices of time); figures at marks say what
lived there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_POINTS = 2000
MOST_LEVELS = 256


@dataclass
class Stack:
    """What one stack has asked for. `count` and `total_bytes` of all its allocations, `live` and `live_bytes` of those that are
    not freed, `temporary` of those that were freed almost at once: never had their thread two younger ones in use meanwhile
    (as memray has it, with a threshold of 1)."""

    count: int = 0
    total_bytes: int = 0
    temporary: int = 0
    live: int = 0
    live_bytes: int = 0


@dataclass
class Curve:
    """The most that lived at once, along the run, in at most MOST_POINTS steps of as many records each."""

    step: int = 1
    counts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    _seen: int = 0

    def add(self, count: int, size: int) -> None:
        """What lives behind the next record."""
        if self._seen % self.step == 0:
            if len(self.counts) == MOST_POINTS:
                self._halve()
            self.counts.append(count)
            self.sizes.append(size)
        else:
            self.counts[-1] = max(self.counts[-1], count)
            self.sizes[-1] = max(self.sizes[-1], size)
        self._seen += 1

    def _halve(self) -> None:
        self.step *= 2
        for values in (self.counts, self.sizes):
            values[:] = [max(values[at : at + 2]) for at in range(0, len(values), 2)]


@dataclass(frozen=True)
class Mark:
    """Where a mark stands and what lives there: `records` seen so far, `count` and `total_bytes` allocated so far."""

    records: int
    count: int
    total_bytes: int
    live: int
    live_bytes: int


class Ledger:
    """The account of a capture; see `Stack`, `Curve` and `Mark`.

    levels   at marks, as many as MOST_LEVELS at most and as far apart as each other: (mark, stack -> (live, live bytes))
    peak_count, peak_bytes   the most that lived at once
    unknown_frees            of what was allocated before the capture began
    """

    def __init__(self) -> None:
        self.stacks: dict[int, Stack] = {}
        self.curve = Curve()
        self.marks: list[Mark] = []
        self.levels: list[tuple[int, dict[int, tuple[int, int]]]] = []
        self.peak_count = self.peak_bytes = 0
        self.count = self.total_bytes = self.unknown_frees = self.records = 0
        self._live_count = self._live_bytes = 0
        self._blocks: dict[int, tuple[int, int, int]] = {}  # address -> size, stack, thread
        self._mapped: dict[int, tuple[int, int, int]] = {}  # address -> end, stack, bytes that are left
        self._newest: dict[int, list[int]] = {}  # thread -> the addresses that it was given last, two at most
        self._level_step = 1

    def allocate(self, address: int, size: int, stack: int, thread: int) -> None:
        """A block is given out."""
        if address in self._blocks:  # its free is missing: it went unseen
            self.free(address)
        self._blocks[address] = (size, stack, thread)
        self._newest[thread] = [address, *self._newest.get(thread, ())][:2]
        self._enter(size, stack)

    def free(self, address: int) -> None:
        """A block is given back."""
        block = self._blocks.pop(address, None)
        if block is None:
            self.unknown_frees += 1
            self._step()
            return
        size, stack, thread = block
        account = self.stacks[stack]
        account.live -= 1
        account.live_bytes -= size
        newest = self._newest.get(thread, [])
        if address in newest:
            account.temporary += 1
            newest.remove(address)
        self._live_count -= 1
        self._live_bytes -= size
        self._step()

    def map(self, address: int, size: int, stack: int, thread: int) -> None:
        """A range is mapped; parts of it may be unmapped later."""
        self.unmap(address, size, counted=False)
        self._mapped[address] = (address + size, stack, size)
        self._newest[thread] = [address, *self._newest.get(thread, ())][:2]
        self._enter(size, stack)

    def unmap(self, address: int, size: int, counted: bool = True) -> None:
        """A range is unmapped: all of what was mapped in one go, a part of it, or parts of several."""
        end = address + size
        for start, (until, stack, _) in [*self._mapped.items()]:
            low, high = max(start, address), min(until, end)
            if low >= high:
                continue
            del self._mapped[start]
            pieces = [(a, b) for a, b in ((start, low), (high, until)) if a < b]
            for a, b in pieces:
                self._mapped[a] = (b, stack, b - a)
            account = self.stacks[stack]
            account.live += len(pieces) - 1
            account.live_bytes -= high - low
            self._live_count += len(pieces) - 1
            self._live_bytes -= high - low
        if counted:
            self._step()

    def mark(self) -> None:
        """A frame ends here."""
        if len(self.marks) % self._level_step == 0:
            if len(self.levels) == MOST_LEVELS:
                self._level_step *= 2
                self.levels = self.levels[::2]
            if len(self.marks) % self._level_step == 0:
                here = {stack: (a.live, a.live_bytes) for stack, a in self.stacks.items() if a.live}
                self.levels.append((len(self.marks), here))
        self.marks.append(Mark(self.records, self.count, self.total_bytes, self._live_count, self._live_bytes))

    def _enter(self, size: int, stack: int) -> None:
        account = self.stacks.get(stack)
        if account is None:
            account = self.stacks[stack] = Stack()
        account.count += 1
        account.total_bytes += size
        account.live += 1
        account.live_bytes += size
        self.count += 1
        self.total_bytes += size
        self._live_count += 1
        self._live_bytes += size
        self.peak_count = max(self.peak_count, self._live_count)
        self.peak_bytes = max(self.peak_bytes, self._live_bytes)
        self._step()

    def _step(self) -> None:
        self.records += 1
        self.curve.add(self._live_count, self._live_bytes)
