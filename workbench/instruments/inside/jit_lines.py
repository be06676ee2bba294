"""Line tables in compiled code, without any other change to it: which line, and which inlined functions, an address is of.

numba's own `debug=True` keeps functions from being inlined, checks bounds and prolongs lives: a program many times slower
than the one that is asked about. Here numba is told to write the directives for lines alone, LLVM to keep no more of them
than a line table, and nothing is said of variables. The code stays what it was to a few per cent. Names touched here are
private to numba 0.68: tests/workbench_see checks that lines and inlined functions still come out; where they do not, a
profile shows functions without lines and says so.
"""

from __future__ import annotations

from typing import Any

from workbench.instruments.inside.jit import JitError, demangle


def keep_lines() -> None:
    """Have every function that numba compiles from now on carry a line table. It is a build of its own, as that with frame
    pointers. Raises JitError where numba is not built as this module expects."""
    try:
        from numba.core.cpu import CPUTargetOptions
        from numba.core.debuginfo import DIBuilder
        from numba.core.lowering import BaseLower

        finalize = CPUTargetOptions.finalize
        compile_unit, subprogram = DIBuilder._di_compile_unit, DIBuilder._di_subprogram
        for holder, name in (
            (DIBuilder, "mark_variable"),
            (DIBuilder, "_di_subroutine_type"),
            (BaseLower, "_compute_def_location"),
        ):
            getattr(holder, name)
    except (ImportError, AttributeError) as error:
        raise JitError(f"line tables cannot be asked for: {error}") from error

    def finalize_with_lines(options: Any, flags: Any, given: Any) -> None:
        finalize(options, flags, given)
        flags.debuginfo = flags.dbg_directives_only = True
        flags.dbg_extend_lifetimes = False

    def lines_only(builder: Any) -> Any:
        builder.emission_kind = "LineTablesOnly"
        return compile_unit(builder)

    def named(builder: Any, name: str, linkagename: str, *rest: Any) -> Any:
        # An inlined function has no symbol to tell its module: the line table tells it.
        return subprogram(builder, demangle(linkagename)[0], linkagename, *rest)

    def no_types(builder: Any, *_: Any) -> Any:
        return builder.module.add_debug_info("DISubroutineType", {"types": builder.module.add_metadata([])})

    def where_defined(lower: Any) -> Any:
        return lower.func_ir.loc  # numba would parse the source of each function to say it a line better

    CPUTargetOptions.finalize = finalize_with_lines
    BaseLower._compute_def_location = where_defined
    DIBuilder._di_compile_unit = lines_only
    DIBuilder._di_subprogram = named
    DIBuilder._di_subroutine_type = no_types
    DIBuilder.mark_variable = lambda *_, **__: None
