"""Inverse dynamics and the mass matrix, from the tips of the tree to ground; mass centre and energies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.model import Joint
from casadi_dynamics.model.types import GROUND, Vector3
from casadi_dynamics.symbolic.kinematics import (
    BodyMotion,
    JointMotion,
    point_acceleration,
    point_velocity,
)
from casadi_dynamics.symbolic.parameters import Parameters
from casadi_dynamics.symbolic.tree import Tree


@dataclass(frozen=True)
class Wrench:
    """A force and a moment about the body origin, both in body axes (N, N m)."""

    force: ca.SX
    moment: ca.SX

    def __add__(self, other: Wrench) -> Wrench:
        return Wrench(self.force + other.force, self.moment + other.moment)


@dataclass(frozen=True)
class Inertia:
    """Mass (kg), mass times mass centre (3,) and inertia about the body origin (3, 3), in body axes."""

    mass: ca.SX
    first: ca.SX
    second: ca.SX

    def __add__(self, other: Inertia) -> Inertia:
        return Inertia(self.mass + other.mass, self.first + other.first, self.second + other.second)


def force_at(motion: BodyMotion, point: ca.SX, force: ca.SX) -> Wrench:
    """Return the wrench of a `force` that acts at `point`, both given in ground."""
    return wrench_at(motion, point, force, ca.SX.zeros(3))


def wrench_at(motion: BodyMotion, point: ca.SX, force: ca.SX, torque: ca.SX) -> Wrench:
    """Return the wrench of a `force` that acts at `point` and a free `torque`, all given in ground."""
    in_body = motion.rotation.T @ force
    moment = ca.cross(motion.rotation.T @ (point - motion.position), in_body)
    return Wrench(in_body, moment + motion.rotation.T @ torque)


def by_body(acting: Iterable[tuple[str, Wrench]]) -> dict[str, Wrench]:
    """Return for each body the sum of the wrenches that act on it."""
    total: dict[str, Wrench] = {}
    for body, wrench in acting:
        total[body] = total[body] + wrench if body in total else wrench
    return total


def generalized_forces(
    tree: Tree, external: Mapping[str, Wrench] | None = None, gravity: Vector3 | None = None
) -> ca.SX:
    """Return the forces that drive the motion, one per coordinate in the model's order.

    What Newton and Euler require of each body, less gravity and the external wrench on it, is handed down the
    tree and projected on the directions of each coordinate (Featherstone, "Rigid Body Dynamics Algorithms",
    2008, table 5.1, in body axes).

    Parameters
    ----------
    external : dict of str to Wrench, optional
        Wrench on each body that has one, about its origin and in its axes.
    gravity : tuple of 3 floats, optional
        In ground, m/s^2; by default the model's own.

    Returns
    -------
    (n,) SX
        N m for rotational, N for translational coordinates.
    """
    field = ca.DM(tree.model.gravity if gravity is None else gravity)
    needed = {body.name: _inertial_wrench(tree, body.name, field) for body in tree.model.bodies}
    for body, wrench in (external or {}).items():
        if body != GROUND:
            needed[body] = needed[body] + Wrench(-wrench.force, -wrench.moment)
    tau: dict[str, ca.SX] = {}
    for joint in reversed(tree.model.joints):
        across = tree.joints[joint.name]
        force, moment = _at_joint(joint, across, tree.parameters, needed[joint.child.body])
        for name, (angular, linear) in across.directions.items():
            tau[name] = tau.get(name, 0) + ca.dot(angular, moment) + ca.dot(linear, force)
        if joint.parent.body != GROUND:
            wrench = _on_parent(joint, across, tree.parameters, force, moment)
            needed[joint.parent.body] = needed[joint.parent.body] + wrench
    return ca.vertcat(*(tau.get(c.name, ca.SX(0)) for c in tree.model.coordinates))


def gravity_forces(tree: Tree) -> ca.SX:
    """Return the generalized forces (n,) that hold the weight of a model at rest."""
    rest = [ca.SX.zeros(tree.u.shape)] * 2
    return ca.substitute([generalized_forces(tree)], [tree.u, tree.udot], rest)[0]


def coriolis_forces(tree: Tree) -> ca.SX:
    """Return the centrifugal and Coriolis forces (n,): what steady speeds take without gravity."""
    weightless = generalized_forces(tree, gravity=(0.0, 0.0, 0.0))
    return ca.substitute(weightless, tree.udot, ca.SX.zeros(tree.udot.shape))


def generalized_action(tree: Tree, wrenches: Mapping[str, Wrench]) -> ca.SX:
    """Return the generalized forces J^T w (n,) of wrenches on bodies."""
    carried = dict(wrenches)
    tau: dict[str, ca.SX] = {}
    for joint in reversed(tree.model.joints):
        if joint.child.body not in carried:
            continue
        across = tree.joints[joint.name]
        force, moment = _at_joint(joint, across, tree.parameters, carried[joint.child.body])
        for name, (angular, linear) in across.directions.items():
            tau[name] = tau.get(name, 0) + ca.dot(angular, moment) + ca.dot(linear, force)
        parent, wrench = joint.parent.body, _on_parent(joint, across, tree.parameters, force, moment)
        carried[parent] = carried[parent] + wrench if parent in carried else wrench
    return ca.vertcat(*(tau.get(c.name, ca.SX(0)) for c in tree.model.coordinates))


def mass_matrix(tree: Tree) -> ca.SX:
    """Return the mass matrix by the composite-rigid-body method (Featherstone 2008, table 6.2, in body axes).

    The bodies beyond a joint, taken as one rigid body, are accelerated along each of its directions; the
    wrench they need is handed down the tree and projected on every direction it passes.

    Returns
    -------
    (n, n) SX
        kg m^2, kg m or kg.
    """
    parameters = tree.parameters
    index = {c.name: i for i, c in enumerate(tree.model.coordinates)}
    carrier = {joint.child.body: joint for joint in tree.model.joints}
    composite = {body.name: _inertia(parameters, body.name) for body in tree.model.bodies}
    for joint in reversed(tree.model.joints):
        if joint.parent.body != GROUND:
            moved = _inertia_on_parent(
                joint, tree.joints[joint.name], parameters, composite[joint.child.body]
            )
            composite[joint.parent.body] = composite[joint.parent.body] + moved
    matrix = ca.SX.zeros(len(index), len(index))
    for joint in tree.model.joints:
        across = tree.joints[joint.name]
        for name, direction in across.directions.items():
            wrench = _accelerated(joint, across, parameters, composite[joint.child.body], *direction)
            current = joint
            while current is not None:
                through = tree.joints[current.name]
                force, moment = _at_joint(current, through, parameters, wrench)
                for other, (angular, linear) in through.directions.items():
                    value = ca.dot(angular, moment) + ca.dot(linear, force)
                    matrix[index[other], index[name]] = matrix[index[name], index[other]] = value
                wrench = _on_parent(current, through, parameters, force, moment)
                current = carrier.get(current.parent.body)
    return matrix


def kinetic_energy(tree: Tree) -> ca.SX:
    """Return the kinetic energy of all bodies, J."""
    total = ca.SX(0)
    for body in tree.model.bodies:
        motion, center = tree.motions[body.name], tree.parameters[f"{body.name}.mass_center"]
        velocity = point_velocity(motion, center)
        total += tree.parameters[f"{body.name}.mass"] * ca.sumsqr(velocity) / 2
        total += ca.dot(motion.omega, _central_inertia(tree.parameters, body.name) @ motion.omega) / 2
    return total


def potential_energy(tree: Tree) -> ca.SX:
    """Return the potential energy of all bodies, J: zero at ground's origin."""
    total = ca.SX(0)
    for body in tree.model.bodies:
        motion, center = tree.motions[body.name], tree.parameters[f"{body.name}.mass_center"]
        place = motion.position + motion.rotation @ center
        total -= tree.parameters[f"{body.name}.mass"] * ca.dot(ca.DM(tree.model.gravity), place)
    return total


def center_of_mass(tree: Tree) -> dict[str, ca.SX]:
    """Return position, velocity and acceleration of the mass centre of all bodies, by these names.

    A model without mass has none; like OpenSim it then gives zeros.
    """
    total = 0
    position, velocity, acceleration = (ca.SX.zeros(3) for _ in range(3))
    for body in tree.model.bodies:
        motion, mass = tree.motions[body.name], tree.parameters[f"{body.name}.mass"]
        center = tree.parameters[f"{body.name}.mass_center"]
        total += mass
        position += mass * (motion.position + motion.rotation @ center)
        velocity += mass * (motion.rotation @ point_velocity(motion, center))
        acceleration += mass * (motion.rotation @ point_acceleration(motion, center))
    parts = {"position": position, "velocity": velocity, "acceleration": acceleration}
    return parts if ca.SX(total).is_zero() else {name: part / total for name, part in parts.items()}


def _at_joint(
    joint: Joint, across: JointMotion, parameters: Parameters, wrench: Wrench
) -> tuple[ca.SX, ca.SX]:
    """Return force, and moment about M's origin, in F, of a wrench on the child body."""
    moment_at_m = wrench.moment - ca.cross(parameters.offset(joint, "child"), wrench.force)
    to_f = across.rotation @ ca.DM(joint.child.rotation).T
    return to_f @ wrench.force, to_f @ moment_at_m


def _on_parent(
    joint: Joint, across: JointMotion, parameters: Parameters, force: ca.SX, moment: ca.SX
) -> Wrench:
    """Return the wrench on the parent body of a force, and a moment about M's origin, given in F."""
    to_parent = ca.DM(joint.parent.rotation)
    at_f = to_parent @ (moment + ca.cross(across.position, force))
    force_p = to_parent @ force
    return Wrench(force_p, at_f + ca.cross(parameters.offset(joint, "parent"), force_p))


def _accelerated(
    joint: Joint, across: JointMotion, parameters: Parameters, inertia: Inertia, angular: ca.SX, linear: ca.SX
) -> Wrench:
    """Return what it takes to accelerate a resting body along a direction of the joint that carries it."""
    to_body = ca.DM(joint.child.rotation) @ across.rotation.T  # F -> child body axes
    alpha = to_body @ angular
    acceleration = to_body @ linear - ca.cross(alpha, parameters.offset(joint, "child"))
    force = inertia.mass * acceleration + ca.cross(alpha, inertia.first)
    return Wrench(force, inertia.second @ alpha + ca.cross(inertia.first, acceleration))


def _inertia(parameters: Parameters, body: str) -> Inertia:
    mass, center = parameters[f"{body}.mass"], parameters[f"{body}.mass_center"]
    return Inertia(mass, mass * center, _central_inertia(parameters, body) + mass * _steiner(center, center))


def _inertia_on_parent(
    joint: Joint, across: JointMotion, parameters: Parameters, inertia: Inertia
) -> Inertia:
    """Return the inertia of the child body about the parent's origin and in its axes."""
    turn = ca.DM(joint.parent.rotation) @ across.rotation @ ca.DM(joint.child.rotation).T
    shift = parameters.offset(joint, "parent") + ca.DM(joint.parent.rotation) @ across.position
    shift -= turn @ parameters.offset(joint, "child")
    first = turn @ inertia.first
    second = turn @ inertia.second @ turn.T
    second += inertia.mass * _steiner(shift, shift) + _steiner(shift, first) + _steiner(first, shift)
    return Inertia(inertia.mass, first + inertia.mass * shift, second)


def _steiner(a: ca.SX, b: ca.SX) -> ca.SX:
    """Return (a . b) 1 - b a^T, the inertia of a unit mass at `a` for `a` = `b`."""
    return ca.dot(a, b) * ca.SX.eye(3) - b @ a.T


def _central_inertia(parameters: Parameters, body: str) -> ca.SX:
    xx, yy, zz, xy, xz, yz = ca.vertsplit(parameters[f"{body}.inertia"])
    return ca.vertcat(ca.horzcat(xx, xy, xz), ca.horzcat(xy, yy, yz), ca.horzcat(xz, yz, zz))


def _inertial_wrench(tree: Tree, name: str, gravity: ca.DM) -> Wrench:
    motion, parameters = tree.motions[name], tree.parameters
    mass, center = parameters[f"{name}.mass"], parameters[f"{name}.mass_center"]
    inertia = _central_inertia(parameters, name)
    swing = ca.cross(motion.alpha, center) + ca.cross(motion.omega, ca.cross(motion.omega, center))
    force = mass * (motion.acceleration + swing - motion.rotation.T @ gravity)
    turning = inertia @ motion.alpha + ca.cross(motion.omega, inertia @ motion.omega)
    return Wrench(force, turning + ca.cross(center, force))
