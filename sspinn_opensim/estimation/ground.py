"""Forces at contact points as one force per foot at its centre of pressure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinn_opensim.training.subject import Subject

#: Below this share of body weight a foot's centre of pressure means nothing: the force acts at its middle.
LEAST_LOAD = 0.02


@dataclass(frozen=True)
class GroundForces:
    """What the floor does to each foot, in ground.

    Attributes
    ----------
    feet : tuple of str
        Bodies.
    force, point, torque : (..., f, 3) ndarrays
        Force (N), where on the floor it acts (m), and the moment about that point (N m).
    """

    feet: tuple[str, ...]
    force: np.ndarray
    point: np.ndarray
    torque: np.ndarray


def ground_forces(subject: Subject, position: np.ndarray, force: np.ndarray) -> GroundForces:
    """Return the wrench on each foot that equals the forces at its contact points.

    The point lies on the floor where the moment is vertical (the centre of pressure); for a foot that hardly
    carries anything it is the middle of its contact points, with the moment that is left.

    Parameters
    ----------
    position, force : (..., p, 3) ndarrays
        Of each contact point, in the order of the model's spheres; in ground, m and N.
    """
    bodies = subject.feet
    feet = tuple(dict.fromkeys(bodies))
    floor = subject.floor_m
    total, points, torques = [], [], []
    for foot in feet:
        chosen = [i for i, body in enumerate(bodies) if body == foot]
        r, f = position[..., chosen, :], force[..., chosen, :]
        sum_f, moment = f.sum(-2), _cross(r, f).sum(-2)
        loaded = sum_f[..., 1] > LEAST_LOAD * subject.body_weight
        up = np.where(loaded, sum_f[..., 1], 1.0)
        middle = r.mean(-2)
        # About the point (x, floor, z) the horizontal moments vanish.
        x = (moment[..., 2] + floor * sum_f[..., 0]) / up
        z = (floor * sum_f[..., 2] - moment[..., 0]) / up
        x, z = np.where(loaded, x, middle[..., 0]), np.where(loaded, z, middle[..., 2])
        point = np.stack([x, np.full(up.shape, floor), z], axis=-1)
        total.append(sum_f)
        points.append(point)
        torques.append(moment - _cross(point, sum_f))
    return GroundForces(feet, np.stack(total, -2), np.stack(points, -2), np.stack(torques, -2))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a x b; `np.cross` takes ten times as long for a single frame."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return out
