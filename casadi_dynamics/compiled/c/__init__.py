"""Tapes as C++, for the system's compiler; CUDA shares the dialect."""
