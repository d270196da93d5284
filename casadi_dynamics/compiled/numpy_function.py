"""A CasADi function as a batched function of numpy arrays, for those who need no gradients."""

from __future__ import annotations

from collections.abc import Callable

import casadi as ca
import numpy as np
import torch

from casadi_dynamics.compiled.torch_function import compile_torch


def compile_numpy(function: ca.Function, *, backend: str = "llvm") -> Callable[..., dict[str, np.ndarray]]:
    """Compile a CasADi function of vectors into a function of numpy arrays.

    Parameters
    ----------
    function : casadi.Function
        An SX function whose inputs and outputs are dense columns.
    backend : str
        As in `compile_torch`.

    Returns
    -------
    callable
        Takes an array (N, n), or (n,) for all samples, per named input and returns a dict of arrays (N, m) by
        output name. The arrays are of float64; outputs are new.

    Raises
    ------
    InputError
        If the function or the backend is of another kind; at the call, if an input does not fit.
    """
    compiled = compile_torch(function, torch.float64, order=0, backend=backend)

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        # the program reads memory by strides; torch takes no negative ones and warns of read-only arrays
        tensors = {name: torch.from_numpy(_own(value)) for name, value in inputs.items()}
        with torch.no_grad():
            return {name: value.numpy() for name, value in compiled(**tensors).items()}

    return call


def _own(value: np.ndarray) -> np.ndarray:
    return np.require(value, float, ["C", "W"])
