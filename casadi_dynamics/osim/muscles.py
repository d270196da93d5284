"""Muscles of an `.osim` file, and the paths of whatever pulls along one."""

from __future__ import annotations

from casadi_dynamics.model.functions import Constant, Function
from casadi_dynamics.model.muscles import (
    ConditionalPathPoint,
    GeometryPath,
    MovingPathPoint,
    Muscle,
    PathPoint,
    Point,
)
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.functions import read_function
from casadi_dynamics.osim.wraps import read_wrap
from casadi_dynamics.osim.xml import Element, name_nameless

#: What a muscle is and does as OpenSim's `Muscle` knows it, with the values of elements that are absent.
_PROPERTIES = {
    "max_isometric_force": 1000.0,
    "optimal_fiber_length": 0.1,
    "tendon_slack_length": 0.2,
    "pennation_angle_at_optimal": 0.0,
    "max_contraction_velocity": 10.0,
}


def read_muscle(item: Element, context: Context) -> Muscle:
    """Return a muscle element as `Muscle`.

    Raises
    ------
    InputError
        If its path is of a class that is not known, or one of its numbers cannot be read.
    """
    force, fiber, tendon, pennation, velocity = (
        item.number(tag, default) for tag, default in _PROPERTIES.items()
    )
    route = read_path(item, context)
    return Muscle(item.name, item.tag, route, force, fiber, tendon, pennation, velocity)


def read_path(item: Element, context: Context) -> GeometryPath:
    """Return the path of an element that pulls along one: a muscle, a path spring, a ligament.

    Raises
    ------
    InputError
        If the element has no `GeometryPath`, the path has fewer than two points, or a point or a surface is
        of a class that is not known.
    """
    found = [child for child in (*item.children(), *item.children("path")) if child.tag.endswith("Path")]
    if len(found) != 1 or found[0].tag != "GeometryPath":
        other = next((child for child in found if child.tag != "GeometryPath"), item)
        raise other.refusal("only paths through points are converted: give it one <GeometryPath>")
    elements = found[0].children("PathPointSet", "objects")
    name_nameless(elements)
    points = tuple(_read_point(p, context) for p in elements)
    if len(points) < 2:
        raise found[0].error(
            f"The path of {item} does not run anywhere.",
            expected="two points or more",
            found=str(len(points)),
            fix="correct its <PathPointSet>",
        )
    wraps = found[0].children("PathWrapSet", "objects")
    return GeometryPath(points, tuple(read_wrap(wrap, context) for wrap in wraps))


def _read_point(item: Element, context: Context) -> Point:
    if item.tag not in ("PathPoint", "ConditionalPathPoint", "MovingPathPoint"):
        raise item.refusal("only fixed, conditional and moving path points are converted")
    frame, name = context.frame(item, "socket_parent_frame"), item.name
    if item.tag == "MovingPathPoint":
        read = [_read_axis(item, axis, context) for axis in "xyz"]
        return MovingPathPoint(name, frame, tuple(f for f, _ in read), tuple(c for _, c in read))
    location = context.frames.place(frame, item.numbers("location", 3, default=(0.0, 0.0, 0.0)))
    if item.tag == "PathPoint":
        return PathPoint(name, frame.body, location)
    coordinate = context.coordinate(item, item.text("socket_coordinate"))
    low, high = item.numbers("range", 2, default=(0.0, 0.0))
    return ConditionalPathPoint(name, frame.body, location, coordinate.name, (low, high))


def _read_axis(item: Element, axis: str, context: Context) -> tuple[Function, str | None]:
    """Return the function of one axis of a moving point, and the coordinate that it is of."""
    functions = item.children(f"{axis}_location")
    if len(functions) > 1:
        raise item.refusal(f"its <{axis}_location> holds more than one function; leave one")
    function = read_function(functions[0]) if functions else Constant(0.0)
    socket = item.text(f"socket_{axis}_coordinate", "")
    return function, context.coordinate(item, socket).name if socket else None
