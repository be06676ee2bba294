"""The encoder's command line with every kernel counted: how often each slot is called, by the size of the block and the mode.

python -m workbench.instruments.inside.calls RESULT.json ENCODER_ARGUMENT... Give it one thread: the counters are plain words.
RESULT.json: {"frames": coded, "interpreted": how the walk ran, "slots": {slot: {"arguments": [name, ...], "calls":
[[value, ..., number of calls], ...], "other": calls that are not split, "origin": where its body is from}}}.

A slot's place in the table is taken by a small function of our own, with the slot's signature and numba's calling
convention: it counts the call under its size arguments and passes it on. The counters are a hash table a slot, whose
entries hold the arguments themselves, so that no two kinds of calls are taken for one. The walk, compiled once, does not see
the difference.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from llvmlite import binding, ir

SIZES_AND_MODES = (
    "w", "h", "side", "columns", "rows", "size", "count", "left", "right", "top", "bottom",
    "tx_size", "tx_type", "filter_size", "filter_x", "filter_y", "frac_x", "frac_y", "angle", "have_above", "have_left",
    "vertical", "sgr_set", "pass_number", "strength", "plane",
)  # fmt: skip
"""Arguments, as the table's contracts name them, that say how large a block is and in which mode it is worked on."""
FLAGS = ("frac_x", "frac_y", "plane")
"""Of these it counts only whether they are 0: the position of a sample to the sixteenth is no mode."""
ENTRIES = 4096
"""Kinds of calls that a slot's table holds; calls of further kinds are counted without their arguments."""
_WORD, _MIX = ir.IntType(64), 0x9E3779B97F4A7C15


class CallTable:
    """The calls of one slot by their arguments.

    arguments   names of those that are counted; positions where they stand in a call
    """

    def __init__(self, slot: str) -> None:
        from numba import types

        from encoder.kernels.check import argument_names
        from encoder.kernels.table import SLOTS

        kinds = zip(argument_names(slot), SLOTS[slot].signature.args, strict=True)
        is_counted = [kind == types.int64 and name in SIZES_AND_MODES for name, kind in kinds]  # `left` may be an edge
        named = [(name, at) for at, name in enumerate(argument_names(slot)) if is_counted[at]]
        self.arguments = tuple(name for name, _ in named)
        self.positions = tuple(at for _, at in named)
        self._interpreted: Counter[tuple[int, ...]] = Counter()
        # One entry more than there are places: that of the calls that found none. An entry: its calls, the arguments.
        self._entries = np.zeros((ENTRIES + 1, 1 + len(named)), np.int64)

    @property
    def address(self) -> int:
        """Where the first entry lies."""
        return int(self._entries.ctypes.data)

    @property
    def entry_words(self) -> int:
        """Words of an entry."""
        return int(self._entries.shape[1])

    def add(self, arguments: Sequence[Any]) -> None:
        """Count a call of the interpreter's."""
        values = zip(self.arguments, (int(arguments[at]) for at in self.positions), strict=True)
        self._interpreted[tuple(int(value != 0) if name in FLAGS else value for name, value in values)] += 1

    def calls(self) -> Counter[tuple[int, ...]]:
        """Number of calls by the values of the arguments, compiled and interpreted ones together."""
        found = Counter(self._interpreted)
        for calls, *values in self._entries[:ENTRIES].tolist():
            if calls:
                found[tuple(values)] += calls
        return found

    @property
    def other(self) -> int:
        """Calls that found no place in the table."""
        return int(self._entries[ENTRIES, 0])


class CountedKernel:
    """An interpreted kernel that counts its calls."""

    def __init__(self, function: Callable[..., int], table: CallTable) -> None:
        self._function, self._table = function, table

    def __call__(self, *arguments: Any) -> int:
        """A call from Python."""
        self._table.add(arguments)
        return self._function(*arguments)


class CountedCompiledKernel(CountedKernel):
    """A compiled kernel that counts its calls; `address` is that of its counting stand-in for compiled callers."""

    def __init__(self, function: Callable[..., int], table: CallTable, address: int) -> None:
        super().__init__(function, table)
        self._address = address

    def get_compile_result(self, _signature: Any) -> Any:
        """What a kernel table asks a compiled function for: where it lies."""
        return SimpleNamespace(
            library=SimpleNamespace(get_pointer_to_function=lambda _name: self._address),
            fndesc=SimpleNamespace(llvm_func_name=""),
        )


class StandIns:
    """Machine code that counts a call of a slot and passes it on to the slot's kernel; it lives as long as this object."""

    def __init__(self, kernels: dict[str, tuple[Any, int, CallTable]]) -> None:
        """`kernels`: slot -> signature, address of the kernel, its table."""
        from numba.core.registry import cpu_target

        convention = cpu_target.target_context.call_conv
        module = ir.Module("counting")
        for slot, (signature, address, table) in kernels.items():
            _define(module, convention, slot, signature, address, table)
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_default_triple()
        module.triple = target.triple
        self._engine = binding.create_mcjit_compiler(
            binding.parse_assembly(str(module)), target.create_target_machine(jit=True)
        )
        self._engine.finalize_object()

    def address(self, slot: str) -> int:
        """Where the stand-in of a slot lies."""
        return int(self._engine.get_function_address(_name(slot)))


def _name(slot: str) -> str:
    return f"counted.{slot}"


def _define(module: ir.Module, convention: Any, slot: str, signature: Any, address: int, table: CallTable) -> None:
    """The function of one slot."""
    kind = convention.get_function_type(signature.return_type, signature.args)
    function = ir.Function(module, kind, _name(slot))
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    arguments = convention.decode_arguments(builder, signature.args, function)
    values = [arguments[at] for at in table.positions]
    for at, name in enumerate(table.arguments):
        if name in FLAGS:
            values[at] = builder.zext(builder.icmp_signed("!=", values[at], _WORD(0)), _WORD)
    _count(builder, table, values)
    kernel = builder.inttoptr(_WORD(address), kind.as_pointer())
    builder.ret(builder.call(kernel, function.args))


def _count(builder: ir.IRBuilder, table: CallTable, values: Sequence[ir.Value]) -> None:
    """Find the entry of these values, or a free one from the place on that their hash names, and add 1 to its calls."""
    mixed: ir.Value = _WORD(0)
    for value in values:
        mixed = builder.mul(builder.xor(mixed, value), _WORD(_MIX))
    first = builder.lshr(mixed, _WORD(64 - (ENTRIES - 1).bit_length()))
    begin = builder.block
    probe, filled, fresh, collided, onwards, full, found = (
        builder.append_basic_block(name)
        for name in ("probe", "filled", "fresh", "collided", "onwards", "full", "found")
    )
    builder.branch(probe)

    builder.position_at_end(probe)
    place, tried = builder.phi(_WORD), builder.phi(_WORD)
    calls = _word_of(builder, table, place, 0)
    builder.cbranch(builder.icmp_unsigned("==", builder.load(calls), _WORD(0)), fresh, filled)

    builder.position_at_end(filled)
    equal: ir.Value = ir.IntType(1)(1)
    for word, value in enumerate(values, 1):
        same = builder.icmp_unsigned("==", builder.load(_word_of(builder, table, place, word)), value)
        equal = builder.and_(equal, same)
    builder.cbranch(equal, found, collided)

    builder.position_at_end(fresh)
    for word, value in enumerate(values, 1):
        builder.store(value, _word_of(builder, table, place, word))
    builder.branch(found)

    builder.position_at_end(collided)
    following = builder.and_(builder.add(place, _WORD(1)), _WORD(ENTRIES - 1))
    tries = builder.add(tried, _WORD(1))
    builder.cbranch(builder.icmp_unsigned("==", tries, _WORD(ENTRIES)), full, onwards)
    builder.position_at_end(onwards)
    builder.branch(probe)
    place.add_incoming(first, begin)
    place.add_incoming(following, onwards)
    tried.add_incoming(_WORD(0), begin)
    tried.add_incoming(tries, onwards)

    builder.position_at_end(full)
    builder.branch(found)

    builder.position_at_end(found)
    entry = builder.phi(_WORD)
    entry.add_incoming(place, filled)
    entry.add_incoming(place, fresh)
    entry.add_incoming(_WORD(ENTRIES), full)
    counted = _word_of(builder, table, entry, 0)
    builder.store(builder.add(builder.load(counted), _WORD(1)), counted)


def _word_of(builder: ir.IRBuilder, table: CallTable, place: ir.Value, word: int) -> ir.Value:
    """The address of a word of an entry."""
    base = builder.inttoptr(_WORD(table.address), _WORD.as_pointer())
    return builder.gep(base, [builder.add(builder.mul(place, _WORD(table.entry_words)), _WORD(word))])


class CountedSet:
    """A kernel set whose kernels count their calls: `kernel_set` is the set to encode with, `tables` the calls by slot."""

    def __init__(self, original: Any) -> None:
        from encoder.kernels.table import SLOTS, Kernels

        self._original = original
        self.tables = {slot: CallTable(slot) for slot in SLOTS}
        functions = {slot: getattr(original.kernels, slot) for slot in SLOTS}
        compiled = {
            slot: (SLOTS[slot].signature, _address(function, SLOTS[slot].signature), self.tables[slot])
            for slot, function in functions.items()
            if hasattr(function, "get_compile_result")
        }
        self._stand_ins = StandIns(compiled)
        counted = {slot: self._counted(slot, function, slot in compiled) for slot, function in functions.items()}
        self.kernel_set = dataclasses.replace(original, kernels=Kernels(**counted))

    def _counted(self, slot: str, function: Callable[..., int], is_compiled: bool) -> CountedKernel:
        if is_compiled:
            return CountedCompiledKernel(function, self.tables[slot], self._stand_ins.address(slot))
        return CountedKernel(function, self.tables[slot])

    def result(self) -> dict[str, Any]:
        """What was counted, as the result file has it."""
        return {
            slot: {
                "arguments": table.arguments,
                "calls": [[*values, calls] for values, calls in sorted(table.calls().items())],
                "other": table.other,
                "origin": self._original.origins[slot],
            }
            for slot, table in self.tables.items()
        }


def _address(function: Any, signature: Any) -> int:
    """Where the function compiled for a signature lies."""
    result = function.get_compile_result(signature)
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def frames_counted(encode: Callable[..., Iterator[Any]], seen: list[int]) -> Callable[..., Iterator[Any]]:
    """`encode`, which appends the number of coded frames of each packet to `seen`."""

    def encode_counted(*arguments: Any) -> Iterator[Any]:
        for packet in encode(*arguments):
            seen.append(len(packet.frames))
            yield packet

    return encode_counted


def main() -> int:
    """Encode, write the counts, return the encoder's exit status."""
    result, *arguments = sys.argv[1:]
    from encoder import stream

    load_kernels, frames = stream.load_kernels, list[int]()
    sets: dict[str, CountedSet] = {}

    def load_counted(name: str) -> Any:
        sets[name] = sets.get(name) or CountedSet(load_kernels(name))
        return sets[name].kernel_set

    stream.load_kernels = load_counted  # type: ignore[assignment]
    stream.encode = frames_counted(stream.encode, frames)
    from encoder.cli import main as encode

    status = encode(arguments)
    if status == 0:
        (counted,) = sets.values()
        interpreted = counted.kernel_set.interpreted
        told = {"frames": sum(frames), "interpreted": interpreted, "slots": counted.result()}
        Path(result).write_text(json.dumps(told))
    return status


if __name__ == "__main__":
    sys.exit(main())
