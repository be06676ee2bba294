"""Lines and inlined functions of a compiled object, from the line tables that LLVM writes (DWARF 4, sections 2, 6 and 7).

Only what "line tables only" holds is read: functions, the functions inlined into them with the place of the call, and the
table of lines. Anything else in the sections is skipped by its form.
"""

from __future__ import annotations

import bisect
import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from workbench.symbols.elf import Elf, ElfError

_COMPILE_UNIT, _INLINED, _SUBPROGRAM = 0x11, 0x1D, 0x2E
_NAME, _STATEMENTS, _LOW, _HIGH, _DIRECTORY = 0x03, 0x10, 0x11, 0x12, 0x1B
_ORIGIN, _RANGES, _CALL_FILE, _CALL_LINE, _LINKAGE, _SPECIFICATION = 0x31, 0x55, 0x58, 0x59, 0x6E, 0x47
_ADDRESS_FORM, _REF_ADDRESS_FORM = 0x01, 0x10
_FIXED = {  # forms of a fixed size -> struct format
    0x01: "Q", 0x05: "H", 0x06: "I", 0x07: "Q", 0x0B: "B", 0x0C: "B", 0x0E: "I", 0x10: "I", 0x11: "B", 0x12: "H",
    0x13: "I", 0x14: "Q", 0x17: "I", 0x20: "Q",
}  # fmt: skip
_STRING, _STRING_AT, _SIGNED, _UNSIGNED, _PRESENT = 0x08, 0x0E, 0x0D, 0x0F, 0x19
_BLOCKS = {0x0A: "B", 0x03: "H", 0x04: "I"}
_BLOCKS_OF_ANY_SIZE = (0x09, 0x18)
_UNIT_REFERENCES = (0x11, 0x12, 0x13, 0x14)
_VERSION = 4
_LAST = (1 << 64) - 1


@dataclass(frozen=True)
class Place:
    """A function that an address belongs to, and where in it. `line` 0 and `file` "": not known."""

    function: str
    file: str
    line: int
    inlined: bool


@dataclass
class _Scope:
    """A function, or one that is inlined: `origin` is where its name stands."""

    origin: int
    ranges: list[tuple[int, int]]
    call_file: int
    call_line: int
    inlined: bool
    inner: list[_Scope] = field(default_factory=list)

    def covers(self, address: int) -> bool:
        return any(begin <= address < end for begin, end in self.ranges)


@dataclass(frozen=True)
class _Row:
    file: int
    line: int
    ends: bool


@dataclass
class _Table:
    """A unit's line program, run: files from 1, and from each address on its row."""

    files: list[str]
    addresses: list[int]
    rows: list[_Row]


@dataclass
class _Unit:
    statements: int | None
    directory: str
    functions: list[_Scope] = field(default_factory=list)


class Lines:
    """The lines of one loaded object. Raises ElfError for DWARF that is damaged or of another version than 4."""

    def __init__(self, elf: Elf) -> None:
        self._info = elf.relocated(".debug_info")
        self._abbreviations = elf.content(".debug_abbrev")
        self._strings = elf.content(".debug_str")
        self._ranges = elf.relocated(".debug_ranges")
        self._line = elf.relocated(".debug_line")
        self._names: dict[int, str] = {}
        self._aliases: dict[int, int] = {}
        try:
            self._units = list(self._read_units())
        except (struct.error, IndexError, ValueError) as error:
            raise ElfError(f"the line tables are damaged: {error!r}") from error
        self._tables: dict[int, _Table] = {}
        spans = [
            (begin, end, scope, unit) for unit in self._units for scope in unit.functions for begin, end in scope.ranges
        ]
        self._spans = sorted(spans, key=lambda span: span[0])
        self._begins = [begin for begin, *_ in self._spans]

    def find(self, address: int) -> list[Place]:
        """The functions at an address, outermost first; empty where none is known.

        LLVM says nothing of a function that nothing is inlined into but its lines: it has no name here, its symbol has one.
        """
        at = bisect.bisect_right(self._begins, address) - 1
        if at < 0 or address >= self._spans[at][1]:
            file, line = self._line_alone(address)
            return [Place("", file, line, False)] if file else []
        _, _, scope, unit = self._spans[at]
        scopes = [scope]
        while inner := next((each for each in scopes[-1].inner if each.covers(address)), None):
            scopes.append(inner)
        table = self._table(unit)
        calls = [(table.files[each.call_file], each.call_line) for each in scopes[1:]]
        places = [*calls, _row_at(table, address)]
        return [
            Place(self._name(scope.origin), *place, scope.inlined) for scope, place in zip(scopes, places, strict=True)
        ]

    def _line_alone(self, address: int) -> tuple[str, int]:
        for unit in self._units:
            file, line = _row_at(self._table(unit), address)
            if file:
                return file, line
        return "", 0

    def _name(self, origin: int) -> str:
        seen = set()
        while origin not in self._names and origin in self._aliases and origin not in seen:
            seen.add(origin)
            origin = self._aliases[origin]
        return self._names.get(origin, "")

    def _table(self, unit: _Unit) -> _Table:
        if unit.statements is None:
            return _Table([""], [], [])
        if unit.statements not in self._tables:
            try:
                self._tables[unit.statements] = _run(self._line, unit.statements, unit.directory)
            except (struct.error, IndexError, ValueError) as error:
                raise ElfError(f"the line tables are damaged: {error!r}") from error
        return self._tables[unit.statements]

    def _read_units(self) -> Iterator[_Unit]:
        at = 0
        while at < len(self._info):
            length, version, abbreviations, _ = struct.unpack_from("<IHIB", self._info, at)
            if version != _VERSION:
                raise ElfError(f"line tables of DWARF {version}, only {_VERSION} is known")
            yield self._read_unit(at, at + 4 + length, abbreviations)
            at += 4 + length

    def _read_unit(self, start: int, end: int, abbreviations: int) -> _Unit:
        table = _abbreviations(self._abbreviations, abbreviations)
        unit, base = _Unit(None, ""), 0
        open_scopes: list[_Scope | None] = []
        at = start + 11
        while at < end:
            origin = at
            code, at = unsigned(self._info, at)
            if code == 0:
                if open_scopes:
                    open_scopes.pop()
                continue
            tag, has_children, attributes = table[code]
            values, at = self._values(attributes, at, start)
            scope = None
            if tag == _COMPILE_UNIT:
                base = int(values.get(_LOW, 0))
                lines = values.get(_STATEMENTS)
                unit = _Unit(None if lines is None else int(lines), str(values.get(_DIRECTORY, "")))
            elif tag in (_SUBPROGRAM, _INLINED):
                scope = self._scope(tag, origin, values, base)
                above = next((each for each in reversed(open_scopes) if each is not None), None)
                if scope.ranges:
                    (above.inner if above is not None and above.ranges else unit.functions).append(scope)
            if has_children:
                open_scopes.append(scope)
        return unit

    def _scope(self, tag: int, origin: int, values: dict[int, int | str], base: int) -> _Scope:
        if _NAME in values:
            self._names[origin] = str(values[_NAME])
        elif (of := values.get(_ORIGIN, values.get(_SPECIFICATION))) is not None:
            self._aliases[origin] = int(of)
        ranges: list[tuple[int, int]] = []
        if _RANGES in values:
            ranges = list(self._range_list(int(values[_RANGES]), base))
        elif _LOW in values and _HIGH in values:
            low = int(values[_LOW])
            ranges = [(low, low + int(values[_HIGH]))]
        file, line = int(values.get(_CALL_FILE, 0)), int(values.get(_CALL_LINE, 0))
        return _Scope(origin, ranges, file, line, tag == _INLINED)

    def _range_list(self, at: int, base: int) -> Iterator[tuple[int, int]]:
        while True:
            begin, end = struct.unpack_from("<QQ", self._ranges, at)
            at += 16
            if begin == end == 0:
                return
            if begin == _LAST:
                base = end
            elif begin < end:
                yield base + begin, base + end

    def _values(self, attributes: tuple[tuple[int, int], ...], at: int, unit: int) -> tuple[dict[int, int | str], int]:
        values: dict[int, int | str] = {}
        for attribute, form in attributes:
            value, at = self._value(form, at, unit)
            values[attribute] = value
        return values, at

    def _value(self, form: int, at: int, unit: int) -> tuple[int | str, int]:
        if form in _FIXED:
            shape = struct.Struct("<" + _FIXED[form])
            value = int(shape.unpack_from(self._info, at)[0])
            at += shape.size
            if form == _STRING_AT:
                return _text(self._strings, value), at
            return (unit + value if form in _UNIT_REFERENCES else value), at
        if form == _PRESENT:
            return 1, at
        if form == _STRING:
            text = _text(self._info, at)
            return text, self._info.index(b"\0", at) + 1
        if form in (_UNSIGNED, 0x15):
            value, at = unsigned(self._info, at)
            return (unit + value if form == 0x15 else value), at
        if form == _SIGNED:
            return signed(self._info, at)
        if form in _BLOCKS:
            shape = struct.Struct("<" + _BLOCKS[form])
            return 0, at + shape.size + int(shape.unpack_from(self._info, at)[0])
        if form in _BLOCKS_OF_ANY_SIZE:
            size, at = unsigned(self._info, at)
            return 0, at + size
        raise ElfError(f"a form of DWARF that is not known: {form:#x}")


def _row_at(table: _Table, address: int) -> tuple[str, int]:
    at = bisect.bisect_right(table.addresses, address) - 1
    if at < 0 or table.rows[at].ends:
        return "", 0
    row = table.rows[at]
    return table.files[row.file], row.line


@cache
def _abbreviations(data: bytes, at: int) -> dict[int, tuple[int, bool, tuple[tuple[int, int], ...]]]:
    """Code -> tag, whether children follow, attributes with their forms."""
    found: dict[int, tuple[int, bool, tuple[tuple[int, int], ...]]] = {}
    while True:
        code, at = unsigned(data, at)
        if code == 0:
            return found
        tag, at = unsigned(data, at)
        has_children, at = bool(data[at]), at + 1
        attributes = []
        while True:
            attribute, at = unsigned(data, at)
            form, at = unsigned(data, at)
            if attribute == form == 0:
                break
            attributes.append((attribute, form))
        found[code] = (tag, has_children, tuple(attributes))


def _run(data: bytes, start: int, directory: str) -> _Table:
    """Run a line program (DWARF 4, section 6.2)."""
    length, version, header = struct.unpack_from("<IHI", data, start)
    if version != _VERSION:
        raise ElfError(f"a line table of DWARF {version}, only {_VERSION} is known")
    end, at = start + 4 + length, start + 10
    step, _, _, base, width, opcode_base = struct.unpack_from("<BBBbBB", data, at)
    lengths = data[at + 6 : at + 5 + opcode_base]
    files = _files(data, at + 5 + opcode_base, directory)
    at = start + 10 + header
    found: list[tuple[int, int, _Row]] = []
    address, file, line = 0, 1, 1
    while at < end:
        opcode = data[at]
        at += 1
        if opcode >= opcode_base:
            address += (opcode - opcode_base) // width * step
            line += base + (opcode - opcode_base) % width
            found.append((address, 1, _Row(file, line, False)))
        elif opcode == 0:
            size, at = unsigned(data, at)
            what = data[at]
            if what == 1:  # end of a sequence
                found.append((address, 0, _Row(file, line, True)))
                address, file, line = 0, 1, 1
            elif what == 2:
                address = int(struct.unpack_from("<Q", data, at + 1)[0])
            at += size
        elif opcode == 1:  # copy
            found.append((address, 1, _Row(file, line, False)))
        elif opcode == 2:
            advance, at = unsigned(data, at)
            address += advance * step
        elif opcode == 3:
            advance, at = signed(data, at)
            line += advance
        elif opcode == 4:
            file, at = unsigned(data, at)
        elif opcode == 8:
            address += (255 - opcode_base) // width * step
        elif opcode == 9:
            address += int(struct.unpack_from("<H", data, at)[0])
            at += 2
        else:
            for _ in range(lengths[opcode - 1]):
                _, at = unsigned(data, at)
    # At one address the end of a sequence comes before the begin of another; of several rows the last counts.
    found.sort(key=lambda row: row[:2])
    return _Table(files, [row[0] for row in found], [row[2] for row in found])


def _files(data: bytes, at: int, directory: str) -> list[str]:
    """The file names of a line program's header, from 1 on; 0 is no file."""
    directories = [directory]
    while data[at]:
        directories.append(posixpath.join(directory, _text(data, at)))
        at = data.index(b"\0", at) + 1
    files, at = [""], at + 1
    while data[at]:
        name = _text(data, at)
        at = data.index(b"\0", at) + 1
        where, at = unsigned(data, at)
        for _ in range(2):  # time of change and length
            _, at = unsigned(data, at)
        files.append(posixpath.normpath(posixpath.join(directories[where], name)))
    return files


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and what follows it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def signed(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number, and what follows it."""
    value, behind = unsigned(data, at)
    bits = 7 * (behind - at)
    return (value - (1 << bits) if value >> (bits - 1) & 1 else value), behind
