"""Coordinates of a model that turn in the sagittal plane."""

from __future__ import annotations

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic.posture import posture

#: A joint turns in the sagittal plane if its axis is within 30 degrees of z: ankles are (12), toes not (36).
_COSINE = 0.866


def sagittal_coordinates(model: Model) -> dict[str, int]:
    """Return the joint angles that turn about z of ground when standing, +1 or -1 for the way they count."""
    axes = posture(model).axis
    turning = {c.name: axes[c.name] for c in model.coordinates if c.motion == "rotational" and c.name in axes}
    return {
        name: 1 if axis[2] > 0 else -1
        for name, axis in turning.items()
        if abs(axis[2]) > _COSINE * (axis @ axis) ** 0.5
    }
