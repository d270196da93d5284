"""Inverse dynamics: recursive Newton-Euler from the tips of the tree to ground."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.kinematics import BodyMotion, JointMotion
from casadi_dynamics.symbolic.parameters import Parameters


@dataclass(frozen=True)
class Wrench:
    """A force and a moment about the body origin, both in body axes (N, N m)."""

    force: ca.SX
    moment: ca.SX

    def __add__(self, other: Wrench) -> Wrench:
        return Wrench(self.force + other.force, self.moment + other.moment)


def force_at(motion: BodyMotion, point: ca.SX, force: ca.SX) -> Wrench:
    """Return the wrench of a `force` that acts at `point`, both given in ground."""
    in_body = motion.rotation.T @ force
    return Wrench(in_body, ca.cross(motion.rotation.T @ (point - motion.position), in_body))


def generalized_forces(
    model: Model,
    joints: dict[str, JointMotion],
    motions: dict[str, BodyMotion],
    parameters: Parameters,
    external: dict[str, Wrench],
) -> ca.SX:
    """Return the forces that drive the motion, one per coordinate in the model's order.

    What Newton and Euler require of each body, less gravity and the external wrench on it, is handed down the
    tree and projected on the directions of each coordinate (Featherstone, "Rigid Body Dynamics Algorithms",
    2008, table 5.1, in body axes).

    Parameters
    ----------
    model, joints, motions, parameters
        The model, its joint and body motions, and the symbols of its numbers.
    external : dict of str to Wrench
        Wrench on each body that has one, about its origin and in its axes.

    Returns
    -------
    (n,) SX
        N m for rotational, N for translational coordinates.
    """
    needed = {body.name: _inertial_wrench(body.name, model, motions, parameters) for body in model.bodies}
    for body, wrench in external.items():
        needed[body] = needed[body] + Wrench(-wrench.force, -wrench.moment)
    tau: dict[str, ca.SX] = {}
    for joint in reversed(model.joints):
        across, wrench = joints[joint.name], needed[joint.child.body]
        moment_at_m = wrench.moment - ca.cross(parameters.offset(joint, "child"), wrench.force)
        to_f = across.rotation @ ca.DM(joint.child.rotation).T
        force, moment = to_f @ wrench.force, to_f @ moment_at_m
        for name, (angular, linear) in across.directions.items():
            tau[name] = ca.dot(angular, moment) + ca.dot(linear, force)
        if joint.parent.body != GROUND:
            at_f = ca.DM(joint.parent.rotation) @ (moment + ca.cross(across.position, force))
            force_p = ca.DM(joint.parent.rotation) @ force
            at_origin = at_f + ca.cross(parameters.offset(joint, "parent"), force_p)
            needed[joint.parent.body] = needed[joint.parent.body] + Wrench(force_p, at_origin)
    return ca.vertcat(*(tau.get(c.name, ca.SX(0)) for c in model.coordinates))


def _inertial_wrench(
    name: str, model: Model, motions: dict[str, BodyMotion], parameters: Parameters
) -> Wrench:
    motion, mass, center = motions[name], parameters[f"{name}.mass"], parameters[f"{name}.mass_center"]
    xx, yy, zz, xy, xz, yz = ca.vertsplit(parameters[f"{name}.inertia"])
    inertia = ca.vertcat(ca.horzcat(xx, xy, xz), ca.horzcat(xy, yy, yz), ca.horzcat(xz, yz, zz))
    gravity = motion.rotation.T @ ca.DM(model.gravity)
    swing = ca.cross(motion.alpha, center) + ca.cross(motion.omega, ca.cross(motion.omega, center))
    force = mass * (motion.acceleration + swing - gravity)
    turning = inertia @ motion.alpha + ca.cross(motion.omega, inertia @ motion.omega)
    return Wrench(force, turning + ca.cross(center, force))
