"""Tapes as kernels of an NVIDIA GPU."""
