"""Records that compiled code receives as one pointer: what a walk needs, handed down a hundred calls for the price of one word.

Numba passes a tuple of arrays by value, seven words an array at every call, and counts references on the way. A `Record`
is passed as the address of a block of words instead: two for an array (address, length), one for an int, one for a kernel
(the address of its compiled function). In the interpreter the same object is an ordinary one with ordinary attributes, so
a function written against it runs as it is in both worlds.

Fields are read-only in compiled code (arrays are not: their elements are the state). The Python object must outlive the call.
"""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, Signature, infer_getattr
from numba.extending import NativeValue, lower_builtin, typeof_impl, unbox
from numba.np.arrayobj import make_array, populate_array

_WORD = ir.IntType(64)


def array_of(scalar: types.Type) -> types.Array:
    """The numba type of a flat, contiguous array of `scalar`."""
    return types.Array(scalar, 1, "C")


u8, u16, i8, i16, i32, i64 = types.uint8, types.uint16, types.int8, types.int16, types.int32, types.int64
u8s, u16s, i8s, i16s, i32s, i64s = map(array_of, (u8, u16, i8, i16, i32, i64))


class Record:
    """Base of the records; a child lists its FIELDS: name -> flat array type, `i64` for an int, or a Signature for a kernel.

    Raises TypeError where a value does not fit its field (wrong dtype, not flat, not contiguous, not compiled for the signature).
    """

    FIELDS: ClassVar[dict[str, Any]] = {}
    _dtypes: ClassVar[dict[str, np.dtype[Any]]]

    def __init_subclass__(cls) -> None:
        # A frame makes some ten records of a hundred fields: what is the same of all of them is looked up once.
        cls._dtypes = {name: np.dtype(str(k.dtype)) for name, k in cls.FIELDS.items() if isinstance(k, types.Array)}

    def __init__(self, **values: Any):
        if values.keys() != self.FIELDS.keys():
            raise TypeError(f"{type(self).__name__} takes {sorted(self.FIELDS)}, not {sorted(values)}")
        words: list[int] = []
        dtypes = self._dtypes
        for name, kind in self.FIELDS.items():
            value = values[name]
            if name in dtypes:
                words += _array_words(type(self).__name__, name, dtypes[name], value)
            else:
                words.append(_word(kind, value))
        self.__dict__.update(values)
        self._block = np.array(words, dtype=np.int64)
        self._address = self._block.ctypes.data


def _array_words(record: str, name: str, dtype: np.dtype[Any], value: Any) -> tuple[int, int]:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != 1 or not value.flags.c_contiguous:
        raise TypeError(f"{record}.{name} takes a flat contiguous array of {dtype}")
    return _data_of(value), value.size


def _data_of(array: np.ndarray) -> int:
    """Where an array's samples lie. Its `ctypes` says so too, in 4 us: a frame asks 500 times."""
    return ctypes.c_ssize_t.from_address(id(array) + object.__basicsize__).value


assert _data_of(_PROBE := np.zeros(1)) == _PROBE.ctypes.data, (
    "numpy keeps the address of the data behind the object's head"
)


def _word(kind: Any, value: Any) -> int:
    if isinstance(kind, Signature):
        return _compiled_address(value, kind)
    return int(value)


def _compiled_address(function: Any, signature: Signature) -> int:
    """Where the function compiled for `signature` lies; 0 for a plain Python function, which only the interpreter can call."""
    if not hasattr(function, "get_compile_result"):
        return 0
    result = function.get_compile_result(signature)
    return result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


class _RecordType(types.Type):
    def __init__(self, name: str, fields: tuple[tuple[str, Any], ...]):
        self.fields = fields
        super().__init__(name=f"record.{name}")

    def offset(self, name: str) -> int:
        """The first word of a field."""
        at = 0
        for field, kind in self.fields:
            if field == name:
                return at
            at += 2 if isinstance(kind, types.Array) else 1
        raise KeyError(name)


@register_default(_RecordType)
class _RecordModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _RecordType):
        super().__init__(dmm, fe_type, _WORD.as_pointer())


def record_type(cls: type[Record]) -> _RecordType:
    """The type of the records of a class in compiled code."""
    if "_numba_type" not in cls.__dict__:
        cls._numba_type = _RecordType(cls.__qualname__, tuple(cls.FIELDS.items()))  # type: ignore[attr-defined]
    return cls._numba_type  # type: ignore[attr-defined]


@typeof_impl.register(Record)
def _typeof_record(value: Record, _context: Any) -> _RecordType:
    return record_type(type(value))


@unbox(_RecordType)
def _unbox_record(_typ: _RecordType, obj: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(obj, "_address")
    word = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(c.builder.inttoptr(word, _WORD.as_pointer()))


@infer_getattr
class _RecordAttributes(AttributeTemplate):
    key = _RecordType

    def generic_resolve(self, typ: _RecordType, attr: str) -> Any:
        kind = dict(typ.fields).get(attr)
        if isinstance(kind, Signature):
            return types.BoundFunction(_slot_template(typ, attr, kind), typ)
        return kind


@lower_getattr_generic(_RecordType)
def _lower_field(context: Any, builder: Any, typ: _RecordType, value: Any, attr: str) -> Any:
    kind = dict(typ.fields)[attr]
    if isinstance(kind, Signature):
        return value  # the receiver of a bound function: the address is read at the call
    at = typ.offset(attr)
    first = _load(builder, value, at)
    if not isinstance(kind, types.Array):
        return first
    length = _load(builder, value, at + 1)
    array = make_array(kind)(context, builder)
    itemsize = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    data = builder.inttoptr(first, context.get_data_type(kind.dtype).as_pointer())
    populate_array(array, data=data, shape=[length], strides=[itemsize], itemsize=itemsize, meminfo=None)
    return array._getvalue()


def _load(builder: Any, pointer: Any, word: int) -> Any:
    loaded = builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(32), word)]))
    # The words of a record never change while compiled code runs: LLVM may keep them in registers across calls and stores.
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


_templates: dict[tuple[str, str], type] = {}


def _slot_template(typ: _RecordType, attr: str, signature: Signature) -> type:
    """Typing and lowering of `record.attr(...)`: an indirect call that propagates errors."""
    key = (typ.name, attr)
    if key in _templates:
        return _templates[key]
    name = f"{typ.name}.{attr}"
    bound = Signature(signature.return_type, signature.args, recvr=typ)

    class SlotTemplate(AbstractTemplate):
        """Arguments are cast to the slot's types; a wrong number is a typing error."""

        def generic(self, args: Any, kws: Any) -> Signature | None:
            return bound if len(args) == len(signature.args) and not kws else None

    SlotTemplate.key = name

    @lower_builtin(name, typ, *signature.args)
    def call_slot(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        function_type = context.call_conv.get_function_type(signature.return_type, signature.args)
        function = builder.inttoptr(_load(builder, args[0], typ.offset(attr)), function_type.as_pointer())
        status, result = context.call_conv.call_function(
            builder, function, signature.return_type, signature.args, args[1:]
        )
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return result

    _templates[key] = SlotTemplate
    return SlotTemplate
