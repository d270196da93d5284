"""Feet of a motion as seen from above: where they are and which way they point."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.posture import without_forces
from sspinn_opensim.opensim_io.tables.storage import Table

#: The bodies that carry the heel, in the models of these recordings.
_HEELS = {"r": "calcn_r", "l": "calcn_l"}


def foot_frames(model: Model, motion: Table) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return origin (n, 3) and forward axis (n, 3) of each calcaneus in ground, by side.

    Parameters
    ----------
    motion : Table
        Coordinates of the model; those it lacks are at their default.
    """
    functions = build(without_forces(model))
    unit = np.pi / 180 if motion.in_degrees else 1.0
    q = np.array([np.full(len(motion.time_s), c.default) for c in model.coordinates])
    for row, coordinate in zip(q, model.coordinates, strict=True):
        if coordinate.name in motion.names:
            row[:] = motion.column(coordinate.name) * (unit if coordinate.motion == "rotational" else 1.0)
    still = np.zeros(len(model.coordinates))
    out = functions.kinematics(q=q, u=still, udot=still, parameters=functions.parameters)
    position, rotation = (np.array(out[name]).T for name in ("position", "rotation"))
    frames = {}
    for side, body in _HEELS.items():
        k = functions.bodies.index(body)
        forward = rotation[:, 9 * k : 9 * k + 9].reshape(-1, 3, 3)[:, :, 0]
        frames[side] = (position[:, 3 * k : 3 * k + 3], forward)
    return frames


def on_foot(foot: tuple[np.ndarray, np.ndarray], point: np.ndarray) -> np.ndarray:
    """Return how far points (n, 3) on the floor are forward and right of the calcaneus, (n, 2), m."""
    origin, forward = foot
    ahead = forward[:, [0, 2]] / np.linalg.norm(forward[:, [0, 2]], axis=1, keepdims=True)
    away = (point - origin)[:, [0, 2]]
    right = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    return np.column_stack([(away * ahead).sum(axis=1), (away * right).sum(axis=1)])
