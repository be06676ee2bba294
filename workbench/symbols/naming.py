"""A sample as a folded stack: Python's functions, then the compiled and the library functions that they called.

The interpreter's frames and the machine's stack are copied at one moment of one thread, so what the machine was doing was
done for the innermost Python function: its frames come behind. Going back on the machine's stack from where it was,

- a compiled function is named by the object that lay there at the time, with the functions inlined at the place;
- a library function by the symbols of its file, if they say where it ends; its caller is found by its tables;
- the walk ends at the interpreter's loop, and where no way back is known.

A stack may therefore lack callers (`lost` counts those below whose way back ended early), but no name is guessed: code that
belongs to nothing known is UNKNOWN. Frames of the interpreter, of numba's dispatcher and of wrappers around compiled
functions say nothing and are left out where they stand between Python and compiled code.
"""

from __future__ import annotations

import itertools
import os.path
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from workbench.symbols.dwarf import Place
from workbench.symbols.process import CompiledFunction, Library, Process, Sample
from workbench.symbols.unwind import Registers

UNKNOWN = "[unknown]"
INLINED = " [inlined]"
CUT = "[callers cut off]"
_KERNEL = re.compile(r"kernels\.(set_\w+)\..*?([^.]+)$")
_LOOP = re.compile(r"_PyEval_EvalFrameDefault")
_GLUE = re.compile(r"^(?:libpython|_dispatcher\.|_ctypes\.|libffi\.)")
_OURS = re.compile(r"\((?:workbench/instruments/inside/|<frozen (?:runpy|site|importlib))")
_MOST_STEPS = 256


def short_name(function: str) -> str:
    """A compiled function as reports show it: `set_numba.satd` for a kernel, `tile.walk.encode_tile` for another of
    the encoder's, `steps` for one of the script that is run."""
    kernel = _KERNEL.search(function)
    return ".".join(kernel.groups()) if kernel else function.removeprefix("encoder.").removeprefix("__main__.")


@dataclass
class Tally:
    """What became of the samples: all that made a stack, those in compiled code, those of them without a name, and those
    whose compiled callers are not known to the end."""

    samples: int = 0
    compiled: int = 0
    unnamed: int = 0
    lost: int = 0

    @property
    def unnamed_share(self) -> float | None:
        """Of the samples in compiled code; None where there are none."""
        return self.unnamed / self.compiled if self.compiled else None


@dataclass(frozen=True)
class Step:
    """A frame of the machine's stack: its texts, outermost first, of which all but the first are inlined, and what it is."""

    texts: tuple[str, ...]
    kind: str  # "compiled", "wrapper", "library", "interpreter", "unknown"


@dataclass
class Namer:
    """Names the samples of one process; `number` counts processes from 1."""

    process: Process
    number: int = 1
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._texts: dict[tuple[int, int], tuple[str, ...]] = {}
        self._roots = sorted({os.path.join(path, "") for path in self.process.paths}, key=len, reverse=True)

    def stack(self, sample: Sample) -> list[str]:
        """The frames of a sample, its thread first; empty for what is not the program's own doing."""
        python = self._python(sample)
        steps = list(self._steps(sample))
        return self.joined(self.thread(sample.thread), python, steps)

    def joined(self, thread: str, python: list[str] | None, steps: list[Step], samples: int = 1) -> list[str]:
        """One stack of what is known: `python` outermost first, `steps` innermost first. Empty for what is not the program's
        own doing."""
        native = _without_glue([*reversed(steps)], python is not None)
        shown = [frame for frame in python or [] if not _OURS.search(frame)]
        if python and not shown and not native:
            return []
        self.tally.samples += samples
        if steps and steps[0].kind in ("compiled", "wrapper", "unknown"):
            self.tally.compiled += samples
            self.tally.unnamed += samples * (steps[0].kind == "unknown")
        return [thread, *shown, *native] if shown or native else [thread, UNKNOWN]

    def thread(self, number: int) -> str:
        """`thread main`, `thread 2`; those of processes that it started say so."""
        thread = self.process.threads.get(number)
        name = "main" if thread is not None and thread.is_main else str(number)
        return f"thread {name}" + (f" (process {self.number})" if self.number > 1 else "")

    def _python(self, sample: Sample) -> list[str] | None:
        if sample.python is None:
            return None
        frames = [self._python_frame(*frame) for frame in reversed(sample.python)]
        return [CUT, *frames] if sample.cut else frames

    def _python_frame(self, address: int, key: int, instruction: int | None) -> str:
        code = self.process.codes.get((address, key))
        if code is None:
            return UNKNOWN
        line = 0
        if instruction is not None and self.process.base is not None:
            line = code.line(instruction - self.process.base)
        return self.placed(code.name, code.file, line)

    def placed(self, name: str, file: str, line: int) -> str:
        """`name (path:line)`, the path from where it is imported; without what is not known."""
        name = name.replace(";", ",")
        if not file:
            return name
        return f"{name} ({self._short(file)}{f':{line}' if line else ''})"

    def _short(self, file: str) -> str:
        if file not in self._shown:
            root = next((root for root in self._roots if file.startswith(root)), "")
            self._shown[file] = file.removeprefix(root).replace(";", ",")
        return self._shown[file]

    def _steps(self, sample: Sample) -> Iterator[Step]:
        """The machine's stack, innermost first."""
        at, is_return = Registers(sample.pc, sample.sp, sample.bp), False
        seen_compiled = behind_wrapper = False
        for _ in range(_MOST_STEPS):
            function = self.process.compiled.find(at.pc - is_return, sample.at_ns)
            if function is not None:
                seen_compiled, behind_wrapper = True, function.wrapper
                yield self.compiled_step(function, at.pc - is_return)
                above = self._compiled_caller(function, at, is_return, sample)
            else:
                found = self.process.libraries.find(at.pc - is_return)
                if found is None:
                    if not is_return:
                        yield Step((UNKNOWN,), "unknown")
                    return
                library, address = found
                step = self.library_step(library, address, is_return)
                yield step
                if step.kind == "interpreter" and (behind_wrapper or _LOOP.search(step.texts[0])):
                    return  # Python called
                above = self._library_caller(library, address, at, is_return, sample)
            if above is None:
                self.tally.lost += seen_compiled and not behind_wrapper
                return
            if above.pc == 0 or above.sp <= at.sp:
                return  # the thread's first function
            at, is_return = above, True

    def compiled_step(self, function: CompiledFunction, address: int) -> Step:
        """A compiled function and what is inlined at an address of it."""
        key = (address, id(function.owner))
        if key not in self._texts:
            places = function.owner.places(address) or [Place("", "", 0, False)]
            self._texts[key] = tuple(self._placed(place, function) for place in places)
        return Step(self._texts[key], "wrapper" if function.wrapper else "compiled")

    def _placed(self, place: Place, function: CompiledFunction) -> str:
        name = short_name(place.function or function.name) + (INLINED if place.inlined else "")
        return self.placed(name, place.file, place.line)

    def library_step(self, library: Library, address: int | None, is_return: bool) -> Step:
        """A function of a library, which may have no name but its library's."""
        return self.step_in_file(library.path, library.symbol(address - is_return) if address is not None else "")

    def step_in_file(self, path: str, symbol: str) -> Step:
        """A function of a library by its file's path and its name, "" where it has none."""
        library = file_name(path)
        text = f"[{library}] {symbol}" if symbol else f"[{library}]"
        interpreter = path == self.process.executable or _GLUE.match(library)
        return Step((text.replace(";", ","),), "interpreter" if interpreter else "library")

    def _compiled_caller(
        self, function: CompiledFunction, at: Registers, is_return: bool, sample: Sample
    ) -> Registers | None:
        above = function.owner.unwinder.caller(at, is_return, sample.word)
        if above is not None:
            return above
        saved, back = sample.word(at.bp), sample.word(at.bp + 8)
        return None if saved is None or back is None else Registers(back, at.bp + 16, saved)

    def _library_caller(
        self, library: Library, address: int | None, at: Registers, is_return: bool, sample: Sample
    ) -> Registers | None:
        if library.unwinder is None or address is None:
            return None
        return library.unwinder.caller(Registers(address, at.sp, at.bp), is_return, sample.word)


def file_name(path: str) -> str:
    """A mapped file as frames show it: `libc.so.6`, `[vdso]` without its brackets."""
    return path.strip("[]") if path.startswith("[") else os.path.basename(path.removesuffix(" (deleted)"))


def _without_glue(steps: Sequence[Step], has_python: bool) -> list[str]:
    """The texts, outermost first. Outside the outermost compiled function, a thread with Python frames is told by those;
    where there is no compiled function, what libraries did is told behind the interpreter's own frames."""
    first = next((at for at, step in enumerate(steps) if step.kind in ("compiled", "unknown")), None)
    if first is not None:
        outside = [] if has_python else [step for step in steps[:first] if step.kind == "library"]
        kept = [*outside, *(step for step in steps[first:] if step.kind != "wrapper")]
    else:
        told = ("library",) if has_python else ("library", "interpreter")
        inner = itertools.takewhile(lambda step: step.kind in told, reversed(steps))
        kept = [*reversed([*inner])]
    texts = [text for step in kept for text in step.texts]
    return [text for text, again in itertools.groupby(texts) for _ in _once(text, again)]


def _once(text: str, again: Iterable[str]) -> Iterable[str]:
    """Nameless functions of one library that called each other are shown as one; named ones that recurse are not."""
    return [text] if text.startswith("[") and " " not in text else again
