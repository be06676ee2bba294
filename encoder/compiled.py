"""Compiled twins of the plain modules: the walk, the frame filters and the kernels are written once and run in two worlds.

A plain module is ordinary Python. Its twin is a namespace with the same names, in which every function is the numba
compilation of the original and calls the other twins. So a test, a debugger and coverage.py see the very code that is
compiled, and no function carries a decorator. The few functions that Python calls, or that stand in the kernel table, are
entry points (`compiled`); all others are parts of them.

Everything compiled is kept on disk. Numba's own cache looks at one function's bytecode and would go on using callers of a
changed callee, so ours lies in a folder a module, named by the hash of all source that the module imports (and numba's
version): a changed kernel is compiled anew, the others and the walk are not.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numba
from llvmlite import binding as llvm
from numba import njit, types
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.lowering import Lower
from numba.core.runtime import _nrt_python, rtsys
from numba.core.typed_passes import BaseNativeLowering, NativeLowering
from numba.core.typing import Signature, signature
from numba.core.untyped_passes import IRProcessing

from encoder import probe
from encoder.simd import KindType

PACKAGE = __name__.partition(".")[0]
PLAIN = tuple(
    f"{PACKAGE}.{name}"
    for name in (
        "intmath",
        "tile",
        "frame.filters",
        "frame.cdef_costs",
        "frame.restoration",
        "frame.motion_field",
        "frame.motion",
        "frame.temporal_blocks",
        "frame.order_hints",
        "kernels.set_python",
        "kernels.set_numba",
        "kernels.set_simd",
    )
)
OPTIONS = {"nogil": True, "error_model": "numpy"}
KEPT_VERSIONS = 4


def cache_root() -> Path:
    """Where compiled code is kept: $ENCODER_CACHE_DIR, else the user's cache folder."""
    own = os.environ.get("ENCODER_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "encoder-workbench" / "compiled"


def _sources(module_name: str, found: set[Path]) -> set[Path]:
    """The source files that a module of the package imports, itself included, added to `found`."""
    path, imported = _imports(module_name)
    if path is not None and path not in found:
        found.add(path)
        for name in imported:
            _sources(name, found)
    return found


@cache
def _imports(module_name: str) -> tuple[Path | None, tuple[str, ...]]:
    """A module's file and what it imports of the package; None for a name that is no module."""
    spec = find_spec(module_name)
    if spec is None or spec.origin is None:
        return None, ()
    names = []
    for module, members in _IMPORT.findall(Path(spec.origin).read_text(encoding="utf8")):
        names += [module, *(f"{module}.{member}" for member in _NAME.findall(members) if _is_package(module))]
    return Path(spec.origin), tuple(names)


@cache
def _is_package(module_name: str) -> bool:
    spec = find_spec(module_name)
    return spec is not None and spec.submodule_search_locations is not None


_IMPORT = re.compile(rf"^ *from ({PACKAGE}[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_NAME = re.compile(r"\w+")


@cache
def source_digest(module_name: str) -> str:
    """Hash of all source that the code of a module depends on: its imports, the number tables, numba, the interpreter."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    package = Path(__file__).parent
    for path in sorted({*_sources(module_name, set()), Path(__file__), *package.glob("tables/*.json")}):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _cache_folder(module_name: str) -> Path:
    """Make the folder for a module's machine code and drop the oldest ones of its former versions."""
    root = cache_root()
    short = module_name.removeprefix(f"{PACKAGE}.")
    if probe.TRACED and Path(probe.__file__) in _sources(module_name, set()):
        short += "+trace"  # a build of its own, beside the normal one and not one of its versions
    folder = root / f"{short}-{source_digest(module_name)}"
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    others = sorted((p for p in root.glob(f"{short}-*") if p != folder), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) + 1 - KEPT_VERSIONS)]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def is_plain(module_name: str) -> bool:
    """Whether a module is written in the plain subset."""
    return any(module_name == p or module_name.startswith(p + ".") for p in PLAIN)


class _PartLibrary(JITCodeLibrary):
    """Code that only other compiled code calls: kept as LLVM IR until the entry point that uses it is optimized as a whole.

    Numba would optimize every function together with all that it calls and make machine code of it, again at each level of a
    call tree: several minutes for the walk, against less than one this way.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """No machine code, no address."""
        return 0

    @property
    def codegen(self) -> Any:
        """Asked for once, to give the machine code its environment."""
        return SimpleNamespace(set_env=lambda _name, _environment: None)


@register_pass(mutates_CFG=False, analysis_only=False)
class _KeepAsPart(FunctionPass):
    """Lower into a _PartLibrary. What takes a kind of vectors is a version for one width: it is inlined into the kernel."""

    _name = "keep_as_part"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.forceinline = any(isinstance(argument, KindType) for argument in state.args)
        return True


class _EntryLibrary(JITCodeLibrary):
    """Machine code that is called, not inlined: the cache need not keep IR of it, whose reading takes longer than loading it."""

    def _optimize_final_module(self) -> None:
        """What was linked in is this library's alone: LLVM may inline the last call of a function, and drop
        results that never vary, such as the status of one that does not raise, and the environments, which parts do not have."""
        named = [each for each in _variables_and_functions(self._final_module) if not each.is_declaration]
        own = {each.name.removeprefix("_ZN") for each in named if each.linkage == llvm.Linkage.external}
        for each in named:
            linked_in = each.linkage in (llvm.Linkage.linkonce_odr, llvm.Linkage.common)
            if linked_in and each.name.removeprefix(_ENVIRONMENT) not in own:
                each.linkage = llvm.Linkage.internal
        super()._optimize_final_module()

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Numba's form: name, kind, and the object with bitcode, here of nothing but names."""
        self._ensure_finalized()
        return self.name, "object", (self._get_compiled_object(), _names_alone(self._final_module).as_bitcode())


_ENVIRONMENT = "_ZN08NumbaEnv"
"""What the name of a function's environment has in place of its own _ZN."""


def _variables_and_functions(module: Any) -> Iterator[Any]:
    return chain(module.global_variables, module.functions)


def _names_alone(module: Any) -> Any:
    """An LLVM module with the names that a module offers, from which numba learns what the machine code has. They are internal: a
    caller that links it (a kernel of the user's) still finds the functions themselves."""
    hidden = (llvm.Linkage.internal, llvm.Linkage.private)
    named = _variables_and_functions(module)
    names = [each.name for each in named if not each.is_declaration and each.linkage not in hidden]
    return llvm.parse_assembly("\n".join(f'@"{name}" = internal global i8 0' for name in names))


@register_pass(mutates_CFG=False, analysis_only=False)
class _KeepAsEntry(FunctionPass):
    """Lower into an _EntryLibrary, which the cache can keep."""

    _name = "keep_as_entry"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class _EntryCache(FunctionCache):
    """Numba's cache, which does not get the compiler ready first: 35 MiB and 0.2 s that loading machine code does not need. Numba
    does it itself before it compiles."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is on disk for a signature, or None."""
        _find_runtime()
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


@cache
def _find_runtime() -> None:
    """Let machine code find numba's runtime: of rtsys.initialize the part that compiles nothing.

    Where numba has done it itself nothing is touched: an instrument may have put its own functions in place of numba's since.
    """
    if rtsys._init:
        return
    if numba.config.NRT_STATS:
        _nrt_python.memsys_enable_stats()
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _PlainLower(Lower):
    """Plain code counts no index from the end. That a negative one means that need not be asked at every access, which takes an
    eighth to a sixth of the time of an encode: indices are lowered as unsigned ones."""

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Signature) -> Any:
        """array[index]"""
        return super().lower_getitem(resty, expr, value, index, _with_unsigned_index(signature))

    def lower_setitem(self, target_var: Any, index_var: Any, value_var: Any, signature: Signature) -> Any:
        """array[index] = value"""
        return super().lower_setitem(target_var, index_var, value_var, _with_unsigned_index(signature))


def _with_unsigned_index(called: Signature) -> Signature:
    target, index, *value = called.args
    if not isinstance(target, types.Array) or not isinstance(index, types.Integer):
        return called
    return signature(called.return_type, target, types.uintp, *value)


@register_pass(mutates_CFG=True, analysis_only=False)
class _PlainLowering(BaseNativeLowering):
    """Numba's lowering, by _PlainLower."""

    _name = "plain_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        """What lowers a function."""
        return _PlainLower


@cache
def _compiler(keep: type[FunctionPass], plain: bool) -> type[CompilerBase]:
    """Numba's compiler, with a pass that says into which library it lowers. plain: the code is the package's own."""

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
            pipeline.add_pass_after(keep, IRProcessing)
            if plain:
                pipeline.passes = [_plainly(each) for each in pipeline.passes]
            pipeline.finalize()
            return [pipeline]

    return Compiler


def _plainly(described: tuple[type, str]) -> tuple[type, str]:
    """A pass of a pipeline with its description; our lowering in place of numba's."""
    return (_PlainLowering, described[1]) if described[0] is NativeLowering else described


_twins: dict[str, dict[str, Any]] = {}


def _twin(module: ModuleType) -> dict[str, Any]:
    """The names of a plain module with every function replaced by its compilation, as a part for entry points."""
    if module.__name__ in _twins:
        return _twins[module.__name__]
    names = _twins[module.__name__] = dict(module.__dict__)
    for name, value in module.__dict__.items():
        if isinstance(value, FunctionType):
            if value.__module__ == module.__name__:
                names[name] = _part(_copy(value, names))
            elif is_plain(value.__module__):
                names[name] = _twin(sys.modules[value.__module__])[value.__name__]
    return names


def _part(function: FunctionType) -> Any:
    """An njit function for compiled callers. It is compiled once for all ints: numba would do so again for each constant."""
    compiler = _compiler(_KeepAsPart, is_plain(function.__module__))
    part = njit(pipeline_class=compiler, no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    template_for = part.get_call_template
    part.get_call_template = lambda args, kws: template_for(tuple(types.unliteral(a) for a in args), kws)
    return part


def _copy(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    """`function` with its global names looked up in `names`."""
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__module__ = function.__module__
    return copy


def compiled(module: ModuleType, name: str, cached: bool = True) -> Any:
    """The compiled entry point for a function of a plain module (or of a user's file): an njit function, compiled when called.

    cached   keep the machine code on disk; off for files that the digest of sources does not cover
    """
    if cached:
        numba.config.CACHE_DIR = str(_cache_folder(module.__name__))
    names: dict[str, Any] = {}
    compiler = _compiler(_KeepAsEntry, is_plain(module.__name__))
    function = njit(pipeline_class=compiler, no_cfunc_wrapper=True, **OPTIONS)(_copy(getattr(module, name), names))
    if cached:
        function._cache = _EntryCache(function.py_func)
    compile_now = function._compiler.compile

    def compile_with_parts(args: Any, return_type: Any) -> Any:
        if (module.__name__, name) in made_elsewhere and (made := _wait_for(function, module.__name__, name, args)):
            return made
        # Hundreds of functions, which nobody needs where the cache has the machine code.
        names.update(_twin(module))
        return compile_now(args, return_type)

    function._compiler.compile = compile_with_parts
    return function


made_elsewhere: dict[tuple[str, str], Callable[[], Any]] = {}
"""Entry points, (module, name), that another process is compiling into the cache: what waits for its end."""


def is_in_cache(module_name: str, name: str) -> bool:
    """Whether machine code of an entry point is on disk."""
    return any(_cache_folder(module_name).glob(f"*/{module_name.rpartition('.')[2]}.{name}-*.nbc"))


def _wait_for(function: Any, module_name: str, name: str, args: Any) -> Any:
    """What another process has compiled; None where it failed, or did so for other types."""
    made_elsewhere.pop((module_name, name))()
    made = function._cache.load_overload(args, function.targetctx)
    if made is not None:
        function.targetctx.insert_user_function(made.entry_point, made.fndesc, [made.library])
        function._cache.disable()  # saved once more, it would lack what stands only in the process that has compiled it
    return made


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
