"""What numba has compiled in this process: where each function lies, and frame pointers to walk its stack by.

LLVM's engine registers every object that it loads in the list of GDB's JIT interface ("JIT Compilation Interface" in
GDB's manual), from numba's cache or freshly compiled alike. The objects are ELF files in memory whose section
addresses are the final ones, so walking the list yields every compiled symbol. The head of the list is a local symbol
of llvmlite's shared library, found in that file's own symbol table. Names touched here are private to numba and
llvmlite: tests/workbench_see checks that they still do what is said, and what is said where they have moved.
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

_DESCRIPTOR = b"__jit_debug_descriptor"
_ELF_HEADER_SECTIONS = struct.Struct("<40xQ10xHH2x")  # e_shoff, e_shentsize, e_shnum
_SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, addr, offset, size, link, info, align, entsize
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_SYMTAB = 2
_FUNCTION = 2
_JIT_HEAD = struct.Struct("<IIQQ")  # version, action, relevant entry, first entry
_JIT_ENTRY = struct.Struct("<QQQQ")  # next, previous, address and size of the object
_BRACKETED = re.compile(r"_3c(locals|lambda|dynamic|listcomp|dictcomp|setcomp|genexpr)_3e")
_ADDRESS_IN_NAME = re.compile(r"(?<=__numba_parfor_gufunc)_0x[0-9a-f]+")
_FRAME_POINTER = '"frame-pointer"="all"'


class JitError(Exception):
    """numba or llvmlite is not built as this module expects."""


@dataclass(frozen=True)
class Symbol:
    """A compiled function: `name` is `module.function`, `wrapper` says that it only passes Python's arguments on."""

    address: int
    size: int
    name: str
    wrapper: bool


def keep_frame_pointers() -> None:
    """Have every function that numba compiles from now on keep its frame pointer, so that a sampler sees who called it.

    It costs about 3 % of the time and is a build of its own: give it a cache folder of its own. Raises JitError.
    """
    try:
        from llvmlite.ir.values import FunctionAttributes
        from numba.core.codegen import CPUCodeLibrary

        FunctionAttributes._known = frozenset(FunctionAttributes._known | {_FRAME_POINTER})
        add_ir_module = CPUCodeLibrary.add_ir_module
    except (ImportError, AttributeError) as error:
        raise JitError(f"frame pointers cannot be asked for: {error}") from error

    def add_with_frame_pointers(library: Any, module: Any) -> Any:
        for function in module.functions:
            if function.blocks:
                function.attributes.add(_FRAME_POINTER)
        return add_ir_module(library, module)

    CPUCodeLibrary.add_ir_module = add_with_frame_pointers


def keep_apart(build: str) -> None:
    """Have numba's own cache (`cache=True`) keep what is compiled from now on apart from any other build. Raises JitError."""
    try:
        from numba.core.codegen import JITCPUCodegen

        magic_tuple = JITCPUCodegen.magic_tuple
    except (ImportError, AttributeError) as error:
        raise JitError(f"numba's cache cannot be kept apart: {error}") from error
    JITCPUCodegen.magic_tuple = lambda codegen: (*magic_tuple(codegen), build)


def on_load(note: Callable[[bool], None]) -> None:
    """Have `note` called whenever compiled objects may have been loaded, before any code of a new one runs, and, with True,
    when some may have been unloaded. Raises JitError."""
    try:
        from llvmlite.binding import ExecutionEngine
        from numba.core.codegen import JitEngine

        loading = [(ExecutionEngine, "finalize_object"), (ExecutionEngine, "get_function_address")]
        loading += [(ExecutionEngine, "add_object_file"), (JitEngine, "finalize_object")]
        unloading = [(ExecutionEngine, "remove_module"), (ExecutionEngine, "close")]
        for holders, unloads in ((loading, False), (unloading, True)):
            for holder, name in holders:
                setattr(holder, name, _then(getattr(holder, name), note, unloads))
    except (ImportError, AttributeError) as error:
        raise JitError(f"the loading of compiled code cannot be followed: {error}") from error


def _then(method: Callable[..., Any], note: Callable[[bool], None], unloads: bool) -> Callable[..., Any]:
    @wraps(method)
    def then_note(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        note(unloads)
        return result

    return then_note


def symbols() -> list[Symbol]:
    """Every compiled function of this process, by address. Raises JitError when the list cannot be found."""
    found = {symbol.address: symbol for entry in entries() for symbol in symbols_of(entry.content())}
    return [found[address] for address in sorted(found)]


def symbols_of(elf: bytes) -> Iterator[Symbol]:
    """The functions of one loaded object, at their final addresses."""
    sections = _sections(elf)
    for mangled, value, size, section in _functions(elf, sections):
        if size and 0 < section < len(sections):
            name, wrapper = demangle(mangled)
            yield Symbol(sections[section][3] + value, size, name, wrapper)


@dataclass(frozen=True)
class Entry:
    """A loaded object in the list: where its entry and its copy for debuggers lie, and the copy's size. An object that is
    unloaded leaves the list, and another one may take its places later."""

    key: tuple[int, int, int]

    def content(self) -> bytes:
        """The ELF file."""
        return ctypes.string_at(self.key[1], self.key[2])


def entries() -> Iterator[Entry]:
    """The loaded objects, the newest first. Raises JitError when the list cannot be found."""
    version, _, _, at = _JIT_HEAD.unpack(ctypes.string_at(_descriptor_address(), _JIT_HEAD.size))
    if version != 1:
        raise JitError(f"version {version} of the JIT interface, only 1 is known")
    while at:
        following, _, address, size = _JIT_ENTRY.unpack(ctypes.string_at(at, _JIT_ENTRY.size))
        yield Entry((at, address, size))
        at = following


def demangle(mangled: str) -> tuple[str, bool]:
    """numba's name for a function as `module.function`, and whether it is a wrapper around it; other names stay as
    they are.

    `_ZN7encoder7kernels9set_numba10distortion4satdB3v12...` is `encoder.kernels.set_numba.distortion.satd`.
    """
    match = re.match(r"(cfunc\.|__gufunc__\.)?_ZN(?:K)?(.*)$", mangled)
    if not match:
        return mangled, False
    parts, rest = [], match.group(2)
    while length := re.match(r"\d+", rest):
        end = length.end() + int(length.group())
        parts.append(rest[length.end() : end])
        rest = rest[end:]
    # A cpython wrapper has `cpython` as its outermost name space, a wrapper for C or for loops over arrays a prefix.
    wrapper = bool(match.group(1)) or parts[:1] == ["cpython"]
    names = parts[1:] if parts[:1] == ["cpython"] else parts
    # The body of a prange is named by its address, which is another one in each process.
    name = _ADDRESS_IN_NAME.sub("", ".".join(names))
    return _BRACKETED.sub(r"<\1>", name), wrapper


@cache
def _descriptor_address() -> int:
    base, library = _loaded_library("libllvmlite.so")
    elf = library.read_bytes()
    sections = _sections(elf)
    for section in sections:
        if section[1] == _SYMTAB:
            strings = sections[section[6]][4]
            name = elf.find(b"\0" + _DESCRIPTOR + b"\0", strings, strings + sections[section[6]][5]) + 1 - strings
            at = elf.find(struct.pack("<I", name), section[4], section[4] + section[5])
            while at >= 0:
                if (at - section[4]) % _SYMBOL.size == 0:
                    return base + int(_SYMBOL.unpack_from(elf, at)[4])
                at = elf.find(struct.pack("<I", name), at + 1, section[4] + section[5])
    raise JitError(f"{library.name} has no symbol {_DESCRIPTOR.decode()}: it is stripped")


def _loaded_library(name: str) -> tuple[int, Path]:
    """Where a shared library begins in memory, and its file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if fields[-1].endswith(name) and int(fields[2], 16) == 0:
            return int(fields[0].partition("-")[0], 16), Path(fields[-1])
    raise JitError(f"{name} is not loaded")


def _sections(elf: bytes) -> list[tuple[int, ...]]:
    offset, size, count = _ELF_HEADER_SECTIONS.unpack_from(elf)
    return [_SECTION.unpack_from(elf, offset + index * size) for index in range(count)]


def _functions(elf: bytes, sections: list[tuple[int, ...]]) -> Iterator[tuple[str, int, int, int]]:
    """Mangled name, value, size and section of every function symbol."""
    for section in sections:
        if section[1] != _SYMTAB:
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], _SYMBOL.size):
            name, info, _, where, value, size = _SYMBOL.unpack_from(elf, at)
            if info & 15 == _FUNCTION:
                end = elf.index(b"\0", strings + name)
                yield elf[strings + name : end].decode(), value, size, where
