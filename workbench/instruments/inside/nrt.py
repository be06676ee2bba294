"""Who allocates inside compiled code: every call that compiled code makes into numba's runtime (NRT), with its stack.

Compiled code asks for memory through a dozen C functions, which LLVM finds by their names when it loads an object. Before
anything is loaded, `Watch` puts functions of its own under those names. Each one walks up the frame pointers through the
compiled functions that led to it, enters the stack in a table, and calls the original. So it is exact: no call is
missed, none is guessed. A stack ends where code begins that lies in a file (`dladdr` knows it): Python's own, which keeps
no frame pointers. An array is followed to its end through the destructor that NRT lets each block have.

It needs a build that keeps its frame pointers (jit.py), and it sees what goes through NRT: arrays, lists, strings and other
values of numba's. The tables of numba's typed dictionaries are C's own, and only memray sees them. Names and layouts touched
here are private to numba 0.68; `check` tries them out in the process that is watched.
"""

from __future__ import annotations

import bisect
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from workbench.instruments.inside import jit

MOST_STACKS = 1 << 13
_DEPTH = 24
_KEY, _COUNT, _BYTES, _FREED, _FREED_BYTES, _FOLLOWED, _COUNTED, _LENGTH, _ADDRESSES = range(9)
_ROW = _ADDRESSES + _DEPTH
_WORD_BYTES = 8
_OURS = (f"{__name__}._hook.", f"{__name__}._recorder.")
_TRIES = 64  # slots that are looked at before a stack counts as lost

# NRT_MemInfo of nrt.cpp: reference count, destructor, what it is told, data, size
_DTOR_AT, _DTOR_INFO_AT = 8, 16


@dataclass(frozen=True)
class _Allocator:
    """A function of NRT: which argument is the size, whether the result is a block without a destructor, which can be
    followed, and how many allocations NRT's own statistics count for a call."""

    size_at: int = 0
    followed: bool = False
    counted: int = 1


# By the name under which _nrt_python lists them.
_ALLOCATORS = {
    "MemInfo_alloc": _Allocator(followed=True),
    "MemInfo_alloc_aligned": _Allocator(followed=True),
    "MemInfo_alloc_safe": _Allocator(),
    "MemInfo_alloc_safe_aligned": _Allocator(),
    "MemInfo_alloc_safe_aligned_external": _Allocator(),
    "MemInfo_alloc_dtor": _Allocator(),
    "MemInfo_alloc_dtor_safe": _Allocator(),
    "MemInfo_new_varsize": _Allocator(counted=2),  # the list's head and its room
    "MemInfo_new_varsize_dtor": _Allocator(counted=2),
    "MemInfo_varsize_alloc": _Allocator(size_at=1),
    "MemInfo_varsize_realloc": _Allocator(size_at=1, counted=0),
    "Allocate": _Allocator(),
}


class NrtError(Exception):
    """numba's runtime is not as this module expects."""


@dataclass(frozen=True)
class StackCount:
    """What one stack of compiled code has asked for.

    addresses   return addresses, innermost first
    counted     as NRT's own statistics count these calls: a list is two allocations, one that grows is none
    live        blocks that are not freed, of those `followed`; live_bytes theirs
    """

    addresses: tuple[int, ...]
    count: int
    total_bytes: int
    counted: int
    followed: int
    live: int
    live_bytes: int


class Watch:
    """Counts from its making on. Make it before any compiled function is loaded; one a process."""

    def __init__(self) -> None:
        """Raises NrtError, or jit.JitError."""
        self._table = np.zeros(MOST_STACKS * _ROW, np.int64)
        self._lost = np.zeros(1, np.int64)
        self._scratch = np.zeros(_ROW, np.int64)  # dladdr writes what it finds there, and nobody reads it
        self._hooks = _install(self._table, self._lost, self._scratch)
        self.check()

    @property
    def lost(self) -> int:
        """Allocations whose stack found no room in the table."""
        return int(self._lost[0])

    def counts(self) -> list[StackCount]:
        """The account of every stack so far."""
        rows = self._table.reshape(MOST_STACKS, _ROW)
        return [_stack_count(row) for row in rows[rows[:, _KEY] != 0]]

    def check(self) -> None:
        """Compile a function that allocates, and find it. Raises NrtError where that fails."""
        from numba import njit

        def allocating_test_function(n: int) -> Any:
            return np.empty(n, np.int64)

        before = {stack.addresses: stack.count for stack in self.counts()}
        function: Callable[[int], Any] = njit(allocating_test_function)
        kept = function(100)
        new = [stack for stack in self.counts() if stack.count != before.get(stack.addresses, 0)]
        names = Names()
        if len(new) != 1 or not any("allocating_test_function" in name for name in names.of(new[0].addresses)):
            raise NrtError("an allocation of compiled code is not seen by its name: numba is not as this expects")
        if (new[0].count, new[0].live) != (1, 1) or new[0].total_bytes < kept.nbytes:
            raise NrtError("the size of an allocation is not seen: numba's runtime is not as this expects")
        del kept
        if [stack.live for stack in self.counts() if stack.addresses == new[0].addresses] != [0]:
            raise NrtError("the end of an array is not seen: numba's runtime is not as this expects")


def _stack_count(row: Any) -> StackCount:
    words = [int(word) for word in row]
    addresses = tuple(words[_ADDRESSES : _ADDRESSES + words[_LENGTH]])
    followed, freed = words[_FOLLOWED], words[_FREED]
    return StackCount(
        addresses=addresses,
        count=words[_COUNT],
        total_bytes=words[_BYTES],
        counted=words[_COUNTED],
        followed=followed,
        live=followed - freed,
        live_bytes=0 if not followed else words[_BYTES] - words[_FREED_BYTES],
    )


class Names:
    """Names of compiled functions by return address, as of now."""

    def __init__(self) -> None:
        self._symbols = jit.symbols()
        self._starts = [symbol.address for symbol in self._symbols]

    def symbol(self, address: int) -> jit.Symbol | None:
        """The function that the call before a return address lies in."""
        at = bisect.bisect_right(self._starts, address - 1) - 1
        if at < 0 or address - 1 >= self._symbols[at].address + self._symbols[at].size:
            return None
        return self._symbols[at]

    def functions(self, addresses: Sequence[int]) -> list[jit.Symbol]:
        """The functions of a stack, innermost first, without wrappers and without this module's own."""
        found = [self.symbol(address) for address in addresses]
        return [one for one in found if one is not None and not one.wrapper and not one.name.startswith(_OURS)]

    def of(self, addresses: Sequence[int]) -> list[str]:
        """Their names."""
        return [symbol.name for symbol in self.functions(addresses)]


def _install(table: Any, lost: Any, scratch: Any) -> list[Any]:
    """Put the functions that count in place of NRT's; returns what has to be kept alive."""
    try:
        from llvmlite import binding
        from numba.core.registry import cpu_target
        from numba.core.runtime import _nrt_python

        originals = {name: _nrt_python.c_helpers[name] for name in _ALLOCATORS}
        cpu_target.target_context  # noqa: B018 enters NRT's own functions under their names, so it has to come first
    except (ImportError, AttributeError, KeyError) as error:
        raise NrtError(f"numba's runtime has no {error}: it is not as this expects") from error
    record, destructor = _recorder(table, lost, scratch)
    kept: list[Any] = [record, destructor]
    for name, allocator in _ALLOCATORS.items():
        hook = _hook(allocator, originals[name], record.address, destructor.address)
        binding.add_symbol(f"NRT_{name}", hook.address)
        kept.append(hook)
    return kept


def _recorder(table: Any, lost: Any, scratch: Any) -> tuple[Any, Any]:
    """C functions `record(frame, size, followed, counted) -> address of the stack's row` (0 where there is no room), and the
    destructor that enters the end of an array."""
    from numba import cfunc, njit, types, uint64

    words = _words()
    load, store, add, claim = words.load, words.store, words.add, words.claim
    rows, lost_at, found_at = table.ctypes.data, lost.ctypes.data, scratch.ctypes.data
    dladdr = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t)(
        ctypes.cast(ctypes.CDLL(None).dladdr, ctypes.c_void_p).value or 0
    )

    @njit(nogil=True, error_model="numpy")
    def walk(frame: Any, row: Any) -> Any:
        # Hash of the return addresses up to the first one outside compiled code; they are kept in `row` where it is given.
        key, depth = uint64(0xCBF29CE484222325), 0
        while depth < _DEPTH:
            back = load(frame + _WORD_BYTES)
            if dladdr(uint64(back), uint64(found_at)):
                break
            if row:
                store(row + _WORD_BYTES * (_ADDRESSES + depth), back)
            key = (key ^ uint64(back)) * uint64(0x100000001B3)
            depth += 1
            frame = load(frame)
        if row:
            store(row + _WORD_BYTES * _LENGTH, depth)
        return types.int64(key | uint64(1))

    number = types.int64

    @cfunc(number(number, number, number, number))
    def record(frame: Any, size: Any, followed: Any, counted: Any) -> Any:
        key = walk(frame, 0)
        for attempt in range(_TRIES):
            slot = (uint64(key) * uint64(0x9E3779B97F4A7C15) >> uint64(32)) + uint64(attempt)
            row = rows + types.int64(slot % uint64(MOST_STACKS)) * _ROW * _WORD_BYTES
            seen = claim(row, key)
            if seen == 0:
                walk(frame, row)
            if seen == 0 or seen == key:
                add(row + _WORD_BYTES * _COUNT, 1)
                add(row + _WORD_BYTES * _BYTES, size)
                add(row + _WORD_BYTES * _FOLLOWED, followed)
                add(row + _WORD_BYTES * _COUNTED, counted)
                return row
        add(lost_at, 1)
        return 0

    @cfunc(types.void(types.uintp, types.uintp, types.uintp))
    def destructor(data: Any, size: Any, row: Any) -> None:
        add(types.int64(row) + _WORD_BYTES * _FREED, 1)
        add(types.int64(row) + _WORD_BYTES * _FREED_BYTES, types.int64(size))

    return record, destructor


def _hook(allocator: _Allocator, original: int, record: int, destructor: int) -> Any:
    """A C function that enters the call and makes it. All that NRT's functions take fits three registers."""
    from numba import cfunc, types

    words = _words()
    frame_address, store = words.frame_address, words.store
    number, size_t = ctypes.c_int64, ctypes.c_size_t
    enter = ctypes.CFUNCTYPE(number, number, number, number, number)(record)
    call = ctypes.CFUNCTYPE(size_t, size_t, size_t, size_t)(original)
    size_at, counted, followed = allocator.size_at, allocator.counted, int(allocator.followed)
    word = types.uintp

    @cfunc(word(word, word, word))
    def allocate(first: Any, second: Any, third: Any) -> Any:
        size = types.int64(first) if size_at == 0 else types.int64(second)
        row = enter(frame_address(), size, followed, counted)
        block = call(first, second, third)
        if followed and row and block:
            store(types.int64(block) + _DTOR_INFO_AT, row)
            store(types.int64(block) + _DTOR_AT, destructor)
        return block

    return allocate


@dataclass(frozen=True)
class _Words:
    """Intrinsics on words of memory: the frame pointer, load, store, atomic add, and atomic claim of a word that is 0."""

    frame_address: Any
    load: Any
    store: Any
    add: Any
    claim: Any


@cache
def _words() -> _Words:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    word, byte, index = ir.IntType(64), ir.IntType(8), ir.IntType(32)

    def pointer(builder: Any, address: Any) -> Any:
        return builder.inttoptr(address, word.as_pointer())

    @intrinsic
    def frame_address(_context: Any) -> Any:
        def generate(_c: Any, builder: Any, _s: Any, _a: Any) -> Any:
            kind = ir.FunctionType(byte.as_pointer(), [index])
            function = builder.module.declare_intrinsic("llvm.frameaddress", fnty=kind)
            return builder.ptrtoint(builder.call(function, [ir.Constant(index, 0)]), word)

        return types.int64(), generate

    @intrinsic
    def load(_context: Any, _address: Any) -> Any:
        def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
            return builder.load(pointer(builder, arguments[0]))

        return types.int64(types.int64), generate

    @intrinsic
    def store(_context: Any, _address: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _s: Any, arguments: Any) -> Any:
            builder.store(arguments[1], pointer(builder, arguments[0]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    @intrinsic
    def add(_context: Any, _address: Any, _value: Any) -> Any:
        def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
            return builder.atomic_rmw("add", pointer(builder, arguments[0]), arguments[1], "monotonic")

        return types.int64(types.int64, types.int64), generate

    @intrinsic
    def claim(_context: Any, _address: Any, _value: Any) -> Any:
        def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
            nothing = ir.Constant(word, 0)
            at = pointer(builder, arguments[0])
            pair = builder.cmpxchg(at, nothing, arguments[1], "acq_rel", "monotonic")
            return builder.extract_value(pair, 0)

        return types.int64(types.int64, types.int64), generate

    return _Words(frame_address, load, store, add, claim)
