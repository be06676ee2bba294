"""Callgrind's output as costs by function (Valgrind User Manual, "Callgrind Format Specification"): the reader of its files.

Compiled functions have no names there: their code is in no file. With --dump-instr=yes every cost stands at the address of
its instruction, so that a map of the compiled functions names them; of what lies in files, the names are callgrind's.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

UNKNOWN = "[unknown]"
_NAME = re.compile(r"\((\d+)\)(?: (.*))?$")
_LEVEL = re.compile(r"'(\d+)$")  # of a recursion: callgrind keeps the first two levels apart
_NOWHERE = ("", "???")


class FormatError(ValueError):
    """A file that is not callgrind's, or not with addresses and instructions."""


@dataclass
class Function:
    """What a function cost.

    instructions   executed in itself
    calls          how often it was called, from whatever function but itself
    callees        name of another function -> instructions executed in calls of it, its own callees included
    is_recursive   it was called while it ran, directly or by others
    """

    instructions: int = 0
    calls: int = 0
    callees: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    is_recursive: bool = False

    @property
    def inclusive(self) -> int | None:
        """Instructions with those of all that it calls; None for a recursive function, whose calls hold each other's."""
        return None if self.is_recursive else self.instructions + sum(self.callees.values())


@dataclass(frozen=True)
class Symbol:
    """Compiled code without a file: from `address` on `size` bytes."""

    address: int
    size: int
    name: str


class SymbolMap:
    """Names by address."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self._symbols = sorted(symbols, key=lambda symbol: symbol.address)
        self._starts = [symbol.address for symbol in self._symbols]

    def find(self, address: int) -> str | None:
        """The name of the function that `address` lies in."""
        at = bisect_right(self._starts, address) - 1
        if at >= 0 and address < self._starts[at] + self._symbols[at].size:
            return self._symbols[at].name
        return None


def read_costs(lines: Iterable[str], symbols: SymbolMap) -> dict[str, Function]:
    """Costs by function name: `[libfoo.so] symbol` for code with a file, the map's names for code without, `[unknown]`
    where the map has none.

    Raises FormatError for a file of another kind.
    """
    return _Reader(symbols).read(lines)


class _Reader:
    """Where in the file we are: object, function, addresses that the next ones are relative to."""

    def __init__(self, symbols: SymbolMap) -> None:
        self._symbols = symbols
        self._functions: dict[str, Function] = defaultdict(Function)
        self._names: dict[tuple[str, str], str] = {}
        self._object = self._callee_object = self._function = self._callee = ""
        self._address = 0
        self._calls = 0
        self._called: str | None = None  # the function whose calls' cost the next line has
        self._named: dict[tuple[str, str], str] = {}

    def read(self, lines: Iterable[str]) -> dict[str, Function]:
        seen = set()
        for line in lines:
            text = line.rstrip("\n")
            key, equals, value = text.partition("=")
            if text[:1] in "0123456789+-*" and text:
                self._cost(text)
            elif equals:
                self._specify(key, value)
            elif ": " in text:
                seen.add(text)
        if not {"positions: instr line", "events: Ir"} <= seen:
            raise FormatError("no file of callgrind's with addresses (--dump-instr=yes) and instructions alone")
        return dict(self._functions)

    def _specify(self, key: str, value: str) -> None:
        if key == "ob":
            self._object = self._name("ob", value)
        elif key == "fn":
            self._function = self._name("fn", value)
            self._callee_object = self._object
        elif key == "cob":
            self._callee_object = self._name("ob", value)
        elif key == "cfn":
            self._callee = self._name("fn", value)
        elif key == "calls":
            count, address, *_ = value.split()
            self._calls = int(count)
            self._called = self._readable(self._callee_object, self._callee, self._position(address))
            self._callee_object = self._object
            if _LEVEL.search(self._callee):
                self._functions[self._called].is_recursive = True

    def _name(self, kind: str, value: str) -> str:
        """A name that is written once, and by its number from then on."""
        match = _NAME.match(value)
        if match is None:
            return value
        if match[2] is not None:
            self._names[kind, match[1]] = match[2]
        return self._names.get((kind, match[1]), "")

    def _position(self, text: str) -> int:
        """An address, absolute or relative to that of the cost line before."""
        if text == "*":
            return self._address
        if text[0] in "+-":
            return self._address + int(text)
        return int(text, 16)

    def _cost(self, text: str) -> None:
        position, _line, *costs = text.split()
        self._address = self._position(position)
        instructions = int(costs[0]) if costs else 0
        caller, called = self._readable(self._object, self._function, self._address), self._called
        self._called = None
        if called is None:
            self._functions[caller].instructions += instructions
        elif called != caller:
            self._functions[caller].callees[called] += instructions
            self._functions[called].calls += self._calls

    def _readable(self, file: str, function: str, address: int) -> str:
        if file in _NOWHERE:
            return self._symbols.find(address) or UNKNOWN
        if (file, function) not in self._named:
            self._named[file, function] = f"[{PurePosixPath(file).name}] {_LEVEL.sub('', function)}"
        return self._named[file, function]
