"""Coordinates that follow others, and constraints between bodies with their Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul

import casadi as ca

from casadi_dynamics.model import Frame, Model
from casadi_dynamics.model.constraints import (
    BodyConstraint,
    ConstantDistanceConstraint,
    CoordinateCouplerConstraint,
    PointOnLineConstraint,
    WeldConstraint,
    couplers_in_order,
)
from casadi_dynamics.model.types import Vector3
from casadi_dynamics.symbolic.functions import evaluate_several
from casadi_dynamics.symbolic.parameters import Parameters
from casadi_dynamics.symbolic.rates import coordinate_rates
from casadi_dynamics.symbolic.tree import Tree, stack


@dataclass(frozen=True)
class Coupling:
    """All coordinates of a model as functions of the independent ones.

    Attributes
    ----------
    q, u, udot : (n,) SX
    jacobian : (n, independent) SX
        Of `q`, and of `u`, to the independent ones.
    """

    q: ca.SX
    u: ca.SX
    udot: ca.SX
    jacobian: ca.SX


def independent_coordinates(model: Model) -> tuple[str, ...]:
    """Return the names of the coordinates that no coupler sets, in the model's order."""
    dependent = {c.dependent for c in couplers_in_order(model.constraints)}
    return tuple(name for name in model.coordinate_names if name not in dependent)


def couple(model: Model, parameters: Parameters, q: ca.SX, u: ca.SX, udot: ca.SX) -> Coupling:
    """Return the whole motion that goes with the motion of the independent coordinates.

    Parameters
    ----------
    q, u, udot : (independent,) SX
        In the order of `independent_coordinates`; speeds of coupled coordinates are their rates.
    """
    names = independent_coordinates(model)
    units = ca.vertsplit(ca.SX.eye(len(names))) if names else []
    known = {name: (q[i], u[i], udot[i], units[i]) for i, name in enumerate(names)}
    still = ca.SX(0), ca.SX(0), ca.SX.zeros(1, len(names))
    known |= {fixed.name: (ca.SX(fixed.value), *still) for fixed in model.fixed}
    for coupler in couplers_in_order(model.constraints):
        drivers, rates, rates_dot, rows = zip(*(known[name] for name in coupler.independent), strict=True)
        scales = parameters.scales_at(f"{coupler.name}.function")
        value, slopes, curvatures = evaluate_several(coupler.function, drivers, scales)
        bend = _along(rates, [_along(row, rates) for row in curvatures])
        rate, rate_dot, row = (_along(slopes, parts) for parts in (rates, rates_dot, rows))
        known[coupler.dependent] = value, rate, rate_dot + bend, row
    columns = zip(*(known[name] for name in model.coordinate_names), strict=True)
    return Coupling(*(ca.vertcat(*column) for column in columns))


def _along(slopes: Sequence[ca.SX], parts: Sequence[ca.SX]) -> ca.SX:
    """Return the sum of products."""
    return reduce(add, map(mul, slopes, parts))


def constraint_equations(model: Model) -> tuple[tuple[str, BodyConstraint], ...]:
    """Return a name for every equation between bodies (such as ``weld[2]``), with its constraint."""
    constraints = [c for c in model.constraints if not isinstance(c, CoordinateCouplerConstraint)]
    return tuple((f"{c.name}[{i}]", c) for c in constraints for i in range(_size(c)))


def position_errors(tree: Tree) -> ca.SX:
    """Return what the constraints between bodies require to be zero, one row for every equation.

    Offsets are those of frame 2 in frame 1, expressed in frame 1, so that the forces of a multiplier on the
    two bodies are opposite and on one line even where the constraint is violated. The equations are those
    of Simbody (Sherman, Seth, Delp, "Simbody: multibody dynamics for biomedical research", 2011) but for that
    choice of axes: a weld has the cosines between x2 and y1, y2 and z1, z2 and x1, then the offset; a
    distance d has |p| - d.
    """
    constraints = [c for c in tree.model.constraints if not isinstance(c, CoordinateCouplerConstraint)]
    return stack(_position_error(constraint, tree) for constraint in constraints)


def velocity_errors(tree: Tree, position_error: ca.SX) -> ca.SX:
    """Return the time derivative of position errors."""
    return ca.jtimes(position_error, tree.q, coordinate_rates(tree))


def acceleration_errors(tree: Tree, velocity_error: ca.SX) -> ca.SX:
    """Return the time derivative of velocity errors."""
    moved = ca.jtimes(velocity_error, tree.q, coordinate_rates(tree))
    return moved + ca.jtimes(velocity_error, tree.u, tree.udot)


def _size(constraint: BodyConstraint) -> int:
    if isinstance(constraint, WeldConstraint):
        return 6
    if isinstance(constraint, PointOnLineConstraint):
        return 2
    return 1 if isinstance(constraint, ConstantDistanceConstraint) else 3


def _position_error(constraint: BodyConstraint, tree: Tree) -> ca.SX:
    (rotation1, origin1), (rotation2, origin2) = (_placed(constraint, i, tree) for i in (1, 2))
    offset = rotation1.T @ (origin2 - origin1)
    if isinstance(constraint, WeldConstraint):
        turned = rotation1.T @ rotation2  # columns: axes of frame 2 in frame 1
        return ca.vertcat(turned[1, 0], turned[2, 1], turned[0, 2], offset)
    if isinstance(constraint, PointOnLineConstraint):
        return ca.vertcat(*(ca.dot(offset, ca.DM(side)) for side in _sides(constraint.direction)))
    if isinstance(constraint, ConstantDistanceConstraint):
        distance = tree.parameters[f"{constraint.name}.distance"]
        return ca.norm_2(offset) - distance
    return offset


def _placed(constraint: BodyConstraint, i: int, tree: Tree) -> tuple[ca.SX, ca.SX]:
    """Return the axes and the origin of a constraint's frame in ground."""
    frame: Frame = getattr(constraint, f"frame{i}")
    motion = tree.motions[frame.body]
    place = tree.parameters[f"{constraint.name}.frame{i}"]
    return motion.rotation @ ca.DM(frame.rotation), motion.position + motion.rotation @ place


def _sides(direction: Vector3) -> tuple[list[float], list[float]]:
    """Return the two unit vectors across a line that Simbody takes: the first is square to the far axis."""
    far = min(range(3), key=lambda i: abs(direction[i]))
    line = ca.DM(direction)
    first = ca.cross(line, ca.DM.eye(3)[:, far])
    first = first / ca.norm_2(first)
    return first.full().ravel().tolist(), ca.cross(line, first).full().ravel().tolist()
