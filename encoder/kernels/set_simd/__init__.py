"""Kernels as arithmetic on vectors (encoder/simd.py). Slots without a body here are filled by set_numba."""
