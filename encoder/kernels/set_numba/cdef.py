"""CDEF for the compiler (spec 7.15.2, 7.15.3). Contracts are in table.py."""
from encoder.kernels.set_python.cdef import cdef_direction, cdef_filter
