"""Kernels whose reference loops compile badly, written for the vectoriser. A slot without a body here compiles the reference."""
