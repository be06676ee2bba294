"""The profile build: compiled code that tells who called it and which line runs, and otherwise is what it was.

numba is set up for it as soon as the watched program has imported it, before anything is compiled. What cannot be had is
left out and said: without frame pointers there are no stacks of compiled functions, without line tables no lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from workbench.instruments.inside import jit

BUILD = "profile"


def enable(note_loaded: Callable[[bool], None], warn: Callable[[str], None]) -> None:
    """Set numba up, now or when it is imported. `note_loaded` is told when compiled objects come and go (jit.on_load),
    `warn` what is missing."""
    if "numba" in sys.modules:
        _set_up(note_loaded, warn)
    else:
        sys.meta_path.insert(0, _After("numba", lambda: _set_up(note_loaded, warn)))


def _set_up(note_loaded: Callable[[bool], None], warn: Callable[[str], None]) -> None:
    from workbench.instruments.inside import jit_lines

    os.environ["ENCODER_COMPILE_ALONE"] = "1"  # encoder/compile_ahead.py: the other process would make the normal build
    steps: list[tuple[Callable[[], None], str]] = [
        (jit.keep_frame_pointers, "compiled functions stand without their callers"),
        (jit_lines.keep_lines, "compiled functions have no lines, and inlined ones are not seen"),
        (
            lambda: jit.keep_apart(BUILD),
            "compiled code may come from a cache of another build, without callers and lines",
        ),
        (lambda: jit.on_load(note_loaded), "compiled code that is freed may leave samples without a name"),
    ]
    for step, otherwise in steps:
        try:
            step()
        except jit.JitError as error:
            warn(f"{otherwise}: {error}")


class _After(MetaPathFinder):
    """Calls back once when a module has been imported."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self._name = name
        self._call = call
        self._asked = False

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec, its loader followed by the call."""
        if name != self._name or self._asked:
            return None
        self._asked = True  # the search that follows passes by here again
        spec = find_spec(name)
        sys.meta_path.remove(self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._call)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Any, call: Callable[[], None]) -> None:
        self._loader = loader
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does it."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """As the module's own loader does it, then the call."""
        module.__spec__.loader = module.__loader__ = self._loader  # type: ignore[union-attr]
        self._loader.exec_module(module)
        self._call()
