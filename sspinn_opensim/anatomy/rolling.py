"""Circles that walking people's shanks roll on: where the forces under their feet act."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy.feet import find_feet
from sspinn_opensim.anatomy.joint_centres import default_posture, joint_centre

#: Radius over body height (Hansen and Meier 2010, Clin Biomech 25:248).
RADIUS = 0.22
#: How far the centre is ahead of the axis of the shank, over body height.
AHEAD = 0.018


@dataclass(frozen=True)
class Circle:
    """The circle of one leg: the floor touches it under its centre, and there the force acts.

    From a strike to the strike of the other foot the points of force go along it in the axes of the shank,
    whatever the speed, the load or the shoe (Hansen and Childress 2010, Disabil Rehabil 32:2201).

    Attributes
    ----------
    shank : str
        Body that carries it.
    foot : tuple of str
        Bodies of the foot below.
    ankle : (3,) ndarray
        Centre of the ankle in the axes of the shank, m.
    top : (3,) ndarray
        Point of the shank's axis, from ankle to knee, that is a radius above the floor in standing, m. The
        centre is ahead of it.
    """

    shank: str
    foot: tuple[str, ...]
    ankle: np.ndarray
    top: np.ndarray


def circles(model: Model, height_m: float) -> tuple[Circle, ...]:
    """Return the circles of a model whose feet touch the floor; none where it has no legs that can be told.

    Parameters
    ----------
    height_m : float
        Of the person.
    """
    standing = default_posture(model)
    try:
        feet = find_feet(model, standing)
    except InputError:
        return ()
    found = []
    for foot in feet:
        on_foot = [sphere for sphere in model.contact_spheres if sphere.body in foot.bodies]
        if not on_foot:
            continue
        floor = min(standing.in_ground(each.body, each.location)[1] - each.radius for each in on_foot)
        joint = model.joint_of(foot.bodies[0])
        shank = joint.parent.body
        ankle, knee = (joint_centre(model, one, shank) for one in (joint, model.joint_of(shank)))
        axis = (knee - ankle) / np.linalg.norm(knee - ankle)
        top = ankle + (RADIUS * height_m - (foot.ankle[1] - floor)) * axis
        found.append(Circle(shank, foot.bodies, ankle, top))
    return tuple(found)
