"""Write ``planar_gait.osim`` from the tables: ``python -m osim_models.write [FILE]``."""

from __future__ import annotations

import sys
from pathlib import Path

from lxml import etree

from casadi_dynamics.osim import NEWEST_VERSION
from osim_models import geometry, tables
from osim_models.bodies import BodyProperties, bodies, contact_points, lumbar_height
from osim_models.muscles import LumpedMuscle, muscles

#: Version of OpenSim's file format: the one OpenSim 4.6 reads without converting.
FILE_VERSION = str(NEWEST_VERSION)
MODEL_NAME = "planar_gait"
GRAVITY = (0.0, -9.80665, 0.0)
_SIDES = {"r": 1.0, "l": -1.0}
_ZERO = (0.0, 0.0, 0.0)
_MUSCLE_COLOR = (0.75, 0.15, 0.15)

CREDITS = (
    "Planar gait model of sspinn_opensim: 10 coordinates, 18 muscles, heel and toe contact, seven sensor "
    "frames. Written from tables of published values by the script beside it; Apache License 2.0."
)


def model_xml() -> bytes:
    """Return the model as the bytes of an OpenSim file."""
    document = etree.Element("OpenSimDocument", Version=FILE_VERSION)
    model = etree.SubElement(document, "Model", name=MODEL_NAME)
    _add(model, "gravity", GRAVITY)
    _add(model, "credits", CREDITS)
    _add(model, "publications", " ".join(f"[{key}] {text}" for key, text in tables.SOURCES.items()))
    _add(model, "length_units", "meters")
    _add(model, "force_units", "N")
    _add_bodies(_set(model, "BodySet", "bodyset"))
    _add_joints(_set(model, "JointSet", "jointset"))
    _add_contact_geometry(_set(model, "ContactGeometrySet", "contactgeometryset"))
    forces = _set(model, "ForceSet", "forceset")
    for side in _SIDES:
        for muscle in muscles():
            _add_muscle(forces, muscle, side)
    _add_lumbar_actuator(forces)
    for side in _SIDES:
        for point in contact_points():
            _add_contact_force(forces, point, side)
    etree.indent(document, space="\t")
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8") + b"\n"


def main(file: str = "") -> None:
    """Write the model to `file`, by default beside this script."""
    target = Path(file) if file else Path(__file__).with_name(f"{MODEL_NAME}.osim")
    temporary = target.with_name(f"{target.name}.part")
    temporary.write_bytes(model_xml())
    Path(temporary).replace(target)
    print(target)


def _add_bodies(parent: etree._Element) -> None:
    pelvis, torso, *leg = bodies()
    _add_body(parent, pelvis, pelvis.name, 1.0)
    _add_body(parent, torso, torso.name, 1.0)
    for side, sign in _SIDES.items():
        for body in leg:
            _add_body(parent, body, f"{body.name}_{side}", sign)


def _add_body(parent: etree._Element, body: BodyProperties, name: str, sign: float) -> None:
    element = etree.SubElement(parent, "Body", name=name)
    components = etree.SubElement(element, "components")
    for sensor in tables.SENSORS:
        if sensor.body == body.name:
            x, y, z = sensor.position
            _add_frame(components, f"{name}_imu", "..", (x, y, sign * z + 0.0))
    for label, drawing in tables.DRAWINGS.items():
        if drawing.body == body.name:
            frame = _add_frame(components, f"{name}_{label}_center", "..", drawing.center)
            _add_ellipsoid(frame, f"{name}_{label}", drawing)
    _add(element, "mass", body.mass)
    _add(element, "mass_center", body.mass_center)
    _add(element, "inertia", body.inertia + _ZERO)


def _add_ellipsoid(frame: etree._Element, name: str, drawing: tables.Drawing) -> None:
    geometry_list = etree.Element("attached_geometry")
    frame.insert(0, geometry_list)
    ellipsoid = etree.SubElement(geometry_list, "Ellipsoid", name=name)
    _add(ellipsoid, "socket_frame", "..")
    appearance = etree.SubElement(ellipsoid, "Appearance")
    _add(appearance, "opacity", 0.7)
    _add(appearance, "color", drawing.color)
    _add(ellipsoid, "radii", drawing.radii)


def _add_joints(parent: etree._Element) -> None:
    root = etree.SubElement(parent, "CustomJoint", name="ground_pelvis")
    standing = geometry.thigh_length() + geometry.shank_length() + tables.SOLE_BELOW_ANKLE.value
    defaults = {"pelvis_tilt": 0.0, "pelvis_tx": 0.0, "pelvis_ty": standing}
    _add_joint_ends(root, "ground", "/ground", _ZERO, "pelvis")
    coordinates = etree.Element("coordinates")
    root.insert(2, coordinates)
    for name, default in defaults.items():
        _add_coordinate(coordinates, name, tables.RANGES[name], default)
    _add_planar_motion(root)
    _add_pin(parent, "back", "pelvis", (0.0, lumbar_height(), 0.0), "torso", "lumbar_extension")
    for side, sign in _SIDES.items():
        hip = (0.0, 0.0, sign * tables.HIP_HALF_DISTANCE.value)
        knee = (0.0, -geometry.thigh_length(), 0.0)
        ankle = (0.0, -geometry.shank_length(), 0.0)
        _add_pin(parent, f"hip_{side}", "pelvis", hip, f"femur_{side}", f"hip_flexion_{side}")
        _add_pin(parent, f"knee_{side}", f"femur_{side}", knee, f"tibia_{side}", f"knee_angle_{side}")
        _add_pin(parent, f"ankle_{side}", f"tibia_{side}", ankle, f"foot_{side}", f"ankle_angle_{side}")


def _add_pin(
    parent: etree._Element,
    name: str,
    parent_body: str,
    place: tuple[float, float, float],
    child_body: str,
    coordinate: str,
) -> None:
    joint = etree.SubElement(parent, "PinJoint", name=name)
    _add_joint_ends(joint, parent_body, f"/bodyset/{parent_body}", place, child_body)
    coordinates = etree.Element("coordinates")
    joint.insert(2, coordinates)
    motion = coordinate.removesuffix("_r").removesuffix("_l")
    _add_coordinate(coordinates, coordinate, tables.RANGES[motion], 0.0)


def _add_joint_ends(joint: etree._Element, parent: str, path: str, place: tuple, child: str) -> None:
    _add(joint, "socket_parent_frame", f"{parent}_offset")
    _add(joint, "socket_child_frame", f"{child}_offset")
    frames = etree.SubElement(joint, "frames")
    _add_frame(frames, f"{parent}_offset", path, place)
    _add_frame(frames, f"{child}_offset", f"/bodyset/{child}", _ZERO)


def _add_coordinate(parent: etree._Element, name: str, limits: tables.Range, default: float) -> None:
    coordinate = etree.SubElement(parent, "Coordinate", name=name)
    _add(coordinate, "default_value", default)
    _add(coordinate, "default_speed_value", 0.0)
    _add(coordinate, "range", (limits.low, limits.high))
    for flag in ("clamped", "locked"):
        _add(coordinate, flag, "false")


def _add_planar_motion(joint: etree._Element) -> None:
    transform = etree.SubElement(joint, "SpatialTransform")
    axes = (
        ("rotation1", "pelvis_tilt", (0.0, 0.0, 1.0)),
        ("rotation2", "", (1.0, 0.0, 0.0)),
        ("rotation3", "", (0.0, 1.0, 0.0)),
        ("translation1", "pelvis_tx", (1.0, 0.0, 0.0)),
        ("translation2", "pelvis_ty", (0.0, 1.0, 0.0)),
        ("translation3", "", (0.0, 0.0, 1.0)),
    )
    for name, coordinate, direction in axes:
        axis = etree.SubElement(transform, "TransformAxis", name=name)
        _add(axis, "coordinates", coordinate)
        _add(axis, "axis", direction)
        if coordinate:
            _add(etree.SubElement(axis, "LinearFunction", name="function"), "coefficients", (1.0, 0.0))
        else:
            _add(etree.SubElement(axis, "Constant", name="function"), "value", 0.0)


def _add_contact_geometry(parent: etree._Element) -> None:
    floor = etree.SubElement(parent, "ContactHalfSpace", name="floor")
    _add(floor, "socket_frame", "/ground")
    _add(floor, "location", _ZERO)
    # the solid of a half-space lies on the +x side of its frame: turned so that this is down
    _add(floor, "orientation", (0.0, 0.0, -1.5707963267948966))
    radius = tables.CONTACT_RADIUS.value
    for side in _SIDES:
        for name, (x, y, z) in contact_points().items():
            sphere = etree.SubElement(parent, "ContactSphere", name=f"{name}_{side}")
            _add(sphere, "socket_frame", f"/bodyset/foot_{side}")
            _add(sphere, "location", (x, y + radius, z))
            _add(sphere, "radius", radius)


def _add_contact_force(parent: etree._Element, point: str, side: str) -> None:
    force = etree.SubElement(parent, "SmoothSphereHalfSpaceForce", name=f"contact_{point}_{side}")
    _add(force, "socket_sphere", f"/contactgeometryset/{point}_{side}")
    _add(force, "socket_half_space", "/contactgeometryset/floor")
    for name, number in tables.CONTACT.items():
        _add(force, name, number.value)


def _add_lumbar_actuator(parent: etree._Element) -> None:
    actuator = etree.SubElement(parent, "CoordinateActuator", name="lumbar_extension_torque")
    bound = tables.LUMBAR_CONTROL_BOUND.value
    _add(actuator, "min_control", -bound)
    _add(actuator, "max_control", bound)
    _add(actuator, "coordinate", "lumbar_extension")
    _add(actuator, "optimal_force", tables.LUMBAR_OPTIMAL_FORCE.value)


def _add_muscle(parent: etree._Element, muscle: LumpedMuscle, side: str) -> None:
    name = f"{muscle.name}_{side}"
    element = etree.SubElement(parent, "Millard2012EquilibriumMuscle", name=name)
    path = etree.SubElement(element, "GeometryPath", name="path")
    points = etree.SubElement(etree.SubElement(path, "PathPointSet"), "objects")
    for k, (body, (x, y, z)) in enumerate(muscle.path, start=1):
        point = etree.SubElement(points, "PathPoint", name=f"{name}-P{k}")
        frame = body if body == "pelvis" else f"{body}_{side}"
        _add(point, "socket_parent_frame", f"/bodyset/{frame}")
        _add(point, "location", (x, y, _SIDES[side] * z + 0.0))
    _add(etree.SubElement(path, "Appearance"), "color", _MUSCLE_COLOR)
    for key in (
        "max_isometric_force",
        "optimal_fiber_length",
        "tendon_slack_length",
        "pennation_angle_at_optimal",
    ):
        _add(element, key, getattr(muscle, key))
    for key, number in tables.MUSCLE_DYNAMICS.items():
        _add(element, key, number.value)
    # fibre damping needs a curve that reaches zero; OpenSim would change its default and say so
    curve = etree.SubElement(element, "ActiveForceLengthCurve", name=f"{name}_ActiveForceLengthCurve")
    _add(curve, "minimum_value", 0.0)


def _add_frame(parent: etree._Element, name: str, attached_to: str, place: tuple) -> etree._Element:
    frame = etree.SubElement(parent, "PhysicalOffsetFrame", name=name)
    _add(frame, "socket_parent", attached_to)
    _add(frame, "translation", place)
    _add(frame, "orientation", _ZERO)
    return frame


def _set(model: etree._Element, kind: str, name: str) -> etree._Element:
    return etree.SubElement(etree.SubElement(model, kind, name=name), "objects")


def _add(parent: etree._Element, tag: str, value: str | float | tuple) -> None:
    """Add a property; numbers in the shortest form that reads back as the same double."""
    element = etree.SubElement(parent, tag)
    if isinstance(value, str):
        element.text = value
    else:
        numbers = value if isinstance(value, tuple) else (value,)
        element.text = " ".join(repr(float(number)) for number in numbers)


if __name__ == "__main__":
    main(*sys.argv[1:])
