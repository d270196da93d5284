"""Constraints of an `.osim` file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Joint
from casadi_dynamics.model.constraints import (
    ConstantDistanceConstraint,
    Constraint,
    CoordinateCouplerConstraint,
    PointConstraint,
    PointOnLineConstraint,
    WeldConstraint,
    couplers_in_order,
)
from casadi_dynamics.model.functions import Multiplier
from casadi_dynamics.model.types import Frame
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.frames import IDENTITY
from casadi_dynamics.osim.functions import read_function
from casadi_dynamics.osim.xml import child_value, children, flag, locate, name_of, number, numbers, refuse

_ZERO = (0.0, 0.0, 0.0)


def read_constraints(
    path: Path, elements: Sequence, context: Context, joints: Sequence[Joint]
) -> tuple[tuple[Constraint, ...], list[str]]:
    """Return the constraints that are enforced, and those ignored because they are not.

    Raises
    ------
    InputError
        If a constraint is incomplete, or couplers do not settle every coordinate once.
    """
    enforced = [item for item in elements if flag(path, item, "isEnforced", True)]
    ignored = [f"{e.tag} '{e.get('name')}': it is not enforced" for e in elements if e not in enforced]
    constraints = tuple(_READERS[item.tag](path, item, context) for item in enforced)
    _check_couplers(path, enforced, constraints, joints)
    return constraints, ignored


def _coupler(path: Path, item, context: Context) -> CoordinateCouplerConstraint:
    drivers = child_value(path, item, "independent_coordinate_names").split()
    if len(drivers) != 1:
        raise refuse(path, item, "it couples several coordinates; use one coupler for each, or remove it")
    functions = children(item, "coupled_coordinates_function")
    if len(functions) != 1:
        raise InputError(
            f"{item.tag} '{item.get('name')}' needs exactly one function.",
            where=locate(path, item),
            expected="one function in <coupled_coordinates_function>",
            found=", ".join(f.tag for f in functions) or "none",
            fix="open the model in OpenSim and save it again",
        )
    return CoordinateCouplerConstraint(
        name_of(path, item),
        context.coordinate(item, child_value(path, item, "dependent_coordinate_name")).name,
        context.coordinate(item, drivers[0]).name,
        Multiplier(number(path, item, "scale_factor", 1.0), read_function(path, functions[0])),
    )


def _weld(path: Path, item, context: Context) -> WeldConstraint:
    frames = (context.frame(item, f"socket_frame{i}") for i in (1, 2))
    return WeldConstraint(name_of(path, item), *frames)


def _point(path: Path, item, context: Context) -> PointConstraint:
    ends = (_end(path, item, context, f"socket_body_{i}", f"location_body_{i}") for i in (1, 2))
    return PointConstraint(name_of(path, item), *ends)


def _distance(path: Path, item, context: Context) -> ConstantDistanceConstraint:
    ends = (_end(path, item, context, f"socket_body_{i}", f"location_body_{i}") for i in (1, 2))
    distance = number(path, item, "constant_distance")
    if distance <= 0:
        raise InputError(
            f"{item.tag} '{item.get('name')}' has no distance to keep.",
            where=locate(path, item),
            expected="<constant_distance> above 0",
            found=f"{distance:g}",
            fix="correct the distance, or use a PointConstraint",
        )
    return ConstantDistanceConstraint(name_of(path, item), *ends, distance)


def _point_on_line(path: Path, item, context: Context) -> PointOnLineConstraint:
    direction = numbers(path, item, "line_direction_vec", 3)
    length = math.hypot(*direction)
    if length == 0:
        raise InputError(
            f"The line of {item.tag} '{item.get('name')}' has no direction.",
            where=locate(path, item),
            expected="a <line_direction_vec> that is not zero",
            found="0 0 0",
            fix="correct the direction in the model file",
        )
    return PointOnLineConstraint(
        name_of(path, item),
        _end(path, item, context, "socket_line_body", "point_on_line"),
        _end(path, item, context, "socket_follower_body", "point_on_follower"),
        tuple(x / length for x in direction),
    )


_READERS = {
    "CoordinateCouplerConstraint": _coupler,
    "WeldConstraint": _weld,
    "PointConstraint": _point,
    "PointOnLineConstraint": _point_on_line,
    "ConstantDistanceConstraint": _distance,
}


def _end(path: Path, item, context: Context, socket: str, location: str) -> Frame:
    """Return the body at a socket, moved to a point of it.

    OpenSim means the location in the axes of the body even where the socket is a frame offset from it.
    """
    body = context.frame(item, socket).body
    return Frame(body, numbers(path, item, location, 3, default=_ZERO), IDENTITY)


def _check_couplers(path: Path, elements, constraints, joints: Sequence[Joint]) -> None:
    """Refuse couplers that the chain rule cannot eliminate."""
    ordered = {coupler.name for coupler in couplers_in_order(constraints)}
    spinning = {axis.coordinate for joint in joints if joint.speeds != "rates" for axis in joint.rotations}
    settled: set[str] = set()
    for item, coupler in zip(elements, constraints, strict=True):
        if not isinstance(coupler, CoordinateCouplerConstraint):
            continue
        if coupler.name not in ordered or coupler.dependent in settled:
            raise InputError(
                f"The coordinate '{coupler.dependent}' is coupled twice, or to itself.",
                where=locate(path, item),
                expected="couplers that give each dependent coordinate once, from another one",
                found=f"'{coupler.dependent}' from '{coupler.independent}'",
                fix="remove one of the couplers",
            )
        if {coupler.dependent, coupler.independent} & spinning:
            raise refuse(
                path, item, "the speed of an angle it couples is not its rate; use a GimbalJoint there"
            )
        settled.add(coupler.dependent)
