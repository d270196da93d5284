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
    feet, on, floor = tuple(dict.fromkeys(subject.feet)), subject.points_on_feet, subject.floor_m
    # A product with ones and zeros sums over the points of each foot.
    sum_f, moment = on @ force, on @ _cross(position, force)
    loaded = sum_f[..., 1] > LEAST_LOAD * subject.body_weight
    up = np.where(loaded, sum_f[..., 1], 1.0)
    point = (on @ position) / on.sum(axis=1)[:, None]
    # About the point (x, floor, z) the horizontal moments vanish.
    point[..., 0] = np.where(loaded, (moment[..., 2] + floor * sum_f[..., 0]) / up, point[..., 0])
    point[..., 1] = floor
    point[..., 2] = np.where(loaded, (floor * sum_f[..., 2] - moment[..., 0]) / up, point[..., 2])
    return GroundForces(feet, sum_f, point, moment - _cross(point, sum_f))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a x b; `np.cross` takes ten times as long for a single frame."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    a0, a1, a2, b0, b1, b2 = (x[..., i] for x in (a, b) for i in range(3))
    out[..., 0] = a1 * b2 - a2 * b1
    out[..., 1] = a2 * b0 - a0 * b2
    out[..., 2] = a0 * b1 - a1 * b0
    return out
