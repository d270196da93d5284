"""Feet of a motion as seen from above: where they are and which way they point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import BodyFunctions, build
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
    poses = body_poses(build(without_forces(model)), coordinates(model, motion), tuple(_HEELS.values()))
    return {side: (poses[body][0], poses[body][1][:, :, 0]) for side, body in _HEELS.items()}


def coordinates(model: Model, motion: Table) -> np.ndarray:
    """Return the coordinates (n, c) of a motion in the model's order, rad and m."""
    unit = np.pi / 180 if motion.in_degrees else 1.0
    q = np.tile([c.default for c in model.coordinates], (len(motion.time_s), 1)).astype(float)
    for column, coordinate in zip(q.T, model.coordinates, strict=True):
        if coordinate.name in motion.names:
            column[:] = motion.column(coordinate.name) * (unit if coordinate.motion == "rotational" else 1.0)
    return q


def body_poses(
    functions: BodyFunctions, q: np.ndarray, bodies: Iterable[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return origin (n, 3) and axes (n, 3, 3), in columns, of bodies in ground, for coordinates (n, c)."""
    still = np.zeros(q.shape[1])
    out = functions.kinematics(q=q.T, u=still, udot=still, parameters=functions.parameters)
    position, rotation = (np.array(out[name]).T for name in ("position", "rotation"))
    places = {body: functions.bodies.index(body) for body in bodies}
    return {
        body: (position[:, 3 * k : 3 * k + 3], rotation[:, 9 * k : 9 * k + 9].reshape(-1, 3, 3))
        for body, k in places.items()
    }


def on_foot(foot: tuple[np.ndarray, np.ndarray], point: np.ndarray) -> np.ndarray:
    """Return how far points (n, 3) on the floor are forward and right of the calcaneus, (n, 2), m."""
    origin, forward = foot
    ahead = forward[:, [0, 2]] / np.linalg.norm(forward[:, [0, 2]], axis=1, keepdims=True)
    away = (point - origin)[:, [0, 2]]
    right = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    return np.column_stack([(away * ahead).sum(axis=1), (away * right).sum(axis=1)])
