"""A real AV1 encoder in Python whose kernels stand in a table.

    from encoder import EncoderConfig, encode, load_kernels

Names are imported when first asked for: `encoder --help` need not wait for numba.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Encoder": "encoder.stream",
    "EncoderConfig": "encoder.config",
    "Packet": "encoder.stream",
    "Picture": "encoder.picture",
    "encode": "encoder.stream",
    "load_kernels": "encoder.kernels.load",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
