"""Feet of a model, found by its tree and its posture: names do not matter.

The measure of a foot is the distance from the ankle to the toe joint, as seen from above; without a toe joint
it is `_MEASURE_PER_SHANK` of the distance from knee to ankle.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.posture import Posture

#: Ankle to toe joint over knee to ankle: 0.130 m / 0.430 m in gait2392, 0.130 m / 0.400 m in Rajagopal2016.
_MEASURE_PER_SHANK = 0.31
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


def find_feet(model: Model, standing: Posture) -> tuple[Foot, ...]:
    """Return the feet: what hangs on the lowest two joints that carry the ends of the tree."""
    carrying = {joint.parent.body for joint in model.joints}
    chains = [_to_root(model, body.name) for body in model.bodies if body.name not in carrying]
    ends = (joint.child for joint in model.joints)
    centre = {end.body: standing.in_ground(end.body, end.translation) for end in ends}
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


def foot_of(model: Model, body: str, carrying: Collection[str], held: Container[str] | None = None) -> str:
    """Return the body of the foot that a body with contact points belongs to: toes belong to their foot.

    Parameters
    ----------
    held : container of str, optional
        Coordinates that do not move: toes that do move are a foot of their own. Left out, they are not.
    """
    found = body
    while body != GROUND:
        found = body if body in carrying else found
        if held is not None and moves(model, body, held):
            break
        body = model.joint_of(body).parent.body
    return found


def moves(model: Model, body: str, held: Container[str]) -> bool:
    """Say whether the joint that carries a body has a coordinate that is not held."""
    joint = model.joint_of(body)
    axes = (*joint.rotations, *joint.translations)
    return any(axis.coordinate and axis.coordinate not in held for axis in axes)


def _foot(model: Model, standing: Posture, chain: list[str], centre, lowest: float) -> Foot | None:
    """Return the foot at the end of a chain of bodies, given from its end to the root."""
    joints = [centre[body] for body in chain]
    gaps = np.diff([joint[1] for joint in joints])
    ankle_at = int(np.argmax(gaps > _LONG * gaps.max()))  # the first long bone from the floor is the shank
    shank, bodies = gaps[ankle_at], chain[: ankle_at + 1]
    if len(chain) < ankle_at + 3 or joints[0][1] - lowest > _LEVEL * shank:
        return None
    ankle, end = joints[ankle_at], joints[0]
    masses = (standing.in_ground(body, model.body(body).mass_center) for body in bodies)
    if any(ankle[1] - mass[1] > _FLAT * shank for mass in masses):
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


def _to_root(model: Model, body: str) -> list[str]:
    chain = []
    while body != GROUND:
        chain.append(body)
        body = model.joint_of(body).parent.body
    return chain
