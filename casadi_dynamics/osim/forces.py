"""Contact geometry and forces of an `.osim` file."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Constant, ContactForce, ContactSphere, Function, HalfSpace
from casadi_dynamics.model.forces import (
    Blankevoort1991Ligament,
    BushingForce,
    CoordinateLimitForce,
    ExpressionBasedBushingForce,
    ExpressionBasedCoordinateForce,
    Force,
    FunctionBasedBushingForce,
    HuntCrossleyForce,
    Ligament,
    Material,
    PathSpring,
    PointToPointSpring,
    SpringGeneralizedForce,
)
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.expressions import read_expression
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.functions import read_function
from casadi_dynamics.osim.muscles import read_path
from casadi_dynamics.osim.xml import child_value, children, locate, name_of, number, numbers, refuse

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


def read_geometry(path: Path, item, frames: FrameTable) -> ContactSphere | HalfSpace:
    """Return an element of contact geometry."""
    frame = frames.resolve(item, child_value(path, item, "socket_frame"))
    location = frames.place(frame, numbers(path, item, "location", 3, default=_ZERO))
    if item.tag == "ContactSphere":
        radius = number(path, item, "radius", 0.0)
        if radius <= 0:
            raise _bad_number(path, item, "radius", "a radius above 0 m", radius)
        return ContactSphere(name_of(path, item), frame.body, location, radius)
    normal = frames.turn(frame, numbers(path, item, "orientation", 3, default=_ZERO), axis=0)
    inward = tuple(0.0 if abs(x) < _ROUNDING else x for x in normal)
    return HalfSpace(name_of(path, item), frame.body, location, inward)


def read_force(path: Path, item, context: Context) -> ContactForce | Force:
    """Return a force element."""
    return _READERS[item.tag](path, item, context)


def _smooth_contact(path: Path, item, context: Context) -> ContactForce:
    sphere, half_space = (
        context.lookup(context.geometry, item, child_value(path, item, f"socket_{role}"), "contact geometry")
        for role in ("sphere", "half_space")
    )
    if not (isinstance(sphere, ContactSphere) and isinstance(half_space, HalfSpace)):
        raise refuse(path, item, "it acts between a ContactSphere and a ContactHalfSpace")
    law = {name: number(path, item, name, default) for name, default in _CONTACT_LAW.items()}
    for name in ("stiffness", "transition_velocity"):
        if law[name] <= 0:
            raise _bad_number(path, item, name, "a number above 0", law[name])
    return ContactForce(name_of(path, item), sphere.name, half_space.name, **law)


def _hunt_crossley(path: Path, item, context: Context) -> HuntCrossleyForce:
    surfaces = []
    for element in (e for e in item.iter() if str(e.tag).endswith("ContactParameters")):
        material = Material(*(number(path, element, name, 0.0) for name in _MATERIAL))
        if material.stiffness <= 0:
            raise _bad_number(path, element, "stiffness", "a stiffness above 0", material.stiffness)
        for name in child_value(path, element, "geometry", "").split():
            surfaces.append((_geometry(path, item, context, name).name, material))
    if len({name for name, _ in surfaces}) < len(surfaces):
        raise refuse(path, item, "it lists one contact geometry twice; list each once")
    speed = number(path, item, "transition_velocity", 0.01)
    if speed <= 0:
        raise _bad_number(path, item, "transition_velocity", "a speed above 0 m/s", speed)
    return HuntCrossleyForce(name_of(path, item), tuple(surfaces), speed)


def _geometry(path: Path, item, context: Context, name: str) -> ContactSphere | HalfSpace:
    """Return contact geometry that is named without its path, as the older of OpenSim's contact forces do."""
    named = {geometry.name: geometry for geometry in context.geometry.values()}
    return named[name] if name in named else context.lookup(context.geometry, item, name, "contact geometry")


def _coordinate_limit(path: Path, item, context: Context) -> CoordinateLimitForce:
    coordinate = context.coordinate(item, child_value(path, item, "coordinate"))
    given = {name: number(path, item, name, default) for name, default in _LIMIT.items()}
    for name in ("upper_stiffness", "lower_stiffness", "transition"):
        if given[name] == 0 or (name == "transition" and given[name] < 0):
            # OpenSim divides by each of them
            raise _bad_number(path, item, name, "a number above 0", given[name])
    unit = _TO_RADIANS if coordinate.motion == "rotational" else 1.0
    si = {name: x / unit if name in _PER_DEGREE else x * unit for name, x in given.items()}
    return CoordinateLimitForce(name_of(path, item), coordinate.name, **si)


def _coordinate_spring(path: Path, item, context: Context) -> SpringGeneralizedForce:
    coordinate = context.coordinate(item, child_value(path, item, "coordinate"))
    values = (number(path, item, name, 0.0) for name in ("stiffness", "rest_length", "viscosity"))
    return SpringGeneralizedForce(name_of(path, item), coordinate.name, *values)


def _bushing(path: Path, item, context: Context) -> BushingForce:
    names = [f"{kind}_{law}" for law in ("stiffness", "damping") for kind in ("rotational", "translational")]
    loads = {name: numbers(path, item, name, 3, default=_ZERO) for name in names}
    frames = (context.frame(item, f"socket_frame{i}") for i in (1, 2))
    return BushingForce(name_of(path, item), *frames, **loads)


def _function_bushing(path: Path, item, context: Context) -> FunctionBasedBushingForce:
    return FunctionBasedBushingForce(
        name_of(path, item),
        *(context.frame(item, f"socket_frame{i}") for i in (1, 2)),
        moments=tuple(_load(path, item, f"m_{axis}_theta_{axis}_function") for axis in "xyz"),
        forces=tuple(_load(path, item, f"f_{axis}_delta_{axis}_function") for axis in "xyz"),
        rotational_damping=numbers(path, item, "rotational_damping", 3, default=_ZERO),
        translational_damping=numbers(path, item, "translational_damping", 3, default=_ZERO),
    )


def _load(path: Path, item, tag: str) -> Function:
    """Return the function in child `tag`; a missing one is OpenSim's default, no load."""
    given = children(item, tag)
    return read_function(path, given[0]) if given else Constant(0.0)


def _coordinate_formula(path: Path, item, context: Context) -> ExpressionBasedCoordinateForce:
    coordinate = context.coordinate(item, child_value(path, item, "coordinate"))
    law = read_expression(path, item, "expression", ("q", "qdot"), "0.0")
    return ExpressionBasedCoordinateForce(name_of(path, item), coordinate.name, law)


def _bushing_of_formulas(path: Path, item, context: Context) -> ExpressionBasedBushingForce:
    offsets = [f"{kind}_{axis}" for kind in ("theta", "delta") for axis in "xyz"]
    return ExpressionBasedBushingForce(
        name_of(path, item),
        *(context.frame(item, f"socket_frame{i}") for i in (1, 2)),
        tuple(
            read_expression(path, item, f"{load}{axis}_expression", offsets, "0.0")
            for load in "MF"
            for axis in "xyz"
        ),
        rotational_damping=numbers(path, item, "rotational_damping", 3, default=_ZERO),
        translational_damping=numbers(path, item, "translational_damping", 3, default=_ZERO),
    )


def _point_spring(path: Path, item, context: Context) -> PointToPointSpring:
    ends = []
    for i in (1, 2):
        frame = context.frame(item, f"socket_body{i}")
        ends += [frame.body, numbers(path, item, f"point{i}", 3, default=_ZERO)]
    stiffness, rest = number(path, item, "stiffness", 1.0), number(path, item, "rest_length", 0.0)
    return PointToPointSpring(name_of(path, item), *ends, stiffness, rest)


def _path_spring(path: Path, item, context: Context) -> PathSpring:
    values = (number(path, item, name) for name in ("resting_length", "stiffness", "dissipation"))
    return PathSpring(name_of(path, item), read_path(path, item, context), *values)


def _ligament(path: Path, item, context: Context) -> Ligament:
    length, force = number(path, item, "resting_length", 0.0), number(path, item, "pcsa_force", 0.0)
    if length <= 0:
        raise _bad_number(path, item, "resting_length", "a length above 0 m", length)
    # OpenSim writes the curve under its own class and this name; other writers put it into such a tag.
    named = [child for child in children(item) if child.get("name") == "force_length_curve"]
    curves = named or children(item, "force_length_curve")
    if len(curves) != 1:
        raise refuse(path, item, "give it exactly one force_length_curve")
    curve = read_function(path, curves[0])
    return Ligament(name_of(path, item), read_path(path, item, context), length, force, curve)


def _knee_ligament(path: Path, item, context: Context) -> Blankevoort1991Ligament:
    numbers_of_law = {name: number(path, item, name, default) for name, default in _KNEE_LIGAMENT.items()}
    for name, value in numbers_of_law.items():
        if value < 0 or (value == 0 and name in ("transition_strain", "slack_length")):
            raise _bad_number(path, item, name, "a number above 0", value)
    return Blankevoort1991Ligament(name_of(path, item), read_path(path, item, context), **numbers_of_law)


def _bad_number(path: Path, item, tag: str, expected: str, found: float) -> InputError:
    return InputError(
        f"<{tag}> of {item.tag} '{item.get('name', '')}' cannot be used.",
        where=locate(path, item),
        expected=expected,
        found=f"{found:g}",
        fix="correct the value in the model file",
    )


_READERS: dict[str, Callable[[Path, object, Context], ContactForce | Force]] = {
    "SmoothSphereHalfSpaceForce": _smooth_contact,
    "HuntCrossleyForce": _hunt_crossley,
    "CoordinateLimitForce": _coordinate_limit,
    "SpringGeneralizedForce": _coordinate_spring,
    "BushingForce": _bushing,
    "FunctionBasedBushingForce": _function_bushing,
    "ExpressionBasedCoordinateForce": _coordinate_formula,
    "ExpressionBasedBushingForce": _bushing_of_formulas,
    "PointToPointSpring": _point_spring,
    "PathSpring": _path_spring,
    "Ligament": _ligament,
    "Blankevoort1991Ligament": _knee_ligament,
}
