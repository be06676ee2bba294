"""Where this interpreter keeps the frames of the Python functions that a thread is in.

A signal handler cannot ask the interpreter; it reads the interpreter's own structures. They differ between versions of
CPython and are documented nowhere, so nothing is assumed of them: at the start, on a stack of functions made for it, the
offsets are looked for at which the values lie that `sys._getframe` and `id` tell. They are taken only where they lead
through the whole stack, from the thread's state to every caller's code object and instruction. Where that fails, a profile
has no Python frames and says so.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType

_WORD = 8
_FRAME_BYTES = 16 * _WORD
_STATE_BYTES = 512
_OBJECT_BYTES = 256
_DEPTH = 6
_OFTEN = 100  # calls of a class from one place, until the interpreter has its own way for them


class PythonFramesError(Exception):
    """The interpreter's frames are not where this module can find them."""


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes.

    steps        loads from the thread's state to its innermost frame, at `first` and, where there are two, at `second`
    code         of a frame: its code object
    previous     of a frame: its caller's frame
    instruction  of a frame: the instruction that runs, as an address behind the code object's own
    key          of a code object: a word that no other code object at this address would have, the address of its table of
                 lines
    base         what to take from (instruction - code object) to have the offset that `co_lines` speaks of
    hidden       what stands for the code object in frames of the interpreter's own, which `sys._getframe` does not show: from
                 Python 3.12 on, where C calls Python and where a class calls its `__init__`
    """

    steps: int
    first: int
    second: int
    code: int
    previous: int
    instruction: int
    key: int
    base: int
    hidden: tuple[int, ...]


def find_layout() -> Layout:
    """Look for the layout in this thread. Raises PythonFramesError where no offsets fit."""
    found = {_descend(_DEPTH), _descend(2 * _DEPTH)}
    if len(found) != 1:
        raise PythonFramesError(f"the frames of Python {sys.version.split()[0]} are found in more than one way")
    return found.pop()


def key_of(code: CodeType) -> int:
    """What a code object has at `Layout.key`."""
    return id(code.co_linetable)


def state_of_this_thread() -> int:
    """Address of the interpreter's state of the thread that calls."""
    ask = ctypes.pythonapi.PyThreadState_Get
    ask.restype = ctypes.c_void_p
    return int(ask() or 0)


def _descend(depth: int) -> Layout:
    if depth:
        return _descend(depth - 1)
    return _search(sys._getframe())


def _search(top: FrameType) -> Layout:
    frames = [top]
    while len(frames) < _DEPTH and frames[-1].f_back is not None:
        frames.append(frames[-1].f_back)
    if len(frames) < _DEPTH:
        raise PythonFramesError("the stack that is searched is too short")
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        return _Search(descriptor, frames).layout()
    except (OSError, struct.error, IndexError, StopIteration) as error:
        raise PythonFramesError(f"the frames of Python {sys.version.split()[0]} are not found: {error!r}") from error
    finally:
        os.close(descriptor)


class _Search:
    """`frames` are a thread's innermost ones, innermost first; `descriptor` reads memory and tells what is none."""

    def __init__(self, descriptor: int, frames: list[FrameType]) -> None:
        self._descriptor = descriptor
        self._frames = frames

    def layout(self) -> Layout:
        owner = self._owner()
        owned = [self._owned(frame, owner) for frame in self._frames]
        code = self._offset(owned, [id(frame.f_code) for frame in self._frames])
        previous = self._offset(owned[:-1], owned[1:])
        instruction, base = self._instruction(owned)
        steps, first, second = self._way_from_state(owned[0], previous)
        hidden = self._hidden(owner, code, previous)
        return Layout(steps, first, second, code, previous, instruction, self._key(), base, hidden)

    def _words(self, address: int, size: int) -> tuple[int, ...]:
        if not 4096 <= address < 1 << 47 or address % _WORD:
            return ()
        try:
            read = os.pread(self._descriptor, size, address)
        except OSError:
            return ()
        return struct.unpack(f"<{len(read) // _WORD}Q", read[: len(read) // _WORD * _WORD])

    def _owned(self, frame: FrameType, owner: int) -> int:
        return self._words(id(frame) + owner, _WORD)[0]

    def _owner(self) -> int:
        """Each frame object knows the interpreter's own frame, in which its code object stands."""
        for at in range(2 * _WORD, 8 * _WORD, _WORD):
            words = [self._words(self._owned(frame, at), _FRAME_BYTES) for frame in self._frames]
            if all(id(frame.f_code) in each for frame, each in zip(self._frames, words, strict=True)):
                return at
        raise StopIteration

    def _offset(self, places: list[int], values: list[int]) -> int:
        """The offset from each place at which each value lies."""
        contents = [self._words(place, _FRAME_BYTES) for place in places]
        wanted = list(zip(contents, values, strict=True))
        return next(
            at * _WORD for at in range(_FRAME_BYTES // _WORD) if all(words[at] == value for words, value in wanted)
        )

    def _instruction(self, owned: list[int]) -> tuple[int, int]:
        """A caller's instruction stands still while it waits, and `f_lasti` tells which one it is. The innermost frames,
        which are ours and run, are left out."""
        waiting = list(zip(self._frames, owned, strict=True))[2:]
        for at in range(_FRAME_BYTES // _WORD):
            bases = {
                self._words(place, _FRAME_BYTES)[at] - id(frame.f_code) - frame.f_lasti for frame, place in waiting
            }
            if len(bases) == 1 and 0 < (base := bases.pop()) < _OBJECT_BYTES * 2:
                return at * _WORD, base
        raise StopIteration

    def _way_from_state(self, innermost: int, previous: int) -> tuple[int, int, int]:
        """From the thread's state to its innermost frame, that of a function called now, which leads to ours."""
        state = state_of_this_thread()
        words = self._words(state, _STATE_BYTES)
        for at, word in enumerate(words):
            if self._leads_to(word, innermost, previous):
                return 1, at * _WORD, 0
        for at, word in enumerate(words):
            for second, inner in enumerate(self._words(word, 4 * _WORD)):
                if self._leads_to(inner, innermost, previous):
                    return 2, at * _WORD, second * _WORD
        raise StopIteration

    def _leads_to(self, frame: int, wanted: int, previous: int) -> bool:
        """Whether `wanted` is among the nearest callers of `frame`, but is not `frame` itself: methods of ours run now."""
        for _ in range(_DEPTH):
            words = self._words(frame, _FRAME_BYTES)
            if len(words) * _WORD <= previous:
                return False
            frame = words[previous // _WORD]
            if frame == wanted:
                return True
        return False

    def _key(self) -> int:
        codes = [frame.f_code for frame in self._frames] + [find_layout.__code__, key_of.__code__]
        contents = [self._words(id(code), _OBJECT_BYTES) for code in codes]
        wanted = list(zip(contents, codes, strict=True))
        return next(
            at * _WORD
            for at in range(_OBJECT_BYTES // _WORD)
            if all(words[at] == key_of(code) for words, code in wanted)
        )

    def _hidden(self, owner: int, code: int, previous: int) -> tuple[int, ...]:
        """What the frames between a function and an `__init__` that it has called have for a code object."""
        outer = sys._getframe()
        found: dict[int, None] = {}

        def look(inner: FrameType) -> None:
            at, last = self._owned(inner, owner), self._owned(outer, owner)
            for _ in range(_DEPTH):
                at = self._words(at + previous, _WORD)[0]
                if at == last:
                    return
                found[self._words(at + code, _WORD)[0]] = None
            raise StopIteration

        list(map(_Made, [look]))  # called by C
        for _ in range(_OFTEN):
            _Made(look)
        return tuple(found)


class _Made:
    """Where a call of it stands in Python, the interpreter itself calls `__init__` once it has seen that often enough."""

    def __init__(self, look: Callable[[FrameType], None]) -> None:
        look(sys._getframe())
