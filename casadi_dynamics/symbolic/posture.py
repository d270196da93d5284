"""Postures: the frames of bodies at given coordinates, and the axes about which coordinates turn them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from casadi_dynamics.model import Model
from casadi_dynamics.model.constraints import couplers_in_order
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.body_functions import BodyFunctions
from casadi_dynamics.symbolic.build import build


@dataclass(frozen=True)
class Posture:
    """A model at rest in a posture, in ground.

    Attributes
    ----------
    position : dict of str to (3,) ndarray
        Origin of each body, m.
    rotation : dict of str to (3, 3) ndarray
        Columns are the body's axes.
    axis : dict of str to (3,) ndarray
        For each coordinate that no coupler sets, the angular velocity of the body that its joint carries,
        against the body that carries the joint, per unit of its speed, all that follows it included.
    """

    position: dict[str, np.ndarray]
    rotation: dict[str, np.ndarray]
    axis: dict[str, np.ndarray]

    def in_ground(self, body: str, station: ArrayLike) -> np.ndarray:
        """Return the place in ground of a point given in body axes, m."""
        return self.position[body] + self.rotation[body] @ np.asarray(station, float)

    def in_body(self, body: str, point: ArrayLike) -> np.ndarray:
        """Return the place in body axes of a point given in ground, m."""
        return self.rotation[body].T @ (np.asarray(point, float) - self.position[body])


def without_forces(model: Model) -> Model:
    """Return the tree of bodies alone, whose functions are quick to build."""
    return replace(model, muscles=(), forces=(), contact_forces=())


def upright(model: Model) -> dict[str, float]:
    """Return the anatomical posture: angles at zero, or as near as their range lets them, others at default.

    The default posture of a scaled model may be that of a marker trial; zero is upright with feet flat in
    every gait model of OpenSim.
    """
    return {
        c.name: min(max(0.0, min(c.range)), max(c.range)) if c.motion == "rotational" else c.default
        for c in model.coordinates
    }


def posture(model: Model, values: Mapping[str, float] | None = None) -> Posture:
    """Return where the bodies of a model are at values of its coordinates.

    Parameters
    ----------
    values : mapping of str to float, optional
        rad and m; those left out are `upright`. Coordinates that couplers set follow the others.

    Returns
    -------
    Posture
        Its arrays are shared by all who ask for the same posture: they cannot be written to.
    """
    return _posture(model, tuple(sorted((upright(model) | dict(values or {})).items())))


@lru_cache(maxsize=64)
def _posture(model: Model, values: tuple[tuple[str, float], ...]) -> Posture:
    functions = _functions(model)
    given = dict(values)
    names = functions.independent
    still = np.zeros(len(names))
    whole = functions.coupling(
        q_independent=[given[name] for name in names],
        u_independent=still,
        udot_independent=still,
        parameters=functions.parameters,
    )
    q, speeds = np.array(whole["q"]), np.array(whole["C"])
    found = _motion(functions, q, np.zeros_like(q))
    position, rotation = found["position"].reshape(-1, 3), found["rotation"].reshape(-1, 3, 3)
    # Angular velocities are linear in the speeds, so a unit speed gives the axis.
    omega = _motion(functions, np.repeat(q, len(names), axis=1), speeds)["omega"].reshape(-1, 3, len(names))
    turning = dict(zip(functions.bodies, omega, strict=True)) | {GROUND: np.zeros((3, len(names)))}
    carried = {joint.name: (joint.parent.body, joint.child.body) for joint in model.joints}
    axis = {}
    for i, name in enumerate(names):
        parent, child = carried[model.coordinate(name).joint]
        axis[name] = turning[child][:, i] - turning[parent][:, i]
    for array in (position, rotation, *axis.values()):
        array.flags.writeable = False
    return Posture(
        dict(zip(functions.bodies, position, strict=True)),
        dict(zip(functions.bodies, rotation, strict=True)),
        axis,
    )


@lru_cache(maxsize=16)
def _functions(model: Model) -> BodyFunctions:
    return build(without_forces(model))


def moving_coordinates(model: Model, bodies: Iterable[str]) -> set[str]:
    """Return the coordinates, none that a coupler sets, on which the motion of some bodies depends."""
    joints, found = {joint.child.body: joint for joint in model.joints}, set()
    for moved in bodies:
        body = moved
        while body != GROUND:
            joint = joints[body]
            found |= {axis.coordinate for axis in (*joint.rotations, *joint.translations) if axis.coordinate}
            found |= {joint.winging.coordinate} if joint.winging else set()
            body = joint.parent.body
    known = {c.name for c in model.coordinates}
    for coupler in reversed(couplers_in_order(model.constraints)):
        if coupler.dependent in found:
            found.remove(coupler.dependent)
            found.update(coupler.independent)
    return found & known


def _motion(functions: BodyFunctions, q: np.ndarray, u: np.ndarray) -> dict[str, np.ndarray]:
    found = functions.kinematics(q=q, u=u, udot=np.zeros_like(q), parameters=functions.parameters)
    return {name: np.array(value) for name, value in found.items()}
