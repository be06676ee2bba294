"""Read a capture of memray and say what was in it: `python -m workbench.instruments.inside.replayed CAPTURE OUTPUT`.

OUTPUT is a JSON file, see `report`. A process of its own, because a capture of a process that was killed may be damaged,
and because reading takes much memory.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.instruments.inside.ledger import Ledger
from workbench.instruments.inside.marks import MARK_BYTES

MOST_RECORDS = 12_000_000  # about a minute of reading
MOST_SITES = 250
_DEPTH = 300  # Python frames of a stack that are looked at
_KEPT_FRAMES = 8  # of them, the innermost ones tell a stack from others, beside the program's own innermost one
_PYMALLOC_FREE, _FREE, _MMAP, _MUNMAP = 1, 5, 14, 15
_FREES = (_PYMALLOC_FREE, _FREE)
_MARKS = ("mark", "marks.py")  # the function and file that set them
_OURS = tuple(f"/workbench/instruments/inside/{name}.py" for name in ("marks", "tracked", "watched_memory"))
_INSTALLED = "-packages/"  # site-packages/, dist-packages/
_NO_LIBRARIES = ("encoder/", "workbench/")  # wherever they are installed
_LOADING = ("<frozen importlib", "/numba/core/compiler", "/numba/core/dispatcher", "/numba/core/caching")

Frame = tuple[str, str, int]
"""Function, file, line."""


@dataclass(frozen=True)
class Origin:
    """Where allocations come from.

    frames    the innermost frames of the stack, innermost first
    own       the innermost frame that is in no library; None where there is none
    loading   whether a module is being imported there, or a function compiled
    """

    frames: tuple[Frame, ...]
    own: Frame | None
    loading: bool

    @property
    def is_ours(self) -> bool:
        """Whether the instrument itself allocates."""
        return bool(self.frames) and (self.own or self.frames[0])[1].endswith(_OURS)

    @property
    def is_mark(self) -> bool:
        """Whether it is the function that sets marks."""
        return bool(self.frames) and self.frames[0][0] == _MARKS[0] and self.frames[0][1].endswith(_MARKS[1])


def origin_of(stack: Sequence[Frame]) -> Origin:
    """The origin of a whole stack, innermost first."""
    own = next((frame for frame in stack if not _is_library(frame[1])), None)
    loading = any(part in frame[1] for frame in stack for part in _LOADING)
    return Origin(tuple(stack[:_KEPT_FRAMES]), own, loading)


def _is_library(path: str) -> bool:
    """Whether a source file is neither a program's own nor ours."""
    if _INSTALLED in path:
        return not path.rpartition(_INSTALLED)[2].startswith(_NO_LIBRARIES)
    return path.startswith("<frozen ") or "/lib/python3" in path


class _Stacks:
    """A number for every origin in a capture."""

    def __init__(self) -> None:
        self.origins: list[Origin] = []
        self._by_id: dict[int, int] = {}
        self._by_origin: dict[Origin, int] = {}

    def number(self, record: Any) -> int:
        known = self._by_id.get(record.stack_id)
        if known is None:
            known = self._by_id[record.stack_id] = self.number_of(_origin(record))
        return known

    def number_of(self, origin: Origin) -> int:
        known = self._by_origin.setdefault(origin, len(self.origins))
        if known == len(self.origins):
            self.origins.append(origin)
        return known


def _origin(record: Any) -> Origin:
    return origin_of([(name, path, line) for name, path, line in record.stack_trace(_DEPTH)])


def replay(capture: Path) -> tuple[Ledger, _Stacks, list[str]]:
    """The account of a capture, its stacks, and what is missing in it as lines of text."""
    from memray import FileReader

    ledger, stacks, missing = Ledger(), _Stacks(), []
    try:
        with FileReader(str(capture)) as reader:
            ours: set[int] = set()
            for number, record in enumerate(reader.get_allocation_records()):
                if number == MOST_RECORDS:
                    missing.append(f"the first {MOST_RECORDS:,} records of the capture are read, the rest is left out")
                    break
                _enter(ledger, stacks, ours, record)
    except OSError as error:
        missing.append(f"the capture ends early: {error}")
    return ledger, stacks, missing


def _enter(ledger: Ledger, stacks: _Stacks, ours: set[int], record: Any) -> None:
    allocator, address = record.allocator, record.address
    if allocator in _FREES:
        if address in ours:
            ours.discard(address)
        else:
            ledger.free(address)
    elif allocator == _MUNMAP:
        ledger.unmap(address, record.size)
    elif allocator == _MMAP:
        ledger.map(address, record.size, stacks.number(record), record.tid)
    else:
        number = stacks.number(record)
        if not stacks.origins[number].is_ours:
            ledger.allocate(address, record.size, number, record.tid)
            return
        ours.add(address)
        if record.size == MARK_BYTES and stacks.origins[number].is_mark:
            ledger.mark()


def report(capture: Path) -> dict[str, Any]:
    """What a capture holds.

    count, total_bytes, peak_count, peak_bytes   of all of it
    curve      most blocks and bytes that lived at once, in steps of `step` records
    marks      records, count and bytes so far, live blocks and bytes at each mark
    sites      by origin, at most MOST_SITES: frames innermost first, own, loading, count, bytes, temporary, live at the end,
               bytes of them, bytes at the peak, and levels: live blocks and bytes at each of `level_marks`
    not_listed origins that ask for least
    missing    what the capture or its reading leaves out
    """
    ledger, stacks, missing = replay(capture)
    at_peak, peak_missing = _at_peak(capture, stacks)
    chosen = _chosen(ledger, at_peak)
    return {
        "count": ledger.count,
        "total_bytes": ledger.total_bytes,
        "temporary": sum(account.temporary for account in ledger.stacks.values()),
        "peak_count": ledger.peak_count,
        "peak_bytes": ledger.peak_bytes,
        "live": sum(account.live for account in ledger.stacks.values()),
        "live_bytes": sum(account.live_bytes for account in ledger.stacks.values()),
        "unknown_frees": ledger.unknown_frees,
        "records": ledger.records,
        "curve": {"step": ledger.curve.step, "counts": ledger.curve.counts, "bytes": ledger.curve.sizes},
        "marks": [[m.records, m.count, m.total_bytes, m.live, m.live_bytes] for m in ledger.marks],
        "level_marks": [mark for mark, _ in ledger.levels],
        "sites": [_site(ledger, stacks, number, at_peak) for number in chosen],
        "not_listed": len(ledger.stacks) - len(chosen),
        "missing": [*missing, *peak_missing],
    }


def _at_peak(capture: Path, stacks: _Stacks) -> tuple[dict[int, int], list[str]]:
    """Bytes that lived at the peak, by stack: memray's own figure."""
    from memray import FileReader

    sizes: dict[int, int] = defaultdict(int)
    try:
        with FileReader(str(capture)) as reader:
            for record in reader.get_high_watermark_allocation_records(merge_threads=True):
                sizes[stacks.number_of(_origin(record))] += record.size
    except OSError as error:
        return {}, [f"what lived at the peak is not known: {error}"]
    return sizes, []


def _chosen(ledger: Ledger, at_peak: dict[int, int]) -> list[int]:
    """The origins that matter: the first by bytes, by count, by what is left at the end and by what lived at the peak."""
    accounts = ledger.stacks
    orders = (
        lambda number: accounts[number].total_bytes,
        lambda number: accounts[number].count,
        lambda number: accounts[number].live_bytes,
        lambda number: accounts[number].live,
        lambda number: at_peak.get(number, 0),
    )
    share = MOST_SITES // len(orders)
    kept = {number: None for order in orders for number in sorted(accounts, key=order, reverse=True)[:share]}
    return sorted(kept, key=lambda number: (-accounts[number].total_bytes, number))


def _site(ledger: Ledger, stacks: _Stacks, number: int, at_peak: dict[int, int]) -> dict[str, Any]:
    account, origin = ledger.stacks[number], stacks.origins[number]
    levels = [here.get(number, (0, 0)) for _, here in ledger.levels]
    return {
        "frames": origin.frames,
        "own": origin.own,
        "loading": origin.loading,
        "count": account.count,
        "bytes": account.total_bytes,
        "temporary": account.temporary,
        "live": account.live,
        "live_bytes": account.live_bytes,
        "peak_bytes": at_peak.get(number, 0),
        **({"levels": levels} if any(live for live, _ in levels) else {}),
    }


def main() -> int:
    """Read, write."""
    capture, output = sys.argv[1:]
    Path(output).write_text(json.dumps(report(Path(capture))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
