"""Shanks of a model: from ankle to knee, above the feet that touch the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy.feet import find_feet
from sspinn_opensim.anatomy.joint_centres import default_posture, joint_centre


@dataclass(frozen=True)
class Shank:
    """One shank.

    Attributes
    ----------
    body : str
        The shank itself.
    foot : tuple of str
        Bodies of the foot below, toes included.
    ankle, knee : (3,) ndarray
        Centres of its joints in its own axes, m.
    """

    body: str
    foot: tuple[str, ...]
    ankle: np.ndarray
    knee: np.ndarray


def shanks(model: Model) -> tuple[Shank, ...]:
    """Return the shanks above feet with contact points; none where a model has no legs that can be told."""
    try:
        feet = find_feet(model, default_posture(model))
    except InputError:
        return ()
    touching = {sphere.body for sphere in model.contact_spheres}
    found = []
    for foot in feet:
        if touching.isdisjoint(foot.bodies):
            continue
        ankle = model.joint_of(foot.bodies[0])
        body = ankle.parent.body
        ends = (joint_centre(model, joint, body) for joint in (ankle, model.joint_of(body)))
        found.append(Shank(body, foot.bodies, *ends))
    return tuple(found)
