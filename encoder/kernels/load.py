"""From the name of a kernel set to a filled table: "numba", "numba,satd=mine.py:satd_fast", "check:numba".

    SET                  python (the reference), numpy, numba
    ,SLOT=SET            this slot from another set
    ,SLOT=FILE.py:NAME   this slot from a function of the user's, written in the plain subset or already an njit function
    check:               run the python set beside the named one at every call and stop at the first difference

Sets python and numpy run the walk interpreted, and so does any table that is not compiled throughout.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from encoder.compiled import compiled
from encoder.errors import KernelError
from encoder.kernels.table import SLOTS, Kernels, Slot

SETS = {"python": "the reference: loops transcribed from the specification, interpreted",
        "numpy": "whole-array expressions, interpreted",
        "numba": "the same loops compiled, with bodies of their own where it pays"}
COMPILED_SETS = ("numba",)
DEFAULT_SET = "numba"


@dataclass(frozen=True)
class KernelSet:
    """A filled table.

    name         as the user gave it
    interpreted  whether the walk has to run in the interpreter
    kernels      the table; its slots are compiled functions, or plain ones where interpreted
    origins      slot -> "set.family" or "FILE.py:NAME", the body that fills it
    """

    name: str
    interpreted: bool
    kernels: Kernels
    origins: dict[str, str]

    @property
    def overrides(self) -> str:
        """The user's own kernels, as a list for messages; empty if there are none."""
        return ", ".join(f"{slot}={origin}" for slot, origin in self.origins.items() if ".py:" in origin)


def load_kernels(name: str = DEFAULT_SET) -> KernelSet:
    """Fill a table. Raises KernelError for an unknown set or slot and for a user's kernel that does not fit its slot."""
    checked, _, rest = name.rpartition("check:")
    if checked:
        raise KernelError(f"kernel set {name!r}: check: stands once, in front; for example check:numba")
    base, *overrides = [part.strip() for part in rest.split(",")]
    chosen = dict.fromkeys(SLOTS, base)
    _require_set(base, name)
    for override in overrides:
        slot, equals, source = override.partition("=")
        if not equals or not source:
            raise KernelError(f"kernel set {name!r}: {override!r} is not SLOT=SET or SLOT=FILE.py:FUNCTION")
        if slot not in SLOTS:
            raise KernelError(f"kernel set {name!r}: there is no slot {slot!r}; slots are: {', '.join(SLOTS)}")
        if ".py" not in source:
            _require_set(source, name)
        chosen[slot] = source
    bodies = {slot: _body(SLOTS[slot], source) for slot, source in chosen.items()}
    interpreted = "check:" in name or any(not hasattr(f, "get_compile_result") for f, _ in bodies.values())
    functions = {slot: _interpretable(f) if interpreted and not name.startswith("check:") else f for slot, (f, _) in bodies.items()}
    if name.startswith("check:"):
        functions = {slot: checked_kernel(slot, f) for slot, f in functions.items()}
    return KernelSet(name, interpreted, Kernels(**functions), {slot: origin for slot, (_, origin) in bodies.items()})


def _require_set(set_name: str, whole: str) -> None:
    if set_name not in SETS:
        raise KernelError(f"kernel set {whole!r}: there is no set {set_name!r}; sets are: {', '.join(SETS)}")


def _body(slot: Slot, source: str) -> tuple[Callable[..., int], str]:
    """The function that fills a slot, and where it is from. Compiled ones are compiled here."""
    if source not in SETS:
        return _user_body(slot, source), source
    module = import_module(f"encoder.kernels.set_{source}.{slot.family}")
    if source not in COMPILED_SETS:
        return getattr(module, slot.name), f"{source}.{slot.family}"
    origin = source
    if not hasattr(module, slot.name):
        module, origin = import_module(f"encoder.kernels.set_python.{slot.family}"), f"{source} from python"
    return _compile(slot, compiled(module, slot.name)), f"{origin}.{slot.family}"


def _compile(slot: Slot, dispatcher: Any) -> Any:
    dispatcher.compile(slot.signature)
    return dispatcher


def _interpretable(function: Any) -> Callable[..., int]:
    """A compiled function is called from the interpreter as it is; so is a plain one."""
    return function


def _user_body(slot: Slot, source: str) -> Any:
    path, _, function_name = source.rpartition(":")
    if not path:
        raise KernelError(f"kernel {slot.name}: {source!r} names no function; write {source}:FUNCTION")
    function = getattr(_user_module(slot, Path(path)), function_name, None)
    if function is None:
        raise KernelError(f"kernel {slot.name}: {path} has no function {function_name!r}")
    plain = getattr(function, "py_func", function)
    wanted = len(slot.signature.args)
    try:
        inspect.signature(plain).bind(*range(wanted))
    except TypeError:
        raise KernelError(
            f"kernel {slot.name}: {source} takes {inspect.signature(plain)}, the slot gives {wanted} arguments: {_arguments(slot)}"
        ) from None
    if not hasattr(function, "py_func"):
        function = compiled(_loaded[path], function_name, cached=False)
    return _compile_user(slot, source, function)


def _arguments(slot: Slot) -> str:
    return " ".join(slot.contract.split()).partition(")")[0] + ")"


def _compile_user(slot: Slot, source: str, dispatcher: Any) -> Any:
    from numba.core.errors import NumbaError

    try:
        dispatcher.compile(slot.signature)
        returned = dispatcher.get_compile_result(slot.signature).signature.return_type
    except (NumbaError, TypeError, RuntimeError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise KernelError(f"kernel {slot.name}: {source} does not compile for {slot.signature}: {first.strip()}") from None
    if returned != slot.signature.return_type:
        raise KernelError(f"kernel {slot.name}: {source} returns {returned}, the slot wants {slot.signature.return_type}")
    return dispatcher


_loaded: dict[str, ModuleType] = {}


def _user_module(slot: Slot, path: Path) -> ModuleType:
    """Import a user's file once, under a name that collides with nothing."""
    key = str(path)
    if key in _loaded:
        return _loaded[key]
    if not path.is_file():
        raise KernelError(f"kernel {slot.name}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"user_kernels_{len(_loaded)}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise KernelError(f"kernel {slot.name}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file does at import is the user's to read, in one line
        raise KernelError(f"kernel {slot.name}: importing {path} raised {type(error).__name__}: {error}") from error
    _loaded[key] = module
    return module
