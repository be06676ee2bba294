"""Kernels written for the compiler, where the reference loops compile badly. For other slots those are compiled."""
