"""CasADi functions as fast, differentiable torch functions, and as functions of numpy arrays."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from casadi_dynamics.compiled.torch_function import TorchFunction, compile_torch

__all__ = ["TorchFunction", "compile_torch"]


def __getattr__(name: str) -> Any:
    """Load what needs torch when it is first used: functions of numpy arrays do without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from casadi_dynamics.compiled import torch_function

    return getattr(torch_function, name)
