"""An `.osim` file as a `Model`: every element is used, ignored for a stated reason, or refused by name."""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.model import Body, ContactForce, ContactSphere, HalfSpace, ImuFrame, Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim.components import Component, collect
from casadi_dynamics.osim.constraints import read_constraints
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.document import read_document
from casadi_dynamics.osim.forces import read_force, read_geometry
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.joints import order_by_tree, read_joint
from casadi_dynamics.osim.muscles import read_muscle
from casadi_dynamics.osim.xml import Element, unique_names

#: Kinds whose members the rest of the project knows by name alone.
_KNOWN_BY_NAME = ("body", "joint", "coordinate", "force", "muscle", "constraint", "contact geometry")


def read_model(path: str | Path) -> Model:
    """Read an OpenSim model file.

    Parameters
    ----------
    path : str or Path
        `.osim` file of version 40000 or later.

    Raises
    ------
    InputError
        If the file is not an OpenSim model, is too old, or holds something that cannot be converted exactly;
        the message names the element, its line and the way out.
    """
    path = Path(path)
    element = read_document(path)
    components, ignored = collect(element)

    def of(kind: str) -> list[Component]:
        return [component for component in components if component.kind == kind]

    for kind in _KNOWN_BY_NAME:
        unique_names([component.element for component in of(kind)], kind)
    frames = FrameTable(components)
    joint_elements = [component.element for component in of("joint")]
    read = [read_joint(item, frames) for item in joint_elements]
    body_elements = [component.element for component in of("body")]
    joints = order_by_tree([joint for joint, _ in read], joint_elements, body_elements)
    coordinates = tuple(coordinate for _, found in read for coordinate in found)
    context = Context(
        frames,
        coordinates=dict(zip((c.address for c in of("coordinate")), coordinates, strict=True)),
        geometry={c.address: read_geometry(c.element, frames) for c in of("contact geometry")},
    )
    forces = [read_force(component.element, context) for component in of("force")]
    elements = [component.element for component in of("constraint")]
    constraints, loose = read_constraints(elements, context, joints)
    geometry = context.geometry.values()
    return Model(
        name=element.node.get("name", path.stem),
        gravity=element.numbers("gravity", 3, default=(0.0, -9.80665, 0.0)),
        bodies=tuple(_read_body(item) for item in body_elements),
        joints=joints,
        coordinates=coordinates,
        imu_frames=_imu_frames(of("frame"), frames),
        contact_spheres=tuple(g for g in geometry if isinstance(g, ContactSphere)),
        half_spaces=tuple(g for g in geometry if isinstance(g, HalfSpace)),
        contact_forces=tuple(f for f in forces if isinstance(f, ContactForce)),
        ignored=(*ignored, *loose),
        forces=tuple(f for f in forces if not isinstance(f, ContactForce)),
        muscles=tuple(read_muscle(c.element, context) for c in of("muscle")),
        constraints=constraints,
    )


def _imu_frames(components: list[Component], frames: FrameTable) -> tuple[ImuFrame, ...]:
    found = [component for component in components if component.name.endswith("_imu")]
    unique_names([component.element for component in found], "IMU frame")
    placed = [(component.name, frames.at(component.address)) for component in found]
    return tuple(ImuFrame(name, f.body, f.translation, f.rotation) for name, f in placed)


def _read_body(item: Element) -> Body:
    name, mass = item.name, item.number("mass")
    inertia = item.numbers("inertia", 6, default=(0.0,) * 6)
    if mass < 0 or min(inertia[:3]) < 0 or name == GROUND:
        raise item.error(
            f"Body '{name}' has a negative mass or moment of inertia, or ground's name.",
            expected="mass and moments of inertia of zero or more",
            found=f"mass {mass}, inertia {inertia}",
            fix="correct the numbers in the model file",
        )
    if mass == 0:  # what OpenSim does with the inertia of a massless body
        inertia = (0.0,) * 6
    return Body(name, mass, item.numbers("mass_center", 3, default=(0.0, 0.0, 0.0)), inertia)
