"""Contact spheres under the feet of a model that has none, placed by the model's own facts.

OpenSim's gait models come without contact: forces are measured there. An estimate needs points where the
floor may push. They are put under the heel, the heads of the first and fifth metatarsal, and, if the model
has a toe joint that moves, the great toe. A foot whose toes are held rolls over a point between ball and tip:
there the points under the metatarsals are moved forward instead.

The measure of a foot is the distance from the ankle to the toe joint, as seen from above; without a toe joint
it is `_MEASURE_PER_SHANK` of the distance from knee to ankle. Muscles know more: the heel is where the
rearmost of them ends, the tip of the toes where the foremost does, and all of them run above the sole. Where
there are none, proportions of OpenSim's gait2392 and Rajagopal2016 stand in.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ContactSphere, Model
from casadi_dynamics.model.muscles import MovingPathPoint
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic.posture import Posture, posture
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree, write_model_tree

#: Ankle to toe joint over knee to ankle: 0.130 m / 0.430 m in gait2392, 0.130 m / 0.400 m in Rajagopal2016.
_MEASURE_PER_SHANK = 0.31
#: Places in measures of the foot: from the ankle forward, from the line of the foot outward.
_HEEL = (-0.375, 0.0)
_FIRST_METATARSAL, _FIFTH_METATARSAL = (1.0, -0.27), (0.80, 0.33)
_TOE = (1.43, -0.07)
#: How much further forward the metatarsals of a foot with rigid toes push. Participant P01 on gait2392, 700
#: steps: ankle 3.8 deg and reserves 2.4 % of the peak moment; with a point under rigid toes 5.0 deg and 6 %.
_RIGID = 0.23
#: Sole below the ankle, in measures: so far are the ankles of gait2392 (0.058 m) and Rajagopal2016 (0.057 m)
#: above ground in their default posture.
_SOLE = 0.45
#: Between the lowest tendon and the floor, in measures (0.0045 m in gait2392).
_FLESH = 0.035
#: Radius of a sphere, in measures: a fifth of the breadth of a foot.
_RADIUS = 0.15
#: From the floor up, the first gap between joints that is longer than this share of the longest is the shank.
_LONG = 0.5
#: Feet end level with one another within this share of the shank.
_LEVEL = 0.25
#: The mass centre of a foot is less than this share of the shank below the ankle; a shank's below its knee
#: is more.
_FLAT = 0.3
#: A joint that is further in front of the ankle than this share of the shank is the toe joint; a subtalar
#: joint is behind the ankle.
_TOE_JOINT = 0.12
FLOOR = "floor"


@dataclass(frozen=True)
class Foot:
    """One foot of a model, standing upright.

    Attributes
    ----------
    main, toes : str
        Body of heel and metatarsals; body in front of the toe joint, or empty.
    bodies : tuple of str
        All bodies of the foot, the first one carried by the ankle.
    ankle : (3,) ndarray
        In ground, m.
    measure : float
        Ankle to toe joint, or what stands in for it, m.
    outward : float
        Direction of the little toe along z of ground; 0 where both legs share a plane.
    line_z : float
        z of the line of the foot in ground, m.
    """

    main: str
    toes: str
    bodies: tuple[str, ...]
    ankle: np.ndarray
    measure: float
    outward: float
    line_z: float


def put_under_feet(subject: Path, held: Container[str] = ()) -> tuple[ContactSphere, ...]:
    """Give a model contact spheres and a floor, unless it has spheres of its own.

    Parameters
    ----------
    subject : Path
        Scaled model, rewritten whole.
    held : container of str
        Coordinates that do not move.

    Returns
    -------
    tuple of ContactSphere
        Those that were added; empty if the model has its own.

    Raises
    ------
    InputError
        The model cannot be read, or no feet can be told.
    """
    tree = read_model_tree(subject)
    if any(g.tag == "ContactSphere" and body != GROUND for body, g in contact_geometry(tree)):
        return ()
    spheres = foot_spheres(read_model(subject), held)
    add_contact(tree, spheres)
    write_model_tree(subject, tree)
    return spheres


def foot_spheres(model: Model, held: Container[str] | None = None) -> tuple[ContactSphere, ...]:
    """Return the contact spheres that belong under the feet of a model.

    Parameters
    ----------
    model : Model
    held : container of str, optional
        Coordinates that do not move: toes whose joint has no other, or none at all, are rigid. Left out, all
        toes are taken to move, which gives the places by anatomy alone.

    Returns
    -------
    tuple of ContactSphere
        For each foot `heel`, `metatarsal1`, `metatarsal5` and, with a toe joint that moves, `toe`, all just
        touching the floor when it stands flat.

    Raises
    ------
    InputError
        No feet can be told.
    """
    standing = posture(model)
    feet = find_feet(model, standing)
    return tuple(sphere for foot in feet for sphere in _spheres(model, standing, foot, held))


def find_feet(model: Model, standing: Posture) -> tuple[Foot, ...]:
    """Return the feet: what hangs on the lowest two joints that carry the ends of the tree.

    Raises
    ------
    InputError
        If no leg with a knee and an ankle ends lowest.
    """
    chains = [_to_root(model, body.name) for body in model.bodies if _ends(model, body.name)]
    centre = {joint.child.body: _centre(standing, joint) for joint in model.joints}
    chains = [chain for chain in chains if len(chain) >= 3]  # a foot, a shank and what carries it
    lowest = min((centre[chain[0]][1] for chain in chains), default=0.0)
    feet = {}
    for chain in chains:
        foot = _foot(model, standing, chain, centre, lowest)
        if foot is not None:
            feet.setdefault(foot.bodies[0], foot)
    if not feet:
        raise InputError(
            "No feet can be told, so no contact points can be put under them.",
            where=f"model '{model.name}'",
            expected="legs with a knee and an ankle that end lowest when the model stands upright",
            found=", ".join(body.name for body in model.bodies),
            fix="add ContactSphere elements under heel and toe of both feet in OpenSim",
        )
    return tuple(feet.values())


def add_contact(tree: etree._ElementTree, spheres: Iterable[ContactSphere], floor_m: float = 0.0) -> None:
    """Add spheres, and a floor at a height in ground where there is none, to the model in an XML tree.

    They are geometry alone: without a contact force nothing of the model's behaviour in OpenSim changes.
    """
    model = tree.find("Model")
    holder = model.find("ContactGeometrySet")
    if holder is None:
        holder = etree.SubElement(model, "ContactGeometrySet", name="contactgeometryset")
    objects = holder.find("objects")
    if objects is None:
        objects = etree.Element("objects")
        holder.insert(0, objects)
    taken = {element.get("name") for element in objects}
    if not any(geometry.tag == "ContactHalfSpace" for _, geometry in contact_geometry(tree)):
        # The solid is on the side of x of its frame: x points down.
        floor = etree.SubElement(objects, "ContactHalfSpace", name=_free(FLOOR, taken))
        _fill(floor, socket_frame="/ground", location=(0.0, floor_m, 0.0), orientation=(0.0, 0.0, -np.pi / 2))
    for sphere in spheres:
        element = etree.SubElement(objects, "ContactSphere", name=_free(sphere.name, taken))
        _fill(
            element, socket_frame=f"/bodyset/{sphere.body}", location=sphere.location, radius=(sphere.radius,)
        )


def _free(name: str, taken: set) -> str:
    while name in taken:
        name = f"{name}_floor"
    taken.add(name)
    return name


def _fill(element: etree._Element, **properties) -> None:
    for tag, value in properties.items():
        text = value if isinstance(value, str) else " ".join(repr(float(x)) for x in value)
        etree.SubElement(element, tag).text = text


def _foot(model: Model, standing: Posture, chain: list[str], centre, lowest: float) -> Foot | None:
    """Return the foot at the end of a chain of bodies, given from its end to the root."""
    joints = [centre[body] for body in chain]
    gaps = np.diff([joint[1] for joint in joints])
    ankle_at = int(np.argmax(gaps > _LONG * gaps.max()))  # the first long bone from the floor is the shank
    shank, bodies = gaps[ankle_at], chain[: ankle_at + 1]
    if len(chain) < ankle_at + 3 or joints[0][1] - lowest > _LEVEL * shank:
        return None
    ankle, end = joints[ankle_at], joints[0]
    if any(ankle[1] - _mass_center(model, standing, body)[1] > _FLAT * shank for body in bodies):
        return None
    toes = bodies[0] if len(bodies) > 1 and end[0] - ankle[0] > _TOE_JOINT * shank else ""
    return Foot(
        main=bodies[1] if toes else bodies[0],
        toes=toes,
        bodies=tuple(reversed(bodies)),
        ankle=ankle,
        measure=float(end[0] - ankle[0]) if toes else _MEASURE_PER_SHANK * float(shank),
        outward=float(np.sign(round(ankle[2] - standing.position[chain[-1]][2], 3))),
        line_z=float(end[2]),
    )


def _spheres(model: Model, standing: Posture, foot: Foot, held: Container[str] | None) -> list[ContactSphere]:
    points = _tendons(model, standing, foot.bodies) - foot.ankle
    measure, radius = foot.measure, _RADIUS * foot.measure
    lowest = points[:, 1].min(initial=0.0) - _FLESH * measure
    sole = foot.ankle[1] + min(-_SOLE * measure, lowest)
    heel = points[:, 0].min(initial=np.inf)
    rear = heel if heel < -0.2 * measure else _HEEL[0] * measure
    tip = points[:, 0].max(initial=-np.inf)
    front = tip if tip > 1.2 * measure else _TOE[0] * measure
    rolling = bool(foot.toes) and (held is None or _moves(model, foot.toes, held))
    ahead = 0.0 if rolling else _RIGID
    places = {
        "heel": (foot.main, rear, _HEEL[1]),
        "metatarsal1": (foot.main, (_FIRST_METATARSAL[0] + ahead) * measure, _FIRST_METATARSAL[1]),
        "metatarsal5": (foot.main, (_FIFTH_METATARSAL[0] + ahead) * measure, _FIFTH_METATARSAL[1]),
    }
    if rolling:
        places["toe"] = (foot.toes, front, _TOE[1])
    found = []
    for name, (body, forward, outward) in places.items():
        z = foot.line_z + foot.outward * outward * measure
        location = standing.in_body(body, (foot.ankle[0] + forward, sole + radius, z))
        found.append(ContactSphere(f"{name}{_suffix(foot)}", body, tuple(map(float, location)), radius))
    return found


def _moves(model: Model, body: str, held: Container[str]) -> bool:
    joint = model.joint_of(body)
    axes = (*joint.rotations, *joint.translations)
    return any(axis.coordinate and axis.coordinate not in held for axis in axes)


def _suffix(foot: Foot) -> str:
    """Return what tells the foot's side in names of spheres, as its body's name does."""
    side = re.search(r"[_.]?(r|l|right|left)$", foot.main, re.IGNORECASE)
    if side:
        return f"_{side[1].lower()}"
    return {1.0: "_r", -1.0: "_l"}.get(foot.outward, f"_{foot.main}")


def _tendons(model: Model, standing: Posture, bodies: tuple[str, ...]) -> np.ndarray:
    """Return the points of muscles on some bodies, (k, 3) in ground."""
    points = [point for muscle in model.muscles for point in muscle.path.points if point.body in bodies]
    fixed = [point for point in points if not isinstance(point, MovingPathPoint)]
    return np.array([standing.in_ground(point.body, point.location) for point in fixed]).reshape(-1, 3)


def _mass_center(model: Model, standing: Posture, body: str) -> np.ndarray:
    return standing.in_ground(body, model.body(body).mass_center)


def _centre(standing: Posture, joint) -> np.ndarray:
    return standing.in_ground(joint.child.body, joint.child.translation)


def _ends(model: Model, body: str) -> bool:
    return not any(joint.parent.body == body for joint in model.joints)


def _to_root(model: Model, body: str) -> list[str]:
    chain = []
    while body != GROUND:
        chain.append(body)
        body = model.joint_of(body).parent.body
    return chain
