"""An `.osim` file as a `Model`: every element is used, ignored for a stated reason, or refused by name."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Body, ContactForce, ContactSphere, HalfSpace, ImuFrame, Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.joints import order_by_tree, read_joint
from casadi_dynamics.osim.support import IGNORED, SUPPORTED_CONTACT_GEOMETRY, SUPPORTED_FORCES, advice
from casadi_dynamics.osim.xml import (
    child_value,
    children,
    locate,
    name_of,
    number,
    numbers,
    refuse,
    unique_names,
)

OLDEST_VERSION = 40000

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

#: Sets of a model that hold bodies, joints and what acts on them, in the order they are read.
_SETS = "BodySet JointSet ConstraintSet ForceSet ContactGeometrySet ControllerSet MarkerSet".split()
#: What an element of a set is called in messages.
_KINDS = {
    "BodySet": "body",
    "JointSet": "joint",
    "ForceSet": "force",
    "ContactGeometrySet": "contact geometry",
}
#: Elements of a model that say nothing about its mechanics.
_DESCRIPTIVE = (
    "Ground credits publications length_units force_units ModelVisualPreferences assembly_accuracy "
    "ProbeSet gravity defaults"
).split()


def read_model(path: str | Path) -> Model:
    """Read an OpenSim model file.

    Parameters
    ----------
    path : str or Path
        `.osim` file of version 40000 or later.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If the file is not an OpenSim model, is too old, or holds something that cannot be converted exactly;
        the message names the element, its line and the way out.
    """
    path = Path(path)
    element = _model_element(path)
    _refuse_other_parts(path, element)
    ignored: list[str] = []
    bodies = _objects(path, element, "BodySet", {"Body"}, ignored)
    frames = FrameTable(path, element)
    ignored += frames.ignored
    joints, coordinates = _read_joints(path, element, frames, bodies, ignored)
    for set_name in ("ConstraintSet", "ControllerSet", "MarkerSet"):
        _objects(path, element, set_name, set(), ignored)
    geometry = _objects(path, element, "ContactGeometrySet", SUPPORTED_CONTACT_GEOMETRY, ignored)
    spheres = tuple(_read_sphere(path, g, frames) for g in geometry if g.tag == "ContactSphere")
    half_spaces = tuple(_read_half_space(path, g, frames) for g in geometry if g.tag == "ContactHalfSpace")
    forces = _objects(path, element, "ForceSet", SUPPORTED_FORCES, ignored)
    imu_frames = [(n, frame) for n, frame in frames.on_bodies.items() if n.endswith("_imu")]
    return Model(
        name=element.get("name", path.stem),
        gravity=numbers(path, element, "gravity", 3, default=(0.0, -9.80665, 0.0)),
        bodies=tuple(_read_body(path, item) for item in bodies),
        joints=joints,
        coordinates=coordinates,
        imu_frames=tuple(ImuFrame(n, f.body, f.translation, f.rotation) for n, f in imu_frames),
        contact_spheres=spheres,
        half_spaces=half_spaces,
        contact_forces=tuple(_read_contact_force(path, f, spheres, half_spaces) for f in forces),
        ignored=tuple(ignored),
    )


def _model_element(path: Path):
    parser = etree.XMLParser(remove_comments=True, resolve_entities=False, recover=True)
    try:
        root = etree.parse(str(path), parser).getroot()
    except etree.XMLSyntaxError:
        root = None  # the parser's log says why
    except OSError as error:
        raise InputError("The model file cannot be read.", where=path, found=str(error)) from None
    # OpenSim writes `::` in some tags, which XML forbids only where namespaces matter; all else is an error.
    faults = [f for f in parser.error_log if f.domain_name != "NAMESPACE" and f.level_name != "WARNING"]
    if faults or root is None:
        raise InputError(
            "The model file is not well-formed XML.",
            where=f"{path}, line {faults[0].line if faults else 1}",
            found=faults[0].message if faults else "an empty file",
            fix="open the model in OpenSim and save it again",
        )
    version = root.get("Version", "")
    if root.tag != "OpenSimDocument" or root.find("Model") is None:
        raise InputError(
            "The file is not an OpenSim model.",
            where=f"{path}, line {root.sourceline}",
            expected="<OpenSimDocument> with a <Model> in it",
            found=f"<{root.tag}>" + (f" with <{root[0].tag}>" if len(root) else ""),
            fix="name the .osim file of a model, not a set-up file",
        )
    if not version.isdigit() or int(version) < OLDEST_VERSION:
        raise InputError(
            "The model file is of an older version.",
            where=f"{path}, line {root.sourceline}",
            expected=f"Version {OLDEST_VERSION} or later",
            found=f"Version '{version}'",
            fix="open the model in OpenSim 4 and save it",
        )
    return root.find("Model")


def _refuse_other_parts(path: Path, model) -> None:
    for part in children(model):
        if part.tag in _SETS or part.tag in _DESCRIPTIVE:
            continue
        if part.tag not in ("ComponentSet", "components"):
            raise refuse(path, part, "this part of a model is not known")
        for item in children(part, "objects") if part.tag == "ComponentSet" else children(part):
            raise refuse(path, item, "components outside the model's sets are not converted")


def _objects(path: Path, model, set_name: str, supported, ignored: list[str]) -> list:
    """Return the supported elements of a set; note the ignored ones, refuse the rest."""
    kept = []
    for item in children(model.find(set_name), "objects"):
        if supported is None or item.tag in supported:
            kept.append(item)
        elif item.tag in IGNORED:
            ignored.append(f"{item.tag} '{item.get('name')}': {IGNORED[item.tag]}")
        else:
            raise refuse(path, item, advice(item.tag))
    unique_names(path, kept, _KINDS.get(set_name, "element"))
    return kept


def _read_joints(path: Path, model, frames: FrameTable, bodies, ignored):
    """Return the joints in the order of the tree, and the coordinates in the order of the file."""
    elements = _objects(path, model, "JointSet", None, ignored)
    unique_names(path, [c for item in elements for c in children(item, "coordinates")], "coordinate")
    read = [read_joint(path, item, frames) for item in elements]
    joints = order_by_tree(path, [joint for joint, _ in read], elements, bodies)
    return joints, tuple(coordinate for _, coordinates in read for coordinate in coordinates)


def _read_body(path: Path, item) -> Body:
    mass = number(path, item, "mass")
    inertia = numbers(path, item, "inertia", 6, default=(0.0,) * 6)
    if mass < 0 or min(inertia[:3]) < 0:
        raise InputError(
            f"Body '{item.get('name')}' has a negative mass or moment of inertia.",
            where=locate(path, item),
            expected="mass and moments of inertia of zero or more",
            found=f"mass {mass}, inertia {inertia}",
            fix="correct the numbers in the model file",
        )
    return Body(name_of(path, item), mass, numbers(path, item, "mass_center", 3, default=_ZERO), inertia)


def _read_sphere(path: Path, item, frames: FrameTable) -> ContactSphere:
    frame = frames.resolve(item, child_value(path, item, "socket_frame"))
    location = frames.place(frame, numbers(path, item, "location", 3, default=_ZERO))
    return ContactSphere(item.get("name"), frame.body, location, number(path, item, "radius"))


def _read_half_space(path: Path, item, frames: FrameTable) -> HalfSpace:
    frame = frames.resolve(item, child_value(path, item, "socket_frame"))
    down = frames.turn(frame, numbers(path, item, "orientation", 3, default=_ZERO), axis=0)
    upright = abs(down[0]) < 1e-4 and abs(down[2]) < 1e-4 and down[1] < 0
    if frame.body != GROUND or not upright:
        raise refuse(path, item, "only a level floor fixed to ground is converted")
    return HalfSpace(
        item.get("name"), frames.place(frame, numbers(path, item, "location", 3, default=_ZERO))[1]
    )


def _read_contact_force(path: Path, item, spheres, half_spaces) -> ContactForce:
    sphere = child_value(path, item, "socket_sphere").rsplit("/", 1)[-1]
    half_space = child_value(path, item, "socket_half_space").rsplit("/", 1)[-1]
    if sphere not in {s.name for s in spheres} or half_space not in {h.name for h in half_spaces}:
        raise refuse(path, item, f"its sphere '{sphere}' or half space '{half_space}' is not in the model")
    numbers_of_law = {name: number(path, item, name, default) for name, default in _CONTACT_LAW.items()}
    return ContactForce(name_of(path, item), sphere, half_space, **numbers_of_law)
