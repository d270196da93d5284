"""Constraints of an `.osim` file."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from casadi_dynamics.model.functions import Linear, Multiplier
from casadi_dynamics.model.types import Frame
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.frames import IDENTITY
from casadi_dynamics.osim.functions import constant_value, only_function
from casadi_dynamics.osim.xml import Element

_ZERO = (0.0, 0.0, 0.0)


def read_constraints(
    elements: Sequence[Element], context: Context, joints: Sequence[Joint]
) -> tuple[tuple[Constraint, ...], list[str]]:
    """Return the constraints that are enforced, and those ignored because they are not.

    Raises
    ------
    InputError
        If a constraint is incomplete, or couplers do not settle every coordinate once.
    """
    enforced = [item for item in elements if item.flag("isEnforced", True)]
    ignored = [f"{e}: it is not enforced" for e in elements if e not in enforced]
    constraints = tuple(_READERS[item.tag](item, context) for item in enforced)
    _check_couplers(enforced, constraints, joints)
    return constraints, ignored


def _coupler(item: Element, context: Context) -> CoordinateCouplerConstraint:
    drivers = item.text("independent_coordinate_names").split()
    function = only_function(item, item.children("coupled_coordinates_function"), len(drivers))
    if constant_value(function) is not None and not isinstance(function, Linear):
        raise item.refusal(
            f"with a constant OpenSim holds '{drivers[0]}', which is to be followed; lock the coordinate "
            "that is meant instead"
        )
    return CoordinateCouplerConstraint(
        item.name,
        context.coordinate(item, item.text("dependent_coordinate_name")).name,
        tuple(context.coordinate(item, driver).name for driver in drivers),
        Multiplier(item.number("scale_factor", 1.0), function),
    )


def _weld(item: Element, context: Context) -> WeldConstraint:
    return WeldConstraint(item.name, *context.two_frames(item))


def _point(item: Element, context: Context) -> PointConstraint:
    return PointConstraint(item.name, *_ends(item, context))


def _distance(item: Element, context: Context) -> ConstantDistanceConstraint:
    distance = item.number("constant_distance")
    if distance <= 0:
        raise item.error(
            f"{item} has no distance to keep.",
            expected="<constant_distance> above 0",
            found=f"{distance:g}",
            fix="correct the distance, or use a PointConstraint",
        )
    return ConstantDistanceConstraint(item.name, *_ends(item, context), distance)


def _point_on_line(item: Element, context: Context) -> PointOnLineConstraint:
    direction = item.numbers("line_direction_vec", 3)
    length = math.hypot(*direction)
    if length == 0:
        raise item.error(
            f"The line of {item} has no direction.",
            expected="a <line_direction_vec> that is not zero",
            found="0 0 0",
            fix="correct the direction in the model file",
        )
    return PointOnLineConstraint(
        item.name,
        _end(item, context, "socket_line_body", "point_on_line"),
        _end(item, context, "socket_follower_body", "point_on_follower"),
        tuple(x / length for x in direction),
    )


_READERS = {
    "CoordinateCouplerConstraint": _coupler,
    "WeldConstraint": _weld,
    "PointConstraint": _point,
    "PointOnLineConstraint": _point_on_line,
    "ConstantDistanceConstraint": _distance,
}


def _ends(item: Element, context: Context) -> tuple[Frame, Frame]:
    first, second = (_end(item, context, f"socket_body_{i}", f"location_body_{i}") for i in (1, 2))
    return first, second


def _end(item: Element, context: Context, socket: str, location: str) -> Frame:
    """Return the body at a socket, moved to a point of it.

    OpenSim means the location in the axes of the body even where the socket is a frame offset from it.
    """
    body = context.frame(item, socket).body
    return Frame(body, item.numbers(location, 3, default=_ZERO), IDENTITY)


def _check_couplers(
    elements: Sequence[Element], constraints: Sequence[Constraint], joints: Sequence[Joint]
) -> None:
    """Refuse couplers that the chain rule cannot eliminate."""
    ordered = {coupler.name for coupler in couplers_in_order(constraints)}
    spinning = {axis.coordinate for joint in joints if joint.speeds != "rates" for axis in joint.rotations}
    settled: set[str] = set()
    for item, coupler in zip(elements, constraints, strict=True):
        if not isinstance(coupler, CoordinateCouplerConstraint):
            continue
        if coupler.name not in ordered or coupler.dependent in settled:
            raise item.error(
                f"The coordinate '{coupler.dependent}' is coupled twice, or to itself.",
                expected="couplers that give each dependent coordinate once, from other ones",
                found=f"'{coupler.dependent}' from '{', '.join(coupler.independent)}'",
                fix="remove one of the couplers",
            )
        if {coupler.dependent, *coupler.independent} & spinning:
            raise item.refusal("the speed of an angle it couples is not its rate; use a GimbalJoint there")
        settled.add(coupler.dependent)
