"""The encoder's command line with an account of the Python objects that stay alive, frame by frame.

python -m workbench.instruments.inside.kept_objects OUTPUT WARM_UP FRAMES ENCODER_ARGUMENT... The clip's first pictures are
encoded forwards and backwards until there are FRAMES of them; objects are followed from behind the first WARM_UP packets.
OUTPUT is a JSON file, see `Account.report`.

By tracemalloc, not memray: Python keeps lists of freed floats, tuples, lists and dicts and hands them out again. To memray
such an object still belongs to the line that first asked for its memory; tracemalloc hears of its second life as well (but
not of the second life of a small dictionary's table, 120 bytes, which may stand under a line that asked for it before). The
garbage collector runs before each note: what only waits for it is not kept by anybody. So is the interpreter's cache of
looked up attributes emptied. It holds on to the names, which compiled code makes anew at each call, up to 4096 of them.
"""

from __future__ import annotations

import ast
import gc
import json
import sys
import tracemalloc
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.instruments.inside.replayed import origin_of
from workbench.instruments.inside.tracked import MOST_KEPT, fill_caches_of_numpy
from workbench.repeated import kept_back_and_forth

MOST_SITES = 250
_FRAMES = 8  # of a stack
_OURS = (__file__, tracemalloc.__file__)


class Account:
    """What is alive at each note, by stack. What this itself keeps is traced as well, so it keeps few objects: a row of
    numbers a note."""

    def __init__(self) -> None:
        self._numbers: dict[tracemalloc.Traceback, int] = {}
        self._counts: list[array[int]] = []
        self._sizes: list[array[int]] = []

    def note(self) -> None:
        """Take the figures. What this itself allocates does not count."""
        clear_type_cache()
        gc.collect()
        self._take_figures()
        # The snapshot's tuples are not traced, nor would be what takes their place on the lists of freed ones.
        gc.collect()

    def _take_figures(self) -> None:
        statistics = tracemalloc.take_snapshot().statistics("traceback")
        for one in statistics:
            self._numbers.setdefault(one.traceback, len(self._numbers))
        counts, sizes = (array("q", bytes(8 * len(self._numbers))) for _ in range(2))
        for one in statistics:
            counts[self._numbers[one.traceback]] = one.count
            sizes[self._numbers[one.traceback]] = one.size
        self._counts.append(counts)
        self._sizes.append(sizes)

    def report(self) -> dict[str, Any]:
        """Figures by stack for what was alive at the last note, at most MOST_SITES: frames innermost first, own, loading (as
        replayed.py has them), live, live_bytes and levels, objects and bytes at each note."""
        notes = range(len(self._counts))
        alive = [(place, at) for place, at in self._numbers.items() if self._counts[-1][at] and not _is_ours(place)]
        alive.sort(key=lambda entry: (-self._counts[-1][entry[1]], entry[1]))
        sites = []
        for place, at in alive[:MOST_SITES]:
            levels = [(_at(self._counts[note], at), _at(self._sizes[note], at)) for note in notes]
            stack = [(frame.filename, frame.lineno) for frame in reversed(place)]
            origin = origin_of([(function_at(path, line), path, line) for path, line in stack])
            about = {"frames": origin.frames, "own": origin.own, "loading": origin.loading}
            sites.append({**about, "live": levels[-1][0], "live_bytes": levels[-1][1], "levels": levels})
        return {
            "objects": sum(self._counts[-1][at] for _, at in alive),
            "sites": sites,
            "level_marks": list(notes),
        }


def _is_ours(place: tracemalloc.Traceback) -> bool:
    """Whether the instrument itself allocates there; a stack's innermost frame is its last."""
    return place[-1].filename in _OURS


def _at(row: array[int], at: int) -> int:
    """A stack's figure in a note; one that was not known yet had nothing alive."""
    return row[at] if at < len(row) else 0


def clear_type_cache() -> None:
    """Have the interpreter forget which attributes it has looked up."""
    clear = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()


@cache
def _functions(path: str) -> list[tuple[int, int, str]]:
    """First line, last line and name of every function of a source file, inner ones behind outer ones."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.lineno, node.end_lineno or 0, node.name) for node in ast.walk(tree) if isinstance(node, kinds)]


def function_at(path: str, line: int) -> str:
    """The innermost function that a line of a file lies in; `<module>` where that is none."""
    around = [(first, name) for first, last, name in _functions(path) if first <= line <= last]
    return max(around)[1] if around else "<module>"


def followed(
    encode: Callable[..., Iterator[Any]], account: Account, warm_up: int, frames: int
) -> Callable[..., Iterator[Any]]:
    """`encode` of `frames` pictures, with a note in `account` behind the first `warm_up` packets and behind each other one."""

    def encode_followed(pictures: Iterable[Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        shown = islice(kept_back_and_forth(islice(pictures, min(frames, MOST_KEPT))), frames)
        packets = encode(shown, *arguments, **options)
        yield from islice(packets, warm_up)
        fill_caches_of_numpy()
        gc.collect()
        gc.freeze()  # what is there already is not gone through again at each note
        tracemalloc.start(_FRAMES)
        account.note()
        for packet in packets:
            yield packet
            account.note()
        tracemalloc.stop()
        gc.unfreeze()

    return encode_followed


def main() -> int:
    """Encode, write the account, return the encoder's exit status."""
    output, warm_up, frames, *arguments = sys.argv[1:]
    from encoder import stream

    account = Account()
    stream.encode = followed(stream.encode, account, int(warm_up), int(frames))
    from encoder.cli import main as encode

    status = encode(arguments)
    if status == 0:
        Path(output).write_text(json.dumps(account.report()))
    return status


if __name__ == "__main__":
    sys.exit(main())
