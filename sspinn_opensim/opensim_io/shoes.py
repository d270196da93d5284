"""Soles under the feet of a scaled model.

A person in shoes stands higher than the foot alone says, and on a foot that is tilted: the sole of a shoe is
usually thicker under the heel. Without soles the ankle of the estimate is off by that tilt.
"""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.model_file import (
    child_text,
    contact_geometry,
    read_model_tree,
    write_model_tree,
)


def put_on_shoes(subject: Path, heel_mm: float, forefoot_mm: float) -> list[str]:
    """Lower the contact spheres of each foot by the thickness of a sole.

    Parameters
    ----------
    subject : Path
        Scaled model, rewritten whole. Feet stand with y up.
    heel_mm, forefoot_mm : float
        Thickness under the rearmost and the foremost sphere of a foot; in between it changes linearly.

    Returns
    -------
    list of str
        The spheres that were moved.

    Raises
    ------
    InputError
        If the model has no contact spheres on its bodies.
    """
    tree = read_model_tree(subject)
    feet: dict[str, list] = {}
    for body, geometry in contact_geometry(tree):
        if geometry.tag == "ContactSphere" and body != "ground":
            feet.setdefault(body, []).append(geometry)
    if not feet:
        raise InputError(
            "the model has no contact points that shoes could be put under",
            where=str(subject),
            expected="ContactSphere elements on the feet",
            fix="remove shoe_heel_mm and shoe_forefoot_mm from [person], or add contact spheres to the model",
        )
    for spheres in feet.values():
        places = [[float(x) for x in child_text(sphere, "location").split()] for sphere in spheres]
        rear, front = min(x for x, _, _ in places), max(x for x, _, _ in places)
        for sphere, (x, y, z) in zip(spheres, places, strict=True):
            share = (x - rear) / (front - rear) if front > rear else 0.5
            lower = y - 0.001 * (heel_mm + share * (forefoot_mm - heel_mm))
            sphere.find("location").text = f"{x!r} {lower!r} {z!r}"
    write_model_tree(subject, tree)
    return [sphere.get("name", "") for spheres in feet.values() for sphere in spheres]
