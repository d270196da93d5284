"""Soles under the feet of a scaled model.

A person in shoes stands higher than the foot alone says, and on a foot that is tilted: the sole of a shoe is
usually thicker under the heel. Without soles the ankle of the estimate is off by that tilt.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import posture
from sspinn_opensim.anatomy.feet import foot_of
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree, write_model_tree


def put_on_shoes(subject: Path, heel_mm: float, forefoot_mm: float) -> list[str]:
    """Lower the contact spheres of each foot by the thickness of a sole.

    Parameters
    ----------
    subject : Path
        Scaled model, rewritten whole.
    heel_mm, forefoot_mm : float
        Thickness under the rearmost and the foremost sphere of a foot, toes included; in between it changes
        linearly.

    Returns
    -------
    list of str
        The spheres that were moved.

    Raises
    ------
    InputError
        If the model has no contact spheres on its bodies, or it cannot be read.
    """
    tree = read_model_tree(subject)
    spheres = {
        geometry.get("name"): (body, geometry)
        for body, geometry in contact_geometry(tree)
        if geometry.tag == "ContactSphere" and body != GROUND
    }
    if not spheres:
        raise InputError(
            "the model has no contact points that shoes could be put under",
            where=str(subject),
            expected="ContactSphere elements on the feet",
            fix="remove shoe_heel_mm and shoe_forefoot_mm from [person], or add contact spheres to the model",
        )
    model = read_model(subject)
    standing, feet = posture(model), {}
    for name, (body, geometry) in spheres.items():
        location = [float(x) for x in child_text(geometry, "location").split()]
        foot = foot_of(model, body, [carrier for carrier, _ in spheres.values()])
        feet.setdefault(foot, []).append((name, location))
    for foot in feet.values():
        forward = {name: standing.in_ground(spheres[name][0], location)[0] for name, location in foot}
        rear, front = min(forward.values()), max(forward.values())
        for name, location in foot:
            body, geometry = spheres[name]
            share = (forward[name] - rear) / (front - rear) if front > rear else 0.5
            drop = 0.001 * (heel_mm + share * (forefoot_mm - heel_mm))
            lower = np.array(location) - standing.rotation[body].T @ (0.0, drop, 0.0)
            geometry.find("location").text = " ".join(repr(float(x)) for x in lower)
    write_model_tree(subject, tree)
    return list(spheres)
