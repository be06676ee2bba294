"""Names for addresses: line tables and inlined functions, ways back to callers, code that shares an address over time."""

import ctypes
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.symbols.dwarf import Lines
from workbench.symbols.elf import EMPTY_ELF, Elf, ElfError
from workbench.symbols.naming import UNKNOWN, Namer, Step, short_name
from workbench.symbols.process import Code, CompiledCode, CompiledObject, Library, Process, Sample
from workbench.symbols.unwind import Registers, Unwinder

MAKE = """
from workbench.instruments.inside import jit, jit_lines
jit.keep_frame_pointers(); jit_lines.keep_lines()
from numba import njit, types
kind = types.float64(types.float64, types.int64)
@njit
def leaf(x): return x * 3.0 + 1.0
@njit
def twig(x, n):
    for i in range(n):
        x = leaf(x) % (i + 2.5)
    return x
@njit(kind)
def trunk(x, n):
    return twig(x, n) + 1.0
entry = next(entry for entry in jit.entries() if any(s.name == "__main__.trunk" for s in jit.symbols_of(entry.content())))
open("object.o", "wb").write(entry.content())
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, process_environment: dict[str, str]) -> CompiledObject:
    """An object as numba loaded it."""
    folder = tmp_path_factory.mktemp("object")
    (folder / "make.py").write_text(MAKE)
    subprocess.run([sys.executable, "make.py"], cwd=folder, env=process_environment, check=True, timeout=240)
    return CompiledObject((folder / "object.o").read_bytes(), loaded_ns=100)


def addresses(loaded: CompiledObject, name: str = "trunk") -> range:
    function = next(each for each in loaded.functions if name in each.name and "cpython" not in each.name)
    return range(function.address, function.address + function.size)


def test_inlined_functions_stand_in_their_callers_with_their_lines(loaded: CompiledObject) -> None:
    """The self-test of the private names that inside/jit_lines.py leans on: they still give line tables."""
    chains = [tuple(place.function for place in loaded.places(at)) for at in addresses(loaded)]
    assert ("__main__.trunk", "__main__.twig", "__main__.leaf") in chains
    deepest = next(loaded.places(at) for at in addresses(loaded) if len(loaded.places(at)) == 3)
    lines = MAKE.splitlines()
    assert [place.inlined for place in deepest] == [False, True, True]
    assert "return twig" in lines[deepest[0].line - 1] and "leaf(x) %" in lines[deepest[1].line - 1]
    assert "def leaf" in lines[deepest[2].line - 1] and deepest[2].file.endswith("make.py")


@pytest.mark.skipif(shutil.which("addr2line") is None, reason="binutils are not installed")
def test_lines_are_those_that_addr2line_reads(loaded: CompiledObject, tmp_path: Path) -> None:
    (tmp_path / "object.o").write_bytes(loaded.elf.data[:])
    text = loaded.elf.section(".ltext")
    assert text is not None
    wanted = addresses(loaded)[::3]
    asked = "\n".join(hex(at - text.address) for at in wanted)
    command = ["addr2line", "-a", "-i", "-f", "-j", ".ltext", "-e", str(tmp_path / "object.o")]
    said = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout.split("0x")[1:]
    for at, block in zip(wanted, said, strict=True):
        theirs = [line.split(" (")[0].rpartition(":")[2] for line in block.splitlines()[2::2]]
        ours = [str(place.line or "?") for place in reversed(loaded.places(at))]
        assert [line if line != "0" else "?" for line in theirs] == ours


def test_a_function_without_line_tables_has_its_name(loaded: CompiledObject) -> None:
    process = Process(Path("x"))
    process.compiled.add(loaded)
    function = process.compiled.find(addresses(loaded)[0], 200)
    assert function is not None and Namer(process).compiled_step(function, 0).texts == ("trunk",)


@pytest.mark.parametrize("cut", [0, 3, 70, 1000, -40])
def test_damaged_objects_are_an_error_and_no_crash(loaded: CompiledObject, cut: int) -> None:
    data = bytes(loaded.elf.data[:cut] if cut <= 0 else loaded.elf.data[:cut] + b"\xff" * 300)
    try:
        elf = Elf(data)
        Lines(elf).find(0)
        Unwinder(elf).caller(Registers(0, 0, 0), False, lambda _: 0)
    except ElfError:
        pass
    assert not list(Elf(EMPTY_ELF).functions())


def test_code_in_the_place_of_freed_code_is_told_apart_by_time(loaded: CompiledObject) -> None:
    code, other = CompiledCode(), CompiledObject(bytes(loaded.elf.data), loaded_ns=300)
    first = CompiledObject(bytes(loaded.elf.data), loaded_ns=100)
    first.gone_ns = 200
    code.add(first)
    at = addresses(loaded)[5]
    owners = [code.find(at, when) for when in (50, 100, 200, 250, None)]
    assert [found.owner if found else None for found in owners] == [None, first, first, None, first]
    code.add(other)
    owners = [code.find(at, when) for when in (150, 250, 300, None)]
    assert [found.owner if found else None for found in owners] == [first, None, other, None]


def test_a_library_function_leads_to_its_caller() -> None:
    """libm keeps no frame pointer: at its first instruction the caller's address is on top of the stack."""
    libm = ctypes.CDLL("libm.so.6")
    line = next(
        line for line in Path("/proc/self/maps").read_text().splitlines() if "libm.so" in line and "r-xp" in line
    )
    span, _, offset, _, _, path = line.split(maxsplit=5)
    library = Library(path)
    entry = ctypes.cast(libm.cbrt, ctypes.c_void_p).value
    assert entry is not None and math.isclose(8 ** (1 / 3), 2)
    address = library.address_of(entry - int(span.partition("-")[0], 16) + int(offset, 16))
    assert address is not None and library.symbol(address) == "cbrt" and library.unwinder is not None
    stack = {1000: 0x1234}
    assert library.unwinder.caller(Registers(address, 1000, 7), False, stack.get) == Registers(0x1234, 1008, 7)
    assert library.unwinder.caller(Registers(1, 1000, 7), False, stack.get) is None  # no function lies there


def test_a_function_has_its_caller_from_its_first_instruction_to_its_last(loaded: CompiledObject) -> None:
    """At `ret` the frame pointer is the caller's again, though the tables still say where it was saved."""
    text = loaded.elf.section(".ltext")
    assert text is not None
    function = addresses(loaded)
    code = loaded.elf.content(".ltext")[function.start - text.address : function.stop - text.address]
    push, ret = code.index(b"\x55"), code.index(b"\x5d\xc3") + 1  # push rbp; pop rbp, ret
    assert push == 0
    stack = {1000: 0x1234}
    for pc in (function[push], function[ret]):
        assert loaded.unwinder.caller(Registers(pc, 1000, 7), False, stack.get) == Registers(0x1234, 1008, 7)


def test_a_file_that_is_gone_has_a_name_and_no_functions() -> None:
    library = Library("/nonexistent/libgone.so (deleted)")
    assert library.symbol(5) == "" and library.unwinder is None and library.address_of(5) is None


def a_sample(pc: int, python: tuple[tuple[int, int, int | None], ...] | None, cut: bool = False) -> Sample:
    return Sample(thread=1, at_ns=150, pc=pc, sp=1000, bp=1000, pairs=(), python=python, cut=cut, stack=b"")


def test_what_has_no_name_is_unknown_and_counted() -> None:
    process = Process(Path("x"), base=10)
    process.codes[7, 70] = Code("f", "/src/a;b.py", 3, (0, 4), (3, 9))
    process.paths = ("/src",)
    namer = Namer(process)
    assert namer.stack(a_sample(99, ((7, 70, 16), (7, 71, 12)))) == ["thread 1", UNKNOWN, "f (a,b.py:9)", UNKNOWN]
    assert (namer.tally.samples, namer.tally.compiled, namer.tally.unnamed_share) == (1, 1, 1.0)
    assert namer.stack(a_sample(99, None, cut=True)) == ["thread 1", UNKNOWN]


def test_glue_between_python_and_compiled_code_is_left_out() -> None:
    namer = Namer(Process(Path("x")))
    compiled, wrapper = Step(("k (a.py:3)", "i [inlined] (a.py:1)"), "compiled"), Step(("k",), "wrapper")
    dispatcher, libm = Step(("[_dispatcher.so] call",), "interpreter"), Step(("[libm.so.6] exp",), "library")
    steps = [libm, compiled, wrapper, dispatcher]
    assert namer.joined("thread main", ["f (b.py:1)"], steps) == [
        "thread main", "f (b.py:1)", "k (a.py:3)", "i [inlined] (a.py:1)", "[libm.so.6] exp",
    ]  # fmt: skip
    assert namer.joined("thread main", ["f (b.py:1)"], [dispatcher]) == ["thread main", "f (b.py:1)"]
    assert namer.joined("thread 2", None, [dispatcher]) == ["thread 2", "[_dispatcher.so] call"]
    ours = ["main (workbench/instruments/inside/profiled.py:3)"]
    assert namer.joined("thread main", ours, [dispatcher]) == []
    nameless = [Step(("[libx.so]",), "library")] * 3 + [compiled]
    assert namer.joined("thread main", [], nameless)[-1] == "[libx.so]" and len(namer.joined("t", [], nameless)) == 4


def test_names_are_those_of_the_kernel_table() -> None:
    assert short_name("encoder.kernels.set_numba.distortion.satd") == "set_numba.satd"
