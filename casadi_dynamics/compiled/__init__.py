"""CasADi functions as fast, differentiable torch functions."""

from casadi_dynamics.compiled.torch_function import TorchFunction, compile_torch

__all__ = ["TorchFunction", "compile_torch"]
