"""Joints of an `.osim` file, all as three rotations and three translations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from casadi_dynamics.errors import nearest
from casadi_dynamics.model import Coordinate, Frame, Joint, TransformAxis, Winging
from casadi_dynamics.model.functions import Constant, Linear
from casadi_dynamics.model.types import GROUND, Vector3
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.functions import only_function
from casadi_dynamics.osim.support import SUPPORTED_JOINTS, advice
from casadi_dynamics.osim.xml import Element

#: The three rotations or translations of a joint.
Axes = tuple[TransformAxis, ...]
_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

#: Joint class -> for each of its coordinates the axis it drives: 'r' rotation or 't' translation, and which.
#: Rotations apply in the order listed (Simbody's Pin, Universal and Gimbal mobilizers; OpenSim's Planar).
_SIMPLE_JOINTS = {
    "PinJoint": (("r", _Z),),
    "SliderJoint": (("t", _X),),
    "WeldJoint": (),
    "UniversalJoint": (("r", _X), ("r", _Y)),
    "GimbalJoint": (("r", _X), ("r", _Y), ("r", _Z)),
    "PlanarJoint": (("r", _Z), ("t", _X), ("t", _Y)),
    "BallJoint": (("r", _X), ("r", _Y), ("r", _Z)),
    "FreeJoint": (("r", _X), ("r", _Y), ("r", _Z), ("t", _X), ("t", _Y), ("t", _Z)),
    "EllipsoidJoint": (("r", _X), ("r", _Y), ("r", _Z)),
    "ScapulothoracicJoint": (("r", _X), ("r", _Y), ("r", _Z), ("winging", None)),
}
#: Joints whose first three speeds are an angular velocity (Simbody's Ball, Free and Ellipsoid mobilizers).
_SPINNING = ("BallJoint", "FreeJoint", "EllipsoidJoint", "ScapulothoracicJoint")


def read_joint(item: Element, frames: FrameTable) -> tuple[Joint, list[Coordinate]]:
    """Return a joint element as `Joint`, and its coordinates."""
    if item.tag not in SUPPORTED_JOINTS:
        raise item.refusal(advice(item.tag))
    parent = frames.resolve(item, item.text("socket_parent_frame"))
    child = frames.resolve(item, item.text("socket_child_frame"))
    elements = item.children("coordinates")
    names = [element.name for element in elements]
    if item.tag == "CustomJoint":
        rotations, translations = _spatial_transform(item, names)
    else:
        rotations, translations = _simple_transform(item, names)
    name = item.name
    motions = _motions(rotations, translations)
    if item.tag == "ScapulothoracicJoint":
        motions[names[-1]] = "rotational"
    coordinates = [_read_coordinate(e, name, motions.get(e.label, "coupled")) for e in elements]
    joint = Joint(name, item.tag, parent, child, rotations, translations)
    if item.tag in _SPINNING:
        joint = replace(joint, speeds="angular velocity")
    if item.tag == "EllipsoidJoint":
        joint = replace(joint, radii=_radii(item, "radii_x_y_z"))
    if item.tag == "ScapulothoracicJoint":
        joint = _on_thorax(item, joint, names[-1])
    return joint, coordinates


def order_by_tree(
    joints: list[Joint], joint_elements: Sequence[Element], body_elements: Sequence[Element]
) -> tuple[Joint, ...]:
    """Return the joints parents first, reversed where the file's child is the side towards ground.

    Every body must hang on ground by exactly one chain of joints. The elements that joints and bodies were
    read from give messages their line.
    """
    element = {joint.name: item for joint, item in zip(joints, joint_elements, strict=True)}
    ordered, reached, pending = [], {GROUND}, list(joints)
    while ready := next((j for j in pending if reached & {j.parent.body, j.child.body}), None):
        pending.remove(ready)
        if ready.parent.body not in reached:
            ready = replace(ready, parent=ready.child, child=ready.parent, reversed=True)
        if ready.child.body in reached:
            raise element[ready.name].error(
                f"Joint '{ready.name}' closes a loop of joints, which OpenSim opens: it halves a body of the "
                "loop and welds the halves.",
                expected="one tree: every body reached from ground through one chain of joints",
                found=f"parent '{ready.parent.body}', child '{ready.child.body}'",
                fix="remove the joint that closes the loop, or replace it by a constraint",
            )
        ordered.append(ready)
        reached.add(ready.child.body)
    loose = [item for item in body_elements if item.label not in reached]
    if loose:
        raise loose[0].error(
            f"No chain of joints leads from ground to body '{loose[0].label}'.",
            expected="every body reached from ground through one chain of joints",
            fix="write its joint into the file; a body without one floats free in OpenSim",
        )
    return tuple(ordered)


def _simple_transform(item: Element, names: Sequence[str]) -> tuple[Axes, Axes]:
    layout = _SIMPLE_JOINTS[item.tag]
    if len(names) != len(layout):
        raise item.error(
            f"{item} has the wrong number of coordinates.",
            expected=str(len(layout)),
            found=str(len(names)),
            fix="write one <Coordinate> for each into its <coordinates>"
            if names
            else "open the model in OpenSim and save it again: that adds them",
        )
    driven = [
        (kind, TransformAxis(axis, n, Linear(1.0, 0.0)))
        for n, (kind, axis) in zip(names, layout, strict=True)
        if axis
    ]
    return _three("r", driven), _three("t", driven)


def _radii(item: Element, tag: str) -> Vector3:
    radii = item.numbers(tag, 3)
    if min(radii) <= 0:
        raise item.error(
            f"{item} has no ellipsoid to ride on.",
            expected=f"three positive numbers in <{tag}>",
            found=" ".join(map(str, radii)),
            fix="correct the radii in the model file",
        )
    return radii


def _on_thorax(item: Element, joint: Joint, coordinate: str) -> Joint:
    """Return OpenSim's joint between thorax and scapula: an ellipsoid, then a hinge in its tangent plane.

    OpenSim turns the frames of the ellipsoid by a right angle about z, so that abduction and elevation are
    positive, and means radii and hinge in the frames before that turn.
    """
    x, y, z = _radii(item, "thoracic_ellipsoid_radii_x_y_z")
    across, up = item.numbers("scapula_winging_axis_origin", 2, default=(0.0, 0.0))
    direction = item.number("scapula_winging_axis_direction", 0.0)
    return replace(
        joint,
        parent=_quarter_turn(joint.parent),
        child=_quarter_turn(joint.child),
        radii=(y, x, z),
        winging=Winging(coordinate, (math.cos(direction), math.sin(direction), 0.0), (up, -across, 0.0)),
    )


def _quarter_turn(frame: Frame) -> Frame:
    """Return a frame turned by a right angle about its z axis."""
    return replace(frame, rotation=tuple((y, -x, z) for x, y, z in frame.rotation))


def _three(kind: str, driven: Sequence[tuple[str, TransformAxis]]) -> Axes:
    idle = TransformAxis(_X, None, Constant(0.0))
    axes = [axis for k, axis in driven if k == kind]
    return tuple(axes + [idle] * (3 - len(axes)))


def _spatial_transform(item: Element, names: Sequence[str]) -> tuple[Axes, Axes]:
    axes = {axis.label: axis for axis in item.children("SpatialTransform")}
    wanted = [f"rotation{i}" for i in (1, 2, 3)] + [f"translation{i}" for i in (1, 2, 3)]
    unknown = [name for name in axes if name not in wanted]
    if unknown or not axes:
        raise item.error(
            f"CustomJoint '{item.label}' has no <SpatialTransform> of axes with these names.",
            expected=", ".join(wanted),
            found=", ".join(axes) or "none",
            fix=nearest(unknown[0], wanted) if unknown else "write its <SpatialTransform> into the file",
        )
    idle = TransformAxis(_X, None, Constant(0.0))  # OpenSim's default for an axis that is not there
    read = [_read_axis(axes[name], names) if name in axes else idle for name in wanted]
    return tuple(read[:3]), tuple(read[3:])


def _read_axis(item: Element, names: Sequence[str]) -> TransformAxis:
    axis = item.numbers("axis", 3)
    length = math.sqrt(sum(x * x for x in axis))
    if length == 0:
        raise item.error(
            f"Axis '{item.label}' has no direction.",
            expected="an axis that is not zero",
            found="0 0 0",
            fix="correct the axis in the model file",
        )
    used = item.text("coordinates", "").split()
    if len(used) > 1:
        raise item.refusal("an axis driven by several coordinates is not converted; split the joint")
    if next(item.node.iter("MultivariatePolynomialFunction"), None) is not None:
        raise item.refusal(
            "its accelerations are wrong in OpenSim 4.6, which takes the first derivative of a "
            "MultivariatePolynomialFunction for its second; replace it by a PolynomialFunction"
        )
    for name in used:
        if name not in names:
            raise item.error(
                f"Axis '{item.label}' is driven by '{name}', which its joint does not have.",
                expected=f"one of {', '.join(names) or 'no coordinate'}",
                found=name,
                fix=nearest(name, names) or "correct the axis in the model file",
            )
    functions = [child for child in item.children() if child.tag not in ("coordinates", "axis")]
    if len(functions) == 1 and functions[0].tag == "function":
        functions = functions[0].children()
    if not used and not functions:
        return TransformAxis(_X, None, Constant(0.0))
    unit = tuple(x / length for x in axis)
    return TransformAxis(unit, used[0] if used else None, only_function(item, functions))


def _motions(rotations: Axes, translations: Axes) -> dict[str, str]:
    """Return the motion of the coordinates that are, but for sign and offset, a displacement along an axis.

    As in OpenSim the last such axis decides; any other coordinate is 'coupled'.
    """
    return {
        axis.coordinate: motion
        for motion, axes in (("rotational", rotations), ("translational", translations))
        for axis in axes
        if axis.coordinate and isinstance(axis.function, Linear) and abs(axis.function.slope) == 1
    }


def _read_coordinate(item: Element, joint: str, motion: str) -> Coordinate:
    low, high = item.numbers("range", 2, default=(-10.0, 10.0))  # OpenSim's own
    if item.children("prescribed_function") and item.flag("prescribed"):
        raise item.refusal("its motion is prescribed by a function; switch <prescribed> off")
    return Coordinate(
        name=item.label,
        joint=joint,
        motion=motion,
        default=item.number("default_value", 0.0),
        range=(low, high),
        locked=item.flag("locked"),
        clamped=item.flag("clamped"),
    )
