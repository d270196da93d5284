"""Joints of an `.osim` file, all as three rotations and three translations."""

from __future__ import annotations

import math
from pathlib import Path

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Coordinate, Joint, TransformAxis
from casadi_dynamics.model.functions import Constant, Linear
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.functions import read_function
from casadi_dynamics.osim.support import SUPPORTED_JOINTS, advice
from casadi_dynamics.osim.xml import child_value, children, flag, locate, name_of, number, numbers, refuse

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
}


def read_joint(path: Path, item, frames: FrameTable) -> tuple[Joint, list[Coordinate]]:
    """Return a joint element as `Joint`, and its coordinates."""
    if item.tag not in SUPPORTED_JOINTS:
        raise refuse(path, item, advice(item.tag))
    local = frames.local_frames([f for f in children(item, "frames") if f.tag == "PhysicalOffsetFrame"])
    parent = frames.resolve(item, child_value(path, item, "socket_parent_frame"), local)
    child = frames.resolve(item, child_value(path, item, "socket_child_frame"), local)
    elements = children(item, "coordinates")
    names = [name_of(path, element) for element in elements]
    if item.tag == "CustomJoint":
        rotations, translations = _spatial_transform(path, item, names)
    else:
        rotations, translations = _simple_transform(path, item, names)
    moved = {a.coordinate for a in translations} - {a.coordinate for a in rotations}
    name = name_of(path, item)
    coordinates = [_read_coordinate(path, e, name, e.get("name") in moved) for e in elements]
    return Joint(name, item.tag, parent, child, rotations, translations), coordinates


def order_by_tree(path: Path, joints: list[Joint], joint_elements, body_elements) -> tuple[Joint, ...]:
    """Return the joints parents first; every body must hang on ground by exactly one joint.

    The elements that joints and bodies were read from give messages their line.
    """
    element = {joint.name: item for joint, item in zip(joints, joint_elements, strict=True)}
    ordered, reached, pending = [], {GROUND}, list(joints)
    while pending:
        ready = [j for j in pending if j.parent.body in reached and j.child.body not in reached]
        if not ready:
            raise InputError(
                f"Joint '{pending[0].name}' does not belong to one tree from ground to the bodies.",
                where=locate(path, element[pending[0].name]),
                expected="every body reached from ground through one joint, parent frame first",
                found=f"parent '{pending[0].parent.body}', child '{pending[0].child.body}'",
                fix="remove the loop, or reverse the joint",
            )
        joint = ready[0]
        ordered.append(joint)
        reached.add(joint.child.body)
        pending.remove(joint)
    loose = [item for item in body_elements if item.get("name") not in reached]
    if loose:
        raise InputError(
            f"Body '{loose[0].get('name')}' has no joint.",
            where=locate(path, loose[0]),
            expected="every body reached from ground through one joint",
            found="no joint with this body as its child",
            fix="add the joint in OpenSim, which would otherwise connect the body to ground by itself",
        )
    return tuple(ordered)


def _simple_transform(path, item, names):
    layout = _SIMPLE_JOINTS[item.tag]
    if len(names) != len(layout):
        raise InputError(
            f"{item.tag} '{item.get('name')}' has the wrong number of coordinates.",
            where=locate(path, item),
            expected=str(len(layout)),
            found=str(len(names)),
            fix="open the model in OpenSim and save it again",
        )
    driven = [
        (kind, TransformAxis(axis, n, Linear(1.0, 0.0)))
        for n, (kind, axis) in zip(names, layout, strict=True)
    ]
    return _three("r", driven), _three("t", driven)


def _three(kind, driven):
    idle = TransformAxis(_X, None, Constant(0.0))
    axes = [axis for k, axis in driven if k == kind]
    return tuple(axes + [idle] * (3 - len(axes)))


def _spatial_transform(path, item, names):
    transform = item.find("SpatialTransform")
    axes = {axis.get("name"): axis for axis in children(transform)}
    wanted = [f"rotation{i}" for i in (1, 2, 3)] + [f"translation{i}" for i in (1, 2, 3)]
    missing = [name for name in wanted if name not in axes]
    if missing:
        raise InputError(
            f"CustomJoint '{item.get('name')}' has no axis '{missing[0]}'.",
            where=locate(path, item),
            expected="<SpatialTransform> with " + ", ".join(wanted),
            found=", ".join(filter(None, axes)) or "none",
            fix="open the model in OpenSim and save it again",
        )
    read = [_read_axis(path, axes[name], names) for name in wanted]
    return tuple(read[:3]), tuple(read[3:])


def _read_axis(path, item, names):
    axis = numbers(path, item, "axis", 3)
    length = math.sqrt(sum(x * x for x in axis))
    if length == 0:
        raise InputError(
            f"Axis '{item.get('name')}' has no direction.",
            where=locate(path, item),
            expected="an axis that is not zero",
            found="0 0 0",
            fix="correct the axis in the model file",
        )
    used = child_value(path, item, "coordinates", "").split()
    if len(used) > 1:
        raise refuse(path, item, "an axis driven by several coordinates is not converted; split the joint")
    for name in used:
        if name not in names:
            raise InputError(
                f"Axis '{item.get('name')}' is driven by '{name}', which its joint does not have.",
                where=locate(path, item),
                expected=f"one of {', '.join(names) or 'no coordinate'}",
                found=name,
                fix=nearest(name, names) or "correct the axis in the model file",
            )
    functions = [child for child in children(item) if child.tag not in ("coordinates", "axis")]
    if len(functions) == 1 and functions[0].tag == "function":
        functions = children(functions[0])
    if len(functions) != 1:
        raise InputError(
            f"Axis '{item.get('name')}' needs exactly one function.",
            where=locate(path, item),
            expected="one function",
            found=", ".join(f.tag for f in functions) or "none",
            fix="open the model in OpenSim and save it again",
        )
    function = read_function(path, functions[0])
    unit = tuple(x / length for x in axis)
    return TransformAxis(unit, used[0] if used else None, function)


def _read_coordinate(path, item, joint, translational):
    low, high = numbers(path, item, "range", 2, default=(-10.0, 10.0))  # OpenSim's own
    if children(item, "prescribed_function") and flag(path, item, "prescribed"):
        raise refuse(path, item, "its motion is prescribed by a function; switch <prescribed> off")
    return Coordinate(
        name=item.get("name"),
        joint=joint,
        motion="translational" if translational else "rotational",
        default=number(path, item, "default_value", 0.0),
        range=(low, high),
        locked=flag(path, item, "locked"),
        clamped=flag(path, item, "clamped"),
    )
