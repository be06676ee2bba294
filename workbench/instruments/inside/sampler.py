"""The sampler in the process: every tick of a thread's processor time leaves a copy of its stack, without any rights.

Each thread has a timer on its own processor time (timer_create with SIGEV_THREAD_ID), whose signal runs the handler of
handler.py in that thread: waiting threads take no samples, threads stay apart, and the kernel's tick (often 250 a second)
is the fastest rate there is. A helper thread, which is not sampled, looks a few times a second for threads that did not come
by `threading`, and writes down what the new samples will be named by (journal.py): the code objects of Python functions are
kept alive from then on, so that an address means one function for good. Compiled objects are written down when they are
loaded. So all that is missing of a program that is killed are the names of its last moments.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from workbench.instruments.inside import handler as layout
from workbench.instruments.inside import jit, python_frames
from workbench.instruments.inside.journal import Journal, import_paths

SIGNAL = signal.SIGRTMAX - 7
MOST_THREADS = 4096
_WORD = 8
_PATROL_S = 0.2
_FIRST_PATROL_S = 0.005  # then ever longer: a program may be over in a moment
_SELDOM_S = 1.0
_SA_SIGINFO, _SA_ONSTACK, _SA_RESTART = 4, 0x08000000, 0x10000000
_SIGEV_THREAD_ID = 4
_CLOCK_MONOTONIC_COARSE = 6  # its resolution is the kernel's tick
_SHORTEST_NS = 500_000
_PROCESS_VM_READV = 310
_TIMER_CREATE, _TIMER_SETTIME, _TIMER_DELETE = 222, 223, 226


class SamplerError(Exception):
    """This process cannot be sampled from inside; the message says why."""


class _SignalAction(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _SignalEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_uint64),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("room", ctypes.c_int * 11),
    )


class _Watched:
    """A thread's control block and its timer."""

    def __init__(self, libc: Any, native_id: int, head: int, number: int) -> None:
        self.native_id = native_id
        self.number = number
        self._libc = libc
        self._timer: int | None = None
        self._block = (ctypes.c_int64 * layout.BLOCK_WORDS)()
        self._block[layout.BLOCK_HEAD] = head
        self._block[layout.BLOCK_THREAD] = number
        self._block[layout.BLOCK_RANDOM] = (native_id * 0x9E3779B97F4A7C15 | 1) & 0x7FFFFFFFFFFFFFFF

    def arm(self, interval_ns: int) -> bool:
        """Have its timer run; False where the kernel gives none, as for a thread that has just ended."""
        clock = ~self.native_id << 3 | 6  # the processor time of that thread: clock_getcpuclockid(3)
        event = _SignalEvent(ctypes.addressof(self._block), SIGNAL, _SIGEV_THREAD_ID, self.native_id)
        timer = ctypes.c_int()
        if self._libc.syscall(_TIMER_CREATE, ctypes.c_long(clock), ctypes.byref(event), ctypes.byref(timer)) != 0:
            return False
        self._timer = timer.value
        every = (ctypes.c_long * 4)(
            interval_ns // 10**9, interval_ns % 10**9, interval_ns // 10**9, interval_ns % 10**9
        )
        return bool(self._libc.syscall(_TIMER_SETTIME, self._timer, 0, ctypes.byref(every), None) == 0)

    def know_python(self, state: int) -> None:
        """Where the interpreter keeps this thread's state; 0 where that is not known."""
        self._block[layout.BLOCK_STATE] = state

    def forget_python(self) -> None:
        """The interpreter is done with this thread: its state is about to be freed."""
        self._block[layout.BLOCK_STATE] = 0

    def disarm(self) -> None:
        """No more samples of it."""
        if self._timer is not None:
            self._libc.syscall(_TIMER_DELETE, self._timer)
            self._timer = None


class _Last:
    """Lies in a thread's local storage, which the interpreter clears when the thread ends."""

    def __init__(self, watched: _Watched) -> None:
        self._watched = watched

    def __del__(self) -> None:
        self._watched.forget_python()


class Sampler:
    """Samples this process into files in `folder`. One at a time; `install` once, then `start` and `stop`."""

    def __init__(self, folder: Path, rate_hz: float, code: bytes) -> None:
        self._folder = folder
        tick_hz = 1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE)
        self._rate_hz = min(rate_hz, tick_hz)
        # A timer that is due at each tick would miss those that come a little early: it is told to be due before.
        self._interval_ns = int(1e9 / rate_hz) if rate_hz < tick_hz else _SHORTEST_NS
        self._code = code
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._local = threading.local()
        self._threads: dict[int, _Watched] = {}
        self._known: dict[int, int] = {}  # address of a code object -> its key
        self._kept: dict[int, CodeType] = {}  # by address
        self._layout: python_frames.Layout | None = None
        self._on = False
        self._lock = threading.RLock()

    def install(self) -> None:
        """Get ready in the main thread, before the program starts others. Raises SamplerError."""
        self._check_reading()
        self._map_handler()
        self._before = threading.getprofile()
        threading.setprofile(self._new_thread)
        os.register_at_fork(after_in_child=self._after_fork)
        self._keep_modules()
        self._begin()

    def _begin(self) -> None:
        """What a process has of its own: files, helper thread, threads."""
        self.journal = Journal(self._folder)
        self._open_samples()
        warning = self._find_layout()
        self.journal.write(
            "start",
            pid=os.getpid(),
            argv=sys.argv,
            paths=import_paths(),
            folder=os.getcwd(),
            executable=os.path.realpath(sys.executable),
            rate_hz=self._rate_hz,
            base=self._layout.base if self._layout else None,
        )
        if warning:
            self.journal.write("warning", text=warning)
        self._numbers = 0
        self._seen = 0
        self._wanted: set[tuple[int, int]] = set()
        self._looked_s = self._next_scan_s = 0.0
        self._ended, self._hurry = threading.Event(), threading.Event()
        self._patrol_s = _PATROL_S
        self._watch(os.getpid(), "main", python=True)
        self._helper = threading.Thread(target=self._patrol, name="workbench sampler", daemon=True)
        self._helper_id = 0
        threading.setprofile(None)  # the helper is not sampled
        self._helper.start()
        threading.setprofile(self._new_thread)

    def start(self) -> None:
        """Take samples from now on."""
        self._keep_functions()
        self._note_names()
        self._began_s = time.monotonic()
        self._patrol_s = _FIRST_PATROL_S
        self._hurry.set()
        self.journal.write("begin")
        self._head[layout.HEAD_ON] = 1
        self._on = True
        self._look_for_threads()
        with self._lock:
            for watched in list(self._threads.values()):
                self._arm(watched)

    def stop(self, frames: int | None = None) -> None:
        """Take no more, and write the names of those that there are."""
        if not self._on:
            return
        self._on = False
        self._head[layout.HEAD_ON] = 0
        seconds = time.monotonic() - self._began_s
        with self._lock:
            for watched in self._threads.values():
                watched.disarm()
        self._ended.set()
        self._hurry.set()
        self._note_names(last=True)
        taken = self._head[layout.HEAD_TAKEN]
        self.journal.write("end", taken=taken, seconds=seconds, frames=frames, paths=import_paths())

    def note_loaded(self, may_be_gone: bool = False) -> None:
        """Compiled objects came or went; see jit.on_load."""
        with suppress(jit.JitError):
            self.journal.note_objects(may_be_gone)

    def _check_reading(self) -> None:
        word, copied = ctypes.c_uint64(42), ctypes.c_uint64()
        local = (ctypes.c_uint64 * 2)(ctypes.addressof(copied), 8)
        remote = (ctypes.c_uint64 * 2)(ctypes.addressof(word), 8)
        spans = ctypes.byref(local), 1, ctypes.byref(remote), 1
        # The seventh argument lies on the stack, where an int would fill half a word.
        read = self._libc.syscall(_PROCESS_VM_READV, os.getpid(), *spans, ctypes.c_ulong(0))
        if read != 8 or copied.value != 42:
            why = os.strerror(ctypes.get_errno())
            raise SamplerError(f"this machine does not let a process read its own stack (process_vm_readv: {why})")

    def _map_handler(self) -> None:
        try:
            self._executable = mmap.mmap(-1, len(self._code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        except OSError as error:
            raise SamplerError(
                f"this machine does not let a process run code that it made: {error.strerror}"
            ) from error
        self._executable.write(self._code)
        entry = ctypes.addressof(ctypes.c_char.from_buffer(self._executable))
        action = _SignalAction(entry, flags=_SA_SIGINFO | _SA_ONSTACK | _SA_RESTART)
        if self._libc.sigaction(SIGNAL, ctypes.byref(action), None) != 0:
            raise SamplerError(f"signal {SIGNAL} cannot be handled: {os.strerror(ctypes.get_errno())}")

    def _open_samples(self) -> None:
        words = layout.HEAD_WORDS + layout.SLOTS * layout.REC_WORDS
        with self.journal.samples.open("x+b") as file:
            file.truncate(words * _WORD)  # a file with holes: only what is used takes room
            mapped = mmap.mmap(file.fileno(), words * _WORD)
        self._words = memoryview(mapped).cast("B").cast("q")
        self._head = self._words[: layout.HEAD_WORDS]
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        self._head[layout.HEAD_SLOTS] = layout.SLOTS
        self._head[layout.HEAD_PID] = os.getpid()

    def _find_layout(self) -> str:
        """Tell the handler where Python's frames are; returns what the reader has to know where they are not found."""
        try:
            found = self._layout = self._layout or python_frames.find_layout()
        except python_frames.PythonFramesError as error:
            return f"no Python functions in the stacks: {error}; they are seen with --source py-spy"
        for at, value in (
            (layout.HEAD_STEPS, found.steps),
            (layout.HEAD_FIRST_STEP, found.first),
            (layout.HEAD_SECOND_STEP, found.second),
            (layout.HEAD_CODE, found.code),
            (layout.HEAD_PREVIOUS, found.previous),
            (layout.HEAD_INSTRUCTION, found.instruction),
            (layout.HEAD_KEY, found.key),
            *enumerate(found.hidden[: layout.MOST_HIDDEN], layout.HEAD_HIDDEN),
        ):
            self._head[at] = value
        return ""

    def _keep_modules(self) -> None:
        """The code of a module is run once and freed: keep what is imported from now on, so that it has a name."""
        get_code = SourceFileLoader.get_code

        def get_and_keep(loader: Any, name: str) -> CodeType | None:
            code = get_code(loader, name)
            if code is not None:
                self._keep([code])
            return code

        SourceFileLoader.get_code = get_and_keep  # type: ignore[assignment, method-assign]

    def _new_thread(self, frame: FrameType, event: Any, argument: Any) -> None:
        """The first thing that a thread of `threading` does; what else there was to be called is called now."""
        sys.setprofile(self._before)
        if self._before is not None:
            self._before(frame, event, argument)
        self._watch(threading.get_native_id(), threading.current_thread().name, python=True)

    def _watch(self, native_id: int, name: str, python: bool) -> None:
        """Sample a thread; with `python` it is the one that calls."""
        state = python_frames.state_of_this_thread() if python and self._layout else 0
        with self._lock:
            watched = self._threads.get(native_id)
            if watched is None and len(self._threads) < MOST_THREADS:
                self._numbers += 1
                watched = self._threads[native_id] = _Watched(self._libc, native_id, self._address, self._numbers)
                if self._on:
                    self._arm(watched)
            elif watched is None or not python:
                return
            # Else the helper has seen it before it came here itself.
            main, number = native_id == os.getpid(), watched.number
            self.journal.write("thread", number=number, name=name, main=main, python=python, native_id=native_id)
            if python:
                watched.know_python(state)
                self._local.last = _Last(watched)

    def _arm(self, watched: _Watched) -> None:
        if not watched.arm(self._interval_ns) and Path(f"/proc/self/task/{watched.native_id}").exists():
            text = f"a thread is not sampled: the kernel gives no more timers ({os.strerror(ctypes.get_errno())})"
            self.journal.write("warning", text=text)

    def _patrol(self) -> None:
        self._helper_id = threading.get_native_id()
        journal = self.journal
        while not self._ended.is_set():
            self._hurry.wait(self._patrol_s)
            self._hurry.clear()
            self._patrol_s = min(2 * self._patrol_s, _PATROL_S)
            if self.journal is not journal:
                return  # this is the copy of a helper in a process that has forked
            self._look_for_threads()
            if self._on:
                self._note_names()

    def _look_for_threads(self) -> None:
        alive = {int(name) for name in os.listdir("/proc/self/task")}
        for native_id in alive - self._threads.keys() - {self._helper_id}:
            if native_id != self._helper.native_id:
                self._watch(native_id, _thread_name(native_id), python=False)
        with self._lock:
            for native_id in self._threads.keys() - alive:
                self._threads.pop(native_id).disarm()

    def _note_names(self, last: bool = False) -> None:
        """Write down what the samples since the last time are named by."""
        seldom = last or time.monotonic() >= self._looked_s + _SELDOM_S
        if "llvmlite" in sys.modules:
            self.note_loaded()
        if seldom:
            self._looked_s = time.monotonic()
            self.journal.note_maps()
        if self._layout is None:
            return
        # A script's own code is gone at its end, and has its name from here.
        for top in sys._current_frames().values():
            self._keep(frame.f_code for frame in _callers(top))
        self._wanted.update(self._new_codes())
        self._name_wanted()
        if self._wanted and (last or time.monotonic() >= self._next_scan_s):
            # Functions that are not running now. What is not found stays nameless; looking again is not worth much.
            began_s = time.monotonic()
            self._keep_functions()
            self._name_wanted()
            self._next_scan_s = time.monotonic() + max(_SELDOM_S, 100 * (time.monotonic() - began_s))

    def _new_codes(self) -> Iterator[tuple[int, int]]:
        """Address and key of code objects in samples that were not looked at yet and are not known."""
        taken, slots = self._head[layout.HEAD_TAKEN], layout.SLOTS
        # Behind the last slot, samples go anywhere: then all are looked at, when it is worth it.
        late = taken > slots and taken > self._seen * 5 // 4
        todo = range(slots) if late else range(min(self._seen, slots), min(taken, slots))
        if late or taken <= slots:
            self._seen = taken
        for slot in todo:
            at = layout.HEAD_WORDS + slot * layout.REC_WORDS
            for frame in range(max(self._words[at + layout.REC_PYTHON_COUNT], 0)):
                address = self._words[at + layout.REC_PYTHON + frame] & 0xFFFFFFFFFFFF
                if address not in self._known:
                    yield address, self._words[at + layout.REC_KEYS + frame]

    def _keep_functions(self) -> None:
        """Keep the code of all functions that there are: what has been done before the first sample costs none of them."""
        frozen = gc.get_freeze_count() > 0
        if frozen:
            gc.unfreeze()  # what is frozen is not listed
        self._keep(each.__code__ for each in gc.get_objects() if type(each) is FunctionType)
        if frozen:
            gc.freeze()  # with what has come since: none can be frozen apart

    def _keep(self, alive: Iterable[CodeType]) -> None:
        """Keep these code objects alive, and with them those that are defined in them."""
        todo = [code for code in alive if id(code) not in self._kept]
        while todo:
            code = todo.pop()
            if id(code) not in self._kept:
                self._kept[id(code)] = code
                todo += [each for each in code.co_consts if isinstance(each, CodeType)]

    def _name_wanted(self) -> None:
        """Write down what is wanted of the code objects that are kept."""
        for address, key in tuple(self._wanted):
            code = self._kept.get(address)
            if code is not None and python_frames.key_of(code) == key:
                self._wanted.discard((address, key))
                self._known[address] = key
                self._write_code(code)

    def _write_code(self, code: CodeType) -> None:
        self.journal.write(
            "code",
            address=id(code),
            key=python_frames.key_of(code),
            name=code.co_qualname,
            file=code.co_filename,
            first=code.co_firstlineno,
            lines=list(code.co_lines()),
        )

    def _after_fork(self) -> None:
        """In a new process: its only thread is sampled on, into files of its own."""
        if not self._on:
            return
        self._on = False
        self._lock = threading.RLock()
        self._threads, self._known = {}, {}
        self._begin()
        self.start()


def _callers(top: FrameType) -> Iterator[FrameType]:
    at: FrameType | None = top
    while at is not None:
        yield at
        at = at.f_back


def _thread_name(native_id: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/self/task/{native_id}/comm").read_text().strip()
    return ""
