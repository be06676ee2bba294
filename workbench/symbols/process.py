"""A watched process as its journal tells it: code that lay somewhere at some time, threads, and the samples themselves.

The journal is written by instruments/inside/journal.py, which says what its lines hold; one that ends in the middle of a
line is that of a process that was killed.
"""

from __future__ import annotations

import bisect
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.instruments.inside import handler as layout
from workbench.instruments.inside.jit import demangle
from workbench.instruments.inside.journal import LOG_SUFFIX, OBJECTS_SUFFIX, SAMPLES_SUFFIX
from workbench.symbols.dwarf import Lines, Place
from workbench.symbols.elf import EMPTY_ELF, Elf, ElfError, Function
from workbench.symbols.unwind import Unwinder

_PAGE_BITS = 12


@dataclass(frozen=True)
class CompiledFunction:
    """A compiled function as it lay in memory; `wrapper`: it only passes Python's arguments on."""

    name: str
    wrapper: bool
    owner: CompiledObject


class CompiledObject:
    """An object that was loaded at `loaded_ns` and unloaded at `gone_ns` (None: it never was)."""

    def __init__(self, data: bytes, loaded_ns: int) -> None:
        self.loaded_ns = loaded_ns
        self.gone_ns: int | None = None
        self.elf = Elf(data)
        functions = {each.address: each for each in self.elf.functions(relocatable=True)}
        self.functions: list[Function] = [functions[address] for address in sorted(functions)]
        self._starts = [function.address for function in self.functions]
        self.warning = ""

    def find(self, address: int) -> CompiledFunction | None:
        """The function that an address lies in."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0 or address >= self._starts[at] + self.functions[at].size:
            return None
        return CompiledFunction(*demangle(self.functions[at].name), self)

    def places(self, address: int) -> list[Place]:
        """Function and line of an address, with what is inlined there; empty where the object does not tell."""
        return self._lines.find(address) if self._lines is not None else []

    @cached_property
    def unwinder(self) -> Unwinder:
        """The way from each function to its caller."""
        return Unwinder(self.elf)

    @cached_property
    def _lines(self) -> Lines | None:
        try:
            return Lines(self.elf)
        except ElfError as error:
            self.warning = f"compiled code without lines: {error}"
            return None


class CompiledCode:
    """All objects that a process has loaded, over time. An address may have belonged to one after another."""

    def __init__(self) -> None:
        self.objects: list[CompiledObject] = []
        self._pages: dict[int, list[CompiledObject]] = {}

    def add(self, loaded: CompiledObject) -> None:
        """An object was loaded."""
        self.objects.append(loaded)
        pages = {
            page
            for each in loaded.functions
            for page in range(each.address >> _PAGE_BITS, ((each.address + each.size - 1) >> _PAGE_BITS) + 1)
        }
        for page in pages:
            self._pages.setdefault(page, []).append(loaded)

    def find(self, address: int, at_ns: int | None) -> CompiledFunction | None:
        """The function that lay at an address at a time. Where the time is not known, only code that nothing else has ever
        lain in the place of; None where there is none or more than one may be meant."""
        found = [
            function
            for each in self._pages.get(address >> _PAGE_BITS, ())
            if (at_ns is None or (each.loaded_ns <= at_ns and (each.gone_ns is None or at_ns <= each.gone_ns)))
            and (function := each.find(address)) is not None
        ]
        return found[0] if len(found) == 1 else None


class Library:
    """A mapped file: names by the address that the file counts, and ways back to callers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._elf = _mapped_elf(path)

    def address_of(self, offset: int) -> int | None:
        """What the file calls the address of a place in it."""
        return self._elf.address_of(offset) if self._elf is not None else None

    def symbol(self, address: int) -> str:
        """The function at an address; "" where the file does not name it."""
        starts, sizes, names = self._functions
        end = int(np.searchsorted(starts, np.uint64(address), "right"))
        first = int(np.searchsorted(starts, starts[end - 1])) if end else 0
        over = [at for at in range(first, end) if address < int(starts[at]) + int(sizes[at])]
        if self._elf is None or not over:
            return ""
        return min((self._elf.text(int(names[at])) for at in over), key=_plainness)

    @cached_property
    def unwinder(self) -> Unwinder | None:
        """The way from each function to its caller; None where the file does not tell."""
        found = Unwinder(self._elf) if self._elf is not None else None
        return found if found is not None and found.usable else None

    @cached_property
    def _functions(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
        try:
            return (self._elf or Elf(EMPTY_ELF)).function_table()
        except ElfError:
            return Elf(EMPTY_ELF).function_table()


def _plainness(name: str) -> tuple[bool, int, str]:
    """Of several names of one function the plainest is shown: `cbrt`, not `cbrtf32x` or `__cbrt`."""
    return name.startswith("_"), len(name), name


def _mapped_elf(path: str) -> Elf | None:
    try:
        with open(path, "rb") as file:
            return Elf(mmap(file.fileno(), 0, access=ACCESS_READ))
    except (OSError, ValueError, ElfError):
        return None  # a file that is gone, or none at all, as [vdso]


@dataclass(frozen=True)
class Mapping:
    """A part of a file in memory."""

    begin: int
    end: int
    offset: int
    library: Library


class Libraries:
    """What files were mapped executable, over the life of a process."""

    def __init__(self) -> None:
        self._by_path: dict[str, Library] = {}
        self._mappings: dict[tuple[int, int, int, str], Mapping] = {}

    def add(self, maps: Sequence[Sequence[Any]]) -> None:
        """A line `maps` of the journal."""
        for begin, end, offset, path in maps:
            library = (
                self._by_path.setdefault(path, Library(path)) if path not in self._by_path else self._by_path[path]
            )
            self._mappings[begin, end, offset, path] = Mapping(begin, end, offset, library)

    def find(self, address: int) -> tuple[Library, int | None] | None:
        """The file at an address, and what the file calls that address (None: it does not tell). None where no file, or
        more than one in the course of time, was mapped there."""
        found = [each for each in self._mappings.values() if each.begin <= address < each.end]
        paths = {each.library.path for each in found}
        if len(paths) != 1:
            return None
        mapping = found[-1]
        return mapping.library, mapping.library.address_of(address - mapping.begin + mapping.offset)


@dataclass(frozen=True)
class Code:
    """A Python function: `lines` are the offsets behind which each line begins, and the lines (None: of none)."""

    name: str
    file: str
    first: int
    offsets: tuple[int, ...]
    lines: tuple[int | None, ...]

    def line(self, offset: int) -> int:
        """The line of an instruction; 0 where it has none."""
        at = bisect.bisect_right(self.offsets, offset) - 1
        return (self.lines[at] if at >= 0 else self.first) or 0


@dataclass(frozen=True)
class Thread:
    """A thread: `has_python` says whether its Python frames are in its samples."""

    number: int
    name: str
    is_main: bool
    has_python: bool
    native_id: int


@dataclass(frozen=True)
class Sample:
    """A thread's stack at a tick.

    python   innermost first: code object, its key, instruction in bytes from the code object on (None: not known);
             None where they are not known at all
    cut      whether Python has more callers than a sample holds
    """

    thread: int
    at_ns: int
    pc: int
    sp: int
    bp: int
    pairs: tuple[tuple[int, int], ...]
    python: tuple[tuple[int, int, int | None], ...] | None
    cut: bool
    stack: bytes

    def word(self, address: int) -> int | None:
        """The word of the stack at an address; None where the sample does not hold it."""
        at = address - self.sp
        if 0 <= at <= len(self.stack) - 8:
            return int.from_bytes(self.stack[at : at + 8], "little")
        return self._beyond.get(address)

    @cached_property
    def _beyond(self) -> dict[int, int]:
        """Saved frame pointers and return addresses above what was copied."""
        found, at = {}, self.bp
        for saved, back in self.pairs:
            found[at], found[at + 8] = saved, back
            at = saved
        return found


@dataclass
class Process:
    """Everything that is known of one watched process. None: the process did not live to tell."""

    path: Path
    pid: int = 0
    command: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    executable: str = ""
    rate_hz: float = 0.0
    base: int | None = None
    began_ns: int | None = None
    last_ns: int = 0
    taken: int | None = None
    seconds: float | None = None
    frames: int | None = None
    warnings: list[str] = field(default_factory=list)
    threads: dict[int, Thread] = field(default_factory=dict)
    codes: dict[tuple[int, int], Code] = field(default_factory=dict)
    compiled: CompiledCode = field(default_factory=CompiledCode)
    libraries: Libraries = field(default_factory=Libraries)

    @property
    def ended(self) -> bool:
        """Whether it took its leave; one that was killed did not."""
        return self.seconds is not None

    def sampled_s(self) -> float:
        """How long it was sampled, to its last sign of life."""
        if self.seconds is not None:
            return self.seconds
        return max(self.last_ns - self.began_ns, 0) / 1e9 if self.began_ns is not None else 0.0

    def samples(self) -> Iterator[Sample]:
        """The samples that are there, in no order."""
        path = self.path.with_suffix(SAMPLES_SUFFIX)
        if not path.is_file() or not path.stat().st_size:
            return
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            head = struct.unpack_from(f"<{layout.HEAD_WORDS}q", data)
            self.taken = head[layout.HEAD_TAKEN]
            for slot in range(min(self.taken, layout.SLOTS)):
                sample = _sample(data, 8 * (layout.HEAD_WORDS + slot * layout.REC_WORDS))
                if sample is not None:
                    self.last_ns = max(self.last_ns, sample.at_ns)
                    yield sample


def _sample(data: mmap, at: int) -> Sample | None:
    """The record at a place; None where it is not whole."""
    words = struct.unpack_from(f"<{layout.REC_NATIVE}q", data, at)
    if words[layout.REC_BUSY] or not words[layout.REC_TICKET]:
        return None
    pairs = struct.unpack_from(f"<{2 * words[layout.REC_NATIVE_COUNT]}Q", data, at + 8 * layout.REC_NATIVE)
    count = words[layout.REC_PYTHON_COUNT]
    python = None
    if count >= 0:
        frames = struct.unpack_from(f"<{count}Q", data, at + 8 * layout.REC_PYTHON)
        keys = struct.unpack_from(f"<{count}Q", data, at + 8 * layout.REC_KEYS)
        python = tuple(
            (frame & (1 << 48) - 1, key, None if (step := frame >> 48) == layout.NO_INSTRUCTION else 2 * step)
            for frame, key in zip(frames, keys, strict=True)
        )
    stack = at + 8 * layout.REC_STACK
    return Sample(
        thread=words[layout.REC_THREAD],
        at_ns=words[layout.REC_SECONDS] * 10**9 + words[layout.REC_NANOSECONDS],
        pc=words[layout.REC_PC] & (1 << 64) - 1,
        sp=words[layout.REC_SP] & (1 << 64) - 1,
        bp=words[layout.REC_BP] & (1 << 64) - 1,
        pairs=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
        python=python,
        cut=count == layout.MOST_PYTHON,
        stack=data[stack : stack + max(words[layout.REC_STACK_BYTES], 0)],
    )


def read_processes(folder: Path) -> list[Process]:
    """All processes that left a journal in a folder, in the order in which they began."""
    found = [_read(path) for path in folder.glob(f"*{LOG_SUFFIX}")]
    return sorted(
        (process for process in found if process.pid), key=lambda process: (process.began_ns or 0, process.pid)
    )


def _read(path: Path) -> Process:
    process = Process(path)
    blobs = path.with_suffix(OBJECTS_SUFFIX).read_bytes()
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break  # killed while it wrote
        process.last_ns = entry["at_ns"]
        _take(process, entry, blobs)
    return process


def _take(process: Process, entry: dict[str, Any], blobs: bytes) -> None:
    """An entry of the journal."""
    kind = entry["kind"]
    if kind == "start":
        process.pid, process.command = entry["pid"], tuple(entry["argv"])
        process.paths = (*entry["paths"], entry["folder"])
        process.executable, process.rate_hz, process.base = entry["executable"], entry["rate_hz"], entry["base"]
    elif kind == "begin":
        process.began_ns = entry["at_ns"]
    elif kind == "thread":
        numbers = {name: entry[name] for name in ("number", "name", "native_id")}
        process.threads[entry["number"]] = Thread(**numbers, is_main=entry["main"], has_python=entry["python"])
    elif kind == "code":
        offsets = tuple(line[0] for line in entry["lines"])
        lines = tuple(line[2] for line in entry["lines"])
        code = Code(entry["name"], entry["file"], entry["first"], offsets, lines)
        process.codes[entry["address"], entry["key"]] = code
    elif kind == "object":
        try:
            process.compiled.add(CompiledObject(blobs[entry["place"] : entry["place"] + entry["size"]], entry["at_ns"]))
        except ElfError as error:
            process.warnings.append(f"compiled code without names: {error}")
            process.compiled.objects.append(CompiledObject(EMPTY_ELF, entry["at_ns"]))
    elif kind == "gone":
        process.compiled.objects[entry["number"]].gone_ns = entry["at_ns"]
    elif kind == "maps":
        process.libraries.add(entry["maps"])
    elif kind == "warning":
        process.warnings.append(entry["text"])
    elif kind == "end":
        process.taken = entry["taken"]
        process.seconds, process.frames = entry["seconds"], entry["frames"]
        process.paths = (*entry["paths"], *process.paths)
