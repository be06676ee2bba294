"""From the name of a kernel set to a filled table: "simd", "simd,satd=mine.py:satd_fast", "check:simd".

    SET                  python (the reference), numpy, numba, simd
    ,SLOT=SET            this slot from another set
    ,SLOT=FILE.py:NAME   this slot from a function of the user's, written in the plain subset or already an njit function
    check:               in front: run the python set beside it at every call and stop at the first difference

A table that is compiled throughout drives the compiled walk; any other one runs the walk interpreted.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from encoder.compiled import compiled
from encoder.config import DEFAULT_KERNELS
from encoder.errors import KernelError
from encoder.kernels.table import SLOTS, Kernels, Slot

SETS = {
    "python": "the reference: loops transcribed from the specification, interpreted",
    "numpy": "whole-array expressions, interpreted",
    "numba": "the python bodies compiled, or bodies of its own where it pays",
    "simd": "explicit vectors, compiled; the bodies of numba where it has none of its own",
}
REFERENCE_SET = "python"
STAND_INS = {"simd": "numba", "numba": REFERENCE_SET}
"""Compiled sets, and the set whose body each one compiles for a slot that it has no body for."""
CHECK = "check:"


@dataclass(frozen=True)
class KernelSet:
    """A filled table.

    name         as the user gave it
    interpreted  whether the walk has to run in the interpreter
    kernels      the table
    origins      slot -> where its body is from: "simd", "simd (numba body)", "mine.py:satd_fast"
    """

    name: str
    interpreted: bool
    kernels: Kernels
    origins: dict[str, str]

    @property
    def overrides(self) -> str:
        """The user's own kernels, as a list for messages; empty if there are none."""
        return ", ".join(f"{slot}={origin}" for slot, origin in self.origins.items() if ".py:" in origin)


@cache
def load_kernels(name: str = DEFAULT_KERNELS) -> KernelSet:
    """Fill a table. Raises KernelError for an unknown set or slot and for a user's kernel that does not fit its slot."""
    sources = _parse(name)
    functions: dict[str, Callable[..., int]] = {}
    origins: dict[str, str] = {}
    for slot, source in sources.items():
        functions[slot], origins[slot] = slot_body(SLOTS[slot], source)
    interpreted = name.startswith(CHECK) or not all(hasattr(f, "get_compile_result") for f in functions.values())
    if name.startswith(CHECK):
        functions = _beside_the_reference(functions)
    return KernelSet(name, interpreted, Kernels(**functions), origins)


def _parse(name: str) -> dict[str, str]:
    """Which set or function of the user's fills each slot."""
    base, *overrides = [part.strip() for part in name.removeprefix(CHECK).split(",")]
    _require_set(base, name)
    sources = dict.fromkeys(SLOTS, base)
    for override in overrides:
        slot, equals, source = override.partition("=")
        if not equals or not source:
            raise KernelError(f"kernel set {name!r}: {override!r} is not SLOT=SET or SLOT=FILE.py:FUNCTION")
        if slot not in SLOTS:
            raise KernelError(f"kernel set {name!r}: there is no slot {slot!r}; slots are: {', '.join(SLOTS)}")
        if ".py" not in source:
            _require_set(source, name)
        sources[slot] = source
    return sources


def _require_set(set_name: str, whole: str) -> None:
    if set_name not in SETS:
        raise KernelError(f"kernel set {whole!r}: there is no set {set_name!r}; sets are: {', '.join(SETS)}")


def _beside_the_reference(functions: dict[str, Callable[..., int]]) -> dict[str, Callable[..., int]]:
    from encoder.kernels.checked import checked_kernel

    return {slot: checked_kernel(slot, f, slot_body(SLOTS[slot], REFERENCE_SET)[0]) for slot, f in functions.items()}


def slot_body(slot: Slot, source: str) -> tuple[Callable[..., int], str]:
    """The function that fills a slot, compiled for it where its set is a compiled one, and its origin."""
    if source not in SETS:
        return _user_body(slot, source), source
    body_set = set_with_body(slot, source)
    module = _family(body_set, slot)
    if source not in STAND_INS:
        return getattr(module, slot.name), source
    origin = source if body_set == source else f"{source} ({body_set} body)"
    function = compiled(module, slot.name)
    function.compile(slot.signature)
    return function, origin


def set_with_body(slot: Slot, set_name: str) -> str:
    """The set that a slot's body is taken from: this one, or the one that stands in for it."""
    while set_name in STAND_INS and not hasattr(_family(set_name, slot), slot.name):
        set_name = STAND_INS[set_name]
    return set_name


def _family(set_name: str, slot: Slot) -> ModuleType:
    """The module with a set's bodies for the family of a slot."""
    return import_module(f"encoder.kernels.set_{set_name}.{slot.family}")


def _user_body(slot: Slot, source: str) -> Any:
    path, _, function_name = source.rpartition(":")
    if not path:
        raise KernelError(f"kernel {slot.name}: {source!r} names no function; write {source}:FUNCTION")
    module = _user_module(slot, path)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise KernelError(f"kernel {slot.name}: {path} has no function {function_name!r}")
    plain = getattr(function, "py_func", function)
    wanted = len(slot.signature.args)
    try:
        inspect.signature(plain).bind(*range(wanted))
    except TypeError:
        took = f"{source} takes {inspect.signature(plain)}"
        gives = " ".join(slot.contract.split()).partition(")")[0] + ")"
        raise KernelError(f"kernel {slot.name}: {took}, the slot gives {wanted} arguments: {gives}") from None
    if plain is function:
        function = compiled(module, function_name, cached=False)
    return _fit(slot, source, function)


def _fit(slot: Slot, source: str, function: Any) -> Any:
    """Compile a user's function for the slot's signature."""
    from numba import types
    from numba.core.errors import NumbaError

    try:
        # By its arguments alone: with the whole signature numba would cast whatever it returns.
        function.compile(slot.signature.args)
        returned = types.unliteral(function.overloads[slot.signature.args].signature.return_type)
    except (NumbaError, TypeError, RuntimeError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise KernelError(f"kernel {slot.name}: {source} does not compile for {slot.signature}: {first}") from None
    if returned != slot.signature.return_type:
        wanted = slot.signature.return_type
        raise KernelError(f"kernel {slot.name}: {source} returns {returned}, the slot wants {wanted}")
    return function


class _Reader(SourceFileLoader):
    """Imports a user's file, and leaves no __pycache__ beside it."""

    def set_data(self, *_: Any, **__: Any) -> None:
        pass


@cache
def _user_module(slot: Slot, path: str) -> ModuleType:
    """Import a user's file, under a name that collides with nothing."""
    if not Path(path).is_file():
        raise KernelError(f"kernel {slot.name}: there is no file {path}")
    name = "user_kernels_" + "".join(c if c.isalnum() else "_" for c in path)
    if Path(path).suffix != ".py":
        raise KernelError(f"kernel {slot.name}: {path} is not a Python file")
    loader = _Reader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None, "a loader is given"
    module = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except Exception as error:  # whatever a user's file does when imported is the user's to read, in one line
        raise KernelError(f"kernel {slot.name}: importing {path} raised {type(error).__name__}: {error}") from error
    return module
