"""Kernels as whole-array expressions over views of the flat arrays. Never compiled."""
