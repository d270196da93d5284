"""The sagittal plane of a model: coordinates that turn in it, and whether the root stays in it."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.posture import posture

#: A joint turns in the sagittal plane if its axis is within 30 degrees of z: ankles are (12), toes not (36).
_COSINE = 0.866
#: Axes of the root are along those of ground: this close to one counts.
_ALIGNED = 0.99


def sagittal_coordinates(model: Model) -> dict[str, int]:
    """Return the joint angles that turn about z of ground when standing, +1 or -1 for the way they count."""
    axes = posture(model).axis
    turning = {c.name: axes[c.name] for c in model.coordinates if c.motion == "rotational" and c.name in axes}
    return {
        name: 1 if axis[2] > 0 else -1
        for name, axis in turning.items()
        if abs(axis[2]) > _COSINE * (axis @ axis) ** 0.5
    }


def root_stays_in_plane(model: Model, held: Container[str]) -> bool:
    """Say whether the root neither steps sideways nor turns out of the sagittal plane.

    Parameters
    ----------
    held : container of str
        Coordinates that do not move.
    """
    axes = posture(model).axis
    for joint in (joint for joint in model.joints if joint.parent.body == GROUND):
        moving = (axis for axis in joint.translations if axis.coordinate and axis.coordinate not in held)
        for axis in moving:
            direction = np.array(joint.parent.rotation) @ np.array(axis.axis)
            if abs(direction[2]) > 1.0 - _ALIGNED:
                return False
        turning = {axis.coordinate for axis in joint.rotations if axis.coordinate} & set(axes)
        if any(abs(axes[name][2]) < _ALIGNED for name in turning if name not in held):
            return False
    return True
