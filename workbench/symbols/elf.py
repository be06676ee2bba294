"""Sections, symbols and relocations of 64-bit little-endian ELF files (System V ABI, gABI 4.1 and the x86-64 supplement)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<40xQ10xHHH")  # e_shoff, e_shentsize, e_shnum, e_shstrndx
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENTS = struct.Struct("<32xQ14xHH")  # e_phoff, e_phentsize, e_phnum
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_ROW = np.dtype("<u4, u1, u1, <u2, <u8, <u8")
_SYMBOL_ROW.names = ("name", "info", "other", "section", "value", "size")
_RELOCATION = struct.Struct("<QQq")
_SYMTAB, _RELA, _NOBITS, _DYNSYM = 2, 4, 8, 11
_FUNCTION, _INDIRECT_FUNCTION = 2, 10
_ABSOLUTE_64, _ABSOLUTE_32, _ABSOLUTE_32_SIGNED = 1, 10, 11
_RELATIVE_32, _RELATIVE_64 = 2, 24
_ALLOCATED = 2
_LOADED = 1
EMPTY_ELF = b"\x7fELF\x02\x01" + bytes(58)
"""A file without sections."""


class ElfError(Exception):
    """The file is not what it should be."""


@dataclass(frozen=True)
class Section:
    """A section: where it lies in memory and in the file."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int


@dataclass(frozen=True)
class Function:
    """A symbol of a function, at the address that the file gives it."""

    address: int
    size: int
    name: str


class Elf:
    """An ELF file, read or mapped. Raises ElfError when it is none, or cut off."""

    def __init__(self, data: bytes | mmap) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ElfError("no 64-bit little-endian ELF file")
        self.data = data
        try:
            offset, size, count, names = _HEADER.unpack_from(data)
            raw = [_SECTION.unpack_from(data, offset + at * size) for at in range(count)]
            strings = raw[names][4] if count else 0
            self.sections = [Section(self.text(strings + each[0]), *each[1:8]) for each in raw]
        except (struct.error, IndexError, ValueError) as error:
            raise ElfError(f"the ELF file is damaged: {error}") from error

    def address_of(self, offset: int) -> int | None:
        """The address, as the file counts, of what stands at an offset in it; None where that is not loaded."""
        at, size, count = _SEGMENTS.unpack_from(self.data)
        for index in range(count):
            kind, _, start, address, _, length, _, _ = _SEGMENT.unpack_from(self.data, at + index * size)
            if kind == _LOADED and start <= offset < start + length:
                return int(address + offset - start)
        return None

    def section(self, name: str) -> Section | None:
        """The section of a name."""
        return next((each for each in self.sections if each.name == name and each.kind != _NOBITS), None)

    def content(self, name: str) -> bytes:
        """What a section holds; nothing where there is none."""
        found = self.section(name)
        return self.data[found.offset : found.offset + found.size] if found else b""

    def relocated(self, name: str) -> bytes:
        """What a section holds, with the addresses filled in that the loader leaves to debuggers: those of sections that are
        loaded count from where they are, those of others from 0."""
        content, relocations = bytearray(self.content(name)), self.section(f".rela{name}")
        if relocations is None:
            return bytes(content)
        symbols, own = self.sections[relocations.link], self.section(name)
        start = own.address if own else 0
        for at in range(relocations.offset, relocations.offset + relocations.size, _RELOCATION.size):
            place, info, addend = _RELOCATION.unpack_from(self.data, at)
            _, _, _, index, value, _ = _SYMBOL.unpack_from(self.data, symbols.offset + (info >> 32) * _SYMBOL.size)
            base = self.sections[index] if index < len(self.sections) else None
            target = value + addend + (base.address if base is not None and base.flags & _ALLOCATED else 0)
            kind = info & 0xFFFFFFFF
            if kind in (_RELATIVE_32, _RELATIVE_64):
                target -= start + place
            if kind in (_ABSOLUTE_64, _RELATIVE_64):
                struct.pack_into("<Q", content, place, target & (1 << 64) - 1)
            elif kind in (_ABSOLUTE_32, _ABSOLUTE_32_SIGNED, _RELATIVE_32):
                struct.pack_into("<I", content, place, target & (1 << 32) - 1)
        return bytes(content)

    def functions(self, relocatable: bool = False) -> Iterator[Function]:
        """All functions with a size. `relocatable`: the symbols of the file count from their sections."""
        for strings, rows in self._function_rows():
            for name, _, _, index, value, size in rows.tolist():
                base = self.sections[index].address if relocatable else 0
                yield Function(base + value, size, self.text(strings + name))

    def function_table(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
        """Of all functions with a size: their addresses, in order; their sizes; where their names stand (`text`). A library
        has a hundred thousand of them, and few are asked for."""
        tables = list(self._function_rows())
        if not tables:
            nothing = np.zeros(0, np.uint64)
            return nothing, nothing, nothing
        rows = np.concatenate([rows for _, rows in tables])
        names = np.concatenate([rows["name"] + np.uint64(strings) for strings, rows in tables])
        order = np.argsort(rows["value"], kind="stable")
        return rows["value"][order], rows["size"][order], names[order]

    def text(self, at: int) -> str:
        """The string that stands at a place of the file, such as a name."""
        end = self.data.find(b"\0", at)
        if end < 0:
            raise ElfError("the ELF file is damaged: a string without an end")
        return self.data[at:end].decode("utf-8", "replace")

    def _function_rows(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Of each table of symbols, where its names begin and the rows of functions."""
        for table in self.sections:
            if table.kind in (_SYMTAB, _DYNSYM):
                try:
                    rows = np.frombuffer(self.data, _SYMBOL_ROW, table.size // _SYMBOL_ROW.itemsize, table.offset)
                    strings = self.sections[table.link].offset
                except (ValueError, IndexError) as error:
                    raise ElfError(f"the ELF file is damaged: {error}") from error
                kinds = rows["info"] & 15
                functions = (kinds == _FUNCTION) | (kinds == _INDIRECT_FUNCTION)
                functions &= (rows["size"] > 0) & (rows["section"] > 0) & (rows["section"] < len(self.sections))
                yield strings, rows[functions]
