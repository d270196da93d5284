"""A model's functions at many samples at once."""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic import BodyFunctions


def at(function: ca.Function, functions: BodyFunctions, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate a function of a model at n samples.

    Parameters
    ----------
    function : casadi.Function
        With the input `parameters`, which is filled in, or without.
    functions : BodyFunctions
        Of the model.
    inputs : (n, size) arrays
        By name; those that the function lacks are left out.

    Returns
    -------
    dict of (n, size) arrays
    """
    names = function.name_in()
    used = {name: value.T for name, value in inputs.items() if name in names}
    count = len(next(iter(inputs.values())))
    if "parameters" in names:
        used["parameters"] = np.tile(functions.parameters[:, None], (1, count))
    return {name: np.array(value).T for name, value in function.map(count).call(used).items()}


def completed(functions: BodyFunctions, q, qdot, qddot) -> dict[str, np.ndarray]:
    """Return `q`, `u` and `udot`, (n, c) each, of coordinates and their derivatives, couplers satisfied.

    What is given of coordinates that a coupler sets is not used.
    """
    speeds = at(functions.speeds, functions, q=q, qdot=qdot, qddot=qddot)
    if len(functions.independent) == len(functions.coordinates):
        return {"q": q, **speeds}
    free = [functions.coordinates.index(name) for name in functions.independent]
    given = {"q": q, **speeds}
    whole = at(
        functions.coupling,
        functions,
        **{f"{name}_independent": value[:, free] for name, value in given.items()},
    )
    return {name: whole[name] for name in ("q", "u", "udot")}
