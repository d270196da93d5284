"""An ``.osim`` file as an XML tree: what static optimization and scaling must know, and small edits.

Numbers that need OpenSim (masses, lengths) come from the worker; here is only what the text says.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import MOST_XML_BYTES, read_input
from casadi_dynamics.osim import inline, parse_plain
from casadi_dynamics.osim.document import not_well_formed
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import child_text

# OpenSim writes tags such as <HuntCrossleyForce::ContactParameters>, which XML reserves for namespaces.
_DOUBLE_COLON, _STAND_IN = b"::", b"..double-colon.."
_FIRST_VERSION_WITH_SOCKETS = 40000
#: Digits of a version: those of OpenSim have five.
_LONGEST_VERSION = 9

CONTACT_FORCES = frozenset(
    {
        "SmoothSphereHalfSpaceForce",
        "HuntCrossleyForce",
        "ElasticFoundationForce",
        "ExponentialContactForce",
        "MeyerFregly2016Force",
    }
)
#: What pushes at the feet: contact, and what a model may keep from an earlier analysis.
_GROUND_FORCES = (*CONTACT_FORCES, "ExternalForce", "PrescribedForce")
_CONTACT_GEOMETRY = (
    "ContactSphere",
    "ContactHalfSpace",
    "ContactMesh",
    "ContactEllipsoid",
    "ContactCylinder",
)


@dataclasses.dataclass(frozen=True)
class CoordinateFacts:
    """One coordinate as the model file describes it.

    Parameters
    ----------
    name : str
        Name of the coordinate.
    is_root : bool
        Its joint connects to ground.
    is_free : bool
        Neither locked, nor prescribed, nor the dependent coordinate of a coupler: it needs an actuator.
    locked : bool
        OpenSim ignores a locked coordinate's motion and uses the default.
    default : float
        Default value, rad or m.
    spanned_by_muscle : bool
        Some muscle's path crosses its joint, or that of a coordinate which follows it through couplers.
    """

    name: str
    is_root: bool
    is_free: bool
    locked: bool
    default: float
    spanned_by_muscle: bool


def read_model_tree(path: Path) -> etree._ElementTree:
    """Parse an ``.osim`` file of OpenSim 4.

    Raises
    ------
    InputError
        Not readable, not XML, not an OpenSim model, or older than OpenSim 4.
    """
    path = Path(path)
    root = _root(path)
    inline(root, path, _root)
    if root.tag != "OpenSimDocument" or root.find("Model") is None:
        raise InputError(
            "not an OpenSim model", where=str(path), expected="<OpenSimDocument><Model>", found=root.tag
        )
    version = root.get("Version", "")
    known = version.isdecimal() and len(version) <= _LONGEST_VERSION
    if not known or int(version) < _FIRST_VERSION_WITH_SOCKETS:
        raise InputError(
            "the model was saved by an OpenSim before 4.0",
            where=str(path),
            expected=f"Version {_FIRST_VERSION_WITH_SOCKETS} or later",
            found=version[: _LONGEST_VERSION + 1],
            fix="open it in OpenSim 4 and save it",
        )
    return root.getroottree()


def _root(path: Path) -> etree._Element:
    data = read_input(path, "the model file", MOST_XML_BYTES)
    try:
        return parse_plain(data.replace(_DOUBLE_COLON, _STAND_IN), path)
    except etree.XMLSyntaxError as error:
        raise not_well_formed(path, error.error_log[0] if len(error.error_log) else None) from error


def write_model_tree(path: Path, tree: etree._ElementTree) -> Path:
    """Write a tree of `read_model_tree` back, whole or not at all."""
    data = etree.tostring(tree, encoding="UTF-8", xml_declaration=True)
    return write_atomically(path, data.replace(_STAND_IN, _DOUBLE_COLON) + b"\n")


def switch_ground_forces_off(tree: etree._ElementTree) -> list[str]:
    """Stop contact, and external and prescribed forces that a model was saved with; return their names.

    Measured or estimated ground forces enter as external loads: whatever is left on would act beside them.
    """
    names = []
    for force in tree.iter(*_GROUND_FORCES):
        applies = force.find("appliesForce")
        if applies is None:
            applies = etree.SubElement(force, "appliesForce")
        applies.text = "false"
        names.append(force.get("name", force.tag))
    return names


def active_ground_forces(tree: etree._ElementTree) -> list[str]:
    """Return what acts of that which `switch_ground_forces_off` stops, by name."""
    forces = tree.iter(*_GROUND_FORCES)
    return [force.get("name", force.tag) for force in forces if child_text(force, "appliesForce") != "false"]


def contact_geometry(tree: etree._ElementTree) -> list[tuple[str, etree._Element]]:
    """Return each contact geometry with the name of the body (or ``ground``) that carries it."""
    return [
        (base_body(tree, child_text(geometry, "socket_frame")), geometry)
        for geometry in tree.iter(*_CONTACT_GEOMETRY)
    ]


def coordinate_facts(tree: etree._ElementTree) -> tuple[CoordinateFacts, ...]:
    """Return what the file says of each coordinate, in file order."""
    joints = list(tree.iterfind("Model/JointSet/objects/*"))
    parent_of = {_child(tree, joint): _parent(tree, joint) for joint in joints}
    joint_of_child = {_child(tree, joint): joint.get("name") for joint in joints}
    crossed = _joints_crossed_by_muscles(tree, parent_of, joint_of_child)
    drivers = _drivers(tree)
    spanned = _with_drivers(
        {
            coordinate.get("name")
            for joint in joints
            if joint.get("name") in crossed
            for coordinate in joint.iterfind("coordinates/Coordinate")
        },
        drivers,
    )
    facts = []
    for joint in joints:
        for coordinate in joint.iterfind("coordinates/Coordinate"):
            name = coordinate.get("name")
            locked = child_text(coordinate, "locked") == "true"
            prescribed = child_text(coordinate, "prescribed") == "true"
            facts.append(
                CoordinateFacts(
                    name=name,
                    is_root=_parent(tree, joint) == "ground",
                    is_free=not (locked or prescribed or name in drivers),
                    locked=locked,
                    default=float(child_text(coordinate, "default_value") or 0),
                    spanned_by_muscle=name in spanned,
                )
            )
    return tuple(facts)


def check_mass(tree: etree._ElementTree, where: Path) -> None:
    """Refuse a model without mass: no force moves it, so that every answer would be nothing."""
    if not any(float(child_text(body, "mass") or 0) for body in tree.iter("Body")):
        raise InputError(
            "the model has no mass",
            where=str(where),
            expected="bodies with masses",
            found=f"{len(list(tree.iter('Body')))} bodies of 0 kg",
            fix="use a model that has the masses of its segments",
        )


def muscle_names(tree: etree._ElementTree) -> tuple[str, ...]:
    """Return the muscles static optimization sees: those of the ForceSet.

    Raises
    ------
    InputError
        The model keeps its muscles outside the ForceSet, where OpenSim's tools overlook them, or has none.
    """
    names = tuple(element.get("name") for element in _muscles(tree))
    if not names:
        elsewhere = [element.get("name") for element in tree.iter() if _is_muscle(element)]
        raise InputError(
            "the model has no muscle in its ForceSet",
            where=tree.find("Model").get("name", ""),
            found=f"{len(elsewhere)} muscles elsewhere" if elsewhere else "no muscle",
            fix="move the muscles to the ForceSet" if elsewhere else "choose a model with muscles",
        )
    return names


def coordinate_actuators(tree: etree._ElementTree) -> dict[str, list[str]]:
    """Return the names of the model's own coordinate actuators by coordinate."""
    actuators: dict[str, list[str]] = {}
    for element in tree.iterfind("Model/ForceSet/objects/CoordinateActuator"):
        actuators.setdefault(child_text(element, "coordinate"), []).append(element.get("name"))
    return actuators


def base_body(tree: etree._ElementTree, socket: str) -> str:
    """Return the body (or ``ground``) that a frame's path leads to, through any offset frames.

    Raises
    ------
    InputError
        The path is empty, or offset frames lead back to one another.
    """
    passed: list[str] = []
    while True:
        words = [word for word in socket.split("/") if word not in ("", "..")]
        if "bodyset" in words[:-1]:
            return words[words.index("bodyset") + 1]
        if not words or words[-1] in passed:
            raise InputError(
                "a frame leads to no body",
                where=" > ".join(passed) or tree.find("Model").get("name", ""),
                expected="the path of a body, of ground, or of an offset frame on one",
                found=socket or "an empty path",
                fix="connect the frame to a body in the model file",
            )
        name = words[-1]
        offset = next((f for f in tree.iter("PhysicalOffsetFrame") if f.get("name") == name), None)
        if name == "ground" or offset is None:
            return name
        passed.append(name)
        socket = child_text(offset, "socket_parent")


def _drivers(tree: etree._ElementTree) -> dict[str, list[str]]:
    """Return what each coordinate follows that an enforced coupler sets."""
    return {
        child_text(coupler, "dependent_coordinate_name"): child_text(
            coupler, "independent_coordinate_names"
        ).split()
        for coupler in tree.iter("CoordinateCouplerConstraint")
        if child_text(coupler, "isEnforced") != "false"
    }


def _with_drivers(names: set[str], drivers: dict[str, list[str]]) -> set[str]:
    """Return coordinates with all that they follow, directly or through others."""
    found, pending = set(names), list(names)
    while pending:
        fresh = set(drivers.get(pending.pop(), ())) - found
        found |= fresh
        pending += fresh
    return found


def _parent(tree: etree._ElementTree, joint: etree._Element) -> str:
    return _joint_body(tree, joint, "socket_parent_frame")


def _child(tree: etree._ElementTree, joint: etree._Element) -> str:
    return _joint_body(tree, joint, "socket_child_frame")


def _joint_body(tree: etree._ElementTree, joint: etree._Element, socket: str) -> str:
    name = child_text(joint, socket)
    for frame in joint.iterfind("frames/PhysicalOffsetFrame"):
        if frame.get("name") == name.split("/")[-1]:
            return base_body(tree, child_text(frame, "socket_parent"))
    return base_body(tree, name)


def _is_muscle(element: etree._Element) -> bool:
    return (
        isinstance(element.tag, str) and "Muscle" in element.tag and element.find("GeometryPath") is not None
    )


def _muscles(tree: etree._ElementTree) -> list[etree._Element]:
    return [element for element in tree.iterfind("Model/ForceSet/objects/*") if _is_muscle(element)]


def _joints_crossed_by_muscles(tree: etree._ElementTree, parent_of: dict, joint_of_child: dict) -> set[str]:
    def to_ground(body: str) -> list[str]:
        chain = []
        while body in parent_of and body not in chain:
            chain.append(body)
            body = parent_of[body]
        return chain

    crossed = set()
    for muscle in _muscles(tree):
        points = muscle.iterfind("GeometryPath/PathPointSet/objects/*")
        sockets = (child_text(point, "socket_parent_frame") for point in points)
        bodies = list(dict.fromkeys(base_body(tree, socket) for socket in sockets))
        for one, other in itertools.pairwise(bodies):
            crossed.update(joint_of_child[body] for body in set(to_ground(one)) ^ set(to_ground(other)))
    return crossed
