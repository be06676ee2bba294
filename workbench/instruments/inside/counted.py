"""An encode, or any program that is Python, which switches a counter on for what is to be counted, and says afterwards which
compiled function lies where.

python -m workbench.instruments.inside.counted ENCODER_ARGUMENT... with --kernels SET among them: the encoder's command line,
counted from its first picture to its last packet, with all code loaded beforehand. A program is counted from its first line
on (start_counts/sitecustomize.py). In both, what numba compiles and loads is left out.

The environment says more, in WORKBENCH_COUNT, as JSON:
switch    `callgrind`, or the two pipes of perf stat --control, `CONTROL,ACK`
result    where to write: {"frames": coded, or null, "symbols": [[address, size, name, wrapper], ...], "slots": {slot: address
          of the function that fills it}, "missing": [what could not be said, ...]}
"""

from __future__ import annotations

import atexit
import gc
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from workbench.instruments.inside import jit
from workbench.instruments.inside.valgrind import Requests, ValgrindError

VARIABLE = "WORKBENCH_COUNT"
_CALLGRIND = "callgrind"


class Switch(Protocol):
    """What turns a counter on and off."""

    def forget(self) -> None:
        """What has been counted so far counts no more."""

    def start(self) -> None:
        """Count from here on."""

    def stop(self) -> None:
        """Count no more."""


class PerfPipes:
    """The control pipes of a perf stat that was started with its counters off."""

    def __init__(self, control: str, acknowledgement: str) -> None:
        self._control = os.open(control, os.O_WRONLY)
        self._acknowledgement = os.open(acknowledgement, os.O_RDONLY)

    def forget(self) -> None:
        """Nothing is counted before the first start."""

    def start(self) -> None:
        """Count from here on."""
        self._say(b"enable\n")

    def stop(self) -> None:
        """Count no more."""
        self._say(b"disable\n")

    def _say(self, word: bytes) -> None:
        os.write(self._control, word)
        while os.read(self._acknowledgement, 1) not in (b"\n", b""):
            pass  # it answers: ack


class OffWhileCompiling:
    """A counter's switch that is off while numba compiles functions or loads them from its cache."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._wanted = False
        self._depth = 0

    def start(self) -> None:
        """Count from here on."""
        self._wanted = True
        self._switch.forget()
        if not self._depth:
            self._switch.start()

    def stop(self) -> None:
        """Count no more."""
        self._wanted = False
        self._switch.stop()

    def pause(self) -> None:
        """Do not count until `resume`; pauses within pauses make one."""
        self._depth += 1
        if self._wanted and self._depth == 1:
            self._switch.stop()

    def resume(self) -> None:
        """Count again, where `start` has been said and no other pause holds."""
        self._depth -= 1
        if self._wanted and not self._depth:
            self._switch.start()

    def listen(self) -> None:
        """Pause whenever numba's compiler is at work; it says so when it takes its lock."""
        from numba.core import event

        class Listener(event.Listener):
            """Who holds the lock compiles, or loads."""

            on_start = staticmethod(lambda _event: self.pause())
            on_end = staticmethod(lambda _event: self.resume())

        event.register("numba:compiler_lock", Listener())


class WhenNumbaIsImported:
    """A finder of modules that learns that numba is imported, leaves the import uncounted, and has the switch listen to the
    compiler from then on."""

    def __init__(self, switch: OffWhileCompiling) -> None:
        self._switch = switch

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """The import system asks everybody for a module."""
        if name != "numba":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(self._execute, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec

    def _execute(self, execute: Callable[[Any], None], module: Any) -> None:
        self._switch.pause()
        try:
            execute(module)
            self._switch.listen()
        finally:
            self._switch.resume()


class CountedEncode:
    """`encode` with a counter on from the first picture that it asks for until it has given its last packet.

    frames   coded, of the last encode
    """

    def __init__(self, encode: Callable[..., Iterator[Any]], switch: Switch | OffWhileCompiling) -> None:
        self._encode, self._switch = encode, switch
        self.frames = 0

    def __call__(self, pictures: Iterable[Any], *arguments: Any) -> Iterator[Any]:
        """As `encoder.stream.encode`."""
        self.frames = 0
        for packet in self._encode(self._switched(pictures), *arguments):
            self.frames += len(packet.frames)
            yield packet
        self._switch.stop()

    def _switched(self, pictures: Iterable[Any]) -> Iterator[Any]:
        gc.collect()  # what loading left behind is not for the first frames to clear away
        self._switch.start()
        yield from pictures


def settings() -> dict[str, str]:
    """What the environment says."""
    told: dict[str, str] = json.loads(os.environ[VARIABLE])
    return told


def switch_of(word: str) -> Switch:
    """The switch of these settings. Raises ValgrindError."""
    return Requests() if word == _CALLGRIND else PerfPipes(*word.split(","))


def slots(kernels: str) -> dict[str, int]:
    """Where the compiled function lies that fills each slot of a set; nothing for a slot that is interpreted."""
    from encoder.kernels.load import load_kernels
    from encoder.kernels.table import SLOTS

    table = load_kernels(kernels).kernels
    found = {}
    for name, slot in SLOTS.items():
        function = getattr(table, name)
        if hasattr(function, "get_compile_result"):
            result = function.get_compile_result(slot.signature)
            found[name] = int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
    return found


def write_result(path: str, **about: Any) -> None:
    """Write what this process knows of its compiled functions."""
    symbols, missing = [], []
    if "llvmlite" in sys.modules:
        try:
            symbols = [(each.address, each.size, each.name, each.wrapper) for each in jit.symbols()]
        except jit.JitError as error:
            missing.append(f"compiled functions have no names: {error}")
    told = {"frames": None, "slots": {}, "symbols": symbols, "missing": missing, **about}
    Path(path).write_text(json.dumps(told))


def watch_program() -> None:
    """Count this process from now to its end, if it is the one that a counter looks at: not one that it has started."""
    told = settings()
    try:
        switch = switch_of(told["switch"])
    except ValgrindError as error:
        write_result(told["result"], missing=[str(error)])
        return
    if isinstance(switch, Requests) and not switch.is_running_on_valgrind():
        return
    off = OffWhileCompiling(switch)
    sys.meta_path.insert(0, WhenNumbaIsImported(off))
    atexit.register(_end_of_program, off, os.getpid(), told["result"])
    off.start()


def _end_of_program(off: OffWhileCompiling, pid: int, result: str) -> None:
    off.stop()
    if os.getpid() == pid:  # a fork has our exit functions too
        write_result(result)


def main() -> int:
    """Load all code, encode, write the result, return the encoder's exit status."""
    arguments, told = sys.argv[1:], settings()
    switch = OffWhileCompiling(switch_of(told["switch"]))
    kernels = arguments[arguments.index("--kernels") + 1]
    from encoder.cli import main as encode

    status = encode(["--warm", "--kernels", kernels, "-q"])
    if status:
        return status
    from encoder import stream

    counted = CountedEncode(stream.encode, switch)
    stream.encode = counted  # type: ignore[assignment]
    switch.listen()  # the small pictures of the warm-up need not all there is
    status = encode(arguments)
    if status == 0:
        write_result(told["result"], frames=counted.frames, slots=slots(kernels))
    return status


if __name__ == "__main__":
    sys.exit(main())
