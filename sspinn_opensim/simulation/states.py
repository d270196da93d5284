"""States of a model whose couplers hold, from coordinates and their derivatives."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.symbolic import BodyFunctions


def completed(
    functions: BodyFunctions, q: np.ndarray, qdot: np.ndarray, qddot: np.ndarray
) -> dict[str, np.ndarray]:
    """Return `q`, `u` and `udot`, (n, c) each, of coordinates and their derivatives, couplers satisfied.

    What is given of coordinates that a coupler sets is not used.
    """
    given = {"q": q, **functions.at("speeds", q=q, qdot=qdot, qddot=qddot)}
    if len(functions.independent) == len(functions.coordinates):
        return given
    free = [functions.coordinates.index(name) for name in functions.independent]
    whole = functions.at(
        "coupling", **{f"{name}_independent": value[:, free] for name, value in given.items()}
    )
    return {name: whole[name] for name in ("q", "u", "udot")}
