"""Small arrays for the inside of a kernel, on the stack where it is compiled: they cost nothing and overlap nothing.

Such an array must not outlive the function that asked for it, and begins with whatever the stack holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

from encoder.byref import array_of


def scratch_int16(count: int) -> np.ndarray:
    """A flat array of int16; `count` is a literal in compiled code."""
    return np.empty(count, np.int16)


def scratch_int32(count: int) -> np.ndarray:
    """A flat array of int32; `count` is a literal in compiled code."""
    return np.empty(count, np.int32)


@intrinsic(prefer_literal=True)
def _on_stack(_context, scalar, count):
    if not isinstance(count, types.IntegerLiteral):
        raise TypingError("the size of a scratch array is a literal")
    element, length = scalar.dtype, count.literal_value

    def codegen(context: Any, builder: Any, signature: Any, _arguments: Any) -> Any:
        word, item = ir.IntType(64), context.get_data_type(element)
        with builder.goto_entry_block():  # alloca_once would fill it with zeros at every call
            storage = builder.alloca(ir.ArrayType(item, length))
        first = builder.bitcast(storage, item.as_pointer())
        array = make_array(signature.return_type)(context, builder)
        itemsize = word(element.bitwidth // 8)
        populate_array(array, data=first, shape=[word(length)], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return array_of(element)(scalar, count), codegen


# Inlined by numba itself, so that the array lies in the frame of the kernel, not of a function that has returned.
# Without annotations: numba wants the parameters of these and of the functions inside to be the same in every respect.
@overload(scratch_int16, prefer_literal=True, inline="always")
def _compiled_int16(count):
    return lambda count: _on_stack(np.int16, count)


@overload(scratch_int32, prefer_literal=True, inline="always")
def _compiled_int32(count):
    return lambda count: _on_stack(np.int32, count)
