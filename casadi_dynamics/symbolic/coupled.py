"""Functions of a model whose dependent coordinates follow the others by its couplers."""

from __future__ import annotations

from collections.abc import Sequence

import casadi as ca

from casadi_dynamics.symbolic.constraints import couple
from casadi_dynamics.symbolic.tree import Tree


def coupling(tree: Tree, independent: Sequence[str]) -> ca.Function:
    """Return the motion of all coordinates by that of the independent ones (`BodyFunctions.coupling`)."""
    parameters, names = tree.parameters, ("q", "u", "udot")
    given = {f"{name}_independent": ca.SX.sym(name, len(independent)) for name in names}
    whole = couple(tree.model, parameters, *given.values())
    given["parameters"] = parameters.vector
    outputs = [whole.q, whole.u, whole.udot, ca.densify(whole.jacobian)]
    return ca.Function("coupling", list(given.values()), outputs, list(given), [*names, "C"])


def independent_dynamics(dynamics: ca.Function, tree: Tree, independent: Sequence[str]) -> ca.Function:
    """Return dynamics whose `q`, `u`, `udot` and `tau` have the axes of the independent coordinates alone."""
    names = dynamics.name_in()
    given = {name: ca.SX.sym(name, dynamics.numel_in(name)) for name in names}
    given |= {name: ca.SX.sym(name, len(independent)) for name in ("q", "u", "udot")}
    whole = couple(tree.model, tree.parameters, given["q"], given["u"], given["udot"])
    given["parameters"] = tree.parameters.vector
    outputs = dynamics(**{**given, "q": whole.q, "u": whole.u, "udot": whole.udot})
    outputs["tau"] = whole.jacobian.T @ outputs["tau"]
    dense = ca.cse([ca.densify(value) for value in outputs.values()])
    return ca.Function("independent_dynamics", list(given.values()), dense, names, list(outputs))


def coupled_dynamics(dynamics: ca.Function, reduced: ca.Function, places: Sequence[int]) -> ca.Function:
    """Return dynamics with all inputs and outputs, whose dependent coordinates follow the others.

    Parameters
    ----------
    dynamics : casadi.Function
        Of all coordinates.
    reduced : casadi.Function
        The same of the independent ones, as `independent_dynamics` returns them.
    places : sequence of int
        Of the independent coordinates among all.
    """
    names, count = dynamics.name_in(), dynamics.numel_in("q")
    given = {name: ca.SX.sym(name, dynamics.numel_in(name)) for name in names}
    outputs = reduced(**{**given, **{name: given[name][places] for name in ("q", "u", "udot")}})
    tau, outputs["tau"] = outputs["tau"], ca.SX.zeros(count)
    outputs["tau"][places] = tau
    dense = ca.cse([ca.densify(value) for value in outputs.values()])
    return ca.Function("dynamics", list(given.values()), dense, names, list(outputs))
