"""Evaluation of a CasADi function at many samples, by the names of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import casadi as ca
import numpy as np


def at_samples(
    function: ca.Function, inputs: Mapping[str, np.ndarray], unused: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """Evaluate a function at N samples.

    Parameters
    ----------
    inputs : mapping of str to (N, size) or (size,) array
        By the names of the function's inputs; one row holds for all samples.
    unused : collection of str
        Inputs that may be given though the function does not take them; `parameters` may always.

    Returns
    -------
    dict of str to (N, size) or (N, rows, columns) ndarray
        By the names of the outputs; one that has a single column is a vector.

    Raises
    ------
    TypeError
        If an input is missing, or the function has none of that name.
    """
    names = function.name_in()
    given = {name: np.asarray(x, float) for name, x in inputs.items()}
    wrong = set(names) - set(given) | set(given) - set(names) - {*unused, "parameters"}
    if wrong:
        said = ", ".join(name for name in inputs if name != "parameters") or "nothing"
        asked = f"'{function.name()}' takes {', '.join(names)}, not {said}"
        raise TypeError(f"{asked}: see {', '.join(sorted(wrong))}")
    samples = next((len(x) for x in given.values() if x.ndim == 2), 1)
    columns = {name: np.broadcast_to(given[name], (samples, function.numel_in(name))).T for name in names}
    shapes = {name: (samples, *function.size_out(name)[::-1]) for name in function.name_out()}
    if samples == 0:
        outputs = {name: np.zeros((function.size1_out(name), 0)) for name in shapes}
    else:
        outputs = function.map(samples).call(columns)
    # CasADi sets the samples of a matrix beside one another.
    stacked = {name: np.array(outputs[name]).T.reshape(shape) for name, shape in shapes.items()}
    return {name: x[:, 0] if x.shape[1] == 1 else x.swapaxes(1, 2) for name, x in stacked.items()}
