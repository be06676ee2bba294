"""The encoder's command line with every allocation of compiled code entered under the compiled functions that made it.

python -m workbench.instruments.inside.allocating OUTPUT WARM_UP FRAMES ENCODER_ARGUMENT... The clip's first pictures are
encoded forwards and backwards until there are FRAMES of them; what the first WARM_UP packets need is left out. OUTPUT is a
JSON file, see `report`; {"error"} where numba's runtime cannot be watched.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.instruments.inside import jit, profile_build
from workbench.instruments.inside.marks import compiled_counts
from workbench.instruments.inside.nrt import Names, NrtError, StackCount, Watch
from workbench.instruments.inside.tracked import MOST_KEPT
from workbench.repeated import kept_back_and_forth

MOST_LISTED = 200
_NONE = StackCount((), 0, 0, 0, 0, 0, 0)
_LEVELS = 4  # figures of what lives are taken at the ends of so many parts of the run


class Account:
    """What compiled code allocates from `begin` to `end`, with levels in between."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._levels: list[dict[tuple[int, ...], StackCount]] = []
        self._statistics: list[list[int]] = []

    def note(self) -> None:
        """Take the figures: at the beginning, at the end and in between."""
        self._levels.append({stack.addresses: stack for stack in self._watch.counts()})
        self._statistics.append([int(word) for word in compiled_counts().split()])

    def report(self, slots: dict[int, str]) -> dict[str, Any]:
        """What was allocated between the first note and the last.

        statistics   numba's own counts, [allocations, frees] at each note
        counted      of these, those that the stacks account for; the others are made for arrays that enter compiled code
        count, bytes of all stacks
        stacks       functions innermost first, as [name, slot of the kernel table or ""]; calls, bytes, live blocks at each note
                     (None where they cannot be followed to their end)
        missing      what is left out
        """
        first, last = self._levels[0], self._levels[-1]
        names = Names()
        merged: dict[tuple[tuple[str, str], ...], _Sum] = {}
        for addresses, end in last.items():
            begin = first.get(addresses, _NONE)
            if end.count > begin.count:
                functions = tuple((one.name, slots.get(one.address, "")) for one in names.functions(addresses))
                live = [level.get(addresses, _NONE).live for level in self._levels]
                merged.setdefault(functions, _Sum(len(live))).add(begin, end, live)
        ordered = sorted(merged.items(), key=lambda item: -item[1].count)
        missing = [f"{self._watch.lost} allocations found no room in the table of stacks"] if self._watch.lost else []
        if len(ordered) > MOST_LISTED:
            missing.append(f"{len(ordered) - MOST_LISTED} stacks of compiled code that allocate least are not listed")
        return {
            "statistics": self._statistics,
            "counted": sum(account.counted for account in merged.values()),
            "count": sum(account.count for account in merged.values()),
            "bytes": sum(account.total_bytes for account in merged.values()),
            "stacks": [account.entry(functions) for functions, account in ordered[:MOST_LISTED]],
            "missing": missing,
        }


class _Sum:
    """Stacks through the same functions, added up."""

    def __init__(self, notes: int) -> None:
        self.count = self.total_bytes = self.counted = 0
        self._live = [0] * notes
        self._is_followed = True

    def add(self, begin: StackCount, end: StackCount, live: Sequence[int]) -> None:
        """One more: its figures at the first note and at the last, and what lived at each."""
        self.count += end.count - begin.count
        self.total_bytes += end.total_bytes - begin.total_bytes
        self.counted += end.counted - begin.counted
        self._live = [a + b for a, b in zip(self._live, live, strict=True)]
        self._is_followed = self._is_followed and end.followed == end.count

    def entry(self, functions: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """As the report has it."""
        figures = {"count": self.count, "bytes": self.total_bytes, "counted": self.counted}
        return {"functions": functions, **figures, "live": self._live if self._is_followed else None}


def accounted(
    encode: Callable[..., Iterator[Any]], account: Account, warm_up: int, frames: int
) -> Callable[..., Iterator[Any]]:
    """`encode` of `frames` pictures, with notes in `account` from behind the first `warm_up` packets to the last one."""

    def encode_accounted(pictures: Iterable[Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        shown = islice(kept_back_and_forth(islice(pictures, min(frames, MOST_KEPT))), frames)
        packets = encode(shown, *arguments, **options)
        yield from islice(packets, warm_up)
        account.note()
        part = max(1, (frames - warm_up) // _LEVELS)
        for number, packet in enumerate(packets, 1):
            yield packet
            if number % part == 0 and number < frames - warm_up:
                account.note()
        account.note()

    return encode_accounted


def kernel_slots(name: str) -> dict[int, str]:
    """Where the kernels of a set that is loaded lie, and the slot and origin of each, `satd (mine.py:satd_fast)` for a kernel of
    the user's."""
    from encoder.kernels.load import load_kernels
    from encoder.kernels.table import SLOTS

    loaded = load_kernels(name)
    slots = {}
    for slot, declared in SLOTS.items():
        function = getattr(loaded.kernels, slot)
        if hasattr(function, "get_compile_result"):
            result = function.get_compile_result(declared.signature)
            address = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
            slots[address] = f"{slot} ({loaded.origins[slot]})"
    return slots


def main() -> int:
    """Encode, write the account, return the encoder's exit status."""
    output, warm_up, frames, *arguments = sys.argv[1:]
    missing: list[str] = []
    try:
        profile_build.enable(lambda _: None, missing.append)
        import numba  # noqa: F401 the watch has to be there before anything is compiled or loaded

        account = Account(Watch())
    except (NrtError, jit.JitError) as error:
        Path(output).write_text(json.dumps({"error": str(error)}))
        return 0
    from encoder import stream  # behind the watch: the encoder compiles as it loads

    stream.encode = accounted(stream.encode, account, int(warm_up), int(frames))
    from encoder.cli import main as encode

    status = encode(arguments)
    if status == 0:
        report = account.report(kernel_slots(_kernels(arguments)))
        report["missing"] = missing + report["missing"]
        Path(output).write_text(json.dumps(report))
    return status


def _kernels(arguments: Sequence[str]) -> str:
    return arguments[arguments.index("--kernels") + 1]


if __name__ == "__main__":
    sys.exit(main())
