"""Who called a function: libraries keep no frame pointers, but tables that tell how to get back to the caller.

Compiled functions have such tables too: in its first and last instructions also a function with a frame pointer has none.
The tables are those for exceptions (.eh_frame, found through .eh_frame_hdr where there is one: Linux Standard Base 5, 10.6;
their programs are those of DWARF 4, section 6.4). Only what is needed to follow a stack is kept: stack pointer, frame
pointer, return address. Where a function's way back is told by other means than an offset from one of these, the walk ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from workbench.symbols.dwarf import signed, unsigned
from workbench.symbols.elf import Elf

_BP, _SP, _RETURN = 6, 7, 16
_HEADER_OF_KNOWN_KIND = bytes(
    (1, 0x1B, 0x03, 0x3B)
)  # version, then: relative to place, 32 bits, relative to the header
_ENCODED_SIZES = {0x00: 8, 0x1B: 4, 0x1C: 8}  # how the start of a function may be told: absolute, relative to the place
_RELATIVE = (0x1B, 0x1C)
_POINTER_SIZES = {0x0: 8, 0x2: 2, 0x3: 4, 0x4: 8, 0xA: 2, 0xB: 4, 0xC: 8}

Read = Callable[[int], int | None]


@dataclass(frozen=True)
class Registers:
    """What is known of a function's frame."""

    pc: int
    sp: int
    bp: int


@dataclass(frozen=True)
class _Rules:
    """The frame's base is register + offset (None: told otherwise); where in relation to it others are kept (None: they are
    not saved). `is_first`: there is no caller."""

    register: int | None
    offset: int
    bp: int | None = None
    return_address: int | None = None
    is_first: bool = False


@dataclass(frozen=True)
class _Common:
    """What the tables of several functions share."""

    code_step: int
    data_step: int
    encoding: int
    has_extra: bool
    program: bytes


class Unwinder:
    """The tables of one library or compiled object; `usable` is False where it has none of the usual kinds."""

    def __init__(self, elf: Elf) -> None:
        header, frames = elf.section(".eh_frame_hdr"), elf.section(".eh_frame")
        self._data = elf.relocated(".eh_frame")
        self._base = frames.address if frames else 0
        self._found: dict[int, _Rules | None] = {}
        self._commons: dict[int, _Common | None] = {}
        self._entries = np.zeros((0, 2), np.int64)  # start of the function, place of its table
        index = elf.content(".eh_frame_hdr")
        if header is not None and index[:4] == _HEADER_OF_KNOWN_KIND:
            (count,) = struct.unpack_from("<I", index, 8)
            words = np.frombuffer(index, "<i4", 2 * count, 12).astype(np.int64).reshape(count, 2)
            self._entries = words + np.array([header.address, header.address - self._base])
        elif header is None and frames is not None:
            self._entries = np.array(sorted(self._listed()), np.int64).reshape(-1, 2)

    @property
    def usable(self) -> bool:
        """Whether there are tables that this module understands."""
        return len(self._entries) > 0

    def caller(self, at: Registers, is_return_address: bool, read: Read) -> Registers | None:
        """The registers in the function that called, with `pc` 0 where none did; None where the way is not known.

        `at.pc` counts as the file does, the result's as memory does; `read` gives the word of the stack at an address, None
        where it is not there.
        """
        place = at.pc - 1 if is_return_address else at.pc
        if place not in self._found:
            try:
                self._found[place] = self._rules(place)
            except (struct.error, IndexError, KeyError):
                self._found[place] = None
        rules = self._found[place]
        if rules is not None and rules.is_first:
            return Registers(0, at.sp, 0)
        if rules is None or rules.register is None or rules.return_address is None:
            return None
        base = (at.sp if rules.register == _SP else at.bp) + rules.offset
        pc = read(base + rules.return_address)
        # What was saved below the stack pointer has been taken back already: compilers' tables do not tell of the last `pop`.
        bp = at.bp if rules.bp is None or base + rules.bp < at.sp else read(base + rules.bp)
        return None if pc is None or bp is None else Registers(pc, base, bp)

    def _listed(self) -> Iterator[tuple[int, int]]:
        """Start and table of each function, by reading all tables."""
        at = 0
        while at + 8 <= len(self._data):
            length, back = struct.unpack_from("<II", self._data, at)
            if length == 0 or length == 0xFFFFFFFF:
                return
            common = self._common(at + 4 - back) if back else None
            if common is not None and (span := self._span(common, at + 8)) is not None:
                yield span[0], at
            at += 4 + length

    def _rules(self, pc: int) -> _Rules | None:
        found = int(np.searchsorted(self._entries[:, 0], pc, "right")) - 1
        if found < 0:
            return None
        at = int(self._entries[found, 1])
        length, back = struct.unpack_from("<II", self._data, at)
        common = self._common(at + 4 - back)
        span = self._span(common, at + 8) if common is not None else None
        if common is None or span is None or not span[0] <= pc < span[1]:
            return None
        program = at + 8 + 2 * _ENCODED_SIZES[common.encoding]
        if common.has_extra:
            extra, program = unsigned(self._data, program)
            program += extra
        first = _execute(common.program, common, 0, 1, _Rules(None, 0), None)
        return _execute(self._data[program : at + 4 + length], common, span[0], pc, first, first) if first else None

    def _span(self, common: _Common, at: int) -> tuple[int, int] | None:
        """Where a function begins and ends."""
        size = _ENCODED_SIZES.get(common.encoding)
        if size is None:
            return None
        start = int.from_bytes(self._data[at : at + size], "little", signed=common.encoding in _RELATIVE)
        start += self._base + at if common.encoding in _RELATIVE else 0
        return start, start + int.from_bytes(self._data[at + size : at + 2 * size], "little")

    def _common(self, at: int) -> _Common | None:
        if at not in self._commons:
            self._commons[at] = self._read_common(at)
        return self._commons[at]

    def _read_common(self, start: int) -> _Common | None:
        data = self._data
        (length,) = struct.unpack_from("<I", data, start)
        end = start + 4 + length
        told = data[start + 9 : data.index(b"\0", start + 9)]
        at = start + 9 + len(told) + 1
        code_step, at = unsigned(data, at)
        data_step, at = signed(data, at)
        column, at = unsigned(data, at)
        if column != _RETURN or (told and told[:1] != b"z") or b"S" in told:
            return None  # a frame that the kernel made, or of a kind that is not known
        encoding = 0x00
        if told:
            extra, at = unsigned(data, at)
            program, place = at + extra, at
            for letter in told[1:].decode():
                if letter == "R":
                    encoding, place = data[place], place + 1
                elif letter == "L":
                    place += 1
                elif letter == "P":
                    place += 1 + _POINTER_SIZES[data[place] & 0x0F]
                else:
                    return None
            at = program
        return _Common(code_step, data_step, encoding, bool(told), data[at:end])


def _execute(
    program: bytes, common: _Common, start: int, pc: int, rules: _Rules, initial: _Rules | None
) -> _Rules | None:
    """Run a table's program up to `pc`; None for what is not known."""
    kept: list[_Rules] = []
    at, location = 0, start
    while at < len(program):
        byte = program[at]
        at += 1
        high, low = byte & 0xC0, byte & 0x3F
        if high == 0x40:  # advance
            location += low * common.code_step
        elif byte in (0x02, 0x03, 0x04):  # advance by 1, 2 or 4 bytes
            size = 1 << (byte - 2)
            location += int.from_bytes(program[at : at + size], "little") * common.code_step
            at += size
        elif high == 0x80:
            offset, at = unsigned(program, at)
            rules = _saved(rules, low, offset * common.data_step)
        elif high == 0xC0:
            rules = _restored(rules, low, initial)
        elif byte == 0x05:  # saved, of a register with a large number
            register, at = unsigned(program, at)
            offset, at = unsigned(program, at)
            rules = _saved(rules, register, offset * common.data_step)
        elif byte in (0x06, 0x07, 0x08):  # restored, undefined, same value
            register, at = unsigned(program, at)
            rules = _restored(rules, register, initial if byte == 0x06 else None)
            rules = replace(rules, is_first=rules.is_first or (byte == 0x07 and register == _RETURN))
        elif byte == 0x09:  # in another register
            register, at = unsigned(program, at)
            _, at = unsigned(program, at)
            rules = _lost(rules, register)
        elif byte == 0x0A:
            kept.append(rules)
        elif byte == 0x0B:
            rules = kept.pop()
        elif byte == 0x0C:
            register, at = unsigned(program, at)
            offset, at = unsigned(program, at)
            rules = _based(rules, register, offset)
        elif byte == 0x0D:
            register, at = unsigned(program, at)
            rules = _based(rules, register, rules.offset)
        elif byte == 0x0E:
            offset, at = unsigned(program, at)
            rules = replace(rules, offset=offset)
        elif byte == 0x0F:  # base by an expression
            size, at = unsigned(program, at)
            at += size
            rules = replace(rules, register=None)
        elif byte in (0x10, 0x16):  # saved where an expression says
            register, at = unsigned(program, at)
            size, at = unsigned(program, at)
            at += size
            rules = _lost(rules, register)
        elif byte == 0x2E:  # size of arguments
            _, at = unsigned(program, at)
        elif byte != 0x00:
            return None
        if location > pc:
            break
    return rules


def _based(rules: _Rules, register: int, offset: int) -> _Rules:
    return replace(rules, register=register if register in (_BP, _SP) else None, offset=offset)


def _saved(rules: _Rules, register: int, offset: int) -> _Rules:
    if register == _BP:
        return replace(rules, bp=offset)
    return replace(rules, return_address=offset) if register == _RETURN else rules


def _restored(rules: _Rules, register: int, initial: _Rules | None) -> _Rules:
    if register == _BP:
        return replace(rules, bp=initial.bp if initial else None)
    if register == _RETURN:
        return replace(rules, return_address=initial.return_address if initial else None)
    return rules


def _lost(rules: _Rules, register: int) -> _Rules:
    return replace(rules, register=None) if register in (_BP, _RETURN) else rules
