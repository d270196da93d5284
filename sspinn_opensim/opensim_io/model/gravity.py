"""Gravity of a model, which a study needs along -y: floor, contact and sensors depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import read_model_tree

#: OpenSim's default, m/s^2; on earth it is 9.78 to 9.83, and files round it.
USUAL = (0.0, -9.80665, 0.0)
#: How far a model's gravity may be from it, m/s^2: as much as a tilt of 1.7 degrees.
_TOLERANCE = 0.3


def gravity_doubt(gravity: Sequence[float]) -> str:
    """Return what is wrong with a gravity (x, y, z), m/s^2; empty where it is that of a person on earth."""
    found, strength = np.asarray(gravity, float), float(np.linalg.norm(gravity))
    if np.linalg.norm(found - USUAL) <= _TOLERANCE:
        return ""
    if not strength:
        return "the model has no gravity"
    if abs(strength + USUAL[1]) > _TOLERANCE:
        return f"the model's gravity is {strength:g} m/s^2"
    return "the model's gravity does not point along -y"


def check_gravity(gravity: Sequence[float], where: str) -> None:
    """Refuse a model of a study whose gravity is not about 9.8 m/s^2 along -y.

    Raises
    ------
    InputError
        Which names the model, `where`.
    """
    doubt = gravity_doubt(gravity)
    if doubt:
        raise InputError(
            f"{doubt[0].upper()}{doubt[1:]}.",
            where=f"{where}, <gravity>",
            expected=f"about {' '.join(f'{x:g}' for x in USUAL)}, y up",
            found=" ".join(f"{x:g}" for x in gravity),
            fix="set <gravity> of the model, and turn a model that has another axis up",
        )


def gravity_of_file(path: Path) -> tuple[float, ...]:
    """Return the gravity that a model file states, or OpenSim's default, m/s^2."""
    text = child_text(read_model_tree(path).find("Model"), "gravity")
    return tuple(map(float, text.split())) if text else USUAL
