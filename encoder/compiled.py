"""Compiled twins of the plain modules: the walk, the frame filters and the kernels are written once and run in two worlds.

A plain module is ordinary Python. `twin(module)` is a namespace with the same names, in which every function is the numba
compilation of the original and calls the other twins. So a test, a debugger and coverage.py see the very code that is
compiled, and no function carries a decorator.

Everything compiled is kept on disk. Numba's own cache looks at one function's bytecode and would go on using callers of a
changed callee, so ours lives in a folder named by the hash of every source file of the package (and numba's version).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numba
from numba import njit
from numba.core import event

PACKAGE = __name__.partition(".")[0]
PLAIN = tuple(
    f"{PACKAGE}.{name}" for name in ("intmath", "tile", "frame.filters", "kernels.set_python", "kernels.set_numba")
)
OPTIONS = {"nogil": True, "error_model": "numpy"}
KEPT_CACHES = 4


def cache_root() -> Path:
    """Where compiled code is kept: $ENCODER_CACHE_DIR, else the user's cache folder."""
    own = os.environ.get("ENCODER_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "encoder-workbench" / "compiled"


@cache
def source_digest() -> str:
    """Hash of every source and table of the package, numba's version and the interpreter's."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    folder = Path(__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.json")]):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def use_cache() -> Path:
    """Point numba at this version's cache folder and drop the oldest other ones."""
    root = cache_root()
    folder = root / source_digest()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    others = sorted((p for p in root.iterdir() if p.is_dir() and p != folder), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) + 1 - KEPT_CACHES)]:
        shutil.rmtree(old, ignore_errors=True)
    numba.config.CACHE_DIR = str(folder)
    return folder


def is_plain(module_name: str) -> bool:
    """Whether a module is written in the plain subset."""
    return any(module_name == p or module_name.startswith(p + ".") for p in PLAIN)


_twins: dict[str, SimpleNamespace] = {}


def twin(module: ModuleType, cached: bool = True) -> SimpleNamespace:
    """The compiled twin of a plain module (or of a user's kernel file). Functions are compiled at their first call.

    cached   keep the machine code on disk; off for files that the digest does not cover
    """
    if module.__name__ in _twins:
        return _twins[module.__name__]
    use_cache()
    names = dict(module.__dict__)
    for name, value in module.__dict__.items():
        if not isinstance(value, FunctionType):
            continue
        if value.__module__ == module.__name__:
            names[name] = _compile(value, names, cached)
        elif is_plain(value.__module__):
            names[name] = getattr(twin(sys.modules[value.__module__]), value.__name__)
    _twins[module.__name__] = SimpleNamespace(**names)
    return _twins[module.__name__]


def _compile(function: FunctionType, names: dict[str, Any], cached: bool) -> Any:
    """A dispatcher for a copy of `function` that looks its names up in `names`."""
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__module__ = function.__module__
    return njit(cache=cached, **OPTIONS)(copy)


class CompileWatch(event.Listener):
    """Adds up the seconds that numba compiles in this process and tells `on_function` the name of each function begun."""

    def __init__(self, on_function: Callable[[str], None] | None = None) -> None:
        self.seconds = 0.0
        self._on_function = on_function
        self._begun: list[float] = []
        event.register("numba:compile", self)

    def on_start(self, event: Any) -> None:
        """A compilation begins; callees are compiled inside their caller's."""
        self._begun.append(time.perf_counter())
        if self._on_function is not None:
            self._on_function(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event: Any) -> None:
        """A compilation ends; only the outermost one counts."""
        begun = self._begun.pop()
        if not self._begun:
            self.seconds += time.perf_counter() - begun


@dataclass(frozen=True)
class WalkFunctions:
    """The entry points of the plain code, as (kernels, record) -> result."""

    encode_tile: Callable[..., Any]
    deblock_frame: Callable[..., Any]
    cdef_frame: Callable[..., Any]


@cache
def walk_functions(interpreted: bool) -> WalkFunctions:
    """The walk and the frame filters, as they stand or compiled."""
    from encoder.frame import filters
    from encoder.tile import walk

    names: Any = (walk, filters) if interpreted else (twin(walk), twin(filters))
    return WalkFunctions(names[0].encode_tile, names[1].deblock_frame, names[1].cdef_frame)
