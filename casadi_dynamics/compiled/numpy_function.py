"""A CasADi function as a batched function of numpy arrays, for those who need no gradients."""

from __future__ import annotations

from collections.abc import Callable

import casadi as ca
import numpy as np
import torch

from casadi_dynamics.compiled.torch_function import compile_torch
from casadi_dynamics.errors import InputError


def compile_numpy(function: ca.Function, *, backend: str = "llvm") -> Callable[..., dict[str, np.ndarray]]:
    """Compile a CasADi function of vectors into a function of numpy arrays.

    Parameters
    ----------
    function : casadi.Function
        An SX function whose inputs and outputs are dense columns. One that calls other functions, as paths
        around several surfaces do, is not compiled: CasADi runs it.
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
    if any(function.instruction_id(k) == ca.OP_CALL for k in range(function.n_instructions())):
        return _interpreted(function)
    compiled = compile_torch(function, torch.float64, order=0, backend=backend)

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        # the program reads memory by strides; torch takes no negative ones and warns of read-only arrays
        tensors = {name: torch.from_numpy(_own(value)) for name, value in inputs.items()}
        with torch.no_grad():
            return {name: value.numpy() for name, value in compiled(**tensors).items()}

    return call


def _interpreted(function: ca.Function) -> Callable[..., dict[str, np.ndarray]]:
    names = function.name_in()

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        given = {name: np.asarray(value, float) for name, value in inputs.items()}
        sizes = {name: function.numel_in(name) for name in names}
        lengths = {len(value) for value in given.values() if value.ndim == 2}
        fits = all(name in given and given[name].shape[-1:] == (size,) for name, size in sizes.items())
        if set(given) != set(names) or not fits or len(lengths) > 1:
            raise InputError(
                f"The inputs of '{function.name()}' do not fit.",
                expected=", ".join(f"{name} (N, {size})" for name, size in sizes.items()),
                found=", ".join(f"{name} {value.shape}" for name, value in given.items()),
                fix="pass every input, with one number of samples",
            )
        count = lengths.pop() if lengths else 1
        columns = [np.broadcast_to(given[name], (count, sizes[name])).T for name in names]
        return {
            name: np.array(value).T
            for name, value in zip(function.name_out(), function.map(count).call(columns), strict=True)
        }

    return call


def _own(value: np.ndarray) -> np.ndarray:
    return np.require(value, float, ["C", "W"])
