"""Contact geometry and forces of an `.osim` file."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Constant, ContactForce, ContactSphere, Function, HalfSpace
from casadi_dynamics.model.forces import (
    Blankevoort1991Ligament,
    BushingForce,
    CoordinateLimitForce,
    ExpressionBasedBushingForce,
    ExpressionBasedCoordinateForce,
    ExpressionBasedPointToPointForce,
    Force,
    FunctionBasedBushingForce,
    HuntCrossleyForce,
    Ligament,
    Material,
    PathSpring,
    PointToPointSpring,
    PrescribedForce,
    SpringGeneralizedForce,
)
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.expressions import read_expression
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.functions import constant_value, read_function
from casadi_dynamics.osim.muscles import read_path
from casadi_dynamics.osim.xml import Element

# OpenSim leaves out of a file what was never set; below are its defaults then.
_ZERO = (0.0, 0.0, 0.0)
_CONTACT_LAW = {
    "stiffness": 1.0,
    "dissipation": 0.0,
    "static_friction": 0.0,
    "dynamic_friction": 0.0,
    "viscous_friction": 0.0,
    "transition_velocity": 0.01,
    "constant_contact_force": 1e-5,
    "hertz_smoothing": 300.0,
    "hunt_crossley_smoothing": 50.0,
}
_MATERIAL = ("stiffness", "dissipation", "static_friction", "dynamic_friction", "viscous_friction")
_LIMIT = {
    "upper_stiffness": 1.0,
    "upper_limit": 0.0,
    "lower_stiffness": 1.0,
    "lower_limit": 0.0,
    "damping": 0.001,
    "transition": 0.1,
}
_KNEE_LIGAMENT = {
    "linear_stiffness": 1.0,
    "transition_strain": 0.06,
    "damping_coefficient": 0.003,
    "slack_length": 0.0,
}
#: Numbers of a `CoordinateLimitForce` that stand per degree for a rotation; the others are angles.
_PER_DEGREE = ("upper_stiffness", "lower_stiffness", "damping")
_TO_RADIANS = pi / 180
#: A component of a unit vector below this is rounding of the angles in the file.
_ROUNDING = 1e-15


def read_geometry(item: Element, frames: FrameTable) -> ContactSphere | HalfSpace:
    """Return an element of contact geometry."""
    frame = frames.resolve(item, item.text("socket_frame"))
    location = frames.place(frame, item.numbers("location", 3, default=_ZERO))
    if item.tag == "ContactSphere":
        radius = item.number("radius", 0.0)
        if radius <= 0:
            raise _bad_number(item, "radius", "a radius above 0 m", radius)
        return ContactSphere(item.name, frame.body, location, radius)
    normal = frames.turn(frame, item.numbers("orientation", 3, default=_ZERO), axis=0)
    inward = tuple(0.0 if abs(x) < _ROUNDING else x for x in normal)
    return HalfSpace(item.name, frame.body, location, inward)


def read_force(item: Element, context: Context) -> ContactForce | Force:
    """Return a force element."""
    return _READERS[item.tag](item, context)


def _smooth_contact(item: Element, context: Context) -> ContactForce:
    sphere, half_space = (
        context.lookup(context.geometry, item, item.text(f"socket_{role}"), "contact geometry")
        for role in ("sphere", "half_space")
    )
    if not (isinstance(sphere, ContactSphere) and isinstance(half_space, HalfSpace)):
        raise item.refusal("it acts between a ContactSphere and a ContactHalfSpace")
    law = {name: item.number(name, default) for name, default in _CONTACT_LAW.items()}
    for name in ("stiffness", "transition_velocity"):
        if law[name] <= 0:
            raise _bad_number(item, name, "a number above 0", law[name])
    return ContactForce(item.name, sphere.name, half_space.name, **law)


def _hunt_crossley(item: Element, context: Context) -> HuntCrossleyForce:
    surfaces = []
    parameters = (e for e in item.node.iter() if str(e.tag).endswith("ContactParameters"))
    for element in (Element(item.path, e) for e in parameters):
        material = Material(*(element.number(name, 0.0) for name in _MATERIAL))
        if material.stiffness <= 0:
            raise _bad_number(element, "stiffness", "a stiffness above 0", material.stiffness)
        for name in element.text("geometry", "").split():
            surfaces.append((_geometry(item, context, name).name, material))
    if len({name for name, _ in surfaces}) < len(surfaces):
        raise item.refusal("it lists one contact geometry twice; list each once")
    speed = item.number("transition_velocity", 0.01)
    if speed <= 0:
        raise _bad_number(item, "transition_velocity", "a speed above 0 m/s", speed)
    return HuntCrossleyForce(item.name, tuple(surfaces), speed)


def _geometry(item: Element, context: Context, name: str) -> ContactSphere | HalfSpace:
    """Return contact geometry that is named without its path, as the older of OpenSim's contact forces do."""
    named = {geometry.name: geometry for geometry in context.geometry.values()}
    return named[name] if name in named else context.lookup(context.geometry, item, name, "contact geometry")


def _coordinate_limit(item: Element, context: Context) -> CoordinateLimitForce:
    coordinate = context.coordinate(item, item.text("coordinate"))
    given = {name: item.number(name, default) for name, default in _LIMIT.items()}
    for name in ("upper_stiffness", "lower_stiffness", "transition"):
        if given[name] == 0 or (name == "transition" and given[name] < 0):
            # OpenSim divides by each of them
            raise _bad_number(item, name, "a number above 0", given[name])
    unit = _TO_RADIANS if coordinate.motion == "rotational" else 1.0
    si = {name: x / unit if name in _PER_DEGREE else x * unit for name, x in given.items()}
    return CoordinateLimitForce(item.name, coordinate.name, **si)


def _coordinate_spring(item: Element, context: Context) -> SpringGeneralizedForce:
    coordinate = context.coordinate(item, item.text("coordinate"))
    values = (item.number(name, 0.0) for name in ("stiffness", "rest_length", "viscosity"))
    return SpringGeneralizedForce(item.name, coordinate.name, *values)


def _bushing(item: Element, context: Context) -> BushingForce:
    names = [f"{kind}_{law}" for law in ("stiffness", "damping") for kind in ("rotational", "translational")]
    loads = {name: item.numbers(name, 3, default=_ZERO) for name in names}
    return BushingForce(item.name, *context.two_frames(item), **loads)


def _function_bushing(item: Element, context: Context) -> FunctionBasedBushingForce:
    return FunctionBasedBushingForce(
        item.name,
        *context.two_frames(item),
        moments=tuple(_load(item, f"m_{axis}_theta_{axis}_function") for axis in "xyz"),
        forces=tuple(_load(item, f"f_{axis}_delta_{axis}_function") for axis in "xyz"),
        rotational_damping=item.numbers("rotational_damping", 3, default=_ZERO),
        translational_damping=item.numbers("translational_damping", 3, default=_ZERO),
    )


def _load(item: Element, tag: str) -> Function:
    """Return the function in child `tag`; a missing one is OpenSim's default, no load."""
    given = item.children(tag)
    return read_function(given[0]) if given else Constant(0.0)


def _coordinate_formula(item: Element, context: Context) -> ExpressionBasedCoordinateForce:
    coordinate = context.coordinate(item, item.text("coordinate"))
    law = read_expression(item, "expression", ("q", "qdot"), "0.0")
    return ExpressionBasedCoordinateForce(item.name, coordinate.name, law)


def _bushing_of_formulas(item: Element, context: Context) -> ExpressionBasedBushingForce:
    offsets = [f"{kind}_{axis}" for kind in ("theta", "delta") for axis in "xyz"]
    return ExpressionBasedBushingForce(
        item.name,
        *context.two_frames(item),
        tuple(
            read_expression(item, f"{load}{axis}_expression", offsets, "0.0")
            for load in "MF"
            for axis in "xyz"
        ),
        rotational_damping=item.numbers("rotational_damping", 3, default=_ZERO),
        translational_damping=item.numbers("translational_damping", 3, default=_ZERO),
    )


def _point_spring(item: Element, context: Context) -> PointToPointSpring:
    bodies = [context.frame(item, f"socket_body{i}").body for i in (1, 2)]
    points = [item.numbers(f"point{i}", 3, default=_ZERO) for i in (1, 2)]
    stiffness, rest = item.number("stiffness", 1.0), item.number("rest_length", 0.0)
    return PointToPointSpring(item.name, bodies[0], points[0], bodies[1], points[1], stiffness, rest)


def _point_formula(item: Element, context: Context) -> ExpressionBasedPointToPointForce:
    bodies = [context.frames.named(item, item.text(f"body{i}")).body for i in (1, 2)]
    points = [item.numbers(f"point{i}", 3, default=_ZERO) for i in (1, 2)]
    law = read_expression(item, "expression", ("d", "ddot"), "0.0")
    return ExpressionBasedPointToPointForce(item.name, bodies[0], points[0], bodies[1], points[1], law)


def _prescribed(item: Element, context: Context) -> PrescribedForce:
    frame = context.frame(item, "socket_frame")
    force, point, torque = (_constants(item, f"{part}Functions") for part in ("force", "point", "torque"))
    turns_along, moves_along = not item.flag("forceIsGlobal", True), not item.flag("pointIsGlobal")
    if not point:  # the origin of the frame
        point, moves_along = _ZERO, True
    return PrescribedForce(item.name, frame, force or _ZERO, point, torque or _ZERO, turns_along, moves_along)


def _constants(item: Element, name: str) -> tuple[float, ...]:
    """Return the values of the three functions of a set, or none of an empty set."""
    sets = [child for child in item.children() if name in (child.label, child.tag)]
    lists = [Element(item.path, node) for one in sets for node in one.node.iter("objects")]
    functions = [function for one in lists for function in one.children()]
    values = [constant_value(read_function(function)) for function in functions]
    if len(values) not in (0, 3):
        raise item.error(
            f"{name} of {item} are no vector.",
            expected="three functions, or none",
            found=str(len(values)),
            fix="write one function for each axis",
        )
    if None in values:
        raise item.refusal(
            f"its {name} change with time, which a model here has not; give the force as an external load"
        )
    return tuple(float(value) for value in values if value is not None)


def _path_spring(item: Element, context: Context) -> PathSpring:
    values = (item.number(name) for name in ("resting_length", "stiffness", "dissipation"))
    return PathSpring(item.name, read_path(item, context), *values)


def _ligament(item: Element, context: Context) -> Ligament:
    length, force = item.number("resting_length", 0.0), item.number("pcsa_force", 0.0)
    if length <= 0:
        raise _bad_number(item, "resting_length", "a length above 0 m", length)
    # OpenSim writes the curve under its own class and this name; other writers put it into such a tag.
    named = [child for child in item.children() if child.label == "force_length_curve"]
    curves = named or item.children("force_length_curve")
    if len(curves) != 1:
        raise item.refusal("give it exactly one force_length_curve")
    curve = read_function(curves[0])
    return Ligament(item.name, read_path(item, context), length, force, curve)


def _knee_ligament(item: Element, context: Context) -> Blankevoort1991Ligament:
    numbers_of_law = {name: item.number(name, default) for name, default in _KNEE_LIGAMENT.items()}
    for name, value in numbers_of_law.items():
        if value < 0 or (value == 0 and name in ("transition_strain", "slack_length")):
            raise _bad_number(item, name, "a number above 0", value)
    return Blankevoort1991Ligament(item.name, read_path(item, context), **numbers_of_law)


def _bad_number(item: Element, tag: str, expected: str, found: float) -> InputError:
    return item.error(
        f"<{tag}> of {item} cannot be used.",
        expected=expected,
        found=f"{found:g}",
        fix="correct the value in the model file",
    )


_READERS: dict[str, Callable[[Element, Context], ContactForce | Force]] = {
    "SmoothSphereHalfSpaceForce": _smooth_contact,
    "HuntCrossleyForce": _hunt_crossley,
    "CoordinateLimitForce": _coordinate_limit,
    "SpringGeneralizedForce": _coordinate_spring,
    "BushingForce": _bushing,
    "FunctionBasedBushingForce": _function_bushing,
    "ExpressionBasedCoordinateForce": _coordinate_formula,
    "ExpressionBasedBushingForce": _bushing_of_formulas,
    "ExpressionBasedPointToPointForce": _point_formula,
    "PointToPointSpring": _point_spring,
    "PrescribedForce": _prescribed,
    "PathSpring": _path_spring,
    "Ligament": _ligament,
    "Blankevoort1991Ligament": _knee_ligament,
}
