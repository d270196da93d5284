"""Contact spheres under the feet of a model that has none, placed by the model's own facts.

OpenSim's gait models come without contact: forces are measured there. An estimate needs points where the
floor may push. They are put under the heel, the heads of the first and fifth metatarsal, and, if the model
has a toe joint that moves, the great toe. A foot whose toes are held rolls over a point between ball and tip:
there the points under the metatarsals are moved forward instead. In a model whose root stays in the sagittal
plane nothing tells two points beside each other apart: there one stands for both metatarsals.

Places are in measures of the foot (`anatomy.feet`). Muscles know more: the heel is where the
rearmost of them ends, the tip of the toes where the foremost does, and all of them run above the sole. Where
there are none, proportions of OpenSim's gait2392 and Rajagopal2016 stand in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.model import ContactSphere, Model
from casadi_dynamics.model.muscles import MovingPathPoint
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic.posture import Posture, posture
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.anatomy.feet import Foot, find_feet, moves
from sspinn_opensim.anatomy.sagittal import root_stays_in_plane
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree, write_model_tree

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
FLOOR = "floor"


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
        In its default posture, upright.
    held : container of str, optional
        Coordinates that do not move: toes whose joint has no other, or none at all, are rigid. Left out, all
        that can move is taken to, which gives the places by anatomy alone.

    Returns
    -------
    tuple of ContactSphere
        For each foot `heel`, `metatarsal1`, `metatarsal5` (`forefoot` half-way between them, if what is held
        keeps the root in the sagittal plane) and, with a toe joint that moves, `toe`, all just touching the
        floor when it stands flat.

    Raises
    ------
    InputError
        No feet can be told.
    """
    standing = posture(model)
    feet = find_feet(model, standing)
    planar = held is not None and root_stays_in_plane(model, held)
    return tuple(sphere for foot in feet for sphere in _spheres(model, standing, foot, held, planar=planar))


def add_contact(tree: etree._ElementTree, spheres: Iterable[ContactSphere]) -> None:
    """Add spheres, and a floor at y = 0 where there is none, to the model in an XML tree.

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
        _fill(floor, socket_frame="/ground", location=(0.0, 0.0, 0.0), orientation=(0.0, 0.0, -np.pi / 2))
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


def _fill(element: etree._Element, **properties: str | Iterable[float]) -> None:
    for tag, value in properties.items():
        text = value if isinstance(value, str) else " ".join(repr(float(x)) for x in value)
        etree.SubElement(element, tag).text = text


def _spheres(
    model: Model, standing: Posture, foot: Foot, held: Container[str] | None, *, planar: bool
) -> list[ContactSphere]:
    points = _tendons(model, standing, foot.bodies) - foot.ankle
    measure, radius = foot.measure, _RADIUS * foot.measure
    lowest = points[:, 1].min(initial=0.0) - _FLESH * measure
    sole = foot.ankle[1] + min(-_SOLE * measure, lowest)
    heel = points[:, 0].min(initial=np.inf)
    rear = heel if heel < -0.2 * measure else _HEEL[0] * measure
    tip = points[:, 0].max(initial=-np.inf)
    front = tip if tip > 1.2 * measure else _TOE[0] * measure
    rolling = bool(foot.toes) and (held is None or moves(model, foot.toes, held))
    ahead = 0.0 if rolling else _RIGID
    ball = {"metatarsal1": _FIRST_METATARSAL, "metatarsal5": _FIFTH_METATARSAL}
    if planar:
        (first, inward), (fifth, outward) = ball.values()
        ball = {"forefoot": ((first + fifth) / 2, (inward + outward) / 2)}
    places = {"heel": (foot.main, rear, _HEEL[1])}
    places |= {name: (foot.main, (x + ahead) * measure, z) for name, (x, z) in ball.items()}
    if rolling:
        places["toe"] = (foot.toes, front, _TOE[1])
    found = []
    for name, (body, forward, outward) in places.items():
        z = foot.line_z + foot.outward * outward * measure
        x, y, z = map(float, standing.in_body(body, (foot.ankle[0] + forward, sole + radius, z)))
        found.append(ContactSphere(f"{name}{_suffix(foot)}", body, (x, y, z), radius))
    return found


def _suffix(foot: Foot) -> str:
    """Return what tells the foot's side in names of spheres, as its body's name does."""
    return f"_{side_of(foot.main) or {1.0: 'r', -1.0: 'l'}.get(foot.outward, foot.main)}"


def _tendons(model: Model, standing: Posture, bodies: tuple[str, ...]) -> np.ndarray:
    """Return the points of muscles on some bodies, (k, 3) in ground."""
    points = [point for muscle in model.muscles for point in muscle.path.points if point.body in bodies]
    fixed = [point for point in points if not isinstance(point, MovingPathPoint)]
    return np.array([standing.in_ground(point.body, point.location) for point in fixed]).reshape(-1, 3)
