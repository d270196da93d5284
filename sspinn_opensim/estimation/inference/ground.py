"""Forces at contact points as one force per foot at its centre of pressure."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics import compile_numpy
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

    def part(self, chosen: slice | np.ndarray) -> GroundForces:
        """Return those of some of the frames."""
        return GroundForces(self.feet, self.force[chosen], self.point[chosen], self.torque[chosen])


def ground_forces(subject: Subject, position: np.ndarray, force: np.ndarray) -> GroundForces:
    """Return the wrench on each foot that equals the forces at its contact points.

    The point lies on the floor where the moment is vertical (the centre of pressure); for a foot that hardly
    carries anything it is the middle of its contact points, with the moment that is left.

    Parameters
    ----------
    position, force : (..., p, 3) ndarrays
        Of each contact point, in the order of the model's spheres; in ground, m and N.
    """
    points = position.shape[-2]
    columns = {name: ca.SX.sym(name, 3 * points) for name in ("position", "force")}
    parts = foot_wrenches(subject, *(ca.reshape(column, 3, -1) for column in columns.values()))
    names = ["force_on_foot", "point", "torque"]
    dense = [ca.densify(ca.vec(part)) for part in parts]
    wrenches = compile_numpy(ca.Function("wrenches", list(columns.values()), dense, list(columns), names))
    found = wrenches(position=position.reshape(-1, 3 * points), force=force.reshape(-1, 3 * points))
    feet = tuple(dict.fromkeys(subject.feet))
    shape = (*position.shape[:-2], len(feet), 3)
    return GroundForces(feet, *(found[name].reshape(shape) for name in names))


def foot_wrenches(subject: Subject, position: ca.SX, force: ca.SX) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return force, point and torque of each foot, (3, feet) each, for points (3, p); see `ground_forces`."""
    floor = subject.floor_m
    about_origin = [ca.cross(position[:, k], force[:, k]) for k in range(force.shape[1])]
    forces, places, torques = [], [], []
    for row in subject.points_on_feet:
        own = np.flatnonzero(row).tolist()
        total = sum((force[:, k] for k in own), ca.SX.zeros(3))
        moment = sum((about_origin[k] for k in own), ca.SX.zeros(3))
        middle = sum((position[:, k] for k in own), ca.SX.zeros(3)) / len(own)
        loaded = total[1] > LEAST_LOAD * subject.body_weight
        up = ca.if_else(loaded, total[1], 1.0)
        # About the point (x, floor, z) the horizontal moments vanish.
        place = ca.vertcat(
            ca.if_else(loaded, (moment[2] + floor * total[0]) / up, middle[0]),
            floor,
            ca.if_else(loaded, (floor * total[2] - moment[0]) / up, middle[2]),
        )
        forces.append(total)
        places.append(place)
        torques.append(moment - ca.cross(place, total))
    return ca.horzcat(*forces), ca.horzcat(*places), ca.horzcat(*torques)
