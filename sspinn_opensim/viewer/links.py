"""Rods from joint to joint: a body as it can be drawn from its model alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND, Vector3


@dataclass(frozen=True)
class Station:
    """A point of a body, m, in the axes of the body."""

    body: str
    location: Vector3


@dataclass(frozen=True)
class Link:
    """A straight piece of `body`, between two points that may be of different bodies.

    A thigh ends where the shank begins, also where the knee moves along it.
    """

    body: str
    start: Station
    end: Station


def body_links(model: Model) -> tuple[Link, ...]:
    """Return the rods of a model: from the joint that carries a body to those that it carries.

    From there also to its contact spheres, which with two of them close a foot; a body without any of these
    reaches through its mass centre.
    """
    found: list[Link] = []
    own = {
        body.name: Station(body.name, model.joint_of(body.name).child.translation) for body in model.bodies
    }
    for body in model.bodies:
        begin = own[body.name]
        ends = [own[joint.child.body] for joint in model.joints if joint.parent.body == body.name]
        feet = [Station(body.name, s.location) for s in model.contact_spheres if s.body == body.name]
        tips = [*ends, *feet]
        if not tips and model.joint_of(body.name).parent.body != GROUND:
            reach = 2 * np.array(body.mass_center)
            tips = [Station(body.name, tuple(float(x) for x in reach))]
        found += [Link(body.name, begin, tip) for tip in tips]
        if len(feet) == 2:
            found.append(Link(body.name, *feet))
    return tuple(found)
