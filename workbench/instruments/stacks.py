"""Call stacks by py-spy, with the names of compiled functions.

py-spy sees a compiled function as a bare address. The encoder therefore runs inside a small program
(inside/profiled.py) that has numba keep frame pointers, so that whole compiled stacks can be walked, that starts
py-spy behind the first frames, and that writes at its end which function lies at which address. This is a build of its
own with a cache of its own; it is never the one that is timed.
"""

from __future__ import annotations

import bisect
import itertools
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import child, units
from workbench.child import Usage
from workbench.encode import STREAM, without_folder
from workbench.errors import EnvironmentFault, SubjectError
from workbench.files import cache_folder
from workbench.record import Record
from workbench.subject import Encoder, Subject

INSTRUMENT = "stacks"
RATE_HZ = 200
SAMPLED_S = 5.0
UNKNOWN = "[unknown]"
_PROFILED = "workbench.instruments.inside.profiled"
_FEW_SAMPLES = 200
_RESOLVED_ENOUGH = 0.95
_ADDRESS = re.compile(r"0x([0-9a-f]+) \(\?\)$")
_IN_LIBRARY = re.compile(r"0x[0-9a-f]+ \(([^?].*)\)$")
_PYTHON_FRAME = re.compile(r" \((?:.*\.py|<frozen .*>):\d+\)$")
_BODY = re.compile(r"^(?!<module>).* \(encoder/(?!cli\.py|__main__\.py).*\.py:\d+\)$")
_WAITS = re.compile(r"(?:Condition\.)?wait \(threading\.py|(?:Thread\.)?join \(threading\.py")
_OURS = "(workbench/"
_KERNEL = re.compile(r"kernels\.(set_\w+)\..*?([^.]+)$")


@dataclass(frozen=True)
class _Symbol:
    end: int
    name: str
    wrapper: bool


class SymbolMap:
    """Names of compiled functions by address."""

    def __init__(self, symbols: Sequence[tuple[int, int, str, bool]]) -> None:
        ordered = sorted(symbols)
        self._starts = [address for address, *_ in ordered]
        self._symbols = [_Symbol(address + size, name, wrapper) for address, size, name, wrapper in ordered]

    def find(self, address: int) -> _Symbol | None:
        """The function that `address` lies in."""
        at = bisect.bisect_right(self._starts, address) - 1
        return self._symbols[at] if at >= 0 and address < self._symbols[at].end else None


def build_environment() -> dict[str, str]:
    """Where the build with frame pointers keeps its compiled functions."""
    return {"ENCODER_CACHE_DIR": str(cache_folder("compiled-with-frame-pointers"))}


def warm(encoder: Encoder, kernels: str, folder: Path, timeout_s: float) -> Usage:
    """Compile the build with frame pointers into its cache."""
    words = (
        sys.executable,
        "-m",
        _PROFILED,
        str(folder / "symbols.json"),
        "0",
        "0",
        "--",
        "--warm",
        "--kernels",
        kernels,
        "-q",
    )
    return child.run(words, timeout_s, {**encoder.environment, **build_environment()}).usage


def measure(subject: Subject, folder: Path, timeout_s: float, interpreted: bool, warm_up: int) -> Record:
    """Sample one encode behind its first `warm_up` packets for SAMPLED_S, its pictures repeated; the value is the number of
    samples. An interpreted set, whose mini-GOPs take minutes, encodes the clip once.

    data   folded: "outermost;...;innermost" -> samples; resolved_share: samples whose innermost frame has a name
    """
    raw, symbols = folder / "stacks.txt", folder / "symbols.json"
    native = () if interpreted else ("--native",)
    sampler = (_py_spy(), "record", "--format", "raw", "--rate", str(RATE_HZ), "--output", str(raw), *native, "--pid")
    seconds = 0.0 if interpreted else SAMPLED_S
    start = (sys.executable, "-m", _PROFILED, str(symbols), str(seconds), str(warm_up), *sampler, "--")
    words = (*start, *subject.arguments(folder / STREAM))
    finished = child.run(words, timeout_s, {**subject.encoder.environment, **build_environment()}, check=False)
    if not raw.is_file() or not symbols.is_file():
        why = child.describe_failure(finished)
        raise SubjectError(f"py-spy could not watch the encoder: {why}; it needs the right to ptrace")
    folded = fold(raw.read_text(encoding="utf-8"), SymbolMap(json.loads(symbols.read_text())))
    share, samples = resolved_share(folded), sum(folded.values())
    data = {"folded": dict(folded), "rate_hz": RATE_HZ, "resolved_share": share}
    about: dict[str, Any] = {"subject": subject.entry(), "command": without_folder(words, folder)}
    said = tuple(_warnings(samples, share))
    return Record(INSTRUMENT, "samples", "count", values=(float(samples),), data=data, warnings=said, **about)


def fold(raw: str, names: SymbolMap) -> Counter[str]:
    """py-spy's raw lines with names for addresses, and without what is not the encoder at work."""
    folded: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = tidy(stack.split(";"), names)
        if frames:
            folded[";".join(frames)] += int(count)
    return folded


def tidy(frames: Sequence[str], names: SymbolMap) -> list[str]:
    """One stack as a reader wants it, outermost first; empty where it is not the encoder at work.

    It begins with the encoder's own first frame. Between Python and compiled code lie numba's dispatcher, its wrappers
    and frames that the unwinder made up: they go, as do addresses without a name, but for an innermost one, which is
    what the sample is about. A thread that waits for another is not at work.
    """
    if any(_WAITS.match(frame) for frame in frames):
        return []
    kept: list[str] = []
    glue: list[str] = []  # native frames behind the last Python or compiled one: glue if another compiled one follows
    in_body = False
    for frame in frames:
        address = _ADDRESS.match(frame)
        symbol = names.find(int(address.group(1), 16)) if address else None
        if symbol is not None and not symbol.wrapper:
            kept.append(short_name(symbol.name))
            glue, in_body = [], True
        elif _PYTHON_FRAME.search(frame):
            in_body = in_body or bool(_BODY.match(frame))
            if in_body and _OURS not in frame:
                kept.append(frame)
            glue = []
        elif in_body and symbol is None:
            glue.append(UNKNOWN if address else _IN_LIBRARY.sub(r"[\1]", frame))
    named = [frame for frame in glue[:-1] if frame != UNKNOWN] + glue[-1:]
    return kept + [frame for frame, _ in itertools.groupby(named)] if kept else []


def short_name(function: str) -> str:
    """A compiled function as reports show it: `set_numba.satd` for a kernel, `tile.walk.encode_tile` for another of
    the encoder's."""
    kernel = _KERNEL.search(function)
    return ".".join(kernel.groups()) if kernel else function.removeprefix("encoder.")


def resolved_share(folded: Mapping[str, int]) -> float:
    """Samples whose innermost frame has a name, of all."""
    total = sum(folded.values())
    unknown = sum(count for stack, count in folded.items() if stack.endswith(UNKNOWN))
    return 1 - unknown / total if total else 0.0


def _warnings(samples: int, resolved: float) -> list[str]:
    said = []
    if samples < _FEW_SAMPLES:
        said.append(f"only {samples} samples, shares are rough: use more --frames or a larger --budget")
    if samples and resolved < _RESOLVED_ENOUGH:
        share = units.percent(1 - resolved)
        said.append(f"{share} of the samples have no function name: compiled code that the symbol map does not hold")
    return said


def _py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    if found is None:
        raise EnvironmentFault("py-spy is not installed; run: pip install py-spy")
    return found
